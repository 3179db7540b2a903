//! DELETE: a resource is no more (RFC 7644 §3.6).

use super::commit::{Job, Plan};
use super::create::changes;
use super::error::RosterError;
use super::scope::Scope;
use super::view::Precondition;
use super::{Caller, Roster};
use crate::ids::Address;
use crate::scim::Document;
use crate::scim::schema::Kind;
use crate::store::{Action, Snapshot, Write};

impl Roster {
    /// Removes a resource with its memberships; its names are free again. What it was stays in the history.
    pub fn remove(
        &self,
        caller: &Caller,
        kind: &Kind,
        at: Address,
        given: &Precondition,
    ) -> Result<(), RosterError> {
        let Job { action, rule } = Self::removal(caller, kind, at, given)?;
        self.carry_out(caller, action, rule)
    }

    /// Makes the rule that removes a resource.
    pub(super) fn removal<'a>(
        caller: &'a Caller,
        kind: &'a Kind,
        at: Address,
        given: &'a Precondition,
    ) -> Result<Job<'a>, RosterError> {
        caller.needs(Scope::writes(kind.id))?;
        let rule = move |snapshot: &dyn Snapshot| {
            let (_, before, facts) = Self::found(snapshot, caller, kind, at, given)?;
            let plan = Plan {
                given: facts,
                writes: vec![Write::Delete(at)],
                subject: Some(at),
                changes: changes(&before, &Document::default()),
                notes: vec![],
            };
            Ok((Some(plan), ()))
        };
        Ok(Job { action: Action::Delete, rule: Box::new(rule) })
    }
}
