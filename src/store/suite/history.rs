//! History: numbers, chain, pages.

use super::fixture::*;
use crate::ids::{Address, KindId};
use crate::store::{
    Change, Given, Head, Link, LogRow, Outcome, PAGE_ROWS_MAX, Record, Seq, Store, StoreError, Write,
};

fn rows(store: &dyn Store) -> Vec<LogRow> {
    see(store).changes(T, Seq::ZERO, 10_000).unwrap()
}

#[track_caller]
fn verify(rows: &[LogRow]) {
    let mut link = Link::default();
    for (row, number) in rows.iter().zip(1..) {
        assert_eq!(row.seq, Seq(number));
        assert!(row.follows(link), "row {number}");
        link = row.link;
    }
}

pub fn numbers_are_gap_free_from_one(store: &dyn Store) {
    for number in 1..=5 {
        assert_eq!(ok(store, put(&person(1, "ada"))), Seq(number));
    }
    assert_eq!(rows(store).len(), 5);
}

pub fn r2_numbers_are_gap_free_under_threads(store: &dyn Store) {
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let work = |first: u32| {
            let one = |number| store.commit(T, put(&person(number, &format!("p{}", number % 37)))).unwrap();
            let outcomes = (first..first + 12).map(one);
            let committed = outcomes.filter_map(|outcome| match outcome {
                Outcome::Committed { seq } => Some(seq.0),
                Outcome::Lost(_) => None,
            });
            committed.collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || work(thread * 100))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(rows(store).len(), numbers.len());
    verify(&rows(store));
}

pub fn x59_the_chain_verifies(store: &dyn Store) {
    for number in 1..=20 {
        ok(store, put(&person(number, &format!("p{number}"))));
    }
    let rows = rows(store);
    assert_eq!(rows.len(), 20);
    verify(&rows);
}

pub fn x63_erased_values_are_gone_and_the_chain_still_verifies(store: &dyn Store) {
    for number in 1..=5 {
        ok(store, put(&person(number, &format!("p{number}"))));
    }
    let before = rows(store);
    assert!(before.iter().all(|row| !row.values.is_empty()));
    // One that is there, one that is not, and the unit's own, which is not there yet.
    let erase = [2, 77, 6].into_iter().fold(unit(), |unit, seq| unit.write(Write::EraseValues(Seq(seq))));
    ok(store, erase);
    ok(store, unit().write(Write::EraseValues(Seq(2))));
    let after = rows(store);
    verify(&after);
    assert!(after[1].values.is_empty());
    assert_eq!((&after[1].facts, after[1].link), (&before[1].facts, before[1].link));
    assert!(after.iter().enumerate().all(|(at, row)| at == 1 || !row.values.is_empty()));
    assert!(matches!(
        store.commit(T, crate::store::Unit { log: None, ..unit().write(Write::EraseValues(Seq(1))) }),
        Err(StoreError::Invalid(_))
    ));
}

pub fn a_lost_unit_takes_no_number(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    lost(store, unit().given(Given::Exists(user(9))));
    lost(store, put(&person(2, "ada")));
    assert_eq!(ok(store, put(&person(2, "eve"))), Seq(2));
    verify(&rows(store));
}

pub fn changes_page_after_a_number(store: &dyn Store) {
    for _ in 0..5 {
        ok(store, unit());
    }
    let page = |after, limit| {
        let rows = see(store).changes(T, Seq(after), limit).unwrap();
        rows.into_iter().map(|row| row.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 2), [1, 2]);
    assert_eq!(page(2, 2), [3, 4]);
    assert_eq!(page(4, 2), [5]);
    assert_eq!(page(5, 2), Vec::<u64>::new());
    assert_eq!(page(u64::MAX, 2), Vec::<u64>::new());
}

pub fn the_head_is_the_last_row(store: &dyn Store) {
    assert_eq!(see(store).head(T).unwrap(), Head::default());
    for _ in 0..3 {
        ok(store, unit());
    }
    let last = rows(store).pop().unwrap();
    assert_eq!(see(store).head(T).unwrap(), Head { seq: last.seq, link: last.link });
}

pub fn x58_an_entry_is_kept_byte_for_byte(store: &dyn Store) {
    let mut entry = entry_at("2026-01-02T03:04:05.678901234Z".parse().unwrap());
    entry.facts.subject = Some(user(1));
    entry.facts.attributes = vec!["userName".into(), "urn:x:Ü".into()];
    entry.facts.notes = vec!["D-K5".into()];
    let new = Some(serde_json::json!({"b": [1, null], "a": "ü"}));
    entry.values.changes = vec![Change::of("name", None, new)];
    ok(store, crate::store::Unit { log: Some(entry.clone()), ..unit() });
    let row = rows(store).pop().unwrap();
    assert_eq!(row, LogRow::chain(Link::default(), Seq(1), &entry).unwrap());
    assert_eq!(serde_json::from_slice::<crate::store::Facts>(&row.facts).unwrap(), entry.facts);
    assert_eq!(serde_json::from_slice::<crate::store::Values>(&row.values).unwrap(), entry.values);
}

pub fn histories_are_per_tenant(store: &dyn Store) {
    ok(store, unit());
    ok(store, unit());
    assert_eq!(store.commit(OTHER, unit()).unwrap(), Outcome::Committed { seq: Seq(1) });
    let other = see(store).changes(OTHER, Seq::ZERO, 10).unwrap();
    assert_eq!(other.len(), 1);
    assert!(other[0].follows(Link::default()));
    assert_eq!(ok(store, unit()), Seq(3));
}

pub fn a_change_of_records_without_a_log_entry_is_refused(store: &dyn Store) {
    ok(store, put(&team(2)));
    let before = everything(&*see(store), T);
    for unit in [unlogged().put(&person(1, "ada")), unlogged().delete(user(1)), unlogged().remove(2, user(1))]
    {
        let refused = store.commit(T, unit.small(b"k", Some(b"v")));
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }
    assert_eq!(everything(&*see(store), T), before);
}

pub fn a_unit_that_only_logs_takes_a_number(store: &dyn Store) {
    assert_eq!(ok(store, unit()), Seq(1));
    assert_eq!(rows(store).len(), 1);
}

pub fn x58_the_history_of_a_resource_is_read_from_both_ends(store: &dyn Store) {
    // Entries 1, 4, 7 … are about the first, 2, 5, 8 … about the second, the others about nobody.
    for number in 0..12_u32 {
        let unit = unit();
        ok(store, if number % 3 < 2 { unit.about(user(number % 3)) } else { unit });
    }
    let back = |number, before: Option<u64>, limit| {
        let rows = see(store).history_of(T, id(number), before.map(Seq), limit).unwrap();
        assert!(rows.iter().all(|row| row.subject().unwrap() == Some(user(number))));
        rows.into_iter().map(|row| row.seq.0).collect::<Vec<_>>()
    };
    let since = |number, after, limit| {
        let rows = see(store).history_since(T, id(number), Seq(after), limit).unwrap();
        rows.into_iter().map(|row| row.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(back(0, None, 10), [10, 7, 4, 1]);
    assert_eq!(back(0, None, 2), [10, 7]);
    assert_eq!(back(0, Some(7), 10), [4, 1]);
    assert_eq!(back(0, Some(8), 1), [7], "the place need not be one of its entries");
    assert_eq!(back(0, Some(1), 10), Vec::<u64>::new());
    assert_eq!(back(0, Some(u64::MAX), 0), Vec::<u64>::new());
    assert_eq!(back(1, None, 10), [11, 8, 5, 2]);
    assert_eq!(back(2, None, 10), Vec::<u64>::new());
    assert_eq!(since(0, 0, 1), [1], "what became of it first");
    assert_eq!(since(0, 1, 2), [4, 7]);
    assert_eq!(since(0, 6, 10), [7, 10]);
    assert_eq!(since(0, u64::MAX, 10), Vec::<u64>::new());
    let all = rows(store);
    let own = see(store).history_since(T, id(1), Seq::ZERO, 10).unwrap();
    assert_eq!(own, [1, 4, 7, 10].map(|at| all[at].clone()), "the very rows of the log");
}

pub fn a_resource_keeps_its_history_in_another_kind_and_removed(store: &dyn Store) {
    ok(store, put(&person(1, "ada")).about(user(1)));
    let moved = Record { at: Address { kind: KindId(9), ..user(1) }, ..person(1, "ada") };
    ok(store, unit().delete(user(1)).put(&moved).about(moved.at));
    ok(store, unit().delete(moved.at).about(moved.at));
    let rows = see(store).history_of(T, id(1), None, 10).unwrap();
    assert_eq!(rows.iter().map(|row| row.seq.0).collect::<Vec<_>>(), [3, 2, 1]);
    lost(store, unit().about(user(1)).given(Given::Exists(user(1))));
    assert_eq!(see(store).history_of(T, id(1), None, 10).unwrap(), rows, "what was lost is no history");
}

pub fn the_history_of_a_resource_is_its_tenants(store: &dyn Store) {
    ok(store, unit().about(user(1)));
    store.commit(OTHER, unit()).unwrap();
    assert!(see(store).history_of(OTHER, id(1), None, 10).unwrap().is_empty());
    store.commit(OTHER, unit().about(user(1))).unwrap();
    let seqs = |tenant| {
        let rows = see(store).history_of(tenant, id(1), None, 10).unwrap();
        rows.into_iter().map(|row| row.seq.0).collect::<Vec<_>>()
    };
    assert_eq!((seqs(T), seqs(OTHER)), (vec![1], vec![2]));
}

pub fn the_log_may_be_as_long_as_a_page_and_longer(store: &dyn Store) {
    // In several threads, so that they share batches.
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                for _ in 0..8 {
                    ok(store, unit());
                }
            });
        }
    });
    let mut after = Seq::ZERO;
    let mut link = Link::default();
    loop {
        let page = see(store).changes(T, after, 100).unwrap();
        assert!(page.len() <= PAGE_ROWS_MAX);
        for row in &page {
            assert!(row.follows(link));
            (link, after) = (row.link, row.seq);
        }
        if page.is_empty() {
            break;
        }
    }
    assert_eq!(after, Seq(256));
}
