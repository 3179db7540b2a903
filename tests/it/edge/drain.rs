//! R6: whatever was begun when the daemon was told to stop is answered, and then it stops.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::{Edge, PATIENCE, short};

#[tokio::test(flavor = "multi_thread")]
async fn r6_requests_half_sent_at_the_signal_are_all_answered() {
    let edge = Edge::start().await;
    let halves: [(&[u8], &[u8]); 3] = [
        (b"POST /scim/v2/Users HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo", b"dy"),
        (b"POST /scim/v2/Users HTTP/1.1\r\nHo", b"st: a\r\nContent-Length: 4\r\n\r\nbody"),
        (
            b"POST /scim/v2/Users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbo",
            b"dy\r\n0\r\n\r\n",
        ),
    ];
    let mut begun = Vec::new();
    for number in 0..24 {
        let (first, second) = halves[number % halves.len()];
        let mut raw = edge.connect().await;
        if number % 2 == 0 {
            // Half of them on connections that have served a request before.
            raw.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(raw.reply().await.status, 200);
        }
        raw.send(first).await;
        begun.push((raw, second));
    }
    edge.drain.begin();
    tokio::time::sleep(Duration::from_millis(400)).await;
    for (raw, second) in &mut begun {
        raw.send(second).await;
        let reply = raw.reply().await;
        assert_eq!((reply.status, reply.body.as_str()), (201, "body"));
        assert_eq!(reply.field("connection"), Some("close"));
        assert_eq!(raw.rest().await, "");
    }
    timeout(PATIENCE, edge.served).await.expect("the listener did not stop").unwrap();
    assert!(TcpStream::connect(edge.address).await.is_err(), "a new connection was taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn r6_idle_connections_do_not_hold_up_the_drain() {
    let edge = Edge::start().await;
    let silent = edge.connect().await;
    let mut used = edge.connect().await;
    used.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(used.reply().await.status, 200);
    edge.drain.begin();
    timeout(Duration::from_secs(3), edge.served).await.expect("idle connections were waited for").unwrap();
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn r6_a_drain_ends_although_a_client_never_finishes() {
    let edge =
        Edge::with(rosterd::http::limits::Limits { drain: Duration::from_millis(500), ..short() }, None)
            .await;
    let mut raw = edge.connect().await;
    let seen = std::sync::Arc::clone(&edge.seen);
    raw.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    seen.begun.notified().await;
    edge.drain.begin();
    timeout(PATIENCE, edge.served).await.expect("the drain did not end").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r27_readiness_turns_red_while_draining_and_liveness_stays() {
    let edge = Edge::start().await;
    let mut ready = edge.connect().await;
    ready.send(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let reply = ready.reply().await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "ready"));
    ready.send(b"GET /readyz HTTP/1.1\r\nHo").await;
    let mut alive = edge.connect().await;
    alive.send(b"GET /livez HTTP/1.1\r\nHo").await;
    edge.drain.begin();
    ready.send(b"st: a\r\n\r\n").await;
    alive.send(b"st: a\r\n\r\n").await;
    assert_eq!((ready.reply().await.status, alive.reply().await.status), (503, 200));
}
