//! The planner against a look at every record, and the bounds of a scan.

mod changed;
mod groups;
mod order;
mod own;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::*;
use crate::chance::SeededChance;
use crate::clock::{Clock, FixedClock};
use crate::ids::ResourceId;
use crate::roster::scan::{SCAN_ROWS_MAX, matches_as_shown, sort_key_as_shown};
use crate::roster::{ConnectionOptions, SCAN_SECONDS_MAX, Scopes};
use crate::store::memory::MemoryStore;

const TOKEN: &str = "tests-0123456789abcdef0123456789abcdef";

/// A roster with one tenant, one connection and one token.
fn roster(clock: Arc<dyn Clock>) -> (Roster, Caller) {
    roster_on(Arc::new(MemoryStore::new()), clock)
}

fn roster_on(store: Arc<dyn crate::store::Store>, clock: Arc<dyn Clock>) -> (Roster, Caller) {
    let roster = Roster::new(store, clock, Arc::new(SeededChance::new(1)));
    let request = roster.request_id();
    roster.create_tenant("main", request).unwrap();
    let operator = roster.operator("main", request).unwrap();
    roster.create_connection(&operator, "idp", "auto", ConnectionOptions::default()).unwrap();
    roster.create_token(&operator, "idp", Scopes::idp(), None, Some(TOKEN)).unwrap();
    let caller = roster.authenticate(TOKEN, request).unwrap().unwrap();
    (roster, caller)
}

fn kind(roster: &Roster, kind: KindId) -> Arc<Kind> {
    Arc::clone(roster.kinds().by_id(kind).unwrap())
}

/// Few letters, so that values meet: with capitals, beyond ASCII, and one that names fold and other texts do not.
fn any_word() -> impl Strategy<Value = String> {
    "[aAbé\u{ff41}]{1,2}"
}

fn any_person() -> impl Strategy<Value = Value> {
    let emails = prop::collection::vec((any_word(), prop::bool::ANY), 0..3);
    (
        any_word(),
        prop::option::of(any_word()),
        emails,
        prop::option::of(any::<bool>()),
        prop::option::of(any_word()),
    )
        .prop_map(|(name, display, emails, active, title)| {
            let emails: Vec<Value> = emails
                .into_iter()
                .map(|(value, work)| json!({ "value": value, "type": if work { "work" } else { "home" } }))
                .collect();
            let mut body = json!({ "userName": name, "externalId": name, "emails": emails });
            for (key, value) in [
                ("displayName", display.map(Value::from)),
                ("active", active.map(Value::from)),
                ("title", title.map(Value::from)),
            ] {
                if let Some(value) = value {
                    body[key] = value;
                }
            }
            body
        })
}

/// A filter in which `{0}`, `{1}` … stand for ids of people and `{g}` for that of a group.
fn any_filter() -> impl Strategy<Value = String> {
    let attribute = prop::sample::select(vec![
        "userName",
        "externalId",
        "displayName",
        "emails",
        "emails.value",
        "title",
        "members.value",
        "meta.resourceType",
    ]);
    let ordering = prop::sample::select(vec!["gt", "ge", "lt", "le", "eq", "ne"]);
    let operator = prop::sample::select(vec!["eq", "eq", "sw", "sw", "ne", "co", "ge"]);
    let id = prop::sample::select(vec!["{0}", "{1}", "{2}", "{g}"]);
    let leaf = prop_oneof![
        6 => (attribute.clone(), operator, any_word()).prop_map(|(attribute, operator, word)| format!("{attribute} {operator} \"{word}\"")),
        2 => (prop::sample::select(vec!["id", "groups", "groups.value", "members", "members.value"]), id)
            .prop_map(|(attribute, id)| format!("{attribute} eq \"{id}\"")),
        1 => prop::sample::select(vec!["User", "group", "x"])
            .prop_map(|kind| format!("members[value eq \"{{0}}\" and type eq \"{kind}\"]")),
        3 => (prop::sample::select(vec!["eq", "sw"]), any_word(), prop::bool::ANY).prop_map(|(operator, word, more)| {
            let more = if more { " and type eq \"work\"" } else { "" };
            format!("emails[value {operator} \"{word}\"{more}]")
        }),
        3 => (prop::sample::select(vec!["userName", "displayName"]), ordering.clone(), any_word())
            .prop_map(|(attribute, operator, word)| format!("{attribute} {operator} \"{word}\"")),
        3 => (ordering, 3..8_u8, prop::bool::ANY).prop_map(|(operator, second, fraction)| {
            let fraction = if fraction { ".0005" } else { "" };
            format!("meta.lastModified {operator} \"2026-01-02T04:04:0{second}{fraction}+01:00\"")
        }),
        1 => any::<bool>().prop_map(|active| format!("active eq {active}")),
        1 => attribute.prop_map(|attribute| format!("{attribute} pr")),
        1 => Just("userName eq null".to_owned()),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" or "))),
            inner.prop_map(|one| format!("not ({one})")),
        ]
    })
}

/// What the filter means, found by looking at every resource.
fn by_looking(roster: &Roster, caller: &Caller, kind: &Kind, filter: &Filter) -> Vec<ResourceId> {
    let snapshot = roster.store.snapshot().unwrap();
    let mut ids = snapshot.ids(caller.tenant, kind.id, None, 0, 1000).unwrap();
    ids.retain(|id| matches_as_shown(&snapshot, caller, kind, *id, filter));
    ids
}

fn ids(roster: &Roster, page: &mut Page) -> Vec<ResourceId> {
    std::iter::from_fn(|| page.views.next_view(roster).unwrap()).map(|view| view.stored.at().id).collect()
}

#[test]
fn s70_the_planner_finds_what_a_look_at_every_record_finds() {
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let worlds = (prop::collection::vec(any_person(), 3..12), prop::collection::vec(any_filter(), 1..30));
    let found = std::cell::Cell::new(0);
    let narrowed = std::cell::Cell::new(0);
    let played = runner.run(&worlds, |(people, filters)| {
        let (roster, caller) = roster(Arc::new(FixedClock::at("2026-01-02T03:04:05Z")));
        let (users, groups) = (kind(&roster, KindId::USER), kind(&roster, KindId::GROUP));
        let at =
            |seconds| Caller { now: caller.now + jiff::SignedDuration::from_secs(seconds), ..caller.clone() };
        let made: Vec<ResourceId> = people
            .into_iter()
            .zip([0, 1, 1, 2].into_iter().cycle())
            .filter_map(|(body, second)| roster.create(&at(second), &users, body, Edges::NONE).ok())
            .map(|view| view.stored.at().id)
            .collect();
        let named =
            |place: usize| made.get(place).or(made.first()).map(ToString::to_string).unwrap_or_default();
        let members: Vec<Value> =
            made.iter().step_by(2).map(|id| json!({ "value": id.to_string() })).collect();
        let body = json!({ "displayName": "aé", "members": members });
        let group = roster.create(&caller, &groups, body, Edges::NONE).unwrap().stored.at().id;
        for text in filters {
            let text = text.replace("{0}", &named(0)).replace("{1}", &named(1)).replace("{2}", &named(2));
            let text = text.replace("{g}", &group.to_string());
            for kind in [&users, &groups] {
                let others = [&*users, &*groups];
                let filter = Filter::parse_across(&text, kind, &others).unwrap();
                let expected = by_looking(&roster, &caller, kind, &filter);
                let query = Query::of(Arc::clone(kind), Some(filter.clone()), Edges::NONE);
                let mut page = roster.query(&caller, &query).unwrap();
                prop_assert_eq!(&ids(&roster, &mut page), &expected, "{} {}", kind.name, &text);
                prop_assert_eq!(page.total, expected.len() as u64);
                found.set(found.get() + expected.len());
                let snapshot = roster.store.snapshot().unwrap();
                let asked = candidates(&*snapshot, &caller, kind, &filter).unwrap();
                narrowed.set(narrowed.get() + usize::from(asked.is_some()));
            }
        }
        Ok(())
    });
    if let Err(failed) = played {
        panic!("{failed}");
    }
    let (found, narrowed) = (found.get(), narrowed.get());
    assert!(found > 5_000 && narrowed > 2_000, "{found} found, {narrowed} by an index: the test says little");
}

#[test]
fn s70_what_one_index_is_sure_of_and_another_is_not_is_judged() {
    let (roster, caller) = roster(Arc::new(FixedClock::at("2026-01-02T03:04:05Z")));
    let users = kind(&roster, KindId::USER);
    for (name, place) in [("ada", "home"), ("bob", "work"), ("eve", "home")] {
        let emails = json!([{ "value": format!("a-{name}@acme.test"), "type": place }]);
        let body = json!({ "userName": name, "displayName": "Ann", "emails": emails });
        roster.create(&caller, &users, body, Edges::NONE).unwrap();
    }
    for text in [
        "displayName sw \"a\" and emails[value sw \"a\" and type eq \"work\"]",
        "emails[value sw \"a\" and type eq \"work\"] and displayName eq \"ann\"",
        "displayName eq \"ann\" and emails[type eq \"work\"]",
    ] {
        let filter = Filter::parse(text, &users).unwrap();
        let found =
            candidates(&*roster.store.snapshot().unwrap(), &caller, &users, &filter).unwrap().unwrap();
        assert_eq!((found.ids.len(), found.exact), (3, false), "{text}");
        let page = roster.query(&caller, &Query::of(Arc::clone(&users), Some(filter), Edges::NONE)).unwrap();
        assert_eq!(page.total, 1, "{text}");
    }
    let sure = Filter::parse("displayName eq \"ann\" and emails sw \"a-\"", &users).unwrap();
    let found = candidates(&*roster.store.snapshot().unwrap(), &caller, &users, &sure).unwrap().unwrap();
    assert_eq!((found.ids.len(), found.exact), (3, true));
}

/// A clock that a test makes leap at every look.
#[derive(Debug)]
struct Leaping(AtomicI64, AtomicI64);

impl Clock for Leaping {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.fetch_add(self.1.load(Ordering::Relaxed), Ordering::Relaxed)).unwrap()
    }
}

fn refused(result: Result<Page, RosterError>) -> Refusal {
    match result {
        Err(RosterError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn x32_a_scan_that_takes_too_long_is_given_up_and_says_what_to_do() {
    let clock = Arc::new(Leaping(AtomicI64::new(1_000_000), AtomicI64::new(0)));
    let (roster, caller) = roster(Arc::clone(&clock) as Arc<dyn Clock>);
    let users = kind(&roster, KindId::USER);
    for number in 0..300 {
        let body = json!({ "userName": format!("u{number}") });
        roster.create(&caller, &users, body, Edges::NONE).unwrap();
    }
    let ask = |text: &str| {
        let filter = Filter::parse(text, &users).unwrap();
        roster.query(&caller, &Query::of(Arc::clone(&users), Some(filter), Edges::NONE))
    };
    assert_eq!(ask("title pr").unwrap().total, 0);
    clock.1.store(SCAN_SECONDS_MAX + 1, Ordering::Relaxed);
    let refusal = refused(ask("title pr"));
    assert_eq!(refusal.why, Why::TooMany);
    assert!(refusal.detail.contains("userName") && refusal.detail.contains("seconds"), "{}", refusal.detail);
    assert_eq!(ask("userName eq \"u7\"").unwrap().total, 1, "what an index answers takes no time");
}

#[test]
fn x32_a_scan_of_too_many_records_is_refused_before_it_begins() {
    let (roster, caller) = roster(Arc::new(FixedClock::at("2026-01-02T03:04:05Z")));
    let users = kind(&roster, KindId::USER);
    let view = roster.create(&caller, &users, json!({ "userName": "ada" }), Edges::NONE).unwrap();
    let record = view.stored.to_record().unwrap();
    // One unit, so that the memory store copies its world once.
    let log = crate::store::suite::fixture::unit().log;
    let writes = (0..SCAN_ROWS_MAX as u128).map(|number| {
        let at = Address::user(ResourceId::from_bytes((number + 1).to_be_bytes()));
        crate::store::Write::Put(Box::new(crate::store::Record {
            at,
            unique: vec![],
            index: vec![],
            ..record.clone()
        }))
    });
    let unit = crate::store::Unit { given: vec![], writes: writes.collect(), log };
    roster.store.commit(caller.tenant, unit).unwrap();
    let mut query = Query::of(Arc::clone(&users), None, Edges::NONE);
    assert_eq!(roster.query(&caller, &query).unwrap().total, SCAN_ROWS_MAX as u64 + 1);
    query.parts[0].filter = Some(Filter::parse("title pr", &users).unwrap());
    let refusal = refused(roster.query(&caller, &query));
    assert_eq!(refusal.why, Why::TooMany);
    assert!(refusal.detail.contains("20000") && refusal.detail.contains("eq on id"), "{}", refusal.detail);
    // Sorting needs to see everybody as well, where no index keeps the order.
    query.parts[0].filter = None;
    query.parts[0].sort_by = crate::scim::sort::path("title", &users);
    query.order = Some(SortOrder::Ascending);
    let refusal = refused(roster.query(&caller, &query));
    assert_eq!(refusal.why, Why::TooMany);
    assert!(refusal.detail.contains("by userName, displayName"), "{}", refusal.detail);
    query.parts[0].sort_by = crate::scim::sort::path("userName", &users);
    assert_eq!(roster.query(&caller, &query).unwrap().total, SCAN_ROWS_MAX as u64 + 1);
    // What an index narrows is sorted all the same.
    query.parts[0].filter = Some(Filter::parse("userName sw \"a\"", &users).unwrap());
    assert_eq!(roster.query(&caller, &query).unwrap().total, 1);
}
