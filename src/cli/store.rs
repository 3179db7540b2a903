//! `rosterd store`: from one engine to another, and what is done to a shared database before daemons may use it.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::backup::{copy_in, copy_out};
use super::settings::SettingsArgs;
use super::{Exit, Refused, World};
use crate::app::{self, Rim};
use crate::archive::Shape;
use crate::config::Config;

/// Take everything from one store engine to another, and make the tables of a shared database.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Write every row of the store as a line of JSON, while the daemon runs or without one.
    ///
    /// The file is of one moment. People, what they cost and hashes of tokens are in it, so only its owner can read it. The settings and the key
    /// of the data folder (seal.key) are not: take those along as well.
    #[command(after_help = "\
Examples:
  rosterd store export --data /var/lib/rosterd roster.jsonl
  rosterd store export --data /var/lib/rosterd - | gzip > roster.jsonl.gz")]
    Export(StoreExportArgs),
    /// Fill an empty store of the engine that the settings name from such a file.
    ///
    /// The engine's folder, or its database, must be empty. The file is read to its end first, and nothing is taken from one that is damaged. What was
    /// broken off is no store: the same command again goes on from there. Put seal.key where the settings look for it before a daemon starts.
    #[command(after_help = "\
Examples:
  rosterd store import --config new-engine.toml --data /var/lib/rosterd-new roster.jsonl
  rosterd store import --config /etc/rosterd-postgres.toml roster.jsonl

Exit codes: 0 imported and all fits, 1 it could not be imported, 3 imported, but something does not fit together, as it did not in the store
that the file was made of (each on a line of its own).")]
    Import(StoreImportArgs),
    /// Make the tables of the database that the settings name, or bring them up to this build.
    ///
    /// For the role that owns the database; the daemons' own role then needs to read and write the tables only. May be run again at any time, also while
    /// daemons of this build run: what was done is not done again.
    #[command(after_help = "\
Example:
  ROSTERD_POSTGRES__USER=owner ROSTERD_POSTGRES__PASSWORD_FILE=/run/secrets/owner rosterd store migrate --config /etc/rosterd.toml")]
    Migrate(MigrateArgs),
}

/// Whither.
#[derive(Debug, Args)]
pub struct StoreExportArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// The file to write, or - for standard output.
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
}

/// From where.
#[derive(Debug, Args)]
pub struct StoreImportArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// The file, as rosterd store export wrote it.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Whose tables.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Runs the command.
pub fn run(command: &StoreCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        StoreCommand::Export(args) => copy_out(&args.settings, &args.file, Shape::Lines, world),
        StoreCommand::Import(args) => copy_in(&args.settings, &args.file, Shape::Lines, world),
        StoreCommand::Migrate(args) => migrate(args, world),
    }
}

fn migrate(args: &MigrateArgs, world: &mut World<'_>) -> Result<Exit> {
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
