//! Batches that are in the journal and not in the tree yet, as readers see them.

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;

use crate::store::kv::layer::{Changed, Laid, Layer, New};
use crate::store::kv::{Changes, KvRead, Table};

type Rows = OrdMap<Arc<[u8]>, New>;

/// What a row costs in memory besides its bytes: the nodes of the map, and two counted allocations. An estimate.
const BYTES_OF_A_ROW: usize = 128;

/// The latest change of each key in a run of batches. A clone is cheap, and stays as it is while the original goes on.
#[derive(Debug, Clone, Default)]
pub(super) struct Overlay {
    documents: Rows,
    small: Rows,
    /// Memory for what was added, in bytes; a key that was changed twice counts twice.
    bytes: usize,
}

impl Overlay {
    /// Adds a batch.
    pub(super) fn absorb(&mut self, changes: &Changes) {
        for table in Table::ALL {
            for (key, value) in changes.of(table) {
                self.bytes += key.len() + value.map_or(0, |value| value.len()) + BYTES_OF_A_ROW;
                self.rows_mut(table).insert(Arc::from(key), value.cloned());
            }
        }
    }

    /// Tells whether it changes nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.small.is_empty()
    }

    /// Estimates the memory that it takes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lists the changes of a table in order of key.
    pub(super) fn of(&self, table: Table) -> impl Iterator<Item = Changed<'_>> {
        self.rows(table).iter().map(|(key, value)| (&**key, value.as_ref()))
    }

    const fn rows(&self, table: Table) -> &Rows {
        match table {
            Table::Documents => &self.documents,
            Table::Small => &self.small,
        }
    }

    const fn rows_mut(&mut self, table: Table) -> &mut Rows {
        match table {
            Table::Documents => &mut self.documents,
            Table::Small => &mut self.small,
        }
    }

    /// Lays it over a state.
    pub(super) fn over(&self, below: Arc<dyn KvRead>) -> Arc<dyn KvRead> {
        if self.is_empty() { below } else { Arc::new(Covered { overlay: self.clone(), below }) }
    }
}

impl Layer for Overlay {
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
        self.rows(table).range::<_, [u8]>(bounds).map(|(key, value)| (&**key, value.as_ref()))
    }
}

/// A state with an overlay on it.
struct Covered {
    overlay: Overlay,
    below: Arc<dyn KvRead>,
}

impl Laid for Covered {
    fn layer(&self) -> &impl Layer {
        &self.overlay
    }

    fn below(&self) -> &dyn KvRead {
        &*self.below
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;

    use proptest::prelude::*;

    use super::*;
    use crate::store::StoreError;
    use crate::store::kv::{KvRow, Visit};

    type Model = BTreeMap<Vec<u8>, Arc<[u8]>>;

    /// A state that holds one table's rows.
    struct Base(Model);

    impl KvRead for Base {
        fn get(&self, _: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
            Ok(self.0.get(key).cloned())
        }

        fn scan(
            &self,
            _: Table,
            from: &[u8],
            to: &[u8],
            visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
        ) -> Result<(), StoreError> {
            for (key, value) in &self.0 {
                if key.as_slice() >= from && key.as_slice() < to && visit(key, value)?.is_break() {
                    break;
                }
            }
            Ok(())
        }

        fn last(&self, _: Table, from: &[u8], to: &[u8]) -> Result<Option<KvRow>, StoreError> {
            let within = |key: &&Vec<u8>| key.as_slice() >= from && key.as_slice() < to;
            let key = self.0.keys().rfind(within);
            Ok(key.map(|key| (key.clone(), Arc::clone(&self.0[key]))))
        }
    }

    fn rows(
        from: u8,
        to: u8,
        most: usize,
        scan: impl FnOnce(&[u8], &[u8], &mut dyn FnMut(&[u8], &[u8]) -> Visit) -> Result<(), StoreError>,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut shown = vec![];
        scan(&[from], &[to], &mut |key, value| {
            shown.push((key.to_vec(), value.to_vec()));
            Ok(if shown.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })
        .unwrap();
        shown
    }

    fn changes() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
        proptest::collection::vec((0..24_u8, proptest::option::weighted(0.6, any::<u8>())), 0..16)
    }

    proptest! {
        #[test]
        fn what_is_read_through_two_overlays_is_what_a_map_would_hold(
            base in changes(), older in changes(), newer in changes(), from in 0..26_u8, to in 0..26_u8, most in 1..30_usize,
        ) {
            let mut model = Model::new();
            let mut laid: Option<Arc<dyn KvRead>> = None;
            for layer in [base, older, newer] {
                let mut changes = Changes::default();
                for (key, value) in layer {
                    let value = value.map(|value| Arc::from([value].as_slice()));
                    match &value {
                        Some(value) => drop(model.insert(vec![key], Arc::clone(value))),
                        None => drop(model.remove(&vec![key])),
                    }
                    changes.set(Table::Small, vec![key], value);
                }
                let below = match laid {
                    Some(below) => below,
                    None => Arc::new(Base(model.clone())),
                };
                let mut overlay = Overlay::default();
                overlay.absorb(&changes);
                laid = Some(overlay.over(below));
            }
            let laid = laid.unwrap();
            let expected = Base(model);
            for key in 0..24 {
                prop_assert_eq!(laid.get(Table::Small, &[key]).unwrap(), expected.get(Table::Small, &[key]).unwrap());
            }
            let up = |read: &dyn KvRead| rows(from, to, most, |from, to, visit| read.scan(Table::Small, from, to, visit));
            prop_assert_eq!(up(&*laid), up(&expected));
            let down = |read: &dyn KvRead| rows(from, to, most, |from, to, visit| read.scan_back(Table::Small, from, to, visit));
            prop_assert_eq!(down(&*laid), down(&expected));
            prop_assert_eq!(laid.last(Table::Small, &[from], &[to]).unwrap(), expected.last(Table::Small, &[from], &[to]).unwrap());
        }
    }
}
