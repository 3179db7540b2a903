//! All rows of a state: shown in one order, gathered for writing elsewhere, and digested.
//!
//! What is copied (a file written anew, a backup, another engine) is compared with what it was copied from by this digest, so every copy uses the same.

use std::ops::ControlFlow;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Changes, KvRead, Table, Visit, keys};
use crate::store::StoreError;

/// Bytes that are written in one commit when rows are copied.
pub const BYTES_AT_ONCE: usize = 8 << 20;

/// The tables in the order in which their rows are copied.
pub const TABLES: [Table; 2] = [Table::Documents, Table::Small];

impl Table {
    /// The table's number in digests and files. Part of their formats: never changes.
    pub const fn number(self) -> u8 {
        match self {
            Self::Documents => 0,
            Self::Small => 1,
        }
    }

    /// The table of a number.
    pub const fn of_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Documents),
            1 => Some(Self::Small),
            _ => None,
        }
    }
}

/// A digest over rows in their order.
#[derive(Debug, Clone, Default)]
pub struct RowDigest {
    hash: Sha256,
    rows: u64,
}

/// What a digest came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digested {
    /// How many rows.
    pub rows: u64,
    /// SHA-256 over all of them.
    pub sha256: [u8; 32],
}

impl RowDigest {
    /// Adds a row.
    pub fn add(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.rows = self.rows.saturating_add(1);
        self.hash.update([table.number()]);
        for part in [key, value] {
            self.hash.update((part.len() as u64).to_be_bytes());
            self.hash.update(part);
        }
    }

    /// How many rows were added.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends it.
    pub fn finish(self) -> Digested {
        Digested { rows: self.rows, sha256: self.hash.finalize().into() }
    }
}

/// Who is shown rows of both tables.
pub type Visitor<'v> = dyn FnMut(Table, &[u8], &[u8]) -> Visit + 'v;

/// Shows every row, table by table in order of key, until the visitor breaks off.
pub fn each(state: &dyn KvRead, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
    for table in TABLES {
        let mut stopped = false;
        state.scan(table, &[], &keys::BEYOND, &mut |key, value| {
            let flow = visit(table, key, value)?;
            stopped = flow.is_break();
            Ok(flow)
        })?;
        if stopped {
            break;
        }
    }
    Ok(())
}

/// Digests every row.
pub fn digest(state: &dyn KvRead) -> Result<Digested, StoreError> {
    let mut digest = RowDigest::default();
    each(state, &mut |table, key, value| {
        digest.add(table, key, value);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(digest.finish())
}

/// Finds the last row of all.
pub fn last(state: &dyn KvRead) -> Result<Option<(Table, Vec<u8>)>, StoreError> {
    for table in TABLES.into_iter().rev() {
        if let Some((key, _)) = state.last(table, &[], &keys::BEYOND)? {
            return Ok(Some((table, key)));
        }
    }
    Ok(None)
}

/// Gathers what becomes of rows of a table from a key on, and says which of them was the last; `None` where there are none.
pub fn some(
    state: &dyn KvRead,
    table: Table,
    from: &[u8],
    bytes_max: usize,
    row: impl Fn(Table, &[u8], &[u8]) -> Result<Option<Arc<[u8]>>, StoreError>,
) -> Result<(Changes, Option<Vec<u8>>), StoreError> {
    let (mut changes, mut last, mut bytes) = (Changes::default(), None, 0_usize);
    state.scan(table, from, &keys::BEYOND, &mut |key, value| {
        bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
        if let Some(value) = row(table, key, value)? {
            changes.set(table, key.to_vec(), Some(value));
        }
        last = Some(key.to_vec());
        Ok(if bytes < bytes_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok((changes, last))
}
