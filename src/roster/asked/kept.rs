//! Whom plugins are asked about again, and when: one row for each person, found by person and by when it is due.
//!
//! A row is written in the unit of the change that could not be mapped, and goes in the unit that maps the person. So nobody is forgotten
//! by a crash, and nobody is mapped twice for one row. `rosterd_plugin_parked_users` is a counter in the same units.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::matter::Parked;
use crate::ids::{ResourceId, TenantId};
use crate::roster::commit::Plan;
use crate::roster::error::RosterError;
use crate::roster::person::due_key;
use crate::roster::rows::{self, PARKED, PARKED_COUNTS, PARKED_DUE};
use crate::roster::{Caller, Roster, all_small};
use crate::store::{Given, PAGE_ROWS_MAX, Snapshot, Write};

/// The pause after the first failure; doubles with each.
const PAUSE_FIRST: SignedDuration = SignedDuration::from_secs(10);
/// The longest pause.
const PAUSE_MOST: SignedDuration = SignedDuration::from_hours(1);
/// Counts those whom a plugin could not map.
const FAILED: &[u8] = b"failed";
/// Counts those whom somebody else's change concerns.
const WAITING: &[u8] = b"waiting";

/// Somebody whom plugins are asked about again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ParkedRow {
    /// When.
    pub due: Timestamp,
    /// Since when they wait.
    pub since: Timestamp,
    /// How often it failed.
    #[serde(default)]
    pub attempts: u32,
    /// Which plugin failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Why, in a few words.
    pub why: String,
}

/// Why somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parking {
    /// A plugin failed.
    Failed,
    /// Somebody else's change concerns them, and they have not been mapped since.
    Waiting,
}

/// Somebody who waits to be mapped, as they are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedView {
    /// Who.
    pub id: ResourceId,
    /// Why, in a word.
    pub state: Parking,
    /// Which plugin failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Why, in a few words.
    pub why: String,
    /// How often it failed.
    pub attempts: u32,
    /// Since when.
    pub since: Timestamp,
    /// When it is tried again.
    pub due: Timestamp,
}

impl ParkedRow {
    const fn counted_as(&self) -> &'static [u8] {
        if self.attempts > 0 { FAILED } else { WAITING }
    }
}

/// What stands of a person.
pub(super) fn read(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
) -> Result<(Option<Vec<u8>>, Option<ParkedRow>), RosterError> {
    let value = snapshot.small(caller.tenant, PARKED, id.as_bytes())?;
    let row = value.as_deref().map(rows::decode).transpose()?;
    Ok((value, row))
}

/// Adds to a plan that a person could not be mapped, and is to be later.
pub(in crate::roster) fn park(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
    parked: &Parked,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    let (value, before) = read(snapshot, caller, id)?;
    let attempts = before.as_ref().map_or(0, |row| row.attempts).saturating_add(1);
    let row = ParkedRow {
        due: caller.now.checked_add(pause(attempts)).unwrap_or(caller.now),
        since: before.as_ref().map_or(caller.now, |row| row.since),
        attempts,
        plugin: Some(parked.plugin.clone()),
        why: parked.why.clone(),
    };
    put(id, value, before, Some(row), plan)
}

/// Adds to a plan that a person does not wait any more.
pub(in crate::roster) fn clear(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    let (value, before) = read(snapshot, caller, id)?;
    if before.is_none() {
        return Ok(());
    }
    put(id, value, before, None, plan)
}

/// Adds to a plan that a person is to be mapped as soon as may be. Returns whether that says anything new.
pub(super) fn queue(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
    why: &str,
    plan: &mut Plan,
) -> Result<bool, RosterError> {
    let (value, before) = read(snapshot, caller, id)?;
    if before.as_ref().is_some_and(|row| row.due <= caller.now) {
        // Whoever looks at them reads what is there then; the row must not go before that.
        plan.given.push(Given::Small(PARKED, id.as_bytes().to_vec(), value));
        return Ok(false);
    }
    let row = match &before {
        // What made it fail may be gone.
        Some(row) => ParkedRow { due: caller.now, ..row.clone() },
        None => {
            ParkedRow { due: caller.now, since: caller.now, attempts: 0, plugin: None, why: why.to_owned() }
        }
    };
    put(id, value, before, Some(row), plan)?;
    Ok(true)
}

fn put(
    id: ResourceId,
    value: Option<Vec<u8>>,
    before: Option<ParkedRow>,
    after: Option<ParkedRow>,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    let key = id.as_bytes().to_vec();
    let small = |space, key, value| Write::Small { space, key, value };
    if let Some(before) = &before {
        plan.writes.push(small(PARKED_DUE, due_key(before.due, id), None));
        plan.writes.push(count(before, -1));
    }
    if let Some(after) = &after {
        plan.writes.push(small(PARKED_DUE, due_key(after.due, id), Some(Vec::new())));
        plan.writes.push(count(after, 1));
    }
    plan.given.push(Given::Small(PARKED, key.clone(), value));
    let after = after.as_ref().map(rows::encode).transpose()?;
    plan.writes.push(small(PARKED, key, after));
    Ok(())
}

fn count(row: &ParkedRow, by: i64) -> Write {
    Write::Add { space: PARKED_COUNTS, key: row.counted_as().to_vec(), by }
}

/// Says where the rows of who waits, those by when and the counters do not fit together.
pub(in crate::roster) fn check_parked(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
) -> Result<Option<String>, RosterError> {
    let (mut counts, mut due) = ([0_u64; 2], BTreeSet::new());
    for row in all_small(snapshot, tenant, PARKED)? {
        let parked: ParkedRow = rows::decode(&row.value)?;
        if let Some(count) = counts.get_mut(usize::from(parked.counted_as() == WAITING)) {
            *count = count.saturating_add(1);
        }
        if let Ok(id) = <[u8; 16]>::try_from(row.key.as_slice()) {
            due.insert(due_key(parked.due, ResourceId::from_bytes(id)));
        }
    }
    let planned: BTreeSet<Vec<u8>> =
        all_small(snapshot, tenant, PARKED_DUE)?.into_iter().map(|row| row.key).collect();
    let counted =
        [snapshot.counter(tenant, PARKED_COUNTS, FAILED)?, snapshot.counter(tenant, PARKED_COUNTS, WAITING)?];
    Ok((planned != due || counted != counts).then(|| {
        format!(
            "people who wait to be mapped: expected a row by when for each of {} and counters of {counts:?}, found {} rows and {counted:?}",
            due.len(),
            planned.len()
        )
    }))
}

/// The pause after so many failures.
fn pause(attempts: u32) -> SignedDuration {
    let doubled = 1_i32.checked_shl(attempts.saturating_sub(1).min(20)).unwrap_or(i32::MAX);
    PAUSE_FIRST.checked_mul(doubled).unwrap_or(PAUSE_MOST).min(PAUSE_MOST)
}

impl Roster {
    /// Lists who waits to be mapped, by id, from just after somebody.
    pub fn parked(
        &self,
        caller: &Caller,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ParkedView>, RosterError> {
        caller.needs(crate::roster::Scope::UsersRead)?;
        let snapshot = self.store.snapshot()?;
        let after = after.map(|id| id.as_bytes().to_vec());
        let limit = limit.min(PAGE_ROWS_MAX);
        let rows = snapshot.small_range(caller.tenant, PARKED, &[], after.as_deref(), limit)?;
        let view = |row: &crate::store::SmallRow| {
            let id = <[u8; 16]>::try_from(row.key.as_slice()).map(ResourceId::from_bytes);
            let id =
                id.map_err(|_| RosterError::Broken("a row of who is parked has another key".to_owned()))?;
            let ParkedRow { due, since, attempts, plugin, why } = rows::decode(&row.value)?;
            let state = if attempts > 0 { Parking::Failed } else { Parking::Waiting };
            Ok(ParkedView { id, state, plugin, why, attempts, since, due })
        };
        rows.iter().map(view).collect()
    }

    /// Counts the people of all tenants whom a plugin could not map, and those who wait because of others' changes.
    pub fn parked_counts(&self) -> Result<(u64, u64), RosterError> {
        let snapshot = self.store.snapshot()?;
        let mut sums = (0_u64, 0_u64);
        for (_, tenant) in Self::all_tenants(snapshot.as_ref())? {
            sums.0 = sums.0.saturating_add(snapshot.counter(tenant, PARKED_COUNTS, FAILED)?);
            sums.1 = sums.1.saturating_add(snapshot.counter(tenant, PARKED_COUNTS, WAITING)?);
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let seconds = |attempts| pause(attempts).as_secs();
        assert_eq!([1, 2, 3, 4].map(seconds), [10, 20, 40, 80]);
        assert_eq!([10, 100, u32::MAX].map(seconds), [3600; 3]);
    }
}
