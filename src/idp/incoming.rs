//! What a normalised request holds, and the document it makes.

use serde_json::{Map, Value};

use super::profile::Profile;
use crate::scim::Kind;
use crate::scim::attr::AttrPath;
use crate::scim::doc::Document;
use crate::scim::error::Refusal;
use crate::scim::note::Notes;
use crate::scim::patch::{MemberRef, Operation};

/// A POST or PUT body in canonical form.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// The attributes it sets.
    pub document: Document,
    /// The attributes it clears with `null`, `[]` or, in a lenient profile, `""` (S103).
    pub cleared: Vec<AttrPath>,
    /// The members it lists; `None` when it does not speak of them, an empty list when it says there are none.
    pub members: Option<Vec<MemberRef>>,
    /// What it said that the schema does not know, by the name it was sent under. For audit and mapping only.
    pub shadow: Map<String, Value>,
    /// The leniencies it needed.
    pub notes: Notes,
}

/// A PATCH request in canonical form.
#[derive(Debug, Clone, PartialEq)]
pub struct IncomingPatch {
    /// What to do, in order.
    pub operations: Vec<Operation>,
    /// What it said that the schema does not know, by the path it was sent under. For audit and mapping only.
    pub shadow: Map<String, Value>,
    /// The leniencies it needed.
    pub notes: Notes,
}

impl Incoming {
    /// Makes the document of a new resource, validated: a person is active unless the body says otherwise (S52).
    pub fn create(&mut self, kind: &Kind, profile: &Profile) -> Result<Document, Refusal> {
        let _ = (kind, profile);
        todo!()
    }

    /// Makes the document that replaces another, validated (S101–S105).
    pub fn replace(
        &mut self,
        before: &Document,
        kind: &Kind,
        profile: &Profile,
    ) -> Result<Document, Refusal> {
        let _ = (before, kind, profile);
        todo!()
    }
}
