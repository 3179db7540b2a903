//! `/livez` and `/readyz` (R27).
//!
//! Alive needs nothing: whoever answers is alive. Ready asks a closure that the wiring gives, and is red while draining.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

use super::drain::Drain;
use super::problem::Problem;

/// Whether requests should be sent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Send them.
    Ready,
    /// Do not, and why in a word or two that monitoring can match: `recovering`, `store poisoned`, `disk full`.
    NotReady(&'static str),
}

/// Asks the rest of the daemon how it is. Called on every probe, so it must be cheap and must not block.
pub type AskReadiness = Arc<dyn Fn() -> Readiness + Send + Sync>;

/// When a probe that was told no may ask again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
/// The templates of the two routes.
pub const ROUTES: [&str; 2] = ["/livez", "/readyz"];

/// Serves the two routes. Both listeners have them.
pub fn router(ready: AskReadiness, drain: Drain) -> Router {
    Router::new().route("/livez", get(async || plain(StatusCode::OK, "alive"))).route(
        "/readyz",
        get(move || {
            let answer = if drain.has_begun() { Readiness::NotReady("draining") } else { ready() };
            async move {
                match answer {
                    Readiness::Ready => plain(StatusCode::OK, "ready"),
                    // A problem, because the edge replaces the body of any other answer of 400 and above.
                    Readiness::NotReady(why) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, why)
                        .with(header::RETRY_AFTER, RETRY_AFTER)
                        .into_response(),
                }
            }
        }),
    )
}

/// A word and a status. Probes read the status; people read the word.
fn plain(status: StatusCode, word: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], word).into_response()
}
