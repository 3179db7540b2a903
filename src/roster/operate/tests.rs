//! What must hold of the operator's pages of history.

use std::sync::Arc;

use super::*;
use crate::chance::SeededChance;
use crate::clock::FixedClock;
use crate::ids::RequestId;
use crate::store::memory::MemoryStore;
use crate::store::{Action, Actor, Change, Entry, Facts, Store as _, Unit, Values};

#[test]
fn a_page_of_history_is_bounded_in_bytes_and_the_pages_add_up() {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
    let roster = Roster::new(Arc::clone(&store) as _, clock, Arc::new(SeededChance::new(1)));
    let text = "x".repeat(3 << 20);
    for _ in 0..5 {
        let facts = Facts {
            when: "2026-01-02T03:04:05Z".parse().unwrap(),
            who: Actor::Cli,
            connection: None,
            request: RequestId::from_bytes([7; 16]),
            action: Action::Patch,
            subject: None,
            attributes: vec!["members".into()],
            result: "ok".into(),
            notes: vec![],
            asked: vec![],
        };
        let change = Change::of("members", None, Some(text.as_str().into()));
        let log =
            Some(Entry { facts, values: Values { salt: "s".into(), changes: vec![change], asked: vec![] } });
        store.commit(TenantId::SYSTEM, Unit { given: vec![], writes: vec![], log }).unwrap();
    }
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let after = seen.last().copied().unwrap_or(0);
        let page = Command::AuditPage { tenant: None, after, limit: 1000 };
        let Ok(Reply::Audit { rows }) = roster.operate(page, roster.request_id()) else { panic!() };
        if rows.is_empty() {
            break;
        }
        assert!(rows.iter().map(|row| row.values.len()).sum::<usize>() < AUDIT_PAGE_BYTES_MAX * 2);
        seen.extend(rows.iter().map(|row| row.seq));
        pages += 1;
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    assert!(pages > 1);
    let two = Command::AuditPage { tenant: None, after: 1, limit: 2 };
    let Ok(Reply::Audit { rows }) = roster.operate(two, roster.request_id()) else { panic!() };
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [2, 3]);
}
