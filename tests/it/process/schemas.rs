//! S185, R37: a schema that is being changed when the process dies.

use serde_json::{Value, json};

use crate::support::TestDaemon;
use crate::support::bodies::{USER, user};

const ACME: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";

#[test]
fn s185_a_daemon_that_died_while_it_indexed_goes_on_with_it_before_it_lets_anybody_in() {
    let daemon = TestDaemon::start();
    let file = |name: &str, attribute: Value| {
        let path = daemon.home().join(name);
        std::fs::write(&path, json!({ "id": ACME, "attributes": [attribute] }).to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let plain = file("plain.json", json!({ "name": "badge" }));
    let unique = file("unique.json", json!({ "name": "badge", "uniqueness": "server" }));
    let added = daemon.cli(&["schema", "add", &plain, "--tenant", "main", "--connection", "idp"]);
    assert!(added.status.success(), "{added:?}");
    let person = |name: &str, badge: &str| {
        let mut body = user(name);
        body["schemas"] = json!([USER, ACME]);
        body[ACME] = json!({ "badge": badge });
        body
    };
    for number in 0..150 {
        let body = person(&format!("user-{number}"), &format!("B-{number}"));
        let _ = daemon.client().post("/Users", &body).expect(201);
    }
    // The fence, the version and the first of two pages are written; the second is not.
    let mut daemon = daemon.kill_and_restart_with(|command| {
        command.env("ROSTERD_FAILPOINTS", "append.before=crash@2");
    });
    let update = daemon.cli(&["schema", "update", &unique, "--tenant", "main"]);
    assert!(!update.status.success(), "{update:?}");
    assert!(!daemon.ended().success());
    let listed = daemon.cli(&["schema", "list", "--tenant", "main", "--json"]);
    let row: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&row["version"], &row["building"]), (&json!(2), &json!(true)));

    let mut daemon = daemon.kill_and_restart();
    let client = daemon.client();
    for number in [0, 99, 100, 149] {
        let taken = person("eve", &format!("b-{number}"));
        client.post("/Users", &taken).refused(409, Some("uniqueness"));
    }
    let _ = client.post("/Users", &person("eve", "B-150")).expect(201);
    let listed = daemon.cli(&["schema", "list", "--tenant", "main", "--json"]);
    let row: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&row["version"], &row["building"]), (&json!(2), &json!(false)));
    daemon.must_be_sound();
    assert!(daemon.terminate().0.success());
}
