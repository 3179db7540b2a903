//! The feed of changes over the admin listener.

use std::time::{Duration, Instant};

use rosterd::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT};
use rosterd::outbox::feed::WAITERS_MAX;
use serde_json::{Value, json};

use crate::support::bodies::{replace, user};
use crate::support::{Client, Request, TestApp, until};

/// A client of the admin listener with these scopes.
pub fn reader(app: &TestApp, scopes: &[&str]) -> Client {
    let (client, _) = app.issue(FIRST_TENANT, "local", scopes);
    Client::new(app.daemon().admin(), client.token())
}

pub fn ask(client: &Client, query: &str) -> crate::support::Answer {
    client.send(&Request::new("GET", format!("/admin/v1/changes{query}")))
}

/// Reads everything after a number.
pub fn head(client: &Client) -> u64 {
    let mut after = 0;
    loop {
        let page = ask(client, &format!("?after={after}&limit=1000")).expect(200).json();
        after = page["next"].as_u64().unwrap();
        if page["next"] == page["head"] {
            return after;
        }
    }
}

#[test]
fn h13_the_feed_tells_each_change_with_old_and_new_and_nothing_else() {
    let app = TestApp::start();
    let reader = reader(&app, &["audit"]);
    let before = head(&reader);
    let id = app.post("/Users", &user("ada")).expect(201).id();
    let _ = app.patch(&format!("/Users/{id}"), &replace("title", "clerk")).expect(200);
    let _ = app.patch(&format!("/Users/{id}"), &replace("title", "chief")).expect(200);
    // Administration is none of it.
    app.issue(FIRST_TENANT, FIRST_CONNECTION, &[]);
    let _ = app.delete(&format!("/Users/{id}")).expect(204);
    let page = ask(&reader, &format!("?after={before}")).expect(200).json();
    let events = page["events"].as_array().unwrap();
    let whats: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(whats, ["user.created", "user.updated", "user.updated", "user.deleted"]);
    assert_eq!(events[2]["changes"], json!([{ "attribute": "title", "old": "clerk", "new": "chief" }]));
    assert!(events.iter().all(|event| event["resource"]["id"] == id.as_str()));
    let location = format!("{}/scim/v2/Users/{id}", crate::support::PUBLIC_URL);
    assert_eq!(events[0]["resource"]["$ref"], location);
    assert_eq!((&page["next"], &page["head"]), (&json!(before + 5), &json!(before + 5)));
    // Page by page it is the same, under the same ids.
    let (mut after, mut read) = (before, Vec::new());
    while after < before + 5 {
        let page = ask(&reader, &format!("?after={after}&limit=1")).expect(200).json();
        read.extend(page["events"].as_array().unwrap().iter().map(|event| event["id"].clone()));
        after = page["next"].as_u64().unwrap();
    }
    assert_eq!(read, events.iter().map(|event| event["id"].clone()).collect::<Vec<_>>());
}

#[test]
fn x4_the_feed_is_for_those_with_the_scope_audit() {
    let app = TestApp::start();
    let stranger = Client::new(app.daemon().admin(), "").stranger();
    assert_eq!(ask(&stranger, "").status, 401);
    assert_eq!(ask(&reader(&app, &[]), "").status, 403, "an identity provider");
    let reader = reader(&app, &["audit"]);
    assert_eq!(ask(&reader, "?since=1").status, 400);
    let ahead = ask(&reader, "?after=999999&wait_s=60").expect(400).json();
    assert!(ahead["detail"].as_str().unwrap().contains("where the history ends"), "{ahead}");
    // Nobody reads another tenant's.
    app.tenant("other").post("/Users", &user("mallory")).expect(201).id();
    assert!(!ask(&reader, "?limit=1000").expect(200).text().contains("mallory"));
}

#[test]
fn r16_a_reader_that_waits_is_woken_by_the_next_change() {
    let app = TestApp::start();
    let reader = reader(&app, &["audit"]);
    let after = head(&reader);
    let began = Instant::now();
    let page = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ask(&reader, &format!("?after={after}&wait_s=60")).expect(200).json());
        app.post("/Users", &user("ada")).expect(201).id();
        waiting.join().unwrap()
    });
    assert_eq!(page["events"].as_array().map(Vec::len), Some(1), "{page}");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let nothing = ask(&reader, &format!("?after={}&wait_s=1", page["next"])).expect(200).json();
    assert_eq!(nothing["events"], Value::Array(vec![]));
}

#[test]
fn r23_so_many_readers_wait_and_one_that_hangs_up_makes_room() {
    let app = TestApp::start();
    let reader = reader(&app, &["audit"]);
    let query = format!("?after={}&wait_s=60", head(&reader));
    let wait = || {
        let request = Request::new("GET", format!("/admin/v1/changes{query}"));
        let mut stream = reader.connect().unwrap();
        let bytes = request.bytes(reader.address(), Some(reader.token()));
        std::io::Write::write_all(&mut stream, &bytes).unwrap();
        stream
    };
    let mut waiting: Vec<_> = (0..WAITERS_MAX).map(|_| wait()).collect();
    let short = query.replace("wait_s=60", "wait_s=1");
    until("all places are taken", || {
        let full = ask(&reader, &short).status == 503;
        if !full {
            // Who asks may have had a place before the last of them.
            waiting.push(wait());
        }
        full
    });
    let others = Request::new("GET", "/metrics");
    assert_eq!(Client::new(app.daemon().admin(), "").stranger().send(&others).status, 200);
    drop(waiting);
    until("a place is free again", || ask(&reader, &short).status == 200);
}
