//! Passwords: whose they are, and how they are set. What is kept is a hash that was made elsewhere; the password itself never comes here (X10).
//!
//! Setting one raises a number of its own, which only sessions that began with a password carry: those end, and nothing else does (P05, T09).

use jiff::Timestamp;

use super::super::commit::Plan;
use super::super::error::RosterError;
use super::super::people::email;
use super::super::permits::{Deed, Permit};
use super::super::rows::{self, PASSWORD_EPOCHS, PASSWORDS, PasswordRow};
use super::super::{Caller, Roster, core, index, power};
use super::gate::is_let_in;
use super::letters::{self, LetterKind};
use super::mailed::{self, Purpose};
use super::methods;
use super::own::NotProved;
use super::second::{self, Second};
use super::session::Method;
use crate::ids::{Address, KindId, ResourceId, TenantId};
use crate::scim::fold::fold;
use crate::store::{Action, Change, Given, IndexRange, Outcome, Snapshot, Stored, Unit, Write};

/// Longest hash that is kept: an Argon2 PHC string has about a hundred.
const HASH_BYTES_MAX: usize = 512;
/// How many people may have an address before it says nothing of any of them.
const SAME_ADDRESS_MAX: usize = 2;

/// A password that may be tried.
pub struct KnownPassword {
    /// Whose it is.
    pub person: ResourceId,
    /// Its hash, as a PHC string.
    pub hash: String,
    /// How often one had been set: what was tried is good only while that has not changed.
    pub epoch: u64,
    /// Whether it has to be changed before anything else.
    pub must_change: bool,
    /// Whether a second factor is asked for after it.
    pub second_factor: bool,
}

/// Words that a person's password must not be made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PasswordContext {
    /// The firm, the person's names, login and addresses.
    pub words: Vec<String>,
    /// Whether they have a second factor, so that fewer characters do.
    pub second_factor: bool,
    /// Fewest characters, by what the firm has decided.
    pub characters_min: usize,
}

/// Reads how often a person's password was set.
pub(super) fn epoch(snapshot: &dyn Snapshot, tenant: TenantId, id: ResourceId) -> Result<u64, RosterError> {
    Ok(snapshot.counter(tenant, PASSWORD_EPOCHS, id.as_bytes())?)
}

/// The fact that nobody sets a person's password meanwhile.
pub(super) fn fact(snapshot: &dyn Snapshot, tenant: TenantId, id: ResourceId) -> Result<Given, RosterError> {
    let key = id.as_bytes().to_vec();
    let value = snapshot.small(tenant, PASSWORD_EPOCHS, &key)?;
    Ok(Given::Small(PASSWORD_EPOCHS, key, value))
}

fn row(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    id: ResourceId,
) -> Result<Option<(Vec<u8>, PasswordRow)>, RosterError> {
    let bytes = snapshot.small(tenant, PASSWORDS, id.as_bytes())?;
    bytes.map(|bytes| rows::decode(&bytes).map(|row| (bytes, row))).transpose()
}

/// Says whether a person's password has to be changed; `None` where they have none.
pub(super) fn must_change(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    id: ResourceId,
) -> Result<Option<bool>, RosterError> {
    Ok(row(snapshot, tenant, id)?.map(|(_, row)| row.must_change))
}

/// Finds the one person whom a login names: by `userName`, else by an address that nobody else has.
pub(super) fn named(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    login: &str,
) -> Result<Option<Stored>, RosterError> {
    if let Ok(key) = index::user_name(login)
        && let Some(at) = snapshot.by_unique(tenant, &key)?.filter(|at| at.kind == KindId::USER)
    {
        return Ok(snapshot.get(tenant, at)?);
    }
    let range = IndexRange::exactly(KindId::USER, index::EMAIL, index::folded(login));
    let rows = snapshot.index_range(tenant, &range, SAME_ADDRESS_MAX)?;
    let [only] = rows.as_slice() else { return Ok(None) };
    let Some(stored) = snapshot.get(tenant, Address::user(only.id))? else { return Ok(None) };
    let folded = fold(login);
    let is_theirs = email(&core(&stored)?).is_some_and(|address| fold(&address) == folded);
    Ok(is_theirs.then_some(stored))
}

/// Adds to a plan that a person has another password: sessions that began with the old one are dead, and so is a link that would set another.
pub(super) fn plan_set(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    stored: &Stored,
    hash: &str,
    must_change: bool,
    plan: &mut Plan,
) -> Result<(), RosterError> {
    if hash.len() > HASH_BYTES_MAX || !hash.starts_with("$argon2id$") {
        return Err(RosterError::Broken("what is no hash of a password was to be kept as one".to_owned()));
    }
    let id = stored.at().id;
    let key = id.as_bytes().to_vec();
    let row = PasswordRow { hash: hash.to_owned(), since: caller.now, must_change };
    plan.given.push(fact(snapshot, caller.tenant, id)?);
    plan.given.push(Given::Exists(stored.at()));
    plan.writes.push(Write::Small { space: PASSWORDS, key: key.clone(), value: Some(rows::encode(&row)?) });
    plan.writes.push(Write::Add { space: PASSWORD_EPOCHS, key, by: 1 });
    // Neither of them is shown to anybody.
    plan.changes.push(Change::of("password", None, None));
    mailed::plan_drop(snapshot, caller.tenant, id, Purpose::Reset, plan)?;
    letters::plan_notice(caller, stored.at().id, LetterKind::PasswordChanged, email(&core(stored)?), plan)
}

/// Adds to a plan that a person has no password, where they have one.
pub(super) fn plan_clear(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
    plan: &mut Plan,
) -> Result<bool, RosterError> {
    let Some((bytes, _)) = row(snapshot, caller.tenant, id)? else { return Ok(false) };
    let key = id.as_bytes().to_vec();
    plan.given.push(Given::Small(PASSWORDS, key.clone(), Some(bytes)));
    plan.writes.push(Write::Small { space: PASSWORDS, key: key.clone(), value: None });
    plan.writes.push(Write::Add { space: PASSWORD_EPOCHS, key, by: 1 });
    plan.changes.push(Change::of("password", None, None));
    Ok(true)
}

/// That somebody has changed their password, for which they showed all that a sign-in by it takes.
#[derive(Debug, Clone, Copy)]
pub struct ChangedPassword {
    /// Who.
    pub(super) person: ResourceId,
    /// How often it has been set now.
    pub(super) epoch: u64,
}

impl Roster {
    /// Finds the password that may be tried for a login. `None` for everybody who could not come in by one, whatever the reason.
    pub fn password_of(&self, door: &Caller, login: &str) -> Result<Option<KnownPassword>, RosterError> {
        let snapshot = self.store.snapshot()?;
        match named(snapshot.as_ref(), door.tenant, login)? {
            Some(stored) => Self::known_password(snapshot.as_ref(), door, &stored),
            None => Ok(None),
        }
    }

    /// The same for somebody who is signed in.
    pub fn password_of_person(
        &self,
        door: &Caller,
        id: ResourceId,
    ) -> Result<Option<KnownPassword>, RosterError> {
        let snapshot = self.store.snapshot()?;
        match snapshot.get(door.tenant, Address::user(id))? {
            Some(stored) => Self::known_password(snapshot.as_ref(), door, &stored),
            None => Ok(None),
        }
    }

    fn known_password(
        snapshot: &dyn Snapshot,
        door: &Caller,
        stored: &Stored,
    ) -> Result<Option<KnownPassword>, RosterError> {
        let person = stored.at().id;
        let Some((_, row)) = row(snapshot, door.tenant, person)? else { return Ok(None) };
        let means = methods::means(snapshot, door.tenant, &door.policy, stored)?;
        if !means.allow(Method::Password) || !is_let_in(stored, &core(stored)?, door.now)? {
            return Ok(None);
        }
        Ok(Some(KnownPassword {
            person,
            hash: row.hash,
            epoch: epoch(snapshot, door.tenant, person)?,
            must_change: row.must_change,
            second_factor: second::confirmed(snapshot, door.tenant, person)?.is_some(),
        }))
    }

    /// Says what a person's password must not be made of, and how long it has to be.
    pub fn password_context(&self, door: &Caller, id: ResourceId) -> Result<PasswordContext, RosterError> {
        let snapshot = self.store.snapshot()?;
        let stored = snapshot.get(door.tenant, Address::user(id))?.ok_or(RosterError::NotFound)?;
        let document = core(&stored)?;
        let mut words: Vec<String> = ["userName", "displayName", "nickName", "title"]
            .into_iter()
            .filter_map(|name| document.text(name).map(str::to_owned))
            .collect();
        let part = |name: &str| document.get("name")?.get(name)?.as_str().map(str::to_owned);
        words.extend(["givenName", "familyName", "middleName"].into_iter().filter_map(part));
        words.extend(email(&document));
        words.push(self.tenant_name(door)?);
        Ok(PasswordContext {
            words,
            second_factor: second::confirmed(snapshot.as_ref(), door.tenant, id)?.is_some(),
            characters_min: door.policy.sign_in.password_characters_min,
        })
    }

    /// Gives a person a password (H10, T08) without asking for the old one; a `temporary` one has to be changed at the next sign-in (P05).
    ///
    /// # Errors
    /// [`RosterError::InUse`] for oneself, and for somebody with a second factor (H11). [`RosterError::NotAllowed`] for somebody who may do more than
    /// the person who asks.
    pub fn set_password(
        &self,
        caller: &Caller,
        permit: Permit,
        id: ResourceId,
        hash: &str,
        temporary: bool,
    ) -> Result<(), RosterError> {
        permit.must_be(Deed::SetSignIn)?;
        self.carry_out(caller, Action::PasswordSet, |snapshot| {
            let at = Address::user(id);
            let stored = snapshot.get(caller.tenant, at)?.ok_or(RosterError::NotFound)?;
            power::check_takeover(snapshot, caller, id, "set the password of")?;
            let means = methods::means(snapshot, caller.tenant, &caller.policy, &stored)?;
            if !means.allow(Method::Password) {
                return Err(RosterError::InUse(format!(
                    "the person signs in by {}; change how they sign in first",
                    means.way.name()
                )));
            }
            if second::confirmed(snapshot, caller.tenant, id)?.is_some() {
                return Err(RosterError::InUse(
                    "the person has a second factor, so only they change their password, at sign-in; take the second factor away first"
                        .to_owned(),
                ));
            }
            let mut plan = Plan { subject: Some(at), ..Plan::default() };
            plan.given.push(methods::fact(snapshot, caller.tenant, id)?);
            plan.given.push(second::fact(snapshot, caller.tenant, id)?);
            plan_set(snapshot, caller, &stored, hash, temporary, &mut plan)?;
            if temporary {
                plan.remark_all(vec!["to be changed at the next sign-in".to_owned()]);
            }
            Ok((Some(plan), ()))
        })
    }

    /// Sets a person's own password, once they have shown the old one, which had been set so often, and the second factor where they have one: it counts in
    /// the same step.
    ///
    /// # Errors
    /// [`RosterError::Moved`] where it was set meanwhile.
    pub fn change_password(
        &self,
        door: &Caller,
        id: ResourceId,
        (shown, second): (u64, Option<Second<'_>>),
        hash: &str,
    ) -> Result<Result<ChangedPassword, NotProved>, RosterError> {
        self.carry_out(door, Action::PasswordSet, |snapshot| {
            let at = Address::user(id);
            let stored = snapshot.get(door.tenant, at)?.ok_or(RosterError::NotFound)?;
            let now = epoch(snapshot, door.tenant, id)?;
            if now != shown || row(snapshot, door.tenant, id)?.is_none() {
                return Err(RosterError::Moved);
            }
            let mut plan = Plan { subject: Some(at), ..Plan::default() };
            if let Err(why) = second::plan_use(snapshot, door.tenant, id, second, &mut plan)? {
                return Ok((None, Err(why)));
            }
            plan_set(snapshot, door, &stored, hash, false, &mut plan)?;
            plan.remark_all(vec!["by the person".to_owned()]);
            Ok((Some(plan), Ok(ChangedPassword { person: id, epoch: now.saturating_add(1) })))
        })
    }

    /// Keeps a dearer hash of the same password. Where another was set meanwhile, nothing happens.
    pub fn rehash_password(
        &self,
        door: &Caller,
        known: &KnownPassword,
        hash: &str,
    ) -> Result<bool, RosterError> {
        let snapshot = self.store.snapshot()?;
        let key = known.person.as_bytes().to_vec();
        let Some((bytes, row)) = row(snapshot.as_ref(), door.tenant, known.person)? else { return Ok(false) };
        if row.hash != known.hash || !hash.starts_with("$argon2id$") || hash.len() > HASH_BYTES_MAX {
            return Ok(false);
        }
        let value = Some(rows::encode(&PasswordRow { hash: hash.to_owned(), ..row })?);
        let given = vec![Given::Small(PASSWORDS, key.clone(), Some(bytes))];
        let writes = vec![Write::Small { space: PASSWORDS, key, value }];
        let outcome = self.store.commit(door.tenant, Unit { given, writes, log: None })?;
        Ok(matches!(outcome, Outcome::Committed { .. }))
    }

    /// Takes a person's password from them (P06): what they had signed in with by it is ended.
    pub fn clear_password(&self, caller: &Caller, permit: Permit, id: ResourceId) -> Result<(), RosterError> {
        permit.must_be(Deed::SetSignIn)?;
        self.carry_out(caller, Action::PasswordClear, |snapshot| {
            let at = Address::user(id);
            if !snapshot.exists(caller.tenant, at)? {
                return Err(RosterError::NotFound);
            }
            power::check_takeover(snapshot, caller, id, "take the password of")?;
            let mut plan = Plan { given: vec![Given::Exists(at)], subject: Some(at), ..Plan::default() };
            mailed::plan_drop(snapshot, caller.tenant, id, Purpose::Reset, &mut plan)?;
            let had_one = plan_clear(snapshot, caller, id, &mut plan)?;
            Ok((had_one.then_some(plan), ()))
        })
    }

    /// Says since when a person has a password.
    pub fn password_since(&self, door: &Caller, id: ResourceId) -> Result<Option<Timestamp>, RosterError> {
        let snapshot = self.store.snapshot()?;
        Ok(row(snapshot.as_ref(), door.tenant, id)?.map(|(_, row)| row.since))
    }
}
