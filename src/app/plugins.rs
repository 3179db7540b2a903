//! The plugins of a daemon: from the settings to a host that has loaded them, and to the roster that asks them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use serde_json::Value;

use super::{Rim, StartError};
use crate::config::{self, Config, PluginFailure, PluginHook};
use crate::plugins::host::Prepared;
pub use crate::plugins::{Done, HostError, View};
use crate::plugins::{Host, Limits, Names, Options, Source, Spec};
use crate::roster::Roster;
use crate::roster::hooks::{Hooks, OnFailure, Then};

/// The plugins of a daemon.
#[derive(Clone)]
pub struct Plugins {
    host: Arc<Host>,
    roster: Arc<Roster>,
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugins").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Plugins {
    /// Loads the plugins that the settings name, before anybody is let in. Compiles: takes seconds where there are large ones.
    pub fn load(config: &Config, roster: &Arc<Roster>, rim: &Rim) -> Result<Self, StartError> {
        let plugins = Self { host: Arc::new(Host::new(Arc::clone(&rim.clock))), roster: Arc::clone(roster) };
        let prepared = plugins.prepare(config)?;
        plugins.take_over(prepared);
        Ok(plugins)
    }

    /// Loads what the settings name now, beside what is there.
    pub(super) fn prepare(&self, config: &Config) -> Result<Prepared<'_>, StartError> {
        let names = if config.plugins.is_empty() { Names::new(Vec::new()) } else { Names::of(&self.roster)? };
        Ok(self.host.prepare(&options(config), &specs(config), &names)?)
    }

    /// Has the roster ask those that were prepared.
    pub(super) fn take_over(&self, prepared: Prepared<'_>) -> Done {
        let had_some = !self.host.plugins().is_empty();
        let done = prepared.take_over();
        let plugins = self.host.plugins();
        // Where there were none and are none the roster has nothing to look up anew.
        if had_some || !plugins.is_empty() {
            self.roster.use_plugins(plugins);
        }
        for name in &done.loaded {
            tracing::info!(plugin = name, "plugin loaded");
        }
        done
    }

    /// Shows the plugins.
    pub fn views(&self) -> Vec<View> {
        self.host.views()
    }

    /// Lets go of what waits in vain.
    pub(super) fn sweep(&self) {
        self.host.sweep();
    }

    /// Adds the figures to a registry.
    pub(super) fn register(&self, registry: &mut Registry) {
        self.host.figures().register(registry);
    }
}

/// Takes the plugins of the settings through every check of a start, without a roster: schemas of operators' own are believed to be there. Says what
/// is odd but no reason not to start; on a mistake, each in a line. Compiles.
pub fn check(config: &Config, rim: &Rim) -> Result<Vec<String>, Vec<String>> {
    let host = Host::new(Arc::clone(&rim.clock));
    match host.prepare(&options(config), &specs(config), &Names::without_own()) {
        Ok(prepared) => {
            let absent = prepared.take_over().absent;
            let odd = |(name, why): (String, String)| {
                format!("plugin {name}: {why}; it is not required, so on_failure decides in its place")
            };
            Ok(absent.into_iter().map(odd).collect())
        }
        Err(HostError::Load(errors)) => {
            Err(errors.into_iter().map(|(name, error)| format!("plugin {name}: {error}")).collect())
        }
        Err(error) => Err(vec![error.to_string()]),
    }
}

/// Where plugins lie, in the words of the host.
pub fn options(config: &Config) -> Options {
    let host = &config.plugin_host;
    // Those that are none are not let through by the settings' own check.
    let signing_keys = host.signing_keys.iter().filter_map(|key| config::signing_key(key)).collect();
    Options {
        folder: host.folder.clone(),
        slots: host.slots,
        allow_unpinned: host.allow_unpinned,
        signing_keys,
    }
}

/// The plugins of the settings, in the words of the host.
pub fn specs(config: &Config) -> Vec<Spec> {
    config.plugins.iter().map(spec).collect()
}

fn spec(plugin: &config::Plugin) -> Spec {
    Spec {
        name: plugin.name.clone(),
        path: plugin.path.clone(),
        sha256: Some(plugin.sha256.clone()).filter(|digest| !digest.is_empty()),
        sources: plugin.sources.iter().map(|source| Source::parse(source)).collect(),
        hooks: (!plugin.hooks.is_empty()).then(|| hooks(&plugin.hooks)),
        reads: plugin.reads.clone(),
        writes: plugin.writes.clone(),
        overrides: plugin.overrides.iter().cloned().collect::<BTreeSet<_>>(),
        overwrite_manual: plugin.overwrite_manual,
        policy: policy(plugin),
        limits: Limits {
            fuel: plugin.fuel,
            deadline: plugin.deadline,
            memory_bytes: plugin.memory.0,
            output_bytes: plugin.output.0,
        },
        required: plugin.required,
        tables: plugin.tables.iter().map(|(name, file)| (name.clone(), file.into())).collect(),
        settings: Value::Object(plugin.settings.clone()),
        tests: plugin.tests.clone(),
    }
}

fn hooks(named: &[PluginHook]) -> Hooks {
    let has = |hook| named.contains(&hook);
    Hooks {
        gate: has(PluginHook::Gate),
        map: has(PluginHook::Map),
        validate: has(PluginHook::Validate),
        claims: has(PluginHook::Claims),
        react: has(PluginHook::Event),
    }
}

fn policy(plugin: &config::Plugin) -> OnFailure {
    let usual = OnFailure::default();
    let of = |hook, usual| plugin.on_failure.get(&hook).map_or(usual, |then| then_of(*then));
    OnFailure {
        map: of(PluginHook::Map, usual.map),
        validate: of(PluginHook::Validate, usual.validate),
        gate: of(PluginHook::Gate, usual.gate),
        claims: of(PluginHook::Claims, usual.claims),
        react: of(PluginHook::Event, usual.react),
    }
}

const fn then_of(then: PluginFailure) -> Then {
    match then {
        PluginFailure::Park => Then::Park,
        PluginFailure::Reject => Then::Reject,
        PluginFailure::Skip => Then::Skip,
        PluginFailure::Deny => Then::Deny,
        PluginFailure::Omit => Then::Omit,
        PluginFailure::Retry => Then::Retry,
    }
}
