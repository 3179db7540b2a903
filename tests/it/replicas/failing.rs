//! R13: a database that goes away, and comes back; daemons that must not share one.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::support::bodies::user;
use crate::support::ground::{self, lay, on_postgresql};
use crate::support::{Request, TestDaemon, until};

#[test]
pub(super) fn r13_a_backend_that_is_ended_again_and_again_costs_no_acknowledged_write() {
    let Some(laid) = lay() else { return };
    let daemon = TestDaemon::start();
    let database = std::fs::read_to_string(daemon.home().join("database")).unwrap();
    let before = daemon.history_length();
    let client = daemon.client();
    let (made, other) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let client = client.clone();
                scope.spawn(move || {
                    let (mut made, mut other) = (vec![], vec![]);
                    for number in 0..60 {
                        let name = format!("w{writer}-n{number}");
                        let answer = client.post("/Users", &user(&name));
                        match answer.status {
                            201 => made.push(name),
                            503 => {
                                assert!(answer.header("retry-after").is_some());
                                other.push(name);
                            }
                            status => panic!("{status} {}", answer.text()),
                        }
                    }
                    (made, other)
                })
            })
            .collect();
        while !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            laid.ground.server.cut_all(&database);
            std::thread::sleep(Duration::from_millis(50));
        }
        let done: Vec<_> = writers.into_iter().map(|one| one.join().unwrap()).collect();
        let (made, other): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        (made.concat(), other.concat())
    });
    eprintln!("{} were made, {} answered 503", made.len(), other.len());
    until("ready", || daemon.admin().send(&Request::new("GET", "/readyz")).status == 200);
    let is_there = |name: &String| {
        let found = client.find("/Users", &format!("userName eq \"{name}\"")).expect(200);
        found.json()["totalResults"].as_u64().unwrap()
    };
    let landed = other.iter().map(is_there).sum::<u64>();
    assert!(made.iter().all(|name| is_there(name) == 1));
    assert!(made.len() > 100, "too few to show anything");
    assert_eq!(daemon.history_length() - before, made.len() + usize::try_from(landed).unwrap());
    daemon.must_be_sound();
}

#[test]
fn r27_r13_while_the_database_is_gone_requests_are_503_and_afterwards_all_goes_on() {
    let Some(laid) = lay() else { return };
    let daemon = TestDaemon::start();
    let client = daemon.client();
    let id = client.post("/Users", &user("ada")).expect(201).id();
    let ready = || daemon.admin().send(&Request::new("GET", "/readyz")).status;
    assert_eq!(ready(), 200);
    laid.ground.server.kill();
    until("not ready", || ready() == 503);
    for request in
        [Request::scim("GET", &format!("/Users/{id}")), Request::scim("POST", "/Users").json(&user("grace"))]
    {
        let answer = client.send(&request);
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(daemon.admin().send(&Request::new("GET", "/livez")).status, 200);
    laid.ground.server.run();
    until("ready again", || ready() == 200);
    let _ = client.get(&format!("/Users/{id}")).expect(200);
    let _ = client.post("/Users", &user("grace")).expect(201);
    daemon.must_be_sound();
}

#[test]
fn r13_a_daemon_with_another_key_does_not_share_the_store() {
    on_postgresql(|| {
        let first = TestDaemon::start();
        let other = tempfile::tempdir().unwrap();
        ground::share(first.home(), other.path());
        let mut command: Command = TestDaemon::command(other.path(), &[]);
        let own = other.path().join("own.key");
        std::fs::write(&own, format!("rosterd-seal-1:{}\n", "ab".repeat(32))).unwrap();
        std::fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        command.env("ROSTERD_DATA__SEAL_KEY_FILE", &own);
        let done = command.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains("holds another key") && said.contains("own.key"), "{said}");
    });
}

#[test]
fn r29_r13_what_is_wrong_with_a_database_is_said_in_a_sentence() {
    let Some(laid) = lay() else { return };
    let home = tempfile::tempdir().unwrap();
    let said = |change: &dyn Fn(&mut Command)| {
        let mut command = TestDaemon::command(home.path(), &[]);
        change(&mut command);
        let done = command.output().unwrap();
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let text = said(&|command| _ = command.env("ROSTERD_POSTGRES__DATABASE", "nowhere"));
    assert!(text.contains("CREATE DATABASE") && text.contains("nowhere"), "{text}");
    let text = said(&|command| _ = command.env("ROSTERD_POSTGRES__HOSTS", "127.0.0.1:1"));
    assert!(text.contains("cannot connect to") && text.contains("127.0.0.1:1"), "{text}");

    // A role that may do nothing, then one that may read, then one that may do what it needs.
    let database = laid.ground.server.database();
    laid.ground.server.tell(&database, "CREATE ROLE daemon LOGIN");
    std::fs::write(home.path().join("database"), &database).unwrap();
    let as_daemon = |command: &mut Command| _ = command.env("ROSTERD_POSTGRES__USER", "daemon");
    let text = said(&as_daemon);
    assert!(text.contains("rosterd store migrate") && text.contains("42501"), "{text}");
    let mut migrate = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    migrate.args(["store", "migrate"]).env_clear().envs(ground::variables(home.path()));
    for expected in ["Took 3 step", "are what this build expects"] {
        let done = migrate.output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success() && told.contains(expected), "{told}");
    }
    let text = said(&as_daemon);
    assert!(text.contains("GRANT USAGE ON SCHEMA rosterd TO daemon"), "{text}");
    laid.ground.server.tell(
        &database,
        "GRANT USAGE ON SCHEMA rosterd TO daemon; \
         GRANT SELECT ON ALL TABLES IN SCHEMA rosterd TO daemon",
    );
    let text = said(&as_daemon);
    assert!(text.contains("daemon may not read and write rosterd."), "{text}");
    laid.ground
        .server
        .tell(&database, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rosterd TO daemon");
    let folder = Arc::new(home);
    let daemon = TestDaemon::start_with(&folder, &[], as_daemon);
    let _ = daemon.client().post("/Users", &user("ada")).expect(201);
    drop(daemon);

    laid.ground.server.tell(&database, "INSERT INTO rosterd.migrations (step, name) VALUES (99, 'later')");
    let mut command = TestDaemon::command(folder.path(), &[]);
    let done = command.output().unwrap();
    let text = String::from_utf8_lossy(&done.stderr);
    assert!(text.contains("step 99") && text.contains("use the newer build"), "{text}");
}
