//! Filling an empty store from a copy of another's rows.
//!
//! Rows come in their order (`kv::copy`) and are written in bounded commits. What was broken off goes on behind the last row that is durable, and
//! nobody takes the store for one before all of it is there, was compared with the copy, and has its label.

use std::fmt;
use std::sync::Arc;

use super::failpoints::{Point, pass};
use super::folder::{FORMAT, Filling, Folder, WITH_SUBJECTS};
use super::kv::copy::{self, Digested};
use super::kv::{self, Changes, KvEngine, KvRead, Table};
use super::{Finding, StoreError};

/// What is remembered, durably, of how far filling has come.
pub trait Marks: Send {
    /// Says how far it has come.
    fn filling(&self) -> Option<Filling>;

    /// Writes down how far it has come.
    fn note(&mut self, filling: Filling, source: &str) -> Result<(), StoreError>;

    /// Says that the store is whole, and may be opened by anybody.
    fn finish(&mut self) -> Result<(), StoreError>;
}

impl Marks for Folder {
    fn filling(&self) -> Option<Filling> {
        Self::filling(self)
    }

    fn note(&mut self, filling: Filling, source: &str) -> Result<(), StoreError> {
        self.note_filling(filling, source).map_err(|error| StoreError::Fatal(error.to_string()))
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.label().map_err(|error| StoreError::Fatal(error.to_string()))
    }
}

/// A store that is being filled.
pub struct Fill {
    engine: Box<dyn KvEngine>,
    state: Arc<dyn KvRead>,
    /// After the engine, so that the lock goes last.
    marks: Box<dyn Marks>,
    source: String,
}

impl fmt::Debug for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fill")
            .field("place", &self.engine.place())
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Fill {
    /// Begins with an engine that is empty, or that holds the beginning of the same copy.
    pub fn new(
        engine: Box<dyn KvEngine>,
        state: Arc<dyn KvRead>,
        marks: Box<dyn Marks>,
        source: &str,
    ) -> Self {
        Self { engine, state, marks, source: source.to_owned() }
    }

    /// Finds the row behind which it goes on; `None` where there is none yet.
    pub fn last(&self) -> Result<Option<(Table, Vec<u8>)>, StoreError> {
        copy::last(&*self.state)
    }

    /// Tells whether all rows are there already.
    pub fn is_whole(&self) -> bool {
        self.marks.filling() == Some(Filling::Whole)
    }

    /// Writes rows, all of them or none.
    pub fn write(&mut self, changes: &Changes) -> Result<(), StoreError> {
        self.pass(Point::FillBefore)?;
        self.state = self.engine.commit(changes)?;
        self.pass(Point::FillAfter)
    }

    /// Takes a state that a long look is better off with.
    fn look_anew(&mut self) -> Result<(), StoreError> {
        if let Some(state) = self.engine.tidy()? {
            self.state = state;
        }
        Ok(())
    }

    /// Says that all rows were written: compares what is there with what was to be.
    pub fn must_hold(&mut self, expected: Digested) -> Result<(), StoreError> {
        self.look_anew()?;
        let found = copy::digest(&*self.state)?;
        if found != expected {
            return Err(StoreError::Corrupt(format!(
                "expected the {} rows of the copy, found {} rows that are not the same",
                expected.rows, found.rows
            )));
        }
        self.marks.note(Filling::Whole, &self.source)
    }

    /// Adds what a copy of an earlier layout does not have, looks whether everything fits together, and labels the store. What does not fit
    /// did not fit in the store that the copy was made of.
    pub fn finish(mut self, layout: u32, progress: &mut dyn FnMut(u64)) -> Result<Vec<Finding>, StoreError> {
        self.look_anew()?;
        if layout < WITH_SUBJECTS {
            self.state = kv::note_subjects(&mut *self.engine, self.state)?;
        }
        let findings = kv::check::check(&*self.state, progress)?;
        self.marks.finish()?;
        Ok(findings)
    }

    /// Tells whether a layout of rows is one that this build can read.
    pub const fn knows(layout: u32) -> bool {
        1 <= layout && layout <= FORMAT
    }

    fn pass(&self, point: Point) -> Result<(), StoreError> {
        pass(point, self.engine.place()).map_err(|error| StoreError::Fatal(error.to_string()))
    }
}
