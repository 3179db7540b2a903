//! A file that gets its name when it is whole: written under another, flushed, read back, and only then renamed.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::{ArchiveError, Shape, Verified, verify};

/// The owner's alone.
const FILE_MODE: u32 = 0o600;
/// What the name ends with until the file is whole.
const UNFINISHED: &str = ".unfinished";

/// A file that is whole, durable, and has its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// How many bytes it has.
    pub bytes: u64,
    /// What was read back.
    pub verified: Verified,
}

/// Why no file was made.
#[derive(Debug, thiserror::Error)]
pub enum Refusal<E> {
    /// There is one of this name.
    #[error("{}: there is a file of this name already; choose another", .0.display())]
    Exists(PathBuf),
    /// Somebody is writing it.
    #[error("{}: another process is writing it; wait for that, or choose another name", .0.display())]
    Busy(PathBuf),
    /// The disk refused.
    #[error("{}: {why}", path.display())]
    Disk {
        /// On which file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// It was written, and reads otherwise.
    #[error("{}: what was written was read back, and {why}; the file was removed", path.display())]
    ReadBack {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: ArchiveError,
    },
    /// Whoever wrote it failed.
    #[error("{0}")]
    Write(E),
}

/// Makes a file of what `write` writes. It gets its name when it is durable and was read back; when anything goes wrong nothing is left of it.
pub fn place<E>(
    path: &Path,
    shape: Shape,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<Placed, Refusal<E>> {
    let disk = |why| Refusal::Disk { path: path.into(), why };
    if path.try_exists().map_err(disk)? {
        return Err(Refusal::Exists(path.into()));
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(UNFINISHED);
    let unfinished = path.with_file_name(name);
    let file = open(&unfinished).map_err(|why| match why {
        Some(why) => Refusal::Disk { path: unfinished.clone(), why },
        None => Refusal::Busy(path.into()),
    })?;
    let made = make(&file, &unfinished, path, shape, write);
    if made.is_err() {
        // What is wrong is said already; a file that cannot be removed is begun anew by the next run.
        let _ = std::fs::remove_file(&unfinished);
    }
    made
}

/// Opens the unfinished file; `None` as the error where somebody else has it. What an earlier run left there goes.
fn open(path: &Path) -> Result<File, Option<io::Error>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    let file = options.open(path).map_err(Some)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(None),
        Err(TryLockError::Error(error)) => return Err(Some(error)),
    }
    // One that another made beforehand may be open to others.
    file.set_permissions(Permissions::from_mode(FILE_MODE)).map_err(Some)?;
    file.set_len(0).map_err(Some)?;
    Ok(file)
}

fn make<E>(
    file: &File,
    unfinished: &Path,
    path: &Path,
    shape: Shape,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<Placed, Refusal<E>> {
    let disk = |why| Refusal::Disk { path: path.into(), why };
    let mut out = BufWriter::with_capacity(256 << 10, file);
    write(&mut out).map_err(Refusal::Write)?;
    out.flush().map_err(disk)?;
    drop(out);
    file.sync_all().map_err(disk)?;
    // By its name, as whoever restores it will.
    let written = File::open(unfinished).map_err(disk)?;
    let verified =
        verify(&written, shape, &mut |_| {}).map_err(|why| Refusal::ReadBack { path: path.into(), why })?;
    let bytes = written.metadata().map_err(disk)?.len();
    rename(unfinished, path).map_err(|why| match why {
        Errno::EXIST => Refusal::Exists(path.into()),
        why => disk(why.into()),
    })?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(disk)?;
    Ok(Placed { bytes, verified })
}

/// Renames, and never over another file.
fn rename(from: &Path, to: &Path) -> Result<(), Errno> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot promise it: then what was seen at the beginning is looked at again.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if !to.exists() => rustix::fs::rename(from, to),
        done => done,
    }
}
