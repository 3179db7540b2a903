//! `[[apps]]`: programs that people come to through a proxy, and what each is told of them (signin.md §6).

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::text::quoted;
use super::{Config, PublicUrl, permissions, text};

/// Most programs of an installation.
pub const APPS_MAX: usize = 256;
/// Most patterns of permissions of one program.
const PERMISSIONS_MAX: usize = 64;
/// Longest name of an audience.
const AUDIENCE_CHARACTERS_MAX: usize = 255;

/// A program that people come to through a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Its name, by which the proxy asks about it.
    pub name: String,
    /// Whose people.
    pub tenant: String,
    /// Where browsers find it: scheme, host and port.
    #[serde(with = "text")]
    pub url: PublicUrl,
    /// Whom assertions for it name as their audience; its host where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// What it is told of people.
    #[serde(default)]
    pub claims: Vec<Claim>,
    /// Which permissions it is told of.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// The permission without which nobody gets in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<String>,
    /// What becomes of browsers without a session.
    #[serde(default)]
    pub browser: Browser,
}

/// Something that a program is told of people. None is money, and none can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// The primary address.
    Email,
    /// What they are called.
    Name,
    /// Their login.
    UserName,
    /// Employee, freelancer or client.
    Kind,
    /// Their groups.
    Groups,
    /// The roles of their user types.
    Roles,
    /// Their user types.
    UserTypes,
    /// The class of their licence.
    License,
    /// For whom they act.
    ActingFor,
}

/// What becomes of browsers without a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Browser {
    /// 401 for all; the proxy says what follows.
    #[default]
    Refuse,
    /// They are sent to sign in (302); everybody else gets 401.
    Redirect,
}

impl App {
    /// Returns whom assertions for it name as their audience.
    pub fn audience(&self) -> &str {
        self.audience.as_deref().unwrap_or_else(|| self.url.host())
    }
}

/// The reference of the keys: name, type, default, meaning.
const KEYS: [(&str, &str, &str, &str); 8] = [
    (
        "name",
        "text",
        "",
        "Its name, by which the proxy asks about it (`/auth/verify?app=NAME`): small letters, digits and hyphens.",
    ),
    ("tenant", "text", "", "Whose people come to it."),
    (
        "url",
        "text",
        "",
        "Where browsers find it, such as https://psa.example.com: on this host, or on one of server.cookie_domain.",
    ),
    (
        "audience",
        "text",
        "the host of url",
        "Whom its assertions name as their audience (aud). No two programs have the same.",
    ),
    (
        "claims",
        "list of texts",
        "[]",
        "What it is told of people: email, name, user_name, kind, groups, roles, user_types, license, acting_for. Money is not among them.",
    ),
    (
        "permissions",
        "list of texts",
        "[]",
        "Which permissions it is told of: keys of the catalogue, time.* for all that begin so, or *.",
    ),
    (
        "requires",
        "text",
        "",
        "A permission without which nobody gets in, wherever they have it; others get 403.",
    ),
    (
        "browser",
        "text",
        "\"refuse\"",
        "What becomes of browsers without a session: \"refuse\" (401, as nginx wants it) or \"redirect\" (302 to the sign-in page).",
    ),
];

/// Writes the reference.
pub(super) fn write_reference(text: &mut String) {
    text.push_str(
        "\n## `[[apps]]`\n\nPrograms that people come to through a proxy, and what each is told of them: one table each, in a file only. A reload takes over all of \
         it. See docs/operate/forward-auth.md.\n\n| key | type | default | meaning |\n|---|---|---|---|\n",
    );
    for (key, of, default, meaning) in KEYS {
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `apps.{key}` | {of} | {default} | {meaning} |");
    }
}

/// Looks at each program for itself, and at what only one of them may have.
pub(super) fn check(apps: &[App], found: &mut Findings) {
    if apps.len() > APPS_MAX {
        let what = format!("expected at most {APPS_MAX} programs, found {}", apps.len());
        found.wrong("apps", what, "take out those that nobody uses");
    }
    let (mut names, mut audiences) = (BTreeSet::new(), BTreeSet::new());
    for (index, app) in apps.iter().enumerate() {
        let mut wrong = |key: &str, what: String, remedy: &str| {
            found.wrong(format!("apps.{index}.{key}"), what, remedy);
        };
        if !permissions::is_name(&app.name) {
            let what =
                format!("expected small letters, digits and inner hyphens, found {}", quoted(&app.name));
            wrong("name", what, "choose another name");
        }
        if !names.insert(app.name.as_str()) {
            wrong("name", format!("two programs have the name {}", quoted(&app.name)), "choose another name");
        }
        let audience = app.audience();
        let sound = (1..=AUDIENCE_CHARACTERS_MAX).contains(&audience.len())
            && audience.bytes().all(|byte| byte.is_ascii_graphic());
        if !sound {
            let what =
                format!("expected visible ASCII characters without spaces, found {}", quoted(audience));
            wrong("audience", what, "leave it out: it is the host of url then");
        }
        if !audiences.insert(audience) {
            let what = format!("two programs have the audience {}", quoted(audience));
            wrong(
                "audience",
                what,
                "give one of them another: an assertion for one would be good for the other",
            );
        }
        if app.permissions.len() > PERMISSIONS_MAX {
            wrong(
                "permissions",
                format!("expected at most {PERMISSIONS_MAX}"),
                "use patterns such as time.*",
            );
        }
    }
}

/// Looks at what must agree: cookies that reach the program, permissions that there are.
pub(super) fn check_together(config: &Config, found: &mut Findings) {
    for (index, app) in config.apps.iter().enumerate() {
        let mut wrong = |key: &str, what: String, remedy: &str| {
            found.wrong(format!("apps.{index}.{key}"), what, remedy);
        };
        let is_own = config.server.public_url.as_ref().is_some_and(|own| own.host() == app.url.host());
        let is_shared = config.server.cookie_domain.as_ref().is_some_and(|domain| domain.covers(&app.url));
        if !is_own && !is_shared {
            let what =
                format!("no session reaches {}: browsers send the cookie to this host alone", app.url.host());
            wrong("url", what, "set server.cookie_domain to a domain that both hosts are below");
        }
        let of_tenant = config.tenants.get(&app.tenant).map_or(&config.permissions, |own| &own.permissions);
        for pattern in app.permissions.iter().filter(|pattern| !of_tenant.has(pattern)) {
            let what = format!("there is no permission {}", quoted(pattern));
            wrong("permissions", what, "add it below [permissions.catalogue], or leave it out here");
        }
        if let Some(key) = app.requires.as_ref().filter(|key| !of_tenant.catalogue.contains_key(*key)) {
            let what = format!("there is no permission {}", quoted(key));
            wrong("requires", what, "add it below [permissions.catalogue], or leave it out here");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Sources};

    fn load(toml: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rosterd.toml");
        std::fs::write(
            &file,
            format!(
                "[server]\npublic_url = \"https://id.acme.example\"\ncookie_domain = \"acme.example\"\n{toml}"
            ),
        )
        .unwrap();
        Config::load(&Sources::new(Environment::default()).file(file)).map_err(|errors| errors.to_string())
    }

    const APP: &str = "[[apps]]\nname = \"psa\"\ntenant = \"main\"\nurl = \"https://psa.acme.example\"\n";

    #[test]
    fn a_program_is_told_what_is_listed_and_its_audience_is_its_host() {
        let config =
            load(&format!("{APP}claims = [\"email\", \"user_types\"]\nrequires = \"users.view\"\n")).unwrap();
        let app = &config.apps[0];
        assert_eq!((app.audience(), app.browser), ("psa.acme.example", Browser::Refuse));
        assert_eq!(app.claims, [Claim::Email, Claim::UserTypes]);
    }

    #[test]
    fn r29_what_could_never_work_is_said_with_its_place() {
        for (toml, said) in [
            (format!("{APP}claims = [\"cost_rate\"]"), "cost_rate"),
            (format!("{APP}{APP}"), "two programs have the name"),
            (format!("{APP}{}", APP.replace("\"psa\"", "\"other\"")), "two programs have the audience"),
            (APP.replace("psa.acme.example", "psa.other.example"), "no session reaches psa.other.example"),
            (APP.replace("https://", "http://"), "plain http is for loopback only"),
            (APP.replace("example\"", "example/psa\""), "with a path"),
            (format!("{APP}requires = \"money.print\""), "there is no permission"),
            (format!("{APP}permissions = [\"money.*\"]"), "there is no permission"),
            (format!("{APP}audience = \"a b\""), "visible ASCII"),
            (APP.replace("\"psa\"", "\"PSA\""), "expected small letters"),
        ] {
            let refused = load(&toml).unwrap_err();
            assert!(refused.contains(said), "{toml}: {refused}");
        }
    }
}
