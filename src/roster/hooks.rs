//! What operators' plugins are to the roster: when they are asked, what they are shown, and what they may answer.
//!
//! The roster owns the trait and the values; whoever runs plugins implements it ([`Plugin`]) and hands a list over. Everything a plugin
//! answers is a request like others: the roster checks it against grant, schema, privilege and an administrator's decisions. The values
//! are those of `plugins/wit`, with names in place of ids where the contract has names. Knows nothing of WebAssembly.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::ids::{RequestId, ResourceId};
use crate::psa::standing::Writer;
use crate::scim::Document;

/// A plugin that is loaded, with what its operator has granted.
///
/// All methods may be called by many threads at once, and return in bounded time and memory, whatever the plugin does.
pub trait Plugin: Send + Sync + fmt::Debug {
    /// Its name in the configuration.
    fn name(&self) -> &str;
    /// What tells this build and these settings from others: the SHA-256 of the component and of its settings and tables, in hexadecimal. Goes
    /// into the history beside what it proposed.
    fn fingerprint(&self) -> &str;
    /// Tells whether it is asked about requests of a connection of a tenant, both by name.
    fn serves(&self, tenant: &str, connection: &str) -> bool;
    /// Which hooks it has.
    fn hooks(&self) -> Hooks;
    /// What it may see and propose.
    fn grant(&self) -> &Grant;
    /// What follows from its failures.
    fn policy(&self) -> OnFailure;
    /// Tells whether it is likely to answer within about a millisecond, so that a write that asks it need not go to a thread that may wait.
    fn is_quick(&self) -> bool {
        false
    }

    /// Asks whether somebody may come in at all.
    fn admit(&self, about: &About, user: &Subject) -> Result<Verdict, Failure>;
    /// Asks what follows for the firm's own side. May be asked twice for one request.
    fn map(&self, about: &About, user: &Subject, held: &Held) -> Result<Mapped, Failure>;
    /// Asks what is wrong with a person as they would be stored.
    fn validate(&self, about: &About, user: &Subject, proposed: &Held) -> Result<Vec<Finding>, Failure>;
    /// Asks what a program downstream is told of somebody beside what it is told in any case. Money is not shown.
    fn claims(&self, about: &About, user: &Subject, held: &Held, app: &str)
    -> Result<Vec<Addition>, Failure>;
    /// Tells of what was committed.
    fn react(&self, about: &About, event: &Notice) -> Result<Vec<Remark>, Failure>;
}

/// Which hooks a plugin has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hooks {
    /// `gate.admit`.
    pub gate: bool,
    /// `mapper.map-user`.
    pub map: bool,
    /// `validator.validate`.
    pub validate: bool,
    /// `claims.claims`.
    pub claims: bool,
    /// `reactor.on-event`.
    pub react: bool,
}

/// What a plugin may see and propose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// Attributes that it is shown.
    pub reads: BTreeSet<Granted>,
    /// Attributes that it may propose to change.
    pub writes: BTreeSet<Granted>,
    /// Plugins whose single values it may set anew although they write the same attribute.
    pub overrides: BTreeSet<String>,
    /// Whether it may propose what an administrator has decided otherwise.
    pub overwrite_manual: bool,
}

/// An attribute that is granted, by the name it is known under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Granted {
    /// An attribute of a schema: of the core schema without a URN (`title`).
    Attribute {
        /// The schema's URN; `None` for the core schema of users.
        urn: Option<String>,
        /// The attribute's name, as its schema spells it.
        name: String,
    },
    /// The groups that the person is in.
    Groups,
    /// What the identity provider said that no schema knows.
    Shadow,
}

impl Grant {
    /// Tells whether an attribute is shown.
    pub fn shows(&self, urn: Option<&str>, name: &str) -> bool {
        has(&self.reads, urn, name)
    }

    /// Tells whether a change of an attribute may be proposed.
    pub fn takes(&self, urn: Option<&str>, name: &str) -> bool {
        has(&self.writes, urn, name)
    }

    /// Tells whether groups are shown.
    pub fn shows_groups(&self) -> bool {
        self.reads.contains(&Granted::Groups)
    }

    /// Tells whether the shadow is shown.
    pub fn shows_shadow(&self) -> bool {
        self.reads.contains(&Granted::Shadow)
    }
}

fn has(all: &BTreeSet<Granted>, wanted: Option<&str>, name: &str) -> bool {
    all.iter().any(|one| match one {
        Granted::Attribute { urn, name: held } => {
            held.eq_ignore_ascii_case(name)
                && match (urn.as_deref(), wanted) {
                    (Some(urn), Some(wanted)) => urn.eq_ignore_ascii_case(wanted),
                    (None, None) => true,
                    _ => false,
                }
        }
        Granted::Groups | Granted::Shadow => false,
    })
}

/// What a failed map, a validation and a gate come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnFailure {
    /// Of `mapper`: [`Then::Park`] unless the operator says otherwise.
    pub map: Then,
    /// Of `validator`: [`Then::Reject`].
    pub validate: Then,
    /// Of `gate`: [`Then::Deny`].
    pub gate: Then,
    /// Of `claims`: [`Then::Omit`].
    pub claims: Then,
    /// Of `reactor`: [`Then::Retry`].
    pub react: Then,
}

impl Default for OnFailure {
    fn default() -> Self {
        Self {
            map: Then::Park,
            validate: Then::Reject,
            gate: Then::Deny,
            claims: Then::Omit,
            react: Then::Retry,
        }
    }
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The identity's change is committed, the firm's side stays, and mapping is tried again later.
    Park,
    /// The request is refused with 503 and `Retry-After`, or with what the plugin found.
    Reject,
    /// As if the plugin were not there.
    Skip,
    /// The gate stays shut (403).
    Deny,
    /// The claims are left out.
    Omit,
    /// It is told again later, and ends with the dead letters.
    Retry,
}

/// Where and when a plugin is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The tenant's name.
    pub tenant: String,
    /// The connection's name.
    pub source: String,
    /// What the directory is doing.
    pub operation: Operation,
    /// The request.
    pub request: RequestId,
    /// The moment of the request.
    pub now: Timestamp,
    /// The calendar day there is then where the person is.
    pub today: jiff::civil::Date,
    /// Whether nothing will be written.
    pub dry_run: bool,
    /// The calls that it is one of: from each to the next of them an instance may be kept.
    pub series: Series,
}

/// Calls that an instance may answer one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// None: the call stands by itself.
    Alone,
    /// Those of one Bulk request, one remap or one sheet.
    Batch(RequestId),
    /// Those of the connection, for as long as each comes shortly after the one before: a provider's full sync is requests by themselves, and
    /// nobody says where it begins and ends.
    Sync,
}

/// What the directory is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operation {
    Create,
    Replace,
    Patch,
    Activate,
    Deactivate,
    Lock,
    Unlock,
    Delete,
    SignIn,
    Remap,
}

impl Operation {
    /// Whether it takes access away, which waits for no plugin.
    pub const fn takes_access_away(self) -> bool {
        matches!(self, Self::Deactivate | Self::Lock | Self::Delete)
    }
}

/// A person as they would be after the operation. Everything there is: whoever runs the plugin shows of it what is granted.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Their id.
    pub id: ResourceId,
    /// Core, enterprise and the operator's own extensions, without what is never returned; the PSA extension is in [`Held`].
    pub document: Document,
    /// The groups that they are in, by id and name; empty where no plugin asks for them.
    pub groups: Vec<(ResourceId, String)>,
    /// What the connection said that no schema knows; empty where no plugin asks for it.
    pub shadow: Map<String, Value>,
}

/// The firm's own side of a person, with names in place of ids.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// `employee`, `freelancer` or `client`.
    pub kind: Option<String>,
    /// The pool.
    pub license: Option<String>,
    /// `full` or `hoursOnly`.
    pub financial_visibility: Option<String>,
    /// The bundles of permissions.
    pub user_types: Vec<UserTypeChoice>,
    /// In the order of their days.
    pub employments: Vec<Employment>,
    /// In the order of their days.
    pub cost_rates: Vec<Rate>,
    /// In the order of their days.
    pub billing_rates: Vec<Rate>,
    /// `schedule.activateOn`.
    pub activate_on: Option<String>,
    /// `schedule.deactivateOn`.
    pub deactivate_on: Option<String>,
    /// Who wrote each attribute last, by the name in the PSA extension (`userTypes`, `costRates`, `schedule` …).
    pub writers: BTreeMap<String, Writer>,
}

/// A bundle of permissions and where it is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserTypeChoice {
    /// Its display name; in a proposal also its `externalId`.
    pub user_type: String,
    /// Whether it is the primary one.
    pub primary: bool,
    /// The cost centre that it is limited to; everywhere where absent.
    pub cost_center: Option<String>,
}

/// An entry of a history of rates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// The first day.
    pub start_date: String,
    /// An exact decimal.
    pub amount: String,
    /// A code of ISO 4217.
    pub currency: String,
}

/// An entry of the history of employments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Employment {
    /// The first day.
    pub start_date: String,
    /// The template's display name; in a proposal also its `externalId`.
    pub template: Option<String>,
    /// The day from which overtime counts.
    pub overtime_balance_start_date: Option<String>,
    /// Whether no balance of hours is kept.
    pub hour_balance_disabled: Option<bool>,
}

/// What a mapping came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mapped {
    /// In the order in which they were proposed.
    pub proposals: Vec<Proposal>,
    /// The fuel that it took: the same for the same input.
    pub fuel: u64,
}

/// A change that a plugin proposes.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "plugins/wit says it of each")]
pub enum Proposal {
    SetKind(String),
    SetLicense(String),
    ReleaseLicense,
    SetFinancialVisibility(String),
    AddUserType(UserTypeChoice),
    RemoveUserType(UserTypeChoice),
    AddEmployment(Employment),
    AddCostRate(Rate),
    AddBillingRate(Rate),
    SetActivateOn(String),
    ClearActivateOn,
    SetDeactivateOn(String),
    ClearDeactivateOn,
    SetAttribute { path: String, value: Value },
    ClearAttribute(String),
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// They may come in.
    Allow,
    /// They may not, and why.
    Deny(String),
}

/// What a validation found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// An error refuses the request; the others go to the history.
    pub severity: Severity,
    /// The attribute.
    pub path: Option<String>,
    /// A word for programs.
    pub code: String,
    /// What is wrong, for people.
    pub detail: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Severity {
    Note,
    Warning,
    Error,
}

/// A claim that a plugin adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Addition {
    /// Its name, below the plugin's.
    pub name: String,
    /// What it says.
    pub value: Value,
}

/// What has happened, told after the commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The same whenever it is told again.
    pub id: String,
    /// The entry's number in the tenant's history.
    pub sequence: u64,
    /// Whom it is about.
    pub subject: ResourceId,
    /// The paths that changed.
    pub changed: Vec<String>,
    /// The person as they are now; `None` who is no more.
    pub user: Option<Subject>,
}

/// What a reaction came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// A word for programs.
    pub code: String,
    /// The same for people.
    pub detail: String,
}

/// Why a plugin gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It said so itself.
    Problem(Problem),
    /// It ended without an answer: which limit it hit, or how it broke. For the log, never for a client.
    Broke(Broke, String),
}

/// What a plugin has to say about its input or itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whose trouble it is.
    pub kind: ProblemKind,
    /// The attribute.
    pub path: Option<String>,
    /// What is wrong. Of `Configuration` and `Internal` for the log only.
    pub detail: String,
}

/// Whose trouble a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "plugins/wit says it of each")]
pub enum ProblemKind {
    InvalidValue,
    MissingData,
    Conflict,
    Denied,
    Configuration,
    Internal,
}

/// How a plugin ended without an answer; each is a label of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Broke {
    /// A trap: a panic, an overflow of the stack, an address outside.
    Trap,
    /// The budget of instructions.
    Fuel,
    /// The clock behind it.
    Deadline,
    Memory,
    /// The answer was too large, or not one.
    Output,
    /// No slot became free in time.
    Busy,
    /// Its breaker is open: it failed too often in a row.
    Open,
    /// It could not be loaded, and the configuration lets the daemon start without it.
    Absent,
}
