//! What names what: whatever is named is there, cannot go, and is shown by its name (H03, H04, P12, P14, P15, P17).

use serde_json::{Value, json};

use super::{EXT, hire, local, make, person, psa, thing};
use crate::support::bodies::{patch, replace};
use crate::support::{Client, on_every_store};

/// Everything that a person can name: where it lives, its kind, and what names it.
fn links(id: &str, user_type: &str) -> Vec<(&'static str, &'static str, Value)> {
    match id {
        "" => Vec::new(),
        id => vec![
            ("/UserTypes", "UserType", json!({ "userTypes": [{ "value": id }] })),
            (
                "/CostCenters",
                "CostCenter",
                json!({ "userTypes": [{ "value": user_type, "costCenter": id }] }),
            ),
            (
                "/CostCenters",
                "CostCenter",
                json!({ "overrides": [{ "permission": "users.view", "effect": "grant", "costCenter": id }] }),
            ),
            (
                "/EmploymentTemplates",
                "EmploymentTemplate",
                json!({ "employments": [{ "startDate": "2026-01-01", "template": id }] }),
            ),
            ("/Companies", "Company", json!({ "company": { "value": id } })),
            ("/Clients", "Client", json!({ "kind": "client", "client": { "value": id } })),
            ("/LicensePools", "LicensePool", json!({ "license": { "value": id } })),
        ],
    }
}

#[test]
fn h03_what_is_named_is_there() {
    on_every_store(|app| {
        let admin = local(&app);
        let known = make(&admin, "/UserTypes", &thing("UserType", "Known"));
        for nobody in ["0190b0a0-0000-7000-8000-000000000000", "nobody", &known] {
            for (endpoint, kind, body) in links(nobody, &known) {
                if endpoint == "/UserTypes" && nobody == known {
                    continue;
                }
                let detail = admin.post("/Users", &person("ada", body)).refused(400, Some("invalidValue"));
                assert!(
                    detail.contains(&format!("the id of a {kind}")) && detail.contains(endpoint),
                    "{detail}"
                );
            }
        }
        assert_eq!(admin.get("/Users").expect(200).json()["totalResults"], 0);
        let mut body = thing("UserType", "Boss");
        body["grants"] = json!([{ "permission": "users.view", "level": "all", "costCenter": known }]);
        let detail = admin.post("/UserTypes", &body).refused(400, Some("invalidValue"));
        assert!(detail.contains("grants.costCenter"), "{detail}");
    });
}

#[test]
fn h16_what_is_in_use_stays_and_says_who_uses_it() {
    on_every_store(|app| {
        let admin = local(&app);
        let user_type = make(&admin, "/UserTypes", &thing("UserType", "Known"));
        for number in 0..links("x", "").len() {
            let (endpoint, kind, _) = links("x", "")[number];
            let id = make(&admin, endpoint, &thing(kind, &format!("Used {number}")));
            let (_, _, body) = links(&id, &user_type).remove(number);
            let ada = hire(&admin, &format!("ada-{number}"), body);
            let path = format!("{endpoint}/{id}");
            let detail = admin.delete(&path).refused(409, None);
            assert!(detail.contains(&format!("ada-{number}")) && detail.contains("in use"), "{detail}");
            admin.get(&path).expect(200).json();
            // Renamed it is the same, and is shown by its new name.
            admin.patch(&path, &replace("displayName", format!("New {number}"))).expect(200).json();
            assert_eq!(admin.delete(&ada).status, 204);
            assert_eq!(admin.delete(&path).status, 204, "{kind}: nobody uses it any more");
        }
    });
}

#[test]
fn h16_a_cost_centre_that_a_type_or_another_names_stays() {
    on_every_store(|app| {
        let admin = local(&app);
        let centre = make(&admin, "/CostCenters", &thing("CostCenter", "Firm"));
        let mut child = thing("CostCenter", "North");
        child["parent"] = json!({ "value": centre });
        let child = make(&admin, "/CostCenters", &child);
        let mut boss = thing("UserType", "Boss");
        boss["grants"] = json!([{ "permission": "users.view", "level": "all", "costCenter": centre }]);
        let boss = make(&admin, "/UserTypes", &boss);
        let path = format!("/CostCenters/{centre}");
        assert!(admin.delete(&path).refused(409, None).contains("Boss"));
        assert_eq!(admin.delete(&format!("/UserTypes/{boss}")).status, 204);
        assert!(admin.delete(&path).refused(409, None).contains("North"));
        assert_eq!(admin.delete(&format!("/CostCenters/{child}")).status, 204);
        assert_eq!(admin.delete(&path).status, 204);
    });
}

#[test]
fn h03_what_is_named_is_shown_by_its_name() {
    on_every_store(|app| {
        let admin = local(&app);
        let company = make(&admin, "/Companies", &thing("Company", "Acme"));
        let boss = make(&admin, "/UserTypes", &thing("UserType", "Boss"));
        let ada = hire(
            &admin,
            "ada",
            json!({ "company": { "value": company, "display": "a lie", "$ref": "x" }, "userTypes": [{ "value": boss }] }),
        );
        assert_eq!(
            psa(&admin, &ada, "company"),
            json!({ "value": company, "$ref": format!("../Companies/{company}"), "display": "Acme" })
        );
        assert_eq!(
            psa(&admin, &ada, "userTypes"),
            json!([{ "value": boss, "primary": true, "$ref": format!("../UserTypes/{boss}"), "display": "Boss" }])
        );
        let etag = admin.get(&ada).etag();
        admin.patch(&format!("/Companies/{company}"), &replace("displayName", "Acme Oy")).expect(200).json();
        assert_eq!(psa(&admin, &ada, "company")["display"], "Acme Oy");
        // Who sends back what they read changes nothing.
        let read = admin.get(&ada).expect(200);
        assert_eq!((admin.put(&ada, &read.json()).expect(200).etag(), read.etag()), (etag.clone(), etag));
        let by_name =
            admin.find("/Users", &format!("{EXT}:company.display eq \"acme oy\"")).expect(200).json();
        assert_eq!(by_name["totalResults"], 1);
    });
}

#[test]
fn h16_a_removal_and_a_new_use_at_a_time_leave_nothing_dangling() {
    on_every_store(|app| {
        let admin = local(&app);
        let mut seen = [0, 0];
        for round in 0..30 {
            let id = make(&admin, "/Companies", &thing("Company", &format!("Acme {round}")));
            let ada = hire(&admin, &format!("ada-{round}"), json!({}));
            let (one, other) = (Client::clone(&admin), Client::clone(&admin));
            let (used, removed) = std::thread::scope(|scope| {
                let first = scope.spawn(|| {
                    one.patch(&ada, &replace(&format!("{EXT}:company"), json!({ "value": id }))).status
                });
                let second = scope.spawn(|| other.delete(&format!("/Companies/{id}")).status);
                (first.join().unwrap(), second.join().unwrap())
            });
            match (used, removed) {
                (200, 409) => {
                    seen[0] += 1;
                    assert_eq!(psa(&admin, &ada, "company")["display"], format!("Acme {round}"));
                }
                (400, 204) => {
                    seen[1] += 1;
                    assert_eq!(psa(&admin, &ada, "company"), Value::Null);
                }
                other => panic!("round {round}: {other:?}"),
            }
        }
        assert_eq!(seen[0] + seen[1], 30);
    });
}

#[test]
fn h16_who_lets_go_of_it_does_not_use_it_any_more() {
    on_every_store(|app| {
        let admin = local(&app);
        let company = make(&admin, "/Companies", &thing("Company", "Acme"));
        let ada = hire(&admin, "ada", json!({ "company": { "value": company } }));
        // What an identity provider writes beside it does not let go of it.
        app.adopt();
        app.patch(&ada, &replace("title", "Boss")).expect(200).json();
        admin.delete(&format!("/Companies/{company}")).refused(409, None);
        admin
            .patch(&ada, &patch(&[json!({ "op": "remove", "path": format!("{EXT}:company") })]))
            .expect(200)
            .json();
        assert_eq!(admin.delete(&format!("/Companies/{company}")).status, 204);
    });
}
