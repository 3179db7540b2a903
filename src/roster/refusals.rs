//! How many refusals, and how many access tokens fetched, go into the history: a client that does not stop asking must not fill the disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Refusals of one credential within a minute that are written down each. The next minute's first entry says how many were not.
pub(super) const REFUSALS_PER_MINUTE_MAX: u32 = 60;
/// The same for clients that do not prove who they are: whoever fails in a client's name may be anybody.
pub(super) const FAILURES_PER_MINUTE_MAX: u32 = 2;
/// The same for access tokens that a client fetches.
pub(super) const ISSUES_PER_MINUTE_MAX: u32 = 6;
/// Credentials that are counted; beyond, counting begins anew.
const CREDENTIALS_MAX: usize = 10_000;

/// What was counted of each credential, by its id, in the minute in which something last was.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<[u8; 16], Minute>>);

#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    number: i64,
    written: u32,
    left_out: u64,
}

impl Refusals {
    /// Counts one. `Some` when it is to be written down, with how many before it were not; else `None`.
    pub(super) fn count(&self, id: [u8; 16], now: Timestamp, per_minute_max: u32) -> Option<u64> {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() >= CREDENTIALS_MAX && !ids.contains_key(&id) {
            ids.clear();
        }
        let minute = ids.entry(id).or_default();
        let number = now.as_second().div_euclid(60);
        if minute.number != number {
            let left_out = minute.left_out;
            *minute = Minute { number, written: 1, left_out: 0 };
            return Some(left_out);
        }
        if minute.written >= per_minute_max {
            minute.left_out = minute.left_out.saturating_add(1);
            return None;
        }
        minute.written = minute.written.saturating_add(1);
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u32 = REFUSALS_PER_MINUTE_MAX;

    #[test]
    fn so_many_a_minute_are_written_down_and_the_rest_is_counted() {
        let refusals = Refusals::default();
        let [token, other] = [1, 2].map(|byte| [byte; 16]);
        let at = |second| Timestamp::from_second(second).unwrap();
        for _ in 0..REFUSALS_PER_MINUTE_MAX {
            assert_eq!(refusals.count(token, at(600), MAX), Some(0));
        }
        for second in 601..660 {
            assert_eq!(refusals.count(token, at(second), MAX), None);
        }
        assert_eq!(refusals.count(other, at(659), MAX), Some(0));
        assert_eq!(refusals.count(token, at(660), MAX), Some(59));
        assert_eq!(refusals.count(token, at(661), MAX), Some(0));
    }
}
