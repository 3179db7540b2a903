//! The disk itself: records appended to a file, with one `fdatasync` for each, or for as many as there are clients.
//!
//! No store can be quicker on this disk than its flushes; how many it can share among clients is what group commit is about.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::BenchError;
use super::meter;
use super::sum::Sum;

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
