//! Writing the database anew, without what nothing refers to any more (X63).
//!
//! What was erased is out of every table at once, but its bytes stay in free pages until something else is written there. A file that is
//! written anew from the tables has none of them, and no free pages either. The new file takes the old one's name only when it is whole,
//! durable, and holds what the old one held.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Engine, FILE, NEW_FILE, OpenError, RedbOptions, applied, journal, unless_damaged};
use crate::store::StoreError;
use crate::store::folder::{Folder, FolderError};
use crate::store::journal::Tree;
use crate::store::kv::{Changes, KvEngine, KvRead, Table};

/// Bytes that are written in one transaction.
const BYTES_AT_ONCE: usize = 16 << 20;
/// Greater than every key: the writer's own begins with four of these, and goes on with a letter.
const END: [u8; 8] = [u8::MAX; 8];

/// What writing anew came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes of the file before.
    pub before: u64,
    /// Bytes of the file now.
    pub after: u64,
    /// Rows in it.
    pub rows: u64,
}

/// Writes the database of a folder anew. Nobody else may have the folder open.
pub fn compact(path: &Path, options: &RedbOptions) -> Result<Compacted, OpenError> {
    let place = path.join(FILE);
    let named = |why| OpenError::Engine { path: place.clone(), why };
    if !Folder::open(path)?.has_its(FILE)? {
        return Err(FolderError::Lost { path: place }.into());
    }
    // What a killed daemon left in the journal goes into the tree first, and the journal's files are emptied.
    let (mut journal, _) = journal(path, options)?;
    journal.settle().map_err(named)?;
    drop(journal);
    let folder = Folder::open(path)?;
    folder.remove(NEW_FILE)?;
    let fresh = folder.make(NEW_FILE)?;
    let (before, rows) =
        rewrite(Engine::at(place.clone(), options), Engine::at(fresh, options)).map_err(named)?;
    folder.rename(NEW_FILE, FILE)?;
    let after = std::fs::metadata(&place).map_or(0, |found| found.len());
    Ok(Compacted { before, after, rows })
}

/// Copies every row; returns how many bytes the old file had, and how many rows there are.
fn rewrite(mut old: Engine, mut new: Engine) -> Result<(u64, u64), StoreError> {
    old.must_not_be_empty()?;
    let before = std::fs::metadata(&old.path).map_or(0, |found| found.len());
    let from = unless_damaged(|| old.reopen())?;
    drop(unless_damaged(|| new.reopen())?);
    // The journal's next batch follows what the old file held.
    let applied = applied(old.database()?)?;
    drop(new.apply(&|_| Box::new(std::iter::empty()), applied)?);
    for table in [Table::Documents, Table::Small] {
        let mut at = Vec::new();
        loop {
            let (changes, last) = some(from.as_ref(), table, &at)?;
            let Some(last) = last else { break };
            drop(new.commit(&changes)?);
            at = last;
            at.push(0);
        }
    }
    // What was written page after page left room behind.
    unless_damaged(|| new.squeeze())?;
    let (ours, theirs) = (digest(from.as_ref())?, digest(new.state()?.as_ref())?);
    if ours != theirs {
        return Err(StoreError::Fatal(
            "the new file does not hold what the old one holds; it was not taken".into(),
        ));
    }
    Ok((before, ours.1))
}

/// Gathers rows from a key on, and says which was the last; `None` where there are none.
fn some(from: &dyn KvRead, table: Table, at: &[u8]) -> Result<(Changes, Option<Vec<u8>>), StoreError> {
    let (mut changes, mut last, mut bytes) = (Changes::default(), None, 0_usize);
    from.scan(table, at, &END, &mut |key, value| {
        bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
        changes.set(table, key.to_vec(), Some(Arc::from(value)));
        last = Some(key.to_vec());
        Ok(if bytes < BYTES_AT_ONCE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok((changes, last))
}

/// Digests every row of both tables, and counts them.
fn digest(state: &dyn KvRead) -> Result<([u8; 32], u64), StoreError> {
    let (mut hash, mut rows) = (Sha256::new(), 0_u64);
    for (table, name) in [(Table::Documents, 0_u8), (Table::Small, 1)] {
        state.scan(table, &[], &END, &mut |key, value| {
            rows += 1;
            hash.update([name]);
            for part in [key, value] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok((hash.finalize().into(), rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redb::open;
    use crate::store::suite::fixture::{T, ok, person, put, see, unit, user};
    use crate::store::{Seq, Store as _, Write};

    fn holds(path: &Path, needle: &[u8]) -> bool {
        std::fs::read_dir(path).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(needle.len()).any(|found| found == needle)
        })
    }

    #[test]
    fn x63_a_file_that_is_written_anew_holds_all_rows_and_nothing_that_was_removed() {
        let home = tempfile::tempdir().unwrap();
        let (path, options) = (home.path().join("data"), RedbOptions::default());
        let store = open(&path, &options).unwrap();
        for number in 1..=400 {
            ok(&store, put(&person(number, &format!("kept-{number}"))));
        }
        ok(&store, put(&person(1000, "canary-of-the-erased")));
        // Into the tree with it, which it would not have reached by now.
        drop(store);
        let store = open(&path, &options).unwrap();
        let before = see(&store).changes(T, Seq::ZERO, 1000).unwrap();
        let last = before.last().unwrap().seq;
        ok(&store, unit().delete(user(1000)).write(Write::EraseValues(last)));
        drop(store);
        assert!(holds(&path, b"canary-of-the-erased"), "free pages hold it still");

        let done = compact(&path, &options).unwrap();
        assert!(!holds(&path, b"canary-of-the-erased"));
        assert!(holds(&path, b"kept-400") && done.after <= done.before, "{done:?}");
        let store = open(&path, &options).unwrap();
        let after = see(&store).changes(T, Seq::ZERO, 1000).unwrap();
        assert_eq!(after.len(), before.len() + 1);
        assert_eq!(after[..400], before[..400]);
        assert!(after[400].values.is_empty() && after[400].facts == before[400].facts);
        assert_eq!(store.check(&mut |_| {}).unwrap(), []);
        assert!(matches!(compact(&path, &options), Err(OpenError::Folder(FolderError::Held { .. }))));
        ok(&store, put(&person(2000, "second-canary")));
        let last = see(&store).head(T).unwrap().seq;
        ok(&store, unit().delete(user(2000)).write(Write::EraseValues(last)));
        // What a kill leaves has it in the journal.
        let killed = home.path().join("killed");
        std::fs::create_dir(&killed).unwrap();
        for file in std::fs::read_dir(&path).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), killed.join(file.file_name())).unwrap();
        }
        assert!(holds(&killed, b"second-canary"));
        let rows = compact(&killed, &options).unwrap().rows;
        assert!(rows > done.rows && !holds(&killed, b"second-canary"));
        drop(store);
        assert_eq!(compact(&path, &options).unwrap().rows, rows);
        assert!(matches!(compact(home.path(), &options), Err(OpenError::Folder(FolderError::Lost { .. }))));
    }
}
