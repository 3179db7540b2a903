//! `/admin/v1/users/{id}/…`: where a person stands: locks, holds, sign-ins, what they may do, whose the account is (H15, H16, P03, P08, P17, T06,
//! T11).

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask::Ask;
use super::endpoint::{Done, Found, Object};
use super::people::{PersonHold, person_id};
use super::query::{Form, Parameter};
use crate::http::problem::Problem;
use crate::roster::{Authority, Precondition, RosterError, refuse_oneself};
use crate::scim::error::quoted;

/// In whose name a lock is taken back.
pub const UNLOCK: [Parameter; 1] = [Parameter::new(
    "authority",
    Form::Text,
    "In whose name: `admin` where nothing is said, `security`, or `license` to look for a seat again.",
)];

/// A lock to be held.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedLock {
    /// In whose name: `admin` where nothing is said, or `security`.
    #[serde(default)]
    pub authority: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What a program has of a person.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedHold {
    /// What kind of records, in a line.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// Programs that have records of a person.
#[derive(Serialize, ToSchema)]
pub struct Holds {
    /// By the program's name.
    pub items: Vec<PersonHold>,
}

/// A sign-in that a program saw.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeenSignIn {
    /// When; now where nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// How: `oidc`, `password`, `magic-link`, or what the program calls it.
    pub method: String,
}

/// Locks a person.
pub async fn lock(ask: Ask, wanted: WantedLock) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    let authority = authority(wanted.authority.as_deref())?;
    let work = ask.run(move |roster, caller, _| {
        refuse_oneself(caller.person(), id, "lock")?;
        roster.lock(caller, id, authority, wanted.reason.as_deref())
    });
    work.await?;
    Ok(Done)
}

/// Takes a lock back.
pub async fn unlock(ask: Ask) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    let authority = authority(ask.text("authority"))?;
    let work = ask.run(move |roster, caller, _| {
        refuse_oneself(caller.person(), id, "unlock")?;
        roster.unlock(caller, id, authority)
    });
    work.await?;
    Ok(Done)
}

/// Lists holds.
pub async fn holds(ask: Ask) -> Result<Found<Holds>, Problem> {
    let id = person_id(&ask)?;
    let holds = ask.run(move |roster, caller, _| roster.holds(caller, id)).await?;
    Ok(Found(Holds { items: holds.into_iter().map(PersonHold::from).collect() }))
}

/// Writes down that a program has records of a person.
pub async fn hold(ask: Ask, wanted: WantedHold) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    let system = ask.at("system").to_owned();
    let work =
        ask.run(move |roster, caller, _| roster.hold(caller, id, &system, &wanted.reason, wanted.count));
    work.await?;
    Ok(Done)
}

/// Writes down that it has none any more.
pub async fn release(ask: Ask) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    let system = ask.at("system").to_owned();
    ask.run(move |roster, caller, _| roster.release_hold(caller, id, &system)).await?;
    Ok(Done)
}

/// Writes down a sign-in.
pub async fn signed_in(ask: Ask, seen: SeenSignIn) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    let work = ask.run(move |roster, caller, _| {
        roster.signed_in(caller, id, seen.at.unwrap_or(caller.now()), &seen.method)
    });
    work.await?;
    Ok(Done)
}

/// Removes a person of whom there is nothing.
pub async fn remove(ask: Ask) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    ask.run(move |roster, caller, _| roster.remove_person_if_unused(caller, id, &Precondition::None)).await?;
    Ok(Done)
}

/// Gives the account to a person.
pub async fn transfer(ask: Ask) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    ask.run(move |roster, caller, _| roster.transfer(caller, id)).await?;
    Ok(Done)
}

/// Explains what a person may do.
pub async fn permissions(ask: Ask) -> Result<Object, Problem> {
    let id = person_id(&ask)?;
    let explained = ask.run(move |roster, caller, _| {
        let explained = roster.explain_rights(caller, id)?;
        serde_json::to_vec(&explained).map_err(|error| RosterError::Broken(error.to_string()))
    });
    Ok(Object(Bytes::from(explained.await?)))
}

fn authority(name: Option<&str>) -> Result<Authority, Problem> {
    let Some(name) = name else { return Ok(Authority::Admin) };
    Authority::ALL.into_iter().find(|authority| authority.as_str() == name).ok_or_else(|| {
        Problem::bad_request(format!("authority: expected admin or security, found {}", quoted(name)))
    })
}
