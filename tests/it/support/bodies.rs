//! Requests that many tests send.

use serde_json::{Value, json};

/// The schema of people.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of groups.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The enterprise extension.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The flat PSA extension.
pub const PSA: &str = "urn:ietf:params:scim:schemas:extension:psa:2.0:User";

/// A person with nothing but a login.
pub fn user(user_name: &str) -> Value {
    json!({ "schemas": [USER], "userName": user_name })
}

/// A group with members.
pub fn group(display_name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": [GROUP], "displayName": display_name, "members": members })
}

/// A PATCH.
pub fn patch(operations: &[Value]) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

/// A PATCH that replaces one attribute.
pub fn replace(path: &str, value: impl Into<Value>) -> Value {
    patch(&[json!({ "op": "replace", "path": path, "value": value.into() })])
}

/// A PATCH that adds members.
pub fn add_members(ids: &[&str]) -> Value {
    let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    patch(&[json!({ "op": "add", "path": "members", "value": members })])
}
