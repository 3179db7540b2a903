//! Rows go into a table in order of key, those that are new and stand side by side together.
//!
//! So a page is written once for all that it gets. What only ever grows at its end (the history, and what lies by the time of its making) fills its pages,
//! where one insertion after the other would split each of them in half and leave it so.

use std::iter::Peekable;
use std::ops::Bound;

use redb::{CursorError, CursorMut, Table};

use super::failed;
use crate::store::StoreError;
use crate::store::kv::layer::Changed;

type Bytes = &'static [u8];

/// Writes rows that come in order of key.
pub(super) fn put<'r>(
    table: &mut Table<'_, Bytes, Bytes>,
    rows: impl Iterator<Item = Changed<'r>>,
) -> Result<(), StoreError> {
    let mut rows = rows.peekable();
    while let Some((key, value)) = rows.next() {
        let Some(value) = value else {
            table.remove(key).map_err(failed)?;
            continue;
        };
        let mut gap = table.lower_bound_mut(Bound::Included(key)).map_err(failed)?;
        let is_there = gap.peek_next().map_err(failed)?.is_some_and(|(next, _)| next.value() == key);
        if is_there {
            drop(gap);
            table.insert(key, &**value).map_err(failed)?;
        } else {
            gap.insert_before(key, &**value).map_err(failed)?;
            insert_run(&mut gap, &mut rows)?;
            gap.close().map_err(failed)?;
        }
    }
    Ok(())
}

/// Inserts as many rows as stand in the same gap between two that are there.
fn insert_run<'r>(
    gap: &mut CursorMut<'_, Bytes, Bytes>,
    rows: &mut Peekable<impl Iterator<Item = Changed<'r>>>,
) -> Result<(), StoreError> {
    while let Some((key, Some(value))) = rows.peek() {
        match gap.insert_before(*key, &***value) {
            Ok(()) => drop(rows.next()),
            Err(CursorError::UnorderedKey) => break,
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;
    use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

    use super::*;

    const ROWS: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("rows");

    type Model = BTreeMap<Vec<u8>, Option<Arc<[u8]>>>;

    fn database() -> Database {
        Database::builder().create_with_backend(InMemoryBackend::new()).unwrap()
    }

    fn write(database: &Database, changes: &Model) {
        let transaction = database.begin_write().unwrap();
        let rows = changes.iter().map(|(key, value)| (key.as_slice(), value.as_ref()));
        put(&mut transaction.open_table(ROWS).unwrap(), rows).unwrap();
        transaction.commit().unwrap();
    }

    fn read(database: &Database) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let table = database.begin_read().unwrap().open_table(ROWS).unwrap();
        let rows = table.iter().unwrap().map(Result::unwrap);
        rows.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).collect()
    }

    #[test]
    fn what_grows_at_its_end_fills_its_pages() {
        let database = database();
        for batch in 0..20_u32 {
            let key = |n: u32| [batch.to_be_bytes(), n.to_be_bytes()].concat();
            write(&database, &(0..100).map(|n| (key(n), Some(Arc::from([7; 600])))).collect());
        }
        let table = database.begin_read().unwrap().open_table(ROWS).unwrap();
        let stats = table.stats().unwrap();
        // Six such rows are as many as a page has room for.
        assert!(stats.leaf_pages() < 2000 / 6 + 40, "{}", stats.leaf_pages());
    }

    proptest! {
        #[test]
        fn a_table_holds_what_a_map_would(
            batches in prop::collection::vec(
                prop::collection::btree_map(
                    prop::collection::vec(0_u8..4, 1..5),
                    prop::option::weighted(0.7, 0_usize..700),
                    0..60,
                ),
                1..12,
            )
        ) {
            let (database, mut model) = (database(), BTreeMap::new());
            for (number, batch) in batches.into_iter().enumerate() {
                let value = |length: usize| Arc::from(vec![u8::try_from(number).unwrap(); length]);
                let changes: Model =
                    batch.into_iter().map(|(key, length)| (key, length.map(value))).collect();
                write(&database, &changes);
                for (key, value) in changes {
                    match value {
                        Some(value) => drop(model.insert(key, value.to_vec())),
                        None => drop(model.remove(&key)),
                    }
                }
            }
            prop_assert_eq!(read(&database), model);
        }
    }
}
