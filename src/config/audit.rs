//! `[audit]`: how long the history keeps what attributes were (row X60).

use serde::{Deserialize, Serialize};

use super::findings::Findings;

/// The history. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Days after which the values of an entry are erased; 0 for never.
    pub retention_days: u32,
}

impl Audit {
    pub(super) fn check(&self, found: &mut Findings) {
        found.range("audit.retention_days", self.retention_days, 0..=36500);
    }
}
