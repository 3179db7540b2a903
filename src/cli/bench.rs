//! `rosterd bench`, and the servers that it starts beside the daemon.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{Exit, World};
use crate::app::memory::cache_bytes;
use crate::bench::loads::{LOADS, Load};
use crate::bench::pace::Pace;
use crate::bench::plan::Plan;
use crate::bench::reference::{self, Reference};
use crate::bench::which::{Engine, shipped_plugins};
use crate::bench::{report, run as bench};
use crate::config::{Config, Environment, Sources};

/// Measure this machine: rosterd's loads beside references that do as little as possible.
///
/// Starts the daemon on a fresh folder and free ports of 127.0.0.1, and takes turns between it and references of the same
/// run: a bare HTTP server, one that parses and echoes, the disk's own flushes, the engine without a server. So the
/// shares that it prints can be compared between machines, whatever else they do. Wants a release build and a quiet
/// minute or five.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub struct BenchArgs {
    /// Run these loads only, such as L1 or create.
    #[arg(long, value_name = "LOAD,…", value_delimiter = ',', value_parser = Load::named)]
    pub only: Vec<&'static Load>,
    /// Connections at once, of creates. Everything else runs with 16 of them, or with the only number given here.
    #[arg(long, value_name = "NUMBER,…", value_delimiter = ',', default_values_t = [1, 16, 64], value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub connections: Vec<u16>,
    /// Seconds that each measurement of a turn takes, after warming up (1; quick: 0.5).
    #[arg(long, value_name = "NUMBER", value_parser = seconds)]
    pub seconds: Option<Duration>,
    /// How often references and daemons take turns (3; quick: 1).
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub turns: Option<u16>,
    /// Users of the largest daemon before the first measurement (100000; quick: 1000). What it is compared with has 1000 or 10000, or as
    /// many as the largest if that has fewer.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(100..=9_999_999))]
    pub users: Option<u32>,
    /// Members of the large group, at most as many as users (100000; quick: 1000). The small one has 100.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(100..=400_000))]
    pub members: Option<u32>,
    /// Requests a second that are due in an open loop (L9), whatever becomes of those before (1000).
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// Seconds that each turn of an open loop (L9) takes, after warming up (5; quick: 1).
    #[arg(long, value_name = "NUMBER", value_parser = seconds)]
    pub steady: Option<Duration>,
    /// Where the daemons keep their people: "redb" in their folders, "postgres" in a server of the run's own. With "postgres" only loads that need
    /// nothing but requests can run.
    #[arg(long, value_name = "ENGINE", default_value = "redb", value_parser = engine)]
    pub engine: Engine,
    /// Memory in MiB for the page cache of each daemon (0: what a daemon takes by itself, an eighth of the machine's). P15 divides what lies beyond it, which takes a
    /// cache that is full.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_048_576))]
    pub cache_mib: u32,
    /// Folder of the plugins that are shipped, of which P17 needs one (plugins/dist).
    #[arg(long, value_name = "DIR", default_value_os_t = shipped_plugins())]
    pub plugins: PathBuf,
    /// A short run to see that everything works.
    #[arg(long)]
    pub quick: bool,
    /// Measure on the disk of this folder instead of the current folder's.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub data: PathBuf,
    /// Write the figures to this file too, as JSON; "-" writes them to standard output instead of the tables.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

fn after_help() -> String {
    let line = |load: &Load| format!("  {:3} {:14} {}", load.name, load.word, load.what);
    let loads: Vec<String> = LOADS.iter().map(line).collect();
    format!(
        "\
Examples:
  rosterd bench --quick
  rosterd bench --only L1,L2 --connections 16 --seconds 10 --json result.json
  rosterd bench --only L9 --rate 1000 --steady 600 --turns 1
  rosterd bench --users 1000000 --only L2,L3,L4,L5,L8,L10,P16 --data /var/tmp
  rosterd bench --users 1000000 --only L1,L2,L3,L6 --cache-mib 256 --data /var/tmp
  rosterd bench --engine postgres --only L1,L2,L3,L6,L7

Loads:
{}

Everything is kept in a folder of its own, which is removed at the end.",
        loads.join("\n")
    )
}

/// Reads how long a measurement takes.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok();
    let seconds = seconds.filter(|seconds| (0.01..=600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "expected a number from 0.01 to 600".into())
}

/// Reads where daemons keep their people.
fn engine(text: &str) -> Result<Engine, String> {
    match text {
        "redb" => Ok(Engine::Redb),
        "postgres" => Ok(Engine::Postgres),
        _ => Err("expected \"redb\" or \"postgres\"".into()),
    }
}

impl BenchArgs {
    /// Looks whether what was asked for goes together.
    fn check(&self) -> anyhow::Result<()> {
        if self.engine == Engine::Postgres
            && let Some(load) = self.only.iter().find(|load| !load.by_requests)
        {
            let able: Vec<&str> =
                LOADS.iter().filter(|load| load.by_requests).map(|load| load.name).collect();
            anyhow::bail!(
                "{} needs daemons that keep their people in their folders: leave it out, or --engine postgres. By requests alone run {}",
                load.name,
                able.join(", ")
            );
        }
        Ok(())
    }

    /// Makes the plan of the run. `cache_bytes` is what a daemon takes for its cache by itself.
    pub fn plan(&self, cache_bytes: usize) -> Plan {
        let (millis, turns, many) = if self.quick { (500, 1, 1_000) } else { (1_000, 3, 100_000) };
        let users = self.users.unwrap_or(many);
        let loads = if self.only.is_empty() {
            LOADS.iter().filter(|load| self.engine == Engine::Redb || load.by_requests).collect()
        } else {
            self.only.clone()
        };
        let connections: Vec<usize> = self.connections.iter().map(|count| usize::from(*count)).collect();
        let connections_of_reads = match connections.as_slice() {
            [only] => *only,
            _ => 16,
        };
        Plan {
            loads,
            insists: !self.only.is_empty(),
            connections,
            connections_of_reads,
            window: self.seconds.unwrap_or(Duration::from_millis(millis)),
            pace: Pace {
                per_second: self.rate,
                time: self.steady.unwrap_or(Duration::from_secs(if self.quick { 1 } else { 5 })),
            },
            turns: self.turns.unwrap_or(turns).into(),
            users: users as usize,
            members: self.members.unwrap_or(many).min(users) as usize,
            engine: self.engine,
            plugins: self.plugins.clone(),
            cache_mib: self.cache_mib,
            cache_bytes: if self.cache_mib == 0 { cache_bytes } else { (self.cache_mib as usize) << 20 },
            folder: self.data.clone(),
        }
    }
}

/// Measures, and prints what was found.
pub fn run(args: &BenchArgs, world: &mut World<'_>) -> anyhow::Result<Exit> {
    args.check()?;
    // The daemons of the run know no other settings.
    let defaults = Config::load(&Sources::new(Environment::default()))?;
    let figures = bench::run(&args.plan(cache_bytes(&defaults)), &mut io::stderr())?;
    let json = || serde_json::to_string_pretty(&figures).context("the figures could not be written as JSON");
    match &args.json {
        Some(path) if path.as_os_str() == "-" => {
            writeln!(world.out, "{}", json()?)?;
            return Ok(Exit::Done);
        }
        Some(path) => {
            std::fs::write(path, json()?).with_context(|| format!("cannot write {}", path.display()))?;
        }
        None => {}
    }
    report::write(&figures, world.out)?;
    Ok(Exit::Done)
}

/// A server that does as little as possible. `rosterd bench` starts these; they end when their input does.
#[derive(Debug, Subcommand)]
pub enum ReferenceCommand {
    /// Answers every request with a body of the same size.
    HyperGet {
        /// How large.
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=1 << 26))]
        bytes: u32,
    },
    /// Parses a JSON body, serialises it, and sends it back.
    PostEcho,
}

/// Serves as a reference.
pub fn run_reference(command: &ReferenceCommand, world: &mut World<'_>) -> anyhow::Result<Exit> {
    let reference = match command {
        ReferenceCommand::HyperGet { bytes } => Reference::get(*bytes as usize),
        ReferenceCommand::PostEcho => Reference::Echo,
    };
    reference::serve(&reference, world.out).context("the reference could not serve")?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        args: BenchArgs,
    }

    fn plan_of(line: &[&str]) -> Plan {
        Alone::parse_from([&["bench"], line].concat()).args.plan(64 << 20)
    }

    #[test]
    fn what_is_not_asked_for_has_a_default_and_quick_is_shorter() {
        let plan = plan_of(&[]);
        assert_eq!((plan.users, plan.members, plan.turns), (100_000, 100_000, 3));
        assert_eq!((plan.small(), plan.usual(), plan.groups()), (1_000, 10_000, vec![100, 100_000]));
        assert_eq!((plan.loads.len(), plan.connections_of_reads), (LOADS.len(), 16));
        assert_eq!(plan.connections, [1, 16, 64]);
        let quick = plan_of(&["--quick", "--users", "300"]);
        assert_eq!((quick.users, quick.members, quick.turns), (300, 300, 1));
        assert_eq!((quick.small(), quick.usual()), (300, 300));
    }

    #[test]
    fn loads_and_connections_are_lists() {
        let plan = plan_of(&["--only", "l1,get", "--connections", "8", "--seconds", "0.25"]);
        let names: Vec<&str> = plan.loads.iter().map(|load| load.name).collect();
        assert_eq!(names, ["L1", "L2"]);
        assert_eq!((plan.connections, plan.connections_of_reads), (vec![8], 8));
        assert_eq!(plan.window, Duration::from_millis(250));
    }

    #[test]
    fn what_is_no_load_is_refused_with_those_that_are() {
        let why = Alone::try_parse_from(["bench", "--only", "L3,L99"]).unwrap_err().to_string();
        assert!(why.contains("L99") && why.contains("L10 (scan)"), "{why}");
        assert!(Alone::try_parse_from(["bench", "--seconds", "0"]).is_err());
    }
}
