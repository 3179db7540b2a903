//! Which attribute a client means: names in any case, with or without the URN of a schema in front (S26, S114).
//!
//! URNs hold dots and colons themselves, so the end of one cannot be found by looking at the text: the longest URN that
//! the kind knows and that the text begins with is it.

use std::fmt;

use super::schema::{Attribute, Kind, Schema};
use super::urn;

/// An attribute or sub-attribute of a kind, in canonical spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttrPath {
    /// The URN of the extension that defines it; `None` for the core schema and the common attributes.
    pub extension: Option<String>,
    /// The attribute.
    pub name: String,
    /// The sub-attribute.
    pub sub: Option<String>,
}

impl AttrPath {
    /// Tells whether it is this attribute of the core schema, without a sub-attribute.
    pub fn is(&self, name: &str) -> bool {
        self.extension.is_none() && self.sub.is_none() && self.name == name
    }

    /// Tells whether it is this sub-attribute of an attribute of the core schema.
    pub fn is_sub(&self, name: &str, sub: &str) -> bool {
        self.extension.is_none() && self.name == name && self.sub.as_deref() == Some(sub)
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = &self.extension {
            write!(f, "{id}:")?;
        }
        f.write_str(&self.name)?;
        self.sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{sub}"))
    }
}

/// What a reference in a client's text turned out to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Resolved<'k> {
    /// A schema of the kind, by its bare URN.
    Schema(&'k Schema),
    /// An attribute, and perhaps a sub-attribute of it.
    Attribute {
        /// The URN of the extension that defines it.
        extension: Option<&'k str>,
        /// The attribute.
        attribute: &'k Attribute,
        /// The sub-attribute.
        sub: Option<&'k Attribute>,
    },
    /// Well-formed, but nothing this kind knows.
    Unknown,
}

impl Resolved<'_> {
    /// Returns the path in canonical spelling, when it is an attribute.
    pub fn to_path(self) -> Option<AttrPath> {
        match self {
            Self::Attribute { extension, attribute, sub } => Some(AttrPath {
                extension: extension.map(str::to_owned),
                name: attribute.name.clone(),
                sub: sub.map(|sub| sub.name.clone()),
            }),
            Self::Schema(_) | Self::Unknown => None,
        }
    }
}

/// Finds what a text such as `userName`, `name.givenName` or `urn:…:User:manager.value` means.
pub fn resolve<'k>(text: &str, kind: &'k Kind) -> Resolved<'k> {
    let (schema, rest) = match strip_schema(text, kind) {
        Some((schema, "")) => return Resolved::Schema(schema),
        Some((schema, rest)) => (Some(schema), rest),
        None => (None, text),
    };
    let (name, sub) = match rest.split_once('.') {
        Some((name, sub)) => (name, Some(sub)),
        None => (rest, None),
    };
    let core = schema.is_none_or(|schema| std::ptr::eq(schema, kind.core.as_ref()));
    let found = if core { kind.attribute(name) } else { schema.and_then(|schema| schema.attribute(name)) };
    // Only the core schema's attributes and the common ones go without a URN, but for the extensions' attributes whose
    // name nothing else bears: `manager[value eq "u-2"]` has been seen on the wire (D-E10).
    let (extension, attribute) = match found {
        Some(attribute) => (schema.filter(|_| !core).map(|schema| schema.id.as_str()), attribute),
        None if schema.is_none() => match only_extension_with(name, kind) {
            Some((schema, attribute)) => (Some(schema.id.as_str()), attribute),
            None => return Resolved::Unknown,
        },
        None => return Resolved::Unknown,
    };
    match sub.map(|sub| attribute.sub(sub)) {
        None => Resolved::Attribute { extension, attribute, sub: None },
        Some(Some(sub)) => Resolved::Attribute { extension, attribute, sub: Some(sub) },
        Some(None) => Resolved::Unknown,
    }
}

/// Splits the longest URN of the kind off the beginning of a text. Between the URN and the attribute stands a colon, or a
/// dot as old tenants of Entra write it (D-E13).
pub(crate) fn strip_schema<'k, 't>(text: &'t str, kind: &'k Kind) -> Option<(&'k Schema, &'t str)> {
    let mut found: Option<(&Schema, &str)> = None;
    for schema in kind.schemas() {
        let Some((head, tail)) = text.split_at_checked(schema.id.len()) else { continue };
        let ends = tail.is_empty() || tail.starts_with([':', '.']);
        let longer = found.is_none_or(|(best, _)| best.id.len() < schema.id.len());
        if ends && longer && urn::same(head, &schema.id) {
            found = Some((schema, tail.get(1..).unwrap_or("")));
        }
    }
    found
}

/// Finds the one extension that defines an attribute of this name. The RFC's own comes before all others: what a client means
/// that has never heard of those must not depend on them.
fn only_extension_with<'k>(name: &str, kind: &'k Kind) -> Option<(&'k Schema, &'k Attribute)> {
    let mut all =
        kind.extensions.iter().filter_map(|schema| Some((schema.as_ref(), schema.attribute(name)?)));
    let first = all.next()?;
    if urn::same(&first.0.id, urn::ENTERPRISE) || all.next().is_none() { Some(first) } else { None }
}

/// Tells whether a text is an attribute name by the grammar: a letter (or `$`), then letters, digits, `-`, `_` (S71).
pub(crate) fn is_name(text: &str) -> bool {
    let rest = text.strip_prefix('$').unwrap_or(text);
    rest.starts_with(|first: char| first.is_ascii_alphabetic())
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::user;

    fn shown(text: &str) -> Option<String> {
        resolve(text, &user()).to_path().map(|path| path.to_string())
    }

    #[test]
    fn s114_the_longest_known_urn_ends_where_it_ends() {
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        assert_eq!(shown("USERNAME").as_deref(), Some("userName"));
        assert_eq!(shown("name.GivenName").as_deref(), Some("name.givenName"));
        assert_eq!(
            shown("urn:IETF:params:scim:schemas:core:2.0:user:Name.formatted").as_deref(),
            Some("name.formatted")
        );
        assert_eq!(
            shown(&format!("{enterprise}:Manager.value")),
            Some(format!("{enterprise}:manager.value"))
        );
        assert_eq!(shown(&format!("{enterprise}.department")), Some(format!("{enterprise}:department")));
        assert_eq!(shown("emails.$ref"), None);
        assert_eq!(shown("urn:example:x:title"), None);
        assert_eq!(shown(&format!("{enterprise}x:department")), None);
        assert!(matches!(resolve(enterprise, &user()), Resolved::Schema(schema) if schema.id == enterprise));
    }

    #[test]
    fn d_e10_an_extension_attribute_is_found_by_its_bare_name() {
        assert_eq!(
            shown("manager.value").as_deref(),
            Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value")
        );
        // Two extensions have it; the RFC's own is meant.
        assert_eq!(shown("costCenter"), Some(format!("{}:costCenter", urn::ENTERPRISE)));
        assert_eq!(shown("license"), Some(format!("{}:license", urn::PSA)));
    }
}
