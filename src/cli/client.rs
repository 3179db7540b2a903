//! `rosterd client`: its arguments, and how it runs.

use anyhow::Result;
use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, Refused, World, table, unexpected};
use crate::config::Config;
use crate::http::edge::token_url;
use crate::roster::{ClientKind, ClientView, Command, Federation, NewSecret, Reply, Scope};

/// Clients of a connection: identity providers that fetch their tokens by themselves.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Make a client, and print its secret this once: only its hash is kept.
    #[command(after_help = "\
A client fetches access tokens at the token URL (OAuth 2.0 client credentials), which are good for an hour:
  rosterd client create --tenant acme --connection entra
One without a secret proves itself by tokens of its identity provider (workload identity federation):
  rosterd client create --tenant acme --connection entra --federated
  rosterd client federate ID --issuer … --subject … --audience … --jwks-uri …
Where neither is to be had, it shows its secret with each SCIM request:
  rosterd client create --tenant acme --connection okta --basic")]
    Create(ClientCreateArgs),
    /// List clients: secrets by id and expiry, what is pinned, last use. Never the secrets themselves.
    List(ClientListArgs),
    /// Pin whose assertions stand for a client, in place of what was pinned before.
    #[command(after_help = "\
Example:
  rosterd client federate ID --issuer https://idp.test --subject SUB --audience AUD

Every value is compared letter for letter; several audiences are several --audience. Microsoft Entra ID has
  issuer    https://login.microsoftonline.com/TENANT-ID/v2.0
  keys      https://login.microsoftonline.com/TENANT-ID/discovery/v2.0/keys")]
    Federate(ClientFederateArgs),
    /// A client's secrets: at most two, so that one can be replaced without a gap.
    #[command(subcommand)]
    Secret(SecretCommand),
    /// End a client at once, with its secrets and its access tokens.
    #[command(after_help = "\
Example:
  rosterd client list
  rosterd client revoke 01980a7e-5b1c-7d3e-9f00-3c2b1a095e4d")]
    Revoke(ClientRevokeArgs),
}

/// A client's secrets: at most two, so that one can be replaced without a gap.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Make another secret, and print it this once.
    #[command(after_help = "\
To replace a secret:
  rosterd client secret add ID                  (give the new one to the identity provider)
  rosterd client secret revoke ID SECRET-ID     (then end the old one, with the access tokens it fetched)")]
    Add(SecretAddArgs),
    /// End a secret at once, with every access token that was fetched with it.
    #[command(after_help = "\
Example:
  rosterd client list
  rosterd client secret revoke CLIENT-ID SECRET-ID")]
    Revoke(SecretRevokeArgs),
}

/// Which client to make.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("kind").args(["basic", "federated"]))]
pub struct ClientCreateArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose it is.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// Of which connection.
    #[arg(long, value_name = "NAME")]
    pub connection: String,
    /// The most it may do, with commas [default: users:read,users:write,groups:read,groups:write,bulk].
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    pub scopes: Vec<String>,
    /// Days until its secret expires: overrides tokens.lifetime_days.
    #[arg(long, value_name = "NUMBER", conflicts_with = "federated", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: Option<u32>,
    /// It shows its secret with each SCIM request (HTTP Basic). For what can do nothing better.
    #[arg(long)]
    pub basic: bool,
    /// It gets no secret; `client federate` comes next.
    #[arg(long)]
    pub federated: bool,
    /// Print JSON instead of lines.
    #[arg(long)]
    pub json: bool,
}

/// How to list them.
#[derive(Debug, Args)]
pub struct ClientListArgs {
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

/// What to pin.
#[derive(Debug, Args)]
pub struct ClientFederateArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// The client's id, as `client create` printed it.
    #[arg(value_name = "ID")]
    pub id: String,
    /// Who signs the assertions (`iss`).
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// Whom they are about (`sub`).
    #[arg(long, value_name = "TEXT")]
    pub subject: String,
    /// For whom they are made (`aud`); may be given several times, and any will do.
    #[arg(long, value_name = "TEXT", required = true)]
    pub audience: Vec<String>,
    /// Where the issuer's keys are [default: what its /.well-known/openid-configuration says].
    #[arg(long, value_name = "URL", visible_alias = "jwks-url")]
    pub jwks_uri: Option<String>,
    /// Which signatures are taken, with commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "RS256,PS256,ES256")]
    pub algorithms: Vec<String>,
    /// Longest life of an assertion, in minutes, 1 to 1440: some clouds give their machines tokens for a day.
    #[arg(long, value_name = "NUMBER", default_value_t = 1440, value_parser = clap::value_parser!(u32).range(1..=1440))]
    pub max_lifetime: u32,
}

/// Which client gets another secret.
#[derive(Debug, Args)]
pub struct SecretAddArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// The client's id.
    #[arg(value_name = "ID")]
    pub id: String,
    /// Days until it expires: overrides tokens.lifetime_days.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: Option<u32>,
    /// Print JSON instead of lines.
    #[arg(long)]
    pub json: bool,
}

/// Which secret to end.
#[derive(Debug, Args)]
pub struct SecretRevokeArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// The client's id.
    #[arg(value_name = "ID")]
    pub id: String,
    /// The secret's id, as `client list` shows it.
    #[arg(value_name = "SECRET-ID")]
    pub secret: String,
}

/// Which client to end.
#[derive(Debug, Args)]
pub struct ClientRevokeArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Its id, as `client list` shows it.
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Runs the command.
pub fn run(command: ClientCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        ClientCommand::Create(args) => create(args, world)?,
        ClientCommand::List(args) => list(args, world)?,
        ClientCommand::Federate(args) => federate(args, world)?,
        ClientCommand::Secret(SecretCommand::Add(args)) => {
            let days = days(args.days, &args.settings, world)?;
            let command = Command::ClientSecretAdd { client: args.id, days };
            let shown = ask(&args.settings, command, world)?;
            writeln!(world.err, "Made another secret. It is shown this once:")?;
            show(&shown, Uses::Tokens, args.json, world)?;
        }
        ClientCommand::Secret(SecretCommand::Revoke(args)) => {
            let command = Command::ClientSecretRevoke { client: args.id, id: args.secret };
            Operator::reach(&args.settings, world)?.ask(command)?;
            writeln!(
                world.err,
                "Revoked. The secret fetches nothing any more, and what it had fetched opens nothing."
            )?;
        }
        ClientCommand::Revoke(args) => {
            Operator::reach(&args.settings, world)?.ask(Command::ClientRevoke { client: args.id })?;
            writeln!(
                world.err,
                "Revoked. The client, its secrets and its access tokens open nothing any more."
            )?;
        }
    }
    Ok(Exit::Done)
}

/// A client and where it goes.
struct Shown {
    client: String,
    secret: Option<NewSecret>,
    scim_url: String,
}

/// What a client does with its secret.
#[derive(Clone, Copy, PartialEq)]
enum Uses {
    Tokens,
    Basic,
}

fn create(args: ClientCreateArgs, world: &mut World<'_>) -> Result<()> {
    let days = days(args.days, &args.settings, world)?;
    let kind = match (args.basic, args.federated) {
        (true, _) => ClientKind::Basic,
        (_, true) => ClientKind::Federated,
        _ => ClientKind::Secret,
    };
    let (tenant, connection, scopes) = (args.tenant, args.connection, args.scopes);
    let command = Command::ClientCreate { tenant, connection, scopes, kind, days };
    let shown = ask(&args.settings, command, world)?;
    match &shown.secret {
        Some(secret) => writeln!(
            world.err,
            "Made a client with secret {}, good until {}. The secret is shown this once:",
            secret.id,
            table::instant(Some(secret.expires))
        )?,
        None => writeln!(
            world.err,
            "Made a client without a secret. Next: rosterd client federate {} --issuer … --subject … --audience …",
            shown.client
        )?,
    }
    show(&shown, if args.basic { Uses::Basic } else { Uses::Tokens }, args.json, world)
}

fn federate(args: ClientFederateArgs, world: &mut World<'_>) -> Result<()> {
    let federation = Federation {
        issuer: args.issuer,
        subject: args.subject,
        audiences: args.audience,
        keys_url: args.jwks_uri,
        algorithms: args.algorithms,
        lifetime_minutes_max: args.max_lifetime,
    };
    let shown = ask(&args.settings, Command::ClientFederate { client: args.id, federation }, world)?;
    writeln!(world.err, "Pinned. Give the identity provider these:")?;
    show(&shown, Uses::Tokens, false, world)
}

fn list(args: ClientListArgs, world: &mut World<'_>) -> Result<()> {
    let operator = Operator::reach(&args.settings, world)?;
    let Reply::Clients { clients } = operator.ask(Command::ClientList { tenant: args.tenant })? else {
        return Err(unexpected());
    };
    let columns = ["tenant", "connection", "proves itself by", "last used", "scopes", "id"];
    table::print(world, args.json, &clients, columns, |client| {
        let of = &client.what;
        let scopes: Vec<_> = of.scopes.iter().map(Scope::name).collect();
        [
            client.tenant.clone(),
            of.connection.clone(),
            proofs(of).join("\n"),
            table::instant(of.last_used),
            scopes.join(" "),
            of.id.to_string(),
        ]
    })
}

/// Says by what a client proves itself, a line for each.
fn proofs(client: &ClientView) -> Vec<String> {
    let word = if client.basic { "basic" } else { "secret" };
    let secrets = client
        .secrets
        .iter()
        .map(|secret| format!("{word} {} until {}", secret.id, table::instant(Some(secret.expires))));
    let pinned = client.federation.iter().map(|pinned| format!("{} of {}", pinned.subject, pinned.issuer));
    secrets.chain(pinned).collect()
}

fn days(given: Option<u32>, settings: &SettingsArgs, world: &World<'_>) -> Result<u32> {
    let config = Config::load(&settings.sources(world.environment.clone())).map_err(Refused)?;
    Ok(given.unwrap_or(config.tokens.lifetime_days))
}

/// Asks for what is answered with a client. A daemon knows its URL; without one, it is what the settings say.
fn ask(settings: &SettingsArgs, command: Command, world: &World<'_>) -> Result<Shown> {
    let config = Config::load(&settings.sources(world.environment.clone())).map_err(Refused)?;
    let Reply::Client { client, secret, base_url } = Operator::reach(settings, world)?.ask(command)? else {
        return Err(unexpected());
    };
    let scim_url = base_url
        .unwrap_or_else(|| format!("{}/scim/v2", config.server.base_url(&config.tls, config.server.listen)));
    Ok(Shown { client: client.to_string(), secret, scim_url })
}

fn show(shown: &Shown, uses: Uses, json: bool, world: &mut World<'_>) -> Result<()> {
    let secret = shown.secret.as_ref();
    let token_url = (uses == Uses::Tokens).then(|| token_url(&shown.scim_url));
    if json {
        let value = json!({
            "client_id": shown.client,
            "client_secret": secret.map(|secret| &secret.secret),
            "secret_id": secret.map(|secret| secret.id),
            "expires": secret.map(|secret| secret.expires),
            "token_url": token_url,
            "scim_url": shown.scim_url,
        });
        writeln!(world.out, "{value}")?;
        return Ok(());
    }
    writeln!(world.out, "client id      {}", shown.client)?;
    if let Some(secret) = secret {
        writeln!(world.out, "client secret  {}", secret.secret)?;
    }
    if let Some(token_url) = token_url {
        writeln!(world.out, "token URL      {token_url}")?;
    }
    writeln!(world.out, "SCIM URL       {}", shown.scim_url)?;
    Ok(())
}
