//! What a page reads of the groups of those whom it shows.

use super::*;
use crate::store::kv::counting::CountingStore;

#[test]
fn perf8_a_page_reads_each_group_of_its_people_once_and_shows_each_of_them_as_if_alone() {
    let store = Arc::new(CountingStore::default());
    let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
    let (roster, caller) = roster_on(Arc::clone(&store) as _, clock);
    let (users, teams) = (kind(&roster, KindId::USER), kind(&roster, KindId::GROUP));
    let person = |number: usize| {
        let body = json!({ "userName": format!("p{number}"), "displayName": "somebody" });
        roster.create(&caller, &users, body, Edges::NONE).unwrap().stored.at().id
    };
    let mut people: Vec<ResourceId> = (0..40).map(person).collect();
    // Made within one moment, they come in the order of their ids.
    people.sort_unstable();
    // All are in the first team, half of them in the second, and one in so many that they are read alone.
    for (name, who) in [("all", 0..40), ("half", 0..20), ("few", 7..8), ("fewer", 7..8)] {
        let members: Vec<Value> = people[who].iter().map(|id| json!({ "value": id.to_string() })).collect();
        let body = json!({ "displayName": name, "members": members });
        roster.create(&caller, &teams, body, Edges::NONE).unwrap();
    }
    let query = |filter: &str| {
        let filter = Filter::parse(filter, &users).unwrap();
        Query::of(Arc::clone(&users), Some(filter), Edges::ALL)
    };
    let groups = |page: &mut Page| {
        let mut found = Vec::new();
        while let Some(view) = page.views.next_view(&roster).unwrap() {
            found.push((view.stored.at().id, view.groups.expect("they are asked for")));
        }
        found
    };

    let before = store.reads().so_far().0;
    let mut page = roster.query(&caller, &query("displayName eq \"somebody\"")).unwrap();
    let together = groups(&mut page);
    let read = store.reads().so_far().0 - before;
    // Forty people are read in two goes, with one or two groups each time; the four of the one are read besides.
    assert_eq!((together.len(), read), (40, 40 + 2 + 1 + 4), "records read");

    for (number, (id, found)) in together.into_iter().enumerate() {
        let mut page = roster.query(&caller, &query(&format!("id eq \"{id}\""))).unwrap();
        assert_eq!(groups(&mut page), [(id, found.clone())], "{number}");
        let mut names: Vec<&str> = found.iter().map(|group| group.display.as_str()).collect();
        names.sort_unstable();
        let expected: &[&str] = match number {
            7 => &["all", "few", "fewer", "half"],
            0..20 => &["all", "half"],
            _ => &["all"],
        };
        assert_eq!(names, expected, "{number}");
    }
}

#[test]
fn x19_a_page_names_no_group_that_the_caller_does_not_know_of() {
    let (roster, caller) = roster(Arc::new(FixedClock::at("2026-01-02T03:04:05Z")));
    let (users, teams) = (kind(&roster, KindId::USER), kind(&roster, KindId::GROUP));
    let operator = roster.operator("main", roster.request_id()).unwrap();
    let make = |name: &str| {
        let view = roster.create(&caller, &users, json!({ "userName": name }), Edges::NONE).unwrap();
        json!({ "value": view.stored.at().id.to_string() })
    };
    let members = [make("ada"), make("bob")];
    for (whose, name) in [(&operator, "secret"), (&caller, "crew")] {
        let body = json!({ "displayName": name, "members": members });
        roster.create(whose, &teams, body, Edges::NONE).unwrap();
    }
    let query = Query::of(Arc::clone(&users), None, Edges::ALL);
    let mut page = roster.query(&caller, &query).unwrap();
    for _ in 0..2 {
        let view = page.views.next_view(&roster).unwrap().unwrap();
        let names: Vec<String> = view.groups.unwrap().into_iter().map(|group| group.display).collect();
        assert_eq!(names, ["crew"]);
    }
}
