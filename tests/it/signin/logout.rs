//! What a provider orders: logout tokens and global token revocation (X51), and the URL that ends its own session.

use rosterd::jwt::Flaw;
use rosterd::signin::rp::{
    LogoutOrder, Provider, Refusal, Revocation, RevocationSubject, TokenFlaw, Whose, logout_form,
};
use serde_json::{Value, json};

use super::op::{CLIENT, SUBJECT, form, over};
use super::world::{World, later, now};
use crate::support::signer::{Signer, hmac_sign, message};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const HERE: &str = "https://rosterd.test/sso/op/global-token-revocation";

fn claims(world: &World) -> Value {
    let second = now().as_second();
    json!({
        "iss": world.op.issuer(), "aud": CLIENT, "iat": second, "exp": second + 120, "jti": "j-1",
        "sid": "s-1", "sub": SUBJECT, "events": { EVENT: {} },
    })
}

fn logout(world: &World, token: &str) -> Result<LogoutOrder, TokenFlaw> {
    world.runtime.block_on(world.rp.logout(&world.provider(), token, now())).map_err(
        |refusal| match refusal {
            Refusal::LogoutToken(flaw) => flaw,
            other => panic!("{other:?}"),
        },
    )
}

/// `-rp-backchannel-rpinitlogout`.
#[test]
fn x51_a_logout_token_says_whose_sessions_end_and_how_long_its_id_is_remembered() {
    let world = World::start();
    let order = |patch: Value| {
        let token = world.op.sign(&json!({ "typ": "logout+jwt" }), &over(claims(&world), &patch));
        logout(&world, &token).unwrap()
    };
    let both = order(json!({}));
    let (sid, subject) = ("s-1".to_owned(), SUBJECT.to_owned());
    assert_eq!(both.whose, Whose::Session { sid: sid.clone(), subject: Some(subject.clone()) });
    assert_eq!((both.issuer, both.jti.as_str()), (world.op.issuer(), "j-1"));
    // As long as it would be taken once more: ten minutes and the leeway.
    assert_eq!(both.remember_until, later(661));
    assert_eq!(order(json!({ "sub": null })).whose, Whose::Session { sid, subject: None });
    assert_eq!(order(json!({ "sid": null })).whose, Whose::Subject(subject));
    for header in [
        json!({}),
        json!({ "typ": "JWT" }),
        json!({ "typ": "application/logout+jwt" }),
        json!({ "typ": "Logout+JWT" }),
    ] {
        assert!(logout(&world, &world.op.sign(&header, &claims(&world))).is_ok(), "{header}");
    }
}

/// `-rp-backchannel-rpinitlogout-alg-none`, `-no-event`, `-wrong-event`, `-with-nonce`, `-wrong-alg`, `-wrong-aud`, `-wrong-iss`.
#[test]
fn x51_a_logout_token_with_one_thing_wrong_ends_nothing() {
    let world = World::start();
    let at = |offset: i64| now().as_second() + offset;
    for (patch, flaw) in [
        (json!({ "iss": "https://evil.example" }), TokenFlaw::Issuer),
        (json!({ "aud": "another" }), TokenFlaw::Audience),
        (json!({ "aud": null }), TokenFlaw::Audience),
        (json!({ "events": null }), TokenFlaw::Events),
        (json!({ "events": {} }), TokenFlaw::Events),
        (json!({ "events": { "http://schemas.openid.net/event/other": {} } }), TokenFlaw::Events),
        (json!({ "events": { EVENT: true } }), TokenFlaw::Events),
        (json!({ "events": EVENT }), TokenFlaw::Events),
        (json!({ "nonce": "n" }), TokenFlaw::UnwantedNonce),
        (json!({ "nonce": "" }), TokenFlaw::UnwantedNonce),
        (json!({ "jti": null }), TokenFlaw::Jti),
        (json!({ "jti": "" }), TokenFlaw::Jti),
        (json!({ "jti": "j".repeat(513) }), TokenFlaw::Jti),
        (json!({ "sid": null, "sub": null }), TokenFlaw::Nobody),
        (json!({ "sid": "" }), TokenFlaw::Nobody),
        (json!({ "sid": 7 }), TokenFlaw::Nobody),
        (json!({ "sub": "" }), TokenFlaw::Subject),
        (json!({ "sub": "s".repeat(256) }), TokenFlaw::Subject),
        (json!({ "iat": null }), TokenFlaw::IssuedAt),
        (json!({ "iat": at(61) }), TokenFlaw::IssuedAt),
        (json!({ "iat": at(-661), "exp": at(60) }), TokenFlaw::IssuedAt),
        (json!({ "exp": null }), TokenFlaw::Expired),
        (json!({ "exp": at(-60) }), TokenFlaw::Expired),
        (json!({ "nbf": at(61) }), TokenFlaw::NotYet),
    ] {
        let token = world.op.sign(&json!({}), &over(claims(&world), &patch));
        assert_eq!(logout(&world, &token).unwrap_err(), flaw, "{patch}");
    }
    for typ in ["at+jwt", "secevent+jwt", "global-token-revocation+jwt", ""] {
        assert_eq!(
            logout(&world, &world.op.sign(&json!({ "typ": typ }), &claims(&world))).unwrap_err(),
            TokenFlaw::Type
        );
    }
    let unknown = TokenFlaw::Unreadable(Flaw::UnknownAlgorithm);
    let none = format!("{}.", message(&json!({ "alg": "none" }), &claims(&world)));
    assert_eq!(logout(&world, &none).unwrap_err(), unknown);
    let header = json!({ "alg": "HS256", "kid": "ec-1" });
    assert_eq!(
        logout(&world, &hmac_sign(&header, &claims(&world), super::op::SECRET.as_bytes())).unwrap_err(),
        unknown
    );
    assert_eq!(logout(&world, &Signer::ec("ec-1").sign(&claims(&world))).unwrap_err(), TokenFlaw::Signature);
    let other = Signer::ec384("ec-1").sign(&claims(&world));
    assert_eq!(logout(&world, &other).unwrap_err(), TokenFlaw::Algorithm("ES384"));
}

#[test]
fn x51_an_id_token_orders_no_logout_and_a_logout_token_signs_nobody_in() {
    let world = World::start();
    let id_token = world.sign_in(&world.provider()).unwrap().id_token;
    assert_eq!(logout(&world, id_token.expose()).unwrap_err(), TokenFlaw::Events);
    let token = world.op.sign(&json!({ "typ": "logout+jwt" }), &claims(&world));
    world.op.state().id_token = Some(token);
    assert_eq!(world.flaw(), TokenFlaw::Type);
    let untyped = world.op.sign(&json!({}), &claims(&world));
    world.op.state().id_token = Some(untyped);
    assert_eq!(world.flaw(), TokenFlaw::Nonce);
}

#[test]
fn x51_the_form_of_a_logout_has_one_token_and_sixteen_kib_at_most() {
    assert_eq!(logout_form(b"logout_token=a.b.c&x=y").unwrap(), "a.b.c");
    let long = format!("logout_token={}", "a".repeat(16 * 1024));
    for wrong in ["", "x=y", "logout_token=", "logout_token=a&logout_token=a", &long] {
        assert!(matches!(logout_form(wrong.as_bytes()), Err(Refusal::OrderBody(_))), "{wrong:.40}");
    }
}

fn revoke(world: &World, token: &str, body: &Value) -> Result<Revocation, Refusal> {
    let at: Provider = world.provider();
    world.runtime.block_on(world.rp.revocation(&at, token, body.to_string().as_bytes(), HERE, now()))
}

/// What Okta's Universal Logout sends.
#[test]
fn x51_a_revocation_is_taken_from_the_provider_alone_and_says_about_whom() {
    let world = World::start();
    let second = now().as_second();
    let good = json!({
        "iss": world.op.issuer(), "sub": CLIENT, "aud": HERE, "jti": "r-1", "iat": second, "nbf": second - 300, "exp": second + 300,
    });
    let typed = json!({ "typ": "global-token-revocation+jwt" });
    let identity = json!({ "sub_id": { "format": "iss_sub", "iss": world.op.issuer(), "sub": SUBJECT } });
    let token = world.op.sign(&typed, &good);
    let found = revoke(&world, &token, &identity).unwrap();
    assert_eq!(
        found.subject,
        RevocationSubject::Identity { issuer: world.op.issuer(), subject: SUBJECT.to_owned() }
    );
    assert_eq!((found.jti.as_str(), found.remember_until), ("r-1", later(661)));
    let email = json!({ "sub_id": { "format": "email", "email": "ada@firm.example" } });
    assert_eq!(
        revoke(&world, &token, &email).unwrap().subject,
        RevocationSubject::Email("ada@firm.example".to_owned())
    );
    for (header, patch, flaw) in [
        (json!({}), json!({}), TokenFlaw::Type),
        (json!({ "typ": "JWT" }), json!({}), TokenFlaw::Type),
        (json!({ "typ": "logout+jwt" }), json!({}), TokenFlaw::Type),
        (typed.clone(), json!({ "aud": CLIENT }), TokenFlaw::Audience),
        (typed.clone(), json!({ "aud": format!("{HERE}/") }), TokenFlaw::Audience),
        (typed.clone(), json!({ "sub": "another" }), TokenFlaw::Subject),
        (typed.clone(), json!({ "iss": "https://evil.example" }), TokenFlaw::Issuer),
        (typed.clone(), json!({ "exp": second - 60 }), TokenFlaw::Expired),
        (typed.clone(), json!({ "iat": second - 661 }), TokenFlaw::IssuedAt),
        (typed.clone(), json!({ "jti": null }), TokenFlaw::Jti),
    ] {
        let token = world.op.sign(&header, &over(good.clone(), &patch));
        assert_eq!(
            revoke(&world, &token, &identity).unwrap_err(),
            Refusal::Revocation(flaw),
            "{header} {patch}"
        );
    }
    let forged = Signer::ec("ec-1")
        .sign_as(&json!({ "alg": "ES256", "typ": "global-token-revocation+jwt", "kid": "ec-1" }), &good);
    assert_eq!(revoke(&world, &forged, &identity).unwrap_err(), Refusal::Revocation(TokenFlaw::Signature));
    for body in [
        json!({}),
        json!({ "sub_id": { "format": "iss_sub", "iss": "https://evil.example", "sub": SUBJECT } }),
        json!({ "sub_id": { "format": "iss_sub", "iss": world.op.issuer(), "sub": "" } }),
        json!({ "sub_id": { "format": "opaque", "id": SUBJECT } }),
        json!({ "sub_id": { "format": "email", "email": "" } }),
        json!({ "sub_id": "x".repeat(20_000) }),
    ] {
        assert!(matches!(revoke(&world, &token, &body), Err(Refusal::OrderBody(_))), "{body:.80}");
    }
}

/// `-rp-init-logout`, `-rp-init-logout-no-state`, `-rp-init-logout-other-state`.
#[test]
fn x51_the_url_that_ends_the_providers_session_carries_the_token_and_a_state_of_its_own() {
    let world = World::start();
    let back = "https://rosterd.test/goodbye";
    let provider = world.provider_with(|settings| settings.post_logout_redirect_uri = Some(back.to_owned()));
    let id_token = world.sign_in(&provider).unwrap().id_token;
    let make = |provider: &Provider, hint: bool| {
        world
            .runtime
            .block_on(world.rp.logout_url(provider, hint.then_some(&id_token), &world.chance))
            .unwrap()
    };
    let [first, second] = [make(&provider, true), make(&provider, true)];
    let (place, query) = first.url.split_once('?').unwrap();
    let sent = form(query);
    assert_eq!(place, format!("{}/logout", world.op.issuer()));
    assert_eq!((sent["client_id"].as_str(), sent["id_token_hint"].as_str()), (CLIENT, id_token.expose()));
    assert_eq!(
        (sent["post_logout_redirect_uri"].as_str(), Some(&sent["state"])),
        (back, first.state.as_ref())
    );
    assert!(first.state != second.state && !format!("{first:?}").contains(id_token.expose()));
    // Without a place to come back to there is no state, and without a token no hint.
    let plain = make(&world.provider(), false);
    assert_eq!((plain.state, form(plain.url.split_once('?').unwrap().1).len()), (None, 1));
    let world = World::start();
    world.op.state().metadata = json!({ "end_session_endpoint": null });
    let refusal =
        world.runtime.block_on(world.rp.logout_url(&world.provider(), None, &world.chance)).unwrap_err();
    assert!(refusal.to_string().contains("no end_session_endpoint"), "{refusal}");
}
