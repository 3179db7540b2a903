//! Folders of earlier builds: what those did not write is there once the folder is open.

use super::*;
use crate::ids::TenantId;
use crate::store::LogRow;

/// The last tenant that there can be, and one with a gap on either side.
const TENANTS: [TenantId; 3] = [T, TenantId::new(77), TenantId::new(u32::MAX)];

/// A folder whose history is as a build of format 2 would have written it; returns what the histories of its resources ought to say.
fn older(home: &Home, label: &str) -> Vec<Vec<LogRow>> {
    let store = home.open();
    for tenant in TENANTS {
        for number in 1..=10 {
            let unit = put(&person(number, &format!("p{number}")));
            // One in five is about nothing.
            let unit = if number % 5 == 0 { unit } else { unit.about(user(number % 3)) };
            store.commit(tenant, unit).unwrap();
        }
    }
    let expected = histories(&store);
    assert!(expected.iter().all(|rows| rows.len() >= 2));
    drop(store);
    let about: Vec<_> = rows_about(home);
    assert_eq!(about.len(), 3 * 8);
    tamper(home, |table| about.iter().for_each(|key| drop(table.remove(key.as_slice()).unwrap())), SMALL);
    std::fs::write(home.folder.path().join("FORMAT"), label).unwrap();
    expected
}

fn histories(store: &KvStore) -> Vec<Vec<LogRow>> {
    let seen = see(store);
    let of = |tenant| (0..3).map(move |number| (tenant, id(number)));
    let all = TENANTS.into_iter().flat_map(of);
    all.map(|(tenant, id)| seen.history_of(tenant, id, None, 100).unwrap()).collect()
}

/// The rows by which entries are found from their subjects.
fn rows_about(home: &Home) -> Vec<Vec<u8>> {
    let database = Database::open(&home.place).unwrap();
    let table = database.begin_read().unwrap().open_table(SMALL).unwrap();
    let keys = table.range::<&[u8]>(..).unwrap().map(|row| row.unwrap().0.value().to_vec());
    keys.filter(|key| key[4] == b'a').collect()
}

fn label(home: &Home) -> String {
    std::fs::read_to_string(home.folder.path().join("FORMAT")).unwrap()
}

#[test]
fn r12_the_history_of_an_older_folder_is_found_by_its_subjects() {
    // The label that is empty was being written anew when the power went.
    for old in ["1\n", "2\n", ""] {
        let home = Home::new();
        let expected = older(&home, old);
        let store = home.open();
        assert_eq!(histories(&store), expected, "{old:?}");
        sound(&store);
        insist(&store, 11);
        drop(store);
        assert_eq!(label(&home), "4\n");
        sound(&home.open());
    }
}

#[test]
fn r12_what_was_broken_off_goes_on_from_there() {
    let home = Home::new();
    let expected = older(&home, "2\n");
    let mut before = 0;
    // One commit is that of opening; each start gets one further and is broken off before the next.
    for round in 1..=4 {
        let armed = arm(Point::CommitBefore, &home.place, Fault::Error, 2);
        let refused = open(home.folder.path(), &options()).map(drop).unwrap_err();
        assert!(matches!(refused, OpenError::Engine { .. }), "{refused}");
        drop(armed);
        assert_eq!(label(&home), "2\n", "it is not done");
        let now = rows_about(&home).len();
        assert!(now > before && now < 24, "{round}: {before} and then {now}");
        before = now;
    }
    let store = home.open();
    assert_eq!(histories(&store), expected);
    sound(&store);
    drop(store);
    // Where nothing is missing nothing is written, and the store opens at the first commit.
    std::fs::write(home.folder.path().join("FORMAT"), "2\n").unwrap();
    let _armed = arm(Point::CommitBefore, &home.place, Fault::Error, 1);
    open(home.folder.path(), &options()).map(drop).unwrap();
    assert_eq!(label(&home), "4\n");
}

#[test]
fn r9_a_damaged_entry_of_an_older_folder_is_named_and_the_rest_is_found() {
    let home = Home::new();
    older(&home, "2\n");
    let second = |key: &[u8]| key[..4] == T.number().to_be_bytes() && key[4] == b'l' && key.ends_with(&[2]);
    let flip = |table: &mut redb::Table<'_, &'static [u8], &'static [u8]>| {
        let (key, mut value) = {
            let row = redb::ReadableTable::range::<&[u8]>(table, ..).unwrap().map(Result::unwrap);
            let (key, value) = row.into_iter().find(|(key, _)| second(key.value())).unwrap();
            (key.value().to_vec(), value.value().to_vec())
        };
        value[40] ^= 1;
        table.insert(key.as_slice(), value.as_slice()).unwrap();
    };
    tamper(&home, flip, SMALL);
    let store = home.open();
    let numbers = |rows: Vec<LogRow>| rows.into_iter().map(|row| row.seq.0).collect::<Vec<_>>();
    assert_eq!(numbers(see(&store).history_of(T, id(2), None, 10).unwrap()), [8]);
    assert_eq!(numbers(see(&store).history_of(T, id(1), None, 10).unwrap()), [7, 4, 1]);
    let found = store.check(&mut |_| {}).unwrap();
    assert!(found.iter().any(|finding| finding.what.starts_with("drawer 'l'")), "{found:?}");
}

#[test]
fn r9_a_row_about_something_that_no_entry_is_about_is_found() {
    let home = Home::new();
    small_world(&home);
    let mut key = rows_about(&home).remove(0);
    *key.last_mut().unwrap() = 3;
    let value = crate::store::seal::seal(&key, &[]);
    tamper(&home, |table| drop(table.insert(key.as_slice(), value.as_slice()).unwrap()), SMALL);
    let found = findings(&home);
    let what = "entries in histories of resources: 2 kept, 1 found";
    assert!(found.iter().any(|finding| finding.what == what), "{found:?}");
}
