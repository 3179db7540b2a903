//! `rosterd check`: 0 when all fits, 3 or 1 with a sentence when it does not. Never 0 on damage that it could have seen.

use super::{Site, rosterd};
use crate::support::bodies::{group, user};
use crate::support::{Dice, repeats};

#[test]
fn a_good_folder_fits_with_and_without_a_daemon() {
    Site::each(|site| {
        let checked = site.run(&["check"]).done();
        assert_eq!(
            (checked.out.as_str(), checked.err.as_str()),
            ("Everything fits.\n", "Reading everything in the store …\n")
        );
    });
}

#[test]
fn r9_damage_is_found_and_named_or_changes_nothing() {
    let mut site = Site::served();
    let client = site.serve().client();
    let ids: Vec<String> = (0..60)
        .map(|number| client.post("/Users", &user(&format!("user-{number}"))).expect(201).id())
        .collect();
    let members: Vec<&str> = ids.iter().map(String::as_str).collect();
    let _ = client.post("/Groups", &group("all", &members)).expect(201);
    site.stop();
    let whole = rosterd(&site.data(), &["audit", "export", "--tenant", "main"]).done().out;
    let file = site.data().join("roster.redb");
    let good = std::fs::read(&file).unwrap();

    // What cannot be overlooked: the file's halves, and a letter of a name wherever it stands (in some copy it is live).
    let mut misspelt = good.clone();
    let name = b"user-30";
    let places: Vec<usize> =
        good.windows(name.len()).enumerate().filter(|(_, found)| found == name).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    let half = places[0] & !4095;
    places.iter().for_each(|at| misspelt[at + 2] ^= 1);
    for (what, bytes) in [
        ("cut in the middle", good[..half].to_vec()),
        ("a tail of zeros", [&good[..half], &vec![0; good.len() - half]].concat()),
        ("no head", [&vec![0; 512], &good[512..]].concat()),
        ("empty", vec![]),
        ("misspelt", misspelt),
    ] {
        std::fs::write(&file, bytes).unwrap();
        assert!(finds_damage(&site, what), "{what}: nothing was found");
    }
    std::fs::remove_file(&file).unwrap();
    for command in [&["check"][..], &["tenant", "list"]] {
        let line = rosterd(&site.data(), command).failed();
        assert!(line.contains("roster.redb is missing") && line.contains("restore a backup"), "{line}");
    }
    // Anything, anywhere: pages that nothing refers to may be damaged without anybody's loss.
    let mut dice = Dice::new(5);
    for number in 0..repeats(24, 600) {
        let mut copy = good.clone();
        let at = 4096 + dice.below(copy.len() - 8192);
        match number % 3 {
            0 => copy[at] ^= 1 << dice.below(8),
            1 => copy[at..at + 64].fill(0xa5),
            _ => copy[at & !4095..(at & !4095) + 4096].fill(0),
        }
        std::fs::write(&file, copy).unwrap();
        if !finds_damage(&site, &format!("damage {number} at {at}")) {
            let exported = rosterd(&site.data(), &["audit", "export", "--tenant", "main"]).done().out;
            assert!(
                exported == whole,
                "damage {number} at {at}: check found nothing, but the history differs"
            );
        }
    }
}

/// Runs the check; fails unless it says in a sentence what it found and what to do, or that it found nothing.
fn finds_damage(site: &Site, what: &str) -> bool {
    let checked = rosterd(&site.data(), &["check"]);
    match checked.code {
        Some(0) => return false,
        Some(1) => {
            let line = checked.failed();
            assert!(line.starts_with(site.data().to_str().unwrap()), "{what}: {line}");
            assert!(line.contains("restore a backup") && !line.contains("internal error"), "{what}: {line}");
        }
        Some(3) => {
            assert!(
                !checked.out.is_empty() && checked.err.contains("restore a backup"),
                "{what}: {checked:?}"
            );
        }
        other => panic!("{what}: {other:?}: {checked:?}"),
    }
    true
}
