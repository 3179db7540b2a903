//! The rules of a person that need the store (sections 1 and 2 of the domain).
//!
//! [`settle`] stands where every write of a person comes through: whoever writes, by whatever protocol, the locks, the seat, the schedule and
//! the rules of the PSA extension come out the same, and in one unit. `seats` counts licences, `guard` keeps the last administrator and the
//! owner, `lower` turns what an identity provider says by the flat extension into the extension itself, `show` computes what is shown.

mod guard;
mod lower;
mod seats;
mod show;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub(super) use guard::guard;
use seats::Seat;
use seats::had_seat;
pub(super) use seats::{free, room, seat_of};
pub(super) use show::show;

use super::asked::{self, Matter};
use super::error::RosterError;
use super::rows::{self, DUE, EPOCHS, HOLDS, HoldsRow, SIGN_INS, SignInRow};
use super::rules::{Act, Before, Draft, Settled};
use super::{Caller, LOCAL, power, references, rights};
use crate::ids::{Address, KindId, ResourceId};
use crate::psa::calendar::Zone;
use crate::psa::kinds;
use crate::psa::locks::Authority;
use crate::psa::person::{self, Around, RATES, differs_from};
use crate::psa::standing::{Standing, Writer};
use crate::psa::urn;
use crate::scim::Document;
use crate::scim::doc::Difference;
use crate::scim::schema::{Kind, MONEY};
use crate::store::{Actor, Change, Given, Snapshot, Stored, Write};

/// The authority in whose name a caller locks.
pub(super) fn authority(caller: &Caller) -> Authority {
    match (caller.who, caller.connection == LOCAL) {
        (Actor::System, _) => Authority::Schedule,
        (_, true) => Authority::Admin,
        (_, false) => Authority::Idp,
    }
}

/// Who a caller is, where it is kept beside an attribute.
fn writer(caller: &Caller) -> Writer {
    if caller.connection == LOCAL { Writer::Admin } else { Writer::Idp }
}

/// Who a caller is, in a word.
pub(super) fn actor(who: Actor) -> String {
    match who {
        Actor::Token(id) => format!("token:{id}"),
        Actor::Bound { person, .. } | Actor::Person(person) => format!("user:{person}"),
        Actor::Client(id) => format!("client:{id}"),
        Actor::Cli => "cli".to_owned(),
        Actor::System => "system".to_owned(),
    }
}

/// Reads where a person stands. Somebody who is not active, of whom nothing else is kept, was locked by whose the record is.
pub(super) fn standing(stored: &Stored, active: bool) -> Result<Standing, RosterError> {
    let json = stored.segments().find(|(id, _)| *id == urn::STANDING).map(|(_, json)| json);
    let mut standing =
        Standing::read(json).map_err(|error| RosterError::Broken(format!("{}: {error}", stored.at().id)))?;
    if !active && !standing.locks.is_locked() {
        let by = if stored.connection() == Some(LOCAL) { Authority::Admin } else { Authority::Idp };
        standing.lock(by, true, stored.modified(), "unknown", None);
    }
    Ok(standing)
}

/// What a person is to the caller who changes them: active as far as the caller's own authority goes. So `active: true` lets go of the
/// caller's own lock, and repeats what is there already where it has none.
pub(super) fn as_met<'a>(
    caller: &Caller,
    stored: &Stored,
    met: Cow<'a, Document>,
) -> Result<Cow<'a, Document>, RosterError> {
    if stored.at().kind != KindId::USER || met.is_active() {
        return Ok(met);
    }
    let standing = standing(stored, false)?;
    if standing.locks.by(authority(caller)).is_some() {
        return Ok(met);
    }
    let mut met = met.into_owned();
    met.set(None, "active", Some(true.into()));
    Ok(Cow::Owned(met))
}

/// Reads the PSA attributes of a record, money among them, whoever asks.
pub(super) fn attributes(stored: &Stored) -> Result<Map<String, Value>, RosterError> {
    let mut all = Map::new();
    for (id, json) in stored.segments().filter(|(id, _)| id.strip_suffix(MONEY).unwrap_or(id) == urn::USER) {
        let part: Map<String, Value> = serde_json::from_str(json)
            .map_err(|error| RosterError::Broken(format!("the segment {id}: {error}")))?;
        all.extend(part);
    }
    Ok(all)
}

/// Applies the rules of a person to a document that is to be written.
pub(super) fn settle(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    draft: &mut Draft<'_>,
    act: Act<'_>,
) -> Result<Settled, RosterError> {
    let &mut Draft { kind, at, before, .. } = draft;
    let kept = before.map(|before| before.kept);
    let mut settled = Settled {
        given: references::check(snapshot, caller, kind, kept, &draft.wanted)?,
        ..Settled::default()
    };
    let old = before.map_or_else(|| Ok(Map::new()), |before| attributes(before.stored))?;
    let was = before.map_or_else(
        || Ok(Standing::default()),
        |Before { stored, kept }| standing(stored, kept.is_active()),
    )?;
    name_by_parts(caller, draft);
    let mut now = was.clone();
    let mut psa = wanted_attributes(kind, &draft.wanted, &old);
    default_kind(caller, draft, &old, &mut psa);
    lower::lower(snapshot, caller, draft, &old, &was, &mut psa, &mut settled)?;
    power::check_person(snapshot, caller, draft, &old, &psa, act)?;
    if psa != old {
        bring_into_order(snapshot, caller, at, &mut psa, &old, &mut settled.given)?;
    }
    do_act(caller, draft.wanted.is_active(), act, &mut now);
    let zone = zone(snapshot, caller, &draft.wanted, &psa)?;
    if caller.served.is_some() {
        let matter = Matter { snapshot, caller, old: &old, was: &was, now: &now, act, zone: &zone };
        asked::ask(&matter, draft, &mut psa, &mut settled)?;
    }
    if matches!(act, Act::Return) && psa.get("schedule") == old.get("schedule") {
        leave_old_schedule(caller, &zone, &mut psa, &mut settled)?;
    }
    schedule(snapshot, caller, at, &psa, &zone, &mut now, &mut settled)?;
    let seat = Seat { had: had_seat(before.is_some(), &was, &old), was: &was, old: &old, waits: waits(act) };
    seats::settle(snapshot, caller, seat, &psa, &mut now, &mut settled)?;
    check_rights(snapshot, caller, at, before.is_some() && !was.locks.is_locked(), &old, &psa, &mut settled)?;
    if now.locks.is_locked() && before.is_some() && !was.locks.is_locked() {
        settled.given.extend(guard(snapshot, caller, at.id, "locked")?);
        settled.writes.push(Write::Add { space: EPOCHS, key: at.id.as_bytes().to_vec(), by: 1 });
    }
    if was.locks.is_locked() && !now.locks.is_locked() {
        now.activated = Some(caller.now);
    }
    if draft.wanted.is_active() == now.locks.is_locked() {
        draft.wanted.set(None, "active", Some((!now.locks.is_locked()).into()));
    }
    write_back(kind, &mut draft.wanted, &old, &psa, &mut settled);
    tell(&was, &now, &mut settled);
    note_writers(caller, draft, &old, &psa, &settled.asked.writers, &mut now);
    let json = now.write().map_err(|error| RosterError::Broken(error.to_string()))?;
    settled.segments.push((urn::STANDING.to_owned(), json));
    Ok(settled)
}

/// Brings PSA attributes into the form that is kept, and checks them.
pub(super) fn bring_into_order(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
    psa: &mut Map<String, Value>,
    old: &Map<String, Value>,
    given: &mut Vec<Given>,
) -> Result<(), RosterError> {
    let company = company(snapshot, caller, psa)?;
    let mut used = false;
    if psa.get("kind") != old.get("kind") {
        let usage = usage(snapshot, caller, at.id)?;
        used = usage.is_used();
        given.extend(usage.facts);
    }
    let around = Around {
        used,
        base_currency: company.as_ref().and_then(|company| company.text("baseCurrency")),
        id: &at.id.to_string(),
    };
    person::settle(psa, old, around).map_err(|refusal| refusal.within(urn::USER).into())
}

/// Does to the locks what a write wants of them.
fn do_act(caller: &Caller, active: bool, act: Act<'_>, now: &mut Standing) {
    let by = actor(caller.who);
    match act {
        Act::Said => {
            now.lock(authority(caller), !active, caller.now, &by, None);
        }
        Act::Return => {
            now.departed = None;
            now.lock(authority(caller), !active, caller.now, &by, None);
        }
        Act::Lock(authority, reason) => {
            now.lock(authority, true, caller.now, &by, reason);
        }
        Act::Unlock(authority) => {
            now.locks.release(authority);
        }
        Act::Came(at) => {
            if now.invited.take().is_some() {
                now.activated = Some(at);
            }
        }
        Act::Invited(at) => now.invited = Some(at),
        Act::Look | Act::Map => {}
    }
}

/// Tells whether nobody is there who could be told that no seat is left.
const fn waits(act: Act<'_>) -> bool {
    matches!(act, Act::Look)
}

/// Leaves a schedule behind that kept somebody out when they were here before, and of which nothing is to come: it is not about this time.
fn leave_old_schedule(
    caller: &Caller,
    zone: &Zone,
    psa: &mut Map<String, Value>,
    settled: &mut Settled,
) -> Result<(), RosterError> {
    let schedule = person::schedule(psa).map_err(|refusal| refusal.within(urn::USER))?;
    let standing = schedule.standing(zone, caller.now);
    if standing.locked && standing.next.is_none() {
        psa.shift_remove("schedule");
        settled.remarks.push("the schedule of the time before was left behind".to_owned());
    }
    Ok(())
}

/// Whoever is nothing else is an employee (H01): for good where an administrator adds them, and as long as nobody says otherwise where an identity
/// provider does. Of those the default is shown and not kept, so that sending it back gives them nothing.
fn default_kind(caller: &Caller, draft: &Draft<'_>, old: &Map<String, Value>, psa: &mut Map<String, Value>) {
    if draft.before.is_none() && caller.connection == LOCAL {
        psa.entry("kind").or_insert_with(|| "employee".into());
    } else if !old.contains_key("kind") && psa.get("kind").and_then(Value::as_str) == Some("employee") {
        psa.shift_remove("kind");
    }
}

/// Fills in the display name of a person whom an administrator added, from the parts of the name, unless somebody chose another (P09). What an
/// identity provider sent stays as it was sent.
fn name_by_parts(caller: &Caller, draft: &mut Draft<'_>) {
    let is_ours = draft.before.is_none_or(|before| before.stored.connection() == Some(LOCAL));
    if caller.connection != LOCAL || !is_ours {
        return;
    }
    let was_filled_in = draft.before.is_some_and(|Before { kept, .. }| {
        kept.display_name().is_some()
            && kept.display_name() == draft.wanted.display_name()
            && kept.display_name() == full_name(kept).as_deref()
    });
    if (draft.wanted.display_name().is_none() || was_filled_in)
        && let Some(name) = full_name(&draft.wanted)
    {
        draft.wanted.set(None, "displayName", Some(name.into()));
    }
}

/// First, middle and last name in a row, as far as they are given.
fn full_name(document: &Document) -> Option<String> {
    let name = document.get("name")?;
    let parts = ["givenName", "middleName", "familyName"];
    let given = parts.iter().filter_map(|part| name.get(*part)?.as_str()).map(str::trim);
    let given: Vec<&str> = given.filter(|part| !part.is_empty()).collect();
    (!given.is_empty()).then(|| given.join(" "))
}

/// Checks what is newly given and taken of rights: that the catalogue knows it, and that it does not leave the tenant without an administrator
/// (X13).
fn check_rights(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
    is_in: bool,
    old: &Map<String, Value>,
    psa: &Map<String, Value>,
    settled: &mut Settled,
) -> Result<(), RosterError> {
    if old.get("overrides") != psa.get("overrides") {
        rights::check_overrides(caller, psa.get("overrides")).map_err(|refusal| refusal.within(urn::USER))?;
    }
    let differs = ["userTypes", "overrides", "license", "kind", "financialVisibility"]
        .iter()
        .any(|name| old.get(*name) != psa.get(*name));
    if is_in
        && differs
        && rights::administers(snapshot, caller, at, old)?
        && !rights::administers(snapshot, caller, at, psa)?
    {
        settled.given.extend(guard(snapshot, caller, at.id, "demoted")?);
    }
    Ok(())
}

/// What a document says of the PSA attributes, with what its writer does not see as it was.
fn wanted_attributes(kind: &Kind, wanted: &Document, old: &Map<String, Value>) -> Map<String, Value> {
    let Some(schema) = kind.extension(urn::USER) else { return old.clone() };
    let mut all = wanted.extension(urn::USER).cloned().unwrap_or_default();
    kinds::spell(schema, &mut all);
    for (name, value) in old.iter().filter(|(name, _)| schema.attribute(name).is_none()) {
        all.insert(name.clone(), value.clone());
    }
    for link in ["company", "client", "license", "userTypes", "proxies"] {
        for element in elements_mut(all.get_mut(link)) {
            // Computed, and sent back by whoever read them.
            element.shift_remove("$ref");
            element.shift_remove("display");
        }
    }
    all
}

fn elements_mut(value: Option<&mut Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    let elements = match value {
        Some(Value::Array(elements)) => elements.as_mut_slice(),
        Some(one) => std::slice::from_mut(one),
        None => &mut [],
    };
    elements.iter_mut().filter_map(Value::as_object_mut)
}

/// Puts the settled attributes where they are written: into the document as far as its writer sees them, and into segments of their own.
fn write_back(
    kind: &Kind,
    wanted: &mut Document,
    old: &Map<String, Value>,
    psa: &Map<String, Value>,
    settled: &mut Settled,
) {
    let schema = kind.extension(urn::USER);
    let seen = |name: &str| schema.is_some_and(|schema| schema.attribute(name).is_some());
    if schema.is_some() {
        let before: Vec<String> =
            wanted.extension(urn::USER).into_iter().flat_map(Map::keys).cloned().collect();
        for name in before.iter().filter(|name| !psa.contains_key(*name)) {
            wanted.set(Some(urn::USER), name, None);
        }
        for (name, value) in psa.iter().filter(|(name, _)| seen(name)) {
            wanted.set(Some(urn::USER), name, Some(value.clone()));
        }
    }
    if psa == old {
        return;
    }
    let is_money = |name: &str| RATES.contains(&name);
    let (money, plain): (Map<_, _>, Map<_, _>) =
        psa.clone().into_iter().partition(|(name, _)| is_money(name));
    for (id, part) in [(urn::USER.to_owned(), plain), (format!("{}{MONEY}", urn::USER), money)] {
        let json = (!part.is_empty()).then(|| Value::Object(part).to_string());
        settled.segments.push((id, json));
    }
    // What the writer does not see, the difference of its documents does not tell.
    for name in
        old.keys().chain(psa.keys().filter(|name| !old.contains_key(*name))).filter(|name| !seen(name))
    {
        if old.get(name) != psa.get(name) {
            let attribute = format!("{}:{name}", urn::USER);
            let change = Change::of(attribute, old.get(name).cloned(), psa.get(name).cloned());
            settled.changes.push(Change { money: is_money(name), ..change });
        }
    }
}

/// Has the history say who locked and who let go.
pub(super) fn tell(was: &Standing, now: &Standing, settled: &mut Settled) {
    let holders = |standing: &Standing| -> Value {
        standing.locks.iter().map(|lock| Value::from(lock.authority.as_str())).collect::<Vec<_>>().into()
    };
    let (old, new) = (holders(was), holders(now));
    if old != new {
        settled.changes.push(Change::of(format!("{}:lifecycle.locks", urn::USER), Some(old), Some(new)));
    }
    let state = |standing: &Standing| -> Option<Value> {
        if standing.departed.is_some() {
            return Some("departed".into());
        }
        standing.invited.is_some().then(|| "invited".into())
    };
    if state(was) != state(now) {
        settled.changes.push(Change::of(format!("{}:lifecycle.state", urn::USER), state(was), state(now)));
    }
}

/// Notes who wrote what changes, where that is not whose the record is.
fn note_writers(
    caller: &Caller,
    draft: &Draft<'_>,
    old: &Map<String, Value>,
    psa: &Map<String, Value>,
    plugins: &BTreeMap<String, String>,
    standing: &mut Standing,
) {
    let connection = draft.before.map_or(Some(caller.connection), |before| before.stored.connection());
    let owner = if connection == Some(LOCAL) { Writer::Admin } else { Writer::Idp };
    let me = writer(caller);
    let by =
        |name: &str| plugins.get(name).map_or_else(|| me.clone(), |plugin| Writer::Plugin(plugin.clone()));
    if let Some(before) = draft.before {
        for Difference { name, new, .. } in Document::diff(before.kept, &draft.wanted) {
            // It follows from the locks, which say whose they are.
            if name != "active" {
                standing.wrote(&name, new.is_some().then(|| by(&name)).as_ref(), &owner);
            }
        }
        for name in old.keys().chain(psa.keys()).filter(|name| old.get(*name) != psa.get(*name)) {
            let full = format!("{}:{name}", urn::USER);
            standing.wrote(&full, psa.contains_key(name).then(|| by(&full)).as_ref(), &owner);
        }
        return;
    }
    // Of somebody new only what plugins have set is not whose the record is.
    for (name, plugin) in plugins {
        let short = name.strip_prefix(urn::USER).and_then(|rest| rest.strip_prefix(':'));
        if short.is_none_or(|short| psa.contains_key(short)) {
            standing.wrote(name, Some(&Writer::Plugin(plugin.clone())), &owner);
        }
    }
}

/// Says from which day on the value in force differs, of an attribute that is a history by dates (H13).
pub(super) fn effective_from(name: &str, old: Option<&Value>, new: Option<&Value>) -> Option<String> {
    let name = name.strip_prefix(urn::USER)?.strip_prefix(':')?;
    (RATES.contains(&name) || name == "employments")
        .then(|| differs_from(old, new).map(|day| day.to_string()))
        .flatten()
}

/// What keeps a person from being erased.
pub(super) struct Usage {
    /// When they last signed in.
    pub signed_in: Option<SignInRow>,
    /// Which programs have records of them.
    pub holds: HoldsRow,
    /// The facts that this stands on.
    pub facts: Vec<Given>,
}

impl Usage {
    pub(super) fn is_used(&self) -> bool {
        self.signed_in.is_some() || !self.holds.holds.is_empty()
    }
}

/// Finds out whether a person has ever signed in, and which programs have records of them.
pub(super) fn usage(snapshot: &dyn Snapshot, caller: &Caller, id: ResourceId) -> Result<Usage, RosterError> {
    let key = id.as_bytes().to_vec();
    let signed_in = snapshot.small(caller.tenant, SIGN_INS, &key)?;
    let holds = snapshot.small(caller.tenant, HOLDS, &key)?;
    Ok(Usage {
        signed_in: signed_in.as_deref().map(rows::decode).transpose()?,
        holds: holds.as_deref().map(rows::decode).transpose()?.unwrap_or_default(),
        facts: vec![Given::Small(SIGN_INS, key.clone(), signed_in), Given::Small(HOLDS, key, holds)],
    })
}

/// Reads the company that employs a person.
fn company(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    psa: &Map<String, Value>,
) -> Result<Option<Document>, RosterError> {
    linked(snapshot, caller, KindId::COMPANY, psa.get("company"))
}

/// Reads the resource that a link leads to.
fn linked(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    kind: KindId,
    link: Option<&Value>,
) -> Result<Option<Document>, RosterError> {
    let Some(id) = link_id(link) else { return Ok(None) };
    let Some(stored) = snapshot.get(caller.tenant, Address { kind, id })? else { return Ok(None) };
    let document = super::core(&stored)?;
    Ok(Some(document))
}

/// Reads the id that a link leads to.
fn link_id(link: Option<&Value>) -> Option<ResourceId> {
    ResourceId::parse(link?.get("value")?.as_str()?).ok()
}

/// Finds the time zone of a person: their own, else the company's, else the tenant's (P13).
pub(super) fn zone(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    document: &Document,
    psa: &Map<String, Value>,
) -> Result<Zone, RosterError> {
    if let Some(zone) = document.text("timezone").and_then(|name| Zone::parse(name).ok()) {
        return Ok(zone);
    }
    let company = company(snapshot, caller, psa)?;
    let of_company = company.as_ref().and_then(|company| Zone::parse(company.text("timeZone")?).ok());
    let of_tenant = || caller.policy.time_zone.iana_name().and_then(|name| Zone::parse(name).ok());
    Ok(of_company.or_else(of_tenant).unwrap_or(Zone::UTC))
}

/// Has the schedule hold its lock or let go of it, and writes down when it has to be looked at again (P11, R15). Whoever must not be locked
/// is not locked by it.
fn schedule(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
    psa: &Map<String, Value>,
    zone: &Zone,
    standing: &mut Standing,
    settled: &mut Settled,
) -> Result<(), RosterError> {
    let due = if psa.contains_key("schedule") {
        let planned =
            person::schedule(psa).map_err(|refusal| refusal.within(urn::USER))?.standing(zone, caller.now);
        let mut locked = planned.locked;
        if locked && !standing.locks.is_locked() {
            match guard(snapshot, caller, at.id, "locked") {
                Err(RosterError::InUse(why)) => {
                    settled.remarks.push(format!("the schedule did not lock the person: {why}"));
                    locked = false;
                }
                Err(other) => return Err(other),
                Ok(_) => {}
            }
        }
        standing.lock(Authority::Schedule, locked, caller.now, "schedule", None);
        planned.next
    } else {
        standing.locks.release(Authority::Schedule);
        None
    };
    if standing.due != due {
        for (instant, there) in [(standing.due, false), (due, true)] {
            let Some(instant) = instant else { continue };
            let value = there.then(Vec::new);
            settled.writes.push(Write::Small { space: DUE, key: due_key(instant, at.id), value });
        }
    }
    standing.due = due;
    standing.zone = due.map(|_| zone.name().to_owned());
    Ok(())
}

/// The key under which a schedule that is due at an instant is found.
pub(super) fn due_key(instant: jiff::Timestamp, id: ResourceId) -> Vec<u8> {
    // Nothing is due before 1970.
    let mut key = u64::try_from(instant.as_millisecond()).unwrap_or(0).to_be_bytes().to_vec();
    key.extend(id.as_bytes());
    key
}
