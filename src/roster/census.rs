//! Whether what is counted and planned of people fits their records: seats, and when a schedule is due. For `rosterd check`, beside what the store
//! finds out by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::asked;
use super::error::RosterError;
use super::person::{attributes, due_key, seat_of, standing};
use super::rows::{self, DUE, SEATS, TENANTS, TenantRow};
use super::{Roster, all_small};
use crate::ids::{Address, KindId, ResourceId, TenantId};
use crate::store::{Finding, PAGE_ROWS_MAX, Snapshot};

impl Roster {
    /// Reads every person of every tenant, and says what does not fit what is counted and planned of them.
    pub fn check_people(&self) -> Result<Vec<Finding>, RosterError> {
        let mut findings = Vec::new();
        for row in all_small(self.store.snapshot()?.as_ref(), TenantId::SYSTEM, TENANTS)? {
            let TenantRow { number: tenant, .. } = rows::decode(&row.value)?;
            let snapshot = self.store.snapshot()?;
            let census = Census::take(snapshot.as_ref(), tenant)?;
            findings
                .extend(census.check(snapshot.as_ref())?.into_iter().map(|what| Finding { tenant, what }));
        }
        Ok(findings)
    }
}

/// What the records of a tenant's people say.
struct Census {
    tenant: TenantId,
    /// How many people have a seat of a pool.
    seats: BTreeMap<ResourceId, u64>,
    /// When whose schedule is due.
    due: BTreeSet<Vec<u8>>,
    findings: Vec<String>,
}

impl Census {
    fn take(snapshot: &dyn Snapshot, tenant: TenantId) -> Result<Self, RosterError> {
        let (seats, due, findings) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        let mut census = Self { tenant, seats, due, findings };
        let mut after = None;
        loop {
            let ids = snapshot.ids(tenant, KindId::USER, after, 0, PAGE_ROWS_MAX)?;
            let last = ids.len() < PAGE_ROWS_MAX;
            after = ids.last().copied();
            for id in ids {
                census.look_at(snapshot, id)?;
            }
            if last {
                return Ok(census);
            }
        }
    }

    fn look_at(&mut self, snapshot: &dyn Snapshot, id: ResourceId) -> Result<(), RosterError> {
        let Some(stored) = snapshot.get(self.tenant, Address::user(id))? else { return Ok(()) };
        let core = super::core(&stored)?;
        let standing = standing(&stored, core.is_active())?;
        if core.is_active() == standing.locks.is_locked() {
            self.findings.push(format!(
                "the person {id} is expected to be active exactly while nobody holds a lock, and is not"
            ));
        }
        if let Some(pool) = seat_of(&standing, &attributes(&stored)?) {
            let count = self.seats.entry(pool).or_default();
            *count = count.saturating_add(1);
        }
        self.due.extend(standing.due.map(|due| due_key(due, id)));
        Ok(())
    }

    fn check(self, snapshot: &dyn Snapshot) -> Result<Vec<String>, RosterError> {
        let mut findings = self.findings;
        let mut counted: BTreeSet<ResourceId> = self.seats.keys().copied().collect();
        for row in all_small(snapshot, self.tenant, SEATS)? {
            let id = <[u8; 16]>::try_from(row.key.as_slice());
            counted.extend(id.ok().map(ResourceId::from_bytes));
        }
        for pool in counted {
            let expected = self.seats.get(&pool).copied().unwrap_or_default();
            let found = snapshot.counter(self.tenant, SEATS, pool.as_bytes())?;
            if found != expected {
                findings.push(format!(
                    "the licence pool {pool}: expected {expected} seats to be taken, as many as there are people who have one, found {found} counted"
                ));
            }
        }
        let planned: BTreeSet<Vec<u8>> =
            all_small(snapshot, self.tenant, DUE)?.into_iter().map(|row| row.key).collect();
        let (missing, more) = (self.due.difference(&planned).count(), planned.difference(&self.due).count());
        if missing > 0 || more > 0 {
            findings.push(format!(
                "schedules: expected one row for each that is due, found {missing} missing and {more} too many"
            ));
        }
        findings.extend(asked::check_parked(snapshot, self.tenant)?);
        Ok(findings)
    }
}
