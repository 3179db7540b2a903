//! Snapshots, tenants, neighbours.

use std::sync::atomic::{AtomicBool, Ordering};

use super::fixture::*;
use crate::ids::{KindId, TenantId};
use crate::store::{Head, KEY_BYTES_MAX, Outcome, Record, Seq, State, Store};

pub fn a_snapshot_does_not_change(store: &dyn Store) {
    ok(store, put(&person(1, "ada")).put(&team(2)).add(2, user(1)).small(b"k", Some(b"v")));
    let before = see(store);
    let seen = everything(&*before, T);
    ok(store, put(&person(1, "augusta")).put(&person(3, "eve")).add(2, user(3)).small(b"k", None));
    ok(store, unit().delete(user(1)).delete(team(2).at));
    assert_eq!(everything(&*before, T), seen);
    assert_ne!(everything(&*see(store), T), seen);
}

pub fn a_snapshot_after_a_commit_sees_it(store: &dyn Store) {
    for number in 1..=50 {
        let seq = ok(store, put(&person(1, &format!("p{number}"))));
        assert_eq!(version(store, user(1)), Some(seq));
    }
}

pub fn r2_a_reader_sees_all_of_a_unit_or_nothing(store: &dyn Store) {
    let pair = |round: u32| {
        let named =
            |number| Record { display: round.to_string(), ..person(number, &format!("{number}.{round}")) };
        let membership =
            if round.is_multiple_of(2) { unit().add(3, user(1)) } else { unit().remove(3, user(1)) };
        membership.put(&named(1)).put(&named(2)).small(b"round", Some(round.to_string().as_bytes()))
    };
    ok(store, put(&team(3)).put(&person(1, "a")).put(&person(2, "b")));
    ok(store, pair(0));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=60 {
                ok(store, pair(round));
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            let seen = see(store);
            let round = String::from_utf8(seen.small(T, SPACE, b"round").unwrap().unwrap()).unwrap();
            for number in [1, 2] {
                let stored = seen.get(T, user(number)).unwrap().unwrap();
                assert_eq!(stored.display(), round);
                assert_eq!(stored.version(), seen.head(T).unwrap().seq);
                let name = name_key(&format!("{number}.{round}"));
                assert_eq!(seen.by_unique(T, &name).unwrap(), Some(user(number)));
            }
            let even = round.parse::<u32>().unwrap().is_multiple_of(2);
            assert_eq!(seen.is_member(T, id(3), user(1)).unwrap(), even);
            assert_eq!(!seen.groups_of(T, user(1), None, 1).unwrap().is_empty(), even);
        }
    });
}

pub fn x14_tenants_never_meet(store: &dyn Store) {
    let of_t = put(&person(1, "ada")).put(&team(2)).add(2, user(1)).small(b"k", Some(b"t"));
    ok(store, of_t);
    let seen = everything(&*see(store), T);
    let others = [0, 2, 255, 256, u32::MAX].map(TenantId::new);
    for tenant in others {
        let fresh = see(store);
        assert_eq!(fresh.head(tenant).unwrap(), Head::default());
        assert!(!fresh.exists(tenant, user(1)).unwrap());
        let theirs = put(&person(1, "ada")).put(&person(5, "eve")).put(&team(2)).add(2, user(5));
        let outcome = store.commit(tenant, theirs.small(b"k", Some(b"o"))).unwrap();
        assert_eq!(outcome, Outcome::Committed { seq: Seq(1) });
        assert_eq!(everything(&*see(store), T), seen, "what {tenant} wrote shows in {T}");
    }
    ok(store, unit().delete(user(1)).delete(team(2).at).small(b"k", None));
    for tenant in others {
        let theirs = see(store);
        assert_eq!(theirs.count(tenant, KindId::USER).unwrap(), 2);
        assert_eq!(theirs.by_unique(tenant, &name_key("ada")).unwrap(), Some(user(1)));
        assert_eq!(theirs.members(tenant, id(2), None, 10).unwrap(), [user(5)]);
        assert_eq!(theirs.small(tenant, SPACE, b"k").unwrap().unwrap(), b"o");
    }
}

pub fn a_fresh_store_is_ready_and_empty(store: &dyn Store) {
    let health = store.health();
    assert_eq!((health.state, health.queued, health.units), (State::Ready, 0, 0));
    assert!(health.queue_max > 0);
    let seen = see(store);
    assert_eq!(seen.head(T).unwrap(), Head::default());
    assert_eq!(seen.count(T, KindId::USER).unwrap(), 0);
    assert_eq!(seen.ids(T, KindId::USER, None, 0, 10).unwrap(), vec![]);
}

pub fn units_are_counted(store: &dyn Store) {
    ok(store, unit());
    ok(store, unlogged().small(b"k", Some(b"v")));
    lost(store, unit().given(crate::store::Given::Exists(user(1))));
    let health = store.health();
    assert_eq!((health.units, health.queued), (2, 0));
    assert!((1..=2).contains(&health.batches));
}

pub fn a_units_neighbours_commit_though_it_fails(store: &dyn Store) {
    ok(store, put(&person(0, "taken")));
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let one = |number: u32| match number % 3 {
            0 => store
                .commit(T, put(&person(number, "taken")))
                .map(|it| matches!(it, Outcome::Committed { .. })),
            1 => store.commit(T, put(&person(number, &"x".repeat(KEY_BYTES_MAX + 1)))).map(|_| true),
            _ => store.commit(T, put(&person(number, &format!("p{number}")))).map(|_| true),
        };
        let threads: Vec<_> = (1..=48).map(|number| scope.spawn(move || one(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (outcome, number) in outcomes.iter().zip(1..=48_u32) {
        let expected = match number % 3 {
            0 => matches!(outcome, Ok(false)),
            1 => outcome.is_err(),
            _ => matches!(outcome, Ok(true)),
        };
        assert!(expected, "{number}: {outcome:?}");
        assert_eq!(read(store, user(number)).is_some(), number % 3 == 2);
    }
    assert_eq!(see(store).head(T).unwrap().seq, Seq(17));
}

pub fn several_units_are_judged_in_their_order_and_each_by_itself(store: &dyn Store) {
    let long = "x".repeat(KEY_BYTES_MAX + 1);
    let outcomes = store.commit_each(
        T,
        vec![
            put(&person(1, "ada")),
            put(&person(2, "ada")),
            put(&person(3, &long)),
            put(&team(4)).add(4, user(1)),
            unit().delete(user(1)),
            put(&person(5, "ada")),
        ],
    );
    let seqs: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(Outcome::Committed { seq }) => Some(seq.0),
            Ok(Outcome::Lost(_)) | Err(_) => None,
        })
        .collect();
    assert_eq!(seqs, [Some(1), None, None, Some(2), Some(3), Some(4)]);
    assert!(matches!(outcomes[1], Ok(Outcome::Lost(_))) && outcomes[2].is_err(), "{outcomes:?}");
    assert_eq!(read(store, user(5)), Some(person(5, "ada")));
    assert_eq!(store.commit_each(T, vec![]).len(), 0);
}

pub fn check_finds_nothing_in_a_sound_store(store: &dyn Store) {
    ok(store, put(&person(1, "ada")).put(&team(2)).put(&team(3)).add(2, user(1)).add(3, team(2).at));
    ok(store, put(&person(1, "augusta")).small(b"k", Some(b"v")));
    ok(store, unit().delete(team(3).at));
    store.commit(OTHER, put(&person(1, "ada"))).unwrap();
    assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
}
