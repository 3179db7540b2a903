//! The picture of `docs/ARCHITECTURE.md`, compared with the source: who imports whom, how long files are, how they begin.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a file in `src`, its tests at the end not counted.
const LINES_MAX: usize = 600;

/// What may be imported by whom. A room may always import itself.
///
/// Inner rooms first. The rooms of the rim know those further in, and of each other only what is named here.
const PICTURE: &[(&str, &[&str])] = &[
    ("ids", &[]),
    ("clock", &[]),
    ("chance", &[]),
    ("scim", &["ids"]),
    ("idp", &["scim", "ids"]),
    ("psa", &["scim", "ids"]),
    ("store", &["ids"]),
    ("roster", &["store", "psa", "idp", "scim", "ids", "clock", "chance"]),
    ("plugins", &["roster", "psa", "scim", "ids", "clock"]),
    ("config", &[]),
    ("telemetry", &[]),
    ("audit", &["roster", "store", "ids"]),
    ("archive", &["store"]),
    ("net", &["config"]),
    ("jwt", &["net", "chance"]),
    ("mail", &["net"]),
    ("signin", &["jwt", "net", "chance"]),
    ("outbox", &["net", "config", "roster", "store", "scim", "ids", "clock", "chance"]),
    ("requests", &["roster", "scim", "ids"]),
    ("doctor", &["requests", "roster", "store", "idp", "scim", "ids"]),
    (
        "http",
        &[
            "doctor", "requests", "outbox", "archive", "signin", "jwt", "net", "roster", "store", "psa",
            "scim", "ids", "clock", "chance",
        ],
    ),
    ("demo", &["clock", "chance"]),
    ("bench", &["roster", "store", "ids", "clock", "chance"]),
    (
        "app",
        &[
            "http", "plugins", "signin", "mail", "doctor", "requests", "outbox", "jwt", "net", "config",
            "roster", "store", "psa", "ids", "clock", "chance",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "http",
            "demo",
            "bench",
            "audit",
            "archive",
            "doctor",
            "requests",
            "outbox",
            "plugins",
            "config",
            "telemetry",
            "roster",
        ],
    ),
];

/// The files that state the store's contract: the roster imports them, so they know ids and nothing else.
const CONTRACT: &[&str] = &["store/mod.rs", "store/unit.rs", "store/log.rs"];

/// A file of `src`.
struct Source {
    /// Its path below `src`, with slashes.
    path: String,
    text: String,
}

impl Source {
    /// The room: the first part of the path, without its extension.
    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The lines before the tests at the end.
    fn lines_without_tests(&self) -> Vec<&str> {
        let lines: Vec<&str> = self.text.lines().collect();
        let tests =
            lines.windows(2).rposition(|two| two[0] == "#[cfg(test)]" && two[1].starts_with("mod tests"));
        lines[..tests.unwrap_or(lines.len())].to_vec()
    }

    /// The rooms that are named after `crate::`, comments and tests aside.
    fn imports(&self) -> BTreeSet<String> {
        let code: Vec<&str> = self
            .lines_without_tests()
            .into_iter()
            .map(|line| line.split("//").next().unwrap_or_default())
            .collect();
        rooms_named_in(&code.join("\n"))
    }
}

/// Finds the first names after `crate::`, those of `use crate::{a::.., b};` among them.
fn rooms_named_in(code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut rooms = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let Some(group) = after.strip_prefix('{') else {
            rooms.insert(word(after));
            continue;
        };
        let mut depth = 0;
        let mut part = String::new();
        for character in group.chars() {
            match character {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    rooms.insert(word(&part));
                    part.clear();
                    continue;
                }
                _ => {}
            }
            part.push(character);
        }
        rooms.insert(word(&part));
    }
    rooms.remove("");
    rooms
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    assert!(found.len() > 20, "src was not found");
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source { path: name, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

#[test]
fn rooms_import_inwards_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let room = source.room();
        if ["lib", "main"].contains(&room) {
            continue;
        }
        let Some((_, allowed)) = PICTURE.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!(
                "{}: the room {room} is not in the picture (docs/ARCHITECTURE.md, and here)",
                source.path
            ));
            continue;
        };
        let allowed = if CONTRACT.contains(&source.path.as_str()) { &["ids"][..] } else { allowed };
        for import in source.imports() {
            let is_room = PICTURE.iter().any(|(name, _)| *name == import);
            if is_room && import != room && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{}: {room} must not import {import}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_picture_has_no_circle() {
    for (index, (room, allowed)) in PICTURE.iter().enumerate() {
        for inner in *allowed {
            let at = PICTURE.iter().position(|(name, _)| name == inner);
            assert!(at.is_some_and(|at| at < index), "{room} imports {inner}, which does not stand above it");
        }
    }
}

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md")).unwrap()
}

/// What stands between backticks.
fn quoted_in(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_room_stands_on_the_map() {
    let document = document();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let map: BTreeSet<String> =
        rows.flat_map(|cell| quoted_in(&format!("`{cell}")).map(str::to_owned).collect::<Vec<_>>()).collect();
    for source in sources() {
        let room = source.room();
        assert!(["lib", "main"].contains(&room) || map.contains(room), "{room} is not on the map: {map:?}");
    }
}

#[test]
fn the_files_that_the_document_names_exist() {
    let document = document();
    let places = ["src/", "config/", "tests/", "docs/"];
    let named: Vec<&str> =
        quoted_in(&document).filter(|name| places.iter().any(|place| name.starts_with(place))).collect();
    assert!(named.len() > 5, "{named:?}");
    for name in named {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(name).exists(), "{name}");
    }
}

#[test]
fn no_file_is_longer_than_600_lines_without_its_tests() {
    let long: Vec<String> = sources()
        .iter()
        .map(|source| (source.lines_without_tests().len(), &source.path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "split by what they say:\n{}", long.join("\n"));
}

#[test]
fn every_file_says_what_it_is_about() {
    let mute: Vec<String> = sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path)
        .collect();
    assert!(mute.is_empty(), "these begin without `//! `: {mute:?}");
}

#[test]
fn only_the_caller_turns_a_scope_into_a_right() {
    let makers: Vec<String> = sources()
        .into_iter()
        .filter(|source| source.text.contains("Permit::by_scope(") && source.room() != "psa")
        .map(|source| source.path)
        .collect();
    assert_eq!(makers, ["roster/scope.rs"]);
}

#[test]
fn imports_are_found_in_every_form() {
    let code =
        "use crate::ids::{A, B};\nuse crate::{store::{unit::C, D}, clock};\nlet x = crate::chance::y();";
    let found: Vec<String> = rooms_named_in(code).into_iter().collect();
    assert_eq!(found, ["chance", "clock", "ids", "store"]);
}

#[test]
fn x67_what_could_panic_or_overflow_is_denied_where_requests_pass() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    for line in [
        "unsafe_code = \"forbid\"",
        "unwrap_used = \"warn\"",
        "expect_used = \"warn\"",
        "panic = \"warn\"",
        "indexing_slicing = \"warn\"",
        "overflow-checks = true",
    ] {
        assert!(manifest.lines().any(|found| found == line), "Cargo.toml lacks `{line}`");
    }
    // The suite runs clippy with -D warnings, so that a warning is a refusal.
    for room in ["http", "idp", "jwt", "net", "outbox", "plugins", "psa", "roster", "scim"] {
        let map = sources().into_iter().find(|source| source.path == format!("{room}/mod.rs")).unwrap();
        let lint = "warn(clippy::arithmetic_side_effects)";
        assert!(map.text.contains(lint), "{}: expected `{lint}` at its head", map.path);
    }
}
