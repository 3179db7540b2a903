//! Whether a plugin is so quick that whoever asks it need not go to a thread that may wait.
//!
//! Measured in fuel and not in time, so that a busy machine makes no plugin slow. A plugin that was taken for quick and was not holds up whoever else is served
//! by that thread, for its deadline at the most. So each time it takes twice as many quick answers until it is taken for quick again.

use std::sync::atomic::{AtomicU32, Ordering};

/// Fuel that a quick call takes at the most, its start included: about a millisecond.
pub const QUICK_FUEL: u64 = 1_000_000;
/// Quick calls in a row after which a plugin is taken for quick at first.
pub const AT_FIRST: u32 = 32;

/// Counts quick calls in a row.
#[derive(Debug)]
pub struct Quick {
    in_a_row: AtomicU32,
    needed: AtomicU32,
}

impl Default for Quick {
    fn default() -> Self {
        Self { in_a_row: AtomicU32::new(0), needed: AtomicU32::new(AT_FIRST) }
    }
}

impl Quick {
    /// Notes what a call took, and whether it came to an end by itself.
    pub fn called(&self, fuel: u64, ended: bool) {
        if ended && fuel <= QUICK_FUEL {
            let more = |count: u32| count.checked_add(1);
            let _ = self.in_a_row.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
            return;
        }
        self.in_a_row.store(0, Ordering::Relaxed);
        let twice = |needed: u32| Some(needed.saturating_mul(2));
        let _ = self.needed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, twice);
    }

    /// Tells whether its next call is likely to be quick.
    pub fn is_likely(&self) -> bool {
        self.in_a_row.load(Ordering::Relaxed) >= self.needed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x55_a_plugin_is_taken_for_quick_after_a_while_and_each_time_that_it_is_not_after_a_longer_one() {
        let quick = Quick::default();
        let mut needed = Vec::new();
        for slow in [(QUICK_FUEL + 1, true), (1, false), (u64::MAX, false)] {
            let mut calls = 0_u32;
            while !quick.is_likely() {
                quick.called(QUICK_FUEL, true);
                calls += 1;
            }
            needed.push(calls);
            quick.called(slow.0, slow.1);
            assert!(!quick.is_likely());
        }
        assert_eq!(needed, [AT_FIRST, 2 * AT_FIRST, 4 * AT_FIRST]);
        for _ in 0..64 {
            quick.called(0, false);
        }
        quick.called(0, true);
        assert!(!quick.is_likely(), "it does not turn over");
    }
}
