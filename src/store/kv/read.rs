//! A snapshot: the contract's reads over one state of the engine. Each names its keys, and reads nothing else.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::KvRead;
use super::blocks::{self, Lane};
use super::history;
use super::keys::{self, Table};
use super::rows::{self, damaged};
use crate::ids::{Address, KindId, ResourceId, TenantId};
use crate::store::codec::Stored;
use crate::store::log::LogRow;
use crate::store::seal::unseal;
use crate::store::unit::{IndexEntry, IndexId, Seq, Space, UniqueKey};
use crate::store::{
    Head, IndexRange, IndexRow, Owned, PAGE_ROWS_MAX, Quarter, SmallRow, Snapshot, StoreError, Touched,
    TouchedRow, UniqueRow,
};

/// Reads a record.
pub(super) fn get(kv: &dyn KvRead, tenant: TenantId, at: Address) -> Result<Option<Stored>, StoreError> {
    let bytes = kv.get(Table::Documents, &keys::document(tenant, at))?;
    bytes.map(|bytes| Stored::decode(tenant, at, bytes)).transpose()
}

pub(super) fn by_unique(
    kv: &dyn KvRead,
    tenant: TenantId,
    index: IndexId,
    value: &[u8],
) -> Result<Option<Address>, StoreError> {
    rows::read(kv, &keys::unique(tenant, index, value), rows::open_address)
}

pub(super) fn touched(
    kv: &dyn KvRead,
    tenant: TenantId,
    group: ResourceId,
) -> Result<Option<Touched>, StoreError> {
    rows::read(kv, &keys::touched(tenant, group), rows::open_touched)
}

pub(super) fn small(
    kv: &dyn KvRead,
    tenant: TenantId,
    space: Space,
    key: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    rows::read(kv, &keys::small(tenant, space, key), |value| Some(value.to_vec()))
}

pub(super) fn count(kv: &dyn KvRead, tenant: TenantId, kind: KindId) -> Result<u64, StoreError> {
    Ok(rows::read(kv, &keys::count(tenant, kind), rows::open_number)?.unwrap_or(0))
}

pub(super) fn owned(kv: &dyn KvRead, tenant: TenantId, owned: Owned) -> Result<u64, StoreError> {
    Ok(rows::read(kv, &keys::owned_count(tenant, owned), rows::open_number)?.unwrap_or(0))
}

pub(super) fn head(kv: &dyn KvRead, tenant: TenantId) -> Result<Head, StoreError> {
    Ok(rows::read(kv, &keys::head(tenant), rows::open_head)?.unwrap_or_default())
}

/// Reads entries of the history by their numbers.
fn entries(kv: &dyn KvRead, tenant: TenantId, numbers: Vec<Seq>) -> Result<Vec<LogRow>, StoreError> {
    let logs: Vec<_> = numbers.iter().map(|seq| keys::log(tenant, *seq)).collect();
    let found = kv.get_many(Table::Small, &logs)?;
    let mut entries = Vec::with_capacity(numbers.len());
    for ((seq, key), sealed) in numbers.into_iter().zip(&logs).zip(found) {
        let sealed = sealed.ok_or_else(|| damaged(key))?;
        entries.push(history::open_log(seq, unseal(key, &sealed)?).ok_or_else(|| damaged(key))?);
    }
    Ok(entries)
}

/// Finds who has an index entry. Entries lie by kind: from each kind that has any it reads one or two, whatever their number.
pub(super) fn used_by(
    kv: &dyn KvRead,
    tenant: TenantId,
    entry: &IndexEntry,
) -> Result<Option<Address>, StoreError> {
    let all = keys::indexes(tenant);
    let to = keys::end_of(&all);
    let mut kind = KindId(0);
    loop {
        let wanted = keys::index_value(tenant, kind, entry.index, &entry.value);
        let mut next = None;
        kv.scan(Table::Small, &wanted, &to, &mut |key, sealed| {
            unseal(key, sealed)?;
            let at = keys::parse_index(key.get(all.len()..).unwrap_or_default());
            next = Some((at.ok_or_else(|| damaged(key))?, key.starts_with(&wanted)));
            Ok(ControlFlow::Break(()))
        })?;
        match next {
            None => return Ok(None),
            Some((at, true)) => return Ok(Some(at)),
            // The next kind that has entries, or this one beyond the value.
            Some((at, false)) if at.kind > kind => kind = at.kind,
            Some(_) => match kind.0.checked_add(1) {
                Some(later) => kind = KindId(later),
                None => return Ok(None),
            },
        }
    }
}

/// Lists every member of a group, for its deletion.
pub(super) fn all_members(
    kv: &dyn KvRead,
    tenant: TenantId,
    group: ResourceId,
) -> Result<Vec<Address>, StoreError> {
    Stretch::all(keys::members(tenant, group)).collect(kv, |tail, _| keys::parse_address(tail))
}

/// Lists every group of a member, for its deletion.
pub(super) fn all_groups_of(
    kv: &dyn KvRead,
    tenant: TenantId,
    member: Address,
) -> Result<Vec<ResourceId>, StoreError> {
    Stretch::all(keys::groups(tenant, member)).collect(kv, |tail, _| keys::parse_id(tail))
}

/// Rows of the small table that begin alike.
struct Stretch {
    prefix: Vec<u8>,
    from: Vec<u8>,
    to: Vec<u8>,
    skip: u64,
    limit: usize,
}

impl Stretch {
    fn all(prefix: Vec<u8>) -> Self {
        let (from, to) = (prefix.clone(), keys::end_of(&prefix));
        Self { prefix, from, to, skip: 0, limit: usize::MAX }
    }

    fn page(prefix: Vec<u8>, after: Option<Vec<u8>>, limit: usize) -> Self {
        let mut page = Self::all(prefix);
        page.limit = limit.min(PAGE_ROWS_MAX);
        if let Some(after) = after {
            page.from = page.from.max(keys::just_after(after));
        }
        page
    }

    /// Reads each row from what follows the prefix in its key, last first.
    fn collect_back<T>(
        self,
        kv: &dyn KvRead,
        mut parse: impl FnMut(&[u8], &[u8]) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        let mut skip = self.skip;
        if self.from >= self.to || self.limit == 0 {
            return Ok(found);
        }
        kv.scan_back(Table::Small, &self.from, &self.to, &mut |key, sealed| {
            if skip > 0 {
                skip -= 1;
                return Ok(ControlFlow::Continue(()));
            }
            found.push(self.open(key, sealed, &mut parse)?);
            Ok(if found.len() < self.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    fn open<T>(
        &self,
        key: &[u8],
        sealed: &[u8],
        parse: &mut impl FnMut(&[u8], &[u8]) -> Option<T>,
    ) -> Result<T, StoreError> {
        let value = unseal(key, sealed)?;
        let tail = key.get(self.prefix.len()..).unwrap_or_default();
        parse(tail, value).ok_or_else(|| damaged(key))
    }

    /// Reads each row from what follows the prefix in its key, and from its value.
    fn collect<T>(
        self,
        kv: &dyn KvRead,
        mut parse: impl FnMut(&[u8], &[u8]) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        let mut skip = self.skip;
        if self.from >= self.to || self.limit == 0 {
            return Ok(found);
        }
        let rows = self.limit.saturating_add(usize::try_from(skip).unwrap_or(usize::MAX));
        kv.scan_some(Table::Small, &self.from, &self.to, rows, &mut |key, sealed| {
            if skip > 0 {
                skip -= 1;
                return Ok(ControlFlow::Continue(()));
            }
            found.push(self.open(key, sealed, &mut parse)?);
            Ok(if found.len() < self.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }
}

/// The contract's reads over one state of a key-value engine.
pub struct KvSnapshot(Arc<dyn KvRead>);

impl KvSnapshot {
    /// Wraps a state.
    pub fn new(state: Arc<dyn KvRead>) -> Self {
        Self(state)
    }

    /// The state as rows, to be held for longer.
    pub fn rows(&self) -> Arc<dyn KvRead> {
        Arc::clone(&self.0)
    }

    /// The state as rows.
    pub fn state(&self) -> &dyn KvRead {
        &*self.0
    }
}

impl Snapshot for KvSnapshot {
    fn get(&self, tenant: TenantId, at: Address) -> Result<Option<Stored>, StoreError> {
        get(self.state(), tenant, at)
    }

    fn get_each(&self, tenant: TenantId, at: &[Address]) -> Result<Vec<Option<Stored>>, StoreError> {
        let keys: Vec<_> = at.iter().map(|at| keys::document(tenant, *at).to_vec()).collect();
        let found = self.state().get_many(Table::Documents, &keys)?;
        let decode = |(at, bytes): (&Address, Option<_>)| {
            bytes.map(|bytes| Stored::decode(tenant, *at, bytes)).transpose()
        };
        at.iter().zip(found).map(decode).collect()
    }

    fn exists(&self, tenant: TenantId, at: Address) -> Result<bool, StoreError> {
        rows::exists(self.state(), &keys::id(tenant, at))
    }

    fn by_unique(&self, tenant: TenantId, key: &UniqueKey) -> Result<Option<Address>, StoreError> {
        by_unique(self.state(), tenant, key.index, &key.value)
    }

    fn by_unique_prefix(
        &self,
        tenant: TenantId,
        index: IndexId,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<UniqueRow>, StoreError> {
        let after = after.map(|value| keys::unique(tenant, index, value));
        let page = Stretch::page(keys::unique(tenant, index, prefix), after, limit);
        page.collect(self.state(), |tail, value| {
            Some(UniqueRow { value: [prefix, tail].concat(), at: rows::open_address(value)? })
        })
    }

    fn index_range(
        &self,
        tenant: TenantId,
        range: &IndexRange,
        limit: usize,
    ) -> Result<Vec<IndexRow>, StoreError> {
        let IndexRange { kind, index, from, to, after, back, skip } = range;
        let prefix = keys::index(tenant, *kind, *index);
        let place = after.as_ref().map(|row| keys::index_entry(tenant, *kind, *index, &row.value, row.id));
        let mut page = Stretch::page(prefix.clone(), place.clone().filter(|_| !back), limit);
        page.skip = *skip;
        match from {
            Some(from) => page.from = page.from.max(keys::index_value(tenant, *kind, *index, from)),
            None if index.is_counted() && !back => {
                let after = place.as_ref().and_then(|key| key.get(prefix.len()..));
                (page.from, page.skip) =
                    blocks::seek(self.state(), &Lane::index(tenant, *kind, *index), after, *skip)?;
            }
            None => {}
        }
        if let Some(to) = to {
            page.to = keys::end_of(&keys::index_value(tenant, *kind, *index, to));
        }
        let parse =
            |tail: &[u8], _: &[u8]| keys::parse_index_tail(tail).map(|(value, id)| IndexRow { value, id });
        if *back {
            page.to = place.map_or(page.to.clone(), |place| page.to.min(place));
            return page.collect_back(self.state(), parse);
        }
        page.collect(self.state(), parse)
    }

    fn used_by(&self, tenant: TenantId, entry: &IndexEntry) -> Result<Option<Address>, StoreError> {
        used_by(self.state(), tenant, entry)
    }

    fn count(&self, tenant: TenantId, kind: KindId) -> Result<u64, StoreError> {
        count(self.state(), tenant, kind)
    }

    fn ids(
        &self,
        tenant: TenantId,
        kind: KindId,
        after: Option<ResourceId>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let mut page = Stretch::page(keys::ids(tenant, kind), None, limit);
        let after = after.as_ref().map(|id| id.as_bytes().as_slice());
        (page.from, page.skip) = blocks::seek(self.state(), &Lane::ids(tenant, kind), after, skip)?;
        page.collect(self.state(), |tail, _| keys::parse_id(tail))
    }

    fn records(
        &self,
        tenant: TenantId,
        kind: KindId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let prefix = keys::documents(tenant, kind);
        let from = match after {
            Some(id) => keys::just_after(keys::document(tenant, Address { kind, id }).to_vec()),
            None => prefix.to_vec(),
        };
        let mut found = Vec::with_capacity(limit.min(PAGE_ROWS_MAX));
        if limit == 0 {
            return Ok(found);
        }
        self.state().scan_some(
            Table::Documents,
            &from,
            &keys::end_of(&prefix),
            limit,
            &mut |key, bytes| {
                let id = key.get(prefix.len()..).and_then(keys::parse_id).ok_or_else(|| damaged(key))?;
                found.push(Stored::decode(tenant, Address { kind, id }, Arc::from(bytes))?);
                Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            },
        )?;
        Ok(found)
    }

    fn owned(&self, tenant: TenantId, owned: Owned) -> Result<u64, StoreError> {
        self::owned(self.state(), tenant, owned)
    }

    fn is_owned(&self, tenant: TenantId, owned: Owned, id: ResourceId) -> Result<bool, StoreError> {
        rows::exists(self.state(), &keys::owned(tenant, owned, id))
    }

    fn owned_ids(
        &self,
        tenant: TenantId,
        owned: Owned,
        after: Option<ResourceId>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let after = after.map(|id| keys::owned(tenant, owned, id));
        let page = Stretch { skip, ..Stretch::page(keys::all_owned(tenant, owned), after, limit) };
        page.collect(self.state(), |tail, _| keys::parse_id(tail))
    }

    fn owned_ids_back(
        &self,
        tenant: TenantId,
        owned: Owned,
        before: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let mut page = Stretch::page(keys::all_owned(tenant, owned), None, limit);
        if let Some(id) = before {
            page.to = keys::owned(tenant, owned, id);
        }
        page.collect_back(self.state(), |tail, _| keys::parse_id(tail))
    }

    fn ids_back(
        &self,
        tenant: TenantId,
        kind: KindId,
        before: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let mut page = Stretch::page(keys::ids(tenant, kind), None, limit);
        if let Some(id) = before {
            page.to = keys::id(tenant, Address { kind, id });
        }
        page.collect_back(self.state(), |tail, _| keys::parse_id(tail))
    }

    fn members(
        &self,
        tenant: TenantId,
        group: ResourceId,
        after: Option<Address>,
        limit: usize,
    ) -> Result<Vec<Address>, StoreError> {
        let after = after.map(|member| keys::member(tenant, group, member));
        let page = Stretch::page(keys::members(tenant, group), after, limit);
        page.collect(self.state(), |tail, _| keys::parse_address(tail))
    }

    fn groups_of(
        &self,
        tenant: TenantId,
        member: Address,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let after = after.map(|group| keys::group(tenant, member, group));
        let page = Stretch::page(keys::groups(tenant, member), after, limit);
        page.collect(self.state(), |tail, _| keys::parse_id(tail))
    }

    fn groups_of_each(
        &self,
        tenant: TenantId,
        members: &[Address],
        limit: usize,
    ) -> Result<Vec<Vec<ResourceId>>, StoreError> {
        let limit = limit.min(PAGE_ROWS_MAX);
        let page = |member: &Address| Stretch::page(keys::groups(tenant, *member), None, limit);
        let mut found: Vec<(Stretch, Vec<ResourceId>)> =
            members.iter().map(|member| (page(member), vec![])).collect();
        let stretches: Vec<_> = found.iter().map(|(page, _)| (page.from.clone(), page.to.clone())).collect();
        self.state().scan_each(Table::Small, &stretches, limit, &mut |place, key, sealed| {
            if let Some((page, ids)) = found.get_mut(place) {
                ids.push(page.open(key, sealed, &mut |tail, _| keys::parse_id(tail))?);
            }
            Ok(())
        })?;
        Ok(found.into_iter().map(|(_, ids)| ids).collect())
    }

    fn is_member(&self, tenant: TenantId, group: ResourceId, member: Address) -> Result<bool, StoreError> {
        rows::exists(self.state(), &keys::member(tenant, group, member))
    }

    fn touched(&self, tenant: TenantId, group: ResourceId) -> Result<Option<Touched>, StoreError> {
        touched(self.state(), tenant, group)
    }

    fn touched_since(
        &self,
        tenant: TenantId,
        from: Quarter,
        after: Option<TouchedRow>,
        limit: usize,
    ) -> Result<Vec<TouchedRow>, StoreError> {
        let mut page = Stretch::page(keys::whens(tenant), after.map(|row| keys::when(tenant, row)), limit);
        page.from = page.from.max(keys::when_from(tenant, from));
        page.collect(self.state(), |tail, _| keys::parse_when(tail))
    }

    fn small(&self, tenant: TenantId, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        small(self.state(), tenant, space, key)
    }

    fn small_range(
        &self,
        tenant: TenantId,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<SmallRow>, StoreError> {
        let after = after.map(|key| keys::small(tenant, space, key));
        let page = Stretch::page(keys::small(tenant, space, prefix), after, limit);
        page.collect(self.state(), |tail, value| {
            Some(SmallRow { key: [prefix, tail].concat(), value: value.to_vec() })
        })
    }

    fn changes(&self, tenant: TenantId, after: Seq, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        let page = Stretch::page(keys::logs(tenant), Some(keys::log(tenant, after)), limit);
        page.collect(self.state(), |tail, value| history::open_log(keys::parse_seq(tail)?, value))
    }

    fn history_of(
        &self,
        tenant: TenantId,
        subject: ResourceId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<LogRow>, StoreError> {
        let mut page = Stretch::page(keys::all_about(tenant, subject), None, limit);
        if let Some(before) = before {
            page.to = keys::about(tenant, subject, before);
        }
        let numbers = page.collect_back(self.state(), |tail, _| keys::parse_seq(tail))?;
        entries(self.state(), tenant, numbers)
    }

    fn history_since(
        &self,
        tenant: TenantId,
        subject: ResourceId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<LogRow>, StoreError> {
        let after = keys::about(tenant, subject, after);
        let page = Stretch::page(keys::all_about(tenant, subject), Some(after), limit);
        let numbers = page.collect(self.state(), |tail, _| keys::parse_seq(tail))?;
        entries(self.state(), tenant, numbers)
    }

    fn head(&self, tenant: TenantId) -> Result<Head, StoreError> {
        head(self.state(), tenant)
    }
}
