//! The task of one webhook: reads the history, delivers, writes down how far it has come.
//!
//! What is written down lags behind what was delivered by a quarter of a second at most. A process that is killed in between delivers that
//! much again, in the same order and under the same ids; it never leaves anything out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Bell;
use super::desk::{Desk, Failure, Moment, Pace};
use super::event::{Money, Reading};
use super::hook::Hook;
use super::kept;
use super::place::Begins;
use super::react::{Receiver, tell};
use super::rows::{ORDERS, Order, prefix};
use super::sign::sign;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::ids::{ResourceId, TenantId};
use crate::net::{Client, Delivered};
use crate::roster::{Roster, RosterError};
use crate::store::{LogRow, PAGE_ROWS_MAX, Seq};

/// How long what was delivered may go unwritten.
const SAVE_EVERY: Duration = Duration::from_millis(250);
/// How long it may where nothing was delivered: rows were read that are no events for this webhook.
const SAVE_READ_EVERY: Duration = Duration::from_secs(10);
/// Writes that are not left to wait.
const WRITES_AT_ONCE: usize = 128;
/// Rows of the history that are read at a time: one of a large group has megabytes.
const ROWS_AT_ONCE: usize = 8;
/// How long is waited after the store has failed, or for a tenant that is not there.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// How long what is under way has when the daemon stops.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// What all webhooks share.
pub(super) struct Shared {
    pub(super) roster: Arc<Roster>,
    pub(super) bell: Arc<Bell>,
    pub(super) client: Client,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<dyn Chance>,
    pub(super) base_url: String,
}

/// What is counted of one webhook.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) delivered: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) set_aside: AtomicU64,
    pub(super) gone: AtomicU64,
    pub(super) read: AtomicU64,
    pub(super) waiting: AtomicU64,
    pub(super) aside: AtomicU64,
    pub(super) off: AtomicBool,
    /// Millisecond of the oldest event that waits; 0 where none does.
    pub(super) oldest: AtomicI64,
    /// Number of the tenant; 0 while it is not found.
    pub(super) tenant: AtomicU32,
    /// Whether it has looked how far it had come. Before that there is nothing to say of it.
    pub(super) looked: AtomicBool,
}

/// How a delivery ended.
pub(super) enum Landing {
    /// The receiver has it, or does not want it by the settings that hold now.
    Taken { sent: bool },
    /// It could not be tried.
    NotTried(String),
    /// The receiver is gone for good.
    Gone(String),
    /// It is to be tried again.
    Failed(Failure),
}

/// The task of one webhook.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) to: Receiver,
    pub(super) begins: Begins,
    pub(super) pace: Pace,
    pub(super) counted: Arc<Counted>,
    pub(super) stop: watch::Receiver<bool>,
}

/// What one task holds while it runs.
struct Run {
    tenant: TenantId,
    desk: Desk,
    head: Seq,
    began: Instant,
    flights: JoinSet<Landing>,
    whose: HashMap<Id, (ResourceId, Seq)>,
    orders: Vec<Vec<u8>>,
    settled: bool,
    saved_at: Instant,
    /// When writing down failed: not again before this.
    not_before: Instant,
    saved_read: Seq,
}

impl Run {
    fn now(&self, clock: &dyn Clock) -> Moment {
        Moment { since_start: self.began.elapsed(), wall: clock.now() }
    }

    /// Goes on with a replay.
    fn release(&mut self) {
        if self.desk.is_releasing() {
            self.desk.release();
            self.settled = true;
        }
    }

    /// Tells whether it is time to write down how far it has come.
    fn must_save(&self) -> bool {
        let since = self.saved_at.elapsed();
        if Instant::now() < self.not_before {
            return false;
        }
        (self.settled && since >= SAVE_EVERY)
            || self.desk.writes() >= WRITES_AT_ONCE
            || (self.desk.read() != self.saved_read && since >= SAVE_READ_EVERY)
    }

    /// Says when to look again if nothing happens before.
    fn wake(&self, behind: bool) -> Instant {
        let now = Instant::now();
        if behind {
            return now;
        }
        let mut wake = now.checked_add(SAVE_READ_EVERY).unwrap_or(now);
        if self.settled {
            let save = self.saved_at.checked_add(SAVE_EVERY).unwrap_or(now);
            wake = wake.min(save.max(self.not_before));
        }
        // What is due already waits for something under way to land.
        let due = self.desk.due().and_then(|due| self.began.checked_add(due)).filter(|due| *due > now);
        due.map_or(wake, |due| wake.min(due))
    }
}

impl Worker {
    /// Delivers until it is told to stop.
    pub(super) async fn run(mut self) {
        let Some(tenant) = self.patiently(Self::find_tenant).await else { return };
        self.counted.tenant.store(tenant.number(), Ordering::Relaxed);
        // Listens before it looks.
        let mut listener = self.shared.bell.listen(tenant);
        let Some((desk, head)) = self.patiently(move |worker| worker.load(tenant)).await else { return };
        let began = Instant::now();
        let saved_read = desk.read();
        let mut run = Run {
            tenant,
            desk,
            head,
            began,
            flights: JoinSet::new(),
            whose: HashMap::new(),
            orders: vec![],
            // What is new is written down at once: from here on it begins here.
            settled: true,
            saved_at: began.checked_sub(SAVE_EVERY).unwrap_or(began),
            not_before: began,
            saved_read,
        };
        let mut look_for_orders = true;
        while !*self.stop.borrow() {
            if look_for_orders {
                self.follow_orders(&mut run);
            }
            run.release();
            let behind = self.read_on(&mut run).await;
            while let Some((resource, seq)) = run.desk.next(run.began.elapsed()) {
                let delivery = deliver(Arc::clone(&self.shared), self.to.clone(), run.tenant, seq);
                let id = run.flights.spawn(delivery).id();
                run.whose.insert(id, (resource, seq));
            }
            if run.must_save() {
                self.save(&mut run).await;
            }
            self.show(&run);
            let wake = run.wake(behind);
            tokio::select! {
                _ = self.stop.changed() => {}
                landed = run.flights.join_next_with_id(), if !run.flights.is_empty() => {
                    self.land(&mut run, landed);
                    // What landed meanwhile is settled with it.
                    while let Some(landed) = run.flights.try_join_next_with_id() {
                        self.land(&mut run, Some(landed));
                    }
                    look_for_orders = false;
                }
                _ = listener.changed() => {
                    run.head = run.head.max(Seq(*listener.borrow_and_update()));
                    look_for_orders = true;
                }
                () = sleep_until(wake) => look_for_orders = false,
            }
        }
        let last = async {
            while let Some(landed) = run.flights.join_next_with_id().await {
                self.land(&mut run, Some(landed));
            }
        };
        // What is not answered by then is delivered again by the next process.
        let _ = timeout(STOP_WITHIN, last).await;
        run.flights.shutdown().await;
        self.save(&mut run).await;
        self.show(&run);
    }

    /// Does something that needs the store, until it can be done; `None` when the stop comes first.
    async fn patiently<T>(&mut self, work: impl Fn(&Self) -> Result<T, RosterError>) -> Option<T> {
        loop {
            match work(self) {
                Ok(done) => return Some(done),
                Err(error) => tracing::warn!(webhook = %self.to.name(), %error, "a webhook cannot begin yet"),
            }
            tokio::select! {
                _ = self.stop.changed() => return None,
                () = sleep(AGAIN_AFTER) => {}
            }
        }
    }

    fn find_tenant(&self) -> Result<TenantId, RosterError> {
        let roster = &self.shared.roster;
        Ok(roster.operator(self.to.tenant(), roster.request_id())?.tenant())
    }

    /// Takes up the state where it was left; a new webhook begins where the settings say.
    fn load(&self, tenant: TenantId) -> Result<(Desk, Seq), RosterError> {
        let snapshot = self.shared.roster.store().snapshot()?;
        let head = snapshot.head(tenant)?.seq;
        let begins = if self.begins == Begins::Latest { head } else { Seq::ZERO };
        let to = (self.to.name(), self.to.place());
        Ok((kept::take_up(snapshot.as_ref(), tenant, to, begins, self.pace)?, head))
    }

    /// Looks for what an operator has ordered.
    fn follow_orders(&self, run: &mut Run) {
        let rows = self.shared.roster.store().snapshot().and_then(|snapshot| {
            snapshot.small_range(run.tenant, ORDERS, &prefix(self.to.name()), None, PAGE_ROWS_MAX)
        });
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => return tracing::warn!(webhook = %self.to.name(), %error, "orders cannot be read"),
        };
        for row in rows {
            if run.orders.contains(&row.key) {
                continue;
            }
            match serde_json::from_slice::<Order>(&row.value) {
                Ok(Order::Replay(resource)) => run.desk.replay(resource),
                Ok(Order::Discard(seq)) => run.desk.discard(seq),
                Err(error) => {
                    tracing::error!(webhook = %self.to.name(), %error, "an order is not understood");
                }
            }
            run.orders.push(row.key);
            run.settled = true;
        }
    }

    /// Reads on as far as there is room. Tells whether there is more, and room for it.
    async fn read_on(&self, run: &mut Run) -> bool {
        let room = run.desk.room();
        if room == 0 || run.desk.read() >= run.head {
            return false;
        }
        let (shared, to, tenant) = (Arc::clone(&self.shared), self.to.clone(), run.tenant);
        let (after, limit) = (run.desk.read(), room.min(ROWS_AT_ONCE));
        let read = spawn_blocking(move || {
            let rows = shared.roster.store().snapshot()?.changes(tenant, after, limit)?;
            let reading = shared.reading(to.money(), tenant);
            let each = rows.iter().map(|row| {
                let event = reading.event(row).map_err(|error| RosterError::Broken(error.to_string()))?;
                let wanted = event.filter(|event| to.wants(event));
                Ok((row.seq, wanted.map(|event| (event.resource.id, event.time))))
            });
            each.collect::<Result<Vec<_>, RosterError>>()
        });
        let rows = match read.await {
            Ok(Ok(rows)) => rows,
            Ok(Err(RosterError::Broken(cause))) => {
                tracing::error!(webhook = %self.to.name(), %cause, "the history cannot be read; nothing after it is delivered");
                sleep(AGAIN_AFTER).await;
                return false;
            }
            Ok(Err(error)) => {
                tracing::warn!(webhook = %self.to.name(), %error, "the history cannot be read yet");
                sleep(AGAIN_AFTER).await;
                return false;
            }
            Err(error) => {
                tracing::error!(webhook = %self.to.name(), %error, "reading the history failed");
                sleep(AGAIN_AFTER).await;
                return false;
            }
        };
        if rows.is_empty() {
            // The bell is ahead of what can be read, which cannot be; nothing is lost by waiting for the next.
            run.head = run.desk.read();
        }
        for (seq, event) in rows {
            run.desk.take(seq, event);
        }
        run.desk.read() < run.head && run.desk.room() > 0
    }

    fn land(&self, run: &mut Run, landed: Option<Result<(Id, Landing), tokio::task::JoinError>>) {
        let Some(landed) = landed else { return };
        let (id, landing) = match landed {
            Ok((id, landing)) => (id, landing),
            Err(error) => (error.id(), Landing::NotTried(format!("the delivery broke down: {error}"))),
        };
        let Some((resource, seq)) = run.whose.remove(&id) else { return };
        let now = run.now(self.shared.clock.as_ref());
        let (name, counted) = (self.to.name(), &self.counted);
        run.settled = true;
        match landing {
            Landing::Taken { sent } => {
                run.desk.taken(resource);
                counted.delivered.fetch_add(u64::from(sent), Ordering::Relaxed);
            }
            Landing::NotTried(cause) => {
                run.desk.not_tried(resource, now.since_start);
                tracing::error!(webhook = %name, seq = seq.0, %cause, "a delivery could not be tried");
            }
            Landing::Gone(why) => {
                run.desk.gone(resource, &why, now);
                counted.gone.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    webhook = %name,
                    "the receiver answered 410 Gone, so nothing more is delivered; change its url, remove it from the settings, or \
                     go on with rosterd webhook replay"
                );
            }
            Landing::Failed(failure) => {
                counted.failed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(webhook = %name, seq = seq.0, why = %failure.why, "a delivery failed");
                let why = failure.why.clone();
                let mut chance = [0; 2];
                self.shared.chance.fill(&mut chance);
                let aside = run.desk.failed(resource, failure, now, u16::from_be_bytes(chance));
                counted.set_aside.fetch_add(aside as u64, Ordering::Relaxed);
                if aside > 0 {
                    tracing::error!(
                        webhook = %name, seq = seq.0, events = aside, %why,
                        "an event could not be delivered and was set aside, with what stands behind it; see rosterd webhook show"
                    );
                }
            }
        }
    }

    /// Writes down how far it has come.
    async fn save(&self, run: &mut Run) {
        let name = self.to.name();
        let read = run.desk.read();
        let done = if run.desk.is_releasing() { vec![] } else { std::mem::take(&mut run.orders) };
        run.saved_at = Instant::now();
        let committed = match kept::write_down(&mut run.desk, name, &done) {
            Ok((unit, unwritten)) => {
                let (shared, tenant) = (Arc::clone(&self.shared), run.tenant);
                let failed = match spawn_blocking(move || shared.roster.store().commit(tenant, unit)).await {
                    Ok(Ok(_)) => None,
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(error) => Some(error.to_string()),
                };
                failed.map_or(Ok(()), |error| {
                    run.desk.give_back(unwritten);
                    Err(error)
                })
            }
            Err(error) => Err(error.to_string()),
        };
        match committed {
            Ok(()) => {
                run.settled = false;
                run.saved_read = read;
            }
            Err(error) => {
                run.orders.extend(done);
                run.not_before = run.saved_at.checked_add(AGAIN_AFTER).unwrap_or(run.saved_at);
                tracing::warn!(webhook = %name, %error, "how far a webhook has come could not be written down; it is tried again");
            }
        }
    }

    fn show(&self, run: &Run) {
        let counted = &self.counted;
        counted.read.store(run.desk.read().0, Ordering::Relaxed);
        counted.waiting.store(run.desk.waiting() as u64, Ordering::Relaxed);
        counted.aside.store(run.desk.set_aside() as u64, Ordering::Relaxed);
        counted.off.store(run.desk.off().is_some(), Ordering::Relaxed);
        counted.oldest.store(run.desk.oldest().map_or(0, Timestamp::as_millisecond), Ordering::Relaxed);
        counted.looked.store(true, Ordering::Release);
    }
}

impl Shared {
    /// Reads one entry of the history.
    pub(super) fn row(&self, tenant: TenantId, seq: Seq) -> Result<LogRow, Landing> {
        let before = Seq(seq.0.saturating_sub(1));
        let rows = self.roster.store().snapshot().and_then(|snapshot| snapshot.changes(tenant, before, 1));
        let rows = rows.map_err(|error| Landing::NotTried(error.to_string()))?;
        let row = rows.into_iter().next().filter(|row| row.seq == seq);
        let none = || Failure { why: "the history has no such entry".to_owned(), wait: None };
        row.ok_or_else(|| Landing::Failed(none()))
    }

    pub(super) fn reading(&self, money: Money, tenant: TenantId) -> Reading<'_> {
        Reading { tenant, kinds: self.roster.kinds(), base_url: &self.base_url, money }
    }
}

/// Delivers one event once.
async fn deliver(shared: Arc<Shared>, to: Receiver, tenant: TenantId, seq: Seq) -> Landing {
    match to {
        Receiver::Hook(hook) => deliver_to_hook(shared, hook, tenant, seq).await,
        Receiver::Plugin(reactor) => {
            let told = spawn_blocking(move || tell(&shared, &reactor, tenant, seq)).await;
            told.unwrap_or_else(|error| Landing::NotTried(error.to_string()))
        }
    }
}

async fn deliver_to_hook(shared: Arc<Shared>, hook: Arc<Hook>, tenant: TenantId, seq: Seq) -> Landing {
    let (reader, reads) = (Arc::clone(&shared), Arc::clone(&hook));
    let made = spawn_blocking(move || {
        let broken = |why: String| Landing::Failed(Failure { why, wait: None });
        let row = reader.row(tenant, seq)?;
        let event =
            reader.reading(reads.money, tenant).event(&row).map_err(|error| broken(error.to_string()))?;
        let Some(event) = event.filter(|event| reads.wants(event)) else {
            return Err(Landing::Taken { sent: false });
        };
        let body = serde_json::to_vec(&event).map_err(|error| broken(error.to_string()))?;
        Ok((event.id, Bytes::from(body)))
    });
    match made.await {
        Ok(Ok((id, body))) => match send(&shared.client, &hook, &id, body, shared.clock.now()).await {
            Ok(answer) => judge(&answer, shared.clock.now()),
            Err(error) => Landing::Failed(Failure { why: error, wait: None }),
        },
        Ok(Err(landing)) => landing,
        Err(error) => Landing::NotTried(error.to_string()),
    }
}

/// Signs a body and sends it.
pub(super) async fn send(
    client: &Client,
    hook: &Hook,
    id: &str,
    body: Bytes,
    now: Timestamp,
) -> Result<Delivered, String> {
    let signed = sign(&hook.secrets, id, now, &body);
    let mut fields: HeaderMap = hook.fields.clone();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [
        ("webhook-id", signed.id),
        ("webhook-timestamp", signed.timestamp),
        ("webhook-signature", signed.signature),
    ] {
        let value = HeaderValue::from_str(&value).map_err(|error| error.to_string())?;
        fields.insert(HeaderName::from_static(name), value);
    }
    client.post(&hook.url, fields, body).await.map_err(|error| error.to_string())
}

/// Says what an answer means.
fn judge(answer: &Delivered, now: Timestamp) -> Landing {
    let status = answer.status;
    if status.is_success() {
        return Landing::Taken { sent: true };
    }
    if status == StatusCode::GONE {
        return Landing::Gone("the receiver answered 410 Gone".to_owned());
    }
    let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
    let wait = answer.retry_after.as_deref().filter(|_| busy).and_then(|field| wait_of(field, now));
    let hint = if status.is_redirection() { "; redirects are not followed" } else { "" };
    Landing::Failed(Failure { why: format!("the receiver answered {}{hint}", status.as_u16()), wait })
}

/// Reads Retry-After: seconds, or a date (RFC 9110 §10.2.3).
fn wait_of(field: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = field.trim().parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let until = jiff::fmt::rfc2822::parse(field.trim()).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        for (field, seconds) in [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sun, 06 Nov 1994 08:40:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(wait_of(field, now), seconds.map(Duration::from_secs), "{field}");
        }
    }
}
