//! What the shipped plugins make of an identity provider's people, end to end (P17's path, R31): components of `plugins/dist` in the real daemon, SCIM
//! over HTTP, and a daemon that is killed before a member of a new group was mapped.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::home;
use crate::support::{Client, Request, TestDaemon};

const PSA: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
const PATIENCE: Duration = Duration::from_mins(1);

/// Puts the shipped plugins and a rate card into a home, with the settings for both.
fn furnish(home: &Path) {
    let folder = home.join("plugins");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("rates.csv"), "level,amount\nconsultant,62\nsenior,95.50\n").unwrap();
    let shipped = |name: &str| {
        let file = format!("{name}.wasm");
        let bytes =
            std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist").join(&file)).unwrap();
        std::fs::write(folder.join(&file), &bytes).unwrap();
        rosterd::roster::hex(&Sha256::digest(&bytes))
    };
    let (rates, types) = (shipped("cost-rate"), shipped("user-type-by-group"));
    let settings = format!(
        r#"
[plugin_host]
folder = '{}'
[[plugins]]
name = "cost-rate"
path = "cost-rate.wasm"
sha256 = "{rates}"
reads = ["title", "costRates"]
writes = ["costRates"]
[plugins.tables]
rates = "rates.csv"
[plugins.settings]
currency = "EUR"
default_level = "consultant"
levels = [{{ title = "Senior*", level = "senior" }}]
[[plugins]]
name = "user-type-by-group"
path = "user-type-by-group.wasm"
sha256 = "{types}"
reads = ["groups", "userTypes"]
writes = ["userTypes"]
[plugins.settings]
remove = true
rules = [{{ group = "PSA *", user_type = "Consultant" }}]
"#,
        folder.display()
    );
    std::fs::write(home.join("rosterd.toml"), settings).unwrap();
}

fn start(home: &Arc<TempDir>) -> TestDaemon {
    let file = home.path().join("rosterd.toml");
    TestDaemon::start_with(home, &[], |command| {
        command.arg("--config").arg(file);
    })
}

/// Returns what sends as the firm's own program, which sees money.
fn firm(daemon: &TestDaemon) -> String {
    let scopes = "users:read,users:write,groups:read,kinds:read,kinds:write,financials";
    let output =
        daemon.cli(&["token", "create", "--tenant", "main", "--connection", "local", "--scopes", scopes]);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let token = said.split_whitespace().find(|word| word.starts_with("rost_"));
    token.unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn send(client: &Client, method: &str, path: &str, body: &Value) -> Value {
    client
        .send(&Request::scim(method, path).json(body))
        .expect(if method == "POST" { 201 } else { 200 })
        .json()
}

fn read(firm: &Client, id: &str) -> Value {
    firm.send(&Request::scim("GET", &format!("/Users/{id}"))).expect(200).json()
}

#[test]
fn r31_people_of_a_provider_come_out_mapped_and_members_after_a_kill_too() {
    let home = home();
    furnish(home.path());
    let daemon = start(&home);
    let token = firm(&daemon);
    let local = daemon.client().with(&token);
    send(
        &local,
        "POST",
        "/UserTypes",
        &json!({ "schemas": ["urn:rosterd:scim:schemas:core:1.0:UserType"], "displayName": "Consultant" }),
    );
    // The record as Okta sends it.
    let okta = daemon.client();
    let ada = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ada@example.com", "externalId": "00u1", "active": true, "title": "Senior engineer",
        "name": { "givenName": "Ada", "familyName": "Byron" },
        "emails": [{ "primary": true, "value": "ada@example.com", "type": "work" }]
    });
    let id = send(&okta, "POST", "/Users", &ada)["id"].as_str().unwrap().to_owned();
    let mapped = read(&local, &id);
    let rates = mapped[PSA]["costRates"].as_array().unwrap_or_else(|| panic!("{mapped}"));
    assert_eq!(
        (rates.len(), &rates[0]["amount"], &rates[0]["currency"]),
        (1, &json!("95.50"), &json!("EUR"))
    );
    // The provider itself sees nothing of money, and sending the same again writes nothing.
    let seen = okta.send(&Request::scim("GET", &format!("/Users/{id}"))).expect(200);
    assert!(!seen.text().contains("95.50"), "{}", seen.text());
    let length = daemon.history_length();
    send(&okta, "PUT", &format!("/Users/{id}"), &ada);
    assert_eq!(daemon.history_length(), length);

    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "PSA Nordics", "members": [{ "value": id }]
    });
    send(&okta, "POST", "/Groups", &group);
    let file = home.path().join("rosterd.toml");
    let daemon = daemon.kill_and_restart_with(|command| {
        command.arg("--config").arg(file);
    });
    let local = daemon.client().with(&token);
    let patience = Instant::now() + PATIENCE;
    let mapped = loop {
        let found = read(&local, &id);
        if found[PSA]["userTypes"][0]["display"] == "Consultant" {
            break found;
        }
        assert!(Instant::now() < patience, "nobody was mapped again: {found}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(mapped[PSA]["userTypes"].as_array().unwrap().len(), 1);
    assert_eq!(mapped[PSA]["costRates"].as_array().unwrap().len(), 1);
    daemon.must_be_sound();
}
