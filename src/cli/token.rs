//! `rosterd token`: its arguments, and how it runs.

use anyhow::Result;
use clap::{Args, Subcommand};

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, Refused, World, table, unexpected};
use crate::config::Config;
use crate::roster::{Command, Reply, Scope};

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
    #[command(after_help = "\
Example:
  rosterd token list
  rosterd token revoke 01980a7e-5b1c-7d3e-9f00-3c2b1a095e4d")]
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
    /// The person as whom it acts: an id or a userName. Only for the connection local.
    #[arg(long, value_name = "PERSON")]
    pub person: Option<String>,
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

/// Runs the command.
pub fn run(command: TokenCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        TokenCommand::Create(args) => create(args, world)?,
        TokenCommand::List(args) => {
            let operator = Operator::reach(&args.settings, world)?;
            let Reply::Tokens { tokens } = operator.ask(Command::TokenList { tenant: args.tenant })? else {
                return Err(unexpected());
            };
            let columns = ["tenant", "connection", "expires", "last used", "scopes", "id"];
            table::print(world, args.json, &tokens, columns, |token| {
                let of = &token.what;
                let scopes: Vec<_> = of.scopes.iter().map(Scope::name).collect();
                let (expires, used) = (table::instant(of.expires), table::instant(of.last_used));
                [
                    token.tenant.clone(),
                    of.connection.clone(),
                    expires,
                    used,
                    scopes.join(" "),
                    of.id.to_string(),
                ]
            })?;
        }
        TokenCommand::Revoke(args) => {
            Operator::reach(&args.settings, world)?.ask(Command::TokenRevoke { id: args.id })?;
            writeln!(world.err, "Revoked. The token opens nothing any more.")?;
        }
    }
    Ok(Exit::Done)
}

fn create(args: TokenCreateArgs, world: &mut World<'_>) -> Result<()> {
    let config = Config::load(&args.settings.sources(world.environment.clone())).map_err(Refused)?;
    let days = Some(args.days.unwrap_or(config.tokens.lifetime_days));
    let (tenant, connection, scopes) = (args.tenant, args.connection, args.scopes);
    let person = args.person;
    let command = Command::TokenCreate { tenant, connection, scopes, days, secret: None, person };
    let Reply::Token { id, secret, expires } = Operator::reach(&args.settings, world)?.ask(command)? else {
        return Err(unexpected());
    };
    writeln!(world.err, "Made token {id}, good until {}. It is shown this once:", table::instant(expires))?;
    writeln!(world.out, "{secret}")?;
    Ok(())
}
