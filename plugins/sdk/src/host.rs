//! All that a plugin may call: the log, and the tables of its configuration.

use std::str::FromStr;

use crate::Problem;
pub use crate::bindings::contract::rosterd::plugin::host::Level;
use crate::bindings::contract::rosterd::plugin::host::{Cell, LookupError};

/// Lines for rosterd's log: 64 of a call are kept, 1 KiB of each. Names and mail addresses of people do not belong there.
///
/// ```
/// use rosterd_plugin::log;
/// # rosterd_plugin::testing::quietly(|| {
/// log::info!("no row for the level {}", "senior");
/// # });
/// ```
pub mod log {
    pub use super::write;
    #[doc(inline)]
    pub use crate::{__debug as debug, __error as error, __info as info, __warn as warn};
}

/// Writes a line that only an author looks for.
#[doc(hidden)]
#[macro_export]
macro_rules! __debug {
    ($($words:tt)+) => {
        $crate::log::write($crate::Level::Debug, &::std::format!($($words)+))
    };
}

/// Writes a line that says what was done.
#[doc(hidden)]
#[macro_export]
macro_rules! __info {
    ($($words:tt)+) => {
        $crate::log::write($crate::Level::Info, &::std::format!($($words)+))
    };
}

/// Writes a line that somebody should look at.
#[doc(hidden)]
#[macro_export]
macro_rules! __warn {
    ($($words:tt)+) => {
        $crate::log::write($crate::Level::Warn, &::std::format!($($words)+))
    };
}

/// Writes a line that somebody must look at.
#[doc(hidden)]
#[macro_export]
macro_rules! __error {
    ($($words:tt)+) => {
        $crate::log::write($crate::Level::Error, &::std::format!($($words)+))
    };
}

/// Writes a line to rosterd's log; natively it is kept for [`testing`](crate::testing).
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::contract::rosterd::plugin::host::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::log(level, message);
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    table: String,
    key: String,
    cells: Vec<Cell>,
}

/// Looks a key up in a table of the plugin's configuration. `None` where no row has that key; a table that the configuration does not name
/// is a problem of kind `configuration`.
///
/// ```
/// use rosterd_plugin::{Amount, lookup};
/// # rosterd_plugin::testing::with_table("rates", "level,amount\nsenior,95.50\n", || {
/// let row = lookup("rates", "senior")?.expect("the table has it");
/// assert_eq!(row.parse::<Amount>("amount")?, Some(Amount::parse("95.5").unwrap()));
/// assert!(lookup("rates", "wizard")?.is_none());
/// # Ok::<(), rosterd_plugin::Problem>(())
/// # }).unwrap();
/// ```
pub fn lookup(table: &str, key: &str) -> Result<Option<Row>, Problem> {
    #[cfg(target_arch = "wasm32")]
    let found = crate::bindings::contract::rosterd::plugin::host::lookup(table, key);
    #[cfg(not(target_arch = "wasm32"))]
    let found = crate::testing::lookup(table, key);
    match found {
        Ok(found) => Ok(found.map(|cells| Row { table: table.to_owned(), key: key.to_owned(), cells })),
        Err(LookupError::UnknownTable) => Err(Problem::configuration(
            &format!("tables.{table}"),
            "the plugin needs this table, and its configuration does not name it",
        )),
    }
}

impl Row {
    /// What stands in a column; an empty cell and a column that is not there are `None`.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.cells
            .iter()
            .find(|cell| cell.column == column)
            .map(|cell| cell.value.trim())
            .filter(|text| !text.is_empty())
    }

    /// The same as a date, an amount or anything else that can be read from text. What cannot is a problem that names table, row and column.
    pub fn parse<T: FromStr<Err: std::fmt::Display>>(&self, column: &str) -> Result<Option<T>, Problem> {
        self.text(column)
            .map(|text| text.parse().map_err(|error: T::Err| self.wrong(column, &error.to_string())))
            .transpose()
    }

    /// The same, where it must be there.
    pub fn need<T: FromStr<Err: std::fmt::Display>>(&self, column: &str) -> Result<T, Problem> {
        self.parse(column)?.ok_or_else(|| self.wrong(column, "expected a value, found none"))
    }

    fn wrong(&self, column: &str, what: &str) -> Problem {
        Problem::configuration(
            &format!("tables.{}", self.table),
            format!("row {}, column {column}: {what}", self.key),
        )
    }
}
