//! One file of the journal: records from its beginning on, and zeros, or records of an earlier round, behind them.
//!
//! The file is made longer in steps, with zeros that are on the disk before a record is written over them: so the flush of a
//! record has no metadata to write. Its length is therefore always whole steps, and another one says that somebody cut it (R9).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::overlay::Overlay;
use super::record::{self, BLOCK, HEADER, Header};
use crate::store::StoreError;
use crate::store::disk::{Disk, DiskFile};
use crate::store::failpoints::{Point, pass};

/// By how many bytes the file grows.
const STEP: usize = 1 << 20;

/// A file that records are appended to.
#[derive(Debug)]
pub(super) struct JournalFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    /// Names the store to failpoints.
    place: String,
    /// Where the next record goes.
    end: u64,
    /// Up to where there is room that is on the disk.
    room: u64,
}

/// What a file was found to hold.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// What is not in the tree yet.
    pub(super) overlay: Overlay,
    /// The numbers of the first and the last record that is not.
    pub(super) numbers: Option<(u64, u64)>,
}

impl JournalFile {
    /// Opens a file that is there.
    pub(super) fn open(disk: &dyn Disk, path: &Path, place: &str) -> Result<Self, StoreError> {
        let file = disk.open(path, true).map_err(|error| failed(path, &error))?;
        let room = file.length().map_err(|error| failed(path, &error))?;
        if !room.is_multiple_of(STEP as u64) {
            return Err(StoreError::Corrupt(format!(
                "{} has {room} bytes, which is no multiple of {STEP}: it was cut, or something was added to it",
                path.display()
            )));
        }
        if room > 0 {
            // A flush that failed may have left the length in the system's memory alone; records behind the end that the disk knows
            // would make it one that looks as if the file had been cut.
            file.set_length(room).and_then(|()| file.sync()).map_err(|error| failed(path, &error))?;
        }
        Ok(Self { file, path: path.into(), place: place.into(), end: 0, room })
    }

    /// Reads the records of this round, and goes on behind them. Those up to `applied` are in the tree.
    ///
    /// What was being written when the power went is no record and ends the round. Were there a later one behind it, then what it ends
    /// with was complete once, and is damaged.
    pub(super) fn read(&mut self, applied: u64) -> Result<Round, StoreError> {
        let mut round = Round::default();
        let (mut at, mut last, mut last_at) = (0, None, 0);
        while let Some(header) = self.header(at)?
            && last.is_none_or(|last| header.number == last + 1)
        {
            if header.number > applied {
                let Some(changes) = self.changes(at, &header)? else { break };
                let changes = record::decode(&changes).ok_or_else(|| self.damaged(at))?;
                round.overlay.absorb(&changes);
                let first = round.numbers.map_or(header.number, |(first, _)| first);
                round.numbers = Some((first, header.number));
            }
            (last, last_at) = (Some(header.number), at);
            at += header.taken();
        }
        self.must_hold_nothing_later(at, last.unwrap_or_default().max(applied))?;
        if round.numbers.is_some() {
            self.end = at;
            self.settle(last_at)?;
        }
        Ok(round)
    }

    /// Writes the last record once more: a flush that failed in an earlier life may have left it in the system's memory alone.
    fn settle(&self, last_at: u64) -> Result<(), StoreError> {
        let length = usize::try_from(self.end - last_at).unwrap_or_default();
        let mut bytes = vec![0; length];
        self.file.read(last_at, &mut bytes).map_err(|error| self.failed(&error))?;
        self.write(last_at, &bytes)?;
        self.flush()
    }

    /// Appends a record, durably. After an error it is not known whether it is there.
    pub(super) fn append(&mut self, record: &[u8]) -> Result<(), StoreError> {
        let end = self.end + record.len() as u64;
        while self.room < end {
            self.make_room()?;
        }
        self.write(self.end, record)?;
        self.flush()?;
        self.end = end;
        Ok(())
    }

    /// Begins a new round: what it holds is in the tree.
    pub(super) const fn begin_anew(&mut self) {
        self.end = 0;
    }

    /// Gives back the room. What it held must be in the tree.
    pub(super) fn clear(&mut self) -> Result<(), StoreError> {
        self.file.set_length(0).map_err(|error| self.failed(&error))?;
        self.file.sync().map_err(|error| self.failed(&error))?;
        (self.end, self.room) = (0, 0);
        Ok(())
    }

    /// Says how many bytes hold records of this round.
    pub(super) const fn length(&self) -> u64 {
        self.end
    }

    fn make_room(&mut self) -> Result<(), StoreError> {
        pass(Point::DiskWrite, &self.place).map_err(|error| self.failed(&error))?;
        self.file.set_length(self.room + STEP as u64).map_err(|error| self.failed(&error))?;
        // The length first: zeros that outlived it would leave a file that looks as if it had been cut.
        self.flush()?;
        // A file with a hole would need metadata at the flush of each record, and room that may be gone by then. In blocks: what the system
        // was given at once it may keep as one piece, and look through all of it at each flush.
        for at in (self.room..self.room + STEP as u64).step_by(BLOCK) {
            self.file.write(at, &[0; BLOCK]).map_err(|error| self.failed(&error))?;
        }
        self.flush()?;
        self.room += STEP as u64;
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        pass(Point::DiskWrite, &self.place).map_err(|error| self.failed(&error))?;
        self.file.write(at, bytes).map_err(|error| self.failed(&error))
    }

    fn flush(&self) -> Result<(), StoreError> {
        pass(Point::DiskFlush, &self.place).map_err(|error| self.failed(&error))?;
        self.file.sync().map_err(|error| self.failed(&error))
    }

    /// Reads the header of a record that begins at a block.
    fn header(&self, at: u64) -> Result<Option<Header>, StoreError> {
        if at + BLOCK as u64 > self.room {
            return Ok(None);
        }
        let mut bytes = [0; HEADER];
        self.file.read(at, &mut bytes).map_err(|error| self.failed(&error))?;
        Ok(Header::read(&bytes).filter(|header| header.taken() <= self.room - at))
    }

    /// Reads the changes of a record, if they are what was written.
    fn changes(&self, at: u64, header: &Header) -> Result<Option<Vec<u8>>, StoreError> {
        let mut changes = vec![0; header.length];
        self.file.read(at + HEADER as u64, &mut changes).map_err(|error| self.failed(&error))?;
        Ok(header.fits(&changes).then_some(changes))
    }

    fn must_hold_nothing_later(&self, end: u64, last: u64) -> Result<(), StoreError> {
        let mut at = end;
        while at < self.room {
            if let Some(header) = self.header(at)?.filter(|header| header.number > last)
                && self.changes(at, &header)?.is_some()
                // At the end itself it is a record whose number is wrong, behind it one that follows a damaged one.
                && (at > end || header.number > last + 1)
            {
                return Err(self.damaged(end));
            }
            at += BLOCK as u64;
        }
        Ok(())
    }

    /// Names what is damaged.
    pub(super) fn damaged(&self, at: u64) -> StoreError {
        StoreError::Corrupt(format!("{} makes no sense at byte {at}", self.path.display()))
    }

    fn failed(&self, error: &io::Error) -> StoreError {
        failed(&self.path, error)
    }
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let what = format!("{}: {error}", path.display());
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => StoreError::Full(what),
        _ => StoreError::Fatal(what),
    }
}
