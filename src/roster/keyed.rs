//! Attributes of a tenant's own by which resources are found: `index` for those that are not built in.
//!
//! All of them share three index numbers, as there may be thousands; a value is told from that of another attribute by what stands
//! before it: a digest of the attribute's full name. Values are folded so that equal bytes are what a filter calls equal.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::index::{folded, short};
use crate::scim::filter::Literal;
use crate::scim::filter::eval::instant;
use crate::scim::schema::{Attribute, Schema, Type, Uniqueness};
use crate::store::IndexId;

/// Which resources carry an extension of the tenant's own, under the extension's mark.
pub const CARRIED: IndexId = IndexId(16);
/// Values of indexed attributes, under the attribute's mark.
pub const INDEXED: IndexId = IndexId(17);
/// Values that nobody else may hold, likewise.
pub const UNIQUE: IndexId = IndexId(18);

/// Stands for a long name.
type Mark = [u8; 8];

/// An attribute by which resources are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keyed {
    pub(super) name: String,
    pub(super) sub: Option<String>,
    /// Whether its values are unique; else they are entries of an index.
    pub(super) unique: bool,
    kind: Type,
    case_exact: bool,
    mark: Mark,
}

impl Keyed {
    /// Lists the attributes of a schema by which resources are found.
    pub(super) fn all_of(schema: &Schema) -> Vec<Self> {
        let of = |attribute: &Attribute, parent: Option<&Attribute>| {
            crate::scim::custom::is_keyed(attribute).then(|| {
                let (name, sub) = match parent {
                    None => (attribute.name.clone(), None),
                    Some(parent) => (parent.name.clone(), Some(attribute.name.clone())),
                };
                let full = match &sub {
                    None => format!("{}:{name}", schema.id),
                    Some(sub) => format!("{}:{name}.{sub}", schema.id),
                };
                Self {
                    name,
                    sub,
                    unique: attribute.uniqueness != Uniqueness::None,
                    kind: attribute.kind,
                    case_exact: attribute.case_exact,
                    mark: mark(&full),
                }
            })
        };
        let each = schema.attributes.iter().flat_map(|whole| {
            let parts = whole.sub_attributes.iter().filter_map(move |part| of(part, Some(whole)));
            of(whole, None).into_iter().chain(parts)
        });
        each.collect()
    }

    /// Lists the keys of the values that an extension's attributes hold, each once.
    pub(super) fn of_attributes(&self, attributes: &Map<String, Value>) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        if let Some(value) = attributes.get(&self.name) {
            self.gather(value, self.sub.as_deref(), &mut keys);
        }
        keys
    }

    fn gather(&self, value: &Value, sub: Option<&str>, keys: &mut Vec<Vec<u8>>) {
        match (value, sub) {
            (Value::Array(elements), _) => {
                for element in elements {
                    self.gather(element, sub, keys);
                }
            }
            (Value::Object(parts), Some(sub)) => {
                if let Some(part) = parts.get(sub) {
                    self.gather(part, None, keys);
                }
            }
            (single, None) => {
                if let Some(key) = self.key(single).filter(|key| !keys.contains(key)) {
                    keys.push(key);
                }
            }
            _ => {}
        }
    }

    /// Returns the key under which everything stands that a filter calls equal to a literal; `None` where no key says that.
    pub(super) fn of_literal(&self, literal: &Literal) -> Option<Vec<u8>> {
        match literal {
            Literal::Text(text) if self.kind != Type::Integer => self.key(&Value::String(text.clone())),
            Literal::Number(number) if self.kind == Type::Integer => self.key(&Value::Number(number.clone())),
            _ => None,
        }
    }

    fn key(&self, value: &Value) -> Option<Vec<u8>> {
        let plain = match (value, self.kind) {
            // Nothing that could be told apart, or found.
            (Value::String(text), _) if text.is_empty() => return None,
            (Value::String(text), Type::DateTime) => instant(text)?.as_nanosecond().to_be_bytes().to_vec(),
            (Value::String(text), _) if self.case_exact => short(text.clone().into_bytes()),
            (Value::String(text), _) => folded(text),
            // A number with a fraction may equal a whole one, and is no key.
            (Value::Number(number), Type::Integer) if !number.is_f64() => number.to_string().into_bytes(),
            _ => return None,
        };
        Some(self.mark.into_iter().chain(plain).collect())
    }
}

/// The value of [`CARRIED`] for an extension.
pub(super) fn carried(id: &str) -> Vec<u8> {
    mark(id).to_vec()
}

fn mark(name: &str) -> Mark {
    let digest: [u8; 32] = Sha256::digest(name.to_ascii_lowercase().as_bytes()).into();
    let (short, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
    *short
}
