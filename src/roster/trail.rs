//! A tenant's history as it is read from outside: row by row, bounded, without the values that the reader may not see (X60).
//!
//! Of money neither the values nor the names of the attributes are shown to who may not see it. Digest and link stay, so that the chain can be
//! compared with what `rosterd audit export` writes.

use jiff::Timestamp;

use super::Roster;
use super::commit::hex;
use super::error::RosterError;
use super::permits::{Deed, Permit};
use super::scope::{Caller, Scope};
use crate::ids::ResourceId;
use crate::psa::urn;
use crate::store::{Action, Change, Facts, LogRow, Seq, Values};

/// Attributes of money in the PSA extension, which nobody sees without the scope. Their names are known here as well, because an entry whose values
/// were erased says no more which of its attributes were of money.
const MONEY: [&str; 2] = ["costRates", "billingRates"];

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

    /// Says where the history of the caller's tenant ends.
    pub fn trail_end(&self, caller: &Caller, permit: Permit) -> Result<Seq, RosterError> {
        permit.must_be(Deed::SeeHistory)?;
        Ok(self.store.snapshot()?.head(caller.tenant)?.seq)
    }
}

impl Trail {
    fn of(row: LogRow, mut facts: Facts, sees_money: bool) -> Result<Self, RosterError> {
        let mut changes = if row.values.is_empty() {
            None
        } else {
            let values: Values = serde_json::from_slice(&row.values).map_err(|error| {
                RosterError::Broken(format!("the values of entry {}: {error}", row.seq.0))
            })?;
            Some(values.changes)
        };
        if !sees_money {
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
        Ok(Self { seq: row.seq, link, values_digest, facts, changes })
    }
}

/// Tells whether an attribute is one of money, or a part of one.
fn is_money(attribute: &str) -> bool {
    let Some((urn, rest)) = attribute.split_at_checked(urn::USER.len()) else { return false };
    let Some(name) = rest.strip_prefix(':').filter(|_| urn.eq_ignore_ascii_case(urn::USER)) else {
        return false;
    };
    let name = name.split(['.', '[']).next().unwrap_or_default();
    MONEY.iter().any(|money| name.eq_ignore_ascii_case(money))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x60_what_is_of_money_is_told_by_its_name_and_nothing_else_is() {
        let urn = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
        for (name, money) in [
            ("costRates", false),
            (&*format!("{urn}:costRates"), true),
            (&*format!("{urn}:COSTRATES"), true),
            (&*format!("{urn}:billingRates.amount"), true),
            (&*format!("{urn}:costRates[startDate eq \"2026-01-01\"]"), true),
            (&*format!("{urn}:costRatesNote"), false),
            (&*format!("{urn}:kind"), false),
        ] {
            assert_eq!(is_money(name), money, "{name}");
        }
    }
}
