//! The suite of the contract on a real database, and what the engine promises beyond it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use super::server::PgServer;
use super::*;
use crate::store::suite::fixture::{ORDER, T, connection, ok, person, put, see, team, unit, user};
use crate::store::suite::{CASES, DURABLE_CASES};
use crate::store::{IndexEntry, Record, Seq};

fn fresh(server: &PgServer) -> PgStore {
    let database = server.database();
    open(&server.options(&database)).unwrap()
}

#[test]
fn r13_every_case_of_the_contract_holds_on_postgresql() {
    let Some(server) = PgServer::start() else { return };
    let database = server.database();
    for (name, case) in CASES {
        let begun = std::time::Instant::now();
        let store = open(&server.options(&database)).unwrap();
        case(&store);
        // Whatever a case did, what is held twice still agrees.
        assert_eq!(store.check(&mut |_| {}).unwrap(), vec![], "{name}");
        drop(store);
        server.tell(&database, "TRUNCATE rosterd.documents, rosterd.small, rosterd.tenants, rosterd.writers");
        eprintln!("{name}: {:?}", begun.elapsed());
    }
}

#[test]
fn r13_what_was_committed_on_postgresql_is_there_after_reopening() {
    let Some(server) = PgServer::start() else { return };
    for (name, case) in DURABLE_CASES {
        eprintln!("{name}");
        let database = server.database();
        case(&|| Box::new(open(&server.options(&database)).unwrap()));
    }
}

#[test]
fn r27_r13_a_database_that_was_never_looked_at_is_not_taken_for_one_that_is_there() {
    let Some(server) = PgServer::start() else { return };
    let store = fresh(&server);
    // Before the first look, as if the database had gone in the moment after it was opened.
    store.silence(true);
    assert_eq!(store.health().state, State::Ready, "so far it was there");
    let patience = std::time::Instant::now() + REACHED_WITHIN + Duration::from_secs(20);
    while store.health().state == State::Ready {
        assert!(std::time::Instant::now() < patience, "nobody has looked, and all is said to be well");
        std::thread::yield_now();
    }
    assert_eq!(store.feed.age(), None, "it was never looked at");
}

#[test]
fn a_batch_takes_two_trips_and_rarely_a_third() {
    let Some(server) = PgServer::start() else { return };
    let store = fresh(&server);
    // What others write is looked for all the time; that is not counted here.
    store.silence(true);
    std::thread::sleep(Duration::from_millis(300));
    let trips = |act: &dyn Fn()| {
        let before = store.trips();
        act();
        store.trips() - before
    };
    let record = |number: u32| {
        let order = IndexEntry { index: ORDER, value: number.to_be_bytes().to_vec() };
        let mut record = Record { connection: Some(connection(1)), ..person(number, &format!("p{number}")) };
        record.index.push(order);
        record
    };
    ok(&store, put(&record(1)));
    let create = trips(&|| _ = ok(&store, put(&record(2))));
    let replace = trips(&|| _ = ok(&store, put(&Record { display: "other".into(), ..record(2) })));
    let joined = trips(&|| _ = ok(&store, put(&team(9)).add(9, user(1)).add(9, user(2))));
    let removed = trips(&|| _ = ok(&store, unit().delete(user(2))));
    let many: Vec<_> = (10..210).map(|number| put(&record(number))).collect();
    let batch = trips(&|| {
        assert!(
            store
                .commit_each(T, many.clone())
                .iter()
                .all(|done| matches!(done, Ok(Outcome::Committed { .. })))
        );
    });
    eprintln!(
        "trips: create {create}, replace {replace}, group {joined}, removal {removed}, 200 creates {batch}"
    );
    assert_eq!(create, 2);
    assert!(replace <= 3 && joined <= 3 && removed <= 6, "{replace} {joined} {removed}");
    assert!(batch <= 12, "{batch}");
    // The connection of the read before may still be on its way back; then another is made.
    let read = || trips(&|| drop(see(&store).get(T, user(1)).unwrap()));
    assert!((0..20).any(|_| read() == 1), "a read begins its moment in the same trip");
    assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
}

#[test]
fn r13_a_serialization_failure_and_a_deadlock_are_tried_again() {
    let Some(server) = PgServer::start() else { return };
    let database = server.database();
    let store = open(&server.options(&database)).unwrap();
    ok(&store, put(&person(1, "ada")));
    // Three times in a row the database says that the transaction met another one. A sequence counts also what was rolled back.
    server.tell(
        &database,
        "CREATE SEQUENCE rosterd.tries; \
         CREATE FUNCTION rosterd.meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF nextval('rosterd.tries') <= 3 THEN RAISE EXCEPTION 'met another' USING ERRCODE = '40001'; END IF; \
         RETURN NULL; END $$; \
         CREATE TRIGGER meet BEFORE INSERT ON rosterd.documents FOR EACH STATEMENT EXECUTE FUNCTION rosterd.meet()",
    );
    assert_eq!(ok(&store, put(&person(2, "grace"))), Seq(2));
    assert_eq!(server.number(&database, "SELECT last_value FROM rosterd.tries"), 4);
    server.tell(&database, "DROP TRIGGER meet ON rosterd.documents");

    // Somebody else holds what we want, and wants what we hold; patient enough for us to be the one that gives way.
    let wire = Wire::new(&server.options(&database)).unwrap();
    let other = wire.connect().unwrap();
    let tell = |statement: &'static str| {
        let other = Arc::clone(&other);
        wire.ask(async move { sql::plain(&other, statement).await })
    };
    tell("BEGIN; SET LOCAL deadlock_timeout = '10s'; LOCK TABLE rosterd.small IN SHARE MODE").unwrap();
    std::thread::scope(|scope| {
        let ours = scope.spawn(|| ok(&store, put(&person(3, "edsger"))));
        let waits =
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'rosterd.small'::regclass";
        while server.number(&database, waits) == 0 {
            std::thread::yield_now();
        }
        // Ours holds the tenant's row.
        tell("UPDATE rosterd.tenants SET writes = writes WHERE tenant = 1").unwrap();
        tell("ROLLBACK").unwrap();
        assert_eq!(ours.join().unwrap(), Seq(3));
    });
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    // Counted a little later than it happened.
    let since = std::time::Instant::now();
    while server.number(&database, deadlocks) == 0 {
        assert!(since.elapsed() < Duration::from_secs(20), "there was no deadlock");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
}

#[test]
fn r13_a_commit_whose_answer_is_lost_is_found_and_one_that_never_arrived_is_made_again() {
    let Some(server) = PgServer::start() else { return };
    let database = server.database();
    for (arrives, number) in [(true, 1), (false, 2)] {
        let between = Between::before(server.port());
        let options = PgOptions {
            places: vec![Place::Host("127.0.0.1".to_owned(), between.port)],
            ..server.options(&database)
        };
        let store = open(&options).unwrap();
        let first = ok(&store, put(&person(number * 10, &format!("first-{number}"))));
        between.cut_at_commit(arrives);
        let next = ok(&store, put(&person(number * 10 + 1, &format!("next-{number}"))));
        assert!(between.has_cut(), "the test cut nothing");
        assert_eq!(next.0, first.0 + 1, "once, and not twice");
        assert_eq!(store.check(&mut |_| {}).unwrap(), vec![]);
    }
}

#[test]
fn r1_a_database_that_does_not_flush_is_refused() {
    let Some(server) = PgServer::start_with("fsync = off") else { return };
    let database = server.database();
    let refused = open(&server.options(&database)).unwrap_err().to_string();
    assert!(refused.contains("fsync is off"), "{refused}");
}

#[test]
fn r1_where_the_database_would_not_wait_for_its_disk_each_transaction_asks_for_it() {
    let Some(server) = PgServer::start_with("synchronous_commit = off") else { return };
    let database = server.database();
    let store = open(&server.options(&database)).unwrap();
    server.tell(
        &database,
        "CREATE TABLE rosterd.seen (setting text); \
         CREATE FUNCTION rosterd.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO rosterd.seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$; \
         CREATE TRIGGER look AFTER INSERT ON rosterd.documents FOR EACH STATEMENT EXECUTE FUNCTION rosterd.look()",
    );
    ok(&store, put(&person(1, "ada")));
    assert_eq!(server.number(&database, "SELECT count(*) FROM rosterd.seen WHERE setting = 'on'"), 1);
}

#[test]
fn x1_a_database_is_reached_by_tls_with_a_password_and_by_nothing_less() {
    let Some(server) = PgServer::start() else { return };
    let database = server.database();
    let root = server.guard("open sesame");
    let tls = |root: Option<CertificateDer<'static>>| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(root);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let settings =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Some(Arc::new(settings.with_root_certificates(roots).with_no_client_auth()))
    };
    let password = |text: &str| Some(Zeroizing::new(text.to_owned()));
    let right =
        PgOptions { tls: tls(Some(root)), password: password("open sesame"), ..server.options(&database) };
    let store = open(&right).unwrap();
    ok(&store, put(&person(1, "ada")));
    assert!(see(&store).get(T, user(1)).unwrap().is_some());

    let refused = |options: PgOptions| open(&options).unwrap_err().to_string();
    let said = refused(PgOptions { password: password("something else"), ..right.clone() });
    assert!(said.contains("28P01") && said.contains("postgres.password_file"), "{said}");
    assert!(!said.contains("something else"), "{said}");
    let said = refused(PgOptions { tls: tls(None), ..right.clone() });
    assert!(said.contains("certificate"), "{said}");
    let said = refused(PgOptions { tls: None, ..right.clone() });
    assert!(said.contains("28000"), "{said}");
    assert!(!format!("{right:?}").contains("sesame"));
}

#[test]
fn r23_readers_beyond_the_pool_wait_for_a_while_and_are_told_to_come_back() {
    let Some(server) = PgServer::start() else { return };
    let database = server.database();
    let options = PgOptions { connections_max: 3, ..server.options(&database) };
    let store = open(&options).unwrap();
    ok(&store, put(&person(1, "ada")));
    let held: Vec<_> = (0..3).map(|_| see(&store)).collect();
    for moment in &held {
        // The first two of a thread, and the one that is kept for who has one already.
        assert!(moment.get(T, user(1)).unwrap().is_some());
    }
    let fourth = see(&store).get(T, user(1));
    assert!(matches!(fourth, Err(StoreError::Retry(_))), "{fourth:?}");
    // As many requests as there are places, each with a second look: none waits for another's.
    drop(held);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let outer = see(&store);
                    assert!(outer.exists(T, user(1)).unwrap());
                    assert!(see(&store).exists(T, user(1)).unwrap());
                }
            });
        }
    });
}

/// Stands between a store and its server, and cuts the connection when it commits.
struct Between {
    port: u16,
    /// 0: lets everything through; 1: the commit arrives and its answer does not; 2: the commit does not arrive.
    cuts: Arc<AtomicU8>,
    cut: Arc<AtomicBool>,
}

impl Between {
    fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let between =
            Self { port: listener.local_addr().unwrap().port(), cuts: Arc::default(), cut: Arc::default() };
        let (cuts, cut) = (Arc::clone(&between.cuts), Arc::clone(&between.cut));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", server))) else {
                    return;
                };
                let (cuts, cut) = (Arc::clone(&cuts), Arc::clone(&cut));
                let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let silent = Arc::new(AtomicBool::new(false));
                let mute = Arc::clone(&silent);
                std::thread::spawn(move || {
                    let mut bytes = [0; 8192];
                    while let Ok(read @ 1..) = from.read(&mut bytes) {
                        if !mute.load(Ordering::SeqCst) && to.write_all(&bytes[..read]).is_err() {
                            return;
                        }
                    }
                });
                std::thread::spawn(move || pass(&client, &server, &cuts, &cut, &silent));
            }
        });
        between
    }

    fn cut_at_commit(&self, arrives: bool) {
        self.cuts.store(if arrives { 1 } else { 2 }, Ordering::SeqCst);
    }

    fn has_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }
}

fn pass(client: &TcpStream, server: &TcpStream, cuts: &AtomicU8, cut: &AtomicBool, silent: &AtomicBool) {
    let (mut client, mut server) = (client, server);
    let mut bytes = vec![0; 1 << 20];
    let mut armed = false;
    while let Ok(read @ 1..) = client.read(&mut bytes) {
        let said = &bytes[..read];
        // The writer's batch alone inserts into the documents and commits in one go.
        let writes = said.windows(30).any(|some| some == b"INSERT INTO rosterd.documents ".as_slice());
        armed |= writes && cuts.load(Ordering::SeqCst) > 0;
        let commits = said.windows(6).any(|some| some == b"COMMIT".as_slice());
        let how = if armed && commits { cuts.swap(0, Ordering::SeqCst) } else { 0 };
        if how > 0 {
            cut.store(true, Ordering::SeqCst);
            silent.store(true, Ordering::SeqCst);
            if how == 1 {
                server.write_all(said).unwrap();
                // The server has done with it when nothing of it is under way any more; the new connection waits for its locks.
            }
            let _ = client.shutdown(Shutdown::Both);
            if how == 2 {
                let _ = server.shutdown(Shutdown::Both);
            }
            return;
        }
        if server.write_all(said).is_err() {
            return;
        }
    }
}
