//! How much memory the store's cache may take where the settings leave that to the machine.

use std::fs;

use crate::config::Config;

/// What is taken where nothing is known of the machine, and the least that is.
const LEAST_BYTES: usize = 64 << 20;
/// The most: a directory of two million people fits into it, but for its history.
const MOST_BYTES: usize = 4 << 30;
/// Which part of the memory.
const PART: usize = 8;

/// Returns the size of the page cache: what `store.cache_mib` says, or a part of the memory that the process may use.
pub fn cache_bytes(config: &Config) -> usize {
    match config.store.cache_bytes() {
        0 => part_of(usable()),
        said => said,
    }
}

fn part_of(usable: Option<usize>) -> usize {
    usable.map_or(LEAST_BYTES, |bytes| bytes / PART).clamp(LEAST_BYTES, MOST_BYTES)
}

/// The machine's memory, or what the container may have of it. A container that sits deeper than its own root is read as the machine.
fn usable() -> Option<usize> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let container = limits.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok()).min();
    machine.into_iter().chain(container).min()
}

/// Reads the line `MemTotal:  16384 kB`.
fn total(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_a_part_of_the_memory_within_bounds() {
        assert_eq!(part_of(None), LEAST_BYTES);
        assert_eq!(part_of(Some(256 << 20)), LEAST_BYTES);
        assert_eq!(part_of(Some(2 << 30)), 256 << 20);
        assert_eq!(part_of(Some(24 << 30)), 3 << 30);
        assert_eq!(part_of(Some(64 << 30)), MOST_BYTES);
    }

    #[test]
    fn what_the_system_says_of_its_memory_is_read() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       16384 kB\n"), Some(16 << 20));
        for other in ["", "MemTotal: many kB", "MemTotal: 12 MB"] {
            assert_eq!(total(other), None);
        }
        #[cfg(target_os = "linux")]
        assert!(usable().is_some_and(|bytes| bytes > 64 << 20));
    }
}
