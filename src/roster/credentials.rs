//! Bearer tokens: made once, kept as a hash, looked up on every request.
//!
//! A token's hash leads through the system tenant to the tenant's own row, and that row alone decides: revoking is one unit, and an
//! orphaned pointer opens nothing. What was looked up is remembered in memory; any change of any token, schema or policy empties
//! that memory before the change is acknowledged.

mod behalf;
mod known;
mod seated;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub(super) use known::Credentials;

use super::asked::{Run, Served};
use super::commit::{Plan, hex, unhex};
use super::error::RosterError;
use super::rows::{
    self, ConnectionRow, TOKEN_POINTERS, TOKEN_USE, TOKENS, TokenPointer, TokenRow, TokensRow,
};
use super::scope::{Caller, ConnectionOptions, Scope, Scopes};
use super::sight::Sight;
use super::{LOCAL, Roster, bound};
use crate::idp::Profile;
use crate::idp::profile::AUTO;
use crate::ids::{ConnectionId, RequestId, ResourceId, TenantId, TokenId};
use crate::psa::authority::Authority;
use crate::psa::policy::Policy;
use crate::store::{Action, Actor, Change, Given, Snapshot, Unit, Write};

/// What begins every token that is made here, so that secret scanners know it.
pub const TOKEN_PREFIX: &str = "rost_";
/// The shortest token that an operator may bring (X2).
pub const TOKEN_CHARACTERS_MIN: usize = 32;
/// The longest token that is looked up at all.
pub const TOKEN_CHARACTERS_MAX: usize = 1024;
/// How many live tokens a connection may have: one in use, and one to rotate to (X3). A person may have as many that are bound to them.
pub const TOKENS_PER_CONNECTION_MAX: usize = 2;
/// How many the built-in connection may have that are bound to nobody: each program of the administrators has its own.
pub const TOKENS_OF_LOCAL_MAX: usize = 32;
/// How many tokens of a connection may be bound to people. They lie in one row.
pub const TOKENS_BOUND_MAX: usize = 500;

/// A token that has just been made. The secret is shown once and is nowhere afterwards.
pub struct Issued {
    /// Its id, by which it is listed and revoked.
    pub id: TokenId,
    /// The secret, for the `Authorization: Bearer` header.
    pub secret: Zeroizing<String>,
    /// When it stops working.
    pub expires: Option<Timestamp>,
}

/// What token is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewToken<'a> {
    /// What it may do.
    pub scopes: Scopes,
    /// How long it lives; `None` for ever.
    pub lifetime: Option<SignedDuration>,
    /// The operator's own, instead of a random one.
    pub brought: Option<&'a str>,
    /// As whom it acts: an id or a userName.
    pub person: Option<&'a str>,
}

/// A live token as it is listed.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// The name of its connection.
    pub connection: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops working.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
    /// As whom it acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<ResourceId>,
}

/// A credential as it was looked up.
#[derive(Debug)]
pub(super) struct Credential {
    tenant: TenantId,
    connection: ConnectionId,
    who: Actor,
    scopes: Scopes,
    profile: &'static Profile,
    options: ConnectionOptions,
    sight: Arc<Sight>,
    blind: Arc<Sight>,
    policy: Arc<Policy>,
    served: Option<Arc<Served>>,
    authority: Option<Arc<Authority>>,
    expires: Option<Timestamp>,
    /// Second of the last request.
    used: AtomicI64,
    /// Whether something has changed meanwhile that another process wrote. Kept for when it was used.
    stale: AtomicBool,
}

impl Credential {
    pub(super) fn new(
        tenant: TenantId,
        connection: ConnectionId,
        who: Actor,
        scopes: Scopes,
        Manner { profile, options, sight, blind, policy, served, authority }: Manner,
        expires: Option<Timestamp>,
    ) -> Self {
        let (used, stale) = (AtomicI64::new(0), AtomicBool::new(false));
        Self {
            tenant,
            connection,
            who,
            scopes,
            profile,
            options,
            sight,
            blind,
            policy,
            served,
            authority,
            expires,
            used,
            stale,
        }
    }
}

/// How a connection is spoken to.
pub(super) struct Manner {
    profile: &'static Profile,
    options: ConnectionOptions,
    sight: Arc<Sight>,
    /// What it sees without money.
    blind: Arc<Sight>,
    policy: Arc<Policy>,
    served: Option<Arc<Served>>,
    authority: Option<Arc<Authority>>,
}

impl Roster {
    /// Finds out who presents a bearer token; `None` when nobody may.
    pub fn authenticate(&self, presented: &str, request: RequestId) -> Result<Option<Caller>, RosterError> {
        if presented.len() > TOKEN_CHARACTERS_MAX {
            return Ok(None);
        }
        let hash = hash(presented);
        self.authenticate_by(hash, request, |snapshot| {
            match self.look_up_access(snapshot, presented, &hash)? {
                Some(found) => Ok(Some(found)),
                None => self.look_up(snapshot, &hash),
            }
        })
    }

    /// Finds out who presents a credential of any form, known here by a hash. `look_up` is asked where nobody was since the last change.
    pub(super) fn authenticate_by(
        &self,
        hash: [u8; 32],
        request: RequestId,
        look_up: impl FnOnce(&dyn Snapshot) -> Result<Option<Credential>, RosterError>,
    ) -> Result<Option<Caller>, RosterError> {
        // What is remembered counts only as long as it would be told what others change.
        let known = if self.store.is_current() { self.credentials.find(&hash) } else { None };
        let credential = match known {
            Some(known) => known,
            None => {
                let generation = self.credentials.generation();
                let Some(found) = look_up(self.store.snapshot()?.as_ref())? else { return Ok(None) };
                let found = Arc::new(found);
                self.credentials.remember(hash, &found, generation);
                found
            }
        };
        self.admit(&credential, request)
    }

    /// Makes a caller of a credential that was looked up, as far as it is good at this moment.
    fn admit(&self, credential: &Credential, request: RequestId) -> Result<Option<Caller>, RosterError> {
        let now = self.now();
        if credential.expires.is_some_and(|end| now >= end) {
            return Ok(None);
        }
        // Looked at each time: who was locked or removed a moment ago is out.
        if let Some(person) = credential.who.person()
            && !bound::may_come_in(self.store.snapshot()?.as_ref(), credential.tenant, person)?
        {
            return Ok(None);
        }
        credential.used.store(now.as_second(), Ordering::Relaxed);
        let mut caller = Caller {
            tenant: credential.tenant,
            connection: credential.connection,
            scopes: credential.scopes,
            who: credential.who,
            request,
            now,
            profile: credential.profile,
            options: credential.options,
            sight: Arc::clone(&credential.sight),
            policy: Arc::clone(&credential.policy),
            authority: credential.authority.clone(),
            led: None,
            rests: None,
            served: credential.served.clone(),
            run: Run::default(),
        };
        // What somebody may not see their token does not show either, whatever its scopes (A03, X25). Looked at each time, like the person.
        if let Some(person) = credential.who.person()
            && caller.may(Scope::Financials)
            && !self.sees_all_money(&caller, person)?
        {
            caller.scopes = caller.scopes.without(Scope::Financials);
            caller.sight = Arc::clone(&credential.blind);
        }
        Ok(Some(caller))
    }

    /// Says whose a credential was that is no longer good, as far as that can be told. Opens nothing.
    pub fn once_was_of(&self, presented: &str) -> Result<Option<(TenantId, ConnectionId)>, RosterError> {
        if presented.len() > TOKEN_CHARACTERS_MAX {
            return Ok(None);
        }
        let hash = hash(presented);
        if let Some(known) = self.ended.find(&hash) {
            return Ok(Some(known));
        }
        let pointer = self.store.snapshot()?.small(TenantId::SYSTEM, TOKEN_POINTERS, &hash)?;
        let pointer: Option<TokenPointer> = pointer.as_deref().map(rows::decode).transpose()?;
        Ok(pointer.map(|pointer| (pointer.tenant, pointer.connection)))
    }

    fn look_up(&self, snapshot: &dyn Snapshot, hash: &[u8; 32]) -> Result<Option<Credential>, RosterError> {
        let Some(pointer) = snapshot.small(TenantId::SYSTEM, TOKEN_POINTERS, hash)? else { return Ok(None) };
        let TokenPointer { tenant, connection } = rows::decode(&pointer)?;
        let Some(row) = tokens_of(snapshot, tenant, connection)? else { return Ok(None) };
        let wanted = hex(hash);
        let Some(token) =
            row.tokens.into_iter().find(|token| token.hash.as_bytes().ct_eq(wanted.as_bytes()).into())
        else {
            return Ok(None);
        };
        let manner = self.manner_of(snapshot, tenant, connection, &row.connection, token.scopes)?;
        let who = match token.person {
            Some(person) => Actor::Bound { token: token.id, person },
            None => Actor::Token(token.id),
        };
        Ok(Some(Credential::new(tenant, connection, who, token.scopes, manner, token.expires)))
    }

    /// Returns the policies of a connection, what it may beyond the ordinary, what it sees, and what its tenant has decided.
    pub(super) fn manner_of(
        &self,
        snapshot: &dyn Snapshot,
        tenant: TenantId,
        connection: ConnectionId,
        name: &str,
        scopes: Scopes,
    ) -> Result<Manner, RosterError> {
        let (profile, options) = match Self::connection_row(snapshot, tenant, name)? {
            Some(row) => (Profile::by_name(&row.profile).unwrap_or(&AUTO), row.options),
            None => (&AUTO, ConnectionOptions::default()),
        };
        let sight = self.sight(snapshot, tenant, connection, scopes)?;
        let served = self.served(snapshot, tenant, name)?;
        let blind = if scopes.has(Scope::Financials) {
            self.sight(snapshot, tenant, connection, scopes.without(Scope::Financials))?
        } else {
            Arc::clone(&sight)
        };
        let policy = self.policy(snapshot, tenant)?;
        // The tenant's own administrators are bound by their permissions and by nothing else.
        let authority = policy.authority.get(name).filter(|_| connection != LOCAL).cloned();
        Ok(Manner { profile, options, sight, blind, policy, served, authority })
    }

    /// Looks every credential up anew from now on: what one may do has changed.
    pub(super) fn forget_credentials(&self) {
        drop(self.credentials.forget_all());
    }

    /// Makes a token for a connection that acts as nobody but itself, random or (`brought`) the operator's own.
    pub fn create_token(
        &self,
        caller: &Caller,
        connection: &str,
        scopes: Scopes,
        lifetime: Option<SignedDuration>,
        brought: Option<&str>,
    ) -> Result<Issued, RosterError> {
        self.issue_token(caller, connection, NewToken { scopes, lifetime, brought, person: None })
    }

    /// Makes a token for a connection.
    pub fn issue_token(
        &self,
        caller: &Caller,
        connection: &str,
        wanted: NewToken<'_>,
    ) -> Result<Issued, RosterError> {
        let NewToken { scopes, lifetime, brought, person } = wanted;
        let id = self.connection_id(caller, connection)?;
        let person = person.map(|named| self.person_to_bind(caller, id, named)).transpose()?;
        bound::refuse_more_than_one_has(caller, id, scopes, person)?;
        let secret = match brought {
            Some(text) => Zeroizing::new(check_brought(text)?.to_owned()),
            None => Zeroizing::new(format!("{TOKEN_PREFIX}{}", hex(&self.chance.secret()))),
        };
        let expires = match lifetime {
            Some(lifetime) => Some(caller.now.checked_add(lifetime).map_err(|_| {
                RosterError::Unfit(
                    "the token's lifetime ends beyond the calendar; give fewer days".to_owned(),
                )
            })?),
            None => None,
        };
        let hash = hash(&secret);
        let row = TokenRow {
            id: TokenId::new(self.chance.uuid(caller.now)),
            hash: hex(&hash),
            scopes,
            created: caller.now,
            expires,
            person,
        };
        let _making = self.making_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        self.point(hash, caller.tenant, id)?;
        let made = self.carry_out(caller, Action::TokenCreate, |snapshot| {
            let before = snapshot.small(caller.tenant, TOKENS, id.as_bytes())?;
            let mut tokens = match &before {
                Some(bytes) => rows::decode::<TokensRow>(bytes)?.tokens,
                None => Vec::new(),
            };
            tokens.retain(|token| token.expires.is_none_or(|end| end > caller.now));
            bound::refuse_one_too_many(connection, id, person, &tokens)?;
            tokens.push(row.clone());
            let after = rows::encode(&TokensRow { connection: connection.to_owned(), tokens })?;
            Ok((Some(tokens_plan(id, before, after, None, Some(told(connection, &row)))), ()))
        });
        if matches!(made, Err(RosterError::Unfit(_))) {
            // Nothing was written that the pointer could lead to.
            self.unpoint(hash.to_vec())?;
        }
        made?;
        drop(self.credentials.forget_all());
        Ok(Issued { id: row.id, secret, expires })
    }

    /// Writes where a token's row will live. Before the row itself, so that a crash between leaves only a pointer to nothing.
    fn point(&self, hash: [u8; 32], tenant: TenantId, connection: ConnectionId) -> Result<(), RosterError> {
        let taken = self.store.snapshot()?.small(TenantId::SYSTEM, TOKEN_POINTERS, &hash)?;
        if let Some(taken) = &taken {
            let pointer: TokenPointer = rows::decode(taken)?;
            if pointer != (TokenPointer { tenant, connection })
                || self.look_up(self.store.snapshot()?.as_ref(), &hash)?.is_some()
            {
                return Err(RosterError::Unfit(
                    "this token is in use already; bring another, or let rosterd make one".to_owned(),
                ));
            }
        }
        let value = Some(rows::encode(&TokenPointer { tenant, connection })?);
        let write = Write::Small { space: TOKEN_POINTERS, key: hash.to_vec(), value };
        let given = vec![Given::Small(TOKEN_POINTERS, hash.to_vec(), taken)];
        match self.store.commit(TenantId::SYSTEM, Unit { given, writes: vec![write], log: None })? {
            crate::store::Outcome::Committed { .. } => Ok(()),
            crate::store::Outcome::Lost(_) => Err(RosterError::Busy),
        }
    }

    /// Ends a token at once. Also when the store cannot say whether the end was written, what is remembered is looked up anew.
    pub fn revoke_token(&self, caller: &Caller, token: TokenId) -> Result<(), RosterError> {
        let ended = self.end_token(caller, token);
        drop(self.credentials.forget_all());
        let (connection, hash) = ended?;
        let Some(hash) = unhex(&hash) else { return Ok(()) };
        if let Ok(hash) = hash.as_slice().try_into() {
            self.ended.remember(hash, (caller.tenant, connection));
        }
        self.unpoint(hash)
    }

    /// Removes the pointer to a row that is no more, or never was.
    fn unpoint(&self, hash: Vec<u8>) -> Result<(), RosterError> {
        let write = Write::Small { space: TOKEN_POINTERS, key: hash, value: None };
        self.store.commit(TenantId::SYSTEM, Unit { given: vec![], writes: vec![write], log: None })?;
        Ok(())
    }

    /// Removes a token's row, and returns whose it was and the token's hash.
    fn end_token(&self, caller: &Caller, token: TokenId) -> Result<(ConnectionId, String), RosterError> {
        self.carry_out(caller, Action::TokenRevoke, |snapshot| {
            for (connection, before) in all_tokens(snapshot, caller.tenant)? {
                let mut row: TokensRow = rows::decode(&before)?;
                let Some(at) = row.tokens.iter().position(|known| known.id == token) else { continue };
                let ended = row.tokens.remove(at);
                let after = rows::encode(&row)?;
                let old = Some(told(&row.connection, &ended));
                let plan = tokens_plan(connection, Some(before), after, old, None);
                return Ok((Some(plan), (connection, ended.hash)));
            }
            Err(RosterError::Unknown(format!(
                "no live token has the id {token}; rosterd token list shows them"
            )))
        })
    }

    /// Tells whether a connection has, or had, a token.
    pub fn was_ever_given_a_token(
        &self,
        caller: &Caller,
        connection: ConnectionId,
    ) -> Result<bool, RosterError> {
        Ok(self.store.snapshot()?.small(caller.tenant, TOKENS, connection.as_bytes())?.is_some())
    }

    /// Lists a tenant's tokens that have not been revoked.
    pub fn tokens(&self, caller: &Caller) -> Result<Vec<TokenView>, RosterError> {
        self.write_down_token_use();
        let snapshot = self.store.snapshot()?;
        let mut views = Vec::new();
        for (_, bytes) in all_tokens(snapshot.as_ref(), caller.tenant)? {
            let row: TokensRow = rows::decode(&bytes)?;
            for token in row.tokens {
                let last_used = match snapshot.small(caller.tenant, TOKEN_USE, token.id.as_bytes())? {
                    Some(bytes) => Some(rows::decode(&bytes)?),
                    None => None,
                };
                views.push(TokenView {
                    id: token.id,
                    connection: row.connection.clone(),
                    scopes: token.scopes,
                    created: token.created,
                    expires: token.expires,
                    last_used,
                    person: token.person,
                });
            }
        }
        Ok(views)
    }

    /// Writes down when tokens were last used. Called every minute and at the end; losing the last minute is harmless.
    ///
    /// What was looked up is forgotten with it, so that nothing outlives by more than a minute what the store says, not even
    /// what was read while the store failed and recovered.
    pub fn write_down_token_use(&self) {
        let mut used: BTreeMap<TenantId, Vec<Write>> = BTreeMap::new();
        for credential in self.credentials.forget_all() {
            let second = credential.used.load(Ordering::Relaxed);
            let Some(at) = Timestamp::from_second(second).ok().filter(|_| second > 0) else { continue };
            let key = match credential.who {
                Actor::Token(token) | Actor::Bound { token, .. } => token.as_bytes().to_vec(),
                Actor::Client(client) => client.as_bytes().to_vec(),
                Actor::Person(_) | Actor::Cli | Actor::System => continue,
            };
            match rows::encode(&at) {
                Ok(value) => used.entry(credential.tenant).or_default().push(Write::Small {
                    space: TOKEN_USE,
                    key,
                    value: Some(value),
                }),
                Err(error) => tracing::error!(%error, "an instant could not be written"),
            }
        }
        // One unit for each tenant: each waits for the disk.
        for (tenant, writes) in used {
            if let Err(error) = self.store.commit(tenant, Unit { given: vec![], writes, log: None }) {
                tracing::warn!(%error, "when tokens were last used could not be written down");
            }
        }
    }

    pub(super) fn connection_id(&self, caller: &Caller, name: &str) -> Result<ConnectionId, RosterError> {
        if name == super::LOCAL_NAME {
            return Ok(LOCAL);
        }
        let row: Option<ConnectionRow> =
            Self::connection_row(self.store.snapshot()?.as_ref(), caller.tenant, name)?;
        row.map(|row| row.id).ok_or_else(|| {
            RosterError::Unknown(format!("no connection is named \"{name}\"; rosterd connection list shows them, rosterd connection create {name} makes it"))
        })
    }
}

fn tokens_of(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    connection: ConnectionId,
) -> Result<Option<TokensRow>, RosterError> {
    snapshot.small(tenant, TOKENS, connection.as_bytes())?.map(|bytes| rows::decode(&bytes)).transpose()
}

fn all_tokens(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
) -> Result<Vec<(ConnectionId, Vec<u8>)>, RosterError> {
    let rows = super::all_small(snapshot, tenant, TOKENS)?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((ConnectionId::from_bytes(row.key.try_into().ok()?), row.value)))
        .collect())
}

/// Says what the history says of a token: what it opens, and never what it is.
fn told(connection: &str, token: &TokenRow) -> serde_json::Value {
    let mut told = serde_json::json!({ "id": token.id, "connection": connection, "scopes": token.scopes, "expires": token.expires });
    if let (Some(person), Some(told)) = (token.person, told.as_object_mut()) {
        told.insert("person".to_owned(), person.to_string().into());
    }
    told
}

fn tokens_plan(
    connection: ConnectionId,
    before: Option<Vec<u8>>,
    after: Vec<u8>,
    old: Option<serde_json::Value>,
    new: Option<serde_json::Value>,
) -> Plan {
    let key = connection.as_bytes().to_vec();
    Plan {
        given: vec![Given::Small(TOKENS, key.clone(), before)],
        writes: vec![Write::Small { space: TOKENS, key, value: Some(after) }],
        changes: vec![Change::of("token", old, new)],
        ..Plan::default()
    }
}

/// Refuses a token of the operator's own that is too short to be safe, or that no header can carry.
fn check_brought(text: &str) -> Result<&str, RosterError> {
    let length = text.chars().count();
    if !(TOKEN_CHARACTERS_MIN..=TOKEN_CHARACTERS_MAX).contains(&length) {
        return Err(RosterError::Malformed(format!(
            "the token has {length} characters; expected {TOKEN_CHARACTERS_MIN} to {TOKEN_CHARACTERS_MAX} random ones (openssl rand -hex 32 makes some)"
        )));
    }
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)) {
        return Err(RosterError::Malformed(
            "the token holds characters that an Authorization header cannot carry; expected letters, digits and -._~+/= only (RFC 6750 section 2.1)".to_owned(),
        ));
    }
    Ok(text)
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests;
