//! S182: the schema documents say everything about every attribute, and nothing that is null.

use std::collections::BTreeSet;

use rosterd::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT};
use rosterd::roster::Command;
use serde_json::{Value, json};

use crate::support::bodies::{ENTERPRISE, GROUP, PSA, USER, replace, user};
use crate::support::{Client, TestApp};

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(holds_null),
        Value::Object(map) => map.values().any(holds_null),
        _ => false,
    }
}

/// Fails unless an attribute says all that RFC 7643 §7 asks for, in its words.
fn is_described(attribute: &Value) {
    let word = |member: &str, known: &[&str]| {
        let word = attribute[member].as_str().unwrap_or_else(|| panic!("{member}: {attribute}"));
        assert!(known.contains(&word), "{member}: {attribute}");
    };
    word("type", &["string", "boolean", "decimal", "integer", "dateTime", "reference", "binary", "complex"]);
    word("mutability", &["readOnly", "readWrite", "immutable", "writeOnly"]);
    word("returned", &["always", "never", "default", "request"]);
    if attribute["type"] != "complex" && attribute["type"] != "boolean" {
        word("uniqueness", &["none", "server", "global"]);
    }
    for member in ["name", "description"] {
        assert!(attribute[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {attribute}");
    }
    for member in ["multiValued", "required"] {
        assert!(attribute[member].is_boolean(), "{member}: {attribute}");
    }
    let parts = attribute.get("subAttributes").and_then(Value::as_array);
    assert_eq!(parts.is_some(), attribute["type"] == "complex", "{attribute}");
    parts.into_iter().flatten().for_each(is_described);
}

#[test]
fn s182_schemas_are_complete_and_hold_no_null() {
    let app = TestApp::start();
    let schemas = app.get("/Schemas").expect(200).json();
    for document in [
        &schemas,
        &app.get("/ResourceTypes").expect(200).json(),
        &app.get("/ServiceProviderConfig").expect(200).json(),
    ] {
        assert!(!holds_null(document), "{document}");
    }
    for schema in schemas["Resources"].as_array().unwrap() {
        schema["attributes"].as_array().unwrap().iter().for_each(is_described);
        // One by one they are the same.
        let path = format!("/Schemas/{}", schema["id"].as_str().unwrap());
        assert_eq!(&app.get(&path).expect(200).json(), schema);
    }
}

#[test]
fn s182_what_a_person_can_hold_is_described() {
    let app = TestApp::start();
    let full = json!({
        "schemas": [USER, ENTERPRISE], "userName": "ada", "displayName": "Ada", "nickName": "A", "profileUrl": "https://acme.test/ada", "title": "CTO",
        "userType": "Employee", "preferredLanguage": "en", "locale": "en-US", "timezone": "Europe/Oslo", "active": true,
        "name": { "formatted": "Ada", "givenName": "Ada", "familyName": "Byron", "middleName": "K", "honorificPrefix": "Dr", "honorificSuffix": "II" },
        "emails": [{ "value": "a@b.test", "type": "work" }], "phoneNumbers": [{ "value": "1" }], "ims": [{ "value": "x" }],
        "photos": [{ "value": "https://acme.test/p" }], "addresses": [{ "type": "work", "country": "NO" }], "entitlements": [{ "value": "e" }],
        "roles": [{ "value": "r" }], "x509Certificates": [{ "value": "MIIB" }],
        ENTERPRISE: { "employeeNumber": "1", "costCenter": "2", "organization": "3", "division": "4", "department": "5", "manager": { "value": "x" } }
    });
    let made = app.post("/Users", &full).expect(201).json();
    let names = |urn: &str| -> BTreeSet<String> {
        let schema = app.get(&format!("/Schemas/{urn}")).expect(200).json();
        let attributes = schema["attributes"].as_array().unwrap().clone();
        attributes.iter().map(|attribute| attribute["name"].as_str().unwrap().to_owned()).collect()
    };
    let common = ["schemas", "id", "externalId", "meta", ENTERPRISE];
    let core = names(USER);
    for (name, value) in made.as_object().unwrap().iter().filter(|(name, _)| !common.contains(&name.as_str()))
    {
        assert!(core.contains(name), "{name} is not in /Schemas");
        assert_eq!(value, &full[name], "{name} comes back as it was sent");
    }
    let extension: BTreeSet<String> = made[ENTERPRISE].as_object().unwrap().keys().cloned().collect();
    assert_eq!(extension, names(ENTERPRISE));
    // Nothing that was sent got lost.
    for name in full.as_object().unwrap().keys() {
        assert!(made.get(name).is_some(), "{name} was dropped");
    }
}

#[test]
fn s180_only_what_the_scopes_reach_is_described() {
    let app = TestApp::start();
    let ids = |client: &Client, path: &str| -> Vec<String> {
        let list = client.get(path).expect(200).json();
        let found = list["Resources"].as_array().unwrap();
        assert_eq!(list["totalResults"], found.len());
        found.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let people: [&[&str]; 2] = [&["User"], &[USER, ENTERPRISE, PSA]];
    let groups: [&[&str]; 2] = [&["Group"], &[GROUP]];
    let all: [&[&str]; 2] = [&["User", "Group"], &[USER, ENTERPRISE, PSA, GROUP]];
    let own = ["UserType", "CostCenter", "EmploymentTemplate", "Company", "Client", "LicensePool"];
    let schemas = own.map(|name| format!("urn:rosterd:scim:schemas:core:1.0:{name}"));
    let schemas = schemas.each_ref().map(String::as_str);
    let firm: [&[&str]; 2] = [&own, &schemas];
    for (scopes, kinds) in [
        (&["users:read"][..], people),
        (&["users:write", "bulk"], people),
        (&["groups:read"], groups),
        (&["groups:write"], groups),
        (&["users:read", "groups:write"], all),
        (&["kinds:read", "financials", "audit"], firm),
        (&["financials", "audit"], [&[], &[]]),
        // An IdP's.
        (&[], all),
    ] {
        let (client, token) = app.issue(FIRST_TENANT, FIRST_CONNECTION, scopes);
        for (path, reached, whole) in [("/ResourceTypes", kinds[0], all[0]), ("/Schemas", kinds[1], all[1])] {
            assert_eq!(ids(&client, path), reached, "{path} with {scopes:?}");
            for one in whole {
                let answer = client.get(&format!("{path}/{one}"));
                let wanted = if reached.contains(one) { 200 } else { 404 };
                assert_eq!(answer.status, wanted, "{path}/{one} with {scopes:?}");
                // Like one that does not exist.
                if wanted == 404 {
                    assert_eq!(
                        answer.essence(),
                        client.get(&format!("{path}/{}", one.replace('r', "x"))).essence()
                    );
                }
            }
        }
        app.operate(Command::TokenRevoke { id: token });
    }
}

#[test]
fn the_flat_psa_extension_is_there_for_every_connection_and_is_kept_as_it_was_sent() {
    let app = TestApp::start();
    for client in [&*app, &app.strict()] {
        let types = client.get("/ResourceTypes/User").expect(200).json();
        assert_eq!(types["schemaExtensions"][1], json!({ "schema": PSA, "required": false }));
        let flat = json!({
            "kind": "subcontractor", "employmentTemplate": "Norway 37.5", "license": "Standard", "primaryUserType": "Consultant",
            "costCenter": "CC-100", "activateOn": "2026-03-01", "deactivateOn": "whenever"
        });
        let people = client.get("/Users").expect(200).json()["totalResults"].clone();
        let mut body = user(&format!("ada-{people}"));
        body["schemas"] = json!([USER, PSA]);
        body[PSA] = flat.clone();
        let made = client.post("/Users", &body).expect(201).json();
        assert_eq!((&made["schemas"], &made[PSA]), (&json!([USER, PSA]), &flat));
        let path = format!("/Users/{}", made["id"].as_str().unwrap());
        let changed = client.patch(&path, &replace(&format!("{PSA}:License"), "Light")).expect(200).json();
        assert_eq!(changed[PSA]["license"], "Light");
        let found = client.find("/Users", &format!("{PSA}:license eq \"light\"")).expect(200).json();
        assert_eq!(found["Resources"][0]["id"], made["id"]);
        let cleared = client
            .patch(
                &path,
                &json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "remove", "path": PSA }] }),
            )
            .expect(200)
            .json();
        assert_eq!((&cleared["schemas"], cleared.get(PSA)), (&json!([USER]), None));
    }
}

/// Flattens the schemas as the validator of Entra does: `urn:…:User:department`, `name.givenName`, `emails.value`, folded.
fn flattened(schemas: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for schema in schemas["Resources"].as_array().unwrap() {
        let id = schema["id"].as_str().unwrap();
        for attribute in schema["attributes"].as_array().unwrap() {
            let name = attribute["name"].as_str().unwrap();
            let full = if id == USER || id == GROUP { name.to_owned() } else { format!("{id}:{name}") };
            for part in attribute["subAttributes"].as_array().into_iter().flatten() {
                names.insert(format!("{full}.{}", part["name"].as_str().unwrap()).to_lowercase());
            }
            names.insert(full.to_lowercase());
        }
    }
    names
}

#[test]
fn d_e18_every_mapped_attribute_is_found_in_the_flattened_schemas() {
    let app = TestApp::start();
    let acme = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";
    let document = json!({ "id": acme, "attributes": [{ "name": "CostCenterCode" }] }).to_string();
    let command = Command::SchemaAdd { tenant: "main".into(), document, connections: vec!["idp".into()] };
    app.operate(command);
    let schemas = app.get("/Schemas").expect(200).json();
    assert!(!holds_null(&schemas));
    assert_eq!(schemas["totalResults"], schemas["Resources"].as_array().unwrap().len());
    let ids: Vec<&str> = schemas["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|schema| schema["id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&GROUP), "without the schema of groups all their tests fail");
    let names = flattened(&schemas);
    // What Entra maps by default, and one of our own; filters and types are left out of the paths.
    let mapped = [
        "userName",
        "active",
        "displayName",
        "title",
        "emails.value",
        "emails.type",
        "preferredLanguage",
        "name.givenName",
        "name.familyName",
        "name.formatted",
        "addresses.formatted",
        "addresses.streetAddress",
        "addresses.locality",
        "addresses.region",
        "addresses.postalCode",
        "addresses.country",
        "phoneNumbers.value",
        "phoneNumbers.type",
        "nickName",
        "userType",
        "locale",
        "timezone",
        "profileUrl",
        "roles.value",
        "members.value",
        "members",
    ];
    let extended = [
        "employeeNumber",
        "department",
        "organization",
        "division",
        "costCenter",
        "manager",
        "manager.value",
    ]
    .map(|name| format!("{ENTERPRISE}:{name}"));
    let own = [format!("{PSA}:license"), format!("{acme}:costCenterCode")];
    for name in mapped.map(str::to_owned).into_iter().chain(extended).chain(own) {
        assert!(names.contains(&name.to_lowercase()), "{name} is not in /Schemas");
    }
}
