//! Start, callback, and who is signed in afterwards; and every attack on the way (X11, X37, X43 to X47, R30).

use serde_json::json;

use super::{Browser, START_PATH, World};
use crate::signin::op::{Fault, Op, SUBJECT, form};
use crate::support::{Answer, PUBLIC_URL, Request};

/// What somebody is shown who is not let in, without what changes with each request.
fn shown(answer: &Answer) -> (u16, String) {
    let reference = answer.header("x-request-id").unwrap().to_owned();
    (answer.status, answer.text().replace(&reference, "REFERENCE"))
}

#[test]
fn t05_whom_the_provider_signs_in_and_the_connection_provisioned_is_signed_in_here() {
    let world = World::start();
    let ada = world.ada();
    let mut browser = world.browser();
    assert_eq!(browser.whoami(), None);
    let answer = world.come_back(&mut browser);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/me")));
    let whoami = browser.whoami().unwrap();
    assert_eq!(whoami["id"], ada.as_str());
    assert_eq!(whoami["displayName"], "Ada Lovelace");
    assert_eq!(whoami["session"]["provider"], "okta");
    // Nothing of what the provider told is kept in the browser.
    let kept: Vec<&String> = browser.cookies.keys().collect();
    assert_eq!(kept, ["__Host-rosterd", "__Host-rosterd-pre"]);
}

#[test]
fn x37_the_redirect_uri_is_made_of_the_public_url_whatever_the_request_claims() {
    let world = World::start();
    let request = Request::new("GET", START_PATH)
        .header("Host", "evil.example")
        .header("X-Forwarded-Host", "evil.example")
        .header("Forwarded", "host=evil.example");
    let answer = world.browser().send(request).expect(303);
    let asked = form(answer.header("location").unwrap().split_once('?').unwrap().1);
    assert_eq!(asked["redirect_uri"], format!("{PUBLIC_URL}/sso/okta/callback"));
}

#[test]
fn x44_a_callback_is_taken_once() {
    let world = World::start();
    world.ada();
    let mut browser = world.browser();
    let there = browser.get(START_PATH).expect(303);
    let back = world.op.authorize(there.header("location").unwrap());
    let callback = format!("/sso/okta/callback?{back}");
    let _ = browser.get(&callback).expect(303);
    let first = browser.cookies["__Host-rosterd"].clone();
    let _ = browser.get(&callback).expect(403);
    // Not even the code was shown to the provider a second time.
    assert_eq!(world.op.count("/token"), 1);
    assert_eq!(browser.cookies["__Host-rosterd"], first);
    assert!(browser.whoami().is_some());
}

#[test]
fn x43_a_callback_is_taken_from_the_browser_that_began_and_from_no_other() {
    let world = World::start();
    world.ada();
    let (mut hers, mut his) = (world.browser(), world.browser());
    let there = hers.get(START_PATH).expect(303);
    let back = world.op.authorize(there.header("location").unwrap());
    let callback = format!("/sso/okta/callback?{back}");
    // Without a cookie, and with that of a sign-in of one's own: somebody else's sign-in is nobody's here (login CSRF).
    let _ = world.browser().get(&callback).expect(403);
    let _ = his.get(START_PATH).expect(303);
    let _ = his.get(&callback).expect(403);
    assert_eq!(his.whoami(), None);
    assert_eq!(world.op.count("/token"), 0);
    // It is still hers.
    let _ = hers.get(&callback).expect(303);
    assert!(hers.whoami().is_some());
}

#[test]
fn x43_two_tabs_of_one_browser_sign_in_side_by_side() {
    let world = World::start();
    world.ada();
    let mut browser = world.browser();
    let starts = [(); 2].map(|()| browser.get(START_PATH).expect(303).header("location").unwrap().to_owned());
    for there in starts {
        let back = world.op.authorize(&there);
        let _ = browser.get(&format!("/sso/okta/callback?{back}")).expect(303);
        assert!(browser.whoami().is_some());
    }
}

#[test]
fn x43_a_cookie_of_somebody_elses_making_is_replaced() {
    let world = World::start();
    let mut browser = world.browser();
    browser.cookies.insert("__Host-rosterd-pre".to_owned(), "known-to-the-attacker".to_owned());
    let _ = browser.get(START_PATH).expect(303);
    assert_eq!(browser.cookies["__Host-rosterd-pre"].len(), 64);
}

#[test]
fn x43_signing_in_anew_gives_another_session_and_ends_the_one_before() {
    let world = World::start();
    world.ada();
    let mut browser = world.signed_in();
    let mut old = Browser { client: browser.client.clone(), cookies: browser.cookies.clone() };
    assert!(old.whoami().is_some());
    let _ = world.come_back(&mut browser).expect(303);
    assert_ne!(browser.cookies["__Host-rosterd"], old.cookies["__Host-rosterd"]);
    assert_eq!(old.whoami(), None);
    assert!(browser.whoami().is_some());
}

#[test]
fn x43_a_place_elsewhere_leads_home() {
    let world = World::start();
    world.ada();
    for (asked, led) in [
        ("/people%3Fsort%3Dname", "/people?sort=name"),
        ("https%3A%2F%2Fevil.example", "/me"),
        ("%2F%2Fevil.example", "/me"),
        ("%2F%5Cevil.example", "/me"),
        ("", "/me"),
    ] {
        let mut browser = world.browser();
        let there = browser.get(&format!("/sso/okta/start?return_to={asked}")).expect(303);
        let back = world.op.authorize(there.header("location").unwrap());
        let answer = browser.get(&format!("/sso/okta/callback?{back}"));
        assert_eq!((answer.status, answer.header("location")), (303, Some(led)), "{asked}");
    }
}

#[test]
fn x11_x47_whoever_is_not_let_in_sees_one_page_and_the_administrator_the_reason() {
    let world = World::start();
    let mut pages = Vec::new();
    // Unknown.
    pages.push(shown(&world.come_back(&mut world.browser())));
    // Locked.
    let ada = world.ada();
    let lock = Request::scim("PATCH", &format!("/Users/{ada}")).json(&json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "active", "value": false }],
    }));
    let _ = world.app.send(&lock).expect(200);
    pages.push(shown(&world.come_back(&mut world.browser())));
    // A token that somebody forged, and a provider that says no.
    world.op.fail(Fault::Stranger);
    pages.push(shown(&world.come_back(&mut world.browser())));
    let mut browser = world.browser();
    let there = browser.get(START_PATH).expect(303);
    let state = form(there.header("location").unwrap().split_once('?').unwrap().1)["state"].clone();
    let denied =
        format!("/sso/okta/callback?error=access_denied&error_description=%3Cb%3ENo%3C%2Fb%3E&state={state}");
    pages.push(shown(&browser.get(&denied)));
    // No such provider, and a state of nobody's.
    pages.push(shown(&world.browser().get("/sso/nobody/start")));
    pages.push(shown(&world.browser().get("/sso/okta/callback?code=a&state=b")));
    assert_eq!(pages[0].0, 403);
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:#?}");
    let refusals = world.refusals();
    let codes: Vec<&str> = refusals.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(
        codes,
        ["refused: no_such_key", "refused: not_let_in", "refused: id_token", "refused: denied"]
    );
    assert!(refusals[0].1.contains(&format!("externalId \"{SUBJECT}\"")), "{refusals:?}");
    assert!(refusals[0].1.contains("map externalId"), "{refusals:?}");
}

#[test]
fn d_x14_x45_an_address_finds_nobody_unless_the_firm_allows_it_and_the_provider_verified_it() {
    let claims = |verified: bool, email: &str| json!({ "email": email, "email_verified": verified });
    let policy = "link_by_email = true\ndomains = [\"acme.example\"]";
    for (lines, verified, email, found) in [
        ("", true, "ada@acme.example", false),
        ("domains = [\"acme.example\"]", true, "ada@acme.example", false),
        (policy, false, "ada@acme.example", false),
        (policy, true, "ada@acme.example", true),
        (policy, true, "ADA@acme.example", true),
        (policy, true, "ada@evil@acme.example", false),
        (policy, true, "ada@sub.acme.example", false),
        (policy, true, "ada@evil.example", false),
    ] {
        let world = World::with(lines);
        world.person("ada@acme.example", "another-key");
        world.op.state().claims = claims(verified, email);
        let answer = world.come_back(&mut world.browser());
        assert_eq!(answer.status == 303, found, "{lines} {verified} {email}");
    }
    // Somebody has that very address, and the firm does not answer for its domain.
    let world = World::with(policy);
    world.person("ada@partner.example", "another-key");
    world.op.state().claims = claims(true, "ada@partner.example");
    let _ = world.come_back(&mut world.browser()).expect(403);
}

#[test]
fn x45_what_finds_a_person_is_asked_of_userinfo_where_the_token_lacks_it() {
    let policy = "link_by_email = true\ndomains = [\"acme.example\"]";
    for (lines, userinfo, found) in [
        (policy, json!({ "email": "ada@acme.example", "email_verified": true }), true),
        (policy, json!({ "email": "ada@acme.example", "email_verified": false }), false),
        (policy, json!({}), false),
        ("", json!({ "email": "ada@acme.example", "email_verified": true }), false),
        ("key_claim = \"badge\"", json!({ "badge": "the-key" }), true),
        ("key_claim = \"badge\"", json!({ "badge": "another" }), false),
    ] {
        let world = World::with(lines);
        world.person("ada@acme.example", "the-key");
        let mut all = userinfo.clone();
        all["sub"] = json!(SUBJECT);
        world.op.state().userinfo = all;
        let answer = world.come_back(&mut world.browser());
        assert_eq!(answer.status == 303, found, "{lines} {userinfo}");
        if found {
            // Whoever is linked comes in also when it cannot be asked.
            let broken = b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}".to_vec();
            world.op.state().pages.insert("/userinfo".to_owned(), broken);
            assert_eq!(world.come_back(&mut world.browser()).status, 303, "{lines}");
        }
    }
}

#[test]
fn x11_nobody_tries_out_of_which_domains_people_come() {
    let world = World::start();
    let mut browser = world.browser();
    for number in 0..300 {
        let address = format!("somebody@{number}.example");
        assert_eq!(browser.post("/login", &[("address", &address)]).status, 200);
    }
    let answer = browser.post("/login", &[("address", "somebody@one-more.example")]).expect(429);
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn x46_a_provider_that_is_switched_off_lets_nobody_in_and_ends_its_sessions() {
    let mut world = World::start();
    world.ada();
    let mut signed_in = world.signed_in();
    let mut half_way = world.browser();
    let there = half_way.get(START_PATH).expect(303);
    let back = world.op.authorize(there.header("location").unwrap());
    world.reload("enabled = false");
    assert_eq!(signed_in.whoami(), None);
    let _ = half_way.get(&format!("/sso/okta/callback?{back}")).expect(403);
    let _ = world.browser().get(START_PATH).expect(403);
    // What was dead while it was off is alive when it is on again only by its own right: nothing of it was ended.
    world.reload("");
    assert!(signed_in.whoami().is_some());
    // Whoever signs out meanwhile is signed out for good.
    let mut copy = signed_in.clone();
    world.reload("enabled = false");
    assert_eq!(signed_in.post("/logout", &[]).expect(303).header("location"), Some("/logout"));
    world.reload("");
    assert_eq!(copy.whoami(), None);
}

#[test]
fn r30_a_provider_that_is_down_stops_new_sign_ins_and_nothing_else() {
    let world = World::start();
    world.ada();
    let mut browser = world.signed_in();
    let mut other = world.browser();
    let there = other.get(START_PATH).expect(303);
    let back = world.op.authorize(there.header("location").unwrap());
    world.op.fail(Fault::Down);
    let answer = other.get(&format!("/sso/okta/callback?{back}")).expect(503);
    assert!(answer.text().contains("does not answer"), "{}", answer.text());
    assert!(browser.whoami().is_some());
    let _ = browser.get("/me").expect(200);
    let _ = browser.post("/logout", &[]).expect(303);
    assert_eq!(browser.whoami(), None);
}

#[test]
fn x43_an_answer_by_a_form_is_taken_and_its_cookie_comes_from_the_other_site() {
    let world = World::with("form_post = true");
    world.ada();
    let mut browser = world.browser();
    let there = browser.get(START_PATH).expect(303);
    let (_, cookie) = there.headers.iter().find(|(name, _)| name == "set-cookie").unwrap();
    assert!(cookie.ends_with("; Secure; HttpOnly; SameSite=None"), "{cookie}");
    let url = there.header("location").unwrap();
    assert_eq!(form(url.split_once('?').unwrap().1)["response_mode"], "form_post");
    let back = world.op.authorize(url);
    let posted = Request::new("POST", "/sso/okta/callback")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Origin", world.op.issuer())
        .header("Sec-Fetch-Site", "cross-site")
        .body(back);
    let _ = browser.send(posted).expect(303);
    assert!(browser.whoami().is_some());
}

#[test]
fn x44_a_start_at_the_provider_leads_through_the_provider_again() {
    let world = World::start();
    world.ada();
    let issuer: String = form_urlencoded::byte_serialize(world.op.issuer().as_bytes()).collect();
    let mut browser = world.browser();
    let target: String = form_urlencoded::byte_serialize(format!("{PUBLIC_URL}/people").as_bytes()).collect();
    let answer =
        browser.get(&format!("/sso/okta/initiate?iss={issuer}&target_link_uri={target}&login_hint=ada"));
    let there = answer.expect(303).header("location").unwrap().to_owned();
    assert_eq!(form(there.split_once('?').unwrap().1)["login_hint"], "ada");
    assert_eq!(browser.whoami(), None);
    let back = world.op.authorize(&there);
    let answer = browser.get(&format!("/sso/okta/callback?{back}"));
    assert_eq!((answer.status, answer.header("location")), (303, Some("/people")));
    let _ = world.browser().get("/sso/okta/initiate?iss=https://evil.example").expect(403);
}

#[test]
fn x44_a_proof_that_must_be_fresh_is_asked_for_and_looked_at() {
    let world = World::with("max_age_s = 900");
    world.ada();
    let second = |seconds: i64| crate::signin::world::now().as_second() + seconds;
    let mut browser = world.browser();
    let there = browser.get("/sso/okta/start?max_age=60&prompt=login").expect(303);
    let asked = form(there.header("location").unwrap().split_once('?').unwrap().1);
    assert_eq!((asked["max_age"].as_str(), asked["prompt"].as_str()), ("60", "login"));
    // No more than the settings allow, whoever asks.
    let there = browser.get("/sso/okta/start?max_age=90000").expect(303);
    assert_eq!(form(there.header("location").unwrap().split_once('?').unwrap().1)["max_age"], "900");
    world.op.state().claims = json!({ "auth_time": second(-3600) });
    let _ = world.come_back(&mut browser).expect(403);
    world.op.state().claims = json!({ "auth_time": second(-30) });
    let _ = world.come_back(&mut browser).expect(303);
    assert!(
        browser.whoami().unwrap()["session"]["signedIn"].as_str().unwrap().starts_with("2026-01-02T03:03:35")
    );
}

#[test]
fn t05_google_and_microsoft_have_their_own_ways() {
    // Entra names a person by `oid`, which its connection must send as externalId.
    let world = World::with("kind = \"microsoft\"\ndirectories = [\"8adf8e6e-67b2-4cf2-a259-e3dc5476c621\"]");
    world.person("ada@acme.example", "the-object-id");
    let claims = |tid: &str| json!({ "oid": "the-object-id", "tid": tid, "sub": "pairwise-subject" });
    world.op.state().claims = claims("8adf8e6e-67b2-4cf2-a259-e3dc5476c621");
    world.signed_in();
    world.op.state().claims = claims("00000000-0000-0000-0000-000000000000");
    let _ = world.come_back(&mut world.browser()).expect(403);
    // Google is believed of the firm's own domain alone.
    let world = World::with("kind = \"google\"\nhosted_domains = [\"acme.example\"]");
    world.ada();
    world.op.state().claims = json!({ "hd": "acme.example" });
    world.signed_in();
    for hd in [json!({ "hd": "evil.example" }), json!({})] {
        world.op.state().claims = hd;
        let _ = world.come_back(&mut world.browser()).expect(403);
    }
}

#[test]
fn x43_who_begins_without_end_is_told_to_wait() {
    let world = World::of(Op::start(), "", "");
    let mut browser = world.browser();
    let mut waits = 0;
    for _ in 0..400 {
        let answer = browser.get(START_PATH);
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some());
            waits += 1;
        }
    }
    assert!(waits >= 80, "{waits}");
}
