//! The bytes of one batch in the journal.
//!
//! ```text
//! 0   magic (4)                      8   number of the batch (8)
//! 4   length of the changes (4)      16  checksum of number and changes (8)
//! 24  the changes: table (1), key's length, key, value's length and one (0 removes the row), value
//! ```
//!
//! Numbers are little-endian, lengths as LEB128. A record begins at a block, and what is left of its last block is zero: no block that holds one record is
//! ever written again for another, so that a power loss while one is written cannot harm those before it. The layout is part of the
//! folder's format.

use std::sync::Arc;

use crate::store::StoreError;
use crate::store::codec::{Reader, put_bytes, put_length};
use crate::store::kv::{Changes, Table};
use crate::store::seal::checksum;

/// Bytes of a block.
pub(super) const BLOCK: usize = 4096;
/// Bytes before the changes.
pub(super) const HEADER: usize = 24;
/// No text has these bytes, so that nothing that a client sent is taken for a record.
const MAGIC: [u8; 4] = *b"rJ\x01\x97";

/// What a record says of itself before its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The number of the batch.
    pub(super) number: u64,
    /// Bytes of its changes.
    pub(super) length: usize,
    checksum: u64,
}

impl Header {
    /// Reads the first bytes of a block; `None` where no record begins.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let mut reader = Reader::over(rest);
        let length = u32::from_le_bytes(reader.array()?);
        let (number, checksum) = (reader.u64()?, reader.u64()?);
        Some(Self { number, length: usize::try_from(length).ok()?, checksum })
    }

    /// Tells whether these are the changes that the record was written with.
    pub(super) fn fits(&self, changes: &[u8]) -> bool {
        changes.len() == self.length && self.checksum == checksum(&self.number.to_le_bytes(), changes)
    }

    /// Says how many bytes the record takes, whole blocks.
    pub(super) fn taken(&self) -> u64 {
        (HEADER + self.length).next_multiple_of(BLOCK) as u64
    }
}

/// Writes a batch as a record of whole blocks, in place of what is in `bytes`.
pub(super) fn encode(number: u64, changes: &Changes, bytes: &mut Vec<u8>) -> Result<(), StoreError> {
    bytes.clear();
    bytes.resize(HEADER, 0);
    for table in Table::ALL {
        for (key, value) in changes.of(table) {
            bytes.push(tag(table));
            put_bytes(bytes, key);
            put_length(bytes, value.map_or(0, |value| value.len().saturating_add(1)));
            bytes.extend_from_slice(value.map_or(&[], |value| value));
        }
    }
    let (header, changes) = bytes.split_at_mut(HEADER);
    let too_large = |_| StoreError::Invalid("a batch of more than 4 GiB".into());
    let length = u32::try_from(changes.len()).map_err(too_large)?;
    let sum = checksum(&number.to_le_bytes(), changes);
    let parts: [&[u8]; 4] = [&MAGIC, &length.to_le_bytes(), &number.to_le_bytes(), &sum.to_le_bytes()];
    for (at, byte) in header.iter_mut().zip(parts.into_iter().flatten()) {
        *at = *byte;
    }
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    Ok(())
}

/// Reads the changes of a record, whose checksum fits; `None` where they make no sense all the same.
pub(super) fn decode(changes: &[u8]) -> Option<Changes> {
    let mut found = Changes::default();
    let mut reader = Reader::over(changes);
    while !reader.rest.is_empty() {
        let table = Table::ALL.into_iter().find(|table| reader.rest.first() == Some(&tag(*table)))?;
        reader.byte()?;
        let key = reader.bytes()?.to_vec();
        let value = match reader.length()?.checked_sub(1) {
            None => None,
            Some(length) => Some(Arc::from(reader.take(length)?)),
        };
        found.set(table, key, value);
    }
    Some(found)
}

const fn tag(table: Table) -> u8 {
    match table {
        Table::Documents => b'd',
        Table::Small => b's',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Changes {
        let mut changes = Changes::default();
        changes.set(Table::Documents, b"ada".to_vec(), Some(Arc::from(&b"{}"[..])));
        changes.set(Table::Documents, b"bob".to_vec(), None);
        changes.set(Table::Small, b"\0".to_vec(), Some(Arc::from(&b""[..])));
        changes.set(Table::Small, Vec::new(), Some(vec![7; 5000].into()));
        changes
    }

    type Row = (Table, Vec<u8>, Option<Arc<[u8]>>);

    fn rows(changes: &Changes) -> Vec<Row> {
        let of = |table| {
            changes
                .of(table)
                .map(move |(key, value)| (table, key.to_vec(), value.cloned()))
                .collect::<Vec<_>>()
        };
        Table::ALL.into_iter().flat_map(of).collect()
    }

    fn encoded(number: u64) -> Vec<u8> {
        // Whatever was there before is not there afterwards.
        let mut bytes = vec![0xee; 10_000];
        encode(number, &batch(), &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_was_written_is_read_again() {
        let bytes = encoded(42);
        assert_eq!(bytes.len(), 2 * BLOCK);
        let header = Header::read(&bytes).unwrap();
        assert_eq!((header.number, header.taken()), (42, 2 * BLOCK as u64));
        let changes = &bytes[HEADER..HEADER + header.length];
        assert!(header.fits(changes));
        assert_eq!(rows(&decode(changes).unwrap()), rows(&batch()));
    }

    #[test]
    fn r9_no_flipped_bit_of_a_record_is_believed() {
        let bytes = encoded(42);
        let end = HEADER + Header::read(&bytes).unwrap().length;
        for bit in 0..end * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let believed = Header::read(&damaged).filter(|header| {
                damaged
                    .get(HEADER..HEADER.saturating_add(header.length))
                    .is_some_and(|changes| header.fits(changes))
            });
            assert_eq!(believed, None, "bit {bit}");
        }
    }

    #[test]
    fn r9_changes_that_make_no_sense_are_none() {
        let bytes = encoded(1);
        let end = HEADER + Header::read(&bytes).unwrap().length;
        for cut in HEADER + 1..end {
            // A cut between two changes leaves fewer of them; everywhere else there is no sense in it.
            if let Some(fewer) = decode(&bytes[HEADER..cut]) {
                assert!(rows(&fewer).len() < 4, "{cut}");
            }
        }
        assert!(decode(b"x").is_none());
        assert!(decode(b"s\xff\xff\x03key").is_none());
    }
}
