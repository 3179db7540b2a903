//! Administrators who are signed in use the API by their session, on the public listener (X6): what it opens, what it takes, and what ends it.

use std::sync::Arc;

use rosterd::net::SystemResolver;
use serde_json::{Value, json};

use super::people::{add, user_type};
use super::support::{Admin, problem};
use crate::browser::Browser;
use crate::support::bodies::{replace, user};
use crate::support::{Answer, Client, Engine, PUBLIC_URL, Request, TestApp};

const ALL: [&str; 6] = ["admin", "users:read", "users:write", "kinds:read", "kinds:write", "audit"];
const PASSWORD: &str = "marmalade for breakfast";
/// Seconds for which a sign-in is fresh where nothing else is said.
const FRESH_SECONDS: i64 = 15 * 60;

/// A firm whose administrators have sessions.
fn firm(engine: Engine) -> TestApp {
    TestApp::with(engine, &[("admin.by_session", "true")], Arc::new(SystemResolver))
}

/// Somebody with a password; what they may is for their user type to say.
fn person(app: &TestApp, first: &str, permissions: &[&str]) -> String {
    let admin = Admin::of(app, &ALL);
    let role = user_type(app, &admin, &format!("What {first} is"), permissions);
    let holding = json!({ "psa": { "userTypes": [{ "value": role, "primary": true }] } });
    let id = add(&admin, first, "Person", &holding);
    let body = json!({ "password": PASSWORD, "passwordAgain": PASSWORD });
    let _ = admin.send("PUT", &format!("/users/{id}/password"), Some(&body)).expect(204);
    id
}

fn sign_in(app: &TestApp, first: &str) -> Browser {
    let mut browser = Browser::of(app.stranger());
    let login = format!("{first}@acme.test");
    let fields = [("login", login.as_str()), ("password", PASSWORD), ("tenant", "main")];
    assert_eq!(browser.post("/password/login", &fields).header("location"), Some("/me"));
    browser
}

/// What a page of ours sends.
fn asked(method: &str, path: &str, body: Option<&Value>) -> Request {
    let request = Request::new(method, format!("/admin/v1{path}"))
        .header("Accept", "application/json")
        .header("Origin", PUBLIC_URL)
        .header("Sec-Fetch-Site", "same-origin");
    match body {
        Some(body) => request.json(body).header("Content-Type", "application/json"),
        None => request,
    }
}

fn ask(browser: &mut Browser, method: &str, path: &str, body: Option<&Value>) -> Answer {
    browser.send(asked(method, path, body))
}

fn tokens(app: &TestApp) -> usize {
    Admin::of(app, &ALL).all("/tokens", 200).len()
}

const CONNECTIONS: [&str; 3] = ["users.view", "connections.update", "audit.view"];

#[test]
fn x6_a_token_is_made_by_who_administers_and_has_just_signed_in_and_the_history_names_them() {
    for engine in Engine::ALL {
        let app = firm(engine);
        let ada = person(&app, "Ada", &CONNECTIONS);
        let mut here = sign_in(&app, "Ada");
        let wanted = json!({ "connection": "idp", "days": 30 });
        let made = ask(&mut here, "POST", "/tokens", Some(&wanted)).expect(201).json();
        let secret = made["secret"].as_str().unwrap().to_owned();
        let first = format!("/tokens/{}", made["id"].as_str().unwrap());
        let _ = app.with(&secret).get("/Users").expect(200);
        let client = ask(
            &mut here,
            "POST",
            "/clients",
            Some(&json!({ "connection": "idp", "kind": "secret", "days": 30 })),
        );
        let client = client.expect(201).json()["client"].as_str().unwrap().to_owned();
        let secrets = format!("/clients/{client}/secrets");
        let another = ask(&mut here, "POST", &secrets, Some(&json!({ "days": 30 }))).expect(201).json();
        // Shown this once, and nowhere afterwards.
        for path in ["/tokens", "/clients", "/audit"] {
            let listed = ask(&mut here, "GET", path, None).expect(200).text();
            for shown in [&secret, another["secret"].as_str().unwrap()] {
                assert!(!listed.contains(shown), "{path}");
            }
        }
        for action in ["token-create", "client-create", "secret-create"] {
            let entries = ask(&mut here, "GET", &format!("/audit?action={action}"), None).expect(200).json();
            let last =
                entries["items"].as_array().unwrap().last().unwrap_or_else(|| panic!("{action}")).clone();
            assert_eq!(last["who"], json!({ "kind": "session", "id": ada, "person": ada }), "{action}");
        }
        // A quarter of an hour later everything may be looked at, and nothing given out.
        app.clock().advance(FRESH_SECONDS);
        let before = tokens(&app);
        let federation = json!({ "issuer": "https://idp.test", "subject": "s", "audiences": ["a"], "algorithms": ["ES256"] });
        for (method, path, body) in [
            ("POST", "/tokens", &wanted),
            ("POST", "/clients", &json!({ "connection": "idp", "kind": "secret", "days": 30 })),
            ("POST", secrets.as_str(), &json!({ "days": 30 })),
            ("PUT", &format!("/clients/{client}/federation"), &federation),
            ("POST", "/connections", &json!({ "name": "other", "profile": "auto" })),
        ] {
            let answer = ask(&mut here, method, path, Some(body));
            let says = problem(&answer, 401);
            let place = format!("{PUBLIC_URL}/login?tenant=main");
            assert!(says.contains("within the last 15 minutes") && says.contains(&place), "{says}");
            assert_eq!(answer.header("x-rosterd-login"), Some(place.as_str()));
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Cookie realm=\"rosterd\", error=\"insufficient_user_authentication\", max_age=\"900\"")
            );
        }
        let _ = ask(&mut here, "GET", "/tokens", None).expect(200);
        problem(&ask(&mut here, "DELETE", &first, None), 401);
        // Where it says so they sign in afresh, and rotate.
        let mut old = here.clone();
        let fields = [("login", "Ada@acme.test"), ("password", PASSWORD), ("tenant", "main")];
        assert_eq!(here.post("/password/login", &fields).status, 303);
        assert_eq!(tokens(&app), before + 1, "the one by which the test counts");
        let _ = ask(&mut here, "DELETE", &first, None).expect(204);
        let _ = app.with(&secret).get("/Users").expect(401);
        let _ = ask(&mut here, "POST", "/tokens", Some(&wanted)).expect(201);
        problem(&ask(&mut old, "GET", "/tokens", None), 401);
    }
}

#[test]
fn x6_how_long_a_sign_in_is_fresh_is_a_setting() {
    let settings = [("admin.by_session", "true"), ("admin.fresh_sign_in_minutes", "2")];
    let app = TestApp::with(Engine::Memory, &settings, Arc::new(SystemResolver));
    let _ = person(&app, "Ada", &CONNECTIONS);
    let mut here = sign_in(&app, "Ada");
    let wanted = json!({ "name": "one", "profile": "auto" });
    app.clock().advance(100);
    let _ = ask(&mut here, "POST", "/connections", Some(&wanted)).expect(201);
    app.clock().advance(20);
    let says = problem(
        &ask(&mut here, "POST", "/connections", Some(&json!({ "name": "two", "profile": "auto" }))),
        401,
    );
    assert!(says.contains("within the last 2 minutes"), "{says}");
}

#[test]
fn x6_x65_where_it_is_not_turned_on_the_public_listener_has_no_such_path() {
    let app = TestApp::start();
    let _ = person(&app, "Ada", &CONNECTIONS);
    let mut here = sign_in(&app, "Ada");
    for path in ["/users", "/tokens", "/openapi.json"] {
        assert_eq!(ask(&mut here, "GET", path, None).status, 404, "{path}");
    }
    assert_eq!(
        ask(&mut here, "POST", "/tokens", Some(&json!({ "connection": "idp", "days": 1 }))).status,
        404
    );
    // Nor does a session open the administrators' listener, whether or not it is.
    let on = firm(Engine::Memory);
    let _ = person(&on, "Ada", &CONNECTIONS);
    for app in [app, on] {
        let cookies = sign_in(&app, "Ada").cookies;
        let mut elsewhere = Browser::of(Client::new(app.daemon().admin(), ""));
        elsewhere.cookies = cookies;
        problem(&elsewhere.send(asked("GET", "/users", None).header("Authorization", "")), 401);
    }
}

#[test]
fn x6_x5_a_token_is_no_use_where_sessions_are_asked_for() {
    let app = firm(Engine::Memory);
    let _ = person(&app, "Ada", &CONNECTIONS);
    let admin = Admin::of(&app, &ALL);
    let mut here = sign_in(&app, "Ada");
    let by_token =
        |token: &str| asked("GET", "/users", None).header("Authorization", format!("Bearer {token}"));
    let mut stranger = Browser::of(app.stranger());
    let (good, bad) = (stranger.send(by_token(admin.0.token())), stranger.send(by_token("rost_nobody")));
    assert!(problem(&good, 401).contains("administrators' listener"));
    assert_eq!(good.essence(), bad.essence(), "X8: whether it is good is not told");
    assert!(problem(&here.send(by_token(admin.0.token())), 401).contains("no Authorization field"));
    problem(&stranger.send(asked("GET", "/users", None)), 401);
    let _ = ask(&mut here, "GET", "/users", None).expect(200);
    // What concerns the installation, and commands, stay with the socket.
    for path in ["/tenants", "/signing-keys", "/operate", "/inspect", "/webhooks", "/archive"] {
        assert_eq!(ask(&mut here, "GET", path, None).status, 404, "{path}");
        assert_eq!(
            ask(&mut here, "POST", path, Some(&json!({ "command": "tenant-list" }))).status,
            404,
            "{path}"
        );
    }
    assert_eq!(here.send(Request::new("GET", "/metrics")).status, 404);
    let document = ask(&mut here, "GET", "/openapi.json", None).expect(200).json();
    let scheme = &document["components"]["securitySchemes"]["session"];
    assert_eq!((&scheme["in"], &scheme["name"]), (&json!("cookie"), &json!("__Host-rosterd")));
}

#[test]
fn x6_no_token_makes_another() {
    for by_session in ["true", "false"] {
        let app =
            TestApp::with(Engine::Memory, &[("admin.by_session", by_session)], Arc::new(SystemResolver));
        let ada = person(&app, "Ada", &CONNECTIONS);
        let client = json!({ "connection": "idp", "kind": "secret", "days": 30 });
        let federation = json!({ "issuer": "https://idp.test", "subject": "s", "audiences": ["a"], "algorithms": ["ES256"] });
        let unbound = Admin::of(&app, &ALL);
        let bound = Admin::bound(&app, "main", &ALL, Some(&ada));
        let (before, clients) = (unbound.all("/tokens", 200).len(), unbound.all("/clients", 200).len());
        for (admin, whose) in [(&unbound, "a token"), (&bound, "the token of a person")] {
            for (method, path, body) in [
                ("POST", "/tokens", &json!({ "connection": "idp", "days": 30 })),
                ("POST", "/clients", &client),
                ("POST", "/clients/00000000-0000-4000-8000-000000000000/secrets", &json!({ "days": 30 })),
                ("PUT", "/clients/00000000-0000-4000-8000-000000000000/federation", &federation),
            ] {
                let says = problem(&admin.send(method, path, Some(body)), 403);
                assert!(
                    says.contains("fresh sign-in") && says.contains(&format!("found {whose};")),
                    "{says}"
                );
                // What to do instead, whichever way there is.
                assert!(says.contains("rosterd token create"), "{says}");
                assert_eq!(says.contains(&format!("{PUBLIC_URL}/login")), by_session == "true", "{says}");
            }
        }
        assert_eq!(
            (unbound.all("/tokens", 200).len(), unbound.all("/clients", 200).len()),
            (before, clients)
        );
        // To end one takes no sign-in: a token that leaked is ended at once, by itself too.
        let own = unbound.all("/tokens", 200).iter().find(|token| token["person"] == ada.as_str()).cloned();
        let own = own.unwrap()["id"].as_str().unwrap().to_owned();
        let _ = bound.send("DELETE", &format!("/tokens/{own}"), None).expect(204);
    }
}

#[test]
fn x6_where_the_settings_let_tokens_make_tokens_those_of_people_with_sessions_do_not() {
    let wanted = json!({ "connection": "idp", "days": 30 });
    for by_session in ["true", "false"] {
        let settings = [("admin.by_session", by_session), ("admin.tokens_make_tokens", "true")];
        let app = TestApp::with(Engine::Memory, &settings, Arc::new(SystemResolver));
        let ada = person(&app, "Ada", &CONNECTIONS);
        let unbound = Admin::of(&app, &ALL);
        let made = unbound.post("/tokens", &wanted).expect(201).json();
        let _ =
            unbound.send("DELETE", &format!("/tokens/{}", made["id"].as_str().unwrap()), None).expect(204);
        let bound = Admin::bound(&app, "main", &ALL, Some(&ada));
        if by_session == "true" {
            assert!(problem(&bound.post("/tokens", &wanted), 403).contains(PUBLIC_URL));
        } else {
            let _ = bound.post("/tokens", &wanted).expect(201);
        }
        // The scope is asked for in any case.
        let reader = Admin::of(&app, &["users:read"]);
        assert!(problem(&reader.post("/tokens", &wanted), 403).contains("admin"));
    }
}

#[test]
fn x6_x43_no_other_site_has_a_browser_administer() {
    let app = firm(Engine::Memory);
    let _ = person(&app, "Ada", &["users.view", "users.update", "users.lock", "connections.update"]);
    let eve = person(&app, "Eve", &[]);
    let mut here = sign_in(&app, "Ada");
    let memos = format!("/admin/v1/users/{eve}/memos");
    let memo = || Request::new("POST", &memos).json(&json!({ "text": "forged" }));
    let json = |request: Request| request.header("Content-Type", "application/json");
    let ours =
        |request: Request| request.header("Origin", PUBLIC_URL).header("Sec-Fetch-Site", "same-origin");
    for (request, status) in [
        (json(memo()), 403),
        (json(memo()).header("Origin", "https://evil.test"), 403),
        (json(memo()).header("Origin", "null"), 403),
        (json(memo()).header("Origin", "https://evil.test").header("Sec-Fetch-Site", "cross-site"), 403),
        (json(memo()).header("Origin", PUBLIC_URL).header("Sec-Fetch-Site", "same-site"), 403),
        (json(memo()).header("Sec-Fetch-Site", "none"), 403),
        (json(memo()).header("Origin", "https://evil.test").header("Sec-Fetch-Site", "same-origin"), 403),
        // As forms send them.
        (ours(memo()).header("Content-Type", "text/plain"), 415),
        (ours(memo()).header("Content-Type", "application/x-www-form-urlencoded"), 415),
        (ours(memo()).header("Content-Type", "multipart/form-data; boundary=application/json"), 415),
        (ours(Request::new("POST", &memos).body("{\"text\": \"forged\"}").header("Content-Type", "")), 415),
        (Request::new("PUT", format!("/admin/v1/users/{eve}/lock")).json(&json!({})), 403),
        (Request::new("DELETE", format!("/admin/v1/users/{eve}/sessions")), 403),
        (Request::new("GET", "/admin/v1/users").header("Sec-Fetch-Site", "cross-site"), 403),
        (Request::new("GET", "/admin/v1/users").header("Sec-Fetch-Site", "same-site"), 403),
    ] {
        let shown = format!("{request:?}");
        assert_eq!(here.send(request.header("Accept", "application/json")).status, status, "{shown}");
    }
    let listed = ask(&mut here, "GET", &format!("/users/{eve}/memos"), None).expect(200).json();
    assert_eq!(listed["items"], json!([]));
    // From the address bar, and from a page of ours.
    let _ = here.send(Request::new("GET", "/admin/v1/users").header("Sec-Fetch-Site", "none")).expect(200);
    let _ =
        ask(&mut here, "POST", &format!("/users/{eve}/memos"), Some(&json!({ "text": "meant" }))).expect(201);
}

#[test]
fn x6_t11_t12_who_is_signed_in_may_what_their_permissions_say_and_nothing_with_themself() {
    for engine in Engine::ALL {
        let app = firm(engine);
        let keeper = [
            "users.view",
            "users.create",
            "users.update",
            "users.lock",
            "users.delete",
            "permissions.update",
        ];
        let ada = person(&app, "Ada", &keeper);
        let eve = person(&app, "Eve", &["users.view"]);
        let (mut here, mut there) = (sign_in(&app, "Ada"), sign_in(&app, "Eve"));
        let own = format!("/users/{ada}");
        let refused = ask(&mut here, "PUT", &format!("{own}/lock"), Some(&json!({})));
        assert!(problem(&refused, 409).contains("themselves"), "T11");
        problem(&ask(&mut here, "PUT", &format!("{own}/sign-in"), Some(&json!({ "method": "sso" }))), 409);
        let grant =
            |key: &str| json!({ "overrides": [{ "permission": key, "effect": "grant", "level": "all" }] });
        let somebody = |psa: Value| json!({ "givenName": "New", "familyName": "One", "email": "new@acme.test", "psa": psa });
        let refused = ask(&mut here, "POST", "/users", Some(&somebody(grant("account.transfer"))));
        assert!(problem(&refused, 403).contains("account.transfer"), "T12");
        let _ = ask(&mut here, "POST", "/users", Some(&somebody(grant("users.view")))).expect(201);
        problem(&ask(&mut here, "POST", &format!("/users/{eve}/transfer"), None), 415);
        let transfer = asked("POST", &format!("/users/{eve}/transfer"), Some(&json!({})));
        assert!(problem(&here.send(transfer), 403).contains("account.transfer"));
        for (path, needs) in [("/tokens", "connections.update"), ("/audit", "audit")] {
            assert!(problem(&ask(&mut here, "GET", path, None), 403).contains(needs), "{path}");
        }
        // Eve looks, and no more.
        let _ = ask(&mut there, "GET", "/users", None).expect(200);
        let memo = json!({ "text": "x" });
        problem(&ask(&mut there, "POST", &format!("{own}/memos"), Some(&memo)), 403);
        problem(&ask(&mut there, "PUT", &format!("{own}/lock"), Some(&json!({}))), 403);
        // Ada locks Eve, and takes it back.
        let _ = ask(&mut here, "PUT", &format!("/users/{eve}/lock"), Some(&json!({}))).expect(204);
        problem(&ask(&mut there, "GET", "/users", None), 401);
        let _ = ask(&mut here, "DELETE", &format!("/users/{eve}/lock"), None).expect(204);
        problem(&ask(&mut there, "GET", "/users", None), 401);
    }
}

#[test]
fn x6_x25_a_session_shows_money_to_who_may_see_it_and_to_nobody_else() {
    let app = firm(Engine::Redb);
    let eve = person(&app, "Eve", &[]);
    let payroll = app.issue("main", "local", &["users:read", "users:write", "financials"]).0;
    let rates = json!([{ "startDate": "2026-01-01", "amount": "51739.41", "currency": "EUR" }]);
    let rates = replace("urn:rosterd:scim:schemas:extension:psa:1.0:User:costRates", rates);
    let _ = payroll.patch(&format!("/Users/{eve}"), &rates).expect(200);
    for (first, sees, permissions) in [
        ("Ada", true, &["users.view", "audit.view", "rates.view"][..]),
        ("Bea", false, &["users.view", "audit.view"]),
    ] {
        let _ = person(&app, first, permissions);
        let mut here = sign_in(&app, first);
        for path in [format!("/users/{eve}/activities"), format!("/audit?subject={eve}&limit=200")] {
            let told = ask(&mut here, "GET", &path, None).expect(200).text();
            assert!(told.contains(&eve), "{told}");
            assert_eq!(
                (told.contains("51739.41"), told.contains("costRates")),
                (sees, sees),
                "{first}: {told}"
            );
        }
    }
}

#[test]
fn x6_no_token_has_by_a_session_what_the_person_may_not_see() {
    let app = firm(Engine::Memory);
    let ada = person(&app, "Ada", &["users.view", "connections.update"]);
    let mut here = sign_in(&app, "Ada");
    let mut wanted = |scope: &str, connection: &str, person: Option<&str>| {
        let body = json!({ "connection": connection, "days": 1, "scopes": [scope], "person": person });
        ask(&mut here, "POST", "/tokens", Some(&body))
    };
    for scope in ["audit", "financials"] {
        for (connection, person) in [("idp", None), ("local", Some(ada.as_str()))] {
            assert!(problem(&wanted(scope, connection, person), 403).contains(scope), "{scope} {connection}");
        }
    }
    // Of the connection of administrators for oneself alone.
    problem(&wanted("admin", "local", None), 403);
    let eve = person(&app, "Eve", &["users.view", "connections.update", "audit.view"]);
    problem(&wanted("admin", "local", Some(&eve)), 403);
    let _ = wanted("admin", "local", Some(&ada)).expect(201);
}

#[test]
fn x6_x9_a_lock_a_password_and_an_administrator_end_it_at_once() {
    for engine in Engine::ALL {
        let app = firm(engine);
        let ada = person(&app, "Ada", &CONNECTIONS);
        let admin = Admin::of(&app, &ALL);
        let ends: [(&str, String, Option<Value>, u16); 4] = [
            ("PUT", format!("/users/{ada}/lock"), Some(json!({})), 204),
            ("DELETE", format!("/users/{ada}/lock"), None, 204),
            ("DELETE", format!("/users/{ada}/sessions"), None, 204),
            (
                "PUT",
                format!("/users/{ada}/password"),
                Some(json!({ "password": PASSWORD, "passwordAgain": PASSWORD })),
                204,
            ),
        ];
        let mut sessions = vec![sign_in(&app, "Ada")];
        for (method, path, body, status) in ends {
            if method != "DELETE" || !path.ends_with("/lock") {
                sessions.push(sign_in(&app, "Ada"));
                let _ = ask(sessions.last_mut().unwrap(), "GET", "/users", None).expect(200);
            }
            let _ = admin.send(method, &path, body.as_ref()).expect(status);
            for one in &mut sessions {
                problem(&ask(one, "GET", "/users", None), 401);
                let made = ask(one, "POST", "/tokens", Some(&json!({ "connection": "idp", "days": 1 })));
                problem(&made, 401);
            }
        }
    }
}

#[test]
fn x6_x14_a_session_is_its_own_tenants() {
    let app = firm(Engine::Memory);
    let _ = person(&app, "Ada", &CONNECTIONS);
    let theirs = app.tenant("other").post("/Users", &user("theirs")).expect(201).id();
    let mut here = sign_in(&app, "Ada");
    let says = |answer: Answer| (answer.status, answer.json()["detail"].clone());
    let missing = says(ask(&mut here, "GET", "/users/0192f0c1-2b3c-7def-8123-456789abcdef", None));
    assert_eq!(says(ask(&mut here, "GET", &format!("/users/{theirs}"), None)), missing);
    problem(&ask(&mut here, "GET", "/users?tenant=other", None), 400);
}
