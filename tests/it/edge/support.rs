//! A running edge, and a client that sends exactly the bytes it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use hyper::StatusCode;
use prometheus_client::registry::Registry;
use rosterd::chance::SystemChance;
use rosterd::clock::SystemClock;
use rosterd::http::body::{Bodies, read_body};
use rosterd::http::drain::Drain;
use rosterd::http::health::{self, Readiness};
use rosterd::http::inventory::Inventory;
use rosterd::http::layers::{Arrival, Front, FrontParts};
use rosterd::http::limits::{BODY_BYTES_DEFAULT, BODY_BYTES_MAX, Limits};
use rosterd::http::metrics::{Door, Metrics};
use rosterd::http::problem::Problem;
use rosterd::http::serve::{Listener, serve};
use rosterd::http::tls::Tls;
use rosterd::ids::{ConnectionId, TenantId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here may take; a test that meets it fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What the handlers did, and how to let the slow one go.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) deleted: AtomicUsize,
    pub(super) created: AtomicUsize,
    pub(super) begun: Notify,
    pub(super) go_on: Notify,
}

/// A running edge.
pub(super) struct Edge {
    pub(super) address: SocketAddr,
    pub(super) drain: Drain,
    pub(super) metrics: Arc<Metrics>,
    pub(super) bodies: Bodies,
    pub(super) seen: Arc<Seen>,
    pub(super) served: JoinHandle<()>,
}

const ROUTES: &[&str] = &[
    "/livez",
    "/readyz",
    "/metrics",
    "/scim/v2/Users",
    "/scim/v2/Users/{id}",
    "/scim/v2/Bulk",
    "/slow",
    "/panic",
    "/large",
    "/tenant",
    "/problem",
];

/// Limits under which a test need not wait.
pub(super) fn short() -> Limits {
    Limits {
        first_byte: Duration::from_millis(400),
        head: Duration::from_millis(400),
        body: Duration::from_millis(900),
        body_rate_min: 1,
        body_rate_window: Duration::from_millis(900),
        idle: Duration::from_millis(600),
        handler: Duration::from_millis(500),
        stall: Duration::from_millis(500),
        drain: Duration::from_secs(3),
        ..Limits::default()
    }
}

impl Edge {
    /// Starts one with the defaults.
    pub(super) async fn start() -> Self {
        Self::with(Limits::default(), None).await
    }

    /// Starts one with these limits, and TLS or not.
    pub(super) async fn with(limits: Limits, tls: Option<Arc<Tls>>) -> Self {
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
        Self::on(listener, limits, tls)
    }

    pub(super) fn on(listener: Listener, limits: Limits, tls: Option<Arc<Tls>>) -> Self {
        let metrics = Metrics::new(Inventory::new(ROUTES), Registry::default());
        let (drain, seen, bodies) = (Drain::new(), Arc::new(Seen::default()), Bodies::new(&limits));
        let address = listener.address().unwrap_or(([0, 0, 0, 0], 0).into());
        let front = Front::new(FrontParts {
            requests: None,
            router: router(&seen, &metrics, &drain),
            door: Door::Public,
            limits: Arc::new(ArcSwap::from_pointee(limits)),
            metrics: Arc::clone(&metrics),
            bodies: bodies.clone(),
            chance: Arc::new(SystemChance),
            clock: Arc::new(SystemClock),
            drain: drain.clone(),
            base_path: "/scim/v2".into(),
        });
        let served = tokio::spawn(serve(listener, front, tls));
        Self { address, drain, metrics, bodies, seen, served }
    }

    pub(super) async fn connect(&self) -> Raw {
        Raw(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends bytes on a fresh connection and reads the first answer.
    pub(super) async fn ask(&self, request: &[u8]) -> Reply {
        let mut raw = self.connect().await;
        raw.send(request).await;
        raw.reply().await
    }

    /// Returns one number from the metrics page.
    pub(super) fn metric(&self, series: &str) -> f64 {
        let page = self.metrics.expose().unwrap();
        let line =
            page.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// Waits until a number is reached.
    pub(super) async fn until_metric(&self, series: &str, wanted: f64) {
        self.until(series, |value| value >= wanted).await;
    }

    /// Waits until a level is back at zero.
    pub(super) async fn until_zero(&self, series: &str) {
        self.until(series, |value| value < 0.5).await;
    }

    async fn until(&self, series: &str, reached: impl Fn(f64) -> bool) {
        let wait = async {
            while !reached(self.metric(series)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(PATIENCE, wait).await.is_ok(), "{series} is {}", self.metric(series));
    }
}

fn router(seen: &Arc<Seen>, metrics: &Arc<Metrics>, drain: &Drain) -> Router {
    let (created, deleted, slow, tenant, page) =
        (Arc::clone(seen), Arc::clone(seen), Arc::clone(seen), Arc::clone(seen), Arc::clone(metrics));
    let users = get(async |request: Request| format!("{:?}", request.uri().query())).post(
        async move |arrival: Arrival, request: Request| {
            read(&arrival, request, BODY_BYTES_DEFAULT).await.map(|bytes| {
                created.created.fetch_add(1, Ordering::SeqCst);
                (StatusCode::CREATED, bytes)
            })
        },
    );
    Router::new()
        .merge(health::router(Arc::new(|| Readiness::Ready), drain.clone()))
        .route("/metrics", get(async move || page.page()))
        .route("/scim/v2/Users", users)
        .route(
            "/scim/v2/Users/{id}",
            delete(async move || {
                deleted.deleted.fetch_add(1, Ordering::SeqCst);
                StatusCode::NO_CONTENT
            })
            .get(async || "a user"),
        )
        .route(
            "/scim/v2/Bulk",
            post(async move |arrival: Arrival, request: Request| {
                read(&arrival, request, BODY_BYTES_MAX).await.map(|bytes| bytes.len().to_string())
            }),
        )
        .route(
            "/slow",
            any(async move || {
                slow.begun.notify_one();
                slow.go_on.notified().await;
                "done"
            }),
        )
        .route("/panic", get(panics))
        .route("/large", get(async || Body::from(vec![b'x'; 32 * 1024 * 1024])))
        .route(
            "/tenant",
            get(async move |arrival: Arrival| -> Result<Response, Problem> {
                let _share = arrival.enter(TenantId::new(7), ConnectionId::from_bytes([7; 16]))?;
                tenant.begun.notify_one();
                std::future::pending().await
            }),
        )
        .route("/problem", get(async || Problem::internal("canary-cause").into_response()))
}

async fn panics() -> &'static str {
    panic!("canary-panic")
}

async fn read(arrival: &Arrival, request: Request, bytes_max: u64) -> Result<bytes::Bytes, Problem> {
    Ok(read_body(request.into_body(), bytes_max, arrival.bodies()).await?)
}

/// A connection on which bytes are bytes.
pub(super) struct Raw(pub(super) TcpStream);

impl Raw {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Sends what may no longer be wanted.
    pub(super) async fn try_send(&mut self, bytes: &[u8]) {
        let _ = timeout(PATIENCE, self.0.write_all(bytes)).await;
    }

    /// Reads one answer: its head, and as much body as its length says.
    pub(super) async fn reply(&mut self) -> Reply {
        self.try_reply().await.expect("the connection ended without an answer")
    }

    pub(super) async fn try_reply(&mut self) -> Option<Reply> {
        let mut bytes = Vec::new();
        loop {
            if let Some(reply) = Reply::parse(&bytes) {
                return Some(reply);
            }
            let mut piece = vec![0; 16 * 1024];
            match timeout(PATIENCE, self.0.read(&mut piece)).await.expect("no answer in time") {
                Ok(0) | Err(_) => return None,
                Ok(count) => bytes.extend_from_slice(&piece[..count]),
            }
        }
    }

    /// Reads until the server closes.
    pub(super) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.expect("the connection stays open");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let head = head.to_ascii_lowercase();
        let length = field(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        (body.len() >= length).then(|| Self { status, head: head.clone(), body: body[..length].to_owned() })
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
