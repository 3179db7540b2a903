//! R29, X65, R5: a start that cannot be ends soon, with a line that says why; one that can is ready soon.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::geteuid;

use crate::support::bodies::user;
use crate::support::{Request, TestDaemon};

/// Longest time for a refusal.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

/// Runs `rosterd serve` where it must not start, and returns its last line.
fn refused(home: &Path, change: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.arg("serve").env_clear().current_dir(home).stdin(Stdio::null());
    command.env("ROSTERD_SERVER__LISTEN", "127.0.0.1:0").env("ROSTERD_ADMIN__LISTEN", "127.0.0.1:0");
    change(&mut command);
    let before = Instant::now();
    let Output { status, stdout, stderr } = command.output().unwrap();
    let took = before.elapsed();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stdout.len()), (Some(1), 0), "{said}");
    assert!(took < REFUSED_WITHIN, "{took:?}: {said}");
    let last = said.lines().last().unwrap_or_else(|| panic!("ended without a word")).to_owned();
    assert!(last.starts_with("error: "), "{said}");
    assert!(!said.contains("is serving") && !said.contains("rost_"), "{said}");
    last
}

#[track_caller]
fn must_say(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "no {part:?} in: {line}");
    }
}

#[test]
fn r29_a_bad_file_is_named_with_line_and_key() {
    let home = tempfile::tempdir().unwrap();
    let with = |toml: &str| {
        std::fs::write(home.path().join("rosterd.toml"), toml).unwrap();
        refused(home.path(), |command| {
            command.args(["--data", "data", "--config", "rosterd.toml"]);
        })
    };
    must_say(&with("[server\n"), &["rosterd.toml:1", "not TOML"]);
    must_say(
        &with("\n[server]\nlistne = 1\n"),
        &["rosterd.toml:3: server.listne", "did you mean server.listen?"],
    );
    must_say(
        &with("[tokens]\nlifetime_days = 0\n"),
        &["rosterd.toml:2: tokens.lifetime_days", "expected 1 to 3650", "found 0"],
    );
    must_say(
        &with("[store]\nengine = \"sqlite\"\n"),
        &["rosterd.toml:2: store.engine", "\"redb\"", "found \"sqlite\""],
    );
    must_say(&with("[tls]\ncert_file = \"cert.pem\"\n"), &["tls.key_file", "set both, or none"]);
    must_say(
        &with("[tls]\ncert_file = \"c.pem\"\nkey_file = \"k.pem\"\n"),
        &["k.pem: tls.key_file: cannot be read"],
    );
    let missing = refused(home.path(), |command| {
        command.args(["--config", "nowhere.toml"]);
    });
    must_say(&missing, &["nowhere.toml", "cannot be read", "--config"]);
    assert!(!home.path().join("data").exists(), "a refused start leaves nothing behind");
}

#[test]
fn r29_a_bad_variable_or_flag_is_named() {
    let home = tempfile::tempdir().unwrap();
    let with = |name: &str, value: &str| {
        refused(home.path(), |command| {
            command.env(name, value);
        })
    };
    must_say(
        &with("ROSTERD_SERVER__LISTNE", "x"),
        &["variable ROSTERD_SERVER__LISTNE", "did you mean ROSTERD_SERVER__LISTEN?"],
    );
    must_say(
        &with("ROSTERD_STORE__QUEUE_MAX", "many"),
        &["variable ROSTERD_STORE__QUEUE_MAX", "store.queue_max", "found \"many\""],
    );
    let flag = refused(home.path(), |command| {
        command.args(["--listen", "8080"]);
    });
    must_say(&flag, &["flag --listen: server.listen", "such as 127.0.0.1:8080", "found \"8080\""]);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "a refused start leaves nothing behind");
}

#[test]
fn r29_a_data_folder_that_cannot_be_is_named() {
    let home = tempfile::tempdir().unwrap();
    let with = |dir: &str| {
        refused(home.path(), |command| {
            command.args(["--data", dir]);
        })
    };
    must_say(
        &with("no/such/parent"),
        &["no/such/parent: data.dir", "neither the folder nor its parent exists", "create it"],
    );
    std::fs::write(home.path().join("file"), "").unwrap();
    must_say(&with("file"), &["file: data.dir", "expected a folder, found a file"]);
    must_say(&with("file/below"), &["file/below: data.dir"]);
    std::fs::create_dir(home.path().join("newer")).unwrap();
    std::fs::write(home.path().join("newer/FORMAT"), "999").unwrap();
    must_say(&with("newer"), &["newer", "999", "use the newer build"]);
    std::fs::create_dir(home.path().join("lost")).unwrap();
    std::fs::write(home.path().join("lost/FORMAT"), "1").unwrap();
    must_say(&with("lost"), &["lost/roster.redb is missing", "restore a backup"]);
    std::fs::create_dir(home.path().join("damaged")).unwrap();
    std::fs::write(home.path().join("damaged/FORMAT"), "1").unwrap();
    std::fs::write(home.path().join("damaged/roster.redb"), [7; 9000]).unwrap();
    must_say(&with("damaged"), &["damaged/roster.redb"]);
}

#[test]
fn r29_a_read_only_folder_is_named() {
    if geteuid().is_root() {
        println!(
            "SKIPPED r29_a_read_only_folder_is_named: root writes everywhere; run the tests as another user"
        );
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let closed = home.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).unwrap();
    for dir in ["closed", "closed/below"] {
        must_say(
            &refused(home.path(), |command| {
                command.args(["--data", dir]);
            }),
            &["data.dir", "cannot be written"],
        );
    }
}

#[test]
fn r29_x12_a_port_in_use_is_named_and_the_first_token_is_not_used_up() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (name, key) in
        [("ROSTERD_SERVER__LISTEN", "server.listen"), ("ROSTERD_ADMIN__LISTEN", "admin.listen")]
    {
        let line = refused(home.path(), |command| {
            command.env(name, &address);
        });
        must_say(&line, &[key, &address, "choose another, or stop what is there"]);
    }
    // The token is still to come: the next start makes and shows it.
    let mut listed = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    let listed = listed
        .args(["tenant", "list", "--json", "--data", "data"])
        .env_clear()
        .current_dir(home.path())
        .output()
        .unwrap();
    assert_eq!((listed.status.code(), listed.stdout.len()), (Some(0), 0), "{listed:?}");
}

#[test]
fn r29_a_socket_that_cannot_be_is_named_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let with = |path: &str| {
        refused(home.path(), |command| {
            command.args(["--data", "data"]).env("ROSTERD_ADMIN__SOCKET", path);
        })
    };
    must_say(&with("no/such/admin.sock"), &["admin.socket", "no/such/admin.sock", "make the folder first"]);
    must_say(&with(&"a".repeat(108)), &["admin.socket", "107 bytes at most", "shorter"]);
}

#[test]
fn x65_plain_http_beyond_loopback_is_refused_without_a_proxy() {
    let home = tempfile::tempdir().unwrap();
    let with = |name: &str| {
        refused(home.path(), |command| {
            command.env("ROSTERD_SERVER__PUBLIC_URL", "https://scim.example.com").env(name, "0.0.0.0:0");
        })
    };
    for (name, key) in
        [("ROSTERD_SERVER__LISTEN", "server.listen"), ("ROSTERD_ADMIN__LISTEN", "admin.listen")]
    {
        must_say(&with(name), &[name, key, "0.0.0.0:0 is beyond loopback", "name the proxies"]);
    }
}

#[test]
fn r5_after_kill_9_it_is_ready_within_two_seconds() {
    let daemon = TestDaemon::start();
    for number in 0..200 {
        let _ = daemon.client().post("/Users", &user(&format!("user-{number}"))).expect(201);
    }
    let before = Instant::now();
    let daemon = daemon.kill_and_restart();
    let _ = daemon.client().send(&Request::new("GET", "/readyz")).expect(200);
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    assert_eq!(daemon.client().get("/Users?count=0").expect(200).json()["totalResults"], 200);
}
