//! Records, counts and ids.

use super::fixture::*;
use crate::ids::{Address, ConnectionId, KindId};
use crate::store::{IndexRange, Owned, PAGE_ROWS_MAX, Record, Segment, Seq, Store};

pub fn a_record_that_was_put_is_read_back_whole(store: &dyn Store) {
    let ada = Record {
        connection: Some(ConnectionId::from_bytes([9; 16])),
        created: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        modified: "2026-02-03T04:05:06.789123456Z".parse().unwrap(),
        ..person(1, "ada")
    };
    ok(store, put(&ada));
    assert_eq!(read(store, ada.at), Some(ada));
}

pub fn a_missing_record_is_none(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    assert_eq!(read(store, user(2)), None);
    assert_eq!(see(store).by_unique(T, &name_key("eve")).unwrap(), None);
}

pub fn a_second_put_replaces_the_first(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    ok(store, put(&person(1, "augusta")));
    assert_eq!(read(store, user(1)), Some(person(1, "augusta")));
    assert_eq!(see(store).by_unique(T, &name_key("ada")).unwrap(), None);
    assert_eq!(see(store).by_unique(T, &name_key("augusta")).unwrap(), Some(user(1)));
}

pub fn a_deleted_record_is_gone_from_every_view(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    ok(store, unit().delete(user(1)));
    let seen = see(store);
    assert_eq!(read(store, user(1)), None);
    assert!(!seen.exists(T, user(1)).unwrap());
    assert_eq!(seen.by_unique(T, &name_key("ada")).unwrap(), None);
    assert_eq!(seen.ids(T, KindId::USER, None, 0, 10).unwrap(), vec![]);
    assert_eq!(seen.count(T, KindId::USER).unwrap(), 0);
    let range = IndexRange::exactly(KindId::USER, DISPLAY, b"ada".to_vec());
    assert_eq!(seen.index_range(T, &range, 10).unwrap(), vec![]);
}

pub fn deleting_what_is_not_there_is_no_error(store: &dyn Store) {
    assert_eq!(ok(store, unit().delete(user(1))), Seq(1));
    assert_eq!(see(store).count(T, KindId::USER).unwrap(), 0);
}

pub fn r4_a_record_put_again_after_its_deletion_has_a_greater_version(store: &dyn Store) {
    let first = ok(store, put(&person(1, "ada")));
    ok(store, unit().delete(user(1)));
    ok(store, put(&person(1, "ada")));
    assert!(version(store, user(1)).unwrap() > first);
}

pub fn the_version_is_the_number_of_the_unit_that_put_it(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    ok(store, put(&person(2, "eve")));
    assert_eq!([version(store, user(1)), version(store, user(2))], [Some(Seq(1)), Some(Seq(2))]);
    let again = ok(store, put(&person(1, "ada")));
    assert_eq!([version(store, user(1)), version(store, user(2))], [Some(again), Some(Seq(2))]);
}

pub fn kinds_with_one_id_are_two_records(store: &dyn Store) {
    ok(store, put(&person(1, "ada")).put(&team(1)));
    ok(store, unit().delete(user(1)));
    assert_eq!(read(store, user(1)), None);
    assert_eq!(read(store, team(1).at), Some(team(1)));
}

pub fn a_record_with_next_to_nothing_is_kept(store: &dyn Store) {
    let bare = Record { display: String::new(), segments: vec![], unique: vec![], index: vec![], ..team(1) };
    ok(store, put(&bare));
    assert_eq!(read(store, bare.at), Some(bare));
}

pub fn unknown_urns_and_any_text_are_kept_as_they_are(store: &dyn Store) {
    let odd =
        [("urn:example:a", "{ \"ü\\u0000\" : [ ] }"), ("", "{}"), ("\u{10ffff}", "{\"\":\"\u{202e}\"}")];
    let segments = odd.map(|(urn, json)| Segment { urn: urn.into(), json: json.into() }).to_vec();
    let record = Record { segments, ..person(1, "ada") };
    ok(store, put(&record));
    let stored = see(store).get(T, record.at).unwrap().unwrap();
    assert_eq!(stored.segments().collect::<Vec<_>>(), odd);
}

pub fn a_record_of_a_megabyte_is_kept(store: &dyn Store) {
    let mut big = person(1, "ada");
    big.segments[0].json = format!(r#"{{"userName":"{}"}}"#, "x".repeat(1 << 20));
    ok(store, put(&big).put(&person(2, "eve")));
    assert_eq!(read(store, big.at), Some(big));
    assert_eq!(read(store, user(2)), Some(person(2, "eve")));
}

pub fn the_last_of_several_puts_of_a_unit_stands(store: &dyn Store) {
    ok(store, put(&person(1, "a")).put(&person(1, "b")).put(&person(1, "c")));
    assert_eq!(read(store, user(1)), Some(person(1, "c")));
    assert_eq!(see(store).by_unique(T, &name_key("b")).unwrap(), None);
    assert_eq!(see(store).count(T, KindId::USER).unwrap(), 1);
}

pub fn a_record_put_and_deleted_in_one_unit_was_never_there(store: &dyn Store) {
    ok(store, put(&person(1, "ada")).delete(user(1)));
    assert_eq!(read(store, user(1)), None);
    assert_eq!(see(store).count(T, KindId::USER).unwrap(), 0);
}

pub fn exists_agrees_with_get(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    assert!(see(store).exists(T, user(1)).unwrap());
    assert!(!see(store).exists(T, user(2)).unwrap());
    assert!(!see(store).exists(T, Address::group(id(1))).unwrap());
}

pub fn counts_follow_puts_and_deletes(store: &dyn Store) {
    let count = || see(store).count(T, KindId::USER).unwrap();
    assert_eq!(count(), 0);
    ok(store, put(&person(1, "a")).put(&person(2, "b")));
    assert_eq!(count(), 2);
    ok(store, put(&person(2, "c")));
    assert_eq!(count(), 2, "a replacement is none more");
    ok(store, unit().delete(user(1)).delete(user(1)));
    assert_eq!(count(), 1, "a second deletion is none less");
}

pub fn counts_are_kept_by_kind_and_tenant(store: &dyn Store) {
    ok(store, put(&person(1, "a")).put(&team(2)).put(&team(3)));
    let seen = see(store);
    assert_eq!(seen.count(T, KindId::USER).unwrap(), 1);
    assert_eq!(seen.count(T, KindId::GROUP).unwrap(), 2);
    assert_eq!(seen.count(T, KindId(9)).unwrap(), 0);
    assert_eq!(seen.count(OTHER, KindId::USER).unwrap(), 0);
}

pub fn ids_come_in_order_of_creation(store: &dyn Store) {
    for number in [5, 1, 300, 2] {
        ok(store, put(&person(number, &format!("p{number}"))));
    }
    ok(store, put(&team(4)));
    let ids = see(store).ids(T, KindId::USER, None, 0, 10).unwrap();
    assert_eq!(ids, [1, 2, 5, 300].map(id));
}

pub fn ids_page_from_just_after_and_skip(store: &dyn Store) {
    for number in 1..=9 {
        ok(store, put(&person(number, &format!("p{number}"))));
    }
    let page = |after: Option<u32>, skip, limit| {
        see(store).ids(T, KindId::USER, after.map(id), skip, limit).unwrap()
    };
    assert_eq!(page(None, 0, 3), [1, 2, 3].map(id));
    assert_eq!(page(Some(3), 0, 3), [4, 5, 6].map(id));
    assert_eq!(page(Some(3), 2, 3), [6, 7, 8].map(id));
    assert_eq!(page(None, 8, 3), [9].map(id));
    assert_eq!(page(None, 9, 3), []);
    assert_eq!(page(None, u64::MAX, 3), []);
    assert_eq!(page(Some(9), 0, 3), []);
    assert_eq!(page(None, 0, usize::MAX).len(), 9);
}

pub fn several_records_are_read_at_once_in_the_order_in_which_they_are_asked_for(store: &dyn Store) {
    for number in (1..=40).filter(|number| number % 7 != 0) {
        ok(store, put(&person(number, &format!("p{number}"))));
    }
    ok(store, put(&team(4)));
    ok(store, put(&person(3, "again")));
    let seen = see(store);
    let alone = |number: u32| seen.get(T, user(number)).unwrap().map(|one| one.to_record().unwrap());
    let together = |numbers: &[u32]| {
        let at: Vec<_> = numbers.iter().copied().map(user).collect();
        let found = seen.get_each(T, &at).unwrap();
        found.into_iter().map(|one| one.map(|one| one.to_record().unwrap())).collect::<Vec<_>>()
    };
    let in_order: Vec<u32> = (1..=41).collect();
    let few_of_many: Vec<u32> = (1..=41).step_by(4).collect();
    let near_then_far = [1, 2, 3, 4, 5, 6, 7, 8, 30, 38, 40, 41];
    for numbers in [
        &in_order[..],
        &few_of_many,
        &near_then_far,
        &[9, 2, 7, 40, 1, 2],
        &[3, 4, 5, 5, 6, 8, 9, 10, 11],
        &[1, 40],
        &[7],
        &[],
        &[1, 2, 39, 40, 41],
    ] {
        assert_eq!(together(numbers), numbers.iter().map(|one| alone(*one)).collect::<Vec<_>>());
    }
    assert_eq!(seen.get_each(OTHER, &[user(1), user(2)]).unwrap().into_iter().flatten().count(), 0);

    let listed = |after: Option<u32>, limit| {
        let found = seen.records(T, KindId::USER, after.map(id), limit).unwrap();
        found.iter().map(crate::store::Stored::at).collect::<Vec<_>>()
    };
    let those = |numbers: &[u32]| numbers.iter().copied().map(user).collect::<Vec<_>>();
    assert_eq!(listed(None, 3), those(&[1, 2, 3]));
    assert_eq!(listed(Some(5), 3), those(&[6, 8, 9]));
    assert_eq!(listed(Some(7), 2), those(&[8, 9]));
    assert_eq!(listed(Some(38), 9), those(&[39, 40]));
    assert_eq!((listed(Some(40), 9), listed(None, 0)), (vec![], vec![]));
    assert_eq!(listed(None, usize::MAX).len(), 35);
    assert_eq!(seen.records(T, KindId::GROUP, None, 9).unwrap().len(), 1);
}

pub fn x19_what_a_connection_provisioned_is_counted_and_listed_apart(store: &dyn Store) {
    let of = |number: u32, by: Option<u8>| Record {
        connection: by.map(connection),
        ..person(number, &format!("p{number}"))
    };
    for (number, by) in [(1, Some(1)), (2, Some(2)), (3, Some(1)), (4, None), (5, Some(1))] {
        ok(store, put(&of(number, by)));
    }
    let team = Record { connection: Some(connection(1)), ..team(6) };
    ok(store, put(&team));
    let shown = |by: u8, after: Option<u32>, skip, limit| {
        let owned = Owned { kind: KindId::USER, by: connection(by) };
        let seen = see(store);
        (seen.owned(T, owned).unwrap(), seen.owned_ids(T, owned, after.map(id), skip, limit).unwrap())
    };
    assert_eq!(shown(1, None, 0, 10), (3, [1, 3, 5].map(id).to_vec()));
    assert_eq!(shown(1, Some(1), 1, 10), (3, [5].map(id).to_vec()));
    assert_eq!(shown(1, None, 0, 2), (3, [1, 3].map(id).to_vec()));
    assert_eq!(shown(2, None, 0, 10), (1, [2].map(id).to_vec()));
    assert_eq!(shown(3, None, 0, 10), (0, vec![]));
    let owned = Owned { kind: KindId::USER, by: connection(1) };
    let back = |before: Option<u32>| see(store).owned_ids_back(T, owned, before.map(id), 2).unwrap();
    assert_eq!((back(None), back(Some(3))), ([5, 3].map(id).to_vec(), [1].map(id).to_vec()));

    // It changes hands, is given up, and goes.
    ok(store, put(&of(3, Some(2))));
    ok(store, put(&of(1, None)));
    ok(store, unit().delete(user(5)));
    assert_eq!(shown(1, None, 0, 10), (0, vec![]));
    assert_eq!(shown(2, None, 0, 10), (2, [2, 3].map(id).to_vec()));
    for kind in [KindId::USER, KindId::GROUP] {
        for by in [1, 2, 3] {
            let owned = Owned { kind, by: connection(by) };
            let listed = see(store).owned_ids(T, owned, None, 0, 10).unwrap();
            let is_owned = |id: &crate::ids::ResourceId| see(store).is_owned(T, owned, *id).unwrap();
            assert_eq!((0..8).map(id).filter(is_owned).collect::<Vec<_>>(), listed);
        }
    }
}

pub fn perf8_deep_pages_leave_out_exactly_what_they_should(store: &dyn Store) {
    let bare = |number| Record { unique: vec![], index: vec![], ..person(number, "x") };
    // Nearly all in order, as ids are made; then some in between, and some gone.
    ok(store, (0..1500).fold(unit(), |unit, number| unit.put(&bare(2 * number))).put(&team(1)));
    ok(store, (1500..2600).fold(unit(), |unit, number| unit.put(&bare(2 * number))));
    ok(store, (0..1200).fold(unit(), |unit, number| unit.put(&bare(2 * number + 1))));
    ok(store, (300..1500).fold(unit(), |unit, number| unit.delete(user(number))));
    let there: Vec<u32> = (0..5200)
        .filter(|number| number % 2 == 0 || *number < 2400)
        .filter(|number| !(300..1500).contains(number))
        .collect();
    let seen = see(store);
    assert_eq!(seen.count(T, KindId::USER).unwrap(), there.len() as u64);
    for after in [None, Some(0), Some(250), Some(1000), Some(2399), Some(5198)] {
        let rest: Vec<u32> =
            there.iter().copied().filter(|one| after.is_none_or(|after| *one > after)).collect();
        for skip in [0, 7, 1023, 1024, 1025, 2000, 2599, 2600, 3000, 9999] {
            let expected: Vec<_> = rest.iter().skip(skip).take(4).map(|one| id(*one)).collect();
            let found = seen.ids(T, KindId::USER, after.map(id), skip as u64, 4).unwrap();
            assert_eq!(found, expected, "after {after:?} without {skip}");
        }
    }
}

pub fn a_limit_of_zero_reads_nothing(store: &dyn Store) {
    ok(store, put(&person(1, "a")).put(&team(2)).add(2, user(1)).small(b"k", Some(b"v")));
    let seen = see(store);
    let range = IndexRange::all(KindId::USER, DISPLAY);
    assert_eq!(seen.ids(T, KindId::USER, None, 0, 0).unwrap(), vec![]);
    assert_eq!(seen.index_range(T, &range, 0).unwrap(), vec![]);
    assert_eq!(seen.members(T, id(2), None, 0).unwrap(), vec![]);
    assert_eq!(seen.groups_of(T, user(1), None, 0).unwrap(), vec![]);
    assert_eq!(seen.small_range(T, SPACE, b"", None, 0).unwrap(), vec![]);
    assert_eq!(seen.changes(T, Seq::ZERO, 0).unwrap(), vec![]);
}

pub fn a_page_has_a_greatest_size(store: &dyn Store) {
    let many = u32::try_from(PAGE_ROWS_MAX).unwrap() + 5;
    let rows = (0..many).fold(unlogged(), |unit, number| unit.small(&number.to_be_bytes(), Some(b"")));
    ok(store, rows);
    let page = see(store).small_range(T, SPACE, b"", None, usize::MAX).unwrap();
    assert_eq!(page.len(), PAGE_ROWS_MAX);
    let last = page.last().unwrap().key.clone();
    assert_eq!(see(store).small_range(T, SPACE, b"", Some(&last), usize::MAX).unwrap().len(), 5);
}

pub fn ids_page_back_from_just_before(store: &dyn Store) {
    for number in [5, 1, 3, 2, 4] {
        ok(store, put(&person(number, &format!("p{number}"))).put(&team(number + 10)));
    }
    let back =
        |before: Option<u32>, limit| see(store).ids_back(T, KindId::USER, before.map(id), limit).unwrap();
    assert_eq!(back(None, 10), [5, 4, 3, 2, 1].map(id));
    assert_eq!(back(None, 2), [5, 4].map(id));
    assert_eq!(back(Some(4), 2), [3, 2].map(id));
    assert_eq!(back(Some(99), 1), [id(5)]);
    assert_eq!(back(Some(1), 10), []);
    ok(store, unit().delete(user(3)));
    assert_eq!(back(Some(3), 10), [2, 1].map(id), "who has gone is still a place");
    assert_eq!(back(None, 0), []);
    assert_eq!(see(store).ids_back(OTHER, KindId::USER, None, 10).unwrap(), []);
}
