//! The only reader of the wall clock.
//!
//! Rules take `now` as an argument; whoever starts work at the rim asks a [`Clock`] once and passes the answer on.

use std::fmt;

use jiff::Timestamp;

/// Tells the time. Cheap to call from any thread.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Returns the current instant in UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until a test moves it.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub struct FixedClock(std::sync::Mutex<Timestamp>);

#[cfg(any(test, feature = "testing"))]
#[expect(clippy::unwrap_used, reason = "tests: a poisoned clock has already failed the test")]
impl FixedClock {
    /// Starts at an instant such as `2026-01-02T03:04:05Z`.
    pub fn at(text: &str) -> Self {
        Self(std::sync::Mutex::new(text.parse().unwrap()))
    }

    /// Moves the clock, backwards as well.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap() = now;
    }

    /// Moves the clock forward by whole seconds.
    pub fn advance(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
    }
}

#[cfg(any(test, feature = "testing"))]
#[expect(clippy::unwrap_used, reason = "tests: a poisoned clock has already failed the test")]
impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}
