//! R6: SIGTERM under load loses nothing, and a second signal does not wait.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::PATIENCE;
use crate::support::bodies::user;
use crate::support::{Request, TestDaemon};

const WRITERS: usize = 8;

#[test]
fn r6_sigterm_under_load_resets_nobody_and_loses_nothing_that_was_answered() {
    let mut daemon = TestDaemon::start();
    let client = daemon.client();
    let (acknowledged, counted) = channel::<String>();
    let kept: BTreeSet<String> = std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (client, acknowledged) = (client.clone(), acknowledged.clone());
            scope.spawn(move || {
                for number in 0.. {
                    let name = format!("w{writer}-n{number}");
                    match client.try_send(&Request::scim("POST", "/Users").json(&user(&name))) {
                        Ok(answer) if answer.status == 201 => acknowledged.send(name).unwrap(),
                        Ok(answer) => {
                            assert_eq!(answer.status, 503, "{}", answer.text());
                            return;
                        }
                        // The listener is closed. Between its last look and its end the system may still take somebody in for it, who is
                        // then turned out without a byte (the client makes that error itself, so it has no number of the system's). A
                        // reset in the middle of an answer has one.
                        Err(error) => {
                            let turned_out =
                                error.kind() == ErrorKind::ConnectionReset && error.raw_os_error().is_none();
                            assert!(error.kind() == ErrorKind::ConnectionRefused || turned_out, "{error}");
                            return;
                        }
                    }
                }
            });
        }
        drop(acknowledged);
        let mut kept: BTreeSet<String> = counted.iter().take(100).collect();
        daemon.signal(Signal::TERM);
        kept.extend(counted.iter());
        kept
    });
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.said());

    let after = daemon.kill_and_restart();
    let there: BTreeSet<String> = crate::support::world::list(&after.client(), "/Users")
        .iter()
        .map(|user| user["userName"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(there, kept, "what was answered 201, and nothing else");
}

#[test]
fn r6_a_second_signal_ends_the_process_at_once() {
    for (first, second, code) in
        [(Signal::TERM, Signal::TERM, 143), (Signal::INT, Signal::INT, 130), (Signal::TERM, Signal::INT, 130)]
    {
        let mut daemon = TestDaemon::start();
        // A request that never ends keeps the drain open.
        let client = daemon.client();
        let request = Request::scim("POST", "/Users").json(&user("ada")).header("Expect", "100-continue");
        let bytes = request.bytes(client.address(), Some(client.token()));
        let mut stream = client.connect().unwrap();
        std::io::Write::write_all(&mut stream, &bytes[..bytes.len() - 5]).unwrap();
        let mut interim = [0; 25];
        std::io::Read::read_exact(&mut stream, &mut interim).unwrap();
        daemon.signal(first);
        daemon.until_said("draining");
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(client.address()).is_ok() {
            assert!(Instant::now() < deadline, "the listener stays open");
            std::thread::yield_now();
        }
        let before = Instant::now();
        daemon.signal(second);
        assert_eq!(daemon.ended().code(), Some(code), "{}", daemon.said());
        assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
        assert!(daemon.said().contains("a second signal arrived"), "{}", daemon.said());
    }
}

#[test]
fn r6_a_signal_that_follows_the_greeting_at_once_is_already_ours() {
    for _ in 0..5 {
        let mut daemon = TestDaemon::start();
        daemon.signal(Signal::HUP);
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.said());
    }
}
