//! How long the history keeps what attributes were (X60): older entries lose their values. Their facts stay, and with them the chain.
//!
//! Goes through each history once: a row says how far it came.

use jiff::Timestamp;

use super::commit::Plan;
use super::error::RosterError;
use super::rows::{self, RETAINED};
use super::{Caller, Roster};
use crate::ids::RequestId;
use crate::store::{Action, Actor, Facts, Seq, Unit, Write};

/// Rows that are read at a time: one of a large group is megabytes by itself.
const ROWS_AT_ONCE: usize = 4;
/// Entries that are erased in one unit.
const ENTRIES_AT_ONCE: usize = 512;

impl Roster {
    /// Erases the values of all entries that are older than an instant, in every history, and returns how many there were. May go on beside
    /// other work; when it is broken off, what it did stays.
    pub fn forget_values_before(&self, instant: Timestamp, request: RequestId) -> Result<u64, RosterError> {
        let mut callers = vec![self.operator_above_tenants(request)];
        for tenant in self.tenants()? {
            callers.push(self.operator(&tenant.name, request)?);
        }
        let mut forgotten = 0_u64;
        for caller in callers {
            let caller = Caller { who: Actor::System, ..caller };
            while let Some(erased) = self.forget_some(&caller, instant)? {
                forgotten = forgotten.saturating_add(erased);
            }
        }
        Ok(forgotten)
    }

    /// Goes on in one history by a unit's worth; `None` where there is nothing older that was not looked at.
    fn forget_some(&self, caller: &Caller, instant: Timestamp) -> Result<Option<u64>, RosterError> {
        let snapshot = self.store.snapshot()?;
        let begun = snapshot.small(caller.tenant, RETAINED, &[])?;
        let begun = Seq(begun.as_deref().map(rows::decode).transpose()?.unwrap_or(0));
        let (mut after, mut seqs, mut over) = (begun, Vec::new(), false);
        while !over && seqs.len() < ENTRIES_AT_ONCE {
            let rows = snapshot.changes(caller.tenant, after, ROWS_AT_ONCE)?;
            over = rows.len() < ROWS_AT_ONCE;
            for row in rows {
                let facts: Facts = serde_json::from_slice(&row.facts).map_err(|error| {
                    RosterError::Broken(format!("the facts of entry {}: {error}", row.seq.0))
                })?;
                if facts.when >= instant {
                    over = true;
                    break;
                }
                after = row.seq;
                if !facts.attributes.is_empty() && !row.values.is_empty() {
                    seqs.push(row.seq);
                }
            }
        }
        drop(snapshot);
        if after == begun {
            return Ok(None);
        }
        let erased = seqs.len() as u64;
        let mut writes: Vec<Write> = seqs.into_iter().map(Write::EraseValues).collect();
        writes.push(Write::Small { space: RETAINED, key: vec![], value: Some(rows::encode(&after.0)?) });
        if erased == 0 {
            self.store.commit(caller.tenant, Unit { given: vec![], writes, log: None })?;
            return Ok(Some(0));
        }
        let remark = Some(format!("erased the values of {erased} entries up to {}, by their age", after.0));
        let plan = Plan { writes, remark, ..Plan::default() };
        self.store.commit(caller.tenant, self.unit(caller, Action::Erase, plan))?;
        Ok(Some(erased))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chance::SeededChance;
    use crate::clock::FixedClock;
    use crate::ids::TenantId;
    use crate::roster::ConnectionOptions;
    use crate::store::memory::MemoryStore;
    use crate::store::{Link, LogRow};

    #[test]
    fn x60_what_is_older_loses_its_values_once_and_keeps_its_place_in_the_chain() {
        let clock = Arc::new(FixedClock::at("2026-01-01T00:00:00Z"));
        let roster = Roster::new(
            Arc::new(MemoryStore::new()),
            Arc::clone(&clock) as _,
            Arc::new(SeededChance::new(1)),
        );
        let request = roster.request_id();
        roster.create_tenant("acme", request).unwrap();
        let make = |name: &str| {
            let caller = roster.operator("acme", request).unwrap();
            roster.create_connection(&caller, name, "auto", ConnectionOptions::default()).unwrap();
            caller.tenant()
        };
        // More than a unit takes.
        for number in 0..ENTRIES_AT_ONCE + 10 {
            make(&format!("old-{number}"));
        }
        clock.advance(24 * 3600);
        let tenant = make("new");
        let rows = |tenant: TenantId| -> Vec<LogRow> {
            roster.store().snapshot().unwrap().changes(tenant, Seq::ZERO, 10_000).unwrap()
        };
        let before: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let erased = roster.forget_values_before(before, request).unwrap();
        // Of the installation's history the tenant's creation.
        assert_eq!(erased, ENTRIES_AT_ONCE as u64 + 11);
        let after = rows(tenant);
        let (old, rest) = after.split_at(ENTRIES_AT_ONCE + 10);
        assert!(old.iter().all(|row| row.values.is_empty()));
        assert!(rest.iter().all(|row| !row.values.is_empty()));
        assert!(String::from_utf8_lossy(&rest[0].values).contains("new"));
        let mut link = Link::default();
        for row in &after {
            assert!(row.follows(link));
            link = row.link;
        }
        assert!(rows(TenantId::SYSTEM)[0].values.is_empty());
        assert_eq!(roster.forget_values_before(before, request).unwrap(), 0);
        assert_eq!(rows(tenant).len(), after.len(), "what finds nothing writes nothing");
    }
}
