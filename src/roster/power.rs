//! What those may change who act as a person (P20, T11, T12): with a token of the built-in connection that is bound to somebody, that somebody's
//! permissions decide, whichever way the request comes. Programs and identity providers are bounded by their scopes.

use serde_json::{Map, Value};

use super::error::RosterError;
use super::locks::refuse_oneself;
use super::rules::{Act, Before, Draft};
use super::{Caller, rights};
use crate::ids::{KindId, ResourceId};
use crate::psa::catalogue::Level;
use crate::psa::permission::permits::{
    GroupsUpdate, KindsUpdate, PermissionsUpdate, ProxiesUpdate, RatesUpdate, UsersCreate, UsersDelete,
    UsersUpdate,
};
use crate::psa::permission::{Asked as _, Effective};
use crate::psa::person::RATES;
use crate::psa::urn;
use crate::scim::Document;
use crate::scim::fold::same;
use crate::store::Snapshot;

/// From which attributes a person's rights follow.
const GIVES_RIGHTS: [&str; 5] = ["kind", "userTypes", "overrides", "license", "financialVisibility"];

/// By what of their card somebody signs in, or is sent what signs them in.
const OPENS: [&str; 2] = ["userName", "emails"];
/// What of their own card everybody changes.
const OWN_TO_CHANGE: [&str; 2] = ["phoneNumbers", "addresses"];

/// Refuses a change of a person that the person who asks may not make: without the permission, of their own rights or lock, or giving what they
/// have not got themselves.
pub(super) fn check_person(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    draft: &Draft<'_>,
    old: &Map<String, Value>,
    psa: &Map<String, Value>,
    act: Act<'_>,
) -> Result<(), RosterError> {
    let Some(me) = caller.person() else { return Ok(()) };
    // Locks and sign-ins have a deed of their own, which was asked for.
    if !matches!(act, Act::Said | Act::Return) {
        return Ok(());
    }
    let mine = mine(snapshot, caller, me)?;
    if draft.at.id == me && is_own_to_change(draft) && psa == old {
        return Ok(());
    }
    needs(&mine, if draft.before.is_none() { UsersCreate::KEY } else { UsersUpdate::KEY })?;
    // Links are mailed to the address, and the login is what a password is tried for.
    let opens = |before: Before<'_>| OPENS.iter().any(|name| before.kept.get(name) != draft.wanted.get(name));
    if draft.at.id != me && draft.before.is_some_and(opens) {
        check_takeover(snapshot, caller, draft.at.id, "change the address or the login of")?;
    }
    if draft.before.is_some_and(|before| before.kept.is_active() != draft.wanted.is_active()) {
        refuse_oneself(Some(me), draft.at.id, "lock or unlock")?;
    }
    let changed = |name: &str| psa.get(name) != old.get(name);
    if changed("proxies") {
        needs(&mine, ProxiesUpdate::KEY)?;
        check_takeover(snapshot, caller, draft.at.id, "say who acts for")?;
    }
    if RATES.iter().any(|name| changed(name)) {
        needs(&mine, RatesUpdate::KEY)?;
    }
    let changed: Vec<&str> = GIVES_RIGHTS.into_iter().filter(|name| changed(name)).collect();
    if changed.is_empty() {
        return Ok(());
    }
    refuse_oneself(Some(me), draft.at.id, "change the rights of")?;
    if changed.iter().any(|name| matches!(*name, "userTypes" | "overrides")) {
        needs(&mine, PermissionsUpdate::KEY)?;
    }
    let before = rights::with_attributes(snapshot, caller, draft.at, old)?;
    let after = rights::with_attributes(snapshot, caller, draft.at, psa)?;
    match after.beyond(&before, &mine) {
        None => Ok(()),
        Some(key) => Err(RosterError::NotAllowed {
            needs: "what is given",
            detail: format!(
                "nobody gives what they have not got: the change would give {key} further than the person has it who asks"
            ),
        }),
    }
}

/// Tells whether a change is of nothing but how somebody is reached by telephone and post: what everybody changes of their own card (H08).
fn is_own_to_change(draft: &Draft<'_>) -> bool {
    let Some(before) = draft.before else { return false };
    let psa = |name: &str| name.get(..urn::USER.len()).is_some_and(|start| same(start, urn::USER));
    Document::diff(before.kept, &draft.wanted)
        .iter()
        .all(|change| OWN_TO_CHANGE.contains(&change.name.as_str()) || psa(&change.name))
}

/// Refuses the removal of a person who is oneself, or without the permission.
pub(super) fn check_removal(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
) -> Result<(), RosterError> {
    let Some(me) = caller.person() else { return Ok(()) };
    needs(&mine(snapshot, caller, me)?, UsersDelete::KEY)?;
    refuse_oneself(Some(me), id, "remove")
}

/// Refuses to give somebody power over how another signs in who could become more by it than they are.
pub(super) fn check_takeover(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
    what: &str,
) -> Result<(), RosterError> {
    let Some(me) = caller.person() else { return Ok(()) };
    let mine = mine(snapshot, caller, me)?;
    needs(&mine, UsersUpdate::KEY)?;
    // By a session or a token that is lost, one would lose oneself.
    refuse_oneself(Some(me), id, what)?;
    // Who is kept out now may be let in tomorrow: their rights are what they would have.
    let Some(theirs) = rights::would_have(snapshot, caller, id)? else { return Ok(()) };
    match theirs.beyond(&mine, &mine) {
        None => Ok(()),
        Some(key) => Err(RosterError::NotAllowed {
            needs: "what the other may do",
            detail: format!(
                "nobody may {what} somebody who may do more: the other has {key} further than the person has it who asks"
            ),
        }),
    }
}

/// Refuses a change of something else than a person without the permission.
pub(super) fn check(snapshot: &dyn Snapshot, caller: &Caller, kind: KindId) -> Result<(), RosterError> {
    let Some(me) = caller.person() else { return Ok(()) };
    let mine = mine(snapshot, caller, me)?;
    match kind {
        KindId::GROUP => needs(&mine, GroupsUpdate::KEY),
        KindId::USER_TYPE => {
            needs(&mine, KindsUpdate::KEY)?;
            needs(&mine, PermissionsUpdate::KEY)
        }
        _ => needs(&mine, KindsUpdate::KEY),
    }
}

/// Refuses a change of who belongs to a group without the permission; where groups give rights, it takes that to give rights as well.
pub(super) fn check_members(snapshot: &dyn Snapshot, caller: &Caller) -> Result<(), RosterError> {
    let Some(me) = caller.person() else { return Ok(()) };
    let mine = mine(snapshot, caller, me)?;
    needs(&mine, GroupsUpdate::KEY)?;
    if caller.policy.group_maps.is_empty() { Ok(()) } else { needs(&mine, PermissionsUpdate::KEY) }
}

fn mine(snapshot: &dyn Snapshot, caller: &Caller, me: ResourceId) -> Result<Effective, RosterError> {
    rights::of_person(snapshot, caller, me)?.ok_or_else(|| RosterError::NotAllowed {
        needs: "a person who is let in",
        detail: "this token acts as a person who is kept out".to_owned(),
    })
}

fn needs(mine: &Effective, key: &'static str) -> Result<(), RosterError> {
    if mine.everywhere(key) == Level::All {
        return Ok(());
    }
    Err(RosterError::NotAllowed {
        needs: key,
        detail: format!(
            "this token acts as a person who lacks the permission {key} at the level all; an administrator can give it"
        ),
    })
}
