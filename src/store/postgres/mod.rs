//! The engine for several daemons on one database: anything that speaks PostgreSQL's protocol.
//!
//! The key layout of `store::kv` lies in two tables, so that facts, counts, indexes and history are the same code here as on the embedded engine
//! (docs/decisions/0005). Read in this order: this file (how it is opened, and the store), `refusal` (why it is not), `migrate` (the tables), `wire`
//! (connections, and waiting for them), `tls`, `failure` (what follows from what the database says), `sql` (every statement), `pool` and `read` (readers), `engine`
//! and `looked` (the writer), `feed` (what other daemons wrote), `fill` (an empty database is filled from a copy).

mod engine;
mod failure;
mod feed;
mod fill;
mod looked;
mod migrate;
mod pool;
mod read;
mod refusal;
#[cfg(any(test, feature = "testing"))]
pub mod server;
mod sql;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use zeroize::Zeroizing;

use self::engine::Engine;
use self::failure::Failure;
use self::feed::{CURRENT_FOR, Feed, REACHED_WITHIN};
use self::pool::Pool;
use self::read::Moment;
pub use self::refusal::PgError;
use self::wire::{Session, Wire};
use super::fill::Fill;
use super::folder::Folder;
use super::kv::{KvRead, KvSnapshot, check_state};
use super::writer::{Writer, WriterOptions};
use super::{Finding, Health, Outcome, Queued, Snapshot, State, Store, StoreError, Unit, Watcher};
use crate::ids::TenantId;

/// Where a database may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A host and its port.
    Host(String, u16),
    /// The folder of a socket, and the port that its name holds.
    Socket(String, u16),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(folder, port) => write!(f, "{folder}/.s.PGSQL.{port}"),
        }
    }
}

/// How the database is reached and used.
#[derive(Clone)]
pub struct PgOptions {
    /// Where it may be: the first that takes writes is used.
    pub places: Vec<Place>,
    /// Its name.
    pub database: String,
    /// As whom.
    pub user: String,
    /// The password, where the database wants one.
    pub password: Option<Zeroizing<String>>,
    /// The settings of TLS; without them nothing is encrypted.
    pub tls: Option<Arc<ClientConfig>>,
    /// Most connections of readers. The writer and the feed have one each besides.
    pub connections_max: usize,
    /// How long the database may take for one statement.
    pub statement_within: Duration,
    /// By which this process is told from the other writers; random.
    pub writer: [u8; 16],
    /// How the writer behaves.
    pub options: WriterOptions,
}

impl fmt::Debug for PgOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgOptions")
            .field("place", &self.place())
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl PgOptions {
    /// Says where the data lie, without any secret.
    pub fn place(&self) -> String {
        let places: Vec<_> = self.places.iter().map(ToString::to_string).collect();
        format!("the database {} at {}", self.database, places.join(" or "))
    }
}

/// A store in a database.
pub struct PgStore {
    writer: Writer,
    pool: Arc<Pool>,
    feed: Feed,
    /// The daemon's own, held for as long as the store is open.
    folder: Option<Folder>,
}

impl fmt::Debug for PgStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgStore").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Makes the tables, or brings them up to what this build knows. Returns how many steps were missing.
pub fn migrate(options: &PgOptions) -> Result<usize, PgError> {
    let wire = Wire::new(options).map_err(|failure| PgError::Start(failure.unwritten()))?;
    migrate::migrate(&wire, options)
}

/// A database that was connected to, with its tables.
struct Reached {
    wire: Arc<Wire>,
    session: Session,
    /// Whether its own setting promises less than a flush for each commit.
    raise: bool,
}

/// Connects to a database, makes its tables where the role may, and looks whether it can be relied on.
fn reach(options: &PgOptions) -> Result<Reached, PgError> {
    let started = |failure: Failure| PgError::Start(failure.unwritten());
    let wire = Arc::new(Wire::new(options).map_err(started)?);
    let session = wire.connect().map_err(|failure| PgError::connecting(options, &failure))?;
    if migrate::missing(&wire, &session, options)? > 0 {
        migrate::migrate(&wire, options)?;
    }
    migrate::rights(&wire, &session, options)?;
    let raise = must_be_raised(&wire, &session, options)?;
    Ok(Reached { wire, session, raise })
}

/// Opens an empty database to be filled from a copy, which `source` tells from others; or one that was being filled from it (`store::fill`).
pub fn fill(options: &PgOptions, source: &str) -> Result<Fill, PgError> {
    let Reached { wire, raise, .. } = reach(options)?;
    fill::begin(wire, options, raise, source)
}

/// Opens the store in a database. Makes its tables where the role may.
pub fn open(options: &PgOptions) -> Result<PgStore, PgError> {
    let Reached { wire, session, raise } = reach(options)?;
    fill::must_be_usable(&wire, &session, options)?;
    wire.leave(async move {
        if let Err(failure) = sql::forget_writers(&session).await {
            tracing::warn!(%failure, "writers of long ago could not be forgotten");
        }
    });
    let pool = Arc::new(Pool::new(Arc::clone(&wire), options.connections_max));
    let feed = Feed::start(Arc::clone(&wire), options.place()).map_err(PgError::Start)?;
    let engine = Engine::new(wire, options.place(), options.writer, raise);
    let writer =
        Writer::start(Box::new(engine), engine::elsewhere(), options.options).map_err(PgError::Start)?;
    Ok(PgStore { writer, pool, feed, folder: None })
}

/// Looks at what the promise of durability stands on: refuses a database that does not flush, and tells whether each transaction has to ask for it.
fn must_be_raised(wire: &Wire, session: &Session, options: &PgOptions) -> Result<bool, PgError> {
    let asked = Arc::clone(session);
    let found = wire.ask(async move { sql::durability(&asked).await });
    let found = found.map_err(|failure| PgError::asking(options, &failure))?;
    if found.flush.as_deref() == Some("off") {
        return Err(PgError::Unsafe { place: options.place() });
    }
    if found.whole_pages.as_deref() == Some("off") {
        tracing::warn!(
            place = options.place(),
            "full_page_writes is off: that is safe only on a file system that never writes half a page"
        );
    }
    let weak = matches!(found.commit.as_deref(), Some("off" | "local"));
    if weak {
        tracing::warn!(
            place = options.place(),
            "synchronous_commit is {}; transactions of this daemon ask for `on`",
            found.commit.unwrap_or_default()
        );
    }
    Ok(weak)
}

impl PgStore {
    /// Holds a folder for as long as the store is open.
    #[must_use]
    pub fn holding(self, folder: Folder) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// How often somebody has waited for the database so far.
    pub fn trips(&self) -> u64 {
        self.pool.wire().trips()
    }

    fn moment(&self) -> Arc<Moment> {
        Arc::new(Moment::new(Arc::clone(&self.pool)))
    }

    /// Has this store not see what others write, as if the network had cut off that one connection.
    #[cfg(any(test, feature = "testing"))]
    pub fn silence(&self, silenced: bool) {
        self.feed.silence(silenced);
    }
}

impl Store for PgStore {
    fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError> {
        wire::in_place(|| self.writer.commit(tenant, unit))
    }

    fn queue(&self, tenant: TenantId, unit: Unit) -> Queued {
        self.writer.outcome(tenant, unit)
    }

    fn commit_each(&self, tenant: TenantId, units: Vec<Unit>) -> Vec<Result<Outcome, StoreError>> {
        wire::in_place(|| self.writer.commit_each(tenant, units))
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        Ok(Arc::new(KvSnapshot::new(self.moment())))
    }

    fn health(&self) -> Health {
        let health = self.writer.health();
        // An idle writer does not notice that the database has gone.
        let reached = self.feed.unreached_for() < REACHED_WITHIN;
        match health.state {
            State::Ready if !reached => Health { state: State::Poisoned, ..health },
            _ => health,
        }
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn follow(&self, watcher: Watcher) {
        self.feed.follow(watcher);
    }

    fn is_current(&self) -> bool {
        self.feed.age().is_some_and(|age| age < CURRENT_FOR)
    }

    fn check(&self, progress: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError> {
        check_state(&*self.moment(), progress)
    }

    fn rows(&self) -> Result<Arc<dyn KvRead>, StoreError> {
        Ok(self.moment())
    }
}
