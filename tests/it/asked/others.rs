//! Changes that plugins were not asked about: groups, and writes of others.

use rosterd::roster::hooks::Proposal;
use serde_json::{Value, json};

use super::{Double, admin, catch_up, history, load, make, psa};
use crate::support::bodies::{add_members, group, patch, replace, user};
use crate::support::{TestApp, on_every_store};

/// Gives a seat to who is in the group Licensed, and takes it from others.
fn by_group() -> Double {
    Double::mapping("licence-by-group", |user, held| {
        let is_in = user.groups.iter().any(|(_, name)| name == "Licensed");
        match (is_in, held.license.is_some()) {
            (true, _) => vec![Proposal::SetLicense("Full".into())],
            (false, true) => vec![Proposal::ReleaseLicense],
            _ => vec![],
        }
    })
    .reading_groups()
}

fn people(app: &TestApp, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| app.post("/Users", &user(name)).expect(201).id()).collect()
}

#[test]
fn members_are_mapped_again_when_a_group_gains_or_loses_them_is_renamed_or_goes() {
    on_every_store(|app| {
        let admin = admin(&app);
        make(&admin, "LicensePool", "Full");
        load(&app, [by_group()]);
        let ids = people(&app, &["ada", "bob", "eve"]);
        let has = |id: &str| psa(&admin, &format!("/Users/{id}"), "license") != Value::Null;
        let licensed = || ids.iter().map(|id| has(id)).collect::<Vec<_>>();
        let crew =
            format!("/Groups/{}", app.post("/Groups", &group("Licensed", &[&ids[0]])).expect(201).id());
        assert_eq!(catch_up(&app).changed, 1);
        assert_eq!(licensed(), [true, false, false]);
        drop(app.patch(&crew, &add_members(&[&ids[1]])).expect(204));
        assert_eq!(catch_up(&app).changed, 1, "only who is concerned");
        assert_eq!(licensed(), [true, true, false]);
        let mut body = group("Licensed", &[&ids[1], &ids[2]]);
        body["displayName"] = "Licensed".into();
        drop(app.put(&crew, &body).expect(200));
        assert_eq!(catch_up(&app).changed, 2);
        assert_eq!(licensed(), [false, true, true]);
        drop(app.patch(&crew, &replace("displayName", "Others")).expect(204));
        assert_eq!(catch_up(&app).changed, 2);
        assert_eq!(licensed(), [false, false, false]);
        drop(app.patch(&crew, &replace("displayName", "Licensed")).expect(204));
        catch_up(&app);
        assert_eq!(licensed(), [false, true, true]);
        let remove = patch(&[json!({ "op": "remove", "path": format!("members[value eq \"{}\"]", ids[1]) })]);
        drop(app.patch(&crew, &remove).expect(204));
        catch_up(&app);
        assert_eq!(licensed(), [false, false, true]);
        drop(app.delete(&crew).expect(204));
        catch_up(&app);
        assert_eq!(licensed(), [false, false, false]);
        assert_eq!(catch_up(&app), rosterd::roster::Mended::default(), "and that is all");
    });
}

#[test]
fn a_large_group_is_walked_in_bounded_units_and_a_walk_that_was_broken_off_goes_on() {
    on_every_store(|app| {
        let admin = admin(&app);
        make(&admin, "LicensePool", "Full");
        load(&app, [by_group().with_grant(|_| {})]);
        let names: Vec<String> = (0..450).map(|number| format!("p{number}")).collect();
        let make =
            |name: &String| json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": user(name) });
        let operations: Vec<Value> = names.iter().map(make).collect();
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
        drop(app.post("/Bulk", &body).expect(200));
        catch_up(&app);
        let listed = app.get("/Users?count=500").expect(200).json();
        let ids: Vec<String> = listed["Resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), 450);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let length = history(&app).len();
        let crew = format!("/Groups/{}", app.post("/Groups", &group("Unlicensed", &ids)).expect(201).id());
        assert_eq!(history(&app).len(), length + 1, "the change itself is one unit");
        // Broken off after the first unit.
        let units = std::cell::Cell::new(0);
        let twice = || units.replace(units.get() + 1) < 2;
        let noted = app.roster().follow_changes(&twice).unwrap();
        assert_eq!(noted, 200);
        assert_eq!(app.roster().follow_changes(&|| true).unwrap(), 250);
        assert_eq!(app.roster().parked_counts().unwrap(), (0, 450));
        assert_eq!(app.roster().map_parked(&|| true).unwrap().mapped, 450);
        assert_eq!(history(&app).len(), length + 1, "nothing followed, so nothing was written");
        // A name says nothing of who is in it: they are walked as they are.
        drop(app.patch(&crew, &replace("displayName", "Still nothing")).expect(204));
        assert_eq!(app.roster().follow_changes(&|| true).unwrap(), 450);
    });
}

/// What a plugin is shown are direct memberships: whoever is in a group within one is not shown the outer one, so that nothing follows for them from a
/// change of it (docs/plugins/reference.md).
#[test]
fn groups_within_groups_are_neither_shown_nor_followed() {
    on_every_store(|app| {
        let admin = admin(&app);
        make(&admin, "LicensePool", "Full");
        load(&app, [by_group()]);
        let ids = people(&app, &["ada", "bob"]);
        let inner = app.post("/Groups", &group("Crew", &[&ids[0]])).expect(201).id();
        catch_up(&app);
        let outer = format!(
            "/Groups/{}",
            app.post("/Groups", &group("Licensed", &[&inner, &ids[1]])).expect(201).id()
        );
        assert_eq!(app.roster().follow_changes(&|| true).unwrap(), 1, "who is in the outer one itself");
        catch_up(&app);
        let has = |id: &str| psa(&admin, &format!("/Users/{id}"), "license") != Value::Null;
        assert_eq!((has(&ids[0]), has(&ids[1])), (false, true));
        drop(app.patch(&outer, &replace("displayName", "Others")).expect(204));
        assert_eq!(app.roster().follow_changes(&|| true).unwrap(), 1);
        // Nor are they shown it when they are asked about for another reason.
        drop(app.patch(&outer, &replace("displayName", "Licensed")).expect(204));
        drop(app.patch(&format!("/Users/{}", ids[0]), &replace("title", "CTO")).expect(200));
        assert!(!has(&ids[0]));
        drop(app.patch(&outer, &add_members(&[&ids[0]])).expect(204));
        catch_up(&app);
        assert!(has(&ids[0]), "as soon as they are in it themselves");
    });
}

#[test]
fn plugins_that_read_no_groups_are_not_asked_because_of_them() {
    on_every_store(|app| {
        load(&app, [Double::mapping("blind", |_, _| vec![])]);
        let ids = people(&app, &["ada"]);
        catch_up(&app);
        drop(app.post("/Groups", &group("Crew", &[&ids[0]])).expect(201));
        assert_eq!(app.roster().follow_changes(&|| true).unwrap(), 0);
    });
}

#[test]
fn what_was_before_there_were_plugins_changes_nobody_by_itself() {
    on_every_store(|app| {
        people(&app, &["ada", "bob"]);
        load(&app, [Double::mapping("late", |_, _| vec![Proposal::SetKind("freelancer".into())])]);
        assert_eq!(catch_up(&app), rosterd::roster::Mended::default());
        assert_eq!(app.roster().parked_counts().unwrap(), (0, 0));
    });
}

#[test]
fn people_of_administrators_are_mapped_only_where_a_plugin_names_their_connection() {
    on_every_store(|app| {
        let admin = admin(&app);
        let plugin = |sources: &[&str]| {
            let mut plugin =
                Double::mapping("rates", |_, _| vec![Proposal::SetFinancialVisibility("hoursOnly".into())]);
            plugin.sources = sources.iter().map(|&name| name.to_owned()).collect();
            plugin
        };
        load(&app, [plugin(&["other"])]);
        let ada = format!("/Users/{}", admin.post("/Users", &user("ada")).expect(201).id());
        catch_up(&app);
        assert_eq!(psa(&admin, &ada, "financialVisibility"), Value::Null);
        load(&app, [plugin(&["local"])]);
        let bob = format!("/Users/{}", admin.post("/Users", &user("bob")).expect(201).id());
        assert_eq!(psa(&admin, &bob, "financialVisibility"), "hoursOnly");
        // What an administrator says in the same request is decided.
        let path = format!("{}:financialVisibility", super::EXT);
        drop(admin.patch(&bob, &replace(&path, "full")).expect(200));
        assert_eq!(psa(&admin, &bob, "financialVisibility"), "full");
        drop(admin.patch(&bob, &replace("nickName", "B")).expect(200));
        assert_eq!(psa(&admin, &bob, "financialVisibility"), "full");
    });
}
