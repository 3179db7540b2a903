//! Laws of PUT and PATCH (S105, S111, S116, S118, S119, S120, R17), over HTTP, in both modes, on people, groups and changes made at random.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rosterd::ids::TenantId;
use serde_json::{Map, Value, json};

use crate::support::bodies::{ENTERPRISE, GROUP, USER, patch};
use crate::support::{Answer, Client, TestApp, repeats};

/// The two modes, and a number that makes names unique.
struct Field {
    app: TestApp,
    clients: [(&'static str, Client); 2],
    made: Cell<usize>,
}

impl Field {
    fn new() -> Self {
        let app = TestApp::start();
        let clients = [("auto", app.clone()), ("strict", app.strict())];
        Self { app, clients, made: Cell::new(0) }
    }

    /// Makes a resource with a name of its own; returns its path.
    fn make(&self, client: &Client, collection: &str, body: &Value) -> String {
        self.made.set(self.made.get() + 1);
        let mut body = body.clone();
        let (name, schema) = if collection == "/Users" { ("userName", USER) } else { ("displayName", GROUP) };
        body[name] = json!(format!("n{}", self.made.get()));
        let mut schemas = vec![schema];
        if body.get(ENTERPRISE).is_some() {
            schemas.push(ENTERPRISE);
        }
        body["schemas"] = json!(schemas);
        if body.get("externalId").is_some() {
            body["externalId"] = json!(format!("e{}", self.made.get()));
        }
        let made = client.post(collection, &body).expect(201);
        format!("{collection}/{}", made.id())
    }

    fn seq(&self) -> u64 {
        self.app.roster().store().snapshot().unwrap().head(TenantId::new(1)).unwrap().seq.0
    }
}

/// Plays a law on inputs that are the same on each run.
fn play<S: Strategy>(cases: usize, inputs: S, law: impl Fn(&Field, S::Value)) {
    let cases = u32::try_from(repeats(cases, cases * 20)).unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let field = Field::new();
    let played = runner.run(&inputs, |input| {
        law(&field, input);
        Ok(())
    });
    if let Err(failed) = played {
        panic!("{failed}");
    }
}

/// What a document says, apart from who it is and what the server adds or derives.
fn said(answer: &Answer) -> Value {
    let mut body = answer.json();
    // Derived once for each request from what changed in it, so that several requests may end with another one.
    if let Some(name) = body.get_mut("name").and_then(Value::as_object_mut) {
        assert!(!name.is_empty(), "an empty name is none: {}", answer.text());
        name.remove("formatted");
    }
    if body.get("name") == Some(&json!({})) {
        body.as_object_mut().unwrap().remove("name");
    }
    for name in ["id", "userName", "externalId", "meta"] {
        body.as_object_mut().unwrap().remove(name);
    }
    body
}

fn text() -> impl Strategy<Value = String> {
    "[a-c]{1,2}( [A-Zé])?"
}

fn object(parts: Vec<(&'static str, Option<Value>)>) -> Value {
    Value::Object(
        parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>(),
    )
}

/// Elements with different values, one of them primary at most.
fn elements(types: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let parts = (prop::option::of(prop::sample::select(types)), prop::option::of(text()));
    (prop::collection::btree_map("[a-e]", parts, 0..4), 0_usize..6).prop_map(|(all, primary)| {
        let numbered = all.into_iter().enumerate();
        let elements = numbered.map(|(place, (value, (kind, display)))| {
            object(vec![
                ("value", Some(json!(format!("{value}@acme.test")))),
                ("type", kind.map(Value::from)),
                ("display", display.map(Value::from)),
                ("primary", (place == primary).then_some(json!(true))),
            ])
        });
        elements.collect()
    })
}

fn name() -> impl Strategy<Value = Value> {
    (prop::option::of(text()), prop::option::of(text()), text()).prop_map(|(given, family, formatted)| {
        object(vec![
            ("givenName", given.map(Value::from)),
            ("familyName", family.map(Value::from)),
            ("formatted", Some(json!(formatted))),
        ])
    })
}

/// Without `formatted`, which the server derives anew unless the same request says what it is (S53).
fn part_of_name() -> impl Strategy<Value = Value> {
    (text(), prop::option::of(text())).prop_map(|(given, family)| {
        object(vec![("givenName", Some(json!(given))), ("familyName", family.map(Value::from))])
    })
}

fn person() -> impl Strategy<Value = Value> {
    let texts = prop::collection::vec(prop::option::of(text()), 4);
    let lists = (elements(&["work", "home"]), elements(&["work", "mobile"]), elements(&["x", "y"]));
    let address = prop::option::of((text(), text()).prop_map(|(city, street)| {
        json!([{ "type": "work", "locality": city, "streetAddress": street, "primary": true }, { "type": "home", "country": "NO" }])
    }));
    let rest = (any::<Option<bool>>(), any::<bool>(), prop::option::of(text()), prop::option::of(text()));
    (texts, prop::option::of(name()), lists, address, rest).prop_map(
        |(texts, name, (emails, phones, roles), addresses, (active, external, department, manager))| {
            let text = |place: usize| texts[place].clone().map(Value::from);
            let list = |list: Value| Some(list).filter(|list| list != &json!([]));
            let manager = manager.map(|_| json!({ "value": "0192f0c1-2b3c-7def-8123-456789abcdef" }));
            let enterprise = object(vec![("department", department.map(Value::from)), ("manager", manager)]);
            object(vec![
                ("displayName", text(0)),
                ("title", text(1)),
                ("nickName", text(2)),
                ("locale", text(3).map(|_| json!("en-GB"))),
                ("name", name),
                ("emails", list(emails)),
                ("phoneNumbers", list(phones)),
                ("roles", list(roles)),
                ("addresses", addresses),
                ("active", active.map(Value::from)),
                ("externalId", external.then_some(json!(""))),
                (ENTERPRISE, Some(enterprise).filter(|inner| inner != &json!({}))),
            ])
        },
    )
}

/// One operation of a PATCH that may or may not find what it looks for.
fn operation() -> impl Strategy<Value = Value> {
    let op = |op: &'static str, path: &'static str, value: Value| json!({ "op": op, "path": path, "value": value });
    let plain = prop::sample::select(vec![
        "title",
        "displayName",
        "name.givenName",
        "name.familyName",
        "emails[type eq \"work\"].display",
        "emails[value sw \"a\"].display",
        "emails[type eq \"home\" and primary eq true].display",
        "addresses[type eq \"work\"].locality",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    ]);
    let gone = prop::sample::select(vec![
        "title",
        "name",
        "name.givenName",
        "emails",
        "emails[type eq \"work\"]",
        "emails[value sw \"b\"].display",
        "addresses[type eq \"home\"]",
        "roles",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    ]);
    let writes = prop::sample::select(vec!["add", "replace"]);
    prop_oneof![
        6 => (writes.clone(), plain, text()).prop_map(move |(word, path, text)| op(word, path, json!(text))),
        3 => (writes.clone(), elements(&["work", "home"])).prop_map(move |(word, list)| op(word, "emails", list)),
        2 => (writes.clone(), part_of_name()).prop_map(move |(word, name)| op(word, "name", name)),
        2 => (writes.clone(), text(), part_of_name()).prop_map(|(word, text, name)| {
            json!({ "op": word, "value": { "nickName": text, "name": name } })
        }),
        1 => (writes, any::<bool>()).prop_map(move |(word, active)| op(word, "active", json!(active))),
        3 => gone.prop_map(|path| json!({ "op": "remove", "path": path })),
    ]
}

#[test]
fn s105_r17_a_put_of_what_a_get_shows_changes_nothing() {
    play(150, (person(), prop::collection::vec(any::<bool>(), 0..4)), |field, (person, members)| {
        for (mode, client) in &field.clients {
            let user = field.make(client, "/Users", &person);
            let id = user.rsplit('/').next().unwrap();
            let members: Vec<Value> = members
                .iter()
                .map(
                    |flat| {
                        if *flat { json!({ "value": id }) } else { json!({ "value": id, "type": "User" }) }
                    },
                )
                .collect();
            let group = field.make(client, "/Groups", &json!({ "members": members, "externalId": "" }));
            for path in [&user, &group] {
                let before = client.get(path).expect(200);
                let seq = field.seq();
                let put = client.put(path, &before.json()).expect(200);
                assert_eq!(
                    (put.etag(), &put.body),
                    (before.etag(), &before.body),
                    "{mode}: {}",
                    before.text()
                );
                assert_eq!(client.get(path).expect(200).essence(), before.essence(), "{mode}");
                assert_eq!(field.seq(), seq, "{mode}: nothing to tell");
            }
        }
    });
}

#[test]
fn s111_s112_one_patch_of_many_operations_is_those_operations_one_after_the_other_or_nothing() {
    let whole = Cell::new(0);
    let refused = Cell::new(0);
    play(300, (person(), prop::collection::vec(operation(), 1..5)), |field, (person, operations)| {
        for (mode, client) in &field.clients {
            let (at_once, by_turns) =
                (field.make(client, "/Users", &person), field.make(client, "/Users", &person));
            let before = client.get(&at_once).expect(200);
            let answer = client.patch(&at_once, &patch(&operations));
            let failed = operations.iter().position(|operation| {
                client.patch(&by_turns, &patch(std::slice::from_ref(operation))).status != 200
            });
            let after = client.get(&at_once).expect(200);
            let Some(failed) = failed else {
                let expected = client.get(&by_turns).expect(200);
                assert_eq!(answer.status, 200, "{mode}: {operations:?}: {}", answer.text());
                assert_eq!(said(&after), said(&expected), "{mode}: {operations:?} on {}", before.text());
                assert_eq!(answer.body, after.body, "what is answered is what is there");
                whole.set(whole.get() + 1);
                continue;
            };
            let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
            assert_eq!(answer.status, 400, "{mode}: {operations:?}: {}", answer.text());
            assert!(detail.starts_with(&format!("Operations[{failed}]")), "{mode}: {detail}: {operations:?}");
            assert_eq!(after.essence(), before.essence(), "{mode}: all or nothing");
            refused.set(refused.get() + 1);
        }
    });
    assert!(whole.get() > 200 && refused.get() > 50, "{} whole, {} refused", whole.get(), refused.get());
}

#[test]
fn s118_s120_r17_a_write_that_is_sent_again_changes_nothing() {
    let again = Cell::new(0);
    play(300, (person(), operation()), |field, (person, operation)| {
        for (mode, client) in &field.clients {
            let path = field.make(client, "/Users", &person);
            let body = patch(std::slice::from_ref(&operation));
            let once = client.patch(&path, &body);
            // By the letter, what selects by a value it has just taken away finds nothing the second time.
            if once.status != 200 || (operation["op"] == "remove" && *mode == "strict") {
                continue;
            }
            let seq = field.seq();
            let twice = client.patch(&path, &body).expect(200);
            assert_eq!(
                (twice.etag(), &twice.body),
                (once.etag(), &once.body),
                "{mode}: {operation} on {person}"
            );
            assert_eq!(field.seq(), seq, "{mode}: nothing to tell");
            again.set(again.get() + 1);
        }
    });
    assert!(again.get() > 300, "{}", again.get());
}

#[test]
fn s118_s123_what_is_added_and_removed_leaves_everything_as_it_was() {
    play(150, person(), |field, person| {
        for (mode, client) in &field.clients {
            let user = field.make(client, "/Users", &person);
            let other = field.make(client, "/Users", &json!({}));
            let id = other.rsplit('/').next().unwrap();
            let group = field.make(
                client,
                "/Groups",
                &json!({ "members": [{ "value": user.rsplit('/').next().unwrap() }] }),
            );
            let new = "new@acme.test";
            for (path, add, remove) in [
                (
                    &user,
                    json!({ "op": "add", "path": "emails", "value": [{ "value": new, "type": "other" }] }),
                    format!("emails[value eq \"{new}\"]"),
                ),
                (
                    &user,
                    json!({ "op": "add", "path": "ims", "value": [{ "value": new }] }),
                    format!("ims[value eq \"{new}\"]"),
                ),
                (
                    &user,
                    json!({ "op": "add", "path": "preferredLanguage", "value": "no" }),
                    "preferredLanguage".to_owned(),
                ),
                (
                    &group,
                    json!({ "op": "add", "path": "members", "value": [{ "value": id }] }),
                    format!("members[value eq \"{id}\"]"),
                ),
            ] {
                let before = client.get(path).expect(200);
                let remove = json!({ "op": "remove", "path": remove });
                // One after the other, and both in one request, which changes nothing at all.
                assert!(matches!(client.patch(path, &patch(std::slice::from_ref(&add))).status, 200 | 204));
                let between = client.get(path).expect(200);
                assert_ne!(said(&between), said(&before), "{mode}: {add}");
                assert!(matches!(
                    client.patch(path, &patch(std::slice::from_ref(&remove))).status,
                    200 | 204
                ));
                let after = client.get(path).expect(200);
                assert_eq!(said(&after), said(&before), "{mode}: {add} on {}", before.text());
                assert!(matches!(client.patch(path, &patch(&[add.clone(), remove])).status, 200 | 204));
                assert_eq!(client.get(path).expect(200).essence(), after.essence(), "{mode}: {add}");
            }
        }
    });
}
