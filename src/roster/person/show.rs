//! What is computed of a person for those who see the PSA extension: what holds today, where they stand (H09, H12, T06).

use serde_json::{Map, Value};

use super::super::Caller;
use super::super::error::RosterError;
use super::super::rows::{self, OWNER, SIGN_INS, SignInRow};
use super::{actor, attributes, standing, zone};
use crate::psa::calendar::today;
use crate::psa::person::{RATES, show_history};
use crate::psa::urn;
use crate::scim::Document;
use crate::store::{Facts, LogRow, Seq, Snapshot, Stored};

/// Writes into a document what is computed of the person.
pub(in crate::roster) fn show(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    stored: &Stored,
    document: &mut Document,
) -> Result<(), RosterError> {
    let id = stored.at().id;
    let psa = attributes(stored)?;
    let today = today(caller.now, &zone(snapshot, caller, document, &psa)?);
    let mut shown = document.extension(urn::USER).cloned().unwrap_or_default();
    for name in RATES.into_iter().chain(["employments"]) {
        show_history(&mut shown, name, today);
    }
    shown.entry("kind").or_insert_with(|| "employee".into());
    let owner = snapshot.small(caller.tenant, OWNER, &[])?;
    shown.insert("accountOwner".to_owned(), (owner.as_deref() == Some(id.as_bytes().as_slice())).into());
    shown.insert("lifecycle".to_owned(), lifecycle(snapshot, caller, stored, document)?);
    for (name, value) in shown {
        document.set(Some(urn::USER), &name, Some(value));
    }
    Ok(())
}

fn lifecycle(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    stored: &Stored,
    document: &Document,
) -> Result<Value, RosterError> {
    let id = stored.at().id;
    let standing = standing(stored, document.is_active())?;
    let signed_in = snapshot.small(caller.tenant, SIGN_INS, id.as_bytes())?;
    let signed_in: Option<SignInRow> = signed_in.as_deref().map(rows::decode).transpose()?;
    let state = if standing.locks.is_locked() {
        "locked"
    } else if standing.invited.is_some() {
        "invited"
    } else {
        "active"
    };
    let first = snapshot.history_since(caller.tenant, id, Seq::ZERO, 1)?.into_iter().next();
    let last = snapshot.history_of(caller.tenant, id, None, 1)?.into_iter().next();
    let mut parts = Map::new();
    let mut say = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            parts.insert(name.to_owned(), value);
        }
    };
    let instant = |at: jiff::Timestamp| Value::from(at.to_string());
    say("state", Some(state.into()));
    say("createdBy", first.as_ref().and_then(who));
    say("modifiedBy", last.as_ref().and_then(who));
    say("invitedAt", standing.invited.map(instant));
    say(
        "activatedAt",
        Some(instant(standing.activated.unwrap_or(stored.created()))).filter(|_| standing.invited.is_none()),
    );
    say("lockedAt", standing.locks.since().map(instant));
    let locks: Vec<Value> = standing.locks.iter().map(|lock| lock.authority.as_str().into()).collect();
    say("locks", (!locks.is_empty()).then_some(Value::Array(locks)));
    say("lastSignInAt", signed_in.as_ref().map(|row| instant(row.at)));
    say("lastSignInMethod", signed_in.as_ref().map(|row| row.method.clone().into()));
    say("everSignedIn", Some(signed_in.is_some().into()));
    Ok(Value::Object(parts))
}

/// Who wrote an entry of the history.
fn who(row: &LogRow) -> Option<Value> {
    let facts: Facts = serde_json::from_slice(&row.facts).ok()?;
    Some(actor(facts.who).into())
}
