//! The body of a SCIM request: media type, size, JSON (RFC 7644 §3.1, §8.1).

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use http_body::Body as _;
use serde_json::Value;

use crate::http::arrival::Arrival;
use crate::http::body::read_body;
use crate::http::edge::{Edge, Size};
use crate::http::problem::Problem;
use crate::ids::KindId;
use crate::roster::Caller;
use crate::scim::note::Notes;
use crate::scim::{self, Kind, Rule};

/// Reads a body as JSON. Groups may be large, everything else is small (X30).
pub async fn read(edge: &Edge, caller: &Caller, kind: &Kind, request: Request) -> Result<Value, Problem> {
    let sizes = edge.body_sizes();
    let bytes_max = if kind.id == KindId::GROUP { sizes.large } else { sizes.usual };
    read_up_to(edge, caller, bytes_max, request).await
}

/// Bodies of up to so many bytes are dealt with where they arrive.
const SMALL_BYTES_MAX: u64 = 16 << 10;

/// Tells how much a request may bring about, as far as that can be told before it is read. Of a group few bytes may move many members.
pub fn size(kind: &Kind, request: &Request) -> Size {
    let length = request.body().size_hint().exact();
    let is_small = kind.id != KindId::GROUP && length.is_some_and(|bytes| bytes <= SMALL_BYTES_MAX);
    if is_small { Size::Small } else { Size::Large }
}

/// Reads a body that is a message and no resource.
pub async fn read_message(edge: &Edge, caller: &Caller, request: Request) -> Result<Value, Problem> {
    read_up_to(edge, caller, edge.body_sizes().usual, request).await
}

/// Reads a body of at most so many bytes as JSON.
pub async fn read_up_to(
    edge: &Edge,
    caller: &Caller,
    bytes_max: u64,
    request: Request,
) -> Result<Value, Problem> {
    let is_named = check_media_type(request.headers())?;
    let trace = request.extensions().get::<Arrival>().and_then(|arrival| arrival.trace().cloned());
    let bytes = read_body(request.into_body(), bytes_max, edge.bodies()).await?;
    if let Some(trace) = trace {
        trace.sent(&bytes);
    }
    let value = scim::json::parse(&bytes)?;
    if !is_named {
        edge.roster().took(caller, &Notes::of(Rule::MediaType));
    }
    Ok(value)
}

/// Takes JSON under either of its names, whatever the parameters, and a body without a name (S2). Tells whether it is named as it should be: JSON,
/// and in no other encoding than UTF-8.
fn check_media_type(headers: &HeaderMap) -> Result<bool, Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(false) };
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let charset =
        parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("charset"));
    let is_utf8 = charset.is_none_or(|(_, charset)| charset.trim_matches('"').eq_ignore_ascii_case("utf-8"));
    match name.as_str() {
        "" => Ok(false),
        "application/scim+json" | "application/json" => Ok(is_utf8),
        _ => Err(Problem::unsupported_media(
            "Content-Type: expected application/scim+json or application/json",
        )),
    }
}
