//! A store that counts what is read, for what must not grow with something.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rosterd::ids::{Address, KindId, ResourceId, TenantId};
use rosterd::store::memory::MemoryStore;
use rosterd::store::{
    Finding, Head, Health, IndexEntry, IndexId, IndexRange, IndexRow, LogRow, Outcome, Owned, Quarter, Seq,
    SmallRow, Snapshot, Space, Store, StoreError, Stored, Touched, TouchedRow, UniqueKey, UniqueRow, Unit,
};

/// The memory store, and how often it was asked since the count was last taken. A list counts its rows as well.
#[derive(Default)]
pub struct Counting {
    inner: MemoryStore,
    reads: Arc<AtomicUsize>,
}

impl Counting {
    /// Returns how much was read, and begins anew.
    pub fn take(&self) -> usize {
        self.reads.swap(0, Ordering::SeqCst)
    }
}

impl Store for Counting {
    fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError> {
        self.inner.commit(tenant, unit)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        Ok(Arc::new(Moment { inner: self.inner.snapshot()?, reads: Arc::clone(&self.reads) }))
    }

    fn health(&self) -> Health {
        self.inner.health()
    }

    fn check(&self, progress: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError> {
        self.inner.check(progress)
    }
}

struct Moment {
    inner: Arc<dyn Snapshot>,
    reads: Arc<AtomicUsize>,
}

impl Moment {
    fn one<T>(&self, read: T) -> T {
        self.reads.fetch_add(1, Ordering::SeqCst);
        read
    }

    fn rows<T>(&self, read: Result<Vec<T>, StoreError>) -> Result<Vec<T>, StoreError> {
        self.reads.fetch_add(1 + read.as_ref().map_or(0, Vec::len), Ordering::SeqCst);
        read
    }
}

type Read<T> = Result<T, StoreError>;

impl Snapshot for Moment {
    fn get(&self, tenant: TenantId, at: Address) -> Read<Option<Stored>> {
        self.one(self.inner.get(tenant, at))
    }

    fn exists(&self, tenant: TenantId, at: Address) -> Read<bool> {
        self.one(self.inner.exists(tenant, at))
    }

    fn by_unique(&self, tenant: TenantId, key: &UniqueKey) -> Read<Option<Address>> {
        self.one(self.inner.by_unique(tenant, key))
    }

    fn by_unique_prefix(
        &self,
        tenant: TenantId,
        index: IndexId,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Read<Vec<UniqueRow>> {
        self.rows(self.inner.by_unique_prefix(tenant, index, prefix, after, limit))
    }

    fn index_range(&self, tenant: TenantId, range: &IndexRange, limit: usize) -> Read<Vec<IndexRow>> {
        self.rows(self.inner.index_range(tenant, range, limit))
    }

    fn used_by(&self, tenant: TenantId, entry: &IndexEntry) -> Read<Option<Address>> {
        self.one(self.inner.used_by(tenant, entry))
    }

    fn count(&self, tenant: TenantId, kind: KindId) -> Read<u64> {
        self.one(self.inner.count(tenant, kind))
    }

    fn ids(
        &self,
        tenant: TenantId,
        kind: KindId,
        after: Option<ResourceId>,
        skip: u64,
        limit: usize,
    ) -> Read<Vec<ResourceId>> {
        self.rows(self.inner.ids(tenant, kind, after, skip, limit))
    }

    fn members(
        &self,
        tenant: TenantId,
        group: ResourceId,
        after: Option<Address>,
        limit: usize,
    ) -> Read<Vec<Address>> {
        self.rows(self.inner.members(tenant, group, after, limit))
    }

    fn ids_back(
        &self,
        tenant: TenantId,
        kind: KindId,
        before: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        self.rows(self.inner.ids_back(tenant, kind, before, limit))
    }

    fn owned(&self, tenant: TenantId, owned: Owned) -> Result<u64, StoreError> {
        self.one(self.inner.owned(tenant, owned))
    }

    fn is_owned(&self, tenant: TenantId, owned: Owned, id: ResourceId) -> Read<bool> {
        self.one(self.inner.is_owned(tenant, owned, id))
    }

    fn owned_ids(
        &self,
        tenant: TenantId,
        owned: Owned,
        after: Option<ResourceId>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        self.rows(self.inner.owned_ids(tenant, owned, after, skip, limit))
    }

    fn owned_ids_back(
        &self,
        tenant: TenantId,
        owned: Owned,
        before: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        self.rows(self.inner.owned_ids_back(tenant, owned, before, limit))
    }

    fn groups_of(
        &self,
        tenant: TenantId,
        member: Address,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Read<Vec<ResourceId>> {
        self.rows(self.inner.groups_of(tenant, member, after, limit))
    }

    fn is_member(&self, tenant: TenantId, group: ResourceId, member: Address) -> Read<bool> {
        self.one(self.inner.is_member(tenant, group, member))
    }

    fn touched(&self, tenant: TenantId, group: ResourceId) -> Read<Option<Touched>> {
        self.one(self.inner.touched(tenant, group))
    }

    fn touched_since(
        &self,
        tenant: TenantId,
        from: Quarter,
        after: Option<TouchedRow>,
        limit: usize,
    ) -> Result<Vec<TouchedRow>, StoreError> {
        self.rows(self.inner.touched_since(tenant, from, after, limit))
    }

    fn small(&self, tenant: TenantId, space: Space, key: &[u8]) -> Read<Option<Vec<u8>>> {
        self.one(self.inner.small(tenant, space, key))
    }

    fn small_range(
        &self,
        tenant: TenantId,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Read<Vec<SmallRow>> {
        self.rows(self.inner.small_range(tenant, space, prefix, after, limit))
    }

    fn changes(&self, tenant: TenantId, after: Seq, limit: usize) -> Read<Vec<LogRow>> {
        self.rows(self.inner.changes(tenant, after, limit))
    }

    fn history_of(
        &self,
        tenant: TenantId,
        subject: ResourceId,
        before: Option<Seq>,
        limit: usize,
    ) -> Read<Vec<LogRow>> {
        self.rows(self.inner.history_of(tenant, subject, before, limit))
    }

    fn history_since(
        &self,
        tenant: TenantId,
        subject: ResourceId,
        after: Seq,
        limit: usize,
    ) -> Read<Vec<LogRow>> {
        self.rows(self.inner.history_since(tenant, subject, after, limit))
    }

    fn head(&self, tenant: TenantId) -> Read<Head> {
        self.one(self.inner.head(tenant))
    }
}
