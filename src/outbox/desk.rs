//! The state of one webhook: what was read of the history, what still waits, what was set aside. Pure: times are values, nothing is sent here.
//!
//! Events wait in lanes, one for each resource. Of a lane only the first event is under way, so that a resource's events are delivered in
//! their order; lanes do not wait for each other. A lane whose first event cannot be delivered is *set aside* with all that stands behind it,
//! and what is read of that resource later goes behind it as well: the order holds also across a replay.
//!
//! Due times are counted from the task's own start by the monotonic clock, so that a jump of the wall clock delays nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::rows::{HookRow, Off, SetAside, Waiting};
use crate::ids::ResourceId;
use crate::store::Seq;

/// Events that were read and are not settled. Bounds memory, and what is written at once.
pub const WINDOW_EVENTS_MAX: usize = 512;
/// Deliveries of one webhook under way at once.
pub const AT_ONCE_MAX: usize = 8;
/// Deliveries among them that failed before: what stalls leaves room for what does not.
pub const RETRIES_AT_ONCE_MAX: usize = 4;
/// Failures in a row, whosever, after which the receiver is taken to be down: then one delivery at a time finds out whether it is back.
const DOWN_AFTER_FAILURES: u32 = 16;
/// Events that may wait behind one that fails while the receiver takes others.
pub const BEHIND_MAX: usize = 100;
/// Most events that are set aside; when there are so many, nothing more is read until an operator looks.
pub const SET_ASIDE_MAX: usize = 10_000;
/// After so long a first event is given up even if the receiver takes nothing else either.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(72);

/// When a delivery is tried again, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Attempts before an event is set aside.
    pub attempts_max: u32,
    /// The pause after the first failure; doubles with each.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
}

impl Pace {
    /// Returns the pause after so many failures. `chance` spreads it over its upper half, so that what failed together does not come back together.
    pub fn pause(&self, attempts: u32, chance: u16) -> Duration {
        let doubled = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(doubled).min(self.most);
        let half = whole.checked_div(2).unwrap_or_default();
        half.saturating_add(
            half.saturating_mul(u32::from(chance)).checked_div(u32::from(u16::MAX)).unwrap_or_default(),
        )
    }
}

/// One event that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    seq: Seq,
    time: Timestamp,
}

/// The events of one resource.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Place>,
    /// Of the first event.
    attempts: u32,
    since: Option<Timestamp>,
    why: String,
    /// How much the receiver had taken when the first event failed first.
    taken_before: u64,
    due: Duration,
    flying: bool,
}

/// How a delivery failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, without anything of the body.
    pub why: String,
    /// How long the receiver asked to be left alone.
    pub wait: Option<Duration>,
}

/// One moment, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Since the task began.
    pub since_start: Duration,
    /// By the wall clock.
    pub wall: Timestamp,
}

/// The state of one webhook.
#[derive(Debug)]
pub struct Desk {
    pace: Pace,
    url: String,
    read: Seq,
    lanes: BTreeMap<ResourceId, Lane>,
    waiting: usize,
    flying: usize,
    retries_flying: usize,
    failures_in_a_row: u32,
    taken: u64,
    quiet_until: Duration,
    off: Option<Off>,
    /// What lies in the store, and what is about to.
    aside: BTreeMap<ResourceId, BTreeMap<Seq, Timestamp>>,
    aside_count: usize,
    to_set_aside: Vec<(Seq, SetAside)>,
    to_forget: Vec<Seq>,
    releasing: BTreeSet<ResourceId>,
}

impl Desk {
    /// Takes up the state where the last process left it.
    pub fn of(row: HookRow, aside: impl IntoIterator<Item = (Seq, SetAside)>, pace: Pace) -> Self {
        let mut desk = Self {
            pace,
            url: row.url,
            read: row.read,
            lanes: BTreeMap::new(),
            waiting: 0,
            flying: 0,
            retries_flying: 0,
            failures_in_a_row: 0,
            taken: 0,
            quiet_until: Duration::ZERO,
            off: row.off,
            aside: BTreeMap::new(),
            aside_count: 0,
            to_set_aside: Vec::new(),
            to_forget: Vec::new(),
            releasing: BTreeSet::new(),
        };
        for (seq, SetAside { resource, time, .. }) in aside {
            desk.aside.entry(resource).or_default().insert(seq, time);
            desk.aside_count = desk.aside_count.saturating_add(1);
        }
        for Waiting { seq, resource, time, attempts, since, why } in row.waiting {
            let lane = desk.lanes.entry(resource).or_default();
            if lane.waiting.is_empty() {
                (lane.attempts, lane.since, lane.why) = (attempts, since, why);
            }
            lane.waiting.push_back(Place { seq, time });
            desk.waiting = desk.waiting.saturating_add(1);
        }
        desk
    }

    /// Returns what is to be kept of it. What is set aside stands in rows of its own.
    pub fn row(&self) -> HookRow {
        let mut waiting: Vec<Waiting> = Vec::with_capacity(self.waiting);
        for (&resource, lane) in &self.lanes {
            for (index, place) in lane.waiting.iter().enumerate() {
                let (attempts, since, why) = match index {
                    0 => (lane.attempts, lane.since, lane.why.clone()),
                    _ => (0, None, String::new()),
                };
                waiting.push(Waiting { seq: place.seq, resource, time: place.time, attempts, since, why });
            }
        }
        waiting.sort_unstable_by_key(|event| event.seq);
        HookRow { url: self.url.clone(), read: self.read, waiting, off: self.off.clone() }
    }

    /// Takes what is to be written beside the row: what was set aside, and what is not any more.
    pub fn take_writes(&mut self) -> (Vec<(Seq, SetAside)>, Vec<Seq>) {
        (std::mem::take(&mut self.to_set_aside), std::mem::take(&mut self.to_forget))
    }

    /// Gives back writes that could not be made.
    pub fn give_back(&mut self, (aside, forget): (Vec<(Seq, SetAside)>, Vec<Seq>)) {
        self.to_set_aside.splice(0..0, aside);
        self.to_forget.splice(0..0, forget);
    }

    /// Returns how many writes wait.
    pub fn writes(&self) -> usize {
        self.to_set_aside.len().saturating_add(self.to_forget.len())
    }

    /// Returns up to where the history was read.
    pub const fn read(&self) -> Seq {
        self.read
    }

    /// Returns how many events were read and are not settled.
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Returns how many are set aside.
    pub const fn set_aside(&self) -> usize {
        self.aside_count
    }

    /// Says since when and why nothing is delivered.
    pub const fn off(&self) -> Option<&Off> {
        self.off.as_ref()
    }

    /// Returns when the oldest event happened that waits to be delivered.
    pub fn oldest(&self) -> Option<Timestamp> {
        let firsts = self.lanes.values().filter_map(|lane| lane.waiting.front());
        firsts.min_by_key(|place| place.seq).map(|place| place.time)
    }

    /// Tells how many events more may be read.
    pub fn room(&self) -> usize {
        if self.off.is_some() || self.is_full() {
            return 0;
        }
        WINDOW_EVENTS_MAX.saturating_sub(self.waiting).saturating_sub(self.to_set_aside.len())
    }

    /// Tells whether so much is set aside that nothing more is read.
    pub const fn is_full(&self) -> bool {
        self.aside_count >= SET_ASIDE_MAX
    }

    /// Takes over what was read of the history: an event, or a row that is none for this webhook.
    pub fn take(&mut self, seq: Seq, event: Option<(ResourceId, Timestamp)>) {
        self.read = seq;
        let Some((resource, time)) = event else { return };
        if self.aside.contains_key(&resource) {
            self.put_aside(
                resource,
                Place { seq, time },
                0,
                "stands behind an event that was set aside",
                time,
            );
            return;
        }
        let lane = self.lanes.entry(resource).or_default();
        lane.waiting.push_back(Place { seq, time });
        self.waiting = self.waiting.saturating_add(1);
    }

    /// Chooses what is delivered next, and has it under way; the earliest first.
    pub fn next(&mut self, now: Duration) -> Option<(ResourceId, Seq)> {
        let at_once = if self.is_down() { 1 } else { AT_ONCE_MAX };
        if self.off.is_some() || self.flying >= at_once || now < self.quiet_until {
            return None;
        }
        let retries = self.retries_flying < RETRIES_AT_ONCE_MAX;
        let ready = self
            .lanes
            .iter()
            .filter(|(_, lane)| !lane.flying && lane.due <= now && (lane.attempts == 0 || retries));
        let (&resource, seq) = ready
            .filter_map(|(resource, lane)| lane.waiting.front().map(|place| (resource, place.seq)))
            .min_by_key(|(_, seq)| *seq)?;
        let lane = self.lanes.get_mut(&resource)?;
        lane.flying = true;
        self.flying = self.flying.saturating_add(1);
        self.retries_flying = self.retries_flying.saturating_add(usize::from(lane.attempts > 0));
        Some((resource, seq))
    }

    /// Returns when something is due that is not under way; `None` where only what is under way, or nothing, is left.
    pub fn due(&self) -> Option<Duration> {
        if self.off.is_some() {
            return None;
        }
        let idle = self.lanes.values().filter(|lane| !lane.flying && !lane.waiting.is_empty());
        idle.map(|lane| lane.due).min().map(|due| due.max(self.quiet_until))
    }

    /// Settles what was under way: it was delivered, or is none of the receiver's any more.
    pub fn taken(&mut self, resource: ResourceId) {
        self.landed(resource);
        self.failures_in_a_row = 0;
        self.taken = self.taken.saturating_add(1);
        let Some(lane) = self.lanes.get_mut(&resource) else { return };
        if lane.waiting.pop_front().is_some() {
            self.waiting = self.waiting.saturating_sub(1);
        }
        (lane.attempts, lane.since, lane.due) = (0, None, Duration::ZERO);
        lane.why.clear();
        if lane.waiting.is_empty() {
            self.lanes.remove(&resource);
        }
    }

    /// Says that it could not even be tried; it is tried again a second later, and nothing is counted.
    pub fn not_tried(&mut self, resource: ResourceId, now: Duration) {
        self.landed(resource);
        if let Some(lane) = self.lanes.get_mut(&resource) {
            lane.due = now.saturating_add(Duration::from_secs(1));
        }
    }

    /// Says that a delivery failed. Returns how many events were set aside for it.
    pub fn failed(&mut self, resource: ResourceId, failure: Failure, now: Moment, chance: u16) -> usize {
        self.landed(resource);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let pace = self.pace;
        if let Some(wait) = failure.wait {
            // Who says when to come back says it of itself, not of one resource.
            let wait = wait.min(pace.most);
            self.quiet_until = self.quiet_until.max(now.since_start.saturating_add(wait));
        }
        let taken = self.taken;
        let is_full = self.is_full();
        let Some(lane) = self.lanes.get_mut(&resource) else { return 0 };
        lane.attempts = lane.attempts.saturating_add(1);
        lane.why = failure.why;
        lane.due = now.since_start.saturating_add(pace.pause(lane.attempts, chance));
        let since = *lane.since.get_or_insert_with(|| {
            lane.taken_before = taken;
            now.wall
        });
        let others_get_through = taken > lane.taken_before;
        let tried_enough = lane.attempts >= pace.attempts_max || lane.waiting.len() > BEHIND_MAX;
        let too_long = now.wall.duration_since(since) >= GIVEN_UP_AFTER;
        if is_full || !tried_enough || !(others_get_through || too_long) {
            return 0;
        }
        let Some(lane) = self.lanes.remove(&resource) else { return 0 };
        let count = lane.waiting.len();
        self.waiting = self.waiting.saturating_sub(count);
        self.releasing.remove(&resource);
        for (index, place) in lane.waiting.into_iter().enumerate() {
            match index {
                0 => self.put_aside(resource, place, lane.attempts, &lane.why, now.wall),
                _ => {
                    self.put_aside(resource, place, 0, "stands behind an event that was set aside", now.wall)
                }
            }
        }
        count
    }

    /// Says that the receiver wants nothing any more.
    pub fn gone(&mut self, resource: ResourceId, why: &str, now: Moment) {
        self.not_tried(resource, now.since_start);
        self.off = Some(Off { since: now.wall, why: why.to_owned() });
    }

    /// Goes on after [`Self::gone`].
    pub fn switch_on(&mut self) {
        self.off = None;
    }

    /// Begins to deliver again what was set aside: of one resource, or of all.
    pub fn replay(&mut self, resource: Option<ResourceId>) {
        self.switch_on();
        self.quiet_until = Duration::ZERO;
        match resource {
            Some(one) => self.releasing.extend(self.aside.contains_key(&one).then_some(one)),
            None => self.releasing.extend(self.aside.keys().copied()),
        }
    }

    /// Forgets one event that was set aside. What stands behind it stays.
    pub fn discard(&mut self, seq: Seq) {
        let Some(resource) =
            self.aside.iter().find_map(|(resource, seqs)| seqs.contains_key(&seq).then_some(*resource))
        else {
            return;
        };
        self.take_from_aside(resource, seq);
    }

    /// Tells whether a replay is still to go on.
    pub fn is_releasing(&self) -> bool {
        !self.releasing.is_empty()
    }

    /// Puts as much of what is released back into its lanes as there is room for, in its order.
    pub fn release(&mut self) {
        let resources: Vec<ResourceId> = self.releasing.iter().copied().collect();
        for resource in resources {
            if self.lanes.contains_key(&resource) {
                continue;
            }
            let room = WINDOW_EVENTS_MAX.saturating_sub(self.waiting).min(BEHIND_MAX);
            if room == 0 {
                return;
            }
            let first = self.aside.get(&resource).into_iter().flatten().take(room);
            for (seq, time) in first.map(|(seq, time)| (*seq, *time)).collect::<Vec<_>>() {
                self.take_from_aside(resource, seq);
                let lane = self.lanes.entry(resource).or_default();
                lane.waiting.push_back(Place { seq, time });
                self.waiting = self.waiting.saturating_add(1);
            }
            if !self.aside.contains_key(&resource) {
                self.releasing.remove(&resource);
            }
        }
    }

    fn take_from_aside(&mut self, resource: ResourceId, seq: Seq) {
        let Some(seqs) = self.aside.get_mut(&resource) else { return };
        if seqs.remove(&seq).is_some() {
            self.aside_count = self.aside_count.saturating_sub(1);
            self.to_set_aside.retain(|(at, _)| *at != seq);
            self.to_forget.push(seq);
        }
        if seqs.is_empty() {
            self.aside.remove(&resource);
        }
    }

    fn put_aside(&mut self, resource: ResourceId, place: Place, attempts: u32, why: &str, at: Timestamp) {
        self.aside.entry(resource).or_default().insert(place.seq, place.time);
        self.aside_count = self.aside_count.saturating_add(1);
        self.to_forget.retain(|seq| *seq != place.seq);
        let row = SetAside { resource, time: place.time, at, attempts, why: why.to_owned() };
        self.to_set_aside.push((place.seq, row));
    }

    fn is_down(&self) -> bool {
        self.failures_in_a_row >= DOWN_AFTER_FAILURES
    }

    fn landed(&mut self, resource: ResourceId) {
        let Some(lane) = self.lanes.get_mut(&resource) else { return };
        if std::mem::take(&mut lane.flying) {
            self.flying = self.flying.saturating_sub(1);
            self.retries_flying = self.retries_flying.saturating_sub(usize::from(lane.attempts > 0));
        }
    }
}

#[cfg(test)]
mod tests;
