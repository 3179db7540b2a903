//! What a connection may write of people by the settings: the rest of what it says changes nothing, is noted, or refused where the settings are strict.

use rosterd::app::policies;
use rosterd::config::{Config, Environment, Sources};
use rosterd::roster::{Command, ConnectionChange};
use serde_json::{Value, json};

use super::{local, make, psa, thing, told};
use crate::support::bodies::{ENTERPRISE, PSA, patch, replace, user};
use crate::support::{Request, TestApp, on_every_store};

/// Lets the settings hold.
fn decide(app: &TestApp, toml: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rosterd.toml");
    std::fs::write(&file, toml).unwrap();
    let config = Config::load(&Sources::new(Environment::default()).file(file)).unwrap();
    app.roster().set_policies(policies(&config)).unwrap();
}

/// Lets the first connection write who somebody is, whether they may come in, and nothing else.
fn bound(app: &TestApp, more: &str) {
    let writes = "writes = [\"identity\", \"status\"]";
    decide(app, &format!("[[people.authority]]\nconnection = \"idp\"\n{writes}\n{more}\n"));
}

/// How often the connection needed the leniency.
fn noted(app: &TestApp) -> u64 {
    let roster = app.roster();
    let used = roster.leniencies_of_all();
    used.iter().find(|used| used.rule.as_str() == "outside-authority").map_or(0, |used| used.requests)
}

/// A person as a provider sends them whole.
fn whole(name: &str, title: &str) -> Value {
    let mut body = user(name);
    body["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE]);
    body["externalId"] = "00u1".into();
    body["displayName"] = format!("The {name}").into();
    body["title"] = title.into();
    body["emails"] = json!([{ "value": format!("{name}@acme.test"), "type": "work", "primary": true }]);
    body[ENTERPRISE] = json!({ "department": title });
    body
}

#[test]
fn x19_what_a_connection_has_no_authority_over_stays_as_it_was_whatever_it_sends() {
    on_every_store(|app| {
        bound(&app, "");
        let admin = local(&app);
        // Somebody new gets what the connection may write, and a login.
        let ada = format!("/Users/{}", app.post("/Users", &whole("ada", "Sent")).expect(201).id());
        let made = app.get(&ada).expect(200).json();
        assert_eq!(
            (&made["displayName"], &made["externalId"], &made["active"]),
            (&json!("The ada"), &json!("00u1"), &json!(true))
        );
        assert_eq!(
            (&made["title"], &made["emails"], &made[ENTERPRISE]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        assert_eq!(noted(&app), 1);

        // An administrator says the rest, and no PUT takes it away: neither by saying something else nor by saying nothing.
        admin
            .patch(
                &ada,
                &patch(&[
                    json!({ "op": "add", "path": "title", "value": "CTO" }),
                    json!({ "op": "add", "path": "emails", "value": [{ "value": "ada@home.test" }] }),
                    json!({ "op": "add", "path": format!("{ENTERPRISE}:department"), "value": "R&D" }),
                ]),
            )
            .expect(200)
            .json();
        let stands = |what: &str, display: &str| {
            let now = app.get(&ada).expect(200).json();
            assert_eq!(now["title"], "CTO", "{what}");
            assert_eq!(now["emails"][0]["value"], "ada@home.test", "{what}");
            assert_eq!(now[ENTERPRISE]["department"], "R&D", "{what}");
            assert_eq!(now["displayName"], display, "{what}");
        };
        app.put(&ada, &whole("ada", "Sent")).expect(200).json();
        stands("a PUT that says it otherwise", "The ada");
        assert_eq!(noted(&app), 2);
        app.put(&ada, &json!({ "userName": "ada", "displayName": "Ada" })).expect(200).json();
        stands("a PUT that leaves it out", "Ada");
        assert_eq!(noted(&app), 2, "nothing was said of it");
        app.put(&ada, &json!({ "userName": "ada", "displayName": "Ada", "title": null })).expect(200).json();
        stands("a PUT that clears it", "Ada");
        assert_eq!(noted(&app), 3);
        let both = [
            json!({ "op": "replace", "path": "title", "value": "CEO" }),
            json!({ "op": "replace", "path": "displayName", "value": "Ada B" }),
        ];
        app.patch(&ada, &patch(&both)).expect(200).json();
        stands("a PATCH of both", "Ada B");
        let last = told(&app, &ada, "displayName").pop().unwrap();
        assert_eq!(last.new, Some(json!("Ada B")));
        assert_eq!(told(&app, &ada, "title").len(), 1, "the history has what the administrator said");
        app.patch(&ada, &patch(&[json!({ "op": "remove", "path": "emails" })])).expect(200).json();
        stands("a removal", "Ada B");
        let data = replace("title", "CFO");
        let bulk = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{ "method": "PATCH", "path": ada, "data": data }] });
        app.post("/Bulk", &bulk).expect(200).json();
        stands("Bulk", "Ada B");
        assert_eq!(noted(&app), 6);

        // What it may write it writes; and without the settings, everything, as before.
        app.patch(&ada, &replace("active", false)).expect(200).json();
        assert_eq!(app.get(&ada).expect(200).json()["active"], false);
        decide(&app, "");
        app.patch(&ada, &replace("title", "CEO")).expect(200).json();
        assert_eq!(app.get(&ada).expect(200).json()["title"], "CEO");
    });
}

#[test]
fn x19_where_authority_is_strict_a_request_that_names_more_is_refused_whole() {
    let app = TestApp::start();
    bound(&app, "strict = true");
    let admin = local(&app);
    let refused = app.post("/Users", &whole("ada", "Sent")).expect(403).json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("may not write title, emails, "), "{detail}");
    assert!(detail.contains("it writes identity, status; leave"), "{detail}");
    let ada = format!("/Users/{}", app.post("/Users", &user("ada")).expect(201).id());
    admin.patch(&ada, &replace("title", "CTO")).expect(200).json();
    let before = app.get(&ada).expect(200).json();
    let both = [
        json!({ "op": "replace", "path": "displayName", "value": "Ada" }),
        json!({ "op": "remove", "path": "title" }),
    ];
    app.patch(&ada, &patch(&both)).expect(403).json();
    app.put(&ada, &json!({ "userName": "ada", "title": "CEO" })).expect(403).json();
    assert_eq!(app.get(&ada).expect(200).json(), before);
    // What is there already may be repeated, and what a whole leaves out is not said.
    app.put(&ada, &json!({ "userName": "ada", "title": "CTO", "displayName": "Ada" })).expect(200).json();
    app.put(&ada, &json!({ "userName": "ada", "displayName": "Ada B" })).expect(200).json();
    let after = app.get(&ada).expect(200).json();
    assert_eq!((&after["title"], &after["displayName"]), (&json!("CTO"), &json!("Ada B")));
}

#[test]
fn x19_who_may_not_say_whether_somebody_is_active_neither_locks_nor_restores_them() {
    on_every_store(|app| {
        decide(&app, "[[people.authority]]\nconnection = \"idp\"\nwrites = [\"identity\"]\n");
        let mut body = whole("ada", "Sent");
        body["active"] = false.into();
        let made = app.post("/Users", &body).expect(201);
        let ada = format!("/Users/{}", made.id());
        assert_eq!(made.json()["active"], true, "it is what everybody is who is made");
        app.patch(&ada, &replace("active", false)).expect(200).json();
        assert_eq!(app.get(&ada).expect(200).json()["active"], true);
        local(&app).patch(&ada, &replace("active", false)).expect(200).json();
        app.put(&ada, &body).expect(200).json();
        assert_eq!(app.get(&ada).expect(200).json()["active"], false, "an administrator's lock stays");
        app.patch(&ada, &replace("active", true)).expect(200).json();
        assert_eq!(app.get(&ada).expect(200).json()["active"], false);
        // Nor by a POST, where the connection's operator lets that restore people.
        let change = ConnectionChange { reclaim_inactive: Some(true), ..ConnectionChange::default() };
        let (tenant, name) = ("main".to_owned(), "idp".to_owned());
        app.operate(Command::ConnectionSet { tenant, name, change });
        app.post("/Users", &whole("ada", "Sent")).expect(409).json();
        assert_eq!(app.get(&ada).expect(200).json()["active"], false);
    });
}

#[test]
fn x19_who_comes_back_keeps_what_the_connection_has_no_authority_over() {
    on_every_store(|app| {
        bound(&app, "");
        let policy = "[people]\ndeprovision = \"lock\"\n";
        let admin = local(&app);
        let ada = format!("/Users/{}", app.post("/Users", &whole("ada", "Sent")).expect(201).id());
        admin.patch(&ada, &replace("title", "CTO")).expect(200).json();
        decide(
            &app,
            &format!("{policy}[[people.authority]]\nconnection = \"idp\"\nwrites = [\"identity\"]\n"),
        );
        drop(app.send(&Request::scim("DELETE", &ada)).expect(204));
        let back = app.post("/Users", &whole("ada2", "Other")).expect(201);
        assert!(ada.ends_with(&back.id()));
        let back = back.json();
        assert_eq!(
            (&back["userName"], &back["title"], &back["active"]),
            (&json!("ada2"), &json!("CTO"), &json!(true))
        );
    });
}

#[test]
fn x19_what_the_flat_extension_says_follows_only_where_the_connection_may_say_it() {
    on_every_store(|app| {
        let admin = local(&app);
        let professional = make(&admin, "/LicensePools", &thing("LicensePool", "Professional"));
        let lead = make(&admin, "/UserTypes", &thing("UserType", "Lead"));
        decide(&app, "[[people.authority]]\nconnection = \"idp\"\nwrites = [\"license\"]\n");
        let mut body = user("ada");
        body[PSA] = json!({ "license": "Professional", "primaryUserType": "Lead" });
        let ada = format!("/Users/{}", app.post("/Users", &body).expect(201).id());
        assert_eq!(psa(&admin, &ada, "license")["value"], json!(professional));
        assert_eq!(psa(&admin, &ada, "userTypes"), Value::Null);
        assert_eq!(app.get(&ada).expect(200).json()[PSA], json!({ "license": "Professional" }));
        decide(&app, "[[people.authority]]\nconnection = \"idp\"\nwrites = [\"user-types\"]\n");
        app.put(&ada, &body).expect(200).json();
        assert_eq!(psa(&admin, &ada, "userTypes")[0]["value"], json!(lead));
        assert_eq!(psa(&admin, &ada, "license")["value"], json!(professional));
    });
}
