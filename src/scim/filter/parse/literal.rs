//! Whether a literal can be compared with an attribute, and what it is in the attribute's type.

use serde_json::Number;

use super::super::{CompareOp, Literal};
use super::refusal;
use crate::scim::attr::AttrPath;
use crate::scim::error::Refusal;
use crate::scim::schema::{Attribute, Type};

/// Brings a literal to the type of an attribute, or says why they cannot be compared (S73).
pub(super) fn fit(
    literal: Literal,
    op: CompareOp,
    attribute: &Attribute,
    path: &AttrPath,
) -> Result<Literal, Refusal> {
    let refuse = |why: &str| Err(refusal(format!("{path} {op}: {why}")));
    let ordering = matches!(op, CompareOp::Gt | CompareOp::Ge | CompareOp::Lt | CompareOp::Le);
    let equality = matches!(op, CompareOp::Eq | CompareOp::Ne);
    if literal == Literal::Null {
        return if equality { Ok(literal) } else { refuse("null can be compared by eq and ne only") };
    }
    match attribute.kind {
        Type::Boolean if !equality => refuse("a boolean can be compared by eq and ne only"),
        Type::Boolean => as_boolean(&literal)
            .map_or_else(|| refuse("expected true or false"), |value| Ok(Literal::Bool(value))),
        Type::Binary if ordering => refuse("binary values have no order"),
        Type::Integer | Type::Decimal if !equality && !ordering => refuse("a number has no parts"),
        Type::Integer | Type::Decimal => match literal {
            Literal::Number(number) => Ok(Literal::Number(number)),
            Literal::Text(text) => match text.parse::<i64>().map(Number::from) {
                Ok(number) => Ok(Literal::Number(number)),
                Err(_) => text
                    .parse::<f64>()
                    .ok()
                    .and_then(Number::from_f64)
                    .map_or_else(|| refuse("expected a number"), |number| Ok(Literal::Number(number))),
            },
            _ => refuse("expected a number"),
        },
        Type::DateTime => match literal {
            Literal::Text(text)
                if !(equality || ordering) || super::super::eval::instant(&text).is_some() =>
            {
                Ok(Literal::Text(text))
            }
            _ => refuse("expected an instant such as \"2026-01-31T08:00:00Z\""),
        },
        Type::String | Type::Reference | Type::Binary => match literal {
            Literal::Text(text) => Ok(Literal::Text(text)),
            // `externalId eq 701984`: what was stored as text is asked for as a number (D-K15).
            Literal::Number(number) => Ok(Literal::Text(number.to_string())),
            Literal::Bool(value) => Ok(Literal::Text(value.to_string())),
            Literal::Null => Ok(Literal::Null),
        },
        Type::Complex => refuse("a complex attribute without a value can be tested by pr only"),
    }
}

/// Reads a boolean as Entra writes it too (`primary eq "True"`).
fn as_boolean(literal: &Literal) -> Option<bool> {
    match literal {
        Literal::Bool(value) => Some(*value),
        Literal::Text(text) if matches!(text.as_str(), "true" | "True") => Some(true),
        Literal::Text(text) if matches!(text.as_str(), "false" | "False") => Some(false),
        _ => None,
    }
}
