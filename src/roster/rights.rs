//! What a person may do, from what is stored (section 3 of the domain): facts are read here, [`permission`](crate::psa::permission) computes.
//!
//! Nothing of it is stored. What was computed is remembered for as long as the tenant's history stands where it stood: any change, a lock or a
//! new cost centre alike, makes it anew, so that no answer is older than the last commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::edges::groups_with;
use super::error::RosterError;
use super::rows::{self, ADMINISTRATORS, CONNECTIONS, ConnectionRow};
use super::scope::Scope;
use super::{Caller, LOCAL, LOCAL_NAME, Roster, all_small, core, index, person};
use crate::ids::{Address, ConnectionId, KindId, ResourceId, TenantId};
use crate::psa::catalogue::{Level, PersonKind};
use crate::psa::permission::permits::RatesView;
use crate::psa::permission::{
    Asked as _, CostCenters, Effect, Effective, Facts, Grant, HeldGroup, HeldType, Mark, Override, explain,
};
use crate::psa::policy::{GroupMap, MappedGrant, Policy};
use crate::scim::{Document, Refusal, Why};
use crate::store::{PAGE_ROWS_MAX, Seq, Snapshot, Stored};

/// Most people whose rights are held ready.
const REMEMBERED_MAX: usize = 10_000;

/// A person's rights at one moment.
#[derive(Debug, Clone)]
pub struct Rights {
    /// Whether nobody keeps the person out. Who is kept out may do nothing.
    pub active: bool,
    /// What they may do when they are in.
    pub effective: Arc<Effective>,
}

/// A person's rights, with the moment and the policy for which they were computed.
#[derive(Debug)]
struct Kept {
    seq: Seq,
    policy: Arc<Policy>,
    rights: Rights,
}

/// What was computed.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    people: Mutex<HashMap<(TenantId, ResourceId), Kept>>,
    trees: Mutex<HashMap<TenantId, (Seq, Arc<CostCenters>)>>,
}

impl Roster {
    /// Says what a person may do; `None` when there is no such person.
    pub fn rights(&self, caller: &Caller, id: ResourceId) -> Result<Option<Rights>, RosterError> {
        self.rights_at(self.store.snapshot()?.as_ref(), caller, id)
    }

    /// Says the same of one state of the store.
    pub(super) fn rights_at(
        &self,
        snapshot: &dyn Snapshot,
        caller: &Caller,
        id: ResourceId,
    ) -> Result<Option<Rights>, RosterError> {
        let seq = snapshot.head(caller.tenant)?.seq;
        let key = (caller.tenant, id);
        {
            let known = self.rights.people.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kept) = known.get(&key)
                && kept.seq == seq
                && Arc::ptr_eq(&kept.policy, &caller.policy)
            {
                return Ok(Some(kept.rights.clone()));
            }
        }
        let Some(stored) = snapshot.get(caller.tenant, Address::user(id))? else { return Ok(None) };
        let tree = self.tree(snapshot, caller.tenant, seq)?;
        let (facts, active) = facts(snapshot, caller, &stored)?;
        let effective = Arc::new(Effective::of(&caller.policy.catalogue, &tree, &facts));
        let rights = Rights { active, effective };
        let mut known = self.rights.people.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(key, Kept { seq, policy: Arc::clone(&caller.policy), rights: rights.clone() });
        Ok(Some(rights))
    }

    /// Tells whether a person sees everybody's money: the scope of a token knows no less than that.
    pub(super) fn sees_all_money(&self, caller: &Caller, id: ResourceId) -> Result<bool, RosterError> {
        let rights = self.rights(caller, id)?;
        Ok(rights.is_some_and(|rights| rights.effective.everywhere(RatesView::KEY) == Level::All))
    }

    /// Explains what a person may do: each permission with its level, where it differs, and all that contributed; and for each cost centre
    /// the mark of each permission (P17).
    pub fn explain_rights(&self, caller: &Caller, id: ResourceId) -> Result<Value, RosterError> {
        caller.needs(Scope::UsersRead)?;
        let snapshot = self.store.snapshot()?;
        let stored = snapshot.get(caller.tenant, Address::user(id))?.ok_or(RosterError::NotFound)?;
        let seq = snapshot.head(caller.tenant)?.seq;
        let tree = self.tree(snapshot.as_ref(), caller.tenant, seq)?;
        let (facts, active) = facts(snapshot.as_ref(), caller, &stored)?;
        let catalogue = &caller.policy.catalogue;
        let effective = Effective::of(catalogue, &tree, &facts);
        let explained = explain(catalogue, &tree, &facts);
        let mut permissions = Vec::with_capacity(explained.len());
        for one in &explained {
            let mut told =
                serde_json::to_value(one).map_err(|error| RosterError::Broken(error.to_string()))?;
            let marks: Vec<Value> = effective
                .marks(one.permission, Level::Own)
                .into_iter()
                .filter(|(_, mark)| *mark != Mark::None)
                .map(|(id, mark)| serde_json::json!({ "value": id.to_string(), "mark": mark }))
                .collect();
            if let (Value::Object(told), false) = (&mut told, marks.is_empty()) {
                told.insert("marks".to_owned(), marks.into());
            }
            permissions.push(told);
        }
        Ok(serde_json::json!({
            "id": id.to_string(),
            "active": active,
            "administrator": active && effective.is_administrator(),
            "permissions": permissions,
        }))
    }

    fn tree(
        &self,
        snapshot: &dyn Snapshot,
        tenant: TenantId,
        seq: Seq,
    ) -> Result<Arc<CostCenters>, RosterError> {
        {
            let known = self.rights.trees.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, tree)) = known.get(&tenant)
                && *at == seq
            {
                return Ok(Arc::clone(tree));
            }
        }
        let tree = Arc::new(CostCenters::new(cost_centers(snapshot, tenant)?));
        let mut known = self.rights.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(tenant, (seq, Arc::clone(&tree)));
        Ok(tree)
    }
}

/// Reads every cost centre with its parent.
pub(super) fn cost_centers(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
) -> Result<Vec<(ResourceId, Option<ResourceId>)>, RosterError> {
    let mut all: Vec<(ResourceId, Option<ResourceId>)> = Vec::new();
    loop {
        let after = all.last().map(|(id, _)| *id);
        let ids = snapshot.ids(tenant, KindId::COST_CENTER, after, 0, PAGE_ROWS_MAX)?;
        let last = ids.len() < PAGE_ROWS_MAX;
        for id in ids {
            let at = Address { kind: KindId::COST_CENTER, id };
            let Some(stored) = snapshot.get(tenant, at)? else { continue };
            let document = core(&stored)?;
            let parent = document.get("parent").and_then(|parent| parent.get("value")?.as_str());
            all.push((id, parent.and_then(|id| ResourceId::parse(id).ok())));
        }
        if last {
            return Ok(all);
        }
    }
}

/// Reads what is known of a person as far as rights follow from it, and whether nobody keeps them out.
fn facts(snapshot: &dyn Snapshot, caller: &Caller, stored: &Stored) -> Result<(Facts, bool), RosterError> {
    let psa = person::attributes(stored)?;
    let facts = facts_with(snapshot, caller, stored.at(), &psa)?;
    Ok((facts, core(stored)?.is_active()))
}

/// Reads the same of a person of whom these PSA attributes would hold.
pub(super) fn facts_with(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
    psa: &Map<String, Value>,
) -> Result<Facts, RosterError> {
    let text = |name: &str| psa.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = match text("kind") {
        "freelancer" => PersonKind::Freelancer,
        "client" => PersonKind::Client,
        _ => PersonKind::Employee,
    };
    let mut user_types = Vec::new();
    for element in elements(psa.get("userTypes")) {
        user_types.extend(held_type(snapshot, caller.tenant, element)?);
    }
    let administrator = snapshot.small(caller.tenant, ADMINISTRATORS, at.id.as_bytes())?.is_some();
    Ok(Facts {
        kind,
        class: class(snapshot, caller.tenant, psa.get("license"))?,
        administrator,
        hours_only: text("financialVisibility").eq_ignore_ascii_case("hoursOnly"),
        user_types,
        groups: held_groups(snapshot, caller, at)?,
        overrides: elements(psa.get("overrides")).filter_map(an_override).collect(),
    })
}

/// Computes what a person may do, in the midst of a rule; `None` where they are not there or kept out.
pub(super) fn of_person(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
) -> Result<Option<Effective>, RosterError> {
    let Some(stored) = snapshot.get(caller.tenant, Address::user(id))? else { return Ok(None) };
    let (facts, active) = facts(snapshot, caller, &stored)?;
    let tree = Arc::new(CostCenters::new(cost_centers(snapshot, caller.tenant)?));
    Ok(active.then(|| Effective::of(&caller.policy.catalogue, &tree, &facts)))
}

/// Computes what a person may do when they are in, whether they are or not; `None` where they are not there.
pub(super) fn would_have(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
) -> Result<Option<Effective>, RosterError> {
    let Some(stored) = snapshot.get(caller.tenant, Address::user(id))? else { return Ok(None) };
    let (facts, _) = facts(snapshot, caller, &stored)?;
    let tree = Arc::new(CostCenters::new(cost_centers(snapshot, caller.tenant)?));
    Ok(Some(Effective::of(&caller.policy.catalogue, &tree, &facts)))
}

/// Computes what a person would be able to do with these PSA attributes.
pub(super) fn with_attributes(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
    psa: &Map<String, Value>,
) -> Result<Effective, RosterError> {
    let facts = facts_with(snapshot, caller, at, psa)?;
    let tree = Arc::new(CostCenters::new(cost_centers(snapshot, caller.tenant)?));
    Ok(Effective::of(&caller.policy.catalogue, &tree, &facts))
}

/// Tells whether somebody with these PSA attributes administers the tenant: may change everybody, whatever that comes from.
pub(super) fn administers(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
    psa: &Map<String, Value>,
) -> Result<bool, RosterError> {
    let made = snapshot.small(caller.tenant, ADMINISTRATORS, at.id.as_bytes())?.is_some();
    let sources = ["userTypes", "overrides", "license"];
    if made || (sources.iter().all(|name| !psa.contains_key(*name)) && caller.policy.group_maps.is_empty()) {
        // Of most people nothing has to be computed.
        return Ok(made);
    }
    let tree = Arc::new(CostCenters::new(cost_centers(snapshot, caller.tenant)?));
    let facts = facts_with(snapshot, caller, at, psa)?;
    Ok(Effective::of(&caller.policy.catalogue, &tree, &facts).is_administrator())
}

/// Reads the licence class of a pool: what it says, else its name.
fn class(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    license: Option<&Value>,
) -> Result<Option<String>, RosterError> {
    let Some(id) = id_of(license.and_then(|link| link.get("value"))) else { return Ok(None) };
    let Some(pool) = snapshot.get(tenant, Address { kind: KindId::LICENSE_POOL, id })? else {
        return Ok(None);
    };
    let document = core(&pool)?;
    Ok(document.text("class").or(document.display_name()).map(str::to_owned))
}

/// Tells whether a seat of a pool gives power over others' rights, by its licence class.
pub(super) fn is_privileged_pool(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
) -> Result<bool, RosterError> {
    let link = serde_json::json!({ "value": id.to_string() });
    let Some(class) = class(snapshot, caller.tenant, Some(&link))? else { return Ok(false) };
    let catalogue = &caller.policy.catalogue;
    let Some(class) = catalogue.classes.get(&class) else { return Ok(false) };
    let mut known = catalogue.iter();
    Ok(known.any(|(_, key, _)| class.grants.of(key).is_some_and(|level| catalogue.is_privileged(key, level))))
}

fn held_type(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    element: &Map<String, Value>,
) -> Result<Option<HeldType>, RosterError> {
    let Some(id) = id_of(element.get("value")) else { return Ok(None) };
    let primary = element.get("primary") == Some(&Value::Bool(true));
    let cost_center = id_of(element.get("costCenter"));
    Ok(read_type(snapshot, tenant, id)?.map(|held| HeldType { primary, cost_center, ..held }))
}

/// Reads a user type as somebody has it everywhere.
pub(super) fn read_type(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    id: ResourceId,
) -> Result<Option<HeldType>, RosterError> {
    let Some(stored) = snapshot.get(tenant, Address { kind: KindId::USER_TYPE, id })? else {
        return Ok(None);
    };
    Ok(Some(type_of(id, &core(&stored)?)))
}

/// Reads a user type from its document.
pub(super) fn type_of(id: ResourceId, document: &Document) -> HeldType {
    let text = |name: &str| document.text(name).map(str::to_owned);
    let grant = |grant: &Map<String, Value>| {
        Some(Grant {
            permission: grant.get("permission")?.as_str()?.to_owned(),
            level: Level::parse(&grant.get("level")?.as_str()?.to_ascii_lowercase())?,
            cost_center: id_of(grant.get("costCenter")),
        })
    };
    HeldType {
        id,
        name: document.display_name().unwrap_or_default().to_owned(),
        primary: false,
        cost_center: None,
        role: text("role"),
        access_level: text("accessLevel"),
        license_class: text("licenseClass"),
        grants: elements(document.get("grants")).filter_map(grant).collect(),
    }
}

/// Reads the groups of a person that the settings map to rights. Without such settings no group is read.
fn held_groups(snapshot: &dyn Snapshot, caller: &Caller, at: Address) -> Result<Vec<HeldGroup>, RosterError> {
    if caller.policy.group_maps.is_empty() {
        return Ok(Vec::new());
    }
    let names = connection_names(snapshot, caller.tenant)?;
    let mut held = Vec::new();
    for id in groups_with(snapshot, caller, at)? {
        if let Some(stored) = snapshot.get(caller.tenant, Address::group(id))? {
            held.extend(given_by(snapshot, caller, &names, &stored)?);
        }
    }
    Ok(held)
}

/// Reads what a group gives to its members.
pub(super) fn given_by(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    names: &HashMap<ConnectionId, String>,
    stored: &Stored,
) -> Result<Vec<HeldGroup>, RosterError> {
    let document = core(stored)?;
    let connection = stored.connection().and_then(|id| names.get(&id)).map_or("", String::as_str);
    let maps = caller.policy.maps_of(connection, document.display_name(), document.external_id());
    maps.map(|map| held_group(snapshot, caller.tenant, stored.at().id, stored.display(), map)).collect()
}

fn held_group(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    id: ResourceId,
    name: &str,
    map: &GroupMap,
) -> Result<HeldGroup, RosterError> {
    let mut grants = Vec::new();
    for MappedGrant { permission, level, cost_center } in &map.grants {
        let place = match cost_center {
            None => None,
            // What is limited to a cost centre that is not there gives nothing.
            Some(name) => match named(snapshot, tenant, KindId::COST_CENTER, name)? {
                Some(at) => Some(at.id),
                None => continue,
            },
        };
        grants.push(Grant { permission: permission.clone(), level: *level, cost_center: place });
    }
    let mut user_types = Vec::new();
    for name in &map.user_types {
        if let Some(at) = named(snapshot, tenant, KindId::USER_TYPE, name)? {
            user_types.extend(read_type(snapshot, tenant, at.id)?);
        }
    }
    Ok(HeldGroup { id, name: name.to_owned(), bundle: map.bundle.clone(), grants, user_types })
}

/// Finds one of the firm's own by its display name, or by the externalId that an administrator gave it.
pub(super) fn named(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    kind: KindId,
    name: &str,
) -> Result<Option<Address>, RosterError> {
    let name = name.trim();
    for key in [index::kind_name(kind, name), index::external_id(kind, LOCAL, name)] {
        if let Some(at) = snapshot.by_unique(tenant, &key)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Tells whether the caller's connection must keep its hands off a group that is called so (X20, X21).
pub(super) fn is_closed(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    owner: ConnectionId,
    document: &Document,
) -> Result<bool, RosterError> {
    if caller.connection == LOCAL || caller.policy.group_maps.is_empty() {
        return Ok(false);
    }
    let names = connection_names(snapshot, caller.tenant)?;
    let connection = names.get(&owner).map_or("", String::as_str);
    let mut broken = None;
    let closed = caller.policy.is_closed_to_scim(
        connection,
        document.display_name(),
        document.external_id(),
        |name| match privileged_type(snapshot, caller, name) {
            Ok(privileged) => privileged,
            Err(error) => {
                broken = Some(error);
                true
            }
        },
    );
    broken.map_or(Ok(closed), Err)
}

fn privileged_type(snapshot: &dyn Snapshot, caller: &Caller, name: &str) -> Result<bool, RosterError> {
    let Some(at) = named(snapshot, caller.tenant, KindId::USER_TYPE, name)? else { return Ok(false) };
    let held = read_type(snapshot, caller.tenant, at.id)?;
    Ok(held.is_some_and(|held| caller.policy.is_privileged_type(&held)))
}

pub(super) fn connection_names(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
) -> Result<HashMap<ConnectionId, String>, RosterError> {
    let mut names = HashMap::from([(LOCAL, LOCAL_NAME.to_owned())]);
    for row in all_small(snapshot, tenant, CONNECTIONS)? {
        let ConnectionRow { id, .. } = rows::decode(&row.value)?;
        names.insert(id, String::from_utf8_lossy(&row.key).into_owned());
    }
    Ok(names)
}

/// Refuses grants that the catalogue does not know, or that it does not give for single cost centres.
pub(super) fn check_grants(caller: &Caller, grants: Option<&Value>) -> Result<(), Refusal> {
    for (number, grant) in elements(grants).enumerate() {
        let permission = grant.get("permission").and_then(Value::as_str).unwrap_or_default();
        let limited = grant.contains_key("costCenter");
        let checked = caller.policy.catalogue.check_grant(permission, limited);
        checked.map_err(|error| invalid(&format!("grants[{number}]: {error}")))?;
    }
    Ok(())
}

/// Refuses overrides that the catalogue does not know or does not allow (P16).
pub(super) fn check_overrides(caller: &Caller, overrides: Option<&Value>) -> Result<(), Refusal> {
    for (number, one) in elements(overrides).enumerate() {
        let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
        let denies = text("effect").eq_ignore_ascii_case("deny");
        let limited = one.contains_key("costCenter");
        let checked = caller.policy.catalogue.check_override(text("permission"), limited, denies);
        checked.map_err(|error| invalid(&format!("overrides[{number}]: {error}")))?;
    }
    Ok(())
}

fn invalid(detail: &str) -> Refusal {
    Refusal::new(Why::InvalidValue, detail)
}

fn an_override(element: &Map<String, Value>) -> Option<Override> {
    let text = |name: &str| element.get(name).and_then(Value::as_str);
    Some(Override {
        permission: text("permission")?.to_owned(),
        effect: if text("effect")?.eq_ignore_ascii_case("deny") { Effect::Deny } else { Effect::Grant },
        level: text("level").and_then(|level| Level::parse(&level.to_ascii_lowercase())),
        cost_center: id_of(element.get("costCenter")),
    })
}

fn elements(value: Option<&Value>) -> impl Iterator<Item = &Map<String, Value>> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn id_of(value: Option<&Value>) -> Option<ResourceId> {
    ResourceId::parse(value?.as_str()?).ok()
}
