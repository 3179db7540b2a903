//! Nobody locks, removes or demotes the last administrator, or the owner of the account: no identity provider, no schedule, no person (X13, S196).

use super::super::error::RosterError;
use super::super::rows::{ADMINISTRATORS, OWNER};
use super::super::{Caller, remaining, rights};
use super::attributes;
use crate::ids::{Address, ResourceId};
use crate::store::{Given, Snapshot};

/// Refuses where the person must stay what they are, and says on which facts it stands that they need not. `what` is what would become of
/// them, in a word.
pub(in crate::roster) fn guard(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
    what: &str,
) -> Result<Vec<Given>, RosterError> {
    let owner = snapshot.small(caller.tenant, OWNER, &[])?;
    if owner.as_deref() == Some(id.as_bytes().as_slice()) {
        return Err(RosterError::InUse(format!(
            "the owner of the account cannot be {what}; transfer the account to somebody else first"
        )));
    }
    let mut facts = vec![Given::Small(OWNER, Vec::new(), owner)];
    let made = snapshot.small(caller.tenant, ADMINISTRATORS, id.as_bytes())?;
    // Who becomes one meanwhile is looked at again.
    facts.push(Given::Small(ADMINISTRATORS, id.as_bytes().to_vec(), made));
    let at = Address::user(id);
    let administers = match snapshot.get(caller.tenant, at)? {
        Some(stored) => rights::administers(snapshot, caller, at, &attributes(&stored)?)?,
        None => false,
    };
    if !administers {
        return Ok(facts);
    }
    if let Some(others) = remaining::somebody(snapshot, caller, Some(id), &|_, _| {})? {
        facts.extend(others);
        return Ok(facts);
    }
    Err(RosterError::InUse(format!(
        "the last administrator cannot be {what}; make somebody else an administrator first (rosterd admin create)"
    )))
}
