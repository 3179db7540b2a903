//! The store on disk: faults, crashes, damage.

mod older;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::store::failpoints::{Fault, arm};
use crate::store::suite::fixture::{T, everything, id, name_key, person, put, see, team, unit, user};
use crate::store::{Finding, Link, Outcome, Seq, State, Store};

fn options() -> RedbOptions {
    let writer = WriterOptions { queue_max: 4, pause: Duration::from_millis(1), ..WriterOptions::default() };
    // Hardly any cache, so that reads go to the file, and a journal whose every batch is written into the tree as soon as may be.
    RedbOptions { cache_bytes: 0, journal_bytes: 1, writer }
}

struct Home {
    folder: TempDir,
    place: String,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join(FILE).display().to_string();
        Self { folder, place }
    }

    fn open(&self) -> KvStore {
        open(self.folder.path(), &options()).unwrap()
    }
}

/// Commits, however often the store asks to come back.
fn insist(store: &dyn Store, number: u32) -> Seq {
    loop {
        match store.commit(T, put(&person(number, &format!("p{number}")))) {
            Ok(Outcome::Committed { seq }) => return seq,
            Ok(Outcome::Lost(given)) => panic!("lost {given:?}"),
            Err(_) => std::thread::yield_now(),
        }
    }
}

#[track_caller]
fn sound(store: &dyn Store) {
    assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
}

#[test]
fn r8_an_error_at_any_point_is_told_and_overcome() {
    for point in Point::all() {
        let home = Home::new();
        let store = home.open();
        insist(&store, 1);
        let armed = arm(point, &home.place, Fault::Error, 0);
        // The tree is written to behind the back of whoever commits, so that a later one is told.
        let failed = (10..)
            .map(|number| store.commit(T, put(&person(number, &format!("p{number}")))))
            .find_map(Result::err);
        assert!(matches!(failed, Some(StoreError::Fatal(_) | StoreError::Retry(_))), "{point:?}: {failed:?}");
        assert!(armed.struck() > 0, "{point:?}");
        drop(armed);
        insist(&store, 3);
        assert_eq!(store.health().state, State::Ready, "{point:?}");
        sound(&store);
        let before = everything(&*see(&store), T);
        drop(store);
        assert_eq!(everything(&*see(&home.open()), T), before, "{point:?}");
    }
}

#[test]
fn r8_while_the_disk_fails_nothing_is_acknowledged_and_reading_goes_on() {
    let home = Home::new();
    let store = home.open();
    for number in 1..=50 {
        insist(&store, number);
    }
    let before = everything(&*see(&store), T);
    let armed = arm(Point::DiskFlush, &home.place, Fault::Error, 0);
    let failed = store.commit(T, put(&person(99, "eve")));
    // Where the keeper was the first to fail, the engine is being reopened already.
    assert!(matches!(failed, Err(StoreError::Fatal(_) | StoreError::Retry(_))), "{failed:?}");
    // Several attempts to reopen have failed by then.
    armed.wait_until_struck(4);
    assert_eq!(store.health().state, State::Poisoned);
    let refused = store.commit(T, put(&person(99, "eve")));
    assert!(matches!(refused, Err(StoreError::Retry(_))), "{refused:?}");
    // While the engine is swapped under a reader it may have to look again, and that between any two looks of one snapshot.
    let look = || catch_unwind(AssertUnwindSafe(|| everything(&*see(&store), T))).ok();
    let seen = std::iter::repeat_with(look).take(100).flatten().next().expect("reading goes on");
    assert_eq!(seen, before);
    drop(armed);
    insist(&store, 99);
    assert_eq!(store.health().state, State::Ready);
    sound(&store);
}

#[test]
fn r7_a_full_disk_is_told_as_such_and_writing_resumes_when_there_is_room() {
    let home = Home::new();
    let store = home.open();
    insist(&store, 1);
    let armed = arm(Point::DiskWrite, &home.place, Fault::Full, 0);
    for _ in 0..3 {
        let failed = store.commit(T, put(&person(2, "eve")));
        assert!(matches!(failed, Err(StoreError::Full(_))), "{failed:?}");
        assert_eq!(store.health().state, State::Full);
    }
    drop(armed);
    insist(&store, 3);
    assert_eq!(store.health().state, State::Ready);
    assert!(see(&store).get(T, user(2)).unwrap().is_none());
    sound(&store);
}

#[test]
fn r33_a_panic_anywhere_in_the_engine_costs_one_batch() {
    for point in Point::all() {
        let home = Home::new();
        let store = home.open();
        insist(&store, 1);
        let armed = arm(point, &home.place, Fault::Panic, 0);
        let failed = (10..)
            .map(|number| store.commit(T, put(&person(number, &format!("p{number}")))))
            .find_map(Result::err);
        assert!(matches!(failed, Some(StoreError::Fatal(_) | StoreError::Retry(_))), "{point:?}: {failed:?}");
        armed.wait_until_struck(1);
        drop(armed);
        insist(&store, 3);
        sound(&store);
    }
}

#[test]
fn r23_a_full_queue_refuses_and_what_is_in_it_is_written() {
    let home = Home::new();
    let store = home.open();
    let armed = arm(Point::AppendBefore, &home.place, Fault::Pause, 0);
    std::thread::scope(|scope| {
        let store = &store;
        let waiting: Vec<_> = (1..=5)
            .map(|number| {
                let waiting =
                    scope.spawn(move || store.commit(T, put(&person(number, &format!("p{number}")))));
                // The first is on its way to the disk, four wait behind it.
                armed.wait_until_struck(1);
                while store.health().queued < number as usize - 1 {
                    std::thread::yield_now();
                }
                waiting
            })
            .collect();
        assert_eq!((store.health().queued, store.health().queue_max), (4, 4));
        let refused = store.commit(T, put(&person(6, "p6")));
        assert!(matches!(refused, Err(StoreError::Retry(_))), "{refused:?}");
        drop(armed);
        for waiting in waiting {
            assert!(matches!(waiting.join().unwrap(), Ok(Outcome::Committed { .. })));
        }
    });
    assert_eq!(store.health().batches, 2, "the four that waited share one flush");
}

#[test]
fn r25_who_comes_with_many_units_leaves_half_of_the_queue_to_others() {
    let home = Home::new();
    let store = home.open();
    let armed = arm(Point::AppendBefore, &home.place, Fault::Pause, 0);
    std::thread::scope(|scope| {
        let store = &store;
        let many = scope.spawn(move || {
            let units = (1..=50).map(|number| put(&person(number, &format!("p{number}")))).collect();
            store.commit_each(T, units)
        });
        armed.wait_until_struck(1);
        // However much of the many is queued by now, there is room for two others.
        let others = [61, 62].map(|number| {
            scope.spawn(move || {
                store.commit(crate::ids::TenantId::new(2), put(&person(number, &format!("q{number}"))))
            })
        });
        while store.health().queued < 2 {
            assert!(others.iter().all(|other| !other.is_finished()), "another tenant's unit was refused");
            std::thread::yield_now();
        }
        drop(armed);
        let done = many.join().unwrap();
        assert_eq!(done.len(), 50);
        // In their order: each has the number that its place says.
        for (seq, outcome) in (1..).zip(done) {
            assert!(
                matches!(outcome, Ok(Outcome::Committed { seq: Seq(found) }) if found == seq),
                "{outcome:?}"
            );
        }
        for other in others {
            assert!(matches!(other.join().unwrap(), Ok(Outcome::Committed { .. })));
        }
    });
}

#[test]
fn r2_faults_under_eight_writers_lose_nothing_acknowledged() {
    let home = Home::new();
    let store = home.open();
    let acknowledged = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (store, acknowledged) = (&store, &acknowledged);
            scope.spawn(move || {
                for number in writer * 100..writer * 100 + 25 {
                    let seq = insist(store, number);
                    acknowledged.lock().unwrap().insert(number, seq);
                }
            });
        }
        for (round, point) in
            Point::OF_A_BATCH.into_iter().chain(Point::OF_THE_TREE).cycle().take(12).enumerate()
        {
            let fault = if round % 3 == 0 { Fault::Full } else { Fault::Error };
            let armed = arm(point, &home.place, fault, 2);
            while store.health().units < 200 && armed.struck() == 0 {
                std::thread::yield_now();
            }
        }
    });
    drop(store);
    let store = home.open();
    for (number, seq) in acknowledged.into_inner().unwrap() {
        let stored = see(&store).get(T, user(number)).unwrap().unwrap();
        assert!(stored.version() >= seq, "{number}");
    }
    sound(&store);
    let rows = see(&store).changes(T, Seq::ZERO, 10_000).unwrap();
    rows.iter().fold(Link::default(), |link, row| {
        assert!(row.follows(link));
        row.link
    });
}

/// The variable by which this test, started again, knows that it is the one to be killed.
const CHILD: &str = "ROSTERD_STORE_CHILD";

#[test]
fn r37_a_crash_at_each_point_loses_nothing_acknowledged() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let store = open(Path::new(&folder), &options()).unwrap();
        for number in 1.. {
            insist(&store, number);
            println!("\nacknowledged {number}");
        }
    }
    for (point, passes) in Point::all().zip([3, 40, 21, 6, 0, 3, 4, 5]) {
        let home = Home::new();
        drop(home.open());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "store::redb::tests::r37_a_crash_at_each_point_loses_nothing_acknowledged",
                "--exact",
                "--nocapture",
            ])
            .env(CHILD, home.folder.path())
            .env("ROSTERD_FAILPOINTS", format!("{}=crash@{passes}", point.name()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let acknowledged = lines
            .filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u32>().ok())
            .max()
            .unwrap_or(0);
        assert!(!child.wait().unwrap().success(), "{point:?} was never passed");
        let store = home.open();
        let head = see(&store).head(T).unwrap().seq.0;
        assert!(head == u64::from(acknowledged) || head == u64::from(acknowledged) + 1, "{point:?}: {head}");
        assert_eq!(see(&store).count(T, user(1).kind).unwrap(), head, "{point:?}");
        sound(&store);
    }
}

#[test]
fn r10_a_second_store_on_the_folder_is_refused() {
    let home = Home::new();
    let store = home.open();
    let refused = open(home.folder.path(), &options()).map(drop);
    assert!(matches!(refused, Err(OpenError::Folder(FolderError::Held { .. }))), "{refused:?}");
    drop(store);
    home.open();
}

#[test]
fn a_database_that_was_half_made_is_made_anew() {
    let home = Home::new();
    std::fs::write(home.folder.path().join(NEW_FILE), b"redb, or what was to be").unwrap();
    insist(&home.open(), 1);
    assert!(!home.folder.path().join(NEW_FILE).exists());
}

#[test]
fn r9_a_file_that_is_no_database_is_refused_and_left_alone() {
    let home = Home::new();
    drop(home.open());
    std::fs::write(&home.place, b"not a database at all").unwrap();
    let refused = open(home.folder.path(), &options()).map(drop).unwrap_err().to_string();
    assert!(refused.contains(&home.place), "{refused}");
    assert_eq!(std::fs::read(&home.place).unwrap(), b"not a database at all");
}

/// Changes the database behind the store's back.
fn tamper(
    home: &Home,
    change: impl FnOnce(&mut redb::Table<'_, &'static [u8], &'static [u8]>),
    table: Definition,
) {
    let database = Database::open(&home.place).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&mut transaction.open_table(table).unwrap());
    transaction.commit().unwrap();
}

/// Ada and Eve in a team.
fn small_world(home: &Home) {
    let store = home.open();
    let world = put(&person(1, "ada")).put(&person(2, "eve")).put(&team(3)).add(3, user(1)).add(3, user(2));
    store.commit(T, world).unwrap();
    store.commit(T, unit().about(user(1))).unwrap();
    store.commit(T, unit()).unwrap();
    sound(&store);
}

fn findings(home: &Home) -> Vec<Finding> {
    home.open().check(&mut |_| {}).unwrap()
}

#[test]
fn r9_a_damaged_record_is_an_error_and_is_named() {
    let home = Home::new();
    small_world(&home);
    let flip = |table: &mut redb::Table<'_, &'static [u8], &'static [u8]>| {
        let (key, mut value) = {
            let (key, value) = redb::ReadableTable::first(table).unwrap().unwrap();
            (key.value().to_vec(), value.value().to_vec())
        };
        value[60] ^= 1;
        table.insert(key.as_slice(), value.as_slice()).unwrap();
    };
    tamper(&home, flip, DOCUMENTS);
    let store = home.open();
    let read = see(&store).get(T, user(1));
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
    assert!(see(&store).get(T, user(2)).unwrap().is_some());
    let found = store.check(&mut |_| {}).unwrap();
    let named = format!("record {} of kind 1 is damaged", id(1));
    assert!(found.iter().any(|finding| finding.tenant == T && finding.what == named), "{found:?}");
}

#[test]
fn r9_every_row_that_is_lost_or_altered_is_found() {
    let home = Home::new();
    small_world(&home);
    let sound_bytes = std::fs::read(&home.place).unwrap();
    let rows: Vec<_> = {
        let database = Database::open(&home.place).unwrap();
        let table = database.begin_read().unwrap().open_table(SMALL).unwrap();
        let rows = table.range::<&[u8]>(..).unwrap().map(Result::unwrap);
        rows.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).collect()
    };
    let drawers: BTreeSet<_> = rows.iter().map(|(key, _)| char::from(key[4])).collect();
    assert_eq!(drawers.into_iter().collect::<String>(), "abcghiklmtuw");
    for (key, value) in rows {
        let drawer = char::from(key[4]);
        std::fs::write(&home.place, &sound_bytes).unwrap();
        tamper(&home, |table| drop(table.remove(key.as_slice()).unwrap()), SMALL);
        assert_ne!(findings(&home), vec![], "a row of {drawer} was removed");
        let mut altered = value;
        *altered.last_mut().unwrap() ^= 0x10;
        tamper(&home, |table| drop(table.insert(key.as_slice(), altered.as_slice()).unwrap()), SMALL);
        assert_ne!(findings(&home), vec![], "a row of {drawer} was altered");
    }
}

#[test]
fn check_reports_its_progress() {
    let home = Home::new();
    small_world(&home);
    let mut reports = vec![];
    home.open().check(&mut |rows| reports.push(rows)).unwrap();
    assert!(reports.last().is_some_and(|rows| *rows > 10), "{reports:?}");
}

#[test]
fn x66_the_database_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    drop(home.open());
    assert_eq!(std::fs::metadata(&home.place).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn names_are_found_after_a_kill_without_closing() {
    let home = Home::new();
    let store = home.open();
    insist(&store, 1);
    // A copy of the files as they are now is what a kill would have left.
    let copy = Home::new();
    for file in [FILE, JOURNAL_FILES[0], JOURNAL_FILES[1], "FORMAT"] {
        std::fs::copy(home.folder.path().join(file), copy.folder.path().join(file)).unwrap();
    }
    let reopened = copy.open();
    assert_eq!(see(&reopened).by_unique(T, &name_key("p1")).unwrap(), Some(user(1)));
    sound(&reopened);
}
