//! What is kept of one request.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::RequestId;
use crate::roster::Led;

/// Longest User-Agent that is kept.
pub const AGENT_CHARACTERS_MAX: usize = 120;
/// Longest path with query that is kept.
pub const TARGET_BYTES_MAX: usize = 2048;
/// Longest error text that is kept.
pub const DETAIL_CHARACTERS_MAX: usize = 600;

/// What was found in the body of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// How many bytes came.
    pub bytes: u64,
    /// What came, from its beginning, with `"***"` where a secret stood; `None` where it could not be told whether it holds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Box<str>>,
    /// Whether more came than is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// What became of a request, as the edge tells it.
#[derive(Debug, Default)]
pub struct Outcome<'a> {
    /// Which request; its id says when it came.
    pub request: Option<RequestId>,
    /// The method.
    pub method: &'a str,
    /// The path as it was sent.
    pub path: &'a str,
    /// The query as it was sent.
    pub query: Option<&'a str>,
    /// What the client calls itself.
    pub agent: Option<&'a str>,
    /// The status it was answered with.
    pub status: u16,
    /// How long the answer took.
    pub took: Duration,
    /// What a failed one was told.
    pub detail: Option<&'a str>,
    /// And in SCIM's word for it.
    pub scim_type: Option<&'static str>,
    /// What it sent.
    pub body: Option<Body>,
    /// Which changes it led to.
    pub led: Option<Arc<Led>>,
}

/// One request and its answer.
#[derive(Debug)]
pub struct Entry {
    /// Its place in this connection's log, from 1.
    pub number: u64,
    /// Which request.
    pub request: RequestId,
    /// The method.
    pub method: Box<str>,
    /// Path and query, cut and without secrets.
    pub target: Box<str>,
    /// The status.
    pub status: u16,
    /// How long the answer took, in microseconds.
    pub took_us: u32,
    /// What the client calls itself.
    pub agent: Option<Arc<str>>,
    /// What a failed one was told.
    pub detail: Option<Box<str>>,
    /// And in SCIM's word for it.
    pub scim_type: Option<&'static str>,
    /// What it sent.
    pub body: Option<Body>,
    led: Option<Arc<Led>>,
}

impl Entry {
    /// Keeps what may be kept of a request.
    pub(super) fn of(
        number: u64,
        request: RequestId,
        outcome: Outcome<'_>,
        target: Box<str>,
        agent: Option<Arc<str>>,
    ) -> Self {
        Self {
            number,
            request,
            method: outcome.method.into(),
            target,
            status: outcome.status,
            took_us: u32::try_from(outcome.took.as_micros()).unwrap_or(u32::MAX),
            agent,
            detail: outcome.detail.map(|text| start_of(text, DETAIL_CHARACTERS_MAX).into()),
            scim_type: outcome.scim_type,
            body: outcome.body,
            led: outcome.led,
        }
    }

    /// Says when the request came: its id tells, to the millisecond.
    pub fn when(&self) -> Timestamp {
        instant(self.request)
    }

    /// Tells whether it failed, or something within it did.
    pub fn failed(&self) -> bool {
        self.status >= 400 || self.detail.is_some()
    }

    /// Lists the first and the last change that the request led to; also those that were written after it had been answered.
    pub fn changes(&self) -> Option<(u64, u64)> {
        self.led.as_ref().and_then(|led| led.range())
    }

    /// Returns how many bytes the entry takes.
    pub(super) fn size(&self) -> usize {
        // The Arc's two counters, what it led to, and what the allocator adds.
        const AROUND: usize = 96;
        let text = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        let body = self.body.as_ref().map_or(0, |body| text(&body.text));
        [size_of::<Self>(), AROUND, self.method.len(), self.target.len(), text(&self.detail), body]
            .into_iter()
            .fold(0, usize::saturating_add)
    }
}

/// The beginning of a text, in whole characters.
pub(super) fn start_of(text: &str, characters: usize) -> &str {
    // A text has no more characters than bytes.
    if text.len() <= characters {
        return text;
    }
    text.char_indices().nth(characters).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// The instant that a version 7 id begins with.
pub(super) fn instant(request: RequestId) -> Timestamp {
    let millis = request.as_bytes().iter().take(6).fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte));
    Timestamp::from_millisecond(millis).unwrap_or_default()
}
