//! R23, R26: connections and requests in flight have a bound, and one too many gets an answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use rosterd::http::limits::Limits;
use rosterd::http::serve::Listener;

use super::support::Edge;

#[tokio::test(flavor = "multi_thread")]
async fn r23_one_connection_too_many_is_told_so_and_room_comes_back() {
    let edge = Edge::with(Limits { connections_max: 2, ..Limits::default() }, None).await;
    let (mut first, mut second) = (edge.connect().await, edge.connect().await);
    for raw in [&mut first, &mut second] {
        raw.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(raw.reply().await.status, 200);
    }
    let reply = edge.ask(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((reply.status, reply.field("retry-after")), (503, Some("1")));
    assert!(serde_json::from_str::<serde_json::Value>(&reply.body).is_ok());
    assert!(edge.metric("rosterd_http_rejected_total{reason=\"connections\"}") > 0.5);
    drop((first, second));
    let served = async { while edge.ask(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.status != 200 {} };
    tokio::time::timeout(super::support::PATIENCE, served).await.expect("room never came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn r23_connections_of_one_address_have_a_bound_of_their_own() {
    let edge = Edge::with(Limits { connections_per_address_max: Some(1), ..Limits::default() }, None).await;
    let mut first = edge.connect().await;
    first.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(first.reply().await.status, 200);
    assert_eq!(edge.ask(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 503);
    assert!(edge.metric("rosterd_http_rejected_total{reason=\"address\"}") > 0.5);
}

// Rows: S9, S172.
#[tokio::test(flavor = "multi_thread")]
async fn r23_one_request_too_many_is_answered_503_and_probes_are_answered_all_the_same() {
    let edge = Edge::with(Limits { in_flight_max: 1, ..Limits::default() }, None).await;
    let mut slow = edge.connect().await;
    slow.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    edge.seen.begun.notified().await;
    let reply = edge.ask(b"GET /scim/v2/Users HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((reply.status, reply.field("retry-after")), (503, Some("1")));
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(edge.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.status, 200);
    }
    edge.seen.go_on.notify_one();
    assert_eq!(slow.reply().await.body, "done");
    let served =
        async { while edge.ask(b"GET /scim/v2/Users HTTP/1.1\r\nHost: a\r\n\r\n").await.status != 200 {} };
    tokio::time::timeout(super::support::PATIENCE, served).await.expect("room never came back");
}

// Rows: S9, D-S4.
#[tokio::test(flavor = "multi_thread")]
async fn r23_one_request_too_many_of_a_tenant_is_answered_429() {
    let edge = Edge::with(Limits { in_flight_per_tenant_max: 1, ..Limits::default() }, None).await;
    let mut first = edge.connect().await;
    first.send(b"GET /tenant HTTP/1.1\r\nHost: a\r\n\r\n").await;
    edge.seen.begun.notified().await;
    let reply = edge.ask(b"GET /tenant HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((reply.status, reply.field("retry-after")), (429, Some("1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_its_owners_alone_and_a_stale_file_is_no_obstacle() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "the stale file");
    let listener = Listener::unix(&path).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let taken = Listener::unix(&path).await.unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);

    let edge = Edge::on(listener, Limits::default(), None);
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(
        &mut stream,
        b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    )
    .await
    .unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    edge.drain.begin();
    edge.served.await.unwrap();
    assert!(!path.exists(), "the file was left behind");
}

const CHILD: &str = "ROSTERD_TEST_FEW_FILES";

/// The test starts itself again as a process with 64 file descriptors, and that one serves.
#[test]
fn r26_with_no_descriptors_left_accept_backs_off_and_comes_back() {
    if std::env::var_os(CHILD).is_some() {
        return serve_until_told();
    }
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" --exact --nocapture edge::bounds::r26_with_no_descriptors_left_accept_backs_off_and_comes_back"])
        .arg(program)
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| Some(line.unwrap().split_once("port=")?.1.to_owned())).unwrap();
    let port: u16 = port.trim().parse().unwrap();

    let crowd: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let before = cpu_ticks(child.id());
    std::thread::sleep(Duration::from_secs(2));
    let spent = cpu_ticks(child.id()) - before;
    assert!(spent < 40, "{spent} of 200 ticks were spent waiting for descriptors");
    drop(crowd);

    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(super::support::PATIENCE)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let failed = answer.lines().find(|line| line.starts_with("rosterd_http_accept_errors_total")).unwrap();
    assert!(!failed.ends_with(" 0"), "descriptors never ran out: the test shows nothing");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

/// User and system time of a process, in hundredths of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn serve_until_told() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let edge = Edge::start().await;
        println!("port={}", edge.address.port());
        let told = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        told.await.unwrap().unwrap();
        edge.drain.begin();
        edge.served.await.unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn r26_the_connection_cap_stays_below_the_limit_on_open_files() {
    let fitted = Limits { connections_max: usize::MAX, ..Limits::default() }.within_descriptors();
    assert!(fitted.connections_max < usize::MAX);
}
