//! Which groups changed since: the same as a look at every group, whatever changed them, and what that costs.

use super::*;
use crate::roster::{Precondition, index};
use crate::store::kv::counting::CountingStore;
use crate::store::{Store, Unit, Write};

const START: &str = "2026-01-02T03:04:05Z";

/// Something that changes a group or more, of ten people and as many groups, at some second after the start (or before it).
type Step = (u8, usize, usize, i64);

/// In a few quarters of an hour, near their edges as well; the clock goes back as often as it goes on.
fn any_second() -> impl Strategy<Value = i64> {
    prop_oneof![-3..60_i64, 640..670_i64, 890..910_i64, 3_000..3_010_i64]
}

fn any_step() -> impl Strategy<Value = Step> {
    (0..12_u8, 0..10_usize, 0..10_usize, any_second())
}

/// `meta.lastModified` beside a moment, alone or in a stretch.
fn any_question() -> impl Strategy<Value = String> {
    let operator = || prop::sample::select(vec!["gt", "ge", "lt", "le", "eq", "ne"]);
    let moment = |second: i64| {
        let at: Timestamp = START.parse().unwrap();
        at + jiff::SignedDuration::from_secs(second)
    };
    let one = (operator(), any_second())
        .prop_map(move |(operator, second)| format!("meta.lastModified {operator} \"{}\"", moment(second)))
        .boxed();
    prop_oneof![
        3 => one.clone(),
        2 => (one.clone(), one.clone()).prop_map(|(from, to)| format!("{from} and {to}")),
        1 => (one.clone(), one.clone()).prop_map(|(one, other)| format!("{one} or not ({other})")),
        1 => one.prop_map(|one| format!("{one} and displayName sw \"g\"")),
    ]
}

/// Changes what a step says; what it cannot do (who is gone, or there already) it leaves.
fn take(roster: &Roster, caller: &Caller, people: &[Address], groups: &[Address], step: Step) {
    let (what, person, group, second) = step;
    let (users, teams) = (kind(roster, KindId::USER), kind(roster, KindId::GROUP));
    let start: Timestamp = START.parse().unwrap();
    let caller = Caller { now: start + jiff::SignedDuration::from_secs(second), ..caller.clone() };
    let (person, group, any) = (people[person], groups[group], Precondition::None);
    let patch = |operation: Value| {
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] });
        let _ = roster.patch(&caller, &teams, group, &any, body, Edges::NONE);
    };
    match what {
        0..=4 => {
            patch(json!({ "op": "add", "path": "members", "value": [{ "value": person.id.to_string() }] }));
        }
        5 | 6 => patch(json!({ "op": "remove", "path": format!("members[value eq \"{}\"]", person.id) })),
        7 => {
            patch(
                json!({ "op": "add", "path": "members", "value": [{ "value": groups[0].id.to_string() }] }),
            );
        }
        8 | 9 => patch(json!({ "op": "replace", "path": "displayName", "value": format!("g{second}") })),
        10 => drop(roster.remove(&caller, &users, person, &any)),
        _ => drop(roster.remove(&caller, &teams, group, &any)),
    }
}

fn world(roster: &Roster, caller: &Caller) -> (Vec<Address>, Vec<Address>) {
    let make = |id, name: &str| -> Vec<Address> {
        let kind = kind(roster, id);
        let all = 0..10;
        all.map(|number| {
            let body = json!({ name: format!("g{number}") });
            roster.create(caller, &kind, body, Edges::NONE).unwrap().stored.at()
        })
        .collect()
    };
    (make(KindId::USER, "userName"), make(KindId::GROUP, "displayName"))
}

#[test]
fn s74_groups_by_when_they_changed_are_those_that_a_look_at_each_finds_whatever_changed_them() {
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let worlds = (prop::collection::vec(any_step(), 1..40), prop::collection::vec(any_question(), 1..12));
    let (found, narrowed) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let played = runner.run(&worlds, |(steps, questions)| {
        let clock = Arc::new(FixedClock::at(START));
        let (roster, caller) = roster_on(Arc::new(CountingStore::default()), clock);
        let (people, groups) = world(&roster, &caller);
        for step in steps {
            take(&roster, &caller, &people, &groups, step);
        }
        let teams = kind(&roster, KindId::GROUP);
        for text in questions {
            let filter = Filter::parse(&text, &teams).unwrap();
            let expected = by_looking(&roster, &caller, &teams, &filter);
            let mut page = roster
                .query(&caller, &Query::of(Arc::clone(&teams), Some(filter.clone()), Edges::NONE))
                .unwrap();
            prop_assert_eq!(&ids(&roster, &mut page), &expected, "{}", &text);
            found.set(found.get() + expected.len());
            let snapshot = roster.store.snapshot().unwrap();
            let asked = candidates(&*snapshot, &caller, &teams, &filter).unwrap();
            narrowed.set(narrowed.get() + usize::from(asked.is_some()));
        }
        Ok(())
    });
    if let Err(failed) = played {
        panic!("{failed}");
    }
    let (found, narrowed) = (found.get(), narrowed.get());
    assert!(found > 3_000 && narrowed > 900, "{found} found, {narrowed} by an index: the test says little");
}

/// A roster on counted rows with as many groups as said, each made and joined in a second of its own, and the last three an hour later.
fn teams(count: u32) -> (Roster, Caller, Arc<CountingStore>) {
    let store = Arc::new(CountingStore::default());
    let clock = Arc::new(FixedClock::at(START));
    let (roster, caller) = roster_on(Arc::clone(&store) as Arc<dyn Store>, clock);
    let (users, teams) = (kind(&roster, KindId::USER), kind(&roster, KindId::GROUP));
    let person = roster.create(&caller, &users, json!({ "userName": "ada" }), Edges::NONE).unwrap();
    let id = person.stored.at().id.to_string();
    for number in 0..count {
        let late = if number + 3 >= count { 3_600 } else { 0 };
        let now = caller.now + jiff::SignedDuration::from_secs(late + i64::from(number % 600));
        let body = json!({ "displayName": format!("g{number}"), "members": [{ "value": id }] });
        roster.create(&Caller { now, ..caller.clone() }, &teams, body, Edges::NONE).unwrap();
    }
    (roster, caller, store)
}

#[test]
fn p12_the_groups_that_changed_of_late_are_found_by_as_many_rows_in_a_tenant_ten_times_as_large() {
    let reads = |count: u32| {
        let (roster, caller, store) = teams(count);
        let reads = store.reads();
        let kind = kind(&roster, KindId::GROUP);
        let mut costs = vec![];
        for text in [
            "meta.lastModified gt \"2026-01-02T04:00:00Z\"",
            "meta.lastModified ge \"2026-01-02T03:59:00Z\" and meta.lastModified lt \"2026-01-02T05:00:00Z\"",
            "meta.lastModified gt \"2026-01-02T04:00:00Z\" and displayName co \"g\"",
        ] {
            let mut query =
                Query::of(Arc::clone(&kind), Some(Filter::parse(text, &kind).unwrap()), Edges::NONE);
            query.count = Some(0);
            let before = reads.so_far();
            assert_eq!(roster.query(&caller, &query).unwrap().total, 3, "{text}");
            let after = reads.so_far();
            assert!(after.0 - before.0 <= 3, "{text}: {} records read", after.0 - before.0);
            costs.push((text, after.0 - before.0));
        }
        let query = "meta.lastModified gt \"2026-01-02T04:00:00Z\"";
        let query = Query::of(Arc::clone(&kind), Some(Filter::parse(query, &kind).unwrap()), Edges::NONE);
        let before = reads.so_far();
        roster.query(&caller, &query).unwrap();
        costs.push(("rows", reads.so_far().1 - before.1));
        costs
    };
    assert_eq!(reads(60), reads(600));
}

#[test]
fn a_membership_that_changes_in_the_quarter_of_the_last_one_writes_no_row_more() {
    let (roster, caller, store) = teams(20);
    let kind = kind(&roster, KindId::GROUP);
    let snapshot = roster.store.snapshot().unwrap();
    let group = Address::group(snapshot.ids(caller.tenant, KindId::GROUP, None, 0, 1).unwrap()[0]);
    let person = snapshot.ids(caller.tenant, KindId::USER, None, 0, 1).unwrap()[0];
    drop(snapshot);
    let written = |seconds: i64, op: &str| {
        let now = caller.now + jiff::SignedDuration::from_secs(seconds);
        let path = format!("members[value eq \"{person}\"]");
        let operation = match op {
            "remove" => json!({ "op": op, "path": path }),
            _ => json!({ "op": op, "path": "members", "value": [{ "value": person.to_string() }] }),
        };
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation],
        });
        let before = store.written();
        let caller = Caller { now, ..caller.clone() };
        roster.patch(&caller, &kind, group, &Precondition::None, body, Edges::NONE).unwrap();
        store.written() - before
    };
    // Both ends of the edge, the group's row of edges, the entry in the history, its place in that of the group, and the head.
    assert_eq!(written(1, "remove"), 6);
    assert_eq!(written(2, "add"), 6);
    // In another quarter the group leaves one place in the list and takes another.
    assert_eq!(written(2_000, "remove"), 8);
    assert_eq!(written(2_001, "add"), 6);
    // A clock that was set back moves nothing.
    assert_eq!(written(5, "remove"), 6);
}

#[test]
fn r12_groups_of_an_earlier_build_are_found_by_their_time_also_where_they_were_written_again_since() {
    let store = Arc::new(CountingStore::default());
    let (roster, caller) = roster_on(Arc::clone(&store) as Arc<dyn Store>, Arc::new(FixedClock::at(START)));
    let (people, groups) = world(&roster, &caller);
    for (place, second) in [(1, 1), (2, 2_000), (3, 3_000)] {
        take(&roster, &caller, &people, &groups, (0, place, place, second));
    }
    let teams = kind(&roster, KindId::GROUP);
    let filter = Filter::parse("meta.lastModified gt \"2026-01-02T03:30:00Z\"", &teams).unwrap();
    let query = Query::of(Arc::clone(&teams), Some(filter), Edges::NONE);
    let ask = || ids(&roster, &mut roster.query(&caller, &query).unwrap());
    assert_eq!(ask(), [groups[2].id, groups[3].id]);
    order::as_an_earlier_build_wrote_it(&roster, &caller);
    store.forget_when_groups_were_touched();
    assert_ne!(store.check(&mut |_| {}).unwrap(), vec![], "what is missing is noticed");
    assert_eq!(ask(), [groups[2].id, groups[3].id], "without entries records are read");
    // By the new build, before it has been through: the document of one, and the edges of another in the same quarter.
    let last =
        |second: i64| Caller { now: caller.now + jiff::SignedDuration::from_secs(second), ..caller.clone() };
    let body = json!({ "displayName": "again" });
    roster.replace(&last(10), &teams, groups[2], &Precondition::None, body, Edges::NONE).unwrap();
    take(&roster, &caller, &people, &groups, (0, 4, 3, 3_001));
    roster.complete_indexes().unwrap();
    assert_eq!(ask(), [groups[2].id, groups[3].id]);
    assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
    let unit = Unit { given: vec![], writes: vec![], log: None };
    let Write::Small { space, key, .. } = index::orders_are_there(caller.tenant).unwrap() else {
        panic!("a small value")
    };
    let write = Write::Small { space, key, value: None };
    roster.store.commit(crate::ids::TenantId::SYSTEM, Unit { writes: vec![write], ..unit }).unwrap();
    roster.complete_indexes().unwrap();
    assert_eq!(store.check(&mut |_| {}).unwrap(), vec![], "to go through again does no harm");
}
