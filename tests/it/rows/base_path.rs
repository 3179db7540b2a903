//! S6, S191: where SCIM is found, and what is said to those who look for its first version.

use serde_json::{Value, json};

use crate::support::bodies::{GROUP, USER, add_members};
use crate::support::{Answer, Client, PUBLIC_URL, Request, TestApp};

/// Every text in a document that is a URL of this server.
fn urls(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.starts_with("https://roster.test") => found.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|one| urls(one, found)),
        Value::Object(map) => map.values().for_each(|one| urls(one, found)),
        _ => {}
    }
}

fn below(client: &Client, base: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let request = Request::new(method, format!("{base}{path}"));
    client.send(&body.iter().fold(request, |request, body| request.json(body)))
}

#[test]
fn s6_everything_is_below_the_base_path_that_was_set_and_every_location_says_so() {
    for base in ["/directory/people-2.0", "/scim", "/scim/v2/eu"] {
        let app = TestApp::below(base);
        let ask = |method: &str, path: &str, body: Option<&Value>| below(&app, base, method, path, body);
        assert_eq!(app.daemon().base_url(), format!("{PUBLIC_URL}{base}"));
        let made = ask("POST", "/Users", Some(&json!({"schemas": [USER], "userName": "ada"}))).expect(201);
        let ada = made.id();
        assert_eq!(made.header("location").unwrap(), format!("{PUBLIC_URL}{base}/Users/{ada}"));
        let crew = ask("POST", "/Groups", Some(&json!({"schemas": [GROUP], "displayName": "Crew"})))
            .expect(201)
            .id();
        let _ = ask("PATCH", &format!("/Groups/{crew}"), Some(&add_members(&[&ada]))).expect(204);
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
            {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"schemas": [USER], "userName": "bob"}},
            {"method": "PATCH", "path": format!("/Users/{ada}"), "data": {"Operations": [{"op": "add", "path": "title", "value": "CTO"}]}}]});
        let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "count": 10});
        let mut found = Vec::new();
        for (method, path, body) in [
            ("GET", format!("/Users/{ada}"), None),
            ("GET", format!("/Groups/{crew}/"), None),
            ("GET", "//Users?count=1".to_owned(), None),
            ("GET", "/Groups?filter=displayName+eq+%22Crew%22".to_owned(), None),
            ("GET", "/Schemas".to_owned(), None),
            ("GET", "/ResourceTypes".to_owned(), None),
            ("GET", "/ServiceProviderConfig".to_owned(), None),
            ("POST", "/.search".to_owned(), Some(&search)),
            ("POST", "/Users/.search".to_owned(), Some(&search)),
            ("POST", "/Bulk".to_owned(), Some(&bulk)),
        ] {
            let before = found.len();
            urls(&ask(method, &path, body).expect(200).json(), &mut found);
            assert!(found.len() > before, "{method} {path} shows no location");
        }
        for url in found {
            let path = url.strip_prefix(PUBLIC_URL).unwrap();
            assert!(path.starts_with(&format!("{base}/")), "{url}");
            // What is told leads somewhere.
            let _ = app.send(&Request::new("GET", path)).expect(200);
        }
        // The name in the metrics is the same wherever the base path is, and never the path itself.
        let page = Client::new(app.daemon().admin(), "").stranger();
        let page = page.send(&Request::new("GET", "/metrics")).expect(200).text();
        assert!(page.contains("/scim/v2/Users/{id}") && !page.contains("directory"), "{base}");
    }
}

#[test]
fn s6_nothing_is_found_where_the_base_path_is_not() {
    let app = TestApp::below("/directory");
    let made =
        app.send(&Request::new("POST", "/directory/Users").json(&json!({"userName": "ada"}))).expect(201);
    for path in [
        format!("/scim/v2/Users/{}", made.id()),
        "/scim/v2/Users".into(),
        "/scim/v2".into(),
        "/scim/v2/".into(),
    ] {
        app.send(&Request::new("GET", &path)).refused(404, None);
        app.stranger().send(&Request::new("GET", &path)).refused(401, None);
        app.send(&Request::new("DELETE", &path)).refused(404, None);
    }
    app.send(&Request::new("GET", "/directory/nothing")).refused(404, None);
    app.stranger().send(&Request::new("GET", "/directory/Users")).refused(401, None);
    let _ = app.send(&Request::new("GET", "/directory/Users")).expect(200);
}

#[test]
fn s191_who_looks_for_scim_1_1_is_told_that_it_is_not_spoken_and_where_scim_2_0_is() {
    let usual = (TestApp::start(), "/scim/v2", vec!["/scim/v1", "/v1"]);
    let other = (
        TestApp::below("/directory/scim/v2"),
        "/directory/scim/v2",
        vec!["/scim/v1", "/v1", "/directory/scim/v1"],
    );
    let flat = (TestApp::below("/directory"), "/directory", vec!["/scim/v1", "/v1"]);
    for (app, base, old) in [usual, other, flat] {
        for old in old {
            for (method, path) in [
                ("GET", ""),
                ("GET", "/"),
                ("GET", "/Users"),
                ("GET", "/Users/"),
                ("GET", "/Users?filter=userName+eq+%22a%22"),
                ("POST", "/Users"),
                ("PUT", "/Users/1"),
                ("PATCH", "/Groups/1"),
                ("DELETE", "/Users/1"),
                ("GET", "/ServiceProviderConfigs"),
            ] {
                let request = Request::new(method, format!("{old}{path}"));
                let request = if matches!(method, "POST" | "PUT" | "PATCH") {
                    request.json(&json!({"userName": "a"}))
                } else {
                    request
                };
                let said = app.send(&request).refused(400, Some("invalidVers"));
                assert!(
                    said.contains("SCIM 2.0") && said.ends_with(&format!(" {PUBLIC_URL}{base}")),
                    "{said}"
                );
                // A stranger learns nothing, as everywhere.
                app.stranger().send(&request).refused(401, None);
            }
        }
        for path in ["/scim/v10/Users", "/scim/v1x", "/scim/v3/Users", "/scim/v2/v1", "/scim/v2/Users/v1"] {
            assert_eq!(app.send(&Request::new("GET", path)).status, 404, "{path}");
        }
        let nothing = app.send(&Request::new("GET", format!("{base}/Users")));
        assert_eq!(nothing.expect(200).json()["totalResults"], 0);
    }
}
