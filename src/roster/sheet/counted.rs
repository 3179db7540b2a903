//! A snapshot in which other seats are taken: those that the rows before would take and leave, if they were written. So what is only looked at is
//! judged as it would be when it comes to be written.

use std::collections::BTreeMap;

use crate::ids::{Address, KindId, ResourceId, TenantId};
use crate::roster::rows::SEATS;
use crate::store::{
    Head, IndexEntry, IndexId, IndexRange, IndexRow, LogRow, Owned, Quarter, Seq, SmallRow, Snapshot, Space,
    StoreError, Stored, Touched, TouchedRow, UniqueKey, UniqueRow, Write,
};

/// How many seats of each pool rows would take, less those that they would leave.
pub type Seats = BTreeMap<ResourceId, i64>;

/// Adds the seats that writes take and leave.
pub fn add(seats: &mut Seats, writes: &[Write]) {
    for write in writes {
        if let Write::Add { space: SEATS, key, by } = write
            && let Ok(pool) = <[u8; 16]>::try_from(key.as_slice())
        {
            let sum = seats.entry(ResourceId::from_bytes(pool)).or_default();
            *sum = sum.saturating_add(*by);
        }
    }
}

/// The snapshot.
pub struct Counted<'a> {
    /// What is there.
    pub inner: &'a dyn Snapshot,
    /// What the rows before would come to.
    pub seats: &'a Seats,
}

impl Snapshot for Counted<'_> {
    fn counter(&self, tenant: TenantId, space: Space, key: &[u8]) -> Result<u64, StoreError> {
        let there = self.inner.counter(tenant, space, key)?;
        let pool = <[u8; 16]>::try_from(key).map(ResourceId::from_bytes);
        let moved = match (space == SEATS, pool) {
            (true, Ok(pool)) => self.seats.get(&pool).copied().unwrap_or_default(),
            _ => 0,
        };
        Ok(there.saturating_add_signed(moved))
    }

    fn get(&self, tenant: TenantId, at: Address) -> Result<Option<Stored>, StoreError> {
        self.inner.get(tenant, at)
    }

    fn exists(&self, tenant: TenantId, at: Address) -> Result<bool, StoreError> {
        self.inner.exists(tenant, at)
    }

    fn by_unique(&self, tenant: TenantId, key: &UniqueKey) -> Result<Option<Address>, StoreError> {
        self.inner.by_unique(tenant, key)
    }

    fn by_unique_prefix(
        &self,
        tenant: TenantId,
        index: IndexId,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<UniqueRow>, StoreError> {
        self.inner.by_unique_prefix(tenant, index, prefix, after, limit)
    }

    fn index_range(
        &self,
        tenant: TenantId,
        range: &IndexRange,
        limit: usize,
    ) -> Result<Vec<IndexRow>, StoreError> {
        self.inner.index_range(tenant, range, limit)
    }

    fn used_by(&self, tenant: TenantId, entry: &IndexEntry) -> Result<Option<Address>, StoreError> {
        self.inner.used_by(tenant, entry)
    }

    fn count(&self, tenant: TenantId, kind: KindId) -> Result<u64, StoreError> {
        self.inner.count(tenant, kind)
    }

    fn ids(
        &self,
        tenant: TenantId,
        kind: KindId,
        after: Option<ResourceId>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        self.inner.ids(tenant, kind, after, skip, limit)
    }

    fn owned(&self, tenant: TenantId, owned: Owned) -> Result<u64, StoreError> {
        self.inner.owned(tenant, owned)
    }

    fn is_owned(&self, tenant: TenantId, owned: Owned, id: ResourceId) -> Result<bool, StoreError> {
        self.inner.is_owned(tenant, owned, id)
    }

    fn owned_ids(
        &self,
        tenant: TenantId,
        owned: Owned,
        after: Option<ResourceId>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        self.inner.owned_ids(tenant, owned, after, skip, limit)
    }

    fn owned_ids_back(
        &self,
        tenant: TenantId,
        owned: Owned,
        before: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        self.inner.owned_ids_back(tenant, owned, before, limit)
    }

    fn ids_back(
        &self,
        tenant: TenantId,
        kind: KindId,
        before: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        self.inner.ids_back(tenant, kind, before, limit)
    }

    fn members(
        &self,
        tenant: TenantId,
        group: ResourceId,
        after: Option<Address>,
        limit: usize,
    ) -> Result<Vec<Address>, StoreError> {
        self.inner.members(tenant, group, after, limit)
    }

    fn groups_of(
        &self,
        tenant: TenantId,
        member: Address,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        self.inner.groups_of(tenant, member, after, limit)
    }

    fn is_member(&self, tenant: TenantId, group: ResourceId, member: Address) -> Result<bool, StoreError> {
        self.inner.is_member(tenant, group, member)
    }

    fn touched(&self, tenant: TenantId, group: ResourceId) -> Result<Option<Touched>, StoreError> {
        self.inner.touched(tenant, group)
    }

    fn touched_since(
        &self,
        tenant: TenantId,
        from: Quarter,
        after: Option<TouchedRow>,
        limit: usize,
    ) -> Result<Vec<TouchedRow>, StoreError> {
        self.inner.touched_since(tenant, from, after, limit)
    }

    fn small(&self, tenant: TenantId, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.small(tenant, space, key)
    }

    fn small_range(
        &self,
        tenant: TenantId,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<SmallRow>, StoreError> {
        self.inner.small_range(tenant, space, prefix, after, limit)
    }

    fn changes(&self, tenant: TenantId, after: Seq, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        self.inner.changes(tenant, after, limit)
    }

    fn history_of(
        &self,
        tenant: TenantId,
        subject: ResourceId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<LogRow>, StoreError> {
        self.inner.history_of(tenant, subject, before, limit)
    }

    fn history_since(
        &self,
        tenant: TenantId,
        subject: ResourceId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<LogRow>, StoreError> {
        self.inner.history_since(tenant, subject, after, limit)
    }

    fn head(&self, tenant: TenantId) -> Result<Head, StoreError> {
        self.inner.head(tenant)
    }
}
