//! Sessions: what is remembered between a start and its callback (`beginning`), who an identity is found to be (`linking`), and what ends a session (`ending`).

mod beginning;
mod ending;
mod linking;

use jiff::SignedDuration;
use rosterd::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT};
use rosterd::ids::ResourceId;
use rosterd::roster::{
    Caller, Dead, Entered, Identity, Lifetimes, Live, Refused, SessionKey, SignInEntry, SignInMethod, Whose,
};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::bodies::USER;

/// The provider that also provisions.
const OKTA: &str = "okta";
const ISSUER: &str = "https://firm.okta.test";
const LIFETIMES: Lifetimes =
    Lifetimes { idle: SignedDuration::from_hours(8), absolute: SignedDuration::from_hours(24) };

fn door(app: &TestApp) -> Caller {
    app.roster().doorkeeper(FIRST_TENANT, app.roster().request_id()).unwrap()
}

fn operator(app: &TestApp) -> Caller {
    app.roster().operator(FIRST_TENANT, app.roster().request_id()).unwrap()
}

fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap()
}

/// A person as the provider makes them.
fn provisioned(name: &str, external: &str) -> Value {
    json!({ "schemas": [USER], "userName": name, "externalId": external, "active": true })
}

/// What the provider says of a subject that it provisions under the same name.
fn identity(subject: &str) -> Identity<'_> {
    Identity {
        provider: OKTA,
        connection: Some(FIRST_CONNECTION),
        issuer: ISSUER,
        subject,
        key: Some(subject),
        email: None,
    }
}

fn entry(whose: Whose<'_>) -> SignInEntry<'_> {
    SignInEntry {
        whose,
        method: SignInMethod::Oidc,
        at: Some("2026-03-01T08:00:00Z".parse().unwrap()),
        sid: Some("sid-1"),
        acr: None,
        amr: &[],
        address: "192.0.2.7",
        agent: "a test",
        id_token: None,
    }
}

/// Signs a subject in.
fn tried(app: &TestApp, identity: Identity<'_>) -> Result<Entered, Refused> {
    app.roster().sign_in(&door(app), &entry(Whose::Identity(identity)), LIFETIMES).unwrap()
}

fn signed_in(app: &TestApp, subject: &str) -> SessionKey {
    tried(app, identity(subject)).unwrap().key
}

fn looked_at(app: &TestApp, key: &SessionKey) -> Result<Live, Dead> {
    app.roster().look_at_session(key, LIFETIMES, &|_| true).unwrap()
}

fn death(app: &TestApp, key: &SessionKey) -> Option<Dead> {
    looked_at(app, key).err()
}

/// A client of the firm itself.
fn local(app: &TestApp) -> crate::support::Client {
    app.issue(FIRST_TENANT, "local", &["users:read", "users:write"]).0
}
