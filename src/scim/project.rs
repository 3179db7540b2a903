//! Which attributes a client wants to see: `attributes` and `excludedAttributes` (RFC 7644 §3.9, S85).

use super::error::Refusal;
use super::schema::Kind;

/// What of a resource is part of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projection {
    _later: (),
}

impl Projection {
    /// Parses the two query parameters (comma lists). Unknown names are ignored; both at once are refused.
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>, kind: &Kind) -> Result<Self, Refusal> {
        let _ = (attributes, excluded, kind);
        todo!()
    }

    /// Tells whether it leaves everything as it is.
    pub fn is_all(&self) -> bool {
        todo!()
    }

    /// Tells whether an attribute of the core schema, or a part of it, is wanted: `wants("members")` says whether they need be
    /// loaded at all (S86).
    pub fn wants(&self, name: &str) -> bool {
        let _ = name;
        todo!()
    }
}
