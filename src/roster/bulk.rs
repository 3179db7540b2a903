//! Bulk: many requests in one (RFC 7644 §3.7).
//!
//! Each operation is carried out as the request of its own that it stands for: with its own scope, its own unit, its own entry in the
//! history, all of it or nothing (S165). Runs of creations that do not speak of each other, and runs of removals, are written side by
//! side, so that the store can make many of them durable at once; the outcome is the same as one after the other. `circle` is about what is
//! created in a circle.
//!
//! The caller says when time is up: what was begun is finished, what was not is answered so.

mod circle;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::asked::Run;
use super::edges::Edges;
use super::error::RosterError;
use super::scope::Scope;
use super::view::{Precondition, View};
use super::{Caller, Roster};
use crate::idp::profile::Schemas;
use crate::ids::{Address, ResourceId};
use crate::scim::bulk::order::Step;
use crate::scim::bulk::refs::Meaning;
use crate::scim::bulk::{BulkError, Method, OPERATIONS_MAX, Operation, Request, Task, Whom};
use crate::scim::note::{Notes, Rule};
use crate::scim::{Kind, Refusal, Why, urn};
use crate::store::Seq;

/// Most operations that are written side by side: enough to share a flush, few enough to leave the store's queue to others.
const SIDE_BY_SIDE_MAX: usize = 64;

/// What became of one operation.
#[derive(Debug)]
pub struct Answered {
    /// The method, where it could be told.
    pub method: Option<String>,
    /// Its name within the request.
    pub bulk_id: Option<String>,
    /// Which resource it was about, where that could be told.
    pub at: Option<Address>,
    /// What was done, or why it was not.
    pub result: Result<Done, RosterError>,
}

/// What an operation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It created a resource, which has this version now.
    Created(Seq),
    /// It changed a resource, which has this version now.
    Changed(Seq),
    /// It removed a resource.
    Removed,
}

impl Roster {
    /// Carries out a bulk request, and tells what became of each operation as soon as that is known of all before it: in the order of the
    /// operations. Operations are left out when `failOnErrors` ended the work before them (S163).
    ///
    /// `goes_on` is asked before each step; once it says no, the operations that were not begun are answered with
    /// [`RosterError::NotBegun`].
    ///
    /// # Errors
    /// Only when the request as a whole is refused: the scope, the form of the message, the number of operations. Nothing has been told then.
    pub fn bulk(
        &self,
        caller: &Caller,
        body: Value,
        goes_on: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(Answered),
    ) -> Result<(), RosterError> {
        caller.needs(Scope::Bulk)?;
        let mut request = Request::parse(body, caller.kinds())?;
        let caller =
            &Caller { run: Run { batch: Some(caller.request), ..caller.run.clone() }, ..caller.clone() };
        if !request.names_its_schema && caller.profile.schemas == Schemas::Required {
            let detail = format!("expected {} in schemas", urn::BULK_REQUEST);
            return Err(Refusal::new(Why::InvalidSyntax, detail).into());
        }
        let mut notes = Notes::new();
        if !request.names_its_schema {
            notes.add(Rule::SchemasMissing);
        }
        let versions = request.operations.iter().filter_map(|one| one.task.as_ref().ok()?.version.as_deref());
        if versions.into_iter().any(|list| !Precondition::is_as_given_out(list)) {
            notes.add(Rule::TagSpelling);
        }
        self.took(caller, &notes);
        let steps = request.steps();
        let mut work = Work {
            roster: self,
            caller,
            goes_on,
            tell,
            told: 0,
            answers: BTreeMap::new(),
            named: request.operations.iter().map(named).collect(),
            operations: request.operations,
            made: BTreeMap::new(),
            errors: 0,
        };
        let mut steps = steps.as_slice();
        while let Some((first, rest)) = steps.split_first() {
            if request.fail_on_errors.is_some_and(|most| work.errors >= most) {
                break;
            }
            if !goes_on() {
                work.end_of_time();
                break;
            }
            steps = rest;
            match first {
                Step::Circle(places) => work.circle(places),
                // Where errors are counted, nothing may be under way beside the one that is the last.
                Step::One(place) if request.fail_on_errors.is_some() => work.one(*place),
                Step::One(place) => {
                    let beside = work.beside(*place, rest);
                    steps = rest.get(beside.len()..).unwrap_or_default();
                    if beside.is_empty() {
                        work.one(*place);
                    } else {
                        work.side_by_side(std::iter::once(*place).chain(beside));
                    }
                }
            }
        }
        work.tell_the_rest();
        Ok(())
    }
}

impl From<BulkError> for RosterError {
    fn from(error: BulkError) -> Self {
        match error {
            BulkError::Refused(refusal) => Self::Refused(refusal),
            BulkError::TooManyOperations { found } => Self::TooLarge(format!(
                "expected at most {OPERATIONS_MAX} operations (maxOperations), found {found}"
            )),
        }
    }
}

/// What was made, and its version.
type Made = (Address, Seq);

/// A request on its way.
struct Work<'a> {
    roster: &'a Roster,
    caller: &'a Caller,
    goes_on: &'a dyn Fn() -> bool,
    operations: Vec<Operation>,
    tell: &'a mut dyn FnMut(Answered),
    /// How many operations, from the first, have been told of.
    told: usize,
    /// What became of operations of which one before them has not been answered.
    answers: BTreeMap<usize, Answered>,
    /// Which resources the operations name by their ids.
    named: Vec<Option<Address>>,
    /// What the creations so far have made, by `bulkId`.
    made: BTreeMap<String, ResourceId>,
    errors: u64,
}

impl Work<'_> {
    /// Carries out an operation whose needs have been met, or have failed.
    fn one(&mut self, place: usize) {
        let (at, result) = match self.take(place) {
            Err(error) => (None, Err(error)),
            Ok(mut task) => {
                task.replace_references(&mut |name| self.meaning(name));
                self.carry_out(task)
            }
        };
        self.answer(place, at, result);
    }

    /// Takes the task of an operation; fails when it makes no sense, or when what it speaks of was not created.
    fn take(&mut self, place: usize) -> Result<Task, RosterError> {
        let operation = self.operations.get_mut(place).ok_or(RosterError::NotFound)?;
        let nothing = Refusal::new(Why::InvalidSyntax, "no operation");
        let task = std::mem::replace(&mut operation.task, Err(nothing))?;
        let speaks_of = std::mem::take(&mut operation.speaks_of);
        // A request of its own would be refused for its scope before anything else is looked at.
        self.permit(&task)?;
        match speaks_of.iter().find(|name| !self.made.contains_key(*name)) {
            None => Ok(task),
            Some(missing) => Err(failed(missing)),
        }
    }

    /// Refuses when the scope of the operation is missing, and writes that to the history as for a request of its own (X58).
    fn permit(&self, task: &Task) -> Result<(), RosterError> {
        let scope = Scope::writes(task.kind.id);
        self.caller
            .needs(scope)
            .or_else(|error| self.roster.refused(self.caller, scope.name()).and(Err(error)))
    }

    fn meaning(&self, name: &str) -> Meaning {
        self.made.get(name).map_or(Meaning::Unchanged, |id| Meaning::Id(*id))
    }

    /// Does what a task asks for; says which resource it was about, where one can be told.
    fn carry_out(&self, task: Task) -> (Option<Address>, Result<Done, RosterError>) {
        let (roster, caller, kind) = (self.roster, self.caller, &*task.kind);
        if task.method == Method::Post {
            return match roster.create(caller, kind, task.data, Edges::NONE) {
                Ok(view) => (Some(view.stored.at()), Ok(Done::Created(view.version))),
                Err(error) => (None, Err(error)),
            };
        }
        let Some(at) = self.address(&task) else { return (None, Err(RosterError::NotFound)) };
        let given = given(task.version.as_deref());
        let changed = |view: View| Done::Changed(view.version);
        let result = match task.method {
            Method::Put => roster.replace(caller, kind, at, &given, task.data, Edges::NONE).map(changed),
            Method::Patch => roster.patch(caller, kind, at, &given, task.data, Edges::NONE).map(changed),
            Method::Delete => roster.remove(caller, kind, at, &given).map(|()| Done::Removed),
            // A POST is about something new, and was carried out above.
            Method::Post => Err(RosterError::NotFound),
        };
        (Some(at), result)
    }

    /// Says which resource a task is about, when there can be one.
    fn address(&self, task: &Task) -> Option<Address> {
        let id = match &task.whom {
            Whom::New => None,
            Whom::Named(id) => ResourceId::parse(id).ok(),
            Whom::Made(name) => self.made.get(name).copied(),
        };
        Some(Address { kind: task.kind.id, id: id? })
    }

    /// Lists which of the next steps can be written beside a first one: creations that speak of none among them, or removals. None of
    /// these makes room for another, so that nobody can tell in which order they were looked at.
    fn beside(&self, first: usize, rest: &[Step]) -> Vec<usize> {
        let understood = |place: usize| {
            let operation = self.operations.get(place)?;
            let method = operation.task.as_ref().ok().map(|task| task.method)?;
            matches!(method, Method::Post | Method::Delete).then_some((operation, method))
        };
        let Some((operation, method)) = understood(first) else { return Vec::new() };
        let mut among: BTreeSet<&str> = operation.bulk_id.as_deref().into_iter().collect();
        let mut places = Vec::new();
        for step in rest.iter().take(SIDE_BY_SIDE_MAX.saturating_sub(1)) {
            let Step::One(place) = step else { break };
            match understood(*place) {
                Some((operation, same)) if same == method => {
                    if operation.speaks_of.iter().any(|name| among.contains(name.as_str())) {
                        break;
                    }
                    among.extend(operation.bulk_id.as_deref().filter(|_| method == Method::Post));
                    places.push(*place);
                }
                _ => break,
            }
        }
        places
    }

    /// Carries out creations, or removals, side by side.
    fn side_by_side(&mut self, places: impl Iterator<Item = usize>) {
        let mut creations = Vec::new();
        let mut removals = Vec::new();
        for place in places {
            match self.take(place) {
                Err(error) => self.answer(place, None, Err(error)),
                Ok(mut task) => {
                    task.replace_references(&mut |name| self.meaning(name));
                    if task.method == Method::Post {
                        creations.push((place, task.kind, task.data));
                    } else if let Some(at) = self.address(&task) {
                        removals.push((place, task.kind, at, given(task.version.as_deref())));
                    } else {
                        self.answer(place, None, Err(RosterError::NotFound));
                    }
                }
            }
        }
        for (place, result) in self.create_each(creations) {
            let at = result.as_ref().ok().map(|(at, _)| *at);
            self.answer(place, at, result.map(|(_, version)| Done::Created(version)));
        }
        let at: Vec<Address> = removals.iter().map(|(_, _, at, _)| *at).collect();
        for ((place, result), at) in self.remove_each(&removals).into_iter().zip(at) {
            self.answer(place, Some(at), result.map(|()| Done::Removed));
        }
    }

    /// Creates resources side by side, each named by its place.
    fn create_each(&self, wanted: Vec<(usize, Arc<Kind>, Value)>) -> Vec<(usize, Result<Made, RosterError>)> {
        let (roster, caller) = (self.roster, self.caller);
        let (kinds, bodies): (Vec<_>, Vec<_>) =
            wanted.into_iter().map(|(place, kind, body)| ((place, kind), body)).unzip();
        let mut results = Vec::with_capacity(kinds.len());
        let mut ready = Vec::with_capacity(kinds.len());
        let mut jobs = Vec::with_capacity(kinds.len());
        for ((place, kind), body) in kinds.iter().zip(bodies) {
            match roster.creation(caller, kind, body) {
                Err(error) => results.push((*place, Err(error))),
                Ok((at, job)) => {
                    ready.push((*place, at));
                    jobs.push(job);
                }
            }
        }
        for ((place, at), done) in ready.into_iter().zip(roster.carry_out_each(caller, jobs)) {
            let made =
                done.and_then(|()| roster.after(caller, at, Edges::NONE)).map(|view| (at, view.version));
            results.push((place, made));
        }
        results
    }

    /// Removes resources side by side.
    fn remove_each(
        &self,
        wanted: &[(usize, Arc<Kind>, Address, Precondition)],
    ) -> Vec<(usize, Result<(), RosterError>)> {
        let mut jobs = Vec::with_capacity(wanted.len());
        for (_, kind, at, given) in wanted {
            match Roster::removal(self.caller, kind, *at, given) {
                Ok(job) => jobs.push(job),
                // The scope is all that can be missing here, and it was looked for before.
                Err(error) => return wanted.iter().map(|(place, ..)| (*place, Err(error.clone()))).collect(),
            }
        }
        let places = wanted.iter().map(|(place, ..)| *place);
        places.zip(self.roster.carry_out_each(self.caller, jobs)).collect()
    }

    /// Answers everything that was not begun.
    fn end_of_time(&mut self) {
        for place in 0..self.operations.len() {
            if place >= self.told && !self.answers.contains_key(&place) {
                self.answer(place, None, Err(RosterError::NotBegun));
            }
        }
    }

    fn answer(&mut self, place: usize, at: Option<Address>, result: Result<Done, RosterError>) {
        let Some(operation) = self.operations.get(place) else { return };
        if result.is_err() {
            self.errors = self.errors.saturating_add(1);
        }
        if let (Ok(Done::Created(_)), Some(name), Some(at)) = (&result, &operation.bulk_id, at) {
            self.made.insert(name.clone(), at.id);
        }
        let at = at.or_else(|| self.named.get(place).copied().flatten());
        let answered =
            Answered { method: operation.method.clone(), bulk_id: operation.bulk_id.clone(), at, result };
        self.answers.insert(place, answered);
        while let Some(next) = self.answers.remove(&self.told) {
            (self.tell)(next);
            self.told = self.told.saturating_add(1);
        }
    }

    /// Tells of what was answered although something before it was not.
    fn tell_the_rest(&mut self) {
        for (_, answered) in std::mem::take(&mut self.answers) {
            (self.tell)(answered);
        }
    }
}

/// Returns the resource that an operation names by its id.
fn named(operation: &Operation) -> Option<Address> {
    let task = operation.task.as_ref().ok()?;
    match &task.whom {
        Whom::Named(id) => Some(Address { kind: task.kind.id, id: ResourceId::parse(id).ok()? }),
        Whom::New | Whom::Made(_) => None,
    }
}

fn given(version: Option<&str>) -> Precondition {
    version.map_or(Precondition::None, Precondition::of_tags)
}

fn failed(name: &str) -> RosterError {
    let name = crate::scim::error::quoted(name);
    RosterError::Unfit(format!(
        "the operation with the bulkId {name}, which this one refers to, failed; nothing was done"
    ))
}
