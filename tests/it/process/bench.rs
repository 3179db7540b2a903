//! The benchmark, on little and for moments: that every load does what it says, not how quickly.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rosterd::store::postgres::server;
use serde_json::Value;

/// The plugins that are shipped.
const PLUGINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/dist");

fn bench(arguments: &[&str]) -> (tempfile::TempDir, Output) {
    let home = tempfile::tempdir().unwrap();
    // PostgreSQL does not run as root, and whom root runs it as must get to it.
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
    let ran = bench_in(home.path(), arguments);
    (home, ran)
}

fn bench_in(home: &Path, arguments: &[&str]) -> Output {
    let usual = [("--turns", "1"), ("--seconds", "0.03"), ("--connections", "2"), ("--steady", "0.1")];
    let usual = usual.into_iter().filter(|(name, _)| !arguments.contains(name));
    Command::new(env!("CARGO_BIN_EXE_rosterd"))
        .args(["bench", "--json", "-", "--data"])
        .arg(home)
        .args(usual.flat_map(|(name, value)| [name, value]))
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn figures(ran: &Output) -> Value {
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn every_load_of_the_benchmark_is_answered_as_it_expects_and_leaves_figures() {
    // More users than the smallest daemon has, so that there are two of them.
    let (home, ran) = bench(&["--users", "1100", "--members", "1050", "--plugins", PLUGINS]);
    let figures = figures(&ran);
    let rows = figures["rows"].as_array().unwrap();
    let measured: BTreeSet<&str> = rows.iter().map(|row| row["case"].as_str().unwrap()).collect();
    let mut loads: BTreeSet<&str> = measured.iter().map(|case| case.split(' ').next().unwrap()).collect();
    // Not every machine has PostgreSQL, nor does its account get to every folder; that is for a test of its own.
    assert!(loads.remove("P5") || figures["left_out"][0].as_str().unwrap().starts_with("P5 is left out:"));
    assert_eq!(
        loads,
        BTreeSet::from([
            "L1", "L10", "L2", "L3", "L4", "L5", "L6", "L7", "L8", "L9", "P14", "P17", "P19", "R25", "R30"
        ])
    );
    // How many were answered within a moment is the machine's to say; that all were answered rightly was looked at by the run.
    assert!(rows.iter().map(|row| row["requests"].as_u64().unwrap()).sum::<u64>() > 0);
    assert!(rows.iter().all(|row| row["turns"].as_array().unwrap().len() == 1));
    for (case, figure) in [("L4 externalId eq", "users"), ("L8 full GET", "members")] {
        let mut found = rows.iter().filter(|row| row["case"] == case && row["who"] == "rosterd");
        assert!(found.all(|row| row[figure].as_u64().is_some_and(|count| count >= 1000)), "{case}");
    }
    let goals = figures["goals"].as_array().unwrap();
    let mut judged: BTreeSet<&str> = goals.iter().map(|goal| goal["row"].as_str().unwrap()).collect();
    judged.remove("P5");
    let expected = [
        "P1", "P10", "P11", "P12", "P13", "P14", "P15", "P16", "P17", "P19", "P2", "P3", "P4", "P7", "P8",
        "P9", "R25", "R30",
    ];
    assert_eq!(judged, BTreeSet::from(expected));
    let daemons = figures["daemons"].as_array().unwrap().iter();
    let daemons: Vec<_> = daemons.map(|one| (&one["users"], one["beside"].as_str().unwrap())).collect();
    let thousand = Value::from(1000);
    let more = Value::from(1100);
    let expected = [(&thousand, ""), (&thousand, "providers that hang"), (&more, ""), (&more, "a plugin")];
    assert_eq!(daemons, expected);

    let told = String::from_utf8(ran.stderr).unwrap();
    for part in ["filling: 1100 users", "filling: a group of 1050 members", "L7 PUT, POST echo"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "its folder is removed");
}

#[test]
fn a_benchmark_of_one_load_makes_only_the_daemons_that_it_needs() {
    let (_home, ran) = bench(&["--only", "L6", "--users", "200"]);
    let figures = figures(&ran);
    let cases: Vec<_> = figures["rows"].as_array().unwrap().iter().map(|row| &row["case"]).collect();
    assert_eq!(cases, ["L6 PATCH active", "L6 PATCH active"]);
    assert_eq!(figures["daemons"].as_array().unwrap().len(), 1);
}

#[test]
fn an_open_loop_sends_what_is_due_and_says_how_late_it_was_itself() {
    let (_home, ran) = bench(&["--only", "L9", "--users", "200", "--rate", "100", "--steady", "0.5"]);
    let figures = figures(&ran);
    let rows = figures["rows"].as_array().unwrap();
    let of = |who: &str| rows.iter().find(|row| row["case"] == "L9 mixed, open loop" && row["who"] == who);
    let ours = of("rosterd").unwrap();
    // All that was due after warming up, however long it took.
    assert_eq!(ours["requests"], 50);
    let behind = &ours["sender_behind"];
    assert!(behind["p99_us"].as_f64().unwrap() <= behind["most_us"].as_f64().unwrap(), "{behind}");
    assert!(of("append + fdatasync").unwrap()["sender_behind"].is_null());
    assert!(figures["goals"].as_array().unwrap().iter().any(|goal| goal["row"] == "P13"));
}

#[test]
fn durable_creates_are_compared_with_postgresql_inserting_where_there_is_one() {
    if server::programs().is_none() {
        return;
    }
    let (home, ran) = bench(&["--only", "P5", "--users", "150"]);
    let figures = figures(&ran);
    let rows = figures["rows"].as_array().unwrap();
    let who: Vec<_> = rows.iter().map(|row| (&row["who"], &row["connections"], &row["users"])).collect();
    let row = |who| (Value::from(who), Value::from(2), Value::from(150));
    let expected = [row("PostgreSQL"), row("rosterd")];
    assert_eq!(who, expected.each_ref().map(|(who, clients, users)| (who, clients, users)));
    assert!(rows[0]["requests"].as_u64().unwrap() > 0 && rows[0]["p99_us"].as_f64().unwrap() > 0.0);
    assert!(figures["goals"].as_array().unwrap().iter().any(|goal| goal["row"] == "P5"));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "the server's folder is removed with it");
}

#[test]
fn a_load_for_which_something_is_missing_is_an_error_only_if_it_was_asked_for_by_name() {
    // So deep that no socket can be named there.
    let home = tempfile::tempdir().unwrap();
    let deep = home.path().join("d".repeat(100));
    std::fs::create_dir(&deep).unwrap();
    if server::programs().is_some() {
        let ran = bench_in(&deep, &["--only", "P5", "--users", "100"]);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(1), "{said}");
        assert!(said.contains("PostgreSQL: the name of its socket") && said.contains("--data"), "{said}");
        assert!(!said.contains("filling"), "it is said before anything is done: {said}");
    }
}

#[test]
fn a_first_synchronisation_is_measured_in_tenths() {
    let (_home, ran) = bench(&["--only", "P14", "--users", "200", "--turns", "2"]);
    let figures = figures(&ran);
    let rows = figures["rows"].as_array().unwrap();
    let counted: Vec<_> = rows.iter().map(|row| (&row["requests"], row["users"].as_u64())).collect();
    assert_eq!(counted, [(&Value::from(20), Some(200)), (&Value::from(20), Some(200))]);
    let goals = figures["goals"].as_array().unwrap().iter().filter(|goal| goal["row"] == "P14");
    assert!(goals.clone().any(|goal| goal["what"].as_str().unwrap().ends_with("by rate")));
    assert_eq!(goals.count(), 2);
}

#[test]
fn what_users_take_on_the_disk_and_how_long_they_take_to_open_is_measured() {
    let (home, ran) = bench(&["--only", "P16", "--users", "300", "--turns", "2"]);
    let figures = figures(&ran);
    let storage = &figures["storage"];
    let bytes = |name: &str| storage[name].as_u64().unwrap();
    assert!(bytes("raw_json_bytes") > 300 * 800 && bytes("raw_json_bytes") < 300 * 2_000, "{storage}");
    assert!(bytes("after_creates_bytes") > 0 && bytes("after_patches_bytes") > 0, "{storage}");
    for starts in ["after_stop", "after_kill"] {
        let starts = storage[starts].as_array().unwrap();
        assert_eq!(starts.len(), 2);
        assert!(starts.iter().all(|one| one["ready_ms"].as_f64().unwrap() > 0.0), "{storage}");
    }
    let goals = figures["goals"].as_array().unwrap().iter().filter(|goal| goal["row"] == "P16");
    assert_eq!(goals.count(), 6);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_plugin_s_part_of_a_create_is_measured_alone_and_in_bulk() {
    let (_home, ran) = bench(&["--only", "P17", "--users", "120", "--seconds", "0.3", "--plugins", PLUGINS]);
    let figures = figures(&ran);
    let rows = figures["rows"].as_array().unwrap();
    let cases: Vec<_> = rows.iter().map(|row| row["case"].as_str().unwrap()).collect();
    let expected = [
        "P17 create, no plugin",
        "P17 create, a plugin",
        "P17 50 creates in Bulk, no plugin",
        "P17 50 creates in Bulk, a plugin",
    ];
    assert_eq!(cases, expected);
    assert!(rows.iter().any(|row| row["requests"].as_u64().unwrap() > 0), "{rows:?}");
    let goals = figures["goals"].as_array().unwrap().iter().filter(|goal| goal["row"] == "P17");
    assert_eq!(goals.count(), 2);
    let beside: BTreeSet<_> =
        figures["daemons"].as_array().unwrap().iter().map(|one| one["beside"].as_str().unwrap()).collect();
    assert_eq!(beside, BTreeSet::from(["", "a plugin"]));
}

#[test]
fn without_the_shipped_plugins_one_is_told_how_to_name_them() {
    let (_home, ran) = bench(&["--only", "P17", "--users", "100", "--plugins", "/nowhere"]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("/nowhere/cost-rate.wasm") && said.contains("--plugins"), "{said}");
    assert!(!said.contains("filling"), "it is said before anything is done: {said}");
}

#[test]
fn the_gate_is_measured_while_identity_providers_hang() {
    let (_home, ran) = bench(&["--only", "R30", "--users", "110", "--seconds", "0.3"]);
    let figures = figures(&ran);
    let rows = figures["rows"].as_array().unwrap();
    let cases: Vec<_> = rows.iter().map(|row| row["case"].as_str().unwrap()).collect();
    assert_eq!(cases, ["R30 /auth/verify alone", "R30 /auth/verify while providers hang"]);
    assert!(rows.iter().any(|row| row["requests"].as_u64().unwrap() > 0), "{rows:?}");
    assert!(figures["goals"].as_array().unwrap().iter().any(|goal| goal["row"] == "R30"));
}

#[test]
fn daemons_can_keep_their_people_in_postgresql() {
    if server::programs().is_none() {
        return;
    }
    let loads = ["--engine", "postgres", "--only", "L1,L2,L3,L6,L7", "--users", "120"];
    let (home, ran) = bench(&loads);
    let figures = figures(&ran);
    assert_eq!(figures["run"]["engine"], "postgres");
    let rows = figures["rows"].as_array().unwrap();
    let ours = rows.iter().filter(|row| row["who"] == "rosterd");
    let loads: BTreeSet<_> = ours.map(|row| &row["case"].as_str().unwrap()[..2]).collect();
    assert_eq!(loads, BTreeSet::from(["L1", "L2", "L3", "L6", "L7"]));
    assert!(rows.iter().all(|row| row["who"] != "engine alone"));
    // A database that is there takes megabytes.
    assert!(figures["daemons"][0]["disk_bytes"].as_u64().unwrap() > 5_000_000, "{}", figures["daemons"]);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_load_that_needs_the_daemons_folders_cannot_run_on_a_database() {
    let (_home, ran) = bench(&["--engine", "postgres", "--only", "L2,P16", "--users", "100"]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("P16 needs daemons") && said.contains("L1") && !said.contains("filling"), "{said}");
}
