//! From the configuration's words to the edge's.

use std::num::NonZeroU32;

use jiff::SignedDuration;

use crate::config::Config;
use crate::http::admin::COMMAND_WITHIN;
use crate::http::edge::BodySizes;
use crate::http::limits::Limits;
use crate::http::tls::TlsFiles;
use crate::net::{Options, RootsError, read_roots};

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
        client_requests_per_s_max: NonZeroU32::new(server.client_requests_per_s_max)
            .unwrap_or(NonZeroU32::MAX),
        bodies_bytes_max: server.body_bytes_in_flight_max as u64,
        ..Limits::default()
    }
    .within_descriptors()
}

/// Connections to the admin listener and to the admin socket, each. Few, so that they never crowd out the public ones.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// The bounds of the admin listener.
pub(super) fn admin_limits(config: &Config) -> Limits {
    Limits { connections_max: ADMIN_CONNECTIONS_MAX, ..limits(config) }
}

/// The bounds of the admin socket: an operator's command may read the whole store (`rosterd check`), so it may take as long as the
/// command line waits for it.
pub(super) fn socket_limits(config: &Config) -> Limits {
    Limits { handler: COMMAND_WITHIN, ..admin_limits(config) }
}

/// How long the history keeps values; `None` for ever.
pub(super) fn keeps(config: &Config) -> Option<SignedDuration> {
    let days = i64::from(config.audit.retention_days);
    (days > 0).then(|| SignedDuration::from_hours(days.saturating_mul(24)))
}

/// How large bodies may be.
pub(super) fn body_sizes(config: &Config) -> BodySizes {
    BodySizes { usual: config.server.body_bytes_max as u64, large: config.server.body_bytes_large_max as u64 }
}

/// How requests to others are made. Reads the file of roots.
pub(super) fn outbound(config: &Config) -> Result<Options, RootsError> {
    let net = &config.net;
    Ok(Options {
        allow: net.allow.clone(),
        connect: net.connect_timeout(),
        total: net.total_timeout(),
        roots: net.ca_file.as_deref().map_or(Ok(vec![]), read_roots)?,
    })
}

/// Where certificate and key lie, when TLS is on.
pub(super) fn tls_files(config: &Config) -> Option<TlsFiles> {
    let (certificate, key) = config.tls.files()?;
    Some(TlsFiles { certificate: certificate.into(), key: key.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Sources};

    #[test]
    fn an_operators_command_has_the_time_that_the_command_line_gives_it() {
        let config = Config::load(&Sources::new(Environment::default())).unwrap();
        assert_eq!(socket_limits(&config).handler, COMMAND_WITHIN);
        assert!(admin_limits(&config).handler < COMMAND_WITHIN);
        assert_eq!(socket_limits(&config).connections_max, ADMIN_CONNECTIONS_MAX);
    }
}
