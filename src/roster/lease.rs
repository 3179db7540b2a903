//! Duties that one process has for all that share a store: who has one is a row, taken and kept by a fact.
//!
//! A row holds who has the duty and how often that was said. No clock is compared with another's: whoever wants a duty watches the row by its own clock, and takes it
//! when it has stood still for longer than its holder would let it. Who tells the time is `app::duty`.

use serde::{Deserialize, Serialize};

use super::Roster;
use super::error::RosterError;
use super::rows::{self, LEASES};
use crate::ids::TenantId;
use crate::store::{Given, Outcome, Unit, Write};

/// Who has a duty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// By what the process is told from others; empty where it has let go.
    pub holder: String,
    /// By what its data folder is told from others: whoever holds that next knows that this process is dead.
    pub home: String,
    /// How often it has said so.
    pub beat: u64,
}

impl Roster {
    /// Says who has a duty; nobody where nobody ever had it.
    pub fn lease(&self, duty: &str) -> Result<Option<Lease>, RosterError> {
        let row = self.store.snapshot()?.small(TenantId::SYSTEM, LEASES, duty.as_bytes())?;
        row.map(|bytes| rows::decode(&bytes)).transpose()
    }

    /// Takes a duty, or says once more that one has it, where the row still is what was seen of it. Tells whether it was.
    pub fn take_lease(&self, duty: &str, seen: Option<&Lease>, lease: &Lease) -> Result<bool, RosterError> {
        let key = duty.as_bytes().to_vec();
        let seen = seen.map(rows::encode).transpose()?;
        let given = vec![Given::Small(LEASES, key.clone(), seen)];
        let writes = vec![Write::Small { space: LEASES, key, value: Some(rows::encode(lease)?) }];
        let outcome = self.store.commit(TenantId::SYSTEM, Unit { given, writes, log: None })?;
        Ok(matches!(outcome, Outcome::Committed { .. }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chance::SeededChance;
    use crate::clock::FixedClock;
    use crate::store::memory::MemoryStore;

    #[test]
    fn of_two_who_saw_the_same_row_one_takes_the_duty() {
        let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
        let roster = Roster::new(Arc::new(MemoryStore::new()), clock, Arc::new(SeededChance::new(1)));
        let lease = |holder: &str, beat| Lease { holder: holder.to_owned(), home: String::new(), beat };
        assert_eq!(roster.lease("all").unwrap(), None);
        assert!(roster.take_lease("all", None, &lease("a", 1)).unwrap());
        assert!(!roster.take_lease("all", None, &lease("b", 1)).unwrap());
        assert!(roster.take_lease("all", Some(&lease("a", 1)), &lease("a", 2)).unwrap());
        assert!(!roster.take_lease("all", Some(&lease("a", 1)), &lease("b", 1)).unwrap());
        assert_eq!(roster.lease("all").unwrap(), Some(lease("a", 2)));
    }
}
