//! A moment of the database: one transaction that sees one state, begun at the first read and ended when the last reader has gone.

use std::collections::HashMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::failure::Failure;
use super::pool::{Lent, Pool};
use super::sql::{self, Range, Way};
use super::wire::Session;
use crate::store::StoreError;
use crate::store::kv::{KvRead, KvRow, Table, Visit, VisitEach, keys};

/// Rows that are fetched first where nobody said how many there will be.
const ROWS_FIRST: usize = 64;
/// Most rows that are fetched at once.
const ROWS_MAX: usize = 2048;

/// A state of the database.
pub(super) struct Moment {
    pool: Arc<Pool>,
    state: Mutex<State>,
}

enum State {
    Unbegun,
    Begun(Lent),
    /// What a read failed with: the transaction is over, and its moment cannot be had again.
    Failed(StoreError),
}

impl Moment {
    pub(super) fn new(pool: Arc<Pool>) -> Self {
        Self { pool, state: Mutex::new(State::Unbegun) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks within the transaction. The first question begins it, in the same trip; when that meets a connection that has died meanwhile, it is asked
    /// again on another.
    fn ask<T, F, A>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(Session) -> A,
        A: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let wire = self.pool.wire();
        let mut state = self.state();
        match &mut *state {
            State::Failed(error) => Err(error.clone()),
            State::Begun(lent) => {
                let asked = wire.ask(question(Arc::clone(lent.session())));
                match asked {
                    Ok(answer) => Ok(answer),
                    Err(failure) => {
                        if !failure.spares_the_connection() {
                            lent.spoil();
                        }
                        let error = failure.unwritten();
                        *state = State::Failed(error.clone());
                        Err(error)
                    }
                }
            }
            State::Unbegun => {
                let mut again = true;
                loop {
                    let mut lent = self.pool.lend().map_err(|failure| failure.unwritten())?;
                    let session = Arc::clone(lent.session());
                    let begin = sql::begin_reading(wire.within());
                    let first = question(Arc::clone(&session));
                    let asked = wire.ask(async move {
                        let (begun, answered) = tokio::join!(biased; sql::plain(&session, &begin), first);
                        begun.and(answered)
                    });
                    match asked {
                        Ok(answer) => {
                            *state = State::Begun(lent);
                            return Ok(answer);
                        }
                        Err(failure) => {
                            lent.spoil();
                            if !again || failure.spares_the_connection() {
                                return Err(failure.unwritten());
                            }
                            // One that lay idle has died. Nothing was seen yet, so that another moment is as good.
                            again = false;
                            self.pool.forget_idle();
                        }
                    }
                }
            }
        }
    }

    /// Shows a stretch from one end, fetching `rows` at first and more at once the longer it goes on.
    fn show(
        &self,
        mut range: Range,
        way: Way,
        rows: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        let mut limit = rows.clamp(1, ROWS_MAX);
        while range.from < range.to {
            let asked = range.clone();
            let found = self.ask(move |session| {
                let asked = asked.clone();
                async move { sql::some(&session, asked, way, limit).await }
            })?;
            for (key, value) in &found {
                if visit(key, value)?.is_break() {
                    return Ok(());
                }
            }
            let Some((last, _)) = found.into_iter().nth(limit.saturating_sub(1)) else { return Ok(()) };
            match way {
                Way::Forth => range.from = keys::just_after(last),
                Way::Back => range.to = last,
            }
            limit = limit.saturating_mul(4).min(ROWS_MAX);
        }
        Ok(())
    }
}

impl KvRead for Moment {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
        let key = key.to_vec();
        self.ask(move |session| {
            let key = key.clone();
            async move { sql::get(&session, table, key).await }
        })
    }

    fn get_many(&self, table: Table, keys: &[Vec<u8>]) -> Result<Vec<Option<Arc<[u8]>>>, StoreError> {
        let mut found = HashMap::with_capacity(keys.len());
        for some in keys.chunks(ROWS_MAX) {
            let asked = some.to_vec();
            found.extend(self.ask(move |session| {
                let asked = asked.clone();
                async move { sql::get_many(&session, table, asked).await }
            })?);
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.scan_some(table, from, to, ROWS_FIRST, visit)
    }

    fn scan_some(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        rows: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        let range = Range { table, from: from.to_vec(), to: to.to_vec() };
        self.show(range, Way::Forth, rows, visit)
    }

    fn scan_each(
        &self,
        table: Table,
        stretches: &[(Vec<u8>, Vec<u8>)],
        most: usize,
        visit: &mut VisitEach<'_>,
    ) -> Result<(), StoreError> {
        let stretches = stretches.to_vec();
        let found = self.ask(move |session| {
            let stretches = stretches.clone();
            async move { sql::some_of_each(&session, table, stretches, Way::Forth, most).await }
        })?;
        found.iter().try_for_each(|(place, (key, value))| visit(*place, key, value))
    }

    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        let range = Range { table, from: from.to_vec(), to: to.to_vec() };
        self.show(range, Way::Back, ROWS_FIRST, visit)
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<KvRow>, StoreError> {
        let range = Range { table, from: from.to_vec(), to: to.to_vec() };
        let mut found = None;
        self.show(range, Way::Back, 1, &mut |key, value| {
            found = Some((key.to_vec(), Arc::from(value)));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }
}
