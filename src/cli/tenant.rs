//! `rosterd tenant`: its arguments, and how it runs.

use anyhow::Result;
use clap::{Args, Subcommand};

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, World, table, unexpected};
use crate::roster::{Command, Reply};

/// Organisations whose people no other can see.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Make a tenant.
    #[command(after_help = "Example:\n  rosterd tenant create acme")]
    Create(TenantCreateArgs),
    /// List the tenants.
    List(TenantListArgs),
}

/// Which tenant to make.
#[derive(Debug, Args)]
pub struct TenantCreateArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Its name: lower-case letters, digits and hyphens.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// How to list them.
#[derive(Debug, Args)]
pub struct TenantListArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(command: TenantCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        TenantCommand::Create(args) => {
            let operator = Operator::reach(&args.settings, world)?;
            operator.ask(Command::TenantCreate { name: args.name.clone() })?;
            writeln!(
                world.err,
                "Made tenant {0}. Next: rosterd connection create idp --tenant {0}",
                args.name
            )?;
        }
        TenantCommand::List(args) => {
            let Reply::Tenants { tenants } =
                Operator::reach(&args.settings, world)?.ask(Command::TenantList)?
            else {
                return Err(unexpected());
            };
            table::print(world, args.json, &tenants, ["tenant", "created"], |tenant| {
                [tenant.name.clone(), table::instant(Some(tenant.created))]
            })?;
        }
    }
    Ok(Exit::Done)
}
