//! Two who fill one database, and a daemon that was there before.

use std::sync::Arc;

use crate::store::fill::Fill;
use crate::store::kv::copy::{self, Digested, RowDigest};
use crate::store::kv::{Changes, KvRow, Table};
use crate::store::postgres::server::PgServer;
use crate::store::postgres::{PgError, PgOptions, fill, open};
use crate::store::suite::fixture::{T, ok, person, put, see, user};
use crate::store::{Store, StoreError};

/// The rows of a small store, and their digest.
fn a_copy(server: &PgServer) -> (Vec<(Table, KvRow)>, Digested) {
    let store = open(&server.options(&server.database())).unwrap();
    for number in 1..=6 {
        ok(&store, put(&person(number, &format!("p{number}"))));
    }
    let (mut rows, mut digest) = (vec![], RowDigest::default());
    copy::each(&*store.rows().unwrap(), &mut |table, key, value| {
        digest.add(table, key, value);
        rows.push((table, (key.to_vec(), Arc::from(value))));
        Ok(std::ops::ControlFlow::Continue(()))
    })
    .unwrap();
    (rows, digest.finish())
}

fn write(fill: &mut Fill, rows: &[(Table, KvRow)]) -> Result<(), StoreError> {
    let mut changes = Changes::default();
    for (table, (key, value)) in rows {
        changes.set(*table, key.clone(), Some(Arc::clone(value)));
    }
    fill.write(&changes)
}

fn refused(options: &PgOptions) -> String {
    open(options).unwrap_err().to_string()
}

#[test]
fn r11_r13_of_two_who_fill_one_database_the_later_one_has_it_and_the_earlier_writes_nothing_more() {
    let Some(server) = PgServer::start() else { return };
    let (rows, digest) = a_copy(&server);
    let options = server.options(&server.database());
    let another = || PgOptions { writer: server.options("").writer, ..options.clone() };
    let mut first = fill(&options, "this copy").unwrap();
    write(&mut first, &rows[..3]).unwrap();
    let mut second = fill(&another(), "this copy").unwrap();
    assert_eq!(second.last().unwrap().unwrap().1, rows[2].1.0, "it goes on behind what is there");
    let error = write(&mut first, &rows[3..5]).unwrap_err().to_string();
    assert!(error.contains("another process has begun"), "{error}");
    assert_eq!(second.last().unwrap().unwrap().1, rows[2].1.0, "nothing of it was written");
    assert!(first.must_hold(digest).is_err());
    let from_another = fill(&another(), "another copy").unwrap_err();
    assert!(matches!(from_another, PgError::FilledFromAnother { .. }), "{from_another}");

    write(&mut second, &rows[3..]).unwrap();
    let wrong = Digested { rows: digest.rows, sha256: [0; 32] };
    assert!(matches!(second.must_hold(wrong), Err(StoreError::Corrupt(_))), "compared with the copy");
    assert!(refused(&options).contains("is not whole"));
    second.must_hold(digest).unwrap();
    assert!(refused(&options).contains("is not whole"));
    assert_eq!(second.finish(crate::store::folder::FORMAT, &mut |_| {}).unwrap(), vec![]);
    // Whoever was overtaken writes nothing into a store that is in use, either.
    let store = open(&options).unwrap();
    assert!(write(&mut first, &rows[3..5]).is_err());
    assert!(see(&store).get(T, user(6)).unwrap().is_some());
    let again = fill(&another(), "this copy").unwrap_err().to_string();
    assert!(again.contains("has data already") && again.contains("this very copy"), "{again}");
}

#[test]
fn r11_r13_a_daemon_that_was_there_before_writes_nothing_into_a_database_that_is_being_filled() {
    let Some(server) = PgServer::start() else { return };
    let (rows, digest) = a_copy(&server);
    let options = server.options(&server.database());
    let early = open(&options).unwrap();
    // Its tenant has its row already, as after a first batch that was refused.
    let name = options.database.clone();
    server.tell(&name, "INSERT INTO rosterd.tenants (tenant, writes) VALUES (1, 0)");
    let mut filled = fill(&options, "this copy").unwrap();
    write(&mut filled, &rows[..3]).unwrap();
    let error = early.commit(T, put(&person(9, "early"))).unwrap_err();
    assert!(matches!(error, StoreError::Retry(_)), "{error}");
    assert_eq!(server.number(&name, "SELECT count(*) FROM rosterd.tenants"), 0);
    write(&mut filled, &rows[3..]).unwrap();
    filled.must_hold(digest).unwrap();
    filled.finish(crate::store::folder::FORMAT, &mut |_| {}).unwrap();
    assert_eq!(open(&options).unwrap().check(&mut |_| {}).unwrap(), vec![]);

    // One that has written keeps what it has.
    let other = server.options(&server.database());
    let store = open(&other).unwrap();
    ok(&store, put(&person(1, "ada")));
    let error = fill(&other, "this copy").unwrap_err();
    assert!(matches!(error, PgError::NotEmpty { .. }), "{error}");
    ok(&store, put(&person(2, "grace")));
}
