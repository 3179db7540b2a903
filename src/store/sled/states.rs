//! States that stay as they are, over an engine that has none.
//!
//! Before a commit is applied, what its rows were is kept under the commit's number, in memory. Who reads the state of commit n takes for each
//! row what was kept under the first number greater than n, and what the engine has where nothing was. What no living state can ask for is dropped.
//! Readers and the applying of a batch exclude each other (a lock, held for a batch in memory or a few rows), flushes and visitors do not.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sled::{Batch, Db, IVec};

use super::failed;
use crate::store::StoreError;
use crate::store::kv::{KvRead, KvRow, Table, Visit};
use crate::store::redb::unless_damaged;

/// Most bytes of rows that are kept for older states. Where they do not suffice the oldest states end: their readers are told to come back.
const KEPT_BYTES_MAX: usize = if cfg!(test) { 1 << 20 } else { 256 << 20 };
/// Rows that are read under the lock at a time: few first, since most look for one.
const FIRST_ROWS: usize = 8;
/// The most.
const ROWS_AT_ONCE: usize = 512;

/// The key of a row in the one tree: its table's number, and its key there.
pub(super) fn key_of(table: Table, key: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(key.len() + 1);
    whole.push(table.number());
    whole.extend_from_slice(key);
    whole
}

/// A row as it was before some commits, by their numbers, ascending.
type Was = Vec<(u64, Option<Arc<[u8]>>)>;

#[derive(Default)]
struct Inner {
    /// Absent while the engine is not open.
    db: Option<Db>,
    /// The number of the last commit that was applied, durable or not.
    applied: u64,
    was: BTreeMap<Vec<u8>, Was>,
    /// The rows of which something is kept, by the commit, and how many bytes that takes.
    kept: BTreeMap<u64, (Vec<Vec<u8>>, usize)>,
    kept_bytes: usize,
    /// States before this one have ended.
    first: u64,
}

/// What the engine and its states share.
#[derive(Default)]
pub(super) struct Shared {
    inner: RwLock<Inner>,
    /// How many hold the state of a number.
    alive: Mutex<BTreeMap<u64, usize>>,
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        // Whoever panicked while writing has left rows kept that are as they were, which does no harm.
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn alive(&self) -> MutexGuard<'_, BTreeMap<u64, usize>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the engine, whose last commit has this number.
    pub(super) fn open(&self, db: Db, number: u64) {
        let mut inner = self.write();
        inner.db = Some(db);
        // Numbers are not given twice, also where a commit was applied and is not there any more.
        inner.applied = inner.applied.max(number);
    }

    /// Closes the engine; states say so until there is one again.
    pub(super) fn close(&self) {
        let db = self.write().db.take();
        // Closing flushes, which is not done under the lock.
        drop(db);
    }

    /// The number of the last commit that was applied.
    pub(super) fn applied(&self) -> u64 {
        self.read().applied
    }

    /// Applies a batch that is made for its number, after what its rows were is kept; returns the number.
    pub(super) fn apply(&self, make: impl FnOnce(u64) -> (Vec<Vec<u8>>, Batch)) -> Result<u64, StoreError> {
        let oldest = self.oldest();
        let mut inner = self.write();
        let db = inner.db.clone().ok_or_else(closed)?;
        inner.forget_before(oldest);
        let number = inner.applied.saturating_add(1);
        let (keys, batch) = make(number);
        let mut bytes = 0;
        for key in &keys {
            let was = db.get(key).map_err(failed)?.map(|value| Arc::<[u8]>::from(value.as_ref()));
            bytes += key.len() * 2 + was.as_ref().map_or(0, |was| was.len()) + 64;
            inner.was.entry(key.clone()).or_default().push((number, was));
        }
        inner.kept.insert(number, (keys, bytes));
        inner.kept_bytes += bytes;
        inner.applied = number;
        inner.end_oldest();
        db.apply_batch(batch).map_err(failed)?;
        Ok(number)
    }

    /// Of how many commits something is kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.read().kept.len()
    }

    /// Has the engine write what it holds in memory. The lock is not held.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        let db = self.read().db.clone().ok_or_else(closed)?;
        db.flush().map(drop).map_err(failed)
    }

    /// The number of the oldest state that anybody holds.
    fn oldest(&self) -> Option<u64> {
        self.alive().first_key_value().map(|(number, _)| *number)
    }

    /// The state after a commit.
    pub(super) fn state(shared: &Arc<Self>, number: u64) -> Arc<dyn KvRead> {
        *shared.alive().entry(number).or_default() += 1;
        Arc::new(State { shared: Arc::clone(shared), number })
    }
}

fn closed() -> StoreError {
    StoreError::Retry("the engine is not open".into())
}

impl Inner {
    /// Drops what only states before this one could ask for; without one, everything.
    fn forget_before(&mut self, oldest: Option<u64>) {
        while let Some(entry) = self.kept.first_entry() {
            if oldest.is_some_and(|oldest| *entry.key() > oldest) {
                break;
            }
            let (number, kept) = entry.remove_entry();
            self.forget(number, kept);
        }
    }

    /// Ends the oldest states until what is kept for the others fits. What the last commit needs is always kept.
    fn end_oldest(&mut self) {
        while self.kept_bytes > KEPT_BYTES_MAX && self.kept.len() > 1 {
            let Some((number, kept)) = self.kept.pop_first() else { break };
            self.first = number;
            self.forget(number, kept);
        }
    }

    fn forget(&mut self, number: u64, (keys, bytes): (Vec<Vec<u8>>, usize)) {
        self.kept_bytes = self.kept_bytes.saturating_sub(bytes);
        for key in keys {
            if let Some(was) = self.was.get_mut(&key) {
                was.retain(|(kept, _)| *kept > number);
                if was.is_empty() {
                    self.was.remove(&key);
                }
            }
        }
    }
}

/// What a row was after a commit, where it has been changed since.
fn as_of(was: &Was, number: u64) -> Option<&Option<Arc<[u8]>>> {
    was.iter().find(|(changed, _)| *changed > number).map(|(_, value)| value)
}

/// The state after one commit.
struct State {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for State {
    fn drop(&mut self) {
        let mut alive = self.shared.alive();
        if let Some(count) = alive.get_mut(&self.number) {
            *count -= 1;
            if *count == 0 {
                alive.remove(&self.number);
            }
        }
        drop(alive);
        // Where somebody is in the way the next commit does it.
        if let Ok(mut inner) = self.shared.inner.try_write() {
            // Asked under the lock, so that no commit of which a new state is about to be told is forgotten: that one has a greater number than all.
            let oldest = self.shared.oldest();
            if oldest.is_some() {
                inner.forget_before(oldest);
            }
        }
    }
}

/// Which way rows are read.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Onward,
    Back,
}

/// Some rows in the way's order, and where the rest begins; `None` where this was all.
type Piece = (Vec<(Vec<u8>, Bytes)>, Option<Vec<u8>>);

/// A value from the engine, or from what is kept.
enum Bytes {
    Engine(IVec),
    Kept(Arc<[u8]>),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Engine(bytes) => bytes,
            Self::Kept(bytes) => bytes,
        }
    }

    fn into_shared(self) -> Arc<[u8]> {
        match self {
            Self::Engine(bytes) => Arc::from(bytes.as_ref()),
            Self::Kept(bytes) => bytes,
        }
    }
}

impl State {
    fn look<'i>(&self, inner: &'i RwLockReadGuard<'_, Inner>) -> Result<&'i Db, StoreError> {
        if self.number < inner.first {
            let why = "this moment of the store is too long ago for what was written since";
            return Err(StoreError::Retry(why.into()));
        }
        inner.db.as_ref().ok_or_else(closed)
    }

    /// Reads some rows of a stretch of whole keys.
    fn piece(&self, from: &[u8], to: &[u8], rows_max: usize, way: Way) -> Result<Piece, StoreError> {
        let inner = self.shared.read();
        let db = self.look(&inner)?;
        let mut rows: BTreeMap<Vec<u8>, Option<Bytes>> = BTreeMap::new();
        let range = db.range(from..to);
        let mut take = |row: sled::Result<(IVec, IVec)>| {
            let (key, value) = row.map_err(failed)?;
            rows.insert(key.to_vec(), Some(Bytes::Engine(value)));
            Ok::<_, StoreError>(rows.len() >= rows_max)
        };
        let mut is_full = false;
        match way {
            Way::Onward => {
                for row in range {
                    is_full = take(row)?;
                    if is_full {
                        break;
                    }
                }
            }
            Way::Back => {
                for row in range.rev() {
                    is_full = take(row)?;
                    if is_full {
                        break;
                    }
                }
            }
        }
        // As far as the engine's rows go, so do those that are kept.
        let (from, to, rest) = match (way, is_full) {
            (Way::Onward, true) => {
                let mut next = rows.last_key_value().map(|(key, _)| key.clone()).unwrap_or_default();
                next.push(0);
                (from.to_vec(), next.clone(), Some(next))
            }
            (Way::Back, true) => {
                let next = rows.first_key_value().map(|(key, _)| key.clone()).unwrap_or_default();
                (next.clone(), to.to_vec(), Some(next))
            }
            (_, false) => (from.to_vec(), to.to_vec(), None),
        };
        for (key, was) in inner.was.range(from..to) {
            if let Some(value) = as_of(was, self.number) {
                rows.insert(key.clone(), value.clone().map(Bytes::Kept));
            }
        }
        drop(inner);
        let there = rows.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let rows = match way {
            Way::Onward => there.collect(),
            Way::Back => there.rev().collect(),
        };
        Ok((rows, rest))
    }

    /// Shows rows of a table. No lock is held while one is shown.
    fn show(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        way: Way,
        visit: &mut dyn FnMut(&[u8], Bytes) -> Visit,
    ) -> Result<(), StoreError> {
        let (mut from, mut to) = (key_of(table, from), key_of(table, to));
        let mut rows_max = FIRST_ROWS;
        while from < to {
            let (rows, rest) = unless_damaged(|| self.piece(&from, &to, rows_max, way))?;
            for (key, value) in rows {
                if visit(key.get(1..).unwrap_or_default(), value)?.is_break() {
                    return Ok(());
                }
            }
            match (rest, way) {
                (None, _) => break,
                (Some(next), Way::Onward) => from = next,
                (Some(next), Way::Back) => to = next,
            }
            rows_max = (rows_max * 4).min(ROWS_AT_ONCE);
        }
        Ok(())
    }
}

impl KvRead for State {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
        let key = key_of(table, key);
        let inner = self.shared.read();
        let db = self.look(&inner)?;
        if let Some(value) = inner.was.get(&key).and_then(|was| as_of(was, self.number)) {
            return Ok(value.clone());
        }
        let found = unless_damaged(|| db.get(&key).map_err(failed))?;
        Ok(found.map(|value| Arc::from(value.as_ref())))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.show(table, from, to, Way::Onward, &mut |key, value| visit(key, value.as_slice()))
    }

    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.show(table, from, to, Way::Back, &mut |key, value| visit(key, value.as_slice()))
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<KvRow>, StoreError> {
        let mut found = None;
        self.show(table, from, to, Way::Back, &mut |key, value| {
            found = Some((key.to_vec(), value.into_shared()));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }
}
