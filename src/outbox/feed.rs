//! The feed: a tenant's events after a number, and waiting for the next one.
//!
//! Whoever waits holds a place and listens to the bell; it costs nothing until something is committed. Places are few, and one is free again as
//! soon as nobody reads the answer any more.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::bell::Bell;
use super::event::{Event, Money, Reading};
use crate::ids::TenantId;
use crate::roster::{Caller, Roster, RosterError, Scope};
use crate::store::{Seq, Snapshot};

/// Longest wait for a change.
pub const WAIT_MAX: Duration = Duration::from_secs(60);
/// Most readers that wait at once; there are fewer than connections to the listener, so that probes and metrics always get through.
pub const WAITERS_MAX: usize = 32;
/// Most events of a page.
pub const PAGE_EVENTS_MAX: usize = 1000;
/// Events of a page where nobody says how many.
pub const PAGE_EVENTS_DEFAULT: usize = 100;
/// Bytes of history at which a page takes no more.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// Rows at which a page takes no more, whether they are events or not.
const PAGE_ROWS_MAX: usize = 10_000;
/// Rows that are read from the store at a time.
const ROWS_AT_ONCE: usize = 8;

/// What a reader asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// After which number.
    pub after: Seq,
    /// How many events at most.
    pub limit: usize,
    /// How long to wait for one where there is none.
    pub wait: Duration,
}

/// A stretch of the feed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// Oldest first.
    pub events: Vec<Event>,
    /// What to ask for next (`after`): up to there everything was told, or is no event.
    pub next: u64,
    /// Where the history stood.
    pub head: u64,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The roster refused.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// The number lies ahead of the history.
    #[error(
        "expected a number up to {head}, where the history ends, found {after}; was an older backup put in place? Begin with 0"
    )]
    Ahead {
        /// What was asked for.
        after: u64,
        /// Where the history ends.
        head: u64,
    },
    /// Too many wait.
    #[error("too many readers wait for changes")]
    Crowded,
}

/// The feed of changes.
#[derive(Debug)]
pub struct Feed {
    roster: Arc<Roster>,
    bell: Arc<Bell>,
    base_url: String,
    places: Semaphore,
}

impl Feed {
    /// Makes the feed of a roster whose commits ring the bell.
    pub fn new(roster: Arc<Roster>, bell: Arc<Bell>, base_url: String) -> Self {
        Self { roster, bell, base_url, places: Semaphore::new(WAITERS_MAX) }
    }

    /// Reads a page for a caller with the scope `audit`. Money is for those with `financials`. Waits where there is nothing yet, until
    /// something is committed, the time is over, or `end` comes; then the page is empty. Whoever drops this waits no more.
    pub async fn read(
        self: &Arc<Self>,
        caller: &Caller,
        asked: Asked,
        end: impl Future<Output = ()>,
    ) -> Result<Page, FeedError> {
        caller.needs(Scope::Audit)?;
        let money = if caller.may(Scope::Financials) { Money::Shown } else { Money::Hidden };
        let tenant = caller.tenant();
        // Listens before it looks: what is committed in between rings.
        let mut listener = self.bell.listen(tenant);
        let mut asked = asked;
        let deadline = Instant::now().checked_add(asked.wait.min(WAIT_MAX));
        let mut place = None;
        let mut end = std::pin::pin!(end);
        loop {
            let feed = Arc::clone(self);
            let page = tokio::task::spawn_blocking(move || feed.page(tenant, asked, money)).await;
            let page = page.map_err(|_| RosterError::Broken("reading the feed failed".to_owned()))??;
            let Some(deadline) = deadline.filter(|_| page.events.is_empty() && asked.wait > Duration::ZERO)
            else {
                return Ok(page);
            };
            asked.after = Seq(page.next);
            if page.next < page.head {
                continue;
            }
            if place.is_none() {
                place = Some(self.places.try_acquire().map_err(|_| FeedError::Crowded)?);
            }
            tokio::select! {
                rung = timeout_at(deadline, listener.changed()) => if !matches!(rung, Ok(Ok(()))) { return Ok(page) },
                () = &mut end => return Ok(page),
            }
        }
    }

    fn page(&self, tenant: TenantId, asked: Asked, money: Money) -> Result<Page, FeedError> {
        let snapshot = self.roster.store().snapshot().map_err(RosterError::from)?;
        let reading = Reading { tenant, kinds: self.roster.kinds(), base_url: &self.base_url, money };
        page(snapshot.as_ref(), &reading, asked)
    }
}

/// Reads a page of a moment.
fn page(snapshot: &dyn Snapshot, reading: &Reading<'_>, asked: Asked) -> Result<Page, FeedError> {
    let store = |error| FeedError::Roster(RosterError::from(error));
    let head = snapshot.head(reading.tenant).map_err(store)?.seq;
    if asked.after > head {
        return Err(FeedError::Ahead { after: asked.after.0, head: head.0 });
    }
    let limit = asked.limit.clamp(1, PAGE_EVENTS_MAX);
    let (mut events, mut next, mut bytes, mut rows) = (Vec::new(), asked.after, 0_usize, 0_usize);
    'reading: while events.len() < limit && bytes < PAGE_BYTES_MAX && rows < PAGE_ROWS_MAX {
        let read = snapshot.changes(reading.tenant, next, ROWS_AT_ONCE).map_err(store)?;
        if read.is_empty() {
            break;
        }
        for row in read {
            if events.len() >= limit {
                break 'reading;
            }
            let event = reading.event(&row).map_err(|error| RosterError::Broken(error.to_string()))?;
            events.extend(event);
            next = row.seq;
            rows = rows.saturating_add(1);
            bytes = bytes.saturating_add(row.facts.len()).saturating_add(row.values.len());
        }
    }
    Ok(Page { events, next: next.0, head: head.0 })
}
