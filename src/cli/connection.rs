//! `rosterd connection`: its arguments, and how it runs.

use anyhow::Result;
use clap::{Args, Subcommand};

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, World, doctor, table, unexpected};
use crate::roster::{Command, Reply};

/// Identity providers and the like: who may speak to a tenant, and in which dialect.
#[derive(Debug, Subcommand)]
pub enum ConnectionCommand {
    /// Make a connection.
    #[command(after_help = "\
Example:
  rosterd connection create okta --tenant acme
  rosterd token create --tenant acme --connection okta")]
    Create(ConnectionCreateArgs),
    /// List the connections of a tenant, or of all.
    List(ConnectionListArgs),
    /// Show what came in through a connection of late, and what it was answered.
    #[command(after_help = doctor::REQUESTS_HELP)]
    Requests(doctor::RequestsArgs),
    /// Examine a connection: what is well, what is not, what to do.
    #[command(after_help = doctor::DOCTOR_HELP)]
    Doctor(doctor::DoctorArgs),
    /// Say where a change of the history came from.
    #[command(after_help = doctor::EXPLAIN_HELP)]
    Explain(doctor::ExplainArgs),
}

/// Which connection to make.
#[derive(Debug, Args)]
pub struct ConnectionCreateArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose it is.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// How the other side speaks: "auto" is safe with all of them; "okta", "entra", "onelogin", "jumpcloud", "google", "ping", "rippling",
    /// "authentik", "keycloak" and "sailpoint" for one of them; "strict" takes the standard by the letter.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub profile: String,
    /// Its name within the tenant: lower-case letters, digits and hyphens.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// How to list them.
#[derive(Debug, Args)]
pub struct ConnectionListArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Only those of this tenant.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(command: ConnectionCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        ConnectionCommand::Create(args) => {
            let operator = Operator::reach(&args.settings, world)?;
            let (tenant, name) = (args.tenant.clone(), args.name.clone());
            operator.ask(Command::ConnectionCreate { tenant, name, profile: args.profile })?;
            writeln!(
                world.err,
                "Made connection {name}. Next: rosterd token create --tenant {tenant} --connection {name}",
                name = args.name,
                tenant = args.tenant
            )?;
        }
        ConnectionCommand::List(args) => {
            let operator = Operator::reach(&args.settings, world)?;
            let Reply::Connections { connections } =
                operator.ask(Command::ConnectionList { tenant: args.tenant })?
            else {
                return Err(unexpected());
            };
            let columns = ["tenant", "connection", "profile", "created", "id"];
            table::print(world, args.json, &connections, columns, |connection| {
                let of = &connection.what;
                let created = table::instant(of.created);
                [connection.tenant.clone(), of.name.clone(), of.profile.clone(), created, of.id.to_string()]
            })?;
        }
        ConnectionCommand::Requests(args) => return doctor::requests(&args, world),
        ConnectionCommand::Doctor(args) => return doctor::doctor(args, world),
        ConnectionCommand::Explain(args) => return doctor::explain(args, world),
    }
    Ok(Exit::Done)
}
