//! `rosterd plugin list`: the plugins of the daemon that runs.

use anyhow::Result;
use clap::Args;

use crate::cli::operator::Operator;
use crate::cli::settings::SettingsArgs;
use crate::cli::{Exit, World, table};
use crate::http::admin::desk::PluginOrder;
use crate::plugins::View;

/// Examples.
pub(super) const EXAMPLES: &str = "\
Example:
  rosterd plugin list --config /etc/rosterd.toml

State: loaded; open (it failed five times in a row, and is tried every 30 s); absent (it could not be loaded, and need not be).
Connections: those about whose requests it is asked (sources in the settings). Without any it is asked about every
provider's, and not about administrators' own (local).";

/// The connections of a plugin that names none: all but that of the administrators.
const EVERY_PROVIDERS: &str = "every provider's, not local";

/// How to list them.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &ListArgs, world: &mut World<'_>) -> Result<Exit> {
    let views: Vec<View> = Operator::reach(&args.settings, world)?.plugins(PluginOrder::List)?;
    let columns = ["NAME", "STATE", "VERSION", "HOOKS", "CONNECTIONS", "SHA256"];
    table::print(world, args.json, &views, columns, |view| {
        let sources =
            if view.sources.is_empty() { EVERY_PROVIDERS.to_owned() } else { view.sources.join(", ") };
        [
            view.name.clone(),
            view.state.clone(),
            view.version.clone(),
            view.hooks.join(", "),
            sources,
            view.sha256.chars().take(12).collect(),
        ]
    })?;
    for view in views.iter().filter(|_| !args.json) {
        if let Some(why) = &view.why {
            writeln!(world.err, "{}: {why}", view.name)?;
        }
    }
    Ok(Exit::Done)
}
