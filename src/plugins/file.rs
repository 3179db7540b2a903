//! Reading what an operator has put on the disk: from the folder, whole, and never more than a bound.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system said so.
    #[error("{}: cannot be read: {why}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        why: io::Error,
    },
    /// The folder is not there.
    #[error("{}: there is no such folder; make it, or have plugin_host.folder name another, seen from where rosterd is started", .0.display())]
    NoFolder(PathBuf),
    /// It is not there.
    #[error("{}: cannot be read: there is no such file; put it into the folder {}, which plugin_host.folder names", file.display(), folder.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// The folder, from the root: what the settings say is seen from where the program was started.
        folder: PathBuf,
    },
    /// It is larger than it may be.
    #[error("{}: expected at most {max} bytes, found more", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The bound.
        max: u64,
    },
    /// It lies elsewhere.
    #[error("{}: expected a file in the folder {}, found one elsewhere; put it there, components are loaded from nowhere else", file.display(), folder.display())]
    Elsewhere {
        /// The file, with links followed where it exists.
        file: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
}

/// Reads a file whole.
pub fn read_bounded(file: &Path, max: u64) -> Result<Vec<u8>, ReadError> {
    let failed = |why| ReadError::Io { file: file.to_owned(), why };
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(failed)?;
    if !opened.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::new(
            io::ErrorKind::InvalidInput,
            "expected a file, found something else",
        )));
    }
    opened.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
        return Err(ReadError::TooLarge { file: file.to_owned(), max });
    }
    Ok(bytes)
}

/// Finds a file in a folder: a name without `..` that leads nowhere else, links followed.
pub fn inside(folder: &Path, name: &Path) -> Result<PathBuf, ReadError> {
    let elsewhere = |file: &Path| ReadError::Elsewhere { file: file.to_owned(), folder: folder.to_owned() };
    if name.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(elsewhere(name));
    }
    let from_root = || std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let root = folder.canonicalize().map_err(|why| match why.kind() {
        io::ErrorKind::NotFound => ReadError::NoFolder(from_root()),
        _ => ReadError::Io { file: folder.to_owned(), why },
    })?;
    let joined = folder.join(name);
    let file = joined.canonicalize().map_err(|why| match why.kind() {
        io::ErrorKind::NotFound => ReadError::Missing { file: joined.clone(), folder: from_root() },
        _ => ReadError::Io { file: joined.clone(), why },
    })?;
    if file.starts_with(&root) { Ok(file) } else { Err(elsewhere(&file)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x56_a_file_outside_the_folder_is_refused_whichever_way_it_is_named() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("plugins");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(home.path().join("out.wasm"), "x").unwrap();
        std::fs::write(folder.join("in.wasm"), "x").unwrap();
        std::os::unix::fs::symlink(home.path().join("out.wasm"), folder.join("link.wasm")).unwrap();
        assert!(inside(&folder, Path::new("in.wasm")).is_ok());
        let absolute = home.path().join("out.wasm");
        for name in [Path::new("../out.wasm"), &absolute, Path::new("link.wasm"), Path::new("./../out.wasm")]
        {
            let error = inside(&folder, name).unwrap_err();
            assert!(matches!(error, ReadError::Elsewhere { .. }), "{name:?}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_missed_in_the_folder_from_the_root() {
        let home = tempfile::tempdir().unwrap();
        let error = inside(home.path(), Path::new("rates.wasm")).unwrap_err().to_string();
        let at = home.path().display();
        assert_eq!(
            error,
            format!(
                "{at}/rates.wasm: cannot be read: there is no such file; put it into the folder {at}, which plugin_host.folder names"
            )
        );
        let nowhere = inside(Path::new("no/such/folder"), Path::new("rates.wasm")).unwrap_err().to_string();
        let here = std::env::current_dir().unwrap().display().to_string();
        assert!(
            nowhere.starts_with(&format!("{here}/no/such/folder: there is no such folder; make it")),
            "{nowhere}"
        );
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("f");
        std::fs::write(&file, "12345").unwrap();
        assert_eq!(read_bounded(&file, 5).unwrap(), b"12345");
        assert!(matches!(read_bounded(&file, 4), Err(ReadError::TooLarge { max: 4, .. })));
        assert!(matches!(read_bounded(home.path(), 4), Err(ReadError::Io { .. })));
    }
}
