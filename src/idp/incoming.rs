//! What a normalised request holds, and the document it makes.

use serde_json::{Map, Value};

use super::profile::{Profile, PutOmitted};
use crate::scim::Kind;
use crate::scim::attr::AttrPath;
use crate::scim::doc::Document;
use crate::scim::error::Refusal;
use crate::scim::note::Notes;
use crate::scim::patch::{MemberRef, Operation};
use crate::scim::schema::{Attribute, Clearing, Type};
use crate::scim::validate;

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
    /// Takes the document of a new resource out, validated: a person is active unless the body says otherwise (S52).
    pub fn create(&mut self, kind: &Kind, profile: &Profile) -> Result<Document, Refusal> {
        let mut document = std::mem::take(&mut self.document);
        for attribute in never_cleared(kind) {
            if attribute.kind == Type::Boolean && document.get(&attribute.name).is_none() {
                document.set(None, &attribute.name, Some(Value::Bool(true)));
            }
        }
        self.notes.merge(&validate::finish(&mut document, None, kind, &profile.policy)?);
        Ok(document)
    }

    /// Takes the document out that replaces another, validated (S101–S105). It equals the other when nothing changed.
    pub fn replace(
        &mut self,
        before: &Document,
        kind: &Kind,
        profile: &Profile,
    ) -> Result<Document, Refusal> {
        let sent = std::mem::take(&mut self.document);
        let mut document = match profile.put_omitted {
            PutOmitted::Clear => sent,
            PutOmitted::ClearButExternalId => self.with_external_id(before, sent),
            PutOmitted::Keep => self.merged(before, sent),
        };
        for attribute in never_cleared(kind) {
            if document.get(&attribute.name).is_none() {
                document.set(None, &attribute.name, before.get(&attribute.name).cloned());
            }
        }
        self.notes.merge(&validate::finish(&mut document, Some(before), kind, &profile.policy)?);
        Ok(document)
    }

    /// Puts back an `externalId` of which nothing was said.
    fn with_external_id(&self, before: &Document, mut sent: Document) -> Document {
        const NAME: &str = "externalId";
        if sent.external_id().is_none() && !self.cleared.iter().any(|path| path.is(NAME)) {
            sent.set(None, NAME, before.get(NAME).cloned());
        }
        sent
    }

    /// Puts what was sent over what there was; what was cleared goes (S102, S103).
    fn merged(&self, before: &Document, sent: Document) -> Document {
        let mut document = before.clone();
        for path in &self.cleared {
            document.set(path.extension.as_deref(), &path.name, None);
        }
        for (name, value) in sent.core {
            document.set(None, &name, Some(value));
        }
        for (id, attributes) in sent.extensions {
            for (name, value) in attributes {
                document.set(Some(&id), &name, Some(value));
            }
        }
        document
    }
}

/// Lists the attributes that omission never clears.
fn never_cleared(kind: &Kind) -> impl Iterator<Item = &Attribute> {
    kind.core.attributes.iter().filter(|attribute| attribute.clearing == Clearing::Never)
}
