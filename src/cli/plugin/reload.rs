//! `rosterd plugin reload`: the daemon reads its settings again, and says what became of its plugins.

use anyhow::Result;
use clap::Args;

use crate::cli::operator::Operator;
use crate::cli::settings::SettingsArgs;
use crate::cli::{Exit, World};
use crate::http::admin::desk::PluginOrder;
use crate::plugins::Done;

/// Examples.
pub(super) const EXAMPLES: &str = "\
Example:
  rosterd plugin reload --config /etc/rosterd.toml

All settings that need no restart are taken over, as at a SIGHUP; on any mistake in them or in a plugin everything stays as it is.";

/// Which daemon.
#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &ReloadArgs, world: &mut World<'_>) -> Result<Exit> {
    let done: Done = Operator::reach(&args.settings, world)?.plugins(PluginOrder::Reload)?;
    if args.json {
        writeln!(world.out, "{}", serde_json::to_string(&done)?)?;
        return Ok(Exit::Done);
    }
    for name in &done.loaded {
        writeln!(world.out, "{name}: loaded")?;
    }
    for name in &done.unchanged {
        writeln!(world.out, "{name}: unchanged")?;
    }
    for (name, why) in &done.absent {
        writeln!(world.out, "{name}: could not be loaded, and need not be: {why}")?;
    }
    Ok(Exit::Done)
}
