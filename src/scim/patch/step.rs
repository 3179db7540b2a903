//! One operation on the working copy.

use serde_json::{Map, Value};

use super::super::attr::AttrPath;
use super::super::doc::Document;
use super::super::error::{Refusal, Why};
use super::super::note::{Notes, Rule};
use super::super::path::Path;
use super::super::policy::{Policy, ReadOnly, RemoveValues};
use super::super::schema::{Attribute, Clearing, Kind, Type};
use super::super::validate::VALUES_MAX;
use super::elements::{self, Choice};
use super::{MemberChange, Op, Operation};

/// The working copy and what has been found out on the way.
pub(super) struct Work<'a> {
    pub(super) document: Document,
    pub(super) members: Vec<MemberChange>,
    pub(super) notes: Notes,
    pub(super) kind: &'a Kind,
    pub(super) policy: &'a Policy,
}

/// An operation on an attribute, with its characteristics looked up.
pub(super) struct Change<'a> {
    pub(super) op: Op,
    pub(super) attr: &'a AttrPath,
    pub(super) attribute: &'a Attribute,
    pub(super) sub: Option<&'a Attribute>,
    pub(super) value: Option<&'a Value>,
}

impl Work<'_> {
    /// Applies one operation.
    pub(super) fn step(&mut self, operation: &Operation) -> Result<(), Refusal> {
        let (attr, filter) = match &operation.path {
            Path::Extension(id) => return self.extension(operation.op, id, operation.value.as_ref()),
            Path::Attribute { attr, filter } => (attr, filter.as_ref()),
        };
        let unknown =
            || Refusal::new(Why::InvalidPath, format!("{} has no attribute {attr}", self.kind.name));
        let attribute = self.kind.attribute_of(attr.extension.as_deref(), &attr.name).ok_or_else(unknown)?;
        let sub = match &attr.sub {
            Some(name) => Some(attribute.sub(name).ok_or_else(unknown)?),
            None => None,
        };
        self.notes.turn_to(attr.extension.as_deref(), &attribute.name);
        let change = Change { op: operation.op, attr, attribute, sub, value: operation.value.as_ref() };
        if attribute.is_read_only() || sub.is_some_and(Attribute::is_read_only) {
            return self.read_only(&change);
        }
        if attr.extension.is_none() && attr.name == "members" && self.kind.has_members() {
            return self.member_change(&change, filter);
        }
        if let Some(Value::Array(values)) = change.value {
            check_count(values, &change)?;
        }
        if self.is_left_alone(&change)? {
            return Ok(());
        }
        let primaries = elements::primaries(&self.document, &change);
        match filter {
            Some(filter) => self.chosen(&change, &Choice::Filter(filter))?,
            None if sub.is_some() => self.part(&change)?,
            None => self.whole(&change)?,
        }
        if let Some(Value::Array(values)) =
            self.document.attribute(attr.extension.as_deref(), &attribute.name)
        {
            check_count(values, &change)?;
        }
        elements::keep_one_primary(self, &change, &primaries)
    }

    /// An operation on what the server alone writes: left out where the policy says so (S129), a removal never (X23).
    fn read_only(&mut self, change: &Change<'_>) -> Result<(), Refusal> {
        let removed = change.op == Op::Remove && change.attribute.is_read_only();
        if removed || self.policy.read_only == ReadOnly::Refuse {
            return Err(mutability(format!("{} is read-only", change.attr)));
        }
        self.notes.add(Rule::ReadOnlyIgnored);
        Ok(())
    }

    /// Looks at what clears: required attributes cannot be, `active` is left as it is, and adding nothing does nothing.
    fn is_left_alone(&mut self, change: &Change<'_>) -> Result<bool, Refusal> {
        let target = change.sub.unwrap_or(change.attribute);
        if change.op == Op::Remove {
            let whole = change.value.is_none();
            if whole && (target.required || target.clearing == Clearing::Never) {
                return Err(mutability(format!("{} cannot be removed", change.attr)));
            }
            return Ok(false);
        }
        if change.value.is_some() {
            return Ok(false);
        }
        if target.clearing == Clearing::Never {
            self.notes.add(Rule::NullActiveKept);
            return Ok(true);
        }
        if target.required && change.op == Op::Replace {
            return Err(Refusal::new(Why::InvalidValue, format!("{} is required", change.attr)));
        }
        Ok(change.op == Op::Add)
    }

    /// An operation on a whole extension.
    fn extension(&mut self, op: Op, id: &str, value: Option<&Value>) -> Result<(), Refusal> {
        match (op, value) {
            (Op::Add | Op::Replace, Some(Value::Object(attributes))) => {
                for (name, value) in attributes {
                    let path = Path::attribute(Some(id), name);
                    let value = (!value.is_null()).then(|| value.clone());
                    self.step(&Operation { index: 0, op, path, value })?;
                }
                Ok(())
            }
            (Op::Add, _) => Ok(()),
            (Op::Remove | Op::Replace, _) => {
                // What is required is required of an extension that is there. What is computed is in no document, and not taken away.
                let has = |attribute: &&Attribute| {
                    attribute.is_read_only() && self.document.attribute(Some(id), &attribute.name).is_some()
                };
                let keeps = self.kind.extension(id).and_then(|schema| schema.attributes.iter().find(has));
                if let Some(attribute) = keeps {
                    return Err(mutability(format!("{id}:{} cannot be removed", attribute.name)));
                }
                self.document.attributes_mut(Some(id)).clear();
                self.document.drop_empty_extensions();
                Ok(())
            }
        }
    }

    /// An operation on a whole attribute.
    fn whole(&mut self, change: &Change<'_>) -> Result<(), Refusal> {
        let extension = change.attr.extension.as_deref();
        let name = change.attribute.name.as_str();
        let Some(value) = change.value else {
            if change.op == Op::Remove && self.document.attribute(extension, name).is_none() {
                self.notes.add(Rule::NothingToRemove);
            }
            self.document.set(extension, name, None);
            return Ok(());
        };
        if change.op == Op::Remove {
            return self.remove_values(change, value);
        }
        let attributes = self.document.attributes_mut(extension);
        match (value, change.attribute.multi_valued) {
            (Value::Array(values), true) if change.op == Op::Add => {
                let known = attributes.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(known) = known {
                    elements::add_all(known, values, change.attribute);
                }
            }
            (Value::Object(parts), false) => {
                let known = attributes.entry(name).or_insert_with(|| Value::Object(Map::new()));
                merge(known, parts, change.op);
            }
            _ => {
                attributes.insert(name.to_owned(), value.clone());
            }
        }
        self.drop_if_empty(extension, name);
        Ok(())
    }

    /// A removal that lists values (S124).
    fn remove_values(&mut self, change: &Change<'_>, value: &Value) -> Result<(), Refusal> {
        let extension = change.attr.extension.as_deref();
        let name = change.attribute.name.as_str();
        if self.policy.remove_values == RemoveValues::Refuse {
            return Err(Refusal::new(
                Why::InvalidSyntax,
                "a removal takes no value: name what goes in the path",
            ));
        }
        if change.attribute.required {
            return Err(mutability(format!("{} cannot be removed", change.attr)));
        }
        self.notes.add(Rule::RemovalByValue);
        let Value::Array(values) = value else {
            // A single-valued attribute has one value: it is the one to remove.
            self.document.set(extension, name, None);
            return Ok(());
        };
        if self.document.attribute(extension, name).is_some()
            && let Some(Value::Array(known)) = self.document.attributes_mut(extension).get_mut(name)
        {
            known.retain(|element| {
                !values.iter().any(|listed| elements::is_same(element, listed, change.attribute))
            });
        }
        self.drop_if_empty(extension, name);
        Ok(())
    }

    /// An operation on a sub-attribute without a filter: of a single value, or of all values of a list.
    fn part(&mut self, change: &Change<'_>) -> Result<(), Refusal> {
        if change.attribute.multi_valued {
            return self.chosen(change, &Choice::Every);
        }
        let (Some(sub), extension, name) =
            (change.sub, change.attr.extension.as_deref(), change.attribute.name.as_str())
        else {
            return Ok(());
        };
        let parts = Map::from_iter([(sub.name.clone(), change.value.cloned().unwrap_or(Value::Null))]);
        if change.op == Op::Remove {
            let present = self.document.attribute(extension, name).is_some();
            if present
                && let Some(Value::Object(known)) = self.document.attributes_mut(extension).get_mut(name)
            {
                known.shift_remove(&sub.name);
            }
        } else if change.value.is_some() || self.document.attribute(extension, name).is_some() {
            let attributes = self.document.attributes_mut(extension);
            merge(attributes.entry(name).or_insert_with(|| Value::Object(Map::new())), &parts, change.op);
        }
        self.drop_if_empty(extension, name);
        Ok(())
    }

    /// Unassigns an attribute of which nothing is left.
    pub(super) fn drop_if_empty(&mut self, extension: Option<&str>, name: &str) {
        let empty = match self.document.attribute(extension, name) {
            Some(Value::Array(elements)) => elements.is_empty(),
            Some(Value::Object(parts)) => parts.is_empty(),
            Some(Value::Null) => true,
            _ => false,
        };
        if empty {
            self.document.set(extension, name, None);
        }
    }
}

/// Merges parts into a complex value: unnamed parts stay (S120), `null` removes a part when it replaces (S122).
pub(super) fn merge(known: &mut Value, parts: &Map<String, Value>, op: Op) {
    let Value::Object(known) = known else {
        *known = Value::Object(parts.clone());
        return;
    };
    for (name, value) in parts {
        match (value, op) {
            (Value::Null, Op::Add) => {}
            (Value::Null, _) => {
                known.shift_remove(name);
            }
            (value, _) => {
                known.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Tells whether an attribute is a list of objects.
pub(super) fn is_list_of_objects(attribute: &Attribute) -> bool {
    attribute.multi_valued && attribute.kind == Type::Complex
}

/// Refuses more values than an attribute may have, at once: values are compared with each other, so that waiting for the end would
/// cost the square of what was sent.
fn check_count(values: &[Value], change: &Change<'_>) -> Result<(), Refusal> {
    if values.len() <= VALUES_MAX {
        return Ok(());
    }
    let detail = format!("{}: expected at most {VALUES_MAX} values, found {}", change.attr, values.len());
    Err(Refusal::new(Why::InvalidValue, detail))
}

pub(super) fn mutability(detail: String) -> Refusal {
    Refusal::new(Why::Mutability, detail)
}
