//! All webhooks of the daemon: start, reload, stop, and their figures.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Bell;
use super::desk::Pace;
use super::hook::Hook;
use super::place;
use super::react::{Reactor, Receiver};
use super::worker::{Counted, Shared, Worker};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::ids::TenantId;
use crate::net::Client;
use crate::roster::Roster;

/// How long after a defect the task of a webhook is begun anew.
const BEGIN_ANEW_AFTER: Duration = Duration::from_secs(5);

/// How plugins are told again while no settings have been taken over.
const REACTING: Pace =
    Pace { attempts_max: 10, first: Duration::from_secs(5), most: Duration::from_hours(1) };

/// What the settings say of webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The webhooks.
    pub hooks: Vec<Hook>,
    /// How deliveries are tried again.
    pub pace: Pace,
}

/// Delivers changes to webhooks.
pub struct Outbox {
    shared: Arc<Shared>,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    running: BTreeMap<String, Running>,
    /// Of webhooks that are not in the settings any more.
    ending: BTreeMap<String, Running>,
    /// What the settings said last.
    settings: Option<Settings>,
    /// Whether another process delivers.
    resting: bool,
    /// By tenant and name of a plugin.
    reacting: BTreeMap<(String, String), Reacting>,
}

/// A plugin that is told of a tenant's changes.
struct Reacting {
    reactor: Arc<Reactor>,
    counted: Arc<Counted>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Running {
    hook: Hook,
    pace: Pace,
    counted: Arc<Counted>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// How a webhook is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Its name.
    pub hook: String,
    /// Deliveries that the receiver took, since the start.
    pub delivered: u64,
    /// Deliveries that failed.
    pub failed: u64,
    /// Events that were set aside since the start.
    pub set_aside: u64,
    /// Times that the receiver said it was gone.
    pub gone: u64,
    /// Entries of the history that are not settled: not read yet, or waiting.
    pub behind: u64,
    /// Events that lie aside.
    pub aside: u64,
    /// Age in seconds of the oldest event that waits; 0 where none does.
    pub oldest_s: u64,
    /// Whether it is switched off.
    pub off: bool,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbox")
    }
}

impl Outbox {
    /// Makes an outbox that delivers nothing yet. The roster's commits must ring the bell.
    pub fn new(
        roster: Arc<Roster>,
        bell: Arc<Bell>,
        client: Client,
        (clock, chance): (Arc<dyn Clock>, Arc<dyn Chance>),
        base_url: String,
    ) -> Self {
        let shared = Arc::new(Shared { roster, bell, client, clock, chance, base_url });
        Self { shared, tasks: Mutex::default() }
    }

    /// Takes over settings: begins what is new, ends what is gone, and begins anew what has changed, secrets included. What is committed afterwards is told to a webhook that is new.
    /// Within a runtime.
    pub fn set(&self, settings: Settings) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.resting {
            for hook in &settings.hooks {
                let _ = place::take(&self.shared, &Receiver::Hook(Arc::new(hook.clone())));
            }
        }
        tasks.settings = Some(settings);
        self.take_over(&mut tasks);
    }

    /// Delivers, or leaves that to another process on the same store. Within a runtime.
    pub fn on_duty(&self, ours: bool) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.resting = !ours;
        self.take_over(&mut tasks);
        if tasks.resting {
            for one in tasks.reacting.values() {
                one.stop.send_replace(true);
            }
        }
    }

    fn take_over(&self, tasks: &mut Tasks) {
        let Some(settings) = tasks.settings.clone() else { return };
        let hooks = if tasks.resting { vec![] } else { settings.hooks };
        let mut before = std::mem::take(&mut tasks.running);
        for hook in hooks {
            let old = before.remove(&hook.name).or_else(|| tasks.ending.remove(&hook.name));
            let same = |old: &Running| {
                old.hook == hook
                    && old.pace == settings.pace
                    && !*old.stop.borrow()
                    && !old.task.is_finished()
            };
            let one = match old {
                Some(old) if same(&old) => old,
                old => self.begin(hook, settings.pace, old),
            };
            tasks.running.insert(one.hook.name.clone(), one);
        }
        tasks.ending.retain(|_, old| !old.task.is_finished());
        for (name, gone) in before {
            gone.stop.send_replace(true);
            tasks.ending.insert(name, gone);
        }
    }

    /// Has the plugins told that react, as they are loaded now. Costs nothing where there is none. Within a runtime.
    pub fn keep_reactors(&self) {
        let wanted = match self.shared.roster.reacting() {
            Ok(wanted) => wanted,
            Err(error) => {
                return tracing::warn!(%error, "which plugins are told of changes could not be read");
            }
        };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.resting {
            return;
        }
        let pace = tasks.settings.as_ref().map_or(REACTING, |settings| settings.pace);
        let mut before = std::mem::take(&mut tasks.reacting);
        for (tenant, plugin) in wanted {
            let key = (tenant.clone(), plugin.name().to_owned());
            let old = before.remove(&key);
            let one = match old {
                Some(old) if old.reactor.is(&plugin) && !*old.stop.borrow() && !old.task.is_finished() => old,
                old => self.begin_to_tell(Arc::new(Reactor::new(tenant, plugin)), pace, old),
            };
            tasks.reacting.insert(key, one);
        }
        for gone in before.into_values() {
            gone.stop.send_replace(true);
        }
    }

    fn begin_to_tell(&self, reactor: Arc<Reactor>, pace: Pace, old: Option<Reacting>) -> Reacting {
        let to = Receiver::Plugin(Arc::clone(&reactor));
        let counted = old.as_ref().map_or_else(Arc::default, |old| Arc::clone(&old.counted));
        let old = old.map(|old| (old.stop, old.task));
        let (stop, task) = self.spawn(to, pace, Arc::clone(&counted), old);
        Reacting { reactor, counted, stop, task }
    }

    fn begin(&self, hook: Hook, pace: Pace, old: Option<Running>) -> Running {
        let to = Receiver::Hook(Arc::new(hook.clone()));
        let counted = old.as_ref().map_or_else(Arc::default, |old| Arc::clone(&old.counted));
        let old = old.map(|old| (old.stop, old.task));
        let (stop, task) = self.spawn(to, pace, Arc::clone(&counted), old);
        Running { hook, pace, counted, stop, task }
    }

    /// Begins a task, after the one that it takes over from has ended.
    fn spawn(
        &self,
        to: Receiver,
        pace: Pace,
        counted: Arc<Counted>,
        old: Option<(watch::Sender<bool>, JoinHandle<()>)>,
    ) -> (watch::Sender<bool>, JoinHandle<()>) {
        let (stop, stopped) = watch::channel(false);
        let begins = place::take(&self.shared, &to);
        let worker = Worker { shared: Arc::clone(&self.shared), to, begins, pace, counted, stop: stopped };
        let task = tokio::spawn(async move {
            if let Some((stop, task)) = old {
                // Two tasks must never deliver for one name.
                stop.send_replace(true);
                let _ = task.await;
            }
            while let Err(error) = tokio::spawn(worker.clone().run()).await {
                tracing::error!(webhook = %worker.to.name(), %error, "the task of a webhook broke down; it is begun anew");
                tokio::time::sleep(BEGIN_ANEW_AFTER).await;
            }
        });
        (stop, task)
    }

    /// Has every webhook end what is under way, and begin nothing more.
    pub fn begin_stop(&self) {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for one in tasks.running.values() {
            one.stop.send_replace(true);
        }
        for one in tasks.reacting.values() {
            one.stop.send_replace(true);
        }
    }

    /// Stops, and waits until how far each has come is written down.
    pub async fn stop(&self) {
        self.begin_stop();
        let ended = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for one in ended.running.into_values().chain(ended.ending.into_values()) {
            if one.task.await.is_err() {
                tracing::error!(webhook = %one.hook.name, "the task of a webhook broke down");
            }
        }
        for ((_, name), one) in ended.reacting {
            if one.task.await.is_err() {
                tracing::error!(plugin = %name, "the task that tells a plugin broke down");
            }
        }
    }

    /// Says how each webhook is doing that has looked how far it had come. Of another, nothing: "nothing is waiting" would not be true.
    pub fn figures(&self) -> Vec<Figures> {
        let snapshot = self.shared.roster.store().snapshot().ok();
        let now = self.shared.clock.now().as_millisecond();
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let looked = tasks.running.iter().filter(|(_, one)| one.counted.looked.load(Ordering::Acquire));
        let each = looked.map(|(name, one)| {
            let get = |figure: &std::sync::atomic::AtomicU64| figure.load(Ordering::Relaxed);
            let counted = &one.counted;
            let tenant = counted.tenant.load(Ordering::Relaxed);
            let head = snapshot.as_ref().filter(|_| tenant > 0);
            let head = head.and_then(|snapshot| snapshot.head(TenantId::new(tenant)).ok());
            let unread = head.map_or(0, |head| head.seq.0.saturating_sub(get(&counted.read)));
            let oldest = counted.oldest.load(Ordering::Relaxed);
            let age = if oldest == 0 { 0 } else { now.saturating_sub(oldest).max(0) };
            Figures {
                hook: name.clone(),
                delivered: get(&counted.delivered),
                failed: get(&counted.failed),
                set_aside: get(&counted.set_aside),
                gone: get(&counted.gone),
                behind: unread.saturating_add(get(&counted.waiting)),
                aside: get(&counted.aside),
                oldest_s: u64::try_from(age).unwrap_or(0).checked_div(1000).unwrap_or(0),
                off: counted.off.load(Ordering::Relaxed),
            }
        });
        each.collect()
    }
}
