//! What matches a query, in its order, and pages cut out of that.
//!
//! What matches is held as little as possible: an unfiltered list stays in the store, by id or in an index of order, and a page of it is read
//! there; of a filtered one the ids are held, of one that had to be sorted the sort keys.
//!
//! A descending order is the ascending one read from behind, ties and unassigned ones included. So a page before a place, a page of a
//! descending list, and a page before a place in a descending list are two directions only.

use super::Caller;
use super::cursor::Position;
use super::error::RosterError;
use super::scan::Scan;
use crate::ids::{Address, KindId, ResourceId};
use crate::scim::{SortKey, SortOrder};
use crate::store::{IndexId, IndexRange, IndexRow, Owned, PAGE_ROWS_MAX, Snapshot};

/// Everything that matches.
pub(super) enum Found {
    /// Kind by kind, by id; from the greatest id to the least where `back`, of one kind.
    Listed { lists: Vec<Listed>, back: bool },
    /// In the order of an index.
    Walked(Walk),
    /// In the order that was asked for.
    Sorted(Vec<(SortKey, Address)>, SortOrder),
}

/// What matches of one kind.
pub(super) enum Listed {
    /// All of this number: the store pages through them.
    All(KindId, u64),
    /// What a connection provisioned, of this number: the store pages through it.
    Own(Owned, u64),
    /// These, in order of id.
    Some(KindId, Vec<ResourceId>),
}

/// What matches of one kind, in an index that holds each of them once.
pub(super) struct Walk {
    pub(super) kind: KindId,
    pub(super) index: IndexId,
    pub(super) order: SortOrder,
    /// How many the index holds.
    pub(super) all: u64,
    /// Which of them match; all where `None`.
    pub(super) only: Option<Vec<ResourceId>>,
}

/// Where in what matches a page lies.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// Behind the first of this number.
    Skip(u64),
    /// Just after a resource, whether it is still there or not.
    After(&'a Position),
    /// Just before one.
    Before(&'a Position),
}

/// A resource in its place.
pub(super) type Placed = (Option<SortKey>, Address);

/// Where a stretch of one list begins, and to which side it goes.
#[derive(Debug, Clone, Copy)]
enum Side<T> {
    Up(Option<T>),
    Down(Option<T>),
}

impl Found {
    pub(super) fn total(&self) -> u64 {
        match self {
            Self::Sorted(all, _) => all.len() as u64,
            Self::Walked(walk) => walk.only.as_ref().map_or(walk.all, |only| only.len() as u64),
            Self::Listed { lists, .. } => lists.iter().map(Listed::total).sum(),
        }
    }

    /// Cuts a page out: at most `limit` resources, in the order of the list also where it lies before a place.
    pub(super) fn cut(
        &self,
        snapshot: &dyn Snapshot,
        scan: &Scan<'_>,
        caller: &Caller,
        place: Place<'_>,
        limit: usize,
    ) -> Result<Vec<Placed>, RosterError> {
        match self {
            Self::Sorted(all, order) => Ok(cut_sorted(all, *order, place, limit)),
            Self::Walked(walk) => walk.cut(snapshot, scan, caller, place, limit),
            Self::Listed { lists, back } => cut_lists(lists, *back, snapshot, caller, place, limit),
        }
    }
}

/// Says which of two resources comes first; ties are broken by id.
pub(super) fn placed(
    order: SortOrder,
    left: &(SortKey, Address),
    right: &(SortKey, Address),
) -> std::cmp::Ordering {
    let least = (&left.0, left.1.id, left.1.kind).cmp(&(&right.0, right.1.id, right.1.kind));
    match order {
        SortOrder::Ascending => least,
        SortOrder::Descending => least.reverse(),
    }
}

fn cut_sorted(all: &[(SortKey, Address)], order: SortOrder, place: Place<'_>, limit: usize) -> Vec<Placed> {
    let last = |position: &Position| (position.sort.clone().unwrap_or_else(SortKey::unassigned), position.at);
    let (first, limit) = match place {
        Place::Skip(skip) => (usize::try_from(skip).unwrap_or(usize::MAX), limit),
        Place::After(position) => {
            let last = last(position);
            (all.partition_point(|one| placed(order, one, &last).is_le()), limit)
        }
        Place::Before(position) => {
            let last = last(position);
            let end = all.partition_point(|one| placed(order, one, &last).is_lt());
            (end.saturating_sub(limit), limit.min(end))
        }
    };
    all.iter().skip(first).take(limit).map(|(sort, at)| (Some(sort.clone()), *at)).collect()
}

fn cut_lists(
    lists: &[Listed],
    back: bool,
    snapshot: &dyn Snapshot,
    caller: &Caller,
    place: Place<'_>,
    limit: usize,
) -> Result<Vec<Placed>, RosterError> {
    let mut page: Vec<Address> = Vec::new();
    let add = |page: &mut Vec<Address>, listed: &Listed, ids: Vec<ResourceId>| {
        page.extend(ids.into_iter().map(|id| Address { kind: listed.kind(), id }));
    };
    match place {
        Place::Skip(mut skip) => {
            for listed in lists {
                let left = limit.saturating_sub(page.len());
                if left > 0 && skip < listed.total() {
                    add(&mut page, listed, listed.numbered(snapshot, caller, back, skip, left)?);
                }
                skip = skip.saturating_sub(listed.total());
            }
        }
        Place::After(position) | Place::Before(position) => {
            let before = matches!(place, Place::Before(_));
            // Kinds on the other side of the one where the place is have been shown, or are shown later.
            let mut beyond: Vec<&Listed> = lists.iter().collect();
            if before {
                beyond.reverse();
            }
            let rest = beyond.into_iter().skip_while(|listed| listed.kind() != position.at.kind);
            for listed in rest {
                let left = limit.saturating_sub(page.len());
                if left == 0 {
                    break;
                }
                let bound = (listed.kind() == position.at.kind).then_some(position.at.id);
                let side = if back == before { Side::Up(bound) } else { Side::Down(bound) };
                add(&mut page, listed, listed.stretch(snapshot, caller, side, left)?);
            }
            if before {
                page.reverse();
            }
        }
    }
    Ok(page.into_iter().map(|at| (None, at)).collect())
}

impl Listed {
    const fn kind(&self) -> KindId {
        match self {
            Self::All(kind, _) | Self::Some(kind, _) => *kind,
            Self::Own(owned, _) => owned.kind,
        }
    }

    fn total(&self) -> u64 {
        match self {
            Self::All(_, total) | Self::Own(_, total) => *total,
            Self::Some(_, ids) => ids.len() as u64,
        }
    }

    /// Returns ids in order, or from the greatest to the least, leaving out the first `skip` of them.
    fn numbered(
        &self,
        snapshot: &dyn Snapshot,
        caller: &Caller,
        back: bool,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<ResourceId>, RosterError> {
        let (skip, limit) = if back { from_behind(self.total(), skip, limit) } else { (skip, limit) };
        let mut ids = match self {
            Self::All(kind, _) => snapshot.ids(caller.tenant, *kind, None, skip, limit)?,
            Self::Own(owned, _) => snapshot.owned_ids(caller.tenant, *owned, None, skip, limit)?,
            Self::Some(_, ids) => {
                ids.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)).take(limit).copied().collect()
            }
        };
        if back {
            ids.reverse();
        }
        Ok(ids)
    }

    /// Returns ids from just beside one, upwards or downwards.
    fn stretch(
        &self,
        snapshot: &dyn Snapshot,
        caller: &Caller,
        side: Side<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, RosterError> {
        Ok(match (self, side) {
            (Self::All(kind, _), Side::Up(after)) => snapshot.ids(caller.tenant, *kind, after, 0, limit)?,
            (Self::All(kind, _), Side::Down(before)) => {
                snapshot.ids_back(caller.tenant, *kind, before, limit)?
            }
            (Self::Own(owned, _), Side::Up(after)) => {
                snapshot.owned_ids(caller.tenant, *owned, after, 0, limit)?
            }
            (Self::Own(owned, _), Side::Down(before)) => {
                snapshot.owned_ids_back(caller.tenant, *owned, before, limit)?
            }
            (Self::Some(_, ids), Side::Up(after)) => {
                let first = ids.partition_point(|id| after.is_some_and(|after| *id <= after));
                ids.iter().skip(first).take(limit).copied().collect()
            }
            (Self::Some(_, ids), Side::Down(before)) => {
                let end = ids.partition_point(|id| before.is_none_or(|before| *id < before));
                ids.iter().take(end).rev().take(limit).copied().collect()
            }
        })
    }
}

impl Walk {
    fn cut(
        &self,
        snapshot: &dyn Snapshot,
        scan: &Scan<'_>,
        caller: &Caller,
        place: Place<'_>,
        limit: usize,
    ) -> Result<Vec<Placed>, RosterError> {
        let back = self.order == SortOrder::Descending;
        let mut rows = match (place, &self.only) {
            (Place::Skip(skip), None) => {
                let (first, limit) = if back { from_behind(self.all, skip, limit) } else { (skip, limit) };
                let range = IndexRange { skip: first, ..IndexRange::all(self.kind, self.index) };
                let mut rows = snapshot.index_range(caller.tenant, &range, limit)?;
                if back {
                    rows.reverse();
                }
                rows
            }
            (Place::Skip(skip), Some(_)) => {
                let side = if back { Side::Down(None) } else { Side::Up(None) };
                self.stretch(snapshot, scan, caller, side, skip, limit)?
            }
            (Place::After(position), _) => {
                let row = Some(row(position));
                let side = if back { Side::Down(row) } else { Side::Up(row) };
                self.stretch(snapshot, scan, caller, side, 0, limit)?
            }
            (Place::Before(position), _) => {
                let row = Some(row(position));
                let side = if back { Side::Up(row) } else { Side::Down(row) };
                self.stretch(snapshot, scan, caller, side, 0, limit)?
            }
        };
        if matches!(place, Place::Before(_)) {
            rows.reverse();
        }
        let place =
            |row: IndexRow| (Some(SortKey::from_bytes(row.value)), Address { kind: self.kind, id: row.id });
        Ok(rows.into_iter().map(place).collect())
    }

    /// Reads entries from just beside one, upwards or downwards, until there are enough of those that match.
    fn stretch(
        &self,
        snapshot: &dyn Snapshot,
        scan: &Scan<'_>,
        caller: &Caller,
        side: Side<IndexRow>,
        mut skip: u64,
        limit: usize,
    ) -> Result<Vec<IndexRow>, RosterError> {
        let (back, after) = match side {
            Side::Up(after) => (false, after),
            Side::Down(after) => (true, after),
        };
        let mut range = IndexRange { back, after, ..IndexRange::all(self.kind, self.index) };
        let Some(only) = &self.only else {
            return Ok(snapshot.index_range(caller.tenant, &range, limit)?);
        };
        let mut found: Vec<IndexRow> = Vec::new();
        while found.len() < limit {
            scan.in_time()?;
            let page = snapshot.index_range(caller.tenant, &range, PAGE_ROWS_MAX)?;
            let last = page.len() < PAGE_ROWS_MAX;
            range.after = page.last().cloned();
            for row in page.into_iter().filter(|row| only.binary_search(&row.id).is_ok()) {
                if skip > 0 {
                    skip = skip.saturating_sub(1);
                } else if found.len() < limit {
                    found.push(row);
                }
            }
            if last {
                break;
            }
        }
        Ok(found)
    }
}

/// Says which stretch, counted from the least, is the one that is asked for counted from the greatest.
fn from_behind(total: u64, skip: u64, limit: usize) -> (u64, usize) {
    let end = total.saturating_sub(skip);
    let first = end.saturating_sub(limit as u64);
    (first, usize::try_from(end.saturating_sub(first)).unwrap_or(limit))
}

fn row(position: &Position) -> IndexRow {
    let sort = position.sort.clone().unwrap_or_else(SortKey::unassigned);
    IndexRow { value: sort.as_bytes().to_vec(), id: position.at.id }
}
