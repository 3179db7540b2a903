//! R1b, R2, R37, X58: thirty times kill -9 under load. Nothing that was acknowledged is lost, every view agrees, and the history holds exactly
//! what was done.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use rosterd::store::failpoints::Point;
use serde_json::json;

use crate::support::bodies::{add_members, group, replace, user};
use crate::support::world::{Seen, must_agree};
use crate::support::{Client, Dice, Request, TestDaemon, repeats};

const WRITERS: usize = 8;

/// What one writer knows of one person it made.
#[derive(Debug, Default, Clone)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) id: Option<String>,
    pub(super) title: Option<String>,
    pub(super) joined: bool,
    pub(super) deleted: bool,
    /// The step that was on its way when the daemon died.
    pub(super) in_flight: Option<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Create,
    Title,
    Join,
    Delete,
}

#[test]
pub fn r1b_r2_x58_kill_9_under_eight_writers_loses_nothing_and_leaves_every_view_agreeing() {
    killed_again_and_again(Dice::new(11), "redb", repeats(30, 300));
}

#[test]
fn r1b_r2_kill_9_under_eight_writers_loses_nothing_on_sled_either() {
    killed_again_and_again(Dice::new(12), "sled", repeats(8, 300));
}

fn killed_again_and_again(mut dice: Dice, engine: &str, rounds: usize) {
    let on = |command: &mut Command| {
        command.env("ROSTERD_STORE__ENGINE", engine);
    };
    let home = Arc::new(tempfile::tempdir().unwrap());
    let mut daemon = TestDaemon::start_with(&home, &[], on);
    let crowd = daemon.client().post("/Groups", &group("crowd", &[])).expect(201).id();
    let mut people: Vec<Person> = Vec::new();
    let mut done = daemon.history_length();
    for round in 0..rounds {
        let made = under_load(&mut daemon, &crowd, round, 20 + dice.below(40));
        daemon = daemon.kill_and_restart_with(on);
        done += made.acknowledged;
        people.extend(made.people);
        done += nothing_is_lost(&daemon, &mut people, &crowd);
        assert_eq!(daemon.history_length(), done, "round {round}: changes, and entries of the history");
    }
    assert!(daemon.terminate().0.success());
}

#[test]
fn r37_a_crash_at_any_point_of_a_write_loses_nothing_that_was_acknowledged() {
    // Opening the store writes and flushes as well, and the tree at its opening; the crash is to come later.
    crashed_at_each(Point::all().map(|point| match point {
        Point::DiskWrite | Point::DiskFlush => (point, 300),
        Point::TreeBefore | Point::CommitBefore | Point::TreeAfter => (point, 2),
        _ => (point, 15),
    }));
}

/// The same for a store in a database, which begins and commits a few times until it is opened.
pub fn crashed_at_each_point_of_a_database() {
    crashed_at_each(Point::OF_A_DATABASE.map(|point| (point, 40)).into_iter());
}

fn crashed_at_each(points: impl Iterator<Item = (Point, u64)>) {
    let mut daemon = TestDaemon::start();
    let crowd = daemon.client().post("/Groups", &group("crowd", &[])).expect(201).id();
    let mut people: Vec<Person> = Vec::new();
    let mut done = daemon.history_length();
    for (round, (point, spared)) in points.enumerate() {
        daemon = daemon.kill_and_restart_with(|command| {
            command.env("ROSTERD_FAILPOINTS", format!("{}=crash@{spared}", point.name()));
            command.env("ROSTERD_STORE__JOURNAL_MIB", "1");
        });
        let made = under_load(&mut daemon, &crowd, round, usize::MAX);
        assert!(made.acknowledged > 0, "{point:?}: the daemon worked before it crashed");
        daemon = daemon.kill_and_restart();
        done += made.acknowledged;
        people.extend(made.people);
        done += nothing_is_lost(&daemon, &mut people, &crowd);
        assert_eq!(daemon.history_length(), done, "{point:?}: changes, and entries of the history");
    }
}

/// Looks at everybody after a crash; returns how many steps had been done whose answer never came.
pub(super) fn nothing_is_lost(daemon: &TestDaemon, people: &mut [Person], crowd: &str) -> usize {
    let seen = must_agree(&daemon.client());
    let landed =
        people.iter_mut().map(|person| settle(person, &seen, crowd)).filter(|landed| *landed).count();
    daemon.must_be_sound();
    landed
}

struct Made {
    people: Vec<Person>,
    acknowledged: usize,
}

/// Lets eight writers work until so many writes were acknowledged, or the daemon has ended by itself; then kills it in the middle of it.
fn under_load(daemon: &mut TestDaemon, crowd: &str, round: usize, writes: usize) -> Made {
    let people = Mutex::new(Vec::new());
    let (acknowledged, counted) = channel();
    let client = daemon.client();
    let count = std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (client, people, acknowledged) = (client.clone(), &people, acknowledged.clone());
            scope.spawn(move || {
                for number in 0.. {
                    let mut person =
                        Person { name: format!("r{round}-w{writer}-n{number}"), ..Person::default() };
                    let alive = live(&client, crowd, &mut person, number % 2 == 0, &acknowledged);
                    people.lock().unwrap().push(person);
                    if !alive {
                        return;
                    }
                }
            });
        }
        drop(acknowledged);
        let mut count = counted.iter().take(writes).count();
        daemon.kill();
        count += counted.iter().count();
        count
    });
    Made { people: people.into_inner().unwrap(), acknowledged: count }
}

/// A person's life: made, titled, a member, and half of them deleted. False when the daemon is gone.
fn live(client: &Client, crowd: &str, person: &mut Person, leaves: bool, acknowledged: &Sender<()>) -> bool {
    let step = |person: &mut Person, step: Step, request: Request, status: u16| {
        person.in_flight = Some(step);
        let Ok(answer) = client.try_send(&request) else { return None };
        assert_eq!(answer.status, status, "{}", answer.text());
        person.in_flight = None;
        acknowledged.send(()).unwrap();
        Some(answer)
    };
    let create = Request::scim("POST", "/Users").json(&user(&person.name));
    let Some(answer) = step(person, Step::Create, create, 201) else { return false };
    let id = answer.id();
    person.id = Some(id.clone());
    let path = format!("/Users/{id}");
    let title = Request::scim("PATCH", &path).json(&replace("title", "chief"));
    if step(person, Step::Title, title, 200).is_none() {
        return false;
    }
    person.title = Some("chief".to_owned());
    let join = Request::scim("PATCH", &format!("/Groups/{crowd}")).json(&add_members(&[&id]));
    if step(person, Step::Join, join, 204).is_none() {
        return false;
    }
    person.joined = true;
    if leaves {
        if step(person, Step::Delete, Request::scim("DELETE", &path), 204).is_none() {
            return false;
        }
        person.deleted = true;
    }
    true
}

/// Compares a person with what is seen after the crash; tells whether the step that was on its way had been done, and counts it as done from now on.
fn settle(person: &mut Person, seen: &Seen, crowd: &str) -> bool {
    let found = seen.users.values().find(|user| user["userName"] == person.name.as_str());
    let member_ids: BTreeSet<&str> = seen.groups[crowd]["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["value"].as_str().unwrap())
        .collect();
    let landed = match (person.in_flight.take(), found) {
        (None, _) => false,
        (Some(Step::Create), found) => {
            person.id = found.map(|user| user["id"].as_str().unwrap().to_owned());
            person.id.is_some()
        }
        (Some(Step::Title), found) => {
            person.title = found.unwrap()["title"].as_str().map(str::to_owned);
            person.title.is_some()
        }
        (Some(Step::Join), found) => {
            person.joined = member_ids.contains(found.unwrap()["id"].as_str().unwrap());
            person.joined
        }
        (Some(Step::Delete), found) => {
            person.deleted = found.is_none();
            person.deleted
        }
    };
    match (&person.id, person.deleted) {
        (Some(id), false) => {
            let user = &seen.users[id];
            assert_eq!(user["userName"], person.name.as_str());
            assert_eq!(
                user.get("title"),
                person.title.as_ref().map(|title| json!(title)).as_ref(),
                "{person:?}"
            );
            assert_eq!(member_ids.contains(id.as_str()), person.joined, "{person:?}");
        }
        _ => assert_eq!(found, None, "{person:?}"),
    }
    landed
}
