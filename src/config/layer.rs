//! One source of settings, taken apart: which keys it sets, to what, and where each was written.
//!
//! Files, variables, flags and the defaults all become layers, so that everything after this knows one form. A layer is a
//! figment provider; merging and typing are figment's work. Knows nothing of which keys exist.

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};
use toml_edit::{Document, Item, TableLike};

use super::problem::{Place, Problem};

/// Topics that are lists of tables. Only a file can hold them.
pub(super) const LISTS: &[&str] = &["apps", "identity_providers", "webhooks", "plugins"];
/// Most bytes of a configuration file.
pub(super) const FILE_BYTES_MAX: usize = 1 << 20;

/// The topic below which each tenant has topics of its own.
pub(super) const TENANTS: &str = "tenants";

/// One setting of a source.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The key with its topic: `server.listen`.
    pub(super) path: String,
    /// Its value.
    pub(super) value: Value,
    /// Where it was written.
    pub(super) place: Place,
}

/// The settings of one source.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    pub(super) entries: Vec<Entry>,
}

impl Layer {
    /// Takes a TOML text apart. `place` makes a place of a line.
    pub(super) fn of_toml(text: &str, place: &dyn Fn(Option<usize>) -> Place) -> Result<Self, Problem> {
        let document = Document::parse(text).map_err(|error| {
            let line = error.span().map(|span| line_at(text, span.start));
            // The message names what was expected; the text itself, which may hold a secret, is not repeated.
            let what = error.message().lines().collect::<Vec<_>>().join(", ");
            Problem { place: place(line), key: None, what: format!("not TOML: {what}"), remedy: None }
        })?;
        let mut layer = Self::default();
        layer.add_table(document.as_table(), "", &|offset| place(offset.map(|offset| line_at(text, offset))));
        Ok(layer)
    }

    /// Adds a setting that was given as text (a variable, a flag), read as the type of the key's default.
    pub(super) fn add_text(&mut self, path: String, text: &str, default: Option<&Value>, place: Place) {
        let value = match default {
            Some(Value::Num(..)) => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
            Some(Value::Bool(..)) => text.parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
            Some(Value::Array(..)) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::from(items.collect::<Vec<_>>())
            }
            _ => Value::from(text),
        };
        self.entries.push(Entry { path, value, place });
    }

    /// Returns what the source says of one tenant, as if it said it of all.
    pub(super) fn of_tenant(&self, name: &str) -> Self {
        let entries = self.entries.iter().filter_map(|entry| {
            let path = tenant_key(&entry.path).filter(|(whose, _)| *whose == name)?.1;
            Some(Entry { path: path.to_owned(), ..entry.clone() })
        });
        Self { entries: entries.collect() }
    }

    /// Names the tenants of which the source says something.
    pub(super) fn tenants(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| tenant_key(&entry.path)).map(|(name, _)| name)
    }

    /// Finds a setting.
    pub(super) fn find(&self, path: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.path == path)
    }

    fn add_table(&mut self, table: &dyn TableLike, above: &str, place: &dyn Fn(Option<usize>) -> Place) {
        for (name, item) in table.iter() {
            let path = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
            let at = item_start(table, name, item);
            if above.is_empty() && LISTS.contains(&name) {
                self.add_list(name, item, place);
                continue;
            }
            match item.as_table_like() {
                // What lies deeper than keys do is one wrong value, not many.
                Some(inner) if !inner.is_empty() && depth(&path) <= levels(&path) => {
                    self.add_table(inner, &path, place);
                }
                _ => self.entries.push(Entry { path, value: value_of(item), place: place(at) }),
            }
        }
    }
}

impl Layer {
    /// Adds each table of a list (`[[webhooks]]`) under its place in it, counted from 0.
    fn add_list(&mut self, name: &str, item: &Item, place: &dyn Fn(Option<usize>) -> Place) {
        let span = |span: Option<std::ops::Range<usize>>| place(span.map(|span| span.start));
        let tables: Vec<(Value, Place)> = match (item.as_array_of_tables(), item.as_array()) {
            (Some(tables), _) => {
                let each =
                    tables.iter().map(|table| (value_of(&Item::Table(table.clone())), span(table.span())));
                each.collect()
            }
            (None, Some(items)) => items.iter().map(|item| (scalar_of(item), span(item.span()))).collect(),
            (None, None) => vec![(value_of(item), span(item.span()))],
        };
        for (index, (value, place)) in tables.into_iter().enumerate() {
            self.entries.push(Entry { path: format!("{name}.{index}"), value, place });
        }
    }
}

/// Returns how many levels of tables lie above a path's keys: the topic, and of a tenant its name and the topic below it.
pub(super) fn levels(path: &str) -> usize {
    let topic = path.split('.').next().unwrap_or(path);
    if topic == TENANTS { 3 } else { 1 }
}

/// Splits the key of a setting of one tenant into the tenant's name and the key that it replaces.
pub(super) fn tenant_key(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix(TENANTS)?.strip_prefix('.')?.split_once('.')
}

fn depth(path: &str) -> usize {
    path.split('.').count()
}

/// The settings without those of single tenants, for figment.
impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named("settings")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut topics = Dict::new();
        for entry in self.entries.iter().filter(|entry| levels(&entry.path) == 1) {
            let (topic, key) = entry.path.split_once('.').unwrap_or((entry.path.as_str(), ""));
            if LISTS.contains(&topic) {
                let slot = topics.entry(topic.to_owned()).or_insert_with(|| Value::from(Vec::<Value>::new()));
                if let Value::Array(_, items) = slot {
                    items.push(entry.value.clone());
                }
                continue;
            }
            let slot = topics.entry(topic.to_owned()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, keys) = slot {
                keys.insert(key.to_owned(), entry.value.clone());
            }
        }
        Ok(Map::from([(Profile::Default, topics)]))
    }
}

/// Returns the line of a byte, counted from 1.
fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count().saturating_add(1)
}

/// Returns where an entry begins: at its key, or at the value where the key has no place of its own.
fn item_start(table: &dyn TableLike, name: &str, item: &Item) -> Option<usize> {
    let span = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
    span.map(|span| span.start)
}

/// Turns a TOML item into a value of figment's.
fn value_of(item: &Item) -> Value {
    if let Some(table) = item.as_table_like() {
        let inner = table.iter().map(|(name, item)| (name.to_owned(), value_of(item)));
        return Value::from(inner.collect::<Dict>());
    }
    match item {
        Item::Value(value) => scalar_of(value),
        Item::ArrayOfTables(tables) => {
            let tables = tables.iter().map(|table| {
                let inner = table.iter().map(|(name, item)| (name.to_owned(), value_of(item)));
                Value::from(inner.collect::<Dict>())
            });
            Value::from(tables.collect::<Vec<_>>())
        }
        Item::None | Item::Table(_) => Value::from(Dict::new()),
    }
}

fn scalar_of(value: &toml_edit::Value) -> Value {
    use toml_edit::Value as Toml;
    match value {
        Toml::String(text) => Value::from(text.value().as_str()),
        Toml::Integer(number) => Value::from(*number.value()),
        Toml::Float(number) => Value::from(*number.value()),
        Toml::Boolean(truth) => Value::from(*truth.value()),
        Toml::Datetime(when) => Value::from(when.value().to_string()),
        Toml::Array(items) => Value::from(items.iter().map(scalar_of).collect::<Vec<_>>()),
        Toml::InlineTable(table) => {
            let inner = table.iter().map(|(name, value)| (name.to_owned(), scalar_of(value)));
            Value::from(inner.collect::<Dict>())
        }
    }
}
