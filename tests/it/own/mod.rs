//! Signing in by the firm's own means: passwords and methods (`passwords`), links by mail (`links`), the second factor (`second`), and the mails (`mail`, `posted`).

pub(crate) mod http;
mod links;
mod mail;
mod passwords;
mod posted;
mod second;

use std::sync::Arc;

use jiff::SignedDuration;
use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::ids::ResourceId;
use rosterd::net::SystemResolver;
use rosterd::roster::{
    Caller, Dead, Deed, Entered, Identity, Lifetimes, LinkOrder, LinkPurpose, Live, Mailed, OrderedBy,
    Permit, Refused, Second, SessionKey, SignInEntry, SignInMethod, Way, Whose,
};
use serde_json::{Value, json};

use crate::support::bodies::USER;
use crate::support::{Client, Engine, TestApp};

/// Hashes that no password is behind: the roster looks at their beginning alone.
const HASH: &str = "$argon2id$one";
const OTHER: &str = "$argon2id$other";
const LIFETIMES: Lifetimes =
    Lifetimes { idle: SignedDuration::from_hours(8), absolute: SignedDuration::from_hours(24) };
/// A mail server that nobody speaks to here.
const MAIL: [(&str, &str); 3] =
    [("mail.host", "127.0.0.1"), ("mail.from", "roster@acme.test"), ("mail.tls", "none")];

/// A firm that sends mails, and where everybody signs in by password whom nobody says otherwise of.
fn firm(engine: Engine) -> TestApp {
    let settings = [&MAIL[..], &[("sign_in.method", "password")]].concat();
    TestApp::with(engine, &settings, Arc::new(SystemResolver))
}

fn on_every_firm(test: impl Fn(TestApp)) {
    for engine in Engine::ALL {
        eprintln!("on {engine:?}:");
        test(firm(engine));
    }
}

fn door(app: &TestApp) -> Caller {
    app.roster().doorkeeper(FIRST_TENANT, app.roster().request_id()).unwrap()
}

fn operator(app: &TestApp) -> Caller {
    app.roster().operator(FIRST_TENANT, app.roster().request_id()).unwrap()
}

fn permit(app: &TestApp) -> Permit {
    app.roster().may(&operator(app), Deed::SetSignIn).unwrap()
}

fn local(app: &TestApp) -> Client {
    app.issue(FIRST_TENANT, "local", &["users:read", "users:write", "groups:read", "kinds:read"]).0
}

fn body(name: &str) -> Value {
    let address = format!("{name}@acme.test");
    json!({
        "schemas": [USER], "userName": name, "externalId": name, "active": true,
        "emails": [{ "value": address, "type": "work", "primary": true }],
    })
}

/// Makes a person through the provider's connection.
fn person(app: &TestApp, name: &str) -> ResourceId {
    ResourceId::parse(&app.post("/Users", &body(name)).expect(201).id()).unwrap()
}

fn enter(app: &TestApp, whose: Whose<'_>) -> Result<Entered, Refused> {
    let entry = SignInEntry {
        whose,
        method: SignInMethod::Oidc,
        at: Some(app.roster().current_time()),
        sid: None,
        acr: None,
        amr: &[],
        address: "192.0.2.7",
        agent: "a test",
        id_token: None,
    };
    app.roster().sign_in(&door(app), &entry, LIFETIMES).unwrap()
}

/// Signs a person in at the provider.
fn by_provider(app: &TestApp, name: &str) -> SessionKey {
    let identity = Identity {
        provider: "okta",
        connection: Some(rosterd::app::bootstrap::FIRST_CONNECTION),
        issuer: "https://firm.okta.test",
        subject: name,
        key: Some(name),
        email: None,
    };
    enter(app, Whose::Identity(identity)).unwrap().key
}

/// Signs a person in by the password that they have, which is taken to have been right.
fn by_password(app: &TestApp, name: &str, second: Option<Second<'_>>) -> Result<Entered, Refused> {
    let known = app.roster().password_of(&door(app), name).unwrap().expect("a password");
    enter(app, Whose::Password { person: known.person, epoch: known.epoch, second })
}

fn order(person: ResourceId, purpose: LinkPurpose, lifetime: SignedDuration) -> LinkOrder<'static> {
    LinkOrder { person, purpose, lifetime, by: OrderedBy::Administrator, mail: Some(&sealed) }
}

/// Seals nothing, so that a test can read it.
#[expect(clippy::unnecessary_wraps, reason = "what seals may refuse to")]
fn sealed(_place: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    Some(plain.iter().map(|byte| byte ^ 0x55).collect())
}

fn link(app: &TestApp, person: ResourceId, purpose: LinkPurpose) -> Mailed {
    let lifetime = match purpose {
        LinkPurpose::Invitation => rosterd::roster::INVITATION,
        LinkPurpose::MagicLink => rosterd::roster::MAGIC_LINK,
        LinkPurpose::Reset => rosterd::roster::RESET,
    };
    app.roster().issue_link(&operator(app), &order(person, purpose, lifetime)).unwrap().expect("a link")
}

fn key(mailed: &Mailed) -> rosterd::roster::MailedKey {
    rosterd::roster::MailedKey::parse(&mailed.token).expect("a token")
}

fn follow(app: &TestApp, mailed: &Mailed, purpose: LinkPurpose) -> Result<Entered, Refused> {
    enter(app, Whose::Mailed { key: &key(mailed), purpose, second: None, sets: None })
}

fn looked_at(app: &TestApp, key: &SessionKey) -> Result<Live, Dead> {
    app.roster().look_at_session(key, LIFETIMES, &|_| true).unwrap()
}

fn death(app: &TestApp, key: &SessionKey) -> Option<Dead> {
    looked_at(app, key).err()
}

fn set_password(app: &TestApp, id: ResourceId, hash: &str) {
    app.roster().set_password(&operator(app), permit(app), id, hash, false).unwrap();
}

fn set_method(app: &TestApp, id: ResourceId, way: Option<Way>, break_glass: bool) {
    app.roster().set_sign_in_method(&operator(app), permit(app), id, way, break_glass).unwrap();
}
