//! X35, X39, X40, X5, X8: what hyper lets through, and we do not.

use std::sync::atomic::Ordering;

use super::support::{Edge, PATIENCE};

/// A request that must never run, whatever is wrapped around it.
const SMUGGLED: &str = "DELETE /scim/v2/Users/1 HTTP/1.1\r\nHost: a\r\n\r\n";

/// Heads of a POST in front of [`SMUGGLED`]; `{len}` is its length. Each frames its body in a way that two parsers may read differently.
const FRAMINGS: &[&str] = &[
    "Content-Length: 0\r\nContent-Length: {len}",
    "Content-Length: {len}\r\nContent-Length: 0",
    "Content-Length: +{len}",
    "Content-Length: -1",
    "Content-Length: 0x10",
    "Content-Length: {len}, {len}",
    "Content-Length: {len},0",
    "Content-Length: {len} 0",
    "Content-Length:",
    "Content-Length: 99999999999999999999999",
    "Content-Length : {len}",
    "Content-Length\t: {len}",
    " Content-Length: {len}",
    "X: 1\r\n Content-Length: {len}",
    "Content_Length: {len}",
    "Content_Length: {len}\r\nContent-Length: {len}",
    "Content-Length: {len}\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: {len}",
    "Transfer-Encoding: chunked\r\nContent-Length: 0",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: Chunked",
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding: chunked ",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding:\x0bchunked",
    "Transfer_Encoding: chunked",
    "Transfer_Encoding: chunked\r\nContent-Length: {len}",
    "X: a\rTransfer-Encoding: chunked",
    "X: a\0b\r\nContent-Length: {len}",
    "X: a\nContent-Length: {len}",
    "Content-Length: {len}\r\nConnection: Content-Length",
    "Content-Length: {len}\r\nExpect: 100-continue",
    "Content-Length: {len}\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk",
    "Content-Length: {len}\r\nX-HTTP-Method-Override: DELETE",
    "Host: b\r\nContent-Length: {len}",
];

#[tokio::test(flavor = "multi_thread")]
async fn x35_a_request_hidden_in_a_body_never_runs() {
    let edge = std::sync::Arc::new(Edge::with(super::support::short(), None).await);
    assert_eq!(FRAMINGS.len(), 46);
    let mut asked = tokio::task::JoinSet::new();
    for framing in FRAMINGS {
        let framing = framing.replace("{len}", &SMUGGLED.len().to_string());
        let chunk = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
        let ended = format!("0\r\n\r\n{SMUGGLED}");
        // Behind an honest chunked head the last of the three is no smuggling: the body has ended, and a request follows.
        let honest =
            framing.trim_end().to_ascii_lowercase().replace('\t', " ") == "transfer-encoding: chunked";
        for body in [SMUGGLED, &chunk, &ended].into_iter().take(if honest { 2 } else { 3 }) {
            let request = format!("POST /scim/v2/Users HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{body}");
            let edge = std::sync::Arc::clone(&edge);
            asked.spawn(async move {
                let mut raw = edge.connect().await;
                raw.try_send(request.as_bytes()).await;
                let answers = raw.rest().await;
                let deleted = edge.seen.deleted.load(Ordering::SeqCst);
                assert_eq!(deleted, 0, "about the time of {request:?}: {answers}");
                assert!(!answers.contains("HTTP/1.1 5"), "{request:?}: {answers}");
            });
        }
    }
    asked.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x35_one_host_is_needed_and_the_target_must_agree_with_it() {
    let edge = Edge::start().await;
    for (head, status) in [
        ("GET /livez HTTP/1.1\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET http://b/livez HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://a/livez HTTP/1.1\r\n\r\n", 400),
        ("GET ftp://a/livez HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://u:p@a/livez HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nHost: a\r\nX-Forwarded-User: x\r\nX_Forwarded_User: y\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nHost: a\r\nX_Forwarded_User: y\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400),
        ("GET http://A/livez HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET /livez HTTP/1.1\r\nHost: [::1]:8080\r\nmy_field: x\r\n\r\n", 200),
        ("GET /livez HTTP/1.0\r\n\r\n", 200),
    ] {
        assert_eq!(edge.ask(head.as_bytes()).await.status, status, "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x39_unknown_methods_are_refused_and_nothing_is_echoed() {
    let edge = Edge::start().await;
    for method in ["get", "Get", "TRACE", "CONNECT", "PROPFIND", "BREW", "M-SEARCH"] {
        let target = if method == "CONNECT" { "a:443" } else { "/scim/v2/Users" };
        let reply = edge
            .ask(format!("{method} {target} HTTP/1.1\r\nHost: a:443\r\nX: canary\r\n\r\n").as_bytes())
            .await;
        assert!(matches!(reply.status, 400 | 405 | 501), "{method}: {reply:?}");
        assert!(!reply.body.contains("canary") && !reply.body.contains(method), "{reply:?}");
    }
    let reply = edge
        .ask(b"PUT /scim/v2/Users HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nX-HTTP-Method-Override: GET\r\n\r\n")
        .await;
    assert_eq!((reply.status, reply.field("allow")), (405, Some("get,head,post")));
}

#[tokio::test(flavor = "multi_thread")]
async fn x40_an_odd_spelling_of_a_path_is_not_routed() {
    let edge = Edge::start().await;
    for path in [
        "/scim/v2/Users/../../../metrics",
        "/scim/v2/%55sers",
        "/scim/v2/Users%2f1",
        "/scim/v2/Users/%00",
        "/scim/v2/Users;x",
        "/scim/v2\\Users",
        "/scim/v2/%5c",
        "/scim/v2/%2e%2e/v2/Users",
        "/scim/v2/Users/%0d%0aX:1",
        "//scim/v2/Users",
        "/x//../scim/v2/Users",
        "/livez/",
        "/LIVEZ",
        "/scim/v2/users",
        "*",
        "scim/v2/Users",
    ] {
        let reply = edge.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await;
        assert!((400..500).contains(&reply.status), "{path}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s4_doubled_and_trailing_slashes_below_the_base_path_are_forgiven() {
    let edge = Edge::start().await;
    for (target, query) in [
        ("/scim/v2//Users", "None"),
        ("/scim/v2/Users/", "None"),
        ("/scim/v2/Users?", "Some(\"\")"),
        ("/scim/v2/Users/?&", "Some(\"&\")"),
        ("/scim/v2//Users//?count=1", "Some(\"count=1\")"),
    ] {
        let reply = edge.ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, query), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x36_a_long_head_is_refused_with_a_body_and_a_longer_one_without() {
    let edge = Edge::start().await;
    let reply = edge
        .ask(
            format!("GET /scim/v2/Users HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(17_000)).as_bytes(),
        )
        .await;
    assert_eq!((reply.status, reply.field("content-type")), (431, Some("application/scim+json")));
    let reply = edge
        .ask(format!("GET /scim/v2/Users?{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(17_000)).as_bytes())
        .await;
    assert_eq!(reply.status, 414);
    let mut raw = edge.connect().await;
    raw.try_send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(100_000)).as_bytes()).await;
    // The system may take the answer back, because we close over what was still being sent.
    let answer = tokio::time::timeout(PATIENCE, raw.rest()).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}
