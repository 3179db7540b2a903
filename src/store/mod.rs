//! Where everything is kept, and the contract that every engine keeps.
//!
//! Read in this order: [`mod@unit`] (what is written at once), [`log`] (a tenant's history), this file (the traits),
//! [`codec`] (bytes of a record), [`seal`] (checksums), [`kv`] (the contract over an ordered key-value engine: the one place
//! that knows the key layout, and `kv::check` for everything held twice), [`writer`] (group commit), `watched` (who is told of commits), `redb` (the embedded
//! default), `journal` (what stands in front of it), `sled` (an engine that one may choose instead), [`folder`] (its place on disk), `postgres` (for several daemons on one database), and `fill` (a store that is filled from a copy). For tests: `memory` (a simple second opinion), `suite` (what every store must
//! pass), `failpoints` (faults on demand).
//!
//! # The contract
//!
//! 1. **A unit is atomic, isolated and durable.** [`Store::commit`] returns [`Outcome::Committed`] only when the
//!    unit would survive a power loss. It is all there, in every view of it (document, keys, index, edges, history), or not at all.
//! 2. **Facts are checked against the state the unit is applied to**, in the same transaction, before its first write. The first that does
//!    not hold is returned as [`Outcome::Lost`], and nothing is written. A unit that fails is refused alone: its neighbours in a batch commit.
//! 3. **Unique means unique** also when the caller stated no fact: a [`Write::Put`] whose key another record of the tenant
//!    holds is `Lost(Given::Free(..))`. Likewise an edge that is added needs both its ends: else the unit is `Lost(Given::Exists(..))`.
//!    Both are judged in the order of the writes, so a unit may delete a record and give its name to another. Keys of one
//!    tenant never meet those of another.
//! 4. **Numbers are gap-free**: the nth unit with a log entry of a tenant has [`Seq`] n. The log row of a unit is chained to that of the unit before it.
//! 5. **A snapshot is a moment**: all reads of one [`Snapshot`] see the same state. A snapshot taken after a commit returned sees that commit.
//! 6. **Versions**: a record's version is the number of the last unit that put it. A group's edges have a version of their own
//!    ([`Touched`]), so that a membership change rewrites no document; it changes neither the members' versions nor their times.
//! 7. **Errors say what to do** ([`StoreError`]). After an I/O error no later commit is acknowledged before the engine has been reopened and found sound.
//!
//! Knows nothing of HTTP, SCIM or JSON beyond carrying it.

pub mod codec;
#[cfg(feature = "redb")]
pub mod disk;
pub mod failpoints;
/// For engines that outlive their process.
#[cfg(feature = "redb")]
pub mod fill;
pub mod folder;
#[cfg(feature = "redb")]
mod journal;
pub mod kv;
mod lines;
pub mod log;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
mod queued;
#[cfg(feature = "redb")]
pub mod redb;
pub mod seal;
#[cfg(all(feature = "redb", any(test, feature = "testing")))]
pub mod simulated;
#[cfg(feature = "sled")]
pub mod sled;
#[cfg(any(test, feature = "testing"))]
pub mod suite;
pub mod unit;
mod watched;
pub mod writer;

use std::future::ready;
use std::sync::Arc;

use jiff::Timestamp;

pub use codec::Stored;
pub use log::{Action, Actor, Asked, Change, Entry, Facts, Link, LogRow, Proposed, Values};
pub use queued::{Queued, wait};
pub use unit::{Given, IndexEntry, IndexId, Outcome, Record, Segment, Seq, Space, UniqueKey, Unit, Write};
pub use watched::{Watched, Watcher};

use crate::ids::{Address, ConnectionId, KindId, ResourceId, TenantId};

/// Longest folded value in a unique key, an index entry or a small key. Longer ones are for the roster to digest or cut.
pub const KEY_BYTES_MAX: usize = 1024;
/// Most rows that one call of a paged read returns, whatever was asked for.
pub const PAGE_ROWS_MAX: usize = 10_000;

/// A store of units. Shared by every thread; blocking.
pub trait Store: Send + Sync {
    /// Writes a unit, and returns when it is durable (or when one of its facts turned out not to hold).
    fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError>;

    /// The same for who has other things to do meanwhile: the unit is on its way when this returns, whether or not the outcome is awaited. A store that
    /// has no thread of its own for writing writes here and now.
    fn queue(&self, tenant: TenantId, unit: Unit) -> Queued {
        Box::pin(ready(self.commit(tenant, unit)))
    }

    /// Writes several units of a tenant, each by itself, in their order; returns when what became of all of them is known. An
    /// engine that gathers units into batches can make them durable together.
    fn commit_each(&self, tenant: TenantId, units: Vec<Unit>) -> Vec<Result<Outcome, StoreError>> {
        units.into_iter().map(|unit| self.commit(tenant, unit)).collect()
    }

    /// Returns a view of the latest committed state. Cheap.
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError>;

    /// Says how the store feels, for `/readyz` and metrics.
    fn health(&self) -> Health;

    /// Tells whether other processes write to the same data. Where they do, what one process does for all must be done by one of them.
    fn is_shared(&self) -> bool {
        false
    }

    /// Has somebody told of what other processes committed, soon after. A watcher may be told of one tenant's history again, and of one that stands where it
    /// stood: then something was written that has no number. Nobody is told where nobody else writes.
    fn follow(&self, _watcher: Watcher) {}

    /// Tells whether what others committed a moment ago has been told: what is remembered counts only as long as it is.
    fn is_current(&self) -> bool {
        true
    }

    /// Reads everything, and reports what does not fit together. `progress` is told how many rows have been read.
    fn check(&self, progress: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError>;

    /// Returns the rows of the latest committed state, for copies of all that there is. Whoever holds it may keep the engine from
    /// using room again. A store that stands on no rows offers none.
    fn rows(&self) -> Result<Arc<dyn kv::KvRead>, StoreError> {
        Err(StoreError::Invalid("this store has no rows that could be copied".into()))
    }
}

/// One moment of the store.
pub trait Snapshot: Send + Sync {
    /// Reads a record.
    fn get(&self, tenant: TenantId, at: Address) -> Result<Option<Stored>, StoreError>;

    /// Reads several records, in their order; `None` for one that is not there. Where each look is a trip, all of it is one.
    fn get_each(&self, tenant: TenantId, at: &[Address]) -> Result<Vec<Option<Stored>>, StoreError> {
        at.iter().map(|at| self.get(tenant, *at)).collect()
    }

    /// Tells whether a record exists, without reading it.
    fn exists(&self, tenant: TenantId, at: Address) -> Result<bool, StoreError>;

    /// Finds who holds a unique value.
    fn by_unique(&self, tenant: TenantId, key: &UniqueKey) -> Result<Option<Address>, StoreError>;

    /// Lists who holds the unique values that begin with `prefix`, in order of value, from just after `after`.
    fn by_unique_prefix(
        &self,
        tenant: TenantId,
        index: IndexId,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<UniqueRow>, StoreError>;

    /// Reads an index in order of (value, id), or in the opposite order, as the range says.
    fn index_range(
        &self,
        tenant: TenantId,
        range: &IndexRange,
        limit: usize,
    ) -> Result<Vec<IndexRow>, StoreError>;

    /// Finds a record, of whatever kind, that has an index entry: the first in order of (kind, id).
    fn used_by(&self, tenant: TenantId, entry: &IndexEntry) -> Result<Option<Address>, StoreError>;

    /// Counts the records of a kind (a kept count; reads one value).
    fn count(&self, tenant: TenantId, kind: KindId) -> Result<u64, StoreError>;

    /// Lists the ids of a kind in order of creation, from just after `after`, leaving out the first `skip` of them.
    fn ids(
        &self,
        tenant: TenantId,
        kind: KindId,
        after: Option<ResourceId>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError>;

    /// Reads the records of a kind in order of creation, from just after `after`, in one pass.
    fn records(
        &self,
        tenant: TenantId,
        kind: KindId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let ids = self.ids(tenant, kind, after, 0, limit)?;
        let at: Vec<_> = ids.into_iter().map(|id| Address { kind, id }).collect();
        Ok(self.get_each(tenant, &at)?.into_iter().flatten().collect())
    }

    /// Counts the records of a kind that a connection provisioned (a kept count; reads one value).
    fn owned(&self, tenant: TenantId, owned: Owned) -> Result<u64, StoreError>;

    /// Tells whether a connection provisioned a record, without reading it.
    fn is_owned(&self, tenant: TenantId, owned: Owned, id: ResourceId) -> Result<bool, StoreError>;

    /// Lists the ids of a kind that a connection provisioned, in order of creation, from just after `after`, leaving out the first
    /// `skip` of them (which are read over one by one).
    fn owned_ids(
        &self,
        tenant: TenantId,
        owned: Owned,
        after: Option<ResourceId>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError>;

    /// Lists them latest first, from just before `before`.
    fn owned_ids_back(
        &self,
        tenant: TenantId,
        owned: Owned,
        before: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError>;

    /// Lists the ids of a kind, latest first, from just before `before`.
    fn ids_back(
        &self,
        tenant: TenantId,
        kind: KindId,
        before: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError>;

    /// Lists a group's members in order of (kind, id), from just after `after`.
    fn members(
        &self,
        tenant: TenantId,
        group: ResourceId,
        after: Option<Address>,
        limit: usize,
    ) -> Result<Vec<Address>, StoreError>;

    /// Lists the groups a user or group is a direct member of, in order of id, from just after `after`.
    fn groups_of(
        &self,
        tenant: TenantId,
        member: Address,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError>;

    /// Lists the first groups of several users or groups, `limit` of each, in order of id. Where each look is a trip, all of it is one.
    fn groups_of_each(
        &self,
        tenant: TenantId,
        members: &[Address],
        limit: usize,
    ) -> Result<Vec<Vec<ResourceId>>, StoreError> {
        members.iter().map(|member| self.groups_of(tenant, *member, None, limit)).collect()
    }

    /// Tells whether one edge exists.
    fn is_member(&self, tenant: TenantId, group: ResourceId, member: Address) -> Result<bool, StoreError>;

    /// Says when a group's edges last changed, and how many there are; `None` when it never had one.
    fn touched(&self, tenant: TenantId, group: ResourceId) -> Result<Option<Touched>, StoreError>;

    /// Lists the groups whose edges last changed in a quarter of an hour or in a later one, in order of (quarter, id), from just after
    /// `after`.
    fn touched_since(
        &self,
        tenant: TenantId,
        from: Quarter,
        after: Option<TouchedRow>,
        limit: usize,
    ) -> Result<Vec<TouchedRow>, StoreError>;

    /// Reads a small value.
    fn small(&self, tenant: TenantId, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Reads a counter ([`Write::Add`]); one that was never added to is nothing.
    fn counter(&self, tenant: TenantId, space: Space, key: &[u8]) -> Result<u64, StoreError> {
        unit::counter(self.small(tenant, space, key)?.as_deref())
    }

    /// Lists small values whose key begins with `prefix`, in order of key, from just after `after`.
    fn small_range(
        &self,
        tenant: TenantId,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<SmallRow>, StoreError>;

    /// Reads a tenant's history after a number, oldest first.
    fn changes(&self, tenant: TenantId, after: Seq, limit: usize) -> Result<Vec<LogRow>, StoreError>;

    /// Reads the part of a tenant's history that is about one resource, newest first, from just before a number. A resource keeps its
    /// history when its record moves to another kind, and when it is removed.
    fn history_of(
        &self,
        tenant: TenantId,
        subject: ResourceId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<LogRow>, StoreError>;

    /// Reads the same oldest first, from just after a number.
    fn history_since(
        &self,
        tenant: TenantId,
        subject: ResourceId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<LogRow>, StoreError>;

    /// Says where a tenant's history stands.
    fn head(&self, tenant: TenantId) -> Result<Head, StoreError>;
}

/// What a connection provisioned of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owned {
    /// Which kind of record.
    pub kind: KindId,
    /// Which connection.
    pub by: ConnectionId,
}

/// A stretch of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRange {
    /// Which kind of record.
    pub kind: KindId,
    /// Which index.
    pub index: IndexId,
    /// Lowest value, inclusive; `None` from the start.
    pub from: Option<Vec<u8>>,
    /// Highest value, inclusive; `None` to the end.
    pub to: Option<Vec<u8>>,
    /// Where the page before this one ended; this one begins just behind it (just before it, where it goes back).
    pub after: Option<IndexRow>,
    /// Whether to read from the highest entry to the lowest.
    pub back: bool,
    /// How many entries to leave out first. Where the index is counted ([`IndexId::is_counted`]) and the stretch has no lowest value
    /// and does not go back, they are not read.
    pub skip: u64,
}

impl IndexRange {
    /// A whole index.
    pub const fn all(kind: KindId, index: IndexId) -> Self {
        Self { kind, index, from: None, to: None, after: None, back: false, skip: 0 }
    }

    /// The stretch of exactly one value.
    pub fn exactly(kind: KindId, index: IndexId, value: Vec<u8>) -> Self {
        Self { from: Some(value.clone()), to: Some(value), ..Self::all(kind, index) }
    }
}

/// One entry of an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexRow {
    /// The folded value.
    pub value: Vec<u8>,
    /// Whose it is.
    pub id: ResourceId,
}

/// One unique value, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UniqueRow {
    /// The folded value.
    pub value: Vec<u8>,
    /// Who holds it.
    pub at: Address,
}

/// One small value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallRow {
    /// The key within its space.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// The edges of a group, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    /// The number of the unit that last added or removed an edge.
    pub seq: Seq,
    /// When that was. Never goes back.
    pub at: Timestamp,
    /// How many members there are.
    pub count: u64,
}

/// A quarter of an hour. The list of groups by when their edges last changed is no finer, so that of many changes of a group within one the
/// first alone has to move it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarter(pub u64);

impl Quarter {
    const SECONDS: i64 = 15 * 60;

    /// The quarter in which a moment lies. Numbers sort as time does, before 1970 as well.
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(Self::SECONDS).cast_unsigned() ^ (1 << 63))
    }
}

/// A group, and when its edges last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TouchedRow {
    /// The quarter of an hour of [`Touched::at`].
    pub quarter: Quarter,
    /// Which group.
    pub group: ResourceId,
}

/// Where a tenant's history stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The number of the latest unit.
    pub seq: Seq,
    /// Its link in the hash chain.
    pub link: Link,
}

/// How the store feels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// What it is able to do.
    pub state: State,
    /// Units waiting to be written.
    pub queued: usize,
    /// The most that may wait.
    pub queue_max: usize,
    /// Batches made durable since the start (each one costs the engine's flushes).
    pub batches: u64,
    /// Units committed since the start.
    pub units: u64,
}

/// What a store is able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Reads and writes.
    Ready,
    /// Reads only: an I/O error was met, and the engine is being reopened.
    Poisoned,
    /// Reads only: the disk is full.
    Full,
}

/// Why the store did not do what it was asked. The text is for the log; callers choose their own words.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written; the same call may succeed shortly (the queue is full, the engine is being reopened).
    #[error("the store is busy: {0}")]
    Retry(String),
    /// Nothing was written; the disk has no room.
    #[error("the store's disk is full: {0}")]
    Full(String),
    /// Nothing was written; the unit breaks the contract (a key too long, a change without a log entry). A defect of the caller.
    #[error("the store was asked for what it does not do: {0}")]
    Invalid(String),
    /// What was read is not what was written.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// It is not known whether it was written: the connection to the database was lost meanwhile, and it cannot be asked. Who asks again finds out.
    #[error("the store cannot say whether it was written: {0}")]
    Unknown(String),
    /// It is not known whether it was written; the store must be reopened.
    #[error("the store failed: {0}")]
    Fatal(String),
}

/// Something that [`Store::check`] found not to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whose data.
    pub tenant: TenantId,
    /// What was expected and what was found, in a sentence without personal data.
    pub what: String,
}
