//! Okta's first synchronisation, in the shapes in which Okta sends it (`conformance/okta`).

use anyhow::Result;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::play::{ENTERPRISE, GROUP, Player, USER, id_of};

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

/// What Okta calls each of them for good, and their names.
pub fn subjects() -> Vec<(String, String)> {
    PEOPLE.map(|(given, family, ..)| (external_id(given, family), format!("{given} {family}"))).to_vec()
}

fn external_id(given: &str, family: &str) -> String {
    format!("00u{}{}", given.to_lowercase(), family.len())
}

/// Plays the whole synchronisation, and tells each step.
pub async fn first_sync(okta: &mut Player<'_>) -> Result<()> {
    okta.chapter("Okta tests its credentials")?;
    okta.get("/Users?startIndex=1&count=2").await?;
    okta.chapter("Eight people are assigned: Okta looks for each by userName, then creates it")?;
    let mut ids = Vec::new();
    for person in PEOPLE {
        ids.push(assign(okta, person).await?);
    }
    let [ada, grace, katherine, alan, radia, edsger, barbara, tony] =
        <[String; 8]>::try_from(ids).map_err(|ids| anyhow::anyhow!("{} ids", ids.len()))?;
    okta.chapter("Two groups are linked and their members pushed")?;
    let managers = link(okta, "PSA Managers", &[&grace, &barbara]).await?;
    let consultants =
        link(okta, "PSA Consultants", &[&ada, &katherine, &alan, &radia, &edsger, &tony]).await?;
    okta.chapter("Grace marries and is promoted: the profile is read, changed and put back")?;
    update(okta, &grace, |user| {
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

async fn assign(
    okta: &mut Player<'_>,
    (given, family, title, department): (&str, &str, &str, &str),
) -> Result<String> {
    let login = format!("{}.{}@acme.example", given.to_lowercase(), family.to_lowercase());
    okta.get(&format!("/Users?filter=userName%20eq%20%22{login}%22&startIndex=1&count=100")).await?;
    let body = json!({
        "schemas": [USER, ENTERPRISE],
        "userName": login,
        "name": { "givenName": given, "familyName": family },
        "emails": [{ "primary": true, "value": login, "type": "work" }],
        "displayName": format!("{given} {family}"),
        "title": title,
        "locale": "en-US",
        "externalId": external_id(given, family),
        "groups": [],
        "password": "a-random-placeholder-that-is-never-kept",
        "active": true,
        ENTERPRISE: { "department": department },
    });
    id_of(&okta.send(Method::POST, "/Users", Some(body), StatusCode::CREATED).await?)
}

async fn link(okta: &mut Player<'_>, name: &str, members: &[&String]) -> Result<String> {
    let query = name.replace(' ', "%20");
    okta.get(&format!("/Groups?filter=displayName%20eq%20%22{query}%22&startIndex=1&count=100")).await?;
    let body = json!({ "schemas": [GROUP], "displayName": name, "members": [] });
    let id = id_of(&okta.send(Method::POST, "/Groups", Some(body), StatusCode::CREATED).await?)?;
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    okta.patch(&format!("/Groups/{id}"), json!([{ "op": "add", "path": "members", "value": members }]))
        .await?;
    Ok(id)
}

async fn update(okta: &mut Player<'_>, id: &str, change: impl FnOnce(&mut Value)) -> Result<()> {
    let path = format!("/Users/{id}");
    let mut user = okta.get(&path).await?;
    change(&mut user);
    okta.send(Method::PUT, &path, Some(user), StatusCode::OK).await.map(drop)
}

fn set(resource: &mut Value, path: &[&str], text: &str) {
    let mut at = resource;
    for name in path {
        let Some(object) = at.as_object_mut() else { return };
        at = object.entry(*name).or_insert(Value::Null);
    }
    *at = text.into();
}
