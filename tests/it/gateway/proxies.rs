//! Behind nginx and Caddy, as the guide configures them: a browser cannot say who it is (X38), and what ends a session ends it there (X9).

use serde_json::{Value, json};

use super::echo::Echo;
use super::proxy::{Make, Proxy};
use super::{COOKIE, FILE, IDENTITY, PSA, firm, hire, local, proven, published, sign_in, with};
use crate::support::bodies::{group, replace};
use crate::support::{Answer, Client, Engine, Request, TestApp};

/// A program behind a proxy behind a daemon.
struct World {
    app: TestApp,
    make: Make,
    echo: Echo,
    browser: Client,
    _proxy: Proxy,
}

/// Runs a test behind each proxy that there is.
fn behind_each(toml: &str, test: impl Fn(World)) {
    for make in Make::ALL.into_iter().filter(|make| make.is_there()) {
        eprintln!("behind {make:?}:");
        let app = if toml == FILE { firm(Engine::Memory) } else { TestApp::written(Engine::Memory, toml) };
        let echo = Echo::start();
        let proxy = Proxy::start(make, app.address(), echo.address());
        let browser = Client::new(proxy.address(), "").stranger();
        test(World { app, make, echo, browser, _proxy: proxy });
    }
}

fn page(path: &str) -> Request {
    Request::new("GET", path).header("Accept", "text/html")
}

/// What the program was sent under a name, however it was spelt: as programs see it that take `_` for `-`.
fn sent(answer: &Answer, name: &str) -> Vec<String> {
    let fields: Value = serde_json::from_slice(&answer.body).unwrap();
    let spelt = |field: &Value| field[0].as_str().unwrap().to_ascii_lowercase().replace('_', "-") == name;
    let found = fields.as_array().unwrap().iter().filter(|field| spelt(field));
    found.map(|field| field[1].as_str().unwrap().to_owned()).collect()
}

#[test]
fn x38_a_browser_cannot_say_who_it_is_however_it_spells_that() {
    behind_each(FILE, |world| {
        let World { app, browser, echo, .. } = &world;
        let local = local(app);
        let ada = hire(&local, "ada", &json!({}));
        let _ = local.post("/Groups", &group("crew", &[&ada])).expect(201);
        let cookie = sign_in(app, &ada);
        let forged = [
            "Remote-User",
            "remote-user",
            "REMOTE-USER",
            "Remote_User",
            "REMOTE_USER",
            "remote_user",
            "Remote-Email",
            "Remote_Email",
            "Remote-Name",
            "Remote_Name",
            "Remote-Groups",
            "Remote_Groups",
            "X-Rosterd-Assertion",
            "X_Rosterd_Assertion",
            "X-Rosterd_Assertion",
            "Remote-Groups-Extra",
            "X-Forwarded-User",
            "X_Forwarded_User",
            "X-Forwarded-Email",
            "X-Forwarded-Groups",
            "X-Forwarded-Host",
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "Forwarded",
        ];
        let mut request = with(page("/time"), &format!("{cookie}; theme=dark"));
        for name in forged {
            request = request.header(name, "forged");
        }
        let answer = browser.send(&request).expect(200);
        assert_eq!(echo.asked(), 1);
        assert!(!answer.text().contains("forged"), "{}", answer.text());
        assert_eq!(sent(&answer, "remote-user"), [ada.as_str()]);
        assert_eq!(sent(&answer, "remote-email"), ["ada@firm.test"]);
        assert_eq!(sent(&answer, "remote-groups"), ["crew"]);
        let [assertion] = sent(&answer, "x-rosterd-assertion").try_into().unwrap();
        let claims = proven(&published(app), &assertion).expect("a published key");
        assert_eq!((&claims["sub"], &claims["aud"]), (&json!(ada), &json!("psa.roster.test")));
        // Whoever has the cookie is signed in as that person: the program does not get it.
        assert_eq!(sent(&answer, "cookie"), ["theme=dark"]);
        for cookies in [
            format!("a=1; {COOKIE}={cookie}; b=2"),
            format!("a=1;{COOKIE}={cookie}"),
            format!("{COOKIE}={cookie}"),
        ] {
            let answer = browser.send(&page("/").header("Cookie", cookies)).expect(200);
            assert!(!answer.text().contains(&cookie), "{}", answer.text());
        }
    });
}

#[test]
fn x38_a_field_that_the_program_does_not_see_is_taken_from_the_browser_as_well() {
    // The same program, told nothing but who somebody is.
    let bare = FILE.replacen("claims = [\"email\", \"name\", \"user_name\", \"kind\", \"groups\", \"roles\", \"user_types\", \"license\"]", "", 1);
    behind_each(&bare, |world| {
        let World { app, browser, .. } = &world;
        let ada = hire(&local(app), "ada", &json!({}));
        let cookie = sign_in(app, &ada);
        let mut request = with(page("/"), &cookie);
        for name in IDENTITY {
            request = request.header(name, "forged").header(&name.replace('-', "_"), "forged");
        }
        let answer = browser.send(&request).expect(200);
        assert_eq!(sent(&answer, "remote-user"), [ada.as_str()]);
        for name in ["remote-email", "remote-name", "remote-groups"] {
            assert!(sent(&answer, name).iter().all(String::is_empty), "{name}: {}", answer.text());
        }
        assert!(!answer.text().contains("forged"));
    });
}

#[test]
fn x43_who_is_not_signed_in_reaches_no_program_and_a_browser_is_sent_to_sign_in() {
    // Caddy has the daemon answer browsers; nginx knows but 401 and does it itself.
    let toml = FILE.replacen("permissions = [\"*\"]", "permissions = [\"*\"]\nbrowser = \"redirect\"", 1);
    behind_each(&toml, |world| {
        let World { browser, echo, make, .. } = &world;
        let sent = browser.send(&page("/time?week=3&day=1").header("X-Forwarded-Uri", "/forged")).expect(302);
        assert_eq!(
            sent.header("location"),
            Some(
                "https://roster.test/login?tenant=main&return_to=https%3A%2F%2Fpsa.roster.test%2Ftime%3Fweek%3D3%26day%3D1"
            )
        );
        if *make == Make::Caddy {
            let refused =
                browser.send(&Request::new("GET", "/").header("Accept", "application/json")).expect(401);
            assert_eq!(refused.header("x-rosterd-reason"), Some("signed-out"));
        }
        for (name, value) in
            [("Remote-User", "ada"), ("User-Agent", "GoogleHC/1.0"), ("X-Original-Method", "OPTIONS")]
        {
            assert_ne!(browser.send(&page("/").header(name, value)).status, 200);
        }
        assert_eq!(echo.asked(), 0);
    });
}

#[test]
fn x9_a_lock_keeps_somebody_from_a_program_at_the_next_request() {
    behind_each(FILE, |world| {
        let World { app, browser, echo, .. } = &world;
        let local = local(app);
        let ada = hire(&local, "ada", &json!({}));
        let cookie = sign_in(app, &ada);
        for round in 1..=3 {
            let _ = browser.send(&with(page("/"), &cookie)).expect(200);
            assert_eq!(echo.asked(), round);
        }
        let _ = local.patch(&format!("/Users/{ada}"), &replace("active", false)).expect(200);
        let refused = browser.send(&with(page("/"), &cookie));
        assert!(matches!(refused.status, 302 | 401), "{refused:?}");
        assert_eq!(echo.asked(), 3);
    });
}

#[test]
fn x9_a_provider_that_was_switched_off_opens_no_program_behind_a_proxy() {
    behind_each(FILE, |world| {
        let World { mut app, browser, echo, .. } = world;
        let ada = hire(&local(&app), "ada", &json!({}));
        let cookie = sign_in(&app, &ada);
        let _ = browser.send(&with(page("/"), &cookie)).expect(200);
        app.reload(&FILE.replace("client_authentication", "enabled = false\nclient_authentication"));
        let refused = browser.send(&with(page("/"), &cookie));
        assert!(matches!(refused.status, 302 | 401), "{refused:?}");
        assert_eq!(echo.asked(), 1);
    });
}

#[test]
fn who_may_not_use_a_program_gets_403_from_the_proxy_and_never_reaches_it() {
    let toml = FILE.replacen("permissions = [\"*\"]", "permissions = [\"*\"]\nrequires = \"users.view\"", 1);
    behind_each(&toml, |world| {
        let World { app, browser, echo, make, .. } = &world;
        let local = local(app);
        let ada = hire(&local, "ada", &json!({}));
        let cookie = sign_in(app, &ada);
        let refused = browser.send(&with(page("/"), &cookie)).expect(403);
        if *make == Make::Caddy {
            assert_eq!(refused.header("x-rosterd-reason"), Some("not-permitted"));
        }
        assert_eq!(echo.asked(), 0);
        let grants = json!([{ "permission": "users.view", "level": "all" }]);
        let clerk = json!({ "schemas": [], "displayName": "Clerk", "grants": grants });
        let clerk = local.post("/UserTypes", &clerk).expect(201).id();
        let given = replace(&format!("{PSA}:userTypes"), json!([{ "value": clerk }]));
        let _ = local.patch(&format!("/Users/{ada}"), &given).expect(200);
        let _ = browser.send(&with(page("/"), &cookie)).expect(200);
    });
}
