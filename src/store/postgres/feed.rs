//! What other daemons wrote: looked at again and again, and told to whoever watches.
//!
//! Every writer counts on its tenants' rows in the transaction of its batch. One thread reads those counts; where one has grown it reads where the
//! tenant's history stands and tells. How long ago a look began that found everything is what others go by when they rely on what they
//! remember: a daemon that cannot look relies on nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::sql;
use super::wire::{Session, Wire};
use crate::ids::TenantId;
use crate::store::failpoints::{Point, pass};
use crate::store::kv::{Table, keys, open_head};
use crate::store::{Seq, StoreError, Watcher};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a look may take before its connection is given up.
const LOOK_WITHIN: Duration = Duration::from_millis(500);
/// How long ago the last look may have begun for what is remembered to count (X9: less than a second, with what answering takes).
pub(super) const CURRENT_FOR: Duration = Duration::from_millis(700);
/// How long ago it may have begun for the database to count as reachable.
pub(super) const REACHED_WITHIN: Duration = Duration::from_millis(2500);

/// The feed.
pub(super) struct Feed {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    wire: Arc<Wire>,
    place: String,
    watchers: RwLock<Vec<Watcher>>,
    /// When the feed began.
    since: Instant,
    /// When the last look began that found everything.
    looked: Mutex<Option<Instant>>,
    stop: (Mutex<bool>, Condvar),
    silenced: AtomicBool,
}

impl Feed {
    /// Begins to look.
    pub(super) fn start(wire: Arc<Wire>, place: String) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            wire,
            place,
            watchers: RwLock::default(),
            since: Instant::now(),
            looked: Mutex::new(None),
            stop: (Mutex::new(false), Condvar::new()),
            silenced: AtomicBool::new(false),
        });
        let looking = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("store-feed".into())
            .spawn(move || looking.keep_looking())
            .map_err(|error| StoreError::Fatal(format!("the feed's thread cannot start: {error}")))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Has somebody told.
    pub(super) fn follow(&self, watcher: Watcher) {
        self.shared.watchers.write().unwrap_or_else(PoisonError::into_inner).push(watcher);
    }

    /// Tells how long ago the last look began that found everything; `None` where there was none yet.
    pub(super) fn age(&self) -> Option<Duration> {
        let looked = *self.shared.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.map(|at| at.elapsed())
    }

    /// Tells how long the database may have been out of reach: since the last look that found everything, or since the feed began where there was none yet.
    pub(super) fn unreached_for(&self) -> Duration {
        self.age().unwrap_or_else(|| self.shared.since.elapsed())
    }

    /// Stops looking while the test runs, as a daemon does that the network has cut off.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn silence(&self, silenced: bool) {
        self.shared.silenced.store(silenced, Ordering::Release);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        *self.shared.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.stop.1.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's feed ended by a panic");
        }
    }
}

impl Shared {
    fn keep_looking(&self) {
        let mut session: Option<Session> = None;
        let mut seen: HashMap<i64, i64> = HashMap::new();
        while !self.waited_in_vain() {
            if self.silenced.load(Ordering::Acquire) {
                continue;
            }
            let begun = Instant::now();
            match self.look(&mut session, &mut seen) {
                Ok(()) => {
                    *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
                }
                Err(failure) => {
                    tracing::debug!(%failure, "what other daemons wrote cannot be seen");
                    session = None;
                }
            }
        }
    }

    /// Waits for the next look; `true` where there is to be none.
    fn waited_in_vain(&self) -> bool {
        let (stopped, told) = &self.stop;
        let stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = told.wait_timeout_while(stopped, LOOK_EVERY, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn look(&self, held: &mut Option<Session>, seen: &mut HashMap<i64, i64>) -> Result<(), Failure> {
        let session = match held {
            Some(session) if !session.is_closed() => Arc::clone(session),
            _ => {
                let session = self.wire.connect()?;
                *held = Some(Arc::clone(&session));
                session
            }
        };
        let asked = Arc::clone(&session);
        let writes = self.wire.wait(LOOK_WITHIN, async move { sql::all_writes(&asked).await })?;
        pass(Point::PollBefore, &self.place).map_err(|error| Failure::lost(error.to_string()))?;
        let grown: Vec<(i64, i64)> =
            writes.into_iter().filter(|(tenant, writes)| seen.get(tenant) != Some(writes)).collect();
        if grown.is_empty() {
            return Ok(());
        }
        let tenants: Vec<TenantId> =
            grown.iter().filter_map(|(tenant, _)| u32::try_from(*tenant).ok().map(TenantId::new)).collect();
        // At the first look of every tenant: somebody may have begun to wait before it, and others have written since.
        let heads: Vec<_> = tenants.iter().map(|tenant| keys::head(*tenant)).collect();
        let asked = Arc::clone(&session);
        let found =
            self.wire.wait(LOOK_WITHIN, async move { sql::get_many(&asked, Table::Small, heads).await })?;
        let found: HashMap<Vec<u8>, Arc<[u8]>> = found.into_iter().collect();
        for tenant in tenants {
            let key = keys::head(tenant);
            let head = found.get(&key).and_then(|sealed| open_head(&key, sealed));
            self.tell(tenant, head.map_or(Seq::ZERO, |head| head.seq));
        }
        seen.extend(grown);
        Ok(())
    }

    fn tell(&self, tenant: TenantId, seq: Seq) {
        for watcher in self.watchers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            watcher(tenant, seq);
        }
    }
}
