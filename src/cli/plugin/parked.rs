//! `rosterd plugin parked`: who waits to be mapped, why, and until when.

use anyhow::Result;
use clap::Args;

use super::ask;
use crate::cli::operator::Operator;
use crate::cli::settings::SettingsArgs;
use crate::cli::{Exit, World, table, unexpected};
use crate::roster::{Parking, PluginAnswer, PluginAsk};

/// People who are asked for at a time.
const PAGE_PEOPLE: usize = 1000;

/// Whose people to list.
#[derive(Debug, Args)]
#[command(after_help = "\
Whom a plugin could not map is written all the same and mapped later, with growing pauses; so is whom a change of a group concerns.

Example:
  rosterd plugin parked --tenant acme")]
pub struct ParkedArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose people.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub tenant: String,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &ParkedArgs, world: &mut World<'_>) -> Result<Exit> {
    let operator = Operator::reach(&args.settings, world)?;
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let asked = PluginAsk::Parked { after, limit: PAGE_PEOPLE };
        let PluginAnswer::Parked { people } = ask(&operator, &args.tenant, asked)? else {
            return Err(unexpected());
        };
        let last = people.len() < PAGE_PEOPLE;
        after = people.last().map(|one| one.id);
        all.extend(people);
        if last {
            break;
        }
    }
    let columns = ["PERSON", "STATE", "PLUGIN", "WHY", "ATTEMPTS", "SINCE", "NEXT"];
    table::print(world, args.json, &all, columns, |one| {
        let state = match one.state {
            Parking::Failed => "failed",
            Parking::Waiting => "waiting",
        };
        [
            one.id.to_string(),
            state.to_owned(),
            one.plugin.clone().unwrap_or_else(|| "-".to_owned()),
            one.why.clone(),
            one.attempts.to_string(),
            table::instant(Some(one.since)),
            table::instant(Some(one.due)),
        ]
    })?;
    Ok(Exit::Done)
}
