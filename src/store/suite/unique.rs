//! Unique means unique.

use super::fixture::*;
use crate::store::{
    Given, IndexEntry, IndexId, KEY_BYTES_MAX, Outcome, Record, Store, StoreError, UniqueKey,
};

pub fn a_value_that_another_holds_is_lost_though_nobody_asked(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    assert_eq!(lost(store, put(&person(2, "ada"))), Given::Free(name_key("ada"), user(2)));
    assert_eq!(read(store, user(2)), None);
}

pub fn a_value_freed_by_a_rename_can_be_taken(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    ok(store, put(&person(1, "augusta")));
    ok(store, put(&person(2, "ada")));
    assert_eq!(see(store).by_unique(T, &name_key("ada")).unwrap(), Some(user(2)));
}

pub fn a_value_freed_by_a_deletion_can_be_taken(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    ok(store, unit().delete(user(1)));
    ok(store, put(&person(2, "ada")));
    assert_eq!(see(store).by_unique(T, &name_key("ada")).unwrap(), Some(user(2)));
}

pub fn a_unit_may_delete_the_holder_and_take_its_value(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    ok(store, unit().delete(user(1)).put(&person(2, "ada")));
    assert_eq!(see(store).by_unique(T, &name_key("ada")).unwrap(), Some(user(2)));
    assert_eq!(lost(store, put(&person(1, "ada")).delete(user(2))), Given::Free(name_key("ada"), user(1)));
}

pub fn two_puts_of_one_value_in_one_unit_are_lost(store: &dyn Store) {
    let unit = put(&person(1, "ada")).put(&person(2, "ada"));
    assert_eq!(lost(store, unit), Given::Free(name_key("ada"), user(2)));
    assert_eq!(read(store, user(1)), None);
}

pub fn a_unit_lost_at_its_last_write_leaves_no_trace(store: &dyn Store) {
    ok(store, put(&person(1, "ada")).put(&team(2)).add(2, user(1)));
    let before = everything(&*see(store), T);
    let unit = put(&person(3, "eve")).put(&person(1, "augusta")).small(b"k", Some(b"v")).delete(team(2).at);
    lost(store, unit.put(&person(4, "eve")));
    assert_eq!(everything(&*see(store), T), before);
    ok(store, put(&person(4, "eve")));
}

pub fn r3_of_64_threads_racing_for_one_value_exactly_one_wins(store: &dyn Store) {
    let race = |number: u32| {
        let unit = put(&person(number, "ada")).put(&team(1000 + number));
        matches!(store.commit(T, unit).unwrap(), Outcome::Committed { .. })
    };
    let winners: Vec<u32> = std::thread::scope(|scope| {
        let racers: Vec<_> = (1..=64).map(|number| (number, scope.spawn(move || race(number)))).collect();
        racers.into_iter().filter_map(|(number, racer)| racer.join().unwrap().then_some(number)).collect()
    });
    assert_eq!(winners.len(), 1);
    let seen = see(store);
    assert_eq!(seen.by_unique(T, &name_key("ada")).unwrap(), Some(user(winners[0])));
    assert_eq!(seen.count(T, crate::ids::KindId::USER).unwrap(), 1);
    assert_eq!(seen.count(T, crate::ids::KindId::GROUP).unwrap(), 1, "losers leave nothing");
    assert_eq!(seen.head(T).unwrap().seq.0, 1);
}

pub fn r3_of_8_renames_onto_one_value_exactly_one_wins(store: &dyn Store) {
    for number in 1..=8 {
        ok(store, put(&person(number, &format!("p{number}"))));
    }
    let won = std::thread::scope(|scope| {
        let rename = |number| store.commit(T, put(&person(number, "ada"))).unwrap();
        let threads: Vec<_> = (1..=8).map(|number| scope.spawn(move || rename(number))).collect();
        let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
        outcomes.filter(|outcome| matches!(outcome, Outcome::Committed { .. })).count()
    });
    assert_eq!(won, 1);
}

pub fn one_value_in_two_indexes_is_two_values(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    let other = UniqueKey { index: IndexId(7), value: b"ada".to_vec() };
    ok(store, put(&Record { unique: vec![other.clone()], ..person(2, "eve") }));
    assert_eq!(see(store).by_unique(T, &other).unwrap(), Some(user(2)));
    assert_eq!(see(store).by_unique(T, &name_key("ada")).unwrap(), Some(user(1)));
}

pub fn values_are_compared_byte_for_byte(store: &dyn Store) {
    for (number, name) in ["ada", "Ada", "ad", "adam", "ada\0", "\0ada", ""].into_iter().enumerate() {
        ok(store, put(&person(u32::try_from(number).unwrap(), name)));
    }
    assert_eq!(see(store).by_unique(T, &name_key("ada\0")).unwrap(), Some(user(4)));
}

pub fn a_record_keeps_its_own_value_when_it_is_replaced(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    let given = Given::Free(name_key("ada"), user(1));
    ok(store, put(&Record { display: "new".into(), ..person(1, "ada") }).given(given));
    assert_eq!(see(store).by_unique(T, &name_key("ada")).unwrap(), Some(user(1)));
}

pub fn a_record_may_hold_several_values(store: &dyn Store) {
    let both = Record { unique: vec![name_key("a"), name_key("b"), name_key("a")], ..person(1, "ada") };
    ok(store, put(&both));
    for name in ["a", "b"] {
        assert_eq!(lost(store, put(&person(2, name))), Given::Free(name_key(name), user(2)));
    }
    ok(store, put(&Record { unique: vec![name_key("b")], ..both }));
    ok(store, put(&person(2, "a")));
    assert_eq!(lost(store, put(&person(3, "b"))), Given::Free(name_key("b"), user(3)));
}

pub fn the_longest_key_is_kept(store: &dyn Store) {
    let long = "x".repeat(KEY_BYTES_MAX);
    ok(store, put(&person(1, &long)));
    assert_eq!(see(store).by_unique(T, &name_key(&long)).unwrap(), Some(user(1)));
    // Zeros take two bytes in an index key.
    let zeros = IndexEntry { index: DISPLAY, value: vec![0; KEY_BYTES_MAX] };
    ok(store, put(&Record { index: vec![zeros.clone()], ..person(2, "eve") }));
    let range = crate::store::IndexRange::exactly(user(2).kind, DISPLAY, zeros.value);
    assert_eq!(see(store).index_range(T, &range, 2).unwrap().len(), 1);
}

pub fn a_longer_key_is_refused_and_leaves_no_trace(store: &dyn Store) {
    let long = vec![b'x'; KEY_BYTES_MAX + 1];
    let unique = Record { unique: vec![UniqueKey { index: NAME, value: long.clone() }], ..person(1, "a") };
    let index = Record { index: vec![IndexEntry { index: DISPLAY, value: long }], ..person(1, "a") };
    for record in [unique, index] {
        let refused = store.commit(T, put(&person(2, "b")).put(&record));
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }
    assert_eq!(read(store, user(2)), None);
    assert_eq!(see(store).head(T).unwrap(), crate::store::Head::default());
}

pub fn unique_values_are_listed_by_their_beginning(store: &dyn Store) {
    for (number, name) in [(1, "ab"), (2, "a"), (3, "b"), (4, "abc"), (5, "a\u{ff}")] {
        ok(store, put(&person(number, name)));
    }
    let page = |prefix: &str, after: Option<&str>, limit| {
        let after = after.map(str::as_bytes);
        let rows = see(store).by_unique_prefix(T, NAME, prefix.as_bytes(), after, limit).unwrap();
        rows.into_iter().map(|row| (String::from_utf8(row.value).unwrap(), row.at)).collect::<Vec<_>>()
    };
    let row = |number, name: &str| (name.to_owned(), user(number));
    assert_eq!(page("a", None, 9), [row(2, "a"), row(1, "ab"), row(4, "abc"), row(5, "a\u{ff}")]);
    assert_eq!(page("ab", None, 9), [row(1, "ab"), row(4, "abc")]);
    assert_eq!(page("a", Some("ab"), 1), [row(4, "abc")]);
    assert_eq!(page("", None, 9).len(), 5);
    assert_eq!(page("c", None, 9), []);
    assert_eq!(page("a", None, 0), []);
    assert_eq!(see(store).by_unique_prefix(T, DISPLAY, b"a", None, 9).unwrap(), []);
    assert_eq!(see(store).by_unique_prefix(OTHER, NAME, b"a", None, 9).unwrap(), []);
}
