//! `rosterd bench`, and the servers that it starts beside the daemon.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use super::{Exit, World};
use crate::bench::plan::{self, Plan};
use crate::bench::reference::{self, Reference};
use crate::bench::{report, run as bench};

/// Measure this machine: rosterd's loads beside references that do as little as possible.
///
/// Starts the daemon on a fresh folder and free ports of 127.0.0.1, and takes turns between it and references of the same
/// run: a bare HTTP server, one that parses and echoes, the disk's own flushes, the engine without a server. So the
/// shares that it prints can be compared between machines, whatever else they do. Wants a release build and a quiet
/// minute or five.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd bench --quick
  rosterd bench --only L1,L2 --connections 16 --seconds 10 --json result.json
  rosterd bench --users 1000000 --only L2,L3 --data /var/tmp

Loads: L1 create, L2 read by id, L3 find by userName, L6 deactivate and reactivate by PATCH, L8 a group's members.
Everything is kept in a folder of its own, which is removed at the end.")]
pub struct BenchArgs {
    /// Run these loads only.
    #[arg(long, value_enum, value_name = "LOAD,…", value_delimiter = ',', ignore_case = true)]
    pub only: Vec<Load>,
    /// Connections at once, of creates. Everything else runs with 16 of them, or with the only number given here.
    #[arg(long, value_name = "NUMBER,…", value_delimiter = ',', default_values_t = [1, 16, 64], value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub connections: Vec<u16>,
    /// Seconds a turn takes, after warming up (2; quick: 1).
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=600))]
    pub seconds: Option<u16>,
    /// How often reference and daemon take turns (5; quick: 1).
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub turns: Option<u16>,
    /// Users that are there before the first measurement (10000; quick: 1000).
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub users: Option<u32>,
    /// Members of the large group, at most as many as users (10000; quick: 1000).
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub members: Option<u32>,
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

/// What is done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Load {
    /// Create a user.
    #[value(name = "L1", alias = "create")]
    Create,
    /// Read a user by id.
    #[value(name = "L2", alias = "get")]
    Get,
    /// Find a user by userName.
    #[value(name = "L3", alias = "find")]
    Find,
    /// Deactivate and reactivate a user by PATCH.
    #[value(name = "L6", alias = "patch")]
    Activate,
    /// Add one member to a group and remove it; read the group without its members.
    #[value(name = "L8", aliases = ["group", "P9"])]
    Group,
}

impl From<Load> for plan::Load {
    fn from(load: Load) -> Self {
        match load {
            Load::Create => Self::Create,
            Load::Get => Self::Get,
            Load::Find => Self::Find,
            Load::Activate => Self::Activate,
            Load::Group => Self::Group,
        }
    }
}

impl BenchArgs {
    /// Makes the plan of the run.
    pub fn plan(&self) -> Plan {
        let (seconds, turns, many) = if self.quick { (1, 1, 1_000) } else { (2, 5, 10_000) };
        let users = self.users.unwrap_or(many);
        let loads = if self.only.is_empty() {
            plan::Load::ALL.to_vec()
        } else {
            self.only.iter().map(|load| (*load).into()).collect()
        };
        let connections: Vec<usize> = self.connections.iter().map(|count| usize::from(*count)).collect();
        let connections_of_reads = match connections.as_slice() {
            [only] => *only,
            _ => 16,
        };
        Plan {
            loads,
            connections,
            connections_of_reads,
            window: Duration::from_secs(self.seconds.unwrap_or(seconds).into()),
            turns: self.turns.unwrap_or(turns).into(),
            users: users as usize,
            members: self.members.unwrap_or(many).min(users) as usize,
            folder: self.data.clone(),
        }
    }
}

/// Measures, and prints what was found.
pub fn run(args: &BenchArgs, world: &mut World<'_>) -> anyhow::Result<Exit> {
    let figures = bench::run(&args.plan(), &mut io::stderr())?;
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

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: BenchArgs,
    }

    fn plan_of(line: &[&str]) -> Plan {
        Alone::parse_from([&["bench"], line].concat()).args.plan()
    }

    #[test]
    fn what_is_not_asked_for_has_a_default_and_quick_is_shorter() {
        let plan = plan_of(&[]);
        assert_eq!((plan.users, plan.members, plan.turns), (10_000, 10_000, 5));
        assert_eq!((plan.loads.len(), plan.connections_of_reads), (5, 16));
        assert_eq!(plan.connections, [1, 16, 64]);
        let quick = plan_of(&["--quick", "--users", "300"]);
        assert_eq!((quick.users, quick.members, quick.turns), (300, 300, 1));
    }

    #[test]
    fn loads_and_connections_are_lists() {
        let plan = plan_of(&["--only", "l1,L2", "--connections", "8"]);
        assert_eq!(plan.loads, [plan::Load::Create, plan::Load::Get]);
        assert_eq!((plan.connections, plan.connections_of_reads), (vec![8], 8));
    }
}
