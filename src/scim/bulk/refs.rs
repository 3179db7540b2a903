//! Where `bulkId:…` stands for an id (RFC 7644 §3.7.2, S161): in attributes that point at resources, and in the brackets of paths.
//!
//! Which attributes these are is the schema's to say: those with a `value` beside a `$ref` to a kind of resource. A title that happens
//! to begin with `bulkId:` is a title.

use serde_json::{Map, Value};

use super::super::attr::{Resolved, resolve};
use super::super::filter::{Filter, Literal};
use super::super::path::{self, Path, Target};
use super::super::schema::{Attribute, Kind, Schema, Type};
use super::super::urn;
use crate::ids::ResourceId;

/// What stands before the name.
const PREFIX: &str = "bulkId:";

/// What a reference comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It stays as it is.
    Unchanged,
    /// This id.
    Id(ResourceId),
    /// Nothing yet: the value that holds it is left out.
    LeftOut,
}

/// Asks what a name means.
type Ask<'a> = dyn FnMut(&str) -> Meaning + 'a;

/// Returns the name that a text refers to.
pub fn referred(text: &str) -> Option<&str> {
    let (prefix, name) = text.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(name)
}

/// Looks through the body of a POST or a PUT.
pub fn in_resource(data: &mut Value, kind: &Kind, ask: &mut Ask<'_>) {
    if let Value::Object(attributes) = data {
        attributes.retain(|name, value| in_attribute(name, value, kind, ask));
    }
}

/// Looks through the body of a PATCH.
pub fn in_patch(data: &mut Value, kind: &Kind, ask: &mut Ask<'_>) {
    let Value::Object(body) = data else { return };
    let Some((_, Value::Array(operations))) = body.iter_mut().find(|(name, _)| urn::same(name, "Operations"))
    else {
        return;
    };
    for operation in operations.iter_mut().filter_map(Value::as_object_mut) {
        let mut path = None;
        let mut nothing = Value::Null;
        let mut value = &mut nothing;
        for (name, part) in operation.iter_mut() {
            if urn::same(name, "value") {
                value = part;
            } else if let Value::String(text) = part
                && urn::same(name, "path")
            {
                path = Some(text);
            }
        }
        match path {
            Some(text) if !text.trim().is_empty() => in_operation(text, value, kind, ask),
            _ => in_container(value, kind, ask),
        }
    }
}

/// An operation without a path, or on the whole of the core schema: each name in its value is a path.
fn in_container(value: &mut Value, kind: &Kind, ask: &mut Ask<'_>) {
    let Value::Object(attributes) = value else { return };
    for (name, mut value) in std::mem::take(attributes) {
        let mut name = name;
        in_operation(&mut name, &mut value, kind, ask);
        attributes.insert(name, value);
    }
}

/// An operation with a path.
fn in_operation(text: &mut String, value: &mut Value, kind: &Kind, ask: &mut Ask<'_>) {
    // What does not parse is refused by whoever carries the operation out.
    match path::parse(text, kind) {
        Ok(Target::Known(Path::Attribute { attr, filter })) => {
            let attribute = kind.attribute_of(attr.extension.as_deref(), &attr.name);
            if !attribute.is_some_and(points_at_resources) {
                return;
            }
            if attr.sub.as_deref().is_none_or(|sub| sub == "value") {
                in_value(value, ask);
            }
            if let Some(mut filter) = filter
                && in_filter(&mut filter, ask)
            {
                *text = Path::Attribute { attr, filter: Some(filter) }.to_string();
            }
        }
        Ok(Target::Known(Path::Extension(id))) => {
            if let (Value::Object(attributes), Some(schema)) = (value, kind.extension(&id)) {
                in_schema(attributes, schema, ask);
            }
        }
        Ok(Target::Core) => in_resource(value, kind, ask),
        Ok(Target::Unknown) | Err(_) => {}
    }
}

/// One member of a body; tells whether it stays.
fn in_attribute(name: &str, value: &mut Value, kind: &Kind, ask: &mut Ask<'_>) -> bool {
    match resolve(name, kind) {
        Resolved::Attribute { attribute, sub, .. } => {
            let direct = sub.is_none_or(|sub| sub.name == "value");
            !(direct && points_at_resources(attribute)) || in_value(value, ask)
        }
        Resolved::Schema(schema) => {
            match value {
                // Names within the core schema's own URN are looked up as everywhere; the parser bounds the depth.
                Value::Object(_) if schema.id == kind.core.id => in_resource(value, kind, ask),
                Value::Object(attributes) => in_schema(attributes, schema, ask),
                _ => {}
            }
            true
        }
        Resolved::Unknown => true,
    }
}

/// The attributes of an extension.
fn in_schema(attributes: &mut Map<String, Value>, schema: &Schema, ask: &mut Ask<'_>) {
    attributes.retain(|name, value| {
        !schema.attribute(name).is_some_and(points_at_resources) || in_value(value, ask)
    });
}

/// The value of an attribute that points at resources: an id, an object with the id in `value`, or a list. Tells whether it stays.
fn in_value(value: &mut Value, ask: &mut Ask<'_>) -> bool {
    match value {
        Value::String(text) => in_text(text, ask),
        Value::Array(elements) => {
            elements.retain_mut(|element| match element {
                Value::Array(_) => true,
                element => in_value(element, ask),
            });
            true
        }
        Value::Object(parts) => parts.iter_mut().all(|(name, part)| match part {
            Value::String(text) if urn::same(name, "value") => in_text(text, ask),
            _ => true,
        }),
        _ => true,
    }
}

fn in_text(text: &mut String, ask: &mut Ask<'_>) -> bool {
    match referred(text).map(ask) {
        None | Some(Meaning::Unchanged) => true,
        Some(Meaning::Id(id)) => {
            *text = id.to_string();
            true
        }
        Some(Meaning::LeftOut) => false,
    }
}

/// A condition on elements; tells whether anything in it was replaced.
fn in_filter(filter: &mut Filter, ask: &mut Ask<'_>) -> bool {
    match filter {
        Filter::Compare { path, value: Literal::Text(text), .. } if path.name == "value" => {
            let before = text.clone();
            in_text(text, ask);
            *text != before
        }
        Filter::Compare { .. } | Filter::Present(_) => false,
        Filter::Element { filter, .. } | Filter::Not(filter) => in_filter(filter, ask),
        Filter::And(operands) | Filter::Or(operands) => {
            // All of them are asked, whatever the first one says.
            operands.iter_mut().filter_map(|operand| in_filter(operand, ask).then_some(())).count() > 0
        }
    }
}

/// Tells whether an attribute points at resources: `members`, `manager`.
fn points_at_resources(attribute: &Attribute) -> bool {
    let to_a_kind = |reference: &Attribute| {
        reference.reference_types.iter().any(|name| name != "external" && name != "uri")
    };
    attribute.kind == Type::Complex
        && !attribute.is_read_only()
        && attribute.sub("value").is_some()
        && attribute.sub("$ref").is_some_and(to_a_kind)
}
