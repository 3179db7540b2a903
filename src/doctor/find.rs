//! Which connection is meant: by its name, and by its tenant's where several have one of that name.

use crate::ids::RequestId;
use crate::requests::Who;
use crate::roster::{Caller, ConnectionView, Roster, RosterError};

/// A connection, and who may look at its tenant.
pub(super) struct Found {
    pub(super) tenant: String,
    pub(super) caller: Caller,
    pub(super) connection: ConnectionView,
}

impl Found {
    /// Names it as the log of requests does.
    pub(super) fn who(&self) -> Who {
        (self.caller.tenant(), self.connection.id)
    }
}

/// Finds a connection.
pub(super) fn connection(
    roster: &Roster,
    tenant: Option<&str>,
    name: &str,
    request: RequestId,
) -> Result<Found, RosterError> {
    let tenants = match tenant {
        Some(tenant) => vec![tenant.to_owned()],
        None => roster.tenants()?.into_iter().map(|tenant| tenant.name).collect(),
    };
    let mut found = Vec::new();
    for tenant in tenants {
        let caller = roster.operator(&tenant, request)?;
        let connections = roster.connections(&caller)?;
        let named = connections.into_iter().find(|connection| connection.name == name);
        found.extend(named.map(|connection| Found { tenant, caller, connection }));
    }
    match found.len() {
        0 => Err(RosterError::Unfit(format!(
            "no connection is named \"{}\"; rosterd connection list shows them",
            name.chars().take(80).collect::<String>().escape_debug()
        ))),
        1 => found.pop().ok_or(RosterError::NotFound),
        _ => {
            let names: Vec<&str> = found.iter().map(|found| found.tenant.as_str()).collect();
            Err(RosterError::Unfit(format!(
                "several tenants have a connection named \"{name}\": {}; say which by --tenant NAME",
                names.join(", ")
            )))
        }
    }
}

/// Finds a connection of the caller's tenant.
pub(super) fn of_caller(roster: &Roster, caller: &Caller, name: &str) -> Result<Found, RosterError> {
    let connection = roster.connections(caller)?.into_iter().find(|connection| connection.name == name);
    let Some(connection) = connection else {
        let name = name.chars().take(80).collect::<String>();
        return Err(RosterError::Unknown(format!("no connection is named \"{}\"", name.escape_debug())));
    };
    Ok(Found { tenant: roster.tenant_name(caller)?, caller: caller.clone(), connection })
}

/// Finds a tenant: the one that is named, or the only one.
pub(super) fn tenant(
    roster: &Roster,
    name: Option<&str>,
    request: RequestId,
) -> Result<(String, Caller), RosterError> {
    if let Some(name) = name {
        return Ok((name.to_owned(), roster.operator(name, request)?));
    }
    let names: Vec<String> = roster.tenants()?.into_iter().map(|tenant| tenant.name).collect();
    match names.as_slice() {
        [only] => Ok((only.clone(), roster.operator(only, request)?)),
        [] => Err(RosterError::Unfit("there is no tenant yet; rosterd tenant create makes one".to_owned())),
        several => Err(RosterError::Unfit(format!(
            "each tenant numbers its own changes, and there are several: {}; say which by --tenant NAME",
            several.join(", ")
        ))),
    }
}
