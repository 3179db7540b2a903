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

/// Reads `If-Match`. Without the header, nothing is expected.
pub fn if_match(headers: &HeaderMap) -> Precondition {
    match tags(headers, &IF_MATCH) {
        None => Precondition::None,
        Some(tags) if tags.iter().any(|tag| tag == "*") => Precondition::Exists,
        Some(tags) => Precondition::AnyOf(tags),
    }
}

/// Tells whether `If-None-Match` names the version, so that there is nothing new to send.
pub fn is_known(headers: &HeaderMap, version: Seq) -> bool {
    tags(headers, &IF_NONE_MATCH)
        .is_some_and(|tags| tags.iter().any(|tag| tag == "*" || *tag == version.0.to_string()))
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
        assert!(is_known(&headers(IF_NONE_MATCH, "W/\"3\", W/\"17\""), Seq(17)));
        assert!(is_known(&headers(IF_NONE_MATCH, "*"), Seq(17)));
        assert!(!is_known(&headers(IF_NONE_MATCH, "W/\"3\""), Seq(17)));
        assert!(!is_known(&HeaderMap::new(), Seq(17)));
    }
}
