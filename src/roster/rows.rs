//! What the roster keeps in the store's small values: which drawers there are, and the rows in them.
//!
//! Rows are JSON, so that a later version can add a field. Drawer numbers never change their meaning.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::error::RosterError;
use super::scope::{ConnectionOptions, Scopes};
use super::signin::{LetterKind, Method, Purpose};
use crate::ids::{ClientId, ConnectionId, ResourceId, TenantId, TokenId};
use crate::psa::policy::Way;
use crate::store::Space;

/// System tenant: name of a tenant → [`TenantRow`].
pub const TENANTS: Space = Space(1);
/// System tenant: SHA-256 of a token → [`TokenPointer`].
pub const TOKEN_POINTERS: Space = Space(2);
/// System tenant: one key, the number that the next tenant gets (4 bytes, big-endian).
pub const NEXT_TENANT: Space = Space(3);
/// System tenant: one key, the 32 bytes with which cursors are sealed. They open nothing but cursors.
pub const CURSOR_KEY: Space = Space(4);
/// System tenant: number of a tenant (4 bytes, big-endian) → which indexes of order all its records have entries in (a number).
pub const ORDERS: Space = Space(5);
/// System tenant: name of a duty that one process has for all → who has it, and how often that was said (`roster::lease`).
pub const LEASES: Space = Space(6);
/// System tenant: client id → [`TokenPointer`].
pub const CLIENT_POINTERS: Space = Space(8);
/// System tenant: SHA-256 of an issuer, a zero byte and a subject → [`FederationPointer`].
pub const FEDERATION_POINTERS: Space = Space(9);
/// System tenant: one key, by which the key is known again that sealed what is kept sealed (a text).
pub const VAULT_MARK: Space = Space(85);
/// System tenant: one key, the keys that sign for programs downstream ([`super::SigningKeys`]).
pub const SIGNING_KEYS: Space = Space(86);
/// Name of a connection → [`ConnectionRow`].
pub const CONNECTIONS: Space = Space(16);
/// Connection id → [`TokensRow`].
pub const TOKENS: Space = Space(17);
/// Token id → when it was last used (text of an instant).
pub const TOKEN_USE: Space = Space(18);
/// One key: up to which entry of the history values were erased because of their age (a number).
pub const RETAINED: Space = Space(64);
/// Person id → [`AdministratorRow`].
pub const ADMINISTRATORS: Space = Space(19);
/// SHA-256 of an invitation's secret → [`InvitationRow`]. Of earlier builds, which had no way to follow one; invitations are in [`MAILED`].
pub const INVITATIONS: Space = Space(20);

/// Kind, id of a resource and id of a connection → what the connection said of it that no schema knows (a JSON object).
pub const SHADOWS: Space = Space(21);
/// Connection id, client id → [`ClientRow`].
pub const CLIENTS: Space = Space(32);
/// Client id, second until which it matters (8 bytes, big-endian), first half of the SHA-256 of an assertion's `jti` → one byte.
pub const ASSERTIONS: Space = Space(33);
/// Folded URN of a schema of the tenant's own → [`SchemaRow`].
pub const SCHEMAS: Space = Space(24);
/// Folded URN, 0, version (4 bytes, big-endian) → [`SchemaVersionRow`]. No version is ever forgotten.
pub const SCHEMA_VERSIONS: Space = Space(25);
/// SHA-256 of what opens a session → [`SessionRow`].
pub const SESSIONS: Space = Space(40);
/// Person id, hash of a session → nothing: the sessions of a person.
pub const SESSIONS_OF: Space = Space(41);
/// Name of a provider, 0, SHA-256 of its `sid`, hash of a session → nothing.
pub const SESSIONS_BY_SID: Space = Space(42);
/// Millisecond (8 bytes, big-endian), hash of a session → nothing: when a session is over.
pub const SESSIONS_DUE: Space = Space(43);
/// Name of a provider, 0, SHA-256 of an issuer, a zero byte and a subject → [`LinkRow`].
pub const LINKS: Space = Space(44);
/// Person id, name of a provider → the key of their identity there.
pub const LINKED: Space = Space(45);
/// What it is of (1 byte), SHA-256 of its name → what is remembered for minutes: sign-ins that were begun, orders that count once; and how many there
/// are (a counter).
pub const FLEETING: Space = Space(34);
/// Millisecond (8 bytes, big-endian), key in [`FLEETING`] → nothing: when it is over.
pub const FLEETING_DUE: Space = Space(35);
/// Name of a provider → how often everything that anybody had signed in with through it was ended (a counter).
pub const PROVIDER_EPOCHS: Space = Space(46);
/// Person id → how often everything that they had signed in with was ended at once (a counter): what carries an older number is dead.
pub const EPOCHS: Space = Space(48);
/// Person id → [`SignInRow`]: when they last signed in.
pub const SIGN_INS: Space = Space(49);
/// Person id → [`HoldsRow`]: which programs have records of the person.
pub const HOLDS: Space = Space(50);
/// Person id, memo id → [`MemoRow`]: what is written down about the person; person id → how many there are (a counter).
pub const MEMOS: Space = Space(51);
/// Millisecond (8 bytes, big-endian), person id → nothing: when the person's schedule has to be looked at.
pub const DUE: Space = Space(52);
/// One key: the id of the person whose account it is.
pub const OWNER: Space = Space(53);
/// Person id → when plugins are asked about them again, and why.
pub const PARKED: Space = Space(54);
/// Millisecond (8 bytes, big-endian), person id → nothing: the same by when.
pub const PARKED_DUE: Space = Space(55);
/// `failed` and `waiting` → how many people there are in [`PARKED`] whom a plugin could not map, and others (counters).
pub const PARKED_COUNTS: Space = Space(56);
/// One key: how far the history was followed for changes that concern people whom plugins map.
pub const FOLLOWED: Space = Space(57);
/// Person id → [`PasswordRow`].
pub const PASSWORDS: Space = Space(70);
/// Person id → how often a password of theirs was set or taken (a counter): sessions that began with an older one are dead.
pub const PASSWORD_EPOCHS: Space = Space(71);
/// Person id → [`MeansRow`]: how they sign in, where an administrator has said it.
pub const MEANS: Space = Space(73);
/// SHA-256 of what a mailed link holds → [`MailedRow`].
pub const MAILED: Space = Space(74);
/// Person id, purpose (1 byte) → the key of the one link of theirs that is live.
pub const MAILED_OF: Space = Space(75);
/// Millisecond (8 bytes, big-endian), key in [`MAILED`] → nothing: when a link is over.
pub const MAILED_DUE: Space = Space(76);
/// Person id → [`SecondFactorRow`].
pub const SECOND_FACTORS: Space = Space(77);
/// Letter id → [`LetterRow`]: a mail that is to be sent.
pub const LETTERS: Space = Space(78);
/// Millisecond (8 bytes, big-endian), letter id → nothing: when it is tried next.
pub const LETTERS_DUE: Space = Space(79);
/// Pool id → how many people have one of its seats (a counter).
pub const SEATS: Space = Space(72);
/// [`GENERATION`] and [`FENCE`] → a number.
pub const SCHEMA_STATE: Space = Space(26);
/// How often the tenant's schemas have changed, or who sees them. Absent while there never was one.
pub const GENERATION: &[u8] = b"generation";
/// How often they have changed in a way that makes a difference to what is written. Writes stand on it.
pub const FENCE: &[u8] = b"fence";

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRow {
    /// Its number, which begins every key.
    pub number: TenantId,
    /// When it was made.
    pub created: Timestamp,
}

/// Where a token's row lives. Worth nothing by itself: the tenant's own row decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenPointer {
    /// Whose token it is.
    pub tenant: TenantId,
    /// Through which connection.
    pub connection: ConnectionId,
}

/// One IdP's connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// Its id, by which tokens and records name it.
    pub id: ConnectionId,
    /// The name of its profile (`auto`, `strict`).
    pub profile: String,
    /// When it was made.
    pub created: Timestamp,
    /// What it may beyond the ordinary.
    #[serde(default)]
    pub options: ConnectionOptions,
}

/// The live tokens of one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokensRow {
    /// The connection's name.
    pub connection: String,
    /// Its tokens, oldest first.
    pub tokens: Vec<TokenRow>,
}

/// A bearer token. The secret itself is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Its id, by which the audit trail names it.
    pub id: TokenId,
    /// SHA-256 of the secret, hexadecimal.
    pub hash: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops working; `None` only where the operator asked for that.
    pub expires: Option<Timestamp>,
    /// As whom it acts; `None` where it acts as nobody but itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<ResourceId>,
}

/// Which client an issuer's subject stands for. Worth nothing by itself: the client's own row decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederationPointer {
    /// Whose client it is.
    pub tenant: TenantId,
    /// Of which connection.
    pub connection: ConnectionId,
    /// Which.
    pub client: ClientId,
}

/// A client of a connection, and everything it was given: one row, so that ending any of it is one write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRow {
    /// The connection's name.
    pub connection: String,
    /// The most it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it shows its secret with each request, instead of fetching access tokens.
    pub basic: bool,
    /// Its secrets, oldest first.
    pub secrets: Vec<SecretRow>,
    /// Whose assertions stand for it.
    pub federation: Option<FederationRow>,
    /// Its access tokens, oldest first.
    pub access: Vec<AccessRow>,
    /// How many `jti` are remembered for it.
    #[serde(default)]
    pub assertions: u32,
}

/// A client's secret. The secret itself is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRow {
    /// Its id, by which it is revoked.
    pub id: TokenId,
    /// SHA-256 of the secret, hexadecimal.
    pub hash: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops working.
    pub expires: Timestamp,
}

/// What is pinned of assertions that stand for a client (RFC 7523).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederationRow {
    /// The issuer.
    pub issuer: String,
    /// The subject.
    pub subject: String,
    /// The audiences, any of which will do.
    pub audiences: Vec<String>,
    /// Where the issuer's keys are; where its metadata says when `None`.
    pub keys_url: Option<String>,
    /// Names of the algorithms that are taken.
    pub algorithms: Vec<String>,
    /// Longest life of an assertion.
    pub lifetime_minutes_max: u32,
}

/// An access token. The token itself is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRow {
    /// SHA-256 of the token, hexadecimal.
    pub hash: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it stops working.
    pub expires: Timestamp,
    /// The secret it was fetched with; an assertion where `None`.
    pub by: Option<TokenId>,
}

/// A person who administers the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdministratorRow {
    /// Since when.
    pub since: Timestamp,
}

/// An invitation that has not been followed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationRow {
    /// Who is invited.
    pub person: ResourceId,
    /// When it stops working.
    pub expires: Timestamp,
}

/// An identity at a provider, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRow {
    /// Whose.
    pub person: ResourceId,
    /// Who speaks.
    pub issuer: String,
    /// Of whom.
    pub subject: String,
    /// Since when it is known.
    pub since: Timestamp,
    /// How it was found.
    pub by: String,
}

/// A session. The secret that opens it is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Who is signed in.
    pub person: ResourceId,
    /// How often everything of theirs had been ended when it began.
    pub epoch: u64,
    /// How it began.
    pub method: Method,
    /// By which provider.
    pub provider: Option<String>,
    /// How often everything of that provider's had been ended when it began.
    #[serde(default)]
    pub provider_epoch: u64,
    /// The provider's own session.
    pub sid: Option<String>,
    /// When the person proved who they are.
    pub signed_in: Timestamp,
    /// How strong the proof was, in the provider's words.
    pub acr: Option<String>,
    /// What it consisted of.
    pub amr: Vec<String>,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub seen: Timestamp,
    /// When it ends at the latest.
    pub expires: Timestamp,
    /// From where it was begun.
    pub address: String,
    /// With what program.
    pub agent: String,
    /// How often their password had been set, where it began with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_epoch: Option<u64>,
    /// Whether the password was given to them by somebody else, so that nothing is open to them but to set their own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub must_change: bool,
    /// Whether the provider did not say when the person proved who they are: then `signed_in` is when they came.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undated: bool,
    /// For whom they act (P07), as long as they may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting_for: Option<ResourceId>,
    /// The provider's ID token, which ends its own session when the person signs out; sealed with a key that is not in the store, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

/// A person's password. The password itself is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordRow {
    /// Its hash, as a PHC string.
    pub hash: String,
    /// Since when.
    pub since: Timestamp,
    /// Whether somebody else has set it, so that it has to be changed at the next sign-in (P05).
    #[serde(default)]
    pub must_change: bool,
}

/// How a person signs in, as an administrator has said it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeansRow {
    /// How; what the firm has decided where `None`.
    pub way: Option<Way>,
    /// Whether they may use a password although they sign in otherwise: for when the provider is out of reach.
    #[serde(default)]
    pub break_glass: bool,
}

/// A link that was mailed. What opens it is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailedRow {
    /// To whom.
    pub person: ResourceId,
    /// What for.
    pub purpose: Purpose,
    /// To which address; `None` where it was given to an operator.
    pub address: Option<String>,
    /// How often everything of theirs had been ended.
    pub epoch: u64,
    /// How often their password had been set.
    pub password_epoch: u64,
    /// SHA-256 of what has to be typed in, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How often something else was typed in.
    #[serde(default)]
    pub wrong: u32,
    /// The letter by which it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<Uuid>,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops working.
    pub expires: Timestamp,
}

/// A person's second factor.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactorRow {
    /// The secret, sealed with a key that is not in the store, hexadecimal.
    pub sealed: String,
    /// Whether they have shown that they have it.
    pub confirmed: bool,
    /// The last step that counted; none before it does again.
    pub step: u64,
    /// SHA-256 of the recovery codes that are left, hexadecimal.
    pub recovery: Vec<String>,
    /// Since when.
    pub since: Timestamp,
}

/// A mail that is to be sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterRow {
    /// To whom.
    pub person: ResourceId,
    /// What it says.
    pub kind: LetterKind,
    /// To which address; the one that the person has when it is sent, where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What it opens, sealed with a key that is not in the store, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// Until when what it opens is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When it was written.
    pub made: Timestamp,
    /// When it is tried next.
    pub due: Timestamp,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
}

/// When a person last signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInRow {
    /// When.
    pub at: Timestamp,
    /// How: `oidc`, `password`, `magic-link`, or what the program that reports it calls it.
    pub method: String,
}

/// Which programs have records of a person. One row for all, so that an erasure can stand on there being none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HoldsRow {
    /// By the program's name.
    pub holds: BTreeMap<String, HoldRow>,
}

/// What records one program has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRow {
    /// What kind of records, in the program's words.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Since when.
    pub since: Timestamp,
    /// Who said so, in the history's words.
    pub by: String,
}

/// A memo about a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoRow {
    /// What it says.
    pub text: String,
    /// When it was written.
    pub at: Timestamp,
    /// Who wrote it, in the history's words.
    pub by: String,
}

/// A schema of a tenant's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaRow {
    /// Its URN as it is spelled.
    pub id: String,
    /// The version that holds.
    pub version: u32,
    /// Who sees it, beside the tenant's administrators.
    pub connections: Vec<ConnectionId>,
    /// Whether resources are still being indexed for this version.
    #[serde(default)]
    pub building: bool,
    /// When it was added.
    pub created: Timestamp,
}

/// One version of a schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SchemaVersionRow {
    /// Since when. Who it was stands in the history.
    pub at: Timestamp,
    /// The document, with everything said that its author left out.
    pub document: serde_json::Value,
}

/// The key of a schema.
pub fn schema_key(id: &str) -> Vec<u8> {
    id.to_ascii_lowercase().into_bytes()
}

/// The beginning of the keys of a schema's versions.
pub fn schema_versions(id: &str) -> Vec<u8> {
    let mut key = schema_key(id);
    key.push(0);
    key
}

/// The key of one version.
pub fn schema_version(id: &str, version: u32) -> Vec<u8> {
    let mut key = schema_versions(id);
    key.extend(version.to_be_bytes());
    key
}

/// Writes a row.
pub fn encode<T: Serialize>(row: &T) -> Result<Vec<u8>, RosterError> {
    serde_json::to_vec(row)
        .map_err(|error| RosterError::Broken(format!("a row could not be written: {error}")))
}

/// Reads a row.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RosterError> {
    serde_json::from_slice(bytes)
        .map_err(|error| RosterError::Broken(format!("a row could not be read: {error}")))
}
