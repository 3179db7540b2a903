//! A state of the store becomes a file.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::Duration;

use super::{ArchiveError, Header, Shape, frames, lines};
use crate::store::StoreError;
use crate::store::kv::KvRead;
use crate::store::kv::copy::{Digested, RowDigest, each};

/// Longest that one moment of the store is held for a file that a daemon makes: meanwhile the engine cannot use the room again that older pages take,
/// and its file grows by what is written. Other readers let go after half a minute and go on with a later moment, which a backup must not.
pub const BACKUP_WITHIN: Duration = Duration::from_hours(1);

/// Writes every row of a state, in bounded memory, and says what was written. `progress` is told how many rows were written.
pub fn write(
    state: &dyn KvRead,
    header: &Header,
    shape: Shape,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Digested, ArchiveError> {
    let mut writer = match shape {
        Shape::Backup => Writer::Backup(frames::Writer::begin(out, header)?),
        Shape::Lines => Writer::Lines(lines::Writer::begin(out, header)?),
    };
    let mut digest = RowDigest::default();
    let mut failed = None;
    let read = each(state, &mut |table, key, value| {
        digest.add(table, key, value);
        progress(digest.rows());
        let written = match &mut writer {
            Writer::Backup(writer) => writer.row(table, key, value),
            Writer::Lines(writer) => writer.row(table, key, value),
        };
        Ok(match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })
    });
    if let Some(error) = failed {
        return Err(error);
    }
    read.map_err(|error: StoreError| ArchiveError::Store(error))?;
    match writer {
        Writer::Backup(writer) => writer.finish()?,
        Writer::Lines(writer) => writer.finish()?,
    }
    Ok(digest.finish())
}

enum Writer<'w> {
    Backup(frames::Writer<&'w mut dyn Write>),
    Lines(lines::Writer<&'w mut dyn Write>),
}
