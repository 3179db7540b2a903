//! Orders that are kept in an index: the same as sorting, whoever wrote the records, and what a page of them costs.

use super::*;
use crate::idp::profile::AUTO;
use crate::roster::index;
use crate::scim::{Document, sort, urn};
use crate::store::kv::counting::CountingStore;
use crate::store::suite::fixture::unit as empty_unit;
use crate::store::{IndexEntry, IndexRange, Record, Store, Unit, Write};

/// Everybody's sort key and address, put in order by comparing them.
fn by_sorting(
    roster: &Roster,
    caller: &Caller,
    kind: &Kind,
    filter: Option<&Filter>,
    path: &AttrPath,
    order: SortOrder,
) -> Vec<ResourceId> {
    let snapshot = roster.store.snapshot().unwrap();
    let ids = snapshot.ids(caller.tenant, kind.id, None, 0, 10_000).unwrap();
    let mut all: Vec<(crate::scim::SortKey, ResourceId)> = ids
        .into_iter()
        .filter(|id| filter.is_none_or(|filter| matches_as_shown(&snapshot, caller, kind, *id, filter)))
        .map(|id| (sort_key_as_shown(&snapshot, caller, kind, id, path), id))
        .collect();
    all.sort();
    if order == SortOrder::Descending {
        all.reverse();
    }
    all.into_iter().map(|(_, id)| id).collect()
}

/// Asks page by page, by index.
fn by_index(roster: &Roster, caller: &Caller, query: &Query, count: u64) -> Vec<ResourceId> {
    let mut all = vec![];
    loop {
        let start = Start::Index(all.len() as u64 + 1);
        let mut page = roster.query(caller, &Query { start, count: Some(count), ..query.clone() }).unwrap();
        let shown = ids(roster, &mut page);
        if shown.is_empty() {
            assert_eq!(page.total, all.len() as u64);
            return all;
        }
        all.extend(shown);
    }
}

/// A page as it was read.
struct Shown {
    ids: Vec<ResourceId>,
    next: Option<String>,
    previous: Option<String>,
}

/// Follows the cursors to the end and back again, and meets the same on both ways.
fn by_cursor(roster: &Roster, caller: &Caller, query: &Query, count: u64) -> Vec<ResourceId> {
    let ask = |cursor: String| {
        let start = Start::Cursor(cursor);
        let mut page = roster.query(caller, &Query { start, count: Some(count), ..query.clone() }).unwrap();
        Shown { ids: ids(roster, &mut page), next: page.next, previous: page.previous }
    };
    let mut pages = vec![ask(String::new())];
    assert_eq!(pages[0].previous, None, "nothing is before the first page");
    while let Some(next) = pages.last().unwrap().next.clone() {
        pages.push(ask(next));
    }
    let mut last = pages.len() - 1;
    let mut at = pages[last].previous.clone();
    while let Some(previous) = at {
        let page = ask(previous);
        last -= 1;
        assert_eq!(page.ids, pages[last].ids, "page {last} on the way back");
        let forth = ask(page.next.clone().unwrap());
        assert_eq!(forth.ids, pages[last + 1].ids, "and forth again");
        at = page.previous;
    }
    assert_eq!(last, 0, "the way back ends with the first page");
    pages.into_iter().flat_map(|page| page.ids).collect()
}

const SORTED_BY: [&str; 8] = [
    "userName",
    "displayName",
    "meta.lastModified",
    "meta.created",
    "id",
    "externalId",
    "title",
    "emails.value",
];

#[test]
fn s84_what_an_index_gives_is_what_sorting_gives_in_both_orders_and_both_ways_of_paging() {
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let people = prop::collection::vec((any_person(), 0..4_i64), 3..12);
    let worlds = (people, prop::collection::vec(0..12_usize, 0..4), any_filter(), 1..5_u64);
    let (walked, narrowed) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let played = runner.run(&worlds, |(people, changed, filter, count)| {
        let (roster, caller) = roster(Arc::new(FixedClock::at("2026-01-02T03:04:05Z")));
        let (users, groups) = (kind(&roster, KindId::USER), kind(&roster, KindId::GROUP));
        let at =
            |seconds| Caller { now: caller.now + jiff::SignedDuration::from_secs(seconds), ..caller.clone() };
        let mut made = vec![];
        for (body, when) in people {
            made.extend(roster.create(&at(when), &users, body, Edges::NONE).map(|view| view.stored.at()));
        }
        for (step, place) in (4..).zip(changed) {
            let Some(person) = made.get(place) else { continue };
            let body = json!({ "userName": format!("b{place}"), "displayName": "b" });
            let any = crate::roster::Precondition::None;
            // A name may be taken; then nothing changes.
            let _ = roster.replace(&at(step), &users, *person, &any, body, Edges::NONE);
        }
        for name in ["aé", "b", "A"] {
            // Few, as a query of a test may look at five members.
            let members: Vec<Value> =
                made.iter().take(1).map(|at| json!({ "value": at.id.to_string() })).collect();
            let body = json!({ "displayName": name, "members": members });
            roster.create(&at(2), &groups, body, Edges::NONE).unwrap();
        }
        let first = made.first().map(|at| at.id.to_string()).unwrap_or_default();
        let filter =
            ["{0}", "{1}", "{2}", "{g}"].iter().fold(filter, |text, name| text.replace(name, &first));
        for kind in [&users, &groups] {
            // A filter that says something, and one that indexes are sure of.
            let broad = "displayName ge \"a\" or userName gt \"a\"";
            let read = |text| Filter::parse_across(text, kind, &[&users, &groups]).unwrap();
            let filters = [None, Some(read(&filter)), Some(read(broad))];
            for name in SORTED_BY {
                let Some(path) = sort::path(name, kind) else { continue };
                for (filter, order) in filters.iter().flat_map(|filter| {
                    [SortOrder::Ascending, SortOrder::Descending].map(|order| (filter.clone(), order))
                }) {
                    let expected = by_sorting(&roster, &caller, kind, filter.as_ref(), &path, order);
                    let mut query = Query::of(Arc::clone(kind), filter, Edges::NONE);
                    query.parts[0].sort_by = Some(path.clone());
                    query.order = Some(order);
                    let what = format!("{} by {name} {order:?}", kind.name);
                    prop_assert_eq!(by_index(&roster, &caller, &query, count), expected.clone(), "{}", &what);
                    prop_assert_eq!(by_cursor(&roster, &caller, &query, count), expected, "{}", what);
                    let is_walked = usize::from(is_walked(&roster, &caller, &query));
                    walked.set(walked.get() + is_walked);
                    narrowed.set(narrowed.get() + usize::from(query.parts[0].filter.is_some()) * is_walked);
                }
            }
        }
        Ok(())
    });
    if let Err(failed) = played {
        panic!("{failed}");
    }
    let (walked, narrowed) = (walked.get(), narrowed.get());
    assert!(
        walked > 250 && narrowed > 60,
        "{walked} by an index, {narrowed} of them filtered: the test says little"
    );
}

fn is_walked(roster: &Roster, caller: &Caller, query: &Query) -> bool {
    let snapshot = roster.store.snapshot().unwrap();
    let mut scan = Scan::begin(&snapshot, caller, roster.clock.as_ref());
    let found = find(&snapshot, &mut scan, caller, query).unwrap();
    matches!(found, Found::Walked(_))
}

/// Takes from every record of the tenant what an earlier build did not write.
pub(super) fn as_an_earlier_build_wrote_it(roster: &Roster, caller: &Caller) {
    let snapshot = roster.store.snapshot().unwrap();
    let mut unit = Unit { given: vec![], writes: vec![], log: None };
    for kind in roster.kinds().iter() {
        for id in snapshot.ids(caller.tenant, kind.id, None, 0, 10_000).unwrap() {
            let at = Address { kind: kind.id, id };
            let record = snapshot.get(caller.tenant, at).unwrap().unwrap().to_record().unwrap();
            let index: Vec<IndexEntry> =
                record.index.into_iter().filter(|entry| !index::is_order(entry.index)).collect();
            unit.writes.push(Write::Index { at, index });
        }
    }
    roster.store.commit(caller.tenant, unit).unwrap();
    let Write::Small { space, key, .. } = index::orders_are_there(caller.tenant).unwrap() else {
        panic!("a small value")
    };
    let unit = Unit { given: vec![], writes: vec![Write::Small { space, key, value: None }], log: None };
    roster.store.commit(crate::ids::TenantId::SYSTEM, unit).unwrap();
}

#[test]
fn r12_records_of_an_earlier_build_are_found_and_sorted_before_and_after_they_get_their_entries() {
    let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
    let store = Arc::new(CountingStore::default());
    let (roster, caller) = roster_on(Arc::clone(&store) as Arc<dyn Store>, clock);
    let (users, groups) = (kind(&roster, KindId::USER), kind(&roster, KindId::GROUP));
    for number in 0..20 {
        let now = caller.now + jiff::SignedDuration::from_secs(number);
        let caller = Caller { now, ..caller.clone() };
        let enterprise = json!({ "employeeNumber": format!("E-{}", number % 2) });
        let body = json!({ "userName": format!("u{}", number * 7 % 20), urn::ENTERPRISE: enterprise });
        roster.create(&caller, &users, body, Edges::NONE).unwrap();
        let body = json!({ "displayName": format!("g{}", number * 7 % 20) });
        roster.create(&caller, &groups, body, Edges::NONE).unwrap();
    }
    let ask = || {
        let mut answers = vec![];
        for text in [
            "userName ge \"u2\"",
            "meta.lastModified gt \"2026-01-02T03:04:10Z\"",
            "userName lt \"u15\"",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq \"e-1\"",
        ] {
            let query =
                Query::of(Arc::clone(&users), Some(Filter::parse(text, &users).unwrap()), Edges::NONE);
            answers.push(ids(&roster, &mut roster.query(&caller, &query).unwrap()));
        }
        for (kind, name) in [(&users, "userName"), (&users, "meta.lastModified"), (&groups, "displayName")] {
            let mut query = Query::of(Arc::clone(kind), None, Edges::NONE);
            query.parts[0].sort_by = sort::path(name, kind);
            query.order = Some(SortOrder::Descending);
            answers.push(ids(&roster, &mut roster.query(&caller, &query).unwrap()));
        }
        assert!(answers.iter().all(|found| found.len() > 5), "{answers:?}");
        answers
    };
    let versions = || {
        let snapshot = roster.store.snapshot().unwrap();
        let all = snapshot.ids(caller.tenant, KindId::USER, None, 0, 100).unwrap();
        let version = |id| snapshot.get(caller.tenant, Address::user(id)).unwrap().unwrap().version();
        (all.into_iter().map(version).collect::<Vec<_>>(), snapshot.head(caller.tenant).unwrap())
    };
    let (written_today, before) = (ask(), versions());
    as_an_earlier_build_wrote_it(&roster, &caller);
    assert_eq!(ask(), written_today, "without entries records are read");
    assert_eq!(roster.complete_indexes().unwrap(), 40);
    let cost = store.reads();
    let (documents, _) = cost.so_far();
    assert_eq!(ask(), written_today, "with entries again");
    let shown: usize = written_today.iter().map(Vec::len).sum();
    assert_eq!(cost.so_far().0 - documents, shown as u64, "what is shown is read, and nothing else");
    assert_eq!(versions(), before, "nobody's version moved, and the history says nothing");
    assert_eq!(roster.complete_indexes().unwrap(), 0);
    assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
}

/// A roster with many people, written in one unit.
fn crowded(people: u32) -> (Roster, Caller, Arc<CountingStore>) {
    let store = Arc::new(CountingStore::default());
    let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
    let (roster, caller) = roster_on(Arc::clone(&store) as Arc<dyn Store>, clock);
    let users = kind(&roster, KindId::USER);
    let record = |number: u32| {
        // 7919 is a prime that divides no size used here: names, and times, come in another order than ids.
        let name = format!("u{:06}", u64::from(number) * 7919 % u64::from(people));
        let mut bytes = [0x11; 16];
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        let at = Address::user(ResourceId::from_bytes(bytes));
        let core = json!({
            "userName": name, "externalId": format!("x-{name}"), "displayName": format!("d {name}"),
            "emails": [{ "value": format!("{name}@acme.test") }], "active": number != 7, "title": "same",
        });
        let Value::Object(core) = core else { panic!("an object") };
        let document = Document { core, extensions: vec![] };
        let modified = caller.now + jiff::SignedDuration::from_secs(i64::from(number * 3 % people));
        let mut keys = index::keys(at, caller.connection, &AUTO, &document).unwrap();
        keys.index.extend(index::orders(&users, &document, modified));
        let segments = document.to_segments(&users).into_iter();
        Record {
            at,
            connection: Some(caller.connection),
            created: caller.now,
            modified,
            display: name,
            segments: segments.map(|(urn, json)| crate::store::Segment { urn, json }).collect(),
            unique: keys.unique,
            index: keys.index,
        }
    };
    let writes = (0..people).map(|number| Write::Put(Box::new(record(number))));
    let unit = Unit { writes: writes.collect(), ..empty_unit() };
    roster.store.commit(caller.tenant, unit).unwrap();
    let some: Vec<ResourceId> =
        roster.store.snapshot().unwrap().ids(caller.tenant, KindId::USER, None, 3, 3).unwrap();
    let members: Vec<Value> = some.iter().map(|id| json!({ "value": id.to_string() })).collect();
    let body = json!({ "displayName": "crew", "members": members });
    roster.create(&caller, &kind(&roster, KindId::GROUP), body, Edges::NONE).unwrap();
    (roster, caller, store)
}

#[test]
fn perf8_a_page_at_the_end_of_20000_in_any_kept_order_reads_the_records_of_the_page_and_a_stretch_of_keys() {
    const PEOPLE: u32 = 20_000;
    let (roster, caller, store) = crowded(PEOPLE);
    let users = kind(&roster, KindId::USER);
    let reads = store.reads();
    let cost = |query: &Query| {
        let before = reads.so_far();
        let mut page = roster.query(&caller, query).unwrap();
        let shown = ids(&roster, &mut page);
        assert_eq!((shown.len(), page.total), (100, u64::from(PEOPLE)));
        let after = reads.so_far();
        let page = Shown { ids: shown, next: page.next, previous: page.previous };
        (after.0 - before.0, after.1 - before.1, page)
    };
    let mut asked = 0;
    for name in ["", "id", "meta.created", "userName", "displayName", "meta.lastModified"] {
        for order in [SortOrder::Ascending, SortOrder::Descending] {
            let mut query = Query::of(Arc::clone(&users), None, Edges::NONE);
            query.parts[0].sort_by = sort::path(name, &users);
            query.order = query.parts[0].sort_by.as_ref().map(|_| order);
            query.count = Some(100);
            // Entries that move with every change are not counted, and are read over.
            let keys_max = if name == "meta.lastModified" { u64::from(PEOPLE) + 500 } else { 2_500 };
            let (first, keys, _) = cost(&query);
            assert_eq!(first, 100, "the first page by {name:?}");
            assert!(keys < keys_max, "{keys} keys for the first page by {name:?} {order:?}");
            query.start = Start::Index(u64::from(PEOPLE) - 99);
            let (last, keys, page) = cost(&query);
            assert_eq!(last, first, "the last page by {name:?}");
            // One for each stretch, what is left out of one stretch, and the page.
            assert!(keys < keys_max, "{keys} keys for the last page by {name:?} {order:?}");
            let end = page.ids;
            // By cursor nothing is left out, so that every page costs the same to the row.
            query.start = Start::Cursor(String::new());
            let (documents, keys, page) = cost(&query);
            query.start = Start::Cursor(page.next.unwrap());
            let (more, same, second) = cost(&query);
            assert_eq!((documents, more), (100, 100));
            // What stood in for the counted place of the first page may be more or less than nothing.
            assert!(same <= keys + 5 && same < 110, "{same} keys after {keys} by {name:?} {order:?}");
            query.start = Start::Cursor(second.previous.unwrap());
            let (documents, keys, back) = cost(&query);
            assert!(documents == 100 && keys < 110, "{keys} keys back by {name:?} {order:?}");
            let page_at = |start| ids(&roster, &mut page_of(&roster, &caller, &query, Start::Index(start)));
            assert_eq!(back.ids, page_at(1));
            assert_eq!(end, page_at(u64::from(PEOPLE) - 99));
            asked += 1;
        }
    }
    assert_eq!(asked, 12);
}

fn page_of(roster: &Roster, caller: &Caller, query: &Query, start: Start) -> Page {
    roster.query(caller, &Query { start, ..query.clone() }).unwrap()
}

#[test]
fn perf12_a_filter_that_indexes_answer_reads_as_many_records_in_a_tenant_ten_times_as_large() {
    let reads = |people: u32| {
        let (roster, caller, store) = crowded(people);
        let reads = store.reads();
        let snapshot = roster.store.snapshot().unwrap();
        let person = snapshot.ids(caller.tenant, KindId::USER, None, 3, 1).unwrap()[0];
        let crew = snapshot.ids(caller.tenant, KindId::GROUP, None, 0, 1).unwrap()[0];
        let mut costs = vec![];
        for (id, text) in [
            (KindId::USER, format!("id eq \"{person}\"")),
            (KindId::USER, "userName eq \"U000003\"".to_owned()),
            (KindId::USER, "userName lt \"u000005\"".to_owned()),
            (KindId::USER, "userName sw \"u00000\"".to_owned()),
            (KindId::USER, "externalId eq \"x-u000003\"".to_owned()),
            (KindId::USER, "emails.value eq \"u000003@acme.test\"".to_owned()),
            (KindId::USER, "displayName eq \"D U000003\"".to_owned()),
            (KindId::USER, "displayName le \"d u000004\"".to_owned()),
            (KindId::USER, "active eq false".to_owned()),
            (KindId::USER, "meta.lastModified lt \"2026-01-02T03:04:10Z\"".to_owned()),
            (KindId::USER, "meta.lastModified eq \"2026-01-02T03:04:11Z\"".to_owned()),
            (KindId::USER, format!("groups.value eq \"{crew}\"")),
            (KindId::USER, format!("groups.value eq \"{crew}\" and active eq true")),
            (KindId::USER, "title eq \"same\" and meta.lastModified le \"2026-01-02T03:04:10Z\"".to_owned()),
            (KindId::USER, format!("id eq \"{person}\" or userName eq \"u000004\" or active eq false")),
            (KindId::GROUP, format!("members.value eq \"{person}\"")),
            (KindId::GROUP, format!("members[value eq \"{person}\" and type eq \"User\"]")),
            (KindId::GROUP, "displayName eq \"crew\"".to_owned()),
        ] {
            let kind = kind(&roster, id);
            let mut query =
                Query::of(Arc::clone(&kind), Some(Filter::parse(&text, &kind).unwrap()), Edges::NONE);
            query.count = Some(100);
            let before = reads.so_far();
            let page = roster.query(&caller, &query).unwrap();
            let after = reads.so_far();
            assert!((1..=11).contains(&page.total), "{text}: {} of {people}", page.total);
            let documents = after.0 - before.0;
            assert!(documents <= 2 * page.total + 3, "{text}: {documents} records read");
            costs.push((text, documents, after.1 - before.1));
        }
        costs
    };
    assert_eq!(reads(500), reads(5_000));
}

#[test]
fn x32_a_filter_whose_terms_and_values_multiply_is_refused_before_they_are_compared() {
    let (roster, caller) = roster(Arc::new(FixedClock::at("2026-01-02T03:04:05Z")));
    let users = kind(&roster, KindId::USER);
    for number in 0..40 {
        let emails: Vec<Value> =
            (0..20).map(|mail| json!({ "value": format!("{number}.{mail}@acme.test") })).collect();
        let body = json!({ "userName": format!("u{number}"), "emails": emails });
        roster.create(&caller, &users, body, Edges::NONE).unwrap();
    }
    let ask = |terms: usize| {
        let text = vec!["emails.value ew \"x\""; terms].join(" or ");
        let filter = Filter::parse(&text, &users).unwrap();
        roster.query(&caller, &Query::of(Arc::clone(&users), Some(filter), Edges::NONE))
    };
    assert_eq!(ask(10).unwrap().total, 0);
    let refusal = refused(ask(200));
    assert_eq!(refusal.why, Why::TooMany);
    assert!(refusal.detail.contains("50000 comparisons"), "{}", refusal.detail);
}

#[test]
fn an_index_of_order_holds_everybody_once() {
    let (roster, caller, _) = crowded(300);
    let snapshot = roster.store.snapshot().unwrap();
    for order in [index::ORDER_USER_NAME, index::ORDER_DISPLAY_NAME, index::ORDER_MODIFIED] {
        let rows = snapshot.index_range(caller.tenant, &IndexRange::all(KindId::USER, order), 1000).unwrap();
        let mut ids: Vec<ResourceId> = rows.into_iter().map(|row| row.id).collect();
        ids.sort();
        assert_eq!(ids, snapshot.ids(caller.tenant, KindId::USER, None, 0, 1000).unwrap(), "{order:?}");
    }
}
