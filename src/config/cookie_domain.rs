//! The domain whose hosts share the cookie of a session.
//!
//! Knows nothing of lists of public suffixes: whoever shares a cookie with a whole top-level domain has a browser refuse it.

use std::fmt;

use super::PublicUrl;
use super::text::{Text, quoted};

/// A domain such as `example.com`: two labels at least, in small letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieDomain(String);

impl CookieDomain {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether the host of a URL is the domain or one below it.
    pub fn covers(&self, url: &PublicUrl) -> bool {
        let host = url.host();
        host == self.0 || host.strip_suffix(self.0.as_str()).is_some_and(|above| above.ends_with('.'))
    }
}

impl fmt::Display for CookieDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Text for CookieDomain {
    fn parse(text: &str) -> Result<Self, String> {
        let sound = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let labels = text.split('.').count();
        let is_address = text.parse::<std::net::IpAddr>().is_ok();
        if labels < 2 || text.len() > 253 || is_address || !text.split('.').all(sound) {
            return Err(format!("expected a domain such as example.com, found {}", quoted(text)));
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_shared_by_the_hosts_of_one_domain() {
        let domain = CookieDomain::parse("acme.example").unwrap();
        for (url, covered) in [
            ("https://acme.example", true),
            ("https://id.acme.example:8443", true),
            ("https://notacme.example", false),
            ("https://acme.example.org", false),
            ("https://example", false),
        ] {
            assert_eq!(domain.covers(&PublicUrl::parse(url).unwrap()), covered, "{url}");
        }
        for wrong in
            ["example", ".example.com", "example.com.", "*.example.com", "10.0.0.1", "EXAMPLE.com", ""]
        {
            assert!(CookieDomain::parse(wrong).is_err(), "{wrong}");
        }
    }
}
