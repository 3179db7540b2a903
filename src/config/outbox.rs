//! `[outbox]`: how deliveries that failed are tried again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::findings::Findings;

/// Deliveries to webhooks. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbox {
    /// Attempts before an event is set aside.
    pub attempts_max: u32,
    /// The first pause.
    pub retry_first_ms: u64,
    /// The longest pause.
    pub retry_longest_ms: u64,
}

impl Outbox {
    /// Returns the first pause.
    pub fn retry_first(&self) -> Duration {
        Duration::from_millis(self.retry_first_ms)
    }

    /// Returns the longest pause.
    pub fn retry_longest(&self) -> Duration {
        Duration::from_millis(self.retry_longest_ms)
    }

    pub(super) fn check(&self, found: &mut Findings) {
        found.range("outbox.attempts_max", self.attempts_max, 2..=1000);
        found.range("outbox.retry_first_ms", self.retry_first_ms, 10..=600_000);
        found.range("outbox.retry_longest_ms", self.retry_longest_ms, 10..=86_400_000);
    }
}
