//! The frame: who gets in, what every endpoint has in common, and that the description is true.

use std::collections::BTreeSet;
use std::io::{BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rosterd::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT};
use rosterd::http::admin::list::endpoints;
use rosterd::http::admin::openapi::document;
use rosterd::http::metrics::Door;
use rosterd::net::SystemResolver;
use rosterd::roster::Command;
use serde_json::{Value, json};

use super::support::{Admin, problem};
use crate::support::bodies::user;
use crate::support::world::{history, said};
use crate::support::{Client, Engine, Request, TestApp, on_every_store, until};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Asks over the socket, as the command line does, and returns status and body.
fn over_socket(app: &TestApp, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(app.daemon().socket()).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} /admin/v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// A path of a template with something in the place of what is captured.
fn filled(template: &str) -> String {
    let parts = template
        .split('/')
        .map(|part| if part.starts_with('{') { "0192f0c1-2b3c-7def-8123-456789abcdef" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn the_description_has_every_route_of_the_router_and_no_other() {
    for door in [Door::Admin, Door::Socket] {
        let routes: BTreeSet<(String, String)> = endpoints(door)
            .into_iter()
            .map(|endpoint| (endpoint.path.to_owned(), endpoint.method.as_str().to_lowercase()))
            .collect();
        let document = serde_json::to_value(document(door)).unwrap();
        let described: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                item.as_object().unwrap().keys().map(|method| (path.clone(), method.clone()))
            })
            .collect();
        assert_eq!(described, routes, "{door:?}");
        assert!(routes.len() > 15);
    }
    // And what is in the list is what the router serves.
    let app = TestApp::start();
    let stranger = Client::new(app.daemon().admin(), "").stranger();
    let listed: BTreeSet<(&str, String)> = endpoints(Door::Admin)
        .into_iter()
        .map(|endpoint| (endpoint.path, endpoint.method.as_str().to_lowercase()))
        .collect();
    for endpoint in endpoints(Door::Socket) {
        for method in METHODS {
            let answer = stranger.send(&Request::new(&method.to_uppercase(), filled(endpoint.path)));
            let is_there = endpoints(Door::Admin).iter().any(|other| other.path == endpoint.path);
            let wanted = match (is_there, listed.contains(&(endpoint.path, method.to_owned()))) {
                (_, true) => 401,
                (true, false) => 405,
                (false, false) => 404,
            };
            assert_eq!(answer.status, wanted, "{method} {}", endpoint.path);
            problem(&answer, wanted);
        }
    }
}

#[test]
fn the_description_is_openapi_3_1_and_every_name_in_it_leads_somewhere() {
    let app = TestApp::start();
    let admin = Admin::of(&app, &["admin"]);
    let document = admin.get("/openapi.json").expect(200);
    assert_eq!(document.header("content-type"), Some("application/json"));
    let document = document.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let text = document.to_string();
    let names: BTreeSet<&str> =
        text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in &names {
        assert!(schemas.contains_key(*name), "{name}");
    }
    assert!(names.len() > 10);
    let operations: Vec<&Value> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| &operation["operationId"])
        .collect();
    let distinct: BTreeSet<String> = operations.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), operations.len());
    assert!(!text.contains("\"tenant\""), "the token alone says for which tenant");
}

#[test]
fn x14_only_tokens_of_administrators_get_in_and_each_into_its_own_tenant() {
    on_every_store(|app| {
        let admin_address = app.daemon().admin();
        let stranger = Client::new(admin_address, "").stranger();
        let ask = |client: &Client| client.send(&Request::new("GET", "/admin/v1/connections"));
        problem(&ask(&stranger), 401);
        assert_eq!(ask(&stranger).header("www-authenticate"), Some("Bearer"));
        problem(&ask(&Client::new(admin_address, "rost_nobody")), 401);
        // A token of an identity provider, and one of the right connection without the scope.
        let idp = problem(&ask(&Client::new(admin_address, app.token())), 403);
        assert!(idp.contains("--scopes admin"), "{idp}");
        let reader = Admin::of(&app, &["users:read"]);
        assert!(problem(&reader.get("/connections"), 403).contains("scope admin"));
        let admin = Admin::of(&app, &["admin"]);
        let found = admin.get("/connections").expect(200).json();
        assert_eq!(found["items"][0]["name"], FIRST_CONNECTION);

        app.operate(Command::TenantCreate { name: "acme".to_owned() });
        let other = Admin::bound(&app, "acme", &["admin"], None);
        let names: Vec<Value> =
            other.all("/connections", 50).into_iter().map(|item| item["name"].clone()).collect();
        assert_eq!(names, [json!("local")]);
        problem(&other.get(&format!("/connections/{FIRST_CONNECTION}")), 404);
        let detail = problem(&admin.get("/connections?tenant=acme"), 400);
        assert!(detail.contains("the token alone"), "{detail}");
        // Nobody's refusals stay unwritten (X58).
        until("the refusal", || {
            let rows = said(&history(app.roster(), rosterd::ids::TenantId::new(1)));
            rows.iter().any(|(facts, _)| facts.result == "forbidden: needs admin")
        });
    });
}

#[test]
fn over_the_socket_the_operator_names_the_tenant_or_means_the_only_one() {
    let app = TestApp::start();
    let (status, found) = over_socket(&app, "GET", "/connections", "");
    assert_eq!((status, &found["items"][0]["name"]), (200, &json!(FIRST_CONNECTION)));
    let (status, made) = over_socket(&app, "POST", "/tenants", r#"{"name":"acme"}"#);
    assert_eq!((status, &made["name"]), (201, &json!("acme")));
    let (status, again) = over_socket(&app, "POST", "/tenants", r#"{"name":"acme"}"#);
    assert_eq!(status, 409, "{again}");
    let (status, wrong) = over_socket(&app, "POST", "/tenants", r#"{"name":"A B"}"#);
    assert_eq!(status, 400, "{wrong}");
    let (_, tenants) = over_socket(&app, "GET", "/tenants", "");
    assert_eq!(tenants["items"].as_array().unwrap().len(), 2);
    let (status, detail) = over_socket(&app, "GET", "/connections", "");
    assert_eq!(status, 400);
    assert!(detail["detail"].as_str().unwrap().contains("?tenant=NAME"));
    let (status, found) = over_socket(&app, "GET", "/connections?tenant=acme", "");
    assert_eq!((status, found["items"].as_array().unwrap().len()), (200, 1));
    assert_eq!(over_socket(&app, "GET", "/connections?tenant=nobody", "").0, 404);
    let (_, document) = over_socket(&app, "GET", "/openapi.json?tenant=acme", "");
    assert!(document["paths"]["/admin/v1/tenants"].is_object());
}

#[test]
fn a_connection_is_made_shown_changed_examined_and_its_requests_are_listed() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &["admin"]);
        let made =
            admin.post("/connections", &json!({ "name": "okta", "profile": "okta" })).expect(201).json();
        assert_eq!((&made["profile"], &made["adopt"]), (&json!("okta"), &json!(false)));
        assert_eq!(admin.get("/connections/okta").expect(200).json(), made);
        problem(&admin.post("/connections", &json!({ "name": "okta" })), 409);
        let unknown = problem(&admin.post("/connections", &json!({ "name": "x", "profile": "nobody" })), 400);
        assert!(unknown.contains("okta"), "{unknown}");
        let changed =
            admin.send("PATCH", "/connections/okta", Some(&json!({ "adopt": true }))).expect(200).json();
        assert_eq!((&changed["profile"], &changed["adopt"]), (&json!("okta"), &json!(true)));
        problem(&admin.send("PATCH", "/connections/nobody", Some(&json!({}))), 404);
        problem(&admin.send("PATCH", "/connections/local", Some(&json!({ "adopt": true }))), 409);
        let report = admin.get("/connections/okta/report").expect(200).json();
        assert_eq!(report["green"], false);
        let todo = |finding: &Value| finding["todo"].as_str().unwrap().contains("SCIM URL");
        assert!(report["findings"].as_array().unwrap().iter().any(todo), "{report}");

        let _ = app.post("/Users", &user("ada")).expect(201);
        let _ = app.get("/Users/nobody").expect(404);
        let path = format!("/connections/{FIRST_CONNECTION}/requests");
        let seen = admin.get(&format!("{path}?bodies=true")).expect(200).json();
        let seen = seen["items"].as_array().unwrap();
        assert_eq!((&seen[0]["status"], &seen[1]["status"]), (&json!(201), &json!(404)));
        assert!(seen[0]["body"]["text"].as_str().unwrap().contains("ada"));
        let failed = admin.all(&format!("{path}?failed=true"), 1);
        assert_eq!((failed.len(), &failed[0]["status"]), (1, &json!(404)));
        assert_eq!(admin.all(&path, 1).len(), 2);
    });
}

/// A firm that automates what it gives out, and has said so.
fn where_tokens_make_tokens(engine: Engine) -> TestApp {
    TestApp::with(engine, &[("admin.tokens_make_tokens", "true")], Arc::new(SystemResolver))
}

#[test]
fn x3_a_token_is_made_listed_without_its_secret_and_revoked() {
    for engine in Engine::ALL {
        let app = where_tokens_make_tokens(engine);
        let admin = Admin::of(&app, &["admin"]);
        let body = json!({ "connection": FIRST_CONNECTION, "days": 7 });
        let made = admin.post("/tokens", &body).expect(201).json();
        let secret = made["secret"].as_str().unwrap().to_owned();
        let client = app.with(&secret);
        let _ = client.get("/Users").expect(200);
        let listed = admin.get("/tokens").expect(200);
        assert!(!listed.text().contains(&secret));
        let path = format!("/tokens/{}", made["id"].as_str().unwrap());
        assert_eq!(admin.send("DELETE", &path, None).status, 204);
        client.get("/Users").refused(401, None);
        assert!(problem(&admin.send("DELETE", &path, None), 404).contains("no live token"));
        problem(&admin.send("DELETE", "/tokens/x", None), 404);
        for (wrong, says) in [
            (json!({ "connection": FIRST_CONNECTION, "days": 0 }), "1 to 3650"),
            (json!({ "connection": FIRST_CONNECTION, "days": 7, "scopes": ["root"] }), "users:read"),
            (json!({ "connection": FIRST_CONNECTION }), "missing field `days`"),
            (json!({ "connection": FIRST_CONNECTION, "days": 7, "scope": [] }), "unknown field `scope`"),
        ] {
            let detail = problem(&admin.post("/tokens", &wrong), 400);
            assert!(detail.contains(says), "{detail}");
        }
        problem(&admin.post("/tokens", &json!({ "connection": "nobody", "days": 7 })), 404);
    }
}

#[test]
fn x58_nobody_gives_a_scope_that_shows_money_or_history_without_having_it() {
    let app = where_tokens_make_tokens(Engine::Memory);
    let admin = Admin::of(&app, &["admin"]);
    for scope in ["financials", "audit"] {
        let body = json!({ "connection": "local", "days": 7, "scopes": ["admin", scope] });
        let detail = problem(&admin.post("/tokens", &body), 403);
        assert!(detail.contains(scope), "{detail}");
        let more = Admin::of(&app, &["admin", scope]);
        let _ = more.post("/tokens", &body).expect(201);
    }
}

#[test]
fn a_client_is_made_given_a_second_secret_federated_and_revoked() {
    let app = where_tokens_make_tokens(Engine::Memory);
    let admin = Admin::of(&app, &["admin"]);
    let body = json!({ "connection": FIRST_CONNECTION, "kind": "secret", "days": 30 });
    let made = admin.post("/clients", &body).expect(201).json();
    assert!(made["tokenUrl"].as_str().unwrap().ends_with("/oauth2/token"));
    let path = format!("/clients/{}", made["client"].as_str().unwrap());
    let second = admin.post(&format!("{path}/secrets"), &json!({ "days": 30 })).expect(201).json();
    problem(&admin.post(&format!("{path}/secrets"), &json!({ "days": 30 })), 409);
    let gone = format!("{path}/secrets/{}", second["secretId"].as_str().unwrap());
    assert_eq!(admin.send("DELETE", &gone, None).status, 204);
    problem(&admin.send("DELETE", &gone, None), 404);
    let pinned =
        json!({ "issuer": "https://idp.test", "subject": "s", "audiences": ["a"], "algorithms": ["RS256"] });
    assert_eq!(admin.send("PUT", &format!("{path}/federation"), Some(&pinned)).status, 204);
    problem(
        &admin.send(
            "PUT",
            &format!("{path}/federation"),
            Some(
                &json!({ "issuer": "http://x", "subject": "s", "audiences": ["a"], "algorithms": ["none"] }),
            ),
        ),
        400,
    );
    let listed = admin.all("/clients", 1);
    assert_eq!(
        (&listed[0]["secrets"].as_array().unwrap().len(), &listed[0]["federation"]["issuer"]),
        (&1, &json!("https://idp.test"))
    );
    assert_eq!(admin.send("DELETE", &path, None).status, 204);
    problem(&admin.send("DELETE", &path, None), 404);
}

#[test]
fn a_list_is_read_page_by_page_and_a_page_is_never_longer_than_asked() {
    let app = TestApp::start();
    let admin = Admin::of(&app, &["admin"]);
    for number in 0..7 {
        let _ = admin.post("/connections", &json!({ "name": format!("c{number}") })).expect(201);
    }
    let whole: Vec<Value> = admin.all("/connections", 200);
    assert_eq!(whole.len(), 9);
    for limit in [1, 2, 4, 9] {
        assert_eq!(admin.all("/connections", limit), whole);
    }
    assert_eq!(admin.get("/connections?after=zzz").expect(200).json(), json!({ "items": [], "next": null }));
    for wrong in ["limit=0", "limit=201", "limit=ten", "limit=1&limit=1", "count=1"] {
        problem(&admin.get(&format!("/connections?{wrong}")), 400);
    }
}

#[test]
fn what_is_no_json_object_is_refused_with_a_sentence_and_changes_nothing() {
    let app = TestApp::start();
    let admin = Admin::of(&app, &["admin"]);
    let before = admin.all("/connections", 200);
    let send = |kind: &str, body: &[u8]| {
        let request = Request::new("POST", "/admin/v1/connections").header("Content-Type", kind);
        admin.0.send(&request.body(body))
    };
    for body in
        [&b""[..], b"{", b"[]", b"null", b"7", b"\xff", b"{\"name\":\"a\",\"name\":\"b\"}", b"{\"name\":7}"]
    {
        let detail = problem(&send("application/json", body), 400);
        assert!(detail.contains("openapi.json"), "{detail}");
    }
    assert!(problem(&send("text/plain", b"{\"name\":\"a\"}"), 415).contains("application/json"));
    problem(&send("application/json", "x".repeat(20 << 20).as_bytes()), 413);
    assert_eq!(admin.all("/connections", 200), before);
    problem(&admin.get("/nowhere"), 404);
    problem(&admin.send("PUT", "/connections", None), 405);
    let _ = FIRST_TENANT;
}
