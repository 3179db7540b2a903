//! What the history says beside the attributes of one record: who belonged together, and what a credential opened.

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::ids::TenantId;
use rosterd::roster::Command;
use rosterd::store::Change;
use serde_json::{Value, json};

use crate::support::bodies::{group, user};
use crate::support::world::{history, said};
use crate::support::{TestApp, on_every_store};

/// Returns what the newest entry says of an attribute.
fn newest(app: &TestApp, attribute: &str) -> (Option<Value>, Option<Value>) {
    let rows = said(&history(app.roster(), TenantId::new(1)));
    let (_, values) = rows.last().unwrap();
    let Change { old, new, .. } =
        values.changes.iter().find(|change| change.attribute == attribute).expect("the attribute").clone();
    (old, new)
}

#[test]
fn a_removal_says_who_belonged_to_a_group_and_to_which_groups_somebody_belonged() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let bob = app.post("/Users", &user("bob")).expect(201).id();
        let crew = app.post("/Groups", &group("Crew", &[&ada, &bob])).expect(201).id();
        let all = app.post("/Groups", &group("All", &[&ada, &crew])).expect(201).id();
        let _ = app.delete(&format!("/Users/{ada}")).expect(204);
        assert_eq!(newest(&app, "groups"), (Some(json!([crew, all])), None));
        let _ = app.delete(&format!("/Groups/{crew}")).expect(204);
        assert_eq!(newest(&app, "members"), (Some(json!([bob])), None));
        assert_eq!(newest(&app, "groups"), (Some(json!([all])), None));
    });
}

#[test]
fn the_making_and_the_end_of_a_token_say_what_it_opened() {
    let app = TestApp::start();
    let (_, id) = app.issue(FIRST_TENANT, "local", &["users:read", "admin"]);
    let (old, new) = newest(&app, "token");
    let told = new.unwrap();
    assert_eq!((old, &told["id"], &told["connection"]), (None, &json!(id), &json!("local")));
    assert_eq!(told["scopes"], json!(["users:read", "admin"]));
    assert!(told["expires"].is_string(), "{told}");
    app.operate(Command::TokenRevoke { id });
    assert_eq!(newest(&app, "token"), (Some(told), None));
    let _ = app.connection(FIRST_TENANT, "second", "strict");
    let rows = said(&history(app.roster(), TenantId::new(1)));
    let mut made = rows.iter().flat_map(|(_, values)| &values.changes);
    let made = made.rfind(|change| change.attribute == "connection").unwrap().new.clone().unwrap();
    assert_eq!((&made["name"], &made["profile"]), (&json!("second"), &json!("strict")));
}

#[test]
fn a_client_that_does_not_stop_asking_for_what_it_may_not_have_does_not_fill_the_history() {
    let app = TestApp::start();
    let (reader, _) = app.issue(FIRST_TENANT, "local", &["users:read"]);
    let entries = || history(app.roster(), TenantId::new(1)).len();
    let before = entries();
    for _ in 0..200 {
        reader.post("/Groups", &group("Crew", &[])).refused(403, None);
    }
    // The clock ticks: they fall into one minute, or into two.
    let written = entries() - before;
    assert!((60..=120).contains(&written), "{written}");
    app.clock().advance(60);
    reader.post("/Groups", &group("Crew", &[])).refused(403, None);
    let rows = said(&history(app.roster(), TenantId::new(1)));
    let notes = &rows.last().unwrap().0.notes;
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].ends_with("more were refused to this credential before, and not written down"),
        "{notes:?}"
    );
}
