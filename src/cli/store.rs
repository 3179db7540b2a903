//! `rosterd store`: from one engine to another.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::backup::{copy_in, copy_out};
use super::settings::SettingsArgs;
use super::{Exit, World};
use crate::archive::Shape;

/// Take everything from one store engine to another, as JSON lines.
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
    /// The file is read to its end first, and nothing is taken from one that is damaged. What was broken off is no store: the same command
    /// again goes on from there.
    #[command(after_help = "\
Example:
  rosterd store import --config new-engine.toml --data /var/lib/rosterd-new roster.jsonl

Exit codes: 0 imported and all fits, 1 it could not be imported, 3 imported, but something does not fit together, as it did not in the store
that the file was made of (each on a line of its own).")]
    Import(StoreImportArgs),
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

/// Runs the command.
pub fn run(command: &StoreCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        StoreCommand::Export(args) => copy_out(&args.settings, &args.file, Shape::Lines, world),
        StoreCommand::Import(args) => copy_in(&args.settings, &args.file, Shape::Lines, world),
    }
}
