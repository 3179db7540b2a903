//! What the kernel says of a process and a folder.
//!
//! CPU time is `utime + stime` of `/proc/PID/stat`: all threads, also those that have ended, at a resolution of one clock tick
//! (10 ms), which a window of a second resolves to one per cent of a core.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// What a process has used since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// CPU time, its own and the kernel's on its behalf.
    pub(super) cpu: Duration,
    /// Bytes that it caused to be written to the disk.
    pub(super) written: u64,
}

/// Reads what a process has used; nothing when it has gone, which shows elsewhere.
pub(super) fn used(pid: u32) -> Used {
    let cpu = fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|stat| cpu(&stat));
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok();
    let written = io.and_then(|io| labelled(&io, "write_bytes:")).unwrap_or_default();
    Used { cpu: cpu.unwrap_or_default(), written }
}

/// Reads what a process has used together with those that it started, whether they still run or not. What was written is not known of those that have ended.
pub(super) fn used_by_family(pid: u32) -> Used {
    let stat = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let alone = |pid: u32| cpu(&stat(pid)).unwrap_or_default();
    let ended = ticks(&stat(pid), 13).unwrap_or_default();
    let alive: Duration = children(pid).into_iter().map(alone).sum();
    Used { cpu: alone(pid) + ended + alive, written: 0 }
}

/// Lists the processes that a process started, and that have not ended.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Reads how much CPU time this thread has used, to the nanosecond.
pub(super) fn cpu_of_this_thread() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// Reads how many KiB of memory a process holds, now and at its most.
pub(super) fn memory_kib(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let read = |label| labelled(&status, label).unwrap_or_default();
    (read("VmRSS:"), read("VmHWM:"))
}

/// Sets the most that a process held to what it holds now. Tells whether the kernel allows that.
pub(super) fn forget_peak(pid: u32) -> bool {
    const PEAK: &str = "5";
    fs::write(format!("/proc/{pid}/clear_refs"), PEAK).is_ok()
}

/// Adds up what a folder takes on the disk.
pub(super) fn folder_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        // The unit of st_blocks is 512 bytes, whatever the file system's.
        bytes += if found.is_dir() { folder_bytes(&entry.path())? } else { found.blocks() * 512 };
    }
    Ok(bytes)
}

/// Tells whether a folder lies in memory, where nothing is durable.
pub(super) fn is_in_memory(folder: &Path) -> bool {
    const TMPFS: i128 = 0x0102_1994;
    rustix::fs::statfs(folder).is_ok_and(|found| i128::from(found.f_type) == TMPFS)
}

/// Says what the machine is: its processor and how many of them this process may use.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name.trim());
    format!("{cores} × {model}")
}

/// Returns the load average of the last minute, as the kernel writes it.
pub(super) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Finds user and system time in `/proc/PID/stat`. The program's name may hold spaces and brackets, so it is skipped from behind.
fn cpu(stat: &str) -> Option<Duration> {
    ticks(stat, 11)
}

/// Adds the two fields that are so many behind the name.
fn ticks(stat: &str, place: usize) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(place);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Some(Duration::from_nanos(ticks.saturating_mul(1_000_000_000 / per_second)))
}

fn labelled(text: &str, label: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(label))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_name_with_brackets() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 3 0 1 2 3";
        let ticks = 200_000_000_000 / rustix::param::clock_ticks_per_second();
        assert_eq!(cpu(stat), Some(Duration::from_nanos(ticks)));
        assert_eq!(super::ticks(stat, 13), Some(Duration::ZERO));
    }

    #[test]
    fn what_children_used_is_counted_while_they_run_and_afterwards() {
        let before = used_by_family(std::process::id()).cpu;
        let mut busy = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        assert!(children(std::process::id()).contains(&busy.id()) || children(busy.id()).is_empty());
        let pid = busy.id();
        while used(pid).cpu < Duration::from_millis(50) {
            std::thread::yield_now();
        }
        busy.kill().unwrap();
        busy.wait().unwrap();
        assert!(used_by_family(std::process::id()).cpu >= before + Duration::from_millis(50));
    }

    #[test]
    fn this_process_uses_memory() {
        let (now, most) = memory_kib(std::process::id());
        assert!(now > 0 && most >= now);
    }
}
