//! Waiting for what nothing announces.

use std::time::{Duration, Instant};

/// Longer than anything takes that comes at all, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until something holds; fails, and says what, if it never does.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "this never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
