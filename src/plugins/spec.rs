//! A plugin as its operator wants it: plain data, made of the configuration.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::limits::Limits;
use super::signature::SigningKey;
use crate::roster::LOCAL_NAME;
use crate::roster::hooks::{Hooks, OnFailure};

/// Where plugins lie, and how they are treated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The only folder that components are loaded from.
    pub folder: PathBuf,
    /// Calls at a time.
    pub slots: u32,
    /// Whether one without a digest is loaded: for development.
    pub allow_unpinned: bool,
    /// One of these must have signed each component; none is asked for a signature where there are none.
    pub signing_keys: Vec<SigningKey>,
}

/// A plugin as its operator wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// Its file, seen from the folder.
    pub path: PathBuf,
    /// The digest of the file, in hexadecimal.
    pub sha256: Option<String>,
    /// Whose requests it is asked about; everybody's when empty.
    pub sources: Vec<Source>,
    /// At which hooks it is asked; at all that it has where `None`.
    pub hooks: Option<Hooks>,
    /// What it may see, as written.
    pub reads: Vec<String>,
    /// What it may propose, as written.
    pub writes: Vec<String>,
    /// Plugins whose single values it may set anew.
    pub overrides: BTreeSet<String>,
    /// Whether it may propose what an administrator has decided otherwise.
    pub overwrite_manual: bool,
    /// What follows from its failures.
    pub policy: OnFailure,
    /// What it may use.
    pub limits: Limits,
    /// Whether the daemon does without it if it cannot be loaded.
    pub required: bool,
    /// Its tables by name, seen from the folder.
    pub tables: Vec<(String, PathBuf)>,
    /// Its settings.
    pub settings: Value,
    /// Its vectors, seen from the folder.
    pub tests: Vec<PathBuf>,
}

/// Whose requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The tenant's name; any where `None`.
    pub tenant: Option<String>,
    /// The connection's name.
    pub connection: String,
}

impl Source {
    /// Reads `connection` or `tenant/connection`.
    pub fn parse(text: &str) -> Self {
        match text.split_once('/') {
            Some((tenant, connection)) => {
                Self { tenant: Some(tenant.to_owned()), connection: connection.to_owned() }
            }
            None => Self { tenant: None, connection: text.to_owned() },
        }
    }

    /// Tells whether it stands for a connection.
    pub fn is(&self, tenant: &str, connection: &str) -> bool {
        self.connection == connection && self.tenant.as_deref().is_none_or(|named| named == tenant)
    }

    /// Tells whether some connection is meant by both.
    fn meets(&self, other: &Self) -> bool {
        self.connection == other.connection
            && (self.tenant.is_none() || other.tenant.is_none() || self.tenant == other.tenant)
    }
}

/// Tells whether a plugin is asked about requests of a connection: about those of every identity provider where no source is named, and about an
/// administrator's own only where `local` is.
pub fn serves(sources: &[Source], tenant: &str, connection: &str) -> bool {
    (sources.is_empty() && connection != LOCAL_NAME)
        || sources.iter().any(|source| source.is(tenant, connection))
}

/// Tells whether two plugins are asked about the same requests.
pub fn overlap(one: &[Source], other: &[Source]) -> bool {
    one.is_empty() || other.is_empty() || one.iter().any(|one| other.iter().any(|other| one.meets(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(texts: &[&str]) -> Vec<Source> {
        texts.iter().map(|text| Source::parse(text)).collect()
    }

    #[test]
    fn x57_a_plugin_serves_the_connections_that_are_named_and_no_other_tenants() {
        assert!(serves(&sources(&[]), "main", "okta") && !serves(&sources(&[]), "main", LOCAL_NAME));
        assert!(serves(&sources(&["local"]), "main", LOCAL_NAME));
        let named = sources(&["main/okta", "entra"]);
        assert!(serves(&named, "main", "okta") && serves(&named, "other", "entra"));
        assert!(!serves(&named, "other", "okta") && !serves(&named, "main", "local"));
    }

    #[test]
    fn plugins_meet_where_some_connection_has_both() {
        assert!(overlap(&sources(&["okta"]), &sources(&["main/okta"])));
        assert!(overlap(&sources(&[]), &sources(&["x"])));
        assert!(!overlap(&sources(&["a/okta"]), &sources(&["b/okta"])));
        assert!(!overlap(&sources(&["okta"]), &sources(&["entra"])));
    }
}
