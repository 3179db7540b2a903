//! The closed loop: N connections, each of which sends its next request as soon as its last one is answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::script::Script;
use super::wire::Connection;

/// How long a connection may take to end after the last bell.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection waits before it tries again after its socket failed.
const AFTER_FAILURE: Duration = Duration::from_millis(20);

/// What was counted between the two bells.
pub(super) struct Volley<T> {
    /// Between them.
    pub(super) elapsed: Duration,
    /// Answers of any kind.
    pub(super) requests: u64,
    /// Answers other than success, and connections that failed.
    pub(super) errors: u64,
    /// The first of them, whenever it came.
    pub(super) first_error: Option<String>,
    /// From the first byte sent to the last one received, in nanoseconds; of successes.
    pub(super) latency: Histogram<u64>,
    /// What the probe read at the first bell, and at the second.
    pub(super) probed: (T, T),
}

const WARMING: u8 = 0;
const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// Runs every script on a connection of its own. `probe` is called at both bells.
pub(super) async fn closed_loop<T>(
    to: SocketAddr,
    scripts: Vec<Script>,
    warm_up: Duration,
    window: Duration,
    probe: impl Fn() -> T,
) -> Volley<T> {
    let phase = Arc::new(AtomicU8::new(WARMING));
    let mut connections = JoinSet::new();
    for script in scripts {
        connections.spawn(one(to, script, Arc::clone(&phase)));
    }
    sleep(warm_up).await;
    let first = probe();
    let started = Instant::now();
    phase.store(COUNTING, Ordering::Relaxed);
    sleep(window).await;
    phase.store(OVER, Ordering::Relaxed);
    let elapsed = started.elapsed();
    let second = probe();
    let mut sum = Volley {
        elapsed,
        requests: 0,
        errors: 0,
        first_error: None,
        latency: histogram(),
        probed: (first, second),
    };
    let all = async {
        while let Some(ended) = connections.join_next().await {
            let Ok(tally) = ended else { continue };
            sum.requests += tally.requests;
            sum.errors += tally.errors;
            sum.first_error = sum.first_error.take().or(tally.first_error);
            // Same bounds on both sides, so that adding cannot fail.
            let _ = sum.latency.add(&tally.latency);
        }
    };
    if timeout(PATIENCE, all).await.is_err() {
        let stuck = connections.len() as u64;
        sum.errors += stuck;
        sum.first_error = Some(format!("{stuck} requests were not answered within {PATIENCE:?}"));
    }
    sum
}

/// Makes a histogram with three digits, from a microsecond to a minute.
pub(super) fn histogram() -> Histogram<u64> {
    // These bounds are sound; the smallest histogram stands in for an impossible refusal.
    Histogram::new_with_bounds(1_000, 60_000_000_000, 3)
        .unwrap_or_else(|_| unreachable!("constant bounds that hdrhistogram takes"))
}

/// One connection's share.
struct Tally {
    requests: u64,
    errors: u64,
    first_error: Option<String>,
    latency: Histogram<u64>,
}

impl Tally {
    fn failed(&mut self, counting: bool, what: impl FnOnce() -> String) {
        self.errors += u64::from(counting);
        self.first_error.get_or_insert_with(what);
    }
}

async fn one(to: SocketAddr, mut script: Script, phase: Arc<AtomicU8>) -> Tally {
    let mut tally = Tally { requests: 0, errors: 0, first_error: None, latency: histogram() };
    let mut request = Vec::with_capacity(4 << 10);
    let mut connection = None;
    while phase.load(Ordering::Relaxed) != OVER {
        let open = match &mut connection {
            Some(open) => open,
            none => match Connection::open(to).await {
                Ok(open) => none.insert(open),
                Err(why) => {
                    tally.failed(true, || format!("no connection: {why}"));
                    sleep(AFTER_FAILURE).await;
                    continue;
                }
            },
        };
        request.clear();
        script(&mut request);
        let sent = Instant::now();
        let answer = open.ask(&request).await;
        let counting = phase.load(Ordering::Relaxed) == COUNTING;
        match answer {
            Ok(answer) if answer.is_success() => {
                if counting {
                    tally.requests += 1;
                    let took = u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    tally.latency.saturating_record(took);
                }
            }
            Ok(answer) => {
                tally.requests += u64::from(counting);
                tally.failed(counting, || answer.excerpt());
            }
            Err(why) => {
                tally.failed(counting, || why.to_string());
                connection = None;
                sleep(AFTER_FAILURE).await;
            }
        }
    }
    tally
}
