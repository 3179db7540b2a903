//! Who keeps a person out, and why (rows H15, P11; section 2 of the domain).
//!
//! Locks are held by authorities, each for itself: a person is active only while nobody holds one. So an IdP's nightly `active: true`
//! lets go of the IdP's own lock, and an account that an administrator closed stays closed. Knows nothing of what a lock ends.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who may keep a person out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// The identity provider, by `active: false`.
    Idp,
    /// An administrator.
    Admin,
    /// The person's schedule: not yet, or no more.
    Schedule,
    /// No seat was left in the licence pool.
    License,
    /// What looked like an attack.
    Security,
}

impl Authority {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 5] = [Self::Idp, Self::Admin, Self::Schedule, Self::License, Self::Security];

    /// Returns the word for it, as it is kept and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idp => "idp",
            Self::Admin => "admin",
            Self::Schedule => "schedule",
            Self::License => "license",
            Self::Security => "security",
        }
    }
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One authority's lock on one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Who holds it.
    pub authority: Authority,
    /// Since when.
    pub since: Timestamp,
    /// Who acted for the authority, in words for people: an administrator, a connection.
    pub by: String,
    /// Why, in the words of who acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The locks on one person: at most one of each authority, in the order of [`Authority::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Lock>", into = "Vec<Lock>")]
pub struct Locks(BTreeMap<Authority, Lock>);

/// Why a list of locks cannot be one person's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected at most one lock of each authority, found two of {authority}")]
pub struct LocksError {
    /// Who would hold two.
    pub authority: Authority,
}

impl Locks {
    /// Begins with none.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Lets an authority hold a lock; returns whether it is new.
    ///
    /// An authority that holds one already keeps that one, its `since` and its reason: what is repeated every night changes nothing.
    /// To say another reason, [`Locks::release`] first.
    pub fn hold(&mut self, lock: Lock) -> bool {
        let is_new = !self.0.contains_key(&lock.authority);
        if is_new {
            self.0.insert(lock.authority, lock);
        }
        is_new
    }

    /// Takes back the lock of an authority, and returns it; those of others stay.
    pub fn release(&mut self, authority: Authority) -> Option<Lock> {
        self.0.remove(&authority)
    }

    /// Tells whether anybody keeps the person out. `active`, as it is answered, is the opposite.
    pub fn is_locked(&self) -> bool {
        !self.0.is_empty()
    }

    /// Returns the lock that an authority holds.
    pub fn by(&self, authority: Authority) -> Option<&Lock> {
        self.0.get(&authority)
    }

    /// Lists the locks in the order of [`Authority::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = &Lock> {
        self.0.values()
    }

    /// Returns since when the person is kept out: the beginning of the oldest lock that is still held.
    pub fn since(&self) -> Option<Timestamp> {
        self.iter().map(|lock| lock.since).min()
    }
}

impl From<Locks> for Vec<Lock> {
    fn from(locks: Locks) -> Self {
        locks.0.into_values().collect()
    }
}

impl TryFrom<Vec<Lock>> for Locks {
    type Error = LocksError;

    fn try_from(list: Vec<Lock>) -> Result<Self, LocksError> {
        let mut locks = Self::new();
        for lock in list {
            let authority = lock.authority;
            if !locks.hold(lock) {
                return Err(LocksError { authority });
            }
        }
        Ok(locks)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn lock(authority: Authority, second: i64) -> Lock {
        Lock {
            authority,
            since: Timestamp::from_second(second).unwrap(),
            by: "anna".to_owned(),
            reason: Some("left the firm".to_owned()),
        }
    }

    #[test]
    fn h15_a_nightly_sync_does_not_reopen_what_an_administrator_closed() {
        let mut locks = Locks::new();
        assert!(locks.hold(lock(Authority::Admin, 1)));
        assert!(locks.hold(lock(Authority::Idp, 2)));
        // What `active: true` of an IdP comes to.
        assert_eq!(locks.release(Authority::Idp), Some(lock(Authority::Idp, 2)));
        assert_eq!(locks.release(Authority::Idp), None);
        assert!(locks.is_locked());
        assert_eq!(locks.by(Authority::Admin), Some(&lock(Authority::Admin, 1)));
        assert_eq!(locks.by(Authority::Idp), None);
        locks.release(Authority::Admin);
        assert!(!locks.is_locked());
    }

    #[test]
    fn h15_a_lock_that_is_held_again_keeps_its_beginning() {
        let mut locks = Locks::new();
        assert!(locks.hold(lock(Authority::Idp, 1)));
        assert!(!locks.hold(lock(Authority::Idp, 2)));
        assert_eq!(locks.by(Authority::Idp), Some(&lock(Authority::Idp, 1)));
        locks.hold(lock(Authority::Security, 0));
        assert_eq!(locks.since(), Some(Timestamp::from_second(0).unwrap()));
    }

    #[test]
    fn h15_locks_are_kept_as_a_list_in_one_order() {
        let mut locks = Locks::new();
        assert_eq!(serde_json::to_string(&locks).unwrap(), "[]");
        locks.hold(Lock { reason: None, ..lock(Authority::Security, 1) });
        locks.hold(lock(Authority::Idp, 2));
        let kept = serde_json::to_string(&locks).unwrap();
        assert_eq!(
            kept,
            "[{\"authority\":\"idp\",\"since\":\"1970-01-01T00:00:02Z\",\"by\":\"anna\",\"reason\":\"left the firm\"},\
             {\"authority\":\"security\",\"since\":\"1970-01-01T00:00:01Z\",\"by\":\"anna\"}]"
        );
        assert_eq!(serde_json::from_str::<Locks>(&kept).unwrap(), locks);
        let twice =
            serde_json::to_string(&[lock(Authority::License, 1), lock(Authority::License, 2)]).unwrap();
        let refused = serde_json::from_str::<Locks>(&twice).unwrap_err().to_string();
        assert_eq!(refused, "expected at most one lock of each authority, found two of license");
    }

    #[test]
    fn h15_an_authority_has_one_word() {
        for authority in Authority::ALL {
            assert_eq!(serde_json::to_value(authority).unwrap(), authority.as_str());
        }
        assert!(Authority::ALL.is_sorted());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn h15_a_person_is_active_exactly_when_nobody_holds_a_lock(
            steps in proptest::collection::vec((any::<bool>(), 0..5_usize), 0..20),
        ) {
            let mut locks = Locks::new();
            let mut holders = BTreeSet::new();
            for (second, (holds, which)) in (0..).zip(steps) {
                let authority = Authority::ALL[which];
                if holds {
                    prop_assert_eq!(locks.hold(lock(authority, second)), holders.insert(authority));
                } else {
                    prop_assert_eq!(locks.release(authority).is_some(), holders.remove(&authority));
                }
                prop_assert_eq!(locks.is_locked(), !holders.is_empty());
                let held: BTreeSet<Authority> = locks.iter().map(|lock| lock.authority).collect();
                prop_assert_eq!(&held, &holders);
                for authority in Authority::ALL {
                    prop_assert_eq!(locks.by(authority).is_some(), holders.contains(&authority));
                }
                let kept = serde_json::to_string(&locks).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Locks>(&kept).unwrap(), &locks);
            }
        }
    }
}
