//! S160–S165, R17, X4, X15, X33: many requests in one.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::ids::TenantId;
use rosterd::roster::RosterError;
use rosterd::scim::bulk::{BULK_ID_BYTES_MAX, OPERATIONS_MAX};
use rosterd::store::Action;
use serde_json::{Value, json};

use crate::support::bodies::{ENTERPRISE, add_members, group, patch, replace, user};
use crate::support::world::{history, must_agree, said};
use crate::support::{Answer, Client, Engine, Request, TestApp, on_every_store};

const NOBODY: &str = "0192f0c1-2b3c-7def-8123-456789abcdef";
/// What a hostile request may take (X33).
const PATIENCE: Duration = Duration::from_secs(5);

fn post(path: &str, bulk_id: &str, data: &Value) -> Value {
    json!({ "method": "POST", "path": path, "bulkId": bulk_id, "data": data })
}

fn on(method: &str, path: &str, data: &Value) -> Value {
    json!({ "method": method, "path": path, "data": data })
}

fn message(operations: &[Value]) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations })
}

fn send(client: &Client, operations: &[Value]) -> Answer {
    client.post("/Bulk", &message(operations))
}

/// Sends operations, and returns their answers.
#[track_caller]
fn bulk(client: &Client, operations: &[Value]) -> Vec<Value> {
    send(client, operations).expect(200).json()["Operations"].as_array().unwrap().clone()
}

fn statuses(answers: &[Value]) -> Vec<&str> {
    answers.iter().map(|answer| answer["status"].as_str().unwrap()).collect()
}

/// Returns the id in the location of an answer.
fn id(answer: &Value) -> String {
    let location = answer["location"].as_str().unwrap_or_else(|| panic!("no location: {answer}"));
    location.rsplit('/').next().unwrap().to_owned()
}

#[track_caller]
fn count(client: &Client, path: &str) -> u64 {
    client.get(&format!("{path}?count=0")).expect(200).json()["totalResults"].as_u64().unwrap()
}

#[test]
fn s160_locations_versions_and_names_are_those_of_single_requests() {
    on_every_store(|app| {
        let answers = bulk(
            &app,
            &[
                post("/Users", "u", &user("ada")),
                on("PATCH", "/Users/bulkId:u", &replace("title", "CTO")),
                post("/Groups", "g", &group("crowd", &["bulkId:u"])),
            ],
        );
        assert_eq!(statuses(&answers), ["201", "200", "201"]);
        let ada = app.get(&format!("/Users/{}", id(&answers[0]))).expect(200).json();
        assert_eq!(ada["meta"]["location"], answers[1]["location"]);
        assert_eq!(ada["meta"]["version"], answers[1]["version"]);
        let crowd = app.get(&format!("/Groups/{}", id(&answers[2]))).expect(200).json();
        assert_eq!(crowd["meta"]["version"], answers[2]["version"]);
        assert_eq!(crowd["members"][0]["value"], ada["id"]);
        assert_eq!((&answers[0]["bulkId"], &answers[1]["bulkId"]), (&json!("u"), &Value::Null));
        must_agree(&app);
    });
}

#[test]
fn w13_s162_references_that_point_forward_are_resolved_and_answered_in_the_order_of_the_request() {
    on_every_store(|app| {
        let mut boss = user("ada");
        boss[ENTERPRISE] = json!({ "manager": { "value": "bulkId:u2" } });
        let answers = bulk(
            &app,
            &[
                post("/Groups", "g1", &group("outer", &["bulkId:g2", "bulkId:u1"])),
                post("/Groups", "g2", &group("inner", &["bulkId:u2"])),
                post("/Users", "u1", &boss),
                post("/Users", "u2", &user("bob")),
            ],
        );
        assert_eq!(statuses(&answers), ["201"; 4]);
        let names: Vec<&Value> = answers.iter().map(|answer| &answer["bulkId"]).collect();
        assert_eq!(names, ["g1", "g2", "u1", "u2"]);
        let ada = app.get(&format!("/Users/{}", id(&answers[2]))).expect(200).json();
        assert_eq!(ada[ENTERPRISE]["manager"]["value"], id(&answers[3]));
        let seen = must_agree(&app);
        let members = seen.groups[&id(&answers[0])]["members"].as_array().unwrap().len();
        assert_eq!(members, 2);
    });
}

#[test]
fn s162_people_who_manage_each_other_and_a_group_in_the_same_circle() {
    on_every_store(|app| {
        let person = |name: &str, manager: &str| {
            let mut body = user(name);
            body[ENTERPRISE] = json!({ "manager": { "value": manager }, "department": "Board" });
            body
        };
        let answers = bulk(
            &app,
            &[
                post("/Users", "a", &person("ada", "bulkId:b")),
                post("/Users", "b", &person("bob", "bulkId:c")),
                post("/Users", "c", &person("eve", "bulkId:a")),
                post("/Users", "self", &person("zoe", "bulkId:self")),
                post("/Groups", "g", &group("board", &["bulkId:a", "bulkId:b", "bulkId:c"])),
            ],
        );
        assert_eq!(statuses(&answers), ["201"; 5]);
        for (one, other) in [(0, 1), (1, 2), (2, 0), (3, 3)] {
            let found = app.get(&format!("/Users/{}", id(&answers[one]))).expect(200).json();
            assert_eq!(found[ENTERPRISE]["manager"]["value"], id(&answers[other]));
            assert_eq!(found["meta"]["version"], answers[one]["version"]);
        }
        must_agree(&app);
    });
}

#[test]
fn s162_a_circle_that_fails_leaves_nothing_behind_and_names_the_cause() {
    on_every_store(|app| {
        let _ = app.post("/Groups", &group("taken", &[])).expect(201);
        let answers = bulk(
            &app,
            &[
                post("/Groups", "a", &group("one", &["bulkId:b"])),
                post("/Groups", "b", &group("two", &["bulkId:c"])),
                post("/Groups", "c", &group("taken", &["bulkId:a"])),
                post("/Groups", "d", &group("four", &["bulkId:a"])),
                post("/Users", "u", &user("ada")),
            ],
        );
        assert_eq!(statuses(&answers), ["409", "409", "409", "409", "201"]);
        assert_eq!(answers[2]["response"]["scimType"], "uniqueness");
        for place in [0, 1] {
            let detail = answers[place]["response"]["detail"].as_str().unwrap();
            assert!(detail.contains("bulkId \"c\""), "{detail}");
        }
        assert!(answers[3]["response"]["detail"].as_str().unwrap().contains("bulkId \"a\""));
        assert!(answers.iter().take(4).all(|answer| answer["location"].is_null()));
        assert_eq!(count(&app, "/Groups"), 1);
        must_agree(&app);
    });
}

#[test]
fn s164_what_depends_on_a_failed_creation_fails_with_its_name_and_does_nothing() {
    let app = TestApp::start();
    let _ = app.post("/Users", &user("ada")).expect(201);
    let crowd = app.post("/Groups", &group("crowd", &[])).expect(201).id();
    let answers = bulk(
        &app,
        &[
            post("/Users", "u", &user("ada")),
            on("PATCH", &format!("/Groups/{crowd}"), &add_members(&["bulkId:u"])),
            on("PATCH", "/Users/bulkId:u", &replace("title", "CTO")),
            on("DELETE", "/Users/bulkId:u", &Value::Null),
            post("/Groups", "g", &group("other", &["bulkId:u"])),
            post("/Groups", "h", &group("third", &["bulkId:g"])),
        ],
    );
    assert_eq!(statuses(&answers), ["409"; 6]);
    for answer in &answers[1..5] {
        let detail = answer["response"]["detail"].as_str().unwrap();
        assert!(detail.contains("bulkId \"u\""), "{detail}");
    }
    assert_eq!(answers[1]["location"], format!("https://roster.test/scim/v2/Groups/{crowd}"));
    assert_eq!(count(&app, "/Groups"), 1);
}

#[test]
fn s163_as_many_errors_as_allowed_end_the_work() {
    let app = TestApp::start();
    for (allowed, answered) in [(1, 2), (2, 4), (3, 5)] {
        let name = format!("n{allowed}");
        let mut body = message(&[
            post("/Users", "a", &user(&name)),
            post("/Users", "b", &user(&name)),
            post("/Users", "c", &user(&format!("{name}-c"))),
            on("DELETE", &format!("/Users/{NOBODY}"), &Value::Null),
            post("/Users", "d", &user(&format!("{name}-d"))),
        ]);
        body["failOnErrors"] = allowed.into();
        let answer = app.post("/Bulk", &body).expect(200).json();
        assert_eq!(answer["Operations"].as_array().unwrap().len(), answered, "{answer}");
    }
    assert_eq!(count(&app, "/Users"), 1 + 2 + 3);
}

#[test]
fn s164_too_much_is_refused_with_the_name_of_the_limit() {
    let app = TestApp::start();
    let described = app.get("/ServiceProviderConfig").expect(200).json();
    assert_eq!(described["bulk"]["supported"], true);
    let operations_max = described["bulk"]["maxOperations"].as_u64().unwrap();
    let bytes_max = usize::try_from(described["bulk"]["maxPayloadSize"].as_u64().unwrap()).unwrap();
    assert_eq!(operations_max, OPERATIONS_MAX as u64);

    let many: Vec<Value> = (0..OPERATIONS_MAX * 10)
        .map(|at| post("/Users", &at.to_string(), &user(&format!("u{at}"))))
        .collect();
    for many in [&many[..], &many[..=OPERATIONS_MAX]] {
        let detail = send(&app, many).refused(413, None);
        assert!(detail.contains(&format!("{operations_max} operations (maxOperations)")), "{detail}");
    }
    let mut body = message(&[post("/Users", "u", &user("ada"))]).to_string();
    body.push_str(&" ".repeat(bytes_max - body.len() + 1));
    let detail = app.send(&Request::scim("POST", "/Bulk").body(body.clone())).refused(413, None);
    assert!(detail.contains(&format!("{bytes_max} bytes (maxPayloadSize)")), "{detail}");
    assert_eq!(count(&app, "/Users"), 0);
    body.pop();
    let _ = app.send(&Request::scim("POST", "/Bulk").body(body)).expect(200);
    assert_eq!(count(&app, "/Users"), 1);
}

#[test]
fn s165_an_operation_is_applied_as_a_whole_and_its_neighbours_are_too() {
    let app = TestApp::start();
    let ada = app.post("/Users", &user("ada")).expect(201).id();
    let path = format!("/Users/{ada}");
    let half = patch(&[
        json!({ "op": "replace", "path": "title", "value": "CTO" }),
        json!({ "op": "replace", "path": "userName", "value": "" }),
    ]);
    let answers = bulk(
        &app,
        &[
            on("PATCH", &path, &replace("nickName", "Countess")),
            on("PATCH", &path, &half),
            on("PATCH", &path, &replace("displayName", "Ada")),
        ],
    );
    assert_eq!(statuses(&answers), ["200", "400", "200"]);
    assert_eq!(answers[1]["response"]["scimType"], "invalidValue");
    let found = app.get(&path).expect(200).json();
    assert_eq!(
        (&found["nickName"], &found["displayName"], &found["title"]),
        (&json!("Countess"), &json!("Ada"), &Value::Null)
    );
}

#[test]
fn r17_a_repeated_bulk_creates_nothing_twice() {
    on_every_store(|app| {
        let operations = [
            post("/Groups", "g", &group("crowd", &["bulkId:u"])),
            post("/Users", "u", &user("ada")),
            post("/Groups", "a", &group("one", &["bulkId:b"])),
            post("/Groups", "b", &group("two", &["bulkId:a"])),
        ];
        assert_eq!(statuses(&bulk(&app, &operations)), ["201"; 4]);
        let before = (must_agree(&app), history(app.roster(), TenantId::new(1)));
        let again = bulk(&app, &operations);
        assert_eq!(statuses(&again), ["409"; 4]);
        assert_eq!(again[1]["response"]["scimType"], "uniqueness");
        assert_eq!((must_agree(&app), history(app.roster(), TenantId::new(1))), before);
    });
}

#[test]
fn x4_each_operation_needs_the_scope_of_the_request_it_stands_for() {
    let app = TestApp::start();
    let crowd = app.post("/Groups", &group("crowd", &[])).expect(201).id();
    let (users_only, _) = app.issue(FIRST_TENANT, "idp", &["bulk", "users:write"]);
    let before = history(app.roster(), TenantId::new(1)).len();
    let answers = bulk(
        &users_only,
        &[
            post("/Users", "u", &user("ada")),
            on("PATCH", &format!("/Groups/{crowd}"), &add_members(&["bulkId:u"])),
            post("/Groups", "g", &group("other", &["bulkId:u"])),
            on("DELETE", &format!("/Groups/{crowd}"), &Value::Null),
            post("/Groups", "a", &group("one", &["bulkId:b"])),
            post("/Groups", "b", &group("two", &["bulkId:a"])),
        ],
    );
    assert_eq!(statuses(&answers), ["201", "403", "403", "403", "403", "403"]);
    let alone = users_only.delete(&format!("/Groups/{crowd}")).json();
    assert_eq!(answers[3]["response"], alone, "the same words as alone");
    let rows = said(&history(app.roster(), TenantId::new(1))[before..]);
    let refusals = rows.iter().filter(|(facts, _)| facts.action == Action::Refuse).count();
    assert_eq!(refusals, 6, "each is in the history, and the one that was asked alone");
    assert_eq!(count(&app, "/Groups"), 1);

    let _ = app.connection(FIRST_TENANT, "other", "auto");
    let (no_bulk, _) = app.issue(FIRST_TENANT, "other", &["users:write"]);
    let detail = send(&no_bulk, &[post("/Users", "u", &user("eve"))]).refused(403, None);
    assert!(detail.contains("bulk"), "{detail}");
    assert_eq!(count(&app, "/Users"), 1);
}

#[test]
fn x15_what_another_tenant_has_does_not_exist_for_a_bulk() {
    let app = TestApp::start();
    let theirs = app.tenant("acme");
    let eve = theirs.post("/Users", &user("eve")).expect(201).id();
    let answers = bulk(
        &app,
        &[
            on("PATCH", &format!("/Users/{eve}"), &replace("title", "mine")),
            on("PUT", &format!("/Users/{eve}"), &user("mine")),
            on("DELETE", &format!("/Users/{eve}"), &Value::Null),
            post("/Groups", "g", &group("crowd", &[&eve])),
            post("/Users", "u", &user("eve")),
        ],
    );
    assert_eq!(statuses(&answers), ["404", "404", "404", "201", "201"]);
    let missing = bulk(&app, &[on("DELETE", &format!("/Users/{NOBODY}"), &Value::Null)]);
    assert_eq!(answers[2]["response"], missing[0]["response"]);
    let crowd = app.get(&format!("/Groups/{}", id(&answers[3]))).expect(200).json();
    assert_eq!(crowd["members"], json!([]));
    assert_eq!(theirs.get(&format!("/Users/{eve}")).expect(200).json()["userName"], "eve");
}

#[test]
fn x33_nothing_else_is_reached_from_a_bulk() {
    let app = TestApp::start();
    let inner = message(&[post("/Users", "inner", &user("ada"))]);
    let answers = bulk(
        &app,
        &[
            post("/Bulk", "nested", &inner),
            post("/scim/v2/Users", "absolute", &user("ada")),
            post("https://elsewhere.test/Users", "foreign", &user("ada")),
            post("/Users/../Users", "dots", &user("ada")),
            on("GET", "/Users", &Value::Null),
            on("PUT", "/Users", &user("ada")),
            on("PATCH", "/Me", &replace("title", "x")),
            on("DELETE", "/Schemas/x", &Value::Null),
        ],
    );
    assert_eq!(statuses(&answers), ["400"; 8]);
    let not_ids = bulk(
        &app,
        &[on("DELETE", "/Users/not-an-id", &Value::Null), on("DELETE", "/Users/ada", &Value::Null)],
    );
    assert_eq!(statuses(&not_ids), ["404"; 2]);
    assert_eq!(count(&app, "/Users"), 0);
}

#[test]
fn x33_circles_and_unknown_names_are_answered_at_once() {
    on_every_store(|app| {
        let name = |at: usize| format!("bulkId:{}", at % OPERATIONS_MAX);
        let started = Instant::now();
        let unknown: Vec<Value> = (0..OPERATIONS_MAX)
            .map(|at| post("/Groups", &at.to_string(), &group(&format!("u{at}"), &["bulkId:nobody"])))
            .collect();
        assert_eq!(statuses(&bulk(&app, &unknown)), vec!["400"; OPERATIONS_MAX]);
        assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());

        let started = Instant::now();
        let ring: Vec<Value> = (0..OPERATIONS_MAX)
            .map(|at| post("/Groups", &at.to_string(), &group(&format!("r{at}"), &[&name(at + 1)])))
            .collect();
        assert_eq!(statuses(&bulk(&app, &ring)), vec!["201"; OPERATIONS_MAX]);
        assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
        assert_eq!(count(&app, "/Groups"), OPERATIONS_MAX as u64);

        let started = Instant::now();
        let itself: Vec<Value> = (0..100)
            .map(|at| post("/Groups", &at.to_string(), &group(&format!("s{at}"), &[&name(at)])))
            .collect();
        assert_eq!(statuses(&bulk(&app, &itself)), ["409"; 100]);
        assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
        assert_eq!(count(&app, "/Groups"), OPERATIONS_MAX as u64);
    });
}

/// Groups each of which has all the others as members.
fn mesh(many: usize) -> Vec<Value> {
    let names: Vec<String> = (0..many).map(|at| format!("bulkId:{at}")).collect();
    let one = |at: usize| {
        let others = names.iter().enumerate().filter(|(other, _)| *other != at);
        let others: Vec<&str> = others.map(|(_, name)| name.as_str()).collect();
        post("/Groups", &at.to_string(), &group(&format!("m{at}"), &others))
    };
    (0..many).map(one).collect()
}

#[test]
fn x33_a_full_mesh_is_answered_at_once() {
    on_every_store(|app| {
        let (hostile, fair) = (mesh(250), mesh(50));
        let started = Instant::now();
        let answers = bulk(&app, &hostile);
        assert_eq!(statuses(&answers), ["409"; 250]);
        let detail = answers[0]["response"]["detail"].as_str().unwrap();
        assert!(detail.contains("at most 10000 references"), "{detail}");
        assert_eq!(count(&app, "/Groups"), 0);
        assert_eq!(statuses(&bulk(&app, &fair)), ["201"; 50]);
        assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
        let seen = must_agree(&app);
        assert!(seen.groups.values().all(|group| group["members"].as_array().unwrap().len() == 49));
    });
}

/// Carries out a bulk request that may begin so many steps.
fn within(app: &TestApp, steps: usize, operations: &[Value]) -> Vec<String> {
    let roster = app.roster();
    let caller = roster.authenticate(app.token(), roster.request_id()).unwrap().unwrap();
    let left = Cell::new(steps);
    let goes_on = || left.replace(left.get().saturating_sub(1)) > 0;
    let mut answered = Vec::new();
    roster.bulk(&caller, message(operations), &goes_on, &mut |one| answered.push(one)).unwrap();
    answered
        .into_iter()
        .map(|answered| match answered.result {
            Ok(_) => "done".to_owned(),
            Err(RosterError::NotBegun) => "not begun".to_owned(),
            Err(error) => error.to_string(),
        })
        .collect()
}

#[test]
fn x33_when_time_is_up_each_operation_says_whether_it_was_done() {
    on_every_store(|app| {
        let operations = [
            post("/Users", "a", &user("ada")),
            on("PATCH", "/Users/bulkId:a", &replace("title", "CTO")),
            post("/Groups", "g", &group("one", &["bulkId:h"])),
            post("/Groups", "h", &group("two", &["bulkId:g"])),
            post("/Users", "b", &user("bob")),
        ];
        assert_eq!(within(&app, 0, &operations), ["not begun"; 5]);
        assert_eq!(count(&app, "/Users") + count(&app, "/Groups"), 0);
        assert_eq!(
            within(&app, 1, &operations),
            ["done", "not begun", "not begun", "not begun", "not begun"]
        );
        let ada = app.find("/Users", "userName eq \"ada\"").expect(200).json();
        let _ = app.delete(&format!("/Users/{}", ada["Resources"][0]["id"].as_str().unwrap())).expect(204);
        // Two steps, then the circle is made and cannot be linked any more: nothing of it stays.
        let halfway = within(&app, 6, &operations);
        assert_eq!(halfway, ["done", "done", "not begun", "not begun", "not begun"]);
        let acts: Vec<Action> =
            said(&history(app.roster(), TenantId::new(1))).iter().map(|(facts, _)| facts.action).collect();
        assert!(
            acts.ends_with(&[Action::Create, Action::Create, Action::Delete, Action::Delete]),
            "{acts:?}"
        );
        assert_eq!((count(&app, "/Users"), count(&app, "/Groups")), (1, 0));
        must_agree(&app);
    });
}

#[test]
fn s165_what_does_not_depend_on_each_other_shares_its_flushes_and_keeps_its_order() {
    let app = TestApp::on(Engine::Redb);
    let batches = || app.roster().store().health().batches;
    let before = batches();
    let mut operations: Vec<Value> =
        (0..200).map(|at| post("/Users", &format!("u{at}"), &user(&format!("u{at}")))).collect();
    // The first one that asks for a name gets it, also among those that are written together.
    operations.insert(7, post("/Users", "early", &user("U9")));
    let answers = bulk(&app, &operations);
    assert!(batches() - before < 50, "{} flushes", batches() - before);
    let refused: Vec<&Value> = answers.iter().filter(|answer| answer["status"] != "201").collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((&refused[0]["bulkId"], &refused[0]["status"]), (&json!("u9"), &json!("409")));
    let before = batches();
    let removals: Vec<Value> = answers
        .iter()
        .filter(|answer| answer["status"] == "201")
        .flat_map(|answer| vec![on("DELETE", &format!("/Users/{}", id(answer)), &Value::Null); 2])
        .collect();
    let removed = bulk(&app, &removals);
    assert!(removed.chunks(2).all(|two| statuses(two) == ["204", "404"]));
    assert!(batches() - before < 100, "{} flushes", batches() - before);
    assert_eq!(count(&app, "/Users"), 0);
}

#[test]
fn x33_odd_names_are_names_or_are_refused() {
    let app = TestApp::start();
    let huge = "x".repeat(BULK_ID_BYTES_MAX + 1);
    let longest = "y".repeat(BULK_ID_BYTES_MAX);
    let answers = bulk(
        &app,
        &[
            post("/Users", "bulkId:u", &user("ada")),
            on("PATCH", "/Users/bulkId:bulkId:u", &replace("title", "CTO")),
            on("PATCH", "/Users/bulkId:u", &replace("title", "CEO")),
            post("/Users", &huge, &user("bob")),
            post("/Groups", "g", &group("crowd", &[&format!("bulkId:{huge}")])),
            post("/Users", &longest, &user("eve")),
            post("/Groups", "a/b?c#d \u{202e}", &group("other", &[&format!("bulkId:{longest}")])),
            on("DELETE", "/Groups/bulkId:a/b?c#d \u{202e}", &Value::Null),
            post("/Users", "", &user("zoe")),
            json!({}),
            json!({ "method": { "deep": [] }, "path": 7, "bulkId": true, "data": null, "version": [] }),
        ],
    );
    assert_eq!(
        statuses(&answers),
        ["201", "200", "400", "400", "400", "201", "201", "204", "400", "400", "400"]
    );
    assert_eq!(answers[3]["bulkId"], Value::Null, "nothing is repeated at length");
    let longest_detail =
        answers.iter().filter_map(|answer| answer["response"]["detail"].as_str()).map(str::len).max();
    assert!(longest_detail.unwrap() < 200, "{longest_detail:?}");
}
