//! The store's contract over an ordered key-value engine.
//!
//! Read in this order: this file (what an engine must do, and the store that stands on one), [`keys`] (the key layout),
//! `rows` (the values), `foresee` (what a unit will look at), `draft` (changes that are not written yet), `blocks` (counting ids), `apply` (a unit becomes changes),
//! `read` (a snapshot), `check` (everything held twice compared), [`copy`] (all rows, and their digest), `upgrade` (what earlier builds did not write).
//!
//! Units are applied to *drafts* in memory over the engine's last committed state. So a unit that fails
//! leaves no trace whatever it did before it failed, the engine gets one sorted list of changes per batch, and an engine need only
//! be able to read, and to write one such list durably.

mod apply;
mod blocks;
pub(in crate::store) mod check;
pub mod copy;
#[cfg(test)]
pub(crate) mod counting;
mod draft;
#[cfg(feature = "postgres")]
mod foresee;
mod history;
pub mod keys;
pub(super) mod layer;
mod read;
mod rows;
/// For engines that outlive their process.
#[cfg(feature = "redb")]
mod upgrade;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

pub use draft::Changes;
#[cfg(feature = "postgres")]
pub(super) use foresee::Foreseen;
pub use keys::Table;
pub use read::KvSnapshot;

pub(crate) use apply::{Applied, apply};
#[cfg(feature = "postgres")]
pub(super) use check::check as check_state;
pub(crate) use draft::Batch;
#[cfg(feature = "postgres")]
pub(super) use rows::open_sealed_head as open_head;
#[cfg(feature = "redb")]
pub(super) use upgrade::note_subjects;

use super::unit::{Outcome, Unit};
use super::writer::{Writer, WriterOptions};
use super::{Finding, Health, Queued, Snapshot, Store, StoreError};
use crate::ids::TenantId;

/// What the visitor of a scan says after each row.
pub type Visit = Result<ControlFlow<()>, StoreError>;

/// Is shown rows of several stretches: the place of the stretch, key and value.
pub type VisitEach<'a> = dyn FnMut(usize, &[u8], &[u8]) -> Result<(), StoreError> + 'a;

/// One committed state of an engine. Stays as it is while the engine goes on.
pub trait KvRead: Send + Sync {
    /// Reads the value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError>;

    /// Reads the values of several keys, in their order. An engine for which each look is a trip makes it one.
    fn get_many(&self, table: Table, keys: &[Vec<u8>]) -> Result<Vec<Option<Arc<[u8]>>>, StoreError> {
        keys.iter().map(|key| self.get(table, key)).collect()
    }

    /// Shows every row from `from` (inclusive) to `to` (exclusive), in order of key, until the visitor breaks off.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError>;

    /// Shows the same rows to a visitor that will want about so many.
    fn scan_some(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        _rows: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.scan(table, from, to, visit)
    }

    /// Shows the first rows of several stretches, `most` of each, stretch by stretch; the visitor is told which by its place. An engine for which each look
    /// is a trip makes it one.
    fn scan_each(
        &self,
        table: Table,
        stretches: &[(Vec<u8>, Vec<u8>)],
        most: usize,
        visit: &mut VisitEach<'_>,
    ) -> Result<(), StoreError> {
        for (place, (from, to)) in stretches.iter().enumerate() {
            let mut left = most;
            self.scan_some(table, from, to, most, &mut |key, value| {
                let Some(fewer) = left.checked_sub(1) else { return Ok(ControlFlow::Break(())) };
                left = fewer;
                visit(place, key, value)?;
                Ok(if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
        }
        Ok(())
    }

    /// Shows the same rows in the opposite order.
    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        let mut to = to.to_vec();
        while let Some((key, value)) = self.last(table, from, &to)? {
            if visit(&key, &value)?.is_break() {
                break;
            }
            to = key;
        }
        Ok(())
    }

    /// Returns the last row from `from` (inclusive) to `to` (exclusive).
    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<KvRow>, StoreError>;
}

/// A value, shared with whoever reads it.
#[cfg(feature = "postgres")]
pub(super) type KvValue = Arc<[u8]>;
/// A row: its key and its value.
pub type KvRow = (Vec<u8>, Arc<[u8]>);

/// An ordered key-value engine with two tables, used by one thread.
pub trait KvEngine: Send {
    /// Begins a batch: returns the state that its units are applied to where that is not the last one that was published, since others write to the
    /// same data. Ends with [`KvEngine::commit`] or [`KvEngine::cancel`], or with an error.
    fn begin(&mut self, _units: &[(TenantId, &Unit)]) -> Result<Option<Arc<dyn KvRead>>, StoreError> {
        Ok(None)
    }

    /// Tells, after the units were applied, whether what they looked at was there. Where not it is now, and they have to be applied again.
    fn is_settled(&mut self) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Ends a batch that changes nothing.
    fn cancel(&mut self) {}

    /// Tells whether a batch that failed wrote nothing and may be tried from its beginning, after whatever pause that takes.
    fn again(&mut self, _error: &StoreError, _tries: u32) -> bool {
        false
    }

    /// Makes the changes durable, all or none, and returns the new state.
    ///
    /// After an error nothing is known of the changes, and only [`KvEngine::reopen`] may be called;
    /// [`StoreError::Full`] says that the disk's lack of room was the reason and that nothing was written.
    fn commit(&mut self, changes: &Changes) -> Result<Arc<dyn KvRead>, StoreError>;

    /// Says how long may pass without a commit before [`KvEngine::tidy`] is called; `None` while there is nothing to tidy.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// Does what commits leave for later, and returns the state that readers are better off with, if there is one. An error is as one of
    /// [`KvEngine::commit`].
    fn tidy(&mut self) -> Result<Option<Arc<dyn KvRead>>, StoreError> {
        Ok(None)
    }

    /// Closes and opens the engine after an error, with whatever check it needs to be sound, and returns its state.
    fn reopen(&mut self) -> Result<Arc<dyn KvRead>, StoreError>;

    /// Opens what is on disk a second time, for reading only and without writing anything: for readers while the engine is
    /// being reopened. The state stays good whatever happens to the engine.
    fn open_aside(&self) -> Result<Arc<dyn KvRead>, StoreError>;

    /// Says where the data lie, for messages.
    fn place(&self) -> &str;
}

/// A store on a key-value engine.
pub struct KvStore {
    writer: Writer,
}

impl KvStore {
    /// Starts a store on an engine whose committed state is `state`.
    pub fn start(
        engine: Box<dyn KvEngine>,
        state: Arc<dyn KvRead>,
        options: WriterOptions,
    ) -> Result<Self, StoreError> {
        Ok(Self { writer: Writer::start(engine, state, options)? })
    }
}

impl Store for KvStore {
    fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError> {
        self.writer.commit(tenant, unit)
    }

    fn queue(&self, tenant: TenantId, unit: Unit) -> Queued {
        self.writer.outcome(tenant, unit)
    }

    fn commit_each(&self, tenant: TenantId, units: Vec<Unit>) -> Vec<Result<Outcome, StoreError>> {
        self.writer.commit_each(tenant, units)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        Ok(self.writer.latest())
    }

    fn health(&self) -> Health {
        self.writer.health()
    }

    fn check(&self, progress: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError> {
        check::check(self.writer.latest().state(), progress)
    }

    fn rows(&self) -> Result<Arc<dyn KvRead>, StoreError> {
        Ok(self.writer.latest().rows())
    }
}
