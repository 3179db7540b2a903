//! PATCH: a resource in part (RFC 7644 §3.5.2).

use serde_json::Value;

use super::asked::Errand;
use super::authority::Spoken;
use super::commit::{Job, Plan, explain};
use super::edges::Edges;
use super::error::RosterError;
use super::hooks::Operation;
use super::members::Memberships;
use super::rules::{Before, Draft, put};
use super::scope::Scope;
use super::shadow::{self, Said};
use super::view::{Precondition, View};
use super::{Caller, Roster, adopt, authority, money, person};
use crate::idp::normalise;
use crate::ids::Address;
use crate::scim::patch;
use crate::scim::schema::Kind;
use crate::store::{Action, Given, Snapshot, wait};

impl Roster {
    /// Applies the operations of a PATCH in order, all or none. Operations that change nothing write nothing.
    ///
    /// Members are changed one edge at a time; a request that changes members only stands on no version of the group, so that any number
    /// of such requests can run side by side (S130).
    pub fn patch(
        &self,
        caller: &Caller,
        kind: &Kind,
        at: Address,
        given: &Precondition,
        body: Value,
        edges: Edges,
    ) -> Result<View, RosterError> {
        wait(self.patch_soon(caller, kind, at, given, body, edges))
    }

    /// The same for a task, as [`Roster::create_soon`].
    ///
    /// # Errors
    /// As [`Roster::patch`].
    pub async fn patch_soon(
        &self,
        caller: &Caller,
        kind: &Kind,
        at: Address,
        given: &Precondition,
        body: Value,
        edges: Edges,
    ) -> Result<View, RosterError> {
        let job = Self::patching(caller, kind, at, given, body)?;
        let written = self.carry_out_job(caller, job).await?;
        self.after_ones_own(caller, at, edges, written)
    }

    /// Makes the rule that applies the operations of a PATCH.
    pub(super) fn patching<'a>(
        caller: &'a Caller,
        kind: &'a Kind,
        at: Address,
        given: &'a Precondition,
        body: Value,
    ) -> Result<Job<'a>, RosterError> {
        caller.needs(Scope::writes(kind.id))?;
        money::check_patch(caller, kind, &body)?;
        let incoming = normalise::patch(body, kind, caller.profile)?;
        let rule = move |snapshot: &dyn Snapshot| {
            let (stored, kept, facts) = Self::found(snapshot, caller, kind, at, given)?;
            let before = person::as_met(caller, &stored, adopt::as_met(caller, &stored, &kept))?;
            let patched = patch::apply(&before, &incoming.operations, kind, &caller.profile.policy)?;
            let mut wanted = patched.document;
            let mut used = incoming.notes.clone();
            used.merge(&patched.notes);
            let adopts = adopt::adopts(caller, &stored);
            if adopts {
                adopt::keep_login(kind.id, &before, &mut wanted, &mut used);
            }
            authority::keep(caller, kind, Some(&*before), &mut wanted, Spoken::OfEach, &mut used)?;
            let mut plan = Plan { subject: Some(at), notes: used, ..Plan::default() };
            let mut memberships = Memberships::new(snapshot, caller, kind, at.id);
            patched.members.iter().try_for_each(|change| memberships.apply(change))?;
            let mut changed = memberships.finish(&mut plan)?;
            let anew = adopts && !plan.writes.is_empty();
            let differs = wanted != *before;
            let from = Before { stored: &stored, kept: &kept };
            let shadow = Some((&incoming.shadow, Said::ThisMuch));
            let errand = Errand { operation: Operation::Patch, shadow };
            let draft = Draft { kind, at, wanted, before: Some(from), anew: adopts, errand };
            if (differs || anew) && put(snapshot, caller, draft, &mut plan)? {
                plan.given.extend(facts);
                changed = true;
            } else if *given == Precondition::None {
                plan.given.push(Given::Exists(at));
            } else {
                plan.given.extend(facts);
            }
            changed |= shadow::remember(snapshot, caller, at, &incoming.shadow, Said::ThisMuch, &mut plan)?;
            explain(&mut plan.changes, &plan.notes, &incoming.operations);
            let notes = plan.notes.clone();
            Ok((changed.then_some(plan), notes))
        };
        Ok(Job { action: Action::Patch, rule: Box::new(rule) })
    }
}
