//! How sessions end: one by one, those of a provider's session, of an identity, of a person, of a provider; and how what is over is removed.

use super::super::commit::Plan;
use super::super::error::RosterError;
use super::super::locks::of_the_firm;
use super::super::rows::{
    self, EPOCHS, PROVIDER_EPOCHS, SESSIONS, SESSIONS_BY_SID, SESSIONS_DUE, SessionRow, TENANTS, TenantRow,
};
use super::super::scope::Scope;
use super::super::{Caller, Roster, all_small};
use super::fleeting;
use super::link::{self, Identity};
use super::mailed;
use super::session::{SessionKey, all_under, due_key, hashes_of, name, other_rows, sid_prefix};
use crate::ids::{Address, ResourceId, TenantId};
use crate::store::{Action, Change, Given, Snapshot, Unit, Write};

/// How many sessions that are over are removed at once.
const SWEPT_AT_ONCE_MAX: usize = 256;

/// What removes a session.
fn removal(hash: [u8; 32], row: &SessionRow) -> impl Iterator<Item = Write> {
    let itself = (SESSIONS, hash.to_vec());
    other_rows(&hash, row).into_iter().chain([itself]).map(|(space, key)| Write::Small {
        space,
        key,
        value: None,
    })
}

impl Roster {
    /// Ends one session: signing out. Says whose it was; `None` where there was none.
    pub fn end_session(&self, door: &Caller, key: &SessionKey) -> Result<Option<ResourceId>, RosterError> {
        self.end_where(door, |snapshot| {
            let bytes = snapshot.small(door.tenant, SESSIONS, &key.hash)?;
            Ok(bytes.map(|_| key.hash).into_iter().collect())
        })
        .map(|ended| ended.first().copied())
    }

    /// Ends one session of a person by its name in lists.
    ///
    /// # Errors
    /// [`RosterError::NotFound`] where they have none of that name.
    pub fn end_session_named(&self, caller: &Caller, id: ResourceId, name: &str) -> Result<(), RosterError> {
        let ended = self.end_where(caller, |snapshot| {
            let mut hashes = hashes_of(snapshot, caller.tenant, id)?;
            hashes.retain(|hash| self::name(hash) == name);
            Ok(hashes)
        })?;
        if ended.is_empty() { Err(RosterError::NotFound) } else { Ok(()) }
    }

    /// Ends the sessions that began with a session of the provider's own (OpenID Connect Back-Channel Logout, `sid`). Says whose they were.
    pub fn end_sessions_of_sid(
        &self,
        door: &Caller,
        provider: &str,
        sid: &str,
    ) -> Result<Vec<ResourceId>, RosterError> {
        let prefix = sid_prefix(provider, sid);
        self.end_where(door, |snapshot| {
            let rows = all_under(snapshot, door.tenant, SESSIONS_BY_SID, &prefix)?;
            Ok(rows.iter().filter_map(|key| key.last_chunk::<32>().copied()).collect())
        })
    }

    /// Ends everything that an identity had signed in with at its provider (Back-Channel Logout, `sub` alone). What its person signed in with otherwise
    /// stays.
    pub fn end_sessions_of_identity(
        &self,
        door: &Caller,
        identity: &Identity<'_>,
    ) -> Result<Vec<ResourceId>, RosterError> {
        self.end_where(door, |snapshot| {
            let Some(person) = link::known(snapshot, door.tenant, identity)? else { return Ok(vec![]) };
            let mut hashes = Vec::new();
            for hash in hashes_of(snapshot, door.tenant, person)? {
                let Some(bytes) = snapshot.small(door.tenant, SESSIONS, &hash)? else { continue };
                let row: SessionRow = rows::decode(&bytes)?;
                if row.provider.as_deref() == Some(identity.provider) {
                    hashes.push(hash);
                }
            }
            Ok(hashes)
        })
    }

    /// Ends everything that a person had signed in with (P06, H10), on every machine, now.
    pub fn end_everything(&self, caller: &Caller, id: ResourceId) -> Result<(), RosterError> {
        of_the_firm(caller, Scope::UsersWrite)?;
        self.carry_out(caller, Action::SignInsEnd, |snapshot| {
            let at = Address::user(id);
            if !snapshot.exists(caller.tenant, at)? {
                return Err(RosterError::NotFound);
            }
            let plan = Plan {
                given: vec![Given::Exists(at)],
                writes: vec![Write::Add { space: EPOCHS, key: id.as_bytes().to_vec(), by: 1 }],
                subject: Some(at),
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })
    }

    /// Ends everything that anybody had signed in with through a provider.
    pub fn end_sessions_of_provider(&self, caller: &Caller, provider: &str) -> Result<(), RosterError> {
        of_the_firm(caller, Scope::Admin)?;
        self.carry_out(caller, Action::SignInsEnd, |_| {
            let plan = Plan {
                writes: vec![Write::Add { space: PROVIDER_EPOCHS, key: provider.as_bytes().to_vec(), by: 1 }],
                changes: vec![Change::of("provider", None, Some(provider.into()))],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })
    }

    /// Removes from every tenant what is over, as long as `go_on` says so. Returns how many rows.
    pub fn sweep_all_sign_ins(&self, go_on: &dyn Fn() -> bool) -> Result<usize, RosterError> {
        let mut all = 0_usize;
        for row in all_small(self.store.snapshot()?.as_ref(), TenantId::SYSTEM, TENANTS)? {
            let number = rows::decode::<TenantRow>(&row.value)?.number;
            loop {
                let swept = if go_on() { self.sweep_sign_ins(number)? } else { 0 };
                all = all.saturating_add(swept);
                if swept == 0 {
                    break;
                }
            }
        }
        Ok(all)
    }

    /// Removes the rows of sessions, and of whatever else of signing in lives for a time only, that are over. Returns how many; there may be more.
    pub fn sweep_sign_ins(&self, tenant: TenantId) -> Result<usize, RosterError> {
        let fleeting = fleeting::sweep(self, tenant, self.now())?;
        let links = mailed::sweep(self, tenant, self.now())?;
        Ok(self.sweep_sessions(tenant)?.saturating_add(fleeting).saturating_add(links))
    }

    fn sweep_sessions(&self, tenant: TenantId) -> Result<usize, RosterError> {
        let snapshot = self.store.snapshot()?;
        let now = due_key(self.now(), &[0; 32]);
        let due = snapshot.small_range(tenant, SESSIONS_DUE, &[], None, SWEPT_AT_ONCE_MAX)?;
        let mut writes = Vec::new();
        let mut swept = 0_usize;
        for row in due.iter().take_while(|row| row.key < now) {
            writes.push(Write::Small { space: SESSIONS_DUE, key: row.key.clone(), value: None });
            let Some(hash) = row.key.last_chunk::<32>().copied() else { continue };
            if let Some(bytes) = snapshot.small(tenant, SESSIONS, &hash)? {
                writes.extend(removal(hash, &rows::decode(&bytes)?));
            }
            swept = swept.saturating_add(1);
        }
        if !writes.is_empty() {
            self.store.commit(tenant, Unit { given: vec![], writes, log: None })?;
        }
        Ok(swept)
    }

    /// Ends sessions, in one unit for each; says whose they were.
    fn end_where(
        &self,
        caller: &Caller,
        which: impl Fn(&dyn Snapshot) -> Result<Vec<[u8; 32]>, RosterError>,
    ) -> Result<Vec<ResourceId>, RosterError> {
        of_the_firm(caller, Scope::UsersWrite)?;
        let hashes = which(self.store.snapshot()?.as_ref())?;
        let mut people = Vec::new();
        for hash in hashes {
            let ended = self.carry_out(caller, Action::SignOut, |snapshot| {
                let Some(bytes) = snapshot.small(caller.tenant, SESSIONS, &hash)? else {
                    return Ok((None, None));
                };
                let row: SessionRow = rows::decode(&bytes)?;
                let plan = Plan {
                    writes: removal(hash, &row).collect(),
                    given: vec![Given::Small(SESSIONS, hash.to_vec(), Some(bytes))],
                    subject: Some(Address::user(row.person)),
                    changes: vec![Change::of("session", Some(name(&hash).into()), None)],
                    ..Plan::default()
                };
                Ok((Some(plan), Some(row.person)))
            })?;
            people.extend(ended.filter(|person| !people.contains(person)));
        }
        Ok(people)
    }
}

/// What removes every session of a person.
pub(in crate::roster) fn forget(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    person: ResourceId,
) -> Result<Vec<Write>, RosterError> {
    let mut writes = Vec::new();
    for hash in hashes_of(snapshot, tenant, person)? {
        if let Some(bytes) = snapshot.small(tenant, SESSIONS, &hash)? {
            writes.extend(removal(hash, &rows::decode(&bytes)?));
        }
    }
    Ok(writes)
}
