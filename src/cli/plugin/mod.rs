//! `rosterd plugin`: what operators and authors do with plugins. `new` makes the folder of a new one from `templates`.

mod new;

use anyhow::Result;
use clap::Subcommand;

use super::{Exit, World};

/// Plugins: the firm's own rules about people, as WebAssembly.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Make the folder of a new plugin: a mapping that works, its tests, and how it is built.
    #[command(after_help = new::EXAMPLES)]
    New(new::NewArgs),
}

/// Runs the command.
pub fn run(command: PluginCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        PluginCommand::New(args) => new::run(&args, world),
    }
}
