//! H15, T11: locks of each authority by itself; and what they end and keep.

use rosterd::psa::locks::Authority;
use rosterd::roster::{REASON_CHARACTERS_MAX, RosterError, refuse_oneself};
use serde_json::json;

use super::{id, is_active, licensed, lifecycle, local, operator, pool, provisioned, used};
use crate::support::bodies::{replace, user};
use crate::support::{TestApp, on_every_store};

#[test]
fn h15_what_an_administrator_locked_no_provider_opens_by_any_verb() {
    on_every_store(|app| {
        let local = local(&app);
        let ada = app.post("/Users", &provisioned("ada", "1")).expect(201).id();
        let path = format!("/Users/{ada}");
        app.roster().lock(&operator(&app), id(&ada), Authority::Admin, Some("left the firm")).unwrap();
        assert!(!is_active(&app, &ada));
        let _ = app.patch(&path, &replace("active", true)).expect(200);
        let mut body = provisioned("ada", "1");
        body["title"] = json!("Analyst");
        assert_eq!(app.put(&path, &body).expect(200).json()["active"], false);
        let _ = app.patch(&path, &replace("active", false)).expect(200);
        assert_eq!(lifecycle(&local, &ada)["locks"], json!(["idp", "admin"]));
        let _ = app.patch(&path, &replace("active", true)).expect(200);
        assert_eq!(lifecycle(&local, &ada)["locks"], json!(["admin"]));
        assert!(!is_active(&app, &ada));
        let kept = app.roster().locks(&operator(&app), id(&ada)).unwrap();
        let lock = kept.by(Authority::Admin).unwrap();
        assert_eq!((lock.by.as_str(), lock.reason.as_deref()), ("cli", Some("left the firm")));
        app.roster().unlock(&operator(&app), id(&ada), Authority::Admin).unwrap();
        assert!(is_active(&app, &ada));
        assert_eq!(app.get(&path).expect(200).json()["title"], "Analyst");
    });
}

#[test]
fn h15_a_locked_person_is_found_in_the_list_of_those() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let _ = app.post("/Users", &user("bob")).expect(201);
        app.roster().lock(&operator(&app), id(&ada), Authority::Admin, None).unwrap();
        let locked = app.find("/Users", "active eq false").expect(200).json();
        assert_eq!((&locked["totalResults"], &locked["Resources"][0]["id"]), (&json!(1), &json!(ada)));
    });
}

#[test]
fn h15_h17_a_lock_frees_the_seat_and_who_is_let_in_takes_one_again() {
    on_every_store(|app| {
        let local = local(&app);
        let pool = pool(&local, "Office", 1, "reject");
        let ada = local.post("/Users", &licensed("ada", &pool)).expect(201).id();
        assert_eq!(used(&local, &pool), 1);
        let refused = local.post("/Users", &licensed("bob", &pool)).refused(409, None);
        assert!(refused.contains("no seat is left"), "{refused}");
        let (roster, operator) = (app.roster(), operator(&app));
        roster.lock(&operator, id(&ada), Authority::Admin, None).unwrap();
        roster.lock(&operator, id(&ada), Authority::Security, None).unwrap();
        assert_eq!(used(&local, &pool), 0);
        let bob = local.post("/Users", &licensed("bob", &pool)).expect(201).id();
        roster.unlock(&operator, id(&ada), Authority::Security).unwrap();
        let refused = roster.unlock(&operator, id(&ada), Authority::Admin);
        assert!(matches!(&refused, Err(RosterError::InUse(why)) if why.contains("no seat")), "{refused:?}");
        assert_eq!(lifecycle(&local, &ada)["locks"], json!(["admin"]));
        let _ = local.delete(&format!("/Users/{bob}")).expect(204);
        assert_eq!(used(&local, &pool), 0);
        roster.unlock(&operator, id(&ada), Authority::Admin).unwrap();
        assert_eq!((used(&local, &pool), is_active(&local, &ada)), (1, true));
    });
}

#[test]
fn h17_who_waits_for_a_seat_is_locked_until_there_is_one() {
    on_every_store(|app| {
        let local = local(&app);
        let pool = pool(&local, "Office", 1, "lock");
        let ada = local.post("/Users", &licensed("ada", &pool)).expect(201).id();
        let bob = local.post("/Users", &licensed("bob", &pool)).expect(201).id();
        assert_eq!(lifecycle(&local, &bob)["locks"], json!(["license"]));
        let (roster, operator) = (app.roster(), operator(&app));
        // Whoever waits can be changed, also when the pool refuses others from now on.
        let _ = local.patch(&format!("/LicensePools/{pool}"), &replace("whenFull", "reject")).expect(200);
        let _ = local.patch(&format!("/Users/{bob}"), &replace("title", "Analyst")).expect(200);
        roster.unlock(&operator, id(&bob), Authority::License).unwrap();
        assert_eq!(lifecycle(&local, &bob)["locks"], json!(["license"]));
        roster.lock(&operator, id(&ada), Authority::Admin, None).unwrap();
        roster.unlock(&operator, id(&bob), Authority::License).unwrap();
        assert_eq!((used(&local, &pool), is_active(&local, &bob)), (1, true));
    });
}

#[test]
fn t11_nobody_locks_themselves_and_only_two_authorities_are_at_hand() {
    let app = TestApp::start();
    let ada = id(&app.post("/Users", &user("ada")).expect(201).id());
    let refused = refuse_oneself(Some(ada), ada, "lock").unwrap_err().to_string();
    assert_eq!(refused, "nobody can lock themselves; ask another administrator");
    refuse_oneself(None, ada, "lock").unwrap();
    let (roster, operator) = (app.roster(), operator(&app));
    for authority in [Authority::Idp, Authority::Schedule, Authority::License] {
        let refused = roster.lock(&operator, ada, authority, None).unwrap_err().to_string();
        assert!(refused.starts_with("authority: expected admin or security, found"), "{refused}");
    }
    let long = "x".repeat(REASON_CHARACTERS_MAX + 1);
    for wrong in [long.as_str(), "", "two\nlines"] {
        let refused = roster.lock(&operator, ada, Authority::Admin, Some(wrong)).unwrap_err().to_string();
        assert!(refused.starts_with("reason: expected one line of 1 to 500 characters"), "{refused}");
    }
    assert!(is_active(&app, &ada.to_string()));
}
