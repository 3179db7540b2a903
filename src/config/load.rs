//! From sources to a [`Config`]: lay them over each other, type them, check them, and name everything that is wrong.
//!
//! The order, lowest first: defaults, file, variables, flags. All problems are collected: a value of the wrong type is replaced by
//! its default, so that the values after it are looked at too. Rules between several keys are looked at only when
//! each key alone is right, so that one mistake is reported once.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::{Actual, Kind};

use super::findings::{Finding, Findings};
use super::layer::{FILE_BYTES_MAX, Layer, tenant_key};
use super::problem::{ConfigErrors, Place, Problem};
use super::text::quoted;
use super::{
    Config, Environment, apps, environment, identity_providers, known, permissions, plugins, tenants,
    webhooks,
};

/// Where settings are read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    file: Option<PathBuf>,
    environment: Environment,
    flags: Vec<Flag>,
}

/// A setting given by a flag of the command line.
#[derive(Debug, Clone)]
struct Flag {
    name: String,
    key: String,
    value: String,
}

impl Sources {
    /// The defaults, and what the variables say (`ROSTERD_CONFIG` among them, which names the file).
    pub fn new(environment: Environment) -> Self {
        let file = environment.get(environment::CONFIG_FILE).map(PathBuf::from);
        Self { file, environment, flags: Vec::new() }
    }

    /// Reads a file too, instead of the one that `ROSTERD_CONFIG` names.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Sets a key to what a flag of the command line says.
    #[must_use]
    pub fn flag(mut self, name: &str, key: &str, value: impl Into<String>) -> Self {
        self.flags.push(Flag { name: name.to_owned(), key: key.to_owned(), value: value.into() });
        self
    }
}

impl Config {
    /// Reads, types and checks all settings; or says everything that is wrong with them. Reads one file at most, and writes none.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        let mut problems = Vec::new();
        let layers = read_layers(sources, &mut problems)?;
        let mut config = type_values(&layers, &mut problems);
        if let Some(config) = config.as_mut() {
            config.tenants = tenants::type_values(&layers, &mut problems);
        }
        if let Some(config) = config.as_ref() {
            let mut found = Findings::default();
            config.check(&mut found);
            if problems.is_empty() && found.0.is_empty() {
                config.check_together(&mut found);
            }
            problems.extend(found.0.into_iter().map(|finding| placed(finding, &layers)));
        }
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigErrors::new(problems)),
        }
    }

    fn check(&self, found: &mut Findings) {
        self.server.check(found);
        self.admin.check(found);
        self.store.check(found);
        self.postgres.check(found);
        self.audit.check(found);
        self.tokens.check(found);
        self.sessions.check("", found);
        apps::check(&self.apps, found);
        identity_providers::check(&self.identity_providers, found);
        self.net.check(found);
        self.outbox.check(found);
        webhooks::check(&self.webhooks, found);
        self.plugin_host.check(found);
        plugins::check(&self.plugins, found);
        self.people.check("", found);
        self.sign_in.check("", found);
        self.mail.check(found);
        self.permissions.check("", found);
        self.groups.check("", &self.permissions, found);
        if !found.0.is_empty() {
            // What is wrong for everybody would be said of each tenant too.
            return;
        }
        for (name, tenant) in &self.tenants {
            tenant.check(name, found);
        }
    }

    pub(super) fn check_together(&self, found: &mut Findings) {
        self.tls.check_together(found);
        self.server.check_together(&self.tls, found);
        self.admin.check_together(&self.server, found);
        apps::check_together(self, found);
        self.mail.check_together(&self.net, found);
        self.postgres.check_together(&self.store, found);
        webhooks::check_together(&self.webhooks, &self.net, found);
        plugins::check_together(&self.plugins, &self.plugin_host, found);
    }
}

/// Reads every source, lowest first, leaving out what no setting is.
fn read_layers(sources: &Sources, problems: &mut Vec<Problem>) -> Result<Vec<Layer>, ConfigErrors> {
    let defaults = known::defaults().map_err(|problem| ConfigErrors::new(vec![problem]))?;
    let mut layers = vec![defaults.clone()];
    if let Some(path) = &sources.file {
        match read_file(path) {
            Ok(layer) => layers.push(layer),
            Err(problem) => problems.push(problem),
        }
    }
    let mut variables = Layer::default();
    for (name, value) in sources.environment.settings() {
        let path = key_of_variable(name);
        let default = defaults.find(known_key(&path)).map(|entry| &entry.value);
        variables.add_text(path, value, default, Place::Variable(name.to_owned()));
    }
    layers.push(variables);
    let mut flags = Layer::default();
    for Flag { name, key, value } in &sources.flags {
        let default = defaults.find(known_key(key)).map(|entry| &entry.value);
        flags.add_text(key.clone(), value, default, Place::Flag(name.clone()));
    }
    layers.push(flags);
    for layer in &mut layers {
        problems.extend(known::take_unknown(layer, &defaults));
    }
    Ok(layers)
}

/// Returns the key whose default a setting has: a tenant's is that of all.
fn known_key(path: &str) -> &str {
    tenant_key(path).map_or(path, |(_, key)| key)
}

/// Returns the key of a variable: `ROSTERD_SERVER__LISTEN` is `server.listen`. One that is not in capitals is no key.
fn key_of_variable(name: &str) -> String {
    let bare = name.strip_prefix(environment::PREFIX).unwrap_or(name);
    if bare.chars().any(|character| character.is_ascii_lowercase()) {
        return bare.to_owned();
    }
    bare.replace("__", ".").to_ascii_lowercase()
}

fn read_file(path: &Path) -> Result<Layer, Problem> {
    let name = path.display().to_string();
    let place = |line| Place::File { name: name.clone(), line };
    let refused = |what: String, remedy: &str| Problem {
        place: place(None),
        key: None,
        what,
        remedy: Some(remedy.to_owned()),
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(|error| {
        refused(
            format!("the configuration file cannot be read: {error}"),
            "see --config and ROSTERD_CONFIG, which name it",
        )
    })?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(refused(
            format!("the configuration file is longer than {FILE_BYTES_MAX} bytes"),
            "is it the right file?",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        refused(format!("not UTF-8 after byte {at}"), "save the file as UTF-8")
    })?;
    Layer::of_toml(&text, &place)
}

/// Gives every value its type. A value that has not got it is noted, and replaced by its default to get on.
fn type_values(layers: &[Layer], problems: &mut Vec<Problem>) -> Option<Config> {
    let beneath = permissions::beneath(layers.iter()).map_err(|problem| problems.push(problem)).ok()?;
    let mut above = layers.to_vec();
    loop {
        let error = match laid_over(&above, &beneath).extract::<Config>() {
            Ok(config) => return Some(config),
            Err(error) => error,
        };
        let key = key_of(&error);
        problems.push(Problem {
            place: place_of(&key, layers),
            key: Some(key.clone()),
            what: what_of(&error),
            remedy: None,
        });
        // A default that is wrong itself, or an error without a key: only a mistake in `default.toml` leads here.
        if !take_out(&mut above, &key) {
            return None;
        }
    }
}

/// Lays layers over each other, with what lies between the defaults and the others.
pub(super) fn laid_over(layers: &[Layer], beneath: &[Layer]) -> Figment {
    let (defaults, above) = layers.split_at(usize::from(!layers.is_empty()));
    defaults.iter().chain(beneath).chain(above).fold(Figment::new(), |under, layer| under.merge(layer))
}

/// Takes a key out of all layers but the defaults. Tells whether it was there.
pub(super) fn take_out(layers: &mut [Layer], key: &str) -> bool {
    let mut was_there = false;
    for layer in layers.iter_mut().skip(1) {
        let before = layer.entries.len();
        layer.entries.retain(|entry| entry.path != key);
        was_there |= layer.entries.len() < before;
    }
    was_there
}

/// Returns the setting in which an error lies.
pub(super) fn key_of(error: &figment::Error) -> String {
    error.path.iter().take(2).cloned().collect::<Vec<_>>().join(".")
}

/// Says what is wrong, with the place inside the setting where it has places.
pub(super) fn what_of(error: &figment::Error) -> String {
    let said = expected_and_found(&error.kind);
    let inside = error.path.iter().skip(2).cloned().collect::<Vec<_>>().join(".");
    if inside.is_empty() { said } else { format!("{}: {said}", known::shown(&inside)) }
}

/// Returns where a key's value was written: in the highest layer that has it.
pub(super) fn place_of(key: &str, layers: &[Layer]) -> Place {
    let whole = || layers.iter().rev().find_map(|layer| layer.find(key));
    // Of a table in a list only the table has a place.
    let part = || {
        let (table, _) = key.rsplit_once('.')?;
        layers.iter().rev().find_map(|layer| layer.find(table))
    };
    let entry = whole().or_else(part);
    entry.map_or(Place::Default, |entry| entry.place.clone())
}

fn placed(finding: Finding, layers: &[Layer]) -> Problem {
    Problem {
        place: place_of(&finding.key, layers),
        key: Some(finding.key.into_owned()),
        what: finding.what,
        remedy: finding.remedy,
    }
}

/// Says in our words what serde says in Rust's.
fn expected_and_found(kind: &Kind) -> String {
    match kind {
        Kind::Message(said) => said.clone(),
        Kind::InvalidType(found, wanted) | Kind::InvalidValue(found, wanted) => {
            format!("expected {}, found {}", in_words(wanted), found_in_words(found))
        }
        Kind::UnknownVariant(found, wanted) => {
            let wanted: Vec<String> = wanted.iter().map(|word| format!("{word:?}")).collect();
            format!("expected {}, found {}", wanted.join(" or "), quoted(found))
        }
        Kind::UnknownField(found, wanted) => {
            format!("unknown key {}, expected one of: {}", quoted(found), wanted.join(", "))
        }
        Kind::MissingField(name) => format!("expected the key {name}, which is not there"),
        other => other.to_string(),
    }
}

fn in_words(wanted: &str) -> &str {
    match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "a string" => "a text in quotes",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        other if other.starts_with("enum ") || other.starts_with("string or") => "a text in quotes",
        other => other,
    }
}

fn found_in_words(found: &Actual) -> String {
    match found {
        Actual::Str(text) => quoted(text),
        Actual::Bool(truth) => truth.to_string(),
        Actual::Unsigned(number) => number.to_string(),
        Actual::Signed(number) => number.to_string(),
        Actual::Float(number) => number.to_string(),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}
