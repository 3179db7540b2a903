//! sled as the engine, pinned to one release. Not the default, and warned of at the start: decision 1 says why.
//!
//! One tree holds both tables, so that a commit is one atomic batch. sled's own flush asks the kernel to write and does not wait for
//! the disk, so each commit is followed by a flush of ours (`disk`). sled has no states that stay as they are: `states` keeps what rows were before a
//! commit for as long as somebody reads an older state.
//!
//! A snapshot of its log that sled was writing when the power went is in the way of its next opening, and is removed first.
//!
//! After a failed flush the system's cache may hold pages that the disk does not, and call them clean. Everything is then written once more and
//! flushed before the engine is opened again, so that nothing that is acknowledged later stands on them.

mod disk;
mod states;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sled::{Batch, Db};

use super::StoreError;
use super::failpoints::{Point, pass};
use super::fill::Fill;
use super::folder::{Folder, WITH_SUBJECTS};
use super::kv::copy::TABLES;
use super::kv::{self, Changes, KvEngine, KvRead, KvStore};
use super::redb::{OpenError, unless_damaged};
use super::writer::WriterOptions;
use disk::Disk;
use states::{Shared, key_of};

/// The engine's name, as the settings have it.
const NAME: &str = "sled";
/// The engine's own folder within the data folder.
const DIR: &str = "roster.sled";
/// Its name until it is whole.
const NEW_DIR: &str = "roster.sled.new";
/// Where the number of the last commit stands. No row of ours begins so.
const NUMBER: &[u8] = b"\xffnumber";
/// How often opening is tried: sled lets go of its lock a moment after it was closed.
const ATTEMPTS: u32 = 200;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);

/// How the engine is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SledOptions {
    /// Memory for pages, in bytes.
    pub cache_bytes: usize,
    /// How the writer behaves.
    pub writer: WriterOptions,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, writer: WriterOptions::default() }
    }
}

/// Opens the store in a folder, which is made if there is none, and holds the folder's lock until the store is dropped.
pub fn open(folder: &Path, options: &SledOptions) -> Result<KvStore, OpenError> {
    let mut folder = Folder::open(folder)?;
    folder.must_not_be_anothers(NAME)?;
    if !folder.has_its(DIR)? {
        create(&folder, options)?;
    }
    let path = folder.path(DIR);
    let named = |why| OpenError::Engine { path: path.clone(), why };
    disk::remove_unfinished(&path).map_err(failed_io).map_err(named)?;
    let mut engine = Engine::at(path.clone(), options);
    let mut state = engine.reopen().map_err(named)?;
    if folder.is_before(WITH_SUBJECTS) {
        state = kv::note_subjects(&mut engine, state).map_err(named)?;
    }
    folder.label()?;
    engine.folder = Some(folder);
    KvStore::start(Box::new(engine), state, options.writer).map_err(named)
}

/// Opens a folder to be filled from a copy, which `source` tells from others (`store::fill`).
pub fn fill(folder: &Path, source: &str, options: &SledOptions) -> Result<Fill, OpenError> {
    let folder = Folder::open_to_fill(folder, source)?;
    folder.must_not_be_anothers(NAME)?;
    if !folder.has(DIR)? {
        create(&folder, options)?;
    }
    let path = folder.path(DIR);
    let named = |why| OpenError::Engine { path: path.clone(), why };
    disk::remove_unfinished(&path).map_err(failed_io).map_err(named)?;
    let mut engine = Engine::at(path.clone(), options);
    let state = engine.reopen().map_err(named)?;
    Ok(Fill::new(Box::new(engine), state, Box::new(folder), source))
}

/// Makes an empty store under another name first: one that was half made when the power went is none.
fn create(folder: &Folder, options: &SledOptions) -> Result<(), OpenError> {
    let path = folder.path(NEW_DIR);
    let named = |why| OpenError::Engine { path: path.clone(), why };
    disk::make_anew(&path).map_err(failed_io).map_err(named)?;
    let mut engine = Engine::at(path.clone(), options);
    drop(engine.reopen().map_err(named)?);
    drop(engine.commit(&Changes::default()).map_err(named)?);
    drop(engine);
    disk::flush_names(&path).map_err(failed_io).map_err(named)?;
    Ok(folder.rename(NEW_DIR, DIR)?)
}

struct Engine {
    path: PathBuf,
    place: String,
    cache_bytes: usize,
    shared: Arc<Shared>,
    /// Absent while the engine is not open.
    disk: Option<Disk>,
    /// The number of the last commit that is durable.
    durable: u64,
    /// Whether a flush failed since everything was last known to be on disk.
    doubtful: bool,
    /// Last, so that the folder's lock goes last.
    folder: Option<Folder>,
}

impl Engine {
    fn at(path: PathBuf, options: &SledOptions) -> Self {
        let place = path.display().to_string();
        let shared = Arc::new(Shared::default());
        let cache_bytes = options.cache_bytes;
        Self { path, place, cache_bytes, shared, disk: None, durable: 0, doubtful: false, folder: None }
    }

    fn open(&self) -> Result<Db, StoreError> {
        let config = sled::Config::new()
            .path(&self.path)
            .cache_capacity(u64::try_from(self.cache_bytes).unwrap_or(u64::MAX));
        let mut attempt = 1;
        loop {
            match config.open() {
                Ok(db) => return Ok(db),
                Err(sled::Error::Io(error)) if attempt < ATTEMPTS && error.to_string().contains("lock") => {
                    std::thread::sleep(BETWEEN_ATTEMPTS);
                    attempt += 1;
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    fn pass(&self, point: Point) -> Result<(), StoreError> {
        pass(point, &self.place).map_err(failed_io)
    }

    fn write(&mut self, changes: &Changes) -> Result<u64, StoreError> {
        self.pass(Point::AppendBefore)?;
        let mut rows = Vec::new();
        for table in TABLES {
            rows.extend(changes.of(table).map(|(key, value)| (key_of(table, key), value)));
        }
        self.pass(Point::DiskWrite)?;
        let number = self.shared.apply(|number| {
            let mut batch = Batch::default();
            for (key, value) in &rows {
                match value {
                    Some(value) => batch.insert(key.as_slice(), &***value),
                    None => batch.remove(key.as_slice()),
                }
            }
            batch.insert(NUMBER, &number.to_be_bytes());
            (rows.iter().map(|(key, _)| key.clone()).collect(), batch)
        })?;
        self.pass(Point::CommitBefore)?;
        self.doubtful = true;
        self.shared.flush()?;
        self.pass(Point::DiskFlush)?;
        let disk = self.disk.as_mut().ok_or_else(|| StoreError::Retry("the engine is not open".into()))?;
        disk.flush().map_err(failed_io)?;
        self.doubtful = false;
        self.durable = number;
        Ok(number)
    }

    fn try_reopen(&mut self) -> Result<u64, StoreError> {
        // While the disk refuses, reading goes on as it is.
        if self.doubtful {
            self.pass(Point::DiskFlush)?;
        }
        self.shared.close();
        self.disk = None;
        if self.doubtful {
            disk::write_again(&self.path).map_err(failed_io)?;
        }
        let db = self.open()?;
        let found = number_in(&db)?;
        let applied = self.shared.applied();
        let is_ours = self.durable == 0 || found == self.durable || found == applied;
        if !is_ours {
            return Err(StoreError::Corrupt(format!(
                "the engine came back at commit {found}, and {} was acknowledged",
                self.durable
            )));
        }
        let mut disk = Disk::open(&self.path).map_err(failed_io)?;
        disk.flush().map_err(failed_io)?;
        self.disk = Some(disk);
        self.doubtful = false;
        self.durable = found;
        self.shared.open(db, found);
        Ok(found)
    }
}

impl KvEngine for Engine {
    fn commit(&mut self, changes: &Changes) -> Result<Arc<dyn KvRead>, StoreError> {
        let number = unless_damaged(|| self.write(changes))?;
        Ok(Shared::state(&self.shared, number))
    }

    fn reopen(&mut self) -> Result<Arc<dyn KvRead>, StoreError> {
        let number = unless_damaged(|| self.try_reopen())?;
        Ok(Shared::state(&self.shared, number))
    }

    /// The last durable state of the engine that is open: older states stay readable over whatever was applied since.
    fn open_aside(&self) -> Result<Arc<dyn KvRead>, StoreError> {
        Ok(Shared::state(&self.shared, self.durable))
    }

    fn place(&self) -> &str {
        &self.place
    }
}

impl Drop for Engine {
    /// Whoever still holds a state keeps nobody from opening the folder.
    fn drop(&mut self) {
        self.shared.close();
    }
}

fn number_in(db: &Db) -> Result<u64, StoreError> {
    let Some(bytes) = db.get(NUMBER).map_err(failed)? else { return Ok(0) };
    let bytes = bytes.as_ref().try_into();
    bytes
        .map(u64::from_be_bytes)
        .map_err(|_| StoreError::Corrupt("the number of the last commit makes no sense".into()))
}

/// Turns what the engine says into what is to be done.
fn failed(error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(error) => failed_io(error),
        error @ sled::Error::Corruption { .. } => StoreError::Corrupt(error.to_string()),
        error => StoreError::Fatal(error.to_string()),
    }
}

fn failed_io(error: std::io::Error) -> StoreError {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => StoreError::Full(error.to_string()),
        _ => StoreError::Fatal(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
