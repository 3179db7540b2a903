//! What of a request may be kept: its body and its target, byte for byte but for the secrets, which become `***`.
//!
//! A secret is found by the name of its member at any depth, by what a PATCH path or a name beside it says, inside a string that
//! holds JSON, and by the looks of a credential. Where a text cannot be read to its structure, it is kept only if it surely holds none.

use std::borrow::Cow;
use std::ops::Range;

use super::entry::{Body, TARGET_BYTES_MAX, start_of};
use super::names::SecretNames;
use super::spans::{self, Node, What};

/// Most bytes of a body that are looked at and kept.
pub const BODY_BYTES_MAX: usize = 8 << 10;
/// Most bytes behind those that are searched for a word that would make an open value a secret.
const REST_BYTES_MAX: usize = 256 << 10;
/// How deep JSON within strings is followed.
const NESTED_MAX: usize = 3;
/// What stands in the place of a secret.
const MASK: &str = "***";

/// Keeps what may be kept of a body.
pub fn body(bytes: &[u8], names: &SecretNames) -> Body {
    let head = bytes.get(..BODY_BYTES_MAX).unwrap_or(bytes);
    let cut = head.len() < bytes.len();
    let text = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        // The cut went through a character.
        Err(error) if cut && error.error_len().is_none() => {
            head.get(..error.valid_up_to()).and_then(|head| std::str::from_utf8(head).ok())
        }
        Err(_) => None,
    };
    let rest = bytes.get(head.len()..).unwrap_or_default();
    let text = text.and_then(|text| clean(text, cut, rest, names)).map(Into::into);
    Body { bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX), text, cut }
}

/// Returns an attribute's value without its secrets: all of it where the attribute's own name means one.
pub fn value(attribute: &str, value: &serde_json::Value, names: &SecretNames) -> serde_json::Value {
    if names.mentioned_in(attribute) {
        return MASK.into();
    }
    let text = value.to_string();
    let kept = clean(&text, false, &[], names);
    kept.and_then(|kept| serde_json::from_str(&kept).ok()).unwrap_or_else(|| MASK.into())
}

/// Returns the text without its secrets; `None` where that cannot be told.
fn clean<'a>(text: &'a str, cut: bool, rest: &[u8], names: &SecretNames) -> Option<Cow<'a, str>> {
    // Most bodies: no word of a secret anywhere, and no escape that could hide one. Whatever the structure, all of it is kept.
    if !cut && !text.contains('\\') && names.surely_none_in(text) {
        return Some(Cow::Borrowed(text));
    }
    let Some(node) = spans::read(text, cut) else {
        return names.surely_none_in(text).then_some(Cow::Borrowed(text));
    };
    let mut sieve = Sieve { names, rest, masks: Vec::new(), depth: 0 };
    sieve.value(&node, text);
    Some(sieve.strain(text))
}

/// Looks through a text for what must not be kept.
struct Sieve<'a> {
    names: &'a SecretNames,
    /// What follows the text, where it was cut.
    rest: &'a [u8],
    /// What stands where, and what is put there, in order.
    masks: Vec<(Range<usize>, String)>,
    depth: usize,
}

impl Sieve<'_> {
    fn mask(&mut self, node: &Node) {
        self.masks.push((node.span.clone(), format!("\"{MASK}\"")));
    }

    fn strain(self, text: &str) -> Cow<'_, str> {
        if self.masks.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut kept = String::with_capacity(text.len());
        let mut at = 0;
        for (span, instead) in self.masks {
            kept.push_str(text.get(at..span.start).unwrap_or_default());
            kept.push_str(&instead);
            at = span.end;
        }
        kept.push_str(text.get(at..).unwrap_or_default());
        Cow::Owned(kept)
    }

    fn value(&mut self, node: &Node, text: &str) {
        match &node.what {
            What::Plain => {}
            What::Text(decoded) => self.text(node, decoded),
            What::Array(elements) => elements.iter().for_each(|element| self.value(element, text)),
            What::Object(members) => self.object(node, members, text),
        }
    }

    /// A string may be a credential, or hold JSON of its own.
    fn text(&mut self, node: &Node, decoded: &str) {
        if self.names.is_credential(decoded) {
            return self.mask(node);
        }
        if !decoded.trim_start().starts_with(['{', '[', '"']) {
            return;
        }
        if self.depth >= NESTED_MAX {
            if !self.names.surely_none_in(decoded) {
                self.mask(node);
            }
            return;
        }
        match spans::read(decoded, false) {
            Some(inner) => {
                let mut sieve = Sieve {
                    names: self.names,
                    rest: &[],
                    masks: Vec::new(),
                    depth: self.depth.saturating_add(1),
                };
                sieve.value(&inner, decoded);
                if let Cow::Owned(kept) = sieve.strain(decoded) {
                    // A string always serialises.
                    self.masks.push((node.span.clone(), serde_json::to_string(&kept).unwrap_or_default()));
                }
            }
            None if self.names.surely_none_in(decoded) => {}
            None => self.mask(node),
        }
    }

    fn object(&mut self, node: &Node, members: &[(String, Node)], text: &str) {
        let path = self.path(members, text);
        let named = members.iter().any(|(name, value)| {
            is_one_of(name, &["name", "attribute", "attributeName", "key", "type", "field", "property"])
                && matches!(&value.what, What::Text(said) if self.names.mentioned_in(said))
        });
        // Of an object that was cut off, the path may stand behind the cut, or a second one.
        let open = !node.closed && (path == Path::None || !self.rest_is_harmless());
        for (name, value) in members {
            let is_value = name.to_lowercase().contains("value");
            let is_path = is_one_of(name, &["path"]);
            if is_path {
                self.spelled_out(value, text);
            } else if self.names.mentioned_in(name)
                || (is_value && (named || open))
                || (path == Path::Secret && !is_one_of(name, &["op", "method", "bulkId", "version"]))
                || (is_one_of(name, &["filter"]) && speaks_of_secret(value, self.names, text))
            {
                self.mask(value);
            } else {
                self.value(value, text);
            }
        }
    }

    /// Says what the `path`s of an object speak of.
    fn path(&self, members: &[(String, Node)], text: &str) -> Path {
        let mut paths = members.iter().filter(|(name, _)| is_one_of(name, &["path"])).peekable();
        if paths.peek().is_none() {
            Path::None
        } else if paths.any(|(_, value)| speaks_of_secret(value, self.names, text)) {
            Path::Secret
        } else {
            Path::Harmless
        }
    }

    /// A path that speaks of a secret may have its value in itself.
    fn spelled_out(&mut self, path: &Node, text: &str) {
        let What::Text(said) = &path.what else {
            if speaks_of_secret(path, self.names, text) {
                self.mask(path);
            } else {
                self.value(path, text);
            }
            return;
        };
        let is_bare = said.chars().all(|letter| letter.is_alphanumeric() || ":._-$/".contains(letter));
        if self.names.is_credential(said) || (!is_bare && self.names.mentioned_in(&outside_quotes(said))) {
            self.mask(path);
        }
    }

    fn rest_is_harmless(&self) -> bool {
        self.rest.len() <= REST_BYTES_MAX
            && std::str::from_utf8(self.rest.trim_ascii_start())
                .or_else(|error| tail(self.rest, error))
                .is_ok_and(|rest| self.names.surely_none_in(rest))
    }
}

/// What stands behind a cut through a character.
fn tail(rest: &[u8], error: std::str::Utf8Error) -> Result<&str, std::str::Utf8Error> {
    let begins = rest.iter().position(|byte| !matches!(byte, 0x80..=0xbf)).filter(|at| *at < 4);
    begins.and_then(|at| rest.get(at..)).map_or(Err(error), std::str::from_utf8)
}

/// What the path of a PATCH operation speaks of.
#[derive(PartialEq, Eq)]
enum Path {
    None,
    Harmless,
    Secret,
}

fn speaks_of_secret(value: &Node, names: &SecretNames, text: &str) -> bool {
    match &value.what {
        What::Text(said) => names.mentioned_in(&outside_quotes(said)),
        What::Plain => false,
        _ => !names.surely_none_in(text.get(value.span.clone()).unwrap_or_default()),
    }
}

fn is_one_of(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| crate::scim::fold::same(known, name))
}

/// A filter or a path without its quoted values; all of it where the quotes do not pair.
fn outside_quotes(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let (mut outside, mut inside, mut from, mut escaped) = (String::new(), false, 0, None);
    for at in memchr::memchr2_iter(b'"', b'\\', bytes) {
        let is_quote = bytes.get(at) == Some(&b'"');
        if inside && escaped == Some(at) {
            continue;
        }
        if is_quote {
            if !inside {
                outside.push_str(text.get(from..at).unwrap_or_default());
            }
            inside = !inside;
            from = at.saturating_add(1);
        } else if inside {
            escaped = Some(at.saturating_add(1));
        }
    }
    if inside || from == 0 {
        return Cow::Borrowed(text);
    }
    outside.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(outside)
}

/// Keeps what may be kept of a path and its query.
pub fn target(path: &str, query: Option<&str>, names: &SecretNames) -> Box<str> {
    let mut kept =
        String::with_capacity(path.len().saturating_add(query.map_or(0, str::len)).saturating_add(1));
    // What no path as a whole looks like, none of its segments does.
    if names.is_credential(path) {
        for (place, segment) in path.split('/').enumerate() {
            if place > 0 {
                kept.push('/');
            }
            kept.push_str(if names.is_credential(segment) { MASK } else { segment });
        }
    } else {
        kept.push_str(path);
    }
    if let Some(query) = query {
        kept.push('?');
        for (place, pair) in query.split('&').enumerate() {
            if place > 0 {
                kept.push('&');
            }
            if secret_in(pair, names) {
                let name = pair.split_once('=').map_or("", |(name, _)| name);
                kept.push_str(if names.is_credential(name) { MASK } else { name });
                kept.push('=');
                kept.push_str(MASK);
            } else {
                kept.push_str(pair);
            }
        }
    }
    if kept.len() > TARGET_BYTES_MAX {
        kept.truncate(kept.floor_char_boundary(TARGET_BYTES_MAX));
    }
    kept.into()
}

/// Tells whether a parameter is a secret, or its value speaks of one, however often it is encoded.
fn secret_in(pair: &str, names: &SecretNames) -> bool {
    let mut pair = Cow::Borrowed(pair);
    for _ in 0..NESTED_MAX {
        let decoded = {
            let Some((name, value)) = form_urlencoded::parse(pair.as_bytes()).next() else { return false };
            if names.mentioned_in(&name)
                || names.is_credential(&name)
                || names.is_credential(&value)
                || names.mentioned_in(&outside_quotes(&value))
            {
                return true;
            }
            if !name.contains('%') && !value.contains('%') {
                return false;
            }
            format!("{name}={value}")
        };
        pair = Cow::Owned(decoded);
    }
    true
}

/// Keeps what may be kept of what a client calls itself.
pub(super) fn agent<'a>(agent: &'a str, names: &SecretNames) -> &'a str {
    if names.mentioned_in(agent) || names.is_credential(agent) {
        return MASK;
    }
    start_of(agent, super::entry::AGENT_CHARACTERS_MAX)
}

#[cfg(test)]
mod tests;
