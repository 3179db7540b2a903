//! R6: SIGTERM. What was begun is answered, nothing is reset, the process ends with 0.

use std::collections::BTreeSet;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use rustix::process::Signal;

use crate::support::bodies::user;
use crate::support::world::must_agree;
use crate::support::{Answer, Request, TestDaemon};

const HALF_SENT: usize = 24;

#[test]
fn r6_requests_half_sent_at_sigterm_are_answered_and_the_process_ends_with_0() {
    let mut daemon = TestDaemon::start();
    let client = daemon.client();
    let mut halves: Vec<(TcpStream, Vec<u8>)> = Vec::new();
    for number in 0..HALF_SENT {
        let request = Request::scim("POST", "/Users")
            .json(&user(&format!("half-{number}")))
            .header("Expect", "100-continue");
        let bytes = request.bytes(client.address(), Some(client.token()));
        let (first, second) = bytes.split_at(bytes.len() - 20);
        let mut stream = client.connect().unwrap();
        stream.write_all(first).unwrap();
        // The interim answer says that the daemon has read the head and wants the body: the request has begun.
        let mut interim = [0; 25];
        stream.read_exact(&mut interim).unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        halves.push((stream, second.to_vec()));
    }
    // Load beside it, until nobody is taken any more.
    let names = Arc::new(Mutex::new(BTreeSet::new()));
    let load: Vec<_> = (0..4)
        .map(|writer| {
            let (client, names) = (client.clone(), Arc::clone(&names));
            let (began, begun) = channel();
            let thread = std::thread::spawn(move || {
                for number in 0.. {
                    let name = format!("load-{writer}-{number}");
                    let Ok(answer) = client.try_send(&Request::scim("POST", "/Users").json(&user(&name)))
                    else {
                        return;
                    };
                    match answer.status {
                        201 => names.lock().unwrap().insert(name),
                        503 => return,
                        other => panic!("{other}: {}", answer.text()),
                    };
                    let _ = began.send(());
                }
            });
            begun.recv().unwrap();
            thread
        })
        .collect();
    daemon.signal(Signal::TERM);
    // The drain has begun when nobody is taken any more.
    while TcpStream::connect(client.address()).is_ok() {
        std::thread::yield_now();
    }
    load.into_iter().for_each(|thread| thread.join().unwrap());
    for (number, (mut stream, rest)) in halves.into_iter().enumerate() {
        stream.write_all(&rest).unwrap();
        let answer = Answer::read_from(&stream).unwrap();
        match answer.status {
            201 => drop(names.lock().unwrap().insert(format!("half-{number}"))),
            503 => assert!(answer.header("retry-after").unwrap().parse::<u32>().is_ok()),
            other => panic!("{other}: {}", answer.text()),
        }
        let mut rest = Vec::new();
        let ended = BufReader::new(stream).read_to_end(&mut rest);
        assert_eq!((ended.ok(), rest), (Some(0), vec![]), "the connection ends in an orderly way");
    }
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.said());
    let after = daemon.kill_and_restart();
    let seen = must_agree(&after.client());
    let there: BTreeSet<String> =
        seen.users.values().map(|user| user["userName"].as_str().unwrap().to_owned()).collect();
    let answered = names.lock().unwrap();
    assert!(
        answered.iter().any(|name| name.starts_with("half")) && answered.is_subset(&there),
        "{answered:?}"
    );
}
