//! The writer's side: one transaction for each batch, under the locks of its tenants.
//!
//! The rows of the batch's tenants are locked in the order of their numbers, so that writers of one tenant come one after the other whichever daemon they
//! are in, and no two wait for each other. What the units look at is read after the locks. Then everything is written, and the commit sent behind it
//! in the same trip.
//!
//! A connection that is lost after that trip was begun leaves it open whether the batch was committed. The batch has left its number with the writer's own
//! row, in the same transaction: a new connection locks the same tenants, which waits for the old transaction to be over, and then looks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::failure::{Failure, Kind, first_that_says_something};
use super::looked::{Looked, Wanted};
use super::sql::{self, Range, Sent};
use super::wire::{Session, Wire, pass_between};
use crate::ids::TenantId;
use crate::store::failpoints::{Point, pass};
use crate::store::kv::{Changes, Foreseen, KvEngine, KvRead, KvRow, Table, Visit};
use crate::store::{StoreError, Unit};

/// How often a batch is tried that met others' transactions before anything of it was written, and for how long.
const TRIES_MAX: u32 = 8;
const TRIED_FOR: Duration = Duration::from_secs(8);
/// How often one is tried whose connection was lost: it may have been dead for long, and a new one is not.
const CONNECTIONS_MAX: u32 = 2;
/// Pause before the second try; doubled for each further one.
const PAUSE: Duration = Duration::from_millis(5);
/// How long it is tried to learn what became of a batch.
const RESOLVE_WITHIN: Duration = Duration::from_secs(15);
/// Pause between two attempts at that.
const RESOLVE_EVERY: Duration = Duration::from_millis(100);

/// The engine of one writer.
pub(super) struct Engine {
    wire: Arc<Wire>,
    place: String,
    writer: Vec<u8>,
    batch: i64,
    session: Option<Session>,
    /// Whether the database's own setting promises less than a flush for each commit.
    raise: bool,
    /// Tenants whose rows are there.
    made: BTreeSet<i64>,
    open: Option<Open>,
    /// How many more tries the last failure allows for.
    may_again: u32,
    /// When the batch was first begun.
    since: Instant,
    dice: u64,
}

/// A transaction that has begun.
struct Open {
    session: Session,
    tenants: Vec<i64>,
    looked: Arc<Looked>,
}

impl Engine {
    pub(super) fn new(wire: Arc<Wire>, place: String, writer: [u8; 16], raise: bool) -> Self {
        let dice =
            writer.iter().fold(1, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        Self {
            wire,
            place,
            writer: writer.to_vec(),
            batch: 0,
            session: None,
            raise,
            made: BTreeSet::new(),
            open: None,
            may_again: 0,
            since: Instant::now(),
            dice,
        }
    }

    /// Returns a connection on which no transaction is open.
    fn session(&mut self) -> Result<Session, Failure> {
        match &self.session {
            Some(session) if !session.is_closed() => Ok(Arc::clone(session)),
            _ => {
                let session = self.wire.connect()?;
                self.session = Some(Arc::clone(&session));
                Ok(session)
            }
        }
    }

    /// Ends what is open without writing anything, and drops a connection that cannot be used further.
    fn abandon(&mut self, failure: &Failure) {
        let open = self.open.take();
        let Some(session) = open.map(|open| open.session).or_else(|| self.session.clone()) else { return };
        let ended = failure.spares_the_connection()
            && self.wire.ask(async move { sql::plain(&session, "ROLLBACK").await }).is_ok();
        if !ended {
            self.session = None;
        }
    }

    /// Notes what a failure before the commit means: nothing was written.
    fn unwritten(&mut self, failure: Failure) -> StoreError {
        self.may_again = match failure.kind {
            Kind::Again => TRIES_MAX,
            Kind::Lost => CONNECTIONS_MAX,
            _ => 0,
        };
        self.abandon(&failure);
        failure.unwritten()
    }

    fn try_begin(&mut self, tenants: &[i64], wanted: &Arc<Wanted>) -> Result<Arc<Looked>, Failure> {
        pass(Point::BeginBefore, &self.place).map_err(|error| Failure::lost(error.to_string()))?;
        let session = self.session()?;
        let new: Vec<i64> = tenants.iter().copied().filter(|one| !self.made.contains(one)).collect();
        if !new.is_empty() {
            let (making, made) = (Arc::clone(&session), new.clone());
            self.wire.ask(async move { sql::make_tenants(&making, made).await })?;
            self.made.extend(new);
        }
        let (asking, asked) = (Arc::clone(&session), Arc::clone(wanted));
        let begin = sql::begin_writing(self.wire.within(), self.raise);
        let locked = tenants.to_vec();
        let found = self.wire.ask(async move {
            let lock = sql::lock_tenants(&asking, locked);
            let (begun, locked, found) =
                tokio::join!(biased; sql::plain(&asking, &begin), lock, asked.fetch(&asking));
            let (found, fetched) = match found {
                Ok(found) => (Some(found), Ok(())),
                Err(failure) => (None, Err(failure)),
            };
            first_that_says_something([begun, locked, fetched])?;
            found.ok_or_else(|| Failure::lost("nothing was fetched"))
        })?;
        let looked = Arc::new(Looked::new(Arc::clone(&self.wire), Arc::clone(&session)));
        looked.learn(wanted, found);
        self.open = Some(Open { session, tenants: tenants.to_vec(), looked: Arc::clone(&looked) });
        Ok(looked)
    }

    /// Sends the changes and the commit.
    fn send(&self, open: &Open, changes: &Changes, batch: i64) -> Result<(), Failure> {
        let [documents, small] = [Table::Documents, Table::Small].map(|table| Sent::of(changes, table));
        let (session, tenants, writer) =
            (Arc::clone(&open.session), open.tenants.clone(), self.writer.clone());
        let place = self.place.clone();
        self.wire.ask(async move {
            let (
                put,
                removed,
                between,
                put_small,
                removed_small,
                counted,
                noted,
                patient,
                before,
                committed,
                sent,
            ) = tokio::join!(biased;
                documents.put(&session),
                documents.remove(&session),
                pass_between(Point::RowsBetween, &place),
                small.put(&session),
                small.remove(&session),
                sql::count_writes(&session, tenants),
                sql::note_batch(&session, writer, batch),
                // A server that waits for its standby and is told to stop waiting would say that the commit is done.
                sql::plain(&session, sql::NO_TIME_OUT),
                pass_between(Point::CommitBefore, &place),
                // After a statement that failed this is a rollback.
                sql::plain(&session, "COMMIT"),
                pass_between(Point::CommitSent, &place),
            );
            let written = [put, removed, put_small, removed_small, counted, noted, patient, committed];
            first_that_says_something(written)?;
            first_that_says_something([between, before, sent])
        })
    }

    /// Finds out whether a batch was committed, by connections of its own.
    fn was_committed(&mut self, tenants: &[i64], batch: i64) -> Option<bool> {
        let deadline = Instant::now() + RESOLVE_WITHIN;
        self.session = None;
        loop {
            match self.look_for(tenants, batch) {
                Ok(committed) => return Some(committed),
                Err(error) => {
                    tracing::debug!(%error, "what became of a batch cannot be seen yet");
                    self.session = None;
                }
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(RESOLVE_EVERY);
        }
    }

    fn look_for(&mut self, tenants: &[i64], batch: i64) -> Result<bool, Failure> {
        let session = self.session()?;
        let begin = sql::begin_writing(self.wire.within(), self.raise);
        let (tenants, writer) = (tenants.to_vec(), self.writer.clone());
        let last = self.wire.ask(async move {
            sql::plain(&session, &begin).await?;
            sql::lock_tenants(&session, tenants).await?;
            let last = sql::last_batch(&session, writer.clone()).await?;
            // Written once more, and that waited for: what stands before it in the log is then wherever the database promises it to be.
            sql::note_batch(&session, writer, last).await?;
            sql::plain(&session, sql::NO_TIME_OUT).await?;
            sql::plain(&session, "COMMIT").await?;
            Ok(last)
        })?;
        Ok(last == batch)
    }

    /// A pause before another try, of which no two daemons make the same.
    fn pause(&mut self, tries: u32) {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        let longest = PAUSE.saturating_mul(1 << tries.min(6));
        let part = u32::try_from(self.dice % 1000).unwrap_or(0);
        std::thread::sleep(longest / 2 + longest.saturating_mul(part) / 2000);
    }
}

impl KvEngine for Engine {
    fn begin(&mut self, units: &[(TenantId, &Unit)]) -> Result<Option<Arc<dyn KvRead>>, StoreError> {
        self.may_again = 0;
        let tenants: BTreeSet<i64> = units.iter().map(|(tenant, _)| i64::from(tenant.number())).collect();
        let tenants: Vec<i64> = tenants.into_iter().collect();
        let Foreseen { keys, last } = Foreseen::of(units);
        let last = last.into_iter().map(|(from, to)| Range { table: Table::Small, from, to }).collect();
        let wanted = Arc::new(Wanted::foreseen(keys, last));
        match self.try_begin(&tenants, &wanted) {
            Ok(looked) => Ok(Some(looked)),
            Err(failure) => Err(self.unwritten(failure)),
        }
    }

    fn is_settled(&mut self) -> Result<bool, StoreError> {
        let Some(open) = &self.open else { return Ok(true) };
        let settled = open.looked.is_settled();
        settled.map_err(|failure| self.unwritten(failure))
    }

    fn cancel(&mut self) {
        let Some(Open { session, .. }) = self.open.take() else { return };
        if self.wire.ask(async move { sql::plain(&session, "ROLLBACK").await }).is_err() {
            self.session = None;
        }
    }

    fn commit(&mut self, changes: &Changes) -> Result<Arc<dyn KvRead>, StoreError> {
        let failed = |error: std::io::Error| StoreError::Fatal(error.to_string());
        pass(Point::AppendBefore, &self.place).map_err(failed)?;
        let Some(open) = self.open.take() else {
            // The writer's own probe, after the database was full.
            return self.probe(changes);
        };
        self.batch += 1;
        let batch = self.batch;
        match self.send(&open, changes, batch) {
            Ok(()) => Ok(Arc::new(Elsewhere)),
            Err(failure) if failure.kind != Kind::Lost || failure.code.is_some() && is_certain(&failure) => {
                self.open = Some(open);
                Err(self.unwritten(failure))
            }
            Err(failure) => {
                tracing::warn!(%failure, "the connection was lost while a batch was committed; looking what became of it");
                match self.was_committed(&open.tenants, batch) {
                    Some(true) => Ok(Arc::new(Elsewhere)),
                    Some(false) => {
                        self.may_again = CONNECTIONS_MAX;
                        Err(StoreError::Retry(failure.to_string()))
                    }
                    None => Err(StoreError::Unknown(failure.to_string())),
                }
            }
        }
    }

    fn again(&mut self, _error: &StoreError, tries: u32) -> bool {
        if tries == 0 {
            self.since = Instant::now();
        }
        let may = tries < std::mem::take(&mut self.may_again) && self.since.elapsed() < TRIED_FOR;
        if may {
            self.pause(tries);
        }
        may
    }

    fn reopen(&mut self) -> Result<Arc<dyn KvRead>, StoreError> {
        self.open = None;
        self.session = None;
        self.made.clear();
        let opened =
            self.session().and_then(|session| self.wire.ask(async move { sql::all_writes(&session).await }));
        opened.map(|_| Arc::new(Elsewhere) as Arc<dyn KvRead>).map_err(|failure| {
            self.session = None;
            StoreError::Retry(failure.to_string())
        })
    }

    fn open_aside(&self) -> Result<Arc<dyn KvRead>, StoreError> {
        Ok(Arc::new(Elsewhere))
    }

    fn place(&self) -> &str {
        &self.place
    }
}

/// Tells whether the database itself said of a statement that it came to nothing, so that the commit behind it cannot have counted.
fn is_certain(failure: &Failure) -> bool {
    failure.code.as_ref().is_some_and(|code| code.code() == "25006")
}

impl Engine {
    /// Writes a few rows that belong to no tenant.
    fn probe(&mut self, changes: &Changes) -> Result<Arc<dyn KvRead>, StoreError> {
        let written = self.session().and_then(|session| {
            let small = Sent::of(changes, Table::Small);
            self.wire.ask(async move {
                small.put(&session).await?;
                small.remove(&session).await
            })
        });
        match written {
            Ok(()) => Ok(Arc::new(Elsewhere)),
            Err(failure) => {
                self.session = None;
                Err(failure.unwritten())
            }
        }
    }
}

/// Stands where an embedded engine has its last state: readers of this one look at the database.
struct Elsewhere;

impl Elsewhere {
    fn refuse<T>() -> Result<T, StoreError> {
        Err(StoreError::Fatal("the writer's state was read, which holds nothing".into()))
    }
}

impl KvRead for Elsewhere {
    fn get(&self, _: Table, _: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
        Self::refuse()
    }

    fn scan(
        &self,
        _: Table,
        _: &[u8],
        _: &[u8],
        _: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        Self::refuse()
    }

    fn last(&self, _: Table, _: &[u8], _: &[u8]) -> Result<Option<KvRow>, StoreError> {
        Self::refuse()
    }
}

pub(super) fn elsewhere() -> Arc<dyn KvRead> {
    Arc::new(Elsewhere)
}
