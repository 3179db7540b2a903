//! Reading a file to its end, before anything in it is believed.

use std::io::Read;

use super::lines::hex;
use super::{ArchiveError, Header, Shape, rows};
use crate::store::kv::copy::{Digested, RowDigest};

/// A file that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it says of itself.
    pub header: Header,
    /// Its rows.
    pub digest: Digested,
}

impl Verified {
    /// The digest of its rows, hexadecimal. Two files with the same rows have the same, of whichever shape they are.
    pub fn sha256(&self) -> String {
        hex(&self.digest.sha256)
    }
}

/// Reads a file to its end. `progress` is told how many rows were read.
pub fn verify(
    input: impl Read,
    shape: Shape,
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, ArchiveError> {
    let mut rows = rows(input, shape)?;
    let mut digest = RowDigest::default();
    while let Some(row) = rows.next_row()? {
        digest.add(row.table, &row.key, &row.value);
        progress(digest.rows());
    }
    Ok(Verified { header: rows.header().clone(), digest: digest.finish() })
}
