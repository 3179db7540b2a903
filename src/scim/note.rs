//! Which leniencies a request needed: one name per rule, so that an operator sees what an IdP really sends.

use std::fmt;

/// Most notes that are kept of one request. One that needs more has been understood by then.
const NOTES_MAX: usize = 256;

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
    /// `emails.primary` stood for the address of the primary element (D-R3).
    PrimaryByName,
    /// A key with a dot stood for a part of an attribute in a whole body (D-O4, D-R3).
    DottedName,
    /// Members that nobody knows were left out (S131).
    UnknownMembersLeftOut,
    /// A filter compared a part behind its brackets: `emails[type eq "work"].value eq "x"` (D-E5).
    PartBehindBrackets,
    /// A filter compared with a text that stood without quotes (D-E6).
    ValueWithoutQuotes,
    /// A record was adopted, and its login or mail stayed what they were (X19).
    LoginKept,
    /// Unknown attributes were more or larger than is kept of one resource; the rest was dropped.
    ShadowFull,
    /// A filter had blanks where the grammar has none, or none where it has one (S71).
    FilterSpacing,
    /// A filter compared with a value of another type than the attribute's: `primary eq "True"`, `externalId eq 7` (D-K15).
    LiteralCoerced,
    /// `sortBy` named nothing that has an order, or `sortOrder` was neither word; the list came without (S84).
    SortIgnored,
    /// A list of groups was empty because the credential may not read groups (D-E1).
    GroupsOff,
    /// An entity tag came in another spelling than it was given out: without quotes, without `W/` (S153).
    TagSpelling,
    /// A body came without a media type, or said to be in another encoding than UTF-8 (S2).
    MediaType,
    /// An attribute was sent that the connection may not write, and stayed as it was.
    OutsideAuthority,
}

/// How many rules there are.
pub const RULES: usize = 36;

impl Rule {
    /// Every rule there is.
    pub const ALL: [Self; RULES] = [
        Self::StringAsBoolean,
        Self::StringAsNumber,
        Self::NumberAsString,
        Self::StringAsComplex,
        Self::SingleAsList,
        Self::JsonInString,
        Self::DisplayNameAsDisplay,
        Self::EmptyAsUnassigned,
        Self::SchemasMissing,
        Self::CoreAsContainer,
        Self::ReadOnlyIgnored,
        Self::PasswordDropped,
        Self::UnknownAttribute,
        Self::NullActiveKept,
        Self::SeveralPrimaries,
        Self::ElementCreated,
        Self::TypeAdopted,
        Self::RemovalByValue,
        Self::RemovalWithoutPath,
        Self::AllMembersRemoved,
        Self::NothingToRemove,
        Self::FormattedRebuilt,
        Self::PrimaryByName,
        Self::DottedName,
        Self::UnknownMembersLeftOut,
        Self::PartBehindBrackets,
        Self::ValueWithoutQuotes,
        Self::LoginKept,
        Self::ShadowFull,
        Self::FilterSpacing,
        Self::LiteralCoerced,
        Self::SortIgnored,
        Self::GroupsOff,
        Self::TagSpelling,
        Self::MediaType,
        Self::OutsideAuthority,
    ];

    /// Finds a rule by its name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }

    /// Returns the rule's place in [`Rule::ALL`], for counting.
    pub const fn place(self) -> usize {
        self as usize
    }

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
            Self::PrimaryByName => "primary-by-name",
            Self::DottedName => "dotted-name",
            Self::UnknownMembersLeftOut => "unknown-members",
            Self::PartBehindBrackets => "part-behind-brackets",
            Self::ValueWithoutQuotes => "value-without-quotes",
            Self::LoginKept => "login-kept",
            Self::ShadowFull => "shadow-full",
            Self::FilterSpacing => "filter-spacing",
            Self::LiteralCoerced => "filter-literal",
            Self::SortIgnored => "sort-ignored",
            Self::GroupsOff => "groups-off",
            Self::TagSpelling => "tag-spelling",
            Self::MediaType => "media-type",
            Self::OutsideAuthority => "outside-authority",
        }
    }

    /// Says to an administrator what was sent and what became of it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::StringAsBoolean => "a boolean came as text (\"True\"), and was read as one",
            Self::StringAsNumber => "a number came as text (\"0.5\"), and was read as one",
            Self::NumberAsString => "a text came as a number, and was read as text",
            Self::StringAsComplex => {
                "a plain text stood where an object belongs, and was taken for its value"
            }
            Self::SingleAsList => {
                "a single value stood where a list belongs, and was taken for a list of one"
            }
            Self::JsonInString => "a value was JSON within a text, and was unpacked",
            Self::DisplayNameAsDisplay => "displayName stood for display",
            Self::EmptyAsUnassigned => "an empty text was sent, and the attribute has no value now",
            Self::SchemasMissing => "schemas named none of the expected ones; the endpoint said enough",
            Self::CoreAsContainer => {
                "attributes stood under the core schema's URN, and were read as if they did not"
            }
            Self::ReadOnlyIgnored => "an attribute was sent that only the server writes, and was left out",
            Self::PasswordDropped => "a password was sent, and was not kept",
            Self::UnknownAttribute => {
                "an attribute was sent that no schema of the connection has; it is kept beside the resource and not answered"
            }
            Self::NullActiveKept => "active was sent as null, and stayed as it was",
            Self::SeveralPrimaries => "several values were marked as primary; the last one is",
            Self::ElementCreated => "an operation pointed at a value that did not exist, and made it",
            Self::TypeAdopted => {
                "an operation pointed at a value by type, and the one value without a type was given it"
            }
            Self::RemovalByValue => {
                "a removal listed values beside its path; those were removed and no others"
            }
            Self::RemovalWithoutPath => "a removal had no path; what its value lists was removed",
            Self::AllMembersRemoved => "one operation removed every member of a group",
            Self::NothingToRemove => "something was to be removed that was not there",
            Self::FormattedRebuilt => {
                "name.formatted was older than the parts of the name, and was put together anew"
            }
            Self::PrimaryByName => "emails.primary stood for the primary address",
            Self::DottedName => "a key with a dot (name.givenName) stood for a part of an attribute",
            Self::UnknownMembersLeftOut => "members were named that do not exist; the others were applied",
            Self::PartBehindBrackets => {
                "a filter compared a part behind its brackets, and was read as if that stood within them"
            }
            Self::ValueWithoutQuotes => {
                "a filter compared with a text without quotes, and was read as if it had them"
            }
            Self::LoginKept => {
                "a record was adopted; its login and mail addresses stay what they are until the next change"
            }
            Self::ShadowFull => {
                "more unknown attributes were sent than are kept of one resource; the rest was dropped"
            }
            Self::FilterSpacing => "a filter had blanks too many or too few, and was understood all the same",
            Self::LiteralCoerced => {
                "a filter compared with a value of another type (\"True\" for true), which was read as one of the right type"
            }
            Self::SortIgnored => {
                "a list was to be sorted in a way that nobody knows, and came in another order"
            }
            Self::GroupsOff => {
                "groups were asked for with a credential that may not read groups; the list was empty"
            }
            Self::TagSpelling => {
                "a version came back in another spelling than it was given out, and was understood all the same"
            }
            Self::MediaType => {
                "a body did not say that it was JSON, or named another encoding than UTF-8, and was read as JSON in UTF-8"
            }
            Self::OutsideAuthority => {
                "an attribute was sent that the settings do not let the connection write; it stayed as it was"
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A leniency, and what it was needed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The leniency.
    pub rule: Rule,
    /// The attribute it was needed for, with its schema URN in front when an extension defines it; `None` for the request as a whole.
    pub about: Option<Box<str>>,
}

/// The leniencies that one request needed, each once for each attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    notes: Vec<Note>,
    /// What is being looked at; empty for the request as a whole.
    about: String,
}

impl Notes {
    /// Starts without any.
    pub const fn new() -> Self {
        Self { notes: Vec::new(), about: String::new() }
    }

    /// Notes a single rule, about the request as a whole.
    pub fn of(rule: Rule) -> Self {
        let mut notes = Self::new();
        notes.add(rule);
        notes
    }

    /// Says which attribute the notes that follow are about.
    pub fn turn_to(&mut self, extension: Option<&str>, name: &str) {
        self.about.clear();
        if let Some(id) = extension {
            self.about.push_str(id);
            self.about.push(':');
        }
        self.about.push_str(name);
    }

    /// Says that the notes that follow are about the request as a whole.
    pub fn turn_away(&mut self) {
        self.about.clear();
    }

    /// Remembers that a rule was needed.
    pub fn add(&mut self, rule: Rule) {
        let about = Some(self.about.as_str()).filter(|about| !about.is_empty());
        let known = self.notes.iter().any(|note| note.rule == rule && note.about.as_deref() == about);
        if !known && self.notes.len() < NOTES_MAX {
            self.notes.push(Note { rule, about: about.map(Box::from) });
        }
    }

    /// Tells whether a rule was needed.
    pub fn has(&self, rule: Rule) -> bool {
        self.notes.iter().any(|note| note.rule == rule)
    }

    /// Takes over what another step noted.
    pub fn merge(&mut self, other: &Self) {
        for note in &other.notes {
            if self.notes.len() < NOTES_MAX && !self.notes.contains(note) {
                self.notes.push(note.clone());
            }
        }
    }

    /// Lists the rules, each once, in the order in which they were first needed.
    pub fn rules(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        for note in &self.notes {
            if !rules.contains(&note.rule) {
                rules.push(note.rule);
            }
        }
        rules
    }

    /// Lists the rules that one attribute needed; its name as [`Note::about`] has it.
    pub fn about(&self, attribute: &str) -> impl Iterator<Item = Rule> + '_ {
        let attribute = attribute.to_owned();
        self.notes
            .iter()
            .filter(move |note| note.about.as_deref() == Some(attribute.as_str()))
            .map(|note| note.rule)
    }

    /// Tells whether the request needed none.
    pub const fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }
}
