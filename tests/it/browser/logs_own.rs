//! What the log holds of signing in by the firm's own means, of what programs are told, and of what providers order: nothing that opens anything (X61).

use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rosterd::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::Browser;
use crate::own::http::key_in;
use crate::signin::op::{CLIENT, Op, SECRET, SUBJECT, form};
use crate::support::bodies::USER;
use crate::support::{Answer, Client, Request, TestDaemon};

// One word each, so that a form writes them as they are.
const PASSWORD: &str = "marmalade-for-breakfast";
const NEXT: &str = "porridge-for-breakfast";
const RESET_TO: &str = "pancakes-for-breakfast";
const INVITED_TO: &str = "kippers-for-breakfast";
const WRONG: &str = "nothing-for-breakfast";

/// A mail server that takes everything.
struct Post {
    port: u16,
    mails: Receiver<String>,
}

impl Post {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (taken, mails) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // Who goes away in the middle has sent nothing.
                let _ = stream.and_then(|stream| take(stream, &taken));
            }
        });
        Self { port, mails }
    }

    /// Waits for the next mail with a link below a path; returns the link's token, and the mail.
    fn link(&self, below: &str) -> (String, String) {
        loop {
            let mail = self.mails.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("{below}"));
            if let Some((_, rest)) = mail.split_once(&format!("/{below}/")) {
                let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '.');
                return (rest.split(ends).next().unwrap().to_owned(), mail);
            }
        }
    }
}

/// Speaks with one sender until it goes (RFC 5321), and hands on what was sent, without the soft ends of lines (RFC 2045 §6.7).
fn take(stream: TcpStream, taken: &Sender<String>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let say = |line: &str| (&stream).write_all(format!("{line}\r\n").as_bytes());
    say("220 mail.test")?;
    while let Some(line) = lines.next().transpose()? {
        match line.get(..4).unwrap_or_default().to_uppercase().as_str() {
            "DATA" => {
                say("354 go on")?;
                let text = lines.by_ref().map_while(Result::ok).take_while(|line| line != ".");
                let text: String = text.map(|line| line + "\n").collect();
                let _ = taken.send(text.replace("=\n", "").replace("=3D", "="));
                say("250 taken")?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 mail.test")?,
        }
    }
    Ok(())
}

/// A daemon that tells all, with a provider, a mail server and a program.
struct Talkative {
    daemon: TestDaemon,
    op: Op,
    post: Post,
    /// By which it is reached.
    origin: String,
    admin: Client,
    ada: String,
    /// What must not be told.
    secrets: Vec<String>,
}

impl Talkative {
    fn start() -> Self {
        let (op, post) = (Op::start(), Post::open());
        op.answer_at("127.0.0.1");
        let home = Arc::new(tempfile::tempdir().unwrap());
        // A port that is free: the settings have to name it.
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let origin = format!("https://{listen}");
        let (secret, file) = (home.path().join("secret"), home.path().join("rosterd.toml"));
        std::fs::write(&secret, SECRET).unwrap();
        let settings = format!(
            "[server]\npublic_url = {origin:?}\n[net]\nallow = [\"127.0.0.1\"]\nca_file = {:?}\n[sign_in]\nmethod = \"password\"\n\
             [mail]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"roster@acme.test\"\n\
             [[apps]]\nname = \"psa\"\ntenant = \"main\"\nurl = {origin:?}\nclaims = [\"email\"]\n\
             [[identity_providers]]\nname = \"okta\"\ntenant = \"main\"\nissuer = {:?}\nclient_id = {CLIENT:?}\nclient_secret_file = {:?}\nconnection = \"idp\"\n",
            op.server.root_file().display().to_string(),
            post.port,
            op.issuer(),
            secret.display().to_string()
        );
        std::fs::write(&file, settings).unwrap();
        let daemon = TestDaemon::start_at(&home, &listen, |command| {
            command.arg("--config").arg(&file).env("ROSTERD_LOG__LEVEL", "trace");
        });
        let scopes = "admin,users:read,users:write";
        let arguments = ["token", "create", "--tenant", "main", "--connection", "local", "--scopes", scopes];
        let made = daemon.cli(&arguments);
        assert!(made.status.success(), "{made:?}");
        let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let admin = daemon.admin().with(&token);
        let ada = json!({
            "schemas": [USER], "userName": "ada", "externalId": SUBJECT, "active": true,
            "emails": [{ "value": "ada@acme.example", "type": "work", "primary": true }],
        });
        let ada = daemon.client().send(&Request::scim("POST", "/Users").json(&ada)).expect(201).id();
        let known = [token, SECRET.to_owned(), "ada@acme.example".to_owned()];
        let typed = [PASSWORD, NEXT, RESET_TO, INVITED_TO, WRONG].map(str::to_owned);
        Self { daemon, op, post, origin, admin, ada, secrets: known.into_iter().chain(typed).collect() }
    }

    fn browser(&self) -> Browser {
        Browser::of(self.daemon.client().stranger())
    }

    /// Sends a form of one of its own pages.
    fn post(&self, browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> Answer {
        browser.send(Self::unsent(path, fields).header("Origin", self.origin.clone()))
    }

    fn unsent(path: &str, fields: &[(&str, &str)]) -> Request {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let request = Request::new("POST", path).header("Accept", "text/html");
        request.header("Content-Type", "application/x-www-form-urlencoded").body(body.finish())
    }

    fn administer(&self, method: &str, path: &str, body: &Value) {
        let path = format!("/admin/v1/users/{}/{path}", self.ada);
        let request = Request::new(method, path).header("Content-Type", "application/json").json(body);
        let _ = self.admin.send(&request).expect(204);
    }

    /// Remembers a cookie, a mailed token or a signed one by the parts of which each opens something.
    fn must_not_tell(&mut self, secret: &str) {
        assert!(secret.len() >= 6, "{secret:?} would be found by chance");
        let long = secret.split('.').filter(|part| part.len() >= 32).map(str::to_owned);
        let parts: Vec<String> = long.collect();
        self.secrets.extend(if parts.is_empty() { vec![secret.to_owned()] } else { parts });
    }

    fn cookies_must_not_be_told(&mut self, browser: &Browser) {
        assert!(!browser.cookies.is_empty());
        browser.cookies.values().for_each(|value| self.must_not_tell(value));
    }

    fn login(&self, browser: &mut Browser, password: &str) -> Answer {
        let fields = [("login", "ada"), ("password", password), ("return_to", "/me")];
        self.post(browser, "/password/login", &fields)
    }

    /// Ends the daemon, and looks through all that it has said.
    fn must_have_kept_quiet(mut self, spoke_of: &[&str]) {
        let (status, log) = self.daemon.terminate();
        assert!(status.success(), "{log}");
        for word in spoke_of {
            assert!(log.contains(word), "nothing is said of {word}: the log does not tell all\n{log}");
        }
        for secret in &self.secrets {
            assert!(!log.contains(secret.as_str()), "{secret} is in the log");
        }
    }
}

/// Follows a mailed link in every way: looks at it, sends its form from elsewhere and in another form, then as it should be, and once more.
fn follow(world: &mut Talkative, path: &str, fields: &[(&str, &str)], status: u16) {
    let mut browser = world.browser();
    let _ = browser.get(path).expect(200);
    let foreign = Talkative::unsent(path, fields).header("Origin", "https://evil.example");
    let _ = browser.send(foreign.header("Sec-Fetch-Site", "cross-site")).expect(403);
    let odd =
        Talkative::unsent(path, fields).header("Origin", world.origin.clone()).body("x".repeat(300_000));
    let _ = browser.send(odd).expect(413);
    assert_eq!(browser.send(Request::new("PATCH", path)).status, 405);
    assert_eq!(world.post(&mut browser, path, fields).status, status, "{path}");
    assert_eq!(world.post(&mut browser, path, fields).status, 404, "{path}: once");
    assert_eq!(browser.get(path).status, 404);
    if status == 303 {
        world.cookies_must_not_be_told(&browser);
    }
}

#[test]
fn x61_no_password_link_or_mailed_code_is_in_the_log_of_a_daemon_that_tells_all() {
    let mut world = Talkative::start();
    // Each opens what it is mailed for.
    for (purpose, below) in
        [("invitation", "invite"), ("magic-link", "magic-link"), ("reset", "password/reset")]
    {
        world.administer("POST", "links", &json!({ "purpose": purpose }));
        let (token, mail) = world.post.link(below);
        world.must_not_tell(&token);
        let path = format!("/{below}/{token}");
        match purpose {
            "invitation" => {
                let fields = [("new_password", INVITED_TO), ("new_password_again", INVITED_TO)];
                follow(&mut world, &path, &fields, 303);
            }
            "magic-link" => follow(&mut world, &path, &[], 303),
            _ => {
                let is_code = |line: &&str| {
                    line.len() >= 8 && line.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
                };
                let code = mail.lines().find(is_code).unwrap_or_else(|| panic!("{mail}")).to_owned();
                world.must_not_tell(&code);
                let fields = [
                    ("mailed_code", "WRONGONE"),
                    ("new_password", RESET_TO),
                    ("new_password_again", RESET_TO),
                ];
                let _ = world.post(&mut world.browser(), &path, &fields).expect(403);
                world.secrets.push("WRONGONE".to_owned());
                let fields = [
                    ("mailed_code", code.as_str()),
                    ("new_password", RESET_TO),
                    ("new_password_again", RESET_TO),
                ];
                follow(&mut world, &path, &fields, 200);
            }
        }
        // What looks like one and is none, and what was typed beside it.
        let stolen = format!("/{below}/1.{}", "5ec2e7".repeat(10) + "abcd");
        let _ = world.post(&mut world.browser(), &stolen, &[("mailed_code", "STOLENCODE")]).expect(404);
    }
    world.secrets.extend(["5ec2e7".repeat(2), "STOLENCODE".to_owned()]);
    world.administer(
        "PUT",
        "password",
        &json!({ "password": PASSWORD, "passwordAgain": PASSWORD, "temporary": true }),
    );
    let mut browser = world.browser();
    let _ = world.login(&mut browser, WRONG).expect(403);
    let _ = world.login(&mut browser, PASSWORD).expect(303);
    let fields = [("password", PASSWORD), ("new_password", NEXT), ("new_password_again", NEXT)];
    let _ = world.post(&mut browser, "/password/change", &fields).expect(303);
    world.cookies_must_not_be_told(&browser);
    world.must_have_kept_quiet(&["DEBUG", "/invite/", "/magic-link/", "/password/reset/", "/password/login"]);
}

#[test]
fn x61_no_second_factor_cookie_or_assertion_is_in_the_log_of_a_daemon_that_tells_all() {
    let mut world = Talkative::start();
    world.administer("PUT", "password", &json!({ "password": PASSWORD, "passwordAgain": PASSWORD }));
    let mut browser = world.browser();
    let _ = world.login(&mut browser, PASSWORD).expect(303);
    world.cookies_must_not_be_told(&browser);
    let page = browser.get("/me/second-factor").expect(200).text();
    let shown = page.split("with this key: ").nth(1).unwrap().split('.').next().unwrap().to_owned();
    world.must_not_tell(&shown);
    let step = u64::try_from(SystemClock.now().as_second()).unwrap() / 30;
    let code = key_in(&page).code(step).to_string();
    let page = world.post(&mut browser, "/me/second-factor", &[("code", &code)]).expect(200).text();
    let codes: Vec<String> =
        page.split("<code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 10);
    codes.iter().for_each(|code| world.must_not_tell(code));
    // Once by a code that is none, and once by one.
    let mut browser = world.browser();
    let mut page = world.login(&mut browser, PASSWORD).expect(200).text();
    world.secrets.push("wrong-recovery-code".to_owned());
    for (code, status) in [("wrong-recovery-code", 403), (codes.first().unwrap(), 303)] {
        let state =
            page.split("name=\"state\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        world.must_not_tell(&state);
        let fields = [("state", state.as_str()), ("code", code), ("return_to", "/me")];
        page = world.post(&mut browser, "/password/second-factor", &fields).expect(status).text();
    }
    world.cookies_must_not_be_told(&browser);
    let ask = || Request::new("GET", "/auth/verify?app=psa");
    for _ in 0..2 {
        let answer = browser.send(ask()).expect(200);
        world.must_not_tell(answer.header("x-rosterd-assertion").unwrap());
        let _ = browser.get("/session").expect(200);
    }
    // A cookie of nobody's, beside an assertion that a browser brings.
    let mut stranger = world.browser();
    let (name, value) = ("__Host-rosterd", format!("1.{}", "5ec2e7".repeat(10) + "abcd"));
    stranger.cookies.insert(name.to_owned(), value);
    let _ = stranger.send(ask().header("X-Rosterd-Assertion", "a-forged-assertion")).expect(401);
    world.secrets.extend(["5ec2e7".repeat(2), "a-forged-assertion".to_owned()]);
    world.must_have_kept_quiet(&["DEBUG", "/me/second-factor", "/password/second-factor", "/auth/verify"]);
}

/// Signs in at the provider with an ID token of the test's own; returns the token.
fn by_provider(world: &Talkative, browser: &mut Browser, audience: &str, status: u16) -> String {
    let start = browser.get("/sso/okta/start?return_to=/me").expect(303);
    let there = start.header("location").unwrap();
    let second = SystemClock.now().as_second();
    let token = world.op.sign(
        &json!({ "typ": "JWT" }),
        &json!({
            "iss": world.op.issuer(), "sub": SUBJECT, "aud": audience, "iat": second, "exp": second + 300,
            "nonce": form(there.split_once('?').unwrap().1)["nonce"], "sid": "the-providers-session",
        }),
    );
    world.op.state().id_token = Some(token.clone());
    let back = world.op.authorize(there);
    let answer = browser.get(&format!("/sso/okta/callback?{back}"));
    assert_eq!(answer.status, status, "{}", world.daemon.said());
    token
}

/// What a provider orders: back-channel logout, and universal logout by a bearer token.
fn order(world: &Talkative, what: &str, token: &str) -> Answer {
    let request = Request::new("POST", format!("/sso/okta/{what}"));
    world.daemon.client().stranger().send(&if what == "backchannel-logout" {
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        request.body(format!("logout_token={token}"))
    } else {
        let whose = json!({ "sub_id": { "format": "iss_sub", "iss": world.op.issuer(), "sub": SUBJECT } });
        let request = request.header("Content-Type", "application/json");
        request.header("Authorization", format!("Bearer {token}")).json(&whose)
    })
}

#[test]
fn x61_no_id_token_logout_token_or_revocation_token_is_in_the_log_of_a_daemon_that_tells_all() {
    let mut world = Talkative::start();
    for (audience, status) in [("somebody-else", 403), (CLIENT, 303)] {
        let mut browser = world.browser();
        let token = by_provider(&world, &mut browser, audience, status);
        world.must_not_tell(&token);
        if status == 303 {
            world.cookies_must_not_be_told(&browser);
            assert!(browser.whoami().is_some());
            // Signing out at the provider too.
            let _ = world.post(&mut browser, "/logout", &[("provider", "yes")]).expect(200);
        }
    }
    let second = SystemClock.now().as_second();
    let issuer = world.op.issuer();
    world.secrets.push("the-providers-session".to_owned());
    for (good, jti) in [(false, "j-1"), (true, "j-2")] {
        let typed = |typ: &str| json!({ "typ": if good { typ } else { "JWT" } });
        let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
        let logout = world.op.sign(&typed("logout+jwt"), &json!({
            "iss": issuer, "aud": if good { CLIENT } else { "somebody-else" }, "iat": second, "exp": second + 120, "jti": jti,
            "sid": "the-providers-session", "events": events,
        }));
        let revocation = world.op.sign(&typed("global-token-revocation+jwt"), &json!({
            "iss": issuer, "sub": CLIENT, "aud": format!("{}/sso/okta/global-token-revocation", world.origin),
            "iat": second, "exp": second + 120, "jti": jti,
        }));
        for (what, token, statuses) in
            [("backchannel-logout", logout, [400, 200]), ("global-token-revocation", revocation, [401, 204])]
        {
            let _ = order(&world, what, &token).expect(statuses[usize::from(good)]);
            world.must_not_tell(&token);
        }
    }
    world.must_have_kept_quiet(&[
        "DEBUG",
        "signing in did not work",
        "an order of a provider was refused",
        "backchannel-logout",
        "global-token-revocation",
    ]);
}
