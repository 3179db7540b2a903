//! ID tokens, forged in every way (X44): each attempt goes all the way, from begin to the token endpoint's answer.

use std::sync::Arc;

use rosterd::jwt::{Flaw, Missing};
use rosterd::signin::rp::{Refusal, TokenFlaw};
use serde_json::{Value, json};

use super::op::{ACCESS_TOKEN, CLIENT, Fault, SECRET, SUBJECT};
use super::world::{World, now};
use crate::support::signer::{Signer, hmac_sign, message};

const UNKNOWN: TokenFlaw = TokenFlaw::Unreadable(Flaw::UnknownAlgorithm);
const SHAPE: TokenFlaw = TokenFlaw::Unreadable(Flaw::Shape);

/// Signs in with such claims beside or instead of the usual ones; a null takes one away.
#[track_caller]
fn with_claims(world: &World, claims: Value) -> Result<(), TokenFlaw> {
    world.op.state().claims = claims;
    signs_in(world)
}

#[track_caller]
fn with_header(world: &World, header: Value) -> Result<(), TokenFlaw> {
    world.op.state().header = header;
    signs_in(world)
}

#[track_caller]
fn signs_in(world: &World) -> Result<(), TokenFlaw> {
    match world.sign_in(&world.provider()) {
        Ok(_) => Ok(()),
        Err(Refusal::IdToken(flaw)) => Err(flaw),
        Err(other) => panic!("{other:?}"),
    }
}

/// `-invalid-iss`, `-invalid-aud`, `-missing-aud`, `-missing-iat`, `-missing-sub`, `-nonce-invalid`, `-invalid-athash`, `-missing-athash`.
#[test]
fn x44_a_token_with_one_wrong_claim_lets_nobody_in() {
    let world = World::start();
    let issuer = world.op.issuer();
    let long = "s".repeat(255);
    for (claims, expected) in [
        (json!({}), Ok(())),
        (json!({ "at_hash": null }), Ok(())),
        (json!({ "aud": [CLIENT] }), Ok(())),
        (json!({ "azp": CLIENT }), Ok(())),
        (json!({ "sub": long }), Ok(())),
        (json!({ "iss": "https://evil.example" }), Err(TokenFlaw::Issuer)),
        (json!({ "iss": format!("{issuer}/") }), Err(TokenFlaw::Issuer)),
        (json!({ "iss": null }), Err(TokenFlaw::Issuer)),
        (json!({ "iss": [issuer] }), Err(TokenFlaw::Issuer)),
        (json!({ "aud": "another" }), Err(TokenFlaw::Audience)),
        (json!({ "aud": ["another"] }), Err(TokenFlaw::Audience)),
        (json!({ "aud": [CLIENT, "another"] }), Err(TokenFlaw::Audience)),
        (json!({ "aud": null }), Err(TokenFlaw::Audience)),
        (json!({ "aud": [] }), Err(TokenFlaw::Audience)),
        (json!({ "azp": "another" }), Err(TokenFlaw::AuthorizedParty)),
        (json!({ "azp": [CLIENT] }), Err(TokenFlaw::Claims)),
        (json!({ "iat": null }), Err(TokenFlaw::Claims)),
        (json!({ "exp": null }), Err(TokenFlaw::Claims)),
        (json!({ "sub": null }), Err(TokenFlaw::Claims)),
        (json!({ "sub": "" }), Err(TokenFlaw::Subject)),
        (json!({ "sub": format!("{long}s") }), Err(TokenFlaw::Subject)),
        (json!({ "sub": "a\nb" }), Err(TokenFlaw::Subject)),
        (json!({ "nonce": "another" }), Err(TokenFlaw::Nonce)),
        (json!({ "nonce": null }), Err(TokenFlaw::Nonce)),
        (json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }), Err(TokenFlaw::AccessToken)),
        (json!({ "at_hash": "" }), Err(TokenFlaw::AccessToken)),
        (json!({ "at_hash": 1 }), Err(TokenFlaw::Claims)),
    ] {
        assert_eq!(with_claims(&world, claims.clone()), expected, "{claims}");
    }
}

#[test]
fn x44_a_token_outside_its_time_lets_nobody_in_and_the_leeway_is_a_minute() {
    let world = World::start();
    let at = |offset: i64| now().as_second() + offset;
    for (claims, expected) in [
        (json!({ "exp": at(-59) }), Ok(())),
        (json!({ "exp": at(-60) }), Err(TokenFlaw::Expired)),
        (json!({ "exp": 0 }), Err(TokenFlaw::Expired)),
        (json!({ "iat": at(60) }), Ok(())),
        (json!({ "iat": at(61) }), Err(TokenFlaw::IssuedAt)),
        (json!({ "iat": at(-660) }), Ok(())),
        (json!({ "iat": at(-661) }), Err(TokenFlaw::IssuedAt)),
        (json!({ "nbf": at(60) }), Ok(())),
        (json!({ "nbf": at(61) }), Err(TokenFlaw::NotYet)),
        (json!({ "nbf": 1.5 }), Ok(())),
        (json!({ "exp": 4e9, "iat": at(0) }), Ok(())),
        // What is no moment harms nobody, and is none.
        (json!({ "nbf": "soon" }), Err(TokenFlaw::Claims)),
        (json!({ "nbf": -1 }), Err(SHAPE)),
        (json!({ "nbf": 1e300 }), Err(SHAPE)),
        (json!({ "exp": 1e300 }), Err(TokenFlaw::Claims)),
        (json!({ "exp": -1e300 }), Err(TokenFlaw::Claims)),
        (json!({ "iat": "now" }), Err(TokenFlaw::Claims)),
        (json!({ "auth_time": at(61) }), Err(TokenFlaw::AuthTime)),
    ] {
        assert_eq!(with_claims(&world, claims.clone()), expected, "{claims}");
    }
    // Wider and narrower, as it is set.
    for (leeway, offset, is_taken) in [(0, 0, false), (0, 1, true), (300, -299, true), (300, -300, false)] {
        world.op.state().claims = json!({ "exp": at(offset) });
        let provider = world.provider_with(|settings| settings.leeway_seconds = leeway);
        assert_eq!(world.sign_in(&provider).is_ok(), is_taken, "{leeway} {offset}");
    }
}

/// `-idtoken-sig-rs256`, and the others that may be allowed.
#[test]
fn x44_tokens_by_each_algorithm_that_is_allowed_are_taken_and_by_no_other() {
    let names = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
    let signers = [Signer::rsa("k"), Signer::pss("k"), Signer::ec("k"), Signer::ec384("k"), Signer::ed("k")];
    for (name, signer) in names.into_iter().zip(signers) {
        assert_eq!(signer.algorithm, name);
        let world = World::start();
        {
            let mut state = world.op.state();
            state.keys = vec![signer.jwk()];
            state.signer = Arc::new(signer);
            state.claims = json!({ "at_hash": null });
        }
        for allowed in names {
            let provider = world.provider_with(|settings| settings.algorithms = vec![allowed.to_owned()]);
            match world.sign_in(&provider) {
                Ok(_) => assert_eq!(allowed, name),
                Err(refusal) => {
                    assert_eq!(
                        refusal,
                        Refusal::IdToken(TokenFlaw::Algorithm(name)),
                        "{name} where {allowed} is"
                    );
                }
            }
        }
    }
}

#[test]
fn x44_the_digest_of_the_access_token_is_the_algorithms_own() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use sha2::Digest as _;

    let token = ACCESS_TOKEN.as_bytes();
    let (sha384, sha512) = (sha2::Sha384::digest(token), sha2::Sha512::digest(token));
    for (signer, half) in [(Signer::ec384("k"), &sha384[..24]), (Signer::ed("k"), &sha512[..32])] {
        let world = World::start();
        {
            let mut state = world.op.state();
            state.keys = vec![signer.jwk()];
            state.signer = Arc::new(signer);
        }
        let provider = world
            .provider_with(|settings| settings.algorithms = ["ES384", "EdDSA"].map(str::to_owned).to_vec());
        assert_eq!(
            world.sign_in(&provider).unwrap_err(),
            Refusal::IdToken(TokenFlaw::AccessToken),
            "by SHA-256"
        );
        world.op.state().claims = json!({ "at_hash": URL_SAFE_NO_PAD.encode(half) });
        assert!(world.sign_in(&provider).is_ok());
    }
}

/// `-idtoken-sig-none`, `-invalid-sig-es256`.
#[test]
fn x44_a_token_without_a_signature_or_by_a_strangers_key_lets_nobody_in() {
    let world = World::start();
    world.op.fail(Fault::Unsigned);
    assert_eq!(world.flaw(), UNKNOWN);
    let world = World::start();
    world.op.fail(Fault::Stranger);
    assert_eq!(world.flaw(), TokenFlaw::Signature);
    // With a good one of which a letter is another.
    let world = World::start();
    let provider = world.provider();
    let good = world.sign_in(&provider).unwrap().id_token;
    let (rest, last) = good.expose().split_at(good.expose().len() - 10);
    let other = if last.starts_with('A') { 'B' } else { 'A' };
    world.op.state().id_token = Some(format!("{rest}{other}{}", &last[1..]));
    assert_eq!(world.flaw(), TokenFlaw::Signature);
    // And the good one itself, in another sign-in.
    world.op.state().id_token = Some(good.expose().to_owned());
    assert_eq!(world.flaw(), TokenFlaw::Nonce);
}

/// `-invalid-sig-rs256`, `-invalid-sig-hs256`.
#[test]
fn x44_a_public_key_or_our_own_secret_as_a_shared_secret_lets_nobody_in() {
    let world = World::start();
    let rsa = Signer::rsa("rsa-1");
    world.op.state().keys = vec![rsa.jwk()];
    let second = now().as_second();
    let claims = json!({ "iss": world.op.issuer(), "sub": SUBJECT, "aud": CLIENT, "iat": second, "exp": second + 300 });
    let (modulus, jwk) = (rsa.public(), rsa.jwk());
    for secret in [
        &modulus[..],
        jwk.to_string().as_bytes(),
        jwk["n"].as_str().unwrap().as_bytes(),
        SECRET.as_bytes(),
        b"",
    ] {
        for alg in ["HS256", "HS384", "HS512"] {
            let header = json!({ "alg": alg, "typ": "JWT", "kid": "rsa-1" });
            world.op.state().id_token = Some(hmac_sign(&header, &claims, secret));
            assert_eq!(world.flaw(), UNKNOWN, "{alg}");
        }
        for alg in ["RS256", "PS256", "ES256"] {
            let header = json!({ "alg": alg, "typ": "JWT", "kid": "rsa-1" });
            world.op.state().id_token = Some(hmac_sign(&header, &claims, secret));
            assert!(matches!(world.flaw(), TokenFlaw::Signature | TokenFlaw::Key(_)), "{alg}");
        }
    }
    world.op.state().id_token = Some(Signer::rsa("rsa-1").sign(&claims));
    assert_eq!(world.flaw(), TokenFlaw::Signature);
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        world.op.state().id_token = Some(format!("{}.", message(&json!({ "alg": alg }), &claims)));
        assert_eq!(world.flaw(), UNKNOWN, "{alg}");
    }
}

#[test]
fn x44_a_token_for_another_purpose_lets_nobody_in() {
    let world = World::start();
    for (typ, expected) in [
        (json!(null), Ok(())),
        (json!("JWT"), Ok(())),
        (json!("jwt"), Ok(())),
        (json!("application/jwt"), Ok(())),
        (json!("logout+jwt"), Err(TokenFlaw::Type)),
        (json!("at+jwt"), Err(TokenFlaw::Type)),
        (json!("application/at+jwt"), Err(TokenFlaw::Type)),
        (json!("global-token-revocation+jwt"), Err(TokenFlaw::Type)),
        (json!("secevent+jwt"), Err(TokenFlaw::Type)),
        (json!("dpop+jwt"), Err(TokenFlaw::Type)),
        (json!(""), Err(TokenFlaw::Type)),
        (json!(["JWT"]), Err(SHAPE)),
    ] {
        assert_eq!(with_header(&world, json!({ "typ": typ })), expected, "{typ}");
    }
    let critical = Err(TokenFlaw::Unreadable(Flaw::Critical));
    assert_eq!(with_header(&world, json!({ "crit": ["exp"] })), critical);
    assert_eq!(with_header(&world, json!({ "b64": false })), critical);
    assert_eq!(with_header(&world, json!({ "cty": "JWT" })), Err(TokenFlaw::Type));
}

#[test]
fn x44_a_text_that_is_no_token_lets_nobody_in() {
    let world = World::start();
    let good = world.sign_in(&world.provider()).unwrap().id_token.expose().to_owned();
    let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let encode = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let twice = encode("{\"iss\":\"a\",\"iss\":\"b\"}");
    for (text, expected) in [
        (String::new(), SHAPE),
        ("a".to_owned(), SHAPE),
        ("..".to_owned(), SHAPE),
        (format!("{head}.{body}"), SHAPE),
        (format!("{head}.{body}.{signature}.x"), SHAPE),
        (format!("{head}.{body}.{signature}.x.y"), TokenFlaw::Encrypted),
        (format!("{head}=.{body}.{signature}"), SHAPE),
        (format!("{head}.{twice}.{signature}"), SHAPE),
        (format!("{head}.{}.{signature}", encode("[]")), SHAPE),
        (format!("{head}.{}.{signature}", encode("nonsense")), SHAPE),
        (format!("{head}.{}.{signature}", encode(&" ".repeat(64 * 1024))), SHAPE),
        (format!("{head}.{}.{signature}", encode(&"[".repeat(2000))), SHAPE),
        (format!("{}.{body}.{signature}", encode("{}")), SHAPE),
        (format!("{}.{body}.{signature}", encode("{\"alg\":\"ES256\",\"alg\":\"none\"}")), SHAPE),
    ] {
        world.op.state().id_token = Some(text.clone());
        assert_eq!(world.flaw(), expected, "{}", text.chars().take(80).collect::<String>());
    }
}

/// `-kid-absent-single-jwks`, `-kid-absent-multiple-jwks`.
#[test]
fn x44_a_token_that_names_no_key_is_checked_only_where_one_key_alone_is_for_its_algorithm() {
    let world = World::start();
    assert_eq!(with_header(&world, json!({ "kid": null })), Ok(()));
    let world = World::start();
    let second = Signer::ec("ec-2").jwk();
    world.op.state().keys.push(second);
    assert_eq!(with_header(&world, json!({ "kid": null })), Err(TokenFlaw::Key(Missing::Ambiguous)));
    assert_eq!(with_header(&world, json!({})), Ok(()));
    // Keys for other algorithms are no company.
    let world = World::start();
    let other = Signer::rsa("rsa-1").jwk();
    world.op.state().keys.push(other);
    assert_eq!(with_header(&world, json!({ "kid": null })), Ok(()));
}

#[test]
fn x50_keys_that_a_token_brings_itself_are_not_looked_at() {
    let world = World::start();
    assert_eq!(signs_in(&world), Ok(()));
    let stranger = Arc::new(Signer::ec("ec-1"));
    let url = world.op.server.url("/stranger-keys");
    let (fetched, start) = (world.op.count("/jwks"), std::time::Instant::now());
    let own = std::mem::replace(&mut world.op.state().signer, Arc::clone(&stranger));
    for (name, value) in
        [("jku", json!(url)), ("x5u", json!(url)), ("jwk", stranger.jwk()), ("x5c", json!(["AAAA"]))]
    {
        assert_eq!(with_header(&world, json!({ name: value })), Err(TokenFlaw::Signature), "{name}");
        assert_eq!(
            with_header(&world, json!({ name: value, "kid": null })),
            Err(TokenFlaw::Signature),
            "{name}"
        );
    }
    for path in ["../../etc/passwd", "https://evil.example/keys", "' OR 1=1 --", "/stranger-keys"] {
        assert_eq!(
            with_header(&world, json!({ "kid": path })),
            Err(TokenFlaw::Key(Missing::Unknown)),
            "{path}"
        );
    }
    let long = "k".repeat(257);
    assert_eq!(with_header(&world, json!({ "kid": long })), Err(TokenFlaw::Unreadable(Flaw::UnknownKey)));
    assert_eq!(world.op.count("/stranger-keys"), 0);
    let most = fetched + 2 + usize::try_from(start.elapsed().as_secs()).unwrap();
    assert!(
        world.op.count("/jwks") <= most,
        "an unknown name asks for the set twice, and then once a second"
    );
    world.op.state().signer = own;
    assert_eq!(
        with_header(&world, json!({ "jku": url })),
        Ok(()),
        "and does no harm beside a good signature"
    );
}
