//! The export, format 1: JSON lines.
//!
//! The first line says what it is, each further one is a row `{"t": table, "k": key, "v": value}`, keys and values in base64, since they are bytes
//! and have to come back as the same bytes; the last has the number of rows, and the SHA-256 of all lines before it, line ends with them.

use std::fmt::Write as _;
use std::io::{self, BufRead, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ArchiveError, HEADER_BYTES_MAX, Header, Order, PART_BYTES_MAX, Row, Rows, damaged};
use crate::store::kv::Table;

/// The format that this build writes, and the newest that it reads.
const FILE_FORMAT: u32 = 1;
/// The longest line that is read: two parts in base64, and what is around them.
const LINE_BYTES_MAX: u64 = 2 * (PART_BYTES_MAX as u64 / 3 * 4) + 1024;
/// What the first line calls the file.
const KIND: &str = "store export";

/// The first line.
#[derive(Serialize, Deserialize)]
struct First {
    rosterd: String,
    format: u32,
    #[serde(flatten)]
    header: Header,
}

/// A row. Which member is there tells it from the last line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    t: u8,
    #[serde(borrow)]
    k: std::borrow::Cow<'l, str>,
    #[serde(borrow)]
    v: std::borrow::Cow<'l, str>,
}

/// The last line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    rows: u64,
    sha256: String,
}

/// Writes an export.
pub(super) struct Writer<W> {
    out: W,
    hash: Sha256,
    rows: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the first line.
    pub(super) fn begin(out: W, header: &Header) -> Result<Self, ArchiveError> {
        let mut writer = Self { out, hash: Sha256::new(), rows: 0 };
        writer.line(&First { rosterd: KIND.into(), format: FILE_FORMAT, header: header.clone() })?;
        Ok(writer)
    }

    /// Adds a row.
    pub(super) fn row(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), ArchiveError> {
        let longest = key.len().max(value.len());
        if longest > PART_BYTES_MAX {
            return Err(ArchiveError::TooLong { bytes: longest });
        }
        self.rows = self.rows.saturating_add(1);
        self.line(&Line {
            t: table.number(),
            k: STANDARD.encode(key).into(),
            v: STANDARD.encode(value).into(),
        })
    }

    /// Writes the last line.
    pub(super) fn finish(mut self) -> Result<(), ArchiveError> {
        let last = Last { rows: self.rows, sha256: hex(&self.hash.clone().finalize()) };
        self.line(&last)?;
        Ok(self.out.flush()?)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), ArchiveError> {
        let mut text = serde_json::to_vec(line).map_err(io::Error::other)?;
        text.push(b'\n');
        self.hash.update(&text);
        Ok(self.out.write_all(&text)?)
    }
}

/// Reads an export.
pub(super) struct Reader<R> {
    input: io::BufReader<R>,
    hash: Sha256,
    at: u64,
    header: Header,
    rows: u64,
    order: Order,
    over: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the first line.
    pub(super) fn open(input: R) -> Result<Self, ArchiveError> {
        let mut input = io::BufReader::with_capacity(64 << 10, input);
        let line = line(&mut input, HEADER_BYTES_MAX as u64, 0)?;
        let first: First = serde_json::from_slice(&line).map_err(|_| ArchiveError::NotOne)?;
        if first.rosterd != KIND {
            return Err(ArchiveError::NotOne);
        }
        match first.format {
            FILE_FORMAT => {}
            0 => return Err(damaged(0, "expected the number of a format, found 0")),
            found => return Err(ArchiveError::Newer { what: "file format", found, known: FILE_FORMAT }),
        }
        let header = first.header.must_be_known()?;
        let hash = Sha256::new().chain_update(&line);
        let at = line.len() as u64;
        Ok(Self { input, hash, at, header, rows: 0, order: Order::default(), over: false })
    }

    fn end(&mut self, at: u64, line: &[u8]) -> Result<(), ArchiveError> {
        let last: Last = serde_json::from_slice(line)
            .map_err(|error| damaged(at, format!("expected a row or the last line: {error}")))?;
        if last.rows != self.rows {
            return Err(damaged(at, format!("expected {} rows, found {}", last.rows, self.rows)));
        }
        if last.sha256 != hex(&self.hash.clone().finalize()) {
            return Err(damaged(at, "the SHA-256 of all lines before does not fit"));
        }
        // Nothing vouches for this line, so it must be what would be written.
        if serde_json::to_vec(&last).map_err(io::Error::other)? != line.trim_ascii_end()
            || !line.ends_with(b"}\n")
        {
            return Err(damaged(at, "the last line is not as it was written"));
        }
        if !super::begin(&mut self.input)?.is_empty() {
            let behind = at.saturating_add(line.len() as u64);
            return Err(damaged(behind, "something follows where it should end"));
        }
        self.over = true;
        Ok(())
    }
}

impl<R: Read> Rows for Reader<R> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_row(&mut self) -> Result<Option<Row>, ArchiveError> {
        if self.over {
            return Ok(None);
        }
        let at = self.at;
        let text = line(&mut self.input, LINE_BYTES_MAX, at)?;
        let Ok(parsed) = serde_json::from_slice::<Line<'_>>(&text) else {
            self.end(at, &text)?;
            return Ok(None);
        };
        self.at = at.saturating_add(text.len() as u64);
        self.hash.update(&text);
        let table = Table::of_number(parsed.t)
            .ok_or_else(|| damaged(at, format!("there is no table {}", parsed.t)))?;
        let part = |text: &str| {
            STANDARD.decode(text).map_err(|error| damaged(at, format!("expected base64: {error}")))
        };
        let row = Row { table, key: part(&parsed.k)?, value: part(&parsed.v)? };
        if !self.order.take(&row) {
            return Err(damaged(at, "a row comes twice, or out of its order"));
        }
        self.rows = self.rows.saturating_add(1);
        Ok(Some(row))
    }
}

/// Reads a line with its end.
fn line(input: &mut impl BufRead, most: u64, at: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut line = Vec::new();
    input.take(most).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        return Ok(line);
    }
    Err(damaged(at, "the line that begins here has no end: it was cut off, or it is no line of an export"))
}

/// Writes bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
