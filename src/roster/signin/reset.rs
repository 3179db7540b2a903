//! Setting a new password by a link, and by what has to be typed in from its mail (P05).

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::super::commit::{Plan, hex};
use super::super::error::RosterError;
use super::super::rows::{self, MAILED, MailedRow};
use super::super::{Caller, Roster};
use super::mailed::{MailedKey, Purpose, open, plan_follow, plan_remove};
use super::own::NotProved;
use super::{password, second};
use crate::ids::ResourceId;
use crate::store::{Action, Given, Outcome, Unit, Write};

/// How often something else may be typed in than what the mail says, before the link is dead.
pub const WRONG_CODES_MAX: u32 = 5;

impl Roster {
    /// Sets a new password by a link and what its mail says is to be typed in (P05). What was typed wrong counts, and kills the link in the end.
    pub fn reset_password(
        &self,
        door: &Caller,
        key: &MailedKey,
        code: &str,
        hash: &str,
    ) -> Result<Result<ResourceId, NotProved>, RosterError> {
        if let Err(why) = self.check_code(door, key, code)? {
            return Ok(Err(why));
        }
        self.carry_out(door, Action::PasswordSet, |snapshot| {
            let mut plan = Plan::default();
            let opened = match plan_follow(snapshot, door, key, Purpose::Reset, &mut plan)? {
                Ok(opened) => opened,
                Err(why) => return Ok((None, Err(why))),
            };
            let person = opened.row.person;
            // It was right a moment ago, and is looked at again with what it stands on.
            if !is_code(&opened.row, code) {
                return Ok((None, Err(NotProved::NoSuchLink)));
            }
            if second::confirmed(snapshot, door.tenant, person)?.is_some() {
                return Ok((None, Err(NotProved::NoSuchLink)));
            }
            plan.given.push(second::fact(snapshot, door.tenant, person)?);
            password::plan_set(snapshot, door, &opened.stored, hash, false, &mut plan)?;
            plan.subject = Some(opened.stored.at());
            plan.remark_all(vec!["by a link".to_owned()]);
            Ok((Some(plan), Ok(person)))
        })
    }

    /// Looks whether what was typed in is what the mail says; counts where it is not.
    pub fn check_code(
        &self,
        door: &Caller,
        key: &MailedKey,
        code: &str,
    ) -> Result<Result<(), NotProved>, RosterError> {
        let mut lost = 0_u32;
        loop {
            let snapshot = self.store.snapshot()?;
            let opened = match open(snapshot.as_ref(), door, key, Purpose::Reset)? {
                Ok(opened) => opened,
                Err(why) => return Ok(Err(why)),
            };
            if is_code(&opened.row, code) {
                return Ok(Ok(()));
            }
            let mut plan = Plan { unlogged: true, ..Plan::default() };
            let wrong = opened.row.wrong.saturating_add(1);
            if wrong >= WRONG_CODES_MAX {
                plan_remove(&key.hash, (opened.bytes, opened.row), &mut plan);
            } else {
                let row = MailedRow { wrong, ..opened.row };
                plan.given.push(Given::Small(MAILED, key.hash.to_vec(), Some(opened.bytes)));
                let value = Some(rows::encode(&row)?);
                plan.writes.push(Write::Small { space: MAILED, key: key.hash.to_vec(), value });
            }
            let unit = Unit { given: plan.given, writes: plan.writes, log: None };
            match self.store.commit(door.tenant, unit)? {
                Outcome::Committed { .. } => return Ok(Err(NotProved::WrongCode)),
                Outcome::Lost(_) => {
                    // Somebody else was counted first; ours counts as well.
                    lost = lost.saturating_add(1);
                    if lost > WRONG_CODES_MAX.saturating_mul(4) {
                        return Err(RosterError::Busy);
                    }
                }
            }
        }
    }
}

/// Tells whether what was typed in is what the mail says, however it is spelled.
fn is_code(row: &MailedRow, typed: &str) -> bool {
    let bare: Zeroizing<String> = Zeroizing::new(
        typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).take(64).collect(),
    );
    let typed = hex(&Sha256::digest(bare.as_bytes()));
    row.code.as_ref().is_some_and(|code| code.as_bytes().ct_eq(typed.as_bytes()).into())
}
