//! Money in schemas of a tenant's own (A03): an attribute that is `financial` is for those only who may see money.

use rosterd::roster::Command;
use serde_json::{Value, json};

use super::{BLIND, local, told};
use crate::support::bodies::{USER, group, patch, replace, user};
use crate::support::{Client, TestApp, on_every_store};

const ACME: &str = "urn:acme:pay:2.0:User";

fn document(attributes: &Value) -> String {
    json!({ "id": ACME, "attributes": attributes }).to_string()
}

fn add(app: &TestApp, attributes: &Value) {
    let connections = vec!["idp".to_owned()];
    app.operate(Command::SchemaAdd { tenant: "main".into(), document: document(attributes), connections });
}

fn update(app: &TestApp, attributes: &Value) -> Result<(), String> {
    let command = Command::SchemaUpdate { tenant: "main".into(), document: document(attributes) };
    app.roster().operate(command, app.roster().request_id()).map(drop).map_err(|error| error.to_string())
}

fn paid(name: &str, attributes: Value) -> Value {
    let mut body = user(name);
    body["schemas"] = json!([USER, ACME]);
    body[ACME] = attributes;
    body
}

fn total(client: &Client, filter: &str) -> Value {
    client.find("/Users", &format!("{ACME}:{filter}")).expect(200).json()["totalResults"].clone()
}

#[test]
fn a03_a_financial_attribute_of_ones_own_is_for_those_who_see_money() {
    on_every_store(|app| {
        add(
            &app,
            &json!([
                { "name": "salary", "financial": true, "indexed": true }, { "name": "account", "financial": true, "uniqueness": "server" }, { "name": "team" },
            ]),
        );
        let seeing = app.issue("main", "idp", &["users:read", "users:write", "financials"]).0;
        let (admin, clerk) = (local(&app), app.issue("main", "local", &BLIND).0);
        let ada = format!(
            "/Users/{}",
            seeing
                .post("/Users", &paid("ada", json!({ "salary": "5000 EUR", "account": "FI21", "team": "A" })))
                .expect(201)
                .id()
        );
        let whole = json!({ "salary": "5000 EUR", "account": "FI21", "team": "A" });
        for client in [&seeing, &admin] {
            assert_eq!(client.get(&ada).expect(200).json()[ACME], whole);
            assert_eq!(
                (
                    total(client, "salary eq \"5000 eur\""),
                    total(client, "account eq \"FI21\""),
                    total(client, "salary eq \"1\"")
                ),
                (json!(1), json!(1), json!(0))
            );
            assert_eq!(client.get("/Users").expect(200).json()["Resources"][0][ACME], whole);
            assert!(!client.get(&ada).text().contains("#money"));
        }
        for client in [&app as &Client, &clerk] {
            assert_eq!(client.get(&ada).expect(200).json()[ACME], json!({ "team": "A" }));
            assert_eq!(
                client.get(&format!("/Schemas/{ACME}")).expect(200).json()["attributes"]
                    .as_array()
                    .unwrap()
                    .len(),
                1
            );
            assert_eq!(
                client.find("/Users", &format!("{ACME}:salary eq \"5000 EUR\"")).status,
                client.find("/Users", &format!("{ACME}:shoes eq \"5000 EUR\"")).status
            );
            client.patch(&ada, &replace(&format!("{ACME}:salary"), "1")).refused(403, None);
            client
                .patch(&ada, &patch(&[json!({ "op": "replace", "value": { "Salary": "1" } })]))
                .refused(403, None);
            client.put(&ada, &paid("ada", json!({ "account": "x" }))).refused(403, None);
            client.put(&ada, &paid("ada", json!({ "team": "B" }))).expect(200).json();
            client.put(&ada, &paid("ada", json!({ "team": "A" }))).expect(200).json();
        }
        assert_eq!(seeing.get(&ada).expect(200).json()[ACME], whole);
        let bob = paid("bob", json!({ "account": "FI21" }));
        seeing.post("/Users", &bob).refused(409, Some("uniqueness"));
        seeing.put(&ada, &user("ada")).expect(200).json();
        seeing.post("/Users", &bob).expect(201).json();
        assert_eq!(admin.get(&ada).expect(200).json().get(ACME), None);
    });
}

#[test]
fn a03_whether_an_attribute_is_financial_changes_while_nobody_has_a_value() {
    on_every_store(|app| {
        add(&app, &json!([{ "name": "salary", "financial": true }, { "name": "team" }]));
        let admin = local(&app);
        let ada = format!(
            "/Users/{}",
            admin.post("/Users", &paid("ada", json!({ "salary": "5000" }))).expect(201).id()
        );
        let error = update(&app, &json!([{ "name": "salary" }, { "name": "team" }])).unwrap_err();
        assert!(error.contains("salary becomes no longer financial: 1 resource has"), "{error}");
        let error = update(&app, &json!([{ "name": "team" }])).unwrap_err();
        assert!(error.contains("salary is removed: 1 resource has"), "{error}");
        update(
            &app,
            &json!([{ "name": "salary", "financial": true }, { "name": "team", "financial": true }]),
        )
        .unwrap();
        admin.patch(&ada, &replace(&format!("{ACME}:team"), "A")).expect(200).json();
        let error =
            update(&app, &json!([{ "name": "salary", "financial": true }, { "name": "team" }])).unwrap_err();
        assert!(error.contains("team becomes no longer financial"), "{error}");
        admin.patch(&ada, &patch(&[json!({ "op": "remove", "path": ACME })])).expect(200).json();
        update(&app, &json!([{ "name": "salary" }, { "name": "team" }])).unwrap();
        admin.patch(&ada, &replace(&format!("{ACME}:salary"), "1")).expect(200).json();
        assert!(app.issue("main", "local", &BLIND).0.get(&ada).text().contains("salary"));
        let error =
            update(&app, &json!([{ "name": "salary", "financial": true }, { "name": "team" }])).unwrap_err();
        assert!(error.contains("salary becomes financial"), "{error}");
    });
}

#[test]
fn a03_what_becomes_indexed_is_found_though_it_is_kept_apart() {
    on_every_store(|app| {
        add(&app, &json!([{ "name": "salary", "financial": true }]));
        let admin = local(&app);
        admin.post("/Users", &paid("ada", json!({ "salary": "5000" }))).expect(201).json();
        update(&app, &json!([{ "name": "salary", "financial": true, "indexed": true }])).unwrap();
        assert_eq!(total(&admin, "salary eq \"5000\""), 1);
    });
}

#[test]
fn a03_only_whole_attributes_are_financial() {
    let app = TestApp::start();
    let wrong = json!([{ "name": "pay", "type": "complex", "subAttributes": [{ "name": "value", "financial": true }] }]);
    let command =
        Command::SchemaAdd { tenant: "main".into(), document: document(&wrong), connections: vec![] };
    let error = app.roster().operate(command, app.roster().request_id()).unwrap_err().to_string();
    assert!(error.contains("attributes[0].subAttributes[0].financial"), "{error}");
}

#[test]
fn a03_the_history_of_a_removed_group_marks_as_money_what_the_remover_does_not_see() {
    on_every_store(|app| {
        const BUDGET: &str = "urn:acme:budget:2.0:Group";
        let attributes = json!([{ "name": "amount", "financial": true }, { "name": "code" }]);
        let document = json!({ "id": BUDGET, "extends": "Group", "attributes": attributes }).to_string();
        app.operate(Command::SchemaAdd { tenant: "main".into(), document, connections: vec![] });
        let path = format!("/Groups/{}", app.post("/Groups", &group("Team", &[])).expect(201).id());
        let admin = app.issue("main", "local", &["groups:read", "groups:write", "financials", "audit"]).0;
        let budget = json!({ BUDGET: { "amount": "9000 EUR", "code": "T1" } });
        let answer = admin.patch(&path, &patch(&[json!({ "op": "add", "value": budget })]));
        assert!(matches!(answer.status, 200 | 204), "{}", answer.text());
        assert_eq!(app.get(&path).expect(200).json()[BUDGET], Value::Null, "the remover does not see it");
        assert_eq!(app.delete(&path).status, 204);
        for (name, money) in [("amount", true), ("code", false)] {
            let changes = told(&app, &path, &format!("{BUDGET}:{name}"));
            let of_each: Vec<_> = changes.iter().map(|change| (change.new.is_some(), change.money)).collect();
            assert_eq!(of_each, [(true, money), (false, money)], "{name}");
        }
    });
}
