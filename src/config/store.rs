//! `[store]`: which engine keeps the data, and its bounds. Knows nothing of how.

use serde::{Deserialize, Serialize};

use super::findings::Findings;

/// The store. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Which engine.
    pub engine: Engine,
    /// Memory of the page cache; 0 for what fits the machine.
    pub cache_mib: usize,
    /// Size of the journal from which on it goes into the tree.
    pub journal_mib: usize,
    /// Most units that wait for the disk.
    pub queue_max: usize,
}

/// The engines that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// The embedded default.
    Redb,
    /// Another embedded one, with a warning.
    #[cfg(feature = "sled")]
    Sled,
    /// A database that several daemons share.
    Postgres,
}

impl Engine {
    /// Returns its name, as the settings have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            #[cfg(feature = "sled")]
            Self::Sled => "sled",
            Self::Postgres => "postgres",
        }
    }
}

impl Store {
    /// Returns the size of the page cache in bytes; 0 where the machine decides.
    pub fn cache_bytes(&self) -> usize {
        self.cache_mib.saturating_mul(1 << 20)
    }

    /// Returns the size of the journal in bytes.
    pub fn journal_bytes(&self) -> usize {
        self.journal_mib.saturating_mul(1 << 20)
    }

    pub(super) fn check(&self, found: &mut Findings) {
        found.range("store.cache_mib", self.cache_mib, 0..=1_048_576);
        found.range("store.journal_mib", self.journal_mib, 1..=1_024);
        found.range("store.queue_max", self.queue_max, 1..=100_000);
    }
}
