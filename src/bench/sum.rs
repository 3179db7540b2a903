//! Several turns of the same measurement, added up.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::figures::{Row, Turn, Who, Written};
use super::load::{Volley, histogram};
use super::meter::Used;

/// What the turns of one measurement come to.
pub(super) struct Sum {
    requests: u64,
    errors: u64,
    first_error: Option<String>,
    elapsed: Duration,
    latency: Histogram<u64>,
    cpu: Duration,
    /// Of the whole turns, warm-up included: only the proportions are used.
    batches: u64,
    units: u64,
    written: u64,
    turns: Vec<Turn>,
    /// Requests, time and CPU when the last turn ended.
    mark: (u64, Duration, Duration),
}

impl Sum {
    pub(super) fn nothing() -> Self {
        Self {
            requests: 0,
            errors: 0,
            first_error: None,
            elapsed: Duration::ZERO,
            latency: histogram(),
            cpu: Duration::ZERO,
            batches: 0,
            units: 0,
            written: 0,
            turns: Vec::new(),
            mark: (0, Duration::ZERO, Duration::ZERO),
        }
    }

    /// Adds a turn against a server.
    pub(super) fn volley(&mut self, volley: Volley<Used>) {
        let (before, after) = volley.probed;
        self.requests += volley.requests;
        self.errors += volley.errors;
        self.first_error = self.first_error.take().or(volley.first_error);
        self.elapsed += volley.elapsed;
        self.cpu += after.cpu.saturating_sub(before.cpu);
        self.written += after.written.saturating_sub(before.written);
        // Same bounds on both sides, so that adding cannot fail.
        let _ = self.latency.add(&volley.latency);
        self.end_turn();
    }

    /// Adds what the store's counters said of a turn.
    pub(super) fn store(&mut self, batches: u64, units: u64) {
        self.batches += batches;
        self.units += units;
    }

    /// Adds one durable group of records.
    pub(super) fn flush(&mut self, records: usize, took: Duration, cpu: Duration) {
        self.requests += records as u64;
        self.batches += 1;
        self.units += records as u64;
        self.elapsed += took;
        self.cpu += cpu;
        self.latency.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Ends a turn of flushes; a turn against a server ends by itself.
    pub(super) fn end_turn(&mut self) {
        let (requests, elapsed, cpu) = self.mark;
        self.mark = (self.requests, self.elapsed, self.cpu);
        let (requests, elapsed) = (self.requests - requests, self.elapsed.saturating_sub(elapsed));
        let cpu = per(self.cpu.saturating_sub(cpu).as_secs_f64() * 1e6, requests);
        self.turns.push(Turn {
            per_second: per_second(requests, elapsed),
            cpu_us: cpu.filter(|micros| *micros > 0.0),
        });
    }

    /// Ends the sum.
    #[expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
    pub(super) fn row(self, case: &str, who: Who, connections: usize) -> Row {
        let seconds = self.elapsed.as_secs_f64();
        let micros = |quantile| self.latency.value_at_quantile(quantile) as f64 / 1_000.0;
        let written = per(self.units as f64, self.batches).map(|units_per_batch| Written {
            units_per_batch,
            bytes_per_request: per(self.written as f64, self.requests).filter(|bytes| *bytes > 0.0),
        });
        Row {
            case: case.to_owned(),
            who,
            connections,
            seconds,
            requests: self.requests,
            errors: self.errors,
            first_error: self.first_error,
            per_second: per_second(self.requests, self.elapsed),
            p50_us: micros(0.5),
            p99_us: micros(0.99),
            cpu_us: per(self.cpu.as_secs_f64() * 1e6, self.requests).filter(|micros| *micros > 0.0),
            written,
            turns: self.turns,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
fn per(amount: f64, of: u64) -> Option<f64> {
    (of > 0).then(|| amount / of as f64)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
fn per_second(requests: u64, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 { requests as f64 / seconds } else { 0.0 }
}
