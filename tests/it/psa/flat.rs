//! What an identity provider can say of a person's place in the firm by name: the flat extension and what follows from it (section 1 of the
//! domain, "What an `IdP` can reach").

use serde_json::{Value, json};

use super::{EXT, local, make, psa, thing};
use crate::support::bodies::{PSA, USER, patch, replace, user};
use crate::support::{Client, TestApp, on_every_store};

fn flat(name: &str) -> String {
    format!("{PSA}:{name}")
}

/// A person of whom an identity provider says this much.
fn said(name: &str, flat: &Value) -> Value {
    let mut body = user(name);
    body["schemas"] = json!([USER, PSA]);
    body[PSA] = flat.clone();
    body
}

/// What the firm has, each with a display name and an externalId.
struct Firm {
    admin: Client,
    boss: String,
    seller: String,
    north: String,
    full: String,
    pool: String,
}

impl Firm {
    fn new(app: &TestApp) -> Self {
        let admin = local(app);
        let one = |endpoint: &str, kind: &str, name: &str| {
            let mut body = thing(kind, name);
            body["externalId"] = format!("x-{}", name.to_lowercase()).into();
            make(&admin, endpoint, &body)
        };
        Self {
            boss: one("/UserTypes", "UserType", "Boss"),
            seller: one("/UserTypes", "UserType", "Seller"),
            north: one("/CostCenters", "CostCenter", "North"),
            full: one("/EmploymentTemplates", "EmploymentTemplate", "Full"),
            pool: one("/LicensePools", "LicensePool", "Pro"),
            admin,
        }
    }

    fn psa(&self, path: &str, name: &str) -> Value {
        psa(&self.admin, path, name)
    }
}

/// What the history remarks of a person, oldest first.
fn remarks(app: &TestApp, path: &str) -> String {
    let id = rosterd::ids::ResourceId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let snapshot = app.roster().store().snapshot().unwrap();
    let rows =
        snapshot.history_since(rosterd::ids::TenantId::new(1), id, rosterd::store::Seq::ZERO, 100).unwrap();
    let texts = rows.iter().flat_map(|row| [&row.facts, &row.values]);
    texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

#[test]
fn d_e13_what_is_said_by_display_name_takes_effect() {
    on_every_store(|app| {
        let firm = Firm::new(&app);
        for (number, case) in [
            str::to_owned as fn(&str) -> String,
            |name: &str| format!("x-{}", name.to_lowercase()),
            str::to_uppercase,
        ]
        .into_iter()
        .enumerate()
        {
            let names = json!({
                "kind": "Freelancer", "primaryUserType": case("Boss"), "costCenter": case("North"), "license": case("Pro"), "employmentTemplate": case("Full"),
                "activateOn": "2026-01-01", "deactivateOn": "2026-12-31",
            });
            if number == 2 {
                // Display names in any case; an externalId is exact.
                assert_eq!(names["license"], "PRO");
            }
            let name = format!("ada-{number}");
            let made = app.post("/Users", &said(&name, &names)).expect(201);
            assert_eq!(made.json()[PSA], names, "shown as it was sent");
            let ada = format!("/Users/{}", made.id());
            assert_eq!(firm.psa(&ada, "kind"), "freelancer");
            let types = firm.psa(&ada, "userTypes");
            assert_eq!(
                (&types[0]["value"], &types[0]["costCenter"], &types[0]["primary"]),
                (&json!(firm.boss), &json!(firm.north), &json!(true))
            );
            assert_eq!(firm.psa(&ada, "license")["value"], json!(firm.pool));
            assert_eq!(
                firm.psa(&ada, "employments"),
                json!([{ "startDate": "2026-03-01", "template": firm.full, "current": true }])
            );
            assert_eq!(
                firm.psa(&ada, "schedule"),
                json!({ "activateOn": "2026-01-01", "deactivateOn": "2026-12-31" })
            );
            assert_eq!(app.get(&ada).expect(200).json().get(EXT), None);
        }
        assert_eq!(firm.admin.get(&format!("/LicensePools/{}", firm.pool)).expect(200).json()["used"], 3);
    });
}

#[test]
fn d_e13_what_names_nothing_changes_nothing_and_the_history_says_so() {
    on_every_store(|app| {
        let firm = Firm::new(&app);
        for (name, wrong) in [
            ("kind", "robot"),
            ("kind", "client"),
            ("primaryUserType", "Emperor"),
            ("license", "x-PRO"),
            ("employmentTemplate", "Never"),
            ("costCenter", "North"),
            ("activateOn", "tomorrow"),
            ("deactivateOn", "2026-02-30"),
        ] {
            let body = said(&format!("{name}-{wrong}"), &json!({ name: wrong }));
            let made = app.post("/Users", &body).expect(201);
            assert_eq!(made.json()[PSA][name], wrong, "kept as it was sent");
            let path = format!("/Users/{}", made.id());
            let told = remarks(&app, &path);
            assert!(
                told.contains("nothing follows from it") && told.contains(name),
                "{name} {wrong}: {told}"
            );
            for target in ["userTypes", "license", "employments", "schedule"] {
                assert_eq!(firm.psa(&path, target), Value::Null, "{name} {wrong}");
            }
            assert_eq!(firm.psa(&path, "kind"), "employee");
            // The nightly sync stays green, and says nothing new.
            let etag = app.get(&path).etag();
            assert_eq!(app.put(&path, &body).expect(200).etag(), etag, "{name} {wrong}");
            assert_eq!(
                app.patch(&path, &replace(&flat(name), wrong)).expect(200).etag(),
                etag,
                "{name} {wrong}"
            );
        }
        // Known later, it takes effect when it is said again with something else.
        let late =
            app.post("/Users", &said("late", &json!({ "primaryUserType": "Emperor" }))).expect(201).id();
        let late = format!("/Users/{late}");
        let emperor = make(&firm.admin, "/UserTypes", &thing("UserType", "Emperor"));
        app.patch(&late, &replace("title", "Emperor")).expect(200).json();
        assert_eq!(firm.psa(&late, "userTypes")[0]["value"], json!(emperor));
    });
}

#[test]
fn d_e13_what_changes_is_followed_and_what_is_cleared_is_taken_back() {
    on_every_store(|app| {
        let firm = Firm::new(&app);
        let names = json!({ "primaryUserType": "Boss", "costCenter": "North", "license": "Pro", "activateOn": "2026-01-01", "deactivateOn": "2026-12-31" });
        let ada = format!("/Users/{}", app.post("/Users", &said("ada", &names)).expect(201).id());
        app.patch(&ada, &replace(&flat("primaryUserType"), "Seller")).expect(200).json();
        let types = firm.psa(&ada, "userTypes");
        assert_eq!(
            (types.as_array().unwrap().len(), &types[0]["value"], &types[0]["costCenter"]),
            (1, &json!(firm.seller), &json!(firm.north))
        );
        let remove = |name: &str| patch(&[json!({ "op": "remove", "path": flat(name) })]);
        app.patch(&ada, &remove("costCenter")).expect(200).json();
        assert_eq!(firm.psa(&ada, "userTypes")[0]["costCenter"], Value::Null);
        app.patch(&ada, &remove("license")).expect(200).json();
        assert_eq!(firm.psa(&ada, "license"), Value::Null);
        assert_eq!(firm.admin.get(&format!("/LicensePools/{}", firm.pool)).expect(200).json()["used"], 0);
        app.patch(&ada, &remove("deactivateOn")).expect(200).json();
        assert_eq!(firm.psa(&ada, "schedule"), json!({ "activateOn": "2026-01-01" }));
        // A PUT that says nothing of it takes all of it back.
        app.put(&ada, &user("ada")).expect(200).json();
        for name in ["userTypes", "schedule", "license"] {
            assert_eq!(firm.psa(&ada, name), Value::Null, "{name}");
        }
    });
}

#[test]
fn d_e13_an_employment_begins_when_another_template_is_named() {
    on_every_store(|app| {
        let firm = Firm::new(&app);
        let half = make(&firm.admin, "/EmploymentTemplates", &thing("EmploymentTemplate", "Half"));
        let ada = format!(
            "/Users/{}",
            app.post("/Users", &said("ada", &json!({ "employmentTemplate": "Full" }))).expect(201).id()
        );
        app.clock().advance(20 * 24 * 3600);
        app.patch(&ada, &replace(&flat("employmentTemplate"), "Half")).expect(200).json();
        assert_eq!(
            firm.psa(&ada, "employments"),
            json!([
                { "startDate": "2026-03-01", "endDate": "2026-03-20", "template": firm.full, "current": false },
                { "startDate": "2026-03-21", "template": half, "current": true },
            ])
        );
    });
}

#[test]
fn d_e13_what_an_administrator_has_decided_stays() {
    on_every_store(|app| {
        let firm = Firm::new(&app);
        let names = json!({ "primaryUserType": "Boss", "license": "Pro" });
        let ada = format!("/Users/{}", app.post("/Users", &said("ada", &names)).expect(201).id());
        let path = format!("{EXT}:userTypes");
        firm.admin
            .patch(&ada, &replace(&path, json!([{ "value": firm.seller, "primary": true }])))
            .expect(200)
            .json();
        app.patch(&ada, &replace(&flat("primaryUserType"), "x-boss")).expect(200).json();
        assert_eq!(firm.psa(&ada, "userTypes")[0]["value"], json!(firm.seller));
        assert!(remarks(&app, &ada).contains("an administrator has decided it"));
        // Nor is it taken back.
        app.put(&ada, &said("ada", &json!({ "license": "Pro" }))).expect(200).json();
        assert_eq!(firm.psa(&ada, "userTypes")[0]["value"], json!(firm.seller));
        // What the administrator gives up is the identity provider's again.
        firm.admin.patch(&ada, &patch(&[json!({ "op": "remove", "path": path })])).expect(200).json();
        app.patch(&ada, &replace(&flat("primaryUserType"), "Boss")).expect(200).json();
        assert_eq!(firm.psa(&ada, "userTypes")[0]["value"], json!(firm.boss));
    });
}

#[test]
fn d_e13_a_schedule_that_is_said_by_name_keeps_people_out() {
    on_every_store(|app| {
        let firm = Firm::new(&app);
        let made = app.post("/Users", &said("ada", &json!({ "activateOn": "2026-04-01" }))).expect(201);
        assert_eq!(made.json()["active"], false);
        let ada = format!("/Users/{}", made.id());
        assert_eq!(firm.psa(&ada, "lifecycle")["locks"], json!(["schedule"]));
        app.patch(&ada, &replace(&flat("activateOn"), "2026-02-01")).expect(200).json();
        assert_eq!(app.get(&ada).expect(200).json()["active"], true);
    });
}

#[test]
fn d_e13_the_schema_says_what_follows_from_it() {
    on_every_store(|app| {
        let schema = app.get(&format!("/Schemas/{PSA}")).expect(200).json();
        let text = schema["description"].as_str().unwrap();
        assert!(text.contains("takes effect") && !text.contains("nothing follows from it yet"), "{text}");
    });
}
