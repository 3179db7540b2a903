//! Who still administers the tenant when a change is through (X13, S196): of people, of groups that give it, of user types.
//!
//! Looked for where somebody can be found at a bounded cost: by the rows of those who were made administrators, by user types and by mapped groups. Who
//! administers by an override alone, or by the cost centres all taken together, is not looked for, and so does not keep another from being the last.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::error::RosterError;
use super::rows::ADMINISTRATORS;
use super::{Caller, all_small, index, person, rights};
use crate::ids::{Address, ConnectionId, KindId, ResourceId};
use crate::psa::permission::{CostCenters, Effective, Facts, HeldType};
use crate::psa::policy::{GroupMap, GroupName};
use crate::scim::Document;
use crate::store::{Given, IndexRange, PAGE_ROWS_MAX, Snapshot, Stored};

/// Most people of one user type or group who are looked at.
const OTHERS_MAX: usize = 200;
/// Most groups of one name that are looked at.
const GROUPS_MAX: usize = 20;

/// Makes of what is known of somebody what a change would make of it.
pub(super) type Strip<'a> = &'a dyn Fn(Address, &mut Facts);

/// Who would belong to a group no more, and who newly.
pub(super) struct Moved<'a> {
    /// Who goes.
    pub gone: &'a dyn Fn(Address) -> bool,
    /// Who comes.
    pub come: &'a BTreeSet<Address>,
}

/// Finds somebody who administers the tenant, is let in, is not `but`, and does so without what a change takes. Returns the facts that this stands
/// on.
pub(super) fn somebody(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    but: Option<ResourceId>,
    strip: Strip<'_>,
) -> Result<Option<Vec<Given>>, RosterError> {
    let search = Search { snapshot, caller, but, strip, tree: OnceLock::new() };
    if let Some(facts) = search.by_row()? {
        return Ok(Some(facts));
    }
    if let Some(facts) = search.by_type()? {
        return Ok(Some(facts));
    }
    search.by_group()
}

/// Refuses a change that would leave nobody who administers where there is somebody now, and says on which facts it stands that it does not.
fn refuse_to_leave_nobody(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    come: &BTreeSet<Address>,
    strip: Strip<'_>,
    what: impl FnOnce() -> String,
) -> Result<Vec<Given>, RosterError> {
    let search = Search { snapshot, caller, but: None, strip, tree: OnceLock::new() };
    for member in come.iter().filter(|member| member.kind == KindId::USER).take(OTHERS_MAX) {
        if let Some(fact) = search.administers(member.id)? {
            return Ok(vec![fact]);
        }
    }
    if let Some(facts) = somebody(snapshot, caller, None, strip)? {
        return Ok(facts);
    }
    if somebody(snapshot, caller, None, &|_, _| {})?.is_none() {
        return Ok(Vec::new());
    }
    Err(RosterError::InUse(format!(
        "{}: nobody would be left who administers; make somebody else an administrator first (rosterd admin create)",
        what()
    )))
}

/// Holds a change of who belongs to a group that gives administration to that.
pub(super) fn guard_group(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    group: ResourceId,
    moved: &Moved<'_>,
) -> Result<Vec<Given>, RosterError> {
    if caller.policy.group_maps.is_empty() {
        return Ok(Vec::new());
    }
    let Some(stored) = snapshot.get(caller.tenant, Address::group(group))? else { return Ok(Vec::new()) };
    let document = super::core(&stored)?;
    let owner = stored.connection().unwrap_or(caller.connection);
    if !gives(snapshot, caller, owner, &document)? {
        return Ok(Vec::new());
    }
    let names = rights::connection_names(snapshot, caller.tenant)?;
    let given = rights::given_by(snapshot, caller, &names, &stored)?;
    let strip = |at: Address, facts: &mut Facts| {
        if (moved.gone)(at) {
            facts.groups.retain(|held| held.id != group);
        }
        if moved.come.contains(&at) {
            facts.groups.extend(given.iter().cloned());
        }
    };
    let what = || {
        let name = crate::scim::error::quoted(document.display_name().unwrap_or_default());
        format!("the group {name} makes the last administrators of the tenant")
    };
    refuse_to_leave_nobody(snapshot, caller, moved.come, &strip, what)
}

/// Holds the end of a group to that: its own, or that of the name by which the settings know it.
pub(super) fn guard_group_end(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    group: ResourceId,
) -> Result<Vec<Given>, RosterError> {
    guard_group(snapshot, caller, group, &Moved { gone: &|_| true, come: &BTreeSet::new() })
}

/// The same for what a group is called, and whose it is: by that the settings know it.
pub(super) fn guard_group_name(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    stored: &Stored,
    wanted: &Document,
) -> Result<Vec<Given>, RosterError> {
    if caller.policy.group_maps.is_empty() {
        return Ok(Vec::new());
    }
    let owner = stored.connection().unwrap_or(caller.connection);
    let next = if super::adopt::adopts(caller, stored) { caller.connection } else { owner };
    if gives(snapshot, caller, next, wanted)? {
        return Ok(Vec::new());
    }
    guard_group_end(snapshot, caller, stored.at().id)
}

/// The same for what a user type gives.
pub(super) fn guard_type(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
    before: &Document,
    wanted: &Document,
) -> Result<Vec<Given>, RosterError> {
    let administers = |document: &Document| caller.policy.administers_by_type(&rights::type_of(id, document));
    if !administers(before) || administers(wanted) {
        return Ok(Vec::new());
    }
    let strip = |_, facts: &mut Facts| {
        facts.user_types.retain(|held| held.id != id);
        facts.groups.iter_mut().for_each(|group| group.user_types.retain(|held| held.id != id));
    };
    let what = || {
        let name = crate::scim::error::quoted(before.display_name().unwrap_or_default());
        format!("the user type {name} makes the last administrators of the tenant")
    };
    refuse_to_leave_nobody(snapshot, caller, &BTreeSet::new(), &strip, what)
}

/// Tells whether the settings give administration to the members of a group that is called so.
fn gives(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    owner: ConnectionId,
    document: &Document,
) -> Result<bool, RosterError> {
    let names = rights::connection_names(snapshot, caller.tenant)?;
    let connection = names.get(&owner).map_or("", String::as_str);
    for map in caller.policy.maps_of(connection, document.display_name(), document.external_id()) {
        if gives_by(snapshot, caller, map)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn gives_by(snapshot: &dyn Snapshot, caller: &Caller, map: &GroupMap) -> Result<bool, RosterError> {
    if caller.policy.administers_by_map(map) {
        return Ok(true);
    }
    for name in &map.user_types {
        let Some(at) = rights::named(snapshot, caller.tenant, KindId::USER_TYPE, name)? else { continue };
        let held: Option<HeldType> = rights::read_type(snapshot, caller.tenant, at.id)?;
        if held.is_some_and(|held| caller.policy.administers_by_type(&held)) {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Search<'a> {
    snapshot: &'a dyn Snapshot,
    caller: &'a Caller,
    but: Option<ResourceId>,
    strip: Strip<'a>,
    tree: OnceLock<Arc<CostCenters>>,
}

impl Search<'_> {
    /// Among those who were made administrators.
    fn by_row(&self) -> Result<Option<Vec<Given>>, RosterError> {
        for row in all_small(self.snapshot, self.caller.tenant, ADMINISTRATORS)? {
            let Ok(id) = <[u8; 16]>::try_from(row.key.as_slice()).map(ResourceId::from_bytes) else {
                continue;
            };
            if let Some(stored) = self.let_in(id)? {
                // Two who remove each other at a time: one of them is too late.
                let version = Given::Version(stored.at(), stored.version());
                return Ok(Some(vec![version, Given::Small(ADMINISTRATORS, row.key, Some(row.value))]));
            }
        }
        Ok(None)
    }

    /// Among those with a user type that gives it.
    fn by_type(&self) -> Result<Option<Vec<Given>>, RosterError> {
        let (snapshot, tenant) = (self.snapshot, self.caller.tenant);
        for id in snapshot.ids(tenant, KindId::USER_TYPE, None, 0, PAGE_ROWS_MAX)? {
            let at = Address { kind: KindId::USER_TYPE, id };
            let Some(stored) = snapshot.get(tenant, at)? else { continue };
            let held = rights::type_of(id, &super::core(&stored)?);
            if !self.caller.policy.administers_by_type(&held) {
                continue;
            }
            let entry = index::reference(at);
            let range = IndexRange::exactly(KindId::USER, entry.index, entry.value);
            for row in snapshot.index_range(tenant, &range, OTHERS_MAX)? {
                if let Some(person) = self.administers(row.id)? {
                    return Ok(Some(vec![person, Given::Version(at, stored.version())]));
                }
            }
        }
        Ok(None)
    }

    /// Among the members of groups that give it.
    fn by_group(&self) -> Result<Option<Vec<Given>>, RosterError> {
        let (snapshot, tenant) = (self.snapshot, self.caller.tenant);
        for map in &self.caller.policy.group_maps {
            if !gives_by(snapshot, self.caller, map)? {
                continue;
            }
            for group in self.groups(map)? {
                for member in snapshot.members(tenant, group.at().id, None, OTHERS_MAX)? {
                    if member.kind != KindId::USER {
                        continue;
                    }
                    if let Some(person) = self.administers(member.id)? {
                        let edges = super::members::as_read(snapshot, self.caller, group.at().id)?;
                        return Ok(Some(vec![person, Given::Version(group.at(), group.version()), edges]));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Finds the groups that a map is about.
    fn groups(&self, map: &GroupMap) -> Result<Vec<Stored>, RosterError> {
        let (snapshot, tenant) = (self.snapshot, self.caller.tenant);
        let names = rights::connection_names(snapshot, tenant)?;
        let Some(connection) = names.iter().find(|(_, name)| **name == map.connection).map(|(id, _)| *id)
        else {
            return Ok(Vec::new());
        };
        let ids: Vec<Address> = match &map.group {
            GroupName::External(name) => {
                let key = index::external_id(KindId::GROUP, connection, name);
                snapshot.by_unique(tenant, &key)?.into_iter().collect()
            }
            GroupName::Display(name) => {
                let range = IndexRange::exactly(KindId::GROUP, index::DISPLAY_NAME, index::folded(name));
                let rows = snapshot.index_range(tenant, &range, GROUPS_MAX)?;
                rows.into_iter().map(|row| Address::group(row.id)).collect()
            }
        };
        let mut found = Vec::new();
        for at in ids {
            found.extend(snapshot.get(tenant, at)?.filter(|stored| stored.connection() == Some(connection)));
        }
        Ok(found)
    }

    /// Finds a person who is let in, and is not who is left out.
    fn let_in(&self, id: ResourceId) -> Result<Option<Stored>, RosterError> {
        if self.but == Some(id) {
            return Ok(None);
        }
        let Some(stored) = self.snapshot.get(self.caller.tenant, Address::user(id))? else { return Ok(None) };
        let active = super::core(&stored)?.is_active();
        Ok((active && !person::standing(&stored, true)?.locks.is_locked()).then_some(stored))
    }

    /// Tells whether somebody who is let in administers with what is left to them, and on which fact that stands.
    fn administers(&self, id: ResourceId) -> Result<Option<Given>, RosterError> {
        let Some(stored) = self.let_in(id)? else { return Ok(None) };
        let at = stored.at();
        let mut facts = rights::facts_with(self.snapshot, self.caller, at, &person::attributes(&stored)?)?;
        (self.strip)(at, &mut facts);
        let tree = match self.tree.get() {
            Some(tree) => tree,
            None => {
                let read = rights::cost_centers(self.snapshot, self.caller.tenant)?;
                self.tree.get_or_init(|| Arc::new(CostCenters::new(read)))
            }
        };
        let effective = Effective::of(&self.caller.policy.catalogue, tree, &facts);
        Ok(effective.is_administrator().then(|| Given::Version(at, stored.version())))
    }
}
