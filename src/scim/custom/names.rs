//! URNs of schemas and names of attributes: what they may look like, and which of them get in each other's way.

use super::URN_BYTES_MAX;
use crate::scim::attr::is_name;
use crate::scim::error::quoted;
use crate::scim::urn;

/// Under which the RFCs' own URNs stand. What is not an extension there means something already.
const IETF: &str = "urn:ietf:params:scim:";
const EXTENSIONS: &str = "urn:ietf:params:scim:schemas:extension:";
/// Families of extensions that are built in, with room for more of them.
const BUILT_IN: [&str; 2] = ["enterprise", "psa"];
/// Names that the server gives a meaning of its own, wherever they stand.
const RESERVED: [&str; 8] =
    ["schemas", "id", "externalId", "meta", "userName", "password", "members", "groups"];

/// Says what is wrong with the URN of a schema.
pub(super) fn urn_mistake(id: &str) -> Option<String> {
    let shown = quoted(id);
    if id.len() > URN_BYTES_MAX {
        return Some(format!("expected a URN of at most {URN_BYTES_MAX} bytes, found {}", id.len()));
    }
    let mut parts = id.split(':');
    let scheme = parts.next().unwrap_or_default();
    let namespace = parts.next().unwrap_or_default();
    let namespace_fits = (2..=32).contains(&namespace.len())
        && namespace.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !namespace.starts_with('-')
        && !namespace.ends_with('-');
    if !urn::same(scheme, "urn") || !namespace_fits {
        return Some(format!("expected a URN such as {EXTENSIONS}acme:2.0:User, found {shown}"));
    }
    // RFC 8141 allows more; none of that could stand in a path, a filter or a URL without being misread.
    let sound = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    };
    let rest: Vec<&str> = parts.collect();
    if rest.is_empty() || !rest.iter().copied().all(sound) {
        return Some(format!(
            "expected letters, digits, '.', '-' and '_' between the colons of the URN, found {shown}"
        ));
    }
    let begins = |prefix: &str| id.get(..prefix.len()).is_some_and(|head| urn::same(head, prefix));
    if begins(IETF) && !begins(EXTENSIONS) {
        return Some(format!(
            "{shown} belongs to the RFCs; expected one that begins with {EXTENSIONS}, or a namespace of your own"
        ));
    }
    let family =
        id.get(EXTENSIONS.len()..).filter(|_| begins(EXTENSIONS)).and_then(|rest| rest.split(':').next());
    if let Some(family) =
        family.and_then(|family| BUILT_IN.into_iter().find(|known| urn::same(known, family)))
    {
        return Some(format!(
            "{EXTENSIONS}{family} is built in; put a name of your own in the place of {family}"
        ));
    }
    None
}

/// Says what is wrong with the name of an attribute (RFC 7643 §2.1); `sub` for a sub-attribute.
pub(super) fn name_mistake(name: &str, sub: bool) -> Option<String> {
    if sub && name == "$ref" {
        return None;
    }
    if name.starts_with('$') || !is_name(name) {
        return Some(format!(
            "expected a name of a letter, then letters, digits, '-' and '_', found {}",
            quoted(name)
        ));
    }
    if name.len() > super::NAME_BYTES_MAX {
        return Some(format!(
            "expected a name of at most {} bytes, found {}",
            super::NAME_BYTES_MAX,
            name.len()
        ));
    }
    let reserved = RESERVED.into_iter().find(|known| urn::same(known, name));
    reserved.map(|known| format!("{known} means something to the server already; choose another name"))
}

/// Says why two schemas cannot both be known: they are one, or one URN goes on where an attribute of the other would be named, so that
/// nobody could tell which is meant.
pub fn clash(id: &str, known: &str) -> Option<String> {
    if urn::same(id, known) {
        return Some(format!("a schema with the URN {known} is there already"));
    }
    let goes_on = |long: &str, short: &str| {
        long.split_at_checked(short.len())
            .is_some_and(|(head, tail)| urn::same(head, short) && tail.starts_with([':', '.']))
    };
    (goes_on(id, known) || goes_on(known, id)).then(|| {
        format!("the URN {id} and that of the schema {known} begin alike, so that an attribute of one could be taken for the other; choose another URN")
    })
}
