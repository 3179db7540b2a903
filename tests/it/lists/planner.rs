//! What indexes answer, seen from outside: the same as a look at every record (S70, S72, S83).

use serde_json::json;

use super::shown;
use crate::support::bodies::{group, replace, user};
use crate::support::on_every_store;

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
