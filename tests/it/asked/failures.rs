//! What a mapping that fails comes to, and people who are mapped later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rosterd::ids::TenantId;
use rosterd::roster::Parking;
use rosterd::roster::hooks::{Mapped, Operation, ProblemKind, Proposal, Then};
use serde_json::Value;

use super::{Double, EXT, admin, broke, catch_up, history, load, operations, problem, psa};
use crate::support::bodies::{replace, user};
use crate::support::{Engine, TestApp, on_every_store};

fn works_when(up: &Arc<AtomicBool>) -> Double {
    let up = Arc::clone(up);
    Double::new("rates").maps(move |_, _, _| {
        if up.load(Ordering::SeqCst) {
            Ok(Mapped { proposals: vec![Proposal::SetFinancialVisibility("hoursOnly".into())], fuel: 1 })
        } else {
            broke()
        }
    })
}

fn parked(app: &TestApp) -> Vec<rosterd::roster::ParkedView> {
    let operator = app.roster().operator("main", app.roster().request_id()).unwrap();
    app.roster().parked(&operator, None, 100).unwrap()
}

#[test]
fn r31_whom_a_plugin_could_not_map_is_written_all_the_same_and_mapped_later_exactly_once() {
    on_every_store(|app| {
        let admin = admin(&app);
        let up = Arc::new(AtomicBool::new(false));
        let plugin = works_when(&up);
        let heard = plugin.heard();
        let before = Double::mapping("before", |_, _| vec![Proposal::SetKind("freelancer".into())]);
        load(&app, [before, plugin]);
        let ada = format!("/Users/{}", app.post("/Users", &user("ada")).expect(201).id());
        assert_eq!(psa(&admin, &ada, "financialVisibility"), Value::Null);
        assert_ne!(psa(&admin, &ada, "kind"), "freelancer", "the firm's own side stays as it was, all of it");
        let (facts, values) = history(&app).pop().unwrap();
        assert!(
            facts.notes.contains(&"plugin rates: map failed (trap); the person is mapped later".to_owned()),
            "{facts:?}"
        );
        assert!(!format!("{values:?}").contains("canary"));
        let [one] = &parked(&app)[..] else { panic!("{:?}", parked(&app)) };
        assert_eq!(
            (one.state, one.plugin.as_deref(), one.why.as_str(), one.attempts),
            (Parking::Failed, Some("rates"), "trap", 1)
        );
        assert_eq!(app.roster().parked_counts().unwrap(), (1, 0));

        assert_eq!(catch_up(&app).mapped, 0, "it is not due yet");
        app.clock().advance(11);
        assert_eq!(catch_up(&app).failed, 1);
        assert_eq!(parked(&app)[0].attempts, 2, "and the pause grows");
        up.store(true, Ordering::SeqCst);
        app.clock().advance(11);
        assert_eq!(catch_up(&app).mapped, 0);
        app.clock().advance(10);
        let length = history(&app).len();
        let mended = catch_up(&app);
        assert_eq!((mended.mapped, mended.changed, mended.failed), (1, 1, 0));
        assert_eq!(psa(&admin, &ada, "financialVisibility"), "hoursOnly");
        assert_eq!(psa(&admin, &ada, "kind"), "freelancer");
        assert!(parked(&app).is_empty());
        assert_eq!(app.roster().parked_counts().unwrap(), (0, 0));
        assert_eq!(history(&app).len(), length + 1);
        app.clock().advance(100_000);
        assert_eq!(catch_up(&app), rosterd::roster::Mended::default(), "once");
        assert_eq!(history(&app).len(), length + 1);
        assert_eq!(operations(&heard), [Operation::Create, Operation::Remap, Operation::Remap]);
    });
}

#[test]
fn whoever_is_written_again_meanwhile_waits_no_more() {
    on_every_store(|app| {
        let up = Arc::new(AtomicBool::new(false));
        load(&app, [works_when(&up)]);
        let ada = format!("/Users/{}", app.post("/Users", &user("ada")).expect(201).id());
        up.store(true, Ordering::SeqCst);
        drop(app.patch(&ada, &replace("nickName", "A")).expect(200));
        assert!(parked(&app).is_empty());
        app.clock().advance(1000);
        assert_eq!(catch_up(&app), rosterd::roster::Mended::default());
    });
}

#[test]
fn whoever_is_removed_meanwhile_is_forgotten() {
    on_every_store(|app| {
        let up = Arc::new(AtomicBool::new(false));
        load(&app, [works_when(&up)]);
        let ada = format!("/Users/{}", app.post("/Users", &user("ada")).expect(201).id());
        drop(app.delete(&ada).expect(204));
        app.clock().advance(1000);
        catch_up(&app);
        assert!(parked(&app).is_empty());
        assert_eq!(app.roster().parked_counts().unwrap(), (0, 0));
    });
}

#[test]
fn what_a_plugin_says_is_wrong_is_told_to_the_client_whatever_its_policy() {
    on_every_store(|app| {
        for (kind, status, scim_type) in [
            (ProblemKind::InvalidValue, 400, Some("invalidValue")),
            (ProblemKind::MissingData, 400, Some("invalidValue")),
            (ProblemKind::Conflict, 409, None),
            (ProblemKind::Denied, 403, None),
        ] {
            load(
                &app,
                [Double::new("picky")
                    .maps(move |_, _, _| problem(kind, Some("title"), "expected one that the card knows"))],
            );
            let before = history(&app).len();
            let refused = app.post("/Users", &user("ada")).refused(status, scim_type);
            assert!(refused.contains("title: expected one that the card knows"), "{refused}");
            let refusals = usize::from(kind == ProblemKind::Denied);
            assert_eq!(history(&app).len(), before + refusals, "nothing is written but a refusal");
        }
        assert!(parked(&app).is_empty());
    });
}

#[test]
fn policies_say_what_a_failed_mapping_comes_to() {
    on_every_store(|app| {
        let fails =
            |then: Then| Double::new("rates").maps(|_, _, _| broke()).with_policy(|policy| policy.map = then);
        load(&app, [fails(Then::Reject)]);
        let answer = app.post("/Users", &user("ada")).expect(503);
        assert_eq!(answer.header("Retry-After"), Some("30"));
        assert!(!answer.text().contains("canary"));
        load(&app, [fails(Then::Deny)]);
        drop(app.post("/Users", &user("ada")).expect(403));
        load(&app, [fails(Then::Skip)]);
        drop(app.post("/Users", &user("ada")).expect(201));
        assert!(parked(&app).is_empty());
        load(
            &app,
            [Double::new("rates")
                .maps(|_, _, _| problem(ProblemKind::Internal, None, "a canary"))
                .with_policy(|policy| policy.map = Then::Park)],
        );
        drop(app.post("/Users", &user("bob")).expect(201));
        assert_eq!(parked(&app)[0].why, "internal");
    });
}

#[test]
fn r31_taking_access_away_waits_for_no_plugin() {
    on_every_store(|app| {
        let admin = admin(&app);
        let ada = format!("/Users/{}", app.post("/Users", &user("ada")).expect(201).id());
        let bob = format!("/Users/{}", app.post("/Users", &user("bob")).expect(201).id());
        // From here on whoever asks waits for ever.
        let (opens, shut) = std::sync::mpsc::channel::<()>();
        let shut = Arc::new(std::sync::Mutex::new(shut));
        let asked = Arc::new(AtomicUsize::new(0));
        let blocks = || {
            let (shut, asked) = (Arc::clone(&shut), Arc::clone(&asked));
            move || {
                asked.fetch_add(1, Ordering::SeqCst);
                let _ = shut.lock().unwrap().recv();
            }
        };
        let (gate, map, validate) = (blocks(), blocks(), blocks());
        load(
            &app,
            [Double::new("stuck")
                .admits(move |_, _| {
                    gate();
                    broke()
                })
                .maps(move |_, _, _| {
                    map();
                    broke()
                })
                .validates(move |_, _, _| {
                    validate();
                    broke()
                })],
        );
        let mut gone = user("ada");
        gone["active"] = false.into();
        gone["title"] = "Former".into();
        drop(app.put(&ada, &gone).expect(200));
        assert_eq!(app.get(&ada).expect(200).json()["active"], false);
        drop(app.patch(&bob, &replace("active", false)).expect(200));
        drop(app.delete(&bob).expect(204));
        let id = ada.rsplit('/').next().unwrap().to_owned();
        let operator = app.roster().operator("main", app.roster().request_id()).unwrap();
        let person = rosterd::ids::ResourceId::parse(&id).unwrap();
        app.roster().lock(&operator, person, rosterd::roster::Authority::Admin, None).unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 0, "nobody was asked");
        // They are asked afterwards.
        drop(opens);
        app.roster().follow_changes(&|| true).unwrap();
        assert_eq!(parked(&app).len(), 1, "who is gone needs no mapping");
        assert_eq!(parked(&app)[0].state, Parking::Waiting);
        assert_eq!(app.roster().parked_counts().unwrap(), (0, 1));
        drop(admin);
    });
}

#[test]
fn r31_who_waits_is_mapped_after_a_restart_and_once() {
    let mut app = TestApp::on(Engine::Redb);
    let up = Arc::new(AtomicBool::new(false));
    load(&app, [works_when(&up)]);
    let ada = format!("/Users/{}", app.post("/Users", &user("ada")).expect(201).id());
    let bob = format!("/Users/{}", app.post("/Users", &user("bob")).expect(201).id());
    drop(app.patch(&bob, &replace("active", false)).expect(200));
    app.restart();
    up.store(true, Ordering::SeqCst);
    load(&app, [works_when(&up)]);
    app.clock().advance(20);
    let mended = catch_up(&app);
    assert_eq!((mended.mapped, mended.changed), (2, 2));
    let shown = |path: &str| {
        let snapshot = app.roster().store().snapshot().unwrap();
        let id = rosterd::ids::ResourceId::parse(path.rsplit('/').next().unwrap()).unwrap();
        let stored = snapshot.get(TenantId::new(1), rosterd::ids::Address::user(id)).unwrap().unwrap();
        let json = stored.segments().find(|(id, _)| *id == EXT).map(|(_, json)| json.to_owned());
        json.unwrap()
    };
    assert!(shown(&ada).contains("hoursOnly") && shown(&bob).contains("hoursOnly"));
    app.restart();
    load(&app, [works_when(&up)]);
    app.clock().advance(100_000);
    assert_eq!(catch_up(&app), rosterd::roster::Mended::default());
}
