//! How a person signs in: by what an administrator has said of them, else by what the firm has decided. Asked at every proof and at every use of what
//! it led to, so that who is to come through a provider has no other way in (X46).

use jiff::Timestamp;
use serde::Serialize;

use super::super::commit::Plan;
use super::super::error::RosterError;
use super::super::permits::{Deed, Permit};
use super::super::rows::{self, EPOCHS, MEANS, MeansRow, PASSWORDS, PasswordRow};
use super::super::scope::Scope;
use super::super::{Caller, LOCAL, Roster, power};
use super::session::Method;
use super::{mailed, password, second};
use crate::ids::{Address, ResourceId, TenantId};
use crate::psa::policy::{FirmMethod, Policy, Way};
use crate::store::{Action, Change, Given, Snapshot, Stored, Write};

/// How a person may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Means {
    /// How they do.
    pub way: Way,
    /// Whether they may use a password all the same.
    pub break_glass: bool,
}

impl Means {
    /// Tells whether somebody may have come in so.
    pub(super) fn allow(self, method: Method) -> bool {
        match method {
            Method::Oidc => true,
            Method::MagicLink => self.way >= Way::MagicLink,
            Method::Password => self.way >= Way::Password || self.break_glass,
        }
    }

    /// Tells whether a password lets them in that would not, were it not for an emergency.
    pub(super) fn is_emergency(self, method: Method) -> bool {
        method == Method::Password && self.way < Way::Password
    }
}

/// How a person signs in, as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeansView {
    /// How.
    pub method: Way,
    /// Whether that was said of them, and not decided for all.
    pub own: bool,
    /// Whether they may use a password all the same.
    pub break_glass: bool,
    /// Since when they have a password.
    pub password_since: Option<Timestamp>,
    /// Whether it has to be changed at the next sign-in.
    pub password_must_change: bool,
    /// Since when they have a second factor.
    pub second_factor_since: Option<Timestamp>,
    /// How many recovery codes they have left.
    pub recovery_codes: usize,
    /// Until when a link that was mailed to them is good, by what it is for.
    pub links: Vec<(&'static str, Timestamp)>,
}

fn row(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    id: ResourceId,
) -> Result<(Option<Vec<u8>>, Option<MeansRow>), RosterError> {
    let bytes = snapshot.small(tenant, MEANS, id.as_bytes())?;
    let row = bytes.as_deref().map(rows::decode).transpose()?;
    Ok((bytes, row))
}

/// Says how a person may sign in.
pub(super) fn means(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    policy: &Policy,
    stored: &Stored,
) -> Result<Means, RosterError> {
    let (_, row) = row(snapshot, tenant, stored.at().id)?;
    let break_glass = row.as_ref().is_some_and(|row| row.break_glass);
    let way = row.and_then(|row| row.way).unwrap_or_else(|| decided(policy, stored));
    Ok(Means { way, break_glass })
}

/// Says how a person signs in of whom no administrator has said it.
fn decided(policy: &Policy, stored: &Stored) -> Way {
    match policy.sign_in.method {
        FirmMethod::Fixed(way) => way,
        FirmMethod::ByOrigin if stored.connection().is_none_or(|connection| connection == LOCAL) => {
            Way::Password
        }
        // What a provider provisions, it signs in: what it ends ends everything.
        FirmMethod::ByOrigin => Way::Sso,
    }
}

/// The fact that nobody says otherwise meanwhile how a person signs in.
pub(super) fn fact(snapshot: &dyn Snapshot, tenant: TenantId, id: ResourceId) -> Result<Given, RosterError> {
    Ok(Given::Small(MEANS, id.as_bytes().to_vec(), row(snapshot, tenant, id)?.0))
}

impl Roster {
    /// Says how a person signs in; `None` for the way that the firm has decided. Everything that they had signed in with is ended, links that were
    /// mailed to them are dead, and who is to come through a provider alone has no password any more.
    pub fn set_sign_in_method(
        &self,
        caller: &Caller,
        permit: Permit,
        id: ResourceId,
        way: Option<Way>,
        break_glass: bool,
    ) -> Result<(), RosterError> {
        permit.must_be(Deed::SetSignIn)?;
        self.carry_out(caller, Action::SignInMethodSet, |snapshot| {
            let at = Address::user(id);
            let stored = snapshot.get(caller.tenant, at)?.ok_or(RosterError::NotFound)?;
            power::check_takeover(snapshot, caller, id, "change how they sign in")?;
            let (bytes, old) = row(snapshot, caller.tenant, id)?;
            let wanted = MeansRow { way, break_glass };
            let (was, was_glass) = old.as_ref().map_or((None, false), |row| (row.way, row.break_glass));
            if (was, was_glass) == (way, break_glass) {
                return Ok((None, ()));
            }
            let key = id.as_bytes().to_vec();
            let mut plan = Plan {
                given: vec![Given::Exists(at), Given::Small(MEANS, key.clone(), bytes)],
                subject: Some(at),
                ..Plan::default()
            };
            let says_nothing = way.is_none() && !break_glass;
            let value = if says_nothing { None } else { Some(rows::encode(&wanted)?) };
            plan.writes.push(Write::Small { space: MEANS, key: key.clone(), value });
            plan.writes.push(Write::Add { space: EPOCHS, key, by: 1 });
            mailed::plan_forget(snapshot, caller.tenant, id, &mut plan)?;
            let told = |way: Option<Way>| way.map(|way| way.name().into());
            if was != way {
                plan.changes.push(Change::of("signInMethod", told(was), told(way)));
            }
            if was_glass != break_glass {
                plan.changes.push(Change::of("breakGlass", Some(was_glass.into()), Some(break_glass.into())));
            }
            if way.unwrap_or_else(|| decided(&caller.policy, &stored)) == Way::Sso && !break_glass {
                password::plan_clear(snapshot, caller, id, &mut plan)?;
            }
            Ok((Some(plan), ()))
        })
    }

    /// Says how a person signs in, and with what.
    pub fn sign_in_means(&self, caller: &Caller, id: ResourceId) -> Result<MeansView, RosterError> {
        caller.needs(Scope::UsersRead)?;
        let snapshot = self.store.snapshot()?;
        let snapshot = snapshot.as_ref();
        let stored = snapshot.get(caller.tenant, Address::user(id))?.ok_or(RosterError::NotFound)?;
        let means = means(snapshot, caller.tenant, &caller.policy, &stored)?;
        let own = row(snapshot, caller.tenant, id)?.1.is_some_and(|row| row.way.is_some());
        let password: Option<PasswordRow> = snapshot
            .small(caller.tenant, PASSWORDS, id.as_bytes())?
            .as_deref()
            .map(rows::decode)
            .transpose()?;
        let second = second::confirmed(snapshot, caller.tenant, id)?;
        Ok(MeansView {
            method: means.way,
            own,
            break_glass: means.break_glass,
            password_must_change: password.as_ref().is_some_and(|row| row.must_change),
            password_since: password.map(|row| row.since),
            recovery_codes: second.as_ref().map_or(0, |row| row.recovery.len()),
            second_factor_since: second.map(|row| row.since),
            links: mailed::live(snapshot, caller.tenant, id, caller.now)?,
        })
    }
}
