//! A POST that brings an inactive person back, where the connection's operator wants that (S63).
//!
//! Some providers forget whom they deactivated, and create them anew under the same `externalId`.

use super::asked::Errand;
use super::authority::Spoken;
use super::commit::{Job, Plan, explain};
use super::error::RosterError;
use super::hooks::Operation;
use super::index;
use super::rules::{Before, Draft, put};
use super::shadow::{self, Said};
use super::{Caller, Precondition, Roster, authority};
use crate::idp::Incoming;
use crate::ids::{Address, KindId};
use crate::scim::schema::Kind;
use crate::scim::{Document, Refusal, Why};
use crate::store::{Action, Snapshot};

impl Roster {
    /// Finds the inactive person of the caller's own whom a body means by its `externalId`; `None` where there is none, or where a POST
    /// is to be a duplicate.
    pub(super) fn reclaimable(
        &self,
        caller: &Caller,
        kind: &Kind,
        document: &Document,
    ) -> Result<Option<Address>, RosterError> {
        let Some(external) = document.external_id() else { return Ok(None) };
        // Who may not say that somebody is active restores nobody.
        let may = caller.options.reclaim_inactive && authority::may_write(caller, "active");
        if !may || kind.id != KindId::USER {
            return Ok(None);
        }
        let snapshot = self.store.snapshot()?;
        let key = index::external_id(kind.id, caller.connection, external);
        let Some(at) = snapshot.by_unique(caller.tenant, &key)? else { return Ok(None) };
        let (_, before, _) = Self::found(snapshot.as_ref(), caller, kind, at, &Precondition::None)?;
        Ok((!before.is_active()).then_some(at))
    }

    /// Makes the rule that restores a person as a body says, under the same id.
    pub(super) fn reclamation<'a>(
        caller: &'a Caller,
        kind: &'a Kind,
        at: Address,
        incoming: Incoming,
        wanted: Document,
    ) -> Job<'a> {
        let rule = move |snapshot: &dyn Snapshot| {
            let (stored, before, given) = Self::found(snapshot, caller, kind, at, &Precondition::None)?;
            if before.is_active() || before.external_id() != wanted.external_id() {
                return Err(Refusal::new(Why::Uniqueness, "externalId is already in use").into());
            }
            let (mut wanted, mut notes) = (wanted.clone(), incoming.notes.clone());
            let spoken = Spoken::OfWhole(&incoming.cleared);
            authority::keep(caller, kind, Some(&before), &mut wanted, spoken, &mut notes)?;
            let mut plan = Plan { given, subject: Some(at), notes, ..Plan::default() };
            let from = Before { stored: &stored, kept: &before };
            let shadow = Some((&incoming.shadow, Said::Everything));
            let errand = Errand { operation: Operation::Activate, shadow };
            let draft = Draft { kind, at, wanted, before: Some(from), anew: true, errand };
            put(snapshot, caller, draft, &mut plan)?;
            shadow::remember(snapshot, caller, at, &incoming.shadow, Said::Everything, &mut plan)?;
            explain(&mut plan.changes, &plan.notes, &[]);
            let notes = plan.notes.clone();
            Ok((Some(plan), notes))
        };
        Job { action: Action::Reclaim, rule: Box::new(rule) }
    }
}
