//! `[tls]`: certificate and key of the public listener. Knows nothing of what they hold.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::text;

/// TLS of the public listener. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate and its chain.
    #[serde(with = "text::option")]
    pub cert_file: Option<PathBuf>,
    /// PEM file with the private key.
    #[serde(with = "text::option")]
    pub key_file: Option<PathBuf>,
}

impl Tls {
    /// Returns certificate and key, when TLS is on.
    pub fn files(&self) -> Option<(&Path, &Path)> {
        Some((self.cert_file.as_deref()?, self.key_file.as_deref()?))
    }

    /// Tells whether the public listener speaks TLS.
    pub fn is_on(&self) -> bool {
        self.files().is_some()
    }

    pub(super) fn check_together(&self, found: &mut Findings) {
        let (missing, given) = match (&self.cert_file, &self.key_file) {
            (Some(_), None) => ("tls.key_file", "tls.cert_file"),
            (None, Some(_)) => ("tls.cert_file", "tls.key_file"),
            _ => return,
        };
        found.wrong(missing, format!("not set, but {given} is"), "set both, or none");
    }
}
