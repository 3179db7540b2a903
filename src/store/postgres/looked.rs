//! What a batch looks at, fetched for all its units at once.
//!
//! A unit reads some dozens of rows, one after the other; a trip to the database for each would take longer than the commit. So a batch is first applied
//! to what was foreseen. What it misses is noted, and answered as if it were not there; then all that was noted is fetched in one trip and the batch
//! is applied again, from the beginning. Units are applied to drafts in memory, so that what came of a run that missed something is dropped
//! with it. A run that missed nothing saw what the database holds, and counts. After a few runs the rest is read one by one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::failure::Failure;
use super::sql::{self, Range, Way};
use super::wire::{Session, Wire};
use crate::store::StoreError;
use crate::store::kv::{KvRead, KvRow, KvValue, Table, Visit, keys};

/// Runs in which what is missed is noted; in those after them it is read at once.
const RUNS_MAX: usize = 8;
/// Rows of a stretch that are fetched first, and once it turned out to be longer.
const ROWS_FIRST: usize = 16;
const ROWS_MORE: usize = 1024;

/// What was looked at in a writer's transaction.
pub(super) struct Looked {
    wire: Arc<Wire>,
    session: Session,
    known: Mutex<Known>,
}

/// A stretch as far as it was fetched.
struct Fetched {
    rows: Vec<KvRow>,
    /// Whether it has no more.
    whole: bool,
}

#[derive(Default)]
struct Known {
    values: HashMap<(Table, Vec<u8>), Option<KvValue>>,
    stretches: HashMap<(Range, Way, usize), Arc<Fetched>>,
    missed: Missed,
    runs: usize,
    /// What a read failed with. The transaction is over then.
    failed: Option<Failure>,
}

/// What a run did not find among what is known.
#[derive(Default)]
struct Missed {
    values: Vec<(Table, Vec<u8>)>,
    stretches: Vec<(Range, Way, usize)>,
}

/// A question to the database: keys of both tables, and stretches by table, way and number of rows.
pub(super) struct Wanted {
    documents: Vec<Vec<u8>>,
    small: Vec<Vec<u8>>,
    /// Those that are read from either end: from the front a few, from the front many, from the back one.
    few: Vec<Range>,
    many: Vec<Range>,
    last: Vec<Range>,
}

/// What it was answered with.
type Found = (Vec<KvRow>, Vec<KvRow>, [Vec<(usize, KvRow)>; 3]);

impl Looked {
    pub(super) fn new(wire: Arc<Wire>, session: Session) -> Self {
        Self { wire, session, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what was fetched.
    pub(super) fn learn(&self, wanted: &Wanted, (documents, small, stretches): Found) {
        let mut known = self.known();
        for (table, asked, found) in
            [(Table::Documents, &wanted.documents, documents), (Table::Small, &wanted.small, small)]
        {
            known.values.extend(asked.iter().map(|key| ((table, key.clone()), None)));
            known.values.extend(found.into_iter().map(|(key, value)| ((table, key), Some(value))));
        }
        for ((asked, way, limit), found) in wanted.stretches().into_iter().zip(stretches) {
            let mut rows: Vec<Vec<KvRow>> = asked.iter().map(|_| vec![]).collect();
            for (place, row) in found {
                if let Some(rows) = rows.get_mut(place) {
                    rows.push(row);
                }
            }
            for (range, rows) in asked.iter().zip(rows) {
                let whole = rows.len() < limit;
                let fetched = Arc::new(Fetched { rows, whole });
                known.stretches.insert((range.clone(), way, limit), fetched);
            }
        }
    }

    /// Ends a run: `true` where it missed nothing. Else fetches what it missed.
    pub(super) fn is_settled(&self) -> Result<bool, Failure> {
        let missed = {
            let mut known = self.known();
            if let Some(failed) = &known.failed {
                return Err(failed.clone());
            }
            known.runs += 1;
            std::mem::take(&mut known.missed)
        };
        if missed.values.is_empty() && missed.stretches.is_empty() {
            return Ok(true);
        }
        let wanted = Arc::new(Wanted::of(missed));
        let (asked, session) = (Arc::clone(&wanted), Arc::clone(&self.session));
        let found = self.wire.ask(async move { asked.fetch(&session).await })?;
        self.learn(&wanted, found);
        Ok(false)
    }

    /// Reads at once what a late run misses; `None` in runs in which it is noted.
    fn read<T: Send + 'static>(
        &self,
        note: impl FnOnce(&mut Missed),
        ask: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        {
            let mut known = self.known();
            if let Some(failed) = &known.failed {
                return Err(failed.unwritten());
            }
            if known.runs < RUNS_MAX {
                note(&mut known.missed);
                return Ok(None);
            }
        }
        self.wire.ask(ask).map(Some).map_err(|failure| {
            let error = failure.unwritten();
            self.known().failed = Some(failure);
            error
        })
    }

    /// Returns the first rows of a stretch.
    fn some(&self, range: &Range, way: Way, limit: usize) -> Result<Option<Arc<Fetched>>, StoreError> {
        let place = (range.clone(), way, limit);
        if let Some(known) = self.known().stretches.get(&place) {
            return Ok(Some(Arc::clone(known)));
        }
        let (session, asked) = (Arc::clone(&self.session), range.clone());
        let noted = place.clone();
        let found = self.read(|missed| missed.stretches.push(noted), async move {
            sql::some(&session, asked, way, limit).await
        })?;
        let Some(rows) = found else { return Ok(None) };
        let fetched = Arc::new(Fetched { whole: rows.len() < limit, rows });
        self.known().stretches.insert(place, Arc::clone(&fetched));
        Ok(Some(fetched))
    }
}

impl KvRead for Looked {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
        let place = (table, key.to_vec());
        if let Some(known) = self.known().values.get(&place) {
            return Ok(known.clone());
        }
        let (session, asked) = (Arc::clone(&self.session), place.1.clone());
        let noted = place.clone();
        let found =
            self.read(
                |missed| missed.values.push(noted),
                async move { sql::get(&session, table, asked).await },
            )?;
        let Some(value) = found else { return Ok(None) };
        self.known().values.insert(place, value.clone());
        Ok(value)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        let mut range = Range { table, from: from.to_vec(), to: to.to_vec() };
        let mut limit = ROWS_FIRST;
        while range.from < range.to {
            let Some(found) = self.some(&range, Way::Forth, limit)? else { return Ok(()) };
            for (key, value) in &found.rows {
                if visit(key, value)?.is_break() {
                    return Ok(());
                }
            }
            let Some((last, _)) = found.rows.last().filter(|_| !found.whole) else { return Ok(()) };
            range.from = keys::just_after(last.clone());
            limit = ROWS_MORE;
        }
        Ok(())
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<KvRow>, StoreError> {
        let range = Range { table, from: from.to_vec(), to: to.to_vec() };
        let found = self.some(&range, Way::Back, 1)?;
        Ok(found.and_then(|found| found.rows.first().cloned()))
    }
}

impl Wanted {
    /// What a batch is foreseen to look at: keys, and stretches of which the last row is looked for.
    pub(super) fn foreseen(keys: impl IntoIterator<Item = (Table, Vec<u8>)>, last: Vec<Range>) -> Self {
        let values = keys.into_iter().collect();
        Self { last, ..Self::of(Missed { values, stretches: vec![] }) }
    }

    fn of(missed: Missed) -> Self {
        let mut wanted = Self { documents: vec![], small: vec![], few: vec![], many: vec![], last: vec![] };
        for (table, key) in missed.values {
            match table {
                Table::Documents => wanted.documents.push(key),
                Table::Small => wanted.small.push(key),
            }
        }
        for keys in [&mut wanted.documents, &mut wanted.small] {
            keys.sort_unstable();
            keys.dedup();
        }
        for (range, way, limit) in missed.stretches {
            match way {
                Way::Back => wanted.last.push(range),
                Way::Forth if limit > ROWS_FIRST => wanted.many.push(range),
                Way::Forth => wanted.few.push(range),
            }
        }
        wanted
    }

    const fn stretches(&self) -> [(&Vec<Range>, Way, usize); 3] {
        [(&self.few, Way::Forth, ROWS_FIRST), (&self.many, Way::Forth, ROWS_MORE), (&self.last, Way::Back, 1)]
    }

    /// Fetches it: one trip, whatever it is. Stretches are all of the small table, as no record is ever looked for by a part of its key.
    pub(super) async fn fetch(&self, session: &Session) -> Result<Found, Failure> {
        let bounds = |ranges: &[Range]| -> Vec<(Vec<u8>, Vec<u8>)> {
            ranges.iter().map(|range| (range.from.clone(), range.to.clone())).collect()
        };
        let [few, many, last] = self
            .stretches()
            .map(|(ranges, way, limit)| sql::some_of_each(session, Table::Small, bounds(ranges), way, limit));
        let documents = sql::get_many(session, Table::Documents, self.documents.clone());
        let small = sql::get_many(session, Table::Small, self.small.clone());
        let (documents, small, few, many, last) = tokio::join!(biased; documents, small, few, many, last);
        Ok((documents?, small?, [few?, many?, last?]))
    }
}
