//! `rosterd backup` and `rosterd restore`: their arguments, and how they run.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;

use super::operator::{Operator, copy};
use super::settings::SettingsArgs;
use super::{Exit, Refused, World};
use crate::app::{self, Rim};
use crate::archive::{Refusal, Shape, Verified, fill, place, source_of, verify};
use crate::config::{Config, Engine};
use crate::http::panics;

/// Write all that the store holds into one file, while the daemon runs or without one; or look whether such a file is whole.
///
/// The file is of one moment, whatever is written meanwhile. It gets its name when it is on disk and was read back; an existing file is
/// never replaced. People, what they cost and hashes of tokens are in it, so only its owner can read it.
/// The settings and the key of the data folder (seal.key) are not: keep those as well.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd backup --data /var/lib/rosterd /backup/roster-2026-11-22.backup
  rosterd backup --data /var/lib/rosterd - | ssh vault 'cat > roster.backup'
  rosterd backup --verify /backup/roster-2026-11-22.backup

Exit codes: 0 the file is whole, 1 it is not, or could not be made.")]
pub struct BackupArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Write nothing: read this backup to its end, and say what it is.
    #[arg(long)]
    pub verify: bool,
    /// The file to write, or - for standard output.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Fill an empty data folder, or the empty database that the settings name, from a backup.
///
/// The folder must be empty (seal.key may be there), and so must the database. The backup is read to its end first, and nothing is taken from one that
/// is damaged. A restore that was broken off is no store: the same command again goes on from there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd restore --data /var/lib/rosterd /backup/roster-2026-11-22.backup
  cp -p /backup/seal.key /var/lib/rosterd/
  rosterd restore --config /etc/rosterd-postgres.toml /backup/roster-2026-11-22.backup

Exit codes: 0 restored and all fits, 1 it could not be restored, 3 restored, but something does not fit together, as it did not in the
store that the backup was made of (each on a line of its own).")]
pub struct RestoreArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// The backup.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Makes a backup, or looks at one.
pub fn backup(args: &BackupArgs, world: &mut World<'_>) -> Result<Exit> {
    if args.verify {
        let found = look_at(&args.file, Shape::Backup, world)?;
        writeln!(world.out, "{}", described(Shape::Backup, &found))?;
        return Ok(Exit::Done);
    }
    copy_out(&args.settings, &args.file, Shape::Backup, world)
}

/// Makes a store of a backup.
pub fn restore(args: &RestoreArgs, world: &mut World<'_>) -> Result<Exit> {
    copy_in(&args.settings, &args.file, Shape::Backup, world)
}

/// Bytes between two words on how far a copy has come.
const PROGRESS_BYTES: u64 = 256 << 20;
/// Rows between two.
const PROGRESS_ROWS: u64 = 1_000_000;

/// Writes the whole store into a file or to standard output.
pub(super) fn copy_out(
    settings: &SettingsArgs,
    file: &Path,
    shape: Shape,
    world: &mut World<'_>,
) -> Result<Exit> {
    let config = Config::load(&settings.sources(world.environment.clone())).map_err(Refused)?;
    let engine = config.store.engine.name();
    let operator = Operator::reach(settings, world)?;
    let World { out, err, .. } = world;
    let mut told = 0;
    let mut progress = |bytes: u64| {
        let steps = bytes.checked_div(PROGRESS_BYTES).unwrap_or_default();
        if steps > told {
            told = steps;
            // Nobody to tell is no reason to stop.
            let _ = writeln!(err, "{} MiB …", bytes >> 20);
        }
    };
    if file == Path::new("-") {
        if shape == Shape::Backup && io::stdout().is_terminal() {
            bail!("a backup is not for the eye: name a file, or send standard output somewhere");
        }
        copy(&operator, shape, engine, out, &mut progress)?;
        out.flush()?;
        writeln!(
            err,
            "Written to standard output, and not read back: see that it ends well by {}.",
            looked_at_by(shape)
        )?;
    } else {
        let placed = place(file, shape, |out| copy(&operator, shape, engine, out, &mut progress));
        let placed = placed.map_err(|refusal| match refusal {
            Refusal::Write(error) => error,
            other => other.into(),
        })?;
        writeln!(err, "{}", described(shape, &placed.verified))?;
        writeln!(err, "{}: {} bytes, on disk, and read back.", file.display(), placed.bytes)?;
    }
    writeln!(
        err,
        "Keep as well, since they are not in it: the settings with the files they name, and {}.",
        app::seal_key_path(&config).display()
    )?;
    Ok(Exit::Done)
}

/// Makes a store of a file.
pub(super) fn copy_in(
    settings: &SettingsArgs,
    file: &Path,
    shape: Shape,
    world: &mut World<'_>,
) -> Result<Exit> {
    let config = Config::load(&settings.sources(world.environment.clone())).map_err(Refused)?;
    let dir = config.data.dir.display();
    let place = app::place(&config);
    if Operator::running(&config).is_some() {
        if config.store.engine == Engine::Postgres {
            bail!(
                "{dir}: a daemon with this folder is running; stop it first, and name an empty database by postgres.database"
            );
        }
        bail!(
            "{dir}: a daemon serves this folder; name an empty one by --data, or stop the daemon and move its folder away"
        );
    }
    writeln!(world.err, "Reading {} to its end …", file.display())?;
    let found = look_at(file, shape, world)?;
    writeln!(world.err, "{}", described(shape, &found))?;
    panics::install_hook();
    let into = app::open_to_fill(&config, &Rim::default(), &source_of(&found))?;
    let input = File::open(file).with_context(|| file.display().to_string())?;
    let err = &mut world.err;
    let filled = fill(into, input, shape, &found, &mut |rows| {
        if rows.is_multiple_of(PROGRESS_ROWS) {
            let _ = writeln!(err, "{rows} rows …");
        }
    });
    let filled = filled.map_err(|error| {
        anyhow!("{place}: {error}; it is no store yet: run the same command again, which goes on from there, or empty it")
    })?;
    let there = found.digest.rows.saturating_sub(filled.written);
    if there > 0 {
        writeln!(world.err, "{there} rows were there already, from a run that was broken off.")?;
    }
    writeln!(world.err, "{place}: {} rows, compared with the file.", found.digest.rows)?;
    let key = app::seal_key_path(&config);
    if !key.exists() {
        writeln!(
            world.err,
            "Put back {} before the daemon starts, if there was one: without it nobody can use what was sealed with it.",
            key.display()
        )?;
    }
    for finding in &filled.findings {
        writeln!(world.out, "tenant {}: {}", finding.tenant, finding.what)?;
    }
    if filled.findings.is_empty() {
        writeln!(world.err, "Everything fits together.")?;
        return Ok(Exit::Done);
    }
    writeln!(
        world.err,
        "{} things do not fit together, as they did not in the store that the file was made of; an earlier file may be better",
        filled.findings.len()
    )?;
    Ok(Exit::Found)
}

/// Reads a file to its end.
fn look_at(file: &Path, shape: Shape, world: &mut World<'_>) -> Result<Verified> {
    let named = || file.display().to_string();
    let input = File::open(file).with_context(named)?;
    let found = verify(input, shape, &mut |rows| {
        if rows.is_multiple_of(PROGRESS_ROWS) {
            let _ = writeln!(world.err, "{rows} rows …");
        }
    });
    found.with_context(named)
}

/// Says in a line what a file is.
fn described(shape: Shape, found: &Verified) -> String {
    let header = &found.header;
    format!(
        "A whole {}: {} rows of {}, from {} by rosterd {} (layout {}); SHA-256 of its rows {}.",
        shape.name(),
        found.digest.rows,
        header.made,
        header.engine,
        header.version,
        header.layout,
        found.sha256()
    )
}

const fn looked_at_by(shape: Shape) -> &'static str {
    match shape {
        Shape::Backup => "rosterd backup --verify FILE",
        Shape::Lines => "its last line, which rosterd store import compares",
    }
}
