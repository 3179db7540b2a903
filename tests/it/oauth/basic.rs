//! Secrets with each request (Basic), for what can do nothing else: off, until an operator turns it on for a client.

use rosterd::roster::{ClientKind, Command};

use super::idp::Idp;
use super::world::{add_secret, basic, client, fetch, must_be, refused, revoke, revoke_secret};
use crate::support::bodies::user;
use crate::support::{Answer, Request, TestApp};

fn get(app: &TestApp, authorization: &str) -> Answer {
    app.stranger().send(&Request::scim("GET", "/Users").header("Authorization", authorization))
}

// Rows: D-P2.
#[test]
fn x5_basic_is_taken_from_clients_for_which_it_was_turned_on_and_from_no_other() {
    let app = TestApp::start();
    let plain = client(&app, ClientKind::Secret, &[]);
    let nobody = get(&app, "Bearer nobody");
    assert_eq!(get(&app, &basic(&plain.id, &plain.secret)).essence(), nobody.essence(), "off by default");

    let made = client(&app, ClientKind::Basic, &["users:read"]);
    let _ = get(&app, &basic(&made.id, &made.secret)).expect(200);
    let _ = get(&app, &basic(&made.id, &made.secret).replacen("Basic", "bASIC", 1)).expect(200);
    let post = Request::scim("POST", "/Users")
        .json(&user("ada"))
        .header("Authorization", basic(&made.id, &made.secret));
    app.stranger().send(&post).refused(403, None);
    for (user, password) in [
        (&*made.id, &*plain.secret),
        (&plain.id, &made.secret),
        (&made.id, ""),
        ("", &made.secret),
        (&made.id.to_uppercase(), &made.secret),
        (&made.id, &format!("{} ", made.secret)),
        (&made.id, &format!(":{}", made.secret)),
    ] {
        assert_eq!(get(&app, &basic(user, password)).essence(), nobody.essence(), "{user}:{password}");
    }
    for wrong in [
        "Basic",
        "Basic ",
        "Basic !",
        "Basic aWQ",
        &format!("Basic  {}", &basic(&made.id, &made.secret)[6..]),
    ] {
        assert_eq!(get(&app, wrong).essence(), nobody.essence(), "{wrong}");
    }
    let config = app.get("/ServiceProviderConfig").expect(200).json();
    let schemes = config["authenticationSchemes"].as_array().unwrap();
    let kinds: Vec<_> = schemes.iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["oauthbearertoken", "oauth2", "httpbasic"]);
    // Such a client fetches nothing, and no issuer stands for it.
    must_be(&fetch(&app, &made), 400, "unauthorized_client");
    let idp = Idp::start();
    let pin = Command::ClientFederate { client: made.id, federation: idp.pinned() };
    assert!(refused(&app, pin).contains("make another for assertions"));
}

#[test]
fn x5_a_secret_that_was_ended_or_has_expired_opens_nothing_more_also_when_it_was_remembered() {
    let app = TestApp::start();
    let first = client(&app, ClientKind::Basic, &[]);
    let second = add_secret(&app, &first.id, 400);
    let [by_first, by_second] = [&first, &second].map(|made| basic(&made.id, &made.secret));
    let _ = (get(&app, &by_first).expect(200), get(&app, &by_second).expect(200));
    app.clock().advance(31 * 86_400);
    get(&app, &by_first).refused(401, None);
    let _ = get(&app, &by_second).expect(200);
    revoke_secret(&app, &second);
    get(&app, &by_second).refused(401, None);
    let third = add_secret(&app, &first.id, 30);
    let by_third = basic(&third.id, &third.secret);
    let _ = get(&app, &by_third).expect(200);
    revoke(&app, &first.id);
    get(&app, &by_third).refused(401, None);
}
