//! What the roster keeps in the store's small values: which drawers there are, and the rows in them.
//!
//! Rows are JSON, so that a later version can add a field. Drawer numbers never change their meaning.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::error::RosterError;
use super::scope::Scopes;
use crate::ids::{ConnectionId, ResourceId, TenantId, TokenId};
use crate::store::Space;

/// System tenant: name of a tenant → [`TenantRow`].
pub const TENANTS: Space = Space(1);
/// System tenant: SHA-256 of a token → [`TokenPointer`].
pub const TOKEN_POINTERS: Space = Space(2);
/// System tenant: one key, the number that the next tenant gets (4 bytes, big-endian).
pub const NEXT_TENANT: Space = Space(3);
/// System tenant: one key, the 32 bytes with which cursors are sealed. They open nothing but cursors.
pub const CURSOR_KEY: Space = Space(4);
/// Name of a connection → [`ConnectionRow`].
pub const CONNECTIONS: Space = Space(16);
/// Connection id → [`TokensRow`].
pub const TOKENS: Space = Space(17);
/// Token id → when it was last used (text of an instant).
pub const TOKEN_USE: Space = Space(18);
/// Person id → [`AdministratorRow`].
pub const ADMINISTRATORS: Space = Space(19);
/// SHA-256 of an invitation's secret → [`InvitationRow`].
pub const INVITATIONS: Space = Space(20);

/// Kind, id of a resource and id of a connection → what the connection said of it that no schema knows (a JSON object).
pub const SHADOWS: Space = Space(21);

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
