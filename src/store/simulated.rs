//! A disk that is made up, for simulations (R36): it forgets, tears and reorders what was not synced, and fails on demand, all from one seed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, DiskFile};

/// Bytes that are written whole or not at all.
const SECTOR: usize = 512;

/// What the disk does instead of what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A write fails, after a part of it was done.
    ShortWrite,
    /// A write finds no room.
    NoRoom,
    /// A sync fails; what it was to cover may or may not have reached the disk.
    FailedSync,
}

/// The disk. Its files are there from the first time that they are named, and empty.
#[derive(Debug, Clone)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    files: BTreeMap<PathBuf, Contents>,
    seed: u64,
    /// Which life of the machine this is; handles of earlier ones do nothing any more.
    life: u64,
    /// How many handles there have been.
    handles: u64,
    /// The next trouble, and how many calls it spares.
    trouble: Option<(Trouble, u64)>,
    /// Whether syncs do nothing, as in an engine that forgot them.
    is_deaf: bool,
}

#[derive(Debug, Default)]
struct Contents {
    /// As a program sees it.
    seen: Vec<u8>,
    /// As it is on the disk.
    durable: Vec<u8>,
    /// What lies between the two, in order.
    pending: Vec<Change>,
    /// Which handle has its lock.
    locked: Option<u64>,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl SimulatedDisk {
    /// An empty disk, whose accidents follow from a seed.
    pub fn new(seed: u64) -> Self {
        let state =
            State { files: BTreeMap::new(), seed, life: 0, handles: 0, trouble: None, is_deaf: false };
        Self(Arc::new(Mutex::new(state)))
    }

    /// From now on no sync is one.
    pub fn be_deaf(&self) {
        self.state().is_deaf = true;
    }

    /// Has a later call fail, once: the first of its kind after so many were spared.
    pub fn trouble(&self, trouble: Trouble, spared: u64) {
        self.state().trouble = Some((trouble, spared));
    }

    /// Takes the power away. Of what was not synced any sectors are there afterwards. What is still open is of no use any more.
    pub fn crash(&self) {
        let mut state = self.state();
        state.life += 1;
        state.trouble = None;
        let State { files, seed, .. } = &mut *state;
        for file in files.values_mut() {
            let lost = match next(seed) % 4 {
                0 => Lost::All,
                1 => Lost::LastTorn,
                _ => Lost::Some,
            };
            file.lose(lost, seed);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of a file does not survive.
#[derive(Clone, Copy)]
enum Lost {
    /// Whatever was not synced.
    All,
    /// A part of the last write.
    LastTorn,
    /// Any sectors.
    Some,
}

impl Contents {
    fn lose(&mut self, lost: Lost, seed: &mut u64) {
        let last = self.pending.len().saturating_sub(1);
        for (number, change) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            match (lost, change) {
                (Lost::All, _) => {}
                (Lost::LastTorn, Change::Write(at, bytes)) if number == last => {
                    let kept = below(seed, bytes.len());
                    apply(&mut self.durable, &Change::Write(at, bytes.into_iter().take(kept).collect()));
                }
                (Lost::LastTorn, change) => apply(&mut self.durable, &change),
                (Lost::Some, Change::Length(_)) if next(seed).is_multiple_of(2) => {}
                (Lost::Some, Change::Write(at, bytes)) => {
                    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                        if next(seed).is_multiple_of(2) {
                            apply(&mut self.durable, &Change::Write(at + number * SECTOR, sector.to_vec()));
                        }
                    }
                }
                (Lost::Some, change) => apply(&mut self.durable, &change),
            }
        }
        self.seen.clone_from(&self.durable);
        self.locked = None;
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.seen, &change);
        self.pending.push(change);
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(at, data) => {
            let end = at + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            if let Some(place) = bytes.get_mut(*at..end) {
                place.copy_from_slice(data);
            }
        }
        Change::Length(length) => bytes.resize(*length, 0),
    }
}

/// Steps a generator (`SplitMix64`).
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn below(seed: &mut u64, bound: usize) -> usize {
    usize::try_from(next(seed) % (bound.max(1) as u64)).unwrap_or_default()
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, _write: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.files.entry(path.to_owned()).or_default();
        state.handles += 1;
        let (number, life) = (state.handles, state.life);
        Ok(Arc::new(Handle { disk: self.clone(), path: path.to_owned(), number, life }))
    }
}

/// An open file of one life of the machine.
#[derive(Debug)]
struct Handle {
    disk: SimulatedDisk,
    path: PathBuf,
    number: u64,
    life: u64,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Closing a file gives its lock back.
        let _ = self.unlock();
    }
}

impl Handle {
    fn with<T>(&self, act: impl FnOnce(&mut Contents) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state();
        if state.life != self.life {
            return Err(io::Error::other("the machine is off"));
        }
        act(state.files.entry(self.path.clone()).or_default())
    }

    fn change(&self, change: Change) -> io::Result<()> {
        self.with(|file| {
            file.change(change);
            Ok(())
        })
    }

    /// Tells whether the next trouble is one of these, and has come.
    fn strikes(&self, kinds: &[Trouble]) -> Option<Trouble> {
        let mut state = self.disk.state();
        let (trouble, spared) = state.trouble.filter(|(trouble, _)| kinds.contains(trouble))?;
        if state.life != self.life {
            return None;
        }
        state.trouble = spared.checked_sub(1).map(|spared| (trouble, spared));
        state.trouble.is_none().then_some(trouble)
    }
}

impl DiskFile for Handle {
    fn length(&self) -> io::Result<u64> {
        self.with(|file| Ok(file.seen.len() as u64))
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let at = position(at)?;
        self.with(|file| {
            let found = file.seen.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(found);
            Ok(())
        })
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let at = position(at)?;
        match self.strikes(&[Trouble::ShortWrite, Trouble::NoRoom]) {
            Some(Trouble::NoRoom) => return Err(io::ErrorKind::StorageFull.into()),
            Some(_) => {
                let kept = below(&mut self.disk.state().seed, bytes.len());
                let part = bytes.iter().take(kept).copied().collect();
                self.change(Change::Write(at, part))?;
                return Err(io::Error::other("a short write"));
            }
            None => {}
        }
        self.change(Change::Write(at, bytes.to_vec()))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let length = position(length)?;
        self.change(Change::Length(length))
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.state().is_deaf {
            return Ok(());
        }
        let failed = self.strikes(&[Trouble::FailedSync]).is_some();
        let reaches = !failed || next(&mut self.disk.state().seed).is_multiple_of(2);
        self.with(|file| {
            for change in std::mem::take(&mut file.pending) {
                // The system takes pages of a failed sync for clean: they are seen, and never written again.
                if reaches {
                    apply(&mut file.durable, &change);
                }
            }
            Ok(())
        })?;
        if failed { Err(io::Error::other("a failed sync")) } else { Ok(()) }
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.with(|file| Ok(*file.locked.get_or_insert(self.number) == self.number))
    }

    fn unlock(&self) -> io::Result<()> {
        self.with(|file| {
            file.locked = file.locked.filter(|holder| *holder != self.number);
            Ok(())
        })
    }
}

fn position(at: u64) -> io::Result<usize> {
    usize::try_from(at).map_err(|_| io::ErrorKind::InvalidInput.into())
}
