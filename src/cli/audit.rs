//! `rosterd audit`: its arguments, and how it runs.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, World, unexpected};
use crate::audit::{Break, Proof};
use crate::roster::{AuditRow, Command, Reply};

/// The record of who changed what.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Prove that no entry was changed, removed or put elsewhere.
    #[command(
        after_help = "Exit codes: 0 the chain is whole, 1 it could not be read, 3 it is broken (and where)."
    )]
    Verify(AuditVerifyArgs),
    /// Write the entries as JSON, one a line, oldest first.
    #[command(after_help = "Example:\n  rosterd audit export --tenant acme --after 1000 > audit.jsonl")]
    Export(AuditExportArgs),
}

/// What to prove.
#[derive(Debug, Args)]
pub struct AuditVerifyArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Only this tenant's.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
}

/// What to write, and whither.
#[derive(Debug, Args)]
pub struct AuditExportArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,
    /// Only entries after this number.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub after: u64,
    /// Write to this file (mode 0600) instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Entries that are asked for at a time.
const PAGE_ROWS: usize = 1000;

/// Runs the command.
pub fn run(command: AuditCommand, world: &mut World<'_>) -> Result<Exit> {
    match command {
        AuditCommand::Verify(args) => verify(&args, world),
        AuditCommand::Export(args) => export(&args, world),
    }
}

fn verify(args: &AuditVerifyArgs, world: &mut World<'_>) -> Result<Exit> {
    let operator = Operator::reach(&args.settings, world)?;
    let tenants = if let Some(name) = &args.tenant {
        vec![Some(name.clone())]
    } else {
        let Reply::Tenants { tenants } = operator.ask(Command::TenantList)? else { return Err(unexpected()) };
        std::iter::once(None).chain(tenants.into_iter().map(|tenant| Some(tenant.name))).collect()
    };
    let mut exit = Exit::Done;
    for tenant in tenants {
        let name = tenant.clone().unwrap_or_else(|| "(installation)".to_owned());
        let mut proof = Proof::default();
        let mut broken: Option<Break> = None;
        each_row(&operator, tenant.as_deref(), 0, |row| {
            broken = proof.take(&row).err();
            Ok(broken.is_none())
        })?;
        match broken {
            None => writeln!(world.out, "{name}: {} entries, whole; head {}", proof.entries(), proof.head())?,
            Some(broken) => {
                exit = Exit::Found;
                writeln!(world.out, "{name}: broken: {broken}")?;
            }
        }
    }
    Ok(exit)
}

fn export(args: &AuditExportArgs, world: &mut World<'_>) -> Result<Exit> {
    let operator = Operator::reach(&args.settings, world)?;
    let mut written = 0_u64;
    let mut file = match &args.out {
        Some(path) => Some(BufWriter::new(
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(path)
                .with_context(|| path.display().to_string())?,
        )),
        None => None,
    };
    each_row(&operator, Some(&args.tenant), args.after, |row| {
        let out: &mut dyn Write = match &mut file {
            Some(file) => file,
            None => world.out,
        };
        writeln!(out, "{}", serde_json::to_string(&row)?)?;
        written = written.saturating_add(1);
        Ok(true)
    })?;
    if let Some(file) = file {
        file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    }
    writeln!(world.err, "{written} entries written")?;
    Ok(Exit::Done)
}

/// Hands over a history row by row, until `take` has seen enough.
fn each_row(
    operator: &Operator,
    tenant: Option<&str>,
    mut after: u64,
    mut take: impl FnMut(AuditRow) -> Result<bool>,
) -> Result<()> {
    loop {
        let command = Command::AuditPage { tenant: tenant.map(str::to_owned), after, limit: PAGE_ROWS };
        let Reply::Audit { rows } = operator.ask(command)? else { return Err(unexpected()) };
        // A short page is no last one: pages are bounded in bytes as well.
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            after = row.seq;
            if !take(row)? {
                return Ok(());
            }
        }
    }
}
