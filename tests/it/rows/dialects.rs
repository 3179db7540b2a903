//! What identity providers do that no transcript can hold: many people, many requests, and what the history tells of it.

use std::collections::BTreeSet;

use rosterd::ids::TenantId;
use serde_json::{Value, json};

use crate::support::bodies::{add_members, group, patch, user};
use crate::support::world::{history, said};
use crate::support::{Client, TestApp, on_every_store};

/// More than one page of the default size.
const MANY: usize = 130;

/// Makes people by bulk.
fn people(client: &Client, count: usize) {
    let operations: Vec<Value> = (0..count)
        .map(|number| json!({ "method": "POST", "path": "/Users", "bulkId": format!("b{number}"), "data": user(&format!("u{number}@acme.test")) }))
        .collect();
    let body =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    let done = client.post("/Bulk", &body).expect(200).json();
    assert!(done["Operations"].as_array().unwrap().iter().all(|one| one["status"] == "201"), "{done}");
}

/// Reads a list by `startIndex` alone, as authentik's import does: on from what it has, until it has as many as there are.
fn without_count(client: &Client, path: &str) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let query = if ids.is_empty() { String::new() } else { format!("?startIndex={}", ids.len() + 1) };
        let page = client.get(&format!("{path}{query}")).expect(200).json();
        let resources = page["Resources"].as_array().unwrap();
        assert_eq!(page["startIndex"], ids.len() + 1);
        assert!(!resources.is_empty(), "a page that does not get on: {page}");
        ids.extend(resources.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        if ids.len() >= usize::try_from(page["totalResults"].as_u64().unwrap()).unwrap() {
            return ids;
        }
    }
}

#[test]
fn d_a6_d_x8_d_x11_an_import_without_count_meets_everybody_once_and_is_told_the_true_total() {
    on_every_store(|app| {
        people(&app, MANY);
        let first = app.get("/Users").expect(200).json();
        assert_eq!(first["totalResults"], MANY, "what matches, and not what is in the page");
        assert!(
            first["itemsPerPage"].as_u64().unwrap() < MANY as u64,
            "more than one page: {}",
            first["itemsPerPage"]
        );
        let ids = without_count(&app, "/Users");
        assert_eq!(ids.len(), MANY);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), MANY);
        let found = app.get("/Users?filter=userName+co+%22%40acme%22&count=7").expect(200).json();
        assert_eq!((&found["totalResults"], &found["itemsPerPage"]), (&json!(MANY), &json!(7)));

        let members: Vec<&str> = ids.iter().map(String::as_str).collect();
        for number in 0..3 {
            let _ = app.post("/Groups", &group(&format!("G{number}"), &members)).expect(201);
        }
        assert_eq!(without_count(&app, "/Groups").len(), 3);
    });
}

#[test]
fn d_s2_a_full_aggregation_is_the_same_whatever_the_size_of_its_pages() {
    on_every_store(|app| {
        let governance = app.connection("main", "governance", "sailpoint");
        people(&governance, MANY);
        let read = |count: usize| -> Vec<String> {
            let mut ids = Vec::new();
            loop {
                let page = governance
                    .get(&format!("/Users?startIndex={}&count={count}", ids.len() + 1))
                    .expect(200)
                    .json();
                assert_eq!(page["totalResults"], MANY);
                let resources = page["Resources"].as_array().unwrap();
                if resources.is_empty() {
                    return ids;
                }
                ids.extend(resources.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
            }
        };
        let all = read(1000);
        assert_eq!(all.len(), MANY);
        assert_eq!(read(100), all);
        assert_eq!(read(17), all);
        assert_eq!(governance.get("/Users").expect(200).json()["Resources"][0]["id"], json!(all[0]));
    });
}

#[test]
fn d_s3_groups_that_are_written_on_a_person_change_nothing_and_are_told_to_the_history() {
    on_every_store(|app| {
        let governance = app.connection("main", "governance", "sailpoint");
        let ada = governance.post("/Users", &user("ada")).expect(201).id();
        let staff = governance.post("/Groups", &group("Staff", &[])).expect(201).id();
        let written = patch(&[
            json!({ "op": "replace", "path": "title", "value": "CTO" }),
            json!({ "op": "add", "path": "groups", "value": [{ "value": staff }] }),
        ]);
        let answer = governance.patch(&format!("/Users/{ada}"), &written).expect(200).json();
        assert_eq!((&answer["title"], answer.get("groups")), (&json!("CTO"), None));
        let (facts, _) = said(&history(app.roster(), TenantId::new(1))).pop().unwrap();
        assert!(format!("{facts:?}").contains("read-only-ignored"), "{facts:?}");
        assert_eq!(governance.get(&format!("/Groups/{staff}")).expect(200).json()["members"], json!([]));
    });
}

#[test]
fn d_p4_a_first_synchronisation_is_a_look_up_and_a_creation_for_each_person_without_a_pause() {
    let app = TestApp::start();
    let ping = app.connection("main", "ping", "ping");
    std::thread::scope(|scope| {
        for lane in 0..4 {
            let ping = ping.clone();
            scope.spawn(move || {
                for number in 0..40 {
                    let name = format!("p{lane}-{number}@acme.test");
                    let found = ping.find("/Users", &format!("userName eq \"{name}\"")).expect(200).json();
                    assert_eq!(found["totalResults"], 0);
                    let _ = ping.post("/Users", &user(&name)).expect(201);
                }
            });
        }
    });
    assert_eq!(ping.get("/Users?count=0").expect(200).json()["totalResults"], 160);
}

#[test]
fn d_x16_what_no_schema_knows_is_kept_aside_and_told_to_the_history() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let unknown = patch(&[json!({ "op": "replace", "path": "shoeSize", "value": "42" })]);
        let _ = app.patch(&format!("/Users/{ada}"), &unknown).expect(200);
        let (facts, values) = said(&history(app.roster(), TenantId::new(1))).pop().unwrap();
        assert!(format!("{facts:?}").contains("unknown-attribute"), "{facts:?}");
        assert!(format!("{values:?}").contains("shoeSize"), "{values:?}");
    });
}

#[test]
fn d_x21_members_that_two_clients_add_at_once_are_both_there_although_both_had_read_the_list_before() {
    on_every_store(|app| {
        let ids: Vec<String> =
            (0..40).map(|number| app.post("/Users", &user(&format!("m{number}"))).expect(201).id()).collect();
        let staff = app.post("/Groups", &group("Staff", &[])).expect(201).id();
        let path = format!("/Groups/{staff}");
        std::thread::scope(|scope| {
            for half in ids.chunks(20) {
                let (client, path) = (app.clone(), &path);
                scope.spawn(move || {
                    for id in half {
                        // Whoever reads first and writes then is no danger to the other: what is written is the one member.
                        let _ = client.get(path).expect(200);
                        let _ = client.patch(path, &add_members(&[id])).expect(204);
                    }
                });
            }
        });
        let members = app.get(&path).expect(200).json()["members"].as_array().unwrap().len();
        assert_eq!(members, ids.len());
    });
}
