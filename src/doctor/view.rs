//! A request as it is shown to an administrator, and as it travels to the command line.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::RequestId;
use crate::requests::{Body, Entry};

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestView {
    /// Its place in the connection's log.
    pub number: u64,
    /// When it came.
    pub when: Timestamp,
    /// Its id, as in the answer's `X-Request-Id`, the access log and the history.
    pub request: RequestId,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The status it was answered with.
    pub status: u16,
    /// How long the answer took, in microseconds.
    pub took_us: u32,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What a failed one was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// And in SCIM's word for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_type: Option<String>,
    /// The first and the last change that it led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<(u64, u64)>,
    /// What it sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

impl RequestView {
    /// Shows an entry of the log, with or without what was sent.
    pub fn of(entry: &Entry, with_body: bool) -> Self {
        Self {
            number: entry.number,
            when: entry.when(),
            request: entry.request,
            method: entry.method.to_string(),
            target: entry.target.to_string(),
            status: entry.status,
            took_us: entry.took_us,
            agent: entry.agent.as_deref().map(str::to_owned),
            detail: entry.detail.as_deref().map(str::to_owned),
            scim_type: entry.scim_type.map(str::to_owned),
            changes: entry.changes(),
            body: entry.body.clone().filter(|_| with_body),
        }
    }

    /// Returns the path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Tells whether it failed, or something within it did.
    pub fn failed(&self) -> bool {
        self.status >= 400 || self.detail.is_some()
    }

    /// Reads what it sent, where all of it is there.
    pub fn sent(&self) -> Option<serde_json::Value> {
        let body = self.body.as_ref().filter(|body| !body.cut)?;
        serde_json::from_str(body.text.as_deref()?).ok()
    }
}
