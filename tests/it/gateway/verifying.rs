//! What `/auth/verify` decides, and what it says (X9, X25, X37, X38, X43).

use std::collections::BTreeSet;

use jiff::SignedDuration;
use rosterd::psa::locks::Authority;
use rosterd::roster::{Lifetimes, Look};
use rosterd::store::{Space, Unit, Write};
use serde_json::{Value, json};

use super::{
    COOKIE, FILE, FIRST_TENANT, IDENTITY, PSA, ask, claims, entered, entered_for, firm, hire, id, local,
    must_be_whole, reason, sign_in, verify, with,
};
use crate::support::bodies::{add_members, group, replace};
use crate::support::{Answer, Client, Engine, PUBLIC_URL, Request, TestApp};

/// What ends a session of somebody, by their id.
type End<'e> = (&'static str, &'e dyn Fn(&str));

fn named(name: &str, more: Value) -> Value {
    let mut body = json!({ "schemas": [], "displayName": name });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

/// A user type that gives a permission everywhere.
fn user_type(client: &Client, name: &str, permission: &str) -> String {
    let grants = json!({ "grants": [{ "permission": permission, "level": "all" }] });
    client.post("/UserTypes", &named(name, grants)).expect(201).id()
}

#[test]
fn a_proxy_is_told_who_comes_in_plain_fields_and_in_an_assertion() {
    let app = firm(Engine::Redb);
    let local = local(&app);
    let ada = hire(&local, "ada", &json!({}));
    let crew = local.post("/Groups", &group("crew", &[&ada])).expect(201).id();
    let cookie = sign_in(&app, &ada);
    let answer = verify(&app, "psa", &cookie).expect(200);
    let told = IDENTITY.map(|name| answer.header(name).unwrap());
    assert_eq!(told[..4], [ada.as_str(), "ada@firm.test", "ada of the firm", "crew"]);
    let claims = claims(&app, &answer);
    for (name, value) in [
        ("iss", json!(PUBLIC_URL)),
        ("aud", json!("psa.roster.test")),
        ("sub", json!(ada)),
        ("tenant", json!("main")),
        ("email", json!("ada@firm.test")),
        ("name", json!("ada of the firm")),
        ("preferred_username", json!("ada")),
        ("groups", json!(["crew"])),
        ("kind", json!("employee")),
        ("roles", json!([])),
        ("user_types", json!([])),
        ("permissions", json!({})),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    let [iat, exp] = ["iat", "exp"].map(|name| claims[name].as_i64().unwrap());
    assert!(exp - iat <= 60 && (iat - app.roster().current_time().as_second()).abs() <= 5);
    // The session by its name in lists, which opens nothing.
    let sid = claims["sid"].as_str().unwrap();
    assert!(!cookie.contains(sid) && sid.len() == 32);
    let _ = crew;
}

#[test]
fn a_program_is_told_no_more_than_is_listed_for_it() {
    let app = firm(Engine::Memory);
    let local = local(&app);
    let ada = hire(&local, "ada", &json!({}));
    let _ = local.post("/Groups", &group("crew", &[&ada])).expect(201);
    let answer = verify(&app, "wiki", &sign_in(&app, &ada)).expect(200);
    assert_eq!(IDENTITY.map(|name| answer.header(name).unwrap())[..4], [ada.as_str(), "", "", ""]);
    let told: BTreeSet<String> = claims(&app, &answer).as_object().unwrap().keys().cloned().collect();
    let all = ["iss", "aud", "sub", "iat", "exp", "jti", "sid", "tenant", "auth_time"];
    assert_eq!(told, all.map(str::to_owned).into());
}

#[test]
fn x25_a03_no_claim_that_can_be_listed_holds_money() {
    let app = firm(Engine::Memory);
    let local = local(&app);
    let rates = |amount: &str| json!([{ "startDate": "2026-01-01", "amount": amount, "currency": "EUR" }]);
    let chief = user_type(&local, "Chief", "rates.view");
    let place = local.post("/CostCenters", &named("Nordics", json!({}))).expect(201).id();
    let pool = local.post("/LicensePools", &named("Full", json!({ "seats": 3 }))).expect(201).id();
    let psa = json!({
        "costRates": rates("51739.41"), "billingRates": rates("12063.77"), "financialVisibility": "full",
        "license": { "value": pool }, "userTypes": [{ "value": chief, "primary": true }, { "value": chief, "costCenter": place }],
    });
    let ada = hire(&local, "ada", &json!({ PSA: psa }));
    let stored = local.get(&format!("/Users/{ada}")).expect(200).text();
    assert!(
        stored.contains("51739.41") && stored.contains("12063.77"),
        "there is money to be found: {stored}"
    );
    let answer = verify(&app, "psa", &sign_in(&app, &ada)).expect(200);
    let told = format!("{:?} {}", answer.headers, claims(&app, &answer));
    assert!(told.contains("Chief") && told.contains("rates.view"), "what is no figure is told: {told}");
    for money in ["51739", "12063", "EUR", "amount", "costRates", "billingRates", "urrency"] {
        assert!(!told.contains(money), "{money}: {told}");
    }
}

#[test]
fn x38_the_decision_is_by_the_sessions_cookie_and_by_nothing_else() {
    let app = firm(Engine::Memory);
    let ada = hire(&local(&app), "ada", &json!({}));
    let cookie = sign_in(&app, &ada);
    let stranger = app.stranger();
    let refused = stranger.send(&ask("psa"));
    assert_eq!(reason(&refused), (401, "signed-out"));
    assert!(refused.header("www-authenticate").is_some(), "RFC 9110 §15.5.2");
    let (_, value) = cookie.split_once('.').unwrap();
    let other = format!("{}.{}", cookie.split_once('.').unwrap().0, "0".repeat(64));
    for (name, value) in [
        ("Authorization", format!("Bearer {}", app.token())),
        ("Authorization", format!("Bearer {cookie}")),
        ("Remote-User", ada.clone()),
        ("X-Forwarded-User", ada.clone()),
        (
            "X-Rosterd-Assertion",
            verify(&app, "psa", &cookie).header("x-rosterd-assertion").unwrap().to_owned(),
        ),
        ("User-Agent", "GoogleHC/1.0".to_owned()),
        ("User-Agent", "kube-probe/1.31".to_owned()),
        ("User-Agent", "ELB-HealthChecker/2.0".to_owned()),
        ("X-Forwarded-Uri", "/healthz".to_owned()),
        ("X-Original-Url", "/public/".to_owned()),
        ("X-Original-Method", "OPTIONS".to_owned()),
        ("X-Forwarded-Method", "OPTIONS".to_owned()),
        ("X-Forwarded-For", "127.0.0.1".to_owned()),
        ("X-Forwarded-Host", "wiki.roster.test".to_owned()),
        ("Forwarded", "for=127.0.0.1;host=psa.roster.test".to_owned()),
        ("Host", "psa.roster.test".to_owned()),
        ("Cookie", format!("__Host-rosterd={cookie}")),
        ("Cookie", format!("{COOKIE}={other}")),
        ("Cookie", format!("{COOKIE}={value}")),
        ("Cookie", format!("{COOKIE}={cookie}; {COOKIE}={cookie}")),
        ("Cookie", format!("{COOKIE}={cookie}; {COOKIE}={other}")),
        ("Cookie", format!("{COOKIE}=")),
    ] {
        let answer = stranger.send(&ask("psa").header(name, value.clone()));
        must_be_whole(&answer);
        assert_eq!(reason(&answer), (401, "signed-out"), "{name}: {value}");
    }
    // What some program reads as another field is refused before anything is looked at.
    let twin = with(ask("psa"), &cookie).header("X_Forwarded_User", ada.as_str());
    assert_eq!(stranger.send(&twin).status, 400);
    let _ = verify(&app, "psa", &cookie).expect(200);
}

#[test]
fn x38_what_is_not_a_question_about_a_program_lets_nobody_through() {
    let app = firm(Engine::Memory);
    let ada = hire(&local(&app), "ada", &json!({}));
    let cookie = sign_in(&app, &ada);
    for (query, status) in [
        ("", 400),
        ("?app=psa&app=wiki", 400),
        ("?app=psa&x=1", 400),
        ("?app=nothing", 404),
        ("?app=", 404),
        ("?APP=psa", 400),
    ] {
        let answer = app.stranger().send(&with(Request::new("GET", format!("/auth/verify{query}")), &cookie));
        must_be_whole(&answer);
        assert_eq!(answer.status, status, "{query}");
    }
}

#[test]
fn x9_what_ends_a_session_ends_the_way_to_every_program_at_the_next_request() {
    for engine in Engine::ALL {
        let app = firm(engine);
        let local = local(&app);
        let operator = app.roster().operator(FIRST_TENANT, app.roster().request_id()).unwrap();
        let ends: [End<'_>; 5] = [
            ("an identity provider", &|ada| {
                let _ = local.patch(&format!("/Users/{ada}"), &replace("active", false)).expect(200);
            }),
            ("an administrator", &|ada| {
                app.roster().lock(&operator, id(ada), Authority::Admin, None).unwrap();
            }),
            ("the end of everything", &|ada| app.roster().end_everything(&operator, id(ada)).unwrap()),
            ("a removal", &|ada| {
                let _ = local.delete(&format!("/Users/{ada}")).expect(204);
            }),
            ("a night without a request", &|_| app.clock().advance(9 * 3600)),
        ];
        for (number, (what, end)) in ends.into_iter().enumerate() {
            let ada = hire(&local, &format!("ada{number}"), &json!({}));
            let cookie = sign_in(&app, &ada);
            // What was told a moment ago is told again, until it is no more so.
            for _ in 0..2 {
                let _ = verify(&app, "psa", &cookie).expect(200);
            }
            end(&ada);
            assert_eq!(reason(&verify(&app, "psa", &cookie)), (401, "signed-out"), "{what}");
        }
    }
}

#[test]
fn x9_no_unlock_revives_the_way_to_a_program() {
    let app = firm(Engine::Memory);
    let local = local(&app);
    let ada = hire(&local, "ada", &json!({}));
    let cookie = sign_in(&app, &ada);
    let _ = verify(&app, "psa", &cookie).expect(200);
    for active in [false, true] {
        let _ = local.patch(&format!("/Users/{ada}"), &replace("active", active)).expect(200);
        assert_eq!(verify(&app, "psa", &cookie).status, 401);
    }
    let _ = verify(&app, "psa", &sign_in(&app, &ada)).expect(200);
}

/// How often everything that somebody had signed in with was ended (`roster::rows`).
const EPOCHS: Space = Space(48);

#[test]
fn x9_what_is_remembered_of_somebody_counts_only_for_the_epoch_that_they_signed_in_with() {
    for engine in Engine::ALL {
        let app = firm(engine);
        let local = local(&app);
        let (ada, bob) = (hire(&local, "ada", &json!({})), hire(&local, "bob", &json!({})));
        let (of_ada, of_bob) = (sign_in(&app, &ada), sign_in(&app, &bob));
        // Asked twice: the second time it is remembered.
        for cookie in [&of_ada, &of_ada, &of_bob, &of_bob] {
            let _ = verify(&app, "psa", cookie).expect(200);
        }
        let roster = app.roster();
        let tenant = roster.doorkeeper(FIRST_TENANT, roster.request_id()).unwrap().tenant();
        let stands_at = || roster.store().snapshot().unwrap().head(tenant).unwrap().seq;
        let before = stands_at();
        // Nothing but the epoch: no entry of the history, and no row of hers that would be another.
        let write = Write::Add { space: EPOCHS, key: id(&ada).as_bytes().to_vec(), by: 1 };
        let unit = Unit { given: vec![], writes: vec![write], log: None };
        let _ = roster.store().commit(tenant, unit).unwrap();
        assert_eq!(stands_at(), before, "the history must not say it, or another compare would find it");
        assert_eq!(reason(&verify(&app, "psa", &of_ada)), (401, "signed-out"));
        assert_eq!(reason(&verify(&app, "wiki", &of_ada)), (401, "signed-out"));
        let _ = verify(&app, "psa", &of_bob).expect(200);
    }
}

#[test]
fn x9_a_provider_that_was_switched_off_opens_no_program() {
    let mut app = firm(Engine::Memory);
    let ada = hire(&local(&app), "ada", &json!({}));
    let operator = app.roster().operator(FIRST_TENANT, app.roster().request_id()).unwrap();
    let cookie = sign_in(&app, &ada);
    let _ = verify(&app, "psa", &cookie).expect(200);
    app.reload(&FILE.replace("client_authentication", "enabled = false\nclient_authentication"));
    assert_eq!(reason(&verify(&app, "psa", &cookie)), (401, "signed-out"));
    app.reload(FILE);
    let _ = verify(&app, "psa", &cookie).expect(200);
    app.roster().end_sessions_of_provider(&operator, "okta").unwrap();
    assert_eq!(reason(&verify(&app, "psa", &cookie)), (401, "signed-out"));
}

#[test]
fn who_lacks_what_a_program_requires_is_told_so_and_gets_in_once_they_have_it() {
    let app = firm(Engine::Memory);
    let local = local(&app);
    let ada = hire(&local, "ada", &json!({}));
    let cookie = sign_in(&app, &ada);
    assert_eq!(reason(&verify(&app, "payroll", &cookie)), (403, "not-permitted"));
    let clerk = user_type(&local, "Clerk", "users.view");
    let types = json!([{ "value": clerk }]);
    let _ = local
        .patch(&format!("/Users/{ada}"), &replace(&format!("{PSA}:userTypes"), types.clone()))
        .expect(200);
    let _ = verify(&app, "payroll", &cookie).expect(200);
    let none = replace(&format!("{PSA}:userTypes"), json!([]));
    let _ = local.patch(&format!("/Users/{ada}"), &none).expect(200);
    assert_eq!(reason(&verify(&app, "payroll", &cookie)), (403, "not-permitted"));
    // Whose program it is comes before what it requires, and after whether anybody is signed in.
    assert_eq!(reason(&verify(&app, "foreign", &cookie)), (403, "other-tenant"));
    let _ = local.patch(&format!("/Users/{ada}"), &replace("active", false)).expect(200);
    assert_eq!(reason(&verify(&app, "payroll", &cookie)), (401, "signed-out"));
    assert_eq!(reason(&verify(&app, "foreign", &cookie)), (401, "signed-out"));
}

#[test]
fn what_a_program_is_told_is_never_older_than_the_last_commit() {
    let app = firm(Engine::Redb);
    let local = local(&app);
    let ada = hire(&local, "ada", &json!({}));
    let crew = local.post("/Groups", &group("crew", &[])).expect(201).id();
    let cookie = sign_in(&app, &ada);
    let told = || {
        let answer = verify(&app, "psa", &cookie).expect(200);
        (answer.header("remote-groups").unwrap().to_owned(), claims(&app, &answer)["groups"].clone())
    };
    assert_eq!(told(), (String::new(), json!([])));
    let _ = local.patch(&format!("/Groups/{crew}"), &add_members(&[&ada])).expect(204);
    assert_eq!(told(), ("crew".to_owned(), json!(["crew"])));
    let _ = local.patch(&format!("/Groups/{crew}"), &replace("displayName", "a, b")).expect(204);
    assert_eq!(
        told(),
        ("a%2C b".to_owned(), json!(["a, b"])),
        "nobody gets into a group by the name of another"
    );
    let _ = local.delete(&format!("/Groups/{crew}")).expect(204);
    assert_eq!(told(), (String::new(), json!([])));
}

#[test]
fn groups_that_are_too_many_are_left_out_as_a_whole_and_that_is_said() {
    let app = firm(Engine::Memory);
    let local = local(&app);
    let ada = hire(&local, "ada", &json!({}));
    for number in 0..201 {
        let _ = local.post("/Groups", &group(&format!("g{number}"), &[&ada])).expect(201);
    }
    let answer = verify(&app, "psa", &sign_in(&app, &ada)).expect(200);
    assert_eq!(answer.header("remote-groups"), Some(""));
    let claims = claims(&app, &answer);
    assert_eq!((&claims["omitted"], claims.get("groups")), (&json!(["groups"]), None));
}

#[test]
fn permissions_are_told_with_the_cost_centres_where_they_are_otherwise() {
    let app = firm(Engine::Memory);
    let local = local(&app);
    let top = local.post("/CostCenters", &named("Nordics", json!({}))).expect(201).id();
    let inside = named("Helsinki", json!({ "parent": { "value": top } }));
    let below = local.post("/CostCenters", &inside).expect(201).id();
    let lead = user_type(&local, "Lead", "users.view");
    let all = user_type(&local, "Clerk", "groups.view");
    let types = json!([{ "value": all, "primary": true }, { "value": lead, "costCenter": top }]);
    let ada = hire(&local, "ada", &json!({ PSA: { "userTypes": types } }));
    let told = claims(&app, &verify(&app, "psa", &sign_in(&app, &ada)).expect(200));
    let places = json!({ top.clone(): "all", below: "all" });
    assert_eq!(told["permissions"]["groups.view"], "all");
    assert_eq!(told["permissions"]["users.view"], json!({ "level": "none", "cost_centers": places }));
    assert_eq!(
        told["user_types"],
        json!([{ "name": "Clerk", "primary": true }, { "name": "Lead", "primary": false, "cost_center": top }])
    );
}

fn location(answer: &Answer) -> String {
    let location = answer.header("location").or_else(|| answer.header("x-rosterd-login")).unwrap();
    let place = location.strip_prefix(&format!("{PUBLIC_URL}/login?tenant=main&return_to=")).unwrap();
    form_urlencoded::parse(format!("x={place}").as_bytes()).next().unwrap().1.into_owned()
}

#[test]
fn x43_a_browser_is_sent_to_sign_in_and_from_there_to_the_program_and_nowhere_else() {
    let app = firm(Engine::Memory);
    let stranger = app.stranger();
    let browser = |program: &str| ask(program).header("Accept", "text/html,application/xhtml+xml");
    let sent = stranger.send(&browser("wiki").header("X-Forwarded-Uri", "/a?b=c&d=e")).expect(302);
    must_be_whole(&sent);
    assert_eq!(location(&sent), "https://wiki.roster.test/a?b=c&d=e");
    // Programs, and what a page loads, are told that nobody is signed in; so are browsers where the proxy decides what follows.
    for request in [
        ask("wiki").header("Accept", "application/json"),
        ask("wiki").header("Accept", "image/*"),
        browser("psa"),
    ] {
        assert_eq!(reason(&stranger.send(&request)), (401, "signed-out"));
    }
    let told = stranger.send(&ask("psa").header("X-Original-Uri", "/time")).expect(401);
    assert_eq!(location(&told), "https://psa.roster.test/time");
    for odd in ["//evil.test/", "https://evil.test/", "/\\evil.test", "@evil.test", ".evil.test", "/a b"] {
        let sent = stranger.send(&browser("wiki").header("X-Forwarded-Uri", odd)).expect(302);
        assert_eq!(location(&sent), "https://wiki.roster.test/", "{odd}");
    }
    let spoofed = browser("wiki")
        .header("Host", "evil.test")
        .header("X-Forwarded-Host", "evil.test")
        .header("X-Forwarded-Proto", "http");
    assert_eq!(location(&stranger.send(&spoofed).expect(302)), "https://wiki.roster.test/");
    // The sign-in page takes the place, and leaves out any other.
    let page = |place: &str| {
        let place: String = form_urlencoded::byte_serialize(place.as_bytes()).collect();
        stranger
            .send(&Request::new("GET", format!("/login?tenant=main&return_to={place}")))
            .expect(200)
            .text()
    };
    assert!(page("https://wiki.roster.test/a").contains("wiki.roster.test"));
    for odd in
        ["https://wiki.roster.test.evil.test/", "https://evil.test/", "https://wiki.roster.test@evil.test/"]
    {
        assert!(!page(odd).contains("evil"), "{odd}");
    }
}

#[test]
fn x38_the_path_of_a_request_is_believed_of_listed_proxies_only() {
    let app = TestApp::written(Engine::Memory, &FILE.replace("trusted_proxies = [\"127.0.0.1\"]", ""));
    let request = ask("wiki").header("Accept", "text/html").header("X-Forwarded-Uri", "/a");
    assert_eq!(location(&app.stranger().send(&request).expect(302)), "https://wiki.roster.test/");
}

#[test]
fn that_a_session_is_used_is_written_down_once_a_minute_and_keeps_it_alive() {
    let app = firm(Engine::Memory);
    let ada = hire(&local(&app), "ada", &json!({}));
    let cookie = sign_in(&app, &ada);
    let operator = app.roster().operator(FIRST_TENANT, app.roster().request_id()).unwrap();
    let seen = || app.roster().sessions(&operator, id(&ada), super::LIFETIMES, &|_| true).unwrap()[0].seen;
    let before = seen();
    let _ = verify(&app, "psa", &cookie).expect(200);
    assert_eq!(seen(), before);
    // Eleven hours of looking every five.
    for _ in 0..2 {
        let before = seen();
        app.clock().advance(5 * 3600 + 1800);
        let _ = verify(&app, "psa", &cookie).expect(200);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while seen() == before {
            assert!(std::time::Instant::now() < deadline, "the use was never written down");
            std::thread::yield_now();
        }
    }
}

#[test]
fn r15_x9_a_last_day_ends_at_its_midnight_the_way_to_a_program_that_remembers_the_session() {
    for engine in Engine::ALL {
        let app = TestApp::written(
            engine,
            &format!("{FILE}[sessions]\nidle_minutes = 4320\nabsolute_minutes = 4320\n"),
        );
        let local = local(&app);
        let schedule = json!({ "deactivateOn": "2026-03-02", "activateOn": "2026-03-03" });
        let [ada, eve] = ["ada", "eve"].map(|name| hire(&local, name, &json!({})));
        let _ =
            local.patch(&format!("/Users/{ada}"), &replace(&format!("{PSA}:schedule"), schedule)).expect(200);
        let days = SignedDuration::from_hours(72);
        let [of_ada, of_eve] = [&ada, &eve].map(|person| {
            let _ = sign_in(&app, person);
            entered_for(&app, person, Lifetimes { idle: days, absolute: days }).cookie.to_string()
        });
        // From eight in the morning to ten seconds before midnight.
        app.clock().advance(16 * 3600 - 10);
        // Asked twice: the second time it is remembered.
        for cookie in [&of_ada, &of_ada, &of_eve, &of_eve] {
            let _ = verify(&app, "psa", cookie).expect(200);
        }
        let roster = app.roster();
        let tenant = roster.doorkeeper(FIRST_TENANT, roster.request_id()).unwrap().tenant();
        let stands_at = || roster.store().snapshot().unwrap().head(tenant).unwrap().seq;
        let before = stands_at();
        app.clock().advance(10);
        // Nobody has looked at schedules since: the history says nothing by which another compare would find it.
        for _ in 0..2 {
            assert_eq!(reason(&verify(&app, "psa", &of_ada)), (401, "signed-out"));
            let _ = verify(&app, "psa", &of_eve).expect(200);
        }
        assert_eq!(stands_at(), before, "the test comes too late to show anything");
        // The first day after lets in who signs in anew, and revives nothing.
        let _ = roster.look_at_schedules(Look::Now, &|| true).unwrap();
        assert_eq!(verify(&app, "psa", &of_ada).status, 401);
        app.clock().advance(24 * 3600);
        let _ = roster.look_at_schedules(Look::Now, &|| true).unwrap();
        assert_eq!(verify(&app, "psa", &of_ada).status, 401, "a day revived it");
        let _ = verify(&app, "psa", &of_eve).expect(200);
        let _ = verify(&app, "psa", &entered(&app, &ada).cookie).expect(200);
    }
}
