//! The document of a resource: what its clients wrote, in canonical spelling.
//!
//! It holds neither `id`, `meta` and `schemas`, which the server adds when it answers, nor `groups` and `members`, which
//! are edges in the store, nor anything secret. It is kept as segments, ready JSON per schema, that [`super::wire`]
//! splices into answers unread.

use serde_json::{Map, Value};

use super::schema::{Kind, MONEY};
use super::urn;

/// A resource's attributes, by schema.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// The attributes of the core schema, and `externalId`.
    pub core: Map<String, Value>,
    /// The extensions that hold data, by URN in canonical spelling. None is empty.
    pub extensions: Vec<(String, Map<String, Value>)>,
}

/// Two documents are equal when they say the same; the order in which extensions were sent says nothing (S105).
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.core == other.core
            && self.extensions.len() == other.extensions.len()
            && self.extensions.iter().all(|(id, attributes)| other.extension(id) == Some(attributes))
    }
}

/// Stored segments that are no document: the store is damaged, or another program wrote them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored segment of {urn} is not a JSON object")]
pub struct Damaged {
    /// The schema whose segment it is.
    pub urn: String,
}

/// What became of one attribute between two documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The attribute: `title`, or `urn:…:User:department` for one of an extension.
    pub name: String,
    /// What it was.
    pub old: Option<Value>,
    /// What it is.
    pub new: Option<Value>,
}

impl Document {
    /// Reads stored segments: pairs of schema URN and JSON object, the core schema's first.
    pub fn from_segments<'a>(
        segments: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Damaged> {
        let mut document = Self::default();
        for (place, (id, json)) in segments.into_iter().enumerate() {
            let attributes: Map<String, Value> =
                serde_json::from_str(json).map_err(|_| Damaged { urn: id.to_owned() })?;
            if place == 0 {
                document.core = attributes;
            } else if let Some(id) = id.strip_suffix(MONEY) {
                document.attributes_mut(Some(id)).extend(attributes);
            } else {
                document.extensions.push((id.to_owned(), attributes));
            }
        }
        Ok(document)
    }

    /// Writes the segments to store: the core schema's first (also when it holds nothing), then the extensions that hold
    /// data, in the order of the kind's list; financial attributes have a segment of their own.
    pub fn to_segments(&self, kind: &Kind) -> Vec<(String, String)> {
        let mut segments = Vec::with_capacity(self.extensions.len().saturating_add(1));
        segments.push((kind.core.id.clone(), json_of(&self.core)));
        for schema in &kind.extensions {
            let Some(attributes) = self.extension(&schema.id).filter(|attributes| !attributes.is_empty())
            else {
                continue;
            };
            if !schema.holds_money() {
                segments.push((schema.id.clone(), json_of(attributes)));
                continue;
            }
            let is_money = |name: &str| schema.attribute(name).is_some_and(|attribute| attribute.financial);
            let (money, plain): (Map<_, _>, Map<_, _>) =
                attributes.clone().into_iter().partition(|(name, _)| is_money(name));
            for (id, part) in [(schema.id.clone(), plain), (format!("{}{MONEY}", schema.id), money)] {
                if !part.is_empty() {
                    segments.push((id, json_of(&part)));
                }
            }
        }
        segments
    }

    /// Returns an attribute of the core schema, by canonical name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.core.get(name)
    }

    /// Returns a text attribute of the core schema, by canonical name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.core.get(name)?.as_str()
    }

    /// Returns an attribute of the core schema (`None`) or of an extension (`Some(urn)`), by canonical name.
    pub fn attribute(&self, extension: Option<&str>, name: &str) -> Option<&Value> {
        self.attributes(extension)?.get(name)
    }

    /// Returns `userName`.
    pub fn user_name(&self) -> Option<&str> {
        self.text("userName")
    }

    /// Returns `externalId`.
    pub fn external_id(&self) -> Option<&str> {
        self.text("externalId")
    }

    /// Returns `displayName`.
    pub fn display_name(&self) -> Option<&str> {
        self.text("displayName")
    }

    /// Tells whether the person may sign in as far as this document says: absent counts as true.
    pub fn is_active(&self) -> bool {
        self.core.get("active").and_then(Value::as_bool).unwrap_or(true)
    }

    /// Returns the `value`s of a list such as `emails`.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let elements = self.core.get(name).and_then(Value::as_array);
        elements.into_iter().flatten().filter_map(|element| element.get("value")?.as_str())
    }

    /// Returns the attributes of an extension that holds data, whatever the case of letters in the URN.
    pub fn extension(&self, id: &str) -> Option<&Map<String, Value>> {
        self.extensions.iter().find(|(name, _)| urn::same(name, id)).map(|(_, attributes)| attributes)
    }

    /// Returns the attributes of the core schema (`None`) or of an extension that holds data.
    pub fn attributes(&self, extension: Option<&str>) -> Option<&Map<String, Value>> {
        match extension {
            None => Some(&self.core),
            Some(id) => self.extension(id),
        }
    }

    /// Returns the attributes of the core schema or of an extension to be written to; makes the extension. Whoever may
    /// leave it empty calls [`Document::drop_empty_extensions`] afterwards.
    pub(crate) fn attributes_mut(&mut self, extension: Option<&str>) -> &mut Map<String, Value> {
        let Some(id) = extension else { return &mut self.core };
        let found = self.extensions.iter().position(|(name, _)| urn::same(name, id));
        let place = found.unwrap_or_else(|| {
            self.extensions.push((id.to_owned(), Map::new()));
            self.extensions.len().saturating_sub(1)
        });
        match self.extensions.get_mut(place) {
            Some((_, attributes)) => attributes,
            // Cannot be reached: the place was found or made just above.
            None => &mut self.core,
        }
    }

    /// Drops the extensions that hold nothing, so that their URNs leave `schemas` (S127).
    pub(crate) fn drop_empty_extensions(&mut self) {
        self.extensions.retain(|(_, attributes)| !attributes.is_empty());
    }

    /// Sets an attribute, or unassigns it.
    pub fn set(&mut self, extension: Option<&str>, name: &str, value: Option<Value>) {
        match value {
            Some(value) => {
                self.attributes_mut(extension).insert(name.to_owned(), value);
            }
            None => {
                if self.attribute(extension, name).is_some() {
                    self.attributes_mut(extension).shift_remove(name);
                    self.drop_empty_extensions();
                }
            }
        }
    }

    /// Lists what differs between two documents, attribute by attribute, for the audit. A password never stands in a
    /// document, and is left out here all the same.
    pub fn diff(old: &Self, new: &Self) -> Vec<Difference> {
        // Of what is new all differs.
        let mut found = Vec::with_capacity(if old.core.is_empty() { new.core.len() } else { 0 });
        diff_maps(None, Some(&old.core), Some(&new.core), &mut found);
        for (id, attributes) in &old.extensions {
            diff_maps(Some(id), Some(attributes), new.extension(id), &mut found);
        }
        for (id, attributes) in &new.extensions {
            if old.extension(id).is_none() {
                diff_maps(Some(id), None, Some(attributes), &mut found);
            }
        }
        found
    }
}

/// Writes an object as JSON.
fn json_of(attributes: &Map<String, Value>) -> String {
    // Maps with text keys always serialise; an empty object stands in for the impossible.
    serde_json::to_string(attributes).unwrap_or_else(|_| "{}".to_owned())
}

/// Lists what differs between two objects of attributes.
fn diff_maps(
    extension: Option<&str>,
    old: Option<&Map<String, Value>>,
    new: Option<&Map<String, Value>>,
    found: &mut Vec<Difference>,
) {
    let mut compare = |key: &String, before: Option<&Value>, after: Option<&Value>| {
        if before != after && !urn::same(key, "password") {
            let name = extension.map_or_else(|| key.clone(), |id| format!("{id}:{key}"));
            found.push(Difference { name, old: before.cloned(), new: after.cloned() });
        }
    };
    match (old.filter(|old| !old.is_empty()), new.filter(|new| !new.is_empty())) {
        (None, new) => new.into_iter().flatten().for_each(|(key, after)| compare(key, None, Some(after))),
        (old, None) => old.into_iter().flatten().for_each(|(key, before)| compare(key, Some(before), None)),
        // One wrote both, as a rule: the same names in the same order need no looking up.
        (Some(old), Some(new)) if old.keys().eq(new.keys()) => {
            let both = old.iter().zip(new.values());
            both.for_each(|((key, before), after)| compare(key, Some(before), Some(after)));
        }
        (Some(old), Some(new)) => {
            old.iter().for_each(|(key, before)| compare(key, Some(before), new.get(key)));
            let added = new.iter().filter(|(key, _)| !old.contains_key(*key));
            added.for_each(|(key, after)| compare(key, None, Some(after)));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::schema;

    fn document(core: Value, enterprise: Value) -> Document {
        let segments = [(urn::USER, core.to_string()), (urn::ENTERPRISE, enterprise.to_string())];
        let mut document =
            Document::from_segments(segments.iter().map(|(id, json)| (*id, json.as_str()))).unwrap();
        document.drop_empty_extensions();
        document
    }

    #[test]
    fn a_document_survives_its_segments() {
        let made = document(json!({"userName": "ada", "title": "CTO"}), json!({"department": "R&D"}));
        let segments = made.to_segments(&schema::user());
        assert_eq!(segments[0], (urn::USER.to_owned(), r#"{"userName":"ada","title":"CTO"}"#.to_owned()));
        let read = Document::from_segments(segments.iter().map(|(id, json)| (id.as_str(), json.as_str())));
        assert_eq!(read, Ok(made));
    }

    #[test]
    fn s127_an_empty_extension_is_no_segment() {
        let made = document(json!({"userName": "ada"}), json!({}));
        assert_eq!(made.to_segments(&schema::user()).len(), 1);
    }

    #[test]
    fn s105_the_order_of_attributes_and_extensions_says_nothing() {
        let in_order = |names: [&str; 2]| Document {
            extensions: names
                .iter()
                .map(|&id| (id.to_owned(), Map::from_iter([("a".to_owned(), json!(1))])))
                .collect(),
            ..document(json!({"userName": "ada", "title": "CTO"}), json!({}))
        };
        assert_eq!(in_order(["urn:x", "urn:y"]), in_order(["urn:y", "urn:x"]));
        assert_ne!(in_order(["urn:x", "urn:y"]), in_order(["urn:x", "urn:z"]));
        let one = document(json!({"userName": "ada", "title": "CTO"}), json!({}));
        assert_eq!(one, document(json!({"title": "CTO", "userName": "ada"}), json!({})));
    }

    #[test]
    fn a_damaged_segment_is_named() {
        let read = Document::from_segments([(urn::USER, "{}"), (urn::ENTERPRISE, "[")]);
        assert_eq!(read, Err(Damaged { urn: urn::ENTERPRISE.to_owned() }));
    }

    #[test]
    fn x58_the_difference_names_attributes_and_never_shows_a_password() {
        let old = document(json!({"userName": "ada", "title": "CTO", "password": "a"}), json!({}));
        let new = document(
            json!({"userName": "ada", "nickName": "A", "password": "b"}),
            json!({"department": "R&D"}),
        );
        let found = Document::diff(&old, &new);
        let names: Vec<&str> = found.iter().map(|difference| difference.name.as_str()).collect();
        assert_eq!(
            names,
            ["title", "nickName", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"]
        );
        assert_eq!(found[0].old, Some(json!("CTO")));
        assert_eq!(found[2].new, Some(json!("R&D")));
    }
}
