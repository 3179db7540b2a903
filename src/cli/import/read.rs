//! Files of people, row by row: CSV with a header, a list of JSON objects, or a JSON object a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use csv::{ByteRecord, Reader, ReaderBuilder};
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Format;
use crate::roster::Flaw;

/// Largest file.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Longest row.
const ROW_BYTES_MAX: usize = 64 << 10;
/// Most rows.
const ROWS_MAX: u64 = 1_000_000;
/// Most columns.
const COLUMNS_MAX: usize = 256;

/// What a row says, by column, or why it cannot be read.
pub type Cells = Result<Vec<(String, String)>, Flaw>;
/// Who is given the rows.
type Take<'t> = dyn FnMut(u64, Cells) -> Result<()> + 't;

fn open(path: &Path) -> Result<BufReader<File>> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("{shown}: expected a file with people"))?;
    let about = file.metadata()?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        bail!("{shown}: expected a file of at most {FILE_BYTES_MAX} bytes; take a larger one in parts");
    }
    let mut reader = BufReader::new(file);
    if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    Ok(reader)
}

fn csv_reader(path: &Path, delimiter: char) -> Result<Reader<impl Read>> {
    let delimiter = u8::try_from(delimiter).ok().filter(u8::is_ascii);
    let delimiter = delimiter.context("--delimiter: expected one ASCII character, as in ; or ,")?;
    // A file that grows meanwhile ends where it may.
    let bounded = open(path)?.take(FILE_BYTES_MAX);
    Ok(ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(bounded))
}

/// Reads the header of a CSV file.
pub fn header(path: &Path, delimiter: char) -> Result<Vec<String>> {
    let mut reader = csv_reader(path, delimiter)?;
    let header = reader.byte_headers().with_context(|| path.display().to_string())?;
    if header.is_empty() || header.len() > COLUMNS_MAX || header.as_slice().len() > ROW_BYTES_MAX {
        bail!("{}: expected a header of 1 to {COLUMNS_MAX} columns, found {}", path.display(), header.len());
    }
    let texts = header.iter().map(|name| std::str::from_utf8(name).map(|name| name.trim().to_owned()));
    texts
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("{}: expected a header in UTF-8", path.display()))
}

/// Hands over the rows of a file.
pub fn each(path: &Path, format: Format, delimiter: char, take: &mut Take<'_>) -> Result<()> {
    let mut counted = |number: u64, cells: Cells| {
        if number > ROWS_MAX {
            bail!("{}: expected at most {ROWS_MAX} rows; take more in parts", path.display());
        }
        take(number, cells)
    };
    match format {
        Format::Csv => each_line(path, delimiter, &mut counted),
        Format::Json => each_object(path, &mut counted),
    }
}

fn each_line(path: &Path, delimiter: char, take: &mut Take<'_>) -> Result<()> {
    let columns = header(path, delimiter)?;
    let mut reader = csv_reader(path, delimiter)?;
    let mut record = ByteRecord::new();
    // The header is row 1, as spreadsheets count.
    let mut number = 1;
    while reader.read_byte_record(&mut record).with_context(|| path.display().to_string())? {
        number += 1;
        take(number, line(&columns, &record))?;
    }
    Ok(())
}

fn line(columns: &[String], record: &ByteRecord) -> Cells {
    if record.as_slice().len() > ROW_BYTES_MAX {
        return Err(Flaw::at("", format!("expected at most {ROW_BYTES_MAX} bytes in a row, found more")));
    }
    if record.len() != columns.len() {
        let detail = format!("expected {} cells as in the header, found {}", columns.len(), record.len());
        return Err(Flaw::at("", detail));
    }
    let mut cells = Vec::with_capacity(columns.len());
    for (column, bytes) in columns.iter().zip(record) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(Flaw::at(column, "expected text in UTF-8, found other bytes"));
        };
        cells.push((column.clone(), unguarded(text).to_owned()));
    }
    Ok(cells)
}

/// Takes away what an export puts in front of a cell that a spreadsheet would compute.
fn unguarded(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_guarded(rest) => rest,
        _ => text,
    }
}

/// Tells whether a spreadsheet would take a cell for more than a text, or for a guarded one.
pub fn is_guarded(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\''])
}

fn each_object(path: &Path, take: &mut Take<'_>) -> Result<()> {
    let mut reader = open(path)?.take(FILE_BYTES_MAX);
    loop {
        let next = reader.fill_buf()?.iter().find(|byte| !byte.is_ascii_whitespace()).copied();
        match next {
            Some(b'[') => break,
            None if !reader.fill_buf()?.is_empty() => {
                let length = reader.fill_buf()?.len();
                reader.consume(length);
            }
            _ => {
                let stream = serde_json::Deserializer::from_reader(reader).into_iter::<Box<RawValue>>();
                for (number, object) in (1..).zip(stream) {
                    let object = object.with_context(|| path.display().to_string())?;
                    take(number, object_cells(&object))?;
                }
                return Ok(());
            }
        }
    }
    let mut failed = None;
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let list = List { take, failed: &mut failed };
    let ended = list.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match failed {
        Some(error) => Err(error),
        None => ended.with_context(|| path.display().to_string()),
    }
}

/// Reads a list element by element, so that it is never in memory as a whole.
struct List<'a, 't> {
    take: &'a mut Take<'t>,
    /// Why the taker stopped.
    failed: &'a mut Option<anyhow::Error>,
}

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(object) = list.next_element::<Box<RawValue>>()? {
            number += 1;
            if let Err(error) = (self.take)(number, object_cells(&object)) {
                *self.failed = Some(error);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

fn object_cells(object: &RawValue) -> Cells {
    if object.get().len() > ROW_BYTES_MAX {
        return Err(Flaw::at("", format!("expected at most {ROW_BYTES_MAX} bytes in a row, found more")));
    }
    let Ok(Value::Object(members)) = serde_json::from_str(object.get()) else {
        return Err(Flaw::at("", "expected an object, with a member for each column"));
    };
    let mut cells = Vec::new();
    for (name, value) in members {
        flat(name, value, &mut cells)?;
    }
    if cells.len() > COLUMNS_MAX {
        return Err(Flaw::at("", format!("expected at most {COLUMNS_MAX} members, found {}", cells.len())));
    }
    Ok(cells)
}

/// Writes a member as cells: parts of an object are named with a point, elements of a list stand between semicolons.
fn flat(name: String, value: Value, cells: &mut Vec<(String, String)>) -> Result<(), Flaw> {
    match value {
        Value::Object(parts) => {
            for (part, value) in parts {
                flat(format!("{name}.{part}"), value, cells)?;
            }
        }
        Value::Array(elements) => {
            let texts = elements.into_iter().map(scalar).collect::<Option<Vec<_>>>();
            let texts = texts.ok_or_else(|| {
                Flaw::at(&name, "expected a list of texts, as in [\"Consultant\", \"Lead@North\"]")
            })?;
            cells.push((name, texts.join(";")));
        }
        value => cells.push((name, scalar(value).unwrap_or_default())),
    }
    Ok(())
}

fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}
