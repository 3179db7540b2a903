//! What providers order: back-channel logout and global token revocation, over HTTP (X51).

use rosterd::roster::State;
use serde_json::{Value, json};

use super::World;
use crate::signin::op::{CLIENT, Fault, SUBJECT, over};
use crate::signin::world::now;
use crate::support::{Answer, PUBLIC_URL, Request};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn logout(world: &World, patch: Value) -> Answer {
    let second = now().as_second();
    let claims = json!({
        "iss": world.op.issuer(), "aud": CLIENT, "iat": second, "exp": second + 120, "jti": "j-1", "sid": "s-1",
        "events": { EVENT: {} },
    });
    let token = world.op.sign(&json!({ "typ": "logout+jwt" }), &over(claims, &patch));
    send(world, &format!("logout_token={token}"))
}

fn send(world: &World, body: &str) -> Answer {
    let request = Request::new("POST", "/sso/okta/backchannel-logout")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body);
    world.app.stranger().send(&request)
}

fn with_sid(world: &World, sid: &str) -> super::Browser {
    world.op.state().claims = json!({ "sid": sid });
    world.signed_in()
}

#[test]
fn x51_a_logout_token_ends_the_sessions_of_its_sid_and_no_other() {
    let world = World::start();
    world.ada();
    let (mut one, mut other) = (with_sid(&world, "s-1"), with_sid(&world, "s-2"));
    let answer = logout(&world, json!({})).expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(one.whoami(), None);
    assert!(other.whoami().is_some());
    // Nothing to end is done as well.
    let _ = logout(&world, json!({ "jti": "j-2", "sid": "s-9" })).expect(200);
}

#[test]
fn x51_a_logout_token_without_a_sid_ends_all_that_the_identity_signed_in_with() {
    let world = World::start();
    let ada = world.ada();
    let (mut one, mut other) = (with_sid(&world, "s-1"), with_sid(&world, "s-2"));
    let _ = logout(&world, json!({ "sid": null, "sub": SUBJECT })).expect(200);
    assert_eq!((one.whoami(), other.whoami()), (None, None));
    let roster = world.app.roster();
    let operator = roster.operator("main", roster.request_id()).unwrap();
    let id = rosterd::ids::ResourceId::parse(&ada).unwrap();
    assert_eq!(roster.person_view(&operator, id).unwrap().state, State::Active, "it is no lock");
}

#[test]
fn x51_a_logout_token_counts_once() {
    let world = World::start();
    world.ada();
    let mut before = with_sid(&world, "s-1");
    let _ = logout(&world, json!({})).expect(200);
    assert_eq!(before.whoami(), None);
    let mut after = with_sid(&world, "s-1");
    let _ = logout(&world, json!({})).expect(200);
    assert!(after.whoami().is_some(), "a token that was seen ends nothing");
}

#[test]
fn x51_what_is_no_logout_token_ends_nothing_and_says_nothing() {
    let world = World::start();
    world.ada();
    let mut browser = with_sid(&world, "s-1");
    for patch in [
        json!({ "events": null }),
        json!({ "nonce": "n" }),
        json!({ "aud": "somebody-else" }),
        json!({ "iss": "https://evil.example" }),
        json!({ "exp": 1 }),
        json!({ "sid": null }),
    ] {
        let answer = logout(&world, patch).expect(400);
        assert!(!answer.text().contains("s-1"), "{}", answer.text());
    }
    let _ = send(&world, "").expect(400);
    let _ = send(&world, "logout_token=a.b.c").expect(400);
    let _ = send(&world, &"x".repeat(20_000)).expect(413);
    world.op.fail(Fault::Stranger);
    let unknown = Request::new("POST", "/sso/nobody/backchannel-logout")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body("logout_token=a");
    let _ = world.app.stranger().send(&unknown).expect(404);
    assert!(browser.whoami().is_some());
}

#[test]
fn x51_an_address_that_gives_many_orders_that_are_none_is_told_to_wait() {
    let world = World::start();
    world.ada();
    let mut browser = with_sid(&world, "s-1");
    for _ in 0..300 {
        let _ = send(&world, "logout_token=a.b.c").expect(400);
    }
    let answer = send(&world, "logout_token=a.b.c").expect(429);
    assert!(answer.header("retry-after").is_some());
    let _ = revoke(&world, &json!({}), &json!({}), &json!({})).expect(429);
    assert!(browser.whoami().is_some());
}

fn revoke(world: &World, header: &Value, patch: &Value, body: &Value) -> Answer {
    let second = now().as_second();
    let here = format!("{PUBLIC_URL}/sso/okta/global-token-revocation");
    let claims = json!({
        "iss": world.op.issuer(), "sub": CLIENT, "aud": here, "iat": second, "exp": second + 120, "jti": "r-1",
    });
    let token = world.op.sign(header, &over(claims, patch));
    let request = Request::new("POST", "/sso/okta/global-token-revocation")
        .header("Content-Type", "application/json")
        .header("Authorization", format!("Bearer {token}"))
        .json(body);
    world.app.stranger().send(&request)
}

#[test]
fn x51_universal_logout_ends_everything_of_a_person_and_is_no_lock() {
    let world = World::start();
    world.ada();
    let (mut one, mut other) = (with_sid(&world, "s-1"), with_sid(&world, "s-2"));
    let typed = json!({ "typ": "global-token-revocation+jwt" });
    let whose =
        |sub: &str| json!({ "sub_id": { "format": "iss_sub", "iss": world.op.issuer(), "sub": sub } });
    let _ = revoke(&world, &json!({}), &json!({}), &whose(SUBJECT)).expect(401);
    let _ = revoke(&world, &typed, &json!({ "aud": "https://evil.example" }), &whose(SUBJECT)).expect(401);
    let _ = revoke(
        &world,
        &typed,
        &json!({}),
        &json!({ "sub_id": { "format": "email", "email": "ada@acme.example" } }),
    )
    .expect(404);
    let _ = revoke(&world, &typed, &json!({ "jti": "r-2" }), &whose("nobody")).expect(404);
    assert!(one.whoami().is_some() && other.whoami().is_some());
    let _ = revoke(&world, &typed, &json!({ "jti": "r-3" }), &whose(SUBJECT)).expect(204);
    assert_eq!((one.whoami(), other.whoami()), (None, None));
    // It counts once, and whoever signs in anew is signed in.
    let mut after = with_sid(&world, "s-3");
    let _ = revoke(&world, &typed, &json!({ "jti": "r-3" }), &whose(SUBJECT)).expect(204);
    assert!(after.whoami().is_some());
}
