//! `rosterd export`: its arguments, and how it runs.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use csv::WriterBuilder;
use serde_json::Value;

use super::import::{Format, is_guarded};
use super::operator::Operator;
use super::settings::SettingsArgs;
use super::{Exit, World, unexpected};
use crate::roster::{PEOPLE_COLUMNS, PeopleAnswer, PeopleAsk, Row, SoFar, is_money_column};

/// People that are asked for at a time.
const PAGE_ROWS: usize = 500;

/// What to write, and whither.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd export --tenant acme --format csv > people.csv
  rosterd export --tenant acme --format json --financials --out people.json")]
pub struct ExportArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Whose people.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub tenant: String,
    /// As what.
    #[arg(long, value_enum, default_value = "csv")]
    pub format: Format,
    /// With what people cost and are billed at.
    #[arg(long)]
    pub financials: bool,
    /// The path of one more attribute to write; several with commas.
    #[arg(long = "attribute", value_name = "PATH", value_delimiter = ',')]
    pub attributes: Vec<String>,
    /// Write to this file (mode 0600) instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &ExportArgs, world: &mut World<'_>) -> Result<Exit> {
    let operator = Operator::reach(&args.settings, world)?;
    let ask = |after, so_far| -> Result<(Vec<Row>, Option<_>, u64)> {
        let asked = PeopleAsk::Page {
            after,
            limit: PAGE_ROWS,
            financials: args.financials,
            more: args.attributes.clone(),
            so_far,
        };
        let PeopleAnswer::Page { rows, next, head } = operator.people(&args.tenant, asked)? else {
            return Err(unexpected());
        };
        Ok((rows, next, head))
    };
    // The first page before the file, so that a mistake in what was typed leaves no empty one behind.
    let mut page = ask(None, None)?;
    let first_head = page.2;
    let mut file = match &args.out {
        Some(path) => {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            Some(BufWriter::new(options.open(path).with_context(|| path.display().to_string())?))
        }
        None => None,
    };
    let mut people = 0_u64;
    let out: &mut dyn Write = match &mut file {
        Some(file) => file,
        None => world.out,
    };
    let columns: Vec<&str> = PEOPLE_COLUMNS
        .iter()
        .copied()
        .filter(|column| args.financials || !is_money_column(column))
        .chain(args.attributes.iter().map(String::as_str))
        .collect();
    match args.format {
        Format::Csv => write_csv(out, &columns, std::iter::empty(), true)?,
        Format::Json => out.write_all(b"[")?,
    }
    let head = loop {
        let (rows, next, head) = page;
        match args.format {
            Format::Csv => write_csv(out, &columns, rows.iter(), false)?,
            Format::Json => {
                for (place, row) in rows.iter().enumerate() {
                    let before = if people == 0 && place == 0 { "\n" } else { ",\n" };
                    write!(out, "{before}{}", serde_json::to_string(&Value::from(row.clone()))?)?;
                }
            }
        }
        people += rows.len() as u64;
        let Some(after) = next else { break head };
        page = ask(Some(after), Some(SoFar { people, head: first_head }))?;
    };
    if args.format == Format::Json {
        out.write_all(b"\n]\n")?;
    }
    out.flush()?;
    if let Some(file) = file {
        file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    }
    writeln!(world.err, "{people} people written")?;
    if head != first_head {
        writeln!(
            world.err,
            "note: the roster changed while it was read; each person is whole, but not all are of one moment"
        )?;
    }
    Ok(Exit::Done)
}

fn write_csv<'r>(
    out: &mut dyn Write,
    columns: &[&str],
    rows: impl Iterator<Item = &'r Row>,
    with_header: bool,
) -> Result<()> {
    let mut writer = WriterBuilder::new().from_writer(out);
    if with_header {
        writer.write_record(columns)?;
    }
    for row in rows {
        let cell = |column: &&str| {
            let text = row.cells.iter().find(|(name, _)| name == column).map_or("", |(_, text)| text);
            // A spreadsheet computes what begins so.
            if is_guarded(text) { format!("'{text}") } else { text.to_owned() }
        };
        writer.write_record(columns.iter().map(cell))?;
    }
    writer.flush()?;
    Ok(())
}
