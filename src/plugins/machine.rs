//! The machine that runs plugins: one engine with its limits, a thread that counts time while something runs, and slots.
//!
//! Deterministic: no threads, canonical NaNs, relaxed SIMD made strict, and fuel counted. Only compiled here and now: there is no cache of
//! compiled code, which could be loaded by `unsafe` alone and trusted as it is. Knows nothing of what plugins are asked.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy};

use super::limits::{
    CORE_INSTANCES_MAX, MEMORIES_MAX, MEMORY_BYTES_MAX, STACK_BYTES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX,
};

/// How often the clock behind the fuel is looked at: the shortest deadline that can be set. Each look wakes a thread.
pub const TICK: Duration = Duration::from_millis(10);

/// How much of a table of functions is overwritten after a call, and not given back to the system.
const TABLE_BYTES_KEPT: usize = 64 << 10;
/// The same of a memory: the stack, the data and the first of the heap of a component.
const MEMORY_BYTES_KEPT: usize = 2 << 20;
/// How many ticks the clock goes on after the last call. It need not be woken by the next one then.
const TICKS_AFTER: u32 = 4;

/// Why there is no machine.
#[derive(Debug, thiserror::Error)]
#[error(
    "the machine that runs plugins cannot be made: {0}; it reserves addresses (not memory): does a limit such as RLIMIT_AS forbid that?"
)]
pub struct MachineError(String);

/// Runs plugins, a bounded number at a time.
pub struct Machine {
    engine: Engine,
    ticker: Ticker,
    slots: Arc<Slots>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("slots", &self.slots).finish_non_exhaustive()
    }
}

impl Machine {
    /// Makes a machine for so many calls at a time, and so many instances that wait for the next call of their series.
    pub fn new(slots: u32, kept: u32) -> Result<Self, MachineError> {
        let engine = Engine::new(&settings(slots.saturating_add(kept)))
            .map_err(|error| MachineError(format!("{error:#}")))?;
        let ticker = Ticker::start(engine.clone()).map_err(|error| MachineError(error.to_string()))?;
        Ok(Self { engine, ticker, slots: Arc::new(Slots::new(slots)) })
    }

    /// Returns the engine.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Waits for a slot, so long at most. Time is counted while it is held.
    pub fn slot(&self, within: Duration) -> Option<Slot<'_>> {
        self.slots.take(within).then(|| {
            self.ticker.shared.change(|state| state.running = state.running.saturating_add(1));
            Slot(self)
        })
    }

    /// Tells whether a slot is free, so that nobody waits for one.
    pub fn has_room(&self) -> bool {
        *locked(&self.slots.free) > 0
    }

    /// Says how many ticks from now a deadline lies.
    pub fn ticks(deadline: Duration) -> u64 {
        let ticks = deadline.as_nanos().div_ceil(TICK.as_nanos().max(1));
        u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// A place on the machine.
#[derive(Debug)]
pub struct Slot<'m>(&'m Machine);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.ticker.shared.change(|state| state.running = state.running.saturating_sub(1));
        self.0.slots.give();
    }
}

fn settings(instances: u32) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_MAX))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .total_memories(instances.saturating_mul(MEMORIES_MAX))
        .max_memories_per_component(MEMORIES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX)
        .total_tables(instances.saturating_mul(TABLES_MAX))
        .max_tables_per_component(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        // Fewer calls to the kernel when instances come and go on several threads.
        .decommit_batch_size(16)
        .max_unused_warm_slots(instances)
        // What an instance has written to is overwritten, where the kernel would have to take it away from every thread's view and to give it anew.
        .table_keep_resident(TABLE_BYTES_KEPT)
        .pagemap_scan(Enabled::Auto);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        // Where the kernel says which pages those are (Linux 6.7); a whole memory would be overwritten elsewhere.
        pool.linear_memory_keep_resident(MEMORY_BYTES_KEPT);
    }
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_component_model(true);
    config
}

/// How many calls may run at a time.
#[derive(Debug)]
struct Slots {
    free: Mutex<u32>,
    given: Condvar,
}

impl Slots {
    fn new(slots: u32) -> Self {
        Self { free: Mutex::new(slots), given: Condvar::new() }
    }

    fn take(&self, within: Duration) -> bool {
        let (mut free, _) = self
            .given
            .wait_timeout_while(locked(&self.free), within, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        let got = *free > 0;
        *free = free.saturating_sub(u32::from(got));
        got
    }

    fn give(&self) {
        let mut free = locked(&self.free);
        *free = free.saturating_add(1);
        self.given.notify_one();
    }
}

/// Counts time for the engine, while a call runs and a little longer; rests otherwise. Ends when it is dropped.
struct Ticker {
    shared: Arc<Ticking>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Ticking {
    state: Mutex<TickerState>,
    changed: Condvar,
}

#[derive(Default)]
struct TickerState {
    running: usize,
    /// Whether the clock stands still until it is woken.
    rests: bool,
    ends: bool,
}

impl Ticking {
    fn change(&self, how: impl FnOnce(&mut TickerState)) {
        let mut state = locked(&self.state);
        how(&mut state);
        if state.ends || (state.rests && state.running > 0) {
            state.rests = false;
            self.changed.notify_all();
        }
    }
}

impl Ticker {
    fn start(engine: Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Ticking::default());
        let ticking = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("plugin-clock".to_owned()).spawn(move || {
            let mut state = locked(&ticking.state);
            let mut idle = 0_u32;
            while !state.ends {
                idle = if state.running == 0 { idle.saturating_add(1) } else { 0 };
                if idle > TICKS_AFTER {
                    state.rests = true;
                    state = ticking.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                } else {
                    let waited = ticking.changed.wait_timeout(state, TICK);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                    engine.increment_epoch();
                }
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.change(|state| state.ends = true);
        if let Some(thread) = self.thread.take() {
            // It cannot panic: it counts.
            drop(thread.join());
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
