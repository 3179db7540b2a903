//! What a credential may do: scopes, and the caller that only authentication makes.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::LOCAL;
use super::asked::{Run, Served};
use super::error::RosterError;
use super::led::Led;
use super::sight::Sight;
use crate::idp::Profile;
use crate::ids::{ConnectionId, KindId, RequestId, ResourceId, TenantId};
use crate::psa::authority::Authority;
use crate::psa::permission::{Asked, Permit};
use crate::psa::policy::Policy;
use crate::scim::{Kind, Kinds};
use crate::store::{Actor, Seq, Stored};

/// One right of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Reads users.
    #[serde(rename = "users:read")]
    UsersRead,
    /// Creates, changes and removes users.
    #[serde(rename = "users:write")]
    UsersWrite,
    /// Reads groups.
    #[serde(rename = "groups:read")]
    GroupsRead,
    /// Creates, changes and removes groups and memberships.
    #[serde(rename = "groups:write")]
    GroupsWrite,
    /// Sends Bulk requests.
    #[serde(rename = "bulk")]
    Bulk,
    /// Reads the firm's own kinds.
    #[serde(rename = "kinds:read")]
    KindsRead,
    /// Changes the firm's own kinds.
    #[serde(rename = "kinds:write")]
    KindsWrite,
    /// Sees money.
    #[serde(rename = "financials")]
    Financials,
    /// Reads the audit trail.
    #[serde(rename = "audit")]
    Audit,
    /// Administers the tenant.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 10] = [
        Self::UsersRead,
        Self::UsersWrite,
        Self::GroupsRead,
        Self::GroupsWrite,
        Self::Bulk,
        Self::KindsRead,
        Self::KindsWrite,
        Self::Financials,
        Self::Audit,
        Self::Admin,
    ];

    /// Returns the name as it is written on the command line and in rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
            Self::GroupsRead => "groups:read",
            Self::GroupsWrite => "groups:write",
            Self::Bulk => "bulk",
            Self::KindsRead => "kinds:read",
            Self::KindsWrite => "kinds:write",
            Self::Financials => "financials",
            Self::Audit => "audit",
            Self::Admin => "admin",
        }
    }

    /// Returns the scope's bit in a set. Sets are never kept as bits, so the order may change.
    const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Result<Self, RosterError> {
        Self::ALL.into_iter().find(|scope| scope.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            RosterError::Malformed(format!("unknown scope \"{name}\"; expected one of: {known}"))
        })
    }

    /// Returns the scope that reading a kind needs.
    pub const fn reads(kind: KindId) -> Self {
        match kind {
            KindId::USER => Self::UsersRead,
            KindId::GROUP => Self::GroupsRead,
            _ => Self::KindsRead,
        }
    }

    /// Returns the scope that changing a kind needs.
    pub const fn writes(kind: KindId) -> Self {
        match kind {
            KindId::USER => Self::UsersWrite,
            KindId::GROUP => Self::GroupsWrite,
            _ => Self::KindsWrite,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of scopes. Written as a list of names, in their own order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes(u16);

impl Scopes {
    /// What an IdP's token has: people and groups, and Bulk.
    pub fn idp() -> Self {
        Self::of([Scope::UsersRead, Scope::UsersWrite, Scope::GroupsRead, Scope::GroupsWrite, Scope::Bulk])
    }

    /// Makes a set of any scopes.
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// Tells whether a scope is in the set.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Returns the set without a scope.
    #[must_use]
    pub const fn without(self, scope: Scope) -> Self {
        Self(self.0 & !scope.bit())
    }

    /// Lists the scopes.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl From<Vec<Scope>> for Scopes {
    fn from(scopes: Vec<Scope>) -> Self {
        Self::of(scopes)
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.iter().collect()
    }
}

/// Who is asking, for which tenant, through which connection, when, on which request.
///
/// Only authentication makes one ([`super::Roster::authenticate`], [`super::Roster::operator`]), so that code which holds a
/// caller has authenticated it, and the tenant it works for cannot come from anywhere else (X14):
/// ```compile_fail
/// use rosterd::roster::Caller;
/// fn forged(of: &Caller) -> Caller { Caller { ..of.clone() } }
/// ```
#[derive(Debug, Clone)]
pub struct Caller {
    pub(super) tenant: TenantId,
    pub(super) connection: ConnectionId,
    pub(super) scopes: Scopes,
    pub(super) who: Actor,
    pub(super) request: RequestId,
    pub(super) now: Timestamp,
    pub(super) profile: &'static Profile,
    /// Where it is written down which changes the request leads to, for who asked.
    pub(super) led: Option<Arc<Led>>,
    /// Who is told when the request begins to wait for the disk.
    pub(super) rests: Option<Arc<dyn Rests>>,
    pub(super) sight: Arc<Sight>,
    pub(super) options: ConnectionOptions,
    pub(super) policy: Arc<Policy>,
    /// Whom of the operator's plugins it is for; `None` where none serves the connection.
    pub(super) served: Option<Arc<Served>>,
    pub(super) run: Run,
    /// What its connection may write of people, where the tenant's settings bound that.
    pub(super) authority: Option<Arc<Authority>>,
}

/// Is told when a request begins to wait for the disk: what follows needs no processor, until the answer is made.
pub trait Rests: fmt::Debug + Send + Sync {
    /// The request waits. Said for each unit that it commits, also a second time.
    fn rests(&self);
}

/// What an operator allows a connection beyond the ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConnectionOptions {
    /// It sees and may change every record of the tenant, and what it changes is its own from then on (X19). Otherwise it knows of
    /// nothing but what it provisioned itself.
    #[serde(default)]
    pub adopt: bool,
    /// A POST with the `externalId` of an inactive person of its own restores that person, instead of 409 (S63).
    #[serde(default)]
    pub reclaim_inactive: bool,
}

impl Caller {
    /// Refuses unless the credential has the scope.
    pub fn needs(&self, scope: Scope) -> Result<(), RosterError> {
        if self.scopes.has(scope) { Ok(()) } else { Err(RosterError::Forbidden { needs: scope.name() }) }
    }

    /// Gives the right that a handler demands, by the scope `admin`. Of a person it is the
    /// evaluation that gives rights ([`crate::psa::permission::Effective::permit`]).
    pub fn permit<P: Asked>(&self) -> Result<Permit<P>, RosterError> {
        if self.person().is_some() {
            return Err(RosterError::NotAllowed {
                needs: "a permission",
                detail: "this token acts as a person: what they may do is not for the scope to say"
                    .to_owned(),
            });
        }
        self.needs(Scope::Admin).map(|()| Permit::by_scope())
    }

    /// Tells whether the credential has the scope.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.has(scope)
    }

    /// Returns the tenant, for counting its requests. Nobody can turn it into a caller.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Has it written down which changes the request leads to.
    #[must_use]
    pub fn telling(mut self, led: Arc<Led>) -> Self {
        self.led = Some(led);
        self
    }

    /// Has somebody told when the request begins to wait for the disk.
    #[must_use]
    pub fn resting(mut self, rests: Arc<dyn Rests>) -> Self {
        self.rests = Some(rests);
        self
    }

    /// Says that the request waits for the disk from here on.
    pub(super) fn rest(&self) {
        if let Some(rests) = &self.rests {
            rests.rests();
        }
    }

    /// Tells whether operators' plugins are asked about what it writes that may take long to answer.
    pub fn waits_for_plugins(&self) -> bool {
        self.served.as_ref().is_some_and(|served| served.plugins.iter().any(|plugin| !plugin.is_quick()))
    }

    /// Writes down that the request led to a change.
    pub(super) fn led_to(&self, seq: Seq) {
        if let Some(led) = &self.led {
            led.to(seq.0);
        }
    }

    /// Tells whether the caller knows of records that others provisioned.
    pub(super) fn sees_all(&self) -> bool {
        self.connection == LOCAL || self.options.adopt
    }

    /// Tells whether the caller knows of records of a kind that others provisioned. The firm's own kinds are nobody's.
    pub(super) fn sees_all_of(&self, kind: KindId) -> bool {
        self.sees_all() || !matches!(kind, KindId::USER | KindId::GROUP)
    }

    /// Tells whether the caller knows of a record. What another connection holds is not there for it (X19, S195).
    pub(super) fn sees(&self, stored: &Stored) -> bool {
        self.sees_all_of(stored.at().kind) || stored.connection() == Some(self.connection)
    }

    /// Returns the connection, for counting its requests and for what is kept of them in memory.
    pub const fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Returns the person as whom the caller acts, where its token is bound to one.
    pub const fn person(&self) -> Option<ResourceId> {
        self.who.person()
    }

    /// Returns who it is, as the history names it.
    pub const fn actor(&self) -> Actor {
        self.who
    }

    /// Returns when the request came, by the daemon's clock.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Tells whether the caller's tenant has schemas of its own.
    pub fn has_schemas_of_its_own(&self) -> bool {
        self.sight.fence().is_some()
    }

    /// Returns the kinds of resource with the extensions that the caller's connection sees.
    pub fn kinds(&self) -> &Kinds {
        self.sight.kinds()
    }

    /// Returns those of the kinds that the credential may read or change: the others are none of its business.
    pub fn reached_kinds(&self) -> Kinds {
        self.kinds().only(|kind| self.may(Scope::reads(kind)) || self.may(Scope::writes(kind)))
    }

    /// Returns a kind as the caller's connection sees it.
    #[must_use]
    pub fn kind(&self, kind: &Arc<Kind>) -> Arc<Kind> {
        Arc::clone(self.kinds().by_id(kind.id).unwrap_or(kind))
    }

    /// Returns what the caller's tenant has decided.
    pub const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Returns the policies of the caller's connection.
    pub const fn profile(&self) -> &'static Profile {
        self.profile
    }
}
