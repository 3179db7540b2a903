//! A real browser at a certified provider: Chromium signs in, looks at its pages, and signs out (conformance/signin/browser.mjs). Skipped, loudly, where Node,
//! its packages or Chromium are missing. `ROSTERD_TEST_PICTURES=FOLDER` keeps the screenshots.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rosterd::clock::{Clock as _, SystemClock};
use rosterd::net::{Resolver, SystemResolver};
use serde_json::{Value, json};

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

/// The daemon as browsers find it on this machine, and the provider that knows it by that.
fn world() -> Result<(TestApp, Certified), String> {
    let names = Arc::new(Names::default());
    names.lead(HOST, &[&["127.0.0.1"]]);
    let now = SystemClock.now().to_string();
    // Under no other name than its address: cookies are taken over plain HTTP from loopback alone.
    let flags = [("server.public_url", "")];
    let probe = TestApp::with_file_and(&flags, "", &now, Arc::new(SystemResolver));
    let port = probe.daemon().public().port();
    drop(probe);
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
    let pictures =
        std::env::var_os("ROSTERD_TEST_PICTURES").map_or_else(|| folder.path().to_owned(), PathBuf::from);
    let ran = Command::new("node")
        .arg(home().join("browser.mjs"))
        .arg(program)
        .args([&format!("http://{}", app.daemon().public()), HOST])
        .arg(&pictures)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let said = |name: &str| found[name].as_str().unwrap().to_owned();
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

/// The one thing that a browser complains of: the status of the page for those who are not let in.
fn complaint_of_refusal() -> &'static str {
    "Failed to load resource: the server responded with a status of 403 (Forbidden)"
}
