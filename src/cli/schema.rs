//! `rosterd schema`: its arguments, and how it runs.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, World, table, unexpected};
use crate::roster::{Command, Reply, SCHEMA_BYTES_MAX, check_schema};

/// Attributes of your own: schemas that extend users or groups, and which connections see them.
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Add a schema from a file, and give it to connections.
    #[command(after_help = "\
Example (acme.json):
  {\"id\": \"urn:ietf:params:scim:schemas:extension:acme:2.0:User\",
   \"attributes\": [{\"name\": \"costCenterCode\", \"indexed\": true}]}

  rosterd schema check acme.json
  rosterd schema add acme.json --tenant acme --connection entra")]
    Add(SchemaAddArgs),
    /// Put a new version in the place of the one that holds, unless stored values would not fit it.
    #[command(after_help = "\
Example:
  rosterd schema update acme.json --tenant acme")]
    Update(SchemaUpdateArgs),
    /// List the schemas of a tenant, or of all.
    List(SchemaListArgs),
    /// Print the document of a schema, as it holds or as it was.
    #[command(after_help = "\
Example:
  rosterd schema show urn:ietf:params:scim:schemas:extension:acme:2.0:User --tenant acme --version 1")]
    Show(SchemaShowArgs),
    /// Let connections see a schema.
    #[command(after_help = "\
Example:
  rosterd schema give urn:ietf:params:scim:schemas:extension:acme:2.0:User --tenant acme --connection okta")]
    Give(SchemaShareArgs),
    /// Let connections see a schema no longer; what they wrote stays.
    #[command(after_help = "\
Example:
  rosterd schema take urn:ietf:params:scim:schemas:extension:acme:2.0:User --tenant acme --connection okta")]
    Take(SchemaShareArgs),
    /// Remove a schema of which no resource holds a value.
    #[command(after_help = "\
Example:
  rosterd schema remove urn:ietf:params:scim:schemas:extension:acme:2.0:User --tenant acme")]
    Remove(SchemaRemoveArgs),
    /// Say what is wrong with a file, without a daemon or a data folder.
    #[command(after_help = "\
Example:
  rosterd schema check acme.json

Exit codes: 0 the file is a schema, 1 it could not be read, 3 it has mistakes.")]
    Check(SchemaCheckArgs),
}

/// What to add.
#[derive(Debug, Args)]
pub struct SchemaAddArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose it is.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// Who sees it; several with commas. Administrators see it in any case.
    #[arg(long = "connection", value_name = "NAME", value_delimiter = ',')]
    pub connections: Vec<String>,
    /// The schema as RFC 7643 section 7 writes it, in JSON.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// What to change.
#[derive(Debug, Args)]
pub struct SchemaUpdateArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose it is.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// The whole schema as it is to be.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// How to list them.
#[derive(Debug, Args)]
pub struct SchemaListArgs {
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

/// Which one to show.
#[derive(Debug, Args)]
pub struct SchemaShowArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose it is.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// An earlier version.
    #[arg(long, value_name = "NUMBER")]
    pub version: Option<u32>,
    /// Its URN.
    #[arg(value_name = "URN")]
    pub id: String,
}

/// Which one, and whom it is about.
#[derive(Debug, Args)]
pub struct SchemaShareArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose it is.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// Which connections; several with commas.
    #[arg(long = "connection", value_name = "NAME", value_delimiter = ',', required = true)]
    pub connections: Vec<String>,
    /// Its URN.
    #[arg(value_name = "URN")]
    pub id: String,
}

/// Which one to remove.
#[derive(Debug, Args)]
pub struct SchemaRemoveArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose it is.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// Its URN.
    #[arg(value_name = "URN")]
    pub id: String,
}

/// What to look at.
#[derive(Debug, Args)]
pub struct SchemaCheckArgs {
    /// The schema.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Runs the command.
pub fn run(command: SchemaCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        SchemaCommand::Add(args) => {
            let (document, tenant, connections) = (read(&args.file)?, args.tenant, args.connections);
            let seen =
                if connections.is_empty() { "no connection yet".to_owned() } else { connections.join(", ") };
            let reply = Operator::reach(&args.settings, world)?.ask(Command::SchemaAdd {
                tenant,
                document,
                connections,
            })?;
            let Reply::Schema { id, version, warnings, .. } = reply else { return Err(unexpected()) };
            warn(world, &warnings)?;
            writeln!(world.err, "Added {id}, version {version}; seen by administrators and by {seen}.")?;
        }
        SchemaCommand::Update(args) => {
            let (document, tenant) = (read(&args.file)?, args.tenant);
            let reply =
                Operator::reach(&args.settings, world)?.ask(Command::SchemaUpdate { tenant, document })?;
            let Reply::Schema { id, version, indexed, warnings } = reply else { return Err(unexpected()) };
            warn(world, &warnings)?;
            writeln!(world.err, "Version {version} of {id} holds; {indexed} resources were indexed for it.")?;
        }
        SchemaCommand::List(args) => list(args, world)?,
        SchemaCommand::Show(args) => {
            let (tenant, id, version) = (args.tenant, args.id, args.version);
            let reply =
                Operator::reach(&args.settings, world)?.ask(Command::SchemaShow { tenant, id, version })?;
            let Reply::Document { document } = reply else { return Err(unexpected()) };
            writeln!(world.out, "{document:#}")?;
        }
        SchemaCommand::Give(args) => {
            let (tenant, id, connections) = (args.tenant, args.id, args.connections);
            let command = Command::SchemaGive { tenant, id, connections };
            Operator::reach(&args.settings, world)?.ask(command)?;
            writeln!(world.err, "Given.")?;
        }
        SchemaCommand::Take(args) => {
            let (tenant, id, connections) = (args.tenant, args.id, args.connections);
            let command = Command::SchemaTake { tenant, id, connections };
            Operator::reach(&args.settings, world)?.ask(command)?;
            writeln!(world.err, "Taken. The values that are stored stay.")?;
        }
        SchemaCommand::Remove(args) => {
            let (tenant, id) = (args.tenant, args.id);
            Operator::reach(&args.settings, world)?.ask(Command::SchemaRemove { tenant, id })?;
            writeln!(world.err, "Removed. Its versions stay in the history.")?;
        }
        SchemaCommand::Check(args) => return check(&args.file, world),
    }
    Ok(Exit::Done)
}

fn list(args: SchemaListArgs, world: &mut World<'_>) -> Result<()> {
    let operator = Operator::reach(&args.settings, world)?;
    let Reply::Schemas { schemas } = operator.ask(Command::SchemaList { tenant: args.tenant })? else {
        return Err(unexpected());
    };
    let columns = ["tenant", "schema", "extends", "version", "changed", "seen by"];
    table::print(world, args.json, &schemas, columns, |schema| {
        let of = &schema.what;
        let version = if of.building { format!("{} (indexing)", of.version) } else { of.version.to_string() };
        let changed = table::instant(Some(of.changed));
        [schema.tenant.clone(), of.id.clone(), of.extends.clone(), version, changed, of.connections.join(" ")]
    })
}

fn check(file: &Path, world: &mut World<'_>) -> Result<Exit> {
    let document = read(file)?;
    match check_schema(&document) {
        Ok((id, warnings)) => {
            warn(world, &warnings)?;
            writeln!(world.out, "{}: the schema {id} has no mistakes.", file.display())?;
            Ok(Exit::Done)
        }
        Err(mistakes) => {
            writeln!(world.out, "{}: {mistakes}", file.display())?;
            Ok(Exit::Found)
        }
    }
}

fn warn(world: &mut World<'_>, warnings: &[String]) -> Result<()> {
    for warning in warnings {
        writeln!(world.err, "warning: {warning}")?;
    }
    Ok(())
}

/// Reads a file that is no longer than a schema may be.
fn read(file: &Path) -> Result<String> {
    let shown = file.display();
    let mut text = String::new();
    let limit = (SCHEMA_BYTES_MAX as u64).saturating_add(1);
    let opened = File::open(file).with_context(|| format!("{shown}: expected a file with a schema"))?;
    opened
        .take(limit)
        .read_to_string(&mut text)
        .with_context(|| format!("{shown}: expected text in UTF-8"))?;
    if text.len() > SCHEMA_BYTES_MAX {
        bail!("{shown}: expected at most {SCHEMA_BYTES_MAX} bytes, found more");
    }
    Ok(text)
}
