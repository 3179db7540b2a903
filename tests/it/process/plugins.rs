//! R31, X56: a daemon with a plugin, from its start over reloads to what the command line says of it.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::home;
use crate::plugins::guest::{Guest, rate};
use crate::support::TestDaemon;

fn sha256(bytes: &[u8]) -> String {
    rosterd::roster::hex(&Sha256::digest(bytes))
}

/// Writes a component and the settings that name it.
fn write(home: &Path, component: &[u8], digest: &str) {
    let folder = home.join("plugins");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("rates.wasm"), component).unwrap();
    let settings = format!(
        "[plugin_host]\nfolder = '{}'\n[[plugins]]\nname = \"rates\"\npath = \"rates.wasm\"\nsha256 = \"{digest}\"\n\
         reads = [\"title\"]\nwrites = [\"costRates\"]\n",
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

/// Runs a command of `rosterd plugin`, and returns whether it went well and what it said.
fn plugin(daemon: &TestDaemon, command: &[&str]) -> (bool, String, String) {
    let config = daemon.home().join("rosterd.toml");
    let mut line = vec!["plugin"];
    line.extend(command);
    line.extend(["--config", config.to_str().unwrap()]);
    let output = daemon.cli(&line);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn listed(daemon: &TestDaemon) -> Value {
    let (ok, out, err) = plugin(daemon, &["list", "--json"]);
    assert!(ok, "{err}");
    serde_json::from_str(&out).unwrap()
}

#[test]
fn r31_a_reload_takes_a_good_plugin_and_leaves_everything_at_a_bad_one() {
    let home = home();
    let first = rate();
    write(home.path(), &first, &sha256(&first));
    let daemon = start(&home);
    assert_eq!(listed(&daemon)["sha256"], sha256(&first));
    assert_eq!(listed(&daemon)["state"], "loaded");
    // Another file than the settings mean.
    let second = Guest::mapper().does(|image| format!("(i32.const {})", image.changes(&[])));
    write(home.path(), &second, &sha256(&first));
    let (ok, _, err) = plugin(&daemon, &["reload"]);
    assert!(
        !ok && err.contains("expected the sha256") && err.contains("the old settings and plugins stay"),
        "{err}"
    );
    assert_eq!(listed(&daemon)["sha256"], sha256(&first));
    // The digest too.
    write(home.path(), &second, &sha256(&second));
    let (ok, out, err) = plugin(&daemon, &["reload"]);
    assert!(ok && out == "rates: loaded\n", "{out}{err}");
    assert_eq!(listed(&daemon)["sha256"], sha256(&second));
    assert_eq!(daemon.metric("rosterd_config_reload_failures_total"), 1);
}

#[test]
fn r31_a_daemon_whose_plugin_cannot_be_loaded_does_not_start() {
    let home = home();
    write(home.path(), b"cut off", &sha256(b"cut off"));
    let file = home.path().join("rosterd.toml");
    let output = TestDaemon::command(home.path(), &[]).arg("--config").arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("plugin rates: it is not a component that can be run"), "{said}");
    assert!(!said.contains("is serving"), "{said}");
}

#[test]
fn a_plugin_is_looked_at_asked_tested_and_measured_without_a_daemon() {
    let home = home();
    let component = rate();
    write(home.path(), &component, &sha256(&component));
    let daemon = start(&home);
    let file = home.path().join("plugins/rates.wasm");
    let file = file.to_str().unwrap();
    let (ok, out, err) = plugin(&daemon, &["check", file, "--json"]);
    let found: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    assert!(ok, "{err}");
    assert_eq!(found["sha256"], sha256(&component));
    assert_eq!(found["hooks"], serde_json::json!(["map"]));
    assert_eq!(found["writes"], serde_json::json!(["costRates"]));

    let user = home.path().join("user.json");
    std::fs::write(&user, r#"{"userName": "anna@example.com", "title": "Senior"}"#).unwrap();
    let (ok, out, err) = plugin(&daemon, &["run", "rates", "--user", user.to_str().unwrap()]);
    let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    assert!(ok, "{err}");
    assert_eq!(answer["changes"][0]["val"]["amount"], "95.00");
    assert!(answer["fuel"].as_u64().unwrap() > 0 && answer["fuel_max"] == 50_000_000, "{answer}");

    let vectors = home.path().join("vectors");
    std::fs::create_dir(&vectors).unwrap();
    let right = r#"{"title": "a rate", "expect": {"changes": [{"tag": "add-cost-rate", "val": {"startDate": "2026-03-01", "amount": "95.00", "currency": "EUR"}}]}}"#;
    std::fs::write(vectors.join("1.json"), right).unwrap();
    let (ok, out, err) = plugin(&daemon, &["test", file, vectors.to_str().unwrap()]);
    assert!(ok && out.contains("ok     a rate") && out.contains("1 vectors, 0 failed"), "{out}{err}");
    std::fs::write(vectors.join("2.json"), r#"{"title": "none", "expect": {"changes": []}}"#).unwrap();
    let report = home.path().join("report.xml");
    let (ok, out, err) =
        plugin(&daemon, &["test", file, vectors.to_str().unwrap(), "--junit", report.to_str().unwrap()]);
    assert!(!ok && out.contains("FAILED none"), "{out}{err}");
    assert!(std::fs::read_to_string(report).unwrap().contains("tests=\"2\" failures=\"1\""));

    let (ok, out, err) = plugin(&daemon, &["bench", "rates", "--calls", "20", "--json"]);
    assert!(ok && out.lines().count() == 2, "{out}{err}");
}
