//! `[[identity_providers]]`: by whom people are signed in (rows T05, X43 to X46, X50 to X52).
//!
//! Here are the names and what must be unique among them; what a provider's addresses and lists must look like is for
//! `signin::rp` to say, which reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::text::quoted;

/// Most providers of an installation.
pub const IDENTITY_PROVIDERS_MAX: usize = 256;
/// Longest name.
const NAME_CHARACTERS_MAX: usize = 63;
/// Longest title: it stands on a button.
const TITLE_CHARACTERS_MAX: usize = 60;
/// Most domains of one provider.
const DOMAINS_MAX: usize = 200;
/// Seconds that an earlier proof may be old at most, where that is bounded.
const MAX_AGE_S_MAX: u32 = 7 * 24 * 3600;

/// A provider by which people sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityProvider {
    /// Its name: part of its URLs here, and what links and sessions remember.
    pub name: String,
    /// Whose people it signs in.
    pub tenant: String,
    /// What its button says; the name where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether it is asked at all.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Of which make it is.
    #[serde(default)]
    pub kind: ProviderKind,
    /// Its issuer, letter for letter.
    pub issuer: String,
    /// Where its metadata is, where that is not below the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery_url: Option<String>,
    /// Our name there.
    pub client_id: String,
    /// The file with the secret that proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// How the secret is shown.
    #[serde(default)]
    pub client_authentication: ClientAuthentication,
    /// The SCIM connection by which the same provider provisions people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// The claim that holds what the connection sends as `externalId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_claim: Option<String>,
    /// Domains of addresses whose people sign in here.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Whether somebody may be found by an address that the provider verified, in one of `domains`.
    #[serde(default)]
    pub link_by_email: bool,
    /// What is asked for beside `openid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// By which algorithms it may sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithms: Option<Vec<String>>,
    /// Seconds by which its clock may differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leeway_s: Option<u32>,
    /// Entra's directories (tenants) whose people are let in.
    #[serde(default)]
    pub directories: Vec<String>,
    /// Google's hosted domains whose people are let in.
    #[serde(default)]
    pub hosted_domains: Vec<String>,
    /// Hosts beside the issuer's on which its endpoints may lie.
    #[serde(default)]
    pub endpoint_hosts: Vec<String>,
    /// Claims that must be there.
    #[serde(default)]
    pub required_claims: Vec<String>,
    /// Ways of proof, one of which each sign-in must have been by.
    #[serde(default)]
    pub acr_values: Vec<String>,
    /// Seconds that the proof may be old when somebody signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u32>,
    /// Whether the provider answers by a form instead of a redirect.
    #[serde(default)]
    pub form_post: bool,
}

/// Of which make a provider is: where its endpoints lie, and which claim names a person for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// Any provider of OpenID Connect: Okta, OneLogin, Keycloak, Ping.
    #[default]
    Oidc,
    /// Microsoft Entra.
    Microsoft,
    /// Google.
    Google,
}

/// How the secret is shown to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuthentication {
    /// In the field Authorization.
    #[default]
    Basic,
    /// In the form.
    Post,
    /// There is none: PKCE alone.
    None,
}

const fn yes() -> bool {
    true
}

/// The reference of the keys: name, type, default, meaning.
const KEYS: [(&str, &str, &str, &str); 22] = [
    (
        "name",
        "text",
        "",
        "Its name: small letters, digits and hyphens. It stands in the redirect URI, and sessions and links remember it: do not change it later.",
    ),
    ("tenant", "text", "", "Whose people it signs in."),
    ("title", "text", "its name", "What its button on the sign-in page says."),
    (
        "enabled",
        "true or false",
        "true",
        "Whether it is asked at all. When it is turned off, every session that began with it is over.",
    ),
    (
        "kind",
        "text",
        "\"oidc\"",
        "Of which make it is: \"oidc\" (Okta, OneLogin, Keycloak and all others), \"microsoft\" or \"google\".",
    ),
    (
        "issuer",
        "text",
        "",
        "Its issuer, letter for letter as its metadata says. For many Entra tenants https://login.microsoftonline.com/{tenantid}/v2.0, with `directories`.",
    ),
    (
        "discovery_url",
        "text",
        "",
        "Where its metadata is, where that is not /.well-known/openid-configuration below the issuer.",
    ),
    ("client_id", "text", "", "The id that the provider gave to rosterd."),
    ("client_secret_file", "text", "", "A file with the secret that it gave to rosterd."),
    (
        "client_authentication",
        "text",
        "\"basic\"",
        "How the secret is shown: \"basic\", \"post\", or \"none\" for a client without one.",
    ),
    (
        "connection",
        "text",
        "",
        "The SCIM connection by which the same provider provisions: its externalId says who signs in.",
    ),
    (
        "key_claim",
        "text",
        "`sub`; `oid` for microsoft",
        "The claim that holds what the connection sends as externalId.",
    ),
    (
        "domains",
        "list of texts",
        "[]",
        "Domains of addresses whose people are sent here when they type their address. One provider each.",
    ),
    (
        "link_by_email",
        "true or false",
        "false",
        "Whether somebody who is not known yet may be found by an address that the provider verified, in one of `domains`.",
    ),
    (
        "scopes, algorithms",
        "lists of texts",
        "[\"profile\", \"email\"], [\"RS256\", \"PS256\", \"ES256\"]",
        "What is asked for beside openid, and by which algorithms it may sign (also ES384 and EdDSA).",
    ),
    ("leeway_s", "number", "60", "Seconds by which its clock may differ from ours, 0 to 300."),
    (
        "directories",
        "list of texts",
        "[]",
        "Ids of Entra directories (tenants) whose people are let in. Needed for an issuer with {tenantid}.",
    ),
    (
        "hosted_domains",
        "list of texts",
        "[]",
        "Google Workspace domains (the claim hd) whose people are let in.",
    ),
    (
        "endpoint_hosts",
        "list of texts",
        "[]",
        "Hosts beside the issuer's on which its endpoints may lie. Those of Microsoft and Google are known.",
    ),
    (
        "required_claims",
        "list of texts",
        "[]",
        "Claims without which nobody is let in. What the ID token lacks is asked of userinfo.",
    ),
    (
        "acr_values, max_age_s",
        "list of texts, number",
        "[], none",
        "Ways of proof of which each sign-in must name one, and the seconds that a proof may be old.",
    ),
    (
        "form_post",
        "true or false",
        "false",
        "Whether the provider answers by a form (response_mode=form_post) instead of a redirect.",
    ),
];

/// Writes the reference.
pub(super) fn write_reference(text: &mut String) {
    text.push_str(
        "\n## `[[identity_providers]]`\n\nBy whom people are signed in: one table each, in a file only. A reload takes over all of it, and reads the \
         secrets again. See docs/operate/sign-in.md.\n\n| key | type | default | meaning |\n|---|---|---|---|\n",
    );
    for (key, of, default, meaning) in KEYS {
        let default =
            if default.is_empty() { String::new() } else { format!("`{}`", default.replace('`', "")) };
        let keys = key.split(", ").map(|key| format!("`identity_providers.{key}`")).collect::<Vec<_>>();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {of} | {default} | {meaning} |", keys.join(", "));
    }
}

/// Looks at the names, and at what only one of them may have.
pub(super) fn check(providers: &[IdentityProvider], found: &mut Findings) {
    if providers.len() > IDENTITY_PROVIDERS_MAX {
        let what = format!("expected at most {IDENTITY_PROVIDERS_MAX} providers, found {}", providers.len());
        found.wrong("identity_providers", what, "take out those that nobody signs in with");
    }
    let mut names = BTreeSet::new();
    let mut domains: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for (index, one) in providers.iter().enumerate() {
        let mut wrong = |key: &str, what: String, remedy: &str| {
            found.wrong(format!("identity_providers.{index}.{key}"), what, remedy);
        };
        if !is_name(&one.name) {
            let what = format!(
                "expected 1 to {NAME_CHARACTERS_MAX} small letters, digits and hyphens, found {}",
                quoted(&one.name)
            );
            wrong("name", what, "choose another name");
        }
        if !names.insert(one.name.as_str()) {
            wrong(
                "name",
                format!("two providers have the name {}", quoted(&one.name)),
                "choose another name",
            );
        }
        if let Some(title) = &one.title
            && (title.trim().is_empty()
                || title.chars().count() > TITLE_CHARACTERS_MAX
                || title.chars().any(char::is_control))
        {
            let what = format!("expected 1 to {TITLE_CHARACTERS_MAX} characters, found {}", quoted(title));
            wrong("title", what, "it stands on a button: a short name that people know");
        }
        let wants_secret = one.client_authentication != ClientAuthentication::None;
        if wants_secret != one.client_secret_file.is_some() {
            let what = if wants_secret {
                "not set, and the secret is shown to the provider".to_owned()
            } else {
                "set, and client_authentication is \"none\"".to_owned()
            };
            wrong(
                "client_secret_file",
                what,
                "name a file with the secret, or set client_authentication to \"none\" for a client without one",
            );
        }
        if one.link_by_email && one.domains.is_empty() {
            wrong(
                "link_by_email",
                "expected domains whose addresses are believed, found none".to_owned(),
                "list the firm's own domains in `domains`; an address elsewhere proves nothing",
            );
        }
        if one.max_age_s.is_some_and(|age| age > MAX_AGE_S_MAX) {
            let what = format!("expected 0 to {MAX_AGE_S_MAX}, found {}", one.max_age_s.unwrap_or_default());
            wrong("max_age_s", what, "leave it out where any proof will do");
        }
        if one.domains.len() > DOMAINS_MAX {
            wrong("domains", format!("expected at most {DOMAINS_MAX} domains"), "leave some out");
        }
        for domain in &one.domains {
            if !is_domain(domain) {
                let what = format!("expected a domain such as acme.example, found {}", quoted(domain));
                wrong("domains", what, "write it in small letters, without an @");
            }
            if let Some(other) = domains.insert((one.tenant.as_str(), domain), &one.name) {
                let what = format!("{} leads to {} as well", quoted(domain), quoted(other));
                wrong("domains", what, "a domain leads to one provider");
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_domain(domain: &str) -> bool {
    let sound = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    domain.len() <= 253 && domain.split('.').all(sound)
}
