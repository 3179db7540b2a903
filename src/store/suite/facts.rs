//! Facts: each kind held and lost.

use super::fixture::*;
use crate::ids::{Address, KindId};
use crate::store::{Given, IndexEntry, Outcome, Record, Seq, Store};

pub fn a_version_holds_until_the_next_put(store: &dyn Store) {
    let first = ok(store, put(&person(1, "ada")));
    let given = Given::Version(user(1), first);
    ok(store, unit().given(given.clone()));
    ok(store, put(&person(1, "ada")).given(given.clone()));
    assert_eq!(lost(store, put(&person(1, "eve")).given(given.clone())), given);
    assert_eq!(read(store, user(1)), Some(person(1, "ada")));
}

pub fn a_version_of_nothing_is_lost(store: &dyn Store) {
    let given = Given::Version(user(1), Seq::ZERO);
    assert_eq!(lost(store, unit().given(given.clone())), given);
}

pub fn exists_holds_while_the_record_does(store: &dyn Store) {
    let given = Given::Exists(user(1));
    assert_eq!(lost(store, unit().given(given.clone())), given);
    ok(store, put(&person(1, "ada")));
    ok(store, unit().given(given.clone()));
    ok(store, unit().delete(user(1)));
    assert_eq!(lost(store, unit().given(given.clone())), given);
}

pub fn absent_holds_until_the_record_comes(store: &dyn Store) {
    let given = Given::Absent(user(1));
    ok(store, put(&team(1)).given(given.clone()));
    ok(store, put(&person(1, "ada")).given(given.clone()));
    assert_eq!(lost(store, unit().given(given.clone())), given);
}

pub fn free_holds_for_nobody_and_for_the_holder(store: &dyn Store) {
    let given = |number| Given::Free(name_key("ada"), user(number));
    ok(store, unit().given(given(1)));
    ok(store, put(&person(1, "ada")));
    ok(store, unit().given(given(1)));
    assert_eq!(lost(store, unit().given(given(2))), given(2));
    let group = Given::Free(name_key("ada"), Address::group(id(1)));
    assert_eq!(
        lost(store, unit().given(group.clone())),
        group,
        "the same id of another kind is another record"
    );
}

pub fn members_hold_until_the_next_change_of_edges(store: &dyn Store) {
    ok(store, put(&person(1, "ada")).put(&team(2)));
    let never = Given::Members(id(2), Seq::ZERO);
    let seq = ok(store, unit().given(never.clone()).add(2, user(1)));
    assert_eq!(lost(store, unit().given(never.clone())), never);
    ok(store, put(&team(2)).given(Given::Members(id(2), seq)));
    ok(store, unit().given(Given::Members(id(2), seq)).remove(2, user(1)));
    assert_eq!(lost(store, unit().given(Given::Members(id(2), seq))), Given::Members(id(2), seq));
}

pub fn a_small_value_holds_until_it_changes(store: &dyn Store) {
    let given = |value: Option<&[u8]>| Given::Small(SPACE, b"k".to_vec(), value.map(Into::into));
    ok(store, unlogged().given(given(None)).small(b"k", Some(b"1")));
    assert_eq!(lost(store, unlogged().given(given(None))), given(None));
    assert_eq!(lost(store, unlogged().given(given(Some(b"")))), given(Some(b"")));
    ok(store, unlogged().given(given(Some(b"1"))).small(b"k", None));
    assert_eq!(lost(store, unlogged().given(given(Some(b"1")))), given(Some(b"1")));
}

pub fn unused_holds_until_somebody_of_any_kind_has_the_entry(store: &dyn Store) {
    let given = Given::Unused(display(b"x"));
    let used_by = || see(store).used_by(T, &display(b"x")).unwrap();
    let of = |kind, values: &[&[u8]]| Record {
        at: Address { kind: KindId(kind), id: id(7) },
        unique: vec![],
        index: values.iter().map(|value| display(value)).collect(),
        ..person(7, "somebody")
    };
    ok(store, unit().given(given.clone()));
    // Entries beside it: before and after, longer, in other indexes, of kinds with a gap between them.
    let mut beside = of(1, &[b"", b"w", b"x\0", b"xx", b"y"]);
    beside
        .index
        .extend([1, 3].map(|index| IndexEntry { index: crate::store::IndexId(index), value: b"x".to_vec() }));
    ok(store, put(&beside).put(&of(0, &[b"a"])).put(&of(9, &[b"z"])).put(&of(255, &[b"a", b"z"])));
    store.commit(OTHER, put(&of(1, &[b"x"]))).unwrap();
    ok(store, unit().given(given.clone()));
    assert_eq!(used_by(), None);
    for kind in [255, 200, 9, 3, 1, 0] {
        let user = of(kind, &[b"a", b"x", b"z"]);
        ok(store, put(&user).given(given.clone()));
        assert_eq!(used_by(), Some(user.at));
        assert_eq!(lost(store, unit().given(given.clone())), given);
        assert_eq!(lost(store, unit().given(given.clone()).delete(user.at)), given, "its own counts as well");
        if kind == 9 {
            ok(store, put(&of(kind, &[b"a", b"z"])));
        } else {
            ok(store, unit().delete(user.at));
        }
        assert_eq!(used_by(), None);
    }
    ok(store, put(&of(1, &[b"x"])).put(&of(255, &[b"x"])));
    assert_eq!(used_by().unwrap().kind, KindId(1), "the first of several");
}

pub fn unused_and_exists_let_one_of_two_through(store: &dyn Store) {
    for round in 1..=20 {
        let centre = team(round).at;
        ok(store, put(&team(round)));
        let entry = display(format!("team {round} is mine").as_bytes());
        let add = || {
            let index = vec![entry.clone()];
            put(&Record { index, ..person(round, &format!("p{round}")) }).given(Given::Exists(centre))
        };
        let remove = || unit().delete(centre).given(Given::Unused(entry.clone()));
        // Half of them in one call, which an engine may judge in one batch.
        let outcomes = if round % 2 == 0 {
            store
                .commit_each(
                    T,
                    vec![
                        unlogged(),
                        if round % 4 == 0 { add() } else { remove() },
                        if round % 4 == 0 { remove() } else { add() },
                    ],
                )
                .split_off(1)
        } else {
            std::thread::scope(|scope| {
                let adds = scope.spawn(|| store.commit(T, add()));
                let removes = scope.spawn(|| store.commit(T, remove()));
                vec![adds.join().unwrap(), removes.join().unwrap()]
            })
        };
        let went = |outcome: &Result<Outcome, _>| matches!(outcome, Ok(Outcome::Committed { .. }));
        assert_eq!(outcomes.iter().filter(|outcome| went(outcome)).count(), 1, "{outcomes:?}");
        let seen = see(store);
        assert_eq!(seen.exists(T, centre).unwrap(), seen.used_by(T, &entry).unwrap().is_some());
    }
}

pub fn the_first_fact_that_does_not_hold_is_named(store: &dyn Store) {
    let unit =
        unit().given(Given::Absent(user(1))).given(Given::Exists(user(2))).given(Given::Exists(user(3)));
    assert_eq!(lost(store, unit), Given::Exists(user(2)));
}

pub fn facts_are_checked_before_the_first_write(store: &dyn Store) {
    let given = [Given::Absent(user(1)), Given::Free(name_key("ada"), user(1))];
    ok(store, given.into_iter().fold(put(&person(1, "ada")), crate::store::Unit::given));
    let given = Given::Exists(user(2));
    assert_eq!(lost(store, put(&person(2, "eve")).given(given.clone())), given);
}

pub fn a_lost_unit_leaves_no_trace(store: &dyn Store) {
    ok(store, put(&person(1, "ada")).put(&team(2)).add(2, user(1)).small(b"k", Some(b"v")));
    let before = everything(&*see(store), T);
    let unit = put(&person(1, "augusta"))
        .put(&person(3, "eve"))
        .delete(team(2).at)
        .small(b"k", None)
        .small(b"l", Some(b"v"))
        .given(Given::Exists(user(9)));
    assert_eq!(lost(store, unit), Given::Exists(user(9)));
    assert_eq!(everything(&*see(store), T), before);
}

pub fn facts_of_another_tenant_do_not_count(store: &dyn Store) {
    ok(store, put(&person(1, "ada")));
    let outcome = store.commit(OTHER, unit().given(Given::Exists(user(1)))).unwrap();
    assert_eq!(outcome, Outcome::Lost(Given::Exists(user(1))));
    let free = put(&person(2, "ada")).given(Given::Free(name_key("ada"), user(2)));
    assert_eq!(store.commit(OTHER, free).unwrap(), Outcome::Committed { seq: Seq(1) });
}
