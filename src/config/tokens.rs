//! `[tokens]`: how long credentials live (rows X3, D-E20).

use serde::{Deserialize, Serialize};

use super::findings::Findings;

/// Bearer tokens. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Days until a new token expires.
    pub lifetime_days: u32,
    /// Minutes until an access token from `/oauth2/token` expires.
    pub access_lifetime_minutes: u32,
}

impl Tokens {
    pub(super) fn check(&self, found: &mut Findings) {
        found.range("tokens.lifetime_days", self.lifetime_days, 1..=3650);
        found.range("tokens.access_lifetime_minutes", self.access_lifetime_minutes, 60..=360);
    }
}
