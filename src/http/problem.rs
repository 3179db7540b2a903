//! The one file that turns errors into answers.
//!
//! A [`Problem`] holds two texts: what the caller may read, and the private cause, which rides in a response extension
//! to the log line and never into a body. It renders as a SCIM error (RFC 7644 §3.12); [`super::layers`] renders it
//! again as `application/problem+json` (RFC 9457) where the path is not SCIM's.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Request, StatusCode};
use serde::Serialize;

use super::signin::pages;
use crate::store::StoreError;

/// The media type of SCIM (RFC 7644 §8.1).
pub const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");
/// The media type of a problem outside SCIM (RFC 9457).
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What of the field Accept is looked at.
const ACCEPT_BYTES_MAX: usize = 1024;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Which kind of error body the client of a path reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// Where a client of SCIM would look for it: a SCIM error.
    Scim,
    /// Below `/oauth2`: an error of RFC 6749 §5.2.
    OAuth,
    /// On a page of sign-in, for who wants a page: a page.
    Page,
    /// Everywhere else: a problem document.
    Plain,
}

impl Face {
    /// Tells the face of a path as it was sent: by its first segment, which is `scim`, the base path's, or that of SCIM 1.1; or `oauth2`.
    pub fn of(path: &str, base_path: &str) -> Self {
        let first = first_segment(path);
        let is_scim = ["scim", "v1", first_segment(base_path)].contains(&first);
        match first {
            _ if is_scim => Self::Scim,
            "oauth2" => Self::OAuth,
            _ => Self::Plain,
        }
    }
}

/// The first segments of the paths that people open in a browser.
const PAGES: [&str; 8] = ["", "invite", "login", "logout", "magic-link", "me", "password", "sso"];

impl Face {
    /// Tells the face of a request.
    pub fn of_request<B>(request: &Request<B>, base_path: &str) -> Self {
        let path = request.uri().path();
        match Self::of(path, base_path) {
            Self::Plain if PAGES.contains(&first_segment(path)) && wants_page(request.headers()) => {
                Self::Page
            }
            face => face,
        }
    }
}

/// Tells whether somebody wants a page, as browsers say it.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).map(HeaderValue::as_bytes).unwrap_or_default();
    accept.get(..ACCEPT_BYTES_MAX).unwrap_or(accept).windows(9).any(|part| part == b"text/html")
}

fn first_segment(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

/// An answer other than the one hoped for.
#[derive(Debug, Clone)]
pub struct Problem(Box<Told>);

/// What a [`Problem`] says, and what it keeps to itself. Rides in the extensions of its response.
#[derive(Debug, Clone)]
pub struct Told {
    status: StatusCode,
    scim_type: Option<&'static str>,
    oauth: Option<&'static str>,
    detail: Cow<'static, str>,
    fields: Vec<(HeaderName, HeaderValue)>,
    cause: Option<String>,
}

impl Told {
    /// Returns what the client is told.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the `scimType`.
    pub fn scim_type(&self) -> Option<&'static str> {
        self.scim_type
    }

    /// Returns what must only be logged.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }
}

impl Problem {
    /// Says no with a status and a sentence: what was expected, what was found, where.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Told {
            status,
            scim_type: None,
            oauth: None,
            detail: detail.into(),
            fields: Vec::new(),
            cause: None,
        }))
    }

    /// Says no in SCIM's words (RFC 7644 table 9).
    pub fn scim(
        status: StatusCode,
        scim_type: Option<&'static str>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let mut problem = Self::new(status, detail);
        problem.0.scim_type = scim_type;
        problem
    }

    /// Says no in the words of RFC 6749 §5.2.
    pub fn oauth(status: StatusCode, word: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut problem = Self::new(status, detail);
        problem.0.oauth = Some(word);
        problem
    }

    /// 400 without a `scimType`: the request itself is malformed.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401: no credential, or none that is known. The same answer whatever was wrong with it.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "a valid bearer token is needed")
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 403: the credential is known, and does not reach this far.
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404 with the same words for everything, so that nothing can be learnt from them (X8, X14).
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no such resource")
    }

    /// 405, naming what is allowed.
    pub fn method_not_allowed(allow: HeaderValue) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "this resource does not take that method")
            .with(header::ALLOW, allow)
    }

    /// 412: the resource is no longer the one the client read.
    pub fn precondition_failed() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "the resource has changed since; read it again and retry")
    }

    /// 413, naming the bound.
    pub fn too_large(bytes_max: u64) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body may have at most {bytes_max} bytes"))
    }

    /// 415, naming what is understood.
    pub fn unsupported_media(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 429: this caller has all it may have at once.
    pub fn too_many_requests(retry_after_s: u32) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too many requests at once; retry later")
            .with(header::RETRY_AFTER, HeaderValue::from(retry_after_s))
    }

    /// 503: nothing was done, and the same request may succeed shortly.
    pub fn busy(retry_after_s: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server is busy; nothing was changed; retry later")
            .with(header::RETRY_AFTER, HeaderValue::from(retry_after_s))
    }

    /// 503: somebody whom it takes gave no answer, and the same request may succeed later.
    pub fn later(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            .with(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_PLUGIN_S))
    }

    /// 503: it took too long, and whether it was done is not known.
    pub fn timed_out(retry_after_s: u32) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the request took too long; whether it was carried out is not known; read before you retry",
        )
        .with(header::RETRY_AFTER, HeaderValue::from(retry_after_s))
    }

    /// 507: the disk is full; reads go on.
    pub fn full(retry_after_s: u32) -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "the server has no room for changes; nothing was changed")
            .with(header::RETRY_AFTER, HeaderValue::from(retry_after_s))
    }

    /// 501: understood, and not offered.
    pub fn not_implemented(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, detail)
    }

    /// 500. The cause is for the log only.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed; its log says why under this answer's X-Request-Id",
        )
        .because(cause)
    }

    /// Adds a header field to the answer.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.fields.push((name, value));
        self
    }

    /// Adds the private cause, which only the log line shows.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Returns the `scimType`.
    pub fn scim_type(&self) -> Option<&'static str> {
        self.0.scim_type
    }

    /// Returns the public text.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Returns the SCIM error as a value, for an answer that holds several (RFC 7644 §3.7.3).
    pub fn to_value(&self) -> serde_json::Value {
        // A struct of plain texts always serialises.
        serde_json::to_value(scim_error(&self.0)).unwrap_or_default()
    }

    /// Returns the private cause.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = match error {
            StoreError::Retry(_) | StoreError::Unknown(_) => Self::busy(RETRY_AFTER_STORE_S),
            StoreError::Full(_) => Self::full(RETRY_AFTER_FULL_S),
            StoreError::Invalid(_) | StoreError::Corrupt(_) | StoreError::Fatal(_) => {
                return Self::internal(error.to_string());
            }
        };
        problem.because(error.to_string())
    }
}

const RETRY_AFTER_STORE_S: u32 = 1;
const RETRY_AFTER_PLUGIN_S: u32 = 30;
const RETRY_AFTER_FULL_S: u32 = 60;

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.status;
        for (name, value) in &self.0.fields {
            response.headers_mut().append(name, value.clone());
        }
        render(&mut response, &self.0, Face::Scim);
        response.extensions_mut().insert(Arc::new(*self.0));
        response
    }
}

/// Gives an answer of 400 or above the error body of its face, whatever body a library put there.
pub(super) fn wear(response: &mut Response, face: Face) {
    let told = response.extensions().get::<Arc<Told>>().cloned();
    match (told, face) {
        (Some(_), Face::Scim) => {}
        (Some(told), Face::OAuth | Face::Plain | Face::Page) => render(response, &told, face),
        (None, _) if is_ours(response.headers()) => {}
        (None, _) => {
            let status = response.status();
            let detail = status.canonical_reason().unwrap_or("the request failed");
            render(response, &Problem::new(status, detail).0, face);
        }
    }
}

/// Tells whether a handler wrote an error body of its own.
fn is_ours(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().starts_with(SCIM_JSON.as_bytes())
            || kind.as_bytes().starts_with(b"application/problem+json")
            || kind.as_bytes().starts_with(b"application/json")
            || kind.as_bytes().starts_with(b"text/html")
    })
}

fn render(response: &mut Response, told: &Told, face: Face) {
    let status = told.status.as_u16();
    let (body, kind) = match face {
        Face::Scim => (serde_json::to_vec(&scim_error(told)), SCIM_JSON),
        Face::OAuth => (serde_json::to_vec(&oauth_error(told)), JSON),
        Face::Page => return pages::instead_of(response, &told.detail),
        Face::Plain => (
            serde_json::to_vec(&Document {
                kind: "about:blank",
                title: told.status.canonical_reason().unwrap_or("Error"),
                status,
                detail: &told.detail,
            }),
            PROBLEM_JSON,
        ),
    };
    // Two structs of plain texts always serialise; an empty body is the honest fallback.
    *response.body_mut() = Body::from(body.unwrap_or_default());
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
}

fn scim_error(told: &Told) -> ScimError<'_> {
    ScimError {
        schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"],
        status: told.status.as_str(),
        scim_type: told.scim_type,
        detail: &told.detail,
    }
}

#[derive(Serialize)]
struct ScimError<'a> {
    schemas: [&'static str; 1],
    status: &'a str,
    #[serde(rename = "scimType", skip_serializing_if = "Option::is_none")]
    scim_type: Option<&'static str>,
    detail: &'a str,
}

/// The word for what had none: what went wrong before or behind the endpoint.
fn oauth_error(told: &Told) -> OAuthError<'_> {
    let word = match told.status.as_u16() {
        401 => "invalid_client",
        429 | 503 | 507 => "temporarily_unavailable",
        500.. => "server_error",
        _ => "invalid_request",
    };
    // RFC 6749 §5.2 allows neither quotes nor backslashes there.
    let description = told.detail.chars().map(|found| match found {
        '"' | '\\' => '\'',
        ' '..='~' => found,
        _ => '?',
    });
    OAuthError { error: told.oauth.unwrap_or(word), error_description: description.collect() }
}

#[derive(Serialize)]
struct OAuthError<'a> {
    error: &'a str,
    error_description: String,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn x41_the_cause_reaches_the_log_line_and_not_the_body() {
        let response = Problem::internal("canary in the engine").into_response();
        let told = response.extensions().get::<Arc<Told>>().unwrap();
        assert_eq!(told.cause(), Some("canary in the engine"));
        let body = body(response).await;
        assert!(!body.contains("canary"), "{body}");
        assert!(body.contains(r#""status":"500""#), "{body}");
    }

    #[tokio::test]
    async fn rfc7644_3_12_an_error_has_schemas_status_as_text_scim_type_and_detail() {
        let problem = Problem::scim(StatusCode::CONFLICT, Some("uniqueness"), "userName is taken");
        assert_eq!(
            body(problem.into_response()).await,
            r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness","detail":"userName is taken"}"#
        );
    }

    #[tokio::test]
    async fn outside_scim_the_same_problem_is_a_problem_document() {
        let mut response = Problem::unauthorized().into_response();
        wear(&mut response, Face::Plain);
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        assert_eq!(
            body(response).await,
            r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"a valid bearer token is needed"}"#
        );
    }

    #[tokio::test]
    async fn rfc6749_5_2_at_the_token_endpoint_it_is_a_word_and_a_description_without_quotes() {
        for (problem, wanted) in [
            (
                Problem::oauth(StatusCode::BAD_REQUEST, "invalid_scope", "expected \"scim\""),
                r#"{"error":"invalid_scope","error_description":"expected 'scim'"}"#,
            ),
            (
                Problem::too_large(7),
                r#"{"error":"invalid_request","error_description":"the body may have at most 7 bytes"}"#,
            ),
            (
                Problem::full(60),
                r#"{"error":"temporarily_unavailable","error_description":"the server has no room for changes; nothing was changed"}"#,
            ),
            (
                Problem::internal("canary"),
                r#"{"error":"server_error","error_description":"the server failed; its log says why under this answer's X-Request-Id"}"#,
            ),
        ] {
            let mut response = problem.into_response();
            wear(&mut response, Face::OAuth);
            assert_eq!(body(response).await, wanted);
        }
    }

    #[test]
    fn only_where_a_client_of_scim_would_look_an_error_wears_its_face() {
        for path in ["/scim/v2/Users", "//scim//v2", "/scim", "/v1/Users"] {
            assert_eq!(Face::of(path, "/scim/v2"), Face::Scim, "{path}");
        }
        for path in ["/scimitar", "/admin/v1/tenants", "/", "/people/Users", "/oauth2x/token"] {
            assert_eq!(Face::of(path, "/scim/v2"), Face::Plain, "{path}");
        }
        assert_eq!(Face::of("/oauth2/token", "/scim/v2"), Face::OAuth);
        assert_eq!(Face::of("/people/Users", "/people"), Face::Scim);
    }
}
