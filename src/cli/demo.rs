//! `rosterd demo`: its arguments.

use std::path::PathBuf;

use clap::Args;

/// Show what rosterd does, on a fresh folder and free ports.
///
/// Starts the daemon, plays a first sync of an identity provider through real HTTP (users, groups, a changed profile, a
/// deactivation, a group push), prints the roster that it now holds, says what to type next, and serves until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd demo
  rosterd demo --once --data /tmp/rosterd-demo")]
pub struct DemoArgs {
    /// Keep the data here instead of in a temporary folder. Must be empty or absent.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// End after the table instead of serving on.
    #[arg(long)]
    pub once: bool,
}
