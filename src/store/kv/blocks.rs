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

    /// The least key after that of a block.
    fn after(&self, tail: &[u8]) -> Vec<u8> {
        [&self.blocks, tail, &[0]].concat()
    }

    /// The key of a block's first row (or of one that was).
    fn first(&self, block: &[u8]) -> Vec<u8> {
        self.row(block.get(self.blocks.len()..).unwrap_or_default())
    }
}

/// A stretch: the key of its block, and how many rows there are.
type Block = (Vec<u8>, u64);

/// Counts a row that has just been written.
pub(super) fn added(draft: &mut Draft<'_>, lane: &Lane, tail: &[u8]) -> Result<(), StoreError> {
    let Some((block, count)) = of(draft, lane, tail)? else {
        // Before every stretch: the first begins earlier from now on.
        let Some((block, count)) = first_after(draft, lane, &lane.blocks)? else {
            write(draft, lane.block(tail), 1);
            return Ok(());
        };
        draft.remove(block);
        return grown(draft, lane, lane.block(tail), count.saturating_add(1));
    };
    if count >= IDS_FULL && is_greatest(draft, lane, tail)? {
        write(draft, lane.block(tail), 1);
        return Ok(());
    }
    grown(draft, lane, block, count.saturating_add(1))
}

/// Counts a row that has just been removed.
pub(super) fn removed(draft: &mut Draft<'_>, lane: &Lane, tail: &[u8]) -> Result<(), StoreError> {
    let block = of(draft, lane, tail)?.and_then(|(block, count)| Some((block, count.checked_sub(1)?)));
    let Some((block, count)) = block else {
        return Err(StoreError::Corrupt("a row is gone that was counted in no stretch".into()));
    };
    if count == 0 {
        draft.remove(block);
        return Ok(());
    }
    if count <= IDS_FEW
        && let Some((before, more)) = last_before(draft, lane, &block)?
        && more.saturating_add(count) <= IDS_FULL
    {
        draft.remove(block);
        write(draft, before, more.saturating_add(count));
        return Ok(());
    }
    write(draft, block, count);
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
        next = lane.after(tail);
        let end = match first_after(kv, lane, &next)? {
            Some((block, _)) => lane.first(&block),
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
        let count = parse(key, sealed)?;
        if left < count {
            found = Some(lane.first(key));
            return Ok(ControlFlow::Break(()));
        }
        left = left.saturating_sub(count);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(match found {
        Some(first) => (first, left),
        // Fewer than are to be left out.
        None => (keys::end_of(&lane.rows), 0),
    })
}

/// Writes a stretch that has become longer; one that is too long is cut in two.
fn grown(draft: &mut Draft<'_>, lane: &Lane, block: Vec<u8>, count: u64) -> Result<(), StoreError> {
    if count <= IDS_MAX {
        write(draft, block, count);
        return Ok(());
    }
    let (mut seen, mut middle) = (0, None);
    draft.scan(Table::Small, &lane.first(&block), &keys::end_of(&lane.rows), &mut |key, _| {
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
    write(draft, block, IDS_FULL);
    write(draft, lane.block(&middle), count.saturating_sub(IDS_FULL));
    Ok(())
}

fn write(draft: &mut Draft<'_>, block: Vec<u8>, count: u64) {
    draft.put(block, &count.to_le_bytes());
}

/// Finds the stretch that a row stands in, or would.
fn of(kv: &dyn KvRead, lane: &Lane, tail: &[u8]) -> Result<Option<Block>, StoreError> {
    last_before(kv, lane, &lane.after(tail))
}

fn last_before(kv: &dyn KvRead, lane: &Lane, to: &[u8]) -> Result<Option<Block>, StoreError> {
    let row = kv.last(Table::Small, &lane.blocks, to)?;
    let Some((key, sealed)) = row else { return Ok(None) };
    let count = parse(&key, &sealed)?;
    Ok(Some((key, count)))
}

fn first_after(kv: &dyn KvRead, lane: &Lane, from: &[u8]) -> Result<Option<Block>, StoreError> {
    let mut found = None;
    kv.scan(Table::Small, from, &keys::end_of(&lane.blocks), &mut |key, sealed| {
        found = Some((key.to_vec(), parse(key, sealed)?));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

fn is_greatest(kv: &dyn KvRead, lane: &Lane, tail: &[u8]) -> Result<bool, StoreError> {
    let last = kv.last(Table::Small, &lane.rows, &keys::end_of(&lane.rows))?;
    Ok(last.is_none_or(|(key, _)| key <= lane.row(tail)))
}

fn parse(block: &[u8], sealed: &[u8]) -> Result<u64, StoreError> {
    rows::open_number(unseal(block, sealed)?).ok_or_else(|| damaged(block))
}

#[cfg(test)]
mod tests;
