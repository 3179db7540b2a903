//! What providers order: back-channel logout, and Okta's global token revocation (X51).
//!
//! A provider that cannot be believed is told 400 or 401 and nothing of whom it asked about; one that is believed is told that it is done, whether
//! or not there was anything to end.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::browser::{self, address};
use super::desk::Opened;
use crate::http::arrival::Arrival;
use crate::http::body::read_body;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::ids::RequestId;
use crate::roster::{Identity, Roster, RosterError, Turned};
use crate::signin::rp;
use crate::signin::rp::{LogoutOrder, Refusal, Revocation, RevocationSubject, logout_form};

/// Ends what a logout token says (OpenID Connect Back-Channel Logout 1.0 §2.8).
pub async fn backchannel_logout(
    State(edge): State<Edge>,
    Path(name): Path<String>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let Some(opened) = edge.desk().provider(&name) else { return Err(Problem::not_found()) };
    let whence = whence(&edge, &arrival, &parts.headers)?;
    let body = browser::bytes(&arrival, &parts.headers, body).await?;
    let desk = edge.desk();
    let order = match logout_form(&body) {
        Ok(token) => desk.party.logout(&opened.provider, &token, desk.now()).await,
        Err(refusal) => Err(refusal),
    };
    let order = match order {
        Ok(order) => order,
        Err(refusal) => {
            return Err(refused(&edge, (&arrival, whence), &opened, &refusal, StatusCode::BAD_REQUEST).await);
        }
    };
    let (id, done) = (arrival.request_id, opened.name().to_owned());
    let ended = edge.wait(move |roster| carry_out(roster, &opened, &order, id)).await?;
    tracing::info!(provider = done, people = ended, request_id = %id, "a provider ended sessions");
    Ok(StatusCode::OK.into_response())
}

/// Ends sessions; says of how many people. An order counts once.
fn carry_out(
    roster: &Roster,
    opened: &Opened,
    order: &LogoutOrder,
    id: RequestId,
) -> Result<usize, RosterError> {
    let door = roster.doorkeeper(&opened.tenant, id)?;
    let name = (opened.name(), order.jti.as_str());
    let ended = roster.once(&door, name, order.remember_until, |roster| match &order.whose {
        rp::Whose::Session { sid, .. } => roster.end_sessions_of_sid(&door, opened.name(), sid),
        rp::Whose::Subject(subject) => {
            roster.end_sessions_of_identity(&door, &identity(opened, &order.issuer, subject))
        }
    })?;
    Ok(ended.map_or(0, |ended| ended.len()))
}

fn identity<'a>(opened: &'a Opened, issuer: &'a str, subject: &'a str) -> Identity<'a> {
    Identity { provider: opened.name(), issuer, subject, ..Identity::default() }
}

/// Ends everything of a person, as Okta's Universal Logout asks for it.
pub async fn revoke(
    State(edge): State<Edge>,
    Path(name): Path<String>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let Some(opened) = edge.desk().provider(&name) else { return Err(Problem::not_found()) };
    let whence = whence(&edge, &arrival, &parts.headers)?;
    let Some(token) = bearer(&parts.headers) else { return Err(unproven()) };
    let body = read_body(body, browser::FORM_BYTES_MAX, arrival.bodies()).await?;
    let desk = edge.desk();
    let here = format!("{}/sso/{}/global-token-revocation", desk.public_url, opened.name());
    let ordered = desk.party.revocation(&opened.provider, token, &body, &here, desk.now()).await;
    let order = match ordered {
        Ok(order) => order,
        Err(refusal @ Refusal::OrderBody(_)) => {
            return Err(refused(&edge, (&arrival, whence), &opened, &refusal, StatusCode::BAD_REQUEST).await);
        }
        Err(refusal) => {
            return Err(refused(&edge, (&arrival, whence), &opened, &refusal, StatusCode::UNAUTHORIZED).await);
        }
    };
    let (id, done) = (arrival.request_id, opened.name().to_owned());
    let found = edge.wait(move |roster| end_person(roster, &opened, &order, id)).await?;
    tracing::info!(provider = done, found, request_id = %id, "a provider ended everything of a person");
    if found { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(Problem::not_found()) }
}

/// Ends everything of whomever the order is about; tells whether there is such a person. An order counts once.
fn end_person(
    roster: &Roster,
    opened: &Opened,
    order: &Revocation,
    id: RequestId,
) -> Result<bool, RosterError> {
    let door = roster.doorkeeper(&opened.tenant, id)?;
    let person = match &order.subject {
        RevocationSubject::Identity { issuer, subject } => {
            roster.person_of_identity(&door, &identity(opened, issuer, subject))?
        }
        RevocationSubject::Email(address) if opened.link_by_email && opened.may_find_by(address) => {
            roster.person_of_linked_address(&door, opened.name(), address)?
        }
        RevocationSubject::Email(_) => None,
    };
    let Some(person) = person else { return Ok(false) };
    let name = (opened.name(), order.jti.as_str());
    roster.once(&door, name, order.remember_until, |roster| roster.end_everything(&door, person))?;
    Ok(true)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn unproven() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "expected an order that the provider signed")
        .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// Says no to a provider; why is for the log and the history.
async fn refused(
    edge: &Edge,
    (arrival, whence): (&Arrival, Option<IpAddr>),
    opened: &Opened,
    refusal: &Refusal,
    status: StatusCode,
) -> Problem {
    if let Some(address) = whence.filter(|_| !refusal.is_outage()) {
        let _ = edge.desk().orders.count(address, Instant::now());
    }
    let (name, code, cure) = (opened.name().to_owned(), refusal.code(), refusal.cure());
    tracing::warn!(provider = name, code, cure, request_id = %arrival.request_id, "an order of a provider was refused: {refusal}");
    let (tenant, id) = (opened.tenant.clone(), arrival.request_id);
    let (reason, connection) = (format!("{refusal}; {cure}"), opened.connection.clone());
    let noted = edge.wait(move |roster| {
        let door = roster.doorkeeper(&tenant, id)?;
        roster.turned_away(
            &door,
            &Turned { by: &name, connection: connection.as_deref(), code, person: None, reason },
        )
    });
    if let Err(problem) = noted.await {
        return problem;
    }
    match status {
        _ if refusal.is_outage() => {
            Problem::later("the keys by which this would be proven could not be fetched")
        }
        StatusCode::UNAUTHORIZED => unproven(),
        status => Problem::new(status, "this order cannot be believed; the log of rosterd says why"),
    }
}

/// Finds out from where an order comes; refuses whose address gave too many that were none.
fn whence(edge: &Edge, arrival: &Arrival, headers: &HeaderMap) -> Result<Option<IpAddr>, Problem> {
    let address = address(edge.desk(), arrival, headers);
    match address.and_then(|address| edge.desk().orders.wait(address, Instant::now())) {
        Some(seconds) => Err(Problem::too_many_requests(seconds)),
        None => Ok(address),
    }
}
