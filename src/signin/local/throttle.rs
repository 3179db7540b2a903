//! Who fails often at one account waits, longer each time; nobody else does (X11).
//!
//! What is counted is an address and a login together: whoever fails from one place can keep nobody out who comes from another, and no account is ever
//! locked. In memory and bounded; what is forgotten at a restart costs an attacker some seconds less.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// Failures that cost nothing: people mistype.
pub const FREE_FAILURES: u32 = 5;
/// Pause after the first failure that is not free; each further one doubles it.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
/// Longest pause.
pub const PAUSE_MAX: Duration = Duration::from_mins(15);
/// How long after its last failure a pair is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(30);
/// Pairs that are remembered; beyond, those that failed longest ago are let go.
const PAIRS_MAX: usize = 50_000;

type Pair = [u8; 16];

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Failures by address and login.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<HashMap<Pair, Failures>>);

impl Throttle {
    /// Says how long a pair has to wait before it may try again.
    pub fn wait(&self, address: IpAddr, login: &str, now: Instant) -> Option<Duration> {
        let pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = pairs.get(&pair(address, login))?;
        let until = failures.last.checked_add(pause(failures.count))?;
        until.checked_duration_since(now).filter(|rest| !rest.is_zero())
    }

    /// Counts a failure.
    pub fn failed(&self, address: IpAddr, login: &str, now: Instant) {
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = pair(address, login);
        if pairs.len() >= PAIRS_MAX && !pairs.contains_key(&key) {
            make_room(&mut pairs, now);
        }
        let failures = pairs.entry(key).or_insert(Failures { count: 0, last: now });
        if now.saturating_duration_since(failures.last) >= FORGOTTEN_AFTER {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// Forgets a pair that has come in.
    pub fn came_in(&self, address: IpAddr, login: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&pair(address, login));
    }
}

/// Lets those go that are forgotten anyway, and else the half that failed longest ago: whoever fills the table begins anew, and nobody is kept out.
fn make_room(pairs: &mut HashMap<Pair, Failures>, now: Instant) {
    pairs.retain(|_, failures| now.saturating_duration_since(failures.last) < FORGOTTEN_AFTER);
    if pairs.len() < PAIRS_MAX {
        return;
    }
    let mut times: Vec<Instant> = pairs.values().map(|failures| failures.last).collect();
    let (_, middle, _) = times.select_nth_unstable(PAIRS_MAX / 2);
    let middle = *middle;
    pairs.retain(|_, failures| failures.last > middle);
}

/// Names a pair by a digest, so that no login lies in memory because somebody typed it.
fn pair(address: IpAddr, login: &str) -> Pair {
    let place = match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        // A household has a network of its own, of which it may use every address.
        IpAddr::V6(address) => address.octets().into_iter().take(8).collect(),
    };
    let digest =
        Sha256::new().chain_update(place).chain_update([0]).chain_update(login.trim().to_lowercase());
    let mut pair = Pair::default();
    pair.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
    pair
}

fn pause(failures: u32) -> Duration {
    match failures.checked_sub(FREE_FAILURES) {
        None | Some(0) => Duration::ZERO,
        Some(over) => PAUSE_FIRST
            .saturating_mul(1_u32.checked_shl(over.saturating_sub(1).min(20)).unwrap_or(u32::MAX))
            .min(PAUSE_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn x11_who_fails_at_an_account_waits_longer_each_time_and_nobody_else_does() {
        let throttle = Throttle::default();
        let (theirs, mine) = (address("192.0.2.1"), address("192.0.2.2"));
        let mut now = Instant::now();
        for _ in 0..FREE_FAILURES {
            assert_eq!(throttle.wait(theirs, "ada", now), None);
            throttle.failed(theirs, "ada", now);
        }
        for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            assert_eq!(throttle.wait(theirs, "Ada ", now), None);
            throttle.failed(theirs, "ada", now);
            assert_eq!(throttle.wait(theirs, "Ada ", now), Some(Duration::from_secs(seconds)));
            assert_eq!(throttle.wait(mine, "ada", now), None, "ada herself is not kept out");
            assert_eq!(throttle.wait(theirs, "grace", now), None);
            now += Duration::from_secs(seconds);
        }
        throttle.came_in(theirs, "ada");
        assert_eq!(throttle.wait(theirs, "ada", now), None);
    }

    #[test]
    fn x11_failures_of_long_ago_are_forgotten() {
        let throttle = Throttle::default();
        let (theirs, now) = (address("192.0.2.1"), Instant::now());
        for _ in 0..8 {
            throttle.failed(theirs, "ada", now);
        }
        let later = now + FORGOTTEN_AFTER;
        throttle.failed(theirs, "ada", later);
        assert_eq!(throttle.wait(theirs, "ada", later), None);
    }

    #[test]
    fn x11_all_addresses_of_a_household_are_one() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for n in 0..8 {
            throttle.failed(address(&format!("2001:db8:1:2::{n}")), "ada", now);
        }
        assert!(throttle.wait(address("2001:db8:1:2:ffff::1"), "ada", now).is_some());
        assert_eq!(throttle.wait(address("2001:db8:1:3::1"), "ada", now), None);
    }

    #[test]
    fn x11_the_table_is_bounded_and_those_who_failed_last_stay() {
        let throttle = Throttle::default();
        let start = Instant::now();
        for n in 0..PAIRS_MAX + 10 {
            throttle.failed(address("192.0.2.1"), &n.to_string(), start + Duration::from_millis(n as u64));
        }
        let pairs = throttle.0.lock().unwrap();
        assert!(pairs.len() <= PAIRS_MAX);
        assert!(pairs.contains_key(&pair(address("192.0.2.1"), &(PAIRS_MAX + 9).to_string())));
    }
}
