//! What refers to each other in a circle (RFC 7644 §3.7.1, S162).
//!
//! Created first without the references within the circle, and then replaced by what was sent. When anything of it fails, what was made is
//! removed again: a circle is all there or not there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::commit::Job;
use super::super::edges::Edges;
use super::super::error::RosterError;
use super::super::view::Precondition;
use super::super::{Caller, Roster};
use super::{Done, SIDE_BY_SIDE_MAX, Work, failed};
use crate::ids::Address;
use crate::scim::Kind;
use crate::scim::bulk::Task;
use crate::scim::bulk::refs::Meaning;
use crate::store::Seq;

/// Most references within one circle. People's managers and nested groups come nowhere near; what does is not worth the time that
/// making it, and perhaps removing it again, would take everybody else (X33).
const REFERENCES_MAX: usize = 10_000;

/// Why operations of a circle failed, by their places.
type Failures = BTreeMap<usize, RosterError>;

/// A resource of a circle, made and perhaps not linked yet.
struct Half {
    place: usize,
    kind: Arc<Kind>,
    at: Address,
    version: Seq,
    /// What was sent, when references were left out of what was made.
    whole: Option<Task>,
}

impl Work<'_> {
    /// Creates what speaks of each other. All of it or nothing.
    pub(super) fn circle(&mut self, places: &[usize]) {
        let mut halves = Vec::with_capacity(places.len());
        let done = self.look(places).and_then(|tasks| {
            self.make(tasks, &mut halves)?;
            self.link(&mut halves)
        });
        match done {
            Ok(()) => {
                for half in halves {
                    self.answer(half.place, Some(half.at), Ok(Done::Created(half.version)));
                }
            }
            Err(failures) => self.give_up(places, &halves, failures),
        }
    }

    /// Looks whether anything speaks against the operations before one of them is begun.
    fn look(&self, places: &[usize]) -> Result<Vec<(usize, Task)>, Failures> {
        let within: BTreeSet<String> =
            places.iter().filter_map(|place| self.operations.get(*place)?.bulk_id.clone()).collect();
        let mut tasks = Vec::with_capacity(places.len());
        let mut failures = Failures::new();
        let spoken =
            places.iter().filter_map(|place| Some(&self.operations.get(*place)?.speaks_of)).flatten();
        let references = spoken.filter(|name| within.contains(*name)).count();
        if references > REFERENCES_MAX {
            let detail =
                format!("expected at most {REFERENCES_MAX} references in one circle, found {references}");
            return Err(places.iter().map(|place| (*place, RosterError::Unfit(detail.clone()))).collect());
        }
        for place in places {
            let Some(operation) = self.operations.get(*place) else { continue };
            let unmade = |name: &&String| !within.contains(*name) && !self.made.contains_key(*name);
            let missing = operation.speaks_of.iter().find(unmade).cloned();
            let task = operation.task.clone().map_err(RosterError::from);
            let sound = task.and_then(|task| {
                if !(self.goes_on)() {
                    return Err(RosterError::NotBegun);
                }
                self.permit(&task)?;
                missing.map_or(Ok(task), |name| Err(failed(&name)))
            });
            match sound {
                Ok(task) => tasks.push((*place, task)),
                Err(error) => {
                    failures.insert(*place, error);
                }
            }
        }
        if failures.is_empty() { Ok(tasks) } else { Err(failures) }
    }

    /// Makes the resources without what does not exist yet.
    fn make(&mut self, tasks: Vec<(usize, Task)>, halves: &mut Vec<Half>) -> Result<(), Failures> {
        let mut tasks = tasks.into_iter().peekable();
        while let Some((next, _)) = tasks.peek() {
            if !(self.goes_on)() {
                return Err([(*next, RosterError::NotBegun)].into());
            }
            let mut wholes = Vec::new();
            let mut wanted = Vec::new();
            for (place, task) in tasks.by_ref().take(SIDE_BY_SIDE_MAX) {
                let mut partly = task.clone();
                let mut left_out = false;
                partly.replace_references(&mut |name| {
                    let id = self.made.get(name);
                    left_out |= id.is_none();
                    id.map_or(Meaning::LeftOut, |id| Meaning::Id(*id))
                });
                wanted.push((place, Arc::clone(&task.kind), partly.data));
                wholes.push((place, Arc::clone(&task.kind), left_out.then_some(task)));
            }
            let mut made: BTreeMap<usize, _> = self.create_each(wanted).into_iter().collect();
            let mut failures = Failures::new();
            for (place, kind, whole) in wholes {
                match made.remove(&place) {
                    Some(Ok((at, version))) => {
                        let name = self.operations.get(place).and_then(|operation| operation.bulk_id.clone());
                        self.made.extend(name.map(|name| (name, at.id)));
                        halves.push(Half { place, kind, at, version, whole });
                    }
                    Some(Err(error)) => {
                        failures.insert(place, error);
                    }
                    None => {}
                }
            }
            if !failures.is_empty() {
                return Err(failures);
            }
        }
        Ok(())
    }

    /// Puts in what was left out, by replacing each resource by what was sent for it.
    fn link(&self, halves: &mut [Half]) -> Result<(), Failures> {
        let mut open: Vec<&mut Half> = halves.iter_mut().filter(|half| half.whole.is_some()).collect();
        for some in open.chunks_mut(SIDE_BY_SIDE_MAX) {
            if let Some(first) = some.first()
                && !(self.goes_on)()
            {
                return Err([(first.place, RosterError::NotBegun)].into());
            }
            let failures: Failures = self
                .replace_each(some)
                .into_iter()
                .zip(some)
                .filter_map(|(replaced, half)| match replaced {
                    Ok(version) => {
                        half.version = version;
                        None
                    }
                    Err(RosterError::Refused(refusal)) => {
                        let detail = refusal.detail;
                        let detail =
                            format!("the resources cannot refer to each other in a circle: {detail}");
                        Some((half.place, RosterError::Unfit(detail)))
                    }
                    Err(error) => Some((half.place, error)),
                })
                .collect();
            if !failures.is_empty() {
                return Err(failures);
            }
        }
        Ok(())
    }

    /// Replaces resources side by side; returns their versions.
    fn replace_each(&self, halves: &mut [&mut Half]) -> Vec<Result<Seq, RosterError>> {
        let any = Precondition::None;
        let (roster, caller): (&Roster, &Caller) = (self.roster, self.caller);
        let bodies: Vec<_> = halves
            .iter_mut()
            .map(|half| {
                let mut task = half.whole.take()?;
                task.replace_references(&mut |name| self.meaning(name));
                Some(task.data)
            })
            .collect();
        let mut refused = Vec::with_capacity(bodies.len());
        let mut jobs: Vec<Job<'_>> = Vec::with_capacity(bodies.len());
        for (half, body) in halves.iter().zip(bodies) {
            let job = Roster::replacement(caller, &half.kind, half.at, &any, body.unwrap_or_default());
            refused.push(job.map(|job| jobs.push(job)).err());
        }
        let mut done = roster.carry_out_each(caller, jobs).into_iter();
        let each = refused.into_iter().zip(halves.iter());
        each.map(|(refused, half)| {
            refused.map_or_else(|| done.next().unwrap_or(Ok(())), Err)?;
            Ok(roster.after(caller, half.at, Edges::NONE)?.version)
        })
        .collect()
    }

    /// Removes what was made of a circle, and says of each operation why there is nothing.
    fn give_up(&mut self, places: &[usize], halves: &[Half], mut failures: Failures) {
        let (culprit, late) = match failures.iter().next() {
            Some((place, error)) => (Some(*place), matches!(error, RosterError::NotBegun)),
            None => (None, false),
        };
        let name = culprit.and_then(|place| self.operations.get(place)?.bulk_id.clone()).unwrap_or_default();
        for some in halves.chunks(SIDE_BY_SIDE_MAX) {
            let removals: Vec<_> = some
                .iter()
                .map(|half| (half.place, Arc::clone(&half.kind), half.at, Precondition::None))
                .collect();
            for ((place, removed), half) in self.remove_each(&removals).into_iter().zip(some) {
                if let Err(error) = removed
                    && !matches!(error, RosterError::NotFound)
                {
                    let what =
                        format!("{:?} was made for a circle that failed, and stays: {error}", half.at.id);
                    failures.insert(place, RosterError::Broken(what));
                }
            }
        }
        for place in places {
            if let Some(name) = self.operations.get(*place).and_then(|operation| operation.bulk_id.as_ref()) {
                self.made.remove(name);
            }
            let otherwise = || if late { RosterError::NotBegun } else { failed(&name) };
            let error = failures.remove(place).unwrap_or_else(otherwise);
            self.answer(*place, None, Err(error));
        }
    }
}
