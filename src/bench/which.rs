//! The daemons of a run are told apart by how many users they have, and by what they have beside them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::BenchError;
use super::hang::Silent;
use super::place::Place;
use super::postgres::{OWNER, Postgres};
use super::signin;
use crate::roster::hex;

/// Which daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Which {
    pub(super) users: usize,
    pub(super) kind: Kind,
}

/// What a daemon has beside its people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Nothing but the defaults.
    Plain,
    /// A plugin that is asked about everybody who is created or changed.
    Plugged,
    /// Identity providers that take connections and never answer.
    Hung,
}

/// Where the daemons keep their people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// In a file of the data folder.
    Redb,
    /// In a database of the run's own server.
    Postgres,
}

impl From<usize> for Which {
    fn from(users: usize) -> Self {
        Self { users, kind: Kind::Plain }
    }
}

impl Which {
    /// The daemon with so many users and a plugin.
    pub(super) const fn plugged(users: usize) -> Self {
        Self { users, kind: Kind::Plugged }
    }

    /// The daemon with so many users and providers that do not answer.
    pub(super) const fn hung(users: usize) -> Self {
        Self { users, kind: Kind::Hung }
    }

    /// What its folder is called, and its database.
    pub(super) fn name(self) -> String {
        let kind = match self.kind {
            Kind::Plain => "",
            Kind::Plugged => "_plugged",
            Kind::Hung => "_hung",
        };
        format!("users_{}{kind}", self.users)
    }

    /// What it has beside its people, for a line of the report.
    pub(super) const fn beside(self) -> &'static str {
        match self.kind {
            Kind::Plain => "",
            Kind::Plugged => "a plugin",
            Kind::Hung => "providers that hang",
        }
    }
}

/// The plugin that is asked, and what it is called.
const PLUGIN: &str = "cost-rate";
/// What stands in its table.
const RATES: &str = "level,amount,currency\nconsultant,62,\nsenior,95.50,\npartner,180,USD\n";
/// Identity providers that hang. Each is asked by one request at a time.
pub(super) const HUNG_PROVIDERS: usize = 8;
/// How long the daemon waits for one of them: longer than a turn, so that whoever tries to sign in waits all the while.
pub(super) const HUNG_FOR: Duration = Duration::from_mins(1);

/// How long a daemon with them waits for requests when it ends.
const DRAIN: Duration = Duration::from_millis(200);

/// Writes the settings of a daemon in which people are kept in a database of a server.
pub(super) fn on_database(server: &Postgres, database: &str) -> String {
    format!(
        "[store]\nengine = \"postgres\"\n[postgres]\nhosts = ['{}']\ndatabase = \"{database}\"\nuser = \"{OWNER}\"\ntls = \"none\"\n",
        server.folder().display()
    )
}

/// Writes the settings of a daemon with a plugin, and puts the plugin where it is loaded from.
pub(super) fn with_plugin(place: &Place, dist: &Path) -> Result<String, BenchError> {
    let file = dist.join(format!("{PLUGIN}.wasm"));
    let component = std::fs::read(&file).map_err(|why| {
        BenchError::Missing(format!(
            "the plugin {} cannot be read ({why}); name the folder of the plugins that are shipped (plugins/dist) by --plugins",
            file.display()
        ))
    })?;
    let folder = place.path("plugins");
    let kept = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join(format!("{PLUGIN}.wasm")), &component))
        .and_then(|()| std::fs::write(folder.join("rates.csv"), RATES));
    kept.map_err(BenchError::system("copy the plugin"))?;
    Ok(plugin_settings(&folder, &hex(&Sha256::digest(&component))))
}

fn plugin_settings(folder: &Path, sha256: &str) -> String {
    format!(
        r#"[plugin_host]
folder = '{}'
[[plugins]]
name = "{PLUGIN}"
path = "{PLUGIN}.wasm"
sha256 = "{sha256}"
reads = ["title", "costRates"]
writes = ["costRates"]
[plugins.tables]
rates = "rates.csv"
[plugins.settings]
currency = "EUR"
default_level = "consultant"
levels = [
  {{ title = "Senior*", level = "senior" }},
  {{ title = "*partner*", level = "partner" }},
]
"#,
        folder.display()
    )
}

/// Writes the settings of a daemon whose people sign in by providers that hang.
pub(super) fn with_silence(silent: &Silent) -> String {
    // Who waits for such a provider is not waited for at the end.
    let hurried = format!("[server]\ndrain_timeout_ms = {}", DRAIN.as_millis());
    let mut settings = signin::SETTINGS.replacen("[server]", &hurried, 1);
    // Writing to a string cannot fail.
    let _ = write!(
        settings,
        "\n[net]\nallow = [\"127.0.0.1\"]\nconnect_timeout_ms = {0}\ntotal_timeout_ms = {0}\n",
        HUNG_FOR.as_millis()
    );
    for n in 0..HUNG_PROVIDERS {
        let _ = write!(
            settings,
            "[[identity_providers]]\nname = \"{}\"\ntenant = \"main\"\nissuer = \"https://127.0.0.1:{}/{n}\"\nclient_id = \"bench\"\nclient_authentication = \"none\"\n",
            hung_provider(n),
            silent.port()
        );
    }
    settings
}

/// The name of a provider that hangs.
pub(super) fn hung_provider(n: usize) -> String {
    format!("hung{n}")
}

/// Where the plugins that are shipped lie, where nobody says otherwise.
pub fn shipped_plugins() -> PathBuf {
    PathBuf::from("plugins/dist")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_is_not_there_is_missing_and_one_is_told_how_to_name_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::make(folder.path()).unwrap();
        let why = with_plugin(&place, Path::new("/nowhere")).unwrap_err();
        assert!(matches!(why, BenchError::Missing(_)));
        assert!(why.to_string().contains("/nowhere/cost-rate.wasm") && why.to_string().contains("--plugins"));
    }

    #[test]
    fn no_two_daemons_have_the_same_name() {
        let names: std::collections::BTreeSet<String> =
            [1.into(), 2.into(), Which::plugged(1), Which::hung(1)].map(Which::name).into();
        assert_eq!(names.len(), 4);
    }
}
