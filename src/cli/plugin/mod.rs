//! `rosterd plugin`: one file a command. Here is only which there are; `target` finds the plugin that is meant.

mod bench;
mod check;
mod list;
mod reload;
mod run;
mod target;
mod test;

use anyhow::Result;
use clap::Subcommand;

use super::{Exit, World};

/// Operators' plugins: look at them, ask them, and have the daemon load them.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
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
}

/// Runs the command.
pub fn run(command: PluginCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        PluginCommand::Check(args) => check::run(&args, world),
        PluginCommand::Run(args) => run::run(&args, world),
        PluginCommand::Test(args) => test::run(&args, world),
        PluginCommand::Bench(args) => bench::run(&args, world),
        PluginCommand::Reload(args) => reload::run(&args, world),
        PluginCommand::List(args) => list::run(&args, world),
    }
}
