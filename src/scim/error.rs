//! Why a request cannot be carried out, in the RFC's own words (RFC 7644 §3.12, table 9).
//!
//! A refusal is the client's to mend: its detail says what was expected, what was found and where, and is shown to
//! administrators by Okta and Entra (S13). It never repeats the input at length (X31). Status codes are not known here.

use std::fmt;

/// What kind of mistake it was: the `scimType` of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The filter is malformed, or compares what cannot be compared.
    InvalidFilter,
    /// The filter would match, or cost, more than the server is willing to process.
    TooMany,
    /// Another resource holds the value already.
    Uniqueness,
    /// The attribute cannot be changed that way.
    Mutability,
    /// The message is not what its schema says.
    InvalidSyntax,
    /// The path of a PATCH operation is malformed or unknown.
    InvalidPath,
    /// The path of a PATCH operation matched nothing that could be operated on.
    NoTarget,
    /// A required value is missing, or a value does not fit its type.
    InvalidValue,
    /// The version of the protocol is not supported.
    InvalidVersion,
    /// The request would carry personal data where it must not stand.
    Sensitive,
    /// The cursor was not given out for this query, or was changed (RFC 9865 §2.1).
    InvalidCursor,
    /// The cursor was given out too long ago.
    ExpiredCursor,
    /// The number of resources in a page of a cursor is none that a page can have.
    InvalidCount,
}

impl Why {
    /// Returns the word that stands in `scimType`.
    pub const fn scim_type(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVersion => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// A request refused: why, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of mistake it was.
    pub why: Why,
    /// What was expected, what was found, and where.
    pub detail: String,
}

impl Refusal {
    /// Makes a refusal.
    pub fn new(why: Why, detail: impl Into<String>) -> Self {
        Self { why, detail: detail.into() }
    }

    /// Says more exactly where it happened: `Operations[1]: ...`.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        self.detail.insert_str(0, ": ");
        self.detail.insert_str(0, place);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.why.scim_type())
    }
}

impl std::error::Error for Refusal {}

/// Quotes a stretch of input for a detail text: at most 40 characters, control characters shown as escapes.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 40;
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
