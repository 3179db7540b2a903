//! rosterd as a process: what only the whole program on a real system can show.
//!
//! `starting` and `stopping` (R5, R6, R29, X65), `reload` (R28, R32), `descriptors` (R26), `failing` (R8, R27, R33), `bounds` (X7, X30),
//! `secrets` (X1, X12, X61, X62), `seclusion` (X66, X71), `schedules` (R15), `schemas` (S185), `plugins` and `mapped` (R31, X56), `demo`, `bench`.

mod bench;
mod bounds;
mod demo;
mod descriptors;
mod failing;
#[cfg(feature = "plugins")]
mod mapped;
#[cfg(feature = "plugins")]
mod plugins;
mod reload;
mod schedules;
mod schemas;
mod seclusion;
mod secrets;
mod starting;
mod stopping;
mod tunnel;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

/// Longest wait for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes a home for a daemon.
fn home() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().unwrap())
}

/// Reads a number of KiB from `/proc/PID/status`.
fn status_kib(process: u32, field: &str) -> u64 {
    let line = status_line(process, field);
    line.trim_end_matches(" kB").trim().parse().unwrap_or_else(|_| panic!("{field}: {line}"))
}

/// Reads a field of `/proc/PID/status`.
fn status_line(process: u32, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {status}")).trim().to_owned()
}

/// Returns how much processor time a process has used.
fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name in brackets may hold spaces; user and system time are the 12th and 13th field after it, in hundredths.
    let fields: Vec<u64> =
        stat.rsplit_once(')').unwrap().1.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    Duration::from_millis((fields[11] + fields[12]) * 10)
}

/// Lists everything below a folder.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        }
        found.push(path);
    }
    found
}

/// Returns which of the texts stand in the bytes.
fn found_in<'t>(bytes: &[u8], texts: &[&'t str]) -> Vec<&'t str> {
    let holds =
        |text: &str| bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()));
    texts.iter().copied().filter(|text| holds(text)).collect()
}
