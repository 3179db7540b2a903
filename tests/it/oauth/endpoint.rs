//! Forms and secrets: what the endpoint gives, what it refuses, and how what it gave ends.

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::config::{Config, Environment, Sources};
use rosterd::ids::TenantId;
use rosterd::roster::{
    ACCESS_PER_CLIENT_MAX, ACCESS_PREFIX, CLIENTS_PER_CONNECTION_MAX, ClientKind, Command, SECRET_PREFIX,
};
use rosterd::store::{Action, Actor};
use serde_json::json;

use super::world::{
    JWT_BEARER, TOKEN, add_secret, basic, client, clients, fetch, form, must_be, refused, request, revoke,
    revoke_secret, send, with_token,
};
use crate::support::bodies::user;
use crate::support::{Engine, Request, TestApp, on_every_store, world};

// Rows: D-P2.
#[test]
fn d_e20_a_client_fetches_a_token_for_its_secret_and_works_with_it() {
    on_every_store(|app| {
        let schemes = || {
            let config = app.get("/ServiceProviderConfig").expect(200).json();
            let all = config["authenticationSchemes"].as_array().unwrap().clone();
            all.into_iter().map(|one| one["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(schemes(), ["oauthbearertoken"]);
        let made = client(&app, ClientKind::Secret, &[]);
        assert_eq!(schemes(), ["oauthbearertoken", "oauth2"]);
        assert!(made.secret.starts_with(SECRET_PREFIX) && made.secret.len() == SECRET_PREFIX.len() + 64);

        let by_header = request("grant_type=client_credentials&scope=scim")
            .header("Authorization", basic(&made.id, &made.secret));
        let answer = app.stranger().send(&by_header).expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("pragma"), Some("no-cache"));
        let body = answer.json();
        let token = body["access_token"].as_str().unwrap().to_owned();
        assert!(token.starts_with(ACCESS_PREFIX) && token.len() == ACCESS_PREFIX.len() + 96, "{token}");
        assert_eq!(
            body,
            json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": "scim" })
        );

        let by_body = fetch(&app, &made).expect(200).json();
        assert_ne!(by_body["access_token"], body["access_token"]);
        assert_eq!(by_body["scope"], "users:read users:write groups:read groups:write bulk");

        let entra = app.with(&token);
        let ada = entra.post("/Users", &user("ada")).expect(201).id();
        let _ = app.get(&format!("/Users/{ada}")).expect(200);
        assert_eq!(clients(&app)[0].access_tokens, 2);
        assert!(clients(&app)[0].last_used.is_some());
    });
}

#[test]
fn d_e20_an_access_token_has_no_scope_that_its_client_has_not() {
    let app = TestApp::start();
    let made = client(&app, ClientKind::Secret, &["users:read", "users:write"]);
    let ask = |scope: &str| {
        let secret = [("client_id", &*made.id), ("client_secret", &*made.secret), ("scope", scope)];
        send(&app, &[&[("grant_type", "client_credentials")][..], &secret].concat())
    };
    let answer = ask("users:read").expect(200);
    assert_eq!(answer.json()["scope"], "users:read");
    let reader = with_token(&app, answer);
    let _ = reader.get("/Users").expect(200);
    reader.post("/Users", &user("eve")).refused(403, None);
    with_token(&app, ask("scim")).post("/Groups", &json!({ "displayName": "crew" })).refused(403, None);
    let _ = with_token(&app, ask("")).post("/Users", &user("ada")).expect(201);
    for wrong in [
        "groups:read",
        "users:read groups:read",
        "admin",
        "users:read  users:write",
        "Users:Read",
        "scim x",
        " ",
    ] {
        must_be(&ask(wrong), 400, "invalid_scope");
    }
    for scope in ["admin", "audit"] {
        let command = Command::ClientCreate {
            tenant: FIRST_TENANT.to_owned(),
            connection: "idp".to_owned(),
            scopes: vec!["users:read".to_owned(), scope.to_owned()],
            kind: ClientKind::Secret,
            days: 30,
        };
        assert!(refused(&app, command).contains("leave them out"));
    }
}

#[test]
fn d_e20_two_secrets_work_side_by_side_a_third_is_refused_and_an_expired_one_fetches_nothing() {
    let app = TestApp::start();
    let first = client(&app, ClientKind::Secret, &[]);
    let second = add_secret(&app, &first.id, 400);
    let _ = (fetch(&app, &first).expect(200), fetch(&app, &second).expect(200));
    let third = Command::ClientSecretAdd { client: first.id.clone(), days: 30 };
    let said = refused(&app, third.clone());
    assert!(
        said.contains("has 2 live secrets already") && said.contains("rosterd client secret revoke"),
        "{said}"
    );

    // The first was made for thirty days.
    app.clock().advance(30 * 86_400 - 60);
    let token = with_token(&app, fetch(&app, &first));
    app.clock().advance(120);
    must_be(&fetch(&app, &first), 401, "invalid_client");
    let _ = fetch(&app, &second).expect(200);
    // A token that was fetched before lives its own life, and one that has run out leaves room for another.
    let _ = token.get("/Users").expect(200);
    app.operate(third);
    assert_eq!(clients(&app)[0].secrets.len(), 2);
}

#[test]
fn d_e20_an_access_token_ends_after_its_hour_or_as_the_setting_says() {
    for (settings, seconds) in [(&[][..], 3600), (&[("tokens.access_lifetime_minutes", "360")][..], 21_600)] {
        let app = TestApp::with(Engine::Memory, settings, std::sync::Arc::new(rosterd::net::SystemResolver));
        let made = client(&app, ClientKind::Secret, &[]);
        let answer = fetch(&app, &made).expect(200);
        assert_eq!(answer.json()["expires_in"], seconds);
        let entra = with_token(&app, answer);
        app.clock().advance(seconds - 10);
        let _ = entra.get("/Users").expect(200);
        app.clock().advance(10);
        entra.get("/Users").refused(401, None);
        assert_eq!(clients(&app)[0].access_tokens, 0);
    }
}

#[test]
fn r28_d_e20_a_reload_changes_how_long_new_access_tokens_live() {
    let app = TestApp::start();
    let made = client(&app, ClientKind::Secret, &[]);
    assert_eq!(fetch(&app, &made).expect(200).json()["expires_in"], 3600);
    let sources = Sources::new(Environment::default()).flag("test", "tokens.access_lifetime_minutes", "90");
    app.daemon().reloader().apply(&Config::load(&sources).unwrap()).unwrap();
    assert_eq!(fetch(&app, &made).expect(200).json()["expires_in"], 5400);
}

#[test]
fn d_e20_revoking_a_secret_or_a_client_ends_what_it_fetched_at_once_and_for_good() {
    let mut app = TestApp::on(Engine::Redb);
    let first = client(&app, ClientKind::Secret, &[]);
    let second = add_secret(&app, &first.id, 30);
    let [by_first, by_second] = [&first, &second].map(|made| with_token(&app, fetch(&app, made)));
    // Both are remembered now.
    let _ = (by_first.get("/Users").expect(200), by_second.get("/Users").expect(200));
    revoke_secret(&app, &first);
    by_first.get("/Users").refused(401, None);
    let _ = by_second.get("/Users").expect(200);
    must_be(&fetch(&app, &first), 401, "invalid_client");
    let _ = fetch(&app, &second).expect(200);

    revoke(&app, &first.id);
    by_second.get("/Users").refused(401, None);
    must_be(&fetch(&app, &second), 401, "invalid_client");
    assert!(clients(&app).is_empty());
    app.restart();
    for token in [by_first, by_second] {
        app.with(token.token()).get("/Users").refused(401, None);
    }
    for command in [
        Command::ClientRevoke { client: first.id.clone() },
        Command::ClientSecretRevoke { client: first.id.clone(), id: first.secret_id },
        Command::ClientRevoke { client: "x".to_owned() },
    ] {
        assert!(refused(&app, command).contains("rosterd client list shows them"));
    }
}

#[test]
fn d_e20_access_tokens_survive_a_restart() {
    let mut app = TestApp::on(Engine::Redb);
    let made = client(&app, ClientKind::Secret, &[]);
    let token = with_token(&app, fetch(&app, &made));
    app.restart();
    let _ = app.with(token.token()).get("/Users").expect(200);
    let _ = fetch(&app, &made).expect(200);
}

#[test]
fn d_e20_a_client_that_never_stops_asking_keeps_sixteen_tokens_and_does_not_fill_the_history() {
    let app = TestApp::start();
    let made = client(&app, ClientKind::Secret, &[]);
    let first = with_token(&app, fetch(&app, &made));
    let second = with_token(&app, fetch(&app, &made));
    let _ = first.get("/Users").expect(200);
    for _ in 2..=ACCESS_PER_CLIENT_MAX {
        let _ = fetch(&app, &made).expect(200);
    }
    // The oldest had to go, although it was remembered.
    first.get("/Users").refused(401, None);
    let _ = second.get("/Users").expect(200);
    for _ in 0..100 {
        let _ = fetch(&app, &made).expect(200);
    }
    assert_eq!(clients(&app)[0].access_tokens, ACCESS_PER_CLIENT_MAX);
    let issues = |app: &TestApp| {
        let rows = world::said(&world::history(app.roster(), TenantId::new(1)));
        rows.into_iter().filter(|(facts, _)| facts.action == Action::AccessIssue).collect::<Vec<_>>()
    };
    let asked = 1 + ACCESS_PER_CLIENT_MAX + 100;
    let written = issues(&app).len();
    assert!((1..=3 * 6).contains(&written) && written < asked, "{written} of {asked}");
    app.clock().advance(120);
    let _ = fetch(&app, &made).expect(200);
    let last = issues(&app).pop().unwrap().0;
    assert!(
        last.notes[0].ends_with("more were given to this client before, and not written down"),
        "{last:?}"
    );
}

#[test]
fn x1_x58_the_history_says_who_and_what_and_no_secret_is_kept_anywhere() {
    let app = TestApp::on(Engine::Redb);
    let made = client(&app, ClientKind::Secret, &["users:read", "users:write"]);
    let second = add_secret(&app, &made.id, 30);
    let entra = with_token(&app, fetch(&app, &made));
    let _ = entra.post("/Users", &user("ada")).expect(201);
    let wrong = send(
        &app,
        &[("grant_type", "client_credentials"), ("client_id", &made.id), ("client_secret", "rosts_wrong")],
    );
    must_be(&wrong, 401, "invalid_client");
    let said = || world::said(&world::history(app.roster(), TenantId::new(1)));
    // The refusal is written down while nobody waits for it.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !said().iter().any(|(facts, _)| facts.action == Action::Refuse) {
        assert!(std::time::Instant::now() < deadline, "the refusal is not in the history");
        std::thread::yield_now();
    }
    revoke_secret(&app, &second);
    revoke(&app, &made.id);
    let id = rosterd::ids::ClientId::parse(&made.id).unwrap();
    let rows = said();
    let told: Vec<_> =
        rows.iter().map(|(facts, _)| (facts.action, facts.who, facts.result.as_str())).collect();
    let wanted = [
        (Action::ClientCreate, Actor::Cli, "ok"),
        (Action::SecretCreate, Actor::Cli, "ok"),
        (Action::AccessIssue, Actor::Client(id), "ok"),
        (Action::Create, Actor::Client(id), "ok"),
        (Action::Refuse, Actor::Client(id), "invalid_client: no such secret"),
        (Action::SecretRevoke, Actor::Cli, "ok"),
        (Action::ClientRevoke, Actor::Cli, "ok"),
    ];
    assert_eq!(told[told.len() - wanted.len()..], wanted);

    let all = serde_json::to_string(&rows.iter().map(|(_, values)| values).collect::<Vec<_>>()).unwrap();
    assert!(all.contains(&made.secret_id) && all.contains("users:write"), "{all}");
    let token = entra.token().to_owned();
    let files: Vec<u8> = std::fs::read_dir(app.folder())
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.unwrap().path()).ok())
        .flatten()
        .collect();
    let has = |text: &str| files.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has(&made.secret_id), "the search finds what is there");
    for secret in [&made.secret, &second.secret, &token] {
        assert!(!has(secret) && !all.contains(secret.as_str()));
    }
}

#[test]
fn x11_a_wrong_secret_is_answered_like_an_unknown_client() {
    let app = TestApp::start();
    let made = client(&app, ClientKind::Secret, &[]);
    let other = client(&app, ClientKind::Secret, &[]);
    let ask = |id: &str, secret: &str| {
        send(&app, &[("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)])
    };
    let unknown = ask("0192f0c1-2b3c-7def-8123-456789abcdef", &made.secret);
    must_be(&unknown, 401, "invalid_client");
    assert_eq!(unknown.header("www-authenticate"), Some("Basic realm=\"rosterd\""));
    let prefix = &made.secret[..made.secret.len() - 1];
    for (id, secret) in [
        (&*made.id, &*other.secret),
        (&made.id, prefix),
        (&made.id, &format!("{}0", made.secret)),
        (&made.id, &made.secret.to_uppercase()),
        (&made.id, "x"),
        (&made.id.to_uppercase(), &made.secret),
        ("conn-12", &made.secret),
        ("00000000-0000-0000-0000-000000000000", &made.secret),
        ("", &made.secret),
    ] {
        let answer = ask(id, secret);
        if id.is_empty() {
            must_be(&answer, 400, "invalid_request");
        } else {
            assert_eq!(answer.essence(), unknown.essence(), "{id} {secret}");
        }
    }
    let by_header =
        request("grant_type=client_credentials").header("Authorization", basic(&made.id, &other.secret));
    assert_eq!(app.stranger().send(&by_header).essence(), unknown.essence());
    // Nothing shown at all, or a name alone.
    for fields in [
        &[("grant_type", "client_credentials")][..],
        &[("grant_type", "client_credentials"), ("client_id", &made.id)],
    ] {
        assert_eq!(send(&app, fields).essence(), unknown.essence());
    }
    // Neither a secret nor an id opens anything by itself.
    app.with(&made.secret).get("/Users").refused(401, None);
    app.with(&made.id).get("/Users").refused(401, None);
    let _ = fetch(&app, &made).expect(200);
}

#[test]
fn x7_x11_failing_in_a_clients_name_slows_down_whoever_fails_and_not_the_client() {
    let app = TestApp::start();
    let made = client(&app, ClientKind::Secret, &[]);
    let wrong =
        [("grant_type", "client_credentials"), ("client_id", &made.id), ("client_secret", "rosts_wrong")];
    let mut slowed = 0;
    for _ in 0..100 {
        let answer = send(&app, &wrong);
        if answer.status == 429 {
            slowed += 1;
            let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=61).contains(&seconds));
            must_be(&answer, 429, "temporarily_unavailable");
        } else {
            must_be(&answer, 401, "invalid_client");
        }
        // From the same address, in between and afterwards.
        let _ = fetch(&app, &made).expect(200);
    }
    assert!(slowed >= 40 - 1, "{slowed}");
}

#[test]
fn rfc6749_5_2_what_is_no_request_for_a_token_is_refused_with_the_word_for_it() {
    let app = TestApp::start();
    let made = client(&app, ClientKind::Secret, &[]);
    let grant = ("grant_type", "client_credentials");
    let (id, secret) = (("client_id", &*made.id), ("client_secret", &*made.secret));
    for (word, fields) in [
        ("invalid_request", &[id, secret][..]),
        ("invalid_request", &[("grant_type", ""), id, secret]),
        ("unsupported_grant_type", &[("grant_type", "password"), id, secret]),
        ("unsupported_grant_type", &[("grant_type", "refresh_token"), id, secret]),
        ("unsupported_grant_type", &[("grant_type", "Client_Credentials"), id, secret]),
        // No field twice, whatever it says (RFC 6749 §3.2).
        ("invalid_request", &[grant, grant, id, secret]),
        ("invalid_request", &[grant, id, id, secret]),
        ("invalid_request", &[grant, id, secret, secret]),
        ("invalid_request", &[grant, id, secret, ("scope", "scim"), ("scope", "scim")]),
        ("invalid_request", &[grant, id, secret, ("scope", ""), ("scope", "scim")]),
        ("invalid_request", &[grant, id, secret, ("other", "1"), ("other", "2")]),
        // One way of authentication (RFC 6749 §2.3).
        (
            "invalid_request",
            &[grant, id, secret, ("client_assertion", "a.b.c"), ("client_assertion_type", JWT_BEARER)],
        ),
        ("invalid_request", &[grant, id, secret, ("client_assertion", "a.b.c")]),
        ("invalid_request", &[grant, id, secret, ("client_assertion_type", JWT_BEARER)]),
        ("invalid_request", &[grant, secret]),
        ("invalid_request", &[grant, id, ("client_assertion", "a.b.c")]),
        ("invalid_request", &[grant, id, ("client_assertion_type", JWT_BEARER)]),
        (
            "invalid_request",
            &[
                grant,
                id,
                ("client_assertion", "a.b.c"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
            ],
        ),
    ] {
        must_be(&send(&app, fields), 400, word);
    }
    let stranger = app.stranger();
    let body = form(&[grant, id, secret]);
    let with = |name: &str, value: &str| stranger.send(&request(&*body).header(name, value));
    must_be(&with("Authorization", &basic(&made.id, &made.secret)), 400, "invalid_request");
    must_be(&with("Authorization", "Bearer abc"), 400, "invalid_request");
    let named = |id: &str| {
        let body = form(&[grant, ("client_id", id)]);
        stranger.send(&request(body).header("Authorization", basic(&made.id, &made.secret)))
    };
    let _ = named(&made.id).expect(200);
    must_be(&named("another"), 400, "invalid_request");

    // A secret in a URL is refused, also when it is right, and also beside a good body.
    for query in [&*body, "client_secret=x", "scope=scim", ""] {
        let target = format!("{TOKEN}?{query}");
        let form_type = ("Content-Type", "application/x-www-form-urlencoded");
        let sent = Request::new("POST", target).header(form_type.0, form_type.1).body(&*body);
        must_be(&stranger.send(&sent), 400, "invalid_request");
    }
    for kind in [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencodedx",
        "",
    ] {
        let sent = Request::new("POST", TOKEN).header("Content-Type", kind).body(&*body);
        must_be(&stranger.send(&sent), 400, "invalid_request");
    }
    let sent = Request::new("POST", TOKEN)
        .header("Content-Type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8")
        .body(&*body);
    let _ = stranger.send(&sent).expect(200);
    let json =
        json!({ "grant_type": "client_credentials", "client_id": made.id, "client_secret": made.secret });
    let sent =
        Request::new("POST", TOKEN).header("Content-Type", "application/x-www-form-urlencoded").json(&json);
    must_be(&stranger.send(&sent), 400, "invalid_request");

    let huge = form(&[grant, id, secret, ("scope", &"x".repeat(40_000))]);
    must_be(&stranger.send(&request(huge)), 413, "invalid_request");
    let many = (0..40).map(|number| format!("&f{number}=1")).collect::<Vec<_>>().concat();
    must_be(&stranger.send(&request(format!("{body}{many}"))), 400, "invalid_request");
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let answer = stranger.send(&Request::new(method, TOKEN));
        assert_eq!((answer.status, &answer.json()["error"]), (405, &"invalid_request".into()), "{method}");
    }
    let _ = stranger.send(&request(body)).expect(200);
}

#[test]
fn a_connection_has_eight_clients_at_most() {
    let app = TestApp::start();
    let mut ids: Vec<String> =
        (0..CLIENTS_PER_CONNECTION_MAX).map(|_| client(&app, ClientKind::Secret, &[]).id).collect();
    let another = Command::ClientCreate {
        tenant: FIRST_TENANT.to_owned(),
        connection: "idp".to_owned(),
        scopes: vec![],
        kind: ClientKind::Secret,
        days: 30,
    };
    assert!(refused(&app, another.clone()).contains("has 8 clients already"));
    revoke(&app, &ids.remove(3));
    app.operate(another);
}

#[test]
fn x14_a_token_of_one_tenants_client_sees_nothing_of_another_tenant() {
    let app = TestApp::start();
    let other = app.tenant("other");
    let ada = other.post("/Users", &user("ada")).expect(201).id();
    let made = client(&app, ClientKind::Secret, &[]);
    let entra = with_token(&app, fetch(&app, &made));
    entra.get(&format!("/Users/{ada}")).refused(404, None);
    assert_eq!(entra.get("/Users").expect(200).json()["totalResults"], 0);
}
