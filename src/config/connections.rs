//! Connections that the settings name: rows of `people.authority` and of `groups.map`, `sources` of plugins, and those of identity providers.
//!
//! Connections are made while the daemon runs, so a name of none is no mistake of the settings; it is nearly always a misspelt one, and then a row does
//! nothing without a word. Which connections there are is in the store: whoever can ask it holds the names against them here, and warns.

use std::collections::BTreeSet;
use std::fmt;

use super::{Config, Groups, People};

/// Most names that a warning lists.
const SHOWN_MAX: usize = 20;

/// A connection that there is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// Its tenant's name.
    pub tenant: String,
    /// Its name.
    pub connection: String,
}

/// A name in the settings that no connection has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Where it stands.
    pub key: String,
    /// Whose connection it would be; anybody's where `None`.
    pub tenant: Option<String>,
    /// The name.
    pub connection: String,
    /// The connections that it might have been, for people.
    pub known: String,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, connection, known, .. } = self;
        match &self.tenant {
            Some(tenant) => write!(f, "{key}: the tenant {tenant} has no connection {connection:?}")?,
            None => write!(f, "{key}: no tenant has a connection {connection:?}")?,
        }
        write!(f, ", so nothing follows from it; there are: {known}")
    }
}

/// Finds the names that no connection has. What stands below a tenant that there is not is left out: it is the tenant that is lacking.
pub fn unknown(config: &Config, known: &BTreeSet<Known>) -> Vec<Unknown> {
    let mut found = Search { known, found: Vec::new() };
    found.topics("", None, &config.people, &config.groups, None);
    for (name, tenant) in &config.tenants {
        if known.iter().any(|one| one.tenant == *name) {
            let above = format!("tenants.{name}.");
            found.topics(&above, Some(name), &tenant.people, &tenant.groups, Some(config));
        }
    }
    for plugin in &config.plugins {
        for source in &plugin.sources {
            let (tenant, connection) = source
                .split_once('/')
                .map_or((None, source.as_str()), |(tenant, connection)| (Some(tenant), connection));
            found.look(format!("plugins.{}.sources", plugin.name), tenant, connection);
        }
    }
    for provider in &config.identity_providers {
        if let Some(connection) = &provider.connection {
            let key = format!("identity_providers.{}.connection", provider.name);
            found.look(key, Some(&provider.tenant), connection);
        }
    }
    found.found
}

struct Search<'k> {
    known: &'k BTreeSet<Known>,
    found: Vec<Unknown>,
}

impl Search<'_> {
    /// Looks at the rows of two topics, but for those that `inherited` has as well: they were looked at there.
    fn topics(
        &mut self,
        above: &str,
        tenant: Option<&str>,
        people: &People,
        groups: &Groups,
        inherited: Option<&Config>,
    ) {
        for row in &people.authority {
            if !inherited.is_some_and(|all| all.people.authority.contains(row)) {
                self.look(format!("{above}people.authority"), tenant, &row.connection);
            }
        }
        for row in &groups.map {
            if !inherited.is_some_and(|all| all.groups.map.contains(row)) {
                self.look(format!("{above}groups.map"), tenant, &row.connection);
            }
        }
    }

    fn look(&mut self, key: String, tenant: Option<&str>, connection: &str) {
        let of_tenant = |one: &&Known| tenant.is_none_or(|tenant| one.tenant == tenant);
        if self.known.iter().filter(of_tenant).any(|one| one.connection == connection) {
            return;
        }
        // Where the tenant is none either, what there is elsewhere tells more than nothing.
        let mut names: Vec<String> = self.known.iter().filter(of_tenant).map(shown).collect();
        if names.is_empty() {
            names = self.known.iter().map(shown).collect();
        }
        let more = names.len().saturating_sub(SHOWN_MAX);
        names.truncate(SHOWN_MAX);
        let shown = names.join(", ");
        let known = if more > 0 { format!("{shown} and {more} more") } else { shown };
        let unknown =
            Unknown { key, tenant: tenant.map(str::to_owned), connection: connection.to_owned(), known };
        if !self.found.contains(&unknown) {
            self.found.push(unknown);
        }
    }
}

fn shown(known: &Known) -> String {
    format!("{}/{}", known.tenant, known.connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Sources};

    fn config(toml: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rosterd.toml");
        std::fs::write(&file, toml).unwrap();
        Config::load(&Sources::new(Environment::default()).file(file)).unwrap()
    }

    fn known(names: &[&str]) -> BTreeSet<Known> {
        let known = names.iter().map(|name| {
            let (tenant, connection) = name.split_once('/').unwrap();
            Known { tenant: tenant.to_owned(), connection: connection.to_owned() }
        });
        known.collect()
    }

    fn said(toml: &str, names: &[&str]) -> Vec<String> {
        unknown(&config(toml), &known(names)).iter().map(ToString::to_string).collect()
    }

    const PLUGIN: &str = "[[plugins]]\nname = \"rates\"\npath = \"rates.wasm\"\nsha256 = \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"\n";

    #[test]
    fn a_row_of_a_connection_that_there_is_not_is_found_with_those_that_there_are() {
        let toml = format!(
            "[[people.authority]]\nconnection = \"okta-prd\"\nwrites = [\"identity\"]\n\
             [[people.authority]]\nconnection = \"okta\"\nwrites = [\"identity\"]\n\
             [[groups.map]]\nconnection = \"entar\"\ndisplay_name = \"Leads\"\nuser_types = [\"Lead\"]\n\
             {PLUGIN}sources = [\"okta\", \"main/entra\", \"acme/okta\", \"local\"]\n"
        );
        let there = ["acme/entra", "acme/local", "main/local", "main/okta"];
        assert_eq!(
            said(&toml, &there),
            [
                "people.authority: no tenant has a connection \"okta-prd\", so nothing follows from it; there are: \
                 acme/entra, acme/local, main/local, main/okta",
                "groups.map: no tenant has a connection \"entar\", so nothing follows from it; there are: \
                 acme/entra, acme/local, main/local, main/okta",
                "plugins.rates.sources: the tenant main has no connection \"entra\", so nothing follows from it; there are: \
                 main/local, main/okta",
                "plugins.rates.sources: the tenant acme has no connection \"okta\", so nothing follows from it; there are: \
                 acme/entra, acme/local",
            ]
        );
    }

    #[test]
    fn a_tenants_own_rows_are_held_against_its_own_connections() {
        let toml = "[[people.authority]]\nconnection = \"okta\"\nwrites = [\"identity\"]\n\
                    [[tenants.acme.people.authority]]\nconnection = \"entra\"\nwrites = [\"identity\"]\n\
                    [[tenants.later.people.authority]]\nconnection = \"google\"\nwrites = [\"identity\"]\n\
                    [tenants.other.people]\nrehire = \"new\"\n";
        assert_eq!(
            said(toml, &["acme/okta", "other/entra"]),
            [
                "tenants.acme.people.authority: the tenant acme has no connection \"entra\", so nothing follows from it; there are: acme/okta"
            ]
        );
    }

    #[test]
    fn a_warning_lists_no_more_names_than_one_can_read() {
        let names: Vec<String> = (0..25).map(|number| format!("main/c{number:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let said = said(&format!("{PLUGIN}sources = [\"okta\"]\n"), &names);
        assert!(said[0].ends_with("main/c19 and 5 more"), "{said:?}");
    }
}
