//! Counted blocks: how many rows stand between here and there, without reading them (P8).
//!
//! The ids of a kind, and the entries of an index that is counted, are cut into stretches. What follows speaks of ids; entries are the same. A row at the first id of each says how many there are, and is kept in the transaction
//! that changes them. To leave out the first million ids one reads a thousand such rows and the rest of one stretch. New ids are
//! the greatest (they begin with the time), so that the last stretch fills up and another is begun; what comes in between makes a
//! stretch longer until it is cut in two, and what goes makes it shorter until it joins the one before.

use std::ops::ControlFlow;

use super::KvRead;
use super::draft::Draft;
use super::keys::{self, Table};
use super::rows::{self, damaged};
use crate::ids::{KindId, TenantId};
use crate::store::StoreError;
use crate::store::seal::unseal;
use crate::store::unit::IndexId;

/// Rows of a stretch that was filled from its beginning to its end.
pub(super) const IDS_FULL: u64 = 1024;
/// Most rows of a stretch.
pub(super) const IDS_MAX: u64 = 2 * IDS_FULL;
/// A stretch this short looks whether it fits into the one before.
const IDS_FEW: u64 = IDS_FULL / 4;

/// Rows that are counted: what their keys begin with, and what the keys of their blocks begin with. What follows is the same in both.
pub(super) struct Lane {
    rows: Vec<u8>,
    blocks: Vec<u8>,
}

impl Lane {
    /// The ids of a kind.
    pub(super) fn ids(tenant: TenantId, kind: KindId) -> Self {
        Self { rows: keys::ids(tenant, kind), blocks: keys::blocks(tenant, kind) }
    }

    /// The entries of an index.
    pub(super) fn index(tenant: TenantId, kind: KindId, index: IndexId) -> Self {
        Self { rows: keys::index(tenant, kind, index), blocks: keys::entry_blocks(tenant, kind, index) }
    }

    fn row(&self, tail: &[u8]) -> Vec<u8> {
        [&self.rows, tail].concat()
    }

    fn block(&self, tail: &[u8]) -> Vec<u8> {
        [&self.blocks, tail].concat()
    }
}

/// A stretch: the end of its first row's key (or of one that was), and how many rows there are.
type Block = (Vec<u8>, u64);

/// Counts a row that has just been written.
pub(super) fn added(draft: &mut Draft<'_>, lane: &Lane, tail: &[u8]) -> Result<(), StoreError> {
    let Some((first, count)) = of(draft, lane, tail)? else {
        // Before every stretch: the first begins earlier from now on.
        let Some((first, count)) = first_after(draft, lane, &lane.blocks)? else {
            write(draft, lane, tail, 1);
            return Ok(());
        };
        draft.remove(lane.block(&first));
        return grown(draft, lane, tail, count.saturating_add(1));
    };
    if count >= IDS_FULL && is_greatest(draft, lane, tail)? {
        write(draft, lane, tail, 1);
        return Ok(());
    }
    grown(draft, lane, &first, count.saturating_add(1))
}

/// Counts a row that has just been removed.
pub(super) fn removed(draft: &mut Draft<'_>, lane: &Lane, tail: &[u8]) -> Result<(), StoreError> {
    let block = of(draft, lane, tail)?.and_then(|(first, count)| Some((first, count.checked_sub(1)?)));
    let Some((first, count)) = block else {
        return Err(StoreError::Corrupt("a row is gone that was counted in no stretch".into()));
    };
    if count == 0 {
        draft.remove(lane.block(&first));
        return Ok(());
    }
    if count <= IDS_FEW
        && let Some((before, more)) = last_before(draft, lane, &lane.block(&first))?
        && more.saturating_add(count) <= IDS_FULL
    {
        draft.remove(lane.block(&first));
        write(draft, lane, &before, more.saturating_add(count));
        return Ok(());
    }
    write(draft, lane, &first, count);
    Ok(())
}

/// Leaves out the first `skip` rows, or of those after one: returns a key from which to read rows, and how many of those
/// still have to be left out: never more than a stretch holds.
pub(super) fn seek(
    kv: &dyn KvRead,
    lane: &Lane,
    after: Option<&[u8]>,
    skip: u64,
) -> Result<(Vec<u8>, u64), StoreError> {
    let from = after.map_or_else(|| lane.rows.clone(), |tail| keys::just_after(lane.row(tail)));
    if skip < IDS_FULL {
        return Ok((from, skip));
    }
    // The rest of the stretch in which one begins is read, those after it are counted.
    let mut left = skip;
    let mut next = lane.blocks.clone();
    if let Some(tail) = after {
        next = keys::just_after(lane.block(tail));
        let end = match first_after(kv, lane, &next)? {
            Some((first, _)) => lane.row(&first),
            None => return Ok((from, skip)),
        };
        kv.scan(Table::Small, &from, &end, &mut |_, _| {
            left = left.saturating_sub(1);
            Ok(if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        if left == 0 {
            return Ok((from, skip));
        }
    }
    let mut found = None;
    kv.scan(Table::Small, &next, &keys::end_of(&lane.blocks), &mut |key, sealed| {
        let (first, count) = parse(&lane.blocks, key, sealed)?;
        if left < count {
            found = Some(first);
            return Ok(ControlFlow::Break(()));
        }
        left = left.saturating_sub(count);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(match found {
        Some(first) => (lane.row(&first), left),
        // Fewer than are to be left out.
        None => (keys::end_of(&lane.rows), 0),
    })
}

/// Writes a stretch that has become longer; one that is too long is cut in two.
fn grown(draft: &mut Draft<'_>, lane: &Lane, first: &[u8], count: u64) -> Result<(), StoreError> {
    if count <= IDS_MAX {
        write(draft, lane, first, count);
        return Ok(());
    }
    let (mut seen, mut middle) = (0, None);
    draft.scan(Table::Small, &lane.row(first), &keys::end_of(&lane.rows), &mut |key, _| {
        if seen == IDS_FULL {
            middle = key.get(lane.rows.len()..).map(<[u8]>::to_vec);
            return Ok(ControlFlow::Break(()));
        }
        seen += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    let Some(middle) = middle else {
        return Err(StoreError::Corrupt("a stretch holds fewer rows than are counted".into()));
    };
    write(draft, lane, first, IDS_FULL);
    write(draft, lane, &middle, count.saturating_sub(IDS_FULL));
    Ok(())
}

fn write(draft: &mut Draft<'_>, lane: &Lane, first: &[u8], count: u64) {
    draft.put(lane.block(first), &count.to_le_bytes());
}

/// Finds the stretch that a row stands in, or would.
fn of(kv: &dyn KvRead, lane: &Lane, tail: &[u8]) -> Result<Option<Block>, StoreError> {
    last_before(kv, lane, &keys::just_after(lane.block(tail)))
}

fn last_before(kv: &dyn KvRead, lane: &Lane, to: &[u8]) -> Result<Option<Block>, StoreError> {
    let row = kv.last(Table::Small, &lane.blocks, to)?;
    row.map(|(key, sealed)| parse(&lane.blocks, &key, &sealed)).transpose()
}

fn first_after(kv: &dyn KvRead, lane: &Lane, from: &[u8]) -> Result<Option<Block>, StoreError> {
    let mut found = None;
    kv.scan(Table::Small, from, &keys::end_of(&lane.blocks), &mut |key, sealed| {
        found = Some(parse(&lane.blocks, key, sealed)?);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

fn is_greatest(kv: &dyn KvRead, lane: &Lane, tail: &[u8]) -> Result<bool, StoreError> {
    let last = kv.last(Table::Small, &lane.rows, &keys::end_of(&lane.rows))?;
    Ok(last.is_none_or(|(key, _)| key <= lane.row(tail)))
}

fn parse(prefix: &[u8], key: &[u8], sealed: &[u8]) -> Result<Block, StoreError> {
    let first = key.get(prefix.len()..).map(<[u8]>::to_vec);
    first.zip(rows::open_number(unseal(key, sealed)?)).ok_or_else(|| damaged(key))
}

#[cfg(test)]
mod tests;
