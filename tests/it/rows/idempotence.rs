//! R17: what is repeated changes nothing: no version, no entry in the history.

use rosterd::ids::TenantId;
use serde_json::json;

use crate::support::bodies::{add_members, group, patch, replace, user};
use crate::support::world::history;
use crate::support::{Answer, TestApp, on_every_store};

/// Does something that must be answered like this and leave no trace.
#[track_caller]
fn changes_nothing(app: &TestApp, watched: &[&str], act: impl FnOnce() -> Answer, status: u16) {
    let look = || -> Vec<Answer> { watched.iter().map(|path| app.get(path).expect(200)).collect() };
    let essence = |answers: Vec<Answer>| answers.iter().map(Answer::essence).collect::<Vec<_>>();
    let before = (essence(look()), history(app.roster(), TenantId::new(1)));
    let _ = act().expect(status);
    assert_eq!((essence(look()), history(app.roster(), TenantId::new(1))), before);
}

#[test]
pub fn r17_what_is_repeated_changes_neither_version_nor_history() {
    on_every_store(|app| {
        let mut body = user("ada@acme.test");
        body["emails"] = json!([{ "value": "ada@acme.test", "type": "work", "primary": true }]);
        body["externalId"] = "e-1".into();
        let made = app.post("/Users", &body).expect(201);
        let ada = made.id();
        let person = format!("/Users/{ada}");
        let crowd = app.post("/Groups", &group("crowd", &[&ada])).expect(201).id();
        let crowd = format!("/Groups/{crowd}");
        let watched = [person.as_str(), crowd.as_str(), "/Users", "/Groups"];

        changes_nothing(&app, &watched, || app.post("/Users", &body), 409);
        changes_nothing(&app, &watched, || app.post("/Groups", &group("crowd", &[])), 409);
        changes_nothing(&app, &watched, || app.put(&person, &body), 200);
        changes_nothing(&app, &watched, || app.put(&person, &made.json()), 200);
        changes_nothing(&app, &watched, || app.patch(&person, &replace("active", true)), 200);
        changes_nothing(&app, &watched, || app.patch(&person, &replace("userName", "ada@acme.test")), 200);
        let same = patch(&[
            json!({ "op": "add", "path": "emails", "value": [{ "value": "ada@acme.test", "type": "work" }] }),
        ]);
        changes_nothing(&app, &watched, || app.patch(&person, &same), 200);
        let nobody = patch(&[json!({ "op": "remove", "path": "title" })]);
        changes_nothing(&app, &watched, || app.patch(&person, &nobody), 200);
        changes_nothing(&app, &watched, || app.patch(&crowd, &add_members(&[&ada])), 204);
        changes_nothing(&app, &watched, || app.put(&crowd, &group("crowd", &[&ada])), 200);
        let stranger = patch(&[
            json!({ "op": "remove", "path": "members[value eq \"0192f0c1-2b3c-7def-8123-456789abcdef\"]" }),
        ]);
        changes_nothing(&app, &watched, || app.patch(&crowd, &stranger), 204);
        // A rename to the same name in other letters is a change of what is shown.
        let renamed = app.patch(&person, &replace("userName", "Ada@acme.test")).expect(200);
        assert_eq!(renamed.json()["userName"], "Ada@acme.test");

        let _ = app.delete(&person).expect(204);
        changes_nothing(&app, &[&crowd, "/Users", "/Groups"], || app.delete(&person), 404);
    });
}
