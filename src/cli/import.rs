//! `rosterd import`: its arguments, and how it runs. `read` takes files apart, `mapping` says what their columns are.
//!
//! Rows go to the roster a batch at a time, each batch a command of its own, so that a daemon serves others in between and whoever kills the
//! import loses nothing: what was done is found done when it is run again.

mod mapping;
mod read;

pub use read::is_guarded;

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use self::mapping::Mapping;
use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, World, unexpected};
use crate::roster::{Flaw, MatchBy, PeopleAnswer, PeopleAsk, Row, RowDone, SeatsTaken, Verdict};

/// Rows that are asked for at a time.
const BATCH_ROWS: usize = 100;
/// Bytes at which a batch takes no more rows: the daemon takes requests up to a size.
const BATCH_BYTES_MAX: usize = 192 << 10;

/// How people stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A header, and a line for each person.
    Csv,
    /// A list of objects, or an object a line.
    Json,
}

/// What tells people apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// The login.
    UserName,
    /// The number that the employer gave.
    EmployeeNumber,
    /// The externalId that an administrator gave.
    ExternalId,
}

impl From<By> for MatchBy {
    fn from(by: By) -> Self {
        match by {
            By::UserName => Self::UserName,
            By::EmployeeNumber => Self::EmployeeNumber,
            By::ExternalId => Self::ExternalId,
        }
    }
}

/// What to take in, and how.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --apply nothing is written: each row is held against the rules, and what would become of it is printed.

Examples:
  rosterd import people.csv --tenant acme
  rosterd import people.csv --tenant acme --mapping map.toml --report report.jsonl
  rosterd import people.csv --tenant acme --apply

Exit codes: 0 all rows are well, 1 it failed, 3 rows have mistakes (and which).")]
pub struct ImportArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose people they are.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub tenant: String,
    /// What the columns mean, in TOML.
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// Write. Without it everything is only looked at.
    #[arg(long)]
    pub apply: bool,
    /// What the file is, where its name does not say.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// What separates the columns of a CSV file.
    #[arg(long, value_name = "CHARACTER", default_value = ",")]
    pub delimiter: char,
    /// By what a row finds the person who is there.
    #[arg(long = "match", value_enum, default_value = "user-name")]
    pub by: By,
    /// Write the rows that are well although others are not.
    #[arg(long)]
    pub skip_errors: bool,
    /// Write what became of each row to this file (mode 0600), as JSON, one a line.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Say on standard error how far it is, also where that is no terminal.
    #[arg(long)]
    pub progress: bool,
    /// The people: CSV with a header, or JSON.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// How many rows came to what.
#[derive(Debug, Default)]
struct Sums {
    created: u64,
    changed: u64,
    same: u64,
    wrong: u64,
}

/// Runs the command.
pub fn run(args: &ImportArgs, world: &mut World<'_>) -> Result<Exit> {
    let mapping = args.mapping.as_deref().map(Mapping::read).transpose()?.unwrap_or_default();
    let format = match (args.format, args.file.extension().and_then(|end| end.to_str())) {
        (Some(format), _) => format,
        (None, Some("csv")) => Format::Csv,
        (None, Some("json" | "jsonl" | "ndjson")) => Format::Json,
        _ => bail!(
            "{}: expected a name that ends with .csv or .json; say which by --format",
            args.file.display()
        ),
    };
    let operator = Operator::reach(&args.settings, world)?;
    let report = args.report.as_ref().map(|path| {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(path).map(BufWriter::new).with_context(|| path.display().to_string())
    });
    let report = report.transpose()?;
    let mut run = Run {
        args,
        operator,
        mapping,
        format,
        report,
        sums: Sums::default(),
        seen: HashMap::new(),
        seats: Vec::new(),
    };
    if args.apply && !args.skip_errors {
        // Everything or nothing is written, as far as can be told before.
        let wrong = run.through(false, false, world)?;
        if wrong > 0 {
            run.finish(world, "Nothing was written")?;
            return Ok(Exit::Found);
        }
        run.sums = Sums::default();
    }
    let wrong = run.through(args.apply, true, world)?;
    run.finish(world, if args.apply { "Done" } else { "Nothing was written; --apply would" })?;
    Ok(if wrong > 0 { Exit::Found } else { Exit::Done })
}

/// A file on its way.
struct Run<'a> {
    args: &'a ImportArgs,
    operator: Operator,
    mapping: Mapping,
    format: Format,
    report: Option<BufWriter<std::fs::File>>,
    sums: Sums,
    /// In which row a login or number stood first.
    seen: HashMap<(&'static str, String), u64>,
    /// What the rows so far would take of each licence pool's seats.
    seats: SeatsTaken,
}

impl Run<'_> {
    /// Goes through the file once, and returns how many rows are wrong. Rows that are well are printed where `tell` says so.
    fn through(&mut self, apply: bool, tell: bool, world: &mut World<'_>) -> Result<u64> {
        self.seen.clear();
        self.seats.clear();
        let (file, format, delimiter) = (self.args.file.clone(), self.format, self.args.delimiter);
        let (mut batch, mut bytes) = (Vec::new(), 0_usize);
        if format == Format::Csv {
            let columns = self.mapping.columns(&read::header(&file, delimiter)?)?;
            let asked = PeopleAsk::Columns(columns);
            let PeopleAnswer::Unknown(columns) = self.operator.people(&self.args.tenant, asked)? else {
                return Err(unexpected());
            };
            if !columns.is_empty() {
                bail!(
                    "{}: expected columns that an import knows, found {}; name what they are in a file for --mapping, or list them there under ignore",
                    file.display(),
                    columns.iter().map(|column| format!("{column:?}")).collect::<Vec<_>>().join(", ")
                );
            }
        }
        read::each(&file, format, delimiter, &mut |number, cells| {
            let (cells, clears) = match cells {
                Ok(cells) => self.mapping.apply(cells),
                Err(flaw) => {
                    self.send(&mut batch, apply, tell, world)?;
                    bytes = 0;
                    return self.take(&wrong(number, "", vec![flaw]), tell, world);
                }
            };
            if clears.is_empty() && cells.iter().all(|(_, text)| text.trim().is_empty()) {
                return Ok(());
            }
            let twice = self.seen_before(number, &cells);
            if !twice.is_empty() {
                self.send(&mut batch, apply, tell, world)?;
                bytes = 0;
                let who = key_of(&cells, self.args.by).unwrap_or_default();
                return self.take(&wrong(number, &who, twice), tell, world);
            }
            let length: usize = cells.iter().map(|(name, text)| name.len() + text.len()).sum();
            let length = length + clears.iter().map(String::len).sum::<usize>();
            if batch.len() >= BATCH_ROWS || bytes + length > BATCH_BYTES_MAX {
                self.send(&mut batch, apply, tell, world)?;
                bytes = 0;
            }
            bytes += length;
            batch.push(Row { number, cells, clears });
            Ok(())
        })?;
        self.send(&mut batch, apply, tell, world)?;
        Ok(self.sums.wrong)
    }

    /// Says which of what must be one person's alone stood in an earlier row of the file.
    fn seen_before(&mut self, number: u64, cells: &[(String, String)]) -> Vec<Flaw> {
        let mut twice = Vec::new();
        for column in ["userName", "employeeNumber", "externalId"] {
            let text = match column {
                "userName" => key_of(cells, By::UserName),
                _ => value_of(cells, column),
            };
            let Some(text) = text else { continue };
            let folded = if column == "userName" { text.to_lowercase() } else { text.clone() };
            let first = *self.seen.entry((column, folded)).or_insert(number);
            if first != number {
                let detail = format!("expected each once in the file, found {text:?} in row {first} as well");
                twice.push(Flaw { place: column.to_owned(), detail });
            }
        }
        twice
    }

    fn send(&mut self, batch: &mut Vec<Row>, apply: bool, tell: bool, world: &mut World<'_>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let (rows, by) = (std::mem::take(batch), self.args.by.into());
        let asked = PeopleAsk::Take { rows, by, apply, seats: std::mem::take(&mut self.seats) };
        let PeopleAnswer::Done { rows, seats } = self.operator.people(&self.args.tenant, asked)? else {
            return Err(unexpected());
        };
        self.seats = seats;
        for done in &rows {
            self.take(done, tell, world)?;
        }
        let at_terminal = std::io::stderr().is_terminal();
        if self.args.progress || at_terminal {
            let Sums { created, changed, same, wrong } = self.sums;
            let doing = if apply { "written" } else { "looked at" };
            let rows = created + changed + same + wrong;
            let end = if at_terminal { "\r" } else { "\n" };
            write!(world.err, "{rows} rows {doing}, {wrong} with mistakes{end}")?;
            world.err.flush()?;
        }
        Ok(())
    }

    fn take(&mut self, done: &RowDone, tell: bool, world: &mut World<'_>) -> Result<()> {
        let sum = match done.what {
            Verdict::Create => &mut self.sums.created,
            Verdict::Change => &mut self.sums.changed,
            Verdict::Nothing => &mut self.sums.same,
            Verdict::Error => &mut self.sums.wrong,
        };
        *sum += 1;
        if !tell && done.what != Verdict::Error {
            return Ok(());
        }
        if let Some(report) = &mut self.report {
            writeln!(report, "{}", serde_json::to_string(done)?)?;
        }
        let who = printable(&done.who);
        match done.what {
            Verdict::Create => writeln!(world.out, "row {}: create {who}", done.row)?,
            Verdict::Change => {
                writeln!(world.out, "row {}: change {who}: {}", done.row, done.attributes.join(", "))?;
            }
            Verdict::Nothing => writeln!(world.out, "row {}: nothing {who}", done.row)?,
            Verdict::Error => {
                for flaw in &done.findings {
                    let place =
                        if flaw.place.is_empty() { String::new() } else { format!("{}: ", flaw.place) };
                    let said = printable(&format!("{place}{}", flaw.detail));
                    writeln!(world.out, "row {}: error {who}: {said}", done.row)?;
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, world: &mut World<'_>, what: &str) -> Result<()> {
        if let Some(report) = self.report.take() {
            report.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        }
        let Sums { created, changed, same, wrong } = self.sums;
        writeln!(
            world.err,
            "{what}: {created} new, {changed} changed, {same} as they are to be, {wrong} with mistakes."
        )?;
        Ok(())
    }
}

fn wrong(row: u64, who: &str, findings: Vec<Flaw>) -> RowDone {
    let attributes = Vec::new();
    RowDone { row, what: Verdict::Error, who: who.to_owned(), id: None, attributes, findings }
}

fn value_of(cells: &[(String, String)], column: &str) -> Option<String> {
    let found = cells.iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(column));
    found.map(|(_, text)| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn key_of(cells: &[(String, String)], by: By) -> Option<String> {
    match by {
        By::UserName => value_of(cells, "userName").or_else(|| value_of(cells, "email")),
        By::EmployeeNumber => value_of(cells, "employeeNumber"),
        By::ExternalId => value_of(cells, "externalId"),
    }
}

/// What a file says, without what would move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
