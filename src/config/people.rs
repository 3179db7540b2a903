//! `[people]`: what becomes of people when they come, go and return. Knows nothing of how that is carried out.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::text;

/// People. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    /// What a DELETE does.
    pub deprovision: Deprovision,
    /// What creating a departed person anew does.
    pub rehire: Rehire,
    /// The time zone of those who have none of their own.
    #[serde(with = "text")]
    pub time_zone: TimeZone,
    /// Fewest characters of a password (row T04).
    pub password_characters_min: usize,
}

/// What a DELETE does to somebody who may be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deprovision {
    /// Erases who was never used, locks the others.
    DeleteIfUnused,
    /// Locks.
    Lock,
    /// Erases.
    Delete,
}

/// What creating somebody with the `externalId` of a departed person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rehire {
    /// Brings that person back.
    Resurrect,
    /// Makes another person.
    New,
}

impl People {
    /// `above` is what stands before the topic's name: nothing, or a tenant's.
    pub(super) fn check(&self, above: &str, found: &mut Findings) {
        let key = format!("{above}people.password_characters_min");
        found.range(key, self.password_characters_min, 8..=128);
    }
}
