//! The first administrators: made by whoever may read the data folder.

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::asked::Errand;
use super::commit::{Plan, hex};
use super::error::RosterError;
use super::hooks::Operation;
use super::owner::own_if_nobodys;
use super::rows::{self, ADMINISTRATORS, AdministratorRow};
use super::rules::{Draft, put};
use super::signin::{INVITATION, plan_invitation};
use super::{Caller, Roster};
use crate::idp::normalise;
use crate::idp::profile::AUTO;
use crate::ids::{Address, KindId, ResourceId};
use crate::store::{Action, Change, Given, Write};

/// A new administrator, and the secret of the invitation that lets them in once.
pub struct Invitation {
    /// Who.
    pub person: ResourceId,
    /// What its link holds, shown once and kept as a hash.
    pub secret: Zeroizing<String>,
    /// When it stops working.
    pub expires: Timestamp,
}

impl Roster {
    /// Makes a person who administers the tenant, and an invitation for them, in one unit.
    pub fn create_administrator(
        &self,
        caller: &Caller,
        user_name: &str,
        display_name: Option<&str>,
    ) -> Result<Invitation, RosterError> {
        let Some(kind) = self.kinds().by_id(KindId::USER) else {
            return Err(RosterError::Broken("the kind User is not registered".to_owned()));
        };
        let mut body = json!({ "userName": user_name, "active": true });
        if let (Some(name), Some(body)) = (display_name, body.as_object_mut()) {
            body.insert("displayName".to_owned(), name.into());
        }
        if let (true, Some(body)) = (user_name.contains('@'), body.as_object_mut()) {
            body.insert(
                "emails".to_owned(),
                json!([{ "value": user_name, "type": "work", "primary": true }]),
            );
        }
        let document = normalise::resource(body, kind, &AUTO)?.create(kind, &AUTO)?;
        let at = Address { kind: kind.id, id: ResourceId::new(self.chance.uuid(caller.now)) };
        let secret = Zeroizing::new(hex(&self.chance.secret()));
        let expires = caller.now.checked_add(INVITATION).map_err(|error| {
            RosterError::Broken(format!("the clock stands at the end of the calendar: {error}"))
        })?;
        self.carry_out(caller, Action::AdminCreate, |snapshot| {
            let small =
                |space, key: &[u8], value| Write::Small { space, key: key.to_vec(), value: Some(value) };
            let administrator = rows::encode(&AdministratorRow { since: caller.now })?;
            let mut plan = Plan {
                given: vec![Given::Absent(at)],
                writes: vec![small(ADMINISTRATORS, at.id.as_bytes(), administrator)],
                subject: Some(at),
                changes: vec![Change::of("administrator", None, Some(true.into()))],
                ..Plan::default()
            };
            let draft = Draft {
                kind,
                at,
                wanted: document.clone(),
                before: None,
                anew: true,
                errand: Errand::of(Operation::Create),
            };
            put(snapshot, caller, draft, &mut plan)?;
            plan_invitation(caller, at.id, Sha256::digest(secret.as_bytes()).into(), expires, &mut plan)?;
            own_if_nobodys(snapshot, caller, at.id, &mut plan)?;
            Ok((Some(plan), ()))
        })?;
        let secret = Zeroizing::new(format!("{}.{}", caller.tenant.number(), secret.as_str()));
        Ok(Invitation { person: at.id, secret, expires })
    }
}
