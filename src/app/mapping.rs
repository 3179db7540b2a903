//! Has plugins asked again while the daemon serves: about those whom a change concerns that no plugin was asked about, and those whom one could
//! not map. At the start, which finds what was missed, and every little while from then on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::duty::Duty;
use crate::http::drain::Drain;
use crate::outbox::Outbox;
use crate::roster::{Mended, Roster, RosterError};

/// How late a plugin that was loaded begins to be told of changes.
const NOTICE_EVERY: Duration = Duration::from_millis(500);
/// How late somebody is mapped who is due.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks until the daemon stops.
pub(super) async fn keep(roster: Arc<Roster>, drain: Drain, duty: Duty) {
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = drain.begun() => return,
            _ = tick.tick() => {}
        }
        if !duty.is_ours() {
            continue;
        }
        let (roster, drain, duty) = (Arc::clone(&roster), drain.clone(), duty.clone());
        match tokio::task::spawn_blocking(move || look(&roster, &drain, &duty)).await {
            Ok(Ok(mended)) if mended.changed > 0 || mended.failed > 0 => {
                tracing::info!(
                    mapped = mended.mapped,
                    changed = mended.changed,
                    failed = mended.failed,
                    "people were mapped again"
                );
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(?error, "people could not be mapped again; they are shortly"),
            Err(_) => tracing::error!("mapping people again failed; it is tried again shortly"),
        }
    }
}

/// Has the plugins that react told of changes, those that are loaded later as well, until the daemon stops.
pub(super) async fn tell(outbox: Arc<Outbox>, drain: Drain) {
    let mut tick = interval(NOTICE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = drain.begun() => return,
            _ = tick.tick() => outbox.keep_reactors(),
        }
    }
}

fn look(roster: &Roster, drain: &Drain, duty: &Duty) -> Result<Mended, RosterError> {
    let go_on = || !drain.has_begun() && duty.is_ours();
    roster.follow_changes(&go_on)?;
    roster.map_parked(&go_on)
}
