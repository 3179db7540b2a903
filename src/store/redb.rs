//! The embedded default engine: redb, pinned to one release.
//!
//! It is a tree behind the journal: units are durable when the journal holds them, and come here many at a time.
//! Every commit of it is durable before it returns (`Durability::Immediate`), and carries the allocator's state along
//! (quick repair), so that opening after a kill takes milliseconds at any size; that also makes every
//! commit a two-phase one: the pages are flushed before the one byte flips that makes them count.
//!
//! Opening tables costs as much as a read. So a published state is one read transaction with both tables open, shared by
//! every reader until the next commit replaces it. It pins the pages of one commit only.
//!
//! After a failed flush the system's cache may hold pages that the disk does not. That is no danger here: the pages of a commit that
//! did not flip the byte are not referenced, and a flipped byte that was not flushed is written and flushed anew by the
//! reopening, before any page that it freed can be used again.

mod backend;
pub mod compact;
mod put;

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition};

use super::StoreError;
use super::disk::{Disk, DiskFile, SystemDisk};
use super::failpoints::{Point, pass};
use super::fill::Fill;
use super::folder::{Folder, FolderError, WITH_JOURNAL, WITH_SUBJECTS};
use super::journal::{Found, Journal, RowsOf, Tree};
use super::kv::{self, Changes, KvEngine, KvRead, KvRow, KvStore, Table, Visit};
use super::writer::WriterOptions;
use compact::FormatStep;
use put::put;

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
const DOCUMENTS: Definition = TableDefinition::new("documents");
const SMALL: Definition = TableDefinition::new("small");
/// What is known of the journal: under [`APPLIED`] the number of the last batch whose rows are here.
const JOURNAL: TableDefinition<'static, &'static str, u64> = TableDefinition::new("journal");
const APPLIED: &str = "applied";
/// The database's file within the folder.
const FILE: &str = "roster.redb";
/// Its name until it is whole.
const NEW_FILE: &str = "roster.redb.new";
/// The journal's files beside it.
const JOURNAL_FILES: [&str; 2] = ["roster.journal.0", "roster.journal.1"];
/// The engine's name, as the settings have it.
pub(super) const NAME: &str = "redb";

/// How the engine is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedbOptions {
    /// Memory for pages, in bytes.
    pub cache_bytes: usize,
    /// Bytes of the journal, and of memory for it, from which on they go into the tree; it can come to four times as much under load.
    pub journal_bytes: usize,
    /// How the writer behaves.
    pub writer: WriterOptions,
}

impl Default for RedbOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, journal_bytes: 32 << 20, writer: WriterOptions::default() }
    }
}

/// Why a store was not opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// The folder is not fit, or is in use.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The engine refused.
    #[error("{}: {why}; {}", path.display(), remedy(why))]
    Engine {
        /// The database's file.
        path: PathBuf,
        /// What the engine said.
        why: StoreError,
    },
}

/// Says what an operator can do about it.
const fn remedy(why: &StoreError) -> &'static str {
    match why {
        StoreError::Corrupt(_) => {
            "restore a backup by rosterd restore, and keep this folder for those who look into it"
        }
        StoreError::Full(_) => "make room on its disk",
        StoreError::Retry(_) | StoreError::Unknown(_) => "try again",
        StoreError::Invalid(_) | StoreError::Fatal(_) => {
            "look at its owner, its mode and its disk; if those are right, restore a backup by rosterd restore, and keep this folder for those who look into it"
        }
    }
}

/// Opens the store in a folder, which is made if there is none, and holds the folder's lock until the store is dropped.
pub fn open(folder: &Path, options: &RedbOptions) -> Result<KvStore, OpenError> {
    let (engine, state) = engine(folder, options)?;
    let path = folder.join(FILE);
    KvStore::start(engine, state, options.writer).map_err(|why| OpenError::Engine { path, why })
}

/// An engine, and the state that it is in.
type Opened = (Box<dyn KvEngine>, Arc<dyn KvRead>);

/// What each format needs that has rows written otherwise, in their order. None so far: what 2 and 3 brought is added to a folder as it is.
const STEPS: &[FormatStep] = &[];

/// Opens the engine alone, without a writer in front of it.
pub fn engine(folder: &Path, options: &RedbOptions) -> Result<Opened, OpenError> {
    let (journal, state) = journal(folder, options)?;
    Ok((Box::new(journal), state))
}

fn journal(folder: &Path, options: &RedbOptions) -> Result<(Journal, Arc<dyn KvRead>), OpenError> {
    journal_after(folder, options, STEPS)
}

fn journal_after(
    folder: &Path,
    options: &RedbOptions,
    steps: &[FormatStep],
) -> Result<(Journal, Arc<dyn KvRead>), OpenError> {
    let mut folder = Folder::open(folder)?;
    folder.must_not_be_anothers(NAME)?;
    if folder.has_its(FILE)? {
        for step in steps.iter().filter(|step| folder.is_before(step.to)) {
            tracing::info!(format = step.to, "writing the store's file anew, in a format of this build");
            settle(&folder, options)?;
            compact::rebuild(&folder, options, step.row)?;
        }
    } else {
        create(&folder, options)?;
    }
    let mut engine = Engine::at(folder.path(FILE), options);
    let place = engine.path.clone();
    let named = |why| OpenError::Engine { path: place.clone(), why };
    engine.must_not_be_empty().map_err(named)?;
    let found = unless_damaged(|| engine.find(folder.is_before(WITH_SUBJECTS))).map_err(named)?;
    let files = journal_files(&folder)?;
    folder.label()?;
    engine.folder = Some(folder);
    let disk = Arc::clone(&engine.disk);
    let opened =
        unless_damaged(|| Journal::open(Box::new(engine), found, (disk, files), options.journal_bytes));
    opened.map_err(named)
}

/// Opens a store on a disk that a test made up. What was set aside by the journal is written into the tree before a commit returns, so that a
/// run with one caller can be played again.
#[cfg(any(test, feature = "testing"))]
pub fn on_disk(disk: &Arc<dyn Disk>, options: &RedbOptions) -> Result<KvStore, StoreError> {
    let mut engine = Engine { disk: Arc::clone(disk), ..Engine::at(PathBuf::from(FILE), options) };
    let found = unless_damaged(|| engine.find(false))?;
    let files = (Arc::clone(disk), JOURNAL_FILES.map(PathBuf::from));
    let (mut journal, state) =
        unless_damaged(|| Journal::open(Box::new(engine), found, files, options.journal_bytes))?;
    journal.keep_in_step();
    KvStore::start(Box::new(journal), state, options.writer)
}

/// Writes what waits in the journal into the tree, and empties its files.
fn settle(folder: &Folder, options: &RedbOptions) -> Result<(), OpenError> {
    let mut engine = Engine::at(folder.path(FILE), options);
    let files = journal_files(folder)?;
    let settled = engine.must_not_be_empty().and_then(|()| {
        unless_damaged(|| {
            let found = engine.find(false)?;
            let files = (Arc::clone(&engine.disk), files);
            let (mut journal, _) = Journal::open(Box::new(engine), found, files, options.journal_bytes)?;
            journal.settle()
        })
    });
    settled.map_err(|why| OpenError::Engine { path: folder.path(FILE), why })
}

/// Looks for the journal's files; a folder of an earlier format gets them.
fn journal_files(folder: &Folder) -> Result<[PathBuf; 2], FolderError> {
    let [first, second] = JOURNAL_FILES;
    let its = |name| {
        if folder.is_before(WITH_JOURNAL) {
            return folder.make(name);
        }
        folder.has_its(name).map(|_| folder.path(name))
    };
    Ok([its(first)?, its(second)?])
}

/// Opens a folder to be filled from a copy, which `source` tells from others (`store::fill`).
pub fn fill(folder: &Path, source: &str, options: &RedbOptions) -> Result<Fill, OpenError> {
    let folder = Folder::open_to_fill(folder, source)?;
    folder.must_not_be_anothers(NAME)?;
    if !folder.has(FILE)? {
        create(&folder, options)?;
    }
    // Rows go into the tree at once; the journal has nothing to add to them.
    for name in JOURNAL_FILES {
        folder.make(name)?;
    }
    let mut engine = Engine::at(folder.path(FILE), options);
    let named = |why| OpenError::Engine { path: folder.path(FILE), why };
    engine.must_not_be_empty().map_err(named)?;
    let state = unless_damaged(|| engine.reopen()).map_err(named)?;
    Ok(Fill::new(Box::new(engine), state, Box::new(folder), source))
}

/// Makes an empty database under another name first: one that was half made when the power went is no database.
fn create(folder: &Folder, options: &RedbOptions) -> Result<(), OpenError> {
    // What is there of a journal belongs to a database that is not.
    for name in [NEW_FILE, JOURNAL_FILES[0], JOURNAL_FILES[1]] {
        folder.remove(name)?;
    }
    let path = folder.make(NEW_FILE)?;
    let mut engine = Engine::at(path.clone(), options);
    let state = engine.reopen().map_err(|why| OpenError::Engine { path, why })?;
    drop(state);
    drop(engine);
    Ok(folder.rename(NEW_FILE, FILE)?)
}

struct Engine {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    place: String,
    cache_bytes: usize,
    /// Absent after an attempt to reopen it failed.
    database: Option<Database>,
    /// After the database, so that the folder's lock goes last.
    folder: Option<Folder>,
}

impl Engine {
    fn at(path: PathBuf, options: &RedbOptions) -> Self {
        let place = path.display().to_string();
        let disk = Arc::new(SystemDisk);
        Self { disk, path, place, cache_bytes: options.cache_bytes, database: None, folder: None }
    }

    fn database(&self) -> Result<&Database, StoreError> {
        self.database.as_ref().ok_or_else(|| StoreError::Retry("the engine is not open".into()))
    }

    fn builder(&self) -> redb::Builder {
        let mut builder = Database::builder();
        builder.set_cache_size(self.cache_bytes);
        builder
    }

    fn file(&self, write: bool) -> Result<Arc<dyn DiskFile>, StoreError> {
        self.disk.open(&self.path, write).map_err(redb::Error::Io).map_err(failed)
    }

    /// Refuses a file without a byte, which the engine would take for a new one: a new one gets its name when it is whole (R9).
    fn must_not_be_empty(&self) -> Result<(), StoreError> {
        let length = self.file(false)?.length().map_err(redb::Error::Io).map_err(failed)?;
        if length == 0 { Err(StoreError::Corrupt("the file is empty".into())) } else { Ok(()) }
    }

    /// Moves the pages together. Nobody may hold a state.
    fn squeeze(&mut self) -> Result<(), StoreError> {
        let database = self.database.as_mut();
        let database = database.ok_or_else(|| StoreError::Retry("the engine is not open".into()))?;
        database.compact().map(drop).map_err(failed)
    }

    fn pass(&self, point: Point) -> Result<(), StoreError> {
        pass(point, &self.place).map_err(redb::Error::Io).map_err(failed)
    }

    fn state(&self) -> Result<Arc<dyn KvRead>, StoreError> {
        Ok(Arc::new(Open::of(self.database()?)?))
    }

    /// Opens the file, and brings one of an earlier format up to date. One that is up to date is read without being opened where the disk
    /// has no room (R7).
    fn find(&mut self, is_old: bool) -> Result<Found, StoreError> {
        match self.reopen() {
            Ok(state) => {
                let state = if is_old { kv::note_subjects(self, state)? } else { state };
                Ok(Found { state, applied: applied(self.database()?)?, failed: None })
            }
            Err(full @ StoreError::Full(_)) if !is_old => {
                let (state, applied) = self.aside()?;
                Ok(Found { state, applied, failed: Some(full) })
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the file a second time, for reading only; also returns the number of the last batch that it holds.
    fn aside(&self) -> Result<(Arc<dyn KvRead>, u64), StoreError> {
        let done = backend::Done::default();
        let overlay = backend::Overlay::new(self.file(false)?, done.clone());
        let overlay = overlay.map_err(redb::Error::Io).map_err(failed)?;
        let database = self.builder().create_with_backend(overlay).map_err(failed)?;
        let (open, applied) = (Open::of(&database)?, applied(&database)?);
        Ok((Arc::new(Open { _aside: Some(Aside { done, _database: database }), ..open }), applied))
    }

    /// Writes rows, and where it is told that they reach up to a batch, that number.
    fn write(&self, rows: &RowsOf<'_>, up_to: Option<u64>) -> Result<(), StoreError> {
        self.pass(Point::TreeBefore)?;
        let mut transaction = self.database()?.begin_write().map_err(failed)?;
        transaction.set_quick_repair(true);
        for (definition, table) in [(DOCUMENTS, Table::Documents), (SMALL, Table::Small)] {
            put(&mut transaction.open_table(definition).map_err(failed)?, rows(table))?;
        }
        let mut journal = transaction.open_table(JOURNAL).map_err(failed)?;
        if let Some(number) = up_to {
            journal.insert(APPLIED, number).map_err(failed)?;
        }
        drop(journal);
        self.pass(Point::CommitBefore)?;
        transaction.commit().map_err(failed)?;
        self.pass(Point::TreeAfter)
    }
}

impl Tree for Engine {
    fn apply(&mut self, rows: &RowsOf<'_>, up_to: u64) -> Result<Arc<dyn KvRead>, StoreError> {
        self.write(rows, Some(up_to))?;
        self.state()
    }
}

/// Reads the number of the last batch that a database holds.
fn applied(database: &Database) -> Result<u64, StoreError> {
    let transaction = database.begin_read().map_err(failed)?;
    let journal = transaction.open_table(JOURNAL).map_err(failed)?;
    let number = journal.get(APPLIED).map_err(failed)?;
    Ok(number.map_or(0, |number| number.value()))
}

/// Without the journal: for what is done before it is opened, and to files that have none.
impl KvEngine for Engine {
    fn commit(&mut self, changes: &Changes) -> Result<Arc<dyn KvRead>, StoreError> {
        self.write(&|table| Box::new(changes.of(table)), None)?;
        self.state()
    }

    fn reopen(&mut self) -> Result<Arc<dyn KvRead>, StoreError> {
        // The old one goes first: it holds the file's lock.
        drop(self.database.take());
        let disk = backend::Backend::new(self.file(true)?, self.place.clone());
        self.database = Some(self.builder().create_with_backend(disk).map_err(failed)?);
        // Makes the tables of a new file.
        self.write(&|_| Box::new(std::iter::empty()), None)?;
        self.state()
    }

    fn open_aside(&self) -> Result<Arc<dyn KvRead>, StoreError> {
        Ok(self.aside()?.0)
    }

    fn place(&self) -> &str {
        &self.place
    }
}

/// A read transaction with its tables open.
struct Open {
    documents: ReadOnlyTable<&'static [u8], &'static [u8]>,
    small: ReadOnlyTable<&'static [u8], &'static [u8]>,
    /// What was opened for this state alone, and closes with it; after the tables, so that they go first.
    _aside: Option<Aside>,
}

/// A database over an overlay.
struct Aside {
    done: backend::Done,
    _database: Database,
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.done.say();
    }
}

impl Open {
    fn of(database: &Database) -> Result<Self, StoreError> {
        let transaction = database.begin_read().map_err(failed)?;
        let documents = transaction.open_table(DOCUMENTS).map_err(failed)?;
        let small = transaction.open_table(SMALL).map_err(failed)?;
        Ok(Self { documents, small, _aside: None })
    }

    const fn table(&self, table: Table) -> &ReadOnlyTable<&'static [u8], &'static [u8]> {
        match table {
            Table::Documents => &self.documents,
            Table::Small => &self.small,
        }
    }
}

impl KvRead for Open {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
        unless_damaged(|| {
            let found = self.table(table).get(key).map_err(failed)?;
            Ok(found.map(|guard| Arc::from(guard.value())))
        })
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        unless_damaged(|| {
            for row in self.table(table).range(from..to).map_err(failed)? {
                let (key, value) = row.map_err(failed)?;
                if let ControlFlow::Break(()) = visit(key.value(), value.value())? {
                    break;
                }
            }
            Ok(())
        })
    }

    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        unless_damaged(|| {
            for row in self.table(table).range(from..to).map_err(failed)?.rev() {
                let (key, value) = row.map_err(failed)?;
                if visit(key.value(), value.value())?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<KvRow>, StoreError> {
        let last =
            self.table(table).range(from..to).map_err(failed)?.next_back().transpose().map_err(failed)?;
        Ok(last.map(|(key, value)| (key.value().to_vec(), Arc::from(value.value()))))
    }
}

/// Reads, and makes an error of a panic: at some damage the engine panics instead of saying what it found (R9).
pub(super) fn unless_damaged<T>(read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    // Whoever reads learns that it failed and uses nothing of it, so nobody sees what the panic left half done.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(StoreError::Corrupt("the engine came upon a page that makes no sense and panicked".into()))
    })
}

/// Turns what the engine says into what is to be done.
fn failed(error: impl Into<redb::Error>) -> StoreError {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.into() {
        redb::Error::Io(error) if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) => {
            StoreError::Full(error.to_string())
        }
        redb::Error::Corrupted(what) => StoreError::Corrupt(what),
        // What a reader of a state sees whose engine has failed or was replaced under it.
        error @ (redb::Error::PreviousIo | redb::Error::DatabaseClosed) => {
            StoreError::Retry(error.to_string())
        }
        error => StoreError::Fatal(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
