//! Entra's first synchronisation, in the shapes in which its provisioning service sends it (`conformance/entra`).

use anyhow::{Result, ensure};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::play::{ENTERPRISE, GROUP, Player, USER, id_of};

/// The URN that Entra sends with every group, beside the standard's.
const ENTRA_GROUP: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";

/// Given name, family name, title, department; the first is everybody's manager.
const PEOPLE: [(&str, &str, &str, &str); 4] = [
    ("Kristen", "Nygaard", "Managing Director", "Management"),
    ("Frances", "Allen", "Consultant", "Compilers"),
    ("Adele", "Goldberg", "Designer", "Interfaces"),
    ("Dennis", "Ritchie", "Consultant", "Compilers"),
];

/// Has its people come, and tells each step. `guid` makes up the ids that objects have at Entra. Returns the ids that they have here.
pub async fn assign_people(entra: &mut Player<'_>, guid: &dyn Fn() -> Uuid) -> Result<[String; 4]> {
    entra.chapter("Acme buys Nordlys, whose people are in Entra ID: it tests its own connection with a name that cannot exist")?;
    find_nobody(entra, &guid().to_string()).await?;
    entra.chapter("What Okta keeps is not there for Entra: it looks for Ada, and finds nobody")?;
    find_nobody(entra, "ada.byron@acme.example").await?;
    entra.chapter("Four people are assigned: looked for, then created, their manager a plain text")?;
    let mut ids: Vec<String> = Vec::new();
    for person in PEOPLE {
        let manager = ids.first().cloned();
        ids.push(assign(entra, person, manager.as_deref(), guid()).await?);
    }
    <[String; 4]>::try_from(ids).map_err(|ids| anyhow::anyhow!("{} ids", ids.len()))
}

/// Fills its group and changes those people, and tells each step.
pub async fn change_people(
    entra: &mut Player<'_>,
    [kristen, frances, adele, dennis]: &[String; 4],
    guid: &dyn Fn() -> Uuid,
) -> Result<()> {
    entra.chapter("A group is created empty, and filled by PATCH")?;
    let nordlys = group(entra, "Nordlys", guid()).await?;
    let members: Vec<Value> =
        [kristen, frances, adele].map(|id| json!({ "$ref": null, "value": id })).to_vec();
    entra
        .patch(&format!("/Groups/{nordlys}"), json!([{ "op": "Add", "path": "members", "value": members }]))
        .await?;
    entra
        .chapter("Dennis leaves, in the classic form: \"Replace\" with a capital, and \"False\" as a text")?;
    entra
        .patch(&format!("/Users/{dennis}"), json!([{ "op": "Replace", "path": "active", "value": "False" }]))
        .await?;
    entra.chapter(
        "Frances is promoted, in the newer form: one operation without a path, its keys are paths",
    )?;
    let department = format!("{ENTERPRISE}:department");
    let value = json!({ "title": "Principal Consultant", "name.formatted": "Fran Allen", "displayName": "Fran Allen", department: "Research" });
    entra.patch(&format!("/Users/{frances}"), json!([{ "op": "replace", "value": value }])).await
}

/// Looks somebody up by userName, form-encoded as Entra does it; there must be nobody.
async fn find_nobody(entra: &mut Player<'_>, login: &str) -> Result<()> {
    let found = entra.get(&format!("/Users?filter=userName+eq+%22{login}%22")).await?;
    ensure!(found.get("totalResults") == Some(&json!(0)), "expected nobody, found {found}");
    Ok(())
}

async fn assign(
    entra: &mut Player<'_>,
    (given, family, title, department): (&str, &str, &str, &str),
    manager: Option<&str>,
    object: Uuid,
) -> Result<String> {
    let login = format!("{}.{}@nordlys.example", given.to_lowercase(), family.to_lowercase());
    let name = format!("{given} {family}");
    find_nobody(entra, &login).await?;
    let mut extension = json!({ "department": department });
    if let (Some(id), Some(parts)) = (manager, extension.as_object_mut()) {
        parts.insert("manager".to_owned(), id.into());
    }
    let body = json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": object,
        "userName": login,
        "active": true,
        "displayName": name,
        "title": title,
        "emails": [{ "primary": true, "type": "work", "value": login }],
        "addresses": [{ "type": "work", "country": "NO" }],
        "meta": { "resourceType": "User" },
        "name": { "formatted": name, "familyName": family, "givenName": given },
        "roles": [],
        ENTERPRISE: extension,
    });
    id_of(&entra.send(Method::POST, "/Users", Some(body), StatusCode::CREATED).await?)
}

async fn group(entra: &mut Player<'_>, name: &str, object: Uuid) -> Result<String> {
    entra.get(&format!("/Groups?excludedAttributes=members&filter=displayName+eq+%22{name}%22")).await?;
    let body = json!({
        "schemas": [GROUP, ENTRA_GROUP],
        "externalId": object,
        "displayName": name,
        "meta": { "resourceType": "Group" },
    });
    id_of(&entra.send(Method::POST, "/Groups", Some(body), StatusCode::CREATED).await?)
}
