//! What is remembered of credentials that were looked up: until something changes here, or is heard to have changed in another process on the same store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::Credential;
use crate::ids::TenantId;
use crate::store::Seq;

/// How many credentials are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// The credentials that were looked up since the last change of any token or schema.
#[derive(Debug, Default)]
pub(in crate::roster) struct Credentials {
    known: RwLock<HashMap<[u8; 32], Arc<Credential>>>,
    generation: AtomicU64,
    /// Where the history of the system's own rows stood when it was told last. What has no number there is nothing that a credential stands on.
    system: AtomicU64,
}

impl Credentials {
    /// Says how often something has changed, to be shown to [`Credentials::remember`].
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn find(&self, hash: &[u8; 32]) -> Option<Arc<Credential>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).filter(|known| !known.stale.load(Ordering::Acquire)).cloned()
    }

    /// Remembers a credential, unless some token changed since `generation` was read.
    pub(super) fn remember(&self, hash: [u8; 32], credential: &Arc<Credential>, generation: u64) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if self.generation.load(Ordering::Acquire) == generation {
            if known.len() >= REMEMBERED_MAX {
                known.clear();
            }
            if let Some(old) = known.insert(hash, Arc::clone(credential)) {
                credential.used.fetch_max(old.used.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    }

    /// Has the credentials of a tenant looked up anew (those of every tenant where the system's own rows have changed), as another process has written.
    pub(in crate::roster) fn changed_elsewhere(&self, tenant: TenantId, seq: Seq) {
        if tenant == TenantId::SYSTEM && self.system.swap(seq.0, Ordering::AcqRel) == seq.0 {
            return;
        }
        let known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        self.generation.fetch_add(1, Ordering::AcqRel);
        for credential in known.values() {
            if tenant == TenantId::SYSTEM || credential.tenant == tenant {
                credential.stale.store(true, Ordering::Release);
            }
        }
    }

    /// Forgets everything, and returns what it was.
    pub(in crate::roster) fn forget_all(&self) -> impl Iterator<Item = Arc<Credential>> + use<> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        self.generation.fetch_add(1, Ordering::AcqRel);
        std::mem::take(&mut *known).into_values()
    }
}
