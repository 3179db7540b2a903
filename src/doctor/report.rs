//! What an examination of a connection says, as plain data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::view::RequestView;
use crate::ids::TokenId;
use crate::requests::Overview;

/// Whether somebody must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Somebody must act.
    Problem,
    /// It works; it would be better otherwise.
    Advice,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether somebody must act.
    pub level: Level,
    /// What was found.
    pub what: String,
    /// Why that matters.
    pub why: String,
    /// What to do.
    pub todo: String,
}

impl Finding {
    /// Makes a finding that somebody must act on.
    pub fn problem(what: impl Into<String>, why: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { level: Level::Problem, what: what.into(), why: why.into(), todo: todo.into() }
    }

    /// Makes one that nobody has to act on.
    pub fn advice(what: impl Into<String>, why: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { level: Level::Advice, ..Self::problem(what, why, todo) }
    }
}

/// How a credential stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is good.
    Live,
    /// It is good, for less than thirty days.
    Expiring,
    /// It is no longer good.
    Expired,
}

/// A credential of the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its id, never itself.
    pub id: TokenId,
    /// How it stands.
    pub standing: Standing,
    /// When it stops working.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
}

/// Which provider this looks like. Only ever said: nothing behaves otherwise for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The provider.
    pub provider: String,
    /// What that was seen by.
    pub because: String,
    /// The profile that is made for it.
    pub profile: String,
}

/// A change that the connection made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// Its number.
    pub change: u64,
    /// When.
    pub when: Timestamp,
    /// What was done.
    pub action: String,
}

/// What the connection has done, as far as the history was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deeds {
    /// People it made.
    pub users_created: u64,
    /// Groups it made.
    pub groups_created: u64,
    /// Changes to people and groups, those included.
    pub writes: u64,
    /// Its latest change.
    pub last_write: Option<Deed>,
    /// From which change on the history was read; 1 when all of it was.
    pub read_from: u64,
}

/// Failures of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// The status.
    pub status: u16,
    /// SCIM's word for it.
    pub scim_type: Option<String>,
    /// How many are in the log.
    pub count: u64,
    /// How many of them were not made good since.
    pub open: u64,
    /// What it means.
    pub meaning: String,
    /// What to do.
    pub todo: String,
}

/// A failure, with what was sent and what it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The request.
    #[serde(flatten)]
    pub request: RequestView,
    /// Whether the same was sent again since, and went well.
    pub made_good: bool,
    /// What to do.
    pub todo: String,
}

/// A leniency that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leniency {
    /// The rule.
    pub rule: String,
    /// How many changes needed it, as far as the history was read.
    pub changes: u64,
    /// How many requests needed it since the daemon started, those included that changed nothing.
    pub requests: u64,
    /// What it means.
    pub meaning: String,
    /// What to change in the provider's mapping.
    pub todo: String,
}

/// What an examination says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The tenant.
    pub tenant: String,
    /// The connection.
    pub connection: String,
    /// Whether nobody has to act.
    pub green: bool,
    /// What to enter in the provider; `None` where no daemon serves it.
    pub scim_url: Option<String>,
    /// The profile.
    pub profile: String,
    /// Its credentials.
    pub credentials: Vec<Credential>,
    /// Since when requests have been remembered; `None` where no daemon remembers any.
    pub remembered_since: Option<Timestamp>,
    /// What came in since.
    pub seen: Overview,
    /// When the provider was last seen, by request or by credential.
    pub last_seen: Option<Timestamp>,
    /// Which provider this looks like.
    pub suggestion: Option<Suggestion>,
    /// What it has done.
    pub deeds: Deeds,
    /// What failed, by kind.
    pub failures: Vec<Failures>,
    /// The latest that failed, oldest first.
    pub last_failed: Vec<Failed>,
    /// The leniencies that were used.
    pub leniencies: Vec<Leniency>,
    /// Everything that was found, what somebody must act on first.
    pub findings: Vec<Finding>,
}
