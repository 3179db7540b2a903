//! X63: of a person who was deleted nothing is left but that there was one.

use std::path::Path;

use rosterd::app::bootstrap::FIRST_CONNECTION;
use rosterd::ids::TenantId;
use rosterd::roster::Command;
use rosterd::store::redb::RedbOptions;
use rosterd::store::redb::compact::compact;
use serde_json::{Value, json};

use super::support::{Admin, problem};
use crate::support::bodies::{add_members, group, replace, user};
use crate::support::world::history;
use crate::support::{Engine, TestApp, on_every_store};

const CANARIES: [&str; 4] = ["canary-name", "canary-title", "canary-external", "canary-shadow"];

/// Somebody with a name, a title, an externalId, something that no schema knows, and a group; deleted.
fn made_and_deleted(app: &TestApp) -> String {
    let mut body = user("canary-name@acme.test");
    body["title"] = "canary-title".into();
    body["externalId"] = "canary-external".into();
    body["favourite"] = "canary-shadow".into();
    let ada = app.post("/Users", &body).expect(201).id();
    let crowd = app.post("/Groups", &group("company", &[])).expect(201).id();
    let _ = app.patch(&format!("/Groups/{crowd}"), &add_members(&[&ada])).expect(204);
    let path = format!("/Users/{ada}");
    let _ = app.patch(&path, &replace("title", "canary-title of another kind")).expect(200);
    assert_eq!(app.delete(&path).status, 204);
    ada
}

fn found_in(folder: &Path) -> Vec<&'static str> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let Ok(bytes) = std::fs::read(entry.unwrap().path()) else { continue };
        let holds = |word: &str| bytes.windows(word.len()).any(|part| part == word.as_bytes());
        found.extend(CANARIES.into_iter().filter(|word| holds(word)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn x63_what_was_erased_is_in_no_answer_and_in_no_file() {
    let mut app = TestApp::on(Engine::Redb);
    let ada = made_and_deleted(&app);
    let everything = |app: &TestApp| {
        let admin = Admin::of(app, &["admin"]);
        let auditor = Admin::of(app, &["audit", "financials"]);
        let seen = admin.get(&format!("/connections/{FIRST_CONNECTION}/requests?bodies=true&limit=200"));
        let report = admin.get(&format!("/connections/{FIRST_CONNECTION}/report"));
        let audit = auditor.get("/audit/export");
        [seen, report, audit].map(|answer| answer.expect(200).text()).concat()
    };
    let before = everything(&app);
    assert!(CANARIES.iter().all(|word| before.contains(word)), "the test looks in the right places");
    assert_eq!(found_in(app.folder()), {
        let mut all = CANARIES;
        all.sort_unstable();
        all
    });

    let admin = Admin::of(&app, &["admin"]);
    let erased = admin.send("POST", &format!("/users/{ada}/erase"), None).expect(200).json();
    assert_eq!(erased, json!({ "entries": 3 }));
    let after = everything(&app);
    for word in CANARIES {
        assert!(!after.contains(word), "{word} in {after}");
    }
    // The chain is whole, and that it was erased stands in it, with who did it.
    let auditor = Admin::of(&app, &["audit"]);
    let told: Vec<Value> = auditor.all(&format!("/audit?subject={ada}"), 200);
    let actions: Vec<&Value> = told.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["create", "patch", "delete", "erase"]);
    assert!(told[..3].iter().all(|entry| entry["changes"].is_null()));
    let mut link = rosterd::store::Link::default();
    for row in history(app.roster(), TenantId::new(1)) {
        assert!(row.follows(link));
        link = row.link;
    }

    app.restart_after(|folder| {
        let done = compact(folder, &RedbOptions::default()).unwrap();
        assert!(done.after <= done.before);
        assert_eq!(found_in(folder), [""; 0]);
    });
    assert_eq!(app.get("/Groups").expect(200).json()["totalResults"], 1);
    assert!(!everything(&app).contains("canary"));
}

#[test]
fn x63_only_who_is_gone_is_erased_and_twice_is_as_once() {
    on_every_store(|app| {
        let admin = Admin::of(&app, &["admin"]);
        let erase = |id: &str| admin.send("POST", &format!("/users/{id}/erase"), None);
        let eve = app.post("/Users", &user("eve")).expect(201).id();
        let crowd = app.post("/Groups", &group("crowd", &[&eve])).expect(201).id();
        assert!(problem(&erase(&eve), 409).contains("delete them first"));
        problem(&erase("0192f0c1-2b3c-7def-8123-456789abcdef"), 404);
        problem(&erase("eve"), 404);
        assert!(problem(&erase(&crowd), 404).contains("no person"));
        let auditor = Admin::of(&app, &["audit"]);
        let about = |id: &str| auditor.all(&format!("/audit?subject={id}"), 200);
        assert!(about(&eve).iter().chain(&about(&crowd)).all(|entry| entry["changes"].is_array()));

        let ada = made_and_deleted(&app);
        assert_eq!(erase(&ada).expect(200).json()["entries"], 3);
        assert_eq!(erase(&ada).expect(200).json()["entries"], 0);
        assert_eq!(about(&ada).iter().filter(|entry| entry["action"] == "erase").count(), 2);
        assert!(about(&eve).iter().all(|entry| entry["changes"].is_array()), "others keep theirs");
    });
}

#[test]
fn x63_who_was_erased_administers_nothing_and_has_no_token() {
    let app = TestApp::start();
    let ada = app.post("/Users", &user("ada")).expect(201).id();
    let _bound = Admin::bound(&app, "main", &["users:read"], Some(&ada));
    assert_eq!(app.delete(&format!("/Users/{ada}")).status, 204);
    app.operate(Command::Erase { tenant: "main".to_owned(), person: ada.clone() });
    let admin = Admin::of(&app, &["admin"]);
    assert!(admin.all("/tokens", 200).iter().all(|token| token["person"] != ada.as_str()));
}
