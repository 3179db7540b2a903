//! Which leniencies each connection needed since the start, so that an operator sees what an identity provider really sends.
//!
//! Counted beside the history, which names the rules of every change: these numbers include requests that changed nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::scope::Caller;
use super::{ConnectionView, Roster};
use crate::ids::{ConnectionId, TenantId};
use crate::scim::note::{Notes, RULES, Rule};

/// Most connections that are counted apart. Connections are made by operators, one by one.
const CONNECTIONS_MAX: usize = 100_000;

/// A leniency, and how often a connection needed it since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Which.
    pub rule: Rule,
    /// How many requests needed it.
    pub requests: u64,
}

type Counts = [AtomicU64; RULES];

fn none_yet() -> Arc<Counts> {
    Arc::new(std::array::from_fn(|_| AtomicU64::new(0)))
}

/// The counts of all connections.
#[derive(Debug, Default)]
pub(super) struct Leniencies(RwLock<HashMap<(TenantId, ConnectionId), Arc<Counts>>>);

impl Leniencies {
    /// Counts what a request needed.
    pub(super) fn count(&self, caller: &Caller, notes: &Notes) {
        if notes.is_empty() {
            return;
        }
        let key = (caller.tenant, caller.connection);
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let counts = known.or_else(|| {
            let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
            (all.len() < CONNECTIONS_MAX).then(|| Arc::clone(all.entry(key).or_insert_with(none_yet)))
        });
        for rule in notes.rules() {
            if let Some(count) = counts.as_ref().and_then(|counts| counts.get(rule.place())) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn of(&self, tenant: TenantId, connection: ConnectionId) -> Vec<Used> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let counts = all.get(&(tenant, connection));
        let used = |rule: Rule| {
            let requests = counts?.get(rule.place())?.load(Ordering::Relaxed);
            (requests > 0).then_some(Used { rule, requests })
        };
        Rule::ALL.into_iter().filter_map(used).collect()
    }

    fn sums(&self) -> Vec<Used> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let sum = |rule: Rule| {
            let each = all.values().filter_map(|counts| counts.get(rule.place()));
            Used { rule, requests: each.map(|count| count.load(Ordering::Relaxed)).sum() }
        };
        Rule::ALL.into_iter().map(sum).filter(|used| used.requests > 0).collect()
    }
}

impl Roster {
    /// Lists the leniencies that a connection needed since the start.
    pub fn leniencies(&self, caller: &Caller, connection: &ConnectionView) -> Vec<Used> {
        self.leniencies.of(caller.tenant, connection.id)
    }

    /// Counts what the reading of a caller's request needed beside what it writes.
    pub fn took(&self, caller: &Caller, notes: &Notes) {
        self.leniencies.count(caller, notes);
    }

    /// Lists the leniencies that all connections needed since the start, for the metrics.
    pub fn leniencies_of_all(&self) -> Vec<Used> {
        self.leniencies.sums()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use crate::chance::SeededChance;
    use crate::clock::FixedClock;
    use crate::ids::KindId;
    use crate::roster::{Edges, Precondition, Roster};
    use crate::scim::Filter;
    use crate::store::Seq;
    use crate::store::memory::MemoryStore;

    #[test]
    fn a_leniency_is_counted_for_its_connection_and_named_beside_the_value_that_needed_it() {
        let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
        let roster = Roster::new(Arc::new(MemoryStore::new()), clock, Arc::new(SeededChance::new(1)));
        roster.create_tenant("acme", roster.request_id()).unwrap();
        let caller = roster.operator("acme", roster.request_id()).unwrap();
        let kind = Arc::clone(roster.kinds().by_id(KindId::USER).unwrap());
        let at = roster.create(&caller, &kind, json!({"userName": "ada"}), Edges::NONE).unwrap().stored.at();
        let body = json!({"Operations": [
            {"op": "Replace", "path": "title", "value": "CTO"},
            {"op": "Replace", "path": "active", "value": "False"},
            {"op": "Replace", "path": "title", "value": 7},
        ]});
        for _ in 0..2 {
            let given = Precondition::None;
            roster.patch(&caller, &kind, at, &given, body.clone(), Edges::NONE).unwrap();
        }

        let local = roster.connections(&caller).unwrap().remove(0);
        let used: Vec<(&str, u64)> = roster
            .leniencies(&caller, &local)
            .iter()
            .map(|used| (used.rule.as_str(), used.requests))
            .collect();
        // The creation had no schemas either; the second PATCH changed nothing and needed them all the same.
        assert_eq!(used, [("string-as-boolean", 2), ("number-as-string", 2), ("schemas-missing", 3)]);
        assert_eq!(roster.leniencies_of_all(), roster.leniencies(&caller, &local));

        // What a filter needed is counted where it was read.
        let (_, notes) =
            Filter::parse_noted("emails[type eq \"work\"].value eq ada@acme.test", &kind, &[]).unwrap();
        roster.took(&caller, &notes);
        let used = roster.leniencies(&caller, &local);
        let names: Vec<&str> = used.iter().map(|used| used.rule.as_str()).collect();
        assert!(
            names.contains(&"part-behind-brackets") && names.contains(&"value-without-quotes"),
            "{names:?}"
        );
        let (_, none) =
            Filter::parse_noted("emails[type eq \"work\"] and active eq true", &kind, &[]).unwrap();
        assert!(none.is_empty());

        let rows = roster.store().snapshot().unwrap().changes(caller.tenant(), Seq::ZERO, 10).unwrap();
        let values: Value = serde_json::from_slice(&rows.last().unwrap().values).unwrap();
        let told = |name: &str| {
            let mut changes = values["changes"].as_array().unwrap().iter();
            let change = changes.find(|change| change["attribute"] == name).unwrap();
            (change["operation"].clone(), change["rules"].clone())
        };
        assert_eq!(told("active"), (json!(1), json!(["string-as-boolean"])));
        assert_eq!(told("title"), (json!(2), json!(["number-as-string"])));
    }
}
