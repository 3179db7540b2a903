//! The contract `plugins/wit` as Rust, and what a plugin may call: `log` and `lookup`. Nothing else is linked.

use std::sync::Arc;

use wasmtime::component::{HasSelf, InstancePre, Linker};
use wasmtime::{Engine, ResourceLimiter, Store};

use super::limits::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX, Limits, TABLE_ELEMENTS_MAX};
use super::tables::Tables;

#[expect(missing_docs, reason = "plugins/wit says it of each; this is made of it")]
mod bindings {
    wasmtime::component::bindgen!({ path: "plugins/wit", world: "everything" });
}

use bindings::Everything;
pub use bindings::exports::rosterd::plugin as hooks;
pub use bindings::rosterd::plugin::host::Level;
pub use bindings::rosterd::plugin::{host, types};

/// What one instance has beside its own memory.
#[derive(Debug)]
pub struct State {
    tables: Arc<Tables>,
    said: Said,
    caps: Caps,
}

/// What a plugin has logged in one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// The first lines, each cut to its bound.
    pub lines: Vec<(Severity, String)>,
    /// How many there were.
    pub count: u64,
}

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Severity {
    Debug,
    Info,
    Warn,
    Error,
}

impl Severity {
    /// Returns the word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// What the instance may grow to, and whether it wanted more.
#[derive(Debug)]
struct Caps {
    memory_bytes_max: usize,
    memory_bytes: usize,
    /// The most that it has had.
    memory_bytes_peak: usize,
    refused: bool,
}

/// Why an instance was stopped when it grew.
#[derive(Debug, thiserror::Error)]
pub enum TooLarge {
    /// Its memory.
    #[error("it wanted {wanted} bytes of memory, and may have {max}")]
    Memory {
        /// What it would have had.
        wanted: usize,
        /// What it may have.
        max: usize,
    },
    /// One of its tables.
    #[error("it wanted a table of {wanted} entries, and may have {TABLE_ELEMENTS_MAX}")]
    Table {
        /// What it would have had.
        wanted: usize,
    },
}

impl State {
    /// Makes a store with its limits.
    pub fn store(engine: &Engine, tables: Arc<Tables>, limits: &Limits) -> Store<Self> {
        let caps = Caps {
            memory_bytes_max: limits.memory_bytes,
            memory_bytes: 0,
            memory_bytes_peak: 0,
            refused: false,
        };
        let mut store = Store::new(engine, Self { tables, said: Said::default(), caps });
        store.limiter(|state| &mut state.caps);
        store.set_hostcall_fuel(limits.output_bytes);
        store
    }

    /// Takes what was logged since the last call.
    pub fn take_said(&mut self) -> Said {
        std::mem::take(&mut self.said)
    }

    /// Returns the most memory that the instance has had.
    pub const fn memory_bytes_peak(&self) -> usize {
        self.caps.memory_bytes_peak
    }

    /// Tells whether it was refused memory.
    pub const fn was_refused_memory(&self) -> bool {
        self.caps.refused
    }
}

/// Links what a plugin may call.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    Everything::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// A plugin that hits a cap is stopped there: one that went on with less would do otherwise than where there is more.
impl ResourceLimiter for Caps {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if wanted > self.memory_bytes_max {
            self.refused = true;
            return Err(wasmtime::Error::new(TooLarge::Memory { wanted, max: self.memory_bytes_max }));
        }
        self.memory_bytes = wanted;
        self.memory_bytes_peak = self.memory_bytes_peak.max(wanted);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        Err(error)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS_MAX {
            self.refused = true;
            return Err(wasmtime::Error::new(TooLarge::Table { wanted: desired }));
        }
        Ok(true)
    }
}

impl types::Host for State {}

impl host::Host for State {
    fn log(&mut self, level: Level, message: String) {
        self.said.count = self.said.count.saturating_add(1);
        if self.said.lines.len() >= LOG_LINES_MAX {
            return;
        }
        let severity = match level {
            Level::Debug => Severity::Debug,
            Level::Info => Severity::Info,
            Level::Warn => Severity::Warn,
            Level::Error => Severity::Error,
        };
        let kept = message.get(..message.floor_char_boundary(LOG_LINE_BYTES_MAX)).unwrap_or_default();
        self.said.lines.push((severity, kept.to_owned()));
    }

    fn lookup(&mut self, table: String, key: String) -> Result<Option<Vec<host::Cell>>, host::LookupError> {
        let table = self.tables.get(&table).ok_or(host::LookupError::UnknownTable)?;
        let row = table.row(&key).map(|row| {
            row.map(|(column, value)| host::Cell { column: column.to_owned(), value: value.to_owned() })
                .collect()
        });
        Ok(row)
    }
}

/// Where the functions of a component lie; what it has none of is `None`.
#[derive(Clone)]
pub struct Indices {
    lifecycle: hooks::lifecycle::GuestIndices,
    gate: Option<hooks::gate::GuestIndices>,
    mapper: Option<hooks::mapper::GuestIndices>,
    validator: Option<hooks::validator::GuestIndices>,
    claims: Option<hooks::claims::GuestIndices>,
    reactor: Option<hooks::reactor::GuestIndices>,
}

impl Indices {
    /// Finds what a component exports. An interface that it exports must be whole.
    pub fn of(pre: &InstancePre<State>, has: crate::roster::hooks::Hooks) -> wasmtime::Result<Self> {
        Ok(Self {
            lifecycle: hooks::lifecycle::GuestIndices::new(pre)?,
            gate: has.gate.then(|| hooks::gate::GuestIndices::new(pre)).transpose()?,
            mapper: has.map.then(|| hooks::mapper::GuestIndices::new(pre)).transpose()?,
            validator: has.validate.then(|| hooks::validator::GuestIndices::new(pre)).transpose()?,
            claims: has.claims.then(|| hooks::claims::GuestIndices::new(pre)).transpose()?,
            reactor: has.react.then(|| hooks::reactor::GuestIndices::new(pre)).transpose()?,
        })
    }

    /// Finds the functions of an instance; their types are checked here.
    pub fn load(
        &self,
        store: &mut Store<State>,
        instance: &wasmtime::component::Instance,
    ) -> wasmtime::Result<Guests> {
        Ok(Guests {
            lifecycle: self.lifecycle.load(&mut *store, instance)?,
            gate: self.gate.as_ref().map(|one| one.load(&mut *store, instance)).transpose()?,
            mapper: self.mapper.as_ref().map(|one| one.load(&mut *store, instance)).transpose()?,
            validator: self.validator.as_ref().map(|one| one.load(&mut *store, instance)).transpose()?,
            claims: self.claims.as_ref().map(|one| one.load(&mut *store, instance)).transpose()?,
            reactor: self.reactor.as_ref().map(|one| one.load(&mut *store, instance)).transpose()?,
        })
    }
}

/// The functions of an instance.
#[derive(Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Guests {
    pub lifecycle: hooks::lifecycle::Guest,
    pub gate: Option<hooks::gate::Guest>,
    pub mapper: Option<hooks::mapper::Guest>,
    pub validator: Option<hooks::validator::Guest>,
    pub claims: Option<hooks::claims::Guest>,
    pub reactor: Option<hooks::reactor::Guest>,
}
