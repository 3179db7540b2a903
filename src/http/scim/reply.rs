//! From a view to an answer: projection, entity tag, location, bytes (RFC 7644 §3.1, §3.9).

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;
use serde_json::Value;

use super::etag;
use super::parameters::Parameters;
use crate::http::edge::Edge;
use crate::http::problem::{Problem, SCIM_JSON};
use crate::roster::{Edges, Page, View};
use crate::scim::wire::{self, Link, ListWriter};
use crate::scim::{Kind, Projection, Refusal};
use crate::store::Seq;

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

/// Answers with one resource.
pub fn resource(edge: &Edge, status: StatusCode, kind: &Kind, view: &View, wanted: &Wanted) -> Response {
    let mut body = Vec::with_capacity(1024);
    render(&mut body, edge, kind, view, wanted);
    let mut response = json(status, body);
    let headers = response.headers_mut();
    headers.insert(ETAG, field(&etag::write(view.version)));
    if status == StatusCode::CREATED {
        headers.insert(LOCATION, field(&wire::location(edge.base_url(), kind, view.stored.at().id)));
    }
    response
}

/// Answers with a page of resources.
pub fn page(edge: &Edge, page: &Page, wanted: &[(Arc<Kind>, Wanted)]) -> Response {
    let mut body = Vec::with_capacity(page.views.len().saturating_mul(1024).saturating_add(256));
    let mut list = ListWriter::begin(&mut body);
    for view in &page.views {
        let kind = view.stored.at().kind;
        let Some((kind, wanted)) = wanted.iter().find(|(known, _)| known.id == kind) else { continue };
        list.next(&mut body);
        render(&mut body, edge, kind, view, wanted);
    }
    list.end(&mut body, page.total, page.start_index, page.next.as_deref());
    json(StatusCode::OK, body)
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

fn render(out: &mut Vec<u8>, edge: &Edge, kind: &Kind, view: &View, wanted: &Wanted) {
    let kinds = edge.roster().kinds();
    let segments: Vec<(&str, &str)> = kind.seen(view.stored.segments()).collect();
    let members: Option<Vec<Link<'_>>> = view.members.as_ref().map(|members| {
        let link = |member: &crate::ids::Address| {
            Some(Link { kind: kinds.by_id(member.kind)?, id: member.id, display: None })
        };
        members.iter().filter_map(link).collect()
    });
    let groups: Option<Vec<Link<'_>>> = view.groups.as_ref().and_then(|groups| {
        let kind = kinds.by_id(crate::ids::KindId::GROUP)?;
        Some(groups.iter().map(|group| Link { kind, id: group.id, display: Some(&group.display) }).collect())
    });
    let shown = wire::View {
        kind,
        id: view.stored.at().id,
        segments: &segments,
        created: view.stored.created(),
        modified: view.modified,
        version: view.version.0,
        groups: groups.as_deref(),
        members: members.as_deref(),
    };
    wire::resource(out, &shown, edge.base_url(), &wanted.projection);
}

/// Answers with JSON that is ready.
pub fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, SCIM_JSON);
    response
}

fn tagged(status: StatusCode, version: Seq) -> Response {
    let mut response = bare(status);
    response.headers_mut().insert(ETAG, field(&etag::write(version)));
    response
}

fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
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
