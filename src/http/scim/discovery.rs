//! What the server says of itself (RFC 7644 §4). Needs the same credentials as the rest (S183); takes no filter (S184).
//! Kinds that the credential may neither read nor change are not spoken of, nor the schemas that only they have.

use axum::extract::{RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::parameters::Parameters;
use super::reply;
use crate::http::auth::Bearer;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::roster::{CURSOR_SECONDS_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Roster};
use crate::scim::bulk::OPERATIONS_MAX;
use crate::scim::discovery::{self, BulkFacts, Facts, SchemeFacts};

/// Describes the server.
pub async fn service_provider_config(
    State(edge): State<Edge>,
    bearer: Bearer,
    request: Request,
) -> Result<Response, Problem> {
    refuse_filter(&request)?;
    let used = edge.read(&bearer.caller, Roster::schemes)?;
    let token_url = edge.token_url();
    let facts = Facts {
        base: edge.base_url(),
        bulk: BulkFacts { operations_max: OPERATIONS_MAX as u64, payload_bytes_max: edge.body_sizes().large },
        results_max: PAGE_SIZE_MAX,
        results_default: PAGE_SIZE_DEFAULT,
        sort: true,
        cursor_seconds: Some(CURSOR_SECONDS_MAX),
        schemes: SchemeFacts { token_url: used.oauth2.then_some(token_url.as_str()), basic: used.basic },
    };
    Ok(reply::value(&discovery::service_provider_config(&facts)))
}

/// Lists the schemas.
pub async fn schemas(
    State(edge): State<Edge>,
    bearer: Bearer,
    request: Request,
) -> Result<Response, Problem> {
    refuse_filter(&request)?;
    Ok(reply::value(&discovery::schemas(&bearer.caller.reached_kinds(), edge.base_url())))
}

/// Describes one schema.
pub async fn schema(
    State(edge): State<Edge>,
    bearer: Bearer,
    at: RawPathParams,
) -> Result<Response, Problem> {
    let found = discovery::schema(&bearer.caller.reached_kinds(), name(&at), edge.base_url());
    found.map(|found| reply::value(&found)).ok_or_else(Problem::not_found)
}

/// Lists the kinds of resource.
pub async fn resource_types(
    State(edge): State<Edge>,
    bearer: Bearer,
    request: Request,
) -> Result<Response, Problem> {
    refuse_filter(&request)?;
    Ok(reply::value(&discovery::resource_types(&bearer.caller.reached_kinds(), edge.base_url())))
}

/// Describes one kind of resource.
pub async fn resource_type(
    State(edge): State<Edge>,
    bearer: Bearer,
    at: RawPathParams,
) -> Result<Response, Problem> {
    let found = discovery::resource_type(&bearer.caller.reached_kinds(), name(&at), edge.base_url());
    found.map(|found| reply::value(&found)).ok_or_else(Problem::not_found)
}

/// Says that the caller is no person: tokens of IdPs belong to none (RFC 7644 §3.11, S190).
pub async fn me(_: Bearer) -> Problem {
    Problem::not_implemented("/Me: this token belongs to a connection and not to a person")
}

fn name(at: &RawPathParams) -> &str {
    at.iter().next().map_or("", |(_, name)| name)
}

fn refuse_filter(request: &Request) -> Result<(), Problem> {
    match Parameters::decode(request.uri().query()).filter {
        Some(_) => Err(Problem::new(StatusCode::FORBIDDEN, "discovery endpoints take no filter")),
        None => Ok(()),
    }
}
