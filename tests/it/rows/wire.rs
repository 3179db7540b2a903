//! X34, X41: bytes that are no text, and what every answer has.

use serde_json::Value;

use crate::support::bodies::{group, user};
use crate::support::world::must_agree;
use crate::support::{Request, TestApp};

#[test]
fn x34_bytes_that_are_no_json_text_are_refused_and_change_nothing() {
    let app = TestApp::start();
    let victim = app.post("/Users", &user("victim")).expect(201);
    let path = format!("/Users/{}", victim.id());
    let utf16: Vec<u8> = r#"{"userName":"ada"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let inside = |bytes: &[u8]| [br#"{"userName":"a"#.as_slice(), bytes, br#"b"}"#].concat();
    let deep = format!("{{\"userName\":\"ada\",\"x\":{}1{}}}", "[".repeat(65), "]".repeat(65));
    let deepest = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: Vec<Vec<u8>> = vec![
        inside(b"\xff"),
        inside(b"\xc0\x80"),
        inside(b"\xe0\x80\x80"),
        inside(b"\xed\xa0\x80"),
        inside(b"\xf4\x90\x80\x80"),
        inside(b"\xc3"),
        inside(b"\n"),
        inside(b"\0"),
        inside(br"\ud800"),
        inside(br"\udc00\ud800"),
        inside(br"\x41"),
        inside(br"\u00"),
        [b"\xef\xbb\xbf".as_slice(), br#"{"userName":"ada"}"#].concat(),
        [b"\xff\xfe".as_slice(), &utf16].concat(),
        utf16,
        deep.into_bytes(),
        deepest.into_bytes(),
        format!(r#"{{"userName":"ada","x":{}}}"#, "9".repeat(65)).into_bytes(),
        br#"{"userName":"ada","x":NaN}"#.to_vec(),
        br#"{"userName":"ada","x":Infinity}"#.to_vec(),
        br#"{"userName":"ada","x":01}"#.to_vec(),
        br#"{"userName":"ada",}"#.to_vec(),
        br#"{"userName":"ada"} {"userName":"bob"}"#.to_vec(),
        br"{'userName':'ada'}".to_vec(),
        b"{\"userName\":\"ada\"}\0".to_vec(),
        b"null".to_vec(),
        b"true".to_vec(),
        b"\"ada\"".to_vec(),
        b"[]".to_vec(),
        b" ".to_vec(),
        b"".to_vec(),
    ];
    for body in &bodies {
        for request in [
            Request::scim("POST", "/Users"),
            Request::scim("PUT", &path),
            Request::scim("PATCH", &path),
            Request::scim("POST", "/Groups"),
        ] {
            let answer = app.send(&request.body(body.clone()));
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            assert_eq!(answer.status, 400, "{shown:?}: {}", answer.text());
            answer.refused(400, answer.json().get("scimType").and_then(Value::as_str));
        }
    }
    // NUL is refused as an escape, or read back as it was sent.
    let nul = app.send(&Request::scim("POST", "/Users").body(r#"{"userName":"nul","title":"a\u0000b"}"#));
    assert!(nul.status == 400 || nul.json()["title"] == "a\0b", "{}", nul.text());
    assert_eq!(app.get(&path).expect(200).json(), victim.json());
    must_agree(&app);
}

#[test]
fn x41_every_answer_is_private_typed_and_silent_about_the_inside() {
    let app = TestApp::start();
    let ada = app.post("/Users", &user("ada")).expect(201).id();
    let stranger = app.stranger();
    let big = vec![b' '; 2 << 20];
    let requests = [
        Request::scim("GET", "/Users"),
        Request::scim("GET", &format!("/Users/{ada}")),
        Request::scim("POST", "/Users").json(&user("bob")),
        Request::scim("POST", "/Users").json(&user("bob")),
        Request::scim("POST", "/Groups").json(&group("crowd", &[&ada])),
        Request::scim("POST", "/Users").body("{"),
        Request::scim("POST", "/Users").header("Content-Type", "text/plain").body("x"),
        Request::scim("POST", "/Users").header("Content-Encoding", "gzip").body("x"),
        Request::scim("POST", "/Users").body(big),
        Request::scim("GET", "/Users/unknown"),
        Request::scim("GET", "/Nowhere"),
        Request::scim("DELETE", "/Users"),
        Request::scim("GET", "/Users?filter=x"),
        Request::scim("GET", "/Users?count=x"),
        Request::scim("GET", "/Schemas?filter=x"),
        Request::scim("GET", "/Me"),
        Request::scim("OPTIONS", "/Users")
            .header("Origin", "https://evil.test")
            .header("Access-Control-Request-Method", "GET"),
        Request::scim("GET", "/Users").header("Origin", "https://evil.test"),
        Request::scim("PATCH", &format!("/Users/{ada}")).header("If-Match", "\"999\"").json(&user("x")),
        Request::new("GET", "/livez"),
        Request::new("GET", "/nowhere"),
        Request::new("BREW", "/scim/v2/Users"),
        Request::new("GET", "/scim/v2/%55sers"),
    ];
    for request in &requests {
        for client in [&*app, &stranger] {
            let answer = client.clone().send(request);
            let shown = format!("{request:?}: {answer:?}").chars().take(3000).collect::<String>();
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{shown}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{shown}");
            assert_eq!(answer.header("x-request-id").map(str::len), Some(36), "{shown}");
            assert_eq!(answer.header("server"), None, "{shown}");
            for name in [
                "access-control-allow-origin",
                "access-control-allow-credentials",
                "x-powered-by",
                "set-cookie",
            ] {
                assert_eq!(answer.header(name), None, "{name}: {shown}");
            }
            if answer.status >= 400 && !shown.contains("\"/nowhere\"") {
                let body = answer.json();
                assert_eq!(body["status"], answer.status.to_string(), "{shown}");
                assert_eq!(body["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error", "{shown}");
                assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{shown}");
            }
            let text = answer.text().to_lowercase();
            for inside in ["panicked", "src/", ".rs:", "redb", "rust", "backtrace", "serde", "select "] {
                assert!(!text.contains(inside), "{inside}: {shown}");
            }
            assert_ne!(answer.status, 500, "{shown}");
        }
    }
}
