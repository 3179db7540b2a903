//! The disk itself: records appended to a file, with one `fdatasync` for each, or for as many as there are clients.
//!
//! No store can be quicker on this disk than its flushes; how many it can share among clients is what group commit is about.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::BenchError;
use super::load::Volley;
use super::meter::{self, Used};
use super::pace::{Agenda, Pace, writes_alone};
use super::sum::Sum;

/// What a record is rounded up to.
const BLOCK: usize = 4 << 10;

/// Appends groups of records to a file in the folder for a while, each group made durable at once.
pub(super) fn append_loop(
    sum: &mut Sum,
    folder: &Path,
    record_bytes: usize,
    group: usize,
    window: Duration,
) -> Result<(), BenchError> {
    let file = folder.join("append");
    let named = || BenchError::system(format!("append to {}", file.display()));
    let mut open = File::options().create(true).append(true).open(&file).map_err(named())?;
    let record = vec![b'r'; record_bytes];
    let started = Instant::now();
    while started.elapsed() < window {
        let (begun, cpu) = (Instant::now(), meter::cpu_of_this_thread());
        for _ in 0..group {
            open.write_all(&record).map_err(named())?;
        }
        open.sync_data().map_err(named())?;
        sum.flush(group, begun.elapsed(), meter::cpu_of_this_thread().saturating_sub(cpu));
    }
    sum.end_turn();
    Ok(())
}

/// Room that records are written into again and again: what has its blocks already needs no other write to be durable, as the daemon's journal.
const ROOM: u64 = 4 << 20;

/// Writes and flushes what an agenda's writing requests are due for, at its pace, with nothing else beside.
pub(super) fn paced(
    folder: &Path,
    record_bytes: usize,
    agenda: &dyn Agenda,
    pace: Pace,
) -> Result<Volley<Used>, BenchError> {
    let file = folder.join("paced");
    let named = || BenchError::system(format!("write to {}", file.display()));
    let mut open = File::options().create(true).truncate(true).write(true).open(&file).map_err(named())?;
    open.write_all(&vec![0; usize::try_from(ROOM).unwrap_or_default()]).map_err(named())?;
    open.sync_all().map_err(named())?;
    // As the daemon's records do, each begins with a block of its own.
    let room = record_bytes.next_multiple_of(BLOCK) as u64;
    let (record, mut at) = (vec![b'r'; record_bytes], 0);
    let (cpu, started) = (meter::cpu_of_this_thread(), Used::default());
    let Volley { elapsed, requests, latency, .. } = writes_alone(agenda, pace, |records| {
        for _ in 0..records {
            open.write_all_at(&record, at).map_err(named())?;
            at = (at + room) % (ROOM - room);
        }
        open.sync_data().map_err(named())
    })?;
    let ended = Used { cpu: meter::cpu_of_this_thread().saturating_sub(cpu), ..Used::default() };
    Ok(Volley { elapsed, requests, latency, probed: (started, ended) })
}
