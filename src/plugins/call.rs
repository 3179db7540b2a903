//! One call of a plugin: a new store and instance, or one of its series that waited; its limits; and how it ended.
//!
//! An instance that broke is never asked again. What a call cost in fuel is that of the question alone, so that the same question costs
//! the same whether the instance was new or not.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::InstancePre;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, WasmBacktrace};

use super::answer::{self, AnswerError};
use super::limits::Limits;
use super::machine::Machine;
use super::tables::Tables;
use super::wit::{Guests, Indices, Said, State, TooLarge, types};
use crate::roster::hooks::{Broke, Failure};

/// Functions of a stack that are named in the log.
const FRAMES_MAX: usize = 6;

/// A component that is compiled and linked, with its settings: whatever is needed to make instances.
#[derive(Clone)]
pub struct Build {
    pub(super) machine: Arc<Machine>,
    pub(super) pre: InstancePre<State>,
    pub(super) indices: Indices,
    /// As `configure` takes them.
    pub(super) settings: Arc<str>,
    pub(super) tables: Arc<Tables>,
    pub(super) limits: Limits,
}

impl fmt::Debug for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Build").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Most questions that one instance answers.
const QUESTIONS_MAX: u32 = 1000;

/// An instance that is configured and well.
pub struct Running {
    /// How many questions it has answered.
    pub(super) answered: u32,
    pub(super) store: Store<State>,
    pub(super) guests: Guests,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

/// What a call came to.
#[derive(Debug)]
pub struct Ran<T> {
    /// The answer, or why there is none.
    pub answer: Result<T, Failure>,
    /// What it cost.
    pub cost: Cost,
}

/// What a call cost, and what was said in it.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    /// The fuel that the question took.
    pub fuel: u64,
    /// The fuel that it took to start a new instance.
    pub fuel_to_start: u64,
    /// The most memory that the instance has had.
    pub memory_bytes_peak: usize,
    /// From the slot to the answer.
    pub took: Duration,
    /// How long it waited for a slot.
    pub waited: Duration,
    /// Whether the instance was that of an earlier call.
    pub reused: bool,
    /// What it logged.
    pub said: Said,
}

/// A question: what is called, and what is made of the answer.
pub(super) trait Ask<A, T>:
    FnOnce(&mut Store<State>, &Guests) -> wasmtime::Result<Result<A, types::Problem>>
{
}
impl<A, T, F> Ask<A, T> for F where
    F: FnOnce(&mut Store<State>, &Guests) -> wasmtime::Result<Result<A, types::Problem>>
{
}

impl Build {
    /// Takes settings and tables, for instances that are made from now on.
    pub fn set(&mut self, settings: &serde_json::Value, tables: Arc<Tables>) {
        self.settings = settings.to_string().into();
        self.tables = tables;
    }

    /// Asks, in a slot, with a new instance or a kept one. Gives the instance back if it is well and has room for another question.
    pub(super) fn ask<A, T>(
        &self,
        kept: Option<Running>,
        question: impl Ask<A, T>,
        read: impl FnOnce(A) -> Result<T, AnswerError>,
    ) -> (Ran<T>, Option<Running>) {
        let asked = Instant::now();
        let mut cost = Cost { reused: kept.is_some(), ..Cost::default() };
        let Some(_slot) = self.machine.slot(self.limits.deadline) else {
            cost.waited = asked.elapsed();
            let why = format!("no slot was free within {:?}", self.limits.deadline);
            return (Ran { answer: Err(Failure::Broke(Broke::Busy, why)), cost }, None);
        };
        cost.waited = asked.elapsed();
        let begun = Instant::now();
        let (answer, running) = match self.ready(kept, &mut cost) {
            Ok(running) => self.put(running, question, read, &mut cost),
            Err(failure) => (Err(failure), None),
        };
        cost.took = begun.elapsed();
        (Ran { answer, cost }, running)
    }

    /// Makes an instance and configures it, or takes the kept one up again.
    fn ready(&self, kept: Option<Running>, cost: &mut Cost) -> Result<Running, Failure> {
        if let Some(mut running) = kept {
            self.wind(&mut running.store).map_err(|error| broke(&error, running.store.data()))?;
            return Ok(running);
        }
        let mut store = State::store(self.machine.engine(), Arc::clone(&self.tables), &self.limits);
        let started = self.wind(&mut store).and_then(|()| {
            let instance = self.pre.instantiate(&mut store)?;
            let guests = self.indices.load(&mut store, &instance)?;
            let configured = guests.lifecycle.call_configure(&mut store, &self.settings)?;
            Ok((guests, configured))
        });
        cost.memory_bytes_peak = store.data().memory_bytes_peak();
        cost.fuel_to_start = self.limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        match started {
            Ok((guests, Ok(()))) => Ok(Running { answered: 0, store, guests }),
            Ok((_, Err(problem))) => {
                cost.said = store.data_mut().take_said();
                Err(Failure::Problem(answer::problem(problem)))
            }
            Err(error) => {
                cost.said = store.data_mut().take_said();
                Err(broke(&error, store.data()))
            }
        }
    }

    /// Gives an instance its budget: the clock from now on, and fuel.
    fn wind(&self, store: &mut Store<State>) -> wasmtime::Result<()> {
        store.set_epoch_deadline(Machine::ticks(self.limits.deadline));
        store.set_fuel(self.limits.fuel)
    }

    fn put<A, T>(
        &self,
        mut running: Running,
        question: impl Ask<A, T>,
        read: impl FnOnce(A) -> Result<T, AnswerError>,
        cost: &mut Cost,
    ) -> (Result<T, Failure>, Option<Running>) {
        let Running { answered, store, guests } = &mut running;
        *answered = answered.saturating_add(1);
        // What starting took is not part of what the question takes.
        let answered = store.set_fuel(self.limits.fuel).and_then(|()| question(store, guests));
        cost.fuel = self.limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        cost.memory_bytes_peak = store.data().memory_bytes_peak();
        cost.said = store.data_mut().take_said();
        match answered {
            Ok(Ok(given)) => {
                let read = read(given).map_err(|error| Failure::Broke(Broke::Output, error.to_string()));
                (read, self.lasts(running))
            }
            Ok(Err(problem)) => (Err(Failure::Problem(answer::problem(problem))), self.lasts(running)),
            Err(error) => (Err(broke(&error, running.store.data())), None),
        }
    }

    /// Keeps an instance that has neither answered very often nor taken half of its memory: one that gives nothing back would break in the
    /// middle of a series.
    fn lasts(&self, running: Running) -> Option<Running> {
        let state = running.store.data();
        let has_room =
            state.memory_bytes_peak() <= self.limits.memory_bytes / 2 && !state.was_refused_memory();
        (has_room && running.answered < QUESTIONS_MAX).then_some(running)
    }
}

/// Says how a plugin ended that gave no answer.
pub(super) fn broke(error: &wasmtime::Error, state: &State) -> Failure {
    let trap = error.downcast_ref::<Trap>();
    let which = match trap {
        Some(Trap::OutOfFuel) => Broke::Fuel,
        Some(Trap::Interrupt) => Broke::Deadline,
        _ if state.was_refused_memory() || error.is::<TooLarge>() => Broke::Memory,
        Some(_) => Broke::Trap,
        None if error.is::<PoolConcurrencyLimitError>() => Broke::Busy,
        // Neither a trap nor a bound of ours: the host could not read what it was given, or there was too much of it.
        None => Broke::Output,
    };
    let mut why = error.root_cause().to_string();
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    let names: Vec<&str> =
        frames.iter().filter_map(wasmtime::FrameInfo::func_name).take(FRAMES_MAX).collect();
    if !names.is_empty() {
        why = format!("{why} (in {})", names.join(", called by "));
    }
    Failure::Broke(which, why)
}
