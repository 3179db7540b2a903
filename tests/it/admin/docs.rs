//! The examples of `docs/operate/admin-api.md` do what they say.

use std::path::Path;

use serde_json::Value;

use super::support::Admin;
use crate::support::bodies::user;
use crate::support::{Request, TestApp};

/// The lines of the document that are commands.
fn commands() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operate/admin-api.md");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("    curl ")).map(str::to_owned).collect()
}

/// What stands between `front` and `back`.
fn between<'a>(text: &'a str, front: &str, back: char) -> Option<&'a str> {
    text.split_once(front)?.1.split(back).next()
}

#[test]
fn the_examples_of_the_admin_api_do_what_they_say() {
    let app = TestApp::start();
    let ada = app.post("/Users", &user("ada")).expect(201).id();
    assert_eq!(app.delete(&format!("/Users/{ada}")).status, 204);
    let admin = Admin::of(&app, &["admin", "audit"]);
    let commands = commands();
    assert_eq!(commands.len(), 4);
    for command in commands {
        let target = between(&command, "http://127.0.0.1:8081", ' ').unwrap();
        let target = target.trim_end_matches('"').replace("$ID", &ada);
        let body = between(&command, "-d '", '\'');
        let method = between(&command, "-X ", ' ').unwrap_or(if body.is_some() { "POST" } else { "GET" });
        assert!(command.contains("-H \"Authorization: Bearer $TOKEN\""), "{command}");
        let request = Request::new(method, target).header("Accept", "*/*");
        let answer = admin.0.send(&match body {
            Some(body) => request
                .json(&serde_json::from_str::<Value>(body).unwrap())
                .header("Content-Type", "application/json"),
            None => request,
        });
        assert!((200..300).contains(&answer.status), "{command}: {}", answer.text());
    }
}
