//! What is computed of a record when it is shown: names of what it links to, seats that are taken, where a person stands.
//!
//! None of it is stored, so that nothing has to be kept in step. Identity providers see none of it either: for them the stored
//! segments are spliced into answers unread.

use serde_json::{Map, Value};

use super::error::RosterError;
use super::rows::SEATS;
use super::{Caller, person};
use crate::ids::{Address, KindId, ResourceId};
use crate::psa::urn;
use crate::scim::Document;
use crate::scim::schema::{Kind, MONEY, Schema};
use crate::store::{Snapshot, Stored};

/// The segments of a record as a caller is shown them; `None` where that is as they are stored.
pub(super) fn face(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    stored: &Stored,
) -> Result<Option<Vec<(String, String)>>, RosterError> {
    let at = stored.at();
    let Some(kind) = caller.kinds().by_id(at.kind) else { return Ok(None) };
    let has_extension = at.kind == KindId::USER && kind.sees(urn::USER);
    // What is financial is kept apart, and shown among the rest.
    let is_split = || stored.segments().any(|(id, _)| id.ends_with(MONEY) && kind.sees(id));
    if matches!(at.kind, KindId::USER | KindId::GROUP) && !has_extension && !is_split() {
        return Ok(None);
    }
    let mut document = Document::from_segments(kind.seen(stored.segments()))
        .map_err(|error| RosterError::Broken(format!("{}: {error}", at.id)))?;
    show_links(snapshot, caller, kind, &mut document)?;
    match at.kind {
        KindId::USER if has_extension => person::show(snapshot, caller, stored, &mut document)?,
        KindId::LICENSE_POOL => {
            let used = snapshot.counter(caller.tenant, SEATS, at.id.as_bytes())?;
            document.set(None, "used", Some(used.into()));
        }
        _ => {}
    }
    let text = |attributes: &Map<String, Value>| serde_json::to_string(attributes).unwrap_or_default();
    let mut segments = vec![(kind.core.id.clone(), text(&document.core))];
    segments.extend(document.extensions.iter().map(|(id, attributes)| (id.clone(), text(attributes))));
    Ok(Some(segments))
}

/// Writes beside each id of another resource what leads there and what it is called.
fn show_links(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    kind: &Kind,
    document: &mut Document,
) -> Result<(), RosterError> {
    show_links_of(snapshot, caller, &kind.core, &mut document.core)?;
    for (id, attributes) in &mut document.extensions {
        if let Some(schema) = kind.extension(id) {
            show_links_of(snapshot, caller, schema, attributes)?;
        }
    }
    Ok(())
}

fn show_links_of(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    schema: &Schema,
    attributes: &mut Map<String, Value>,
) -> Result<(), RosterError> {
    for attribute in &schema.attributes {
        let Some(to) = attribute.sub("value").and_then(|value| value.names) else { continue };
        let endpoint = caller.kinds().by_id(to).map(|kind| kind.endpoint.as_str()).unwrap_or_default();
        let elements = match attributes.get_mut(&attribute.name) {
            Some(Value::Array(elements)) => elements.as_mut_slice(),
            Some(one) => std::slice::from_mut(one),
            None => continue,
        };
        for element in elements {
            let Value::Object(parts) = element else { continue };
            let id = parts.get("value").and_then(Value::as_str).and_then(|id| ResourceId::parse(id).ok());
            let Some(id) = id else { continue };
            // Relative to where the resource is (RFC 7643 §2.3.7): whoever reads it knows that.
            parts.insert("$ref".to_owned(), format!("..{endpoint}/{id}").into());
            if let Some(named) = snapshot.get(caller.tenant, Address { kind: to, id })? {
                parts.insert("display".to_owned(), named.display().into());
            }
        }
    }
    Ok(())
}
