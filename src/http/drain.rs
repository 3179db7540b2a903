//! Stopping: what every listener and connection watches, and the two signals that set it off (R6).
//!
//! The first signal begins the drain: no new connections, every begun request is answered, idle connections are
//! closed, and `/readyz` turns red. The second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// Tells everybody who holds a clone that the daemon is stopping.
#[derive(Debug, Clone)]
pub struct Drain(Arc<State>);

/// The flag is read at each request; the channel wakes who waits.
#[derive(Debug)]
struct State {
    begun: AtomicBool,
    told: watch::Sender<()>,
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Drain {
    /// Nothing is stopping yet.
    pub fn new() -> Self {
        Self(Arc::new(State { begun: AtomicBool::new(false), told: watch::Sender::new(()) }))
    }

    /// Begins the drain. Beginning it twice changes nothing.
    pub fn begin(&self) {
        self.0.begun.store(true, Ordering::SeqCst);
        self.0.told.send_replace(());
    }

    /// Tells whether the drain has begun.
    pub fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::SeqCst)
    }

    /// Waits until the drain begins.
    pub async fn begun(&self) {
        // The sender lives in `self`, so waiting cannot fail. Subscribing first leaves no gap between look and wait.
        let _ = self.0.told.subscribe().wait_for(|()| self.has_begun()).await;
    }

    /// Returns what waits for SIGTERM or SIGINT and begins the drain; a second signal exits at once, with 128 + its number.
    /// The signals are ours as soon as this returns, even if the future is polled later.
    pub fn on_signals(&self) -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        let drain = self.clone();
        Ok(async move {
            let mut seen = false;
            loop {
                let number = tokio::select! {
                    _ = term.recv() => SignalKind::terminate().as_raw_value(),
                    _ = int.recv() => SignalKind::interrupt().as_raw_value(),
                };
                if seen {
                    tracing::warn!(
                        signal = number,
                        "a second signal arrived while draining; exiting at once"
                    );
                    std::process::exit(128_i32.saturating_add(number));
                }
                seen = true;
                tracing::info!(
                    signal = number,
                    "draining: begun requests are answered, new connections are not taken"
                );
                drain.begin();
            }
        })
    }
}
