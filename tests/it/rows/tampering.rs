//! X59, R9: somebody who can write the data folder changes the history behind the daemon's back, and `rosterd audit verify` finds it.

use std::path::Path;

use redb::{Database, ReadableTable, TableDefinition};
use rosterd::store::seal::{seal, unseal};

use crate::support::bodies::user;
use crate::support::{Dice, TestDaemon, repeats};

/// The table that holds the history, and the key of one entry: tenant, drawer, number.
const SMALL: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("small");

fn entry(number: u64) -> Vec<u8> {
    [&1_u32.to_be_bytes()[..], b"l", &number.to_be_bytes()].concat()
}

/// Changes the bytes of one row; returns what stood there.
fn change(file: &Path, key: &[u8], change: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let database = Database::open(file).unwrap();
    let writing = database.begin_write().unwrap();
    let before = {
        let mut table = writing.open_table(SMALL).unwrap();
        let before = table.get(key).unwrap().expect("an entry of that number").value().to_vec();
        table.insert(key, change(&before).as_slice()).unwrap();
        before
    };
    writing.commit().unwrap();
    before
}

#[test]
fn x59_r9_an_entry_changed_in_the_file_is_found_with_and_without_its_checksum() {
    let mut daemon = TestDaemon::start();
    while daemon.history_length() < 100 {
        let _ =
            daemon.client().post("/Users", &user(&format!("user-{}", daemon.history_length()))).expect(201);
    }
    daemon.must_be_sound();
    assert!(daemon.terminate().0.success());
    daemon.must_be_sound();
    let file = daemon.data().join("roster.redb");
    let mut dice = Dice::new(59);
    for round in 0..repeats(24, 400) {
        let key = entry(1 + dice.next() % 100);
        let forger = round % 2 == 0;
        let mut place = 0;
        let before = change(&file, &key, |sealed| {
            let mut bytes = if forger { unseal(&key, sealed).unwrap().to_vec() } else { sealed.to_vec() };
            place = dice.below(bytes.len());
            bytes[place] ^= 1 << dice.below(8);
            if forger { seal(&key, &bytes) } else { bytes }
        });
        let output = daemon.cli(&["audit", "verify"]);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(
            matches!(output.status.code(), Some(1 | 3)),
            "{key:?}, byte {place}, forger: {forger}: {said}"
        );
        assert!(!said.trim().is_empty());
        change(&file, &key, |_| before);
        daemon.must_be_sound();
    }
}
