//! One connection's requests: the latest, the failed ones for longer, and what they add up to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Outcome, instant};
use super::names::SecretNames;
use super::redact;
use crate::ids::RequestId;

/// How many requests are remembered, whatever became of them.
pub const RECENT_MAX: usize = 200;
/// How many failed ones beyond those, so that a flood of good ones does not push them out.
pub const FAILED_MAX: usize = 100;

/// The classes of status.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What a connection did since the daemon started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// When its first request came.
    pub first: Option<Timestamp>,
    /// When its latest came.
    pub last: Option<Timestamp>,
    /// When the latest came that did not fail.
    pub last_good: Option<Timestamp>,
    /// What the client calls itself, in its latest request that said so.
    pub agent: Option<String>,
    /// How many were answered, by class of status: `2xx`, `4xx`.
    pub by_class: BTreeMap<String, u64>,
    /// How many failed, by SCIM's word for why; an empty word where there is none.
    pub by_scim_type: BTreeMap<String, u64>,
    /// How many came with a credential that was once good, and no longer is.
    pub refused_credentials: u64,
    /// When a list was last read, as every provider does when its connection is tested.
    pub last_read: Option<Timestamp>,
}

/// What a push did to the sum of bytes.
pub(super) struct Kept {
    pub(super) came: usize,
    pub(super) went: usize,
}

/// The log of one connection.
#[derive(Debug, Default)]
pub(super) struct Book {
    recent: VecDeque<Arc<Entry>>,
    /// Failed ones that are no longer among the recent.
    failed: VecDeque<Arc<Entry>>,
    bytes: usize,
    number: u64,
    agent: Option<Arc<str>>,
    overview: Overview,
    /// How many were answered with each class of status, in the order of [`CLASSES`].
    classes: [u64; CLASSES.len()],
    /// Whether it was taken off the shelves; what comes now is for nobody.
    closed: bool,
}

impl Book {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn last(&self) -> Option<Timestamp> {
        self.overview.last
    }

    pub(super) fn overview(&self) -> Overview {
        let classes = CLASSES.iter().zip(self.classes).filter(|(_, count)| *count > 0);
        let by_class = classes.map(|(class, count)| ((*class).to_owned(), count)).collect();
        Overview { by_class, ..self.overview.clone() }
    }

    /// Closes the book, and returns how many bytes go with it.
    pub(super) fn close(&mut self) -> usize {
        self.closed = true;
        self.recent.clear();
        self.failed.clear();
        std::mem::take(&mut self.bytes)
    }

    /// Writes a request down.
    pub(super) fn take(&mut self, outcome: Outcome<'_>, target: Box<str>, names: &SecretNames) -> Kept {
        let Some(request) = outcome.request.filter(|_| !self.closed) else {
            return Kept { came: 0, went: 0 };
        };
        self.number = self.number.saturating_add(1);
        let agent = outcome.agent.map(|agent| self.known_agent(agent, names));
        let entry = Entry::of(self.number, request, outcome, target, agent);
        self.count(&entry);
        let came = entry.size();
        self.recent.push_back(Arc::new(entry));
        let mut went = 0_usize;
        while self.recent.len() > RECENT_MAX {
            went = went.saturating_add(self.retire());
        }
        self.bytes = self.bytes.saturating_add(came).saturating_sub(went);
        Kept { came, went }
    }

    /// Takes the oldest entry out, good ones first; returns how many bytes went.
    pub(super) fn drop_oldest(&mut self) -> usize {
        let mut went = 0;
        while went == 0 && !self.recent.is_empty() {
            went = self.retire();
        }
        if went == 0 {
            went = self.failed.pop_front().map_or(0, |entry| entry.size());
        }
        self.bytes = self.bytes.saturating_sub(went);
        went
    }

    /// Takes the oldest of the recent away; a failed one goes to the failed, whose oldest may have to go instead. Returns how many bytes went.
    fn retire(&mut self) -> usize {
        let Some(entry) = self.recent.pop_front() else { return 0 };
        if !entry.failed() {
            return entry.size();
        }
        self.failed.push_back(entry);
        if self.failed.len() <= FAILED_MAX {
            return 0;
        }
        self.failed.pop_front().map_or(0, |entry| entry.size())
    }

    /// Lists everything, oldest first.
    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        self.failed.iter().chain(&self.recent).cloned().collect()
    }

    pub(super) fn find(&self, request: RequestId) -> Option<Arc<Entry>> {
        self.failed.iter().chain(&self.recent).find(|entry| entry.request == request).cloned()
    }

    /// Nearly every request of a connection comes from the same client: its name is looked at, and kept, once.
    fn known_agent(&mut self, agent: &str, names: &SecretNames) -> Arc<str> {
        match &self.agent {
            Some(known) if known.as_ref() == agent => Arc::clone(known),
            _ => {
                let fresh: Arc<str> = redact::agent(agent, names).into();
                self.agent = Some(Arc::clone(&fresh));
                self.overview.agent = Some(fresh.as_ref().to_owned());
                fresh
            }
        }
    }

    fn count(&mut self, entry: &Entry) {
        let when = instant(entry.request);
        let overview = &mut self.overview;
        overview.first.get_or_insert(when);
        overview.last = overview.last.max(Some(when));
        let class = usize::from(entry.status / 100).saturating_sub(1);
        if let Some(count) = self.classes.get_mut(class) {
            *count = count.saturating_add(1);
        }
        if entry.failed() {
            let word = entry.scim_type.unwrap_or_default();
            match overview.by_scim_type.get_mut(word) {
                Some(count) => *count = count.saturating_add(1),
                None => drop(overview.by_scim_type.insert(word.to_owned(), 1)),
            }
            overview.refused_credentials =
                overview.refused_credentials.saturating_add(u64::from(entry.status == 401));
        } else {
            overview.last_good = overview.last_good.max(Some(when));
            if &*entry.method == "GET" {
                overview.last_read = overview.last_read.max(Some(when));
            }
        }
    }
}
