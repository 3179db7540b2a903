//! X13, S196: administrators by a group that their provider fills, or by a user type. Nobody takes that from the last of them.

use rosterd::psa::catalogue::Level;
use rosterd::psa::policy::{GroupMap, GroupName, MappedGrant, Policy};
use serde_json::{Value, json};

use super::{administrator, at_once, decide, local, person};
use crate::support::bodies::{add_members, group, patch, replace, user};
use crate::support::{Answer, TestApp, on_every_store};

fn map(group: GroupName) -> GroupMap {
    let grant = MappedGrant { permission: "users.update".to_owned(), level: Level::All, cost_center: None };
    GroupMap {
        connection: "idp".to_owned(),
        group,
        grants: vec![grant],
        provisioned: true,
        ..GroupMap::default()
    }
}

/// Has the members of the provider's group "Admins" administer.
fn by_group(app: &TestApp) {
    let maps = vec![map(GroupName::Display("Admins".to_owned()))];
    decide(app, Policy { group_maps: maps, ..Policy::default() });
}

fn people<const N: usize>(app: &TestApp, names: [&str; N]) -> [String; N] {
    names.map(|name| app.post("/Users", &user(name)).expect(201).id())
}

#[track_caller]
fn done(answer: &Answer) {
    assert!(matches!(answer.status, 200 | 204), "{} {}", answer.status, answer.text());
}

#[track_caller]
fn refused(answer: &Answer) {
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert!(answer.text().contains("nobody would be left who administers"), "{}", answer.text());
}

fn members(app: &TestApp, path: &str) -> usize {
    app.get(path).expect(200).json()["members"].as_array().map_or(0, Vec::len)
}

#[test]
fn x13_s196_a_provider_neither_empties_nor_renames_nor_deletes_the_group_of_the_last_administrators() {
    on_every_store(|app| {
        by_group(&app);
        let [ada, bob] = people(&app, ["ada", "bob"]);
        let path =
            format!("/Groups/{}", app.post("/Groups", &group("Admins", &[&ada, &bob])).expect(201).id());
        // One of two may go.
        let remove =
            |id: &str| patch(&[json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") })]);
        done(&app.patch(&path, &remove(&bob)));
        refused(&app.patch(&path, &remove(&ada)));
        refused(&app.patch(&path, &patch(&[json!({ "op": "remove", "path": "members" })])));
        refused(&app.patch(&path, &patch(&[json!({ "op": "replace", "path": "members", "value": [] })])));
        refused(&app.put(&path, &group("Admins", &[])));
        refused(&app.patch(&path, &replace("displayName", "Others")));
        refused(&app.put(&path, &group("Others", &[&ada])));
        refused(&app.delete(&path));
        let bulk = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{ "method": "DELETE", "path": path }] });
        assert_eq!(app.post("/Bulk", &bulk).expect(200).json()["Operations"][0]["status"], "409");
        assert_eq!(members(&app, &path), 1);
        // An administrator is refused as well.
        let (admin, _) = app.issue("main", "local", &["groups:read", "groups:write"]);
        refused(&admin.patch(&path, &remove(&ada)));
        // In one request another takes the place.
        let _ = app.put(&path, &group("Admins", &[&bob])).expect(200);
        // Another group that nobody maps is no matter of this, nor is this one where somebody administers without it.
        let other = app.post("/Groups", &group("Others", &[&ada])).expect(201).id();
        assert_eq!(app.delete(&format!("/Groups/{other}")).status, 204);
        let _ = administrator(&app, "boss@acme.test");
        assert_eq!(app.delete(&path).status, 204);
    });
}

#[test]
fn x13_who_administers_by_a_group_counts_for_others_while_they_are_let_in() {
    on_every_store(|app| {
        let by_id = GroupMap { bundle: None, ..map(GroupName::External("00g1".to_owned())) };
        decide(&app, Policy { group_maps: vec![by_id], ..Policy::default() });
        let [ada, bob] = people(&app, ["ada", "bob"]);
        let mut admins = group("Whatever", &[&ada, &bob]);
        admins["externalId"] = "00g1".into();
        let path = format!("/Groups/{}", app.post("/Groups", &admins).expect(201).id());
        let person = format!("/Users/{ada}");
        let _ = app.patch(&format!("/Users/{bob}"), &replace("active", false)).expect(200);
        // Bob is kept out: the last are neither locked nor removed, nor taken out of the group.
        for answer in [app.patch(&person, &replace("active", false)), app.delete(&person)] {
            assert_eq!(answer.status, 409, "{}", answer.text());
        }
        refused(&app.patch(&path, &replace("externalId", "00g2")));
        refused(&app.put(&path, &admins_without(&admins, &ada)));
        let _ = app.patch(&format!("/Users/{bob}"), &replace("active", true)).expect(200);
        assert_eq!(app.delete(&person).status, 204);
        assert_eq!(app.delete(&format!("/Users/{bob}")).status, 409);
    });
}

fn admins_without(admins: &Value, id: &str) -> Value {
    let mut without = admins.clone();
    without["members"].as_array_mut().unwrap().retain(|member| member["value"] != id);
    without
}

#[test]
fn x13_of_two_administrators_by_a_group_who_are_taken_out_at_once_one_stays() {
    for _ in 0..6 {
        on_every_store(|app| {
            by_group(&app);
            let both = people(&app, ["ada", "bob"]);
            let made = app.post("/Groups", &group("Admins", &[&both[0], &both[1]])).expect(201);
            let path = format!("/Groups/{}", made.id());
            let mut statuses = at_once(2, |number| {
                let filter = format!("members[value eq \"{}\"]", both[number]);
                app.patch(&path, &patch(&[json!({ "op": "remove", "path": filter })])).status
            });
            statuses.sort_unstable();
            assert_eq!(statuses, [204, 409]);
            assert_eq!(members(&app, &path), 1);
        });
    }
}

#[test]
fn x13_a_user_type_goes_on_to_give_what_the_last_administrators_have_by_it() {
    on_every_store(|app| {
        let local = local(&app);
        let with = |level: &str| {
            json!({ "schemas": ["urn:rosterd:scim:schemas:core:1.0:UserType"], "displayName": "Boss",
                "grants": [{ "permission": "users.update", "level": level }] })
        };
        let boss = local.post("/UserTypes", &with("all")).expect(201).id();
        let path = format!("/UserTypes/{boss}");
        // As long as nobody has it, it is anybody's to change.
        let _ = local.put(&path, &with("own")).expect(200);
        let _ = local.put(&path, &with("all")).expect(200);
        let ada = local.post("/Users", &person("ada", &json!({ "userTypes": [{ "value": boss }] })));
        let _ = ada.expect(201);
        refused(&local.put(&path, &with("own")));
        let _ = local.patch(&path, &replace("displayName", "Chief")).expect(200);
        let _ = administrator(&app, "boss@acme.test");
        let _ = local.put(&path, &with("own")).expect(200);
    });
}

#[test]
fn x13_a_group_without_administrators_is_its_providers_to_empty() {
    on_every_store(|app| {
        by_group(&app);
        let [ada] = people(&app, ["ada"]);
        let path = format!("/Groups/{}", app.post("/Groups", &group("Admins", &[])).expect(201).id());
        done(&app.patch(&path, &replace("displayName", "Others")));
        done(&app.patch(&path, &add_members(&[&ada])));
        done(&app.patch(&path, &patch(&[json!({ "op": "remove", "path": "members" })])));
        assert_eq!(app.delete(&path).status, 204);
    });
}
