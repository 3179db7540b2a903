//! Licences: whoever has a licence and is not locked has a seat (H17).
//!
//! Seats are counted by the store, so that any number of people can be let in at a time and none gets a seat that is not there. A person whom anybody else locks does not wait for a seat:
//! whether there is one is asked when they are let in.

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
use crate::store::{Given, Snapshot, Write};

/// The fact that a pool has fewer seats taken than this.
pub(in crate::roster) fn room(pool: ResourceId, max: u64) -> Given {
    Given::Room { space: SEATS, key: pool.as_bytes().to_vec(), max }
}

/// The seat that a person of whom this is known has.
pub(in crate::roster) fn seat_of(standing: &Standing, attributes: &Map<String, Value>) -> Option<ResourceId> {
    link_id(attributes.get("license")).filter(|_| !standing.locks.is_locked())
}

/// The seat that they had before a write, if they were there at all.
pub(in crate::roster) fn had_seat(
    there: bool,
    was: &Standing,
    old: &Map<String, Value>,
) -> Option<ResourceId> {
    seat_of(was, old).filter(|_| there)
}

/// What is known of a person's seat before a write.
#[derive(Clone, Copy)]
pub(super) struct Seat<'a> {
    /// Which they had.
    pub had: Option<ResourceId>,
    /// How they stood.
    pub was: &'a Standing,
    /// What their attributes were.
    pub old: &'a Map<String, Value>,
    /// Whether nobody is there who could be told that none is left.
    pub waits: bool,
}

/// Gives the person a seat, or takes theirs, as locks and licence have it now; where none is left, refuses or locks as the pool has it.
/// Who waited for a seat before goes on waiting, whatever the pool has.
pub(super) fn settle(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    seat: Seat<'_>,
    psa: &Map<String, Value>,
    now: &mut Standing,
    settled: &mut Settled,
) -> Result<(), RosterError> {
    let licence = link_id(psa.get("license"));
    let others = now.locks.iter().any(|lock| lock.authority != Authority::License);
    let wants = licence.filter(|_| !others);
    if seat.had != wants
        && let Some(pool) = wants
    {
        let waited =
            seat.was.locks.by(Authority::License).is_some() && link_id(seat.old.get("license")) == licence;
        if take(snapshot, caller, pool, seat.waits || waited, settled)? {
            now.locks.release(Authority::License);
        } else {
            let reason = "no seat was left";
            now.lock(Authority::License, true, caller.now, "license", Some(reason));
        }
    }
    if licence.is_none() {
        now.locks.release(Authority::License);
    }
    if let Some(pool) = seat.had.filter(|pool| wants != Some(*pool)) {
        add(pool, -1, settled);
    }
    Ok(())
}

/// The write that counts the seat of a person who leaves it.
pub(in crate::roster) fn free(pool: ResourceId) -> Write {
    Write::Add { space: SEATS, key: pool.as_bytes().to_vec(), by: -1 }
}

/// Takes a seat; `false` where none is left and the pool locks rather than refuses.
fn take(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    pool: ResourceId,
    waits: bool,
    settled: &mut Settled,
) -> Result<bool, RosterError> {
    let at = Address { kind: KindId::LICENSE_POOL, id: pool };
    let Some(stored) = snapshot.get(caller.tenant, at)? else {
        return Err(RosterError::Broken(format!("the licence pool {pool} is named and not there")));
    };
    let document = super::super::core(&stored)?;
    let Pool { seats, when_full } = Pool::of(&document)?;
    settled.given.push(Given::Version(at, stored.version()));
    let ahead = caller.run.seats.get(&pool).copied().unwrap_or_default();
    let taken = snapshot.counter(caller.tenant, SEATS, pool.as_bytes())?.saturating_add_signed(ahead);
    if taken >= seats {
        // That none is left is no fact of the unit: if one becomes free meanwhile, the person is locked all the same, and whoever
        // looks at them next lets them in.
        return match when_full {
            WhenFull::Lock => Ok(false),
            WhenFull::Reject if waits => Ok(false),
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
