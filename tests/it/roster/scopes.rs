//! What a token sees of the other side of a membership.

use rosterd::app::bootstrap::FIRST_TENANT;
use serde_json::json;

use crate::support::bodies::{group, user};
use crate::support::on_every_store;

#[test]
fn a_token_that_may_not_read_groups_learns_nothing_of_them_from_people() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let _ = app.post("/Groups", &group("Layoffs 2027", &[&ada])).expect(201);
        let (reader, _) = app.issue(FIRST_TENANT, "local", &["users:read", "users:write"]);
        let path = format!("/Users/{ada}");
        assert!(app.get(&path).expect(200).text().contains("Layoffs"));
        for answer in [
            reader.get(&path),
            reader.get("/Users"),
            reader.get("/Users?attributes=groups"),
            reader.put(&path, &user("ada")),
        ] {
            let body = answer.expect(200).json();
            let shown = if body["Resources"].is_array() { &body["Resources"][0] } else { &body };
            assert!(shown["id"] == ada && shown.get("groups").is_none(), "{body}");
        }
        for filter in
            ["groups.display sw \"L\"", "userName eq \"ada\" and not (groups pr)", "groups[display co \"a\"]"]
        {
            let detail = reader.find("/Users", filter).refused(403, None);
            assert!(detail.contains("groups:read"), "{detail}");
        }
    });
}

#[test]
fn d_e1_to_a_connection_without_groups_there_are_none_unless_it_is_strict() {
    on_every_store(|app| {
        let ada = app.post("/Users", &user("ada")).expect(201).id();
        let _ = app.post("/Groups", &group("Layoffs 2027", &[&ada])).expect(201);
        let scopes = ["users:read", "users:write"];
        let (reader, _) = app.issue(FIRST_TENANT, "local", &scopes);
        for path in [
            "/Groups",
            "/Groups?excludedAttributes=members&filter=displayName+eq+%22Layoffs+2027%22",
            "/Groups?cursor",
        ] {
            let list = reader.get(path).expect(200).json();
            assert_eq!((&list["totalResults"], &list["Resources"]), (&json!(0), &json!([])), "{path}");
        }
        let list = reader.get("/?filter=meta.resourceType+pr").expect(200).json();
        assert_eq!(list["totalResults"], 1, "people are not hidden with the groups: {list}");

        app.strict();
        let (strict, _) = app.issue(FIRST_TENANT, "strict", &scopes);
        strict.get("/Groups").refused(403, None);
        let (nobody, _) = app.issue(FIRST_TENANT, "local", &["kinds:read"]);
        nobody.get("/Groups").refused(403, None);
    });
}
