//! `[postgres]`: the database that keeps the data where `store.engine` says so, and how it is reached.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::store::{Engine, Store};
use super::text::{self, quoted};

/// The port of a database that says none.
const PORT: u16 = 5432;
/// Most places that one database may have.
const HOSTS_MAX: usize = 16;
/// Longest name of a database or role (PostgreSQL cuts longer ones).
const NAME_BYTES_MAX: usize = 63;

/// The database. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// Where it may be.
    pub hosts: Vec<String>,
    /// Its name.
    pub database: String,
    /// As whom.
    pub user: String,
    /// The file with the password.
    #[serde(with = "text::option")]
    pub password_file: Option<PathBuf>,
    /// How connections are protected.
    pub tls: PostgresTls,
    /// The file with the roots that its certificate leads to.
    #[serde(with = "text::option")]
    pub ca_file: Option<PathBuf>,
    /// Most connections of readers.
    pub connections_max: usize,
    /// For one statement.
    pub statement_timeout_ms: u64,
}

/// How connections to the database are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PostgresTls {
    /// By TLS, and not at all without.
    Require,
    /// Not.
    None,
}

/// A place where the database may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresPlace {
    /// A host and its port.
    Host(String, u16),
    /// The folder of a socket, and the port that its name holds.
    Socket(String, u16),
}

impl PostgresPlace {
    /// Reads `host`, `host:port`, `[address]:port` or `/folder`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with('/') {
            return Some(Self::Socket(text.to_owned(), PORT));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Host(address.to_string(), PORT));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)?),
            None => (text, PORT),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        (!host.is_empty() && host.bytes().all(sound)).then(|| Self::Host(host.to_owned(), port))
    }

    /// Tells whether what is said there stays on this machine.
    pub fn is_on_this_machine(&self) -> bool {
        match self {
            Self::Socket(..) => true,
            Self::Host(host, _) => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl Postgres {
    /// Returns the places, in the order in which they are tried.
    pub fn places(&self) -> Vec<PostgresPlace> {
        self.hosts.iter().filter_map(|host| PostgresPlace::parse(host)).collect()
    }

    /// Returns the time for one statement.
    pub const fn statement_within(&self) -> Duration {
        Duration::from_millis(self.statement_timeout_ms)
    }

    pub(super) fn check(&self, found: &mut Findings) {
        found.range("postgres.connections_max", self.connections_max, 2..=1000);
        found.range("postgres.statement_timeout_ms", self.statement_timeout_ms, 500..=600_000);
        for host in &self.hosts {
            if PostgresPlace::parse(host).is_none() {
                let what = format!(
                    "expected a host such as db.example.com:5432 or the folder of a socket, found {}",
                    quoted(host)
                );
                found.wrong("postgres.hosts", what, "write it without a scheme, a name or a password");
            }
        }
        if self.hosts.len() > HOSTS_MAX {
            let what = format!("expected at most {HOSTS_MAX} places, found {}", self.hosts.len());
            found.wrong("postgres.hosts", what, "name the places of one database");
        }
        for (key, name) in [("postgres.database", &self.database), ("postgres.user", &self.user)] {
            if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
                let what = format!("expected a name of 1 to {NAME_BYTES_MAX} bytes, found {}", quoted(name));
                found.wrong(key, what, "give it the name that it has in the database");
            }
        }
    }

    pub(super) fn check_together(&self, store: &Store, found: &mut Findings) {
        if store.engine != Engine::Postgres {
            return;
        }
        let places = self.places();
        if places.is_empty() {
            found.wrong(
                "postgres.hosts",
                "not set, but store.engine is \"postgres\"",
                "name the host of the database, or the folder of its socket",
            );
        }
        let sockets = places.iter().filter(|place| matches!(place, PostgresPlace::Socket(..))).count();
        if sockets > 0 && sockets < places.len() {
            found.wrong("postgres.hosts", "hosts and sockets side by side", "name the one or the other");
        }
        if self.tls == PostgresTls::None && !places.iter().all(PostgresPlace::is_on_this_machine) {
            found.wrong(
                "postgres.tls",
                "expected \"require\" for a database on another machine, found \"none\"",
                "without TLS only loopback and sockets are spoken to; where a tunnel protects the way, let it end on loopback",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_a_port_or_a_socket() {
        let host = |host: &str, port| Some(PostgresPlace::Host(host.to_owned(), port));
        for (text, place) in [
            ("db.example.com", host("db.example.com", 5432)),
            ("db.example.com:6432", host("db.example.com", 6432)),
            ("::1", host("::1", 5432)),
            ("[::1]:6432", host("::1", 6432)),
            ("/run/postgresql", Some(PostgresPlace::Socket("/run/postgresql".to_owned(), 5432))),
            ("postgres://u:p@h/d", None),
            ("db:0", None),
            ("db:x", None),
            ("", None),
        ] {
            assert_eq!(PostgresPlace::parse(text), place, "{text}");
        }
        assert!(PostgresPlace::parse("127.0.0.1:1").unwrap().is_on_this_machine());
        assert!(!PostgresPlace::parse("10.0.0.1").unwrap().is_on_this_machine());
    }
}
