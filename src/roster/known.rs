//! What a caller knows of: everything, or what its connection provisioned itself (X19).
//!
//! A tenant with one identity provider and nobody else pays nothing for it: where everything is the caller's own, lists go the way of
//! those who see everything. Elsewhere the store's lists by connection take the place of the whole.

use super::Caller;
use super::candidates::{CANDIDATES_MAX, Candidates};
use super::error::RosterError;
use crate::ids::{Address, KindId, ResourceId};
use crate::store::{Owned, PAGE_ROWS_MAX, Snapshot};

/// So few that each is looked up rather than the list of the connection read.
const FEW: usize = if cfg!(test) { 1 } else { 256 };

/// What a caller knows of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// All there are, of this number.
    All(u64),
    /// Those of the connection, of this number; there are others.
    Own(Owned, u64),
}

impl Known {
    pub(super) const fn count(self) -> u64 {
        match self {
            Self::All(count) | Self::Own(_, count) => count,
        }
    }
}

/// Finds out what a caller knows of a kind.
pub(super) fn known(snapshot: &dyn Snapshot, caller: &Caller, kind: KindId) -> Result<Known, RosterError> {
    let all = snapshot.count(caller.tenant, kind)?;
    if caller.sees_all_of(kind) {
        return Ok(Known::All(all));
    }
    let owned = Owned { kind, by: caller.connection };
    let own = snapshot.owned(caller.tenant, owned)?;
    Ok(if own == all { Known::All(all) } else { Known::Own(owned, own) })
}

/// Lists what a connection provisioned, in order of id; `None` where that is more than an index may yield.
pub(super) fn own_ids(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    owned: Owned,
) -> Result<Option<Vec<ResourceId>>, RosterError> {
    if snapshot.owned(caller.tenant, owned)? > CANDIDATES_MAX as u64 {
        return Ok(None);
    }
    let mut ids: Vec<ResourceId> = Vec::new();
    loop {
        let page = snapshot.owned_ids(caller.tenant, owned, ids.last().copied(), 0, PAGE_ROWS_MAX)?;
        let last = page.len() < PAGE_ROWS_MAX;
        ids.extend(page);
        if last {
            return Ok(Some(ids));
        }
    }
}

/// Tells whether the caller knows of the other end of an edge, which is there.
pub(super) fn knows(snapshot: &dyn Snapshot, caller: &Caller, at: Address) -> Result<bool, RosterError> {
    if caller.sees_all_of(at.kind) {
        return Ok(true);
    }
    let owned = Owned { kind: at.kind, by: caller.connection };
    Ok(snapshot.is_owned(caller.tenant, owned, at.id)?)
}

/// Leaves of a group's members those that the caller knows of. An administrator may have put others beside them.
pub(super) fn only_known_members(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    members: Vec<Address>,
) -> Result<Vec<Address>, RosterError> {
    if caller.sees_all() {
        return Ok(members);
    }
    let mut left = Vec::with_capacity(members.len());
    // They come kind by kind.
    for of_kind in members.chunk_by(|one, other| one.kind == other.kind) {
        let Some(Address { kind, .. }) = of_kind.first() else { continue };
        let all = matches!(known(snapshot, caller, *kind)?, Known::All(_));
        for member in of_kind {
            if all || knows(snapshot, caller, *member)? {
                left.push(*member);
            }
        }
    }
    Ok(left)
}

/// Leaves of what the indexes found those that the caller knows of. A single one is left as it is: its record, which is read to be shown, says whose it is.
pub(super) fn only_known(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    kind: KindId,
    found: Candidates,
) -> Result<Candidates, RosterError> {
    let Candidates { mut ids, exact, .. } = found;
    if caller.sees_all_of(kind) || ids.is_empty() {
        return Ok(Candidates { ids, exact, known: true });
    }
    if ids.len() == 1 {
        return Ok(Candidates { ids, exact, known: false });
    }
    if ids.len() > FEW {
        let Known::Own(owned, _) = known(snapshot, caller, kind)? else {
            return Ok(Candidates { ids, exact, known: true });
        };
        if let Some(own) = own_ids(snapshot, caller, owned)? {
            ids.retain(|id| own.binary_search(id).is_ok());
            return Ok(Candidates { ids, exact, known: true });
        }
    }
    let owned = Owned { kind, by: caller.connection };
    let mut left = Vec::with_capacity(ids.len());
    for id in ids {
        if snapshot.is_owned(caller.tenant, owned, id)? {
            left.push(id);
        }
    }
    Ok(Candidates { ids: left, exact, known: true })
}
