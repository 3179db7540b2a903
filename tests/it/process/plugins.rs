//! R31, X56: a daemon with a plugin, from its start over reloads to what the command line says of it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::home;
use crate::plugins::guest::{ADD_COST_RATE, Guest, rate};
use crate::support::TestDaemon;
use crate::support::bodies::user;

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
fn the_list_says_that_a_plugin_without_sources_serves_every_provider_and_no_administrator() {
    let home = home();
    let component = rate();
    write(home.path(), &component, &sha256(&component));
    let daemon = start(&home);
    let (ok, out, err) = plugin(&daemon, &["list"]);
    assert!(ok && out.contains("every provider's, not local"), "{out}{err}");
    // What programs read is what the settings say.
    assert_eq!(listed(&daemon)["sources"], serde_json::json!([]));
}

#[test]
fn a_connection_that_there_is_not_is_warned_of_at_the_start_and_by_config_check() {
    let home = home();
    let component = rate();
    write(home.path(), &component, &sha256(&component));
    let file = home.path().join("rosterd.toml");
    let settings = std::fs::read_to_string(&file).unwrap()
        + "sources = [\"okta-prd\", \"main/idp\"]\n\
           [[people.authority]]\nconnection = \"entar\"\nwrites = [\"identity\"]\n\
           [[groups.map]]\nconnection = \"gogle\"\ndisplay_name = \"Leads\"\nuser_types = [\"Lead\"]\n";
    std::fs::write(&file, settings).unwrap();
    let mut daemon = start(&home);
    for name in ["okta-prd", "entar", "gogle"] {
        let line = daemon.until_said(name);
        assert!(line.contains("the settings name a connection that does not exist"), "{line}");
        assert!(line.contains("known=\"main/idp, main/local\""), "{line}");
    }
    let check = |daemon: &TestDaemon| {
        let output = daemon.cli(&["config", "check", "--config", file.to_str().unwrap()]);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "The settings are right.\n");
        text(&output.stderr)
    };
    assert_eq!(
        check(&daemon),
        "warning: people.authority: no tenant has a connection \"entar\", so nothing follows from it; there are: main/idp, main/local\n\
         warning: groups.map: no tenant has a connection \"gogle\", so nothing follows from it; there are: main/idp, main/local\n\
         warning: plugins.rates.sources: no tenant has a connection \"okta-prd\", so nothing follows from it; there are: main/idp, main/local\n"
    );
    // Whoever makes them hears no more of it.
    for name in ["okta-prd", "entar", "gogle"] {
        assert!(daemon.cli(&["connection", "create", name, "--tenant", "main"]).status.success());
    }
    assert_eq!(check(&daemon), "");
    // A folder at rest is not opened for it.
    daemon.terminate();
    assert_eq!(check(&daemon), "");
}

#[test]
fn a_change_is_explained_with_what_plugins_proposed_and_why_it_was_refused() {
    let home = home();
    // A currency that is none.
    let component = Guest::mapper().writes(&["costRates"]).does(|image| {
        let held = ["2026-03-01", "95.00", "XXQ"].into_iter().flat_map(|text| image.text(text)).collect();
        format!("(i32.const {})", image.changes(&[(ADD_COST_RATE, held)]))
    });
    write(home.path(), &component, &sha256(&component));
    let daemon = start(&home);
    drop(daemon.client().post("/Users", &user("ada")).expect(201));
    let output = daemon.cli(&["connection", "explain", &daemon.history_length().to_string()]);
    let said = String::from_utf8(output.stdout).unwrap();
    for part in [
        "  remark        plugin rates: 1 of 1 proposals were refused\n",
        "\nPlugins that were asked:\n  rates (map)\n    {\"add-cost-rate\":",
        "\"currency\":\"XXQ\"}}: refused: currency: ",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("leniency"), "{said}");
    // Nor is it one of those that the doctor would have the provider mend.
    let output = daemon.cli(&["connection", "doctor", "idp"]);
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(report.contains("1 people") && !report.contains("were refused"), "{report}");
}

#[test]
fn r29_config_check_loads_plugins_as_a_start_would() {
    let home = home();
    let component = rate();
    write(home.path(), &component, &sha256(&component));
    let file = home.path().join("rosterd.toml");
    let right = std::fs::read_to_string(&file).unwrap();
    let check = |settings: &str| {
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
        command.args(["config", "check", "--config"]).arg(&file).arg("--data").arg(home.path().join("data"));
        let output = command.env_clear().output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    assert_eq!(check(&right), (Some(0), "The settings are right.\n".to_owned(), String::new()));
    let (_, rates) = right.split_once("[[plugins]]").unwrap();
    let two = rates.replace("\"rates\"", "\"two\"").replace("rates.wasm", "rate.wasm");
    let wrong = format!("{right}[[plugins]]{two}").replacen("[\"costRates\"]", "[]", 1);
    let (code, out, err) = check(&wrong);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines.len(), 2, "{err}");
    assert!(
        lines[0].starts_with(
            "error: plugin rates: it wants to write costRates, which the configuration does not grant"
        ),
        "{err}"
    );
    assert!(
        lines[1].starts_with("error: plugin two: ")
            && lines[1].contains("rate.wasm: cannot be read: there is no such file"),
        "{err}"
    );
    let optional = right.replace("rates.wasm", "rate.wasm") + "required = false\nhooks = [\"map\"]\n";
    let (code, _, err) = check(&optional);
    assert!(
        code == Some(0) && err.starts_with("warning: plugin rates: ") && err.contains("it is not required"),
        "{err}"
    );
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
    for line in out.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let us = |name: &str| line[name].as_u64().unwrap();
        // No call of a component takes a microsecond: an instance is made, or at least one of its functions called with text.
        assert!(us("p50_us") > 1 && us("p50_us") <= us("p99_us") && us("p99_us") <= us("max_us"), "{line}");
    }
}
