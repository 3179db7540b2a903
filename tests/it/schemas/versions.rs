//! S185: versions. What is stored never becomes invalid by a change of its schema.

use std::sync::atomic::{AtomicBool, Ordering};

use rosterd::roster::{Command, Reply};
use rosterd::store::Action;
use serde_json::{Value, json};

use super::{ACME, add, document, person, update};
use crate::support::bodies::{patch, replace, user};
use crate::support::{TestApp, on_every_store, world};

fn refused(app: &TestApp, command: Command) -> String {
    app.roster().operate(command, app.roster().request_id()).unwrap_err().to_string()
}

fn list(app: &TestApp) -> Value {
    let Reply::Schemas { schemas } = app.operate(Command::SchemaList { tenant: None }) else { panic!() };
    serde_json::to_value(schemas).unwrap()
}

fn remove(app: &TestApp, id: &str) -> Result<Reply, String> {
    let command = Command::SchemaRemove { tenant: "main".into(), id: id.into() };
    app.roster().operate(command, app.roster().request_id()).map_err(|error| error.to_string())
}

#[test]
fn s185_a_version_may_add_and_relax_and_every_version_is_kept() {
    on_every_store(|app| {
        let first = json!([{ "name": "code", "required": true, "canonicalValues": ["a"], "closed": true }]);
        let second = json!([{ "name": "code", "canonicalValues": ["a", "b"], "closed": true, "description": "now with b" }, { "name": "more" }]);
        add(&app, ACME, &first, &["idp"]);
        let id = app.post("/Users", &person("ada", ACME, json!({ "code": "a" }))).expect(201).id();
        let path = format!("/Users/{id}");
        app.patch(&path, &replace(&format!("{ACME}:more"), "x"));
        assert_eq!(app.get(&path).expect(200).json()[ACME], json!({ "code": "a" }));
        assert_eq!(update(&app, ACME, &second), Ok((2, 0)));
        assert_eq!(update(&app, ACME, &second), Ok((2, 0)), "what says the same is no new version");
        assert_eq!(
            app.patch(&path, &replace(&format!("{ACME}:more"), "x")).expect(200).json()[ACME],
            json!({ "code": "a", "more": "x" })
        );
        app.patch(&path, &replace(&format!("{ACME}:code"), "b")).expect(200).json();
        let row = &list(&app)[0];
        assert_eq!(
            (&row["version"], &row["attributes"], &row["connections"], &row["extends"], &row["building"]),
            (&json!(2), &json!(2), &json!(["idp"]), &json!("User"), &json!(false))
        );
        let show = |version| {
            let shown =
                app.operate(Command::SchemaShow { tenant: "main".into(), id: ACME.to_uppercase(), version });
            let Reply::Document { document } = shown else { panic!() };
            document
        };
        assert_eq!(
            (&show(Some(1))["attributes"][0]["required"], &show(Some(2))),
            (&json!(true), &show(None))
        );
        let command = Command::SchemaShow { tenant: "main".into(), id: ACME.into(), version: Some(3) };
        assert!(refused(&app, command).contains("has no version 3; the last is 2"));
        // Who and when is in the history.
        let rows = world::history(app.roster(), rosterd::ids::TenantId::new(1));
        let said = world::said(&rows);
        let of = |action| said.iter().filter(|(facts, _)| facts.action == action).count();
        assert_eq!((of(Action::SchemaAdd), of(Action::SchemaUpdate)), (1, 1));
    });
}

#[test]
fn s185_what_is_in_use_can_be_neither_removed_nor_retyped_nor_tightened() {
    on_every_store(|app| {
        let base = json!([
            { "name": "code", "canonicalValues": ["a", "b"], "closed": true }, { "name": "level" }, { "name": "unused" },
            { "name": "desk", "type": "complex", "subAttributes": [{ "name": "room" }, { "name": "floor" }] }
        ]);
        add(&app, ACME, &base, &["idp"]);
        let ids: Vec<String> = ["ada", "bob"]
            .map(|name| {
                app.post(
                    "/Users",
                    &person(name, ACME, json!({ "code": "a", "level": "1", "desk": { "room": "1" } })),
                )
                .expect(201)
                .id()
            })
            .to_vec();
        app.post("/Users", &user("eve")).expect(201).json();
        let but = |at: usize, attribute: Value| {
            let mut changed = base.clone();
            changed[at] = attribute;
            changed
        };
        for (at, attribute, said) in [
            (0, json!({ "name": "other" }), "code is removed: 2 resources have a value of it, for instance "),
            (
                0,
                json!({ "name": "code", "canonicalValues": ["b"], "closed": true }),
                "code takes fewer values: 2 resources",
            ),
            (
                1,
                json!({ "name": "level", "type": "integer" }),
                "level changes its type from string to integer: 2 resources",
            ),
            (1, json!({ "name": "level", "multiValued": true }), "level becomes a list: 2 resources"),
            (1, json!({ "name": "level", "returned": "never" }), "level is no longer returned: 2 resources"),
            (
                2,
                json!({ "name": "unused", "required": true }),
                "unused becomes required: 2 resources have values of this schema",
            ),
            (
                3,
                json!({ "name": "desk", "type": "complex", "subAttributes": [{ "name": "floor" }] }),
                "desk.room is removed: 2 resources",
            ),
        ] {
            let refused = update(&app, ACME, &but(at, attribute)).unwrap_err();
            assert!(refused.contains(said) && refused.contains(&ids[0]), "{refused}");
            assert!(refused.contains("clear those values first"), "{refused}");
        }
        // Several at once are told at once, and what is not in use may go.
        let none = update(&app, ACME, &json!([{ "name": "new" }])).unwrap_err();
        assert_eq!(none.lines().filter(|line| line.contains("is removed")).count(), 3, "{none}");
        assert_eq!(update(&app, ACME, &but(2, json!({ "name": "unused", "type": "integer" }))), Ok((2, 0)));
        let mut leaner = base.clone();
        leaner.as_array_mut().unwrap().remove(2);
        leaner[2]["subAttributes"] = json!([{ "name": "room" }]);
        assert_eq!(update(&app, ACME, &leaner), Ok((3, 0)));
        // Writing goes on after each refusal; and once nobody has a value it may go as well.
        for id in &ids {
            let path = format!("/Users/{id}");
            app.patch(&path, &patch(&[json!({ "op": "remove", "path": format!("{ACME}:level") })]))
                .expect(200)
                .json();
        }
        leaner[1] = json!({ "name": "level", "type": "integer", "required": false });
        assert_eq!(update(&app, ACME, &leaner), Ok((4, 0)));
        app.patch(&format!("/Users/{}", ids[0]), &replace(&format!("{ACME}:level"), 7)).expect(200).json();
    });
}

#[test]
fn s185_a_schema_is_removed_when_nobody_carries_it_and_goes_on_counting_when_it_comes_back() {
    on_every_store(|app| {
        add(&app, ACME, &json!([{ "name": "code" }]), &["idp"]);
        let path = format!(
            "/Users/{}",
            app.post("/Users", &person("ada", ACME, json!({ "code": "a" }))).expect(201).id()
        );
        assert!(
            remove(&app, ACME).unwrap_err().contains("it is removed: 1 resource has values of this schema")
        );
        // Taken from everybody it is in use all the same.
        app.operate(Command::SchemaTake {
            tenant: "main".into(),
            id: ACME.into(),
            connections: vec!["idp".into()],
        });
        assert!(remove(&app, ACME).is_err());
        app.operate(Command::SchemaGive {
            tenant: "main".into(),
            id: ACME.into(),
            connections: vec!["idp".into()],
        });
        app.put(&path, &user("ada")).expect(200).json();
        remove(&app, &ACME.to_uppercase()).unwrap();
        assert_eq!(app.get(&format!("/Schemas/{ACME}")).status, 404);
        assert_eq!(list(&app), json!([]));
        assert!(remove(&app, ACME).unwrap_err().contains("rosterd schema list shows them"));
        let Reply::Schema { version, .. } =
            add(&app, ACME, &json!([{ "name": "code", "type": "integer" }]), &["idp"])
        else {
            panic!()
        };
        assert_eq!(version, 2);
        app.patch(&path, &replace(&format!("{ACME}:code"), 7)).expect(200).json();
    });
}

#[test]
fn s185_urns_do_not_collide_and_mistakes_change_nothing() {
    let app = TestApp::start();
    let tenant = || "main".to_owned();
    let try_add = |id: &str, attributes: Value| {
        let document = json!({ "id": id, "extends": "User", "attributes": attributes }).to_string();
        refused(&app, Command::SchemaAdd { tenant: tenant(), document, connections: vec![] })
    };
    add(&app, ACME, &json!([{ "name": "code" }]), &["idp"]);
    let plain = || json!([{ "name": "a" }]);
    assert!(try_add(&ACME.to_uppercase(), plain()).contains("is there already"));
    assert!(try_add(&format!("{ACME}:x"), plain()).contains("begin alike"));
    assert!(try_add("urn:ietf:params:scim:schemas:extension:acme", plain()).contains("begin alike"));
    assert!(
        try_add("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", plain())
            .contains("is built in")
    );
    assert!(try_add("urn:ietf:params:scim:schemas:core:2.0:User", plain()).contains("belongs to the RFCs"));
    let all = try_add("acme", json!([{ "name": "id" }, { "name": "a", "type": "text" }]));
    assert_eq!(all.lines().next(), Some("the schema has 3 mistakes:"), "{all}");
    let unknown = Command::SchemaAdd {
        tenant: tenant(),
        document: document("urn:acme:User", &plain()),
        connections: vec!["none".into()],
    };
    assert!(refused(&app, unknown).contains("no connection is named \"none\""));
    let other_kind =
        json!({ "id": ACME, "extends": "Group", "attributes": [{ "name": "code" }] }).to_string();
    assert!(
        refused(&app, Command::SchemaUpdate { tenant: tenant(), document: other_kind })
            .contains("extends \"User\"")
    );
    let nobody = document("urn:acme:nobody:User", &plain());
    assert!(
        refused(&app, Command::SchemaUpdate { tenant: tenant(), document: nobody }).contains("has no schema")
    );
    for number in 1..50 {
        add(&app, &format!("urn:acme:{number}:User"), &plain(), &[]);
    }
    assert!(try_add("urn:acme:51:User", plain()).contains("has 50 schemas already"));
    assert_eq!(list(&app).as_array().unwrap().len(), 50);
}

/// Stops the writers, also where the test fails.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Clients write all the while: whatever version an answer was made under, no stored value ever contradicts the version that holds.
#[test]
fn s185_a_schema_changes_while_clients_write_and_no_value_is_left_behind() {
    on_every_store(|app| {
        let (text, number) = (
            json!([{ "name": "code" }, { "name": "rest" }]),
            json!([{ "name": "code", "type": "integer", "uniqueness": "server" }, { "name": "rest" }]),
        );
        add(&app, ACME, &text, &["idp"]);
        let ids: Vec<String> = (0..4)
            .map(|who| {
                app.post("/Users", &person(&format!("user-{who}"), ACME, json!({ "rest": "x" })))
                    .expect(201)
                    .id()
            })
            .collect();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _stopped = Stops(&stop);
            for (who, id) in ids.iter().enumerate() {
                let (client, stop) = (app.clone(), &stop);
                scope.spawn(move || {
                    let path = format!("/Users/{id}");
                    let mut round = 0;
                    while !stop.load(Ordering::Relaxed) {
                        round += 1;
                        let value = if round % 2 == 0 {
                            json!(format!("t{round}"))
                        } else {
                            json!(who * 1000 + round)
                        };
                        for change in [
                            replace(&format!("{ACME}:code"), value),
                            patch(&[json!({ "op": "remove", "path": format!("{ACME}:code") })]),
                        ] {
                            let answer = client.patch(&path, &change);
                            assert!(matches!(answer.status, 200 | 400 | 503), "{}", answer.text());
                        }
                    }
                });
            }
            let mut changed = 0;
            for round in 0..60 {
                changed +=
                    usize::from(update(&app, ACME, if round % 2 == 0 { &number } else { &text }).is_ok());
                let Reply::Document { document } = app.operate(Command::SchemaShow {
                    tenant: "main".into(),
                    id: ACME.into(),
                    version: None,
                }) else {
                    panic!()
                };
                let whole = document["attributes"][0]["type"] == "integer";
                for id in &ids {
                    let code = app.get(&format!("/Users/{id}")).expect(200).json()[ACME]["code"].clone();
                    assert!(
                        code.is_null() || code.is_number() == whole || (!whole && code.is_string()),
                        "{code} under {document}"
                    );
                }
            }
            eprintln!("{changed} changes got through");
        });
    });
}
