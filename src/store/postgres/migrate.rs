//! The tables, and how they come to be: numbered steps, each in a transaction of its own together with the note that it was done.
//!
//! Several daemons may start at once: a step is taken by whoever holds the note's table, and the others find it done. What was broken off begins with
//! the step that is missing. A database that a newer build has changed is refused.

use std::time::Duration;

use super::failure::Failure;
use super::wire::{Session, Wire};
use super::{PgError, PgOptions};
use crate::store::failpoints::{Point, pass};

/// How often making the tables is tried.
const TRIES_MAX: u32 = 5;
/// Pause before it is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// The steps, in order; the number of each is its place, from 1.
const STEPS: &[(&str, &str)] = &[
    ("tables", include_str!("migrations/0001-tables.sql")),
    ("filling", include_str!("migrations/0002-filling.sql")),
    ("compressed-history", include_str!("migrations/0003-compressed-history.sql")),
];

/// What the owner runs first. The table of notes is in the same schema as the rest.
const BEGINNING: &str = "CREATE SCHEMA IF NOT EXISTS rosterd; \
    CREATE TABLE IF NOT EXISTS rosterd.migrations \
    (step INTEGER PRIMARY KEY, name TEXT NOT NULL, at TIMESTAMPTZ NOT NULL DEFAULT now())";

/// Returns the number of the last step that was taken; `None` where there is no table of notes.
async fn last_step(session: &Session) -> Result<Option<i64>, Failure> {
    let there = "SELECT to_regclass('rosterd.migrations') IS NOT NULL";
    let found = session.query_typed(there, &[]).await?;
    if !found.first().map(|row| row.try_get::<_, bool>(0)).transpose()?.unwrap_or(false) {
        return Ok(None);
    }
    let last = "SELECT coalesce(max(step), 0)::bigint FROM rosterd.migrations";
    let found = session.query_typed(last, &[]).await?;
    Ok(found.first().map(|row| row.try_get(0)).transpose()?)
}

/// Takes one step, unless somebody else has taken it meanwhile: its note is written first, which waits for whoever else writes it.
async fn take(
    session: &Session,
    place: &str,
    number: i64,
    (name, step): (&str, &str),
) -> Result<(), Failure> {
    let passed = |point| pass(point, place).map_err(|error| Failure::lost(error.to_string()));
    passed(Point::MigrateBefore)?;
    session.batch_execute("BEGIN").await?;
    let note = format!(
        "INSERT INTO rosterd.migrations (step, name) VALUES ({number}, '{name}') ON CONFLICT DO NOTHING"
    );
    if session.execute_typed(&note, &[]).await? > 0 {
        session.batch_execute(step).await?;
    }
    passed(Point::MigrateWithin)?;
    session.batch_execute("COMMIT").await?;
    passed(Point::MigrateAfter)
}

/// Takes the steps that are missing.
async fn take_all(session: &Session, place: &str) -> Result<(), Failure> {
    session.batch_execute(BEGINNING).await?;
    for (number, step) in (1_i64..).zip(STEPS) {
        take(session, place, number, *step).await?;
    }
    Ok(())
}

/// Brings the tables up to what this build knows. Returns how many steps were missing.
pub(super) fn migrate(wire: &Wire, options: &PgOptions) -> Result<usize, PgError> {
    let mut tries = 0;
    loop {
        let session = wire.connect().map_err(|failure| PgError::connecting(options, &failure))?;
        let missing = missing(wire, &session, options)?;
        if missing == 0 {
            return Ok(0);
        }
        let place = options.place();
        match wire.ask(async move { take_all(&session, &place).await }) {
            Ok(()) => return Ok(missing),
            // Two daemons that make the schema at the same moment: one is refused as if it were there already.
            Err(failure) if tries < TRIES_MAX && !is(&failure, LACKS_RIGHTS) => {
                tracing::debug!(%failure, "the tables could not be made; trying again");
                tries += 1;
                std::thread::sleep(PAUSE);
            }
            Err(failure) => return Err(PgError::migrating(options, &failure)),
        }
    }
}

/// Returns how many steps are missing; refuses a database that has some that this build does not know.
pub(super) fn missing(wire: &Wire, session: &Session, options: &PgOptions) -> Result<usize, PgError> {
    let asked = session.clone();
    let last = wire.ask(async move { last_step(&asked).await });
    let last = match last {
        Ok(last) => last.unwrap_or(0),
        // A role that may not even use the schema.
        Err(failure) if is(&failure, LACKS_RIGHTS) => {
            return Err(PgError::rights(options, "the schema rosterd"));
        }
        Err(failure) => return Err(PgError::asking(options, &failure)),
    };
    let last = usize::try_from(last).unwrap_or(usize::MAX);
    match STEPS.len().checked_sub(last) {
        Some(missing) => Ok(missing),
        None => Err(PgError::Newer { place: options.place(), found: last, known: STEPS.len() }),
    }
}

/// The code of a role that may not do something.
pub(super) const LACKS_RIGHTS: &str = "42501";

pub(super) fn is(failure: &Failure, code: &str) -> bool {
    failure.code.as_ref().is_some_and(|known| known.code() == code)
}

/// What the daemon's role must be allowed of each table.
const NEEDED: &str = "SELECT t.name, has_table_privilege(t.name, 'SELECT') AND has_table_privilege(t.name, 'INSERT') \
    AND has_table_privilege(t.name, 'UPDATE') AND has_table_privilege(t.name, 'DELETE') \
    FROM unnest(ARRAY['rosterd.documents', 'rosterd.small', 'rosterd.tenants', 'rosterd.writers', 'rosterd.filling']) AS t(name)";

/// Refuses a role that may not read and write every table.
pub(super) fn rights(wire: &Wire, session: &Session, options: &PgOptions) -> Result<(), PgError> {
    let asked = session.clone();
    let found = wire.ask(async move {
        let rows = asked.query_typed(NEEDED, &[]).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<Vec<(String, bool)>, _>>()
    });
    let found = match found {
        Ok(found) => found,
        // A role that may not even use the schema is told so here.
        Err(failure) if is(&failure, LACKS_RIGHTS) => vec![("the schema rosterd".to_owned(), false)],
        Err(failure) => return Err(PgError::asking(options, &failure)),
    };
    match found.into_iter().find(|(_, may)| !may) {
        None => Ok(()),
        Some((table, _)) => Err(PgError::rights(options, &table)),
    }
}
