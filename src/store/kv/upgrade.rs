//! What earlier builds did not write, written before the store is used.
//!
//! In bounded commits, each of which only adds what is missing: whenever it is broken off, what it did stays, and the next start goes on
//! from there. The folder gets its new label when all of it is done.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::draft::Changes;
use super::history;
use super::keys::{self, Table};
use super::{KvEngine, KvRead, rows};
use crate::ids::TenantId;
use crate::store::StoreError;
use crate::store::seal::unseal;
use crate::store::unit::Seq;

/// Entries of the history that are looked at for one commit.
const ENTRIES_AT_ONCE: usize = if cfg!(test) { 3 } else { 4096 };

/// Notes for each entry of the history what it is about, where that is not noted yet; returns the engine's new state.
pub(in crate::store) fn note_subjects(
    engine: &mut dyn KvEngine,
    mut state: Arc<dyn KvRead>,
) -> Result<Arc<dyn KvRead>, StoreError> {
    let mut noted = 0_usize;
    let mut from = Some(TenantId::new(0));
    while let Some(tenant) = from.map(|from| tenant_from(&*state, from)).transpose()?.flatten() {
        let mut after = Seq::ZERO;
        loop {
            let mut changes = Changes::default();
            let (last, missing) = missing_after(&*state, tenant, after)?;
            let Some(last) = last else { break };
            noted = noted.saturating_add(missing.len());
            for key in missing {
                let nothing = rows::shared(&key, rows::NOTHING);
                changes.set(Table::Small, key, Some(nothing));
            }
            if !changes.is_empty() {
                state = engine.commit(&changes)?;
            }
            after = last;
        }
        from = tenant.number().checked_add(1).map(TenantId::new);
    }
    if noted > 0 {
        tracing::info!(
            entries = noted,
            "entries of an earlier build can now be found by what they are about"
        );
    }
    Ok(state)
}

/// Finds the first tenant, from this one on, that has any row.
fn tenant_from(state: &dyn KvRead, from: TenantId) -> Result<Option<TenantId>, StoreError> {
    let mut found = None;
    state.scan(Table::Small, &from.number().to_be_bytes(), &keys::BEYOND, &mut |key, _| {
        found = keys::parse_small(key).map(|(tenant, ..)| tenant);
        // A key that makes no sense is for `check` to name.
        Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(found)
}

/// Looks at some entries after a number: returns the last one's number, and the keys of the rows that are missing.
fn missing_after(
    state: &dyn KvRead,
    tenant: TenantId,
    after: Seq,
) -> Result<(Option<Seq>, Vec<Vec<u8>>), StoreError> {
    let mut looked_at = 0;
    let mut last = None;
    let mut wanted = Vec::new();
    let from = keys::just_after(keys::log(tenant, after));
    let all = keys::logs(tenant);
    state.scan(Table::Small, &from, &keys::end_of(&all), &mut |key, sealed| {
        let Some(seq) = keys::parse_seq(key.get(all.len()..).unwrap_or_default()) else {
            return Ok(ControlFlow::Continue(()));
        };
        last = Some(seq);
        // An entry that is damaged is for `check` to name; it is no reason not to open the store.
        let row = unseal(key, sealed).ok().and_then(|value| history::open_log(seq, value));
        if let Some(subject) = row.and_then(|row| row.subject().ok().flatten()) {
            wanted.push(keys::about(tenant, subject.id, seq));
        }
        looked_at += 1;
        Ok(if looked_at < ENTRIES_AT_ONCE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    let mut missing = Vec::new();
    for key in wanted {
        if state.get(Table::Small, &key)?.is_none() {
            missing.push(key);
        }
    }
    Ok((last, missing))
}
