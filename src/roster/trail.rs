//! A tenant's history as it is read from outside: row by row, bounded, without the values that the reader may not see (X60).
//!
//! Of money neither the values nor the names of the attributes are shown to who may not see it. Digest and link stay, so that the chain can be
//! compared with what `rosterd audit export` writes.

use jiff::Timestamp;

use super::Roster;
use super::commit::hex;
use super::error::RosterError;
use super::money::is_money;
use super::permits::{Deed, Permit};
use super::scope::{Caller, Scope};
use crate::ids::{KindId, ResourceId};
use crate::store::{Action, Asked, Change, Facts, LogRow, Seq, Values};

/// An entry of the history, as far as its reader may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trail {
    /// Its number.
    pub seq: Seq,
    /// Its link in the chain, hexadecimal.
    pub link: String,
    /// SHA-256 of its values, hexadecimal.
    pub values_digest: String,
    /// Who, what, when; without the names of what may not be seen.
    pub facts: Facts,
    /// What attributes were and became; `None` once erased.
    pub changes: Option<Vec<Change>>,
    /// What plugins were asked, and said; nothing once erased.
    pub asked: Vec<Asked>,
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// About this resource.
    pub subject: Option<ResourceId>,
    /// Of this action.
    pub action: Option<Action>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl Wanted {
    fn wants(&self, facts: &Facts) -> bool {
        self.subject.is_none_or(|id| facts.subject.is_some_and(|at| at.id == id))
            && self.action.is_none_or(|action| facts.action == action)
            && self.since.is_none_or(|since| facts.when >= since)
            && self.until.is_none_or(|until| facts.when < until)
    }
}

/// What was read of a history.
#[derive(Debug, Clone, Default)]
pub struct Stretch {
    /// What was wanted of it, oldest first.
    pub found: Vec<Trail>,
    /// The last row that was looked at; `None` where there is none after the one that was named.
    pub last: Option<Seq>,
}

impl Roster {
    /// Reads so many rows of the caller's tenant after a number, and returns what is wanted of them.
    pub fn trail(
        &self,
        caller: &Caller,
        permit: Permit,
        after: Seq,
        rows: usize,
        wanted: &Wanted,
    ) -> Result<Stretch, RosterError> {
        permit.must_be(Deed::SeeHistory)?;
        let snapshot = self.store.snapshot()?;
        let rows = match wanted.subject {
            Some(subject) => snapshot.history_since(caller.tenant, subject, after, rows)?,
            None => snapshot.changes(caller.tenant, after, rows)?,
        };
        let last = rows.last().map(|row| row.seq);
        let mut found = Vec::new();
        for row in rows {
            let facts: Facts = serde_json::from_slice(&row.facts)
                .map_err(|error| RosterError::Broken(format!("the facts of entry {}: {error}", row.seq.0)))?;
            if wanted.wants(&facts) {
                found.push(Trail::of(row, facts, caller.may(Scope::Financials))?);
            }
        }
        Ok(Stretch { found, last })
    }

    /// Reads what happened to a person, newest first, from just before a number (H14).
    pub fn activities(
        &self,
        caller: &Caller,
        permit: Permit,
        person: ResourceId,
        before: Option<Seq>,
        rows: usize,
    ) -> Result<Vec<Trail>, RosterError> {
        permit.must_be(Deed::SeePeople)?;
        let snapshot = self.store.snapshot()?;
        let mut found = Vec::new();
        for row in snapshot.history_of(caller.tenant, person, before, rows)? {
            let facts: Facts = serde_json::from_slice(&row.facts)
                .map_err(|error| RosterError::Broken(format!("the facts of entry {}: {error}", row.seq.0)))?;
            let of_a_person =
                facts.subject.is_some_and(|at| matches!(at.kind, KindId::USER | KindId::DEPARTED));
            if !of_a_person {
                return Err(RosterError::NotFound);
            }
            found.push(Trail::of(row, facts, caller.may(Scope::Financials))?);
        }
        if found.is_empty() && before.is_none() {
            return Err(RosterError::NotFound);
        }
        Ok(found)
    }

    /// Says where the history of the caller's tenant ends.
    pub fn trail_end(&self, caller: &Caller, permit: Permit) -> Result<Seq, RosterError> {
        permit.must_be(Deed::SeeHistory)?;
        Ok(self.store.snapshot()?.head(caller.tenant)?.seq)
    }
}

impl Trail {
    fn of(row: LogRow, mut facts: Facts, sees_money: bool) -> Result<Self, RosterError> {
        let mut asked = Vec::new();
        let mut changes = if row.values.is_empty() {
            None
        } else {
            let values: Values = serde_json::from_slice(&row.values).map_err(|error| {
                RosterError::Broken(format!("the values of entry {}: {error}", row.seq.0))
            })?;
            asked = values.asked;
            Some(values.changes)
        };
        if !sees_money {
            for call in &mut asked {
                call.proposals.retain(|one| !one.money);
            }
            // By name as well: an entry whose values were erased says no more which of its attributes were of money.
            let hidden = |change: &Change| change.money || is_money(&change.attribute);
            let of_money: Vec<String> = changes
                .iter()
                .flatten()
                .filter(|change| hidden(change))
                .map(|change| change.attribute.clone())
                .collect();
            facts.attributes.retain(|name| !of_money.contains(name) && !is_money(name));
            if let Some(changes) = &mut changes {
                changes.retain(|change| !hidden(change));
            }
        }
        let (link, values_digest) = (hex(&row.link.0), hex(&row.values_digest));
        Ok(Self { seq: row.seq, link, values_digest, facts, changes, asked })
    }
}
