//! What must hold after every test, whatever it did: the history is whole, the store agrees with itself, and every way to look
//! at the roster shows the same people.

use std::collections::{BTreeMap, BTreeSet};

use rosterd::ids::TenantId;
use rosterd::roster::Roster;
use rosterd::store::{Facts, Head, LogRow, PAGE_ROWS_MAX, Seq, Snapshot, Values};
use serde_json::Value;

use super::Client;

/// Reads a tenant's history.
pub fn history(roster: &Roster, tenant: TenantId) -> Vec<LogRow> {
    history_in(roster.store().snapshot().unwrap().as_ref(), tenant)
}

fn history_in(snapshot: &dyn Snapshot, tenant: TenantId) -> Vec<LogRow> {
    let mut rows: Vec<LogRow> = Vec::new();
    loop {
        let page =
            snapshot.changes(tenant, rows.last().map_or(Seq::ZERO, |row| row.seq), PAGE_ROWS_MAX).unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

/// Reads what the rows of a history say.
pub fn said(rows: &[LogRow]) -> Vec<(Facts, Values)> {
    let read = |row: &LogRow| {
        (serde_json::from_slice(&row.facts).unwrap(), serde_json::from_slice(&row.values).unwrap())
    };
    rows.iter().map(read).collect()
}

/// Fails unless every tenant's history is gap-free and chained, and the store finds nothing that does not fit.
///
/// Looks at one state of the store, since what nobody waits for (a refusal on its way into the history) may still be written.
pub fn must_be_whole(roster: &Roster) {
    let tenants = u32::try_from(roster.tenants().unwrap().len()).unwrap();
    let snapshot = roster.store().snapshot().unwrap();
    for tenant in (0..=tenants).map(TenantId::new) {
        let rows = history_in(snapshot.as_ref(), tenant);
        let mut before = Head::default();
        for row in &rows {
            assert_eq!(row.seq, Seq(before.seq.0 + 1), "tenant {tenant}: a gap in the history");
            assert!(
                row.follows(before.link),
                "tenant {tenant}: row {} does not follow the one before it",
                row.seq.0
            );
            before = Head { seq: row.seq, link: row.link };
        }
        assert_eq!(snapshot.head(tenant).unwrap(), before, "tenant {tenant}: the head");
    }
    assert_eq!(roster.store().check(&mut |_| {}).unwrap(), vec![]);
    assert_eq!(roster.check_people().unwrap(), vec![]);
}

/// Reads a whole list, a page at a time; fails when the pages do not add up.
pub fn list(client: &Client, path: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let page = client.get(&format!("{path}?startIndex={}&count=500", all.len() + 1)).expect(200).json();
        let resources = page["Resources"].as_array().unwrap();
        assert_eq!(page["itemsPerPage"], resources.len());
        assert_eq!(page["startIndex"], all.len() + 1);
        all.extend(resources.iter().cloned());
        let total = usize::try_from(page["totalResults"].as_u64().unwrap()).unwrap();
        if all.len() >= total {
            assert_eq!(all.len(), total);
            return all;
        }
        assert!(!resources.is_empty(), "a page without an end");
    }
}

/// What a client sees of the roster.
#[derive(Debug, Default, PartialEq)]
pub struct Seen {
    /// Every person, by id.
    pub users: BTreeMap<String, Value>,
    /// Every group, by id.
    pub groups: BTreeMap<String, Value>,
}

/// Looks at everybody in every way there is, and fails unless all ways agree (R2): list, single read, filter by name, and
/// both ends of each membership.
pub fn must_agree(client: &Client) -> Seen {
    let by_id = |resources: Vec<Value>| {
        let count = resources.len();
        let map: BTreeMap<String, Value> =
            resources.into_iter().map(|one| (one["id"].as_str().unwrap().to_owned(), one)).collect();
        assert_eq!(map.len(), count, "an id is listed twice");
        map
    };
    let seen = Seen { users: by_id(list(client, "/Users")), groups: by_id(list(client, "/Groups")) };
    let mut names = BTreeSet::new();
    for (id, user) in &seen.users {
        assert_eq!(&client.get(&format!("/Users/{id}")).expect(200).json(), user);
        let name = user["userName"].as_str().unwrap();
        assert!(names.insert(name.to_lowercase()), "{name} is there twice");
        let found = client.find("/Users", &format!("userName eq {}", Value::from(name))).expect(200).json();
        assert_eq!((&found["totalResults"], &found["Resources"][0]), (&1.into(), user));
    }
    let mut by_group = BTreeSet::new();
    for (id, group) in &seen.groups {
        assert_eq!(&client.get(&format!("/Groups/{id}")).expect(200).json(), group);
        for member in group["members"].as_array().unwrap() {
            let member = member["value"].as_str().unwrap().to_owned();
            assert!(by_group.insert((id.clone(), member.clone())), "{member} is in {id} twice");
        }
    }
    let both = seen.users.iter().chain(&seen.groups);
    let by_member: BTreeSet<(String, String)> = both
        .flat_map(|(id, one)| {
            let groups = one["groups"].as_array().cloned().unwrap_or_default();
            groups.into_iter().map(|group| (group["value"].as_str().unwrap().to_owned(), id.clone()))
        })
        .collect();
    let of_people: BTreeSet<_> =
        by_group.iter().filter(|(_, member)| seen.users.contains_key(member)).cloned().collect();
    assert_eq!(by_member, of_people, "user.groups and group.members differ");
    seen
}
