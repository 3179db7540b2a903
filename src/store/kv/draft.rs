//! Changes that are not written yet, as a layer over what is.
//!
//! A batch is a layer over the engine's committed state; a unit's draft is a layer over its batch. A draft that is
//! dropped has never been.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::KvRead;
use super::keys::Table;
use super::layer::{Changed, Laid, Layer, New};
use super::rows;

type Rows = BTreeMap<Vec<u8>, New>;

/// What is to be written at once, sorted by key; `None` removes.
#[derive(Debug, Default)]
pub struct Changes {
    documents: Rows,
    small: Rows,
}

impl Changes {
    /// Lists the changes of a table in order of key.
    pub fn of(&self, table: Table) -> impl Iterator<Item = (&[u8], Option<&Arc<[u8]>>)> {
        self.rows(table).iter().map(|(key, value)| (key.as_slice(), value.as_ref()))
    }

    /// Tells whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.small.is_empty()
    }

    /// Adds a change, in place of an earlier one of the same key.
    pub fn set(&mut self, table: Table, key: Vec<u8>, value: Option<Arc<[u8]>>) {
        match table {
            Table::Documents => self.documents.insert(key, value),
            Table::Small => self.small.insert(key, value),
        };
    }

    const fn rows(&self, table: Table) -> &Rows {
        match table {
            Table::Documents => &self.documents,
            Table::Small => &self.small,
        }
    }

    fn absorb(&mut self, later: Self) {
        self.documents.extend(later.documents);
        self.small.extend(later.small);
    }
}

impl Layer for Changes {
    fn find(&self, table: Table, key: &[u8]) -> Option<&New> {
        self.rows(table).get(key)
    }

    fn stretch<'a>(
        &'a self,
        table: Table,
        from: &'a [u8],
        to: &'a [u8],
    ) -> impl DoubleEndedIterator<Item = Changed<'a>> {
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        self.rows(table).range::<[u8], _>(bounds).map(|(key, value)| (key.as_slice(), value.as_ref()))
    }
}

/// The changes of several units over a committed state.
pub(crate) struct Batch<'a> {
    base: &'a dyn KvRead,
    changes: Changes,
}

impl<'a> Batch<'a> {
    /// Begins a batch that changes nothing yet.
    pub(crate) fn over(base: &'a dyn KvRead) -> Self {
        Self { base, changes: Changes::default() }
    }

    /// Begins a unit's draft.
    pub(crate) fn draft(&self) -> Draft<'_> {
        Draft { below: self, changes: Changes::default() }
    }

    /// Adds what a unit's draft came to.
    pub(crate) fn absorb(&mut self, changes: Changes) {
        self.changes.absorb(changes);
    }

    /// Ends the batch.
    pub(crate) fn into_changes(self) -> Changes {
        self.changes
    }
}

impl Laid for Batch<'_> {
    fn layer(&self) -> &impl Layer {
        &self.changes
    }

    fn below(&self) -> &dyn KvRead {
        self.base
    }
}

/// The changes of one unit over its batch.
pub(crate) struct Draft<'a> {
    below: &'a Batch<'a>,
    changes: Changes,
}

impl Draft<'_> {
    /// Writes a record.
    pub(super) fn put_document(&mut self, key: &[u8], bytes: Vec<u8>) {
        self.changes.set(Table::Documents, key.to_vec(), Some(bytes.into()));
    }

    /// Removes a record.
    pub(super) fn remove_document(&mut self, key: &[u8]) {
        self.changes.set(Table::Documents, key.to_vec(), None);
    }

    /// Writes a row of the small table, sealed.
    pub(super) fn put(&mut self, key: Vec<u8>, value: &[u8]) {
        let sealed = rows::shared(&key, value);
        self.changes.set(Table::Small, key, Some(sealed));
    }

    /// Removes a row of the small table.
    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.changes.set(Table::Small, key, None);
    }

    /// Ends the draft.
    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }
}

impl Laid for Draft<'_> {
    fn layer(&self) -> &impl Layer {
        &self.changes
    }

    fn below(&self) -> &dyn KvRead {
        self.below
    }
}
