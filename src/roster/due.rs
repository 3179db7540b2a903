//! Schedules have their effect (P11, R15): people whose day has come are looked at, and what follows is what would follow if somebody wrote them
//! at this moment.
//!
//! When to look stands in rows by the instant. The unit that locks or lets in also removes the row, so that a crash leaves both or neither. What
//! was missed while nobody ran is found at the next look.

use jiff::{SignedDuration, Timestamp};

use super::commit::Plan;
use super::error::RosterError;
use super::locks::plan_act;
use super::person::standing;
use super::rows::{self, DUE, TENANTS, TenantRow};
use super::rules::Act;
use super::{Caller, LOCAL, Roster, Scope, Scopes, all_small};
use crate::ids::{Address, RequestId, ResourceId, TenantId};
use crate::store::{Action, Actor, Given, PAGE_ROWS_MAX, Snapshot, Write};

/// How far ahead is looked when zones may have changed: midnight is at most that much later in one zone than in another.
const AHEAD: SignedDuration = SignedDuration::from_hours(27);

/// What a look at what is due came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Looked {
    /// People whom something was written of.
    pub changed: u64,
    /// People who could not be looked at; they are again next time. The log says why.
    pub failed: u64,
}

/// How far to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// At whose instant has come.
    Now,
    /// Also at those whose instant is so near that it may have come in another time zone: for changes of a company's zone or of the settings.
    Ahead,
}

impl Roster {
    /// Looks at every person of every tenant whose schedule is due, as long as `go_on` says so.
    pub fn look_at_schedules(&self, look: Look, go_on: &dyn Fn() -> bool) -> Result<Looked, RosterError> {
        let mut looked = Looked::default();
        for row in all_small(self.store.snapshot()?.as_ref(), TenantId::SYSTEM, TENANTS)? {
            if !go_on() {
                break;
            }
            let name = String::from_utf8_lossy(&row.key);
            let number = rows::decode::<TenantRow>(&row.value)?.number;
            if self.store.snapshot()?.small_range(number, DUE, &[], None, 1)?.is_empty() {
                continue;
            }
            let caller = self.of_itself(&name, number, self.request_id())?;
            self.look_at_tenant(&caller, look, go_on, &mut looked)?;
        }
        Ok(looked)
    }

    /// Acts for a tenant as the daemon itself.
    pub(super) fn of_itself(
        &self,
        name: &str,
        tenant: TenantId,
        request: RequestId,
    ) -> Result<Caller, RosterError> {
        let snapshot = self.store.snapshot()?;
        let sight = self.sight(snapshot.as_ref(), tenant, LOCAL, Scopes::of(Scope::ALL))?;
        Ok(self.at_hand(tenant, request, Actor::System, sight, self.policy_of(name)))
    }

    fn look_at_tenant(
        &self,
        caller: &Caller,
        look: Look,
        go_on: &dyn Fn() -> bool,
        looked: &mut Looked,
    ) -> Result<(), RosterError> {
        let until = match look {
            Look::Now => caller.now,
            Look::Ahead => caller.now.checked_add(AHEAD).unwrap_or(caller.now),
        };
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.store.snapshot()?.small_range(
                caller.tenant,
                DUE,
                &[],
                after.as_deref(),
                PAGE_ROWS_MAX,
            )?;
            after = page.last().map(|row| row.key.clone());
            let last = page.len() < PAGE_ROWS_MAX;
            for row in page {
                let Some((at, id)) = read_key(&row.key) else {
                    return Err(RosterError::Broken(
                        "a row of what is due has a key of another form".to_owned(),
                    ));
                };
                if at > until || !go_on() {
                    return Ok(());
                }
                match self.look_at(caller, &row.key, id) {
                    Ok(changed) => looked.changed = looked.changed.saturating_add(u64::from(changed)),
                    Err(error) => {
                        looked.failed = looked.failed.saturating_add(1);
                        tracing::warn!(person = %id, ?error, "a schedule could not have its effect; it is looked at again");
                    }
                }
            }
            if last {
                return Ok(());
            }
        }
    }

    /// Looks at one person. Returns whether anything was written.
    fn look_at(&self, caller: &Caller, key: &[u8], id: ResourceId) -> Result<bool, RosterError> {
        self.carry_out(caller, Action::Schedule, |snapshot| {
            let Some(value) = snapshot.small(caller.tenant, DUE, key)? else { return Ok((None, false)) };
            if let Some(removal) = orphan(snapshot, caller, key, value, id)? {
                return Ok((Some(removal), false));
            }
            let mut plan = Plan::default();
            let changed = plan_act(snapshot, caller, id, Act::Look, &mut plan)?;
            Ok((changed.then_some(plan), changed))
        })
    }
}

/// Removes a row of which the person knows nothing; `None` where it is the person's.
fn orphan(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    key: &[u8],
    value: Vec<u8>,
    id: ResourceId,
) -> Result<Option<Plan>, RosterError> {
    let at = Address::user(id);
    let fact = match snapshot.get(caller.tenant, at)? {
        None => Given::Absent(at),
        Some(stored) => {
            let due = standing(&stored, true)?.due;
            if due.is_some_and(|due| super::person::due_key(due, id) == key) {
                return Ok(None);
            }
            Given::Version(at, stored.version())
        }
    };
    let plan = Plan {
        given: vec![fact, Given::Small(DUE, key.to_vec(), Some(value))],
        writes: vec![Write::Small { space: DUE, key: key.to_vec(), value: None }],
        unlogged: true,
        ..Plan::default()
    };
    Ok(Some(plan))
}

/// Reads when somebody is due, and who.
pub(super) fn read_key(key: &[u8]) -> Option<(Timestamp, ResourceId)> {
    let (instant, id) = key.split_first_chunk::<8>()?;
    let instant = i64::try_from(u64::from_be_bytes(*instant)).ok()?;
    let id = <[u8; 16]>::try_from(id).ok()?;
    Some((Timestamp::from_millisecond(instant).ok()?, ResourceId::from_bytes(id)))
}
