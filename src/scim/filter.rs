//! Filters (RFC 7644 §3.4.2.2): what a client asks for, parsed once against the schemas of a kind.
//!
//! [`parse`] turns text into a [`Filter`] whose attributes are known, in canonical spelling and comparable with their
//! literals; what does not fit is refused, never ignored (S73). `locate` turns links into what they lead to. [`eval`] says whether a resource matches. The text form
//! of a filter ([`std::fmt::Display`]) parses to the same filter.

pub mod eval;
mod locate;
#[cfg(test)]
mod model;
mod needle;
pub mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Number;

use super::attr::AttrPath;
use super::error::{Refusal, Why};
use super::note::{Notes, Rule};
use super::schema::Kind;
use super::sparse::Sparse;
pub use eval::{Computed, Subject};
pub use parse::{FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_TERMS_MAX};

/// A condition on a resource, or on an element of a multi-valued attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// `userName eq "ada"`.
    Compare {
        /// The attribute; within brackets, the sub-attribute's name stands in `name`.
        path: AttrPath,
        /// The operator.
        op: CompareOp,
        /// What to compare with.
        value: Literal,
    },
    /// `title pr`.
    Present(AttrPath),
    /// `emails[type eq "work"]`: one element matches the inner filter.
    Element {
        /// The attribute.
        path: AttrPath,
        /// The condition on an element; its paths are names of sub-attributes.
        filter: Box<Filter>,
    },
    /// All of two or more.
    And(Vec<Filter>),
    /// One of two or more; of none, nothing.
    Or(Vec<Filter>),
    /// The opposite.
    Not(Box<Filter>),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than.
    Gt,
    /// Greater than or equal to.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal to.
    Le,
}

impl CompareOp {
    /// Every operator.
    pub const ALL: [Self; 9] =
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// Returns the operator's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }
}

/// What an attribute is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// Unassigned.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
}

impl Filter {
    /// Parses a filter on resources of a kind.
    pub fn parse(text: &str, kind: &Kind) -> Result<Self, Refusal> {
        parse::filter(text, kind, &[]).map(|(filter, _)| filter)
    }

    /// Parses a filter on resources of several kinds, as it is to be read for one of them: an attribute that only others have is
    /// unassigned here (RFC 7644 §3.4.2.1, S88). One that none has is refused.
    pub fn parse_across(text: &str, kind: &Kind, others: &[&Kind]) -> Result<Self, Refusal> {
        Self::parse_noted(text, kind, others).map(|(filter, _)| filter)
    }

    /// Does the same, and says which forms beyond the grammar it took (S71).
    pub fn parse_noted(text: &str, kind: &Kind, others: &[&Kind]) -> Result<(Self, Notes), Refusal> {
        parse::filter(text, kind, others)
    }

    /// Refuses the forms beyond the grammar that the reading of a filter took.
    pub fn by_the_grammar(notes: &Notes) -> Result<(), Refusal> {
        let expected = match notes.rules().first() {
            None => return Ok(()),
            Some(Rule::PartBehindBrackets) => {
                "all conditions within the brackets: emails[type eq \"work\" and value eq \"ada@example.com\"]"
            }
            Some(Rule::ValueWithoutQuotes) => "a text in quotes: externalId eq \"701984\"",
            Some(Rule::LiteralCoerced) => {
                "a value of the attribute's own type: true or false, a number, or a text in quotes"
            }
            Some(Rule::FilterSpacing) => "one space around operators and before values, and none elsewhere",
            Some(_) => "the grammar of RFC 7644 §3.4.2.2",
        };
        Err(Refusal::new(Why::InvalidFilter, format!("expected {expected}")))
    }

    /// Tells by its stored text whether a resource may match. Where not, it does not.
    pub fn may_match(&self, text: &Sparse<'_>, kind: &Kind) -> bool {
        needle::may_match(self, text, kind)
    }

    /// Tells whether a resource matches.
    pub fn matches(&self, subject: &dyn Subject, kind: &Kind) -> bool {
        eval::matches(self, subject, kind)
    }

    /// Counts the comparisons and presence tests.
    pub fn terms(&self) -> usize {
        match self {
            Self::Compare { .. } | Self::Present(_) => 1,
            Self::Element { filter: inner, .. } | Self::Not(inner) => inner.terms(),
            Self::And(operands) | Self::Or(operands) => operands.iter().map(Self::terms).sum(),
        }
    }

    /// Lists the conditions that must all hold: the operands of an `and`, or the filter alone. An index may answer one of
    /// them, the others are then tried on what it found.
    pub fn conjuncts(&self) -> &[Filter] {
        match self {
            Self::And(operands) => operands,
            single => std::slice::from_ref(single),
        }
    }

    /// Returns the attribute and the text when it is an equality with a text: `userName eq "ada"`.
    pub fn as_text_equality(&self) -> Option<(&AttrPath, &str)> {
        match self {
            Self::Compare { path, op: CompareOp::Eq, value: Literal::Text(text) } => Some((path, text)),
            _ => None,
        }
    }

    /// Lists the equalities with a text that every match satisfies. Those on an element are returned as its sub-attribute's:
    /// `emails[type eq "work" and value eq "x"]` has `emails.type eq "work"` and `emails.value eq "x"`.
    pub fn text_equalities(&self) -> Vec<(AttrPath, &str)> {
        self.conjuncts().iter().flat_map(Self::own_text_equalities).collect()
    }

    fn own_text_equalities(&self) -> Vec<(AttrPath, &str)> {
        let Self::Element { path, filter } = self else {
            return self.as_text_equality().map(|(path, text)| (path.clone(), text)).into_iter().collect();
        };
        let part = |(inner, text): (AttrPath, _)| (AttrPath { sub: Some(inner.name), ..path.clone() }, text);
        filter.text_equalities().into_iter().map(part).collect()
    }
}

impl fmt::Display for CompareOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => {
                let quoted = serde_json::to_string(text).map_err(|_| fmt::Error)?;
                f.write_str(&quoted)
            }
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare { path, op, value } => write!(f, "{path} {op} {value}"),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Element { path, filter } => write!(f, "{path}[{filter}]"),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::And(operands) => {
                print_joined(f, operands, " and ", |inner| matches!(inner, Self::And(_) | Self::Or(_)))
            }
            Self::Or(operands) => print_joined(f, operands, " or ", |inner| matches!(inner, Self::Or(_))),
        }
    }
}

/// Prints operands with a word between them; those that bind less tightly stand in parentheses.
fn print_joined(
    f: &mut fmt::Formatter<'_>,
    operands: &[Filter],
    word: &str,
    loose: fn(&Filter) -> bool,
) -> fmt::Result {
    for (place, operand) in operands.iter().enumerate() {
        if place > 0 {
            f.write_str(word)?;
        }
        if loose(operand) { write!(f, "({operand})") } else { write!(f, "{operand}") }?;
    }
    Ok(())
}
