//! What stretches promise, and what a deep page reads.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::*;
use crate::store::kv::apply::Applied;
use crate::store::kv::draft::Batch;
use crate::store::kv::{Changes, KvSnapshot, Visit, apply};
use crate::store::suite::fixture::{T, id, person, unit, user};
use crate::store::{Record, Snapshot, Unit};

/// An engine's state that counts the rows it shows.
#[derive(Default)]
struct Counting {
    rows: BTreeMap<(u8, Vec<u8>), Arc<[u8]>>,
    read: Arc<Mutex<u64>>,
}

fn number(table: Table) -> u8 {
    u8::from(table == Table::Small)
}

impl KvRead for Counting {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
        *self.read.lock().unwrap() += 1;
        Ok(self.rows.get(&(number(table), key.to_vec())).cloned())
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        for ((_, key), value) in self.rows.range((number(table), from.to_vec())..(number(table), to.to_vec()))
        {
            *self.read.lock().unwrap() += 1;
            if visit(key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<(Vec<u8>, Arc<[u8]>)>, StoreError> {
        *self.read.lock().unwrap() += 1;
        let mut range = self.rows.range((number(table), from.to_vec())..(number(table), to.to_vec()));
        Ok(range.next_back().map(|((_, key), value)| (key.clone(), Arc::clone(value))))
    }
}

impl Counting {
    fn write(&mut self, unit: &Unit) {
        let mut batch = Batch::over(self);
        let Applied::Done(_, changes) = apply(&batch, T, unit).unwrap() else { panic!("a fact was lost") };
        batch.absorb(changes);
        self.take(batch.into_changes());
    }

    fn take(&mut self, changes: Changes) {
        for table in [Table::Documents, Table::Small] {
            for (key, value) in changes.of(table) {
                let key = (number(table), key.to_vec());
                match value {
                    Some(value) => self.rows.insert(key, value.into()),
                    None => self.rows.remove(&key),
                };
            }
        }
    }

    fn with(numbers: impl IntoIterator<Item = u32>) -> Self {
        let mut state = Self::default();
        let numbers: Vec<u32> = numbers.into_iter().collect();
        for some in numbers.chunks(500) {
            state.write(&some.iter().fold(unit(), |unit, number| unit.put(&bare(*number))));
        }
        state
    }

    fn blocks(&self) -> Vec<u64> {
        let prefix = keys::blocks(T, KindId::USER);
        let mut counts = vec![];
        self.scan(Table::Small, &prefix, &keys::end_of(&prefix), &mut |key, sealed| {
            counts.push(parse(&prefix, key, sealed)?.1);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        counts
    }

    /// Asks for a page, and counts what it read.
    fn page(self: &Arc<Self>, after: Option<u32>, skip: u64, limit: usize) -> (Vec<ResourceId>, u64) {
        let snapshot = KvSnapshot::new(Arc::clone(self) as Arc<dyn KvRead>);
        let before = *self.read.lock().unwrap();
        let ids = snapshot.ids(T, KindId::USER, after.map(id), skip, limit).unwrap();
        (ids, *self.read.lock().unwrap() - before)
    }
}

fn bare(number: u32) -> Record {
    Record { unique: vec![], index: vec![], ..person(number, "somebody") }
}

/// Compares every kind of page with a plain list.
fn agrees(state: Counting, there: &BTreeSet<u32>) -> Arc<Counting> {
    assert!(state.blocks().iter().all(|count| (1..=IDS_MAX).contains(count)), "{:?}", state.blocks());
    assert_eq!(state.blocks().iter().sum::<u64>(), there.len() as u64);
    let state = Arc::new(state);
    let all: Vec<u32> = there.iter().copied().collect();
    let (step, worst) = (Cell::new(0), Cell::new(0));
    for after in [None, Some(0), all.get(700).copied(), all.get(1500).copied(), all.last().copied()] {
        let rest: Vec<u32> =
            all.iter().copied().filter(|one| after.is_none_or(|after| *one > after)).collect();
        for skip in [0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 3000, all.len() - 1, all.len(), all.len() + 5]
        {
            let expected: Vec<ResourceId> = rest.iter().skip(skip).take(3).map(|one| id(*one)).collect();
            let (found, read) = state.page(after, skip as u64, 3);
            assert_eq!(found, expected, "after {after:?} without {skip}");
            step.set(step.get() + 1);
            worst.set(worst.get().max(read));
        }
    }
    assert_eq!(step.get(), 60);
    let bound = 2 * IDS_MAX + state.blocks().len() as u64 + 5;
    assert!(worst.get() <= bound, "{} rows read, {bound} at most", worst.get());
    state
}

#[test]
fn p8_ids_that_come_in_order_fill_one_stretch_after_the_other() {
    let state = agrees(Counting::with(1..=3500), &(1..=3500).collect());
    assert_eq!(state.blocks(), [1024, 1024, 1024, 428]);
}

#[test]
fn p8_ids_that_come_in_any_order_are_counted_all_the_same() {
    let _ = agrees(Counting::with((1..=5000).rev()), &(1..=5000).collect());
    // 7919 has no factor in common with 5003, so that this meets every number once.
    let shuffled = (0..5003_u32).map(|step| step * 7919 % 5003);
    let _ = agrees(Counting::with(shuffled), &(0..5003).collect());
}

#[test]
fn p8_what_goes_shortens_its_stretch_until_it_joins_the_one_before() {
    let mut state = Counting::with(1..=6000);
    let mut there: BTreeSet<u32> = (1..=6000).collect();
    for some in (1..=6000_u32).filter(|number| number % 8 != 0).collect::<Vec<_>>().chunks(500) {
        state.write(&some.iter().fold(unit(), |unit, number| unit.delete(user(*number))));
        there.retain(|number| !some.contains(number));
    }
    assert!(state.blocks().len() <= 4, "{:?}", state.blocks());
    let mut again = Counting { rows: agrees(state, &there).rows.clone(), ..Counting::default() };
    again.write(&there.iter().fold(unit(), |unit, number| unit.delete(user(*number))));
    assert_eq!(again.blocks(), [0_u64; 0]);
}

#[test]
fn p8_a_deep_page_reads_no_more_rows_in_a_list_ten_times_as_long() {
    let deepest = |people: u32| {
        let state = Arc::new(Counting::with(1..=people));
        let (found, read) = state.page(None, u64::from(people) - 100, 100);
        assert_eq!(found.len(), 100);
        assert_eq!(found.first(), Some(&id(people - 99)));
        read
    };
    let (short, long) = (deepest(2_000), deepest(20_000));
    // One row for each stretch, what is left of one stretch, and the page.
    let bound = |people: u64| people / IDS_FULL + 1 + IDS_FULL + 100;
    assert!(short <= bound(2_000) && long <= bound(20_000), "{short} and {long} rows");
}
