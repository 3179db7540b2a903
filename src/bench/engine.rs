//! P4's reference: the store's own engine with nothing around it.
//!
//! Each commit writes exactly the rows that as many creates come to: the units are made by the roster itself (without a store behind it),
//! become changes as the writer makes them, and only then does the clock run, for the engine's durable commit and nothing else.
//! At N connections a commit holds N creates: as many as can be waiting.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::BenchError;
use super::meter;
use super::people;
use super::sum::Sum;
use crate::chance::SystemChance;
use crate::clock::SystemClock;
use crate::ids::{KindId, TenantId};
use crate::roster::{Caller, Edges, Roster, RosterError};
use crate::store::kv::{Applied, Batch, Changes, KvEngine, KvRead, KvSnapshot, apply};
use crate::store::redb::{self, RedbOptions};
use crate::store::{Finding, Health, Outcome, Seq, Snapshot, State, Store, StoreError, Unit};

/// An engine on a copy of the daemon's folder.
pub(super) struct Engine {
    bare: Box<dyn KvEngine>,
    catcher: Arc<Catcher>,
    roster: Roster,
    caller: Caller,
    made: usize,
}

impl Engine {
    /// Opens the engine in a folder, for the connection that a token belongs to.
    pub(super) fn open(folder: &Path, token: &str) -> Result<Self, BenchError> {
        let (bare, state) = redb::engine(folder, &RedbOptions::default())?;
        let catcher = Arc::new(Catcher { state: RwLock::new(state), caught: Mutex::default() });
        let store: Arc<dyn Store> = Arc::<Catcher>::clone(&catcher);
        let roster = Roster::new(store, Arc::new(SystemClock), Arc::new(SystemChance));
        let request = roster.request_id();
        let caller = roster.authenticate(token, request).map_err(odd)?;
        let caller =
            caller.ok_or_else(|| StoreError::Invalid("the folder does not know the token".into()))?;
        Ok(Self { bare, catcher, roster, caller, made: 0 })
    }

    /// Commits groups of creates for a while.
    pub(super) fn measure(
        &mut self,
        sum: &mut Sum,
        group: usize,
        window: Duration,
    ) -> Result<(), BenchError> {
        let mut spent = Duration::ZERO;
        // What is not measured takes longer than what is; the run should not.
        let begun = Instant::now();
        while spent < window && begun.elapsed() < window * 2 {
            let changes = self.creates(group)?;
            let (started, cpu) = (Instant::now(), meter::cpu_of_this_thread());
            let state = self.bare.commit(&changes)?;
            let took = started.elapsed();
            sum.flush(group, took, meter::cpu_of_this_thread().saturating_sub(cpu));
            self.catcher.see(state);
            spent += took;
        }
        sum.end_turn();
        Ok(())
    }

    /// Makes what a number of creates would write.
    fn creates(&mut self, group: usize) -> Result<Changes, BenchError> {
        for _ in 0..group {
            self.made += 1;
            let body = people::body("engine", self.made);
            let body = serde_json::from_str(&body).map_err(|why| StoreError::Invalid(why.to_string()))?;
            let kind = self.roster.kinds().by_id(KindId::USER);
            let kind = kind.ok_or_else(|| StoreError::Invalid("no kind for users".into()))?;
            match self.roster.create(&self.caller, kind, body, Edges::NONE) {
                // The unit was caught on its way, so there is nothing to be read back.
                Ok(_) | Err(RosterError::NotFound) => {}
                Err(why) => return Err(odd(why)),
            }
        }
        let state = self.catcher.state();
        let mut batch = Batch::over(state.as_ref());
        for (tenant, unit) in self.catcher.take() {
            match apply(&batch, tenant, &unit)? {
                Applied::Done(_, changes) => batch.absorb(changes),
                Applied::Lost(fact) => {
                    return Err(StoreError::Invalid(format!("a create was lost: {fact:?}")).into());
                }
            }
        }
        Ok(batch.into_changes())
    }
}

fn odd(why: RosterError) -> BenchError {
    StoreError::Invalid(why.to_string()).into()
}

/// A store that reads the engine's state, and keeps what it is told to write to itself.
struct Catcher {
    state: RwLock<Arc<dyn KvRead>>,
    caught: Mutex<Vec<(TenantId, Unit)>>,
}

impl Catcher {
    fn state(&self) -> Arc<dyn KvRead> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn see(&self, state: Arc<dyn KvRead>) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn take(&self) -> Vec<(TenantId, Unit)> {
        std::mem::take(&mut *self.caught.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for Catcher {
    fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError> {
        self.caught.lock().unwrap_or_else(PoisonError::into_inner).push((tenant, unit));
        Ok(Outcome::Committed { seq: Seq::ZERO })
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        Ok(Arc::new(KvSnapshot::new(self.state())))
    }

    fn health(&self) -> Health {
        Health { state: State::Ready, queued: 0, queue_max: 0, batches: 0, units: 0 }
    }

    fn check(&self, _: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError> {
        Ok(Vec::new())
    }
}
