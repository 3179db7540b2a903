//! X14–X18: nobody sees, changes or notices another tenant.

use serde_json::json;

use crate::support::bodies::{ENTERPRISE, add_members, group, replace, user};
use crate::support::world::must_agree;
use crate::support::{Answer, Client, Request, on_every_store};

const MISSING: &str = "0192f0c1-2b3c-7def-8123-456789abcdef";

/// Sends each verb at a resource.
fn every_verb(client: &Client, path: &str, id: &str) -> Vec<Answer> {
    let path = format!("{path}/{id}");
    let name = if path.starts_with("/Users") { "userName" } else { "displayName" };
    vec![
        client.get(&path),
        client.get(&format!("{path}?attributes=id")),
        client.send(&Request::scim("GET", &path).header("If-None-Match", "*")),
        client.put(&path, &json!({ name: "changed" })),
        client.patch(&path, &replace(name, "changed")),
        client.send(&Request::scim("PATCH", &path).header("If-Match", "*").json(&replace(name, "changed"))),
        client.delete(&path),
        client.send(&Request::scim("HEAD", &path)),
    ]
}

// Rows: S195.
#[test]
fn x14_x15_another_tenants_resource_is_answered_like_one_that_does_not_exist() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let crowd = app.post("/Groups", &group("crowd", &[&ada])).expect(201).id();
        let before = must_agree(&app);
        let other = app.tenant("other");

        for (path, id) in [("/Users", &ada), ("/Groups", &crowd), ("/Groups", &ada), ("/Users", &crowd)] {
            let theirs = every_verb(&other, path, id);
            let missing = every_verb(&other, path, MISSING);
            for (theirs, missing) in theirs.iter().zip(&missing) {
                assert_eq!(theirs.essence(), missing.essence(), "{path}/{id}");
                assert_eq!(theirs.status, 404);
            }
        }
        assert_eq!(must_agree(&app), before, "nothing of the first tenant has changed");
        assert_eq!(must_agree(&other).users.len(), 0);
    });
}

#[test]
fn x15_lists_filters_members_and_managers_stay_within_the_tenant() {
    on_every_store(|app| {
        let mut body = user("ada");
        body["externalId"] = "e-1".into();
        body["emails"] = json!([{ "value": "ada@acme.test" }]);
        body["displayName"] = "Ada".into();
        let ada = app.post("/Users", &body).expect(201).id();
        let crowd = app.post("/Groups", &group("crowd", &[&ada])).expect(201).id();
        let other = app.tenant("other");
        for path in ["/Users", "/Groups"] {
            assert_eq!(other.get(path).expect(200).json()["totalResults"], 0);
        }
        for filter in [
            "userName eq \"ada\"",
            "externalId eq \"e-1\"",
            "emails.value eq \"ada@acme.test\"",
            "displayName eq \"Ada\"",
            "active eq true",
            &format!("id eq \"{ada}\""),
        ] {
            assert_eq!(other.find("/Users", filter).expect(200).json()["totalResults"], 0, "{filter}");
        }
        for filter in [
            "displayName eq \"crowd\"",
            &format!("members.value eq \"{ada}\""),
            &format!("id eq \"{crowd}\""),
        ] {
            assert_eq!(other.find("/Groups", filter).expect(200).json()["totalResults"], 0, "{filter}");
        }
        // Somebody else's person is as unknown as nobody: as a member, and as a manager.
        let mine = other.post("/Groups", &group("mine", &[&ada])).expect(201);
        assert_eq!(mine.json()["members"], json!([]));
        let path = format!("/Groups/{}", mine.id());
        let _ = other.patch(&path, &add_members(&[&ada, &crowd])).expect(204);
        assert_eq!(other.get(&path).expect(200).json()["members"], json!([]));
        let manager = replace(&format!("{ENTERPRISE}:manager"), json!({ "value": ada }));
        let bob = other.post("/Users", &user("bob")).expect(201).id();
        let shown = other.patch(&format!("/Users/{bob}"), &manager).expect(200).json();
        assert_eq!(shown[ENTERPRISE]["manager"].get("displayName"), None);
        assert!(!shown.to_string().contains("Ada"));
        // And the other way round: the first tenant's person has no new group.
        let groups = app.get(&format!("/Users/{ada}")).expect(200).json()["groups"].clone();
        assert_eq!(groups.as_array().unwrap().len(), 1);
        must_agree(&app);
        must_agree(&other);
    });
}

#[test]
fn x16_names_and_external_ids_of_another_tenant_are_free() {
    on_every_store(|app| {
        let mut body = user("ada@acme.test");
        body["externalId"] = "e-1".into();
        let _ = app.post("/Users", &body).expect(201);
        let _ = app.post("/Groups", &group("crowd", &[])).expect(201);
        let other = app.tenant("other");
        let theirs = other.post("/Users", &body).expect(201).id();
        let _ = other.post("/Groups", &group("crowd", &[])).expect(201);
        other.post("/Users", &body).refused(409, Some("uniqueness"));
        let _ = other.delete(&format!("/Users/{theirs}")).expect(204);
        app.post("/Users", &body).refused(409, Some("uniqueness"));
    });
}

#[test]
fn x17_x37_the_tenant_and_the_public_url_come_from_neither_host_nor_header_nor_body() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201);
        let other = app.tenant("other");
        let path = format!("/Users/{}", ada.id());
        let plain = app.get(&path).expect(200);
        let missing = other.get(&path).expect(404);
        for (name, value) in [
            ("X-Tenant", "other"),
            ("X-Tenant-Id", "2"),
            ("Tenant", "main"),
            ("X-Forwarded-Host", "other.test"),
            ("X-Forwarded-Proto", "gopher"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Forwarded-Prefix", "/evil"),
            ("X-Forwarded-User", "ada"),
            ("Forwarded", "host=evil.test;proto=http"),
            ("X-Original-URL", "/scim/v2/Groups"),
            ("X-Rewrite-URL", "/scim/v2/Groups"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("Host", "other.test"),
            ("Host", "evil.test:8443"),
            ("Origin", "https://evil.test"),
            ("Referer", "https://evil.test"),
        ] {
            let with = |client: &Client| client.send(&Request::scim("GET", &path).header(name, value));
            assert_eq!(with(&app).essence(), plain.essence(), "{name}: {value}");
            assert_eq!(with(&other).essence(), missing.essence(), "{name}: {value}");
            let made = app.send(
                &Request::scim("POST", "/Users")
                    .header(name, value)
                    .json(&user(&format!("{name}-{}", value.len()))),
            );
            let made = made.expect(201);
            let location = format!("https://roster.test/scim/v2/Users/{}", made.id());
            assert_eq!(made.header("location"), Some(location.as_str()));
            assert_eq!(made.json()["meta"]["location"], location);
        }
        let mut body = user("bob");
        body["tenant"] = "other".into();
        body["tenantId"] = 2.into();
        let _ = app.post("/Users", &body).expect(201);
        assert_eq!(other.get("/Users").expect(200).json()["totalResults"], 0);
    });
}

#[test]
fn x18_only_the_servers_own_id_names_a_resource() {
    on_every_store(|app| {
        let victim = app.post("/Users", &user("victim")).expect(201);
        let id = victim.id();
        for (number, alias) in [id.as_str(), "1", "0", "VICTIM", &id.to_uppercase()].into_iter().enumerate() {
            let mut body = user(&format!("{alias}-{number}"));
            body["externalId"] = alias.into();
            body["id"] = alias.into();
            let made = app.post("/Users", &body).expect(201).id();
            assert_ne!(made, alias);
            let _ = app.delete(&format!("/Users/{made}")).expect(204);
            let named = app.post("/Users", &user(alias));
            // The victim's own name is taken, in any case; every other alias may be a name.
            assert_eq!(named.status, if alias == "VICTIM" { 409 } else { 201 }, "{alias}");
            if named.status == 201 {
                let _ = app.delete(&format!("/Users/{}", named.id())).expect(204);
            }
        }
        let mut body = user("mallory");
        body["externalId"] = "e-7".into();
        let mallory = app.post("/Users", &body).expect(201).id();
        for alias in [
            "e-7",
            "mallory",
            "victim",
            "1",
            "0",
            "me",
            &id.to_uppercase(),
            &id.replace('-', ""),
            &format!("{{{id}}}"),
        ] {
            for answer in every_verb(&app, "/Users", alias) {
                assert_eq!(answer.status, 404, "{alias}");
            }
        }
        assert_eq!(app.get(&format!("/Users/{id}")).expect(200).json(), victim.json());
        let _ = app.get(&format!("/Users/{mallory}")).expect(200);
    });
}
