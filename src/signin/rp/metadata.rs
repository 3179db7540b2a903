//! What a provider says of itself (OpenID Connect Discovery §3, RFC 9207 §3, RFC 8414), and what of that is taken. Pure.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

use super::settings::{Provider, quoted};
use crate::net::HttpsUrl;

/// Largest document.
pub const METADATA_BYTES_MAX: usize = 256 * 1024;

/// Why metadata was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataFlaw {
    /// It is no metadata.
    #[error(
        "expected a JSON object with issuer, authorization_endpoint, token_endpoint and jwks_uri, found {0}"
    )]
    Shape(String),
    /// It is another issuer's.
    #[error("expected the issuer {expected}, found {found}")]
    Issuer {
        /// What the settings say.
        expected: String,
        /// What the document says.
        found: String,
    },
    /// An endpoint is no https URL.
    #[error("{name}: expected an https URL, found {found}: {why}")]
    Url {
        /// Which.
        name: &'static str,
        /// What it says.
        found: String,
        /// What is wrong with it.
        why: String,
    },
    /// An endpoint lies where none of this issuer's is expected.
    #[error("{name} lies on {host}, which is neither the issuer's host nor listed")]
    Host {
        /// Which.
        name: &'static str,
        /// Where it lies.
        host: String,
    },
    /// It says that it takes PKCE in the clear only.
    #[error("code_challenge_methods_supported: expected S256, found {0}")]
    Pkce(String),
    /// It has no end_session_endpoint.
    #[error("it has no end_session_endpoint")]
    NoEndSession,
    /// It has no userinfo_endpoint.
    #[error("it has no userinfo_endpoint")]
    NoUserinfo,
}

impl MetadataFlaw {
    /// Says what an administrator can do about it.
    pub const fn cure(&self) -> &'static str {
        match self {
            Self::Shape(_) => {
                "look whether `issuer` (or `discovery_url`) is the one of an OpenID Connect provider"
            }
            Self::Issuer { .. } => {
                "set `issuer` to what the document says, letter for letter, if that is the provider that you mean"
            }
            Self::Url { .. } => {
                "the provider must offer its endpoints by https, without credentials or fragments in the URL"
            }
            Self::Host { .. } => "if the provider's endpoints lie there, add the host to `endpoint_hosts`",
            Self::Pkce(_) => "have the provider take S256; without it a stolen code is as good as a sign-in",
            Self::NoEndSession => "people stay signed in at the provider; end sessions there, or do without",
            Self::NoUserinfo => "have the provider put the claims of `required_claims` into the ID token",
        }
    }
}

/// A document as the provider shows it. Members that are not needed are not read; those that are not there or have another shape count as not said.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Value,
    #[serde(default)]
    end_session_endpoint: Value,
    #[serde(default)]
    code_challenge_methods_supported: Value,
    #[serde(default)]
    authorization_response_iss_parameter_supported: Value,
}

/// What is taken of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Where browsers are sent.
    pub authorization: String,
    /// Where a code is given for tokens.
    pub token: HttpsUrl,
    /// Where the keys are.
    pub jwks: HttpsUrl,
    /// Where more claims are.
    pub userinfo: Option<HttpsUrl>,
    /// Where browsers are sent to sign out.
    pub end_session: Option<String>,
    /// Whether each answer names its issuer (RFC 9207).
    pub names_issuer: bool,
}

impl Metadata {
    /// Reads a document.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataFlaw> {
        serde_json::from_slice(bytes).map_err(|error| {
            let what = if error.is_data() { "another one" } else { "something else" };
            MetadataFlaw::Shape(format!("{what} (line {}, column {})", error.line(), error.column()))
        })
    }

    /// Takes what is sound of it for a provider, or says what is not.
    pub fn endpoints(&self, provider: &Provider) -> Result<Endpoints, MetadataFlaw> {
        if self.issuer != provider.issuer() {
            let (expected, found) = (quoted(provider.issuer()), quoted(&self.issuer));
            return Err(MetadataFlaw::Issuer { expected, found });
        }
        // A provider that says nothing of PKCE gets S256 all the same; one that lists methods must list it.
        let refuses_s256 = match &self.code_challenge_methods_supported {
            Value::Array(methods) => !methods.iter().any(|method| method == "S256"),
            Value::String(method) => method != "S256",
            _ => false,
        };
        if refuses_s256 {
            return Err(MetadataFlaw::Pkce(quoted(&self.code_challenge_methods_supported.to_string())));
        }
        let url = |name: &'static str, text: &str| {
            let url = HttpsUrl::parse(text).map_err(|why| MetadataFlaw::Url {
                name,
                found: quoted(text),
                why: why.to_string(),
            })?;
            if !provider.may_lie_on(url.host()) {
                return Err(MetadataFlaw::Host { name, host: quoted(url.host()) });
            }
            Ok(url)
        };
        // Nothing is fetched from there: a browser is sent. Without TLS only where the provider is on this very machine, as the demo's is.
        let page = |name: &'static str, text: &str| {
            let is_here = |host: &str| host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
            match text.strip_prefix("http://") {
                Some(rest) => {
                    let there = url(name, &format!("https://{rest}"))?;
                    if is_here(there.host()) {
                        Ok(text.to_owned())
                    } else {
                        url(name, text).map(|url| url.to_string())
                    }
                }
                None => url(name, text).map(|url| url.to_string()),
            }
        };
        let optional = |name, value: &Value| value.as_str().map(|text| url(name, text)).transpose();
        Ok(Endpoints {
            authorization: page("authorization_endpoint", &self.authorization_endpoint)?,
            token: url("token_endpoint", &self.token_endpoint)?,
            jwks: url("jwks_uri", &self.jwks_uri)?,
            userinfo: optional("userinfo_endpoint", &self.userinfo_endpoint)?,
            end_session: self
                .end_session_endpoint
                .as_str()
                .map(|text| page("end_session_endpoint", text))
                .transpose()?,
            names_issuer: self.authorization_response_iss_parameter_supported == true,
        })
    }
}
