//! X30, X7: what strangers send costs them more than us.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::status_kib;
use crate::support::bodies::user;
use crate::support::{Answer, Client, Request, TestDaemon, until};

const MIB: usize = 1 << 20;
/// What all senders together send.
const SENT_BYTES: usize = 96 * MIB;
/// By how much what the daemon holds may grow meanwhile. Pages of its own file, which the system maps as they are used, are not among it.
const GROWTH_KIB_MAX: u64 = 64 * 1024;
const SENDERS: usize = 24;

/// How a body is sent.
#[derive(Debug, Clone, Copy)]
enum Framing {
    Declared,
    Chunked,
}

/// Sends a body of so many bytes, as far as the daemon takes it, and returns the answer's status; `None` when it just closed.
fn pour(client: &Client, token: Option<&str>, path: &str, framing: Framing, bytes: usize) -> Option<u16> {
    let request = Request::scim("POST", path).header("Content-Type", "application/scim+json");
    let request = match framing {
        Framing::Declared => request.header("Content-Length", bytes.to_string()),
        Framing::Chunked => request.header("Transfer-Encoding", "chunked"),
    };
    let mut stream: TcpStream = client.connect().unwrap();
    stream.write_all(&request.bytes(client.address(), token)).unwrap();
    let piece = vec![b' '; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(piece.len());
        let sent = match framing {
            Framing::Declared => stream.write_all(&piece[..now]),
            Framing::Chunked => write!(stream, "{now:x}\r\n")
                .and_then(|()| stream.write_all(&piece[..now]))
                .and_then(|()| stream.write_all(b"\r\n")),
        };
        if sent.is_err() {
            break;
        }
        left -= now;
    }
    if matches!(framing, Framing::Chunked) && left == 0 {
        let _ = stream.write_all(b"0\r\n\r\n");
    }
    Answer::read_from(&stream).ok().map(|answer| answer.status)
}

/// Pours from many connections at once; returns what was answered and by how many KiB the daemon grew.
fn flood(daemon: &TestDaemon, token: Option<&str>, path: &str, each: usize) -> (Vec<Option<u16>>, u64) {
    let client = &daemon.client();
    let before = status_kib(daemon.id(), "RssAnon");
    let over = AtomicBool::new(false);
    let (answers, most) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = before;
            while !over.load(Ordering::Relaxed) {
                most = most.max(status_kib(daemon.id(), "RssAnon"));
                std::thread::sleep(Duration::from_millis(2));
            }
            most
        });
        let rounds = (SENT_BYTES / each / SENDERS).max(1);
        let senders: Vec<_> = (0..SENDERS)
            .map(|number| {
                let framing = if number % 2 == 0 { Framing::Declared } else { Framing::Chunked };
                scope.spawn(move || {
                    (0..rounds).map(|_| pour(client, token, path, framing, each)).collect::<Vec<_>>()
                })
            })
            .collect();
        let answers: Vec<Option<u16>> =
            senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
        over.store(true, Ordering::Relaxed);
        (answers, watch.join().unwrap())
    });
    (answers, most - before)
}

#[test]
fn x30_96_mib_of_bodies_cost_less_than_64_mib_of_memory() {
    let daemon = TestDaemon::start();
    let client = daemon.client();
    let _ = client.post("/Users", &user("ada")).expect(201);
    let token = Some(client.token());
    // Strangers; bodies above what people may be; bodies that are just allowed for groups, many at once.
    for (who, path, each, allowed) in [
        (None, "/Users", 4 * MIB, &[401][..]),
        (None, "/Groups", MIB, &[401]),
        (token, "/Users", 4 * MIB, &[413, 503]),
        (token, "/Groups", 20 * MIB, &[413, 503]),
        (token, "/Groups", 12 * MIB, &[400, 503]),
    ] {
        let (answers, growth) = flood(&daemon, who, path, each);
        for status in answers.iter().flatten() {
            assert!(allowed.contains(status), "{status} for {each} bytes to {path}");
        }
        // Whoever keeps sending after a refusal may lose the answer to a reset; most must see it.
        let seen = answers.iter().flatten().count();
        assert!(
            seen * 2 >= answers.len(),
            "{seen} of {} were answered ({each} bytes to {path})",
            answers.len()
        );
        assert!(growth < GROWTH_KIB_MAX, "{growth} KiB for {each} bytes each to {path}");
    }
    until("no body held", || daemon.metric("rosterd_http_bodies_held_bytes") == 0);
    let _ = client.clone().post("/Users", &user("grace")).expect(201);
}

#[test]
fn x7_three_hundred_wrong_tokens_from_one_address_do_not_keep_the_right_one_out() {
    let daemon = TestDaemon::start();
    let client = daemon.client();
    std::thread::scope(|scope| {
        for guesser in 0..6 {
            let client = &client;
            scope.spawn(move || {
                for number in 0..50 {
                    let answer = client.with(&format!("rost_{guesser:032}{number:032}")).get("/Users");
                    assert!(matches!(answer.status, 401 | 429), "{answer:?}");
                }
            });
        }
        let before = Instant::now();
        let _ = client.clone().get("/Users").expect(200);
        let _ = client.clone().post("/Users", &user("ada")).expect(201);
        assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    });
    let before = Instant::now();
    let _ = client.clone().get("/Users").expect(200);
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    assert_eq!(daemon.metric("rosterd_http_rejected_total{reason=\"unauthorized\"}"), 300);
}
