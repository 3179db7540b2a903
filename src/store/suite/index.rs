//! Indexes: order, bounds, pages.

use super::fixture::*;
use crate::ids::KindId;
use crate::store::{IndexEntry, IndexId, IndexRange, IndexRow, KEY_BYTES_MAX, Record, Store, StoreError};

fn all() -> IndexRange {
    IndexRange::all(KindId::USER, DISPLAY)
}

fn row(value: &[u8], number: u32) -> IndexRow {
    IndexRow { value: value.into(), id: id(number) }
}

fn with(number: u32, values: &[&[u8]]) -> Record {
    let index = values.iter().map(|value| IndexEntry { index: DISPLAY, value: value.to_vec() }).collect();
    Record { index, ..person(number, &format!("p{number}")) }
}

fn rows(store: &dyn Store, range: &IndexRange) -> Vec<IndexRow> {
    see(store).index_range(T, range, 100).unwrap()
}

pub fn entries_come_in_order_of_value_and_id(store: &dyn Store) {
    for (number, value) in [(3, "b"), (1, "c"), (2, "b"), (4, "a")] {
        ok(store, put(&with(number, &[value.as_bytes()])));
    }
    let expected = [row(b"a", 4), row(b"b", 2), row(b"b", 3), row(b"c", 1)];
    assert_eq!(rows(store, &all()), expected);
}

pub fn a_replaced_record_leaves_no_old_entry(store: &dyn Store) {
    ok(store, put(&with(1, &[b"a", b"b", b"c"])));
    ok(store, put(&with(1, &[b"b", b"d"])));
    assert_eq!(rows(store, &all()), [row(b"b", 1), row(b"d", 1)]);
    ok(store, put(&with(1, &[])));
    assert_eq!(rows(store, &all()), []);
}

pub fn bounds_are_inclusive(store: &dyn Store) {
    for (number, value) in [(1, "a"), (2, "b"), (3, "bb"), (4, "c"), (5, "ca")] {
        ok(store, put(&with(number, &[value.as_bytes()])));
    }
    let between = |from: Option<&str>, to: Option<&str>| {
        let range = IndexRange { from: from.map(Into::into), to: to.map(Into::into), ..all() };
        rows(store, &range).into_iter().map(|row| String::from_utf8(row.value).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(between(Some("b"), Some("c")), ["b", "bb", "c"]);
    assert_eq!(between(None, Some("b")), ["a", "b"]);
    assert_eq!(between(Some("bb"), None), ["bb", "c", "ca"]);
    assert_eq!(between(Some("ba"), Some("ba")), Vec::<String>::new());
}

pub fn a_range_upside_down_is_empty(store: &dyn Store) {
    ok(store, put(&with(1, &[b"b"])));
    let range = IndexRange { from: Some(b"c".to_vec()), to: Some(b"a".to_vec()), ..all() };
    assert_eq!(rows(store, &range), []);
    let beyond = IndexRange { after: Some(row(b"z", 9)), to: Some(b"c".to_vec()), ..all() };
    assert_eq!(rows(store, &beyond), []);
}

pub fn paging_meets_every_entry_once(store: &dyn Store) {
    for number in 1..=25 {
        let value = [b'a' + u8::try_from(number % 3).unwrap()];
        ok(store, put(&with(number, &[&value])));
    }
    let whole = rows(store, &all());
    assert_eq!(whole.len(), 25);
    let mut paged = vec![];
    let mut range = all();
    loop {
        let page = see(store).index_range(T, &range, 4).unwrap();
        let Some(last) = page.last() else { break };
        range.after = Some(last.clone());
        paged.extend(page);
    }
    assert_eq!(paged, whole);
}

pub fn one_value_exactly(store: &dyn Store) {
    for (number, value) in [(1, "ada"), (2, "ad"), (3, "adam"), (4, "ada"), (5, "")] {
        ok(store, put(&with(number, &[value.as_bytes()])));
    }
    let exactly = |value: &[u8]| rows(store, &IndexRange::exactly(KindId::USER, DISPLAY, value.into()));
    assert_eq!(exactly(b"ada"), [row(b"ada", 1), row(b"ada", 4)]);
    assert_eq!(exactly(b""), [row(b"", 5)]);
    assert_eq!(exactly(b"a"), []);
}

pub fn any_bytes_sort_as_bytes(store: &dyn Store) {
    let values: [&[u8]; 9] =
        [b"", b"\0", b"\0\0", b"\0\x01", b"\0\xff", b"\x01", b"a\0b", b"ab", b"\xff\xff"];
    for (number, value) in values.iter().enumerate().rev() {
        ok(store, put(&with(u32::try_from(number).unwrap(), &[value])));
    }
    let seen: Vec<_> = rows(store, &all()).into_iter().map(|row| row.value).collect();
    assert_eq!(seen, values);
    for value in values {
        let exactly = IndexRange::exactly(KindId::USER, DISPLAY, value.into());
        assert_eq!(rows(store, &exactly).len(), 1, "{value:?}");
    }
}

pub fn kinds_and_indexes_do_not_mix(store: &dyn Store) {
    ok(store, put(&with(1, &[b"a"])).put(&team(2)));
    let elsewhere = IndexEntry { index: IndexId(3), value: b"a".to_vec() };
    ok(store, put(&Record { index: vec![elsewhere], ..person(3, "eve") }));
    assert_eq!(rows(store, &all()), [row(b"a", 1)]);
    assert_eq!(rows(store, &IndexRange { index: IndexId(3), ..all() }), [row(b"a", 3)]);
    assert_eq!(rows(store, &IndexRange { kind: KindId::GROUP, ..all() }), [row(b"team 2", 2)]);
    assert_eq!(see(store).index_range(OTHER, &all(), 10).unwrap(), []);
}

pub fn a_record_may_have_several_entries(store: &dyn Store) {
    ok(store, put(&with(1, &[b"c", b"a"])).put(&with(2, &[b"b"])));
    assert_eq!(rows(store, &all()), [row(b"a", 1), row(b"b", 2), row(b"c", 1)]);
}

pub fn an_entry_given_twice_is_one_entry(store: &dyn Store) {
    ok(store, put(&with(1, &[b"a", b"a"])));
    assert_eq!(rows(store, &all()), [row(b"a", 1)]);
    ok(store, put(&with(1, &[b"a"])));
    assert_eq!(rows(store, &all()), [row(b"a", 1)]);
}

pub fn a_page_resumes_after_an_entry_that_has_gone(store: &dyn Store) {
    for number in 1..=3 {
        ok(store, put(&with(number, &[b"a"])));
    }
    ok(store, unit().delete(user(2)));
    let range = IndexRange { after: Some(row(b"a", 2)), ..all() };
    assert_eq!(rows(store, &range), [row(b"a", 3)]);
}

/// Enters values into an index that is not counted and into one that is.
fn in_both(number: u32, values: &[&[u8]]) -> Record {
    let both = |value: &&[u8]| [DISPLAY, ORDER].map(|index| IndexEntry { index, value: value.to_vec() });
    Record { index: values.iter().flat_map(both).collect(), ..with(number, &[]) }
}

pub fn a_range_is_read_back_as_it_is_read(store: &dyn Store) {
    for (number, value) in [(1, "a"), (2, "b"), (3, "b"), (4, ""), (5, "b\0"), (6, "c")] {
        ok(store, put(&in_both(number, &[value.as_bytes()])));
    }
    for index in [DISPLAY, ORDER] {
        let whole = IndexRange { index, ..all() };
        let places = rows(store, &whole);
        assert_eq!(places.len(), 6);
        let bounds =
            [None, Some(b"".to_vec()), Some(b"b".to_vec()), Some(b"bb".to_vec()), Some(b"z".to_vec())];
        for from in &bounds {
            for to in &bounds {
                let range = IndexRange { from: from.clone(), to: to.clone(), ..whole.clone() };
                let mut expected = rows(store, &range);
                expected.reverse();
                assert_eq!(rows(store, &IndexRange { back: true, ..range.clone() }), expected);
                for after in places.iter().chain([&row(b"aa", 9), &row(b"zz", 1)]) {
                    let back = IndexRange { back: true, after: Some(after.clone()), ..range.clone() };
                    let rest: Vec<_> = expected.iter().filter(|row| *row < after).cloned().collect();
                    assert_eq!(rows(store, &back), rest, "{range:?} before {after:?}");
                    let two = see(store).index_range(T, &back, 2).unwrap();
                    assert_eq!(two, rest.iter().take(2).cloned().collect::<Vec<_>>());
                }
            }
        }
    }
}

pub fn a_range_leaves_out_as_many_as_it_should(store: &dyn Store) {
    for number in 1..=9 {
        ok(store, put(&in_both(number, &[&[u8::try_from(number % 4).unwrap()]])));
    }
    for index in [DISPLAY, ORDER] {
        for (from, after) in [(None, None), (Some(vec![1]), None), (None, Some(row(&[1], 5)))] {
            for back in [false, true] {
                let range = IndexRange { index, from: from.clone(), after: after.clone(), back, ..all() };
                let whole = rows(store, &range);
                for skip in 0..11 {
                    let rest: Vec<_> = whole.iter().skip(skip).cloned().collect();
                    let range = IndexRange { skip: skip as u64, ..range.clone() };
                    assert_eq!(rows(store, &range), rest, "{range:?}");
                }
            }
        }
    }
}

pub fn entries_are_given_anew_without_a_new_version(store: &dyn Store) {
    let before = ok(store, put(&in_both(1, &[b"a"])));
    let entry = |value: &[u8]| IndexEntry { index: ORDER, value: value.to_vec() };
    ok(store, unlogged().index(user(1), vec![entry(b"b"), entry(b"c")]).index(user(2), vec![entry(b"x")]));
    assert_eq!(rows(store, &all()), []);
    assert_eq!(rows(store, &IndexRange { index: ORDER, ..all() }), [row(b"b", 1), row(b"c", 1)]);
    assert_eq!((version(store, user(1)), see(store).head(T).unwrap().seq), (Some(before), before));
    let record = read(store, user(1)).unwrap();
    assert_eq!(Record { index: vec![], ..record }, Record { index: vec![], ..in_both(1, &[]) });
    assert_eq!(read(store, user(2)), None, "who is not there gets no entries");
    let long = unlogged().index(user(1), vec![entry(&vec![b'x'; KEY_BYTES_MAX + 1])]);
    assert!(matches!(store.commit(T, long), Err(StoreError::Invalid(_))));
    ok(store, unit().delete(user(1)));
    assert_eq!(rows(store, &IndexRange { index: ORDER, ..all() }), []);
}
