//! A store that tells of its commits: what waits for a change need not ask again and again.
//!
//! Wraps any store and changes nothing about it. Told is what takes a number in a tenant's history, after it is durable and before
//! whoever wrote it goes on.

use std::sync::{Arc, PoisonError, RwLock};

use super::kv::KvRead;
use super::{Finding, Health, Outcome, Queued, Seq, Snapshot, Store, StoreError, Unit};
use crate::ids::TenantId;

/// Is told whose history grew, and up to which number. Must be quick, and must not write.
pub type Watcher = Arc<dyn Fn(TenantId, Seq) + Send + Sync>;

/// A store, and who watches it.
pub struct Watched {
    store: Arc<dyn Store>,
    watchers: Watchers,
}

/// Who is told. Shared with what is on its way.
#[derive(Clone, Default)]
struct Watchers(Arc<RwLock<Vec<Watcher>>>);

impl Watched {
    /// Wraps a store that nobody watches yet.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, watchers: Watchers::default() }
    }

    /// Has somebody told of every commit from now on.
    pub fn watch(&self, watcher: Watcher) {
        self.watchers.0.write().unwrap_or_else(PoisonError::into_inner).push(watcher);
    }
}

impl Watchers {
    fn tell(&self, tenant: TenantId, outcome: &Result<Outcome, StoreError>) {
        let Ok(Outcome::Committed { seq }) = outcome else { return };
        for watcher in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            watcher(tenant, *seq);
        }
    }
}

impl Store for Watched {
    fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError> {
        let is_history = unit.log.is_some();
        let outcome = self.store.commit(tenant, unit);
        if is_history {
            self.watchers.tell(tenant, &outcome);
        }
        outcome
    }

    fn queue(&self, tenant: TenantId, unit: Unit) -> Queued {
        let is_history = unit.log.is_some();
        let queued = self.store.queue(tenant, unit);
        if !is_history {
            return queued;
        }
        let watchers = self.watchers.clone();
        Box::pin(async move {
            let outcome = queued.await;
            watchers.tell(tenant, &outcome);
            outcome
        })
    }

    fn commit_each(&self, tenant: TenantId, units: Vec<Unit>) -> Vec<Result<Outcome, StoreError>> {
        let outcomes = self.store.commit_each(tenant, units);
        outcomes.iter().for_each(|outcome| self.watchers.tell(tenant, outcome));
        outcomes
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.store.snapshot()
    }

    fn health(&self) -> Health {
        self.store.health()
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    fn follow(&self, watcher: Watcher) {
        self.store.follow(watcher);
    }

    fn is_current(&self) -> bool {
        self.store.is_current()
    }

    fn check(&self, progress: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError> {
        self.store.check(progress)
    }

    fn rows(&self) -> Result<Arc<dyn KvRead>, StoreError> {
        self.store.rows()
    }
}
