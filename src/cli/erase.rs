//! `rosterd erase` and `rosterd compact`: their arguments, and how they run.

use anyhow::Result;
use clap::Args;

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, Refused, World, unexpected};
use crate::app;
use crate::config::Config;
use crate::roster::{Command, Reply};

/// Erase what is left of a person who was deleted: the values in the history.
///
/// That somebody of this id was made, changed and deleted, by whom and when, stays, and so does the proof of the history. Answers show
/// nothing of the person from then on; in the store's file it is overwritten as pages are used again, and gone for
/// certain after rosterd compact.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  rosterd erase --tenant acme 01980a7e-5b1c-7d3e-9f00-3c2b1a095e4d")]
pub struct EraseArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose person it was.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// The id of the person.
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Write the store's file anew, without what was erased or removed. Needs a daemon that is stopped.
///
/// Takes as much room again while it runs. The new file takes the old one's place when it is whole and was compared with it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  systemctl stop rosterd && rosterd compact --data /var/lib/rosterd && systemctl start rosterd")]
pub struct CompactArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Erases.
pub fn erase(args: EraseArgs, world: &mut World<'_>) -> Result<Exit> {
    let command = Command::Erase { tenant: args.tenant, person: args.id };
    let Reply::Erased { entries } = Operator::reach(&args.settings, world)?.ask(command)? else {
        return Err(unexpected());
    };
    writeln!(
        world.err,
        "Erased the values of {entries} entries. rosterd compact takes them out of the store's file for certain."
    )?;
    Ok(Exit::Done)
}

/// Writes the file anew.
pub fn compact(args: &CompactArgs, world: &mut World<'_>) -> Result<Exit> {
    let config = Config::load(&args.settings.sources(world.environment.clone())).map_err(Refused)?;
    let done = app::compact(&config)?;
    writeln!(
        world.err,
        "The store's file has {} rows and {} bytes; it had {} bytes.",
        done.rows, done.after, done.before
    )?;
    Ok(Exit::Done)
}
