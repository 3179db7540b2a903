//! `rosterd check`: its arguments.

use clap::Args;

use super::settings::SettingsArgs;

/// Read everything in the store, and say what does not fit together.
///
/// Cross-checks whatever is held twice: records and their indexes, unique names, members and groups, counts, the history's
/// numbers and hashes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd check --data /var/lib/rosterd

Exit codes: 0 all fits, 1 the store could not be read, 3 something does not fit (each on a line of its own).")]
pub struct CheckArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}
