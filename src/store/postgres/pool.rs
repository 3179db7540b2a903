//! The readers' connections: a bounded number, lent for one moment each.
//!
//! Whoever holds a moment and begins another on the same thread takes it from places that are kept for that, so that as many requests as there are
//! places cannot wait for each other's second one. Every wait for a place has an end, and so has the line in which one waits.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::failure::Failure;
use super::wire::{Session, Wire, in_place};

/// How long a request waits for a connection.
const PLACE_WITHIN: Duration = Duration::from_secs(3);
/// Most who may wait at once; more are told to come back.
const WAITING_MAX: usize = 256;
/// A connection that nobody used for so long is looked at before it is lent.
const LOOK_AFTER: Duration = Duration::from_secs(20);
/// How long that look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(1);
/// How long the end of a reader's transaction may take before its connection is given up.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The pool.
pub(super) struct Pool {
    wire: Arc<Wire>,
    places: usize,
    kept_back: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<(Session, Instant)>,
    lent: usize,
    waiting: usize,
    /// How many moments each thread holds.
    held: HashMap<ThreadId, usize>,
}

/// A connection that is lent.
pub(super) struct Lent {
    pool: Arc<Pool>,
    session: Session,
    thread: ThreadId,
    sound: bool,
}

impl Pool {
    /// Prepares a pool of at most so many connections; opens none.
    pub(super) fn new(wire: Arc<Wire>, places: usize) -> Self {
        let kept_back = (places / 3).max(1);
        Self { wire, places, kept_back, state: Mutex::default(), freed: Condvar::new() }
    }

    pub(super) const fn wire(&self) -> &Arc<Wire> {
        &self.wire
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a connection on which nothing is under way.
    pub(super) fn lend(self: &Arc<Self>) -> Result<Lent, Failure> {
        let thread = std::thread::current().id();
        let idle = self.place(thread)?;
        // From here on the place is given back by the drop, whatever happens.
        let session = match idle {
            Some((session, since)) if self.is_sound(&session, since) => Ok(session),
            _ => self.wire.connect(),
        };
        match session {
            Ok(session) => Ok(Lent { pool: Arc::clone(self), session, thread, sound: true }),
            Err(failure) => {
                self.give_back(thread, None);
                Err(failure)
            }
        }
    }

    /// Waits for a place, and takes an idle connection with it where there is one.
    fn place(&self, thread: ThreadId) -> Result<Option<(Session, Instant)>, Failure> {
        let is_free = |state: &State| {
            let open = if state.held.contains_key(&thread) {
                self.places
            } else {
                self.places.saturating_sub(self.kept_back)
            };
            state.lent < open.max(1)
        };
        let mut state = self.state();
        if !is_free(&state) {
            if state.waiting >= WAITING_MAX {
                return Err(Failure::lost("too many wait for a connection to the database"));
            }
            state.waiting += 1;
            drop(state);
            state = in_place(|| {
                let state = self.state();
                let waited = self.freed.wait_timeout_while(state, PLACE_WITHIN, |state| !is_free(state));
                waited.unwrap_or_else(PoisonError::into_inner).0
            });
            state.waiting = state.waiting.saturating_sub(1);
            if !is_free(&state) {
                return Err(Failure::lost("no connection to the database became free"));
            }
        }
        state.lent += 1;
        *state.held.entry(thread).or_default() += 1;
        Ok(state.idle.pop())
    }

    fn is_sound(&self, session: &Session, since: Instant) -> bool {
        if session.is_closed() {
            return false;
        }
        if since.elapsed() < LOOK_AFTER {
            return true;
        }
        let looked = Arc::clone(session);
        self.wire.wait(LOOK_WITHIN, async move { Ok(looked.check_connection().await?) }).is_ok()
    }

    fn give_back(&self, thread: ThreadId, session: Option<Session>) {
        let mut state = self.state();
        state.lent = state.lent.saturating_sub(1);
        if let Some(held) = state.held.get_mut(&thread) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                state.held.remove(&thread);
            }
        }
        if let Some(session) = session.filter(|session| !session.is_closed()) {
            state.idle.push((session, Instant::now()));
        }
        drop(state);
        // Those who may take a place that others may not stand in the same line.
        self.freed.notify_all();
    }

    /// Closes what is idle: after the database was lost, all of it is likely to be dead.
    pub(super) fn forget_idle(&self) {
        self.state().idle.clear();
    }
}

impl Lent {
    pub(super) const fn session(&self) -> &Session {
        &self.session
    }

    /// Notes that the connection is of no use any more.
    pub(super) const fn spoil(&mut self) {
        self.sound = false;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.sound {
            self.pool.give_back(self.thread, None);
            return;
        }
        // Nobody waits for the end of a reader's transaction; its place is free when it has come.
        let (pool, session, thread) = (Arc::clone(&self.pool), Arc::clone(&self.session), self.thread);
        self.pool.wire.leave(async move {
            let ended = timeout(END_WITHIN, session.batch_execute("COMMIT")).await;
            let sound = matches!(ended, Ok(Ok(())));
            pool.give_back(thread, sound.then_some(session));
        });
    }
}
