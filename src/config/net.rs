//! `[net]`: the requests that the daemon itself makes, and where they may go (row X52).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::text::{Text, quoted};
use super::{Network, text};

/// Longest name of a host (RFC 1035 §2.3.4).
const HOST_CHARACTERS_MAX: usize = 253;

/// Outbound requests. The meaning of each key stands in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Net {
    /// Where requests may go beside the public internet.
    #[serde(with = "text::list")]
    pub allow: Vec<Permit>,
    /// PEM file with roots that are trusted beside the public ones.
    #[serde(with = "text::option")]
    pub ca_file: Option<PathBuf>,
    /// For a connection to stand.
    pub connect_timeout_ms: u64,
    /// For a request as a whole.
    pub total_timeout_ms: u64,
}

impl Net {
    /// Returns the time for a connection to stand.
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    /// Returns the time for a request as a whole.
    pub fn total_timeout(&self) -> Duration {
        Duration::from_millis(self.total_timeout_ms)
    }

    pub(super) fn check(&self, found: &mut Findings) {
        found.range("net.connect_timeout_ms", self.connect_timeout_ms, 100..=60_000);
        found.range("net.total_timeout_ms", self.total_timeout_ms, 100..=120_000);
    }
}

/// A place outside the public internet where requests may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permit {
    /// Every address of a network.
    Network(Network),
    /// One host and port, wherever inside the house the name leads.
    Host {
        /// The name in lower case, or an address.
        name: String,
        /// The port.
        port: u16,
    },
}

impl Permit {
    /// Reads `10.0.0.0/8`, `127.0.0.1` or `idp.corp.example:8443`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_address = text.contains('/') || text.parse::<IpAddr>().is_ok();
        if is_address {
            return Network::parse(text).map(Self::Network);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::Host { name: address.ip().to_string(), port: address.port() });
        }
        let refused = || {
            format!(
                "expected an address, a network or a host with its port, such as 10.0.0.0/8 or idp.corp.example:8443, found {}",
                quoted(text)
            )
        };
        let (name, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let port = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(refused)?;
        let sound = (1..=HOST_CHARACTERS_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if !sound {
            return Err(refused());
        }
        Ok(Self::Host { name: name.to_ascii_lowercase(), port })
    }
}

impl Text for Permit {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn show(&self) -> String {
        match self {
            Self::Network(network) => network.to_string(),
            Self::Host { name, port } if name.contains(':') => format!("[{name}]:{port}"),
            Self::Host { name, port } => format!("{name}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x52_a_permit_is_a_network_or_a_host_with_its_port() {
        for (text, shown) in [
            ("127.0.0.1", "127.0.0.1/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("IdP.corp.example:8443", "idp.corp.example:8443"),
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("[::1]:9000", "[::1]:9000"),
        ] {
            let permit = Permit::parse(text).unwrap();
            assert_eq!(permit.show(), shown);
            assert_eq!(Permit::parse(shown).unwrap(), permit);
        }
        for wrong in
            ["", "idp.corp.example", "idp:0", "idp:99999", "https://idp:1", "a b:1", "0.0.0.0/0", ":1", "*:1"]
        {
            assert!(Permit::parse(wrong).is_err(), "{wrong}");
        }
    }
}
