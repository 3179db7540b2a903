//! What administrators see of sign-in, and end (P06, X46, X47).

use rosterd::ids::ResourceId;
use serde_json::{Value, json};

use super::{Browser, World};
use crate::admin::support::{Admin, problem};
use crate::signin::op::{Op, SUBJECT};
use crate::support::{PUBLIC_URL, Request};

const ALL: [&str; 3] = ["admin", "users:read", "users:write"];

fn items(admin: &Admin, path: &str) -> Vec<Value> {
    admin.get(path).expect(200).json()["items"].as_array().unwrap().clone()
}

#[test]
fn p06_an_administrator_sees_where_somebody_is_signed_in_and_ends_one_session_or_all() {
    let world = World::start();
    let ada = world.ada();
    let admin = Admin::of(&world.app, &ALL);
    let path = format!("/users/{ada}/sessions");
    assert_eq!(items(&admin, &path), Vec::<Value>::new());
    let (mut one, mut other, mut third) = (world.signed_in(), world.signed_in(), world.signed_in());
    let listed = items(&admin, &path);
    assert_eq!(listed.len(), 3);
    assert_eq!((&listed[0]["provider"], &listed[0]["method"]), (&json!("okta"), &json!("oidc")));
    let this = one.get("/me/sessions").json()["current"].as_str().unwrap().to_owned();
    let _ = admin.send("DELETE", &format!("{path}/{this}"), None).expect(204);
    problem(&admin.send("DELETE", &format!("{path}/{this}"), None), 404);
    assert_eq!(one.whoami(), None);
    assert!(other.whoami().is_some() && third.whoami().is_some());
    let _ = admin.send("DELETE", &path, None).expect(204);
    assert_eq!((other.whoami(), third.whoami()), (None, None));
    assert_eq!(items(&admin, &path), Vec::<Value>::new());
    // It is no lock.
    world.signed_in();
}

#[test]
fn p06_it_takes_the_permission_to_end_sessions() {
    let world = World::start();
    let (ada, grace) = (world.ada(), world.person("grace@acme.example", "another"));
    let mut browser = world.signed_in();
    let path = format!("/users/{ada}/sessions");
    problem(&Admin::of(&world.app, &["users:read"]).send("DELETE", &path, None), 403);
    let bound = Admin::bound(&world.app, "main", &["users:read", "users:write"], Some(&grace));
    assert!(problem(&bound.send("DELETE", &path, None), 403).contains("users.password"));
    assert!(browser.whoami().is_some());
}

#[test]
fn t06_when_and_how_somebody_signed_in_last_stands_on_their_card() {
    let world = World::start();
    let ada = world.ada();
    let admin = Admin::of(&world.app, &ALL);
    let card = || admin.get(&format!("/users/{ada}")).expect(200).json()["person"].clone();
    assert_eq!(card()["lastSignIn"], Value::Null);
    world.signed_in();
    let seen = card()["lastSignIn"].clone();
    assert_eq!(seen["method"], "oidc");
    assert!(seen["at"].as_str().unwrap().starts_with("2026-01-02T03:04:"), "{seen}");
}

#[test]
fn x46_all_sessions_of_a_provider_end_at_a_word() {
    let world = World::start();
    world.ada();
    let admin = Admin::of(&world.app, &ALL);
    let mut browser = world.signed_in();
    let _ = admin.send("DELETE", "/identity-providers/okta/sessions", None).expect(204);
    assert_eq!(browser.whoami(), None);
    world.signed_in();
}

#[test]
fn an_administrator_reads_what_must_be_entered_at_the_provider() {
    let world = World::with("domains = [\"acme.example\"]");
    let one = &items(&Admin::of(&world.app, &ALL), "/identity-providers")[0];
    assert_eq!(one["redirectUri"], format!("{PUBLIC_URL}/sso/okta/callback"));
    assert_eq!(one["backchannelLogoutUri"], format!("{PUBLIC_URL}/sso/okta/backchannel-logout"));
    assert_eq!((&one["title"], &one["enabled"]), (&json!("Acme"), &json!(true)));
    assert!(!one.to_string().contains("s3cret"), "{one}");
}

#[test]
fn x47_a_second_identity_of_a_person_needs_an_administrator_and_ends_what_was_signed_in_with() {
    let world = World::start();
    let ada = world.ada();
    let admin = Admin::of(&world.app, &ALL);
    let path = format!("/users/{ada}/identities");
    let mut browser = world.signed_in();
    let known = items(&admin, &path);
    assert_eq!((&known[0]["subject"], &known[0]["by"]), (&json!(SUBJECT), &json!("external-id")));
    // The application was registered anew: another subject, and the same key.
    world.op.state().claims = json!({ "sub": "another", "employee": SUBJECT });
    let mut world = world;
    world.reload("key_claim = \"employee\"");
    let _ = world.come_back(&mut world.browser()).expect(403);
    let refusals = world.refusals();
    assert!(refusals[0].1.contains("signs in there as another subject already"), "{refusals:?}");
    let put = |body: &Value| admin.send("PUT", &format!("{path}/okta"), Some(body));
    problem(&put(&json!({ "subject": "another" })), 409);
    let _ = admin.send("DELETE", &format!("{path}/okta"), None).expect(204);
    assert_eq!(browser.whoami(), None);
    problem(&put(&json!({ "subject": "" })), 400);
    problem(&put(&json!({ "subject": "another", "issuer": "https://evil.example" })), 409);
    problem(&admin.send("PUT", &format!("{path}/nobody"), Some(&json!({ "subject": "another" }))), 404);
    let _ = put(&json!({ "subject": "another" })).expect(204);
    assert_eq!(items(&admin, &path)[0]["by"], "administrator");
    world.signed_in();
}

#[test]
fn the_connections_report_says_why_somebody_was_not_let_in_and_what_to_do() {
    let world = World::start();
    let _ = world.person("ada@acme.example", "ada.lovelace");
    let _ = world.come_back(&mut world.browser()).expect(403);
    let admin = Admin::of(&world.app, &ALL);
    let report = admin.get("/connections/idp/report").expect(200).json();
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|one| one["what"].as_str().unwrap().contains("sign-ins")).unwrap();
    assert!(
        found["what"].as_str().unwrap().contains(&format!("has the externalId \"{SUBJECT}\"")),
        "{found}"
    );
    assert!(found["todo"].as_str().unwrap().contains("map externalId"), "{found}");
}

#[test]
fn x6_a_sign_in_is_fresh_by_what_the_provider_says_and_by_nothing_else() {
    let world = World::of(Op::start(), "", "[admin]\nby_session = true");
    let ada = ResourceId::parse(&world.ada()).unwrap();
    let roster = world.app.roster();
    let operator = roster.operator("main", roster.request_id()).unwrap();
    roster.make_administrator(&operator, ada).unwrap();
    let mut made = 0;
    let mut make = |browser: &mut Browser| {
        made += 1;
        let body = json!({ "name": format!("connection-{made}"), "profile": "auto" });
        browser.send(
            Request::new("POST", "/admin/v1/connections")
                .json(&body)
                .header("Content-Type", "application/json")
                .header("Accept", "application/json")
                .header("Origin", PUBLIC_URL),
        )
    };
    let now = || roster.current_time().as_second();
    // Nobody says when: it may have been this morning.
    let mut here = world.signed_in();
    let answer = make(&mut here);
    let place = format!("{PUBLIC_URL}/sso/okta/start?prompt=login&max_age=900");
    assert!(problem(&answer, 401).contains(&place));
    assert_eq!(answer.header("x-rosterd-login"), Some(place.as_str()));
    let _ = here.send(Request::new("GET", "/admin/v1/users")).expect(200);
    // This morning, and just now.
    for (ago, status) in [(3600, 401), (905, 401), (880, 201)] {
        world.op.state().claims = json!({ "auth_time": now() - ago });
        assert_eq!(make(&mut world.signed_in()).status, status, "{ago} seconds ago");
    }
    // Where the answer says so the provider must ask anew.
    world.op.state().claims = json!({});
    let start = place.strip_prefix(PUBLIC_URL).unwrap();
    let mut come_back = |said: Value| {
        let there = here.get(start).expect(303);
        let url = there.header("location").unwrap();
        assert!(url.contains("prompt=login") && url.contains("max_age=900"), "{url}");
        world.op.state().claims = said;
        let back = world.op.authorize(url);
        (here.get(&format!("/sso/okta/callback?{back}")).status, make(&mut here).status)
    };
    assert_eq!(come_back(json!({ "auth_time": now() - 3600 })), (403, 401));
    assert_eq!(come_back(json!({})), (403, 401));
    assert_eq!(come_back(json!({ "auth_time": now() })), (303, 201));
}
