//! `rosterd plugin remap`: people mapped anew by the plugins that are loaded, a batch at a time, each batch a command of its own.
//!
//! A new build of a plugin changes nobody by itself: this does, and shows the difference first.

use std::io::IsTerminal;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use super::{ask, refuse_at_rest, shown};
use crate::cli::operator::Operator;
use crate::cli::settings::SettingsArgs;
use crate::cli::{Exit, World, unexpected};
use crate::roster::{PluginAnswer, PluginAsk, Remapped};

/// People who are asked for at a time.
const BATCH_PEOPLE: usize = 50;

/// Whom to map anew, and whether to write.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --apply nothing is written: plugins are asked about people as they are, and what would change is printed.
What an administrator has decided stays, as in every mapping. Each change that is written is an entry of the history.

Examples:
  rosterd plugin remap --dry-run
  rosterd plugin remap cost-rate --connection okta --apply --rate 50

Exit codes: 0 it was done, 1 it failed, 3 some people could not be mapped (and which).")]
pub struct RemapArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose people.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub tenant: String,
    /// Only people of this connection.
    #[arg(long, value_name = "NAME")]
    pub connection: Option<String>,
    /// Say what would change, and write nothing. The default.
    #[arg(long, conflicts_with = "apply")]
    pub dry_run: bool,
    /// Write.
    #[arg(long)]
    pub apply: bool,
    /// Most people a second.
    #[arg(long, value_name = "PEOPLE", default_value_t = 200)]
    pub rate: u32,
    /// Print JSON, one person a line.
    #[arg(long)]
    pub json: bool,
    /// Say on standard error how far it is, also where that is no terminal.
    #[arg(long)]
    pub progress: bool,
    /// Ask this plugin alone for a mapping; all in their order where left out.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// Runs the command.
pub fn run(args: &RemapArgs, world: &mut World<'_>) -> Result<Exit> {
    if args.rate == 0 {
        bail!("--rate: expected at least 1, found 0");
    }
    let operator = Operator::reach(&args.settings, world)?;
    refuse_at_rest(&operator)?;
    let (mut after, mut seen, mut changed, mut failed) = (None, 0_u64, 0_u64, 0_u64);
    let at_terminal = std::io::stderr().is_terminal();
    loop {
        let begun = Instant::now();
        let asked = PluginAsk::Remap {
            plugin: args.name.clone(),
            connection: args.connection.clone(),
            after,
            limit: BATCH_PEOPLE.min(args.rate as usize),
            apply: args.apply,
        };
        let PluginAnswer::Remapped { people, looked, next, all } = ask(&operator, &args.tenant, asked)?
        else {
            return Err(unexpected());
        };
        for one in &people {
            changed += u64::from(one.failed.is_none() && !one.changes.is_empty());
            failed += u64::from(one.failed.is_some());
            tell(one, args.json, world)?;
        }
        seen += looked;
        if args.progress || at_terminal {
            let end = if at_terminal { "\r" } else { "\n" };
            write!(world.err, "{seen} of {all} people looked at, {changed} differ, {failed} failed{end}")?;
            world.err.flush()?;
        }
        after = next;
        if after.is_none() {
            break;
        }
        let least = Duration::from_secs(looked).checked_div(args.rate).unwrap_or_default();
        sleep(least.saturating_sub(begun.elapsed()));
    }
    let what = if args.apply { "were changed" } else { "would be changed; --apply writes" };
    writeln!(world.err, "{seen} people looked at: {changed} {what}; {failed} could not be mapped.")?;
    Ok(if failed > 0 { Exit::Found } else { Exit::Done })
}

fn tell(one: &Remapped, json: bool, world: &mut World<'_>) -> Result<()> {
    if json {
        writeln!(world.out, "{}", serde_json::to_string(one)?)?;
        return Ok(());
    }
    writeln!(world.out, "{} {}", one.id, one.user_name.escape_debug())?;
    for (attribute, old, new) in &one.changes {
        writeln!(world.out, "  {attribute}: {} -> {}", shown(old.as_ref()), shown(new.as_ref()))?;
    }
    for (plugin, why) in &one.refused {
        writeln!(world.out, "  {plugin}: a proposal was refused: {}", why.escape_debug())?;
    }
    if let Some(why) = &one.failed {
        writeln!(world.out, "  not mapped: {}", why.escape_debug())?;
    }
    Ok(())
}
