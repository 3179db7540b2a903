//! Tests that go to the endpoint directly: schemas, nothing as a value, random values, pages, the manager.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Tenant;
use crate::support::bodies::{ENTERPRISE, GROUP, USER};

/// What an app in the gallery maps by default, of users.
const USER_MAPPING: [&str; 21] = [
    "userName",
    "active",
    "displayName",
    "title",
    "emails[type eq \"work\"].value",
    "preferredLanguage",
    "name.givenName",
    "name.familyName",
    "name.formatted",
    "addresses[type eq \"work\"].formatted",
    "addresses[type eq \"work\"].streetAddress",
    "addresses[type eq \"work\"].locality",
    "addresses[type eq \"work\"].region",
    "addresses[type eq \"work\"].postalCode",
    "addresses[type eq \"work\"].country",
    "phoneNumbers[type eq \"work\"].value",
    "phoneNumbers[type eq \"mobile\"].value",
    "phoneNumbers[type eq \"fax\"].value",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
];
/// Those that may be without a value, and are texts.
fn texts() -> impl Iterator<Item = &'static str> {
    let others = |path: &&str| !matches!(*path, "userName" | "active") && !path.ends_with(":manager");
    USER_MAPPING.into_iter().filter(others)
}

/// Reads a value at a path of the mapping's form.
fn at<'v>(resource: &'v Value, path: &str) -> &'v Value {
    if let Some(name) = path.strip_prefix(ENTERPRISE).and_then(|rest| rest.strip_prefix(':')) {
        return &resource[ENTERPRISE][name];
    }
    if let Some((list, rest)) = path.split_once("[type eq \"") {
        let (kind, sub) = rest.split_once("\"].").unwrap();
        let elements = resource[list].as_array().map_or(&[] as &[Value], Vec::as_slice);
        return elements
            .iter()
            .find(|element| element["type"] == kind)
            .map_or(&Value::Null, |element| &element[sub]);
    }
    match path.split_once('.') {
        Some((name, sub)) => &resource[name][sub],
        None => &resource[path],
    }
}

fn schema(entra: &Tenant<'_>, urn: &str) -> Vec<Value> {
    let all = entra.read("/Schemas");
    let found =
        all["Resources"].as_array().expect("a list response").iter().find(|schema| schema["id"] == urn);
    found.unwrap_or_else(|| panic!("{urn} is not in /Schemas"))["attributes"].as_array().unwrap().clone()
}

/// Flattens a schema as the gate does: `a`, `a.b`, and `a[type eq "c"].b` for each canonical value of `type`; lower case.
fn flattened(attributes: &[Value], prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for attribute in attributes {
        let name = format!("{prefix}{}", attribute["name"].as_str().unwrap());
        names.insert(name.to_lowercase());
        for sub in attribute["subAttributes"].as_array().into_iter().flatten() {
            let part = sub["name"].as_str().unwrap();
            names.insert(format!("{name}.{part}").to_lowercase());
            let parts = attribute["subAttributes"].as_array().into_iter().flatten();
            let kinds = parts
                .filter(|sub| sub["name"] == "type")
                .flat_map(|sub| sub["canonicalValues"].as_array().into_iter().flatten());
            for kind in kinds.filter(|_| attribute["multiValued"] == true) {
                names.insert(format!("{name}[type eq {kind}].{part}").to_lowercase());
            }
        }
    }
    names
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(holds_null),
        Value::Object(map) => map.values().any(holds_null),
        other => other.is_null(),
    }
}

pub(super) fn schemas(entra: &Tenant<'_>) {
    assert!(!holds_null(&entra.read("/Schemas")), "nothing in a schema is null");
    let mut known = flattened(&schema(entra, USER), "");
    known.extend(flattened(&schema(entra, ENTERPRISE), &format!("{ENTERPRISE}:")));
    for path in USER_MAPPING {
        assert!(known.contains(&path.to_lowercase()), "{path} is not in /Schemas");
    }
    let known = flattened(&schema(entra, GROUP), "");
    for path in ["displayName", "members"] {
        assert!(known.contains(&path.to_lowercase()), "{path} is not in /Schemas");
    }
}

/// Makes somebody who has a value for everything that is mapped.
fn full(entra: &Tenant<'_>) -> String {
    let word = || entra.word();
    let body = json!({
        "schemas": [USER, ENTERPRISE], "userName": entra.login(), "active": true, "externalId": word(), "displayName": word(), "title": word(),
        "preferredLanguage": word(), "name": { "givenName": word(), "familyName": word(), "formatted": word() },
        "emails": [{ "type": "work", "primary": true, "value": entra.login() }],
        "addresses": [{ "type": "work", "primary": true, "formatted": word(), "streetAddress": word(), "locality": word(), "region": word(), "postalCode": word(), "country": word() }],
        "phoneNumbers": [
            { "type": "work", "primary": true, "value": word() }, { "type": "mobile", "primary": false, "value": word() }, { "type": "fax", "primary": false, "value": word() },
        ],
        ENTERPRISE: { "employeeNumber": word(), "department": word() },
    });
    let made = entra.client.post("/Users", &body).expect(201).json();
    for path in texts() {
        assert_eq!(at(&made, path), at(&body, path), "{path}");
    }
    made["id"].as_str().unwrap().to_owned()
}

pub(super) fn nulls(entra: &Tenant<'_>) {
    let path = format!("/Users/{}", full(entra));
    let mut tag = None;
    // First empty texts; then nulls, which change nothing any more.
    for nothing in [json!(""), Value::Null] {
        let operations: Vec<Value> =
            texts().map(|path| json!({ "op": "replace", "path": path, "value": nothing })).collect();
        entra.patch(&path, &operations);
        let read = entra.client.get(&path).expect(200);
        for path in texts() {
            assert!(at(&read.json(), path).is_null(), "{path}: {}", read.text());
        }
        for list in ["emails", "addresses", "phoneNumbers", "name", ENTERPRISE] {
            assert_eq!(read.json().get(list), None, "nothing is left of {list}");
        }
        assert_eq!(*tag.get_or_insert(read.etag()), read.etag());
    }
    // Nulls by themselves do what empty texts do.
    let path = format!("/Users/{}", full(entra));
    let operations: Vec<Value> =
        texts().map(|path| json!({ "op": "Replace", "path": path, "value": null })).collect();
    entra.patch(&path, &operations);
    let read = entra.read(&path);
    assert!(texts().all(|path| at(&read, path).is_null()), "{read}");
    let _ = entra.client.delete(&path).expect(204);
}

pub(super) fn create_user(entra: &Tenant<'_>) {
    let id = full(entra);
    assert!(!id.is_empty());
    let login = entra.login();
    let made =
        entra.client.post("/Users", &json!({ "schemas": [USER], "userName": login })).expect(201).json();
    assert_eq!((made["userName"].as_str(), made["id"].is_string()), (Some(login.as_str()), true));
}

/// Makes a text up that is not easy on anybody.
fn hard_text(entra: &Tenant<'_>) -> String {
    const PIECES: [&str; 12] =
        ["Ada", " ", "+", "%20", "#", "\"", "\\", "é", "日本", "😀", "{\"value\":\"x\"}", "<b>&amp;"];
    let mut text = entra.word();
    for _ in 0..entra.below(6) {
        text.push_str(PIECES[entra.below(PIECES.len())]);
    }
    text
}

/// Lists the single-valued attributes that may be written, as paths, with a random value for each.
fn random_values(entra: &Tenant<'_>, urn: &str) -> Vec<(String, Value)> {
    let prefix = if urn == ENTERPRISE { format!("{ENTERPRISE}:") } else { String::new() };
    let left_out = ["id", "schemas", "meta", "groups", "roles", "active", "members", "userName", "password"];
    let mut found = vec![];
    for attribute in schema(entra, urn) {
        let name = attribute["name"].as_str().unwrap();
        if attribute["multiValued"] == true
            || attribute["mutability"] != "readWrite"
            || left_out.contains(&name)
        {
            continue;
        }
        let complex = attribute["type"] == "complex";
        let parts = attribute["subAttributes"].as_array().cloned().unwrap_or_default();
        let whole = (!complex).then(|| (format!("{prefix}{name}"), attribute.clone()));
        let parts =
            parts.into_iter().map(|sub| (format!("{prefix}{name}.{}", sub["name"].as_str().unwrap()), sub));
        for (path, described) in
            whole.into_iter().chain(parts.filter(|(_, sub)| sub["mutability"] == "readWrite"))
        {
            let value = match described["type"].as_str().unwrap() {
                "boolean" => json!(entra.below(2) == 0),
                "integer" => json!(entra.below(1_000_000)),
                "dateTime" => json!(format!("2026-01-{:02}T08:00:00Z", 1 + entra.below(28))),
                "string" | "reference" => json!(hard_text(entra)),
                _ => continue,
            };
            found.push((path, value));
        }
    }
    found
}

/// Reads a value at a path that may have a URN and one dot behind it.
fn read_at(resource: &Value, path: &str) -> Value {
    let (holder, path) = match path.strip_prefix(ENTERPRISE).and_then(|rest| rest.strip_prefix(':')) {
        Some(rest) => (&resource[ENTERPRISE], rest),
        None => (resource, path),
    };
    at(holder, path).clone()
}

pub(super) fn update_user(entra: &Tenant<'_>) {
    let path = format!("/Users/{}", full(entra));
    for round in 0..8 {
        let mut values = random_values(entra, USER);
        values.extend(random_values(entra, ENTERPRISE));
        values.extend(
            texts().filter(|path| path.contains('[')).map(|path| (path.to_owned(), json!(hard_text(entra)))),
        );
        values.push(("userName".to_owned(), json!(format!("é+'{}@acme.test", entra.word()))));
        assert!(values.len() > 25, "the schema is not that small: {values:?}");
        // In turn: the classic form, the plain form, and one operation whose value has paths for keys.
        let operation = |op: &str| {
            let each = values.iter().map(|(path, value)| json!({ "op": op, "path": path, "value": value }));
            each.collect::<Vec<_>>()
        };
        match round % 4 {
            0 => entra.patch(&path, &operation("Replace")),
            1 => entra.patch(&path, &operation("Add")),
            2 => entra.patch(&path, &operation("replace")),
            _ => {
                let all: serde_json::Map<String, Value> = values.iter().cloned().collect();
                entra.patch(&path, &[json!({ "op": "replace", "value": all })])
            }
        };
        let read = entra.read(&path);
        for (path, value) in &values {
            assert_eq!(&read_at(&read, path), value, "{path} in round {round}");
        }
    }
}

pub(super) fn create_group(entra: &Tenant<'_>) {
    let name = hard_text(entra);
    let body = json!({ "schemas": [GROUP], "displayName": name, "externalId": entra.word() });
    let made = entra.client.post("/Groups", &body).expect(201).json();
    assert_eq!((made["displayName"].as_str(), made["id"].is_string()), (Some(name.as_str()), true));
}

pub(super) fn update_group(entra: &Tenant<'_>) {
    let path = format!("/Groups/{}", entra.group(&entra.word()));
    for _ in 0..8 {
        let mut values = random_values(entra, GROUP);
        values.push(("externalId".to_owned(), json!(hard_text(entra))));
        assert!(values.iter().any(|(path, _)| path == "displayName"));
        let operations: Vec<Value> = values
            .iter()
            .map(|(path, value)| json!({ "op": "Replace", "path": path, "value": value }))
            .collect();
        entra.patch(&path, &operations);
        let read = entra.read(&path);
        for (path, value) in &values {
            assert_eq!(&read_at(&read, path), value, "{path}");
        }
    }
}

/// Walks pages of five until the end; each must say the index that was asked for, and nobody is met twice.
fn pages(entra: &Tenant<'_>, path: &str) {
    let mut met = BTreeSet::new();
    let mut page = 0;
    let total = loop {
        let list = entra.read(&format!("{path}?startIndex={}&count=5", page * 5 + 1));
        assert_eq!(list["startIndex"], json!(page * 5 + 1));
        let resources = list["Resources"].as_array().unwrap();
        assert_eq!(list["itemsPerPage"], json!(resources.len()));
        for resource in resources {
            assert!(met.insert(resource["id"].as_str().unwrap().to_owned()), "met twice: {resource}");
        }
        page += 1;
        let total = list["totalResults"].as_u64().unwrap();
        if page * 5 >= total {
            break total;
        }
        assert_eq!(resources.len(), 5, "a full page before the last");
    };
    assert!(page >= 2, "at least two pages");
    assert_eq!(met.len() as u64, total);
}

pub(super) fn user_pages(entra: &Tenant<'_>) {
    for _ in 0..11 {
        let _ = entra.user(&entra.login());
    }
    pages(entra, "/Users");
}

pub(super) fn group_pages(entra: &Tenant<'_>) {
    for _ in 0..11 {
        let _ = entra.group(&entra.word());
    }
    pages(entra, "/Groups");
}

pub(super) fn manager(entra: &Tenant<'_>) {
    let (first, second) = (entra.user(&entra.login()), entra.user(&entra.login()));
    let path = format!("/Users/{}", entra.user(&entra.login()));
    let manager = format!("{ENTERPRISE}:manager");
    for (op, value) in [("Add", &first), ("Replace", &second)] {
        entra.patch(&path, &[json!({ "op": op, "path": manager, "value": value })]);
        assert_eq!(entra.read(&path)[ENTERPRISE]["manager"]["value"], json!(value), "{op}");
    }
    entra.patch(&path, &[json!({ "op": "Replace", "path": manager, "value": "" })]);
    assert_eq!(entra.read(&path).get(ENTERPRISE), None);
}
