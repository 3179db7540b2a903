//! From begin to finish: what is sent, what comes back, and what somebody else may have put in between.

use rosterd::signin::rp::{
    Authentication, Callback, FOR_THE_PERSON, Refusal, ReturnTo, Secret, ThirdParty, TokenFlaw,
};
use serde_json::json;

use super::op::{ACCESS_TOKEN, CLIENT, Fault, SECRET, SUBJECT, form};
use super::world::{REDIRECT, World, later};

/// `oidcc-client-test`, `-discovery-openid-config`, `-client-secret-basic`.
#[test]
fn x44_a_sign_in_sends_code_pkce_state_and_nonce_and_finds_out_who_it_is() {
    let world = World::start();
    let provider = world.provider();
    let started = world.begin(&provider).unwrap();
    let sent = form(started.url.split_once('?').unwrap().1);
    assert_eq!(sent["redirect_uri"], REDIRECT);
    assert_eq!(sent["scope"], "openid profile email");
    assert_eq!(
        (sent["state"].as_str(), sent["code_challenge_method"].as_str()),
        (started.state.as_str(), "S256")
    );
    assert!(!started.url.contains(SECRET) && !sent.contains_key("response_mode") && !sent.contains_key("hd"));
    let brought = world.op.authorize(&started.url);
    let verified = world.finish(&provider, &started, &brought).unwrap();
    assert_eq!((verified.issuer.as_str(), verified.subject.as_str()), (&*world.op.issuer(), SUBJECT));
    assert_eq!((verified.idp.as_str(), verified.return_to.as_str()), ("op", "/people?sort=name"));
    assert_eq!(verified.email, None);
    // A pending row goes through the store and comes back as it was.
    let row = serde_json::to_string(&started.pending).unwrap();
    assert_eq!(serde_json::from_str::<rosterd::signin::rp::Pending>(&row).unwrap(), started.pending);
    assert!(!row.contains(&started.state), "the state is not kept");
}

#[test]
fn x44_each_start_has_a_state_a_nonce_and_a_verifier_of_its_own() {
    let world = World::start();
    let provider = world.provider();
    let sent: Vec<_> =
        (0..3).map(|_| form(world.begin(&provider).unwrap().url.split_once('?').unwrap().1)).collect();
    for name in ["state", "nonce", "code_challenge"] {
        assert!(sent[0][name] != sent[1][name] && sent[1][name] != sent[2][name], "{name}");
        assert_eq!(sent[0][name].len(), 43, "256 bits in {name}");
    }
    // One value for two purposes would give one of them away.
    assert!(sent[0]["state"] != sent[0]["nonce"]);
}

/// `-client-secret-basic`, `-client-secret-post`, and a public client.
#[test]
fn x44_the_client_proves_itself_in_the_way_that_is_set() {
    let world = World::start();
    let secret = || Secret::new(SECRET.to_owned());
    for (authentication, in_field) in
        [(Authentication::SecretBasic(secret()), true), (Authentication::SecretPost(secret()), false)]
    {
        let provider = world.provider_with(|settings| settings.authentication = authentication);
        world.sign_in(&provider).unwrap();
        let asked = world.op.state().asked.iter().rfind(|asked| asked.target == "/token").cloned().unwrap();
        let fields = form(std::str::from_utf8(&asked.body).unwrap());
        assert_eq!(asked.field("authorization").is_some(), in_field);
        assert_eq!(fields.contains_key("client_secret"), !in_field);
    }
    let wrong = Authentication::SecretBasic(Secret::new("wrong".to_owned()));
    let provider = world.provider_with(|settings| settings.authentication = wrong);
    let Err(Refusal::TokenDenied { error, .. }) = world.sign_in(&provider) else { panic!() };
    assert_eq!(error.to_string(), "\"invalid_client\"");
    // Without a secret PKCE alone stands for it, and no empty secret is shown.
    let provider = world.provider_with(|settings| settings.authentication = Authentication::Public);
    let Err(Refusal::TokenDenied { .. }) = world.sign_in(&provider) else { panic!() };
    let asked = world.op.state().asked.iter().rfind(|asked| asked.target == "/token").cloned().unwrap();
    let fields = form(std::str::from_utf8(&asked.body).unwrap());
    assert!(asked.field("authorization").is_none() && !fields.contains_key("client_secret"));
    assert_eq!((fields["client_id"].as_str(), fields["code_verifier"].len()), (CLIENT, 43));
}

#[test]
fn x44_a_callback_that_belongs_to_no_start_or_to_another_is_refused_before_anything_is_sent() {
    let world = World::start();
    let provider = world.provider();
    let (mine, victims) = (world.begin(&provider).unwrap(), world.begin(&provider).unwrap());
    // Login CSRF: the attacker's answer, in the browser of somebody who began another sign-in.
    let brought = world.op.authorize(&mine.url);
    assert_eq!(world.finish(&provider, &victims, &brought).unwrap_err(), Refusal::State);
    for odd in ["code=x", "code=x&state=", "code=x&state=%00", &format!("code=x&state={}", "a".repeat(65))] {
        assert_eq!(world.finish(&provider, &victims, odd).unwrap_err(), Refusal::State, "{odd}");
    }
    assert_eq!(world.op.count("/token"), 0);
    // After ten minutes it is nobody's.
    assert!(matches!(world.finish_at(&provider, &mine, &brought, later(600)), Err(Refusal::Expired)));
    assert_eq!(world.op.count("/token"), 0);
    assert!(world.finish_at(&provider, &mine, &brought, later(60)).is_ok());
}

#[test]
fn x44_a_callback_with_a_parameter_twice_or_without_end_is_refused() {
    for (wrong, is_twice) in [
        ("state=a&state=b&code=c", true),
        ("state=a&code=c&code=d", true),
        ("state=a&iss=c&iss=c", true),
        ("state=a&error=c&error=", true),
        (&*format!("state=a&code={}", "c".repeat(16 * 1024)), false),
    ] {
        let Err(Refusal::Callback(why)) = Callback::parse(wrong.as_bytes()) else { panic!("{wrong}") };
        assert_eq!(why.contains("twice"), is_twice, "{wrong}");
    }
    // What is not known is not read.
    let callback = Callback::parse(b"state=a&code=c&session_state=x&session_state=y&id_token=z").unwrap();
    assert_eq!(callback.state, "a");
}

#[test]
fn x44_mix_up_the_answer_of_one_provider_is_not_taken_at_the_door_of_another() {
    let world = World::start();
    world.op.state().metadata = json!({ "authorization_response_iss_parameter_supported": true });
    let provider = world.provider();
    let other = world.provider_with(|settings| settings.id = "other".to_owned());
    let started = world.begin(&provider).unwrap();
    let brought = world.op.authorize(&started.url);
    assert_eq!(world.finish(&other, &started, &brought).unwrap_err(), Refusal::OtherProvider);
    // RFC 9207: whose answer it is, where the provider always says so.
    let without = brought.split("&iss=").next().unwrap().to_owned();
    let with = |issuer: &str| format!("{without}&iss={issuer}");
    for wrong in [
        without.clone(),
        with(""),
        with("https://evil.example"),
        with(&format!("{}/", world.op.issuer())),
        with(&world.op.issuer().to_uppercase()),
        format!("state={}&error=access_denied", started.state),
        format!("state={}&error=access_denied&iss=https://evil.example", started.state),
    ] {
        let refusal = world.finish(&provider, &started, &wrong).unwrap_err();
        assert!(matches!(refusal, Refusal::CallbackIssuer { .. }), "{wrong}: {refusal:?}");
    }
    assert_eq!(world.op.count("/token"), 0, "the code was shown to nobody");
    assert!(world.finish(&provider, &started, &brought).is_ok());
}

#[test]
fn x44_mix_up_an_issuer_in_the_answer_counts_also_where_none_was_promised() {
    let world = World::start();
    let provider = world.provider();
    let started = world.begin(&provider).unwrap();
    let brought = world.op.authorize(&started.url);
    let wrong = format!("{brought}&iss=https%3A%2F%2Fevil.example");
    assert!(matches!(world.finish(&provider, &started, &wrong), Err(Refusal::CallbackIssuer { .. })));
    let right = format!("{brought}&iss={}", world.op.issuer());
    assert!(world.finish(&provider, &started, &right).is_ok());
}

#[test]
fn x44_code_injection_a_code_of_another_sign_in_is_stopped_by_pkce_and_without_it_by_the_nonce() {
    let world = World::start();
    let provider = world.provider();
    let inject = || {
        let (victims, attackers) = (world.begin(&provider).unwrap(), world.begin(&provider).unwrap());
        let stolen = form(&world.op.authorize(&victims.url))["code"].clone();
        world.finish(&provider, &attackers, &format!("code={stolen}&state={}", attackers.state)).unwrap_err()
    };
    assert!(matches!(inject(), Refusal::TokenDenied { .. }));
    world.op.fail(Fault::NoPkce);
    assert_eq!(inject(), Refusal::IdToken(TokenFlaw::Nonce));
}

#[test]
fn x44_a_code_that_was_used_is_refused_by_the_provider_and_nobody_is_let_in() {
    let world = World::start();
    let provider = world.provider();
    let started = world.begin(&provider).unwrap();
    let brought = world.op.authorize(&started.url);
    assert!(world.finish(&provider, &started, &brought).is_ok());
    assert!(matches!(world.finish(&provider, &started, &brought), Err(Refusal::TokenDenied { .. })));
}

#[test]
fn x44_pkce_downgrade_a_provider_that_takes_plain_alone_is_refused_and_a_silent_one_gets_s256() {
    for (said, is_taken) in [
        (json!(["plain"]), false),
        (json!([]), false),
        (json!("plain"), false),
        (json!(["plain", "S256"]), true),
        (json!(null), true),
    ] {
        let world = World::start();
        world.op.state().metadata = json!({ "code_challenge_methods_supported": said });
        match world.begin(&world.provider()) {
            Ok(started) => assert!(is_taken && started.url.contains("code_challenge_method=S256"), "{said}"),
            Err(refusal) => assert!(!is_taken && refusal.to_string().contains("expected S256"), "{refusal}"),
        }
    }
}

#[test]
fn x44_error_answers_reach_the_log_without_secrets_and_the_person_not_at_all() {
    let world = World::start();
    let provider = world.provider();
    let started = world.begin(&provider).unwrap();
    let long = "A".repeat(60);
    let said = format!("not assigned\r\nSet-Cookie: a=b {long} {}", started.state);
    let brought = form_urlencoded::Serializer::new(String::new())
        .append_pair("state", &started.state)
        .append_pair("error", "access_denied")
        .append_pair("error_description", &said)
        .append_pair("code", "code-1")
        .finish();
    let refusal = world.finish(&provider, &started, &brought).unwrap_err();
    let log = refusal.to_string();
    assert!(log.contains("\"access_denied\": \"not assigned Set-Cookie: a=b *** ***\""), "{log}");
    assert!(!log.contains(&started.state) && !log.contains(&long) && !log.contains(['\r', '\n']), "{log}");
    assert!(!FOR_THE_PERSON.contains("access_denied") && refusal.code() == "denied");
    assert_eq!(world.op.count("/token"), 0, "an error beside a code is an error");
    // The token endpoint repeats what it was shown.
    world.op.fail(Fault::TokenEcho);
    let brought = world.op.authorize(&started.url);
    let log = world.finish(&provider, &started, &brought).unwrap_err().to_string();
    assert!(log.contains("\"invalid_grant\": \"code *** with verifier *** is unknown\""), "{log}");
}

#[test]
fn x44_neither_debug_nor_refusals_show_a_token_a_code_or_a_verifier() {
    let world = World::start();
    let provider = world.provider();
    let started = world.begin(&provider).unwrap();
    let brought = world.op.authorize(&started.url);
    let row = serde_json::to_value(&started.pending).unwrap();
    let callback = Callback::parse(brought.as_bytes()).unwrap();
    let verified = world.finish(&provider, &started, &brought).unwrap();
    let shown = format!("{started:?} {:?} {callback:?} {verified:?} {provider:?}", started.pending);
    let fields = form(&brought);
    for secret in [
        SECRET,
        ACCESS_TOKEN,
        SUBJECT,
        &fields["code"],
        &started.state,
        verified.id_token.expose(),
        row["nonce"].as_str().unwrap(),
        row["verifier"].as_str().unwrap(),
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn x44_odd_answers_of_the_token_endpoint_break_nothing_that_is_needed() {
    let world = World::start();
    world.op.fail(Fault::OddTokenAnswer);
    assert!(world.sign_in(&world.provider()).is_ok(), "expires_in as a text");
    for (fault, part) in [
        (Fault::NoIdToken, "it has no id_token"),
        (Fault::TokenHtml, "expected a JSON object with access_token"),
        (Fault::TokenRedirect, "empty or no JSON"),
    ] {
        let world = World::start();
        world.op.fail(fault);
        let Err(Refusal::TokenAnswer(why)) = world.sign_in(&world.provider()) else { panic!("{fault:?}") };
        assert!(why.contains(part), "{why}");
        assert_eq!(world.op.count("/token"), 1, "a redirect of a POST with a code is not followed");
    }
}

/// `response_mode=form_post`.
#[test]
fn x44_an_answer_as_a_form_is_read_as_one_in_the_query() {
    let world = World::start();
    let provider = world.provider_with(|settings| settings.form_post = true);
    let started = world.begin(&provider).unwrap();
    assert_eq!(form(started.url.split_once('?').unwrap().1)["response_mode"], "form_post");
    let brought = world.op.authorize(&started.url);
    assert!(world.finish(&provider, &started, &brought).is_ok());
}

/// `-3rd-party-init-login`.
#[test]
fn x43_a_start_at_the_provider_goes_to_a_path_of_ours_or_to_the_front_page() {
    let world = World::start();
    let provider = world.provider();
    let issuer = world.op.issuer();
    let read = |query: &str| ThirdParty::parse(&provider, query.as_bytes(), "https://rosterd.test");
    for (target, goes) in [
        ("https://rosterd.test/people", "/people"),
        ("https://rosterd.test", "/"),
        ("https://rosterd.test.evil.example/people", "/"),
        ("https://rosterd.test@evil.example/people", "/"),
        ("https://rosterd.test//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/people", "/"),
    ] {
        let started = read(&format!("iss={issuer}&target_link_uri={target}&login_hint=ada")).unwrap();
        assert_eq!(
            (started.return_to.as_str(), started.login_hint.as_deref()),
            (goes, Some("ada")),
            "{target}"
        );
    }
    assert_eq!(read(&format!("iss={issuer}")).unwrap().return_to, ReturnTo::root());
    assert!(matches!(read("iss=https://evil.example"), Err(Refusal::CallbackIssuer { .. })));
    assert!(matches!(read("login_hint=ada"), Err(Refusal::CallbackIssuer { .. })));
}
