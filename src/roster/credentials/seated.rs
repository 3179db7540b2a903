//! Administrators who are signed in (X6): what a token could do that is bound to them, and nothing beyond that.

use super::super::error::RosterError;
use super::super::scope::{Caller, Scope, Scopes};
use super::super::signin::Live;
use super::super::{LOCAL, LOCAL_NAME, Roster};
use super::Credential;
use crate::ids::RequestId;
use crate::psa::catalogue::Level;
use crate::psa::permission::Asked as _;
use crate::psa::permission::permits::AuditView;
use crate::store::Actor;

impl Roster {
    /// Acts as somebody who is signed in, on what administrators do: with every scope, since the person's permissions decide in any case. Without `audit` where they may not
    /// read the history, and without `financials` where they may not see money, so that no token of theirs has these either. `None` where they may not come in.
    pub fn as_administrator(&self, live: &Live, request: RequestId) -> Result<Option<Caller>, RosterError> {
        let scopes = Scopes::of(Scope::ALL);
        let snapshot = self.store.snapshot()?;
        let manner = self.manner_of(snapshot.as_ref(), live.tenant, LOCAL, LOCAL_NAME, scopes)?;
        let who = Actor::Person(live.person);
        let credential = Credential::new(live.tenant, LOCAL, who, scopes, manner, None);
        let Some(mut caller) = self.admit(&credential, request)? else { return Ok(None) };
        let rights = self.rights(&caller, live.person)?;
        if rights.is_none_or(|rights| rights.effective.everywhere(AuditView::KEY) != Level::All) {
            caller.scopes = caller.scopes.without(Scope::Audit);
        }
        Ok(Some(caller))
    }
}
