//! Who shows which requirement: the names of tests, remarks above them, and the headers of transcripts.
//!
//! A test names its rows at the start of its name (`s71_…`, `r1b_r2_…`, `d_k5_…`), and further ones in a remark right above
//! `#[test]`: `// Rows: S9, S172.` A transcript names them in its header.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A requirement's name, such as `S71`, `R1a`, `W2` or `D-K5`; in order of family and number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    family: String,
    number: u32,
    part: String,
}

/// The families of the products whose user administration is the yardstick. Their numbers have two digits, as in `H09`.
const PRODUCTS: [&str; 5] = ["H", "P", "T", "O", "A"];

/// The tests and transcripts by the rows they bear.
pub type Shown = BTreeMap<Row, BTreeSet<String>>;

impl Row {
    /// Reads a name as it is written in prose.
    pub fn parse(name: &str) -> Option<Self> {
        let family = name
            .trim_end_matches(|c: char| c.is_ascii_lowercase())
            .trim_end_matches(|c: char| c.is_ascii_digit());
        let of_a_dialect = family.strip_prefix("D-").is_some_and(|who| !who.is_empty());
        let of_a_product = PRODUCTS.contains(&family);
        if !(["S", "R", "X", "W"].contains(&family) || of_a_product || of_a_dialect) || !family.is_ascii() {
            return None;
        }
        let rest = name.strip_prefix(family)?;
        if of_a_product && rest.len() != 2 {
            return None;
        }
        let part = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = rest.strip_suffix(part)?.parse().ok()?;
        Some(Self { family: family.to_owned(), number, part: part.to_owned() })
    }

    /// Returns whether it is one of SCIM's rules or after-states.
    pub fn is_of_scim(&self) -> bool {
        ["S", "W"].contains(&self.family.as_str())
    }

    /// Reads the rows that the name of a test begins with.
    fn all_of_test(name: &str) -> Vec<Self> {
        let mut words = name.split('_');
        let mut rows = Vec::new();
        while let Some(word) = words.next() {
            let row = match word {
                "d" => words.next().and_then(|word| Self::parse(&format!("D-{}", word.to_uppercase()))),
                word => {
                    let (family, rest) = word.split_at_checked(1).unwrap_or_default();
                    Self::parse(&(family.to_uppercase() + rest))
                }
            };
            match row {
                Some(row) => rows.push(row),
                None => break,
            }
        }
        rows
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if PRODUCTS.contains(&self.family.as_str()) { 2 } else { 1 };
        write!(f, "{}{:0digits$}{}", self.family, self.number, self.part)
    }
}

/// Reads all tests and transcripts.
pub fn all() -> Shown {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut shown = Shown::new();
    for folder in ["src", "tests"] {
        for file in files(&root.join(folder), "rs") {
            // The store's suite is a list of functions, which a macro makes tests of for each engine.
            let bare = file.starts_with(root.join("src/store/suite"));
            for (name, rows) in tests(&fs::read_to_string(&file).unwrap(), bare) {
                for row in rows {
                    shown.entry(row).or_default().insert(name.clone());
                }
            }
        }
    }
    for file in files(&root.join("conformance"), "http") {
        let name = file.strip_prefix(root.join("conformance")).unwrap().to_str().unwrap().replace('\\', "/");
        for row in crate::conformance::rows_of(&name) {
            let row = Row::parse(&row).unwrap_or_else(|| panic!("conformance/{name}: {row} is no row"));
            shown.entry(row).or_default().insert(name.clone());
        }
    }
    shown
}

/// Finds the tests of a file, and the rows they name.
fn tests(text: &str, bare: bool) -> Vec<(String, Vec<Row>)> {
    let mut found = Vec::new();
    let mut is_test = false;
    let mut further = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rows) = line.strip_prefix("// Rows: ").and_then(|rest| rest.strip_suffix('.')) {
            further = rows
                .split(", ")
                .map(|row| Row::parse(row).unwrap_or_else(|| panic!("{line}: no row")))
                .collect();
        } else if let Some(name) = name_of_function(line) {
            let mut rows = Row::all_of_test(name);
            rows.append(&mut further);
            if is_test || bare {
                found.push((name.to_owned(), rows));
            }
            is_test = false;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            further.clear();
        }
    }
    found
}

/// Returns the name where a line begins a function.
fn name_of_function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("fn ")?.split(['(', '<']).next()
}

/// Lists the files below a folder that have an ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn rows_are_read_from_names_and_remarks() {
    let shown = |text: &str| -> Vec<String> {
        let rows = tests(text, false).into_iter().flat_map(|(_, rows)| rows);
        rows.map(|row| row.to_string()).collect()
    };
    assert_eq!(shown("#[test]\nfn r1b_x58_s9() {"), ["R1b", "X58", "S9"]);
    assert_eq!(shown("#[test]\nfn w2_d_k5_s_is_a_word_s7() {"), ["W2", "D-K5"]);
    assert_eq!(
        shown("// Rows: S9, S172.\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn r23_x() {"),
        ["R23", "S9", "S172"]
    );
    assert_eq!(shown("fn s1_helper() {}\n#[test]\nfn a_test() {"), Vec::<String>::new());
    assert_eq!(shown("#[test]\nfn h09_p11_a_t_p8_x() {"), ["H09", "P11"]);
    assert_eq!((Row::parse("P8"), Row::parse("A001")), (None, None));
    assert_eq!(Row::parse("Q1"), None);
    assert_eq!(Row::parse("S"), None);
}
