//! The store on sled: states that stay, faults, and folders of others.

use std::time::Duration;

use super::*;
use crate::store::failpoints::{Fault, arm};
use crate::store::folder::FolderError;
use crate::store::kv::Table;
use crate::store::kv::copy::digest;
use crate::store::suite::fixture::{T, everything, ok, person, put, see, user};
use crate::store::{Outcome, Seq, State, Store, redb};

fn options() -> SledOptions {
    SledOptions {
        cache_bytes: 1 << 20,
        writer: WriterOptions { queue_max: 4, pause: Duration::from_millis(1), ..WriterOptions::default() },
    }
}

fn insist(store: &dyn Store, number: u32) -> Seq {
    loop {
        match store.commit(T, put(&person(number, &format!("p{number}")))) {
            Ok(Outcome::Committed { seq }) => return seq,
            Ok(Outcome::Lost(given)) => panic!("lost {given:?}"),
            Err(_) => std::thread::yield_now(),
        }
    }
}

fn changes(rows: &[(u8, Option<&[u8]>)]) -> Changes {
    let mut changes = Changes::default();
    for (key, value) in rows {
        changes.set(Table::Small, vec![*key], value.map(Arc::from));
    }
    changes
}

fn rows(state: &dyn KvRead) -> Vec<(u8, Vec<u8>)> {
    let mut onward = vec![];
    let mut back = vec![];
    let note = |rows: &mut Vec<(u8, Vec<u8>)>, key: &[u8], value: &[u8]| {
        rows.push((key[0], value.to_vec()));
        Ok(std::ops::ControlFlow::Continue(()))
    };
    state.scan(Table::Small, &[], &[0xff; 4], &mut |key, value| note(&mut onward, key, value)).unwrap();
    state.scan_back(Table::Small, &[], &[0xff; 4], &mut |key, value| note(&mut back, key, value)).unwrap();
    back.reverse();
    assert_eq!(onward, back);
    let last = state.last(Table::Small, &[], &[0xff; 4]).unwrap();
    assert_eq!(last.map(|(key, value)| (key[0], value.to_vec())), onward.last().cloned());
    for (key, value) in &onward {
        assert_eq!(state.get(Table::Small, &[*key]).unwrap().as_deref(), Some(value.as_slice()));
    }
    onward
}

fn engine(folder: &Path) -> (Engine, Arc<dyn KvRead>) {
    let path = folder.join(DIR);
    disk::make_anew(&path).unwrap();
    let mut engine = Engine::at(path, &options());
    let state = engine.reopen().unwrap();
    (engine, state)
}

#[test]
fn every_state_stays_as_it_is_while_the_engine_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let (mut engine, state) = engine(home.path());
    let mut expected: std::collections::BTreeMap<u8, Vec<u8>> = std::collections::BTreeMap::new();
    let mut states = vec![(state, expected.clone())];
    let mut dice = 12345_u32;
    for round in 0..60_u8 {
        let mut wanted = vec![];
        for _ in 0..8 {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = dice.to_be_bytes()[1] % 40;
            let value = (dice >> 28 > 4).then(|| vec![round; 3]);
            match &value {
                Some(value) => drop(expected.insert(key, value.clone())),
                None => drop(expected.remove(&key)),
            }
            wanted.push((key, value));
        }
        let wanted: Vec<_> = wanted.iter().map(|(key, value)| (*key, value.as_deref())).collect();
        states.push((engine.commit(&changes(&wanted)).unwrap(), expected.clone()));
        // Some are let go of in between, so that what is kept is dropped as well.
        if round % 3 == 0 {
            states.remove(usize::from(round) % states.len());
        }
        for (state, expected) in &states {
            assert_eq!(rows(&**state), expected.clone().into_iter().collect::<Vec<_>>(), "{round}");
        }
    }
    // Whatever is opened again, whoever holds a state keeps it.
    engine.reopen().unwrap();
    for (state, expected) in &states {
        assert_eq!(rows(&**state), expected.clone().into_iter().collect::<Vec<_>>());
    }
    drop(states.drain(..states.len() - 1));
    drop(engine.commit(&changes(&[(1, None)])).unwrap());
    assert!(engine.shared.kept() <= 1, "nothing is kept for nobody");
}

#[test]
fn what_is_kept_for_old_states_is_bounded_and_their_readers_are_told() {
    let home = tempfile::tempdir().unwrap();
    let (mut engine, _) = engine(home.path());
    let large = vec![7; 100_000];
    let old = engine.commit(&changes(&[(1, Some(&large))])).unwrap();
    let mut latest = None;
    for _ in 0..40 {
        latest = Some(engine.commit(&changes(&[(1, Some(&large))])).unwrap());
    }
    assert!(matches!(old.get(Table::Small, &[1]), Err(StoreError::Retry(_))));
    assert!(latest.unwrap().get(Table::Small, &[1]).unwrap().is_some());
}

#[test]
fn r8_an_error_at_any_point_is_told_and_overcome_on_sled() {
    for point in Point::OF_A_BATCH.into_iter().chain([Point::CommitBefore]) {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join(DIR).display().to_string();
        let store = open(home.path(), &options()).unwrap();
        insist(&store, 1);
        let before = everything(&*see(&store), T);
        let armed = arm(point, &place, Fault::Error, 0);
        let failed = store.commit(T, put(&person(2, "eve")));
        assert!(matches!(failed, Err(StoreError::Fatal(_))), "{point:?}: {failed:?}");
        if point == Point::DiskFlush {
            armed.wait_until_struck(3);
            assert_eq!(store.health().state, State::Poisoned);
            assert_eq!(
                everything(&*see(&store), T),
                before,
                "reading goes on, without what was not acknowledged"
            );
        }
        drop(armed);
        insist(&store, 3);
        assert_eq!(store.health().state, State::Ready, "{point:?}");
        assert_eq!(store.check(&mut |_| {}).unwrap(), [], "{point:?}");
        let before = everything(&*see(&store), T);
        drop(store);
        assert_eq!(everything(&*see(&open(home.path(), &options()).unwrap()), T), before, "{point:?}");
    }
}

#[test]
fn r7_a_full_disk_is_told_as_such_on_sled() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join(DIR).display().to_string();
    let store = open(home.path(), &options()).unwrap();
    insist(&store, 1);
    let armed = arm(Point::DiskWrite, &place, Fault::Full, 0);
    let failed = store.commit(T, put(&person(2, "eve")));
    assert!(matches!(failed, Err(StoreError::Full(_))), "{failed:?}");
    assert_eq!(store.health().state, State::Full);
    drop(armed);
    insist(&store, 3);
    assert!(see(&store).get(T, user(2)).unwrap().is_none());
}

#[test]
fn a_folder_of_another_engine_is_refused_and_told_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    drop(open(home.path(), &options()).unwrap());
    let refused = redb::open(home.path(), &redb::RedbOptions::default()).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::Folder(FolderError::Anothers { found: "sled", .. })), "{refused}");
    let home = tempfile::tempdir().unwrap();
    drop(redb::open(home.path(), &redb::RedbOptions::default()).unwrap());
    let refused = open(home.path(), &options()).map(drop).unwrap_err().to_string();
    let parts =
        ["holds a store of redb", "store.engine = \"redb\"", "rosterd store export", "rosterd store import"];
    assert!(parts.iter().all(|part| refused.contains(part)), "{refused}");
}

#[test]
fn a_store_with_values_too_long_for_the_log_is_the_same_after_reopening() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path(), &options()).unwrap();
    for number in 0..300 {
        ok(&store, put(&person(number, &format!("{number}-{}", "x".repeat(900)))));
    }
    // Too long for sled's log, so it gets a file of its own.
    let long = format!("{}-long", "y".repeat(300_000));
    let mut record = person(1000, "long");
    record.segments[0].json = format!(r#"{{"userName":"{long}"}}"#);
    ok(&store, put(&record));
    let before = digest(&*store.rows().unwrap()).unwrap();
    drop(store);
    let store = open(home.path(), &options()).unwrap();
    assert_eq!(digest(&*store.rows().unwrap()).unwrap(), before);
    assert_eq!(store.check(&mut |_| {}).unwrap(), []);
}

#[test]
fn r1c_r9_a_snapshot_that_was_being_written_when_the_power_went_keeps_nobody_out() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path(), &options()).unwrap();
    ok(&store, put(&person(1, "ada")));
    drop(store);
    // Half of one that would be the newest, and one that has not a byte yet.
    for (name, bytes) in
        [("snap.00000000FFFFFFFF.generating", &[7; 100][..]), ("snap.00000000FFFFFFFE.generating", &[])]
    {
        std::fs::write(home.path().join(DIR).join(name), bytes).unwrap();
    }
    let store = open(home.path(), &options()).unwrap();
    assert!(see(&store).get(T, user(1)).unwrap().is_some());
    insist(&store, 2);
    assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
    drop(store);
    // A damaged one that has its name is damage, and is said to be.
    std::fs::write(home.path().join(DIR).join("snap.00000000FFFFFFFF"), [7; 100]).unwrap();
    let refused = open(home.path(), &options()).map(drop).unwrap_err().to_string();
    assert!(refused.contains("damaged") && refused.contains("rosterd restore"), "{refused}");
}
