//! What a tenant has decided: one value for each tenant, made of the settings and replaced as a whole when they are read again.
//!
//! Plain data. Knows nothing of where it was written, nor who acts on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::authority::Authority;
use super::catalogue::{Catalogue, Level};
use super::permission::{ADMINISTERS, HeldType};
use crate::scim::fold::same;

/// What one tenant has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What a DELETE does to somebody who may be erased.
    pub deprovision: Deprovision,
    /// What creating somebody with the `externalId` of a departed person does.
    pub rehire: Rehire,
    /// The time zone of those who have none of their own.
    pub time_zone: TimeZone,
    /// How people sign in by the firm's own means.
    pub sign_in: SignIn,
    /// How long people stay signed in.
    pub sessions: Lifetimes,
    /// The permissions that there are, with what bounds and bundles them.
    pub catalogue: Arc<Catalogue>,
    /// What groups give to their members.
    pub group_maps: Vec<GroupMap>,
    /// What single connections may write of people, by their name. Who is not named may write all that it sees.
    pub authority: BTreeMap<String, Arc<Authority>>,
}

/// How people sign in by the firm's own means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignIn {
    /// How they do of whom no administrator has said it.
    pub method: FirmMethod,
    /// Fewest characters of a password (row T04).
    pub password_characters_min: usize,
    /// Whether somebody who is added is mailed how to sign in (row H06).
    pub login_instructions: bool,
    /// Whether mails are sent at all.
    pub mails: bool,
}

impl Default for SignIn {
    fn default() -> Self {
        Self {
            method: FirmMethod::ByOrigin,
            password_characters_min: 15,
            login_instructions: false,
            mails: false,
        }
    }
}

/// How people sign in of whom no administrator has said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirmMethod {
    /// Who is an identity provider's through it, everybody else by password.
    ByOrigin,
    /// All in one way.
    Fixed(Way),
}

/// How a person signs in. What stands further down is allowed beside what stands above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Through a provider, and not otherwise.
    Sso,
    /// By a link that is mailed to them.
    MagicLink,
    /// By a password.
    Password,
}

impl Way {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Sso, Self::MagicLink, Self::Password];

    /// Returns the name that is kept and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sso => "sso",
            Self::MagicLink => "magic-link",
            Self::Password => "password",
        }
    }
}

/// How long sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Without being used.
    pub idle: SignedDuration,
    /// At all.
    pub absolute: SignedDuration,
}

impl Default for Lifetimes {
    /// A working day without a pause, and a day in any case.
    fn default() -> Self {
        Self { idle: SignedDuration::from_hours(8), absolute: SignedDuration::from_hours(24) }
    }
}

/// What a group of one connection gives to its members.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupMap {
    /// The connection whose group it is, by name. A group of another one that is called the same is another group (row X21).
    pub connection: String,
    /// Which of its groups.
    pub group: GroupName,
    /// The bundle that it gives.
    pub bundle: Option<String>,
    /// The user types that it gives, by `displayName` or `externalId`.
    pub user_types: Vec<String>,
    /// What it gives beside them.
    pub grants: Vec<MappedGrant>,
    /// Marked as privileged by whoever wrote it; see [`GroupMap::is_privileged`].
    pub privileged: bool,
    /// Whether an identity provider may make, rename and fill the group although it is privileged (row X20).
    pub provisioned: bool,
}

/// How a group is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupName {
    /// By its `displayName`, in any case.
    Display(String),
    /// By the `externalId` that its connection gave it.
    External(String),
}

/// What a mapped group gives, with the cost centre as the settings name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedGrant {
    /// The permission's key.
    pub permission: String,
    /// How far it goes.
    pub level: Level,
    /// Where, by `code`, `externalId` or `displayName` of the cost centre; everywhere if it is left out.
    pub cost_center: Option<String>,
}

impl Default for GroupName {
    fn default() -> Self {
        Self::Display(String::new())
    }
}

impl GroupMap {
    /// Tells whether it is about a group: of the connection by that name, called so.
    pub fn is_about(&self, connection: &str, display: Option<&str>, external: Option<&str>) -> bool {
        self.connection == connection
            && match &self.group {
                GroupName::Display(name) => display.is_some_and(|display| same(name, display)),
                GroupName::External(name) => external == Some(name.as_str()),
            }
    }

    /// Tells whether being a member gives power over others' rights, as far as bundle and grants say, or because it is marked.
    /// Of user types whoever reads them must ask [`Policy::is_privileged_type`].
    pub fn is_privileged(&self, catalogue: &Catalogue) -> bool {
        self.privileged
            || self.bundle.as_ref().is_some_and(|bundle| catalogue.is_privileged_bundle(bundle))
            || self.grants.iter().any(|grant| catalogue.is_privileged(&grant.permission, grant.level))
    }
}

impl Policy {
    /// Returns what a group gives: every map that is about it.
    pub fn maps_of<'p>(
        &'p self,
        connection: &'p str,
        display: Option<&'p str>,
        external: Option<&'p str>,
    ) -> impl Iterator<Item = &'p GroupMap> {
        self.group_maps.iter().filter(move |map| map.is_about(connection, display, external))
    }

    /// Tells whether a user type gives power over others' rights (row X20).
    pub fn is_privileged_type(&self, held: &HeldType) -> bool {
        let bundles = [&held.role, &held.access_level].into_iter().flatten();
        bundles.into_iter().any(|bundle| self.catalogue.is_privileged_bundle(bundle))
            || held.grants.iter().any(|grant| self.catalogue.is_privileged(&grant.permission, grant.level))
    }

    /// Tells whether a user type makes administrators of those who have it everywhere (row X13).
    pub fn administers_by_type(&self, held: &HeldType) -> bool {
        let grants = || held.grants.iter().filter(|grant| grant.cost_center.is_none());
        [&held.role, &held.access_level]
            .into_iter()
            .flatten()
            .any(|bundle| self.administers_by_bundle(bundle))
            || grants().any(|grant| grant.permission == ADMINISTERS && grant.level == Level::All)
    }

    /// Tells whether a map makes administrators of the members of a group, its user types left aside: of those whoever reads them must ask
    /// [`Policy::administers_by_type`].
    pub fn administers_by_map(&self, map: &GroupMap) -> bool {
        let grants = || map.grants.iter().filter(|grant| grant.cost_center.is_none());
        map.bundle.as_ref().is_some_and(|bundle| self.administers_by_bundle(bundle))
            || grants().any(|grant| grant.permission == ADMINISTERS && grant.level == Level::All)
    }

    fn administers_by_bundle(&self, name: &str) -> bool {
        let bundle = self.catalogue.bundles.get(name).filter(|bundle| !bundle.off);
        bundle.is_some_and(|bundle| bundle.grants.of(ADMINISTERS) == Some(Level::All))
    }

    /// Tells whether an identity provider must keep its hands off a group: neither make it, nor rename into it, nor fill it (rows X20,
    /// X21). `privileged_type` answers for the user types that a map names; it is asked only if nothing else decides.
    pub fn is_closed_to_scim(
        &self,
        connection: &str,
        display: Option<&str>,
        external: Option<&str>,
        mut privileged_type: impl FnMut(&str) -> bool,
    ) -> bool {
        self.maps_of(connection, display, external).any(|map| {
            !map.provisioned
                && (map.is_privileged(&self.catalogue)
                    || map.user_types.iter().any(|name| privileged_type(name)))
        })
    }
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
            sign_in: SignIn::default(),
            sessions: Lifetimes::default(),
            catalogue: Arc::new(Catalogue::default()),
            group_maps: Vec::new(),
            authority: BTreeMap::new(),
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

    fn map(name: GroupName) -> GroupMap {
        GroupMap { connection: "okta".to_owned(), group: name, ..GroupMap::default() }
    }

    #[test]
    fn x21_a_group_of_another_connection_that_is_called_the_same_is_another_group() {
        let named = map(GroupName::Display("Administrators".to_owned()));
        assert!(named.is_about("okta", Some("ADMINISTRATORS"), None));
        assert!(!named.is_about("entra", Some("Administrators"), None));
        assert!(!named.is_about("okta", Some("Administrators 2"), Some("Administrators")));
        let by_id = map(GroupName::External("00g1".to_owned()));
        assert!(by_id.is_about("okta", Some("anything"), Some("00g1")));
        assert!(!by_id.is_about("okta", Some("00g1"), Some("00G1")));
    }

    #[test]
    fn x20_a_privileged_group_is_closed_to_scim_unless_its_map_says_otherwise() {
        let grants = |permission: &str| {
            vec![MappedGrant { permission: permission.to_owned(), level: Level::All, cost_center: None }]
        };
        let named = || map(GroupName::Display("Admins".to_owned()));
        let closed = |map: GroupMap, of_type: bool| {
            let policy = Policy { group_maps: vec![map], ..Policy::default() };
            policy.is_closed_to_scim("okta", Some("admins"), None, |_| of_type)
        };
        assert!(!closed(named(), true));
        assert!(closed(GroupMap { privileged: true, ..named() }, false));
        assert!(closed(GroupMap { grants: grants("users.update"), ..named() }, false));
        assert!(closed(GroupMap { grants: grants("kinds.update"), ..named() }, false));
        assert!(!closed(GroupMap { grants: grants("users.view"), ..named() }, false));
        let typed = || GroupMap { user_types: vec!["Boss".to_owned()], ..named() };
        assert!(closed(typed(), true));
        assert!(!closed(typed(), false));
        assert!(!closed(GroupMap { provisioned: true, privileged: true, ..typed() }, true));
        let elsewhere =
            Policy { group_maps: vec![GroupMap { privileged: true, ..named() }], ..Policy::default() };
        assert!(!elsewhere.is_closed_to_scim("entra", Some("admins"), None, |_| true));
    }
}
