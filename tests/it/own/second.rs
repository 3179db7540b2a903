//! The second factor: that it is asked for, that each step and each recovery code counts once, and what is not offered beside it (H11).

use std::sync::Barrier;

use rosterd::ids::ResourceId;
use rosterd::roster::{LinkPurpose, NotProved, Refused, RosterError, Second, Whose};

use super::{
    HASH, OTHER, by_password, by_provider, death, door, enter, firm, key, link, on_every_firm, operator,
    order, permit, person, sealed, set_password,
};
use crate::support::{Engine, TestApp};

const CODES: [&str; 2] = ["ABCD-EFGH-2345-67AB", "ZZZZ-YYYY-XXXX-2222"];

fn refused(person: ResourceId, why: NotProved) -> Refused {
    Refused::NotProved { person: Some(person), why }
}

/// A person with a password and a second factor, which last counted for step 100.
fn with_second_factor(app: &TestApp, name: &str) -> ResourceId {
    let id = person(app, name);
    set_password(app, id, HASH);
    app.roster().begin_second_factor(&door(app), id, b"sealed").unwrap();
    app.roster().confirm_second_factor(&door(app), id, (b"sealed", 100), &CODES).unwrap();
    id
}

#[test]
fn a_second_factor_is_asked_for_after_a_password_and_after_a_link_and_not_at_a_provider() {
    on_every_firm(|app| {
        let ada = with_second_factor(&app, "ada");
        assert_eq!(by_password(&app, "ada", None).err(), Some(refused(ada, NotProved::SecondFactor)));
        assert!(app.roster().password_of(&door(&app), "ada").unwrap().unwrap().second_factor);
        let mailed = link(&app, ada, LinkPurpose::MagicLink);
        let by_link = |second| {
            let (key, purpose) = (key(&mailed), LinkPurpose::MagicLink);
            enter(&app, Whose::Mailed { key: &key, purpose, second, sets: None })
        };
        assert_eq!(by_link(None).err(), Some(refused(ada, NotProved::SecondFactor)));
        assert!(by_link(Some(Second::Step(101))).is_ok(), "the link was not used up");
        assert!(by_password(&app, "ada", Some(Second::Step(102))).is_ok());
        assert_eq!(death(&app, &by_provider(&app, "ada")), None);
    });
}

#[test]
fn rfc6238_5_2_a_step_counts_once_and_none_before_it_counts_any_more() {
    on_every_firm(|app| {
        let ada = with_second_factor(&app, "ada");
        let wrong = Some(refused(ada, NotProved::SecondFactorWrong));
        for used in [99, 100] {
            assert_eq!(by_password(&app, "ada", Some(Second::Step(used))).err(), wrong);
        }
        assert!(by_password(&app, "ada", Some(Second::Step(101))).is_ok());
        assert_eq!(by_password(&app, "ada", Some(Second::Step(101))).err(), wrong);
    });
}

#[test]
fn rfc6238_5_2_of_many_who_show_one_code_at_once_one_is_let_in() {
    let app = firm(Engine::Redb);
    let _ = with_second_factor(&app, "ada");
    for round in 1..=10 {
        let start = Barrier::new(6);
        let came = std::thread::scope(|scope| {
            let all: Vec<_> = (0..6)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        by_password(&app, "ada", Some(Second::Step(100 + round))).is_ok()
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).filter(|came| *came).count()
        });
        assert_eq!(came, 1);
    }
}

#[test]
fn each_recovery_code_counts_once_however_it_is_spelled() {
    on_every_firm(|app| {
        let ada = with_second_factor(&app, "ada");
        let wrong = Some(refused(ada, NotProved::SecondFactorWrong));
        for not_one in ["", "-", "ABCD", "ABCD-EFGH-2345-67AC"] {
            assert_eq!(by_password(&app, "ada", Some(Second::Recovery(not_one))).err(), wrong, "{not_one}");
        }
        assert!(by_password(&app, "ada", Some(Second::Recovery("abcd efgh 2345 67ab"))).is_ok());
        assert_eq!(by_password(&app, "ada", Some(Second::Recovery(CODES[0]))).err(), wrong);
        assert_eq!(app.roster().sign_in_means(&operator(&app), ada).unwrap().recovery_codes, 1);
    });
}

#[test]
fn h11_with_a_second_factor_neither_a_reset_nor_an_administrators_password_is_offered() {
    on_every_firm(|app| {
        let roster = app.roster();
        let ada = person(&app, "ada");
        set_password(&app, ada, HASH);
        let early = link(&app, ada, LinkPurpose::Reset);
        roster.begin_second_factor(&door(&app), ada, b"sealed").unwrap();
        roster.confirm_second_factor(&door(&app), ada, (b"sealed", 100), &CODES).unwrap();
        for temporary in [false, true] {
            let set = roster.set_password(&operator(&app), permit(&app), ada, OTHER, temporary);
            assert!(matches!(set, Err(RosterError::InUse(why)) if why.contains("second factor")));
        }
        let asked =
            roster.issue_link(&operator(&app), &order(ada, LinkPurpose::Reset, rosterd::roster::RESET));
        assert!(matches!(asked, Err(RosterError::InUse(why)) if why.contains("second factor")));
        assert!(!roster.issue_link_for_login(&door(&app), "ada", LinkPurpose::Reset, &sealed).unwrap());
        let code = early.code.as_ref().unwrap();
        let late = roster.reset_password(&door(&app), &key(&early), code, OTHER).unwrap();
        assert_eq!(late, Err(NotProved::NoSuchLink), "one that was mailed before neither");
        assert_eq!(roster.password_of(&door(&app), "ada").unwrap().unwrap().hash, HASH);
        // Once it is taken away, both are.
        roster.clear_second_factor(&operator(&app), permit(&app), ada).unwrap();
        set_password(&app, ada, OTHER);
    });
}

#[test]
fn a_second_factor_that_nobody_has_shown_is_not_asked_for() {
    on_every_firm(|app| {
        let roster = app.roster();
        let ada = person(&app, "ada");
        set_password(&app, ada, HASH);
        roster.begin_second_factor(&door(&app), ada, b"first").unwrap();
        roster.begin_second_factor(&door(&app), ada, b"second").unwrap();
        assert!(by_password(&app, "ada", None).is_ok());
        let stale = roster.confirm_second_factor(&door(&app), ada, (b"first", 7), &CODES);
        assert!(matches!(stale, Err(RosterError::Moved)));
        roster.confirm_second_factor(&door(&app), ada, (b"second", 7), &CODES).unwrap();
        assert!(matches!(roster.begin_second_factor(&door(&app), ada, b"third"), Err(RosterError::InUse(_))));
        assert!(by_password(&app, "ada", None).is_err());
        let off = |shown| roster.drop_second_factor(&door(&app), ada, shown).unwrap();
        assert_eq!(off(Second::Step(7)), Err(NotProved::SecondFactorWrong));
        assert_eq!(off(Second::Step(8)), Ok(()));
        assert!(by_password(&app, "ada", None).is_ok());
    });
}
