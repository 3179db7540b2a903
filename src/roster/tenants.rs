//! Tenants and connections: made and listed by the operator.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::commit::Plan;
use super::error::RosterError;
use super::rows::{self, CONNECTIONS, ConnectionRow, NEXT_TENANT, TENANTS, TenantRow};
use super::scope::{Caller, ConnectionOptions, Scope, Scopes};
use super::sight::{Eyes, Sight};
use super::{LOCAL, LOCAL_NAME, Roster, index};
use crate::idp::Profile;
use crate::idp::profile::AUTO;
use crate::ids::{ConnectionId, RequestId, TenantId};
use crate::psa::policy::Policy;
use crate::store::{Action, Actor, Change, Given, Snapshot, Write};

/// Longest name of a tenant or a connection.
const NAME_CHARACTERS_MAX: usize = 63;

/// A tenant as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantView {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
}

/// A connection as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// Its name.
    pub name: String,
    /// Its id, as the audit trail names it.
    pub id: ConnectionId,
    /// Its profile.
    pub profile: String,
    /// What it may beyond the ordinary.
    #[serde(default)]
    pub options: ConnectionOptions,
    /// When it was made; `None` for the built-in one.
    pub created: Option<Timestamp>,
}

/// What of a connection is to change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConnectionChange {
    /// The profile.
    pub profile: Option<String>,
    /// See [`ConnectionOptions::adopt`].
    pub adopt: Option<bool>,
    /// See [`ConnectionOptions::reclaim_inactive`].
    pub reclaim_inactive: Option<bool>,
}

impl Roster {
    /// Acts for a tenant as the operator, who may read the data folder (audited as `cli`).
    pub fn operator(&self, tenant: &str, request: RequestId) -> Result<Caller, RosterError> {
        let snapshot = self.store.snapshot()?;
        let Some(bytes) = snapshot.small(TenantId::SYSTEM, TENANTS, tenant.as_bytes())? else {
            return Err(RosterError::Unknown(format!(
                "no tenant is named \"{tenant}\"; rosterd tenant list shows them, rosterd tenant create {tenant} makes it"
            )));
        };
        let row: TenantRow = rows::decode(&bytes)?;
        let sight = self.sight(snapshot.as_ref(), row.number, LOCAL, Scopes::of(Scope::ALL))?;
        Ok(self.at_hand(row.number, request, Actor::Cli, sight, self.policy_of(tenant)))
    }

    /// Acts as the operator on what lies above the tenants.
    pub fn operator_above_tenants(&self, request: RequestId) -> Caller {
        let policy = Arc::clone(self.policies.all().everybody());
        self.at_hand(TenantId::SYSTEM, request, Actor::Cli, self.schemas.standard(Eyes::OPEN), policy)
    }

    pub(super) fn at_hand(
        &self,
        tenant: TenantId,
        request: RequestId,
        who: Actor,
        sight: Arc<Sight>,
        policy: Arc<Policy>,
    ) -> Caller {
        let scopes = Scopes::of(Scope::ALL);
        let (now, options) = (self.now(), ConnectionOptions::default());
        let (profile, led) = (&AUTO, None);
        Caller {
            tenant,
            connection: LOCAL,
            scopes,
            who,
            request,
            now,
            profile,
            options,
            sight,
            policy,
            led,
            rests: None,
        }
    }

    /// Makes a tenant.
    pub fn create_tenant(&self, name: &str, request: RequestId) -> Result<(), RosterError> {
        check_name("tenant", name, "system")?;
        let caller = self.operator_above_tenants(request);
        self.carry_out(&caller, Action::TenantCreate, |snapshot| {
            let key = name.as_bytes().to_vec();
            if snapshot.small(TenantId::SYSTEM, TENANTS, &key)?.is_some() {
                return Err(RosterError::Unfit(format!(
                    "a tenant is named \"{name}\" already; choose another name"
                )));
            }
            let before = snapshot.small(TenantId::SYSTEM, NEXT_TENANT, &[])?;
            let number: u32 = before.as_deref().map_or(Ok(1), rows::decode)?;
            let next = number
                .checked_add(1)
                .ok_or_else(|| RosterError::Broken("tenant numbers are used up".to_owned()))?;
            let row = rows::encode(&TenantRow { number: TenantId::new(number), created: caller.now })?;
            let plan = Plan {
                given: vec![
                    Given::Small(TENANTS, key.clone(), None),
                    Given::Small(NEXT_TENANT, vec![], before),
                ],
                writes: vec![
                    Write::Small { space: TENANTS, key, value: Some(row) },
                    Write::Small { space: NEXT_TENANT, key: vec![], value: Some(rows::encode(&next)?) },
                    index::orders_are_there(TenantId::new(number))?,
                ],
                changes: vec![Change::of("tenant", None, Some(name.into()))],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })?;
        Ok(())
    }

    /// Lists the tenants by name.
    pub fn tenants(&self) -> Result<Vec<TenantView>, RosterError> {
        let rows = super::all_small(self.store.snapshot()?.as_ref(), TenantId::SYSTEM, TENANTS)?;
        rows.into_iter()
            .map(|row| {
                let TenantRow { created, .. } = rows::decode(&row.value)?;
                Ok(TenantView { name: String::from_utf8_lossy(&row.key).into_owned(), created })
            })
            .collect()
    }

    /// Returns the name of the caller's tenant.
    pub fn tenant_name(&self, caller: &Caller) -> Result<String, RosterError> {
        for row in super::all_small(self.store.snapshot()?.as_ref(), TenantId::SYSTEM, TENANTS)? {
            let TenantRow { number, .. } = rows::decode(&row.value)?;
            if number == caller.tenant {
                return Ok(String::from_utf8_lossy(&row.key).into_owned());
            }
        }
        Err(RosterError::Broken(format!("the tenant {} has no row", caller.tenant)))
    }

    /// Makes a connection for an IdP.
    pub fn create_connection(
        &self,
        caller: &Caller,
        name: &str,
        profile: &str,
        options: ConnectionOptions,
    ) -> Result<ConnectionId, RosterError> {
        check_name("connection", name, LOCAL_NAME)?;
        check_profile(profile)?;
        let id = ConnectionId::new(self.chance.uuid(caller.now));
        self.carry_out(caller, Action::ConnectionCreate, |snapshot| {
            if Self::connection_row(snapshot, caller.tenant, name)?.is_some() {
                return Err(RosterError::Unfit(format!(
                    "a connection is named \"{name}\" already; choose another name"
                )));
            }
            let key = name.as_bytes().to_vec();
            let row = rows::encode(&ConnectionRow {
                id,
                profile: profile.to_owned(),
                created: caller.now,
                options,
            })?;
            let plan = Plan {
                given: vec![Given::Small(CONNECTIONS, key.clone(), None)],
                writes: vec![Write::Small { space: CONNECTIONS, key, value: Some(row) }],
                changes: vec![Change::of(
                    "connection",
                    None,
                    Some(
                        serde_json::json!({ "name": name, "id": id, "profile": profile, "options": options }),
                    ),
                )],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })?;
        Ok(id)
    }

    /// Changes a connection's profile or what it may. What it provisioned stays as it is; its next request is read by the new profile.
    pub fn change_connection(
        &self,
        caller: &Caller,
        name: &str,
        change: &ConnectionChange,
    ) -> Result<ConnectionView, RosterError> {
        if name == LOCAL_NAME {
            return Err(RosterError::Unfit(format!(
                "the connection \"{LOCAL_NAME}\" is built in and cannot be changed"
            )));
        }
        change.profile.as_deref().map_or(Ok(()), check_profile)?;
        let changed = self.carry_out(caller, Action::ConnectionChange, |snapshot| {
            let key = name.as_bytes().to_vec();
            let bytes = snapshot.small(caller.tenant, CONNECTIONS, &key)?.ok_or_else(|| {
                RosterError::Unknown(format!(
                    "no connection is named \"{name}\"; rosterd connection list shows them"
                ))
            })?;
            let before: ConnectionRow = rows::decode(&bytes)?;
            let mut row = before.clone();
            if let Some(profile) = &change.profile {
                row.profile.clone_from(profile);
            }
            row.options.adopt = change.adopt.unwrap_or(row.options.adopt);
            row.options.reclaim_inactive = change.reclaim_inactive.unwrap_or(row.options.reclaim_inactive);
            let view = ConnectionView {
                name: name.to_owned(),
                id: row.id,
                profile: row.profile.clone(),
                options: row.options,
                created: Some(row.created),
            };
            if row == before {
                return Ok((None, view));
            }
            let told = |row: &ConnectionRow| {
                Some(serde_json::json!({ "name": name, "profile": row.profile, "options": row.options }))
            };
            let plan = Plan {
                given: vec![Given::Small(CONNECTIONS, key.clone(), Some(bytes))],
                changes: vec![Change::of("connection", told(&before), told(&row))],
                writes: vec![Write::Small { space: CONNECTIONS, key, value: Some(rows::encode(&row)?) }],
                ..Plan::default()
            };
            Ok((Some(plan), view))
        })?;
        self.forget_credentials();
        Ok(changed)
    }

    /// Lists the connections by name, the built-in one first.
    pub fn connections(&self, caller: &Caller) -> Result<Vec<ConnectionView>, RosterError> {
        let local = ConnectionView {
            name: LOCAL_NAME.to_owned(),
            id: LOCAL,
            profile: AUTO.name.to_owned(),
            options: ConnectionOptions::default(),
            created: None,
        };
        let rows = super::all_small(self.store.snapshot()?.as_ref(), caller.tenant, CONNECTIONS)?;
        std::iter::once(Ok(local))
            .chain(rows.into_iter().map(|row| {
                let ConnectionRow { id, profile, created, options } = rows::decode(&row.value)?;
                let name = String::from_utf8_lossy(&row.key).into_owned();
                Ok(ConnectionView { name, id, profile, options, created: Some(created) })
            }))
            .collect()
    }

    pub(super) fn connection_row(
        snapshot: &dyn Snapshot,
        tenant: TenantId,
        name: &str,
    ) -> Result<Option<ConnectionRow>, RosterError> {
        snapshot.small(tenant, CONNECTIONS, name.as_bytes())?.map(|bytes| rows::decode(&bytes)).transpose()
    }
}

/// Refuses a profile that nobody knows.
fn check_profile(name: &str) -> Result<(), RosterError> {
    if Profile::by_name(name).is_some() {
        return Ok(());
    }
    let known = Profile::ALL.iter().map(|profile| profile.name).collect::<Vec<_>>().join(", ");
    Err(RosterError::Malformed(format!("unknown profile \"{name}\"; expected one of: {known}")))
}

/// Refuses a name that could not stand in a URL, a file name or a metric's label.
fn check_name(what: &str, name: &str, reserved: &str) -> Result<(), RosterError> {
    let shape = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-')
        && (1..=NAME_CHARACTERS_MAX).contains(&name.len());
    if !shape {
        return Err(RosterError::Malformed(format!(
            "\"{}\" is no name for a {what}; expected 1 to {NAME_CHARACTERS_MAX} lower-case letters, digits and inner hyphens",
            name.chars().take(NAME_CHARACTERS_MAX).collect::<String>().escape_debug()
        )));
    }
    if name == reserved {
        return Err(RosterError::Unfit(format!("\"{name}\" is a reserved name; choose another")));
    }
    Ok(())
}
