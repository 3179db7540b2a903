//! Which processors a thread runs on, so that who sends takes nothing from who is measured.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A half of this machine's processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    /// The server's.
    First,
    /// That of those who send.
    Second,
}

/// Keeps this thread, and what it starts meanwhile, on a half of the processors until it is dropped.
pub(super) struct Kept(CpuSet);

/// Keeps this thread on a half of its processors; `None`, and nothing changed, where there is but one.
pub(super) fn keep_to(half: Half) -> Option<Kept> {
    let all = sched_getaffinity(None).ok()?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
    let (first, second) = cores.split_at(cores.len() / 2);
    if first.is_empty() {
        return None;
    }
    let mut some = CpuSet::new();
    let wanted = if half == Half::First { first } else { second };
    wanted.iter().for_each(|core| some.set(*core));
    sched_setaffinity(None, &some).ok()?;
    Some(Kept(all))
}

impl Drop for Kept {
    fn drop(&mut self) {
        // It was allowed before.
        let _ = sched_setaffinity(None, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_kept_to_a_half_and_let_go_again() {
        let before = sched_getaffinity(None).unwrap();
        if let Some(kept) = keep_to(Half::Second) {
            assert!(sched_getaffinity(None).unwrap().count() < before.count());
            drop(kept);
        }
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
