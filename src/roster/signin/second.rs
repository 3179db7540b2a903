//! The second factor: a secret that a person's device counts with, and codes for when the device is lost.
//!
//! The secret lies here sealed, by a key that is not in the store; what a code says is worked out elsewhere. What comes here is the step that was shown,
//! and the unit that lets the person in is the one in which it counts: each step once, each recovery code once.

use sha2::{Digest, Sha256};

use super::super::commit::{Plan, hex, unhex};
use super::super::error::RosterError;
use super::super::permits::{Deed, Permit};
use super::super::rows::{self, SECOND_FACTORS, SecondFactorRow};
use super::super::{Caller, Roster, power};
use super::own::NotProved;
use crate::ids::{Address, ResourceId, TenantId};
use crate::store::{Action, Change, Given, Snapshot, Unit, Write};

/// How many recovery codes are kept.
pub const RECOVERY_CODES_MAX: usize = 10;
/// Longest sealed secret that is kept.
const SEALED_BYTES_MAX: usize = 256;

/// What was shown of a second factor.
#[derive(Debug, Clone, Copy)]
pub enum Second<'a> {
    /// A code was right for this step of time.
    Step(u64),
    /// A recovery code was typed in.
    Recovery(&'a str),
}

/// A person's second factor, for whoever works out what a code says.
pub struct SecondFactor {
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// Whether they have shown that they have it.
    pub confirmed: bool,
    /// How many recovery codes are left.
    pub recovery_left: usize,
}

type Kept = Option<(Vec<u8>, SecondFactorRow)>;

fn row(snapshot: &dyn Snapshot, tenant: TenantId, id: ResourceId) -> Result<Kept, RosterError> {
    let bytes = snapshot.small(tenant, SECOND_FACTORS, id.as_bytes())?;
    bytes.map(|bytes| rows::decode(&bytes).map(|row| (bytes, row))).transpose()
}

/// Returns the second factor that a person has to show; `None` where they have none.
pub(super) fn confirmed(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    id: ResourceId,
) -> Result<Option<SecondFactorRow>, RosterError> {
    Ok(row(snapshot, tenant, id)?.map(|(_, row)| row).filter(|row| row.confirmed))
}

/// The fact that a person's second factor stays as it is.
pub(super) fn fact(snapshot: &dyn Snapshot, tenant: TenantId, id: ResourceId) -> Result<Given, RosterError> {
    let key = id.as_bytes().to_vec();
    let value = snapshot.small(tenant, SECOND_FACTORS, &key)?;
    Ok(Given::Small(SECOND_FACTORS, key, value))
}

/// A recovery code as it is kept: letters and digits alone, in one case.
fn recovery_hash(code: &str) -> String {
    let bare: String =
        code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    hex(&Sha256::digest(bare.as_bytes()))
}

/// Adds to a plan that a second factor counts that was shown. Refuses where one is wanted and none, or one that counted before, was shown.
pub(super) fn plan_use(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    id: ResourceId,
    shown: Option<Second<'_>>,
    plan: &mut Plan,
) -> Result<Result<(), NotProved>, RosterError> {
    plan.given.push(fact(snapshot, tenant, id)?);
    let Some((_, mut row)) = row(snapshot, tenant, id)?.filter(|(_, row)| row.confirmed) else {
        return Ok(Ok(()));
    };
    match shown {
        None => return Ok(Err(NotProved::SecondFactor)),
        Some(Second::Step(step)) if step > row.step => row.step = step,
        Some(Second::Step(_)) => return Ok(Err(NotProved::SecondFactorWrong)),
        Some(Second::Recovery(code)) => {
            let hash = recovery_hash(code);
            let before = row.recovery.len();
            row.recovery.retain(|kept| *kept != hash);
            if row.recovery.len() == before {
                return Ok(Err(NotProved::SecondFactorWrong));
            }
            plan.remark_all(vec![format!("by a recovery code, {} left", row.recovery.len())]);
        }
    }
    let value = Some(rows::encode(&row)?);
    plan.writes.push(Write::Small { space: SECOND_FACTORS, key: id.as_bytes().to_vec(), value });
    Ok(Ok(()))
}

impl Roster {
    /// Returns a person's second factor, set up or being set up.
    pub fn second_factor(&self, door: &Caller, id: ResourceId) -> Result<Option<SecondFactor>, RosterError> {
        let Some((_, row)) = row(self.store.snapshot()?.as_ref(), door.tenant, id)? else { return Ok(None) };
        let sealed = unhex(&row.sealed)
            .ok_or_else(|| RosterError::Broken("a sealed secret could not be read".to_owned()))?;
        Ok(Some(SecondFactor { sealed, confirmed: row.confirmed, recovery_left: row.recovery.len() }))
    }

    /// Keeps the secret of a second factor that a person begins to set up. It is asked for once they have shown that they have it.
    ///
    /// # Errors
    /// [`RosterError::InUse`] where they have one.
    pub fn begin_second_factor(
        &self,
        door: &Caller,
        id: ResourceId,
        sealed: &[u8],
    ) -> Result<(), RosterError> {
        if sealed.len() > SEALED_BYTES_MAX {
            return Err(RosterError::Broken("a sealed secret takes more room than any should".to_owned()));
        }
        let snapshot = self.store.snapshot()?;
        if confirmed(snapshot.as_ref(), door.tenant, id)?.is_some() {
            return Err(RosterError::InUse(
                "there is a second factor; turn it off with one of its codes first".to_owned(),
            ));
        }
        let row = SecondFactorRow {
            sealed: hex(sealed),
            confirmed: false,
            step: 0,
            recovery: Vec::new(),
            since: door.now,
        };
        let unit = Unit {
            given: vec![Given::Exists(Address::user(id)), fact(snapshot.as_ref(), door.tenant, id)?],
            writes: vec![Write::Small {
                space: SECOND_FACTORS,
                key: id.as_bytes().to_vec(),
                value: Some(rows::encode(&row)?),
            }],
            log: None,
        };
        match self.store.commit(door.tenant, unit)? {
            crate::store::Outcome::Committed { .. } => Ok(()),
            crate::store::Outcome::Lost(_) => Err(RosterError::Busy),
        }
    }

    /// Turns a second factor on that was begun: a code of it was right for a step. `sealed` says which; the recovery codes are kept as hashes.
    ///
    /// # Errors
    /// [`RosterError::Moved`] where another one was begun meanwhile.
    pub fn confirm_second_factor(
        &self,
        door: &Caller,
        id: ResourceId,
        (sealed, step): (&[u8], u64),
        recovery: &[impl AsRef<str>],
    ) -> Result<(), RosterError> {
        self.carry_out(door, Action::SecondFactorSet, |snapshot| {
            let at = Address::user(id);
            let Some((bytes, row)) = row(snapshot, door.tenant, id)? else { return Err(RosterError::Moved) };
            if row.confirmed || row.sealed != hex(sealed) {
                return Err(RosterError::Moved);
            }
            let recovery = recovery.iter().take(RECOVERY_CODES_MAX);
            let next = SecondFactorRow {
                confirmed: true,
                step,
                recovery: recovery.map(|code| recovery_hash(code.as_ref())).collect(),
                since: door.now,
                ..row
            };
            let key = id.as_bytes().to_vec();
            let plan = Plan {
                given: vec![Given::Exists(at), Given::Small(SECOND_FACTORS, key.clone(), Some(bytes))],
                writes: vec![Write::Small { space: SECOND_FACTORS, key, value: Some(rows::encode(&next)?) }],
                subject: Some(at),
                changes: vec![Change::of("secondFactor", Some(false.into()), Some(true.into()))],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })
    }

    /// Turns a person's own second factor off, for something that it says.
    pub fn drop_second_factor(
        &self,
        door: &Caller,
        id: ResourceId,
        shown: Second<'_>,
    ) -> Result<Result<(), NotProved>, RosterError> {
        self.carry_out(door, Action::SecondFactorClear, |snapshot| {
            let mut plan = Plan { subject: Some(Address::user(id)), ..Plan::default() };
            if let Err(why) = plan_use(snapshot, door.tenant, id, Some(shown), &mut plan)? {
                return Ok((None, Err(why)));
            }
            let had_one = plan_clear(snapshot, door.tenant, id, &mut plan)?;
            Ok((had_one.then_some(plan), Ok(())))
        })
    }

    /// Takes a person's second factor away, when both device and recovery codes are lost.
    pub fn clear_second_factor(
        &self,
        caller: &Caller,
        permit: Permit,
        id: ResourceId,
    ) -> Result<(), RosterError> {
        permit.must_be(Deed::SetSignIn)?;
        self.carry_out(caller, Action::SecondFactorClear, |snapshot| {
            let at = Address::user(id);
            if !snapshot.exists(caller.tenant, at)? {
                return Err(RosterError::NotFound);
            }
            power::check_takeover(snapshot, caller, id, "take the second factor of")?;
            let mut plan = Plan { subject: Some(at), ..Plan::default() };
            plan.given.push(fact(snapshot, caller.tenant, id)?);
            let had_one = plan_clear(snapshot, caller.tenant, id, &mut plan)?;
            Ok((had_one.then_some(plan), ()))
        })
    }
}

fn plan_clear(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    id: ResourceId,
    plan: &mut Plan,
) -> Result<bool, RosterError> {
    let Some((_, row)) = row(snapshot, tenant, id)? else { return Ok(false) };
    plan.writes.push(Write::Small { space: SECOND_FACTORS, key: id.as_bytes().to_vec(), value: None });
    plan.changes.push(Change::of("secondFactor", Some(row.confirmed.into()), Some(false.into())));
    Ok(true)
}
