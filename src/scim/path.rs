//! Paths of PATCH operations (RFC 7644 §3.5.2, S114): `attr`, `attr.sub`, `attr[filter]`, `attr[filter].sub`, each with
//! an optional URN in front, or the URN of an extension alone.

use std::fmt;

use super::attr::{AttrPath, Resolved, is_name, resolve};
use super::error::{Refusal, Why};
use super::filter::Filter;
use super::filter::parse::{FILTER_BYTES_MAX, bracketed};
use super::note::Notes;
use super::schema::{Kind, Type};

/// What an operation changes, in canonical spelling.
#[derive(Debug, Clone, PartialEq)]
pub enum Path {
    /// A whole extension.
    Extension(String),
    /// An attribute or a part of it.
    Attribute {
        /// The attribute, and the sub-attribute that stands after a dot or after the brackets.
        attr: AttrPath,
        /// Which elements of it.
        filter: Option<Filter>,
    },
}

/// What a well-formed path points at.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// Something the kind knows.
    Known(Path),
    /// The core schema as a whole: its URN alone.
    Core,
    /// An attribute the kind does not know.
    Unknown,
}

impl Path {
    /// Makes the path of a whole attribute.
    pub fn attribute(extension: Option<&str>, name: &str) -> Self {
        let attr = AttrPath { extension: extension.map(str::to_owned), name: name.to_owned(), sub: None };
        Self::Attribute { attr, filter: None }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extension(id) => f.write_str(id),
            Self::Attribute { attr, filter: None } => write!(f, "{attr}"),
            Self::Attribute { attr, filter: Some(filter) } => {
                if let Some(id) = &attr.extension {
                    write!(f, "{id}:")?;
                }
                write!(f, "{}[{filter}]", attr.name)?;
                attr.sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{sub}"))
            }
        }
    }
}

/// Parses a path. Bad syntax is refused as invalidPath, a bad filter in it as invalidFilter (S115).
pub fn parse(text: &str, kind: &Kind) -> Result<Target, Refusal> {
    parse_noted(text, kind).map(|(target, _)| target)
}

/// Does the same, and says which forms beyond the grammar the filter in it took (S71).
pub fn parse_noted(text: &str, kind: &Kind) -> Result<(Target, Notes), Refusal> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(refusal(format!(
            "expected a path of at most {FILTER_BYTES_MAX} bytes, found {}",
            text.len()
        )));
    }
    let text = text.trim_matches([' ', '\t']);
    match text.split_once('[') {
        None => plain(text, kind).map(|target| (target, Notes::new())),
        Some((head, rest)) => filtered(head.trim_end_matches([' ', '\t']), rest, kind),
    }
}

/// `attr`, `attr.sub`, or the URN of a schema.
fn plain(text: &str, kind: &Kind) -> Result<Target, Refusal> {
    let resolved = resolve(text, kind);
    if let Some(attr) = resolved.to_path() {
        return Ok(Target::Known(Path::Attribute { attr, filter: None }));
    }
    match resolved {
        Resolved::Schema(schema) if schema.id == kind.core.id => Ok(Target::Core),
        Resolved::Schema(schema) => Ok(Target::Known(Path::Extension(schema.id.clone()))),
        _ if is_well_formed(text) => Ok(Target::Unknown),
        _ => Err(refusal("expected attr, attr.sub, attr[filter] or attr[filter].sub")),
    }
}

/// `attr[filter]` or `attr[filter].sub`.
fn filtered(head: &str, rest: &str, kind: &Kind) -> Result<(Target, Notes), Refusal> {
    let Resolved::Attribute { extension, attribute, sub: None } = resolve(head, kind) else {
        // What is in the brackets cannot be understood without the attribute; the text must look like a path all the same.
        let closed = rest.trim_end().ends_with(|last: char| last == ']' || last.is_ascii_alphanumeric());
        return if is_well_formed(head) && rest.contains(']') && closed {
            Ok((Target::Unknown, Notes::new()))
        } else {
            Err(refusal("expected an attribute before the brackets, and brackets that are closed"))
        };
    };
    if attribute.kind != Type::Complex && !attribute.multi_valued {
        return Err(refusal(format!(
            "{} holds a single plain value: brackets have nothing to choose from",
            attribute.name
        )));
    }
    let (filter, tail, notes) = bracketed(rest, attribute)?;
    let sub = match tail.strip_prefix('.') {
        None if tail.is_empty() => None,
        Some(name) if is_name(name) => match attribute.sub(name) {
            Some(sub) => Some(sub.name.clone()),
            None => return Ok((Target::Unknown, notes)),
        },
        _ => return Err(refusal("expected nothing, or a dot and a sub-attribute, behind the brackets")),
    };
    let attr = AttrPath { extension: extension.map(str::to_owned), name: attribute.name.clone(), sub };
    Ok((Target::Known(Path::Attribute { attr, filter: Some(filter) }), notes))
}

/// Tells whether a text that means nothing here could mean something elsewhere: names joined by dots, behind a URN.
fn is_well_formed(text: &str) -> bool {
    let name = text.rsplit_once(':').map_or(text, |(_, name)| name);
    let urn = text.get(..text.len().saturating_sub(name.len())).unwrap_or("");
    let urn_is_sound =
        urn.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'[' | b']' | b'(' | b')'));
    urn_is_sound && name.split('.').all(is_name)
}

fn refusal(detail: impl Into<String>) -> Refusal {
    Refusal::new(Why::InvalidPath, detail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scim::schema::{group, user};

    fn shown(text: &str) -> String {
        match parse(text, &user()) {
            Ok(Target::Known(path)) => path.to_string(),
            Ok(other) => format!("{other:?}"),
            Err(refusal) => refusal.why.scim_type().to_owned(),
        }
    }

    #[test]
    fn s114_every_form_of_path_is_understood() {
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        for (text, expected) in [
            ("Title", "title".to_owned()),
            ("NAME.givenname", "name.givenName".to_owned()),
            (r#"emails[type eq "work"]"#, r#"emails[type eq "work"]"#.to_owned()),
            (
                r#"Emails[Type Eq "work" and Primary eq "True"].Value"#,
                r#"emails[type eq "work" and primary eq true].value"#.to_owned(),
            ),
            (r#"emails[not(type eq "work")].value"#, r#"emails[not (type eq "work")].value"#.to_owned()),
            (r#"emails[value eq "a]b"].type"#, r#"emails[value eq "a]b"].type"#.to_owned()),
            (
                r#"urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq "work"].value"#,
                r#"emails[type eq "work"].value"#.to_owned(),
            ),
            (enterprise, enterprise.to_owned()),
            (&format!("{enterprise}:MANAGER"), format!("{enterprise}:manager")),
            (
                &format!(r#"{enterprise}:manager[value eq "u-2"]"#),
                format!(r#"{enterprise}:manager[value eq "u-2"]"#),
            ),
            (r#"manager[value eq "u-2"]"#, format!(r#"{enterprise}:manager[value eq "u-2"]"#)),
            ("urn:ietf:params:scim:schemas:core:2.0:User", "Core".to_owned()),
            ("favouriteColour", "Unknown".to_owned()),
            ("urn:example:2.0:User:favouriteColour.shade", "Unknown".to_owned()),
            (r#"emails[type eq "work"].colour"#, "Unknown".to_owned()),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn s115_bad_paths_and_bad_filters_are_told_apart() {
        for text in [
            "",
            ".",
            "name.",
            ".name",
            "1a",
            "a b",
            "emails]",
            "title[value eq 1]",
            r#"emails[type eq "work"]x"#,
            r#"emails[type eq "work"]."#,
        ] {
            assert_eq!(shown(text), "invalidPath", "{text}");
        }
        for text in [
            "emails[",
            "emails[]",
            "emails[type]",
            "emails[type eq]",
            r#"emails[type eq "work""#,
            r#"emails[colour eq "red"]"#,
        ] {
            assert_eq!(shown(text), "invalidFilter", "{text}");
        }
    }

    #[test]
    fn x25_a_secret_is_no_path_into_a_value() {
        assert_eq!(shown("password"), "password");
        assert!(matches!(parse(r#"members[value eq "u-3"]"#, &group()), Ok(Target::Known(_))));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = parse(&text, &user());
        }

        #[test]
        fn a_printed_path_is_the_same_path(text in r#"(emails|name|title|manager)(\[(type|value) (eq|co|pr) "[a-z\]]{0,3}"( and primary eq true)?\])?(\.(value|type|givenName))?"#) {
            if let Ok(Target::Known(path)) = parse(&text, &user()) {
                prop_assert_eq!(parse(&path.to_string(), &user()), Ok(Target::Known(path)));
            }
        }
    }
}
