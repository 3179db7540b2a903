//! What plugins are shown of a person: everything that there is, of which whoever runs them shows what is granted.
//!
//! Never shown, whatever is granted: what is never returned, the person's standing, other people. Money in schemas of the operator's own is
//! left out here already where a grant does not name it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Errand;
use crate::ids::{Address, KindId, ResourceId};
use crate::psa::standing::Writer;
use crate::psa::urn;
use crate::roster::edges::groups_with;
use crate::roster::error::RosterError;
use crate::roster::hooks::{Employment, Grant, Held, Rate, Subject, UserTypeChoice};
use crate::roster::rows::{self, SHADOWS};
use crate::roster::rules::Draft;
use crate::roster::shadow::{Said, key as shadow_key};
use crate::roster::{Caller, LOCAL};
use crate::scim::Document;
use crate::scim::schema::{Kind, MONEY, Returned};
use crate::store::{Snapshot, Stored};

/// What a plugin that is asked wants to see beside the document.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wants {
    pub groups: bool,
    pub shadow: bool,
}

impl Wants {
    /// What any of these grants is shown.
    pub(super) fn of<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> Self {
        grants.into_iter().fold(Self::default(), |wants, grant| Self {
            groups: wants.groups || grant.shows_groups(),
            shadow: wants.shadow || grant.shows_shadow(),
        })
    }
}

/// Shows a person as they would be.
pub(super) fn of_draft(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    draft: &Draft<'_>,
    active: bool,
    wants: Wants,
) -> Result<Subject, RosterError> {
    let mut document = draft.wanted.clone();
    if let Some(before) = draft.before {
        unseen(draft.kind, before.stored, &mut document)?;
    }
    document.set(None, "active", Some(active.into()));
    let shadow = if wants.shadow {
        shadow(snapshot, caller, draft.at, draft.before.map(|before| before.stored), draft.errand)?
    } else {
        Map::new()
    };
    let groups =
        if wants.groups && draft.before.is_some() { groups(snapshot, caller, draft.at)? } else { vec![] };
    let mut subject = Subject { id: draft.at.id, document, groups, shadow };
    clean(caller, draft.kind, &mut subject.document);
    Ok(subject)
}

/// Shows a person as they are stored.
pub(in crate::roster) fn of_stored(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    kind: &Kind,
    stored: &Stored,
    grant: &Grant,
) -> Result<Subject, RosterError> {
    let mut document = Document::from_segments(stored.segments().take(1))
        .map_err(|error| RosterError::Broken(format!("{}: {error}", stored.at().id)))?;
    let nothing = Kind { extensions: Vec::new(), ..kind.clone() };
    unseen(&nothing, stored, &mut document)?;
    let at = stored.at();
    let shadow = if grant.shows_shadow() {
        shadow(snapshot, caller, at, Some(stored), Errand::of(crate::roster::hooks::Operation::Remap))?
    } else {
        Map::new()
    };
    let groups = if grant.shows_groups() { groups(snapshot, caller, at)? } else { vec![] };
    clean(caller, kind, &mut document);
    Ok(Subject { id: at.id, document, groups, shadow })
}

/// Leaves out money that a grant does not name.
pub(in crate::roster) fn without_money<'a>(
    caller: &Caller,
    kind: &Kind,
    grant: &Grant,
    mut subject: Cow<'a, Subject>,
) -> Cow<'a, Subject> {
    for schema in &caller.sight.whole_kind(kind).extensions {
        for attribute in schema.attributes.iter().filter(|attribute| attribute.financial) {
            let (id, name) = (Some(schema.id.as_str()), attribute.name.as_str());
            if !grant.shows(id, name) && subject.document.attribute(id, name).is_some() {
                subject.to_mut().document.set(id, name, None);
            }
        }
    }
    subject
}

/// Adds the segments that the caller does not see, but for those that are no schema's and the PSA extension.
fn unseen(kind: &Kind, stored: &Stored, document: &mut Document) -> Result<(), RosterError> {
    for (id, json) in stored.segments().skip(1).filter(|(id, _)| !kind.sees(id)) {
        let schema = id.strip_suffix(MONEY).unwrap_or(id);
        if schema == urn::USER || schema == urn::STANDING {
            continue;
        }
        let attributes: Map<String, Value> = serde_json::from_str(json)
            .map_err(|error| RosterError::Broken(format!("the segment {id}: {error}")))?;
        for (name, value) in attributes {
            document.set(Some(schema), &name, Some(value));
        }
    }
    Ok(())
}

/// Takes out what nobody is shown, and what is shown by names ([`Held`]).
fn clean(caller: &Caller, kind: &Kind, document: &mut Document) {
    document.extensions.retain(|(id, _)| !crate::scim::urn::same(id, urn::USER));
    let whole = caller.sight.whole_kind(kind);
    let schemas = std::iter::once((None, &whole.core))
        .chain(whole.extensions.iter().map(|schema| (Some(schema.id.as_str()), schema)));
    for (id, schema) in schemas {
        for attribute in schema.attributes.iter().filter(|attribute| attribute.returned == Returned::Never) {
            document.set(id, &attribute.name, None);
        }
    }
}

fn groups(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
) -> Result<Vec<(ResourceId, String)>, RosterError> {
    let mut found = Vec::new();
    for id in groups_with(snapshot, caller, at)? {
        let Some(group) = snapshot.get(caller.tenant, Address::group(id))? else { continue };
        found.push((id, group.display().to_owned()));
    }
    Ok(found)
}

/// What the connection said that no schema knows, as it would be after the write.
fn shadow(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    at: Address,
    before: Option<&Stored>,
    errand: Errand<'_>,
) -> Result<Map<String, Value>, RosterError> {
    let connection = if errand.shadow.is_some() {
        caller.connection
    } else {
        before.and_then(Stored::connection).unwrap_or(caller.connection)
    };
    let kept = || -> Result<Map<String, Value>, RosterError> {
        let row = snapshot.small(caller.tenant, SHADOWS, &shadow_key(at, connection))?;
        row.map_or_else(|| Ok(Map::new()), |row| rows::decode(&row))
    };
    Ok(match errand.shadow {
        None => kept()?,
        Some((sent, said)) => {
            let mut all = if said == Said::Everything { Map::new() } else { kept()? };
            crate::roster::shadow::lay_over(sent, &mut all);
            all
        }
    })
}

/// Shows the firm's own side by names.
pub(super) fn held(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    psa: &Map<String, Value>,
    writers: BTreeMap<String, Writer>,
) -> Result<Held, RosterError> {
    let mut names = Names { snapshot, caller, known: BTreeMap::new() };
    let text = |name: &str| psa.get(name).and_then(Value::as_str).map(str::to_owned);
    let day = |name: &str| Some(psa.get("schedule")?.get(name)?.as_str()?.to_owned());
    let mut held = Held {
        kind: text("kind"),
        financial_visibility: text("financialVisibility"),
        cost_rates: rates(psa.get("costRates")),
        billing_rates: rates(psa.get("billingRates")),
        activate_on: day("activateOn"),
        deactivate_on: day("deactivateOn"),
        writers,
        ..Held::default()
    };
    held.license = match psa.get("license").and_then(|link| link.get("value")) {
        Some(id) => names.of(KindId::LICENSE_POOL, id)?,
        None => None,
    };
    for one in elements(psa.get("userTypes")) {
        let Some(user_type) = one.get("value").map_or(Ok(None), |id| names.of(KindId::USER_TYPE, id))? else {
            continue;
        };
        let cost_center = match one.get("costCenter") {
            Some(id) => names.of(KindId::COST_CENTER, id)?,
            None => None,
        };
        let primary = one.get("primary") == Some(&Value::Bool(true));
        held.user_types.push(UserTypeChoice { user_type, primary, cost_center });
    }
    for one in elements(psa.get("employments")) {
        let part = |name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
        held.employments.push(Employment {
            start_date: part("startDate").unwrap_or_default(),
            template: match one.get("template") {
                Some(id) => names.of(KindId::EMPLOYMENT_TEMPLATE, id)?,
                None => None,
            },
            overtime_balance_start_date: part("overtimeBalanceStartDate"),
            hour_balance_disabled: one.get("hourBalanceDisabled").and_then(Value::as_bool),
        });
    }
    Ok(held)
}

/// Who wrote each attribute of the PSA extension last, of those that are there.
pub(super) fn writers(
    psa: &Map<String, Value>,
    noted: &BTreeMap<String, Writer>,
    owner: &Writer,
) -> BTreeMap<String, Writer> {
    let writer = |name: &String| noted.get(&format!("{}:{name}", urn::USER)).unwrap_or(owner).clone();
    psa.keys().map(|name| (name.clone(), writer(name))).collect()
}

/// Whose a record is, as a writer.
pub(super) fn owner(draft: &Draft<'_>, caller: &Caller) -> Writer {
    let connection = draft.before.map_or(Some(caller.connection), |before| before.stored.connection());
    if connection == Some(LOCAL) { Writer::Admin } else { Writer::Idp }
}

fn rates(value: Option<&Value>) -> Vec<Rate> {
    let part = |one: &Map<String, Value>, name: &str| {
        one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    elements(value)
        .map(|one| Rate {
            start_date: part(one, "startDate"),
            amount: part(one, "amount"),
            currency: part(one, "currency"),
        })
        .collect()
}

fn elements(value: Option<&Value>) -> impl Iterator<Item = &Map<String, Value>> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// Names of the firm's own resources, each read once.
struct Names<'a> {
    snapshot: &'a dyn Snapshot,
    caller: &'a Caller,
    known: BTreeMap<String, Option<String>>,
}

impl Names<'_> {
    fn of(&mut self, kind: KindId, id: &Value) -> Result<Option<String>, RosterError> {
        let Some(text) = id.as_str() else { return Ok(None) };
        if let Some(known) = self.known.get(text) {
            return Ok(known.clone());
        }
        let stored = match ResourceId::parse(text) {
            Ok(id) => self.snapshot.get(self.caller.tenant, Address { kind, id })?,
            Err(_) => None,
        };
        let name = stored.map(|stored| stored.display().to_owned());
        self.known.insert(text.to_owned(), name.clone());
        Ok(name)
    }
}
