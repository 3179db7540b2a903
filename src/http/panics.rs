//! A panic costs one request, not the daemon (R33).
//!
//! The hook writes one line that names the place in the source. It shows the message only when that is a literal:
//! a formatted one may quote what a client sent.

use std::any::Any;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::pin;

/// Makes every panic of the process a log line, and nothing else on standard error. Called once, by the wiring.
pub fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        let (file, line) = info.location().map_or(("unknown", 0), |at| (at.file(), at.line()));
        tracing::error!(source_file = file, source_line = line, why = literal(info), "a thread panicked");
    }));
}

fn literal(info: &PanicHookInfo<'_>) -> &'static str {
    info.payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("withheld, because it may quote a request")
}

/// Runs a future to its end, or to its panic.
pub(super) async fn catch<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        // The future is dropped after a panic, so nobody sees what it left half done; shared state is behind
        // locks that take over a poisoned guard, or belongs to the store, which has its own thread.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(panic)),
        }
    })
    .await
}
