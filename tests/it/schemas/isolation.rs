//! S185: what a connection was not given does not exist for it, and survives whatever it does.

use rosterd::roster::Command;
use serde_json::{Value, json};

use super::{ACME, OTHER, add, person};
use crate::support::bodies::{USER, patch, replace, user};
use crate::support::{Answer, Client, Dice, TestApp, on_every_store};

fn share(app: &TestApp, give: bool, connection: &str) {
    let (tenant, id, connections) = ("main".to_owned(), ACME.to_owned(), vec![connection.to_owned()]);
    app.operate(if give {
        Command::SchemaGive { tenant, id, connections }
    } else {
        Command::SchemaTake { tenant, id, connections }
    });
}

/// Everything that a client can ask in which the extension could show.
fn questions(client: &Client, id: &str) -> Vec<(String, Answer)> {
    let mut asked: Vec<String> = [
        "/Schemas",
        "/ResourceTypes",
        "/ResourceTypes/User",
        "/Users",
        "/ServiceProviderConfig",
        "",
        &format!("/Schemas/{ACME}"),
        &format!("/Users/{id}"),
        &format!("/Users/{id}?attributes={ACME}"),
        &format!("/Users/{id}?attributes={ACME}:code,userName"),
        &format!("/Users?attributes=code,{ACME}:code"),
        &format!("/Users/{id}?excludedAttributes={ACME}:code"),
        &format!("/Users?sortBy={ACME}:code"),
        "/Users?sortBy=code",
        &format!("/Users?sortBy={ACME}:code&cursor="),
    ]
    .map(str::to_owned)
    .to_vec();
    for filter in [
        "{ACME}:code eq \"A-1\"",
        "{ACME}:code pr",
        "not ({ACME}:code pr)",
        "code eq \"A-1\"",
        "{ACME}:badge eq \"B-1\"",
        "{ACME}:code ne \"x\"",
        "{ACME}:desk[room eq \"1\"]",
        "{ACME}:desk.room sw \"1\"",
        "schemas eq \"{ACME}\"",
    ] {
        let filter = crate::support::encode(&filter.replace("{ACME}", ACME));
        asked.push(format!("/Users?filter={filter}"));
        asked.push(format!("?filter={filter}"));
    }
    asked.into_iter().map(|path| (path.clone(), client.get(&path))).collect()
}

fn attributes() -> Value {
    json!([{ "name": "code", "indexed": true }, { "name": "badge", "uniqueness": "server" },
        { "name": "desk", "type": "complex", "subAttributes": [{ "name": "room" }] }])
}

#[test]
fn s185_what_was_not_given_cannot_be_seen_in_any_way() {
    on_every_store(|app| {
        app.adopt();
        let blind = [app.connection("main", "auto-b", "auto"), app.connection("main", "strict-b", "strict")];
        let made = app.post("/Users", &user("ada")).expect(201).json();
        let id = made["id"].as_str().unwrap().to_owned();
        // Once without the schema, and once with it and with data: nobody else may notice but for the version.
        let versionless = |answers: Vec<(String, Answer)>| -> Vec<(String, u16, Value)> {
            let strip = |answer: &Answer| {
                let mut body = answer.json();
                let strip = |one: &mut Value| {
                    if let Some(meta) = one.get_mut("meta").and_then(Value::as_object_mut) {
                        meta.remove("version");
                        meta.remove("lastModified");
                    }
                };
                strip(&mut body);
                body.get_mut("Resources").and_then(Value::as_array_mut).into_iter().flatten().for_each(strip);
                if let Some(list) = body.as_object_mut() {
                    list.remove("nextCursor");
                }
                body
            };
            answers.iter().map(|(path, answer)| (path.clone(), answer.status, strip(answer))).collect()
        };
        let before: Vec<_> = blind.iter().map(|client| versionless(questions(client, &id))).collect();
        add(&app, ACME, &attributes(), &["idp"]);
        let full = json!({ "code": "A-1", "badge": "B-1", "desk": { "room": "1" } });
        app.put(&format!("/Users/{id}"), &person("ada", ACME, full.clone())).expect(200).json();
        assert_eq!(
            app.find("/Users", &format!("{ACME}:code eq \"a-1\"")).expect(200).json()["totalResults"],
            1
        );
        for (client, before) in blind.iter().zip(before) {
            for (old, new) in before.iter().zip(versionless(questions(client, &id))) {
                assert_eq!(old, &new);
            }
        }
        // Nor can they write it: for them it is an attribute that nobody knows.
        let kept = || app.get(&format!("/Users/{id}")).expect(200).json()[ACME].clone();
        for client in &blind {
            let path = format!("/Users/{id}");
            client.patch(&path, &replace(&format!("{ACME}:code"), "X"));
            client.patch(&path, &patch(&[json!({ "op": "remove", "path": ACME })]));
            client.patch(&path, &patch(&[json!({ "op": "add", "value": { ACME: { "code": "X" } } })]));
            client.put(&path, &person("ada", ACME, json!({ "code": "X" })));
            client.put(&path, &user("ada")).expect(200).json();
            client.patch(&path, &replace("title", "CTO")).expect(200).json();
            assert_eq!(kept(), full);
        }
        // What it kept is found as before.
        for filter in ["code eq \"A-1\"", "badge eq \"b-1\""] {
            assert_eq!(app.find("/Users", &format!("{ACME}:{filter}")).expect(200).json()["totalResults"], 1);
        }
        assert_eq!(blind[0].delete(&format!("/Users/{id}")).status, 204);
        app.post("/Users", &person("bob", ACME, full.clone())).expect(201).json();
    });
}

#[test]
fn s185_giving_and_taking_holds_from_the_next_request_on_and_touches_no_data() {
    on_every_store(|app| {
        app.adopt();
        let second = app.connection("main", "second", "auto");
        add(&app, ACME, &attributes(), &["idp"]);
        let made = app.post("/Users", &person("ada", ACME, json!({ "code": "A" }))).expect(201).json();
        let path = format!("/Users/{}", made["id"].as_str().unwrap());
        for round in 0..3 {
            assert_eq!(second.get(&path).expect(200).json().get(ACME), None, "round {round}");
            assert_eq!(second.get(&format!("/Schemas/{ACME}")).status, 404);
            share(&app, true, "second");
            assert_eq!(second.get(&path).expect(200).json()[ACME], json!({ "code": "A" }));
            assert_eq!(second.get(&format!("/Schemas/{ACME}")).status, 200);
            share(&app, false, "second");
        }
        // Also from the one that wrote it; administrators see it throughout.
        share(&app, false, "idp");
        assert_eq!(app.get(&path).expect(200).json()["schemas"], json!([USER]));
        let (local, _) = app.issue("main", "local", &["users:read"]);
        assert_eq!(local.get(&path).expect(200).json()[ACME], json!({ "code": "A" }));
        share(&app, true, "idp");
        assert_eq!(app.get(&path).expect(200).json()[ACME], json!({ "code": "A" }));
    });
}

#[test]
fn s185_another_tenant_may_have_a_schema_of_the_same_name() {
    on_every_store(|app| {
        let stranger = app.tenant("globex");
        add(&app, ACME, &json!([{ "name": "code", "uniqueness": "server" }]), &["idp"]);
        assert_eq!(stranger.get(&format!("/Schemas/{ACME}")).status, 404);
        let document =
            super::document(ACME, &json!([{ "name": "code", "type": "integer", "uniqueness": "server" }]));
        app.operate(Command::SchemaAdd {
            tenant: "globex".into(),
            document,
            connections: vec!["idp".into()],
        });
        app.post("/Users", &person("ada", ACME, json!({ "code": "7" }))).expect(201).json();
        stranger.post("/Users", &person("ada", ACME, json!({ "code": 7 }))).expect(201).json();
        stranger.post("/Users", &person("bob", ACME, json!({ "code": 7 }))).refused(409, Some("uniqueness"));
    });
}

/// A model: two connections, each with an extension of its own, write to the same people at random. Each sees exactly what it wrote
/// itself, whatever the other did.
#[test]
fn s185_two_connections_that_write_to_the_same_people_never_touch_each_others_extension() {
    on_every_store(|app| {
        app.adopt();
        let second = app.connection("main", "second", "auto");
        let plain = |names: [&str; 2]| {
            names.iter().map(|name| json!({ "name": name, "indexed": true })).collect::<Value>()
        };
        add(&app, ACME, &plain(["a", "b"]), &["idp"]);
        add(&app, OTHER, &plain(["a", "c"]), &["second"]);
        let sides: [(&Client, &str, [&str; 2]); 2] = [(&app, ACME, ["a", "b"]), (&second, OTHER, ["a", "c"])];
        let people: Vec<String> = (0..4)
            .map(|number| app.post("/Users", &user(&format!("user-{number}"))).expect(201).id())
            .collect();
        let mut model = vec![[json!({}), json!({})]; people.len()];
        let mut dice = Dice::new(185);
        for step in 0..200 {
            let (who, side) = (dice.below(people.len()), dice.below(2));
            let (client, id, names) = &sides[side];
            let path = format!("/Users/{}", people[who]);
            let name = names[dice.below(2)];
            let value = format!("v{}", dice.below(3));
            let known = &mut model[who][side];
            match dice.below(4) {
                0 => {
                    client.patch(&path, &replace(&format!("{id}:{name}"), value.clone())).expect(200).json();
                    known[name] = value.into();
                }
                1 => {
                    client
                        .patch(&path, &patch(&[json!({ "op": "remove", "path": format!("{id}:{name}") })]))
                        .expect(200)
                        .json();
                    known.as_object_mut().unwrap().remove(name);
                }
                2 => {
                    client
                        .put(&path, &person(&format!("user-{who}"), id, json!({ name: value })))
                        .expect(200)
                        .json();
                    *known = json!({ name: value });
                }
                _ => {
                    client.patch(&path, &replace("title", format!("T{step}"))).expect(200).json();
                }
            }
            for (side, (client, id, names)) in sides.iter().enumerate() {
                let shown = client.get(&path).expect(200).json();
                let expected = Some(&model[who][side]).filter(|known| !known.as_object().unwrap().is_empty());
                assert_eq!(shown.get(*id), expected, "step {step}");
                assert_eq!(shown.get(sides[1 - side].1), None);
                let filter = format!("{id}:{} eq \"v1\"", names[1]);
                let wanted = model.iter().filter(|known| known[side][names[1]] == "v1").count();
                assert_eq!(
                    client.find("/Users", &filter).expect(200).json()["totalResults"],
                    wanted,
                    "step {step}"
                );
            }
        }
    });
}
