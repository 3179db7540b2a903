//! R15, R37: a daemon that dies while days have their effect. The effect and the mark that it is due are one write: nobody is missed, and nothing
//! happens to anybody twice.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rosterd::app::bootstrap::bootstrap;
use rosterd::app::{Rim, open_roster};
use rosterd::clock::FixedClock;
use rosterd::config::{Config, Environment, Sources};
use rosterd::ids::{Address, KindId, ResourceId};
use rosterd::roster::{Edges, Look, Looked, Roster};
use rosterd::store::failpoints::Point;
use rosterd::store::{Action, Facts, Seq};
use serde_json::json;
use tempfile::TempDir;

use super::{PATIENCE, home};
use crate::support::TestDaemon;

const PSA: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
/// People whose day has come by the clock of the machine.
const PEOPLE: usize = 40;

/// Opens the folder at an instant, and hands the roster over.
fn open<T>(home: &TempDir, now: &str, look: impl FnOnce(&Roster, &Config) -> T) -> T {
    let data = home.path().join("data");
    let sources =
        Sources::new(Environment::default()).flag("--data", "data.dir", data.to_str().unwrap().to_owned());
    let config = Config::load(&sources).unwrap();
    let rim = Rim { clock: Arc::new(FixedClock::at(now)), ..Rim::default() };
    let roster = open_roster(&config, &rim).unwrap();
    look(&roster, &config)
}

/// Makes a folder in which everybody's day is long past: half are to be let in and take a seat then, half to be locked and leave theirs.
fn long_due(home: &TempDir) -> Vec<ResourceId> {
    open(home, "2025-01-10T08:00:00Z", |roster, config| {
        bootstrap(roster, config, None).unwrap();
        let caller = roster.operator("main", roster.request_id()).unwrap();
        let make = |kind: KindId, body: serde_json::Value| {
            let kind = Arc::clone(caller.kinds().by_id(kind).unwrap());
            roster.create(&caller, &kind, body, Edges::NONE).unwrap().stored.at().id
        };
        let pool = json!({ "displayName": "Office", "seats": PEOPLE, "whenFull": "reject" });
        let pool = make(KindId::LICENSE_POOL, pool);
        let person = |number: usize| {
            let day = if number.is_multiple_of(2) { "activateOn" } else { "deactivateOn" };
            let psa = json!({ "license": { "value": pool.to_string() }, "schedule": { day: "2025-02-01" } });
            make(KindId::USER, json!({ "userName": format!("p{number}"), PSA: psa }))
        };
        (0..PEOPLE).map(person).collect()
    })
}

/// Returns how often each person's schedule had an effect by the history, and whether they are as it says.
fn effects(home: &TempDir, people: &[ResourceId]) -> Vec<usize> {
    // Before anybody was due: looking at it changes nothing.
    open(home, "2025-01-11T08:00:00Z", |roster, _| {
        let tenant = roster.operator("main", roster.request_id()).unwrap().tenant();
        let snapshot = roster.store().snapshot().unwrap();
        let of = |(number, id): (usize, &ResourceId)| {
            let rows = snapshot.history_since(tenant, *id, Seq::ZERO, 100).unwrap();
            let actions = rows.iter().map(|row| serde_json::from_slice::<Facts>(&row.facts).unwrap().action);
            let count = actions.filter(|action| *action == Action::Schedule).count();
            let stored = snapshot.get(tenant, Address::user(*id)).unwrap().unwrap();
            let (_, core) = stored.segments().next().unwrap();
            let active = serde_json::from_str::<serde_json::Value>(core).unwrap()["active"] == true;
            assert_eq!(
                active,
                (count > 0) == number.is_multiple_of(2),
                "{id}: the state and the history agree"
            );
            count
        };
        people.iter().enumerate().map(of).collect()
    })
}

/// Runs a daemon that dies at a point which it has passed so many times.
fn die_at(home: &TempDir, point: Point, spared: u64) {
    let mut command = TestDaemon::command(home.path(), &[]);
    command.env("ROSTERD_FAILPOINTS", format!("{}=crash@{spared}", point.name()));
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let by_itself = child.try_wait().unwrap().is_some();
    // There is nothing to kill if it has ended.
    let _ = child.kill();
    let ended = child.wait().unwrap();
    assert!(by_itself && !ended.success(), "{point:?}: it dies after {spared}, {ended}");
}

#[test]
fn r15_r37_a_daemon_killed_between_effects_and_marks_has_each_effect_once_and_misses_nobody() {
    for point in Point::OF_A_BATCH {
        let home = home();
        let people = long_due(&home);
        // Dies, and dies again further on, with so many writes done each time.
        // Opening the store writes and flushes as well.
        let spared = match point {
            Point::DiskWrite => [20, 24],
            Point::DiskFlush => [14, 18],
            _ => [9, 12],
        };
        let mut done = 0;
        for spared in spared {
            die_at(&home, point, spared);
            let counts = effects(&home, &people);
            assert!(counts.iter().all(|count| *count <= 1), "{point:?}: {counts:?}");
            let now: usize = counts.iter().sum();
            assert!(
                (done..PEOPLE).contains(&now),
                "{point:?}: it died in the middle, {now} done after {done}"
            );
            eprintln!("{point:?}: {now} done when it died after {spared}");
            done = now;
        }
        assert!(done > 0, "{point:?}: something was done before it died");
        let mut daemon = TestDaemon::start_with(&home, &[], |_| {});
        let line = daemon.until_said("schedules had their effect");
        assert!(line.contains(&format!("changed={} ", PEOPLE - done)), "{point:?}: the rest, {line}");
        daemon.kill();
        daemon.must_be_sound();
        assert_eq!(effects(&home, &people), [1; PEOPLE], "{point:?}");
        // No mark is left, and nothing follows from what was done.
        open(&home, "2027-01-10T08:00:00Z", |roster, _| {
            assert_eq!(roster.look_at_schedules(Look::Ahead, &|| true).unwrap(), Looked::default());
        });
        assert_eq!(effects(&home, &people), [1; PEOPLE], "{point:?}");
    }
}
