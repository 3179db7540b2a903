//! `rosterd audit`: its arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::settings::SettingsArgs;

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
