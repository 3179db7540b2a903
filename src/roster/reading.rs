//! Reading the records of many ids, whether they stand side by side or far apart.

use crate::ids::{Address, KindId, ResourceId, TenantId};
use crate::store::{Snapshot, StoreError, Stored};

/// How many times ids are looked up after a pass that found fewer than half of them.
const LOOKS_AFTER_PASS: usize = 15;

/// Reads the records of ids that come in order, some at once.
///
/// Where they stand side by side (a connection's own, those of one import) one pass reads them all, which costs less than a look for each. Where others
/// stand between them a pass would read those, so that each is looked up, and a pass is tried again later.
pub(super) struct Reading<'a> {
    snapshot: &'a dyn Snapshot,
    tenant: TenantId,
    kind: KindId,
    /// The last id that was read.
    before: Option<ResourceId>,
    /// How many times ids are looked up before a pass is tried.
    looks: usize,
}

impl<'a> Reading<'a> {
    /// Begins with ids of a kind.
    pub(super) fn begin(snapshot: &'a dyn Snapshot, tenant: TenantId, kind: KindId) -> Self {
        Self { snapshot, tenant, kind, before: None, looks: 0 }
    }

    /// Reads the records of the next ids: one answer for each.
    pub(super) fn next(&mut self, ids: &[ResourceId]) -> Result<Vec<Option<Stored>>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        if let Some(left) = self.looks.checked_sub(1) {
            self.looks = left;
        } else if let Some(before) = self.before {
            self.pass(before, ids, &mut found);
            if found.len() < ids.len() / 2 {
                self.looks = LOOKS_AFTER_PASS;
            }
        }
        self.before = ids.last().copied();
        let rest = ids.iter().skip(found.len()).map(|id| Address { kind: self.kind, id: *id });
        let rest: Vec<_> = rest.collect();
        if !rest.is_empty() {
            found.extend(self.snapshot.get_each(self.tenant, &rest)?);
        }
        Ok(found)
    }

    /// Reads what stands behind an id, as many records as there are ids, and finds of these the first that are among it.
    fn pass(&self, before: ResourceId, ids: &[ResourceId], found: &mut Vec<Option<Stored>>) {
        // A record between them that is damaged is none that was asked for; those that were are looked up, which says what is wrong with them.
        let read = self.snapshot.records(self.tenant, self.kind, Some(before), ids.len()).unwrap_or_default();
        let mut read = read.into_iter().peekable();
        for id in ids {
            while read.next_if(|stored| stored.at().id < *id).is_some() {}
            if read.peek().is_none() {
                return;
            }
            found.push(read.next_if(|stored| stored.at().id == *id));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::store::Write;
    use crate::store::kv::counting::CountingStore;
    use crate::store::suite::fixture::{T, id, ok, person, see, unit};

    const AT_ONCE: usize = 64;

    /// A store with people of these numbers.
    fn people(numbers: impl Iterator<Item = u32>) -> (Arc<CountingStore>, Arc<dyn Snapshot>) {
        let store = Arc::new(CountingStore::default());
        let records = numbers.map(|number| person(number, &format!("p{number}")));
        let writes = records.map(|record| Write::Put(Box::new(record))).collect();
        ok(&*store, crate::store::Unit { writes, ..unit() });
        let seen = see(&*store);
        (store, seen)
    }

    /// Reads all of them, so many at once.
    fn read(snapshot: &dyn Snapshot, ids: &[ResourceId], at_once: usize) -> Vec<Option<ResourceId>> {
        let mut reading = Reading::begin(snapshot, T, KindId::USER);
        let chunks = ids.chunks(at_once).flat_map(|some| reading.next(some).unwrap());
        chunks.map(|stored| stored.map(|stored| stored.at().id)).collect()
    }

    /// How many records are looked at to read these ids of ten thousand.
    fn looked_at(ids: impl Iterator<Item = u32>) -> (u64, u64) {
        let ids: Vec<_> = ids.map(id).collect();
        let (store, snapshot) = people(1..=10_000);
        let before = store.reads().so_far().0;
        let found = read(&*snapshot, &ids, AT_ONCE);
        assert_eq!(found, ids.iter().copied().map(Some).collect::<Vec<_>>());
        (store.reads().so_far().0 - before, ids.len() as u64)
    }

    #[test]
    fn nobody_between_those_who_stand_side_by_side_is_looked_at() {
        let (looked_at, asked) = looked_at(1_001..=3_000);
        assert_eq!(looked_at, asked);
    }

    #[test]
    fn among_many_others_hardly_more_are_looked_at_than_are_asked_for() {
        let (looked_at, asked) = looked_at((1..=10_000).step_by(10));
        assert!(looked_at <= asked * 115 / 100, "{looked_at} for {asked}");
    }

    #[test]
    fn where_some_are_missing_between_them_as_many_are_looked_at_as_stand_there() {
        let (looked_at, asked) = looked_at((1..=10_000).filter(|number| number % 10 != 3));
        assert!(looked_at <= asked * 115 / 100, "{looked_at} for {asked}");
    }

    proptest! {
        #[test]
        fn each_is_what_a_look_of_its_own_would_find(
            there in prop::collection::btree_set(1_u32..80, 1..60),
            asked in prop::collection::btree_set(1_u32..80, 0..60),
            at_once in 1_usize..9,
        ) {
            let (_, snapshot) = people(there.iter().copied());
            let ids: Vec<_> = asked.iter().copied().map(id).collect();
            let known: BTreeSet<_> = there.into_iter().map(id).collect();
            let expected: Vec<_> = ids.iter().map(|id| known.get(id).copied()).collect();
            prop_assert_eq!(read(&*snapshot, &ids, at_once), expected);
        }
    }
}
