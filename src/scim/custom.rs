//! Schemas of one's own: an extension of User or Group as a document (RFC 7643 §7), read at run time.
//!
//! `read` makes a [`Definition`] of a document and names every mistake in it; `names` judges URNs and names of attributes;
//! `evolve` says what a new version of a schema takes away from the one before. A definition that exists is sound: the engine needs no
//! further look at it.
//!
//! A document that was taken is stored and read again at each start, so a later rosterd may take more than this one, never less.
//!
//! Beside the members of RFC 7643 a document may say `extends` (which kind it extends), and an attribute `indexed` (resources are found
//! by it without being read), `closed` (nothing but its canonical values is accepted) and `financial` (for those only who may see money).

mod evolve;
mod names;
mod read;

use std::fmt;

use serde_json::{Value, json};

pub use evolve::{Loss, losses, newly_keyed};
pub use names::clash;

use super::discovery::describe_attribute;
use super::schema::{Attribute, Canonical, Schema, Type, Uniqueness};
use super::{json, urn};
use crate::ids::KindId;

/// Longest document.
pub const DOCUMENT_BYTES_MAX: usize = 512 * 1024;
/// Most attributes of a schema, with their sub-attributes.
pub const ATTRIBUTES_MAX: usize = 200;
/// Most attributes of a schema that are unique or indexed: each of their values is a key to be written.
pub const KEYED_MAX: usize = 20;
/// Longest URN: half of what the store takes as a key.
pub const URN_BYTES_MAX: usize = 256;
/// Longest name of an attribute.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest description of a schema or an attribute, and longest name of a schema.
pub const DESCRIPTION_BYTES_MAX: usize = 1024;
/// Most canonical values, or reference types, of an attribute.
pub const CANONICAL_VALUES_MAX: usize = 200;
/// Longest of those.
pub const CANONICAL_BYTES_MAX: usize = 256;
/// Most mistakes that are told at once.
const MISTAKES_MAX: usize = 100;

/// A schema of one's own, sound in itself. Whether it gets along with others is for [`clash`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Which kind it extends.
    pub kind: KindId,
    /// The schema.
    pub schema: Schema,
}

/// A definition that was read, and what is odd about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The definition.
    pub definition: Definition,
    /// What its author may not have meant.
    pub warnings: Vec<Finding>,
}

/// What is wrong, or odd, at one place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where: `attributes[2].type`.
    pub place: String,
    /// What was expected, what was found, and what to do.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            f.write_str(&self.what)
        } else {
            write!(f, "{}: {}", self.place, self.what)
        }
    }
}

/// A document that is no sound schema: every mistake in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Mistakes(pub Vec<Finding>);

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl Definition {
    /// Reads a document.
    ///
    /// # Errors
    /// Every mistake in it, up to a hundred.
    pub fn read(document: &str) -> Result<Read, Mistakes> {
        let mistake = |what: String| Mistakes(vec![Finding { place: String::new(), what }]);
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(mistake(format!(
                "expected a document of at most {DOCUMENT_BYTES_MAX} bytes, found {}",
                document.len()
            )));
        }
        match json::parse(document.as_bytes()) {
            Ok(Value::Object(members)) => read::definition(&members),
            Ok(_) => Err(mistake("expected a JSON object with id and attributes".to_owned())),
            Err(refusal) => Err(mistake(refusal.detail)),
        }
    }

    /// Writes the document of which this definition is read, with everything said that had been left out.
    pub fn to_document(&self) -> Value {
        let attributes: Vec<Value> = self.schema.attributes.iter().map(written).collect();
        json!({
            "schemas": [urn::SCHEMA],
            "id": self.schema.id,
            "extends": kind_name(self.kind),
            "name": self.schema.name,
            "description": self.schema.description,
            "attributes": attributes,
        })
    }
}

fn written(attribute: &Attribute) -> Value {
    let mut document = describe_attribute(attribute);
    let subs: Vec<Value> = attribute.sub_attributes.iter().map(written).collect();
    if let Value::Object(parts) = &mut document {
        let mut say = |name: &str, value: Value| parts.insert(name.to_owned(), value);
        if attribute.indexed {
            say("indexed", true.into());
        }
        if attribute.financial {
            say("financial", true.into());
        }
        if attribute.canonical == Canonical::Enforced {
            say("closed", true.into());
        }
        if !subs.is_empty() {
            say("subAttributes", subs.into());
        }
    }
    document
}

const fn kind_name(kind: KindId) -> &'static str {
    match kind {
        KindId::GROUP => "Group",
        _ => "User",
    }
}

/// Tells whether values of a type can be found in an index exactly as a filter compares them.
pub(super) const fn can_be_keyed(kind: Type) -> bool {
    matches!(kind, Type::String | Type::Reference | Type::Integer | Type::DateTime)
}

/// Tells whether resources are found by an attribute, because that was asked for or because its values are unique.
pub fn is_keyed(attribute: &Attribute) -> bool {
    attribute.indexed || attribute.uniqueness != Uniqueness::None
}

#[cfg(test)]
mod tests;
