//! People as rows of a sheet: in (`intake`: a row carried out, or only looked at), out (`out`: pages of rows), with `columns` (what a column is
//! about), `cells` (lists in one cell) and `fill` (from cells to a person).
//!
//! Rows take the same way as everybody's requests: a body for somebody new, the operations of a PATCH for somebody who is there. Here is only
//! what turns cells into those, and back.

mod cells;
mod columns;
mod fill;
mod intake;
mod out;

use serde::{Deserialize, Serialize};

pub use columns::{PEOPLE_COLUMNS, is_money_column};

/// A row, by column. Cells that are empty say nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its number in the file.
    pub number: u64,
    /// Column and text.
    pub cells: Vec<(String, String)>,
}

/// By what a row finds the person whom it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatchBy {
    /// The login.
    #[default]
    UserName,
    /// The number that the employer gave.
    EmployeeNumber,
    /// The name that an administrator gave.
    ExternalId,
}

impl MatchBy {
    /// The column in which it stands.
    pub const fn column(self) -> &'static str {
        match self {
            Self::UserName => "userName",
            Self::EmployeeNumber => "employeeNumber",
            Self::ExternalId => "externalId",
        }
    }
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Somebody new.
    Create,
    /// Somebody who is there differs.
    Change,
    /// All is as the row says.
    Nothing,
    /// The row cannot be.
    Error,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaw {
    /// The column or the attribute; empty where it is the row as a whole.
    pub place: String,
    /// What was expected and what was found.
    pub detail: String,
}

impl Flaw {
    /// Says what is wrong with a column.
    pub fn at(place: &str, detail: impl Into<String>) -> Self {
        Self { place: place.to_owned(), detail: detail.into() }
    }

    /// Takes a refusal's sentence apart.
    fn of_sentence(sentence: &str) -> Self {
        match sentence.split_once(": expected ") {
            Some((place, rest)) => Self::at(place, format!("expected {rest}")),
            None => Self::at("", sentence),
        }
    }
}

/// What became of a row, or would become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowDone {
    /// Its number in the file.
    pub row: u64,
    /// What.
    pub what: Verdict,
    /// Whom it is about, as far as it says.
    pub who: String,
    /// Their id, of those who are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The attributes that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Flaw>,
}
