//! The vault of an installation: its key in the data folder, the key's mark in the store.

use std::sync::Arc;

use super::Rim;
use crate::config::Config;
use crate::roster::Roster;
use crate::signin::vault::{Marks, Vault};

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

/// Makes the vault of an installation, and says in the log where what was sealed can no longer be opened. That keeps nobody from being locked out,
/// so the daemon starts all the same; what needs the vault is refused with the same words.
pub(super) fn vault(config: &Config, roster: &Arc<Roster>, rim: &Rim) -> Arc<Vault> {
    let marks = Arc::new(InStore(Arc::clone(roster)));
    let vault = Vault::new(&config.data.dir, marks, Arc::clone(&rim.chance));
    if let Err(error) = vault.check() {
        tracing::error!(%error, "what was sealed cannot be opened");
    }
    Arc::new(vault)
}
