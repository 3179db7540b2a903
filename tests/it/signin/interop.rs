//! Against somebody else's provider: npm's `oidc-provider`, which is certified (conformance/signin). Requests of ours must please its parser, and its tokens ours.
//! Skipped, loudly, where Node or its packages are missing.

use std::sync::Arc;

use rosterd::chance::SystemChance;
use rosterd::clock::{Clock as _, SystemClock};
use rosterd::net::Resolver;
use rosterd::signin::rp::{
    Ask, Authentication, Callback, Demand, Prompt, Provider, Refusal, ReturnTo, Secret, Settings, Whose,
};
use serde_json::json;
use tokio::runtime::Runtime;

use super::certified::Certified;
use super::world::{REDIRECT, party};

/// Goes to a URL and says what the browser brings to our callback.
fn visit(certified: &mut Certified, url: &str) -> String {
    certified.order(&json!({ "visit": url }));
    let answer = certified.read();
    let to = answer["to"].as_str().unwrap_or_else(|| panic!("{answer}"));
    to.strip_prefix(REDIRECT)
        .and_then(|rest| rest.strip_prefix('?'))
        .unwrap_or_else(|| panic!("{to}"))
        .to_owned()
}

fn provider_of(
    certified: &Certified,
    client: &str,
    algorithm: &str,
    change: impl FnOnce(&mut Settings),
) -> Provider {
    let secret = Secret::new(certified.hello["secret"].as_str().unwrap().to_owned());
    let authentication = match client.split('-').next().unwrap() {
        "basic" => Authentication::SecretBasic(secret),
        "post" => Authentication::SecretPost(secret),
        _ => Authentication::Public,
    };
    let issuer = certified.hello["issuer"].as_str().unwrap();
    let mut settings = Settings::new("certified", issuer, client, authentication, REDIRECT);
    settings.algorithms = vec![algorithm.to_owned()];
    change(&mut settings);
    Provider::parse(settings).unwrap()
}

#[test]
fn x44_x51_a_certified_provider_signs_people_in_and_out() {
    let mut certified = match Certified::start(REDIRECT) {
        Ok(certified) => certified,
        Err(why) => {
            eprintln!("!! SKIPPED: sign-in at a certified provider was NOT tried: {why}");
            return;
        }
    };
    let port = u16::try_from(certified.hello["port"].as_u64().unwrap()).unwrap();
    let names = Arc::clone(&certified.names) as Arc<dyn Resolver>;
    let rp = party(port, certified.root.clone(), names, |options| options);
    let runtime = Runtime::new().unwrap();
    let (now, chance) = (|| SystemClock.now(), SystemChance);
    let begin = |provider: &Provider, demand: Demand| {
        let ask = Ask { demand, ..Ask::plain(ReturnTo::root()) };
        runtime.block_on(rp.begin(provider, ask, &chance, now())).unwrap()
    };
    // An error answer, with its issuer: nobody is signed in yet, and no page may be shown.
    let provider = provider_of(&certified, "basic-rs", "RS256", |settings| {
        settings.post_logout_redirect_uri = Some("https://rosterd.test/goodbye".to_owned());
    });
    let demand = Demand { prompt: Some(Prompt::None), ..Demand::default() };
    let started = begin(&provider, demand);
    let callback = Callback::parse(visit(&mut certified, &started.url).as_bytes()).unwrap();
    let Err(Refusal::Denied { error, .. }) =
        runtime.block_on(rp.finish(&provider, started.pending, &callback, now()))
    else {
        panic!()
    };
    assert_eq!(error.to_string(), "\"login_required\"");

    // Every way to prove ourselves, every algorithm.
    for (client, algorithm) in [
        ("basic-rs", "RS256"),
        ("post-es", "ES256"),
        ("public-ps", "PS256"),
        ("basic-es3", "ES384"),
        ("basic-ed", "EdDSA"),
    ] {
        let provider = provider_of(&certified, client, algorithm, |settings| {
            settings.required_claims = ["email", "name"].map(str::to_owned).to_vec();
        });
        let demand = Demand { max_age: Some(300), ..Demand::default() };
        let started = begin(&provider, demand);
        let brought = visit(&mut certified, &started.url);
        let callback = Callback::parse(brought.as_bytes()).unwrap();
        let verified = runtime.block_on(rp.finish(&provider, started.pending.clone(), &callback, now()));
        let verified = verified.unwrap_or_else(|refusal| panic!("{client}: {refusal}"));
        assert_eq!(
            (verified.subject.as_str(), verified.claims["name"].as_str()),
            ("ada", Some("Ada")),
            "{client}"
        );
        assert!(verified.email.unwrap().verified && verified.auth_time.is_some() && verified.sid.is_some());
        // The code is used up: what it gave is called back by the provider, and nobody comes in by it.
        let again = runtime.block_on(rp.finish(&provider, started.pending, &callback, now()));
        assert!(matches!(again, Err(Refusal::TokenDenied { .. })), "{client}: {again:?}");
        // Two tabs: the first one's code outlives the start of the second.
        let (first, second) = (begin(&provider, Demand::default()), begin(&provider, Demand::default()));
        let brought = [visit(&mut certified, &first.url), visit(&mut certified, &second.url)];
        for (started, brought) in [first, second].into_iter().zip(brought) {
            let callback = Callback::parse(brought.as_bytes()).unwrap();
            assert!(
                runtime.block_on(rp.finish(&provider, started.pending, &callback, now())).is_ok(),
                "{client}"
            );
        }
        // PKCE as the provider sees it: another attempt's verifier is refused there.
        let (mine, theirs) = (begin(&provider, Demand::default()), begin(&provider, Demand::default()));
        let brought = visit(&mut certified, &theirs.url).replace(&theirs.state, &mine.state);
        let callback = Callback::parse(brought.as_bytes()).unwrap();
        let injected = runtime.block_on(rp.finish(&provider, mine.pending, &callback, now()));
        assert!(matches!(injected, Err(Refusal::TokenDenied { .. })), "{client}: {injected:?}");
    }

    // Out: the browser is sent away and back, and a logout token arrives for each client of the session.
    let started = begin(&provider, Demand::default());
    let callback = Callback::parse(visit(&mut certified, &started.url).as_bytes()).unwrap();
    let verified = runtime.block_on(rp.finish(&provider, started.pending, &callback, now())).unwrap();
    let out = runtime.block_on(rp.logout_url(&provider, Some(&verified.id_token), &chance)).unwrap();
    certified.order(&json!({ "logout": out.url }));
    let (to, orders) = until_back(&mut certified);
    assert_eq!(to, format!("https://rosterd.test/goodbye?state={}", out.state.unwrap()));
    let ours: Vec<_> =
        orders.iter().filter_map(|token| runtime.block_on(rp.logout(&provider, token, now())).ok()).collect();
    assert_eq!(ours.len(), 1, "of {} logout tokens", orders.len());
    let sid = verified.sid.unwrap();
    assert_eq!(ours[0].whose, Whose::Session { sid, subject: Some("ada".to_owned()) });
    assert_eq!(ours[0].issuer, verified.issuer);
}

/// Collects logout tokens until the browser is back.
fn until_back(certified: &mut Certified) -> (String, Vec<String>) {
    let mut tokens = Vec::new();
    loop {
        let line = certified.read();
        match (line["to"].as_str(), line["logout_token"].as_str()) {
            (Some(to), _) => return (to.to_owned(), tokens),
            (None, Some(token)) => tokens.push(token.to_owned()),
            _ => panic!("{line}"),
        }
    }
}
