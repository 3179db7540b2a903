//! The closed loop: N connections, each of which sends its next request as soon as its last one is answered.
//!
//! The first answer that is not what its script is for ends the loop with an error. Errors are quick, and would flatter.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::BenchError;
use super::cores::{Half, keep_to};
use super::script::Script;
use super::wire::Connection;

/// How long one answer may take.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// What was counted between the two bells.
pub(super) struct Volley<T> {
    /// Between them.
    pub(super) elapsed: Duration,
    /// Answers.
    pub(super) requests: u64,
    /// From the first byte sent to the last one received, in nanoseconds.
    pub(super) latency: Histogram<u64>,
    /// What the probe read at the first bell, and at the second.
    pub(super) probed: (T, T),
}

const WARMING: u8 = 0;
const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// Runs every script on a connection of its own. `probe` is called at both bells.
///
/// A lone connection rings the bells itself, between two requests: of requests that take long there are few in a window, and
/// half of one more or less would be seen.
pub(super) async fn closed_loop<T>(
    to: SocketAddr,
    mut scripts: Vec<Script>,
    warm_up: Duration,
    window: Duration,
    probe: impl Fn() -> T,
) -> Result<Volley<T>, BenchError> {
    if scripts.len() == 1
        && let Some(script) = scripts.pop()
    {
        return alone(Lane::open(to, script).await?, warm_up, window, probe).await;
    }
    let phase = Arc::new(AtomicU8::new(WARMING));
    let mut lanes = JoinSet::new();
    for script in scripts {
        lanes.spawn(one(Lane::open(to, script).await?, Arc::clone(&phase)));
    }
    sleep(warm_up).await;
    let first = probe();
    let started = Instant::now();
    phase.store(COUNTING, Ordering::Relaxed);
    sleep(window).await;
    phase.store(OVER, Ordering::Relaxed);
    let elapsed = started.elapsed();
    let mut sum = Volley { elapsed, requests: 0, latency: histogram(), probed: (first, probe()) };
    while let Some(ended) = lanes.join_next().await {
        let (requests, latency) = ended.map_err(|why| BenchError::Server {
            who: "a connection of the load".into(),
            what: format!("ended: {why}"),
        })??;
        sum.requests += requests;
        // Same bounds on both sides, so that adding cannot fail.
        let _ = sum.latency.add(&latency);
    }
    Ok(sum)
}

/// The same for a load that another stands beside and that is not counted: on a thread of its own, so that whoever is measured waits for the
/// server and not for the sender's own queue; `apart`, on the senders' half of the processors.
pub(super) fn neighbours(
    to: SocketAddr,
    scripts: Vec<Script>,
    warm_up: Duration,
    window: Duration,
    apart: bool,
) -> Result<(), BenchError> {
    let _kept = if apart { keep_to(Half::Second) } else { None };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(BenchError::system("start the thread that sends beside"))?
        .block_on(closed_loop(to, scripts, warm_up, window, || ()))
        .map(|_| ())
}

/// Makes a histogram with three digits, from a microsecond to a minute.
pub(super) fn histogram() -> Histogram<u64> {
    // These bounds are sound; the smallest histogram stands in for an impossible refusal.
    Histogram::new_with_bounds(1_000, 60_000_000_000, 3)
        .unwrap_or_else(|_| unreachable!("constant bounds that hdrhistogram takes"))
}

/// One connection's share.
async fn one(mut lane: Lane, phase: Arc<AtomicU8>) -> Result<(u64, Histogram<u64>), BenchError> {
    let (mut requests, mut latency) = (0, histogram());
    while phase.load(Ordering::Relaxed) != OVER {
        let took = lane.ask().await?;
        if phase.load(Ordering::Relaxed) == COUNTING {
            requests += 1;
            record(&mut latency, took);
        }
    }
    Ok((requests, latency))
}

async fn alone<T>(
    mut lane: Lane,
    warm_up: Duration,
    window: Duration,
    probe: impl Fn() -> T,
) -> Result<Volley<T>, BenchError> {
    let begun = Instant::now();
    while begun.elapsed() < warm_up {
        lane.ask().await?;
    }
    let (mut requests, mut latency) = (0, histogram());
    let first = probe();
    let started = Instant::now();
    while started.elapsed() < window {
        record(&mut latency, lane.ask().await?);
        requests += 1;
    }
    Ok(Volley { elapsed: started.elapsed(), requests, latency, probed: (first, probe()) })
}

pub(super) fn record(latency: &mut Histogram<u64>, took: Duration) {
    latency.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
}

/// A connection and what it sends.
struct Lane {
    connection: Connection,
    script: Script,
    request: Vec<u8>,
}

impl Lane {
    async fn open(to: SocketAddr, script: Script) -> Result<Self, BenchError> {
        let connection = Connection::open(to).await.map_err(BenchError::system(format!("reach {to}")))?;
        Ok(Self { connection, script, request: Vec::with_capacity(4 << 10) })
    }

    /// Sends the next request, and says how long its answer took.
    async fn ask(&mut self) -> Result<Duration, BenchError> {
        self.request.clear();
        self.script.next(&mut self.request);
        let sent = Instant::now();
        let found = match timeout(PATIENCE, self.connection.ask(&self.request)).await {
            Ok(Ok(answer)) if answer.status == self.script.status && (self.script.holds)(answer.body) => {
                return Ok(sent.elapsed());
            }
            Ok(Ok(answer)) => answer.excerpt(),
            Ok(Err(why)) => why.to_string(),
            Err(_) => format!("nothing within {PATIENCE:?}"),
        };
        Err(BenchError::Wrong {
            during: "measuring".into(),
            request: first_line(&self.request),
            expected: self.script.status.to_string(),
            answer: found,
        })
    }
}

/// Shows a request in a message.
pub(super) fn first_line(request: &[u8]) -> String {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::reference::{Reference, accept};
    use crate::bench::script::Scripts;

    /// Fires requests for `/x` at a reference that answers each with 200.
    async fn fire(connections: usize, status: u16) -> Result<Volley<()>, BenchError> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let server = tokio::spawn(accept(listener, Reference::get(3)));
        let scripts = (0..connections).map(|_| Scripts::new("t").repeat("/x").answered(status)).collect();
        let moment = Duration::from_millis(10);
        let volley = closed_loop(to, scripts, moment, moment, || ()).await;
        server.abort();
        volley
    }

    #[tokio::test]
    async fn answers_with_the_right_status_are_counted() {
        for connections in [1, 3] {
            let volley = fire(connections, 200).await.unwrap();
            assert!(volley.requests > 0);
            assert_eq!(volley.latency.len(), volley.requests);
        }
    }

    #[tokio::test]
    async fn one_answer_with_another_status_ends_the_loop_with_an_error_that_shows_it() {
        for connections in [1, 3] {
            let why = fire(connections, 204).await.map(|_| ()).unwrap_err().to_string();
            assert_eq!(
                why, "measuring: GET /x HTTP/1.1 should be answered 204, and was answered: 200    ",
                "{connections}"
            );
        }
    }
}
