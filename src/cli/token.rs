//! `rosterd token`: its arguments.

use clap::{Args, Subcommand};

use super::settings::SettingsArgs;

/// Bearer tokens: the credentials of a connection.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token, and print it this once: only its hash is kept.
    #[command(after_help = "\
A connection has at most two live tokens, so that one can be replaced without a gap:
  rosterd token create --tenant acme --connection okta    (give the new one to the identity provider)
  rosterd token revoke ID                                 (then end the old one)")]
    Create(TokenCreateArgs),
    /// List tokens: ids, scopes, expiry, last use. Never the tokens themselves.
    List(TokenListArgs),
    /// End a token at once.
    Revoke(TokenRevokeArgs),
}

/// Which token to make.
#[derive(Debug, Args)]
pub struct TokenCreateArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose it is.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// For which connection.
    #[arg(long, value_name = "NAME")]
    pub connection: String,
    /// What it may do, with commas [default: users:read,users:write,groups:read,groups:write,bulk].
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    pub scopes: Vec<String>,
    /// Days until it expires: overrides tokens.lifetime_days.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: Option<u32>,
}

/// How to list them.
#[derive(Debug, Args)]
pub struct TokenListArgs {
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

/// Which token to end.
#[derive(Debug, Args)]
pub struct TokenRevokeArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Its id, as `token list` shows it.
    #[arg(value_name = "ID")]
    pub id: String,
}
