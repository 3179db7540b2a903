//! The dialects of part 2 as pure functions: what was sent, and the document it leaves.

mod bodies;
mod patches;
mod properties;

use serde_json::{Map, Value, json};

use super::normalise;
use super::profile::{AUTO, Profile, STRICT};
use crate::scim::doc::Document;
use crate::scim::error::{Refusal, Why};
use crate::scim::patch::{self, MemberChange, MemberRef, Patched};
use crate::scim::schema::{self, Kind};
use crate::scim::urn;

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("expected an object, found {other}"),
    }
}

/// Makes a document from what an answer shows: extensions stand under their URN.
fn document(shown: Value) -> Document {
    let mut core = map(shown);
    let extensions = core.shift_remove(urn::ENTERPRISE).map(|inner| (urn::ENTERPRISE.to_owned(), map(inner)));
    Document { core, extensions: extensions.into_iter().collect() }
}

/// Shows a document as an answer would, without what the server adds.
fn shown(document: &Document) -> Value {
    let mut core = document.core.clone();
    for (id, attributes) in &document.extensions {
        core.insert(id.clone(), Value::Object(attributes.clone()));
    }
    Value::Object(core)
}

/// Normalises and applies a PATCH.
fn patched(before: &Document, operations: Value, kind: &Kind, profile: &Profile) -> Result<Patched, Refusal> {
    let body = json!({"schemas": [urn::PATCH_OP], "Operations": operations});
    let incoming = normalise::patch(body, kind, profile)?;
    patch::apply(before, &incoming.operations, kind, &profile.policy)
}

/// Patches a user and shows what it has become.
fn user_after(before: Value, operations: Value) -> Value {
    let patched = patched(&document(before), operations, &schema::user(), &AUTO)
        .unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(patched.members, []);
    shown(&patched.document)
}

fn why(result: Result<Patched, Refusal>) -> Result<(), Why> {
    result.map(|_| ()).map_err(|refusal| refusal.why)
}

fn refs(ids: &[&str]) -> Vec<MemberRef> {
    ids.iter().map(|id| MemberRef { value: (*id).to_owned(), kind: None }).collect()
}
