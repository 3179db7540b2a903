//! Who waits for the next change of a tenant, and is woken by it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::ids::TenantId;
use crate::store::Seq;

/// Rings when a tenant's history has grown.
#[derive(Default)]
pub struct Bell(Mutex<HashMap<TenantId, watch::Sender<u64>>>);

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bell")
    }
}

impl Bell {
    /// Wakes whoever waits for a tenant's changes. A tenant for which nobody ever waited costs a look.
    pub fn ring(&self, tenant: TenantId, seq: Seq) {
        let tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = tenants.get(&tenant) {
            sender.send_modify(|latest| *latest = seq.0.max(*latest));
        }
    }

    /// Listens from now on. Whoever listens first and looks then misses nothing.
    pub fn listen(&self, tenant: TenantId) -> watch::Receiver<u64> {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.entry(tenant).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }
}
