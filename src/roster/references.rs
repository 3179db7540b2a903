//! What resources say of each other by id: that it is there when it is said, and that it does not go while it is.
//!
//! Which attributes hold ids is the schema's to say ([`Attribute::names`]). Each id that a record holds is an entry in one index, whoever wrote
//! it, so that "is it in use" is a look into the index, and the fact on which a removal stands. Ids of people are not kept there: a person may go,
//! and whoever named them sees that nobody is there any more.
//!
//! [`Attribute::names`]: crate::scim::schema::Attribute::names

use serde_json::{Map, Value};

use super::error::RosterError;
use super::{Caller, index};
use crate::ids::{Address, KindId, ResourceId};
use crate::scim::schema::{Attribute, Kind, Schema};
use crate::scim::{Document, Refusal, Why};
use crate::store::{Given, IndexEntry, IndexRange, Snapshot};

/// What one attribute of a document names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// Where it stands, in the requester's words.
    pub place: String,
    /// The kind of resource that it names.
    pub kind: KindId,
    /// The id, as it was sent.
    pub id: String,
}

impl Reference {
    fn at(&self) -> Option<Address> {
        ResourceId::parse(&self.id).ok().map(|id| Address { kind: self.kind, id })
    }
}

/// Lists what a document names.
pub(super) fn of(document: &Document, kind: &Kind) -> Vec<Reference> {
    let mut found = Vec::new();
    of_schema(&document.core, &kind.core, None, &mut found);
    for schema in &kind.extensions {
        if let Some(attributes) = document.extension(&schema.id) {
            of_schema(attributes, schema, Some(&schema.id), &mut found);
        }
    }
    found
}

fn of_schema(attributes: &Map<String, Value>, schema: &Schema, id: Option<&str>, found: &mut Vec<Reference>) {
    for attribute in &schema.attributes {
        if attribute.names.is_none() && attribute.sub_attributes.iter().all(|sub| sub.names.is_none()) {
            continue;
        }
        let Some(value) = attributes.get(&attribute.name) else { continue };
        let place = id.map_or_else(|| attribute.name.clone(), |id| format!("{id}:{}", attribute.name));
        let mut add = |part: &Attribute, value: &Value, place: String| {
            if let (Some(kind), Some(id)) = (part.names, value.as_str()) {
                found.push(Reference { place, kind, id: id.to_owned() });
            }
        };
        for element in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
            add(attribute, element, place.clone());
            for sub in &attribute.sub_attributes {
                if let Some(value) = element.get(&sub.name) {
                    add(sub, value, format!("{place}.{}", sub.name));
                }
            }
        }
    }
}

/// Computes the entries under which a record is found by what it names.
pub(super) fn entries(document: &Document, kind: &Kind) -> Vec<IndexEntry> {
    let mut entries = Vec::new();
    for at in of(document, kind).iter().filter_map(Reference::at).filter(|at| at.kind != KindId::USER) {
        let entry = index::reference(at);
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries
}

/// Refuses what names something that is not there, and says on which facts the rest stands. What was named before is there.
pub(super) fn check(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    kind: &Kind,
    before: Option<&Document>,
    wanted: &Document,
) -> Result<Vec<Given>, RosterError> {
    let known = before.map(|before| of(before, kind)).unwrap_or_default();
    let mut facts = Vec::new();
    for reference in of(wanted, kind) {
        if known.iter().any(|known| known.kind == reference.kind && known.id == reference.id) {
            continue;
        }
        let at = reference.at();
        let there = match at {
            Some(at) => snapshot.get(caller.tenant, at)?.is_some(),
            None => false,
        };
        let (Some(at), true) = (at, there) else {
            let name = kind_name(caller, reference.kind);
            let detail = format!(
                "{}: expected the id of a {name}, found {}, which is none; GET {} lists them",
                reference.place,
                crate::scim::error::quoted(&reference.id),
                endpoint(caller, reference.kind),
            );
            return Err(Refusal::new(Why::InvalidValue, detail).into());
        };
        if !facts.contains(&Given::Exists(at)) {
            facts.push(Given::Exists(at));
        }
    }
    Ok(facts)
}

/// Refuses the removal of what others name, and says on which facts it stands that nobody does.
pub(super) fn refuse_if_named(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
) -> Result<Vec<Given>, RosterError> {
    let entry = index::reference(at);
    for kind in KINDS_THAT_NAME {
        let range = IndexRange::exactly(kind, entry.index, entry.value.clone());
        if let Some(row) = snapshot.index_range(caller.tenant, &range, 1)?.first() {
            let by = Address { kind, id: row.id };
            let display = snapshot.get(caller.tenant, by)?.map(|stored| stored.display().to_owned());
            let detail = format!(
                "it is in use: the {} {} ({}) names it; change that first",
                kind_name(caller, kind),
                crate::scim::error::quoted(display.as_deref().unwrap_or_default()),
                by.id,
            );
            return Err(RosterError::InUse(detail));
        }
    }
    Ok(vec![Given::Unused(entry)])
}

/// The kinds whose records name others.
const KINDS_THAT_NAME: [KindId; 4] = [KindId::USER, KindId::USER_TYPE, KindId::COST_CENTER, KindId::DEPARTED];

fn kind_name(caller: &Caller, kind: KindId) -> &str {
    match kind {
        KindId::DEPARTED => "departed person",
        _ => caller.kinds().by_id(kind).map_or("resource", |kind| kind.name.as_str()),
    }
}

fn endpoint(caller: &Caller, kind: KindId) -> &str {
    caller.kinds().by_id(kind).map_or("", |kind| kind.endpoint.as_str())
}
