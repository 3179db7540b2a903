//! R35: what the fuzz targets start from (`fuzz/seeds/<target>/`), replayed as plain tests, whole and cut off.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use rosterd::archive::hostile::backup;
use rosterd::idp::hostile::{TARGETS, Target};
use rosterd::jwt::hostile as jwt;
use rosterd::requests::hostile::spans;
use rosterd::roster::hostile::cursor;

/// How often each seed is cut off, at places spread over its length.
const CUTS: usize = 24;
/// Largest seed: they are kept in the repository and replayed on every run.
const SEED_BYTES_MAX: usize = 16 << 10;

/// Every target, with the room that its body stands in.
fn targets() -> impl Iterator<Item = (&'static str, &'static str, Target)> {
    let of_idp = TARGETS.into_iter().map(|(name, run)| (name, "idp", run));
    of_idp.chain([
        ("assertion", "jwt", jwt::assertion as Target),
        ("backup", "archive", backup),
        ("cursor", "roster", cursor),
        ("keys", "jwt", jwt::keys),
        ("spans", "requests", spans),
    ])
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The names in a folder, without their endings.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn r35_every_target_has_a_body_a_file_and_seeds() {
    let bodies: BTreeSet<String> = targets().map(|(name, ..)| name.to_owned()).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets")), bodies);
    assert_eq!(names(&fuzz().join("seeds")), bodies);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for (name, room, _) in targets() {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name} is not in fuzz/Cargo.toml"
        );
        let target = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(
            target.contains(&format!("rosterd::{room}::hostile::{name}(bytes)")),
            "{name} calls another body"
        );
    }
}

#[test]
fn r35_seeds_do_no_harm_whole_or_cut_off() {
    let mut harmful = Vec::new();
    for (target, _, run) in targets() {
        let folder = fuzz().join("seeds").join(target);
        let mut seeds: Vec<PathBuf> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        seeds.sort();
        assert!(seeds.len() >= 20, "{target} has {} seeds", seeds.len());
        for seed in seeds {
            let bytes = fs::read(&seed).unwrap();
            assert!(
                bytes.len() <= SEED_BYTES_MAX,
                "{} is larger than {SEED_BYTES_MAX} bytes",
                seed.display()
            );
            let lengths: BTreeSet<usize> = (0..=CUTS).map(|part| bytes.len() * part / CUTS).collect();
            for length in lengths {
                if catch_unwind(|| run(&bytes[..length])).is_err() {
                    harmful.push(format!("the first {length} bytes of {}", seed.display()));
                }
            }
        }
    }
    assert!(harmful.is_empty(), "what went wrong is told above:\n{}", harmful.join("\n"));
}
