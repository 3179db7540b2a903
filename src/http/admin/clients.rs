//! `/admin/v1/clients`: what an identity provider is given that fetches its tokens by itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask::Ask;
use super::endpoint::{Done, Found, Made};
use super::page::Page;
use super::tokens::{days, scopes};
use crate::http::problem::Problem;
use crate::ids::{ClientId, TokenId};
use crate::roster::{self, ClientKind, ClientView, IssuedSecret, Roster, RosterError, Scopes, SecretView};
use crate::scim::error::quoted;

/// Longest life of an assertion where nothing is said, in minutes.
const LIFETIME_DEFAULT_MINUTES: u32 = 60;

/// A client.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// Its id, which is no secret.
    #[schema(value_type = String, format = "uuid")]
    pub id: ClientId,
    /// The name of its connection.
    pub connection: String,
    /// The most it may do.
    #[schema(value_type = Vec<String>)]
    pub scopes: Scopes,
    /// Whether it shows its secret with each request, instead of fetching access tokens.
    pub basic: bool,
    /// Its secrets, never what they are.
    pub secrets: Vec<Secret>,
    /// Whose assertions stand for it.
    pub federation: Option<Federation>,
    /// How many access tokens of it are live.
    pub access_tokens: usize,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Timestamp>,
}

/// A client's secret.
#[derive(Serialize, ToSchema)]
pub struct Secret {
    /// Its id, by which it is revoked.
    #[schema(value_type = String, format = "uuid")]
    pub id: TokenId,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it stops working.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
}

/// Whose assertions stand for a client (RFC 7523).
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Federation {
    /// The issuer, letter for letter.
    pub issuer: String,
    /// The subject, letter for letter.
    pub subject: String,
    /// The audiences, of which one must be there, letter for letter.
    pub audiences: Vec<String>,
    /// Where the issuer's keys are; where its metadata says when null.
    #[serde(default)]
    pub keys_url: Option<String>,
    /// Names of the algorithms that are taken.
    pub algorithms: Vec<String>,
    /// Longest life of an assertion, in minutes.
    #[serde(default = "lifetime_default")]
    #[schema(default = 60)]
    pub lifetime_minutes_max: u32,
}

const fn lifetime_default() -> u32 {
    LIFETIME_DEFAULT_MINUTES
}

/// How a client proves itself.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// By a secret, for which it fetches access tokens.
    Secret,
    /// By a secret that it shows with each request.
    Basic,
    /// By assertions; pin an issuer next.
    Federated,
}

/// A client to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewClient {
    /// The name of its connection.
    pub connection: String,
    /// The most it may do; an identity provider's scopes where there are none.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How it proves itself.
    pub kind: Kind,
    /// Days until its secret stops working.
    #[schema(minimum = 1, maximum = 3650)]
    pub days: u32,
}

/// A secret to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// Days until it stops working.
    #[schema(minimum = 1, maximum = 3650)]
    pub days: u32,
}

/// A client that has just been made, or has a new secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeClient {
    /// The client's id.
    #[schema(value_type = String, format = "uuid")]
    pub client: ClientId,
    /// The secret's id.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub secret_id: Option<TokenId>,
    /// The secret, which is shown this once; null where it has none.
    pub secret: Option<String>,
    /// When the secret stops working.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
    /// Where it fetches access tokens.
    pub token_url: String,
}

impl From<ClientView> for Client {
    fn from(view: ClientView) -> Self {
        Self {
            id: view.id,
            connection: view.connection,
            scopes: view.scopes,
            basic: view.basic,
            secrets: view.secrets.into_iter().map(Secret::from).collect(),
            federation: view.federation.map(Federation::from),
            access_tokens: view.access_tokens,
            created: view.created,
            last_used: view.last_used,
        }
    }
}

impl From<SecretView> for Secret {
    fn from(SecretView { id, created, expires }: SecretView) -> Self {
        Self { id, created, expires }
    }
}

impl From<roster::Federation> for Federation {
    fn from(pinned: roster::Federation) -> Self {
        let roster::Federation { issuer, subject, audiences, keys_url, algorithms, lifetime_minutes_max } =
            pinned;
        Self { issuer, subject, audiences, keys_url, algorithms, lifetime_minutes_max }
    }
}

impl From<Federation> for roster::Federation {
    fn from(pinned: Federation) -> Self {
        let Federation { issuer, subject, audiences, keys_url, algorithms, lifetime_minutes_max } = pinned;
        Self { issuer, subject, audiences, keys_url, algorithms, lifetime_minutes_max }
    }
}

/// Lists the clients.
pub async fn list(ask: Ask) -> Result<Found<Page<Client>>, Problem> {
    let mut clients = ask.run(|roster, caller, _| Roster::clients(roster, caller)).await?;
    clients.sort_by_key(|client| client.id);
    Ok(Found(Page::of(&ask, clients.into_iter().map(Client::from), |client| client.id.to_string())))
}

/// Makes one.
pub async fn make(ask: Ask, wanted: NewClient) -> Result<Made<MadeClient>, Problem> {
    let lifetime = days(wanted.days)?;
    let made = ask.run(move |roster, caller, _| {
        let kind = match wanted.kind {
            Kind::Secret => ClientKind::Secret,
            Kind::Basic => ClientKind::Basic,
            Kind::Federated => ClientKind::Federated,
        };
        roster.create_client(caller, &wanted.connection, scopes(&wanted.scopes)?, kind, lifetime)
    });
    let (client, secret) = made.await?;
    Ok(Made(told(&ask, client, secret)))
}

/// Ends one.
pub async fn revoke(ask: Ask) -> Result<Done, Problem> {
    let client = client(&ask)?;
    ask.run(move |roster, caller, _| roster.revoke_client(caller, client)).await?;
    Ok(Done)
}

/// Gives one another secret.
pub async fn add_secret(ask: Ask, wanted: NewSecret) -> Result<Made<MadeClient>, Problem> {
    let (client, lifetime) = (client(&ask)?, days(wanted.days)?);
    let secret = ask.run(move |roster, caller, _| roster.add_secret(caller, client, lifetime)).await?;
    Ok(Made(told(&ask, client, Some(secret))))
}

/// Ends a secret.
pub async fn revoke_secret(ask: Ask) -> Result<Done, Problem> {
    let client = client(&ask)?;
    let secret = TokenId::parse(ask.at("secret")).map_err(|_| unknown("secret", ask.at("secret")))?;
    ask.run(move |roster, caller, _| roster.revoke_secret(caller, client, secret)).await?;
    Ok(Done)
}

/// Pins an issuer.
pub async fn federate(ask: Ask, pinned: Federation) -> Result<Done, Problem> {
    let client = client(&ask)?;
    ask.run(move |roster, caller, _| roster.federate(caller, client, &pinned.into())).await?;
    Ok(Done)
}

fn client(ask: &Ask) -> Result<ClientId, Problem> {
    ClientId::parse(ask.at("id")).map_err(|_| unknown("client", ask.at("id")))
}

fn unknown(what: &str, id: &str) -> Problem {
    RosterError::Unknown(format!("no {what} has the id {}; GET /admin/v1/clients lists them", quoted(id)))
        .into()
}

fn told(ask: &Ask, client: ClientId, secret: Option<IssuedSecret>) -> MadeClient {
    MadeClient {
        client,
        secret_id: secret.as_ref().map(|secret| secret.id),
        expires: secret.as_ref().map(|secret| secret.expires),
        secret: secret.map(|secret| secret.secret.to_string()),
        token_url: ask.edge().token_url(),
    }
}
