//! Searches by POST (S87), and queries across kinds (S88).

use rosterd::app::bootstrap::FIRST_TENANT;
use serde_json::json;

use super::{search, shown};
use crate::support::bodies::{group, user};
use crate::support::{Request, TestApp, on_every_store};

#[test]
fn s87_a_search_by_post_answers_what_the_list_answers() {
    on_every_store(|app| {
        let ids: Vec<String> =
            (0..5).map(|number| app.post("/Users", &user(&format!("u{number}"))).expect(201).id()).collect();
        let _ = app.post("/Groups", &group("crowd", &[&ids[0]])).expect(201);
        for (path, url, message) in [
            ("/Users", "", json!({})),
            ("/Users", "?startIndex=2&count=2", json!({ "startIndex": 2, "count": 2 })),
            (
                "/Users",
                "?attributes=userName,groups.value",
                json!({ "attributes": ["userName", "groups.value"] }),
            ),
            ("/Users", "?excludedAttributes=groups", json!({ "excludedAttributes": ["groups"] })),
            ("/Users", "?filter=userName+eq+%22U3%22", json!({ "filter": "userName eq \"U3\"" })),
            (
                "/Users",
                "?sortBy=userName&sortOrder=descending&count=3",
                json!({ "sortBy": "userName", "sortOrder": "descending", "count": 3 }),
            ),
            ("/Groups", "?excludedAttributes=members", json!({ "excludedAttributes": ["members"] })),
            ("", "?filter=userName+eq+%22u1%22", json!({ "filter": "userName eq \"u1\"" })),
            ("", "?count=3", json!({ "count": 3 })),
        ] {
            let listed = app.get(&format!("{path}{url}")).expect(200);
            let searched = search(&app, path, message).expect(200);
            assert_eq!(searched.json(), listed.json(), "{path}{url}");
            assert_ne!(listed.json()["totalResults"], 0, "{path}{url}");
        }
    });
}

#[test]
fn s87_a_search_that_cannot_be_carried_out_is_refused_as_the_list_refuses() {
    let app = TestApp::start();
    let strict = app.strict();
    for client in [&*app, &strict] {
        search(client, "/Users", json!({ "filter": "userName zz \"x\"" }))
            .refused(400, Some("invalidFilter"));
        search(client, "/Users", json!({ "filter": "colour eq \"x\"" })).refused(400, Some("invalidFilter"));
        search(client, "/Users", json!({ "count": "many" })).refused(400, Some("invalidValue"));
        let both = json!({ "attributes": ["userName"], "excludedAttributes": ["title"] });
        search(client, "/Users", both).refused(400, Some("invalidValue"));
        client.post("/Users/.search", &json!([])).refused(400, Some("invalidSyntax"));
    }
    strict.post("/Users/.search", &json!({})).refused(400, Some("invalidSyntax"));
    let _ = app.post("/Users/.search", &json!({})).expect(200);
    let _ = app
        .send(&Request::scim("POST", "/Users/.search").header("Content-Type", "text/plain").body("{}"))
        .expect(415);
    let empty = app.send(&Request::scim("POST", "/Users/.search"));
    empty.refused(400, Some("invalidSyntax"));
}

#[test]
fn s88_a_query_across_kinds_finds_what_has_the_attribute() {
    on_every_store(|app| {
        let mut ada = user("ada");
        ada["displayName"] = "Crowd".into();
        let ada = app.post("/Users", &ada).expect(201).id();
        let eve = app.post("/Users", &user("eve")).expect(201).id();
        let crowd = app.post("/Groups", &group("crowd", &[&ada])).expect(201).id();
        for path in ["", "/"] {
            let all = app.get(path).expect(200);
            assert_eq!(
                shown(&all, "/id"),
                [&*ada, &*eve, &*crowd],
                "kinds in turn, each in order of creation"
            );
            assert_eq!(shown(&all, "/meta/resourceType"), ["User", "User", "Group"]);
            assert_eq!(all.json()["totalResults"], 3);
        }
        for (filter, expected) in [
            ("displayName eq \"crowd\"", vec![&ada, &crowd]),
            ("userName eq \"eve\"", vec![&eve]),
            ("userName pr", vec![&ada, &eve]),
            ("members pr", vec![&crowd]),
            // Groups have no userName: it is unassigned there (S74).
            ("not (userName pr)", vec![&crowd]),
            ("userName ne \"eve\"", vec![&ada, &crowd]),
            ("userName eq null", vec![&crowd]),
            ("userName eq \"eve\" or displayName eq \"crowd\"", vec![&ada, &eve, &crowd]),
            ("userName sw \"e\" and members pr", vec![]),
            ("emails[type eq \"work\"]", vec![]),
            ("meta.resourceType eq \"Group\"", vec![&crowd]),
            ("id pr", vec![&ada, &eve, &crowd]),
        ] {
            let found = app.find("", filter).expect(200);
            assert_eq!(shown(&found, "/id").iter().collect::<Vec<_>>(), expected, "{filter}");
            assert_eq!(found.json()["totalResults"], expected.len(), "{filter}");
        }
        let middle = app.get("?startIndex=2&count=2").expect(200);
        assert_eq!(shown(&middle, "/id"), [&*eve, &*crowd]);
        let sorted = app.get("?sortBy=displayName").expect(200);
        assert_eq!(shown(&sorted, "/id"), [&*ada, &*crowd, &*eve]);
        app.find("", "colour eq \"x\"").refused(400, Some("invalidFilter"));
        app.find("", "password eq \"x\"").refused(400, Some("invalidFilter"));
    });
}

#[test]
fn s88_a_query_across_kinds_sees_what_the_token_may_read() {
    let app = TestApp::start();
    let ada = app.post("/Users", &user("ada")).expect(201).id();
    let crowd = app.post("/Groups", &group("crowd", &[&ada])).expect(201).id();
    app.operate(rosterd::roster::Command::ConnectionCreate {
        tenant: FIRST_TENANT.to_owned(),
        name: "narrow".to_owned(),
        profile: "auto".to_owned(),
        options: rosterd::roster::ConnectionOptions { adopt: true, ..Default::default() },
    });
    let (people, _) = app.issue(FIRST_TENANT, "narrow", &["users:read"]);
    let (groups, _) = app.issue(FIRST_TENANT, "narrow", &["groups:read"]);
    assert_eq!(shown(&people.get("").expect(200), "/id"), [ada]);
    assert_eq!(shown(&groups.get("").expect(200), "/id"), [crowd]);
    assert_eq!(groups.find("", "userName eq \"ada\"").expect(200).json()["totalResults"], 0);
    search(&groups, "/Users", json!({})).refused(403, None);
}

#[test]
fn x15_searches_and_queries_across_kinds_stay_within_the_tenant() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let _ = app.post("/Groups", &group("crowd", &[&ada])).expect(201);
        let other = app.tenant("other");
        for path in ["", "/Users", "/Groups"] {
            for request in [
                json!({}),
                json!({ "filter": format!("id eq \"{ada}\"") }),
                json!({ "filter": "displayName sw \"c\"" }),
                json!({ "sortBy": "displayName" }),
                json!({ "cursor": "" }),
            ] {
                assert_eq!(search(&other, path, request).expect(200).json()["totalResults"], 0, "{path}");
            }
        }
        for filter in ["userName sw \"a\"", &format!("groups.value eq \"{ada}\""), "active eq false"] {
            assert_eq!(other.find("/Users", filter).expect(200).json()["totalResults"], 0, "{filter}");
        }
    });
}
