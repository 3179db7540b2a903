//! An administrator's client, and what they ask.

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::roster::{Command, Reply};
use serde_json::Value;

use crate::support::{Answer, Client, Request, TestApp};

/// A client of the admin listener, with one token of the connection `local`.
pub struct Admin(pub Client);

impl Admin {
    /// Makes a token with these scopes, and a client that uses it.
    pub fn of(app: &TestApp, scopes: &[&str]) -> Self {
        Self::bound(app, FIRST_TENANT, scopes, None)
    }

    /// The same, for a tenant and bound to a person.
    pub fn bound(app: &TestApp, tenant: &str, scopes: &[&str], person: Option<&str>) -> Self {
        let reply = app.operate(Command::TokenCreate {
            tenant: tenant.to_owned(),
            connection: "local".to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            days: Some(30),
            secret: None,
            person: person.map(str::to_owned),
        });
        let Reply::Token { secret, .. } = reply else { panic!("{reply:?}") };
        Self(Client::new(app.daemon().admin(), &secret))
    }

    /// Sends a request below `/admin/v1`.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let request = Request::new(method, format!("/admin/v1{path}")).header("Accept", "application/json");
        self.0.send(&match body {
            Some(body) => request.json(body).header("Content-Type", "application/json"),
            None => request,
        })
    }

    /// Reads.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    /// Posts.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body))
    }

    /// Reads every page of a list.
    pub fn all(&self, path: &str, limit: usize) -> Vec<Value> {
        let (mut items, mut after) = (vec![], String::new());
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{sign}limit={limit}{after}")).expect(200).json();
            let found = page["items"].as_array().unwrap().clone();
            assert!(found.len() <= limit, "{page}");
            items.extend(found);
            match page["next"].as_str() {
                Some(next) => after = format!("&after={}", crate::support::encode(next)),
                None => return items,
            }
        }
    }
}

/// Fails unless an answer is a problem document with this status; returns its sentence.
#[track_caller]
pub fn problem(answer: &Answer, status: u16) -> String {
    let body = answer.json();
    assert_eq!(answer.status, status, "{body}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{body}");
    assert_eq!((&body["type"], &body["status"]), (&Value::from("about:blank"), &Value::from(status)));
    assert!(answer.header("x-request-id").is_some());
    body["detail"].as_str().filter(|detail| !detail.is_empty()).expect("a sentence").to_owned()
}
