//! Asking again: people who are due are mapped as their connection's plugins say now, by the same rules as a write of that connection.

use jiff::Timestamp;

use super::kept;
use super::matter::{Parked, shorten};
use super::{Run, connections};
use crate::ids::{Address, RequestId, ResourceId, TenantId};
use crate::roster::commit::Plan;
use crate::roster::due::read_key;
use crate::roster::error::RosterError;
use crate::roster::locks::plan_act;
use crate::roster::rows::{PARKED, PARKED_DUE};
use crate::roster::rules::Act;
use crate::roster::{Caller, LOCAL, Roster};
use crate::store::{Action, Given, PAGE_ROWS_MAX, Snapshot, Write};

/// What a look at who is due came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mended {
    /// People who do not wait any more.
    pub mapped: u64,
    /// People among them of whom something changed.
    pub changed: u64,
    /// People who go on waiting.
    pub failed: u64,
}

/// What became of one person.
enum Ended {
    Mapped { changed: bool },
    Waits,
}

impl Roster {
    /// Maps everybody who is due, of every tenant, as long as `go_on` says so.
    pub fn map_parked(&self, go_on: &dyn Fn() -> bool) -> Result<Mended, RosterError> {
        let mut mended = Mended::default();
        if self.plugins().is_empty() {
            // Whoever waits, waits for plugins.
            return Ok(mended);
        }
        for (_, tenant) in Self::all_tenants(self.store.snapshot()?.as_ref())? {
            let batch = self.request_id();
            let now = self.now();
            let mut after: Option<Vec<u8>> = None;
            loop {
                let page = self.store.snapshot()?.small_range(
                    tenant,
                    PARKED_DUE,
                    &[],
                    after.as_deref(),
                    PAGE_ROWS_MAX.min(1000),
                )?;
                let Some(last) = page.last() else { break };
                after = Some(last.key.clone());
                for row in page {
                    let Some((due, id)) = read_key(&row.key) else {
                        return Err(RosterError::Broken("a row of who is due has another key".to_owned()));
                    };
                    if due > now || !go_on() {
                        after = None;
                        break;
                    }
                    self.map_again(tenant, id, due, batch, &mut mended)?;
                }
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(mended)
    }

    /// Maps one person, and counts what became of that.
    fn map_again(
        &self,
        tenant: TenantId,
        id: ResourceId,
        due: Timestamp,
        batch: RequestId,
        mended: &mut Mended,
    ) -> Result<(), RosterError> {
        let caller = self.on_behalf_of_whose(tenant, id, batch)?;
        let ended = self.carry_out(&caller, Action::Remap, |snapshot| again(snapshot, &caller, id, due));
        match ended {
            Ok(Ended::Mapped { changed }) => {
                mended.mapped = mended.mapped.saturating_add(1);
                mended.changed = mended.changed.saturating_add(u64::from(changed));
            }
            Ok(Ended::Waits) => mended.failed = mended.failed.saturating_add(1),
            Err(error @ (RosterError::Full | RosterError::Broken(_))) => return Err(error),
            Err(error) => {
                mended.failed = mended.failed.saturating_add(1);
                tracing::warn!(person = %id, %error, "a person could not be mapped again; it is tried again shortly");
            }
        }
        Ok(())
    }

    /// Acts as the connection that provisioned a person; as the built-in one where nobody is there.
    pub(super) fn on_behalf_of_whose(
        &self,
        tenant: TenantId,
        id: ResourceId,
        batch: RequestId,
    ) -> Result<Caller, RosterError> {
        let snapshot = self.store.snapshot()?;
        let stored = snapshot.get(tenant, Address::user(id))?;
        let connection = stored.and_then(|stored| stored.connection()).unwrap_or(LOCAL);
        let names = connections(snapshot.as_ref(), tenant)?;
        let name = names.iter().find(|(known, _)| *known == connection).map_or("", |(_, name)| name);
        let request = self.request_id();
        let caller = self.on_behalf_of(snapshot.as_ref(), tenant, (connection, name), request)?;
        Ok(Caller { run: Run { batch: Some(batch), ..Run::default() }, ..caller })
    }
}

/// The rule that maps a person who is due.
fn again(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
    due: Timestamp,
) -> Result<(Option<Plan>, Ended), RosterError> {
    let (value, row) = kept::read(snapshot, caller, id)?;
    let Some(row) = row.filter(|row| row.due == due) else {
        // They were mapped meanwhile, or are due at another time; a row that leads nowhere goes.
        let key = crate::roster::person::due_key(due, id);
        let plan = Plan {
            given: vec![Given::Small(PARKED, id.as_bytes().to_vec(), value)],
            writes: vec![Write::Small { space: PARKED_DUE, key, value: None }],
            unlogged: true,
            ..Plan::default()
        };
        return Ok((Some(plan), Ended::Mapped { changed: false }));
    };
    let mut plan = Plan::default();
    let is_served =
        caller.served.as_ref().is_some_and(|served| served.plugins.iter().any(|plugin| plugin.hooks().map));
    let is_there = snapshot.exists(caller.tenant, Address::user(id))?;
    let changed = if is_there && is_served {
        match plan_act(snapshot, caller, id, Act::Map, &mut plan) {
            Ok(changed) => changed,
            Err(error @ (RosterError::Full | RosterError::Broken(_) | RosterError::Busy)) => {
                return Err(error);
            }
            Err(error) => {
                // Nobody is there to be told; the list tells.
                plan = Plan::default();
                let plugin = row.plugin.unwrap_or_default();
                plan.asked.parked = Some(Parked { plugin, why: shorten(&error.to_string()) });
                false
            }
        }
    } else {
        false
    };
    let parked = plan.asked.parked.clone();
    match &parked {
        Some(parked) => kept::park(snapshot, caller, id, parked, &mut plan)?,
        None => kept::clear(snapshot, caller, id, &mut plan)?,
    }
    if !changed {
        // There is nothing to tell; only the row moves.
        let Plan { given, writes, asked, .. } = plan;
        plan = Plan { given, writes, asked, unlogged: true, ..Plan::default() };
    }
    let ended = if parked.is_some() { Ended::Waits } else { Ended::Mapped { changed } };
    Ok((Some(plan), ended))
}
