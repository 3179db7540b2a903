//! R24: every way of taking too long, each cut in its time and counted under its name, while others are served.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, timeout};

use super::support::{Edge, PATIENCE, Raw, short};

const GET: &[u8] = b"GET /scim/v2/Users HTTP/1.1\r\nHost: a\r\n\r\n";

/// Feeds a connection a byte at a time, as a slow attacker does, until the server closes it.
async fn drip(raw: Raw) -> String {
    let (mut read, mut write) = raw.0.into_split();
    let feeder = tokio::spawn(async move {
        while write.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer)).await.unwrap();
    feeder.abort();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn r24_a_connection_that_says_nothing_is_cut() {
    let edge = Edge::with(short(), None).await;
    let started = Instant::now();
    assert_eq!(edge.connect().await.rest().await, "");
    assert!(started.elapsed() >= short().first_byte);
    edge.until_metric("rosterd_http_cut_total{reason=\"silent\"}", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r24_a_head_that_does_not_end_is_cut_although_bytes_keep_coming() {
    let edge = Edge::with(short(), None).await;
    let mut fresh = edge.connect().await;
    fresh.send(b"GET / HTTP/1.1\r\nX: ").await;
    assert_eq!(drip(fresh).await, "");
    edge.until_metric("rosterd_http_cut_total{reason=\"head\"}", 1.0).await;

    let mut reused = edge.connect().await;
    reused.send(GET).await;
    assert_eq!(reused.reply().await.status, 200);
    reused.send(b"GET / HTTP/1.1\r\nX: ").await;
    assert_eq!(drip(reused).await, "");
    edge.until_metric("rosterd_http_cut_total{reason=\"head\"}", 2.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r24_a_body_that_does_not_end_is_answered_408() {
    let edge = Edge::with(short(), None).await;
    let mut raw = edge.connect().await;
    raw.send(b"POST /scim/v2/Users HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n").await;
    let answer = drip(raw).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    edge.until_metric("rosterd_http_cut_total{reason=\"body\"}", 1.0).await;
    assert_eq!(edge.bodies.gauge().now(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r24_a_body_slower_than_the_minimum_rate_is_cut_long_before_its_time_is_up() {
    let limits = rosterd::http::limits::Limits {
        body: Duration::from_hours(1),
        body_rate_min: 1_000_000,
        body_rate_window: Duration::from_millis(300),
        ..short()
    };
    let edge = Edge::with(limits, None).await;
    let mut raw = edge.connect().await;
    raw.send(b"POST /scim/v2/Users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n").await;
    let answer = drip(raw).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r24_an_idle_connection_is_closed_but_not_before_its_time() {
    let edge = Edge::with(short(), None).await;
    let mut raw = edge.connect().await;
    for _ in 0..2 {
        raw.send(GET).await;
        assert_eq!(raw.reply().await.status, 200);
        // Longer than a silent connection or a head may take.
        sleep(Duration::from_millis(450)).await;
    }
    assert_eq!(raw.rest().await, "");
    edge.until_metric("rosterd_http_cut_total{reason=\"idle\"}", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r24_a_slow_handler_is_answered_503_and_the_connection_lives() {
    let edge = Edge::with(short(), None).await;
    let mut raw = edge.connect().await;
    raw.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let reply = raw.reply().await;
    assert_eq!((reply.status, reply.field("retry-after")), (503, Some("1")), "{reply:?}");
    edge.until_metric("rosterd_http_cut_total{reason=\"handler\"}", 1.0).await;
    raw.send(GET).await;
    assert_eq!(raw.reply().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r24_the_time_a_body_takes_is_not_taken_from_its_handler() {
    let limits = rosterd::http::limits::Limits {
        handler: Duration::from_millis(200),
        body: Duration::from_secs(10),
        ..short()
    };
    let edge = Edge::with(limits, None).await;
    let mut raw = edge.connect().await;
    raw.send(b"POST /scim/v2/Users HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n").await;
    for byte in b"body" {
        sleep(Duration::from_millis(120)).await;
        raw.send(&[*byte]).await;
    }
    assert_eq!(raw.reply().await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn r24_a_reader_that_does_not_read_is_cut() {
    let edge = Edge::with(short(), None).await;
    let mut raw = edge.connect().await;
    raw.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    edge.until_metric("rosterd_http_cut_total{reason=\"stalled\"}", 1.0).await;
    edge.until_metric("rosterd_http_requests_total{route=\"/large\",method=\"GET\",status=\"2xx\"}", 1.0)
        .await;
    edge.until_zero("rosterd_http_connections{listener=\"public\"}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r24_many_slow_clients_at_once_are_all_gone_in_time_and_others_do_not_notice() {
    let edge = Edge::with(short(), None).await;
    let mut slow = Vec::new();
    for opening in [
        (150, &b"GET / HTTP/1.1\r\nHost"[..]),
        (50, b"POST /scim/v2/Users HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"),
        (50, b""),
        (30, b"GET /scim/v2/Users HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        for _ in 0..opening.0 {
            let mut raw = edge.connect().await;
            raw.send(opening.1).await;
            slow.push(raw);
        }
    }
    let started = Instant::now();
    while edge.metric("rosterd_http_connections{listener=\"public\"}") > 0.0 {
        let asked = Instant::now();
        let reply = edge.ask(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert_eq!(reply.status, 200);
        assert!(asked.elapsed() < Duration::from_secs(2));
        assert!(started.elapsed() < PATIENCE, "slow connections are still there");
        sleep(Duration::from_millis(20)).await;
    }
    drop(slow);
}
