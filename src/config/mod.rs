//! The settings of an installation: where they come from, what they mean, and what is wrong with them.
//!
//! Read in this order: [`load`] (from sources to a [`Config`]), the topics (`server`, `admin`, `tls`, `data`, `store`, `postgres`, `log`,
//! `audit`, `tokens`, `sessions`, `net`, `mail`, `people`, `sign_in`, `permissions` with its presets, `outbox`: one struct each; `identity_providers`, `apps`, `webhooks`, `plugins`: lists of them), `tenants` (what one tenant has otherwise), [`problem`] (what is wrong, and where), [`reload`] (what may change while the daemon runs),
//! [`surroundings`] (what only the file system can tell), [`connections`] (names that only the store can tell to be right), [`secret`], [`mod@reference`]. `layer`, `known`, `findings` and `text` are
//! the parts that `load` is made of; [`environment`] is the only reader of the process environment.
//!
//! A `Config` that exists is valid. Knows nothing of who uses it; adding a key takes its field, its line in
//! `config/default.toml`, and, when it needs no restart, its name in [`reload`].

pub mod admin;
pub mod apps;
pub mod audit;
pub mod base_path;
pub mod connections;
pub mod cookie_domain;
pub mod data;
pub mod environment;
mod findings;
pub mod identity_providers;
mod known;
mod layer;
pub mod load;
pub mod log;
pub mod mail;
pub mod net;
pub mod outbox;
pub mod people;
pub mod permissions;
pub mod plugins;
pub mod postgres;
pub mod problem;
pub mod public_url;
pub mod reference;
pub mod reload;
pub mod secret;
pub mod server;
pub mod sessions;
pub mod sign_in;
pub mod store;
pub mod surroundings;
pub mod tenants;
mod text;
pub mod tls;
pub mod tokens;
pub mod trusted;
pub mod webhooks;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use admin::Admin;
pub use apps::{App, Browser, Claim};
pub use audit::Audit;
pub use base_path::BasePath;
pub use cookie_domain::CookieDomain;
pub use data::Data;
pub use environment::Environment;
pub use identity_providers::{ClientAuthentication, IdentityProvider, ProviderKind};
pub use load::Sources;
pub use log::{Format, Level, Log};
pub use mail::{Mail, MailTls};
pub use net::{Net, Permit};
pub use outbox::Outbox;
pub use people::{Deprovision, People, Rehire};
pub use permissions::{Groups, PermissionLevel, PermissionScope, Permissions, Preset};
pub use plugins::{Plugin, PluginFailure, PluginHook, PluginHost, signing_key};
pub use postgres::{Postgres, PostgresPlace, PostgresTls};
pub use problem::{ConfigErrors, Place, Problem};
pub use public_url::PublicUrl;
pub use reference::reference;
pub use reload::{Applied, Reload};
pub use server::Server;
pub use sessions::Sessions;
pub use sign_in::{SignIn, SignInMethod};
pub use store::{Engine, Store};
pub use tenants::Tenant;
pub use text::ByteSize;
pub use tls::Tls;
pub use tokens::Tokens;
pub use trusted::Network;
pub use webhooks::{From as WebhookFrom, Webhook};

/// Every setting, with its comment and its default.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The settings of an installation. One that exists is valid: [`Config::load`] is the way to make one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The public listener.
    pub server: Server,
    /// The administrators' listener.
    pub admin: Admin,
    /// TLS of the public listener.
    pub tls: Tls,
    /// Where everything is kept.
    pub data: Data,
    /// Which engine keeps the data.
    pub store: Store,
    /// The database, where that is the engine.
    pub postgres: Postgres,
    /// The log.
    pub log: Log,
    /// The history.
    pub audit: Audit,
    /// Bearer tokens.
    pub tokens: Tokens,
    /// How long people stay signed in.
    pub sessions: Sessions,
    /// By whom people are signed in.
    #[serde(default)]
    pub identity_providers: Vec<IdentityProvider>,
    /// Programs that people come to through a proxy.
    #[serde(default)]
    pub apps: Vec<App>,
    /// Outbound requests.
    pub net: Net,
    /// What becomes of people.
    pub people: People,
    /// Signing in by the firm's own means.
    pub sign_in: SignIn,
    /// The mail server.
    pub mail: Mail,
    /// The rights that there are.
    pub permissions: Permissions,
    /// What groups give.
    pub groups: Groups,
    /// What single tenants have otherwise, by their name: everything that can be otherwise, with what holds for them.
    #[serde(default)]
    pub tenants: BTreeMap<String, Tenant>,
    /// How deliveries to webhooks are tried again.
    pub outbox: Outbox,
    /// Who is told of changes.
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
    /// What all plugins have in common.
    pub plugin_host: PluginHost,
    /// Which plugins there are.
    #[serde(default)]
    pub plugins: Vec<Plugin>,
}
