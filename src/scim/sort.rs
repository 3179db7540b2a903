//! In which order resources come: `sortBy` and `sortOrder` (RFC 7644 §3.4.2.3, S84).
//!
//! What a resource sorts by is turned into bytes once, so that a long list is sorted, held and cut by comparing bytes. Of a
//! list of values the primary one counts, else the first; what is unassigned sorts after everything.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value;

use super::attr::{AttrPath, Resolved, resolve};
use super::filter::{Subject, eval::instant};
use super::fold;
use super::schema::{Attribute, Kind, Type};

/// How much of a text counts; texts that agree so far are told apart by id.
pub const SORT_KEY_BYTES_MAX: usize = 512;

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortOrder {
    /// The least; unassigned ones last.
    #[default]
    Ascending,
    /// The greatest; unassigned ones first.
    Descending,
}

impl SortOrder {
    /// Reads `ascending` or `descending` in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let is = |word: &str| text.trim().eq_ignore_ascii_case(word);
        if is("ascending") { Some(Self::Ascending) } else { is("descending").then_some(Self::Descending) }
    }

    /// Compares two keys in this order.
    pub fn compare(self, left: &SortKey, right: &SortKey) -> Ordering {
        match self {
            Self::Ascending => left.cmp(right),
            Self::Descending => right.cmp(left),
        }
    }
}

/// What a resource sorts by: compares as its value does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey(Vec<u8>);

impl SortKey {
    /// The key of what is unassigned: after everything.
    pub fn unassigned() -> Self {
        Self(vec![tag::UNASSIGNED])
    }

    /// The key of an instant.
    pub fn of_instant(at: Timestamp) -> Self {
        let mut key = vec![tag::INSTANT];
        key.extend(shifted(at.as_second()).to_be_bytes());
        // Of a time before 1970 the fraction counts down.
        key.extend(shifted(i64::from(at.subsec_nanosecond())).to_be_bytes());
        Self(key)
    }

    /// The key of a text that is compared without regard to case; `None` where so long a text is not told from others by its key, or is
    /// empty.
    pub fn of_folded(text: &str) -> Option<Self> {
        let folded = fold::fold(text);
        (1..SORT_KEY_BYTES_MAX).contains(&folded.len()).then(|| {
            let mut key = vec![tag::TEXT];
            key.extend(folded.bytes());
            Self(key)
        })
    }

    /// The least key that a text or an instant can have that is of the same type as this one: keys of other types do not lie between
    /// it and [`SortKey::greatest_alike`].
    pub fn least_alike(&self) -> Vec<u8> {
        self.0.first().map_or_else(Vec::new, |tag| vec![*tag])
    }

    /// What is above every key of the same type.
    pub fn greatest_alike(&self) -> Vec<u8> {
        self.0.first().map_or_else(Vec::new, |tag| {
            let mut above = vec![*tag];
            // No text and no instant of this era holds as many bytes of 255.
            above.extend([u8::MAX; 17]);
            above
        })
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes back bytes that were given out.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Reads what a resource sorts by.
    pub fn of(path: &AttrPath, subject: &dyn Subject, kind: &Kind) -> Self {
        let extension = path.extension.as_deref();
        let key = || {
            let attribute = kind.attribute_of(extension, &path.name)?;
            let value = subject.attribute(extension, &path.name)?;
            let sub = path.sub.as_deref().or((attribute.kind == Type::Complex).then_some("value"));
            let single = match value.as_ref() {
                Value::Array(elements) => elements.iter().find(is_primary).or_else(|| elements.first())?,
                single => single,
            };
            match sub {
                None => encode(single, attribute),
                Some(sub) => encode(single.get(sub)?, attribute.sub(sub)?),
            }
        };
        key().map_or_else(Self::unassigned, Self)
    }
}

/// What begins a key: kinds of values do not mix.
mod tag {
    pub(super) const BOOLEAN: u8 = 1;
    pub(super) const NUMBER: u8 = 2;
    pub(super) const INSTANT: u8 = 3;
    pub(super) const TEXT: u8 = 4;
    pub(super) const UNASSIGNED: u8 = u8::MAX;
}

/// Finds the attribute that `sortBy` names; `None` for what is unknown, has no order (a complex attribute without a `value`), or
/// is secret (X25).
pub fn path(text: &str, kind: &Kind) -> Option<AttrPath> {
    let found = resolve(text.trim(), kind);
    let Resolved::Attribute { attribute, sub, .. } = found else { return None };
    let compared = match sub {
        Some(sub) => Some(sub),
        None if attribute.kind == Type::Complex => attribute.sub("value"),
        None => Some(attribute),
    };
    let open = |attribute: &Attribute| !attribute.is_secret();
    (open(attribute) && compared.is_some_and(open)).then(|| found.to_path())?
}

fn is_primary(element: &&Value) -> bool {
    element.get("primary").and_then(Value::as_bool) == Some(true)
}

/// Writes a value so that bytes compare as values do; `None` for what is unassigned.
fn encode(value: &Value, attribute: &Attribute) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    match value {
        Value::Bool(value) => key.extend([tag::BOOLEAN, u8::from(*value)]),
        Value::Number(number) => {
            key.push(tag::NUMBER);
            key.extend(ordered(number.as_f64()?).to_be_bytes());
            // Beyond 2^53 several whole numbers share a float.
            key.extend(shifted(number.as_i64().unwrap_or(0)).to_be_bytes());
        }
        Value::String(text) if text.is_empty() => return None,
        Value::String(text) => match instant(text).filter(|_| attribute.kind == Type::DateTime) {
            Some(at) => return Some(SortKey::of_instant(at).0),
            None => {
                key.push(tag::TEXT);
                let compared = if attribute.case_exact { text.into() } else { fold::fold(text) };
                key.extend(compared.bytes().take(SORT_KEY_BYTES_MAX));
            }
        },
        _ => return None,
    }
    Some(key)
}

/// Shifts a number so that its bits sort as it does.
const fn shifted(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

/// Arranges the bits of a float so that they sort as it does.
fn ordered(number: f64) -> u64 {
    let bits = if number == 0.0 { 0 } else { number.to_bits() };
    if bits >> 63 == 0 { bits | (1 << 63) } else { !bits }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::scim::Document;
    use crate::scim::schema::{group, user};

    fn document(core: Value) -> Document {
        let Value::Object(core) = core else { panic!("an object") };
        Document { core, extensions: vec![] }
    }

    fn key(by: &str, core: Value) -> SortKey {
        SortKey::of(&path(by, &user()).unwrap(), &document(core), &user())
    }

    #[test]
    fn s84_the_primary_value_counts_else_the_first() {
        let emails = json!({"emails": [{"value": "z@x"}, {"value": "A@x", "primary": true}]});
        assert_eq!(key("emails", emails.clone()), key("emails.value", json!({"emails": [{"value": "a@X"}]})));
        let first = json!({"emails": [{"value": "z@x"}, {"value": "a@x"}]});
        assert!(key("emails", first) > key("emails", emails));
    }

    #[test]
    fn s84_what_is_unassigned_comes_last_and_first_in_descending_order() {
        let (none, some) = (key("title", json!({})), key("title", json!({"title": "\u{10ffff}"})));
        assert_eq!(SortOrder::Ascending.compare(&none, &some), Ordering::Greater);
        assert_eq!(SortOrder::Descending.compare(&none, &some), Ordering::Less);
        assert_eq!(none, key("title", json!({"title": ""})));
    }

    #[test]
    fn s84_case_matters_where_the_schema_says_so() {
        let title = |text: &str| key("title", json!({ "title": text }));
        assert_eq!(title("ADA"), title("ada"));
        let external = |text: &str| key("externalId", json!({ "externalId": text }));
        assert!(external("ADA") < external("ada"));
    }

    #[test]
    fn s84_paths_may_have_urns_and_sub_attributes() {
        let shown = |text: &str| path(text, &user()).map(|path| path.to_string());
        assert_eq!(shown("NAME.familyname").as_deref(), Some("name.familyName"));
        assert_eq!(shown("urn:ietf:params:scim:schemas:core:2.0:User:title").as_deref(), Some("title"));
        assert_eq!(shown("meta.lastModified").as_deref(), Some("meta.lastModified"));
        for unknown in ["name", "colour", "emails.colour", "", "urn:ietf:params:scim:schemas:core:2.0:User"] {
            assert_eq!(shown(unknown), None, "{unknown}");
        }
        assert_eq!(path("userName", &group()), None);
    }

    #[test]
    fn x25_nobody_sorts_by_a_secret() {
        for spelling in ["password", "PassWord", "urn:ietf:params:scim:schemas:core:2.0:User:password"] {
            assert_eq!(path(spelling, &user()), None);
        }
    }

    #[test]
    fn x32_a_key_is_bounded_however_long_the_value() {
        let long = key("title", json!({"title": "x".repeat(1 << 20)}));
        assert_eq!(long.as_bytes().len(), SORT_KEY_BYTES_MAX + 1);
    }

    proptest! {
        #[test]
        fn s84_numbers_sort_as_numbers(a in any::<i64>(), b in any::<i64>(), x in -1e9..1e9_f64, y in -1e9..1e9_f64) {
            let encoded = |value: Value| encode(&value, &user().core.attributes[0]).unwrap();
            prop_assert_eq!(encoded(a.into()).cmp(&encoded(b.into())), a.cmp(&b));
            prop_assert_eq!(encoded(x.into()).cmp(&encoded(y.into())), x.partial_cmp(&y).unwrap());
        }
    }
}
