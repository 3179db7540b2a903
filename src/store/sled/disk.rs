//! The flushes that sled does not do itself.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

/// sled's log.
const LOG: &str = "db";
/// Where sled puts what is too long for its log, a file for each.
const BLOBS: &str = "blobs";
/// Bytes that are written again at a time.
const PIECE_BYTES: usize = 1 << 20;
/// How its snapshots begin, and what they end with until they are whole.
const SNAPSHOT: &str = "snap.";
const UNFINISHED: &str = ".generating";
const FOLDER_MODE: u32 = 0o700;

/// sled's files.
#[derive(Debug)]
pub(super) struct Disk {
    log: File,
    blobs: PathBuf,
    /// Those that are on disk.
    flushed: BTreeSet<OsString>,
}

impl Disk {
    /// Opens them a second time, beside sled: a flush is of a file, through whichever handle it comes.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let log = OpenOptions::new().read(true).write(true).open(path.join(LOG))?;
        Ok(Self { log, blobs: path.join(BLOBS), flushed: BTreeSet::new() })
    }

    /// Waits until everything that sled has written is on disk.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let names = names_in(&self.blobs)?;
        let mut fresh = false;
        for name in names.difference(&self.flushed) {
            fresh = true;
            match File::open(self.blobs.join(name)) {
                Ok(blob) => blob.sync_all()?,
                // Not needed any more.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if fresh {
            File::open(&self.blobs)?.sync_all()?;
        }
        self.flushed = names;
        // After what it refers to.
        self.log.sync_data()
    }
}

fn names_in(folder: &Path) -> io::Result<BTreeSet<OsString>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// Makes an empty folder for sled, its owner's alone.
pub(super) fn make_anew(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    DirBuilder::new().mode(FOLDER_MODE).create(path)
}

/// Removes snapshots that were being written when the power went: sled would take such a one for the newest, find it damaged, and not open. The one
/// before is there until the new one has its name. Nobody may have the folder open.
pub(super) fn remove_unfinished(path: &Path) -> io::Result<()> {
    for name in names_in(path)? {
        let text = name.to_string_lossy();
        if text.starts_with(SNAPSHOT) && text.ends_with(UNFINISHED) {
            std::fs::remove_file(path.join(&name))?;
        }
    }
    Ok(())
}

/// Waits until the names of all files below a folder are on disk.
pub(super) fn flush_names(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            flush_names(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(path)?.sync_all()
}

/// Writes everything that can be read of sled's files once more over itself, and flushes it. Nobody may have them open.
pub(super) fn write_again(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            write_again(&entry.path())?;
            continue;
        }
        let file = OpenOptions::new().read(true).write(true).open(entry.path())?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut at = 0;
        loop {
            let count = file.read_at(&mut piece, at)?;
            let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else { break };
            file.write_all_at(read, at)?;
            at += count as u64;
        }
        file.sync_all()?;
    }
    File::open(path)?.sync_all()
}
