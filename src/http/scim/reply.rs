//! From a view to an answer: projection, entity tag, location, bytes (RFC 7644 §3.1, §3.9).

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;
use serde_json::Value;

use super::etag;
use super::flow::Begun;
use super::parameters::Parameters;
use super::pieces::{Listed, One};
use crate::http::auth::Hold;
use crate::http::edge::Edge;
use crate::http::problem::{Problem, SCIM_JSON};
use crate::ids::ResourceId;
use crate::roster::{Edges, Page, RosterError, View};
use crate::scim::{Kind, Projection, Refusal, wire};
use crate::store::Seq;

/// Header fields of most answers, those of the layers around among them.
const FIELDS_USUAL: usize = 8;

/// What of a resource the client wants to see.
#[derive(Debug)]
pub struct Wanted {
    projection: Projection,
    asked: bool,
    edges: Edges,
}

impl Wanted {
    /// Reads `attributes` and `excludedAttributes` of a request.
    pub fn of(kind: &Kind, uri: &Uri) -> Result<Self, Refusal> {
        Self::from_parameters(kind, &Parameters::decode(uri.query()))
    }

    /// Reads them from parameters that have been decoded.
    pub fn from_parameters(kind: &Kind, parameters: &Parameters) -> Result<Self, Refusal> {
        let projection = Projection::parse(
            parameters.attributes.as_deref(),
            parameters.excluded_attributes.as_deref(),
            kind,
        )?;
        let edges = Edges {
            members: kind.has_members() && projection.wants("members"),
            names: kind.has_members() && projection.names("members", "display"),
            groups: kind.has_groups() && projection.wants("groups"),
        };
        Ok(Self { projection, asked: parameters.attributes.is_some(), edges })
    }

    /// Says which edges must be read at all (S86).
    pub const fn edges(&self) -> Edges {
        self.edges
    }

    /// Tells whether the request names the attributes it wants.
    pub const fn was_asked_for(&self) -> bool {
        self.asked
    }
}

/// A resource that is ready to be answered with.
pub struct Shown {
    kind: Arc<Kind>,
    id: ResourceId,
    version: Seq,
    begun: Begun,
}

impl Shown {
    /// Makes the beginning of it. May read, so for a thread that may wait if edges are wanted.
    pub fn of(edge: &Edge, kind: Arc<Kind>, view: View, wanted: Wanted) -> Result<Self, RosterError> {
        let (id, version) = (view.stored.at().id, view.version);
        let begun = Begun::of(One::new(Arc::clone(&kind), view, wanted.projection), edge)?;
        Ok(Self { kind, id, version, begun })
    }

    /// Answers with it.
    pub fn answer(self, edge: &Edge, status: StatusCode, hold: Hold) -> Response {
        let mut response = json(status, self.begun.body(edge, hold));
        let headers = response.headers_mut();
        headers.insert(ETAG, field(&etag::write(self.version)));
        if status == StatusCode::CREATED {
            headers.insert(LOCATION, field(&wire::location(edge.base_url(), &self.kind, self.id)));
        }
        response
    }
}

/// Makes the beginning of a page of resources.
pub fn page(edge: &Edge, page: Page, wanted: Vec<(Arc<Kind>, Wanted)>) -> Result<Begun, RosterError> {
    let kinds = wanted.into_iter().map(|(kind, wanted)| (kind, wanted.projection)).collect();
    Begun::of(Listed::new(page, kinds), edge)
}

/// Answers with a document that was built as a value.
pub fn value(value: &Value) -> Response {
    // A value always serialises; an empty body is the honest fallback.
    json(StatusCode::OK, serde_json::to_vec(value).unwrap_or_default())
}

/// Answers that there is nothing new since the version the client has.
pub fn not_modified(version: Seq) -> Response {
    tagged(StatusCode::NOT_MODIFIED, version)
}

/// Answers that it was done, without a body.
pub fn no_content(version: Option<Seq>) -> Response {
    match version {
        Some(version) => tagged(StatusCode::NO_CONTENT, version),
        None => bare(StatusCode::NO_CONTENT),
    }
}

/// Answers with JSON that is ready, or on its way.
pub fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = with(status, body.into());
    response.headers_mut().insert(CONTENT_TYPE, SCIM_JSON);
    response
}

fn tagged(status: StatusCode, version: Seq) -> Response {
    let mut response = bare(status);
    response.headers_mut().insert(ETAG, field(&etag::write(version)));
    response
}

fn bare(status: StatusCode) -> Response {
    with(status, Body::empty())
}

/// Begins an answer that has room for the fields that the layers around add to its own.
fn with(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().reserve(FIELDS_USUAL);
    response
}

/// Makes a field of a text that is printable ASCII by construction: a tag, or a URL from the configuration.
fn field(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.why {
            crate::scim::Why::Uniqueness => StatusCode::CONFLICT,
            crate::scim::Why::Sensitive => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::scim(status, Some(refusal.why.scim_type()), refusal.detail)
    }
}
