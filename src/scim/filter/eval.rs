//! Whether a resource matches a filter, by the characteristics of its attributes (S72–S74).
//!
//! A multi-valued attribute matches when one of its values does; `ne` and negations are about the whole: `emails ne "x"` holds
//! when no e-mail is x, also when there is none.

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{CompareOp, Filter, Literal};
use crate::scim::attr::AttrPath;
use crate::scim::doc::Document;
use crate::scim::schema::{Attribute, Kind, Type, Uniqueness};
use crate::scim::{fold, precis};

/// Something that has attributes.
pub trait Subject {
    /// Returns a top-level attribute of the core schema, a common one (`extension` is `None`) or one of an extension, by
    /// canonical name.
    fn attribute(&self, extension: Option<&str>, name: &str) -> Option<Cow<'_, Value>>;
}

impl Subject for Document {
    fn attribute(&self, extension: Option<&str>, name: &str) -> Option<Cow<'_, Value>> {
        self.attributes(extension)?.get(name).map(Cow::Borrowed)
    }
}

/// A document with what the server adds to it.
#[derive(Clone, Copy)]
pub struct Computed<'a> {
    /// The document, parsed or not.
    pub document: &'a dyn Subject,
    /// The resource's id in text form.
    pub id: &'a str,
    /// The kind's name.
    pub resource_type: &'a str,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
    /// The number in its entity tag.
    pub version: u64,
    /// Whether its `externalId` is the asking client's own: of another's, which names something else there, nothing is known.
    pub own_external_id: bool,
    /// The groups it belongs to, as they are shown; an empty list where there are none.
    pub groups: &'a Value,
    /// Its members, likewise.
    pub members: &'a Value,
}

impl Subject for Computed<'_> {
    fn attribute(&self, extension: Option<&str>, name: &str) -> Option<Cow<'_, Value>> {
        if extension.is_some() {
            return self.document.attribute(extension, name);
        }
        let links = |links: &Value| links.as_array().is_some_and(|links| !links.is_empty());
        match name {
            "id" => Some(Cow::Owned(self.id.into())),
            "meta" => Some(Cow::Owned(json!({
                "resourceType": self.resource_type,
                "created": self.created.to_string(),
                "lastModified": self.modified.to_string(),
                "version": crate::scim::wire::etag(self.version),
            }))),
            "groups" => links(self.groups).then_some(Cow::Borrowed(self.groups)),
            "members" => links(self.members).then_some(Cow::Borrowed(self.members)),
            "externalId" if !self.own_external_id => None,
            _ => self.document.attribute(None, name),
        }
    }
}

/// Tells whether a resource matches.
pub(super) fn matches(filter: &Filter, subject: &dyn Subject, kind: &Kind) -> bool {
    match filter {
        Filter::And(operands) => operands.iter().all(|operand| matches(operand, subject, kind)),
        Filter::Or(operands) => operands.iter().any(|operand| matches(operand, subject, kind)),
        Filter::Not(inner) => !matches(inner, subject, kind),
        Filter::Present(path) => {
            let Some((value, _)) = find(subject, path, kind) else { return false };
            any_leaf(&value, path.sub.as_deref(), &mut is_present)
        }
        Filter::Compare { path, op, value } => {
            let Some(attribute) = kind.attribute_of(path.extension.as_deref(), &path.name) else {
                // Another kind's attribute: unassigned here (S88).
                return unassigned(*op, value);
            };
            let found = subject.attribute(path.extension.as_deref(), &path.name);
            compare_all(found.as_deref(), path.sub.as_deref(), attribute, *op, value)
        }
        Filter::Element { path, filter } => {
            let Some((value, attribute)) = find(subject, path, kind) else { return false };
            match value.as_ref() {
                Value::Array(elements) => {
                    elements.iter().any(|element| element_matches(filter, element, attribute))
                }
                single => element_matches(filter, single, attribute),
            }
        }
    }
}

/// Tells whether a comparison holds for an attribute that has no value (S74).
pub(crate) fn unassigned(op: CompareOp, literal: &Literal) -> bool {
    match literal {
        Literal::Null => op == CompareOp::Eq,
        _ => op == CompareOp::Ne,
    }
}

/// Tells whether an element of an attribute matches a filter whose paths are names of sub-attributes.
pub(crate) fn element_matches(filter: &Filter, element: &Value, attribute: &Attribute) -> bool {
    match filter {
        Filter::And(operands) => operands.iter().all(|operand| element_matches(operand, element, attribute)),
        Filter::Or(operands) => operands.iter().any(|operand| element_matches(operand, element, attribute)),
        Filter::Not(inner) => !element_matches(inner, element, attribute),
        Filter::Present(path) => part(element, &path.name).is_some_and(is_present),
        Filter::Compare { path, op, value } => {
            let characteristics = attribute.sub(&path.name).unwrap_or(attribute);
            compare_all(part(element, &path.name), None, characteristics, *op, value)
        }
        // The parser makes no brackets within brackets.
        Filter::Element { .. } => false,
    }
}

/// Finds an attribute's value and characteristics.
fn find<'s, 'k>(
    subject: &'s dyn Subject,
    path: &AttrPath,
    kind: &'k Kind,
) -> Option<(Cow<'s, Value>, &'k Attribute)> {
    let extension = path.extension.as_deref();
    Some((subject.attribute(extension, &path.name)?, kind.attribute_of(extension, &path.name)?))
}

/// Returns the part of an element that a name within brackets means; a plain value is its own `value`.
fn part<'v>(element: &'v Value, name: &str) -> Option<&'v Value> {
    match element {
        Value::Object(parts) => parts.get(name),
        plain => (name == "value").then_some(plain),
    }
}

/// Tells whether a value is assigned (S74): not null, not empty.
fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => elements.iter().any(is_present),
        Value::Object(parts) => parts.values().any(is_present),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Compares every value of an attribute (or of its sub-attribute) with a literal.
fn compare_all(
    found: Option<&Value>,
    sub: Option<&str>,
    attribute: &Attribute,
    op: CompareOp,
    literal: &Literal,
) -> bool {
    // What a whole complex attribute compares by is its `value` (S72).
    let sub = sub.or((attribute.kind == Type::Complex).then_some("value"));
    let characteristics = sub.and_then(|sub| attribute.sub(sub)).unwrap_or(attribute);
    let any = |op: CompareOp| {
        found.is_some_and(|value| {
            any_leaf(value, sub, &mut |leaf| compare(leaf, op, literal, characteristics))
        })
    };
    match (op, literal) {
        (CompareOp::Eq, Literal::Null) => !found.is_some_and(|value| any_leaf(value, sub, &mut is_present)),
        (CompareOp::Ne, Literal::Null) => found.is_some_and(|value| any_leaf(value, sub, &mut is_present)),
        // Not equal is the opposite of equal, so that it holds for what is unassigned (S74).
        (CompareOp::Ne, _) => !any(CompareOp::Eq),
        (op, _) => any(op),
    }
}

/// Tells whether one of the values that an attribute holds satisfies a test: of each element, the sub-attribute.
fn any_leaf(value: &Value, sub: Option<&str>, test: &mut dyn FnMut(&Value) -> bool) -> bool {
    match (value, sub) {
        (Value::Array(elements), _) => elements.iter().any(|element| any_leaf(element, sub, test)),
        (Value::Object(parts), Some(sub)) => parts.get(sub).is_some_and(test),
        (single, _) => test(single),
    }
}

/// Compares one value with a literal that is not null.
fn compare(value: &Value, op: CompareOp, literal: &Literal, attribute: &Attribute) -> bool {
    match (value, literal) {
        (Value::Bool(left), Literal::Bool(right)) => op == CompareOp::Eq && left == right,
        (Value::Number(left), Literal::Number(right)) => {
            order_numbers(left, right).is_some_and(|order| holds(op, order))
        }
        (Value::String(left), Literal::Text(right)) => compare_texts(left, op, right, attribute),
        _ => false,
    }
}

fn order_numbers(left: &serde_json::Number, right: &serde_json::Number) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn compare_texts(left: &str, op: CompareOp, right: &str, attribute: &Attribute) -> bool {
    if attribute.kind == Type::DateTime
        && !matches!(op, CompareOp::Co | CompareOp::Sw | CompareOp::Ew)
        && let (Some(left), Some(right)) = (instant(left), instant(right))
    {
        return holds(op, left.cmp(&right));
    }
    if attribute.case_exact {
        return compare_folded(left, op, right);
    }
    if is_user_name(attribute) && op == CompareOp::Eq {
        // A name that cannot exist equals none (X26).
        return match (precis::user_name(left), precis::user_name(right)) {
            (Ok(left), Ok(right)) => left == right,
            _ => false,
        };
    }
    if op == CompareOp::Eq {
        fold::same(left, right)
    } else {
        compare_folded(&fold::fold(left), op, &fold::fold(right))
    }
}

/// Tells whether an attribute is one that names a person for signing in: text, unique, whatever the case of letters.
fn is_user_name(attribute: &Attribute) -> bool {
    attribute.name == "userName" && attribute.uniqueness == Uniqueness::Server
}

fn compare_folded(left: &str, op: CompareOp, right: &str) -> bool {
    match op {
        CompareOp::Co => left.contains(right),
        CompareOp::Sw => left.starts_with(right),
        CompareOp::Ew => left.ends_with(right),
        op => holds(op, left.cmp(right)),
    }
}

const fn holds(op: CompareOp, order: Ordering) -> bool {
    match op {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => false,
    }
}

/// Reads an xsd:dateTime; without an offset it is taken as UTC.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        text.contains('T')
            .then(|| civil.to_zoned(jiff::tz::TimeZone::UTC).ok())?
            .map(|zoned| zoned.timestamp())
    })
}

/// Keeps only what a filter's equalities say an element must be: the element to make when none matches (S121). `None`
/// when the filter says more than equalities joined by `and`.
pub(crate) fn element_from(filter: &Filter) -> Option<Map<String, Value>> {
    let mut parts = Map::new();
    for condition in filter.conjuncts() {
        let Filter::Compare { path, op: CompareOp::Eq, value } = condition else { return None };
        let value = match value {
            Literal::Null => return None,
            Literal::Bool(value) => Value::Bool(*value),
            Literal::Number(number) => Value::Number(number.clone()),
            Literal::Text(text) => Value::String(text.clone()),
        };
        if parts.insert(path.name.clone(), value).is_some() {
            return None;
        }
    }
    Some(parts)
}
