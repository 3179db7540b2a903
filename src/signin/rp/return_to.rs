//! Where a browser may be sent when signing in is done: one path of our own, or a URL that somebody has listed (X43). Pure.

use serde::{Deserialize, Serialize};

/// Longest path or URL.
pub const RETURN_TO_BYTES_MAX: usize = 2048;

/// A place to which a browser may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReturnTo(String);

/// Why a place was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReturnToError {
    /// It is longer than any path of ours.
    #[error("expected at most {RETURN_TO_BYTES_MAX} bytes")]
    TooLong,
    /// It holds what browsers read in their own ways.
    #[error("expected visible ASCII characters without backslashes")]
    Characters,
    /// It leads elsewhere, or could.
    #[error(
        "expected an absolute path that begins with one slash, or a URL that is listed letter for letter"
    )]
    Elsewhere,
}

impl ReturnTo {
    /// The front page.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Reads a path of our own, or a URL that is among the listed ones letter for letter: no prefix, no pattern.
    pub fn parse(text: &str, listed: &[String]) -> Result<Self, ReturnToError> {
        if text.len() > RETURN_TO_BYTES_MAX {
            return Err(ReturnToError::TooLong);
        }
        // Browsers drop tabs and line breaks, and read a backslash as a slash: `/\t/evil` is `//evil` to them.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains('\\') {
            return Err(ReturnToError::Characters);
        }
        let is_own = text.starts_with('/') && !text.starts_with("//");
        if is_own || listed.iter().any(|one| one == text) {
            return Ok(Self(text.to_owned()));
        }
        Err(ReturnToError::Elsewhere)
    }

    /// Reads a path of our own, or a URL on one of these sites: scheme, host and port letter for letter, and behind them a path as on our own.
    pub fn parse_below<'o>(
        text: &str,
        mut origins: impl Iterator<Item = &'o str>,
    ) -> Result<Self, ReturnToError> {
        let is_below = |origin: &str| {
            let rest = text.strip_prefix(origin);
            rest.is_some_and(|rest| rest.is_empty() || Self::parse(rest, &[]).is_ok())
        };
        if text.len() <= RETURN_TO_BYTES_MAX && origins.any(is_below) {
            return Ok(Self(text.to_owned()));
        }
        Self::parse(text, &[])
    }

    /// Returns the place as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ReturnTo {
    type Error = ReturnToError;

    /// Reads what was kept. A listed URL was looked up when it came in.
    fn try_from(text: String) -> Result<Self, ReturnToError> {
        let listed = [text];
        let [text] = &listed;
        Self::parse(text, &listed)
    }
}

impl From<ReturnTo> for String {
    fn from(place: ReturnTo) -> Self {
        place.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn x43_a_browser_is_sent_to_one_path_of_ours_or_to_a_listed_url_and_nowhere_else() {
        let listed = ["https://app.example/after".to_owned()];
        for good in [
            "/",
            "/people",
            "/people?sort=name#top",
            "/a//b",
            "/%2f%2fevil.example",
            "/.well-known/x",
            "https://app.example/after",
        ] {
            assert_eq!(ReturnTo::parse(good, &listed).unwrap().as_str(), good);
        }
        let long = format!("/{}", "a".repeat(RETURN_TO_BYTES_MAX));
        for (wrong, why) in [
            ("", ReturnToError::Elsewhere),
            ("people", ReturnToError::Elsewhere),
            ("//evil.example", ReturnToError::Elsewhere),
            ("///evil.example", ReturnToError::Elsewhere),
            ("https://evil.example", ReturnToError::Elsewhere),
            ("https:/evil.example", ReturnToError::Elsewhere),
            ("https://app.example/after/", ReturnToError::Elsewhere),
            ("https://app.example/after?x=1", ReturnToError::Elsewhere),
            ("https://app.example/", ReturnToError::Elsewhere),
            ("HTTPS://app.example/after", ReturnToError::Elsewhere),
            ("javascript:alert(1)", ReturnToError::Elsewhere),
            ("data:text/html,x", ReturnToError::Elsewhere),
            ("/\\evil.example", ReturnToError::Characters),
            ("\\\\evil.example", ReturnToError::Characters),
            ("/\t/evil.example", ReturnToError::Characters),
            ("/\n/evil.example", ReturnToError::Characters),
            ("/\r\nSet-Cookie: a=b", ReturnToError::Characters),
            ("/\0", ReturnToError::Characters),
            (" /people", ReturnToError::Characters),
            ("/people\u{7f}", ReturnToError::Characters),
            ("/pe\u{f6}ple", ReturnToError::Characters),
            ("/\u{2028}", ReturnToError::Characters),
            (&long, ReturnToError::TooLong),
        ] {
            assert_eq!(ReturnTo::parse(wrong, &listed).unwrap_err(), why, "{wrong:?}");
        }
    }

    #[test]
    fn x43_a_browser_is_sent_to_a_program_only_at_its_very_site() {
        let origins = ["https://app.example", "http://127.0.0.1:8080"];
        let read = |text: &str| ReturnTo::parse_below(text, origins.into_iter());
        for good in [
            "/me",
            "https://app.example",
            "https://app.example/",
            "https://app.example/a?b=c&d#e",
            "http://127.0.0.1:8080/x",
        ] {
            assert_eq!(read(good).unwrap().as_str(), good);
        }
        for wrong in [
            "https://app.example.evil.test/",
            "https://app.example@evil.test/",
            "https://app.example:8443/",
            "https://app.example:@evil.test/",
            "https://app.example//evil.test",
            "https://app.example\\evil.test",
            "https://app.example/\\evil.test",
            "https://app.example?x",
            "https://app.example#x",
            "http://app.example/",
            "HTTPS://app.example/",
            "http://127.0.0.1:80801/",
            "//app.example/",
            "https://app.example/\nx",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn x43_whatever_is_taken_stays_on_the_host_as_a_browser_reads_it(text in "[/\\\\\t\n]{0,3}[/\\\\:.@?#a-z\t\n ]{0,8}") {
            let Ok(place) = ReturnTo::parse(&text, &[]) else { return Ok(()) };
            let base: openidconnect::url::Url = "https://rosterd.example/callback".parse().unwrap();
            let there = base.join(place.as_str()).unwrap();
            prop_assert_eq!(there.origin(), base.origin());
        }
    }
}
