//! Counters, and the room that is left below a maximum.

use super::fixture::*;
use crate::store::{Head, KEY_BYTES_MAX, Outcome, Seq, Space, Store, StoreError, Write};

fn count(store: &dyn Store) -> u64 {
    see(store).counter(T, SPACE, b"n").unwrap()
}

/// Commits the unit from 64 threads at once, and returns how many of them were committed.
fn from_64_threads(store: &dyn Store, unit: impl Fn(u32) -> crate::store::Unit + Sync) -> usize {
    let commit = |number| store.commit(T, unit(number)).unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64).map(|number| scope.spawn(move || commit(number))).collect();
        let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
        outcomes.filter(|outcome| matches!(outcome, Outcome::Committed { .. })).count()
    })
}

#[track_caller]
fn refused(store: &dyn Store, unit: crate::store::Unit) {
    let before = everything(&*see(store), T);
    let answer = store.commit(T, unit);
    assert!(matches!(answer, Err(StoreError::Invalid(_))), "{answer:?}");
    assert_eq!(everything(&*see(store), T), before);
}

pub fn a_counter_counts_from_nothing_and_goes_with_it(store: &dyn Store) {
    assert_eq!(count(store), 0);
    ok(store, unlogged().count(b"n", 3).count(b"n", -1));
    assert_eq!(count(store), 2);
    assert_eq!(see(store).small(T, SPACE, b"n").unwrap().unwrap(), [0, 0, 0, 0, 0, 0, 0, 2]);
    ok(store, unlogged().count(b"n", 0).count(b"m", 0));
    assert_eq!(count(store), 2);
    ok(store, unlogged().count(b"n", -2));
    assert_eq!(count(store), 0);
    assert!(see(store).small_range(T, SPACE, b"", None, 10).unwrap().is_empty(), "no row is left");
    assert_eq!(see(store).head(T).unwrap(), Head::default(), "counting takes no number");
    ok(store, put(&person(1, "ada")).count(b"n", 300));
    assert_eq!(count(store), 300);
}

pub fn r18_64_units_count_and_none_is_lost(store: &dyn Store) {
    assert_eq!(from_64_threads(store, |_| unlogged().count(b"n", 1)), 64);
    assert_eq!(count(store), 64);
}

pub fn r18_of_64_units_exactly_as_many_commit_as_there_is_room(store: &dyn Store) {
    let join = |number| {
        let joining = person(number, &format!("p{number}"));
        put(&joining).room(b"n", 10).count(b"n", 1)
    };
    assert_eq!(from_64_threads(store, join), 10);
    assert_eq!(count(store), 10);
    assert_eq!(see(store).count(T, user(0).kind).unwrap(), 10);
    // In one call, so that an engine that gathers units judges them in one batch.
    let leave = |_| unlogged().count(b"n", -1);
    let units: Vec<_> = (0..4).map(leave).chain((64..96).map(join)).collect();
    let outcomes = store.commit_each(T, units);
    let lost = |outcome: &Result<Outcome, StoreError>| match outcome {
        Ok(Outcome::Lost(given)) => {
            assert_eq!(*given, room(b"n", 10));
            true
        }
        other => {
            assert!(other.is_ok(), "{other:?}");
            false
        }
    };
    assert_eq!(outcomes.iter().map(lost).collect::<Vec<_>>(), (0..36).map(|at| at >= 8).collect::<Vec<_>>());
    assert_eq!(count(store), 10);
}

pub fn room_is_judged_before_the_units_own_writes(store: &dyn Store) {
    ok(store, unlogged().count(b"n", 5).room(b"n", 1));
    assert_eq!(lost(store, unlogged().count(b"n", -5).room(b"n", 5)), room(b"n", 5));
    assert_eq!(count(store), 5);
}

pub fn room_stops_at_its_maximum(store: &dyn Store) {
    assert_eq!(lost(store, unlogged().room(b"n", 0)), room(b"n", 0), "there is never room below nothing");
    ok(store, unlogged().count(b"n", 2));
    assert_eq!(lost(store, unlogged().room(b"n", 1)), room(b"n", 1));
    assert_eq!(lost(store, unlogged().room(b"n", 2)), room(b"n", 2));
    ok(store, unlogged().room(b"n", 3));
    ok(store, unlogged().room(b"n", u64::MAX));
}

pub fn a_counter_that_would_sink_below_nothing_is_refused_and_leaves_no_trace(store: &dyn Store) {
    refused(store, unlogged().count(b"n", -1));
    ok(store, unlogged().count(b"n", 2));
    refused(store, put(&person(1, "ada")).count(b"n", 1).count(b"n", -4));
    refused(store, unlogged().count(b"n", i64::MAX).count(b"n", i64::MAX).count(b"n", i64::MAX));
    assert_eq!(count(store), 2);
    assert_eq!(ok(store, unit()), Seq(1), "what was refused took no number");
}

pub fn what_is_no_counter_is_not_counted_on(store: &dyn Store) {
    for value in [b"".as_slice(), b"1", b"1234567", b"123456789"] {
        ok(store, unlogged().small(b"n", Some(value)));
        refused(store, unlogged().count(b"n", 1));
        refused(store, unlogged().room(b"n", u64::MAX));
        let read = see(store).counter(T, SPACE, b"n");
        assert!(matches!(read, Err(StoreError::Invalid(_))), "{read:?}");
        assert_eq!(see(store).small(T, SPACE, b"n").unwrap().unwrap(), value);
    }
    ok(store, unlogged().small(b"n", None).count(b"n", 1));
    assert_eq!(count(store), 1);
}

pub fn counters_of_spaces_and_tenants_do_not_mix(store: &dyn Store) {
    ok(store, unlogged().count(b"n", 1).write(Write::Add { space: Space(4), key: b"n".to_vec(), by: 2 }));
    store.commit(OTHER, unlogged().count(b"n", 3)).unwrap();
    let seen = see(store);
    let counts = [(T, SPACE), (T, Space(4)), (OTHER, SPACE), (OTHER, Space(4))]
        .map(|(tenant, space)| seen.counter(tenant, space, b"n").unwrap());
    assert_eq!(counts, [1, 2, 3, 0]);
}

pub fn a_lost_unit_counts_nothing(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    lost(store, unit().count(b"n", 1).put(&person(2, "ada")));
    assert_eq!(count(store), 0);
}

pub fn a_long_key_of_a_counter_is_refused(store: &dyn Store) {
    ok(store, unlogged().count(&[1; KEY_BYTES_MAX], 1));
    refused(store, unlogged().count(&[1; KEY_BYTES_MAX + 1], 1));
}
