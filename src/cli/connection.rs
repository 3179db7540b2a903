//! `rosterd connection`: its arguments, and how it runs.

use anyhow::Result;
use clap::{Args, Subcommand};

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, World, doctor, table, unexpected};
use crate::roster::{Command, ConnectionChange, ConnectionOptions, Reply};

/// Identity providers and the like: who may speak to a tenant, and in which dialect.
#[derive(Debug, Subcommand)]
pub enum ConnectionCommand {
    /// Make a connection.
    #[command(after_help = "\
Example:
  rosterd connection create okta --tenant acme
  rosterd token create --tenant acme --connection okta")]
    Create(ConnectionCreateArgs),
    /// Change a connection's profile, or what it may. What is not named stays as it is.
    #[command(after_help = "\
Example:
  rosterd connection set okta --tenant acme --profile okta --adopt true")]
    Set(ConnectionSetArgs),
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
    /// Let it see and change people and groups that others provisioned (administrators, another identity provider); what it
    /// changes is its own from then on. Without this it knows of nothing but what it made itself.
    #[arg(long)]
    pub adopt: bool,
    /// Let a POST with the externalId of an inactive person restore that person, instead of refusing it as a duplicate.
    #[arg(long)]
    pub reclaim_inactive: bool,
    /// Its name within the tenant: lower-case letters, digits and hyphens.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// What to change.
#[derive(Debug, Args)]
pub struct ConnectionSetArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose it is.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// How the other side speaks; see "rosterd connection create --help".
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Whether it sees and may change what others provisioned.
    #[arg(long, value_name = "BOOL")]
    pub adopt: Option<bool>,
    /// Whether a POST restores an inactive person of the same externalId.
    #[arg(long, value_name = "BOOL")]
    pub reclaim_inactive: Option<bool>,
    /// Which connection.
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
            let options = ConnectionOptions { adopt: args.adopt, reclaim_inactive: args.reclaim_inactive };
            operator.ask(Command::ConnectionCreate { tenant, name, profile: args.profile, options })?;
            writeln!(
                world.err,
                "Made connection {name}. Next: rosterd token create --tenant {tenant} --connection {name}",
                name = args.name,
                tenant = args.tenant
            )?;
        }
        ConnectionCommand::Set(args) => {
            let operator = Operator::reach(&args.settings, world)?;
            let ConnectionSetArgs { tenant, name, profile, adopt, reclaim_inactive, .. } = args;
            if profile.is_none() && adopt.is_none() && reclaim_inactive.is_none() {
                anyhow::bail!("nothing to change: name --profile, --adopt or --reclaim-inactive");
            }
            let change = ConnectionChange { profile, adopt, reclaim_inactive };
            let Reply::Connections { connections } =
                operator.ask(Command::ConnectionSet { tenant, name, change })?
            else {
                return Err(unexpected());
            };
            for connection in connections {
                let of = connection.what;
                writeln!(
                    world.err,
                    "Connection {}: profile {}, {}, {}",
                    of.name,
                    of.profile,
                    if of.options.adopt { "adopts what others provisioned" } else { "knows its own only" },
                    if of.options.reclaim_inactive {
                        "restores inactive people"
                    } else {
                        "refuses duplicates"
                    },
                )?;
            }
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
