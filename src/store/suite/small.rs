//! Small values.

use super::fixture::*;
use crate::store::{Given, Head, KEY_BYTES_MAX, Outcome, Seq, Space, Store, StoreError, Write};

fn small(store: &dyn Store, key: &[u8]) -> Option<Vec<u8>> {
    see(store).small(T, SPACE, key).unwrap()
}

pub fn a_small_value_is_put_replaced_and_removed(store: &dyn Store) {
    assert_eq!(small(store, b"k"), None);
    ok(store, unlogged().small(b"k", Some(b"1")));
    assert_eq!(small(store, b"k").unwrap(), b"1");
    ok(store, unlogged().small(b"k", Some(b"two")));
    assert_eq!(small(store, b"k").unwrap(), b"two");
    ok(store, unlogged().small(b"k", None).small(b"never", None));
    assert_eq!(small(store, b"k"), None);
}

pub fn small_values_page_under_a_prefix(store: &dyn Store) {
    let keys: [&[u8]; 6] = [b"a", b"ab", b"ab\0", b"aba", b"ac", b"\xff\xff"];
    ok(store, keys.into_iter().rev().fold(unlogged(), |unit, key| unit.small(key, Some(key))));
    let range = |prefix: &[u8], after: Option<&[u8]>, limit| {
        let rows = see(store).small_range(T, SPACE, prefix, after, limit).unwrap();
        assert!(rows.iter().all(|row| row.key == row.value));
        rows.into_iter().map(|row| row.key).collect::<Vec<_>>()
    };
    assert_eq!(range(b"", None, 10), keys);
    assert_eq!(range(b"ab", None, 10), keys[1..4]);
    assert_eq!(range(b"ab", None, 2), keys[1..3]);
    assert_eq!(range(b"ab", Some(b"ab\0"), 10), keys[3..4]);
    assert_eq!(range(b"ab", Some(b"a"), 10), keys[1..4], "a place before the prefix is its beginning");
    assert_eq!(range(b"\xff", None, 10), keys[5..]);
    assert_eq!(range(b"b", None, 10), Vec::<Vec<u8>>::new());
}

pub fn spaces_do_not_mix(store: &dyn Store) {
    for space in [0, 1, 255] {
        let write = Write::Small { space: Space(space), key: b"k".to_vec(), value: Some(vec![space]) };
        ok(store, unlogged().write(write));
    }
    let seen = see(store);
    for space in [0, 1, 255] {
        assert_eq!(seen.small(T, Space(space), b"k").unwrap().unwrap(), [space]);
        assert_eq!(seen.small_range(T, Space(space), b"", None, 10).unwrap().len(), 1);
    }
    assert_eq!(seen.small(OTHER, Space(1), b"k").unwrap(), None);
}

pub fn empty_keys_and_values_are_kept(store: &dyn Store) {
    ok(store, unlogged().small(b"", Some(b"")));
    assert_eq!(small(store, b"").unwrap(), b"");
    assert_eq!(see(store).small_range(T, SPACE, b"", None, 10).unwrap().len(), 1);
}

pub fn a_unit_without_a_log_entry_takes_no_number(store: &dyn Store) {
    assert_eq!(ok(store, unlogged().small(b"k", Some(b"1"))), Seq::ZERO);
    assert_eq!(see(store).head(T).unwrap(), Head::default());
    ok(store, put(&person(1, "ada")));
    assert_eq!(ok(store, unlogged().small(b"k", Some(b"2"))), Seq(1));
    assert_eq!(ok(store, put(&person(1, "ada"))), Seq(2));
}

pub fn r18_compare_and_set_loses_no_update(store: &dyn Store) {
    let increment = || loop {
        let old = small(store, b"n");
        let number = old.as_ref().map_or(0, |bytes| bytes[0]);
        let unit = unlogged().given(Given::Small(SPACE, b"n".to_vec(), old)).small(b"n", Some(&[number + 1]));
        if let Outcome::Committed { .. } = store.commit(T, unit).unwrap() {
            break;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..10).for_each(|_| increment()));
        }
    });
    assert_eq!(small(store, b"n").unwrap(), [80]);
}

pub fn a_long_small_key_is_refused(store: &dyn Store) {
    ok(store, unlogged().small(&[1; KEY_BYTES_MAX], Some(b"")));
    let refused = store.commit(T, unlogged().small(&[1; KEY_BYTES_MAX + 1], Some(b"")));
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
}
