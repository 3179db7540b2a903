//! A document that is not parsed: single attributes are looked up in its stored text. For filters and orders that read many
//! resources and of each an attribute or two.

use std::borrow::Cow;

use serde_json::Value;

use super::filter::Subject;
use super::schema::MONEY;
use super::urn;

/// Stored segments, as [`super::Document::from_segments`] takes them.
#[derive(Debug, Clone)]
pub struct Sparse<'a> {
    segments: Vec<(&'a str, &'a str)>,
}

impl<'a> Sparse<'a> {
    /// Takes pairs of schema URN and JSON object, the core schema's first.
    pub const fn new(segments: Vec<(&'a str, &'a str)>) -> Self {
        Self { segments }
    }

    /// Finds the text of an attribute.
    fn text(&self, extension: Option<&str>, name: &str) -> Option<&'a str> {
        let Some(id) = extension else { return pick(self.segments.first()?.1, name) };
        // What is financial lies apart from the rest of its schema.
        let is_of = |segment: &str| urn::same(segment.strip_suffix(MONEY).unwrap_or(segment), id);
        self.segments
            .iter()
            .skip(1)
            .filter(|(segment, _)| is_of(segment))
            .find_map(|(_, json)| pick(json, name))
    }
}

impl Subject for Sparse<'_> {
    fn attribute(&self, extension: Option<&str>, name: &str) -> Option<Cow<'_, Value>> {
        // What is no JSON has been reported by the store's check; here it is nothing.
        serde_json::from_str(self.text(extension, name)?).ok().map(Cow::Owned)
    }
}

/// Finds the value of a member of a JSON object, by name, in its text. Nothing is found in what is no object.
pub fn pick<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let mut walk = Walk { text: object, at: 0 };
    walk.blanks();
    walk.takes(b'{').then_some(())?;
    loop {
        walk.blanks();
        let key = walk.value().filter(|key| key.starts_with('"'))?;
        walk.blanks();
        walk.takes(b':').then_some(())?;
        walk.blanks();
        let value = walk.value()?;
        // Stored text has no two of one name.
        if names(key, name) {
            return Some(value);
        }
        walk.blanks();
        walk.takes(b',').then_some(())?;
    }
}

/// Tells whether a key, with its quotes, spells a name.
fn names(key: &str, name: &str) -> bool {
    let plain = key.get(1..key.len().saturating_sub(1)).unwrap_or_default();
    if plain.contains('\\') {
        serde_json::from_str::<String>(key).is_ok_and(|decoded| decoded == name)
    } else {
        plain == name
    }
}

/// Walks over the text of JSON, value by value, without looking closer than it must.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.step();
        }
    }

    fn takes(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at = self.at.saturating_add(usize::from(found));
        found
    }

    /// Passes over a value, and returns its text.
    fn value(&mut self) -> Option<&'a str> {
        let start = self.at;
        match self.peek()? {
            b'"' => self.string()?,
            b'{' | b'[' => self.nested()?,
            _ => {
                while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
                    self.step();
                }
            }
        }
        // Both ends lie at ASCII bytes, hence between characters.
        self.text.get(start..self.at).filter(|text| !text.is_empty())
    }

    /// Passes over a string, from its first quote on.
    fn string(&mut self) -> Option<()> {
        self.step();
        let mut rest = self.text.as_bytes().get(self.at..)?.iter();
        loop {
            match rest.find(|byte| matches!(byte, b'"' | b'\\'))? {
                b'\\' => _ = rest.next()?,
                _ => {
                    self.at = self.text.len().saturating_sub(rest.as_slice().len());
                    return Some(());
                }
            }
        }
    }

    /// Passes over an object or an array, from its bracket on.
    fn nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth = depth.saturating_add(1),
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.step();
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::scim::Document;

    #[test]
    fn an_attribute_is_found_in_the_text_as_in_the_document() {
        let core = r#"{"userName":"ada","name":{"givenName":"A\"}da","familyName":"L"},"emails":[{"value":"a@b"},{"value":"]"}],"active":true,"x\u0041":1}"#;
        let enterprise = r#"{"department":"R&D"}"#;
        let money = r#"{"costRates":[{"amount":"1.50"}]}"#;
        let psa = format!("{}{MONEY}", urn::PSA);
        let segments = vec![(urn::USER, core), (urn::ENTERPRISE, enterprise), (psa.as_str(), money)];
        let document = Document::from_segments(segments.iter().copied()).unwrap();
        let sparse = Sparse::new(segments);
        for (extension, name) in [
            (None, "userName"),
            (None, "name"),
            (None, "emails"),
            (None, "active"),
            (None, "xA"),
            (None, "department"),
            (Some(urn::ENTERPRISE), "department"),
            (Some(&*urn::ENTERPRISE.to_uppercase()), "department"),
            (Some(urn::ENTERPRISE), "userName"),
            (Some(urn::PSA), "costRates"),
            (Some(urn::USER), "userName"),
        ] {
            assert_eq!(
                sparse.attribute(extension, name),
                document.attribute(extension, name).map(Cow::Borrowed),
                "{name}"
            );
        }
    }

    #[test]
    fn nothing_is_found_in_what_is_no_object() {
        for text in [
            "",
            "[",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":[",
            "{\"a\":\"",
            "{\"a\":\"\\",
            "\"a\"",
            "{a:1}",
            "{\"b\":1",
        ] {
            assert_eq!(pick(text, "a"), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_a_parser_finds_is_found(
            members in prop::collection::hash_map("[a-c\"\\\\é]{1,2}", prop_oneof![
                any::<i64>().prop_map(Value::from),
                Just(Value::Null),
                "[ -~é]{0,8}".prop_map(Value::from),
                prop::collection::vec("[]\\[{}\"\\\\,:]{0,4}", 0..3).prop_map(|texts| json!([{ "a": texts }, []])),
            ], 0..5),
            name in "[a-c\"\\\\é]{1,2}",
            is_pretty in any::<bool>(),
        ) {
            let object: Map<String, Value> = members.into_iter().collect();
            let text = if is_pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
            let found = pick(&text, &name).map(|value| serde_json::from_str::<Value>(value).unwrap());
            prop_assert_eq!(found.as_ref(), object.get(&name));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}:,\"\\\\a1é ]{0,24}") {
            let _ = pick(&text, "a");
        }
    }
}
