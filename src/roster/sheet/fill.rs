//! From the cells of a row to a person: what stands there, with what the row says in it.

use serde_json::{Map, Value, json};

use super::columns::Target;
use super::{Flaw, Row, cells};
use crate::ids::{KindId, TenantId};
use crate::psa::urn;
use crate::roster::error::RosterError;
use crate::roster::rights;
use crate::scim::error::quoted;
use crate::scim::schema::{Kind, Type};
use crate::scim::{Document, fold};
use crate::store::Snapshot;

/// The attributes that a row sets.
type Touched = Vec<(Option<String>, String)>;
/// The entry of a history of which a row says the parts, by the history's name.
type Entries = Vec<(&'static str, Map<String, Value>)>;

/// What a row makes of a person.
pub struct Filled {
    /// The whole, in what the row does not name as it was.
    pub document: Document,
    /// The attributes that the row sets and that differ.
    pub touched: Touched,
    /// Parts of attributes that the row takes away, by their paths.
    pub parted: Vec<String>,
    /// What is wrong.
    pub flaws: Vec<Flaw>,
}

/// Fills a person in from cells.
pub fn fill(
    snapshot: &dyn Snapshot,
    tenant: TenantId,
    kind: &Kind,
    before: Option<&Document>,
    Row { cells: row, clears, .. }: &Row,
) -> Result<Filled, RosterError> {
    let mut filling = Filling {
        snapshot,
        tenant,
        document: before.cloned().unwrap_or_default(),
        touched: Vec::new(),
        parted: Vec::new(),
        flaws: Vec::new(),
        entries: Vec::new(),
    };
    for (column, text) in row.iter().filter(|(_, text)| !text.trim().is_empty()) {
        match Target::of(kind, column) {
            Some(target) => filling.cell(column, &target, text.trim())?,
            None => filling.flaw(
                column,
                "expected a column of an import or the path of an attribute with one value, found neither; the mapping can ignore it or say what it is",
            ),
        }
    }
    for column in clears {
        match Target::of(kind, column) {
            Some(target) => filling.clear(column, &target),
            None => filling.flaw(column, "expected a column of an import, to be cleared, found another"),
        }
    }
    filling.entries();
    if before.is_none() {
        filling.complete(row);
    }
    let Filling { document, touched, parted, flaws, .. } = filling;
    Ok(Filled { document, touched, parted, flaws })
}

struct Filling<'a> {
    snapshot: &'a dyn Snapshot,
    tenant: TenantId,
    document: Document,
    touched: Touched,
    parted: Vec<String>,
    flaws: Vec<Flaw>,
    entries: Entries,
}

impl Filling<'_> {
    fn flaw(&mut self, place: &str, detail: impl Into<String>) {
        self.flaws.push(Flaw::at(place, detail));
    }

    fn cell(&mut self, column: &str, target: &Target, text: &str) -> Result<(), RosterError> {
        match target {
            Target::Plain { extension, name, sub, data, .. } => {
                let Some(value) = typed(text, *data) else {
                    let detail = format!("expected {}, found {}", expected(*data), quoted(text));
                    self.flaw(column, detail);
                    return Ok(());
                };
                let value = match sub {
                    None => value,
                    Some(sub) => {
                        let now = self.document.attribute(extension.as_deref(), name);
                        let mut parts = now.and_then(Value::as_object).cloned().unwrap_or_default();
                        parts.insert(sub.clone(), value);
                        Value::Object(parts)
                    }
                };
                self.set(extension.as_deref(), name, value);
            }
            Target::Email => self.email(column, text),
            Target::Phone(kind) => {
                self.among("phoneNumbers", text, json!({ "type": kind }), |element| is_type(element, kind));
            }
            Target::Link(name, kind) => {
                if let Some(id) = self.named(column, *kind, text)? {
                    self.set(Some(urn::USER), name, json!({ "value": id }));
                }
            }
            Target::UserTypes => self.user_types(column, text)?,
            Target::Overrides => self.overrides(column, text)?,
            Target::Employments => self.employments(column, text)?,
            Target::Employment(part) => {
                let value = match *part {
                    "template" => self.named(column, KindId::EMPLOYMENT_TEMPLATE, text)?.map(Value::String),
                    "hourBalanceDisabled" => {
                        let value = typed(text, Type::Boolean);
                        if value.is_none() {
                            self.flaw(column, format!("expected true or false, found {}", quoted(text)));
                        }
                        value
                    }
                    _ => Some(text.into()),
                };
                if let Some(value) = value {
                    self.part("employments", part, value);
                }
            }
            Target::Rates(name) => self.rates(column, name, text),
            Target::Rate(name, part) => self.part(name, part, text.into()),
            Target::Integrations => {
                let mut all = Vec::new();
                for parts in cells::elements(text) {
                    if let [system, id] = parts.as_slice() {
                        all.push(json!({ "system": system, "id": id }));
                    } else {
                        let detail = format!("expected system@id, found {}", quoted(&parts.join("@")));
                        self.flaw(column, detail);
                    }
                }
                self.set(Some(urn::USER), "integrations", Value::Array(all));
            }
        }
        Ok(())
    }

    fn set(&mut self, extension: Option<&str>, name: &str, value: Value) {
        if self.document.attribute(extension, name) == Some(&value) {
            return;
        }
        self.document.set(extension, name, Some(value));
        let path = (extension.map(str::to_owned), name.to_owned());
        if !self.touched.contains(&path) {
            self.touched.push(path);
        }
    }

    fn unset(&mut self, extension: Option<&str>, name: &str) {
        if self.document.attribute(extension, name).is_none() {
            return;
        }
        self.document.set(extension, name, None);
        let path = (extension.map(str::to_owned), name.to_owned());
        if !self.touched.contains(&path) {
            self.touched.push(path);
        }
    }

    /// Takes away what a column is about.
    fn clear(&mut self, column: &str, target: &Target) {
        match target {
            Target::Plain { extension, name, sub, .. } => {
                let extension = extension.as_deref();
                let Some(sub) = sub else { return self.unset(extension, name) };
                let now = self.document.attribute(extension, name).and_then(Value::as_object);
                let Some(mut parts) = now.filter(|parts| parts.contains_key(sub)).cloned() else { return };
                parts.shift_remove(sub);
                if parts.is_empty() {
                    return self.unset(extension, name);
                }
                self.document.set(extension, name, Some(Value::Object(parts)));
                let above = extension.map(|id| format!("{id}:")).unwrap_or_default();
                self.parted.push(format!("{above}{name}.{sub}"));
            }
            Target::Email => {
                let has_primary = self.list(None, "emails").iter().any(is_primary);
                let mut first = true;
                self.keep("emails", |element| {
                    !(is_primary(element) || (!has_primary && std::mem::take(&mut first)))
                });
            }
            Target::Phone(kind) => self.keep("phoneNumbers", |element| !is_type(element, kind)),
            Target::Link(name, _) | Target::Rates(name) => self.unset(Some(urn::USER), name),
            Target::UserTypes => self.unset(Some(urn::USER), "userTypes"),
            Target::Overrides => self.unset(Some(urn::USER), "overrides"),
            Target::Employments => self.unset(Some(urn::USER), "employments"),
            Target::Integrations => self.unset(Some(urn::USER), "integrations"),
            Target::Employment(_) | Target::Rate(..) => self.flaw(
                column,
                "expected employments, costRates or billingRates to be cleared, the history as a whole; found a part of an entry",
            ),
        }
    }

    /// Keeps elements of a list of the core schema.
    fn keep(&mut self, name: &str, stays: impl FnMut(&Value) -> bool) {
        let mut all = self.list(None, name);
        all.retain(stays);
        if all.is_empty() {
            self.unset(None, name);
        } else {
            self.set(None, name, Value::Array(all));
        }
    }

    fn part(&mut self, history: &'static str, part: &str, value: Value) {
        match self.entries.iter_mut().find(|(name, _)| *name == history) {
            Some((_, parts)) => drop(parts.insert(part.to_owned(), value)),
            None => {
                let mut parts = Map::new();
                parts.insert(part.to_owned(), value);
                self.entries.push((history, parts));
            }
        }
    }

    /// Sets the value of one element of a list, or adds one.
    fn among(&mut self, name: &str, text: &str, mut new: Value, is_it: impl Fn(&Value) -> bool) {
        let mut all = self.list(None, name);
        match all.iter_mut().find(|element| is_it(element)) {
            Some(Value::Object(parts)) => drop(parts.insert("value".to_owned(), text.into())),
            _ => {
                if let Some(parts) = new.as_object_mut() {
                    parts.insert("value".to_owned(), text.into());
                }
                all.push(new);
            }
        }
        self.set(None, name, Value::Array(all));
    }

    fn list(&self, extension: Option<&str>, name: &str) -> Vec<Value> {
        self.document.attribute(extension, name).and_then(Value::as_array).cloned().unwrap_or_default()
    }

    fn email(&mut self, column: &str, text: &str) {
        let is_address = text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
            && !text.contains(char::is_whitespace);
        if !is_address {
            self.flaw(column, format!("expected an address such as ada@example.com, found {}", quoted(text)));
            return;
        }
        let has_primary = self.list(None, "emails").iter().any(is_primary);
        let new = json!({ "type": "work", "primary": true });
        self.among("emails", text, new, |element| !has_primary || is_primary(element));
    }

    /// Finds something of the firm's by its name.
    fn named(&mut self, column: &str, kind: KindId, name: &str) -> Result<Option<String>, RosterError> {
        let found = rights::named(self.snapshot, self.tenant, kind, name)?;
        if found.is_none() {
            let what = match kind {
                KindId::COMPANY => "company",
                KindId::CLIENT => "client",
                KindId::LICENSE_POOL => "licence pool",
                KindId::USER_TYPE => "user type",
                KindId::COST_CENTER => "cost centre",
                _ => "employment template",
            };
            let detail = format!(
                "expected the displayName or the externalId of a {what}, found {}, which names none",
                quoted(name)
            );
            self.flaw(column, detail);
        }
        Ok(found.map(|at| at.id.to_string()))
    }

    fn user_types(&mut self, column: &str, text: &str) -> Result<(), RosterError> {
        let mut all = Vec::new();
        let mut whole = true;
        for (number, parts) in cells::elements(text).into_iter().enumerate() {
            let (Some(name), true) = (parts.first(), parts.len() <= 2) else {
                self.flaw(column, format!("expected type@costCenter, found {}", quoted(&parts.join("@"))));
                whole = false;
                continue;
            };
            let Some(id) = self.named(column, KindId::USER_TYPE, name)? else {
                whole = false;
                continue;
            };
            let mut element = json!({ "value": id });
            let parts_of = element.as_object_mut();
            if let Some(into) = parts_of {
                if number == 0 {
                    into.insert("primary".to_owned(), true.into());
                }
                if let Some(place) = parts.get(1).filter(|place| !place.is_empty()) {
                    match self.named(column, KindId::COST_CENTER, place)? {
                        Some(place) => drop(into.insert("costCenter".to_owned(), place.into())),
                        None => whole = false,
                    }
                }
            }
            all.push(element);
        }
        let said = |all: &[Value]| {
            let mut keys: Vec<_> = all.iter().map(type_key).collect();
            keys.sort();
            keys
        };
        if whole && said(&all) != said(&self.list(Some(urn::USER), "userTypes")) {
            self.set(Some(urn::USER), "userTypes", Value::Array(all));
        }
        Ok(())
    }

    fn overrides(&mut self, column: &str, text: &str) -> Result<(), RosterError> {
        let mut all = Vec::new();
        for parts in cells::elements(text) {
            let part = |place: usize| parts.get(place).filter(|part| !part.is_empty());
            let (Some(permission), Some(effect), true) = (part(0), part(1), parts.len() <= 4) else {
                let detail = format!(
                    "expected permission@effect@level@costCenter, of which the last two may be left out, found {}",
                    quoted(&parts.join("@"))
                );
                self.flaw(column, detail);
                continue;
            };
            let mut entry = Map::new();
            entry.insert("permission".to_owned(), permission.clone().into());
            entry.insert("effect".to_owned(), effect.clone().into());
            if let Some(level) = part(2) {
                entry.insert("level".to_owned(), level.clone().into());
            }
            if let Some(place) = part(3)
                && let Some(id) = self.named(column, KindId::COST_CENTER, place)?
            {
                entry.insert("costCenter".to_owned(), id.into());
            }
            all.push(Value::Object(entry));
        }
        self.set(Some(urn::USER), "overrides", Value::Array(all));
        Ok(())
    }

    fn employments(&mut self, column: &str, text: &str) -> Result<(), RosterError> {
        let mut all = Vec::new();
        for parts in cells::elements(text) {
            let part = |place: usize| parts.get(place).filter(|part| !part.is_empty());
            let mut entry = Map::new();
            entry.insert("startDate".to_owned(), part(1).cloned().unwrap_or_default().into());
            if let Some(template) = part(0)
                && let Some(id) = self.named(column, KindId::EMPLOYMENT_TEMPLATE, template)?
            {
                entry.insert("template".to_owned(), id.into());
            }
            if let Some(day) = part(2) {
                entry.insert("overtimeBalanceStartDate".to_owned(), day.clone().into());
            }
            let last = part(3).map(String::as_str);
            if parts.len() > 4 || part(1).is_none() || !matches!(last, None | Some("disabled")) {
                let detail = format!(
                    "expected template@startDate@overtimeBalanceStartDate@disabled, of which the last two may be left out, found {}",
                    quoted(&parts.join("@"))
                );
                self.flaw(column, detail);
            }
            if last.is_some() {
                entry.insert("hourBalanceDisabled".to_owned(), true.into());
            }
            all.push(Value::Object(entry));
        }
        self.set(Some(urn::USER), "employments", Value::Array(all));
        Ok(())
    }

    fn rates(&mut self, column: &str, name: &str, text: &str) {
        let mut all = Vec::new();
        for parts in cells::elements(text) {
            let [money, start] = parts.as_slice() else {
                let detail =
                    format!("expected amount currency@startDate, found {}", quoted(&parts.join("@")));
                self.flaw(column, detail);
                continue;
            };
            let mut words = money.split_whitespace();
            let mut entry = Map::new();
            entry.insert("startDate".to_owned(), start.as_str().into());
            entry.insert("amount".to_owned(), words.next().unwrap_or_default().into());
            if let Some(currency) = words.next() {
                entry.insert("currency".to_owned(), currency.into());
            }
            all.push(Value::Object(entry));
        }
        self.set(Some(urn::USER), name, Value::Array(all));
    }

    /// Puts the entries of which a row says the parts into their histories.
    fn entries(&mut self) {
        for (history, parts) in std::mem::take(&mut self.entries) {
            let column = match history {
                "costRates" => "costRate",
                "billingRates" => "billingRate",
                _ => "employment",
            };
            let needed: &[&str] =
                if history == "employments" { &["startDate"] } else { &["startDate", "amount"] };
            let missing: Vec<&&str> = needed.iter().filter(|part| !parts.contains_key(**part)).collect();
            if !missing.is_empty() {
                for part in missing {
                    self.flaw(&format!("{column}.{part}"), "expected a value beside the others, found none");
                }
                continue;
            }
            let mut all = self.list(Some(urn::USER), history);
            let start = parts.get("startDate").cloned();
            match all.iter_mut().find(|entry| entry.get("startDate") == start.as_ref()) {
                Some(Value::Object(entry)) => entry.extend(parts),
                _ => all.push(Value::Object(parts)),
            }
            self.set(Some(urn::USER), history, Value::Array(all));
        }
    }

    /// Sees to what somebody new must have (H02), and to the login that is the address where none is given (P10).
    fn complete(&mut self, row: &[(String, String)]) {
        let is_given = |wanted: &str| {
            row.iter().any(|(column, text)| column.eq_ignore_ascii_case(wanted) && !text.trim().is_empty())
        };
        let name = |part: &str| {
            self.document.get("name").and_then(|name| name.get(part)).is_some_and(|text| text != "")
        };
        let (given, family) = (name("givenName"), name("familyName"));
        let address = self.list(None, "emails").first().and_then(|one| one.get("value")).cloned();
        for (there, column, what) in
            [(given, "givenName", "a first name"), (family, "familyName", "a last name")]
        {
            if !there {
                self.flaw(column, format!("expected {what} of somebody new, found none"));
            }
        }
        if address.is_none() && !is_given("email") {
            self.flaw("email", "expected an address of somebody new, found none");
        }
        if let (None, Some(address)) = (self.document.user_name(), address) {
            self.set(None, "userName", address);
        }
    }
}

fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// Tells whether an element is of a type.
pub fn is_type(element: &Value, kind: &str) -> bool {
    element.get("type").and_then(Value::as_str).is_some_and(|found| fold::fold(found) == kind)
}

fn type_key(element: &Value) -> (String, String, bool) {
    let text = |name: &str| element.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("value"), text("costCenter"), is_primary(element))
}

fn typed(text: &str, data: Type) -> Option<Value> {
    match data {
        Type::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Some(true.into()),
            "false" | "no" | "0" => Some(false.into()),
            _ => None,
        },
        Type::Integer => text.parse::<i64>().ok().map(Value::from),
        Type::Decimal => serde_json::from_str::<serde_json::Number>(text).ok().map(Value::Number),
        _ => Some(text.into()),
    }
}

const fn expected(data: Type) -> &'static str {
    match data {
        Type::Boolean => "true or false",
        Type::Integer => "a whole number",
        Type::Decimal => "a number such as 7.5",
        _ => "a text",
    }
}
