//! What a client proves itself for: access tokens, and requests with a secret of its own (D-E20, X1, X11).
//!
//! An access token names its client, and holds 256 random bits; its hash lies in the client's row. So it is found without a pointer of
//! its own, ends with the client in one unit, and the row never holds more than so many. Whoever is nobody is looked for as long
//! as whoever is somebody.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Roster;
use super::clients::{ClientAt, Federation, SECRET_PREFIX, federation_key};
use super::commit::{Plan, hex, unhex};
use super::credentials::{Credential, TOKEN_CHARACTERS_MAX};
use super::error::RosterError;
use super::refusals::{FAILURES_PER_MINUTE_MAX, ISSUES_PER_MINUTE_MAX};
use super::rows::{
    self, ASSERTIONS, AccessRow, ClientRow, FEDERATION_POINTERS, FederationPointer, FederationRow, SecretRow,
};
use super::scope::{Caller, ConnectionOptions, Scope, Scopes};
use super::sight::Eyes;
use crate::idp::profile::AUTO;
use crate::ids::{ClientId, ConnectionId, RequestId, TenantId, TokenId};
use crate::store::{Action, Actor, Change, Given, Snapshot, Unit, Write};

/// What begins every access token, so that secret scanners know it.
pub const ACCESS_PREFIX: &str = "rosta_";
/// How many live access tokens a client may have; one more ends the oldest.
pub const ACCESS_PER_CLIENT_MAX: usize = 16;
/// How many `jti` of a client's assertions are remembered at once.
pub const ASSERTIONS_PER_CLIENT_MAX: u32 = 10_000;
/// How many that have run out are removed with each new one: more than one, so that there are ever fewer of them.
const SWEPT_AT_ONCE: usize = 8;
/// The scope that stands for all that the client may do.
pub const SCIM_SCOPE: &str = "scim";

/// A client that has proven who it is. Only [`Roster::client_by_secret`] and [`Candidate::proven`] make one.
#[derive(Debug, Clone)]
pub struct Proven {
    at: ClientAt,
    by: By,
}

#[derive(Debug, Clone)]
enum By {
    Secret(TokenId),
    Assertion(Box<FederationRow>),
}

impl Proven {
    /// Returns the tenant, for counting its requests.
    pub const fn tenant(&self) -> TenantId {
        self.at.tenant
    }

    /// Returns the connection, for counting its requests.
    pub const fn connection(&self) -> ConnectionId {
        self.at.connection
    }

    /// Returns the client, for the history of refusals.
    pub const fn known(&self) -> Known {
        Known(self.at)
    }
}

/// Who shows a secret.
#[derive(Debug)]
pub enum Shown {
    /// A client, and the secret is its own.
    Proven(Proven),
    /// Nobody, or a client with another secret; for the history, and not for the answer.
    Refused(Option<Known>),
}

/// A client that exists, whoever asks.
#[derive(Debug, Clone, Copy)]
pub struct Known(ClientAt);

/// A client for which an assertion claims to stand.
#[derive(Debug, Clone)]
pub struct Candidate {
    at: ClientAt,
    row: FederationRow,
}

impl Candidate {
    /// Returns what is pinned of its assertions.
    pub fn federation(&self) -> Federation {
        self.row.clone().into()
    }

    /// Returns the client, for the history of refusals.
    pub const fn known(&self) -> Known {
        Known(self.at)
    }

    /// Takes the client as proven: whoever calls this has checked the assertion against [`Candidate::federation`].
    pub fn proven(self) -> Proven {
        Proven { at: self.at, by: By::Assertion(Box::new(self.row)) }
    }
}

/// An assertion's own id, to be taken once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The id.
    pub jti: String,
    /// Until when the assertion would be good.
    pub until: Timestamp,
}

/// An access token that has just been made.
pub struct Granted {
    /// The token, for the `Authorization: Bearer` header.
    pub token: Zeroizing<String>,
    /// What it may do.
    pub scope: String,
}

/// Why a client that has proven itself gets no token.
#[derive(Debug)]
pub enum Denied {
    /// It asks for what it may not do, or what there is not.
    Scope,
    /// Its assertion was taken before.
    Replayed,
    /// What it proved itself by was ended meanwhile.
    Gone,
    /// It shows its secret with each request, and fetches nothing.
    NotForIt,
    /// It has shown more assertions than are remembered.
    TooMany,
    /// The store, or a defect.
    Failed(RosterError),
}

impl From<RosterError> for Denied {
    fn from(error: RosterError) -> Self {
        Self::Failed(error)
    }
}

impl Roster {
    /// Finds the client that shows a secret.
    pub fn client_by_secret(&self, client: &str, secret: &str) -> Result<Shown, RosterError> {
        let snapshot = self.store.snapshot()?;
        let found = find_client(snapshot.as_ref(), client)?;
        let known = found.as_ref().map(|(at, _)| Known(*at));
        let now = self.now();
        let none: [SecretRow; 0] = [];
        let secrets = found.as_ref().map_or(&none[..], |(_, row)| &row.secrets);
        match (matching(secrets, secret, now), found) {
            (Some(id), Some((at, _))) => Ok(Shown::Proven(Proven { at, by: By::Secret(id) })),
            _ => Ok(Shown::Refused(known)),
        }
    }

    /// Finds the client for which an issuer's subject stands; the one that is named, where one is.
    pub fn client_by_federation(
        &self,
        client: Option<&str>,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Candidate>, RosterError> {
        let snapshot = self.store.snapshot()?;
        let key = federation_key(issuer, subject);
        let Some(pointer) = snapshot.small(TenantId::SYSTEM, FEDERATION_POINTERS, &key)? else {
            return Ok(None);
        };
        let FederationPointer { tenant, connection, client: id } = rows::decode(&pointer)?;
        let at = ClientAt { tenant, connection, client: id };
        if client.is_some_and(|named| ClientId::parse(named) != Ok(id)) {
            return Ok(None);
        }
        let row = at.read(snapshot.as_ref())?.and_then(|(_, row)| row.federation);
        let pinned = row.filter(|row| row.issuer == issuer && row.subject == subject);
        Ok(pinned.map(|row| Candidate { at, row }))
    }

    /// Writes to the history that a client was not taken for itself (X58). Of one that does not stop, not each.
    pub fn client_refused(&self, known: Known, request: RequestId, why: &str) -> Result<(), RosterError> {
        let caller = self.as_client(known.0, request);
        let Some(left_out) =
            self.failures.count(*known.0.client.as_bytes(), caller.now, FAILURES_PER_MINUTE_MAX)
        else {
            return Ok(());
        };
        let notes = match left_out {
            0 => vec![],
            more => vec![format!("{more} more were refused to this credential before, and not written down")],
        };
        let log = self.entry(&caller, Action::Refuse, why, None, Vec::new(), notes);
        self.store.commit(caller.tenant, Unit { given: vec![], writes: vec![], log: Some(log) })?;
        Ok(())
    }

    /// Gives a client an access token for what it asks for, or for all that it may do.
    pub fn grant(
        &self,
        proven: &Proven,
        asked: Option<&str>,
        lifetime: SignedDuration,
        once: Option<&Once>,
        request: RequestId,
    ) -> Result<Granted, Denied> {
        let caller = self.as_client(proven.at, request);
        let text = [proven.at.client.as_bytes().as_slice(), &self.chance.secret()].concat();
        let token = Zeroizing::new(format!("{ACCESS_PREFIX}{}", hex(&text)));
        let expires = caller.now.checked_add(lifetime).map_err(|error| {
            RosterError::Broken(format!("the clock stands at the end of the calendar: {error}"))
        })?;
        let access = AccessRow {
            hash: hex(&Sha256::digest(token.as_bytes())),
            scopes: Scopes::default(),
            expires,
            by: match &proven.by {
                By::Secret(id) => Some(*id),
                By::Assertion(_) => None,
            },
        };
        // Counted once, however often the rule is asked.
        let left_out = self.issues.count(*proven.at.client.as_bytes(), caller.now, ISSUES_PER_MINUTE_MAX);
        let made = self.carry_out(&caller, Action::AccessIssue, |snapshot| {
            match issue(snapshot, proven, asked, &access, once, caller.now, left_out)? {
                Ok((plan, granted)) => Ok((Some(plan), Ok(granted))),
                Err(denied) => Ok((None, Err(denied))),
            }
        })??;
        if made.ended_another {
            drop(self.credentials.forget_all());
        }
        Ok(Granted { token, scope: made.scope })
    }

    /// Looks up an access token.
    pub(super) fn look_up_access(
        &self,
        snapshot: &dyn Snapshot,
        presented: &str,
        hash: &[u8; 32],
    ) -> Result<Option<Credential>, RosterError> {
        let Some(client) = client_in(presented) else { return Ok(None) };
        let Some(at) = Self::client_at(snapshot, client)? else { return Ok(None) };
        let Some((_, row)) = at.read(snapshot)? else { return Ok(None) };
        let wanted = hex(hash);
        let found = row.access.iter().find(|access| same(&access.hash, &wanted));
        let Some((scopes, expires)) = found.map(|access| (access.scopes, access.expires)) else {
            return Ok(None);
        };
        self.credential(snapshot, at, &row, scopes, expires).map(Some)
    }

    /// Finds out who shows a secret with a request (Basic); `None` when nobody may.
    pub fn authenticate_basic(
        &self,
        client: &str,
        secret: &str,
        request: RequestId,
    ) -> Result<Option<Caller>, RosterError> {
        if secret.len() > TOKEN_CHARACTERS_MAX || ClientId::parse(client).is_err() {
            return Ok(None);
        }
        // A client's id has always the same length, so that no two pairs are one.
        let hash =
            Sha256::new().chain_update("basic ").chain_update(client).chain_update(secret).finalize().into();
        self.authenticate_by(hash, request, |snapshot| {
            let Some((at, row)) = find_client(snapshot, client)?.filter(|(_, row)| row.basic) else {
                return Ok(None);
            };
            let now = self.now();
            let Some(id) = matching(&row.secrets, secret, now) else { return Ok(None) };
            let expires = row.secrets.iter().find(|known| known.id == id).map_or(now, |known| known.expires);
            self.credential(snapshot, at, &row, row.scopes, expires).map(Some)
        })
    }

    fn credential(
        &self,
        snapshot: &dyn Snapshot,
        at: ClientAt,
        row: &ClientRow,
        scopes: Scopes,
        expires: Timestamp,
    ) -> Result<Credential, RosterError> {
        let manner = self.manner_of(snapshot, at.tenant, at.connection, &row.connection, scopes)?;
        Ok(Credential::new(at.tenant, at.connection, Actor::Client(at.client), scopes, manner, Some(expires)))
    }

    /// Acts as a client in its own affairs.
    fn as_client(&self, at: ClientAt, request: RequestId) -> Caller {
        Caller {
            tenant: at.tenant,
            connection: at.connection,
            scopes: Scopes::default(),
            who: Actor::Client(at.client),
            request,
            now: self.now(),
            profile: &AUTO,
            options: ConnectionOptions::default(),
            // It reads and writes no resource.
            sight: self.schemas.standard(Eyes::of_credential(at.connection, Scopes::default())),
            policy: Arc::clone(self.policies.all().everybody()),
            led: None,
            rests: None,
        }
    }
}

/// What became of a request for an access token.
struct Made {
    scope: String,
    ended_another: bool,
}

/// The rule of the token endpoint: what the client's row says now decides.
fn issue(
    snapshot: &dyn Snapshot,
    proven: &Proven,
    asked: Option<&str>,
    access: &AccessRow,
    once: Option<&Once>,
    now: Timestamp,
    left_out: Option<u64>,
) -> Result<Result<(Plan, Made), Denied>, RosterError> {
    let at = proven.at;
    let Some((before, mut row)) = at.read(snapshot)? else { return Ok(Err(Denied::Gone)) };
    let still_good = match &proven.by {
        By::Secret(id) => row.secrets.iter().any(|secret| secret.id == *id && secret.expires > now),
        By::Assertion(pinned) => row.federation.as_ref() == Some(pinned),
    };
    if !still_good {
        return Ok(Err(Denied::Gone));
    }
    if row.basic {
        return Ok(Err(Denied::NotForIt));
    }
    let Some((scopes, scope)) = within(row.scopes, asked) else { return Ok(Err(Denied::Scope)) };
    let mut remembered = Remembered::default();
    if let Some(once) = once {
        match remember(snapshot, at, once, now)? {
            None => return Ok(Err(Denied::Replayed)),
            Some(found) => remembered = found,
        }
        row.assertions = row.assertions.saturating_sub(remembered.swept);
        if row.assertions >= ASSERTIONS_PER_CLIENT_MAX {
            return Ok(Err(Denied::TooMany));
        }
        row.assertions = row.assertions.saturating_add(1);
    }
    row.access.retain(|known| known.expires > now);
    let over = row.access.len().saturating_add(1).saturating_sub(ACCESS_PER_CLIENT_MAX);
    row.access.drain(..over);
    row.access.push(AccessRow { scopes, ..access.clone() });
    let told =
        json!({ "client": at.client, "scopes": scopes, "expires": access.expires, "secret": access.by });
    let change = Change::of("accessToken", None, Some(told));
    let mut plan = at.plan(before, Some(&row), change)?;
    plan.given.extend(remembered.given);
    plan.writes.extend(remembered.writes);
    plan.unlogged = left_out.is_none();
    if let Some(more @ 1..) = left_out {
        plan.remark = Some(format!("{more} more were given to this client before, and not written down"));
    }
    Ok(Ok((plan, Made { scope, ended_another: over > 0 })))
}

/// What it takes to remember an assertion, and to forget some that have run out.
#[derive(Default)]
struct Remembered {
    given: Vec<Given>,
    writes: Vec<Write>,
    swept: u32,
}

/// Remembers an assertion; `None` when it was taken before.
fn remember(
    snapshot: &dyn Snapshot,
    at: ClientAt,
    once: &Once,
    now: Timestamp,
) -> Result<Option<Remembered>, RosterError> {
    let client = at.client.as_bytes();
    let digest: [u8; 32] = Sha256::digest(once.jti.as_bytes()).into();
    let (half, _) = digest.split_at(16);
    let key = [client.as_slice(), &once.until.as_second().to_be_bytes(), half].concat();
    if snapshot.small(at.tenant, ASSERTIONS, &key)?.is_some() {
        return Ok(None);
    }
    let mut remembered = Remembered::default();
    for old in snapshot.small_range(at.tenant, ASSERTIONS, client, None, SWEPT_AT_ONCE)? {
        let end = old.key.get(16..24).and_then(|bytes| bytes.try_into().ok()).map_or(0, i64::from_be_bytes);
        if end <= now.as_second() {
            remembered.swept = remembered.swept.saturating_add(1);
            remembered.writes.push(Write::Small { space: ASSERTIONS, key: old.key, value: None });
        }
    }
    remembered.given.push(Given::Small(ASSERTIONS, key.clone(), None));
    remembered.writes.push(Write::Small { space: ASSERTIONS, key, value: Some(vec![1]) });
    Ok(Some(remembered))
}

/// Reads what is asked for; `None` when it is more than the client may do, or nothing that there is.
fn within(all: Scopes, asked: Option<&str>) -> Option<(Scopes, String)> {
    let written = |scopes: Scopes| scopes.iter().map(Scope::name).collect::<Vec<_>>().join(" ");
    let Some(asked) = asked else { return Some((all, written(all))) };
    let mut scopes = Scopes::default();
    for name in asked.split(' ') {
        if name == SCIM_SCOPE {
            scopes = all;
            continue;
        }
        let scope = Scope::parse(name).ok().filter(|scope| all.has(*scope))?;
        scopes = Scopes::of(scopes.iter().chain([scope]));
    }
    let answer = if asked == SCIM_SCOPE { SCIM_SCOPE.to_owned() } else { written(scopes) };
    Some((scopes, answer))
}

/// Finds a client by what somebody says is its id. Reads as much for a stranger.
fn find_client(snapshot: &dyn Snapshot, client: &str) -> Result<Option<(ClientAt, ClientRow)>, RosterError> {
    let nobody = ClientId::from_bytes([0; 16]);
    let id = ClientId::parse(client).unwrap_or(nobody);
    let at = Roster::client_at(snapshot, id)?;
    let where_to = at.unwrap_or(ClientAt {
        tenant: TenantId::SYSTEM,
        connection: ConnectionId::from_bytes([0; 16]),
        client: nobody,
    });
    let row = where_to.read(snapshot)?;
    Ok(at.zip(row.map(|(_, row)| row)))
}

/// Finds the live secret that was shown. Compares with as many as there can be, also where there is none.
fn matching(secrets: &[SecretRow], shown: &str, now: Timestamp) -> Option<TokenId> {
    const NONE: &str = "0000000000000000000000000000000000000000000000000000000000000000";
    let wanted = hex(&Sha256::digest(shown.as_bytes()));
    let mut found = None;
    for place in 0..super::clients::SECRETS_PER_CLIENT_MAX {
        let secret = secrets.get(place);
        let equal = same(secret.map_or(NONE, |secret| &secret.hash), &wanted);
        if let Some(secret) = secret.filter(|secret| equal && secret.expires > now) {
            found = Some(secret.id);
        }
    }
    found.filter(|_| shown.starts_with(SECRET_PREFIX))
}

fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// Reads the client's id out of an access token.
fn client_in(token: &str) -> Option<ClientId> {
    let bytes = unhex(token.strip_prefix(ACCESS_PREFIX)?)?;
    let id = bytes.first_chunk::<16>().filter(|_| bytes.len() == 48)?;
    Some(ClientId::from_bytes(*id))
}
