//! The wire: connections to the database, and waiting for them from threads that know nothing of `async`.
//!
//! The protocol is spoken on threads of its own. Whoever asks waits for the answer where it stands; a worker of the daemon's runtime hands its other
//! tasks over before it waits (`block_in_place`), so that a slow database stalls nobody but those who ask it. Every wait has an end.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::time::timeout;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls};

use super::failure::Failure;
use super::tls::MakeTls;
use super::{PgOptions, Place};
use crate::store::failpoints::{Point, pass, strikes_next};

/// Threads that speak the protocol. They copy bytes and decode nothing; one would be enough but for the moments in which it is checking a certificate.
const THREADS: usize = 2;
/// How long a server may take to be connected to.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long the network may leave what was sent unacknowledged.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);
/// After how long a silent connection is asked for a sign of life by the system.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);
/// What a wait takes beyond the time within which the database has to answer, so that the database's own refusal comes first.
const GRACE: Duration = Duration::from_secs(2);

/// A connection. Statements that are sent one after the other are answered in that order.
pub(super) type Session = Arc<Client>;

/// Makes connections.
pub(super) struct Wire {
    /// Absent only while it is dropped.
    runtime: Option<Runtime>,
    config: Config,
    tls: Option<MakeTls>,
    within: Duration,
    trips: AtomicU64,
}

impl Wire {
    /// Prepares connections; makes none.
    pub(super) fn new(options: &PgOptions) -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("store-wire")
            .enable_all()
            .build()
            .map_err(|error| Failure::lost(format!("the wire's threads cannot start: {error}")))?;
        let mut config = Config::new();
        for place in &options.places {
            match place {
                Place::Host(host, port) => config.host(host).port(*port),
                Place::Socket(folder, port) => config.host_path(PathBuf::from(folder)).port(*port),
            };
        }
        config
            .dbname(&options.database)
            .user(&options.user)
            .application_name("rosterd")
            .connect_timeout(CONNECT_WITHIN)
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_AFTER)
            .tcp_user_timeout(UNACKNOWLEDGED_MAX)
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .ssl_mode(if options.tls.is_some() { SslMode::Require } else { SslMode::Disable });
        if let Some(password) = &options.password {
            config.password(password.as_bytes());
        }
        let tls = options.tls.clone().map(MakeTls);
        let within = options.statement_within;
        Ok(Self { runtime: Some(runtime), config, tls, within, trips: AtomicU64::new(0) })
    }

    /// How long the database may take for one statement.
    pub(super) const fn within(&self) -> Duration {
        self.within
    }

    /// How often somebody has waited for the database.
    pub(super) fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }

    /// Connects to the first place that takes writes.
    pub(super) fn connect(&self) -> Result<Session, Failure> {
        let (config, tls) = (self.config.clone(), self.tls.clone());
        let places = u32::try_from(config.get_hosts().len()).unwrap_or(1).max(1);
        self.wait(CONNECT_WITHIN.saturating_mul(places), async move {
            // The connection's own task ends with it; what it ends with is told to whoever waits.
            let client = match tls {
                Some(tls) => {
                    let (client, connection) = config.connect(tls).await?;
                    tokio::spawn(connection);
                    client
                }
                None => {
                    let (client, connection) = config.connect(NoTls).await?;
                    tokio::spawn(connection);
                    client
                }
            };
            Ok(Arc::new(client))
        })
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        asked: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        self.wait(self.within, asked)
    }

    /// Has something done that nobody waits for.
    pub(super) fn leave(&self, done: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(done);
        }
    }

    /// Waits for something on the wire, for so long and a little.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        within: Duration,
        asked: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let Some(runtime) = &self.runtime else { return Err(Failure::lost("the wire is closed")) };
        self.trips.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = sync_channel(1);
        let within = within.saturating_add(GRACE);
        runtime.spawn(async move {
            let done = timeout(within, asked).await;
            let done = done.unwrap_or_else(|_| Err(Failure::lost("the database did not answer in time")));
            // Whoever asked has died.
            let _ = answer.try_send(done);
        });
        // The time-out above answers; this one is for threads of the wire that are gone.
        let patience = within.saturating_add(GRACE);
        in_place(|| answered.recv_timeout(patience)).unwrap_or_else(|error| {
            Err(Failure::lost(match error {
                RecvTimeoutError::Timeout => "the wire did not answer",
                RecvTimeoutError::Disconnected => "the wire is closed",
            }))
        })
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Also within a runtime, where waiting for the threads would be refused.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// How long a fault between two statements waits, so that what was sent before has been carried out.
const CARRIED_OUT_WITHIN: Duration = Duration::from_millis(300);

/// Passes a point between statements that are sent in one trip; to be joined with them in their order. Where a test has a fault there, what was sent before has arrived
/// when it strikes, and nothing behind it was sent.
pub(super) async fn pass_between(point: Point, place: &str) -> Result<(), Failure> {
    if strikes_next(point, place) {
        // The thread that sends is another then.
        in_place(|| std::thread::sleep(CARRIED_OUT_WITHIN));
    }
    pass(point, place).map_err(|error| Failure::lost(error.to_string()))
}

/// Waits without keeping a runtime's worker from its other tasks.
pub(super) fn in_place<T>(wait: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(wait)
        }
        _ => wait(),
    }
}
