//! The firm's own kinds are resources as people are: one engine serves them (H03, H04, H17, P12, P15).

use serde_json::{Value, json};

use super::{EXT, blind, hire, local, make, thing};
use crate::support::bodies::{patch, replace};
use crate::support::{Request, on_every_store};

/// Every kind and where it lives.
const SIX: [(&str, &str); 6] = [
    ("UserType", "/UserTypes"),
    ("CostCenter", "/CostCenters"),
    ("EmploymentTemplate", "/EmploymentTemplates"),
    ("Company", "/Companies"),
    ("Client", "/Clients"),
    ("LicensePool", "/LicensePools"),
];

#[test]
fn h03_each_kind_is_made_read_changed_and_removed() {
    on_every_store(|app| {
        let admin = local(&app);
        for (kind, endpoint) in SIX {
            let made = admin.post(endpoint, &thing(kind, "One")).expect(201);
            let path = format!("{endpoint}/{}", made.id());
            let read = admin.get(&path).expect(200);
            assert_eq!(read.json(), made.json(), "{kind}");
            assert_eq!(read.json()["meta"]["resourceType"], kind);
            assert!(made.header("location").unwrap().ends_with(&path), "{kind}");
            assert_eq!(
                admin.send(&Request::scim("GET", &path).header("If-None-Match", read.etag())).status,
                304
            );
            let renamed = admin.patch(&path, &replace("displayName", "Two")).expect(200);
            assert_eq!(renamed.json()["displayName"], "Two");
            assert_ne!(renamed.etag(), read.etag());
            let stale = Request::scim("PATCH", &path)
                .header("If-Match", read.etag())
                .json(&replace("displayName", "Three"));
            assert_eq!(admin.send(&stale).status, 412, "{kind}");
            let mut whole = thing(kind, "Four");
            whole["externalId"] = "x-4".into();
            assert_eq!(admin.put(&path, &whole).expect(200).json()["externalId"], "x-4");
            let again = admin.put(&path, &whole).expect(200);
            assert_eq!(again.etag(), admin.get(&path).etag(), "what changes nothing writes nothing");
            admin
                .patch(&path, &patch(&[json!({ "op": "remove", "path": "displayName" })]))
                .refused(400, Some("mutability"));
            assert_eq!(admin.delete(&path).status, 204);
            admin.get(&path).refused(404, None);
            admin.delete(&path).refused(404, None);
        }
    });
}

// Rows: S90.
#[test]
fn h03_each_kind_is_filtered_sorted_and_paged() {
    on_every_store(|app| {
        let admin = local(&app);
        for (kind, endpoint) in SIX {
            for name in ["Beta", "alpha", "Gamma"] {
                make(&admin, endpoint, &thing(kind, name));
            }
            let names = |path: &str| -> Vec<String> {
                let list = admin.get(path).expect(200).json();
                let all = list["Resources"].as_array().cloned().unwrap_or_default();
                all.iter().map(|one| one["displayName"].as_str().unwrap().to_owned()).collect()
            };
            assert_eq!(names(endpoint), ["Beta", "alpha", "Gamma"], "{kind}");
            assert_eq!(names(&format!("{endpoint}?filter=displayName%20eq%20%22ALPHA%22")), ["alpha"]);
            assert_eq!(names(&format!("{endpoint}?filter=displayName%20sw%20%22g%22")), ["Gamma"]);
            assert_eq!(
                names(&format!(
                    "{endpoint}?filter=displayName%20co%20%22a%22%20and%20not%20(displayName%20eq%20%22beta%22)"
                )),
                ["alpha", "Gamma"]
            );
            assert_eq!(names(&format!("{endpoint}?sortBy=displayName")), ["alpha", "Beta", "Gamma"]);
            assert_eq!(
                names(&format!("{endpoint}?sortBy=displayName&sortOrder=descending&startIndex=2&count=1")),
                ["Beta"]
            );
            let first = admin.get(&format!("{endpoint}?cursor&count=2")).expect(200).json();
            let next = first["nextCursor"].as_str().expect("a next page");
            assert_eq!(names(&format!("{endpoint}?cursor={next}&count=2")), ["Gamma"]);
            let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "displayName eq \"beta\"", "attributes": ["displayName"] });
            let found = admin.post(&format!("{endpoint}/.search"), &search).expect(200).json();
            assert_eq!(found["totalResults"], 1, "{kind}");
        }
    });
}

#[test]
fn h03_who_does_not_administer_knows_nothing_of_the_firms_kinds() {
    on_every_store(|app| {
        let admin = local(&app);
        let discovered = |client: &crate::support::Client, path: &str| -> Vec<String> {
            let list = client.get(path).expect(200).json();
            list["Resources"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["id"].as_str().unwrap_or_default().to_owned())
                .collect()
        };
        for (kind, endpoint) in SIX {
            let id = make(&admin, endpoint, &thing(kind, "One"));
            app.get(endpoint).refused(403, None);
            app.get(&format!("{endpoint}/{id}")).refused(403, None);
            app.post(endpoint, &thing(kind, "Two")).refused(403, None);
            app.put(&format!("{endpoint}/{id}"), &thing(kind, "Two")).refused(403, None);
            app.patch(&format!("{endpoint}/{id}"), &replace("displayName", "Two")).refused(403, None);
            app.delete(&format!("{endpoint}/{id}")).refused(403, None);
            let schema = format!("urn:rosterd:scim:schemas:core:1.0:{kind}");
            assert!(discovered(&admin, "/ResourceTypes").contains(&kind.to_owned()), "{kind}");
            assert!(!discovered(&app, "/ResourceTypes").contains(&kind.to_owned()), "{kind}");
            assert!(discovered(&admin, "/Schemas").contains(&schema));
            assert!(!discovered(&app, "/Schemas").contains(&schema));
            app.get(&format!("/Schemas/{schema}")).refused(404, None);
            assert_eq!(admin.get(&format!("/Schemas/{schema}")).expect(200).json()["name"], kind);
        }
        assert!(discovered(&admin, "/Schemas").contains(&EXT.to_owned()));
        assert!(!discovered(&app, "/Schemas").contains(&EXT.to_owned()));
        // Who reads them only changes nothing.
        let reader = app.issue("main", "local", &["kinds:read"]).0;
        assert_eq!(reader.get("/Companies").expect(200).json()["totalResults"], 1);
        reader.post("/Companies", &thing("Company", "Two")).refused(403, None);
    });
}

#[test]
fn h03_a_name_is_given_once_in_each_kind() {
    on_every_store(|app| {
        let admin = local(&app);
        for (kind, endpoint) in SIX {
            let one = make(&admin, endpoint, &thing(kind, "Acme"));
            let detail = admin.post(endpoint, &thing(kind, "ACME")).refused(409, Some("uniqueness"));
            assert!(detail.contains("displayName"), "{detail}");
            let two = make(&admin, endpoint, &thing(kind, "Other"));
            admin
                .patch(&format!("{endpoint}/{two}"), &replace("displayName", "acme"))
                .refused(409, Some("uniqueness"));
            // Its own it may spell otherwise; given up, it is free.
            admin.patch(&format!("{endpoint}/{one}"), &replace("displayName", "aCME")).expect(200).json();
            assert_eq!(admin.delete(&format!("{endpoint}/{one}")).status, 204);
            admin.patch(&format!("{endpoint}/{two}"), &replace("displayName", "acme")).expect(200).json();
        }
    });
}

#[test]
fn h04_a_template_expects_no_more_hours_than_a_day_has() {
    on_every_store(|app| {
        let admin = local(&app);
        let template = |hours: Value| {
            let mut body = thing("EmploymentTemplate", "Full time");
            body["hours"] = hours;
            body
        };
        for wrong in [json!({ "monday": 24.5 }), json!({ "sunday": -1 }), json!({ "friday": "x" })] {
            let detail =
                admin.post("/EmploymentTemplates", &template(wrong)).refused(400, Some("invalidValue"));
            assert!(detail.contains("hours"), "{detail}");
        }
        let mut body = template(json!({ "monday": 7.5, "tuesday": 24, "wednesday": 0 }));
        body["overtimeTracked"] = true.into();
        body["country"] = "FI".into();
        let made = admin.post("/EmploymentTemplates", &body).expect(201);
        assert_eq!(made.json()["hours"], json!({ "monday": 7.5, "tuesday": 24, "wednesday": 0 }));
        let path = format!("/EmploymentTemplates/{}", made.id());
        admin.patch(&path, &replace("hours.monday", 25)).refused(400, Some("invalidValue"));
        assert_eq!(admin.patch(&path, &replace("hours.monday", 8)).expect(200).json()["hours"]["monday"], 8);
        admin.patch(&path, &replace("country", "fi")).refused(400, Some("invalidValue"));
    });
}

#[test]
fn h12_a_company_has_a_currency_and_a_time_zone_that_exist() {
    on_every_store(|app| {
        let admin = local(&app);
        for (name, wrong) in [
            ("baseCurrency", "eur"),
            ("baseCurrency", "EURO"),
            ("baseCurrency", "QQQ"),
            ("timeZone", "Mars/Base"),
        ] {
            let mut body = thing("Company", "Acme");
            body[name] = wrong.into();
            let detail = admin.post("/Companies", &body).refused(400, Some("invalidValue"));
            assert!(detail.contains(name), "{detail}");
        }
        let mut body = thing("Company", "Acme");
        body["baseCurrency"] = "EUR".into();
        body["timeZone"] = "Europe/Helsinki".into();
        admin.post("/Companies", &body).expect(201).json();
    });
}

#[test]
fn h17_a_pool_shows_how_many_seats_are_taken() {
    on_every_store(|app| {
        let admin = local(&app);
        let pool = make(&admin, "/LicensePools", &thing("LicensePool", "Professional"));
        let path = format!("/LicensePools/{pool}");
        let used = || admin.get(&path).expect(200).json()["used"].clone();
        assert_eq!(used(), 0);
        let ada = hire(&admin, "ada", json!({ "license": { "value": pool } }));
        let bob = hire(&admin, "bob", json!({ "license": { "value": pool } }));
        assert_eq!(used(), 2);
        assert_eq!(admin.find("/LicensePools", "used gt 1").expect(200).json()["totalResults"], 1);
        admin.patch(&bob, &replace("active", false)).expect(200).json();
        assert_eq!(used(), 1, "who is locked has no seat");
        admin
            .patch(&ada, &patch(&[json!({ "op": "remove", "path": format!("{EXT}:license") })]))
            .expect(200)
            .json();
        assert_eq!(used(), 0);
        admin.patch(&bob, &replace("active", true)).expect(200).json();
        assert_eq!(used(), 1);
        // It is computed: whoever sends it says nothing.
        admin.patch(&path, &replace("used", 7)).expect(200).json();
        assert_eq!(used(), 1);
        // Nor fewer seats than are taken.
        let detail = admin.patch(&path, &replace("seats", 0)).refused(409, None);
        assert!(detail.contains("seats"), "{detail}");
        admin.patch(&path, &replace("seats", 1)).expect(200).json();
        let detail = admin
            .post("/Users", &super::person("eve", json!({ "license": { "value": pool } })))
            .refused(409, None);
        assert!(detail.contains("Professional"), "{detail}");
        for wrong in [json!(-1), json!(1.5), json!("many")] {
            admin.patch(&path, &replace("seats", wrong)).refused(400, Some("invalidValue"));
        }
    });
}

#[test]
fn a03_the_kinds_need_no_right_to_see_money() {
    on_every_store(|app| {
        let admin = blind(&app);
        for (kind, endpoint) in SIX {
            make(&admin, endpoint, &thing(kind, "One"));
        }
    });
}
