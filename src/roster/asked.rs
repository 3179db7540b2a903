//! Asking operators' plugins ([`super::hooks`]): who is asked about whose requests, when, and what becomes of their answers.
//!
//! Read in this order: here (which plugins there are, and which a caller's connection has), `matter` (what a write of a person puts before them:
//! gate, map and validate in their order, and what follows from failures), `subject` (what they are shown), `propose` (their proposals, checked
//! as anybody's requests), `told` (what the history keeps), `kept` (whom they are asked about again, and when), `follow` (who has them asked
//! again because of others' changes), `again` (asking again), `remap` (what an operator asks for), `notice` (telling of what was committed), `claims` (what programs downstream are told beside).
//!
//! Where no plugin serves a connection, a write costs one comparison.

mod again;
mod claims;
mod follow;
mod kept;
mod matter;
mod notice;
mod propose;
mod remap;
mod subject;
mod told;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::{Map, Value};

pub use again::Mended;
pub use kept::{ParkedView, Parking};
pub(super) use kept::{check_parked, clear, park};
pub(super) use matter::{Answered, Matter, ask};
pub use notice::Reaction;
pub use remap::{PluginAnswer, PluginAsk, Recorded, Remapped, Replayed};

use super::error::RosterError;
use super::hooks::{Operation, Plugin};
use super::rows::{self, CONNECTIONS, ConnectionRow, TENANTS, TenantRow};
use super::shadow::Said;
use super::sheet::Seats;
use super::{LOCAL, LOCAL_NAME, Roster, all_small};
use crate::ids::{ConnectionId, RequestId, TenantId};
use crate::store::Snapshot;

/// A list of plugins.
pub(super) type Plugins = Arc<[Arc<dyn Plugin>]>;

/// The plugins that are loaded, and what is counted of them.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    plugins: RwLock<Plugins>,
    /// Names of tenants, which never change.
    tenants: Mutex<HashMap<TenantId, Arc<str>>>,
    counted: Mutex<BTreeMap<String, Counts>>,
}

/// What became of what a plugin proposed, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Proposals that were taken, or said what was there already.
    pub taken: u64,
    /// Proposals that were refused.
    pub refused: u64,
    /// Times that somebody was left to be mapped later.
    pub parked: u64,
}

/// The plugins of a connection.
#[derive(Debug)]
pub(super) struct Served {
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// The connection's name.
    pub source: String,
    /// In the order of their file; never none.
    pub plugins: Vec<Arc<dyn Plugin>>,
}

/// In which run of calls a caller's requests stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// One Bulk request, one full sync, one remap.
    pub batch: Option<RequestId>,
    /// Nothing will be written.
    pub dry: bool,
    /// Of a look at rows: what those before would take of each pool's seats.
    pub seats: Seats,
}

/// What a request does to a person, and what it says beside the document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand<'a> {
    /// What it does.
    pub operation: Operation,
    /// What it says that no schema knows.
    pub shadow: Option<(&'a Map<String, Value>, Said)>,
}

impl Errand<'_> {
    /// Of what says nothing beside the document.
    pub(super) const fn of(operation: Operation) -> Self {
        Self { operation, shadow: None }
    }
}

impl Loaded {
    fn all(&self) -> Plugins {
        Arc::clone(&self.plugins.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Roster {
    /// Takes over a list of plugins, in the order in which they are asked, for every request that is authenticated from now on. What is under way
    /// ends with those that it began with.
    pub fn use_plugins(&self, plugins: Arc<[Arc<dyn Plugin>]>) {
        *self.plugins.plugins.write().unwrap_or_else(PoisonError::into_inner) = plugins;
        // After the list: what is looked up from here on finds the new one.
        self.forget_credentials();
        if let Err(error) = self.begin_to_follow() {
            tracing::warn!(%error, "how far changes were put before plugins could not be noted; it is shortly");
        }
    }

    /// Lists the plugins that are loaded.
    pub fn plugins(&self) -> Arc<[Arc<dyn Plugin>]> {
        self.plugins.all()
    }

    /// Says what became of what each plugin proposed, by name.
    pub fn plugin_counts(&self) -> Vec<(String, Counts)> {
        let counted = self.plugins.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.iter().map(|(name, counts)| (name.clone(), *counts)).collect()
    }

    /// Counts what a write that was committed had asked.
    pub(super) fn count_asked(&self, answered: &Answered) {
        if answered.called.is_empty() {
            return;
        }
        let mut counted = self.plugins.counted.lock().unwrap_or_else(PoisonError::into_inner);
        for call in answered.called.iter().filter(|call| call.hook == told::MAP) {
            let refused = call.proposals.iter().filter(|one| one.refused.is_some()).count() as u64;
            let counts = counted.entry(call.plugin.clone()).or_default();
            counts.refused = counts.refused.saturating_add(refused);
            let taken = (call.proposals.len() as u64).saturating_sub(refused);
            counts.taken = counts.taken.saturating_add(taken);
        }
        if let Some(parked) = &answered.parked {
            let counts = counted.entry(parked.plugin.clone()).or_default();
            counts.parked = counts.parked.saturating_add(1);
        }
    }

    /// Finds the plugins that serve a connection; `None` where none does.
    pub(super) fn served(
        &self,
        snapshot: &dyn Snapshot,
        tenant: TenantId,
        source: &str,
    ) -> Result<Option<Arc<Served>>, RosterError> {
        let all = self.plugins.all();
        if all.is_empty() || tenant == TenantId::SYSTEM {
            return Ok(None);
        }
        let Some(name) = self.name_of_tenant(snapshot, tenant)? else { return Ok(None) };
        let plugins: Vec<_> = all.iter().filter(|plugin| plugin.serves(&name, source)).cloned().collect();
        Ok((!plugins.is_empty())
            .then(|| Arc::new(Served { tenant: name, source: source.to_owned(), plugins })))
    }

    /// Finds the name of a tenant.
    pub(super) fn name_of_tenant(
        &self,
        snapshot: &dyn Snapshot,
        tenant: TenantId,
    ) -> Result<Option<Arc<str>>, RosterError> {
        {
            let known = self.plugins.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(name) = known.get(&tenant) {
                return Ok(Some(Arc::clone(name)));
            }
        }
        let mut known = HashMap::new();
        for row in all_small(snapshot, TenantId::SYSTEM, TENANTS)? {
            let number = rows::decode::<TenantRow>(&row.value)?.number;
            known.insert(number, Arc::from(String::from_utf8_lossy(&row.key).as_ref()));
        }
        let name = known.get(&tenant).cloned();
        *self.plugins.tenants.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(name)
    }

    /// Finds the connections of a tenant whose people plugins map, by id.
    fn mapped_connections(
        &self,
        snapshot: &dyn Snapshot,
        tenant: TenantId,
        name: &str,
    ) -> Result<HashMap<ConnectionId, Mapped>, RosterError> {
        let all = self.plugins.all();
        let mut found = HashMap::new();
        if !all.iter().any(|plugin| plugin.hooks().map) {
            return Ok(found);
        }
        for (id, connection) in connections(snapshot, tenant)? {
            let mine = || all.iter().filter(|plugin| plugin.hooks().map && plugin.serves(name, &connection));
            if mine().next().is_some() {
                let reads_groups = mine().any(|plugin| plugin.grant().shows_groups());
                found.insert(id, Mapped { reads_groups });
            }
        }
        Ok(found)
    }
}

/// A connection whose people plugins map.
#[derive(Debug, Clone, Copy)]
struct Mapped {
    /// Whether any of them is shown groups.
    reads_groups: bool,
}

/// Lists the connections of a tenant with their names.
pub(super) fn connections(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
) -> Result<Vec<(ConnectionId, String)>, RosterError> {
    let mut all = vec![(LOCAL, LOCAL_NAME.to_owned())];
    for row in all_small(snapshot, tenant, CONNECTIONS)? {
        let ConnectionRow { id, .. } = rows::decode(&row.value)?;
        all.push((id, String::from_utf8_lossy(&row.key).into_owned()));
    }
    Ok(all)
}
