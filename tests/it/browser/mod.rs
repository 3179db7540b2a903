//! Signing in as a browser sees it: the whole way over HTTP, against the provider of `signin::op`.
//!
//! `there_and_back`: start, callback, and every attack on them. `alive`: sessions over HTTP, and what ends them. `orders`: what providers order. `logs`, `logs_own`: what is written down. `pages`: what
//! is shown, and to whom. `admin`: what administrators see and end.
//! `chromium`: all of it in a real browser, at somebody else's provider..

mod admin;
mod alive;
mod chromium;
mod logs;
mod logs_own;
mod orders;
mod pages;
mod there_and_back;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use rosterd::net::Resolver;
use rosterd::store::Action;
use serde_json::{Value, json};

use crate::signin::op::{CLIENT, Op, SECRET, SUBJECT};
use crate::support::bodies::USER;
use crate::support::issuer::HOST;
use crate::support::world::{history, said};
use crate::support::{Answer, Client, Engine, PUBLIC_URL, Request, TestApp};

/// The moment at which the provider's tokens are good.
const START: &str = "2026-01-02T03:04:05Z";
/// Where a browser goes that wanted nothing else.
const START_PATH: &str = "/sso/okta/start?return_to=/me";

/// A provider, and a daemon that asks it.
struct World {
    op: Op,
    app: TestApp,
    secret: tempfile::NamedTempFile,
}

impl World {
    fn start() -> Self {
        Self::with("")
    }

    /// With further lines in the provider's table.
    fn with(lines: &str) -> Self {
        Self::of(Op::start(), lines, "")
    }

    fn of(op: Op, lines: &str, more: &str) -> Self {
        Self::on(Engine::Memory, op, lines, more)
    }

    fn on(engine: Engine, op: Op, lines: &str, more: &str) -> Self {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), SECRET).unwrap();
        let text = Self::settings(&op, secret.path().to_str().unwrap(), lines, more);
        let names = Arc::clone(&op.server.names) as Arc<dyn Resolver>;
        let app = TestApp::with_file_on(engine, &text, START, names);
        Self { op, app, secret }
    }

    fn settings(op: &Op, secret: &str, lines: &str, more: &str) -> String {
        let mut text = format!(
            "[net]\nallow = [\"{HOST}:{}\"]\nca_file = {:?}\n",
            op.server.port(),
            op.server.root_file().to_str().unwrap()
        );
        let _ = write!(
            text,
            "{more}\n[[identity_providers]]\nname = \"okta\"\ntenant = \"main\"\ntitle = \"Acme\"\nissuer = {:?}\nclient_id = {CLIENT:?}\nclient_secret_file = {secret:?}\n\
             connection = \"idp\"\n{lines}\n",
            op.issuer()
        );
        text
    }

    /// Reads the settings again, with other lines in the provider's table.
    fn reload(&mut self, lines: &str) {
        let text = Self::settings(&self.op, self.secret.path().to_str().unwrap(), lines, "");
        self.app.reload(&text);
    }

    /// Has the connection provision somebody under the key that the provider signs them in with.
    fn person(&self, name: &str, key: &str) -> String {
        let body = json!({
            "schemas": [USER], "userName": name, "externalId": key, "active": true, "displayName": "Ada Lovelace",
            "emails": [{ "value": name, "type": "work", "primary": true }],
        });
        self.app.send(&Request::scim("POST", "/Users").json(&body)).expect(201).id()
    }

    fn ada(&self) -> String {
        self.person("ada@acme.example", SUBJECT)
    }

    fn browser(&self) -> Browser {
        Browser { client: self.app.stranger(), cookies: BTreeMap::new() }
    }

    /// Goes to the provider and comes back; returns the answer to the callback.
    fn come_back(&self, browser: &mut Browser) -> Answer {
        let there = browser.get(START_PATH).expect(303);
        let back = self.op.authorize(there.header("location").unwrap());
        browser.get(&format!("/sso/okta/callback?{back}"))
    }

    /// Signs in whoever the provider says.
    #[track_caller]
    fn signed_in(&self) -> Browser {
        let mut browser = self.browser();
        let answer = self.come_back(&mut browser);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/me")), "{:?}", self.refusals());
        browser
    }

    /// The reasons of refused sign-ins in the history: code and words.
    fn refusals(&self) -> Vec<(String, String)> {
        let roster = self.app.roster();
        let tenant = roster.doorkeeper("main", roster.request_id()).unwrap().tenant();
        let rows = said(&history(roster, tenant)).into_iter();
        let refused = rows.filter(|(facts, _)| facts.action == Action::SignInRefuse);
        refused
            .map(|(facts, values)| {
                let words = values.changes[0].new.as_ref().and_then(Value::as_str).unwrap().to_owned();
                (facts.result, words)
            })
            .collect()
    }
}

/// Reads where a page leads by itself.
#[track_caller]
fn onward(page: &Answer) -> String {
    let page = page.text();
    let to =
        page.split("<meta http-equiv=\"refresh\" content=\"0; url=").nth(1).expect("a page that leads on");
    to.split('"').next().unwrap().replace("&#38;", "&")
}

/// A browser: it keeps cookies as browsers do, and says where a form comes from.
#[derive(Clone)]
pub(crate) struct Browser {
    client: Client,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Opens one that has been nowhere.
    pub(crate) fn of(client: Client) -> Self {
        Self { client, cookies: BTreeMap::new() }
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(Request::new("GET", path).header("Accept", "text/html"))
    }

    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(Self::form(path, fields))
    }

    /// A form of one of our own pages.
    pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> Request {
        let mut body = form_urlencoded::Serializer::new(String::new());
        fields.iter().for_each(|(name, value)| {
            body.append_pair(name, value);
        });
        Request::new("POST", path)
            .header("Accept", "text/html")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Origin", PUBLIC_URL)
            .header("Sec-Fetch-Site", "same-origin")
            .body(body.finish())
    }

    pub(crate) fn send(&mut self, request: Request) -> Answer {
        let line: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = self.client.send(&request.header("Cookie", line.join("; ")));
        for (_, set) in answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            let (name, rest) = set.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Who is signed in, by `/session`.
    pub(crate) fn whoami(&mut self) -> Option<Value> {
        let answer = self.get("/session");
        match answer.status {
            200 => Some(answer.json()),
            401 => None,
            _ => panic!("{answer:?}"),
        }
    }
}
