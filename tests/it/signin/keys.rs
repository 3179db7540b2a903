//! The provider's keys: new ones are found, old ones outlive an outage, and junk does not make us ask (X50, R30).

use std::sync::Arc;
use std::time::Instant;

use rosterd::config::Permit;
use rosterd::jwt::Missing;
use rosterd::signin::rp::{Callback, Refusal, TokenFlaw};
use serde_json::json;

use super::op::{CLIENT, Op};
use super::world::{World, now};
use crate::support::signer::Signer;

/// `-discovery-jwks-uri-keys`, `-signing-key-rotation`, `-signing-key-rotation-just-before-signing`.
#[test]
fn x50_a_new_key_is_found_when_a_token_names_it_and_an_old_one_ends_with_the_set() {
    let world = World::start();
    let provider = world.provider();
    world.sign_in(&provider).unwrap();
    assert_eq!(world.op.count("/jwks"), 1);
    world.sign_in(&provider).unwrap();
    assert_eq!(world.op.count("/jwks"), 1, "a key that is known is not asked for");
    let fresh = Arc::new(Signer::ec("ec-2"));
    world.op.state().keys = vec![fresh.jwk()];
    let old = std::mem::replace(&mut world.op.state().signer, fresh);
    world.sign_in(&provider).unwrap();
    assert_eq!(world.op.count("/jwks"), 2);
    world.op.state().signer = old;
    assert_eq!(world.flaw(), TokenFlaw::Key(Missing::Unknown));
}

#[test]
fn x50_fifteen_tokens_with_unknown_keys_at_once_ask_the_provider_twice_at_most() {
    let world = World::start();
    let provider = Arc::new(world.provider());
    world.sign_in(&provider).unwrap();
    let before = world.op.count("/jwks");
    let start = Instant::now();
    let second = now().as_second();
    let junk = Signer::ec("junk");
    let all: Vec<_> = (0..15)
        .map(|number| {
            let header = json!({ "alg": "ES256", "typ": "logout+jwt", "kid": format!("junk-{number}") });
            let claims =
                json!({ "iss": world.op.issuer(), "aud": CLIENT, "iat": second, "exp": second + 60 });
            let token = junk.sign_as(&header, &claims);
            let (rp, provider) = (Arc::clone(&world.rp), Arc::clone(&provider));
            world.runtime.spawn(async move { rp.logout(&provider, &token, now()).await })
        })
        .collect();
    for one in all {
        let refusal = world.runtime.block_on(one).unwrap().unwrap_err();
        assert_eq!(refusal, Refusal::LogoutToken(TokenFlaw::Key(Missing::Unknown)));
    }
    // Each second that it took earns another; on a machine that is not asleep it takes none.
    let most = 2 + usize::try_from(start.elapsed().as_secs()).unwrap();
    assert!(world.op.count("/jwks") - before <= most, "{} requests", world.op.count("/jwks") - before);
    // Who has the good key signs in all the same.
    world.sign_in(&provider).unwrap();
}

#[test]
fn r30_x50_old_keys_stay_good_while_the_provider_does_not_show_them() {
    let world = World::start();
    let provider = world.provider();
    world.sign_in(&provider).unwrap();
    world
        .op
        .state()
        .pages
        .insert("/jwks".to_owned(), b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec());
    world.sign_in(&provider).unwrap();
    // One that is not known cannot be found now, and says so.
    let fresh = Arc::new(Signer::ec("ec-2"));
    world.op.state().signer = fresh;
    assert_eq!(world.flaw(), TokenFlaw::Key(Missing::Unknown));
    // Without any key nobody comes in, and it is the provider's outage.
    let world = World::start();
    world
        .op
        .state()
        .pages
        .insert("/jwks".to_owned(), b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec());
    let refusal = world.sign_in(&world.provider()).unwrap_err();
    assert!(
        refusal == Refusal::IdToken(TokenFlaw::Key(Missing::Unreachable)) && refusal.is_outage(),
        "{refusal:?}"
    );
}

#[test]
fn r30_keeping_fresh_fetches_what_is_not_there_and_nothing_that_is() {
    let world = World::start();
    let provider = world.provider();
    let keep = || world.runtime.block_on(world.rp.keep_fresh(&provider));
    keep().unwrap();
    assert_eq!(world.op.server.fetched(), 2);
    keep().unwrap();
    assert_eq!(world.op.server.fetched(), 2);
    world.sign_in(&provider).unwrap();
    assert_eq!(world.op.server.fetched(), 3, "only the token endpoint was asked");
}

#[test]
fn r30_a_hung_provider_keeps_nobody_waiting_who_does_not_need_it() {
    let world = World::with(Op::start(), |mut options| {
        options.allow.push(Permit::parse("127.0.0.0/8").unwrap());
        options
    });
    let _silent = world.op.fall_silent("token_endpoint");
    let provider = Arc::new(world.provider());
    let started = world.begin(&provider).unwrap();
    let callback = Callback::parse(world.op.authorize(&started.url).as_bytes()).unwrap();
    let (rp, at, pending) = (Arc::clone(&world.rp), Arc::clone(&provider), started.pending);
    let hung = world.runtime.spawn(async move { rp.finish(&at, pending, &callback, now()).await });
    for _ in 0..100 {
        world.begin(&provider).unwrap();
    }
    assert!(!hung.is_finished(), "a hundred began while one waits");
    hung.abort();
}
