//! What must be read back later and must not lie in the store in clear: sealed with a key in a file of its own (AES-256-GCM).
//!
//! So a copy of the store alone gives no second factor away, and no link that waits to be mailed. The file lies in the data folder, is made at the first start,
//! and is for its owner only. Without it, second factors have to be set up anew, and nothing else is lost.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::chance::Chance;

/// The file's name in the data folder.
pub const KEY_FILE: &str = "sign-in.key";
/// Bytes of the key.
const KEY_BYTES: usize = 32;
/// What is sealed begins with: which way it was done.
const VERSION: u8 = 1;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file could not be made or read.
    #[error("{}: the key file could not be used: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// What is in it is no key.
    #[error(
        "{}: expected {KEY_BYTES} bytes, found {found}; put the file back from the backup, or remove it: second factors have to be set up anew then",
        path.display()
    )]
    Key {
        /// Which file.
        path: PathBuf,
        /// How many bytes there are.
        found: usize,
    },
    /// Others may read it.
    #[error("{}: expected the key file to be readable by its owner only, found mode {mode:04o}; run chmod 600", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// Seals and opens. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    key: Arc<LessSafeKey>,
    chance: Arc<dyn Chance>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Reads the key from the data folder, or makes it where there is none.
    pub fn open(folder: &Path, chance: Arc<dyn Chance>) -> Result<Self, VaultError> {
        let path = folder.join(KEY_FILE);
        let refused = |why| VaultError::File { path: path.clone(), why };
        match File::open(&path) {
            Ok(file) => {
                let mode = file.metadata().map_err(refused)?.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(VaultError::Open { path, mode });
                }
                let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES.saturating_mul(2)));
                file.take(1024).read_to_end(&mut bytes).map_err(refused)?;
                let found = bytes.len();
                Self::of(&bytes, chance).ok_or_else(|| VaultError::Key { path: path.clone(), found })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = Zeroizing::new(chance.secret());
                write(folder, &path, key.as_slice()).map_err(refused)?;
                Self::of(key.as_slice(), chance).ok_or(VaultError::Key { path, found: KEY_BYTES })
            }
            Err(error) => Err(refused(error)),
        }
    }

    /// Makes one of a key; `None` where that is none.
    pub fn of(key: &[u8], chance: Arc<dyn Chance>) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key).ok()?;
        Some(Self { key: Arc::new(LessSafeKey::new(key)), chance })
    }

    /// Seals bytes for a place. What was sealed for one place does not open at another.
    pub fn seal(&self, place: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        // 96 random bits: after 2^32 seals of one key two would be the same with a chance of 2^-33.
        let mut nonce = [0_u8; NONCE_LEN];
        self.chance.fill(&mut nonce);
        let mut sealed = plain.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut sealed)
            .ok()?;
        let mut whole = vec![VERSION];
        whole.extend(nonce);
        whole.extend(sealed);
        Some(whole)
    }

    /// Opens what was sealed for a place; `None` for everything else.
    pub fn unseal(&self, place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (version, rest) = sealed.split_first()?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        if *version != VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let plain = self.key.open_in_place(nonce, Aad::from(place), &mut bytes).ok()?.len();
        bytes.truncate(plain);
        Some(bytes)
    }
}

/// Writes the key so that there is a whole one or none, whenever the machine stops.
fn write(folder: &Path, path: &Path, key: &[u8]) -> io::Result<()> {
    let beside = folder.join(format!("{KEY_FILE}.new"));
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(key)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    fn opened(folder: &Path, seed: u64) -> Result<Vault, VaultError> {
        Vault::open(folder, Arc::new(SeededChance::new(seed)))
    }

    #[test]
    fn what_was_sealed_opens_at_its_place_after_a_restart_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = opened(folder.path(), 1).unwrap().seal(b"here", b"a secret").unwrap();
        assert!(!sealed.windows(8).any(|bytes| bytes == b"a secret"));
        let again = opened(folder.path(), 2).unwrap();
        assert_eq!(again.unseal(b"here", &sealed).unwrap().as_slice(), b"a secret");
        assert!(again.unseal(b"there", &sealed).is_none());
        let mut bent = sealed.clone();
        *bent.last_mut().unwrap() ^= 1;
        assert!(again.unseal(b"here", &bent).is_none());
        for short in [&[][..], &[1], &sealed[..12], &sealed[..20]] {
            assert!(again.unseal(b"here", short).is_none());
        }
    }

    #[test]
    fn x61_the_key_file_is_for_its_owner_only_and_one_that_is_not_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        opened(folder.path(), 1).unwrap();
        let path = folder.path().join(KEY_FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(opened(folder.path(), 1), Err(VaultError::Open { mode: 0o644, .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(opened(folder.path(), 1), Err(VaultError::Key { found: 5, .. })));
    }

    #[test]
    fn another_key_opens_nothing() {
        let [one, other] = [1, 2].map(|seed| {
            let folder = tempfile::tempdir().unwrap();
            opened(folder.path(), seed).unwrap()
        });
        let sealed = one.seal(b"here", b"a secret").unwrap();
        assert!(other.unseal(b"here", &sealed).is_none());
        assert_eq!(format!("{one:?}"), "Vault");
    }
}
