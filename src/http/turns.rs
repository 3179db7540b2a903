//! Whose request is read next where several tenants ask at once (R25).
//!
//! Workers take what is ready in the order in which it came, so that one request of a small tenant would wait behind every one that a large
//! tenant has sent. Here each tenant has a line of its own, and the heads of the lines are let in by turns: of one tenant no more at once than
//! there are workers, and there is one place more than that, so that nobody who takes long keeps everybody else out. As long as a tenant is
//! alone there are no lines, and nothing is counted.
//!
//! A turn is for the processor: who waits for the disk gives it back ([`Resting`]). So that a large tenant's writes do not all have their rules run
//! at once while a small one's waits, writers take a second turn, of other lines, which they keep until the answer.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::time::Instant;

use crate::ids::TenantId;
use crate::roster::Rests;

/// How long lines are kept after a second tenant was last seen.
const COMPANY: Duration = Duration::from_secs(1);

/// The lines. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    begun: Instant,
    /// Who came last.
    last: AtomicU64,
    /// Until when there are lines, in milliseconds since `begun`.
    until: AtomicU64,
    /// How many of one tenant may be inside at once.
    places: usize,
    /// How many of all tenants.
    places_in_all: usize,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    /// Who waits, by tenant; no line is empty.
    waiting: HashMap<TenantId, VecDeque<Sender<Turn>>>,
    /// Tenants that have a line, the next one first.
    order: VecDeque<TenantId>,
    /// How many are inside, by tenant; nobody is there with zero.
    inside: HashMap<TenantId, usize>,
}

/// The right to read. Dropping it lets the next one in.
#[derive(Debug)]
pub(super) struct Turn(Option<(Turns, TenantId)>);

/// No tenant has this number.
const NOBODY: u64 = u64::MAX;

impl Turns {
    /// Lets so many of one tenant in at once, and one more of all tenants.
    pub(super) fn of(places: usize) -> Self {
        Self::of_all(places, places.saturating_add(1))
    }

    /// Lets so many of each tenant in at once, and so many of all.
    pub(super) fn of_all(places: usize, places_in_all: usize) -> Self {
        Self(Arc::new(Inner {
            begun: Instant::now(),
            last: AtomicU64::new(NOBODY),
            until: AtomicU64::new(0),
            places: places.max(1),
            places_in_all,
            lines: Mutex::default(),
        }))
    }

    /// Waits until it is the tenant's turn; not at all while the tenant is alone.
    pub(super) async fn take(&self, tenant: TenantId) -> Turn {
        if !self.is_company(tenant) {
            return Turn(None);
        }
        let called = self.line_up(tenant);
        // Who is ready too gets into line first: otherwise each would be let in at once when it comes, which is the order of coming.
        tokio::task::yield_now().await;
        self.call();
        // The other end is in the line until it is called.
        called.await.unwrap_or(Turn(None))
    }

    /// Notes who comes, and tells whether there is more than one tenant of late.
    fn is_company(&self, tenant: TenantId) -> bool {
        let inner = &self.0;
        let now = u64::try_from(inner.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let tenant = u64::from(tenant.number());
        let last = inner.last.load(Ordering::Relaxed);
        if last == tenant {
            return now < inner.until.load(Ordering::Relaxed);
        }
        inner.last.store(tenant, Ordering::Relaxed);
        if last == NOBODY {
            return false;
        }
        let until = now.saturating_add(u64::try_from(COMPANY.as_millis()).unwrap_or(u64::MAX));
        inner.until.store(until, Ordering::Relaxed);
        true
    }

    fn line_up(&self, tenant: TenantId) -> Receiver<Turn> {
        let (call, called) = channel();
        let mut lines = self.lines();
        let line = lines.waiting.entry(tenant).or_default();
        line.push_back(call);
        if line.len() == 1 {
            lines.order.push_back(tenant);
        }
        called
    }

    /// Lets in as many as there is room for, one of each tenant after the other.
    fn call(&self) {
        loop {
            let Some((tenant, next)) = self.lines().next(self.0.places, self.0.places_in_all) else { return };
            // Whoever has gone away meanwhile leaves the place at once.
            if let Err(mut unused) = next.send(Turn(Some((self.clone(), tenant)))) {
                unused.0 = None;
                self.lines().leave(tenant);
            }
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    /// Takes the next one out of its line and counts it as inside, if there is a place for somebody of that tenant.
    fn next(&mut self, places: usize, in_all: usize) -> Option<(TenantId, Sender<Turn>)> {
        if self.inside.values().sum::<usize>() >= in_all {
            return None;
        }
        let free = |tenant: &TenantId| self.inside.get(tenant).is_none_or(|inside| *inside < places);
        let tenant = self.order.remove(self.order.iter().position(free)?)?;
        let line = self.waiting.get_mut(&tenant)?;
        let next = line.pop_front()?;
        if line.is_empty() {
            self.waiting.remove(&tenant);
        } else {
            self.order.push_back(tenant);
        }
        let inside = self.inside.entry(tenant).or_default();
        *inside = inside.saturating_add(1);
        Some((tenant, next))
    }

    fn leave(&mut self, tenant: TenantId) {
        let Some(inside) = self.inside.get_mut(&tenant) else { return };
        *inside = inside.saturating_sub(1);
        if *inside == 0 {
            self.inside.remove(&tenant);
        }
    }
}

impl Turn {
    /// Makes it something that ends when the request waits for the disk; `None` where nobody else is there to take the turn.
    pub(super) fn resting(self) -> Option<Arc<dyn Rests>> {
        self.0.is_some().then(|| Arc::new(Resting(Mutex::new(Some(self)))) as Arc<dyn Rests>)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((turns, tenant)) = self.0.take() {
            turns.lines().leave(tenant);
            turns.call();
        }
    }
}

/// A turn that is given back when its holder begins to wait for the disk.
#[derive(Debug)]
struct Resting(Mutex<Option<Turn>>);

impl Rests for Resting {
    fn rests(&self) {
        let turn = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(turn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: TenantId = TenantId::new(1);
    const SMALL: TenantId = TenantId::new(2);

    #[tokio::test]
    async fn r25_a_tenant_that_is_alone_waits_in_no_line() {
        let turns = Turns::of(1);
        let held = [turns.take(LARGE).await, turns.take(LARGE).await, turns.take(LARGE).await];
        assert!(held.iter().all(|turn| turn.0.is_none()));
    }

    #[tokio::test]
    async fn r25_one_request_of_a_small_tenant_is_read_before_the_sixty_of_another_that_came_first() {
        let turns = Turns::of(1);
        drop((turns.take(SMALL).await, turns.take(LARGE).await));
        let order = Arc::new(Mutex::new(Vec::new()));
        let come = |tenant: TenantId| {
            let (turns, order) = (turns.clone(), Arc::clone(&order));
            tokio::spawn(async move {
                let _turn = turns.take(tenant).await;
                order.lock().unwrap().push(tenant);
            })
        };
        let mut all: Vec<_> = (0..60).map(|_| come(LARGE)).collect();
        all.push(come(SMALL));
        for one in all {
            one.await.unwrap();
        }
        let order = order.lock().unwrap();
        let place = order.iter().position(|tenant| *tenant == SMALL).unwrap();
        assert!(place <= 2, "it was number {place} of {}", order.len());
    }

    #[tokio::test]
    async fn r25_of_one_tenant_are_as_many_inside_as_it_has_places_however_many_there_are_in_all() {
        let turns = Turns::of_all(2, 100);
        drop((turns.take(SMALL).await, turns.take(LARGE).await));
        let held = [turns.take(LARGE).await, turns.take(LARGE).await];
        let mut third = Box::pin(turns.take(LARGE));
        for _ in 0..10 {
            let others = [turns.take(SMALL).await, turns.take(TenantId::new(3)).await];
            assert!(others.iter().all(|turn| turn.0.is_some()), "others have places of their own");
            tokio::select! {
                biased;
                _ = &mut third => panic!("both places were taken"),
                () = tokio::task::yield_now() => {}
            }
        }
        drop(held);
        assert!(third.await.0.is_some());
    }

    #[tokio::test]
    async fn r25_whoever_goes_away_while_waiting_or_inside_leaves_the_place_to_the_next() {
        let turns = Turns::of(1);
        drop((turns.take(SMALL).await, turns.take(LARGE).await));
        let inside = [turns.take(LARGE).await, turns.take(SMALL).await];
        let gone = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take(SMALL).await }
        });
        tokio::task::yield_now().await;
        gone.abort();
        let _ = gone.await;
        drop(inside);
        drop(turns.take(SMALL).await);
        let lines = turns.lines();
        assert_eq!((lines.inside.len(), lines.waiting.len(), lines.order.len()), (0, 0, 0));
    }

    #[tokio::test]
    async fn r25_a_tenant_whose_requests_take_long_keeps_no_other_out_and_who_rests_leaves() {
        let turns = Turns::of(1);
        drop((turns.take(SMALL).await, turns.take(LARGE).await));
        let long = turns.take(LARGE).await.resting().unwrap();
        drop(turns.take(SMALL).await);
        let mut next = Box::pin(turns.take(LARGE));
        tokio::select! {
            biased;
            _ = &mut next => panic!("there was a place for one"),
            () = async { for _ in 0..10 { tokio::task::yield_now().await } } => {}
        }
        long.rests();
        drop(next.await);
    }
}
