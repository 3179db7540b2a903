//! `[server]`: the public listener, its limits and its time-outs (rows R23, R24, X30).

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::{BasePath, CookieDomain, Network, PublicUrl, Tls, text};

/// The public listener. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on.
    #[serde(with = "text")]
    pub listen: SocketAddr,
    /// The URL under which clients reach the server; none: the address that was bound, which is on loopback.
    #[serde(with = "text::option")]
    pub public_url: Option<PublicUrl>,
    /// The path below which SCIM is served.
    #[serde(with = "text")]
    pub base_path: BasePath,
    /// Proxies that end TLS in front.
    #[serde(with = "text::list")]
    pub trusted_proxies: Vec<Network>,
    /// The domain whose hosts share the cookie of a session; none: this host alone.
    #[serde(with = "text::option")]
    pub cookie_domain: Option<CookieDomain>,
    /// Most open connections.
    pub connections_max: usize,
    /// Most requests worked on at once.
    pub requests_in_flight_max: usize,
    /// Most requests of one tenant worked on at once.
    pub requests_in_flight_per_tenant_max: usize,
    /// Most requests a second through one connection of a client.
    pub client_requests_per_s_max: u32,
    /// Longest request body.
    pub body_bytes_max: usize,
    /// Longest body of groups and bulk requests with a valid token.
    pub body_bytes_large_max: usize,
    /// Most bytes of all bodies held at once.
    pub body_bytes_in_flight_max: usize,
    /// For the head of a request to arrive.
    pub head_timeout_ms: u64,
    /// For the body of a request to arrive.
    pub body_timeout_ms: u64,
    /// Slowest arrival of a body.
    pub body_bytes_per_s_min: u64,
    /// For the next request on an open connection.
    pub idle_timeout_ms: u64,
    /// For a request to be answered.
    pub handler_timeout_ms: u64,
    /// For a client to go on reading its answer.
    pub write_stall_timeout_ms: u64,
    /// For begun requests to end at a stop.
    pub drain_timeout_ms: u64,
}

impl Server {
    /// Returns the URL that an IdP is given, which every location begins with; `bound` is the address that was bound.
    pub fn base_url(&self, tls: &Tls, bound: SocketAddr) -> String {
        format!("{}{}", self.origin(tls, bound), self.base_path)
    }

    /// Returns the URL under which browsers find the server, without a slash at its end.
    pub fn origin(&self, tls: &Tls, bound: SocketAddr) -> PublicUrl {
        self.public_url.clone().unwrap_or_else(|| PublicUrl::of_listener(tls.is_on(), bound))
    }

    /// Returns the time for a head to arrive.
    pub fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms)
    }

    /// Returns the time for a body to arrive.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }

    /// Returns the time for the next request on an open connection.
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    /// Returns the time for a request to be answered.
    pub fn handler_timeout(&self) -> Duration {
        Duration::from_millis(self.handler_timeout_ms)
    }

    /// Returns the time for a client to go on reading.
    pub fn write_stall_timeout(&self) -> Duration {
        Duration::from_millis(self.write_stall_timeout_ms)
    }

    /// Returns the time for begun requests to end at a stop.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }

    pub(super) fn check(&self, found: &mut Findings) {
        found.range("server.connections_max", self.connections_max, 1..=1_000_000);
        found.range("server.requests_in_flight_max", self.requests_in_flight_max, 1..=100_000);
        found.range(
            "server.requests_in_flight_per_tenant_max",
            self.requests_in_flight_per_tenant_max,
            1..=100_000,
        );
        found.range("server.client_requests_per_s_max", self.client_requests_per_s_max, 50..=1_000_000);
        found.range("server.body_bytes_max", self.body_bytes_max, 1 << 10..=64 << 20);
        found.range("server.body_bytes_large_max", self.body_bytes_large_max, 1 << 10..=256 << 20);
        found.range("server.body_bytes_in_flight_max", self.body_bytes_in_flight_max, 1 << 20..=16 << 30);
        found.range("server.head_timeout_ms", self.head_timeout_ms, 100..=600_000);
        found.range("server.body_timeout_ms", self.body_timeout_ms, 100..=3_600_000);
        found.range("server.body_bytes_per_s_min", self.body_bytes_per_s_min, 1..=1_048_576);
        found.range("server.idle_timeout_ms", self.idle_timeout_ms, 100..=3_600_000);
        found.range("server.handler_timeout_ms", self.handler_timeout_ms, 100..=600_000);
        found.range("server.write_stall_timeout_ms", self.write_stall_timeout_ms, 100..=600_000);
        found.range("server.drain_timeout_ms", self.drain_timeout_ms, 0..=600_000);
    }

    /// Looks at what must agree: the rules of rows X37 and X65, and bodies that could never be held.
    pub(super) fn check_together(&self, tls: &Tls, found: &mut Findings) {
        let beyond_loopback = !self.listen.ip().is_loopback();
        if beyond_loopback && !tls.is_on() && self.trusted_proxies.is_empty() {
            found.wrong(
                "server.listen",
                format!("{} is beyond loopback, where plain HTTP is not served", self.listen),
                "set tls.cert_file and tls.key_file, or name the proxies that end TLS in server.trusted_proxies",
            );
        }
        if beyond_loopback && self.public_url.is_none() {
            found.wrong(
                "server.public_url",
                format!("not set, and {} tells no client where to find the server", self.listen),
                "set it to the URL that clients use, such as https://scim.example.com",
            );
        }
        if tls.is_on() && self.public_url.as_ref().is_some_and(|url| !url.is_https()) {
            found.wrong(
                "server.public_url",
                "expected https, because TLS is on, found http",
                "write https://",
            );
        }
        if let Some(domain) = &self.cookie_domain
            && !self.public_url.as_ref().is_some_and(|url| domain.covers(url))
        {
            found.wrong(
                "server.cookie_domain",
                format!("expected the domain of server.public_url or one above it, found {domain}"),
                "set server.public_url to a host of that domain, or leave this out",
            );
        }
        if self.body_bytes_large_max < self.body_bytes_max {
            found.wrong(
                "server.body_bytes_large_max",
                format!("expected at least server.body_bytes_max ({})", self.body_bytes_max),
                "raise it, or lower server.body_bytes_max",
            );
        }
        if self.body_bytes_in_flight_max < self.body_bytes_large_max {
            found.wrong(
                "server.body_bytes_in_flight_max",
                format!("expected at least server.body_bytes_large_max ({})", self.body_bytes_large_max),
                "raise it, or lower server.body_bytes_large_max",
            );
        }
    }
}
