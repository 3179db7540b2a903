//! X30: the size of bodies, one by one and all together.

use rosterd::http::limits::{BODY_BYTES_DEFAULT, BODY_BYTES_MAX, Limits};

use super::support::{Edge, short};

fn post(path: &str, framing: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn x30_a_declared_length_over_the_limit_is_refused_before_a_byte_is_read() {
    let edge = Edge::start().await;
    for (path, max) in [("/scim/v2/Users", BODY_BYTES_DEFAULT), ("/scim/v2/Bulk", BODY_BYTES_MAX)] {
        let reply = edge.ask(&post(path, &format!("Content-Length: {}", max + 1))).await;
        assert_eq!((reply.status, reply.field("content-type")), (413, Some("application/scim+json")));
        let reply =
            edge.ask(&post(path, &format!("Expect: 100-continue\r\nContent-Length: {}", max + 1))).await;
        assert_eq!(reply.status, 413, "the client was told to go on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x30_a_chunked_body_is_cut_at_the_limit_and_its_sender_still_reads_the_answer() {
    let edge = Edge::start().await;
    let mut raw = edge.connect().await;
    raw.send(&post("/scim/v2/Users", "Transfer-Encoding: chunked")).await;
    let mut chunk = b"100000\r\n".to_vec();
    chunk.resize(chunk.len() + 0x10_0000, b'x');
    chunk.extend_from_slice(b"\r\n");
    for _ in 0..8 {
        // Fails if the server closes over what is still being sent, and many clients would then never look for the answer.
        raw.send(&chunk).await;
    }
    assert_eq!(raw.reply().await.status, 413);
    edge.until_metric("rosterd_http_rejected_total{reason=\"body_size\"}", 1.0).await;
    assert_eq!(edge.bodies.gauge().now(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn x30_the_largest_bodies_that_are_allowed_are_read_whole() {
    let edge = Edge::start().await;
    for framing in [format!("Content-Length: {BODY_BYTES_MAX}"), "Transfer-Encoding: chunked".to_owned()] {
        let mut raw = edge.connect().await;
        raw.send(&post("/scim/v2/Bulk", &framing)).await;
        let body = vec![b'x'; usize::try_from(BODY_BYTES_MAX).unwrap()];
        if framing.starts_with('T') {
            raw.send(format!("{BODY_BYTES_MAX:x}\r\n").as_bytes()).await;
            raw.send(&body).await;
            raw.send(b"\r\n0\r\n\r\n").await;
        } else {
            raw.send(&body).await;
        }
        let reply = raw.reply().await;
        assert_eq!((reply.status, reply.body), (200, BODY_BYTES_MAX.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x30_all_bodies_together_are_capped_and_room_comes_back() {
    let limits = Limits { bodies_bytes_max: 100_000, ..Limits::default() };
    let edge = Edge::with(limits, None).await;
    let mut holder = edge.connect().await;
    holder.send(&post("/scim/v2/Users", "Content-Length: 80000")).await;
    holder.send(&vec![b'x'; 70_000]).await;
    edge.until_metric("rosterd_http_bodies_held_bytes", 70_000.0).await;

    let mut declared = edge.connect().await;
    declared.send(&post("/scim/v2/Users", "Content-Length: 40000")).await;
    let reply = declared.reply().await;
    assert_eq!((reply.status, reply.field("retry-after")), (503, Some("1")));
    let mut chunked = edge.connect().await;
    chunked.send(&post("/scim/v2/Users", "Transfer-Encoding: chunked")).await;
    chunked.send(&[b"9c40\r\n".as_slice(), &vec![b'x'; 40_000]].concat()).await;
    assert_eq!(chunked.reply().await.status, 503);
    edge.until_metric("rosterd_http_rejected_total{reason=\"bodies\"}", 2.0).await;

    holder.send(&vec![b'x'; 10_000]).await;
    assert_eq!(holder.reply().await.status, 201);
    let mut next = edge.connect().await;
    next.send(&post("/scim/v2/Users", "Content-Length: 80000")).await;
    next.send(&vec![b'x'; 80_000]).await;
    assert_eq!(next.reply().await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn x30_a_compressed_body_is_refused() {
    let edge = Edge::start().await;
    for coding in ["gzip", "br", "identity, gzip", "x"] {
        let framing = format!("Content-Encoding: {coding}\r\nContent-Length: 4");
        let mut raw = edge.connect().await;
        raw.send(&[post("/scim/v2/Users", &framing), b"body".to_vec()].concat()).await;
        assert_eq!(raw.reply().await.status, 415, "{coding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_creates_nothing() {
    let edge = Edge::with(short(), None).await;
    let mut raw = edge.connect().await;
    raw.send(&[post("/scim/v2/Users", "Content-Length: 10"), b"half".to_vec()].concat()).await;
    tokio::io::AsyncWriteExt::shutdown(&mut raw.0).await.unwrap();
    let answer = raw.rest().await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(edge.seen.created.load(std::sync::atomic::Ordering::SeqCst), 0);
}
