//! From the configuration's words to the edge's.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::Config;
use crate::config::webhooks::WEBHOOKS_MAX;
use crate::http::admin::COMMAND_WITHIN;
use crate::http::edge::BodySizes;
use crate::http::limits::Limits;
use crate::http::tls::TlsFiles;
use crate::net::{AT_ONCE_MAX, Options, RootsError, read_roots};
use crate::outbox::desk::{AT_ONCE_MAX as DELIVERIES_AT_ONCE_MAX, Pace};
use crate::outbox::feed::WAIT_MAX;
use crate::outbox::{Hook, HookError, Settings};

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

/// What reading changes takes beside waiting for them.
const WAIT_MARGIN: Duration = Duration::from_secs(10);

/// The bounds of the admin listener.
pub(super) fn admin_limits(config: &Config) -> Limits {
    let limits = limits(config);
    // Whoever waits for changes is answered at the end of that time, and not cut off before.
    let handler = limits.handler.max(WAIT_MAX.saturating_add(WAIT_MARGIN));
    Limits { connections_max: ADMIN_CONNECTIONS_MAX, handler, ..limits }
}

/// The bounds of the admin socket: an operator's command may read the whole store (`rosterd check`), so it may take as long as the
/// command line waits for it.
pub(super) fn socket_limits(config: &Config) -> Limits {
    Limits { handler: COMMAND_WITHIN, ..admin_limits(config) }
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
        at_once_max: AT_ONCE_MAX,
    })
}

/// How webhooks are delivered to: as other requests, and as many at once as all webhooks together may have under way.
pub(super) fn deliveries(config: &Config) -> Result<Options, RootsError> {
    Ok(Options { at_once_max: WEBHOOKS_MAX.saturating_mul(DELIVERIES_AT_ONCE_MAX), ..outbound(config)? })
}

/// The webhooks. Reads their secrets.
pub(super) fn webhooks(config: &Config) -> Result<Settings, HookError> {
    let hooks = config.webhooks.iter().map(Hook::read).collect::<Result<_, _>>()?;
    let outbox = &config.outbox;
    let pace = Pace {
        attempts_max: outbox.attempts_max,
        first: outbox.retry_first(),
        most: outbox.retry_longest().max(outbox.retry_first()),
    };
    Ok(Settings { hooks, pace })
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
