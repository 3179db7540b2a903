//! Changes that are not written yet, as a layer over what is.
//!
//! A batch is a layer over the engine's committed state; a unit's draft is a layer over its batch. A draft that is
//! dropped has never been.

use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::keys::Table;
use super::rows;
use super::{KvRead, KvRow, Visit};
use crate::store::StoreError;

type Layer = BTreeMap<Vec<u8>, Option<Arc<[u8]>>>;
type Rows<'a> = btree_map::Range<'a, Vec<u8>, Option<Arc<[u8]>>>;

/// What is to be written at once, sorted by key; `None` removes.
#[derive(Debug, Default)]
pub struct Changes {
    documents: Layer,
    small: Layer,
}

impl Changes {
    /// Lists the changes of a table in order of key.
    pub fn of(&self, table: Table) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.layer(table).iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
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

    const fn layer(&self, table: Table) -> &Layer {
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

impl KvRead for Batch<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
        get_through(&self.changes, self.base, table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        scan_through(&self.changes, self.base, table, from, to, visit)
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<KvRow>, StoreError> {
        last_through(&self.changes, self.base, table, from, to)
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

impl KvRead for Draft<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
        get_through(&self.changes, self.below, table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        scan_through(&self.changes, self.below, table, from, to, visit)
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<KvRow>, StoreError> {
        last_through(&self.changes, self.below, table, from, to)
    }
}

fn get_through(
    layer: &Changes,
    below: &dyn KvRead,
    table: Table,
    key: &[u8],
) -> Result<Option<Arc<[u8]>>, StoreError> {
    match layer.layer(table).get(key) {
        Some(changed) => Ok(changed.clone()),
        None => below.get(table, key),
    }
}

/// Finds the last row of a stretch: the layer's or the one below, whichever is later and has not been removed.
fn last_through(
    layer: &Changes,
    below: &dyn KvRead,
    table: Table,
    from: &[u8],
    to: &[u8],
) -> Result<Option<KvRow>, StoreError> {
    let mut to = to.to_vec();
    while from < to.as_slice() {
        let under = below.last(table, from, &to)?;
        let bounds = (Bound::Included(from), Bound::Excluded(to.as_slice()));
        let over = layer.layer(table).range::<[u8], _>(bounds).next_back();
        match (under, over) {
            (under, Some((key, value))) if under.as_ref().is_none_or(|(lower, _)| lower <= key) => {
                match value {
                    Some(value) => return Ok(Some((key.clone(), Arc::clone(value)))),
                    None => to = key.clone(),
                }
            }
            (under, _) => return Ok(under),
        }
    }
    Ok(None)
}

/// Shows the rows below with the layer's changes among them.
fn scan_through(
    layer: &Changes,
    below: &dyn KvRead,
    table: Table,
    from: &[u8],
    to: &[u8],
    visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
) -> Result<(), StoreError> {
    let bounds = (Bound::Included(from), Bound::Excluded(to));
    let mut changed = layer.layer(table).range::<[u8], _>(bounds).peekable();
    let mut stopped = false;
    below.scan(table, from, to, &mut |key, value| {
        if show_before(&mut changed, key, visit)?.is_break() {
            stopped = true;
            return Ok(ControlFlow::Break(()));
        }
        // A change of this very key stands in for the row, or removes it.
        let flow = match changed.next_if(|(at, _)| at.as_slice() == key) {
            Some((_, None)) => ControlFlow::Continue(()),
            Some((_, Some(new))) => visit(key, new)?,
            None => visit(key, value)?,
        };
        stopped = flow.is_break();
        Ok(flow)
    })?;
    if !stopped {
        for (key, value) in changed {
            if let Some(value) = value
                && visit(key, value)?.is_break()
            {
                break;
            }
        }
    }
    Ok(())
}

/// Shows the changes that come before a key.
fn show_before(
    changed: &mut Peekable<Rows<'_>>,
    key: &[u8],
    visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
) -> Visit {
    while let Some((at, value)) = changed.next_if(|(at, _)| at.as_slice() < key) {
        if let Some(value) = value
            && visit(at, value)?.is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
