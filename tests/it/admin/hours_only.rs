//! Tokens that act as a person show no money that the person may not see (A03, X25).

use rosterd::app::bootstrap::FIRST_TENANT;
use serde_json::json;

use super::people::{add, user_type};
use super::support::Admin;
use crate::support::bodies::replace;
use crate::support::{TestApp, encode, on_every_store};

const PSA: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
/// Every scope that shows anything of people, money among them.
const ALL: [&str; 8] = [
    "admin",
    "audit",
    "users:read",
    "users:write",
    "groups:write",
    "kinds:read",
    "kinds:write",
    "financials",
];

/// Lists all that a token is shown of a person and could show a rate in, as text.
fn shown(app: &TestApp, admin: &Admin, id: &str) -> Vec<(&'static str, String)> {
    let client = app.with(admin.0.token());
    let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] });
    vec![
        ("SCIM", client.get(&format!("/Users/{id}")).expect(200).text()),
        ("attributes", client.get(&format!("/Users/{id}?attributes={PSA}:costRates")).expect(200).text()),
        ("list", client.get("/Users").expect(200).text()),
        ("search", client.post("/Users/.search", &search).expect(200).text()),
        ("schemas", client.get("/Schemas").expect(200).text()),
        ("card", admin.get(&format!("/users/{id}")).expect(200).text()),
        ("people", admin.get("/users").expect(200).text()),
        ("timeline", admin.get(&format!("/users/{id}/activities")).expect(200).text()),
        ("history", admin.get("/audit").expect(200).text()),
        ("export", admin.get("/audit/export").expect(200).text()),
        ("changes", admin.get("/changes").expect(200).text()),
        ("permissions", admin.get(&format!("/users/{id}/permissions")).expect(200).text()),
    ]
}

#[test]
fn a03_x25_a_token_that_acts_as_somebody_who_sees_no_money_shows_none_whatever_its_scopes() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let client = app.with(admin.0.token());
        let keys =
            ["users.view", "users.update", "audit.view", "permissions.view", "rates.view", "rates.update"];
        let role = user_type(&app, &admin, "Controller", &keys);
        let psa = json!({ "userTypes": [{ "value": role, "primary": true }], "financialVisibility": "full",
            "costRates": [{ "startDate": "2026-01-01", "amount": "61.25", "currency": "EUR" }] });
        let ada = add(&admin, "Ada", "L", &json!({ "psa": psa }));
        let bound = Admin::bound(&app, FIRST_TENANT, &ALL, Some(&ada));
        let path = format!("/Users/{ada}");
        let own = app.with(bound.0.token());
        let is_money = |text: &str| text.contains("61.25") || text.contains("costRates");
        let sees = |what: &str, expected: bool| {
            let all = shown(&app, &bound, &ada);
            // What is not about values says which permissions there are, and no more.
            let (with, without): (Vec<_>, Vec<_>) = all.iter().partition(|(_, text)| is_money(text));
            let names = |of: &[&(&'static str, String)]| of.iter().map(|(name, _)| *name).collect::<Vec<_>>();
            if expected {
                assert_eq!(names(&without), ["card", "people", "permissions"], "{what}");
            } else {
                assert_eq!(names(&with), [""; 0], "{what}");
            }
            let filter = format!("/Users?filter={}", encode(&format!("{PSA}:costRates.amount eq \"61.25\"")));
            let found = own.get(&filter);
            assert_eq!(found.status, if expected { 200 } else { 400 }, "{what}: {}", found.text());
            let sorted = own.get(&format!("/Users?sortBy={PSA}:costRates.amount"));
            assert_eq!(sorted.status, 200, "{what}: an unknown order is none");
            let rate = json!([{ "startDate": "2026-01-01", "amount": "61.25", "currency": "EUR" }]);
            let written = own.patch(&path, &replace(&format!("{PSA}:costRates"), rate));
            assert_eq!(written.status, if expected { 200 } else { 403 }, "{what}: {}", written.text());
            if !expected {
                assert!(written.text().contains("rates.view"), "{}", written.text());
            }
        };
        sees("full", true);
        for visibility in ["hoursOnly", "full", "hoursOnly"] {
            let _ =
                client.patch(&path, &replace(&format!("{PSA}:financialVisibility"), visibility)).expect(200);
            sees(visibility, visibility == "full");
        }
        let _ = client.patch(&path, &replace(&format!("{PSA}:financialVisibility"), "full")).expect(200);
        // A licence that does not open it, and a limit to a part of the firm, are no more.
        let north =
            json!({ "schemas": ["urn:rosterd:scim:schemas:core:1.0:CostCenter"], "displayName": "North" });
        let north = client.post("/CostCenters", &north).expect(201).id();
        let looker = user_type(&app, &admin, "Looker", &keys[..4]);
        let types = json!([{ "value": looker, "primary": true }, { "value": role, "costCenter": north }]);
        let _ = client.patch(&path, &replace(&format!("{PSA}:userTypes"), types)).expect(200);
        sees("a part of the firm", false);
        // And what such a token makes is not more than it is.
        let made = client.get(&path).expect(200).json()[PSA]["costRates"][0]["amount"].clone();
        assert_eq!(made, "61.25", "the rate stayed");
    });
}
