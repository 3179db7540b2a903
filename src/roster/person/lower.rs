//! The flat extension lowered into the PSA extension: what an identity provider can say of a person's place in the firm, by name
//! (section 1 of the domain, "What an `IdP` can reach").
//!
//! A sync never fails for it. What names nothing that is there, or what an administrator has decided otherwise, stays as it was sent, changes
//! nothing, and the history says so.

use serde_json::{Map, Value, json};

use super::super::error::RosterError;
use super::super::rules::{Draft, Settled};
use super::super::{Caller, LOCAL, rights};
use super::zone;
use crate::ids::{Address, KindId};
use crate::psa::calendar::{Day, today};
use crate::psa::person::history;
use crate::psa::standing::{Standing, Writer};
use crate::psa::urn;
use crate::scim::error::quoted;
use crate::scim::urn::PSA;
use crate::store::{Given, Snapshot};

/// The flat attributes in the order in which they are lowered, each with the attribute that it reaches.
const FLAT: [(&str, &str); 7] = [
    ("kind", "kind"),
    ("primaryUserType", "userTypes"),
    ("costCenter", "userTypes"),
    ("license", "license"),
    ("employmentTemplate", "employments"),
    ("activateOn", "schedule"),
    ("deactivateOn", "schedule"),
];

/// What an attribute came to: nothing to report, or why nothing followed from it.
type Lowered = Result<Option<String>, RosterError>;

/// Lowers what the flat extension says newly, or what has not had its effect yet.
pub(super) fn lower(
    snapshot: &dyn Snapshot,
    caller: &Caller,
    draft: &Draft<'_>,
    old: &Map<String, Value>,
    was: &Standing,
    psa: &mut Map<String, Value>,
    settled: &mut Settled,
) -> Result<(), RosterError> {
    let before = draft.before.and_then(|before| before.kept.extension(PSA));
    let wanted = draft.wanted.extension(PSA);
    if before.is_none() && wanted.is_none() {
        return Ok(());
    }
    let owner_is_admin = draft.before.is_some_and(|before| before.stored.connection() == Some(LOCAL));
    // What the same request says of the extension itself counts.
    let said: Vec<bool> = FLAT.iter().map(|(_, target)| psa.get(*target) != old.get(*target)).collect();
    for ((name, target), said) in FLAT.into_iter().zip(said) {
        let value = wanted.and_then(|flat| flat.get(name)).and_then(Value::as_str);
        let stood = before.and_then(|flat| flat.get(name)).and_then(Value::as_str);
        let waits = value.is_some() && !psa.contains_key(target);
        if said || (value == stood && !waits) {
            continue;
        }
        let of_admin = match was.writers.get(&format!("{}:{target}", urn::USER)) {
            Some(writer) => *writer == Writer::Admin,
            None => owner_is_admin && old.contains_key(target),
        };
        // What waits is the provider's word, whoever writes of the person meanwhile (X20).
        let by_admin = caller.connection == LOCAL && value != stood;
        let why = if of_admin && !by_admin {
            Some("an administrator has decided it".to_owned())
        } else {
            let mut lowering = Lowering { snapshot, caller, draft, by_admin, psa, settled };
            lowering.one(name, value)?
        };
        if let Some(why) = why {
            let what = match value {
                Some(value) => format!("{name} {} was kept as it was sent", quoted(value)),
                None => format!("{name} was cleared"),
            };
            settled.remarks.push(format!("{what}, and nothing follows from it: {why}"));
        }
    }
    Ok(())
}

struct Lowering<'a, 'd> {
    snapshot: &'a dyn Snapshot,
    caller: &'a Caller,
    draft: &'a Draft<'d>,
    by_admin: bool,
    psa: &'a mut Map<String, Value>,
    settled: &'a mut Settled,
}

impl Lowering<'_, '_> {
    fn one(&mut self, name: &str, value: Option<&str>) -> Lowered {
        match name {
            "kind" => Ok(self.kind(value)),
            "primaryUserType" => self.primary_user_type(value),
            "costCenter" => self.cost_center(value),
            "license" => self.license(value),
            "employmentTemplate" => self.employment(value),
            _ => Ok(self.day(name, value)),
        }
    }

    fn kind(&mut self, value: Option<&str>) -> Option<String> {
        let word = value?.to_ascii_lowercase();
        match (self.psa.get("kind").and_then(Value::as_str), word.as_str()) {
            (Some(given), word) if given == word => None,
            (Some(given), _) => Some(format!("the person is of the kind {given}, which cannot be changed")),
            (None, "employee" | "freelancer") => {
                self.psa.insert("kind".to_owned(), word.into());
                None
            }
            (None, "client") => Some(
                "people of the kind client belong to a client, which an administrator gives them".to_owned(),
            ),
            (None, _) => Some("expected employee, freelancer or client".to_owned()),
        }
    }

    fn primary_user_type(&mut self, value: Option<&str>) -> Lowered {
        let mut types = self.user_types();
        let place = types.iter().position(|one| one.get("primary") == Some(&Value::Bool(true)));
        let Some(value) = value else {
            if let Some(place) = place {
                types.remove(place);
            }
            if let Some(Value::Object(first)) = types.first_mut() {
                first.insert("primary".to_owned(), true.into());
            }
            self.set("userTypes", types);
            return Ok(None);
        };
        let Some(at) = self.named(KindId::USER_TYPE, value)? else {
            return Ok(Some("no UserType is called that".to_owned()));
        };
        let held = rights::read_type(self.snapshot, self.caller.tenant, at.id)?;
        if !self.by_admin && held.is_some_and(|held| self.caller.policy.is_privileged_type(&held)) {
            return Ok(Some(
                "it gives power over others' rights, which an administrator gives (X20)".to_owned(),
            ));
        }
        let id = Value::from(at.id.to_string());
        // It may be there already, as another than the primary one.
        types.retain(|one| one.get("primary") == Some(&Value::Bool(true)) || one.get("value") != Some(&id));
        let place = types.iter().position(|one| one.get("primary") == Some(&Value::Bool(true)));
        match place.and_then(|place| types.get_mut(place)) {
            Some(Value::Object(primary)) => {
                primary.insert("value".to_owned(), id);
            }
            _ => types.push(json!({ "value": id, "primary": true })),
        }
        self.set("userTypes", types);
        Ok(None)
    }

    fn cost_center(&mut self, value: Option<&str>) -> Lowered {
        let mut types = self.user_types();
        let primary = types.iter_mut().find(|one| one.get("primary") == Some(&Value::Bool(true)));
        let Some(Value::Object(primary)) = primary else {
            return Ok(value.map(|_| "the person has no primary user type that it could limit".to_owned()));
        };
        match value {
            None => {
                primary.shift_remove("costCenter");
            }
            Some(value) => {
                let Some(at) = self.named(KindId::COST_CENTER, value)? else {
                    return Ok(Some("no CostCenter is called that".to_owned()));
                };
                let primary = types.iter_mut().find(|one| one.get("primary") == Some(&Value::Bool(true)));
                if let Some(Value::Object(primary)) = primary {
                    primary.insert("costCenter".to_owned(), at.id.to_string().into());
                }
            }
        }
        self.set("userTypes", types);
        Ok(None)
    }

    fn license(&mut self, value: Option<&str>) -> Lowered {
        let Some(value) = value else {
            self.psa.shift_remove("license");
            return Ok(None);
        };
        let Some(at) = self.named(KindId::LICENSE_POOL, value)? else {
            return Ok(Some("no LicensePool is called that".to_owned()));
        };
        self.psa.insert("license".to_owned(), json!({ "value": at.id.to_string() }));
        Ok(None)
    }

    fn employment(&mut self, value: Option<&str>) -> Lowered {
        let Some(value) = value else { return Ok(None) };
        let Some(at) = self.named(KindId::EMPLOYMENT_TEMPLATE, value)? else {
            return Ok(Some("no EmploymentTemplate is called that".to_owned()));
        };
        let id = Value::from(at.id.to_string());
        let today = today(self.caller.now, &zone(self.snapshot, self.caller, &self.draft.wanted, self.psa)?);
        let known = history(self.psa.get("employments"));
        if known.at(today).is_some_and(|entry| entry.get("template") == Some(&id)) {
            return Ok(None);
        }
        let mut entries = self.psa.get("employments").and_then(Value::as_array).cloned().unwrap_or_default();
        entries.push(json!({ "startDate": today.to_string(), "template": id }));
        self.set("employments", entries);
        Ok(None)
    }

    fn day(&mut self, name: &str, value: Option<&str>) -> Option<String> {
        let mut parts = self.psa.get("schedule").and_then(Value::as_object).cloned().unwrap_or_default();
        match value.map(Day::parse) {
            None => {
                parts.shift_remove(name);
            }
            Some(Ok(day)) => {
                let other = if name == "activateOn" { "deactivateOn" } else { "activateOn" };
                if parts.get(other).and_then(Value::as_str) == Some(day.to_string().as_str()) {
                    return Some(format!("{other} is the same day"));
                }
                parts.insert(name.to_owned(), day.to_string().into());
            }
            Some(Err(error)) => return Some(error.to_string()),
        }
        if parts.is_empty() {
            self.psa.shift_remove("schedule");
        } else {
            self.psa.insert("schedule".to_owned(), Value::Object(parts));
        }
        None
    }

    fn user_types(&self) -> Vec<Value> {
        self.psa.get("userTypes").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    fn set(&mut self, name: &str, elements: Vec<Value>) {
        if elements.is_empty() {
            self.psa.shift_remove(name);
        } else {
            self.psa.insert(name.to_owned(), Value::Array(elements));
        }
    }

    /// Finds a resource by its display name, or by the externalId that an administrator gave it.
    fn named(&mut self, kind: KindId, name: &str) -> Result<Option<Address>, RosterError> {
        let found = rights::named(self.snapshot, self.caller.tenant, kind, name)?;
        self.settled.given.extend(found.map(Given::Exists));
        Ok(found)
    }
}
