//! Which of the daemons that share a store does what one has to do for all: deliver to webhooks, send mails, look at schedules, have plugins asked again.
//!
//! The duty is a row (`roster::lease`). Its holder says so anew every second. Whoever does not have it watches the row by the clock of its own process, and takes it when it
//! has stood still for eight seconds; its holder, when it could not say so for four, gives it up before that. Where nobody shares the store, it is ours from
//! the beginning.
//!
//! A process that was killed leaves its row. The next one on the same data folder, which nobody can hold twice, need not wait.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Rim;
use crate::config::Config;
use crate::http::drain::Drain;
use crate::roster::{Lease, Roster, RosterError};

/// The row's name.
const ALL: &str = "background";
/// The file with the name of the data folder.
const HOME_FILE: &str = "replica.id";
/// Longest name that is read.
const HOME_CHARACTERS_MAX: usize = 64;
/// How often the holder says that it is there, and others look.
const SAY_EVERY: Duration = Duration::from_secs(1);
/// How long ago the holder began to say so for the last time that it was written, before it gives the duty up.
const HELD_FOR: Duration = Duration::from_secs(4);
/// How long the row stands still before somebody else takes the duty.
const TAKEN_AFTER: Duration = Duration::from_secs(8);

/// Whether the duty is ours, to be looked at before each piece of work.
#[derive(Debug, Clone)]
pub(super) struct Duty(watch::Receiver<bool>);

impl Duty {
    /// Tells whether it is ours at this moment.
    pub(super) fn is_ours(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until that changes; never again once the daemon stops.
    pub(super) async fn changed(&mut self) -> bool {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.is_ours()
    }
}

fn new_name(rim: &Rim) -> String {
    let mut name = [0_u8; 16];
    rim.chance.fill(&mut name);
    u128::from_be_bytes(name).to_string()
}

/// Returns the name of the data folder; gives it one where it has none.
fn home(folder: &Path, rim: &Rim) -> io::Result<String> {
    let path = folder.join(HOME_FILE);
    match std::fs::read_to_string(&path) {
        Ok(name) => Ok(name.trim().chars().take(HOME_CHARACTERS_MAX).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = new_name(rim);
            std::fs::write(&path, &name)?;
            Ok(name)
        }
        Err(error) => Err(error),
    }
}

/// What is known of the row.
struct Watch {
    roster: Arc<Roster>,
    name: String,
    /// The name of the data folder.
    home: String,
    /// The row as it was seen last, and since when it has stood like that.
    seen: Option<(Option<Lease>, Instant)>,
}

/// Begins to take part. Within a runtime.
pub(super) fn begin(roster: &Arc<Roster>, config: &Config, rim: &Rim, drain: Drain) -> Duty {
    let shared = roster.store().is_shared();
    let (ours, duty) = watch::channel(!shared);
    if shared {
        let home = home(&config.data.dir, rim).unwrap_or_else(|error| {
            tracing::warn!(%error, "the data folder has no name; after a kill others wait before they do what this daemon did for all");
            String::new()
        });
        let watch = Watch { roster: Arc::clone(roster), name: new_name(rim), home, seen: None };
        tokio::spawn(keep(watch, ours, drain));
    } else {
        // Keeps the channel open for as long as somebody looks.
        tokio::spawn(async move { ours.closed().await });
    }
    Duty(duty)
}

async fn keep(mut watch: Watch, ours: watch::Sender<bool>, drain: Drain) {
    let mut tick = interval(SAY_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said: Option<Instant> = None;
    loop {
        tokio::select! {
            () = drain.begun() => break,
            _ = tick.tick() => {}
        }
        let begun = Instant::now();
        let mut looked = tokio::task::spawn_blocking(move || {
            let held = watch.say_or_look();
            (watch, held)
        });
        let done = match tokio::time::timeout(HELD_FOR, &mut looked).await {
            Ok(done) => done,
            Err(_) => {
                ours.send_replace(false);
                looked.await
            }
        };
        let Ok((back, held)) = done else {
            ours.send_replace(false);
            tracing::error!(
                "looking who does what one daemon does for all failed; this one does it no more until it is restarted"
            );
            return;
        };
        watch = back;
        match held {
            Ok(true) => said = Some(begun),
            Ok(false) => said = None,
            Err(error) => tracing::debug!(%error, "who does what one daemon does for all cannot be seen"),
        }
        let is_ours = said.is_some_and(|said| said.elapsed() < HELD_FOR);
        if ours.send_replace(is_ours) != is_ours {
            let what = if is_ours { "does" } else { "does no more" };
            tracing::info!("this daemon {what} what one does for all that share the store");
        }
    }
    // What is under way is ended by its own workers; the next daemon need not wait for the row to stand still.
    let _ = tokio::task::spawn_blocking(move || watch.let_go()).await;
}

impl Watch {
    /// Says that the duty is ours, or takes it where nobody has it; looks otherwise. Tells whether it is ours.
    fn say_or_look(&mut self) -> Result<bool, RosterError> {
        let row = self.roster.lease(ALL)?;
        let now = Instant::now();
        let first = self.seen.is_none();
        let since = match &self.seen {
            Some((seen, since)) if *seen == row => *since,
            _ => now,
        };
        self.seen = Some((row.clone(), since));
        let free = match &row {
            None => true,
            Some(lease) => {
                // The first look only: a copy of the folder that runs elsewhere must not be taken for the dead for ever.
                let was_here = first && !self.home.is_empty() && lease.home == self.home;
                lease.holder == self.name
                    || lease.holder.is_empty()
                    || was_here
                    || since.elapsed() >= TAKEN_AFTER
            }
        };
        if !free {
            return Ok(false);
        }
        let beat = row.as_ref().map_or(0, |lease| lease.beat).wrapping_add(1);
        self.roster.take_lease(ALL, row.as_ref(), &self.lease(self.name.clone(), beat))
    }

    fn lease(&self, holder: String, beat: u64) -> Lease {
        Lease { holder, home: self.home.clone(), beat }
    }

    /// Leaves the duty to whoever looks next.
    fn let_go(&self) {
        let Ok(Some(row)) = self.roster.lease(ALL) else { return };
        if row.holder == self.name {
            let nobody = self.lease(String::new(), row.beat.wrapping_add(1));
            let _ = self.roster.take_lease(ALL, Some(&row), &nobody);
        }
    }
}
