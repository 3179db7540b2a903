//! What must hold of a document before it is written (part 3, step 8), and what the server keeps in order by itself.
//!
//! Types have been settled when values came in; this is about the document as a whole.

use serde_json::{Map, Value};

use super::doc::Document;
use super::error::{Refusal, Why, quoted};
use super::note::{Notes, Rule};
use super::policy::{Policy, Primaries};
use super::precis;
use super::schema::{Attribute, Canonical, Kind, Mutability, Schema, Type};

/// Longest text of one attribute.
pub const TEXT_BYTES_MAX: usize = 8 * 1024;
/// Longest binary value of one attribute, in base64.
pub const BINARY_BYTES_MAX: usize = 64 * 1024;
/// Longest name or identifier by which a resource is found: they become keys of indexes.
pub const NAME_BYTES_MAX: usize = 512;
/// Most values of one multi-valued attribute. Members are not among them: they are edges.
pub const VALUES_MAX: usize = 500;

/// Brings a new document into order (stale `name.formatted`, one primary per list) and checks it: required attributes,
/// immutable ones against `before`, enforced canonical values, sizes.
pub fn finish(
    document: &mut Document,
    before: Option<&Document>,
    kind: &Kind,
    policy: &Policy,
) -> Result<Notes, Refusal> {
    let mut notes = Notes::new();
    if let Some(before) = before
        && rebuild_formatted(document, before)
    {
        notes.turn_to(None, "name");
        notes.add(Rule::FormattedRebuilt);
    }
    check_schema(
        &mut document.core,
        before.map(|before| &before.core),
        Some(kind),
        &kind.core,
        policy.primaries,
        &mut notes,
    )?;
    for schema in &kind.extensions {
        let old = before.and_then(|before| before.extension(&schema.id));
        let Some((_, attributes)) = document.extensions.iter_mut().find(|(id, _)| *id == schema.id) else {
            continue;
        };
        check_schema(attributes, old, None, schema, policy.primaries, &mut notes)
            .map_err(|refusal| refusal.within(&schema.id))?;
    }
    Ok(notes)
}

/// Checks the attributes of one schema; `common` is given for the core schema, whose object holds `externalId` too.
fn check_schema(
    attributes: &mut Map<String, Value>,
    before: Option<&Map<String, Value>>,
    common: Option<&Kind>,
    schema: &Schema,
    primaries: Primaries,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    for attribute in
        schema.attributes.iter().filter(|attribute| attribute.required && !attribute.is_read_only())
    {
        // Members are no part of the document, and cannot be required.
        if attributes.get(&attribute.name).is_none_or(is_blank) {
            return Err(invalid(format!("{} is required and must not be blank", attribute.name)));
        }
    }
    let before = before.filter(|_| schema.attributes.iter().any(is_fixed));
    for (name, value) in attributes.iter_mut() {
        let attribute = schema.attribute(name).or_else(|| common?.attribute(name));
        let Some(attribute) = attribute else { continue };
        if let Value::Array(elements) = value {
            notes.turn_to(common.is_none().then_some(&schema.id), name);
            check_list(elements, attribute, primaries, notes)?;
        } else {
            check_value(value, attribute, name)?;
        }
        if let Some(old) = before.and_then(|before| before.get(name)) {
            check_immutable(old, Some(value), attribute)?;
        }
    }
    for (name, old) in before.into_iter().flatten() {
        if !attributes.contains_key(name)
            && let Some(attribute) = schema.attribute(name)
        {
            check_immutable(old, None, attribute)?;
        }
    }
    Ok(())
}

/// Checks the values of a multi-valued attribute and leaves at most one of them primary.
fn check_list(
    elements: &mut [Value],
    attribute: &Attribute,
    primaries: Primaries,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    let name = &attribute.name;
    if elements.len() > VALUES_MAX {
        return Err(invalid(format!(
            "{name}: expected at most {VALUES_MAX} values, found {}",
            elements.len()
        )));
    }
    for element in &*elements {
        check_value(element, attribute, name)?;
    }
    let is_primary = |element: &Value| element.get("primary").and_then(Value::as_bool) == Some(true);
    if elements.iter().filter(|element| is_primary(element)).count() < 2 {
        return Ok(());
    }
    if primaries == Primaries::Refuse {
        return Err(invalid(format!("{name}: expected one primary value, found several")));
    }
    notes.add(Rule::SeveralPrimaries);
    for element in elements.iter_mut().rev().filter(|element| is_primary(element)).skip(1) {
        if let Value::Object(parts) = element {
            parts.insert("primary".to_owned(), Value::Bool(false));
        }
    }
    Ok(())
}

/// Checks one value and its parts.
fn check_value(value: &Value, attribute: &Attribute, place: &str) -> Result<(), Refusal> {
    match value {
        Value::String(text) => check_text(text, attribute, place),
        Value::Object(parts) => {
            for sub in attribute.sub_attributes.iter().filter(|sub| sub.required) {
                if parts.get(&sub.name).is_none_or(is_blank) {
                    return Err(invalid(format!("{place}.{} is required and must not be blank", sub.name)));
                }
            }
            for (name, part) in parts {
                let Some(sub) = attribute.sub(name) else { continue };
                let elements = part.as_array().map_or(std::slice::from_ref(part), Vec::as_slice);
                if elements.len() > VALUES_MAX {
                    return Err(invalid(format!("{place}.{name}: expected at most {VALUES_MAX} values")));
                }
                for element in elements {
                    if let Value::String(text) = element {
                        check_text(text, sub, &format!("{place}.{name}"))?;
                    }
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_text(text: &str, attribute: &Attribute, place: &str) -> Result<(), Refusal> {
    let bytes_max = match attribute.kind {
        Type::Binary => BINARY_BYTES_MAX,
        _ if is_name(attribute) => NAME_BYTES_MAX,
        _ => TEXT_BYTES_MAX,
    };
    if text.len() > bytes_max {
        return Err(invalid(format!("{place}: expected at most {bytes_max} bytes, found {}", text.len())));
    }
    if attribute.name == "userName" {
        precis::user_name(text)?;
    }
    let same = |known: &String| {
        if attribute.case_exact { known == text } else { super::fold::same(known, text) }
    };
    if attribute.canonical == Canonical::Enforced && !attribute.canonical_values.iter().any(same) {
        let known = attribute.canonical_values.join(", ");
        return Err(invalid(format!("{place}: expected one of {known}, found {}", quoted(text))));
    }
    Ok(())
}

/// Tells whether resources are found by the attribute.
fn is_name(attribute: &Attribute) -> bool {
    match attribute.name.as_str() {
        "userName" | "externalId" => true,
        // A group's. A person's is for people only.
        "displayName" => attribute.required,
        _ => false,
    }
}

/// Checks that what may be set once is what it was; of a complex value, part by part (S40).
/// Tells whether an attribute, or a part of it, cannot be changed once it is set.
fn is_fixed(attribute: &Attribute) -> bool {
    let mut all = std::iter::once(attribute).chain(&attribute.sub_attributes);
    all.any(|one| one.mutability == Mutability::Immutable)
}

fn check_immutable(old: &Value, new: Option<&Value>, attribute: &Attribute) -> Result<(), Refusal> {
    if attribute.mutability == Mutability::Immutable && new != Some(old) {
        return Err(Refusal::new(
            Why::Mutability,
            format!("{} cannot be changed once it is set", attribute.name),
        ));
    }
    if let (Value::Object(old), Some(Value::Object(new))) = (old, new) {
        for sub in attribute.sub_attributes.iter().filter(|sub| sub.mutability == Mutability::Immutable) {
            if old.get(&sub.name).is_some_and(|old| new.get(&sub.name) != Some(old)) {
                let place = format!("{}.{}", attribute.name, sub.name);
                return Err(Refusal::new(
                    Why::Mutability,
                    format!("{place} cannot be changed once it is set"),
                ));
            }
        }
    }
    Ok(())
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Rebuilds `name.formatted` when the parts changed and it did not (D-K4): Okta sends back what it was given before.
fn rebuild_formatted(document: &mut Document, before: &Document) -> bool {
    const PARTS: [&str; 5] = ["honorificPrefix", "givenName", "middleName", "familyName", "honorificSuffix"];
    let Some(Value::Object(old)) = before.core.get("name") else { return false };
    let Some(Value::Object(new)) = document.core.get_mut("name") else { return false };
    let stale = new.get("formatted").is_some_and(|formatted| old.get("formatted") == Some(formatted));
    if !stale || PARTS.iter().all(|part| old.get(*part) == new.get(*part)) {
        return false;
    }
    let parts = PARTS.iter().filter_map(|part| new.get(*part)?.as_str());
    let formatted = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    if formatted.is_empty() {
        new.shift_remove("formatted");
        if new.is_empty() {
            // With its last part the name itself is unassigned.
            document.core.shift_remove("name");
        }
    } else {
        new.insert("formatted".to_owned(), Value::String(formatted));
    }
    true
}

fn invalid(detail: String) -> Refusal {
    Refusal::new(Why::InvalidValue, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::schema;

    fn document(core: Value) -> Document {
        let Value::Object(core) = core else { panic!("expected an object") };
        Document { core, extensions: Vec::new() }
    }

    fn finished(core: Value, before: Option<Value>) -> Result<Value, Why> {
        let mut made = document(core);
        let before = before.map(document);
        finish(&mut made, before.as_ref(), &schema::user(), &Policy::AUTO)
            .map(|_| Value::Object(made.core))
            .map_err(|refusal| refusal.why)
    }

    #[test]
    fn s44_a_required_attribute_is_there_and_not_blank() {
        for core in [json!({}), json!({"userName": ""}), json!({"userName": " \t"})] {
            assert_eq!(finished(core, None), Err(Why::InvalidValue));
        }
        assert!(finished(json!({"userName": "ada"}), None).is_ok());
    }

    #[test]
    fn s29_of_two_primaries_the_last_wins_or_neither() {
        let two = json!({"userName": "ada", "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]});
        let made = finished(two.clone(), None).unwrap();
        assert_eq!(
            made["emails"],
            json!([{"value": "a", "primary": false}, {"value": "b", "primary": true}])
        );
        let strict = finish(&mut document(two), None, &schema::user(), &Policy::STRICT);
        assert_eq!(strict.map_err(|refusal| refusal.why), Err(Why::InvalidValue));
    }

    #[test]
    fn s120_s123_a_name_whose_last_part_goes_takes_its_stale_formatted_form_with_it() {
        let before = json!({"userName": "ada", "name": {"formatted": "Ada", "givenName": "Ada"}});
        let after =
            |name: Value| finished(json!({"userName": "ada", "name": name}), Some(before.clone())).unwrap();
        assert_eq!(after(json!({"formatted": "Ada"})), json!({"userName": "ada"}));
        let empty = after(json!({"formatted": "Ada", "givenName": "", "familyName": "Byron"}));
        assert_eq!(empty["name"]["formatted"], "Byron");
    }

    #[test]
    fn d_k4_a_stale_formatted_name_is_rebuilt_and_a_new_one_is_kept() {
        let before = json!({"userName": "ada", "name": {"formatted": "Ada Byron", "givenName": "Ada", "familyName": "Byron"}});
        let sent = json!({"userName": "ada", "name": {"formatted": "Ada Byron", "givenName": "Ada", "middleName": "King", "familyName": "Byron"}});
        assert_eq!(
            finished(sent.clone(), Some(before.clone())).unwrap()["name"]["formatted"],
            "Ada King Byron"
        );
        let mut fresh = sent;
        fresh["name"]["formatted"] = json!("Countess");
        assert_eq!(finished(fresh, Some(before)).unwrap()["name"]["formatted"], "Countess");
    }

    #[test]
    fn what_a_stranger_can_make_bigger_ends_somewhere() {
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert_eq!(finished(json!({"userName": "ada", "title": long}), None), Err(Why::InvalidValue));
        assert_eq!(
            finished(json!({"userName": "a".repeat(NAME_BYTES_MAX + 1)}), None),
            Err(Why::InvalidValue)
        );
        let many: Vec<Value> = (0..=VALUES_MAX).map(|number| json!({"value": number.to_string()})).collect();
        assert_eq!(finished(json!({"userName": "ada", "roles": many}), None), Err(Why::InvalidValue));
    }
}
