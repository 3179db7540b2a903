//! The firm's own side over HTTP, one module per topic: `kinds` (the six kinds as resources), `tree` (cost centres), `links` (what names what),
//! `person` (the PSA extension), `rates` (what people cost, through time), `money` (who sees it), `schemas` (money in schemas of one's own),
//! `guide` (the page on people), `ownership` (who wrote what), `authority` (who may write what), `flat` (what an identity provider can say by name), `laws` (what holds whatever is sent), `planner`.

mod authority;
mod flat;
mod guide;
mod kinds;
mod laws;
mod links;
mod money;
mod ownership;
mod person;
mod planner;
mod rates;
mod schemas;
mod tree;

use serde_json::{Value, json};

use crate::support::bodies::{USER, user};
use crate::support::{Client, TestApp};

/// The PSA extension.
const EXT: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
/// Everything an administrator's program does, but for money.
const BLIND: [&str; 6] = ["users:read", "users:write", "groups:read", "kinds:read", "kinds:write", "bulk"];

/// An administrator's program that may see money.
fn local(app: &TestApp) -> Client {
    app.issue("main", "local", &[&BLIND[..], &["financials"]].concat()).0
}

/// One that may not.
fn blind(app: &TestApp) -> Client {
    app.issue("main", "local", &BLIND).0
}

/// A resource of one of the firm's own kinds.
fn thing(kind: &str, name: &str) -> Value {
    let mut body =
        json!({ "schemas": [format!("urn:rosterd:scim:schemas:core:1.0:{kind}")], "displayName": name });
    if kind == "LicensePool" {
        body["seats"] = 10.into();
    }
    body
}

/// Makes a resource of one of the firm's own kinds, and returns its id.
#[track_caller]
fn make(client: &Client, endpoint: &str, body: &Value) -> String {
    client.post(endpoint, body).expect(201).id()
}

/// A person with PSA attributes.
fn person(name: &str, psa: Value) -> Value {
    let mut body = user(name);
    body["schemas"] = json!([USER, EXT]);
    body[EXT] = psa;
    body
}

/// Makes a person with PSA attributes, and returns the path.
#[track_caller]
fn hire(client: &Client, name: &str, psa: Value) -> String {
    format!("/Users/{}", client.post("/Users", &person(name, psa)).expect(201).id())
}

/// Reads a PSA attribute of a person.
#[track_caller]
fn psa(client: &Client, path: &str, name: &str) -> Value {
    client.get(path).expect(200).json()[EXT][name].clone()
}

/// Reads the history of a resource: what changed of an attribute, oldest first, as old and new.
fn told(app: &TestApp, path: &str, attribute: &str) -> Vec<rosterd::store::Change> {
    let id = rosterd::ids::ResourceId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let snapshot = app.roster().store().snapshot().unwrap();
    let rows =
        snapshot.history_since(rosterd::ids::TenantId::new(1), id, rosterd::store::Seq::ZERO, 100).unwrap();
    let values =
        rows.iter().map(|row| -> rosterd::store::Values { serde_json::from_slice(&row.values).unwrap() });
    values.flat_map(|values| values.changes).filter(|change| change.attribute == attribute).collect()
}
