//! H16, P03, and section 2 of the domain: who is erased, who departs, and who comes back.

use rosterd::ids::{Address, KindId, TenantId};
use rosterd::psa::locks::Authority;
use rosterd::psa::policy::{Deprovision, Policy, Rehire};
use rosterd::roster::{HOLDS_PER_PERSON_MAX, Precondition, RosterError};
use serde_json::json;

use super::{
    PSA, administrator, at_once, decide, id, is_active, licensed, lifecycle, local, operator, pool,
    provisioned, used,
};
use crate::support::bodies::{group, user};
use crate::support::world::history;
use crate::support::{TestApp, on_every_store};

fn departed(app: &TestApp, person: &str) -> bool {
    let snapshot = app.roster().store().snapshot().unwrap();
    let at = Address { kind: KindId::DEPARTED, id: id(person) };
    snapshot.exists(TenantId::new(1), at).unwrap()
}

fn sign_in(app: &TestApp, person: &str) {
    let caller = operator(app);
    app.roster().signed_in(&caller, id(person), caller.now(), "oidc").unwrap();
}

#[test]
fn h16_p03_who_was_used_departs_and_who_was_not_is_erased() {
    on_every_store(|app| {
        for (name, signs_in, is_held) in [("ada", true, false), ("bob", false, true), ("eve", false, false)] {
            let one = app.post("/Users", &provisioned(name, name)).expect(201).id();
            let crew = app.post("/Groups", &group(&format!("of {name}"), &[&one])).expect(201).id();
            if signs_in {
                sign_in(&app, &one);
            }
            if is_held {
                app.roster().hold(&operator(&app), id(&one), "billing", "unbilled time", 3).unwrap();
            }
            let path = format!("/Users/{one}");
            let _ = app.delete(&path).expect(204);
            app.get(&path).refused(404, None);
            app.delete(&path).refused(404, None);
            assert_eq!(departed(&app, &one), signs_in || is_held, "{name}");
            let crew = app.get(&format!("/Groups/{crew}")).expect(200).json();
            assert_eq!(crew["members"], json!([]));
            // The login is free, and is another person's.
            let other = app.post("/Users", &user(name)).expect(201).id();
            assert_ne!(other, one);
        }
        let all = app.get("/Users").expect(200).json();
        assert_eq!(all["totalResults"], 3);
    });
}

#[test]
fn h16_p03_what_a_tenant_decides_about_erasing_holds_but_for_who_is_held() {
    on_every_store(|app| {
        for (deprovision, used_stays, unused_stays) in
            [(Deprovision::Lock, true, true), (Deprovision::Delete, false, false)]
        {
            decide(&app, Policy { deprovision, ..Policy::default() });
            let [used, unused, held] = ["ada", "bob", "eve"].map(|name| {
                app.post("/Users", &provisioned(&format!("{name}-{deprovision:?}"), name)).expect(201).id()
            });
            sign_in(&app, &used);
            sign_in(&app, &held);
            app.roster().hold(&operator(&app), id(&held), "billing", "unbilled time", 3).unwrap();
            for one in [&used, &unused, &held] {
                let _ = app.delete(&format!("/Users/{one}")).expect(204);
            }
            assert_eq!((departed(&app, &used), departed(&app, &unused)), (used_stays, unused_stays));
            assert!(departed(&app, &held));
        }
    });
}

#[test]
fn h16_p03_an_administrator_is_refused_the_removal_of_who_was_used_and_hears_why() {
    on_every_store(|app| {
        let (roster, operator) = (app.roster(), operator(&app));
        let ada = id(&app.post("/Users", &user("ada")).expect(201).id());
        roster.hold(&operator, ada, "billing", "unbilled time", 3).unwrap();
        let refused = |expected: &str| {
            let result = roster.remove_person_if_unused(&operator, ada, &Precondition::None);
            assert!(matches!(&result, Err(RosterError::InUse(why)) if why.contains(expected)), "{result:?}");
        };
        refused("billing has 3 (unbilled time)");
        sign_in(&app, &ada.to_string());
        refused("they signed in at 20");
        roster.release_hold(&operator, ada, "billing").unwrap();
        refused("lock them instead");
        let bob = id(&app.post("/Users", &user("bob")).expect(201).id());
        roster.hold(&operator, bob, "billing", "unbilled time", 3).unwrap();
        roster.release_hold(&operator, bob, "billing").unwrap();
        roster.remove_person_if_unused(&operator, bob, &Precondition::None).unwrap();
        assert!(!departed(&app, &bob.to_string()));
        let again = roster.remove_person_if_unused(&operator, bob, &Precondition::None);
        assert!(matches!(again, Err(RosterError::NotFound)));
    });
}

#[test]
fn h16_a_hold_is_kept_within_bounds_and_told_to_the_history() {
    on_every_store(|app| {
        let (roster, operator) = (app.roster(), operator(&app));
        let ada = id(&app.post("/Users", &user("ada")).expect(201).id());
        let entries = || history(roster, TenantId::new(1)).len();
        for number in 0..HOLDS_PER_PERSON_MAX {
            roster.hold(&operator, ada, &format!("system-{number}"), "records", 1).unwrap();
        }
        let one_more = roster.hold(&operator, ada, "one-more", "records", 1);
        assert!(matches!(one_more, Err(RosterError::TooLarge(_))));
        let before = entries();
        roster.hold(&operator, ada, "system-0", "records", 1).unwrap();
        assert_eq!(entries(), before, "what is repeated changes nothing");
        roster.hold(&operator, ada, "system-0", "records", 2).unwrap();
        assert_eq!(entries(), before + 1);
        let holds = roster.holds(&operator, ada).unwrap();
        assert_eq!(holds.len(), HOLDS_PER_PERSON_MAX);
        assert_eq!((holds[0].system.as_str(), holds[0].count, holds[0].by.as_str()), ("system-0", 2, "cli"));
        for (system, reason) in [("", "records"), ("a b", "records"), ("billing", ""), ("billing", "a\nb")] {
            assert!(matches!(roster.hold(&operator, ada, system, reason, 1), Err(RosterError::Unfit(_))));
        }
        assert!(matches!(roster.release_hold(&operator, ada, "none"), Err(RosterError::NotFound)));
        let nobody = id("0192f0c1-2b3c-7def-8123-456789abcdef");
        assert!(matches!(roster.hold(&operator, nobody, "billing", "r", 1), Err(RosterError::NotFound)));
    });
}

#[test]
fn h16_who_is_held_and_removed_at_once_is_not_erased() {
    for _ in 0..8 {
        on_every_store(|app| {
            let ada = app.post("/Users", &user("ada")).expect(201).id();
            let results = at_once(2, |number| match number {
                0 => app.delete(&format!("/Users/{ada}")).status == 204,
                _ => app.roster().hold(&operator(&app), id(&ada), "billing", "unbilled time", 3).is_ok(),
            });
            assert!(results[0]);
            assert_eq!(departed(&app, &ada), results[1], "held, or erased");
        });
    }
}

#[test]
fn t06_a_sign_in_is_never_earlier_than_the_last_and_is_shown() {
    on_every_store(|app| {
        let local = local(&app);
        let (roster, caller) = (app.roster(), operator(&app));
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        assert_eq!(lifecycle(&local, &ada)["everSignedIn"], false);
        let now = caller.now();
        roster.signed_in(&caller, id(&ada), now, "magic-link").unwrap();
        let earlier = now - jiff::SignedDuration::from_hours(1);
        roster.signed_in(&caller, id(&ada), earlier, "password").unwrap();
        let shown = lifecycle(&local, &ada);
        assert_eq!(
            (&shown["everSignedIn"], &shown["lastSignInMethod"]),
            (&json!(true), &json!("magic-link"))
        );
        let later = now + jiff::SignedDuration::from_hours(1);
        assert!(matches!(roster.signed_in(&caller, id(&ada), later, "password"), Err(RosterError::Unfit(_))));
        assert!(matches!(roster.signed_in(&caller, id(&ada), now, "a b"), Err(RosterError::Unfit(_))));
    });
}

#[test]
fn who_comes_back_under_the_same_external_id_is_who_they_were() {
    on_every_store(|app| {
        let local = local(&app);
        let office = pool(&local, "Office", 5, "reject");
        let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        let path = format!("/Users/{ada}");
        let attributes = json!({
            "license": { "value": office }, "integrations": [{ "system": "payroll", "id": "77" }],
        });
        let operation = json!({ "op": "add", "value": { PSA: attributes } });
        let _ = local.patch(&path, &crate::support::bodies::patch(&[operation])).expect(200);
        assert_eq!(used(&local, &office), 1);
        sign_in(&app, &ada);
        let _ = app.delete(&path).expect(204);
        assert_eq!(used(&local, &office), 0);
        // The pool is named by who departed.
        local.delete(&format!("/LicensePools/{office}")).refused(409, None);
        // The same login is nobody's claim.
        let other = app.post("/Users", &provisioned("ada", "2")).expect(201).id();
        assert_ne!(other, ada);
        app.post("/Users", &provisioned("ADA", "1")).refused(409, Some("uniqueness"));
        let back = app.post("/Users", &provisioned("ada.new", "1")).expect(201);
        assert_eq!((back.id(), &back.json()["active"]), (ada.clone(), &json!(true)));
        assert!(!departed(&app, &ada));
        let shown = local.get(&path).expect(200).json();
        assert_eq!(shown[PSA]["integrations"][0]["id"], "77");
        assert_eq!(shown[PSA]["license"]["value"], json!(office));
        assert_eq!(shown[PSA]["lifecycle"]["everSignedIn"], true);
        assert_eq!(used(&local, &office), 1);
        app.post("/Users", &provisioned("third", "1")).refused(409, Some("uniqueness"));
        // A second time.
        let _ = app.delete(&path).expect(204);
        assert_eq!(app.post("/Users", &provisioned("ada.new", "1")).expect(201).id(), ada);
    });
}

#[test]
fn h15_who_comes_back_is_locked_still_by_an_administrator() {
    on_every_store(|app| {
        let local = local(&app);
        let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        sign_in(&app, &ada);
        for authority in [Authority::Admin, Authority::Security] {
            app.roster().lock(&operator(&app), id(&ada), authority, None).unwrap();
        }
        let _ = app.delete(&format!("/Users/{ada}")).expect(204);
        let back = app.post("/Users", &provisioned("ada", "1")).expect(201);
        assert_eq!((back.id(), &back.json()["active"]), (ada.clone(), &json!(false)));
        assert_eq!(lifecycle(&local, &ada)["locks"], json!(["admin", "security"]));
    });
}

#[test]
fn where_the_tenant_decides_so_who_comes_back_is_another_person() {
    on_every_store(|app| {
        decide(&app, Policy { rehire: Rehire::New, ..Policy::default() });
        let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        sign_in(&app, &ada);
        let _ = app.delete(&format!("/Users/{ada}")).expect(204);
        let other = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        assert_ne!(other, ada);
        assert!(departed(&app, &ada));
        // Both have left: the later one is meant.
        sign_in(&app, &other);
        let _ = app.delete(&format!("/Users/{other}")).expect(204);
        decide(&app, Policy::default());
        assert_eq!(app.post("/Users", &provisioned("ada", "1")).expect(201).id(), other);
    });
}

#[test]
fn x19_another_connection_brings_nobody_back() {
    on_every_store(|app| {
        let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        sign_in(&app, &ada);
        let _ = app.delete(&format!("/Users/{ada}")).expect(204);
        let other = app.connection("main", "other", "auto");
        assert_ne!(other.post("/Users", &provisioned("ada", "1")).expect(201).id(), ada);
        assert!(departed(&app, &ada));
    });
}

#[test]
fn r3_of_many_who_bring_somebody_back_at_once_one_does() {
    on_every_store(|app| {
        let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        sign_in(&app, &ada);
        let _ = app.delete(&format!("/Users/{ada}")).expect(204);
        let answers = at_once(8, |number| app.post("/Users", &provisioned(&format!("ada{number}"), "1")));
        let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].id(), ada);
        assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409)));
    });
}

#[test]
fn who_departs_administers_no_more_and_leaves_no_seat_and_no_schedule_behind() {
    on_every_store(|app| {
        let local = local(&app);
        let _ = administrator(&app, "owner@acme.test");
        let office = pool(&local, "Office", 5, "lock");
        let mut body = licensed("ada", &office);
        body["externalId"] = json!("1");
        body[PSA]["schedule"] = json!({ "deactivateOn": "2099-01-01" });
        let ada = local.post("/Users", &body).expect(201).id();
        app.roster().make_administrator(&operator(&app), id(&ada)).unwrap();
        sign_in(&app, &ada);
        let _ = local.delete(&format!("/Users/{ada}")).expect(204);
        assert!(departed(&app, &ada));
        assert_eq!((used(&local, &office), app.roster().check_people().unwrap().len()), (0, 0));
        assert_eq!(app.roster().administrators(&operator(&app)).unwrap().len(), 1);
        let back =
            local.post("/Users", &json!({ "schemas": [super::USER], "userName": "ada", "externalId": "1" }));
        assert_eq!(back.expect(201).id(), ada);
        assert_eq!((used(&local, &office), is_active(&local, &ada)), (1, true));
        assert_eq!(app.roster().administrators(&operator(&app)).unwrap().len(), 1);
    });
}
