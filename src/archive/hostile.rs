//! What must hold of whatever arrives as a backup or an export: the body of a fuzz target, as those in `idp::hostile` (R35).
//!
//! Compiled for tests only; a broken promise panics.

use super::{Header, Row, Shape, frames, lines, rows};
use crate::store::kv::Table;

/// Most rows that are written back in one run.
const ROWS_MAX: usize = 1000;

/// Any bytes are read to an end or refused; what is read whole is written and read back as the same; what is written is refused once it is cut.
pub fn backup(bytes: &[u8]) {
    for shape in [Shape::Backup, Shape::Lines] {
        if let Some((header, found)) = read(bytes, shape)
            && found.len() <= ROWS_MAX
        {
            let again = write(&header, &found, shape);
            assert_eq!(read(&again, shape), Some((header, found)), "written and read back");
            let cut = again.get(..again.len().saturating_sub(1)).unwrap_or_default();
            assert_eq!(read(cut, shape), None, "cut, and read");
        }
    }
}

/// Reads a file to its end.
fn read(bytes: &[u8], shape: Shape) -> Option<(Header, Vec<Row>)> {
    let mut rows = rows(bytes, shape).ok()?;
    let mut found = Vec::new();
    loop {
        match rows.next_row() {
            Ok(Some(row)) => found.push(row),
            Ok(None) => return Some((rows.header().clone(), found)),
            Err(_) => return None,
        }
    }
}

/// Writes rows; they are short, so that they can be written.
fn write(header: &Header, rows: &[Row], shape: Shape) -> Vec<u8> {
    let mut out = Vec::new();
    let written = match shape {
        Shape::Backup => frames::Writer::begin(&mut out, header).and_then(|mut writer| {
            each(rows, |table, key, value| writer.row(table, key, value))?;
            writer.finish()
        }),
        Shape::Lines => lines::Writer::begin(&mut out, header).and_then(|mut writer| {
            each(rows, |table, key, value| writer.row(table, key, value))?;
            writer.finish()
        }),
    };
    assert!(written.is_ok(), "{written:?}");
    out
}

fn each<E>(rows: &[Row], mut write: impl FnMut(Table, &[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
    rows.iter().try_for_each(|row| write(row.table, &row.key, &row.value))
}
