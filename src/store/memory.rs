//! A store in memory: the contract written down a second time, as plainly as can be.
//!
//! It keeps records, edges, small values and history, and derives everything else by looking through them. It shares
//! nothing with `kv` but the records' bytes, so that the two can be compared. For tests: it forgets, and it is slow by design.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::codec;
use super::unit::{count_on, counter};
use super::{
    Entry, Finding, Given, Head, Health, IndexEntry, IndexId, IndexRange, IndexRow, KEY_BYTES_MAX, LogRow,
    Outcome, Owned, PAGE_ROWS_MAX, Quarter, Record, Seq, SmallRow, Snapshot, Space, State, Store, StoreError,
    Stored, Touched, TouchedRow, UniqueKey, UniqueRow, Unit, Write,
};
use crate::ids::{Address, KindId, ResourceId, TenantId};

/// One tenant's data. Parts are shared between moments until they change.
#[derive(Debug, Clone, Default)]
struct Tenant {
    records: Arc<BTreeMap<Address, (Seq, Arc<Record>)>>,
    /// (group, member).
    edges: Arc<BTreeSet<(ResourceId, Address)>>,
    touched: Arc<BTreeMap<ResourceId, (Seq, Timestamp)>>,
    small: Arc<Small>,
    log: Arc<Vec<Arc<LogRow>>>,
}

/// By drawer and key.
type Small = BTreeMap<(u8, Vec<u8>), Vec<u8>>;
type World = BTreeMap<TenantId, Tenant>;

/// A store that forgets when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    world: Mutex<(Arc<World>, u64)>,
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError> {
        refuse_what_is_never_allowed(&unit)?;
        let mut guard = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        // Applied to a copy, so that a unit that fails half-way has done nothing.
        let mut world = World::clone(&guard.0);
        let data = world.entry(tenant).or_default();
        for given in &unit.given {
            if !data.holds(given)? {
                return Ok(Outcome::Lost(given.clone()));
            }
        }
        if let Err(stopped) = data.apply(&unit) {
            return stopped.map(Outcome::Lost);
        }
        if let Some(entry) = &unit.log {
            data.chain(entry)?;
        }
        let seq = data.head().seq;
        *guard = (Arc::new(world), guard.1 + 1);
        Ok(Outcome::Committed { seq })
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        let guard = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::new(Moment(Arc::clone(&guard.0))))
    }

    fn health(&self) -> Health {
        let units = self.world.lock().unwrap_or_else(PoisonError::into_inner).1;
        Health { state: State::Ready, queued: 0, queue_max: 1, batches: units, units }
    }

    fn check(&self, _progress: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError> {
        // Nothing is held twice.
        Ok(vec![])
    }
}

fn refuse_what_is_never_allowed(unit: &Unit) -> Result<(), StoreError> {
    let too_long = unit.writes.iter().any(|write| match write {
        Write::Put(record) => {
            record.unique.iter().any(|key| key.value.len() > KEY_BYTES_MAX)
                || record.index.iter().any(|entry| entry.value.len() > KEY_BYTES_MAX)
        }
        Write::Small { key, .. } | Write::Add { key, .. } => key.len() > KEY_BYTES_MAX,
        Write::Index { index, .. } => index.iter().any(|entry| entry.value.len() > KEY_BYTES_MAX),
        Write::Delete(_) | Write::Edge { .. } | Write::EraseValues(_) => false,
    });
    if too_long {
        return Err(StoreError::Invalid("a key is too long".into()));
    }
    let unseen =
        |write: &Write| matches!(write, Write::Small { .. } | Write::Add { .. } | Write::Index { .. });
    if unit.log.is_none() && !unit.writes.iter().all(unseen) {
        return Err(StoreError::Invalid("a change of records or edges without a log entry".into()));
    }
    Ok(())
}

impl Tenant {
    fn holder(&self, key: &UniqueKey) -> Option<Address> {
        self.records.iter().find(|(_, (_, record))| record.unique.contains(key)).map(|(at, _)| *at)
    }

    /// The first record that has an index entry.
    fn user(&self, entry: &IndexEntry) -> Option<Address> {
        self.records.iter().find(|(_, (_, record))| record.index.contains(entry)).map(|(at, _)| *at)
    }

    /// What a connection provisioned, in order of id.
    fn owned(&self, owned: Owned) -> impl DoubleEndedIterator<Item = ResourceId> {
        let whose = move |(at, (_, record)): &(&Address, &(Seq, Arc<Record>))| {
            at.kind == owned.kind && record.connection == Some(owned.by)
        };
        self.records.iter().filter(whose).map(|(at, _)| at.id)
    }

    /// What the history says of a resource.
    fn about(&self, subject: ResourceId) -> impl DoubleEndedIterator<Item = LogRow> {
        let about = move |row: &&Arc<LogRow>| matches!(row.subject(), Ok(Some(found)) if found.id == subject);
        self.log.iter().filter(about).map(|row| LogRow::clone(row))
    }

    fn head(&self) -> Head {
        self.log.last().map_or(Head::default(), |row| Head { seq: row.seq, link: row.link })
    }

    fn holds(&self, given: &Given) -> Result<bool, StoreError> {
        Ok(match given {
            Given::Version(at, seq) => self.records.get(at).is_some_and(|(version, _)| version == seq),
            Given::Exists(at) => self.records.contains_key(at),
            Given::Absent(at) => !self.records.contains_key(at),
            Given::Free(key, at) => self.holder(key).is_none_or(|holder| holder == *at),
            Given::Members(group, seq) => self.touched.get(group).map_or(Seq::ZERO, |it| it.0) == *seq,
            Given::Small(space, key, value) => self.small.get(&(space.0, key.clone())) == value.as_ref(),
            Given::Room { space, key, max } => counter(self.small(*space, key))? < *max,
            Given::Unused(entry) => self.user(entry).is_none(),
        })
    }

    fn small(&self, space: Space, key: &[u8]) -> Option<&[u8]> {
        self.small.get(&(space.0, key.to_vec())).map(Vec::as_slice)
    }

    /// Stops where a write implies a fact that does not hold, or does what is never allowed.
    fn apply(&mut self, unit: &Unit) -> Result<(), Result<Given, StoreError>> {
        let now =
            (Seq(self.head().seq.0 + 1), unit.log.as_ref().map_or(Timestamp::MIN, |entry| entry.facts.when));
        for write in &unit.writes {
            match write {
                Write::Put(record) => {
                    for key in &record.unique {
                        if self.holder(key).is_some_and(|holder| holder != record.at) {
                            return Err(Ok(Given::Free(key.clone(), record.at)));
                        }
                    }
                    let put = (now.0, Arc::new(Record::clone(record)));
                    Arc::make_mut(&mut self.records).insert(record.at, put);
                }
                Write::Delete(at) => self.delete(*at, now),
                Write::Index { at, index } => {
                    if let Some((_, record)) = Arc::make_mut(&mut self.records).get_mut(at) {
                        *record = Arc::new(Record { index: index.clone(), ..Record::clone(record) });
                    }
                }
                Write::Edge { group, member, add: true } => {
                    if !self.edges.contains(&(*group, *member)) {
                        for end in [Address::group(*group), *member] {
                            if !self.records.contains_key(&end) {
                                return Err(Ok(Given::Exists(end)));
                            }
                        }
                        Arc::make_mut(&mut self.edges).insert((*group, *member));
                        self.touch(*group, now);
                    }
                }
                Write::Edge { group, member, add: false } => {
                    if self.edges.contains(&(*group, *member)) {
                        Arc::make_mut(&mut self.edges).remove(&(*group, *member));
                        self.touch(*group, now);
                    }
                }
                Write::EraseValues(seq) => {
                    if let Some(row) = Arc::make_mut(&mut self.log).iter_mut().find(|row| row.seq == *seq) {
                        *row = Arc::new(LogRow { values: vec![], ..LogRow::clone(row) });
                    }
                }
                Write::Small { space, key, value } => self.put_small(*space, key, value.clone()),
                Write::Add { space, key, by } => {
                    let after = count_on(self.small(*space, key), *by).map_err(Err)?;
                    self.put_small(*space, key, after);
                }
            }
        }
        Ok(())
    }

    fn put_small(&mut self, space: Space, key: &[u8], value: Option<Vec<u8>>) {
        let small = Arc::make_mut(&mut self.small);
        match value {
            Some(value) => small.insert((space.0, key.to_vec()), value),
            None => small.remove(&(space.0, key.to_vec())),
        };
    }

    fn delete(&mut self, at: Address, now: (Seq, Timestamp)) {
        if Arc::make_mut(&mut self.records).remove(&at).is_none() {
            return;
        }
        let own = |group: ResourceId| Address::group(group) == at;
        let groups: Vec<_> =
            self.edges.iter().filter(|edge| edge.1 == at && !own(edge.0)).map(|edge| edge.0).collect();
        Arc::make_mut(&mut self.edges).retain(|(group, member)| *member != at && !own(*group));
        for group in groups {
            self.touch(group, now);
        }
        if at.kind == KindId::GROUP {
            Arc::make_mut(&mut self.touched).remove(&at.id);
        }
    }

    fn touch(&mut self, group: ResourceId, (seq, when): (Seq, Timestamp)) {
        let touched = Arc::make_mut(&mut self.touched);
        let at = touched.get(&group).map_or(when, |before| before.1.max(when));
        touched.insert(group, (seq, at));
    }

    fn chain(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let head = self.head();
        let row = LogRow::chain(head.link, Seq(head.seq.0 + 1), entry)
            .map_err(|error| StoreError::Invalid(error.to_string()))?;
        Arc::make_mut(&mut self.log).push(Arc::new(row));
        Ok(())
    }
}

/// The world as it was when the snapshot was taken.
struct Moment(Arc<World>);

impl Moment {
    /// Looks at a tenant; one that never wrote is empty.
    fn of<T>(&self, tenant: TenantId, look: impl FnOnce(&Tenant) -> T) -> T {
        match self.0.get(&tenant) {
            Some(data) => look(data),
            None => look(&Tenant::default()),
        }
    }
}

/// Cuts a page out of rows that come in order.
fn page<T>(rows: impl Iterator<Item = T>, limit: usize) -> Vec<T> {
    rows.take(limit.min(PAGE_ROWS_MAX)).collect()
}

impl Snapshot for Moment {
    fn get(&self, tenant: TenantId, at: Address) -> Result<Option<Stored>, StoreError> {
        self.of(tenant, |data| {
            let found = data.records.get(&at);
            let bytes = found.map(|(version, record)| codec::encode(tenant, *version, record));
            bytes.map(|bytes| Stored::decode(tenant, at, bytes.into())).transpose()
        })
    }

    fn exists(&self, tenant: TenantId, at: Address) -> Result<bool, StoreError> {
        Ok(self.of(tenant, |data| data.records.contains_key(&at)))
    }

    fn by_unique(&self, tenant: TenantId, key: &UniqueKey) -> Result<Option<Address>, StoreError> {
        Ok(self.of(tenant, |data| data.holder(key)))
    }

    fn by_unique_prefix(
        &self,
        tenant: TenantId,
        index: IndexId,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<UniqueRow>, StoreError> {
        let rows: BTreeSet<UniqueRow> = self.of(tenant, |data| {
            let held = data
                .records
                .values()
                .flat_map(|(_, record)| record.unique.iter().map(|key| (key, record.at)).collect::<Vec<_>>());
            let held = held.filter(|(key, _)| key.index == index && key.value.starts_with(prefix));
            held.map(|(key, at)| UniqueRow { value: key.value.clone(), at }).collect()
        });
        Ok(page(rows.into_iter().filter(|row| after.is_none_or(|after| row.value.as_slice() > after)), limit))
    }

    fn index_range(
        &self,
        tenant: TenantId,
        range: &IndexRange,
        limit: usize,
    ) -> Result<Vec<IndexRow>, StoreError> {
        let of_kind = |at: &Address| at.kind == range.kind;
        let rows: BTreeSet<IndexRow> = self.of(tenant, |data| {
            let records = data.records.values().filter(|(_, record)| of_kind(&record.at));
            let entries =
                records.flat_map(|(_, record)| record.index.iter().map(|entry| (entry, record.at.id)));
            let entries = entries.filter(|(entry, _)| entry.index == range.index);
            entries.map(|(entry, id)| IndexRow { value: entry.value.clone(), id }).collect()
        });
        let within = rows.into_iter().filter(|row| {
            range.from.as_ref().is_none_or(|from| row.value >= *from)
                && range.to.as_ref().is_none_or(|to| row.value <= *to)
                && range.after.as_ref().is_none_or(|after| if range.back { row < after } else { row > after })
        });
        let mut within: Vec<_> = within.collect();
        if range.back {
            within.reverse();
        }
        Ok(page(within.into_iter().skip(usize::try_from(range.skip).unwrap_or(usize::MAX)), limit))
    }

    fn used_by(&self, tenant: TenantId, entry: &IndexEntry) -> Result<Option<Address>, StoreError> {
        Ok(self.of(tenant, |data| data.user(entry)))
    }

    fn count(&self, tenant: TenantId, kind: KindId) -> Result<u64, StoreError> {
        Ok(self.of(tenant, |data| data.records.keys().filter(|at| at.kind == kind).count() as u64))
    }

    fn ids(
        &self,
        tenant: TenantId,
        kind: KindId,
        after: Option<ResourceId>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Ok(self.of(tenant, |data| {
            let of_kind = data.records.keys().filter(|at| at.kind == kind).map(|at| at.id);
            page(of_kind.filter(|id| after.is_none_or(|after| *id > after)).skip(skip), limit)
        }))
    }

    fn owned(&self, tenant: TenantId, owned: Owned) -> Result<u64, StoreError> {
        Ok(self.of(tenant, |data| data.owned(owned).count() as u64))
    }

    fn is_owned(&self, tenant: TenantId, owned: Owned, id: ResourceId) -> Result<bool, StoreError> {
        Ok(self.of(tenant, |data| data.owned(owned).any(|own| own == id)))
    }

    fn owned_ids(
        &self,
        tenant: TenantId,
        owned: Owned,
        after: Option<ResourceId>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let later = |id: &ResourceId| after.is_none_or(|after| *id > after);
        Ok(self.of(tenant, |data| page(data.owned(owned).filter(later).skip(skip), limit)))
    }

    fn owned_ids_back(
        &self,
        tenant: TenantId,
        owned: Owned,
        before: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let earlier = |id: &ResourceId| before.is_none_or(|before| *id < before);
        Ok(self.of(tenant, |data| page(data.owned(owned).filter(earlier).rev(), limit)))
    }

    fn ids_back(
        &self,
        tenant: TenantId,
        kind: KindId,
        before: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        Ok(self.of(tenant, |data| {
            let of_kind = data.records.keys().rev().filter(|at| at.kind == kind).map(|at| at.id);
            page(of_kind.filter(|id| before.is_none_or(|before| *id < before)), limit)
        }))
    }

    fn members(
        &self,
        tenant: TenantId,
        group: ResourceId,
        after: Option<Address>,
        limit: usize,
    ) -> Result<Vec<Address>, StoreError> {
        Ok(self.of(tenant, |data| {
            let members = data.edges.iter().filter(|edge| edge.0 == group).map(|edge| edge.1);
            page(members.filter(|member| after.is_none_or(|after| *member > after)), limit)
        }))
    }

    fn groups_of(
        &self,
        tenant: TenantId,
        member: Address,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        Ok(self.of(tenant, |data| {
            let groups = data.edges.iter().filter(|edge| edge.1 == member).map(|edge| edge.0);
            page(groups.filter(|group| after.is_none_or(|after| *group > after)), limit)
        }))
    }

    fn is_member(&self, tenant: TenantId, group: ResourceId, member: Address) -> Result<bool, StoreError> {
        Ok(self.of(tenant, |data| data.edges.contains(&(group, member))))
    }

    fn touched(&self, tenant: TenantId, group: ResourceId) -> Result<Option<Touched>, StoreError> {
        Ok(self.of(tenant, |data| {
            let count = data.edges.iter().filter(|edge| edge.0 == group).count() as u64;
            data.touched.get(&group).map(|&(seq, at)| Touched { seq, at, count })
        }))
    }

    fn touched_since(
        &self,
        tenant: TenantId,
        from: Quarter,
        after: Option<TouchedRow>,
        limit: usize,
    ) -> Result<Vec<TouchedRow>, StoreError> {
        Ok(self.of(tenant, |data| {
            let rows =
                data.touched.iter().map(|(&group, (_, at))| TouchedRow { quarter: Quarter::of(*at), group });
            let wanted: BTreeSet<_> =
                rows.filter(|row| row.quarter >= from && after.is_none_or(|after| *row > after)).collect();
            page(wanted.into_iter(), limit)
        }))
    }

    fn small(&self, tenant: TenantId, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.of(tenant, |data| data.small.get(&(space.0, key.to_vec())).cloned()))
    }

    fn small_range(
        &self,
        tenant: TenantId,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<SmallRow>, StoreError> {
        Ok(self.of(tenant, |data| {
            let rows = data.small.iter().filter(|((drawer, key), _)| {
                *drawer == space.0
                    && key.starts_with(prefix)
                    && after.is_none_or(|after| key.as_slice() > after)
            });
            page(rows.map(|((_, key), value)| SmallRow { key: key.clone(), value: value.clone() }), limit)
        }))
    }

    fn changes(&self, tenant: TenantId, after: Seq, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        Ok(self.of(tenant, |data| {
            page(data.log.iter().filter(|row| row.seq > after).map(|row| LogRow::clone(row)), limit)
        }))
    }

    fn history_of(
        &self,
        tenant: TenantId,
        subject: ResourceId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<LogRow>, StoreError> {
        let earlier = |row: &LogRow| before.is_none_or(|before| row.seq < before);
        Ok(self.of(tenant, |data| page(data.about(subject).rev().filter(earlier), limit)))
    }

    fn history_since(
        &self,
        tenant: TenantId,
        subject: ResourceId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<LogRow>, StoreError> {
        Ok(self.of(tenant, |data| page(data.about(subject).filter(|row| row.seq > after), limit)))
    }

    fn head(&self, tenant: TenantId) -> Result<Head, StoreError> {
        Ok(self.of(tenant, Tenant::head))
    }
}
