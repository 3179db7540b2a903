//! The benchmark, on little and for moments: that every load does what it says, not how quickly.

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn bench(arguments: &[&str]) -> (tempfile::TempDir, Output) {
    let home = tempfile::tempdir().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_rosterd"))
        .args(["bench", "--turns", "1", "--seconds", "0.03", "--connections", "2", "--json", "-", "--data"])
        .arg(home.path())
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (home, ran)
}

fn figures(ran: &Output) -> Value {
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn every_load_of_the_benchmark_is_answered_as_it_expects_and_leaves_figures() {
    // More users than the smallest daemon has, so that there are two of them.
    let (home, ran) = bench(&["--users", "1100", "--members", "1050"]);
    let figures = figures(&ran);
    let rows = figures["rows"].as_array().unwrap();
    let measured: BTreeSet<&str> = rows.iter().map(|row| row["case"].as_str().unwrap()).collect();
    let loads: BTreeSet<&str> = measured.iter().map(|case| case.split(' ').next().unwrap()).collect();
    assert_eq!(loads, BTreeSet::from(["L1", "L10", "L2", "L3", "L4", "L5", "L6", "L7", "L8", "P19", "R25"]));
    // How many were answered within a moment is the machine's to say; that all were answered rightly was looked at by the run.
    assert!(rows.iter().map(|row| row["requests"].as_u64().unwrap()).sum::<u64>() > 0);
    assert!(rows.iter().all(|row| row["turns"].as_array().unwrap().len() == 1));
    for (case, figure) in [("L4 externalId eq", "users"), ("L8 full GET", "members")] {
        let mut found = rows.iter().filter(|row| row["case"] == case && row["who"] == "rosterd");
        assert!(found.all(|row| row[figure].as_u64().is_some_and(|count| count >= 1000)), "{case}");
    }
    let goals = figures["goals"].as_array().unwrap();
    let judged: BTreeSet<&str> = goals.iter().map(|goal| goal["row"].as_str().unwrap()).collect();
    let expected = ["P1", "P10", "P11", "P12", "P15", "P19", "P2", "P3", "P4", "P7", "P8", "P9", "R25"];
    assert_eq!(judged, BTreeSet::from(expected));
    let daemons: Vec<_> = figures["daemons"].as_array().unwrap().iter().map(|one| &one["users"]).collect();
    assert_eq!(daemons, [1000, 1100]);

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
