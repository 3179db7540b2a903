//! `[sessions]`: how long somebody who signed in stays so (signin.md's idle and absolute lifetimes). A tenant can have it otherwise.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::findings::Findings;

/// Most minutes that a session may live: a week.
const MINUTES_MAX: u32 = 7 * 24 * 60;

/// Sessions of people who signed in. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// Minutes without a request after which a session is over.
    pub idle_minutes: u32,
    /// Minutes after which a session is over in any case.
    pub absolute_minutes: u32,
}

impl Sessions {
    /// Returns the time without a request after which a session is over.
    pub fn idle(&self) -> SignedDuration {
        SignedDuration::from_mins(self.idle_minutes.into())
    }

    /// Returns the time after which a session is over in any case.
    pub fn absolute(&self) -> SignedDuration {
        SignedDuration::from_mins(self.absolute_minutes.into())
    }

    /// `above` is what stands before the topic's name: nothing, or a tenant's.
    pub(super) fn check(&self, above: &str, found: &mut Findings) {
        found.range(format!("{above}sessions.idle_minutes"), self.idle_minutes, 1..=MINUTES_MAX);
        found.range(format!("{above}sessions.absolute_minutes"), self.absolute_minutes, 5..=MINUTES_MAX);
    }
}
