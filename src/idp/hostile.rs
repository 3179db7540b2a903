//! What must hold of whatever bytes arrive: the bodies of the fuzz targets (`fuzz/`), which the tests replay with stored
//! seeds (R35).
//!
//! Here, and not beside the targets, so that both run the very same functions, and because this is the outermost of the
//! rooms that have no runtime. Compiled for tests only; a broken promise panics.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::normalise;
use super::profile::{AUTO, Profile, STRICT};
use crate::scim::doc::Document;
use crate::scim::error::Refusal;
use crate::scim::filter::{FILTER_BYTES_MAX, Filter};
use crate::scim::path;
use crate::scim::schema::{self, Kind};
use crate::scim::{json as parser, patch as patching, urn};

/// The body of a target.
pub type Target = fn(&[u8]);

/// Every target, by name: that of its file in `fuzz/fuzz_targets` and of its folder in `fuzz/seeds`.
pub const TARGETS: [(&str, Target); 5] =
    [("filter", filter), ("json", json), ("patch", patch), ("path", path), ("resource", resource)];

/// Longest detail text of a refusal: it never repeats the input at length (X31).
const DETAIL_BYTES_MAX: usize = 2048;

static KINDS: LazyLock<[Kind; 2]> = LazyLock::new(|| [schema::user(), schema::group()]);

/// A JSON document is refused, or read as another parser reads it, and the same when it is written and read again.
pub fn json(bytes: &[u8]) {
    let Ok(value) = parser::parse(bytes).map_err(short) else { return };
    let theirs: Option<Value> = serde_json::from_slice(bytes).ok();
    assert!(theirs.is_some_and(|theirs| alike(&theirs, &value)), "another parser reads it otherwise");
    assert_eq!(parser::parse(value.to_string().as_bytes()), Ok(value), "written and read again");
}

/// A filter is refused, or is the same when it is printed and read again, and answers either yes or no.
pub fn filter(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for kind in KINDS.iter() {
        let Ok(filter) = Filter::parse(text, kind).map_err(short) else { continue };
        let printed = filter.to_string();
        if printed.len() <= FILTER_BYTES_MAX {
            assert_eq!(Filter::parse(&printed, kind), Ok(filter.clone()), "printed as {printed}");
        }
        let somebody = somebody(kind);
        let matches = filter.matches(&somebody, kind);
        assert_ne!(
            Filter::Not(Box::new(filter)).matches(&somebody, kind),
            matches,
            "{printed} and its opposite"
        );
    }
}

/// A path of a PATCH is refused, unknown, or the same when it is printed and read again.
pub fn path(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for kind in KINDS.iter() {
        let Ok(path::Target::Known(known)) = path::parse(text, kind).map_err(short) else { continue };
        let printed = known.to_string();
        if printed.len() <= FILTER_BYTES_MAX {
            assert_eq!(path::parse(&printed, kind), Ok(path::Target::Known(known)), "printed as {printed}");
        }
    }
}

/// The body of a PATCH is refused, or leaves a document that can be stored, that holds nothing secret and nothing of the
/// server's, and that a PUT of it would not change.
pub fn patch(bytes: &[u8]) {
    let Ok(body) = parser::parse(bytes) else { return };
    for (kind, profile) in everyone() {
        let before = somebody(kind);
        let outcome = normalise::patch(body.clone(), kind, profile)
            .and_then(|incoming| patching::apply(&before, &incoming.operations, kind, &profile.policy));
        if let Ok(patched) = outcome.map_err(short) {
            must_be_sound(&patched.document, kind);
            must_stay(&patched.document, kind, profile);
        }
    }
}

/// The body of a POST or PUT is refused, or makes such a document.
pub fn resource(bytes: &[u8]) {
    let Ok(body) = parser::parse(bytes) else { return };
    for (kind, profile) in everyone() {
        let incoming = normalise::resource(body.clone(), kind, profile);
        let Ok(incoming) = incoming.map_err(short) else { continue };
        if let Ok(created) = incoming.clone().create(kind, profile).map_err(short) {
            must_be_sound(&created, kind);
            must_stay(&created, kind, profile);
        }
        if let Ok(replaced) = incoming.clone().replace(&somebody(kind), kind, profile).map_err(short) {
            must_be_sound(&replaced, kind);
        }
    }
}

/// Compares values. The other parser takes `-0` for a number with a fraction.
fn alike(theirs: &Value, ours: &Value) -> bool {
    match (theirs, ours) {
        (Value::Number(theirs), Value::Number(ours)) if ours.is_f64() || theirs.is_f64() => {
            theirs.as_f64() == ours.as_f64()
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            theirs.len() == ours.len() && theirs.iter().zip(ours).all(|(theirs, ours)| alike(theirs, ours))
        }
        (Value::Object(theirs), Value::Object(ours)) => {
            theirs.len() == ours.len()
                && ours.iter().all(|(name, ours)| theirs.get(name).is_some_and(|theirs| alike(theirs, ours)))
        }
        _ => theirs == ours,
    }
}

/// What every document is: free of secrets and of what the server adds, and the same when it is stored and read.
fn must_be_sound(document: &Document, kind: &Kind) {
    for name in ["password", "id", "meta", "schemas", "groups", "members"] {
        assert!(document.get(name).is_none(), "{name} is in the document");
    }
    let segments = document.to_segments(kind);
    let read = Document::from_segments(segments.iter().map(|(id, json)| (id.as_str(), json.as_str())));
    assert_eq!(read.ok().as_ref(), Some(document), "stored and read again");
}

/// A PUT of what a GET shows changes nothing (S105).
fn must_stay(document: &Document, kind: &Kind, profile: &Profile) {
    let mut shown = Map::new();
    let extensions = document.extensions.iter().map(|(id, _)| id.as_str());
    shown.insert("schemas".into(), [kind.core.id.as_str()].into_iter().chain(extensions).collect());
    shown.extend(document.core.clone());
    shown.extend(document.extensions.iter().map(|(id, inner)| (id.clone(), Value::Object(inner.clone()))));
    let again = normalise::resource(Value::Object(shown), kind, profile)
        .and_then(|mut incoming| incoming.replace(document, kind, profile));
    assert_eq!(again.as_ref(), Ok(document), "put again");
}

/// Both kinds under both profiles.
fn everyone() -> impl Iterator<Item = (&'static Kind, &'static Profile)> {
    KINDS.iter().flat_map(|kind| [(kind, &AUTO), (kind, &STRICT)])
}

/// Somebody with values of every type, or some group.
fn somebody(kind: &Kind) -> Document {
    let object = |value: Value| if let Value::Object(map) = value { map } else { Map::new() };
    if kind.has_members() {
        let core = json!({"displayName": "Crew", "externalId": "00g1"});
        return Document { core: object(core), extensions: Vec::new() };
    }
    let core = json!({
        "userName": "Ada@acme.test", "externalId": "00u1", "displayName": "Ada", "active": true,
        "name": {"givenName": "Ada", "familyName": "Byron", "formatted": "Ada Byron"},
        "emails": [{"value": "ada@acme.test", "type": "work", "primary": true}, {"value": "a@home.test", "type": "home"}],
        "roles": [{"value": "boss"}],
    });
    let enterprise =
        json!({"department": "R&D", "manager": {"value": "0192f0c1-2b3c-7def-8123-456789abcdef"}});
    Document { core: object(core), extensions: vec![(urn::ENTERPRISE.to_owned(), object(enterprise))] }
}

/// Passes a refusal on, which must be short.
fn short(refusal: Refusal) -> Refusal {
    assert!(refusal.detail.len() <= DETAIL_BYTES_MAX, "a detail of {} bytes", refusal.detail.len());
    refusal
}
