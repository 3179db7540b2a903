//! Tokens: X1, X2, X3 and how an administrator rotates them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Ran, Site, run};
use crate::support::TestDaemon;
use crate::support::bodies::user;

const CREATE: [&str; 6] = ["token", "create", "--tenant", "main", "--connection", "idp"];

/// Makes a token; returns its id and its secret.
fn create(site: &Site, more: &[&str]) -> (String, String) {
    let made = site.run(&[&CREATE, more].concat()).done();
    let secret = made.out.strip_suffix('\n').unwrap().to_owned();
    let hex = secret.strip_prefix("rost_").unwrap_or_else(|| panic!("{made:?}"));
    assert!(
        hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "only the token, to be piped: {made:?}"
    );
    assert!(!made.err.contains(hex), "{made:?}");
    let id = made.err.strip_prefix("Made token ").and_then(|rest| rest.split_once(',')).unwrap().0.to_owned();
    (id, secret)
}

fn ids(ran: &Ran) -> Vec<String> {
    ran.json().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn x3_two_tokens_work_a_third_is_refused_and_a_revoked_one_opens_nothing_even_after_a_restart() {
    Site::each(|site| {
        let first = ids(&site.run(&["token", "list", "--json"]).done());
        assert_eq!(first.len(), 1);
        let (id, secret) = create(site, &[]);
        let third = site.run(&CREATE).failed();
        assert!(third.contains("connection \"idp\" has 2 live tokens already; revoke one first"), "{third}");
        assert!(third.contains("rosterd token revoke ID"), "{third}");
        assert_eq!(ids(&site.run(&["token", "list", "--json"]).done()), [first[0].clone(), id.clone()]);

        let client = site.serve().client();
        let _ = client.get("/Users").expect(200);
        let _ = client.with(&secret).get("/Users").expect(200);
        let before = Instant::now();
        let revoked = site.run(&["token", "revoke", &first[0]]).done();
        assert_eq!(
            (revoked.out.as_str(), revoked.err.as_str()),
            ("", "Revoked. The token opens nothing any more.\n")
        );
        // On the connection that had it a moment ago, and on another.
        client.get("/Users").refused(401, None);
        client.clone().get("/Users").refused(401, None);
        assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
        let _ = client.with(&secret).get("/Users").expect(200);
        let again = site.run(&["token", "revoke", &first[0]]).failed();
        assert_eq!(again, "no live token has this id; rosterd token list shows them");

        let client = site.restart().client();
        client.get("/Users").refused(401, None);
        let _ = client.with(&secret).get("/Users").expect(200);
        site.stop();
        let _ = site.run(&["token", "revoke", &id]).done();
        site.serve().client().with(&secret).get("/Users").refused(401, None);
        assert_eq!(site.run(&["token", "list"]).done().err, "none\n");
    });
}

#[test]
fn x1_a_list_shows_everything_of_a_token_but_the_token() {
    Site::each(|site| {
        let (id, secret) = create(site, &["--scopes", "users:read,audit", "--days", "10"]);
        let listed = site.run(&["token", "list", "--json", "--tenant", "main"]).done();
        let rows = listed.json();
        let row = rows.iter().find(|row| row["id"] == id.as_str()).unwrap();
        assert_eq!(row["scopes"], serde_json::json!(["users:read", "audit"]));
        assert_eq!((&row["tenant"], &row["connection"]), (&"main".into(), &"idp".into()));
        let at = |key: &str| row[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert_eq!(at("expires").duration_since(at("created")).as_hours(), 240);
        assert_eq!(row["last_used"], serde_json::Value::Null);
        let table = site.run(&["token", "list"]).done();
        assert!(table.out.lines().next().unwrap().contains("last used"), "{table:?}");
        for text in [&listed.out, &table.out] {
            assert!(
                !text.contains("rost_") && !text.contains(&secret[10..]) && !text.contains("hash"),
                "{text}"
            );
        }

        // Used, it says when, at the latest after a restart.
        let client = site.serve().client().with(&secret);
        let _ = client.get("/Users").expect(200);
        client.post("/Users", &user("ada")).refused(403, None);
        site.restart();
        let rows = site.run(&["token", "list", "--json"]).done().json();
        let row = rows.iter().find(|row| row["id"] == id.as_str()).unwrap();
        assert!(row["last_used"].is_string(), "{row}");
    });
}

#[test]
fn x4_scopes_are_taken_by_name_and_a_wrong_one_is_answered_with_all_there_are() {
    Site::each(|site| {
        for wrong in ["user:read", "users:read,", "", "users:read,Admin"] {
            let line = site.run(&[&CREATE[..], &["--scopes", wrong]].concat());
            let line = if line.code == Some(2) { line.err } else { line.failed() };
            assert!(line.contains("unknown scope \"") || wrong.is_empty(), "{wrong}: {line}");
            if !wrong.is_empty() {
                assert!(line.contains("expected one of: users:read, users:write, groups:read, "), "{line}");
            }
        }
        assert_eq!(site.run(&["token", "list", "--json"]).done().json().len(), 1, "none was made");
        for (arguments, part) in [
            (["--tenant", "acme", "--connection", "idp"], "rosterd tenant list"),
            (
                ["--tenant", "main", "--connection", "okta"],
                "no connection is named \"okta\"; rosterd connection list shows them",
            ),
        ] {
            let line = site.run(&[&["token", "create"][..], &arguments].concat()).failed();
            assert!(line.contains(part), "{line}");
        }
        for days in ["0", "3651", "ten"] {
            let ran = site.run(&[&CREATE[..], &["--days", days]].concat());
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(ran.err.contains("--days"), "{ran:?}");
        }
        for id in ["x", "01890000-0000-7000-8000-000000000000"] {
            assert!(site.run(&["token", "revoke", id]).failed().contains("rosterd token list"));
        }
    });
}

/// A `rosterd serve` whose first token the test says.
fn serve(home: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data"]);
    command.arg(home.join("data")).env_clear().stdin(Stdio::null());
    command
}

#[test]
fn x2_a_first_token_that_is_short_missing_or_unfit_is_refused_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("token");
    let name = file.to_str().unwrap();
    let long = "x".repeat(1025);
    for (content, parts) in [
        (
            Some("too-short-to-be-safe"),
            &[name, "expected a token of 32 to 1024 characters, found 20", "openssl rand -hex 32"][..],
        ),
        (Some(""), &[name, "found 0"]),
        (Some(&long), &[name, "found 1025"]),
        (Some("sixteen-words are not one token of 32"), &[name, "letters, digits and -._~+/= alone"]),
        (None, &[name, "cannot be read"]),
    ] {
        match content {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let by_flag = run(serve(home.path()).arg("--bootstrap-token-file").arg(&file)).failed();
        let by_variable = run(serve(home.path()).env("ROSTERD_BOOTSTRAP_TOKEN_FILE", &file)).failed();
        assert_eq!(by_flag, by_variable);
        for part in parts {
            assert!(by_flag.contains(part), "{by_flag}");
        }
        assert!(!by_flag.contains(content.filter(|text| !text.is_empty()).unwrap_or("\0")), "{by_flag}");
    }
    assert!(!home.path().join("data").exists(), "a refused start makes nothing");
}

#[test]
fn x2_the_variable_names_the_first_token_as_the_flag_does() {
    let home = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let mut daemon = TestDaemon::start_with(&home, &[], |command| {
        let mut fresh = serve(home.path());
        fresh.env("ROSTERD_BOOTSTRAP_TOKEN_FILE", home.path().join("token"));
        fresh.stdout(Stdio::null()).stderr(Stdio::piped());
        *command = fresh;
    });
    let _ = daemon.client().get("/Users").expect(200);
    daemon.until_said("the one you brought");
    let (status, said) = daemon.terminate();
    assert!(status.success() && !said.contains(TestDaemon::TOKEN), "{said}");
    // Later starts do not look at it: another file changes nothing.
    std::fs::write(home.path().join("other"), "another-token-that-is-long-enough-0123456789").unwrap();
    let daemon = TestDaemon::start_with(&home, &[], |command| {
        command.env("ROSTERD_BOOTSTRAP_TOKEN_FILE", home.path().join("other"));
    });
    let _ = daemon.client().get("/Users").expect(200);
    daemon.client().with("another-token-that-is-long-enough-0123456789").get("/Users").refused(401, None);
}
