//! Where a run keeps what it needs: a folder of its own, removed with everything in it when the run ends.

use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::BenchError;

/// The folder.
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn make(parent: &Path) -> Result<Self, BenchError> {
        let parent = fs::canonicalize(parent)
            .map_err(BenchError::system(format!("use the folder {}", parent.display())))?;
        let folder = parent.join(format!("rosterd-bench-{}", std::process::id()));
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(BenchError::system(format!("make the folder {}", folder.display())))?;
        Ok(Self(folder))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    /// Names something in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file that only this user may read.
    pub(super) fn keep(&self, name: &str, text: &str) -> Result<PathBuf, BenchError> {
        let path = self.path(name);
        let written = fs::File::options()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(BenchError::system(format!("write {}", path.display())))?;
        Ok(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is the operator's to see; there is nobody to tell here.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Copies the files of a folder that nobody holds.
pub(super) fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
