//! Who asks or fails often: an address that does is told to wait (X7, X11).
//!
//! Nothing is counted against a client's name, so that nobody can lock a client out by failing in its place.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Addresses that are counted; beyond, counting begins anew.
const ADDRESSES_MAX: usize = 10_000;
const MINUTE: Duration = Duration::from_mins(1);

/// What is counted, by address.
#[derive(Debug)]
pub struct Throttle {
    addresses: Mutex<HashMap<IpAddr, (Instant, u32)>>,
    per_minute_max: u32,
}

impl Throttle {
    /// Lets so many of each address pass within a minute.
    pub fn up_to(per_minute_max: u32) -> Self {
        Self { addresses: Mutex::default(), per_minute_max }
    }

    /// Counts one. `Some` with the seconds to wait where the address has had its share of this minute.
    pub fn count(&self, address: IpAddr, now: Instant) -> Option<u32> {
        let address = network(address);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= ADDRESSES_MAX && !addresses.contains_key(&address) {
            addresses.clear();
        }
        let (since, counted) = addresses.entry(address).or_insert((now, 0));
        let passed = now.saturating_duration_since(*since);
        if passed >= MINUTE {
            (*since, *counted) = (now, 0);
        }
        *counted = counted.saturating_add(1);
        (*counted > self.per_minute_max).then(|| rest(*since, now))
    }

    /// Says how many seconds an address has to wait that has had its share of this minute, and counts nothing.
    pub fn wait(&self, address: IpAddr, now: Instant) -> Option<u32> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, counted) = addresses.get(&network(address))?;
        let is_over = now.saturating_duration_since(*since) >= MINUTE;
        (!is_over && *counted >= self.per_minute_max).then(|| rest(*since, now))
    }
}

/// Says how many seconds are left of a minute.
fn rest(since: Instant, now: Instant) -> u32 {
    let rest = MINUTE.saturating_sub(now.saturating_duration_since(since)).as_secs();
    u32::try_from(rest).unwrap_or(60).saturating_add(1)
}

/// Whose address it is: of IPv6 the first 64 bits, of which everybody has all that follow.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x7_all_addresses_of_one_network_of_ipv6_are_one() {
        let throttle = Throttle::up_to(1);
        let start = Instant::now();
        let at = |text: &str| throttle.count(text.parse().unwrap(), start);
        assert_eq!(at("2001:db8::1"), None);
        assert!(at("2001:db8::ffff:2").is_some());
        assert_eq!(at("2001:db8:0:1::1"), None);
        assert_eq!(at("192.0.2.1"), None);
        assert!(at("::ffff:192.0.2.1").is_some());
    }

    #[test]
    fn x7_an_address_that_fails_often_is_told_to_wait_and_no_other() {
        let throttle = Throttle::up_to(60);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let start = Instant::now();
        for _ in 0..60 {
            assert_eq!(throttle.count(one, start), None);
        }
        assert_eq!(throttle.count(one, start), Some(61));
        assert_eq!(throttle.count(one, start + Duration::from_secs(59)), Some(2));
        assert_eq!(throttle.count(other, start), None);
        // Who only looks is not counted.
        assert_eq!((throttle.wait(one, start), throttle.wait(other, start)), (Some(61), None));
        assert_eq!(throttle.wait(one, start + MINUTE), None);
        assert_eq!(throttle.count(one, start + MINUTE), None);
        assert_eq!(throttle.wait(one, start + MINUTE), None);
    }
}
