//! What administrators write down about a person (H14). The history has it too, where it can be erased like any value.

use jiff::Timestamp;
use serde_json::json;

use super::commit::Plan;
use super::error::RosterError;
use super::locks::of_the_firm;
use super::permits::{Deed, Permit};
use super::person::actor;
use super::rows::{self, MEMOS, MemoRow};
use super::scope::Scope;
use super::{Caller, Roster};
use crate::ids::{Address, KindId, ResourceId};
use crate::store::{Action, Change, Given, PAGE_ROWS_MAX, Snapshot, Write};

/// Memos about one person.
pub const MEMOS_PER_PERSON_MAX: u64 = 200;
/// Longest memo.
pub const MEMO_CHARACTERS_MAX: usize = 4000;

/// A memo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memo {
    /// Its id.
    pub id: ResourceId,
    /// What it says.
    pub text: String,
    /// When it was written.
    pub at: Timestamp,
    /// Who wrote it, in the history's words.
    pub by: String,
}

impl Roster {
    /// Writes a memo about a person, departed or not.
    pub fn add_memo(
        &self,
        caller: &Caller,
        permit: Permit,
        person: ResourceId,
        text: &str,
    ) -> Result<Memo, RosterError> {
        permit.must_be(Deed::WriteMemos)?;
        of_the_firm(caller, Scope::UsersWrite)?;
        let text = text.trim();
        let too_long = text.chars().nth(MEMO_CHARACTERS_MAX).is_some();
        if text.is_empty() || too_long || text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err(RosterError::Malformed(format!(
                "text: expected 1 to {MEMO_CHARACTERS_MAX} characters of text, found {}",
                if text.is_empty() { "nothing" } else { "more, or control characters" }
            )));
        }
        let id = ResourceId::new(self.chance.uuid(caller.now));
        let memo = Memo { id, text: text.to_owned(), at: caller.now, by: actor(caller.who) };
        self.carry_out(caller, Action::MemoAdd, |snapshot| {
            let there = there(snapshot, caller, person)?;
            let count = person.as_bytes().to_vec();
            if snapshot.counter(caller.tenant, MEMOS, &count)? >= MEMOS_PER_PERSON_MAX {
                return Err(RosterError::InUse(format!(
                    "there are {MEMOS_PER_PERSON_MAX} memos about this person, which is the most; remove some first"
                )));
            }
            let row = MemoRow { text: memo.text.clone(), at: memo.at, by: memo.by.clone() };
            let room = Given::Room { space: MEMOS, key: count.clone(), max: MEMOS_PER_PERSON_MAX };
            let plan = Plan {
                given: vec![Given::Exists(there), room],
                writes: vec![
                    Write::Small { space: MEMOS, key: key(person, id), value: Some(rows::encode(&row)?) },
                    Write::Add { space: MEMOS, key: count, by: 1 },
                ],
                subject: Some(Address::user(person)),
                changes: vec![Change::of("memos", None, Some(json!({ "id": id.to_string(), "text": text })))],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })?;
        Ok(memo)
    }

    /// Removes a memo. What it said stays in the history.
    pub fn remove_memo(
        &self,
        caller: &Caller,
        permit: Permit,
        person: ResourceId,
        id: ResourceId,
    ) -> Result<(), RosterError> {
        permit.must_be(Deed::WriteMemos)?;
        of_the_firm(caller, Scope::UsersWrite)?;
        self.carry_out(caller, Action::MemoRemove, |snapshot| {
            let key = key(person, id);
            let value = snapshot.small(caller.tenant, MEMOS, &key)?.ok_or(RosterError::NotFound)?;
            let row: MemoRow = rows::decode(&value)?;
            let old = json!({ "id": id.to_string(), "text": row.text });
            let plan = Plan {
                given: vec![Given::Small(MEMOS, key.clone(), Some(value))],
                writes: vec![
                    Write::Small { space: MEMOS, key, value: None },
                    Write::Add { space: MEMOS, key: person.as_bytes().to_vec(), by: -1 },
                ],
                subject: Some(Address::user(person)),
                changes: vec![Change::of("memos", Some(old), None)],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })
    }

    /// Lists the memos about a person, oldest first.
    pub fn memos(&self, caller: &Caller, person: ResourceId) -> Result<Vec<Memo>, RosterError> {
        of_the_firm(caller, Scope::UsersRead)?;
        let snapshot = self.store.snapshot()?;
        there(snapshot.as_ref(), caller, person)?;
        let mut memos = Vec::new();
        for (id, value) in all(snapshot.as_ref(), caller, person)? {
            let MemoRow { text, at, by } = rows::decode(&value)?;
            memos.push(Memo { id, text, at, by });
        }
        Ok(memos)
    }
}

/// Adds to a plan that no memo about a person is left.
pub(super) fn forget(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    person: ResourceId,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    let count = person.as_bytes().to_vec();
    for (id, value) in all(snapshot, caller, person)? {
        let key = key(person, id);
        plan.given.push(Given::Small(MEMOS, key.clone(), Some(value)));
        plan.writes.push(Write::Small { space: MEMOS, key, value: None });
    }
    let counted = snapshot.small(caller.tenant, MEMOS, &count)?;
    if counted.is_some() {
        plan.writes.push(Write::Small { space: MEMOS, key: count.clone(), value: None });
    }
    // One that is written meanwhile is seen.
    plan.given.push(Given::Small(MEMOS, count, counted));
    Ok(())
}

/// Reads the rows about a person, oldest first. How many there are stands under the person's id alone.
fn all(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    person: ResourceId,
) -> Result<Vec<(ResourceId, Vec<u8>)>, RosterError> {
    let rows = snapshot.small_range(caller.tenant, MEMOS, person.as_bytes(), None, PAGE_ROWS_MAX)?;
    let id = |key: &[u8]| <[u8; 16]>::try_from(key.get(16..)?).ok().map(ResourceId::from_bytes);
    Ok(rows.into_iter().filter_map(|row| Some((id(&row.key)?, row.value))).collect())
}

fn key(person: ResourceId, memo: ResourceId) -> Vec<u8> {
    [person.as_bytes().as_slice(), memo.as_bytes().as_slice()].concat()
}

fn there(snapshot: &dyn Snapshot, caller: &Caller, id: ResourceId) -> Result<Address, RosterError> {
    for kind in [KindId::USER, KindId::DEPARTED] {
        let at = Address { kind, id };
        if snapshot.exists(caller.tenant, at)? {
            return Ok(at);
        }
    }
    Err(RosterError::NotFound)
}
