//! Types by schema (part 3, step 5): what a value is once the dialect is taken off it.
//!
//! `None` means unassigned: `null`, `[]`, an object of which nothing is left, and where the profile says so `""` (S25).

use std::fmt;

use serde_json::{Map, Number, Value};

use super::profile::{Empty, Profile, Types, Unknown};
use crate::scim::error::{Refusal, Why};
use crate::scim::filter::eval::instant;
use crate::scim::json;
use crate::scim::note::{Notes, Rule};
use crate::scim::schema::{Attribute, Clearing, Type};

/// Largest whole number that a decimal holds exactly; beyond it digits would be invented.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Where in a request a value stands; written out only when something is wrong with it.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// A top-level attribute of the core schema (`None`) or of an extension.
    Top(Option<&'a str>, &'a str),
    /// A part of another place.
    Part(&'a Place<'a>, &'a str),
    /// An element of another place.
    Element(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top(None, name) => f.write_str(name),
            Self::Top(Some(id), name) => write!(f, "{id}:{name}"),
            Self::Part(whole, name) => write!(f, "{whole}.{name}"),
            Self::Element(list, number) => write!(f, "{list}[{number}]"),
        }
    }
}

/// What becomes of parts that a client set to nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Nothing {
    /// They are left out.
    LeftOut,
    /// They stay as `null`: PATCH merges complex values, and `null` takes a part away.
    Kept,
}

/// Brings values to their types and remembers what it took.
pub(super) struct Coercion<'a> {
    pub(super) profile: &'a Profile,
    pub(super) notes: Notes,
    pub(super) shadow: Map<String, Value>,
}

impl<'a> Coercion<'a> {
    pub(super) fn new(profile: &'a Profile) -> Self {
        Self { profile, notes: Notes::new(), shadow: Map::new() }
    }

    /// Brings the value of an attribute to its type.
    pub(super) fn attribute(
        &mut self,
        value: Value,
        attribute: &Attribute,
        place: &Place<'_>,
        nothing: Nothing,
    ) -> Result<Option<Value>, Refusal> {
        if value.is_null() {
            return Ok(None);
        }
        if !attribute.multi_valued {
            return self.single(value, attribute, place, nothing);
        }
        let elements = match value {
            Value::Array(elements) => elements,
            single => {
                self.lenient(Rule::SingleAsList, "a list", &single, place)?;
                vec![single]
            }
        };
        // `""` alone is nothing, for members as for everything else.
        let names_somebody =
            attribute.name == "members" && elements.first().is_some_and(|first| first.as_str() != Some(""));
        let mut typed = Vec::with_capacity(elements.len());
        for (number, element) in elements.into_iter().enumerate() {
            let here = Place::Element(place, number);
            if element.is_null() {
                return Err(invalid(&here, "expected a value, found null"));
            }
            let element = self.single(element, attribute, &here, Nothing::LeftOut)?;
            if element.is_none() && names_somebody {
                // Whoever lists members means somebody. Left out, a list of nobody would empty the group.
                return Err(invalid(&here, "expected the member's id in value"));
            }
            typed.extend(element);
        }
        Ok((!typed.is_empty()).then_some(Value::Array(typed)))
    }

    /// Brings one value, or one element of a list, to its type.
    pub(super) fn single(
        &mut self,
        value: Value,
        attribute: &Attribute,
        place: &Place<'_>,
        nothing: Nothing,
    ) -> Result<Option<Value>, Refusal> {
        if value.is_null() {
            return Ok(None);
        }
        if let Value::String(text) = &value
            && text.is_empty()
            && self.is_nothing(attribute, place)?
        {
            return Ok(None);
        }
        match attribute.kind {
            Type::Complex => self.complex(value, attribute, place, nothing),
            Type::Boolean => self.boolean(value, place).map(Some),
            Type::String => self.string(value, attribute, place).map(Some),
            Type::Reference => expect(value, Value::is_string, "a URI in a string", place),
            Type::DateTime => {
                let fits = |value: &Value| value.as_str().is_some_and(|text| instant(text).is_some());
                expect(value, fits, "an instant such as \"2026-01-31T08:00:00Z\"", place)
            }
            Type::Binary => {
                expect(value, |value| value.as_str().is_some_and(is_base64), "base64 in a string", place)
            }
            Type::Integer => {
                let value = self.number(value, place)?;
                expect(value, |value| value.is_i64() || value.is_u64(), "a whole number", place)
            }
            Type::Decimal => expect(self.number(value, place)?, Value::is_number, "a number", place),
        }
    }

    /// Tells whether an empty string stands for no value (S122, X27).
    fn is_nothing(&mut self, attribute: &Attribute, place: &Place<'_>) -> Result<bool, Refusal> {
        if attribute.required {
            return Err(invalid(place, "a value is required, found an empty string"));
        }
        if attribute.name == "externalId" {
            return Ok(true);
        }
        let nothing = self.profile.empty == Empty::Unassigned && attribute.clearing == Clearing::Allowed;
        if nothing {
            self.notes.add(Rule::EmptyAsUnassigned);
        }
        Ok(nothing)
    }

    /// Notes a leniency, or refuses where the profile has none.
    fn lenient(
        &mut self,
        rule: Rule,
        expected: &str,
        found: &Value,
        place: &Place<'_>,
    ) -> Result<(), Refusal> {
        if self.profile.types == Types::Exact {
            return Err(invalid(place, format!("expected {expected}, found {}", name_of(found))));
        }
        self.notes.add(rule);
        Ok(())
    }

    /// A boolean; X29: beside true and false only the four strings that Entra writes, nothing is ever "falsy".
    fn boolean(&mut self, value: Value, place: &Place<'_>) -> Result<Value, Refusal> {
        let meant = match &value {
            Value::Bool(_) => return Ok(value),
            Value::String(text) if matches!(text.as_str(), "true" | "True") => true,
            Value::String(text) if matches!(text.as_str(), "false" | "False") => false,
            other => return Err(invalid(place, format!("expected true or false, found {}", name_of(other)))),
        };
        self.lenient(Rule::StringAsBoolean, "true or false", &value, place)?;
        Ok(Value::Bool(meant))
    }

    /// A number; custom attributes of many identity providers are strings, whatever they hold (D-E13). Nothing but the digits is taken.
    fn number(&mut self, value: Value, place: &Place<'_>) -> Result<Value, Refusal> {
        let meant = match &value {
            Value::String(text) if !text.contains(char::is_whitespace) => json::parse(text.as_bytes()).ok(),
            _ => None,
        };
        let Some(number) = meant.filter(Value::is_number) else { return Ok(value) };
        self.lenient(Rule::StringAsNumber, "a number", &value, place)?;
        Ok(number)
    }

    fn string(&mut self, value: Value, attribute: &Attribute, place: &Place<'_>) -> Result<Value, Refusal> {
        match value {
            Value::String(text) if attribute.required && text.trim().is_empty() => {
                Err(invalid(place, "a value is required, found blanks"))
            }
            Value::String(_) => Ok(value),
            Value::Number(ref number) => {
                self.lenient(Rule::NumberAsString, "a string", &value, place)?;
                digits(number).map(Value::String).ok_or_else(|| {
                    invalid(
                        place,
                        "expected a string, found a number that cannot be written without losing digits",
                    )
                })
            }
            other => Err(invalid(place, format!("expected a string, found {}", name_of(&other)))),
        }
    }

    /// A complex value: an object, or its `value` alone (D-E10).
    fn complex(
        &mut self,
        value: Value,
        attribute: &Attribute,
        place: &Place<'_>,
        nothing: Nothing,
    ) -> Result<Option<Value>, Refusal> {
        let parts = match value {
            Value::Object(parts) => parts,
            plain @ (Value::String(_) | Value::Number(_)) if attribute.sub("value").is_some() => {
                self.lenient(Rule::StringAsComplex, "an object", &plain, place)?;
                Map::from_iter([("value".to_owned(), plain)])
            }
            other => return Err(invalid(place, format!("expected an object, found {}", name_of(&other)))),
        };
        let parts = self.unpack(parts, attribute);
        let emptied =
            nothing == Nothing::LeftOut && attribute.multi_valued && self.is_emptied(&parts, attribute);
        let typed = self.parts(parts, attribute, place, nothing)?;
        // A template whose macro had no value for the address still says what the address would be used for (D-O1).
        let hollow = emptied && typed.keys().all(|name| is_label(name));
        Ok((!typed.is_empty() && !hollow).then_some(Value::Object(typed)))
    }

    /// Tells whether an element says of a part that it has no value, other than of what only describes the element.
    fn is_emptied(&self, parts: &Map<String, Value>, attribute: &Attribute) -> bool {
        self.profile.empty == Empty::Unassigned
            && parts.iter().any(|(name, value)| {
                (value.is_null() || value.as_str() == Some(""))
                    && attribute.sub(name).is_some_and(|sub| !is_label(&sub.name))
            })
    }

    /// Types the parts of a complex value.
    fn parts(
        &mut self,
        parts: Map<String, Value>,
        attribute: &Attribute,
        place: &Place<'_>,
        nothing: Nothing,
    ) -> Result<Map<String, Value>, Refusal> {
        let mut typed = Map::with_capacity(parts.len());
        for (name, value) in parts {
            let Some(sub) = attribute.sub(&name).or_else(|| self.alias(&name, attribute)) else {
                // What IdPs say of a member besides its id is not ours to keep (S49, D-X22).
                if attribute.name != "members" {
                    self.unknown(&Place::Part(place, &name), value)?;
                }
                continue;
            };
            if sub.is_read_only() || sub.is_secret() {
                continue;
            }
            match self.attribute(value, sub, &Place::Part(place, &sub.name), nothing)? {
                Some(value) => {
                    typed.entry(sub.name.as_str()).or_insert(value);
                }
                None if nothing == Nothing::Kept => {
                    typed.entry(sub.name.as_str()).or_insert(Value::Null);
                }
                None => {}
            }
        }
        Ok(typed)
    }

    /// Entra calls the `display` of a role `displayName` (D-E12).
    fn alias<'k>(&mut self, name: &str, attribute: &'k Attribute) -> Option<&'k Attribute> {
        let display = attribute.sub("display").filter(|display| !display.is_read_only())?;
        if self.profile.types == Types::Exact || !name.eq_ignore_ascii_case("displayName") {
            return None;
        }
        self.notes.add(Rule::DisplayNameAsDisplay);
        Some(display)
    }

    /// Unpacks a role or an entitlement whose `value` is a string that holds a JSON object with a `value` (D-E12).
    fn unpack(&mut self, mut parts: Map<String, Value>, attribute: &Attribute) -> Map<String, Value> {
        let inner = parts.get("value").and_then(Value::as_str).and_then(|text| self.packed(text, attribute));
        let Some(inner) = inner else { return parts };
        self.notes.add(Rule::JsonInString);
        parts.shift_remove("value");
        for (name, value) in inner {
            parts.entry(name).or_insert(value);
        }
        parts
    }

    /// Reads the JSON object within a string, where the profile and the attribute have such.
    fn packed(&self, text: &str, attribute: &Attribute) -> Option<Map<String, Value>> {
        let may_be_packed = matches!(attribute.name.as_str(), "roles" | "entitlements");
        if self.profile.types == Types::Exact || !may_be_packed || !text.starts_with('{') {
            return None;
        }
        match json::parse(text.as_bytes()) {
            Ok(Value::Object(inner)) if inner.get("value").is_some_and(Value::is_string) => Some(inner),
            _ => None,
        }
    }

    /// Unpacks a value that is set alone, by `roles[…].value` (D-E12).
    pub(super) fn unpack_alone(&mut self, value: Value, attribute: &Attribute, sub: &Attribute) -> Value {
        let inner =
            value.as_str().filter(|_| sub.name == "value").and_then(|text| self.packed(text, attribute));
        match inner.and_then(|mut inner| inner.shift_remove("value")) {
            Some(inner) => {
                self.notes.add(Rule::JsonInString);
                inner
            }
            None => value,
        }
    }

    /// Does with an unknown attribute of a body what the profile says (S33).
    pub(super) fn unknown(&mut self, place: &Place<'_>, value: Value) -> Result<(), Refusal> {
        match self.profile.unknown {
            Unknown::Refuse => {
                Err(Refusal::new(Why::InvalidSyntax, format!("{place} is not an attribute of the schema")))
            }
            Unknown::Ignore => Ok(()),
            Unknown::Keep => {
                self.keep(place.to_string(), value);
                Ok(())
            }
        }
    }

    /// Keeps what the schema does not know beside the document.
    pub(super) fn keep(&mut self, name: String, value: Value) {
        self.notes.add(Rule::UnknownAttribute);
        self.shadow.insert(name, value);
    }
}

/// Tells whether a part only describes the element that it is part of.
fn is_label(name: &str) -> bool {
    matches!(name, "type" | "primary" | "display")
}

/// Lets a value pass that satisfies a test.
fn expect(
    value: Value,
    fits: impl Fn(&Value) -> bool,
    expected: &str,
    place: &Place<'_>,
) -> Result<Option<Value>, Refusal> {
    if fits(&value) {
        Ok(Some(value))
    } else {
        Err(invalid(place, format!("expected {expected}, found {}", name_of(&value))))
    }
}

/// Writes a number as the digits that were sent, if they are still known.
fn digits(number: &Number) -> Option<String> {
    match number.as_f64() {
        _ if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Some(decimal) if decimal.abs() < EXACT_MAX => Some(number.to_string()),
        _ => None,
    }
}

/// Tells whether a text is base64 (RFC 4648 §4 or §5), padded or not.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().saturating_sub(body.len()) <= 2
        && body.len() % 4 != 1
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_'))
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

pub(super) fn invalid(place: &Place<'_>, why: impl fmt::Display) -> Refusal {
    Refusal::new(Why::InvalidValue, format!("{place}: {why}"))
}
