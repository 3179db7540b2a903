//! Which attributes a client wants to see: `attributes` and `excludedAttributes` (RFC 7644 §3.9, S85).

use serde_json::{Map, Value};

use super::attr::{Resolved, resolve};
use super::error::{Refusal, Why};
use super::schema::{Attribute, Kind, Returned};

/// What of a resource is part of an answer. `id` and `schemas` always are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projection(Mode);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Mode {
    /// What is returned by default.
    #[default]
    Default,
    /// What was named.
    Only(Vec<Selected>),
    /// What is returned by default, but for what was named.
    Except(Vec<Selected>),
}

/// A name in the list: a whole schema, an attribute or a sub-attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Selected {
    extension: Option<String>,
    /// `None`: everything in the schema.
    name: Option<String>,
    sub: Option<String>,
}

/// How much of an attribute is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// All of it.
    Whole,
    /// These sub-attributes only.
    Only(Vec<String>),
    /// All but these sub-attributes.
    Except(Vec<String>),
    /// Nothing.
    Nothing,
}

impl Projection {
    /// Shows what is returned by default.
    pub const ALL: Self = Self(Mode::Default);

    /// Parses the two query parameters (comma lists). Unknown names are ignored; both at once are refused.
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>, kind: &Kind) -> Result<Self, Refusal> {
        let given = |list: Option<&str>| list.is_some_and(|list| !list.trim().is_empty());
        match (given(attributes), given(excluded)) {
            (true, true) => Err(Refusal::new(
                Why::InvalidValue,
                "expected either attributes or excludedAttributes, found both",
            )),
            (true, false) => Ok(Self(Mode::Only(selected(attributes.unwrap_or(""), kind)))),
            (false, true) => Ok(Self(Mode::Except(selected(excluded.unwrap_or(""), kind)))),
            (false, false) => Ok(Self::ALL),
        }
    }

    /// Tells whether it leaves everything as it is, so that stored bytes can be answered as they are.
    pub fn is_all(&self) -> bool {
        match &self.0 {
            Mode::Default => true,
            Mode::Only(_) => false,
            Mode::Except(selected) => selected.is_empty(),
        }
    }

    /// Tells whether an attribute of the core schema, or a part of it, is wanted: `wants("members")` says whether they need be
    /// loaded at all (S86).
    pub fn wants(&self, name: &str) -> bool {
        match &self.0 {
            Mode::Default => true,
            Mode::Only(selected) => selected.iter().any(|selected| selected.is_in(None, name)),
            Mode::Except(selected) => {
                !selected.iter().any(|selected| selected.sub.is_none() && selected.is_in(None, name))
            }
        }
    }

    /// Tells whether a part of an attribute of the core schema is asked for by its own name, as what is returned on request only must be.
    pub fn names(&self, name: &str, sub: &str) -> bool {
        let Mode::Only(selected) = &self.0 else { return false };
        selected
            .iter()
            .any(|one| one.name.is_some() && one.is_in(None, name) && one.sub.as_deref() == Some(sub))
    }

    /// Says how much of an attribute is shown.
    pub(super) fn shows(&self, extension: Option<&str>, name: &str, returned: Returned) -> Shown {
        let here = |selected: &&Selected| selected.is_in(extension, name);
        let subs = |selected: &[Selected]| {
            selected.iter().filter(here).map(|one| one.sub.clone()).collect::<Option<Vec<_>>>()
        };
        match (&self.0, returned) {
            (_, Returned::Never) | (Mode::Default | Mode::Except(_), Returned::Request) => Shown::Nothing,
            (_, Returned::Always) | (Mode::Default, Returned::Default) => Shown::Whole,
            (Mode::Only(selected), _) => match subs(selected) {
                Some(subs) if subs.is_empty() => Shown::Nothing,
                Some(subs) => Shown::Only(subs),
                None => Shown::Whole,
            },
            (Mode::Except(selected), Returned::Default) => match subs(selected) {
                Some(subs) if subs.is_empty() => Shown::Whole,
                Some(subs) => Shown::Except(subs),
                None => Shown::Nothing,
            },
        }
    }

    /// Leaves only what is shown of the attributes of a schema.
    pub(super) fn keep(&self, extension: Option<&str>, attributes: &mut Map<String, Value>, kind: &Kind) {
        attributes.retain(|name, value| {
            let attribute = kind.attribute_of(extension, name);
            let returned = attribute.map_or(Returned::Default, |found| found.returned);
            match (self.shows(extension, name, returned), attribute) {
                (Shown::Nothing, _) => return false,
                (Shown::Whole, Some(attribute)) if attribute.sub_attributes.iter().any(is_held_back) => {
                    keep_parts(value, &Shown::Whole, attribute);
                }
                (Shown::Whole, _) => return true,
                (partly, Some(attribute)) => keep_parts(value, &partly, attribute),
                // Stored under a name that the schema does not have: nobody can have asked for a part of it.
                (_, None) => return false,
            }
            !matches!(value, Value::Object(parts) if parts.is_empty())
                && !matches!(value, Value::Array(elements) if elements.is_empty())
        });
    }
}

impl Shown {
    /// Tells whether a sub-attribute is shown.
    pub(super) fn has(&self, sub: &str) -> bool {
        match self {
            Self::Whole => true,
            Self::Nothing => false,
            Self::Only(subs) => subs.iter().any(|known| known == sub),
            Self::Except(subs) => !subs.iter().any(|known| known == sub),
        }
    }
}

impl Selected {
    fn is_in(&self, extension: Option<&str>, name: &str) -> bool {
        self.extension.as_deref() == extension && self.name.as_deref().is_none_or(|selected| selected == name)
    }
}

/// Tells whether a part is shown only to those who name it.
fn is_held_back(sub: &Attribute) -> bool {
    sub.returned == Returned::Request
}

/// Leaves only what is shown of a complex value, or of each of a list. A part that is always returned goes with whatever else is
/// shown of its value; one that is returned on request must be named itself.
fn keep_parts(value: &mut Value, shown: &Shown, attribute: &Attribute) {
    match value {
        Value::Object(parts) => {
            parts.retain(|name, _| match attribute.sub(name).map_or(Returned::Default, |sub| sub.returned) {
                Returned::Always => true,
                Returned::Request => matches!(shown, Shown::Only(_)) && shown.has(name),
                Returned::Default | Returned::Never => shown.has(name),
            });
        }
        Value::Array(elements) => {
            for element in elements.iter_mut() {
                keep_parts(element, shown, attribute);
            }
            elements.retain(|element| !matches!(element, Value::Object(parts) if parts.is_empty()));
        }
        _ => {}
    }
}

/// Finds what the names of a comma list mean.
fn selected(list: &str, kind: &Kind) -> Vec<Selected> {
    let mut all = Vec::new();
    for name in list.split(',').map(str::trim) {
        match resolve(name, kind) {
            Resolved::Attribute { extension, attribute, sub } => all.push(Selected {
                extension: extension.map(str::to_owned),
                name: Some(attribute.name.clone()),
                sub: sub.map(|sub| sub.name.clone()),
            }),
            Resolved::Schema(schema) => {
                let extension = (schema.id != kind.core.id).then(|| schema.id.clone());
                all.push(Selected { extension, name: None, sub: None });
            }
            Resolved::Unknown => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::schema::{group, user};

    fn kept(attributes: Option<&str>, excluded: Option<&str>) -> Value {
        let projection = Projection::parse(attributes, excluded, &user()).unwrap();
        let Value::Object(mut core) = json!({
            "userName": "ada", "title": "CTO", "name": {"givenName": "Ada", "familyName": "Byron"},
            "emails": [{"value": "a@x", "type": "work"}, {"value": "b@x"}],
        }) else {
            panic!("expected an object")
        };
        projection.keep(None, &mut core, &user());
        Value::Object(core)
    }

    #[test]
    fn s85_names_are_found_in_any_case_with_urn_and_with_sub_attribute() {
        let list = "USERNAME, urn:ietf:params:scim:schemas:core:2.0:User:Name.GivenName,emails.value,colour";
        assert_eq!(
            kept(Some(list), None),
            json!({"userName": "ada", "name": {"givenName": "Ada"}, "emails": [{"value": "a@x"}, {"value": "b@x"}]})
        );
        assert_eq!(kept(Some("colour"), None), json!({}));
        assert_eq!(kept(Some(" "), Some("")), kept(None, None));
        assert_eq!(
            kept(None, Some("Title,emails,name.familyName,colour")),
            json!({"userName": "ada", "name": {"givenName": "Ada"}})
        );
    }

    #[test]
    fn s85_both_lists_at_once_are_refused() {
        let refused = Projection::parse(Some("title"), Some("name"), &user());
        assert_eq!(refused.map_err(|refusal| refusal.why), Err(Why::InvalidValue));
    }

    #[test]
    fn s86_members_that_nobody_wants_need_not_be_loaded() {
        let wants = |attributes, excluded| {
            Projection::parse(attributes, excluded, &group()).unwrap().wants("members")
        };
        assert!(wants(None, None));
        assert!(!wants(None, Some("Members")));
        assert!(wants(None, Some("members.type")));
        assert!(!wants(Some("displayName"), None));
        assert!(wants(Some("members.value"), None));
        assert!(wants(Some("urn:ietf:params:scim:schemas:core:2.0:Group"), None));
    }
}
