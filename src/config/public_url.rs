//! The URL under which clients reach the server: scheme, host and port, nothing else.
//!
//! Made from the configuration only (row X37), never from a request. Knows nothing of paths: `http` appends them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::text::{Text, quoted};

/// Scheme, host and port, without a slash at the end: `https://scim.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Makes the URL of a listener without a public name.
    pub fn of_listener(tls: bool, bound: SocketAddr) -> Self {
        Self(format!("{}://{bound}", if tls { "https" } else { "http" }))
    }

    /// Reads a URL. Plain HTTP is for loopback only; a path, a query or credentials are refused.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = |found: &str| format!("expected a URL such as https://scim.example.com, found {found}");
        // Credentials are looked for first, so that no other message repeats them.
        if text.contains('@') {
            return Err(wanted("one with an \"@\": names and passwords have no place in it"));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wanted(&quoted(text)))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(wanted(
                "one with a path or a query: leave them out, they are the server's to choose",
            ));
        }
        let (host, port) = split_port(rest);
        let port_is_sound = port.is_none_or(|port| matches!(port.parse::<u16>(), Ok(1..)));
        if !is_host(host) || !port_is_sound {
            return Err(wanted(&quoted(text)));
        }
        match scheme {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => {
                return Err(format!(
                    "expected https (plain http is for loopback only), found {}",
                    quoted(text)
                ));
            }
            _ => return Err(wanted(&quoted(text))),
        }
        Ok(Self(format!("{scheme}://{}", rest.to_ascii_lowercase())))
    }

    /// Returns the text, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the host alone.
    pub fn host(&self) -> &str {
        let authority = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        split_port(authority).0
    }

    /// Tells whether clients come by TLS.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Text for PublicUrl {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// Splits at the colon before the port; the colons of an IPv6 host stand in brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn in_brackets(host: &str) -> Option<&str> {
    host.strip_prefix('[')?.strip_suffix(']')
}

fn is_host(host: &str) -> bool {
    if let Some(inside) = in_brackets(host) {
        return inside.parse::<Ipv6Addr>().is_ok();
    }
    let sound = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.len() <= 253 && host.split('.').all(sound)
}

fn is_loopback(host: &str) -> bool {
    let bare = in_brackets(host).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_a_scheme_a_host_and_a_port() {
        for (given, kept) in [
            ("https://scim.example.com", "https://scim.example.com"),
            ("https://SCIM.example.com:8443/", "https://scim.example.com:8443"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://127.0.0.2:8080", "http://127.0.0.2:8080"),
            ("http://[::1]", "http://[::1]"),
        ] {
            assert_eq!(PublicUrl::parse(given).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn x65_plain_http_is_for_loopback_only() {
        for text in ["http://scim.example.com", "http://10.0.0.1:8080", "http://localhost.example.com"] {
            assert!(PublicUrl::parse(text).unwrap_err().contains("expected https"), "{text}");
        }
    }

    #[test]
    fn what_is_more_than_a_host_is_refused() {
        for text in [
            "",
            "scim.example.com",
            "ftp://scim.example.com",
            "https://",
            "https:///",
            "https://scim.example.com/scim/v2",
            "https://scim.example.com?x",
            "https://scim.example.com:0",
            "https://scim.example.com:65536",
            "https://scim.example.com:",
            "https://scim..example.com",
            "https://-x.example.com",
            "https://scim example.com",
            "https://[::1",
            "https://a_b.example.com",
        ] {
            assert!(PublicUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn x61_credentials_in_a_url_are_not_repeated() {
        let message = PublicUrl::parse("https://admin:hunter2@scim.example.com").unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
    }
}
