//! Has schedules looked at while the daemon serves (R15): at the start, which finds what was missed, and every little while from then on. Removes what is
//! over of signing in on the way.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::duty::Duty;
use crate::http::drain::Drain;
use crate::roster::{Look, Roster};

/// How late the effect of a day may come.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Looks from one that looks ahead, for zones that changed, to the next: an hour.
const LOOKS_TO_AHEAD: u32 = 120;

/// Looks until the daemon stops.
pub(super) async fn keep(roster: Arc<Roster>, drain: Drain, duty: Duty) {
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = 0_u32;
    loop {
        tokio::select! {
            () = drain.begun() => return,
            _ = tick.tick() => {}
        }
        if !duty.is_ours() {
            // Whoever has it next looks ahead first.
            looks = 0;
            continue;
        }
        let look = if looks.is_multiple_of(LOOKS_TO_AHEAD) { Look::Ahead } else { Look::Now };
        looks = looks.wrapping_add(1);
        let looked = {
            let (roster, drain) = (Arc::clone(&roster), drain.clone());
            tokio::task::spawn_blocking(move || roster.look_at_schedules(look, &|| !drain.has_begun())).await
        };
        let swept = {
            let (roster, drain) = (Arc::clone(&roster), drain.clone());
            tokio::task::spawn_blocking(move || roster.sweep_all_sign_ins(&|| !drain.has_begun())).await
        };
        if !matches!(swept, Ok(Ok(_))) {
            tracing::warn!(?swept, "sessions that are over could not be removed; they are shortly");
        }
        match looked {
            Ok(Ok(looked)) if looked.changed > 0 || looked.failed > 0 => {
                tracing::info!(
                    changed = looked.changed,
                    failed = looked.failed,
                    "schedules had their effect"
                );
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(?error, "schedules could not be looked at; they are again shortly");
            }
            Err(_) => tracing::error!("looking at schedules failed; they are looked at again shortly"),
        }
    }
}
