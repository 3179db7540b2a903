//! PATCH lowering (part 3, step 4): from what was sent to a list of operations, each with a path, typed by the schema.

use serde_json::{Map, Value};

use super::coerce::{Coercion, Nothing, Place};
use super::incoming::IncomingPatch;
use super::normalise::{check_schemas, syntax};
use super::profile::{Profile, RemoveWithoutPath, Types, Unknown};
use crate::scim::Kind;
use crate::scim::attr::AttrPath;
use crate::scim::error::{Refusal, Why, quoted};
use crate::scim::filter::{CompareOp, Filter, Literal};
use crate::scim::note::Rule;
use crate::scim::patch::{Op, Operation};
use crate::scim::path::{self, Path, Target};
use crate::scim::policy::ReadOnly;
use crate::scim::schema::Attribute;
use crate::scim::urn;

/// Most operations in one request (S132).
pub const OPERATIONS_MAX: usize = 10_000;
/// Most changes of attributes that the operations of one request come to; changes of members are not counted.
pub const ATTRIBUTE_CHANGES_MAX: usize = 1_000;

/// Normalises the body of a PATCH.
pub(super) fn patch(body: Value, kind: &Kind, profile: &Profile) -> Result<IncomingPatch, Refusal> {
    let Value::Object(mut body) = body else {
        return Err(syntax("expected a JSON object"));
    };
    let mut lowering = Lowering {
        coercion: Coercion::new(profile),
        kind,
        index: 0,
        operations: Vec::new(),
        attribute_changes: 0,
    };
    check_schemas(&body, urn::PATCH_OP, profile, &mut lowering.coercion.notes)?;
    let Some(Value::Array(operations)) = take(&mut body, "Operations") else {
        return Err(syntax("expected a list in Operations"));
    };
    if operations.is_empty() {
        return Err(syntax("expected at least one operation, found none"));
    }
    if operations.len() > OPERATIONS_MAX {
        let found = operations.len();
        let detail = format!("expected at most {OPERATIONS_MAX} operations, found {found}");
        return Err(Refusal::new(Why::TooMany, detail));
    }
    for (index, operation) in operations.into_iter().enumerate() {
        lowering.index = index;
        lowering.operation(operation).map_err(|refusal| refusal.within(&format!("Operations[{index}]")))?;
    }
    let Coercion { notes, shadow, .. } = lowering.coercion;
    Ok(IncomingPatch { operations: lowering.operations, shadow, notes })
}

/// Takes a member out of an object, whatever the case of letters in its name (S110).
fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let key = object.keys().find(|key| urn::same(key, name))?.clone();
    object.swap_remove(&key)
}

struct Lowering<'a> {
    coercion: Coercion<'a>,
    kind: &'a Kind,
    index: usize,
    operations: Vec<Operation>,
    attribute_changes: usize,
}

impl Lowering<'_> {
    /// Lowers one operation as it was sent.
    fn operation(&mut self, operation: Value) -> Result<(), Refusal> {
        let Value::Object(mut operation) = operation else {
            return Err(syntax("expected an object"));
        };
        let op = match take(&mut operation, "op") {
            Some(Value::String(word)) => Op::parse(&word).ok_or_else(|| {
                syntax(format!("expected add, replace or remove in op, found {}", quoted(&word)))
            })?,
            _ => return Err(syntax("expected add, replace or remove in op")),
        };
        let value = take(&mut operation, "value");
        self.coercion.notes.turn_away();
        match take(&mut operation, "path") {
            // authentik writes `"path": null` (D-A3).
            None | Some(Value::Null) => self.without_path(op, value),
            Some(Value::String(path)) if path.trim().is_empty() => self.without_path(op, value),
            Some(Value::String(path)) => self.with_path(op, &path, value),
            Some(_) => Err(Refusal::new(Why::InvalidPath, "expected a string in path")),
        }
    }

    /// An operation without a path: each name in its value is one (S116).
    fn without_path(&mut self, op: Op, value: Option<Value>) -> Result<(), Refusal> {
        let lists_what_goes = self.coercion.profile.remove_without_path == RemoveWithoutPath::Listed;
        if op == Op::Remove && !(lists_what_goes && matches!(value, Some(Value::Object(_)))) {
            return Err(Refusal::new(Why::NoTarget, "a removal needs a path"));
        }
        let Some(Value::Object(attributes)) = value else {
            return Err(Refusal::new(
                Why::InvalidValue,
                "without a path, expected an object of attributes in value",
            ));
        };
        if op == Op::Remove {
            self.coercion.notes.add(Rule::RemovalWithoutPath);
        }
        for (name, value) in attributes {
            if !urn::same(&name, "schemas") {
                self.with_path(op, &name, Some(value))?;
            }
        }
        Ok(())
    }

    /// An operation with a path.
    fn with_path(&mut self, op: Op, text: &str, value: Option<Value>) -> Result<(), Refusal> {
        if urn::same(text.trim(), "schemas") {
            return self.read_only(op, "schemas");
        }
        let (target, notes) = path::parse_noted(text, self.kind)?;
        if self.coercion.profile.holds_filters_to_the_grammar() {
            Filter::by_the_grammar(&notes)?;
        }
        self.coercion.notes.merge(&notes);
        match (target, value) {
            (Target::Unknown, value) => self.unknown(text, value),
            (Target::Core, Some(Value::Object(attributes))) => {
                self.coercion.notes.add(Rule::CoreAsContainer);
                if attributes.keys().any(|name| name.contains(':')) {
                    return Err(Refusal::new(
                        Why::InvalidPath,
                        "expected plain names of attributes within the core schema",
                    ));
                }
                self.without_path(op, Some(Value::Object(attributes)))
            }
            (Target::Core, _) => {
                Err(Refusal::new(Why::NoTarget, "expected attributes of the core schema in value"))
            }
            (Target::Known(Path::Extension(id)), Some(Value::Object(attributes))) => {
                for (name, value) in attributes {
                    self.with_path(op, &format!("{id}:{name}"), Some(value))?;
                }
                Ok(())
            }
            (Target::Known(path @ Path::Extension(_)), value) => match value {
                None | Some(Value::Null) => self.push(op, path, None),
                Some(Value::String(text)) if text.is_empty() => self.push(op, path, None),
                Some(_) => {
                    Err(Refusal::new(Why::InvalidValue, format!("{path}: expected an object of attributes")))
                }
            },
            (Target::Known(path @ Path::Attribute { .. }), value) => self.attribute(op, path, value),
        }
    }

    /// Types the value of an operation on an attribute.
    fn attribute(&mut self, op: Op, path: Path, value: Option<Value>) -> Result<(), Refusal> {
        let Path::Attribute { attr, filter } = &path else { return Ok(()) };
        let Some(attribute) = self.kind.attribute_of(attr.extension.as_deref(), &attr.name) else {
            return self.unknown(&path.to_string(), value);
        };
        let sub = attr.sub.as_deref().and_then(|sub| attribute.sub(sub));
        if let Some(meant) = self.primary_by_name(&path, attribute, value.as_ref()) {
            self.coercion.notes.turn_to(attr.extension.as_deref(), &attribute.name);
            self.coercion.notes.add(Rule::PrimaryByName);
            return self.attribute(op, meant, value);
        }
        self.coercion.notes.turn_to(attr.extension.as_deref(), &attribute.name);
        if attribute.is_secret() {
            self.coercion.notes.add(Rule::PasswordDropped);
            return Ok(());
        }
        if attribute.is_read_only() {
            return self.read_only(op, &attr.to_string());
        }
        if sub.is_some_and(Attribute::is_read_only) {
            // What is computed within a value is repeated by clients that read it before.
            return self.read_only(Op::Replace, &attr.to_string());
        }
        let missing = value.is_none() && op != Op::Remove;
        if missing && (op == Op::Add || self.coercion.profile.types == Types::Exact) {
            return Err(Refusal::new(Why::InvalidValue, format!("{path}: expected a value")));
        }
        let place = Place::Top(attr.extension.as_deref(), &attr.name);
        let typed = match (value, sub) {
            (None | Some(Value::Null), _) => None,
            // Only a list can lose some of its values; whatever else stands beside a removal's path says nothing new. A list
            // that names nothing removes nothing: it must not turn into a removal of everything.
            (Some(value), None) if op == Op::Remove && filter.is_none() && attribute.multi_valued => {
                let typed = self.coercion.attribute(value, attribute, &place, Nothing::LeftOut)?;
                Some(typed.unwrap_or_else(|| Value::Array(Vec::new())))
            }
            (Some(_), _) if op == Op::Remove => None,
            (Some(value), Some(sub)) => {
                let value = self.coercion.unpack_alone(value, attribute, sub);
                self.coercion.attribute(value, sub, &Place::Part(&place, &sub.name), Nothing::LeftOut)?
            }
            (Some(value), None) if filter.is_some() => {
                let value = only_element(value);
                self.coercion.single(value, attribute, &place, Nothing::Kept)?
            }
            (Some(value), None) => self.coercion.attribute(value, attribute, &place, Nothing::Kept)?,
        };
        self.push(op, path, typed)
    }

    /// Rippling writes `emails.primary` for the address of the primary e-mail (D-R3): a text that is no boolean.
    fn primary_by_name(&self, path: &Path, attribute: &Attribute, value: Option<&Value>) -> Option<Path> {
        let Path::Attribute { attr, filter: None } = path else { return None };
        let by_name = attr.sub.as_deref() == Some("primary") && attribute.multi_valued;
        let text = value?.as_str().filter(|text| !matches!(*text, "" | "true" | "True" | "false" | "False"));
        if !by_name || text.is_none() || self.coercion.profile.types == Types::Exact {
            return None;
        }
        let value = attribute.sub("value")?.name.clone();
        let primary = AttrPath { extension: None, name: "primary".to_owned(), sub: None };
        let filter = Filter::Compare { path: primary, op: CompareOp::Eq, value: Literal::Bool(true) };
        Some(Path::Attribute { attr: AttrPath { sub: Some(value), ..attr.clone() }, filter: Some(filter) })
    }

    /// An operation on what the server alone writes: left out where the profile says so (S129), but a removal is a mistake
    /// under every profile (X23).
    fn read_only(&mut self, op: Op, name: &str) -> Result<(), Refusal> {
        if op == Op::Remove || self.coercion.profile.policy.read_only == ReadOnly::Refuse {
            return Err(Refusal::new(Why::Mutability, format!("{name} is read-only")));
        }
        self.coercion.notes.add(Rule::ReadOnlyIgnored);
        Ok(())
    }

    /// An operation on what the schema does not know (S115).
    fn unknown(&mut self, text: &str, value: Option<Value>) -> Result<(), Refusal> {
        match self.coercion.profile.unknown {
            Unknown::Keep => {
                self.coercion.keep(text.to_owned(), value.unwrap_or(Value::Null));
                Ok(())
            }
            Unknown::Ignore | Unknown::Refuse => {
                let (schema, name) = self.schema_and_name(text);
                Err(Refusal::new(Why::InvalidPath, format!("{schema} has no attribute {}", quoted(name))))
            }
        }
    }

    /// Splits a path after the URN it begins with, and calls that schema by its name: an extension's URN alone is longer
    /// than what a detail text shows of a path, and would hide the name that is wrong (S13).
    fn schema_and_name<'t>(&'t self, text: &'t str) -> (&'t str, &'t str) {
        let schemas = self.kind.extensions.iter().chain([&self.kind.core]);
        let mut named = schemas.filter_map(|schema| {
            let (head, rest) = text.split_at_checked(schema.id.len())?;
            let name = rest.strip_prefix(':').filter(|_| urn::same(head, &schema.id))?;
            Some((schema.name.as_str(), name))
        });
        named.next().unwrap_or((&self.kind.name, text))
    }

    fn push(&mut self, op: Op, path: Path, value: Option<Value>) -> Result<(), Refusal> {
        let on_members = matches!(&path, Path::Attribute { attr, .. } if attr.extension.is_none() && attr.name == "members");
        self.attribute_changes = self.attribute_changes.saturating_add(usize::from(!on_members));
        if self.attribute_changes > ATTRIBUTE_CHANGES_MAX {
            let detail = format!(
                "expected at most {ATTRIBUTE_CHANGES_MAX} changes of attributes in one request, found more"
            );
            return Err(Refusal::new(Why::TooMany, detail));
        }
        self.operations.push(Operation { index: self.index, op, path, value });
        Ok(())
    }
}

/// Takes the element out of a list of one: what a filtered path is given is an element.
fn only_element(value: Value) -> Value {
    match value {
        Value::Array(mut elements) if elements.len() == 1 => elements.pop().unwrap_or(Value::Null),
        other => other,
    }
}
