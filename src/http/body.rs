//! Reading a request's body within its limits (X30, R24).
//!
//! Two halves: [`Intake`], which the edge puts around every body and which enforces time (all of it, and a minimum
//! rate), and [`read_body`], which a handler calls once it knows who is asking, and which enforces size, for this body and for all
//! bodies together. Neither reserves what a client merely declares.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::limits::{Gauge, Limits, Taken};
use super::metrics::{Metrics, Rejected};
use super::problem::Problem;

/// Why a body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Larger than this request may be.
    #[error("the body is larger than {bytes_max} bytes")]
    TooLarge {
        /// The bound.
        bytes_max: u64,
    },
    /// All bodies together would be larger than the daemon holds.
    #[error("no room for another body")]
    Busy {
        /// What to tell the client.
        retry_after_s: u32,
    },
    /// It did not end in time, or came too slowly.
    #[error("the body came too slowly")]
    TooSlow,
    /// The client broke off, or broke the framing.
    #[error("the body ended before its end")]
    Broken,
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { bytes_max } => Self::too_large(bytes_max),
            BodyError::Busy { retry_after_s } => Self::busy(retry_after_s),
            BodyError::TooSlow => Self::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
            BodyError::Broken => Self::bad_request("the body ended before its declared end"),
        }
    }
}

/// The room for all bodies together. One for the whole daemon, shared by its listeners. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bodies(Arc<Room>);

#[derive(Debug)]
struct Room {
    gauge: Gauge,
    retry_after_s: u32,
    metrics: OnceLock<Arc<Metrics>>,
}

impl Bodies {
    /// Makes the room that the limits name.
    pub fn new(limits: &Limits) -> Self {
        Self(Arc::new(Room {
            gauge: Gauge::up_to(limits.bodies_bytes_max),
            retry_after_s: limits.retry_after_s,
            metrics: OnceLock::new(),
        }))
    }

    /// Returns the count of bytes held.
    pub fn gauge(&self) -> &Gauge {
        &self.0.gauge
    }

    /// Shows the room in the metrics; once, however many listeners share it.
    pub(super) fn show(&self, metrics: &Arc<Metrics>) {
        if self.0.metrics.set(Arc::clone(metrics)).is_ok() {
            metrics.show_bodies(&self.0.gauge);
        }
    }

    fn busy(&self) -> BodyError {
        self.reject(Rejected::Bodies);
        BodyError::Busy { retry_after_s: self.0.retry_after_s }
    }

    fn too_large(&self, bytes_max: u64) -> BodyError {
        self.reject(Rejected::BodySize);
        BodyError::TooLarge { bytes_max }
    }

    fn reject(&self, why: Rejected) {
        if let Some(metrics) = self.0.metrics.get() {
            metrics.reject(why);
        }
    }
}

/// Reads a body of at most `bytes_max` bytes.
///
/// A declared length above the bound, or for which there is no room, is refused before a byte is read; a chunked body
/// at the bound. The returned bytes keep their share of the room until the last clone of them is dropped.
pub async fn read_body(body: Body, bytes_max: u64, room: &Bodies) -> Result<Bytes, BodyError> {
    let declared = body.size_hint();
    if declared.lower() > bytes_max {
        return Err(room.too_large(bytes_max));
    }
    if declared.exact() == Some(0) {
        return Ok(Bytes::new());
    }
    if !room.gauge().fits(declared.lower()) {
        return Err(room.busy());
    }
    let mut share = room.gauge().take(0).ok_or_else(|| room.busy())?;
    let mut body = body;
    let mut gathered = Gathered::Nothing;
    let mut len = 0_u64;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(reason)?.into_data() else { continue };
        let more = u64::try_from(data.len()).unwrap_or(u64::MAX);
        len = len.saturating_add(more);
        if len > bytes_max {
            return Err(room.too_large(bytes_max));
        }
        if !share.grow(more) {
            return Err(room.busy());
        }
        gathered = gathered.and(data);
    }
    Ok(gathered.with(share))
}

/// Most bodies arrive in one piece, and are then never copied.
enum Gathered {
    Nothing,
    One(Bytes),
    Many(Vec<u8>),
}

impl Gathered {
    fn and(self, data: Bytes) -> Self {
        match self {
            Self::Nothing => Self::One(data),
            Self::One(first) => {
                let mut all = Vec::new();
                append(&mut all, &first);
                append(&mut all, &data);
                Self::Many(all)
            }
            Self::Many(mut all) => {
                append(&mut all, &data);
                Self::Many(all)
            }
        }
    }

    fn with(self, share: Taken) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::One(bytes) => Bytes::from_owner(Held { bytes, _share: share }),
            Self::Many(bytes) => Bytes::from_owner(Held { bytes, _share: share }),
        }
    }
}

/// Appends, and grows by an eighth where a vector would double: the room counts bytes that came, so that a vector with as many again
/// in reserve would hold twice what the room allows.
fn append(all: &mut Vec<u8>, data: &[u8]) {
    const STEP_BYTES_MIN: usize = 16 << 10;
    let wanted = all.len().saturating_add(data.len());
    if wanted > all.capacity() {
        all.reserve_exact(data.len().saturating_add((wanted / 8).max(STEP_BYTES_MIN)));
    }
    all.extend_from_slice(data);
}

/// Bytes that hold their share of the room.
struct Held<T> {
    bytes: T,
    _share: Taken,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

fn reason(error: axum::Error) -> BodyError {
    error.into_inner().downcast_ref::<BodyError>().copied().unwrap_or(BodyError::Broken)
}

/// A request body with its clock: cut when it is late as a whole, or slower than the minimum rate.
pub struct Intake {
    inner: Incoming,
    clock: Pin<Box<Sleep>>,
    started: Instant,
    limits: Limits,
    window_bytes: u64,
    done: Done,
}

impl Intake {
    pub(super) fn new(inner: Incoming, limits: Limits, done: Done) -> Self {
        let started = done.started();
        let first = limits.body_rate_window.min(limits.body);
        Self { inner, clock: Box::pin(sleep_until(started + first)), started, limits, window_bytes: 0, done }
    }

    /// Tells whether the body is too late or too slow, and sets the clock for the next look.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let end = self.started + self.limits.body;
        while self.clock.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let window = self.limits.body_rate_window;
            let wanted = u128::from(self.limits.body_rate_min).saturating_mul(window.as_millis()) / 1000;
            if now >= end || u128::from(self.window_bytes) < wanted {
                return true;
            }
            self.window_bytes = 0;
            self.clock.as_mut().reset(end.min(now + window));
        }
        false
    }
}

impl HttpBody for Intake {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            if this.is_late(cx) {
                this.done.cut();
                return Poll::Ready(Some(Err(BodyError::TooSlow)));
            }
            return Poll::Pending;
        };
        match frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
                this.window_bytes = this.window_bytes.saturating_add(bytes);
                if this.inner.is_end_stream() {
                    this.done.set();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(_)) => Poll::Ready(Some(Err(BodyError::Broken))),
            None => {
                this.done.set();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// When a body ended, so that the handler's time is counted from there.
#[derive(Debug, Clone)]
pub(super) struct Done {
    started: Instant,
    /// Milliseconds after the start, plus one; zero while it has not ended; the maximum when it was cut.
    ended: Arc<AtomicU64>,
}

impl Done {
    pub(super) fn not_yet(started: Instant) -> Self {
        Self { started, ended: Arc::default() }
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    fn set(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(0).saturating_add(1);
        let _ = self.ended.compare_exchange(0, millis, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn cut(&self) {
        self.ended.store(u64::MAX, Ordering::Relaxed);
    }

    pub(super) fn was_cut(&self) -> bool {
        self.ended.load(Ordering::Relaxed) == u64::MAX
    }

    /// Returns when the body ended, if it has.
    pub(super) fn at(&self) -> Option<Instant> {
        match self.ended.load(Ordering::Relaxed) {
            0 | u64::MAX => None,
            millis => Some(self.started + std::time::Duration::from_millis(millis.saturating_sub(1))),
        }
    }
}
