//! `/admin/v1/users`: people in lists, on their cards, and added by people (H02, H09, P01, P02, P04).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::ask::Ask;
use super::endpoint::{Found, Made};
use super::page::Page;
use super::query::{AFTER, Form, LIMIT, Parameter};
use crate::http::problem::Problem;
use crate::ids::{KindId, ResourceId};
use crate::roster::{
    Caller, Card, Edges, Hold, Lock, PSA_USER, PersonView, Roster, RosterError, Sought, State,
};
use crate::scim::error::quoted;
use crate::scim::urn::{ENTERPRISE, USER};

/// What the list can be asked for.
pub const SOUGHT: [Parameter; 6] = [
    AFTER,
    LIMIT,
    Parameter::new(
        "search",
        Form::Text,
        "Any part of first, last or display name, userName or employee number; `|` separates several searches.",
    ),
    Parameter::new("inactive", Form::Switch, "Also those who are locked."),
    Parameter::new("proxies", Form::Switch, "Only those who act for somebody."),
    Parameter::new("state", Form::Text, "Only those who are `invited`, `active`, `locked` or `departed`."),
];
/// What the card can be asked for.
pub const CARD: [Parameter; 1] =
    [Parameter::new("provenance", Form::Switch, "Also who wrote each attribute last.")];

/// A person.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Their id.
    #[schema(value_type = String, format = "uuid")]
    pub id: ResourceId,
    /// What they sign in with.
    pub user_name: String,
    /// What they are called.
    pub display_name: String,
    /// Their first address.
    pub email: Option<String>,
    /// Their number in the firm.
    pub employee_number: Option<String>,
    /// `invited`, `active`, `locked` or `departed`.
    pub state: &'static str,
    /// `employee`, `freelancer` or `client`.
    pub kind: String,
    /// What to put beside the name of who is locked or has departed.
    pub name_mark: Option<&'static str>,
    /// `$` for who sees money.
    pub financial_mark: Option<&'static str>,
    /// When and how they last signed in.
    pub last_sign_in: Option<SignIn>,
}

/// A sign-in.
#[derive(Serialize, ToSchema)]
pub struct SignIn {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How.
    pub method: String,
}

/// A person with their log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonCard {
    /// The person.
    pub person: Person,
    /// When the record was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// Who made it: `token:…`, `user:…` (a person), `client:…`, `cli` or `system`.
    pub created_by: Option<String>,
    /// When it was last written.
    #[schema(value_type = String, format = DateTime)]
    pub modified: Timestamp,
    /// Who changed it last.
    pub modified_by: Option<String>,
    /// When they were invited, while they have not come.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub invited: Option<Timestamp>,
    /// When they were last let in.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub activated: Option<Timestamp>,
    /// Since when they are kept out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub locked: Option<Timestamp>,
    /// Who keeps them out.
    pub locks: Vec<PersonLock>,
    /// Which programs have records of them.
    pub holds: Vec<PersonHold>,
    /// When they departed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub departed: Option<Timestamp>,
    /// Who had them depart.
    pub departed_by: Option<String>,
    /// Whether the account is theirs.
    pub account_owner: bool,
    /// Who wrote each attribute last (`idp`, `admin`, `plugin:NAME`), where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<BTreeMap<String, String>>,
}

/// A lock.
#[derive(Serialize, ToSchema)]
pub struct PersonLock {
    /// In whose name it is held.
    pub authority: &'static str,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Who acted.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
}

/// What a program has of a person.
#[derive(Serialize, ToSchema)]
pub struct PersonHold {
    /// The program.
    pub system: String,
    /// What it has.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Who said so.
    pub by: String,
}

/// A person to be added (H02).
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedPerson {
    /// Their first name.
    pub given_name: String,
    /// Their last name.
    pub family_name: String,
    /// Their address, which they sign in with unless a userName is given.
    pub email: String,
    /// What is between first and last name.
    #[serde(default)]
    pub middle_name: Option<String>,
    /// What they sign in with.
    #[serde(default)]
    pub user_name: Option<String>,
    /// What they are called; first, middle and last name where nothing is said.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Their number in the firm.
    #[serde(default)]
    pub employee_number: Option<String>,
    /// Their title.
    #[serde(default)]
    pub title: Option<String>,
    /// Their time zone.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Attributes of the PSA extension, as SCIM has them (kind, company, license, userTypes…).
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub psa: Option<Map<String, Value>>,
}

impl From<PersonView> for Person {
    fn from(view: PersonView) -> Self {
        let PersonView { id, user_name, display_name, email, employee_number, state, kind, .. } = view;
        Self {
            id,
            user_name,
            display_name,
            email,
            employee_number,
            state: state.name(),
            kind,
            name_mark: state.mark(),
            financial_mark: view.sees_money.then_some("$"),
            last_sign_in: view.last_sign_in.map(|(at, method)| SignIn { at, method }),
        }
    }
}

impl From<Hold> for PersonHold {
    fn from(hold: Hold) -> Self {
        let Hold { system, reason, count, since, by } = hold;
        Self { system, reason, count, since, by }
    }
}

impl From<Lock> for PersonLock {
    fn from(lock: Lock) -> Self {
        let Lock { authority, since, by, reason } = lock;
        Self { authority: authority.as_str(), since, by, reason }
    }
}

/// Lists people.
pub async fn list(ask: Ask) -> Result<Found<Page<Person>>, Problem> {
    let state = ask.text("state").map(state).transpose()?;
    page(ask, state).await
}

/// Lists those who are locked.
pub async fn locked(ask: Ask) -> Result<Found<Page<Person>>, Problem> {
    page(ask, Some(State::Locked)).await
}

async fn page(ask: Ask, state: Option<State>) -> Result<Found<Page<Person>>, Problem> {
    let sought = Sought {
        search: ask.text("search").map(str::to_owned),
        inactive: ask.is_on("inactive"),
        proxies: ask.is_on("proxies"),
        state,
        after: after(&ask)?,
        limit: ask.limit(),
    };
    let found = ask.run(move |roster, caller, _| roster.seek_people(caller, &sought)).await?;
    let items = found.people.into_iter().map(Person::from).collect();
    Ok(Found(Page { items, next: found.next.map(|id| id.to_string()) }))
}

/// Shows the card of a person.
pub async fn card(ask: Ask) -> Result<Found<PersonCard>, Problem> {
    let id = person_id(&ask)?;
    let card = ask.run(move |roster, caller, _| roster.card(caller, id)).await?;
    let Card { person, created, modified, created_by, modified_by, invited, activated, locked, .. } = card;
    let (departed, departed_by) = card.departed.map(|departed| (departed.at, departed.by)).unzip();
    Ok(Found(PersonCard {
        person: person.into(),
        created,
        created_by,
        modified,
        modified_by,
        invited,
        activated,
        locked,
        locks: card.locks.into_iter().map(PersonLock::from).collect(),
        holds: card.holds.into_iter().map(PersonHold::from).collect(),
        departed,
        departed_by,
        account_owner: card.owner,
        provenance: ask.is_on("provenance").then_some(card.writers),
    }))
}

/// Adds a person.
pub async fn add(ask: Ask, wanted: WantedPerson) -> Result<Made<Person>, Problem> {
    let psa = wanted.psa.clone().unwrap_or_default();
    let made = ask.run(move |roster, caller, _| make(roster, caller, wanted, psa));
    Ok(Made(made.await?.into()))
}

/// Adds a person who may do what another may (P04).
pub async fn copy(ask: Ask, wanted: WantedPerson) -> Result<Made<Person>, Problem> {
    let like = person_id(&ask)?;
    let made = ask.run(move |roster, caller, _| {
        let mut psa = roster.rights_to_copy(caller, like)?;
        psa.extend(wanted.psa.clone().unwrap_or_default());
        make(roster, caller, wanted, psa)
    });
    Ok(Made(made.await?.into()))
}

fn make(
    roster: &Roster,
    caller: &Caller,
    wanted: WantedPerson,
    psa: Map<String, Value>,
) -> Result<PersonView, RosterError> {
    for (what, text) in
        [("givenName", &wanted.given_name), ("familyName", &wanted.family_name), ("email", &wanted.email)]
    {
        if text.trim().is_empty() {
            return Err(RosterError::Malformed(format!(
                "{what}: expected some text, found none; a person who is added by a person has a first name, a last name and an email address"
            )));
        }
    }
    let email = wanted.email.trim();
    let (local, domain) = email.rsplit_once('@').unwrap_or_default();
    if local.is_empty() || domain.is_empty() || email.contains(char::is_whitespace) {
        return Err(RosterError::Malformed(format!(
            "email: expected an address such as ada@example.com, found {}",
            quoted(email)
        )));
    }
    let mut name = json!({ "givenName": wanted.given_name.trim(), "familyName": wanted.family_name.trim() });
    if let (Some(middle), Some(name)) = (wanted.middle_name, name.as_object_mut()) {
        name.insert("middleName".to_owned(), middle.into());
    }
    let mut body = Map::new();
    body.insert("schemas".to_owned(), json!([USER]));
    body.insert("name".to_owned(), name);
    body.insert("emails".to_owned(), json!([{ "value": email, "type": "work", "primary": true }]));
    body.insert("userName".to_owned(), wanted.user_name.as_deref().unwrap_or(email).into());
    body.insert("active".to_owned(), true.into());
    let texts =
        [("displayName", wanted.display_name), ("title", wanted.title), ("timezone", wanted.timezone)];
    for (attribute, text) in texts {
        if let Some(text) = text {
            body.insert(attribute.to_owned(), text.into());
        }
    }
    if let Some(number) = wanted.employee_number {
        body.insert(ENTERPRISE.to_owned(), json!({ "employeeNumber": number }));
    }
    if !psa.is_empty() {
        body.insert(PSA_USER.to_owned(), psa.into());
    }
    let kind = caller.kinds().by_id(KindId::USER).cloned();
    let kind = kind.ok_or_else(|| RosterError::Broken("the kind User is not registered".to_owned()))?;
    let made = roster.create(caller, &kind, body.into(), Edges::NONE)?;
    roster.person_view(caller, made.stored.at().id)
}

/// Reads the id of a person from the path.
pub(super) fn person_id(ask: &Ask) -> Result<ResourceId, Problem> {
    ResourceId::parse(ask.at("id")).map_err(|_| Problem::not_found())
}

/// Reads after whom a page begins.
pub(super) fn after(ask: &Ask) -> Result<Option<ResourceId>, Problem> {
    let after = ask.text("after").map(|after| {
        ResourceId::parse(after).map_err(|_| {
            Problem::bad_request(format!(
                "after: expected the `next` of the page before, found {}",
                quoted(after)
            ))
        })
    });
    after.transpose()
}

fn state(name: &str) -> Result<State, Problem> {
    State::ALL.into_iter().find(|state| state.name() == name).ok_or_else(|| {
        let known = State::ALL.map(State::name).join(", ");
        Problem::bad_request(format!("state: expected one of {known}, found {}", quoted(name)))
    })
}
