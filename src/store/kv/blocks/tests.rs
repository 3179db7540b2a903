//! What stretches promise, and what a deep page reads.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::ids::ResourceId;
use crate::store::kv::KvSnapshot;
use crate::store::kv::counting::Counting;
use crate::store::suite::fixture::{DISPLAY, ORDER, T, id, person, unit, user};
use crate::store::{IndexEntry, IndexRange, IndexRow, Outcome, Record, Snapshot, Unit};

fn write(state: &mut Counting, unit: &Unit) {
    let Outcome::Committed { .. } = state.write(T, unit).unwrap() else { panic!("a fact was lost") };
}

fn read(state: &Counting) -> u64 {
    let (documents, small) = state.read.so_far();
    documents + small
}

fn with(numbers: impl IntoIterator<Item = u32>) -> Counting {
    let mut state = Counting::default();
    let numbers: Vec<u32> = numbers.into_iter().collect();
    for some in numbers.chunks(500) {
        write(&mut state, &some.iter().fold(unit(), |unit, number| unit.put(&bare(*number))));
    }
    state
}

fn blocks(state: &Counting) -> Vec<u64> {
    let prefix = keys::blocks(T, KindId::USER);
    let mut counts = vec![];
    state
        .scan(Table::Small, &prefix, &keys::end_of(&prefix), &mut |key, sealed| {
            counts.push(parse(key, sealed)?);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    counts
}

/// Asks for a page, and counts what it read.
fn page(state: &Arc<Counting>, after: Option<u32>, skip: u64, limit: usize) -> (Vec<ResourceId>, u64) {
    let snapshot = KvSnapshot::new(Arc::clone(state) as Arc<dyn KvRead>);
    let before = read(state);
    let ids = snapshot.ids(T, KindId::USER, after.map(id), skip, limit).unwrap();
    (ids, read(state) - before)
}

fn bare(number: u32) -> Record {
    Record { unique: vec![], index: vec![], ..person(number, "somebody") }
}

/// Compares every kind of page with a plain list.
fn agrees(state: Counting, there: &BTreeSet<u32>) -> Arc<Counting> {
    assert!(blocks(&state).iter().all(|count| (1..=IDS_MAX).contains(count)), "{:?}", blocks(&state));
    assert_eq!(blocks(&state).iter().sum::<u64>(), there.len() as u64);
    let state = Arc::new(state);
    let all: Vec<u32> = there.iter().copied().collect();
    let (step, worst) = (Cell::new(0), Cell::new(0));
    for after in [None, Some(0), all.get(700).copied(), all.get(1500).copied(), all.last().copied()] {
        let rest: Vec<u32> =
            all.iter().copied().filter(|one| after.is_none_or(|after| *one > after)).collect();
        for skip in [0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 3000, all.len() - 1, all.len(), all.len() + 5]
        {
            let expected: Vec<ResourceId> = rest.iter().skip(skip).take(3).map(|one| id(*one)).collect();
            let (found, read) = page(&state, after, skip as u64, 3);
            assert_eq!(found, expected, "after {after:?} without {skip}");
            step.set(step.get() + 1);
            worst.set(worst.get().max(read));
        }
    }
    assert_eq!(step.get(), 60);
    let bound = 2 * IDS_MAX + blocks(&state).len() as u64 + 5;
    assert!(worst.get() <= bound, "{} rows read, {bound} at most", worst.get());
    state
}

#[test]
fn perf8_ids_that_come_in_order_fill_one_stretch_after_the_other() {
    let state = agrees(with(1..=3500), &(1..=3500).collect());
    assert_eq!(blocks(&state), [1024, 1024, 1024, 428]);
}

#[test]
fn perf8_ids_that_come_in_any_order_are_counted_all_the_same() {
    let _ = agrees(with((1..=5000).rev()), &(1..=5000).collect());
    // 7919 has no factor in common with 5003, so that this meets every number once.
    let shuffled = (0..5003_u32).map(|step| step * 7919 % 5003);
    let _ = agrees(with(shuffled), &(0..5003).collect());
}

#[test]
fn perf8_what_goes_shortens_its_stretch_until_it_joins_the_one_before() {
    let mut state = with(1..=6000);
    let mut there: BTreeSet<u32> = (1..=6000).collect();
    for some in (1..=6000_u32).filter(|number| number % 8 != 0).collect::<Vec<_>>().chunks(500) {
        write(&mut state, &some.iter().fold(unit(), |unit, number| unit.delete(user(*number))));
        there.retain(|number| !some.contains(number));
    }
    assert!(blocks(&state).len() <= 4, "{:?}", blocks(&state));
    let mut again = Counting::clone(&agrees(state, &there));
    write(&mut again, &there.iter().fold(unit(), |unit, number| unit.delete(user(*number))));
    assert_eq!(blocks(&again), [0_u64; 0]);
}

#[test]
fn perf8_a_deep_page_reads_no_more_rows_in_a_list_ten_times_as_long() {
    let deepest = |people: u32| {
        let state = Arc::new(with(1..=people));
        let (found, read) = page(&state, None, u64::from(people) - 100, 100);
        assert_eq!(found.len(), 100);
        assert_eq!(found.first(), Some(&id(people - 99)));
        read
    };
    let (short, long) = (deepest(2_000), deepest(20_000));
    // One row for each stretch, what is left of one stretch, and the page.
    let bound = |people: u64| people / IDS_FULL + 1 + IDS_FULL + 100;
    assert!(short <= bound(2_000) && long <= bound(20_000), "{short} and {long} rows");
}

/// A record with one entry in an index that is counted.
fn ordered(number: u32, value: u32) -> Record {
    let entry = IndexEntry { index: ORDER, value: value.to_be_bytes().to_vec() };
    Record { unique: vec![], index: vec![entry], ..person(number, "somebody") }
}

fn index_page(state: &Arc<Counting>, range: &IndexRange, limit: usize) -> (Vec<IndexRow>, u64) {
    let snapshot = KvSnapshot::new(Arc::clone(state) as Arc<dyn KvRead>);
    let before = read(state);
    let rows = snapshot.index_range(T, range, limit).unwrap();
    (rows, read(state) - before)
}

#[test]
fn perf8_a_deep_page_of_an_index_reads_no_more_rows_than_a_stretch_and_the_page() {
    let people = 20_000_u32;
    let mut state = Counting::default();
    // 7919 has no factor in common with 20,000, so that values come in any order and each once.
    let records: Vec<Record> = (0..people).map(|number| ordered(number, number * 7919 % people)).collect();
    for some in records.chunks(500) {
        write(&mut state, &some.iter().fold(unit(), Unit::put));
    }
    let state = Arc::new(state);
    for skip in [0, 1, 5_000, 19_900, 19_999, 20_000, 30_000] {
        let range = IndexRange { skip, ..IndexRange::all(KindId::USER, ORDER) };
        let (rows, read) = index_page(&state, &range, 100);
        let expected: Vec<u32> = (u32::try_from(skip).unwrap().min(people)..people).take(100).collect();
        let found: Vec<u32> =
            rows.iter().map(|row| u32::from_be_bytes(row.value.as_slice().try_into().unwrap())).collect();
        assert_eq!(found, expected, "without {skip}");
        assert!(read <= u64::from(people) / IDS_FULL * 2 + IDS_MAX + 101, "{read} rows without {skip}");
    }
    let end = IndexRow { value: people.to_be_bytes().to_vec(), id: id(0) };
    let back = IndexRange { back: true, after: Some(end), ..IndexRange::all(KindId::USER, ORDER) };
    let (rows, read) = index_page(&state, &back, 100);
    assert_eq!((rows.len(), rows[0].value.as_slice()), (100, (people - 1).to_be_bytes().as_slice()));
    assert!(read <= 101, "{read} rows read from behind");
}

#[test]
fn perf8_entries_that_come_and_go_stay_counted() {
    let mut state = Counting::default();
    let mut there: BTreeMap<u32, u32> = BTreeMap::new();
    for (step, some) in (0..6000_u32).collect::<Vec<_>>().chunks(500).enumerate() {
        let mut all = unit();
        for number in some {
            all = all.put(&ordered(*number, number % 7));
            there.insert(*number, number % 7);
        }
        // Some change their place, some lose their entry, some go.
        for number in some.iter().filter(|number| *number % 3 == 0) {
            all = all.put(&ordered(*number, 9 - number % 5));
            there.insert(*number, 9 - number % 5);
        }
        for number in some.iter().filter(|number| *number % 4 == 0) {
            let other = IndexEntry { index: DISPLAY, value: vec![1] };
            all = all.index(user(*number), vec![other]);
            there.remove(number);
        }
        for number in some.iter().filter(|number| *number % 5 == 0 && step % 2 == 0) {
            all = all.delete(user(*number));
            there.remove(number);
        }
        write(&mut state, &all);
    }
    let mut expected: Vec<IndexRow> = there
        .into_iter()
        .map(|(number, value)| IndexRow { value: value.to_be_bytes().to_vec(), id: id(number) })
        .collect();
    expected.sort();
    let state = Arc::new(state);
    for skip in [0, 1023, 1024, 2500, expected.len() - 1, expected.len()] {
        let range = IndexRange { skip: skip as u64, ..IndexRange::all(KindId::USER, ORDER) };
        let rest: Vec<IndexRow> = expected.iter().skip(skip).take(3).cloned().collect();
        assert_eq!(index_page(&state, &range, 3).0, rest, "without {skip}");
    }
    assert_eq!(crate::store::kv::check::check(&*state, &mut |_| {}).unwrap(), vec![]);
}
