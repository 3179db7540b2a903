//! `rosterd admin`: its arguments.

use clap::{Args, Subcommand};

use super::settings::SettingsArgs;

/// Administrators.
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
    /// The userName.
    #[arg(value_name = "NAME")]
    pub user_name: String,
}
