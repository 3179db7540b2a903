//! Bulk: many requests in one (RFC 7644 §3.7).
//!
//! Each operation is carried out as the request of its own that it stands for: with its own scope, its own unit, its own entry in the
//! history, all of it or nothing (S165). What is created in a circle is made without the references first and linked then; when that
//! fails anywhere, what was made for the circle is removed again.
//!
//! The caller says when time is up: what was begun is finished, what was not is answered so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::error::RosterError;
use super::scope::Scope;
use super::view::{Edges, Precondition, View};
use super::{Caller, Roster};
use crate::idp::profile::Schemas;
use crate::ids::{Address, ResourceId};
use crate::scim::bulk::order::Step;
use crate::scim::bulk::refs::Meaning;
use crate::scim::bulk::{BulkError, Method, OPERATIONS_MAX, Operation, Request, Task, Whom};
use crate::scim::{Refusal, Why, urn};
use crate::store::Seq;

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
    /// Carries out a bulk request; the answers stand in the order of the operations. Operations are left out of the answer when
    /// `failOnErrors` ended the work before them (S163).
    ///
    /// `goes_on` is asked before each step; once it says no, the operations that were not begun are answered with
    /// [`RosterError::NotBegun`].
    ///
    /// # Errors
    /// Only when the request as a whole is refused: the scope, the form of the message, the number of operations.
    pub fn bulk(
        &self,
        caller: &Caller,
        body: Value,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Vec<Answered>, RosterError> {
        caller.needs(Scope::Bulk)?;
        let mut request = Request::parse(body, &self.kinds)?;
        if !request.names_its_schema && caller.profile.schemas == Schemas::Required {
            let detail = format!("expected {} in schemas", urn::BULK_REQUEST);
            return Err(Refusal::new(Why::InvalidSyntax, detail).into());
        }
        let steps = request.steps();
        let mut work = Work {
            roster: self,
            caller,
            goes_on,
            answers: request.operations.iter().map(|_| None).collect(),
            named: request.operations.iter().map(named).collect(),
            operations: request.operations,
            made: BTreeMap::new(),
            errors: 0,
        };
        for step in &steps {
            if request.fail_on_errors.is_some_and(|most| work.errors >= most) {
                break;
            }
            if !goes_on() {
                work.end_of_time();
                break;
            }
            match step {
                Step::One(place) => work.one(*place),
                Step::Circle(places) => work.circle(places),
            }
        }
        Ok(work.answers.into_iter().flatten().collect())
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

/// A request on its way.
struct Work<'a> {
    roster: &'a Roster,
    caller: &'a Caller,
    goes_on: &'a dyn Fn() -> bool,
    operations: Vec<Operation>,
    answers: Vec<Option<Answered>>,
    /// Which resources the operations name by their ids.
    named: Vec<Option<Address>>,
    /// What the creations so far have made, by `bulkId`.
    made: BTreeMap<String, ResourceId>,
    errors: u64,
}

/// A resource of a circle, made but not linked yet.
struct Half {
    place: usize,
    at: Address,
    version: Seq,
    /// The task as it was sent, when references were left out of it.
    whole: Option<Task>,
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
        let at = match &task.whom {
            Whom::New => {
                return match roster.create(caller, kind, task.data, Edges::NONE) {
                    Ok(view) => (Some(view.stored.at()), Ok(Done::Created(view.version))),
                    Err(error) => (None, Err(error)),
                };
            }
            Whom::Named(id) => ResourceId::parse(id).ok(),
            Whom::Made(name) => self.made.get(name).copied(),
        };
        let Some(at) = at.map(|id| Address { kind: kind.id, id }) else {
            return (None, Err(RosterError::NotFound));
        };
        let given = task.version.as_deref().map_or(Precondition::None, Precondition::of_tags);
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

    /// Creates what speaks of each other: first without the references that lead forward, then linked. All of it or nothing.
    fn circle(&mut self, places: &[usize]) {
        let within: BTreeSet<String> =
            places.iter().filter_map(|place| self.operations.get(*place)?.bulk_id.clone()).collect();
        let mut halves = Vec::with_capacity(places.len());
        let mut failure = None;
        for place in places {
            match self.half(*place, &within) {
                Ok(half) => halves.push(half),
                Err(error) => {
                    failure = Some((*place, error));
                    break;
                }
            }
        }
        if failure.is_none() {
            failure = self.link(&mut halves);
        }
        match failure {
            None => {
                for half in halves {
                    self.answer(half.place, Some(half.at), Ok(Done::Created(half.version)));
                }
            }
            Some((culprit, error)) => self.give_up(places, &halves, culprit, error),
        }
    }

    /// Makes a resource of a circle without what does not exist yet.
    fn half(&mut self, place: usize, within: &BTreeSet<String>) -> Result<Half, RosterError> {
        if !(self.goes_on)() {
            return Err(RosterError::NotBegun);
        }
        let operation = self.operations.get_mut(place).ok_or(RosterError::NotFound)?;
        let task = operation.task.clone()?;
        let bulk_id = operation.bulk_id.clone();
        let outside =
            operation.speaks_of.iter().find(|name| !within.contains(*name) && !self.made.contains_key(*name));
        if let Some(missing) = outside {
            return Err(failed(missing));
        }
        self.permit(&task)?;
        let mut partly = task.clone();
        let mut left_out = false;
        partly.replace_references(&mut |name| {
            let id = self.made.get(name);
            left_out |= id.is_none();
            id.map_or(Meaning::LeftOut, |id| Meaning::Id(*id))
        });
        let view = self.roster.create(self.caller, &task.kind, partly.data, Edges::NONE)?;
        let at = view.stored.at();
        self.made.extend(bulk_id.map(|name| (name, at.id)));
        Ok(Half { place, at, version: view.version, whole: left_out.then_some(task) })
    }

    /// Puts in what was left out, by replacing each resource by what was sent for it. Returns the place that failed.
    fn link(&self, halves: &mut [Half]) -> Option<(usize, RosterError)> {
        for half in halves {
            let Some(mut task) = half.whole.take() else { continue };
            if !(self.goes_on)() {
                return Some((half.place, RosterError::NotBegun));
            }
            task.replace_references(&mut |name| self.meaning(name));
            let any = Precondition::None;
            match self.roster.replace(self.caller, &task.kind, half.at, &any, task.data, Edges::NONE) {
                Ok(view) => half.version = view.version,
                Err(RosterError::Refused(refusal)) => {
                    let detail =
                        format!("these resources cannot refer to each other in a circle: {}", refusal.detail);
                    return Some((half.place, RosterError::Unfit(detail)));
                }
                Err(error) => return Some((half.place, error)),
            }
        }
        None
    }

    /// Removes what was made of a circle, and says of each operation why there is nothing.
    fn give_up(&mut self, places: &[usize], halves: &[Half], culprit: usize, error: RosterError) {
        let mut remains = BTreeSet::new();
        for half in halves.iter().rev() {
            let kind = self.roster.kinds.by_id(half.at.kind);
            let removed =
                kind.map(|kind| self.roster.remove(self.caller, kind, half.at, &Precondition::None));
            match removed {
                Some(Ok(()) | Err(RosterError::NotFound)) => {}
                Some(Err(_)) | None => {
                    remains.insert(half.place);
                }
            }
        }
        let all_late = matches!(error, RosterError::NotBegun);
        let name = self.operations.get(culprit).and_then(|operation| operation.bulk_id.clone());
        for place in places {
            if let Some(name) = self.operations.get(*place).and_then(|operation| operation.bulk_id.as_ref()) {
                self.made.remove(name);
            }
            let result = if remains.contains(place) {
                let at = halves.iter().find(|half| half.place == *place).map(|half| half.at.id);
                Err(RosterError::Broken(format!(
                    "{at:?} was made for a circle that failed, and could not be removed"
                )))
            } else if *place == culprit {
                Err(error.clone())
            } else if all_late {
                Err(RosterError::NotBegun)
            } else {
                Err(failed(name.as_deref().unwrap_or_default()))
            };
            self.answer(*place, None, result);
        }
    }

    /// Answers everything that was not begun.
    fn end_of_time(&mut self) {
        for place in 0..self.operations.len() {
            if self.answers.get(place).is_some_and(Option::is_none) {
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
        if let Some(slot) = self.answers.get_mut(place) {
            *slot = Some(answered);
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

fn failed(name: &str) -> RosterError {
    let name = crate::scim::error::quoted(name);
    RosterError::Unfit(format!(
        "the operation with the bulkId {name}, which this one refers to, failed; nothing was done"
    ))
}
