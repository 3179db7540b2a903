//! `rosterd plugin`: one file a command. Here is only which there are; `target` finds the plugin that is meant,
//! `templates` is what `new` makes a folder of.

mod bench;
mod check;
mod list;
mod new;
mod notices;
mod parked;
mod reload;
mod remap;
mod replay;
mod run;
mod target;
mod test;

use anyhow::{Result, bail};
use clap::Subcommand;

use super::operator::Operator;
use super::{Exit, World, unexpected};
use crate::roster::{Command, PluginAnswer, PluginAsk, Reply};

/// Operators' plugins: look at them, ask them, have the daemon load them, and see who is mapped by them.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Make the folder of a new plugin: a mapping that works, its tests, and how it is built.
    #[command(after_help = new::EXAMPLES)]
    New(new::NewArgs),
    /// Look at a plugin's file: its digest, what it imports, which hooks it has, what it wants to see and write.
    #[command(after_help = check::EXAMPLES)]
    Check(check::PluginCheckArgs),
    /// Ask a plugin about one person, by the daemon's own code, and show what it answers and what that costs.
    #[command(after_help = run::EXAMPLES)]
    Run(run::RunArgs),
    /// Ask a plugin its vectors, and compare.
    #[command(after_help = test::EXAMPLES)]
    Test(test::TestArgs),
    /// Measure what a call of a plugin takes here, with a new instance and with a kept one.
    #[command(after_help = bench::EXAMPLES)]
    Bench(bench::PluginBenchArgs),
    /// Have the daemon read its settings again, and with them every plugin. On any mistake the old ones stay.
    #[command(after_help = reload::EXAMPLES)]
    Reload(reload::ReloadArgs),
    /// List the plugins of the daemon that runs.
    #[command(after_help = list::EXAMPLES)]
    List(list::ListArgs),
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
        PluginCommand::New(args) => new::run(&args, world),
        PluginCommand::Check(args) => check::run(&args, world),
        PluginCommand::Run(args) => run::run(&args, world),
        PluginCommand::Test(args) => test::run(&args, world),
        PluginCommand::Bench(args) => bench::run(&args, world),
        PluginCommand::Reload(args) => reload::run(&args, world),
        PluginCommand::List(args) => list::run(&args, world),
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
