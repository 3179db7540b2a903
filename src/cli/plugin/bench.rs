//! `rosterd plugin bench`: what a call takes on this machine.

use anyhow::{Result, bail};
use clap::Args;
use hdrhistogram::Histogram;
use serde::Serialize;

use super::run::{QuestionArgs, ask};
use super::target;
use crate::cli::settings::SettingsArgs;
use crate::cli::{Exit, World, table};
use crate::plugins::person;
use crate::roster::hooks::Series;

/// Examples.
pub(super) const EXAMPLES: &str = "\
Examples:
  rosterd plugin bench visibility.wasm --with settings.json --user assistant.json
  rosterd plugin bench cost-rate --config /etc/rosterd.toml --user senior.json --calls 10000 --json

A file has no tables: a plugin that needs some is measured by its name in the settings.
A request has an instance of its own; those of one Bulk request or one sync share one.";

/// What to measure.
#[derive(Debug, Args)]
pub struct PluginBenchArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// A file, or the name of a plugin of the settings.
    #[arg(value_name = "FILE|NAME")]
    pub plugin: String,
    /// The question.
    #[command(flatten)]
    pub question: QuestionArgs,
    /// How often it is asked.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub calls: u32,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// One line of the result.
#[derive(Debug, Serialize)]
struct Line {
    instance: &'static str,
    calls: u64,
    p50_us: u64,
    p99_us: u64,
    max_us: u64,
    fuel: u64,
    memory_bytes_peak: usize,
}

/// Runs the command.
pub fn run(args: &PluginBenchArgs, world: &mut World<'_>) -> Result<Exit> {
    let mut target = target::find(&args.settings, &args.plugin, world)?;
    target.set_settings(args.question.with.as_deref())?;
    let plugin = target.load()?;
    let mut question = args.question.read(&plugin)?;
    let mut lines = Vec::new();
    for (instance, series) in [("new", Series::Alone), ("kept", Series::Sync)] {
        question.about = person::about(question.about.now, question.about.operation, series);
        let mut times = Histogram::<u64>::new(3)?;
        let (mut fuel, mut memory_bytes_peak) = (0, 0);
        for _ in 0..args.calls {
            let (answer, cost) = ask(&plugin, &question);
            if let Err(failure) = answer {
                bail!("it failed: {}", crate::plugins::load::failed(&failure));
            }
            times.record(u64::try_from(cost.took.as_nanos()).unwrap_or(u64::MAX))?;
            fuel = cost.fuel;
            memory_bytes_peak = memory_bytes_peak.max(cost.memory_bytes_peak);
        }
        let us = |nanoseconds: u64| nanoseconds.div_ceil(1000);
        lines.push(Line {
            instance,
            calls: times.len(),
            p50_us: us(times.value_at_quantile(0.5)),
            p99_us: us(times.value_at_quantile(0.99)),
            max_us: us(times.max()),
            fuel,
            memory_bytes_peak,
        });
    }
    let columns = ["INSTANCE", "CALLS", "P50 US", "P99 US", "MAX US", "FUEL", "MEMORY BYTES"];
    table::print(world, args.json, &lines, columns, |line| {
        [
            line.instance.to_owned(),
            line.calls.to_string(),
            line.p50_us.to_string(),
            line.p99_us.to_string(),
            line.max_us.to_string(),
            line.fuel.to_string(),
            line.memory_bytes_peak.to_string(),
        ]
    })?;
    Ok(Exit::Done)
}
