//! What a provider says of somebody: what is taken, what must be there, and for whom a provider does not speak.

use rosterd::signin::rp::{Demand, Email, Preset, Prompt, Refusal, TokenFlaw};
use serde_json::{Value, json};

use super::op::{Fault, SUBJECT};
use super::world::{World, now};

#[test]
fn x44_what_a_provider_says_is_carried_on_and_odd_shapes_spoil_nothing() {
    let world = World::start();
    let second = now().as_second();
    world.op.state().claims = json!({
        "sid": "s-1", "tid": "t-1", "oid": "o-1", "acr": "urn:mfa", "amr": ["pwd", "otp"], "auth_time": second - 5,
        "email": "ada@firm.example", "email_verified": "true", "updated_at": "2026-01-01T00:00:00Z",
        "groups": "one", "roles": { "deep": [1, 2] }, "hasgroups": true, "weird": null, "address": { "country": "AT" },
        "_claim_names": { "groups": "src1" }, "_claim_sources": { "src1": { "endpoint": "https://evil.example/groups" } },
    });
    let verified = world.sign_in(&world.provider()).unwrap();
    assert_eq!(
        (verified.sid.as_deref(), verified.tid.as_deref(), verified.oid.as_deref()),
        (Some("s-1"), Some("t-1"), Some("o-1"))
    );
    assert_eq!((verified.acr.as_deref(), verified.amr.join(" ")), (Some("urn:mfa"), "pwd otp".to_owned()));
    assert_eq!(verified.auth_time.unwrap().as_second(), second - 5);
    assert_eq!(verified.email, Some(Email { address: "ada@firm.example".to_owned(), verified: true }));
    assert_eq!(verified.claims["groups"], "one");
    assert_eq!(verified.claims["roles"], json!({ "deep": [1, 2] }));
    // Nothing that a claim points to is fetched.
    let targets: Vec<String> = world.op.state().asked.iter().map(|asked| asked.target.clone()).collect();
    assert_eq!(targets, ["/.well-known/openid-configuration", "/token", "/jwks"]);
}

#[test]
fn x45_the_key_is_issuer_and_subject_and_an_address_is_only_said_to_be_verified() {
    let world = World::start();
    for (claims, verified) in [
        (json!({ "email": "victim@firm.example" }), Some(false)),
        (json!({ "email": "victim@firm.example", "email_verified": false, "xms_edov": true }), Some(false)),
        (json!({ "email": "victim@firm.example", "xms_edov": true }), Some(true)),
        (json!({}), None),
    ] {
        world.op.state().claims = claims.clone();
        let found = world.sign_in(&world.provider()).unwrap();
        assert_eq!(found.email.map(|email| email.verified), verified, "{claims}");
        assert_eq!((found.issuer, found.subject), (world.op.issuer(), SUBJECT.to_owned()));
    }
}

/// `-userinfo-bearer-header`, `-scope-userinfo-claims`.
#[test]
fn x44_claims_that_must_be_there_are_asked_of_userinfo_when_the_token_lacks_them() {
    let world = World::start();
    let provider = world.provider_with(|settings| {
        settings.required_claims = ["email", "department"].map(str::to_owned).to_vec();
    });
    world.op.state().userinfo = json!({ "sub": SUBJECT, "email": "ada@firm.example", "department": "R&D", "name": "Ada", "acr": "forged", "tid": "forged" });
    let verified = world.sign_in(&provider).unwrap();
    assert_eq!(verified.claims["department"], "R&D");
    assert_eq!(verified.email.unwrap().address, "ada@firm.example");
    // What was not asked for, and what only a token may say, is not taken.
    assert!(!verified.claims.contains_key("name") && verified.acr.is_none() && verified.tid.is_none());
    let asked = world.op.state().asked.iter().rfind(|asked| asked.target == "/userinfo").cloned().unwrap();
    assert!(asked.field("authorization").unwrap().starts_with("Bearer ") && asked.body.is_empty());
    // A token that has them all needs no second request.
    world.op.state().claims = json!({ "email": "a@b.example", "department": "x" });
    let count = world.op.count("/userinfo");
    world.sign_in(&provider).unwrap();
    assert_eq!(world.op.count("/userinfo"), count);
}

#[test]
fn x45_an_address_of_userinfo_is_not_verified_by_the_tokens_word() {
    let world = World::start();
    let provider = world.provider_with(|settings| settings.required_claims = vec!["email".to_owned()]);
    world.op.state().claims = json!({ "email_verified": true, "xms_edov": true });
    world.op.state().userinfo = json!({ "sub": SUBJECT, "email": "victim@firm.example" });
    assert!(!world.sign_in(&provider).unwrap().email.unwrap().verified);
    // And the other way round: who asks for the word alone gets both from one place.
    world.op.state().claims = json!({ "email": "mine@firm.example" });
    world.op.state().userinfo =
        json!({ "sub": SUBJECT, "email": "other@firm.example", "email_verified": true });
    let provider =
        world.provider_with(|settings| settings.required_claims = vec!["email_verified".to_owned()]);
    let email = world.sign_in(&provider).unwrap().email.unwrap();
    assert_eq!((email.address.as_str(), email.verified), ("other@firm.example", true));
}

/// `-userinfo-invalid-sub`.
#[test]
fn x44_userinfo_about_somebody_else_or_unreadable_lets_nobody_in() {
    let world = World::start();
    let provider = world.provider_with(|settings| settings.required_claims = vec!["email".to_owned()]);
    world.op.state().userinfo = json!({ "sub": SUBJECT, "email": "a@b.example" });
    assert!(world.sign_in(&provider).is_ok());
    world.op.fail(Fault::OtherSubject);
    assert_eq!(world.sign_in(&provider).unwrap_err(), Refusal::UserinfoSubject);
    world.op.state().faults.clear();
    for (userinfo, is_about_nobody) in
        [(json!({ "email": "a@b.example" }), true), (json!({ "sub": SUBJECT }), false)]
    {
        world.op.state().userinfo = userinfo;
        let refusal = world.sign_in(&provider).unwrap_err();
        assert_eq!(refusal == Refusal::UserinfoSubject, is_about_nobody);
        assert_eq!(matches!(refusal, Refusal::ClaimMissing(_)), !is_about_nobody);
    }
    let raw = |head: &str, body: &str| {
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    let large = format!("{{\"sub\":\"{SUBJECT}\",\"email\":\"{}\"}}", "a".repeat(64 * 1024));
    for (page, part) in [
        (raw("200 OK\r\nContent-Type: application/jwt", "a.b.c"), "found a signed answer"),
        (raw("200 OK", "[]"), "expected a JSON object"),
        (raw("200 OK", &large), "more than 65536 bytes"),
        (raw("302 Found\r\nLocation: /userinfo", ""), "found 302"),
        (raw("500 Oops", "{}"), "found 500"),
    ] {
        world.op.state().pages.insert("/userinfo".to_owned(), page);
        let Err(Refusal::Userinfo(why)) = world.sign_in(&provider) else { panic!("{part}") };
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn x45_tenants_that_are_not_listed_are_not_let_in_and_the_issuer_is_that_of_the_tenant() {
    let tenant = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621";
    let world = World::start();
    let issuer = format!("{}/{{tenantid}}/v2.0", world.op.issuer());
    let metadata = world.op.server.url("/organizations/v2.0/.well-known/openid-configuration");
    let provider = world.provider_with(|settings| {
        settings.issuer.clone_from(&issuer);
        settings.tenants = vec![tenant.to_uppercase()];
    });
    // Found below `organizations`, and shown with the template in it, as Entra does.
    let base = world.op.issuer();
    let document = json!({
        "issuer": issuer, "authorization_endpoint": format!("{base}/authorize"), "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/jwks"),
    });
    let path = metadata.strip_prefix(&base).unwrap().to_owned();
    world.op.state().pages.insert(path, crate::support::issuer::json_page(&document.to_string()));
    let of = |tid: &str| format!("{base}/{tid}/v2.0");
    let other = "00000000-0000-4000-8000-000000000000";
    for (claims, expected) in [
        (json!({ "tid": tenant, "iss": of(tenant) }), Ok(of(tenant))),
        (json!({ "tid": other, "iss": of(other) }), Err(TokenFlaw::Tenant)),
        (json!({ "iss": of(tenant) }), Err(TokenFlaw::Tenant)),
        (json!({ "tid": "{tenantid}", "iss": issuer }), Err(TokenFlaw::Tenant)),
        (json!({ "tid": tenant, "iss": of(other) }), Err(TokenFlaw::Issuer)),
        (json!({ "tid": tenant, "iss": issuer }), Err(TokenFlaw::Issuer)),
        (json!({ "tid": [tenant], "iss": of(tenant) }), Err(TokenFlaw::Tenant)),
    ] {
        world.op.state().claims = claims.clone();
        let found = world.sign_in(&provider).map(|verified| verified.issuer);
        assert_eq!(found, expected.map_err(Refusal::IdToken), "{claims}");
    }
    // With one tenant's own issuer the list holds as well.
    let world = World::start();
    let provider = world.provider_with(|settings| settings.tenants = vec![tenant.to_owned()]);
    for (tid, is_in) in [(json!(tenant), true), (json!(other), false), (Value::Null, false)] {
        world.op.state().claims = json!({ "tid": tid });
        assert_eq!(world.sign_in(&provider).is_ok(), is_in, "{tid}");
    }
}

#[test]
fn x45_the_hosted_domain_is_checked_in_the_token_and_the_parameter_is_only_a_hint() {
    let world = World::start();
    let provider = world.provider_with(|settings| {
        settings.hosted_domains = vec!["Firm.example".to_owned()];
        settings.preset = Preset::Google;
    });
    assert!(world.begin(&provider).unwrap().url.contains("hd=firm.example"));
    for (hd, is_in) in [
        (json!("firm.example"), true),
        (json!("FIRM.example"), true),
        (json!("evil.example"), false),
        (json!("sub.firm.example"), false),
        (json!(["firm.example"]), false),
        (Value::Null, false),
    ] {
        world.op.state().claims = json!({ "hd": hd, "email": "a@firm.example", "email_verified": true });
        match world.sign_in(&provider) {
            Ok(_) => assert!(is_in, "{hd}"),
            Err(refusal) => {
                assert!(!is_in && refusal == Refusal::IdToken(TokenFlaw::HostedDomain), "{hd} {refusal:?}");
            }
        }
    }
}

/// `max_age`, `acr_values` and `prompt` out, `auth_time` and `acr` back.
#[test]
fn x44_a_step_up_is_believed_only_when_the_token_shows_it() {
    let world = World::start();
    let provider = world.provider();
    let second = now().as_second();
    let recent = Demand { max_age: Some(300), ..Demand::default() };
    let strong = Demand { acr_values: ["phr", "phrh"].map(str::to_owned).to_vec(), ..Demand::default() };
    let anew = Demand { prompt: Some(Prompt::Login), ..Demand::default() };
    let started = world
        .begin_with(&provider, Demand { max_age: Some(300), prompt: Some(Prompt::Login), ..strong.clone() });
    let url = started.unwrap().url;
    for part in ["max_age=300", "acr_values=phr+phrh", "prompt=login"] {
        assert!(url.contains(part), "{part} in {url}");
    }
    let late = Err(Refusal::IdToken(TokenFlaw::AuthTime));
    let weak = Err(Refusal::IdToken(TokenFlaw::Acr));
    for (demand, claims, expected) in [
        (&recent, json!({ "auth_time": second - 300 }), Ok(())),
        (&recent, json!({ "auth_time": second - 360 }), Ok(())),
        (&recent, json!({ "auth_time": second - 361 }), late.clone()),
        (&recent, json!({}), late.clone()),
        (&recent, json!({ "auth_time": second + 61 }), late.clone()),
        (&strong, json!({ "acr": "phrh" }), Ok(())),
        (&strong, json!({ "acr": "0" }), weak.clone()),
        (&strong, json!({ "acr": "PHR" }), weak.clone()),
        (&strong, json!({}), weak),
        (&anew, json!({ "auth_time": second }), Ok(())),
        (&anew, json!({ "auth_time": second - 61 }), late),
    ] {
        world.op.state().claims = claims.clone();
        assert_eq!(world.sign_in_with(&provider, demand.clone()).map(|_| ()), expected, "{claims}");
    }
}
