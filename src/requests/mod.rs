//! What each connection asked of late, and what it was answered: in memory, bounded, without secrets.
//!
//! For the administrator who wants to see exactly what came in and what was made of it. What was *changed* is in the durable
//! history; this log begins anew at each start and names requests by the same ids.
//!
//! Read in this order: [`entry`] (what is kept of a request), [`names`] (what counts as a secret), `spans` (where the values of a JSON text
//! stand) and [`redact`] (what of a body may be kept), `book` (one connection's entries within their bounds), this file
//! (all connections, and [`Trace`]: what becomes known of a request while it is answered).
//!
//! Knows nothing of how requests arrive and no store. Keeps no credential, and no value of an attribute that nobody may read.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod book;
pub mod entry;
#[cfg(any(test, feature = "testing"))]
pub mod hostile;
pub mod names;
pub mod redact;
mod spans;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;

use book::{Book, Kept};
pub use book::{FAILED_MAX, Overview, RECENT_MAX};
pub use entry::{AGENT_CHARACTERS_MAX, Body, DETAIL_CHARACTERS_MAX, Entry, Outcome, TARGET_BYTES_MAX};
pub use names::SecretNames;
pub use redact::BODY_BYTES_MAX;

use crate::ids::{ConnectionId, RequestId, TenantId};
use crate::roster::Led;
use crate::scim::Kinds;

/// Most bytes that all entries together may take.
pub const BYTES_MAX: usize = 16 << 20;
/// Most connections whose requests are remembered; beyond, the one that has been silent longest is forgotten.
pub const CONNECTIONS_MAX: usize = 1000;

/// Whose request it was.
pub type Who = (TenantId, ConnectionId);

/// The log of requests. Shared by every thread.
///
/// A request takes the lock of its own connection for the time of a push. The lock over all connections is only read, but
/// for the first request of each.
#[derive(Debug)]
pub struct Requests {
    since: Timestamp,
    names: SecretNames,
    books: RwLock<HashMap<Who, Arc<Shelf>>>,
    bytes: AtomicUsize,
    bounds: Bounds,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all entries together.
    pub bytes_max: usize,
    /// Connections.
    pub connections_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes_max: BYTES_MAX, connections_max: CONNECTIONS_MAX }
    }
}

/// One connection's book, and its size where it can be read without its lock.
#[derive(Debug, Default)]
struct Shelf {
    book: Mutex<Book>,
    bytes: AtomicUsize,
}

impl Shelf {
    fn open(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Requests {
    /// Begins an empty log.
    pub fn new(since: Timestamp, names: SecretNames) -> Self {
        Self::within(since, names, Bounds::default())
    }

    /// Begins one with bounds of choice.
    pub fn within(since: Timestamp, names: SecretNames, bounds: Bounds) -> Self {
        Self { since, names, books: RwLock::default(), bytes: AtomicUsize::new(0), bounds }
    }

    /// Returns since when requests have been remembered.
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Returns how many bytes the entries take.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Remembers a request of a connection.
    pub fn record(&self, who: Who, outcome: Outcome<'_>) {
        // Before the lock: what is asked may be long.
        let target = redact::target(outcome.path, outcome.query, &self.names);
        let shelf = self.shelf(who);
        let Kept { came, went } = {
            let mut book = shelf.open();
            let kept = book.take(outcome, target, &self.names);
            shelf.bytes.store(book.bytes(), Ordering::Relaxed);
            kept
        };
        self.bytes.fetch_add(came, Ordering::Relaxed);
        self.bytes.fetch_sub(went, Ordering::Relaxed);
        while self.bytes() > self.bounds.bytes_max && self.shrink_the_largest() {}
    }

    /// Lists what is remembered of a connection, oldest first.
    pub fn entries(&self, who: Who) -> Vec<Arc<Entry>> {
        self.known(who).map(|shelf| shelf.open().entries()).unwrap_or_default()
    }

    /// Finds a request of a connection by the entry's own id.
    pub fn find(&self, who: Who, request: RequestId) -> Option<Arc<Entry>> {
        self.known(who)?.open().find(request)
    }

    /// Counts what a connection did since the start.
    pub fn overview(&self, who: Who) -> Overview {
        self.known(who).map(|shelf| shelf.open().overview()).unwrap_or_default()
    }

    /// Forgets what all connections of a tenant asked; what comes from now on is remembered again.
    pub fn forget(&self, tenant: TenantId) {
        let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
        books.retain(|(of, _), shelf| {
            if *of == tenant {
                self.bytes.fetch_sub(shelf.open().close(), Ordering::Relaxed);
            }
            *of != tenant
        });
    }

    fn known(&self, who: Who) -> Option<Arc<Shelf>> {
        self.books.read().unwrap_or_else(PoisonError::into_inner).get(&who).cloned()
    }

    /// Finds a connection's shelf, or makes one; forgets the connection that has been silent longest where there are too many.
    fn shelf(&self, who: Who) -> Arc<Shelf> {
        if let Some(known) = self.known(who) {
            return known;
        }
        let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
        if !books.contains_key(&who) && books.len() >= self.bounds.connections_max {
            let silent = books.iter().min_by_key(|(_, shelf)| shelf.open().last()).map(|(who, _)| *who);
            if let Some(shelf) = silent.and_then(|who| books.remove(&who)) {
                self.bytes.fetch_sub(shelf.open().close(), Ordering::Relaxed);
            }
        }
        Arc::clone(books.entry(who).or_default())
    }

    /// Takes the oldest entry out of the largest book; false when there is none.
    fn shrink_the_largest(&self) -> bool {
        let books = self.books.read().unwrap_or_else(PoisonError::into_inner);
        let largest = books.values().max_by_key(|shelf| shelf.bytes.load(Ordering::Relaxed)).cloned();
        drop(books);
        let Some(shelf) = largest else { return false };
        let mut book = shelf.open();
        let went = book.drop_oldest();
        shelf.bytes.store(book.bytes(), Ordering::Relaxed);
        drop(book);
        self.bytes.fetch_sub(went, Ordering::Relaxed);
        went > 0
    }
}

/// What becomes known of a request while it is answered: whose it is, what it sent, what it led to.
#[derive(Debug)]
pub struct Trace {
    requests: Arc<Requests>,
    who: OnceLock<Who>,
    body: OnceLock<Body>,
    led: OnceLock<Arc<Led>>,
    within: OnceLock<Within>,
    late: Mutex<Late>,
}

/// How the end of a request stands whose answer goes on after its head.
#[derive(Debug, Default)]
enum Late {
    /// There is nothing to wait for.
    #[default]
    No,
    /// Somebody will say when it is over.
    Awaited,
    /// The head is out, and this is remembered when it is over.
    Held(Box<Ended>),
}

/// What the head of an answer said, for later.
#[derive(Debug)]
struct Ended {
    request: Option<RequestId>,
    method: String,
    path: String,
    query: Option<String>,
    agent: Option<String>,
    status: u16,
    took: Duration,
}

/// What failed within a request that as a whole was answered with success (an operation of Bulk).
#[derive(Debug)]
struct Within {
    detail: String,
    scim_type: Option<&'static str>,
}

impl Trace {
    /// Begins with nothing.
    pub fn new(requests: Arc<Requests>) -> Self {
        Self {
            requests,
            who: OnceLock::new(),
            body: OnceLock::new(),
            led: OnceLock::new(),
            within: OnceLock::new(),
            late: Mutex::default(),
        }
    }

    /// Says whose request it is. Nothing is remembered of a request that is nobody's.
    pub fn is_of(&self, who: Who) {
        let _ = self.who.set(who);
    }

    /// Takes the body as it came, and keeps what of it may be kept.
    pub fn sent(&self, body: &[u8]) {
        let _ = self.body.set(redact::body(body, &self.requests.names));
    }

    /// Returns where the roster writes down which changes the request led to.
    pub fn led(&self) -> Arc<Led> {
        Arc::clone(self.led.get_or_init(Arc::default))
    }

    /// Says what failed within a request whose own answer is a success.
    pub fn failed_within(&self, detail: String, scim_type: Option<&'static str>) {
        let _ = self.within.set(Within { detail, scim_type });
    }

    /// Learns what the schemas call secret by which the request is read.
    pub fn learn(&self, kinds: &Kinds) {
        self.requests.names.learn(kinds);
    }

    /// Says that the answer goes on after its head, and that [`Trace::over`] will be called at its end.
    pub fn waits(&self) {
        *self.late.lock().unwrap_or_else(PoisonError::into_inner) = Late::Awaited;
    }

    /// Says that everything is known now.
    pub fn over(&self) {
        let held = std::mem::take(&mut *self.late.lock().unwrap_or_else(PoisonError::into_inner));
        if let Late::Held(ended) = held {
            self.remember(Outcome {
                request: ended.request,
                method: &ended.method,
                path: &ended.path,
                query: ended.query.as_deref(),
                agent: ended.agent.as_deref(),
                status: ended.status,
                took: ended.took,
                ..Outcome::default()
            });
        }
    }

    /// Remembers the request, if it is somebody's; when it is over, where that is still to come.
    pub fn end<'a>(&'a self, outcome: Outcome<'a>) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*late, Late::Awaited) {
            *late = Late::Held(Box::new(Ended {
                request: outcome.request,
                method: outcome.method.to_owned(),
                path: outcome.path.to_owned(),
                query: outcome.query.map(str::to_owned),
                agent: outcome.agent.map(str::to_owned),
                status: outcome.status,
                took: outcome.took,
            }));
            return;
        }
        drop(late);
        self.remember(outcome);
    }

    fn remember<'a>(&'a self, mut outcome: Outcome<'a>) {
        let Some(who) = self.who.get() else { return };
        outcome.body = self.body.get().cloned();
        outcome.led = self.led.get().cloned();
        if let (None, Some(within)) = (outcome.detail, self.within.get()) {
            outcome.detail = Some(&within.detail);
            outcome.scim_type = within.scim_type;
        }
        self.requests.record(*who, outcome);
    }
}

#[cfg(test)]
mod tests;
