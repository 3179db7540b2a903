//! The files under the engine: the real one, and one that is only read.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

use crate::store::disk::DiskFile;
use crate::store::failpoints::{Point, pass};

/// Bytes that are written before they are flushed. Were a whole transaction's pages flushed at once, the journal's flush, for which somebody waits,
/// would stand behind all of them (P13, R25). A flush of so many takes some three times as long as one of a page.
const PIECE: usize = 192 << 10;

/// A file, with failpoints before every write and flush.
#[derive(Debug)]
pub(super) struct Backend {
    file: Arc<dyn DiskFile>,
    place: String,
    /// Bytes written since the last flush.
    unflushed: AtomicUsize,
}

impl Backend {
    pub(super) fn new(file: Arc<dyn DiskFile>, place: String) -> Self {
        Self { file, place, unflushed: AtomicUsize::new(0) }
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        pass(Point::DiskWrite, &self.place)?;
        self.file.set_length(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        pass(Point::DiskFlush, &self.place)?;
        self.unflushed.store(0, Ordering::Relaxed);
        self.file.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        pass(Point::DiskWrite, &self.place)?;
        self.file.write(offset, data)?;
        let before = self.unflushed.fetch_add(data.len(), Ordering::Relaxed);
        if before.saturating_add(data.len()) >= PIECE { self.sync_data() } else { Ok(()) }
    }

    fn close(&self) -> io::Result<()> {
        self.file.unlock()
    }

    // The engine asks for the whole file only; the folder's lock keeps other daemons out already.
    fn try_lock_range(&self, _from: Bound<u64>, _to: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock().map_err(BackendError::Io)
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
    file: Arc<dyn DiskFile>,
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
    pub(super) fn new(file: Arc<dyn DiskFile>, done: Done) -> io::Result<Self> {
        let len = file.length()?;
        Ok(Self { file, written: Mutex::new(Written { len, blocks: BTreeMap::new() }), done })
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a block of the file; what lies beyond its end is zero.
    fn block(&self, number: u64) -> io::Result<Box<[u8; BLOCK]>> {
        let mut block = Box::new([0; BLOCK]);
        let offset = number * BLOCK as u64;
        let there = self.file.length()?.saturating_sub(offset).min(BLOCK as u64);
        let there = usize::try_from(there).unwrap_or(BLOCK);
        self.file.read(offset, block.get_mut(..there).unwrap_or_default())?;
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
                None => self.file.read(number * BLOCK as u64 + within as u64, part)?,
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
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn an_overlay_reads_what_was_written_and_leaves_the_file_alone() {
        let mut file = tempfile::tempfile().unwrap();
        let before: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        file.write_all(&before).unwrap();
        let overlay = Overlay::new(Arc::new(file.try_clone().unwrap()), Done::default()).unwrap();
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

    /// A file of which nothing is kept but how many bytes were written between two flushes.
    #[derive(Debug, Default)]
    struct Counting {
        since: AtomicUsize,
        most: AtomicUsize,
        flushes: AtomicUsize,
    }

    impl DiskFile for Counting {
        fn length(&self) -> io::Result<u64> {
            Ok(0)
        }

        fn read(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
            Ok(())
        }

        fn write(&self, _: u64, bytes: &[u8]) -> io::Result<()> {
            let since = self.since.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len();
            self.most.fetch_max(since, Ordering::Relaxed);
            Ok(())
        }

        fn set_length(&self, _: u64) -> io::Result<()> {
            Ok(())
        }

        fn sync(&self) -> io::Result<()> {
            self.since.store(0, Ordering::Relaxed);
            self.flushes.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        fn try_lock(&self) -> io::Result<bool> {
            Ok(true)
        }

        fn unlock(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn much_is_flushed_in_pieces_and_little_only_when_that_is_asked_for() {
        let file = Arc::new(Counting::default());
        let backend = Backend::new(Arc::clone(&file) as Arc<dyn DiskFile>, "counting".into());
        let write = |pages: usize| {
            for page in 0..pages as u64 {
                backend.write(page * 4096, &[0; 4096]).unwrap();
            }
        };
        write(1000);
        let counted = || (file.most.load(Ordering::Relaxed), file.flushes.load(Ordering::Relaxed));
        assert_eq!(counted(), (PIECE, 1000 * 4096 / PIECE));
        backend.sync_data().unwrap();
        write(PIECE / 4096 - 1);
        assert_eq!(counted(), (PIECE, 1000 * 4096 / PIECE + 1));
    }
}
