//! Holds: what other programs say that they have of a person, so that nobody erases whom somebody has to account for (H16, P03). And sign-ins,
//! which say the same.

use jiff::Timestamp;

use super::commit::Plan;
use super::error::RosterError;
use super::locks::{REASON_CHARACTERS_MAX, has_been, line, of_the_firm, plan_act};
use super::person::{actor, standing, usage};
use super::rows::{self, HOLDS, HoldRow, HoldsRow, SIGN_INS, SignInRow};
use super::rules::Act;
use super::scope::Scope;
use super::{Caller, Roster};
use crate::ids::{Address, KindId, ResourceId};
use crate::scim::error::quoted;
use crate::store::{Action, Change, Given, Snapshot, Stored, Write};

/// Programs that may have records of one person.
pub const HOLDS_PER_PERSON_MAX: usize = 64;
/// Longest name of a program, or of a way to sign in.
pub const WORD_CHARACTERS_MAX: usize = 64;

/// What a program says that it has of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The program.
    pub system: String,
    /// What it has, in its own words.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Since when.
    pub since: Timestamp,
    /// Who said so, in the history's words.
    pub by: String,
}

impl Roster {
    /// Writes down that a program has records of a person, departed or not. What it said before is replaced; since when it has any, stays.
    pub fn hold(
        &self,
        caller: &Caller,
        id: ResourceId,
        system: &str,
        reason: &str,
        count: u64,
    ) -> Result<(), RosterError> {
        of_the_firm(caller, Scope::UsersWrite)?;
        let system = word("system", system)?;
        let reason = line("reason", reason, REASON_CHARACTERS_MAX)?;
        self.change_holds(caller, id, Action::Hold, |row| {
            if row.holds.len() >= HOLDS_PER_PERSON_MAX && !row.holds.contains_key(system) {
                return Err(RosterError::TooLarge(format!(
                    "expected at most {HOLDS_PER_PERSON_MAX} programs that have records of one person"
                )));
            }
            let before = row.holds.get(system);
            if before.is_some_and(|hold| hold.reason == reason && hold.count == count) {
                return Ok(());
            }
            let since = before.map_or(caller.now, |hold| hold.since);
            let hold = HoldRow { reason: reason.to_owned(), count, since, by: actor(caller.who) };
            row.holds.insert(system.to_owned(), hold);
            Ok(())
        })
    }

    /// Writes down that a program has no records of a person any more.
    pub fn release_hold(&self, caller: &Caller, id: ResourceId, system: &str) -> Result<(), RosterError> {
        of_the_firm(caller, Scope::UsersWrite)?;
        self.change_holds(caller, id, Action::HoldRelease, |row| {
            row.holds.remove(system).map(drop).ok_or(RosterError::NotFound)
        })
    }

    /// Lists which programs have records of a person, by name.
    pub fn holds(&self, caller: &Caller, id: ResourceId) -> Result<Vec<Hold>, RosterError> {
        of_the_firm(caller, Scope::UsersRead)?;
        let snapshot = self.store.snapshot()?;
        wherever(snapshot.as_ref(), caller, id)?;
        let row = usage(snapshot.as_ref(), caller, id)?.holds;
        let hold = |(system, HoldRow { reason, count, since, by })| Hold { system, reason, count, since, by };
        Ok(row.holds.into_iter().map(hold).collect())
    }

    fn change_holds(
        &self,
        caller: &Caller,
        id: ResourceId,
        action: Action,
        change: impl Fn(&mut HoldsRow) -> Result<(), RosterError>,
    ) -> Result<(), RosterError> {
        self.carry_out(caller, action, |snapshot| {
            let at = wherever(snapshot, caller, id)?;
            let old = usage(snapshot, caller, id)?;
            let mut row = old.holds.clone();
            change(&mut row)?;
            if row == old.holds {
                return Ok((None, ()));
            }
            let value = (!row.holds.is_empty()).then(|| rows::encode(&row)).transpose()?;
            let plan = Plan {
                given: old.facts.into_iter().chain([Given::Exists(at)]).collect(),
                writes: vec![Write::Small { space: HOLDS, key: id.as_bytes().to_vec(), value }],
                subject: Some(Address::user(id)),
                changes: vec![Change::of("holds", told(&old.holds)?, told(&row)?)],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })
    }

    /// Writes down that a person has signed in; who was invited has come. What is earlier than what is known already changes nothing.
    pub fn signed_in(
        &self,
        caller: &Caller,
        id: ResourceId,
        at: Timestamp,
        method: &str,
    ) -> Result<(), RosterError> {
        of_the_firm(caller, Scope::UsersWrite)?;
        let method = word("method", method)?;
        let at = has_been("at", at, caller)?;
        self.carry_out(caller, Action::SignIn, |snapshot| {
            let person = Address::user(id);
            let stored = snapshot.get(caller.tenant, person)?.ok_or(RosterError::NotFound)?;
            let mut plan = Plan { subject: Some(person), ..Plan::default() };
            let said = plan_sign_in(snapshot, caller, &stored, at, method, &mut plan)?;
            Ok((said.then_some(plan), ()))
        })
    }
}

/// Adds to a plan that a person has signed in. Returns whether there was anything to write.
pub(super) fn plan_sign_in(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    stored: &Stored,
    at: Timestamp,
    method: &str,
    plan: &mut Plan,
) -> Result<bool, RosterError> {
    let person = stored.at();
    let key = person.id.as_bytes().to_vec();
    let old = snapshot.small(caller.tenant, SIGN_INS, &key)?;
    let known: Option<SignInRow> = old.as_deref().map(rows::decode).transpose()?;
    if known.as_ref().is_some_and(|known| known.at >= at) {
        return Ok(false);
    }
    let row = SignInRow { at, method: method.to_owned() };
    if standing(stored, true)?.invited.is_some() {
        plan_act(snapshot, caller, person.id, Act::Came(at), plan)?;
    }
    plan.given.extend([Given::Exists(person), Given::Small(SIGN_INS, key.clone(), old)]);
    plan.writes.push(Write::Small { space: SIGN_INS, key, value: Some(rows::encode(&row)?) });
    let instant = |row: &SignInRow| row.at.to_string().into();
    plan.changes.push(Change::of("lastSignIn", known.as_ref().map(instant), Some(instant(&row))));
    Ok(true)
}

/// Says where the record of a person is, departed or not.
fn wherever(snapshot: &dyn Snapshot, caller: &Caller, id: ResourceId) -> Result<Address, RosterError> {
    for kind in [KindId::USER, KindId::DEPARTED] {
        let at = Address { kind, id };
        if snapshot.exists(caller.tenant, at)? {
            return Ok(at);
        }
    }
    Err(RosterError::NotFound)
}

/// Writes holds as the history shows them.
fn told(row: &HoldsRow) -> Result<Option<serde_json::Value>, RosterError> {
    if row.holds.is_empty() {
        return Ok(None);
    }
    let value = serde_json::to_value(&row.holds);
    value.map(Some).map_err(|error| RosterError::Broken(format!("holds could not be written: {error}")))
}

/// Reads the name of a program, or of a way to sign in.
fn word<'a>(what: &str, text: &'a str) -> Result<&'a str, RosterError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > WORD_CHARACTERS_MAX || !text.chars().all(fits) {
        let start: String = text.chars().take(40).collect();
        return Err(RosterError::Unfit(format!(
            "{what}: expected 1 to {WORD_CHARACTERS_MAX} letters, digits, \"-\", \"_\" and \".\", found {}",
            quoted(&start)
        )));
    }
    Ok(text)
}
