//! The store's figures, those of webhooks and those of reloads among the metrics.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::outbox::{Figures, Outbox};
use crate::roster::Roster;
use crate::store::State;

/// Adds the figures to a registry.
pub(super) fn register(registry: &mut Registry, roster: Arc<Roster>, outbox: Arc<Outbox>) -> Reloads {
    registry.register_collector(Box::new(StoreFigures(Arc::clone(&roster))));
    registry.register_collector(Box::new(MappingFigures(roster)));
    registry.register_collector(Box::new(OutboxFigures(outbox)));
    let reloads = Reloads::default();
    registry.register(
        "rosterd_config_reloads",
        "Reloads of the settings that took effect",
        reloads.done.clone(),
    );
    registry.register("rosterd_config_reload_failures", "Reloads that were refused", reloads.failed.clone());
    reloads
}

/// How reloads ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Reloads {
    pub(super) done: Counter,
    pub(super) failed: Counter,
}

struct StoreFigures(Arc<Roster>);

impl fmt::Debug for StoreFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreFigures")
    }
}

impl Collector for StoreFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let health = self.0.store().health();
        let mut gauge = |name: &str, help: &str, value: u64| {
            let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        gauge("rosterd_store_queue_units", "Units waiting for the disk", health.queued as u64)?;
        gauge("rosterd_store_queue_units_max", "Most units that may wait", health.queue_max as u64)?;
        gauge(
            "rosterd_store_writable",
            "1 while the store takes writes",
            u64::from(health.state == State::Ready),
        )?;
        let mut counter = |name: &str, help: &str, value: u64| {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        counter("rosterd_store_batches", "Batches made durable", health.batches)?;
        counter("rosterd_store_units", "Units made durable", health.units)?;
        let mut family = encoder.encode_descriptor(
            "rosterd_leniencies",
            "Requests that needed a leniency, by rule (rosterd connection doctor says which connection)",
            None,
            MetricType::Counter,
        )?;
        for used in self.0.leniencies_of_all() {
            let rule = [("rule", used.rule.as_str())];
            ConstCounter::new(used.requests).encode(family.encode_family(&rule)?)?;
        }
        Ok(())
    }
}

/// What became of what plugins proposed, and who waits for one. Nothing where there is no plugin and nobody waits.
struct MappingFigures(Arc<Roster>);

impl fmt::Debug for MappingFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MappingFigures")
    }
}

impl Collector for MappingFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (failed, waiting) = self.0.parked_counts().unwrap_or_default();
        if self.0.plugins().is_empty() && failed == 0 && waiting == 0 {
            return Ok(());
        }
        let gauges = [
            (
                "rosterd_plugin_parked_users",
                "People whom a plugin could not map, and who are mapped later",
                failed,
            ),
            (
                "rosterd_plugin_waiting_users",
                "People who are to be mapped again because of a change",
                waiting,
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let counts = self.0.plugin_counts();
        if counts.is_empty() {
            return Ok(());
        }
        let mut family = encoder.encode_descriptor(
            "rosterd_plugin_proposals",
            "What plugins proposed, by what became of it: taken, refused",
            None,
            MetricType::Counter,
        )?;
        for (plugin, counts) in &counts {
            for (outcome, count) in [("taken", counts.taken), ("refused", counts.refused)] {
                let labels = [("plugin", plugin.as_str()), ("outcome", outcome)];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "rosterd_plugin_parkings",
            "Times that somebody was left to be mapped later",
            None,
            MetricType::Counter,
        )?;
        for (plugin, counts) in &counts {
            let labels = [("plugin", plugin.as_str())];
            ConstCounter::new(counts.parked).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// A gauge: its name, its meaning, its value.
type Shown = (&'static str, &'static str, fn(&Figures) -> u64);

#[derive(Debug)]
struct OutboxFigures(Arc<Outbox>);

impl Collector for OutboxFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let figures = self.0.figures();
        if figures.is_empty() {
            return Ok(());
        }
        let mut family = encoder.encode_descriptor(
            "rosterd_webhook_deliveries",
            "Deliveries to webhooks by how they ended: delivered, failed (tried again), set_aside, gone",
            None,
            MetricType::Counter,
        )?;
        for hook in &figures {
            let outcomes = [
                ("delivered", hook.delivered),
                ("failed", hook.failed),
                ("set_aside", hook.set_aside),
                ("gone", hook.gone),
            ];
            for (outcome, count) in outcomes {
                let labels = [("webhook", hook.hook.as_str()), ("outcome", outcome)];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        let gauges: [Shown; 4] = [
            ("rosterd_webhook_behind", "Entries of the history that are not read or not delivered", |hook| {
                hook.behind
            }),
            ("rosterd_webhook_oldest_seconds", "Age of the oldest event that waits", |hook| hook.oldest_s),
            ("rosterd_webhook_set_aside", "Events that lie aside until an operator looks", |hook| hook.aside),
            ("rosterd_webhook_off", "1 where the receiver has said that it is gone", |hook| {
                u64::from(hook.off)
            }),
        ];
        for (name, help, value) in gauges {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for hook in &figures {
                let labels = [("webhook", hook.hook.as_str())];
                let gauge = ConstGauge::new(i64::try_from(value(hook)).unwrap_or(i64::MAX));
                gauge.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
