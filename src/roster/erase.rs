//! Erasing what is left of a person who was deleted (X63): the values in the history. The facts stay, and with them the chain.

use super::commit::Plan;
use super::error::RosterError;
use super::permits::{Deed, Permit};
use super::rows::{self, ADMINISTRATORS, INVITATIONS, InvitationRow, TOKENS, TokensRow};
use super::scope::Caller;
use super::{Roster, all_small, shadow};
use crate::ids::{Address, ResourceId};
use crate::store::{Action, Facts, Seq, Snapshot, Write};

/// Rows of the history that are read at a time: one of a large group is megabytes by itself.
const ROWS_AT_ONCE: usize = 4;
/// Entries that are erased in one unit.
const ENTRIES_AT_ONCE: usize = 256;

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
            let found = self.of_person(caller, at, after)?;
            known |= found.any;
            if !known && found.last.is_none() {
                return Err(RosterError::Unknown(format!(
                    "the history knows of no person with the id {person}; GET /admin/v1/audit?subject= shows what it knows"
                )));
            }
            // The first unit is written in any case, so that the history says that it was asked for.
            if !found.seqs.is_empty() || found.last.is_none() {
                let last = found.last.is_none();
                let write = |snapshot: &dyn Snapshot| {
                    if snapshot.exists(caller.tenant, at)? {
                        return Err(RosterError::Unfit(format!(
                            "the person {person} is still there; delete them first, then erase what is left"
                        )));
                    }
                    let mut plan = Plan {
                        given: vec![crate::store::Given::Absent(at)],
                        writes: found.seqs.iter().map(|seq| Write::EraseValues(*seq)).collect(),
                        subject: Some(at),
                        remark: Some(format!("erased the values of {} entries", found.seqs.len())),
                        ..Plan::default()
                    };
                    if last {
                        beside(snapshot, caller, at, &mut plan)?;
                    }
                    Ok((Some(plan), ()))
                };
                self.carry_out(caller, Action::Erase, write)?;
                erased = erased.saturating_add(found.seqs.len() as u64);
            }
            match found.last {
                Some(last) => after = last,
                None => break,
            }
        }
        self.forget_credentials();
        Ok(erased)
    }

    /// Finds entries about a person that have values, a unit's worth of them.
    fn of_person(&self, caller: &Caller, at: Address, mut after: Seq) -> Result<OfPerson, RosterError> {
        let snapshot = self.store.snapshot()?;
        let mut found = OfPerson::default();
        loop {
            let rows = snapshot.changes(caller.tenant, after, ROWS_AT_ONCE)?;
            let Some(last) = rows.last() else { return Ok(found) };
            after = last.seq;
            for row in rows {
                let facts: Facts = serde_json::from_slice(&row.facts).map_err(|error| {
                    RosterError::Broken(format!("the facts of entry {}: {error}", row.seq.0))
                })?;
                let is_of_person = facts.subject == Some(at) && facts.action != Action::Erase;
                found.any |= is_of_person;
                if is_of_person && !row.values.is_empty() {
                    found.seqs.push(row.seq);
                }
            }
            if found.seqs.len() >= ENTRIES_AT_ONCE {
                found.last = Some(after);
                return Ok(found);
            }
        }
    }
}

/// Entries about a person.
#[derive(Default)]
struct OfPerson {
    /// Those that have values.
    seqs: Vec<Seq>,
    /// Whether there are any.
    any: bool,
    /// Up to which row was read; `None` when to the end.
    last: Option<Seq>,
}

/// Adds to a plan that nothing is kept beside the history either: what no schema knew, the right to administer, invitations, tokens.
fn beside(snapshot: &dyn Snapshot, caller: &Caller, at: Address, plan: &mut Plan) -> Result<(), RosterError> {
    shadow::forget(snapshot, caller, at, plan)?;
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
            plan.given.push(crate::store::Given::Small(TOKENS, row.key.clone(), Some(row.value)));
            let value = Some(rows::encode(&tokens)?);
            plan.writes.push(Write::Small { space: TOKENS, key: row.key, value });
        }
    }
    Ok(())
}
