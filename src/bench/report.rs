//! The figures as a person reads them.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::figures::{Conditions, Figures, Footprint, Goal, Opened, Row, Storage};
use super::which::Engine;

/// How often the journal flushes for one durable batch. What it makes room with, and what the tree flushes for many batches, is not counted.
const FLUSHES_PER_BATCH: f64 = 1.0;

/// The most of a p99 that may be the sender's own lateness, before one is told.
const SENDER_SHARE_MAX: f64 = 0.25;
/// The least of a pace that is that pace.
const PACE_SHARE_MIN: f64 = 0.98;

/// Writes the whole report.
pub fn write(figures: &Figures, out: &mut dyn Write) -> io::Result<()> {
    conditions(&figures.run, out)?;
    for load in &figures.left_out {
        writeln!(out, "! {load}")?;
    }
    writeln!(out, "\n{}\n", rows(&figures.rows))?;
    for row in &figures.rows {
        pace(row, &figures.run, out)?;
    }
    for daemon in &figures.daemons {
        footprint(daemon, out)?;
    }
    if let Some(found) = &figures.storage {
        storage(found, out)?;
    }
    writeln!(
        out,
        "CPU is the server process's alone, from the kernel. Flushes are counted from the store's own count of commits, one for each."
    )?;
    writeln!(out, "\n{}", goals(&figures.goals))
}

fn conditions(run: &Conditions, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "rosterd {} on {}, {}", run.version, run.machine, run.ended)?;
    writeln!(
        out,
        "{} users, a group of {} members, {} turns of {} s each; load average before: {}",
        run.users, run.members, run.turns, run.seconds, run.load_average_before
    )?;
    if run.engine == Engine::Postgres {
        writeln!(out, "The daemons keep their people in PostgreSQL, on the same disk.")?;
    }
    if !run.optimised {
        writeln!(out, "! This build is not optimised: only a release build's figures mean anything.")?;
    }
    if run.folder_in_memory {
        writeln!(out, "! The folder lies in memory: nothing was durable. Name one on a disk by --data.")?;
    }
    Ok(())
}

fn rows(rows: &[Row]) -> Table {
    let mut header = vec![
        "load",
        "who",
        "conns",
        "per s",
        "p50 µs",
        "p99 µs",
        "CPU µs each",
        "units per commit",
        "flushes each",
        "KB written each",
    ];
    let paced = rows.iter().any(|row| row.sender_behind.is_some());
    if paced {
        header.push("sender behind µs: p99, most");
    }
    let mut table = table(&header);
    let mut last = String::new();
    for row in rows {
        let case = row.case.to_string();
        let shown = if case == last { String::new() } else { case.clone() };
        last = case;
        let units = row.written.as_ref().map(|written| written.units_per_batch);
        let flushes = match row.who {
            super::figures::Who::Append => units.map(|units| 1.0 / units),
            _ => units.map(|units| FLUSHES_PER_BATCH / units),
        };
        let bytes = row.written.as_ref().and_then(|written| written.bytes_per_request);
        let mut cells = vec![
            shown,
            row.who.name().to_owned(),
            row.case.connections.to_string(),
            format!("{:.0}", row.per_second),
            format!("{:.0}", row.p50_us),
            format!("{:.0}", row.p99_us),
            some(row.cpu_us, 1),
            some(units, 1),
            some(flushes, 2),
            some(bytes.map(|bytes| bytes / 1e3), 1),
        ];
        if paced {
            cells.push(
                row.sender_behind.as_ref().map_or_else(String::new, |behind| {
                    format!("{:.0}, {:.0}", behind.p99_us, behind.most_us)
                }),
            );
        }
        table.add_row(cells);
    }
    right_from(&mut table, 2);
    table
}

/// Says of an open loop whether it was one: a sender that was behind shows in the latencies as a slow daemon would.
fn pace(row: &Row, run: &Conditions, out: &mut dyn Write) -> io::Result<()> {
    let Some(behind) = &row.sender_behind else { return Ok(()) };
    writeln!(
        out,
        "{}: {} requests a second were due for {} s a turn, and latencies count from when each was due.",
        row.case, run.rate, run.steady_seconds
    )?;
    if behind.p99_us > row.p99_us * SENDER_SHARE_MAX {
        writeln!(
            out,
            "! The sender itself was behind by up to {:.1} ms (p99 {:.1} ms): these latencies are as much its own as the daemon's.",
            behind.most_us / 1e3,
            behind.p99_us / 1e3
        )?;
    }
    if row.per_second < f64::from(run.rate) * PACE_SHARE_MIN {
        writeln!(
            out,
            "! Only {:.0} a second were answered while they were due: the daemon did not keep the pace.",
            row.per_second
        )?;
    }
    Ok(())
}

fn footprint(daemon: &Footprint, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{} users{}: memory {} empty, {} with the users, {} at the end, {} at the most",
        daemon.users,
        super::goals::with(daemon.beside),
        kib(daemon.idle_empty_kib),
        kib(daemon.idle_kib),
        kib(daemon.end_kib),
        kib(daemon.peak_kib)
    )?;
    writeln!(
        out,
        "  disk {} before, {} after, with {} users then; started in {:.0} ms, stopped in {:.0} ms; filled at {:.0} users per s",
        bytes(daemon.disk_bytes),
        bytes(daemon.disk_bytes_at_end),
        daemon.users_at_end,
        daemon.ready_ms,
        daemon.stop_ms,
        daemon.preload_per_second
    )
}

fn storage(found: &Storage, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{} users on a folder of their own: {} of JSON sent, {} on the disk after the creates, {} after as many PATCHes",
        found.users,
        bytes(found.raw_json_bytes),
        bytes(found.after_creates_bytes),
        bytes(found.after_patches_bytes)
    )?;
    for (after, opened) in [("a stop", &found.after_stop), ("a kill", &found.after_kill)] {
        let shown = |which: fn(&Opened) -> f64| {
            let shown: Vec<String> = opened.iter().map(|one| format!("{:.0}", which(one))).collect();
            shown.join(", ")
        };
        writeln!(
            out,
            "  after {after}: ready in {} ms, of the store alone {} ms",
            shown(|one| one.ready_ms),
            shown(|one| one.store_ms)
        )?;
    }
    Ok(())
}

fn goals(goals: &[Goal]) -> Table {
    let mut table = table(&["goal", "what", "must", "hoped for", "figure", "turns", "reached"]);
    for goal in goals {
        table.add_row([
            goal.row.to_owned(),
            goal.what.clone(),
            goal.must.to_string(),
            goal.hoped.to_string(),
            goal.figure.map_or_else(|| "–".to_owned(), |figure| goal.must.show(figure)),
            goal.spread.map_or_else(String::new, |(low, high)| {
                format!("{} to {}", goal.must.show(low), goal.must.show(high))
            }),
            match goal.reached {
                Some(true) => "yes",
                Some(false) => "NO",
                None => "–",
            }
            .to_owned(),
        ]);
    }
    table
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.to_vec());
    table
}

fn right_from(table: &mut Table, first: usize) {
    for column in table.column_iter_mut().skip(first) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn some(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(String::new, |figure| format!("{figure:.digits$}"))
}

#[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
fn bytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn kib(kib: u64) -> String {
    bytes(kib.saturating_mul(1024))
}
