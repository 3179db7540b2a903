//! Stopping: what every listener and connection watches, and the two signals that set it off (R6).
//!
//! The first signal begins the drain: no new connections, every begun request is answered, idle connections are
//! closed, and `/readyz` turns red. The second ends the process at once.

use tokio::sync::watch;

/// Tells everybody who holds a clone that the daemon is stopping.
#[derive(Debug, Clone)]
pub struct Drain(watch::Sender<bool>);

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Drain {
    /// Nothing is stopping yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Begins the drain. Beginning it twice changes nothing.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Tells whether the drain has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the drain begins.
    pub async fn begun(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|begun| *begun).await;
    }

    /// Waits for SIGTERM or SIGINT and begins the drain; a second signal exits at once, with 128 + its number.
    pub async fn on_signals(self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        let mut seen = false;
        loop {
            let number = tokio::select! {
                _ = term.recv() => SignalKind::terminate().as_raw_value(),
                _ = int.recv() => SignalKind::interrupt().as_raw_value(),
            };
            if seen {
                tracing::warn!(signal = number, "a second signal arrived while draining; exiting at once");
                std::process::exit(128_i32.saturating_add(number));
            }
            seen = true;
            tracing::info!(
                signal = number,
                "draining: begun requests are answered, new connections are not taken"
            );
            self.begin();
        }
    }
}
