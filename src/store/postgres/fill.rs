//! Filling an empty database from a copy of another store's rows (`store::fill`).
//!
//! One row of `rosterd.filling` says whether the database may be used. Each step of filling (a batch of rows, the word that all are there, the end) is a
//! transaction that first locks this row and looks whether it is still ours, in a trip of its own, and only then writes. So what was committed is known by the
//! rows that are there, two who fill cannot mix (whoever came last has it, and the other is told so at its next step), and a process that was
//! killed leaves nothing that could arrive late. Every step may be done twice with the same outcome: one whose answer was lost is done again.
//!
//! Nobody else writes meanwhile: without a row in `rosterd.tenants` no batch begins, filling removes them all, and `sql::make_tenants` makes none before the end.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::failure::{Failure, Kind, first_that_says_something};
use super::pool::Pool;
use super::read::Moment;
use super::sql::{self, FillingRow, Sent};
use super::wire::{Session, Wire, pass_between};
use super::{PgError, PgOptions};
use crate::store::StoreError;
use crate::store::failpoints::{Point, pass};
use crate::store::fill::{Fill, Marks};
use crate::store::folder::Filling;
use crate::store::kv::{Changes, KvEngine, KvRead, Table};

/// How long the database may take for one step: some megabytes of rows, and what it does with its log for them.
const STEP_WITHIN: Duration = Duration::from_mins(5);
/// How long a step is tried again whose connection was lost.
const TRIED_FOR: Duration = Duration::from_mins(1);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(200);
/// Connections for reading what was written.
const CONNECTIONS_MAX: usize = 4;

/// What the row says of a database that may be used.
pub(super) const NEVER: &str = "none";
pub(super) const DONE: &str = "done";
/// And of one that may not.
const ROWS: &str = "rows";
const WHOLE: &str = "whole";

/// Refuses a database that is being filled, or where that was broken off.
pub(super) fn must_be_usable(wire: &Wire, session: &Session, options: &PgOptions) -> Result<(), PgError> {
    let asked = Arc::clone(session);
    let found = wire.ask(async move { sql::filling(&asked).await });
    match found.map_err(|failure| PgError::asking(options, &failure))? {
        Some(row) if matches!(row.state.as_str(), NEVER | DONE) => Ok(()),
        Some(row) => Err(PgError::Filling { place: options.place(), written: row.written }),
        None => Err(PgError::NoFillingRow { place: options.place() }),
    }
}

/// Takes an empty database, or one that was being filled from the same copy, to be filled by this process alone.
pub(super) fn begin(
    wire: Arc<Wire>,
    options: &PgOptions,
    raise: bool,
    source: &str,
) -> Result<Fill, PgError> {
    let claim =
        Claim { wire: Arc::clone(&wire), place: options.place(), filler: options.writer.to_vec(), raise };
    let filling = claim.take(source, options)?;
    let pool = Arc::new(Pool::new(wire, CONNECTIONS_MAX));
    let claim = Arc::new(claim);
    let engine = Filler { claim: Arc::clone(&claim), pool, session: None };
    let state = engine.moment();
    let marks = InDatabase { claim, session: None, filling };
    Ok(Fill::new(Box::new(engine), state, Box::new(marks), source))
}

/// The database, as long as it is this process that fills it.
struct Claim {
    wire: Arc<Wire>,
    place: String,
    filler: Vec<u8>,
    /// Whether the database's own setting promises less than a flush for each commit.
    raise: bool,
}

/// Why a database was not taken.
enum Refused {
    By(Failure),
    Not(PgError),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::By(failure)
    }
}

impl Claim {
    /// Makes the database this process's to fill.
    fn take(&self, source: &str, options: &PgOptions) -> Result<Filling, PgError> {
        let since = Instant::now();
        loop {
            match self.try_to_take(source, options) {
                Ok(filling) => return Ok(filling),
                Err(Refused::Not(error)) => return Err(error),
                Err(Refused::By(failure)) => {
                    if !matches!(failure.kind, Kind::Again | Kind::Lost) || since.elapsed() > TRIED_FOR {
                        return Err(PgError::asking(options, &failure));
                    }
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    /// The connection is dropped at the end, and what is open on it with it.
    fn try_to_take(&self, source: &str, options: &PgOptions) -> Result<Filling, Refused> {
        let session = self.wire.connect()?;
        let Some(row) = self.begin(&session)? else {
            return Err(Refused::Not(PgError::NoFillingRow { place: options.place() }));
        };
        let filling = match row.state.as_str() {
            ROWS | WHOLE if row.source != source => {
                return Err(Refused::Not(PgError::FilledFromAnother { place: options.place() }));
            }
            ROWS => Filling::Rows,
            WHOLE => Filling::Whole,
            _ => {
                if let Some(found) = self.what_is_there(&session, &row, source)? {
                    return Err(Refused::Not(PgError::NotEmpty { place: options.place(), found }));
                }
                Filling::Rows
            }
        };
        let (filler, source) = (self.filler.clone(), source.to_owned());
        let is_new = row.state != ROWS && row.state != WHOLE;
        self.wire.ask(async move {
            if is_new {
                sql::take_to_fill(&session, ROWS, &source, filler).await?;
            } else {
                sql::take_over_filling(&session, filler).await?;
            }
            sql::plain(&session, "COMMIT").await
        })?;
        Ok(filling)
    }

    /// Says what a database holds that was taken for an empty one. Afterwards nobody can write who could not wait for us.
    fn what_is_there(
        &self,
        session: &Session,
        row: &FillingRow,
        source: &str,
    ) -> Result<Option<String>, Failure> {
        let asked = Arc::clone(session);
        let is_empty = self.wire.ask(async move {
            // A look before the lock, so that a database that is in use is not stopped for it.
            if !sql::is_empty(&asked).await? {
                return Ok(false);
            }
            sql::remove_tenants(&asked).await?;
            sql::is_empty(&asked).await
        })?;
        Ok(if is_empty {
            None
        } else if row.state == DONE && row.source == source {
            Some("it was filled from this very copy, and that is complete".to_owned())
        } else {
            Some("rows of a roster".to_owned())
        })
    }

    /// Begins a transaction that has the row.
    fn begin(&self, session: &Session) -> Result<Option<FillingRow>, Failure> {
        pass(Point::BeginBefore, &self.place).map_err(|error| Failure::lost(error.to_string()))?;
        let (asked, begin) = (Arc::clone(session), sql::begin_writing(STEP_WITHIN, self.raise));
        self.wire.ask(async move {
            sql::plain(&asked, &begin).await?;
            sql::lock_filling(&asked).await
        })
    }

    /// Takes one step: a transaction in which the row is ours and in one of these states. `act` is sent together with the commit.
    fn step<A>(
        &self,
        held: &mut Option<Session>,
        states: &[&str],
        act: impl Fn(Session) -> A,
    ) -> Result<(), StoreError>
    where
        A: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let since = Instant::now();
        loop {
            let failure = match self.try_step(held, states, &act) {
                Ok(done) => return done,
                Err(failure) => failure,
            };
            // What is open on it ends with it.
            *held = None;
            if !matches!(failure.kind, Kind::Again | Kind::Lost) || since.elapsed() > TRIED_FOR {
                return Err(failure.unwritten());
            }
            tracing::debug!(%failure, "a step of filling the database is taken again");
            std::thread::sleep(PAUSE);
        }
    }

    fn try_step<A>(
        &self,
        held: &mut Option<Session>,
        states: &[&str],
        act: &impl Fn(Session) -> A,
    ) -> Result<Result<(), StoreError>, Failure>
    where
        A: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let session = match held {
            Some(session) if !session.is_closed() => Arc::clone(session),
            _ => Arc::clone(held.insert(self.wire.connect()?)),
        };
        let row = self.begin(&session)?;
        if !row.is_some_and(|row| row.filler == self.filler && states.contains(&row.state.as_str())) {
            *held = None;
            return Ok(Err(StoreError::Fatal("another process has begun to fill it meanwhile".into())));
        }
        let (acted, place) = (act(Arc::clone(&session)), self.place.clone());
        self.wire.wait(STEP_WITHIN, async move {
            let (acted, patient, before, committed, sent) = tokio::join!(biased;
                acted,
                sql::plain(&session, sql::NO_TIME_OUT),
                pass_between(Point::CommitBefore, &place),
                sql::plain(&session, "COMMIT"),
                pass_between(Point::CommitSent, &place),
            );
            first_that_says_something([acted, patient, committed])?;
            first_that_says_something([before, sent])
        })?;
        Ok(Ok(()))
    }
}

/// Writes rows.
struct Filler {
    claim: Arc<Claim>,
    pool: Arc<Pool>,
    session: Option<Session>,
}

impl Filler {
    fn moment(&self) -> Arc<dyn KvRead> {
        Arc::new(Moment::new(Arc::clone(&self.pool)))
    }
}

impl KvEngine for Filler {
    fn commit(&mut self, changes: &Changes) -> Result<Arc<dyn KvRead>, StoreError> {
        let sent = Arc::new([Table::Documents, Table::Small].map(|table| Sent::of(changes, table)));
        let rows: usize = sent.iter().map(Sent::puts).sum();
        let (rows, place) = (i64::try_from(rows).unwrap_or(i64::MAX), self.claim.place.clone());
        self.claim.step(&mut self.session, &[ROWS, WHOLE], |session| {
            let (sent, place) = (Arc::clone(&sent), place.clone());
            async move {
                let [documents, small] = &*sent;
                let (put, between, put_small, removed, counted) = tokio::join!(biased;
                    documents.put(&session),
                    pass_between(Point::RowsBetween, &place),
                    small.put(&session),
                    small.remove(&session),
                    sql::count_filled(&session, rows),
                );
                first_that_says_something([put, between, put_small, removed, counted])
            }
        })?;
        Ok(self.moment())
    }

    /// The last state may have ended by itself, while the file was read on.
    fn tidy(&mut self) -> Result<Option<Arc<dyn KvRead>>, StoreError> {
        Ok(Some(self.moment()))
    }

    fn reopen(&mut self) -> Result<Arc<dyn KvRead>, StoreError> {
        self.session = None;
        Ok(self.moment())
    }

    fn open_aside(&self) -> Result<Arc<dyn KvRead>, StoreError> {
        Ok(self.moment())
    }

    fn place(&self) -> &str {
        &self.claim.place
    }
}

/// How far filling has come, as the database has it.
struct InDatabase {
    claim: Arc<Claim>,
    session: Option<Session>,
    filling: Filling,
}

impl InDatabase {
    fn note(&mut self, from: &'static str, state: &'static str) -> Result<(), StoreError> {
        self.pass(Point::LabelBefore)?;
        // Where the answer to the first try was lost it is so already.
        self.claim.step(&mut self.session, &[from, state], |session| async move {
            sql::note_filling(&session, state).await
        })?;
        self.pass(Point::LabelAfter)
    }

    fn pass(&self, point: Point) -> Result<(), StoreError> {
        pass(point, &self.claim.place).map_err(|error| StoreError::Fatal(error.to_string()))
    }
}

impl Marks for InDatabase {
    fn filling(&self) -> Option<Filling> {
        Some(self.filling)
    }

    fn note(&mut self, filling: Filling, _source: &str) -> Result<(), StoreError> {
        match filling {
            Filling::Rows => Self::note(self, ROWS, ROWS)?,
            Filling::Whole => Self::note(self, ROWS, WHOLE)?,
        }
        self.filling = filling;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        Self::note(self, WHOLE, DONE)
    }
}

#[cfg(test)]
mod tests;
