//! The vault: what the store must hold and nobody may read out of it (halves of signing keys, second factors, mails that wait, ID tokens) is sealed here first.
//!
//! One key, in a file of the data folder that only its owner may read. So a copy of the store alone, in a backup or on a disk that was thrown away,
//! opens nothing; a backup that is to be of use takes the file along. The store holds a *mark* of the key: once there is one, another key or none at all is an
//! error that says so, and no new key is made that would open nothing.
//!
//! The cipher is AES-256-GCM-SIV (RFC 8452), which loses nothing but equality should a nonce ever come twice. What is sealed is bound to what it
//! is for and to where it lies, so that one row's value opens in no other.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::chance::Chance;

/// The file of the key, in the data folder.
pub const KEY_FILE: &str = "seal.key";
/// What the key's line begins with, so that another file of that name is not taken for it.
const LABEL: &str = "rosterd-seal-1:";
const KEY_BYTES: usize = 32;
/// More than the key's line takes.
const FILE_BYTES_MAX: u64 = 256;
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;
/// What every sealed value begins with.
const FORMAT: u8 = 1;

/// What something is sealed for. What was sealed for one purpose opens for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The private half of a key that signs for programs downstream.
    SigningKey,
    /// What a person's second factor is computed from.
    SecondFactor,
    /// A mail that waits to be sent.
    Mail,
    /// A provider's ID token, which goes back to it when somebody signs out.
    IdToken,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::SigningKey => "signing key",
            Self::SecondFactor => "second factor",
            Self::Mail => "mail",
            Self::IdToken => "ID token",
        }
    }
}

/// Where the mark of the key is kept: beside what the key seals, in the store.
pub trait Marks: Send + Sync {
    /// Reads the mark; `None` while nothing was ever sealed.
    fn kept(&self) -> Result<Option<String>, String>;

    /// Keeps a mark where there is none, durably. Returns the one that is kept then.
    fn keep(&self, mark: &str) -> Result<String, String>;
}

/// Why nothing can be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The key is gone, and what it sealed is not.
    #[error(
        "{} is missing, although the store holds what was sealed with it; put the file back from a backup of the data folder",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The key is another one.
    #[error(
        "{} holds another key than the one with which the store's secrets were sealed; put back the file that belongs to this store",
        path.display()
    )]
    Other {
        /// The file.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("{} has mode {mode:o}, and only its owner may read it; expected 600 (chmod 600)", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is no key.
    #[error("{} holds no key; expected one line, {LABEL} and 64 hexadecimal digits", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
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
    /// The store could not be asked for the mark.
    #[error("the mark of the key cannot be read or kept: {0}")]
    Store(String),
    /// What was to be opened is not what was sealed here for that purpose.
    #[error("a sealed {0} cannot be opened: it was changed, or sealed for another place")]
    Broken(&'static str),
}

/// Seals and opens. The key is read at first need, and made where there never was one.
pub struct Vault {
    path: PathBuf,
    chance: Arc<dyn Chance>,
    marks: Arc<dyn Marks>,
    key: OnceLock<LessSafeKey>,
    opening: Mutex<()>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Vault {
    /// Makes the vault of a data folder. Touches nothing yet.
    pub fn new(folder: &Path, marks: Arc<dyn Marks>, chance: Arc<dyn Chance>) -> Self {
        Self::of_file(folder.join(KEY_FILE), marks, chance)
    }

    /// Makes the vault of a key's file. Touches nothing yet.
    pub fn of_file(path: PathBuf, marks: Arc<dyn Marks>, chance: Arc<dyn Chance>) -> Self {
        Self { path, chance, marks, key: OnceLock::new(), opening: Mutex::default() }
    }

    /// Looks whether what was sealed can be opened, without making a key. For the start and for those who check an installation.
    ///
    /// # Errors
    /// The key is missing, another one, or open to others.
    pub fn check(&self) -> Result<(), VaultError> {
        match self.marks.kept().map_err(VaultError::Store)? {
            Some(_) => self.key().map(drop),
            None => Ok(()),
        }
    }

    /// Looks whether there is the key that belongs to the store; makes it where there never was one. For a store that several daemons share: each needs the
    /// same key, and one that has another must not find that out when somebody wants to sign in.
    ///
    /// # Errors
    /// The key is missing, another one, or open to others.
    pub fn settle(&self) -> Result<(), VaultError> {
        self.key().map(drop)
    }

    /// Seals a value for a purpose and a place: whatever names the row in which it will lie.
    ///
    /// # Errors
    /// There is no key ([`VaultError`]).
    pub fn seal(&self, purpose: Purpose, place: &[&[u8]], value: &[u8]) -> Result<Vec<u8>, VaultError> {
        let key = self.key()?;
        let mut nonce = [0_u8; NONCE_LEN];
        self.chance.fill(&mut nonce);
        let mut text = Zeroizing::new(value.to_vec());
        let aad = Aad::from(bound_to(purpose, place));
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text)
            .map_err(|_| VaultError::Broken(purpose.name()))?;
        let mut sealed = vec![FORMAT];
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed for the same purpose and place.
    ///
    /// # Errors
    /// There is no key, or it is not what was sealed.
    pub fn open(
        &self,
        purpose: Purpose,
        place: &[&[u8]],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let broken = || VaultError::Broken(purpose.name());
        let rest = sealed.strip_prefix(&[FORMAT]).ok_or_else(broken)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(broken)?;
        let mut text = Zeroizing::new(text.to_vec());
        let aad = Aad::from(bound_to(purpose, place));
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.key()?.open_in_place(nonce, aad, &mut text).map_err(|_| broken())?.len();
        text.truncate(opened);
        Ok(text)
    }

    /// Returns the key; reads it, or makes it, when it is first needed.
    fn key(&self) -> Result<&LessSafeKey, VaultError> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let kept = self.marks.kept().map_err(VaultError::Store)?;
        let secret = match read(&self.path)? {
            Some(secret) => secret,
            None if kept.is_some() => return Err(VaultError::Missing { path: self.path.clone() }),
            None => {
                let secret = Zeroizing::new(self.chance.secret());
                if make(&self.path, &secret)? {
                    secret
                } else {
                    // Another daemon that shares the file was quicker.
                    read(&self.path)?.ok_or_else(|| VaultError::Missing { path: self.path.clone() })?
                }
            }
        };
        // A key that was made before a crash, of which the store does not know yet, has sealed nothing: it is as good as a new one.
        let mark = mark_of(&secret);
        let kept = match kept {
            Some(kept) => kept,
            None => self.marks.keep(&mark).map_err(VaultError::Store)?,
        };
        if kept != mark {
            return Err(VaultError::Other { path: self.path.clone() });
        }
        let unbound = UnboundKey::new(&AES_256_GCM_SIV, secret.as_slice())
            .map_err(|_| VaultError::NoKey { path: self.path.clone() })?;
        Ok(self.key.get_or_init(|| LessSafeKey::new(unbound)))
    }
}

/// What is authenticated beside the value: purpose and place, each with its length before it.
fn bound_to(purpose: Purpose, place: &[&[u8]]) -> Vec<u8> {
    let mut bound = Vec::new();
    for part in std::iter::once(purpose.name().as_bytes()).chain(place.iter().copied()) {
        bound.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bound.extend_from_slice(part);
    }
    bound
}

/// By which the store knows the key again. Opens nothing: of 256 random bits a hash tells nothing.
fn mark_of(secret: &[u8; KEY_BYTES]) -> String {
    let digest =
        Sha256::new().chain_update(b"the mark of a rosterd-seal key\0").chain_update(secret).finalize();
    hex(digest.iter().take(16))
}

fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    bytes
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> VaultError {
    let path = path.to_path_buf();
    move |error| VaultError::Disk { doing, path, why: error.to_string() }
}

/// Reads the key's file; `None` where there is none.
fn read(path: &Path) -> Result<Option<Zeroizing<[u8; KEY_BYTES]>>, VaultError> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(disk("open", path)(error)),
    };
    let found = file.metadata().map_err(disk("look at", path))?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(VaultError::OpenToOthers { path: path.into(), mode });
    }
    let no_key = || VaultError::NoKey { path: path.into() };
    if !found.is_file() {
        return Err(no_key());
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(disk("read", path))?;
    let digits = text.trim_ascii_end().strip_prefix(LABEL).ok_or_else(no_key)?.as_bytes();
    let mut secret = Zeroizing::new([0_u8; KEY_BYTES]);
    if digits.len() != KEY_BYTES * 2 {
        return Err(no_key());
    }
    for (byte, two) in secret.iter_mut().zip(digits.chunks_exact(2)) {
        let two = std::str::from_utf8(two).ok().filter(|two| two.bytes().all(|d| d.is_ascii_hexdigit()));
        *byte = two.and_then(|two| u8::from_str_radix(two, 16).ok()).ok_or_else(no_key)?;
    }
    Ok(Some(secret))
}

/// Makes the key's file, whole and durable or not at all; one that is there already is never replaced, and then the answer is `false`.
fn make(path: &Path, secret: &[u8; KEY_BYTES]) -> Result<bool, VaultError> {
    /// Tells drafts of one process apart.
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    if !folder.exists() {
        let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
        made.map_err(disk("make the folder", folder))?;
    }
    // Nobody else's: several daemons may share the file, and begin at the same moment. What a crash leaves of one has sealed nothing.
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_extension(format!("key.new-{}-{number}", std::process::id()));
    let digits = Zeroizing::new(hex(secret.iter()));
    let written =
        OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&draft).and_then(|mut file| {
            file.write_all(LABEL.as_bytes())?;
            file.write_all(digits.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        });
    written.map_err(disk("write", &draft))?;
    // A link, which unlike a new name never takes another file's place.
    let linked = match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        linked => linked.map(|()| true).map_err(disk("make", path)),
    };
    std::fs::remove_file(&draft).map_err(disk("remove", &draft))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(disk("flush the folder", folder))?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    /// The mark's place, without a store.
    #[derive(Default)]
    struct Kept(Mutex<Option<String>>);

    impl Marks for Kept {
        fn kept(&self) -> Result<Option<String>, String> {
            Ok(self.0.lock().unwrap().clone())
        }

        fn keep(&self, mark: &str) -> Result<String, String> {
            Ok(self.0.lock().unwrap().get_or_insert_with(|| mark.to_owned()).clone())
        }
    }

    fn vault(folder: &Path, marks: &Arc<Kept>, seed: u64) -> Vault {
        Vault::new(folder, Arc::clone(marks) as Arc<dyn Marks>, Arc::new(SeededChance::new(seed)))
    }

    const PLACE: &[&[u8]] = &[b"7", b"ada"];

    #[test]
    fn what_was_sealed_opens_after_a_restart_and_only_for_its_purpose_and_place() {
        let (home, marks) = (tempfile::tempdir().unwrap(), Arc::default());
        let sealed = vault(home.path(), &marks, 1).seal(Purpose::SecondFactor, PLACE, b"secret").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        let again = vault(home.path(), &marks, 2);
        assert_eq!(again.open(Purpose::SecondFactor, PLACE, &sealed).unwrap().as_slice(), b"secret");
        let broken = |purpose: Purpose, place: &[&[u8]], sealed: &[u8]| {
            let error = again.open(purpose, place, sealed).unwrap_err();
            assert_eq!(error, VaultError::Broken(purpose.name()));
        };
        broken(Purpose::Mail, PLACE, &sealed);
        broken(Purpose::SecondFactor, &[b"7a", b"da"], &sealed);
        broken(Purpose::SecondFactor, &[b"8", b"ada"], &sealed);
        broken(Purpose::SecondFactor, PLACE, &[]);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            broken(Purpose::SecondFactor, PLACE, &changed);
            broken(Purpose::SecondFactor, PLACE, &sealed[..at]);
        }
    }

    #[test]
    fn the_same_value_is_never_sealed_the_same_way_twice() {
        let (home, marks) = (tempfile::tempdir().unwrap(), Arc::default());
        let vault = vault(home.path(), &marks, 1);
        let seal = || vault.seal(Purpose::Mail, PLACE, b"hello").unwrap();
        assert_ne!(seal(), seal());
    }

    #[test]
    fn x66_the_key_is_its_owners_alone_and_is_refused_where_others_may_read_it() {
        let (home, marks) = (tempfile::tempdir().unwrap(), Arc::default());
        let sealed = vault(home.path(), &marks, 1).seal(Purpose::Mail, PLACE, b"hello").unwrap();
        let path = home.path().join(KEY_FILE);
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for open in [0o640, 0o604, 0o620, 0o666] {
            mode(open);
            let refused = vault(home.path(), &marks, 1).open(Purpose::Mail, PLACE, &sealed).unwrap_err();
            assert_eq!(refused, VaultError::OpenToOthers { path: path.clone(), mode: open });
            assert!(refused.to_string().contains("chmod 600"), "{refused}");
        }
        mode(0o400);
        vault(home.path(), &marks, 1).open(Purpose::Mail, PLACE, &sealed).unwrap();
        let names: Vec<_> =
            std::fs::read_dir(home.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(names, [KEY_FILE], "no draft is left");
    }

    #[test]
    fn r9_a_key_that_is_gone_or_another_is_an_error_and_no_new_one_is_made() {
        let (home, marks) = (tempfile::tempdir().unwrap(), Arc::default());
        let first = vault(home.path(), &marks, 1);
        first.check().unwrap();
        let path = home.path().join(KEY_FILE);
        assert!(!path.exists(), "to check makes nothing");
        let sealed = first.seal(Purpose::Mail, PLACE, b"hello").unwrap();
        let kept = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let after = vault(home.path(), &marks, 2);
        let missing = VaultError::Missing { path: path.clone() };
        assert_eq!(after.check().unwrap_err(), missing);
        assert_eq!(after.seal(Purpose::Mail, PLACE, b"more").unwrap_err(), missing);
        assert!(!path.exists() && missing.to_string().contains("backup"), "{missing}");
        // Another installation's.
        make(&path, &[7; 32]).unwrap();
        assert_eq!(after.check().unwrap_err(), VaultError::Other { path: path.clone() });
        // Put back, it works without a restart.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, kept).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(after.open(Purpose::Mail, PLACE, &sealed).unwrap().as_slice(), b"hello");
    }

    #[test]
    fn a_crash_while_the_key_is_made_leaves_nothing_in_the_way() {
        let (home, marks) = (tempfile::tempdir().unwrap(), Arc::<Kept>::default());
        // Before the key had its name: an unfinished draft.
        std::fs::write(home.path().join("seal.key.new-1-0"), LABEL).unwrap();
        let sealed = vault(home.path(), &marks, 1).seal(Purpose::Mail, PLACE, b"hello").unwrap();
        // Between the key and its mark: the key that is there is taken.
        let unmarked = Arc::default();
        let opened = vault(home.path(), &unmarked, 2).open(Purpose::Mail, PLACE, &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"hello");
        assert_eq!(*unmarked.0.lock().unwrap(), *marks.0.lock().unwrap());
    }

    #[test]
    fn of_many_who_make_the_key_at_once_all_have_the_same_one_and_no_draft_is_left() {
        let (home, marks) = (tempfile::tempdir().unwrap(), Arc::<Kept>::default());
        std::thread::scope(|scope| {
            for seed in 1..=16 {
                let (folder, marks) = (home.path(), &marks);
                scope.spawn(move || vault(folder, marks, seed).seal(Purpose::Mail, PLACE, b"hello").unwrap());
            }
        });
        let names: Vec<_> =
            std::fs::read_dir(home.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names, [KEY_FILE]);
    }

    #[test]
    fn r29_what_is_no_key_is_named_and_never_repeated() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(KEY_FILE);
        let digits = "ab".repeat(32);
        let files = [
            "",
            "ab",
            &digits,
            "rosterd-seal-1:",
            &format!("{LABEL}{digits}00"),
            &format!("{LABEL}+{}", "ab".repeat(32).split_off(1)),
        ];
        for wrong in files {
            std::fs::write(&path, wrong).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            let refused =
                vault(home.path(), &Arc::default(), 1).seal(Purpose::Mail, PLACE, b"hello").unwrap_err();
            assert_eq!(refused, VaultError::NoKey { path: path.clone() }, "{wrong}");
            assert!(!refused.to_string().contains("abab"), "{refused}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), wrong, "left as it was");
        }
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(vault(home.path(), &Arc::default(), 1).seal(Purpose::Mail, PLACE, b"hello").is_err());
    }
}
