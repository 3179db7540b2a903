//! What indexes answer, seen from outside: the same as a look at every record (S70, S73, S74, S83).

use std::sync::Arc;

use serde_json::json;

use super::shown;
use crate::support::bodies::{ENTERPRISE, group, replace, user};
use crate::support::{Counting, TestApp, on_every_store};

#[test]
fn s70_conditions_joined_by_and_and_or_find_whom_they_mean() {
    on_every_store(|app| {
        let make = |name: &str, display: &str, email: &str| {
            let mut body = user(name);
            body["displayName"] = display.into();
            body["externalId"] = format!("x-{name}").into();
            body["emails"] = json!([{ "value": email, "type": "work" }]);
            app.post("/Users", &body).expect(201).id()
        };
        let ada = make("ada", "Countess", "ada@acme.test");
        let bob = make("bob", "Countess", "bob@acme.test");
        let eve = make("Eve", "Evelyn", "eve@other.test");
        let crowd = app.post("/Groups", &group("crowd", &[&ada, &eve])).expect(201).id();
        let club = app.post("/Groups", &group("club", &[&bob, &crowd])).expect(201).id();
        for (filter, expected) in [
            ("displayName eq \"countess\" and emails.value eq \"BOB@acme.test\"".to_owned(), vec![&bob]),
            ("userName eq \"eve\" or externalId eq \"x-ada\"".to_owned(), vec![&ada, &eve]),
            (
                "(userName eq \"ada\" or userName eq \"bob\") and displayName sw \"c\"".to_owned(),
                vec![&ada, &bob],
            ),
            ("userName sw \"E\"".to_owned(), vec![&eve]),
            ("emails sw \"ADA@\"".to_owned(), vec![&ada]),
            ("emails[type eq \"work\" and value sw \"eve\"]".to_owned(), vec![&eve]),
            ("emails[type eq \"home\" and value sw \"eve\"]".to_owned(), vec![]),
            (format!("groups.value eq \"{crowd}\""), vec![&ada, &eve]),
            (format!("groups eq \"{club}\" or id eq \"{ada}\""), vec![&ada, &bob]),
            (format!("groups.value eq \"{ada}\""), vec![]),
            ("active eq false".to_owned(), vec![]),
        ] {
            let found = app.find("/Users", &filter).expect(200);
            assert_eq!(shown(&found, "/id").iter().collect::<Vec<_>>(), expected, "{filter}");
            assert_eq!(found.json()["totalResults"], expected.len(), "{filter}");
        }
        for (filter, expected) in [
            (format!("members.value eq \"{crowd}\""), vec![&club]),
            (format!("members eq \"{ada}\" or displayName sw \"cl\""), vec![&crowd, &club]),
            (format!("members eq \"{ada}\" and displayName sw \"cl\""), vec![]),
        ] {
            let found = app.find("/Groups", &filter).expect(200);
            assert_eq!(shown(&found, "/id").iter().collect::<Vec<_>>(), expected, "{filter}");
        }
        // The index of the inactive follows.
        let _ = app.patch(&format!("/Users/{bob}"), &replace("active", false)).expect(200);
        let inactive = || shown(&app.find("/Users", "active eq false").expect(200), "/id");
        assert_eq!(inactive(), [&*bob]);
        assert_eq!(
            shown(&app.find("/Users", "active eq false and userName eq \"bob\"").expect(200), "/id"),
            [&*bob]
        );
        let _ = app.patch(&format!("/Users/{bob}"), &replace("active", true)).expect(200);
        assert_eq!(inactive(), Vec::<String>::new());
    });
}

#[test]
fn s74_times_and_names_are_compared_as_such() {
    on_every_store(|app| {
        let mut ids = vec![];
        for name in ["ada", "bob", "Eve"] {
            ids.push(app.post("/Users", &user(name)).expect(201).id());
            app.clock().advance(60);
        }
        let times: Vec<String> = ids
            .iter()
            .map(|id| {
                let meta = app.get(&format!("/Users/{id}")).expect(200).json();
                meta["meta"]["lastModified"].as_str().unwrap().to_owned()
            })
            .collect();
        for (filter, expected) in [
            (format!("meta.lastModified gt \"{}\"", times[1]), &ids[2..]),
            (format!("meta.lastModified ge \"{}\"", times[1]), &ids[1..]),
            (format!("meta.lastModified lt \"{}\"", times[1]), &ids[..1]),
            (format!("meta.lastModified le \"{}\"", times[1]), &ids[..2]),
            (format!("meta.lastModified eq \"{}\"", times[0].replace('Z', "+00:00")), &ids[..1]),
            ("userName gt \"ada\"".to_owned(), &ids[1..]),
            ("userName le \"BOB\"".to_owned(), &ids[..2]),
            (format!("userName gt \"ada\" and meta.lastModified lt \"{}\"", times[2]), &ids[1..2]),
        ] {
            assert_eq!(shown(&app.find("/Users", &filter).expect(200), "/id"), expected, "{filter}");
        }
        // A change moves somebody to the end; a group moves with its members.
        let _ = app.patch(&format!("/Users/{}", ids[0]), &replace("title", "x")).expect(200);
        let late = format!("meta.lastModified gt \"{}\"", times[2]);
        assert_eq!(shown(&app.find("/Users", &late).expect(200), "/id"), &ids[..1]);
        let crowd = app.post("/Groups", &group("crowd", &[&ids[0]])).expect(201);
        let made = crowd.json()["meta"]["lastModified"].as_str().unwrap().to_owned();
        let changed = format!("meta.lastModified gt \"{made}\"");
        assert_eq!(app.find("/Groups", &changed).expect(200).json()["totalResults"], 0);
        app.clock().advance(60);
        let add = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "add", "path": "members", "value": [{ "value": ids[1] }] }],
        });
        let _ = app.patch(&format!("/Groups/{}", crowd.id()), &add).expect(204);
        assert_eq!(shown(&app.find("/Groups", &changed).expect(200), "/id"), [crowd.id()]);
    });
}

#[test]
fn s73_a_link_is_compared_by_where_it_leads_and_never_with_nobody() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201);
        let (link, ada) = (ada.json()["meta"]["location"].as_str().unwrap().to_owned(), ada.id());
        let mut bob = user("bob");
        bob[ENTERPRISE] = json!({ "manager": { "value": ada } });
        let bob = app.post("/Users", &bob).expect(201).id();
        let crowd = app.post("/Groups", &group("crowd", &[&ada])).expect(201);
        let (group_link, crowd) = (crowd.json()["meta"]["location"].as_str().unwrap().to_owned(), crowd.id());
        let club = app.post("/Groups", &group("club", &[&crowd])).expect(201).id();
        let base = link.strip_suffix(&format!("/Users/{ada}")).unwrap();
        for (path, filter, expected) in [
            ("/Users", format!("meta.location eq \"{link}\""), vec![&ada]),
            ("/Users", format!("meta.location ne \"{link}\""), vec![&bob]),
            ("/Users", "meta.location pr".to_owned(), vec![&ada, &bob]),
            ("/Users", format!("meta[location eq \"{link}\"]"), vec![&ada]),
            ("/Users", format!("meta.location eq \"{base}/Groups/{ada}\""), vec![]),
            ("/Users", format!("meta.location eq \"https://elsewhere.test/Users/{ada}\""), vec![]),
            ("/Users", format!("{ENTERPRISE}:manager.$ref eq \"{link}\""), vec![&bob]),
            ("/Users", format!("{ENTERPRISE}:manager.$ref ne \"{link}\""), vec![&ada]),
            ("/Users", format!("{ENTERPRISE}:manager.$ref pr"), vec![&bob]),
            ("/Users", format!("not ({ENTERPRISE}:manager.$ref pr)"), vec![&ada]),
            ("/Users", format!("groups.$ref eq \"{group_link}\""), vec![&ada]),
            ("/Users", format!("groups[$ref eq \"{group_link}\" and type eq \"direct\"]"), vec![&ada]),
            ("/Users", format!("groups.$ref eq \"{link}\""), vec![]),
            ("/Groups", format!("members.$ref eq \"{link}\""), vec![&crowd]),
            ("/Groups", format!("members.$ref eq \"{group_link}\""), vec![&club]),
            ("/Groups", format!("members.$ref eq \"{base}/Groups/{ada}\""), vec![]),
            ("/Groups", format!("members[$ref eq \"{link}\"]"), vec![&crowd]),
            ("/Groups", format!("members.$ref ne \"{link}\""), vec![&club]),
            (
                "/Groups",
                format!("members.$ref eq \"{link}\" or members.$ref eq \"{group_link}\""),
                vec![&crowd, &club],
            ),
            (
                "",
                format!("meta.location eq \"{group_link}\" or meta.location eq \"{link}\""),
                vec![&ada, &crowd],
            ),
            ("", format!("members.$ref eq \"{link}\""), vec![&crowd]),
        ] {
            let found = app.find(path, &filter).expect(200);
            assert_eq!(shown(&found, "/id").iter().collect::<Vec<_>>(), expected, "{path} {filter}");
        }
    });
}

#[test]
fn s73_what_cannot_be_said_of_a_link_is_refused_with_what_to_ask_instead() {
    let app = TestApp::start();
    for (path, filter, instead) in [
        ("/Users", "meta.location sw \"https\"", "compare id instead"),
        ("/Users", "meta[location co \"x\" and resourceType eq \"User\"]", "outside of brackets"),
        ("/Groups", "members.$ref ew \"x\"", "compare value instead"),
        ("/Groups", "members[$ref co \"x\"]", "compare value instead"),
        ("/Users", "groups.$ref gt \"x\"", "compare value instead"),
    ] {
        let detail = app.find(path, filter).refused(400, Some("invalidFilter"));
        assert!(detail.contains(instead), "{filter}: {detail}");
    }
}

#[test]
fn s70_people_are_found_by_the_number_of_their_employer_without_reading_everybody() {
    let store = Arc::new(Counting::default());
    let app = TestApp::around(Arc::clone(&store) as Arc<dyn rosterd::store::Store>);
    let mut paths = vec![];
    for number in 0..200 {
        let mut body = user(&format!("user-{number}"));
        body[ENTERPRISE] = json!({ "employeeNumber": format!("E-{number}") });
        paths.push(format!("/Users/{}", app.post("/Users", &body).expect(201).id()));
    }
    let find = |number: &str| {
        store.take();
        let filter = format!("{ENTERPRISE}:employeeNumber eq \"{number}\"");
        let found = app.find("/Users", &filter).expect(200).json();
        let reads = store.take();
        assert!(reads < 60, "{number}: {reads} reads");
        found["totalResults"].clone()
    };
    assert_eq!(find("e-7"), 1);
    assert_eq!(find("E-200"), 0);
    let _ = app.patch(&paths[7], &replace(&format!("{ENTERPRISE}:employeeNumber"), "E-200")).expect(200);
    assert_eq!((find("E-7"), find("E-200")), (json!(0), json!(1)));
    let _ = app.delete(&paths[7]).expect(204);
    assert_eq!(find("E-200"), 0);
}
