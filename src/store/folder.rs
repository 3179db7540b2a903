//! The data folder: made, locked and labelled.
//!
//! The lock is the kernel's, on an open file, so it ends with its holder however that ended (R10). The file's text is
//! only for people: it names the holder. `FORMAT` says which build's layout the folder has; a newer one is refused (R12). It is
//! written when everything else is there, so a labelled folder without its data has lost them, and is refused too (R9). While a
//! folder is being filled from a copy its label says that instead of a number, so that no build takes it for a store before it is whole.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::failpoints::{Point, pass};

/// The layout that this build writes. 2: records have entries in indexes of order (`roster::index`), which builds that know 1 would not
/// write; a folder of format 1 is labelled anew when it is opened, and gets them. 3: entries of the history are found by their subject
/// ([`WITH_SUBJECTS`]), and groups are listed by when they changed; a folder of an earlier format gets that before it is labelled anew. 4: commits go to a
/// journal first ([`WITH_JOURNAL`]), which builds that know 3 would not look at. 5: entries of the history are compressed (`kv::history`), which builds that
/// know 4 cannot read; those that are there stay as they are.
pub const FORMAT: u32 = 5;
/// From this format on each entry of the history that has a subject has a row that says so (`kv::upgrade`).
pub const WITH_SUBJECTS: u32 = 3;
/// From this format on the database has a journal beside it (`store::journal`), without which it may be old.
pub const WITH_JOURNAL: u32 = 4;
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// How a label begins that says that the folder is being filled. Builds that do not know it refuse the folder.
const FILLING: &str = "filling";
/// What the engines call their data.
const ENGINES: [(&str, &str); 2] = [("redb", "roster.redb"), ("sled", "roster.sled")];
/// How the names of engines' files begin.
const OF_ENGINES: &str = "roster.";
/// More than a holder's line or a format's number takes.
const LABEL_BYTES_MAX: u64 = 256;

/// Why a folder cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FolderError {
    /// Somebody else has it.
    #[error("the data folder {} is in use by {holder}; stop that first, or choose another folder", path.display())]
    Held {
        /// The folder.
        path: PathBuf,
        /// Who has it.
        holder: String,
    },
    /// A newer build wrote it.
    #[error(
        "the data folder {} has format {found}, and this build knows formats up to {FORMAT}; use the newer build",
        path.display()
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// The format found.
        found: u32,
    },
    /// What its label promises is gone.
    #[error(
        "{} is missing, although the folder has been in use; restore a backup by rosterd restore, or name another folder to begin anew",
        path.display()
    )]
    Lost {
        /// What should be there.
        path: PathBuf,
    },
    /// Its label makes no sense.
    #[error("{} should hold a format number such as {FORMAT}, and holds {found:?}", path.display())]
    Label {
        /// The label's file.
        path: PathBuf,
        /// What it holds.
        found: String,
    },
    /// It is being filled from a copy, or that was broken off.
    #[error(
        "the data folder {} is not whole: filling it from a copy was broken off; run the same rosterd restore or rosterd store import again, \
         which goes on from there, or empty the folder",
        path.display()
    )]
    Filling {
        /// The folder.
        path: PathBuf,
    },
    /// It is being filled from something else.
    #[error(
        "the data folder {} was being filled from another copy, which was broken off; go on with that one, or empty the folder",
        path.display()
    )]
    FilledFromAnother {
        /// The folder.
        path: PathBuf,
    },
    /// It has data.
    #[error("the data folder {} has data already ({found}); name an empty folder by --data", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// Another engine made it.
    #[error(
        "the data folder {} holds a store of {found}, and {expected} was asked for; set store.engine = \"{found}\", or take everything to an empty \
         folder: rosterd store export with the one engine, rosterd store import with the other",
        path.display()
    )]
    Anothers {
        /// The folder.
        path: PathBuf,
        /// The engine that was asked for.
        expected: &'static str,
        /// The engine that made it.
        found: &'static str,
    },
    /// The disk refused.
    #[error("cannot {doing} {}: {why}", path.display())]
    Disk {
        /// What was attempted, as a verb.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

/// How far filling a folder has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// Rows are being written.
    Rows,
    /// All of them are there, and were compared.
    Whole,
}

impl Filling {
    const fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Whole => "whole",
        }
    }
}

/// A data folder that is ours until this value is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The format that its label names, if it has one.
    label: Option<u32>,
    /// How far filling it has come, while it is being filled.
    filling: Option<Filling>,
    /// Keeps the lock.
    _lock: File,
}

impl Folder {
    /// Makes the folder if there is none, locks it, and checks its format if it has one.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let mut folder = Self::locked(path)?;
        let found = folder.read_label()?;
        folder.label = folder.check_format(&found)?;
        Ok(folder)
    }

    /// Does the same for a folder that is to be filled from a copy, which `source` tells from others: one that is empty, or that was being filled
    /// from the same copy. Until [`Folder::label`] is called nobody takes it for a store.
    pub fn open_to_fill(path: &Path, source: &str) -> Result<Self, FolderError> {
        let mut folder = Self::locked(path)?;
        let found = folder.read_label()?;
        folder.filling = Some(match found.strip_prefix(FILLING) {
            Some(rest) => match rest.trim().split_once(' ') {
                Some(("rows", of)) if of == source => Filling::Rows,
                Some(("whole", of)) if of == source => Filling::Whole,
                _ => return Err(FolderError::FilledFromAnother { path: path.into() }),
            },
            None => {
                folder.must_be_empty(&found)?;
                folder.note_filling(Filling::Rows, source)?;
                Filling::Rows
            }
        });
        Ok(folder)
    }

    fn locked(path: &Path) -> Result<Self, FolderError> {
        make_folder(path)?;
        let lock = lock(path)?;
        Ok(Self { path: path.into(), label: None, filling: None, _lock: lock })
    }

    /// Refuses a folder that has a label or files of an engine. What an operator has put there beforehand (`seal.key`) is no obstacle.
    fn must_be_empty(&self, label: &str) -> Result<(), FolderError> {
        let refused = |found| Err(FolderError::NotEmpty { path: self.path.clone(), found });
        if !label.is_empty() {
            return refused(format!("format {label}"));
        }
        for entry in std::fs::read_dir(&self.path).map_err(disk("read", &self.path))? {
            let name = entry.map_err(disk("read", &self.path))?.file_name();
            let name = name.to_string_lossy();
            // What was half made when the power went is no data, and is made anew.
            if name.starts_with(OF_ENGINES) && !name.ends_with(".new") {
                return refused(name.into_owned());
            }
        }
        Ok(())
    }

    /// Says how far filling has come; `None` where it is not being filled.
    pub const fn filling(&self) -> Option<Filling> {
        self.filling
    }

    /// Writes down how far filling has come, durably.
    pub fn note_filling(&mut self, filling: Filling, source: &str) -> Result<(), FolderError> {
        self.write_format(&format!("{FILLING} {} {source}", filling.name()))?;
        self.filling = Some(filling);
        Ok(())
    }

    /// Tells whether what a format brought with it may be missing: its label names an earlier one, or none (one that was being written
    /// anew when the power went is empty).
    pub fn is_before(&self, format: u32) -> bool {
        self.label.is_none_or(|found| found < format)
    }

    /// Looks for the file without which a labelled folder is none; `false` where it is still to be made.
    pub fn has_its(&self, name: &str) -> Result<bool, FolderError> {
        match self.has(name)? {
            false if self.label.is_some() => Err(FolderError::Lost { path: self.path(name) }),
            found => Ok(found),
        }
    }

    /// Refuses a folder that holds data of another engine than this one.
    pub fn must_not_be_anothers(&self, engine: &'static str) -> Result<(), FolderError> {
        for (found, name) in ENGINES {
            if found != engine && self.has(name)? {
                return Err(FolderError::Anothers { path: self.path.clone(), expected: engine, found });
            }
        }
        Ok(())
    }

    /// Labels the folder, durably. Called when everything is there.
    pub fn label(&mut self) -> Result<(), FolderError> {
        if self.label == Some(FORMAT) {
            return Ok(());
        }
        self.write_format(&FORMAT.to_string())?;
        self.label = Some(FORMAT);
        self.filling = None;
        Ok(())
    }

    /// Writes a label beside the old one and has it take its place, so that there is never half a label.
    fn write_format(&self, text: &str) -> Result<(), FolderError> {
        let path = self.path("FORMAT.new");
        self.pass(Point::LabelBefore)?;
        write_label(&mut make_file(&path)?, text).map_err(disk("write", &path))?;
        self.rename("FORMAT.new", "FORMAT")?;
        self.pass(Point::LabelAfter)
    }

    fn pass(&self, point: Point) -> Result<(), FolderError> {
        pass(point, &self.path.display().to_string()).map_err(disk("go on with", &self.path))
    }

    /// Returns the path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Tells whether there is a file of this name.
    pub fn has(&self, name: &str) -> Result<bool, FolderError> {
        let path = self.path(name);
        path.try_exists().map_err(disk("look for", &path))
    }

    /// Makes a file, empty and readable by its owner only, if there is none, and returns its path.
    pub fn make(&self, name: &str) -> Result<PathBuf, FolderError> {
        let path = self.path(name);
        make_file(&path)?;
        // The file's name must survive a power loss as its contents do.
        sync_folder(&self.path)?;
        Ok(path)
    }

    /// Removes a file, if there is one.
    pub fn remove(&self, name: &str) -> Result<(), FolderError> {
        let path = self.path(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    /// Gives a file another name, durably.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), FolderError> {
        let path = self.path(from);
        self.pass(Point::RenameBefore)?;
        std::fs::rename(&path, self.path(to)).map_err(disk("rename", &path))?;
        self.pass(Point::RenameAfter)?;
        sync_folder(&self.path)
    }

    /// Reads the label; empty where there is none.
    fn read_label(&self) -> Result<String, FolderError> {
        let path = self.path.join("FORMAT");
        match File::open(&path) {
            Ok(mut file) => read_label(&mut file).map_err(disk("read", &path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(disk("open", &path)(error)),
        }
    }

    /// Reads the format from a label, if there is one, and refuses one that this build does not know.
    fn check_format(&self, found: &str) -> Result<Option<u32>, FolderError> {
        let path = self.path.join("FORMAT");
        if found.is_empty() {
            return Ok(None);
        }
        if found.starts_with(FILLING) {
            return Err(FolderError::Filling { path: self.path.clone() });
        }
        match found.parse::<u32>() {
            Ok(known) if (1..=FORMAT).contains(&known) => Ok(Some(known)),
            Ok(newer) if newer > FORMAT => Err(FolderError::Newer { path: self.path.clone(), found: newer }),
            _ => Err(FolderError::Label { path, found: found.to_owned() }),
        }
    }
}

fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |error| FolderError::Disk { doing, path, why: error.to_string() }
}

fn make_folder(path: &Path) -> Result<(), FolderError> {
    match path.metadata() {
        Ok(found) if !found.is_dir() => {
            let why = "there is a file of that name".to_owned();
            return Err(FolderError::Disk { doing: "use the folder", path: path.into(), why });
        }
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            // Somebody made it for us with the usual mask; nobody else has business in it.
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(FOLDER_MODE))
                .map_err(disk("close to others the folder", path))?;
        }
        Ok(_) => {}
        Err(_) => {
            let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
            made.map_err(disk("make the folder", path))?;
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync_folder(parent)?;
            }
        }
    }
    Ok(())
}

fn make_file(path: &Path) -> Result<File, FolderError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    options.open(path).map_err(disk("open", path))
}

fn lock(folder: &Path) -> Result<File, FolderError> {
    let path = folder.join("LOCK");
    let mut file = make_file(&path)?;
    match file.try_lock() {
        Ok(()) => {
            let holder = format!("process {}", std::process::id());
            write_label(&mut file, &holder).map_err(disk("write", &path))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let named = read_label(&mut file).unwrap_or_default();
            let holder = if named.is_empty() { "another process".to_owned() } else { named };
            Err(FolderError::Held { path: folder.into(), holder })
        }
        Err(TryLockError::Error(error)) => Err(disk("lock", &path)(error)),
    }
}

fn read_label(file: &mut File) -> io::Result<String> {
    let mut text = Vec::new();
    file.rewind()?;
    file.take(LABEL_BYTES_MAX).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

fn write_label(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> Result<(), FolderError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(disk("flush the folder", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("data");
        (home, path)
    }

    #[test]
    fn r10_a_second_daemon_is_refused_and_told_who_holds_the_folder() {
        let (_home, path) = home();
        let first = Folder::open(&path).unwrap();
        let refused = Folder::open(&path).unwrap_err().to_string();
        let holder = format!("in use by process {}", std::process::id());
        assert!(refused.contains(&holder) && refused.contains(path.to_str().unwrap()), "{refused}");
        drop(first);
        Folder::open(&path).unwrap();
    }

    #[test]
    fn r10_the_lock_file_of_a_killed_daemon_is_no_obstacle() {
        let (_home, path) = home();
        drop(Folder::open(&path).unwrap());
        std::fs::write(path.join("LOCK"), "process 4194305, and a longer line than ours\n").unwrap();
        let _folder = Folder::open(&path).unwrap();
        let text = std::fs::read_to_string(path.join("LOCK")).unwrap();
        assert_eq!(text, format!("process {}\n", std::process::id()));
    }

    #[test]
    fn r12_a_newer_format_is_refused_and_left_alone() {
        let (_home, path) = home();
        drop(Folder::open(&path).unwrap());
        std::fs::write(path.join("FORMAT"), "6\n").unwrap();
        let refused = Folder::open(&path).unwrap_err();
        assert!(matches!(refused, FolderError::Newer { found: 6, .. }), "{refused}");
        assert_eq!(std::fs::read_to_string(path.join("FORMAT")).unwrap(), "6\n");
        for nonsense in ["0", "-1", "one", "1 2", "\u{fffd}"] {
            std::fs::write(path.join("FORMAT"), nonsense).unwrap();
            let refused = Folder::open(&path).unwrap_err();
            assert!(matches!(refused, FolderError::Label { .. }), "{nonsense}: {refused}");
        }
    }

    #[test]
    fn r12_an_older_format_is_opened_and_labelled_anew() {
        let (_home, path) = home();
        drop(Folder::open(&path).unwrap());
        std::fs::write(path.join("FORMAT"), "1\n").unwrap();
        let mut folder = Folder::open(&path).unwrap();
        assert!(folder.has_its("data").is_err(), "an older label is one: what it promises must be there");
        assert!(folder.is_before(2) && folder.is_before(FORMAT) && !folder.is_before(1));
        folder.label().unwrap();
        assert!(!folder.is_before(FORMAT));
        assert_eq!(std::fs::read_to_string(path.join("FORMAT")).unwrap(), format!("{FORMAT}\n"));
    }

    #[test]
    fn r9_a_labelled_folder_that_has_lost_its_data_is_refused() {
        let (_home, path) = home();
        let mut folder = Folder::open(&path).unwrap();
        assert!(!folder.has_its("data").unwrap(), "still to be made");
        folder.make("data").unwrap();
        folder.label().unwrap();
        assert!(folder.has_its("data").unwrap());
        folder.remove("data").unwrap();
        drop(folder);
        let refused = Folder::open(&path).unwrap().has_its("data").unwrap_err().to_string();
        assert!(refused.starts_with(path.join("data").to_str().unwrap()), "{refused}");
        assert!(refused.contains("is missing") && refused.contains("restore a backup"), "{refused}");
    }

    #[test]
    fn x66_the_folder_and_its_files_are_the_owners_alone() {
        let (_home, path) = home();
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut folder = Folder::open(&path).unwrap();
        folder.make("some.file").unwrap();
        folder.label().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        for file in ["LOCK", "FORMAT", "some.file"] {
            assert_eq!(mode(&path.join(file)), 0o600, "{file}");
        }
        let deep = path.join("a/b");
        drop(Folder::open(&deep).unwrap());
        assert_eq!([mode(&path.join("a")), mode(&deep)], [0o700, 0o700]);
    }

    #[test]
    fn r29_a_folder_that_cannot_be_is_named() {
        let (home, path) = home();
        std::fs::write(&path, "a file").unwrap();
        for wrong in [path.clone(), path.join("below")] {
            let refused = Folder::open(&wrong).unwrap_err().to_string();
            assert!(refused.contains(wrong.to_str().unwrap()), "{refused}");
        }
        drop(home);
    }
}
