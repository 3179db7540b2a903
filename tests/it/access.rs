//! What people may do, asked over HTTP in the AuthZEN form, with user types, cost centres, groups and licences as they are stored.

use std::sync::Arc;

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::net::SystemResolver;
use rosterd::psa::catalogue::Level;
use rosterd::psa::policy::{GroupMap, GroupName, MappedGrant, Policies, Policy};
use serde_json::{Value, json};

use crate::support::bodies::{add_members, group, replace, user};
use crate::support::{Client, Engine, Request, TestApp, on_every_store};

const PSA: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
const FLAT: &str = "urn:ietf:params:scim:schemas:extension:psa:2.0:User";

/// An administrator's program, who may everything but administer.
fn local(app: &TestApp) -> Client {
    let scopes = [
        "users:read",
        "users:write",
        "groups:read",
        "groups:write",
        "kinds:read",
        "kinds:write",
        "financials",
    ];
    app.issue(FIRST_TENANT, "local", &scopes).0
}

fn make(client: &Client, path: &str, body: Value) -> String {
    client.post(path, &body).expect(201).id()
}

fn named(name: &str, more: Value) -> Value {
    let mut body = json!({ "schemas": [], "displayName": name });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

fn grants(all: &[(&str, &str)]) -> Value {
    let grant = |(permission, level): &(&str, &str)| json!({ "permission": permission, "level": level });
    json!({ "grants": all.iter().map(grant).collect::<Vec<_>>() })
}

fn with_psa(name: &str, psa: Value) -> Value {
    let mut body = user(name);
    body[PSA] = psa;
    body
}

fn ask(client: &Client, who: &str, action: &str, properties: Value) -> (bool, String) {
    let question = json!({
        "subject": { "type": "user", "id": who },
        "action": { "name": action },
        "resource": { "type": "thing", "id": "1", "properties": properties },
    });
    let request = Request::new("POST", "/access/v1/evaluation").json(&question);
    let answer = client.send(&request).expect(200).json();
    (answer["decision"].as_bool().unwrap(), answer["context"]["reason"].as_str().unwrap().to_owned())
}

fn may(client: &Client, who: &str, action: &str, properties: Value) -> bool {
    ask(client, who, action, properties).0
}

// Rows: P14, P15.
#[test]
fn p17_user_types_add_up_and_hold_at_their_cost_centre_and_below() {
    on_every_store(|app| {
        let local = local(&app);
        let top = make(&local, "/CostCenters", named("Nordics", json!({})));
        let below = make(&local, "/CostCenters", named("Helsinki", json!({ "parent": { "value": top } })));
        let beside = make(&local, "/CostCenters", named("Iberia", json!({})));
        let basic = make(&local, "/UserTypes", named("Basic", grants(&[("users.view", "own")])));
        let leads = make(&local, "/UserTypes", named("Leads", grants(&[("users.view", "all")])));
        let types = json!([{ "value": basic, "primary": true }, { "value": leads, "costCenter": top }]);
        let ada = make(&local, "/Users", with_psa("ada", json!({ "userTypes": types })));
        let at = |place: &str| json!({ "costCenter": place });
        assert!(may(&local, &ada, "users.view", at(&top)));
        assert!(may(&local, &ada, "users.view", at(&below)));
        assert!(!may(&local, &ada, "users.view", at(&beside)));
        assert!(!may(&local, &ada, "users.view", json!({})));
        assert!(may(&local, &ada, "users.view", json!({ "relation": "own" })));
        // A new cost centre below is seen at once.
        let third = make(&local, "/CostCenters", named("Espoo", json!({ "parent": { "value": below } })));
        assert!(may(&local, &ada, "users.view", at(&third)));
        // Moved away, it is another's.
        let _ = local
            .patch(&format!("/CostCenters/{third}"), &replace("parent.value", beside.as_str()))
            .expect(200);
        assert!(!may(&local, &ada, "users.view", at(&third)));
    });
}

#[test]
fn p16_an_override_gives_and_takes_one_permission_of_one_person() {
    on_every_store(|app| {
        let local = local(&app);
        let basic = make(&local, "/UserTypes", named("Basic", grants(&[("users.view", "all")])));
        let psa = json!({
            "userTypes": [{ "value": basic }],
            "overrides": [{ "permission": "users.view", "effect": "deny" }, { "permission": "rates.view", "effect": "grant" }],
        });
        let ada = make(&local, "/Users", with_psa("ada", psa));
        let eve = make(&local, "/Users", with_psa("eve", json!({ "userTypes": [{ "value": basic }] })));
        assert!(!may(&local, &ada, "users.view", json!({})) && may(&local, &eve, "users.view", json!({})));
        assert!(may(&local, &ada, "rates.view", json!({})) && !may(&local, &eve, "rates.view", json!({})));
    });
}

#[test]
fn who_is_locked_may_nothing_and_what_is_not_known_is_refused() {
    on_every_store(|app| {
        let local = local(&app);
        let basic = make(&local, "/UserTypes", named("Basic", grants(&[("users.view", "all")])));
        let ada = make(&local, "/Users", with_psa("ada", json!({ "userTypes": [{ "value": basic }] })));
        assert!(may(&local, &ada, "users.view", json!({})));
        let _ = local.patch(&format!("/Users/{ada}"), &replace("active", false)).expect(200);
        assert_eq!(ask(&local, &ada, "users.view", json!({})), (false, "the person is locked".to_owned()));
        let _ = local.patch(&format!("/Users/{ada}"), &replace("active", true)).expect(200);
        assert!(may(&local, &ada, "users.view", json!({})));
        assert!(!may(&local, &ada, "users.fly", json!({})));
        assert!(!may(&local, &basic, "users.view", json!({})));
        assert!(!may(&local, "nobody", "users.view", json!({})));
        let unfit = json!({ "subject": { "type": "user", "id": ada }, "action": { "name": "users.view" } });
        let request = Request::new("POST", "/access/v1/evaluation").json(&unfit);
        assert!(local.send(&request).expect(400).text().contains("resource is required"));
        // A token of an identity provider asks nothing.
        assert_eq!(app.send(&request).status, 403);
    });
}

#[test]
fn several_questions_are_answered_in_their_order() {
    on_every_store(|app| {
        let local = local(&app);
        let basic = make(&local, "/UserTypes", named("Basic", grants(&[("users.view", "all")])));
        let ada = make(&local, "/Users", with_psa("ada", json!({ "userTypes": [{ "value": basic }] })));
        let asked = |semantic: &str| {
            let body = json!({
                "subject": { "type": "user", "id": ada },
                "resource": { "type": "thing", "id": "1" },
                "evaluations": [{ "action": { "name": "users.view" } }, { "action": { "name": "users.lock" } }, { "action": { "name": "users.view" } }],
                "options": { "evaluations_semantic": semantic },
            });
            let answer =
                local.send(&Request::new("POST", "/access/v1/evaluations").json(&body)).expect(200).json();
            let all = answer["evaluations"].as_array().unwrap().clone();
            all.iter().map(|one| one["decision"].as_bool().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(asked("execute_all"), [true, false, true]);
        assert_eq!(asked("deny_on_first_deny"), [true, false]);
        assert_eq!(asked("permit_on_first_permit"), [true]);
    });
}

fn mapped(display: &str, permission: &str) -> GroupMap {
    let grant = MappedGrant { permission: permission.to_owned(), level: Level::All, cost_center: None };
    GroupMap {
        connection: "idp".to_owned(),
        group: GroupName::Display(display.to_owned()),
        grants: vec![grant],
        ..GroupMap::default()
    }
}

fn decide(app: &TestApp, maps: Vec<GroupMap>) {
    let policy = Policy { group_maps: maps, ..Policy::default() };
    app.roster().set_policies(Policies::new(policy, [])).unwrap();
}

#[test]
fn a04_mapped_groups_add_up() {
    on_every_store(|app| {
        decide(&app, vec![mapped("Planners", "groups.view"), mapped("Clerks", "users.view")]);
        let local = local(&app);
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        assert!(!may(&local, &ada, "users.view", json!({})));
        for name in ["planners", "Clerks"] {
            let _ = app.post("/Groups", &group(name, &[&ada])).expect(201);
        }
        assert!(may(&local, &ada, "users.view", json!({})) && may(&local, &ada, "groups.view", json!({})));
        assert!(!may(&local, &ada, "users.update", json!({})));
    });
}

#[test]
fn x20_a_privileged_group_is_closed_to_identity_providers() {
    on_every_store(|app| {
        let crowd = app.post("/Groups", &group("Crowd", &[])).expect(201).id();
        let bosses = app.post("/Groups", &group("Bosses", &[])).expect(201).id();
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        decide(&app, vec![mapped("Admins", "users.update"), mapped("Bosses", "permissions.update")]);
        let before = app.get(&format!("/Groups/{bosses}")).expect(200).json();
        // Not made, not renamed into, not filled, not removed; nor put as a whole.
        assert_eq!(app.post("/Groups", &group("ADMINS", &[&ada])).status, 403);
        assert_eq!(app.patch(&format!("/Groups/{crowd}"), &replace("displayName", "admins")).status, 403);
        assert_eq!(app.patch(&format!("/Groups/{bosses}"), &add_members(&[&ada])).status, 403);
        assert_eq!(app.put(&format!("/Groups/{bosses}"), &group("Bosses", &[&ada])).status, 403);
        assert_eq!(app.delete(&format!("/Groups/{bosses}")).status, 403);
        assert_eq!(app.get(&format!("/Groups/{bosses}")).expect(200).json(), before);
        assert_eq!(app.get(&format!("/Groups/{crowd}")).expect(200).json()["displayName"], "Crowd");
        // The operator may open it.
        let open = GroupMap { provisioned: true, ..mapped("Bosses", "permissions.update") };
        decide(&app, vec![open]);
        let _ = app.patch(&format!("/Groups/{bosses}"), &add_members(&[&ada])).expect(204);
        assert!(may(&local(&app), &ada, "permissions.update", json!({})));
    });
}

#[test]
fn x20_a_privileged_user_type_is_not_given_by_the_flat_extension() {
    on_every_store(|app| {
        let local = local(&app);
        make(&local, "/UserTypes", named("Admin", grants(&[("users.update", "all")])));
        make(&local, "/UserTypes", named("Basic", grants(&[("users.view", "own")])));
        let mut body = user("ada");
        body[FLAT] = json!({ "primaryUserType": "Admin" });
        let ada = app.post("/Users", &body).expect(201).id();
        assert!(!may(&local, &ada, "users.update", json!({})));
        assert_eq!(local.get(&format!("/Users/{ada}")).expect(200).json()[PSA]["userTypes"], Value::Null);
        let _ = app
            .patch(&format!("/Users/{ada}"), &replace(&format!("{FLAT}:primaryUserType"), "basic"))
            .expect(200);
        assert!(may(&local, &ada, "users.view", json!({ "relation": "own" })));
    });
}

#[test]
fn x21_a_group_of_another_connection_that_is_called_the_same_gives_nothing() {
    on_every_store(|app| {
        decide(&app, vec![mapped("Clerks", "users.view")]);
        let other = app.connection(FIRST_TENANT, "entra", "auto");
        let eve = other.post("/Users", &user("eve")).expect(201).id();
        let _ = other.post("/Groups", &group("Clerks", &[&eve])).expect(201);
        assert!(!may(&local(&app), &eve, "users.view", json!({})));
    });
}

/// Gives one person each of the bundles of a preset and compares what they may with a table.
fn preset(name: &str, table: &[(&str, &str, &str, bool)]) {
    for engine in Engine::ALL {
        let app = TestApp::with(engine, &[("permissions.preset", name)], Arc::new(SystemResolver));
        let local = local(&app);
        for (bundle, permission, relation, expected) in table {
            let label = format!("{bundle} {permission} {relation}");
            let role = make(&local, "/UserTypes", named(&label, json!({ "role": bundle })));
            let who = make(&local, "/Users", with_psa(&label, json!({ "userTypes": [{ "value": role }] })));
            assert_eq!(may(&local, &who, permission, json!({ "relation": relation })), *expected, "{label}");
        }
    }
}

// Rows: O01, O02, O03, O04, O05, O06.
#[test]
fn o07_the_levels_of_psohub_hold_over_http() {
    preset(
        "psohub",
        &[
            ("team-member", "hours.update", "own", true),
            ("team-member", "hours.view", "assigned", false),
            ("team-member", "projects.view", "assigned", false),
            ("team-member-plus", "projects.view", "assigned", true),
            ("team-member-plus", "projects.view", "other", false),
            ("project-manager", "hours.update", "assigned", true),
            ("controller", "projects.archived", "other", true),
            ("controller", "settings.update", "other", false),
            ("admin", "settings.update", "other", true),
            ("guest", "projects.view", "assigned", true),
            ("guest", "projects.view", "other", false),
        ],
    );
}

#[test]
fn t01_the_roles_of_users_and_team_hold_over_http() {
    preset(
        "users-and-team",
        &[
            ("admin", "users.update", "other", true),
            ("technician", "tickets.view", "other", true),
            ("technician", "users.update", "other", false),
            ("viewer", "tickets.view", "other", true),
            ("viewer", "tickets.update", "other", false),
        ],
    );
}

#[test]
fn h03_the_permission_groups_of_heeros_hold_over_http() {
    preset(
        "heeros",
        &[
            ("basic", "hours.update", "own", true),
            ("basic", "hours.approve", "assigned", false),
            ("supervisor", "hours.approve", "assigned", true),
            ("administrator", "users.update", "other", true),
        ],
    );
}

#[test]
fn p12_people_of_a_client_never_reach_the_management_portal() {
    for engine in Engine::ALL {
        let app = TestApp::with(engine, &[("permissions.preset", "projector")], Arc::new(SystemResolver));
        let local = local(&app);
        let client = make(&local, "/Clients", named("Customer", json!({})));
        let role = make(&local, "/UserTypes", named("Boss", json!({ "role": "system-administrator" })));
        let types = json!([{ "value": role }]);
        let of_client = json!({ "kind": "client", "client": { "value": client }, "userTypes": types });
        let theirs = make(&local, "/Users", with_psa("theirs", of_client));
        let ours = make(&local, "/Users", with_psa("ours", json!({ "userTypes": types })));
        assert!(may(&local, &ours, "management.use", json!({})));
        assert!(!may(&local, &theirs, "management.use", json!({})));
        assert!(may(&local, &theirs, "projects.view", json!({ "relation": "assigned" })));
    }
}

// Rows: A02.
#[test]
fn a01_the_licence_bounds_what_everything_else_may_add() {
    for engine in Engine::ALL {
        let app = TestApp::with(engine, &[("permissions.preset", "accelo")], Arc::new(SystemResolver));
        let local = local(&app);
        let pool =
            |class: &str| make(&local, "/LicensePools", named(class, json!({ "class": class, "seats": 5 })));
        let (administrator, professional) = (pool("administrator"), pool("professional"));
        let all = make(&local, "/UserTypes", named("All", grants(&[("permissions.update", "all")])));
        let with = |name: &str, pool: &str| {
            let psa = json!({ "license": { "value": pool }, "userTypes": [{ "value": all }] });
            make(&local, "/Users", with_psa(name, psa))
        };
        let (boss, pro) = (with("boss", &administrator), with("pro", &professional));
        assert!(may(&local, &boss, "permissions.update", json!({})));
        assert!(!may(&local, &pro, "permissions.update", json!({})));
        assert!(
            may(&local, &boss, "staff.cost-rates", json!({})) || may(&local, &boss, "rates.view", json!({}))
        );
        assert!(!may(&local, &pro, "rates.view", json!({})));
    }
}

#[test]
fn x13_the_last_administrator_by_a_user_type_is_neither_locked_nor_demoted_nor_removed() {
    on_every_store(|app| {
        let local = local(&app);
        let boss = make(&local, "/UserTypes", named("Boss", grants(&[("users.update", "all")])));
        let types = json!({ "userTypes": [{ "value": boss }] });
        let ada = make(&local, "/Users", with_psa("ada", types.clone()));
        let path = format!("/Users/{ada}");
        let strip = json!({ "op": "remove", "path": format!("{PSA}:userTypes") });
        let demote = crate::support::bodies::patch(&[strip]);
        let refused = |answer: crate::support::Answer| assert_eq!(answer.status, 409, "{}", answer.text());
        refused(local.patch(&path, &replace("active", false)));
        refused(local.patch(&path, &demote));
        refused(local.delete(&path));
        assert!(may(&local, &ada, "users.update", json!({})));
        let eve = make(&local, "/Users", with_psa("eve", types));
        let _ = local.patch(&path, &demote).expect(200);
        refused(local.delete(&format!("/Users/{eve}")));
    });
}

#[test]
fn p16_what_the_catalogue_does_not_know_is_not_granted() {
    on_every_store(|app| {
        let local = local(&app);
        let unknown = named("Odd", grants(&[("users.fly", "all")]));
        assert!(local.post("/UserTypes", &unknown).refused(400, Some("invalidValue")).contains("users.fly"));
        let psa = json!({ "overrides": [{ "permission": "users.fly", "effect": "grant" }] });
        assert!(
            local
                .post("/Users", &with_psa("ada", psa))
                .refused(400, Some("invalidValue"))
                .contains("users.fly")
        );
    });
}
