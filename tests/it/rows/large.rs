//! P11: large answers are made while they are sent, and cost what a few pages cost; and what else is said of lengths and versions.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rosterd::roster::MEMBERS_PAGE_ROWS;
use rosterd::store::Store;
use serde_json::{Value, json};

use crate::support::bodies::{group, replace, user};
use crate::support::{Client, Crowd, PUBLIC_URL, Request, TestApp, on_every_store, until};

/// Members of a page, and of three.
const PAGE: u64 = MEMBERS_PAGE_ROWS as u64;

fn around(store: &Arc<Crowd>) -> TestApp {
    TestApp::around(Arc::clone(store) as Arc<dyn Store>)
}

/// The members that a crowded group shows, and the ids of which it consists.
fn members(count: u64) -> Vec<Value> {
    let shown = |number| {
        let id = Crowd::member(number);
        json!({ "value": id.to_string(), "$ref": format!("{PUBLIC_URL}/scim/v2/Users/{id}"), "type": "User" })
    };
    (0..count).map(shown).collect()
}

/// Asks, and reads no more than the head of the answer.
fn begin(app: &TestApp, path: &str) -> (TcpStream, String) {
    let mut stream = app.connect().unwrap();
    let request = Request::scim("GET", path).bytes(app.address(), Some(app.token()));
    stream.write_all(&request).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (stream, String::from_utf8(head).unwrap().to_ascii_lowercase())
}

#[test]
fn perf11_a_group_of_any_size_is_shown_with_all_its_members() {
    let store = Crowd::of(0);
    let app = around(&store);
    let path = format!("/Groups/{}", app.post("/Groups", &group("Crew", &[])).expect(201).id());
    for count in [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, 9 * PAGE, 100_000] {
        // With none of its own, the store shows those that the group really has, which are none either.
        store.members.store(count, Ordering::SeqCst);
        let answer = app.get(&path).expect(200);
        let shown = answer.json();
        assert_eq!(shown["members"].as_array().unwrap().len() as u64, count);
        assert_eq!(shown["members"], Value::from(members(count)), "{count} members");
        assert_eq!(shown["displayName"], "Crew");
        assert_eq!(shown["meta"]["version"], Value::from(answer.etag()));
        // What is small is sent with its length, as ever.
        assert_eq!(answer.header("content-length").is_some(), count <= 3 * PAGE, "{count} members");
        let ids = app.get(&format!("{path}?attributes=members.value")).expect(200).json();
        assert_eq!(ids["members"].as_array().unwrap().len() as u64, count);
        assert!(ids["members"].as_array().unwrap().iter().all(|one| one.as_object().unwrap().len() == 1));
        assert_eq!(app.get(&format!("{path}?excludedAttributes=members")).json().get("members"), None);
    }
    // What is made while it is sent is counted all the same.
    let admin = Client::new(app.daemon().admin(), app.token());
    let page = admin.send(&Request::new("GET", "/metrics")).expect(200).text();
    let counted = page.lines().find_map(|line| line.strip_prefix("rosterd_http_answer_bytes_total "));
    assert!(counted.unwrap().parse::<usize>().unwrap() > 100_000 * 150, "{counted:?}");
    assert_eq!(
        store.rows_at_once.load(Ordering::SeqCst),
        MEMBERS_PAGE_ROWS,
        "more than a page was read at once"
    );
}

#[test]
fn perf11_lists_and_the_answers_of_writes_show_crowded_groups_as_a_read_does() {
    const COUNT: u64 = 5_000;
    let store = Crowd::of(COUNT);
    let app = around(&store);
    let created = app.post("/Groups", &group("Crew", &[])).expect(201);
    assert_eq!(created.json()["members"], Value::from(members(COUNT)));
    assert!(created.header("location").is_some() && created.header("content-length").is_none());
    let path = format!("/Groups/{}", created.id());
    let read = app.get(&path).expect(200);
    assert_eq!(created.json(), read.json());

    let patched =
        app.patch(&format!("{path}?attributes=members,displayName"), &replace("displayName", "Band"));
    assert_eq!(patched.expect(200).json()["members"], Value::from(members(COUNT)));
    let put =
        app.put(&path, &json!({ "schemas": group("", &[])["schemas"], "displayName": "Team" })).expect(200);
    let read = app.get(&path).expect(200);
    assert_eq!((put.json(), put.etag()), (read.json(), read.etag()));

    assert_eq!(app.post("/Groups", &group("Other", &[])).status, 201);
    let list = app.get("/Groups?count=2").expect(200);
    assert_eq!(list.header("content-length"), None);
    let list = list.json();
    assert_eq!(
        (&list["totalResults"], &list["itemsPerPage"], &list["startIndex"]),
        (&2.into(), &2.into(), &1.into())
    );
    assert_eq!(list["Resources"][0], read.json());
    assert_eq!(list["Resources"][1]["members"], Value::from(members(COUNT)));
}

#[test]
fn perf11_a_client_that_does_not_read_costs_a_few_pages_and_keeps_nobody_waiting() {
    // 60 MB, of which the sockets between us hold a part.
    const COUNT: u64 = 400_000;
    let store = Crowd::of(COUNT);
    let app = around(&store);
    let path = format!(
        "/Groups/{}?excludedAttributes=meta",
        app.post("/Groups", &group("Crew", &[])).expect(201).id()
    );
    until("the end of the answer to the creation", || store.held.load(Ordering::SeqCst) == 0);
    store.pages.store(0, Ordering::SeqCst);
    let slow: Vec<_> = (0..2).map(|_| begin(&app, &path)).collect();
    assert!(slow.iter().all(|(_, head)| head.contains("transfer-encoding: chunked")), "{}", slow[0].1);
    // Reading comes to a halt by itself.
    until("a stop of the reading that nobody takes", || {
        let before = store.pages.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(100));
        before == store.pages.load(Ordering::SeqCst)
    });
    let pages = store.pages.load(Ordering::SeqCst);
    let all = 2 * usize::try_from(COUNT / PAGE).unwrap();
    assert!(pages < all / 4, "{pages} pages of {all} were read although nobody takes them");
    // Others are served meanwhile, writers and readers of the same group.
    for number in 0..50 {
        assert_eq!(app.post("/Users", &user(&format!("u{number}"))).status, 201);
    }
    assert_eq!(app.get(&format!("{path},members")).expect(200).json()["displayName"], "Crew");
    assert_eq!(store.pages.load(Ordering::SeqCst), pages);
    drop(slow);
    until("the end of what is held for clients that have gone", || store.held.load(Ordering::SeqCst) == 0);
}

#[test]
fn perf11_an_answer_that_cannot_be_finished_is_broken_off() {
    let store = Crowd::of(20_000);
    let app = around(&store);
    let path = format!("/Groups/{}", app.post("/Groups", &group("Crew", &[])).expect(201).id());
    until("the end of the answer to the creation", || store.held.load(Ordering::SeqCst) == 0);
    store.pages.store(0, Ordering::SeqCst);
    store.fails_after.store(20, Ordering::SeqCst);
    for path in [path.as_str(), "/Groups"] {
        store.pages.store(0, Ordering::SeqCst);
        let (stream, head) = begin(&app, path);
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let mut rest = Vec::new();
        // However it ends, not with the last chunk.
        let _ = (&stream).read_to_end(&mut rest);
        assert!(rest.len() > 100_000 && !rest.ends_with(b"0\r\n\r\n"), "{} bytes", rest.len());
    }
    // What fails before the first byte has a status of its own.
    store.fails_after.store(1, Ordering::SeqCst);
    app.get(&path).refused(500, None);
    store.fails_after.store(0, Ordering::SeqCst);
    assert_eq!(app.get(&path).expect(200).json()["members"].as_array().unwrap().len(), 20_000);
}

// Rows: S151.
#[test]
fn perf11_an_answer_without_a_body_does_not_lie_about_its_length() {
    let app = around(&Crowd::of(5_000));
    let crowded = format!("/Groups/{}", app.post("/Groups", &group("Crew", &[])).expect(201).id());
    let small = format!("/Users/{}", app.post("/Users", &user("ada")).expect(201).id());
    for path in [&crowded, &small] {
        let full = app.get(path).expect(200);
        let head = app.send(&Request::scim("HEAD", path)).expect(200);
        assert_eq!(head.header("content-length"), full.header("content-length"), "{:?}", head.headers);
        assert_eq!((head.etag(), head.header("content-type")), (full.etag(), full.header("content-type")));
        for method in ["GET", "HEAD"] {
            for known in ["*", &full.etag()] {
                let same = app.send(&Request::scim(method, path).header("If-None-Match", known)).expect(304);
                assert_eq!(
                    (same.header("content-length"), same.etag()),
                    (None, full.etag()),
                    "{method} {known}"
                );
            }
        }
    }
    let gone = app.delete(&small).expect(204);
    assert_eq!(gone.header("content-length"), None);
}

// Rows: S152.
#[test]
fn s152_a_write_that_expects_nothing_there_or_another_version_is_refused() {
    on_every_store(|app| {
        for (path, body) in [("/Users", user("ada")), ("/Groups", group("Crew", &[]))] {
            let made = app.post(path, &body).expect(201);
            let path = format!("{path}/{}", made.id());
            let changed = json!({ "schemas": body["schemas"], "userName": "eve", "displayName": "Eve" });
            let requests = [
                Request::scim("PUT", &path).json(&changed),
                Request::scim("PATCH", &path).json(&replace("displayName", "Eve")),
                Request::scim("DELETE", &path),
            ];
            for request in &requests {
                for known in ["*", &made.etag(), &format!("\"x\", {}", made.etag())] {
                    app.send(&request.clone().header("If-None-Match", known)).refused(412, None);
                }
                let both = request.clone().header("If-Match", made.etag()).header("If-None-Match", "*");
                app.send(&both).refused(412, None);
            }
            assert_eq!(app.get(&path).expect(200).json(), made.json(), "a refused write changed something");
            let other = requests[0].clone().header("If-None-Match", "W/\"1000000\"");
            assert_eq!(app.send(&other).status, 200);
            // PUT never creates, so nothing is there to be expected.
            assert_eq!(app.delete(&path).status, 204);
            app.send(&requests[0].clone().header("If-None-Match", "*")).refused(404, None);
        }
    });
}

/// Operations that each create somebody.
fn creations(count: usize) -> Vec<Value> {
    let one = |number: usize| {
        let name = format!("u{number}");
        // What is followed by a change is not written side by side with others.
        json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": user(&name) })
    };
    let rename = |number: usize| json!({ "method": "PATCH", "path": format!("/Users/bulkId:u{number}"), "data": replace("title", "CTO") });
    (0..count).flat_map(|number| [one(number), rename(number)]).collect()
}

fn bulk(operations: &[Value]) -> Request {
    let body =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    Request::scim("POST", "/Bulk").json(&body)
}

#[test]
fn perf11_a_bulk_answer_is_sent_as_its_operations_are_done() {
    let store = Crowd::of(0);
    let app = around(&store);
    let mut stream = app.connect().unwrap();
    store.allow(Some(1));
    stream.write_all(&bulk(&creations(2)).bytes(app.address(), Some(app.token()))).unwrap();
    // The first operation is told of while the second waits.
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("\"status\":\"201\"") {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..count]);
    }
    let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200") && head.contains("transfer-encoding: chunked"), "{head}");
    assert_eq!(head.matches("\"status\"").count(), 1, "{head}");
    store.allow(None);
    while !answer.ends_with(b"0\r\n\r\n") {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..count]);
    }

    let told = app.send(&bulk(&creations(2))).expect(200).json();
    let statuses: Vec<&str> =
        told["Operations"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["409", "409", "409", "409"], "twice creates nothing twice");
    // A request that is refused as a whole is refused with its status.
    app.send(&bulk(&[])).refused(400, Some("invalidSyntax"));
}

#[test]
fn perf11_a_bulk_answer_that_cannot_be_finished_is_broken_off_and_what_was_done_is_done() {
    let store = Crowd::of(0);
    let app = around(&store);
    store.panics_after.store(store.units.load(Ordering::SeqCst) + 4, Ordering::SeqCst);
    let stream = app.connect().unwrap();
    (&stream).write_all(&bulk(&creations(4)).bytes(app.address(), Some(app.token()))).unwrap();
    let mut answer = Vec::new();
    let _ = (&stream).read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.ends_with("0\r\n\r\n"), "{answer}");
    assert_eq!(answer.matches("\"status\"").count(), 4, "{answer}");
    store.panics_after.store(0, Ordering::SeqCst);
    assert_eq!(app.get("/Users").expect(200).json()["totalResults"], 2);
}

#[test]
fn a_bulk_request_whose_client_hangs_up_goes_on_to_its_end() {
    let store = Crowd::of(0);
    let app = around(&store);
    let units = store.units.load(Ordering::SeqCst);
    store.allow(Some(1));
    let mut stream = app.connect().unwrap();
    let operations = creations(3);
    stream.write_all(&bulk(&operations).bytes(app.address(), Some(app.token()))).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    drop(stream);
    store.allow(None);
    until("the end of what was begun", || store.units.load(Ordering::SeqCst) - units == operations.len());
    assert_eq!(app.get("/Users").expect(200).json()["totalResults"], 3);
}
