//! The backup file, format 1.
//!
//! | part | what it is |
//! |---|---|
//! | magic | 16 bytes, with line ends that a transfer as text would change |
//! | format | 4 bytes: 1 |
//! | head | 4 bytes of length, JSON ([`Header`]), 8 bytes of checksum |
//! | frames | 4 bytes: length as stored; 4 bytes: length of the rows; that many bytes as stored; 8 bytes of checksum |
//! | end | 8 bytes of zero, where the next frame would say its lengths |
//! | count | 8 bytes: how many rows |
//! | digest | 32 bytes: SHA-256 of all before it |
//!
//! Numbers are big-endian. The rows of a frame are (table, length of the key, length of the value, key, value), compressed with LZ4 unless that
//! makes them longer or more than 30 times shorter: so a reader never makes room for more than 64 times of what it has really read. A checksum names the
//! frame that is damaged; the digest is what counts.

use std::io::{self, Read, Write};

use lz4_flex::block;
use sha2::{Digest, Sha256};

use super::{ArchiveError, HEADER_BYTES_MAX, Header, Order, PART_BYTES_MAX, Row, Rows, damaged};
use crate::store::kv::Table;
use crate::store::seal::checksum;

/// How a backup begins.
pub(super) const MAGIC: [u8; 16] = *b"ROSTERD backup\r\n";
/// The format that this build writes, and the newest that it reads.
pub(super) const FILE_FORMAT: u32 = 1;
/// Bytes of rows in a frame; one row more at the most.
const FRAME_BYTES: usize = 256 << 10;
/// The longest frame that is read: one row of the longest there may be, behind others.
const FRAME_BYTES_MAX: usize = FRAME_BYTES + 2 * PART_BYTES_MAX + ROW_HEAD;
/// How many times shorter than its rows a frame may be.
const RATIO_MAX: usize = 30;
/// Bytes before key and value of a row.
const ROW_HEAD: usize = 9;

/// Writes a backup.
pub(super) struct Writer<W> {
    out: W,
    hash: Sha256,
    frame: Vec<u8>,
    frames: u64,
    rows: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the head.
    pub(super) fn begin(out: W, header: &Header) -> Result<Self, ArchiveError> {
        let mut writer = Self { out, hash: Sha256::new(), frame: Vec::new(), frames: 0, rows: 0 };
        let head = serde_json::to_vec(header).map_err(io::Error::other)?;
        writer.put(&MAGIC)?;
        writer.put(&FILE_FORMAT.to_be_bytes())?;
        writer.put(&length(head.len())?)?;
        writer.put(&head)?;
        writer.put(&checksum(&MAGIC, &head).to_be_bytes())?;
        Ok(writer)
    }

    /// Adds a row.
    pub(super) fn row(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), ArchiveError> {
        self.frame.push(table.number());
        self.frame.extend_from_slice(&length(key.len())?);
        self.frame.extend_from_slice(&length(value.len())?);
        self.frame.extend_from_slice(key);
        self.frame.extend_from_slice(value);
        self.rows = self.rows.saturating_add(1);
        if self.frame.len() >= FRAME_BYTES { self.end_frame() } else { Ok(()) }
    }

    /// Writes the end.
    pub(super) fn finish(mut self) -> Result<(), ArchiveError> {
        self.end_frame()?;
        self.put(&[0; 8])?;
        self.put(&self.rows.to_be_bytes())?;
        let digest = self.hash.clone().finalize();
        self.out.write_all(&digest)?;
        Ok(self.out.flush()?)
    }

    fn end_frame(&mut self) -> Result<(), ArchiveError> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.frame);
        let pressed = block::compress(&rows);
        let is_shorter = pressed.len() < rows.len() && pressed.len().saturating_mul(RATIO_MAX) >= rows.len();
        let stored = if is_shorter { &pressed } else { &rows };
        let number = self.frames.to_be_bytes();
        self.put(&length(stored.len())?)?;
        self.put(&length(rows.len())?)?;
        self.put(stored)?;
        self.put(&checksum(&number, stored).to_be_bytes())?;
        self.frames = self.frames.saturating_add(1);
        self.frame = rows;
        self.frame.clear();
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.hash.update(bytes);
        Ok(self.out.write_all(bytes)?)
    }
}

fn length(bytes: usize) -> Result<[u8; 4], ArchiveError> {
    match u32::try_from(bytes) {
        Ok(length) if bytes <= FRAME_BYTES_MAX => Ok(length.to_be_bytes()),
        _ => Err(ArchiveError::TooLong { bytes }),
    }
}

/// Reads a backup.
pub(super) struct Reader<R> {
    input: R,
    hash: Sha256,
    /// How many bytes were read.
    at: u64,
    header: Header,
    /// The rows of a frame.
    frame: Vec<u8>,
    /// How many bytes of it were read.
    within: usize,
    frames: u64,
    rows: u64,
    order: Order,
    over: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the head.
    pub(super) fn open(input: R) -> Result<Self, ArchiveError> {
        let header = Header {
            version: String::new(),
            layout: 0,
            made: jiff::Timestamp::UNIX_EPOCH,
            engine: String::new(),
        };
        let mut reader = Self {
            input,
            hash: Sha256::new(),
            at: 0,
            header,
            frame: vec![],
            within: 0,
            frames: 0,
            rows: 0,
            order: Order::default(),
            over: false,
        };
        if reader.exactly::<16>()? != MAGIC {
            return Err(ArchiveError::NotOne);
        }
        match u32::from_be_bytes(reader.exactly()?) {
            FILE_FORMAT => {}
            0 => return Err(damaged(16, "expected the number of a format, found 0")),
            found => {
                return Err(ArchiveError::Newer { what: "file format", found, known: FILE_FORMAT });
            }
        }
        let at = reader.at;
        let length = reader.length(HEADER_BYTES_MAX)?;
        let head = reader.bytes(length)?;
        if u64::from_be_bytes(reader.exactly()?) != checksum(&MAGIC, &head) {
            return Err(damaged(at, "the checksum of its head does not fit"));
        }
        let header: Header = serde_json::from_slice(&head)
            .map_err(|error| damaged(at, format!("its head cannot be read: {error}")))?;
        reader.header = header.must_be_known()?;
        Ok(reader)
    }

    /// Reads bytes without making room for more than come.
    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::new();
        (&mut self.input).take(length as u64).read_to_end(&mut bytes)?;
        self.at = self.at.saturating_add(bytes.len() as u64);
        if bytes.len() < length {
            return Err(damaged(
                self.at,
                format!("it ends here, {} bytes too early or more", length.saturating_sub(bytes.len())),
            ));
        }
        self.hash.update(&bytes);
        Ok(bytes)
    }

    fn exactly<const N: usize>(&mut self) -> Result<[u8; N], ArchiveError> {
        let bytes = self.bytes(N)?;
        bytes.try_into().map_err(|_| damaged(self.at, "it ends here"))
    }

    fn length(&mut self, most: usize) -> Result<usize, ArchiveError> {
        let at = self.at;
        let length = u32::from_be_bytes(self.exactly()?);
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= most)
            .ok_or_else(|| damaged(at, format!("expected a length of at most {most}, found {length}")))
    }

    /// Reads a frame; false at the end.
    fn next_frame(&mut self) -> Result<bool, ArchiveError> {
        let at = self.at;
        let stored = self.length(FRAME_BYTES_MAX)?;
        let length = self.length(FRAME_BYTES_MAX)?;
        if (stored, length) == (0, 0) {
            self.end(at)?;
            return Ok(false);
        }
        if stored > length || stored.saturating_mul(RATIO_MAX) < length {
            return Err(damaged(at, format!("a part of {length} bytes cannot be stored in {stored}")));
        }
        let bytes = self.bytes(stored)?;
        if u64::from_be_bytes(self.exactly()?) != checksum(&self.frames.to_be_bytes(), &bytes) {
            return Err(damaged(at, "the checksum of the part that begins here does not fit"));
        }
        self.frames = self.frames.saturating_add(1);
        self.frame = if stored == length {
            bytes
        } else {
            block::decompress(&bytes, length).map_err(|error| {
                damaged(at, format!("the part that begins here cannot be unpacked: {error}"))
            })?
        };
        if self.frame.len() != length {
            return Err(damaged(
                at,
                format!("expected a part of {length} bytes, found {}", self.frame.len()),
            ));
        }
        self.within = 0;
        Ok(true)
    }

    /// Compares count and digest, and sees that nothing follows.
    fn end(&mut self, at: u64) -> Result<(), ArchiveError> {
        let rows = u64::from_be_bytes(self.exactly()?);
        if rows != self.rows {
            return Err(damaged(at, format!("expected {rows} rows, found {}", self.rows)));
        }
        let expected: [u8; 32] = self.hash.clone().finalize().into();
        let at = self.at;
        if self.exactly::<32>()? != expected {
            return Err(damaged(at, "the SHA-256 of all before does not fit"));
        }
        if !super::begin(&mut self.input)?.is_empty() {
            return Err(damaged(self.at, "something follows where it should end"));
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
        let at = self.at;
        if self.within >= self.frame.len() && (self.over || !self.next_frame()?) {
            return Ok(None);
        }
        let rest = self.frame.get(self.within..).unwrap_or_default();
        let (row, length) =
            split(rest).ok_or_else(|| damaged(at, "a part before here is not made of rows"))?;
        self.within = self.within.saturating_add(length);
        if !self.order.take(&row) {
            return Err(damaged(at, "a row comes twice, or out of its order"));
        }
        self.rows = self.rows.saturating_add(1);
        Ok(Some(row))
    }
}

/// Reads the first row, and says how many bytes it takes; `None` where there is none.
fn split(bytes: &[u8]) -> Option<(Row, usize)> {
    let ([table, k0, k1, k2, k3, v0, v1, v2, v3], rest) = bytes.split_first_chunk::<ROW_HEAD>()?;
    let table = Table::of_number(*table)?;
    let length = |number: [u8; 4]| usize::try_from(u32::from_be_bytes(number)).ok();
    let (key, rest) = rest.split_at_checked(length([*k0, *k1, *k2, *k3])?)?;
    let (value, rest) = rest.split_at_checked(length([*v0, *v1, *v2, *v3])?)?;
    let row = Row { table, key: key.to_vec(), value: value.to_vec() };
    Some((row, bytes.len().saturating_sub(rest.len())))
}
