//! What the columns of a file are: a file of TOML with `[columns]`, `[constants]`, `[defaults]` and `ignore`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use toml_edit::{DocumentMut, Item};

/// Largest file.
const BYTES_MAX: u64 = 64 << 10;

/// What the columns of a file are.
#[derive(Debug, Default)]
pub struct Mapping {
    /// Column in the file, and what it is.
    columns: Vec<(String, String)>,
    /// What every row says, whatever stands in it.
    constants: Vec<(String, String)>,
    /// What a row says that says nothing else.
    defaults: Vec<(String, String)>,
    /// Columns that mean nothing.
    ignore: Vec<String>,
    /// What a cell holds by which the row says that there is to be nothing.
    clear: Option<String>,
}

impl Mapping {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let mut text = String::new();
        let file = File::open(path).with_context(|| format!("{shown}: expected a mapping in TOML"))?;
        file.take(BYTES_MAX + 1).read_to_string(&mut text).with_context(|| shown.to_string())?;
        if text.len() as u64 > BYTES_MAX {
            bail!("{shown}: expected at most {BYTES_MAX} bytes, found more");
        }
        let document: DocumentMut = text.parse().with_context(|| shown.to_string())?;
        let mut mapping = Self::default();
        for (name, item) in document.iter() {
            match name {
                "columns" => mapping.columns = pairs(item, name).with_context(|| shown.to_string())?,
                "constants" => mapping.constants = pairs(item, name).with_context(|| shown.to_string())?,
                "defaults" => mapping.defaults = pairs(item, name).with_context(|| shown.to_string())?,
                "ignore" => {
                    let all =
                        item.as_array().map(|all| all.iter().map(|one| one.as_str().map(str::to_owned)));
                    let all = all.and_then(Iterator::collect::<Option<Vec<_>>>);
                    mapping.ignore = all.with_context(|| {
                        format!("{shown}: ignore: expected a list of columns, as in ignore = [\"Notes\"]")
                    })?;
                }
                "clear" => {
                    let marker = item.as_str().map(str::trim).filter(|marker| !marker.is_empty());
                    mapping.clear = Some(
                        marker
                            .with_context(|| {
                                format!(
                                    "{shown}: clear: expected a text that is no value, as in clear = \"-\""
                                )
                            })?
                            .to_owned(),
                    );
                }
                other => {
                    bail!("{shown}: expected columns, constants, defaults, ignore or clear, found {other:?}")
                }
            }
        }
        Ok(mapping)
    }

    /// What a column is; `None` for one that means nothing.
    fn meaning(&self, column: &str) -> Option<String> {
        let column = column.trim();
        let same = |name: &str| name.trim().eq_ignore_ascii_case(column);
        if self.ignore.iter().any(|name| same(name)) {
            return None;
        }
        let mapped = self.columns.iter().find(|(name, _)| same(name));
        Some(mapped.map_or_else(|| column.to_owned(), |(_, meaning)| meaning.clone()))
    }

    /// What the columns of a header are, with those that the mapping adds. One thing cannot be said by two columns.
    pub fn columns(&self, header: &[String]) -> Result<Vec<String>> {
        let mut all: Vec<String> = Vec::new();
        for meaning in header.iter().filter_map(|column| self.meaning(column)) {
            if all.iter().any(|known| known.eq_ignore_ascii_case(&meaning)) {
                bail!(
                    "expected each column once, found two that are {meaning:?}; ignore one of them in the mapping"
                );
            }
            all.push(meaning);
        }
        let added = self.constants.iter().chain(&self.defaults).map(|(name, _)| name.clone());
        all.extend(added.collect::<Vec<_>>());
        Ok(all)
    }

    /// Names the cells of a row, adds what the row does not say, and tells apart the columns of which it says that there is to be nothing.
    pub fn apply(&self, cells: Vec<(String, String)>) -> (Vec<(String, String)>, Vec<String>) {
        let (clears, cells): (Vec<_>, Vec<_>) = self
            .filled(cells)
            .into_iter()
            .partition(|(_, text)| self.clear.as_deref().is_some_and(|marker| text.trim() == marker));
        (cells, clears.into_iter().map(|(column, _)| column).collect())
    }

    fn filled(&self, cells: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut out: Vec<(String, String)> = cells
            .into_iter()
            .filter(|(_, text)| !text.trim().is_empty())
            .filter_map(|(column, text)| Some((self.meaning(&column)?, text)))
            .collect();
        if out.is_empty() {
            return out;
        }
        for (name, text) in &self.constants {
            out.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            out.push((name.clone(), text.clone()));
        }
        for (name, text) in &self.defaults {
            if !out.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                out.push((name.clone(), text.clone()));
            }
        }
        out
    }
}

fn pairs(item: &Item, table: &str) -> Result<Vec<(String, String)>> {
    let Some(found) = item.as_table_like() else {
        bail!("{table}: expected a table, as in [{table}]");
    };
    let mut all = Vec::new();
    for (name, value) in found.iter() {
        let text = match value.as_value() {
            Some(toml_edit::Value::String(text)) => text.value().clone(),
            Some(toml_edit::Value::Integer(number)) => number.value().to_string(),
            Some(toml_edit::Value::Boolean(truth)) => truth.value().to_string(),
            Some(toml_edit::Value::Datetime(day)) => day.value().to_string(),
            _ => bail!("{table}.{name:?}: expected a text"),
        };
        all.push((name.to_owned(), text));
    }
    Ok(all)
}
