//! X19, S63, S195: what a connection provisioned is its own; what another one did is not there for it, unless it may adopt.

use rosterd::app::bootstrap::FIRST_TENANT;
use rosterd::roster::{Command, ConnectionChange, ConnectionOptions, Reply};
use serde_json::{Value, json};

use crate::support::bodies::{add_members, group, replace, user};
use crate::support::world::must_agree;
use crate::support::{Answer, Client, Request, TestApp, on_every_store};

const MISSING: &str = "0192f0c1-2b3c-7def-8123-456789abcdef";

/// Makes a connection that may what the options say.
fn connection(app: &TestApp, name: &str, options: ConnectionOptions) -> Client {
    app.operate(Command::ConnectionCreate {
        tenant: FIRST_TENANT.to_owned(),
        name: name.to_owned(),
        profile: "auto".to_owned(),
        options,
    });
    app.issue(FIRST_TENANT, name, &[]).0
}

fn stranger(app: &TestApp) -> Client {
    connection(app, "entra", ConnectionOptions::default())
}

fn adopter(app: &TestApp) -> Client {
    connection(app, "entra", ConnectionOptions { adopt: true, ..ConnectionOptions::default() })
}

fn every_verb(client: &Client, path: &str) -> Vec<Answer> {
    let name = if path.starts_with("/Users") { "userName" } else { "displayName" };
    vec![
        client.get(path),
        client.get(&format!("{path}?attributes=id")),
        client.send(&Request::scim("GET", path).header("If-None-Match", "*")),
        client.put(path, &json!({ name: "changed" })),
        client.patch(path, &replace(name, "changed")),
        client.send(&Request::scim("PATCH", path).header("If-Match", "*").json(&replace(name, "changed"))),
        client.delete(path),
        client.send(&Request::scim("HEAD", path)),
    ]
}

/// What the history says last of an attribute.
fn last_change(app: &TestApp, attribute: &str) -> Value {
    let page = Command::AuditPage { tenant: Some(FIRST_TENANT.to_owned()), after: 0, limit: 10_000 };
    let Reply::Audit { rows } = app.operate(page) else { panic!() };
    let values: Value = serde_json::from_str(&rows.last().unwrap().values).unwrap();
    let changes = values["changes"].as_array().unwrap();
    changes.iter().find(|change| change["attribute"] == attribute).unwrap().clone()
}

fn total(client: &Client, path: &str) -> Value {
    client.get(path).expect(200).json()["totalResults"].clone()
}

// Rows: S195.
#[test]
fn x19_what_another_connection_holds_is_answered_like_what_does_not_exist() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let crowd = app.post("/Groups", &group("crowd", &[&ada])).expect(201).id();
        let before = must_agree(&app);
        let entra = stranger(&app);
        for path in [format!("/Users/{ada}"), format!("/Groups/{crowd}")] {
            let kind = path.split('/').nth(1).unwrap();
            let theirs = every_verb(&entra, &path);
            let missing = every_verb(&entra, &format!("/{kind}/{MISSING}"));
            for (theirs, missing) in theirs.iter().zip(&missing) {
                assert_eq!(theirs.essence(), missing.essence(), "{path}");
                assert_eq!(theirs.status, 404);
            }
        }
        assert_eq!(must_agree(&app), before, "nothing has changed");
    });
}

#[test]
fn x19_lists_filters_sorting_and_searches_show_a_connection_its_own() {
    on_every_store(|app| {
        let mut body = user("ada");
        body["externalId"] = "e-1".into();
        body["displayName"] = "Ada".into();
        body["emails"] = json!([{ "value": "ada@acme.test" }]);
        let ada = app.post("/Users", &body).expect(201).id();
        let crowd = app.post("/Groups", &group("crowd", &[&ada])).expect(201).id();
        let entra = stranger(&app);
        let eve = entra.post("/Users", &user("eve")).expect(201).id();
        let everything = [
            "/Users".to_owned(),
            "/Groups".to_owned(),
            "/?filter=id+pr".to_owned(),
            "/Users?sortBy=userName".to_owned(),
            "/Users?cursor".to_owned(),
            "/Users?startIndex=1&count=0".to_owned(),
        ];
        let own = [1, 0, 1, 1, 1, 1];
        for (path, own) in everything.iter().zip(own) {
            let list = entra.get(path).expect(200).json();
            assert_eq!(list["totalResults"], own, "{path}: {list}");
            assert!(!list.to_string().contains(&ada), "{path}: {list}");
        }
        for filter in [
            "userName eq \"ada\"",
            "userName sw \"a\"",
            "externalId eq \"e-1\"",
            "displayName eq \"Ada\"",
            "displayName sw \"A\"",
            "emails.value eq \"ada@acme.test\"",
            "not (userName eq \"eve\")",
            "active eq true and userName ne \"eve\"",
            &format!("id eq \"{ada}\""),
            &format!("groups.value eq \"{crowd}\""),
        ] {
            let list = entra.find("/Users", filter).expect(200).json();
            assert_eq!(list["totalResults"], 0, "{filter}: {list}");
        }
        let members = format!("members.value eq \"{ada}\"");
        assert_eq!(entra.find("/Groups", &members).expect(200).json()["totalResults"], 0);
        assert_eq!((total(&app, "/Users"), total(&entra, "/Users")), (json!(1), json!(1)));

        // Administrators know everybody.
        let (local, _) = app.issue(FIRST_TENANT, "local", &[]);
        assert_eq!(total(&local, "/Users"), json!(2));
        assert_eq!(local.get(&format!("/Users/{eve}")).expect(200).id(), eve);
    });
}

#[test]
fn x19_pages_of_ones_own_are_whole_among_what_others_made() {
    on_every_store(|app| {
        let entra = stranger(&app);
        let mut own = Vec::new();
        for number in 0..30 {
            let theirs = if number % 3 == 0 { &*app } else { &entra };
            let id = theirs.post("/Users", &user(&format!("u{number}"))).expect(201).id();
            if number % 3 != 0 {
                own.push(id);
            }
        }
        let ids = |list: &Value| -> Vec<String> {
            let resources = list["Resources"].as_array().unwrap().iter();
            resources.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
        };
        let (mut by_index, mut by_cursor, mut cursor) = (Vec::new(), Vec::new(), String::new());
        for start in [1, 8, 15, 22] {
            let page = entra.get(&format!("/Users?startIndex={start}&count=7")).expect(200).json();
            assert_eq!(page["totalResults"], 20);
            by_index.extend(ids(&page));
        }
        loop {
            let page = entra.get(&format!("/Users?cursor={cursor}&count=7")).expect(200).json();
            by_cursor.extend(ids(&page));
            match page["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!((by_index, by_cursor), (own.clone(), own));
    });
}

#[test]
fn x19_nobody_becomes_a_member_through_a_connection_that_does_not_know_them() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let crowd = app.post("/Groups", &group("crowd", &[])).expect(201).id();
        let entra = stranger(&app);
        let eve = entra.post("/Users", &user("eve")).expect(201).id();
        let team = entra.post("/Groups", &group("team", &[&eve, &ada])).expect(201);
        assert_eq!(team.json()["members"].as_array().unwrap().len(), 1, "ada is unknown to it");
        let _ = entra.patch(&format!("/Groups/{}", team.id()), &add_members(&[&ada])).expect(204);
        assert_eq!(app.get(&format!("/Users/{ada}")).expect(200).json().get("groups"), None);

        // What an administrator puts together is not shown to the other side either.
        let (local, _) = app.issue(FIRST_TENANT, "local", &[]);
        let _ = local.patch(&format!("/Groups/{crowd}"), &add_members(&[&eve])).expect(204);
        assert_eq!(entra.get(&format!("/Users/{eve}")).expect(200).json()["groups"][0]["display"], "team");
        assert_eq!(
            entra.get(&format!("/Users/{eve}")).expect(200).json()["groups"].as_array().unwrap().len(),
            1
        );
    });
}

#[test]
fn x19_a_name_that_another_connection_took_is_taken_and_nobody_is_named() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let entra = stranger(&app);
        let detail = entra.post("/Users", &user("ADA")).refused(409, Some("uniqueness"));
        assert!(!detail.contains(&ada) && !detail.contains("idp"), "{detail}");
    });
}

#[test]
fn x19_who_is_adopted_keeps_login_and_mail_in_that_step_and_changes_hands() {
    on_every_store(|app| {
        let mut body = user("ada");
        body["externalId"] = "old".into();
        body["emails"] = json!([{ "value": "ada@acme.test", "primary": true }]);
        let ada = app.post("/Users", &body).expect(201).id();
        let entra = adopter(&app);
        let found = entra.find("/Users", "userName eq \"ada\"").expect(200).json();
        assert_eq!(found["Resources"][0]["id"], ada);
        // What the other one calls her is not shown, and nothing is adopted by what changes nothing.
        let before = app.get(&format!("/Users/{ada}")).expect(200).json();
        let mut seen = before.clone();
        seen.as_object_mut().unwrap().shift_remove("externalId");
        assert_eq!(found["Resources"][0], seen);
        for path in ["", "?attributes=externalId,userName", "?attributes=externalId"] {
            let shown = entra.get(&format!("/Users/{ada}{path}")).expect(200).json();
            assert_eq!(shown.get("externalId"), None, "{shown}");
        }
        assert_eq!(entra.put(&format!("/Users/{ada}"), &seen).expect(200).json(), seen);
        assert_eq!(app.get(&format!("/Users/{ada}")).expect(200).json(), before);

        let mut claimed = user("eve");
        claimed["externalId"] = "new".into();
        claimed["title"] = "CTO".into();
        claimed["emails"] = json!([{ "value": "eve@evil.test", "primary": true }]);
        let path = format!("/Users/{ada}");
        let adopted = entra.put(&path, &claimed).expect(200).json();
        assert_eq!((&adopted["userName"], &adopted["title"]), (&json!("ada"), &json!("CTO")));
        assert_eq!(adopted["emails"][0]["value"], "ada@acme.test");
        assert_eq!(adopted["externalId"], "new");
        assert_eq!(entra.find("/Users", "externalId eq \"new\"").expect(200).json()["totalResults"], 1);
        let change = last_change(&app, "externalId");
        assert_eq!((&change["old"], &change["new"]), (&json!("old"), &json!("new")), "the history has both");

        app.get(&path).refused(404, None);
        assert_eq!(app.find("/Users", "externalId eq \"old\"").expect(200).json()["totalResults"], 0);
        body["userName"] = "other".into();
        let _ = app.post("/Users", &body).expect(201);
        let own = entra.put(&path, &claimed).expect(200).json();
        assert_eq!(own["userName"], "eve", "from then on it is its own");
    });
}

#[test]
fn x19_an_adopting_patch_cannot_take_a_mail_address_over() {
    on_every_store(|app| {
        let mut body = user("ada");
        body["emails"] = json!([{ "value": "ada@acme.test", "type": "work" }]);
        let path = format!("/Users/{}", app.post("/Users", &body).expect(201).id());
        let entra = adopter(&app);
        let patched = entra
            .patch(&path, &replace("emails[type eq \"work\"].value", "eve@evil.test"))
            .expect(200)
            .json();
        assert_eq!(patched["emails"][0]["value"], "ada@acme.test");
    });
}

// Rows: D-K7, D-R5.
#[test]
fn s63_a_post_restores_an_inactive_person_of_the_connections_own_where_that_is_wanted() {
    on_every_store(|app| {
        let mut body = user("ada");
        body["externalId"] = "e-1".into();
        body["title"] = "CTO".into();
        let entra = stranger(&app);
        let ada = entra.post("/Users", &body).expect(201).id();
        let path = format!("/Users/{ada}");
        let _ = entra.patch(&path, &replace("active", false)).expect(200);
        entra.post("/Users", &body).refused(409, Some("uniqueness"));

        let change = ConnectionChange { reclaim_inactive: Some(true), ..ConnectionChange::default() };
        app.operate(Command::ConnectionSet { tenant: FIRST_TENANT.into(), name: "entra".into(), change });
        let mut again = user("ada.b");
        again["externalId"] = "e-1".into();
        let restored = entra.post("/Users", &again).expect(201);
        assert_eq!(restored.id(), ada);
        assert!(restored.header("location").unwrap().ends_with(&path));
        let now = restored.json();
        assert_eq!(
            (&now["active"], &now["userName"], now.get("title")),
            (&json!(true), &json!("ada.b"), None)
        );
        entra.post("/Users", &again).refused(409, Some("uniqueness"));

        // Another connection's externalId is another's.
        app.patch(&path, &replace("active", false)).refused(404, None);
        let mut theirs = user("eve");
        theirs["externalId"] = "e-1".into();
        assert_ne!(app.post("/Users", &theirs).expect(201).id(), ada);
    });
}

// Rows: D-K7, D-R5.
#[test]
fn s63_of_many_posts_for_one_inactive_person_one_restores_and_the_others_are_duplicates() {
    on_every_store(|app| {
        let options = ConnectionOptions { reclaim_inactive: true, ..ConnectionOptions::default() };
        let entra = connection(&app, "entra", options);
        let mut body = user("ada");
        body["externalId"] = "e-1".into();
        let ada = entra.post("/Users", &body).expect(201).id();
        let _ = entra.patch(&format!("/Users/{ada}"), &replace("active", false)).expect(200);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let sent: Vec<_> = (0..8).map(|_| scope.spawn(|| entra.post("/Users", &body).status)).collect();
            sent.into_iter().map(|sent| sent.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
    });
}

/// Whose members a group shows, in order.
fn members(group: &Value) -> Vec<String> {
    let mut ids: Vec<String> = group["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["value"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

#[test]
fn x19_members_that_a_connection_does_not_know_are_neither_shown_nor_touched_by_it() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let crowd = app.post("/Groups", &group("crowd", &[&ada])).expect(201).id();
        let entra = stranger(&app);
        let eve = entra.post("/Users", &user("eve")).expect(201).id();
        let bob = entra.post("/Users", &user("bob")).expect(201).id();
        let team = entra.post("/Groups", &group("team", &[&eve])).expect(201).id();
        let (local, _) = app.issue(FIRST_TENANT, "local", &[]);
        let path = format!("/Groups/{team}");
        let _ = local.patch(&path, &add_members(&[&ada, &crowd])).expect(204);
        let _ = local.patch(&format!("/Groups/{crowd}"), &add_members(&[&eve])).expect(204);

        for shown in [&path, &format!("{path}?attributes=members,members.display")] {
            assert_eq!(members(&entra.get(shown).expect(200).json()), std::slice::from_ref(&eve));
        }
        let list = entra.get("/Groups?attributes=members").expect(200).json();
        assert_eq!(members(&list["Resources"][0]), std::slice::from_ref(&eve));
        for (path, filter) in [
            ("/Groups", format!("members.value eq \"{ada}\"")),
            ("/Groups", format!("members[value eq \"{ada}\" and type eq \"User\"]")),
            ("/Groups", format!("members.value sw \"{ada}\"")),
            ("/Groups", "members.type eq \"Group\"".to_owned()),
            ("/Users", format!("groups.value eq \"{crowd}\"")),
            ("/Users", format!("groups.value sw \"{crowd}\"")),
            ("/Users", format!("groups[value eq \"{crowd}\"]")),
        ] {
            assert_eq!(entra.find(path, &filter).expect(200).json()["totalResults"], 0, "{filter}");
        }

        // Nothing that the connection says of its group is about them.
        let remove = |path: &str| json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{ "op": "remove", "path": path }] });
        let mut everybody = vec![ada.clone(), crowd.clone()];
        let before = entra.get(&path).expect(200).json()["meta"]["version"].clone();
        let _ = entra.patch(&path, &remove(&format!("members[value eq \"{ada}\"]")));
        let _ = entra.patch(&path, &remove("members[type eq \"Group\"]"));
        assert_eq!(entra.get(&path).expect(200).json()["meta"]["version"], before);
        let replaced = entra.put(&path, &group("team", &[&bob])).expect(200).json();
        assert_eq!(members(&replaced), std::slice::from_ref(&bob));
        let _ = entra.patch(&path, &remove("members")).expect(204);
        assert_eq!(members(&entra.get(&path).expect(200).json()), [] as [String; 0]);
        everybody.sort();
        assert_eq!(members(&local.get(&path).expect(200).json()), everybody);

        // With its group it removes what belonged to it, and nobody else.
        let _ = entra.delete(&path).expect(204);
        let _ = app.get(&format!("/Users/{ada}")).expect(200);
    });
}

#[test]
fn x19_a_group_is_adopted_by_who_changes_its_members_alone() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let mut body = group("crowd", &[]);
        body["externalId"] = "old".into();
        let path = format!("/Groups/{}", app.post("/Groups", &body).expect(201).id());
        let entra = adopter(&app);
        // What changes nothing adopts nothing.
        let _ = entra.patch(&path, &add_members(&[MISSING])).expect(204);
        let _ = entra.patch(&path, &replace("displayName", "crowd"));
        let _ = app.get(&path).expect(200);

        let _ = entra.patch(&path, &add_members(&[&ada])).expect(204);
        app.get(&path).refused(404, None);
        assert_eq!(members(&entra.get(&path).expect(200).json()), [ada]);
        assert_eq!(last_change(&app, "externalId")["old"], "old");
        assert_eq!(app.find("/Groups", "externalId eq \"old\"").expect(200).json()["totalResults"], 0);
    });
}
