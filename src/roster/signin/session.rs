//! Sessions: what one is, how it begins, and is listed.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::super::commit::{Plan, hex, unhex};
use super::super::error::RosterError;
use super::super::holds::plan_sign_in;
use super::super::locks::of_the_firm;
use super::super::rows::{
    self, EPOCHS, PROVIDER_EPOCHS, SESSIONS, SESSIONS_BY_SID, SESSIONS_DUE, SESSIONS_OF, SessionRow, TENANTS,
    TenantRow,
};
use super::super::scope::Scope;
use super::super::{Caller, Roster, all_small, core};
use super::gate::{Dead, epoch, is_let_in};
use super::letters::Seal;
use super::link::{self, Identity, NotLinked};
use super::mailed::{MailedKey, Purpose};
use super::own::{self, FirstPassword, NotProved};
use super::password::ChangedPassword;
use super::second::Second;
use crate::ids::{Address, RequestId, ResourceId, TenantId};
pub use crate::psa::policy::Lifetimes;
use crate::store::{Action, Given, PAGE_ROWS_MAX, Snapshot, Space, Unit, Write};

/// How often it is written down that a session was used.
const SEEN_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// Longest text that is kept of who uses a session: enough to know one's own browser by.
const AGENT_CHARACTERS_MAX: usize = 200;
/// Most methods of an `amr` that are kept.
const AMR_MAX: usize = 16;
/// Longest text of a provider that is kept: `sid`, `acr`, a method.
const CLAIM_CHARACTERS_MAX: usize = 255;

/// How somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Through a provider.
    Oidc,
    /// By a link that was mailed to them.
    MagicLink,
    /// By a password.
    Password,
}

impl Method {
    /// Returns the name that is kept and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::MagicLink => "magic-link",
            Self::Password => "password",
        }
    }
}

/// Where a session lies, and what opens it. What is held is not the secret, but its hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// Whose tenant it is.
    pub tenant: TenantId,
    /// SHA-256 of the secret.
    pub(super) hash: [u8; 32],
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKey").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl SessionKey {
    /// Returns where its row lies: what is sealed for a session is bound to that.
    pub const fn place(&self) -> &[u8] {
        &self.hash
    }

    /// Reads what a cookie holds: the number of the tenant, a point, and 64 hexadecimal digits. `None` where it holds something else.
    pub fn parse(cookie: &str) -> Option<Self> {
        let (tenant, secret) = cookie.split_once('.')?;
        let fits =
            !tenant.is_empty() && tenant.len() <= 10 && tenant.bytes().all(|byte| byte.is_ascii_digit());
        let tenant = tenant.parse().ok().filter(|_| fits).map(TenantId::new)?;
        (secret.len() == 64).then(|| unhex(secret)).flatten()?;
        Some(Self { tenant, hash: Sha256::digest(secret.as_bytes()).into() })
    }
}

/// A sign-in: who, and how it was proved.
#[derive(Clone)]
pub struct Entry<'a> {
    /// Who.
    pub whose: Whose<'a>,
    /// How. What the firm itself proved says it of itself.
    pub method: Method,
    /// When it was proved; `None` where the provider did not say, which then counts as now.
    pub at: Option<Timestamp>,
    /// The provider's own name of its session, by which it may end ours.
    pub sid: Option<&'a str>,
    /// How strong the proof was, in the provider's words.
    pub acr: Option<&'a str>,
    /// What the proof consisted of.
    pub amr: &'a [String],
    /// From where.
    pub address: &'a str,
    /// With what program.
    pub agent: &'a str,
    /// The provider's ID token, and what seals it to be kept with the session ([`SessionKey::place`]); `None` where none is kept.
    pub id_token: Option<(&'a str, Seal<'a>)>,
}

/// Who signs in.
#[derive(Clone, Copy)]
pub enum Whose<'a> {
    /// Whoever the identity is linked to, or is to be linked to.
    Identity(Identity<'a>),
    /// Somebody whose password was tried and is right.
    Password {
        /// Who.
        person: ResourceId,
        /// How often a password of theirs had been set when it was tried.
        epoch: u64,
        /// What was shown of a second factor.
        second: Option<Second<'a>>,
    },
    /// Somebody who has just changed their password.
    Changed(ChangedPassword),
    /// Whoever a mailed link is for.
    Mailed {
        /// The link.
        key: &'a MailedKey,
        /// What it is for.
        purpose: Purpose,
        /// What was shown of a second factor.
        second: Option<Second<'a>>,
        /// The password that they set in the same step.
        sets: Option<FirstPassword<'a>>,
    },
}

/// What a sign-in came to.
pub struct Entered {
    /// Who it was.
    pub person: ResourceId,
    /// The session.
    pub key: SessionKey,
    /// What the cookie holds. Shown this once.
    pub cookie: Zeroizing<String>,
    /// When the session ends at the latest.
    pub expires: Timestamp,
}

/// A session as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Its name in lists: the first half of the hash of what opens it, which opens nothing.
    pub id: String,
    /// How it began.
    pub method: Method,
    /// By which provider.
    pub provider: Option<String>,
    /// When the person proved who they are.
    pub signed_in: Timestamp,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub seen: Timestamp,
    /// When it ends at the latest.
    pub expires: Timestamp,
    /// How strong the proof was, in the provider's words.
    pub acr: Option<String>,
    /// What the proof consisted of.
    pub amr: Vec<String>,
    /// From where it was begun.
    pub address: String,
    /// With what program.
    pub agent: String,
    /// Whether nobody said when the person proved who they are, so that it may have been long before.
    #[serde(skip)]
    pub undated: bool,
    /// For whom the person acts, as long as they may (P07).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acting_for: Option<ResourceId>,
}

impl SessionView {
    /// Tells whether the person is known to have proved who they are within a time.
    pub fn is_fresh(&self, within: SignedDuration, now: Timestamp) -> bool {
        !self.undated && self.signed_in.checked_add(within).is_ok_and(|end| now < end)
    }

    pub(super) fn of(hash: [u8; 32], row: SessionRow) -> Self {
        Self {
            id: name(&hash),
            method: row.method,
            provider: row.provider,
            signed_in: row.signed_in,
            created: row.created,
            seen: row.seen,
            expires: row.expires,
            acr: row.acr,
            amr: row.amr,
            address: row.address,
            agent: row.agent,
            undated: row.undated,
            acting_for: row.acting_for,
        }
    }
}

/// The name of a session in lists.
pub(super) fn name(hash: &[u8; 32]) -> String {
    hex(&hash[..16])
}

/// Tells whether a session's time is not over.
pub(super) fn is_in_time(row: &SessionRow, lifetimes: Lifetimes, now: Timestamp) -> Result<(), Dead> {
    let is_over = |from: Timestamp, span| from.checked_add(span).is_ok_and(|end: Timestamp| end <= now);
    if row.expires <= now || is_over(row.created, lifetimes.absolute) {
        return Err(Dead::Old);
    }
    if is_over(row.seen, lifetimes.idle) { Err(Dead::Idle) } else { Ok(()) }
}

/// Tells whether the last use that was written down is long ago.
pub(super) fn is_unseen(row: &SessionRow, now: Timestamp) -> bool {
    row.seen.checked_add(SEEN_EVERY).is_ok_and(|next| next <= now)
}

/// Reads how often all sessions of a provider were ended.
pub(super) fn provider_epoch(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    provider: &str,
) -> Result<u64, RosterError> {
    Ok(snapshot.counter(tenant, PROVIDER_EPOCHS, provider.as_bytes())?)
}

/// The beginning of the keys under which a provider's own session is found.
pub(super) fn sid_prefix(provider: &str, sid: &str) -> Vec<u8> {
    let mut key = provider.as_bytes().to_vec();
    key.push(0);
    key.extend(Sha256::digest(sid.as_bytes()));
    key
}

pub(super) fn due_key(expires: Timestamp, hash: &[u8; 32]) -> Vec<u8> {
    let mut key = u64::try_from(expires.as_millisecond()).unwrap_or(0).to_be_bytes().to_vec();
    key.extend(hash);
    key
}

/// Every row of a session but itself.
pub(super) fn other_rows(hash: &[u8; 32], row: &SessionRow) -> Vec<(Space, Vec<u8>)> {
    let mut all = vec![
        (SESSIONS_OF, [row.person.as_bytes().as_slice(), hash.as_slice()].concat()),
        (SESSIONS_DUE, due_key(row.expires, hash)),
    ];
    if let (Some(provider), Some(sid)) = (&row.provider, &row.sid) {
        let mut key = sid_prefix(provider, sid);
        key.extend(hash);
        all.push((SESSIONS_BY_SID, key));
    }
    all
}

fn short(text: &str, characters_max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(characters_max).collect()
}

impl Roster {
    /// Acts at a tenant's door: for those of whom nothing is known yet.
    ///
    /// # Errors
    /// [`RosterError::NotFound`] where there is no such tenant.
    pub fn doorkeeper(&self, tenant: &str, request: RequestId) -> Result<Caller, RosterError> {
        let row = self.store.snapshot()?.small(TenantId::SYSTEM, TENANTS, tenant.as_bytes())?;
        let row: TenantRow = rows::decode(&row.ok_or(RosterError::NotFound)?)?;
        self.of_itself(tenant, row.number, request)
    }

    /// The same for a tenant whose number is known: a session's cookie and a mailed link carry it.
    ///
    /// # Errors
    /// [`RosterError::NotFound`] where there is no such tenant.
    pub fn doorkeeper_of(&self, tenant: TenantId, request: RequestId) -> Result<Caller, RosterError> {
        for row in all_small(self.store.snapshot()?.as_ref(), TenantId::SYSTEM, TENANTS)? {
            if rows::decode::<TenantRow>(&row.value)?.number == tenant {
                return self.of_itself(&String::from_utf8_lossy(&row.key), tenant, request);
            }
        }
        Err(RosterError::NotFound)
    }

    /// Begins a session for somebody who proved who they are, in one unit with the link to their identity where that is new. Whoever is being locked
    /// meanwhile is locked: the unit stands on the number of epochs that the session carries.
    pub fn sign_in(
        &self,
        door: &Caller,
        entry: &Entry<'_>,
        lifetimes: Lifetimes,
    ) -> Result<Result<Entered, Refused>, RosterError> {
        of_the_firm(door, Scope::UsersWrite)?;
        let secret = Zeroizing::new(hex(&self.chance.secret()));
        let hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let expires = door.now.checked_add(lifetimes.absolute).map_err(|error| {
            RosterError::Broken(format!("the clock stands at the end of the calendar: {error}"))
        })?;
        let key = SessionKey { tenant: door.tenant, hash };
        let id_token = entry.id_token.and_then(|(token, seal)| seal(key.place(), token.as_bytes()));
        let id_token = id_token.map(|sealed| hex(&sealed));
        let entered = self.carry_out(door, Action::SignIn, |snapshot| {
            let mut plan = Plan::default();
            let proved = match own::find(snapshot, door, &entry.whose, &mut plan)? {
                Some(Err(why)) => return Ok((None, Err(why))),
                Some(Ok(proved)) => Some(proved),
                None => None,
            };
            let (person, provider) = match (&proved, entry.whose) {
                (Some(proved), _) => (proved.person, None),
                (None, Whose::Identity(identity)) => match link::find(snapshot, door, &identity)? {
                    Err(why) => return Ok((None, Err(Refused::NotLinked(why)))),
                    Ok(found) => {
                        plan.given.extend(found.given);
                        plan.writes.extend(found.writes);
                        plan.changes.extend(found.changes);
                        (found.person, Some(identity.provider.to_owned()))
                    }
                },
                (None, _) => return Err(RosterError::Broken("a sign-in proves nothing".to_owned())),
            };
            let method = proved.as_ref().map_or(entry.method, |proved| proved.method);
            let at = Address::user(person);
            let Some(stored) = snapshot.get(door.tenant, at)? else {
                return Ok((None, Err(Refused::NotLetIn { person })));
            };
            if !is_let_in(&stored, &core(&stored)?, door.now)? {
                return Ok((None, Err(Refused::NotLetIn { person })));
            }
            let epoch_key = person.as_bytes().to_vec();
            let provider_epoch = match &provider {
                Some(provider) => {
                    let key = provider.as_bytes().to_vec();
                    let value = snapshot.small(door.tenant, PROVIDER_EPOCHS, &key)?;
                    plan.given.push(Given::Small(PROVIDER_EPOCHS, key, value));
                    provider_epoch(snapshot, door.tenant, provider)?
                }
                None => 0,
            };
            let signed_in = entry.at.unwrap_or(door.now).min(door.now);
            let row = SessionRow {
                person,
                epoch: epoch(snapshot, door.tenant, person)?,
                method,
                provider,
                provider_epoch,
                sid: entry.sid.filter(|sid| sid.len() <= CLAIM_CHARACTERS_MAX).map(str::to_owned),
                signed_in,
                acr: entry.acr.map(|acr| short(acr, CLAIM_CHARACTERS_MAX)),
                amr: entry.amr.iter().take(AMR_MAX).map(|one| short(one, CLAIM_CHARACTERS_MAX)).collect(),
                created: door.now,
                seen: door.now,
                expires,
                address: short(entry.address, AGENT_CHARACTERS_MAX),
                agent: short(entry.agent, AGENT_CHARACTERS_MAX),
                password_epoch: proved.as_ref().and_then(|proved| proved.password_epoch),
                must_change: proved.is_some_and(|proved| proved.must_change),
                undated: entry.at.is_none(),
                acting_for: None,
                id_token: id_token.clone(),
            };
            plan.given.extend([
                Given::Exists(at),
                Given::Small(EPOCHS, epoch_key.clone(), snapshot.small(door.tenant, EPOCHS, &epoch_key)?),
            ]);
            let others = other_rows(&hash, &row);
            plan.writes.push(Write::Small {
                space: SESSIONS,
                key: hash.to_vec(),
                value: Some(rows::encode(&row)?),
            });
            plan.writes.extend(others.into_iter().map(|(space, key)| Write::Small {
                space,
                key,
                value: Some(vec![]),
            }));
            plan_sign_in(snapshot, door, &stored, signed_in, method.name(), &mut plan)?;
            plan.subject = Some(at);
            plan.remark_all(row.provider.iter().map(|name| format!("by {name}")).collect());
            Ok((Some(plan), Ok(person)))
        })?;
        Ok(entered.map(|person| Entered {
            person,
            key,
            cookie: Zeroizing::new(format!("{}.{}", door.tenant.number(), secret.as_str())),
            expires,
        }))
    }

    /// Writes down that a session was used, where the last time is longer ago than a minute. What is lost of it shortens a session by that much.
    pub fn session_was_used(&self, key: &SessionKey) -> Result<(), RosterError> {
        let snapshot = self.store.snapshot()?;
        let Some(bytes) = snapshot.small(key.tenant, SESSIONS, &key.hash)? else { return Ok(()) };
        let mut row: SessionRow = rows::decode(&bytes)?;
        let now = self.now();
        if !is_unseen(&row, now) {
            return Ok(());
        }
        row.seen = now;
        let given = vec![Given::Small(SESSIONS, key.hash.to_vec(), Some(bytes))];
        let value = Some(rows::encode(&row)?);
        let writes = vec![Write::Small { space: SESSIONS, key: key.hash.to_vec(), value }];
        // Where somebody else was quicker, it is written down or over.
        self.store.commit(key.tenant, Unit { given, writes, log: None })?;
        Ok(())
    }

    /// Returns the provider's ID token that was kept with a session, sealed for [`SessionKey::place`]; `None` where there is none.
    pub fn sealed_id_token(&self, key: &SessionKey) -> Result<Option<Vec<u8>>, RosterError> {
        let bytes = self.store.snapshot()?.small(key.tenant, SESSIONS, &key.hash)?;
        let row: Option<SessionRow> = bytes.map(|bytes| rows::decode(&bytes)).transpose()?;
        Ok(row.and_then(|row| row.id_token).as_deref().and_then(unhex))
    }

    /// Lists the sessions of a person that are good, latest first.
    pub fn sessions(
        &self,
        caller: &Caller,
        id: ResourceId,
        lifetimes: Lifetimes,
        is_open: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<SessionView>, RosterError> {
        of_the_firm(caller, Scope::UsersRead)?;
        let hashes = hashes_of(self.store.snapshot()?.as_ref(), caller.tenant, id)?;
        let mut good = Vec::new();
        for hash in hashes {
            let key = SessionKey { tenant: caller.tenant, hash };
            if let Ok(live) = self.look_at_session(&key, lifetimes, is_open)? {
                good.push(live.session);
            }
        }
        good.sort_by_key(|session| std::cmp::Reverse(session.created));
        Ok(good)
    }
}

/// Why a proof did not let somebody in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The identity is nobody's.
    #[error(transparent)]
    NotLinked(NotLinked),
    /// What the firm itself asks for was not shown.
    #[error("{why}")]
    NotProved {
        /// Of whom, where that is known.
        person: Option<ResourceId>,
        /// What.
        why: NotProved,
    },
    /// The person is locked, has left, or is not there yet.
    #[error("the person {person} is not let in: locked, departed, or before their first day")]
    NotLetIn {
        /// Who.
        person: ResourceId,
    },
}

pub(super) fn hashes_of(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    person: ResourceId,
) -> Result<Vec<[u8; 32]>, RosterError> {
    let keys = all_under(snapshot, tenant, SESSIONS_OF, person.as_bytes())?;
    Ok(keys.iter().filter_map(|key| key.last_chunk::<32>().copied()).collect())
}

/// Reads every key that begins so.
pub(super) fn all_under(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    space: Space,
    prefix: &[u8],
) -> Result<Vec<Vec<u8>>, RosterError> {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    loop {
        let page =
            snapshot.small_range(tenant, space, prefix, keys.last().map(Vec::as_slice), PAGE_ROWS_MAX)?;
        let last = page.len() < PAGE_ROWS_MAX;
        keys.extend(page.into_iter().map(|row| row.key));
        if last {
            return Ok(keys);
        }
    }
}
