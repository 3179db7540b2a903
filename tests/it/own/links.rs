//! Links that are mailed: to whom, for how long, and that each opens once (T02, T03, T10, P05, X47).

use std::sync::Barrier;

use jiff::SignedDuration;
use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::psa::locks::Authority;
use rosterd::roster::{
    Command, Dead, FirstPassword, LinkPurpose, MailedKey, NotProved, Refused, Reply, SENT_AGAIN,
    WRONG_CODES_MAX, Way, Whose,
};
use serde_json::json;

use super::{
    HASH, OTHER, by_password, death, door, enter, firm, follow, key, link, looked_at, on_every_firm,
    operator, order, person, sealed, set_method, set_password,
};
use crate::support::bodies::replace;
use crate::support::{Engine, TestApp};

fn no_such_link() -> Refused {
    Refused::NotProved { person: None, why: NotProved::NoSuchLink }
}

fn is_good(app: &TestApp, key: &MailedKey, purpose: LinkPurpose) -> bool {
    app.roster().look_at_link(&door(app), key, purpose).unwrap().is_some()
}

#[test]
fn t03_a_magic_link_lets_in_once_and_looking_at_it_changes_nothing() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        let mailed = link(&app, ada, LinkPurpose::MagicLink);
        // As programs do that look through mails.
        for _ in 0..3 {
            assert!(is_good(&app, &key(&mailed), LinkPurpose::MagicLink));
        }
        let entered = follow(&app, &mailed, LinkPurpose::MagicLink).unwrap();
        let live = looked_at(&app, &entered.key).unwrap();
        assert_eq!((live.person, live.session.method.name()), (ada, "magic-link"));
        assert!(!is_good(&app, &key(&mailed), LinkPurpose::MagicLink));
        assert_eq!(follow(&app, &mailed, LinkPurpose::MagicLink).err(), Some(no_such_link()));
    });
}

#[test]
fn t03_of_many_who_follow_one_link_at_once_one_is_let_in() {
    let app = firm(Engine::Redb);
    for round in 0..10 {
        let someone = person(&app, &format!("p{round}"));
        let mailed = link(&app, someone, LinkPurpose::MagicLink);
        let start = Barrier::new(8);
        let came = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        follow(&app, &mailed, LinkPurpose::MagicLink).is_ok()
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).filter(|came| *came).count()
        });
        assert_eq!(came, 1);
    }
}

#[test]
fn t03_a_magic_link_is_good_for_thirty_minutes() {
    for (seconds, good) in [(29 * 60, true), (30 * 60, false)] {
        let app = firm(Engine::Memory);
        let mailed = link(&app, person(&app, "ada"), LinkPurpose::MagicLink);
        app.clock().advance(seconds);
        assert_eq!(is_good(&app, &key(&mailed), LinkPurpose::MagicLink), good);
        assert_eq!(follow(&app, &mailed, LinkPurpose::MagicLink).is_ok(), good);
    }
}

#[test]
fn t02_following_an_invitation_within_seven_days_activates_the_account() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        let mailed = link(&app, ada, LinkPurpose::Invitation);
        let state = || app.roster().card(&operator(&app), ada).unwrap().person.state.name();
        assert_eq!(state(), "invited");
        app.clock().advance(7 * 24 * 3600 - 60);
        let entered = enter(
            &app,
            Whose::Mailed {
                key: &key(&mailed),
                purpose: LinkPurpose::Invitation,
                second: None,
                sets: Some(FirstPassword { hash: HASH }),
            },
        )
        .unwrap();
        assert_eq!(death(&app, &entered.key), None);
        assert_eq!(state(), "active");
        assert_eq!(app.roster().password_of(&door(&app), "ada").unwrap().unwrap().hash, HASH);
        let again = link(&app, ada, LinkPurpose::Invitation);
        assert_eq!(state(), "active", "who has come is not invited again");
        app.clock().advance(7 * 24 * 3600);
        assert_eq!(follow(&app, &again, LinkPurpose::Invitation).err(), Some(no_such_link()));
    });
}

#[test]
fn t02_x12_the_operators_invitation_lets_the_first_administrator_in() {
    let app = TestApp::start();
    let reply = app.operate(Command::AdminCreate {
        tenant: FIRST_TENANT.to_owned(),
        user_name: "ada@acme.test".to_owned(),
        display_name: None,
    });
    let Reply::Administrator { person, invitation, .. } = reply else { panic!("{reply:?}") };
    let key = MailedKey::parse(&invitation).unwrap();
    let looked = app.roster().look_at_link(&door(&app), &key, LinkPurpose::Invitation).unwrap().unwrap();
    assert!(looked.person == person && looked.takes_password);
    let whose = || Whose::Mailed {
        key: &key,
        purpose: LinkPurpose::Invitation,
        second: None,
        sets: Some(FirstPassword { hash: HASH }),
    };
    assert!(enter(&app, whose()).is_ok());
    assert_eq!(enter(&app, whose()).err(), Some(no_such_link()));
    assert!(by_password(&app, "ada@acme.test", None).is_ok());
}

#[test]
fn t10_a_link_that_an_administrator_sends_again_is_good_for_a_day_and_ends_the_one_before() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        let first = link(&app, ada, LinkPurpose::Invitation);
        let again = order(ada, LinkPurpose::Invitation, SENT_AGAIN);
        let again = app.roster().issue_link(&operator(&app), &again).unwrap().unwrap();
        assert!(!is_good(&app, &key(&first), LinkPurpose::Invitation));
        app.clock().advance(24 * 3600 - 60);
        assert!(is_good(&app, &key(&again), LinkPurpose::Invitation));
        app.clock().advance(60);
        assert!(!is_good(&app, &key(&again), LinkPurpose::Invitation));
    });
}

#[test]
fn x47_a_link_is_for_one_purpose_one_address_and_as_long_as_nothing_was_ended() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        let roster = app.roster();
        let path = format!("/Users/{ada}");
        let mailed = link(&app, ada, LinkPurpose::MagicLink);
        for other in [LinkPurpose::Invitation, LinkPurpose::Reset] {
            assert!(!is_good(&app, &key(&mailed), other));
            assert_eq!(follow(&app, &mailed, other).err(), Some(no_such_link()));
        }
        assert!(
            is_good(&app, &key(&mailed), LinkPurpose::MagicLink),
            "asking for another purpose uses nothing up"
        );

        let moved = replace("emails", json!([{ "value": "ada@elsewhere.test", "primary": true }]));
        let _ = app.patch(&path, &moved).expect(200);
        assert!(!is_good(&app, &key(&mailed), LinkPurpose::MagicLink), "it was mailed to another address");
        assert_eq!(follow(&app, &mailed, LinkPurpose::MagicLink).err(), Some(no_such_link()));

        for end in ["lock", "end", "method"] {
            let mailed = link(&app, ada, LinkPurpose::MagicLink);
            match end {
                "lock" => {
                    roster.lock(&operator(&app), ada, Authority::Admin, None).unwrap();
                    roster.unlock(&operator(&app), ada, Authority::Admin).unwrap();
                }
                "end" => roster.end_everything(&operator(&app), ada).unwrap(),
                _ => set_method(&app, ada, Some(Way::MagicLink), false),
            }
            assert!(!is_good(&app, &key(&mailed), LinkPurpose::MagicLink), "{end}");
            assert_eq!(follow(&app, &mailed, LinkPurpose::MagicLink).err(), Some(no_such_link()), "{end}");
        }
        let bent = MailedKey::parse(&mailed.token.replace("1.", "2.")).unwrap();
        assert!(!is_good(&app, &bent, LinkPurpose::MagicLink), "another tenant's");
        for wrong in ["", "1.", "1.xyz", &mailed.token[2..], &format!("{}0", mailed.token.as_str())] {
            assert!(MailedKey::parse(wrong).is_none(), "{wrong}");
        }
    });
}

#[test]
fn p05_a_reset_takes_the_link_and_what_is_typed_in_from_its_mail() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        set_password(&app, ada, HASH);
        let session = by_password(&app, "ada", None).unwrap().key;
        let mailed = link(&app, ada, LinkPurpose::Reset);
        let code = mailed.code.as_ref().unwrap();
        let reset =
            |code: &str| app.roster().reset_password(&door(&app), &key(&mailed), code, OTHER).unwrap();
        assert_eq!(reset("AAAAAAAA"), Err(NotProved::WrongCode));
        assert_eq!(reset(""), Err(NotProved::WrongCode));
        assert_eq!(
            follow(&app, &mailed, LinkPurpose::Reset).err(),
            Some(no_such_link()),
            "it lets nobody in"
        );
        let spelled = format!(" {}-{} ", &code[..4].to_lowercase(), &code[4..]);
        assert_eq!(reset(&spelled), Ok(ada));
        assert_eq!(death(&app, &session), Some(Dead::PasswordChanged));
        assert_eq!(app.roster().password_of(&door(&app), "ada").unwrap().unwrap().hash, OTHER);
        assert_eq!(reset(code), Err(NotProved::NoSuchLink));
    });
}

#[test]
fn p05_five_wrong_codes_kill_the_link_however_many_try_at_once() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        set_password(&app, ada, HASH);
        let mailed = link(&app, ada, LinkPurpose::Reset);
        let wrong = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..10)
                .map(|_| {
                    scope.spawn(|| {
                        app.roster().check_code(&door(&app), &key(&mailed), "WRONGONE").unwrap()
                            == Err(NotProved::WrongCode)
                    })
                })
                .collect();
            tries.into_iter().map(|one| one.join().unwrap()).filter(|wrong| *wrong).count()
        });
        assert_eq!(wrong, usize::try_from(WRONG_CODES_MAX).unwrap());
        let code = mailed.code.as_ref().unwrap();
        let late = app.roster().reset_password(&door(&app), &key(&mailed), code, OTHER).unwrap();
        assert_eq!(late, Err(NotProved::NoSuchLink));
        assert_eq!(app.roster().password_of(&door(&app), "ada").unwrap().unwrap().hash, HASH);
    });
}

#[test]
fn p05_a_reset_is_dead_when_the_password_was_set_otherwise() {
    on_every_firm(|app| {
        let ada = person(&app, "ada");
        set_password(&app, ada, HASH);
        let mailed = link(&app, ada, LinkPurpose::Reset);
        set_password(&app, ada, OTHER);
        let code = mailed.code.as_ref().unwrap();
        let late = app.roster().reset_password(&door(&app), &key(&mailed), code, HASH).unwrap();
        assert_eq!(late, Err(NotProved::NoSuchLink));
    });
}

#[test]
fn x11_who_asks_for_links_in_anothers_name_learns_nothing_and_kills_nothing() {
    on_every_firm(|app| {
        let roster = app.roster();
        let ada = person(&app, "ada");
        let ask =
            |login: &str, purpose| roster.issue_link_for_login(&door(&app), login, purpose, &sealed).unwrap();
        assert!(!ask("nobody", LinkPurpose::MagicLink));
        assert!(!ask("ada", LinkPurpose::Reset), "there is nothing to be reset");
        assert!(ask("ada", LinkPurpose::MagicLink));
        let until = || roster.sign_in_means(&operator(&app), ada).unwrap().links;
        let first = until();
        assert_eq!(first.len(), 1);
        for _ in 0..3 {
            assert!(!ask("ada", LinkPurpose::MagicLink), "one was sent just now");
        }
        assert_eq!(until(), first, "the first is alive");
        app.clock().advance(5 * 60);
        assert!(ask("ada", LinkPurpose::MagicLink));
        roster.lock(&operator(&app), ada, Authority::Admin, None).unwrap();
        assert!(!ask("ada", LinkPurpose::MagicLink));
    });
}

#[test]
fn links_that_are_over_are_swept_away() {
    on_every_firm(|app| {
        let tenant = door(&app).tenant();
        for n in 0..3 {
            let _ = link(&app, person(&app, &format!("p{n}")), LinkPurpose::MagicLink);
        }
        assert_eq!(app.roster().sweep_sign_ins(tenant).unwrap(), 0);
        app.clock().advance(SignedDuration::from_mins(31).as_secs());
        assert_eq!(app.roster().sweep_sign_ins(tenant).unwrap(), 3);
        assert_eq!(app.roster().sweep_sign_ins(tenant).unwrap(), 0);
    });
}
