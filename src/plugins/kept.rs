//! Instances that wait for the next call of their batch: few, and not for long.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::call::Running;
use crate::ids::RequestId;

/// Most instances that wait.
pub const KEPT_MAX: usize = 16;
/// How long one waits.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_secs(30);

/// Which instance: of which batch, and of which build of which plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The batch.
    pub batch: RequestId,
    /// The build, by a number that no other has.
    pub build: u64,
}

/// Those that wait, the one longest in use last.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Vec<(Key, Timestamp, Running)>>);

impl Kept {
    /// Takes an instance out; whoever has it is alone with it.
    pub fn take(&self, key: Key, now: Timestamp) -> Option<Running> {
        self.with(now, |kept| {
            let place = kept.iter().position(|(at, ..)| *at == key)?;
            Some(kept.remove(place).2)
        })
    }

    /// Has an instance wait. Where too many do, the one that waits longest goes.
    pub fn put(&self, key: Key, running: Running, now: Timestamp) {
        // Dropped behind the lock: giving memory back takes a while.
        let gone = self.with(now, |kept| {
            let gone = (kept.len() >= KEPT_MAX).then(|| kept.remove(0));
            kept.push((key, now, running));
            gone
        });
        drop(gone);
    }

    /// Lets go of what has waited too long.
    pub fn sweep(&self, now: Timestamp) {
        self.with(now, |_| ());
    }

    /// Returns how many wait.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Tells whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn with<T>(&self, now: Timestamp, work: impl FnOnce(&mut Vec<(Key, Timestamp, Running)>) -> T) -> T {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |since: &Timestamp| now.duration_since(*since).abs() <= KEPT_FOR;
        let (stay, old): (Vec<_>, Vec<_>) = kept.drain(..).partition(|(_, since, _)| fresh(since));
        *kept = stay;
        let done = work(&mut kept);
        drop(kept);
        drop(old);
        done
    }
}
