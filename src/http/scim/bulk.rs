//! `POST /Bulk`: many requests in one (RFC 7644 §3.7).
//!
//! The answer is 200 whatever became of the operations: each has a status of its own. The work ends within a part of the handler's
//! time, so that there is always an answer that says of each operation whether it was done.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{etag, json, reply};
use crate::http::arrival::Arrival;
use crate::http::auth::Bearer;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::ids::RequestId;
use crate::roster::{Answered, Done, Scope};
use crate::scim::{urn, wire};

/// The part of the handler's time, in percent, in which operations are begun. The rest is for the one that is under way then,
/// and for the answer.
const TIME_PERCENT: u32 = 75;

/// Carries out a bulk request.
pub async fn post(
    State(edge): State<Edge>,
    bearer: Bearer,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Problem> {
    // Before a large body is read, and before anything in it can be learnt from.
    edge.read(&bearer.caller, |_, caller| caller.needs(Scope::Bulk))?;
    let bytes_max = edge.body_sizes().large;
    let body =
        json::read_up_to(&edge, bytes_max, request).await.map_err(|problem| match problem.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body may have at most {bytes_max} bytes (maxPayloadSize)"),
            ),
            _ => problem,
        })?;
    let until = Instant::now() + arrival.handler_time() * TIME_PERCENT / 100;
    let answered = edge
        .run(bearer.caller, move |roster, caller| roster.bulk(caller, body, &|| Instant::now() < until))
        .await?;
    tell_failures(&arrival, &answered);
    let operations: Vec<Value> =
        answered.into_iter().map(|answered| operation(&edge, answered, arrival.request_id)).collect();
    Ok(reply::value(&json!({"schemas": [urn::BULK_RESPONSE], "Operations": operations})))
}

/// Has it noted that operations failed although the request did not.
fn tell_failures(arrival: &Arrival, answered: &[Answered]) {
    let mut failed = answered.iter().filter_map(|answered| answered.result.as_ref().err());
    let (Some(trace), Some(first)) = (arrival.trace(), failed.next()) else { return };
    let more = failed.count();
    let first = Problem::from(first.clone());
    let all = answered.len();
    let detail =
        format!("{} of {all} operations failed; the first: {}", more.saturating_add(1), first.detail());
    trace.failed_within(detail, first.scim_type());
}

/// Describes what became of one operation.
fn operation(edge: &Edge, answered: Answered, request: RequestId) -> Value {
    let Answered { method, bulk_id, at, result } = answered;
    let mut described = Map::new();
    let mut say = |name: &str, value: Value| described.insert(name.to_owned(), value);
    if let Some(at) = at
        && let Some(kind) = edge.roster().kinds().by_id(at.kind)
    {
        say("location", wire::location(edge.base_url(), kind, at.id).into());
    }
    if let Some(method) = method {
        say("method", method.into());
    }
    if let Some(bulk_id) = bulk_id {
        say("bulkId", bulk_id.into());
    }
    let (status, version) = match result {
        Ok(Done::Created(version)) => (StatusCode::CREATED, Some(version)),
        Ok(Done::Changed(version)) => (StatusCode::OK, Some(version)),
        Ok(Done::Removed) => (StatusCode::NO_CONTENT, None),
        Err(error) => {
            let problem = Problem::from(error);
            if let Some(cause) = problem.cause() {
                tracing::error!(request_id = %request, cause, "an operation of a bulk request failed");
            }
            say("response", problem.to_value());
            (problem.status(), None)
        }
    };
    if let Some(version) = version {
        say("version", etag::write(version).into());
    }
    say("status", status.as_str().into());
    Value::Object(described)
}
