//! What must hold of a document before it is written, and what the server keeps in order by itself.

use super::doc::Document;
use super::error::Refusal;
use super::note::Notes;
use super::policy::Policy;
use super::schema::Kind;

/// Brings a new document into order (stale `name.formatted`, one primary per list) and checks it: required attributes,
/// immutable ones against `before`, enforced canonical values, sizes.
pub fn finish(
    document: &mut Document,
    before: Option<&Document>,
    kind: &Kind,
    policy: &Policy,
) -> Result<Notes, Refusal> {
    let _ = (document, before, kind, policy);
    todo!()
}
