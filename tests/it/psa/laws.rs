//! What holds whatever is sent: a PUT of what a GET shows changes nothing, and histories leave no day out and say none twice (H12, S105).

use serde_json::{Value, json};

use super::{EXT, blind, hire, local, make, psa, thing};
use crate::support::bodies::replace;
use crate::support::{Client, Dice, on_every_store};

/// A person of whom a bit of everything is said.
fn somebody(admin: &Client, dice: &mut Dice, number: usize) -> String {
    let mut attributes = json!({});
    let mut maybe = |name: &str, value: Value| {
        if dice.below(2) == 0 {
            attributes[name] = value;
        }
    };
    let name = |what: &str| format!("{what} {number}");
    let company = make(admin, "/Companies", &thing("Company", &name("Acme")));
    let boss = make(admin, "/UserTypes", &thing("UserType", &name("Boss")));
    let coder = make(admin, "/UserTypes", &thing("UserType", &name("Coder")));
    let pool = make(admin, "/LicensePools", &thing("LicensePool", &name("Pro")));
    let rates = json!([{ "startDate": "2026-02-01", "amount": 7.25, "currency": "eur" }, { "startDate": "2025-02-01", "amount": "7.2500", "currency": "EUR" }]);
    maybe("kind", json!("FREELANCER"));
    maybe("company", json!({ "value": company }));
    maybe("userTypes", json!([{ "value": boss }, { "value": coder, "primary": true }]));
    maybe("overrides", json!([{ "permission": "users.view", "effect": "deny" }]));
    maybe("license", json!({ "value": pool }));
    maybe("financialVisibility", json!("hoursOnly"));
    maybe(
        "employments",
        json!([{ "startDate": "2026-05-01" }, { "startDate": "2024-05-01", "hourBalanceDisabled": false }]),
    );
    maybe("costRates", rates.clone());
    maybe("billingRates", rates);
    maybe("integrations", json!([{ "system": "bank", "id": "1" }]));
    maybe("schedule", json!({ "activateOn": "2026-01-01" }));
    hire(admin, &format!("user-{number}"), attributes)
}

#[test]
fn s105_a_put_of_what_was_read_changes_nothing() {
    on_every_store(|app| {
        let (admin, clerk) = (local(&app), blind(&app));
        let mut dice = Dice::new(11);
        for number in 0..25 {
            let path = somebody(&admin, &mut dice, number);
            for client in [&admin, &clerk] {
                let read = client.get(&path).expect(200);
                let put = client.put(&path, &read.json()).expect(200);
                assert_eq!((put.json(), put.etag()), (read.json(), read.etag()));
                let all = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{ "op": "replace", "value": { EXT: read.json()[EXT] } }] });
                let patched = client.patch(&path, &all).expect(200);
                assert_eq!((patched.json(), patched.etag()), (read.json(), read.etag()));
            }
        }
    });
}

#[test]
fn h12_histories_leave_no_day_out_and_say_none_twice() {
    on_every_store(|app| {
        let admin = local(&app);
        let ada = hire(&admin, "ada", json!({}));
        let mut dice = Dice::new(12);
        for _ in 0..25 {
            for name in ["costRates", "employments"] {
                let entries: Vec<Value> = (0..=dice.below(6))
                    .map(|_| {
                        let start = format!("2026-0{}-{:02}", 1 + dice.below(4), 1 + dice.below(28));
                        if name == "costRates" {
                            json!({ "startDate": start, "amount": dice.below(9), "currency": "EUR" })
                        } else {
                            json!({ "startDate": start })
                        }
                    })
                    .collect();
                admin.patch(&ada, &replace(&format!("{EXT}:{name}"), json!(entries))).expect(200).json();
                let shown = psa(&admin, &ada, name);
                let shown = shown.as_array().unwrap();
                for pair in shown.windows(2) {
                    let day =
                        |value: &Value| -> jiff::civil::Date { value.as_str().unwrap().parse().unwrap() };
                    assert_eq!(
                        day(&pair[0]["endDate"]).tomorrow().unwrap(),
                        day(&pair[1]["startDate"]),
                        "{shown:?}"
                    );
                }
                assert_eq!(shown.last().unwrap().get("endDate"), None);
                let started = shown.iter().any(|one| one["startDate"].as_str() <= Some("2026-03-01"));
                let current = shown.iter().filter(|one| one["current"] == true).count();
                assert_eq!(current, usize::from(started), "{shown:?}");
            }
        }
    });
}

#[test]
fn h15_who_says_that_somebody_is_not_active_keeps_them_out_also_where_another_does() {
    on_every_store(|app| {
        let admin = local(&app);
        let ada = hire(&admin, "ada", json!({ "schedule": { "activateOn": "2027-01-01" } }));
        let locks = || psa(&admin, &ada, "lifecycle")["locks"].clone();
        assert_eq!(locks(), json!(["schedule"]));
        // What is not said of `active` is no word on it.
        admin.patch(&ada, &replace("title", "Boss")).expect(200).json();
        assert_eq!(locks(), json!(["schedule"]));
        admin.patch(&ada, &replace("active", true)).expect(200).json();
        assert_eq!(locks(), json!(["schedule"]));
        admin.patch(&ada, &replace("active", false)).expect(200).json();
        let held = locks();
        assert!(held.as_array().unwrap().contains(&json!("admin")), "{held}");
        admin.patch(&ada, &replace(&format!("{EXT}:schedule.activateOn"), "2026-01-01")).expect(200).json();
        assert_eq!(locks(), json!(["admin"]), "it is the administrator's own");
        admin.patch(&ada, &replace("active", true)).expect(200).json();
        assert_eq!(admin.get(&ada).expect(200).json()["active"], true);
    });
}
