//! The path below which SCIM is served (S6): what stands between host and `/Users` in every location.
//!
//! Plain segments, so that it has one spelling (X40), no underscore, because Okta refuses one in a base URL, and none of the
//! paths that the server needs for something else.

use std::fmt;

use super::text::{Text, quoted};

/// Most characters: it stands in every location.
const BASE_PATH_CHARACTERS_MAX: usize = 128;
/// First segments that other routes of this server begin with.
const TAKEN_SEGMENTS: [&str; 18] = [
    "livez",
    "readyz",
    "metrics",
    "admin",
    "v1",
    "oauth2",
    "access",
    ".well-known",
    "assets",
    "auth",
    "invite",
    "login",
    "logout",
    "magic-link",
    "me",
    "password",
    "session",
    "sso",
];
/// Where clients of SCIM 1.1 knock; they are told which version is spoken (S191).
const TAKEN_PATH: &str = "/scim/v1";

/// A path such as `/scim/v2`: begins with a slash, ends without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasePath(String);

impl BasePath {
    /// Reads a path, or says what was expected and found.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = |what: &str| format!("expected a path such as /scim/v2, found {} {what}", quoted(text));
        let Some(rest) = text.strip_prefix('/') else {
            return Err(wanted("without a slash at its beginning"));
        };
        if text.len() > BASE_PATH_CHARACTERS_MAX {
            return Err(wanted(&format!("with more than {BASE_PATH_CHARACTERS_MAX} characters")));
        }
        if text.contains('_') {
            return Err(wanted("with an underscore, which Okta refuses in a base URL"));
        }
        if rest.split('/').any(str::is_empty) {
            return Err(wanted("with an empty segment; write no slash at the end, and none twice"));
        }
        if rest.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(wanted("with a segment that means another path"));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'~' | b'/');
        if !rest.bytes().all(plain) {
            return Err(wanted("with a character other than letters, digits, -, . and ~"));
        }
        let first = rest.split('/').next().unwrap_or_default();
        let below_taken =
            text.strip_prefix(TAKEN_PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if TAKEN_SEGMENTS.contains(&first) || below_taken {
            return Err(wanted("which other routes of the server need"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Text for BasePath {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_a_base_path_is_made_of_plain_segments() {
        for text in
            ["/scim/v2", "/scim", "/v2", "/directory/scim-2.0/v2", "/scim/v10", "/~acme", "/scim/v2/v1"]
        {
            assert_eq!(BasePath::parse(text).map(|path| path.to_string()), Ok(text.to_owned()));
        }
        let long = format!("/{}", "a".repeat(BASE_PATH_CHARACTERS_MAX));
        for text in [
            "",
            "/",
            "scim/v2",
            "/scim/v2/",
            "/scim//v2",
            "//scim",
            "/scim_v2",
            "/scim v2",
            "/scim/../v2",
            "/./scim",
            "/scim/%76",
            "/scim?x",
            "/scim#x",
            "/{id}",
            "/*",
            "/sc\u{e9}m",
            "/scim;x",
            "/scim\\v2",
            "/scim:v2",
            &long,
        ] {
            let said = BasePath::parse(text).unwrap_err();
            assert!(said.starts_with("expected a path such as /scim/v2, found "), "{text}: {said}");
        }
    }

    #[test]
    fn s6_s191_a_base_path_takes_nothing_from_other_routes() {
        for text in [
            "/livez",
            "/readyz/x",
            "/metrics",
            "/admin",
            "/admin/v1/operate",
            "/v1",
            "/v1/scim",
            "/scim/v1",
            "/scim/v1/x",
            "/login",
            "/me/scim",
            "/oauth2/v2",
        ] {
            assert!(BasePath::parse(text).unwrap_err().contains("other routes"), "{text}");
        }
    }
}
