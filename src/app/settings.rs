//! From the configuration's words to the edge's.

use crate::config::Config;
use crate::http::edge::BodySizes;
use crate::http::limits::Limits;
use crate::http::tls::TlsFiles;

/// The bounds of a listener.
pub(super) fn limits(config: &Config) -> Limits {
    let server = &config.server;
    Limits {
        head: server.head_timeout(),
        first_byte: server.head_timeout(),
        body: server.body_timeout(),
        body_rate_min: server.body_bytes_per_s_min,
        idle: server.idle_timeout(),
        handler: server.handler_timeout(),
        stall: server.write_stall_timeout(),
        drain: server.drain_timeout(),
        connections_max: server.connections_max,
        in_flight_max: server.requests_in_flight_max,
        in_flight_per_tenant_max: server.requests_in_flight_per_tenant_max,
        bodies_bytes_max: server.body_bytes_in_flight_max as u64,
        ..Limits::default()
    }
    .within_descriptors()
}

/// How large bodies may be.
pub(super) fn body_sizes(config: &Config) -> BodySizes {
    BodySizes { usual: config.server.body_bytes_max as u64, large: config.server.body_bytes_large_max as u64 }
}

/// Where certificate and key lie, when TLS is on.
pub(super) fn tls_files(config: &Config) -> Option<TlsFiles> {
    let (certificate, key) = config.tls.files()?;
    Some(TlsFiles { certificate: certificate.into(), key: key.into() })
}
