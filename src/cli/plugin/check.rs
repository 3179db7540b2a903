//! `rosterd plugin check`: what a plugin's file is, before it is trusted with anything.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::target;
use crate::cli::settings::SettingsArgs;
use crate::cli::{Exit, World};
use crate::plugins::hook_words;

/// Examples.
pub(super) const EXAMPLES: &str = "\
Examples:
  rosterd plugin check cost-rate.wasm
  rosterd plugin check cost-rate.wasm --json | jq -r .sha256
  rosterd plugin check cost-rate --config /etc/rosterd.toml     (one of the settings: with its grant, settings and tables)

Exit codes: 0 it can be loaded, 3 it cannot; standard error says why.";

/// What to look at.
#[derive(Debug, Args)]
pub struct PluginCheckArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// A file, or the name of a plugin of the settings.
    #[arg(value_name = "FILE|NAME")]
    pub plugin: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Found {
    file: String,
    bytes: usize,
    sha256: String,
    name: String,
    version: String,
    hooks: Vec<&'static str>,
    imports: Vec<String>,
    reads: Vec<String>,
    writes: Vec<String>,
    settings_schema: serde_json::Value,
}

/// Runs the command.
pub fn run(args: &PluginCheckArgs, world: &mut World<'_>) -> Result<Exit> {
    let target = match target::find(&args.settings, &args.plugin, world) {
        Ok(target) => target,
        // What the settings say is not about the file.
        Err(error) if !error.is::<crate::plugins::LoadError>() => return Err(error),
        Err(error) => {
            writeln!(world.err, "error: {error:#}")?;
            return Ok(Exit::Found);
        }
    };
    let manifest = &target.compiled.manifest;
    let found = Found {
        file: target.file.path.display().to_string(),
        bytes: target.file.bytes.len(),
        sha256: target.file.sha256.clone(),
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        hooks: hook_words(target.compiled.hooks).collect(),
        imports: target.compiled.imports.clone(),
        reads: manifest.reads.clone(),
        writes: manifest.writes.clone(),
        settings_schema: serde_json::from_str(&manifest.settings_schema).unwrap_or_default(),
    };
    if args.json {
        writeln!(world.out, "{}", serde_json::to_string(&found)?)?;
    } else {
        let list = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        writeln!(world.out, "{} {}, {} bytes", found.name, found.version, found.bytes)?;
        writeln!(world.out, "  sha256   {}", found.sha256)?;
        writeln!(world.out, "  hooks    {}", found.hooks.join(", "))?;
        writeln!(world.out, "  imports  {}", list(&found.imports))?;
        writeln!(world.out, "  reads    {}", list(&found.reads))?;
        writeln!(world.out, "  writes   {}", list(&found.writes))?;
    }
    // A file has no settings to be checked with; one of the settings goes through everything.
    if target.is_file {
        return Ok(Exit::Done);
    }
    match target.load() {
        Ok(_) => Ok(Exit::Done),
        Err(error) => {
            writeln!(world.err, "error: {error:#}")?;
            Ok(Exit::Found)
        }
    }
}
