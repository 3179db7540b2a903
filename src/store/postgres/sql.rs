//! The statements, and the futures that send them.
//!
//! Each is sent with the types of its parameters and without a name, so that it needs one trip and leaves nothing behind at the server: that is what
//! goes through a pooler which lends connections by the transaction.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::failure::Failure;
use super::wire::Session;
use crate::store::kv::{Changes, KvRow, Table};

/// How long a reader may leave its transaction idle before the database ends it.
const READER_IDLE_MAX: Duration = Duration::from_mins(1);
/// How long a writer may. It holds the rows of its tenants, for which other daemons wait.
const WRITER_IDLE_MAX: Duration = Duration::from_secs(10);
/// How long a writer waits for another that has the same tenant.
const LOCK_WITHIN: Duration = Duration::from_secs(5);

/// A stretch of a table: its table, from where (inclusive) to where (exclusive).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Range {
    pub(super) table: Table,
    pub(super) from: Vec<u8>,
    pub(super) to: Vec<u8>,
}

/// From which end a stretch is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Way {
    Forth,
    Back,
}

impl Way {
    const fn order(self) -> &'static str {
        match self {
            Self::Forth => "ASC",
            Self::Back => "DESC",
        }
    }
}

const fn name(table: Table) -> &'static str {
    match table {
        Table::Documents => "rosterd.documents",
        Table::Small => "rosterd.small",
    }
}

/// Begins a reader's transaction. Its moment is that of its first statement.
pub(super) fn begin_reading(within: Duration) -> String {
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}; \
         SET LOCAL idle_in_transaction_session_timeout = {}",
        within.as_millis(),
        READER_IDLE_MAX.as_millis()
    )
}

/// Begins a writer's transaction. Each statement sees what was committed before it: after the tenants' rows are locked, nobody else changes theirs.
/// `durable` is what the session's own setting has to be raised to, where it promises less.
pub(super) fn begin_writing(within: Duration, raise: bool) -> String {
    let durable = if raise { "; SET LOCAL synchronous_commit = on" } else { "" };
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}; \
         SET LOCAL idle_in_transaction_session_timeout = {}{durable}",
        within.as_millis(),
        LOCK_WITHIN.as_millis(),
        WRITER_IDLE_MAX.as_millis()
    )
}

/// Before a commit, which must not be called off by the time it takes.
pub(super) const NO_TIME_OUT: &str = "SET LOCAL statement_timeout = 0";

/// Sends a statement that answers nothing.
pub(super) async fn plain(session: &Session, statement: &str) -> Result<(), Failure> {
    Ok(session.batch_execute(statement).await?)
}

async fn rows(
    session: &Session,
    statement: &str,
    given: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Row>, Failure> {
    Ok(session.query_typed(statement, given).await?)
}

fn key_and_value(row: &Row, first: usize) -> Result<KvRow, Failure> {
    Ok((row.try_get::<_, Vec<u8>>(first)?, shared(row, first + 1)?))
}

fn shared(row: &Row, at: usize) -> Result<Arc<[u8]>, Failure> {
    Ok(Arc::from(row.try_get::<_, &[u8]>(at)?))
}

/// Reads the value of a key.
pub(super) async fn get(session: &Session, table: Table, key: Vec<u8>) -> Result<Option<Arc<[u8]>>, Failure> {
    let statement = format!("SELECT value FROM {} WHERE key = $1", name(table));
    let found = rows(session, &statement, &[(&key, Type::BYTEA)]).await?;
    found.first().map(|row| shared(row, 0)).transpose()
}

/// Reads the values of many keys; those that are there come in no order.
pub(super) async fn get_many(
    session: &Session,
    table: Table,
    keys: Vec<Vec<u8>>,
) -> Result<Vec<KvRow>, Failure> {
    if keys.is_empty() {
        return Ok(vec![]);
    }
    let statement = format!("SELECT key, value FROM {} WHERE key = ANY($1)", name(table));
    let found = rows(session, &statement, &[(&keys, Type::BYTEA_ARRAY)]).await?;
    found.iter().map(|row| key_and_value(row, 0)).collect()
}

/// Reads the first rows of a stretch, from one end.
pub(super) async fn some(
    session: &Session,
    range: Range,
    way: Way,
    limit: usize,
) -> Result<Vec<KvRow>, Failure> {
    let statement = format!(
        "SELECT key, value FROM {} WHERE key >= $1 AND key < $2 ORDER BY key {} LIMIT $3",
        name(range.table),
        way.order()
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let given: &[(&(dyn ToSql + Sync), Type)] =
        &[(&range.from, Type::BYTEA), (&range.to, Type::BYTEA), (&limit, Type::INT8)];
    rows(session, &statement, given).await?.iter().map(|row| key_and_value(row, 0)).collect()
}

/// Reads the first rows of many stretches of one table; returns of each its place in the list and its rows, in order.
pub(super) async fn some_of_each(
    session: &Session,
    table: Table,
    ranges: Vec<(Vec<u8>, Vec<u8>)>,
    way: Way,
    limit: usize,
) -> Result<Vec<(usize, KvRow)>, Failure> {
    if ranges.is_empty() {
        return Ok(vec![]);
    }
    let (name, order) = (name(table), way.order());
    let statement = format!(
        "SELECT asked.place, found.key, found.value \
         FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS asked(lowest, beyond, place) \
         CROSS JOIN LATERAL (SELECT key, value FROM {name} WHERE key >= asked.lowest AND key < asked.beyond \
         ORDER BY key {order} LIMIT $3) AS found ORDER BY asked.place, found.key {order}"
    );
    let (from, to): (Vec<_>, Vec<_>) = ranges.into_iter().unzip();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let given: &[(&(dyn ToSql + Sync), Type)] =
        &[(&from, Type::BYTEA_ARRAY), (&to, Type::BYTEA_ARRAY), (&limit, Type::INT8)];
    let found = rows(session, &statement, given).await?;
    let place = |row: &Row| -> Result<usize, Failure> {
        Ok(usize::try_from(row.try_get::<_, i64>(0)?.saturating_sub(1)).unwrap_or(usize::MAX))
    };
    found.iter().map(|row| Ok((place(row)?, key_and_value(row, 1)?))).collect()
}

/// Makes the rows of tenants, where they are not there yet and the database is not being filled from a copy: a look at the row that says so would be too
/// old when the tenants' rows are there, so it is locked. In a transaction of its own, so that nobody waits for it long.
pub(super) async fn make_tenants(session: &Session, tenants: Vec<i64>) -> Result<(), Failure> {
    let statement = "WITH usable AS (SELECT one FROM rosterd.filling WHERE state IN ('none', 'done') FOR UPDATE) \
                     INSERT INTO rosterd.tenants (tenant, writes) SELECT t, 0 FROM usable, unnest($1::bigint[]) AS t ON CONFLICT DO NOTHING";
    session.execute_typed(statement, &[(&tenants, Type::INT8_ARRAY)]).await?;
    Ok(())
}

/// Locks the rows of tenants in the order of their numbers, until the transaction ends.
pub(super) async fn lock_tenants(session: &Session, tenants: Vec<i64>) -> Result<(), Failure> {
    let statement = "SELECT tenant FROM rosterd.tenants WHERE tenant = ANY($1) ORDER BY tenant FOR UPDATE";
    let found = rows(session, statement, &[(&tenants, Type::INT8_ARRAY)]).await?;
    if found.len() == tenants.len() {
        return Ok(());
    }
    Err(Failure::lost(
        "the rows that keep writers apart are gone; is the database being filled from a copy, or was it restored?",
    ))
}

/// Counts a batch on the rows of its tenants.
pub(super) async fn count_writes(session: &Session, tenants: Vec<i64>) -> Result<(), Failure> {
    let statement = "UPDATE rosterd.tenants SET writes = writes + 1 WHERE tenant = ANY($1)";
    session.execute_typed(statement, &[(&tenants, Type::INT8_ARRAY)]).await?;
    Ok(())
}

/// Lists how often each tenant was written to.
pub(super) async fn all_writes(session: &Session) -> Result<Vec<(i64, i64)>, Failure> {
    let found = rows(session, "SELECT tenant, writes FROM rosterd.tenants", &[]).await?;
    found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Notes a writer's batch.
pub(super) async fn note_batch(session: &Session, writer: Vec<u8>, batch: i64) -> Result<(), Failure> {
    let statement = "INSERT INTO rosterd.writers (writer, batch) VALUES ($1, $2) \
                     ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, at = now()";
    session.execute_typed(statement, &[(&writer, Type::BYTEA), (&batch, Type::INT8)]).await?;
    Ok(())
}

/// Returns a writer's last batch; 0 where there was none.
pub(super) async fn last_batch(session: &Session, writer: Vec<u8>) -> Result<i64, Failure> {
    let statement = "SELECT batch FROM rosterd.writers WHERE writer = $1";
    let found = rows(session, statement, &[(&writer, Type::BYTEA)]).await?;
    Ok(found.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
}

/// Forgets writers that have written nothing for a week.
pub(super) async fn forget_writers(session: &Session) -> Result<(), Failure> {
    let statement = "DELETE FROM rosterd.writers WHERE at < now() - INTERVAL '7 days'";
    session.execute_typed(statement, &[]).await?;
    Ok(())
}

/// What the database says of being filled from a copy.
pub(super) struct FillingRow {
    pub(super) state: String,
    pub(super) source: String,
    pub(super) filler: Vec<u8>,
    /// Rows that were written so far.
    pub(super) written: i64,
}

const FILLING: &str = "SELECT state, source, filler, written FROM rosterd.filling WHERE one = 1";

async fn filling_by(session: &Session, statement: &str) -> Result<Option<FillingRow>, Failure> {
    let found = rows(session, statement, &[]).await?;
    let Some(row) = found.first() else { return Ok(None) };
    let (state, source) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Some(FillingRow { state, source, filler: row.try_get(2)?, written: row.try_get(3)? }))
}

/// Reads it; `None` where the row is gone that every database has.
pub(super) async fn filling(session: &Session) -> Result<Option<FillingRow>, Failure> {
    filling_by(session, FILLING).await
}

/// Locks it until the transaction ends, and reads it.
pub(super) async fn lock_filling(session: &Session) -> Result<Option<FillingRow>, Failure> {
    filling_by(session, &format!("{FILLING} FOR UPDATE")).await
}

/// Tells whether there is no row of a roster.
pub(super) async fn is_empty(session: &Session) -> Result<bool, Failure> {
    let statement =
        "SELECT NOT EXISTS (SELECT 1 FROM rosterd.documents) AND NOT EXISTS (SELECT 1 FROM rosterd.small)";
    Ok(rows(session, statement, &[]).await?.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
}

/// Takes away what every writer locks; waits for those who hold it.
pub(super) async fn remove_tenants(session: &Session) -> Result<(), Failure> {
    session.execute_typed("DELETE FROM rosterd.tenants", &[]).await?;
    Ok(())
}

/// Writes down that the database is being filled from a copy, and by whom.
pub(super) async fn take_to_fill(
    session: &Session,
    state: &str,
    source: &str,
    filler: Vec<u8>,
) -> Result<(), Failure> {
    let statement = "UPDATE rosterd.filling SET state = $1, source = $2, filler = $3, written = 0, at = now() WHERE one = 1";
    let given: &[(&(dyn ToSql + Sync), Type)] =
        &[(&state, Type::TEXT), (&source, Type::TEXT), (&filler, Type::BYTEA)];
    session.execute_typed(statement, given).await?;
    Ok(())
}

/// Writes down that somebody else goes on with it.
pub(super) async fn take_over_filling(session: &Session, filler: Vec<u8>) -> Result<(), Failure> {
    let statement = "UPDATE rosterd.filling SET filler = $1, at = now() WHERE one = 1";
    session.execute_typed(statement, &[(&filler, Type::BYTEA)]).await?;
    Ok(())
}

/// Counts rows that were written.
pub(super) async fn count_filled(session: &Session, rows: i64) -> Result<(), Failure> {
    let statement = "UPDATE rosterd.filling SET written = written + $1, at = now() WHERE one = 1";
    session.execute_typed(statement, &[(&rows, Type::INT8)]).await?;
    Ok(())
}

/// Writes down how far it has come.
pub(super) async fn note_filling(session: &Session, state: &str) -> Result<(), Failure> {
    let statement = "UPDATE rosterd.filling SET state = $1, at = now() WHERE one = 1";
    session.execute_typed(statement, &[(&state, Type::TEXT)]).await?;
    Ok(())
}

/// The changes of one table, ready to be sent.
pub(super) struct Sent {
    table: Table,
    put: (Vec<Vec<u8>>, Vec<Vec<u8>>),
    removed: Vec<Vec<u8>>,
}

impl Sent {
    pub(super) fn of(changes: &Changes, table: Table) -> Self {
        let (mut put, mut removed) = ((vec![], vec![]), vec![]);
        for (key, value) in changes.of(table) {
            match value {
                Some(value) => {
                    put.0.push(key.to_vec());
                    put.1.push(value.to_vec());
                }
                None => removed.push(key.to_vec()),
            }
        }
        Self { table, put, removed }
    }

    /// How many rows will be written.
    pub(super) const fn puts(&self) -> usize {
        self.put.0.len()
    }

    /// Writes the rows.
    pub(super) async fn put(&self, session: &Session) -> Result<(), Failure> {
        let (keys, values) = &self.put;
        if keys.is_empty() {
            return Ok(());
        }
        let statement = format!(
            "INSERT INTO {} (key, value) SELECT * FROM unnest($1::bytea[], $2::bytea[]) AS new(key, value) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            name(self.table)
        );
        let given: &[(&(dyn ToSql + Sync), Type)] = &[(keys, Type::BYTEA_ARRAY), (values, Type::BYTEA_ARRAY)];
        session.execute_typed(&statement, given).await?;
        Ok(())
    }

    /// Removes the rows.
    pub(super) async fn remove(&self, session: &Session) -> Result<(), Failure> {
        if self.removed.is_empty() {
            return Ok(());
        }
        let statement = format!("DELETE FROM {} WHERE key = ANY($1)", name(self.table));
        session.execute_typed(&statement, &[(&self.removed, Type::BYTEA_ARRAY)]).await?;
        Ok(())
    }
}

/// What of the database's settings the promise of durability stands on; `None` where a database of another make does not know the setting.
pub(super) struct Durability {
    pub(super) commit: Option<String>,
    pub(super) flush: Option<String>,
    pub(super) whole_pages: Option<String>,
}

/// Reads those settings.
pub(super) async fn durability(session: &Session) -> Result<Durability, Failure> {
    let statement = "SELECT current_setting('synchronous_commit', true), current_setting('fsync', true), \
                     current_setting('full_page_writes', true)";
    let found = rows(session, statement, &[]).await?;
    let Some(row) = found.first() else { return Err(Failure::lost("the settings could not be read")) };
    Ok(Durability { commit: row.try_get(0)?, flush: row.try_get(1)?, whole_pages: row.try_get(2)? })
}
