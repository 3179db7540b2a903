//! `sortBy` and `sortOrder` (S84).

use serde_json::{Value, json};

use super::shown;
use crate::support::bodies::{ENTERPRISE, USER, user};
use crate::support::{Client, TestApp, on_every_store};

/// Makes people of whom each has something that another lacks.
fn people(client: &Client) {
    for (name, more) in [
        ("carol", json!({ "title": "engineer", "name": { "familyName": "Zuse" } })),
        ("Alice", json!({ "title": "Director", "emails": [{ "value": "m@x" }, { "value": "a@x" }] })),
        ("bob", json!({ "emails": [{ "value": "z@x" }, { "value": "b@x", "primary": true }] })),
        (
            "dave",
            json!({ "title": "Engineer", "name": { "familyName": "Abel" }, ENTERPRISE: { "department": "Tools" } }),
        ),
    ] {
        let mut body = user(name);
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        let _ = client.post("/Users", &body).expect(201);
    }
}

fn sorted(client: &Client, query: &str) -> Vec<String> {
    shown(&client.get(&format!("/Users?{query}")).expect(200), "/userName")
}

#[test]
fn s84_lists_are_sorted_by_any_attribute_in_either_order() {
    on_every_store(|app| {
        people(&app);
        for (query, expected) in [
            ("sortBy=userName", ["Alice", "bob", "carol", "dave"]),
            ("sortBy=userName&sortOrder=Descending", ["dave", "carol", "bob", "Alice"]),
            // Unassigned last, or first; ties by id, in the order that was asked for.
            ("sortBy=title", ["Alice", "carol", "dave", "bob"]),
            ("sortBy=title&sortOrder=descending", ["bob", "dave", "carol", "Alice"]),
            ("sortBy=displayName&sortOrder=descending", ["dave", "bob", "Alice", "carol"]),
            ("sortBy=id&sortOrder=descending", ["dave", "bob", "Alice", "carol"]),
            ("sortBy=meta.lastModified", ["carol", "Alice", "bob", "dave"]),
            ("sortBy=name.familyName", ["dave", "carol", "Alice", "bob"]),
            // The primary e-mail, else the first.
            ("sortBy=emails", ["bob", "Alice", "carol", "dave"]),
            ("sortBy=EMAILS.value", ["bob", "Alice", "carol", "dave"]),
            (&format!("sortBy={USER}:userName"), ["Alice", "bob", "carol", "dave"]),
            (&format!("sortBy={ENTERPRISE}:department"), ["dave", "carol", "Alice", "bob"]),
            ("sortBy=meta.created&sortOrder=descending", ["dave", "bob", "Alice", "carol"]),
            ("sortBy=id", ["carol", "Alice", "bob", "dave"]),
            ("sortOrder=descending", ["carol", "Alice", "bob", "dave"]),
        ] {
            assert_eq!(sorted(&app, query), expected, "{query}");
        }
        let page = app.get("/Users?sortBy=userName&startIndex=2&count=2&filter=title+pr").expect(200);
        assert_eq!(shown(&page, "/userName"), ["carol", "dave"]);
        assert_eq!((&page.json()["totalResults"], &page.json()["startIndex"]), (&json!(3), &json!(2)));
        let few = app.get("/Users?sortBy=title&attributes=userName").expect(200);
        assert_eq!(few.json()["Resources"][0].get("title"), None, "what is sorted by need not be shown");
    });
}

#[test]
fn s84_an_unknown_sort_is_refused_in_strict_and_ignored_in_auto() {
    let app = TestApp::start();
    people(&app);
    let strict = app.strict();
    for unknown in ["colour", "name", "emails.colour", "emails%5Btype+eq+%22work%22%5D.value", "members"] {
        strict.get(&format!("/Users?sortBy={unknown}")).refused(400, Some("invalidPath"));
        assert_eq!(
            sorted(&app, &format!("sortBy={unknown}")),
            ["carol", "Alice", "bob", "dave"],
            "{unknown}"
        );
    }
    strict.get("/Users?sortBy=title&sortOrder=sideways").refused(400, Some("invalidValue"));
    assert_eq!(sorted(&app, "sortBy=userName&sortOrder=sideways"), ["Alice", "bob", "carol", "dave"]);
    assert_eq!(sorted(&strict, "sortBy="), ["carol", "Alice", "bob", "dave"]);
}

#[test]
fn x25_nobody_learns_of_a_password_by_sorting() {
    let app = TestApp::start();
    for (name, password) in [("ada", "zzz-secret-1"), ("bob", "aaa-secret-2")] {
        let mut body = user(name);
        body["password"] = Value::from(password);
        let _ = app.post("/Users", &body).expect(201);
    }
    let strict = app.strict();
    for order in ["ascending", "descending"] {
        assert_eq!(sorted(&app, &format!("sortBy=password&sortOrder={order}")), ["ada", "bob"]);
        strict.get(&format!("/Users?sortBy=password&sortOrder={order}")).refused(400, Some("invalidPath"));
    }
}
