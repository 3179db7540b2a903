//! `/admin/v1/plugins/parked`: who waits to be mapped by operators' plugins.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::ask::Ask;
use super::endpoint::Found;
use super::page::Page;
use super::people::after;
use crate::http::problem::Problem;
use crate::ids::ResourceId;
use crate::roster::{ParkedView, Parking};

/// Somebody who waits to be mapped.
#[derive(Serialize, ToSchema)]
pub struct ParkedUser {
    /// Their id.
    #[schema(value_type = String, format = "uuid")]
    pub id: ResourceId,
    /// `failed`: a plugin could not map them. `waiting`: a change concerns them, and they are mapped shortly.
    pub state: &'static str,
    /// Which plugin failed.
    pub plugin: Option<String>,
    /// Why, in a few words. What the plugin itself had to say of it is in the log.
    pub why: String,
    /// How often it failed.
    pub attempts: u32,
    /// Since when they wait.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When it is tried again.
    #[schema(value_type = String, format = DateTime)]
    pub due: Timestamp,
}

impl From<ParkedView> for ParkedUser {
    fn from(view: ParkedView) -> Self {
        let ParkedView { id, state, plugin, why, attempts, since, due } = view;
        let state = match state {
            Parking::Failed => "failed",
            Parking::Waiting => "waiting",
        };
        Self { id, state, plugin, why, attempts, since, due }
    }
}

/// Lists who waits, by id.
pub async fn parked(ask: Ask) -> Result<Found<Page<ParkedUser>>, Problem> {
    let (after, limit) = (after(&ask)?, ask.limit());
    let mut found =
        ask.run(move |roster, caller, _| roster.parked(caller, after, limit.saturating_add(1))).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|one| one.id.to_string());
    Ok(Found(Page { items: found.into_iter().map(ParkedUser::from).collect(), next }))
}
