//! What programs downstream get of somebody who is signed in: what `/auth/verify` decides and says (`verifying`), who acts for whom (`acting`), assertions and their keys (`keys`), what plugins add (`plugged`), a firm that moves to another store (`moving`), and all of it behind
//! the proxies that people use (`proxies`, with `proxy` and `echo`).

mod acting;
mod echo;
mod keys;
#[cfg(feature = "postgres")]
mod moving;
mod plugged;
mod proxies;
mod proxy;
mod verifying;

use jiff::SignedDuration;
use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::ids::ResourceId;
use rosterd::jwt::{KeySet, Signed};
use rosterd::roster::{Entered, Identity, Lifetimes, SignInEntry, SignInMethod, Whose};
use serde_json::{Map, Value, json};

use crate::support::bodies::user;
use crate::support::{Answer, Client, Engine, Request, TestApp};

/// The cookie of a domain's session.
const COOKIE: &str = "__Secure-rosterd";
/// Every field that says who somebody is.
const IDENTITY: [&str; 5] =
    ["remote-user", "remote-email", "remote-name", "remote-groups", "x-rosterd-assertion"];
const PSA: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
const LIFETIMES: Lifetimes =
    Lifetimes { idle: SignedDuration::from_hours(8), absolute: SignedDuration::from_hours(24) };

const ISSUER: &str = "https://firm.okta.test";

/// A firm with programs: one that sees everything there is to see, one that sees nothing and sends browsers to sign in, one that wants a permission, and one
/// of another firm. People sign in by a provider.
const FILE: &str = r#"
[server]
cookie_domain = "roster.test"
trusted_proxies = ["127.0.0.1"]

[[identity_providers]]
name = "okta"
tenant = "main"
issuer = "https://firm.okta.test"
client_id = "rosterd"
client_authentication = "none"

[[apps]]
name = "psa"
tenant = "main"
url = "https://psa.roster.test"
claims = ["email", "name", "user_name", "kind", "groups", "roles", "user_types", "license"]
permissions = ["*"]

[[apps]]
name = "wiki"
tenant = "main"
url = "https://wiki.roster.test"
browser = "redirect"

[[apps]]
name = "payroll"
tenant = "main"
url = "https://payroll.roster.test"
requires = "users.view"

[[apps]]
name = "foreign"
tenant = "other"
url = "https://foreign.roster.test"
"#;

fn firm(engine: Engine) -> TestApp {
    TestApp::written(engine, FILE)
}

/// An administrator's program.
fn local(app: &TestApp) -> Client {
    let scopes = [
        "users:read",
        "users:write",
        "groups:read",
        "groups:write",
        "kinds:read",
        "kinds:write",
        "financials",
    ];
    app.issue(FIRST_TENANT, "local", &scopes).0
}

/// Adds somebody with a name and an address, and returns their id.
fn hire(client: &Client, name: &str, more: &Value) -> String {
    let mut body = user(name);
    body["displayName"] = format!("{name} of the firm").into();
    body["emails"] = json!([{ "value": format!("{name}@firm.test"), "primary": true }]);
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    client.post("/Users", &body).expect(201).id()
}

fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap()
}

/// Signs somebody in, and returns what the browser keeps.
fn sign_in(app: &TestApp, person: &str) -> String {
    let operator = app.roster().operator(FIRST_TENANT, app.roster().request_id()).unwrap();
    app.roster().link(&operator, id(person), ("okta", ISSUER, person)).unwrap();
    entered(app, person).cookie.to_string()
}

/// Signs in whoever the provider's subject is linked to.
fn entered(app: &TestApp, subject: &str) -> Entered {
    entered_for(app, subject, LIFETIMES)
}

/// The same, for longer or shorter.
fn entered_for(app: &TestApp, subject: &str, lifetimes: Lifetimes) -> Entered {
    let entry = SignInEntry {
        whose: Whose::Identity(identity(subject)),
        method: SignInMethod::Oidc,
        at: Some(app.roster().current_time()),
        sid: None,
        acr: None,
        amr: &[],
        address: "192.0.2.7",
        agent: "a test",
        id_token: None,
    };
    let door = app.roster().doorkeeper(FIRST_TENANT, app.roster().request_id()).unwrap();
    app.roster().sign_in(&door, &entry, lifetimes).unwrap().unwrap()
}

/// What the provider says of a subject.
const fn identity(subject: &str) -> Identity<'_> {
    Identity { provider: "okta", connection: None, issuer: ISSUER, subject, key: None, email: None }
}

/// Asks about a program as a proxy does.
fn ask(program: &str) -> Request {
    Request::new("GET", format!("/auth/verify?app={program}"))
}

fn with(request: Request, cookie: &str) -> Request {
    request.header("Cookie", format!("{COOKIE}={cookie}"))
}

/// Asks whether a session may come to a program.
#[track_caller]
fn verify(app: &TestApp, program: &str, cookie: &str) -> Answer {
    let answer = app.stranger().send(&with(ask(program), cookie));
    must_be_whole(&answer);
    answer
}

/// Every answer has every field once; one that lets nobody through has all of them empty.
#[track_caller]
fn must_be_whole(answer: &Answer) {
    for name in IDENTITY {
        let values: Vec<&str> = answer
            .headers
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(values.len(), 1, "{name} in {answer:?}");
        assert!(answer.status == 200 || values == [""], "{name} in {answer:?}");
    }
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// Tells of an answer what it is, and why.
fn reason(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("x-rosterd-reason").unwrap_or_default())
}

/// The published keys.
fn published(app: &TestApp) -> KeySet {
    let answer = app.stranger().send(&Request::new("GET", "/.well-known/jwks.json")).expect(200);
    KeySet::parse(&answer.body).unwrap()
}

/// Reads an assertion, if one of these keys signed it.
fn proven(keys: &KeySet, text: &str) -> Option<Map<String, Value>> {
    let signed = Signed::read(text, 16_384).unwrap();
    assert_eq!(signed.typ.as_deref(), Some("rosterd-assertion+jwt"));
    let key = keys.find(Some(signed.kid.as_deref().unwrap()), signed.algorithm).ok()?;
    assert!(signed.is_proven_by(key), "a key of that name proves something else");
    Some(signed.all_claims().unwrap())
}

/// The claims that a program is told.
#[track_caller]
fn claims(app: &TestApp, answer: &Answer) -> Value {
    let text = answer.header("x-rosterd-assertion").unwrap();
    Value::Object(proven(&published(app), text).expect("a published key"))
}
