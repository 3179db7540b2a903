//! R13: what providers say and are answered, on PostgreSQL.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::conformance::play::play;
use crate::support::Engine;
use crate::support::ground::on_postgresql;

/// Files that are played at once: a daemon each, that waits for the database most of the time.
const AT_ONCE: usize = 4;

/// Every folder of transcripts that are played on any store, and what is in it.
fn files() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let mut found = Vec::new();
    for folder in crate::conformance::FOLDERS {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if Path::new(&name).extension().is_some_and(|end| end == "http") {
                found.push(format!("{folder}/{name}"));
            }
        }
    }
    found.sort_unstable();
    found
}

#[test]
fn r13_every_transcript_is_played_on_postgresql() {
    on_postgresql(|| {
        let (files, next, failed) = (files(), AtomicUsize::new(0), Mutex::new(Vec::new()));
        assert!(files.len() > 100, "{files:?}");
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if std::panic::catch_unwind(|| play(file, Engine::Redb)).is_err() {
                            failed.lock().unwrap().push(file.clone());
                        }
                    }
                });
            }
        });
        assert_eq!(failed.into_inner().unwrap(), Vec::<String>::new());
    });
}
