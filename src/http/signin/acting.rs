//! `/me/acting`: for whom somebody acts (P07). They say so themselves, and stop when they like; the session says it, and with it every program that is told of it.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::account::WAY_IN;
use super::browser::{Form, must_be_ours};
use super::pages::{self, ActingFor, ForWhom};
use super::visit::Visit;
use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::ids::ResourceId;
use crate::roster::Principal;

/// Shows for whom somebody may act today, and for whom they do.
pub async fn show(State(edge): State<Edge>, arrival: Arrival, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let Some(visit) = Visit::of(&edge, &arrival, &parts)? else { return pages::see_other(WAY_IN) };
    let (person, now) = (visit.live.person, visit.live.session.acting_for);
    let listed =
        edge.read_aside(visit.caller.clone(), move |roster, caller| roster.principals(caller, person));
    let listed = listed.await?;
    let page =
        ActingFor { acting: now.is_some(), all: listed.into_iter().map(|one| for_whom(one, now)).collect() };
    pages::page(StatusCode::OK, &page)
}

fn for_whom(one: Principal, now: Option<ResourceId>) -> ForWhom {
    let Principal { id, name, until } = one;
    let until = until.map(|day| day.to_string());
    ForWhom {
        id: id.to_string(),
        name: name.unwrap_or_else(|| id.to_string()),
        until,
        is_now: now == Some(id),
    }
}

/// Begins to act for somebody, or stops.
pub async fn change(
    State(edge): State<Edge>,
    arrival: Arrival,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    must_be_ours(edge.desk(), &parts.headers)?;
    let Some(visit) = Visit::of(&edge, &arrival, &parts)? else { return pages::see_other(WAY_IN) };
    let form = Form::read(&arrival, &parts.headers, body).await?;
    let wrong = || {
        Problem::bad_request(
            "for: expected the id of the person for whom you act, or nothing to act for nobody",
        )
    };
    let principal = form.get("for").map(ResourceId::parse).transpose().map_err(|_| wrong())?;
    let key = visit.key;
    edge.run(visit.caller, move |roster, caller| roster.act_for(caller, &key, principal)).await?;
    pages::see_other("/me/acting")
}
