//! The bytes of a record: how one is written, and how it is read without parsing or allocating.
//!
//! Layout of format 1 (numbers little-endian, lengths as LEB128):
//!
//! ```text
//! 0   format (1)                             30  modified: likewise
//! 1   flags: bit 0 = has connection (1)      42  connection (16, if flagged)
//! 2   checksum of the key and all else (8)   …   display: length, text
//! 10  version (8)                            …   segments: count, each (URN tag, or 0 and the URN), length, JSON
//! 18  created: seconds (8), nanoseconds (4)  …   unique keys, then index entries: count, each index, length, value
//! ```
//!
//! The address is the row's key and not repeated; the checksum covers it. Golden files hold bytes that earlier
//! builds wrote: a change of layout needs a new format number and keeps reading the old one.

use std::sync::Arc;

use jiff::Timestamp;

use super::unit::{IndexEntry, IndexId, Record, Segment, Seq, UniqueKey};
use super::{StoreError, seal};
use crate::ids::{Address, ConnectionId, TenantId};

/// The format that is written today.
const FORMAT: u8 = 1;
const HAS_CONNECTION: u8 = 1;
/// Where what the checksum covers begins again after it.
const BODY_AT: usize = 10;
/// URNs that take one byte; the place in the list (from 1) is the tag, so the list only ever grows at its end.
const KNOWN_URNS: [&str; 3] = [
    "urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:core:2.0:Group",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
];

/// A record as it was read: its bytes, and where things lie in them. Cheap to clone; parses no JSON.
#[derive(Clone)]
pub struct Stored {
    bytes: Arc<[u8]>,
    at: Address,
    version: Seq,
    created: Timestamp,
    modified: Timestamp,
    connection: Option<ConnectionId>,
    display: (usize, usize),
    text: usize,
    segments: List,
    unique: List,
    index: List,
}

/// Where a list of entries begins, and how many there are.
#[derive(Debug, Clone, Copy)]
struct List {
    at: usize,
    count: usize,
}

impl Stored {
    /// Reads a record's bytes, after their checksum. Damaged bytes are an error, never a panic.
    pub fn decode(tenant: TenantId, at: Address, bytes: Arc<[u8]>) -> Result<Self, StoreError> {
        if bytes.first().is_some_and(|format| *format > FORMAT) {
            return Err(StoreError::Corrupt(format!(
                "record {} has a format newer than {FORMAT}, or its first byte is damaged",
                at.id
            )));
        }
        let damaged = || StoreError::Corrupt(format!("record {} of kind {} is damaged", at.id, at.kind.0));
        let sum = stored_checksum(&bytes).ok_or_else(damaged)?;
        if computed_checksum(tenant, at, &bytes).ok_or_else(damaged)? != sum {
            return Err(damaged());
        }
        Self::lay_out(at, bytes).ok_or_else(damaged)
    }

    fn lay_out(at: Address, bytes: Arc<[u8]>) -> Option<Self> {
        let mut reader = Reader::over(&bytes);
        let flags = *reader.take(BODY_AT)?.get(1)?;
        let version = Seq(reader.u64()?);
        let created = reader.timestamp()?;
        let modified = reader.timestamp()?;
        let connection = if flags & HAS_CONNECTION == 0 {
            None
        } else {
            Some(ConnectionId::from_bytes(reader.take(16)?.try_into().ok()?))
        };
        let display_len = reader.length()?;
        let display = (reader.at(), reader.at().checked_add(display_len)?);
        str::from_utf8(reader.take(display_len)?).ok()?;
        let segments = reader.list()?;
        let mut text = 0_usize;
        for _ in 0..segments.count {
            let (_, json) = reader.segment()?;
            text = text.saturating_add(json.len());
        }
        let unique = reader.list()?;
        for _ in 0..unique.count {
            reader.key()?;
        }
        let index = reader.list()?;
        for _ in 0..index.count {
            reader.key()?;
        }
        reader.rest.is_empty().then_some(())?;
        Some(Self {
            bytes,
            at,
            version,
            created,
            modified,
            connection,
            display,
            text,
            segments,
            unique,
            index,
        })
    }

    /// Where it lives.
    pub const fn at(&self) -> Address {
        self.at
    }

    /// The number of the unit that last put it.
    pub const fn version(&self) -> Seq {
        self.version
    }

    /// When it was first written.
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// When its document last changed.
    pub const fn modified(&self) -> Timestamp {
        self.modified
    }

    /// The connection that provisioned it.
    pub const fn connection(&self) -> Option<ConnectionId> {
        self.connection
    }

    /// What other resources show for it.
    pub fn display(&self) -> &str {
        let (from, to) = self.display;
        // Decoding has seen that this is text.
        self.bytes.get(from..to).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The document's parts as (schema URN, JSON object), the core schema's first.
    pub fn segments(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut reader = self.reader_at(self.segments);
        (0..self.segments.count).map_while(move |_| reader.segment())
    }

    /// How many bytes of JSON the document's parts have together.
    pub const fn text_bytes(&self) -> usize {
        self.text
    }

    /// Every value that nobody else may hold.
    pub fn unique(&self) -> impl Iterator<Item = (IndexId, &[u8])> {
        let mut reader = self.reader_at(self.unique);
        (0..self.unique.count).map_while(move |_| reader.key())
    }

    /// Every value under which it is found.
    pub fn index(&self) -> impl Iterator<Item = (IndexId, &[u8])> {
        let mut reader = self.reader_at(self.index);
        (0..self.index.count).map_while(move |_| reader.key())
    }

    /// Copies everything out.
    pub fn to_record(&self) -> Result<Record, StoreError> {
        let segments = self.segments().map(|(urn, json)| Segment { urn: urn.into(), json: json.into() });
        let unique = self.unique().map(|(index, value)| UniqueKey { index, value: value.into() });
        let index = self.index().map(|(index, value)| IndexEntry { index, value: value.into() });
        let record = Record {
            at: self.at,
            connection: self.connection,
            created: self.created,
            modified: self.modified,
            display: self.display().into(),
            segments: segments.collect(),
            unique: unique.collect(),
            index: index.collect(),
        };
        let whole = record.segments.len() == self.segments.count
            && record.unique.len() == self.unique.count
            && record.index.len() == self.index.count;
        // Decoding has walked over every entry, so this is a defect of ours rather than of the disk.
        if whole {
            Ok(record)
        } else {
            Err(StoreError::Corrupt(format!("record {} is not whole", self.at.id)))
        }
    }

    fn reader_at(&self, list: List) -> Reader<'_> {
        let rest = self.bytes.get(list.at..).unwrap_or_default();
        Reader { whole: self.bytes.len(), rest }
    }
}

impl std::fmt::Debug for Stored {
    /// Shows no attribute: a record is somebody's personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("at", &self.at).field("version", &self.version).finish_non_exhaustive()
    }
}

/// Writes a record's bytes.
pub fn encode(tenant: TenantId, version: Seq, record: &Record) -> Vec<u8> {
    let text: usize = record.segments.iter().map(|segment| segment.json.len() + 64).sum();
    let mut out = Vec::with_capacity(96 + record.display.len() + text + 64 * record.index.len());
    out.push(FORMAT);
    out.push(if record.connection.is_some() { HAS_CONNECTION } else { 0 });
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&version.0.to_le_bytes());
    for time in [record.created, record.modified] {
        out.extend_from_slice(&time.as_second().to_le_bytes());
        out.extend_from_slice(&time.subsec_nanosecond().to_le_bytes());
    }
    if let Some(connection) = record.connection {
        out.extend_from_slice(connection.as_bytes());
    }
    put_bytes(&mut out, record.display.as_bytes());
    put_length(&mut out, record.segments.len());
    for segment in &record.segments {
        if let Some(place) = KNOWN_URNS.iter().position(|known| *known == segment.urn) {
            put_length(&mut out, place + 1);
        } else {
            out.push(0);
            put_bytes(&mut out, segment.urn.as_bytes());
        }
        put_bytes(&mut out, segment.json.as_bytes());
    }
    put_length(&mut out, record.unique.len());
    for key in &record.unique {
        out.push(key.index.0);
        put_bytes(&mut out, &key.value);
    }
    put_length(&mut out, record.index.len());
    for entry in &record.index {
        out.push(entry.index.0);
        put_bytes(&mut out, &entry.value);
    }
    let sum = computed_checksum(tenant, record.at, &out).unwrap_or_default();
    if let Some(place) = out.get_mut(2..BODY_AT) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
    out
}

fn stored_checksum(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(2..BODY_AT)?.try_into().ok()?))
}

fn computed_checksum(tenant: TenantId, at: Address, bytes: &[u8]) -> Option<u64> {
    let mut key = [0; 23];
    let (place, rest) = key.split_first_chunk_mut::<4>()?;
    *place = tenant.number().to_be_bytes();
    let (kind, rest) = rest.split_first_mut()?;
    *kind = at.kind.0;
    let (id, head) = rest.split_first_chunk_mut::<16>()?;
    *id = *at.id.as_bytes();
    head.copy_from_slice(bytes.get(..2)?);
    Some(seal::checksum(&key, bytes.get(BODY_AT..)?))
}

/// Appends a number, seven bits a byte, the low ones first.
pub(super) fn put_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let [byte, ..] = length.to_le_bytes();
        length >>= 7;
        if length == 0 {
            return out.push(byte & 0x7f);
        }
        out.push(byte | 0x80);
    }
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Walks over bytes that may be damaged: every step can say that there is nothing (right) to read.
pub(super) struct Reader<'a> {
    whole: usize,
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn over(bytes: &'a [u8]) -> Self {
        Self { whole: bytes.len(), rest: bytes }
    }

    const fn at(&self) -> usize {
        self.whole - self.rest.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn timestamp(&mut self) -> Option<Timestamp> {
        let second = i64::from_le_bytes(self.array()?);
        let nanosecond = i32::from_le_bytes(self.array()?);
        Timestamp::new(second, nanosecond).ok()
    }

    /// Reads a length of at most 2^35; longer ones are damage.
    pub(super) fn length(&mut self) -> Option<usize> {
        let mut length = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            length |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(length).ok();
            }
        }
        None
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }

    /// Reads how many entries follow; each takes two bytes at least.
    fn list(&mut self) -> Option<List> {
        let count = self.length()?;
        (count <= self.rest.len()).then_some(List { at: self.at(), count })
    }

    fn segment(&mut self) -> Option<(&'a str, &'a str)> {
        let urn = match self.byte()? {
            0 => self.text()?,
            tag => KNOWN_URNS.get(usize::from(tag) - 1)?,
        };
        Some((urn, self.text()?))
    }

    fn key(&mut self) -> Option<(IndexId, &'a [u8])> {
        Some((IndexId(self.byte()?), self.bytes()?))
    }
}

#[cfg(test)]
mod tests;
