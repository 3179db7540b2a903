//! Acting for somebody (P07): who is signed in says for whom, and everything that is asked about them after that is asked of this moment again.
//!
//! It is never another identity: whoever acts stays who they are, and both are named wherever it counts. It ends by itself with the period, and while either of the two
//! is kept out it opens nothing.

use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::super::commit::Plan;
use super::super::error::RosterError;
use super::super::person::{attributes, zone};
use super::super::rights::facts_with;
use super::super::rows::{self, SESSIONS, SessionRow};
use super::super::scan::SCAN_ROWS_MAX;
use super::super::{Caller, Roster, core, people};
use super::gate::is_let_in;
use super::session::SessionKey;
use crate::ids::{Address, KindId, ResourceId};
use crate::psa::calendar::{Day, midnight, today};
use crate::psa::catalogue::PersonKind;
use crate::psa::mandate::Mandate;
use crate::psa::permission::Effective;
use crate::psa::urn;
use crate::scim::{Document, Refusal, Why};
use crate::store::{Action, Change, Given, PAGE_ROWS_MAX, Snapshot, Unit, Write};

/// Decisions about the same two people and the same permission that are written down within a minute.
const DECISIONS_PER_MINUTE_MAX: u32 = 1;

/// Somebody for whom another may act today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who.
    pub id: ResourceId,
    /// What they are called.
    pub name: Option<String>,
    /// The last day of it.
    pub until: Option<Day>,
}

/// What somebody may do for another at this moment.
pub(super) struct Acting {
    pub principal: Principal,
    pub document: Document,
    /// What the other may do, as far as it is handed over.
    pub effective: Effective,
    /// When it has to be looked at again.
    pub due: Timestamp,
}

impl Roster {
    /// Looks what somebody may do for another; nothing where either is kept out, where no period holds today, and for people of a client (P12).
    pub(super) fn acts_for(
        &self,
        snapshot: &dyn Snapshot,
        caller: &Caller,
        (proxy, principal): (ResourceId, ResourceId),
    ) -> Result<Option<Acting>, RosterError> {
        let Some(own) = snapshot.get(caller.tenant, Address::user(proxy))? else { return Ok(None) };
        let Some(stored) = snapshot.get(caller.tenant, Address::user(principal))? else { return Ok(None) };
        let document = core(&stored)?;
        let psa = attributes(&stored)?;
        let zone = zone(snapshot, caller, &document, &psa)?;
        let day = today(caller.now, &zone);
        let Some(mandate) = Mandate::on(&psa, &proxy.to_string(), day) else { return Ok(None) };
        let are_in = is_let_in(&own, &core(&own)?, caller.now)? && is_let_in(&stored, &document, caller.now)?;
        let facts = facts_with(snapshot, caller, own.at(), &attributes(&own)?)?;
        if !are_in || facts.kind == PersonKind::Client {
            return Ok(None);
        }
        let Some(rights) = self.rights_at(snapshot, caller, principal)? else { return Ok(None) };
        let effective = rights.effective.only(|key, permission| mandate.covers(key, permission));
        let due = day.day_after().map_or(Timestamp::MAX, |day| midnight(day, &zone));
        let scheduled = super::super::person::standing(&stored, document.is_active())?.due;
        let due = scheduled.map_or(due, |scheduled| scheduled.min(due));
        let principal = Principal { id: principal, name: people::name(&document), until: mandate.until };
        Ok(Some(Acting { principal, document, effective, due }))
    }

    /// Has a session act for somebody from now on, or for nobody but whose it is. The history names both.
    ///
    /// # Errors
    /// [`RosterError::NotAllowed`] where no period holds today, whoever it is and whether there is such a person.
    pub fn act_for(
        &self,
        caller: &Caller,
        key: &SessionKey,
        principal: Option<ResourceId>,
    ) -> Result<(), RosterError> {
        let Some(me) = caller.person() else {
            return Err(RosterError::Broken("nobody in particular acts for somebody".to_owned()));
        };
        self.carry_out(caller, Action::ActFor, |snapshot| {
            let bytes = snapshot.small(caller.tenant, SESSIONS, &key.hash)?.ok_or(RosterError::NotFound)?;
            let mut row: SessionRow = rows::decode(&bytes)?;
            if row.person != me || key.tenant != caller.tenant {
                return Err(RosterError::NotFound);
            }
            let before = row.acting_for;
            if before == principal {
                return Ok((None, ()));
            }
            if let Some(principal) = principal
                && self.acts_for(snapshot, caller, (me, principal))?.is_none()
            {
                return Err(RosterError::NotAllowed {
                    needs: "a period in which they are a proxy",
                    detail: "expected somebody who named you as their proxy for today, and who is let in; an administrator says who acts for whom".to_owned(),
                });
            }
            row.acting_for = principal;
            let value = Some(rows::encode(&row)?);
            let text = |id: Option<ResourceId>| id.map(|id| id.to_string().into());
            let plan = Plan {
                given: vec![Given::Small(SESSIONS, key.hash.to_vec(), Some(bytes))],
                writes: vec![Write::Small { space: SESSIONS, key: key.hash.to_vec(), value }],
                subject: principal.or(before).map(Address::user),
                changes: vec![Change::of("actingFor", text(before), text(principal))],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })
    }

    /// Lists for whom somebody may act today, by name. Reads everybody, if they are not too many.
    pub fn principals(&self, caller: &Caller, proxy: ResourceId) -> Result<Vec<Principal>, RosterError> {
        let snapshot = self.store.snapshot()?;
        let snapshot = snapshot.as_ref();
        if snapshot.count(caller.tenant, KindId::USER)? > SCAN_ROWS_MAX as u64 {
            let detail =
                format!("there are more than {SCAN_ROWS_MAX} people; say by its id for whom you act");
            return Err(Refusal::new(Why::TooMany, detail).into());
        }
        let (name, mut found, mut after) = (proxy.to_string(), Vec::new(), None);
        loop {
            let ids = snapshot.ids(caller.tenant, KindId::USER, after, 0, PAGE_ROWS_MAX)?;
            after = ids.last().copied().or(after);
            for &id in &ids {
                let Some(stored) = snapshot.get(caller.tenant, Address::user(id))? else { continue };
                let names = |json: &str| json.contains("\"proxies\"") && json.contains(&name);
                if stored.segments().any(|(id, json)| id == urn::USER && names(json)) {
                    found
                        .extend(self.acts_for(snapshot, caller, (proxy, id))?.map(|acting| acting.principal));
                }
            }
            if ids.len() < PAGE_ROWS_MAX {
                found.sort_by(|one, other| one.name.cmp(&other.name));
                return Ok(found);
            }
        }
    }

    /// Says what somebody may do for another at this moment; `None` where they may not act for them.
    pub fn rights_on_behalf(
        &self,
        caller: &Caller,
        proxy: ResourceId,
        principal: ResourceId,
    ) -> Result<Option<Arc<Effective>>, RosterError> {
        let acting = self.acts_for(self.store.snapshot()?.as_ref(), caller, (proxy, principal))?;
        Ok(acting.map(|acting| Arc::new(acting.effective)))
    }

    /// Writes down that a program was told that somebody may do something for another. Of the same within a minute, once.
    pub fn decided_on_behalf(
        &self,
        caller: &Caller,
        (proxy, principal): (ResourceId, ResourceId),
        permission: &str,
    ) -> Result<(), RosterError> {
        let parts = [proxy.as_bytes().as_slice(), principal.as_bytes(), permission.as_bytes()].concat();
        let mut name = [0_u8; 16];
        name.iter_mut().zip(Sha256::digest(&parts)).for_each(|(to, from)| *to = from);
        let Some(left_out) = self.turned.count(name, caller.now, DECISIONS_PER_MINUTE_MAX) else {
            return Ok(());
        };
        let notes =
            if left_out > 0 { vec![format!("{left_out} more before, not written down")] } else { vec![] };
        let changes = vec![
            Change::of("proxy", None, Some(proxy.to_string().into())),
            Change::of("permission", None, Some(permission.into())),
        ];
        let subject = Some(Address::user(principal));
        let log = Some(self.entry(caller, Action::ActFor, "ok", subject, changes, notes));
        self.store.commit(caller.tenant, Unit { given: vec![], writes: vec![], log })?;
        Ok(())
    }
}
