//! S42, S185: attributes of one's own that are unique, or found by an index; also when they become so with data stored.

use serde_json::{Value, json};

use super::{ACME, add, person, update};
use crate::support::bodies::{patch, replace, user};
use crate::support::{Client, TestApp, on_every_store};

fn total(client: &Client, filter: &str) -> Value {
    client.find("/Users", &format!("{ACME}:{filter}")).expect(200).json()["totalResults"].clone()
}

/// More people than a filter may read one by one would take long to make; a look at what the index answers is as good.
fn index_knows(app: &TestApp, attribute: &str) -> usize {
    let snapshot = app.roster().store().snapshot().unwrap();
    let tenant = rosterd::ids::TenantId::new(1);
    let people = snapshot.ids(tenant, rosterd::ids::KindId::USER, None, 0, 1000).unwrap();
    let keys = |id| {
        let stored = snapshot.get(tenant, rosterd::ids::Address::user(id)).unwrap().unwrap();
        let indexed = stored.index().filter(|(index, _)| index.0 == 17).count();
        indexed + stored.unique().filter(|(index, _)| index.0 == 18).count()
    };
    let known = people.into_iter().map(keys).sum();
    eprintln!("{attribute}: {known} keys");
    known
}

#[test]
fn s42_a_value_that_is_unique_is_taken_once() {
    on_every_store(|app| {
        let attributes = json!([
            { "name": "badge", "uniqueness": "server" }, { "name": "exact", "uniqueness": "server", "caseExact": true }, { "name": "number", "type": "integer", "uniqueness": "server" },
            { "name": "cards", "type": "complex", "multiValued": true, "subAttributes": [{ "name": "value", "uniqueness": "server" }] },
        ]);
        add(&app, ACME, &attributes, &["idp"]);
        let ada = app.post("/Users", &person("ada", ACME, json!({ "badge": "B-1", "exact": "x", "number": 7, "cards": [{ "value": "c1" }, { "value": "c2" }] })));
        let ada = format!("/Users/{}", ada.expect(201).id());
        for taken in [
            json!({ "badge": "b-1" }),
            json!({ "exact": "x" }),
            json!({ "number": 7 }),
            json!({ "cards": [{ "value": "c3" }, { "value": "C2" }] }),
        ] {
            let detail =
                app.post("/Users", &person("bob", ACME, taken.clone())).refused(409, Some("uniqueness"));
            assert!(detail.contains(ACME) && detail.contains("already in use"), "{detail}");
        }
        let bob = app
            .post("/Users", &person("bob", ACME, json!({ "badge": "B-2", "exact": "X", "number": 8 })))
            .expect(201)
            .id();
        let bob = format!("/Users/{bob}");
        app.patch(&bob, &replace(&format!("{ACME}:badge"), "B-1")).refused(409, Some("uniqueness"));
        app.put(&bob, &person("bob", ACME, json!({ "number": 7 }))).refused(409, Some("uniqueness"));
        assert_eq!(
            (total(&app, "badge eq \"B-1\""), total(&app, "number eq 8"), total(&app, "cards eq \"c2\"")),
            (json!(1), json!(1), json!(1))
        );
        // Given up, it is free.
        app.patch(&ada, &patch(&[json!({ "op": "remove", "path": format!("{ACME}:badge") })]))
            .expect(200)
            .json();
        app.patch(&bob, &replace(&format!("{ACME}:badge"), "B-1")).expect(200).json();
        assert_eq!(app.delete(&bob).status, 204);
        app.patch(&ada, &replace(&format!("{ACME}:badge"), "b-1")).expect(200).json();
    });
}

#[test]
fn s185_of_many_who_ask_for_a_unique_value_at_once_one_gets_it() {
    let app = TestApp::start();
    add(&app, ACME, &json!([{ "name": "badge", "uniqueness": "server" }]), &["idp"]);
    let clients: Vec<Client> = (0..8).map(|_| Client::clone(&app)).collect();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let ask = |(number, client): (usize, Client)| {
            scope.spawn(move || {
                client
                    .post("/Users", &person(&format!("user-{number}"), ACME, json!({ "badge": "B" })))
                    .status
            })
        };
        let asked: Vec<_> = clients.into_iter().enumerate().map(ask).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
}

#[test]
fn s185_an_index_answers_what_reading_each_record_would() {
    on_every_store(|app| {
        let plain = json!([{ "name": "text" }, { "name": "exact", "caseExact": true }, { "name": "level", "type": "integer" }, { "name": "since", "type": "dateTime" },
            { "name": "tags", "multiValued": true }, { "name": "desk", "type": "complex", "subAttributes": [{ "name": "value" }, { "name": "room" }] }]);
        let mut indexed = plain.clone();
        for attribute in indexed.as_array_mut().unwrap() {
            if attribute["name"] == "desk" {
                attribute["subAttributes"] =
                    json!([{ "name": "value", "indexed": true }, { "name": "room", "indexed": true }]);
            } else {
                attribute["indexed"] = true.into();
            }
        }
        add(&app, ACME, &plain, &["idp"]);
        let values = [
            json!({ "text": "Straße", "exact": "a", "level": 5, "since": "2026-01-01T00:00:00Z", "tags": ["x", "X", "y"], "desk": { "value": "v", "room": "1" } }),
            json!({ "text": "STRASSE", "exact": "A", "level": 6, "since": "2026-01-01T01:00:00+01:00", "tags": ["y"], "desk": { "room": "1" } }),
            json!({ "text": "x".repeat(2000), "level": 5, "since": "2026-01-01T00:00:00.000Z" }),
            json!({ "text": "y", "tags": ["z"] }),
        ];
        for (number, value) in values.iter().enumerate() {
            app.post("/Users", &person(&format!("user-{number}"), ACME, value.clone())).expect(201).json();
        }
        app.post("/Users", &user("nobody")).expect(201).json();
        let filters = [
            "text eq \"strasse\"".to_owned(),
            format!("text eq \"{}\"", "X".repeat(2000)),
            "text eq \"\"".into(),
            "exact eq \"a\"".into(),
            "level eq 5".into(),
            "level eq 5.0".into(),
            "level eq \"5\"".into(),
            "since eq \"2026-01-01T00:00:00Z\"".into(),
            "since eq \"2026-01-01\"".into(),
            "tags eq \"X\"".into(),
            "tags eq \"y\"".into(),
            "desk eq \"V\"".into(),
            "desk.room eq \"1\"".into(),
            "desk[room eq \"1\" and value eq \"v\"]".into(),
            "text eq null".into(),
            "text ne \"y\"".into(),
            "level gt 5".into(),
            "text sw \"s\"".into(),
            "text eq true".into(),
        ];
        let answers = || -> Vec<(u16, Value)> {
            let ask =
                |filter: &String| app.find("/Users", &format!("{ACME}:{filter}").replace(":desk[", ":desk["));
            filters
                .iter()
                .map(ask)
                .map(|answer| (answer.status, answer.json()["totalResults"].clone()))
                .collect()
        };
        let scanned = answers();
        assert_eq!(index_knows(&app, "before"), 0);
        assert_eq!(update(&app, ACME, &indexed).unwrap(), (2, 4));
        assert!(index_knows(&app, "after") > 12);
        assert_eq!(answers(), scanned);
        // And with the index given up again.
        assert_eq!(update(&app, ACME, &plain).unwrap(), (3, 0));
        assert_eq!(answers(), scanned);
    });
}

#[test]
fn s185_what_becomes_unique_is_compared_with_what_is_stored_and_indexed() {
    on_every_store(|app| {
        let (plain, unique) =
            (json!([{ "name": "badge" }]), json!([{ "name": "badge", "uniqueness": "server" }]));
        add(&app, ACME, &plain, &["idp"]);
        let people: Vec<String> = (0..230)
            .map(|number| {
                let value = json!({ "badge": format!("B-{}", number.min(227)) });
                app.post("/Users", &person(&format!("user-{number}"), ACME, value)).expect(201).id()
            })
            .collect();
        let refused = update(&app, ACME, &unique).unwrap_err();
        let expected =
            format!("badge: 2 resources have a value that another has as well, for instance {}", people[228]);
        assert!(refused.contains(&expected), "{refused}");
        // Nothing of it holds, and everything goes on.
        assert_eq!(index_knows(&app, "refused"), 0);
        app.patch(&format!("/Users/{}", people[228]), &replace(&format!("{ACME}:badge"), "B-0"))
            .expect(200)
            .json();
        assert_eq!(total(&app, "badge eq \"b-0\""), json!(2));
        for (at, value) in [(228, "new"), (229, "newer")] {
            app.patch(&format!("/Users/{}", people[at]), &replace(&format!("{ACME}:badge"), value))
                .expect(200)
                .json();
        }
        let before = app.get(&format!("/Users/{}", people[0])).expect(200).json();
        assert_eq!(update(&app, ACME, &unique).unwrap(), (2, 230));
        assert_eq!(index_knows(&app, "unique"), 230);
        let after = app.get(&format!("/Users/{}", people[0])).expect(200).json();
        assert_eq!(
            (&after[ACME], &after["meta"]["lastModified"]),
            (&before[ACME], &before["meta"]["lastModified"])
        );
        app.post("/Users", &person("late", ACME, json!({ "badge": "b-17" })))
            .refused(409, Some("uniqueness"));
        assert_eq!(total(&app, "badge eq \"B-17\""), json!(1));
    });
}
