//! `rosterd check`: its arguments, and how it runs.

use anyhow::Result;
use clap::Args;

use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, World, unexpected};
use crate::roster::{Command, Reply};

/// Read everything in the store, and say what does not fit together.
///
/// Cross-checks whatever is held twice: records and their indexes, unique names, members and groups, counts, seats
/// and the people who have them, schedules and when they are due, the history's numbers and hashes.
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

/// Runs the command.
pub fn run(args: &CheckArgs, world: &mut World<'_>) -> Result<Exit> {
    let operator = Operator::reach(&args.settings, world)?;
    writeln!(world.err, "Reading everything in the store …")?;
    let Reply::Checked { findings, orphaned } = operator.ask(Command::Check)? else {
        return Err(unexpected());
    };
    if orphaned > 0 {
        writeln!(
            world.err,
            "Removed {orphaned} token pointers that an interrupted command had left behind."
        )?;
    }
    if findings.is_empty() {
        writeln!(world.out, "Everything fits.")?;
        return Ok(Exit::Done);
    }
    for finding in &findings {
        writeln!(world.out, "{finding}")?;
    }
    writeln!(
        world.err,
        "{} things do not fit; restore a backup by rosterd restore, and keep this folder for those who look into it",
        findings.len()
    )?;
    Ok(Exit::Found)
}
