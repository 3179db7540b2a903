//! `/admin/v1/users`: what administrators do with people beyond SCIM.

use serde::Serialize;
use utoipa::ToSchema;

use super::ask::Ask;
use super::endpoint::Found;
use crate::http::problem::Problem;
use crate::ids::ResourceId;

/// What was erased.
#[derive(Serialize, ToSchema)]
pub struct Erased {
    /// How many entries of the history had values, which are gone.
    pub entries: u64,
}

/// Erases what is left of a person who was deleted (X63).
pub async fn erase(ask: Ask) -> Result<Found<Erased>, Problem> {
    let id = ResourceId::parse(ask.at("id")).map_err(|_| Problem::not_found())?;
    let doctor = ask.doctor();
    let erased = ask.run(move |roster, caller, permit| {
        let entries = roster.erase(caller, permit, id)?;
        // Whoever is named in what came in cannot be told from texts, so all of the tenant's goes.
        doctor.forget_requests(caller);
        Ok(entries)
    });
    Ok(Found(Erased { entries: erased.await? }))
}
