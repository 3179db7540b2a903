//! DELETE: a resource is no more (RFC 7644 §3.6). What becomes of people is for `depart` to say.

use super::commit::{Job, Plan};
use super::create::changes;
use super::depart::{Used, departure};
use super::edges::{all_members, groups_with};
use super::error::RosterError;
use super::members::as_read;
use super::scope::Scope;
use super::shadow;
use super::view::Precondition;
use super::{Caller, Roster, power, rules};
use crate::ids::{Address, KindId, ResourceId};
use crate::scim::Document;
use crate::scim::note::Notes;
use crate::scim::schema::Kind;
use crate::store::{Action, Change, Snapshot, Write, wait};

impl Roster {
    /// Removes a resource with its memberships; its names are free again. What it was stays in the history, with who belonged to it
    /// and to what it belonged: no entry of the other side says so.
    pub fn remove(
        &self,
        caller: &Caller,
        kind: &Kind,
        at: Address,
        given: &Precondition,
    ) -> Result<(), RosterError> {
        wait(self.carry_out_job(caller, Self::removal(caller, kind, at, given)?)).map(drop)
    }

    /// Makes the rule that removes a resource.
    pub(super) fn removal<'a>(
        caller: &'a Caller,
        kind: &'a Kind,
        at: Address,
        given: &'a Precondition,
    ) -> Result<Job<'a>, RosterError> {
        caller.needs(Scope::writes(kind.id))?;
        if at.kind == KindId::USER {
            return Ok(departure(caller, kind, at, given, Used::AsDecided));
        }
        let rule = move |snapshot: &dyn Snapshot| {
            // The history shows all that is lost, also what this connection does not see.
            let whole = caller.sight.whole_kind(kind);
            power::check(snapshot, caller, kind.id)?;
            let (_, before, mut facts) = Self::found(snapshot, caller, whole, at, given)?;
            facts.extend(rules::check_removal(snapshot, caller, at)?);
            let mut changes = changes(whole, &before, &Document::default());
            let mut lost = |attribute: &str, ids: Vec<ResourceId>| {
                if !ids.is_empty() {
                    let old = Some(ids.iter().map(ToString::to_string).collect());
                    changes.push(Change::of(attribute, old, None));
                }
            };
            if at.kind == KindId::GROUP {
                let members = all_members(snapshot, caller, at.id)?;
                facts.push(as_read(snapshot, caller, at.id)?);
                lost("members", members.iter().map(|member| member.id).collect());
            }
            lost("groups", groups_with(snapshot, caller, at)?);
            let mut plan = Plan {
                given: facts,
                writes: vec![Write::Delete(at)],
                subject: Some(at),
                changes,
                ..Plan::default()
            };
            shadow::forget(snapshot, caller, at, &mut plan)?;
            Ok((Some(plan), Notes::new()))
        };
        Ok(Job { action: Action::Delete, rule: Box::new(rule) })
    }
}
