//! Links in filters: `members.$ref eq "https://…/Users/…"`, `meta.location eq "…"`.
//!
//! Links are kept nowhere: they are made of the public URL, a kind and an id when a resource is shown. So a comparison with one is turned into what
//! it says of the kind and the id, before the filter is evaluated. Only `eq`, `ne` and `pr` can be; what else is asked of a link is
//! refused, and never answered with nobody (S73).

use super::parse::refusal;
use super::{CompareOp, Filter, Literal};
use crate::scim::attr::AttrPath;
use crate::scim::error::Refusal;
use crate::scim::fold;
use crate::scim::schema::{Attribute, Kind, Kinds, Type};

impl Filter {
    /// Turns comparisons with links into comparisons with what they lead to. `base` is what every link of this service begins with.
    pub fn locate(self, base: &str, kind: &Kind, kinds: &Kinds) -> Result<Self, Refusal> {
        Links { base, kind, kinds }.resource(self)
    }

    /// A filter that nothing matches.
    const fn nothing() -> Self {
        Self::Or(Vec::new())
    }

    fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }
}

struct Links<'a> {
    base: &'a str,
    kind: &'a Kind,
    kinds: &'a Kinds,
}

/// The sub-attribute in which a link stands.
const LINK: &str = "$ref";

impl Links<'_> {
    /// Turns a filter on a resource.
    fn resource(&self, filter: Filter) -> Result<Filter, Refusal> {
        match filter {
            Filter::And(operands) => Ok(Filter::And(self.each(operands, Self::resource)?)),
            Filter::Or(operands) => Ok(Filter::Or(self.each(operands, Self::resource)?)),
            Filter::Not(inner) => Ok(self.resource(*inner)?.negated()),
            Filter::Compare { path, op, value } if path.is_sub("meta", "location") => {
                self.own(&path.to_string(), op, &value)
            }
            Filter::Present(path) if path.is_sub("meta", "location") => Ok(Filter::Present(id())),
            Filter::Compare { path, op, value } if path.sub.as_deref() == Some(LINK) => {
                let whole = AttrPath { sub: None, ..path.clone() };
                let Comparison { is, negated } = self.link(&path.to_string(), &whole, op, value)?;
                let filter = match is {
                    None => Filter::nothing(),
                    Some(Filter::Compare { op, value, .. }) => {
                        let path = AttrPath { sub: Some("value".to_owned()), ..whole };
                        Filter::Compare { path, op, value }
                    }
                    // Both are said of one element.
                    Some(inner) => Filter::Element { path: whole, filter: Box::new(inner) },
                };
                Ok(if negated { filter.negated() } else { filter })
            }
            Filter::Present(path) if path.sub.as_deref() == Some(LINK) => {
                Ok(Filter::Present(AttrPath { sub: Some("value".to_owned()), ..path }))
            }
            Filter::Element { path, filter } if path.is("meta") && speaks_of(&filter, "location") => {
                match *filter {
                    Filter::Compare { path, op, value } => self.own(&path.to_string(), op, &value),
                    Filter::Present(_) => Ok(Filter::Present(id())),
                    _ => Err(refusal("meta[location …]: expected meta.location outside of brackets")),
                }
            }
            Filter::Element { path, filter } => {
                let filter = Box::new(self.element(&path, *filter)?);
                Ok(Filter::Element { path, filter })
            }
            other @ (Filter::Compare { .. } | Filter::Present(_)) => Ok(other),
        }
    }

    /// Turns a filter on an element of an attribute.
    fn element(&self, whole: &AttrPath, filter: Filter) -> Result<Filter, Refusal> {
        let within = |links: &Self, filter| links.element(whole, filter);
        match filter {
            Filter::And(operands) => Ok(Filter::And(self.each(operands, within)?)),
            Filter::Or(operands) => Ok(Filter::Or(self.each(operands, within)?)),
            Filter::Not(inner) => Ok(self.element(whole, *inner)?.negated()),
            Filter::Compare { path, op, value } if path.is(LINK) => {
                let Comparison { is, negated } = self.link(&format!("{whole}[{LINK}]"), whole, op, value)?;
                let filter = is.unwrap_or(Filter::nothing());
                Ok(if negated { filter.negated() } else { filter })
            }
            Filter::Present(path) if path.is(LINK) => Ok(Filter::Present(part("value"))),
            other => Ok(other),
        }
    }

    fn each(
        &self,
        operands: Vec<Filter>,
        turn: impl Fn(&Self, Filter) -> Result<Filter, Refusal>,
    ) -> Result<Vec<Filter>, Refusal> {
        operands.into_iter().map(|operand| turn(self, operand)).collect()
    }

    /// What a comparison of the resource's own location says: which id it has.
    fn own(&self, shown: &str, op: CompareOp, value: &Literal) -> Result<Filter, Refusal> {
        let negated = negated(shown, op, "id")?;
        let is = match value {
            Literal::Text(url) => match self.leads_to(url) {
                Some((kind, id)) if kind.id == self.kind.id => Filter::Compare {
                    path: self::id(),
                    op: CompareOp::Eq,
                    value: Literal::Text(id.to_owned()),
                },
                _ => Filter::nothing(),
            },
            // Everybody has one.
            _ => Filter::nothing(),
        };
        Ok(if negated { is.negated() } else { is })
    }

    /// What a comparison of a link says of the element that it stands in; nothing where it leads to what this attribute never points at.
    fn link(
        &self,
        shown: &str,
        whole: &AttrPath,
        op: CompareOp,
        value: Literal,
    ) -> Result<Comparison, Refusal> {
        let negated = negated(shown, op, "value")?;
        let url = match value {
            Literal::Text(url) => url,
            other => {
                let is = Filter::Compare { path: part("value"), op: CompareOp::Eq, value: other };
                return Ok(Comparison { is: Some(is), negated });
            }
        };
        let Some((kind, id)) = self.leads_to(&url) else { return Ok(Comparison { is: None, negated }) };
        let attribute = self.attribute(whole);
        let pointed = attribute.and_then(|attribute| attribute.sub(LINK));
        if !pointed.is_some_and(|link| link.reference_types.contains(&kind.name)) {
            return Ok(Comparison { is: None, negated });
        }
        let text = |name: &str, value: &str| Filter::Compare {
            path: part(name),
            op: CompareOp::Eq,
            value: Literal::Text(value.to_owned()),
        };
        let several = pointed.is_some_and(|link| link.reference_types.len() > 1);
        let typed = several && attribute.is_some_and(|attribute| attribute.sub("type").is_some());
        let value = text("value", id);
        let is = if typed { Filter::And(vec![value, text("type", &kind.name)]) } else { value };
        Ok(Comparison { is: Some(is), negated })
    }

    /// Finds the attribute that holds links, in this kind or, in a query across kinds, in another.
    fn attribute(&self, whole: &AttrPath) -> Option<&Attribute> {
        let of = |kind: &'_ Kind| kind.attribute_of(whole.extension.as_deref(), &whole.name).is_some();
        let kind = if of(self.kind) { self.kind } else { self.kinds.iter().find(|kind| of(kind))?.as_ref() };
        kind.attribute_of(whole.extension.as_deref(), &whole.name)
            .filter(|attribute| attribute.kind == Type::Complex)
    }

    /// Reads which resource a link of this service leads to.
    fn leads_to<'u>(&self, url: &'u str) -> Option<(&Kind, &'u str)> {
        let (endpoint, id) = url.strip_prefix(self.base)?.strip_prefix('/')?.split_once('/')?;
        let kind = self.kinds.by_endpoint(endpoint)?;
        (!id.is_empty() && !id.contains('/')).then_some((kind.as_ref(), id))
    }
}

/// What a comparison of a link comes to.
struct Comparison {
    /// What it says of the element; `None` where nothing can be like that.
    is: Option<Filter>,
    /// Whether the opposite is meant.
    negated: bool,
}

/// Tells whether the opposite of `eq` is meant; refuses what cannot be said of a link.
fn negated(shown: &str, op: CompareOp, instead: &str) -> Result<bool, Refusal> {
    match op {
        CompareOp::Eq => Ok(false),
        CompareOp::Ne => Ok(true),
        _ => Err(refusal(format!(
            "{shown} {op}: a link can be compared by eq and ne only, or tested by pr; compare {instead} instead"
        ))),
    }
}

fn speaks_of(filter: &Filter, name: &str) -> bool {
    match filter {
        Filter::Compare { path, .. } | Filter::Present(path) | Filter::Element { path, .. } => {
            fold::same(&path.name, name)
        }
        Filter::And(operands) | Filter::Or(operands) => {
            operands.iter().any(|operand| speaks_of(operand, name))
        }
        Filter::Not(inner) => speaks_of(inner, name),
    }
}

fn id() -> AttrPath {
    part("id")
}

fn part(name: &str) -> AttrPath {
    AttrPath { extension: None, name: name.to_owned(), sub: None }
}
