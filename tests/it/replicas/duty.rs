//! R16, R13: of two daemons on one database one delivers; when it is killed the other takes over, and nothing is missed. Who waits at one daemon for changes hears of those
//! that the other made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::outbox::crashes::settings;
use crate::outbox::feed::{ask, head, reader};
use crate::outbox::{Delivery, Receiver};
use crate::support::bodies::user;
use crate::support::ground::{self, lay, on_postgresql};
use crate::support::{Engine, TestApp, TestDaemon};

/// How many people each part of a test makes.
const PEOPLE: usize = 20;

/// How often each event came that is about somebody being made.
fn made(deliveries: &[Delivery]) -> BTreeMap<u64, usize> {
    let mut counted = BTreeMap::new();
    for delivery in deliveries.iter().filter(|one| one.what().contains("user")) {
        *counted.entry(delivery.seq()).or_default() += 1;
    }
    counted
}

#[test]
fn r16_r13_of_two_daemons_one_delivers_and_when_it_is_killed_the_other_goes_on() {
    let Some(_laid) = lay() else { return };
    let receiver = Receiver::willing();
    let homes = [0, 1].map(|_| Arc::new(tempfile::tempdir().unwrap()));
    let mut first = TestDaemon::start_with(&homes[0], &[], settings(homes[0].path(), receiver.port()));
    first.until_said("this daemon does what one does for all");
    ground::share(homes[0].path(), homes[1].path());
    let second = TestDaemon::start_with(&homes[1], &[], settings(homes[1].path(), receiver.port()));
    for number in 0..PEOPLE {
        let daemon = if number % 2 == 0 { &first } else { &second };
        let _ = daemon.client().post("/Users", &user(&format!("before-{number}"))).expect(201);
    }
    let came = receiver.until(|came| made(came).len() >= PEOPLE);
    assert!(made(&came).values().all(|times| *times == 1), "one daemon delivers: {:?}", made(&came));
    assert!(!second.said().contains("this daemon does what one does for all"));

    first.kill();
    let killed = Instant::now();
    for number in 0..PEOPLE {
        let _ = second.client().post("/Users", &user(&format!("after-{number}"))).expect(201);
    }
    let came = receiver.until(|came| made(came).len() >= 2 * PEOPLE);
    eprintln!("delivering again {:?} after the other daemon was killed", killed.elapsed());
    assert_eq!(made(&came).len(), 2 * PEOPLE);
    assert!(killed.elapsed() < Duration::from_secs(20), "{:?}", killed.elapsed());
    second.must_be_sound();
}

#[test]
fn r16_r13_a_reader_that_waits_at_one_daemon_is_woken_by_a_change_at_the_other() {
    on_postgresql(|| {
        let here = TestApp::on(Engine::Redb);
        let there = TestApp::beside(&here);
        let client = reader(&there, &["audit"]);
        let after = head(&client);
        let waiting = std::thread::spawn(move || {
            let since = Instant::now();
            let answer = ask(&client, &format!("?after={after}&wait_s=30"));
            (answer, since.elapsed())
        });
        let _ = here.post("/Users", &user("ada")).expect(201);
        let (answer, waited) = waiting.join().unwrap();
        let page = answer.expect(200).json();
        assert_eq!(page["events"].as_array().map(Vec::len), Some(1), "{page}");
        assert!(waited < Duration::from_secs(5), "{waited:?}");
    });
}
