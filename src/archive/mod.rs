//! All that a store holds in one file, and back: backups, and exports from one engine to another.
//!
//! Read in this order: this file (what a file says of itself, its rows, what can be wrong with it), `frames` (the backup: binary, compressed, with a
//! checksum on each part), `lines` (the export: JSON lines, readable anywhere), `copy` (a state of the store becomes a file), `verify` (a
//! file is read to its end before anything is believed), `place` (a file gets its name when it is whole, durable and was read back), `fill` (a file
//! becomes a store). `hostile` is for tests.
//!
//! Both kinds hold rows as the engines hold them, so that what comes back is the same to the last byte. They hold people, money and hashes of
//! tokens, and are their owner's alone. Neither is proof against somebody who wants to forge one: whoever can write the file can write its digests.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod copy;
mod fill;
mod frames;
#[cfg(any(test, feature = "testing"))]
pub mod hostile;
mod lines;
mod place;
mod verify;

use std::io::{self, BufReader, Read};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use copy::{BACKUP_WITHIN, write};
pub use fill::{Filled, fill, source_of};
pub use place::{Placed, Refusal, place};
pub use verify::{Verified, verify};

use crate::store::StoreError;
use crate::store::folder::FORMAT;
use crate::store::kv::Table;

/// The longest key or value that a file may hold. A record is as large as a request may be, and an entry of the history holds it twice.
const PART_BYTES_MAX: usize = 256 << 20;
/// The longest head of a file.
const HEADER_BYTES_MAX: usize = 4096;

/// In which shape rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// A backup.
    Backup,
    /// JSON lines.
    Lines,
}

impl Shape {
    /// What a file of this shape is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Lines => "export",
        }
    }
}

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Which rosterd wrote it.
    pub version: String,
    /// The layout of the rows: the format of the data folder that they were read from.
    pub layout: u32,
    /// The moment that it shows.
    pub made: Timestamp,
    /// The engine that they were read from.
    pub engine: String,
}

impl Header {
    /// The head of a file that this build writes.
    pub fn new(made: Timestamp, engine: &str) -> Self {
        Self { version: env!("CARGO_PKG_VERSION").into(), layout: FORMAT, made, engine: engine.into() }
    }

    fn must_be_known(self) -> Result<Self, ArchiveError> {
        match self.layout {
            1..=FORMAT => Ok(self),
            0 => Err(damaged(0, "expected a layout from 1 on, found 0")),
            found => Err(ArchiveError::Newer { what: "layout of rows", found, known: FORMAT }),
        }
    }
}

/// A row of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// In which table.
    pub table: Table,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

/// What is wrong with a file, or with reading or writing one.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is neither a backup nor an export.
    #[error("expected a backup or an export of rosterd, found a file that begins otherwise")]
    NotOne,
    /// It is the other kind.
    #[error("expected a file of rosterd {}, found {found}; {}", of_command(*expected), use_instead(*expected))]
    OtherShape {
        /// What was asked for.
        expected: Shape,
        /// What it is.
        found: &'static str,
    },
    /// A newer build wrote it.
    #[error("its {what} is {found}, and this build knows up to {known}; use the newer build")]
    Newer {
        /// Which number.
        what: &'static str,
        /// The number found.
        found: u32,
        /// The highest that is known.
        known: u32,
    },
    /// It is not what was written.
    #[error("it is damaged at byte {at}: {what}; nothing was taken from it")]
    Damaged {
        /// Where, counted from 0; the beginning of the part that does not fit.
        at: u64,
        /// What was expected and what was found.
        what: String,
    },
    /// A row that is too long for a file.
    #[error("a row of {bytes} bytes is longer than the {PART_BYTES_MAX} that a file may hold")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Making it took too long.
    #[error("it took longer than {} minutes, for which one moment of the store may be held", BACKUP_WITHIN.as_secs() / 60)]
    TooSlow,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk, or who reads.
    #[error(transparent)]
    Io(#[from] io::Error),
}

const fn of_command(shape: Shape) -> &'static str {
    match shape {
        Shape::Backup => "backup",
        Shape::Lines => "store export",
    }
}

const fn use_instead(expected: Shape) -> &'static str {
    match expected {
        Shape::Backup => "rosterd store import takes it",
        Shape::Lines => "rosterd restore takes it",
    }
}

/// The rows of a file, one after the other. Nothing of them is to be believed before the end was reached: only there stands whether all was right.
pub trait Rows {
    /// What the file says of itself.
    fn header(&self) -> &Header;

    /// Reads the next row; `None` at the end, when count and digest were right and nothing follows.
    fn next_row(&mut self) -> Result<Option<Row>, ArchiveError>;
}

/// Opens a file by how it begins.
pub fn rows<'r>(input: impl Read + 'r, expected: Shape) -> Result<Box<dyn Rows + 'r>, ArchiveError> {
    let mut input = BufReader::with_capacity(64 << 10, input);
    let begin = begin(&mut input)?;
    let found = match begin.first() {
        Some(first) if frames::MAGIC.first() == Some(first) => Shape::Backup,
        Some(b'{') => Shape::Lines,
        _ => return Err(ArchiveError::NotOne),
    };
    let whole = io::Cursor::new(begin).chain(input);
    let opened: Box<dyn Rows> = match found {
        Shape::Backup => Box::new(frames::Reader::open(whole)?),
        Shape::Lines => Box::new(lines::Reader::open(whole)?),
    };
    if found == expected {
        Ok(opened)
    } else {
        Err(ArchiveError::OtherShape {
            expected,
            found: if found == Shape::Backup { "a backup" } else { "an export" },
        })
    }
}

/// Reads the first byte.
fn begin(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(1);
    input.take(1).read_to_end(&mut first)?;
    Ok(first)
}

/// Tells rows that come in their order from others; the next must be greater than the last.
#[derive(Debug, Default)]
struct Order(Option<(u8, Vec<u8>)>);

impl Order {
    fn take(&mut self, row: &Row) -> bool {
        let next = (row.table.number(), row.key.clone());
        let is_next = self.0.as_ref().is_none_or(|last| *last < next);
        self.0 = Some(next);
        is_next
    }
}

fn damaged(at: u64, what: impl Into<String>) -> ArchiveError {
    ArchiveError::Damaged { at, what: what.into() }
}

#[cfg(test)]
mod tests;
