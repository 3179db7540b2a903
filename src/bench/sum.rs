//! Several turns of the same measurement, added up.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::figures::{Behind, Case, Row, Turn, Who, Written};
use super::load::{Volley, histogram};
use super::meter::Used;

/// What the turns of one measurement come to.
pub(super) struct Sum {
    /// The turns that have ended, and the one that has not.
    all: Piece,
    now: Piece,
    /// Of the whole turns, warm-up included: only the proportions are used.
    batches: u64,
    units: u64,
    written: u64,
    turns: Vec<Turn>,
    /// How late requests of an open loop were sent.
    behind: Option<Histogram<u64>>,
}

/// What can be added.
struct Piece {
    requests: u64,
    elapsed: Duration,
    cpu: Duration,
    latency: Histogram<u64>,
}

impl Piece {
    fn nothing() -> Self {
        Self { requests: 0, elapsed: Duration::ZERO, cpu: Duration::ZERO, latency: histogram() }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.elapsed += other.elapsed;
        self.cpu += other.cpu;
        // Same bounds on both sides, so that adding cannot fail.
        let _ = self.latency.add(&other.latency);
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
    fn per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.requests as f64 / seconds } else { 0.0 }
    }

    /// CPU time for each request; `None` when it was less than the kernel's clock shows.
    fn cpu_us(&self) -> Option<f64> {
        per(self.cpu.as_secs_f64() * 1e6, self.requests).filter(|micros| *micros > 0.0)
    }

    fn micros(&self, quantile: f64) -> f64 {
        micros(self.latency.value_at_quantile(quantile))
    }
}

impl Sum {
    pub(super) fn nothing() -> Self {
        Self {
            all: Piece::nothing(),
            now: Piece::nothing(),
            batches: 0,
            units: 0,
            written: 0,
            turns: Vec::new(),
            behind: None,
        }
    }

    /// Adds a turn against a server, and how much its memory grew meanwhile.
    pub(super) fn volley(&mut self, volley: Volley<Used>, grew_kib: Option<u64>) {
        let (before, after) = volley.probed;
        self.written += after.written.saturating_sub(before.written);
        self.now = Piece {
            requests: volley.requests,
            elapsed: volley.elapsed,
            cpu: after.cpu.saturating_sub(before.cpu),
            latency: volley.latency,
        };
        self.end(grew_kib);
    }

    /// Adds how late the requests of an open loop were sent.
    pub(super) fn behind(&mut self, behind: &Histogram<u64>) {
        // Same bounds on both sides, so that adding cannot fail.
        let _ = self.behind.get_or_insert_with(histogram).add(behind);
    }

    /// Adds what the store's counters said of a turn.
    pub(super) fn store(&mut self, batches: u64, units: u64) {
        self.batches += batches;
        self.units += units;
    }

    /// Adds one durable group of records.
    pub(super) fn flush(&mut self, records: usize, took: Duration, cpu: Duration) {
        self.batches += 1;
        self.units += records as u64;
        self.step(records, took, cpu);
    }

    /// Adds something that this process did by itself.
    pub(super) fn step(&mut self, requests: usize, took: Duration, cpu: Duration) {
        self.now.requests += requests as u64;
        self.now.elapsed += took;
        self.now.cpu += cpu;
        self.now.latency.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Ends a turn of flushes or steps; a turn against a server ends by itself.
    pub(super) fn end_turn(&mut self) {
        self.end(None);
    }

    fn end(&mut self, grew_kib: Option<u64>) {
        let turn = std::mem::replace(&mut self.now, Piece::nothing());
        self.turns.push(Turn {
            per_second: turn.per_second(),
            p50_us: turn.micros(0.5),
            p99_us: turn.micros(0.99),
            cpu_us: turn.cpu_us(),
            grew_kib,
        });
        self.all.add(&turn);
    }

    /// Ends the sum.
    #[expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
    pub(super) fn row(self, case: Case, who: Who) -> Row {
        let all = &self.all;
        let written = per(self.units as f64, self.batches).map(|units_per_batch| Written {
            units_per_batch,
            bytes_per_request: per(self.written as f64, all.requests).filter(|bytes| *bytes > 0.0),
        });
        Row {
            case,
            who,
            seconds: all.elapsed.as_secs_f64(),
            requests: all.requests,
            per_second: all.per_second(),
            p50_us: all.micros(0.5),
            p99_us: all.micros(0.99),
            cpu_us: all.cpu_us(),
            written,
            sender_behind: self.behind.as_ref().map(|behind| Behind {
                p99_us: micros(behind.value_at_quantile(0.99)),
                most_us: micros(behind.max()),
            }),
            turns: self.turns,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
fn per(amount: f64, of: u64) -> Option<f64> {
    (of > 0).then(|| amount / of as f64)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1_000.0
}
