//! DELETE: a resource is no more (RFC 7644 §3.6).

use super::commit::Plan;
use super::create::changes;
use super::error::RosterError;
use super::scope::Scope;
use super::view::Precondition;
use super::{Caller, Roster};
use crate::ids::Address;
use crate::scim::Document;
use crate::scim::schema::Kind;
use crate::store::{Action, Write};

impl Roster {
    /// Removes a resource with its memberships; its names are free again. What it was stays in the history.
    pub fn remove(
        &self,
        caller: &Caller,
        kind: &Kind,
        at: Address,
        given: &Precondition,
    ) -> Result<(), RosterError> {
        caller.needs(Scope::writes(kind.id))?;
        self.carry_out(caller, Action::Delete, |snapshot| {
            let (_, before, facts) = Self::found(snapshot, caller, kind, at, given)?;
            let plan = Plan {
                given: facts,
                writes: vec![Write::Delete(at)],
                subject: Some(at),
                changes: changes(&before, &Document::default()),
                notes: vec![],
            };
            Ok((Some(plan), ()))
        })?;
        Ok(())
    }
}
