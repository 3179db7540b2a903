//! What both identity providers' sides have in common: they send requests, check what comes back, and tell each step in a line.

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::Client;

/// The schema of people.
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Its extension for firms.
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The schema of groups.
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Plays requests through one connection, and tells of them.
pub struct Player<'a> {
    client: &'a mut Client,
    told: &'a mut dyn Write,
}

impl<'a> Player<'a> {
    /// Plays through a client.
    pub fn new(client: &'a mut Client, told: &'a mut dyn Write) -> Self {
        Self { client, told }
    }

    /// Begins a part of the story.
    pub(super) fn chapter(&mut self, title: &str) -> Result<()> {
        writeln!(self.told, "\n{title}")?;
        Ok(self.told.flush()?)
    }

    /// Tells something in a line.
    #[cfg(feature = "plugins")]
    pub(super) fn tell(&mut self, line: &str) -> Result<()> {
        writeln!(self.told, "  {line}")?;
        Ok(self.told.flush()?)
    }

    /// Sends a request, tells of it, and refuses any other status than the wanted one.
    pub(super) async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Value>,
        wanted: StatusCode,
    ) -> Result<Value> {
        let started = Instant::now();
        let answer = self.client.send(method.clone(), path, body.as_ref()).await?;
        let took = started.elapsed();
        let shown = shortened(path);
        writeln!(
            self.told,
            "  {} {:<6} {shown:<46} {:>6.1} ms",
            answer.status.as_u16(),
            method.as_str(),
            took.as_secs_f64() * 1e3
        )?;
        self.told.flush()?;
        answer.expect(wanted).with_context(|| format!("{method} {path}"))
    }

    /// Reads.
    pub(super) async fn get(&mut self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None, StatusCode::OK).await
    }

    /// Changes; a group's answer has no body.
    pub(super) async fn patch(&mut self, path: &str, operations: Value) -> Result<()> {
        let wanted = if path.starts_with("/Groups") { StatusCode::NO_CONTENT } else { StatusCode::OK };
        let body = json!({ "schemas": [PATCH], "Operations": operations });
        self.send(Method::PATCH, path, Some(body), wanted).await.map(drop)
    }
}

/// Reads the id that was given.
pub(super) fn id_of(resource: &Value) -> Result<String> {
    resource.get("id").and_then(Value::as_str).map(str::to_owned).context("the answer has no id")
}

/// Cuts what makes a line long: query strings and the tails of ids.
fn shortened(path: &str) -> String {
    const SHOWN_CHARS: usize = 44;
    let readable = path.replace("%20", " ").replace('+', " ").replace("%22", "\"");
    let short: String = readable.chars().take(SHOWN_CHARS).collect();
    if short.len() < readable.len() { format!("{short}…") } else { short }
}
