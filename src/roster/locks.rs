//! Locks that an administrator holds, or that are held because of what looked like an attack (H15, T11). What a provider says by `active` comes
//! the way of every write, and is a lock of its own.

use jiff::Timestamp;

use super::asked::Errand;
use super::commit::Plan;
use super::depart::people;
use super::error::RosterError;
use super::hooks::Operation;
use super::person::standing;
use super::rules::{Act, Before, Draft, put_as};
use super::scope::Scope;
use super::view::Precondition;
use super::{Caller, LOCAL, Roster};
use crate::ids::{Address, ResourceId};
use crate::psa::locks::{Authority, Locks};
use crate::scim::error::quoted;
use crate::store::{Action, Snapshot};

/// Longest reason that is kept beside a lock or a hold.
pub const REASON_CHARACTERS_MAX: usize = 500;

impl Roster {
    /// Has an authority lock a person: they are let in no more, their seat is free, everything that they had signed in with is ended, and their
    /// data stay. Where the authority holds its lock already, nothing changes.
    ///
    /// # Errors
    /// [`RosterError::InUse`] for the last administrator and the owner.
    pub fn lock(
        &self,
        caller: &Caller,
        id: ResourceId,
        authority: Authority,
        reason: Option<&str>,
    ) -> Result<(), RosterError> {
        refuse_unless_given(authority)?;
        let reason = reason.map(|reason| line("reason", reason, REASON_CHARACTERS_MAX)).transpose()?;
        self.act_on(caller, id, Action::Lock, Act::Lock(authority, reason))
    }

    /// Has an authority let go of its lock. The person is let in when nobody else holds one and, with a licence, when a seat is left. In the name of
    /// `license`, only that is looked at again.
    ///
    /// # Errors
    /// [`RosterError::InUse`] where no seat is left and the pool says to refuse.
    pub fn unlock(&self, caller: &Caller, id: ResourceId, authority: Authority) -> Result<(), RosterError> {
        if authority == Authority::License {
            return self.act_on(caller, id, Action::Unlock, Act::Look);
        }
        refuse_unless_given(authority)?;
        self.act_on(caller, id, Action::Unlock, Act::Unlock(authority))
    }

    /// Lists the locks on a person.
    pub fn locks(&self, caller: &Caller, id: ResourceId) -> Result<Locks, RosterError> {
        caller.needs(Scope::UsersRead)?;
        let snapshot = self.store.snapshot()?;
        let kind = people(caller)?;
        let at = Address::user(id);
        let (stored, kept, _) = Self::found(snapshot.as_ref(), caller, kind, at, &Precondition::None)?;
        Ok(standing(&stored, kept.is_active())?.locks)
    }

    /// Changes where a person stands, and nothing of what a document says.
    fn act_on(
        &self,
        caller: &Caller,
        id: ResourceId,
        action: Action,
        act: Act<'_>,
    ) -> Result<(), RosterError> {
        of_the_firm(caller, Scope::UsersWrite)?;
        self.carry_out(caller, action, |snapshot| {
            let mut plan = Plan::default();
            let changed = plan_act(snapshot, caller, id, act, &mut plan)?;
            Ok((changed.then_some(plan), ()))
        })
    }
}

/// Adds to a plan what it takes to change where a person stands. Returns whether there was anything to change.
pub(super) fn plan_act(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
    act: Act<'_>,
    plan: &mut Plan,
) -> Result<bool, RosterError> {
    let kind = people(caller)?;
    let at = Address::user(id);
    let (stored, kept, given) = Roster::found(snapshot, caller, kind, at, &Precondition::None)?;
    plan.given.extend(given);
    plan.subject = Some(at);
    let before = Before { stored: &stored, kept: &kept };
    // What the act is, says it.
    let errand = Errand::of(Operation::Patch);
    let draft = Draft { kind, at, wanted: kept.clone(), before: Some(before), anew: false, errand };
    put_as(snapshot, caller, draft, act, plan)
}

/// Refuses what nobody may do to themselves: lock, demote or remove (T11, T12). `acting` is the person who asks; `None` for programs.
pub fn refuse_oneself(acting: Option<ResourceId>, id: ResourceId, what: &str) -> Result<(), RosterError> {
    if acting == Some(id) {
        return Err(RosterError::InUse(format!("nobody can {what} themselves; ask another administrator")));
    }
    Ok(())
}

/// Refuses who does not act for the firm itself: a provider has `active`, and DELETE.
pub(super) fn of_the_firm(caller: &Caller, scope: Scope) -> Result<(), RosterError> {
    caller.needs(scope)?;
    if caller.connection == LOCAL {
        Ok(())
    } else {
        Err(RosterError::Forbidden { needs: Scope::Admin.name() })
    }
}

/// Refuses a lock that follows from something else.
fn refuse_unless_given(authority: Authority) -> Result<(), RosterError> {
    let follows_from = match authority {
        Authority::Admin | Authority::Security => return Ok(()),
        Authority::Idp => "what the identity provider says",
        Authority::Schedule => "the person's schedule",
        Authority::License => "there being no seat",
    };
    Err(RosterError::Unfit(format!(
        "authority: expected admin or security, found {authority}, which follows from {follows_from}"
    )))
}

/// Reads a line of text of at most so many characters.
pub(super) fn line<'a>(what: &str, text: &'a str, most: usize) -> Result<&'a str, RosterError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
        let start: String = text.chars().take(40).collect();
        return Err(RosterError::Unfit(format!(
            "{what}: expected one line of 1 to {most} characters, found {}",
            quoted(&start)
        )));
    }
    Ok(text)
}

/// Reads an instant at which something has happened: a little later than now where clocks differ.
pub(super) fn has_been(what: &str, at: Timestamp, caller: &Caller) -> Result<Timestamp, RosterError> {
    let latest = caller.now.checked_add(jiff::SignedDuration::from_mins(5)).unwrap_or(caller.now);
    if at > latest {
        return Err(RosterError::Unfit(format!("{what}: expected an instant that has been, found {at}")));
    }
    Ok(at.min(caller.now))
}
