//! The daemon itself in the place of a connection: for what goes on after the request that it began with.

use super::super::asked::Run;
use super::super::error::RosterError;
use super::super::scope::{Caller, Scope, Scopes};
use super::super::{LOCAL, Roster};
use super::Manner;
use crate::ids::{ConnectionId, RequestId, TenantId};
use crate::store::{Actor, Snapshot};

impl Roster {
    /// Acts for a connection as the daemon itself, with what an identity provider may do.
    pub(in crate::roster) fn on_behalf_of(
        &self,
        snapshot: &dyn Snapshot,
        tenant: TenantId,
        (connection, name): (ConnectionId, &str),
        request: RequestId,
    ) -> Result<Caller, RosterError> {
        let scopes = if connection == LOCAL { Scopes::of(Scope::ALL) } else { Scopes::idp() };
        let manner = self.manner_of(snapshot, tenant, connection, name, scopes)?;
        let Manner { profile, options, sight, policy, served, authority, .. } = manner;
        let (who, now, led, run) = (Actor::System, self.now(), None, Run::default());
        Ok(Caller {
            tenant,
            connection,
            scopes,
            who,
            request,
            now,
            profile,
            led,
            sight,
            options,
            policy,
            authority,
            rests: None,
            served,
            run,
        })
    }
}
