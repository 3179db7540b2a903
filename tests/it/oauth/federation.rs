//! Assertions of an issuer that was pinned (RFC 7523), and every way to forge one. The keys come from a real server, by TLS.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rosterd::clock::Clock as _;
use rosterd::roster::{ClientKind, Command, Federation};
use serde_json::{Value, json};

use super::idp::{AUDIENCE, ISSUER, Idp, SUBJECT, Signer, hmac_sign, message};
use super::world::{
    JWT_BEARER, Made, client, client_of, federate, must_be, refused, revoke, send, with_token,
};
use crate::support::bodies::user;
use crate::support::{Answer, Engine, TestApp};

/// A daemon with a client for which the issuer's assertions stand.
struct Federated {
    idp: Idp,
    app: TestApp,
    made: Made,
}

impl Federated {
    fn start() -> Self {
        let idp = Idp::start();
        let app = idp.app();
        let made = client(&app, ClientKind::Federated, &[]);
        federate(&app, &made.id, idp.pinned());
        Self { idp, app, made }
    }

    fn now(&self) -> i64 {
        self.app.clock().now().as_second()
    }

    /// Claims that are good for an hour.
    fn claims(&self) -> Value {
        let now = self.now();
        json!({ "iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 3600 })
    }

    /// The same with one claim changed, or taken away by null.
    fn but(&self, name: &str, value: impl Into<Value>) -> Value {
        let (mut claims, value) = (self.claims(), value.into());
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        claims
    }

    fn show(&self, assertion: &str) -> Answer {
        show(&self.app, assertion, None)
    }

    #[track_caller]
    fn refuses(&self, assertion: &str, why: &str) {
        let answer = self.show(assertion);
        // So many failures of one address that it is told to wait.
        if answer.status == 429 {
            must_be(&answer, 429, "temporarily_unavailable");
            return;
        }
        assert_eq!(answer.status, 401, "{why}: {}", answer.text());
        must_be(&answer, 401, "invalid_client");
    }
}

fn show(app: &TestApp, assertion: &str, client_id: Option<&str>) -> Answer {
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("scope", "scim"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ];
    fields.extend(client_id.map(|id| ("client_id", id)));
    send(app, &fields)
}

#[test]
fn d_e20_an_assertion_of_the_pinned_issuer_fetches_a_token_that_works() {
    for engine in Engine::ALL {
        let idp = Idp::start();
        let app = idp.app_on(engine, &[("net.allow", &format!("idp.test:{}", idp.port()))]);
        let made = client(&app, ClientKind::Federated, &[]);
        federate(&app, &made.id, idp.pinned());
        let world = Federated { idp, app, made };
        let by_rsa = world.idp.rsa.sign(&world.claims());
        let answer = world.show(&by_rsa).expect(200);
        assert_eq!(answer.json()["scope"], "scim");
        let entra = with_token(&world.app, answer);
        let _ = entra.post("/Users", &user("ada")).expect(201);
        // The client may be named, and must be the one then.
        let by_curve = world.idp.ec.sign(&world.but("aud", json!(["api://third", AUDIENCE])));
        let _ = show(&world.app, &by_curve, Some(&world.made.id)).expect(200);
        must_be(
            &show(&world.app, &by_curve, Some("0192f0c1-2b3c-7def-8123-456789abcdef")),
            401,
            "invalid_client",
        );
        must_be(&show(&world.app, &by_curve, Some("conn-12")), 401, "invalid_client");
        assert_eq!(world.idp.fetched(), 1, "the keys are remembered");
        // What is revoked ends at once.
        let _ = entra.get("/Users").expect(200);
        revoke(&world.app, &world.made.id);
        entra.get("/Users").refused(401, None);
        world.refuses(&by_rsa, "revoked");
    }
}

#[test]
fn d_e20_an_assertion_with_another_claim_or_out_of_its_time_is_refused() {
    let world = Federated::start();
    let now = world.now();
    let _ = world.show(&world.idp.rsa.sign(&world.claims())).expect(200);
    for (why, claims) in [
        ("another audience", world.but("aud", "api://stranger")),
        ("an audience that begins alike", world.but("aud", format!("{AUDIENCE}/.default"))),
        ("other audiences", world.but("aud", json!(["api://stranger", "api://third"]))),
        ("no audience", world.but("aud", Value::Null)),
        ("an empty list of audiences", world.but("aud", json!([]))),
        ("another issuer", world.but("iss", "https://login.idp.test/other/v2.0")),
        ("an issuer with a slash more", world.but("iss", format!("{ISSUER}/"))),
        ("no issuer", world.but("iss", Value::Null)),
        ("another subject", world.but("sub", "b3ed0a0a-0000-4000-8000-000000000002")),
        ("a subject in capitals", world.but("sub", SUBJECT.to_uppercase())),
        ("no subject", world.but("sub", Value::Null)),
        ("no exp", world.but("exp", Value::Null)),
        ("exp as a text", world.but("exp", (now + 3600).to_string())),
        ("expired", world.but("exp", now - 120)),
        ("without an end", world.but("exp", 1e300)),
        ("before its time", world.but("nbf", now + 300)),
        ("made in the future", world.but("iat", now + 300)),
        ("a life of two hours", world.but("exp", now + 7200)),
        ("a life of two hours, most of it gone", {
            let mut claims = world.but("iat", now - 7000);
            claims["nbf"] = (now - 7000).into();
            claims["exp"] = (now + 200).into();
            claims
        }),
        ("a long life that hides its beginning", {
            let mut claims = world.but("exp", now + 7200);
            claims.as_object_mut().unwrap().retain(|name, _| name != "iat" && name != "nbf");
            claims
        }),
        ("a beginning in the future that makes the life look short", world.but("iat", now + 5000)),
        ("a jti that is no text", world.but("jti", 7)),
        ("a jti without end", world.but("jti", "j".repeat(600))),
        ("no claims", json!([])),
    ] {
        world.refuses(&world.idp.rsa.sign(&claims), why);
    }
    // A clock that differs by less than a minute is forgiven, either way.
    for (name, value) in [("exp", now - 30), ("nbf", now + 30), ("iat", now + 30)] {
        let _ = world.show(&world.idp.rsa.sign(&world.but(name, value))).expect(200);
    }
    let _ = world
        .show(&world.idp.rsa.sign(&world.but("exp", f64::from(u32::try_from(now).unwrap()) + 60.5)))
        .expect(200);
}

#[test]
fn x44_an_assertion_that_is_signed_otherwise_is_refused() {
    let world = Federated::start();
    let (rsa, ec, claims) = (&world.idp.rsa, &world.idp.ec, world.claims());
    let good = rsa.sign(&claims);
    let _ = world.show(&good).expect(200);
    let header = |alg: &str, kid: &str| json!({ "alg": alg, "typ": "JWT", "kid": kid });

    for alg in ["none", "None", "NONE", "nOnE"] {
        let unsigned = message(&header(alg, "rsa-1"), &claims);
        for signature in ["", "e30", good.rsplit('.').next().unwrap()] {
            world.refuses(&format!("{unsigned}.{signature}"), "none");
        }
        world.refuses(&unsigned, "none without a dot");
    }
    // The public key as a shared secret, in every form in which somebody might hold it.
    let modulus = rsa.public();
    let jwk = rsa.jwk().to_string();
    for secret in
        [&modulus[..], jwk.as_bytes(), rsa.jwk()["n"].as_str().unwrap().as_bytes(), &ec.public(), b""]
    {
        for alg in ["HS256", "HS384", "RS256", "ES256"] {
            world.refuses(&hmac_sign(&header(alg, "rsa-1"), &claims, secret), "a shared secret");
        }
    }
    // One kind of key under the name of the other.
    for (signer, alg, kid) in [
        (rsa, "ES256", "rsa-1"),
        (rsa, "ES256", "ec-1"),
        (rsa, "RS256", "ec-1"),
        (rsa, "PS256", "rsa-1"),
        (rsa, "RS384", "rsa-1"),
        (rsa, "RS512", "rsa-1"),
        (ec, "RS256", "ec-1"),
        (ec, "RS256", "rsa-1"),
        (ec, "ES384", "ec-1"),
        (ec, "ES256", "rsa-1"),
        (rsa, "rs256", "rsa-1"),
        (rsa, "EdDSA", "rsa-1"),
        (rsa, "", "rsa-1"),
    ] {
        world.refuses(&signer.sign_as(&header(alg, kid), &claims), &format!("{alg} by {kid}"));
    }
    // Somebody else's key, under the right name.
    let stranger = Signer::rsa("rsa-1");
    world.refuses(&stranger.sign(&claims), "a stranger's key");
    // Keys that the assertion brings itself: nothing is fetched, and nothing believed.
    let fetched = world.idp.fetched();
    let [x5u, jku] = ["/stranger-certificate", "/stranger-keys"].map(|path| world.idp.url(path));
    world.idp.show("/stranger-keys", &json!({ "keys": [stranger.jwk()] }).to_string());
    for (name, value) in [
        ("jku", json!(jku)),
        ("x5u", json!(x5u)),
        ("jwk", stranger.jwk()),
        ("x5c", json!([URL_SAFE_NO_PAD.encode(stranger.public())])),
    ] {
        let mut header = header("RS256", "rsa-1");
        header[name] = value.clone();
        world.refuses(&stranger.sign_as(&header, &claims), name);
        header["kid"] = Value::Null;
        world.refuses(&stranger.sign_as(&header, &claims), name);
        // And such a field is no harm where the signature is right.
        header["kid"] = "rsa-1".into();
        let _ = world.show(&rsa.sign_as(&header, &claims)).expect(200);
    }
    assert_eq!(world.idp.fetched(), fetched);

    for (name, value) in [("crit", json!(["exp"])), ("b64", json!(false))] {
        let mut header = header("RS256", "rsa-1");
        header[name] = value;
        world.refuses(&rsa.sign_as(&header, &claims), name);
    }
    // What is signed is what is read: nothing altered, nothing added, no part that stands twice.
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = message.split_once('.').unwrap();
    let altered = URL_SAFE_NO_PAD.encode(world.but("exp", world.now() + 3601).to_string());
    let twice = URL_SAFE_NO_PAD.encode(format!("{{\"sub\":\"x\",{}", &claims.to_string()[1..]));
    for wrong in [
        format!("{head}.{altered}.{signature}"),
        format!("{head}.{twice}.{signature}"),
        format!("{head}.{body}.{}", &signature[..signature.len() - 4]),
        format!("{head}.{body}."),
        format!("{head}.{body}"),
        format!("{head}.{body}.{signature}.{signature}"),
        format!("{head}.{body}.{signature}="),
        format!(".{body}.{signature}"),
        format!("{head}..{signature}"),
        format!(" {good}"),
        "..".to_owned(),
        "x".to_owned(),
        "a".repeat(20_000),
    ] {
        world.refuses(&wrong, &wrong);
    }
    let _ = world.show(&good).expect(200);
}

#[test]
fn x44_an_algorithm_that_is_not_pinned_is_refused_although_the_key_is_there() {
    let world = Federated::start();
    federate(
        &world.app,
        &world.made.id,
        Federation { algorithms: vec!["ES256".to_owned()], ..world.idp.pinned() },
    );
    world.refuses(&world.idp.rsa.sign(&world.claims()), "RS256");
    assert_eq!(world.idp.fetched(), 0, "nothing is fetched for it");
    let _ = world.show(&world.idp.ec.sign(&world.claims())).expect(200);
}

#[test]
fn d_e20_an_assertion_with_a_jti_is_taken_once_also_after_a_restart() {
    let idp = Idp::start();
    let app = idp.app_on(Engine::Redb, &[("net.allow", "127.0.0.0/8")]);
    let made = client(&app, ClientKind::Federated, &[]);
    federate(&app, &made.id, idp.pinned());
    let mut world = Federated { idp, app, made };
    let once = world.idp.rsa.sign(&world.but("jti", "one"));
    let _ = world.show(&once).expect(200);
    world.refuses(&once, "the same again");
    world.app.restart();
    world.refuses(&once, "the same again after a restart");
    let _ = world.show(&world.idp.rsa.sign(&world.but("jti", "two"))).expect(200);
    // Without a name of its own it may be shown again while it is good.
    let nameless = world.idp.rsa.sign(&world.claims());
    let _ = (world.show(&nameless).expect(200), world.show(&nameless).expect(200));
    // What has run out is forgotten, and refused for that.
    world.app.clock().advance(4000);
    world.refuses(&once, "expired");
    let _ = world.show(&world.idp.rsa.sign(&world.but("jti", "three"))).expect(200);
}

#[test]
fn d_e20_an_assertion_that_many_show_at_once_is_taken_once() {
    let world = Federated::start();
    let once = world.idp.rsa.sign(&world.but("jti", "one"));
    // The keys first, so that the race is about the assertion alone.
    let _ = world.show(&world.idp.rsa.sign(&world.claims())).expect(200);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let shown: Vec<_> = (0..8).map(|_| scope.spawn(|| world.show(&once).status)).collect();
        shown.into_iter().map(|shown| shown.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 401].contains(status)), "{statuses:?}");
}

#[test]
fn d_e20_what_is_pinned_anew_holds_at_once_and_ends_what_was_fetched_before() {
    let world = Federated::start();
    let entra = with_token(&world.app, world.show(&world.idp.rsa.sign(&world.claims())));
    let _ = entra.get("/Users").expect(200);
    federate(&world.app, &world.made.id, Federation { subject: "another".to_owned(), ..world.idp.pinned() });
    entra.get("/Users").refused(401, None);
    world.refuses(&world.idp.rsa.sign(&world.claims()), "the old subject");
    let _ = world.show(&world.idp.rsa.sign(&world.but("sub", "another"))).expect(200);

    // A subject of an issuer stands for one client, whoever's.
    world.app.tenant("other");
    let second = client_of(&world.app, "local", ClientKind::Federated, &[]);
    let taken = Federation { subject: "another".to_owned(), ..world.idp.pinned() };
    let pin = Command::ClientFederate { client: second.id.clone(), federation: taken };
    assert!(
        refused(&world.app, pin.clone()).contains(&format!("stands for client {} already", world.made.id))
    );
    revoke(&world.app, &world.made.id);
    world.app.operate(pin);
    let _ = world.show(&world.idp.rsa.sign(&world.but("sub", "another"))).expect(200);
}

#[test]
fn d_e20_what_could_never_be_matched_or_not_safely_is_not_pinned() {
    let world = Federated::start();
    let pinned = world.idp.pinned();
    for (part, wrong) in [
        ("issuer", Federation { issuer: String::new(), ..pinned.clone() }),
        ("subject", Federation { subject: "a b".to_owned(), ..pinned.clone() }),
        ("audience", Federation { audiences: vec![String::new()], ..pinned.clone() }),
        ("1 to 8 audiences", Federation { audiences: vec![], ..pinned.clone() }),
        ("1 to 8 audiences", Federation { audiences: vec!["a".to_owned(); 9], ..pinned.clone() }),
        ("https only", Federation { keys_url: Some("http://idp.test/keys".to_owned()), ..pinned.clone() }),
        (
            "https only",
            Federation { keys_url: Some("https://me@idp.test/keys".to_owned()), ..pinned.clone() },
        ),
        ("https only", Federation { keys_url: Some("file:///etc/passwd".to_owned()), ..pinned.clone() }),
        ("https only", Federation { keys_url: None, issuer: "http://idp.test".to_owned(), ..pinned.clone() }),
        ("no algorithm", Federation { algorithms: vec![], ..pinned.clone() }),
        (
            "unknown algorithm \"none\"",
            Federation { algorithms: vec!["RS256".to_owned(), "none".to_owned()], ..pinned.clone() },
        ),
        (
            "unknown algorithm \"HS256\"",
            Federation { algorithms: vec!["HS256".to_owned()], ..pinned.clone() },
        ),
        ("1 to 1440 minutes", Federation { lifetime_minutes_max: 0, ..pinned.clone() }),
        ("1 to 1440 minutes", Federation { lifetime_minutes_max: 1441, ..pinned.clone() }),
    ] {
        let said =
            refused(&world.app, Command::ClientFederate { client: world.made.id.clone(), federation: wrong });
        assert!(said.contains(part), "{part}: {said}");
    }
    // What was pinned before still holds.
    let _ = world.show(&world.idp.rsa.sign(&world.claims())).expect(200);
}
