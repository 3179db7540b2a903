//! `[[webhooks]]`: who is told of changes, and where (rows R16, X52, X53).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use hyper::Uri;
use hyper::http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::text::quoted;
use super::{Net, Permit, text};

/// Most webhooks of an installation.
pub const WEBHOOKS_MAX: usize = 32;
/// Longest name.
const NAME_CHARACTERS_MAX: usize = 63;
/// Most patterns of events, and most fields of one's own.
const LIST_MAX: usize = 64;
/// What may happen to a resource.
const VERBS: [&str; 7] = ["created", "updated", "locked", "unlocked", "restored", "deleted", "*"];
/// Fields that are not the operator's to set: those of the message, those that are signed, and those that would hold a secret.
const OWN_FIELDS: [&str; 13] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "user-agent",
];

/// Where changes are delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Its name, under which its state is kept.
    pub name: String,
    /// Whose changes.
    pub tenant: String,
    /// Where to.
    pub url: String,
    /// Files with the secrets that sign: one, or two while they are exchanged.
    #[serde(with = "text::list")]
    pub secret_files: Vec<PathBuf>,
    /// Which events; all when empty.
    #[serde(default)]
    pub events: Vec<String>,
    /// Whether the receiver is told of money.
    #[serde(default)]
    pub financials: bool,
    /// Where a new webhook begins.
    #[serde(default)]
    pub from: From,
    /// Further fields of each request. No secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// Where a new webhook begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// With the next change.
    #[default]
    Now,
    /// With the tenant's first.
    Beginning,
}

/// The reference of the keys: name, type, default, meaning.
const KEYS: [(&str, &str, &str, &str); 8] = [
    (
        "name",
        "text",
        "",
        "Its name: small letters, digits and hyphens. What was delivered is remembered under it.",
    ),
    ("tenant", "text", "", "Whose changes are told."),
    ("url", "text", "", "Where to: https, or http to a place that `net.allow` names."),
    (
        "secret_files",
        "list of texts",
        "",
        "One file with a secret, or two while receivers change from one to the other: both sign. `whsec_` and base64, or any text of 24 to 512 bytes.",
    ),
    (
        "events",
        "list of texts",
        "[]",
        "Which events, such as `user.*`, `group.deleted` or `*.created`. All when there is none.",
    ),
    ("financials", "true or false", "false", "Whether rates and other money are told."),
    ("from", "text", "\"now\"", "Where a new webhook begins: \"now\" or \"beginning\"."),
    (
        "headers",
        "table",
        "{}",
        "Further header fields of each request. They are shown by `config show`, so no secrets.",
    ),
];

/// Writes the reference.
pub(super) fn write_reference(text: &mut String) {
    text.push_str(
        "\n## `[[webhooks]]`\n\nWho is told of changes, and where: one table each, in a file only. A reload takes over all of it, and reads the \
         secrets again. See docs/operate/webhooks.md.\n\n| key | type | default | meaning |\n|---|---|---|---|\n",
    );
    for (key, of, default, meaning) in KEYS {
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `webhooks.{key}` | {of} | {default} | {meaning} |");
    }
}

/// Looks at each webhook for itself.
pub(super) fn check(hooks: &[Webhook], found: &mut Findings) {
    if hooks.len() > WEBHOOKS_MAX {
        found.wrong(
            "webhooks",
            format!("expected at most {WEBHOOKS_MAX} webhooks, found {}", hooks.len()),
            "let one receiver pass on what several want",
        );
    }
    let mut names = BTreeSet::new();
    for (index, hook) in hooks.iter().enumerate() {
        let mut wrong = |key: &str, what: String, remedy: &str| {
            found.wrong(format!("webhooks.{index}.{key}"), what, remedy);
        };
        if !is_name(&hook.name) {
            let what = format!(
                "expected 1 to {NAME_CHARACTERS_MAX} small letters, digits and hyphens, found {}",
                quoted(&hook.name)
            );
            wrong("name", what, "choose another name");
        }
        if !names.insert(hook.name.as_str()) {
            wrong(
                "name",
                format!("two webhooks have the name {}", quoted(&hook.name)),
                "choose another name",
            );
        }
        if !(1..=2).contains(&hook.secret_files.len()) {
            let what = format!("expected one or two files with a secret, found {}", hook.secret_files.len());
            wrong("secret_files", what, "`echo whsec_$(openssl rand -base64 32)` makes a secret");
        }
        if place_of(&hook.url).is_none() {
            let what =
                format!("expected a URL such as https://billing.example/hook, found {}", quoted(&hook.url));
            wrong("url", what, "without a name, a password or a fragment in it");
        }
        if hook.events.len() > LIST_MAX || hook.headers.len() > LIST_MAX {
            wrong(
                "events",
                format!("expected at most {LIST_MAX} events and headers"),
                "use patterns such as user.*",
            );
        }
        for pattern in hook.events.iter().filter(|pattern| !is_pattern(pattern)) {
            let what =
                format!("expected an event such as user.created, user.* or *, found {}", quoted(pattern));
            wrong("events", what, "docs/operate/webhooks.md lists the events");
        }
        for (name, value) in &hook.headers {
            if !is_free_field(name) || HeaderValue::from_str(value).is_err() {
                let what = format!("expected header fields that are yours to set, found {}", quoted(name));
                wrong("headers", what, "leave it out; secrets belong into secret_files");
            }
        }
    }
}

/// Looks whether what goes without TLS goes where the operator has said that it may.
pub(super) fn check_together(hooks: &[Webhook], net: &Net, found: &mut Findings) {
    for (index, hook) in hooks.iter().enumerate() {
        let Some((false, host, port)) = place_of(&hook.url) else { continue };
        let address = host.parse::<IpAddr>().ok();
        let named = net.allow.iter().any(|permit| match permit {
            Permit::Network(network) => address.is_some_and(|address| network.contains(address)),
            Permit::Host { name, port: at } => *name == host && *at == port,
        });
        if !named {
            found.wrong(
                format!("webhooks.{index}.url"),
                format!(
                    "expected https, or http to a place that net.allow names, found http to {host}:{port}"
                ),
                "use https, or add the host with its port to net.allow",
            );
        }
    }
}

/// Tells whether a URL has TLS, and which host and port.
fn place_of(url: &str) -> Option<(bool, String, u16)> {
    if url.len() > 2048 || url.contains(['@', '#', '\\']) || !url.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return None;
    }
    let uri: Uri = url.parse().ok()?;
    let (tls, port) = match uri.scheme_str()? {
        "https" => (true, 443),
        "http" => (false, 80),
        _ => return None,
    };
    let host = uri.host().filter(|host| !host.is_empty())?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    Some((tls, host, uri.port_u16().unwrap_or(port)))
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_pattern(pattern: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let Some((kind, verb)) = pattern.split_once('.') else { return false };
    let is_kind = kind == "*"
        || (kind.starts_with(|first: char| first.is_ascii_lowercase())
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    is_kind && VERBS.contains(&verb)
}

fn is_free_field(name: &str) -> bool {
    let Ok(name) = name.parse::<HeaderName>() else { return false };
    !OWN_FIELDS.contains(&name.as_str()) && !name.as_str().starts_with("webhook-")
}
