//! Tenants and connections: made and listed by the operator.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::commit::Plan;
use super::error::RosterError;
use super::rows::{self, CONNECTIONS, ConnectionRow, NEXT_TENANT, TENANTS, TenantRow};
use super::scope::{Caller, Scope, Scopes};
use super::{LOCAL, LOCAL_NAME, Roster};
use crate::idp::Profile;
use crate::idp::profile::AUTO;
use crate::ids::{ConnectionId, RequestId, TenantId};
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
    /// When it was made; `None` for the built-in one.
    pub created: Option<Timestamp>,
}

impl Roster {
    /// Acts for a tenant as the operator, who may read the data folder (audited as `cli`).
    pub fn operator(&self, tenant: &str, request: RequestId) -> Result<Caller, RosterError> {
        let snapshot = self.store.snapshot()?;
        let Some(bytes) = snapshot.small(TenantId::SYSTEM, TENANTS, tenant.as_bytes())? else {
            return Err(RosterError::Unfit(format!(
                "no tenant is named \"{tenant}\"; rosterd tenant list shows them, rosterd tenant create {tenant} makes it"
            )));
        };
        let row: TenantRow = rows::decode(&bytes)?;
        Ok(self.at_hand(row.number, request, Actor::Cli))
    }

    /// Acts on what lies above the tenants.
    fn above_tenants(&self, request: RequestId) -> Caller {
        self.at_hand(TenantId::SYSTEM, request, Actor::Cli)
    }

    fn at_hand(&self, tenant: TenantId, request: RequestId, who: Actor) -> Caller {
        let scopes = Scopes::of(Scope::ALL);
        Caller { tenant, connection: LOCAL, scopes, who, request, now: self.now(), profile: &AUTO, led: None }
    }

    /// Makes a tenant.
    pub fn create_tenant(&self, name: &str, request: RequestId) -> Result<(), RosterError> {
        check_name("tenant", name, "system")?;
        let caller = self.above_tenants(request);
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

    /// Makes a connection for an IdP.
    pub fn create_connection(
        &self,
        caller: &Caller,
        name: &str,
        profile: &str,
    ) -> Result<ConnectionId, RosterError> {
        check_name("connection", name, LOCAL_NAME)?;
        if Profile::by_name(profile).is_none() {
            let known = Profile::ALL.iter().map(|profile| profile.name).collect::<Vec<_>>().join(", ");
            return Err(RosterError::Unfit(format!(
                "unknown profile \"{profile}\"; expected one of: {known}"
            )));
        }
        let id = ConnectionId::new(self.chance.uuid(caller.now));
        self.carry_out(caller, Action::ConnectionCreate, |snapshot| {
            if Self::connection_row(snapshot, caller.tenant, name)?.is_some() {
                return Err(RosterError::Unfit(format!(
                    "a connection is named \"{name}\" already; choose another name"
                )));
            }
            let key = name.as_bytes().to_vec();
            let row = rows::encode(&ConnectionRow { id, profile: profile.to_owned(), created: caller.now })?;
            let plan = Plan {
                given: vec![Given::Small(CONNECTIONS, key.clone(), None)],
                writes: vec![Write::Small { space: CONNECTIONS, key, value: Some(row) }],
                changes: vec![Change::of(
                    "connection",
                    None,
                    Some(serde_json::json!({ "name": name, "id": id, "profile": profile })),
                )],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })?;
        Ok(id)
    }

    /// Lists the connections by name, the built-in one first.
    pub fn connections(&self, caller: &Caller) -> Result<Vec<ConnectionView>, RosterError> {
        let local = ConnectionView {
            name: LOCAL_NAME.to_owned(),
            id: LOCAL,
            profile: AUTO.name.to_owned(),
            created: None,
        };
        let rows = super::all_small(self.store.snapshot()?.as_ref(), caller.tenant, CONNECTIONS)?;
        std::iter::once(Ok(local))
            .chain(rows.into_iter().map(|row| {
                let ConnectionRow { id, profile, created } = rows::decode(&row.value)?;
                let name = String::from_utf8_lossy(&row.key).into_owned();
                Ok(ConnectionView { name, id, profile, created: Some(created) })
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

/// Refuses a name that could not stand in a URL, a file name or a metric's label.
fn check_name(what: &str, name: &str, reserved: &str) -> Result<(), RosterError> {
    let shape = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-')
        && (1..=NAME_CHARACTERS_MAX).contains(&name.len());
    if !shape {
        return Err(RosterError::Unfit(format!(
            "\"{}\" is no name for a {what}; expected 1 to {NAME_CHARACTERS_MAX} lower-case letters, digits and inner hyphens",
            name.chars().take(NAME_CHARACTERS_MAX).collect::<String>().escape_debug()
        )));
    }
    if name == reserved {
        return Err(RosterError::Unfit(format!("\"{name}\" is a reserved name; choose another")));
    }
    Ok(())
}
