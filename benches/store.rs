//! The store on redb: what a read, a commit, a page and a batch cost.
//!
//! `cargo bench --bench store --features testing`. Commits are durable, so the figures
//! of writes are mostly the disk's.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench that cannot go on stops"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rosterd::ids::{Address, KindId};
use rosterd::store::redb::{RedbOptions, open};
use rosterd::store::suite::fixture::{DISPLAY, T, id, name_key, person, put, team, unit, user};
use rosterd::store::{IndexRange, Record, Snapshot, Store};

/// Users in the store that is read from.
const USERS: u32 = 10_000;

/// A record of the size that an IdP sends.
fn typical(number: u32) -> Record {
    let mut record = person(number, &format!("person.{number:06}@acme.test"));
    record.segments[0].json = format!(
        r#"{{"userName":"person.{number:06}@acme.test","name":{{"formatted":"Person {number}","givenName":"Person","familyName":"{number}"}},"displayName":"Person {number}","emails":[{{"value":"person.{number:06}@acme.test","type":"work","primary":true}}],"title":"Consultant","preferredLanguage":"en-GB","timezone":"Europe/Zurich","active":true,"phoneNumbers":[{{"value":"+41 44 000 00 00","type":"work"}}]}}"#
    );
    record
}

fn filled(users: u32) -> (tempfile::TempDir, Box<dyn Store>) {
    let home = tempfile::tempdir().expect("a folder");
    let store = open(home.path(), &RedbOptions::default()).expect("a store");
    for first in (0..users).step_by(500) {
        let many = (first..users.min(first + 500)).fold(unit(), |unit, number| unit.put(&typical(number)));
        store.commit(T, many).expect("a commit");
    }
    (home, Box::new(store))
}

fn reads(criterion: &mut Criterion) {
    let (_home, store) = filled(USERS);
    let mut group = criterion.benchmark_group("read");
    let mut number = 0;
    let mut next = move || {
        number = (number + 7919) % USERS;
        number
    };
    group.bench_function("snapshot", |bencher| bencher.iter(|| black_box(store.snapshot()).is_ok()));
    let seen: Arc<dyn Snapshot> = store.snapshot().expect("a snapshot");
    group.bench_function("get", |bencher| bencher.iter(|| seen.get(T, user(next())).map(|it| it.is_some())));
    group.bench_function("snapshot, get and segments", |bencher| {
        bencher.iter(|| {
            let seen = store.snapshot().expect("a snapshot");
            let stored = seen.get(T, user(next())).expect("a read").expect("a user");
            stored.segments().map(|(urn, json)| urn.len() + json.len()).sum::<usize>()
        });
    });
    group.bench_function("exists", |bencher| bencher.iter(|| seen.exists(T, user(next()))));
    group.bench_function("by unique value", |bencher| {
        bencher.iter(|| seen.by_unique(T, &name_key(&format!("person.{:06}@acme.test", next()))));
    });
    for (name, skip) in [("first", 0), ("last", u64::from(USERS) - 100)] {
        group.bench_function(BenchmarkId::new("page of 100 ids", name), |bencher| {
            bencher.iter(|| seen.ids(T, KindId::USER, None, skip, 100).map(|it| it.len()));
        });
    }
    let all = IndexRange::all(KindId::USER, DISPLAY);
    group.bench_function("page of 100 index entries", |bencher| {
        bencher.iter(|| seen.index_range(T, &all, 100).map(|it| it.len()));
    });
    group.throughput(Throughput::Elements(1000));
    group.bench_function("scan of 1,000 records", |bencher| {
        bencher.iter(|| {
            let ids = seen.ids(T, KindId::USER, None, 0, 1000).expect("ids");
            ids.into_iter().filter(|id| seen.get(T, Address::user(*id)).is_ok_and(|it| it.is_some())).count()
        });
    });
    group.finish();
}

fn writes(criterion: &mut Criterion) {
    let (_home, store) = filled(USERS);
    let store = &store;
    let mut group = criterion.benchmark_group("write");
    group.sample_size(20);
    let mut number = USERS;
    group.bench_function("durable create", |bencher| {
        bencher.iter(|| {
            number += 1;
            store.commit(T, put(&typical(number)))
        });
    });
    group.bench_function("durable replace", |bencher| {
        bencher.iter(|| {
            number = (number + 7919) % USERS;
            store.commit(T, put(&typical(number)))
        });
    });
    let mut number = 1_000_000;
    for writers in [16_u32, 64] {
        // Each writer sends its next record when the last is durable: the time is per record, over all writers.
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("durable create, writers", writers), |bencher| {
            bencher.iter_custom(|records| {
                let each = u32::try_from(records).unwrap_or(u32::MAX).div_ceil(writers);
                let begun = Instant::now();
                std::thread::scope(|scope| {
                    for writer in 0..writers {
                        let first = number + writer * each;
                        scope.spawn(move || {
                            for number in first..first + each {
                                store.commit(T, put(&typical(number))).expect("a commit");
                            }
                        });
                    }
                });
                number += writers * each;
                begun.elapsed()
            });
        });
    }
    store.commit(T, put(&team(7))).expect("a group");
    let mut member = 0;
    group.throughput(Throughput::Elements(1));
    group.bench_function("durable membership", |bencher| {
        bencher.iter(|| {
            member = (member + 1) % USERS;
            store.commit(T, unit().add(7, Address::user(id(member))))
        });
    });
    group.finish();
}

criterion_group!(benches, reads, writes);
criterion_main!(benches);
