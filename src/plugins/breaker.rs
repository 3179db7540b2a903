//! The breaker of a plugin: one that fails again and again does not cost every request its deadline.
//!
//! Five failures in a row open it; from then on one call in thirty seconds tries whether the plugin is well again. Pure: what time it is goes in.

use jiff::{SignedDuration, Timestamp};

/// Failures in a row that open it.
pub const FAILURES_IN_A_ROW: u32 = 5;
/// Time between two tries while it is open.
pub const PROBE_EVERY: SignedDuration = SignedDuration::from_secs(30);

/// Counts failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Breaker {
    failures: u32,
    /// When the next try is due; `None` while it is closed.
    opens: Option<Timestamp>,
}

impl Breaker {
    /// Tells whether a call may go ahead. Of those that ask when a try is due the first may.
    pub fn lets_through(&mut self, now: Timestamp) -> bool {
        match self.opens {
            None => true,
            Some(due) if now < due && due.duration_since(now) <= PROBE_EVERY => false,
            // Due, or so far ahead that the clock was turned back.
            Some(_) => {
                self.opens = Some(later(now));
                true
            }
        }
    }

    /// Notes that the plugin answered.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// Notes that it broke. Tells whether that opened the breaker.
    pub fn broke(&mut self, now: Timestamp) -> bool {
        self.failures = self.failures.saturating_add(1);
        let was_open = self.is_open();
        if self.failures >= FAILURES_IN_A_ROW {
            self.opens = Some(later(now));
        }
        self.is_open() && !was_open
    }

    /// Tells whether it is open.
    pub const fn is_open(&self) -> bool {
        self.opens.is_some()
    }
}

fn later(now: Timestamp) -> Timestamp {
    now.checked_add(PROBE_EVERY).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn x55_five_failures_in_a_row_open_it_and_one_answer_closes_it() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            assert!(!breaker.broke(at(0)) && breaker.lets_through(at(0)));
        }
        breaker.answered();
        for _ in 0..4 {
            assert!(!breaker.broke(at(0)));
        }
        assert!(breaker.broke(at(0)) && breaker.is_open());
        assert!(!breaker.lets_through(at(29)));
        assert!(breaker.lets_through(at(30)), "a try is due");
        assert!(!breaker.lets_through(at(31)), "one try at a time");
        assert!(!breaker.broke(at(31)), "it was open already");
        assert!(!breaker.lets_through(at(60)));
        assert!(breaker.lets_through(at(61)));
        breaker.answered();
        assert!(breaker.lets_through(at(62)) && !breaker.is_open());
    }

    #[test]
    fn a_clock_that_was_turned_back_keeps_it_open_no_longer() {
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            breaker.broke(at(3600));
        }
        assert!(breaker.lets_through(at(0)));
        assert!(!breaker.lets_through(at(1)));
    }
}
