//! `GET /.well-known/jwks.json`: the public halves of the keys that sign for programs downstream (RFC 7517).

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;

use crate::http::arrival::Arrival;
use crate::http::edge::Edge;
use crate::http::problem::Problem;
use crate::roster::SIGNING_KEYS_REMEMBERED;
use crate::signin::assertion::key_set;

/// Lists the keys. The first is made here where none has ever signed, so that nobody remembers an empty list.
pub async fn show(State(edge): State<Edge>, arrival: Arrival) -> Result<Response, Problem> {
    let (teller, id) = (edge.clone(), arrival.request_id);
    let now = edge.roster().current_time();
    let keys = edge.roster().signing_keys()?;
    let keys = if keys.signer(now).is_some() {
        keys
    } else {
        edge.wait(move |roster| Ok(teller.gateway().keys(roster, id))).await??
    };
    let published = keys.published(now).map(|key| (&*key.kid, &*key.x, &*key.y));
    let mut response = Response::new(Body::from(key_set(published).to_string()));
    let remembered = format!("public, max-age={}", SIGNING_KEYS_REMEMBERED.as_secs());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(remembered) = HeaderValue::from_maybe_shared(remembered.into_bytes()) {
        headers.insert(CACHE_CONTROL, remembered);
    }
    Ok(response)
}
