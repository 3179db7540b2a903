//! Sign-ins that were begun, and orders that count once (X44).

use std::sync::Barrier;

use jiff::{SignedDuration, Timestamp};
use rosterd::roster::{FLEETING_BYTES_MAX, FLEETING_MAX, RosterError};
use rosterd::store::{Outcome, Unit, Write};

use super::door;
use crate::support::{Engine, TestApp, on_every_store};

fn in_minutes(app: &TestApp, minutes: i64) -> Timestamp {
    app.roster().current_time() + SignedDuration::from_mins(minutes)
}

#[test]
fn x44_what_was_begun_is_taken_once_and_by_the_browser_that_began_it() {
    on_every_store(|app| {
        let (roster, door) = (app.roster(), door(&app));
        let until = in_minutes(&app, 10);
        // Two tabs.
        for state in ["one", "two"] {
            roster.keep_attempt(&door, state, "browser", state, until).unwrap();
        }
        assert_eq!(roster.take_attempt(&door, "one", "another").unwrap(), None);
        assert_eq!(roster.take_attempt(&door, "three", "browser").unwrap(), None);
        assert_eq!(roster.take_attempt(&door, "one", "browser").unwrap().as_deref(), Some("one"));
        assert_eq!(roster.take_attempt(&door, "one", "browser").unwrap(), None);
        assert_eq!(roster.take_attempt(&door, "two", "browser").unwrap().as_deref(), Some("two"));
        assert!(roster.keep_attempt(&door, "x", "b", &"x".repeat(FLEETING_BYTES_MAX + 1), until).is_err());
    });
}

#[test]
fn x44_of_callbacks_that_come_at_once_one_is_the_first() {
    let app = TestApp::on(Engine::Redb);
    for round in 0..20 {
        let state = format!("state {round}");
        app.roster().keep_attempt(&door(&app), &state, "b", "t", in_minutes(&app, 10)).unwrap();
        let start = Barrier::new(4);
        let taken = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        app.roster().take_attempt(&door(&app), &state, "b").unwrap().is_some()
                    })
                })
                .collect();
            takers.into_iter().map(|taker| usize::from(taker.join().unwrap())).sum::<usize>()
        });
        assert_eq!(taken, 1);
    }
}

#[test]
fn what_was_begun_is_over_in_time_and_swept() {
    on_every_store(|app| {
        let roster = app.roster();
        let tenant = door(&app).tenant();
        roster.keep_attempt(&door(&app), "s", "b", "t", in_minutes(&app, 10)).unwrap();
        roster.keep_attempt(&door(&app), "later", "b", "t", in_minutes(&app, 30)).unwrap();
        app.clock().advance(11 * 60);
        assert_eq!(roster.take_attempt(&door(&app), "s", "b").unwrap(), None);
        assert_eq!((roster.sweep_sign_ins(tenant).unwrap(), roster.sweep_sign_ins(tenant).unwrap()), (1, 0));
        assert_eq!(roster.take_attempt(&door(&app), "later", "b").unwrap().as_deref(), Some("t"));
    });
}

#[test]
fn an_order_counts_once_for_each_provider_until_nobody_would_take_it() {
    on_every_store(|app| {
        let roster = app.roster();
        let until = in_minutes(&app, 15);
        let is_first = |provider, jti| {
            let done = roster.once(&door(&app), (provider, jti), until, |_| Ok(()));
            done.unwrap().is_some()
        };
        assert!(is_first("okta", "j1"));
        assert!(!is_first("okta", "j1"));
        assert!(is_first("entra", "j1"));
        app.clock().advance(16 * 60);
        assert_eq!(roster.sweep_sign_ins(door(&app).tenant()).unwrap(), 2);
        assert!(is_first("okta", "j1"));
        // The name of an order is no state.
        assert_eq!(roster.take_attempt(&door(&app), "okta\0j1", "").unwrap(), None);
    });
}

#[test]
fn x9_an_order_that_was_broken_off_is_carried_out_when_it_is_given_again() {
    on_every_store(|app| {
        let (roster, until) = (app.roster(), in_minutes(&app, 15));
        let once = |order: &dyn Fn() -> Result<(), RosterError>| {
            roster.once(&door(&app), ("okta", "j1"), until, |_| order())
        };
        assert!(matches!(once(&|| Err(RosterError::Busy)), Err(RosterError::Busy)));
        assert_eq!(once(&|| Ok(())).unwrap(), Some(()));
        assert_eq!(once(&|| panic!("it was carried out")).unwrap(), None);
    });
}

#[test]
fn x9_whoever_begins_sign_ins_keeps_no_provider_from_ending_sessions() {
    on_every_store(|app| {
        let (roster, tenant) = (app.roster(), door(&app).tenant());
        // As if so many had been begun.
        let (space, key) = (rosterd::store::Space(34), b"count".to_vec());
        let by = i64::try_from(FLEETING_MAX).unwrap();
        let unit = Unit { given: vec![], writes: vec![Write::Add { space, key, by }], log: None };
        assert!(matches!(roster.store().commit(tenant, unit).unwrap(), Outcome::Committed { .. }));
        let begun = roster.keep_attempt(&door(&app), "s", "b", "t", in_minutes(&app, 10));
        assert!(matches!(begun, Err(RosterError::Busy)));
        let order = roster.once(&door(&app), ("okta", "j1"), in_minutes(&app, 15), |_| Ok(()));
        assert_eq!(order.unwrap(), Some(()));
        app.clock().advance(16 * 60);
        assert_eq!(roster.sweep_sign_ins(tenant).unwrap(), 1);
    });
}
