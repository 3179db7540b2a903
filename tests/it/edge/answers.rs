//! X41, R33, R34: what every answer has, what a panic costs, and that no request can make a series.

use std::collections::BTreeSet;

use super::support::{Edge, Reply};

async fn get(edge: &Edge, path: &str) -> Reply {
    edge.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes()).await
}

// Rows: S13.
#[tokio::test(flavor = "multi_thread")]
async fn x41_every_answer_is_private_unsniffed_nameless_and_has_an_id() {
    let edge = Edge::start().await;
    let mut ids = BTreeSet::new();
    for path in ["/scim/v2/Users", "/scim/v2/nowhere", "/panic", "/problem", "/livez", "/scim/v2/%2f"] {
        let reply = get(&edge, path).await;
        assert_eq!(reply.field("cache-control"), Some("no-store"), "{path}");
        assert_eq!(reply.field("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.field("server"), None, "{path}");
        assert_eq!(reply.field("access-control-allow-origin"), None, "{path}");
        let id = reply.field("x-request-id").unwrap().to_owned();
        assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7);
        assert!(ids.insert(id), "an id was given twice");
        assert!(!reply.body.contains("canary") && !reply.body.contains("src/"), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x41_every_error_below_scim_is_a_scim_error_and_every_other_a_problem_document() {
    let edge = Edge::start().await;
    for (request, status, kind) in [
        ("GET /scim/v2/nowhere", 404, "application/scim+json"),
        ("PUT /scim/v2/Users", 405, "application/scim+json"),
        ("get /scim/v2/Users", 501, "application/scim+json"),
        ("GET /scim/v2/Users;x", 400, "application/scim+json"),
        ("GET /nowhere", 404, "application/problem+json"),
        ("GET /panic", 500, "application/problem+json"),
        ("GET /problem", 500, "application/problem+json"),
    ] {
        let reply = edge.ask(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await;
        assert_eq!((reply.status, reply.field("content-type")), (status, Some(kind)), "{request}");
        let body: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        let shown = if kind.contains("scim") {
            &body["status"].as_str().unwrap().parse::<u16>().unwrap().into()
        } else {
            &body["status"]
        };
        assert_eq!(shown, &serde_json::json!(status), "{request}");
        assert!(body["detail"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r33_a_panic_costs_one_request_and_not_even_its_connection() {
    let edge = Edge::start().await;
    let mut raw = edge.connect().await;
    for status in [500, 500] {
        raw.send(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(raw.reply().await.status, status);
    }
    raw.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(raw.reply().await.status, 200);
    assert!(edge.metric("rosterd_http_panics_total") > 1.5);
    edge.until_zero("rosterd_http_requests_in_flight").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_its_body() {
    let edge = Edge::start().await;
    let mut raw = edge.connect().await;
    raw.send(b"HEAD /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(answer.contains("content-length: 5"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r34_ten_thousand_odd_requests_make_no_series() {
    let edge = Edge::start().await;
    let series = |edge: &Edge| {
        let page = edge.metrics.expose().unwrap();
        page.lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
            .collect::<BTreeSet<_>>()
    };
    let mut raw = edge.connect().await;
    let mut ask = async |number: usize| {
        let request = match number % 5 {
            0 => format!("GET /scim/v2/Users/{number}?x={number}"),
            1 => format!("GET /odd/{number}"),
            2 => format!("GET /scim/v2/{number}/{number}"),
            3 => format!("DELETE /scim/v2/Users/{number}"),
            _ => format!("OPTIONS /{number}"),
        };
        raw.send(format!("{request} HTTP/1.1\r\nHost: a\r\nX-{number}: x\r\n\r\n").as_bytes()).await;
        raw.reply().await
    };
    for number in 0..5 {
        ask(number).await;
    }
    assert_eq!(edge.ask(b"X-0 / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 501);
    let before = series(&edge);
    for number in 5..10_000 {
        ask(number).await;
    }
    for number in 0..20 {
        edge.ask(format!("X-{number} / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await;
    }
    assert_eq!(series(&edge), before);
    let page = get(&edge, "/metrics").await;
    assert!(
        page.body.ends_with("# EOF\n")
            && page.field("content-type").unwrap().starts_with("application/openmetrics-text")
    );
}
