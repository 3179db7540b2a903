//! What plugins propose, and what becomes of it.

use rosterd::roster::hooks::{Employment, Operation, Proposal, Series};
use serde_json::{Value, json};

use super::{Double, EXT, admin, choice, history, load, make, operations, psa, rate, series};
use crate::support::bodies::{patch, replace, user};
use crate::support::{TestApp, on_every_store};

fn post(app: &TestApp, name: &str) -> String {
    format!("/Users/{}", app.post("/Users", &user(name)).expect(201).id())
}

#[test]
fn plugins_are_asked_in_their_order_and_each_sees_what_those_before_it_proposed() {
    on_every_store(|app| {
        let admin = admin(&app);
        make(&admin, "UserType", "Coder");
        make(&admin, "LicensePool", "Full");
        let first = Double::mapping("types", |_, held| {
            assert!(held.user_types.is_empty(), "nothing was proposed yet");
            vec![Proposal::AddUserType(choice("coder"))]
        });
        let second = Double::mapping("licences", |_, held| {
            let writer = &held.writers["userTypes"];
            assert_eq!(String::from(writer.clone()), "plugin:types");
            held.user_types
                .iter()
                .map(|one| Proposal::SetLicense(format!("{}-no", one.user_type)))
                .chain([Proposal::SetLicense("Full".into())])
                .collect()
        });
        load(&app, [first, second]);
        let mut body = user("ada");
        body["title"] = "Coder".into();
        let ada = format!("/Users/{}", app.post("/Users", &body).expect(201).id());
        assert_eq!(psa(&admin, &ada, "userTypes")[0]["display"], "Coder");
        assert_eq!(psa(&admin, &ada, "userTypes")[0]["primary"], true);
        assert_eq!(psa(&admin, &ada, "license")["display"], "Full");

        let (facts, values) = history(&app).pop().unwrap();
        assert_eq!(facts.asked, ["types", "licences"]);
        let [types, licences] = values.asked.as_slice() else { panic!("{values:?}") };
        assert_eq!((types.fingerprint.as_str(), types.fuel, types.outcome.as_str()), ("f1", 7, "ok"));
        assert_eq!((types.operation.as_str(), types.input.len()), ("create", 64));
        assert_eq!(
            types.proposals[0].proposal,
            json!({ "add-user-type": { "userType": "coder", "primary": false, "costCenter": null } })
        );
        assert!(licences.proposals[0].refused.as_deref().unwrap().contains("no LicensePool is called"));
        assert_eq!(licences.proposals[1].refused, None);
        assert!(
            facts.notes.iter().any(|note| note == "plugin licences: 1 of 2 proposals were refused"),
            "{facts:?}"
        );
    });
}

#[test]
fn a_sync_that_is_repeated_writes_nothing_and_a_rate_is_added_only_where_it_differs() {
    on_every_store(|app| {
        let admin = admin(&app);
        let plugin = Double::mapping("rates", |user, _| {
            let amount = if user.document.text("title") == Some("Boss") { "120" } else { "85.50" };
            vec![Proposal::AddCostRate(rate("2026-03-01", amount))]
        });
        let heard = plugin.heard();
        load(&app, [plugin]);
        let ada = post(&app, "ada");
        let etag = app.get(&ada).expect(200).etag();
        for _ in 0..3 {
            assert_eq!(app.put(&ada, &user("ada")).expect(200).etag(), etag);
        }
        // Something else changes: the rate is what it was.
        drop(app.patch(&ada, &replace("nickName", "A")).expect(200));
        let rates = psa(&admin, &ada, "costRates");
        assert_eq!(rates.as_array().unwrap().len(), 1);
        assert_eq!(rates[0]["amount"], "85.50");
        drop(app.patch(&ada, &replace("title", "Boss")).expect(200));
        assert_eq!(psa(&admin, &ada, "costRates")[0]["amount"], "120.00", "the entry of that very day");
        assert_eq!(operations(&heard), [Operation::Create, Operation::Patch, Operation::Patch]);
    });
}

#[test]
fn money_that_a_plugin_proposed_is_shown_to_nobody_who_may_not_see_money() {
    on_every_store(|app| {
        let admin = admin(&app);
        load(
            &app,
            [Double::mapping("rates", |_, _| {
                vec![
                    Proposal::AddCostRate(rate("2026-01-01", "7777")),
                    Proposal::AddCostRate(rate("2026-13-01", "6666")),
                ]
            })],
        );
        let ada = post(&app, "ada");
        let (facts, values) = history(&app).pop().unwrap();
        assert!(values.asked[0].proposals.iter().all(|one| one.money), "{values:?}");
        assert!(
            !format!("{facts:?}").contains("7777") && !format!("{facts:?}").contains("6666"),
            "{facts:?}"
        );
        let change = values.changes.iter().find(|change| change.attribute.ends_with("costRates")).unwrap();
        assert!(change.money);
        let blind = app.issue("main", "local", &["users:read", "audit", "admin"]).0;
        assert!(!blind.get(&ada).expect(200).text().contains("7777"));
        assert!(admin.get(&ada).expect(200).text().contains("7777"));
    });
}

#[test]
fn x20_no_plugin_gives_power_over_others_rights_nor_names_nor_what_is_closed() {
    on_every_store(|app| {
        let admin = admin(&app);
        let boss = json!({ "schemas": ["urn:rosterd:scim:schemas:core:1.0:UserType"], "displayName": "Boss",
            "grants": [{ "permission": "users.update", "level": "all" }] });
        drop(admin.post("/UserTypes", &boss).expect(201));
        let set = |path: &str, value: Value| Proposal::SetAttribute { path: path.to_owned(), value };
        let proposals = vec![
            Proposal::AddUserType(choice("Boss")),
            set(&format!("{EXT}:overrides"), json!([{ "permission": "users.update", "effect": "grant" }])),
            set(&format!("{EXT}:accountOwner"), json!(true)),
            set("userName", json!("root")),
            set("active", json!(false)),
            set("password", json!("hunter2hunter2")),
            set("id", json!("01980a7e-5b1c-7d3e-9f00-3c2b1a095e4d")),
            set("groups", json!([])),
            set("nickName", json!("not granted")),
            set(&format!("{EXT}:costRates"), json!([])),
        ];
        let count = proposals.len();
        load(
            &app,
            [Double::mapping("climber", move |_, _| proposals.clone()).with_grant(|grant| {
                for name in ["active", "password", "id", "groups"] {
                    let urn = None;
                    grant
                        .writes
                        .insert(rosterd::roster::hooks::Granted::Attribute { urn, name: name.to_owned() });
                }
            })],
        );
        let ada = post(&app, "ada");
        let (_, values) = history(&app).pop().unwrap();
        let refused = values.asked[0].proposals.iter().filter(|one| one.refused.is_some()).count();
        assert_eq!(refused, count, "{:#?}", values.asked);
        let shown = admin.get(&ada).expect(200).json();
        assert_eq!((&shown["userName"], &shown["active"]), (&"ada".into(), &true.into()));
        assert_eq!(shown[EXT]["userTypes"], Value::Null);
        assert_eq!(shown[EXT]["overrides"], Value::Null);
    });
}

#[test]
fn x20_what_an_identity_provider_may_not_give_does_not_come_true_when_an_administrator_writes_something_else()
{
    on_every_store(|app| {
        let admin = admin(&app);
        let boss = json!({ "schemas": ["urn:rosterd:scim:schemas:core:1.0:UserType"], "displayName": "Boss",
            "grants": [{ "permission": "users.update", "level": "all" }] });
        drop(admin.post("/UserTypes", &boss).expect(201));
        let mut body = user("ada");
        body[crate::support::bodies::PSA] = json!({ "primaryUserType": "Boss" });
        let ada = format!("/Users/{}", app.post("/Users", &body).expect(201).id());
        assert_eq!(psa(&admin, &ada, "userTypes"), Value::Null);
        drop(admin.patch(&ada, &replace("title", "Coder")).expect(200));
        assert_eq!(psa(&admin, &ada, "userTypes"), Value::Null);
    });
}

#[test]
fn x57_a_proposal_that_its_grant_does_not_name_is_refused() {
    on_every_store(|app| {
        let admin = admin(&app);
        make(&admin, "LicensePool", "Full");
        load(
            &app,
            [Double::mapping("nosy", |_, _| {
                vec![Proposal::SetLicense("Full".into()), Proposal::SetKind("freelancer".into())]
            })
            .with_grant(|grant| grant.writes.retain(|one| *one == super::attribute("kind")))],
        );
        let ada = post(&app, "ada");
        assert_eq!(psa(&admin, &ada, "license"), Value::Null);
        assert_eq!(psa(&admin, &ada, "kind"), "freelancer");
        let (_, values) = history(&app).pop().unwrap();
        assert_eq!(
            values.asked[0].proposals[0].refused.as_deref(),
            Some("license is not among what it may write")
        );
    });
}

#[test]
fn a_plugins_value_gives_way_to_an_administrators_until_that_is_cleared() {
    on_every_store(|app| {
        let admin = admin(&app);
        load(
            &app,
            [Double::mapping("view", |_, _| {
                vec![
                    Proposal::SetFinancialVisibility("hoursOnly".into()),
                    Proposal::SetAttribute { path: "title".into(), value: "Coder".into() },
                ]
            })],
        );
        let ada = post(&app, "ada");
        assert_eq!(psa(&admin, &ada, "financialVisibility"), "hoursOnly");
        let path = format!("{EXT}:financialVisibility");
        drop(admin.patch(&ada, &replace(&path, "full")).expect(200));
        drop(admin.patch(&ada, &replace("title", "Boss")).expect(200));
        drop(app.patch(&ada, &replace("nickName", "A")).expect(200));
        super::catch_up(&app);
        assert_eq!(psa(&admin, &ada, "financialVisibility"), "full", "the administrator's correction stays");
        assert_eq!(admin.get(&ada).expect(200).json()["title"], "Boss");
        let card = |name: &str| {
            let id = ada.rsplit('/').next().unwrap();
            let id = rosterd::ids::ResourceId::parse(id).unwrap();
            let operator = app.roster().operator("main", app.roster().request_id()).unwrap();
            app.roster().card(&operator, id).unwrap().writers.get(name).cloned()
        };
        assert_eq!(card(&path).as_deref(), Some("admin"));
        drop(admin.patch(&ada, &patch(&[json!({ "op": "remove", "path": path })])).expect(200));
        drop(admin.patch(&ada, &patch(&[json!({ "op": "remove", "path": "title" })])).expect(200));
        assert_eq!(super::catch_up(&app).changed, 1, "cleared, and the next run fills it again");
        assert_eq!(psa(&admin, &ada, "financialVisibility"), "hoursOnly");
        assert_eq!(admin.get(&ada).expect(200).json()["title"], "Coder");
        assert_eq!(card(&path).as_deref(), Some("plugin:view"));
        assert_eq!(card("title").as_deref(), Some("plugin:view"));
    });
}

#[test]
fn whoever_may_overwrite_what_administrators_decided_does() {
    on_every_store(|app| {
        let admin = admin(&app);
        load(
            &app,
            [Double::mapping("view", |_, _| vec![Proposal::SetFinancialVisibility("hoursOnly".into())])
                .with_grant(|grant| grant.overwrite_manual = true)],
        );
        let ada = post(&app, "ada");
        drop(admin.patch(&ada, &replace(&format!("{EXT}:financialVisibility"), "full")).expect(200));
        drop(app.patch(&ada, &replace("nickName", "A")).expect(200));
        assert_eq!(psa(&admin, &ada, "financialVisibility"), "hoursOnly");
    });
}

#[test]
fn a_single_value_is_set_by_one_plugin_unless_the_next_overrides_it() {
    on_every_store(|app| {
        let admin = admin(&app);
        let says = |name: &str, word: &'static str| {
            Double::mapping(name, move |_, _| vec![Proposal::SetFinancialVisibility(word.into())])
        };
        load(&app, [says("one", "hoursOnly"), says("two", "full")]);
        let ada = post(&app, "ada");
        assert_eq!(psa(&admin, &ada, "financialVisibility"), "hoursOnly");
        let over = says("two", "full").with_grant(|grant| {
            grant.overrides.insert("one".into());
        });
        load(&app, [says("one", "hoursOnly"), over]);
        let bob = post(&app, "bob");
        assert_eq!(psa(&admin, &bob, "financialVisibility"), "full");
    });
}

#[test]
fn r31_everything_that_the_contract_lets_a_plugin_propose_comes_true() {
    on_every_store(|app| {
        let admin = admin(&app);
        for (kind, name) in [
            ("UserType", "Coder"),
            ("UserType", "Lead"),
            ("CostCenter", "North"),
            ("EmploymentTemplate", "Fin"),
            ("LicensePool", "Full"),
        ] {
            make(&admin, kind, name);
        }
        let lead = rosterd::roster::hooks::UserTypeChoice {
            primary: true,
            cost_center: Some("North".into()),
            ..choice("Lead")
        };
        let entry = Employment {
            start_date: "2026-02-01".into(),
            template: Some("Fin".into()),
            overtime_balance_start_date: Some("2026-02-02".into()),
            hour_balance_disabled: Some(true),
        };
        load(
            &app,
            [Double::mapping("all", move |user, held| {
                let more = held.license.is_some();
                if more && user.document.text("nickName") == Some("leaves") {
                    return vec![
                        Proposal::ReleaseLicense,
                        Proposal::RemoveUserType(lead.clone()),
                        Proposal::ClearDeactivateOn,
                        Proposal::ClearAttribute("title".into()),
                    ];
                }
                vec![
                    Proposal::SetKind("freelancer".into()),
                    Proposal::SetLicense("full".into()),
                    Proposal::SetFinancialVisibility("HOURSONLY".into()),
                    Proposal::AddUserType(choice("Coder")),
                    Proposal::AddUserType(lead.clone()),
                    Proposal::AddEmployment(entry.clone()),
                    Proposal::AddCostRate(rate("2026-02-01", "50.2500")),
                    Proposal::AddBillingRate(rate("2026-02-01", "100")),
                    Proposal::SetDeactivateOn("2027-01-01".into()),
                    Proposal::SetAttribute { path: "title".into(), value: "Coder".into() },
                    Proposal::SetAttribute {
                        path: format!("{EXT}:integrations"),
                        value: json!([{ "system": "pay", "id": "7" }]),
                    },
                ]
            })],
        );
        let ada = post(&app, "ada");
        let (_, values) = history(&app).pop().unwrap();
        assert!(values.asked[0].proposals.iter().all(|one| one.refused.is_none()), "{:#?}", values.asked);
        let shown = admin.get(&ada).expect(200).json();
        let ext = &shown[EXT];
        assert_eq!(
            (&ext["kind"], &ext["license"]["display"], &ext["financialVisibility"]),
            (&"freelancer".into(), &"Full".into(), &"hoursOnly".into())
        );
        assert_eq!(
            (&ext["userTypes"][0]["display"], &ext["userTypes"][0]["primary"]),
            (&"Coder".into(), &Value::Null)
        );
        assert_eq!(
            (&ext["userTypes"][1]["display"], &ext["userTypes"][1]["primary"]),
            (&"Lead".into(), &true.into())
        );
        assert_eq!(
            (&ext["employments"][0]["hourBalanceDisabled"], &ext["costRates"][0]["amount"]),
            (&true.into(), &"50.25".into())
        );
        assert_eq!(
            (&ext["billingRates"][0]["amount"], &ext["schedule"]["deactivateOn"]),
            (&"100.00".into(), &"2027-01-01".into())
        );
        assert_eq!((&shown["title"], &ext["integrations"][0]["id"]), (&"Coder".into(), &"7".into()));
        drop(app.patch(&ada, &replace("nickName", "leaves")).expect(200));
        let shown = admin.get(&ada).expect(200).json();
        assert_eq!(
            (&shown[EXT]["license"], &shown["title"], &shown[EXT]["schedule"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        assert_eq!(shown[EXT]["userTypes"].as_array().unwrap().len(), 1);
        assert_eq!(shown[EXT]["userTypes"][0]["primary"], true);
    });
}

#[test]
fn the_requests_of_a_bulk_request_are_one_batch_and_those_by_themselves_may_be_a_sync() {
    on_every_store(|app| {
        let plugin = Double::mapping("quiet", |_, _| vec![]);
        let heard = plugin.heard();
        load(&app, [plugin]);
        let make =
            |name: &str| json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": user(name) });
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [make("ada"), make("bob"), make("eve")] });
        drop(app.post("/Bulk", &body).expect(200));
        assert_eq!(operations(&heard), [Operation::Create; 3]);
        let of_bulk = series(&heard);
        assert!(matches!(of_bulk[0], Series::Batch(_)), "{of_bulk:?}");
        assert!(of_bulk.iter().all(|one| one == &of_bulk[0]), "{of_bulk:?}");
        post(&app, "tom");
        assert_eq!(series(&heard).last(), Some(&Series::Sync));
    });
}

#[test]
fn x57_plugins_see_names_and_groups_and_what_no_schema_knows_and_never_a_password() {
    on_every_store(|app| {
        let admin = admin(&app);
        make(&admin, "LicensePool", "Full");
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let into = std::sync::Arc::clone(&seen);
        let plugin = Double::mapping("watcher", move |user, held| {
            into.lock().unwrap().push((user.clone(), held.clone()));
            vec![]
        })
        .reading_groups()
        .with_grant(|grant| {
            grant.reads.insert(rosterd::roster::hooks::Granted::Shadow);
        });
        load(&app, [plugin]);
        let mut body = user("ada");
        body["password"] = "hunter2hunter2".into();
        body["badge"] = "77".into();
        let ada = format!("/Users/{}", app.post("/Users", &body).expect(201).id());
        let id = ada.rsplit('/').next().unwrap();
        drop(app.post("/Groups", &crate::support::bodies::group("Crew", &[id])).expect(201));
        let half = json!({ "value": make(&admin, "LicensePool", "Half") });
        drop(admin.patch(&ada, &replace(&format!("{EXT}:license"), half)).expect(200));
        drop(app.patch(&ada, &replace("nickName", "A")).expect(200));
        let seen = seen.lock().unwrap();
        let [(first, _), (second, held)] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!((first.shadow["badge"].as_str(), first.groups.len()), (Some("77"), 0));
        assert_eq!((second.shadow["badge"].as_str(), second.groups[0].1.as_str()), (Some("77"), "Crew"));
        assert_eq!(held.license.as_deref(), Some("Half"));
        assert!(!format!("{seen:?}").contains("hunter2"));
        assert!(second.document.extension(EXT).is_none());
    });
}

#[test]
fn x57_a_plugin_is_asked_about_people_of_its_own_tenant_and_connection_only() {
    on_every_store(|app| {
        let plugin =
            Double::mapping("mine", |_, _| vec![Proposal::SetFinancialVisibility("hoursOnly".into())]);
        let heard = plugin.heard();
        load(&app, [plugin]);
        let other = app.tenant("other");
        drop(other.post("/Users", &user("ada")).expect(201));
        drop(app.strict().post("/Users", &user("bob")).expect(201));
        drop(admin(&app).post("/Users", &user("eve")).expect(201));
        super::catch_up(&app);
        assert!(heard.lock().unwrap().is_empty());
        post(&app, "tom");
        let heard = heard.lock().unwrap();
        let about: Vec<_> =
            heard.iter().map(|about| (about.tenant.as_str(), about.source.as_str())).collect();
        assert_eq!(about, [("main", rosterd::app::bootstrap::FIRST_CONNECTION)]);
    });
}

#[test]
fn x13_no_plugin_takes_the_last_administrators_seat_or_locks_them_by_a_day() {
    on_every_store(|app| {
        load(&app, [Double::mapping("ender", |_, _| vec![Proposal::SetDeactivateOn("2020-01-01".into())])]);
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let operator = app.roster().operator("main", app.roster().request_id()).unwrap();
        let id = rosterd::ids::ResourceId::parse(&ada).unwrap();
        let path = format!("/Users/{ada}");
        assert_eq!(app.get(&path).expect(200).json()["active"], false, "a day that has been");
        load(&app, []);
        drop(
            admin(&app)
                .patch(&path, &patch(&[json!({ "op": "remove", "path": format!("{EXT}:schedule") })]))
                .expect(200),
        );
        app.roster().make_administrator(&operator, id).unwrap();
        load(&app, [Double::mapping("ender", |_, _| vec![Proposal::SetDeactivateOn("2020-01-01".into())])]);
        drop(app.patch(&path, &replace("nickName", "A")).expect(200));
        assert_eq!(app.get(&path).expect(200).json()["active"], true);
    });
}
