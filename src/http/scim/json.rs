//! The body of a SCIM request: media type, size, JSON (RFC 7644 §3.1, §8.1).

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::Value;

use crate::http::arrival::Arrival;
use crate::http::body::read_body;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::ids::KindId;
use crate::scim::{self, Kind};

/// Reads a body as JSON. Groups may be large, everything else is small (X30).
pub async fn read(edge: &Edge, kind: &Kind, request: Request) -> Result<Value, Problem> {
    let sizes = edge.body_sizes();
    let bytes_max = if kind.id == KindId::GROUP { sizes.large } else { sizes.usual };
    read_up_to(edge, bytes_max, request).await
}

/// Reads a body that is a message and no resource.
pub async fn read_message(edge: &Edge, request: Request) -> Result<Value, Problem> {
    read_up_to(edge, edge.body_sizes().usual, request).await
}

/// Reads a body of at most so many bytes as JSON.
pub async fn read_up_to(edge: &Edge, bytes_max: u64, request: Request) -> Result<Value, Problem> {
    check_media_type(request.headers())?;
    let trace = request.extensions().get::<Arrival>().and_then(|arrival| arrival.trace().cloned());
    let bytes = read_body(request.into_body(), bytes_max, edge.bodies()).await?;
    if let Some(trace) = trace {
        trace.sent(&bytes);
    }
    Ok(scim::json::parse(&bytes)?)
}

/// Takes JSON under either of its names, whatever the parameters, and a body without a name (S2).
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let name =
        value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match name.as_str() {
        "" | "application/scim+json" | "application/json" => Ok(()),
        _ => Err(Problem::unsupported_media(
            "Content-Type: expected application/scim+json or application/json",
        )),
    }
}
