//! Where the daemon goes for keys, and where it does not (X50, X52). Names are answered for by the test, the server is real.

use std::sync::atomic::Ordering;

use rosterd::clock::Clock as _;
use rosterd::roster::{ClientKind, Federation};
use serde_json::{Value, json};

use super::idp::{AUDIENCE, HOST, ISSUER, Idp, SUBJECT, Signer};
use super::world::{JWT_BEARER, client, federate, send};
use crate::support::{Engine, TestApp};

fn claims(app: &TestApp) -> Value {
    let now = app.clock().now().as_second();
    json!({ "iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": now, "exp": now + 3600 })
}

fn show(app: &TestApp, assertion: &str) -> u16 {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ];
    send(app, &fields).status
}

/// Starts a daemon with such settings, pins the issuer, and shows it a good assertion.
fn tried(idp: &Idp, settings: &[(&str, &str)], federation: Federation) -> (TestApp, u16) {
    let app = idp.app_on(Engine::Memory, settings);
    let made = client(&app, ClientKind::Federated, &[]);
    let issuer = federation.issuer.clone();
    federate(&app, &made.id, federation);
    let mut claims = claims(&app);
    claims["iss"] = issuer.into();
    let status = show(&app, &idp.rsa.sign(&claims));
    (app, status)
}

#[test]
fn x52_a_private_address_is_not_spoken_to_unless_it_is_named() {
    let idp = Idp::start();
    let port = idp.port();
    let host = format!("{HOST}:{port}");
    for (answer, allow, status) in [
        (&["127.0.0.1"][..], &*host, 200),
        (&["127.0.0.1"], "127.0.0.0/8", 200),
        (&["127.0.0.1"], "", 401),
        (&["127.0.0.1"], "10.0.0.0/8", 401),
        (&["127.0.0.1"], "other.test:443", 401),
        (&["127.0.0.1"], "idp.test:443", 401),
        (&["::ffff:127.0.0.1"], "", 401),
        (&["64:ff9b::7f00:1"], "", 401),
        // One address that is not to be spoken to spoils the rest.
        (&["127.0.0.1", "169.254.169.254"], &host, 401),
        (&["127.0.0.1", "10.0.0.1"], "127.0.0.0/8", 401),
        (&["169.254.169.254"], &host, 401),
        (&["0.0.0.0"], &host, 401),
        (&[], &host, 401),
    ] {
        idp.names.lead(HOST, &[answer]);
        let before = idp.fetched();
        let (_app, found) = tried(&idp, &[("net.allow", allow)], idp.pinned());
        assert_eq!(found, status, "{answer:?} with net.allow = {allow:?}");
        assert_eq!(idp.fetched() - before, usize::from(status == 200), "{answer:?} with {allow:?}");
    }
    // An address in the URL is an address as well.
    let literal = Federation { keys_url: Some(format!("https://127.0.0.1:{port}/keys")), ..idp.pinned() };
    assert_eq!(tried(&idp, &[], literal.clone()).1, 401);
    assert_eq!(tried(&idp, &[("net.allow", &host)], literal.clone()).1, 401);
    assert_eq!(tried(&idp, &[("net.allow", &format!("127.0.0.1:{port}"))], literal).1, 200);
}

#[test]
fn x52_a_name_that_changes_its_mind_is_asked_once_and_the_checked_address_is_the_one_spoken_to() {
    let idp = Idp::start();
    // First loopback on one address, then on another where nobody listens: a second look-up would fail to connect.
    idp.names.lead(HOST, &[&["127.0.0.1"], &["127.0.0.2"]]);
    let (_app, status) = tried(&idp, &[("net.allow", "127.0.0.0/8")], idp.pinned());
    assert_eq!((status, idp.names.asked.load(Ordering::SeqCst)), (200, 1));
    // First an address that may be spoken to, then this machine: the checked one is tried, and nothing else.
    idp.names.lead(HOST, &[&["127.0.0.9"], &["127.0.0.1"]]);
    let (_app, status) = tried(&idp, &[("net.allow", "127.0.0.9")], idp.pinned());
    assert_eq!((status, idp.fetched()), (401, 1));
    assert_eq!(idp.names.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn x52_redirects_odd_answers_and_strangers_certificates_bring_no_keys() {
    let idp = Idp::start();
    let allow = format!("{HOST}:{}", idp.port());
    let settings = [("net.allow", &*allow), ("net.total_timeout_ms", "2000")];
    let keys = json!({ "keys": [idp.rsa.jwk()] }).to_string();
    let raw = |head: &str, body: &str| format!("HTTP/1.1 {head}\r\n\r\n{body}").into_bytes();
    let length = keys.len();
    let long = "x".repeat(64 * 1024);
    for (why, page) in [
        ("a redirect", raw(&format!("302 Found\r\nLocation: {}\r\nContent-Length: 0", idp.url("/keys")), "")),
        (
            "a redirect with keys",
            raw(&format!("307 Temporary Redirect\r\nLocation: /keys\r\nContent-Length: {length}"), &keys),
        ),
        ("missing", raw(&format!("404 Not Found\r\nContent-Length: {length}"), &keys)),
        ("failing", raw(&format!("500 Internal Server Error\r\nContent-Length: {length}"), &keys)),
        ("in part", raw(&format!("206 Partial Content\r\nContent-Length: {length}"), &keys)),
        ("compressed", raw(&format!("200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}"), &keys)),
        ("cut short", raw(&format!("200 OK\r\nContent-Length: {}", length + 1), &keys)),
        ("a head without end", raw(&format!("200 OK\r\nX-Long: {long}\r\nContent-Length: {length}"), &keys)),
        ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ("nothing", Vec::new()),
    ] {
        idp.show_raw("/odd", page);
        let odd = Federation { keys_url: Some(idp.url("/odd")), ..idp.pinned() };
        assert_eq!(tried(&idp, &settings, odd).1, 401, "{why}");
    }
    idp.show_raw("/odd", raw(&format!("200 OK\r\nContent-Length: {length}"), &keys));
    let even = Federation { keys_url: Some(idp.url("/odd")), ..idp.pinned() };
    assert_eq!(tried(&idp, &settings, even.clone()).1, 200);
    // A certificate that nobody trusted stands for.
    let app = TestApp::with(Engine::Memory, &settings, std::sync::Arc::clone(&idp.names) as _);
    let made = client(&app, ClientKind::Federated, &[]);
    federate(&app, &made.id, even);
    let before = idp.fetched();
    assert_eq!(show(&app, &idp.rsa.sign(&claims(&app))), 401);
    assert_eq!(idp.fetched(), before);
    // And one that stands for another name.
    idp.names.lead("stranger.test", &[&["127.0.0.1"]]);
    let stranger = format!("https://stranger.test:{}/keys", idp.port());
    let stranger = Federation { keys_url: Some(stranger), ..idp.pinned() };
    assert_eq!(tried(&idp, &[("net.allow", "127.0.0.0/8")], stranger).1, 401);
}

#[test]
fn r24_x52_a_host_that_never_answers_costs_no_more_than_its_time() {
    let idp = Idp::start();
    // The system takes the connection, and nobody ever speaks.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mute = Federation { keys_url: Some(format!("https://{HOST}:{port}/keys")), ..idp.pinned() };
    let settings =
        [("net.allow", "127.0.0.0/8"), ("net.connect_timeout_ms", "200"), ("net.total_timeout_ms", "400")];
    let start = std::time::Instant::now();
    assert_eq!(tried(&idp, &settings, mute).1, 401);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    // One that speaks TLS, begins an answer and stops.
    idp.show_raw("/keys", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{");
    assert_eq!(tried(&idp, &settings, idp.pinned()).1, 401);
}

#[test]
fn x50_a_set_that_is_too_large_or_has_too_many_keys_is_not_taken() {
    let idp = Idp::start();
    let allow = format!("{HOST}:{}", idp.port());
    let padded = |spaces: usize| format!("{{{}\"keys\": [{}]}}", " ".repeat(spaces), idp.rsa.jwk());
    let whole = 256 * 1024;
    let bare = padded(0).len();
    let many = |count: usize| {
        let mut keys: Vec<Value> = (0..count - 1)
            .map(|number| {
                let mut key = idp.ec.jwk();
                key["kid"] = format!("k{number}").into();
                key
            })
            .collect();
        keys.push(idp.rsa.jwk());
        json!({ "keys": keys }).to_string()
    };
    for (status, page) in
        [(200, padded(whole - bare)), (401, padded(whole - bare + 1)), (200, many(100)), (401, many(101))]
    {
        idp.show("/keys", &page);
        assert_eq!(tried(&idp, &[("net.allow", &allow)], idp.pinned()).1, status, "{} bytes", page.len());
        // The same without saying how long it is.
        let chunks: Vec<String> = page
            .as_bytes()
            .chunks(10_000)
            .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)))
            .collect();
        idp.show_raw(
            "/keys",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunks.concat()),
        );
        assert_eq!(
            tried(&idp, &[("net.allow", &allow)], idp.pinned()).1,
            status,
            "{} bytes in chunks",
            page.len()
        );
    }
}

#[test]
fn x50_a_flood_of_unknown_keys_asks_the_issuer_once_a_second_and_a_new_key_is_found_all_the_same() {
    let idp = Idp::start();
    let app = idp.app();
    let made = client(&app, ClientKind::Federated, &[]);
    federate(&app, &made.id, idp.pinned());
    let start = std::time::Instant::now();
    assert_eq!(show(&app, &idp.rsa.sign(&claims(&app))), 200);
    assert_eq!(idp.fetched(), 1);
    let flood = |number: usize| {
        let header = json!({ "alg": "RS256", "kid": format!("junk-{number}") });
        let status = show(&app, &idp.rsa.sign_as(&header, &claims(&app)));
        assert!([401, 429].contains(&status), "{status}");
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let flood = &flood;
            scope.spawn(move || (0..40).for_each(|number| flood(thread * 100 + number)));
        }
    });
    // Two at once, and then one for each second.
    let most = 2 + usize::try_from(start.elapsed().as_secs()).unwrap();
    assert!(idp.fetched() <= most, "{} fetches where {most} are allowed", idp.fetched());

    // Without the flood: one name that is not there is asked for once.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let fetched = idp.fetched();
    while idp.fetched() == fetched {
        assert!(std::time::Instant::now() < deadline, "a new name is never asked for");
        flood(usize::try_from(start.elapsed().as_micros()).unwrap());
    }
    // What whoever asks next finds: the issuer has a new key by now.
    let fresh = Signer::rsa("rsa-2");
    idp.show_keys(&[idp.rsa.jwk(), fresh.jwk()]);
    while show(&app, &fresh.sign(&claims(&app))) != 200 {
        assert!(std::time::Instant::now() < deadline, "the new key is never found");
        std::thread::yield_now();
    }
    // The old one was never out of reach.
    assert_eq!(show(&app, &idp.rsa.sign(&claims(&app))), 200);
}

#[test]
fn x50_whoever_is_not_pinned_causes_no_request_to_the_issuer() {
    let idp = Idp::start();
    let app = idp.app();
    let made = client(&app, ClientKind::Federated, &[]);
    federate(&app, &made.id, idp.pinned());
    for (name, value) in [("iss", "https://login.idp.test/other"), ("sub", "another")] {
        let mut claims = claims(&app);
        claims[name] = value.into();
        assert_eq!(show(&app, &idp.rsa.sign(&claims)), 401);
    }
    assert_eq!((idp.fetched(), idp.names.asked.load(Ordering::SeqCst)), (0, 0));
}

#[test]
fn x50_keys_are_found_by_the_issuers_metadata_by_the_same_rules() {
    let idp = Idp::start();
    let issuer = idp.url("/tenant");
    let discovered = || Federation { issuer: issuer.clone(), keys_url: None, ..idp.pinned() };
    let settings = [("net.allow", &*format!("{HOST}:{}", idp.port()))];
    let metadata = "/tenant/.well-known/openid-configuration";
    for (status, page) in [
        (200, json!({ "issuer": issuer, "jwks_uri": idp.url("/keys"), "token_endpoint": "x" })),
        (401, json!({ "issuer": idp.url("/other"), "jwks_uri": idp.url("/keys") })),
        (401, json!({ "issuer": format!("{issuer}/"), "jwks_uri": idp.url("/keys") })),
        (401, json!({ "issuer": issuer, "jwks_uri": idp.url("/keys").replace("https", "http") })),
        (401, json!({ "issuer": issuer, "jwks_uri": "https://169.254.169.254/keys" })),
        (401, json!({ "issuer": issuer, "jwks_uri": "https://10.0.0.1/keys" })),
        (401, json!({ "issuer": issuer })),
        (401, json!("x")),
    ] {
        idp.show(metadata, &page.to_string());
        assert_eq!(tried(&idp, &settings, discovered()).1, status, "{page}");
    }
}
