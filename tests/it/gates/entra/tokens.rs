//! Tests of credentials: what Entra exchanges for a token, and that the token then does what the connection test and a first create need.

use std::ops::RangeInclusive;

use rosterd::clock::Clock as _;
use rosterd::roster::ClientKind;
use serde_json::json;

use super::Tenant;
use crate::oauth::idp::{AUDIENCE, ISSUER, SUBJECT};
use crate::oauth::world::{JWT_BEARER, client_of, federate, fetch, must_be, send};
use crate::support::Answer;

/// How long the gate wants a token to live, in seconds: 60 to 360 minutes.
const LIFE: RangeInclusive<i64> = 3600..=21_600;

/// Fails unless an answer brings a token that lives as long as the gate wants and provisions somebody.
fn works(entra: &Tenant<'_>, answer: Answer) {
    let body = answer.expect(200).json();
    assert_eq!(body["token_type"], "Bearer");
    let seconds = body["expires_in"].as_i64().expect("a number of seconds");
    assert!(LIFE.contains(&seconds), "{seconds} s");
    let client = entra.app.with(body["access_token"].as_str().expect("a token"));
    let provisioning = Tenant { client: &client, ..*entra };
    assert_eq!(provisioning.look_up("/Users", "userName", &entra.word()), None);
    let _ = provisioning.user(&entra.login());
    // It lives as long as was said, and no longer.
    entra.app.clock().advance(seconds - 60);
    let _ = client.get("/Users?count=1").expect(200);
    entra.app.clock().advance(61);
    client.get("/Users").refused(401, None);
}

pub(super) fn credentials(entra: &Tenant<'_>) {
    let mut made = client_of(entra.app, entra.connection, ClientKind::Secret, &[]);
    works(entra, fetch(entra.app, &made));
    made.secret.push('x');
    must_be(&fetch(entra.app, &made), 401, "invalid_client");
}

pub(super) fn federation(entra: &Tenant<'_>) {
    let made = client_of(entra.app, entra.connection, ClientKind::Federated, &[]);
    federate(entra.app, &made.id, entra.issuer.pinned());
    let shown = |audience: &str| {
        let now = entra.app.clock().now().as_second();
        let claims = json!({
            "iss": ISSUER, "sub": SUBJECT, "aud": audience, "iat": now, "nbf": now, "exp": now + 3600, "jti": entra.word(),
        });
        send(
            entra.app,
            &[
                ("grant_type", "client_credentials"),
                ("client_id", &made.id),
                ("scope", "scim"),
                ("client_assertion_type", JWT_BEARER),
                ("client_assertion", &entra.issuer.rsa.sign(&claims)),
            ],
        )
    };
    works(entra, shown(AUDIENCE));
    must_be(&shown("api://somebody-else"), 401, "invalid_client");
}
