//! Whether a resource may match, told by its stored text: what a filter needs as a text must stand in it somewhere. Parses nothing, so that of
//! thousands that are looked through only few are looked at closely (P12). May say yes of what does not match, never no of what does.

use super::{CompareOp, Filter, Literal};
use crate::scim::schema::{Attribute, Kind, Type, Uniqueness};
use crate::scim::sparse::Sparse;

/// What is computed, and stands in no stored text.
const COMPUTED: [&str; 5] = ["id", "meta", "groups", "members", "schemas"];

/// Tells whether a resource may match.
pub(super) fn may_match(filter: &Filter, text: &Sparse<'_>, kind: &Kind) -> bool {
    match filter {
        Filter::And(operands) => operands.iter().all(|operand| may_match(operand, text, kind)),
        Filter::Or(operands) => operands.iter().any(|operand| may_match(operand, text, kind)),
        Filter::Compare { path, op, value } => {
            let extension = path.extension.as_deref();
            let attribute =
                kind.attribute_of(extension, &path.name).filter(|_| !is_computed(extension, &path.name));
            attribute.is_none_or(|attribute| {
                // What a whole complex attribute compares by is its `value` (S72).
                let sub = path.sub.as_deref().or((attribute.kind == Type::Complex).then_some("value"));
                let compared = sub.and_then(|sub| attribute.sub(sub)).unwrap_or(attribute);
                stands(needle(compared, *op, value), text, extension)
            })
        }
        Filter::Element { path, filter } => {
            let extension = path.extension.as_deref();
            let attribute =
                kind.attribute_of(extension, &path.name).filter(|_| !is_computed(extension, &path.name));
            attribute.is_none_or(|attribute| element_may_match(filter, attribute, text, extension))
        }
        Filter::Present(_) | Filter::Not(_) => true,
    }
}

/// The same of an element, whose filter's paths are names of sub-attributes.
fn element_may_match(
    filter: &Filter,
    attribute: &Attribute,
    text: &Sparse<'_>,
    extension: Option<&str>,
) -> bool {
    let may = |operand: &Filter| element_may_match(operand, attribute, text, extension);
    match filter {
        Filter::And(operands) => operands.iter().all(may),
        Filter::Or(operands) => operands.iter().any(may),
        Filter::Compare { path, op, value } => {
            let compared = attribute.sub(&path.name).unwrap_or(attribute);
            stands(needle(compared, *op, value), text, extension)
        }
        Filter::Element { .. } | Filter::Present(_) | Filter::Not(_) => true,
    }
}

fn is_computed(extension: Option<&str>, name: &str) -> bool {
    extension.is_none() && COMPUTED.contains(&name)
}

/// The text that a value must hold, but for the case of letters; `None` where that cannot be told: of what is compared otherwise than as a text, of
/// a name for signing in, which is mapped first, and of a literal that JSON writes otherwise.
fn needle<'a>(attribute: &Attribute, op: CompareOp, literal: &'a Literal) -> Option<&'a str> {
    let Literal::Text(text) = literal else { return None };
    let is_text = matches!(attribute.kind, Type::String | Type::Reference);
    let is_name = attribute.name == "userName" && attribute.uniqueness == Uniqueness::Server;
    let holds_it = matches!(op, CompareOp::Eq | CompareOp::Co | CompareOp::Sw | CompareOp::Ew);
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
    (is_text && !is_name && holds_it && is_plain && !text.is_empty()).then_some(text)
}

/// Tells whether a needle stands in a schema's text. Where that is more than ASCII, or has escapes, letters may be written in several ways.
fn stands(needle: Option<&str>, text: &Sparse<'_>, extension: Option<&str>) -> bool {
    let Some(needle) = needle else { return true };
    text.texts(extension).any(|json| {
        !json.is_ascii()
            || memchr::memchr(b'\\', json.as_bytes()).is_some()
            || holds(json.as_bytes(), needle.as_bytes())
    })
}

/// Finds ASCII in ASCII, whatever the case of letters.
fn holds(text: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return true };
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text).any(|at| {
        let end = at.saturating_add(needle.len());
        text.get(at..end).is_some_and(|found| found.eq_ignore_ascii_case(needle))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::user;
    use crate::scim::urn;

    fn may(filter: &str, core: &str) -> bool {
        let kind = user();
        let enterprise = r#"{"department":"Strategy"}"#;
        let text = Sparse::new(vec![(urn::USER, core), (urn::ENTERPRISE, enterprise)]);
        Filter::parse(filter, &kind).unwrap().may_match(&text, &kind)
    }

    #[test]
    fn who_lacks_a_word_of_the_filter_is_passed_over() {
        let core =
            r#"{"userName":"ada@acme.test","title":"CTO","phoneNumbers":[{"value":"+41 1","type":"work"}]}"#;
        for filter in [
            "title eq \"cto\"",
            "title sw \"C\"",
            "phoneNumbers.value eq \"+41 1\"",
            "phoneNumbers[type eq \"WORK\" and value co \"41\"]",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department co \"rat\"",
            "title eq \"CEO\" or title eq \"CTO\"",
            "not (title eq \"CEO\")",
            "title ne \"CEO\"",
            "title pr",
            "active eq true",
            "id eq \"0192f0c1-2b3c-7def-8123-456789abcdef\"",
            "meta.resourceType eq \"User\"",
            "groups.display eq \"Staff\"",
            "meta.created gt \"2026-01-01T00:00:00Z\"",
            "userName eq \"nobody\"",
        ] {
            assert!(may(filter, core), "{filter}");
        }
        for filter in [
            "title eq \"CEO\"",
            "title eq \"Strategy\"",
            "phoneNumbers.value eq \"+41 2\"",
            "phoneNumbers[type eq \"work\" and value co \"42\"]",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"Finance\"",
            "title pr and title eq \"CEO\"",
            "title eq \"CEO\" or title eq \"CFO\"",
        ] {
            assert!(!may(filter, core), "{filter}");
        }
    }

    #[test]
    fn s43_what_may_be_written_otherwise_is_looked_at_closely() {
        // The sign for kelvin is a k in lower case, and an escape may be any letter.
        for core in ["{\"title\":\"\u{212a}\"}", r#"{"title":"\u006b"}"#] {
            assert!(may("title eq \"k\"", core), "{core}");
        }
        assert!(may("title eq \"a\\\"b\"", r#"{"title":"x"}"#), "the literal has to be escaped itself");
        assert!(may("title eq \"\u{e9}\"", r#"{"title":"x"}"#));
    }
}
