//! X13, S196, P08: nobody locks out the last administrator or the owner, whichever way they come.

use rosterd::psa::locks::Authority;
use rosterd::roster::{Look, RosterError};
use serde_json::{Value, json};

use super::{PSA, administrator, at_once, decide, id, is_active, local, operator};
use crate::support::bodies::{USER, patch, replace, user};
use crate::support::world::{history, said};
use crate::support::{TestApp, on_every_store};
use rosterd::ids::TenantId;
use rosterd::psa::policy::{Deprovision, Policy};

fn in_use(result: Result<(), RosterError>) -> String {
    match result {
        Err(RosterError::InUse(why)) => why,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

/// Every way over HTTP by which somebody could be locked out.
fn by_every_verb(app: &TestApp, person: &str, name: &str) -> Vec<String> {
    let path = format!("/Users/{person}");
    let mut body = json!({ "schemas": [USER], "userName": name, "active": false });
    body["emails"] = json!([]);
    let refusals = vec![
        app.delete(&path).refused(409, None),
        app.patch(&path, &replace("active", false)).refused(409, None),
        app.patch(&path, &patch(&[json!({ "op": "Replace", "value": { "active": "False" } })]))
            .refused(409, None),
        app.put(&path, &body).refused(409, None),
    ];
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            { "method": "DELETE", "path": path },
            { "method": "PATCH", "path": path, "data": replace("active", false) },
            { "method": "PUT", "path": path, "data": body },
        ],
    });
    for operation in app.post("/Bulk", &bulk).expect(200).json()["Operations"].as_array().unwrap() {
        assert_eq!(operation["status"], "409", "{operation}");
    }
    refusals
}

// Rows: X13, S196.
#[test]
fn x13_s196_no_provider_locks_or_removes_the_owner_or_the_last_administrator() {
    on_every_store(|app| {
        app.adopt();
        let owner = administrator(&app, "owner@acme.test");
        for refusal in by_every_verb(&app, &owner, "owner@acme.test") {
            assert!(refusal.starts_with("the owner of the account cannot be"), "{refusal}");
        }
        let second = administrator(&app, "second@acme.test");
        app.roster().transfer(&operator(&app), id(&second)).unwrap();
        // The first one is an administrator like others now, and there is another.
        let _ = app.patch(&format!("/Users/{owner}"), &replace("active", false)).expect(200);
        for refusal in by_every_verb(&app, &second, "second@acme.test") {
            assert!(refusal.starts_with("the owner of the account cannot be"), "{refusal}");
        }
        assert!(is_active(&app, &second));
    });
}

#[test]
fn x13_p08_the_owner_is_neither_demoted_nor_locked_and_nobody_locked_becomes_one() {
    on_every_store(|app| {
        app.adopt();
        let (roster, operator) = (app.roster(), operator(&app));
        let owner = administrator(&app, "owner@acme.test");
        let last = administrator(&app, "last@acme.test");
        let other = app.post("/Users", &user("other")).expect(201).id();
        roster.make_administrator(&operator, id(&other)).unwrap();
        roster.transfer(&operator, id(&other)).unwrap();
        roster.unmake_administrator(&operator, id(&owner)).unwrap();
        assert!(in_use(roster.unmake_administrator(&operator, id(&other))).contains("the owner"));
        roster.lock(&operator, id(&last), Authority::Admin, None).unwrap();
        assert!(in_use(roster.lock(&operator, id(&other), Authority::Security, None)).contains("owner"));
        assert!(in_use(roster.transfer(&operator, id(&last))).contains("not locked"), "P08");
        assert_eq!(roster.administrators(&operator).unwrap().len(), 2);
        assert!(is_active(&app, &other));
    });
}

#[test]
fn x13_an_administrator_without_an_owner_beside_them_is_kept_by_being_the_last() {
    on_every_store(|app| {
        app.adopt();
        let (roster, operator) = (app.roster(), operator(&app));
        // Made without the command line, so that nobody owns the account.
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let bob = app.post("/Users", &user("bob")).expect(201).id();
        for one in [&ada, &bob] {
            roster.make_administrator(&operator, id(one)).unwrap();
        }
        assert_eq!(roster.owner(&operator).unwrap(), None);
        let _ = app.patch(&format!("/Users/{ada}"), &replace("active", false)).expect(200);
        for refusal in by_every_verb(&app, &bob, "bob") {
            assert!(refusal.starts_with("the last administrator cannot be"), "{refusal}");
        }
        assert!(
            in_use(roster.lock(&operator, id(&bob), Authority::Admin, None))
                .contains("the last administrator")
        );
        assert!(in_use(roster.unmake_administrator(&operator, id(&bob))).contains("demoted"));
        for deprovision in [Deprovision::Lock, Deprovision::Delete] {
            decide(&app, Policy { deprovision, ..Policy::default() });
            app.delete(&format!("/Users/{bob}")).refused(409, None);
        }
        let _ = app.patch(&format!("/Users/{ada}"), &replace("active", true)).expect(200);
        let _ = app.delete(&format!("/Users/{bob}")).expect(204);
        assert_eq!(roster.administrators(&operator).unwrap(), [id(&ada)]);
    });
}

#[test]
fn x13_of_two_administrators_who_are_removed_at_once_one_stays() {
    for round in 0..6 {
        on_every_store(|app| {
            let both = ["ada", "bob"].map(|name| app.post("/Users", &user(name)).expect(201).id());
            for one in &both {
                app.roster().make_administrator(&operator(&app), id(one)).unwrap();
            }
            let [ada, bob] = both.each_ref().map(|id| format!("/Users/{id}"));
            let statuses = at_once(2, |number| match (number, round % 3) {
                (0, _) => app.delete(&ada).status,
                (_, 0) => app.delete(&bob).status,
                (_, 1) => app.patch(&bob, &replace("active", false)).status,
                _ => match app.roster().unmake_administrator(&operator(&app), id(&both[1])) {
                    Ok(()) => 204,
                    Err(_) => 409,
                },
            });
            assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 1, "{statuses:?}");
            let left = app.roster().administrators(&operator(&app)).unwrap();
            assert!(left.iter().any(|left| is_active(&app, &left.to_string())), "{left:?}");
        });
    }
}

#[test]
fn x13_no_schedule_locks_the_owner_and_the_history_says_so() {
    on_every_store(|app| {
        let local = local(&app);
        let owner = administrator(&app, "owner@acme.test");
        let path = format!("/Users/{owner}");
        let schedule = json!({ "deactivateOn": "2026-03-03" });
        let operation = json!({ "op": "add", "value": { PSA: { "schedule": schedule } } });
        let _ = local.patch(&path, &patch(&[operation])).expect(200);
        app.clock().advance(3 * 24 * 60 * 60);
        let looked = app.roster().look_at_schedules(Look::Now, &|| true).unwrap();
        assert_eq!((looked.changed, looked.failed), (1, 0));
        assert!(is_active(&local, &owner));
        let rows = said(&history(app.roster(), TenantId::new(1)));
        let notes = &rows.last().unwrap().0.notes;
        assert!(notes.iter().any(|note| note.contains("the schedule did not lock the person")), "{notes:?}");
        // It is not looked at again and again.
        let looked = app.roster().look_at_schedules(Look::Now, &|| true).unwrap();
        assert_eq!(looked.changed, 0);
    });
}

#[test]
fn p08_there_is_one_owner_who_changes_by_a_transfer_only() {
    on_every_store(|app| {
        let local = local(&app);
        let (roster, operator) = (app.roster(), operator(&app));
        let first = administrator(&app, "first@acme.test");
        let second = administrator(&app, "second@acme.test");
        let third = app.post("/Users", &user("third")).expect(201).id();
        let owns = |person: &str| -> Value {
            local.get(&format!("/Users/{person}")).expect(200).json()[PSA]["accountOwner"].clone()
        };
        assert_eq!((owns(&first), owns(&second)), (json!(true), json!(false)));
        assert!(in_use(roster.transfer(&operator, id(&third))).contains("administrator"));
        roster.transfer(&operator, id(&second)).unwrap();
        assert_eq!((owns(&first), owns(&second)), (json!(false), json!(true)));
        assert_eq!(roster.owner(&operator).unwrap(), Some(id(&second)));
        // Read-only: who writes it changes nothing.
        let operation = json!({ "op": "replace", "path": format!("{PSA}:accountOwner"), "value": true });
        let answer = local.patch(&format!("/Users/{first}"), &patch(&[operation]));
        assert!(matches!(answer.status, 200 | 204 | 400), "{}", answer.status);
        assert_eq!((owns(&first), owns(&second)), (json!(false), json!(true)));
    });
}
