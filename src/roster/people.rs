//! People as administrators look at them: lists with search, the card with its log, who has a namesake (H09, H15, P01, P02, P21, T06, A08).
//!
//! A page is made of a bounded number of records, so that no search reads a whole tenant at a time: a page may hold less than was asked for,
//! and says where the next one begins.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::depart::people;
use super::error::RosterError;
use super::holds::Hold;
use super::person::{actor, attributes, standing};
use super::rows::{self, OWNER, SEATS, SIGN_INS, SignInRow};
use super::scan::SCAN_ROWS_MAX;
use super::scope::Scope;
use super::{Caller, LOCAL, Roster, index};
use crate::ids::{Address, KindId, ResourceId};
use crate::psa::catalogue::Level;
use crate::psa::kinds::{Pool, WhenFull};
use crate::psa::locks::Lock;
use crate::psa::permission::Asked as _;
use crate::psa::permission::permits::RatesView;
use crate::psa::standing::{Departure, Writer};
use crate::psa::urn;
use crate::scim::fold::fold;
use crate::scim::urn::ENTERPRISE;
use crate::scim::{Document, Refusal, Why};
use crate::store::{Facts, IndexRange, LogRow, PAGE_ROWS_MAX, Seq, Snapshot, Stored};

/// Records that one page is picked from.
const LOOKED_AT_MAX: usize = 2000;
/// Searches of one request.
const SEARCHES_MAX: usize = 16;
/// People with one email address of whom somebody's namesakes are picked.
const SHARERS_MAX: usize = 64;

/// Where a person stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// They have been invited and have not come.
    Invited,
    /// They are let in.
    Active,
    /// Somebody keeps them out.
    Locked,
    /// They were deprovisioned, and are kept because of what there is of them.
    Departed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Invited, Self::Active, Self::Locked, Self::Departed];

    /// Returns the word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Active => "active",
            Self::Locked => "locked",
            Self::Departed => "departed",
        }
    }

    /// Returns what is put beside the name of who is not there (H15).
    pub const fn mark(self) -> Option<&'static str> {
        match self {
            Self::Locked => Some("(locked)"),
            Self::Departed => Some("(departed)"),
            Self::Invited | Self::Active => None,
        }
    }
}

/// A person in a list.
#[derive(Debug, Clone)]
pub struct PersonView {
    /// Their id.
    pub id: ResourceId,
    /// What they sign in with.
    pub user_name: String,
    /// What they are called.
    pub display_name: String,
    /// Their first name.
    pub given_name: Option<String>,
    /// Their last name.
    pub family_name: Option<String>,
    /// Their number in the firm.
    pub employee_number: Option<String>,
    /// Their first address.
    pub email: Option<String>,
    /// Where they stand.
    pub state: State,
    /// employee, freelancer or client.
    pub kind: String,
    /// Whether they see money (A08).
    pub sees_money: bool,
    /// When and how they last signed in (T06).
    pub last_sign_in: Option<(Timestamp, String)>,
}

/// Which people are wanted.
#[derive(Debug, Clone, Default)]
pub struct Sought {
    /// Searches, separated by `|`: any of them is to be a part of a name or number (P01).
    pub search: Option<String>,
    /// Also those who are locked (P02).
    pub inactive: bool,
    /// Only those who act for somebody (P02, P07).
    pub proxies: bool,
    /// Only those who stand so.
    pub state: Option<State>,
    /// Only those after this one, in order of id.
    pub after: Option<ResourceId>,
    /// How many at the most.
    pub limit: usize,
}

/// Some of the people that were sought.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// They.
    pub people: Vec<PersonView>,
    /// After whom to go on; `None` at the end.
    pub next: Option<ResourceId>,
}

/// A person with what is known of how they came to be as they are (H09).
#[derive(Debug, Clone)]
pub struct Card {
    /// The person.
    pub person: PersonView,
    /// When the record was made.
    pub created: Timestamp,
    /// When it was last written.
    pub modified: Timestamp,
    /// Who made it, in the history's words.
    pub created_by: Option<String>,
    /// Who changed it last.
    pub modified_by: Option<String>,
    /// When they were invited, while they have not come.
    pub invited: Option<Timestamp>,
    /// When they were last let in.
    pub activated: Option<Timestamp>,
    /// Since when they are kept out.
    pub locked: Option<Timestamp>,
    /// Who keeps them out.
    pub locks: Vec<Lock>,
    /// Which programs have records of them.
    pub holds: Vec<Hold>,
    /// When they were deprovisioned.
    pub departed: Option<Departure>,
    /// Whether the account is theirs.
    pub owner: bool,
    /// Who wrote each attribute last.
    pub writers: BTreeMap<String, String>,
}

/// Licences of one kind (H17).
#[derive(Debug, Clone)]
pub struct LicenseView {
    /// The pool.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// The licence class.
    pub class: Option<String>,
    /// How many seats there are.
    pub seats: u64,
    /// How many are taken.
    pub used: u64,
    /// What happens when none is left.
    pub when_full: &'static str,
}

/// People who may be one and the same (P21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namesakes {
    /// What all are called.
    pub display_name: String,
    /// The address that all have.
    pub email: String,
    /// They, in order of id.
    pub people: Vec<ResourceId>,
}

impl Roster {
    /// Lists people in order of id.
    pub fn seek_people(&self, caller: &Caller, sought: &Sought) -> Result<Found, RosterError> {
        caller.needs(Scope::UsersRead)?;
        let searches = searches(sought.search.as_deref())?;
        let snapshot = self.store.snapshot()?;
        let snapshot = snapshot.as_ref();
        let proxies = if sought.proxies { Some(proxies(snapshot, caller)?) } else { None };
        let kind = if sought.state == Some(State::Departed) { KindId::DEPARTED } else { KindId::USER };
        let mut found = Found { people: Vec::new(), next: sought.after };
        let mut looked = 0_usize;
        while looked < LOOKED_AT_MAX {
            let ids = snapshot.ids(caller.tenant, kind, found.next, 0, PAGE_ROWS_MAX)?;
            let last = ids.len() < PAGE_ROWS_MAX;
            for id in ids {
                if found.people.len() >= sought.limit || looked >= LOOKED_AT_MAX {
                    return Ok(found);
                }
                looked = looked.saturating_add(1);
                found.next = Some(id);
                if proxies.as_ref().is_some_and(|proxies| !proxies.contains(&id)) {
                    continue;
                }
                let Some(stored) = snapshot.get(caller.tenant, Address { kind, id })? else { continue };
                let person = person_view(snapshot, caller, &stored)?;
                let wanted = match sought.state {
                    Some(state) => person.state == state,
                    None => sought.inactive || person.state != State::Locked,
                };
                if wanted && matches(&person, &searches) {
                    found.people.push(person);
                }
            }
            if last {
                found.next = None;
                break;
            }
        }
        for person in &mut found.people {
            person.sees_money = self.sees_money(caller, person.id)?;
        }
        Ok(found)
    }

    /// Shows a person, departed or not, with their log.
    pub fn card(&self, caller: &Caller, id: ResourceId) -> Result<Card, RosterError> {
        caller.needs(Scope::UsersRead)?;
        let holds = self.holds(caller, id)?;
        let snapshot = self.store.snapshot()?;
        let snapshot = snapshot.as_ref();
        let stored = wherever(snapshot, caller, id)?;
        let mut person = person_view(snapshot, caller, &stored)?;
        person.sees_money = self.sees_money(caller, id)?;
        let document = document(caller, &stored)?;
        let standing = standing(&stored, document.is_active())?;
        let first = snapshot.history_since(caller.tenant, id, Seq::ZERO, 1)?.into_iter().next();
        let last = snapshot.history_of(caller.tenant, id, None, 1)?.into_iter().next();
        let owner = snapshot.small(caller.tenant, OWNER, &[])?;
        let record_of = if stored.connection() == Some(LOCAL) { Writer::Admin } else { Writer::Idp };
        let mut writers = BTreeMap::new();
        let names = document.core.keys().cloned().chain(
            document
                .extensions
                .iter()
                .flat_map(|(id, part)| part.keys().map(move |name| format!("{id}:{name}"))),
        );
        for name in names {
            let writer = standing.writers.get(&name).unwrap_or(&record_of).clone();
            writers.insert(name, String::from(writer));
        }
        Ok(Card {
            created: stored.created(),
            modified: stored.modified(),
            created_by: first.as_ref().and_then(who),
            modified_by: last.as_ref().and_then(who),
            invited: standing.invited,
            activated: standing.activated.or(Some(stored.created())).filter(|_| standing.invited.is_none()),
            locked: standing.locks.since(),
            locks: standing.locks.iter().cloned().collect(),
            holds,
            departed: standing.departed,
            owner: owner.as_deref() == Some(id.as_bytes().as_slice()),
            writers,
            person,
        })
    }

    /// Shows one person of a list, as they stand now.
    pub fn person_view(&self, caller: &Caller, id: ResourceId) -> Result<PersonView, RosterError> {
        caller.needs(Scope::UsersRead)?;
        let snapshot = self.store.snapshot()?;
        let stored = wherever(snapshot.as_ref(), caller, id)?;
        let mut person = person_view(snapshot.as_ref(), caller, &stored)?;
        person.sees_money = self.sees_money(caller, id)?;
        Ok(person)
    }

    /// Returns what a person's copy has of them: everything that rights follow from, and nothing that says who they are (P04).
    pub fn rights_to_copy(&self, caller: &Caller, id: ResourceId) -> Result<Map<String, Value>, RosterError> {
        caller.needs(Scope::UsersRead)?;
        let snapshot = self.store.snapshot()?;
        let at = Address::user(id);
        let stored = snapshot.get(caller.tenant, at)?.ok_or(RosterError::NotFound)?;
        let mut all = attributes(&stored)?;
        all.retain(|name, _| COPIED.contains(&name.as_str()));
        Ok(all)
    }

    /// Lists the licence pools in order of id, with the seats that are taken (H17).
    pub fn licenses(&self, caller: &Caller) -> Result<Vec<LicenseView>, RosterError> {
        caller.needs(Scope::KindsRead)?;
        let snapshot = self.store.snapshot()?;
        let mut all: Vec<LicenseView> = Vec::new();
        let mut after = None;
        loop {
            let ids = snapshot.ids(caller.tenant, KindId::LICENSE_POOL, after, 0, PAGE_ROWS_MAX)?;
            let last = ids.len() < PAGE_ROWS_MAX;
            after = ids.last().copied().or(after);
            for id in ids {
                let at = Address { kind: KindId::LICENSE_POOL, id };
                let Some(stored) = snapshot.get(caller.tenant, at)? else { continue };
                let document = super::core(&stored)?;
                let Pool { seats, when_full } = Pool::of(&document)?;
                all.push(LicenseView {
                    id,
                    name: stored.display().to_owned(),
                    class: document.text("class").map(str::to_owned),
                    seats,
                    used: snapshot.counter(caller.tenant, SEATS, id.as_bytes())?,
                    when_full: if when_full == WhenFull::Lock { "lock" } else { "reject" },
                });
            }
            if last || all.len() >= SCAN_ROWS_MAX {
                return Ok(all);
            }
        }
    }

    /// Finds people of one display name and one email address, who may be one and the same; each of them at the one who came first. Nobody is
    /// merged (P21).
    pub fn namesakes(
        &self,
        caller: &Caller,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<(Vec<Namesakes>, Option<ResourceId>), RosterError> {
        caller.needs(Scope::UsersRead)?;
        let snapshot = self.store.snapshot()?;
        let snapshot = snapshot.as_ref();
        let (mut found, mut next, mut looked) = (Vec::new(), after, 0_usize);
        while looked < LOOKED_AT_MAX {
            let ids = snapshot.ids(caller.tenant, KindId::USER, next, 0, PAGE_ROWS_MAX)?;
            let last = ids.len() < PAGE_ROWS_MAX;
            for id in ids {
                if found.len() >= limit || looked >= LOOKED_AT_MAX {
                    return Ok((found, next));
                }
                looked = looked.saturating_add(1);
                next = Some(id);
                found.extend(namesakes_of(snapshot, caller, id)?);
            }
            if last {
                return Ok((found, None));
            }
        }
        Ok((found, next))
    }

    /// Tells whether a person sees money: their rights say so, and nothing bounds them (A03, A08).
    fn sees_money(&self, caller: &Caller, id: ResourceId) -> Result<bool, RosterError> {
        let rights = self.rights(caller, id)?;
        Ok(rights.is_some_and(|rights| rights.effective.anywhere(RatesView::KEY) > Level::None))
    }
}

/// What a copy has of a person.
const COPIED: [&str; 7] =
    ["kind", "company", "client", "userTypes", "overrides", "license", "financialVisibility"];

/// Finds who has the display name and an address of somebody, if they are the first of them.
fn namesakes_of(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    id: ResourceId,
) -> Result<Option<Namesakes>, RosterError> {
    let Some(stored) = snapshot.get(caller.tenant, Address::user(id))? else { return Ok(None) };
    let of = super::core(&stored)?;
    let Some(display_name) = of.display_name() else { return Ok(None) };
    for email in of.values("emails") {
        let range = IndexRange::exactly(KindId::USER, index::EMAIL, index::folded(email));
        let mut same = Vec::new();
        for row in snapshot.index_range(caller.tenant, &range, SHARERS_MAX)? {
            let Some(other) = snapshot.get(caller.tenant, Address::user(row.id))? else { continue };
            if super::core(&other)?.display_name().is_some_and(|name| fold(name) == fold(display_name)) {
                same.push(row.id);
            }
        }
        same.sort_unstable();
        if same.len() > 1 && same.first() == Some(&id) {
            let (display_name, email) = (display_name.to_owned(), email.to_owned());
            return Ok(Some(Namesakes { display_name, email, people: same }));
        }
    }
    Ok(None)
}

/// Reads what is searched for: parts of names, folded.
fn searches(text: Option<&str>) -> Result<Vec<String>, RosterError> {
    let parts = text.unwrap_or_default().split('|').map(str::trim).filter(|part| !part.is_empty());
    let searches: Vec<String> = parts.map(|part| fold(part).into_owned()).collect();
    if searches.len() > SEARCHES_MAX {
        return Err(RosterError::Malformed(format!(
            "search: expected at most {SEARCHES_MAX} searches between \"|\", found {}",
            searches.len()
        )));
    }
    Ok(searches)
}

fn matches(person: &PersonView, searches: &[String]) -> bool {
    let names = [
        Some(&person.user_name),
        Some(&person.display_name),
        person.given_name.as_ref(),
        person.family_name.as_ref(),
        person.employee_number.as_ref(),
    ];
    searches.is_empty()
        || names.into_iter().flatten().any(|name| {
            let name = fold(name);
            searches.iter().any(|search| name.contains(search.as_str()))
        })
}

/// Lists who acts for somebody (P07). Reads everybody, if they are not too many.
fn proxies(snapshot: &dyn Snapshot, caller: &Caller) -> Result<BTreeSet<ResourceId>, RosterError> {
    if snapshot.count(caller.tenant, KindId::USER)? > SCAN_ROWS_MAX as u64 {
        let detail =
            format!("proxies: there are more than {SCAN_ROWS_MAX} people; ask for each by their card");
        return Err(Refusal::new(Why::TooMany, detail).into());
    }
    let (mut proxies, mut after) = (BTreeSet::new(), None);
    loop {
        let ids = snapshot.ids(caller.tenant, KindId::USER, after, 0, PAGE_ROWS_MAX)?;
        let last = ids.len() < PAGE_ROWS_MAX;
        after = ids.last().copied().or(after);
        for id in ids {
            let Some(stored) = snapshot.get(caller.tenant, Address::user(id))? else { continue };
            if !stored.segments().any(|(id, json)| id == urn::USER && json.contains("\"proxies\"")) {
                continue;
            }
            let psa = attributes(&stored)?;
            let named = psa.get("proxies").and_then(Value::as_array).into_iter().flatten();
            let id = |proxy: &Value| ResourceId::parse(proxy.get("value")?.as_str()?).ok();
            proxies.extend(named.filter_map(id));
        }
        if last {
            return Ok(proxies);
        }
    }
}

fn wherever(snapshot: &dyn Snapshot, caller: &Caller, id: ResourceId) -> Result<Stored, RosterError> {
    for kind in [KindId::USER, KindId::DEPARTED] {
        if let Some(stored) = snapshot.get(caller.tenant, Address { kind, id })? {
            return Ok(stored);
        }
    }
    Err(RosterError::NotFound)
}

fn person_view(snapshot: &dyn Snapshot, caller: &Caller, stored: &Stored) -> Result<PersonView, RosterError> {
    let id = stored.at().id;
    let document = document(caller, stored)?;
    let standing = standing(stored, document.is_active())?;
    let state = if standing.departed.is_some() || stored.at().kind == KindId::DEPARTED {
        State::Departed
    } else if standing.locks.is_locked() {
        State::Locked
    } else if standing.invited.is_some() {
        State::Invited
    } else {
        State::Active
    };
    let name = |part: &str| document.get("name").and_then(|name| name.get(part)?.as_str()).map(str::to_owned);
    let signed_in = snapshot.small(caller.tenant, SIGN_INS, id.as_bytes())?;
    let signed_in: Option<SignInRow> = signed_in.as_deref().map(rows::decode).transpose()?;
    let kind = document.attribute(Some(urn::USER), "kind").and_then(Value::as_str).unwrap_or("employee");
    let number = document.attribute(Some(ENTERPRISE), "employeeNumber").and_then(Value::as_str);
    Ok(PersonView {
        id,
        user_name: document.user_name().unwrap_or_default().to_owned(),
        display_name: stored.display().to_owned(),
        given_name: name("givenName"),
        family_name: name("familyName"),
        employee_number: number.map(str::to_owned),
        email: email(&document),
        state,
        kind: kind.to_owned(),
        sees_money: false,
        last_sign_in: signed_in.map(|row| (row.at, row.method)),
    })
}

/// The address that is marked as the first, else the first there is.
pub(super) fn email(document: &Document) -> Option<String> {
    let all = document.get("emails").and_then(Value::as_array)?;
    let primary = all.iter().find(|email| email.get("primary") == Some(&Value::Bool(true)));
    Some(primary.or_else(|| all.first())?.get("value")?.as_str()?.to_owned())
}

/// What somebody is called: as they are displayed, else their name.
pub(super) fn name(document: &Document) -> Option<String> {
    let plain = |text: Option<&Value>| {
        let text = text.and_then(Value::as_str).map(str::trim);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let part = |key: &str| plain(document.get("name").and_then(|name| name.get(key)));
    plain(document.get("displayName")).or_else(|| part("formatted")).or_else(|| {
        let both: Vec<String> = [part("givenName"), part("familyName")].into_iter().flatten().collect();
        (!both.is_empty()).then(|| both.join(" "))
    })
}

/// Reads a person's document, as far as the caller sees it.
fn document(caller: &Caller, stored: &Stored) -> Result<Document, RosterError> {
    Document::from_segments(people(caller)?.seen(stored.segments()))
        .map_err(|error| RosterError::Broken(format!("{}: {error}", stored.at().id)))
}

/// Who wrote an entry of the history.
fn who(row: &LogRow) -> Option<String> {
    let facts: Facts = serde_json::from_slice(&row.facts).ok()?;
    Some(actor(facts.who))
}
