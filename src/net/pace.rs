//! How often somebody outside is asked (R30, X50): two requests at once and then one a second, and ever more seldom while they fail.
//!
//! Pure: the moment is an argument. Whoever fetches keeps one for each place that it asks.

use std::time::Duration;

use tokio::time::Instant;

/// Between two requests to one place.
pub const SPACING: Duration = Duration::from_secs(1);
/// Requests that may be made without that.
pub const BURST: u32 = 2;
/// Longest wait after requests that failed.
pub const BACKOFF_MAX: Duration = Duration::from_mins(5);

/// What is known of how often one place was asked of late.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    failures: u32,
    /// Until when nobody asks, after failures.
    rest: Option<Instant>,
    /// Requests that may be made now, and since when that is so.
    tokens: Option<(u32, Instant)>,
}

impl Pace {
    /// Tells whether the place may be asked now. With `take`, a request is used up.
    pub fn may_ask(&mut self, take: bool, now: Instant) -> bool {
        if self.rest.is_some_and(|rest| now < rest) {
            return false;
        }
        let (left, since) = self.tokens.unwrap_or((BURST, now));
        let earned = u32::try_from(now.saturating_duration_since(since).as_secs()).unwrap_or(u32::MAX);
        let (left, since) = if left.saturating_add(earned) >= BURST {
            (BURST, now)
        } else {
            (left.saturating_add(earned), since.checked_add(SPACING.saturating_mul(earned)).unwrap_or(now))
        };
        self.tokens = Some((left.saturating_sub(u32::from(take && left > 0)), since));
        left > 0
    }

    /// Notes that the place has answered.
    pub fn succeeded(&mut self) {
        (self.failures, self.rest) = (0, None);
    }

    /// Notes that it has not. `jitter` is a number between 0 and 255, so that daemons which lost the same place do not come back together.
    pub fn failed(&mut self, jitter: u8, now: Instant) {
        let doubled = SPACING.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let wait = doubled.min(BACKOFF_MAX);
        // Between the whole and half as much again.
        let wait = wait.saturating_add(wait.saturating_mul(u32::from(jitter)) / 512);
        self.failures = self.failures.saturating_add(1).min(16);
        self.rest = now.checked_add(wait);
    }

    /// Tells whether the last request failed.
    pub const fn is_failing(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r30_the_wait_after_a_failure_grows_and_differs() {
        let start = Instant::now();
        let waits = |jitter| {
            let mut pace = Pace::default();
            (0..12)
                .map(|_| {
                    pace.failed(jitter, start);
                    pace.rest.unwrap().duration_since(start)
                })
                .collect::<Vec<_>>()
        };
        let (least, most) = (waits(0), waits(255));
        assert_eq!(least[..4], [1, 2, 4, 8].map(Duration::from_secs));
        assert_eq!(least.last(), Some(&BACKOFF_MAX));
        assert!(least.iter().zip(&most).all(|(least, most)| least < most && *most < least.saturating_mul(2)));
    }

    #[test]
    fn r30_an_answer_ends_the_wait() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.failed(0, start);
        assert!(pace.is_failing() && !pace.may_ask(false, start));
        pace.succeeded();
        assert!(!pace.is_failing() && pace.may_ask(false, start));
    }
}
