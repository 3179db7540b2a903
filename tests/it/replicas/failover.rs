//! R13: the database fails over under load, with two daemons behind a balancer. What was acknowledged is there afterwards, and whoever was refused was told to come back.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::bodies::user;
use crate::support::ground::{self, lay};
use crate::support::{Client, Request, TestDaemon, until};

const WRITERS: usize = 6;
/// Hands connections to one daemon after the other, as a balancer before them does.
struct Balancer {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Balancer {
    fn before(daemons: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&stopped);
        std::thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                if ended.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(client), daemon) = (client, daemons[number % daemons.len()]) else { continue };
                let Ok(daemon) = TcpStream::connect(daemon) else { continue };
                for (from, to) in [(&client, &daemon), (&daemon, &client)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Write);
                    });
                }
            }
        });
        Self { address, stopped }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

/// What came of the writers' requests.
#[derive(Default)]
struct Came {
    made: Mutex<Vec<String>>,
    unknown: Mutex<Vec<String>>,
    count: AtomicUsize,
    over: AtomicBool,
}

fn write(client: &Client, writer: usize, came: &Came) {
    for number in 0.. {
        if came.over.load(Ordering::Acquire) {
            return;
        }
        let name = format!("w{writer}-n{number}");
        // A connection that breaks is the balancer's or the daemon's; here none of them does.
        let answer = client.try_send(&Request::scim("POST", "/Users").json(&user(&name))).unwrap();
        match answer.status {
            201 => {
                came.made.lock().unwrap().push(name);
                came.count.fetch_add(1, Ordering::AcqRel);
            }
            503 => {
                assert!(answer.header("retry-after").is_some(), "{}", answer.text());
                came.unknown.lock().unwrap().push(name);
                std::thread::sleep(Duration::from_millis(50));
            }
            status => panic!("{name}: {status} {}", answer.text()),
        }
    }
}

#[test]
fn r13_a_database_that_fails_over_under_load_costs_no_acknowledged_write() {
    let Some(laid) = lay() else { return };
    let primary = &laid.ground.server;
    let standby = primary.standby("second");
    primary.tell("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'second'");
    primary.tell("postgres", "SELECT pg_reload_conf()");
    until("a synchronous standby", || {
        primary.number("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1
    });
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", primary.port(), standby.port());
    let with_both = |command: &mut Command| _ = command.env("ROSTERD_POSTGRES__HOSTS", &hosts);
    let homes = [0, 1].map(|_| Arc::new(tempfile::tempdir().unwrap()));
    let first = TestDaemon::start_with(&homes[0], &[], with_both);
    ground::share(homes[0].path(), homes[1].path());
    let second = TestDaemon::start_with(&homes[1], &[], with_both);
    let daemons = [&first, &second];
    let balancer = Balancer::before(daemons.iter().map(|daemon| daemon.client().address()).collect());

    let came = Came::default();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (client, came) = (Client::new(balancer.address, TestDaemon::TOKEN), &came);
            scope.spawn(move || write(&client, writer, came));
        }
        until("enough before", || came.count.load(Ordering::Acquire) > 200);
        primary.kill();
        let killed = Instant::now();
        standby.promote();
        let before = came.count.load(Ordering::Acquire);
        until("writes again", || came.count.load(Ordering::Acquire) > before + WRITERS);
        eprintln!("writing again {:?} after the primary was killed", killed.elapsed());
        until("enough after", || came.count.load(Ordering::Acquire) > before + 200);
        came.over.store(true, Ordering::Release);
    });
    let (made, unknown) = (came.made.into_inner().unwrap(), came.unknown.into_inner().unwrap());
    eprintln!("{} were made, {} answered 503", made.len(), unknown.len());
    for daemon in daemons {
        let client = daemon.client();
        for name in made.iter().step_by(if daemon.id() == first.id() { 1 } else { 7 }) {
            let found = client.find("/Users", &format!("userName eq \"{name}\"")).expect(200);
            assert_eq!(found.json()["totalResults"], 1, "{name}");
        }
        until("ready", || daemon.admin().send(&Request::new("GET", "/readyz")).status == 200);
        daemon.must_be_sound();
    }
}
