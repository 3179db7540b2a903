//! Tables that a plugin looks up in, from CSV or TOML: read whole at load, so that a plugin never waits for a file.
//!
//! CSV: the first line names the columns, the first column is the key. TOML: a table for each key, a text, number or truth for each
//! column. What is wrong is said with file, row and column.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, Value};

use super::file::{ReadError, read_bounded};

/// Most bytes of a table's file.
pub const TABLE_BYTES_MAX: u64 = 8 << 20;
/// Most tables of a plugin.
pub const TABLES_PER_PLUGIN_MAX: usize = 32;

/// The tables of one plugin, by the name that the configuration gives them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tables(BTreeMap<String, Table>);

/// Rows by key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    columns: Vec<String>,
    /// One value for each column; `None` where the row has none (TOML only).
    rows: BTreeMap<String, Vec<Option<String>>>,
}

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its name says neither.
    #[error("{}: expected a file that ends in .csv or .toml", .0.display())]
    Kind(PathBuf),
    /// A place in it.
    #[error("{}: row {row}{}: {what}", file.display(), column_named(column.as_deref()))]
    Wrong {
        /// The file.
        file: PathBuf,
        /// CSV: the line; TOML: the key.
        row: String,
        /// The column.
        column: Option<String>,
        /// What was expected and found.
        what: String,
    },
}

fn column_named(column: Option<&str>) -> String {
    column.map_or_else(String::new, |column| format!(", column {column:?}"))
}

impl Tables {
    /// Reads the tables of a plugin.
    pub fn read<'a>(files: impl Iterator<Item = (&'a str, PathBuf)>) -> Result<Self, TableError> {
        files
            .map(|(name, file)| Ok((name.to_owned(), Table::read(&file)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Makes tables of what is at hand.
    pub fn new(tables: impl IntoIterator<Item = (String, Table)>) -> Self {
        Self(tables.into_iter().collect())
    }

    /// Finds a table.
    pub fn get(&self, name: &str) -> Option<&Table> {
        self.0.get(name)
    }

    /// Writes everything in one order, for a fingerprint.
    pub(super) fn digest(&self, into: &mut impl sha2::Digest) {
        let mut add = |text: &str| {
            into.update(text.len().to_be_bytes());
            into.update(text.as_bytes());
        };
        for (name, table) in &self.0 {
            add(name);
            for (key, row) in table.keys() {
                add(key);
                for (column, value) in row {
                    add(column);
                    add(value);
                }
            }
        }
    }
}

impl Table {
    /// Makes a table of rows by key.
    pub fn of(rows: BTreeMap<String, BTreeMap<String, String>>) -> Self {
        let columns: BTreeSet<String> = rows.values().flat_map(|row| row.keys().cloned()).collect();
        let columns: Vec<String> = columns.into_iter().collect();
        let line = |mut row: BTreeMap<String, String>| columns.iter().map(|name| row.remove(name)).collect();
        let rows = rows.into_iter().map(|(key, row)| (key, line(row))).collect();
        Self { columns, rows }
    }

    /// Reads a file.
    pub fn read(file: &Path) -> Result<Self, TableError> {
        let read: fn(&Path, &[u8]) -> Result<Self, TableError> =
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("csv") => Self::of_csv,
                Some("toml") => Self::of_toml,
                _ => return Err(TableError::Kind(file.to_owned())),
            };
        read(file, &read_bounded(file, TABLE_BYTES_MAX)?)
    }

    /// Finds a row, without its key.
    pub fn row(&self, key: &str) -> Option<impl Iterator<Item = (&str, &str)>> {
        let values = self.rows.get(key)?;
        Some(self.cells(values))
    }

    fn keys(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = (&str, &str)>)> {
        self.rows.iter().map(|(key, values)| (key.as_str(), self.cells(values)))
    }

    fn cells<'a>(&'a self, values: &'a [Option<String>]) -> impl Iterator<Item = (&'a str, &'a str)> {
        let named = self.columns.iter().zip(values);
        named.filter_map(|(column, value)| Some((column.as_str(), value.as_deref()?)))
    }

    fn of_csv(file: &Path, bytes: &[u8]) -> Result<Self, TableError> {
        // What Excel writes before the first column's name is not part of it.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(bytes);
        let wrong = |row: u64, column: Option<&str>, what: String| TableError::Wrong {
            file: file.to_owned(),
            row: row.to_string(),
            column: column.map(str::to_owned),
            what,
        };
        let head = reader.headers().map_err(|error| wrong(1, None, error.to_string()))?.clone();
        let names: Vec<&str> = head.iter().collect();
        let Some((_, columns)) = names.split_first() else {
            return Err(wrong(1, None, "expected the names of the columns, found nothing".to_owned()));
        };
        let mut seen = BTreeSet::new();
        for (place, name) in names.iter().enumerate() {
            if name.is_empty() {
                let what = format!(
                    "expected a name for each column, found none for number {}",
                    place.saturating_add(1)
                );
                return Err(wrong(1, None, what));
            }
            if !seen.insert(name) {
                return Err(wrong(1, Some(name), "expected each name once, found it twice".to_owned()));
            }
        }
        let mut rows = BTreeMap::new();
        for record in reader.records() {
            let record = record.map_err(|error| {
                wrong(error.position().map_or(0, csv::Position::line), None, error.to_string())
            })?;
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() != names.len() {
                let what = format!("expected {} values, found {}", names.len(), record.len());
                return Err(wrong(line, None, what));
            }
            let mut values = record.iter();
            let key = values.next().unwrap_or_default();
            if key.is_empty() {
                return Err(wrong(line, names.first().copied(), "expected a key, found nothing".to_owned()));
            }
            let values = values.map(|value| Some(value.to_owned())).collect();
            if rows.insert(key.to_owned(), values).is_some() {
                let what = format!("expected each key once, found {key:?} again");
                return Err(wrong(line, names.first().copied(), what));
            }
        }
        Ok(Self { columns: columns.iter().map(|&name| name.to_owned()).collect(), rows })
    }

    fn of_toml(file: &Path, bytes: &[u8]) -> Result<Self, TableError> {
        let wrong = |row: &str, column: Option<&str>, what: String| TableError::Wrong {
            file: file.to_owned(),
            row: row.to_owned(),
            column: column.map(str::to_owned),
            what,
        };
        let text = std::str::from_utf8(bytes)
            .map_err(|error| wrong("?", None, format!("not UTF-8 after byte {}", error.valid_up_to())))?;
        let document = Document::parse(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.lines().count().max(1).to_string();
            wrong(&line, None, format!("not TOML: {}", error.message()))
        })?;
        let mut rows = BTreeMap::new();
        for (key, item) in document.iter() {
            let Some(table) = item.as_table_like() else {
                let what = format!("expected a table such as [{key}] with a value for each column");
                return Err(wrong(key, None, what));
            };
            let mut row = BTreeMap::new();
            for (column, item) in table.iter() {
                let value = plain(item).ok_or_else(|| {
                    let what = "expected a text, a number or true or false, found a list, a table or a date";
                    wrong(key, Some(column), what.to_owned())
                })?;
                row.insert(column.to_owned(), value);
            }
            rows.insert(key.to_owned(), row);
        }
        Ok(Self::of(rows))
    }
}

/// The text of a plain value, as it was written: 0.10 stays 0.10.
fn plain(item: &Item) -> Option<String> {
    match item.as_value()? {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Float(number) => Some(
            number
                .as_repr()
                .and_then(|repr| repr.as_raw().as_str())
                .map_or_else(|| number.value().to_string(), str::to_owned),
        ),
        Value::Boolean(truth) => Some(truth.value().to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::InlineTable(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str) -> Result<Table, TableError> {
        Table::of_csv(Path::new("rates.csv"), text.as_bytes())
    }

    fn toml(text: &str) -> Result<Table, TableError> {
        Table::of_toml(Path::new("rates.toml"), text.as_bytes())
    }

    fn row<'a>(table: &'a Table, key: &str) -> Option<Vec<(&'a str, &'a str)>> {
        table.row(key).map(Iterator::collect)
    }

    #[test]
    fn a_row_is_found_by_the_first_column() {
        let table = csv("\u{feff}level,amount,currency\nsenior,95.00,EUR\n\"junior, new\",40,EUR\n").unwrap();
        assert_eq!(row(&table, "senior").unwrap(), [("amount", "95.00"), ("currency", "EUR")]);
        assert_eq!(row(&table, "junior, new").unwrap(), [("amount", "40"), ("currency", "EUR")]);
        assert_eq!(row(&table, "Senior"), None);
    }

    #[test]
    fn a_table_of_toml_keeps_numbers_as_they_are_written() {
        let table =
            toml("[senior]\namount = 95.10\nactive = true\n[\"junior 1\"]\namount = \"40\"\n").unwrap();
        assert_eq!(row(&table, "senior").unwrap(), [("active", "true"), ("amount", "95.10")]);
        assert_eq!(row(&table, "junior 1").unwrap(), [("amount", "40")]);
    }

    #[test]
    fn what_is_wrong_is_said_with_file_row_and_column() {
        for (text, said) in [
            ("", "rates.csv: row 1: expected the names of the columns, found nothing"),
            (
                "level,amount,amount\n",
                "rates.csv: row 1, column \"amount\": expected each name once, found it twice",
            ),
            ("level,,x\n", "rates.csv: row 1: expected a name for each column, found none for number 2"),
            ("level,amount\na,1\nb\n", "rates.csv: row 3: expected 2 values, found 1"),
            (
                "level,amount\na,1\na,2\n",
                "rates.csv: row 3, column \"level\": expected each key once, found \"a\" again",
            ),
            ("level,amount\n,1\n", "rates.csv: row 2, column \"level\": expected a key, found nothing"),
        ] {
            assert_eq!(csv(text).unwrap_err().to_string(), said);
        }
        for (text, said) in [
            ("a = 1", "rates.toml: row a: expected a table such as [a] with a value for each column"),
            (
                "[a]\nx = [1]",
                "rates.toml: row a, column \"x\": expected a text, a number or true or false, found a list, a table or a date",
            ),
        ] {
            assert_eq!(toml(text).unwrap_err().to_string(), said);
        }
        assert!(
            toml("[a]\nx = 1\n[a]\n").unwrap_err().to_string().starts_with("rates.toml: row 3: not TOML")
        );
    }
}
