//! Cursors (RFC 9865, S89, R21).

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::roster::{CURSOR_SECONDS_MAX, Command};
use serde_json::{Value, json};

use super::{search, shown};
use crate::support::bodies::{group, replace, user};
use crate::support::{Client, Engine, TestApp, on_every_store};

fn people(client: &Client, count: usize) -> Vec<String> {
    (0..count).map(|number| client.post("/Users", &user(&format!("u{number:02}"))).expect(201).id()).collect()
}

fn next(list: &Value) -> Option<String> {
    list.get("nextCursor").map(|cursor| cursor.as_str().unwrap().to_owned())
}

fn previous(list: &Value) -> Option<String> {
    list.get("previousCursor").map(|cursor| cursor.as_str().unwrap().to_owned())
}

/// Follows the cursors of a query to the end; does something after each page.
fn follow(client: &Client, path: &str, mut after: impl FnMut(usize)) -> Vec<String> {
    let (mut all, mut cursor) = (vec![], String::new());
    for page in 0.. {
        let answer = client.get(&format!("{path}&cursor={cursor}")).expect(200);
        all.extend(shown(&answer, "/id"));
        match next(&answer.json()) {
            Some(next) => cursor = next,
            None => break,
        }
        after(page);
    }
    all
}

#[test]
fn s89_cursors_lead_through_a_list_page_by_page() {
    on_every_store(|app| {
        let ids = people(&app, 7);
        let first = app.get("/Users?cursor&count=3").expect(200).json();
        assert_eq!((&first["totalResults"], &first["itemsPerPage"]), (&json!(7), &json!(3)));
        assert_eq!((first.get("startIndex"), first.get("previousCursor")), (None, None));
        let cursor = next(&first).unwrap();
        assert!(
            cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
            "{cursor}"
        );
        assert_eq!(follow(&app, "/Users?count=3", |_| ()), ids);
        assert_eq!(follow(&app, "/Users?count=7", |_| ()), ids, "a full last page has no cursor");
        assert_eq!(follow(&app, "/Users?filter=userName+sw+%22u%22&count=2", |_| ()), ids);
        let sorted = follow(&app, "/Users?sortBy=userName&sortOrder=descending&count=2", |_| ());
        assert_eq!(sorted, ids.iter().rev().cloned().collect::<Vec<_>>());
        let crowd = app.post("/Groups", &group("crowd", &[])).expect(201).id();
        let across: Vec<String> = ids.iter().chain([&crowd]).cloned().collect();
        for size in 1..9 {
            assert_eq!(follow(&app, &format!("?count={size}"), |_| ()), across, "{size}");
        }
        // The same by POST, and without a cursor nobody gets one.
        let searched = search(&app, "/Users", json!({ "cursor": "", "count": 3 })).expect(200).json();
        let second = search(&app, "/Users", json!({ "cursor": next(&searched), "count": 3 })).expect(200);
        assert_eq!(shown(&second, "/id"), &ids[3..6]);
        assert_eq!(next(&app.get("/Users?count=3").expect(200).json()), None);
        assert_eq!(app.get("/Users?cursor=&count=0").expect(200).json()["totalResults"], 7);
    });
}

#[test]
fn s89_every_page_but_the_first_says_where_to_go_back() {
    on_every_store(|app| {
        let mut ids = people(&app, 8);
        let crowd = app.post("/Groups", &group("crowd", &[])).expect(201).id();
        let club = app.post("/Groups", &group("club", &[])).expect(201).id();
        for path in [
            "/Users?count=3",
            "/Users?count=4",
            "/Users?count=3&sortBy=userName&sortOrder=descending",
            "/Users?count=3&sortBy=id&sortOrder=descending",
            "/Users?count=3&sortBy=title",
            "/Users?count=3&filter=userName+sw+%22u%22",
            "?count=3",
            "?count=9",
            "?count=3&sortBy=displayName",
        ] {
            let page = |cursor: &str| app.get(&format!("{path}&cursor={cursor}")).expect(200);
            let mut pages = vec![page("")];
            while let Some(next) = next(&pages.last().unwrap().json()) {
                pages.push(page(&next));
            }
            assert!(pages.len() > 1, "{path}");
            assert_eq!(previous(&pages[0].json()), None, "{path}");
            let mut place = pages.len() - 1;
            let mut back = previous(&pages[place].json());
            while let Some(cursor) = back {
                let shown_again = page(&cursor);
                place -= 1;
                assert_eq!(shown(&shown_again, "/id"), shown(&pages[place], "/id"), "{path}");
                assert_eq!(
                    shown(&page(&next(&shown_again.json()).unwrap()), "/id"),
                    shown(&pages[place + 1], "/id")
                );
                back = previous(&shown_again.json());
            }
            assert_eq!(place, 0, "{path}");
        }
        // What has gone meanwhile is not needed to go back from, and a first page is a whole one.
        let first = app.get("/Users?count=3&cursor").expect(200).json();
        let second = app.get(&format!("/Users?count=3&cursor={}", next(&first).unwrap())).expect(200).json();
        for gone in [ids.remove(3), ids.remove(1)] {
            let _ = app.delete(&format!("/Users/{gone}")).expect(204);
        }
        let back = app.get(&format!("/Users?count=3&cursor={}", previous(&second).unwrap())).expect(200);
        assert_eq!(shown(&back, "/id"), &ids[..3]);
        assert_eq!(previous(&back.json()), None);
        for gone in [crowd, club] {
            let _ = app.delete(&format!("/Groups/{gone}")).expect(204);
        }
    });
}

#[test]
fn s89_what_is_shown_of_a_resource_may_change_from_page_to_page() {
    on_every_store(|app| {
        let ids = people(&app, 6);
        let first = app.get("/Users?cursor&count=2&attributes=userName").expect(200).json();
        let path = format!("/Users?count=2&cursor={}", next(&first).unwrap());
        for projection in
            ["", "&attributes=userName", "&attributes=id", "&excludedAttributes=userName,groups"]
        {
            let page = app.get(&format!("{path}{projection}")).expect(200);
            assert_eq!(shown(&page, "/id"), &ids[2..4], "nobody is left out or met twice{projection}");
            let named = page.json()["Resources"][0].get("userName").is_some();
            assert_eq!(named, !projection.contains("id") && !projection.contains("excluded"), "{projection}");
        }
        // Whether somebody may see what is asked for is asked anew.
        app.operate(Command::ConnectionCreate {
            tenant: FIRST_TENANT.to_owned(),
            name: "narrow".to_owned(),
            profile: "auto".to_owned(),
            options: rosterd::roster::ConnectionOptions { adopt: true, ..Default::default() },
        });
        let (narrow, _) = app.issue(FIRST_TENANT, "narrow", &["users:read"]);
        let first = narrow.get("/Users?cursor&count=2").expect(200).json();
        let path = format!("/Users?count=2&attributes=userName,groups&cursor={}", next(&first).unwrap());
        assert_eq!(narrow.get(&path).expect(200).json()["Resources"][0].get("groups"), None);
    });
}

#[test]
fn s89_a_cursor_of_another_query_connection_or_tenant_is_invalid() {
    let app = TestApp::start();
    people(&app, 5);
    let cursor = next(&app.get("/Users?cursor&count=2").expect(200).json()).unwrap();
    for query in [
        "filter=userName+pr&count=2",
        "sortBy=userName&count=2",
        "sortBy=userName&sortOrder=descending&count=2",
    ] {
        app.get(&format!("/Users?{query}&cursor={cursor}")).refused(400, Some("invalidCursor"));
    }
    for path in ["/Groups", ""] {
        app.get(&format!("{path}?count=2&cursor={cursor}")).refused(400, Some("invalidCursor"));
    }
    let path = format!("/Users?count=2&cursor={cursor}");
    let other = app.tenant("other");
    people(&other, 5);
    other.get(&path).refused(400, Some("invalidCursor"));
    app.strict().get(&path).refused(400, Some("invalidCursor"));
    let changed = format!("{}{}", &cursor[..cursor.len() - 1], if cursor.ends_with('A') { 'B' } else { 'A' });
    for forged in
        ["x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "%00", "%F0%9F%98%80", &changed, &"A".repeat(5000)]
    {
        app.get(&format!("/Users?count=2&cursor={forged}")).refused(400, Some("invalidCursor"));
    }
    app.get(&format!("{path}&startIndex=1")).refused(400, Some("invalidValue"));
    app.get(&format!("/Users?count=3&cursor={cursor}")).refused(400, Some("invalidCount"));
    app.get("/Users?cursor&count=x").refused(400, Some("invalidCount"));
    assert_eq!(app.get(&path).expect(200).json()["itemsPerPage"], 2, "what was refused has used nothing up");
}

#[test]
fn s89_a_cursor_is_good_for_the_connections_next_token_and_for_nobody_with_less() {
    let app = TestApp::start();
    let ids = people(&app, 3);
    app.operate(Command::ConnectionCreate {
        tenant: FIRST_TENANT.to_owned(),
        name: "turning".to_owned(),
        profile: "auto".to_owned(),
        options: rosterd::roster::ConnectionOptions { adopt: true, ..Default::default() },
    });
    let (old, old_id) = app.issue(FIRST_TENANT, "turning", &["users:read"]);
    let cursor = next(&old.get("/Users?cursor&count=2").expect(200).json()).unwrap();
    let path = format!("/Users?count=2&cursor={cursor}");
    let (new, _) = app.issue(FIRST_TENANT, "turning", &["users:read"]);
    assert_eq!(shown(&new.get(&path).expect(200), "/id"), [&*ids[2]]);
    app.operate(Command::TokenRevoke { id: old_id });
    old.get(&path).refused(401, None);
    let (less, _) = app.issue(FIRST_TENANT, "turning", &["groups:read"]);
    less.get(&path).refused(403, None);
}

#[test]
fn s89_a_cursor_expires_and_outlives_a_restart() {
    let mut app = TestApp::on(Engine::Redb);
    let ids = people(&app, 4);
    let cursor = next(&app.get("/Users?cursor&count=2").expect(200).json()).unwrap();
    app.restart();
    let path = format!("/Users?count=2&cursor={cursor}");
    assert_eq!(shown(&app.get(&path).expect(200), "/id"), &ids[2..]);
    let config = app.get("/ServiceProviderConfig").expect(200).json();
    assert_eq!(config["pagination"]["cursorTimeout"], CURSOR_SECONDS_MAX);
    app.clock().advance(CURSOR_SECONDS_MAX + 1);
    let detail = app.get(&path).refused(400, Some("expiredCursor"));
    assert!(detail.contains("600 seconds"), "{detail}");
}

#[test]
pub fn r21_whoever_is_there_throughout_is_met_exactly_once() {
    on_every_store(|app| {
        for query in [
            "/Users?count=3",
            "/Users?filter=title+ne+%22x%22&count=3",
            "/Users?sortBy=userName&count=3",
            "/Users?sortBy=userName&sortOrder=descending&count=3",
            "/Users?sortBy=meta.created&sortOrder=descending&count=3",
        ] {
            let name = |what: &str, number: usize| format!("{what}-{number:02}-{}", query.len());
            let stay: Vec<String> = (0..10)
                .map(|number| app.post("/Users", &user(&name("n", number))).expect(201).id())
                .collect();
            let mut go: Vec<String> = (0..10)
                .map(|number| app.post("/Users", &user(&name("m", number))).expect(201).id())
                .collect();
            let met = follow(&app, query, |page| {
                // Before and after the place that was reached somebody comes, somebody changes, somebody goes.
                let _ = app.post("/Users", &user(&name("a", page))).expect(201);
                let _ = app.post("/Users", &user(&name("z", page))).expect(201);
                let _ = app.patch(&format!("/Users/{}", stay[page % 10]), &replace("title", "y")).expect(200);
                if let Some(gone) = go.pop() {
                    let _ = app.delete(&format!("/Users/{gone}")).expect(204);
                }
            });
            for id in &stay {
                assert_eq!(met.iter().filter(|one| *one == id).count(), 1, "{query}");
            }
            let mut once = met.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), met.len(), "nobody is met twice: {query}");
        }
    });
}

#[test]
fn x15_a_cursor_shows_nothing_of_whom_it_points_at() {
    let app = TestApp::start();
    people(&app, 3);
    let page = app.get("/Users?sortBy=userName&cursor&count=2").expect(200).json();
    let again = app.get("/Users?sortBy=userName&cursor&count=2").expect(200).json();
    let cursor = next(&page).unwrap();
    assert!(!cursor.contains("u01") && !cursor.contains("dTAx"), "{cursor}");
    assert_eq!(page["Resources"], again["Resources"]);
}
