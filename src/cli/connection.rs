//! `rosterd connection`: its arguments.

use clap::{Args, Subcommand};

use super::settings::SettingsArgs;

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
    /// How the other side speaks: "auto" recognises it, "strict" takes the standard by the letter.
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
