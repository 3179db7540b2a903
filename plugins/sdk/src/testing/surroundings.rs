//! What the host is to a plugin, for the thread that asks it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::Level;
use crate::bindings::contract::rosterd::plugin::host::{Cell, LookupError};

/// Tables by name, of rows by key.
pub(super) type Tables = BTreeMap<String, BTreeMap<String, Vec<Cell>>>;

#[derive(Debug, Default)]
struct Surroundings {
    tables: Tables,
    lines: Vec<(Level, String)>,
}

thread_local! {
    static HERE: RefCell<Surroundings> = RefCell::default();
}

pub(crate) fn log(level: Level, message: &str) {
    HERE.with_borrow_mut(|here| here.lines.push((level, message.to_owned())));
}

pub(crate) fn lookup(table: &str, key: &str) -> Result<Option<Vec<Cell>>, LookupError> {
    HERE.with_borrow(|here| {
        here.tables.get(table).map(|rows| rows.get(key).cloned()).ok_or(LookupError::UnknownTable)
    })
}

/// Runs something with tables, and hands out what it logged.
pub(super) fn with<R>(tables: Tables, what: impl FnOnce() -> R) -> (R, Vec<(Level, String)>) {
    let before = HERE.replace(Surroundings { tables, lines: Vec::new() });
    let done = what();
    (done, HERE.replace(before).lines)
}

/// Runs something where the log goes nowhere.
pub fn quietly<R>(what: impl FnOnce() -> R) -> R {
    with(Tables::new(), what).0
}

/// Runs something where a table is at hand, written as CSV.
///
/// # Panics
///
/// Where that is none: a test is then wrong.
pub fn with_table<R>(name: &str, csv: &str, what: impl FnOnce() -> R) -> R {
    match table(csv) {
        Ok(rows) => with(Tables::from([(name.to_owned(), rows)]), what).0,
        Err(why) => panic!("the table {name}: {why}"),
    }
}

/// Reads a table: the first line names the columns, the first column has the keys.
pub(super) fn table(text: &str) -> Result<BTreeMap<String, Vec<Cell>>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().map_err(|error| error.to_string())?.clone();
    let mut rows = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let key = record.get(0).unwrap_or_default().to_owned();
        let cell =
            |(column, value): (&str, &str)| Cell { column: column.to_owned(), value: value.to_owned() };
        let cells = columns.iter().zip(record.iter()).skip(1).map(cell).collect();
        if rows.insert(key.clone(), cells).is_some() {
            return Err(format!("two rows have the key {key:?}"));
        }
    }
    Ok(rows)
}
