//! X1, X12, X61, X62: nothing that is secret or personal gets into the log or the metrics, and no token or password into a file, whatever is
//! asked, refused or broken, and however much is logged.
//!
//! Everything planted holds one word, so that looking for it is looking for all of it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rosterd::http::router::PUBLIC;
use serde_json::json;

use super::tunnel::{trusting, write_pair};
use super::{everything, found_in, home};
use crate::support::bodies::{ENTERPRISE, GROUP, USER, patch, replace};
use crate::support::{Client, Request, TestDaemon, encode};

/// What everything planted holds.
const CANARY: &str = "canary7q";
/// The same as base64 hides it in `Basic`, at each of the three offsets.
const CANARY_BASE64: [&str; 3] = ["Y2FuYXJ5N3", "NhbmFyeTdx", "jYW5hcnk3c"];
const PASSWORD: &str = "canary7q-password";
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CANARY7Q"];

/// A daemon that logs all there is, as JSON, and whose store can be made to fail.
struct Watched {
    daemon: TestDaemon,
    home: Arc<tempfile::TempDir>,
}

impl Watched {
    fn start() -> Self {
        Self::start_in(home(), |_, _| {})
    }

    fn start_in(home: Arc<tempfile::TempDir>, change: impl FnOnce(&mut Command, &Path)) -> Self {
        let switch = |name: &str| home.path().join(name).display().to_string();
        let points = format!(
            "disk.flush=error?{},disk.write=full?{},disk.write=panic?{}",
            switch("error"),
            switch("full"),
            switch("panic")
        );
        let daemon = TestDaemon::start_with(&home, &[], |command| {
            command
                .env("ROSTERD_FAILPOINTS", points)
                .env("ROSTERD_LOG__LEVEL", "trace")
                .env("ROSTERD_LOG__FORMAT", "json")
                .env("ROSTERD_SERVER__BODY_TIMEOUT_MS", "1500")
                .env("ROSTERD_SERVER__HEAD_TIMEOUT_MS", "1500");
            change(command, home.path());
        });
        Self { daemon, home }
    }

    /// Runs something while the store fails in a way.
    fn while_failing(&self, how: &str, run: impl FnOnce()) {
        let switch = self.home.path().join(how);
        let failures = || self.daemon.said().matches("the store stopped writing").count();
        let before = failures();
        std::fs::write(&switch, "").unwrap();
        run();
        assert_eq!(failures(), before + 1, "{how} makes the store fail");
        std::fs::remove_file(switch).unwrap();
        let ready = || self.daemon.client().send(&Request::new("GET", "/readyz")).status == 200;
        crate::support::until("readiness", ready);
    }

    /// Ends the daemon, and fails if anything planted, or one of the secrets, is where it must not be.
    fn must_have_kept_quiet(mut self, secrets: &[&str]) {
        let metrics = self.daemon.admin().send(&Request::new("GET", "/metrics")).expect(200).text();
        let data = self.daemon.data();
        let (status, said) = self.daemon.terminate();
        assert_eq!(status.code(), Some(0), "{said}");
        let mut words = vec![CANARY, PASSWORD];
        words.extend(CANARY_BASE64);
        words.extend(secrets);
        for line in said.lines() {
            assert_eq!(found_in(line.as_bytes(), &words), Vec::<&str>::new(), "in the log: {line}");
        }
        assert_eq!(found_in(metrics.as_bytes(), &words), Vec::<&str>::new(), "in the metrics: {metrics}");

        let files: Vec<PathBuf> = everything(&data).into_iter().filter(|path| path.is_file()).collect();
        let all: Vec<u8> = files.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
        assert_eq!(found_in(&all, &["canary7q-name"]), ["canary7q-name"], "the search finds what is there");
        let mut words = vec![PASSWORD];
        words.extend(secrets);
        for path in files {
            let found = found_in(&std::fs::read(&path).unwrap(), &words);
            assert_eq!(found, Vec::<&str>::new(), "in {}", path.display());
        }
        // The log was on, and is JSON to the last line.
        let lines: Vec<serde_json::Value> = said
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let answered = lines.iter().filter(|line| line["message"] == "request answered").count();
        assert!(answered > 20, "{answered} lines: {said}");
    }
}

/// A person with something to hide in every place.
fn person(user_name: &str) -> serde_json::Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "userName": user_name,
        "externalId": format!("{user_name}-external"),
        "password": PASSWORD,
        "name": { "givenName": "Canary7q", "familyName": "Canary7q" },
        "displayName": "Canary7q Canary7q",
        "emails": [{ "value": "canary7q-mail@canary7q.example", "type": "work", "primary": true }],
        "phoneNumbers": [{ "value": "+1 canary7q" }],
        "addresses": [{ "formatted": "1 Canary7q Street" }],
        ENTERPRISE: { "employeeNumber": "canary7q-number", "costCenter": "canary7q-cost" },
        "x-canary7q": "canary7q",
    })
}

/// Bodies that are refused, each in its own way, and each with something in it.
fn bad_bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "{\"userName\": \"canary7q",
        "canary7q",
        "{\"userName\": \"canary7q\", \"USERNAME\": \"canary7q\"}",
        "{\"userName\": [\"canary7q\"]}",
        "{\"userName\": \"canary7q\", \"active\": \"canary7q\"}",
        "{\"userName\": \"canary7q\\u202e\"}",
        "{\"userName\": \"canary7q\", \"emails\": \"canary7q\"}",
        "{\"schemas\": [\"urn:canary7q\"], \"userName\": \"canary7q\"}",
        "{\"userName\": \"canary7q\\ud800\"}",
        "{\"userName\": \"canary7q\", \"canary7q\": 1e9999}",
        "\u{feff}{\"userName\": \"canary7q\"}",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    bodies.push(b"{\"userName\": \"canary7q\xff\"}".to_vec());
    let operations = [
        json!([{ "op": "canary7q", "path": "title", "value": "canary7q" }]),
        json!([{ "op": "replace", "path": "emails[value eq \"canary7q\"].canary7q", "value": "canary7q" }]),
        json!([{ "op": "replace", "path": "emails[value eq \"canary7q", "value": "canary7q" }]),
        json!([{ "op": "remove", "path": "members[value eq \"canary7q\"]" }]),
        json!([{ "op": "add", "path": "members", "value": [{ "value": "canary7q", "display": "canary7q" }] }]),
        json!([{ "op": "replace", "path": "id", "value": "canary7q" }]),
        json!([{ "op": "replace", "value": "canary7q" }]),
    ];
    bodies.extend(operations.iter().map(|each| patch(each.as_array().unwrap()).to_string().into_bytes()));
    bodies.push(
        json!({ "schemas": [GROUP], "displayName": "canary7q", "members": [{ "value": "canary7q" }] })
            .to_string()
            .into(),
    );
    bodies
}

fn queries() -> Vec<String> {
    let filters = [
        "userName eq \"canary7q-name\"",
        "password eq \"canary7q-password\"",
        "emails[value co \"canary7q\"]",
        "canary7q eq \"canary7q\"",
        "userName eq \"canary7q",
        "userName canary7q \"x\"",
    ];
    let mut queries: Vec<String> =
        filters.iter().map(|filter| format!("filter={}", encode(filter))).collect();
    queries.extend(
        [
            "attributes=canary7q",
            "excludedAttributes=canary7q",
            "sortBy=canary7q",
            "count=canary7q",
            "startIndex=canary7q",
            "token=canary7q",
            "canary7q=%ff",
        ]
        .map(str::to_owned),
    );
    queries
}

/// Adds what a client, a proxy or a browser might send along.
fn with_luggage(request: Request) -> Request {
    request
        .header("Cookie", "session=canary7q")
        .header("Referer", "https://canary7q.example/?canary7q")
        .header("User-Agent", "canary7q/1.0")
        .header("X-Request-Id", "canary7q@canary7q.example")
        .header("X-Forwarded-For", "canary7q")
        .header("X-Forwarded-User", "canary7q")
        .header("X-Api-Key", "canary7q")
        .header("If-Match", "W/\"canary7q\"")
        .header("Accept-Language", "canary7q")
}

/// Credentials of every kind but the good one.
const CREDENTIALS: [&str; 8] = [
    "",
    "Bearer canary7q-token",
    "Basic Y2FuYXJ5N3E6Y2FuYXJ5N3E=",
    "Basic eGNhbmFyeTdxOng=",
    "Basic eHhjYW5hcnk3cTp4",
    "Digest username=\"canary7q\"",
    "canary7q",
    "Bearer canary7q canary7q",
];

/// Sends, and does not mind how it ends.
fn send(client: &Client, request: &Request) {
    let _ = client.try_send(request);
}

/// Asks every route in every way with every credential.
fn every_route(client: &Client) {
    let stranger = client.stranger();
    for template in PUBLIC {
        let path = template.replace("{id}", "canary7q");
        for method in METHODS {
            let request = || with_luggage(Request::new(method, format!("{path}?filter=canary7q&canary7q")));
            send(client, &request());
            send(client, &request().body("{\"canary7q"));
            for credential in CREDENTIALS {
                send(&stranger, &request().header("Authorization", credential));
            }
        }
    }
    for path in [
        "/canary7q",
        "/scim/v2/canary7q",
        "/scim/v2/Users/canary7q/canary7q",
        "/scim/v2/%63anary7q%2f",
        "//canary7q",
        "/../canary7q",
    ] {
        send(client, &with_luggage(Request::new("GET", path)));
        send(&stranger, &with_luggage(Request::new("GET", path)));
    }
}

/// Asks well and badly, as one who may.
fn every_error(client: &Client, name: &str) {
    let made = client.try_send(&Request::scim("POST", "/Users").json(&person(name))).unwrap();
    let id = if made.status == 201 { made.id() } else { "01890000-0000-7000-8000-000000000000".to_owned() };
    let one = format!("/Users/{id}");
    send(client, &Request::scim("POST", "/Users").json(&person(&name.to_uppercase())));
    send(client, &Request::scim("PUT", &one).json(&person(name)).header("If-Match", "W/\"canary7q\""));
    send(client, &Request::scim("PUT", &one).json(&person(name)));
    send(client, &Request::scim("PATCH", &one).json(&replace("password", PASSWORD)));
    send(client, &Request::scim("PATCH", &one).json(&replace("nickName", "canary7q")));
    for body in bad_bodies() {
        for (method, path) in [("POST", "/Users"), ("PUT", &one), ("PATCH", &one), ("POST", "/Groups")] {
            send(client, &Request::scim(method, path).body(body.clone()));
        }
    }
    for query in queries() {
        for path in ["/Users", "/Groups", &one] {
            send(client, &Request::scim("GET", &format!("{path}?{query}")));
        }
    }
    send(client, &Request::scim("POST", "/Users").header("Content-Type", "text/canary7q").body("canary7q"));
    send(client, &Request::scim("POST", "/Users").header("Content-Encoding", "canary7q").body("canary7q"));
    send(client, &Request::scim("GET", "/Users").header("Expect", "canary7q"));
    send(client, &Request::scim("GET", "/Users").header("Host", "canary7q.example"));
    send(client, &Request::scim("POST", "/Users").body(CANARY.repeat(200_000)));
    send(client, &Request::scim("DELETE", &one).header("If-Match", "\"canary7q"));
}

/// Bytes that are no request, or only the beginning of one.
fn every_rudeness(client: &Client) {
    let token = client.token();
    let long = CANARY.repeat(10_000);
    for bytes in [
        "GET /canary7q canary7q\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\nHost: a\r\ncanary7q\r\nAuthorization: Bearer {token}\r\n\r\n"),
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nAuthorization: Bearer canary7q\r\n\r\n"
        ),
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: canary7q\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: canary7q\r\n\r\n".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nX-Canary7q: {long}\r\n\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ncanary7q".to_owned(),
        "CONNECT canary7q.example:443 HTTP/1.1\r\nHost: canary7q.example\r\n\r\n".to_owned(),
        "GET http://canary7q@canary7q.example/scim/v2/Users HTTP/1.1\r\nHost: canary7q.example\r\n\r\n"
            .to_owned(),
        format!(
            "POST /scim/v2/Users HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\ncanary7q\r\n"
        ),
        // These two end by a time-out, and the last by our going away.
        format!(
            "POST /scim/v2/Users HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: 90\r\n\r\n{{\"userName\": \"canary7q"
        ),
        format!("GET /canary7q HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nX-Canary7q: canary7q"),
    ] {
        let mut stream = client.connect().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let _ = stream.write_all(bytes.as_bytes());
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let mut gone = client.connect().unwrap();
    let _ = gone.write_all(format!("POST /scim/v2/Users HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: 90\r\n\r\ncanary7q").as_bytes());
}

/// What is wrong with a command may stand on the operator's screen, but not in the log.
fn every_command(daemon: &TestDaemon) -> String {
    let mut stream = UnixStream::connect(daemon.data().join("admin.sock")).unwrap();
    let body = "{\"command\":\"canary7q\",\"canary7q\":\"canary7q\"}";
    let request = format!(
        "POST /admin/v1/operate HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");

    let _ = daemon.cli(&["tenant", "create", "canary7q"]);
    let _ = daemon.cli(&["tenant", "create", "Canary7q!"]);
    let _ = daemon.cli(&["connection", "create", "canary7q", "--tenant", "canary7q"]);
    let _ = daemon.cli(&["token", "revoke", "canary7q"]);
    let _ =
        daemon.cli(&["token", "create", "--tenant", "main", "--connection", "idp", "--scopes", "canary7q"]);
    let made = daemon.cli(&[
        "admin",
        "create",
        "canary7q-admin@canary7q.example",
        "--tenant",
        "main",
        "--display-name",
        "Canary7q",
    ]);
    let told = String::from_utf8(made.stderr).unwrap();
    assert_eq!(made.status.code(), Some(0), "{told}");
    assert_eq!(
        daemon.cli(&["admin", "create", "canary7q-admin@canary7q.example", "--tenant", "main"]).status.code(),
        Some(1)
    );
    told.lines().last().unwrap().trim().to_owned()
}

/// Asks for access tokens, well and badly; returns what must be nowhere: the client's secret, and a token.
fn every_form(daemon: &TestDaemon) -> [String; 2] {
    let made = daemon.cli(&["client", "create", "--tenant", "main", "--connection", "idp", "--json"]);
    assert!(made.status.success(), "{made:?}");
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let [id, secret] = ["client_id", "client_secret"].map(|name| made[name].as_str().unwrap().to_owned());
    let stranger = daemon.client().stranger();
    let ask = |body: String| {
        with_luggage(Request::new("POST", "/oauth2/token"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body)
    };
    let good = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let answer = stranger.try_send(&ask(good.clone())).unwrap().expect(200);
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let assertion = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJjYW5hcnk3cSIsInN1YiI6ImNhbmFyeTdxIiwiYXVkIjoiY2FuYXJ5N3EifQ.Y2FuYXJ5N3E";
    for body in [
        format!("{good}&scope=canary7q"),
        format!("{good}&canary7q=canary7q&canary7q=canary7q"),
        format!("{good}&client_assertion=canary7q"),
        format!("grant_type=canary7q&client_id={id}&client_secret={secret}"),
        format!("grant_type=client_credentials&client_id={id}&client_secret={secret}canary7q"),
        "grant_type=client_credentials&client_id=canary7q&client_secret=canary7q".to_owned(),
        format!(
            "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={assertion}"
        ),
    ] {
        send(&stranger, &ask(body));
    }
    send(&stranger, &with_luggage(Request::new("POST", format!("/oauth2/token?{good}"))));
    for credential in CREDENTIALS {
        send(&stranger, &ask("grant_type=client_credentials".to_owned()).header("Authorization", credential));
    }
    send(&stranger.with(&token), &Request::scim("GET", "/Users"));
    [secret, token]
}

fn make_token(daemon: &TestDaemon) -> String {
    let made = daemon.cli(&["token", "create", "--tenant", "main", "--connection", "idp"]);
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

#[test]
fn x1_x61_x62_nothing_secret_or_personal_is_logged_by_any_route_error_or_command() {
    let watched = Watched::start();
    let daemon = &watched.daemon;
    let secret = make_token(daemon);
    let client = daemon.client().with(&secret);
    every_error(&client, "canary7q-name");
    every_route(&client);
    every_rudeness(&client);
    let [client_secret, access_token] = every_form(daemon);
    let invitation = every_command(daemon);
    assert!(invitation.len() >= 32, "{invitation}");
    let admin = daemon.admin();
    for path in ["/livez?canary7q", "/metrics?canary7q", "/canary7q", "/admin/v1/operate?canary7q"] {
        send(
            &admin,
            &with_luggage(
                Request::new("POST", path).header("Authorization", "Bearer canary7q").body("canary7q"),
            ),
        );
    }
    watched.must_have_kept_quiet(&[
        TestDaemon::TOKEN,
        &secret,
        &secret["rost_".len()..],
        &client_secret["rosts_".len()..],
        &access_token["rosta_".len()..],
        &invitation,
    ]);
}

#[test]
fn x1_x61_nothing_secret_or_personal_is_logged_when_the_store_fails_or_panics() {
    let watched = Watched::start();
    let client = watched.daemon.client();
    every_error(&client, "canary7q-name");
    for how in ["error", "full", "panic"] {
        watched.while_failing(how, || every_error(&client, &format!("canary7q-{how}")));
    }
    watched.must_have_kept_quiet(&[TestDaemon::TOKEN]);
}

#[test]
fn x12_the_first_token_is_told_once_on_standard_error_and_is_in_no_log_line_and_no_file() {
    let home = home();
    let start = || {
        TestDaemon::start_with(&home, &[], |command| {
            // The same command line, but for the token that a test daemon is given.
            let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
            let kept = arguments.iter().take_while(|argument| *argument != "--bootstrap-token-file");
            let mut fresh = Command::new(command.get_program());
            fresh
                .args(kept)
                .env_clear()
                .env("ROSTERD_LOG__LEVEL", "trace")
                .env("ROSTERD_LOG__FORMAT", "json");
            fresh
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::piped());
            *command = fresh;
        })
    };
    let mut daemon = start();
    let line = daemon.until_said("bearer token");
    daemon.until_said("Give base URL and token to your identity provider.");
    let secret = line.split_whitespace().find(|word| word.starts_with("rost_")).unwrap().to_owned();
    assert_eq!(secret.len(), "rost_".len() + 64, "256 random bits in hexadecimal");
    let client = daemon.client().with(&secret);
    let _ = client.get("/Users").expect(200);
    let _ = client.post("/Users", &person("canary7q-name")).expect(201);
    let (status, said) = daemon.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    for line in said.lines().filter(|line| line.starts_with('{')) {
        assert_eq!(found_in(line.as_bytes(), &[&secret["rost_".len()..]]), Vec::<&str>::new(), "{line}");
    }
    assert!(said.contains("\"request answered\""), "the log is on: {said}");
    for path in everything(home.path()).into_iter().filter(|path| path.is_file()) {
        let found = found_in(&std::fs::read(&path).unwrap(), &[&secret, &secret["rost_".len()..]]);
        assert_eq!(found, Vec::<&str>::new(), "in {}", path.display());
    }
    // Not again; and there is no second way in for whoever comes without it.
    let daemon = start();
    let _ = daemon.client().with(&secret).get("/Users").expect(200);
    daemon.client().stranger().get("/Users").refused(401, None);
    assert!(!daemon.said().contains("rost_") && !daemon.said().contains("bearer token"), "{}", daemon.said());
}

#[test]
fn x61_nothing_secret_or_personal_is_logged_of_http2_and_tls() {
    let home = home();
    let certificate = write_pair(home.path(), 2040);
    let watched = Watched::start_in(home, |command, home| {
        command.env("ROSTERD_TLS__CERT_FILE", home.join("cert.pem"));
        command.env("ROSTERD_TLS__KEY_FILE", home.join("key.pem"));
    });
    let client = watched.daemon.client();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let statuses: Vec<u16> = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(client.address()).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(trusting(&certificate, &[b"h2"]));
        let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        tokio::spawn(connection);
        let mut statuses = vec![];
        let good = format!("Bearer {}", client.token());
        let names: Vec<String> = (0..8).map(|number| format!("canary7q-name{number}")).collect();
        for credential in [good.as_str(), "Basic Y2FuYXJ5N3E6Y2FuYXJ5N3E=", "Bearer canary7q"] {
            let bodies = names.iter().map(|name| person(name).to_string().into_bytes()).chain(bad_bodies());
            for (number, body) in bodies.enumerate() {
                let request = hyper::Request::post("https://localhost/scim/v2/Users?canary7q=canary7q")
                    .header("authorization", credential)
                    .header("content-type", "application/scim+json")
                    .header("cookie", "session=canary7q")
                    .header(format!("x-canary7q-{number}"), "canary7q")
                    .body(http_body_util::Full::new(bytes::Bytes::from(body)))
                    .unwrap();
                sender.ready().await.unwrap();
                statuses.push(sender.send_request(request).await.unwrap().status().as_u16());
            }
        }
        statuses
    });
    assert!([201, 400, 401].iter().all(|status| statuses.contains(status)), "{statuses:?}");
    watched.must_have_kept_quiet(&[TestDaemon::TOKEN]);
}
