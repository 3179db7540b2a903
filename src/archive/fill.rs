//! A file becomes a store.

use std::io::Read;
use std::sync::Arc;

use super::{ArchiveError, Shape, Verified, rows};
use crate::store::Finding;
use crate::store::fill::Fill;
use crate::store::kv::Changes;
use crate::store::kv::copy::BYTES_AT_ONCE;

/// A store that was filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// Rows that were written by this run; the others were there from one that was broken off.
    pub written: u64,
    /// What does not fit together, as it did not in the store that the file was made of.
    pub findings: Vec<Finding>,
}

/// What tells a file from others while a store is being filled from it.
pub fn source_of(verified: &Verified) -> String {
    verified.sha256()
}

/// Writes the rows of a file that was verified into a store that is being filled, looks whether all fits together, and has the store labelled.
/// Rows that an earlier run has made durable are not written again.
pub fn fill(
    mut into: Fill,
    input: impl Read,
    shape: Shape,
    verified: &Verified,
    progress: &mut dyn FnMut(u64),
) -> Result<Filled, ArchiveError> {
    let mut written = 0_u64;
    if !into.is_whole() {
        let behind = into.last()?.map(|(table, key)| (table.number(), key));
        let mut rows = rows(input, shape)?;
        let (mut changes, mut bytes) = (Changes::default(), 0_usize);
        while let Some(row) = rows.next_row()? {
            let is_there =
                behind.as_ref().is_some_and(|(table, key)| (row.table.number(), &row.key) <= (*table, key));
            if is_there {
                continue;
            }
            bytes = bytes.saturating_add(row.key.len()).saturating_add(row.value.len());
            changes.set(row.table, row.key, Some(Arc::from(row.value)));
            written = written.saturating_add(1);
            progress(written);
            if bytes >= BYTES_AT_ONCE {
                into.write(&std::mem::take(&mut changes))?;
                bytes = 0;
            }
        }
        if !changes.is_empty() {
            into.write(&changes)?;
        }
        into.must_hold(verified.digest)?;
    }
    let findings = into.finish(verified.header.layout, &mut |_| {})?;
    Ok(Filled { written, findings })
}
