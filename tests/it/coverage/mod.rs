//! The coverage list: every requirement in `conformance/rows.toml` has a test or a transcript that bears its number, or stands
//! in `conformance/deferred.toml` with the reason. `docs/COVERAGE.md` is the list for people, kept true here.
//!
//! `shown` finds who bears which number; this file compares.

mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike};

use shown::{Row, Shown};

/// Most names of one row in the list for people; the rest is a number.
const NAMES_MAX: usize = 4;
/// Set to write `docs/COVERAGE.md` instead of comparing it.
const WRITE: &str = "ROSTERD_TEST_WRITE";

/// Why a row has no test, or not all that it needs.
struct Deferral {
    until: String,
    why: String,
    /// Whether tests show a part of it.
    partly: bool,
}

/// A family of rows under one heading.
struct Family {
    heading: String,
    rows: Vec<(Row, String)>,
}

fn at(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn toml(name: &str) -> DocumentMut {
    fs::read_to_string(at(name)).unwrap().parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Reads the list of rows, in its own order.
fn families() -> Vec<Family> {
    let rows = |table: &dyn TableLike| {
        let text = |item: &Item| item.as_str().expect("a few words for each row").to_owned();
        table
            .iter()
            .map(|(name, item)| (Row::parse(name).unwrap_or_else(|| panic!("{name}")), text(item)))
            .collect()
    };
    let list = toml("conformance/rows.toml");
    list.iter()
        .map(|(heading, item)| Family {
            heading: heading.to_owned(),
            rows: rows(item.as_table_like().unwrap()),
        })
        .collect()
}

fn deferrals() -> BTreeMap<Row, Deferral> {
    let mut all = BTreeMap::new();
    for entry in toml("conformance/deferred.toml")["deferred"].as_array_of_tables().unwrap() {
        let text =
            |key: &str| entry.get(key).and_then(Item::as_str).unwrap_or_else(|| panic!("{key}: {entry}"));
        let partly = entry.get("partly").and_then(Item::as_bool).unwrap_or(false);
        for row in entry["rows"].as_array().unwrap() {
            let name = row.as_str().unwrap();
            let row = Row::parse(name).unwrap_or_else(|| panic!("deferred.toml: {name} is no row"));
            let deferral = Deferral { until: text("until").to_owned(), why: text("why").to_owned(), partly };
            assert!(all.insert(row, deferral).is_none(), "deferred.toml: {name} stands there twice");
        }
    }
    all
}

/// Says what is wrong with the three lists together.
fn contradictions(listed: &BTreeSet<Row>, deferred: &BTreeMap<Row, Deferral>, shown: &Shown) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in listed {
        match (shown.contains_key(row), deferred.get(row)) {
            (false, None) => wrong.push(format!("{row} has no test and is not in deferred.toml")),
            (true, Some(deferral)) if !deferral.partly => {
                let tests = shown[row].iter().cloned().collect::<Vec<_>>().join(", ");
                wrong.push(format!("{row} is in deferred.toml, but {tests} shows it; is that only a part?"));
            }
            (false, Some(deferral)) if deferral.partly => {
                wrong.push(format!(
                    "{row} is in deferred.toml as tested in part, but no test bears its number"
                ));
            }
            _ => {}
        }
    }
    wrong.extend(
        deferred
            .keys()
            .filter(|row| !listed.contains(row))
            .map(|row| format!("{row} is deferred, but not listed")),
    );
    // Rows of reliability, security and dialects may be tested before their turn; SCIM's rules are all listed.
    for (row, tests) in shown.iter().filter(|(row, _)| row.is_of_scim() && !listed.contains(row)) {
        wrong.push(format!("{} bears the number {row}, which is no row", tests.first().unwrap()));
    }
    wrong
}

/// Writes the list for people.
fn page(families: &[Family], deferred: &BTreeMap<Row, Deferral>, shown: &Shown) -> String {
    let rows = || families.iter().flat_map(|family| &family.rows);
    let waiting = rows().filter(|(row, _)| deferred.contains_key(row)).count();
    let mut page = format!(
        "# Coverage\n\nWhich test or transcript shows which requirement, and which wait for what. Made by `coverage::` in `tests/it`\n\
         from names of tests, remarks above them, headers of transcripts, `conformance/rows.toml` and `conformance/deferred.toml`;\n\
         the suite fails where it is not true. To write it anew:\n\n    {WRITE}=1 cargo nextest run --all-features coverage::\n\n\
         {} requirements; {waiting} of them wait, in whole or in part.\n",
        rows().count(),
    );
    for family in families {
        write!(page, "\n## {}\n\n| row | what | shown by |\n|---|---|---|\n", family.heading).unwrap();
        for (row, what) in &family.rows {
            let mut told = shown.get(row).map(names).unwrap_or_default();
            if let Some(deferral) = deferred.get(row) {
                let rest = if deferral.partly { "<br>The rest waits" } else { "Waits" };
                write!(told, "{rest} for {}: {}.", deferral.until, deferral.why).unwrap();
            }
            writeln!(page, "| {row} | {what} | {told} |").unwrap();
        }
    }
    page
}

fn names(tests: &BTreeSet<String>) -> String {
    let mut named: Vec<String> = tests.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    if let Some(more) = tests.len().checked_sub(NAMES_MAX).filter(|more| *more > 0) {
        named.push(format!("and {more} more"));
    }
    named.join(", ")
}

#[test]
fn every_row_has_a_test_or_a_reason() {
    let listed = families().into_iter().flat_map(|family| family.rows).map(|(row, _)| row).collect();
    let wrong = contradictions(&listed, &deferrals(), &shown::all());
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_list_for_people_is_true() {
    let expected = page(&families(), &deferrals(), &shown::all());
    let path = at("docs/COVERAGE.md");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differing = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
    assert!(
        expected == found,
        "docs/COVERAGE.md is not true any more; first at {differing:?}.\nWrite it anew: {WRITE}=1 cargo nextest run --all-features coverage::"
    );
}

#[test]
fn what_contradicts_is_found() {
    let row = |name: &str| Row::parse(name).unwrap();
    let listed = BTreeSet::from(["S1", "S2", "S3", "S4", "X5"].map(row));
    let shown: Shown = ["S2", "S3", "S9", "R7", "X5"]
        .map(|name| (row(name), BTreeSet::from([format!("{name}.http")])))
        .into();
    let deferred = [("S2", false), ("S3", true), ("S4", true), ("S8", false)]
        .map(|(name, partly)| (row(name), Deferral { until: "x".into(), why: "y".into(), partly }))
        .into();
    assert_eq!(
        contradictions(&listed, &deferred, &shown),
        [
            "S1 has no test and is not in deferred.toml",
            "S2 is in deferred.toml, but S2.http shows it; is that only a part?",
            "S4 is in deferred.toml as tested in part, but no test bears its number",
            "S8 is deferred, but not listed",
            "S9.http bears the number S9, which is no row",
        ]
    );
}
