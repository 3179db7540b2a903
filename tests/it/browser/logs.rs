//! What the log holds of sign-in: names of providers and reasons, and nothing that opens anything (X61).

use std::sync::Arc;

use rosterd::clock::{Clock as _, SystemClock};
use serde_json::json;

use super::Browser;
use crate::signin::op::{ACCESS_TOKEN, CLIENT, Op, SECRET, SUBJECT, form};
use crate::support::bodies::USER;
use crate::support::{Request, TestDaemon};

#[test]
fn x61_no_token_code_state_or_cookie_is_in_the_log_of_a_daemon_that_tells_all() {
    let op = Op::start();
    op.answer_at("127.0.0.1");
    let home = Arc::new(tempfile::tempdir().unwrap());
    let (secret, file) = (home.path().join("secret"), home.path().join("rosterd.toml"));
    std::fs::write(&secret, SECRET).unwrap();
    let settings = format!(
        "[net]\nallow = [\"127.0.0.1\"]\nca_file = {:?}\n[[identity_providers]]\nname = \"okta\"\ntenant = \"main\"\nissuer = {:?}\nclient_id = {CLIENT:?}\n\
         client_secret_file = {secret:?}\nconnection = \"idp\"\n",
        op.server.root_file(),
        op.issuer()
    );
    std::fs::write(&file, settings).unwrap();
    let mut daemon = TestDaemon::start_with(&home, &[], |command| {
        command.arg("--config").arg(&file).env("ROSTERD_LOG__LEVEL", "trace");
    });
    let second = SystemClock.now().as_second();
    op.state().claims =
        json!({ "iat": second, "exp": second + 300, "sid": "the-providers-session", "name": "Ada Lovelace" });
    let client = daemon.client();
    let ada =
        json!({ "schemas": [USER], "userName": "ada@acme.example", "externalId": SUBJECT, "active": true });
    let _ = client.send(&Request::scim("POST", "/Users").json(&ada)).expect(201);
    let mut browser = Browser { client: client.stranger(), cookies: std::collections::BTreeMap::new() };
    let mut told =
        vec![SECRET.to_owned(), ACCESS_TOKEN.to_owned(), SUBJECT.to_owned(), "ada@acme.example".to_owned()];
    // One that goes well, one that is refused, one with a state of nobody's, and a logout token.
    for refused in [false, true] {
        if refused {
            op.state().claims = json!({ "iat": second, "exp": second + 300, "sub": "a-stranger-to-all" });
        }
        let there =
            browser.get("/sso/okta/start?return_to=/me").expect(303).header("location").unwrap().to_owned();
        let asked = form(there.split_once('?').unwrap().1);
        let back = op.authorize(&there);
        let answer = browser.get(&format!("/sso/okta/callback?{back}"));
        assert_eq!(answer.status, if refused { 403 } else { 303 }, "{}", daemon.said());
        told.extend([asked["state"].clone(), asked["nonce"].clone(), form(&back)["code"].clone() + "&"]);
        told.extend(browser.cookies.values().cloned());
    }
    let token = op.sign(&json!({ "typ": "logout+jwt" }), &json!({
        "iss": op.issuer(), "aud": CLIENT, "iat": second, "exp": second + 120, "jti": "j", "sid": "the-providers-session",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    }));
    let logout = Request::new("POST", "/sso/okta/backchannel-logout")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(format!("logout_token={token}"));
    let _ = client.stranger().send(&logout).expect(200);
    let _ = browser.get("/sso/okta/callback?code=a-stolen-code&state=a-stolen-state").expect(403);
    told.extend([
        token,
        "a-stolen-code".to_owned(),
        "a-stolen-state".to_owned(),
        "the-providers-session".to_owned(),
    ]);
    let (_, log) = daemon.terminate();
    assert!(log.contains("a sign-in was refused") && log.contains("no_such_key"), "{log}");
    for secret in told {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}
