//! Which leniencies a request needed: one name per rule, so that an operator sees what an IdP really sends.

use std::fmt;

/// A leniency. Its name is a metric label and an audit word: it never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A boolean came as a string (D-E7).
    StringAsBoolean,
    /// A number came as a string (D-E13).
    StringAsNumber,
    /// A string came as a number (D-K15).
    NumberAsString,
    /// A complex value came as a plain string (D-E10).
    StringAsComplex,
    /// A list came as a single value.
    SingleAsList,
    /// A value was a string that held a JSON object (D-E12).
    JsonInString,
    /// `displayName` stood for `display` (D-E12).
    DisplayNameAsDisplay,
    /// An empty string stood for "no value" (D-E10, D-E16, D-O1).
    EmptyAsUnassigned,
    /// The `schemas` list was missing or named none of ours.
    SchemasMissing,
    /// The core schema's URN was used as a container of attributes.
    CoreAsContainer,
    /// An attribute that clients cannot write was sent, and left out (S64, S129).
    ReadOnlyIgnored,
    /// A password was sent, and dropped (S51).
    PasswordDropped,
    /// An attribute unknown to the schema was sent (S33).
    UnknownAttribute,
    /// `active: null` was sent, and left as it was (S52).
    NullActiveKept,
    /// Two values were marked primary; the last one won (S29).
    SeveralPrimaries,
    /// A filtered operation matched nothing, and made the element (S121).
    ElementCreated,
    /// A filtered operation found an element without a type, and gave it one (D-X4).
    TypeAdopted,
    /// A removal listed the values to remove (D-E8).
    RemovalByValue,
    /// A removal had no path, but a value that said what to remove (S117).
    RemovalWithoutPath,
    /// A removal took all members away at once (S125).
    AllMembersRemoved,
    /// A removal matched nothing.
    NothingToRemove,
    /// `name.formatted` was stale and was rebuilt (D-K4).
    FormattedRebuilt,
}

impl Rule {
    /// Returns the rule's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StringAsBoolean => "string-as-boolean",
            Self::StringAsNumber => "string-as-number",
            Self::NumberAsString => "number-as-string",
            Self::StringAsComplex => "string-as-complex",
            Self::SingleAsList => "single-as-list",
            Self::JsonInString => "json-in-string",
            Self::DisplayNameAsDisplay => "display-name-as-display",
            Self::EmptyAsUnassigned => "empty-as-unassigned",
            Self::SchemasMissing => "schemas-missing",
            Self::CoreAsContainer => "core-as-container",
            Self::ReadOnlyIgnored => "read-only-ignored",
            Self::PasswordDropped => "password-dropped",
            Self::UnknownAttribute => "unknown-attribute",
            Self::NullActiveKept => "null-active-kept",
            Self::SeveralPrimaries => "several-primaries",
            Self::ElementCreated => "element-created",
            Self::TypeAdopted => "type-adopted",
            Self::RemovalByValue => "removal-by-value",
            Self::RemovalWithoutPath => "removal-without-path",
            Self::AllMembersRemoved => "all-members-removed",
            Self::NothingToRemove => "nothing-to-remove",
            Self::FormattedRebuilt => "formatted-rebuilt",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The leniencies that one request needed, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes(Vec<Rule>);

impl Notes {
    /// Starts without any.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Remembers that a rule was needed.
    pub fn add(&mut self, rule: Rule) {
        if !self.has(rule) {
            self.0.push(rule);
        }
    }

    /// Tells whether a rule was needed.
    pub fn has(&self, rule: Rule) -> bool {
        self.0.contains(&rule)
    }

    /// Takes over what another step noted.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|rule| self.add(*rule));
    }

    /// Lists the rules in the order in which they were first needed.
    pub fn iter(&self) -> impl Iterator<Item = Rule> + '_ {
        self.0.iter().copied()
    }

    /// Tells whether the request needed none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
