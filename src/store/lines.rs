//! Units that wait to be written: a line for each tenant, and what goes into the next batch (R25).
//!
//! A tenant that is alone gets batches as large as they may be, since each costs a flush. Where several write, a batch has few of each and they come from
//! the lines by turns, so that one unit of a small tenant waits for no more than a moment of a large one's.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::ids::TenantId;

/// Most units in one batch.
const BATCH_UNITS_MAX: usize = 256;
/// Bytes of units at which a batch takes no more.
const BATCH_BYTES_MAX: usize = 2 << 20;
/// Most units of one tenant in a batch where several write. A unit costs the processor a third of a flush or more, and a lone unit waits for the batch
/// before its own as well: with two of a neighbour's in each it takes twice as long as alone, with four of them nearly four times.
const SHARED_UNITS_MAX: usize = 2;
/// Bytes at which such a batch takes no more.
const SHARED_BYTES_MAX: usize = 128 << 10;
/// How long batches stay short after a second tenant was last seen.
const COMPANY: Duration = Duration::from_secs(1);

/// What waits in a line.
pub(super) trait Waiting {
    /// Whose it is.
    fn tenant(&self) -> TenantId;
    /// About how many bytes it will write.
    fn bytes(&self) -> usize;
}

/// The lines.
#[derive(Debug)]
pub(super) struct Lines<J> {
    /// Whose turn it is first; no line is empty.
    by_turns: VecDeque<(TenantId, VecDeque<J>)>,
    /// A line that is empty, for whoever comes next.
    spare: VecDeque<J>,
    last: Option<TenantId>,
    company_until: Option<Instant>,
}

impl<J> Default for Lines<J> {
    fn default() -> Self {
        Self { by_turns: VecDeque::new(), spare: VecDeque::new(), last: None, company_until: None }
    }
}

impl<J: Waiting> Lines<J> {
    /// Puts something at the end of its tenant's line.
    pub(super) fn push(&mut self, job: J, now: Instant) {
        let tenant = job.tenant();
        // What the daemon writes for itself is no company.
        if tenant != TenantId::SYSTEM && self.last.replace(tenant).is_some_and(|last| last != tenant) {
            self.company_until = now.checked_add(COMPANY);
        }
        match self.by_turns.iter_mut().find(|(whose, _)| *whose == tenant) {
            Some((_, line)) => line.push_back(job),
            None => {
                let mut line = std::mem::take(&mut self.spare);
                line.push_back(job);
                self.by_turns.push_back((tenant, line));
            }
        }
    }

    /// Tells whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.by_turns.is_empty()
    }

    /// Takes what goes into the next batch: of each tenant in the order in which it came.
    pub(super) fn batch(&mut self, now: Instant) -> Vec<J> {
        let shared = self.company_until.is_some_and(|until| now < until);
        let (each, bytes_max) =
            if shared { (SHARED_UNITS_MAX, SHARED_BYTES_MAX) } else { (BATCH_UNITS_MAX, BATCH_BYTES_MAX) };
        let waiting: usize = self.by_turns.iter().map(|(_, line)| line.len()).sum();
        let mut batch = Vec::with_capacity(waiting.min(BATCH_UNITS_MAX));
        let mut bytes = 0_usize;
        for _ in 0..each {
            // One of each line, so that the first in each stands before the second in any.
            for _ in 0..self.by_turns.len() {
                if batch.len() >= BATCH_UNITS_MAX || bytes >= bytes_max {
                    return batch;
                }
                let Some((tenant, mut line)) = self.by_turns.pop_front() else { return batch };
                if let Some(job) = line.pop_front() {
                    bytes = bytes.saturating_add(job.bytes());
                    batch.push(job);
                }
                if !line.is_empty() {
                    self.by_turns.push_back((tenant, line));
                } else if line.capacity() <= BATCH_UNITS_MAX {
                    self.spare = line;
                }
            }
        }
        batch
    }

    /// Takes everything.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = J> {
        self.by_turns.drain(..).flat_map(|(_, line)| line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Job(u32, usize);

    impl Waiting for Job {
        fn tenant(&self) -> TenantId {
            TenantId::new(self.0)
        }

        fn bytes(&self) -> usize {
            self.1
        }
    }

    fn fill(lines: &mut Lines<Job>, tenant: u32, jobs: usize, now: Instant) {
        (0..jobs).for_each(|_| lines.push(Job(tenant, 100), now));
    }

    #[test]
    fn r25_a_tenant_that_is_alone_fills_a_batch() {
        let (mut lines, now) = (Lines::default(), Instant::now());
        fill(&mut lines, 1, 300, now);
        assert_eq!((lines.batch(now).len(), lines.batch(now).len(), lines.is_empty()), (256, 44, true));
    }

    #[test]
    fn r25_one_unit_of_a_small_tenant_is_in_the_next_batch_and_that_is_short() {
        let (mut lines, now) = (Lines::default(), Instant::now());
        fill(&mut lines, 1, 300, now);
        fill(&mut lines, 2, 1, now);
        let batch = lines.batch(now);
        assert_eq!(batch.len(), SHARED_UNITS_MAX + 1);
        assert_eq!(batch.iter().position(|job| job.0 == 2), Some(1));
        // Also the batches after it, in which the next one of the small tenant may want to be.
        assert_eq!(lines.batch(now).len(), SHARED_UNITS_MAX);
        assert_eq!(lines.batch(now + COMPANY).len(), BATCH_UNITS_MAX);
    }

    #[test]
    fn what_the_daemon_writes_for_itself_shortens_no_batch() {
        let (mut lines, now) = (Lines::default(), Instant::now());
        fill(&mut lines, 1, 30, now);
        fill(&mut lines, TenantId::SYSTEM.number(), 1, now);
        assert_eq!(lines.batch(now).len(), 31);
    }

    #[test]
    fn r25_many_tenants_with_a_unit_each_share_one_flush() {
        let (mut lines, now) = (Lines::default(), Instant::now());
        (1..=100).for_each(|tenant| fill(&mut lines, tenant, 1, now));
        assert_eq!((lines.batch(now).len(), lines.is_empty()), (100, true));
    }

    #[test]
    fn units_of_one_tenant_stay_in_their_order() {
        let (mut lines, now) = (Lines::default(), Instant::now());
        for number in 0..40 {
            lines.push(Job(1, number), now);
            lines.push(Job(2, number), now);
        }
        let mut written = Vec::new();
        while !lines.is_empty() {
            written.extend(lines.batch(now));
        }
        for tenant in [1, 2] {
            let numbers = written.iter().filter(|job| job.0 == tenant).map(|job| job.1);
            assert!(numbers.eq(0..40));
        }
    }

    #[test]
    fn a_large_unit_ends_a_batch_and_is_never_left_out() {
        let (mut lines, now) = (Lines::default(), Instant::now());
        lines.push(Job(1, BATCH_BYTES_MAX * 2), now);
        fill(&mut lines, 1, 3, now);
        assert_eq!((lines.batch(now).len(), lines.batch(now).len()), (1, 3));
    }
}
