//! The identity provider's side: Okta's first synchronisation, in the shapes in which Okta sends it (`conformance/okta`).

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::Client;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Given name, family name, title, department.
const PEOPLE: [(&str, &str, &str, &str); 8] = [
    ("Ada", "Byron", "Principal Consultant", "Analytics"),
    ("Grace", "Hopper", "Engagement Manager", "Platforms"),
    ("Katherine", "Johnson", "Senior Consultant", "Analytics"),
    ("Alan", "Turing", "Consultant", "Security"),
    ("Radia", "Perlman", "Network Architect", "Platforms"),
    ("Edsger", "Dijkstra", "Consultant", "Platforms"),
    ("Barbara", "Liskov", "Partner", "Management"),
    ("Tony", "Hoare", "Contractor", "Security"),
];

/// Plays the whole synchronisation, and tells each step.
pub async fn first_sync(client: &mut Client, told: &mut dyn Write) -> Result<()> {
    let mut okta = Okta { client, told };
    okta.chapter("Okta tests its credentials")?;
    okta.get("/Users?startIndex=1&count=2").await?;
    okta.chapter("Eight people are assigned: Okta looks for each by userName, then creates it")?;
    let mut ids = Vec::new();
    for person in PEOPLE {
        ids.push(okta.assign(person).await?);
    }
    let [ada, grace, katherine, alan, radia, edsger, barbara, tony] =
        <[String; 8]>::try_from(ids).map_err(|ids| anyhow::anyhow!("{} ids", ids.len()))?;
    okta.chapter("Two groups are linked and their members pushed")?;
    let managers = okta.link("PSA Managers", &[&grace, &barbara]).await?;
    let consultants =
        okta.link("PSA Consultants", &[&ada, &katherine, &alan, &radia, &edsger, &tony]).await?;
    okta.chapter("Grace marries and is promoted: the profile is read, changed and put back")?;
    okta.update(&grace, |user| {
        set(user, &["name", "familyName"], "Murray");
        set(user, &["displayName"], "Grace Murray");
        set(user, &["title"], "Delivery Director");
    })
    .await?;
    okta.chapter("Tony's assignment ends: the account is deactivated, and he leaves his group")?;
    okta.patch(&format!("/Users/{tony}"), json!([{ "op": "replace", "value": { "active": false } }])).await?;
    okta.patch(
        &format!("/Groups/{consultants}"),
        json!([{ "op": "remove", "path": format!("members[value eq \"{tony}\"]") }]),
    )
    .await?;
    okta.chapter("Ada becomes a manager as well: \"Push now\" sends the group's name and its whole list")?;
    okta.patch(
        &format!("/Groups/{managers}"),
        json!([{ "op": "replace", "value": { "id": managers, "displayName": "PSA Managers" } }]),
    )
    .await?;
    let members: Vec<Value> = [&grace, &barbara, &ada].into_iter().map(|id| json!({ "value": id })).collect();
    okta.patch(
        &format!("/Groups/{managers}"),
        json!([{ "op": "replace", "path": "members", "value": members }]),
    )
    .await
}

struct Okta<'a> {
    client: &'a mut Client,
    told: &'a mut dyn Write,
}

impl Okta<'_> {
    fn chapter(&mut self, title: &str) -> Result<()> {
        writeln!(self.told, "\n{title}")?;
        Ok(self.told.flush()?)
    }

    async fn send(
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

    async fn get(&mut self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None, StatusCode::OK).await
    }

    async fn patch(&mut self, path: &str, operations: Value) -> Result<()> {
        let wanted = if path.starts_with("/Groups") { StatusCode::NO_CONTENT } else { StatusCode::OK };
        let body = json!({ "schemas": [PATCH], "Operations": operations });
        self.send(Method::PATCH, path, Some(body), wanted).await.map(drop)
    }

    async fn assign(
        &mut self,
        (given, family, title, department): (&str, &str, &str, &str),
    ) -> Result<String> {
        let login = format!("{}.{}@acme.example", given.to_lowercase(), family.to_lowercase());
        self.get(&format!("/Users?filter=userName%20eq%20%22{login}%22&startIndex=1&count=100")).await?;
        let body = json!({
            "schemas": [USER, ENTERPRISE],
            "userName": login,
            "name": { "givenName": given, "familyName": family },
            "emails": [{ "primary": true, "value": login, "type": "work" }],
            "displayName": format!("{given} {family}"),
            "title": title,
            "locale": "en-US",
            "externalId": format!("00u{}{}", given.to_lowercase(), family.len()),
            "groups": [],
            "password": "a-random-placeholder-that-is-never-kept",
            "active": true,
            ENTERPRISE: { "department": department },
        });
        id_of(&self.send(Method::POST, "/Users", Some(body), StatusCode::CREATED).await?)
    }

    async fn link(&mut self, name: &str, members: &[&String]) -> Result<String> {
        let query = name.replace(' ', "%20");
        self.get(&format!("/Groups?filter=displayName%20eq%20%22{query}%22&startIndex=1&count=100")).await?;
        let body = json!({ "schemas": [GROUP], "displayName": name, "members": [] });
        let id = id_of(&self.send(Method::POST, "/Groups", Some(body), StatusCode::CREATED).await?)?;
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        self.patch(&format!("/Groups/{id}"), json!([{ "op": "add", "path": "members", "value": members }]))
            .await?;
        Ok(id)
    }

    async fn update(&mut self, id: &str, change: impl FnOnce(&mut Value)) -> Result<()> {
        let path = format!("/Users/{id}");
        let mut user = self.get(&path).await?;
        change(&mut user);
        self.send(Method::PUT, &path, Some(user), StatusCode::OK).await.map(drop)
    }
}

fn id_of(resource: &Value) -> Result<String> {
    resource.get("id").and_then(Value::as_str).map(str::to_owned).context("the answer has no id")
}

fn set(resource: &mut Value, path: &[&str], text: &str) {
    let mut at = resource;
    for name in path {
        let Some(object) = at.as_object_mut() else { return };
        at = object.entry(*name).or_insert(Value::Null);
    }
    *at = text.into();
}

/// Cuts what makes a line long: query strings and the tails of ids.
fn shortened(path: &str) -> String {
    const SHOWN_CHARS: usize = 44;
    let readable = path.replace("%20", " ").replace("%22", "\"");
    let short: String = readable.chars().take(SHOWN_CHARS).collect();
    if short.len() < readable.len() { format!("{short}…") } else { short }
}
