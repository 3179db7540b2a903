//! A store in which a group has any number of members that nobody had to make, and which counts how they are read.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use rosterd::ids::{Address, KindId, ResourceId, TenantId};
use rosterd::store::memory::MemoryStore;
use rosterd::store::{
    Finding, Head, Health, IndexEntry, IndexId, IndexRange, IndexRow, LogRow, Outcome, Owned, Quarter, Seq,
    SmallRow, Snapshot, Space, Store, StoreError, Stored, Touched, TouchedRow, UniqueKey, UniqueRow, Unit,
};

/// What is seen of the reading.
#[derive(Debug, Default)]
pub struct Seen {
    /// Members of each group.
    pub members: AtomicU64,
    /// Pages of members that were read.
    pub pages: AtomicUsize,
    /// Most rows that were asked for at once.
    pub rows_at_once: AtomicUsize,
    /// Snapshots that somebody holds.
    pub held: AtomicUsize,
    /// After how many pages reading fails; zero for never.
    pub fails_after: AtomicUsize,
    /// After how many units of work a commit panics; zero for never.
    pub panics_after: AtomicUsize,
    /// Units that were committed.
    pub units: AtomicUsize,
    /// How many units may be committed; those beyond wait. `None` for any number.
    units_max: Mutex<Option<usize>>,
    changed: Condvar,
}

/// The store.
pub struct Crowd {
    inner: MemoryStore,
    seen: Arc<Seen>,
}

impl Crowd {
    /// Makes one in which every group has so many members; zero for those that it really has.
    pub fn of(members: u64) -> Arc<Self> {
        let seen = Seen { members: AtomicU64::new(members), ..Seen::default() };
        Arc::new(Self { inner: MemoryStore::new(), seen: Arc::new(seen) })
    }

    /// Lets so many more units be committed, and makes those beyond wait; `None` for any number.
    pub fn allow(&self, more: Option<usize>) {
        let max = more.map(|more| self.units.load(Ordering::SeqCst) + more);
        *self.units_max.lock().unwrap() = max;
        self.changed.notify_all();
    }

    /// Returns the id of a member that nobody made.
    pub fn member(number: u64) -> ResourceId {
        ResourceId::from_bytes(u128::from(number).to_be_bytes())
    }
}

impl Deref for Crowd {
    type Target = Seen;

    fn deref(&self) -> &Seen {
        &self.seen
    }
}

impl Store for Crowd {
    fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError> {
        let max = self.units_max.lock().unwrap();
        let full = |max: &mut Option<usize>| max.is_some_and(|max| self.units.load(Ordering::SeqCst) >= max);
        drop(self.changed.wait_while(max, full).unwrap());
        let units = self.units.fetch_add(1, Ordering::SeqCst);
        let most = self.panics_after.load(Ordering::SeqCst);
        assert!(most == 0 || units < most, "a defect of the store");
        self.inner.commit(tenant, unit)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.held.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(Moment { inner: self.inner.snapshot()?, seen: Arc::clone(&self.seen) }))
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
    seen: Arc<Seen>,
}

impl Drop for Moment {
    fn drop(&mut self) {
        self.seen.held.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Snapshot for Moment {
    fn members(
        &self,
        tenant: TenantId,
        group: ResourceId,
        after: Option<Address>,
        limit: usize,
    ) -> Result<Vec<Address>, StoreError> {
        let pages = self.seen.pages.fetch_add(1, Ordering::SeqCst) + 1;
        self.seen.rows_at_once.fetch_max(limit, Ordering::SeqCst);
        let fails_after = self.seen.fails_after.load(Ordering::SeqCst);
        if fails_after > 0 && pages > fails_after {
            return Err(StoreError::Corrupt("a page of the file makes no sense".into()));
        }
        let members = self.seen.members.load(Ordering::SeqCst);
        if members == 0 {
            return self.inner.members(tenant, group, after, limit);
        }
        let number = |at: Address| u64::try_from(u128::from_be_bytes(*at.id.as_bytes())).unwrap();
        let first = after.map_or(0, |at| number(at) + 1);
        Ok((first..members).take(limit).map(|number| Address::user(Crowd::member(number))).collect())
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

    fn ids_back(
        &self,
        tenant: TenantId,
        kind: KindId,
        before: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        self.inner.ids_back(tenant, kind, before, limit)
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
