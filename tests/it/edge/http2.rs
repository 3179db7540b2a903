//! X36: what an HTTP/2 client may not do. Frames are written by hand, because no client would send them.

use std::time::Duration;

use rosterd::http::limits::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::support::{Edge, PATIENCE, short};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// `:method GET`, `:scheme http`, `:authority a`, `:path /livez`, in HPACK.
const GET: &[u8] = b"\x82\x86\x41\x01a\x44\x06/livez";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn h2c(limits: Limits) -> Limits {
    Limits { h2c: true, ..limits }
}

async fn open(edge: &Edge, settings: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).await.unwrap();
    stream
}

/// Makes the nth frame of a flood.
type Flood<'a> = &'a dyn Fn(u32) -> Vec<u8>;

/// Reads frames until one of this kind; `None` when the connection ends first.
async fn next(stream: &mut TcpStream, kind: u8) -> Option<Vec<u8>> {
    loop {
        let mut head = [0; 9];
        timeout(PATIENCE, stream.read_exact(&mut head)).await.expect("no frame in time").ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).await.ok()?;
        if head[3] == kind {
            return Some(payload);
        }
    }
}

fn memory_bytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn x36_the_settings_say_what_is_allowed() {
    let edge = Edge::with(h2c(Limits::default()), None).await;
    let mut stream = open(&edge, &[]).await;
    let settings = next(&mut stream, SETTINGS).await.unwrap();
    let value = |id: u8| {
        settings
            .chunks(6)
            .find(|each| each[1] == id)
            .map(|each| u32::from_be_bytes(each[2..].try_into().unwrap()))
    };
    assert_eq!((value(3), value(6)), (Some(128), Some(16 * 1024)));
    stream.write_all(&frame(HEADERS, 0x5, 1, GET)).await.unwrap();
    let answer = next(&mut stream, HEADERS).await.unwrap();
    assert_eq!(answer[0], 0x88, ":status 200");
}

#[tokio::test(flavor = "multi_thread")]
async fn x36_http2_without_tls_is_off_unless_configured() {
    let edge = Edge::start().await;
    let mut stream = open(&edge, &[]).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn x36_floods_of_frames_neither_fill_the_memory_nor_hold_up_others() {
    let edge = Edge::with(h2c(Limits::default()), None).await;
    let reset = |number: u32| {
        let stream = number * 2 + 1;
        [frame(HEADERS, 0x5, stream, GET), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    let unended = |number: u32| match number {
        0 => frame(HEADERS, 0x1, 1, GET),
        _ => frame(CONTINUATION, 0, 1, &[b"\x00\x03abc\x40".as_slice(), &[b'x'; 64]].concat()),
    };
    let ping = |_| frame(PING, 0, 0, &[0; 8]);
    let settings = |_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]);
    let floods: [(&str, Flood<'_>); 4] =
        [("reset", &reset), ("continuation", &unended), ("ping", &ping), ("settings", &settings)];
    for (name, flood) in floods {
        let before = memory_bytes();
        let mut stream = open(&edge, &[]).await;
        let frames: Vec<u8> = (0..20_000).flat_map(flood).collect();
        // Nothing is read meanwhile: a server that answers every frame would have to keep its answers.
        let _ = timeout(Duration::from_secs(1), stream.write_all(&frames)).await;
        let asked = Instant::now();
        assert_eq!(edge.ask(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
        assert!(asked.elapsed() < Duration::from_secs(2), "{name}");
        assert!(memory_bytes() - before < 96 * 1024 * 1024, "{name}");
        if matches!(name, "reset" | "continuation") {
            // Either its goodbye is still in the pipe, or the connection is already gone.
            let goodbye = next(&mut stream, GOAWAY).await;
            assert!(goodbye.is_none_or(|payload| payload[7] != 0), "{name} was taken calmly");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x36_a_window_of_zero_is_waited_for_no_longer_than_any_stalled_reader() {
    let edge = Edge::with(h2c(short()), None).await;
    let mut stream = open(&edge, &[0, 4, 0, 0, 0, 0]).await;
    for number in 0..100 {
        stream.write_all(&frame(HEADERS, 0x5, number * 2 + 1, GET)).await.unwrap();
    }
    edge.until_metric("rosterd_http_cut_total{reason=\"stalled\"}", 1.0).await;
    edge.until_zero("rosterd_http_requests_in_flight").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x36_a_header_list_that_is_too_long_is_refused() {
    let edge = Edge::with(h2c(Limits::default()), None).await;
    let mut stream = open(&edge, &[]).await;
    let mut block = GET.to_vec();
    for letter in b'a'..=b'z' {
        // A literal field of one letter and 1,000 bytes (0x7f 0xe9 0x06 in HPACK's integer form).
        block.extend([0x00, 0x01, letter, 0x7f, 0xe9, 0x06]);
        block.extend([b'x'; 1000]);
    }
    stream.write_all(&frame(HEADERS, 0x1, 1, &block[..16_000])).await.unwrap();
    stream.write_all(&frame(CONTINUATION, 0x4, 1, &block[16_000..])).await.unwrap();
    let answer = next(&mut stream, HEADERS).await.expect("an answer");
    // `:status 431` as a literal of the indexed name 8.
    assert!(answer.windows(3).any(|each| each == b"431") || answer.starts_with(&[0x48]), "{answer:x?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r6_streams_begun_before_the_drain_are_answered() {
    let edge = Edge::with(h2c(Limits::default()), None).await;
    let mut stream = open(&edge, &[]).await;
    let slow = b"\x82\x86\x41\x01a\x44\x05/slow";
    stream.write_all(&frame(HEADERS, 0x5, 1, slow)).await.unwrap();
    edge.seen.begun.notified().await;
    edge.drain.begin();
    assert!(next(&mut stream, GOAWAY).await.is_some());
    edge.seen.go_on.notify_one();
    assert_eq!(next(&mut stream, HEADERS).await.unwrap()[0], 0x88, ":status 200");
    drop(stream);
    timeout(PATIENCE, edge.served).await.expect("the listener did not stop").unwrap();
}
