//! Instances that wait for the next call of their series: few, and not for long.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::call::Running;
use crate::ids::RequestId;
use crate::roster::hooks::{About, Series};

/// Most instances that wait.
pub const KEPT_MAX: usize = 16;
/// How long one waits for the next call of a batch.
const FOR_A_BATCH: SignedDuration = SignedDuration::from_secs(30);
/// How long for the next call of a connection, which is one sync with the call before if it comes by then.
const FOR_A_SYNC: SignedDuration = SignedDuration::from_secs(1);

/// Which instance: of which series, and of which build of which plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    series: Of,
    /// The build, by a number that no other has.
    build: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    Batch(RequestId),
    /// A tenant's connection: what one has seen is never there when another is asked about.
    Connection {
        tenant: String,
        name: String,
    },
}

impl Key {
    /// Returns the key for a call of a build; none for one that stands by itself.
    pub fn of(about: &About, build: u64) -> Option<Self> {
        let series = match about.series {
            Series::Alone => return None,
            Series::Batch(batch) => Of::Batch(batch),
            Series::Sync => Of::Connection { tenant: about.tenant.clone(), name: about.source.clone() },
        };
        Some(Self { series, build })
    }

    const fn waits(&self) -> SignedDuration {
        match self.series {
            Of::Batch(_) => FOR_A_BATCH,
            Of::Connection { .. } => FOR_A_SYNC,
        }
    }
}

/// Those that wait, the one that was in use last at the end.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Vec<(Key, Timestamp, Running)>>);

impl Kept {
    /// Takes an instance out; whoever has it is alone with it.
    pub fn take(&self, key: &Key, now: Timestamp) -> Option<Running> {
        self.with(now, |kept| {
            let place = kept.iter().rposition(|(at, ..)| at == key)?;
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
        let waited = |key: &Key, since: &Timestamp| now.duration_since(*since).abs() > key.waits();
        let old: Vec<_> = kept.extract_if(.., |(key, since, _)| waited(key, since)).collect();
        let done = work(&mut kept);
        drop(kept);
        drop(old);
        done
    }
}
