//! Schemas of a tenant's own over HTTP, one module per question: `types` (what attributes can be), `isolation` (who sees what), `versions` (what may
//! change while there are data), `found` (indexes and uniqueness), `numbers`.

mod found;
mod isolation;
mod numbers;
mod types;
mod versions;

use rosterd::roster::{Command, Reply};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::bodies::{USER, user};

/// The extension of most tests.
const ACME: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";
/// One that others see.
const OTHER: &str = "urn:ietf:params:scim:schemas:extension:other:2.0:User";

/// Writes a schema document.
fn document(id: &str, attributes: &Value) -> String {
    json!({ "id": id, "attributes": attributes }).to_string()
}

/// Adds a schema to the first tenant, and gives it to connections.
#[track_caller]
fn add(app: &TestApp, id: &str, attributes: &Value, connections: &[&str]) -> Reply {
    app.operate(Command::SchemaAdd {
        tenant: "main".into(),
        document: document(id, attributes),
        connections: connections.iter().map(|&name| name.to_owned()).collect(),
    })
}

/// Changes a schema of the first tenant.
fn update(app: &TestApp, id: &str, attributes: &Value) -> Result<(u32, usize), String> {
    let command = Command::SchemaUpdate { tenant: "main".into(), document: document(id, attributes) };
    match app.roster().operate(command, app.roster().request_id()) {
        Ok(Reply::Schema { version, indexed, .. }) => Ok((version, indexed)),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

/// A person with values of an extension.
fn person(name: &str, id: &str, attributes: Value) -> Value {
    let mut body = user(name);
    body["schemas"] = json!([USER, id]);
    body[id] = attributes;
    body
}
