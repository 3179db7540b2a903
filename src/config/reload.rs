//! A reload: the whole new configuration is right, or the old one stays (row R28).
//!
//! A pure comparison: it names what changed and what of that takes effect without a restart. Reading the candidate, swapping and
//! logging are the caller's. A key belongs into [`WITHOUT_RESTART`] only if its users look it up each time they need it.

use std::collections::{BTreeMap, BTreeSet};

use figment::value::Value;

use super::findings::Findings;
use super::layer::{LISTS, levels};
use super::{Config, ConfigErrors, Place, Problem};

/// The keys that take effect at a reload (those of TLS while it stays on), and with them what a tenant has otherwise. All others
/// need a restart.
pub const WITHOUT_RESTART: &[&str] = &[
    "groups.map",
    "log.level",
    "outbox.attempts_max",
    "outbox.retry_first_ms",
    "outbox.retry_longest_ms",
    "people.authority",
    "people.deprovision",
    "people.rehire",
    "people.time_zone",
    "permissions.bundles",
    "permissions.catalogue",
    "permissions.classes",
    "permissions.deny",
    "permissions.kinds",
    "permissions.preset",
    "plugin_host.allow_unpinned",
    "plugin_host.folder",
    "plugin_host.signing_keys",
    "server.body_bytes_large_max",
    "server.body_bytes_max",
    "server.body_bytes_per_s_min",
    "server.body_timeout_ms",
    "server.drain_timeout_ms",
    "server.handler_timeout_ms",
    "server.head_timeout_ms",
    "server.idle_timeout_ms",
    "server.trusted_proxies",
    "server.write_stall_timeout_ms",
    "sessions.absolute_minutes",
    "sessions.idle_minutes",
    "sign_in.login_instructions",
    "sign_in.method",
    "sign_in.password_characters_min",
    "tls.cert_file",
    "tls.key_file",
    "tokens.access_lifetime_minutes",
    "tokens.lifetime_days",
];

/// The configuration that holds, and what [`Config::load`] made of the one that shall replace it.
pub struct Reload<'c> {
    /// What holds.
    pub current: &'c Config,
    /// What was just read.
    pub candidate: Result<Config, ConfigErrors>,
}

/// What a reload changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The configuration that holds from now on: the candidate, but for the keys that need a restart.
    pub config: Config,
    /// The changed keys that take effect at once.
    pub now: Vec<String>,
    /// The changed keys that keep their old value until a restart.
    pub at_restart: Vec<String>,
}

impl Reload<'_> {
    /// Decides what holds from now on. On an error the caller keeps what it has.
    pub fn apply(self) -> Result<Applied, ConfigErrors> {
        let candidate = self.candidate?;
        let old = flatten(self.current);
        let new = flatten(&candidate);
        let config = self.current.with_changes_of(candidate);
        config.check_mixed()?;
        let held = flatten(&config);
        let mut applied = Applied { config, now: Vec::new(), at_restart: Vec::new() };
        // A tenant's key may be gone, or be there for the first time.
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys.into_iter().filter(|key| old.get(*key) != new.get(*key)) {
            let takes_effect = held.get(key) == new.get(key);
            let keys = if takes_effect { &mut applied.now } else { &mut applied.at_restart };
            keys.push(key.clone());
        }
        Ok(applied)
    }
}

impl Config {
    /// Takes over from a candidate what needs no restart.
    fn with_changes_of(&self, candidate: Self) -> Self {
        let mut config = self.clone();
        let server = candidate.server;
        config.log.level = candidate.log.level;
        config.server.body_bytes_large_max = server.body_bytes_large_max;
        config.server.body_bytes_max = server.body_bytes_max;
        config.server.body_bytes_per_s_min = server.body_bytes_per_s_min;
        config.server.body_timeout_ms = server.body_timeout_ms;
        config.server.drain_timeout_ms = server.drain_timeout_ms;
        config.server.handler_timeout_ms = server.handler_timeout_ms;
        config.server.head_timeout_ms = server.head_timeout_ms;
        config.server.idle_timeout_ms = server.idle_timeout_ms;
        config.server.trusted_proxies = server.trusted_proxies;
        config.server.write_stall_timeout_ms = server.write_stall_timeout_ms;
        if config.tls.is_on() == candidate.tls.is_on() {
            config.tls = candidate.tls;
        }
        config.tokens = candidate.tokens;
        config.sessions = candidate.sessions;
        config.identity_providers = candidate.identity_providers;
        config.apps = candidate.apps;
        config.people = candidate.people;
        config.sign_in = candidate.sign_in;
        config.permissions = candidate.permissions;
        config.groups = candidate.groups;
        config.tenants = candidate.tenants;
        config.outbox = candidate.outbox;
        config.webhooks = candidate.webhooks;
        config.plugin_host.allow_unpinned = candidate.plugin_host.allow_unpinned;
        config.plugin_host.folder = candidate.plugin_host.folder;
        config.plugin_host.signing_keys = candidate.plugin_host.signing_keys;
        config.plugins = candidate.plugins;
        config
    }

    /// Looks whether new values go together with the old ones that stay until a restart. Each configuration was right for
    /// itself, but half of one and half of the other could serve plain HTTP beyond loopback.
    fn check_mixed(&self) -> Result<(), ConfigErrors> {
        let mut found = Findings::default();
        self.check_together(&mut found);
        if found.0.is_empty() {
            return Ok(());
        }
        let problems = found.0.into_iter().map(|finding| Problem {
            place: Place::Reload,
            key: Some(finding.key.into_owned()),
            what: finding.what,
            remedy: Some("restart instead: some of the changes cannot take effect before".to_owned()),
        });
        Err(ConfigErrors::new(problems.collect()))
    }
}

/// Writes a configuration as one value per key.
pub(super) fn flatten(config: &Config) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    let topics = Value::serialize(config).ok().and_then(Value::into_dict).unwrap_or_default();
    for (topic, keys) in topics {
        if LISTS.contains(&topic.as_str()) {
            // A list is one value: which of its tables changed does not matter.
            flat.insert(topic, keys);
            continue;
        }
        flatten_below(&topic, keys, levels(&topic), &mut flat);
    }
    flat
}

/// Writes what lies `levels` below a table as one value per key.
fn flatten_below(above: &str, table: Value, levels: usize, flat: &mut BTreeMap<String, Value>) {
    for (key, value) in table.into_dict().unwrap_or_default() {
        let path = format!("{above}.{key}");
        if levels > 1 {
            flatten_below(&path, value, levels.saturating_sub(1), flat);
        } else {
            flat.insert(path, value);
        }
    }
}
