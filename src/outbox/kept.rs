//! How the state of a webhook is kept in the store: taken up when its task begins, and written down as one unit, which is all there or not at all.

use super::desk::{Desk, Pace};
use super::operate::decode;
use super::rows::{ASIDE, HOOKS, HookRow, ORDERS, SetAside, aside_key, prefix, seq_of};
use crate::ids::TenantId;
use crate::roster::RosterError;
use crate::store::{PAGE_ROWS_MAX, Seq, Snapshot, Unit, Write};

/// What a unit writes beside a webhook's row. Given back to the desk ([`Desk::give_back`]) where it could not be written.
pub type Unwritten = (Vec<(Seq, SetAside)>, Vec<Seq>);

/// Takes up the state of a webhook where it was left. One of which nothing is kept begins behind `begins`.
///
/// # Errors
/// The store cannot be read, or holds a row that makes no sense.
pub fn take_up(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    (name, url): (&str, String),
    begins: Seq,
    pace: Pace,
) -> Result<Desk, RosterError> {
    let mut row = match snapshot.small(tenant, HOOKS, name.as_bytes())? {
        Some(bytes) => decode::<HookRow>(&bytes)?,
        None => HookRow { url: url.clone(), read: begins, ..HookRow::default() },
    };
    if row.url != url {
        // Whoever said that it is gone was somebody else.
        (row.url, row.off) = (url, None);
    }
    let mut aside = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let rows = snapshot.small_range(tenant, ASIDE, &prefix(name), after.as_deref(), PAGE_ROWS_MAX)?;
        let last = rows.len() < PAGE_ROWS_MAX;
        for row in rows {
            if let Some(seq) = seq_of(&row.key) {
                aside.push((seq, decode::<SetAside>(&row.value)?));
            }
            after = Some(row.key);
        }
        if last {
            break;
        }
    }
    Ok(Desk::of(row, aside, pace))
}

/// Writes the unit that keeps the state of a webhook as it is, and takes away what was ordered and is done: the keys of rows.
///
/// # Errors
/// A row cannot be written as JSON. The desk has its writes back then.
pub fn write_down(
    desk: &mut Desk,
    name: &str,
    done: &[Vec<u8>],
) -> Result<(Unit, Unwritten), serde_json::Error> {
    let unwritten = desk.take_writes();
    match writes(desk, name, &unwritten, done) {
        Ok(writes) => Ok((Unit { given: vec![], writes, log: None }, unwritten)),
        Err(error) => {
            desk.give_back(unwritten);
            Err(error)
        }
    }
}

fn writes(
    desk: &Desk,
    name: &str,
    (aside, forget): &Unwritten,
    done: &[Vec<u8>],
) -> Result<Vec<Write>, serde_json::Error> {
    let small = |space, key, value| Write::Small { space, key, value };
    let row = serde_json::to_vec(&desk.row())?;
    let mut writes = vec![small(HOOKS, name.as_bytes().to_vec(), Some(row))];
    writes.extend(forget.iter().map(|seq| small(ASIDE, aside_key(name, *seq), None)));
    for (seq, event) in aside {
        writes.push(small(ASIDE, aside_key(name, *seq), Some(serde_json::to_vec(event)?)));
    }
    writes.extend(done.iter().map(|key| small(ORDERS, key.clone(), None)));
    Ok(writes)
}
