//! The vault of an installation: its key in the data folder, the key's mark in the store.

use std::path::PathBuf;
use std::sync::Arc;

use super::Rim;
use crate::config::Config;
use crate::roster::Roster;
use crate::signin::vault::{KEY_FILE, Marks, Vault, VaultError};

/// The store as the place of the mark.
struct InStore(Arc<Roster>);

impl Marks for InStore {
    fn kept(&self) -> Result<Option<String>, String> {
        self.0.vault_mark().map_err(|error| error.to_string())
    }

    fn keep(&self, mark: &str) -> Result<String, String> {
        self.0.keep_vault_mark(mark).map_err(|error| error.to_string())
    }
}

/// Refuses a daemon whose key is not that of the store that it shares with others: what they sealed it could not open, and they not what it seals.
pub fn settle(config: &Config, roster: &Arc<Roster>, rim: &Rim) -> Result<(), VaultError> {
    if roster.store().is_shared() { make(config, roster, rim).settle() } else { Ok(()) }
}

/// Makes the vault of an installation, and says in the log where what was sealed can no longer be opened. That keeps nobody from being locked out,
/// so the daemon starts all the same; what needs the vault is refused with the same words.
pub(super) fn vault(config: &Config, roster: &Arc<Roster>, rim: &Rim) -> Arc<Vault> {
    let vault = make(config, roster, rim);
    if let Err(error) = vault.check() {
        tracing::error!(%error, "what was sealed cannot be opened");
    }
    Arc::new(vault)
}

fn make(config: &Config, roster: &Arc<Roster>, rim: &Rim) -> Vault {
    let marks = Arc::new(InStore(Arc::clone(roster)));
    Vault::of_file(key_path(config), marks, Arc::clone(&rim.chance))
}

/// Says where the key of an installation lies.
pub fn key_path(config: &Config) -> PathBuf {
    config.data.seal_key_file.clone().unwrap_or_else(|| config.data.dir.join(KEY_FILE))
}
