//! Who leaves: erased where nothing is known of them but what was provisioned, else kept under another kind (section 2 of the domain; H16, P03).
//!
//! A departed person is out of every list, name, group and filter, because their record is no record of the kind `User` any more. Id, history
//! and everything that a firm has to account for stay, and what the record names cannot be removed. What a connection said that no schema
//! knows is forgotten: if the person comes back, it is said again.

use serde_json::{Map, Value};

use super::commit::{Job, Plan};
use super::create::changes;
use super::edges::groups_with;
use super::error::RosterError;
use super::person::{
    self, Usage, actor, attributes, authority, due_key, free, guard, seat_of, standing, usage,
};
use super::rows::{ADMINISTRATORS, DUE, EPOCHS, HOLDS, SIGN_INS};
use super::scope::Scope;
use super::shadow;
use super::signin;
use super::view::Precondition;
use super::{Caller, Roster, index, memos, power};
use crate::ids::{Address, KindId, ResourceId};
use crate::psa::policy::Deprovision;
use crate::psa::standing::{Departure, Standing};
use crate::psa::urn;
use crate::scim::Document;
use crate::scim::note::Notes;
use crate::scim::schema::Kind;
use crate::store::{Action, Change, Record, Segment, Snapshot, Stored, Write, wait};

/// What becomes of somebody who was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    /// What the tenant has decided.
    AsDecided,
    /// They stay, and who asked hears why.
    Refused,
}

impl Roster {
    /// Removes a person of whom nothing is known but what was provisioned (H16, P03). Where the tenant has decided that nobody is erased, they
    /// depart.
    ///
    /// # Errors
    /// [`RosterError::InUse`] where they have ever signed in or a program has records of them, and for the last administrator and the owner.
    pub fn remove_person_if_unused(
        &self,
        caller: &Caller,
        id: ResourceId,
        given: &Precondition,
    ) -> Result<(), RosterError> {
        caller.needs(Scope::UsersWrite)?;
        let kind = people(caller)?;
        let job = departure(caller, kind, Address::user(id), given, Used::Refused);
        wait(self.carry_out_job(caller, job)).map(drop)
    }
}

/// Returns the kind of people, as the caller sees it.
pub(super) fn people(caller: &Caller) -> Result<&Kind, RosterError> {
    let kind = caller.kinds().by_id(KindId::USER);
    kind.map(AsRef::as_ref).ok_or_else(|| RosterError::Broken("the kind User is not registered".to_owned()))
}

/// Makes the rule that removes a person.
pub(super) fn departure<'a>(
    caller: &'a Caller,
    kind: &'a Kind,
    at: Address,
    given: &'a Precondition,
    used: Used,
) -> Job<'a> {
    let rule = move |snapshot: &dyn Snapshot| {
        // The history shows all that is lost, also what this connection does not see.
        let whole = caller.sight.whole_kind(kind);
        power::check_removal(snapshot, caller, at.id)?;
        let (stored, before, mut facts) = Roster::found(snapshot, caller, whole, at, given)?;
        facts.extend(guard(snapshot, caller, at.id, "removed")?);
        let usage = usage(snapshot, caller, at.id)?;
        if used == Used::Refused {
            refuse_if_used(&usage)?;
        }
        facts.extend(usage.facts.iter().cloned());
        let was = standing(&stored, before.is_active())?;
        let mut plan = Plan { given: facts, subject: Some(at), ..Plan::default() };
        plan.writes.push(Write::Delete(at));
        let erases = match caller.policy.deprovision {
            Deprovision::DeleteIfUnused => !usage.is_used(),
            Deprovision::Lock => false,
            Deprovision::Delete => usage.holds.holds.is_empty(),
        };
        if erases {
            plan.changes = changes(whole, &before, &Document::default());
            forget(snapshot, caller, at.id, &mut plan)?;
        } else {
            depart(caller, &stored, &before, &was, &mut plan)?;
        }
        let groups = groups_with(snapshot, caller, at)?;
        if !groups.is_empty() {
            let old = Some(groups.iter().map(ToString::to_string).collect());
            plan.changes.push(Change::of("groups", old, None));
        }
        let seat = seat_of(&was, &attributes(&stored)?);
        plan.writes.extend(seat.map(free));
        plan.writes.extend(was.due.map(|due| none(DUE, due_key(due, at.id))));
        if snapshot.small(caller.tenant, ADMINISTRATORS, at.id.as_bytes())?.is_some() {
            plan.writes.push(none(ADMINISTRATORS, at.id.as_bytes().to_vec()));
        }
        plan.writes.push(Write::Add { space: EPOCHS, key: at.id.as_bytes().to_vec(), by: 1 });
        signin::plan_forget_own(snapshot, caller.tenant, at.id, &mut plan)?;
        shadow::forget(snapshot, caller, at, &mut plan)?;
        Ok((Some(plan), Notes::new()))
    };
    Job { action: Action::Delete, rule: Box::new(rule) }
}

fn none(space: crate::store::Space, key: Vec<u8>) -> Write {
    Write::Small { space, key, value: None }
}

/// Forgets what is kept beside a person.
fn forget(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    for space in [SIGN_INS, HOLDS] {
        if snapshot.small(caller.tenant, space, id.as_bytes())?.is_some() {
            plan.writes.push(none(space, id.as_bytes().to_vec()));
        }
    }
    plan.writes.extend(signin::forget(snapshot, caller.tenant, id)?);
    memos::forget(snapshot, caller, id, plan)
}

/// Adds the record of somebody who has departed, and what the history says of it.
fn depart(
    caller: &Caller,
    stored: &Stored,
    before: &Document,
    was: &Standing,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    let by = actor(caller.who);
    let mut now = Standing { due: None, zone: None, ..was.clone() };
    now.lock(authority(caller), true, caller.now, &by, Some("departed"));
    now.departed = Some(Departure { at: caller.now, by });
    let mut settled = super::rules::Settled::default();
    person::tell(was, &now, &mut settled);
    plan.changes = settled.changes;
    if before.is_active() {
        plan.changes.insert(0, Change::of("active", Some(true.into()), Some(false.into())));
    }
    let broken = |error: serde_json::Error| RosterError::Broken(format!("{}: {error}", stored.at().id));
    let old = stored.to_record()?;
    let mut segments: Vec<Segment> =
        old.segments.into_iter().filter(|segment| segment.urn != urn::STANDING).collect();
    if let Some(core) = segments.first_mut() {
        let mut attributes: Map<String, Value> = serde_json::from_str(&core.json).map_err(broken)?;
        attributes.insert("active".to_owned(), false.into());
        core.json = Value::Object(attributes).to_string();
    }
    let json = now.write().map_err(broken)?;
    segments.extend(json.map(|json| Segment { urn: urn::STANDING.to_owned(), json }));
    let mut entries: Vec<_> = old.index.into_iter().filter(|entry| entry.index == index::REFERENCE).collect();
    if let (Some(connection), Some(external)) = (old.connection, before.external_id()) {
        entries.push(index::departed(connection, external));
    }
    plan.writes.push(Write::Put(Box::new(Record {
        at: Address { kind: KindId::DEPARTED, id: old.at.id },
        connection: old.connection,
        created: old.created,
        modified: old.modified.max(caller.now),
        display: old.display,
        segments,
        unique: Vec::new(),
        index: entries,
    })));
    Ok(())
}

/// Refuses to remove who was used, and says by what.
fn refuse_if_used(usage: &Usage) -> Result<(), RosterError> {
    let mut why = Vec::new();
    for (system, hold) in usage.holds.holds.iter().take(HOLDS_NAMED) {
        why.push(format!("{system} has {} ({})", hold.count, hold.reason));
    }
    if usage.holds.holds.len() > HOLDS_NAMED {
        why.push("other programs have more".to_owned());
    }
    if let Some(row) = &usage.signed_in {
        why.push(format!("they signed in at {}", row.at));
    }
    if why.is_empty() {
        return Ok(());
    }
    let why = why.join("; ");
    Err(RosterError::InUse(format!("the person has records and cannot be removed: {why}; lock them instead")))
}

/// Programs that a refusal names.
const HOLDS_NAMED: usize = 3;
