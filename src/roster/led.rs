//! Which changes a request led to: written down while its units are committed, for whoever shows requests beside the history.

use std::sync::atomic::{AtomicU64, Ordering};

/// The first and the last change of one request. Shared between who carries it out and who shows it.
#[derive(Debug, Default)]
pub struct Led {
    /// Zero while there is none: the history begins with 1.
    first: AtomicU64,
    last: AtomicU64,
}

impl Led {
    /// Writes down that a unit of the request was committed. The units of one request are committed one after the other.
    pub fn to(&self, change: u64) {
        let _ = self.first.compare_exchange(0, change, Ordering::Relaxed, Ordering::Relaxed);
        self.last.fetch_max(change, Ordering::Relaxed);
    }

    /// Returns the numbers of the first and the last change; `None` where nothing was changed.
    pub fn range(&self) -> Option<(u64, u64)> {
        let (first, last) = (self.first.load(Ordering::Relaxed), self.last.load(Ordering::Relaxed));
        (first > 0).then_some((first, last))
    }
}
