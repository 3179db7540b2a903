//! What is held in two tenants at once, and put right when a crash came between: pointers to tokens and clients.
//!
//! A pointer is written before the token's row and removed after it, so that a crash leaves at worst a pointer to nothing. It opens
//! nothing; it is only in the way.

use std::sync::PoisonError;

use super::clients::holds_federation;
use super::error::RosterError;
use super::rows::{
    self, CLIENT_POINTERS, FEDERATION_POINTERS, FederationPointer, TOKEN_POINTERS, TOKENS, TokenPointer,
    TokensRow,
};
use super::{Roster, commit::hex};
use crate::ids::{ClientId, TenantId};
use crate::store::{Given, Outcome, SmallRow, Unit, Write};

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
