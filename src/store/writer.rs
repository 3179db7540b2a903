//! Group commit: one thread that writes for everybody.
//!
//! The thread takes what is queued, tenants by turns (`lines`), applies each unit in order to one batch, makes the batch durable in one engine
//! commit, publishes the new state, and only then acknowledges. There is no timer: while the engine flushes, the
//! next batch gathers. The queue is bounded; who finds it full is told to come back.
//!
//! After an error of the engine nothing more is written before it was reopened: the units of the failed batch get
//! the error, the queue is told to retry, and reading goes on from the last published state.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_channel::oneshot;

use super::failpoints::{Point, pass};
use super::kv::{Applied, Batch, Changes, KvEngine, KvRead, KvSnapshot, Table, apply, keys};
use super::lines::{Lines, Waiting};
use super::unit::{Outcome, Unit, Write};
use super::{Health, Queued, State, StoreError, wait};
use crate::ids::TenantId;

/// What the writer writes to learn whether the disk has room again.
const PROBE_BYTES: usize = 64 << 10;
/// How long readers of a state may take before the engine is closed under them.
const READERS_WITHIN: Duration = Duration::from_secs(1);

/// How the writer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterOptions {
    /// Most units that may wait to be written.
    pub queue_max: usize,
    /// Pause before the second attempt to reopen a failed engine; it doubles with every further one.
    pub pause: Duration,
    /// The longest such pause.
    pub pause_max: Duration,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { queue_max: 1024, pause: Duration::from_millis(50), pause_max: Duration::from_secs(5) }
    }
}

/// A unit on its way, and where its answer is awaited.
struct Job {
    tenant: TenantId,
    unit: Unit,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
}

/// What became of a unit, and the unit: whoever made it also gives back its memory. It is some hundred pieces of another thread's, which would have to wait for
/// each other over every one.
struct Answer {
    outcome: Result<Outcome, StoreError>,
    _spent: Unit,
}

impl Job {
    fn answer(self, outcome: Result<Outcome, StoreError>) {
        // Nobody waits any more when the caller has gone.
        drop(self.answer.send(Answer { outcome, _spent: self.unit }));
    }
}

impl Waiting for Job {
    fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Where what became of a unit will be known.
type Awaited = oneshot::Receiver<Answer>;

async fn outcome(queued: Result<Awaited, StoreError>) -> Result<Outcome, StoreError> {
    queued?.await.map_or_else(|_| Err(stopped()), |answer| answer.outcome)
}

fn stopped() -> StoreError {
    StoreError::Fatal("the writer has stopped".into())
}

/// What callers and the thread share.
struct Shared {
    latest: RwLock<Arc<KvSnapshot>>,
    state: AtomicU8,
    queued: AtomicUsize,
    queue_max: usize,
    batches: AtomicU64,
    units: AtomicU64,
}

/// The writer as its callers see it. Dropping it writes what is queued, and stops the thread.
pub struct Writer {
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

impl Writer {
    /// Starts the thread on an engine whose committed state is `state`.
    pub fn start(
        engine: Box<dyn KvEngine>,
        state: Arc<dyn KvRead>,
        options: WriterOptions,
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            latest: RwLock::new(Arc::new(KvSnapshot::new(state))),
            state: AtomicU8::new(READY),
            queued: AtomicUsize::new(0),
            queue_max: options.queue_max,
            batches: AtomicU64::new(0),
            units: AtomicU64::new(0),
        });
        let (queue, jobs) = sync_channel(options.queue_max);
        let work = Work {
            engine,
            jobs,
            lines: Lines::default(),
            shared: Arc::clone(&shared),
            pause: options.pause,
            pause_max: options.pause_max,
            reads_aside: false,
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || work.run(options.pause))
            .map_err(|error| StoreError::Fatal(format!("the writer's thread cannot start: {error}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), shared })
    }

    /// Queues a unit, and waits until it is durable or refused.
    pub fn commit(&self, tenant: TenantId, unit: Unit) -> Result<Outcome, StoreError> {
        wait(outcome(self.queue(tenant, unit)))
    }

    /// Queues a unit, and returns where it can be awaited what became of it.
    pub fn outcome(&self, tenant: TenantId, unit: Unit) -> Queued {
        Box::pin(outcome(self.queue(tenant, unit)))
    }

    /// Queues several units in their order, and waits until each is durable or refused. Nothing keeps other callers' units from
    /// standing between them. Half of the queue is left to those who come with one unit (R25): where the other half is taken, each further
    /// unit waits for an earlier one of the same caller.
    pub fn commit_each(&self, tenant: TenantId, units: Vec<Unit>) -> Vec<Result<Outcome, StoreError>> {
        let mut done = Vec::with_capacity(units.len());
        let mut waiting = VecDeque::new();
        for unit in units {
            while self.shared.queued.load(Ordering::Relaxed) >= self.shared.queue_max.div_ceil(2)
                && let Some(first) = waiting.pop_front()
            {
                done.push(wait(outcome(first)));
            }
            waiting.push_back(self.queue(tenant, unit));
        }
        done.extend(waiting.into_iter().map(|queued| wait(outcome(queued))));
        done
    }

    /// Queues a unit; what becomes of it can be awaited.
    fn queue(&self, tenant: TenantId, unit: Unit) -> Result<Awaited, StoreError> {
        self.shared.refuse_unless_writable()?;
        let (answer, answered) = oneshot::channel();
        let job = Job { tenant, bytes: weight(&unit), unit, answer };
        let full = || StoreError::Retry(format!("{} units are waiting to be written", self.shared.queue_max));
        let ahead = self.shared.queued.fetch_add(1, Ordering::Relaxed);
        let sent = match self.queue.as_ref() {
            // What the thread has taken into its lines waits as well.
            Some(_) if ahead >= self.shared.queue_max => Err(full()),
            Some(queue) => queue.try_send(job).map_err(|refused| match refused {
                TrySendError::Full(_) => full(),
                TrySendError::Disconnected(_) => stopped(),
            }),
            None => Err(stopped()),
        };
        if sent.is_err() {
            self.shared.queued.fetch_sub(1, Ordering::Relaxed);
        }
        sent.map(|()| answered)
    }

    /// Returns the latest committed state.
    pub fn latest(&self) -> Arc<KvSnapshot> {
        self.shared.latest()
    }

    /// Says how the store feels.
    pub fn health(&self) -> Health {
        Health {
            state: self.shared.state(),
            queued: self.shared.queued.load(Ordering::Relaxed),
            queue_max: self.shared.queue_max,
            batches: self.shared.batches.load(Ordering::Relaxed),
            units: self.shared.units.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Closing the queue lets the thread finish what is in it, and then end.
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer ended by a panic");
        }
    }
}

const READY: u8 = 0;
const POISONED: u8 = 1;
const FULL: u8 = 2;

impl Shared {
    fn latest(&self) -> Arc<KvSnapshot> {
        // Whoever panicked held the lock for one assignment, so what is in there is whole.
        Arc::clone(&self.latest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a state the one that readers get, and returns the one they got before.
    fn publish(&self, state: Arc<dyn KvRead>) -> Arc<KvSnapshot> {
        let fresh = Arc::new(KvSnapshot::new(state));
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *latest, fresh)
    }

    fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            READY => State::Ready,
            FULL => State::Full,
            _ => State::Poisoned,
        }
    }

    fn refuse_unless_writable(&self) -> Result<(), StoreError> {
        match self.state() {
            State::Ready => Ok(()),
            State::Poisoned => Err(StoreError::Retry("the engine is being reopened after an error".into())),
            State::Full => Err(StoreError::Full("waiting for room".into())),
        }
    }
}

/// The thread's side.
struct Work {
    engine: Box<dyn KvEngine>,
    jobs: Receiver<Job>,
    /// What has been taken from there and waits for its batch.
    lines: Lines<Job>,
    shared: Arc<Shared>,
    pause: Duration,
    pause_max: Duration,
    /// Whether readers are served beside the engine.
    reads_aside: bool,
}

impl Drop for Work {
    /// Without its thread a store takes no writes, however the thread ended; `/readyz` must say so.
    fn drop(&mut self) {
        self.shared.state.store(POISONED, Ordering::Release);
    }
}

impl Work {
    fn run(mut self, first_pause: Duration) {
        loop {
            if self.shared.state() == State::Ready {
                self.pause = first_pause;
                if self.lines.is_empty() {
                    match self.wait_for_job() {
                        Ok(job) => {
                            self.lines.push(job, Instant::now());
                            // Where processors are short, those who are about to queue a unit go first: it shares the flush.
                            std::thread::yield_now();
                        }
                        Err(RecvTimeoutError::Disconnected) => return,
                        Err(RecvTimeoutError::Timeout) => {
                            self.tidy();
                            continue;
                        }
                    }
                }
                self.write_batch();
            } else {
                let waiting: Vec<Job> = self.lines.drain().collect();
                waiting.into_iter().for_each(|job| self.refuse(job));
                // Callers are refused at the door by now; this answers those who had slipped in.
                match self.jobs.recv_timeout(self.pause) {
                    Ok(job) => self.refuse(job),
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        self.pause = (self.pause * 2).min(self.pause_max);
                        self.recover();
                    }
                }
            }
        }
    }

    /// Waits for a unit, for as long as the engine has the patience.
    fn wait_for_job(&self) -> Result<Job, RecvTimeoutError> {
        match self.engine.patience() {
            Some(patience) => self.jobs.recv_timeout(patience),
            None => self.jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// Lets the engine do what it left for later.
    fn tidy(&mut self) {
        let tidied = catch_unwind(AssertUnwindSafe(|| self.engine.tidy()))
            .unwrap_or_else(|_| Err(StoreError::Fatal("the engine panicked".into())));
        match tidied {
            Ok(state) => drop(state.map(|state| self.shared.publish(state))),
            Err(error) => {
                self.stop_writing(&error);
                self.recover();
            }
        }
    }

    fn refuse(&self, job: Job) {
        self.shared.queued.fetch_sub(1, Ordering::Relaxed);
        let refusal = self.shared.refuse_unless_writable().err();
        let refusal = refusal.unwrap_or_else(|| StoreError::Retry("the engine was being reopened".into()));
        job.answer(Err(refusal));
    }

    fn write_batch(&mut self) {
        let jobs = self.gather();
        // A panic anywhere on the way is an error like others: it costs this batch, not the thread.
        let written = catch_unwind(AssertUnwindSafe(|| self.write(&jobs)))
            .unwrap_or_else(|_| Err(StoreError::Fatal("the writer panicked".into())));
        match written {
            Ok(answers) => {
                for (job, outcome) in jobs.into_iter().zip(answers) {
                    job.answer(outcome);
                }
            }
            Err(error) => {
                self.stop_writing(&error);
                // Also those that were refused: the state that they were judged by does not exist.
                for job in jobs {
                    job.answer(Err(error.clone()));
                }
                self.recover();
            }
        }
    }

    /// Writes a batch, from its beginning as often as the engine says that it may be tried.
    fn write(&mut self, jobs: &[Job]) -> Result<Vec<Result<Outcome, StoreError>>, StoreError> {
        let mut tries = 0;
        loop {
            match self.write_once(jobs) {
                Err(error) if self.engine.again(&error, tries) => tries += 1,
                done => return done,
            }
        }
    }

    /// Applies each job to one batch and makes that durable; returns what to answer to each.
    fn write_once(&mut self, jobs: &[Job]) -> Result<Vec<Result<Outcome, StoreError>>, StoreError> {
        let units: Vec<_> = jobs.iter().map(|job| (job.tenant, &job.unit)).collect();
        let begun = self.engine.begin(&units)?;
        let latest = self.shared.latest();
        let (answers, changes) = loop {
            let mut batch = Batch::over(begun.as_deref().unwrap_or_else(|| latest.state()));
            let answers: Vec<_> = jobs.iter().map(|job| apply_one(&mut batch, job)).collect();
            let changes = batch.into_changes();
            if self.engine.is_settled()? {
                break (answers, changes);
            }
        };
        if changes.is_empty() {
            self.engine.cancel();
        } else {
            self.make_durable(&changes)?;
        }
        let committed = answers.iter().filter(|one| matches!(one, Ok(Outcome::Committed { .. }))).count();
        self.shared.units.fetch_add(committed as u64, Ordering::Relaxed);
        Ok(answers)
    }

    /// Lines up what is queued, and takes what goes into the next batch.
    fn gather(&mut self) -> Vec<Job> {
        let now = Instant::now();
        while let Ok(job) = self.jobs.try_recv() {
            self.lines.push(job, now);
        }
        let jobs = self.lines.batch(now);
        self.shared.queued.fetch_sub(jobs.len(), Ordering::Relaxed);
        jobs
    }

    /// Commits and publishes.
    fn make_durable(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let state = self.engine.commit(changes)?;
        self.shared.batches.fetch_add(1, Ordering::Relaxed);
        self.pass(Point::PublishBefore)?;
        // Closing the old state may take the engine a moment, so that is not done under the lock.
        drop(self.shared.publish(state));
        self.pass(Point::AnswerBefore)
    }

    fn pass(&self, point: Point) -> Result<(), StoreError> {
        pass(point, self.engine.place()).map_err(|error| StoreError::Fatal(error.to_string()))
    }

    /// Remembers that nothing can be written. Before anybody is told, so that who asks then sees it.
    fn stop_writing(&self, error: &StoreError) {
        let full = matches!(error, StoreError::Full(_));
        self.shared.state.store(if full { FULL } else { POISONED }, Ordering::Release);
        let place = self.engine.place();
        tracing::error!(%error, place, "the store stopped writing; it reads on and tries to recover");
    }

    /// Reopens the engine; after a full disk also writes something, to see whether it can. Readers are served aside meanwhile.
    fn recover(&mut self) {
        self.read_aside();
        let recovered = catch_unwind(AssertUnwindSafe(|| self.try_recover()))
            .unwrap_or_else(|_| Err(StoreError::Fatal("the writer panicked while it recovered".into())));
        let place = self.engine.place();
        match recovered {
            Ok(()) => {
                tracing::warn!(place, "the store writes again");
                self.reads_aside = false;
                self.shared.state.store(READY, Ordering::Release);
            }
            Err(error) => tracing::warn!(%error, place, again_in = ?self.pause, "the store cannot write yet"),
        }
    }

    /// Serves readers from what is on disk, beside the engine, which may then be closed under nobody's feet.
    fn read_aside(&mut self) {
        if self.reads_aside {
            return;
        }
        match catch_unwind(AssertUnwindSafe(|| self.engine.open_aside())) {
            Ok(Ok(state)) => {
                let old = self.shared.publish(state);
                self.reads_aside = true;
                let patience = Instant::now() + READERS_WITHIN;
                while Arc::strong_count(&old) > 1 && Instant::now() < patience {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            Ok(Err(error)) => {
                tracing::error!(%error, place = self.engine.place(), "the store cannot be read from disk");
            }
            Err(_) => tracing::error!(place = self.engine.place(), "the engine panicked while it reopened"),
        }
    }

    fn try_recover(&mut self) -> Result<(), StoreError> {
        let reopened = self.engine.reopen()?;
        drop(self.shared.publish(reopened));
        self.reads_aside = false;
        if self.shared.state() == State::Full {
            let mut probe = Changes::default();
            probe.set(Table::Small, keys::PROBE.into(), Some(vec![0; PROBE_BYTES].into()));
            self.make_durable(&probe)?;
            let mut undo = Changes::default();
            undo.set(Table::Small, keys::PROBE.into(), None);
            self.make_durable(&undo)?;
        }
        Ok(())
    }
}

fn apply_one(batch: &mut Batch<'_>, job: &Job) -> Result<Outcome, StoreError> {
    // A unit's draft is dropped by a panic, so the batch is what it was before.
    let applied = catch_unwind(AssertUnwindSafe(|| apply(batch, job.tenant, &job.unit)))
        .unwrap_or_else(|_| Err(StoreError::Invalid("a unit that made the store panic".into())))?;
    Ok(match applied {
        Applied::Done(seq, changes) => {
            batch.absorb(changes);
            Outcome::Committed { seq }
        }
        Applied::Lost(given) => Outcome::Lost(given),
    })
}

/// Estimates how many bytes a unit will write.
fn weight(unit: &Unit) -> usize {
    let log = if unit.log.is_some() { 512 } else { 0 };
    let writes = unit.writes.iter().map(|write| match write {
        Write::Put(record) => {
            let text: usize = record.segments.iter().map(|segment| segment.json.len()).sum();
            let index: usize = record.index.iter().map(|entry| entry.value.len() + 48).sum();
            256 + text + index
        }
        Write::Delete(_) => 256,
        // The document is written again, which is not seen from here.
        Write::Index { index, .. } => 1024 + index.iter().map(|entry| entry.value.len() + 48).sum::<usize>(),
        Write::Edge { .. } => 128,
        // The facts are written again, which is not seen from here.
        Write::EraseValues(_) => 512,
        Write::Small { key, value, .. } => 16 + key.len() + value.as_ref().map_or(0, Vec::len),
        Write::Add { key, .. } => 24 + key.len(),
    });
    log + writes.sum::<usize>()
}
