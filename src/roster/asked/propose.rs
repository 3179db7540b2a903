//! What a plugin proposes, taken as a request: granted, of the schema, naming what is there, giving nobody a privilege (X20), and not against
//! what an administrator has decided.
//!
//! Each proposal is tried by itself on a copy. One that is refused changes nothing and costs nothing but the word why.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::told;
use crate::idp::normalise;
use crate::idp::profile::STRICT;
use crate::ids::{Address, KindId};
use crate::psa::calendar::Day;
use crate::psa::money::{Amount, Currency};
use crate::psa::person::history;
use crate::psa::standing::Writer;
use crate::psa::urn;
use crate::roster::error::RosterError;
use crate::roster::hooks::{Employment, Plugin, Proposal, Rate, UserTypeChoice};
use crate::roster::{Caller, LOCAL, person, references, rights};
use crate::scim::error::quoted;
use crate::scim::path::{self, Path, Target};
use crate::scim::schema::Kind;
use crate::scim::urn as names;
use crate::scim::{Document, patch};
use crate::store::{Given, Snapshot};

/// What no plugin sets, whatever its grant: names, standing, and what gives power over others' rights.
const CLOSED: [&str; 9] =
    ["id", "externalId", "userName", "password", "active", "groups", "meta", "schemas", "members"];
/// The same of the PSA extension; and what has a proposal of its own, which goes by names.
const CLOSED_OF_PSA: [&str; 11] = [
    "overrides",
    "accountOwner",
    "lifecycle",
    "proxies",
    "kind",
    "license",
    "userTypes",
    "employments",
    "costRates",
    "billingRates",
    "schedule",
];
/// The attributes of the extension from which rights follow.
const GIVES_RIGHTS: [&str; 4] = ["kind", "userTypes", "license", "financialVisibility"];

/// A person on the way from one plugin to the next.
pub(super) struct Trial<'a> {
    pub snapshot: &'a dyn Snapshot,
    pub caller: &'a Caller,
    pub kind: &'a Kind,
    pub at: Address,
    pub is_new: bool,
    /// The PSA attributes as they were before the request.
    pub old: &'a Map<String, Value>,
    /// As the request wants them, before any plugin.
    pub said: Map<String, Value>,
    /// The rest, likewise.
    pub said_document: Document,
    pub before: Option<&'a Document>,
    /// Who wrote what, as it is noted.
    pub noted: &'a BTreeMap<String, Writer>,
    pub owner: Writer,
    /// As the plugins so far want them.
    pub psa: Map<String, Value>,
    /// The same of the rest; `None` while nobody has set anything of it.
    pub document: Option<Document>,
    /// Which attribute a plugin changed, by full name, and which.
    pub changed: BTreeMap<String, String>,
    /// Which single value was set by which plugin.
    pub set: BTreeMap<String, String>,
    pub given: Vec<Given>,
}

/// What a proposal came to: whether it changed anything, or why not.
pub(super) type Tried = Result<Result<bool, String>, RosterError>;

/// Why a proposal changes nothing.
enum Why {
    /// It says what is there.
    Same,
    Refused(String),
    Broke(RosterError),
}

impl From<RosterError> for Why {
    fn from(error: RosterError) -> Self {
        match error {
            RosterError::Refused(refusal) => Self::Refused(refusal.detail),
            RosterError::InUse(why) | RosterError::Closed(why) | RosterError::Unfit(why) => {
                Self::Refused(why)
            }
            other => Self::Broke(other),
        }
    }
}

impl From<crate::scim::Refusal> for Why {
    fn from(refusal: crate::scim::Refusal) -> Self {
        Self::Refused(refusal.detail)
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, Why> {
    Err(Why::Refused(why.into()))
}

impl Trial<'_> {
    fn document(&self) -> &Document {
        self.document.as_ref().unwrap_or(&self.said_document)
    }

    /// Tries a proposal.
    pub(super) fn apply(&mut self, plugin: &dyn Plugin, proposal: &Proposal) -> Tried {
        let tried = match told::target(proposal) {
            Some(target) => self.of_psa(plugin, proposal, target),
            None => self.attribute(plugin, proposal),
        };
        match tried {
            Ok(()) => Ok(Ok(true)),
            Err(Why::Same) => Ok(Ok(false)),
            Err(Why::Refused(why)) => Ok(Err(why)),
            Err(Why::Broke(error)) => Err(error),
        }
    }

    fn of_psa(&mut self, plugin: &dyn Plugin, proposal: &Proposal, target: &'static str) -> Result<(), Why> {
        if !plugin.grant().takes(Some(urn::USER), target) {
            return refused(format!("{target} is not among what it may write"));
        }
        let full = format!("{}:{target}", urn::USER);
        let mut psa = self.psa.clone();
        self.carry_out(proposal, &mut psa)?;
        if psa == self.psa {
            return Err(Why::Same);
        }
        self.refuse_decided(
            plugin,
            &full,
            self.old.contains_key(target),
            self.said.get(target) != self.old.get(target),
        )?;
        self.refuse_set_by_another(plugin, single(proposal))?;
        let mut given = Vec::new();
        person::bring_into_order(self.snapshot, self.caller, self.at, &mut psa, self.old, &mut given)?;
        if psa == self.psa {
            return Err(Why::Same);
        }
        if GIVES_RIGHTS.contains(&target) {
            self.refuse_privilege(&psa)?;
        }
        self.given.extend(given);
        self.psa = psa;
        self.changed.insert(full, plugin.name().to_owned());
        if let Some(single) = single(proposal) {
            self.set.insert(single.to_owned(), plugin.name().to_owned());
        }
        Ok(())
    }

    /// Refuses what an administrator has decided otherwise, until they clear it.
    fn refuse_decided(
        &self,
        plugin: &dyn Plugin,
        full: &str,
        was_there: bool,
        said_now: bool,
    ) -> Result<(), Why> {
        if plugin.grant().overwrite_manual {
            return Ok(());
        }
        let decided = if self.caller.connection == LOCAL && said_now {
            true
        } else {
            match self.noted.get(full) {
                Some(writer) => *writer == Writer::Admin,
                None => self.owner == Writer::Admin && was_there,
            }
        };
        if decided { refused("an administrator has decided it") } else { Ok(()) }
    }

    fn refuse_set_by_another(&self, plugin: &dyn Plugin, single: Option<&str>) -> Result<(), Why> {
        let Some(other) = single.and_then(|single| self.set.get(single)) else { return Ok(()) };
        if other == plugin.name() || plugin.grant().overrides.contains(other) {
            return Ok(());
        }
        refused(format!("the plugin {other} has set it, whom this one does not override"))
    }

    /// Refuses power over others' rights, and to take it from the last who has it.
    fn refuse_privilege(&self, psa: &Map<String, Value>) -> Result<(), Why> {
        let administers = |psa| rights::administers(self.snapshot, self.caller, self.at, psa);
        match (administers(&self.psa)?, administers(psa)?) {
            (false, true) => {
                refused("it gives power over others' rights, which an administrator gives (X20)")
            }
            (true, false) if !self.is_new => {
                person::guard(self.snapshot, self.caller, self.at.id, "demoted")?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn carry_out(&mut self, proposal: &Proposal, psa: &mut Map<String, Value>) -> Result<(), Why> {
        match proposal {
            Proposal::SetKind(word) => set_kind(psa, word),
            Proposal::SetLicense(name) => {
                let at = self.named(KindId::LICENSE_POOL, "LicensePool", name)?;
                if rights::is_privileged_pool(self.snapshot, self.caller, at.id)? {
                    return refused("its licence class gives power over others' rights (X20)");
                }
                psa.insert("license".to_owned(), json!({ "value": at.id.to_string() }));
                Ok(())
            }
            Proposal::ReleaseLicense => {
                psa.shift_remove("license");
                Ok(())
            }
            Proposal::SetFinancialVisibility(word) => {
                let known = ["full", "hoursOnly"].into_iter().find(|known| known.eq_ignore_ascii_case(word));
                let Some(known) = known else {
                    return refused(format!("expected full or hoursOnly, found {}", quoted(word)));
                };
                psa.insert("financialVisibility".to_owned(), known.into());
                Ok(())
            }
            Proposal::AddUserType(choice) => self.add_user_type(psa, choice),
            Proposal::RemoveUserType(choice) => self.remove_user_type(psa, choice),
            Proposal::AddEmployment(entry) => self.add_employment(psa, entry),
            Proposal::AddCostRate(rate) => add_rate(psa, "costRates", rate),
            Proposal::AddBillingRate(rate) => add_rate(psa, "billingRates", rate),
            Proposal::SetActivateOn(day) => schedule(psa, "activateOn", Some(day)),
            Proposal::ClearActivateOn => schedule(psa, "activateOn", None),
            Proposal::SetDeactivateOn(day) => schedule(psa, "deactivateOn", Some(day)),
            Proposal::ClearDeactivateOn => schedule(psa, "deactivateOn", None),
            // These are carried out by `attribute`.
            Proposal::SetAttribute { .. } | Proposal::ClearAttribute(_) => Ok(()),
        }
    }

    fn named(&mut self, kind: KindId, what: &str, name: &str) -> Result<Address, Why> {
        let found = rights::named(self.snapshot, self.caller.tenant, kind, name)?;
        let Some(at) = found else { return refused(format!("no {what} is called {}", quoted(name))) };
        self.given.push(Given::Exists(at));
        Ok(at)
    }

    /// Finds a user type that plugins may give and take.
    fn open_type(&mut self, choice: &UserTypeChoice) -> Result<(Value, Option<Value>), Why> {
        let at = self.named(KindId::USER_TYPE, "UserType", &choice.user_type)?;
        let held = rights::read_type(self.snapshot, self.caller.tenant, at.id)?;
        if held.is_some_and(|held| self.caller.policy.is_privileged_type(&held)) {
            return refused(
                "it gives power over others' rights, which an administrator gives and takes (X20)",
            );
        }
        let place = match &choice.cost_center {
            Some(name) => Some(self.named(KindId::COST_CENTER, "CostCenter", name)?.id.to_string().into()),
            None => None,
        };
        Ok((at.id.to_string().into(), place))
    }

    fn add_user_type(&mut self, psa: &mut Map<String, Value>, choice: &UserTypeChoice) -> Result<(), Why> {
        let (id, place) = self.open_type(choice)?;
        let mut types = list(psa, "userTypes");
        let position = types.iter().position(|one| is_choice(one, &id, place.as_ref()));
        if choice.primary {
            for one in types.iter_mut().filter_map(Value::as_object_mut) {
                one.shift_remove("primary");
            }
        }
        match position.and_then(|position| types.get_mut(position)) {
            Some(Value::Object(one)) if choice.primary => {
                one.insert("primary".to_owned(), true.into());
            }
            Some(_) => {}
            None => {
                let mut one = Map::new();
                one.insert("value".to_owned(), id);
                if choice.primary {
                    one.insert("primary".to_owned(), true.into());
                }
                one.extend(place.map(|place| ("costCenter".to_owned(), place)));
                types.push(Value::Object(one));
            }
        }
        set(psa, "userTypes", types);
        Ok(())
    }

    fn remove_user_type(&mut self, psa: &mut Map<String, Value>, choice: &UserTypeChoice) -> Result<(), Why> {
        let (id, place) = self.open_type(choice)?;
        let mut types = list(psa, "userTypes");
        types.retain(|one| !is_choice(one, &id, place.as_ref()));
        if !types.iter().any(|one| one.get("primary") == Some(&Value::Bool(true)))
            && let Some(Value::Object(first)) = types.first_mut()
        {
            first.insert("primary".to_owned(), true.into());
        }
        set(psa, "userTypes", types);
        Ok(())
    }

    fn add_employment(&mut self, psa: &mut Map<String, Value>, entry: &Employment) -> Result<(), Why> {
        let start = day(&entry.start_date)?;
        let mut parts = Map::new();
        if let Some(name) = &entry.template {
            let at = self.named(KindId::EMPLOYMENT_TEMPLATE, "EmploymentTemplate", name)?;
            parts.insert("template".to_owned(), at.id.to_string().into());
        }
        if let Some(text) = &entry.overtime_balance_start_date {
            parts.insert("overtimeBalanceStartDate".to_owned(), day(text)?.to_string().into());
        }
        if let Some(disabled) = entry.hour_balance_disabled {
            parts.insert("hourBalanceDisabled".to_owned(), disabled.into());
        }
        let known = history(psa.get("employments"));
        let holds = known.at(start);
        // What an entry does not say, it does not change.
        if holds.is_some_and(|held| parts.iter().all(|(name, value)| held.get(name) == Some(value))) {
            return Err(Why::Same);
        }
        enter(psa, "employments", start, parts);
        Ok(())
    }

    /// Sets or clears an attribute by its path, as a PATCH of the strict profile would.
    fn attribute(&mut self, plugin: &dyn Plugin, proposal: &Proposal) -> Result<(), Why> {
        let (text, value) = match proposal {
            Proposal::SetAttribute { path, value } => (path, Some(value)),
            Proposal::ClearAttribute(path) => (path, None),
            _ => return Err(Why::Same),
        };
        let whole = self.caller.sight.whole_kind(self.kind);
        let Target::Known(Path::Attribute { attr, .. }) = path::parse(text, whole)? else {
            return refused(format!("expected the path of an attribute, found {}", quoted(text)));
        };
        let (id, name) = (attr.extension.as_deref(), attr.name.as_str());
        let of_psa = id.is_some_and(|id| names::same(id, urn::USER));
        if !plugin.grant().takes(id, name) {
            return refused(format!("{attr} is not among what it may write"));
        }
        if (id.is_none() && CLOSED.contains(&name)) || (of_psa && CLOSED_OF_PSA.contains(&name)) {
            return refused(format!("{attr} cannot be set so, by whichever plugin"));
        }
        if id.is_some_and(|id| names::same(id, names::PSA)) {
            return refused("the flat extension is what the identity provider said");
        }
        if let Some(id) = id.filter(|_| !of_psa && id.is_some_and(|id| self.kind.extension(id).is_none())) {
            return refused(format!("the connection does not see the schema {id}"));
        }
        let mut before = self.document().clone();
        before.extensions.retain(|(id, _)| !names::same(id, urn::USER));
        for (name, value) in &self.psa {
            before.set(Some(urn::USER), name, Some(value.clone()));
        }
        if value.is_none() && before.attribute(id, name).is_none() {
            return Err(Why::Same);
        }
        let operation = match value {
            Some(value) => json!({ "op": "replace", "path": text, "value": value }),
            None => json!({ "op": "remove", "path": text }),
        };
        let body = json!({ "schemas": [names::PATCH_OP], "Operations": [operation] });
        let incoming = normalise::patch(body, whole, &STRICT)?;
        let mut after = patch::apply(&before, &incoming.operations, whole, &STRICT.policy)?.document;
        if after == before {
            return Err(Why::Same);
        }
        let full = id.map_or_else(|| name.to_owned(), |id| format!("{id}:{name}"));
        let was = if of_psa {
            self.old.get(name)
        } else {
            self.before.and_then(|before| before.attribute(id, name))
        };
        let says = if of_psa { self.said.get(name) } else { self.said_document.attribute(id, name) };
        self.refuse_decided(plugin, &full, was.is_some(), says != was)?;
        self.refuse_set_by_another(plugin, Some(&full))?;
        let mut given = references::check(self.snapshot, self.caller, whole, Some(&before), &after)?;
        let mut psa = after.extension(urn::USER).cloned().unwrap_or_default();
        person::bring_into_order(self.snapshot, self.caller, self.at, &mut psa, self.old, &mut given)?;
        after.extensions.retain(|(id, _)| !names::same(id, urn::USER));
        for (name, value) in self.document().extension(urn::USER).into_iter().flatten() {
            after.set(Some(urn::USER), name, Some(value.clone()));
        }
        self.given.extend(given);
        self.psa = psa;
        self.document = Some(after);
        self.set.insert(full.clone(), plugin.name().to_owned());
        self.changed.insert(full, plugin.name().to_owned());
        Ok(())
    }

    /// Tells whether a proposal is about money.
    pub(super) fn is_of_money(&self, proposal: &Proposal) -> bool {
        let (Proposal::SetAttribute { path: text, .. } | Proposal::ClearAttribute(text)) = proposal else {
            return told::is_of_rates(proposal);
        };
        let whole = self.caller.sight.whole_kind(self.kind);
        match path::parse(text, whole) {
            Ok(Target::Known(Path::Attribute { attr, .. })) => whole
                .attribute_of(attr.extension.as_deref(), &attr.name)
                .is_some_and(|attribute| attribute.financial),
            // Whatever it is, it is nobody's business.
            _ => true,
        }
    }
}

/// Names the single value that a proposal sets.
const fn single(proposal: &Proposal) -> Option<&'static str> {
    Some(match proposal {
        Proposal::SetKind(_) => "kind",
        Proposal::SetLicense(_) | Proposal::ReleaseLicense => "license",
        Proposal::SetFinancialVisibility(_) => "financialVisibility",
        Proposal::SetActivateOn(_) | Proposal::ClearActivateOn => "activateOn",
        Proposal::SetDeactivateOn(_) | Proposal::ClearDeactivateOn => "deactivateOn",
        _ => return None,
    })
}

fn set_kind(psa: &mut Map<String, Value>, word: &str) -> Result<(), Why> {
    let word = word.to_ascii_lowercase();
    match (psa.get("kind").and_then(Value::as_str), word.as_str()) {
        (Some(given), word) if given == word => Err(Why::Same),
        (Some(given), _) => refused(format!("the person is of the kind {given}, which cannot be changed")),
        (None, "employee" | "freelancer") => {
            psa.insert("kind".to_owned(), word.into());
            Ok(())
        }
        (None, "client") => {
            refused("people of the kind client belong to a client, which an administrator gives them")
        }
        (None, _) => refused("expected employee or freelancer"),
    }
}

fn add_rate(psa: &mut Map<String, Value>, name: &str, rate: &Rate) -> Result<(), Why> {
    let start = day(&rate.start_date)?;
    let amount = Amount::parse(&rate.amount).map_err(|error| Why::Refused(format!("amount: {error}")))?;
    let currency =
        Currency::parse(&rate.currency).map_err(|error| Why::Refused(format!("currency: {error}")))?;
    let mut parts = Map::new();
    parts.insert("amount".to_owned(), amount.to_string().into());
    parts.insert("currency".to_owned(), currency.code().into());
    let known = history(psa.get(name));
    // A history grows by what differs, and not with every sync.
    if known.at(start).is_some_and(|held| parts.iter().all(|(name, value)| held.get(name) == Some(value))) {
        return Err(Why::Same);
    }
    enter(psa, name, start, parts);
    Ok(())
}

/// Adds an entry to a history, in place of the one of its day.
fn enter(psa: &mut Map<String, Value>, name: &str, start: Day, parts: Map<String, Value>) {
    let text = Value::from(start.to_string());
    let mut entries = list(psa, name);
    entries.retain(|entry| entry.get("startDate") != Some(&text));
    let mut entry = Map::new();
    entry.insert("startDate".to_owned(), text);
    entry.extend(parts);
    entries.push(Value::Object(entry));
    set(psa, name, entries);
}

fn schedule(psa: &mut Map<String, Value>, name: &str, value: Option<&str>) -> Result<(), Why> {
    let mut parts = psa.get("schedule").and_then(Value::as_object).cloned().unwrap_or_default();
    match value {
        None => drop(parts.shift_remove(name)),
        Some(text) => drop(parts.insert(name.to_owned(), day(text)?.to_string().into())),
    }
    if parts.is_empty() {
        psa.shift_remove("schedule");
    } else {
        psa.insert("schedule".to_owned(), Value::Object(parts));
    }
    Ok(())
}

fn day(text: &str) -> Result<Day, Why> {
    Day::parse(text).map_err(|error| Why::Refused(error.to_string()))
}

fn is_choice(one: &Value, id: &Value, place: Option<&Value>) -> bool {
    one.get("value") == Some(id) && one.get("costCenter") == place
}

fn list(psa: &Map<String, Value>, name: &str) -> Vec<Value> {
    psa.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn set(psa: &mut Map<String, Value>, name: &str, elements: Vec<Value>) {
    if elements.is_empty() {
        psa.shift_remove(name);
    } else {
        psa.insert(name.to_owned(), Value::Array(elements));
    }
}
