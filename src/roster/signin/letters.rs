//! Mails that are to be sent: each is a row, written in the unit that it is about, so that what is told has happened and what has happened is told.
//!
//! What a mail opens lies here sealed, by a key that is not in the store, and no longer than until it is sent or given up. Which words it is put in, and how
//! it is sent, is not told here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::super::Caller;
use super::super::commit::{Plan, hex};
use super::super::error::RosterError;
use super::super::people::email;
use super::super::rows::{self, LETTERS, LETTERS_DUE, LetterRow};
use super::mailed;
use crate::ids::{ResourceId, TenantId};
use crate::scim::Document;
use crate::scim::fold::fold;
use crate::store::{Snapshot, Write};

/// Seals bytes for a place: what else must be the same when they are opened, and the bytes. `None` where it cannot.
pub type Seal<'a> = &'a dyn Fn(&[u8], &[u8]) -> Option<Vec<u8>>;

/// What a mail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LetterKind {
    /// How to sign in (H06): made into an invitation, or a word about the provider, when it is sent.
    Instructions,
    /// A link to come in by for the first time.
    Invitation,
    /// A link to come in by.
    MagicLink,
    /// A link to set a new password by, and what is to be typed in.
    Reset,
    /// That the password is another one.
    PasswordChanged,
    /// That mails go to another address now.
    AddressChanged,
}

impl LetterKind {
    /// Returns the name that is kept and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Invitation => "invitation",
            Self::MagicLink => "magic-link",
            Self::Reset => "reset",
            Self::PasswordChanged => "password-changed",
            Self::AddressChanged => "address-changed",
        }
    }
}

/// What must be the same when a letter is opened: its place.
pub fn letter_place(tenant: TenantId, letter: Uuid) -> Vec<u8> {
    let mut place = b"letter".to_vec();
    place.extend(tenant.number().to_be_bytes());
    place.extend(letter.as_bytes());
    place
}

/// Seals what a letter opens.
pub(super) fn seal(
    tenant: TenantId,
    letter: Uuid,
    seal: Seal<'_>,
    said: &Value,
) -> Result<Vec<u8>, RosterError> {
    let plain = Zeroizing::new(said.to_string());
    seal(&letter_place(tenant, letter), plain.as_bytes())
        .ok_or_else(|| RosterError::Broken("what a mail opens could not be sealed".to_owned()))
}

pub(super) fn due_key(due: Timestamp, id: Uuid) -> Vec<u8> {
    let mut key = u64::try_from(due.as_millisecond()).unwrap_or(0).to_be_bytes().to_vec();
    key.extend(id.as_bytes());
    key
}

/// What removes a letter that may have been sent meanwhile. When it was due is cleared away by whoever looks at what is.
pub(super) fn removal(id: Uuid) -> Write {
    Write::Small { space: LETTERS, key: id.as_bytes().to_vec(), value: None }
}

fn plan_letter(id: Uuid, row: &LetterRow, plan: &mut Plan) -> Result<(), RosterError> {
    plan.writes.extend([
        Write::Small { space: LETTERS, key: id.as_bytes().to_vec(), value: Some(rows::encode(row)?) },
        Write::Small { space: LETTERS_DUE, key: due_key(row.due, id), value: Some(vec![]) },
    ]);
    Ok(())
}

/// Adds to a plan a letter with something that it opens.
pub(super) fn plan_sealed(
    caller: &Caller,
    (person, kind): (ResourceId, LetterKind),
    id: Uuid,
    (to, until): (Option<String>, Timestamp),
    sealed: Vec<u8>,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    let sealed = Some(hex(&sealed));
    let row = LetterRow {
        person,
        kind,
        to,
        sealed,
        until: Some(until),
        made: caller.now,
        due: caller.now,
        attempts: 0,
    };
    plan_letter(id, &row, plan)
}

/// Adds to a plan a letter that opens nothing, where mails are sent and there is an address.
pub(in crate::roster) fn plan_notice(
    caller: &Caller,
    person: ResourceId,
    kind: LetterKind,
    address: Option<String>,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    if !caller.policy.sign_in.mails || address.is_none() {
        return Ok(());
    }
    // Made of what it is about, so that a rule that is asked twice writes one: there is no randomness in rules.
    let id = Uuid::from_bytes(letter_id(caller, person, kind));
    let row = LetterRow {
        person,
        kind,
        to: address,
        sealed: None,
        until: None,
        made: caller.now,
        due: caller.now,
        attempts: 0,
    };
    plan_letter(id, &row, plan)
}

/// The id of a letter that a request leads to.
fn letter_id(caller: &Caller, person: ResourceId, kind: LetterKind) -> [u8; 16] {
    use sha2::{Digest, Sha256};
    let digest = Sha256::new()
        .chain_update(caller.request.to_string())
        .chain_update(person.as_bytes())
        .chain_update(kind.name())
        .finalize();
    let mut id = [0_u8; 16];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    id
}

/// Adds to a plan what people are told of a write of theirs: how to sign in, where the firm wants that (H06), and at the old address that there is another
/// one. What was mailed to the old address is dead.
pub(in crate::roster) fn plan_told(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    person: ResourceId,
    before: Option<&Document>,
    wanted: &Document,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    let now = email(wanted);
    let Some(before) = before else {
        let wants = caller.policy.sign_in.login_instructions && wanted.is_active();
        // To the address that they have when it is sent.
        return if wants { plan_notice(caller, person, LetterKind::Instructions, now, plan) } else { Ok(()) };
    };
    let was = email(before);
    let same = match (&was, &now) {
        (Some(was), Some(now)) => fold(was) == fold(now),
        (None, None) => true,
        _ => false,
    };
    if same {
        return Ok(());
    }
    mailed::plan_forget(snapshot, caller.tenant, person, plan)?;
    plan_notice(caller, person, LetterKind::AddressChanged, was, plan)
}
