//! Entity tags: versions on the wire (RFC 7644 §3.14, RFC 9110 §13.1).
//!
//! Ours are weak, `W/"17"`. Theirs are taken in every spelling seen: with or without `W/`, with or without quotes, in lists (S153).

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName};

use crate::roster::Precondition;
use crate::store::Seq;

/// Writes a version as an entity tag.
pub fn write(version: Seq) -> String {
    format!("W/\"{}\"", version.0)
}

/// Reads what a write expects: `If-Match` and `If-None-Match`. Without either, nothing is expected.
pub fn precondition(headers: &HeaderMap) -> Precondition {
    match (if_match(headers), if_none_match(headers)) {
        (one, Precondition::None) | (Precondition::None, one) => one,
        (one, other) => Precondition::Both(Box::new(one), Box::new(other)),
    }
}

/// Reads `If-None-Match`. A read that finds it not to hold has nothing new to send; a write must not be done (RFC 9110 §13.1.2).
pub fn if_none_match(headers: &HeaderMap) -> Precondition {
    match tags(headers, &IF_NONE_MATCH) {
        None => Precondition::None,
        Some(tags) if tags.iter().any(|tag| tag == "*") => Precondition::Absent,
        Some(tags) => Precondition::NoneOf(tags),
    }
}

fn if_match(headers: &HeaderMap) -> Precondition {
    match tags(headers, &IF_MATCH) {
        None => Precondition::None,
        Some(tags) if tags.iter().any(|tag| tag == "*") => Precondition::Exists,
        Some(tags) => Precondition::AnyOf(tags),
    }
}

/// Tells whether all tags come as they were given out; others are understood as well.
pub fn are_as_given_out(headers: &HeaderMap) -> bool {
    let fields = [IF_MATCH, IF_NONE_MATCH];
    let mut lists = fields.iter().flat_map(|name| headers.get_all(name));
    lists.all(|list| list.to_str().is_ok_and(Precondition::is_as_given_out))
}

/// Reads a list of tags down to what stands between the quotes.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    let lists = values.filter_map(|value| value.to_str().ok());
    Some(lists.flat_map(|list| list.split(',')).map(Precondition::opaque).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn s153_a_tag_is_understood_in_every_spelling() {
        for text in ["W/\"17\"", "\"17\"", "17", "w/\"17\"", " W/\"17\" "] {
            assert_eq!(if_match(&headers(IF_MATCH, text)), Precondition::AnyOf(vec!["17".into()]), "{text}");
        }
        assert_eq!(if_match(&headers(IF_MATCH, "*")), Precondition::Exists);
        assert_eq!(if_match(&HeaderMap::new()), Precondition::None);
        assert_eq!(if_match(&headers(IF_MATCH, "")), Precondition::AnyOf(vec![String::new()]));
    }

    #[test]
    fn s151_one_known_tag_in_a_list_is_enough() {
        let holds = |headers: &HeaderMap| if_none_match(headers).holds(Seq(17));
        assert!(!holds(&headers(IF_NONE_MATCH, "W/\"3\", W/\"17\"")));
        assert!(!holds(&headers(IF_NONE_MATCH, "*")));
        assert!(holds(&headers(IF_NONE_MATCH, "W/\"3\"")));
        assert!(holds(&HeaderMap::new()));
    }

    #[test]
    fn s152_both_fields_must_hold() {
        let given = |matching: &str, none: &str| {
            let both = [(IF_MATCH, matching), (IF_NONE_MATCH, none)];
            let sent = both.into_iter().filter(|(_, value)| !value.is_empty());
            let headers = sent.map(|(name, value)| (name, value.parse().unwrap())).collect();
            precondition(&headers).holds(Seq(17))
        };
        assert!(given("", "") && given("17", "") && given("", "3") && given("17", "3") && given("*", "3"));
        assert!(!given("3", "") && !given("", "17") && !given("17", "17") && !given("3", "3"));
        assert!(!given("", "*") && !given("17", "*"));
    }
}
