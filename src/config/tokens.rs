//! `[tokens]`: how long bearer tokens live, and how many a connection may have (row X3).

use serde::{Deserialize, Serialize};

use super::findings::Findings;

/// Bearer tokens. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Days until a new token expires.
    pub lifetime_days: u32,
    /// Most live tokens of one connection.
    pub per_connection_max: usize,
}

impl Tokens {
    pub(super) fn check(&self, found: &mut Findings) {
        found.range("tokens.lifetime_days", self.lifetime_days, 1..=3650);
        found.range("tokens.per_connection_max", self.per_connection_max, 1..=2);
    }
}
