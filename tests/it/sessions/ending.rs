//! What ends a session, and that nothing revives one (X9, S143).

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::SignedDuration;
use rosterd::psa::locks::Authority;
use rosterd::roster::{Dead, Lifetimes, Refused, SessionKey};
use serde_json::json;

use super::{
    LIFETIMES, OKTA, death, door, entry, id, identity, looked_at, operator, provisioned, signed_in, tried,
};
use crate::support::bodies::replace;
use crate::support::{Engine, TestApp, on_every_store};

#[test]
fn x9_s143_whatever_locks_a_person_kills_every_session_and_no_unlock_revives_one() {
    on_every_store(|app| {
        let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        let path = format!("/Users/{ada}");
        let (roster, operator) = (app.roster(), operator(&app));
        let by_idp = |active| drop(app.patch(&path, &replace("active", active)).expect(200));
        let lock = || roster.lock(&operator, id(&ada), Authority::Admin, None).unwrap();
        let unlock = || roster.unlock(&operator, id(&ada), Authority::Admin).unwrap();
        for by_provider in [true, false] {
            let close = || if by_provider { by_idp(false) } else { lock() };
            let open = || if by_provider { by_idp(true) } else { unlock() };
            let keys: Vec<SessionKey> = (0..3).map(|_| signed_in(&app, "1")).collect();
            assert!(keys.iter().all(|key| looked_at(&app, key).unwrap().person == id(&ada)));
            close();
            assert!(keys.iter().all(|key| death(&app, key).is_some()));
            assert_eq!(tried(&app, identity("1")).err(), Some(Refused::NotLetIn { person: id(&ada) }));
            open();
            assert!(keys.iter().all(|key| death(&app, key) == Some(Dead::Ended)));
            assert!(looked_at(&app, &signed_in(&app, "1")).is_ok());
        }
    });
}

#[test]
fn x9_a_thousand_sessions_are_dead_when_the_lock_has_its_answer() {
    let app = TestApp::on(Engine::Redb);
    let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
    let keys: Vec<SessionKey> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| (0..50).map(|_| signed_in(&app, "1")).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(keys.len(), 1000);
    assert!(keys.iter().all(|key| looked_at(&app, key).is_ok()));
    let _ = app.patch(&format!("/Users/{ada}"), &replace("active", false)).expect(200);
    assert_eq!(keys.iter().filter(|key| looked_at(&app, key).is_ok()).count(), 0);
}

#[test]
fn x9_of_sign_ins_that_race_a_lock_none_survives_it() {
    let app = TestApp::on(Engine::Redb);
    for round in 0..50 {
        let name = format!("p{round}");
        let person = app.post("/Users", &provisioned(&name, &name)).expect(201).id();
        let (start, locked) = (Barrier::new(5), AtomicBool::new(false));
        let came: Vec<SessionKey> = std::thread::scope(|scope| {
            let comers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let mut came = Vec::new();
                        for _ in 0..5 {
                            let after = locked.load(Ordering::SeqCst);
                            if let Ok(entered) = tried(&app, identity(&name)) {
                                assert!(!after, "let in after the lock had its answer");
                                came.push(entered.key);
                            }
                        }
                        came
                    })
                })
                .collect();
            start.wait();
            app.roster().lock(&operator(&app), id(&person), Authority::Admin, None).unwrap();
            locked.store(true, Ordering::SeqCst);
            comers.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert!(came.iter().all(|key| death(&app, key).is_some()));
        app.roster().unlock(&operator(&app), id(&person), Authority::Admin).unwrap();
        assert!(came.iter().all(|key| death(&app, key) == Some(Dead::Ended)));
    }
}

#[test]
fn x9_who_is_deleted_has_no_session_any_more() {
    on_every_store(|app| {
        let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        let key = signed_in(&app, "1");
        let _ = app.delete(&format!("/Users/{ada}")).expect(204);
        assert!(death(&app, &key).is_some());
        let _ = app.post("/Users", &provisioned("ada", "1")).expect(201);
        assert!(death(&app, &key).is_some());
    });
}

#[test]
fn r15_a_last_day_ends_sessions_at_its_midnight_although_nobody_has_looked() {
    on_every_store(|app| {
        let local = super::local(&app);
        let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        let psa = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
        let schedule = json!({ "activateOn": "2026-02-01", "deactivateOn": "2026-03-02" });
        let _ =
            local.patch(&format!("/Users/{ada}"), &replace(&format!("{psa}:schedule"), schedule)).expect(200);
        let key = signed_in(&app, "1");
        let look = || {
            let day = Lifetimes { idle: LIFETIMES.absolute, ..LIFETIMES };
            app.roster().look_at_session(&key, day, &|_| true).unwrap().err()
        };
        // From eight in the morning to eleven in the evening, and to midnight.
        app.clock().advance(15 * 3600);
        assert_eq!(look(), None);
        app.clock().advance(3600);
        assert_eq!(look(), Some(Dead::Locked));
    });
}

#[test]
fn a_session_ends_when_it_was_not_used_and_when_it_is_old() {
    on_every_store(|app| {
        let _ = app.post("/Users", &provisioned("ada", "1")).expect(201);
        let (used, unused) = (signed_in(&app, "1"), signed_in(&app, "1"));
        for _ in 0..3 {
            app.clock().advance(7 * 3600 + 1800);
            assert!(looked_at(&app, &used).unwrap().unseen);
            app.roster().session_was_used(&used).unwrap();
            assert!(!looked_at(&app, &used).unwrap().unseen);
        }
        assert_eq!(death(&app, &unused), Some(Dead::Idle));
        app.clock().advance(2 * 3600);
        assert_eq!(death(&app, &used), Some(Dead::Old));
        // What the firm allows now holds for those that there are.
        let fresh = signed_in(&app, "1");
        app.clock().advance(120);
        let short = Lifetimes { absolute: SignedDuration::from_mins(1), ..LIFETIMES };
        assert_eq!(app.roster().look_at_session(&fresh, short, &|_| true).unwrap().err(), Some(Dead::Old));
    });
}

#[test]
fn a_session_ends_alone_by_itself_by_name_and_by_what_the_provider_calls_it() {
    on_every_store(|app| {
        let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        let roster = app.roster();
        let mut of_other_sid = entry(rosterd::roster::Whose::Identity(identity("1")));
        of_other_sid.sid = Some("sid-2");
        let other = roster.sign_in(&door(&app), &of_other_sid, LIFETIMES).unwrap().unwrap().key;
        let (out, named, by_sid) = (signed_in(&app, "1"), signed_in(&app, "1"), signed_in(&app, "1"));
        assert_eq!(roster.end_session(&door(&app), &out).unwrap(), Some(id(&ada)));
        assert_eq!(roster.end_session(&door(&app), &out).unwrap(), None);
        assert_eq!(death(&app, &out), Some(Dead::Unknown));
        let listed = || roster.sessions(&operator(&app), id(&ada), LIFETIMES, &|_| true).unwrap();
        assert_eq!(listed().len(), 3);
        let name = looked_at(&app, &named).unwrap().session.id;
        roster.end_session_named(&operator(&app), id(&ada), &name).unwrap();
        assert!(roster.end_session_named(&operator(&app), id(&ada), &name).is_err());
        assert_eq!(roster.end_sessions_of_sid(&door(&app), "entra", "sid-1").unwrap(), []);
        assert_eq!(roster.end_sessions_of_sid(&door(&app), OKTA, "sid-1").unwrap(), [id(&ada)]);
        assert!(death(&app, &named).is_some() && death(&app, &by_sid).is_some());
        assert_eq!(listed().len(), 1);
        assert_eq!(roster.end_sessions_of_identity(&door(&app), &identity("1")).unwrap(), [id(&ada)]);
        assert_eq!(death(&app, &other), Some(Dead::Unknown));
    });
}

#[test]
fn what_a_provider_had_proved_ends_with_the_provider() {
    on_every_store(|app| {
        let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        let key = signed_in(&app, "1");
        let closed = app.roster().look_at_session(&key, LIFETIMES, &|provider| provider != OKTA).unwrap();
        assert_eq!(closed.err(), Some(Dead::Provider));
        app.roster().end_sessions_of_provider(&operator(&app), OKTA).unwrap();
        assert_eq!(death(&app, &key), Some(Dead::Provider));
        let next = signed_in(&app, "1");
        assert!(looked_at(&app, &next).is_ok());
        app.roster().end_everything(&operator(&app), id(&ada)).unwrap();
        assert_eq!(death(&app, &next), Some(Dead::Ended));
    });
}

#[test]
fn what_is_over_is_swept_and_what_is_not_stays() {
    on_every_store(|app| {
        let _ = app.post("/Users", &provisioned("ada", "1")).expect(201);
        let old: Vec<SessionKey> = (0..3).map(|_| signed_in(&app, "1")).collect();
        app.clock().advance(23 * 3600);
        let young = signed_in(&app, "1");
        let tenant = door(&app).tenant();
        assert_eq!(app.roster().sweep_sessions(tenant).unwrap(), 0);
        app.clock().advance(2 * 3600);
        assert_eq!(app.roster().sweep_sessions(tenant).unwrap(), 3);
        assert_eq!(app.roster().sweep_sessions(tenant).unwrap(), 0);
        assert!(old.iter().all(|key| death(&app, key) == Some(Dead::Unknown)));
        assert!(looked_at(&app, &young).is_ok());
    });
}

#[test]
fn a_cookie_is_a_tenant_and_sixty_four_digits_and_opens_nothing_else() {
    let app = TestApp::on(Engine::Memory);
    let _ = app.post("/Users", &provisioned("ada", "1")).expect(201);
    let entered = tried(&app, identity("1")).unwrap();
    let cookie = entered.cookie.as_str();
    let (tenant, secret) = cookie.split_once('.').unwrap();
    assert!(looked_at(&app, &SessionKey::parse(cookie).unwrap()).is_ok());
    for other in
        [format!("{}.{secret}", tenant.parse::<u32>().unwrap() + 1), format!("{tenant}.{}", "0".repeat(64))]
    {
        assert_eq!(death(&app, &SessionKey::parse(&other).unwrap()), Some(Dead::Unknown), "{other}");
    }
    let malformed = ["", ".", "1", "x.y", "+1.00", "99999999999.00"].map(str::to_owned);
    let malformed = malformed.into_iter().chain([
        format!("{tenant}.{}", &secret[1..]),
        format!("{tenant}.{secret}0"),
        format!("{tenant}.{}g", &secret[1..]),
        format!("+{tenant}.{secret}"),
    ]);
    for odd in malformed {
        assert_eq!(SessionKey::parse(&odd), None, "{odd}");
    }
    // Nobody learns it from what is kept or shown.
    assert!(!format!("{:?}", entered.key).contains(&secret[..8]));
}
