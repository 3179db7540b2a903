//! Erasing what is left of a person who was deleted (X63): the values in the history. The facts stay, and with them the chain.
//!
//! Answers show nothing of it from then on. In the store's file a page that held it is free, and holds it until something else is written
//! there, or the file is written anew (`store::redb::compact`).

use super::commit::Plan;
use super::error::RosterError;
use super::permits::{Deed, Permit};
use super::rows::{self, ADMINISTRATORS, INVITATIONS, InvitationRow, TOKENS, TokensRow};
use super::scope::Caller;
use super::{Roster, all_small, memos, shadow};
use crate::ids::{Address, KindId, ResourceId};
use crate::store::{Action, Facts, Given, LogRow, Seq, Snapshot, Write};

/// Entries that are read at a time, and erased in one unit.
const ENTRIES_AT_ONCE: usize = 64;

impl Roster {
    /// Erases what the history has of the attributes of a person who is no more, and returns how many entries had values. What
    /// is left are facts: that somebody of this id was made, changed and deleted, by whom and when. Done twice, the second time finds nothing.
    ///
    /// # Errors
    /// [`RosterError::Unfit`] while the person is still there; [`RosterError::Unknown`] where there never was one.
    pub fn erase(&self, caller: &Caller, permit: Permit, person: ResourceId) -> Result<u64, RosterError> {
        permit.must_be(Deed::ErasePeople)?;
        let at = Address::user(person);
        let (mut erased, mut after, mut known) = (0_u64, Seq::ZERO, false);
        loop {
            let rows = self.store.snapshot()?.history_since(caller.tenant, person, after, ENTRIES_AT_ONCE)?;
            let last = rows.last().filter(|_| rows.len() == ENTRIES_AT_ONCE).map(|row| row.seq);
            let mut seqs = Vec::new();
            for row in &rows {
                let facts = facts(row)?;
                known |= facts.subject.is_some_and(|at| matches!(at.kind, KindId::USER | KindId::DEPARTED));
                if known && !facts.attributes.is_empty() && !row.values.is_empty() {
                    seqs.push(row.seq);
                }
            }
            if !known && last.is_none() {
                return Err(RosterError::Unknown(format!(
                    "the history knows of no person with the id {person}; GET /admin/v1/audit?subject= shows what it knows of an id"
                )));
            }
            // At the end a unit is written in any case, so that the history says that it was asked for.
            if !seqs.is_empty() || last.is_none() {
                self.carry_out(caller, Action::Erase, |snapshot| {
                    let mut plan = Plan {
                        given: gone(snapshot, caller, person)?,
                        writes: seqs.iter().map(|seq| Write::EraseValues(*seq)).collect(),
                        subject: Some(at),
                        remark: Some(format!("erased the values of {} entries", seqs.len())),
                        ..Plan::default()
                    };
                    if last.is_none() {
                        beside(snapshot, caller, at, &mut plan)?;
                    }
                    Ok((Some(plan), ()))
                })?;
                erased = erased.saturating_add(seqs.len() as u64);
            }
            match last {
                Some(last) => after = last,
                None => break,
            }
        }
        self.forget_credentials();
        Ok(erased)
    }
}

fn facts(row: &LogRow) -> Result<Facts, RosterError> {
    serde_json::from_slice(&row.facts)
        .map_err(|error| RosterError::Broken(format!("the facts of entry {}: {error}", row.seq.0)))
}

/// Refuses while the person is there, and says on what it stands that they are not.
fn gone(snapshot: &dyn Snapshot, caller: &Caller, person: ResourceId) -> Result<Vec<Given>, RosterError> {
    let mut facts = Vec::new();
    for kind in [KindId::USER, KindId::DEPARTED] {
        let at = Address { kind, id: person };
        if snapshot.exists(caller.tenant, at)? {
            let (how, first) = match kind {
                KindId::USER => ("still there", "delete them"),
                _ => ("kept, because there are records of theirs", "end what holds them, and delete them"),
            };
            return Err(RosterError::Unfit(format!(
                "the person {person} is {how}; {first} first, then erase what is left"
            )));
        }
        facts.push(Given::Absent(at));
    }
    Ok(facts)
}

/// Adds to a plan that nothing is kept beside the history either: what no schema knew, the right to administer, invitations, tokens.
fn beside(snapshot: &dyn Snapshot, caller: &Caller, at: Address, plan: &mut Plan) -> Result<(), RosterError> {
    shadow::forget(snapshot, caller, at, plan)?;
    memos::forget(snapshot, caller, at.id, plan)?;
    let mut remove = |space, key| plan.writes.push(Write::Small { space, key, value: None });
    remove(ADMINISTRATORS, at.id.as_bytes().to_vec());
    for row in all_small(snapshot, caller.tenant, INVITATIONS)? {
        if rows::decode::<InvitationRow>(&row.value)?.person == at.id {
            remove(INVITATIONS, row.key);
        }
    }
    for row in all_small(snapshot, caller.tenant, TOKENS)? {
        let mut tokens: TokensRow = rows::decode(&row.value)?;
        let before = tokens.tokens.len();
        tokens.tokens.retain(|token| token.person != Some(at.id));
        if tokens.tokens.len() < before {
            plan.given.push(Given::Small(TOKENS, row.key.clone(), Some(row.value)));
            let value = Some(rows::encode(&tokens)?);
            plan.writes.push(Write::Small { space: TOKENS, key: row.key, value });
        }
    }
    Ok(())
}
