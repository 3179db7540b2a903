//! An identity provider that hangs: it takes every connection and never says a word. And the people who try to sign in by it meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

use super::BenchError;
use super::load::first_line;
use super::which::{HUNG_PROVIDERS, hung_provider};
use super::wire::Connection;

/// People who try to sign in at once.
pub(super) const VISITORS: usize = 32;
/// How long somebody who was answered waits before the next attempt.
const PAUSE: Duration = Duration::from_millis(500);
/// How long everybody has for the first attempt, so that who can be answered at once has been.
const ARRIVING: Duration = Duration::from_millis(200);
/// How long the daemon may take to ask the providers.
const ASKED_WITHIN: Duration = Duration::from_secs(10);

/// A provider that hangs, until this value is dropped.
pub(super) struct Silent {
    port: u16,
    taken: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Silent {
    pub(super) async fn start() -> Result<Self, BenchError> {
        let named = || BenchError::system("listen as a provider that hangs");
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(named())?;
        let port = listener.local_addr().map_err(named())?.port();
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let serving = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                held.push(connection);
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Self { port, taken, serving })
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// How many connections it has taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// People who try to sign in, until this value is dropped.
pub(super) struct Visitors {
    trying: JoinSet<Result<(), BenchError>>,
    /// How many wait for an answer.
    waiting: Arc<AtomicUsize>,
}

impl Visitors {
    /// Lets them come, and returns when all of them have asked, somebody waits, and a provider holds a connection of the daemon's.
    pub(super) async fn come(to: SocketAddr, silent: &Silent) -> Result<Self, BenchError> {
        let (mut trying, waiting) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        for n in 0..VISITORS {
            trying.spawn(visit(to, n % HUNG_PROVIDERS, Arc::clone(&waiting)));
        }
        let begun = Instant::now();
        let mut all = Self { trying, waiting };
        // The daemon itself may have asked a provider before anybody came.
        let hangs = |all: &Self| silent.taken() > 0 && all.waiting.load(Ordering::Relaxed) > 0;
        while begun.elapsed() < ARRIVING || !hangs(&all) {
            all.look()?;
            if begun.elapsed() > ASKED_WITHIN {
                let what = format!("let nobody wait for a provider within {ASKED_WITHIN:?}");
                return Err(BenchError::Server { who: "the daemon".into(), what });
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(all)
    }

    /// Looks whether somebody was told what nobody should be told.
    pub(super) fn look(&mut self) -> Result<(), BenchError> {
        match self.trying.try_join_next() {
            Some(Ok(Err(why))) => Err(why),
            Some(_) => {
                Err(BenchError::Server { who: "somebody who signs in".into(), what: "gave up".into() })
            }
            None => Ok(()),
        }
    }

    /// The same at the end of a measurement, during which somebody must have waited.
    pub(super) fn end(mut self) -> Result<(), BenchError> {
        self.look()?;
        if self.waiting.load(Ordering::Relaxed) > 0 {
            return Ok(());
        }
        let what = "kept nobody waiting for a provider that hangs, so that nothing was measured".into();
        Err(BenchError::Server { who: "the daemon".into(), what })
    }
}

/// Tries to sign in, again and again.
async fn visit(to: SocketAddr, provider: usize, waiting: Arc<AtomicUsize>) -> Result<(), BenchError> {
    let mut connection = Connection::open(to).await.map_err(BenchError::system("reach the daemon"))?;
    let request =
        format!("GET /sso/{}/start?return_to=/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", hung_provider(provider));
    loop {
        waiting.fetch_add(1, Ordering::Relaxed);
        let answer =
            connection.ask(request.as_bytes()).await.map_err(BenchError::system("hear the daemon"))?;
        waiting.fetch_sub(1, Ordering::Relaxed);
        // That the provider cannot be reached, or that there were too many attempts of late.
        if !matches!(answer.status, 503 | 429) {
            return Err(BenchError::Wrong {
                during: "signing in at a provider that hangs".into(),
                request: first_line(request.as_bytes()),
                expected: "503 or 429".into(),
                answer: answer.excerpt(),
            });
        }
        sleep(PAUSE).await;
    }
}
