//! What must hold of tokens whose writing is broken off, and of what is remembered of them.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::chance::SeededChance;
use crate::clock::FixedClock;
use crate::store::memory::MemoryStore;
use crate::store::{Finding, Health, Outcome, Store, StoreError};

/// A store that writes, and then does not know that it has.
#[derive(Default)]
struct Forgetful {
    store: MemoryStore,
    forgets: AtomicBool,
}

impl Store for Forgetful {
    fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError> {
        let done = self.store.commit(tenant, unit);
        if self.forgets.load(Ordering::Relaxed) { Err(StoreError::Fatal("no answer".into())) } else { done }
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.store.snapshot()
    }

    fn health(&self) -> Health {
        self.store.health()
    }

    fn check(&self, progress: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError> {
        self.store.check(progress)
    }
}

#[test]
fn x3_a_token_whose_end_was_written_without_an_answer_opens_nothing() {
    let store = Arc::new(Forgetful::default());
    let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
    let roster = Roster::new(Arc::clone(&store) as _, clock, Arc::new(SeededChance::new(1)));
    let request = roster.request_id();
    roster.create_tenant("acme", request).unwrap();
    let caller = roster.operator("acme", request).unwrap();
    let token = roster.create_token(&caller, "local", Scopes::idp(), None, None).unwrap();
    assert!(roster.authenticate(&token.secret, request).unwrap().is_some());
    store.forgets.store(true, Ordering::Relaxed);
    assert!(matches!(roster.revoke_token(&caller, token.id), Err(RosterError::Broken(_))));
    assert!(roster.authenticate(&token.secret, request).unwrap().is_none());
}

#[test]
fn a_token_that_is_one_too_many_leaves_nothing_behind() {
    let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
    let roster = Roster::new(Arc::new(MemoryStore::new()), clock, Arc::new(SeededChance::new(1)));
    let request = roster.request_id();
    roster.create_tenant("acme", request).unwrap();
    let caller = roster.operator("acme", request).unwrap();
    let mine = "k".repeat(TOKEN_CHARACTERS_MIN);
    roster.create_connection(&caller, "okta", "auto", ConnectionOptions::default()).unwrap();
    let make = |brought| roster.create_token(&caller, "okta", Scopes::idp(), None, brought);
    let first = make(None).unwrap();
    make(None).unwrap();
    assert!(matches!(make(Some(&mine)), Err(RosterError::Unfit(_))));
    assert_eq!(roster.remove_orphaned_pointers().unwrap(), 0);
    roster.revoke_token(&caller, first.id).unwrap();
    make(Some(&mine)).unwrap();
    // Bringing it again is refused, and takes nothing away from it.
    assert!(matches!(make(Some(&mine)), Err(RosterError::Unfit(_))));
    assert!(roster.authenticate(&mine, request).unwrap().is_some());
}

#[test]
fn x3_what_is_remembered_of_a_token_is_looked_up_anew_every_minute() {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
    let roster = Roster::new(Arc::clone(&store) as _, clock, Arc::new(SeededChance::new(1)));
    let request = roster.request_id();
    roster.create_tenant("acme", request).unwrap();
    let caller = roster.operator("acme", request).unwrap();
    let token = roster.create_token(&caller, "local", Scopes::idp(), None, None).unwrap();
    assert!(roster.authenticate(&token.secret, request).unwrap().is_some());
    // Ended behind the roster's back.
    let write = Write::Small { space: TOKENS, key: LOCAL.as_bytes().to_vec(), value: None };
    store.commit(caller.tenant, Unit { given: vec![], writes: vec![write], log: None }).unwrap();
    roster.write_down_token_use();
    assert!(roster.authenticate(&token.secret, request).unwrap().is_none());
}
