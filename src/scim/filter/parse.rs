//! From text to a filter, by recursive descent with a count of depth (X31).
//!
//! Beyond the RFC's grammar, because it has been seen on the wire (S71): `not(x)`, `emails[type eq "work"].value eq "x"`, values
//! without quotes, tabs and runs of spaces, no space before a quoted value, `$ref` as a name. Literals are brought to the
//! type of their attribute here (`primary eq "True"`), so that evaluation need not look twice.

mod literal;
mod scan;

use super::{CompareOp, Filter, Literal};
use crate::scim::attr::{AttrPath, Resolved, resolve};
use crate::scim::error::{Refusal, Why, quoted};
use crate::scim::note::{Notes, Rule};
use crate::scim::schema::{Attribute, Kind, Type};
use scan::Scanner;

/// Longest filter.
pub const FILTER_BYTES_MAX: usize = 16 * 1024;
/// Deepest nesting of parentheses, brackets and negations.
pub const FILTER_DEPTH_MAX: usize = 20;
/// Most comparisons and presence tests in one filter.
pub const FILTER_TERMS_MAX: usize = 200;

/// Parses a filter on resources of a kind, which may speak of attributes that only `others` have.
pub(super) fn filter(text: &str, kind: &Kind, others: &[&Kind]) -> Result<(Filter, Notes), Refusal> {
    let mut parser = Parser::new(text, Scope::Resource(kind, others))?;
    let filter = parser.alternatives()?;
    parser.scanner.blanks();
    if parser.scanner.is_at_end() {
        parser.note_spacing(text);
        Ok((filter, parser.notes))
    } else {
        Err(parser.scanner.unexpected("the end of the filter"))
    }
}

/// Parses the filter that begins `text`, up to the bracket that closes it, on the elements of an attribute. Returns the
/// filter, what follows the bracket, and which forms beyond the grammar were met.
pub(crate) fn bracketed<'t>(
    text: &'t str,
    attribute: &Attribute,
) -> Result<(Filter, &'t str, Notes), Refusal> {
    let mut parser = Parser::new(text, Scope::Element(attribute))?;
    parser.depth = 1;
    let filter = parser.alternatives()?;
    parser.close(b']', "]")?;
    let rest = parser.scanner.rest();
    // Without the bracket.
    let within = text.len().saturating_sub(rest.len()).saturating_sub(1);
    parser.note_spacing(text.get(..within).unwrap_or_default());
    Ok((filter, rest, parser.notes))
}

/// Makes a refusal of a filter.
pub(super) fn refusal(detail: impl Into<String>) -> Refusal {
    Refusal::new(Why::InvalidFilter, detail)
}

/// What names mean where the parser stands.
#[derive(Clone, Copy)]
enum Scope<'k> {
    /// Attributes of a resource of a kind, and those that it lacks and other kinds have.
    Resource(&'k Kind, &'k [&'k Kind]),
    /// Sub-attributes of an attribute.
    Element(&'k Attribute),
}

/// An attribute and how it compares.
struct Known<'k> {
    path: AttrPath,
    /// The characteristics of what is compared: the sub-attribute when the path has one.
    attribute: &'k Attribute,
}

struct Parser<'t, 'k> {
    scanner: Scanner<'t>,
    scope: Scope<'k>,
    depth: usize,
    terms: usize,
    /// The forms beyond the grammar that it met.
    notes: Notes,
}

impl<'t, 'k> Parser<'t, 'k> {
    fn new(text: &'t str, scope: Scope<'k>) -> Result<Self, Refusal> {
        if text.len() > FILTER_BYTES_MAX {
            return Err(refusal(format!(
                "expected a filter of at most {FILTER_BYTES_MAX} bytes, found {}",
                text.len()
            )));
        }
        Ok(Self { scanner: Scanner::new(text), scope, depth: 0, terms: 0, notes: Notes::new() })
    }

    fn note_spacing(&mut self, text: &str) {
        if !scan::is_spaced_by_the_grammar(text) {
            self.notes.add(Rule::FilterSpacing);
        }
    }

    /// Goes one level deeper, or says that it is deep enough.
    fn enter(&mut self) -> Result<(), Refusal> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > FILTER_DEPTH_MAX {
            return Err(refusal(format!(
                "expected at most {FILTER_DEPTH_MAX} levels of nesting, found more"
            )));
        }
        Ok(())
    }

    fn close(&mut self, byte: u8, shown: &str) -> Result<(), Refusal> {
        self.scanner.blanks();
        if !self.scanner.take(byte) {
            return Err(self.scanner.unexpected(shown));
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    /// `a or b or c`
    fn alternatives(&mut self) -> Result<Filter, Refusal> {
        let first = self.conjunction()?;
        let mut operands = Vec::new();
        while self.scanner.take_word("or") {
            push_flat(&mut operands, self.conjunction()?, |filter| match filter {
                Filter::Or(inner) => Ok(inner),
                other => Err(other),
            });
        }
        if operands.is_empty() {
            return Ok(first);
        }
        let mut all = Vec::with_capacity(operands.len().saturating_add(1));
        push_flat(&mut all, first, |filter| match filter {
            Filter::Or(inner) => Ok(inner),
            other => Err(other),
        });
        all.append(&mut operands);
        Ok(Filter::Or(all))
    }

    /// `a and b and c`
    fn conjunction(&mut self) -> Result<Filter, Refusal> {
        let first = self.term()?;
        if !self.scanner.take_word("and") {
            return Ok(first);
        }
        let mut all = Vec::new();
        let flatten = |filter| match filter {
            Filter::And(inner) => Ok(inner),
            other => Err(other),
        };
        push_flat(&mut all, first, flatten);
        push_flat(&mut all, self.term()?, flatten);
        while self.scanner.take_word("and") {
            push_flat(&mut all, self.term()?, flatten);
        }
        Ok(Filter::And(all))
    }

    /// A negation, a group, a condition on elements, a comparison or a presence test.
    fn term(&mut self) -> Result<Filter, Refusal> {
        self.scanner.blanks();
        if self.scanner.take(b'(') {
            self.enter()?;
            let inner = self.alternatives()?;
            self.close(b')', ")")?;
            return Ok(inner);
        }
        if self.scanner.take_not() {
            self.enter()?;
            let inner = self.alternatives()?;
            self.close(b')', ")")?;
            return Ok(Filter::Not(Box::new(inner)));
        }
        let name = self.scanner.name()?;
        let known = self.known(name)?;
        if self.scanner.take(b'[') {
            return self.elements(&known);
        }
        self.comparison(known)
    }

    /// `emails[type eq "work"]`, and with a comparison behind it: `emails[type eq "work"].value eq "x"`.
    fn elements(&mut self, outer: &Known<'k>) -> Result<Filter, Refusal> {
        if matches!(self.scope, Scope::Element(_)) || outer.path.sub.is_some() {
            return Err(refusal("expected brackets behind an attribute of the resource only"));
        }
        self.enter()?;
        let scope = std::mem::replace(&mut self.scope, Scope::Element(outer.attribute));
        let mut filter = self.alternatives()?;
        self.close(b']', "]")?;
        if self.scanner.take(b'.') {
            self.notes.add(Rule::PartBehindBrackets);
            let name = self.scanner.name()?;
            let known = self.known(name)?;
            let comparison = self.comparison(known)?;
            let mut operands = Vec::new();
            let flatten = |filter| match filter {
                Filter::And(inner) => Ok(inner),
                other => Err(other),
            };
            push_flat(&mut operands, filter, flatten);
            push_flat(&mut operands, comparison, flatten);
            filter = Filter::And(operands);
        }
        self.scope = scope;
        Ok(Filter::Element { path: outer.path.clone(), filter: Box::new(filter) })
    }

    /// What stands behind the name: `pr`, or an operator and a value.
    fn comparison(&mut self, known: Known<'k>) -> Result<Filter, Refusal> {
        self.terms = self.terms.saturating_add(1);
        if self.terms > FILTER_TERMS_MAX {
            return Err(refusal(format!("expected at most {FILTER_TERMS_MAX} comparisons, found more")));
        }
        let word = self.scanner.word()?;
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(known.path));
        }
        let op = CompareOp::ALL.into_iter().find(|op| op.as_str().eq_ignore_ascii_case(word)).ok_or_else(
            || {
                refusal(format!(
                    "expected one of eq, ne, co, sw, ew, gt, ge, lt, le, pr, found {}",
                    quoted(word)
                ))
            },
        )?;
        let (value, is_quoted) = (self.scanner.literal()?, self.scanner.is_behind_a_quote());
        if matches!(value, Literal::Text(_)) && !is_quoted {
            self.notes.add(Rule::ValueWithoutQuotes);
        }
        let sent = std::mem::discriminant(&value);
        let value = literal::fit(value, op, comparable(known.attribute), &known.path)?;
        if std::mem::discriminant(&value) != sent {
            self.notes.add(Rule::LiteralCoerced);
        }
        Ok(Filter::Compare { path: known.path, op, value })
    }

    /// Finds the attribute that a name means here; secrets do not exist for filters (X25).
    fn known(&self, name: &str) -> Result<Known<'k>, Refusal> {
        let unknown = || refusal(format!("no attribute that can be filtered by is named {}", quoted(name)));
        let found = match self.scope {
            Scope::Resource(kind, others) => {
                let meant = std::iter::once(&kind).chain(others).map(|kind| resolve(name, kind));
                match meant.into_iter().find(|meant| *meant != Resolved::Unknown) {
                    Some(Resolved::Attribute { attribute, sub, .. })
                        if attribute.is_secret() || sub.is_some_and(Attribute::is_secret) =>
                    {
                        None
                    }
                    Some(found @ Resolved::Attribute { attribute, sub, .. }) => {
                        found.to_path().map(|path| Known { path, attribute: sub.unwrap_or(attribute) })
                    }
                    Some(Resolved::Schema(_) | Resolved::Unknown) | None => None,
                }
            }
            Scope::Element(outer) => {
                element_part(outer, name).filter(|part| !part.is_secret()).map(|attribute| {
                    // Of a list of plain values, `value` is the element itself.
                    let name =
                        if outer.kind == Type::Complex { attribute.name.clone() } else { "value".to_owned() };
                    Known { path: AttrPath { extension: None, name, sub: None }, attribute }
                })
            }
        };
        found.ok_or_else(unknown)
    }
}

/// Finds what a name within brackets means.
fn element_part<'k>(outer: &'k Attribute, name: &str) -> Option<&'k Attribute> {
    match outer.kind {
        Type::Complex => outer.sub(name),
        _ => name.eq_ignore_ascii_case("value").then_some(outer),
    }
}

/// Returns what is compared when a whole complex attribute is: its `value` (S72).
fn comparable(attribute: &Attribute) -> &Attribute {
    if attribute.kind == Type::Complex { attribute.sub("value").unwrap_or(attribute) } else { attribute }
}

/// Adds an operand; one that is itself a list of the same operator adds its own operands.
fn push_flat(all: &mut Vec<Filter>, operand: Filter, flatten: fn(Filter) -> Result<Vec<Filter>, Filter>) {
    match flatten(operand) {
        Ok(mut inner) => all.append(&mut inner),
        Err(single) => all.push(single),
    }
}
