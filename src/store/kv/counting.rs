//! An engine in memory that counts the rows it shows, and a store on it: for tests of what something costs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::{Applied, Batch, Changes, KvRead, KvRow, KvSnapshot, Table, Visit, apply, check};
use crate::ids::TenantId;
use crate::store::{Finding, Health, Outcome, Snapshot, State, Store, StoreError, Unit};

/// How many rows were shown.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    documents: AtomicU64,
    small: AtomicU64,
    written: AtomicU64,
}

impl Reads {
    /// Records, and rows of any other kind, so far.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        (self.documents.load(Ordering::Relaxed), self.small.load(Ordering::Relaxed))
    }

    fn count(&self, table: Table) {
        let counter = if table == Table::Documents { &self.documents } else { &self.small };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// An engine's state that counts the rows it shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counting {
    rows: BTreeMap<(u8, Vec<u8>), Arc<[u8]>>,
    /// How many that were.
    pub(crate) read: Arc<Reads>,
}

fn number(table: Table) -> u8 {
    u8::from(table == Table::Small)
}

impl Counting {
    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
    ) -> impl DoubleEndedIterator<Item = (&[u8], &Arc<[u8]>)> {
        let range = (number(table), from.to_vec())..(number(table), to.to_vec());
        self.rows.range(range).map(|((_, key), value)| (key.as_slice(), value))
    }

    fn show<'a>(
        &self,
        table: Table,
        rows: impl Iterator<Item = (&'a [u8], &'a Arc<[u8]>)>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        for (key, value) in rows {
            self.read.count(table);
            if visit(key, value)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    /// Writes a unit, unless one of its facts does not hold.
    pub(crate) fn write(&mut self, tenant: TenantId, unit: &Unit) -> Result<Outcome, StoreError> {
        let mut batch = Batch::over(self);
        match apply(&batch, tenant, unit)? {
            Applied::Lost(given) => Ok(Outcome::Lost(given)),
            Applied::Done(seq, changes) => {
                batch.absorb(changes);
                let changes = batch.into_changes();
                self.take(&changes);
                Ok(Outcome::Committed { seq })
            }
        }
    }

    fn take(&mut self, changes: &Changes) {
        for table in [Table::Documents, Table::Small] {
            for (key, value) in changes.of(table) {
                self.read.written.fetch_add(1, Ordering::Relaxed);
                let key = (number(table), key.to_vec());
                match value {
                    Some(value) => self.rows.insert(key, Arc::clone(value)),
                    None => self.rows.remove(&key),
                };
            }
        }
    }
}

impl KvRead for Counting {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
        self.read.count(table);
        Ok(self.rows.get(&(number(table), key.to_vec())).cloned())
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.show(table, self.range(table, from, to), visit)
    }

    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.show(table, self.range(table, from, to).rev(), visit)
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<KvRow>, StoreError> {
        self.read.count(table);
        Ok(self.range(table, from, to).next_back().map(|(key, value)| (key.to_vec(), Arc::clone(value))))
    }
}

/// A store on such an engine.
#[derive(Debug, Default)]
pub(crate) struct CountingStore(Mutex<Arc<Counting>>);

impl CountingStore {
    /// Returns what counts.
    pub(crate) fn reads(&self) -> Arc<Reads> {
        Arc::clone(&self.0.lock().unwrap().read)
    }

    /// Returns how many rows were written or removed so far.
    pub(crate) fn written(&self) -> u64 {
        self.reads().written.load(Ordering::Relaxed)
    }

    /// Takes the list of groups by when their edges changed, which builds before format 3 did not write.
    pub(crate) fn forget_when_groups_were_touched(&self) {
        Arc::make_mut(&mut self.0.lock().unwrap()).rows.retain(|(_, key), _| key.get(4) != Some(&b'w'));
    }
}

impl Store for CountingStore {
    fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError> {
        Arc::make_mut(&mut self.0.lock().unwrap()).write(tenant, &unit)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        let state = Arc::clone(&self.0.lock().unwrap());
        Ok(Arc::new(KvSnapshot::new(state)))
    }

    fn health(&self) -> Health {
        Health { state: State::Ready, queued: 0, queue_max: 1, batches: 0, units: 0 }
    }

    fn check(&self, progress: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError> {
        check::check(&**self.0.lock().unwrap(), progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::suite::fixture::{T, connection, person, put, unit};
    use crate::store::{Owned, Record, Write};

    #[test]
    fn r12_a_record_that_an_earlier_build_wrote_is_its_connections_once_it_is_indexed_anew() {
        let store = CountingStore::default();
        let ada = Record { connection: Some(connection(1)), ..person(1, "ada") };
        store.commit(T, put(&ada)).unwrap();
        let owned = Owned { kind: ada.at.kind, by: connection(1) };
        {
            // Earlier builds kept neither the list of a connection's records nor their number.
            let mut state = store.0.lock().unwrap();
            let state = Arc::make_mut(&mut state);
            let before = state.rows.len();
            let later = |key: &[u8]| match key.get(4) {
                Some(b'o') => true,
                Some(b'c') => key.len() > 6,
                _ => false,
            };
            state.rows.retain(|(table, key), _| *table == number(Table::Documents) || !later(key));
            assert_eq!(before - state.rows.len(), 2);
        }
        assert_eq!(store.snapshot().unwrap().owned(T, owned).unwrap(), 0);

        for _ in 0..2 {
            let index = Write::Index { at: ada.at, index: ada.index.clone() };
            store.commit(T, Unit { writes: vec![index], log: None, ..unit() }).unwrap();
            let seen = store.snapshot().unwrap();
            assert_eq!(seen.owned(T, owned).unwrap(), 1);
            assert_eq!(seen.owned_ids(T, owned, None, 0, 10).unwrap(), [ada.at.id]);
            assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
        }
    }
}
