//! Which folder a command means, and what it says when that cannot be.

use std::process::Command;

use super::{Site, rosterd, run};
use crate::support::TestDaemon;

/// Every command that speaks to a roster.
const COMMANDS: [&[&str]; 11] = [
    &["tenant", "create", "acme"],
    &["tenant", "list"],
    &["connection", "create", "okta", "--tenant", "main"],
    &["connection", "list"],
    &["token", "create", "--tenant", "main", "--connection", "idp"],
    &["token", "list"],
    &["token", "revoke", "01890000-0000-7000-8000-000000000000"],
    &["admin", "create", "ada", "--tenant", "main"],
    &["check"],
    &["audit", "verify"],
    &["audit", "export", "--tenant", "main"],
];

#[test]
fn a_mistyped_folder_is_named_and_nothing_is_made() {
    let home = tempfile::tempdir().unwrap();
    let empty = home.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for arguments in COMMANDS {
        for wrong in [home.path().join("typo"), home.path().join("no/such/parent"), empty.clone()] {
            let line = rosterd(&wrong, arguments).failed();
            assert!(line.starts_with(&format!("{}: ", wrong.display())), "{line}");
            for part in
                ["expected a data folder of rosterd, found none", "--data", "rosterd serve --data DIR"]
            {
                assert!(line.contains(part), "{line}");
            }
        }
    }
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn a_wrong_setting_is_named_by_every_command() {
    let home = tempfile::tempdir().unwrap();
    for arguments in COMMANDS {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
        command.args(arguments).current_dir(home.path()).env_clear().env("ROSTERD_DATA__DRI", "x");
        let line = run(&mut command).failed();
        assert_eq!(
            line,
            "variable ROSTERD_DATA__DRI: no setting has this variable; did you mean ROSTERD_DATA__DIR?"
        );
    }
}

#[test]
fn a_command_finds_the_daemon_by_the_folder_alone_however_that_is_named() {
    let site = Site::served();
    let listed = site.run(&["tenant", "list", "--json"]).done().out;
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
        command.args(["tenant", "list", "--json"]).env_clear();
        command
    };
    let toml = site.home.path().join("rosterd.toml");
    std::fs::write(&toml, format!("[data]\ndir = \"{}\"\n", site.data().display())).unwrap();
    for command in [
        program().env("ROSTERD_DATA__DIR", site.data()),
        program().env("ROSTERD_CONFIG", &toml),
        program().arg("--config").arg(&toml),
        program().current_dir(site.home.path()),
        program().args(["--data", "."]).current_dir(site.data()),
    ] {
        assert_eq!(run(command).done().out, listed);
    }
}

#[test]
fn r10_a_folder_whose_daemon_has_its_socket_elsewhere_is_in_use_and_the_holder_is_named() {
    let home = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let socket = home.path().join("elsewhere.sock");
    let daemon = TestDaemon::start_with(&home, &[], |command| {
        command.env("ROSTERD_ADMIN__SOCKET", &socket);
    });
    let line = rosterd(&daemon.data(), &["tenant", "list"]).failed();
    assert!(line.contains(&format!("in use by process {}", daemon.id())), "{line}");
    assert!(line.contains(daemon.data().to_str().unwrap()), "{line}");
    let mut told = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    told.args(["tenant", "list", "--data"])
        .arg(daemon.data())
        .env_clear()
        .env("ROSTERD_ADMIN__SOCKET", &socket);
    assert!(run(&mut told).done().out.contains("main"));
}
