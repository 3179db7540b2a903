//! A real browser: Chromium signs in, looks at its pages, and signs out, at a certified provider (conformance/signin/browser.mjs) and by the firm's own means (own.mjs). Skipped, loudly,
//! where Node, its packages or Chromium are missing. `ROSTERD_TEST_PICTURES=FOLDER` keeps the screenshots.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rosterd::clock::{Clock as _, SystemClock};
use rosterd::net::{Resolver, SystemResolver};
use serde_json::{Value, json};

use crate::admin::support::Admin;
use crate::signin::certified::{Certified, home};
use crate::support::bodies::USER;
use crate::support::issuer::{HOST, Names};
use crate::support::{Request, TestApp};

/// Names of the program on Debian and elsewhere.
const PROGRAMS: [&str; 3] = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

fn program() -> Result<&'static Path, String> {
    if !home().join("node_modules/puppeteer-core").is_dir() {
        return Err("its packages are missing (npm ci --prefix conformance/signin)".to_owned());
    }
    let found = PROGRAMS.iter().map(Path::new).find(|path| path.exists());
    found.ok_or_else(|| "there is no Chromium (apt-get install chromium)".to_owned())
}

/// A port that is free.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The daemon as browsers find it on this machine, and the provider that knows it by that.
fn world() -> Result<(TestApp, Certified), String> {
    let names = Arc::new(Names::default());
    names.lead(HOST, &[&["127.0.0.1"]]);
    let now = SystemClock.now().to_string();
    // Under no other name than its address: cookies are taken over plain HTTP from loopback alone.
    let port = free_port();
    let home = format!("http://127.0.0.1:{port}");
    let certified = Certified::start(&format!("{home}/sso/okta/callback"))?;
    let listen = format!("127.0.0.1:{port}");
    let flags = [("server.public_url", ""), ("server.listen", listen.as_str())];
    let (secret, certificate) = (certified.root_file().with_file_name("secret"), certified.root_file());
    std::fs::write(&secret, certified.hello["secret"].as_str().unwrap()).unwrap();
    let (shown, kept) = (certificate.to_str().unwrap(), secret.to_str().unwrap());
    let mut text = String::new();
    let _ = write!(
        text,
        "[net]\nallow = [\"{HOST}:{}\"]\nca_file = {shown:?}\n[[identity_providers]]\nname = \"okta\"\ntenant = \"main\"\ntitle = \"Acme\"\n\
         issuer = {:?}\nclient_id = \"basic-rs\"\nclient_secret_file = {kept:?}\nconnection = \"idp\"\ndomains = [\"firm.example\"]\n",
        certified.hello["port"],
        certified.hello["issuer"].as_str().unwrap()
    );
    let app = TestApp::with_file_and(&flags, &text, &now, names as Arc<dyn Resolver>);
    Ok((app, certified))
}

#[test]
fn x43_t13_a_real_browser_signs_in_at_a_certified_provider_and_out_again() {
    let skipped = |why: String| eprintln!("!! SKIPPED: sign-in in a real browser was NOT tried: {why}");
    let program = match program() {
        Ok(program) => program,
        Err(why) => return skipped(why),
    };
    let (app, _certified) = match world() {
        Ok(world) => world,
        Err(why) => return skipped(why),
    };
    let body = json!({
        "schemas": [USER], "userName": "ada@firm.example", "externalId": "ada", "active": true,
        "displayName": "Ada <Lovelace>", "emails": [{ "value": "ada@firm.example", "primary": true }],
    });
    let ada = app.send(&Request::scim("POST", "/Users").json(&body)).expect(201).id();
    let folder = tempfile::tempdir().unwrap();
    let at = format!("http://{}", app.daemon().public());
    let found = visit("browser.mjs", program, &[&at, HOST, &pictures(folder.path())]);
    let said = |name: &str| found[name].as_str().unwrap().to_owned();
    assert_eq!(found["beforeSkip"], json!([]), "the first Tab leads to the link past the head");
    assert_eq!((said("skippedTo"), said("begins")), ("main".to_owned(), "address".to_owned()));
    assert!(said("signedIn").contains("Ada <Lovelace>") && said("signedIn").contains("by Acme"), "{found:#}");
    assert!(said("saved").contains("Your details are saved."), "{found:#}");
    assert!(said("second").contains("My account"), "{found:#}");
    assert_eq!(said("cookies"), "", "a script reads a cookie");
    assert!(said("afterwards").ends_with("/login?return_to=/me"), "{found:#}");
    assert!(said("byAddress").contains("Ada <Lovelace>"), "{found:#}");
    assert_eq!(found["overflows"], false, "the page is wider than a telephone");
    assert_eq!(found["complaints"], json!([complaint_of_refusal()]), "{found:#}");
    assert_eq!(found["violations"], json!([]), "{found:#}");
    let seen = app.send(&Request::scim("GET", &format!("/Users/{ada}"))).expect(200).json();
    assert_eq!(seen["phoneNumbers"][0]["value"], "+44 20 7946 0000");
}

/// Where pictures of the pages are kept.
fn pictures(folder: &Path) -> String {
    let kept = std::env::var_os("ROSTERD_TEST_PICTURES").map_or_else(|| folder.to_owned(), PathBuf::from);
    kept.to_str().unwrap().to_owned()
}

/// Has a script visit the daemon, and reads what it found.
fn visit(script: &str, program: &Path, arguments: &[&str]) -> Value {
    let mut node = Command::new("node");
    let ran =
        node.arg(home().join(script)).arg(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// A mail server that takes everything, and puts each mail into a file of its own.
fn mail_server(folder: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            stream.write_all(b"220 mail.test\r\n").unwrap();
            while lines.read_line(&mut line).unwrap_or(0) > 0 {
                let answer = match line.get(..4).unwrap_or_default() {
                    "DATA" => {
                        stream.write_all(b"354 go on\r\n").unwrap();
                        let mut mail = String::new();
                        while !mail.ends_with("\r\n.\r\n") && lines.read_line(&mut mail).unwrap() > 0 {}
                        // Under its name only when it is whole.
                        let kept = folder.join(format!("coming-{number}"));
                        // A point at the beginning of a line was doubled on its way (RFC 5321 §4.5.2).
                        std::fs::write(&kept, mail.replace("\r\n..", "\r\n.")).unwrap();
                        std::fs::rename(kept, folder.join(format!("mail-{}", number + 1))).unwrap();
                        "250 taken"
                    }
                    "QUIT" => "221 bye",
                    _ => "250 mail.test",
                };
                line.clear();
                if stream.write_all(format!("{answer}\r\n").as_bytes()).is_err() || answer == "221 bye" {
                    break;
                }
            }
        }
    });
    port
}

#[test]
fn t03_t04_h11_p07_a_real_browser_signs_in_by_password_second_factor_and_mailed_link() {
    const PASSWORD: &str = "marmalade for breakfast";
    let program = match program() {
        Ok(program) => program,
        Err(why) => {
            return eprintln!("!! SKIPPED: the firm's own means in a real browser were NOT tried: {why}");
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let mail = mail_server(folder.path().to_owned()).to_string();
    let listen = format!("127.0.0.1:{}", free_port());
    let flags = [
        ("server.public_url", ""),
        ("server.listen", listen.as_str()),
        ("mail.host", "127.0.0.1"),
        ("mail.port", mail.as_str()),
        ("mail.tls", "none"),
        ("mail.from", "roster@acme.test"),
    ];
    let now = SystemClock.now().to_string();
    let app = TestApp::with_file_and(&flags, "", &now, Arc::new(SystemResolver));
    let admin = Admin::of(&app, &["admin", "users:read", "users:write"]);
    let ada = json!({ "givenName": "Ada", "familyName": "<Lovelace>", "email": "ada@firm.example" });
    let ada = admin.post("/users", &ada).expect(201).json()["id"].as_str().unwrap().to_owned();
    let password = json!({ "password": PASSWORD, "passwordAgain": PASSWORD });
    let _ = admin.send("PUT", &format!("/users/{ada}/password"), Some(&password)).expect(204);
    let psa = json!({ "proxies": [{ "value": ada, "until": "9999-12-31" }] });
    let grace =
        json!({ "givenName": "Grace", "familyName": "Hopper", "email": "grace@firm.example", "psa": psa });
    let grace = admin.post("/users", &grace).expect(201).json()["id"].clone();
    let seconds = app.roster().current_time().as_second().to_string();
    let (at, mails) = (format!("http://{listen}"), folder.path().to_str().unwrap());
    let arguments = [&at, &pictures(folder.path()), mails, "ada@firm.example", PASSWORD, &seconds];
    let found = visit("own.mjs", program, &arguments);
    let said = |name: &str| found[name].as_str().unwrap().to_owned();
    let account = json!(format!("{at}/me"));
    assert!(said("refused").contains("not right") || said("refused").contains("did not work"), "{found:#}");
    assert_eq!(found["byPassword"]["url"], account, "{found:#}");
    assert!(found["byPassword"]["text"].as_str().unwrap().contains("ada@firm.example"), "{found:#}");
    assert_eq!(said("cookies"), "", "a script reads a cookie");
    let acting = &found["acting"];
    assert!(acting["text"].as_str().unwrap().contains("you act for them"), "{found:#}");
    assert_eq!((&acting["session"]["actingFor"], &found["afterActing"]["actingFor"]), (&grace, &Value::Null));
    assert_eq!((&found["recovery"], &found["half"]), (&json!(10), &json!(401)), "{found:#}");
    assert!(said("usedCode").contains("code"), "{found:#}");
    assert_eq!(
        (&found["byCode"]["url"], &found["byCode"]["session"]["method"]),
        (&account, &json!("password"))
    );
    assert!(said("asked").contains("Look at your mail"), "{found:#}");
    assert_eq!(
        (&found["byLink"]["url"], &found["byLink"]["session"]["method"]),
        (&account, &json!("magic-link"))
    );
    assert!(said("again").contains("This link is not good any more"), "{found:#}");
    assert_eq!(found["overflows"], false, "the page is wider than a telephone");
    let complaints: Vec<&str> =
        found["complaints"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let of_status = |one: &&str| one.contains("status of 403") || one.contains("status of 404");
    assert!(complaints.iter().all(of_status), "{found:#}");
    assert_eq!(found["violations"], json!([]), "{found:#}");
}

/// The one thing that a browser complains of: the status of the page for those who are not let in.
fn complaint_of_refusal() -> &'static str {
    "Failed to load resource: the server responded with a status of 403 (Forbidden)"
}
