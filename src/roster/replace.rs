//! PUT: a resource as a whole (RFC 7644 §3.5.1).

use serde_json::Value;

use super::asked::Errand;
use super::authority::Spoken;
use super::commit::{Job, Plan, explain};
use super::edges::Edges;
use super::error::RosterError;
use super::hooks::Operation;
use super::members::{Memberships, as_read};
use super::rules::{Before, Draft, put};
use super::scope::Scope;
use super::shadow::{self, Said};
use super::view::{Precondition, View};
use super::{Caller, Roster, adopt, authority, money, person};
use crate::idp::normalise;
use crate::idp::profile::PutOmitted;
use crate::ids::{Address, KindId};
use crate::scim::Document;
use crate::scim::patch::MemberChange;
use crate::scim::schema::Kind;
use crate::store::{Action, Given, Seq, Snapshot, Stored, wait};

impl Roster {
    /// Replaces a resource by the body of a PUT, and returns it as it stands then. Never creates one.
    ///
    /// What the body leaves out is cleared, but for `active` (S52) and `members` (S104). A body that changes nothing
    /// writes nothing (S105).
    pub fn replace(
        &self,
        caller: &Caller,
        kind: &Kind,
        at: Address,
        given: &Precondition,
        body: Value,
        edges: Edges,
    ) -> Result<View, RosterError> {
        wait(self.replace_soon(caller, kind, at, given, body, edges))
    }

    /// The same for a task, as [`Roster::create_soon`].
    ///
    /// # Errors
    /// As [`Roster::replace`].
    pub async fn replace_soon(
        &self,
        caller: &Caller,
        kind: &Kind,
        at: Address,
        given: &Precondition,
        body: Value,
        edges: Edges,
    ) -> Result<View, RosterError> {
        let job = Self::replacement(caller, kind, at, given, body)?;
        let written = self.carry_out_job(caller, job).await?;
        self.after_ones_own(caller, at, edges, written)
    }

    /// Makes the rule that replaces a resource.
    pub(super) fn replacement<'a>(
        caller: &'a Caller,
        kind: &'a Kind,
        at: Address,
        given: &'a Precondition,
        body: Value,
    ) -> Result<Job<'a>, RosterError> {
        caller.needs(Scope::writes(kind.id))?;
        money::check_resource(caller, kind, &body)?;
        let incoming = normalise::resource(body, kind, caller.profile)?;
        let rule = move |snapshot: &dyn Snapshot| {
            let (stored, kept, mut facts) = Self::found(snapshot, caller, kind, at, given)?;
            let before = person::as_met(caller, &stored, adopt::as_met(caller, &stored, &kept))?;
            let mut incoming = incoming.clone();
            let mut wanted = incoming.replace(&before, kind, caller.profile)?;
            let adopts = adopt::adopts(caller, &stored);
            if adopts {
                adopt::keep_login(kind.id, &before, &mut wanted, &mut incoming.notes);
            }
            let spoken = Spoken::OfWhole(&incoming.cleared);
            authority::keep(caller, kind, Some(&*before), &mut wanted, spoken, &mut incoming.notes)?;
            let mut plan = Plan { subject: Some(at), notes: incoming.notes.clone(), ..Plan::default() };
            let mut changed = false;
            if let Some(members) = &incoming.members {
                let mut memberships = Memberships::new(snapshot, caller, kind, at.id);
                memberships.apply(&MemberChange::Replace(members.clone()))?;
                changed = memberships.finish(&mut plan)?;
            }
            let anew = adopts && !plan.writes.is_empty();
            let said = if caller.profile.put_omitted == PutOmitted::Keep {
                Said::ThisMuch
            } else {
                Said::Everything
            };
            if wanted != *before || anew {
                let from = Before { stored: &stored, kept: &kept };
                let errand = Errand { operation: Operation::Replace, shadow: Some((&incoming.shadow, said)) };
                let draft = Draft { kind, at, wanted, before: Some(from), anew: adopts, errand };
                changed |= put(snapshot, caller, draft, &mut plan)?;
            }
            changed |= shadow::remember(snapshot, caller, at, &incoming.shadow, said, &mut plan)?;
            explain(&mut plan.changes, &plan.notes, &[]);
            plan.given.append(&mut facts);
            let notes = plan.notes.clone();
            Ok((changed.then_some(plan), notes))
        };
        Ok(Job { action: Action::Replace, rule: Box::new(rule) })
    }

    /// Reads what a change starts from, checks the caller's precondition, and says which facts that stands on.
    pub(super) fn found(
        snapshot: &dyn Snapshot,
        caller: &Caller,
        kind: &Kind,
        at: Address,
        given: &Precondition,
    ) -> Result<(Stored, Document, Vec<Given>), RosterError> {
        let stored = snapshot
            .get(caller.tenant, at)?
            .filter(|stored| caller.sees(stored))
            .ok_or(RosterError::NotFound)?;
        let mut facts = vec![Given::Version(at, stored.version())];
        let mut version = stored.version();
        if kind.id == KindId::GROUP && *given != Precondition::None {
            let touched = snapshot.touched(caller.tenant, at.id)?;
            version = version.max(touched.map_or(Seq::ZERO, |touched| touched.seq));
            facts.push(as_read(snapshot, caller, at.id)?);
        }
        given.check(version)?;
        let document = Document::from_segments(kind.seen(stored.segments()))
            .map_err(|error| RosterError::Broken(format!("{}: {error}", at.id)))?;
        Ok((stored, document, facts))
    }
}
