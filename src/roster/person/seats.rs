//! Licences: whoever has a licence and is not locked has a seat (H17).
//!
//! Seats are counted by the store, so that any number of people can be let in at a time and none gets a seat that is not there.

use serde_json::{Map, Value};

use super::super::Caller;
use super::super::error::RosterError;
use super::super::rows::SEATS;
use super::super::rules::Settled;
use super::link_id;
use crate::ids::{Address, KindId, ResourceId};
use crate::psa::kinds::{Pool, WhenFull};
use crate::psa::locks::Authority;
use crate::psa::standing::Standing;
use crate::scim::Document;
use crate::store::{Given, Snapshot, Write};

/// The fact that a pool has fewer seats taken than this.
pub(in crate::roster) fn room(pool: ResourceId, max: u64) -> Given {
    Given::Room { space: SEATS, key: pool.as_bytes().to_vec(), max }
}

/// Gives the person a seat, or takes theirs, as locks and licence have it now; where none is left, refuses or locks as the pool has it.
/// `was` is how they stood, and whether they were there at all.
pub(super) fn settle(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    old: &Map<String, Value>,
    psa: &Map<String, Value>,
    was: (&Standing, bool),
    now: &mut Standing,
    settled: &mut Settled,
) -> Result<(), RosterError> {
    let had = link_id(old.get("license")).filter(|_| was.1 && !was.0.locks.is_locked());
    let licence = link_id(psa.get("license"));
    let others = now.locks.iter().any(|lock| lock.authority != Authority::License);
    let wants = licence.filter(|_| !others);
    if had != wants
        && let Some(pool) = wants
    {
        if take(snapshot, caller, pool, settled)? {
            now.locks.release(Authority::License);
        } else {
            let reason = "no seat was left";
            now.lock(Authority::License, true, caller.now, "license", Some(reason));
        }
    }
    if licence.is_none() {
        now.locks.release(Authority::License);
    }
    if let Some(pool) = had.filter(|pool| wants != Some(*pool)) {
        add(pool, -1, settled);
    }
    Ok(())
}

/// Takes a seat; `false` where none is left and the pool locks rather than refuses.
fn take(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    pool: ResourceId,
    settled: &mut Settled,
) -> Result<bool, RosterError> {
    let at = Address { kind: KindId::LICENSE_POOL, id: pool };
    let Some(stored) = snapshot.get(caller.tenant, at)? else {
        return Err(RosterError::Broken(format!("the licence pool {pool} is named and not there")));
    };
    let document = Document::from_segments(stored.segments().take(1))
        .map_err(|error| RosterError::Broken(format!("{pool}: {error}")))?;
    let Pool { seats, when_full } = Pool::of(&document)?;
    settled.given.push(Given::Version(at, stored.version()));
    if snapshot.counter(caller.tenant, SEATS, pool.as_bytes())? >= seats {
        // That none is left is no fact of the unit: if one becomes free meanwhile, the person is locked all the same, and whoever
        // looks at them next lets them in.
        return match when_full {
            WhenFull::Lock => Ok(false),
            WhenFull::Reject => Err(RosterError::InUse(format!(
                "no seat is left in the licence pool \"{}\": all {seats} are taken; lock somebody who has one, or give the pool more seats",
                stored.display()
            ))),
        };
    }
    settled.given.push(room(pool, seats));
    add(pool, 1, settled);
    Ok(true)
}

fn add(pool: ResourceId, by: i64, settled: &mut Settled) {
    settled.writes.push(Write::Add { space: SEATS, key: pool.as_bytes().to_vec(), by });
}
