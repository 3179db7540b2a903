//! `rosterd store`: what is done to a shared database before daemons may use it.

use anyhow::Result;
use clap::{Args, Subcommand};

use super::settings::SettingsArgs;
use super::{Exit, Refused, World};
use crate::app::{self, Rim};
use crate::config::Config;

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Make the tables of the database that the settings name, or bring them up to this build.
    Migrate(MigrateArgs),
}

/// Make the tables of the database that the settings name, or bring them up to this build.
///
/// For the role that owns the database; the daemons' own role then needs to read and write the tables only. May be run again at any time, also while daemons
/// of this build run: what was done is not done again.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  ROSTERD_POSTGRES__USER=owner ROSTERD_POSTGRES__PASSWORD_FILE=/run/secrets/owner rosterd store migrate --config /etc/rosterd.toml")]
pub struct MigrateArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Runs a command.
pub fn run(command: StoreCommand, world: &mut World<'_>) -> Result<Exit> {
    let StoreCommand::Migrate(args) = command;
    let config = Config::load(&args.settings.sources(world.environment.clone())).map_err(Refused)?;
    let place = config.postgres.database.clone();
    match app::migrate(&config, &Rim::default())? {
        0 => writeln!(world.err, "The tables of the database {place} are what this build expects.")?,
        steps => writeln!(world.err, "Took {steps} step(s) in the database {place}.")?,
    }
    let user = &config.postgres.user;
    writeln!(
        world.err,
        "A role that is not {user} needs: GRANT USAGE ON SCHEMA rosterd TO role; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rosterd TO role;"
    )?;
    Ok(Exit::Done)
}
