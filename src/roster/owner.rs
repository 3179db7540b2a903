//! Who administers the tenant, and whose account it is (P08, T12).

use super::commit::Plan;
use super::error::RosterError;
use super::locks::of_the_firm;
use super::person::{guard, standing};
use super::rows::{self, ADMINISTRATORS, AdministratorRow, OWNER};
use super::scope::Scope;
use super::{Caller, Roster, all_small};
use crate::ids::{Address, ResourceId};
use crate::psa::urn;
use crate::store::{Action, Change, Given, Snapshot, Write};

impl Roster {
    /// Makes a person an administrator.
    pub fn make_administrator(&self, caller: &Caller, id: ResourceId) -> Result<(), RosterError> {
        of_the_firm(caller, Scope::Admin)?;
        self.carry_out(caller, Action::AdminMake, |snapshot| {
            let (at, key) = (Address::user(id), id.as_bytes().to_vec());
            if !snapshot.exists(caller.tenant, at)? {
                return Err(RosterError::NotFound);
            }
            if snapshot.small(caller.tenant, ADMINISTRATORS, &key)?.is_some() {
                return Ok((None, ()));
            }
            let row = rows::encode(&AdministratorRow { since: caller.now })?;
            let plan = Plan {
                given: vec![Given::Exists(at), Given::Small(ADMINISTRATORS, key.clone(), None)],
                writes: vec![Write::Small { space: ADMINISTRATORS, key, value: Some(row) }],
                subject: Some(at),
                changes: vec![Change::of("administrator", None, Some(true.into()))],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })
    }

    /// Makes an administrator a person like others.
    ///
    /// # Errors
    /// [`RosterError::InUse`] for the last one, and for the owner.
    pub fn unmake_administrator(&self, caller: &Caller, id: ResourceId) -> Result<(), RosterError> {
        of_the_firm(caller, Scope::Admin)?;
        self.carry_out(caller, Action::AdminUnmake, |snapshot| {
            let (at, key) = (Address::user(id), id.as_bytes().to_vec());
            if !snapshot.exists(caller.tenant, at)? {
                return Err(RosterError::NotFound);
            }
            let row = snapshot.small(caller.tenant, ADMINISTRATORS, &key)?;
            if row.is_none() {
                return Ok((None, ()));
            }
            let mut given = guard(snapshot, caller, id, "demoted")?;
            given.push(Given::Small(ADMINISTRATORS, key.clone(), row));
            let plan = Plan {
                given,
                writes: vec![Write::Small { space: ADMINISTRATORS, key, value: None }],
                subject: Some(at),
                changes: vec![Change::of("administrator", Some(true.into()), None)],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })
    }

    /// Gives the account to another person, who must be an administrator and active.
    pub fn transfer(&self, caller: &Caller, to: ResourceId) -> Result<(), RosterError> {
        of_the_firm(caller, Scope::Admin)?;
        self.carry_out(caller, Action::OwnerTransfer, |snapshot| {
            let (at, key) = (Address::user(to), to.as_bytes().to_vec());
            let stored = snapshot.get(caller.tenant, at)?.ok_or(RosterError::NotFound)?;
            let core = super::core(&stored)?;
            let administers = snapshot.small(caller.tenant, ADMINISTRATORS, &key)?;
            if administers.is_none() || standing(&stored, core.is_active())?.locks.is_locked() {
                return Err(RosterError::InUse(
                    "the account can be given to an administrator who is not locked only; make the person one, or let them in, first"
                        .to_owned(),
                ));
            }
            let before = snapshot.small(caller.tenant, OWNER, &[])?;
            if before.as_deref() == Some(key.as_slice()) {
                return Ok((None, ()));
            }
            let old = before.as_deref().and_then(owner_id).map(|id| id.to_string().into());
            let attribute = format!("{}:accountOwner", urn::USER);
            let plan = Plan {
                given: vec![
                    Given::Version(at, stored.version()),
                    Given::Small(ADMINISTRATORS, key.clone(), administers),
                    Given::Small(OWNER, Vec::new(), before),
                ],
                writes: vec![Write::Small { space: OWNER, key: Vec::new(), value: Some(key) }],
                subject: Some(at),
                changes: vec![Change::of(attribute, old, Some(to.to_string().into()))],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })
    }

    /// Returns whose account it is.
    pub fn owner(&self, caller: &Caller) -> Result<Option<ResourceId>, RosterError> {
        let snapshot = self.store.snapshot()?;
        Ok(snapshot.small(caller.tenant, OWNER, &[])?.as_deref().and_then(owner_id))
    }

    /// Lists who administers the tenant, in order of id.
    pub fn administrators(&self, caller: &Caller) -> Result<Vec<ResourceId>, RosterError> {
        caller.needs(Scope::UsersRead)?;
        let rows = all_small(self.store.snapshot()?.as_ref(), caller.tenant, ADMINISTRATORS)?;
        Ok(rows.iter().filter_map(|row| owner_id(&row.key)).collect())
    }
}

/// Adds to a plan that a new administrator is the owner, where the account is nobody's.
pub(super) fn own_if_nobodys(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    if snapshot.small(caller.tenant, OWNER, &[])?.is_none() {
        plan.given.push(Given::Small(OWNER, Vec::new(), None));
        let value = Some(id.as_bytes().to_vec());
        plan.writes.push(Write::Small { space: OWNER, key: Vec::new(), value });
        plan.changes.push(Change::of(
            format!("{}:accountOwner", urn::USER),
            None,
            Some(id.to_string().into()),
        ));
    }
    Ok(())
}

fn owner_id(bytes: &[u8]) -> Option<ResourceId> {
    <[u8; 16]>::try_from(bytes).ok().map(ResourceId::from_bytes)
}
