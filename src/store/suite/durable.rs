//! What outlives the process.

use super::fixture::*;
use crate::store::{Link, Seq, Store};

type Open<'a> = &'a dyn Fn() -> Box<dyn Store>;

pub fn everything_is_there_after_reopening(open: Open<'_>) {
    let store = open();
    for number in 1..=20 {
        ok(
            &*store,
            put(&person(number, &format!("p{number}")))
                .put(&team(100 + number))
                .add(100 + number, user(number)),
        );
    }
    ok(&*store, unit().delete(user(3)).add(104, user(5)).small(b"k", Some(b"v")));
    let before = everything(&*see(&*store), T);
    drop(store);
    let store = open();
    assert_eq!(everything(&*see(&*store), T), before);
    assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
}

pub fn numbers_go_on_after_reopening(open: Open<'_>) {
    for number in 1..=4 {
        assert_eq!(ok(&*open(), unit()), Seq(number));
    }
    let store = open();
    let mut link = Link::default();
    for row in see(&*store).changes(T, Seq::ZERO, 10).unwrap() {
        assert!(row.follows(link));
        link = row.link;
    }
    assert_eq!(see(&*store).head(T).unwrap().link, link);
}

pub fn what_many_threads_wrote_is_there_after_reopening(open: Open<'_>) {
    let store = open();
    std::thread::scope(|scope| {
        for number in 1..=32 {
            let store = &store;
            scope.spawn(move || ok(&**store, put(&person(number, &format!("p{number}")))));
        }
    });
    drop(store);
    assert_eq!(see(&*open()).count(T, user(1).kind).unwrap(), 32);
}

pub fn a_store_may_be_opened_many_times(open: Open<'_>) {
    for _ in 0..10 {
        drop(open());
    }
    let store = open();
    ok(&*store, put(&person(1, "ada")));
    assert_eq!(read(&*store, user(1)), Some(person(1, "ada")));
}
