//! What an administrator asks about a connection: what came in, whether it is well, why a value is what it is.
//!
//! Read in this order: this file (the questions and who answers them), [`view`] (requests as they are shown), `find` (which connection
//! is meant), [`report`] (what an examination says), `examine` (how it is made), from `history` (what the connection
//! did), `people` (what it left), `failures`, `leniency` and `suggest` (what that means and what to do); [`explain`] (one change).
//!
//! Only reads (but that when tokens were last used is written down first, as for a list of them), and never more than a stated number of
//! records and bytes. Knows no HTTP: whoever serves it passes plain data.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod examine;
pub mod explain;
mod failures;
mod find;
mod history;
mod leniency;
mod people;
pub mod report;
mod suggest;
pub mod view;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use explain::{Call, Explanation, Proposal};
pub use report::{Finding, Level, Report};
pub use view::RequestView;

use crate::ids::{ConnectionId, RequestId};
use crate::requests::{Requests, SecretNames};
use crate::roster::{Caller, Roster, RosterError, TOKEN_PREFIX};

/// One thing that is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "question", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Question {
    /// What came in of late.
    Requests {
        /// Whose connection; the only one of that name when `None`.
        tenant: Option<String>,
        /// Which connection.
        connection: String,
        /// Only what failed.
        failed: bool,
        /// How many at most, the latest.
        last: usize,
        /// Only after this one of the log.
        after: u64,
        /// With what was sent.
        bodies: bool,
    },
    /// Whether a connection is well.
    Examine {
        /// Whose connection; the only one of that name when `None`.
        tenant: Option<String>,
        /// Which connection.
        connection: String,
    },
    /// Where a change came from.
    Explain {
        /// Whose history; the only tenant's when `None`.
        tenant: Option<String>,
        /// The number of the change.
        change: u64,
    },
}

/// What is answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// What came in, oldest first.
    Requests {
        /// Since when requests have been remembered.
        since: Timestamp,
        /// The requests.
        requests: Vec<RequestView>,
    },
    /// What an examination found.
    Examined(Box<Report>),
    /// Where a change came from.
    Explained(Box<Explanation>),
}

/// Who answers.
pub struct Doctor {
    roster: Arc<Roster>,
    /// What of a value must not be shown, whoever wrote it down.
    names: SecretNames,
    /// The log of requests; `None` where no daemon keeps one.
    requests: Option<Arc<Requests>>,
    /// The URL that providers are given; `None` where no daemon serves it.
    base_url: Option<String>,
}

impl fmt::Debug for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doctor").finish_non_exhaustive()
    }
}

impl Doctor {
    /// Answers in a daemon, from its log of requests as well.
    pub fn new(roster: Arc<Roster>, requests: Arc<Requests>, base_url: String) -> Self {
        Self { names: names(&roster), roster, requests: Some(requests), base_url: Some(base_url) }
    }

    /// Answers from a folder that no daemon holds.
    pub fn at_rest(roster: Arc<Roster>) -> Self {
        Self { names: names(&roster), roster, requests: None, base_url: None }
    }

    /// Answers a question.
    pub fn ask(&self, question: Question, request: RequestId) -> Result<Reply, RosterError> {
        match question {
            Question::Requests { tenant, connection, failed, last, after, bodies } => {
                let found = find::connection(&self.roster, tenant.as_deref(), &connection, request)?;
                let Some(requests) = &self.requests else {
                    return Err(RosterError::Unfit(NO_LOG.to_owned()));
                };
                let entries = requests.entries(found.who());
                let wanted =
                    entries.iter().filter(|entry| entry.number > after && (!failed || entry.failed()));
                let mut views: Vec<RequestView> =
                    wanted.rev().take(last).map(|entry| RequestView::of(entry, bodies)).collect();
                views.reverse();
                Ok(Reply::Requests { since: requests.since(), requests: views })
            }
            Question::Examine { tenant, connection } => {
                let found = find::connection(&self.roster, tenant.as_deref(), &connection, request)?;
                self.examine(&found).map(|report| Reply::Examined(Box::new(report)))
            }
            Question::Explain { tenant, change } => {
                let (_, caller) = find::tenant(&self.roster, tenant.as_deref(), request)?;
                self.explain(&caller, change).map(|explanation| Reply::Explained(Box::new(explanation)))
            }
        }
    }

    /// Examines a connection of the caller's tenant.
    pub fn report(&self, caller: &Caller, connection: &str) -> Result<Report, RosterError> {
        self.examine(&find::of_caller(&self.roster, caller, connection)?)
    }

    /// Shows what a connection of the caller's tenant asked after a number of its log, oldest first.
    pub fn seen(
        &self,
        caller: &Caller,
        connection: ConnectionId,
        after: u64,
        failed: bool,
        limit: usize,
        bodies: bool,
    ) -> Vec<RequestView> {
        let entries = self.requests.as_ref().map(|log| log.entries((caller.tenant(), connection)));
        let entries = entries.into_iter().flatten();
        let wanted = entries.filter(|entry| entry.number > after && (!failed || entry.failed()));
        wanted.take(limit).map(|entry| RequestView::of(&entry, bodies)).collect()
    }

    /// Forgets what the connections of the caller's tenant asked: who is named in it cannot be told from texts.
    pub fn forget_requests(&self, caller: &Caller) {
        if let Some(requests) = &self.requests {
            requests.forget(caller.tenant());
        }
    }
}

fn names(roster: &Roster) -> SecretNames {
    SecretNames::of(roster.kinds(), TOKEN_PREFIX)
}

/// What is said where requests are asked for, and nobody remembers them.
pub const NO_LOG: &str = "no daemon runs on this folder, and requests are remembered in a daemon's memory only, anew from each start; \
                          start one (rosterd serve), have the provider send again, then ask; \
                          what was changed is in the history: rosterd audit export";
