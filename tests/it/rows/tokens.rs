//! X1, X3, X5, X7: bearer tokens.

use rosterd::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT};
use rosterd::roster::{Command, Reply, RosterError};

use crate::support::bodies::user;
use crate::support::{Engine, Request, TestApp, on_every_store};

#[test]
fn x3_two_tokens_work_side_by_side_and_a_third_is_refused() {
    on_every_store(|app| {
        let (second, id) = app.issue(FIRST_TENANT, FIRST_CONNECTION, &[]);
        let _ = app.get("/Users").expect(200);
        let _ = second.get("/Users").expect(200);
        let third = Command::TokenCreate {
            tenant: FIRST_TENANT.to_owned(),
            connection: FIRST_CONNECTION.to_owned(),
            scopes: vec![],
            days: Some(1),
            secret: None,
            person: None,
        };
        let roster = app.roster();
        let refused = roster.operate(third, roster.request_id()).unwrap_err();
        assert!(matches!(&refused, RosterError::Unfit(text) if text.contains("token revoke")), "{refused}");
        // One goes, and there is room for the next.
        app.operate(Command::TokenRevoke { id });
        let (next, _) = app.issue(FIRST_TENANT, FIRST_CONNECTION, &[]);
        let _ = next.get("/Users").expect(200);
    });
}

#[test]
fn x3_a_revoked_token_is_refused_at_once_on_an_open_connection_and_after_a_restart() {
    let mut app = TestApp::on(Engine::Redb);
    let (second, id) = app.issue(FIRST_TENANT, FIRST_CONNECTION, &[]);
    let _ = second.get("/Users").expect(200);
    app.operate(Command::TokenRevoke { id });
    second.get("/Users").refused(401, None);
    second.clone().get("/Users").refused(401, None);
    second.post("/Users", &user("ada")).refused(401, None);
    let secret = second.token().to_owned();
    app.restart();
    app.with(&secret).get("/Users").refused(401, None);
    assert_eq!(app.get("/Users").expect(200).json()["totalResults"], 0);
}

#[test]
fn x3_a_token_ends_when_its_time_is_up_and_its_last_use_is_recorded() {
    on_every_store(|app| {
        let (month, id) = app.issue(FIRST_TENANT, FIRST_CONNECTION, &[]);
        let used = |app: &TestApp| {
            let Reply::Tokens { tokens } =
                app.operate(Command::TokenList { tenant: Some(FIRST_TENANT.to_owned()) })
            else {
                panic!()
            };
            tokens.into_iter().map(|token| token.what).find(|token| token.id.to_string() == id).unwrap()
        };
        assert_eq!(used(&app).last_used, None);
        let _ = month.get("/Users").expect(200);
        let listed = used(&app);
        assert!(listed.last_used.unwrap() >= "2026-03-01T08:00:00Z".parse().unwrap());
        assert!(listed.expires.is_some());
        app.clock().advance(30 * 86_400 - 60);
        let _ = month.get("/Users").expect(200);
        app.clock().advance(120);
        month.get("/Users").refused(401, None);
        let _ = app.get("/Users").expect(200);
    });
}

#[test]
fn x5_only_one_authorization_bearer_field_is_a_credential() {
    let app = TestApp::start();
    let token = app.token().to_owned();
    let stranger = app.stranger();
    let send = |value: String| stranger.send(&Request::scim("GET", "/Users").header("Authorization", value));
    for good in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER {token}")] {
        let _ = send(good).expect(200);
    }
    let swapped: String = token
        .chars()
        .map(|letter| {
            if letter.is_ascii_lowercase() {
                letter.to_ascii_uppercase()
            } else {
                letter.to_ascii_lowercase()
            }
        })
        .collect();
    for wrong in [
        token.clone(),
        format!("Basic {token}"),
        format!("Token {token}"),
        format!("Bearer{token}"),
        format!("Bearer  {token}"),
        format!("Bearer {token}x"),
        format!("Bearer x{token}"),
        format!("Bearer {}", token.strip_prefix('r').unwrap()),
        format!("Bearer {}", &token[..token.len() - 1]),
        format!("Bearer {swapped}"),
        format!("Bearer \"{token}\""),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer {token} {token}"),
        "Bearer".to_owned(),
        "Bearer null".to_owned(),
    ] {
        let answer = send(wrong);
        answer.refused(401, None);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let without = stranger.get("/Users");
    without.refused(401, None);
    assert_eq!(
        without.essence(),
        send("Bearer nobody".to_owned()).essence(),
        "one answer, whatever is wrong"
    );
}

#[test]
fn x5_a_token_elsewhere_twice_or_huge_is_no_credential() {
    let app = TestApp::start();
    let token = app.token().to_owned();
    let stranger = app.stranger();
    for query in ["access_token", "token", "authorization", "Authorization"] {
        stranger.get(&format!("/Users?{query}={token}")).refused(401, None);
        stranger.get(&format!("/Users?{query}=Bearer+{token}")).refused(401, None);
    }
    for name in ["Cookie", "X-Authorization", "Proxy-Authorization", "X-Api-Key"] {
        let request = Request::scim("GET", "/Users").header(name, format!("Bearer {token}"));
        stranger.send(&request).refused(401, None);
    }
    let mut body = user("ada");
    body["access_token"] = token.clone().into();
    stranger.post("/Users", &body).refused(401, None);

    let bearer = format!("Bearer {token}");
    let twice =
        Request::scim("GET", "/Users").header("Authorization", &*bearer).header("authorization", &*bearer);
    stranger.send(&twice).refused(400, None);
    let underscored = Request::scim("GET", "/Users")
        .header("Authorization", "Bearer nobody")
        .header("X_Authorization", &*bearer);
    assert_eq!(stranger.send(&underscored).status, 401);

    let long =
        Request::scim("GET", "/Users").header("Authorization", format!("Bearer {}", "a".repeat(20_000)));
    stranger.send(&long).refused(431, None);
    let huge =
        Request::scim("GET", "/Users").header("Authorization", format!("Bearer {}", "a".repeat(1 << 20)));
    assert!(matches!(stranger.try_send(&huge).map(|answer| answer.status), Ok(400 | 401 | 431) | Err(_)));
    assert_eq!(app.get("/Users").expect(200).json()["totalResults"], 0);
}

#[test]
fn x7_three_hundred_wrong_tokens_do_not_keep_the_right_one_out() {
    let app = TestApp::start();
    for number in 0..300 {
        let answer = app.with(&format!("rost_{number:064}")).get("/Users");
        match answer.status {
            401 => {
                answer.refused(401, None);
            }
            429 => assert!(answer.header("retry-after").unwrap().parse::<u32>().is_ok()),
            other => panic!("{other}"),
        }
    }
    let _ = app.get("/Users").expect(200);
    let _ = app.clone().post("/Users", &user("ada")).expect(201);
}
