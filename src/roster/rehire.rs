//! A POST that brings somebody back who had departed (section 2 of the domain).
//!
//! They are known by the `externalId` under which the same connection provisioned them, and by nothing else: a login passes from one person to
//! another. What the body says holds, and what it cannot say stays: everything that the connection does not see, and the locks of others.

use super::asked::Errand;
use super::authority::Spoken;
use super::commit::{Job, Plan, explain};
use super::error::RosterError;
use super::hooks::Operation;
use super::index;
use super::rules::{Act, Before, Draft, put_as};
use super::shadow::{self, Said};
use super::{Caller, Roster, authority};
use crate::idp::Incoming;
use crate::ids::{Address, KindId};
use crate::psa::policy::Rehire;
use crate::psa::standing::Standing;
use crate::psa::urn;
use crate::scim::schema::Kind;
use crate::scim::{Document, Refusal, Why};
use crate::store::{Action, Given, IndexRange, Snapshot, Stored, Write};

/// People with one `externalId` who departed one after the other, of whom the last is looked for.
const NAMESAKES_MAX: usize = 64;

impl Roster {
    /// Finds who departed and is meant by the `externalId` of a body; the last of them, where that was several people's.
    pub(super) fn rehirable(
        &self,
        caller: &Caller,
        kind: &Kind,
        document: &Document,
    ) -> Result<Option<Address>, RosterError> {
        let Some(external) = document.external_id() else { return Ok(None) };
        if kind.id != KindId::USER || caller.policy.rehire != Rehire::Resurrect {
            return Ok(None);
        }
        let snapshot = self.store.snapshot()?;
        let entry = index::departed(caller.connection, external);
        let range = IndexRange::exactly(KindId::DEPARTED, entry.index, entry.value);
        let mut last = None;
        for row in snapshot.index_range(caller.tenant, &range, NAMESAKES_MAX)? {
            let at = Address { kind: KindId::DEPARTED, id: row.id };
            let Some(stored) = snapshot.get(caller.tenant, at)? else { continue };
            let departed = standing(&stored)?.departed.map(|departure| departure.at);
            last = last.max(Some((departed, at)));
        }
        Ok(last.map(|(_, at)| at))
    }

    /// Makes the rule that brings a departed person back as a body says, under the same id.
    pub(super) fn rehiring<'a>(
        caller: &'a Caller,
        kind: &'a Kind,
        departed: Address,
        incoming: Incoming,
        document: Document,
    ) -> (Address, Job<'a>) {
        let at = Address::user(departed.id);
        let rule = move |snapshot: &dyn Snapshot| {
            // Somebody may have been quicker.
            let Some(stored) = snapshot.get(caller.tenant, departed)? else {
                return Err(Refusal::new(Why::Uniqueness, "externalId is already in use").into());
            };
            let kept = Document::from_segments(kind.seen(stored.segments()))
                .map_err(|error| RosterError::Broken(format!("{}: {error}", at.id)))?;
            let mut wanted = document.clone();
            for (name, value) in kept.extension(urn::USER).into_iter().flatten() {
                if wanted.extension(urn::USER).is_none_or(|said| !said.contains_key(name)) {
                    wanted.set(Some(urn::USER), name, Some(value.clone()));
                }
            }
            // Their own lock goes with the return, whoever may say so otherwise.
            let mut met = kept.clone();
            met.set(None, "active", Some(true.into()));
            let (spoken, mut notes) = (Spoken::OfWhole(&incoming.cleared), incoming.notes.clone());
            authority::keep(caller, kind, Some(&met), &mut wanted, spoken, &mut notes)?;
            let mut plan = Plan {
                given: vec![Given::Version(departed, stored.version()), Given::Absent(at)],
                subject: Some(at),
                notes,
                ..Plan::default()
            };
            let from = Before { stored: &stored, kept: &kept };
            let shadow = Some((&incoming.shadow, Said::Everything));
            let errand = Errand { operation: Operation::Create, shadow };
            let draft = Draft { kind, at, wanted, before: Some(from), anew: true, errand };
            put_as(snapshot, caller, draft, Act::Return, &mut plan)?;
            plan.writes.insert(0, Write::Delete(departed));
            shadow::remember(snapshot, caller, at, &incoming.shadow, Said::Everything, &mut plan)?;
            explain(&mut plan.changes, &plan.notes, &[]);
            let notes = plan.notes.clone();
            Ok((Some(plan), notes))
        };
        (at, Job { action: Action::Rehire, rule: Box::new(rule) })
    }
}

fn standing(stored: &Stored) -> Result<Standing, RosterError> {
    super::person::standing(stored, false)
}
