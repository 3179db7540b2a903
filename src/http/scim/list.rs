//! Lists: GET on a collection, on the base URL (all kinds that the token may read), and searches by POST (RFC 7644 §3.4.2, §3.4.3).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::json;
use super::parameters::Parameters;
use super::reply::{self, Wanted};
use super::target::Collection;
use crate::http::auth::Bearer;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::roster::{Caller, Part, Query, Roster, RosterError, Scope};
use crate::scim::note::Notes;
use crate::scim::{Filter, Kind, Refusal, Rule, Why, sort};

/// Which kinds a query is about.
enum Reach {
    /// That of the collection.
    Kind(Arc<Kind>),
    /// Those that the token may read; filters may speak of any kind's attributes.
    Across(Vec<Arc<Kind>>),
}

/// Lists the resources of a kind that a filter means, a page at a time.
pub async fn get(
    State(edge): State<Edge>,
    bearer: Bearer,
    Collection(kind): Collection,
    request: Request,
) -> Result<Response, Problem> {
    let kind = bearer.caller.kind(&kind);
    answer(edge, bearer, Reach::Kind(kind), Parameters::decode(request.uri().query()), Notes::new()).await
}

/// Does the same for parameters in the body, where no log sees them (S87).
pub async fn search(
    State(edge): State<Edge>,
    bearer: Bearer,
    Collection(kind): Collection,
    request: Request,
) -> Result<Response, Problem> {
    let kind = bearer.caller.kind(&kind);
    let (parameters, notes) = message(&edge, &bearer, request).await?;
    answer(edge, bearer, Reach::Kind(kind), parameters, notes).await
}

/// Lists resources of every kind that the token may read (S88).
pub async fn get_all(
    State(edge): State<Edge>,
    bearer: Bearer,
    request: Request,
) -> Result<Response, Problem> {
    let parameters = Parameters::decode(request.uri().query());
    let kinds = readable(&edge, &bearer.caller)?;
    answer(edge, bearer, Reach::Across(kinds), parameters, Notes::new()).await
}

/// Does the same for parameters in the body.
pub async fn search_all(
    State(edge): State<Edge>,
    bearer: Bearer,
    request: Request,
) -> Result<Response, Problem> {
    let kinds = readable(&edge, &bearer.caller)?;
    let (parameters, notes) = message(&edge, &bearer, request).await?;
    answer(edge, bearer, Reach::Across(kinds), parameters, notes).await
}

async fn message(edge: &Edge, bearer: &Bearer, request: Request) -> Result<(Parameters, Notes), Problem> {
    let body = json::read_message(edge, &bearer.caller, request).await?;
    Ok(Parameters::from_message(body, bearer.caller.profile().requires_schemas())?)
}

/// Lists the kinds that a token may read; refuses when there is none.
fn readable(edge: &Edge, caller: &Caller) -> Result<Vec<Arc<Kind>>, Problem> {
    let kinds: Vec<_> =
        caller.kinds().iter().filter(|kind| caller.may(Scope::reads(kind.id))).cloned().collect();
    if kinds.is_empty() {
        let needs = Scope::UsersRead;
        edge.read(caller, |_, caller| caller.needs(needs))?;
        // Not reached: whoever may read users may read a kind.
        return Err(RosterError::Forbidden { needs: needs.name() }.into());
    }
    Ok(kinds)
}

async fn answer(
    edge: Edge,
    bearer: Bearer,
    reach: Reach,
    parameters: Parameters,
    mut notes: Notes,
) -> Result<Response, Problem> {
    let grammar = bearer.caller.profile().holds_filters_to_the_grammar();
    let strict = bearer.caller.profile().refuses_unknown_paths();
    let seen = bearer.caller.kinds().clone();
    let all: Vec<&Kind> = seen.iter().map(AsRef::as_ref).collect();
    let (kinds, others) = match reach {
        Reach::Kind(kind) => (vec![kind], &[][..]),
        Reach::Across(kinds) => (kinds, all.as_slice()),
    };
    let mut wanted = Vec::with_capacity(kinds.len());
    let mut parts = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let filter = parameters.filter.as_deref();
        let read = |filter| {
            let (filter, needed) = Filter::parse_noted(filter, &kind, others)?;
            if grammar {
                Filter::by_the_grammar(&needed)?;
            }
            notes.merge(&needed);
            filter.locate(edge.base_url(), &kind, &seen)
        };
        let filter = filter.map(read).transpose()?;
        let shown = Wanted::from_parameters(&kind, &parameters)?;
        let sort_by = parameters.sort_by.as_deref().and_then(|path| sort::path(path, &kind));
        parts.push(Part { kind: Arc::clone(&kind), filter, sort_by, edges: shown.edges() });
        wanted.push((kind, shown));
    }
    let order = if parts.iter().any(|part| part.sort_by.is_some()) {
        let (order, is_known) = parameters.sort_order(strict)?;
        if !is_known {
            notes.add(Rule::SortIgnored);
        }
        Some(order)
    } else if parameters.sort_by.as_deref().is_some_and(|path| !path.trim().is_empty()) {
        if strict {
            let detail =
                "sortBy: expected an attribute that has an order, such as userName or name.familyName";
            return Err(Refusal::new(Why::InvalidPath, detail).into());
        }
        notes.add(Rule::SortIgnored);
        None
    } else {
        None
    };
    edge.roster().took(&bearer.caller, &notes);
    let query = Query { parts, order, start: parameters.start()?, count: parameters.count()? };
    let quick = Roster::is_quick(&bearer.caller, &query);
    let of = edge.clone();
    let read =
        move |roster: &Roster, caller: &Caller| reply::page(&of, roster.query(caller, &query)?, wanted);
    let begun = if quick {
        edge.read_in_turn(&bearer.caller, read).await?
    } else {
        edge.read_aside(bearer.caller, read).await?
    };
    Ok(reply::json(StatusCode::OK, begun.body(&edge, bearer.hold)))
}
