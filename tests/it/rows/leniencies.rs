//! Every leniency that a request used is counted for its connection, also where nothing is written; under `strict` filters are refused that
//! the grammar does not have.

use std::collections::BTreeMap;

use rosterd::app::bootstrap::{FIRST_CONNECTION, FIRST_TENANT};
use serde_json::{Value, json};

use crate::support::bodies::user;
use crate::support::{Request, TestApp, encode, on_every_store};

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

/// How often each rule was needed since the start.
fn used(app: &TestApp) -> BTreeMap<&'static str, u64> {
    app.roster().leniencies_of_all().iter().map(|used| (used.rule.as_str(), used.requests)).collect()
}

/// Which rules a request needs.
fn needs(app: &TestApp, request: impl FnOnce()) -> Vec<&'static str> {
    let before = used(app);
    request();
    let after = used(app).into_iter();
    let mut rules = vec![];
    for (rule, count) in after {
        let had = before.get(rule).copied().unwrap_or(0);
        if count > had {
            assert_eq!(count, had + 1, "{rule} once");
            rules.push(rule);
        }
    }
    rules
}

fn find(app: &TestApp, query: &str) -> Vec<&'static str> {
    needs(app, || drop(app.get(query).expect(200)))
}

#[test]
fn s71_forms_of_filters_beyond_the_grammar_are_counted_once_for_a_request() {
    on_every_store(|app| {
        for (filter, expected) in [
            ("userName eq \"ada\"", &[][..]),
            ("not (userName eq \"ada\") and title pr", &[]),
            ("userName eq\"ada\"", &["filter-spacing"]),
            ("userName\teq  \"ada\"", &["filter-spacing"]),
            ("active eq \"True\"", &["filter-literal"]),
            ("externalId eq 7", &["filter-literal"]),
            ("externalId eq jyoung", &["value-without-quotes"]),
            ("emails[type eq \"work\"].value eq \"x\"", &["part-behind-brackets"]),
            (
                "emails[type eq work].value eq\"x\"",
                &["filter-spacing", "part-behind-brackets", "value-without-quotes"],
            ),
        ] {
            let query = format!("/Users?filter={}", encode(filter));
            assert_eq!(find(&app, &query), expected, "{filter}");
            // The base URL reads the filter for each kind, and counts the request once.
            let query = format!("/?filter={}", encode(filter));
            assert_eq!(find(&app, &query), expected, "{filter}");
        }
        let id = app.post("/Users", &user("ada")).expect(201).id();
        let operation =
            json!({ "op": "replace", "path": "emails[type eq work].value", "value": "a@acme.test" });
        let body = json!({ "schemas": [PATCH], "Operations": [operation] });
        let patched = needs(&app, || drop(app.patch(&format!("/Users/{id}"), &body).expect(200)));
        assert!(patched.contains(&"value-without-quotes"), "in a path too: {patched:?}");
    });
}

#[test]
fn s84_an_order_that_nobody_knows_is_counted_when_it_is_ignored() {
    let app = TestApp::start();
    assert_eq!(find(&app, "/Users?sortBy=userName&sortOrder=descending"), [""; 0]);
    assert_eq!(find(&app, "/Users?sortBy=shoeSize"), ["sort-ignored"]);
    assert_eq!(find(&app, "/Users?sortBy=userName&sortOrder=upwards"), ["sort-ignored"]);
    assert_eq!(find(&app, "/Users?sortBy="), [""; 0]);
}

#[test]
fn s87_messages_without_their_schema_are_counted() {
    let app = TestApp::start();
    let search = |body: Value| needs(&app, || drop(app.post("/Users/.search", &body).expect(200)));
    assert_eq!(search(json!({ "schemas": [SEARCH], "count": 1 })), [""; 0]);
    assert_eq!(search(json!({ "count": 1 })), ["schemas-missing"]);
    let loose = json!({ "schemas": [SEARCH], "count": "1", "attributes": "userName" });
    assert_eq!(search(loose), ["single-as-list", "string-as-number"]);
    let bulk = |body: Value| needs(&app, || drop(app.post("/Bulk", &body).expect(200)));
    let delete = json!({ "method": "DELETE", "path": "/Users/00000000-0000-7000-8000-000000000000" });
    assert_eq!(bulk(json!({ "schemas": [BULK], "Operations": [delete] })), [""; 0]);
    assert_eq!(bulk(json!({ "Operations": [delete] })), ["schemas-missing"]);
    let mut versioned = delete;
    versioned["version"] = "W/\"3\"".into();
    assert_eq!(bulk(json!({ "schemas": [BULK], "Operations": [versioned] })), [""; 0]);
    versioned["version"] = "3".into();
    assert_eq!(bulk(json!({ "schemas": [BULK], "Operations": [versioned] })), ["tag-spelling"]);
}

#[test]
fn d_e1_an_empty_list_of_groups_that_may_not_be_read_is_counted() {
    let app = TestApp::start();
    let (people, _) = app.issue(FIRST_TENANT, FIRST_CONNECTION, &["users:read", "users:write"]);
    let asked = needs(&app, || drop(people.get("/Groups").expect(200)));
    assert_eq!(asked, ["groups-off"]);
    assert_eq!(needs(&app, || drop(people.get("/Users").expect(200))), [""; 0]);
}

#[test]
fn s153_a_tag_in_another_spelling_than_it_was_given_out_is_counted() {
    let app = TestApp::start();
    let made = app.post("/Users", &user("ada")).expect(201);
    let (path, tag) = (format!("/Users/{}", made.id()), made.etag());
    let version = tag.trim_start_matches("W/").trim_matches('"').to_owned();
    let read = |tag: &str| {
        let request = Request::scim("GET", &path).header("If-None-Match", tag);
        needs(&app, || drop(app.send(&request).expect(304)))
    };
    assert_eq!(read(&tag), [""; 0]);
    assert_eq!(read(&format!("W/\"999\", {tag}")), [""; 0]);
    assert_eq!(read("*"), [""; 0]);
    for loose in [version.clone(), format!("\"{version}\""), format!("w/\"{version}\"")] {
        assert_eq!(read(&loose), ["tag-spelling"], "{loose}");
    }
    let write = Request::scim("PUT", &path).header("If-Match", version).json(&user("ada"));
    assert_eq!(needs(&app, || drop(app.send(&write).expect(200))), ["tag-spelling"]);
}

#[test]
fn s2_a_body_that_does_not_say_what_it_is_is_counted() {
    let app = TestApp::start();
    let cases = [
        ("application/scim+json", &[][..]),
        ("application/json; charset=UTF-8", &[]),
        ("application/json; charset=iso-8859-1", &["media-type"]),
        // Not sent at all.
        ("", &["media-type"]),
    ];
    for (number, (media, expected)) in cases.into_iter().enumerate() {
        let body = user(&format!("u{number}"));
        let request = Request::scim("POST", "/Users").header("Content-Type", media).json(&body);
        assert_eq!(needs(&app, || drop(app.send(&request).expect(201))), expected, "{media:?}");
    }
}

#[test]
fn s71_under_strict_filters_beyond_the_grammar_are_refused_and_say_what_is_expected() {
    on_every_store(|app| {
        let strict = app.strict();
        let id = strict.post("/Users", &user("ada")).expect(201).id();
        for (filter, expected) in [
            ("emails[type eq \"work\"].value eq \"x\"", "within the brackets"),
            ("externalId eq jyoung", "in quotes"),
            ("externalId eq 701984", "own type"),
            ("emails[primary eq \"True\"]", "own type"),
            ("userName eq\"ada\"", "one space"),
            ("userName  eq \"ada\"", "one space"),
            ("userName eq\t\"ada\"", "one space"),
        ] {
            let detail = strict.find("/Users", filter).refused(400, Some("invalidFilter"));
            assert!(detail.contains(expected), "{filter}: {detail}");
            let body = json!({ "schemas": [SEARCH], "filter": filter });
            strict.post("/Users/.search", &body).refused(400, Some("invalidFilter"));
            let _ = app.find("/Users", filter).expect(200);
        }
        for filter in [
            "not(userName eq \"ada\")",
            "not (userName eq \"ada\")",
            "emails[type eq \"work\" and primary eq true]",
        ] {
            let _ = strict.find("/Users", filter).expect(200);
        }
        for path in ["emails[type eq work]", "emails[primary eq \"True\"]", "emails[ type eq \"work\"]"] {
            let operation = json!({ "op": "add", "path": path, "value": { "value": "a@acme.test" } });
            let body = json!({ "schemas": [PATCH], "Operations": [operation] });
            strict.patch(&format!("/Users/{id}"), &body).refused(400, Some("invalidFilter"));
        }
    });
}
