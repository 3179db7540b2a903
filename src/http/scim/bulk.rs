//! `POST /Bulk`: many requests in one (RFC 7644 §3.7).
//!
//! The answer is 200 whatever became of the operations: each has a status of its own. It begins when the first operation is answered and is
//! written as the others are. The work ends within a part of the handler's time, so that there is always an answer that says of each
//! operation whether it was done.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::flow::{self, CHUNK_BYTES, Feed};
use super::{etag, json, reply};
use crate::http::arrival::Arrival;
use crate::http::auth::Bearer;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::ids::RequestId;
use crate::requests::Trace;
use crate::roster::{Answered, Caller, Done, Roster, Scope};
use crate::scim::bulk::OPERATIONS_MAX;
use crate::scim::wire::{self, BulkWriter};

/// The part of the handler's time, in percent, in which operations are begun. The rest is for the one that is under way then,
/// and for the answer.
const TIME_PERCENT: u32 = 75;

/// Carries out a bulk request.
pub async fn post(
    State(edge): State<Edge>,
    arrival: Arrival,
    bearer: Bearer,
    request: Request,
) -> Result<Response, Problem> {
    // Before a large body is read, and before anything in it can be learnt from.
    edge.read(&bearer.caller, |_, caller| caller.needs(Scope::Bulk))?;
    let bytes_max = edge.body_sizes().large;
    let body =
        json::read_up_to(&edge, &bearer.caller, bytes_max, request).await.map_err(|problem| match problem
            .status()
        {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body may have at most {bytes_max} bytes (maxPayloadSize)"),
            ),
            _ => problem,
        })?;
    let until = Instant::now() + bearer.hold.handler_time * TIME_PERCENT / 100;
    // Room for every answer, so that the work never waits for who reads them; each is a few hundred bytes.
    let (tell, mut told) = mpsc::channel(OPERATIONS_MAX);
    let Bearer { caller, hold } = bearer;
    let (worker, request_id) = (edge.clone(), hold.request_id);
    // A task of its own, with what the request holds: what was begun goes on when the client hangs up.
    let mut work = tokio::spawn(async move {
        let _held = hold;
        let work = move |roster: &Roster, caller: &Caller| {
            let mut tell = |answered| drop(tell.try_send(answered));
            roster.bulk(caller, body, &|| Instant::now() < until, &mut tell)
        };
        worker.run_in_turn(caller, work).await
    });
    // The status goes out with the first answer; what is refused as a whole is refused before there is any.
    let Some(first) = told.recv().await else {
        return match (&mut work).await {
            Ok(done) => done.map(|()| {
                let mut out = Vec::new();
                BulkWriter::begin(&mut out).end(&mut out);
                reply::json(StatusCode::OK, out)
            }),
            Err(failed) => match failed.try_into_panic() {
                // The net around the handler catches it, and counts it once.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Problem::busy(1)),
            },
        };
    };
    let (feed, flow) = flow::flow(request_id);
    let failures = Failures::of(arrival.trace());
    tokio::spawn(pump(edge, first, told, work, feed, failures));
    Ok(reply::json(StatusCode::OK, Body::new(flow)))
}

/// Writes what is told of each operation, until the work is done or nobody reads any more.
async fn pump(
    edge: Edge,
    first: Answered,
    mut told: mpsc::Receiver<Answered>,
    work: JoinHandle<Result<(), Problem>>,
    feed: Feed,
    mut failures: Failures,
) {
    let mut out = Vec::new();
    let mut list = BulkWriter::begin(&mut out);
    let mut next = Some(first);
    while let Some(answered) = next {
        failures.count(&answered);
        list.next(&mut out, &operation(&edge, answered, feed.request_id()));
        next = match told.try_recv() {
            Ok(more) if out.len() < CHUNK_BYTES => Some(more),
            ready => {
                let Some(room) = feed.room().await else { return };
                room.give(std::mem::take(&mut out));
                match ready {
                    Ok(more) => Some(more),
                    Err(_) => told.recv().await,
                }
            }
        };
    }
    let done = work.await;
    let Some(room) = feed.room().await else { return };
    match done {
        Ok(Ok(())) => {
            list.end(&mut out);
            room.give(out);
            feed.end().await;
        }
        Ok(Err(problem)) => room.fail(problem.cause().unwrap_or("the work was refused midway")),
        Err(_) => room.fail("the work panicked"),
    }
}

/// Operations that failed although the request did not; at the end it is noted how many, and why the first did.
struct Failures {
    trace: Option<Arc<Trace>>,
    all: usize,
    failed: usize,
    first: Option<Problem>,
}

impl Failures {
    fn of(trace: Option<&Arc<Trace>>) -> Self {
        trace.into_iter().for_each(|trace| trace.waits());
        Self { trace: trace.cloned(), all: 0, failed: 0, first: None }
    }

    fn count(&mut self, answered: &Answered) {
        self.all = self.all.saturating_add(1);
        if let Err(error) = &answered.result {
            self.failed = self.failed.saturating_add(1);
            self.first.get_or_insert_with(|| Problem::from(error.clone()));
        }
    }
}

impl Drop for Failures {
    fn drop(&mut self) {
        let Some(trace) = &self.trace else { return };
        if let Some(first) = &self.first {
            let detail =
                format!("{} of {} operations failed; the first: {}", self.failed, self.all, first.detail());
            trace.failed_within(detail, first.scim_type());
        }
        trace.over();
    }
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
