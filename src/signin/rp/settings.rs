//! What a provider is, as an operator sets it, and the check that makes a [`Provider`] of that. A `Provider` that exists is sound.

use std::fmt;

use zeroize::Zeroizing;

use crate::jwt::Algorithm;
use crate::net::HttpsUrl;

/// Algorithms that may be taken. Symmetric ones have no name here.
pub const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa];
/// By how much a provider's clock may differ from ours, unless set otherwise.
pub const LEEWAY_SECONDS_DEFAULT: u32 = 60;
/// The most that may be set.
pub const LEEWAY_SECONDS_MAX: u32 = 300;
/// Entries of each list.
const ENTRIES_MAX: usize = 50;
/// Longest entry.
const TEXT_CHARACTERS_MAX: usize = 512;
/// Stands for the tenant in the issuer of a provider that has many.
const TENANT: &str = "{tenantid}";

/// A secret text. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Returns the text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How rosterd proves to the provider who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// A secret in the field Authorization (`client_secret_basic`).
    SecretBasic(Secret),
    /// A secret in the form (`client_secret_post`).
    SecretPost(Secret),
    /// Not at all: PKCE alone.
    Public,
}

/// Providers of which it is known where their endpoints lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// None: endpoints lie on the issuer's host, or where the settings say.
    #[default]
    Plain,
    /// Google.
    Google,
    /// Microsoft Entra.
    Microsoft,
}

impl Preset {
    /// The hosts beside the issuer's own on which its endpoints lie.
    pub const fn hosts(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Google => &["oauth2.googleapis.com", "openidconnect.googleapis.com", "www.googleapis.com"],
            Self::Microsoft => &["graph.microsoft.com"],
        }
    }
}

/// A provider as it was written down.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our name for it.
    pub id: String,
    /// Its issuer, letter for letter; `{tenantid}` in it stands for one of `tenants`.
    pub issuer: String,
    /// Where its metadata is, where that is not below the issuer.
    pub discovery_url: Option<String>,
    /// Our name there.
    pub client_id: String,
    /// How we prove it.
    pub authentication: Authentication,
    /// Where it sends browsers back to.
    pub redirect_uri: String,
    /// Where it sends browsers after a logout.
    pub post_logout_redirect_uri: Option<String>,
    /// What is asked for; `openid` goes without saying.
    pub scopes: Vec<String>,
    /// By which algorithms it may sign.
    pub algorithms: Vec<String>,
    /// By how much its clock may differ.
    pub leeway_seconds: u32,
    /// Tenants (the claim `tid`) whose people are let in; all that the issuer speaks for when empty.
    pub tenants: Vec<String>,
    /// Google's hosted domains (the claim `hd`) whose people are let in; anybody's when empty.
    pub hosted_domains: Vec<String>,
    /// Hosts beside the issuer's on which its endpoints may lie.
    pub endpoint_hosts: Vec<String>,
    /// A provider of which such hosts are known.
    pub preset: Preset,
    /// Claims that must be there; what an ID token lacks is asked of the userinfo endpoint.
    pub required_claims: Vec<String>,
    /// Claims that are of use where they are there: what an ID token lacks is asked of the userinfo endpoint as well, and may be lacking there.
    pub wanted_claims: Vec<String>,
    /// Whether the answer comes as a form (`response_mode=form_post`).
    pub form_post: bool,
}

impl Settings {
    /// Starts with what every provider needs, and the defaults of the rest.
    pub fn new(
        id: &str,
        issuer: &str,
        client_id: &str,
        authentication: Authentication,
        redirect_uri: &str,
    ) -> Self {
        Self {
            id: id.to_owned(),
            issuer: issuer.to_owned(),
            discovery_url: None,
            client_id: client_id.to_owned(),
            authentication,
            redirect_uri: redirect_uri.to_owned(),
            post_logout_redirect_uri: None,
            scopes: ["profile", "email"].map(str::to_owned).to_vec(),
            algorithms: ["RS256", "PS256", "ES256"].map(str::to_owned).to_vec(),
            leeway_seconds: LEEWAY_SECONDS_DEFAULT,
            tenants: Vec::new(),
            hosted_domains: Vec::new(),
            endpoint_hosts: Vec::new(),
            preset: Preset::Plain,
            required_claims: Vec::new(),
            wanted_claims: Vec::new(),
            form_post: false,
        }
    }
}

/// What is wrong with one of the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: expected {expected}, found {found}; {cure}")]
pub struct SettingsError {
    /// Which.
    pub key: &'static str,
    /// What belongs there.
    pub expected: String,
    /// What is there. Never a secret.
    pub found: String,
    /// What to do.
    pub cure: &'static str,
}

/// A provider whose settings are sound.
#[derive(Debug, Clone)]
pub struct Provider {
    pub(super) settings: Settings,
    pub(super) discovery: HttpsUrl,
    pub(super) algorithms: Vec<Algorithm>,
    issuer_host: String,
}

impl Provider {
    /// Checks settings; every mistake is told.
    pub fn parse(mut settings: Settings) -> Result<Self, Vec<SettingsError>> {
        let mut wrong = Vec::new();
        check_names(&settings, &mut wrong);
        check_lists(&settings, &mut wrong);
        check_addresses(&settings, &mut wrong);
        let algorithms = read_algorithms(&settings.algorithms, &mut wrong);
        let issuer = read_issuer(&settings, &mut wrong);
        let discovery = read_discovery(&settings, &mut wrong);
        for list in [&mut settings.tenants, &mut settings.hosted_domains, &mut settings.endpoint_hosts] {
            list.iter_mut().for_each(|entry| entry.make_ascii_lowercase());
        }
        match (issuer, discovery) {
            (Some(issuer), Some(discovery)) if wrong.is_empty() => {
                Ok(Self { settings, discovery, algorithms, issuer_host: issuer.host().to_owned() })
            }
            _ => Err(wrong),
        }
    }

    /// Returns our name for it.
    pub fn id(&self) -> &str {
        &self.settings.id
    }

    /// Returns its issuer as it is set.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Returns our name there.
    pub fn client_id(&self) -> &str {
        &self.settings.client_id
    }

    /// Returns how far its clock may be off, in seconds.
    pub fn leeway(&self) -> i64 {
        i64::from(self.settings.leeway_seconds)
    }

    /// Tells whether the issuer speaks for many tenants.
    pub fn has_tenants(&self) -> bool {
        self.settings.issuer.contains(TENANT)
    }

    /// Returns the issuer of a tenant's tokens, if its people are let in.
    pub fn issuer_for(&self, tenant: Option<&str>) -> Option<String> {
        let listed = &self.settings.tenants;
        let lower = tenant.map(str::to_ascii_lowercase);
        let is_listed = lower.as_ref().is_some_and(|tenant| listed.contains(tenant));
        if !listed.is_empty() && !is_listed {
            return None;
        }
        Some(match tenant {
            // The list of such a provider is never empty.
            Some(tenant) if self.has_tenants() => self.settings.issuer.replace(TENANT, tenant),
            _ => self.settings.issuer.clone(),
        })
    }

    /// Tells whether the provider may call itself so before a token has said of which tenant it is.
    pub fn is_issuer(&self, issuer: &str) -> bool {
        if !self.has_tenants() {
            return issuer == self.settings.issuer;
        }
        let templates = self.settings.tenants.iter().filter_map(|tenant| self.issuer_for(Some(tenant)));
        templates.into_iter().any(|one| one == issuer)
    }

    /// Tells whether an endpoint may lie on a host: the issuer's, one below it, or a listed one.
    pub fn may_lie_on(&self, host: &str) -> bool {
        let below = host.strip_suffix(&self.issuer_host).is_some_and(|rest| rest.ends_with('.'));
        // An address has nothing below it.
        let below = below && self.issuer_host.parse::<std::net::IpAddr>().is_err();
        host == self.issuer_host
            || below
            || self.settings.preset.hosts().contains(&host)
            || self.settings.endpoint_hosts.iter().any(|listed| listed == host)
    }
}

fn check_names(settings: &Settings, wrong: &mut Vec<SettingsError>) {
    let is_id = |text: &str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if !is_id(&settings.id) {
        wrong.push(SettingsError {
            key: "id",
            expected: "1 to 64 of a-z, 0-9 and -".to_owned(),
            found: quoted(&settings.id),
            cure: "it is part of URLs: choose a short one, such as entra",
        });
    }
    if settings.client_id.is_empty() || !is_plain(&settings.client_id) {
        wrong.push(SettingsError {
            key: "client_id",
            expected: "visible ASCII characters, 512 at most".to_owned(),
            found: quoted(&settings.client_id),
            cure: "copy the client id from the provider's page of this application",
        });
    }
    if let Authentication::SecretBasic(secret) | Authentication::SecretPost(secret) = &settings.authentication
        && (secret.expose().is_empty() || !is_plain(secret.expose()))
    {
        wrong.push(SettingsError {
            key: "client_secret",
            expected: "visible ASCII characters, 512 at most".to_owned(),
            found: format!("a text of {} bytes that is not", secret.expose().len()),
            cure: "copy the secret's value (not its id) without spaces and line breaks, or set the client to public",
        });
    }
    if settings.leeway_seconds > LEEWAY_SECONDS_MAX {
        wrong.push(SettingsError {
            key: "leeway_seconds",
            expected: format!("0 to {LEEWAY_SECONDS_MAX}"),
            found: settings.leeway_seconds.to_string(),
            cure: "if the clocks differ by more, set them by NTP",
        });
    }
}

fn check_lists(settings: &Settings, wrong: &mut Vec<SettingsError>) {
    let lists = [
        ("scopes", &settings.scopes),
        ("tenants", &settings.tenants),
        ("hosted_domains", &settings.hosted_domains),
        ("endpoint_hosts", &settings.endpoint_hosts),
        ("required_claims", &settings.required_claims),
        ("wanted_claims", &settings.wanted_claims),
    ];
    for (key, list) in lists {
        let bad = list.iter().find(|entry| entry.is_empty() || !is_plain(entry));
        if let Some(found) = bad.map(|entry| quoted(entry)) {
            wrong.push(SettingsError {
                key,
                expected: "visible ASCII characters, 512 at most, in each entry".to_owned(),
                found,
                cure: "write each entry by itself, without spaces",
            });
        }
        if list.len() > ENTRIES_MAX {
            wrong.push(SettingsError {
                key,
                expected: format!("at most {ENTRIES_MAX} entries"),
                found: list.len().to_string(),
                cure: "leave out what is not needed",
            });
        }
    }
    let is_host = |host: &String| {
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte))
            && !host.contains("..")
    };
    if let Some(found) = settings.endpoint_hosts.iter().find(|host| !is_host(host)) {
        wrong.push(SettingsError {
            key: "endpoint_hosts",
            expected: "names of hosts, such as auth.example.com".to_owned(),
            found: quoted(found),
            cure: "leave out scheme, port and path; there are no wildcards",
        });
    }
    if settings.issuer.contains(TENANT) && settings.tenants.is_empty() {
        wrong.push(SettingsError {
            key: "tenants",
            expected: "the ids of the tenants whose people are let in, as the issuer speaks for every tenant"
                .to_owned(),
            found: "none".to_owned(),
            cure: "list the directory (tenant) ids, or set the issuer of one tenant",
        });
    }
    let is_tenant = |tenant: &String| tenant.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if let Some(found) = settings.tenants.iter().find(|tenant| !is_tenant(tenant)) {
        wrong.push(SettingsError {
            key: "tenants",
            expected: "ids of tenants, such as 8adf8e6e-67b2-4cf2-a259-e3dc5476c621".to_owned(),
            found: quoted(found),
            cure: "take the directory (tenant) id, not the domain",
        });
    }
}

fn check_addresses(settings: &Settings, wrong: &mut Vec<SettingsError>) {
    let own = [
        ("redirect_uri", Some(&settings.redirect_uri)),
        ("post_logout_redirect_uri", settings.post_logout_redirect_uri.as_ref()),
    ];
    for (key, text) in own {
        let Some(text) = text else { continue };
        // What a browser is sent to; nothing is fetched from there. Without TLS only on the same machine.
        let loopback = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
        let rest = loopback.iter().find_map(|start| text.strip_prefix(start));
        let is_loopback = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']));
        let as_https = if is_loopback { text.replacen("http://", "https://", 1) } else { text.clone() };
        if let Err(why) = HttpsUrl::parse(&as_https) {
            wrong.push(SettingsError {
                key,
                expected: "an absolute https URL (http on loopback only)".to_owned(),
                found: format!("{}: {why}", quoted(text)),
                cure: "write it as it is registered at the provider; it begins with server.public_url",
            });
        }
    }
}

fn read_algorithms(names: &[String], wrong: &mut Vec<SettingsError>) -> Vec<Algorithm> {
    let known = |name: &String| ALGORITHMS.into_iter().find(|algorithm| algorithm.name() == name);
    let found = match names.iter().find(|name| known(name).is_none()) {
        Some(name) => quoted(name),
        None if names.is_empty() => "none".to_owned(),
        None => return names.iter().filter_map(known).collect(),
    };
    wrong.push(SettingsError {
        key: "algorithms",
        expected: format!("some of {}", ALGORITHMS.map(Algorithm::name).join(", ")),
        found,
        cure: "have the provider sign by RS256 or ES256; signatures by a shared secret (HS256) and none are never taken",
    });
    Vec::new()
}

fn read_issuer(settings: &Settings, wrong: &mut Vec<SettingsError>) -> Option<HttpsUrl> {
    let text = &settings.issuer;
    // Braces are no part of a URL; what stands for them is checked instead.
    let read = HttpsUrl::parse(&text.replacen(TENANT, "tenant", 1));
    let why = match read {
        Ok(url) if !text.contains('?') => return Some(url),
        Ok(_) => "it has a query".to_owned(),
        Err(why) => why.to_string(),
    };
    wrong.push(SettingsError {
        key: "issuer",
        expected: "an https URL without query, such as https://login.example.com/tenant/v2.0".to_owned(),
        found: format!("{}: {why}", quoted(text)),
        cure: "copy `issuer` from the provider's /.well-known/openid-configuration, letter for letter",
    });
    None
}

fn read_discovery(settings: &Settings, wrong: &mut Vec<SettingsError>) -> Option<HttpsUrl> {
    let text = settings.discovery_url.clone().unwrap_or_else(|| {
        let base = settings.issuer.replacen(TENANT, "organizations", 1);
        format!("{}/.well-known/openid-configuration", base.trim_end_matches('/'))
    });
    match HttpsUrl::parse(&text) {
        Ok(url) => Some(url),
        // The issuer's own mistake was told.
        Err(_) if settings.discovery_url.is_none() => None,
        Err(why) => {
            wrong.push(SettingsError {
                key: "discovery_url",
                expected: "an https URL".to_owned(),
                found: format!("{}: {why}", quoted(&text)),
                cure: "leave it out where the metadata lies below the issuer",
            });
            None
        }
    }
}

fn is_plain(text: &str) -> bool {
    text.len() <= TEXT_CHARACTERS_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A text of others in ours: bounded, and without what could break a line.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{more}")
}
