//! Who an identity is: a subject of a provider, and the person whom it stands for.
//!
//! In this order: the identity is known already; the provider's key of the person is the `externalId` that its own connection gave somebody; an address
//! that the provider verified, where the firm allows that. Else nobody. Nobody is ever made here.
//!
//! A person has at most one identity of a provider, and an identity leads to one person: another one needs an administrator, who unlinks the old one
//! first. What was provisioned is never found by a name that somebody could have chosen (`userName`, an unverified address).

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::commit::Plan;
use super::super::error::RosterError;
use super::super::index;
use super::super::locks::of_the_firm;
use super::super::people::email as email_of;
use super::super::rows::{self, CONNECTIONS, ConnectionRow, EPOCHS, LINKED, LINKS, LinkRow};
use super::super::scope::Scope;
use super::super::{Caller, Roster, core};
use crate::ids::{Address, ConnectionId, KindId, ResourceId, TenantId};
use crate::scim::fold::fold;
use crate::store::{Action, Change, Given, IndexRange, PAGE_ROWS_MAX, Snapshot, Write};

/// How many people with an address are looked at, be it their second or third one, before it says nothing of any of them.
const SAME_ADDRESS_MAX: usize = 64;

/// What a provider proved of somebody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Identity<'a> {
    /// The provider's name in the configuration.
    pub provider: &'a str,
    /// The connection by which the same provider provisions; `None` where it does not.
    pub connection: Option<&'a str>,
    /// Who speaks, letter for letter.
    pub issuer: &'a str,
    /// Of whom, letter for letter.
    pub subject: &'a str,
    /// What the provider's connection gives as `externalId`; `None` where the token does not say.
    pub key: Option<&'a str>,
    /// An address by which the person may be found: verified by the provider, and in a domain for which the firm allows it.
    pub email: Option<&'a str>,
}

/// Why an identity is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotLinked {
    /// Nobody was provisioned who has this key.
    #[error(
        "{provider}: nobody whom the connection {connection} provisioned has the externalId \"{key}\"; map externalId to what the provider signs people in with (Entra: objectId, \
         Okta: user.id), or link the person by hand"
    )]
    NoSuchKey {
        /// The provider.
        provider: String,
        /// Its connection.
        connection: String,
        /// What it calls the person.
        key: String,
    },
    /// The provider has no connection, or said no key.
    #[error("{provider}: the subject \"{subject}\" is not known, and {lacks}; link the person by hand")]
    Unknown {
        /// The provider.
        provider: String,
        /// Its subject.
        subject: String,
        /// What there is not.
        lacks: &'static str,
    },
    /// The person whom it would be has another identity of the provider.
    #[error(
        "{provider}: the person {person} signs in there as another subject already; if the provider made the account anew, unlink the old identity first"
    )]
    Taken {
        /// The provider.
        provider: String,
        /// Who.
        person: ResourceId,
    },
    /// More than one person has the address.
    #[error("{provider}: several people have the address that it verified; link the person by hand")]
    Ambiguous {
        /// The provider.
        provider: String,
    },
}

/// An identity and whose it is, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkView {
    /// The provider's name.
    pub provider: String,
    /// Who speaks.
    pub issuer: String,
    /// Of whom.
    pub subject: String,
    /// Since when it is known.
    pub since: Timestamp,
    /// How it was found: `external-id`, `email` or `administrator`.
    pub by: String,
}

/// Whom an identity was found to be.
pub(super) struct Found {
    /// Who.
    pub person: ResourceId,
    /// What the unit stands on.
    pub given: Vec<Given>,
    /// What it writes, where the identity was not known before.
    pub writes: Vec<Write>,
    /// What the history says of that.
    pub changes: Vec<Change>,
}

/// The key of an identity.
fn link_key(provider: &str, issuer: &str, subject: &str) -> Vec<u8> {
    let mut key = provider.as_bytes().to_vec();
    key.push(0);
    key.extend(Sha256::new().chain_update(issuer).chain_update([0]).chain_update(subject).finalize());
    key
}

/// The key of the identity that a person has at a provider.
fn linked_key(person: ResourceId, provider: &str) -> Vec<u8> {
    [person.as_bytes().as_slice(), provider.as_bytes()].concat()
}

/// Finds whom an identity stands for, and plans what makes it known.
pub(super) fn find(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    identity: &Identity<'_>,
) -> Result<Result<Found, NotLinked>, RosterError> {
    let key = link_key(identity.provider, identity.issuer, identity.subject);
    let old = snapshot.small(caller.tenant, LINKS, &key)?;
    let known: Option<LinkRow> = old.as_deref().map(rows::decode).transpose()?;
    let linked_to = |row: &LinkRow| Found {
        person: row.person,
        given: vec![Given::Small(LINKS, key.clone(), old.clone())],
        writes: vec![],
        changes: vec![],
    };
    if let Some(row) = &known
        && snapshot.exists(caller.tenant, Address::user(row.person))?
    {
        return Ok(Ok(linked_to(row)));
    }
    let found = match provisioned(snapshot, caller, identity)? {
        Ok(found) => Ok(found),
        Err(why) => by_email(snapshot, caller, identity)?.unwrap_or(Err(why)),
    };
    let (person, how, given) = match (found, &known) {
        (Ok(found), _) => found,
        // Theirs, who has left.
        (Err(_), Some(row)) => return Ok(Ok(linked_to(row))),
        (Err(why), None) => return Ok(Err(why)),
    };
    let linked = linked_key(person, identity.provider);
    if snapshot.small(caller.tenant, LINKED, &linked)?.is_some() {
        return Ok(Err(NotLinked::Taken { provider: identity.provider.to_owned(), person }));
    }
    let plan = Plan { given, ..Plan::default() };
    let Plan { given, writes, changes, .. } = linking(caller, identity, person, how, old, plan)?;
    Ok(Ok(Found { person, given, writes, changes }))
}

/// Says whose an identity is, where that is known.
pub(super) fn known(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    identity: &Identity<'_>,
) -> Result<Option<ResourceId>, RosterError> {
    let key = link_key(identity.provider, identity.issuer, identity.subject);
    let row: Option<LinkRow> =
        snapshot.small(tenant, LINKS, &key)?.as_deref().map(rows::decode).transpose()?;
    Ok(row.map(|row| row.person))
}

/// What makes a person's identities nobody's.
pub(in crate::roster) fn forget(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    person: ResourceId,
) -> Result<Vec<Write>, RosterError> {
    let removal = |space, key| Write::Small { space, key, value: None };
    let rows = snapshot.small_range(tenant, LINKED, person.as_bytes(), None, PAGE_ROWS_MAX)?;
    Ok(rows.into_iter().flat_map(|row| [removal(LINKED, row.key), removal(LINKS, row.value)]).collect())
}

impl Roster {
    /// Lists the identities of a person.
    pub fn links(&self, caller: &Caller, id: ResourceId) -> Result<Vec<LinkView>, RosterError> {
        of_the_firm(caller, Scope::UsersRead)?;
        let snapshot = self.store.snapshot()?;
        let linked = snapshot.small_range(caller.tenant, LINKED, id.as_bytes(), None, PAGE_ROWS_MAX)?;
        let mut all = Vec::new();
        for row in linked {
            let Some(bytes) = snapshot.small(caller.tenant, LINKS, &row.value)? else { continue };
            let link: LinkRow = rows::decode(&bytes)?;
            let provider = row.key.get(id.as_bytes().len()..).unwrap_or_default();
            all.push(LinkView {
                provider: String::from_utf8_lossy(provider).into_owned(),
                issuer: link.issuer,
                subject: link.subject,
                since: link.since,
                by: link.by,
            });
        }
        Ok(all)
    }

    /// Says whose an identity is; nobody's where it is not known.
    pub fn person_of_identity(
        &self,
        door: &Caller,
        identity: &Identity<'_>,
    ) -> Result<Option<ResourceId>, RosterError> {
        of_the_firm(door, Scope::UsersRead)?;
        known(self.store.snapshot()?.as_ref(), door.tenant, identity)
    }

    /// Finds the one person of an address who has an identity at a provider.
    pub fn person_of_linked_address(
        &self,
        door: &Caller,
        provider: &str,
        address: &str,
    ) -> Result<Option<ResourceId>, RosterError> {
        of_the_firm(door, Scope::UsersRead)?;
        let snapshot = self.store.snapshot()?;
        let identity = Identity { provider, email: Some(address), ..Identity::default() };
        let Some(Ok((person, ..))) = by_email(snapshot.as_ref(), door, &identity)? else { return Ok(None) };
        let linked = snapshot.small(door.tenant, LINKED, &linked_key(person, provider))?;
        Ok(linked.map(|_| person))
    }

    /// Says that an identity is a person's, where a provider's key does not.
    ///
    /// # Errors
    /// [`RosterError::InUse`] where it is somebody's, or the person has another one at the provider.
    pub fn link(
        &self,
        caller: &Caller,
        id: ResourceId,
        (provider, issuer, subject): (&str, &str, &str),
    ) -> Result<(), RosterError> {
        of_the_firm(caller, Scope::UsersWrite)?;
        self.carry_out(caller, Action::IdentityLink, |snapshot| {
            let at = Address::user(id);
            if !snapshot.exists(caller.tenant, at)? {
                return Err(RosterError::NotFound);
            }
            let identity = Identity { provider, issuer, subject, ..Identity::default() };
            if let Some(whose) = known(snapshot, caller.tenant, &identity)? {
                if whose == id {
                    return Ok((None, ()));
                }
                return Err(RosterError::InUse(format!(
                    "this identity is that of {whose}; unlink it there first"
                )));
            }
            let linked = linked_key(id, provider);
            if snapshot.small(caller.tenant, LINKED, &linked)?.is_some() {
                return Err(RosterError::InUse(format!(
                    "the person has another identity at {provider}; unlink that one first"
                )));
            }
            let given = vec![Given::Exists(at)];
            let plan = Plan { given, subject: Some(at), ..Plan::default() };
            Ok((Some(linking(caller, &identity, id, "administrator", None, plan)?), ()))
        })
    }

    /// Says that a person's identity at a provider is nobody's any more, and ends everything that they had signed in with.
    ///
    /// # Errors
    /// [`RosterError::NotFound`] where they have none there.
    pub fn unlink(&self, caller: &Caller, id: ResourceId, provider: &str) -> Result<(), RosterError> {
        of_the_firm(caller, Scope::UsersWrite)?;
        self.carry_out(caller, Action::IdentityUnlink, |snapshot| {
            let linked = linked_key(id, provider);
            let key = snapshot.small(caller.tenant, LINKED, &linked)?.ok_or(RosterError::NotFound)?;
            let removal = |space, key| Write::Small { space, key, value: None };
            let plan = Plan {
                given: vec![Given::Small(LINKED, linked.clone(), Some(key.clone()))],
                writes: vec![
                    removal(LINKED, linked),
                    removal(LINKS, key),
                    Write::Add { space: EPOCHS, key: id.as_bytes().to_vec(), by: 1 },
                ],
                subject: Some(Address::user(id)),
                changes: vec![Change::of("identity", Some(provider.into()), None)],
                ..Plan::default()
            };
            Ok((Some(plan), ()))
        })
    }
}

/// Adds to a plan what makes an identity a person's, of which `old` stood there.
fn linking(
    caller: &Caller,
    identity: &Identity<'_>,
    person: ResourceId,
    by: &str,
    old: Option<Vec<u8>>,
    mut plan: Plan,
) -> Result<Plan, RosterError> {
    let key = link_key(identity.provider, identity.issuer, identity.subject);
    let linked = linked_key(person, identity.provider);
    plan.given.extend([Given::Small(LINKS, key.clone(), old), Given::Small(LINKED, linked.clone(), None)]);
    let row = LinkRow {
        person,
        issuer: identity.issuer.to_owned(),
        subject: identity.subject.to_owned(),
        since: caller.now,
        by: by.to_owned(),
    };
    plan.writes.extend([
        Write::Small { space: LINKS, key: key.clone(), value: Some(rows::encode(&row)?) },
        Write::Small { space: LINKED, key: linked, value: Some(key) },
    ]);
    let said = format!("{} at {} ({by})", identity.subject, identity.provider);
    plan.changes.push(Change::of("identity", None, Some(said.into())));
    Ok(plan)
}

type Provisioned = (ResourceId, &'static str, Vec<Given>);

/// Finds the person whom the provider's own connection gave this key.
fn provisioned(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    identity: &Identity<'_>,
) -> Result<Result<Provisioned, NotLinked>, RosterError> {
    let unknown = |lacks| NotLinked::Unknown {
        provider: identity.provider.to_owned(),
        subject: identity.subject.to_owned(),
        lacks,
    };
    let Some(name) = identity.connection else {
        return Ok(Err(unknown("the provider has no connection in the configuration")));
    };
    let Some(key) = identity.key else {
        return Ok(Err(unknown("the token lacks the claim that says whom its connection means")));
    };
    let Some(connection) = connection(snapshot, caller, name)? else {
        return Ok(Err(unknown("there is no connection of the name that the configuration says")));
    };
    let claim = index::external_id(KindId::USER, connection, key);
    // Of another kind, if at all: a person who has departed is under another index.
    let holder = snapshot.by_unique(caller.tenant, &claim)?.filter(|at| at.kind == KindId::USER);
    Ok(holder.map_or_else(
        || {
            Err(NotLinked::NoSuchKey {
                provider: identity.provider.to_owned(),
                connection: name.to_owned(),
                key: key.to_owned(),
            })
        },
        |at| Ok((at.id, "external-id", vec![Given::Free(claim.clone(), at)])),
    ))
}

/// Finds the one person who has the address as their primary one or as their `userName`; `None` where there is none, or none was to be looked for.
fn by_email(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    identity: &Identity<'_>,
) -> Result<Option<Result<Provisioned, NotLinked>>, RosterError> {
    let Some(email) = identity.email.filter(|email| is_plain_address(email)) else { return Ok(None) };
    let folded = fold(email);
    let mut people: Vec<Address> = Vec::new();
    let range = IndexRange::exactly(KindId::USER, index::EMAIL, index::folded(email));
    let mut candidates: Vec<ResourceId> = snapshot
        .index_range(caller.tenant, &range, SAME_ADDRESS_MAX.saturating_add(1))?
        .into_iter()
        .map(|row| row.id)
        .collect();
    let ambiguous = || Some(Err(NotLinked::Ambiguous { provider: identity.provider.to_owned() }));
    if candidates.len() > SAME_ADDRESS_MAX {
        return Ok(ambiguous());
    }
    if let Ok(name) = index::user_name(email)
        && let Some(at) = snapshot.by_unique(caller.tenant, &name)?.filter(|at| at.kind == KindId::USER)
        && !candidates.contains(&at.id)
    {
        candidates.push(at.id);
    }
    let mut given = Vec::new();
    for id in candidates {
        let at = Address::user(id);
        let Some(stored) = snapshot.get(caller.tenant, at)? else { continue };
        let document = core(&stored)?;
        let address = email_of(&document);
        let named = document.text("userName").is_some_and(|name| fold(name) == folded);
        let primary = address.is_some_and(|address| fold(&address) == folded);
        if named || primary {
            given.push(Given::Version(at, stored.version()));
            people.push(at);
        }
    }
    Ok(match people.as_slice() {
        [] => None,
        [one] => Some(Ok((one.id, "email", given))),
        _ => ambiguous(),
    })
}

/// Tells whether a text is an address that means the same to everybody: ASCII, with one `@` between two parts that hold something.
fn is_plain_address(text: &str) -> bool {
    let graphic = text.bytes().all(|byte| byte.is_ascii_graphic());
    matches!(text.split('@').collect::<Vec<_>>().as_slice(), [local, domain] if !local.is_empty() && !domain.is_empty())
        && graphic
}

pub(super) fn connection(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    name: &str,
) -> Result<Option<ConnectionId>, RosterError> {
    let bytes = snapshot.small(caller.tenant, CONNECTIONS, name.as_bytes())?;
    bytes.map(|bytes| rows::decode::<ConnectionRow>(&bytes).map(|row| row.id)).transpose()
}
