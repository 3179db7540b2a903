//! `/logout`: signing out here, and at the provider where that is wished.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::browser::{Form, must_be_ours};
use super::desk::Desk;
use super::pages::{self, Message, with_cookie};
use super::visit;
use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::ids::RequestId;
use crate::roster::{Roster, RosterError, SessionKey};
use crate::signin::rp::IdTokenHint;
use crate::signin::vault::Purpose;

/// Where a browser is after it signed out, here or at its provider.
pub async fn done() -> Result<Response, Problem> {
    let message = Message {
        title: "You are signed out",
        text: "Close this window if others use this computer too.",
        reference: None,
        link: Some(("/login", "Sign in again")),
    };
    pages::page(StatusCode::OK, &message)
}

/// Ends the session.
pub async fn leave(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    must_be_ours(edge.desk(), &parts.headers)?;
    let form = Form::read(&arrival, &parts.headers, body).await?;
    let offer = edge.desk().offer();
    let gone = offer.cookies.clear_session();
    let Some((key, live)) = visit::find(&edge, &parts)? else {
        // What lets nobody in now may do so later: a provider that is off comes back on.
        if let Some(key) = offer.cookies.session(&parts.headers) {
            edge.wait(move |roster| forget(roster, &key, arrival.request_id)).await?;
        }
        return Ok(with_cookie(pages::see_other("/logout")?, gone));
    };
    let caller = edge.roster().as_signed_in(&live, arrival.request_id)?;
    let provider = live.session.provider.as_deref().filter(|_| form.get("provider").is_some());
    let (then, there_too) = (edge.clone(), provider.is_some());
    let ended = edge.wait(move |roster| {
        let id_token = if there_too { kept_id_token(then.desk(), roster, &key)? } else { None };
        roster.end_session(&caller, &key)?;
        Ok(id_token)
    });
    let id_token = ended.await?;
    if let Some(opened) = provider.and_then(|name| edge.desk().provider(name)) {
        let desk = edge.desk();
        match desk.party.logout_url(&opened.provider, id_token.as_ref(), desk.chance.as_ref()).await {
            Ok(there) => {
                let title = format!("Signing out of {} …", opened.title);
                return Ok(with_cookie(pages::onward(&title, &there.url)?, gone));
            }
            // Here it is done; the provider's own session is left to it.
            Err(refusal) => {
                tracing::info!(
                    provider = opened.name(),
                    code = refusal.code(),
                    "no sign-out at the provider: {refusal}"
                );
            }
        }
    }
    Ok(with_cookie(pages::see_other("/logout")?, gone))
}

/// Reads the ID token that was kept with a session: its provider knows by it whose session it ends. What cannot be read is as good as none.
fn kept_id_token(desk: &Desk, roster: &Roster, key: &SessionKey) -> Result<Option<IdTokenHint>, RosterError> {
    let Some(sealed) = roster.sealed_id_token(key)? else { return Ok(None) };
    let Ok(own) = desk.own() else { return Ok(None) };
    let opened = own.vault.open(Purpose::IdToken, &[key.place()], &sealed);
    let opened = opened.inspect_err(|error| tracing::warn!(%error, "an ID token cannot be opened; signing out at the provider goes without it"));
    let token = opened.ok().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    Ok(token.map(IdTokenHint::new))
}

/// Ends a session that opens nothing at this moment, if there is one: who has its cookie may.
fn forget(roster: &Roster, key: &SessionKey, id: RequestId) -> Result<(), RosterError> {
    match roster.doorkeeper_of(key.tenant, id) {
        Ok(door) => roster.end_session(&door, key).map(|_| ()),
        // A cookie that somebody made up.
        Err(RosterError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}
