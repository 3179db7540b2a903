//! `rosterd plugin`: one file a command. Here is only which there are.

mod notices;
mod parked;
mod remap;
mod replay;

use anyhow::{Result, bail};
use clap::Subcommand;

use super::operator::Operator;
use super::{Exit, World, unexpected};
use crate::roster::{Command, PluginAnswer, PluginAsk, Reply};

/// Operators' plugins: what they propose, and who is mapped by them.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Have people mapped anew, or see what that would change.
    Remap(remap::RemapArgs),
    /// List who waits to be mapped, and why.
    Parked(parked::ParkedArgs),
    /// Hold what a plugin would propose today beside what the history says it proposed.
    Replay(replay::ReplayArgs),
    /// Show what of a plugin that reacts waits or was set aside, and tell it again.
    Notices(notices::NoticesArgs),
}

/// Runs the command.
pub fn run(command: PluginCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        PluginCommand::Remap(args) => remap::run(&args, world),
        PluginCommand::Parked(args) => parked::run(&args, world),
        PluginCommand::Replay(args) => replay::run(&args, world),
        PluginCommand::Notices(args) => notices::run(&args, world),
    }
}

/// Asks about a tenant's plugins.
fn ask(operator: &Operator, tenant: &str, ask: PluginAsk) -> Result<PluginAnswer> {
    match operator.ask(Command::Plugins { tenant: tenant.to_owned(), ask })? {
        Reply::Plugins { answer } => Ok(answer),
        _ => Err(unexpected()),
    }
}

/// Refuses where no daemon runs: plugins are asked by one that does.
fn refuse_at_rest(operator: &Operator) -> Result<()> {
    match operator {
        Operator::Daemon(_) => Ok(()),
        Operator::Folder(dir, _) => bail!(
            "{}: expected a daemon that serves this folder, found none; plugins are asked by the daemon, so start it and try again",
            dir.display()
        ),
    }
}

/// Writes an attribute's change for people.
fn shown(value: Option<&serde_json::Value>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}
