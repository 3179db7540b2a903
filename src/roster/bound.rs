//! Tokens that are bound to a person: they act as that person, and open nothing from the moment at which that person may not come in.
//!
//! Here: whose token it may be, how many there may be, and what somebody may give away who has not everything.

use super::credentials::{TOKENS_BOUND_MAX, TOKENS_OF_LOCAL_MAX, TOKENS_PER_CONNECTION_MAX};
use super::error::RosterError;
use super::rows::TokenRow;
use super::scope::{Caller, Scope, Scopes};
use super::{LOCAL, LOCAL_NAME, Roster, index};
use crate::ids::{Address, ConnectionId, ResourceId, TenantId};
use crate::scim::error::quoted;
use crate::store::Snapshot;

/// Scopes that nobody gives who does not have them: whoever may make tokens must not come to see money or the history by that.
const KEPT_SCOPES: [Scope; 2] = [Scope::Financials, Scope::Audit];

/// Tells whether a person is there and may come in.
pub(super) fn may_come_in(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    person: ResourceId,
) -> Result<bool, RosterError> {
    let stored = snapshot.get(tenant, Address::user(person))?;
    Ok(stored.is_some_and(|stored| stored.index().all(|(index, _)| index != index::INACTIVE)))
}

impl Roster {
    /// Finds the person to whom a token shall be bound, by id or userName.
    pub(super) fn person_to_bind(
        &self,
        caller: &Caller,
        connection: ConnectionId,
        named: &str,
    ) -> Result<ResourceId, RosterError> {
        if connection != LOCAL {
            return Err(RosterError::Unfit(format!(
                "only tokens of the connection \"{LOCAL_NAME}\" act as a person; the tokens of an identity provider act as its connection"
            )));
        }
        let snapshot = self.store.snapshot()?;
        let unknown = || {
            RosterError::Unknown(format!(
                "no person of this tenant has the id or the userName {}; expected the id of a User, or their userName",
                quoted(named)
            ))
        };
        let at = match ResourceId::parse(named) {
            Ok(id) => Address::user(id),
            Err(_) => {
                let key = index::user_name(named).map_err(|_| unknown())?;
                snapshot.by_unique(caller.tenant, &key)?.ok_or_else(unknown)?
            }
        };
        if !snapshot.exists(caller.tenant, at)? {
            return Err(unknown());
        }
        if !may_come_in(snapshot.as_ref(), caller.tenant, at.id)? {
            return Err(RosterError::Unfit(format!(
                "the person {} is not active, so that a token of theirs would open nothing; activate them first",
                at.id
            )));
        }
        Ok(at.id)
    }
}

/// Refuses a token that may more than whoever makes it.
pub(super) fn refuse_more_than_one_has(
    caller: &Caller,
    connection: ConnectionId,
    scopes: Scopes,
    person: Option<ResourceId>,
) -> Result<(), RosterError> {
    if let Some(kept) = KEPT_SCOPES.into_iter().find(|scope| scopes.has(*scope) && !caller.may(*scope)) {
        return Err(RosterError::NotAllowed {
            needs: kept.name(),
            detail: format!(
                "the scope {kept} can be given only with a token that has it; leave it out, or have the token made by rosterd token create"
            ),
        });
    }
    if connection == LOCAL && caller.person().is_some() && caller.person() != person {
        return Err(RosterError::NotAllowed {
            needs: "a token that is bound to nobody",
            detail: format!(
                "a token that acts as a person makes tokens of the connection \"{LOCAL_NAME}\" for that person only; name them as its person, or have the token made by rosterd token create"
            ),
        });
    }
    Ok(())
}

/// Refuses a live token beyond those that a connection, or a person, may have.
pub(super) fn refuse_one_too_many(
    name: &str,
    connection: ConnectionId,
    person: Option<ResourceId>,
    live: &[TokenRow],
) -> Result<(), RosterError> {
    let refused = |what: &str, max: usize| {
        Err(RosterError::Unfit(format!(
            "{what} has {max} live tokens already; revoke one first (rosterd token list, rosterd token revoke ID)"
        )))
    };
    let count = |of: Option<ResourceId>| live.iter().filter(|token| token.person == of).count();
    let max = match person {
        None if connection == LOCAL => TOKENS_OF_LOCAL_MAX,
        _ => TOKENS_PER_CONNECTION_MAX,
    };
    if count(person) >= max {
        let whose = person.map_or_else(|| format!("connection \"{name}\""), |id| format!("person {id}"));
        return refused(&whose, max);
    }
    if person.is_some() && live.iter().filter(|token| token.person.is_some()).count() >= TOKENS_BOUND_MAX {
        return refused(&format!("connection \"{name}\", of those that act as a person,"), TOKENS_BOUND_MAX);
    }
    Ok(())
}
