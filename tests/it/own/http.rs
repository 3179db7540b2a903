//! The firm's own means as a browser and an administrator see them (T02, T03, T08, P05, H10, H11, X10, X11, X43).

use rosterd::roster::{LinkOrder, LinkPurpose, Mailed, OrderedBy};
use rosterd::signin::local::TotpSecret;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{HASH, door, firm, local, operator, person, set_method, set_password};
use crate::browser::Browser;
use crate::support::{Answer, Client, Engine, Request, TestApp};

const FIRST: &str = "marmalade for breakfast";
const SECOND: &str = "porridge for breakfast";

fn browser(app: &TestApp) -> Browser {
    Browser::of(app.stranger())
}

/// An administrator of the admin listener.
fn admin(app: &TestApp) -> Client {
    let (client, _) = app.issue("main", "local", &["admin", "users:read", "users:write"]);
    Client::new(app.daemon().admin(), client.token())
}

fn ask(admin: &Client, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::new(method, format!("/admin/v1{path}")).header("Accept", "application/json");
    admin.send(&request.json(body).header("Content-Type", "application/json"))
}

fn give_password(app: &TestApp, id: rosterd::ids::ResourceId, password: &str, temporary: bool) {
    let body = json!({ "password": password, "passwordAgain": password, "temporary": temporary });
    let _ = ask(&admin(app), "PUT", &format!("/users/{id}/password"), &body).expect(204);
}

fn login(browser: &mut Browser, name: &str, password: &str) -> Answer {
    browser.post("/password/login", &[("login", name), ("password", password), ("return_to", "/me")])
}

fn link(app: &TestApp, person: rosterd::ids::ResourceId, purpose: LinkPurpose) -> Mailed {
    super::link(app, person, purpose)
}

/// What of an answer is not the same each time by design is left out.
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let leaves = |name: &str| !["date", "x-request-id"].contains(&name);
    let headers = answer.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone()));
    (answer.status, headers.filter(|(name, _)| leaves(name)).collect(), answer.text())
}

#[test]
fn x11_whoever_is_not_let_in_sees_the_same_bytes_after_the_same_work() {
    let app = firm(Engine::Memory);
    let [known, locked, without, elsewhere] =
        ["known", "locked", "without", "elsewhere"].map(|name| person(&app, name));
    for id in [known, locked, elsewhere] {
        set_password(&app, id, HASH);
    }
    give_password(&app, known, FIRST, false);
    app.roster().lock(&operator(&app), locked, rosterd::roster::Authority::Admin, None).unwrap();
    set_method(&app, elsewhere, Some(rosterd::roster::Way::Sso), false);
    let _ = without;
    let mut answers = Vec::new();
    for name in ["known", "locked", "without", "elsewhere", "nobody", "nobody@nowhere.test", "\u{202e}"] {
        for password in ["not the password at all", "x", &"long".repeat(100)] {
            let before = app.daemon().hashes();
            let answer = login(&mut browser(&app), name, password);
            assert_eq!(app.daemon().hashes() - before, 1, "{name}: one hash, neither more nor less");
            answers.push((name, seen(&answer)));
        }
    }
    // Another firm that is not there is not told either.
    let fields = [("login", "known"), ("password", "wrong"), ("tenant", "nowhere"), ("return_to", "/me")];
    let before = app.daemon().hashes();
    let nowhere = browser(&app).post("/password/login", &fields);
    assert_eq!((app.daemon().hashes() - before, nowhere.status), (1, 403));
    let (_, first) = &answers[0];
    assert_eq!(first.0, 403);
    for (name, other) in &answers {
        assert_eq!(other, first, "{name}");
    }
    assert_eq!(login(&mut browser(&app), "known", FIRST).status, 303);
}

#[test]
fn x11_who_asks_for_a_mail_sees_the_same_whether_there_is_somebody_or_not() {
    let app = firm(Engine::Memory);
    let ada = person(&app, "ada");
    set_password(&app, ada, HASH);
    for path in ["/magic-link", "/password/reset"] {
        let _ = browser(&app).get(path).expect(200);
        let answers = ["ada", "nobody", "ada@acme.test", ""].map(|login| {
            let answer = browser(&app).post(path, &[("login", login)]);
            seen(&answer)
        });
        assert_eq!(answers[0].0, 200);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    // Both were made, after the answers.
    for _ in 0..200 {
        if app.roster().sign_in_means(&operator(&app), ada).unwrap().links.len() == 2 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    panic!("no links were made");
}

#[test]
fn x11_who_fails_often_waits_and_keeps_nobody_else_out() {
    let app = firm(Engine::Memory);
    let ada = person(&app, "ada");
    give_password(&app, ada, FIRST, false);
    for name in ["ada", "nobody"] {
        let tries: Vec<u16> = (0..7).map(|_| login(&mut browser(&app), name, "wrong").status).collect();
        assert_eq!(tries, [403, 403, 403, 403, 403, 403, 429], "{name}");
    }
    // No account was locked: the same person comes in by another name of theirs, whose failures nobody has counted.
    assert_eq!(login(&mut browser(&app), "ada@acme.test", FIRST).status, 303);
}

#[test]
fn p05_h10_t08_a_temporary_password_leads_to_its_change_and_nowhere_else() {
    let app = firm(Engine::Redb);
    let ada = person(&app, "ada");
    let admin = admin(&app);
    let path = format!("/users/{ada}/password");
    for (body, says) in [
        (json!({ "password": FIRST, "passwordAgain": SECOND }), "differ"),
        (json!({ "password": "short", "passwordAgain": "short" }), "at least 15"),
        (json!({ "password": "ada@acme.test ada", "passwordAgain": "ada@acme.test ada" }), "made of a name"),
    ] {
        let refused = ask(&admin, "PUT", &path, &body).expect(400).text();
        assert!(refused.contains(says), "{refused}");
    }
    give_password(&app, ada, FIRST, true);
    let mut here = browser(&app);
    let came = login(&mut here, "ada", FIRST);
    assert_eq!((came.status, came.header("location")), (303, Some("/password/change")));
    assert!(here.whoami().is_none(), "nothing else is open");
    assert_eq!(here.get("/me").header("location"), Some("/login?return_to=/me"));
    let old = here.clone();
    let change = |here: &mut Browser, old: &str, new: &str, again: &str| {
        here.post(
            "/password/change",
            &[("password", old), ("new_password", new), ("new_password_again", again)],
        )
    };
    let page = here.get("/password/change").expect(200).text();
    assert!(page.contains("Somebody else has set your password"), "{page}");
    for (old, new, again, says) in [
        ("wrong", SECOND, SECOND, "The old password is not right"),
        (FIRST, SECOND, FIRST, "The two fields differ"),
        (FIRST, FIRST, FIRST, "That is the old password"),
        (FIRST, "short", "short", "at least 15 characters"),
    ] {
        let page = change(&mut here, old, new, again).expect(403).text();
        assert!(page.contains(says), "{page}");
    }
    assert_eq!(change(&mut here, FIRST, SECOND, SECOND).expect(303).header("location"), Some("/me"));
    assert!(here.whoami().is_some());
    assert!(old.clone().whoami().is_none());
    assert_eq!(login(&mut browser(&app), "ada", FIRST).status, 403);
    assert_eq!(login(&mut browser(&app), "ada", SECOND).header("location"), Some("/me"));
    let shown = ask(&admin, "GET", &format!("/users/{ada}/sign-in"), &Value::Null).expect(200).json();
    assert_eq!((&shown["method"], &shown["passwordMustChange"]), (&json!("password"), &json!(false)));
    assert_eq!(ask(&admin, "DELETE", &path, &Value::Null).status, 204);
    assert!(here.whoami().is_none(), "P06");
}

#[test]
fn t03_a_link_shows_a_button_to_whoever_looks_and_opens_once() {
    let app = firm(Engine::Redb);
    let ada = person(&app, "ada");
    let mailed = link(&app, ada, LinkPurpose::MagicLink);
    let path = format!("/magic-link/{}", mailed.token.as_str());
    for _ in 0..2 {
        let page = browser(&app).get(&path).expect(200);
        assert!(page.text().contains("You sign in as ada."));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert!(page.header("referrer-policy").is_some());
    }
    let mut here = browser(&app);
    assert_eq!(here.post(&path, &[]).expect(303).header("location"), Some("/me"));
    assert_eq!(here.whoami().unwrap()["session"]["method"], "magic-link");
    for mut again in [here.clone(), browser(&app)] {
        assert_eq!(again.post(&path, &[]).status, 404);
        assert_eq!(again.get(&path).status, 404);
    }
}

#[test]
fn t02_t07_an_invitation_takes_the_first_password_and_lets_in() {
    let app = firm(Engine::Redb);
    let ada = person(&app, "ada");
    let path = format!("/invite/{}", link(&app, ada, LinkPurpose::Invitation).token.as_str());
    let mut here = browser(&app);
    assert!(here.get(&path).expect(200).text().contains("Your user name is ada."));
    let page =
        here.post(&path, &[("new_password", "short"), ("new_password_again", "short")]).expect(403).text();
    assert!(page.contains("at least 15 characters"), "{page}");
    let fields = [("new_password", FIRST), ("new_password_again", FIRST)];
    assert_eq!(here.post(&path, &fields).expect(303).header("location"), Some("/me"));
    assert!(here.whoami().is_some());
    assert_eq!(here.post(&path, &fields).status, 404);
    assert_eq!(login(&mut browser(&app), "ada", FIRST).header("location"), Some("/me"));
}

#[test]
fn p05_a_reset_takes_what_the_mail_says_and_lets_nobody_in() {
    let app = firm(Engine::Redb);
    let ada = person(&app, "ada");
    give_password(&app, ada, FIRST, false);
    let mailed = link(&app, ada, LinkPurpose::Reset);
    let path = format!("/password/reset/{}", mailed.token.as_str());
    let code = mailed.code.as_ref().unwrap().as_str();
    let mut here = browser(&app);
    let _ = here.get(&path).expect(200);
    let set = |here: &mut Browser, code: &str, new: &str| {
        here.post(&path, &[("mailed_code", code), ("new_password", new), ("new_password_again", new)])
    };
    assert!(set(&mut here, "WRONGONE", SECOND).expect(403).text().contains("not the letters and digits"));
    assert!(set(&mut here, code, "short").expect(403).text().contains("at least 15"));
    assert!(set(&mut here, code, SECOND).expect(200).text().contains("Your password is set"));
    assert!(here.whoami().is_none());
    assert_eq!(set(&mut here, code, FIRST).status, 404);
    assert_eq!(login(&mut here, "ada", FIRST).status, 403);
    assert_eq!(login(&mut here, "ada", SECOND).status, 303);
}

/// Reads the key that a page shows.
pub(crate) fn key_in(page: &str) -> TotpSecret {
    let key = page.split("with this key: ").nth(1).unwrap().split('.').next().unwrap();
    let mut bits = 0_u64;
    let (mut held, mut bytes) = (0, Vec::new());
    for letter in key.bytes() {
        let digit = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|one| *one == letter).unwrap();
        bits = (bits << 5) | digit as u64;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 255).unwrap());
        }
    }
    TotpSecret::from_bytes(Zeroizing::new(bytes))
}

/// What somebody has of a second factor that was set up.
struct Device {
    secret: TotpSecret,
    /// The code by which it was turned on.
    used: String,
    recovery: Vec<String>,
}

impl Device {
    /// Sets one up for who is signed in.
    fn set_up(app: &TestApp, here: &mut Browser) -> Self {
        let secret = key_in(&here.get("/me/second-factor").expect(200).text());
        let mut device = Self { secret, used: String::new(), recovery: vec![] };
        device.used = device.code(app);
        let page = here.post("/me/second-factor", &[("code", &device.used)]).expect(200).text();
        let codes = page.split("<code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        device.recovery = codes.collect();
        device
    }

    /// The code of this moment.
    fn code(&self, app: &TestApp) -> String {
        let now = u64::try_from(app.roster().current_time().as_second()).unwrap();
        self.secret.code(now / 30).to_string()
    }
}

#[test]
fn h11_p05_a_password_is_changed_by_a_code_that_counts_and_by_no_other() {
    let app = firm(Engine::Redb);
    let ada = person(&app, "ada");
    give_password(&app, ada, FIRST, false);
    let mut here = browser(&app);
    let _ = login(&mut here, "ada", FIRST).expect(303);
    let device = Device::set_up(&app, &mut here);
    let change = |here: &mut Browser, (old, new): (&str, &str), code: &str| {
        let fields = [("password", old), ("new_password", new), ("new_password_again", new), ("code", code)];
        here.post("/password/change", &fields)
    };
    let known = || app.roster().password_of(&door(&app), "ada").unwrap().unwrap();
    let before = known();
    // One that counted already and would be right at this moment, none, a wrong one, what has the length of a recovery code and is none.
    for wrong in [&device.used, "", "000000", "aaaaaaa", "abcde-fghij-klmno"] {
        let page = change(&mut here, (FIRST, SECOND), wrong).expect(403).text();
        assert!(page.contains("That code is not right"), "{wrong}: {page}");
        assert_eq!((known().hash, known().epoch), (before.hash.clone(), before.epoch), "{wrong}");
        assert!(here.whoami().is_some(), "{wrong}");
        app.clock().advance(60);
    }
    let old = here.clone();
    let fresh = device.code(&app);
    let changed = change(&mut here, (FIRST, SECOND), &fresh).expect(303);
    assert_eq!(changed.header("location"), Some("/me"), "they go on in a new session");
    assert!(here.whoami().is_some() && old.clone().whoami().is_none());
    // It counted: neither it nor a recovery code counts twice.
    assert_eq!(change(&mut here, (SECOND, FIRST), &fresh).status, 403);
    app.clock().advance(60);
    assert_eq!(change(&mut here, (SECOND, FIRST), &device.recovery[0]).status, 303);
    assert_eq!(change(&mut here, (FIRST, SECOND), &device.recovery[0]).status, 403);
    assert_eq!(known().epoch, before.epoch + 2);
}

#[test]
fn h11_t13_a_second_factor_is_set_up_asked_for_and_counts_each_code_once() {
    let app = firm(Engine::Redb);
    let ada = person(&app, "ada");
    give_password(&app, ada, FIRST, false);
    let mut here = browser(&app);
    let _ = login(&mut here, "ada", FIRST).expect(303);
    let _ = here.get("/me/second-factor").expect(200);
    assert!(here.post("/me/second-factor", &[("code", "000000")]).status == 403);
    let device = Device::set_up(&app, &mut here);
    assert_eq!(device.recovery.len(), 10);

    // Only half of it: no session, and the other half is asked for.
    let mut there = browser(&app);
    let half = login(&mut there, "ada", FIRST).expect(200).text();
    assert!(there.whoami().is_none());
    let state = |page: &str| {
        page.split("name=\"state\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let second = |browser: &mut Browser, page: &str, code: &str| {
        browser
            .post("/password/second-factor", &[("state", &state(page)), ("code", code), ("return_to", "/me")])
    };
    // The code that turned it on counted already; nobody else's browser goes on with what this one began.
    let again = second(&mut there, &half, &device.used).expect(403).text();
    assert_eq!(second(&mut browser(&app), &again, &device.code(&app)).status, 403);
    let again = second(&mut there, &again, "000000").expect(403).text();
    app.clock().advance(30);
    let fresh = device.code(&app);
    assert_eq!(second(&mut there, &again, &fresh).expect(303).header("location"), Some("/me"));
    assert!(there.whoami().is_some());
    let mut other = browser(&app);
    let half = login(&mut other, "ada", FIRST).expect(200).text();
    let again = second(&mut other, &half, &fresh).expect(403).text();
    assert_eq!(second(&mut other, &again, &device.recovery[0]).status, 303, "a recovery code");

    // Beside it neither a password of an administrator's nor a reset is offered.
    let body = json!({ "password": SECOND, "passwordAgain": SECOND });
    let admin = admin(&app);
    assert_eq!(ask(&admin, "PUT", &format!("/users/{ada}/password"), &body).status, 409);
    assert_eq!(
        ask(&admin, "POST", &format!("/users/{ada}/links"), &json!({ "purpose": "reset" })).status,
        409
    );
    assert_eq!(ask(&admin, "DELETE", &format!("/users/{ada}/second-factor"), &Value::Null).status, 204);
    assert_eq!(login(&mut browser(&app), "ada", FIRST).status, 303);
}

#[test]
fn x43_no_form_of_another_site_is_taken() {
    let app = firm(Engine::Memory);
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| person(&app, name));
    give_password(&app, ada, FIRST, false);
    give_password(&app, eve, FIRST, false);
    let mut here = browser(&app);
    let _ = login(&mut here, "ada", FIRST).expect(303);
    let listed = here.get("/me/sessions").expect(200).json();
    let reset = link(&app, eve, LinkPurpose::Reset);
    let magic = format!("/magic-link/{}", link(&app, ada, LinkPurpose::MagicLink).token.as_str());
    let invite = format!("/invite/{}", link(&app, bob, LinkPurpose::Invitation).token.as_str());
    let path_of_reset = format!("/password/reset/{}", reset.token.as_str());
    // All that any of them takes, so that it is refused for where it comes from and for nothing else.
    let fields = [
        ("login", "ada"),
        ("password", FIRST),
        ("new_password", SECOND),
        ("new_password_again", SECOND),
        ("mailed_code", reset.code.as_ref().unwrap().as_str()),
        ("address", "ada@acme.test"),
        ("id", listed["current"].as_str().unwrap()),
        ("return_to", "/me"),
    ];
    for path in [
        "/login",
        "/logout",
        "/password/login",
        "/password/change",
        "/password/reset",
        "/password/second-factor",
        "/magic-link",
        "/me/acting",
        "/me/contact",
        "/me/second-factor",
        "/me/sessions",
        &magic,
        &invite,
        &path_of_reset,
    ] {
        for (origin, site) in
            [("https://evil.example", "cross-site"), ("null", "cross-site"), ("https://evil.example", "")]
        {
            let mut body = form_urlencoded::Serializer::new(String::new());
            let request = Request::new("POST", path)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .header("Origin", origin)
                .header("Sec-Fetch-Site", site)
                .body(body.extend_pairs(&fields).finish());
            // With the cookie of who is signed in, as their browser would send it.
            let answer = here.clone().send(request);
            assert_eq!(answer.status, 403, "{path} {origin} {site}");
            assert_eq!(answer.header("set-cookie"), None, "{path} {origin} {site}");
        }
    }
    // Nothing was done: they are signed in as before, nothing was mailed, and each link still opens once.
    assert_eq!(here.get("/me/sessions").expect(200).json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(app.roster().sign_in_means(&operator(&app), ada).unwrap().links.len(), 1);
    let _ = login(&mut browser(&app), "ada", FIRST).expect(303);
    for (path, status) in [(&magic, 303), (&invite, 303), (&path_of_reset, 200)] {
        assert_eq!(browser(&app).post(path, &fields).status, status, "{path}");
    }
}

#[test]
fn t10_h10_an_administrator_sends_links_and_says_how_somebody_signs_in() {
    let app = firm(Engine::Memory);
    let ada = person(&app, "ada");
    let admin = admin(&app);
    let send =
        |purpose: &str| ask(&admin, "POST", &format!("/users/{ada}/links"), &json!({ "purpose": purpose }));
    let until = || app.roster().sign_in_means(&operator(&app), ada).unwrap().links;
    let hours = |until: jiff::Timestamp| until.duration_since(app.roster().current_time()).as_hours();
    let _ = send("invitation").expect(204);
    assert_eq!(hours(until()[0].1), 7 * 24 - 1);
    let _ = send("invitation").expect(204);
    assert_eq!((hours(until()[0].1), until().len()), (23, 1));
    assert_eq!(send("anything").status, 400);
    let method = |body: Value| ask(&admin, "PUT", &format!("/users/{ada}/sign-in"), &body);
    assert_eq!(method(json!({ "method": "telepathy" })).status, 400);
    let _ = method(json!({ "method": "sso" })).expect(204);
    assert!(until().is_empty());
    assert_eq!(send("magic-link").status, 409);
    let reader = Client::new(app.daemon().admin(), local(&app).token());
    assert_eq!(ask(&reader, "PUT", &format!("/users/{ada}/sign-in"), &json!({})).status, 403);
    let order = LinkOrder {
        person: ada,
        purpose: LinkPurpose::MagicLink,
        lifetime: rosterd::roster::MAGIC_LINK,
        by: OrderedBy::Themselves,
        mail: Some(&super::sealed),
    };
    assert!(app.roster().issue_link(&operator(&app), &order).unwrap().is_none());
}
