//! `[mail]`: the mail server by which rosterd sends what it has to tell people (rows H06, T02, X52).

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::net::{Net, Permit};
use super::text::{self, quoted};

/// Longest name of a host (RFC 1035 §2.3.4).
const HOST_CHARACTERS_MAX: usize = 253;
/// Longest line that says who mails are from (RFC 5322 §2.1.1 advises 78).
const FROM_CHARACTERS_MAX: usize = 200;

/// The mail server. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Its name; empty where no mails are sent.
    pub host: String,
    /// Its port.
    pub port: u32,
    /// How the connection is protected.
    pub tls: MailTls,
    /// Who mails are from.
    pub from: String,
    /// The name by which the daemon signs in there; empty where it does not.
    pub username: String,
    /// The file with the password for it.
    #[serde(with = "text::option")]
    pub password_file: Option<PathBuf>,
    /// For a connection to stand.
    pub connect_timeout_ms: u64,
    /// For a mail to be handed over.
    pub total_timeout_ms: u64,
    /// Attempts at one mail.
    pub attempts_max: u32,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// From a command on (RFC 3207), or not at all: a server that does not offer it is sent nothing.
    Starttls,
    /// From the first byte on (RFC 8314).
    Tls,
    /// Not.
    None,
}

impl Mail {
    /// Tells whether there is a mail server.
    pub fn is_on(&self) -> bool {
        !self.host.is_empty()
    }

    /// Returns the time for a connection to stand.
    pub const fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    /// Returns the time for a mail to be handed over.
    pub const fn total_timeout(&self) -> Duration {
        Duration::from_millis(self.total_timeout_ms)
    }

    pub(super) fn check(&self, found: &mut Findings) {
        found.range("mail.port", self.port, 1..=u32::from(u16::MAX));
        found.range("mail.connect_timeout_ms", self.connect_timeout_ms, 100..=60_000);
        found.range("mail.total_timeout_ms", self.total_timeout_ms, 1000..=600_000);
        found.range("mail.attempts_max", self.attempts_max, 1..=100);
        if !self.is_on() {
            return;
        }
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if self.host.len() > HOST_CHARACTERS_MAX || !self.host.bytes().all(sound) {
            let what = format!("expected the name or the address of a host, found {}", quoted(&self.host));
            found.wrong("mail.host", what, "write it without a scheme and without a port");
        }
        let fits = self.from.len() <= FROM_CHARACTERS_MAX && !self.from.chars().any(char::is_control);
        if !fits || !self.from.contains('@') {
            let what =
                format!("expected an address such as roster@example.com, found {}", quoted(&self.from));
            found.wrong("mail.from", what, "name the address that people may answer to");
        }
        if self.username.is_empty() != self.password_file.is_none() {
            found.wrong(
                "mail.username",
                "a name without a password, or a password without a name",
                "set mail.username and mail.password_file, or neither",
            );
        }
    }

    /// Without TLS to places only that the operator has named.
    pub(super) fn check_together(&self, net: &Net, found: &mut Findings) {
        if !self.is_on() || self.tls != MailTls::None || self.is_named(net) {
            return;
        }
        found.wrong(
            "mail.tls",
            format!("expected \"starttls\" or \"tls\" for {}, found \"none\"", quoted(&self.host)),
            "without TLS only loopback and what net.allow names are spoken to",
        );
    }

    /// Tells whether the place is on loopback, or named by `net.allow`.
    fn is_named(&self, net: &Net) -> bool {
        let address = self.host.parse::<IpAddr>().ok();
        if self.host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        net.allow.iter().any(|permit| match permit {
            Permit::Network(network) => address.is_some_and(|address| network.contains(address)),
            Permit::Host { name, port } => {
                name.eq_ignore_ascii_case(&self.host) && u32::from(*port) == self.port
            }
        })
    }
}
