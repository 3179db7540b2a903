//! R26: no file descriptors left.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{home, processor_time};
use crate::support::bodies::user;
use crate::support::{TestDaemon, until};

/// The descriptors that the daemon may have.
const DESCRIPTORS: &str = "ulimit -n 64; exec \"$0\" \"$@\"";
/// Connections that want one each.
const CONNECTIONS: usize = 200;

#[test]
fn r26_without_descriptors_accept_backs_off_and_the_daemon_neither_spins_nor_ends() {
    let home = home();
    let mut daemon = TestDaemon::start_with(&home, &["sh", "-c", DESCRIPTORS], |_| {});
    let client = daemon.client();
    let id = client.post("/Users", &user("ada")).expect(201).id();
    drop(client.connect().unwrap());

    let crowd: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|_| {
            let mut stream = client.connect().unwrap();
            // Half a head, so that none of them is idle.
            stream.write_all(b"GET /livez HTTP/1.1\r\n").unwrap();
            stream
        })
        .collect();
    daemon.until_said("no connection can be accepted");
    // A spinning accept loop would use the whole of a processor meanwhile. Nothing happens here that could be awaited: the test
    // is that nothing does.
    let (before, started) = (processor_time(daemon.id()), Instant::now());
    while started.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(100));
        // The connection that stands is served all the while.
        let _ = client.get(&format!("/Users/{id}")).expect(200);
    }
    let used = processor_time(daemon.id()).saturating_sub(before);
    assert!(used < Duration::from_millis(600), "{used:?} in {:?}", started.elapsed());
    let complaints = daemon.said().matches("no connection can be accepted").count();
    assert!(complaints < 20, "{complaints} lines for one spell");

    drop(crowd);
    until("an answer on a new connection", || {
        client
            .clone()
            .try_send(&crate::support::Request::new("GET", "/livez"))
            .is_ok_and(|answer| answer.status == 200)
    });
    assert!(daemon.metric("rosterd_http_accept_errors_total") >= 1);
    let _ = client.clone().post("/Users", &user("grace")).expect(201);
    assert_eq!(daemon.terminate().0.code(), Some(0));
}
