//! One resource of any kind: GET, POST, PUT, PATCH, DELETE (RFC 7644 §3.3–§3.6).
//!
//! Each handler parses, hands over to the roster, and renders what comes back.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::reply::{self, Shown, Wanted};
use super::target::{Collection, Resource};
use super::{etag, json};
use crate::http::auth::Bearer;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::ids::KindId;
use crate::roster::{Caller, Edges, Precondition, Roster};
use crate::scim::Rule;
use crate::scim::note::Notes;

/// Reads a resource.
pub async fn get(
    State(edge): State<Edge>,
    bearer: Bearer,
    Resource { kind, address }: Resource,
    request: Request,
) -> Result<Response, Problem> {
    let kind = bearer.caller.kind(&kind);
    let wanted = Wanted::of(&kind, request.uri())?;
    count_tags(&edge, &bearer, request.headers());
    let known = etag::if_none_match(request.headers());
    let edges = wanted.edges();
    let of = edge.clone();
    let read = move |roster: &Roster, caller: &Caller| {
        let view = roster.read(caller, address, edges)?;
        if !known.holds(view.version) {
            return Ok(Err(view.version));
        }
        Shown::of(&of, kind, view, wanted).map(Ok)
    };
    // A group may have any number of members.
    let shown = if edges.members {
        edge.run(bearer.caller, read).await?
    } else {
        edge.read_in_turn(&bearer.caller, read).await?
    };
    Ok(match shown {
        Ok(shown) => shown.answer(&edge, StatusCode::OK, bearer.hold),
        Err(version) => reply::not_modified(version),
    })
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
    let size = json::size(&kind, &request);
    let body = json::read(&edge, &bearer.caller, &kind, request).await?;
    let of = edge.clone();
    let shown = edge
        .write_in_turn(bearer.caller, size, move |roster, caller| async move {
            let view = roster.create_soon(&caller, &kind, body, wanted.edges()).await?;
            Shown::of(&of, kind, view, wanted)
        })
        .await?;
    Ok(shown.answer(&edge, StatusCode::CREATED, bearer.hold))
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
    let given = given(&edge, &bearer, request.headers());
    let size = json::size(&kind, &request);
    let body = json::read(&edge, &bearer.caller, &kind, request).await?;
    let of = edge.clone();
    let shown = edge
        .write_in_turn(bearer.caller, size, move |roster, caller| async move {
            let edges = wanted.edges();
            let view = roster.replace_soon(&caller, &kind, address, &given, body, edges).await?;
            Shown::of(&of, kind, view, wanted)
        })
        .await?;
    Ok(shown.answer(&edge, StatusCode::OK, bearer.hold))
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
    let given = given(&edge, &bearer, request.headers());
    let size = json::size(&kind, &request);
    let body = json::read(&edge, &bearer.caller, &kind, request).await?;
    let of = edge.clone();
    let changed = edge
        .write_in_turn(bearer.caller, size, move |roster, caller| async move {
            let edges = if bare { Edges::NONE } else { wanted.edges() };
            let view = roster.patch_soon(&caller, &kind, address, &given, body, edges).await?;
            if bare {
                return Ok(Err(view.version));
            }
            Shown::of(&of, kind, view, wanted).map(Ok)
        })
        .await?;
    Ok(match changed {
        Ok(shown) => shown.answer(&edge, StatusCode::OK, bearer.hold),
        Err(version) => reply::no_content(Some(version)),
    })
}

/// Removes a resource.
pub async fn delete(
    State(edge): State<Edge>,
    bearer: Bearer,
    Resource { kind, address }: Resource,
    request: Request,
) -> Result<Response, Problem> {
    let kind = bearer.caller.kind(&kind);
    let given = given(&edge, &bearer, request.headers());
    edge.run_in_turn(bearer.caller, move |roster, caller| roster.remove(caller, &kind, address, &given))
        .await?;
    Ok(reply::no_content(None))
}

/// Reads what a write expects.
fn given(edge: &Edge, bearer: &Bearer, headers: &HeaderMap) -> Precondition {
    count_tags(edge, bearer, headers);
    etag::precondition(headers)
}

fn count_tags(edge: &Edge, bearer: &Bearer, headers: &HeaderMap) {
    if !etag::are_as_given_out(headers) {
        edge.roster().took(&bearer.caller, &Notes::of(Rule::TagSpelling));
    }
}
