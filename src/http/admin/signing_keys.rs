//! `/admin/v1/signing-keys`, on the socket only: the keys that sign for programs downstream of every tenant.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask::Ask;
use super::endpoint::Found;
use super::page::Page;
use crate::http::problem::Problem;
use crate::roster::{SigningKeyTurn, SigningKeys};

/// A key that signs for programs downstream.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// Its name, as assertions have it in their header: the thumbprint of RFC 7638.
    pub kid: String,
    /// From when on it signs.
    #[schema(value_type = String, format = DateTime)]
    pub signs_from: Timestamp,
    /// Whether it is the one that signs now.
    pub signs: bool,
}

/// How another key takes over.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSigningKey {
    /// Whether it signs now, and what the others signed is good no more: for when a private half may be known to others. Otherwise it signs in ten minutes, when
    /// every program has fetched it.
    #[serde(default)]
    pub at_once: bool,
}

/// Lists the keys that are published.
pub async fn list(ask: Ask) -> Result<Found<Page<SigningKey>>, Problem> {
    let keys = ask.edge().roster().signing_keys()?;
    Ok(Found(page(&ask, &keys)))
}

/// Has another key take over.
pub async fn turn(
    ask: Ask,
    NewSigningKey { at_once }: NewSigningKey,
) -> Result<Found<Page<SigningKey>>, Problem> {
    let turn = if at_once { SigningKeyTurn::AtOnce } else { SigningKeyTurn::InTurn };
    let (teller, request) = (ask.edge().clone(), ask.hold.request_id);
    let keys = ask.edge().wait(move |roster| Ok(teller.gateway().turn(roster, turn, request))).await??;
    Ok(Found(page(&ask, &keys)))
}

fn page(ask: &Ask, keys: &SigningKeys) -> Page<SigningKey> {
    let now = ask.edge().roster().current_time();
    let signer = keys.signer(now).map(|key| key.kid.clone());
    let shown = keys.published(now).map(|key| SigningKey {
        kid: key.kid.clone(),
        signs_from: key.signs_from,
        signs: signer.as_ref() == Some(&key.kid),
    });
    Page { items: shown.take(ask.limit()).collect(), next: None }
}
