//! The gate: whether a session is good at this moment. Asked at every use, answered from one state of the store.

use jiff::Timestamp;

use super::super::error::RosterError;
use super::super::people;
use super::super::person::{attributes, standing};
use super::super::rows::{self, EPOCHS, SESSIONS, SessionRow};
use super::super::{Roster, core};
use super::session::{self, Lifetimes, Method, SessionKey, SessionView};
use super::{methods, password};
use crate::ids::{Address, ResourceId, TenantId};
use crate::psa::calendar::Zone;
use crate::psa::person;
use crate::scim::Document;
use crate::store::{Snapshot, Stored};

/// A session that is good.
#[derive(Debug)]
pub struct Live {
    /// Whose tenant it is.
    pub tenant: TenantId,
    /// Who is signed in.
    pub person: ResourceId,
    /// The session.
    pub session: SessionView,
    /// What is known of the person in core.
    pub document: Document,
    /// Whether nothing is open to it but to set another password: somebody else has set the one it began with. Only
    /// [`Roster::look_at_session_to_change_password`] shows one of these.
    pub must_change: bool,
    /// Whether its last use is so long ago that this one should be written down ([`Roster::session_was_used`]).
    pub unseen: bool,
}

impl Live {
    /// Returns what the person is called.
    pub fn name(&self) -> Option<String> {
        people::name(&self.document)
    }

    /// Returns their primary address.
    pub fn email(&self) -> Option<String> {
        people::email(&self.document)
    }
}

/// Why a session is not good. For logs and tests; who shows one learns only that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Dead {
    /// There is none, or none any more.
    #[error("no such session")]
    Unknown,
    /// Everything that the person had signed in with was ended: a lock, an administrator.
    #[error("ended with everything that the person had signed in with")]
    Ended,
    /// It was not used for too long.
    #[error("not used for too long")]
    Idle,
    /// It is as old as one may become.
    #[error("as old as a session may become")]
    Old,
    /// The person is not let in.
    #[error("the person is locked")]
    Locked,
    /// The person is no more.
    #[error("the person has left")]
    Left,
    /// The password with which it began is another one now, or none.
    #[error("the password with which it began was changed")]
    PasswordChanged,
    /// The person does not sign in in this way any more.
    #[error("the person does not sign in in this way any more")]
    Method,
    /// The person has to set a password of their own first.
    #[error("the person has to change the password first")]
    MustChange,
    /// The provider by which they came is not asked any more, or all its sessions were ended.
    #[error("what the provider had proved was ended")]
    Provider,
}

impl Roster {
    /// Looks whether a session is good. `is_open` says whether a provider is still asked.
    ///
    /// # Errors
    /// A store that cannot be read: then nobody is let in.
    pub fn look_at_session(
        &self,
        key: &SessionKey,
        lifetimes: Lifetimes,
        is_open: &dyn Fn(&str) -> bool,
    ) -> Result<Result<Live, Dead>, RosterError> {
        let looked = self.look(self.store.snapshot()?.as_ref(), key, lifetimes, is_open)?;
        Ok(looked.map(|(live, _)| live))
    }

    /// The same of one state of the store, for those who read more of it.
    pub(super) fn look(
        &self,
        snapshot: &dyn Snapshot,
        key: &SessionKey,
        lifetimes: Lifetimes,
        is_open: &dyn Fn(&str) -> bool,
    ) -> Result<Result<(Live, Stored), Dead>, RosterError> {
        Ok(match self.look_also_for_change(snapshot, key, lifetimes, is_open)? {
            // Refused here and not by whoever asks, so that nobody can forget to.
            Ok((live, _)) if live.must_change => Err(Dead::MustChange),
            looked => looked,
        })
    }

    /// Looks whether a session is good for setting another password, which is all that is open to who has one that somebody else set (P05).
    ///
    /// # Errors
    /// A store that cannot be read: then nobody is let in.
    pub fn look_at_session_to_change_password(
        &self,
        key: &SessionKey,
        lifetimes: Lifetimes,
        is_open: &dyn Fn(&str) -> bool,
    ) -> Result<Result<Live, Dead>, RosterError> {
        let looked = self.look_also_for_change(self.store.snapshot()?.as_ref(), key, lifetimes, is_open)?;
        Ok(looked.map(|(live, _)| live))
    }

    fn look_also_for_change(
        &self,
        snapshot: &dyn Snapshot,
        key: &SessionKey,
        lifetimes: Lifetimes,
        is_open: &dyn Fn(&str) -> bool,
    ) -> Result<Result<(Live, Stored), Dead>, RosterError> {
        let now = self.now();
        let Some(bytes) = snapshot.small(key.tenant, SESSIONS, &key.hash)? else {
            return Ok(Err(Dead::Unknown));
        };
        let row: SessionRow = rows::decode(&bytes)?;
        if let Err(dead) = session::is_in_time(&row, lifetimes, now) {
            return Ok(Err(dead));
        }
        if row.epoch != epoch(snapshot, key.tenant, row.person)? {
            return Ok(Err(Dead::Ended));
        }
        if let Some(set) = row.password_epoch
            && set != password::epoch(snapshot, key.tenant, row.person)?
        {
            return Ok(Err(Dead::PasswordChanged));
        }
        if let Some(provider) = &row.provider
            && (!is_open(provider)
                || row.provider_epoch != session::provider_epoch(snapshot, key.tenant, provider)?)
        {
            return Ok(Err(Dead::Provider));
        }
        let Some(stored) = snapshot.get(key.tenant, Address::user(row.person))? else {
            return Ok(Err(Dead::Left));
        };
        let document = core(&stored)?;
        if !is_let_in(&stored, &document, now)? {
            return Ok(Err(Dead::Locked));
        }
        if row.method != Method::Oidc {
            let policy = self.policy(snapshot, key.tenant)?;
            if !methods::means(snapshot, key.tenant, &policy, &stored)?.allow(row.method) {
                return Ok(Err(Dead::Method));
            }
        }
        let unseen = session::is_unseen(&row, now);
        let must_change = row.must_change;
        let live = Live {
            tenant: key.tenant,
            person: row.person,
            session: SessionView::of(key.hash, row),
            document,
            must_change,
            unseen,
        };
        Ok(Ok((live, stored)))
    }
}

/// Reads how often everything that a person had signed in with was ended.
pub(super) fn epoch(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    person: ResourceId,
) -> Result<u64, RosterError> {
    Ok(snapshot.counter(tenant, EPOCHS, person.as_bytes())?)
}

/// Tells whether a person is let in at this moment. A schedule keeps somebody out from its instant on, also before the daemon has looked at it; that
/// it lets somebody in is for that look to say, since a seat may be wanted.
pub(super) fn is_let_in(stored: &Stored, document: &Document, now: Timestamp) -> Result<bool, RosterError> {
    let standing = standing(stored, document.is_active())?;
    if standing.locks.is_locked() {
        return Ok(false);
    }
    if standing.due.is_none_or(|due| due > now) {
        return Ok(true);
    }
    let zone = standing.zone.as_deref().and_then(|name| Zone::parse(name).ok()).unwrap_or(Zone::UTC);
    let schedule = person::schedule(&attributes(stored)?).map_err(RosterError::from)?;
    Ok(!schedule.standing(&zone, now).locked)
}
