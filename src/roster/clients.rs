//! Clients of a connection: what an operator gives an identity provider that fetches its tokens by itself (D-E20).
//!
//! A client proves itself by a secret, of which it may have two at a time, or by assertions of an issuer that is pinned here; or, where
//! nothing better is to be had, it shows its secret with each request (Basic). What it proves itself for is in `grants`. Everything
//! a client was given lies in its one row, so that revoking any of it is one unit.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::PoisonError;
use zeroize::Zeroizing;

use super::commit::{Plan, hex};
use super::error::RosterError;
use super::rows::{
    self, ASSERTIONS, CLIENT_POINTERS, CLIENTS, ClientRow, FEDERATION_POINTERS, FederationPointer,
    FederationRow, SecretRow, TOKEN_USE, TokenPointer,
};
use super::scope::{Caller, Scope, Scopes};
use super::{Roster, all_small};
use crate::ids::{ClientId, ConnectionId, RequestId, TenantId, TokenId};
use crate::store::{Action, Actor, Change, Given, Outcome, PAGE_ROWS_MAX, Snapshot, Space, Unit, Write};

/// What begins every client secret, so that secret scanners know it.
pub const SECRET_PREFIX: &str = "rosts_";
/// How many live secrets a client may have: one in use, and one to rotate to.
pub const SECRETS_PER_CLIENT_MAX: usize = 2;
/// How many clients a connection may have.
pub const CLIENTS_PER_CONNECTION_MAX: usize = 8;
/// Most audiences that are pinned.
pub const AUDIENCES_MAX: usize = 8;
/// Longest issuer, subject, audience or URL.
const PINNED_CHARACTERS_MAX: usize = 2048;
/// Longest life of an assertion that may be pinned: tokens of cloud platforms for machines live a day.
pub const ASSERTION_MINUTES_MAX: u32 = 24 * 60;
/// The algorithms that may be pinned.
pub const FEDERATION_ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// How a client proves itself at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientKind {
    /// By a secret, for which it fetches access tokens.
    Secret,
    /// By a secret that it shows with each request.
    Basic,
    /// Not at all yet: an issuer is pinned next.
    Federated,
}

/// A secret that has just been made. It is shown once and is nowhere afterwards.
pub struct IssuedSecret {
    /// Its id, by which it is revoked.
    pub id: TokenId,
    /// The secret.
    pub secret: Zeroizing<String>,
    /// When it stops working.
    pub expires: Timestamp,
}

/// What an operator pins of assertions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Federation {
    /// The issuer, letter for letter.
    pub issuer: String,
    /// The subject, letter for letter.
    pub subject: String,
    /// The audiences, of which one must be there, letter for letter.
    pub audiences: Vec<String>,
    /// Where the issuer's keys are; where its metadata says when `None`.
    pub keys_url: Option<String>,
    /// Names of the algorithms that are taken.
    pub algorithms: Vec<String>,
    /// Longest life of an assertion.
    pub lifetime_minutes_max: u32,
}

/// A client as it is listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientView {
    /// Its id, which is no secret.
    pub id: ClientId,
    /// The name of its connection.
    pub connection: String,
    /// The most it may do.
    pub scopes: Scopes,
    /// Whether it shows its secret with each request.
    pub basic: bool,
    /// Its secrets.
    pub secrets: Vec<SecretView>,
    /// Whose assertions stand for it.
    pub federation: Option<Federation>,
    /// How many access tokens of it are live.
    pub access_tokens: usize,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
}

/// A client's secret as it is listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SecretView {
    /// Its id.
    pub id: TokenId,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops working.
    pub expires: Timestamp,
}

/// How the clients of a connection prove themselves, beside bearer tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schemes {
    /// Some fetch access tokens.
    pub oauth2: bool,
    /// Some show their secret with each request.
    pub basic: bool,
}

/// Where a client's row lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientAt {
    pub(super) tenant: TenantId,
    pub(super) connection: ConnectionId,
    pub(super) client: ClientId,
}

impl ClientAt {
    pub(super) fn key(self) -> Vec<u8> {
        [self.connection.as_bytes().as_slice(), self.client.as_bytes()].concat()
    }

    /// Reads the row as it lies there, and what it says.
    pub(super) fn read(self, snapshot: &dyn Snapshot) -> Result<Option<(Vec<u8>, ClientRow)>, RosterError> {
        let Some(bytes) = snapshot.small(self.tenant, CLIENTS, &self.key())? else { return Ok(None) };
        let row = rows::decode(&bytes)?;
        Ok(Some((bytes, row)))
    }

    /// Says that the row was this, and shall be that.
    pub(super) fn plan(
        self,
        before: Vec<u8>,
        after: Option<&ClientRow>,
        change: Change,
    ) -> Result<Plan, RosterError> {
        let value = after.map(rows::encode).transpose()?;
        Ok(Plan {
            given: vec![Given::Small(CLIENTS, self.key(), Some(before))],
            writes: vec![Write::Small { space: CLIENTS, key: self.key(), value }],
            changes: vec![change],
            ..Plan::default()
        })
    }
}

impl Roster {
    /// Makes a client, and its first secret where it is to have one.
    pub fn create_client(
        &self,
        caller: &Caller,
        connection: &str,
        scopes: Scopes,
        kind: ClientKind,
        lifetime: SignedDuration,
    ) -> Result<(ClientId, Option<IssuedSecret>), RosterError> {
        let at = ClientAt {
            tenant: caller.tenant,
            connection: self.connection_id(caller, connection)?,
            client: ClientId::new(self.chance.uuid(caller.now)),
        };
        if [Scope::Admin, Scope::Audit].into_iter().any(|scope| scopes.has(scope)) {
            return Err(RosterError::Unfit(
                "a client is an identity provider's, and gets neither of the scopes admin and audit; leave them out".to_owned(),
            ));
        }
        let issued = match kind {
            ClientKind::Federated => None,
            ClientKind::Secret | ClientKind::Basic => Some(self.new_secret(caller, lifetime)?),
        };
        let row = ClientRow {
            connection: connection.to_owned(),
            scopes,
            created: caller.now,
            basic: kind == ClientKind::Basic,
            secrets: issued.iter().map(|issued| issued.row(caller.now)).collect(),
            federation: None,
            access: vec![],
            assertions: 0,
        };
        let _making = self.making_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let pointer = rows::encode(&TokenPointer { tenant: at.tenant, connection: at.connection })?;
        self.put_pointer(CLIENT_POINTERS, at.client.as_bytes(), None, pointer)?;
        let made = self.carry_out(caller, Action::ClientCreate, |snapshot| {
            let prefix = at.connection.as_bytes();
            let there = snapshot.small_range(at.tenant, CLIENTS, prefix, None, CLIENTS_PER_CONNECTION_MAX)?;
            if there.len() >= CLIENTS_PER_CONNECTION_MAX {
                return Err(RosterError::Unfit(format!(
                    "connection \"{connection}\" has {CLIENTS_PER_CONNECTION_MAX} clients already; revoke one first (rosterd client list, rosterd client revoke ID)"
                )));
            }
            let change = Change::of("client", None, Some(told(at.client, &row)));
            let plan = Plan {
                given: vec![Given::Small(CLIENTS, at.key(), None)],
                writes: vec![Write::Small { space: CLIENTS, key: at.key(), value: Some(rows::encode(&row)?) }],
                changes: vec![change],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        });
        if let Err(RosterError::Unfit(_)) = made {
            self.remove_pointer(CLIENT_POINTERS, at.client.as_bytes())?;
        }
        made?;
        Ok((at.client, issued))
    }

    /// Gives a client another secret. A third is refused: somebody has forgotten to end the first.
    pub fn add_secret(
        &self,
        caller: &Caller,
        client: ClientId,
        lifetime: SignedDuration,
    ) -> Result<IssuedSecret, RosterError> {
        let at = self.client_of(caller, client)?;
        let issued = self.new_secret(caller, lifetime)?;
        self.change_client(caller, Action::SecretCreate, at, |row| {
            row.secrets.retain(|secret| secret.expires > caller.now);
            if row.secrets.len() >= SECRETS_PER_CLIENT_MAX {
                return Err(RosterError::Unfit(format!(
                    "client {client} has {SECRETS_PER_CLIENT_MAX} live secrets already; revoke the older one first (rosterd client list, rosterd client secret revoke {client} SECRET-ID)"
                )));
            }
            row.secrets.push(issued.row(caller.now));
            let new = json!({ "client": client, "id": issued.id, "expires": issued.expires });
            Ok(Change::of("secret", None, Some(new)))
        })?;
        Ok(issued)
    }

    /// Ends a secret at once, and with it every access token that was fetched with it.
    pub fn revoke_secret(
        &self,
        caller: &Caller,
        client: ClientId,
        secret: TokenId,
    ) -> Result<(), RosterError> {
        let at = self.client_of(caller, client)?;
        self.change_client(caller, Action::SecretRevoke, at, |row| {
            let Some(found) = row.secrets.iter().position(|known| known.id == secret) else {
                return Err(RosterError::Unknown(format!(
                    "client {client} has no live secret {secret}; rosterd client list shows them"
                )));
            };
            let ended = row.secrets.remove(found);
            row.access.retain(|access| access.by != Some(secret));
            let old = json!({ "client": client, "id": ended.id, "expires": ended.expires });
            Ok(Change::of("secret", Some(old), None))
        })
    }

    /// Pins whose assertions stand for a client, in place of what was pinned before. Access tokens that assertions fetched end.
    pub fn federate(
        &self,
        caller: &Caller,
        client: ClientId,
        pinned: &Federation,
    ) -> Result<(), RosterError> {
        let at = self.client_of(caller, client)?;
        let after = check_federation(pinned)?;
        let _making = self.making_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let key = federation_key(&after.issuer, &after.subject);
        let fresh = self.point_federation(at, &key)?;
        let mut before = None;
        let done = self.change_client(caller, Action::ClientFederate, at, |row| {
            if row.basic {
                return Err(RosterError::Unfit(format!(
                    "client {client} shows its secret with each request (Basic); make another for assertions (rosterd client create --federated)"
                )));
            }
            row.access.retain(|access| access.by.is_some());
            before = row.federation.replace(after.clone());
            let told = |row: &FederationRow| json!({ "client": client, "federation": row });
            Ok(Change::of("federation", before.as_ref().map(told), Some(told(&after))))
        });
        if fresh && matches!(done, Err(RosterError::Unfit(_) | RosterError::Unknown(_))) {
            self.remove_pointer(FEDERATION_POINTERS, &key)?;
        }
        done?;
        let left = before.map(|row| federation_key(&row.issuer, &row.subject)).filter(|old| *old != key);
        left.map_or(Ok(()), |old| self.remove_pointer(FEDERATION_POINTERS, &old))
    }

    /// Ends a client at once, with its secrets and its access tokens.
    pub fn revoke_client(&self, caller: &Caller, client: ClientId) -> Result<(), RosterError> {
        let at = self.client_of(caller, client)?;
        let _making = self.making_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = self.carry_out(caller, Action::ClientRevoke, |snapshot| {
            let (before, row) = at.read(snapshot)?.ok_or_else(|| unknown(client))?;
            let change = Change::of("client", Some(told(client, &row)), None);
            Ok((Some(at.plan(before, None, change)?), row))
        });
        // Also when the store cannot say whether the end was written.
        drop(self.credentials.forget_all());
        let row = ended?;
        if let Some(pinned) = &row.federation {
            self.remove_pointer(FEDERATION_POINTERS, &federation_key(&pinned.issuer, &pinned.subject))?;
        }
        self.forget_assertions(at)?;
        self.remove_pointer(CLIENT_POINTERS, client.as_bytes())
    }

    /// Lists a tenant's clients.
    pub fn clients(&self, caller: &Caller) -> Result<Vec<ClientView>, RosterError> {
        self.write_down_token_use();
        let snapshot = self.store.snapshot()?;
        let mut views = Vec::new();
        for stored in all_small(snapshot.as_ref(), caller.tenant, CLIENTS)? {
            let Some(id) = stored.key.last_chunk::<16>() else { continue };
            let row: ClientRow = rows::decode(&stored.value)?;
            let used = snapshot.small(caller.tenant, TOKEN_USE, id)?;
            views.push(ClientView {
                id: ClientId::from_bytes(*id),
                connection: row.connection,
                scopes: row.scopes,
                basic: row.basic,
                secrets: row.secrets.into_iter().map(SecretView::from).collect(),
                federation: row.federation.map(Federation::from),
                access_tokens: row.access.iter().filter(|access| access.expires > caller.now).count(),
                created: row.created,
                last_used: used.as_deref().map(rows::decode).transpose()?,
            });
        }
        Ok(views)
    }

    /// Tells how the clients of the caller's connection prove themselves.
    pub fn schemes(&self, caller: &Caller) -> Result<Schemes, RosterError> {
        let snapshot = self.store.snapshot()?;
        let prefix = caller.connection.as_bytes();
        let mut schemes = Schemes::default();
        for stored in
            snapshot.small_range(caller.tenant, CLIENTS, prefix, None, CLIENTS_PER_CONNECTION_MAX)?
        {
            let row: ClientRow = rows::decode(&stored.value)?;
            schemes.basic |= row.basic;
            schemes.oauth2 |= !row.basic;
        }
        Ok(schemes)
    }

    /// Acts as the operator for the tenant whose client this is.
    pub fn operator_of_client(
        &self,
        client: &str,
        request: RequestId,
    ) -> Result<(Caller, ClientId), RosterError> {
        let refused =
            || RosterError::Unknown("no client has this id; rosterd client list shows them".to_owned());
        let client = ClientId::parse(client).map_err(|_| refused())?;
        let snapshot = self.store.snapshot()?;
        let at = Self::client_at(snapshot.as_ref(), client)?.ok_or_else(refused)?;
        let sight = self.sight(snapshot.as_ref(), at.tenant, super::LOCAL, Scopes::of(Scope::ALL))?;
        let policy = self.policy(snapshot.as_ref(), at.tenant)?;
        Ok((self.at_hand(at.tenant, request, Actor::Cli, sight, policy), client))
    }

    /// Finds where a client's row would lie.
    pub(super) fn client_at(
        snapshot: &dyn Snapshot,
        client: ClientId,
    ) -> Result<Option<ClientAt>, RosterError> {
        let Some(pointer) = snapshot.small(TenantId::SYSTEM, CLIENT_POINTERS, client.as_bytes())? else {
            return Ok(None);
        };
        let TokenPointer { tenant, connection } = rows::decode(&pointer)?;
        Ok(Some(ClientAt { tenant, connection, client }))
    }

    fn client_of(&self, caller: &Caller, client: ClientId) -> Result<ClientAt, RosterError> {
        let at = Self::client_at(self.store.snapshot()?.as_ref(), client)?;
        at.filter(|at| at.tenant == caller.tenant).ok_or_else(|| unknown(client))
    }

    fn new_secret(&self, caller: &Caller, lifetime: SignedDuration) -> Result<IssuedSecret, RosterError> {
        let expires = caller.now.checked_add(lifetime).map_err(|_| {
            RosterError::Unfit("the secret's lifetime ends beyond the calendar; give fewer days".to_owned())
        })?;
        let secret = Zeroizing::new(format!("{SECRET_PREFIX}{}", hex(&self.chance.secret())));
        Ok(IssuedSecret { id: TokenId::new(self.chance.uuid(caller.now)), secret, expires })
    }

    /// Changes a client's row. What was remembered of its credentials is forgotten, whatever the store says.
    fn change_client(
        &self,
        caller: &Caller,
        action: Action,
        at: ClientAt,
        mut change: impl FnMut(&mut ClientRow) -> Result<Change, RosterError>,
    ) -> Result<(), RosterError> {
        let done = self.carry_out(caller, action, |snapshot| {
            let (before, mut row) = at.read(snapshot)?.ok_or_else(|| unknown(at.client))?;
            let change = change(&mut row)?;
            Ok((Some(at.plan(before, Some(&row), change)?), ()))
        });
        drop(self.credentials.forget_all());
        done
    }

    /// Writes which client an issuer's subject stands for; tells whether that is new. Another live client's is not taken away.
    fn point_federation(&self, at: ClientAt, key: &[u8]) -> Result<bool, RosterError> {
        let snapshot = self.store.snapshot()?;
        let taken = snapshot.small(TenantId::SYSTEM, FEDERATION_POINTERS, key)?;
        let ours = FederationPointer { tenant: at.tenant, connection: at.connection, client: at.client };
        if let Some(taken) = &taken {
            let pointer: FederationPointer = rows::decode(taken)?;
            if pointer == ours {
                return Ok(false);
            }
            if holds_federation(snapshot.as_ref(), &pointer, key)? {
                return Err(RosterError::Unfit(format!(
                    "this subject of this issuer stands for client {} already; revoke that one first, or pin another subject",
                    pointer.client
                )));
            }
        }
        drop(snapshot);
        self.put_pointer(FEDERATION_POINTERS, key, taken, rows::encode(&ours)?)?;
        Ok(true)
    }

    /// Writes a pointer before what it leads to, so that a crash between leaves only a pointer to nothing.
    fn put_pointer(
        &self,
        space: Space,
        key: &[u8],
        taken: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> Result<(), RosterError> {
        let given = vec![Given::Small(space, key.to_vec(), taken)];
        let write = Write::Small { space, key: key.to_vec(), value: Some(value) };
        match self.store.commit(TenantId::SYSTEM, Unit { given, writes: vec![write], log: None })? {
            Outcome::Committed { .. } => Ok(()),
            Outcome::Lost(_) => Err(RosterError::Busy),
        }
    }

    fn remove_pointer(&self, space: Space, key: &[u8]) -> Result<(), RosterError> {
        let write = Write::Small { space, key: key.to_vec(), value: None };
        self.store.commit(TenantId::SYSTEM, Unit { given: vec![], writes: vec![write], log: None })?;
        Ok(())
    }

    /// Removes what was remembered of a client's assertions. It is no more, so that nothing can be added meanwhile.
    fn forget_assertions(&self, at: ClientAt) -> Result<(), RosterError> {
        loop {
            let prefix = at.client.as_bytes();
            let page =
                self.store.snapshot()?.small_range(at.tenant, ASSERTIONS, prefix, None, PAGE_ROWS_MAX)?;
            if page.is_empty() {
                return Ok(());
            }
            let forget = |key| Write::Small { space: ASSERTIONS, key, value: None };
            let writes = page.into_iter().map(|row| forget(row.key)).collect();
            self.store.commit(at.tenant, Unit { given: vec![], writes, log: None })?;
        }
    }
}

impl IssuedSecret {
    fn row(&self, created: Timestamp) -> SecretRow {
        SecretRow {
            id: self.id,
            hash: hex(&Sha256::digest(self.secret.as_bytes())),
            created,
            expires: self.expires,
        }
    }
}

impl From<SecretRow> for SecretView {
    fn from(row: SecretRow) -> Self {
        Self { id: row.id, created: row.created, expires: row.expires }
    }
}

impl From<FederationRow> for Federation {
    fn from(row: FederationRow) -> Self {
        let FederationRow { issuer, subject, audiences, keys_url, algorithms, lifetime_minutes_max } = row;
        Self { issuer, subject, audiences, keys_url, algorithms, lifetime_minutes_max }
    }
}

/// Returns the key under which an issuer's subject is looked up.
pub(super) fn federation_key(issuer: &str, subject: &str) -> Vec<u8> {
    // No issuer holds a zero byte, so that no two pairs are one.
    Sha256::new().chain_update(issuer).chain_update([0]).chain_update(subject).finalize().to_vec()
}

/// Tells whether a pointer's client still pins what the pointer stands for.
pub(super) fn holds_federation(
    snapshot: &dyn Snapshot,
    pointer: &FederationPointer,
    key: &[u8],
) -> Result<bool, RosterError> {
    let at = ClientAt { tenant: pointer.tenant, connection: pointer.connection, client: pointer.client };
    let row = at.read(snapshot)?;
    Ok(row
        .and_then(|(_, row)| row.federation)
        .is_some_and(|row| federation_key(&row.issuer, &row.subject) == key))
}

fn unknown(client: ClientId) -> RosterError {
    RosterError::Unknown(format!("no client has the id {client}; rosterd client list shows them"))
}

/// Says what the history says of a client: what it may do, and never by what it proves itself.
fn told(id: ClientId, row: &ClientRow) -> Value {
    let secrets: Vec<Value> =
        row.secrets.iter().map(|secret| json!({ "id": secret.id, "expires": secret.expires })).collect();
    json!({
        "id": id, "connection": row.connection, "scopes": row.scopes, "basic": row.basic, "secrets": secrets,
        "federation": row.federation,
    })
}

/// Refuses what could never be matched, or not safely.
fn check_federation(pinned: &Federation) -> Result<FederationRow, RosterError> {
    let refused = |what: String| Err(RosterError::Malformed(what));
    let named = std::iter::once(("issuer", &pinned.issuer))
        .chain([("subject", &pinned.subject)])
        .chain(pinned.audiences.iter().map(|audience| ("audience", audience)));
    for (what, text) in named {
        let sound = (1..=PINNED_CHARACTERS_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !sound {
            return refused(format!(
                "the {what} is empty, longer than {PINNED_CHARACTERS_MAX} characters, or holds spaces or characters outside ASCII; copy it from the identity provider letter for letter"
            ));
        }
    }
    if pinned.audiences.is_empty() || pinned.audiences.len() > AUDIENCES_MAX {
        return refused(format!("expected 1 to {AUDIENCES_MAX} audiences, found {}", pinned.audiences.len()));
    }
    for (what, url) in [("issuer", Some(&pinned.issuer)), ("URL of the keys", pinned.keys_url.as_ref())] {
        let Some(url) = url.filter(|_| what != "issuer" || pinned.keys_url.is_none()) else { continue };
        if !is_https(url) {
            return refused(format!(
                "the {what} is no https URL, and keys are fetched by https only; give one such as https://login.example.com/keys"
            ));
        }
    }
    if pinned.algorithms.is_empty() {
        return refused("no algorithm is named; RS256 is what most identity providers use".to_owned());
    }
    if let Some(wrong) = pinned.algorithms.iter().find(|name| !FEDERATION_ALGORITHMS.contains(&name.as_str()))
    {
        let shown: String = wrong.chars().take(20).collect();
        return refused(format!(
            "unknown algorithm \"{}\"; expected one of: {} (none and those with a shared secret are never taken)",
            shown.escape_debug(),
            FEDERATION_ALGORITHMS.join(", ")
        ));
    }
    if !(1..=ASSERTION_MINUTES_MAX).contains(&pinned.lifetime_minutes_max) {
        return refused(format!(
            "expected assertions to live 1 to {ASSERTION_MINUTES_MAX} minutes, found {}",
            pinned.lifetime_minutes_max
        ));
    }
    let Federation { issuer, subject, audiences, keys_url, algorithms, lifetime_minutes_max } =
        pinned.clone();
    Ok(FederationRow { issuer, subject, audiences, keys_url, algorithms, lifetime_minutes_max })
}

fn is_https(url: &str) -> bool {
    url.len() <= PINNED_CHARACTERS_MAX
        && url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.bytes().all(|byte| byte.is_ascii_graphic())
        && !url.contains(['@', '#', '\\'])
}
