//! What it costs to leave out what another connection provisioned.

use super::*;
use crate::store::kv::counting::CountingStore;

#[test]
fn perf12_x19_what_an_index_finds_is_read_once_and_of_several_only_what_is_shown() {
    let store = Arc::new(CountingStore::default());
    let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
    let (roster, caller) = roster_on(Arc::clone(&store) as _, clock);
    let request = roster.request_id();
    let operator = roster.operator("main", request).unwrap();
    let other = "other-0123456789abcdef0123456789abcdef";
    roster.create_connection(&operator, "other", "auto", ConnectionOptions::default()).unwrap();
    roster.create_token(&operator, "other", Scopes::idp(), None, Some(other)).unwrap();
    let other = roster.authenticate(other, request).unwrap().unwrap();

    let users = kind(&roster, KindId::USER);
    let reads = store.reads();
    for (whose, name) in [(&caller, "ada"), (&other, "eve"), (&caller, "ida"), (&other, "ira")] {
        let body = json!({ "userName": name, "displayName": name });
        roster.create(whose, &users, body, Edges::NONE).unwrap();
    }
    // The record of a single one says whose it is. Of several the connection's list says it, and those of others are not read.
    for (text, shown, read) in [
        ("userName eq \"ada\"", 1, 1),
        ("userName eq \"ada\" and displayName sw \"A\"", 1, 1),
        ("userName eq \"eve\"", 0, 1),
        ("userName ge \"i\"", 1, 1),
        ("userName ge \"a\"", 2, 2),
    ] {
        let filter = Filter::parse(text, &users).unwrap();
        let query = Query::of(Arc::clone(&users), Some(filter), Edges::NONE);
        let before = reads.so_far().0;
        let mut page = roster.query(&caller, &query).unwrap();
        assert_eq!((page.total, ids(&roster, &mut page).len() as u64), (shown, shown), "{text}");
        assert_eq!(reads.so_far().0 - before, read, "{text}: records read");
    }
}
