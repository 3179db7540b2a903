//! The files under the engine: the real one, and one that is only read.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

use crate::store::failpoints::{Point, pass};

/// A file, with failpoints before every write and flush.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
    place: String,
}

impl Disk {
    pub(super) fn new(file: File, place: String) -> Self {
        Self { file, place }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        pass(Point::DiskWrite, &self.place)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        pass(Point::DiskFlush, &self.place)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        pass(Point::DiskWrite, &self.place)?;
        self.file.write_all_at(data, offset)
    }

    fn close(&self) -> io::Result<()> {
        self.file.unlock()
    }

    // The engine asks for the whole file only; the folder's lock keeps other daemons out already.
    fn try_lock_range(&self, _from: Bound<u64>, _to: Bound<u64>) -> Result<bool, BackendError> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(BackendError::Io(error)),
        }
    }

    fn unlock_range(&self, _from: Bound<u64>, _to: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock().map_err(BackendError::Io)
    }
}

/// Bytes of a block of the overlay.
const BLOCK: usize = 4096;

/// A file that is read, and writes that go to memory.
///
/// Opening a database writes to it, which a disk that fails or is full may not allow. Over this the
/// engine opens, recovers and reads the last committed state, and the file stays as it is.
#[derive(Debug)]
pub(super) struct Overlay {
    file: File,
    written: Mutex<Written>,
    done: Done,
}

/// Says that an overlay is not needed any more. The file may have changed under it by then, and the engine, which reads and writes once
/// more when it closes, must not come upon that.
#[derive(Debug, Clone, Default)]
pub(super) struct Done(Arc<AtomicBool>);

impl Done {
    /// From now on the overlay refuses everything.
    pub(super) fn say(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Acquire) { Err(io::Error::other("no longer read")) } else { Ok(()) }
    }
}

#[derive(Debug)]
struct Written {
    len: u64,
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
}

impl Overlay {
    pub(super) fn new(file: File, done: Done) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, written: Mutex::new(Written { len, blocks: BTreeMap::new() }), done })
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a block of the file; what lies beyond its end is zero.
    fn block(&self, number: u64) -> io::Result<Box<[u8; BLOCK]>> {
        let mut block = Box::new([0; BLOCK]);
        let mut rest = block.as_mut_slice();
        let mut offset = number * BLOCK as u64;
        while !rest.is_empty() {
            let count = self.file.read_at(rest, offset)?;
            if count == 0 {
                break;
            }
            offset += count as u64;
            rest = rest.get_mut(count..).unwrap_or_default();
        }
        Ok(block)
    }
}

/// Splits a stretch into (block, first byte within it, number of bytes).
fn blocks(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut at = offset;
    let mut left = len;
    std::iter::from_fn(move || {
        let within = usize::try_from(at % BLOCK as u64).ok()?;
        let count = left.min(BLOCK - within);
        let found = (at / BLOCK as u64, within, count);
        at += count as u64;
        left -= count;
        (count > 0).then_some(found)
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.done.check()?;
        let written = self.written();
        let mut rest = out;
        for (number, within, count) in blocks(offset, rest.len()) {
            let Some((part, later)) = rest.split_at_mut_checked(count) else { break };
            rest = later;
            match written.blocks.get(&number).and_then(|block| block.get(within..within + count)) {
                Some(bytes) => part.copy_from_slice(bytes),
                None => self.file.read_exact_at(part, number * BLOCK as u64 + within as u64)?,
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.done.check()?;
        self.written().len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.done.check()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.done.check()?;
        let mut written = self.written();
        let mut rest = data;
        for (number, within, count) in blocks(offset, rest.len()) {
            let Some((part, later)) = rest.split_at_checked(count) else { break };
            rest = later;
            let mut block = match written.blocks.remove(&number) {
                Some(block) => block,
                None => self.block(number)?,
            };
            if let Some(place) = block.get_mut(within..within + count) {
                place.copy_from_slice(part);
            }
            written.blocks.insert(number, block);
        }
        Ok(())
    }

    fn try_lock_range(&self, _from: Bound<u64>, _to: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _from: Bound<u64>, _to: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn an_overlay_reads_what_was_written_and_leaves_the_file_alone() {
        let mut file = tempfile::tempfile().unwrap();
        let before: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        file.write_all(&before).unwrap();
        let overlay = Overlay::new(file.try_clone().unwrap(), Done::default()).unwrap();
        let mut expected = before.clone();
        expected[4000..4200].fill(0xee);
        overlay.write(4000, &[0xee; 200]).unwrap();
        overlay.set_len(20_000).unwrap();
        overlay.write(12_000, b"beyond").unwrap();
        let mut seen = vec![0; 10_000];
        overlay.read(0, &mut seen).unwrap();
        assert_eq!(seen, expected);
        let mut beyond = [0; 8];
        overlay.read(11_999, &mut beyond).unwrap();
        assert_eq!(&beyond, b"\0beyond\0");
        let mut kept = vec![0; 10_000];
        file.read_exact_at(&mut kept, 0).unwrap();
        assert_eq!((kept, file.metadata().unwrap().len()), (before, 10_000));
        overlay.done.say();
        assert!(overlay.read(0, &mut beyond).is_err() && overlay.write(0, b"x").is_err());
    }
}
