//! What the tests do with clients: make them, show what they have, look at what they get.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rosterd::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT};
use rosterd::roster::{ClientKind, ClientView, Command, Federation, Reply};

use crate::support::{Answer, Client, Request, TestApp, encode};

/// The path of the endpoint.
pub const TOKEN: &str = "/oauth2/token";
/// The one kind of assertion.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client as its operator has it.
#[derive(Debug, Clone)]
pub struct Made {
    pub id: String,
    pub secret: String,
    pub secret_id: String,
}

/// Makes a client of the first connection.
pub fn client(app: &TestApp, kind: ClientKind, scopes: &[&str]) -> Made {
    client_of(app, FIRST_CONNECTION, kind, scopes)
}

/// Makes a client of a connection of the first tenant.
pub fn client_of(app: &TestApp, connection: &str, kind: ClientKind, scopes: &[&str]) -> Made {
    made(app.operate(Command::ClientCreate {
        tenant: FIRST_TENANT.to_owned(),
        connection: connection.to_owned(),
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        kind,
        days: 30,
    }))
}

/// Gives a client another secret.
pub fn add_secret(app: &TestApp, client: &str, days: u32) -> Made {
    made(app.operate(Command::ClientSecretAdd { client: client.to_owned(), days }))
}

/// Ends a secret.
pub fn revoke_secret(app: &TestApp, made: &Made) {
    app.operate(Command::ClientSecretRevoke { client: made.id.clone(), id: made.secret_id.clone() });
}

/// Ends a client.
pub fn revoke(app: &TestApp, client: &str) {
    app.operate(Command::ClientRevoke { client: client.to_owned() });
}

/// Pins an issuer.
pub fn federate(app: &TestApp, client: &str, federation: Federation) {
    app.operate(Command::ClientFederate { client: client.to_owned(), federation });
}

/// Tells why an operator's command was refused.
#[track_caller]
pub fn refused(app: &TestApp, command: Command) -> String {
    let roster = app.roster();
    match roster.operate(command, roster.request_id()) {
        Ok(reply) => panic!("{reply:?}"),
        Err(error) => error.to_string(),
    }
}

/// Lists the clients of the first tenant.
pub fn clients(app: &TestApp) -> Vec<ClientView> {
    let Reply::Clients { clients } =
        app.operate(Command::ClientList { tenant: Some(FIRST_TENANT.to_owned()) })
    else {
        panic!()
    };
    clients.into_iter().map(|of| of.what).collect()
}

fn made(reply: Reply) -> Made {
    let Reply::Client { client, secret, .. } = reply else { panic!("{reply:?}") };
    let (secret, secret_id) = secret.map(|secret| (secret.secret, secret.id.to_string())).unwrap_or_default();
    Made { id: client.to_string(), secret, secret_id }
}

/// Writes a form.
pub fn form(fields: &[(&str, &str)]) -> String {
    fields
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// A request with a form.
pub fn request(body: impl Into<Vec<u8>>) -> Request {
    Request::new("POST", TOKEN).header("Content-Type", "application/x-www-form-urlencoded").body(body)
}

/// Sends a form.
pub fn send(app: &TestApp, fields: &[(&str, &str)]) -> Answer {
    app.stranger().send(&request(form(fields)))
}

/// The field that shows name and secret.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Fetches a token for a secret in the form.
pub fn fetch(app: &TestApp, made: &Made) -> Answer {
    send(
        app,
        &[("grant_type", "client_credentials"), ("client_id", &made.id), ("client_secret", &made.secret)],
    )
}

/// Reads the token out of an answer, as a client that uses it.
#[track_caller]
pub fn with_token(app: &TestApp, answer: Answer) -> Client {
    app.with(answer.expect(200).json()["access_token"].as_str().unwrap())
}

/// Fails unless the answer is an error of RFC 6749 §5.2 with this word, and returns its description.
#[track_caller]
pub fn must_be(answer: &Answer, status: u16, word: &str) -> String {
    let body = answer.json();
    assert_eq!((answer.status, &body["error"]), (status, &word.into()), "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{:?}", answer.headers);
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["error", "error_description"]);
    let description = body["error_description"].as_str().unwrap().to_owned();
    assert!(description.len() > 10 && !description.contains(['"', '\\']), "{description}");
    description
}
