//! Who goes next where several want to change the same thing at once (R18).
//!
//! A rule whose facts changed meanwhile is asked again, and may lose again: whoever is woken a little later than the others, each time. So
//! who lost gets in line for the thing that was lost, and holds the turn until its unit is written; who comes and finds a line there gets in too. Then
//! the head of a line loses to nobody but those who were on their way to the store before it was called. As long as nobody loses there are no
//! lines, and nothing is looked up.
//!
//! A line is an order, not a lock: the store checks each unit as ever, and a rule that stands in no line is as correct as one that does. Rules that ask plugins have lines
//! of their own, so that taking access away, which asks none, never waits for a plugin.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot::{Receiver, Sender, channel};

use crate::ids::TenantId;
use crate::store::Given;

/// The lines. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// How many lines there are.
    count: AtomicUsize,
    /// Who waits, by line. Each line has somebody at its head, who is not among those who wait.
    waiting: Mutex<HashMap<Line, VecDeque<Sender<Turn>>>>,
    hasher: RandomState,
}

/// A line: what is wanted, and whether by rules that ask plugins. Two things of the same hash share one, which costs them time and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Line(u64);

/// The head of a line. Dropping it calls the next one.
#[derive(Debug)]
pub(super) struct Turn(Option<(Lines, Line)>);

impl Lines {
    /// Returns the line for what a fact is about; none for facts that whoever is asked again will hardly stand on again: then the name is taken,
    /// the last place given away.
    pub(super) fn line(&self, tenant: TenantId, lost: &Given, asks_plugins: bool) -> Option<Line> {
        let mut hasher = self.0.hasher.build_hasher();
        (tenant, asks_plugins).hash(&mut hasher);
        match lost {
            Given::Version(at, _) => at.hash(&mut hasher),
            Given::Members(group, _) => group.hash(&mut hasher),
            Given::Small(space, key, _) => (space, key).hash(&mut hasher),
            Given::Exists(_) | Given::Absent(_) | Given::Free(..) | Given::Room { .. } | Given::Unused(_) => {
                return None;
            }
        }
        Some(Line(hasher.finish()))
    }

    /// Returns the first line that somebody who stands on these facts should get into: one that there is.
    pub(super) fn ahead(&self, tenant: TenantId, given: &[Given], asks_plugins: bool) -> Option<Line> {
        if self.0.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let waiting = self.waiting();
        given
            .iter()
            .filter_map(|fact| self.line(tenant, fact, asks_plugins))
            .find(|line| waiting.contains_key(line))
    }

    /// Waits until it is one's turn; not at all where nobody is in the line.
    pub(super) async fn take(&self, line: Line) -> Turn {
        match self.enter(line) {
            // The other end is in the line until it is called.
            Some(called) => called.await.unwrap_or(Turn(None)),
            None => Turn(Some((self.clone(), line))),
        }
    }

    /// Gets in line; `None` for who is its head at once.
    fn enter(&self, line: Line) -> Option<Receiver<Turn>> {
        let mut waiting = self.waiting();
        if let Some(others) = waiting.get_mut(&line) {
            let (call, called) = channel();
            others.push_back(call);
            return Some(called);
        }
        waiting.insert(line, VecDeque::new());
        self.0.count.store(waiting.len(), Ordering::Relaxed);
        None
    }

    /// Makes the next one the head of a line, or ends the line.
    fn call(&self, line: Line) {
        loop {
            let mut waiting = self.waiting();
            let Some(next) = waiting.get_mut(&line).and_then(VecDeque::pop_front) else {
                waiting.remove(&line);
                self.0.count.store(waiting.len(), Ordering::Relaxed);
                return;
            };
            drop(waiting);
            match next.send(Turn(Some((self.clone(), line)))) {
                Ok(()) => return,
                // Whoever has gone away meanwhile does not take it.
                Err(mut unused) => unused.0 = None,
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Line, VecDeque<Sender<Turn>>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Tells whether it is the turn of this line.
    pub(super) fn is_of(&self, line: Line) -> bool {
        self.0.as_ref().is_some_and(|(_, mine)| *mine == line)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((lines, line)) = self.0.take() {
            lines.call(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Address, KindId, ResourceId};
    use crate::store::{Seq, wait};

    const ACME: TenantId = TenantId::new(1);

    fn version(person: u8, seq: u64) -> Given {
        Given::Version(Address { kind: KindId::USER, id: ResourceId::from_bytes([person; 16]) }, Seq(seq))
    }

    fn line(lines: &Lines, person: u8) -> Line {
        lines.line(ACME, &version(person, 1), false).unwrap()
    }

    #[test]
    fn r18_a_line_is_of_a_thing_whatever_its_version_of_one_tenant_and_of_rules_of_one_sort() {
        let lines = Lines::default();
        let ada = line(&lines, 1);
        assert_eq!(lines.line(ACME, &version(1, 2), false), Some(ada));
        assert_ne!(line(&lines, 2), ada);
        assert_ne!(lines.line(TenantId::new(2), &version(1, 1), false), Some(ada));
        assert_ne!(
            lines.line(ACME, &version(1, 1), true),
            Some(ada),
            "who asks plugins keeps nobody else waiting"
        );
    }

    #[test]
    fn r18_whoever_comes_while_there_is_a_line_finds_it_and_nobody_else_looks() {
        let lines = Lines::default();
        let facts = [version(2, 7), version(1, 7)];
        assert_eq!(lines.ahead(ACME, &facts, false), None);
        let turn = wait(lines.take(line(&lines, 1)));
        assert_eq!(lines.ahead(ACME, &facts, false), Some(line(&lines, 1)));
        assert_eq!(lines.ahead(ACME, &facts, true), None);
        assert!(turn.is_of(line(&lines, 1)) && !turn.is_of(line(&lines, 2)));
        drop(turn);
        assert_eq!(lines.ahead(ACME, &facts, false), None);
        assert!(lines.waiting().is_empty());
    }

    #[test]
    fn r18_turns_come_in_the_order_of_the_line_and_pass_over_whoever_has_gone() {
        let lines = Lines::default();
        let ada = line(&lines, 1);
        assert!(lines.enter(ada).is_none());
        let head = Turn(Some((lines.clone(), ada)));
        let [gone, second, third] = [(); 3].map(|()| lines.enter(ada).unwrap());
        drop(gone);
        let mut waiting = [second, third];
        assert!(waiting.iter_mut().all(|one| one.try_recv().unwrap().is_none()));
        drop(head);
        let [second, third] = &mut waiting;
        let turn = second.try_recv().unwrap().unwrap();
        assert!(third.try_recv().unwrap().is_none());
        drop(turn);
        // Called, and gone before it looked: the turn goes on, here to the end of the line.
        drop(waiting);
        assert!(lines.waiting().is_empty());
        assert_eq!(lines.0.count.load(Ordering::Relaxed), 0);
    }
}
