//! `/admin/v1/users/{id}/memos` and `/activities`: what is written down about a person, and what happened to them (H14).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask::Ask;
use super::audit::Entry;
use super::endpoint::{Done, Found, Made};
use super::page::Page;
use super::people::person_id;
use super::query::{Form, LIMIT, Parameter};
use crate::http::problem::Problem;
use crate::ids::ResourceId;
use crate::roster::Memo;
use crate::store::Seq;

/// What the timeline can be asked for.
pub const ACTIVITIES: [Parameter; 2] = [
    Parameter::new(
        "before",
        Form::Number(0, u64::MAX),
        "Only what has a smaller number; the `next` of the page before.",
    ),
    LIMIT,
];

/// A memo about a person.
#[derive(Serialize, ToSchema)]
pub struct PersonMemo {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub id: ResourceId,
    /// What it says.
    pub text: String,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who wrote it.
    pub by: String,
}

/// A memo to be written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedMemo {
    /// What it says: up to 4000 characters.
    pub text: String,
}

impl From<Memo> for PersonMemo {
    fn from(memo: Memo) -> Self {
        let Memo { id, text, at, by } = memo;
        Self { id, text, at, by }
    }
}

/// Lists memos, oldest first.
pub async fn list(ask: Ask) -> Result<Found<Page<PersonMemo>>, Problem> {
    let id = person_id(&ask)?;
    let memos = ask.run(move |roster, caller, _| roster.memos(caller, id)).await?;
    Ok(Found(Page::of(&ask, memos.into_iter().map(PersonMemo::from), |memo| memo.id.to_string())))
}

/// Writes one.
pub async fn add(ask: Ask, wanted: WantedMemo) -> Result<Made<PersonMemo>, Problem> {
    let id = person_id(&ask)?;
    let made = ask.run(move |roster, caller, permit| roster.add_memo(caller, permit, id, &wanted.text));
    Ok(Made(made.await?.into()))
}

/// Removes one.
pub async fn remove(ask: Ask) -> Result<Done, Problem> {
    let id = person_id(&ask)?;
    let memo = ResourceId::parse(ask.at("memo")).map_err(|_| Problem::not_found())?;
    ask.run(move |roster, caller, permit| roster.remove_memo(caller, permit, id, memo)).await?;
    Ok(Done)
}

/// Lists what happened to a person, newest first.
pub async fn activities(ask: Ask) -> Result<Found<Page<Entry>>, Problem> {
    let id = person_id(&ask)?;
    let (before, limit) = (ask.number("before").map(Seq), ask.limit());
    let rows = ask.run(move |roster, caller, permit| roster.activities(caller, permit, id, before, limit));
    let rows = rows.await?;
    let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.seq.0.to_string());
    let items = rows.into_iter().map(|row| Entry::of(row, ask.caller.kinds())).collect();
    Ok(Found(Page { items, next }))
}
