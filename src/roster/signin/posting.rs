//! Sending what is to be sent: which letters are due, and what becomes of each. At least once: a letter is gone when the mail server has it, or when it is
//! given up, which the history tells.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::super::commit::{Plan, unhex};
use super::super::error::RosterError;
use super::super::people::email;
use super::super::rows::{self, LETTERS, LETTERS_DUE, LetterRow, TENANTS, TenantRow};
use super::super::{Caller, Roster, all_small, core};
use super::gate::is_let_in;
use super::letters::{LetterKind, Seal, due_key, removal};
use super::mailed::{INVITATION, Purpose};
use super::mailing::{Order, OrderedBy};
use super::methods;
use super::session::Method;
use crate::ids::{Address, RequestId, ResourceId, TenantId};
use crate::store::{Action, Given, Outcome, Snapshot, Unit, Write};

/// Letters that are looked at in one go.
const AT_ONCE_MAX: usize = 64;
/// The pause after the first failure; each further one is twice as long.
const PAUSE_FIRST: SignedDuration = SignedDuration::from_secs(10);
/// The longest pause.
const PAUSE_MAX: SignedDuration = SignedDuration::from_hours(1);

/// A mail that is to be sent now.
pub struct Letter {
    /// Its id.
    pub id: Uuid,
    /// Of which tenant.
    pub tenant: TenantId,
    /// The tenant's name.
    pub tenant_name: String,
    /// To whom.
    pub person: ResourceId,
    /// What they are called.
    pub display_name: String,
    /// What they sign in with.
    pub user_name: String,
    /// What it says.
    pub kind: LetterKind,
    /// To which address.
    pub to: String,
    /// What it opens, sealed.
    pub sealed: Option<Vec<u8>>,
    /// How often it was tried before.
    pub attempts: u32,
    /// Until when what it opens is good.
    pub until: Option<Timestamp>,
    /// When it was written.
    pub made: Timestamp,
}

/// What became of an attempt at a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The mail server has it.
    Done,
    /// It is tried again, if it was not tried too often. Why, in words without an address.
    Later(String),
    /// It is not tried any more, and why, in words without an address.
    Never(String),
}

impl Roster {
    /// Returns letters that are due, of every tenant, a few of each; and when the next one will be.
    pub fn letters_due(&self) -> Result<(Vec<Letter>, Option<Timestamp>), RosterError> {
        let snapshot = self.store.snapshot()?;
        let now = self.now();
        let (mut letters, mut next) = (Vec::new(), None::<Timestamp>);
        for row in all_small(snapshot.as_ref(), TenantId::SYSTEM, TENANTS)? {
            let tenant = rows::decode::<TenantRow>(&row.value)?.number;
            let name = String::from_utf8_lossy(&row.key).into_owned();
            for due in snapshot.small_range(tenant, LETTERS_DUE, &[], None, AT_ONCE_MAX)? {
                let Some((at, id)) = read_due(&due.key) else { continue };
                if at > now {
                    next = Some(next.map_or(at, |next| next.min(at)));
                    break;
                }
                match Self::letter(snapshot.as_ref(), (tenant, &name), id, now)? {
                    Some(letter) => letters.push(letter),
                    None => self.clear_away(snapshot.as_ref(), tenant, &due.key, id)?,
                }
            }
        }
        Ok((letters, next))
    }

    /// Reads a letter as it is to be sent; `None` where it is not to be any more: it was dropped, its person has gone or is kept out, or has no address.
    fn letter(
        snapshot: &dyn Snapshot,
        (tenant, name): (TenantId, &str),
        id: Uuid,
        now: Timestamp,
    ) -> Result<Option<Letter>, RosterError> {
        let Some(bytes) = snapshot.small(tenant, LETTERS, id.as_bytes())? else { return Ok(None) };
        let row: LetterRow = rows::decode(&bytes)?;
        let Some(stored) = snapshot.get(tenant, Address::user(row.person))? else { return Ok(None) };
        let document = core(&stored)?;
        // Who is kept out is told what happened to their account, and is given nothing that opens it.
        let opens = !matches!(row.kind, LetterKind::PasswordChanged | LetterKind::AddressChanged);
        if row.until.is_some_and(|until| until <= now) {
            return Ok(None);
        }
        if opens && !is_let_in(&stored, &document, now)? {
            return Ok(None);
        }
        // How to sign in goes to where they are reached now.
        let to = if row.kind == LetterKind::Instructions { email(&document) } else { row.to };
        let Some(to) = to else { return Ok(None) };
        let text = |name: &str| document.text(name).unwrap_or_default().to_owned();
        Ok(Some(Letter {
            id,
            tenant,
            tenant_name: name.to_owned(),
            person: row.person,
            display_name: text("displayName"),
            user_name: text("userName"),
            kind: row.kind,
            to,
            sealed: row.sealed.as_deref().and_then(unhex),
            attempts: row.attempts,
            until: row.until,
            made: row.made,
        }))
    }

    /// Makes of a letter with instructions what the person can use: an invitation, which is a letter of its own, where they come in by the firm's own
    /// means. Returns whether it did; who signs in through a provider is told so by the letter itself.
    pub fn invite_by_letter(
        &self,
        letter: &Letter,
        request: RequestId,
        seal: Seal<'_>,
    ) -> Result<bool, RosterError> {
        let caller = self.of_itself(&letter.tenant_name, letter.tenant, request)?;
        let snapshot = self.store.snapshot()?;
        let Some(stored) = snapshot.get(letter.tenant, Address::user(letter.person))? else {
            return Ok(false);
        };
        let means = methods::means(snapshot.as_ref(), letter.tenant, &caller.policy, &stored)?;
        if !means.allow(Method::MagicLink) {
            return Ok(false);
        }
        let (person, purpose) = (letter.person, Purpose::Invitation);
        let (by, mail) = (OrderedBy::Themselves, Some(seal));
        self.issue_link(&caller, &Order { person, purpose, lifetime: INVITATION, by, mail })?;
        self.remove_letter(&caller, letter)?;
        Ok(true)
    }

    /// Writes down what became of an attempt. Returns whether the letter was given up.
    pub fn letter_came_to(
        &self,
        letter: &Letter,
        sent: &Sent,
        attempts_max: u32,
        request: RequestId,
    ) -> Result<bool, RosterError> {
        let caller = self.of_itself(&letter.tenant_name, letter.tenant, request)?;
        let attempts = letter.attempts.saturating_add(1);
        let why = match sent {
            Sent::Done => return self.remove_letter(&caller, letter).map(|()| false),
            Sent::Later(_) if attempts < attempts_max => {
                return self.postpone(&caller, letter, attempts).map(|()| false);
            }
            Sent::Later(why) | Sent::Never(why) => why,
        };
        self.carry_out(&caller, Action::LetterDrop, |snapshot| {
            let Some((given, writes)) = removal_of(snapshot, letter)? else { return Ok((None, ())) };
            let at = Address::user(letter.person);
            let mut plan = Plan { given, writes, subject: Some(at), ..Plan::default() };
            plan.remark_all(vec![format!("{} after {attempts} attempts: {why}", letter.kind.name())]);
            Ok((Some(plan), ()))
        })?;
        Ok(true)
    }

    fn remove_letter(&self, caller: &Caller, letter: &Letter) -> Result<(), RosterError> {
        let snapshot = self.store.snapshot()?;
        let Some((given, writes)) = removal_of(snapshot.as_ref(), letter)? else { return Ok(()) };
        // Where it was dropped meanwhile, it is gone as well.
        self.store.commit(caller.tenant, Unit { given, writes, log: None })?;
        Ok(())
    }

    fn postpone(&self, caller: &Caller, letter: &Letter, attempts: u32) -> Result<(), RosterError> {
        let snapshot = self.store.snapshot()?;
        let Some(bytes) = snapshot.small(letter.tenant, LETTERS, letter.id.as_bytes())? else {
            return Ok(());
        };
        let row: LetterRow = rows::decode(&bytes)?;
        let due = caller.now.checked_add(pause(attempts)).unwrap_or(caller.now);
        let small = |space, key, value| Write::Small { space, key, value };
        let unit = Unit {
            given: vec![Given::Small(LETTERS, letter.id.as_bytes().to_vec(), Some(bytes))],
            writes: vec![
                small(LETTERS_DUE, due_key(row.due, letter.id), None),
                small(LETTERS_DUE, due_key(due, letter.id), Some(vec![])),
                small(
                    LETTERS,
                    letter.id.as_bytes().to_vec(),
                    Some(rows::encode(&LetterRow { due, attempts, ..row })?),
                ),
            ],
            log: None,
        };
        self.store.commit(caller.tenant, unit)?;
        Ok(())
    }

    /// Clears away when a letter was due that is not to be sent.
    fn clear_away(
        &self,
        snapshot: &dyn Snapshot,
        tenant: TenantId,
        due: &[u8],
        id: Uuid,
    ) -> Result<(), RosterError> {
        let given =
            Given::Small(LETTERS, id.as_bytes().to_vec(), snapshot.small(tenant, LETTERS, id.as_bytes())?);
        let writes = vec![removal(id), Write::Small { space: LETTERS_DUE, key: due.to_vec(), value: None }];
        let outcome = self.store.commit(tenant, Unit { given: vec![given], writes, log: None })?;
        if let Outcome::Lost(_) = outcome {
            tracing::debug!("a letter changed while it was cleared away; it is looked at again");
        }
        Ok(())
    }
}

type Removal = Option<(Vec<Given>, Vec<Write>)>;

fn removal_of(snapshot: &dyn Snapshot, letter: &Letter) -> Result<Removal, RosterError> {
    let key = letter.id.as_bytes().to_vec();
    let Some(bytes) = snapshot.small(letter.tenant, LETTERS, &key)? else { return Ok(None) };
    let row: LetterRow = rows::decode(&bytes)?;
    let due = Write::Small { space: LETTERS_DUE, key: due_key(row.due, letter.id), value: None };
    Ok(Some((vec![Given::Small(LETTERS, key, Some(bytes))], vec![removal(letter.id), due])))
}

fn read_due(key: &[u8]) -> Option<(Timestamp, Uuid)> {
    let (at, id) = key.split_first_chunk::<8>()?;
    let at = i64::try_from(u64::from_be_bytes(*at)).ok()?;
    Some((Timestamp::from_millisecond(at).ok()?, Uuid::from_bytes(*id.first_chunk::<16>()?)))
}

/// Ten seconds, twice that each time, an hour at most.
fn pause(attempts: u32) -> SignedDuration {
    let times = 1_i32.checked_shl(attempts.saturating_sub(1).min(20)).unwrap_or(i32::MAX);
    PAUSE_FIRST.checked_mul(times).unwrap_or(PAUSE_MAX).min(PAUSE_MAX)
}
