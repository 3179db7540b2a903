//! S185, S46, S47: attributes of every type, with every characteristic, by the one engine.

use serde_json::{Value, json};

use super::{ACME, add, person};
use crate::support::bodies::{USER, patch, replace};
use crate::support::{TestApp, on_every_store};

fn every_type() -> Value {
    json!([
        { "name": "text" }, { "name": "flag", "type": "boolean" }, { "name": "rate", "type": "decimal" }, { "name": "level", "type": "integer" },
        { "name": "since", "type": "dateTime" }, { "name": "key", "type": "binary" }, { "name": "page", "type": "reference", "referenceTypes": ["external"] },
        { "name": "tags", "multiValued": true },
        { "name": "desk", "type": "complex", "subAttributes": [{ "name": "floor", "type": "integer" }, { "name": "room" }] },
        { "name": "sites", "type": "complex", "multiValued": true,
          "subAttributes": [{ "name": "value" }, { "name": "type" }, { "name": "primary", "type": "boolean" }] },
    ])
}

fn full() -> Value {
    json!({
        "text": "x", "flag": true, "rate": 12.5, "level": 7, "since": "2026-01-31T08:00:00Z", "key": "AQID", "page": "https://acme.test/x",
        "tags": ["a", "b"], "desk": { "floor": 3, "room": "3.14" }, "sites": [{ "value": "oslo", "type": "work", "primary": true }]
    })
}

#[test]
fn s185_an_attribute_may_be_of_any_type() {
    on_every_store(|app| {
        let strict = app.strict();
        add(&app, ACME, &every_type(), &["idp", "strict"]);
        for (client, name) in [(&*app, "ada"), (&strict, "bob")] {
            let made = client.post("/Users", &person(name, ACME, full())).expect(201).json();
            assert_eq!((&made["schemas"], &made[ACME]), (&json!([USER, ACME]), &full()));
            let path = format!("/Users/{}", made["id"].as_str().unwrap());
            assert_eq!(client.get(&path).expect(200).json(), made);
            for (name, wrong) in [
                ("text", json!({})),
                ("flag", json!("maybe")),
                ("rate", json!("a lot")),
                ("level", json!(1.5)),
                ("since", json!("yesterday")),
                ("key", json!("*")),
                ("page", json!(7)),
                ("desk", json!({ "floor": "high" })),
                ("tags", json!([[1]])),
            ] {
                let mut body = person("eve", ACME, json!({}));
                body[ACME][name] = wrong.clone();
                let detail = client.post("/Users", &body).refused(400, Some("invalidValue"));
                assert!(detail.contains(name), "{detail}");
                client
                    .patch(&path, &replace(&format!("{ACME}:{name}"), wrong))
                    .refused(400, Some("invalidValue"));
            }
            for (filter, matches) in [
                ("text eq \"X\"", true),
                ("flag eq true", true),
                ("rate gt 12.4", true),
                ("rate gt 12.5", false),
                ("level le 7", true),
                ("since lt \"2026-01-31T09:00:00+00:00\"", true),
                ("since lt \"2026-01-31T09:00:00+02:00\"", false),
                ("key eq \"AQID\"", true),
                ("key eq \"aqid\"", false),
                ("tags eq \"b\"", true),
                ("desk.floor eq 3", true),
                ("sites[type eq \"work\"]", true),
                ("sites.value eq \"Oslo\"", true),
                ("desk.room pr", true),
                ("tags eq \"c\"", false),
            ] {
                let filter =
                    format!("userName eq \"{}\" and {ACME}:{filter}", made["userName"].as_str().unwrap());
                assert_eq!(
                    client.find("/Users", &filter).expect(200).json()["totalResults"],
                    u64::from(matches),
                    "{filter}"
                );
            }
            let changed = patch(&[
                json!({ "op": "add", "path": format!("{ACME}:tags"), "value": ["c"] }),
                json!({ "op": "replace", "path": format!("{ACME}:desk.room"), "value": "1.1" }),
                json!({ "op": "replace", "path": format!("{ACME}:sites[value eq \"oslo\"].type"), "value": "home" }),
                json!({ "op": "remove", "path": format!("{ACME}:key") }),
            ]);
            let now = client.patch(&path, &changed).expect(200).json();
            assert_eq!(
                (
                    &now[ACME]["tags"],
                    &now[ACME]["desk"],
                    &now[ACME]["sites"][0]["type"],
                    now[ACME].get("key")
                ),
                (&json!(["a", "b", "c"]), &json!({ "floor": 3, "room": "1.1" }), &json!("home"), None)
            );
            assert_eq!(client.delete(&path).status, 204);
        }
    });
}

#[test]
fn s47_an_attribute_of_which_nothing_is_said_is_described_with_the_defaults() {
    let app = TestApp::start();
    add(&app, ACME, &json!([{ "name": "plain" }]), &["idp"]);
    let described = app.get(&format!("/Schemas/{}", ACME.to_uppercase())).expect(200).json();
    assert_eq!(
        described["attributes"],
        json!([{ "name": "plain", "type": "string", "multiValued": false, "required": false, "caseExact": false, "mutability": "readWrite",
            "returned": "default", "uniqueness": "none" }])
    );
    assert_eq!(described["meta"]["location"], format!("https://roster.test/scim/v2/Schemas/{ACME}"));
}

#[test]
fn s40_s41_s44_s45_characteristics_hold_for_attributes_of_ones_own() {
    on_every_store(|app| {
        add(
            &app,
            ACME,
            &json!([
                { "name": "badge", "required": true }, { "name": "birth", "mutability": "immutable" }, { "name": "grade", "canonicalValues": ["A", "b"], "closed": true },
                { "name": "note", "returned": "request" }, { "name": "pin", "returned": "never" }, { "name": "seen", "mutability": "readOnly" },
                { "name": "code", "caseExact": true, "returned": "always" },
                { "name": "desk", "type": "complex", "subAttributes": [{ "name": "room", "returned": "request" }, { "name": "floor" }] },
            ]),
            &["idp"],
        );
        let strict = app.strict();
        let missing = app
            .post("/Users", &person("eve", ACME, json!({ "grade": "a" })))
            .refused(400, Some("invalidValue"));
        assert!(missing.contains("badge is required"), "{missing}");
        let wrong = app
            .post("/Users", &person("eve", ACME, json!({ "badge": "1", "grade": "c" })))
            .refused(400, Some("invalidValue"));
        assert!(wrong.contains("expected one of A, b"), "{wrong}");
        let sent = json!({ "badge": "1", "birth": "x", "grade": "a", "note": "n", "pin": "1234", "seen": "s", "code": "Q", "desk": { "room": "1", "floor": "2" } });
        let made = app.post("/Users", &person("ada", ACME, sent)).expect(201).json();
        let shown =
            json!({ "badge": "1", "birth": "x", "grade": "a", "code": "Q", "desk": { "floor": "2" } });
        assert_eq!(made[ACME], shown);
        let path = format!("/Users/{}", made["id"].as_str().unwrap());
        let at = |query: &str| app.get(&format!("{path}?{query}")).expect(200).json()[ACME].clone();
        assert_eq!(at(""), shown);
        assert_eq!(at(&format!("attributes={ACME}:note")), json!({ "note": "n", "code": "Q" }));
        assert_eq!(
            at(&format!("attributes={ACME}:desk.room")),
            json!({ "desk": { "room": "1" }, "code": "Q" })
        );
        assert_eq!(at(&format!("attributes={ACME}:pin,{ACME}:seen")), json!({ "code": "Q" }));
        assert_eq!(
            at(&format!("excludedAttributes={ACME}:desk,{ACME}:code")),
            json!({ "badge": "1", "birth": "x", "grade": "a", "code": "Q" })
        );
        let listed = app.find("/Users", &format!("{ACME}:code eq \"Q\"")).expect(200).json();
        assert_eq!(listed["Resources"][0][ACME], shown);
        assert_eq!(
            app.find("/Users", &format!("{ACME}:code eq \"q\"")).expect(200).json()["totalResults"],
            0
        );
        app.find("/Users", &format!("{ACME}:pin eq \"1234\"")).refused(400, Some("invalidFilter"));
        app.patch(&path, &replace(&format!("{ACME}:birth"), "y")).refused(400, Some("mutability"));
        app.patch(&path, &patch(&[json!({ "op": "remove", "path": format!("{ACME}:badge") })]))
            .refused(400, Some("mutability"));
        // Whoever does not see the schema keeps all of it, what is held back and what is immutable as well.
        strict.put(&path, &crate::support::bodies::user("ada2")).expect(200).json();
        assert_eq!(
            at(&format!("attributes={ACME}:note,{ACME}:birth")),
            json!({ "note": "n", "birth": "x", "code": "Q" })
        );
    });
}

#[test]
fn s185_an_extension_of_groups_is_none_of_people() {
    let app = TestApp::start();
    let id = "urn:acme:teams";
    let document =
        json!({ "id": id, "extends": "Group", "attributes": [{ "name": "cost", "indexed": true }] })
            .to_string();
    app.operate(rosterd::roster::Command::SchemaAdd {
        tenant: "main".into(),
        document,
        connections: vec!["idp".into()],
    });
    let made = app.post("/Groups", &json!({ "schemas": [crate::support::bodies::GROUP, id], "displayName": "A", id: { "cost": "C-1" } })).expect(201).json();
    assert_eq!(made[id], json!({ "cost": "C-1" }));
    assert_eq!(
        app.find("/Groups", &format!("{id}:cost eq \"c-1\"")).expect(200).json()["Resources"][0]["id"],
        made["id"]
    );
    let types = app.get("/ResourceTypes").expect(200).json();
    let extensions = |at: usize| types["Resources"][at]["schemaExtensions"].to_string();
    assert!(extensions(1).contains(id) && !extensions(0).contains(id));
    let ada = app.post("/Users", &person("ada", id, json!({ "cost": "C-1" }))).expect(201).json();
    assert_eq!((&ada["schemas"], ada.get(id)), (&json!([USER]), None));
    // Across kinds nobody who lacks the attribute matches.
    let across = app.find("", &format!("{id}:cost eq \"C-1\"")).expect(200).json();
    assert_eq!((&across["totalResults"], &across["Resources"][0]["id"]), (&json!(1), &made["id"]));
}

#[test]
fn the_example_of_the_manual_is_a_schema() {
    let manual = include_str!("../../../docs/operate/schemas.md");
    let (_, after) = manual.split_once("```json").unwrap();
    let (example, _) = after.split_once("```").unwrap();
    let (id, warnings) = rosterd::roster::check_schema(example).unwrap();
    assert_eq!((id.as_str(), warnings), (ACME, vec![]));
}
