//! Metadata: whose it is, where it may lead, how often it is asked for (X44, X52, R24, R30).

use std::sync::Arc;
use std::time::{Duration, Instant};

use rosterd::config::Permit;
use rosterd::signin::rp::{Ask, MetadataFlaw, Refusal, ReturnTo};
use serde_json::json;

use super::op::{Fault, Op};
use super::world::{World, now};
use crate::support::issuer::HOST;

const METADATA: &str = "/.well-known/openid-configuration";

/// `-discovery-issuer-mismatch`.
#[test]
fn x44_metadata_of_another_issuer_is_not_taken() {
    for make in [
        (|issuer: &str| format!("{issuer}/")) as fn(&str) -> String,
        |issuer| issuer.to_uppercase(),
        |_| "https://evil.example".to_owned(),
        |_| String::new(),
    ] {
        // Each time a provider of which nothing is known.
        let world = World::start();
        let wrong = make(&world.op.issuer());
        world.op.state().metadata = json!({ "issuer": wrong });
        let Err(Refusal::Metadata(MetadataFlaw::Issuer { .. })) = world.begin(&world.provider()) else {
            panic!("{wrong}")
        };
        assert_eq!(world.op.server.fetched(), 1);
    }
}

#[test]
fn x52_endpoints_lie_on_the_issuers_host_or_on_one_that_is_listed() {
    for (name, url, listed, is_taken) in [
        ("token_endpoint", "https://auth.idp.test/token", &[][..], true),
        ("token_endpoint", "https://idp.test:8443/token", &[], true),
        ("token_endpoint", "https://elsewhere.example/token", &[], false),
        ("token_endpoint", "https://elsewhere.example/token", &["elsewhere.example"], true),
        ("token_endpoint", "https://ELSEWHERE.example/token", &["Elsewhere.Example"], true),
        ("token_endpoint", "https://sub.elsewhere.example/token", &["elsewhere.example"], false),
        ("token_endpoint", "https://evilidp.test/token", &[], false),
        ("token_endpoint", "https://idp.test.evil.example/token", &[], false),
        ("token_endpoint", "https://idp.test@evil.example/token", &[], false),
        ("token_endpoint", "http://idp.test/token", &[], false),
        ("token_endpoint", "https://169.254.169.254/token", &[], false),
        ("token_endpoint", "file:///etc/passwd", &[], false),
        ("jwks_uri", "https://elsewhere.example/jwks", &[], false),
        ("jwks_uri", "https://127.0.0.1/jwks", &[], false),
        ("authorization_endpoint", "https://evil.example/authorize", &[], false),
        ("authorization_endpoint", "javascript:alert(1)", &[], false),
        ("userinfo_endpoint", "https://evil.example/userinfo", &[], false),
        ("end_session_endpoint", "https://evil.example/logout", &[], false),
        ("userinfo_endpoint", "", &[], false),
    ] {
        let world = World::start();
        world.op.state().metadata = json!({ name: url });
        let provider = world.provider_with(|settings| {
            settings.endpoint_hosts = listed.iter().map(|&host| host.to_owned()).collect();
        });
        match world.begin(&provider) {
            Ok(_) => assert!(is_taken, "{name} {url}"),
            Err(Refusal::Metadata(MetadataFlaw::Host { .. } | MetadataFlaw::Url { .. })) => {
                assert!(!is_taken, "{name} {url}");
            }
            other => panic!("{name} {url}: {other:?}"),
        }
    }
}

#[test]
fn x52_metadata_that_is_none_redirected_or_too_large_is_not_taken() {
    let raw = |head: &str, body: &str| {
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    let large = format!("{{\"issuer\":\"{}\"}}", "a".repeat(256 * 1024));
    for (page, part) in [
        (raw("200 OK", "<html>"), "found something else"),
        (raw("200 OK", "{}"), "found another one"),
        (raw("200 OK", "{\"issuer\":1}"), "found another one"),
        (raw("200 OK", &"[".repeat(10_000)), "found another one"),
        (raw("200 OK", &large), "more than 262144 bytes"),
        (raw("301 Moved\r\nLocation: /elsewhere", ""), "found 301"),
        (raw("404 Not Found", ""), "found 404"),
    ] {
        let world = World::start();
        world.op.state().pages.insert(METADATA.to_owned(), page);
        let refusal = world.begin(&world.provider()).unwrap_err();
        assert!(refusal.to_string().contains(part), "{refusal}");
        assert_eq!(world.op.server.fetched(), 1, "{part}: nothing else is fetched");
        assert!(!refusal.cure().is_empty());
    }
}

#[test]
fn x52_a_provider_inside_the_house_is_not_spoken_to_unless_it_is_named() {
    let world = World::with(Op::start(), |mut options| {
        options.allow.clear();
        options
    });
    let refusal = world.begin(&world.provider()).unwrap_err();
    assert!(matches!(refusal, Refusal::MetadataUnreachable(_)) && refusal.is_outage(), "{refusal:?}");
    assert_eq!(world.op.server.fetched(), 0);
    // The name that was good for the metadata and leads to the metadata of a cloud when the token is fetched.
    let world = World::start();
    let provider = world.provider();
    let started = world.begin(&provider).unwrap();
    let brought = world.op.authorize(&started.url);
    world.op.server.names.lead(HOST, &[&["169.254.169.254"]]);
    let Err(Refusal::TokenUnreachable(why)) = world.finish(&provider, &started, &brought) else { panic!() };
    assert!(why.contains("169.254.169.254"), "{why}");
    assert_eq!(world.op.count("/token"), 0);
}

#[test]
fn r24_x52_a_provider_that_never_answers_costs_no_more_than_its_time() {
    let world = World::with(Op::start(), |mut options| {
        options.total = Duration::from_millis(400);
        options.allow.push(Permit::parse("127.0.0.0/8").unwrap());
        options
    });
    let _silent = world.op.fall_silent("token_endpoint");
    let provider = world.provider();
    let started = world.begin(&provider).unwrap();
    let brought = world.op.authorize(&started.url);
    let start = Instant::now();
    assert!(matches!(world.finish(&provider, &started, &brought), Err(Refusal::TokenUnreachable(_))));
    let took = start.elapsed();
    assert!((Duration::from_millis(350)..Duration::from_secs(5)).contains(&took), "{took:?}");
}

#[test]
fn r30_metadata_is_asked_for_once_by_however_many_and_kept() {
    let world = World::start();
    let provider = Arc::new(world.provider());
    let begin = || {
        let (rp, provider) = (Arc::clone(&world.rp), Arc::clone(&provider));
        async move {
            rp.begin(&provider, Ask::plain(ReturnTo::root()), &rosterd::chance::SystemChance, now()).await
        }
    };
    let all: Vec<_> = (0..20).map(|_| world.runtime.spawn(begin())).collect();
    for one in all {
        assert!(world.runtime.block_on(one).unwrap().is_ok());
    }
    assert_eq!(world.op.count(METADATA), 1);
}

#[test]
fn r30_a_provider_that_is_down_is_asked_seldom_and_what_was_known_of_it_stays_good() {
    let world = World::start();
    let provider = world.provider();
    world.op.fail(Fault::Down);
    for _ in 0..50 {
        assert!(world.begin(&provider).unwrap_err().is_outage());
    }
    assert!(world.op.count(METADATA) <= 2, "{} requests at once", world.op.count(METADATA));
    // Up for one sign-in, and then away again: begin works, and nobody is let in without the token endpoint.
    let world = World::start();
    let provider = world.provider();
    world.sign_in(&provider).unwrap();
    let started = world.begin(&provider).unwrap();
    let brought = world.op.authorize(&started.url);
    world.op.fail(Fault::Down);
    assert!(world.begin(&provider).is_ok());
    assert!(world.finish(&provider, &started, &brought).is_err());
    // And when it is back, so are sign-ins.
    world.op.state().faults.clear();
    assert!(world.sign_in(&provider).is_ok());
}

#[test]
fn x46_settings_that_change_hold_at_once_for_what_is_kept() {
    let world = World::start();
    let provider = world.provider();
    let started = world.begin(&provider).unwrap();
    let brought = world.op.authorize(&started.url);
    // The issuer is set otherwise between start and callback.
    let other = world.provider_with(|settings| {
        settings.discovery_url = Some(format!("{}{METADATA}", settings.issuer));
        settings.issuer.push_str("/other");
    });
    assert!(matches!(world.finish(&other, &started, &brought), Err(Refusal::Metadata(_))));
    assert_eq!(world.op.count("/token"), 0);
}
