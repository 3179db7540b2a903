//! The one wrapper around a listener's router: everything that holds for every request, whoever handles it.
//!
//! In order: request id, refusals ([`super::refuse`]), cap on requests in flight, the handler inside its time-out and
//! its panic net, the error body of the path's face, the headers that every answer has, counters, log line. One async function
//! instead of a tower of layers, because each layer of a tower is a box and a clone per request.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, StatusCode, Uri, Version};
use tokio::time::{Instant, timeout_at};
use tower::Service as _;

pub use super::arrival::Arrival;
use super::arrival::{Ids, Shared, Text};
use super::body::{Bodies, Done, Intake};
use super::drain::Drain;
use super::inventory::RouteId;
use super::limits::{Gauge, Limits, Shares, Taken};
use super::metrics::{Cut, Door, Metrics, Rejected};
use super::panics;
use super::problem::{self, Face, Problem, Told};
use super::pulse::{Pulse, Turn};
use super::rates::Rates;
use super::refuse;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::ids::RequestId;
use crate::requests::{Outcome, Requests, Trace};

/// The name of the field that carries the request's id.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a [`Front`] is made of.
#[derive(Debug)]
pub struct FrontParts {
    /// The routes.
    pub router: Router,
    /// Which door they stand behind.
    pub door: Door,
    /// The bounds; time-outs may be swapped while serving.
    pub limits: Arc<ArcSwap<Limits>>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The room for bodies; handlers find it in [`Arrival::bodies`].
    pub bodies: Bodies,
    /// Makes request ids.
    pub chance: Arc<dyn Chance>,
    /// Dates request ids.
    pub clock: Arc<dyn Clock>,
    /// Whether the daemon is stopping.
    pub drain: Drain,
    /// The path below which clients find SCIM (S6).
    pub base_path: Arc<str>,
    /// Where requests are remembered; not at every door.
    pub requests: Option<Arc<Requests>>,
}

/// Everything between the wire and the router of one listener.
#[derive(Debug)]
pub struct Front {
    pub(super) parts: FrontParts,
    in_flight: Gauge,
    shared: Arc<Shared>,
}

/// One connection, as its requests see it.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) front: Arc<Front>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) peer: Option<SocketAddr>,
    ids: Mutex<Ids>,
}

impl Wire {
    pub(super) fn new(front: Arc<Front>, pulse: Arc<Pulse>, peer: Option<SocketAddr>) -> Arc<Self> {
        Arc::new(Self { front, pulse, peer, ids: Mutex::new(Ids::new()) })
    }

    fn id(&self) -> RequestId {
        let parts = &self.front.parts;
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).next(&*parts.chance, &*parts.clock)
    }
}

impl Front {
    /// Puts the wrapper around a router.
    pub fn new(mut parts: FrontParts) -> Arc<Self> {
        // Turns the routes into services once, instead of at each request.
        parts.router = parts.router.with_state(());
        parts.bodies.show(&parts.metrics);
        let limits = **parts.limits.load();
        let shared = Arc::new(Shared {
            bodies: parts.bodies.clone(),
            tenants: Shares::up_to(limits.in_flight_per_tenant_max),
            rates: Rates::of(limits.client_requests_per_s_max),
            metrics: Arc::clone(&parts.metrics),
            retry_after_s: limits.retry_after_s,
        });
        let in_flight = Gauge::up_to(u64::try_from(limits.in_flight_max).unwrap_or(u64::MAX));
        Arc::new(Self { parts, in_flight, shared })
    }

    /// Returns the bounds that hold for what begins now. The caps on how many were taken at the start.
    pub(super) fn limits(&self) -> Limits {
        **self.parts.limits.load()
    }

    /// Answers one request of a connection.
    pub(super) async fn answer(
        wire: Arc<Wire>,
        request: Request<Incoming>,
    ) -> Result<hyper::Response<Answer>, Infallible> {
        let started = Instant::now();
        let front = &*wire.front;
        let mut turn = wire.pulse.begin(started);
        wire.pulse.is_h2(request.version() == Version::HTTP_2);
        let mut line = Line {
            id: wire.id(),
            route: RouteId::UNMATCHED,
            method: request.method().clone(),
            client_id: client_id(&request),
            close: false,
            unread: false,
            noted: front.parts.requests.as_ref().map(|requests| Noted::of(requests, &request)),
        };
        let face = Face::of_request(&request, &front.parts.base_path);
        let version = request.version();
        let (mut response, place) = front.handle(&wire, request, &mut line, started).await;

        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            problem::wear(&mut response, face);
        }
        let close = line.close || front.parts.drain.has_begun();
        Self::dress(&mut response, &line, close && version < Version::HTTP_2);
        let now = Instant::now();
        if line.unread {
            wire.pulse.linger();
        }
        turn.answered(now);
        front.report(&response, &line, now.duration_since(started));
        if let Some(noted) = &line.noted {
            noted.end(&response, &line, now.duration_since(started));
        }
        // What is made while it is sent is counted while it is sent.
        let unmeasured = response.body().size_hint().exact().is_none();
        let counts = unmeasured.then(|| Arc::clone(&front.parts.metrics));
        Ok(response.map(|body| Answer { body, turn, counts, _place: place }))
    }

    /// Refuses, or routes.
    async fn handle(
        &self,
        wire: &Wire,
        request: Request<Incoming>,
        line: &mut Line,
        started: Instant,
    ) -> (Response, Option<Place>) {
        let metrics = &self.parts.metrics;
        let (mut parts, incoming) = request.into_parts();
        let plain = match refuse::check(&parts, &self.parts.base_path) {
            Ok(Cow::Borrowed(_)) => None,
            Ok(Cow::Owned(plain)) => Some(plain),
            Err(refused) => {
                metrics.reject(Rejected::Malformed);
                line.close = refused.close;
                line.unread = true;
                return (refused.problem.into_response(), None);
            }
        };
        if let Some(plain) = plain {
            parts.uri = respelt(&parts.uri, &plain);
        }
        line.route = metrics.inventory().find(parts.uri.path());
        let Some(place) = self.place(line.route) else {
            metrics.reject(Rejected::InFlight);
            return (Problem::busy(self.shared.retry_after_s).into_response(), None);
        };
        parts.extensions.insert(Arrival {
            request_id: line.id,
            peer: wire.peer,
            door: self.parts.door,
            handler: self.limits().handler,
            shared: Arc::clone(&self.shared),
            trace: line.noted.as_ref().map(|noted| Arc::clone(&noted.trace)),
        });
        let done = Done::not_yet(started);
        let body = if incoming.is_end_stream() {
            Body::empty()
        } else {
            Body::new(Intake::new(incoming, self.limits(), done.clone()))
        };
        let has_body = !body.is_end_stream();
        let request = Request::from_parts(parts, body);
        let response = self.run(request, line.id, has_body.then_some(&done), started).await;
        line.unread = has_body && done.at().is_none();
        if done.was_cut() {
            metrics.cut(Cut::Body);
        }
        (response, Some(place))
    }

    /// Takes a place among the requests in flight. Probes and metrics always have one: they must tell that it is full.
    fn place(&self, route: RouteId) -> Option<Place> {
        let taken = match self.in_flight.take(1) {
            Some(taken) => Some(taken),
            None => match self.parts.metrics.inventory().template(route) {
                "/livez" | "/readyz" | "/metrics" => None,
                _ => return None,
            },
        };
        self.parts.metrics.in_flight(1);
        Some(Place { _taken: taken, metrics: Arc::clone(&self.parts.metrics) })
    }

    /// Runs the handler inside its time-out and its panic net.
    async fn run(
        &self,
        request: Request<Body>,
        id: RequestId,
        body: Option<&Done>,
        started: Instant,
    ) -> Response {
        let mut router = self.parts.router.clone();
        let limits = self.limits();
        // The call itself runs inside the net as well, not only the future it returns.
        let mut handler = std::pin::pin!(panics::catch(async move { router.call(request).await }));
        let mut until = started + limits.handler;
        let last = started + limits.handler + body.map_or(std::time::Duration::ZERO, |_| limits.body);
        loop {
            match timeout_at(until, handler.as_mut()).await {
                Ok(Ok(Ok(response))) => return response,
                Ok(Ok(Err(never))) => match never {},
                Ok(Err(_panic)) => {
                    self.parts.metrics.panicked();
                    tracing::error!(request_id = %id, "a handler panicked; its request was answered with 500");
                    return Problem::internal("a panic in the handler").into_response();
                }
                Err(_elapsed) => {
                    // The time of the body is the client's, not the handler's.
                    let from = body.map_or(started, |body| body.at().unwrap_or_else(Instant::now));
                    let fair = (from + limits.handler).min(last);
                    if fair > Instant::now() {
                        until = fair;
                        continue;
                    }
                    self.parts.metrics.cut(Cut::Handler);
                    return Problem::timed_out(limits.retry_after_s)
                        .because("the handler ran out of time")
                        .into_response();
                }
            }
        }
    }

    /// Adds the header fields that every answer has (X41).
    fn dress(response: &mut Response, line: &Line, close: bool) {
        const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
        const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
        // The router measures every body; these answers have none, and a length would be taken for that of the resource (RFC 9110 §8.6).
        let bodiless = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let headers = response.headers_mut();
        if bodiless {
            headers.remove(header::CONTENT_LENGTH);
        }
        // What may be remembered says so itself: public keys, and nothing of anybody.
        headers.entry(header::CACHE_CONTROL).or_insert(NO_STORE);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        if let Ok(id) = HeaderValue::from_str(Text::of(line.id).as_str()) {
            headers.insert(X_REQUEST_ID, id);
        }
        if close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// Counts the answer, and writes its log line (`docs/LOGGING.md`).
    fn report(&self, response: &Response, line: &Line, took: std::time::Duration) {
        let status = response.status();
        let bytes = response.body().size_hint().exact();
        let metrics = &self.parts.metrics;
        metrics.answered(line.route, &line.method, status, took, bytes.unwrap_or(0));
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "rosterd::access",
                    method = method_name(&line.method),
                    route = metrics.inventory().template(line.route),
                    status = status.as_u16(),
                    duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                    bytes,
                    request_id = %line.id,
                    client_request_id = line.client_id.as_ref().and_then(|id| id.to_str().ok()),
                    listener = self.parts.door.as_str(),
                    cause = response.extensions().get::<Arc<Told>>().and_then(|told| told.cause()),
                    "request answered"
                )
            };
        }
        match status.as_u16() {
            ..400 => line!(debug),
            400..=499 => line!(info),
            // Busy, not implemented and out of room are not ours to repair tonight; the rest is.
            501 | 503 | 507 => line!(warn),
            _ => line!(error),
        }
    }
}

/// What the log line of a request is made of, as it becomes known.
struct Line {
    id: RequestId,
    route: RouteId,
    method: Method,
    client_id: Option<HeaderValue>,
    /// Whether the connection must end with this answer.
    close: bool,
    /// Whether the client may still be sending when the answer goes out.
    unread: bool,
    /// What the log of requests will need.
    noted: Option<Noted>,
}

/// What of a request's head the log of requests will need, while the handler has the request. Shares the head's bytes.
struct Noted {
    trace: Arc<Trace>,
    uri: Uri,
    agent: Option<HeaderValue>,
}

impl Noted {
    fn of(requests: &Arc<Requests>, request: &Request<Incoming>) -> Self {
        Self {
            trace: Arc::new(Trace::new(Arc::clone(requests))),
            uri: request.uri().clone(),
            agent: request.headers().get(header::USER_AGENT).cloned(),
        }
    }

    /// Has the request remembered, with what the client was told.
    fn end(&self, response: &Response, line: &Line, took: std::time::Duration) {
        let status = response.status();
        let told = response.extensions().get::<Arc<Told>>();
        let failed = status.is_client_error() || status.is_server_error();
        let detail = told.map(|told| told.detail()).or_else(|| status.canonical_reason().filter(|_| failed));
        self.trace.end(Outcome {
            request: Some(line.id),
            method: line.method.as_str(),
            path: self.uri.path(),
            query: self.uri.query(),
            agent: self.agent.as_ref().and_then(|agent| agent.to_str().ok()),
            status: status.as_u16(),
            took,
            detail,
            scim_type: told.and_then(|told| told.scim_type()),
            ..Outcome::default()
        });
    }
}

/// A method that is not one of ours is the client's own text, and not for the log.
fn method_name(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::POST
        | Method::PATCH
        | Method::PUT
        | Method::DELETE
        | Method::HEAD
        | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

/// Returns the client's own id for the request, if it is a short plain token.
fn client_id(request: &Request<Incoming>) -> Option<HeaderValue> {
    let id = request.headers().get(&X_REQUEST_ID)?;
    let sane = (1..=64).contains(&id.len())
        && id
            .as_bytes()
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    sane.then(|| id.clone())
}

/// Puts a plain path in the place of an odd one, and keeps the query.
fn respelt(uri: &Uri, plain: &str) -> Uri {
    let target: Cow<'_, str> = match uri.query() {
        Some(query) => Cow::Owned(format!("{plain}?{query}")),
        None => Cow::Borrowed(plain),
    };
    let mut parts = uri.clone().into_parts();
    // The pieces came out of a target that parsed, so this one does; if not, the odd one matches no route.
    if let Ok(target) = PathAndQuery::try_from(target.as_ref()) {
        parts.path_and_query = Some(target);
    }
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

/// A place among the requests in flight, given back when the answer has ended.
#[derive(Debug)]
struct Place {
    _taken: Option<Taken>,
    metrics: Arc<Metrics>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.in_flight(-1);
    }
}

/// The body of an answer; says when the client takes it, and when it has ended.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    turn: Turn,
    counts: Option<Arc<Metrics>>,
    _place: Option<Place>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let poll = Pin::new(&mut self.body).poll_frame(cx);
        if let (Some(metrics), Poll::Ready(Some(Ok(frame)))) = (&self.counts, &poll) {
            metrics.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        match poll {
            Poll::Ready(_) => self.turn.moved(),
            Poll::Pending => self.turn.making(),
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
