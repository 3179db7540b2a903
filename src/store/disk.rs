//! Files as the embedded engine sees them: those of the system, or those of a disk that a test made up (`simulated`).

use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Where files are.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file that is there. The folder has made it; one that has gone since must not be replaced by an empty one.
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn DiskFile>>;
}

/// An open file.
pub trait DiskFile: Send + Sync + Debug {
    /// Returns its length in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Reads as many bytes as there is place for.
    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes all of the bytes; what lies between the end and them becomes zero.
    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes it longer, by zeros, or shorter.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Returns when bytes and length would survive a power loss.
    fn sync(&self) -> io::Result<()>;

    /// Takes its lock, unless somebody has it.
    fn try_lock(&self) -> io::Result<bool>;

    /// Gives the lock back.
    fn unlock(&self) -> io::Result<()>;
}

/// The system's own.
#[derive(Debug)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(write).open(path)?))
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(out, at)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn try_lock(&self) -> io::Result<bool> {
        match File::try_lock(self) {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn unlock(&self) -> io::Result<()> {
        File::unlock(self)
    }
}
