//! Who fails often: an address whose clients prove nothing is told to wait, and whoever proves who it is never is (X7, X11).
//!
//! Nothing is counted against a client's name, so that nobody can lock a client out by failing in its place.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures of one address within a minute that are answered as such.
pub const FAILURES_PER_MINUTE_MAX: u32 = 60;
/// Addresses that are counted; beyond, counting begins anew.
const ADDRESSES_MAX: usize = 10_000;
const MINUTE: Duration = Duration::from_mins(1);

/// Failures by address.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Throttle {
    /// Counts a failure. `Some` with the seconds to wait where the address has had its share of this minute.
    pub fn count(&self, address: IpAddr, now: Instant) -> Option<u32> {
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= ADDRESSES_MAX && !addresses.contains_key(&address) {
            addresses.clear();
        }
        let (since, failures) = addresses.entry(address).or_insert((now, 0));
        let passed = now.saturating_duration_since(*since);
        if passed >= MINUTE {
            (*since, *failures) = (now, 0);
        }
        *failures = failures.saturating_add(1);
        if *failures <= FAILURES_PER_MINUTE_MAX {
            return None;
        }
        let rest = MINUTE.saturating_sub(now.saturating_duration_since(*since)).as_secs();
        Some(u32::try_from(rest).unwrap_or(60).saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x7_an_address_that_fails_often_is_told_to_wait_and_no_other() {
        let throttle = Throttle::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let start = Instant::now();
        for _ in 0..FAILURES_PER_MINUTE_MAX {
            assert_eq!(throttle.count(one, start), None);
        }
        assert_eq!(throttle.count(one, start), Some(61));
        assert_eq!(throttle.count(one, start + Duration::from_secs(59)), Some(2));
        assert_eq!(throttle.count(other, start), None);
        assert_eq!(throttle.count(one, start + MINUTE), None);
    }
}
