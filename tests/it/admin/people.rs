//! People as administrators see them, and what they do with them beyond SCIM.

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::roster::{Command, Reply};
use serde_json::{Value, json};

use super::support::{Admin, problem};
use crate::support::bodies::{USER, group, replace, user};
use crate::support::{Request, TestApp, on_every_store};

const PSA: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const ALL: [&str; 6] = ["admin", "users:read", "users:write", "groups:write", "kinds:read", "kinds:write"];

/// Adds a person as an administrator does, and returns their id.
pub(super) fn add(admin: &Admin, first: &str, last: &str, more: &Value) -> String {
    let mut body = json!({ "givenName": first, "familyName": last, "email": format!("{first}@acme.test") });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    admin.post("/users", &body).expect(201).json()["id"].as_str().unwrap().to_owned()
}

fn names(admin: &Admin, query: &str) -> Vec<String> {
    let all = admin.all(&format!("/users{query}"), 3);
    all.iter().map(|person| person["userName"].as_str().unwrap().to_owned()).collect()
}

fn administrator(app: &TestApp, name: &str) -> String {
    let (tenant, user_name) = (FIRST_TENANT.to_owned(), name.to_owned());
    let reply = app.operate(Command::AdminCreate { tenant, user_name, display_name: None });
    let Reply::Administrator { person, .. } = reply else { panic!("{reply:?}") };
    person.to_string()
}

fn kind(app: &TestApp, admin: &Admin, endpoint: &str, body: &Value) -> String {
    app.with(admin.0.token()).post(endpoint, body).expect(201).id()
}

pub(super) fn user_type(app: &TestApp, admin: &Admin, name: &str, permissions: &[&str]) -> String {
    let grants: Vec<Value> =
        permissions.iter().map(|key| json!({ "permission": key, "level": "all" })).collect();
    let schema = "urn:rosterd:scim:schemas:core:1.0:UserType";
    let body = json!({ "schemas": [schema], "displayName": name, "grants": grants });
    kind(app, admin, "/UserTypes", &body)
}

fn pool(app: &TestApp, admin: &Admin, name: &str, seats: u64) -> String {
    let schema = "urn:rosterd:scim:schemas:core:1.0:LicensePool";
    let body = json!({ "schemas": [schema], "displayName": name, "seats": seats, "whenFull": "reject" });
    kind(app, admin, "/LicensePools", &body)
}

#[test]
fn p01_any_part_of_a_name_or_number_finds_a_person_and_a_bar_separates_searches() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let _ = add(&admin, "Ada", "Lovelace", &json!({ "employeeNumber": "E-1815" }));
        let _ = add(&admin, "Grace", "Hopper", &json!({ "displayName": "Amazing Grace" }));
        let _ = add(&admin, "Alan", "Turing", &json!({}));
        let mut body = user("Straße");
        body[ENTERPRISE] = json!({ "employeeNumber": "X77" });
        let _ = app.post("/Users", &body).expect(201);
        for (search, found) in [
            ("love", vec!["Ada@acme.test"]),
            ("1815", vec!["Ada@acme.test"]),
            ("AMAZING", vec!["Grace@acme.test"]),
            ("hopp%7Clove", vec!["Ada@acme.test", "Grace@acme.test"]),
            ("%7C%20turi%20%7C", vec!["Alan@acme.test"]),
            ("sTRA", vec!["Straße"]),
            ("x77", vec!["Straße"]),
            ("nobody", vec![]),
        ] {
            assert_eq!(names(&admin, &format!("?search={search}")), found, "{search}");
        }
        assert_eq!(names(&admin, "").len(), 4);
        let many = ["a"; 17].join("%7C");
        assert!(problem(&admin.get(&format!("/users?search={many}")), 400).contains("at most 16"));
        problem(&admin.get("/users?after=x"), 400);
        problem(&admin.get("/users?state=gone"), 400);
        problem(&Admin::of(&app, &["admin"]).get("/users"), 403);
    });
}

#[test]
fn p02_who_is_locked_or_acts_for_others_is_shown_where_that_is_asked_for() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let ada = add(&admin, "Ada", "L", &json!({}));
        let proxies = json!({ "proxies": [{ "value": ada }] });
        let _ = add(&admin, "Bob", "B", &json!({ "psa": proxies }));
        let eve = add(&admin, "Eve", "E", &json!({}));
        let _ = admin.send("PUT", &format!("/users/{eve}/lock"), Some(&json!({}))).expect(204);
        assert_eq!(names(&admin, ""), ["Ada@acme.test", "Bob@acme.test"]);
        assert_eq!(names(&admin, "?inactive=true").len(), 3);
        assert_eq!(names(&admin, "?proxies=true"), ["Ada@acme.test"]);
        assert_eq!(names(&admin, "?state=locked"), ["Eve@acme.test"]);
    });
}

#[test]
fn h15_t11_who_is_locked_is_marked_listed_and_let_in_again_and_nobody_locks_themselves() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let boss = administrator(&app, "boss@acme.test");
        let second = administrator(&app, "second@acme.test");
        let ada = add(&admin, "Ada", "L", &json!({}));
        let lock = format!("/users/{ada}/lock");
        let body = json!({ "reason": "left the firm" });
        let _ = admin.send("PUT", &lock, Some(&body)).expect(204);
        let locked = admin.get("/users/locked").expect(200).json();
        assert_eq!(locked["items"][0]["nameMark"], "(locked)");
        assert_eq!((&locked["items"][0]["id"], &locked["next"]), (&json!(ada), &Value::Null));
        let card = admin.get(&format!("/users/{ada}")).expect(200).json();
        assert_eq!(card["locks"][0]["reason"], "left the firm");
        assert_eq!(card["locks"][0]["authority"], "admin");
        let _ = admin.send("DELETE", &lock, None).expect(204);
        let card = admin.get(&format!("/users/{ada}")).expect(200).json();
        assert_eq!((&card["person"]["state"], &card["person"]["nameMark"]), (&json!("active"), &Value::Null));
        assert!(
            problem(&admin.send("PUT", &lock, Some(&json!({ "authority": "idp" }))), 409)
                .contains("identity provider")
        );
        problem(&admin.send("PUT", &lock, Some(&json!({ "authority": "x" }))), 400);
        let bound = Admin::bound(&app, FIRST_TENANT, &ALL, Some(&second));
        let own = format!("/users/{second}/lock");
        assert!(problem(&bound.send("PUT", &own, Some(&json!({}))), 409).contains("themselves"), "T11");
        problem(&bound.send("DELETE", &own, None), 409);
        // By SCIM as well.
        let path = format!("/Users/{second}");
        app.with(bound.0.token()).patch(&path, &replace("active", false)).refused(409, None);
        let _ = bound.send("PUT", &lock, Some(&json!({}))).expect(204);
        problem(&admin.send("PUT", &format!("/users/{boss}/lock"), Some(&json!({}))), 409);
    });
}

#[test]
fn h09_t06_the_card_says_who_made_and_changed_the_person_and_when_they_signed_in() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let mut body = user("ada");
        body["title"] = "Countess".into();
        let ada = app.post("/Users", &body).expect(201).id();
        let local = app.with(admin.0.token());
        let _ = local.patch(&format!("/Users/{ada}"), &replace("nickName", "Al")).expect(200);
        let path = format!("/users/{ada}");
        let card = admin.get(&path).expect(200).json();
        assert!(card["provenance"].is_null());
        assert!(card["createdBy"].as_str().unwrap().starts_with("token:"));
        assert_ne!(card["createdBy"], card["modifiedBy"]);
        assert!(card["created"].is_string() && card["activated"].is_string() && card["locked"].is_null());
        let card = admin.get(&format!("{path}?provenance=true")).expect(200).json();
        assert_eq!(card["provenance"]["title"], "idp");
        assert_eq!(card["provenance"]["nickName"], "admin");
        let seen = json!({ "at": "2026-02-28T08:00:00Z", "method": "oidc" });
        let _ = admin.post(&format!("{path}/sign-ins"), &seen).expect(204);
        let listed = admin.get("/users").expect(200).json();
        let last = &listed["items"][0]["lastSignIn"];
        assert_eq!((&last["method"], &last["at"]), (&json!("oidc"), &json!("2026-02-28T08:00:00Z")));
        problem(
            &admin.post(&format!("{path}/sign-ins"), &json!({ "at": "2999-01-01T00:00:00Z", "method": "x" })),
            409,
        );
        problem(&admin.get("/users/0192f0c1-2b3c-7def-8123-456789abcdef"), 404);
    });
}

#[test]
fn h16_p03_who_is_held_or_signed_in_is_not_removed_and_who_was_not_is() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let [ada, bob, eve] = ["Ada", "Bob", "Eve"].map(|name| add(&admin, name, "X", &json!({})));
        let hold = format!("/users/{ada}/holds/billing");
        let body = json!({ "reason": "unbilled time", "count": 3 });
        let _ = admin.send("PUT", &hold, Some(&body)).expect(204);
        let holds = admin.get(&format!("/users/{ada}/holds")).expect(200).json();
        assert_eq!(
            (&holds["items"][0]["system"], &holds["items"][0]["count"]),
            (&json!("billing"), &json!(3))
        );
        let _ = admin.post(&format!("/users/{bob}/sign-ins"), &json!({ "method": "oidc" })).expect(204);
        let remove = |id: &str| admin.send("DELETE", &format!("/users/{id}"), None);
        assert!(problem(&remove(&ada), 409).contains("unbilled time"));
        assert!(problem(&remove(&bob), 409).contains("signed in"), "P03");
        let _ = admin.post(&format!("/users/{eve}/memos"), &json!({ "text": "never came" })).expect(201);
        let _ = remove(&eve).expect(204);
        problem(&remove(&eve), 404);
        problem(&admin.get(&format!("/users/{eve}/memos")), 404);
        let _ = admin.send("DELETE", &hold, None).expect(204);
        problem(&admin.send("DELETE", &hold, None), 404);
        let _ = remove(&ada).expect(204);
        // By SCIM who was used departs, and is found on the list of those.
        let local = app.with(admin.0.token());
        let _ = local.delete(&format!("/Users/{bob}")).expect(204);
        let gone = admin.get("/users?state=departed").expect(200).json();
        assert_eq!(gone["items"][0]["nameMark"], "(departed)");
        let card = admin.get(&format!("/users/{bob}")).expect(200).json();
        assert!(card["departed"].is_string() && card["departedBy"].is_string());
    });
}

#[test]
fn h02_who_is_added_by_a_person_has_first_name_last_name_and_email() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let whole = json!({ "givenName": "Ada", "familyName": "L", "email": "ada@acme.test" });
        for (name, status) in [("givenName", 400), ("familyName", 400), ("email", 400)] {
            let mut body = whole.clone();
            body[name] = " ".into();
            assert!(problem(&admin.post("/users", &body), status).contains(name));
            body.as_object_mut().unwrap().remove(name);
            assert!(problem(&admin.post("/users", &body), status).contains(name));
        }
        let mut body = whole.clone();
        body["email"] = "ada".into();
        assert!(problem(&admin.post("/users", &body), 400).contains("ada@example.com"));
        let ada = admin.post("/users", &whole).expect(201).json();
        assert_eq!((&ada["userName"], &ada["displayName"]), (&json!("ada@acme.test"), &json!("Ada L")));
        assert_eq!((&ada["state"], &ada["kind"]), (&json!("active"), &json!("employee")));
        problem(&admin.post("/users", &whole), 409);
        // Money is for those who see it.
        let mut body = whole.clone();
        body["email"] = "b@acme.test".into();
        let rates = json!([{ "startDate": "2026-01-01", "amount": "10", "currency": "EUR" }]);
        body["psa"] = json!({ "costRates": rates });
        problem(&admin.post("/users", &body), 403);
        assert_eq!(names(&admin, "").len(), 1);
    });
}

#[test]
fn p04_a_clone_may_what_the_other_may_and_is_somebody_else() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let role = user_type(&app, &admin, "Planner", &["kinds.view"]);
        let seats = pool(&app, &admin, "Pro", 2);
        let psa = json!({
            "userTypes": [{ "value": role, "primary": true }],
            "license": { "value": seats },
            "kind": "freelancer",
            "financialVisibility": "hoursOnly",
            "integrations": [{ "system": "payroll", "id": "77" }],
        });
        let ada = add(&admin, "Ada", "L", &json!({ "employeeNumber": "E1", "psa": psa }));
        let path = format!("/users/{ada}/clone");
        let body = |name: &str| json!({ "givenName": name, "familyName": "B", "email": format!("{name}@acme.test") });
        let bob = admin.post(&path, &body("Bob")).expect(201).json();
        assert_eq!((&bob["kind"], &bob["employeeNumber"]), (&json!("freelancer"), &Value::Null));
        let bob = bob["id"].as_str().unwrap();
        let shown = app.with(admin.0.token()).get(&format!("/Users/{bob}")).expect(200).json();
        assert_eq!(shown[PSA]["userTypes"][0]["value"], role);
        assert_eq!(shown[PSA]["financialVisibility"], "hoursOnly");
        assert!(shown[PSA]["integrations"].is_null(), "{shown}");
        let permissions = |id: &str| admin.get(&format!("/users/{id}/permissions")).expect(200).json();
        assert_eq!(permissions(&ada)["permissions"], permissions(bob)["permissions"]);
        // Seats are counted for clones as well.
        assert!(problem(&admin.post(&path, &body("Eve")), 409).contains("no seat"), "H17");
        let licenses = admin.get("/licenses").expect(200).json();
        let license = &licenses["items"][0];
        assert_eq!(
            (&license["seats"], &license["used"], &license["free"]),
            (&json!(2), &json!(2), &json!(0))
        );
        problem(&admin.post("/users/0192f0c1-2b3c-7def-8123-456789abcdef/clone", &body("Eve")), 404);
    });
}

#[test]
fn h17_locking_frees_the_seat_that_is_counted() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let seats = pool(&app, &admin, "Pro", 1);
        let ada = add(&admin, "Ada", "L", &json!({ "psa": { "license": { "value": seats } } }));
        let used = || admin.get("/licenses").expect(200).json()["items"][0]["used"].clone();
        assert_eq!(used(), 1);
        let _ = admin.send("PUT", &format!("/users/{ada}/lock"), Some(&json!({}))).expect(204);
        assert_eq!(used(), 0);
    });
}

#[test]
fn h14_memos_are_written_listed_removed_and_bounded_and_activities_are_the_timeline() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let ada = add(&admin, "Ada", "L", &json!({}));
        let path = format!("/users/{ada}/memos");
        let memo = admin.post(&path, &json!({ "text": "Prefers mornings\nand tea" })).expect(201).json();
        let _ = admin.post(&path, &json!({ "text": "second" })).expect(201);
        let listed = admin.all(&path, 1);
        assert_eq!(listed.len(), 2);
        assert_eq!(listed[0], memo);
        for wrong in [String::new(), "x".repeat(4001), "bell\u{7}".to_owned()] {
            problem(&admin.post(&path, &json!({ "text": wrong })), 400);
        }
        let one = format!("{path}/{}", memo["id"].as_str().unwrap());
        let _ = admin.send("DELETE", &one, None).expect(204);
        problem(&admin.send("DELETE", &one, None), 404);
        assert_eq!(admin.all(&path, 50).len(), 1);

        let money = Admin::of(&app, &["admin", "users:read", "users:write", "financials"]);
        let rates = json!([{ "startDate": "2026-01-01", "amount": "10", "currency": "EUR" }]);
        let operation = json!({ "op": "add", "value": { PSA: { "costRates": rates } } });
        let patch = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] });
        let _ = app.with(money.0.token()).patch(&format!("/Users/{ada}"), &patch).expect(200);
        let timeline = |who: &Admin| who.get(&format!("/users/{ada}/activities")).expect(200);
        let seen = timeline(&admin).json();
        let actions: Vec<&Value> =
            seen["items"].as_array().unwrap().iter().map(|item| &item["action"]).collect();
        assert_eq!(actions, ["patch", "memo-remove", "memo-add", "memo-add", "create"]);
        assert!(!timeline(&admin).text().contains("costRates"));
        assert!(timeline(&money).text().contains("costRates"));
        let first = admin.get(&format!("/users/{ada}/activities?limit=2")).expect(200).json();
        let next = first["next"].as_str().unwrap();
        let rest = admin.get(&format!("/users/{ada}/activities?before={next}")).expect(200).json();
        assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (3, &Value::Null));
        problem(&admin.get("/users/0192f0c1-2b3c-7def-8123-456789abcdef/activities"), 404);
    });
}

#[test]
fn h14_there_is_an_end_to_memos_about_one_person_and_an_erasure_takes_them() {
    let app = TestApp::start();
    let admin = Admin::of(&app, &ALL);
    let ada = add(&admin, "Ada", "L", &json!({}));
    let path = format!("/users/{ada}/memos");
    for number in 0..200 {
        let _ = admin.post(&path, &json!({ "text": format!("canary {number}") })).expect(201);
    }
    assert!(problem(&admin.post(&path, &json!({ "text": "one more" })), 409).contains("200"));
    assert_eq!(admin.all(&path, 200).len(), 200);
    let _ = admin.send("DELETE", &format!("/users/{ada}"), None).expect(204);
    let _ = admin.send("POST", &format!("/users/{ada}/erase"), None).expect(200);
    let auditor = Admin::of(&app, &["audit"]);
    assert!(!auditor.get("/audit/export").expect(200).text().contains("canary"));
}

#[test]
fn p19_the_report_has_everybody_with_their_permissions_and_its_csv_computes_nothing() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let role = user_type(&app, &admin, "Planner", &["kinds.view"]);
        let psa = json!({ "userTypes": [{ "value": role, "primary": true }] });
        let evil = "=HYPERLINK(\"http://x\",\"y\")";
        let _ = add(&admin, "Ada", "L", &json!({ "displayName": evil, "psa": psa }));
        for number in 0..40 {
            let _ = app.post("/Users", &user(&format!("u{number}"))).expect(201);
        }
        let eve = add(&admin, "Eve", "E", &json!({}));
        let _ = admin.send("PUT", &format!("/users/{eve}/lock"), Some(&json!({}))).expect(204);
        let report = admin.get("/users/report").expect(200).json();
        let items = report["items"].as_array().unwrap();
        assert_eq!(items.len(), 42);
        let held = items[0]["permissions"].as_array().unwrap();
        assert!(
            held.iter().any(|held| held["permission"] == "kinds.view" && held["level"] == "all"),
            "{held:?}"
        );
        assert_eq!(items[41]["nameMark"], "(locked)");
        let request = Request::new("GET", "/admin/v1/users/report?format=csv").header("Accept", "*/*");
        let csv = admin.0.send(&request).expect(200);
        assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
        let text = csv.text();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines.len(), 44);
        assert!(lines[0].starts_with("id,userName,displayName"));
        assert!(lines[1].contains("\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""), "{}", lines[1]);
        assert!(lines[1].contains("kinds.view=all"));
        problem(&admin.get("/users/report?format=xml"), 400);
    });
}

#[test]
fn p21_people_of_one_name_and_address_are_reported_and_never_merged() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let twin = |name: &str, display: &str, email: &str| {
            let body = json!({
                "schemas": [USER], "userName": name, "displayName": display, "emails": [{ "value": email }],
            });
            app.post("/Users", &body).expect(201).id()
        };
        let one = twin("a", "Ada L", "ada@acme.test");
        let _ = twin("b", "Ada L", "other@acme.test");
        let _ = twin("c", "Bob", "ada@acme.test");
        let two = twin("d", "ada l", "ADA@acme.test");
        let found = admin.all("/users/ambiguous", 1);
        assert_eq!(found.len(), 1);
        let mut both = vec![one, two];
        both.sort();
        let mut told: Vec<&str> =
            found[0]["people"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        told.sort_unstable();
        assert_eq!(told, both);
        assert_eq!(names(&admin, "").len(), 4);
    });
}

#[test]
fn p08_the_account_is_given_to_an_administrator() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let _ = administrator(&app, "first@acme.test");
        let second = administrator(&app, "second@acme.test");
        let ada = add(&admin, "Ada", "L", &json!({}));
        problem(&admin.post(&format!("/users/{ada}/transfer"), &json!({})), 409);
        let _ = admin.send("POST", &format!("/users/{second}/transfer"), None).expect(204);
        assert_eq!(admin.get(&format!("/users/{second}")).expect(200).json()["accountOwner"], true);
    });
}

#[test]
fn a05_a08_p17_what_somebody_may_do_is_explained_and_who_sees_money_is_marked() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let role = user_type(&app, &admin, "Controller", &["rates.view"]);
        let psa = |visibility: &str| json!({ "userTypes": [{ "value": role, "primary": true }], "financialVisibility": visibility });
        let ada = add(&admin, "Ada", "L", &json!({ "psa": psa("full") }));
        let _ = add(&admin, "Bob", "B", &json!({ "psa": psa("hoursOnly") }));
        let listed = admin.get("/users").expect(200).json();
        let marks: Vec<&Value> =
            listed["items"].as_array().unwrap().iter().map(|one| &one["financialMark"]).collect();
        assert_eq!(marks, [&json!("$"), &Value::Null], "A08");
        let explained = admin.get(&format!("/users/{ada}/permissions")).expect(200).json();
        let rates =
            explained["permissions"].as_array().unwrap().iter().find(|one| one["permission"] == "rates.view");
        let sources = rates.unwrap()["sources"].as_array().unwrap();
        assert!(sources.iter().any(|source| source["inherited"] == true), "A05: {sources:?}");
        problem(&admin.get("/users/0192f0c1-2b3c-7def-8123-456789abcdef/permissions"), 404);
    });
}

#[test]
fn p20_t12_who_acts_as_a_person_changes_what_that_person_may_and_never_their_own_rights() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &ALL);
        let looker = user_type(&app, &admin, "Looker", &["users.view"]);
        let keeper = user_type(
            &app,
            &admin,
            "Keeper",
            &["users.view", "users.create", "users.update", "permissions.update"],
        );
        let holding = |role: &str| json!({ "psa": { "userTypes": [{ "value": role, "primary": true }] } });
        let ada = add(&admin, "Ada", "L", &holding(&looker));
        let bob = add(&admin, "Bob", "B", &holding(&keeper));
        let eve = add(&admin, "Eve", "E", &json!({}));
        let [ada, bob] = [ada, bob].map(|id| (Admin::bound(&app, FIRST_TENANT, &ALL, Some(&id)), id));
        let roles =
            |role: &str| replace(&format!("{PSA}:userTypes"), json!([{ "value": role, "primary": true }]));
        let path = format!("/Users/{eve}");
        // Looking is all that Ada may.
        let client = app.with(ada.0.0.token());
        let _ = ada.0.get("/users").expect(200);
        let refused = client.patch(&path, &replace("title", "x")).expect(403).text();
        assert!(refused.contains("users.update"), "P20: {refused}");
        let _ = client.delete(&path).expect(403);
        let _ = client.post("/Users", &user("new")).expect(403);
        problem(&ada.0.send("PUT", &format!("/users/{eve}/lock"), Some(&json!({}))), 403);
        problem(
            &ada.0.post("/users", &json!({ "givenName": "A", "familyName": "B", "email": "c@acme.test" })),
            403,
        );
        problem(&ada.0.post(&format!("/users/{eve}/memos"), &json!({ "text": "x" })), 403);
        // Bob changes others, and gives what he has himself.
        let client = app.with(bob.0.0.token());
        let _ = client.patch(&path, &replace("title", "x")).expect(200);
        let _ = client.patch(&path, &roles(&looker)).expect(200);
        let more = user_type(&app, &admin, "More", &["account.transfer"]);
        let refused = client.patch(&path, &roles(&more)).expect(403).text();
        assert!(refused.contains("account.transfer"), "{refused}");
        let grant = json!([{ "permission": "settings.update", "effect": "grant", "level": "all" }]);
        let _ = client.patch(&path, &replace(&format!("{PSA}:overrides"), grant.clone())).expect(403);
        // Groups are not his.
        client.post("/Groups", &group("crew", &[])).refused(403, None);
        let schema = "urn:rosterd:scim:schemas:core:1.0:UserType";
        let own = json!({ "schemas": [schema], "displayName": "Own" });
        client.post("/UserTypes", &own).refused(403, None);
        // Never himself, though his name is his own to change.
        let own = format!("/Users/{}", bob.1);
        let _ = client.patch(&own, &roles(&looker)).expect(409);
        let _ = client.patch(&own, &replace(&format!("{PSA}:overrides"), grant)).expect(409);
        let _ = client.patch(&own, &replace("nickName", "Bobby")).expect(200);
        assert_eq!(client.get(&path).expect(200).json()[PSA]["userTypes"][0]["value"], looker);
    });
}
