//! Changes that lie over a state: what is read through them.
//!
//! A layer holds a change for each of its keys, a new value or none; what it does not hold is as it is below.

use std::borrow::Cow;
use std::iter::Peekable;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::keys::Table;
use super::{KvRead, KvRow, Visit};
use crate::store::StoreError;

/// What a row is changed to: a value, or nothing.
pub(in crate::store) type New = Option<Arc<[u8]>>;

/// A change of a row: its key, and its new value or none.
pub(in crate::store) type Changed<'a> = (&'a [u8], Option<&'a Arc<[u8]>>);

/// Changes in order of key.
pub(in crate::store) trait Layer {
    /// Finds the change of a key, if it has one.
    fn find(&self, table: Table, key: &[u8]) -> Option<&New>;

    /// Lists the changes from a key (inclusive) to another (exclusive), of which the first is not the greater.
    fn stretch<'a>(
        &'a self,
        table: Table,
        from: &'a [u8],
        to: &'a [u8],
    ) -> impl DoubleEndedIterator<Item = Changed<'a>>;
}

/// A state with changes over it, which is read as one.
pub(in crate::store) trait Laid: Send + Sync {
    /// Returns the changes.
    fn layer(&self) -> &impl Layer;

    /// Returns what they lie over.
    fn below(&self) -> &dyn KvRead;
}

impl<T: Laid> KvRead for T {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
        get(self.layer(), self.below(), table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        scan(self.layer(), self.below(), table, (from, to), visit)
    }

    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        scan_back(self.layer(), self.below(), table, (from, to), visit)
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<KvRow>, StoreError> {
        last(self.layer(), self.below(), table, from, to)
    }
}

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl Way {
    /// Tells whether one key is shown before another.
    fn first(self, one: &[u8], other: &[u8]) -> bool {
        match self {
            Self::Up => one < other,
            Self::Down => one > other,
        }
    }
}

/// Reads a row.
fn get(
    layer: &impl Layer,
    below: &dyn KvRead,
    table: Table,
    key: &[u8],
) -> Result<Option<Arc<[u8]>>, StoreError> {
    match layer.find(table, key) {
        Some(changed) => Ok(changed.clone()),
        None => below.get(table, key),
    }
}

/// Finds the last row of a stretch: the layer's or the one below, whichever is later and has not been removed.
fn last(
    layer: &impl Layer,
    below: &dyn KvRead,
    table: Table,
    from: &[u8],
    to: &[u8],
) -> Result<Option<KvRow>, StoreError> {
    let mut to = Cow::Borrowed(to);
    while *from < *to {
        let under = below.last(table, from, &to)?;
        let over = layer.stretch(table, from, &to).next_back();
        match (under, over) {
            (under, Some((key, value)))
                if under.as_ref().is_none_or(|(lower, _)| lower.as_slice() <= key) =>
            {
                match value {
                    Some(value) => return Ok(Some((key.to_vec(), Arc::clone(value)))),
                    None => to = Cow::Owned(key.to_vec()),
                }
            }
            (under, _) => return Ok(under),
        }
    }
    Ok(None)
}

/// Shows the rows below with the layer's changes among them.
fn scan(
    layer: &impl Layer,
    below: &dyn KvRead,
    table: Table,
    (from, to): (&[u8], &[u8]),
    visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
) -> Result<(), StoreError> {
    if from >= to {
        return Ok(());
    }
    let mut merge =
        Merge { changed: layer.stretch(table, from, to).peekable(), way: Way::Up, stopped: false };
    below.scan(table, from, to, &mut |key, value| merge.show(key, value, visit))?;
    merge.rest(visit)
}

/// Shows the same rows in the opposite order.
fn scan_back(
    layer: &impl Layer,
    below: &dyn KvRead,
    table: Table,
    (from, to): (&[u8], &[u8]),
    visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
) -> Result<(), StoreError> {
    if from >= to {
        return Ok(());
    }
    let changed = layer.stretch(table, from, to).rev().peekable();
    let mut merge = Merge { changed, way: Way::Down, stopped: false };
    below.scan_back(table, from, to, &mut |key, value| merge.show(key, value, visit))?;
    merge.rest(visit)
}

/// A scan of what is below, with changes among it.
struct Merge<'a, I: Iterator<Item = Changed<'a>>> {
    changed: Peekable<I>,
    way: Way,
    /// Whether the visitor has broken off.
    stopped: bool,
}

impl<'a, I: Iterator<Item = Changed<'a>>> Merge<'a, I> {
    /// Shows the changes that come before a row below, and then the row, or what it was changed to.
    fn show(&mut self, key: &[u8], value: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit) -> Visit {
        let flow = self.before(key, visit)?;
        let flow = match flow {
            ControlFlow::Break(()) => flow,
            ControlFlow::Continue(()) => match self.changed.next_if(|(at, _)| *at == key) {
                Some((_, None)) => ControlFlow::Continue(()),
                Some((_, Some(new))) => visit(key, new)?,
                None => visit(key, value)?,
            },
        };
        self.stopped = flow.is_break();
        Ok(flow)
    }

    fn before(&mut self, key: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit) -> Visit {
        let way = self.way;
        while let Some((at, value)) = self.changed.next_if(|(at, _)| way.first(at, key)) {
            if let Some(value) = value
                && visit(at, value)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Shows the changes that come after all rows below.
    fn rest(self, visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit) -> Result<(), StoreError> {
        if self.stopped {
            return Ok(());
        }
        for (key, value) in self.changed {
            if let Some(value) = value
                && visit(key, value)?.is_break()
            {
                break;
            }
        }
        Ok(())
    }
}
