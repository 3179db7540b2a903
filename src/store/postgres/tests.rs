//! The suite of the contract on a real database, and what the engine promises beyond it.

use super::server::PgServer;
use super::*;
use crate::store::suite::fixture::{OTHER, T, connection, ok, person, put, read, see, user};
use crate::store::suite::{CASES, DURABLE_CASES};
use crate::store::{Record, Seq};

fn fresh(server: &PgServer) -> PgStore {
    let database = server.database();
    open(&server.options(&database)).unwrap()
}

#[test]
fn r13_every_case_of_the_contract_holds_on_postgresql() {
    let Some(server) = PgServer::start() else { return };
    for (name, case) in CASES {
        eprintln!("{name}");
        let store = fresh(&server);
        case(&store);
        // Whatever a case did, what is held twice still agrees.
        assert_eq!(store.check(&mut |_| {}).unwrap(), vec![], "{name}");
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
fn a_create_takes_two_trips_and_a_batch_no_more() {
    let Some(server) = PgServer::start() else { return };
    let store = fresh(&server);
    ok(&store, put(&person(1, "first")));
    let before = store.pool.wire().trips();
    let ours = |trips: u64| trips;
    store.silence(true);
    let record = Record { connection: Some(connection(1)), ..person(2, "ada") };
    ok(&store, put(&record));
    let trips = ours(store.pool.wire().trips() - before);
    eprintln!("trips of a create: {trips}");
    assert!(trips <= 4, "{trips}");
    assert_eq!(read(&store, user(2)).unwrap(), record);
    drop((see(&store), OTHER, T, Seq::ZERO));
}
