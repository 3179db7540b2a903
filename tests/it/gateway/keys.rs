//! The keys that sign assertions: published, turned, sealed (X9, X25, X66).

use rosterd::ids::TenantId;
use rosterd::roster::SigningKeyTurn;
use rosterd::store::Seq;
use serde_json::json;

use super::{claims, firm, hire, local, proven, published, sign_in, verify};
use crate::support::{Engine, Request, TestApp};

fn assertion(app: &TestApp, cookie: &str) -> String {
    verify(app, "psa", cookie).expect(200).header("x-rosterd-assertion").unwrap().to_owned()
}

fn turn(app: &TestApp, turn: SigningKeyTurn) {
    let (roster, request) = (app.roster(), app.roster().request_id());
    app.daemon().gateway().turn(roster, turn, request).unwrap();
}

fn kids(app: &TestApp) -> Vec<String> {
    let answer = app.stranger().send(&Request::new("GET", "/.well-known/jwks.json")).expect(200).json();
    let keys = answer["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn x25_the_published_keys_hold_nothing_that_signs_and_may_be_remembered_for_a_while() {
    let app = firm(Engine::Memory);
    let answer = app.stranger().send(&Request::new("GET", "/.well-known/jwks.json")).expect(200);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let set = answer.json();
    let [key] = set["keys"].as_array().unwrap().as_slice() else { panic!("{set}") };
    let members: Vec<&String> = key.as_object().unwrap().keys().collect();
    assert_eq!(members, ["kty", "crv", "alg", "use", "kid", "x", "y"]);
    assert_eq!((key["crv"].as_str(), key["alg"].as_str()), (Some("P-256"), Some("ES256")));
    // Who asks first makes the first key, and there is one however often it is asked for.
    assert_eq!(kids(&app).len(), 1);
}

#[test]
fn an_assertion_is_told_again_for_half_its_life_and_no_longer() {
    let app = firm(Engine::Memory);
    let ada = hire(&local(&app), "ada", &json!({}));
    let cookie = sign_in(&app, &ada);
    let jti = |text: &str| proven(&published(&app), text).unwrap()["jti"].clone();
    let first = assertion(&app, &cookie);
    app.clock().advance(20);
    assert_eq!(assertion(&app, &cookie), first);
    app.clock().advance(11);
    let second = assertion(&app, &cookie);
    assert_ne!(jti(&second), jti(&first));
    // Each session and each program has its own.
    let other = sign_in(&app, &ada);
    assert_ne!(jti(&assertion(&app, &other)), jti(&second));
    let wiki = verify(&app, "wiki", &cookie).expect(200);
    assert_eq!(claims(&app, &wiki)["aud"], "wiki.roster.test");
}

#[test]
fn a_key_is_turned_without_a_moment_in_which_an_assertion_cannot_be_proven() {
    let app = firm(Engine::Redb);
    let ada = hire(&local(&app), "ada", &json!({}));
    let cookie = sign_in(&app, &ada);
    // A program that fetches the keys as seldom as it was told to, and is never without one that it needs.
    let (mut remembered, mut fetched, mut last) = (published(&app), 0, String::new());
    let mut signers = std::collections::BTreeSet::new();
    turn(&app, SigningKeyTurn::InTurn);
    for second in (0..1500).step_by(20) {
        if second - fetched >= 300 {
            (remembered, fetched) = (published(&app), second);
        }
        let text = assertion(&app, &cookie);
        assert!(proven(&remembered, &text).is_some(), "after {second} s, with keys of {fetched} s");
        // What was signed last is good for a minute.
        if !last.is_empty() {
            assert!(proven(&published(&app), &last).is_some(), "the one before, after {second} s");
        }
        let head = text.split('.').next().unwrap().to_owned();
        signers.insert(head);
        last = text;
        app.clock().advance(20);
    }
    assert_eq!(signers.len(), 2, "both have signed");
    assert_eq!(kids(&app).len(), 1, "the first is published no more");
}

#[test]
fn x9_what_was_signed_with_a_key_that_others_may_know_is_proven_no_more() {
    let app = firm(Engine::Memory);
    let ada = hire(&local(&app), "ada", &json!({}));
    let cookie = sign_in(&app, &ada);
    let before = assertion(&app, &cookie);
    turn(&app, SigningKeyTurn::AtOnce);
    assert!(proven(&published(&app), &before).is_none());
    let after = assertion(&app, &cookie);
    assert!(proven(&published(&app), &after).is_some(), "and what is told again is not the old one");
}

#[test]
fn x66_a_copy_of_the_store_signs_nothing_and_a_lost_key_file_lets_nobody_through() {
    let mut app = firm(Engine::Redb);
    let ada = hire(&local(&app), "ada", &json!({}));
    let cookie = sign_in(&app, &ada);
    let before = assertion(&app, &cookie);
    let kept = app.folder().join("seal.key");
    let secret = std::fs::read(&kept).unwrap();
    app.restart();
    let again = assertion(&app, &cookie);
    assert!(proven(&published(&app), &again).is_some() && proven(&published(&app), &before).is_some());
    app.restart_after(|folder| std::fs::remove_file(folder.join("seal.key")).unwrap());
    let refused = verify(&app, "psa", &cookie);
    assert_eq!(refused.status, 500, "whoever cannot prove it says nothing of anybody");
    assert!(!kept.exists(), "no other key is made in its place");
    // Provisioning goes on: somebody who is to be locked is locked.
    let lock = crate::support::bodies::replace("active", false);
    let _ = local(&app).patch(&format!("/Users/{ada}"), &lock).expect(200);
    std::fs::write(&kept, secret).unwrap();
    std::fs::set_permissions(&kept, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(verify(&app, "psa", &cookie).status, 401);
}

#[test]
fn x2_no_private_half_lies_open_in_the_store_or_in_the_history() {
    let app = firm(Engine::Memory);
    turn(&app, SigningKeyTurn::InTurn);
    let keys = serde_json::to_value(app.roster().signing_keys().unwrap()).unwrap();
    let sealed = keys[0]["sealed"].as_str().unwrap();
    // PKCS #8 of an EC key names the curve; sealed, nothing of that is to be seen.
    assert!(!sealed.contains("2a8648ce3d030107") && sealed.len() > 200, "{sealed}");
    let rows = app.roster().store().snapshot().unwrap().changes(TenantId::SYSTEM, Seq::ZERO, 100).unwrap();
    let told = rows.iter().flat_map(|row| [&row.facts, &row.values]);
    let history: String = told.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    assert!(history.contains("signing-keys-turn") && history.contains(keys[0]["kid"].as_str().unwrap()));
    assert!(!history.contains(&sealed[..64]));
}
