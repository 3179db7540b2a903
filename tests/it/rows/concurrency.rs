//! R3, R4, R18, R19, W7: many at once, and nobody's change is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;

use serde_json::{Value, json};

use crate::support::bodies::{add_members, group, patch, replace, user};
use crate::support::world::{history, must_agree, said};
use crate::support::{Answer, Client, Dice, Engine, TestApp, on_every_store, repeats};

/// Lets clients do something at the same moment, each on a connection of its own.
fn at_once<T: Send>(client: &Client, many: usize, act: impl Fn(usize, &Client) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(many);
    std::thread::scope(|scope| {
        let spawn = |number| {
            let (client, start, act) = (client.clone(), &start, &act);
            scope.spawn(move || {
                // The connection and the credential are warm before the race begins.
                let _ = client.get("/Users?count=0").expect(200);
                start.wait();
                act(number, &client)
            })
        };
        let threads: Vec<_> = (0..many).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn counted(answers: &[Answer]) -> BTreeMap<u16, usize> {
    answers.iter().fold(BTreeMap::new(), |mut counts, answer| {
        *counts.entry(answer.status).or_default() += 1;
        counts
    })
}

#[test]
pub fn r3_of_sixteen_creates_of_one_name_in_any_case_one_succeeds() {
    on_every_store(|app| {
        for round in 0..5 {
            let answers = at_once(&app, 16, |number, client| {
                let name: String = format!("racer-{round}@acme.test")
                    .chars()
                    .enumerate()
                    .map(
                        |(at, letter)| {
                            if (number >> (at % 4)) & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
                        },
                    )
                    .collect();
                client.post("/Users", &user(&name))
            });
            assert_eq!(counted(&answers), BTreeMap::from([(201, 1), (409, 15)]));
            for lost in answers.iter().filter(|answer| answer.status == 409) {
                lost.refused(409, Some("uniqueness"));
            }
        }
        assert_eq!(must_agree(&app).users.len(), 5);
    });
}

#[test]
pub fn r3_of_eight_renames_onto_one_name_one_succeeds() {
    on_every_store(|app| {
        let ids: Vec<String> = (0..8)
            .map(|number| app.post("/Users", &user(&format!("user-{number}"))).expect(201).id())
            .collect();
        let answers = at_once(&app, 8, |number, client| {
            let name = if number % 2 == 0 { "wanted" } else { "WANTED" };
            client.patch(&format!("/Users/{}", ids[number]), &replace("userName", name))
        });
        assert_eq!(counted(&answers), BTreeMap::from([(200, 1), (409, 7)]));
        assert_eq!(must_agree(&app).users.len(), 8);
    });
}

#[test]
pub fn r4_ids_are_never_given_twice_and_versions_never_go_back() {
    let app = TestApp::start();
    let mut dice = Dice::new(4);
    let mut ever = BTreeSet::new();
    let mut alive: BTreeMap<String, (Value, u64)> = BTreeMap::new();
    let version = |answer: &Answer| -> u64 {
        answer.etag().trim_start_matches("W/\"").trim_end_matches('"').parse().unwrap()
    };
    for operation in 0..repeats(2_000, 10_000) {
        if dice.once_in(50) {
            app.clock().advance(-3600);
        }
        let known: Vec<String> = alive.keys().cloned().collect();
        if known.is_empty() || (known.len() < 40 && dice.once_in(3)) {
            // Some names come back after their holder has gone.
            let made = app.post("/Users", &user(&format!("user-{}", dice.below(100))));
            if made.status == 201 {
                assert!(
                    ever.insert(made.id()),
                    "operation {operation}: the id {} was given before",
                    made.id()
                );
                alive.insert(made.id(), (made.json(), version(&made)));
            } else {
                made.refused(409, Some("uniqueness"));
            }
            continue;
        }
        let id = dice.pick(&known).clone();
        let path = format!("/Users/{id}");
        let (before, last) = alive[&id].clone();
        if dice.once_in(8) {
            let _ = app.delete(&path).expect(204);
            alive.remove(&id);
            let _ = app.get(&path).expect(404);
            continue;
        }
        let value = format!("title-{}", dice.below(3));
        let after = match dice.below(3) {
            0 => app.patch(&path, &replace("title", value.as_str())),
            1 => app.put(&path, &json!({ "userName": before["userName"], "title": value })),
            _ => app.put(&path, &before),
        }
        .expect(200);
        let mut without_meta = (before.clone(), after.json());
        let now = version(&after);
        without_meta.0["meta"].take();
        without_meta.1["meta"].take();
        if without_meta.0 == without_meta.1 {
            assert_eq!((now, &after.json()), (last, &before), "operation {operation}: nothing changed");
        } else {
            assert!(now > last, "operation {operation}: version {now} after {last}");
            let modified = |value: &Value| {
                value["meta"]["lastModified"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap()
            };
            assert!(
                modified(&after.json()) >= modified(&before),
                "operation {operation}: lastModified went back"
            );
        }
        alive.insert(id, (after.json(), now));
    }
    assert_eq!(must_agree(&app).users.len(), alive.len());
}

#[test]
pub fn r18_eight_clients_patch_eight_attributes_of_one_person_and_every_change_survives() {
    const ATTRIBUTES: [&str; 8] = [
        "title",
        "nickName",
        "displayName",
        "userType",
        "locale",
        "timezone",
        "name.givenName",
        "name.familyName",
    ];
    const TIMES: usize = 100;
    on_every_store(|app| {
        let made = app.post("/Users", &user("ada")).expect(201);
        let path = format!("/Users/{}", made.id());
        let before =
            app.roster().store().snapshot().unwrap().head(rosterd::ids::TenantId::new(1)).unwrap().seq.0;
        at_once(&app, ATTRIBUTES.len(), |number, client| {
            for time in 1..=TIMES {
                let _ =
                    client.patch(&path, &replace(ATTRIBUTES[number], format!("value-{time}"))).expect(200);
            }
        });
        let after = app.get(&path).expect(200).json();
        for attribute in ATTRIBUTES {
            let pointer = format!("/{}", attribute.replace('.', "/"));
            assert_eq!(after.pointer(&pointer), Some(&json!(format!("value-{TIMES}"))), "{attribute}");
        }
        // The history knows each of the eight hundred, and each starts from what the one before it left.
        let rows = history(app.roster(), rosterd::ids::TenantId::new(1));
        let rows = said(&rows[usize::try_from(before).unwrap()..]);
        assert_eq!(rows.len(), ATTRIBUTES.len() * TIMES);
        let mut latest: BTreeMap<String, Option<Value>> = BTreeMap::new();
        for (_, values) in &rows {
            for change in &values.changes {
                let known = latest.entry(change.attribute.clone()).or_default();
                assert_eq!(&change.old, known, "{}", change.attribute);
                *known = change.new.clone();
            }
        }
    });
}

#[test]
pub fn r18_a_stale_if_match_changes_nothing() {
    on_every_store(|app| {
        let made = app.post("/Users", &user("ada")).expect(201);
        let path = format!("/Users/{}", made.id());
        let stale = made.etag();
        let answers = at_once(&app, 8, |number, client| {
            let body = replace("title", format!("by-{number}"));
            client.send(
                &crate::support::Request::scim("PATCH", &path).header("If-Match", stale.as_str()).json(&body),
            )
        });
        assert_eq!(counted(&answers), BTreeMap::from([(200, 1), (412, 7)]));
        let winner = answers.iter().find(|answer| answer.status == 200).unwrap();
        assert_eq!(app.get(&path).expect(200).json(), winner.json());
        answers.iter().filter(|answer| answer.status == 412).for_each(|lost| {
            lost.refused(412, None);
        });
    });
}

#[test]
fn r19_w7_sixteen_clients_add_a_thousand_members_each_to_one_group_and_all_are_there() {
    fill_one_group(&TestApp::on(Engine::Redb), 1000);
}

/// Fewer, because the memory store copies what it changes.
#[test]
pub fn r19_w7_sixteen_clients_fill_one_group_in_memory_and_all_are_there() {
    fill_one_group(&TestApp::on(Engine::Memory), 250);
}

fn fill_one_group(app: &TestApp, each: usize) {
    const CLIENTS: usize = 16;
    const PER_REQUEST: usize = 25;
    let people: Vec<Vec<String>> = at_once(app, CLIENTS, |client_number, client| {
        let make =
            |number| client.post("/Users", &user(&format!("c{client_number}-{number}"))).expect(201).id();
        (0..each).map(make).collect()
    });
    let crowd = app.post("/Groups", &group("crowd", &[])).expect(201).id();
    let path = format!("/Groups/{crowd}");
    at_once(app, CLIENTS, |number, client| {
        for batch in people[number].chunks(PER_REQUEST) {
            let ids: Vec<&str> = batch.iter().map(String::as_str).collect();
            let _ = client.patch(&path, &add_members(&ids)).expect(204);
            // Sent again, as a client does that lost the answer: no duplicate.
            let _ = client.patch(&path, &add_members(&ids[..1])).expect(204);
        }
    });
    let found = app.get(&path).expect(200).json();
    let found: Vec<String> = found["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["value"].as_str().unwrap().to_owned())
        .collect();
    let all: BTreeSet<String> = people.into_iter().flatten().collect();
    assert_eq!(found.len(), all.len());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), all);
}

/// Makes people a thousand at a time; returns their ids.
fn crowd_of(client: &Client, prefix: &str, many: usize) -> Vec<String> {
    let names: Vec<String> = (0..many).map(|number| format!("{prefix}-{number}")).collect();
    let made = names.chunks(1000).flat_map(|names| {
        let one =
            |name: &String| json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": user(name) });
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": names.iter().map(one).collect::<Vec<_>>()
        });
        let answer = client.post("/Bulk", &body).expect(200).json();
        let id = |made: &Value| made["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        answer["Operations"].as_array().unwrap().iter().map(id).collect::<Vec<_>>()
    });
    made.collect()
}

/// Fails unless a group has exactly these members, none twice, seen from the group and from each of a few members.
fn must_hold(client: &Client, path: &str, people: &[Vec<String>]) {
    let found = client.get(path).expect(200).json();
    let found: Vec<&str> =
        found["members"].as_array().unwrap().iter().map(|member| member["value"].as_str().unwrap()).collect();
    let all: BTreeSet<&str> = people.iter().flatten().map(String::as_str).collect();
    assert_eq!(found.len(), all.len());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), all);
    for id in people.iter().filter_map(|ids| ids.last()) {
        let person = client.get(&format!("/Users/{id}")).expect(200).json();
        assert!(path.ends_with(person["groups"][0]["value"].as_str().unwrap()), "{person}");
    }
}

#[test]
fn w7_two_patches_of_a_thousand_members_each_both_count_in_both_modes() {
    on_every_store(|app| {
        for (mode, connection) in [("auto", app.clone()), ("strict", app.strict())] {
            let halves = [0, 1].map(|half| crowd_of(&connection, &format!("{mode}-{half}"), 1000));
            let crowd = connection.post("/Groups", &group(&format!("crowd-{mode}"), &[])).expect(201).id();
            let path = format!("/Groups/{crowd}");
            let answers = at_once(&connection, 2, |half, client| {
                let ids: Vec<&str> = halves[half].iter().map(String::as_str).collect();
                client.patch(&path, &add_members(&ids))
            });
            assert_eq!(counted(&answers), BTreeMap::from([(204, 2)]));
            must_hold(&connection, &path, &halves);
        }
    });
}

#[test]
fn w7_sixty_four_clients_fill_one_group_at_once_and_no_member_is_lost() {
    push(64, 48, 8);
}

#[test]
fn w7_r19_twenty_thousand_members_pushed_in_parallel_batches_of_a_hundred_are_all_there() {
    push(16, 1250, 100);
}

/// Lets clients, each on a network connection of its own, push members into one group on the real engine; in both modes.
fn push(clients: usize, each: usize, batch: usize) {
    let app = TestApp::on(Engine::Redb);
    for (mode, client) in [("auto", app.clone()), ("strict", app.strict())] {
        let ids = crowd_of(&client, mode, clients * each);
        let people: Vec<Vec<String>> = ids.chunks(each).map(<[String]>::to_vec).collect();
        let crowd = client.post("/Groups", &group(mode, &[])).expect(201).id();
        let path = format!("/Groups/{crowd}");
        at_once(&client, clients, |number, client| {
            for ids in people[number].chunks(batch) {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                let _ = client.patch(&path, &add_members(&ids)).expect(204);
            }
        });
        must_hold(&client, &path, &people);
    }
}

#[test]
pub fn r3_a_member_deleted_while_it_is_added_leaves_no_edge_behind() {
    on_every_store(|app| {
        let crowd = app.post("/Groups", &group("crowd", &[])).expect(201).id();
        for round in 0..20 {
            let id = app.post("/Users", &user(&format!("user-{round}"))).expect(201).id();
            let answers = at_once(&app, 2, |number, client| match number {
                0 => client.patch(&format!("/Groups/{crowd}"), &add_members(&[&id])),
                _ => client.delete(&format!("/Users/{id}")),
            });
            assert_eq!(counted(&answers), BTreeMap::from([(204, 2)]));
        }
        let seen = must_agree(&app);
        assert_eq!(seen.users.len(), 0);
        assert_eq!(seen.groups[&crowd]["members"], json!([]));
    });
}

#[test]
fn s130_adds_and_removals_of_different_members_all_count() {
    on_every_store(|app| {
        let ids: Vec<String> = (0..32)
            .map(|number| app.post("/Users", &user(&format!("user-{number}"))).expect(201).id())
            .collect();
        let (stay, leave) = ids.split_at(16);
        let leavers: Vec<&str> = leave.iter().map(String::as_str).collect();
        let crowd = app.post("/Groups", &group("crowd", &leavers)).expect(201).id();
        let path = format!("/Groups/{crowd}");
        at_once(&app, 16, |number, client| {
            let both = patch(&[
                json!({ "op": "add", "path": "members", "value": [{ "value": stay[number] }] }),
                json!({ "op": "remove", "path": format!("members[value eq \"{}\"]", leave[number]) }),
            ]);
            let _ = client.patch(&path, &both).expect(204);
        });
        let found = app.get(&path).expect(200).json();
        let found: BTreeSet<&str> = found["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member["value"].as_str().unwrap())
            .collect();
        assert_eq!(found, stay.iter().map(String::as_str).collect());
    });
}
