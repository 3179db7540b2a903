//! The pipeline from a parsed body to its canonical form.

use serde_json::Value;

use super::incoming::{Incoming, IncomingPatch};
use super::profile::Profile;
use crate::scim::Kind;
use crate::scim::error::Refusal;

/// Normalises the body of a POST or a PUT.
pub fn resource(body: Value, kind: &Kind, profile: &Profile) -> Result<Incoming, Refusal> {
    let _ = (body, kind, profile);
    todo!()
}

/// Normalises the body of a PATCH.
pub fn patch(body: Value, kind: &Kind, profile: &Profile) -> Result<IncomingPatch, Refusal> {
    let _ = (body, kind, profile);
    todo!()
}
