//! How many requests a second each connection of a client may send (R25): enough for every identity provider's first sync, and an end to
//! one that runs wild.
//!
//! A leaky bucket for each connection: after a pause, twice the rate at once.

use std::num::NonZeroU32;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use hyper::header::HeaderName;
use hyper::http::HeaderValue;

use super::problem::Problem;
use crate::ids::{ConnectionId, TenantId};

/// Whose requests are counted together.
type Key = (TenantId, ConnectionId);
type Limiter<C> = RateLimiter<Key, HashMapStateStore<Key>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// The pace of every connection. Connections are made by operators, so there are few.
pub(super) struct Rates<C: Clock = MonotonicClock> {
    limiter: Limiter<C>,
    clock: C,
    per_second: NonZeroU32,
}

impl<C: Clock> std::fmt::Debug for Rates<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rates").field("per_second", &self.per_second).finish_non_exhaustive()
    }
}

impl Rates<MonotonicClock> {
    /// Lets each connection send this many requests a second.
    pub(super) fn of(per_second: NonZeroU32) -> Self {
        Self::timed(per_second, MonotonicClock)
    }
}

impl<C: Clock + Clone> Rates<C> {
    fn timed(per_second: NonZeroU32, clock: C) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(per_second.saturating_mul(TWICE));
        let limiter = RateLimiter::new(quota, HashMapStateStore::default(), clock.clone());
        Self { limiter, clock, per_second }
    }

    /// Counts a request; refuses one that comes too early, with the whole seconds to wait (S9) and what governance clients read (D-S4).
    pub(super) fn enter(&self, tenant: TenantId, connection: ConnectionId) -> Result<(), Problem> {
        let Err(early) = self.limiter.check_key(&(tenant, connection)) else { return Ok(()) };
        let wait = early.wait_time_from(self.clock.now());
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        let field = |name: &'static str| HeaderName::from_static(name);
        Err(Problem::too_many_requests(seconds)
            .with(field("x-rate-limit-limit"), HeaderValue::from(self.per_second.get()))
            .with(field("x-rate-limit-remaining"), HeaderValue::from(0_u32))
            .with(field("x-rate-limit-reset"), HeaderValue::from(seconds)))
    }
}

/// How many seconds' worth may come at once after a pause.
const TWICE: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    const TENANT: TenantId = TenantId::new(1);

    fn connection(number: u8) -> ConnectionId {
        ConnectionId::from_bytes([number; 16])
    }

    // Rows: S9, D-S4.
    #[test]
    fn r25_a_connection_that_runs_wild_waits_whole_seconds_and_no_other_does() {
        let clock = FakeRelativeClock::default();
        let rates = Rates::timed(NonZeroU32::new(50).unwrap(), clock.clone());
        let sent = (0..1000).filter(|_| rates.enter(TENANT, connection(1)).is_ok()).count();
        assert_eq!(sent, 100, "two seconds' worth after a pause");
        let told = rates.enter(TENANT, connection(1)).unwrap_err();
        assert_eq!(told.status().as_u16(), 429);
        rates.enter(TENANT, connection(2)).unwrap();
        rates.enter(TenantId::new(2), connection(1)).unwrap();

        clock.advance(Duration::from_secs(1));
        let sent = (0..1000).filter(|_| rates.enter(TENANT, connection(1)).is_ok()).count();
        assert_eq!(sent, 50);
    }

    #[test]
    fn r25_the_least_that_can_be_configured_is_twice_what_entra_sends() {
        let clock = FakeRelativeClock::default();
        let rates = Rates::timed(NonZeroU32::new(50).unwrap(), clock.clone());
        for _ in 0..25 * 60 {
            rates.enter(TENANT, connection(1)).unwrap();
            clock.advance(Duration::from_millis(40));
        }
    }
}
