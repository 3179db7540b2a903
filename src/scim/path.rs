//! Paths of PATCH operations (RFC 7644 §3.5.2, S114): `attr`, `attr.sub`, `attr[filter]`, `attr[filter].sub`, each with
//! an optional URN in front, or the URN of an extension alone.

use std::fmt;

use super::attr::AttrPath;
use super::error::Refusal;
use super::filter::Filter;
use super::schema::Kind;

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
    let _ = (text, kind);
    todo!()
}
