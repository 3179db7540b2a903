//! What is held in two tenants at once, and put right when a crash came between: pointers to tokens and clients.
//!
//! A pointer is written before the token's row and removed after it, so that a crash leaves at worst a pointer to nothing. It opens
//! nothing; it is only in the way.
//!
//! And what an earlier build did not write: entries in the indexes of order.

use std::sync::PoisonError;

use super::clients::holds_federation;
use super::error::RosterError;
use super::rows::{
    self, CLIENT_POINTERS, FEDERATION_POINTERS, FederationPointer, TENANTS, TOKEN_POINTERS, TOKENS,
    TenantRow, TokenPointer, TokensRow,
};
use super::{Roster, commit::hex, index};
use crate::ids::{Address, ClientId, KindId, ResourceId, TenantId};
use crate::scim::{Document, Kind};
use crate::store::{Given, Outcome, SmallRow, Snapshot, Unit, Write};

/// Records that are given index entries in one unit.
const RECORDS_AT_ONCE: usize = if cfg!(test) { 3 } else { 256 };

impl Roster {
    /// Removes pointers that lead to no token, client or federation, and returns how many there were.
    pub(super) fn remove_orphaned_pointers(&self) -> Result<usize, RosterError> {
        // A token in the making has its pointer and not yet its row.
        let _making = self.making_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.store.snapshot()?;
        let mut orphans = Vec::new();
        for pointer in super::all_small(snapshot.as_ref(), TenantId::SYSTEM, TOKEN_POINTERS)? {
            let TokenPointer { tenant, connection } = rows::decode(&pointer.value)?;
            let row = snapshot.small(tenant, TOKENS, connection.as_bytes())?;
            let tokens =
                row.as_deref().map(rows::decode::<TokensRow>).transpose()?.map_or(vec![], |row| row.tokens);
            if !tokens.iter().any(|token| token.hash == hex(&pointer.key)) {
                orphans.push((TOKEN_POINTERS, pointer));
            }
        }
        for pointer in super::all_small(snapshot.as_ref(), TenantId::SYSTEM, CLIENT_POINTERS)? {
            let client = pointer.key.first_chunk().map(|bytes| ClientId::from_bytes(*bytes));
            let at = client.map(|client| Self::client_at(snapshot.as_ref(), client)).transpose()?.flatten();
            let row = at.map(|at| at.read(snapshot.as_ref())).transpose()?.flatten();
            if row.is_none() {
                orphans.push((CLIENT_POINTERS, pointer));
            }
        }
        for pointer in super::all_small(snapshot.as_ref(), TenantId::SYSTEM, FEDERATION_POINTERS)? {
            let to: FederationPointer = rows::decode(&pointer.value)?;
            if !holds_federation(snapshot.as_ref(), &to, &pointer.key)? {
                orphans.push((FEDERATION_POINTERS, pointer));
            }
        }
        drop(snapshot);
        let mut removed = 0_usize;
        for (space, SmallRow { key, value }) in orphans {
            let unit = Unit {
                given: vec![Given::Small(space, key.clone(), Some(value))],
                writes: vec![Write::Small { space, key, value: None }],
                log: None,
            };
            if matches!(self.store.commit(TenantId::SYSTEM, unit)?, Outcome::Committed { .. }) {
                removed = removed.saturating_add(1);
            }
        }
        Ok(removed)
    }

    /// Gives records that an earlier build wrote their entries in the indexes of order, tenant by tenant, a few at once, and returns how
    /// many there were. When it is broken off, what it did stays, and the tenant's order is not asked for until it has been through.
    /// May go on beside other work: what is written meanwhile has its entries.
    pub fn complete_indexes(&self) -> Result<u64, RosterError> {
        let mut given = 0_u64;
        for row in super::all_small(self.store.snapshot()?.as_ref(), TenantId::SYSTEM, TENANTS)? {
            let TenantRow { number: tenant, .. } = rows::decode(&row.value)?;
            if index::has_orders(self.store.snapshot()?.as_ref(), tenant)? {
                continue;
            }
            for kind in self.kinds().iter() {
                given = given.saturating_add(self.complete_kind(tenant, kind)?);
            }
            let done = Unit { given: vec![], writes: vec![index::orders_are_there(tenant)?], log: None };
            self.store.commit(TenantId::SYSTEM, done)?;
        }
        Ok(given)
    }

    fn complete_kind(&self, tenant: TenantId, kind: &Kind) -> Result<u64, RosterError> {
        let mut given = 0_u64;
        let mut after: Option<ResourceId> = None;
        loop {
            let snapshot = self.store.snapshot()?;
            let ids = snapshot.ids(tenant, kind.id, after, 0, RECORDS_AT_ONCE)?;
            let Some(last) = ids.last().copied() else { return Ok(given) };
            let mut unit = Unit { given: vec![], writes: vec![], log: None };
            for id in ids {
                let at = Address { kind: kind.id, id };
                if let Some((fact, write)) = missing_entries(snapshot.as_ref(), tenant, kind, at)? {
                    unit.given.push(fact);
                    unit.writes.push(write);
                }
            }
            let many = unit.writes.len() as u64;
            let done = many == 0 || matches!(self.store.commit(tenant, unit)?, Outcome::Committed { .. });
            // Where one of them was changed meanwhile, they are looked at again: by whoever changed it, it has its entries.
            if done {
                given = given.saturating_add(many);
                after = Some(last);
            }
        }
    }
}

/// Says which entries a record ought to have, where it has others, and on which fact that stands.
fn missing_entries(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    kind: &Kind,
    at: Address,
) -> Result<Option<(Given, Write)>, RosterError> {
    let Some(stored) = snapshot.get(tenant, at)? else { return Ok(None) };
    let document = Document::from_segments(stored.segments())
        .map_err(|error| RosterError::Broken(format!("{}: {error}", at.id)))?;
    let before = stored.to_record()?.index;
    let mut entries: Vec<_> = before.iter().filter(|entry| !index::is_order(entry.index)).cloned().collect();
    entries.extend(index::orders(kind, &document, stored.modified()));
    // Whether a group is in the store's list of those whose edges changed, its record does not say; to write it there again does no harm.
    let missing = entries != before || at.kind == KindId::GROUP;
    Ok(missing.then(|| (Given::Version(at, stored.version()), Write::Index { at, index: entries })))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chance::SeededChance;
    use crate::clock::FixedClock;
    use crate::ids::ConnectionId;
    use crate::roster::{ClientKind, Federation, Scopes};
    use crate::store::Store as _;
    use crate::store::memory::MemoryStore;

    #[test]
    fn a_pointer_that_a_crash_left_behind_is_removed_and_a_live_one_stays() {
        let store = Arc::new(MemoryStore::new());
        let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
        let roster = Roster::new(Arc::clone(&store) as _, clock, Arc::new(SeededChance::new(1)));
        let request = roster.request_id();
        roster.create_tenant("acme", request).unwrap();
        let caller = roster.operator("acme", request).unwrap();
        let token = roster.create_token(&caller, "local", Scopes::idp(), None, None).unwrap();
        let orphan = rows::encode(&TokenPointer {
            tenant: caller.tenant(),
            connection: ConnectionId::from_bytes([9; 16]),
        })
        .unwrap();
        let write = Write::Small { space: TOKEN_POINTERS, key: vec![7; 32], value: Some(orphan) };
        store.commit(TenantId::SYSTEM, Unit { given: vec![], writes: vec![write], log: None }).unwrap();

        assert_eq!(roster.remove_orphaned_pointers().unwrap(), 1);
        assert_eq!(roster.remove_orphaned_pointers().unwrap(), 0);
        assert!(roster.authenticate(&token.secret, request).unwrap().is_some());
    }

    #[test]
    fn pointers_to_clients_that_are_no_more_are_removed_and_live_ones_stay() {
        let store = Arc::new(MemoryStore::new());
        let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
        let roster = Roster::new(Arc::clone(&store) as _, clock, Arc::new(SeededChance::new(1)));
        let request = roster.request_id();
        roster.create_tenant("acme", request).unwrap();
        let caller = roster.operator("acme", request).unwrap();
        let day = jiff::SignedDuration::from_hours(24);
        let (client, _) =
            roster.create_client(&caller, "local", Scopes::idp(), ClientKind::Federated, day).unwrap();
        let pinned = Federation {
            issuer: "https://idp.test".to_owned(),
            subject: "s".to_owned(),
            audiences: vec!["a".to_owned()],
            keys_url: None,
            algorithms: vec!["RS256".to_owned()],
            lifetime_minutes_max: 60,
        };
        roster.federate(&caller, client, &pinned).unwrap();
        let to = ConnectionId::from_bytes([0; 16]);
        let left_behind = [
            (
                CLIENT_POINTERS,
                rows::encode(&TokenPointer { tenant: caller.tenant(), connection: to }).unwrap(),
            ),
            // It leads to a client that lives, and pins something else.
            (
                FEDERATION_POINTERS,
                rows::encode(&FederationPointer { tenant: caller.tenant(), connection: to, client }).unwrap(),
            ),
        ];
        for (space, value) in left_behind {
            let write = Write::Small { space, key: vec![7; 16], value: Some(value) };
            store.commit(TenantId::SYSTEM, Unit { given: vec![], writes: vec![write], log: None }).unwrap();
        }
        assert_eq!(roster.remove_orphaned_pointers().unwrap(), 2);
        assert_eq!(roster.remove_orphaned_pointers().unwrap(), 0);
        assert!(roster.client_by_federation(None, "https://idp.test", "s").unwrap().is_some());
        roster.revoke_client(&caller, client).unwrap();
        assert_eq!(roster.remove_orphaned_pointers().unwrap(), 0, "a revoked client leaves nothing behind");
    }
}
