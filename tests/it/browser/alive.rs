//! Sessions over HTTP, and what ends them: the moment somebody is locked, every session of theirs is dead, and an unlock revives none (X9, P06, T13).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use rosterd::roster::{Caller, Identity, Lifetimes, SessionKey, SignInEntry, SignInMethod, Whose};
use rosterd::signin::vault::Purpose;
use serde_json::{Value, json};

use super::{Browser, World, onward};
use crate::signin::op::{CLIENT, Op, SUBJECT};
use crate::support::{Engine, Request, TestApp, repeats};

const LIFETIMES: Lifetimes =
    Lifetimes { idle: SignedDuration::from_hours(8), absolute: SignedDuration::from_hours(24) };

/// What the provider proves of Ada.
const IDENTITY: Identity<'_> = Identity {
    provider: "okta",
    connection: Some("idp"),
    issuer: "https://idp.test",
    subject: SUBJECT,
    key: Some(SUBJECT),
    email: None,
};

fn entry(door: &Caller) -> SignInEntry<'static> {
    SignInEntry {
        whose: Whose::Identity(IDENTITY),
        method: SignInMethod::Oidc,
        at: Some(door.now()),
        sid: None,
        acr: None,
        amr: &[],
        address: "192.0.2.7",
        agent: "a test",
        id_token: None,
    }
}

/// Signs her in by the roster alone; returns the cookie.
fn cookie(app: &TestApp) -> String {
    let roster = app.roster();
    let door = roster.doorkeeper("main", roster.request_id()).unwrap();
    let entry = entry(&door);
    let entered = roster.sign_in(&door, &entry, LIFETIMES).unwrap().unwrap();
    format!("__Host-rosterd={}", entered.cookie.as_str())
}

fn set_active(app: &TestApp, person: &str, active: bool) {
    let patch = Request::scim("PATCH", &format!("/Users/{person}")).json(&json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "active", "value": active }],
    }));
    let _ = app.send(&patch).expect(200);
}

fn who(cookie: &str) -> Request {
    Request::new("GET", "/session").header("Cookie", cookie)
}

#[test]
fn s143_x9_no_request_that_begins_after_the_locks_answer_finds_a_session_of_a_thousand() {
    let world = World::on(Engine::Redb, Op::start(), "", "");
    let ada = world.ada();
    for _ in 0..repeats(2, 100) {
        let cookies: Vec<String> = (0..1000).map(|_| cookie(&world.app)).collect();
        let stop = AtomicBool::new(false);
        let (locked, accepted) = std::thread::scope(|scope| {
            let asking: Vec<_> = cookies
                .chunks(250)
                .map(|some| {
                    let (client, stop) = (world.app.stranger(), &stop);
                    scope.spawn(move || {
                        let mut accepted: Option<Instant> = None;
                        for cookie in some.iter().cycle() {
                            if stop.load(Ordering::Relaxed) {
                                break;
                            }
                            let begun = Instant::now();
                            if client.send(&who(cookie)).status == 200 {
                                accepted = Some(begun);
                            }
                        }
                        accepted
                    })
                })
                .collect();
            set_active(&world.app, &ada, false);
            let locked = Instant::now();
            // While they go on asking, each is asked for once more.
            let client = world.app.stranger();
            for cookie in &cookies {
                assert_eq!(client.send(&who(cookie)).status, 401);
            }
            stop.store(true, Ordering::Relaxed);
            (locked, asking.into_iter().filter_map(|one| one.join().unwrap()).max())
        });
        assert!(accepted.is_none_or(|begun| begun < locked), "a session was good after the lock's answer");
        set_active(&world.app, &ada, true);
        let client = world.app.stranger();
        for cookie in &cookies {
            assert_eq!(client.send(&who(cookie)).status, 401, "an unlock revived it");
        }
    }
}

#[test]
fn x9_of_a_thousand_sign_ins_that_race_a_lock_none_survives() {
    let world = World::start();
    let ada = world.ada();
    for _ in 0..repeats(10, 50) {
        let cookies: Vec<String> = std::thread::scope(|scope| {
            let entering: Vec<_> = (0..4)
                .map(|_| {
                    let app = &world.app;
                    scope.spawn(move || {
                        let roster = app.roster();
                        let mut cookies = Vec::new();
                        for _ in 0..25 {
                            let door = roster.doorkeeper("main", roster.request_id()).unwrap();
                            let entry = entry(&door);
                            if let Ok(Ok(entered)) = roster.sign_in(&door, &entry, LIFETIMES) {
                                cookies.push(format!("__Host-rosterd={}", entered.cookie.as_str()));
                            }
                        }
                        cookies
                    })
                })
                .collect();
            set_active(&world.app, &ada, false);
            entering.into_iter().flat_map(|one| one.join().unwrap()).collect()
        });
        for cookie in &cookies {
            assert_eq!(world.app.stranger().send(&who(cookie)).status, 401);
        }
        set_active(&world.app, &ada, true);
        for cookie in &cookies {
            assert_eq!(world.app.stranger().send(&who(cookie)).status, 401);
        }
    }
}

#[test]
fn x9_a_departure_ends_sessions_and_the_same_person_provisioned_anew_has_none() {
    let world = World::start();
    let ada = world.ada();
    let mut browser = world.signed_in();
    let _ = world.app.send(&Request::scim("DELETE", &format!("/Users/{ada}"))).expect(204);
    assert_eq!(browser.whoami(), None);
    world.ada();
    assert_eq!(browser.whoami(), None);
}

#[test]
fn a_session_that_is_not_used_ends_and_so_does_one_that_is_old() {
    let world = World::of(Op::start(), "", "[sessions]\nidle_minutes = 60\nabsolute_minutes = 150\n");
    world.ada();
    let mut browser = world.signed_in();
    for _ in 0..2 {
        world.app.clock().advance(59 * 60);
        assert!(browser.whoami().is_some());
        // That it was used is written down beside the answer.
        let seen = || {
            browser.client.send(
                &Request::new("GET", "/me/sessions")
                    .header("Cookie", format!("__Host-rosterd={}", browser.cookies["__Host-rosterd"])),
            )
        };
        let before = seen().json()["items"][0]["created"].clone();
        let deadline = Instant::now() + std::time::Duration::from_secs(20);
        while seen().json()["items"][0]["seen"] == before {
            assert!(Instant::now() < deadline, "the use of the session was not written down");
            std::thread::yield_now();
        }
    }
    world.app.clock().advance(35 * 60);
    assert_eq!(browser.whoami(), None);
    let second = world.app.roster().current_time().as_second();
    world.op.state().claims = json!({ "iat": second, "exp": second + 300 });
    let mut idle = world.signed_in();
    world.app.clock().advance(61 * 60);
    assert_eq!(idle.whoami(), None);
}

#[test]
fn one_tenants_sessions_live_as_that_tenant_decided() {
    let more = "[tenants.main.sessions]\nidle_minutes = 5\n";
    let world = World::of(Op::start(), "", more);
    world.ada();
    let mut browser = world.signed_in();
    world.app.clock().advance(6 * 60);
    assert_eq!(browser.whoami(), None);
}

#[test]
fn t13_somebody_sees_their_own_sessions_and_ends_them() {
    let world = World::start();
    world.ada();
    let (mut here, mut there) = (world.signed_in(), world.signed_in());
    let listed = here.get("/me/sessions").expect(200).json();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let this = listed["current"].as_str().unwrap();
    let other =
        items.iter().map(|one| one["id"].as_str().unwrap()).find(|id| *id != this).unwrap().to_owned();
    let delete = Request::new("DELETE", format!("/me/sessions/{other}"));
    // Not at another site's wish.
    let _ = here.send(delete.clone()).expect(403);
    let _ = here.send(delete.clone().header("Origin", "https://evil.example")).expect(403);
    assert!(there.whoami().is_some());
    let ours = delete.header("Origin", crate::support::PUBLIC_URL);
    let _ = here.send(ours.clone()).expect(204);
    assert_eq!(there.whoami(), None);
    assert!(here.whoami().is_some());
    let _ = here.send(ours).expect(404);
    // Nor somebody else's.
    let _ = world.person("grace@acme.example", "another");
    world.op.state().claims = json!({ "sub": "another" });
    let mut grace = world.signed_in();
    let hers = grace.get("/me/sessions").expect(200).json()["current"].as_str().unwrap().to_owned();
    let theft =
        Request::new("DELETE", format!("/me/sessions/{hers}")).header("Origin", crate::support::PUBLIC_URL);
    let _ = here.send(theft).expect(404);
    assert!(grace.whoami().is_some());
}

#[test]
fn x43_signing_out_ends_the_session_and_takes_the_cookie_away() {
    let world = World::start();
    world.ada();
    let mut browser = world.signed_in();
    let mut stolen = browser.clone();
    let form = Browser::form("/logout", &[]);
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let other = Request::new("POST", "/logout")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header(name, value)
            .body("");
        let _ = browser.send(other).expect(403);
    }
    assert!(browser.whoami().is_some());
    let answer = browser.send(form).expect(303);
    assert_eq!(answer.header("location"), Some("/logout"));
    assert!(!browser.cookies.contains_key("__Host-rosterd"));
    assert_eq!(stolen.whoami(), None);
}

#[test]
fn signing_out_at_the_provider_too_leads_there_and_back() {
    let world = World::start();
    world.ada();
    let mut browser = world.signed_in();
    let answer = browser.post("/logout", &[("provider", "yes")]).expect(200);
    let there = onward(&answer);
    let (place, query) = there.split_once('?').unwrap();
    assert_eq!(place, format!("{}/logout", world.op.issuer()));
    let asked = crate::signin::op::form(query);
    assert_eq!(asked["post_logout_redirect_uri"], format!("{}/logout", crate::support::PUBLIC_URL));
    assert_eq!(claims(&asked["id_token_hint"])["sub"], SUBJECT, "some providers end nothing without it");
    let _ = browser.get("/logout?state=whatever").expect(200);
    assert_eq!(browser.whoami(), None);
}

/// Reads the claims of a token, whoever signed it.
fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[test]
fn x61_an_id_token_is_kept_sealed_for_the_sign_out_where_it_is_of_use_and_no_longer() {
    let mut world = World::start();
    world.ada();
    let key = |browser: &Browser| SessionKey::parse(&browser.cookies["__Host-rosterd"]).unwrap();
    let sealed = |world: &World, key: &SessionKey| world.app.roster().sealed_id_token(key).unwrap();

    let mut here = world.signed_in();
    let there = world.signed_in();
    let [mine, other] = [key(&here), key(&there)];
    let kept = sealed(&world, &mine).unwrap();
    let issuer = world.op.issuer();
    let vault = world.app.daemon().vault();
    let open = |place: &SessionKey| vault.open(Purpose::IdToken, &[place.place()], &kept);
    let token = String::from_utf8(open(&mine).unwrap().to_vec()).unwrap();
    assert_eq!(claims(&token)["iss"], issuer);
    assert!(!kept.windows(8).any(|some| token.as_bytes().windows(8).any(|one| one == some)), "in clear");
    assert!(open(&other).is_err(), "it opens for the session alone for which it was sealed");
    let _ = here.post("/logout", &[]).expect(303);
    assert_eq!((sealed(&world, &mine), sealed(&world, &other).is_some()), (None, true));

    // One that no URL should hold is not kept, and the provider is told who asks by the client's name alone.
    world.op.state().claims = json!({ "groups": "g".repeat(6 * 1024) });
    let mut here = world.signed_in();
    assert_eq!(sealed(&world, &key(&here)), None);
    let there = onward(&here.post("/logout", &[("provider", "yes")]).expect(200));
    let asked = crate::signin::op::form(there.split_once('?').unwrap().1);
    assert_eq!((asked.get("id_token_hint"), asked["client_id"].as_str()), (None, CLIENT));

    // Nor is any of a provider that ends no sessions.
    let op = Op::start();
    op.state().metadata = json!({ "end_session_endpoint": null });
    world = World::of(op, "", "");
    world.ada();
    let mut here = world.signed_in();
    assert_eq!(sealed(&world, &key(&here)), None);
    assert_eq!(here.post("/logout", &[("provider", "yes")]).expect(303).header("location"), Some("/logout"));
}
