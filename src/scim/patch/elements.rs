//! The elements of multi-valued attributes: which are chosen, which are the same, which one is primary.

use serde_json::{Map, Value};

use super::super::doc::Document;
use super::super::error::{Refusal, Why};
use super::super::filter::Filter;
use super::super::filter::eval::{element_from, element_matches};
use super::super::fold;
use super::super::note::Rule;
use super::super::policy::{Primaries, Unmatched};
use super::super::schema::Attribute;
use super::Op;
use super::step::{Change, Work, is_list_of_objects, merge};

/// Which elements an operation is about.
pub(super) enum Choice<'a> {
    /// Those that match.
    Filter(&'a Filter),
    /// All of them: a sub-attribute was named without a filter.
    Every,
}

impl Choice<'_> {
    fn takes(&self, element: &Value, attribute: &Attribute) -> bool {
        match self {
            Self::Filter(filter) => element_matches(filter, element, attribute),
            Self::Every => true,
        }
    }
}

impl Work<'_> {
    /// Applies an operation to chosen elements, or to a single complex value if it is chosen (S126).
    pub(super) fn chosen(&mut self, change: &Change<'_>, choice: &Choice<'_>) -> Result<(), Refusal> {
        let extension = change.attr.extension.as_deref();
        let name = change.attribute.name.as_str();
        let mut elements = match self.document.attribute(extension, name) {
            Some(Value::Array(elements)) => elements.clone(),
            Some(single) => vec![single.clone()],
            None => Vec::new(),
        };
        let mut places: Vec<usize> = Vec::new();
        for (place, element) in elements.iter().enumerate() {
            if choice.takes(element, change.attribute) {
                places.push(place);
            }
        }
        if matches!(choice, Choice::Every) && change.op != Op::Remove && places.len() > 1 {
            let detail =
                format!("{} has several values: say which one, as in {name}[type eq \"work\"]", change.attr);
            return Err(Refusal::new(Why::NoTarget, detail));
        }
        if places.is_empty() && !self.find_or_make(change, choice, &mut elements, &mut places)? {
            return Ok(());
        }
        for place in &places {
            if let Some(element) = elements.get_mut(*place) {
                alter(element, change);
            }
        }
        elements.retain(|element| !is_nothing(element));
        let value = if change.attribute.multi_valued {
            Value::Array(elements)
        } else {
            elements.pop().unwrap_or(Value::Null)
        };
        self.document.set(extension, name, Some(value));
        self.drop_if_empty(extension, name);
        Ok(())
    }

    /// Finds another element to operate on when none was chosen, or makes one (S121). False: there is nothing to do.
    fn find_or_make(
        &mut self,
        change: &Change<'_>,
        choice: &Choice<'_>,
        elements: &mut Vec<Value>,
        places: &mut Vec<usize>,
    ) -> Result<bool, Refusal> {
        let no_target =
            || Refusal::new(Why::NoTarget, format!("no value of {} matches the path", change.attribute.name));
        if self.policy.unmatched == Unmatched::Refuse {
            return Err(no_target());
        }
        // A removal says of nothing that it has a type: sent again, it would take away what it did not mean.
        if let Choice::Filter(filter) = choice
            && change.op != Op::Remove
            && let Some((place, kind_of_use)) = untyped(filter, elements, change)
            && let Some(Value::Object(parts)) = elements.get_mut(place)
        {
            self.notes.add(Rule::TypeAdopted);
            parts.insert("type".to_owned(), kind_of_use);
            places.push(place);
            return Ok(true);
        }
        if change.op == Op::Remove {
            self.notes.add(Rule::NothingToRemove);
            return Ok(false);
        }
        if change.value.is_none() {
            return Ok(false);
        }
        let made = match choice {
            Choice::Filter(filter) => element_from(filter).ok_or_else(no_target)?,
            Choice::Every => Map::new(),
        };
        if !change.attribute.multi_valued && !elements.is_empty() {
            return Err(no_target());
        }
        self.notes.add(Rule::ElementCreated);
        places.push(elements.len());
        elements.push(if change.attribute.sub_attributes.is_empty() {
            Value::Null
        } else {
            Value::Object(made)
        });
        Ok(true)
    }
}

/// Finds the element that a filter on `type` means although it has no type: the primary one, or the only one, of a list in
/// which no element was ever given a type (D-X4).
fn untyped(filter: &Filter, elements: &[Value], change: &Change<'_>) -> Option<(usize, Value)> {
    change.attribute.sub("type")?;
    let wanted = element_from(filter)?;
    let kind_of_use = wanted.get("type")?;
    if wanted.len() != 1
        || kind_of_use.as_str() != Some("work")
        || elements.iter().any(|element| element.get("type").is_some())
    {
        return None;
    }
    let primary = elements.iter().position(is_primary);
    let only = (elements.len() == 1).then_some(0);
    primary.or(only).map(|place| (place, kind_of_use.clone()))
}

/// Applies an operation to one element. What is to go becomes `null`.
fn alter(element: &mut Value, change: &Change<'_>) {
    let Some(sub) = change.sub else {
        match (change.op, change.value) {
            (Op::Remove, _) | (Op::Replace, None) => *element = Value::Null,
            (Op::Add | Op::Replace, Some(Value::Object(parts))) => merge(element, parts, change.op),
            (Op::Add | Op::Replace, Some(value)) => *element = value.clone(),
            (Op::Add, None) => {}
        }
        return;
    };
    let Value::Object(parts) = element else { return };
    match (change.op, change.value) {
        (Op::Remove, _) | (Op::Replace, None) => {
            parts.shift_remove(&sub.name);
            // An element that only says what its value would be used for says nothing.
            if parts.keys().all(|name| matches!(name.as_str(), "type" | "primary" | "display")) {
                *element = Value::Null;
            }
        }
        (Op::Add | Op::Replace, Some(value)) => {
            parts.insert(sub.name.clone(), value.clone());
        }
        (Op::Add, None) => {}
    }
}

/// Tells whether nothing is left of an element.
fn is_nothing(element: &Value) -> bool {
    match element {
        Value::Null => true,
        Value::Object(parts) => parts.is_empty(),
        _ => false,
    }
}

/// Adds elements; one that is there already is brought up to date instead (S118, S119).
pub(super) fn add_all(known: &mut Vec<Value>, added: &[Value], attribute: &Attribute) {
    for element in added {
        match known.iter_mut().find(|other| is_same(other, element, attribute)) {
            Some(other) => {
                if let Value::Object(parts) = element {
                    merge(other, parts, Op::Add);
                }
            }
            None => known.push(element.clone()),
        }
    }
}

/// Tells whether two elements are one (S119): the same `value`, and the same `type` if both have one; without a `value`,
/// everything the same.
pub(super) fn is_same(left: &Value, right: &Value, attribute: &Attribute) -> bool {
    let (Some(left_value), Some(right_value)) = (left.get("value"), right.get("value")) else {
        return left == right;
    };
    let exact = attribute.sub("value").is_none_or(|value| value.case_exact);
    let same_value = match (left_value.as_str(), right_value.as_str()) {
        (Some(left), Some(right)) if !exact => fold::same(left, right),
        _ => left_value == right_value,
    };
    let same_type = match (left.get("type"), right.get("type")) {
        (Some(left), Some(right)) => left == right,
        _ => true,
    };
    same_value && same_type
}

fn is_primary(element: &Value) -> bool {
    element.get("primary").and_then(Value::as_bool) == Some(true)
}

/// Returns the elements that are primary before an operation.
pub(super) fn primaries(document: &Document, change: &Change<'_>) -> Vec<Value> {
    if !is_list_of_objects(change.attribute) || change.attribute.sub("primary").is_none() {
        return Vec::new();
    }
    let found = document
        .attribute(change.attr.extension.as_deref(), &change.attribute.name)
        .and_then(Value::as_array);
    found.into_iter().flatten().filter(|element| is_primary(element)).cloned().collect()
}

/// Leaves one element primary: the last that the operation made so (S29). Two that one operation makes so are refused
/// where the policy says so.
pub(super) fn keep_one_primary(
    work: &mut Work<'_>,
    change: &Change<'_>,
    before: &[Value],
) -> Result<(), Refusal> {
    if change.op == Op::Remove || change.attribute.sub("primary").is_none() {
        return Ok(());
    }
    let extension = change.attr.extension.as_deref();
    let name = change.attribute.name.as_str();
    let Some(Value::Array(elements)) = work.document.attribute(extension, name) else { return Ok(()) };
    let all: Vec<usize> =
        (0..elements.len()).filter(|&place| elements.get(place).is_some_and(is_primary)).collect();
    if all.len() < 2 {
        return Ok(());
    }
    let fresh: Vec<usize> = all
        .iter()
        .copied()
        .filter(|&place| elements.get(place).is_some_and(|element| !before.contains(element)))
        .collect();
    if fresh.len() > 1 {
        if work.policy.primaries == Primaries::Refuse {
            return Err(Refusal::new(
                Why::InvalidValue,
                format!("{name}: expected one primary value, found several"),
            ));
        }
        work.notes.add(Rule::SeveralPrimaries);
    }
    let winner = fresh.last().or(all.last()).copied();
    if let Some(Value::Array(elements)) = work.document.attributes_mut(extension).get_mut(name) {
        for place in all.into_iter().filter(|&place| Some(place) != winner) {
            if let Some(Value::Object(parts)) = elements.get_mut(place) {
                parts.insert("primary".to_owned(), Value::Bool(false));
            }
        }
    }
    Ok(())
}
