//! Schemas: checked without a data folder, added, shown, given, taken, changed and removed.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{Ran, Site, run};
use crate::support::bodies::{USER, user};

const ACME: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn check(file: &str) -> Ran {
    run(Command::new(env!("CARGO_BIN_EXE_rosterd")).args(["schema", "check", file]).env_clear())
}

#[test]
fn s185_a_file_is_checked_without_a_folder_or_a_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(
        folder.path(),
        "good.json",
        &json!({ "id": ACME, "attributes": [{ "name": "code", "colour": 1 }] }).to_string(),
    );
    let ran = check(&good).done();
    assert_eq!(ran.out, format!("{good}: the schema {ACME} has no mistakes.\n"));
    assert_eq!(ran.err, "warning: attributes[0]: the member \"colour\" means nothing here and is left out\n");
    let bad = write(
        folder.path(),
        "bad.json",
        r#"{"id": "acme", "extends": "User", "attributes": [{"name": "1"}]}"#,
    );
    let ran = check(&bad);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(3), 3), "{ran:?}");
    assert!(
        ran.out.starts_with(&format!("{bad}: the schema has 2 mistakes:\nid: expected a URN such as ")),
        "{ran:?}"
    );
    assert!(ran.out.contains("\nattributes[0].name: expected a name of a letter"), "{ran:?}");
    assert!(check("none.json").failed().starts_with("none.json: expected a file with a schema"));
    let large = write(folder.path(), "large.json", &" ".repeat(600 * 1024));
    assert!(check(&large).failed().contains("expected at most 524288 bytes"));
    let broken = write(folder.path(), "broken.json", "{\"id\": ");
    assert_eq!(check(&broken).code, Some(3));
}

#[test]
fn s185_an_operator_adds_shows_shares_changes_and_removes_a_schema() {
    Site::each(|site| {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, attributes: serde_json::Value| {
            write(folder.path(), name, &json!({ "id": ACME, "attributes": attributes }).to_string())
        };
        let first = file("first.json", json!([{ "name": "code" }]));
        let tenant = ["--tenant", "main"];
        let run = |arguments: &[&str]| site.run(&[&["schema"], arguments, &tenant].concat());
        let added = run(&["add", &first, "--connection", "idp"]).done();
        assert_eq!(added.err, format!("Added {ACME}, version 1; seen by administrators and by idp.\n"));
        let again = run(&["add", &first]).failed();
        assert!(again.contains("is there already"), "{again}");
        let row = run(&["list", "--json"]).done().json().remove(0);
        assert_eq!(
            (&row["id"], &row["version"], &row["connections"], &row["tenant"]),
            (&json!(ACME), &json!(1), &json!(["idp"]), &json!("main"))
        );
        let table = run(&["list"]).done().out;
        assert!(table.contains("seen by") && table.contains(ACME), "{table}");
        let second = file("second.json", json!([{ "name": "code", "indexed": true }, { "name": "more" }]));
        let updated = run(&["update", &second]).done();
        assert_eq!(updated.err, format!("Version 2 of {ACME} holds; 0 resources were indexed for it.\n"));
        let shown: serde_json::Value = serde_json::from_str(&run(&["show", ACME]).done().out).unwrap();
        assert_eq!((&shown["attributes"][0]["indexed"], &shown["extends"]), (&json!(true), &json!("User")));
        let old: serde_json::Value =
            serde_json::from_str(&run(&["show", ACME, "--version", "1"]).done().out).unwrap();
        assert_eq!(old["attributes"].as_array().unwrap().len(), 1);
        // What is shown can be taken in again, and says the same.
        let same = write(folder.path(), "same.json", &shown.to_string());
        assert!(run(&["update", &same]).done().err.starts_with("Version 2 of"));
        assert_eq!(
            run(&["take", ACME, "--connection", "idp"]).done().err,
            "Taken. The values that are stored stay.\n"
        );
        assert_eq!(run(&["give", ACME, "--connection", "idp"]).done().err, "Given.\n");
        assert!(
            run(&["give", ACME, "--connection", "none"]).failed().contains("no connection is named \"none\"")
        );
        assert!(
            run(&["give", "urn:acme:none", "--connection", "idp"]).failed().contains("rosterd schema list")
        );
        let mistakes = file("wrong.json", json!([{ "name": "id" }, { "name": "a", "type": "text" }]));
        let ran = run(&["update", &mistakes]);
        assert_eq!(ran.code, Some(1));
        assert!(
            ran.err.starts_with("error: the schema has 2 mistakes:\nattributes[0].name: id means something"),
            "{ran:?}"
        );

        let client = site.serve().client();
        let mut body = user("ada");
        body["schemas"] = json!([USER, ACME]);
        body[ACME] = json!({ "code": "C" });
        let path = format!("/Users/{}", client.post("/Users", &body).expect(201).id());
        let client = site.restart().client();
        assert_eq!(client.get(&path).expect(200).json()[ACME], json!({ "code": "C" }));
        let refused = site.run(&[&["schema", "remove", ACME], &tenant[..]].concat());
        assert_eq!(refused.code, Some(1));
        assert!(refused.err.contains("it is removed: 1 resource has values of this schema"), "{refused:?}");
        assert_eq!(client.delete(&path).status, 204);
        let removed = site.run(&[&["schema", "remove", ACME], &tenant[..]].concat()).done();
        assert_eq!(removed.err, "Removed. Its versions stay in the history.\n");
        assert!(site.run(&["check"]).done().out.contains("Everything fits."));
    });
}
