//! Power losses, played from a record of what the daemon did to its files (`conformance/power/recorder.c`).
//!
//! The record holds each change of a file and each sync, in order, and among them marks of the test: what it asked for, and what it was
//! answered. Cut anywhere, it says what the disk may hold after the power went at that point: what a sync covered is there,
//! of the rest as much or as little as the model wants.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Dice;

/// What a power loss makes of what no sync has covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// None of it is there.
    Drop,
    /// All of it is there, and the last write up to some byte.
    Tear,
    /// Any blocks of it are there, in any order.
    Reorder,
}

impl Model {
    pub const ALL: [Self; 3] = [Self::Drop, Self::Tear, Self::Reorder];
}

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// Builds the recorder; `None` where there is no compiler for C.
pub fn recorder() -> Option<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/power/recorder.c");
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("recorder-{}.so", std::process::id()));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&built).arg(source).arg("-ldl");
    let output = compiler.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(built)
}

/// The log that the recorder writes, as the test adds to it.
pub struct Marks {
    file: Mutex<File>,
    next: AtomicU64,
}

impl Marks {
    pub fn in_log(path: &Path) -> Self {
        let file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        Self { file: Mutex::new(file), next: AtomicU64::new(0) }
    }

    /// Notes that something is about to be asked for, and returns its number.
    pub fn asked(&self) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.write(b'A', number);
        number
    }

    /// Notes that it was acknowledged.
    pub fn acknowledged(&self, number: u64) {
        self.write(b'K', number);
    }

    /// Notes that what comes before was only to get ready.
    pub fn ready(&self) {
        self.write(b'R', 0);
    }

    /// Notes that the daemon gets up again from here on (0), or has (1).
    pub fn gets_up(&self, has: u64) {
        self.write(b'U', has);
    }

    fn write(&self, op: u8, number: u64) {
        let entry = [&[op][..], &[0; 4], &number.to_le_bytes(), &[0; 4]].concat();
        self.file.lock().unwrap().write_all(&entry).unwrap();
    }
}

/// One entry of the record.
struct Entry {
    op: u8,
    path: String,
    number: u64,
    data: Vec<u8>,
}

/// What the daemon did to the files of a folder.
pub struct Record {
    folder: String,
    entries: Vec<Entry>,
}

impl Record {
    /// Reads the log of what was done below a folder.
    pub fn read(log: &Path, folder: &Path) -> Self {
        let bytes = std::fs::read(log).unwrap();
        let mut rest = bytes.as_slice();
        let mut entries = Vec::new();
        while !rest.is_empty() {
            // A kill may have cut the last entry off.
            let Some(entry) = entry(&mut rest) else { break };
            entries.push(entry);
        }
        Self { folder: folder.display().to_string(), entries }
    }

    /// Returns how many entries there are up to the mark that says that everything is ready, and in all.
    pub fn bounds(&self) -> (usize, usize) {
        let ready = self.entries.iter().position(|entry| entry.op == b'R').unwrap();
        (ready, self.entries.len())
    }

    /// Returns the entries between which the daemon got up again.
    pub fn getting_up(&self) -> (usize, usize) {
        let at = |has| self.entries.iter().position(|entry| entry.op == b'U' && entry.number == has).unwrap();
        (at(0), at(1))
    }

    /// Lists what was asked for, and what was acknowledged, before a cut.
    pub fn marks(&self, cut: usize) -> (BTreeSet<u64>, BTreeSet<u64>) {
        let of =
            |op| self.entries[..cut].iter().filter(move |entry| entry.op == op).map(|entry| entry.number);
        (of(b'A').collect(), of(b'K').collect())
    }

    /// Writes into a folder what the disk may hold when the power goes at a cut.
    pub fn play(&self, cut: usize, model: Model, dice: &mut Dice, to: &Path) {
        let mut disk = Disk::default();
        for (at, entry) in self.entries[..cut].iter().enumerate() {
            disk.enter(at, entry);
        }
        let names = disk.names(model, dice);
        let last = self.entries[..cut].iter().rposition(|entry| entry.op == b'w');
        for (name, file) in names {
            let Some(below) = name.strip_prefix(&self.folder) else { continue };
            let bytes = disk.files[file].after(model, last, dice);
            let path = to.join(below.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}

fn entry(rest: &mut &[u8]) -> Option<Entry> {
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at_checked(count)?;
        *rest = left;
        Some(taken)
    };
    let op = take(1)?[0];
    let length = u32::from_le_bytes(take(4)?.try_into().ok()?);
    let path = String::from_utf8(take(length as usize)?.to_vec()).ok()?;
    let number = u64::from_le_bytes(take(8)?.try_into().ok()?);
    let length = u32::from_le_bytes(take(4)?.try_into().ok()?);
    let data = take(length as usize)?.to_vec();
    Some(Entry { op, path, number, data })
}

/// A change of a file's bytes.
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

/// A file: what is on the disk, and what is not known to be, each with its place in the record.
#[derive(Default)]
struct Contents {
    durable: Vec<u8>,
    pending: Vec<(usize, Change)>,
}

/// A change of names within a folder.
enum Naming {
    Made(String, usize),
    Renamed(String, String),
    Unlinked(String),
}

#[derive(Default)]
struct Disk {
    files: Vec<Contents>,
    /// Which file an open descriptor's path stands for, also after the file has another name.
    known: HashMap<String, usize>,
    /// Changes of names, their place in the record, and whether a sync of their folder covered them.
    naming: Vec<(usize, Naming, bool)>,
    /// Syncs that have begun: their number and their place.
    begun: HashMap<u64, usize>,
}

impl Disk {
    fn enter(&mut self, at: usize, entry: &Entry) {
        let path = entry.path.clone();
        let number = usize::try_from(entry.number).unwrap();
        match entry.op {
            b'o' => {
                self.files.push(Contents::default());
                self.known.insert(path.clone(), self.files.len() - 1);
                self.naming.push((at, Naming::Made(path, self.files.len() - 1), false));
            }
            b'w' => self.file(&path).pending.push((at, Change::Write(number, entry.data.clone()))),
            b't' => self.file(&path).pending.push((at, Change::Length(number))),
            b'r' => {
                let to = String::from_utf8(entry.data.clone()).unwrap();
                // A folder takes what is in it along.
                let moved: Vec<(String, usize)> = self
                    .known
                    .iter()
                    .filter_map(|(name, file)| Some((renamed(name, &path, &to)?, *file)))
                    .collect();
                assert!(!moved.is_empty(), "{path} has another name now, and nobody knows it");
                self.known.extend(moved);
                self.naming.push((at, Naming::Renamed(path, to), false));
            }
            b'u' => self.naming.push((at, Naming::Unlinked(path), false)),
            b's' => drop(self.begun.insert(entry.number, at)),
            b'S' => self.synced(&path, self.begun[&entry.number]),
            _ => {}
        }
    }

    fn file(&mut self, path: &str) -> &mut Contents {
        let file = self.known[path];
        &mut self.files[file]
    }

    /// What was done before a sync began is on the disk.
    fn synced(&mut self, path: &str, begun: usize) {
        if let Some(file) = self.known.get(path) {
            let file = &mut self.files[*file];
            let later = file.pending.iter().position(|(at, _)| *at > begun).unwrap_or(file.pending.len());
            for (_, change) in file.pending.drain(..later) {
                apply(&mut file.durable, &change);
            }
        }
        for (at, naming, durable) in &mut self.naming {
            let (Naming::Made(name, _) | Naming::Renamed(name, _) | Naming::Unlinked(name)) = naming;
            let within = Path::new(name).parent() == Some(Path::new(path));
            *durable |= *at < begun && within;
        }
    }

    /// Says which names there are after the power loss. Changes of names reach the disk in their order.
    fn names(&self, model: Model, dice: &mut Dice) -> BTreeMap<String, usize> {
        let durable = self.naming.iter().rposition(|(.., durable)| *durable).map_or(0, |last| last + 1);
        let reached = match model {
            Model::Drop => durable,
            Model::Tear => self.naming.len(),
            Model::Reorder => durable + dice.below(self.naming.len() - durable + 1),
        };
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for (_, naming, _) in &self.naming[..reached] {
            match naming {
                Naming::Made(name, file) => drop(names.insert(name.clone(), *file)),
                Naming::Renamed(from, to) => {
                    names = std::mem::take(&mut names)
                        .into_iter()
                        .map(|(name, file)| (renamed(&name, from, to).unwrap_or(name), file))
                        .collect();
                }
                Naming::Unlinked(name) => drop(names.remove(name)),
            }
        }
        names
    }
}

impl Contents {
    /// Says what the file holds after the power loss. `last` is the place of the write that was the last of all.
    fn after(&self, model: Model, last: Option<usize>, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (at, change) in &self.pending {
            match (model, change) {
                (Model::Drop, _) => {}
                (Model::Tear, Change::Write(offset, data)) if Some(*at) == last => {
                    let torn = data[..dice.below(data.len())].to_vec();
                    apply(&mut bytes, &Change::Write(*offset, torn));
                }
                (Model::Tear, change) => apply(&mut bytes, change),
                (Model::Reorder, Change::Length(_)) if dice.once_in(2) => {}
                (Model::Reorder, Change::Length(_)) => apply(&mut bytes, change),
                (Model::Reorder, Change::Write(offset, data)) => {
                    for (number, sector) in data.chunks(SECTOR).enumerate() {
                        if dice.once_in(2) {
                            apply(&mut bytes, &Change::Write(offset + number * SECTOR, sector.to_vec()));
                        }
                    }
                }
            }
        }
        bytes
    }
}

/// Says how something is called that has this name, or lies below it, when that was renamed.
fn renamed(name: &str, from: &str, to: &str) -> Option<String> {
    let below = name.strip_prefix(from)?;
    (below.is_empty() || below.starts_with('/')).then(|| format!("{to}{below}"))
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(offset, data) => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
        Change::Length(length) => bytes.resize(*length, 0),
    }
}
