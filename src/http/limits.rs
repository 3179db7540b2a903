//! Every bound of the edge, with its default, and the counters that enforce those shared by all connections.
//!
//! Durations and sizes are values, so that a test can make them small. Knows nothing of requests.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Largest body that any route takes, and the default for `/Groups` and `/Bulk` once authenticated (X30).
pub const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Largest body of every other route, and of any request that is not authenticated yet (X30).
pub const BODY_BYTES_DEFAULT: u64 = 1024 * 1024;
/// Largest sum of header names and values (X36).
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Longest request target.
pub const TARGET_BYTES_MAX: usize = 16 * 1024;
/// What hyper reads of a request's head before it refuses it on its own, without a SCIM body: more than the two above
/// together, so that the refusal with a body comes first.
pub const HEAD_BYTES_HARD_MAX: usize = 48 * 1024;

/// Bounds of one listener. The defaults are those of `config/default.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the first byte of a connection, and for the TLS handshake.
    pub first_byte: Duration,
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// From the end of the head to the end of the body.
    pub body: Duration,
    /// Fewest body bytes per second, over each [`Limits::body_rate_window`].
    pub body_rate_min: u64,
    /// How long a body may stay below the rate before it is cut.
    pub body_rate_window: Duration,
    /// Between two requests of one connection.
    pub idle: Duration,
    /// From the end of the body to the handler's answer; then 503 with `Retry-After`.
    pub handler: Duration,
    /// How long a client may take none of the answer.
    pub stall: Duration,
    /// How long begun requests may take after the drain has begun; what is left then is cut.
    pub drain: Duration,
    /// Connections open at once.
    pub connections_max: usize,
    /// Connections open at once from one address; `None` where everybody comes through a proxy.
    pub connections_per_address_max: Option<usize>,
    /// Requests between their head and the last byte of their answer.
    pub in_flight_max: usize,
    /// The same for one tenant.
    pub in_flight_per_tenant_max: usize,
    /// Requests a second through one connection of a client.
    pub client_requests_per_s_max: NonZeroU32,
    /// Bytes of all bodies held at once.
    pub bodies_bytes_max: u64,
    /// Whether HTTP/2 without TLS is understood (h2c with prior knowledge).
    pub h2c: bool,
    /// Streams of one HTTP/2 connection that may be open at once.
    pub h2_streams_max: u32,
    /// What `Retry-After` says when something is full, in seconds.
    pub retry_after_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(10),
            head: Duration::from_secs(10),
            body: Duration::from_mins(1),
            body_rate_min: 512,
            body_rate_window: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            handler: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(25),
            connections_max: 4096,
            connections_per_address_max: None,
            in_flight_max: 1024,
            in_flight_per_tenant_max: 256,
            client_requests_per_s_max: const { NonZeroU32::new(2000).expect("it is not zero") },
            bodies_bytes_max: 64 * 1024 * 1024,
            h2c: false,
            h2_streams_max: 128,
            retry_after_s: 1,
        }
    }
}

impl Limits {
    /// File descriptors that the daemon needs beside its connections: the store, the listeners, the runtime, the log.
    const DESCRIPTORS_KEPT: usize = 40;

    /// Lowers the connection cap to what the process's limit on open files leaves, less a reserve for everything else.
    #[must_use]
    pub fn within_descriptors(mut self) -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        if let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) {
            self.connections_max =
                self.connections_max.min(limit.saturating_sub(Self::DESCRIPTORS_KEPT).max(8));
        }
        self
    }
}

/// A number that may not pass a bound; a [`Taken`] gives its share back when dropped.
#[derive(Debug, Clone)]
pub struct Gauge(Arc<Level>);

#[derive(Debug)]
struct Level {
    now: AtomicU64,
    max: u64,
}

impl Gauge {
    /// Starts at zero.
    pub fn up_to(max: u64) -> Self {
        Self(Arc::new(Level { now: AtomicU64::new(0), max }))
    }

    /// Takes a share; `None` when it does not fit.
    pub fn take(&self, share: u64) -> Option<Taken> {
        self.0.add(share).then(|| Taken { level: Arc::clone(&self.0), share })
    }

    /// Tells whether a share would fit now.
    pub fn fits(&self, share: u64) -> bool {
        self.now().checked_add(share).is_some_and(|sum| sum <= self.0.max)
    }

    /// Returns the sum of all shares.
    pub fn now(&self) -> u64 {
        self.0.now.load(Ordering::Relaxed)
    }

    /// Returns the bound.
    pub fn max(&self) -> u64 {
        self.0.max
    }
}

impl Level {
    fn add(&self, share: u64) -> bool {
        self.now
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |now| {
                now.checked_add(share).filter(|sum| *sum <= self.max)
            })
            .is_ok()
    }
}

/// A share of a [`Gauge`].
#[derive(Debug)]
pub struct Taken {
    level: Arc<Level>,
    share: u64,
}

impl Taken {
    /// Grows the share; `false`, and nothing changed, when it does not fit.
    pub fn grow(&mut self, by: u64) -> bool {
        let fits = self.level.add(by);
        if fits {
            self.share = self.share.saturating_add(by);
        }
        fits
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.level.now.fetch_sub(self.share, Ordering::AcqRel);
    }
}

/// One small count per key (a tenant, an address), with the same bound for each. Keys at zero take no room.
#[derive(Debug, Clone)]
pub struct Shares<K: Eq + Hash + Copy> {
    counts: Arc<Mutex<HashMap<K, usize>>>,
    max: Arc<AtomicUsize>,
}

impl<K: Eq + Hash + Copy> Shares<K> {
    /// Gives each key this many.
    pub fn up_to(max: usize) -> Self {
        Self { counts: Arc::default(), max: Arc::new(AtomicUsize::new(max)) }
    }

    /// Takes one; `None` when the key has all it may have.
    pub fn take(&self, key: K) -> Option<Share<K>> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_insert(0);
        if *count >= self.max.load(Ordering::Relaxed) {
            return None;
        }
        *count = count.saturating_add(1);
        drop(counts);
        Some(Share { counts: Arc::clone(&self.counts), key })
    }
}

/// One of a key's [`Shares`].
#[derive(Debug)]
pub struct Share<K: Eq + Hash + Copy> {
    counts: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Eq + Hash + Copy> Drop for Share<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r23_a_gauge_never_passes_its_bound_and_gets_its_shares_back() {
        let gauge = Gauge::up_to(10);
        let mut six = gauge.take(6).unwrap();
        assert!(gauge.take(5).is_none());
        assert!(!six.grow(5));
        assert!(six.grow(4));
        assert_eq!(gauge.now(), 10);
        drop(six);
        assert_eq!(gauge.now(), 0);
        assert!(!gauge.fits(u64::MAX));
    }

    #[test]
    fn r23_shares_are_counted_per_key_and_leave_nothing_behind() {
        let shares = Shares::up_to(2);
        let held = [shares.take('a').unwrap(), shares.take('a').unwrap()];
        assert!(shares.take('a').is_none());
        assert!(shares.take('b').is_some());
        drop(held);
        assert!(shares.take('a').is_some());
        assert!(shares.counts.lock().unwrap().is_empty());
    }
}
