//! X9, P06: who signs in at several daemons is out at every one of them within a second of what ends it at one, and what is taken back revives no session anywhere.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::bodies::{USER, replace};
use crate::support::ground::on_postgresql;
use crate::support::{Answer, Client, Engine, Request, TestApp};

/// How soon.
const WITHIN: Duration = Duration::from_secs(1);
/// How often each is tried.
const TRIALS: usize = 10;
const PASSWORD: &str = "marmalade for breakfast";
/// A firm with passwords, and a program behind a proxy.
const FILE: &str = r#"
[sign_in]
method = "password"

[[apps]]
name = "psa"
tenant = "main"
url = "https://roster.test"
claims = ["user_name"]
"#;

/// What ends everything of somebody at a daemon, by their id; and what lets them in again, which returns the id that they have then.
type Way<'w> = (&'w dyn Fn(&TestApp, &str), &'w dyn Fn(&TestApp, &str, &str) -> String);

fn provisioned(name: &str) -> Value {
    json!({ "schemas": [USER], "userName": name, "externalId": name, "active": true })
}

/// Asks as an administrator.
fn administer(app: &TestApp, method: &str, path: &str, body: &Value) -> Answer {
    let (client, id) = app.issue("main", "local", &["admin", "users:read", "users:write"]);
    let request = Request::new(method, format!("/admin/v1{path}")).header("Accept", "application/json");
    let request = request.json(body).header("Content-Type", "application/json");
    let answer = Client::new(app.daemon().admin(), client.token()).send(&request);
    app.operate(rosterd::roster::Command::TokenRevoke { id });
    answer
}

fn give_password(app: &TestApp, id: &str) {
    let body = json!({ "password": PASSWORD, "passwordAgain": PASSWORD });
    let _ = administer(app, "PUT", &format!("/users/{id}/password"), &body).expect(204);
}

/// Signs somebody in as a browser does.
#[track_caller]
fn sign_in(app: &TestApp, name: &str) -> Browser {
    let mut browser = Browser::of(app.stranger());
    let fields = [("login", name), ("password", PASSWORD), ("tenant", "main"), ("return_to", "/me")];
    let answer = browser.post("/password/login", &fields);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/me")), "{}", answer.text());
    browser
}

/// One session at one daemon, and the question that is asked with it.
struct Watched {
    browser: Browser,
    path: &'static str,
    what: String,
}

impl Watched {
    fn status(&mut self) -> u16 {
        let request = Request::new("GET", self.path).header("Accept", "application/json");
        self.browser.send(request).status
    }

    /// How long it is good after something was done.
    fn until_refused(&mut self, since: Instant) -> Duration {
        loop {
            let (status, after) = (self.status(), since.elapsed());
            if status == 401 {
                return after;
            }
            assert_eq!(status, 200, "{}", self.what);
            assert!(after < 20 * WITHIN, "{}: good for ever", self.what);
        }
    }
}

/// Each session at each daemon, by `/session`, and by `/auth/verify`, where what was found of it is remembered. Those of the first daemon come first.
fn watched(daemons: [&TestApp; 2], sessions: &[Browser]) -> Vec<Watched> {
    let mut all = Vec::new();
    for (at, daemon) in daemons.into_iter().enumerate() {
        for (of, session) in sessions.iter().enumerate() {
            for path in ["/session", "/auth/verify?app=psa"] {
                let mut browser = Browser::of(daemon.stranger());
                browser.cookies = session.cookies.clone();
                let what = format!("the session made at daemon {of}, at daemon {at}, by {path}");
                all.push(Watched { browser, path, what });
            }
        }
    }
    all
}

/// Somebody signs in at both, one of the daemons is told to end it, and both are asked.
fn trial([here, there]: [&TestApp; 2], name: &str, (end, take_back): Way<'_>) -> Duration {
    let id = here.post("/Users", &provisioned(name)).expect(201).id();
    give_password(here, &id);
    let sessions = [sign_in(here, name), sign_in(there, name)];
    let mut all = watched([here, there], &sessions);
    for one in &mut all {
        // Asked twice: the second time it is remembered.
        assert_eq!((one.status(), one.status()), (200, 200), "{}", one.what);
    }
    end(here, &id);
    let since = Instant::now();
    let (at_here, at_there) = all.split_at_mut(4);
    // Who asks after the answer is refused there at once.
    for one in at_here {
        assert_eq!(one.status(), 401, "{}", one.what);
    }
    let longest = at_there.iter_mut().map(|one| one.until_refused(since)).max().unwrap();
    for daemon in [here, there] {
        let fields = [("login", name), ("password", PASSWORD), ("tenant", "main")];
        assert_eq!(Browser::of(daemon.stranger()).post("/password/login", &fields).status, 403);
    }
    let id = take_back(here, &id, name);
    // Whoever signs in anew is in at both, so that both have heard that they may.
    let fresh = [sign_in(here, name), sign_in(there, name)];
    for one in &mut watched([here, there], &fresh) {
        let since = Instant::now();
        while one.status() != 200 {
            assert!(since.elapsed() < WITHIN, "{} is not taken after {id} may come again", one.what);
        }
    }
    for one in &mut all {
        assert_eq!((one.status(), one.status()), (401, 401), "{} lives again", one.what);
    }
    longest
}

/// Tries it several times, told to either daemon in turn.
fn tried(what: &str, way: Way<'_>) {
    on_postgresql(|| {
        let one = TestApp::written(Engine::Redb, FILE);
        let other = TestApp::beside_written(&one, FILE);
        let longest = (0..TRIALS)
            .map(|number| {
                let daemons = if number % 2 == 0 { [&one, &other] } else { [&other, &one] };
                trial(daemons, &format!("person-{number}"), way)
            })
            .max()
            .unwrap();
        eprintln!("from {what} to the refusal at the other: {longest:?} at the most, of {TRIALS}");
        assert!(longest < WITHIN, "{longest:?}");
    });
}

fn set_active(app: &TestApp, id: &str, active: bool) {
    let _ = app.patch(&format!("/Users/{id}"), &replace("active", active)).expect(200);
}

#[test]
fn x9_r13_a_lock_by_scim_at_one_daemon_ends_the_sessions_at_the_other_and_an_unlock_revives_none() {
    tried(
        "the lock by SCIM",
        (&|app, id| set_active(app, id, false), &|app, id, _| {
            set_active(app, id, true);
            id.to_owned()
        }),
    );
}

#[test]
fn x9_r13_a_lock_by_an_administrator_at_one_daemon_ends_the_sessions_at_the_other_and_an_unlock_revives_none()
{
    let lock = |app: &TestApp, id: &str| {
        let _ = administer(app, "PUT", &format!("/users/{id}/lock"), &json!({})).expect(204);
    };
    tried(
        "the lock by an administrator",
        (&lock, &|app, id, _| {
            let _ = administer(app, "DELETE", &format!("/users/{id}/lock"), &Value::Null).expect(204);
            id.to_owned()
        }),
    );
}

#[test]
pub(super) fn x9_r13_who_leaves_at_one_daemon_is_out_at_the_other_and_who_comes_back_has_no_old_session() {
    let leave = |app: &TestApp, id: &str| {
        let _ = app.delete(&format!("/Users/{id}")).expect(204);
    };
    tried(
        "the departure",
        (&leave, &|app, _, name| {
            let id = app.post("/Users", &provisioned(name)).expect(201).id();
            give_password(app, &id);
            id
        }),
    );
}
