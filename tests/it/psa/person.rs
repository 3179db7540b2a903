//! The PSA extension of a person (H01, H04, H07, H09, P07, P09, P10, P12, P13, P14, P15, P16, P18).

use serde_json::{Value, json};

use super::{EXT, hire, local, make, person, psa, thing};
use crate::support::bodies::{patch, replace, user};
use crate::support::{TestApp, on_every_store};

fn ext(name: &str) -> String {
    format!("{EXT}:{name}")
}

fn remove(path: &str) -> Value {
    patch(&[json!({ "op": "remove", "path": path })])
}

#[test]
fn h01_a_person_is_an_employee_or_a_freelancer_and_stays_that() {
    on_every_store(|app| {
        let admin = local(&app);
        let ada = hire(&admin, "ada", json!({}));
        assert_eq!(psa(&admin, &ada, "kind"), "employee", "who is nothing else is an employee");
        let bob = hire(&admin, "bob", json!({ "kind": "freelancer" }));
        assert_eq!(psa(&admin, &bob, "kind"), "freelancer");
        let detail = admin.patch(&bob, &replace(&ext("kind"), "employee")).refused(400, Some("mutability"));
        assert!(detail.contains("freelancer"), "{detail}");
        admin.put(&bob, &person("bob", json!({ "kind": "employee" }))).refused(400, Some("mutability"));
        // Leaving it out, or taking it away, does not change it either.
        admin.put(&bob, &user("bob")).expect(200).json();
        admin.patch(&bob, &remove(&ext("kind"))).expect(200).json();
        admin.patch(&bob, &remove(EXT)).expect(200).json();
        assert_eq!(psa(&admin, &bob, "kind"), "freelancer");
        // Who was added as nothing else is an employee for good.
        admin.patch(&ada, &replace(&ext("kind"), "freelancer")).refused(400, Some("mutability"));
        // Whom an identity provider made is one until somebody says otherwise; to repeat what is shown says nothing.
        let eve = format!("/Users/{}", app.post("/Users", &user("eve")).expect(201).id());
        let etag = admin.get(&eve).etag();
        assert_eq!(psa(&admin, &eve, "kind"), "employee");
        assert_eq!(admin.patch(&eve, &replace(&ext("kind"), "employee")).expect(200).etag(), etag);
        admin.patch(&eve, &replace(&ext("kind"), "FREELANCER")).expect(200).json();
        assert_eq!(psa(&admin, &eve, "kind"), "freelancer", "as the schema spells it");
        admin.patch(&eve, &replace(&ext("kind"), "employee")).refused(400, Some("mutability"));
        admin
            .post("/Users", &person("mallory", json!({ "kind": "robot" })))
            .refused(400, Some("invalidValue"));
        let company = make(&admin, "/Companies", &thing("Company", "Acme"));
        admin.patch(&ada, &replace(&ext("company"), json!({ "value": company }))).expect(200).json();
        let found =
            admin.find("/Users", &format!("{}.value eq \"{company}\"", ext("company"))).expect(200).json();
        assert_eq!(found["totalResults"], 1);
        let found = admin.find("/Users", &format!("{} eq \"employee\"", ext("kind"))).expect(200).json();
        assert_eq!(found["totalResults"], 1);
    });
}

#[test]
fn p12_a_client_belongs_to_a_customer_and_nobody_becomes_one_or_ceases_to_be() {
    on_every_store(|app| {
        let admin = local(&app);
        let client = make(&admin, "/Clients", &thing("Client", "Customer"));
        let other = make(&admin, "/Clients", &thing("Client", "Other"));
        let link = |id: &str| json!({ "value": id });
        let detail = admin
            .post("/Users", &person("ada", json!({ "kind": "client" })))
            .refused(400, Some("invalidValue"));
        assert!(detail.contains("client"), "{detail}");
        for kind in ["employee", "freelancer"] {
            let detail = admin
                .post("/Users", &person("ada", json!({ "kind": kind, "client": link(&client) })))
                .refused(400, Some("invalidValue"));
            assert!(detail.contains(kind), "{detail}");
        }
        admin
            .post("/Users", &person("ada", json!({ "client": link(&client) })))
            .refused(400, Some("invalidValue"));
        let ada = hire(&admin, "ada", json!({ "kind": "client", "client": link(&client) }));
        admin.patch(&ada, &remove(&ext("client"))).refused(400, Some("invalidValue"));
        admin.put(&ada, &user("ada")).refused(400, Some("invalidValue"));
        admin.patch(&ada, &replace(&ext("kind"), "employee")).refused(400, Some("mutability"));
        admin.patch(&ada, &replace(&ext("client"), link(&other))).expect(200).json();
        assert_eq!(psa(&admin, &ada, "client")["display"], "Other");
        let bob = hire(&admin, "bob", json!({ "kind": "employee" }));
        let convert = json!({ EXT: { "kind": "client", "client": link(&client) } });
        let whole = patch(&[json!({ "op": "replace", "value": convert })]);
        admin.patch(&bob, &whole).refused(400, Some("mutability"));
        assert_eq!(psa(&admin, &bob, "client"), Value::Null);
    });
}

#[test]
fn h04_an_employment_begins_on_a_day_under_a_template() {
    on_every_store(|app| {
        let admin = local(&app);
        let full = make(&admin, "/EmploymentTemplates", &thing("EmploymentTemplate", "Full time"));
        let half = make(&admin, "/EmploymentTemplates", &thing("EmploymentTemplate", "Half time"));
        let ada = hire(
            &admin,
            "ada",
            json!({ "employments": [
                { "startDate": "2026-04-01", "template": half, "hourBalanceDisabled": true },
                { "startDate": "2025-01-01", "template": full, "overtimeBalanceStartDate": "2025-02-01" },
            ]}),
        );
        assert_eq!(
            psa(&admin, &ada, "employments"),
            json!([
                { "startDate": "2025-01-01", "endDate": "2026-03-31", "template": full, "overtimeBalanceStartDate": "2025-02-01", "current": true },
                { "startDate": "2026-04-01", "template": half, "hourBalanceDisabled": true, "current": false },
            ])
        );
        for wrong in [
            json!([{ "template": full }]),
            json!([{ "startDate": "1.4.2026", "template": full }]),
            json!([{ "startDate": "2026-02-30" }]),
            json!([{ "startDate": "2026-02-01", "overtimeBalanceStartDate": "soon" }]),
        ] {
            admin.patch(&ada, &replace(&ext("employments"), wrong)).refused(400, Some("invalidValue"));
        }
        let found = admin
            .find("/Users", &format!("{}[template eq \"{full}\" and current eq true]", ext("employments")))
            .expect(200)
            .json();
        assert_eq!(found["totalResults"], 1);
    });
}

#[test]
fn h07_a_person_has_one_number_in_each_other_program() {
    on_every_store(|app| {
        let admin = local(&app);
        let ada = hire(&admin, "ada", json!({ "integrations": [{ "system": "payroll", "id": "0042" }] }));
        let bank = json!([{ "system": "bank", "id": "FI21 1234" }]);
        let add = patch(&[json!({ "op": "add", "path": ext("integrations"), "value": bank })]);
        admin.patch(&ada, &add).expect(200).json();
        assert_eq!(
            psa(&admin, &ada, "integrations"),
            json!([{ "system": "payroll", "id": "0042" }, { "system": "bank", "id": "FI21 1234" }])
        );
        let twice = patch(&[
            json!({ "op": "add", "path": ext("integrations"), "value": [{ "system": "payroll", "id": "0043" }] }),
        ]);
        let detail = admin.patch(&ada, &twice).refused(400, Some("invalidValue"));
        assert!(detail.contains("system"), "{detail}");
        admin
            .patch(&ada, &replace(&ext("integrations[system eq \"payroll\"].id"), "0043"))
            .expect(200)
            .json();
        let found = admin
            .find("/Users", &format!("{}[system eq \"payroll\" and id eq \"0043\"]", ext("integrations")))
            .expect(200)
            .json();
        assert_eq!(found["totalResults"], 1);
    });
}

#[test]
fn h09_the_card_says_who_made_it_who_changed_it_and_when_they_were_let_in() {
    on_every_store(|app| {
        let (admin, admin_id) = app.issue("main", "local", &super::BLIND);
        let (idp, idp_id) = app.issue("main", "idp", &[]);
        let ada = format!("/Users/{}", idp.post("/Users", &user("ada")).expect(201).id());
        let card = || admin.get(&ada).expect(200).json()[EXT]["lifecycle"].clone();
        let made = card();
        assert_eq!(
            (&made["state"], &made["createdBy"], &made["modifiedBy"]),
            (&json!("active"), &json!(format!("token:{idp_id}")), &json!(format!("token:{idp_id}")))
        );
        assert_eq!((&made["everSignedIn"], &made["lockedAt"]), (&json!(false), &Value::Null));
        let created = admin.get(&ada).expect(200).json()["meta"]["created"].clone();
        assert_eq!(made["activatedAt"], created);
        app.clock().advance(3600);
        admin.patch(&ada, &replace("active", false)).expect(200).json();
        let locked = card();
        assert_eq!((&locked["state"], &locked["locks"]), (&json!("locked"), &json!(["admin"])));
        assert_eq!(
            (&locked["createdBy"], &locked["modifiedBy"]),
            (&json!(format!("token:{idp_id}")), &json!(format!("token:{admin_id}")))
        );
        assert!(locked["lockedAt"].as_str() > created.as_str(), "{locked}");
        app.clock().advance(3600);
        admin.patch(&ada, &replace("active", true)).expect(200).json();
        let open = card();
        assert_eq!(
            (&open["state"], &open["locks"], &open["lockedAt"]),
            (&json!("active"), &Value::Null, &Value::Null)
        );
        assert!(open["activatedAt"].as_str() > locked["lockedAt"].as_str(), "{open}");
        let found =
            admin.find("/Users", &format!("{} eq \"active\"", ext("lifecycle.state"))).expect(200).json();
        assert_eq!(found["totalResults"], 1);
        // Nobody writes it.
        admin.patch(&ada, &replace(&ext("lifecycle.createdBy"), "me")).expect(200).json();
        assert_eq!(card()["createdBy"], format!("token:{idp_id}"));
    });
}

#[test]
fn p09_the_display_name_is_filled_in_from_the_parts_unless_overridden() {
    on_every_store(|app| {
        let admin = local(&app);
        let mut body = user("ada");
        body["name"] = json!({ "givenName": "Ada", "middleName": "King", "familyName": "Lovelace" });
        let ada = format!("/Users/{}", admin.post("/Users", &body).expect(201).id());
        let shown = || admin.get(&ada).expect(200).json()["displayName"].clone();
        assert_eq!(shown(), "Ada King Lovelace");
        admin.patch(&ada, &replace("name.middleName", "Byron")).expect(200).json();
        assert_eq!(shown(), "Ada Byron Lovelace");
        let etag = admin.get(&ada).etag();
        body["name"]["middleName"] = "Byron".into();
        assert_eq!(admin.put(&ada, &body).expect(200).etag(), etag, "left out, it is what it was");
        admin.patch(&ada, &replace("displayName", "The Countess")).expect(200).json();
        admin.patch(&ada, &replace("name.familyName", "Noel")).expect(200).json();
        assert_eq!(shown(), "The Countess", "what somebody chose stays");
        admin.patch(&ada, &remove("displayName")).expect(200).json();
        assert_eq!(shown(), "Ada Byron Noel", "given up, it is filled in again");
        let mut bob = user("bob");
        bob["name"] = json!({ "givenName": "Bob", "familyName": "" });
        assert_eq!(admin.post("/Users", &bob).expect(201).json()["displayName"], "Bob");
        // What an identity provider sends stays as it was sent.
        let mut eve = user("eve");
        eve["name"] = json!({ "givenName": "Eve", "familyName": "Moneypenny" });
        let eve = app.post("/Users", &eve).expect(201);
        assert_eq!(eve.json().get("displayName"), None);
        let path = format!("/Users/{}", eve.id());
        admin.patch(&path, &replace("title", "Boss")).expect(200).json();
        assert_eq!(app.get(&path).expect(200).json().get("displayName"), None);
    });
}

#[test]
fn p10_a_person_has_an_employee_number_and_an_address_to_sign_in_with() {
    on_every_store(|app| {
        let admin = local(&app);
        let enterprise = crate::support::bodies::ENTERPRISE;
        let mut body = user("ada@acme.test");
        body[enterprise] = json!({ "employeeNumber": "1815" });
        body["emails"] = json!([{ "value": "ada@acme.test", "type": "work", "primary": true }]);
        let ada = format!("/Users/{}", admin.post("/Users", &body).expect(201).id());
        assert_eq!(admin.get(&ada).expect(200).json()[enterprise]["employeeNumber"], "1815");
        let found =
            admin.find("/Users", &format!("{enterprise}:employeeNumber eq \"1815\"")).expect(200).json();
        assert_eq!(found["totalResults"], 1);
        admin.post("/Users", &user("ADA@acme.test")).refused(409, Some("uniqueness"));
    });
}

#[test]
fn p13_what_is_current_follows_the_zone_of_the_person_else_of_the_company() {
    on_every_store(|app| {
        let admin = local(&app);
        let mut acme = thing("Company", "Acme");
        acme["timeZone"] = "Pacific/Kiritimati".into();
        let acme = make(&admin, "/Companies", &acme);
        // It is 2026-03-01 08:00 in UTC, 22:00 on Kiritimati, and the evening before west of the date line is over.
        app.clock().advance(2 * 3600 + 60);
        let ada = hire(
            &admin,
            "ada",
            json!({ "employments": [{ "startDate": "2026-02-28" }, { "startDate": "2026-03-01" }, { "startDate": "2026-03-02" }] }),
        );
        let current = || {
            let all = psa(&admin, &ada, "employments");
            let found: Vec<Value> = all
                .as_array()
                .unwrap()
                .iter()
                .filter(|one| one["current"] == true)
                .map(|one| one["startDate"].clone())
                .collect();
            found
        };
        assert_eq!(current(), ["2026-03-01"]);
        admin.patch(&ada, &replace(&ext("company"), json!({ "value": acme }))).expect(200).json();
        assert_eq!(current(), ["2026-03-02"], "where the company is, it is the next day");
        admin.patch(&ada, &replace("timezone", "Pacific/Pago_Pago")).expect(200).json();
        assert_eq!(current(), ["2026-02-28"], "where the person is, it is the day before");
        admin.patch(&ada, &remove("timezone")).expect(200).json();
        assert_eq!(current(), ["2026-03-02"]);
    });
}

#[test]
fn p14_one_user_type_is_the_primary_one_and_the_rest_add_to_it() {
    on_every_store(|app| {
        let admin = local(&app);
        let types: Vec<String> = ["Boss", "Seller", "Coder"]
            .iter()
            .map(|name| make(&admin, "/UserTypes", &thing("UserType", name)))
            .collect();
        let of = |primary: &[(usize, Value)]| -> Value {
            primary
                .iter()
                .map(|(number, primary)| json!({ "value": types[*number], "primary": primary }))
                .collect()
        };
        let ada = hire(&admin, "ada", json!({ "userTypes": [{ "value": types[0] }] }));
        let primary = || {
            let all = psa(&admin, &ada, "userTypes");
            let found: Vec<Value> = all
                .as_array()
                .unwrap()
                .iter()
                .filter(|one| one["primary"] == true)
                .map(|one| one["display"].clone())
                .collect();
            assert_eq!(found.len(), 1, "{all}");
            (all.as_array().unwrap().len(), found[0].clone())
        };
        assert_eq!(primary(), (1, json!("Boss")), "the only one is the primary one");
        let add =
            patch(&[json!({ "op": "add", "path": ext("userTypes"), "value": [{ "value": types[1] }] })]);
        admin.patch(&ada, &add).expect(200).json();
        assert_eq!(primary(), (2, json!("Boss")));
        admin
            .put(&ada, &person("ada", json!({ "userTypes": [{ "value": types[1] }, { "value": types[0] }] })))
            .expect(200)
            .json();
        assert_eq!(primary(), (2, json!("Boss")), "who was the primary one stays it");
        let detail = admin
            .patch(&ada, &replace(&ext("userTypes"), of(&[(1, json!(false)), (2, json!(false))])))
            .refused(400, Some("invalidValue"));
        assert!(detail.contains("primary"), "{detail}");
        admin
            .put(&ada, &person("ada", json!({ "userTypes": of(&[(0, json!(true)), (1, json!(true))]) })))
            .expect(200)
            .json();
        assert_eq!(primary().0, 2, "of two that are called primary one is");
        admin
            .patch(&ada, &replace(&ext("userTypes"), of(&[(1, json!(true)), (2, json!(false))])))
            .expect(200)
            .json();
        assert_eq!(primary(), (2, json!("Seller")));
        // One that is made the primary one takes it from the other.
        admin
            .patch(&ada, &replace(&ext(&format!("userTypes[value eq \"{}\"].primary", types[2])), true))
            .expect(200)
            .json();
        assert_eq!(primary(), (2, json!("Coder")));
        admin.patch(&ada, &remove(&ext(&format!("userTypes[value eq \"{}\"]", types[2])))).expect(200).json();
        assert_eq!(primary(), (1, json!("Seller")));
        admin.patch(&ada, &remove(&ext("userTypes"))).expect(200).json();
        assert_eq!(psa(&admin, &ada, "userTypes"), Value::Null);
    });
}

#[test]
fn p15_a_user_type_holds_in_one_cost_centre_or_everywhere() {
    on_every_store(|app| {
        let admin = local(&app);
        let boss = make(&admin, "/UserTypes", &thing("UserType", "Boss"));
        let north = make(&admin, "/CostCenters", &thing("CostCenter", "North"));
        let south = make(&admin, "/CostCenters", &thing("CostCenter", "South"));
        let ada = hire(
            &admin,
            "ada",
            json!({ "userTypes": [{ "value": boss, "costCenter": north, "primary": true }, { "value": boss, "costCenter": south }] }),
        );
        assert_eq!(psa(&admin, &ada, "userTypes")[1]["costCenter"], south);
        let twice = json!([{ "value": boss, "costCenter": north, "primary": true }, { "value": boss, "costCenter": north }]);
        admin.patch(&ada, &replace(&ext("userTypes"), twice)).refused(400, Some("invalidValue"));
        let found = admin
            .find("/Users", &format!("{}.costCenter eq \"{south}\"", ext("userTypes")))
            .expect(200)
            .json();
        assert_eq!(found["totalResults"], 1);
        assert!(admin.delete(&format!("/CostCenters/{south}")).refused(409, None).contains("ada"));
    });
}

#[test]
fn p16_an_override_gives_or_takes_one_permission() {
    on_every_store(|app| {
        let admin = local(&app);
        let ada = hire(
            &admin,
            "ada",
            json!({ "overrides": [{ "permission": "users.view", "effect": "grant", "level": "own" }] }),
        );
        assert_eq!(
            psa(&admin, &ada, "overrides"),
            json!([{ "permission": "users.view", "effect": "grant", "level": "own" }])
        );
        for wrong in [
            json!([{ "effect": "grant" }]),
            json!([{ "permission": "users.view" }]),
            json!([{ "permission": "users.view", "effect": "maybe" }]),
            json!([{ "permission": "users.view", "effect": "grant", "level": "everything" }]),
            json!([{ "permission": "users.view", "effect": "grant" }, { "permission": "users.view", "effect": "grant" }]),
        ] {
            admin.patch(&ada, &replace(&ext("overrides"), wrong)).refused(400, Some("invalidValue"));
        }
    });
}

#[test]
fn p18_a_person_is_reached_by_mobile_office_and_other_numbers() {
    on_every_store(|app| {
        let admin = local(&app);
        let mut body = user("ada");
        body["phoneNumbers"] = json!([
            { "value": "tel:+358-40-1", "type": "mobile" }, { "value": "tel:+358-9-2", "type": "work" }, { "value": "tel:+358-9-3", "type": "other" },
        ]);
        let ada = format!("/Users/{}", admin.post("/Users", &body).expect(201).id());
        let numbers = admin.get(&ada).expect(200).json()["phoneNumbers"].clone();
        assert_eq!(numbers.as_array().unwrap().len(), 3);
        let found =
            admin.find("/Users", "phoneNumbers[type eq \"mobile\" and value co \"40-1\"]").expect(200).json();
        assert_eq!(found["totalResults"], 1);
    });
}

#[test]
fn p07_a_proxy_is_somebody_else_for_a_time() {
    on_every_store(|app| {
        let admin = local(&app);
        let bob = hire(&admin, "bob", json!({}));
        let bob = bob.rsplit('/').next().unwrap();
        let ada = hire(
            &admin,
            "ada",
            json!({ "proxies": [{ "value": bob, "from": "2026-03-01", "until": "2026-03-31", "permissions": ["hours.approve"] }] }),
        );
        assert_eq!(psa(&admin, &ada, "proxies")[0]["display"], "bob");
        let own = ada.rsplit('/').next().unwrap();
        for wrong in [
            json!([{ "value": own }]),
            json!([{ "value": bob, "from": "2026-03-02", "until": "2026-03-01" }]),
            json!([{ "value": bob, "from": "today" }]),
            json!([{ "value": "0190b0a0-0000-7000-8000-000000000000" }]),
        ] {
            admin.patch(&ada, &replace(&ext("proxies"), wrong)).refused(400, Some("invalidValue"));
        }
    });
}

#[test]
fn bad_values_of_the_extension_change_nothing() {
    let app = TestApp::start();
    let admin = local(&app);
    let ada = hire(&admin, "ada", json!({}));
    let etag = admin.get(&ada).etag();
    for (name, wrong) in [
        ("schedule", json!({ "activateOn": "tomorrow" })),
        ("schedule", json!({ "activateOn": "2026-03-01", "deactivateOn": "2026-03-01" })),
        ("financialVisibility", json!("everything")),
        ("company", json!("Acme")),
        ("company", json!({ "display": "Acme" })),
        ("userTypes", json!([{}])),
        ("employments", json!([null])),
        ("employments", json!([[]])),
        ("costRates", json!([{ "startDate": "2026-01-01", "amount": "-1", "currency": "EUR" }])),
        ("costRates", json!([{ "startDate": "2026-01-01", "amount": "1e3", "currency": "EUR" }])),
        ("costRates", json!([{ "startDate": "2026-01-01", "amount": "1.00001", "currency": "EUR" }])),
        ("costRates", json!([{ "startDate": "2026-01-01", "currency": "EUR" }])),
    ] {
        let answer = admin.patch(&ada, &replace(&ext(name), wrong.clone()));
        if answer.status == 200 {
            // Nothing within a list is nothing.
            assert_eq!(answer.etag(), etag, "{name} {wrong}: {}", answer.text());
        } else {
            answer.refused(400, Some("invalidValue"));
        }
    }
    assert_eq!(admin.get(&ada).etag(), etag);
}
