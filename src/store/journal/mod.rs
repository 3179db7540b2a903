//! A journal in front of a tree: what is committed is appended to a file and flushed once; the tree gets it later, much at a time.
//!
//! A tree writes a page for nearly every row of a small commit, and needs two flushes for it. Here a commit is one record of the
//! journal ([`record`]) and one flush. Readers see the tree with what is not in it yet laid over it ([`overlay`]). When that has grown, or has waited for a
//! while, it is set aside, commits go on in the other of two files ([`file`]), and a thread ([`keeper`]) writes what was set
//! aside into the tree, in one transaction together with the number of its last batch. Then its file is free again.
//!
//! ```text
//! commit ──> file A: 7 8 9 ──(set aside)──> the keeper ──> tree, "applied: 9"
//!      └───> file B: 10 11 …  (the next round)
//! ```
//!
//! Batches are numbered without a gap. After a crash those that the tree's number does not cover are read from the files, and the daemon
//! goes on where it was: nothing has to be written before it serves. What the power cut off in the middle of a record was not acknowledged.
//! After an error nothing is appended to a file that failed: what was acknowledged is in memory, and goes into the tree before anything else
//! does ([`Journal::reopen`]).

mod file;
mod keeper;
mod overlay;
mod record;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::file::JournalFile;
use self::keeper::Keeper;
use self::overlay::Overlay;
use super::StoreError;
use super::disk::Disk;
use super::failpoints::{Point, pass};
use super::kv::layer::Changed;
use super::kv::{Changes, KvEngine, KvRead, Table};

/// How long a batch waits at most for others before it goes into the tree.
const AGE_MAX: Duration = Duration::from_secs(2);
/// How often a journal that has something to do is looked at while there are no commits.
const LOOK: Duration = Duration::from_millis(100);

/// Rows to be written: the changes of a table in order of key.
pub(super) type RowsOf<'a> = dyn Fn(Table) -> Box<dyn Iterator<Item = Changed<'a>> + 'a> + 'a;

/// What a journal stands in front of: an engine that keeps the number of the last batch that it holds.
pub(super) trait Tree: KvEngine {
    /// Writes rows, and that they reach up to a batch, as [`KvEngine::commit`] does.
    fn apply(&mut self, rows: &RowsOf<'_>, up_to: u64) -> Result<Arc<dyn KvRead>, StoreError>;
}

/// Where the two files are.
type Places = (Arc<dyn Disk>, [PathBuf; 2]);

/// How a tree was found.
pub(super) struct Found {
    /// Its state.
    pub(super) state: Arc<dyn KvRead>,
    /// The number of the last batch that it holds; 0 where it holds none.
    pub(super) applied: u64,
    /// Why it is not open, and its state is one that was read beside it.
    pub(super) failed: Option<StoreError>,
}

/// An engine: a tree behind a journal.
pub(super) struct Journal {
    keeper: Keeper,
    place: String,
    files: [JournalFile; 2],
    places: Places,
    /// Which file is appended to.
    current: usize,
    /// The number of the next batch.
    next: u64,
    /// Room for a record.
    record: Vec<u8>,
    /// What is in the current file.
    fresh: Overlay,
    /// When the first batch of it was committed.
    since: Instant,
    /// From how many bytes on it is set aside.
    round_bytes: usize,
    /// Whether each commit waits for the keeper, and nothing depends on the time: for simulations.
    in_step: bool,
}

impl Journal {
    /// Opens the files, which must be there, and takes up what the tree does not hold yet. A tree that is not open is opened
    /// when that is possible; until then nothing is accepted.
    pub(super) fn open(
        tree: Box<dyn Tree>,
        Found { state, applied, failed }: Found,
        places: Places,
        round_bytes: usize,
    ) -> Result<(Self, Arc<dyn KvRead>), StoreError> {
        let place = tree.place().to_owned();
        let mut files = open_files(&places, &place)?;
        let [first, second] = &mut files;
        let mut rounds = [(1, second.read(applied)?), (0, first.read(applied)?)];
        rounds.sort_by_key(|(_, round)| round.numbers.map_or(0, |(first, _)| first));
        let mut next = applied + 1;
        for (_, round) in &rounds {
            if let Some((first, last)) = round.numbers {
                if first != next {
                    return Err(missing(&place, next, first - 1));
                }
                next = last + 1;
            }
        }
        let [(_, older), (current, newer)] = rounds;
        let keeper = Keeper::start(tree, state, failed)?;
        if let Some((_, last)) = older.numbers {
            keeper.give(older.overlay, last);
        }
        let journal = Self {
            keeper,
            place,
            files,
            places,
            current,
            next,
            record: Vec::new(),
            fresh: newer.overlay,
            since: Instant::now(),
            round_bytes,
            in_step: false,
        };
        let state = journal.state();
        Ok((journal, state))
    }

    /// The state that readers get: the tree, what is set aside, and what came since.
    fn state(&self) -> Arc<dyn KvRead> {
        self.fresh.over(self.keeper.state())
    }

    fn file(&mut self) -> &mut JournalFile {
        let [first, second] = &mut self.files;
        if self.current == 0 { first } else { second }
    }

    /// Sets what is fresh aside, if it is time and the keeper is free; waits for the keeper where there is far too much of it.
    fn turn_over_if_due(&mut self) -> Result<(), StoreError> {
        let bytes = self.fresh.bytes().max(usize::try_from(self.file().length()).unwrap_or(usize::MAX));
        let is_old = !self.in_step && self.since.elapsed() >= AGE_MAX;
        let is_due = bytes >= self.round_bytes || is_old;
        if self.fresh.is_empty() || !is_due {
            return Ok(());
        }
        if bytes >= self.round_bytes.saturating_mul(2) {
            self.keeper.wait_until_free()?;
        }
        if self.keeper.is_free() {
            self.turn_over();
        }
        if self.in_step { self.keeper.wait_until_free() } else { Ok(()) }
    }

    /// Has each commit wait for the keeper from now on.
    #[cfg(any(test, feature = "testing"))]
    pub(super) const fn keep_in_step(&mut self) {
        self.in_step = true;
    }

    /// Sets what is fresh aside, and goes on in the other file, which the keeper has freed.
    fn turn_over(&mut self) {
        self.keeper.give(std::mem::take(&mut self.fresh), self.next - 1);
        self.current = 1 - self.current;
        self.file().begin_anew();
    }

    /// Writes everything into the tree, and gives back the files' room.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        self.keeper.wait_until_free()?;
        if !self.fresh.is_empty() {
            self.turn_over();
            self.keeper.wait_until_free()?;
        }
        self.files.iter_mut().try_for_each(JournalFile::clear)
    }
}

impl KvEngine for Journal {
    fn commit(&mut self, changes: &Changes) -> Result<Arc<dyn KvRead>, StoreError> {
        self.keeper.must_be_well()?;
        self.turn_over_if_due()?;
        let failed = |error: std::io::Error| StoreError::Fatal(error.to_string());
        pass(Point::AppendBefore, &self.place).map_err(failed)?;
        // The room for a record is kept: to take and give back so much for each batch costs more than to write it.
        let mut record = std::mem::take(&mut self.record);
        record::encode(self.next, changes, &mut record)?;
        // A number whose record may be on the disk is not given to another.
        self.next += 1;
        self.file().append(&record)?;
        self.record = record;
        if self.fresh.is_empty() {
            self.since = Instant::now();
        }
        self.fresh.absorb(changes);
        Ok(self.state())
    }

    fn reopen(&mut self) -> Result<Arc<dyn KvRead>, StoreError> {
        self.keeper.reopen(&self.fresh, self.next - 1)?;
        // What is in the files is in the tree, or was never acknowledged and is covered by the tree's number.
        self.files = open_files(&self.places, &self.place)?;
        self.fresh = Overlay::default();
        Ok(self.state())
    }

    fn open_aside(&self) -> Result<Arc<dyn KvRead>, StoreError> {
        Ok(self.fresh.over(self.keeper.open_aside()?))
    }

    fn patience(&self) -> Option<Duration> {
        // What went wrong is to be known at once, also to those who only ask whether all is well.
        if self.keeper.must_be_well().is_err() {
            return Some(Duration::ZERO);
        }
        (!self.fresh.is_empty() || self.keeper.has_news()).then_some(LOOK)
    }

    fn tidy(&mut self) -> Result<Option<Arc<dyn KvRead>>, StoreError> {
        self.keeper.must_be_well()?;
        self.turn_over_if_due()?;
        Ok(Some(self.state()))
    }

    fn place(&self) -> &str {
        &self.place
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Err(error) = self.settle() {
            let place = &self.place;
            tracing::warn!(%error, place, "the journal could not be written into the tree; the next start will do it");
        }
    }
}

fn open_files((disk, [first, second]): &Places, place: &str) -> Result<[JournalFile; 2], StoreError> {
    Ok([JournalFile::open(&**disk, first, place)?, JournalFile::open(&**disk, second, place)?])
}

fn missing(place: &str, from: u64, to: u64) -> StoreError {
    StoreError::Corrupt(format!("the journal of {place} lacks the batches from {from} to {to}"))
}

#[cfg(test)]
mod tests;
