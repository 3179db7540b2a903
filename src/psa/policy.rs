//! What a tenant has decided: one value for each tenant, made of the settings and replaced as a whole when they are read again.
//!
//! Plain data. Knows nothing of where it was written, nor who acts on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

/// What one tenant has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What a DELETE does to somebody who may be erased.
    pub deprovision: Deprovision,
    /// What creating somebody with the `externalId` of a departed person does.
    pub rehire: Rehire,
    /// The time zone of those who have none of their own.
    pub time_zone: TimeZone,
    /// Fewest characters of a password (row T04).
    pub password_characters_min: usize,
}

/// What a DELETE does to a person. On whom a hold rests departs in any case: locked, and out of the view of SCIM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deprovision {
    /// Erases who was never used; the others depart.
    #[default]
    DeleteIfUnused,
    /// Everybody departs.
    Lock,
    /// Erases also who has signed in.
    Delete,
}

/// What creating somebody with the `externalId` of a departed person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rehire {
    /// Brings that person back, with id and history.
    #[default]
    Resurrect,
    /// Makes another person.
    New,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            deprovision: Deprovision::default(),
            rehire: Rehire::default(),
            time_zone: TimeZone::UTC,
            password_characters_min: 12,
        }
    }
}

/// What every tenant has decided: what holds for all, and by name those who have it otherwise.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    everybody: Arc<Policy>,
    otherwise: BTreeMap<String, Arc<Policy>>,
}

impl Policies {
    /// Collects what holds for everybody and for single tenants, by name.
    pub fn new(everybody: Policy, otherwise: impl IntoIterator<Item = (String, Policy)>) -> Self {
        let otherwise = otherwise.into_iter().map(|(name, policy)| (name, Arc::new(policy)));
        Self { everybody: Arc::new(everybody), otherwise: otherwise.collect() }
    }

    /// Returns what a tenant has decided.
    pub fn of(&self, tenant: &str) -> &Arc<Policy> {
        self.otherwise.get(tenant).unwrap_or(&self.everybody)
    }

    /// Returns what holds where nothing else was decided.
    pub const fn everybody(&self) -> &Arc<Policy> {
        &self.everybody
    }

    /// Names the tenants that have it otherwise.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.otherwise.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_that_decided_nothing_has_what_holds_for_everybody() {
        let locked = Policy { deprovision: Deprovision::Lock, ..Policy::default() };
        let policies = Policies::new(Policy::default(), [("acme".to_owned(), locked)]);
        assert_eq!(policies.of("acme").deprovision, Deprovision::Lock);
        assert_eq!(policies.of("acm").deprovision, Deprovision::DeleteIfUnused);
        assert_eq!(policies.names().collect::<Vec<_>>(), ["acme"]);
    }
}
