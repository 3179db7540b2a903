//! Lists: GET on a collection (RFC 7644 §3.4.2).

use axum::extract::{Request, State};
use axum::response::Response;

use super::parameters::Parameters;
use super::reply::{self, Wanted};
use super::target::Collection;
use crate::http::auth::Bearer;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::roster::{Query, Roster};
use crate::scim::Filter;

/// Lists the resources of a kind that a filter means, a page at a time.
pub async fn get(
    State(edge): State<Edge>,
    bearer: Bearer,
    Collection(kind): Collection,
    request: Request,
) -> Result<Response, Problem> {
    let parameters = Parameters::decode(request.uri().query());
    let wanted = Wanted::from_parameters(&kind, &parameters)?;
    let query = Query {
        filter: parameters.filter.as_deref().map(|filter| Filter::parse(filter, &kind)).transpose()?,
        start_index: parameters.start_index()?,
        count: parameters.count()?,
        edges: wanted.edges(),
    };
    let page = if Roster::is_quick(&bearer.caller, &kind, &query) {
        edge.read(&bearer.caller, |roster, caller| roster.query(caller, &kind, &query))?
    } else {
        let of = std::sync::Arc::clone(&kind);
        edge.run(bearer.caller, move |roster, caller| roster.query(caller, &of, &query)).await?
    };
    Ok(reply::page(&edge, &kind, &page, &wanted))
}
