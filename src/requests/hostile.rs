//! What must hold of whatever text is looked through for secrets: the body of a fuzz target, as those in `idp::hostile` (R35).
//!
//! Here, because the structure of what is logged is read in this room and nowhere else. Compiled for tests only; a broken promise panics.

use serde_json::Value;

use super::spans::{self, Node, What};

/// Longest text whose beginnings are all read, one character after the other.
const CUT_BYTES_MAX: usize = 512;

/// What stands where in a text is found within it, in order; what another reader takes for JSON is read, and has the same structure; and so is
/// each beginning of it.
pub fn spans(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for cut in [false, true] {
        if let Some(node) = spans::read(text, cut) {
            must_lie_within(&node, 0, text.len());
            assert!(node.closed || cut, "a whole text that has no end");
        }
    }
    let Ok(theirs) = serde_json::from_str::<Value>(text) else { return };
    // It follows fewer levels than the other reader.
    let Some(ours) = spans::read(text, false) else {
        assert!(depth(&theirs) > 60, "another parser reads it");
        return;
    };
    must_be_alike(&ours, &theirs, text);
    // A word that stands alone is taken for whole: no body that is cut off is one.
    if text.len() <= CUT_BYTES_MAX && depth(&theirs) <= 60 && ours.what != What::Plain {
        for (end, _) in text.char_indices() {
            let head = text.get(..end).unwrap_or_default();
            assert!(spans::read(head, true).is_some(), "its first {end} bytes are not read");
        }
    }
}

fn must_lie_within(node: &Node, from: usize, to: usize) {
    let (start, end) = (node.span.start, node.span.end);
    assert!(from <= start && start <= end && end <= to, "{start}..{end} is not within {from}..{to}");
    let mut at = start;
    let mut each = |inner: &Node| {
        must_lie_within(inner, at, end);
        at = inner.span.end;
    };
    match &node.what {
        What::Object(members) => members.iter().for_each(|(_, inner)| each(inner)),
        What::Array(elements) => elements.iter().for_each(each),
        What::Text(_) | What::Plain => {}
    }
}

/// Compares what was read with what another parser read, which keeps one of each name only.
fn must_be_alike(ours: &Node, theirs: &Value, text: &str) {
    match (&ours.what, theirs) {
        (What::Object(members), Value::Object(object)) => {
            for (name, value) in object {
                // Some escapes are decoded to other letters than there, so that names which differ there may be one here.
                let mut found = members.iter().filter(|(known, _)| known == name);
                if let (Some((_, inner)), None) = (found.next(), found.next()) {
                    must_be_alike(inner, value, text);
                }
            }
            assert!(members.len() >= object.len(), "members are missing");
        }
        (What::Array(elements), Value::Array(array)) => {
            assert_eq!(elements.len(), array.len(), "elements are missing");
            elements.iter().zip(array).for_each(|(inner, value)| must_be_alike(inner, value, text));
        }
        (What::Text(_), Value::String(_))
        | (What::Plain, Value::Null | Value::Bool(_) | Value::Number(_)) => {
            let span = text.get(ours.span.clone()).unwrap_or_default();
            assert_eq!(
                serde_json::from_str::<Value>(span).ok().as_ref(),
                Some(theirs),
                "another value stands there"
            );
        }
        (what, value) => assert_eq!(format!("{what:?}"), value.to_string(), "another kind of value"),
    }
}

fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Object(object) => object.values().map(depth).max(),
        Value::Array(array) => array.iter().map(depth).max(),
        _ => return 0,
    };
    inner.unwrap_or(0).saturating_add(1)
}
