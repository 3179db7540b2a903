//! Between the async edge and the synchronous roster: what every handler is given, and how it hands work over.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, spawn_blocking};

use super::aside::Aside;
use super::body::Bodies;
use super::oauth::{OAuth, TOKEN_PATH};
use super::problem::Problem;
use super::signin::{Desk, Gateway};
use super::turns::Turns;
use crate::roster::{Caller, Roster, RosterError};
use crate::store::wait;

/// Pieces of work that may wait for the disk, or read much, at once; more are told to come back. More than one tenant may have in flight
/// (`server.requests_in_flight_per_tenant_max`), so that none takes every place, and fewer than tokio has threads for (512).
pub const WRITES_AT_ONCE_MAX: usize = 480;

/// Writes of one tenant between their rules and their answer, where several tenants ask: as many as a batch then has of it. Were it more, a lone write of a
/// small tenant would wait until the rules of the others had run: with four it takes half as long again, with all sixty-four four times as long.
const WRITES_OF_ONE_TENANT: usize = 2;

/// How large a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodySizes {
    /// Of most requests.
    pub usual: u64,
    /// Of groups and Bulk.
    pub large: u64,
}

/// How much a request brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// So little that its rules take no longer than many a read.
    Small,
    /// More, or nobody knows.
    Large,
}

/// What every handler is given. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Edge(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    roster: Arc<Roster>,
    base_url: String,
    sizes: ArcSwap<BodySizes>,
    bodies: Bodies,
    oauth: OAuth,
    desk: Desk,
    gateway: Gateway,
    places: Arc<Semaphore>,
    turns: Turns,
    writing: Turns,
    aside: Aside,
}

impl Edge {
    /// Puts an edge around a roster. `base_url` is the public URL of SCIM's base path, from the configuration only (X37).
    pub fn new(
        roster: Arc<Roster>,
        base_url: String,
        sizes: BodySizes,
        bodies: Bodies,
        oauth: OAuth,
        desk: Desk,
        gateway: Gateway,
    ) -> Self {
        let places = Arc::new(Semaphore::new(WRITES_AT_ONCE_MAX));
        let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (turns, aside) = (Turns::of(workers), Aside::of(workers));
        let writing = Turns::of_all(WRITES_OF_ONE_TENANT, WRITES_AT_ONCE_MAX);
        let sizes = ArcSwap::from_pointee(sizes);
        Self(Arc::new(Inner {
            roster,
            base_url,
            sizes,
            bodies,
            oauth,
            desk,
            gateway,
            places,
            turns,
            writing,
            aside,
        }))
    }

    /// Returns the roster, for what needs no work.
    pub fn roster(&self) -> &Roster {
        &self.0.roster
    }

    /// Returns the public URL that every location begins with.
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// Returns where clients fetch access tokens.
    pub fn token_url(&self) -> String {
        token_url(self.base_url())
    }

    /// Returns how large bodies may be.
    pub fn body_sizes(&self) -> BodySizes {
        **self.0.sizes.load()
    }

    /// Changes how large bodies may be from now on.
    pub fn set_body_sizes(&self, sizes: BodySizes) {
        self.0.sizes.store(Arc::new(sizes));
    }

    /// Returns the room that all bodies share.
    pub fn bodies(&self) -> &Bodies {
        &self.0.bodies
    }

    /// Returns what the token endpoint holds.
    pub fn oauth(&self) -> &OAuth {
        &self.0.oauth
    }

    /// Returns what sign-in holds.
    pub fn desk(&self) -> &Desk {
        &self.0.desk
    }

    /// Returns what programs downstream are told by.
    pub fn gateway(&self) -> &Gateway {
        &self.0.gateway
    }

    /// Does quick reading where it stands: an embedded engine answers in microseconds.
    pub fn read<T>(
        &self,
        caller: &Caller,
        work: impl FnOnce(&Roster, &Caller) -> Result<T, RosterError>,
    ) -> Result<T, Problem> {
        work(&self.0.roster, caller).map_err(|error| {
            if let Some(needs) = error.lacks() {
                // Nobody waits for it: the answer is no in any case.
                tokio::spawn(self.clone().note_refusal(caller.clone(), needs));
            }
            error.into()
        })
    }

    /// Does work that may wait for the disk, on a thread that may wait.
    pub async fn run<T, F>(&self, caller: Caller, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Roster, &Caller) -> Result<T, RosterError> + Send + 'static,
    {
        self.wait(move |roster| told(roster, &caller, work)).await
    }

    /// The same for reading that may take long, behind what others ask meanwhile (P12).
    pub async fn read_aside<T, F>(&self, caller: Caller, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Roster, &Caller) -> Result<T, RosterError> + Send + 'static,
    {
        // There reading waits for the network, and needs the runtime's threads for that.
        if self.0.roster.store().is_shared() {
            return self.run(caller, work).await;
        }
        let Ok(place) = Arc::clone(&self.0.places).try_acquire_owned() else { return Err(Problem::busy(1)) };
        let roster = Arc::clone(&self.0.roster);
        let read = move || {
            let _held = place;
            told(&roster, &caller, work)
        };
        Ok(self.0.aside.run(read).await.ok_or_else(|| Problem::busy(1))??)
    }

    /// The same for what takes a moment before it waits for the disk, when it is the tenant's turn (R25).
    pub async fn run_in_turn<T, F>(&self, caller: Caller, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Roster, &Caller) -> Result<T, RosterError> + Send + 'static,
    {
        let turn = self.0.turns.take(caller.tenant()).await;
        let caller = match turn.resting() {
            Some(turn) => caller.resting(turn),
            None => caller,
        };
        self.run(caller, work).await
    }

    /// Does a write when it is the tenant's turn (R25): its rules run where it stands, and only the store is awaited, so that no thread is woken for it.
    /// What may take long before that goes to a thread that may wait: what is large, what plugins are asked about that are not known to be quick, and what reads from a database.
    /// A write goes on when its client has gone.
    pub async fn write_in_turn<T, F, W>(&self, caller: Caller, size: Size, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Roster>, Arc<Caller>) -> W + Send + 'static,
        W: Future<Output = Result<T, RosterError>> + Send + 'static,
    {
        let writes = self.0.writing.take(caller.tenant()).await;
        let turn = self.0.turns.take(caller.tenant()).await;
        let caller = Arc::new(match turn.resting() {
            Some(turn) => caller.resting(turn),
            None => caller,
        });
        let Ok(place) = Arc::clone(&self.0.places).try_acquire_owned() else { return Err(Problem::busy(1)) };
        let roster = Arc::clone(&self.0.roster);
        let takes_long = size == Size::Large || caller.waits_for_plugins() || roster.store().is_shared();
        let writing = async move {
            let _held = (place, writes);
            let done = work(Arc::clone(&roster), Arc::clone(&caller)).await;
            if let Some(needs) = done.as_ref().err().and_then(RosterError::lacks) {
                roster.refused_soon(&caller, needs).await?;
            }
            done
        };
        if takes_long {
            Self::joined(spawn_blocking(move || wait(writing))).await
        } else {
            Self::joined(tokio::spawn(writing)).await
        }
    }

    /// The same for work that no caller of a tenant asked for. Refuses when all threads that may wait are taken.
    pub async fn wait<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Roster) -> Result<T, RosterError> + Send + 'static,
    {
        let Ok(place) = Arc::clone(&self.0.places).try_acquire_owned() else { return Err(Problem::busy(1)) };
        let roster = Arc::clone(&self.0.roster);
        Self::done(place, move || work(&roster)).await
    }

    /// The same for the next part of an answer that has begun: waits for a place, as nobody can be told any more to come back.
    pub async fn patiently<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, RosterError> + Send + 'static,
    {
        let Ok(place) = Arc::clone(&self.0.places).acquire_owned().await else {
            return Err(Problem::busy(1));
        };
        let edge = self.clone();
        Self::done(place, move || work(&edge)).await
    }

    async fn done<T, F>(place: OwnedSemaphorePermit, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, RosterError> + Send + 'static,
    {
        Self::joined(spawn_blocking(move || {
            let _held = place;
            work()
        }))
        .await
    }

    async fn joined<T>(work: JoinHandle<Result<T, RosterError>>) -> Result<T, Problem> {
        match work.await {
            Ok(done) => Ok(done?),
            Err(failed) => match failed.try_into_panic() {
                // The net around the handler catches it, and counts it once.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Problem::busy(1)),
            },
        }
    }

    /// The same for the reading that a request is about, when it is its tenant's turn (R25).
    pub async fn read_in_turn<T>(
        &self,
        caller: &Caller,
        work: impl FnOnce(&Roster, &Caller) -> Result<T, RosterError>,
    ) -> Result<T, Problem> {
        let _turn = self.0.turns.take(caller.tenant()).await;
        self.read(caller, work)
    }

    async fn note_refusal(self, caller: Caller, needs: &'static str) {
        if let Err(problem) = self.wait(move |roster| roster.refused(&caller, needs)).await {
            tracing::warn!(
                status = problem.status().as_u16(),
                "a refusal could not be written to the history"
            );
        }
    }
}

/// Does work for a caller, and writes it to the history where they lack the right.
fn told<T>(
    roster: &Roster,
    caller: &Caller,
    work: impl FnOnce(&Roster, &Caller) -> Result<T, RosterError>,
) -> Result<T, RosterError> {
    let done = work(roster, caller);
    if let Some(needs) = done.as_ref().err().and_then(RosterError::lacks) {
        roster.refused(caller, needs)?;
    }
    done
}

/// Returns where clients fetch access tokens, given the public URL of `/scim/v2`.
pub fn token_url(base_url: &str) -> String {
    format!("{}{TOKEN_PATH}", base_url.strip_suffix("/scim/v2").unwrap_or(base_url))
}
