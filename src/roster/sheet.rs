//! People as rows of a sheet: in (`intake`: a row carried out, or only looked at), out (`out`: pages of rows), with `columns` (what a column is
//! about), `cells` (lists in one cell), `fill` (from cells to a person) and `counted` (the seats that rows before would take).
//!
//! Rows take the same way as everybody's requests: a body for somebody new, the operations of a PATCH for somebody who is there. Here is only
//! what turns cells into those, and back.

mod cells;
mod columns;
mod counted;
mod fill;
mod intake;
mod out;

use serde::{Deserialize, Serialize};

use super::error::RosterError;
use super::{Caller, Roster};
use crate::ids::ResourceId;
pub use columns::{PEOPLE_COLUMNS, is_money_column};
pub(super) use counted::Seats;

/// How many seats of each licence pool rows would take, less those that they would leave.
pub type SeatsTaken = Vec<(ResourceId, i64)>;

/// A row, by column. Cells that are empty say nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its number in the file.
    pub number: u64,
    /// Column and text.
    pub cells: Vec<(String, String)>,
    /// Columns of which it says that there is to be nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clears: Vec<String>,
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

/// What is asked about people as rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PeopleAsk {
    /// Which of these columns does an import not know?
    Columns(Vec<String>),
    /// Take rows in, or only say what would become of them.
    Take {
        /// The rows.
        rows: Vec<Row>,
        /// By what a row finds its person.
        by: MatchBy,
        /// Whether it is done, and not only said.
        apply: bool,
        /// What the rows before would take of each licence pool's seats, of those that are only looked at.
        #[serde(default)]
        seats: SeatsTaken,
    },
    /// Read people.
    Page {
        /// After whom.
        after: Option<ResourceId>,
        /// How many at most.
        limit: usize,
        /// Whether with money.
        financials: bool,
        /// Paths of attributes beside the usual ones.
        more: Vec<String>,
        /// What was read before.
        #[serde(default)]
        so_far: Option<SoFar>,
    },
}

/// The pages that were read before, by which the last one tells whether somebody is missing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SoFar {
    /// How many people they had.
    pub people: u64,
    /// How far the history had come at the first of them.
    pub head: u64,
}

/// What is answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeopleAnswer {
    /// Columns that an import does not know.
    Unknown(Vec<String>),
    /// What became of the rows.
    Done {
        /// Of each, in their order.
        rows: Vec<RowDone>,
        /// What they and those before would take of each licence pool's seats, of those that are only looked at.
        seats: SeatsTaken,
    },
    /// People, in order of creation.
    Page {
        /// One for each person.
        rows: Vec<Row>,
        /// After whom to go on; `None` when there are no more.
        next: Option<ResourceId>,
        /// How far the history had come.
        head: u64,
    },
}

impl Roster {
    /// Answers what is asked about people as rows.
    pub(super) fn people_as_rows(
        &self,
        caller: &Caller,
        ask: PeopleAsk,
    ) -> Result<PeopleAnswer, RosterError> {
        Ok(match ask {
            PeopleAsk::Columns(columns) => PeopleAnswer::Unknown(Self::unknown_columns(caller, columns)?),
            PeopleAsk::Take { rows, by, apply, seats } => {
                let mut seats = seats.into_iter().collect();
                let rows = self.take_rows(caller, rows, by, apply, &mut seats)?;
                PeopleAnswer::Done { rows, seats: seats.into_iter().collect() }
            }
            PeopleAsk::Page { after, limit, financials, more, so_far } => {
                let out = self.rows_out(caller, after, limit, financials, &more)?;
                out.must_be_everybody(so_far)?;
                PeopleAnswer::Page { rows: out.rows, next: out.next, head: out.head }
            }
        })
    }
}
