//! The rules of a person.

use std::borrow::Cow;

use super::Caller;
use super::error::RosterError;
use super::references;
use super::rules::{Draft, Settled};
use crate::ids::ResourceId;
use crate::scim::Document;
use crate::store::{Given, Snapshot, Space, Stored};

/// Pool id → how many people have one of its seats.
pub(super) const SEATS: Space = Space(72);

/// The fact that a pool has fewer seats taken than this.
pub(super) fn seats(pool: ResourceId, max: u64) -> Given {
    Given::Room { space: SEATS, key: pool.as_bytes().to_vec(), max }
}

/// What a person is to the caller who changes them: active as far as the caller's own authority goes.
pub(super) fn as_met<'a>(
    _caller: &Caller,
    _stored: &Stored,
    met: Cow<'a, Document>,
) -> Result<Cow<'a, Document>, RosterError> {
    Ok(met)
}

/// Shows what is computed of a person.
pub(super) fn show(
    _snapshot: &dyn Snapshot,
    _caller: &Caller,
    _stored: &Stored,
    _document: &mut Document,
) -> Result<(), RosterError> {
    Ok(())
}

/// Applies the rules of a person to a document that is to be written.
pub(super) fn settle(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    draft: &mut Draft<'_>,
) -> Result<Settled, RosterError> {
    let kept = draft.before.map(|before| before.kept);
    let given = references::check(snapshot, caller, draft.kind, kept, &draft.wanted)?;
    Ok(Settled { given, ..Settled::default() })
}
