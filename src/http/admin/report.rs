//! How a connection is, as the API tells it: the words of `doctor`, in the API's spelling.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::doctor::report::{self, Level, Standing};
use crate::doctor::view::RequestView;
use crate::ids::{RequestId, TokenId};

/// What an examination of a connection says.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The connection.
    pub connection: String,
    /// Whether nobody has to act.
    pub green: bool,
    /// What to enter in the provider.
    pub scim_url: Option<String>,
    /// The name of its profile.
    pub profile: String,
    /// Its credentials.
    pub credentials: Vec<Credential>,
    /// Since when requests have been remembered.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub remembered_since: Option<Timestamp>,
    /// What came in since.
    pub seen: Seen,
    /// When the provider was last seen, by request or by credential.
    #[schema(value_type = Option<String>, format = DateTime)]
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

/// A credential of the connection.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// Its id, never itself.
    #[schema(value_type = String, format = "uuid")]
    pub id: TokenId,
    /// `live`, `expiring` (for less than thirty days) or `expired`.
    pub standing: &'static str,
    /// When it stops working.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Timestamp>,
}

/// What came in since the daemon started.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// When the first request came.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first: Option<Timestamp>,
    /// When the latest came.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last: Option<Timestamp>,
    /// When the latest came that did not fail.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_good: Option<Timestamp>,
    /// What the client calls itself.
    pub agent: Option<String>,
    /// How many were answered, by class of status.
    pub by_class: BTreeMap<String, u64>,
    /// How many failed, by SCIM's word for why; an empty word where there is none.
    pub by_scim_type: BTreeMap<String, u64>,
    /// How many came with a credential that was once good, and no longer is.
    pub refused_credentials: u64,
    /// When a list was last read.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_read: Option<Timestamp>,
}

/// Which provider this looks like. Only ever said: nothing behaves otherwise for it.
#[derive(Serialize, ToSchema)]
pub struct Suggestion {
    /// The provider.
    pub provider: String,
    /// What that was seen by.
    pub because: String,
    /// The profile that is made for it.
    pub profile: String,
}

/// What the connection has done, as far as the history was read.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
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

/// A change.
#[derive(Serialize, ToSchema)]
pub struct Deed {
    /// Its number.
    pub change: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub when: Timestamp,
    /// What was done.
    pub action: String,
}

/// Failures of one kind.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
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
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// The request.
    pub request: RequestSeen,
    /// Whether the same was sent again since, and went well.
    pub made_good: bool,
    /// What to do.
    pub todo: String,
}

/// A leniency that was used.
#[derive(Serialize, ToSchema)]
pub struct Leniency {
    /// The rule.
    pub rule: String,
    /// How many changes needed it, as far as the history was read.
    pub changes: u64,
    /// How many requests needed it since the daemon started.
    pub requests: u64,
    /// What it means.
    pub meaning: String,
    /// What to change in the provider's mapping.
    pub todo: String,
}

/// One thing that was found.
#[derive(Serialize, ToSchema)]
pub struct Finding {
    /// `problem` where somebody must act, else `advice`.
    pub level: &'static str,
    /// What was found.
    pub what: String,
    /// Why that matters.
    pub why: String,
    /// What to do.
    pub todo: String,
}

/// A request of a connection, and its answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestSeen {
    /// Its place in the connection's log.
    pub number: u64,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub when: Timestamp,
    /// Its id, as in the answer's `X-Request-Id` and in the history.
    #[schema(value_type = String, format = "uuid")]
    pub id: RequestId,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The status it was answered with.
    pub status: u16,
    /// How long the answer took, in microseconds.
    pub took_us: u32,
    /// What the client calls itself.
    pub agent: Option<String>,
    /// What a failed one was told.
    pub detail: Option<String>,
    /// And in SCIM's word for it.
    pub scim_type: Option<String>,
    /// The first change that it led to.
    pub first_change: Option<u64>,
    /// The last change that it led to.
    pub last_change: Option<u64>,
    /// What it sent.
    pub body: Option<Sent>,
}

/// What a request sent.
#[derive(Serialize, ToSchema)]
pub struct Sent {
    /// How many bytes came.
    pub bytes: u64,
    /// What came, with `"***"` where a secret stood; null where it could not be told whether it holds one.
    pub text: Option<String>,
    /// Whether more came than is kept.
    pub cut: bool,
}

impl From<RequestView> for RequestSeen {
    fn from(view: RequestView) -> Self {
        Self {
            number: view.number,
            when: view.when,
            id: view.request,
            method: view.method,
            target: view.target,
            status: view.status,
            took_us: view.took_us,
            agent: view.agent,
            detail: view.detail,
            scim_type: view.scim_type,
            first_change: view.changes.map(|(first, _)| first),
            last_change: view.changes.map(|(_, last)| last),
            body: view.body.map(|body| Sent {
                bytes: body.bytes,
                text: body.text.map(String::from),
                cut: body.cut,
            }),
        }
    }
}

impl From<report::Report> for Report {
    fn from(found: report::Report) -> Self {
        let seen = found.seen;
        Self {
            connection: found.connection,
            green: found.green,
            scim_url: found.scim_url,
            profile: found.profile,
            credentials: found.credentials.into_iter().map(Credential::from).collect(),
            remembered_since: found.remembered_since,
            seen: Seen {
                first: seen.first,
                last: seen.last,
                last_good: seen.last_good,
                agent: seen.agent,
                by_class: seen.by_class,
                by_scim_type: seen.by_scim_type,
                refused_credentials: seen.refused_credentials,
                last_read: seen.last_read,
            },
            last_seen: found.last_seen,
            suggestion: found.suggestion.map(|report::Suggestion { provider, because, profile }| {
                Suggestion { provider, because, profile }
            }),
            deeds: found.deeds.into(),
            failures: found.failures.into_iter().map(Failures::from).collect(),
            last_failed: found.last_failed.into_iter().map(Failed::from).collect(),
            leniencies: found.leniencies.into_iter().map(Leniency::from).collect(),
            findings: found.findings.into_iter().map(Finding::from).collect(),
        }
    }
}

impl From<report::Credential> for Credential {
    fn from(report::Credential { id, standing, expires, last_used }: report::Credential) -> Self {
        let standing = match standing {
            Standing::Live => "live",
            Standing::Expiring => "expiring",
            Standing::Expired => "expired",
        };
        Self { id, standing, expires, last_used }
    }
}

impl From<report::Deeds> for Deeds {
    fn from(deeds: report::Deeds) -> Self {
        let report::Deeds { users_created, groups_created, writes, last_write, read_from } = deeds;
        let last_write =
            last_write.map(|report::Deed { change, when, action }| Deed { change, when, action });
        Self { users_created, groups_created, writes, last_write, read_from }
    }
}

impl From<report::Failures> for Failures {
    fn from(failures: report::Failures) -> Self {
        let report::Failures { status, scim_type, count, open, meaning, todo } = failures;
        Self { status, scim_type, count, open, meaning, todo }
    }
}

impl From<report::Failed> for Failed {
    fn from(report::Failed { request, made_good, todo }: report::Failed) -> Self {
        Self { request: request.into(), made_good, todo }
    }
}

impl From<report::Leniency> for Leniency {
    fn from(leniency: report::Leniency) -> Self {
        let report::Leniency { rule, changes, requests, meaning, todo } = leniency;
        Self { rule, changes, requests, meaning, todo }
    }
}

impl From<report::Finding> for Finding {
    fn from(report::Finding { level, what, why, todo }: report::Finding) -> Self {
        let level = match level {
            Level::Problem => "problem",
            Level::Advice => "advice",
        };
        Self { level, what, why, todo }
    }
}
