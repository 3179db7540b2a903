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
        assert_eq!(label(&home), format!("{}\n", crate::store::folder::FORMAT));
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
    assert_eq!(label(&home), format!("{}\n", crate::store::folder::FORMAT));
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

/// The oldest format of which there is a folder as a build that was released wrote it.
#[cfg(feature = "daemon")]
const OLDEST_RELEASED: u32 = 3;

/// A file of a folder of a format: each is LZ4 behind its length.
#[cfg(feature = "daemon")]
fn golden(format: u32, what: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/redb/tests/golden");
    folder.join(format!("format-{format}.{what}"))
}

#[cfg(feature = "daemon")]
fn press(from: &Path, format: u32, what: &str) {
    let pressed = lz4_flex::block::compress_prepend_size(&std::fs::read(from).unwrap());
    std::fs::write(golden(format, what), pressed).unwrap();
}

#[cfg(feature = "daemon")]
fn unpress(format: u32, what: &str, to: &Path) {
    let path = golden(format, what);
    let pressed = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    std::fs::write(to, lz4_flex::block::decompress_size_prepended(&pressed).unwrap()).unwrap();
}

/// Makes the files of a new format: run once, with ROSTERD_TEST_WRITE, when a build of that format is released. The folder is one whose daemon was killed: some of
/// it is in the tree, and some in the journal alone.
#[cfg(feature = "daemon")]
fn write_golden() {
    let home = Home::new();
    let store = home.open();
    let record = crate::store::Record {
        connection: Some(crate::store::suite::fixture::connection(5)),
        ..person(7, "ada")
    };
    store.commit(T, put(&team(1)).put(&record).add(1, user(7)).about(user(7))).unwrap();
    store
        .commit(T, put(&person(8, "eve")).count(b"counter", 3).small(b"small", Some(b"value")).about(user(8)))
        .unwrap();
    store.commit(TENANTS[2], put(&person(9, "äöü 名前")).about(user(9))).unwrap();
    drop(store);
    compact::compact(home.folder.path(), &options()).unwrap();
    let store = home.open();
    let replaced = crate::store::Record { display: "ada of the journal".into(), ..record };
    store.commit(T, put(&replaced).put(&person(11, "grace")).add(1, user(11)).about(user(7))).unwrap();
    store
        .commit(T, unit().delete(user(8)).count(b"counter", 2).small(b"small", None).about(user(8)))
        .unwrap();
    store.commit(TENANTS[1], put(&person(12, "in between")).about(user(12))).unwrap();
    let seen = TENANTS.map(|tenant| everything(&*see(&store), tenant)).join("\n---\n");
    let format = crate::store::folder::FORMAT;
    press(Path::new(&home.place), format, "redb.lz4");
    for (number, name) in JOURNAL_FILES.iter().enumerate() {
        press(&home.folder.path().join(name), format, &format!("journal-{number}.lz4"));
    }
    std::fs::write(golden(format, "txt"), seen).unwrap();
}

/// Makes a folder of a released format, with its journal or with an empty one.
#[cfg(feature = "daemon")]
fn released(format: u32, with_journal: bool) -> Home {
    let home = Home::new();
    unpress(format, "redb.lz4", Path::new(&home.place));
    if format >= WITH_JOURNAL {
        for (number, name) in JOURNAL_FILES.iter().enumerate() {
            let path = home.folder.path().join(name);
            if with_journal {
                unpress(format, &format!("journal-{number}.lz4"), &path);
            } else {
                std::fs::write(path, []).unwrap();
            }
        }
    }
    std::fs::write(home.folder.path().join("FORMAT"), format!("{format}\n")).unwrap();
    home
}

#[test]
#[cfg(feature = "daemon")]
fn r12_a_folder_of_every_released_format_is_opened_and_has_everything() {
    if std::env::var_os("ROSTERD_TEST_WRITE").is_some_and(|what| what == "golden") {
        write_golden();
    }
    for format in OLDEST_RELEASED..=crate::store::folder::FORMAT {
        let expected = std::fs::read_to_string(golden(format, "txt")).unwrap();
        let seen = |store: &KvStore| TENANTS.map(|tenant| everything(&*see(store), tenant)).join("\n---\n");
        let home = released(format, true);
        let store = home.open();
        assert_eq!(seen(&store), expected, "{format}");
        sound(&store);
        insist(&store, 50);
        drop(store);
        assert_eq!(label(&home), format!("{}\n", crate::store::folder::FORMAT));
        sound(&home.open());
        if format >= WITH_JOURNAL {
            // What the journal alone had was read from there, and not by chance from the tree.
            assert_ne!(seen(&released(format, false).open()), expected, "{format}");
        }
    }
}

/// A step as a later format may have one: a mark in front of what stands in one drawer of small values; what has it stays as it is.
fn marked(_: Table, key: &[u8], value: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
    const MARK: &[u8] = b"marked ";
    if key.get(4) != Some(&b's') {
        return Ok(Some(Arc::from(value)));
    }
    let plain = crate::store::seal::unseal(key, value)?;
    if plain == b"goes" {
        return Ok(None);
    }
    let new = if plain.starts_with(MARK) { plain.to_vec() } else { [MARK, plain].concat() };
    Ok(Some(crate::store::seal::seal(key, &new).into()))
}

#[test]
fn r12_r37_a_format_that_writes_every_row_anew_is_reached_whatever_breaks_it_off() {
    let steps = || [FormatStep { to: 3, row: marked }];
    let mut breaks = 0;
    for point in Point::STEPS.into_iter().chain(Point::OF_THE_TREE) {
        for spared in 0..8 {
            let home = Home::new();
            let store = home.open();
            store
                .commit(
                    T,
                    put(&person(1, "ada")).small(b"stays", Some(b"value")).small(b"is gone", Some(b"goes")),
                )
                .unwrap();
            drop(store);
            std::fs::write(home.folder.path().join("FORMAT"), "2\n").unwrap();
            let path = home.folder.path();
            let new = path.join(NEW_FILE).display().to_string();
            let armed = [&home.place, &new, &path.display().to_string()]
                .map(|place| arm(point, place, Fault::Error, spared));
            let first = journal_after(path, &options(), &steps()).map(drop);
            let struck: u64 = armed.iter().map(crate::store::failpoints::Armed::struck).sum();
            drop(armed);
            assert!(first.is_ok() || struck > 0, "{point:?} after {spared}");
            breaks += struck;
            // What was broken off is done by the next start, and nothing is done twice.
            for _ in 0..2 {
                drop(journal_after(path, &options(), &steps()).unwrap());
                assert_eq!(label(&home), format!("{}\n", crate::store::folder::FORMAT));
            }
            assert!(!path.join(NEW_FILE).exists());
            let store = home.open();
            let small = |key: &[u8]| see(&store).small(T, crate::store::suite::fixture::SPACE, key).unwrap();
            assert_eq!(
                (small(b"stays"), small(b"is gone")),
                (Some(b"marked value".to_vec()), None),
                "{point:?} after {spared}"
            );
            assert!(see(&store).get(T, user(1)).unwrap().is_some());
            sound(&store);
            if struck == 0 {
                break;
            }
        }
    }
    assert!(breaks > 20, "{breaks}");
}
