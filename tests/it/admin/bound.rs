//! Tokens that act as a person: they are that person in the history, and open nothing when that person may not come in.

use rosterd::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT};
use rosterd::ids::ResourceId;
use rosterd::roster::{Command, RosterError};
use rosterd::store::Actor;
use serde_json::json;

use super::support::{Admin, problem};
use crate::support::bodies::{replace, user};
use crate::support::world::{history, said};
use crate::support::{TestApp, on_every_store};

#[test]
fn a_token_that_acts_as_a_person_is_named_with_them_in_the_history() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let operator = app.roster().operator(FIRST_TENANT, app.roster().request_id()).unwrap();
        app.roster().make_administrator(&operator, ResourceId::parse(&ada).unwrap()).unwrap();
        // By userName, whatever its case, and by id.
        let by_name = Admin::bound(&app, FIRST_TENANT, &["users:read", "users:write"], Some("ADA"));
        let _by_id = Admin::bound(&app, FIRST_TENANT, &["users:read"], Some(&ada));
        let _ = app.with(by_name.0.token()).post("/Users", &user("eve")).expect(201);
        let rows = said(&history(app.roster(), rosterd::ids::TenantId::new(1)));
        let (facts, _) = rows.last().unwrap();
        assert!(
            matches!(facts.who, Actor::Bound { person, .. } if person.to_string() == ada),
            "{:?}",
            facts.who
        );
        let auditor = Admin::of(&app, &["audit"]);
        let entry = auditor.get("/audit?action=create").expect(200).json()["items"][1].clone();
        assert_eq!((&entry["who"]["kind"], &entry["who"]["person"]), (&json!("token"), &json!(ada)));
        let admin = Admin::of(&app, &["admin"]);
        let bound = admin.all("/tokens", 200).into_iter().filter(|token| token["person"] == ada).count();
        assert_eq!(bound, 2);
    });
}

// Rows: S143.
#[test]
fn x3_the_token_of_somebody_who_is_locked_or_deleted_is_dead_at_once() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let bound = Admin::bound(&app, FIRST_TENANT, &["users:read"], Some(&ada));
        let client = app.with(bound.0.token());
        let _ = client.get("/Users").expect(200);
        let path = format!("/Users/{ada}");
        let _ = app.patch(&path, &replace("active", false)).expect(200);
        client.get("/Users").refused(401, None);
        problem(&bound.get("/connections"), 401);
        let _ = app.patch(&path, &replace("active", true)).expect(200);
        let _ = client.get("/Users").expect(200);
        assert_eq!(app.delete(&path).status, 204);
        client.get("/Users").refused(401, None);
        // Another of the same name is somebody else.
        let _ = app.post("/Users", &user("ada")).expect(201);
        client.get("/Users").refused(401, None);
    });
}

#[test]
fn until_people_have_permissions_a_token_that_acts_as_one_is_refused_with_a_sentence() {
    let app = TestApp::start();
    let _ = app.post("/Users", &user("ada")).expect(201);
    let bound = Admin::bound(&app, FIRST_TENANT, &["admin", "audit"], Some("ada"));
    for path in ["/connections", "/audit", "/openapi.json"] {
        assert!(problem(&bound.get(path), 403).contains("acts as a person"));
    }
}

#[test]
fn only_somebody_who_is_there_and_active_gets_a_token_and_only_of_the_built_in_connection() {
    let app = TestApp::start();
    let mut body = user("eve");
    body["active"] = false.into();
    let _ = app.post("/Users", &body).expect(201);
    let _ = app.post("/Users", &user("ada")).expect(201);
    let make = |connection: &str, person: &str| {
        let roster = app.roster();
        let command = Command::TokenCreate {
            tenant: FIRST_TENANT.to_owned(),
            connection: connection.to_owned(),
            scopes: vec!["admin".to_owned()],
            days: Some(1),
            secret: None,
            person: Some(person.to_owned()),
        };
        roster.operate(command, roster.request_id()).map(drop)
    };
    assert!(matches!(make("local", "nobody"), Err(RosterError::Unknown(_))));
    assert!(matches!(make("local", "0192f0c1-2b3c-7def-8123-456789abcdef"), Err(RosterError::Unknown(_))));
    assert!(matches!(make("local", "eve"), Err(RosterError::Unfit(says)) if says.contains("not active")));
    assert!(matches!(make(FIRST_CONNECTION, "ada"), Err(RosterError::Unfit(says)) if says.contains("local")));
    // Two each: one in use, and one to rotate to.
    make("local", "ada").unwrap();
    make("local", "ada").unwrap();
    assert!(matches!(make("local", "ada"), Err(RosterError::Unfit(says)) if says.contains("token revoke")));
}
