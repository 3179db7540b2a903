//! X74, X75, R8, R27: when what decides cannot be asked, the answer is no.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rosterd::ids::TenantId;
use rosterd::store::failpoints::{Fault, Point, arm};
use rosterd::store::memory::MemoryStore;
use rosterd::store::{Finding, Health, Outcome, Snapshot, Space, State, Store, StoreError, Unit, Write};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::bodies::{group, replace, user};
use crate::support::world::must_agree;
use crate::support::{Answer, Engine, Request, TestApp};

/// Where the store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum At {
    Nothing,
    Reads,
    Writes,
}

/// A store that fails on demand, in front of one that does not.
struct Failing {
    inner: MemoryStore,
    at: AtomicU8,
    error: Mutex<StoreError>,
    state: Mutex<State>,
}

impl Failing {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(),
            at: AtomicU8::new(At::Nothing as u8),
            error: Mutex::new(StoreError::Retry(String::new())),
            state: Mutex::new(State::Ready),
        })
    }

    fn fail(&self, at: At, error: StoreError) {
        *self.error.lock().unwrap() = error;
        self.at.store(at as u8, Ordering::SeqCst);
    }

    fn heal(&self) {
        self.at.store(At::Nothing as u8, Ordering::SeqCst);
    }

    fn pass(&self, at: At) -> Result<(), StoreError> {
        if self.at.load(Ordering::SeqCst) == at as u8 {
            Err(self.error.lock().unwrap().clone())
        } else {
            Ok(())
        }
    }
}

impl Store for Failing {
    fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError> {
        self.pass(At::Writes)?;
        self.inner.commit(tenant, unit)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.pass(At::Reads)?;
        self.inner.snapshot()
    }

    fn health(&self) -> Health {
        Health { state: *self.state.lock().unwrap(), ..self.inner.health() }
    }

    fn check(&self, progress: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError> {
        self.inner.check(progress)
    }
}

/// Fails unless the answer refuses, says nothing of the inside, and tells when to come back where that makes sense.
#[track_caller]
fn is_no(answer: &Answer, status: u16) {
    answer.refused(status, None);
    assert!(!answer.text().contains("canary"), "{}", answer.text());
    let waits = answer.header("retry-after").map(|seconds| seconds.parse::<u32>().unwrap());
    assert_eq!(waits.is_some(), matches!(status, 503 | 507), "{waits:?}");
}

fn failures() -> [(StoreError, u16); 5] {
    let cause = || "canary: /var/lib/secret".to_owned();
    [
        (StoreError::Retry(cause()), 503),
        (StoreError::Full(cause()), 507),
        (StoreError::Invalid(cause()), 500),
        (StoreError::Corrupt(cause()), 500),
        (StoreError::Fatal(cause()), 500),
    ]
}

#[test]
fn x74_when_nothing_can_be_written_nothing_is_said_to_be_done_and_reads_go_on() {
    let store = Failing::new();
    let app = TestApp::around(Arc::clone(&store) as Arc<dyn Store>);
    let ada = app.post("/Users", &user("ada")).expect(201).json();
    let path = format!("/Users/{}", ada["id"].as_str().unwrap());
    let (reader, _) = app.issue("main", "idp", &["users:read"]);
    for (error, status) in failures() {
        store.fail(At::Writes, error);
        is_no(&app.post("/Users", &user("eve")), status);
        is_no(&app.put(&path, &json!({ "userName": "eve" })), status);
        is_no(&app.patch(&path, &replace("active", false)), status);
        is_no(&app.delete(&path), status);
        is_no(&app.post("/Groups", &group("crowd", &[])), status);
        assert_eq!(app.get(&path).expect(200).json(), ada);
        assert_eq!(app.find("/Users", "userName eq \"ada\"").expect(200).json()["Resources"][0], ada);
        // The refusal cannot be written down; refused it is all the same.
        assert!(matches!(reader.delete(&path).status, 403 | 500 | 503 | 507));
        store.heal();
        assert_eq!(app.get("/Users").expect(200).json()["totalResults"], 1);
    }
    let _ = app.patch(&path, &replace("title", "CTO")).expect(200);
}

#[test]
fn x74_when_nothing_can_be_read_nobody_is_let_in() {
    let store = Failing::new();
    let app = TestApp::around(Arc::clone(&store) as Arc<dyn Store>);
    let ada = app.post("/Users", &user("ada")).expect(201).id();
    let (unseen, _) = app.issue("main", "idp", &[]);
    for (error, status) in failures() {
        store.fail(At::Reads, error);
        // A credential that was not looked up yet, one that was, and one that does not exist.
        for client in [&unseen, &*app, &app.with("rost_nobody")] {
            is_no(&client.get("/Users"), status);
            is_no(&client.get(&format!("/Users/{ada}")), status);
            is_no(&client.post("/Users", &user("eve")), status);
        }
        is_no(&unseen.get("/ServiceProviderConfig"), status);
        app.stranger().get("/Users").refused(401, None);
        let _ = app.send(&Request::new("GET", "/livez")).expect(200);
        store.heal();
    }
    assert_eq!(unseen.get("/Users").expect(200).json()["totalResults"], 1);
    app.with("rost_nobody").get("/Users").refused(401, None);
}

#[test]
fn x75_a_token_that_points_to_no_tenant_or_connection_opens_nothing() {
    let app = TestApp::start();
    let secret = "an-orphan-0123456789abcdef0123456789";
    for pointer in [
        json!({ "tenant": 77, "connection": "0192f0c1-2b3c-7def-8123-456789abcdef" }),
        json!({ "tenant": 1, "connection": "0192f0c1-2b3c-7def-8123-456789abcdef" }),
        json!({ "tenant": 0, "connection": "00000000-0000-0000-0000-000000000000" }),
        json!({ "tenant": 1, "connection": "00000000-0000-0000-0000-000000000000" }),
    ] {
        let write = Write::Small {
            space: Space(2),
            key: Sha256::digest(secret).to_vec(),
            value: Some(pointer.to_string().into_bytes()),
        };
        let unit = Unit { given: vec![], writes: vec![write], log: None };
        app.roster().store().commit(TenantId::SYSTEM, unit).unwrap();
        app.with(secret).get("/Users").refused(401, None);
        app.with(secret).post("/Users", &user("eve")).refused(401, None);
    }
    assert_eq!(app.get("/Users").expect(200).json()["totalResults"], 0);
}

#[test]
fn r27_alive_needs_nothing_and_ready_is_red_while_the_store_takes_no_writes() {
    let store = Failing::new();
    let app = TestApp::around(Arc::clone(&store) as Arc<dyn Store>);
    let probe = |path: &str| app.stranger().send(&Request::new("GET", path));
    for (state, status, word) in [
        (State::Ready, 200, "ready"),
        (State::Poisoned, 503, "store poisoned"),
        (State::Full, 503, "disk full"),
        (State::Ready, 200, "ready"),
    ] {
        *store.state.lock().unwrap() = state;
        let ready = probe("/readyz").expect(status);
        assert!(ready.text().contains(word), "{state:?}: {}", ready.text());
        assert_eq!(ready.header("retry-after").is_some(), status == 503);
        assert_eq!(probe("/livez").expect(200).text(), "alive");
    }
    store.fail(At::Reads, StoreError::Fatal(String::new()));
    let _ = probe("/livez").expect(200);
    store.heal();
}

/// Asks until the answer is the one hoped for; until then it must be 503 with a time to come back.
fn await_status(status: u16, ask: impl Fn() -> Answer) -> Answer {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = ask();
        if answer.status == status {
            return answer;
        }
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.header("retry-after").is_some() && Instant::now() < patience, "{}", answer.text());
        std::thread::yield_now();
    }
}

#[test]
fn r8_x74_wherever_the_disk_fails_no_write_is_said_to_be_done_that_was_not() {
    let mut app = TestApp::on(Engine::Redb);
    let place = app.folder().join("roster.redb").display().to_string();
    let mut acknowledged = BTreeSet::new();
    let mut refused = 0;
    for point in Point::OF_A_BATCH {
        for fault in [Fault::Error, Fault::Full, Fault::Panic] {
            let name = |when: &str| format!("{}-{fault:?}-{when}", point.name()).to_lowercase();
            let _ = app.post("/Users", &user(&name("before"))).expect(201);
            acknowledged.insert(name("before"));
            let armed = arm(point, &place, fault, 0);
            let answer = app.post("/Users", &user(&name("during")));
            assert!(matches!(answer.status, 500 | 503 | 507), "{point:?} {fault:?}: {}", answer.text());
            armed.wait_until_struck(1);
            refused += 1;
            // Reads go on, and see what was acknowledged.
            let found = app.find("/Users", &format!("userName eq \"{}\"", name("before"))).expect(200).json();
            assert_eq!(found["totalResults"], 1, "{point:?} {fault:?}");
            drop(armed);
            let _ = await_status(200, || app.send(&Request::new("GET", "/readyz")));
            let _ = app.post("/Users", &user(&name("after"))).expect(201);
            acknowledged.insert(name("after"));
        }
    }
    assert_eq!(refused, 15);
    for (point, fault) in [
        (Point::TreeBefore, Fault::Full),
        (Point::CommitBefore, Fault::Panic),
        (Point::TreeAfter, Fault::Error),
    ] {
        let name = format!("{}-{fault:?}", point.name()).to_lowercase();
        let armed = arm(point, &place, fault, 0);
        let _ = app.post("/Users", &user(&name)).expect(201);
        acknowledged.insert(name.clone());
        // What was acknowledged is on its way into the tree, and does not arrive.
        armed.wait_until_struck(2);
        let _ = await_status(503, || app.send(&Request::new("GET", "/readyz")));
        let found = app.find("/Users", &format!("userName eq \"{name}\"")).expect(200).json();
        assert_eq!(found["totalResults"], 1, "{point:?} {fault:?}");
        drop(armed);
        let _ = await_status(200, || app.send(&Request::new("GET", "/readyz")));
    }
    for _ in 0..2 {
        let seen = must_agree(&app);
        let names: BTreeSet<String> =
            seen.users.values().map(|user| user["userName"].as_str().unwrap().to_owned()).collect();
        let beyond: Vec<&String> = names.difference(&acknowledged).collect();
        assert!(acknowledged.is_subset(&names), "lost: {:?}", acknowledged.difference(&names));
        assert!(beyond.iter().all(|name| name.ends_with("during")), "{beyond:?}");
        app.restart();
    }
}
