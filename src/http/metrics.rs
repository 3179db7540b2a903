//! What `/metrics` shows of the edge, and the registry that other rooms add theirs to.
//!
//! Every label comes from a closed set (method, route template, status class, reason), so that no request can make a
//! series (R34). The counters of the hot path are plain atomics in a flat table: no lock, no hash, no allocation per request.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;

use super::inventory::{Inventory, RouteId};
use super::limits::Gauge;

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$each])* $variant),* }

        impl $name {
            /// All of them, in the order of their counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the name used in labels and log fields.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

reasons! {
    /// Why a request or connection was turned away before its handler.
    Rejected {
        /// All connections are taken.
        Connections = "connections",
        /// The address has all the connections it may have.
        Address = "address",
        /// All requests in flight are taken.
        InFlight = "in_flight",
        /// The tenant has all the requests it may have in flight.
        Tenant = "tenant",
        /// One connection of a client sent more requests a second than it may.
        Rate = "rate",
        /// No room for the body among all bodies.
        Bodies = "bodies",
        /// The body is larger than the route takes.
        BodySize = "body_size",
        /// The request is one that hyper lets through and we do not.
        Malformed = "malformed",
        /// The wrong or no credential.
        Unauthorized = "unauthorized",
    }
}

reasons! {
    /// Why a connection or request was cut short.
    Cut {
        /// Not a byte came.
        Silent = "silent",
        /// The head did not end.
        Head = "head",
        /// The TLS handshake did not end, or failed.
        Handshake = "handshake",
        /// The body did not end, or came too slowly.
        Body = "body",
        /// Nothing was asked for a while.
        Idle = "idle",
        /// The handler took too long.
        Handler = "handler",
        /// The client took none of the answer.
        Stalled = "stalled",
        /// The drain ran out of time.
        Drain = "drain",
    }
}

reasons! {
    /// Which door a connection came through.
    Door {
        /// The public listener.
        Public = "public",
        /// The admin listener.
        Admin = "admin",
        /// The admin socket in the data folder.
        Socket = "socket",
    }
}

const METHOD_COUNT: usize = 8;
const METHODS: [&str; METHOD_COUNT] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
const CLASS_COUNT: usize = 5;
const CLASSES: [&str; CLASS_COUNT] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Upper ends of the duration buckets, in microseconds.
const BUCKETS_US: [u64; 14] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_500_000, 10_000_000,
    30_000_000,
];
const BUCKETS: usize = BUCKETS_US.len() + 1;

/// The counters of the edge and the registry they are shown by. One per process.
pub struct Metrics {
    registry: Registry,
    counters: Arc<Counters>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Zero-initialised atomics for what the edge counts.
struct Counters {
    inventory: Inventory,
    requests: Box<[AtomicU64]>,
    durations: Box<[AtomicU64]>,
    durations_us: Box<[AtomicU64]>,
    rejected: [AtomicU64; Rejected::ALL.len()],
    cut: [AtomicU64; Cut::ALL.len()],
    connections: [AtomicI64; Door::ALL.len()],
    in_flight: AtomicI64,
    body_bytes: AtomicU64,
    accept_errors: AtomicU64,
    panics: AtomicU64,
    bodies: Mutex<Vec<Gauge>>,
    tls_days_to_expiry: Mutex<Option<i64>>,
}

fn zeros(len: usize) -> Box<[AtomicU64]> {
    (0..len).map(|_| AtomicU64::new(0)).collect()
}

/// Finds a cell of a table that is kept as one row after the other.
fn cell(row: usize, width: usize, column: usize) -> usize {
    row.saturating_mul(width).saturating_add(column)
}

fn bump(counter: Option<&AtomicU64>) {
    if let Some(counter) = counter {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Takes a registry that other rooms may already have added to, and adds the edge's own.
    pub fn new(inventory: Inventory, mut registry: Registry) -> Arc<Self> {
        let routes = inventory.len();
        let counters = Arc::new(Counters {
            requests: zeros(cell(routes, METHOD_COUNT * CLASS_COUNT, 0)),
            durations: zeros(routes.saturating_mul(BUCKETS)),
            durations_us: zeros(routes),
            inventory,
            rejected: Default::default(),
            cut: Default::default(),
            connections: Default::default(),
            in_flight: AtomicI64::new(0),
            body_bytes: AtomicU64::new(0),
            accept_errors: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            bodies: Mutex::default(),
            tls_days_to_expiry: Mutex::default(),
        });
        registry.register_collector(Box::new(Shown(Arc::clone(&counters))));
        Arc::new(Self { registry, counters })
    }

    /// Returns the routes the labels come from.
    pub fn inventory(&self) -> &Inventory {
        &self.counters.inventory
    }

    /// Writes everything in the OpenMetrics text form.
    pub fn expose(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(16 * 1024);
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Answers `GET /metrics`.
    pub fn page(&self) -> Response {
        const TEXT: HeaderValue =
            HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
        match self.expose() {
            Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
            Err(fmt::Error) => {
                super::problem::Problem::internal("metrics could not be written").into_response()
            }
        }
    }

    /// Counts a request that was turned away.
    pub fn reject(&self, why: Rejected) {
        bump(self.counters.rejected.get(why as usize));
    }

    /// Counts something cut short.
    pub fn cut(&self, why: Cut) {
        bump(self.counters.cut.get(why as usize));
    }

    /// Counts a panic that cost one request.
    pub fn panicked(&self) {
        bump(Some(&self.counters.panics));
    }

    /// Counts an accept that failed.
    pub fn accept_failed(&self) {
        bump(Some(&self.counters.accept_errors));
    }

    /// Says when the certificate runs out.
    pub fn tls_days_to_expiry(&self, days: i64) {
        *self.counters.tls_days_to_expiry.lock().unwrap_or_else(PoisonError::into_inner) = Some(days);
    }

    /// Counts a piece of an answer whose length was not known when it began.
    pub(super) fn sent(&self, bytes: usize) {
        self.counters.body_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Shows the bytes of bodies held, as its gauge counts them.
    pub(super) fn show_bodies(&self, gauge: &Gauge) {
        self.counters.bodies.lock().unwrap_or_else(PoisonError::into_inner).push(gauge.clone());
    }

    /// Counts a finished request.
    pub(super) fn answered(
        &self,
        route: RouteId,
        method: &Method,
        status: StatusCode,
        took: Duration,
        body: u64,
    ) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        let method = method_index(method);
        let row = cell(route.index(), METHOD_COUNT, method);
        let counted = cell(row, CLASS_COUNT, class.min(CLASS_COUNT - 1));
        bump(self.counters.requests.get(counted));
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.iter().position(|end| micros <= *end).unwrap_or(BUCKETS_US.len());
        bump(self.counters.durations.get(cell(route.index(), BUCKETS, bucket)));
        if let Some(sum) = self.counters.durations_us.get(route.index()) {
            sum.fetch_add(micros, Ordering::Relaxed);
        }
        if body > 0 {
            self.counters.body_bytes.fetch_add(body, Ordering::Relaxed);
        }
    }

    pub(super) fn connected(&self, door: Door, by: i64) {
        if let Some(count) = self.counters.connections.get(door as usize) {
            count.fetch_add(by, Ordering::Relaxed);
        }
    }

    pub(super) fn in_flight(&self, by: i64) {
        self.counters.in_flight.fetch_add(by, Ordering::Relaxed);
    }
}

fn method_index(method: &Method) -> usize {
    METHODS.iter().position(|name| *name == method.as_str()).unwrap_or(METHOD_COUNT - 1)
}

struct Shown(Arc<Counters>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

type NoExemplar<'a> = Option<&'a Exemplar<[(&'static str, &'static str); 0], u64>>;
const NO_EXEMPLAR: NoExemplar<'static> = None;

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.requests(&mut encoder)?;
        self.durations(&mut encoder)?;
        self.reasons(&mut encoder)?;
        self.levels(&mut encoder)
    }
}

impl Shown {
    fn requests(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "rosterd_http_requests",
            "Requests answered",
            None,
            MetricType::Counter,
        )?;
        for (cell, counter) in self.0.requests.iter().enumerate() {
            let count = counter.load(Ordering::Relaxed);
            if count == 0 {
                continue;
            }
            let (rest, class) = (cell / CLASS_COUNT, cell % CLASS_COUNT);
            let (route, method) = (rest / METHOD_COUNT, rest % METHOD_COUNT);
            let labels = [
                ("route", self.0.inventory.templates().get(route).copied().unwrap_or_default()),
                ("method", METHODS.get(method).copied().unwrap_or_default()),
                ("status", CLASSES.get(class).copied().unwrap_or_default()),
            ];
            family.encode_family(&labels)?.encode_counter(&count, NO_EXEMPLAR)?;
        }
        Ok(())
    }

    fn durations(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "rosterd_http_request_duration_seconds",
            "From the end of the head to the beginning of the answer",
            None,
            MetricType::Histogram,
        )?;
        for (route, cells) in self.0.durations.chunks(BUCKETS).enumerate() {
            let counts: Vec<u64> = cells.iter().map(|cell| cell.load(Ordering::Relaxed)).collect();
            let count = counts.iter().sum();
            if count == 0 {
                continue;
            }
            let ends = BUCKETS_US.iter().map(|micros| seconds(*micros)).chain([f64::MAX]);
            let buckets: Vec<(f64, u64)> = ends.zip(counts).collect();
            let sum = self.0.durations_us.get(route).map_or(0, |sum| sum.load(Ordering::Relaxed));
            let labels = [("route", self.0.inventory.templates().get(route).copied().unwrap_or_default())];
            family.encode_family(&labels)?.encode_histogram::<[(&str, &str); 0]>(
                seconds(sum),
                count,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }

    fn reasons(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut family =
            encoder.encode_descriptor("rosterd_http_rejected", "Turned away", None, MetricType::Counter)?;
        for (why, counter) in Rejected::ALL.iter().zip(&self.0.rejected) {
            let labels = [("reason", why.as_str())];
            family.encode_family(&labels)?.encode_counter(&counter.load(Ordering::Relaxed), NO_EXEMPLAR)?;
        }
        let mut family =
            encoder.encode_descriptor("rosterd_http_cut", "Cut short", None, MetricType::Counter)?;
        for (why, counter) in Cut::ALL.iter().zip(&self.0.cut) {
            let labels = [("reason", why.as_str())];
            family.encode_family(&labels)?.encode_counter(&counter.load(Ordering::Relaxed), NO_EXEMPLAR)?;
        }
        Ok(())
    }

    fn levels(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "rosterd_http_connections",
            "Connections open now",
            None,
            MetricType::Gauge,
        )?;
        for (door, count) in Door::ALL.iter().zip(&self.0.connections) {
            let labels = [("listener", door.as_str())];
            family.encode_family(&labels)?.encode_gauge(&count.load(Ordering::Relaxed))?;
        }
        encoder
            .encode_descriptor("rosterd_http_requests_in_flight", "Requests now", None, MetricType::Gauge)?
            .encode_gauge(&self.0.in_flight.load(Ordering::Relaxed))?;
        let held: u64 =
            self.0.bodies.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Gauge::now).sum();
        encoder
            .encode_descriptor(
                "rosterd_http_bodies_held_bytes",
                "Bytes of request bodies held now",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&i64::try_from(held).unwrap_or(i64::MAX))?;
        for (name, help, counter) in [
            ("rosterd_http_answer_bytes", "Bytes of answers' bodies", &self.0.body_bytes),
            ("rosterd_http_accept_errors", "Accepts that failed", &self.0.accept_errors),
            ("rosterd_http_panics", "Panics that cost one request each", &self.0.panics),
        ] {
            encoder
                .encode_descriptor(name, help, None, MetricType::Counter)?
                .encode_counter(&counter.load(Ordering::Relaxed), NO_EXEMPLAR)?;
        }
        let days = *self.0.tls_days_to_expiry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(days) = days {
            encoder
                .encode_descriptor(
                    "rosterd_tls_days_to_expiry",
                    "Whole days until the certificate runs out",
                    None,
                    MetricType::Gauge,
                )?
                .encode_gauge(&days)?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds are shown, not counted")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}
