//! Lists over HTTP, one module per way of asking: `search` (by POST, and across kinds), `sort`, `planner` (what indexes answer), `cursor`.

pub mod cursor;
mod planner;
mod search;
mod sort;

use serde_json::{Value, json};

use crate::support::{Answer, Client};

/// The schema of a search.
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// Searches by POST.
fn search(client: &Client, path: &str, mut request: Value) -> Answer {
    request["schemas"] = json!([SEARCH]);
    client.post(&format!("{path}/.search"), &request)
}

/// Returns one attribute of each resource of a page.
fn shown(answer: &Answer, pointer: &str) -> Vec<String> {
    let list = answer.json();
    let resources = list["Resources"].as_array().unwrap_or_else(|| panic!("no list: {list}"));
    resources
        .iter()
        .map(|one| one.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned())
        .collect()
}
