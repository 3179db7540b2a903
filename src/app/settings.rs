//! From the configuration's words to those of the edge and of the roster.

mod rights;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::{Rim, StartError};

use crate::config::connections::{self, Known, Unknown};
use crate::config::secret::SecretText;
use crate::config::webhooks::WEBHOOKS_MAX;
use crate::config::{self, Config};
use crate::http::admin::COMMAND_WITHIN;
use crate::http::admin::endpoint::Admission;
use crate::http::edge::BodySizes;
use crate::http::limits::Limits;
use crate::http::tls::TlsFiles;
use crate::mail::{Credentials, MailServer, Protection};
use crate::net::{AT_ONCE_MAX, Client, Options, RootsError, read_roots};
use crate::outbox::desk::{AT_ONCE_MAX as DELIVERIES_AT_ONCE_MAX, Pace};
use crate::outbox::feed::WAIT_MAX;
use crate::outbox::{Hook, HookError, Settings};
use crate::psa::authority::{AttributeGroup, Authority};
use crate::psa::policy::{Deprovision, FirmMethod, Lifetimes, Policies, Policy, Rehire, SignIn, Way};
use crate::roster::{Roster, RosterError};

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

/// How long the history keeps values; `None` for ever.
pub(super) fn keeps(config: &Config) -> Option<SignedDuration> {
    let days = i64::from(config.audit.retention_days);
    (days > 0).then(|| SignedDuration::from_hours(days.saturating_mul(24)))
}

/// What the admin API asks of credentials.
pub(super) fn admission(config: &Config) -> Admission {
    let admin = &config.admin;
    Admission { fresh_within: admin.fresh_within(), tokens_make_tokens: admin.tokens_make_tokens }
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

/// What tenants have decided.
pub fn policies(config: &Config) -> Policies {
    let mails = config.mail.is_on();
    let otherwise = config.tenants.iter().map(|(name, own)| {
        let signing_in = (&own.sign_in, mails, &own.sessions);
        (name.clone(), policy(&own.people, &own.permissions, &own.groups, signing_in))
    });
    let signing_in = (&config.sign_in, mails, &config.sessions);
    let everybody = policy(&config.people, &config.permissions, &config.groups, signing_in);
    Policies::new(everybody, otherwise)
}

fn policy(
    people: &config::People,
    permissions: &config::Permissions,
    groups: &config::Groups,
    (sign_in, mails, sessions): (&config::SignIn, bool, &config::Sessions),
) -> Policy {
    Policy {
        deprovision: match people.deprovision {
            config::Deprovision::DeleteIfUnused => Deprovision::DeleteIfUnused,
            config::Deprovision::Lock => Deprovision::Lock,
            config::Deprovision::Delete => Deprovision::Delete,
        },
        rehire: match people.rehire {
            config::Rehire::Resurrect => Rehire::Resurrect,
            config::Rehire::New => Rehire::New,
        },
        time_zone: people.time_zone.clone(),
        sign_in: SignIn {
            method: match sign_in.method {
                config::SignInMethod::ByOrigin => FirmMethod::ByOrigin,
                config::SignInMethod::Sso => FirmMethod::Fixed(Way::Sso),
                config::SignInMethod::MagicLink => FirmMethod::Fixed(Way::MagicLink),
                config::SignInMethod::Password => FirmMethod::Fixed(Way::Password),
            },
            password_characters_min: sign_in.password_characters_min,
            login_instructions: sign_in.login_instructions && mails,
            mails,
        },
        sessions: Lifetimes { idle: sessions.idle(), absolute: sessions.absolute() },
        catalogue: Arc::new(rights::catalogue(permissions)),
        group_maps: rights::group_maps(groups),
        authority: people.authority.iter().map(authority).collect(),
    }
}

fn authority(said: &config::people::Authority) -> (String, Arc<Authority>) {
    let groups = said.writes.iter().filter_map(|name| AttributeGroup::by_name(name));
    let schemas = said.writes.iter().filter(|name| AttributeGroup::by_name(name).is_none());
    let authority =
        Authority { groups: groups.collect(), schemas: schemas.cloned().collect(), strict: said.strict };
    (said.connection.clone(), Arc::new(authority))
}

/// Characters below which the length of passwords alone is not held to be enough (X10).
const PASSWORD_CHARACTERS_ADVISED: usize = 15;

/// Warns where passwords may be short, and where mails are wanted that nobody sends.
fn warn_of_sign_in(config: &Config) {
    let everybody = [(String::new(), &config.sign_in)];
    let tenants = config.tenants.iter().map(|(name, tenant)| (format!("tenants.{name}."), &tenant.sign_in));
    for (above, sign_in) in everybody.into_iter().chain(tenants) {
        let characters = sign_in.password_characters_min;
        if characters < PASSWORD_CHARACTERS_ADVISED {
            tracing::warn!(
                key = format!("{above}sign_in.password_characters_min"),
                characters,
                "passwords may be shorter than {PASSWORD_CHARACTERS_ADVISED} characters, also without a second factor"
            );
        }
        if sign_in.login_instructions && !config.mail.is_on() {
            tracing::warn!(
                key = format!("{above}sign_in.login_instructions"),
                "nobody is mailed how to sign in until mail.host is set"
            );
        }
    }
}

/// Gives the roster what tenants have decided, and says which tenants and connections of the settings there are not.
pub(super) fn hold_policies(roster: &Roster, config: &Config) {
    warn_of_sign_in(config);
    match roster.set_policies(policies(config)) {
        Ok(unknown) => {
            for name in unknown {
                tracing::warn!(
                    tenant = name,
                    "there are settings for a tenant that does not exist; they will hold when it is made"
                );
            }
        }
        Err(error) => tracing::error!(%error, "whether every tenant with settings exists could not be read"),
    }
    match roster.tenants() {
        Ok(tenants) => {
            let is_there = |app: &&config::App| tenants.iter().any(|tenant| tenant.name == app.tenant);
            for app in config.apps.iter().filter(|app| !is_there(app)) {
                tracing::warn!(
                    app = app.name,
                    tenant = app.tenant,
                    "a program is a tenant's that does not exist; nobody gets in to it until it is made"
                );
            }
        }
        Err(error) => {
            tracing::error!(%error, "whether every tenant in the settings exists could not be read");
        }
    }
    match known_connections(roster) {
        Ok(known) => {
            for Unknown { key, tenant, connection, known } in connections::unknown(config, &known) {
                let tenant = tenant.unwrap_or_default();
                tracing::warn!(
                    key,
                    tenant,
                    connection,
                    known,
                    "the settings name a connection that does not exist; nothing follows from that until it is made"
                );
            }
        }
        Err(error) => {
            tracing::error!(%error, "whether every connection in the settings exists could not be read");
        }
    }
}

fn known_connections(roster: &Roster) -> Result<BTreeSet<Known>, RosterError> {
    let mut known = BTreeSet::new();
    for tenant in roster.tenants()? {
        let caller = roster.operator(&tenant.name, roster.request_id())?;
        let connections = roster.connections(&caller)?.into_iter();
        known.extend(connections.map(|one| Known { tenant: tenant.name.clone(), connection: one.name }));
    }
    Ok(known)
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

/// The mail server, where there is one. Reads the password.
pub(super) fn mail(config: &Config, rim: &Rim) -> Result<Option<MailServer>, StartError> {
    let mail = &config.mail;
    if !mail.is_on() {
        return Ok(None);
    }
    let refused = |key: &str, why: String| StartError::Mail(format!("{key}: {why}"));
    let protection = match mail.tls {
        config::MailTls::Starttls => Protection::Starttls,
        config::MailTls::Tls => Protection::Tls,
        config::MailTls::None => Protection::None,
    };
    let credentials = match &mail.password_file {
        Some(file) => {
            let password =
                SecretText::read(file).map_err(|error| refused("mail.password_file", error.to_string()))?;
            let password = Zeroizing::new(password.expose().to_owned());
            Some(Credentials { username: mail.username.clone(), password })
        }
        None => None,
    };
    // One mail at a time; a server that stalls takes no place from who fetches keys.
    let options = Options {
        connect: mail.connect_timeout(),
        total: mail.total_timeout(),
        at_once_max: 1,
        ..outbound(config)?
    };
    let net = Arc::new(Client::new(options, Arc::clone(&rim.resolver))?);
    let port = u16::try_from(mail.port).map_err(|_| refused("mail.port", "it is none".to_owned()))?;
    let place = (mail.host.as_str(), port, protection);
    let server = MailServer::new(net, place, &mail.from, credentials, mail.total_timeout());
    server.map(Some).map_err(|why| refused("mail.from", why))
}

/// Where certificate and key lie, when TLS is on.
pub(super) fn tls_files(config: &Config) -> Option<TlsFiles> {
    let (certificate, key) = config.tls.files()?;
    Some(TlsFiles { certificate: certificate.into(), key: key.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DEFAULTS, Environment, Sources};

    #[test]
    fn an_operators_command_has_the_time_that_the_command_line_gives_it() {
        let config = Config::load(&Sources::new(Environment::default())).unwrap();
        assert_eq!(socket_limits(&config).handler, COMMAND_WITHIN);
        assert!(admin_limits(&config).handler < COMMAND_WITHIN);
        assert_eq!(socket_limits(&config).connections_max, ADMIN_CONNECTIONS_MAX);
    }

    #[test]
    fn the_policy_without_settings_is_that_of_the_default_settings() {
        assert!(DEFAULTS.contains("[people]"));
        let config = Config::load(&Sources::new(Environment::default())).unwrap();
        assert_eq!(**policies(&config).of("acme"), Policy::default());
    }

    #[test]
    fn the_settings_know_every_group_of_attributes_and_no_other() {
        let known = config::people::ATTRIBUTE_GROUPS;
        assert_eq!(known, AttributeGroup::ALL.map(AttributeGroup::as_str));
        let told = DEFAULTS.replace("\n#", "");
        assert!(told.contains(&known.join(", ")), "config/default.toml lists them");
    }

    #[test]
    fn what_one_tenant_has_otherwise_is_its_policy() {
        let sources = Sources::new(Environment::default())
            .flag("a test", "people.rehire", "new")
            .flag("a test", "tenants.acme.people.deprovision", "lock")
            .flag("a test", "tenants.acme.people.time_zone", "Europe/Helsinki");
        let policies = policies(&Config::load(&sources).unwrap());
        let acme = policies.of("acme");
        assert_eq!((acme.deprovision, acme.rehire), (Deprovision::Lock, Rehire::New));
        assert_eq!(acme.time_zone.iana_name(), Some("Europe/Helsinki"));
        let other = policies.of("other");
        assert_eq!((other.deprovision, other.rehire), (Deprovision::DeleteIfUnused, Rehire::New));
    }
}
