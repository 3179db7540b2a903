//! What a path below the base path points at: a collection, or one resource.
//!
//! A path that points at nothing that could exist is 404 before anything is looked up (X18, X40).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::ids::{Address, ResourceId};
use crate::scim::Kind;

/// All resources of a kind: `/Users`.
pub struct Collection(pub Arc<Kind>);

/// One resource: `/Users/0192f0c1-…`.
pub struct Resource {
    /// What kind of resource it is.
    pub kind: Arc<Kind>,
    /// Where it lives.
    pub address: Address,
}

impl FromRequestParts<Edge> for Collection {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        let kind = segment(parts, 2).and_then(|segment| edge.roster().kinds().by_endpoint(segment));
        kind.map(|kind| Self(Arc::clone(kind))).ok_or_else(Problem::not_found)
    }
}

impl FromRequestParts<Edge> for Resource {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        let Collection(kind) = Collection::from_request_parts(parts, edge).await?;
        // No character of an id is ever encoded: such a path is refused before it comes here.
        let id = segment(parts, 3).and_then(|text| ResourceId::parse(text).ok());
        let id = id.ok_or_else(Problem::not_found)?;
        Ok(Self { address: Address { kind: kind.id, id }, kind })
    }
}

/// Returns a segment of a path such as `/scim/v2/Users/0192f0c1-…`, counted from 0.
fn segment(parts: &Parts, number: usize) -> Option<&str> {
    parts.uri.path().split('/').filter(|segment| !segment.is_empty()).nth(number)
}
