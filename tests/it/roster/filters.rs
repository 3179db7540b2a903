//! Which resources a filter means, whatever leads to them: a key, an index or a look at everybody.

use rosterd::app::bootstrap::FIRST_TENANT;
use serde_json::json;

use crate::support::bodies::{group, user};
use crate::support::{Client, on_every_store};

fn total(client: &Client, path: &str, filter: &str) -> u64 {
    client.find(path, filter).expect(200).json()["totalResults"].as_u64().unwrap()
}

#[test]
fn an_external_id_is_the_clients_own_in_whatever_way_it_is_asked_for() {
    on_every_store(|app| {
        let other = app.connection(FIRST_TENANT, "other", "auto");
        for (client, name) in [(&*app, "ada"), (&other, "bob")] {
            let mut body = user(name);
            body["externalId"] = "e-1".into();
            let _ = client.post("/Users", &body).expect(201);
        }
        for (filter, first, second) in [
            ("externalId eq \"e-1\"", 1, 1),
            ("externalId eq \"e-1\" and userName eq \"ada\"", 1, 0),
            ("userName eq \"ada\" and externalId eq \"e-1\"", 1, 0),
            ("userName eq \"ada\" and externalId pr", 1, 0),
            ("externalId sw \"e\"", 1, 1),
            ("externalId eq \"e-1\" or userName eq \"nobody\"", 1, 1),
            ("not (externalId pr)", 0, 1),
        ] {
            assert_eq!(total(&app, "/Users", filter), first, "{filter}");
            assert_eq!(total(&other, "/Users", filter), second, "{filter}");
        }
        // Whoever administers the tenant belongs to no connection, and sees everybody's.
        let (local, _) = app.issue(FIRST_TENANT, "local", &["users:read"]);
        assert_eq!(total(&local, "/Users", "externalId eq \"e-1\""), 2);
    });
}

#[test]
fn what_is_computed_is_compared_as_it_is_shown() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let crew = app.post("/Groups", &group("Crew", &[&ada])).expect(201).id();
        let all = app.post("/Groups", &group("All", &[&crew])).expect(201).id();
        for (path, filter, expected) in [
            ("/Users", "groups.display eq \"crew\"", 1),
            ("/Users", "groups[display eq \"Crew\" and type eq \"direct\"]", 1),
            ("/Users", "groups.display eq \"All\"", 0),
            ("/Groups", "members.type eq \"User\"", 1),
            ("/Groups", "members[type eq \"Group\"]", 1),
            ("/Groups", &format!("members[value eq \"{ada}\" and type eq \"User\"]"), 1),
            ("/Groups", &format!("members[value eq \"{ada}\" and type eq \"Group\"]"), 0),
            (
                "/Groups",
                &format!("members[value eq \"{crew}\" and type eq \"Group\"] and id eq \"{all}\""),
                1,
            ),
        ] {
            assert_eq!(total(&app, path, filter), expected, "{filter}");
        }
    });
}

#[test]
fn every_order_of_conditions_finds_the_same() {
    on_every_store(|app| {
        for (name, mail) in [("ada", "a@acme.test"), ("bob", "b@acme.test")] {
            let mut body = user(name);
            body["displayName"] = "The same".into();
            body["emails"] = json!([{ "value": mail, "type": "work" }, { "value": "all@acme.test" }]);
            let _ = app.post("/Users", &body).expect(201);
        }
        let conditions = [
            "displayName eq \"the same\"",
            "emails[type eq \"work\"].value eq \"A@acme.test\"",
            "userName eq \"ADA\"",
            "emails.value eq \"all@acme.test\"",
        ];
        for turn in 0..conditions.len() {
            let mut turned = conditions;
            turned.rotate_left(turn);
            let filter = turned.join(" and ");
            assert_eq!(total(&app, "/Users", &filter), 1, "{filter}");
        }
        assert_eq!(total(&app, "/Users", "emails[type eq \"work\" and value eq \"all@acme.test\"]"), 0);
    });
}
