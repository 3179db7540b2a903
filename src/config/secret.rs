//! Secrets: read from files only, never printed, wiped from memory when dropped (rows X2, X61, X71).

use std::fmt;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

/// Most bytes of a file with a secret.
const SECRET_BYTES_MAX: usize = 64 << 10;
/// Fewest characters of a token that an operator supplies (row X2).
pub const TOKEN_CHARS_MIN: usize = 32;
/// Most characters of a token that an operator supplies: what a header can carry.
pub const TOKEN_CHARS_MAX: usize = 1024;

/// A secret text. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

/// Why there is no secret in a file. Names the file, never what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {what}")]
pub struct SecretError {
    /// The file.
    pub path: String,
    /// What was expected and what was found.
    pub what: String,
}

impl SecretText {
    /// Wraps a secret.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Reads a secret from a file, without the line end after it.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let refused = |what: String| SecretError { path: path.display().to_string(), what };
        let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX.saturating_add(1)));
        let limit = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        File::open(path)
            .and_then(|file| file.take(limit).read_to_end(&mut bytes))
            .map_err(|error| refused(format!("cannot be read: {error}")))?;
        if bytes.len() > SECRET_BYTES_MAX {
            return Err(refused(format!("expected at most {SECRET_BYTES_MAX} bytes, found more")));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| refused("not UTF-8".to_owned()))?;
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        Ok(Self::new(line.to_owned()))
    }

    /// Reads a bearer token that an operator supplies: printable ASCII without spaces, long enough not to be guessed (row X2).
    pub fn read_token(path: &Path) -> Result<Self, SecretError> {
        let token = Self::read(path)?;
        let refused = |what: String| SecretError { path: path.display().to_string(), what };
        let length = token.expose().chars().count();
        if !(TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&length) {
            return Err(refused(format!(
                "expected a token of {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} characters, found {length}; \
                 `openssl rand -hex 32` makes one"
            )));
        }
        // RFC 6750 §2.1: what may stand after "Bearer".
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !token.expose().bytes().all(sound) {
            return Err(refused("expected one token of letters, digits and -._~+/= alone".to_owned()));
        }
        Ok(token)
    }

    /// Returns the secret. Keep what you make of it as short as you can.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Tells whether others than the owner may read or write a file with a secret; returns its mode.
pub fn open_to_others(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_in(text: &str) -> Result<SecretText, SecretError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, text).unwrap();
        SecretText::read_token(&path)
    }

    #[test]
    fn x2_a_token_below_32_characters_is_refused() {
        let short = token_in(&"a".repeat(31)).unwrap_err();
        assert!(short.what.contains("expected a token of 32 to 1024 characters, found 31"), "{short}");
        assert_eq!(token_in(&"a".repeat(32)).unwrap().expose(), "a".repeat(32));
    }

    #[test]
    fn a_line_end_is_not_part_of_a_secret() {
        let token = "b".repeat(40);
        assert_eq!(token_in(&format!("{token}\n")).unwrap().expose(), token);
        assert_eq!(token_in(&format!("{token}\r\n")).unwrap().expose(), token);
        assert!(token_in(&format!("{token}\n\n")).is_err());
        assert!(token_in(&format!("{token} {token}")).is_err());
    }

    #[test]
    fn x61_a_secret_prints_as_stars_and_errors_do_not_repeat_it() {
        let secret = SecretText::new("hunter2".to_owned());
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert!(!token_in("hunter2").unwrap_err().to_string().contains("hunter2"));
    }
}
