//! The administrators' API, `/admin/v1`, and the operator's commands over the admin socket.
//!
//! The API: [`list`] (every endpoint, one line each), [`endpoint`] (the frame around a handler, and what a handler answers with), [`ask`] (who
//! asks for what, and that they may), [`query`], [`page`], [`openapi`] (the description); then a file for each topic: `tenants`,
//! [`connections`] with [`report`], `tokens`, `clients`, `schemas`, [`audit`], `changes`, and of people `people`, `standing`,
//! `memos`, `roll`, `users`. On the admin listener a token of the connection
//! `local` says for whom it is, on the public one, where that is turned on, a session (`by_session`).
//!
//! This file, with `desk` and [`archive`] (the whole store on its way into a file): the commands, by which the command line speaks to a running daemon. On the socket no credential is asked for: only the owner of the
//! data folder can open it, and could as well open the folder.

pub mod archive;
pub mod ask;
pub mod audit;
mod by_session;
mod changes;
mod clients;
pub mod connections;
pub mod desk;
pub mod endpoint;
pub mod list;
mod memos;
pub mod openapi;
pub mod page;
mod people;
mod plugins;
pub mod query;
pub mod report;
mod roll;
mod schemas;
mod sessions;
mod sign_in;
mod signing_keys;
mod standing;
mod tenants;
mod tokens;
mod users;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::arrival::Arrival;
use super::body::read_body;
use super::edge::Edge;
use super::problem::Problem;
use crate::doctor::{Doctor, Question};
use crate::outbox;
use crate::roster::{Command, Reply, RosterError};
use crate::scim::{Refusal, Why};

/// Where the command line sends its commands.
pub const OPERATE_PATH: &str = "/admin/v1/operate";

/// Where it sends its questions.
pub const INSPECT_PATH: &str = "/admin/v1/inspect";

/// Where it sends what it asks about webhooks.
pub const WEBHOOKS_PATH: &str = "/admin/v1/webhooks";

/// How long a command may take. A check of a large store takes a while.
pub const COMMAND_WITHIN: Duration = Duration::from_mins(10);

/// Does what an operator asks for.
pub async fn operate(
    State(edge): State<Edge>,
    Extension(doctor): Extension<Arc<Doctor>>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Problem> {
    let command: Command = read(&edge, request).await?;
    let id = arrival.request_id;
    let done = edge.wait(move |roster| {
        let erases = match &command {
            Command::Erase { tenant, .. } => Some(roster.operator(tenant, id)?),
            _ => None,
        };
        let done = roster.operate(command, id)?;
        // Whoever is named in what came in cannot be told from texts, so all of the tenant's goes.
        erases.into_iter().for_each(|caller| doctor.forget_requests(&caller));
        Ok(done)
    });
    let mut reply = done.await?;
    if let Reply::Client { base_url, .. } = &mut reply {
        *base_url = Some(edge.base_url().to_owned());
    }
    Ok(super::scim::reply::json(StatusCode::OK, serde_json::to_vec(&reply).unwrap_or_default()))
}

/// Answers what an operator asks about a connection. Only reads.
pub async fn inspect(
    State(edge): State<Edge>,
    Extension(doctor): Extension<Arc<Doctor>>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Problem> {
    let question: Question = read(&edge, request).await?;
    let reply = edge.wait(move |_| doctor.ask(question, arrival.request_id)).await?;
    Ok(super::scim::reply::json(StatusCode::OK, serde_json::to_vec(&reply).unwrap_or_default()))
}

/// Answers what an operator asks about webhooks, and takes orders for them.
pub async fn webhooks(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Problem> {
    let question: outbox::Question = read(&edge, request).await?;
    let reply = edge.wait(move |roster| question.answer(roster, arrival.request_id)).await?;
    Ok(super::scim::reply::json(StatusCode::OK, serde_json::to_vec(&reply).unwrap_or_default()))
}

async fn read<T: DeserializeOwned>(edge: &Edge, request: Request) -> Result<T, Problem> {
    let bytes = read_body(request.into_body(), edge.body_sizes().usual, edge.bodies()).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Problem::bad_request(format!(
            "this daemon does not know such a command: {error}; are program and daemon of one version?"
        ))
    })
}

/// Answers for every path that no route has. Whether it exists is nobody's business without a credential, so SCIM paths ask for one first (X8).
/// A client of SCIM 1.1 is told where SCIM 2.0 is (S191).
pub async fn nothing_here(State(edge): State<Edge>, arrival: Arrival, request: Request) -> Problem {
    let path = request.uri().path();
    let is_first_version = is_first_version(path, edge.base_url());
    let is_scim = path.starts_with("/scim") || is_first_version;
    match super::auth::caller(&edge, request.headers(), &arrival) {
        Err(problem) if is_scim => problem,
        _ if is_first_version => {
            let detail = format!(
                "expected SCIM 2.0, found a path of SCIM 1.1, which is not supported; the base URL here is {}",
                edge.base_url()
            );
            Refusal::new(Why::InvalidVersion, detail).into()
        }
        _ => Problem::not_found(),
    }
}

/// Tells whether a client looks for SCIM 1.1: below `/v1`, `/scim/v1`, or `v1` beside the `v2` of the base path.
fn is_first_version(path: &str, base_url: &str) -> bool {
    let Some((before, after)) = path.split_once("/v1") else { return false };
    let beside = || base_url.strip_suffix("/v2").is_some_and(|front| front.ends_with(before));
    (after.is_empty() || after.starts_with('/')) && (matches!(before, "" | "/scim") || beside())
}

/// Answers for a method that a route does not have; the route adds which it has. Who asks does not matter for the answer, only for
/// the log of that connection's requests.
pub async fn no_such_method(State(edge): State<Edge>, arrival: Arrival, request: Request) -> StatusCode {
    drop(super::auth::identify(&edge, request.headers(), &arrival));
    StatusCode::METHOD_NOT_ALLOWED
}

impl From<RosterError> for Problem {
    fn from(error: RosterError) -> Self {
        match error {
            RosterError::Refused(refusal) => refusal.into(),
            RosterError::NotFound => Self::not_found(),
            RosterError::Stale { .. } => Self::precondition_failed(),
            RosterError::Forbidden { .. } | RosterError::Closed(_) => Self::forbidden(error.to_string()),
            RosterError::NotAllowed { detail, .. } | RosterError::Denied(detail) => Self::forbidden(detail),
            RosterError::Later(detail) => Self::later(detail),
            RosterError::Unknown(detail) => Self::new(StatusCode::NOT_FOUND, detail),
            RosterError::Malformed(detail) => Self::bad_request(detail),
            RosterError::Unfit(detail) | RosterError::InUse(detail) => {
                Self::new(StatusCode::CONFLICT, detail)
            }
            RosterError::TooLarge(detail) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail),
            RosterError::NotBegun => Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            RosterError::Busy | RosterError::Moved => Self::busy(1),
            RosterError::Full => Self::full(60),
            RosterError::Broken(cause) => Self::internal(cause),
        }
    }
}
