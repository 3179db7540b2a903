//! Mails, to somebody else's server: PyPI's aiosmtpd (conformance/mail). Skipped, loudly, where Python or the package is missing.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rosterd::config::Permit;
use rosterd::ids::TenantId;
use rosterd::mail::{MailError, MailServer, Parts, Protection};
use rosterd::net::{Client, Options, Resolver};
use rosterd::roster::{INVITATION, LinkOrder, LinkPurpose, Mailed, MailedKey, OrderedBy};
use rosterd::signin::vault::Purpose;
use rosterd::store::Space;
use serde_json::Value;
use tempfile::TempDir;

use super::{HASH, body, door, local, operator, person, set_password};
use crate::support::bodies::replace;
use crate::support::issuer::Names;
use crate::support::world::{history, said};
use crate::support::{Engine, TestApp};

const HOST: &str = "mail.test";
/// Letters, and when they are due (`roster::rows`).
const LETTERS: Space = Space(78);
const LETTERS_DUE: Space = Space(79);

/// The mail server's process, and what it takes.
pub(super) struct Server {
    process: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    port: u16,
    roots: PathBuf,
    _folder: TempDir,
}

impl Server {
    /// Starts it, or says why not, and that nothing was looked at.
    pub(super) fn start(arguments: &[&str]) -> Option<Self> {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = home.join("target/mail-venv/bin/python");
        if !python.is_file() {
            eprintln!(
                "SKIPPED, nothing was looked at: the mail server is missing (conformance/mail/install)"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
        let [roots, key_file] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        std::fs::write(&roots, certificate.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        let mut process = Command::new(python)
            .arg(home.join("conformance/mail/server.py"))
            .args(arguments)
            .arg("--certificate")
            .arg(&roots)
            .arg("--key")
            .arg(&key_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let hello: Value =
            serde_json::from_str(&lines.next().expect("the server ends at once").unwrap()).unwrap();
        let port = u16::try_from(hello["port"].as_u64().unwrap()).unwrap();
        Some(Self { process, lines: Some(lines), port, roots, _folder: folder })
    }

    /// Waits for what it says next.
    fn next(&mut self) -> Value {
        let lines = self.lines.as_mut().expect("what it says is collected");
        serde_json::from_str(&lines.next().expect("the server has ended").unwrap()).unwrap()
    }

    /// Has collected what it says from now on.
    pub(super) fn collected(&mut self) -> Arc<Mutex<Vec<Value>>> {
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, into) = (self.lines.take().expect("it is collected already"), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in lines {
                into.lock().unwrap().push(serde_json::from_str(&line.unwrap()).unwrap());
            }
        });
        said
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Starts a daemon that sends its mails there.
    fn firm(&self, protection: &str, more: &[(&str, &str)]) -> TestApp {
        let names = Arc::new(Names::default());
        names.lead(HOST, &[&["127.0.0.1"]]);
        let port = self.port.to_string();
        let (allow, roots) = (format!("{HOST}:{port}"), self.roots.display().to_string());
        let settings = [
            &[
                ("mail.host", HOST),
                ("mail.port", &port),
                ("mail.tls", protection),
                ("mail.from", "The roster <roster@acme.test>"),
                ("net.allow", &allow),
                ("net.ca_file", &roots),
                ("sign_in.method", "password"),
            ][..],
            more,
        ]
        .concat();
        TestApp::with(Engine::Redb, &settings, names)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Makes a link that is mailed, sealed as the daemon does.
fn mail_link(app: &TestApp, person: rosterd::ids::ResourceId, purpose: LinkPurpose) -> Mailed {
    let vault = Arc::clone(app.daemon().vault());
    let seal = move |place: &[u8], plain: &[u8]| vault.seal(Purpose::Mail, &[place], plain).ok();
    let order =
        LinkOrder { person, purpose, lifetime: INVITATION, by: OrderedBy::Administrator, mail: Some(&seal) };
    app.roster().issue_link(&operator(app), &order).unwrap().expect("a link")
}

/// Finds the one link of a mail.
fn link_in<'m>(mail: &'m Value, below: &str) -> &'m str {
    let plain = mail["plain"].as_str().unwrap();
    let links: Vec<&str> = plain.lines().filter(|line| line.starts_with("http")).collect();
    let [link] = links.as_slice() else { panic!("{plain}") };
    let begins = format!("https://roster.test/{below}/");
    let token = link.strip_prefix(&begins).unwrap_or_else(|| panic!("{link}"));
    assert!(mail["html"].as_str().unwrap().contains(link), "{mail}");
    token
}

fn letters_left(app: &TestApp) -> usize {
    let snapshot = app.roster().store().snapshot().unwrap();
    let count = |space| snapshot.small_range(TenantId::new(1), space, &[], None, 100).unwrap().len();
    count(LETTERS).max(count(LETTERS_DUE))
}

/// Waits until nothing is left to be sent. What was sent is written down right after the server took it.
fn settled(app: &TestApp) {
    for _ in 0..200 {
        if letters_left(app) == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("{} letters are left", letters_left(app));
}

/// Waits until it is written down that a letter was tried so often.
fn postponed(app: &TestApp, attempts: u64) {
    for _ in 0..400 {
        let snapshot = app.roster().store().snapshot().unwrap();
        let rows = snapshot.small_range(TenantId::new(1), LETTERS, &[], None, 100).unwrap();
        let row = |value: &[u8]| serde_json::from_slice::<Value>(value).unwrap();
        if rows.iter().any(|one| row(&one.value)["attempts"] == attempts) {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("nothing was postponed");
}

#[test]
fn t02_x37_an_invitation_arrives_with_a_link_below_our_own_url_that_opens_the_account() {
    let Some(mut server) = Server::start(&["--protection", "starttls", "--password", "open sesame"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "open sesame\n").unwrap();
    let file = file.display().to_string();
    let app = server.firm("starttls", &[("mail.username", "roster"), ("mail.password_file", &file)]);
    let ada = person(&app, "ada");
    let _ = mail_link(&app, ada, LinkPurpose::Invitation);
    let mail = server.next();
    assert_eq!((&mail["tls"], &mail["signed_in"]), (&true.into(), &true.into()), "{mail}");
    assert_eq!(mail["to"], serde_json::json!(["ada@acme.test"]));
    assert_eq!(mail["sender"], "roster@acme.test");
    let headers = &mail["headers"];
    assert_eq!(headers["subject"], "Your invitation to main", "{headers}");
    assert_eq!(headers["auto-submitted"], "auto-generated");
    assert!(headers["from"].as_str().unwrap().contains("roster@acme.test"));
    let key = MailedKey::parse(link_in(&mail, "invite")).unwrap();
    let looked = app.roster().look_at_link(&door(&app), &key, LinkPurpose::Invitation).unwrap();
    assert_eq!(looked.unwrap().person, ada);
    settled(&app);
}

#[test]
fn h06_saving_somebody_sends_them_how_to_sign_in_each_in_their_own_way() {
    let Some(mut server) = Server::start(&["--protection", "tls"]) else { return };
    let settings = [("sign_in.login_instructions", "true"), ("sign_in.method", "by-origin")];
    let app = server.firm("tls", &settings);
    let _ = local(&app).post("/Users", &body("grace")).expect(201);
    let mail = server.next();
    assert_eq!(mail["to"], serde_json::json!(["grace@acme.test"]));
    let key = MailedKey::parse(link_in(&mail, "invite")).unwrap();
    assert!(app.roster().look_at_link(&door(&app), &key, LinkPurpose::Invitation).unwrap().is_some());
    settled(&app);
    // Whom a provider provisions is told to go there.
    let _ = app.post("/Users", &body("ada")).expect(201);
    let mail = server.next();
    assert_eq!(mail["to"], serde_json::json!(["ada@acme.test"]));
    assert!(
        mail["plain"].as_str().unwrap().lines().any(|line| line == "https://roster.test/login?tenant=main"),
        "{mail}"
    );
    settled(&app);
    // Who has no address is sent nothing, and neither is anybody for what is changed later.
    let mut silent = body("silent");
    silent.as_object_mut().unwrap().remove("emails");
    let _ = app.post("/Users", &silent).expect(201);
    assert_eq!(letters_left(&app), 0);
}

#[test]
fn p05_a_reset_brings_a_link_and_what_is_typed_in_and_the_old_address_hears_of_a_change() {
    let Some(mut server) = Server::start(&[]) else { return };
    let app = server.firm("none", &[]);
    let ada = person(&app, "ada");
    set_password(&app, ada, HASH);
    assert_eq!(server.next()["headers"]["subject"], "Your password at main was changed");
    let made = mail_link(&app, ada, LinkPurpose::Reset);
    let mail = server.next();
    let key = MailedKey::parse(link_in(&mail, "password/reset")).unwrap();
    let code = made.code.as_ref().unwrap();
    assert!(mail["plain"].as_str().unwrap().lines().any(|line| line == code.as_str()), "{mail}");
    assert_eq!(app.roster().check_code(&door(&app), &key, code).unwrap(), Ok(()));
    let moved = replace("emails", serde_json::json!([{ "value": "ada@elsewhere.test", "primary": true }]));
    let _ = app.patch(&format!("/Users/{ada}"), &moved).expect(200);
    let mail = server.next();
    assert_eq!(mail["to"], serde_json::json!(["ada@acme.test"]), "the old one");
    assert_eq!(mail["headers"]["subject"], "Your address at main was changed");
    settled(&app);
}

#[test]
fn a_mail_that_is_not_taken_is_tried_again_and_one_that_never_will_be_is_given_up() {
    let Some(mut server) = Server::start(&["--later", "2", "--never", "nobody"]) else { return };
    let app = server.firm("none", &[]);
    let ada = person(&app, "ada");
    let _ = mail_link(&app, ada, LinkPurpose::MagicLink);
    for (attempts, seconds) in [(1, 10), (2, 20)] {
        assert_eq!(server.next()["refused"], "later");
        postponed(&app, attempts);
        app.clock().advance(seconds + 1);
    }
    assert_eq!(server.next()["to"], serde_json::json!(["ada@acme.test"]));
    settled(&app);
    let nobody = person(&app, "nobody");
    let _ = mail_link(&app, nobody, LinkPurpose::MagicLink);
    assert_eq!(server.next()["refused"], "never");
    settled(&app);
    let rows = said(&history(app.roster(), TenantId::new(1)));
    let (facts, _) = rows.last().unwrap();
    assert_eq!(facts.subject.unwrap().id, nobody);
    assert_eq!(facts.notes, ["magic-link after 1 attempts: the server answered 550"]);
}

#[test]
fn x61_what_a_mail_opens_does_not_lie_in_the_store_in_clear_while_it_waits_and_not_at_all_afterwards() {
    let Some(mut server) = Server::start(&["--later", "1"]) else { return };
    let app = server.firm("none", &[]);
    let ada = person(&app, "ada");
    set_password(&app, ada, HASH);
    assert_eq!(server.next()["refused"], "later");
    postponed(&app, 1);
    let made = mail_link(&app, ada, LinkPurpose::Reset);
    let _ = server.next();
    let again = mail_link(&app, person(&app, "bob"), LinkPurpose::Invitation);
    let all = || {
        let snapshot = app.roster().store().snapshot().unwrap();
        let spaces = (0..=255).map(Space);
        let rows =
            spaces.flat_map(|space| snapshot.small_range(TenantId::new(1), space, &[], None, 1000).unwrap());
        rows.map(|row| String::from_utf8_lossy(&row.value).into_owned()).collect::<String>()
    };
    // One waits to be tried again, the others were sent or are being sent.
    let kept = all();
    for secret in [&made.token, &again.token, made.code.as_ref().unwrap()] {
        let secret = secret.split_once('.').map_or(secret.as_str(), |(_, secret)| secret);
        assert!(!kept.contains(secret), "a secret lies in the store");
    }
    let _ = server.next();
    app.clock().advance(11);
    let _ = server.next();
    settled(&app);
}

fn server_at(port: u16, allow: &[&str], names: Arc<dyn Resolver>, protection: Protection) -> MailServer {
    let options = Options {
        allow: allow.iter().map(|one| Permit::parse(one).unwrap()).collect(),
        connect: Duration::from_secs(5),
        total: Duration::from_secs(5),
        roots: vec![],
        at_once_max: 1,
    };
    let net = Arc::new(Client::new(options, names).unwrap());
    MailServer::new(net, (HOST, port, protection), "roster@acme.test", None, Duration::from_secs(5)).unwrap()
}

fn refusal(server: &MailServer) -> String {
    let parts = Parts { subject: "x".to_owned(), plain: "x".to_owned(), html: "x".to_owned() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(server.send("ada@acme.test", "id", parts)) {
        Err(MailError::Later(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn x52_mails_go_where_requests_may_go_and_nowhere_else() {
    let names = Arc::new(Names::default());
    names.lead(HOST, &[&["10.0.0.1"]]);
    for protection in [Protection::Starttls, Protection::Tls, Protection::None] {
        let why = refusal(&server_at(25, &[], Arc::clone(&names) as Arc<dyn Resolver>, protection));
        assert!(why.contains("10.0.0.1, which is not public"), "{why}");
    }
    // In clear not even to a public address that nobody named.
    names.lead(HOST, &[&["93.184.216.34"]]);
    let why = refusal(&server_at(25, &[], Arc::clone(&names) as Arc<dyn Resolver>, Protection::None));
    assert!(why.contains("93.184.216.34"), "{why}");
}

#[test]
fn a_server_that_offers_no_tls_and_one_that_nobody_vouches_for_are_sent_nothing() {
    let Some(plain) = Server::start(&[]) else { return };
    let names = Arc::new(Names::default());
    names.lead(HOST, &[&["127.0.0.1"]]);
    let allow = |port: u16| format!("{HOST}:{port}");
    let at = |port: u16, protection| {
        server_at(port, &[&allow(port)], Arc::clone(&names) as Arc<dyn Resolver>, protection)
    };
    let why = refusal(&at(plain.port, Protection::Starttls));
    assert!(why.contains("does not offer STARTTLS"), "{why}");
    for (argument, protection) in [("starttls", Protection::Starttls), ("tls", Protection::Tls)] {
        let Some(server) = Server::start(&["--protection", argument]) else { return };
        let why = refusal(&at(server.port, protection));
        assert!(why.contains("no connection to the host"), "{why}");
    }
}

#[test]
fn what_was_slipped_in_before_tls_stands_is_not_taken_for_the_servers_word() {
    use std::io::{Read as _, Write as _};
    // Answers STARTTLS and sends more in clear with it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut read = [0_u8; 512];
        stream.write_all(b"220 mail.test\r\n").unwrap();
        let _ = stream.read(&mut read).unwrap();
        stream.write_all(b"250-mail.test\r\n250 STARTTLS\r\n").unwrap();
        let _ = stream.read(&mut read).unwrap();
        stream.write_all(b"220 go on\r\n250-mail.test\r\n250 AUTH PLAIN\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        rest
    });
    let names: Arc<dyn Resolver> = {
        let names = Names::default();
        names.lead(HOST, &[&["127.0.0.1"]]);
        Arc::new(names)
    };
    let why = refusal(&server_at(port, &[&format!("{HOST}:{port}")], names, Protection::Starttls));
    assert!(why.contains("no connection to the host"), "{why}");
    let heard = server.join().unwrap();
    assert!(!String::from_utf8_lossy(&heard).contains("MAIL FROM"), "nothing was said in clear");
}
