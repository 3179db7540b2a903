//! R8, R27, R33: a disk that fails, a disk that is full, a store that panics; and the probes that say so.

use std::path::PathBuf;
use std::sync::Arc;

use super::home;
use crate::support::bodies::{replace, user};
use crate::support::{Answer, Request, TestDaemon, until};

/// A daemon whose store fails at a point while a file is there.
struct Failing {
    daemon: TestDaemon,
    switch: PathBuf,
}

impl Failing {
    fn start(point: &str) -> Self {
        let home = home();
        let switch = home.path().join("fails");
        let daemon = TestDaemon::start_with(&Arc::clone(&home), &[], |command| {
            command.env("ROSTERD_FAILPOINTS", format!("{point}?{}", switch.display()));
        });
        Self { daemon, switch }
    }

    fn fail(&self) {
        std::fs::write(&self.switch, "").unwrap();
    }

    fn heal(&self) {
        std::fs::remove_file(&self.switch).unwrap();
    }

    fn probe(&self, path: &str) -> Answer {
        self.daemon.client().send(&Request::new("GET", path))
    }

    fn until_ready(&self) {
        until("readiness", || self.probe("/readyz").status == 200);
    }
}

/// Goes from health through failure to health, and says what a write is answered meanwhile.
fn through(point: &str, word: &str, first: &[u16], later: u16) -> Failing {
    let failing = Failing::start(point);
    let client = failing.daemon.client();
    assert_eq!(
        (failing.probe("/livez").text().as_str(), failing.probe("/readyz").text().as_str()),
        ("alive", "ready")
    );
    let id = client.post("/Users", &user("before")).expect(201).id();
    let path = format!("/Users/{id}");
    let etag = client.get(&path).etag();

    failing.fail();
    let refused = client.post("/Users", &user("meanwhile"));
    assert!(first.contains(&refused.status), "{refused:?}");
    refused.refused(refused.status, None);
    for _ in 0..3 {
        let refused = client.patch(&path, &replace("title", "chief"));
        refused.refused(later, None);
        assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
        // Reads go on from what is durable, through every way there is.
        let read = client.get(&path).expect(200);
        assert_eq!((read.etag(), &read.json()["title"]), (etag.clone(), &serde_json::Value::Null));
        assert_eq!(client.find("/Users", "userName eq \"before\"").expect(200).json()["totalResults"], 1);
        assert_eq!(client.get("/Users").expect(200).json()["totalResults"], 1);
    }
    let probe = failing.probe("/readyz");
    assert_eq!((probe.status, &probe.json()["detail"]), (503, &word.into()));
    assert!(probe.header("retry-after").is_some());
    assert_eq!(failing.probe("/livez").status, 200, "alive needs nothing");
    assert_eq!(
        failing.daemon.admin().send(&Request::new("GET", "/readyz")).status,
        503,
        "the admin listener says the same"
    );
    assert_eq!(failing.daemon.metric("rosterd_store_writable"), 0);
    assert!(failing.daemon.until_said("the store stopped writing").contains("roster.redb"));

    failing.heal();
    failing.until_ready();
    assert_eq!(failing.daemon.metric("rosterd_store_writable"), 1);
    failing.daemon.until_said("the store writes again");
    let _ = client.patch(&path, &replace("title", "chief")).expect(200);
    let _ = client.post("/Users", &user("after")).expect(201);
    failing
}

/// Kills the daemon, and looks what is there after another start.
fn must_be_there_after_kill_9(failing: Failing) {
    // Without the variable, so on a disk that never fails.
    let daemon = failing.daemon.kill_and_restart();
    let client = daemon.client();
    for name in ["before", "after"] {
        let found = client.find("/Users", &format!("userName eq \"{name}\"")).expect(200).json();
        assert_eq!(found["totalResults"], 1, "{name} was acknowledged");
    }
    crate::support::world::must_agree(&client);
    daemon.must_be_sound();
}

#[test]
fn r8_r27_after_a_failed_flush_nothing_is_acknowledged_reads_go_on_and_writes_come_back() {
    must_be_there_after_kill_9(through("disk.flush=error", "store poisoned", &[500, 503], 503));
}

#[test]
fn r8_r27_after_a_failed_write_nothing_is_acknowledged_reads_go_on_and_writes_come_back() {
    must_be_there_after_kill_9(through("disk.write=error", "store poisoned", &[500, 503], 503));
}

#[test]
fn r7_r27_on_a_full_disk_writes_are_507_reads_go_on_and_writes_come_back() {
    must_be_there_after_kill_9(through("disk.write=full", "disk full", &[507], 507));
}

#[test]
fn r33_a_panic_in_the_store_costs_the_requests_of_its_batch_and_not_the_daemon() {
    let failing = through("disk.write=panic", "store poisoned", &[500, 503], 503);
    let line = failing.daemon.until_said("a thread panicked");
    assert!(line.contains("failpoints.rs") && line.contains("withheld"), "{line}");
    must_be_there_after_kill_9(failing);
}

#[test]
fn r8_a_store_that_cannot_write_can_be_stopped_and_stops_soon() {
    let mut failing = Failing::start("disk.flush=error");
    let client = failing.daemon.client();
    let _ = client.post("/Users", &user("before")).expect(201);
    failing.fail();
    assert!(client.post("/Users", &user("meanwhile")).status >= 500);
    let (status, said) = failing.daemon.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
}

#[test]
fn r27_readyz_is_red_while_draining() {
    let mut daemon = TestDaemon::start();
    let client = daemon.client();
    // A probe of which half has been sent keeps the drain open.
    let half = |stream: &mut std::net::TcpStream, text: &str| {
        std::io::Write::write_all(stream, text.as_bytes()).unwrap();
    };
    let mut probing = client.connect().unwrap();
    half(&mut probing, "GET /readyz HTTP/1.1\r\nHost: a\r\n");
    // The daemon has taken the connection when it counts it.
    until("a counted connection", || daemon.metric("rosterd_http_connections{listener=\"public\"}") >= 1);
    daemon.signal(rustix::process::Signal::TERM);
    daemon.until_said("draining");
    half(&mut probing, "\r\n");
    let answer = Answer::read_from(&probing).unwrap();
    assert_eq!((answer.status, &answer.json()["detail"]), (503, &"draining".into()));
    assert_eq!(daemon.ended().code(), Some(0));
}
