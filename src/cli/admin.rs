//! `rosterd admin`: its arguments, and how it runs.

use anyhow::Result;
use clap::{Args, Subcommand};

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, World, table, unexpected};
use crate::roster::{Command, Reply};

/// People who administer a tenant.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Make an administrator, and print a one-time invitation to standard error.
    #[command(after_help = "Example:\n  rosterd admin create ada@example.com --tenant acme")]
    Create(AdminCreateArgs),
}

/// Which administrator to make.
#[derive(Debug, Args)]
pub struct AdminCreateArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Of which tenant.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// Their name as others see it.
    #[arg(long, value_name = "TEXT")]
    pub display_name: Option<String>,
    /// The userName.
    #[arg(value_name = "NAME")]
    pub user_name: String,
}

/// Runs the command.
pub fn run(command: AdminCommand, world: &mut World<'_>) -> Result<Exit> {
    let AdminCommand::Create(args) = command;
    let operator = Operator::reach(&args.settings, world)?;
    let command = Command::AdminCreate {
        tenant: args.tenant,
        user_name: args.user_name,
        display_name: args.display_name,
    };
    let Reply::Administrator { person, invitation, expires } = operator.ask(command)? else {
        return Err(unexpected());
    };
    writeln!(
        world.err,
        "Made administrator {person}, with an invitation good until {}.",
        table::instant(Some(expires))
    )?;
    writeln!(
        world.err,
        "Its link is shown this once. They open it in a browser, behind the server's public URL:"
    )?;
    writeln!(world.err, "/invite/{invitation}")?;
    Ok(Exit::Done)
}
