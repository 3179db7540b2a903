//! `[plugin_host]` and `[[plugins]]`: where plugins lie, which there are, and what each may see, propose and use (rows X54 to X57).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::findings::Findings;
use super::text;
use super::text::{ByteSize, quoted};

/// Most plugins of an installation.
pub const PLUGINS_MAX: usize = 32;
/// Longest name.
const NAME_CHARACTERS_MAX: usize = 63;
/// Most entries of a list of a plugin.
const LIST_MAX: usize = 256;
/// Most tables of a plugin.
const TABLES_MAX: usize = 32;
/// Instructions that a plugin may be given for a call.
const FUEL: std::ops::RangeInclusive<u64> = 10_000..=100_000_000_000;

/// How a public key of Ed25519 begins (RFC 8410 §4), before its 32 bytes.
const ED25519_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const KEY_EXAMPLE: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

/// Reads a public key of Ed25519: base64 of its `SubjectPublicKeyInfo`, as PEM has it between its lines. Nothing where it is another thing.
pub fn signing_key(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.strip_prefix(&ED25519_HEAD)?.try_into().ok()
}

/// What all plugins have in common. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginHost {
    /// The only folder that components are loaded from.
    #[serde(with = "text")]
    pub folder: PathBuf,
    /// Calls at a time.
    pub slots: u32,
    /// Whether plugins without a digest are loaded: for development.
    pub allow_unpinned: bool,
    /// Public keys, of which one must have signed each plugin.
    pub signing_keys: Vec<String>,
    /// Whether the folder is watched and what changes in it is loaded: for development.
    pub watch: bool,
}

impl PluginHost {
    pub(super) fn check(&self, found: &mut Findings) {
        found.range("plugin_host.slots", self.slots, 1..=256);
        for key in self.signing_keys.iter().filter(|key| signing_key(key).is_none()) {
            let what = format!(
                "expected the public keys of Ed25519 in base64, as PEM has them between its lines, such as {KEY_EXAMPLE}, found {}",
                quoted(key)
            );
            found.wrong("plugin_host.signing_keys", what, "openssl pkey -in KEY.pem -pubout prints it");
        }
    }
}

/// A plugin: which file, and what it is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// Its file in the folder.
    #[serde(with = "text")]
    pub path: PathBuf,
    /// The SHA-256 of the file; `""` for none.
    #[serde(default)]
    pub sha256: String,
    /// Connections about whose requests it is asked; those of every identity provider when empty.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Hooks at which it is asked; all that it has when empty.
    #[serde(default)]
    pub hooks: Vec<PluginHook>,
    /// Attributes that it may see.
    #[serde(default)]
    pub reads: Vec<String>,
    /// Attributes that it may propose to change.
    #[serde(default)]
    pub writes: Vec<String>,
    /// Plugins whose single values it may set anew.
    #[serde(default)]
    pub overrides: Vec<String>,
    /// Whether it may propose what an administrator has decided otherwise.
    #[serde(default)]
    pub overwrite_manual: bool,
    /// What follows from its failures, by hook.
    #[serde(default)]
    pub on_failure: BTreeMap<PluginHook, PluginFailure>,
    /// Its budget of instructions for a call.
    #[serde(default = "fuel")]
    pub fuel: u64,
    /// The clock behind the budget.
    #[serde(default = "deadline", with = "text")]
    pub deadline: Duration,
    /// Its memory.
    #[serde(default = "memory", with = "text")]
    pub memory: ByteSize,
    /// Its answer.
    #[serde(default = "output", with = "text")]
    pub output: ByteSize,
    /// Whether the daemon starts without it if it cannot be loaded.
    #[serde(default = "yes")]
    pub required: bool,
    /// Files of tables by name.
    #[serde(default)]
    pub tables: BTreeMap<String, String>,
    /// Its settings.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// Files and folders with vectors.
    #[serde(default, with = "text::list")]
    pub tests: Vec<PathBuf>,
}

/// Where a plugin is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "plugins/wit says it of each")]
pub enum PluginHook {
    Gate,
    Map,
    Validate,
    Claims,
    Event,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "config/default.toml says it of each")]
pub enum PluginFailure {
    Park,
    Reject,
    Skip,
    Deny,
    Omit,
    Retry,
}

impl PluginHook {
    /// What may follow where it fails.
    const fn failures(self) -> &'static [PluginFailure] {
        use PluginFailure::{Deny, Omit, Park, Reject, Retry, Skip};
        match self {
            Self::Gate => &[Deny, Reject, Skip],
            Self::Map => &[Park, Reject, Skip],
            Self::Validate => &[Reject, Skip],
            Self::Claims => &[Omit, Reject],
            Self::Event => &[Retry, Skip],
        }
    }
}

const fn fuel() -> u64 {
    50_000_000
}

const fn deadline() -> Duration {
    Duration::from_secs(1)
}

const fn memory() -> ByteSize {
    ByteSize(32 << 20)
}

const fn output() -> ByteSize {
    ByteSize(256 << 10)
}

const fn yes() -> bool {
    true
}

/// The reference of the keys: name, type, default, meaning.
const KEYS: [(&str, &str, &str, &str); 18] = [
    ("name", "text", "", "Its name: small letters, digits and hyphens. What it wrote is noted under it."),
    ("path", "text", "", "Its file, seen from `plugin_host.folder`; it must lie there."),
    (
        "sha256",
        "text",
        "\"\"",
        "The SHA-256 of the file in hexadecimal (`rosterd plugin check FILE` prints it). Required unless `plugin_host.allow_unpinned`.",
    ),
    (
        "sources",
        "list of texts",
        "[]",
        "About whose requests it is asked: `connection` or `tenant/connection`. Every provider's when there is none, and never an administrator's (`local`) unless that is named.",
    ),
    (
        "hooks",
        "list of texts",
        "[]",
        "At which hooks it is asked: gate, map, validate, claims, event. At all that it exports when there is none.",
    ),
    (
        "reads",
        "list of texts",
        "[]",
        "Attributes that it may see: names of the core, enterprise and PSA schemas, others with their URN, `groups`, `shadow`.",
    ),
    ("writes", "list of texts", "[]", "Attributes that it may propose to change."),
    (
        "overrides",
        "list of texts",
        "[]",
        "Plugins whose single values it may set anew. Without it two plugins that write one attribute are an error.",
    ),
    (
        "overwrite_manual",
        "true or false",
        "false",
        "Whether it may propose what an administrator has decided otherwise.",
    ),
    (
        "on_failure",
        "table",
        "{}",
        "What follows from its failures, by hook: map = park, reject or skip; validate = reject or skip; gate = deny, reject or skip; claims = omit or reject; event = retry or skip. The first is the default.",
    ),
    (
        "fuel",
        "whole number",
        "50000000",
        "Instructions for a call: the same question takes the same on any machine.",
    ),
    (
        "deadline",
        "text",
        "\"1s\"",
        "The clock behind the fuel, and how long a call waits for a slot: 10ms to 60s.",
    ),
    ("memory", "text", "\"32MiB\"", "All its memories together: 1MiB to 256MiB."),
    ("output", "text", "\"256KiB\"", "Its answer: 1KiB to 4MiB."),
    (
        "required",
        "true or false",
        "true",
        "If false the daemon starts without it when it cannot be loaded, and `on_failure` decides each time; then `hooks` must be given.",
    ),
    (
        "tables",
        "table",
        "{}",
        "Tables that it looks up in, by name: a .csv or .toml file, seen from the folder.",
    ),
    (
        "settings",
        "table",
        "{}",
        "Its own settings, checked against the schema that it brings. They are shown by `config show`, so no secrets.",
    ),
    (
        "tests",
        "list of texts",
        "[]",
        "Vectors that it must pass to be loaded: files or folders, seen from the folder.",
    ),
];

/// Writes the reference.
pub(super) fn write_reference(text: &mut String) {
    text.push_str(
        "\n## `[[plugins]]`\n\nPlugins, in the order in which they are asked: one table each, in a file only. A reload takes over all of it, and reads \
         every file again; on any mistake the old ones stay. See docs/plugins.\n\n| key | type | default | meaning |\n|---|---|---|---|\n",
    );
    for (key, of, default, meaning) in KEYS {
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `plugins.{key}` | {of} | {default} | {meaning} |");
    }
}

/// Looks at each plugin for itself.
pub(super) fn check(plugins: &[Plugin], found: &mut Findings) {
    if plugins.len() > PLUGINS_MAX {
        let what = format!("expected at most {PLUGINS_MAX} plugins, found {}", plugins.len());
        found.wrong("plugins", what, "let one do what several do");
    }
    let names: BTreeSet<&str> = plugins.iter().map(|plugin| plugin.name.as_str()).collect();
    let mut seen = BTreeSet::new();
    for (index, plugin) in plugins.iter().enumerate() {
        let key = |key: &str| format!("plugins.{index}.{key}");
        if !is_name(&plugin.name) {
            let what = format!(
                "expected 1 to {NAME_CHARACTERS_MAX} small letters, digits and hyphens, found {}",
                quoted(&plugin.name)
            );
            found.wrong(key("name"), what, "choose another name");
        }
        if !seen.insert(plugin.name.as_str()) {
            let what = format!("two plugins have the name {}", quoted(&plugin.name));
            found.wrong(key("name"), what, "choose another name");
        }
        plugin.check(&names, &key, found);
    }
}

/// Looks whether every plugin has a digest, unless the settings go without.
pub(super) fn check_together(plugins: &[Plugin], host: &PluginHost, found: &mut Findings) {
    for (index, plugin) in plugins.iter().enumerate() {
        if plugin.sha256.is_empty() && !host.allow_unpinned {
            found.wrong(
                format!("plugins.{index}.sha256"),
                "expected the SHA-256 of the plugin's file, found nothing",
                "rosterd plugin check FILE prints it; plugin_host.allow_unpinned = true goes without, for development",
            );
        }
    }
}

impl Plugin {
    fn check(&self, names: &BTreeSet<&str>, key: &dyn Fn(&str) -> String, found: &mut Findings) {
        if !stays_inside(&self.path) {
            let what = format!(
                "expected a file in plugin_host.folder such as cost-rate.wasm, found {}",
                quoted(&self.path.to_string_lossy())
            );
            found.wrong(key("path"), what, "put the file there, and name it without .. and leading /");
        }
        let is_digest = self.sha256.len() == 64 && self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !self.sha256.is_empty() && !is_digest {
            let what = format!("expected 64 hexadecimal digits, found {}", quoted(&self.sha256));
            found.wrong(key("sha256"), what, "rosterd plugin check FILE prints it");
        }
        for (list, entries) in [
            ("sources", &self.sources),
            ("reads", &self.reads),
            ("writes", &self.writes),
            ("overrides", &self.overrides),
        ] {
            if entries.len() > LIST_MAX || entries.iter().any(String::is_empty) {
                let what = format!("expected at most {LIST_MAX} entries, none of them empty");
                found.wrong(key(list), what, "leave out what is not needed");
            }
        }
        for source in self.sources.iter().filter(|source| !is_source(source)) {
            let what = format!("expected connection or tenant/connection, found {}", quoted(source));
            found.wrong(key("sources"), what, "rosterd connection list shows them");
        }
        for other in
            self.overrides.iter().filter(|other| !names.contains(other.as_str()) || **other == self.name)
        {
            let what = format!("expected the name of another plugin, found {}", quoted(other));
            found.wrong(key("overrides"), what, "name one of [[plugins]]");
        }
        for (hook, then) in &self.on_failure {
            if !hook.failures().contains(then) {
                let known: Vec<String> =
                    hook.failures().iter().map(|then| format!("{then:?}").to_lowercase()).collect();
                let what = format!(
                    "expected {} for {}, found {}",
                    known.join(", "),
                    format!("{hook:?}").to_lowercase(),
                    format!("{then:?}").to_lowercase()
                );
                found.wrong(key("on_failure"), what, "see rosterd config reference");
            }
        }
        if !self.required && self.hooks.is_empty() {
            let what = "expected the hooks of a plugin that need not be there, found none";
            found.wrong(
                key("hooks"),
                what,
                "name them, so that it is known what is decided by on_failure while it is not there",
            );
        }
        self.check_limits(key, found);
        if self.tables.len() > TABLES_MAX {
            let what = format!("expected at most {TABLES_MAX} tables, found {}", self.tables.len());
            found.wrong(key("tables"), what, "join some of them");
        }
    }

    fn check_limits(&self, key: &dyn Fn(&str) -> String, found: &mut Findings) {
        found.range(key("fuel"), self.fuel, FUEL);
        let deadline = Duration::from_millis(10)..=Duration::from_mins(1);
        if !deadline.contains(&self.deadline) {
            let what = format!("expected 10ms to 60s, found {:?}", self.deadline);
            found.wrong(key("deadline"), what, "a call of a plugin takes less than a millisecond as a rule");
        }
        for (name, size, least, most) in
            [("memory", self.memory, 1 << 20, 256 << 20), ("output", self.output, 1 << 10, 4 << 20)]
        {
            if !(least..=most).contains(&size.0) {
                let what = format!("expected {} to {}, found {size}", ByteSize(least), ByteSize(most));
                found.wrong(key(name), what, "plugins written in Rust need 2MiB, in Python 16MiB");
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_source(source: &str) -> bool {
    let mut parts = source.split('/');
    matches!((parts.next(), parts.next(), parts.next()), (Some(one), two, None) if !one.is_empty() && two != Some(""))
}

fn stays_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}
