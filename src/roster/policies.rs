//! What each tenant has decided ([`Policy`]): held here as the settings say it, found by the tenant's name when a credential is looked up.
//!
//! A policy is remembered with a credential and part of the [`super::Caller`], so that a request is served by one policy from its
//! beginning to its end, and costs no look-up. Taking over new ones empties what is remembered.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::Roster;
use super::error::RosterError;
use super::rows::{self, TENANTS, TenantRow};
use crate::ids::TenantId;
use crate::psa::policy::{FirmMethod, Lifetimes, Policies, Policy, Way};
use crate::store::Snapshot;

/// The policies that hold.
#[derive(Debug, Default)]
pub(super) struct Held {
    all: RwLock<Arc<Policies>>,
    /// The numbers of tenants that have it otherwise, as far as they were looked up: a name has its number for good.
    numbers: RwLock<BTreeMap<String, TenantId>>,
}

impl Held {
    pub(super) fn all(&self) -> Arc<Policies> {
        Arc::clone(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn number(&self, name: &str) -> Option<TenantId> {
        self.numbers.read().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    fn found(&self, name: &str, number: TenantId) {
        self.numbers.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), number);
    }
}

impl Roster {
    /// Takes over what tenants have decided, for every request that is authenticated from now on.
    ///
    /// Returns the names for which there is no tenant (yet): whoever wrote them should hear of it.
    pub fn set_policies(&self, policies: Policies) -> Result<Vec<String>, RosterError> {
        let policies = Arc::new(policies);
        *self.policies.all.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&policies);
        // After the policies: what is looked up from here on finds the new ones.
        self.forget_credentials();
        let snapshot = self.store.snapshot()?;
        let mut unknown = Vec::new();
        for name in policies.names() {
            if snapshot.small(TenantId::SYSTEM, TENANTS, name.as_bytes())?.is_none() {
                unknown.push(name.to_owned());
            }
        }
        Ok(unknown)
    }

    /// Returns what a tenant has decided, for those who know its name.
    pub(super) fn policy_of(&self, tenant: &str) -> Arc<Policy> {
        Arc::clone(self.policies.all().of(tenant))
    }

    /// Tells whether anybody of a tenant (of any, where none is named) signs in without a provider.
    pub fn has_means_of_its_own(&self, tenant: Option<&str>) -> bool {
        let has = |policy: &Policy| policy.sign_in.method != FirmMethod::Fixed(Way::Sso);
        let all = self.policies.all();
        match tenant {
            Some(tenant) => has(all.of(tenant)),
            None => has(all.everybody()) || all.names().any(|name| has(all.of(name))),
        }
    }

    /// Returns how long the sessions of a tenant's people live.
    pub fn lifetimes(&self, tenant: TenantId) -> Result<Lifetimes, RosterError> {
        if self.policies.all().names().next().is_none() {
            return Ok(self.policies.all().everybody().sessions);
        }
        Ok(self.policy(self.store.snapshot()?.as_ref(), tenant)?.sessions)
    }

    /// Finds what a tenant has decided. Reads a row for each tenant that has it otherwise, until it was found once.
    pub(super) fn policy(
        &self,
        snapshot: &dyn Snapshot,
        tenant: TenantId,
    ) -> Result<Arc<Policy>, RosterError> {
        let policies = self.policies.all();
        for name in policies.names() {
            let number = match self.policies.number(name) {
                Some(number) => number,
                None => {
                    let bytes = snapshot.small(TenantId::SYSTEM, TENANTS, name.as_bytes())?;
                    let Some(bytes) = bytes else { continue };
                    let number = rows::decode::<TenantRow>(&bytes)?.number;
                    self.policies.found(name, number);
                    number
                }
            };
            if number == tenant {
                return Ok(Arc::clone(policies.of(name)));
            }
        }
        Ok(Arc::clone(policies.everybody()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LOCAL_NAME, Scopes};
    use super::*;
    use crate::chance::SeededChance;
    use crate::clock::FixedClock;
    use crate::psa::policy::Deprovision;
    use crate::store::memory::MemoryStore;

    fn locking(tenant: &str) -> Policies {
        let locked = Policy { deprovision: Deprovision::Lock, ..Policy::default() };
        Policies::new(Policy::default(), [(tenant.to_owned(), locked)])
    }

    fn roster() -> Roster {
        let clock = Arc::new(FixedClock::at("2026-01-02T03:04:05Z"));
        Roster::new(Arc::new(MemoryStore::new()), clock, Arc::new(SeededChance::new(1)))
    }

    #[test]
    fn a_credential_comes_with_what_its_tenant_has_decided() {
        let roster = roster();
        assert_eq!(roster.set_policies(locking("acme")).unwrap(), ["acme"]);
        let request = roster.request_id();
        for (tenant, decided) in [("acme", Deprovision::Lock), ("other", Deprovision::DeleteIfUnused)] {
            roster.create_tenant(tenant, request).unwrap();
            let operator = roster.operator(tenant, request).unwrap();
            assert_eq!(operator.policy().deprovision, decided);
            let token = roster.create_token(&operator, LOCAL_NAME, Scopes::idp(), None, None).unwrap();
            let caller = roster.authenticate(&token.secret, request).unwrap().unwrap();
            assert_eq!(caller.policy().deprovision, decided, "{tenant}");
        }
        assert_eq!(roster.set_policies(locking("acme")).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn r28_what_a_tenant_has_decided_anew_holds_for_the_next_request() {
        let roster = roster();
        let request = roster.request_id();
        roster.create_tenant("acme", request).unwrap();
        let operator = roster.operator("acme", request).unwrap();
        let token = roster.create_token(&operator, LOCAL_NAME, Scopes::idp(), None, None).unwrap();
        let ask = || roster.authenticate(&token.secret, request).unwrap().unwrap().policy().deprovision;
        assert_eq!(ask(), Deprovision::DeleteIfUnused);
        roster.set_policies(locking("acme")).unwrap();
        assert_eq!(ask(), Deprovision::Lock);
        roster.set_policies(Policies::default()).unwrap();
        assert_eq!(ask(), Deprovision::DeleteIfUnused);
    }
}
