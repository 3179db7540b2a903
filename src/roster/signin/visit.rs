//! What somebody who is signed in does themself, and what is written down of those who are not let in (T13, H08).

use serde_json::{Value, json};

use super::super::commit::Plan;
use super::super::edges::Edges;
use super::super::error::RosterError;
use super::super::scope::{Scope, Scopes};
use super::super::view::{Precondition, View};
use super::super::{Caller, LOCAL, Roster};
use super::gate::Live;
use super::link::{NotLinked, connection};
use super::session::Refused;
use crate::ids::{Address, KindId, RequestId, ResourceId};
use crate::store::{Action, Actor, Change, Unit};

/// Longest line of an address, and longest telephone number, that somebody writes of themself.
pub const CONTACT_CHARACTERS_MAX: usize = 200;
/// Refusals of one provider's sign-ins within a minute that are written down each.
const REFUSALS_PER_MINUTE_MAX: u32 = 30;

/// What somebody may change of their own card: how they are reached by telephone and post, and nothing else (H08).
///
/// The address of mail is not among it: sign-in and the links that are mailed depend on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// The telephone at work.
    pub work_phone: Option<String>,
    /// The mobile telephone.
    pub mobile_phone: Option<String>,
    /// Street and number.
    pub street: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Town.
    pub locality: Option<String>,
    /// Country, as ISO 3166-1 alpha-2.
    pub country: Option<String>,
}

impl Contact {
    /// Writes the change as a PATCH: each field by itself, so that what else is known of telephones and addresses stays.
    fn patch(&self) -> Value {
        let fields = [
            ("phoneNumbers[type eq \"work\"].value", &self.work_phone),
            ("phoneNumbers[type eq \"mobile\"].value", &self.mobile_phone),
            ("addresses[type eq \"work\"].streetAddress", &self.street),
            ("addresses[type eq \"work\"].postalCode", &self.postal_code),
            ("addresses[type eq \"work\"].locality", &self.locality),
            ("addresses[type eq \"work\"].country", &self.country),
        ];
        let operations = fields.map(|(path, value)| match value {
            Some(value) => json!({"op": "replace", "path": path, "value": value}),
            None => json!({"op": "remove", "path": path}),
        });
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
    }
}

/// Why a sign-in came to nothing, for the history and the administrator.
#[derive(Debug, Clone)]
pub struct Turned<'a> {
    /// The provider, or the way.
    pub by: &'a str,
    /// The connection by which the same provider provisions: its report shows the refusal.
    pub connection: Option<&'a str>,
    /// In a word.
    pub code: &'a str,
    /// Who it was, where that is known.
    pub person: Option<ResourceId>,
    /// The reason and what to do. It may name somebody: it is erased with what else is known of them.
    pub reason: String,
}

impl Refused {
    /// Names the reason in a word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotLinked(NotLinked::NoSuchKey { .. }) => "no_such_key",
            Self::NotLinked(NotLinked::Unknown { .. }) => "unknown_identity",
            Self::NotLinked(NotLinked::Taken { .. }) => "other_identity",
            Self::NotLinked(NotLinked::Ambiguous { .. }) => "ambiguous_address",
            Self::NotProved { why, .. } => why.code(),
            Self::NotLetIn { .. } => "not_let_in",
        }
    }

    /// Returns who it was, where that is known.
    pub const fn person(&self) -> Option<ResourceId> {
        match self {
            Self::NotLetIn { person } | Self::NotLinked(NotLinked::Taken { person, .. }) => Some(*person),
            Self::NotProved { person, .. } => *person,
            Self::NotLinked(_) => None,
        }
    }
}

impl Roster {
    /// Acts as somebody who is signed in: with no more than what everybody may do with themself. What else they may is for [`Roster::may`] to say.
    pub fn as_signed_in(&self, live: &Live, request: RequestId) -> Result<Caller, RosterError> {
        let snapshot = self.store.snapshot()?;
        let scopes = Scopes::of([Scope::UsersRead, Scope::UsersWrite]);
        let sight = self.sight(snapshot.as_ref(), live.tenant, LOCAL, scopes)?;
        let policy = self.policy(snapshot.as_ref(), live.tenant)?;
        let caller = self.at_hand(live.tenant, request, Actor::Person(live.person), sight, policy);
        Ok(Caller { scopes, ..caller })
    }

    /// Changes how somebody is reached, by their own hand.
    ///
    /// # Errors
    /// [`RosterError::Unfit`] where a line is too long; what a write of the same by a client would be refused for.
    pub fn change_own_contact(&self, caller: &Caller, contact: &Contact) -> Result<View, RosterError> {
        let Some(person) = caller.person() else {
            return Err(RosterError::Broken("nobody in particular changes their own card".to_owned()));
        };
        let body = contact.patch();
        let lines = [
            &contact.work_phone,
            &contact.mobile_phone,
            &contact.street,
            &contact.postal_code,
            &contact.locality,
            &contact.country,
        ];
        if lines.into_iter().flatten().any(|line| line.chars().count() > CONTACT_CHARACTERS_MAX) {
            return Err(RosterError::Unfit(format!(
                "a line has more than {CONTACT_CHARACTERS_MAX} characters; shorten it"
            )));
        }
        let kind = self
            .kinds()
            .by_id(KindId::USER)
            .ok_or_else(|| RosterError::Broken("there is no kind of people".to_owned()))?;
        let kind = caller.kind(kind);
        self.patch(caller, &kind, Address::user(person), &Precondition::None, body, Edges::NONE)
    }

    /// Writes down that a sign-in was refused, where not too many of the same provider were within the minute.
    pub fn turned_away(&self, door: &Caller, turned: &Turned<'_>) -> Result<(), RosterError> {
        let mut name = [0_u8; 16];
        name.iter_mut().zip(turned.by.bytes()).for_each(|(to, from)| *to = from);
        let Some(left_out) = self.turned.count(name, door.now, REFUSALS_PER_MINUTE_MAX) else {
            return Ok(());
        };
        let mut notes = vec![format!("by {}", turned.by)];
        if left_out > 0 {
            notes.push(format!("{left_out} more were refused before, and not written down"));
        }
        let changes = vec![Change::of("signIn", None, Some(turned.reason.as_str().into()))];
        let plan = Plan { subject: turned.person.map(Address::user), changes, ..Plan::default() };
        let result = format!("refused: {}", turned.code);
        let mut log = self.entry(door, Action::SignInRefuse, &result, plan.subject, plan.changes, notes);
        if let Some(name) = turned.connection {
            let found = connection(self.store.snapshot()?.as_ref(), door, name)?;
            log.facts.connection = found.or(log.facts.connection);
        }
        self.store.commit(door.tenant, Unit { given: vec![], writes: vec![], log: Some(log) })?;
        Ok(())
    }
}
