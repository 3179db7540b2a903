//! `rosterd tenant`: its arguments.

use clap::{Args, Subcommand};

use super::settings::SettingsArgs;

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
