//! The journal: what a kill leaves, what a power loss tears, and what damage is not taken for it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::record::{BLOCK, HEADER, Header};
use crate::store::disk::Disk;
use crate::store::failpoints::{Fault, Point, arm};
use crate::store::kv::KvStore;
use crate::store::redb::{RedbOptions, on_disk, open};
use crate::store::simulated::{SimulatedDisk, Trouble};
use crate::store::suite::fixture::{T, everything, ok, person, put, see, user};
use crate::store::{Seq, State, Store, StoreError};

const FIRST: &str = "roster.journal.0";
const SECOND: &str = "roster.journal.1";

fn start(folder: &Path, options: &RedbOptions) -> KvStore {
    open(folder, options).unwrap()
}

fn refused(folder: &Path) -> String {
    open(folder, &RedbOptions::default()).map(drop).unwrap_err().to_string()
}

fn add(store: &KvStore, numbers: std::ops::RangeInclusive<u32>) {
    for number in numbers {
        ok(store, put(&person(number, &format!("p{number}"))));
    }
}

fn people(store: &KvStore) -> u64 {
    assert_eq!(store.check(&mut |_| {}).unwrap(), []);
    see(store).count(T, user(1).kind).unwrap()
}

/// What a kill at this moment would leave.
fn copy(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

/// A folder of ten people who stand in the first file of the journal alone, as a kill leaves it, and where each record begins.
fn ten() -> (tempfile::TempDir, Vec<usize>) {
    let home = tempfile::tempdir().unwrap();
    let store = start(home.path(), &RedbOptions::default());
    add(&store, 1..=10);
    let copy = copy(home.path());
    let bytes = std::fs::read(copy.path().join(FIRST)).unwrap();
    let mut at = 0;
    let mut begins = vec![];
    while let Some(header) = Header::read(&bytes[at..]) {
        begins.push(at);
        at += usize::try_from(header.taken()).unwrap();
    }
    assert_eq!(begins.len(), 10);
    (copy, begins)
}

fn change(folder: &Path, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = folder.join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
}

#[test]
fn r1_what_stands_in_the_journal_alone_is_there_after_a_kill() {
    let (folder, _) = ten();
    let options = RedbOptions::default();
    let store = start(folder.path(), &options);
    assert_eq!(people(&store), 10);
    add(&store, 11..=12);
    let again = copy(folder.path());
    drop(store);
    for folder in [folder.path(), again.path()] {
        let store = start(folder, &options);
        assert_eq!(people(&store), 12);
        assert_eq!(see(&store).head(T).unwrap().seq, Seq(12));
    }
}

#[test]
fn r1_a_clean_stop_leaves_nothing_in_the_journal() {
    let home = tempfile::tempdir().unwrap();
    let store = start(home.path(), &RedbOptions::default());
    add(&store, 1..=3);
    drop(store);
    for file in [FIRST, SECOND] {
        assert_eq!(std::fs::metadata(home.path().join(file)).unwrap().len(), 0, "{file}");
    }
    assert_eq!(people(&start(home.path(), &RedbOptions::default())), 3);
}

#[test]
fn r1_a_record_that_the_power_tore_was_not_acknowledged_and_those_before_it_are_there() {
    let (folder, begins) = ten();
    let last = begins[9];
    let bytes = std::fs::read(folder.path().join(FIRST)).unwrap();
    let length = HEADER + Header::read(&bytes[last..]).unwrap().length;
    for kept in [0, 1, 3, 8, HEADER - 1, HEADER, HEADER + 1, length / 2, length - 1] {
        let torn = copy(folder.path());
        change(torn.path(), FIRST, |bytes| bytes[last + kept..last + length].fill(0xa5));
        let store = start(torn.path(), &RedbOptions::default());
        assert_eq!(people(&store), 9, "{kept}");
        // What comes next takes the place of what was torn, and the number that it had.
        add(&store, 10..=10);
        let killed = copy(torn.path());
        assert_eq!(people(&start(killed.path(), &RedbOptions::default())), 10, "{kept}");
    }
}

#[test]
fn r1_room_whose_flush_failed_is_made_once_more_before_a_record_goes_there() {
    // Whether a failed flush reaches the disk all the same, the seed says.
    for seed in 0..16 {
        let simulated = SimulatedDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
        let store = on_disk(&disk, &RedbOptions::default()).unwrap();
        // The first commit makes room, and its flush fails.
        simulated.trouble(Trouble::FailedSync, 0);
        assert!(store.commit(T, put(&person(1, "p1"))).is_err());
        let patience = Instant::now() + Duration::from_secs(20);
        while store.health().state != State::Ready {
            assert!(Instant::now() < patience, "{seed}: it does not recover");
            std::thread::yield_now();
        }
        add(&store, 2..=4);
        simulated.crash();
        drop(store);
        let store = on_disk(&disk, &RedbOptions::default()).unwrap_or_else(|error| panic!("{seed}: {error}"));
        let there = people(&store);
        assert!((3..=4).contains(&there), "{seed}: {there}");
    }
}

#[test]
fn r9_damage_before_the_last_record_is_no_torn_tail_and_is_named() {
    let (folder, begins) = ten();
    for (number, at) in begins.iter().take(9).enumerate() {
        for damaged in [*at, at + 9, at + HEADER + 5] {
            let other = copy(folder.path());
            change(other.path(), FIRST, |bytes| bytes[damaged] ^= 0x40);
            let why = refused(other.path());
            assert!(why.contains(FIRST) && why.contains("makes no sense at byte"), "{number}: {why}");
            assert!(why.contains("restore a backup"), "{why}");
            let blank = copy(folder.path());
            change(blank.path(), FIRST, |bytes| bytes[*at..at + BLOCK].fill(0));
            assert!(refused(blank.path()).contains(FIRST), "{number}");
        }
    }
}

#[test]
fn r9_a_journal_that_was_cut_or_taken_away_is_named() {
    let (folder, begins) = ten();
    for length in [1, begins[3], begins[9] + 7] {
        let cut = copy(folder.path());
        change(cut.path(), FIRST, |bytes| bytes.truncate(length));
        let why = refused(cut.path());
        assert!(why.contains(FIRST) && why.contains("it was cut"), "{why}");
    }
    for file in [FIRST, SECOND] {
        let lost = copy(folder.path());
        std::fs::remove_file(lost.path().join(file)).unwrap();
        let why = refused(lost.path());
        assert!(why.contains(file) && why.contains("is missing"), "{why}");
    }
}

/// A store whose tree is held up, so that what it set aside stands in one file and what came since in the other.
fn two_rounds() -> (tempfile::TempDir, u64) {
    let home = tempfile::tempdir().unwrap();
    let options = RedbOptions { journal_bytes: 40_000, ..RedbOptions::default() };
    let store = start(home.path(), &options);
    let place = home.path().join("roster.redb").display().to_string();
    let armed = arm(Point::TreeBefore, &place, Fault::Pause, 0);
    let mut number = 0;
    while armed.struck() == 0 {
        number += 1;
        add(&store, number..=number);
    }
    add(&store, number + 1..=number + 3);
    let killed = copy(home.path());
    drop(armed);
    (killed, u64::from(number) + 3)
}

#[test]
fn r1_a_kill_while_the_tree_is_written_loses_neither_round() {
    let (folder, expected) = two_rounds();
    let options = RedbOptions { journal_bytes: 40_000, ..RedbOptions::default() };
    let store = start(folder.path(), &options);
    assert_eq!(people(&store), expected);
    let before = everything(&*see(&store), T);
    drop(store);
    assert_eq!(everything(&*see(&start(folder.path(), &options)), T), before);
}

#[test]
fn r9_a_round_that_is_gone_is_missed() {
    for file in [FIRST, SECOND] {
        let (folder, _) = two_rounds();
        let other = copy(folder.path());
        change(other.path(), file, |bytes| bytes.fill(0));
        if file == FIRST {
            let why = refused(other.path());
            assert!(why.contains("lacks the batches from 1 to"), "{why}");
        } else {
            // Nothing tells a last round that was wiped from one that was never begun: so much the design admits.
            start(other.path(), &RedbOptions::default());
        }
    }
}

#[test]
fn r8_what_a_failed_flush_left_in_the_file_is_not_brought_back() {
    let home = tempfile::tempdir().unwrap();
    let options = RedbOptions::default();
    let store = start(home.path(), &options);
    add(&store, 1..=2);
    let place = home.path().join("roster.redb").display().to_string();
    let armed = arm(Point::DiskFlush, &place, Fault::Error, 0);
    let failed = store.commit(T, put(&person(3, "eve")));
    assert!(matches!(failed, Err(StoreError::Fatal(_))), "{failed:?}");
    drop(armed);
    while store.commit(T, put(&person(4, "ida"))).is_err() {
        std::thread::yield_now();
    }
    let expected = everything(&*see(&store), T);
    assert!(see(&store).get(T, user(3)).unwrap().is_none(), "refused, and not there");
    let killed = copy(home.path());
    assert_eq!(everything(&*see(&start(killed.path(), &options)), T), expected);
    drop(store);
    assert_eq!(everything(&*see(&start(home.path(), &options)), T), expected);
}

#[test]
fn r5_opening_after_a_kill_writes_nothing_into_the_tree_first() {
    let (folder, _) = ten();
    let place = folder.path().join("roster.redb").display().to_string();
    // The first write is that of opening the tree itself.
    let armed = arm(Point::TreeBefore, &place, Fault::Pause, 1);
    let store = start(folder.path(), &RedbOptions::default());
    assert_eq!(people(&store), 10);
    drop(armed);
}
