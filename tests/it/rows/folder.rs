//! R10, X66, X1, X2, X62: the data folder and the log of a daemon as a process.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::support::bodies::user;
use crate::support::{Request, TestDaemon};

/// Lists everything below a folder.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        }
        found.push(path);
    }
    found
}

#[test]
fn r10_a_second_daemon_on_the_folder_is_refused_and_told_who_holds_it() {
    let daemon = TestDaemon::start();
    let second = TestDaemon::command(daemon.home(), &[]).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.contains(&format!("in use by process {}", daemon.id())), "{said}");
    assert!(last.contains(daemon.data().to_str().unwrap()), "{said}");
    // The first one does not mind.
    let _ = daemon.client().post("/Users", &user("ada")).expect(201);
}

#[test]
fn r10_a_lock_left_by_a_killed_daemon_is_no_obstacle() {
    let daemon = TestDaemon::start();
    let before = daemon.client().post("/Users", &user("ada")).expect(201).json();
    assert!(daemon.data().join("LOCK").exists());
    let daemon = daemon.kill_and_restart();
    let id = before["id"].as_str().unwrap();
    let mut after = daemon.client().get(&format!("/Users/{id}")).expect(200).json();
    // Only the port has changed, and the location with it.
    after["meta"]["location"] = before["meta"]["location"].clone();
    assert_eq!(after, before);
}

#[test]
fn x66_the_data_folder_is_closed_to_everybody_else() {
    let daemon = TestDaemon::start();
    let _ = daemon.client().post("/Users", &user("ada")).expect(201);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&daemon.data()), 0o700);
    let inside = everything(&daemon.data());
    assert!(inside.iter().any(|path| path.metadata().unwrap().file_type().is_socket()), "{inside:?}");
    assert!(inside.len() >= 3, "{inside:?}");
    for path in inside {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

#[test]
fn x1_x25_x62_no_token_password_or_name_is_in_the_log_and_no_token_in_the_data_folder() {
    const PASSWORD: &str = "canary-password-7Q";
    let mut daemon = TestDaemon::start();
    let made = daemon.cli(&["token", "create", "--tenant", "main", "--connection", "idp"]);
    assert!(made.status.success(), "{made:?}");
    let told = String::from_utf8([made.stdout, made.stderr].concat()).unwrap();
    let secret = told.split_whitespace().find(|word| word.starts_with("rost_")).unwrap().to_owned();
    assert_eq!(secret.len(), "rost_".len() + 64, "256 random bits in hexadecimal");

    let client = daemon.client().with(&secret);
    let mut body = user("canary-name");
    body["password"] = PASSWORD.into();
    let id = client.post("/Users", &body).expect(201).id();
    // Every way to fail, with the secrets in it.
    let _ = client.post("/Users", &body).expect(409);
    let _ = client.find("/Users", "userName eq \"canary-name\"").expect(200);
    let _ = client.find("/Users", &format!("password eq \"{PASSWORD}\"")).expect(400);
    let _ = client.get(&format!("/Users?token={secret}")).expect(200);
    let _ = client.get(&format!("/{secret}")).expect(404);
    let _ = client
        .send(&Request::scim("POST", "/Users").body(format!("{{\"password\":\"{PASSWORD}\"")))
        .expect(400);
    let _ = client.with(&format!("{secret}x")).get("/Users").expect(401);
    let _ = client.patch(&format!("/Users/{id}"), &serde_json::json!({ "password": PASSWORD })).expect(400);

    let data = daemon.data();
    let (status, said) = daemon.terminate();
    assert!(status.success());
    assert!(said.contains("request answered"), "the log is on: {said}");
    for (what, secret) in [
        ("the first token", TestDaemon::TOKEN),
        ("a made token", &secret),
        ("a password", PASSWORD),
        ("a name", "canary-name"),
    ] {
        assert!(!said.contains(secret), "{what} is in the log:\n{said}");
    }
    let files: Vec<PathBuf> = everything(&data).into_iter().filter(|path| path.is_file()).collect();
    let bytes: Vec<u8> = files.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("canary-name"), "the search finds what is there");
    for (what, secret) in
        [("the first token", TestDaemon::TOKEN), ("a made token", &secret), ("a password", PASSWORD)]
    {
        assert!(!holds(secret), "{what} is in the data folder");
    }
}

#[test]
fn x2_a_first_token_of_less_than_32_characters_is_refused_at_the_start() {
    let home = tempfile::tempdir().unwrap();
    let mut command = TestDaemon::command(home.path(), &[]);
    std::fs::write(home.path().join("token"), "x".repeat(31)).unwrap();
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("error: ") && last.contains("32") && last.contains("31"), "{said}");
    assert!(!said.contains(&"x".repeat(31)), "{said}");
}
