//! Links that are mailed: to come in by (T03), to come in for the first time (T02), to set a new password (P05).
//!
//! A link holds 256 random bits, of which the hash is kept. It is for one person, one purpose and one address, good until a moment and while nothing that
//! the person had signed in with was ended since (X47). Of each purpose a person has one: a new one is the end of the old. Looking at one changes nothing;
//! what it opens takes it away in the same unit, so that it opens once, whoever is quicker.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::super::commit::Plan;
use super::super::error::RosterError;
use super::super::people::email;
use super::super::rows::{self, EPOCHS, MAILED, MAILED_DUE, MAILED_OF, MailedRow};
use super::super::{Caller, Roster, core};
use super::gate::{epoch, is_let_in};
use super::letters::{self, LetterKind};
use super::own::NotProved;
use super::session::{Method, SessionKey, due_key};
use super::{methods, password, second};
use crate::ids::{Address, ResourceId, TenantId};
use crate::scim::fold::fold;
use crate::store::{Given, Outcome, Snapshot, Stored, Unit, Write};

/// How long a link to come in by is good (T03).
pub const MAGIC_LINK: SignedDuration = SignedDuration::from_mins(30);
/// How long an invitation is good (T02).
pub const INVITATION: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a link is good that an administrator sends again (T10).
pub const SENT_AGAIN: SignedDuration = SignedDuration::from_hours(24);
/// How long a link to set a password is good (P05).
pub const RESET: SignedDuration = SignedDuration::from_mins(30);
/// How many links that are over are removed at once.
const SWEPT_AT_ONCE_MAX: usize = 256;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Coming in.
    MagicLink = 1,
    /// Coming in for the first time.
    Invitation = 2,
    /// Setting a new password.
    Reset = 3,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::MagicLink, Self::Invitation, Self::Reset];

    /// Returns the name that is kept and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MagicLink => "magic-link",
            Self::Invitation => "invitation",
            Self::Reset => "reset",
        }
    }

    /// Returns the way of signing in that it is a part of.
    pub(super) const fn method(self) -> Method {
        match self {
            Self::MagicLink | Self::Invitation => Method::MagicLink,
            Self::Reset => Method::Password,
        }
    }

    pub(super) const fn letter(self) -> LetterKind {
        match self {
            Self::MagicLink => LetterKind::MagicLink,
            Self::Invitation => LetterKind::Invitation,
            Self::Reset => LetterKind::Reset,
        }
    }
}

/// Where a link lies, and what opens it: its hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MailedKey {
    /// Whose tenant it is.
    pub tenant: TenantId,
    pub(super) hash: [u8; 32],
}

impl fmt::Debug for MailedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailedKey").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl MailedKey {
    /// Reads what a link holds: the number of the tenant, a point, and 64 hexadecimal digits. `None` where it holds something else.
    pub fn parse(token: &str) -> Option<Self> {
        let SessionKey { tenant, hash } = SessionKey::parse(token)?;
        Some(Self { tenant, hash })
    }
}

/// A link that is good, to whoever has it and looks.
#[derive(Debug, Clone)]
pub struct MailedView {
    /// Whose it is.
    pub person: ResourceId,
    /// What they are called.
    pub display_name: String,
    /// What they sign in with.
    pub user_name: String,
    /// When it stops working.
    pub expires: Timestamp,
    /// Whether a password may be set with it: an invitation of somebody who signs in by one.
    pub takes_password: bool,
    /// Whether a second factor is asked for besides.
    pub second_factor: bool,
}

fn of_key(person: ResourceId, purpose: Purpose) -> Vec<u8> {
    let mut key = person.as_bytes().to_vec();
    key.push(purpose as u8);
    key
}

fn none(space: crate::store::Space, key: Vec<u8>) -> Write {
    Write::Small { space, key, value: None }
}

type Kept = Option<(Vec<u8>, MailedRow)>;

fn row(snapshot: &dyn Snapshot, tenant: TenantId, key: &[u8]) -> Result<Kept, RosterError> {
    let bytes = snapshot.small(tenant, MAILED, key)?;
    bytes.map(|bytes| rows::decode(&bytes).map(|row| (bytes, row))).transpose()
}

/// Adds to a plan that a link is no more, and neither is the letter that was to bring it.
pub(super) fn plan_remove(key: &[u8], (bytes, row): (Vec<u8>, MailedRow), plan: &mut Plan) {
    let hash: [u8; 32] = key.try_into().unwrap_or_default();
    plan.given.push(Given::Small(MAILED, key.to_vec(), Some(bytes)));
    plan.writes.extend([
        none(MAILED, key.to_vec()),
        none(MAILED_OF, of_key(row.person, row.purpose)),
        none(MAILED_DUE, due_key(row.expires, &hash)),
    ]);
    plan.writes.extend(row.letter.map(letters::removal));
}

/// Adds to a plan that a person's link of a purpose is no more.
pub(super) fn plan_drop(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    person: ResourceId,
    purpose: Purpose,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    let of = of_key(person, purpose);
    let key = snapshot.small(tenant, MAILED_OF, &of)?;
    // Of two units that each know of no other link only one is written.
    plan.given.push(Given::Small(MAILED_OF, of, key.clone()));
    if let Some(key) = key
        && let Some(kept) = row(snapshot, tenant, &key)?
    {
        plan_remove(&key, kept, plan);
    }
    Ok(())
}

/// Adds to a plan that all links of a person are no more.
pub(super) fn plan_forget(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    person: ResourceId,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    Purpose::ALL.into_iter().try_for_each(|purpose| plan_drop(snapshot, tenant, person, purpose, plan))
}

/// Returns the one link that a person has of a purpose.
pub(super) fn live_row(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    person: ResourceId,
    purpose: Purpose,
) -> Result<Option<MailedRow>, RosterError> {
    let Some(key) = snapshot.small(tenant, MAILED_OF, &of_key(person, purpose))? else { return Ok(None) };
    Ok(row(snapshot, tenant, &key)?.map(|(_, row)| row))
}

/// Lists the links of a person that are good.
pub(super) fn live(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    person: ResourceId,
    now: Timestamp,
) -> Result<Vec<(&'static str, Timestamp)>, RosterError> {
    let mut links = Vec::new();
    for purpose in Purpose::ALL {
        if let Some(row) = live_row(snapshot, tenant, person, purpose)?
            && row.expires > now
            && row.epoch == epoch(snapshot, tenant, person)?
        {
            links.push((purpose.name(), row.expires));
        }
    }
    Ok(links)
}

/// A link that was found to be good, and the facts that it stands on.
pub(super) struct Opened {
    pub stored: Stored,
    pub row: MailedRow,
    pub bytes: Vec<u8>,
}

/// Looks whether a link is good.
pub(super) fn open(
    snapshot: &dyn Snapshot,
    door: &Caller,
    key: &MailedKey,
    purpose: Purpose,
) -> Result<Result<Opened, NotProved>, RosterError> {
    let no = Ok(Err(NotProved::NoSuchLink));
    if key.tenant != door.tenant {
        return no;
    }
    let Some((bytes, row)) = row(snapshot, door.tenant, &key.hash)? else { return no };
    if row.purpose != purpose || row.expires <= door.now {
        return no;
    }
    let Some(stored) = snapshot.get(door.tenant, Address::user(row.person))? else { return no };
    let document = core(&stored)?;
    let same_address = match &row.address {
        Some(address) => email(&document).is_some_and(|now| fold(&now) == fold(address)),
        None => true,
    };
    let means = methods::means(snapshot, door.tenant, &door.policy, &stored)?;
    // What was given to an operator lets its person in however the firm signs in: it is made by whoever may read the data folder.
    let allowed = row.address.is_none() || means.allow(purpose.method());
    let fresh = row.epoch == epoch(snapshot, door.tenant, row.person)?
        && (purpose != Purpose::Reset
            || row.password_epoch == password::epoch(snapshot, door.tenant, row.person)?);
    if !same_address || !allowed || !fresh || !is_let_in(&stored, &document, door.now)? {
        return no;
    }
    Ok(Ok(Opened { stored, row, bytes }))
}

/// Opens a link for whoever comes by it: adds to a plan that it is no more.
pub(super) fn plan_follow(
    snapshot: &dyn Snapshot,
    door: &Caller,
    key: &MailedKey,
    purpose: Purpose,
    plan: &mut Plan,
) -> Result<Result<Opened, NotProved>, RosterError> {
    let opened = match open(snapshot, door, key, purpose)? {
        Ok(opened) => opened,
        Err(why) => return Ok(Err(why)),
    };
    let person = opened.row.person;
    let epochs = person.as_bytes().to_vec();
    let value = snapshot.small(door.tenant, EPOCHS, &epochs)?;
    plan.given.extend([
        Given::Small(EPOCHS, epochs, value),
        Given::Version(opened.stored.at(), opened.stored.version()),
        methods::fact(snapshot, door.tenant, person)?,
    ]);
    plan_remove(&key.hash, (opened.bytes.clone(), opened.row.clone()), plan);
    Ok(Ok(opened))
}

impl Roster {
    /// Looks at a link, and changes nothing: programs that look through mails do so too.
    pub fn look_at_link(
        &self,
        door: &Caller,
        key: &MailedKey,
        purpose: Purpose,
    ) -> Result<Option<MailedView>, RosterError> {
        let snapshot = self.store.snapshot()?;
        let Ok(Opened { stored, row, .. }) = open(snapshot.as_ref(), door, key, purpose)? else {
            return Ok(None);
        };
        let document = core(&stored)?;
        let text = |name: &str| document.text(name).unwrap_or_default().to_owned();
        let means = methods::means(snapshot.as_ref(), door.tenant, &door.policy, &stored)?;
        Ok(Some(MailedView {
            person: row.person,
            display_name: text("displayName"),
            user_name: text("userName"),
            expires: row.expires,
            takes_password: purpose != Purpose::MagicLink && means.allow(Method::Password),
            second_factor: second::confirmed(snapshot.as_ref(), door.tenant, row.person)?.is_some(),
        }))
    }
}

/// Adds to a plan that a link is kept.
pub(super) fn plan_keep(hash: &[u8; 32], row: &MailedRow, plan: &mut Plan) -> Result<(), RosterError> {
    let small = |space, key, value| Write::Small { space, key, value: Some(value) };
    plan.writes.extend([
        small(MAILED, hash.to_vec(), rows::encode(row)?),
        small(MAILED_OF, of_key(row.person, row.purpose), hash.to_vec()),
        small(MAILED_DUE, due_key(row.expires, hash), vec![]),
    ]);
    Ok(())
}

/// Adds to a plan that somebody who is just being made has an invitation that is not mailed.
pub(in crate::roster) fn plan_invitation(
    caller: &Caller,
    person: ResourceId,
    hash: [u8; 32],
    expires: Timestamp,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    let row = MailedRow {
        person,
        purpose: Purpose::Invitation,
        address: None,
        epoch: 0,
        password_epoch: 0,
        code: None,
        wrong: 0,
        letter: None,
        created: caller.now,
        expires,
    };
    plan_keep(&hash, &row, plan)
}

/// Removes links that are over. Returns how many; there may be more.
pub(super) fn sweep(roster: &Roster, tenant: TenantId, now: Timestamp) -> Result<usize, RosterError> {
    let snapshot = roster.store.snapshot()?;
    let over = due_key(now, &[0; 32]);
    let mut swept = 0_usize;
    for due in snapshot.small_range(tenant, MAILED_DUE, &[], None, SWEPT_AT_ONCE_MAX)? {
        if due.key >= over {
            break;
        }
        let Some(key) = due.key.last_chunk::<32>() else { continue };
        let mut plan = Plan::default();
        match row(snapshot.as_ref(), tenant, key)? {
            Some(kept) => plan_remove(key, kept, &mut plan),
            None => plan.writes.push(none(MAILED_DUE, due.key.clone())),
        }
        let unit = Unit { given: plan.given, writes: plan.writes, log: None };
        swept = swept.saturating_add(usize::from(matches!(
            roster.store.commit(tenant, unit)?,
            Outcome::Committed { .. }
        )));
    }
    Ok(swept)
}
