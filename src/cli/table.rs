//! Tables for people, and the way a list is printed: as a table, or as JSON for programs.

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;

use super::World;

/// Prints a list as JSON, one line for each, or as a table.
pub fn print<T: Serialize, const N: usize>(
    world: &mut World<'_>,
    json: bool,
    items: &[T],
    columns: [&str; N],
    cells: impl Fn(&T) -> [String; N],
) -> Result<()> {
    if json {
        for item in items {
            writeln!(world.out, "{}", serde_json::to_string(item)?)?;
        }
    } else if items.is_empty() {
        writeln!(world.err, "none")?;
    } else {
        let mut table = with_columns(columns);
        for item in items {
            table.add_row(cells(item));
        }
        writeln!(world.out, "{table}")?;
    }
    Ok(())
}

/// Begins a table without lines but the one under its head.
pub fn with_columns<const N: usize>(columns: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(columns);
    table
}

/// Writes an instant to the second, or a dash for none.
pub fn instant(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}
