//! One resource of any kind: GET, POST, PUT, PATCH, DELETE (RFC 7644 §3.3–§3.6).
//!
//! Each handler parses, hands over to the roster, and renders what comes back.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::reply::{self, Wanted};
use super::target::{Collection, Resource};
use super::{etag, json};
use crate::http::auth::Bearer;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::ids::KindId;
use crate::roster::Edges;

/// Reads a resource.
pub async fn get(
    State(edge): State<Edge>,
    bearer: Bearer,
    at: Resource,
    request: Request,
) -> Result<Response, Problem> {
    let at = Resource { kind: bearer.caller.kind(&at.kind), ..at };
    let wanted = Wanted::of(&at.kind, request.uri())?;
    let (address, edges) = (at.address, wanted.edges());
    let view = if edges.members {
        // A group may have a hundred thousand.
        edge.run(bearer.caller, move |roster, caller| roster.read(caller, address, edges)).await?
    } else {
        edge.read(&bearer.caller, |roster, caller| roster.read(caller, address, edges))?
    };
    if etag::is_known(request.headers(), view.version) {
        return Ok(reply::not_modified(view.version));
    }
    Ok(reply::resource(&edge, StatusCode::OK, &at.kind, &view, &wanted))
}

/// Creates a resource.
pub async fn post(
    State(edge): State<Edge>,
    bearer: Bearer,
    Collection(kind): Collection,
    request: Request,
) -> Result<Response, Problem> {
    let kind = bearer.caller.kind(&kind);
    let wanted = Wanted::of(&kind, request.uri())?;
    let body = json::read(&edge, &kind, request).await?;
    let (of, edges) = (Arc::clone(&kind), wanted.edges());
    let view = edge.run(bearer.caller, move |roster, caller| roster.create(caller, &of, body, edges)).await?;
    Ok(reply::resource(&edge, StatusCode::CREATED, &kind, &view, &wanted))
}

/// Replaces a resource.
pub async fn put(
    State(edge): State<Edge>,
    bearer: Bearer,
    Resource { kind, address }: Resource,
    request: Request,
) -> Result<Response, Problem> {
    let kind = bearer.caller.kind(&kind);
    let wanted = Wanted::of(&kind, request.uri())?;
    let given = etag::if_match(request.headers());
    let body = json::read(&edge, &kind, request).await?;
    let (of, edges) = (Arc::clone(&kind), wanted.edges());
    let view = edge
        .run(bearer.caller, move |roster, caller| roster.replace(caller, &of, address, &given, body, edges))
        .await?;
    Ok(reply::resource(&edge, StatusCode::OK, &kind, &view, &wanted))
}

/// Changes a resource in part. A group answers without a body unless the request asks for attributes (S113).
pub async fn patch(
    State(edge): State<Edge>,
    bearer: Bearer,
    Resource { kind, address }: Resource,
    request: Request,
) -> Result<Response, Problem> {
    let kind = bearer.caller.kind(&kind);
    let wanted = Wanted::of(&kind, request.uri())?;
    let bare = address.kind == KindId::GROUP && !wanted.was_asked_for();
    let given = etag::if_match(request.headers());
    let body = json::read(&edge, &kind, request).await?;
    let (of, edges) = (Arc::clone(&kind), if bare { Edges::NONE } else { wanted.edges() });
    let view = edge
        .run(bearer.caller, move |roster, caller| roster.patch(caller, &of, address, &given, body, edges))
        .await?;
    if bare {
        return Ok(reply::no_content(Some(view.version)));
    }
    Ok(reply::resource(&edge, StatusCode::OK, &kind, &view, &wanted))
}

/// Removes a resource.
pub async fn delete(
    State(edge): State<Edge>,
    bearer: Bearer,
    Resource { kind, address }: Resource,
    request: Request,
) -> Result<Response, Problem> {
    let kind = bearer.caller.kind(&kind);
    let given = etag::if_match(request.headers());
    edge.run(bearer.caller, move |roster, caller| roster.remove(caller, &kind, address, &given)).await?;
    Ok(reply::no_content(None))
}
