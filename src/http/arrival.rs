//! What a handler may know of how its request came in, and the request's id.
//!
//! The id is made here, from the injected clock and randomness, and nowhere else; a client's own id is only ever logged.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use hyper::http::request::Parts;

use super::body::Bodies;
use super::limits::{Share, Shares};
use super::metrics::{Door, Metrics, Rejected};
use super::problem::Problem;
use super::rates::Rates;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::ids::{ConnectionId, RequestId, TenantId};
use crate::requests::Trace;

/// What handlers share with their listener.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) bodies: Bodies,
    pub(super) tenants: Shares<TenantId>,
    pub(super) rates: Rates,
    pub(super) metrics: Arc<Metrics>,
    pub(super) retry_after_s: u32,
}

/// What a handler may know of how a request came in. An extractor.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The request's id: in the answer, in the log, in the audit entry.
    pub request_id: RequestId,
    /// Where the connection came from; `None` on the admin socket. Behind a proxy, the proxy.
    pub peer: Option<SocketAddr>,
    /// Through which door.
    pub door: Door,
    /// How long the handler has, from the end of the body.
    pub(super) handler: Duration,
    pub(super) shared: Arc<Shared>,
    /// What is noted of it for the log of requests; `None` where none is kept.
    pub(super) trace: Option<Arc<Trace>>,
}

impl Arrival {
    /// Returns what is noted of the request.
    pub fn trace(&self) -> Option<&Arc<Trace>> {
        self.trace.as_ref()
    }

    /// Returns how long the handler has to answer, from the end of the body.
    pub fn handler_time(&self) -> Duration {
        self.handler
    }

    /// Returns the room for bodies, for [`super::body::read_body`].
    pub fn bodies(&self) -> &Bodies {
        &self.shared.bodies
    }

    /// Takes one of the tenant's requests in flight, to be held until the answer is made (R23), unless the connection sends more
    /// than it may (R25).
    pub fn enter(&self, tenant: TenantId, connection: ConnectionId) -> Result<Share<TenantId>, Problem> {
        self.shared
            .rates
            .enter(tenant, connection)
            .inspect_err(|_| self.shared.metrics.reject(Rejected::Rate))?;
        self.shared.tenants.take(tenant).ok_or_else(|| {
            self.shared.metrics.reject(Rejected::Tenant);
            Problem::too_many_requests(self.shared.retry_after_s)
        })
    }

    /// Returns the counters.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }
}

impl<S: Sync> FromRequestParts<S> for Arrival {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::internal("a request without an arrival"))
    }
}

/// Random bytes for a connection's next ids, so that the operating system is asked once for many.
#[derive(Debug)]
pub(super) struct Ids {
    random: [u8; IDS_BYTES],
    used: usize,
}

const ID_BYTES: usize = 10;
const IDS_BYTES: usize = 16 * ID_BYTES;

impl Ids {
    /// Has nothing yet; asks at the first id.
    pub(super) const fn new() -> Self {
        Self { random: [0; IDS_BYTES], used: IDS_BYTES }
    }

    /// Makes an id of version 7 (RFC 9562 §5.7).
    pub(super) fn next(&mut self, chance: &dyn Chance, clock: &dyn Clock) -> RequestId {
        if self.used >= IDS_BYTES {
            chance.fill(&mut self.random);
            self.used = 0;
        }
        let mut random = [0; ID_BYTES];
        let fresh = self.random.iter().skip(self.used);
        random.iter_mut().zip(fresh).for_each(|(to, from)| *to = *from);
        self.used = self.used.saturating_add(ID_BYTES);
        let millis = u64::try_from(clock.now().as_millisecond()).unwrap_or(0);
        RequestId::new(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

/// The 36 characters of an id, on the stack.
pub(super) struct Text {
    bytes: [u8; 36],
    len: usize,
}

impl Text {
    /// Writes an id down.
    pub(super) fn of(id: RequestId) -> Self {
        let mut text = Self { bytes: [0; 36], len: 0 };
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{id}"));
        text
    }

    /// Returns the characters.
    pub(super) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let end = self.len.saturating_add(piece.len());
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(piece.as_bytes());
        self.len = end;
        Ok(())
    }
}
