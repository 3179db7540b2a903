//! R20: four clients on a few resources of the real program, which is killed again and again; what they saw is compared with a register.
//!
//! `checker` judges a history; here one is made.

mod checker;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

use serde_json::{Value, json};

use crate::support::bodies::{USER, replace, user};
use crate::support::{Answer, Client, Dice, Request, TestDaemon, encode, repeats};
use checker::{Event, Seen, State, Write, check};

const CLIENTS: usize = 4;
const RESOURCES: usize = 3;

/// The order of everything, across all clients.
static TICKS: AtomicU64 = AtomicU64::new(0);

fn tick() -> u64 {
    TICKS.fetch_add(1, Ordering::SeqCst)
}

fn version_in(tag: &str) -> u64 {
    tag.trim_start_matches("W/\"").trim_end_matches('"').parse().unwrap()
}

fn state_in(user: &Value) -> State {
    let text = |name: &str| user[name].as_str().map(str::to_owned);
    State { name: text("userName").unwrap(), title: text("title"), display: text("displayName") }
}

fn whole(answer: &Answer) -> (u64, State) {
    let body = answer.json();
    let version = version_in(&answer.etag());
    assert_eq!(version_in(body["meta"]["version"].as_str().unwrap()), version);
    (version, state_in(&body))
}

/// What a client knows: of each resource the last version that it saw, and the names that it had then and before.
struct Session<'a> {
    client: Client,
    dice: Dice,
    ids: &'a [String],
    known: BTreeMap<usize, (u64, String, String)>,
    name: String,
    written: usize,
    history: Vec<(usize, Event)>,
}

impl Session<'_> {
    /// Sends one request; false when the process is gone.
    fn step(&mut self) -> bool {
        let resource = self.dice.below(RESOURCES);
        let path = format!("/Users/{}", self.ids[resource]);
        match self.dice.below(8) {
            kind @ 0..=3 => self.write(resource, &path, kind),
            4 | 5 => self.read(resource, &path),
            age => self.look(resource, age == 7),
        }
    }

    fn write(&mut self, resource: usize, path: &str, kind: usize) -> bool {
        self.written += 1;
        let text = format!("{}-{}", self.name, self.written);
        let (request, write) = match kind {
            0 => (
                Request::scim("PUT", path)
                    .json(&json!({ "schemas": [USER], "userName": text, "title": text })),
                Write::Put { name: text.clone(), title: text },
            ),
            1 => (patch(path, "userName", &text), Write::Name(text)),
            2 => (patch(path, "title", &text), Write::Title(text)),
            _ => (patch(path, "displayName", &text), Write::Display(text)),
        };
        let given = self.known.get(&resource).map(|known| known.0).filter(|_| self.dice.once_in(2));
        let request = given
            .iter()
            .fold(request, |request, version| request.header("If-Match", format!("W/\"{version}\"")));
        let from = tick();
        let Ok(answer) = self.client.try_send(&request) else {
            self.note(resource, from, Seen::Unknown { write, given });
            return false;
        };
        let seen = match (answer.status, given) {
            (200, _) => {
                let (version, state) = whole(&answer);
                self.learn(resource, version, &state);
                Seen::Wrote { write, given, version, state }
            }
            (412, Some(given)) => {
                answer.refused(412, None);
                Seen::Stale { given }
            }
            _ => panic!("{write:?}: {} {}", answer.status, answer.text()),
        };
        self.note(resource, from, seen);
        true
    }

    fn read(&mut self, resource: usize, path: &str) -> bool {
        let given = self.known.get(&resource).map(|known| known.0).filter(|_| self.dice.once_in(2));
        let request = Request::scim("GET", path);
        let request = given
            .iter()
            .fold(request, |request, version| request.header("If-None-Match", format!("W/\"{version}\"")));
        let from = tick();
        let Ok(answer) = self.client.try_send(&request) else { return false };
        let seen = match (answer.status, given) {
            (200, _) => {
                let (version, state) = whole(&answer);
                assert_ne!(Some(version), given, "a version just received is known again");
                self.learn(resource, version, &state);
                Seen::Read { version, state: Some(state) }
            }
            (304, Some(version)) => Seen::Read { version, state: None },
            _ => panic!("{} {}", answer.status, answer.text()),
        };
        self.note(resource, from, seen);
        true
    }

    /// Looks a resource up by its name, or by one that it had.
    fn look(&mut self, resource: usize, old: bool) -> bool {
        let Some((_, now, before)) = self.known.get(&resource) else { return true };
        let name = if old { before } else { now }.clone();
        let filter = encode(&format!("userName eq \"{name}\""));
        let from = tick();
        let Ok(answer) = self.client.try_send(&Request::scim("GET", &format!("/Users?filter={filter}")))
        else {
            return false;
        };
        let list = answer.expect(200).json();
        let found = list["Resources"].as_array().unwrap();
        assert_eq!(list["totalResults"], found.len());
        let seen = match found.as_slice() {
            [] => Seen::Nobody { name },
            [one] => {
                assert_eq!(
                    (&one["id"], &one["userName"]),
                    (&json!(self.ids[resource]), &json!(name)),
                    "found by that name"
                );
                let version = version_in(one["meta"]["version"].as_str().unwrap());
                let state = state_in(one);
                self.learn(resource, version, &state);
                Seen::Read { version, state: Some(state) }
            }
            several => panic!("{name} is there {} times", several.len()),
        };
        self.note(resource, from, seen);
        true
    }

    fn learn(&mut self, resource: usize, version: u64, state: &State) {
        let before =
            self.known.get(&resource).map_or_else(|| state.name.clone(), |(_, name, _)| name.clone());
        self.known.insert(resource, (version, state.name.clone(), before));
    }

    fn note(&mut self, resource: usize, from: u64, seen: Seen) {
        self.history.push((resource, Event { from, to: tick(), seen }));
    }
}

fn patch(path: &str, attribute: &str, text: &str) -> Request {
    Request::scim("PATCH", path).json(&replace(attribute, text))
}

/// Lets the clients work until so many requests were answered, kills the process in the midst of it, and returns what everybody saw.
fn under_load(daemon: &mut TestDaemon, ids: &[String], round: usize, requests: usize) -> Vec<(usize, Event)> {
    let all = Mutex::new(Vec::new());
    let (answered, counted): (Sender<()>, _) = channel();
    let client = daemon.client();
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (client, answered, all) = (client.clone(), answered.clone(), &all);
            scope.spawn(move || {
                let seed = u64::try_from(round * CLIENTS + number).unwrap();
                let mut session = Session {
                    client,
                    dice: Dice::new(2_000 + seed),
                    ids,
                    known: BTreeMap::new(),
                    name: format!("r{round}-c{number}"),
                    written: 0,
                    history: Vec::new(),
                };
                while session.step() {
                    answered.send(()).unwrap();
                }
                all.lock().unwrap().append(&mut session.history);
            });
        }
        drop(answered);
        // Fewer come only when all clients have ended, which the test below would notice.
        let _ = counted.iter().take(requests).count();
        daemon.kill();
    });
    let gone = tick();
    let mut all = all.into_inner().unwrap();
    for (_, event) in &mut all {
        if matches!(event.seen, Seen::Unknown { .. }) {
            event.to = gone;
        }
    }
    all
}

#[test]
pub fn r20_what_four_clients_see_is_what_a_register_would_show_them_whenever_the_process_is_killed() {
    let mut dice = Dice::new(20);
    let mut daemon = TestDaemon::start();
    let mut history: Vec<(usize, Event)> = Vec::new();
    let mut ids = Vec::new();
    for resource in 0..RESOURCES {
        let from = tick();
        let made = daemon.client().post("/Users", &user(&format!("first-{resource}"))).expect(201);
        let (version, state) = whole(&made);
        history.push((resource, Event { from, to: tick(), seen: Seen::Made { version, state } }));
        ids.push(made.id());
    }
    for round in 0..repeats(10, 200) {
        history.extend(under_load(&mut daemon, &ids, round, 150 + dice.below(250)));
        daemon = daemon.kill_and_restart();
        // What is there now is what whoever comes next begins with.
        for (resource, id) in ids.iter().enumerate() {
            let from = tick();
            let (version, state) = whole(&daemon.client().get(&format!("/Users/{id}")).expect(200));
            history.push((
                resource,
                Event { from, to: tick(), seen: Seen::Read { version, state: Some(state) } },
            ));
        }
    }
    let count = |of: fn(&Seen) -> bool| history.iter().filter(|(_, event)| of(&event.seen)).count();
    let wrote = count(|seen| matches!(seen, Seen::Wrote { .. }));
    let nobody = count(|seen| matches!(seen, Seen::Nobody { .. }));
    let stale = count(|seen| matches!(seen, Seen::Stale { .. }));
    let unknown = count(|seen| matches!(seen, Seen::Unknown { .. }));
    assert!(
        wrote > 400 && nobody > 50 && stale > 50 && unknown > 0,
        "{wrote} writes, {nobody} found nobody, {stale} stale, {unknown} unknown: the test says little"
    );
    for resource in 0..RESOURCES {
        let events: Vec<Event> =
            history.iter().filter(|(of, _)| *of == resource).map(|(_, event)| event.clone()).collect();
        check(&events).unwrap_or_else(|what| panic!("resource {resource}, {} events: {what}", events.len()));
    }
    daemon.must_be_sound();
}
