//! X22: groups within groups. A group is no member of itself; circles and deep chains are groups like others.

use std::sync::Arc;

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::store::Store;
use serde_json::{Value, json};

use crate::support::bodies::{GROUP, add_members, group, patch, user};
use crate::support::world::must_agree;
use crate::support::{Client, Counting, TestApp, on_every_store};

const DEPTH: usize = 60;

fn members(client: &Client, path: &str) -> Value {
    client.get(path).expect(200).json()["members"].clone()
}

#[test]
fn x22_a_group_is_never_made_a_member_of_itself() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        for (mode, client) in [("auto", app.clone()), ("strict", app.strict())] {
            let made = client.post("/Groups", &group(&format!("crew-{mode}"), &[])).expect(201);
            let (crew, path) = (made.id(), format!("/Groups/{}", made.id()));
            let before = client.get(&path).expect(200);
            let add = |value: Value| patch(&[json!({ "op": "add", "path": "members", "value": value })]);
            for body in [
                add_members(&[&crew]),
                add_members(&[&ada, &crew]),
                add(json!([{ "value": crew, "type": "User" }])),
                patch(&[json!({ "op": "replace", "path": "members", "value": [{ "value": crew }] })]),
                patch(&[
                    json!({ "op": "replace", "value": { "displayName": "other", "members": [{ "value": crew }] } }),
                ]),
                patch(&[
                    json!({ "op": "add", "path": "members", "value": [{ "value": ada }] }),
                    json!({ "op": "add", "path": "members", "value": [{ "value": crew }] }),
                ]),
            ] {
                let said = client.patch(&path, &body).refused(400, Some("invalidValue"));
                assert!(said.contains("member of itself"), "{said}");
            }
            // Ids have one spelling (X18): in another one it is nobody's, which only the lenient profile passes over.
            let other = client.patch(&path, &add(json!([{ "value": crew.to_uppercase() }])));
            assert_eq!(other.status, if mode == "auto" { 204 } else { 400 });
            client.put(&path, &group("crew", &[&crew])).refused(400, Some("invalidValue"));
            assert_eq!(
                client.get(&path).expect(200).essence(),
                before.essence(),
                "{mode}: nothing has changed"
            );

            // In a bulk request a group can speak of itself before it has an id.
            let bulk = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
                "Operations": [{ "method": "POST", "path": "/Groups", "bulkId": "g", "data": {
                    "schemas": [GROUP], "displayName": format!("ring-{mode}"), "members": [{ "value": "bulkId:g" }] } }]
            });
            let done = client.post("/Bulk", &bulk).expect(200).json();
            assert_eq!(done["Operations"][0]["status"], "409", "{done}");
        }
        let (local, _) = app.issue(FIRST_TENANT, "local", &[]);
        let seen = must_agree(&local);
        assert_eq!(seen.groups.len(), 2, "what could not be linked was taken back");
    });
}

/// Makes groups each of which holds the one before it; the first holds a person. Returns the groups, and the person.
fn chain(client: &Client, depth: usize) -> (Vec<String>, String) {
    let person = client.post("/Users", &user("ada")).expect(201).id();
    let mut inner = person.clone();
    let groups = (0..depth).map(|number| {
        inner = client.post("/Groups", &group(&format!("level-{number}"), &[&inner])).expect(201).id();
        inner.clone()
    });
    (groups.collect(), person)
}

#[test]
fn x22_a_circle_of_groups_can_be_read_listed_changed_and_taken_apart() {
    on_every_store(|app| {
        for length in [2, 3, DEPTH] {
            let (ring, person) = chain(&app, length);
            let last = ring.last().unwrap();
            // The innermost holds the outermost: the circle is closed.
            let _ = app.patch(&format!("/Groups/{}", ring[0]), &add_members(&[last])).expect(204);
            let seen = must_agree(&app);
            assert_eq!(seen.groups.len(), length);
            for (place, id) in ring.iter().enumerate() {
                let inner = if place == 0 { last } else { &ring[place - 1] };
                let held = seen.groups[id]["members"].as_array().unwrap();
                let found = held.iter().find(|member| member["value"] == inner.as_str()).unwrap();
                assert_eq!(found["type"], "Group");
                let filter = format!("members eq \"{inner}\"");
                assert_eq!(app.find("/Groups", &filter).expect(200).json()["totalResults"], 1);
            }
            // Who is in the innermost is in that one only; nobody is counted in again each time round.
            let groups = app.get(&format!("/Users/{person}")).expect(200).json()["groups"].clone();
            assert_eq!(groups.as_array().unwrap().len(), 1, "{groups}");
            assert_eq!(groups[0]["value"], ring[0].as_str());
            let _ = app
                .patch(
                    &format!("/Groups/{last}"),
                    &json!({ "Operations": [
                { "op": "replace", "path": "displayName", "value": "renamed" }] }),
                )
                .expect(204);
            let _ = app.delete(&format!("/Groups/{}", ring[0])).expect(204);
            assert_eq!(members(&app, &format!("/Groups/{}", ring[1])), json!([]));
            for id in &ring[1..] {
                let _ = app.delete(&format!("/Groups/{id}")).expect(204);
            }
            let _ = app.delete(&format!("/Users/{person}")).expect(204);
            assert_eq!(must_agree(&app).groups.len(), 0);
        }
    });
}

#[test]
fn x22_sixty_levels_cost_what_one_does() {
    let store = Arc::new(Counting::default());
    let app = TestApp::around(Arc::clone(&store) as Arc<dyn Store>);
    let (groups, person) = chain(&app, DEPTH);
    let cost = |path: &str| {
        let _ = app.get(path).expect(200);
        store.take();
        let _ = app.get(path).expect(200);
        store.take()
    };
    // Each is what one level costs: the person in one group, each group with one member.
    let alone = app.post("/Users", &user("bob")).expect(201).id();
    let flat = app.post("/Groups", &group("flat", &[&alone])).expect(201).id();
    let of_person = cost(&format!("/Users/{alone}"));
    let of_group = cost(&format!("/Groups/{flat}"));
    assert!(of_person > 0 && of_group > 0, "the store counts");
    assert_eq!(cost(&format!("/Users/{person}")), of_person);
    for id in &groups {
        assert_eq!(cost(&format!("/Groups/{id}")), of_group);
    }
    let by_member = |id: &str| cost(&format!("/Groups?filter=members%20eq%20%22{id}%22"));
    assert_eq!(by_member(&groups[DEPTH - 2]), by_member(&alone));
    let whole = cost("/Groups?count=100");
    assert!(whole <= (groups.len() + 1) * (of_group + 2), "{whole} reads for {} groups", groups.len() + 1);
    // And so does a change at either end.
    let change = |id: &str| {
        store.take();
        let _ = app.patch(&format!("/Groups/{id}"), &add_members(&[&alone])).expect(204);
        store.take()
    };
    assert_eq!(change(&groups[DEPTH - 1]), change(&groups[1]));
}
