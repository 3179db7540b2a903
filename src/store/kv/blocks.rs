//! Counted blocks of ids: how many ids stand between here and there, without reading them (P8).
//!
//! The ids of a kind are cut into stretches. A row at the first id of each says how many there are, and is kept in the transaction
//! that changes them. To leave out the first million ids one reads a thousand such rows and the rest of one stretch. New ids are
//! the greatest (they begin with the time), so that the last stretch fills up and another is begun; what comes in between makes a
//! stretch longer until it is cut in two, and what goes makes it shorter until it joins the one before.

use std::ops::ControlFlow;

use super::KvRead;
use super::draft::Draft;
use super::keys::{self, Table};
use super::rows::{self, damaged};
use crate::ids::{Address, KindId, ResourceId, TenantId};
use crate::store::StoreError;
use crate::store::seal::unseal;

/// Ids of a stretch that was filled from its beginning to its end.
pub(super) const IDS_FULL: u64 = 1024;
/// Most ids of a stretch.
pub(super) const IDS_MAX: u64 = 2 * IDS_FULL;
/// A stretch this short looks whether it fits into the one before.
const IDS_FEW: u64 = IDS_FULL / 4;

/// A stretch: its first id (or one that was), and how many there are.
type Block = (ResourceId, u64);

/// Counts an id that has just been written.
pub(super) fn added(draft: &mut Draft<'_>, tenant: TenantId, at: Address) -> Result<(), StoreError> {
    let Some((first, count)) = of(draft, tenant, at)? else {
        // Before every stretch: the first begins earlier from now on.
        let Some((first, count)) = first_after(draft, tenant, at.kind, &keys::blocks(tenant, at.kind))?
        else {
            write(draft, tenant, at, 1);
            return Ok(());
        };
        draft.remove(keys::block(tenant, Address { kind: at.kind, id: first }));
        return grown(draft, tenant, at, count.saturating_add(1));
    };
    if count >= IDS_FULL && is_greatest(draft, tenant, at)? {
        write(draft, tenant, at, 1);
        return Ok(());
    }
    grown(draft, tenant, Address { kind: at.kind, id: first }, count.saturating_add(1))
}

/// Counts an id that has just been removed.
pub(super) fn removed(draft: &mut Draft<'_>, tenant: TenantId, at: Address) -> Result<(), StoreError> {
    let block = of(draft, tenant, at)?.and_then(|(first, count)| Some((first, count.checked_sub(1)?)));
    let Some((first, count)) = block else {
        return Err(StoreError::Corrupt("an id is gone that was counted in no stretch".into()));
    };
    let begin = Address { kind: at.kind, id: first };
    if count == 0 {
        draft.remove(keys::block(tenant, begin));
        return Ok(());
    }
    if count <= IDS_FEW
        && let Some((before, more)) = last_before(draft, tenant, at.kind, &keys::block(tenant, begin))?
        && more.saturating_add(count) <= IDS_FULL
    {
        draft.remove(keys::block(tenant, begin));
        write(draft, tenant, Address { kind: at.kind, id: before }, more.saturating_add(count));
        return Ok(());
    }
    write(draft, tenant, begin, count);
    Ok(())
}

/// Leaves out the first `skip` ids of a kind, or of those after one: returns a key from which to read ids, and how many of those
/// still have to be left out: never more than a stretch holds.
pub(super) fn seek(
    kv: &dyn KvRead,
    tenant: TenantId,
    kind: KindId,
    after: Option<ResourceId>,
    skip: u64,
) -> Result<(Vec<u8>, u64), StoreError> {
    let prefix = keys::ids(tenant, kind);
    let from = after.map_or(prefix, |id| keys::just_after(keys::id(tenant, Address { kind, id })));
    if skip < IDS_FULL {
        return Ok((from, skip));
    }
    // The rest of the stretch in which one begins is read, those after it are counted.
    let mut left = skip;
    let mut next = keys::blocks(tenant, kind);
    if let Some(id) = after {
        next = keys::just_after(keys::block(tenant, Address { kind, id }));
        let end = match first_after(kv, tenant, kind, &next)? {
            Some((first, _)) => keys::id(tenant, Address { kind, id: first }),
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
    let prefix = keys::blocks(tenant, kind);
    let mut found = None;
    kv.scan(Table::Small, &next, &keys::end_of(&prefix), &mut |key, sealed| {
        let (first, count) = parse(&prefix, key, sealed)?;
        if left < count {
            found = Some(first);
            return Ok(ControlFlow::Break(()));
        }
        left = left.saturating_sub(count);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(match found {
        Some(id) => (keys::id(tenant, Address { kind, id }), left),
        // Fewer than are to be left out.
        None => (keys::end_of(&keys::ids(tenant, kind)), 0),
    })
}

/// Writes a stretch that has become longer; one that is too long is cut in two.
fn grown(draft: &mut Draft<'_>, tenant: TenantId, begin: Address, count: u64) -> Result<(), StoreError> {
    if count <= IDS_MAX {
        write(draft, tenant, begin, count);
        return Ok(());
    }
    let prefix = keys::ids(tenant, begin.kind);
    let (mut seen, mut middle) = (0, None);
    draft.scan(Table::Small, &keys::id(tenant, begin), &keys::end_of(&prefix), &mut |key, _| {
        if seen == IDS_FULL {
            middle = keys::parse_id(key.get(prefix.len()..).unwrap_or_default());
            return Ok(ControlFlow::Break(()));
        }
        seen += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    let Some(id) = middle else {
        return Err(StoreError::Corrupt("a stretch of ids holds fewer than are counted".into()));
    };
    write(draft, tenant, begin, IDS_FULL);
    write(draft, tenant, Address { kind: begin.kind, id }, count.saturating_sub(IDS_FULL));
    Ok(())
}

fn write(draft: &mut Draft<'_>, tenant: TenantId, begin: Address, count: u64) {
    draft.put(keys::block(tenant, begin), &count.to_le_bytes());
}

/// Finds the stretch that an id stands in, or would.
fn of(kv: &dyn KvRead, tenant: TenantId, at: Address) -> Result<Option<Block>, StoreError> {
    last_before(kv, tenant, at.kind, &keys::just_after(keys::block(tenant, at)))
}

fn last_before(
    kv: &dyn KvRead,
    tenant: TenantId,
    kind: KindId,
    to: &[u8],
) -> Result<Option<Block>, StoreError> {
    let prefix = keys::blocks(tenant, kind);
    let row = kv.last(Table::Small, &prefix, to)?;
    row.map(|(key, sealed)| parse(&prefix, &key, &sealed)).transpose()
}

fn first_after(
    kv: &dyn KvRead,
    tenant: TenantId,
    kind: KindId,
    from: &[u8],
) -> Result<Option<Block>, StoreError> {
    let prefix = keys::blocks(tenant, kind);
    let mut found = None;
    kv.scan(Table::Small, from, &keys::end_of(&prefix), &mut |key, sealed| {
        found = Some(parse(&prefix, key, sealed)?);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

fn is_greatest(kv: &dyn KvRead, tenant: TenantId, at: Address) -> Result<bool, StoreError> {
    let last =
        kv.last(Table::Small, &keys::ids(tenant, at.kind), &keys::end_of(&keys::ids(tenant, at.kind)))?;
    Ok(last.is_none_or(|(key, _)| key <= keys::id(tenant, at)))
}

fn parse(prefix: &[u8], key: &[u8], sealed: &[u8]) -> Result<Block, StoreError> {
    let first = key.get(prefix.len()..).and_then(keys::parse_id);
    first.zip(rows::open_number(unseal(key, sealed)?)).ok_or_else(|| damaged(key))
}

#[cfg(test)]
mod tests;
