//! The figures of plugins among the metrics.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::call::{Cost, Ran};
use crate::roster::hooks::{Broke, Failure};

/// Which plugin was asked at which hook.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    plugin: String,
    hook: &'static str,
}

/// And how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    plugin: String,
    hook: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    plugin: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Loads {
    plugin: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Version {
    plugin: String,
    version: String,
    sha256: String,
}

/// What is counted. Clones count together.
#[derive(Debug, Clone)]
pub struct Figures {
    calls: Family<Ended, Counter>,
    duration_seconds: Family<Asked, Histogram>,
    slot_wait_seconds: Family<Asked, Histogram>,
    fuel: Family<Asked, Histogram>,
    memory_bytes_peak: Family<Named, Gauge>,
    log_lines: Family<Named, Counter>,
    breaker_open: Family<Named, Gauge>,
    loads: Family<Loads, Counter>,
    about: Family<Version, Gauge>,
}

impl Default for Figures {
    fn default() -> Self {
        // From 10 µs to 2.6 s; of fuel from a thousand to a thousand million.
        let seconds = || Histogram::new(exponential_buckets(0.000_01, 4.0, 10));
        let fuel = || Histogram::new(exponential_buckets(1_000.0, 10.0, 7));
        Self {
            calls: Family::default(),
            duration_seconds: Family::new_with_constructor(seconds),
            slot_wait_seconds: Family::new_with_constructor(seconds),
            fuel: Family::new_with_constructor(fuel),
            memory_bytes_peak: Family::default(),
            log_lines: Family::default(),
            breaker_open: Family::default(),
            loads: Family::default(),
            about: Family::default(),
        }
    }
}

impl Figures {
    /// Adds the figures to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let outcomes = "Calls of plugins by how they ended: ok, problem, trap, fuel, deadline, memory, output, busy, open, absent";
        registry.register("rosterd_plugin_calls", outcomes, self.calls.clone());
        let from = "From the slot to the answer, a new instance included";
        registry.register("rosterd_plugin_duration_seconds", from, self.duration_seconds.clone());
        let waited = "How long calls of plugins waited for a slot";
        registry.register("rosterd_plugin_slot_wait_seconds", waited, self.slot_wait_seconds.clone());
        registry.register("rosterd_plugin_fuel_used", "Fuel that a question took", self.fuel.clone());
        let peak = "The most memory that an instance has had in its last call";
        registry.register("rosterd_plugin_memory_peak_bytes", peak, self.memory_bytes_peak.clone());
        let lines = "Lines that plugins have logged, those that were not kept among them";
        registry.register("rosterd_plugin_log_lines", lines, self.log_lines.clone());
        let open = "1 while a plugin is not asked because it failed too often in a row";
        registry.register("rosterd_plugin_breaker_open", open, self.breaker_open.clone());
        let loads = "Loads of plugins by result: loaded, kept (it was refused, and the old version goes on), refused, absent";
        registry.register("rosterd_plugin_reload", loads, self.loads.clone());
        registry.register("rosterd_plugin_version", "1 for the version that is loaded", self.about.clone());
    }

    /// Notes a call.
    pub(super) fn called<T>(&self, plugin: &str, hook: &'static str, ran: &Ran<T>) {
        let plugin = plugin.to_owned();
        let ended = outcome_of(&ran.answer);
        self.calls.get_or_create(&Ended { plugin: plugin.clone(), hook, outcome: ended }).inc();
        let Cost { fuel, memory_bytes_peak, took, waited, said, .. } = &ran.cost;
        if *took == Duration::ZERO && *waited == Duration::ZERO {
            // Its breaker kept it from being asked.
            return;
        }
        let asked = Asked { plugin: plugin.clone(), hook };
        self.duration_seconds.get_or_create(&asked).observe(took.as_secs_f64());
        self.slot_wait_seconds.get_or_create(&asked).observe(waited.as_secs_f64());
        // A figure for people: what is lost beyond 2^53 is nobody's loss.
        #[expect(
            clippy::cast_precision_loss,
            reason = "fuel is bounded far below where an f64 becomes coarse"
        )]
        self.fuel.get_or_create(&asked).observe(*fuel as f64);
        let named = Named { plugin };
        let peak = i64::try_from(*memory_bytes_peak).unwrap_or(i64::MAX);
        self.memory_bytes_peak.get_or_create(&named).set(peak);
        if said.count > 0 {
            self.log_lines.get_or_create(&named).inc_by(said.count);
        }
    }

    /// Notes whether a plugin's breaker is open.
    pub(super) fn breaker(&self, plugin: &str, open: bool) {
        self.breaker_open.get_or_create(&Named { plugin: plugin.to_owned() }).set(i64::from(open));
    }

    /// Notes how a load ended.
    pub(super) fn load(&self, plugin: &str, result: &'static str) {
        self.loads.get_or_create(&Loads { plugin: plugin.to_owned(), result }).inc();
    }

    /// Shows which versions are loaded, and no others.
    pub(super) fn versions<'a>(&self, loaded: impl Iterator<Item = (&'a str, &'a str, &'a str)>) {
        self.about.clear();
        for (plugin, version, sha256) in loaded {
            let about =
                Version { plugin: plugin.to_owned(), version: version.to_owned(), sha256: sha256.to_owned() };
            self.about.get_or_create(&about).set(1);
        }
    }
}

/// The word for how a call ended.
pub fn outcome_of<T>(answer: &Result<T, Failure>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(Failure::Problem(_)) => "problem",
        Err(Failure::Broke(which, _)) => outcome(*which),
    }
}

/// The word for how a plugin broke.
pub const fn outcome(broke: Broke) -> &'static str {
    match broke {
        Broke::Trap => "trap",
        Broke::Fuel => "fuel",
        Broke::Deadline => "deadline",
        Broke::Memory => "memory",
        Broke::Output => "output",
        Broke::Busy => "busy",
        Broke::Open => "open",
        Broke::Absent => "absent",
    }
}
