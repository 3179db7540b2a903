//! `rosterd config`: are the settings right, what holds, what is there to set.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, World, unexpected};
use crate::app::{Rim, plugins, sign_in};
use crate::config::connections::{Known, unknown};
use crate::config::{Config, ConfigErrors, reference, surroundings};
use crate::roster::{Command, Reply};

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say everything that is wrong with the settings, as `serve` would, without starting anything.
    #[command(after_help = "\
Examples:
  rosterd config check --config /etc/rosterd.toml
  ROSTERD_SERVER__LISTEN=127.0.0.1:9000 rosterd config check

Prints one line for each mistake, with file, line and key, and exits with 1 if there is one.
Files and folders that the settings name are looked at, and not changed; plugins are loaded as `serve` would load
them. Where a daemon serves the folder it is asked which connections there are, and names of others are warned of.")]
    Check(ConfigArgs),
    /// Print every key with the value that holds, as TOML.
    #[command(after_help = "\
Examples:
  rosterd config show --config /etc/rosterd.toml
  rosterd config show | grep timeout

The output is a configuration file in itself. It holds no secrets: they live in files of their own.")]
    Show(ConfigArgs),
    /// Print what there is to set, with types, defaults and meanings, as Markdown.
    Reference,
}

/// Which settings.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Runs the command.
pub fn run(command: &ConfigCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        ConfigCommand::Check(args) => check(args, world),
        ConfigCommand::Show(args) => show(args, world),
        ConfigCommand::Reference => {
            world.out.write_all(reference().as_bytes())?;
            Ok(Exit::Done)
        }
    }
}

fn check(args: &ConfigArgs, world: &mut World<'_>) -> Result<Exit> {
    let config = match Config::load(&args.settings.sources(world.environment.clone())) {
        Ok(config) => config,
        Err(errors) => return report(&errors, world.err),
    };
    let mut ended = Exit::Done;
    let mut warnings = Vec::new();
    match surroundings::look(&config) {
        Ok(odd) => warnings.extend(odd),
        Err(errors) => ended = report(&errors, world.err)?,
    }
    if ended == Exit::Done {
        let public_url = config.server.origin(&config.tls, config.server.listen).to_string();
        if let Err(wrong) = sign_in::offer(&config, &public_url) {
            ended = Exit::Failed;
            writeln!(world.err, "error: {wrong}")?;
        }
    }
    match plugins::check(&config, &Rim::default()) {
        Ok(odd) => warnings.extend(odd),
        Err(wrong) => {
            ended = Exit::Failed;
            for problem in wrong {
                writeln!(world.err, "error: {problem}")?;
            }
        }
    }
    if let Some(operator) = Operator::running(&config) {
        warnings.extend(unknown_connections(&config, &operator)?);
    }
    for warning in warnings {
        writeln!(world.err, "warning: {warning}")?;
    }
    if ended == Exit::Done {
        writeln!(world.out, "The settings are right.")?;
    }
    Ok(ended)
}

/// Asks the daemon which connections there are. A folder at rest is not opened for that: a newer build would bring it up to date.
fn unknown_connections(config: &Config, operator: &Operator) -> Result<Vec<String>> {
    let Reply::Connections { connections } = operator.ask(Command::ConnectionList { tenant: None })? else {
        return Err(unexpected());
    };
    let known = connections.into_iter().map(|one| Known { tenant: one.tenant, connection: one.what.name });
    Ok(unknown(config, &known.collect()).iter().map(ToString::to_string).collect())
}

fn show(args: &ConfigArgs, world: &mut World<'_>) -> Result<Exit> {
    match Config::load(&args.settings.sources(world.environment.clone())) {
        Ok(config) => {
            world.out.write_all(config.to_toml().as_bytes())?;
            Ok(Exit::Done)
        }
        Err(errors) => report(&errors, world.err),
    }
}

/// Writes each problem of a configuration on a line of its own. For every command that loads one.
pub fn report(errors: &ConfigErrors, err: &mut dyn Write) -> Result<Exit> {
    for problem in errors.problems() {
        writeln!(err, "error: {problem}")?;
    }
    Ok(Exit::Failed)
}
