//! What one request costs in the roster: finding out who asks, reading, finding and making a user.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may stop where it cannot go on")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use rosterd::chance::SystemChance;
use rosterd::clock::SystemClock;
use rosterd::ids::{Address, KindId};
use rosterd::roster::{Caller, Edges, Query, Roster, Scopes};
use rosterd::scim::{Filter, Kind};
use rosterd::store::Store;
use rosterd::store::memory::MemoryStore;
use rosterd::store::redb::{RedbOptions, open};
use serde_json::{Value, json};

const TOKEN: &str = "bench-0123456789abcdef0123456789abcdef";
const USERS: usize = 1_000;

/// A roster with one tenant, one connection and its token.
fn roster(store: Arc<dyn Store>) -> Roster {
    let roster = Roster::new(store, Arc::new(SystemClock), Arc::new(SystemChance));
    let request = roster.request_id();
    roster.create_tenant("main", request).unwrap();
    let operator = roster.operator("main", request).unwrap();
    roster
        .create_connection(&operator, "idp", "auto", rosterd::roster::ConnectionOptions::default())
        .unwrap();
    roster.create_token(&operator, "idp", Scopes::idp(), None, Some(TOKEN)).unwrap();
    roster
}

fn caller(roster: &Roster) -> Caller {
    roster.authenticate(TOKEN, roster.request_id()).unwrap().unwrap()
}

fn kind(roster: &Roster) -> &Kind {
    roster.kinds().by_id(KindId::USER).unwrap()
}

fn body(n: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "userName": format!("user.{n:07}@example.com"),
        "externalId": format!("00u{n:09}"),
        "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "displayName": "Ada Lovelace",
        "active": true,
        "emails": [{ "value": format!("user.{n:07}@example.com"), "type": "work", "primary": true }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "employeeNumber": n.to_string(), "department": "Finance" }
    })
}

/// A roster with users, and the address of one of them.
fn filled(store: Arc<dyn Store>) -> (Roster, Address) {
    let roster = roster(store);
    let caller = caller(&roster);
    let made = |n| roster.create(&caller, kind(&roster), body(n), Edges::NONE).unwrap();
    let last = (0..USERS).map(made).last().unwrap();
    (roster, last.stored.at())
}

fn reads(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let redb = open(&folder.path().join("data"), &RedbOptions::default()).unwrap();
    let stores: [(&str, Arc<dyn Store>); 2] =
        [("memory", Arc::new(MemoryStore::default())), ("redb", Arc::new(redb))];
    for (name, store) in stores {
        let (roster, at) = filled(store);
        let caller = caller(&roster);
        let mut group = c.benchmark_group(name);
        let request = roster.request_id();
        group.bench_function("token_check", |b| {
            b.iter(|| black_box(roster.authenticate(black_box(TOKEN), request).unwrap()));
        });
        group.bench_function("get", |b| {
            b.iter(|| black_box(roster.read(&caller, black_box(at), Edges::ALL).unwrap()));
        });
        let filter = Filter::parse("userName eq \"user.0000007@example.com\"", kind(&roster)).unwrap();
        let users = Arc::clone(roster.kinds().by_id(KindId::USER).unwrap());
        let query = Query::of(users, Some(filter), Edges::ALL);
        group.bench_function("find_by_user_name", |b| {
            b.iter(|| {
                let mut page = roster.query(&caller, black_box(&query)).unwrap();
                black_box(page.views.next_view(&roster).unwrap())
            });
        });
        group.finish();
    }
}

/// On the memory store: with redb it would be the disk's flush that is measured, which `rosterd bench` does.
fn create(c: &mut Criterion) {
    let (roster, _) = filled(Arc::new(MemoryStore::default()));
    let caller = caller(&roster);
    let mut n = USERS;
    c.bench_function("memory/create", |b| {
        b.iter(|| {
            n += 1;
            black_box(roster.create(&caller, kind(&roster), body(n), Edges::NONE).unwrap())
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(std::time::Duration::from_secs(2));
    targets = reads, create
}
criterion_main!(benches);
