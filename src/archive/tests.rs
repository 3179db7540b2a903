//! Files of every kind of damage, and what becomes of them.

use std::path::{Path, PathBuf};

use super::*;
use crate::store::Store;
use crate::store::kv::copy::digest;
use crate::store::redb::{self, OpenError, RedbOptions, open};
use crate::store::suite::fixture::{T, everything, ok, person, put, see, team, unit, user};

const SHAPES: [Shape; 2] = [Shape::Backup, Shape::Lines];

fn options() -> RedbOptions {
    RedbOptions { cache_bytes: 1 << 20, ..RedbOptions::default() }
}

fn header() -> Header {
    Header::new("2026-01-02T03:04:05Z".parse().unwrap(), "redb")
}

/// A store with people in a team.
fn world(folder: &Path, people: u32) -> impl Store + use<> {
    let store = open(folder, &options()).unwrap();
    ok(&store, put(&team(1)));
    for number in 2..people + 2 {
        ok(&store, put(&person(number, &format!("p{number}"))).about(user(number)));
        ok(&store, unit().add(1, user(number)));
    }
    store
}

fn written(store: &dyn Store, shape: Shape) -> Vec<u8> {
    let mut out = Vec::new();
    let done = write(&*store.rows().unwrap(), &header(), shape, &mut out, &mut |_| {}).unwrap();
    assert!(done.rows > 0);
    out
}

fn verified(bytes: &[u8], shape: Shape) -> Result<Verified, ArchiveError> {
    verify(bytes, shape, &mut |_| {})
}

fn restored(folder: &Path, bytes: &[u8], shape: Shape) -> Filled {
    let good = verified(bytes, shape).unwrap();
    let into = redb::fill(folder, &source_of(&good), &options()).unwrap();
    fill(into, bytes, shape, &good, &mut |_| {}).unwrap()
}

#[test]
fn r11_what_was_written_fills_an_empty_folder_with_the_same_rows() {
    for shape in SHAPES {
        let home = tempfile::tempdir().unwrap();
        let store = world(&home.path().join("old"), 50);
        let bytes = written(&store, shape);
        let new = home.path().join("new");
        // A key that was put there beforehand is no obstacle.
        std::fs::create_dir(&new).unwrap();
        std::fs::write(new.join("seal.key"), "key").unwrap();
        let filled = restored(&new, &bytes, shape);
        assert_eq!(filled.findings, []);
        let again = open(&new, &options()).unwrap();
        assert_eq!(everything(&*see(&again), T), everything(&*see(&store), T));
        assert_eq!(digest(&*again.rows().unwrap()).unwrap(), digest(&*store.rows().unwrap()).unwrap());
        assert_eq!(written(&again, shape), bytes, "to the last byte");
        let head = see(&store).head(T).unwrap().seq.0;
        ok(&again, put(&person(900, "later")));
        assert_eq!(see(&again).head(T).unwrap().seq.0, head + 1);
    }
}

#[test]
fn r11_a_flipped_cut_or_appended_byte_is_named_wherever_it_is() {
    for shape in SHAPES {
        let home = tempfile::tempdir().unwrap();
        let good = written(&world(home.path(), 4), shape);
        assert!(verified(&good, shape).is_ok());
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << (at % 8);
            let refused = verified(&flipped, shape).map(drop).unwrap_err();
            assert!(!matches!(refused, ArchiveError::Io(_) | ArchiveError::Store(_)), "{at}: {refused}");
            let cut = verified(&good[..at], shape).map(drop).unwrap_err();
            assert!(matches!(cut, ArchiveError::Damaged { .. } | ArchiveError::NotOne), "{at}: {cut}");
        }
        for more in [&b"\n"[..], b" ", b"\0", b"{}\n", &good] {
            let refused = verified(&[&good, more].concat(), shape).map(drop).unwrap_err();
            let what = "something follows where it should end";
            assert!(
                matches!(&refused, ArchiveError::Damaged { at, what: found } if *at == good.len() as u64 && found == what),
                "{refused}"
            );
        }
    }
}

#[test]
fn r11_a_damaged_part_is_named_by_its_place_and_others_are_told_apart() {
    let home = tempfile::tempdir().unwrap();
    let store = world(home.path(), 400);
    let good = written(&store, Shape::Backup);
    let mut flipped = good.clone();
    let middle = good.len() / 2;
    flipped[middle] ^= 4;
    let told = verified(&flipped, Shape::Backup).unwrap_err().to_string();
    let at: u64 =
        told.strip_prefix("it is damaged at byte ").unwrap().split(':').next().unwrap().parse().unwrap();
    assert!(at <= middle as u64 && told.ends_with("nothing was taken from it"), "{told}");
    let told = verified(&good, Shape::Lines).unwrap_err().to_string();
    assert_eq!(told, "expected a file of rosterd store export, found a backup; rosterd restore takes it");
    let told = verified(&written(&store, Shape::Lines), Shape::Backup).unwrap_err().to_string();
    assert_eq!(told, "expected a file of rosterd backup, found an export; rosterd store import takes it");
    for strange in [&b""[..], b"hello", b"\x1f\x8b", b"ROSTERD"] {
        assert!(verified(strange, Shape::Backup).is_err());
    }
}

#[test]
fn r12_files_of_a_newer_build_are_refused_and_say_so() {
    let home = tempfile::tempdir().unwrap();
    let store = world(home.path(), 1);
    let state = store.rows().unwrap();
    for shape in SHAPES {
        let newer = Header { layout: FORMAT + 1, ..header() };
        let mut out = Vec::new();
        write(&*state, &newer, shape, &mut out, &mut |_| {}).unwrap();
        let refused = verified(&out, shape).unwrap_err();
        assert!(matches!(refused, ArchiveError::Newer { found, .. } if found == FORMAT + 1), "{refused}");
        assert!(refused.to_string().ends_with("use the newer build"), "{refused}");
    }
    let mut bytes = written(&store, Shape::Backup);
    bytes[19] = 2;
    assert!(matches!(verified(&bytes, Shape::Backup), Err(ArchiveError::Newer { found: 2, known: 1, .. })));
    let text =
        String::from_utf8(written(&store, Shape::Lines)).unwrap().replacen("\"format\":1", "\"format\":2", 1);
    assert!(matches!(
        verified(text.as_bytes(), Shape::Lines),
        Err(ArchiveError::Newer { found: 2, known: 1, .. })
    ));
}

#[test]
fn a_row_longer_than_a_frame_and_rows_that_shrink_to_nothing_come_back() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path(), &options()).unwrap();
    for (key, value) in [(&b"dull"[..], &vec![7; 3 << 20][..]), (b"empty", &[])] {
        ok(&store, unit().small(key, Some(value)));
    }
    for shape in SHAPES {
        let bytes = written(&store, shape);
        let good = verified(&bytes, shape).unwrap();
        assert_eq!(good.digest, digest(&*store.rows().unwrap()).unwrap());
    }
}

#[test]
fn r11_only_an_empty_folder_is_filled_and_a_broken_off_one_is_no_store() {
    let home = tempfile::tempdir().unwrap();
    let (old, new) = (home.path().join("old"), home.path().join("new"));
    let store = world(&old, 20);
    let bytes = written(&store, Shape::Backup);
    let good = verified(&bytes, Shape::Backup).unwrap();
    drop(store);
    let refused = redb::fill(&old, "x", &options()).map(drop).unwrap_err().to_string();
    assert!(refused.contains("has data already (format ") && refused.contains("--data"), "{refused}");
    std::fs::remove_file(old.join("FORMAT")).unwrap();
    let refused = redb::fill(&old, "x", &options()).map(drop).unwrap_err().to_string();
    assert!(refused.contains("has data already (roster."), "{refused}");

    drop(redb::fill(&new, &source_of(&good), &options()).unwrap());
    let refused = open(&new, &options()).map(drop).unwrap_err();
    assert!(
        matches!(refused, OpenError::Folder(_)) && refused.to_string().contains("is not whole"),
        "{refused}"
    );
    assert!(refused.to_string().contains("rosterd restore"), "{refused}");
    let refused = redb::fill(&new, "another", &options()).map(drop).unwrap_err().to_string();
    assert!(refused.contains("from another copy"), "{refused}");
    assert_eq!(restored(&new, &bytes, Shape::Backup).findings, []);
    open(&new, &options()).map(drop).unwrap();
}

#[test]
fn a_file_gets_its_name_when_it_was_read_back_and_never_anothers() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let store = world(&home.path().join("data"), 3);
    let bytes = written(&store, Shape::Backup);
    let path = home.path().join("some.backup");
    let files = || std::fs::read_dir(home.path()).unwrap().count();
    let before = files();
    let refused = place(&path, Shape::Backup, |out| out.write_all(&bytes[..bytes.len() - 1])).unwrap_err();
    assert!(matches!(refused, Refusal::ReadBack { .. }), "{refused}");
    let refused = place(&path, Shape::Backup, |_| Err(io::Error::other("no more"))).unwrap_err();
    assert_eq!(refused.to_string(), "no more");
    assert_eq!(files(), before, "nothing is left");
    // What a run left there that was killed.
    std::fs::write(home.path().join("some.backup.unfinished"), vec![1; 100_000]).unwrap();
    let placed = place(&path, Shape::Backup, |out| out.write_all(&bytes)).unwrap();
    assert_eq!((placed.bytes, std::fs::read(&path).unwrap()), (bytes.len() as u64, bytes.clone()));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let refused = place(&path, Shape::Backup, |out| out.write_all(&bytes)).unwrap_err();
    assert!(matches!(refused, Refusal::Exists(_)), "{refused}");
    assert_eq!(files(), before + 1);
    // Also where the other one comes meanwhile.
    let late = home.path().join("late.backup");
    let refused = place(&late, Shape::Backup, |out| {
        std::fs::write(&late, "mine").unwrap();
        out.write_all(&bytes)
    });
    assert!(matches!(refused, Err(Refusal::Exists(_))));
    assert_eq!(std::fs::read(&late).unwrap(), b"mine");
}

#[test]
fn r35_the_seeds_hold_files_that_are_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/backup");
    for (name, shape, rows) in [
        ("empty", Shape::Backup, 0),
        ("one", Shape::Backup, 1),
        ("ten", Shape::Backup, 10),
        ("two_frames", Shape::Backup, 10),
        ("pressed", Shape::Backup, 1),
        ("lines_empty", Shape::Lines, 0),
        ("lines", Shape::Lines, 3),
    ] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        assert_eq!(verified(&bytes, shape).unwrap().digest.rows, rows, "{name}");
    }
    let refused = |name: &str| {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let shape = if name.starts_with("lines") { Shape::Lines } else { Shape::Backup };
        verified(&bytes, shape).map(drop).unwrap_err().to_string()
    };
    for (name, part) in [
        ("bomb", "cannot be stored in"),
        ("huge_length", "expected a length of at most"),
        ("swapped", "out of its order"),
        ("count", "expected 2 rows, found 1"),
        ("tail", "something follows"),
        ("table_7", "not made of rows"),
        ("layout_0", "found 0"),
        ("layout_9999", "use the newer build"),
        ("lines_last_spaced", "SHA-256"),
        ("lines_base64", "expected base64"),
    ] {
        assert!(refused(name).contains(part), "{name}: {}", refused(name));
    }
}

/// The oldest layout of which there are files that a build which was released has written.
const OLDEST_RELEASED: u32 = 3;

fn golden(layout: u32, ending: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/archive/golden/layout-{layout}.{ending}"))
}

/// Makes the files of a new layout: run once, with ROSTERD_TEST_WRITE=golden, when a build of that layout is released.
fn write_golden() {
    let home = tempfile::tempdir().unwrap();
    let store = world(home.path(), 3);
    for (shape, ending) in [(Shape::Backup, "backup"), (Shape::Lines, "jsonl")] {
        std::fs::write(golden(FORMAT, ending), written(&store, shape)).unwrap();
    }
}

#[test]
fn r12_a_file_of_every_released_layout_fills_a_folder_with_everything() {
    if std::env::var_os("ROSTERD_TEST_WRITE").is_some_and(|what| what == "golden") {
        write_golden();
    }
    let home = tempfile::tempdir().unwrap();
    let expected = everything(&*see(&world(&home.path().join("now"), 3)), T);
    for layout in OLDEST_RELEASED..=FORMAT {
        for (shape, ending) in [(Shape::Backup, "backup"), (Shape::Lines, "jsonl")] {
            let path = golden(layout, ending);
            let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let bytes = bytes.as_slice();
            assert_eq!(verified(bytes, shape).unwrap().header.layout, layout);
            let new = home.path().join(format!("{layout}-{}", shape.name()));
            assert_eq!(restored(&new, bytes, shape).findings, []);
            assert_eq!(everything(&*see(&open(&new, &options()).unwrap()), T), expected);
        }
    }
}

#[test]
fn r12_a_file_of_an_earlier_layout_gets_what_that_did_not_have() {
    let home = tempfile::tempdir().unwrap();
    let store = world(&home.path().join("old"), 8);
    // As format 2 had it: entries of the history are not found by what they are about.
    let older = Header { layout: 2, ..header() };
    let mut bytes = Vec::new();
    let mut writer = frames::Writer::begin(&mut bytes, &older).unwrap();
    let mut left_out = 0;
    crate::store::kv::copy::each(&*store.rows().unwrap(), &mut |table, key, value| {
        if table == Table::Small && key[4] == b'a' {
            left_out += 1;
        } else {
            writer.row(table, key, value).unwrap();
        }
        Ok(std::ops::ControlFlow::Continue(()))
    })
    .unwrap();
    writer.finish().unwrap();
    assert_eq!(left_out, 8);
    let new = home.path().join("new");
    assert_eq!(restored(&new, &bytes, Shape::Backup).findings, []);
    let again = open(&new, &options()).unwrap();
    assert_eq!(digest(&*again.rows().unwrap()).unwrap(), digest(&*store.rows().unwrap()).unwrap());
}

#[test]
fn what_did_not_fit_in_the_old_store_is_restored_as_it_was_and_named() {
    let home = tempfile::tempdir().unwrap();
    let store = world(&home.path().join("old"), 2);
    let mut bytes = Vec::new();
    let mut writer = frames::Writer::begin(&mut bytes, &header()).unwrap();
    crate::store::kv::copy::each(&*store.rows().unwrap(), &mut |table, key, value| {
        // A user whom nobody finds by name any more.
        if !(table == Table::Small && key[4] == b'u') {
            writer.row(table, key, value).unwrap();
        }
        Ok(std::ops::ControlFlow::Continue(()))
    })
    .unwrap();
    writer.finish().unwrap();
    let new = home.path().join("new");
    let filled = restored(&new, &bytes, Shape::Backup);
    assert!(
        filled.findings.iter().any(|finding| finding.what.contains("has no key in unique index")),
        "{filled:?}"
    );
    open(&new, &options()).map(drop).unwrap();
}

#[test]
#[cfg(feature = "sled")]
fn r11_rows_go_from_one_engine_to_the_other_and_back_unchanged() {
    use crate::store::sled;
    let home = tempfile::tempdir().unwrap();
    let store = world(&home.path().join("redb"), 60);
    let expected = digest(&*store.rows().unwrap()).unwrap();
    let bytes = written(&store, Shape::Lines);
    let good = verified(&bytes, Shape::Lines).unwrap();
    let there = home.path().join("sled");
    let into = sled::fill(&there, &source_of(&good), &sled::SledOptions::default()).unwrap();
    assert_eq!(fill(into, &bytes[..], Shape::Lines, &good, &mut |_| {}).unwrap().findings, []);
    let other = sled::open(&there, &sled::SledOptions::default()).unwrap();
    assert_eq!(digest(&*other.rows().unwrap()).unwrap(), expected);
    let back = written(&other, Shape::Lines);
    let again = home.path().join("again");
    assert_eq!(restored(&again, &back, Shape::Lines).findings, []);
    assert_eq!(digest(&*open(&again, &options()).unwrap().rows().unwrap()).unwrap(), expected);
}
