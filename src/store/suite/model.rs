//! Random units, played to two stores at once: what one does the other does, and both show the same.
//!
//! Few addresses, names and keys, so that units collide all the time.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::fixture::*;
use crate::ids::{Address, TenantId};
use crate::store::memory::MemoryStore;
use crate::store::{Given, IndexEntry, Outcome, Record, Seq, Store, Unit, Write};

fn any_at() -> impl Strategy<Value = Address> {
    (0..5_u32, any::<bool>()).prop_map(|(number, group)| if group { team(number).at } else { user(number) })
}

/// A key that no other write has.
const COUNTER: &[u8] = b"counter";

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]{0,2}", Just("a\0".to_owned())]
}

fn any_record() -> impl Strategy<Value = Record> {
    let names = prop::collection::vec(any_name(), 0..3);
    let values = prop::collection::vec(prop::collection::vec(0..3_u8, 0..3), 0..3);
    let owner = prop::option::of((1..3_u8).prop_map(connection));
    (any_at(), owner, names, values, 0..1000_i64).prop_map(|(at, connection, names, values, modified)| {
        Record {
            at,
            connection,
            modified: second(modified),
            unique: names.iter().map(|name| name_key(name)).collect(),
            index: entries(values),
            ..person(0, "somebody")
        }
    })
}

/// Enters values into an index that is not counted, and into one that is.
fn entries(values: Vec<Vec<u8>>) -> Vec<IndexEntry> {
    let both = |value: Vec<u8>| [DISPLAY, ORDER].map(|index| IndexEntry { index, value: value.clone() });
    values.into_iter().flat_map(both).collect()
}

fn any_given() -> impl Strategy<Value = Given> {
    prop_oneof![
        (any_at(), 0..40_u64).prop_map(|(at, seq)| Given::Version(at, Seq(seq))),
        any_at().prop_map(Given::Exists),
        any_at().prop_map(Given::Absent),
        (any_name(), any_at()).prop_map(|(name, at)| Given::Free(name_key(&name), at)),
        (0..5_u32, 0..4_u64).prop_map(|(group, seq)| Given::Members(id(group), Seq(seq))),
        (any_name(), any::<Option<bool>>()).prop_map(|(key, value)| {
            Given::Small(SPACE, key.into(), value.map(|value| vec![u8::from(value)]))
        }),
        // Some of these keys hold small values that are no counters.
        (any_name(), 0..5_u64).prop_map(|(key, max)| room(key.as_bytes(), max)),
        (0..4_u64).prop_map(|max| room(COUNTER, max)),
        prop::collection::vec(0..3_u8, 0..3).prop_map(|value| Given::Unused(display(&value))),
    ]
}

fn any_write() -> impl Strategy<Value = Write> {
    prop_oneof![
        5 => any_record().prop_map(|record| Write::Put(Box::new(record))),
        1 => any_at().prop_map(Write::Delete),
        1 => (any_at(), prop::collection::vec(prop::collection::vec(0..3_u8, 0..3), 0..3))
            .prop_map(|(at, values)| Write::Index { at, index: entries(values) }),
        4 => (0..5_u32, any_at(), prop::bool::weighted(0.7))
            .prop_map(|(group, member, add)| Write::Edge { group: id(group), member, add }),
        1 => (0..6_u64).prop_map(|seq| Write::EraseValues(Seq(seq))),
        1 => (any_name(), any::<Option<bool>>()).prop_map(|(key, value)| Write::Small {
            space: SPACE,
            key: key.into(),
            value: value.map(|value| vec![u8::from(value)]),
        }),
        1 => (any_name(), -2..4_i64)
            .prop_map(|(key, by)| Write::Add { space: SPACE, key: key.into(), by }),
        1 => (-2..4_i64).prop_map(|by| Write::Add { space: SPACE, key: COUNTER.into(), by }),
    ]
}

fn any_unit() -> impl Strategy<Value = (TenantId, Unit)> {
    let given = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(any_given(), 1..2)];
    let writes = prop::collection::vec(any_write(), 0..4);
    let when = prop_oneof![9 => (0..1000_i64).prop_map(Some), 1 => Just(None)];
    let subject = prop::option::of(any_at());
    (1..3_u32, given, writes, when, subject).prop_map(|(tenant, given, writes, when, subject)| {
        let log = when.map(|when| {
            let mut entry = entry_at(second(when));
            entry.facts.subject = subject;
            entry
        });
        (TenantId::new(tenant), Unit { given, writes, log })
    })
}

/// What became of a unit, without the words of an error.
fn outcome(store: &dyn Store, tenant: TenantId, unit: &Unit) -> String {
    match store.commit(tenant, unit.clone()) {
        Ok(outcome) => format!("{outcome:?}"),
        Err(error) => format!("{:?}", std::mem::discriminant(&error)),
    }
}

/// A runner whose cases are the same in every run.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[cfg(feature = "redb")]
#[test]
fn redb_does_what_memory_does() {
    let units = prop::collection::vec(any_unit(), 1..60);
    let played = runner(40).run(&units, |units| {
        let home = tempfile::tempdir().unwrap();
        let mut store = super::open_redb(home.path());
        let model = MemoryStore::new();
        for (number, (tenant, unit)) in units.iter().enumerate() {
            prop_assert_eq!(
                outcome(&*store, *tenant, unit),
                outcome(&model, *tenant, unit),
                "unit {}",
                number
            );
            if number % 25 == 24 {
                drop(store);
                store = super::open_redb(home.path());
            }
        }
        for tenant in [T, OTHER] {
            prop_assert_eq!(everything(&*see(&*store), tenant), everything(&*see(&model), tenant));
        }
        prop_assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
        Ok(())
    });
    if let Err(failed) = played {
        panic!("{failed}");
    }
}

/// Plays units of one tenant, and watches every version that a record ever had.
fn versions_only_grow(store: &dyn Store, tenant: TenantId, units: u32) {
    let seed = [u8::try_from(tenant.number()).unwrap(); 32];
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let mut last: BTreeMap<Address, (Seq, Option<Record>)> = BTreeMap::new();
    let strategy = any_unit();
    for _ in 0..units {
        let (_, unit) = strategy.new_tree(&mut runner).unwrap().current();
        let touched: Vec<Address> = unit.writes.iter().filter_map(address).collect();
        let Ok(Outcome::Committed { seq }) = store.commit(tenant, unit) else { continue };
        let seen = store.snapshot().unwrap();
        for at in touched {
            let before = last.entry(at).or_insert((Seq::ZERO, None));
            let Some(stored) = seen.get(tenant, at).unwrap() else { continue };
            let record = stored.to_record().unwrap();
            assert!(stored.version() >= before.0, "{at:?} went back");
            assert!(stored.version() <= seq);
            if before.1.as_ref() != Some(&record) {
                assert!(stored.version() > before.0, "{at:?} changed and kept its version");
            }
            *before = (stored.version(), Some(record));
        }
    }
    assert_eq!(last.len(), 10, "every address was met");
}

fn address(write: &Write) -> Option<Address> {
    match write {
        Write::Put(record) => Some(record.at),
        Write::Delete(at) => Some(*at),
        // Index entries are no change of a record.
        Write::Index { .. } | Write::Edge { .. } | Write::EraseValues(_) => None,
        Write::Small { .. } | Write::Add { .. } => None,
    }
}

#[test]
fn r4_versions_only_grow_over_10000_units_in_memory() {
    versions_only_grow(&MemoryStore::new(), T, 10_000);
}

#[cfg(feature = "redb")]
#[test]
fn r4_versions_only_grow_over_10000_units_of_20_tenants_on_redb() {
    let home = tempfile::tempdir().unwrap();
    let store = &*super::open_redb(home.path());
    // Tenants beside one another, so that their units share flushes.
    std::thread::scope(|scope| {
        for tenant in 1..=20 {
            scope.spawn(move || versions_only_grow(store, TenantId::new(tenant), 500));
        }
    });
    assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
}
