//! Whose the tokens were that were revoked of late, so that an administrator sees who still comes with one. In memory only: the
//! store forgets a revoked token's hash at once. Opens nothing.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::ids::{ConnectionId, TenantId};

/// Revoked tokens that are remembered; beyond, remembering begins anew.
const ENDED_MAX: usize = 1000;

/// Hashes of revoked tokens, and whose they were.
#[derive(Debug, Default)]
pub(super) struct Ended(RwLock<HashMap<[u8; 32], (TenantId, ConnectionId)>>);

impl Ended {
    pub(super) fn remember(&self, hash: [u8; 32], whose: (TenantId, ConnectionId)) {
        let mut ended = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if ended.len() >= ENDED_MAX {
            ended.clear();
        }
        ended.insert(hash, whose);
    }

    pub(super) fn find(&self, hash: &[u8; 32]) -> Option<(TenantId, ConnectionId)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(hash).copied()
    }
}
