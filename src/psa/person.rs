//! The rules of the PSA extension that need nothing but the document (H01, H04, H05, H12, P07, P11, P12, P14, P16).
//!
//! They bring what was sent into the form that is kept: histories in order of their days and with one entry for a day, amounts as exact
//! decimals, days as ISO 8601 writes them; what is computed is left out. Mistakes say where they are.

use serde_json::{Map, Value};

use super::calendar::Day;
use super::history::{History, first_difference};
use super::money::{Amount, Currency};
use super::schedule::Schedule;
use crate::scim::{Refusal, Why};

/// The attributes of the extension.
pub type Attributes = Map<String, Value>;

/// What the rules need to know beside the document.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// Whether the person has ever signed in, or a program says that it has records of them: then they are what they are.
    pub used: bool,
    /// The base currency of the company.
    pub base_currency: Option<&'a str>,
    /// The person's own id.
    pub id: &'a str,
}

/// The attributes that are histories of rates.
pub const RATES: [&str; 2] = ["costRates", "billingRates"];

/// Brings the attributes of a person into order and checks them, against what stood there before.
pub fn settle(wanted: &mut Attributes, old: &Attributes, around: Around<'_>) -> Result<(), Refusal> {
    settle_kind(wanted, old, around)?;
    settle_user_types(wanted, old)?;
    no_twins(wanted, "overrides", &["permission", "costCenter"])?;
    no_twins(wanted, "integrations", &["system"])?;
    settle_employments(wanted)?;
    for name in RATES {
        settle_rates(wanted, old, name, around.base_currency)?;
    }
    settle_proxies(wanted, around.id)?;
    schedule(wanted).map(drop)
}

/// Reads the schedule of a person.
pub fn schedule(attributes: &Attributes) -> Result<Schedule, Refusal> {
    let Some(Value::Object(parts)) = attributes.get("schedule") else { return Ok(Schedule::default()) };
    let read = |name: &str| day_of(parts, name, &format!("schedule.{name}"));
    Schedule::new(read("activateOn")?, read("deactivateOn")?)
        .map_err(|error| invalid(format!("schedule: {error}")))
}

/// Finds the day from which on two histories differ; `None` where they do not.
pub fn differs_from(old: Option<&Value>, new: Option<&Value>) -> Option<Day> {
    first_difference(&history(old), &history(new))
}

/// Reads a history by dates; what is no entry is left out.
pub fn history(value: Option<&Value>) -> History<Map<String, Value>> {
    let entry = |element: &Value| {
        let parts = element.as_object()?;
        let start = Day::parse(parts.get("startDate")?.as_str()?).ok()?;
        let mut rest = parts.clone();
        for computed in ["startDate", "endDate", "current"] {
            rest.shift_remove(computed);
        }
        Some((start, rest))
    };
    value.and_then(Value::as_array).into_iter().flatten().filter_map(entry).collect()
}

/// Writes beside each entry of a history until when it holds, and whether it does today.
pub fn show_history(attributes: &mut Attributes, name: &str, today: Day) {
    let Some(value) = attributes.get(name) else { return };
    let shown = history(Some(value))
        .entries()
        .map(|entry| {
            let mut parts = Map::new();
            parts.insert("startDate".to_owned(), entry.start.to_string().into());
            if let Some(last) = entry.end {
                parts.insert("endDate".to_owned(), last.to_string().into());
            }
            parts.extend(entry.value.clone());
            parts.insert("current".to_owned(), entry.holds_on(today).into());
            Value::Object(parts)
        })
        .collect();
    attributes.insert(name.to_owned(), Value::Array(shown));
}

fn settle_kind(wanted: &mut Attributes, old: &Attributes, around: Around<'_>) -> Result<(), Refusal> {
    let text =
        |attributes: &Attributes| attributes.get("kind").and_then(Value::as_str).map(str::to_ascii_lowercase);
    let (before, mut now) = (text(old), text(wanted));
    match (&before, &now) {
        (Some(given), None) => {
            // What cannot be changed is not cleared by leaving it out.
            wanted.insert("kind".to_owned(), given.clone().into());
            now.clone_from(&before);
        }
        (Some(given), Some(other)) if given != other => {
            let detail = format!("kind: cannot be changed once it was given; this person's is {given}");
            return Err(Refusal::new(Why::Mutability, detail));
        }
        (None, Some(other)) if around.used && other != "employee" => {
            let detail = "kind: cannot be changed any more: the person has signed in, or a program holds records of them; they are an employee";
            return Err(Refusal::new(Why::Mutability, detail));
        }
        _ => {}
    }
    match (now.as_deref() == Some("client"), wanted.contains_key("client")) {
        (true, false) => {
            Err(invalid("client: expected the client that this person of the kind client belongs to"))
        }
        (false, true) => Err(invalid(format!(
            "client: expected of people of the kind client only; this person is of the kind {}",
            now.as_deref().unwrap_or("employee")
        ))),
        _ => Ok(()),
    }
}

fn settle_user_types(wanted: &mut Attributes, old: &Attributes) -> Result<(), Refusal> {
    no_twins(wanted, "userTypes", &["value", "costCenter"])?;
    let is_primary = |element: &Value| element.get("primary") == Some(&Value::Bool(true));
    let Some(Value::Array(types)) = wanted.get_mut("userTypes") else { return Ok(()) };
    if types.iter().any(is_primary) {
        return Ok(());
    }
    let before =
        old.get("userTypes").and_then(Value::as_array).into_iter().flatten().find(|one| is_primary(one));
    let same = |element: &Value| before.is_some_and(|before| before.get("value") == element.get("value"));
    let place = if types.len() == 1 { Some(0) } else { types.iter().position(same) };
    match place.and_then(|place| types.get_mut(place)) {
        Some(Value::Object(parts)) => {
            parts.insert("primary".to_owned(), Value::Bool(true));
            Ok(())
        }
        _ => Err(invalid("userTypes: expected exactly one with primary true, found none")),
    }
}

fn settle_employments(wanted: &mut Attributes) -> Result<(), Refusal> {
    let name = "employments";
    let Some(elements) = in_order(wanted, name)? else { return Ok(()) };
    for (place, parts) in elements {
        day_of(parts, "overtimeBalanceStartDate", &format!("{place}.overtimeBalanceStartDate"))?;
    }
    Ok(())
}

fn settle_rates(
    wanted: &mut Attributes,
    old: &Attributes,
    name: &str,
    base_currency: Option<&str>,
) -> Result<(), Refusal> {
    let known = history(old.get(name));
    let Some(elements) = in_order(wanted, name)? else { return Ok(()) };
    for (place, parts) in elements {
        let amount = match parts.get("amount") {
            Some(Value::String(text)) => Amount::parse(text),
            Some(Value::Number(number)) => Amount::from_number(number),
            _ => return Err(invalid(format!("{place}.amount is required"))),
        };
        let amount = amount.map_err(|error| invalid(format!("{place}.amount: {error}")))?;
        let currency = match parts.get("currency").and_then(Value::as_str) {
            Some(code) => Currency::parse(code)
                .map_err(|error| invalid(format!("{place}.currency: {error}")))?
                .code()
                .to_owned(),
            None => base_currency.map(str::to_owned).ok_or_else(|| {
                invalid(format!("{place}.currency: expected a code of ISO 4217; the person has no company whose base currency it could be"))
            })?,
        };
        let start = day_of(parts, "startDate", &place)?;
        parts.insert("amount".to_owned(), amount.to_string().into());
        parts.insert("currency".to_owned(), currency.clone().into());
        let mut rest = parts.clone();
        rest.shift_remove("startDate");
        let is_new = start.is_none_or(|start| {
            known.entries().find(|entry| entry.start == start).map(|entry| entry.value) != Some(&rest)
        });
        if let Some(base) = base_currency.filter(|base| name == "costRates" && is_new && *base != currency) {
            return Err(invalid(format!(
                "{place}.currency: expected {base}, the base currency of the company, found {currency}"
            )));
        }
    }
    Ok(())
}

fn settle_proxies(wanted: &Attributes, id: &str) -> Result<(), Refusal> {
    for (number, element) in wanted.get("proxies").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        let Value::Object(parts) = element else { continue };
        let place = format!("proxies[{number}]");
        let from = day_of(parts, "from", &format!("{place}.from"))?;
        let until = day_of(parts, "until", &format!("{place}.until"))?;
        if let (Some(from), Some(until)) = (from, until)
            && until < from
        {
            return Err(invalid(format!(
                "{place}: expected until not to come before from, found {from} to {until}"
            )));
        }
        if parts.get("value").and_then(Value::as_str) == Some(id) {
            return Err(invalid(format!("{place}: expected another person; nobody is their own proxy")));
        }
    }
    Ok(())
}

/// The entries of a history, each with its place.
type Placed<'a> = Vec<(String, &'a mut Map<String, Value>)>;

/// Puts the entries of a history in the order of their days, the last of those with one day alone, without what is computed. Returns
/// them with their places.
fn in_order<'a>(wanted: &'a mut Attributes, name: &str) -> Result<Option<Placed<'a>>, Refusal> {
    let Some(Value::Array(elements)) = wanted.get_mut(name) else { return Ok(None) };
    let mut dated: Vec<(Day, Value)> = Vec::with_capacity(elements.len());
    for (number, mut element) in std::mem::take(elements).into_iter().enumerate() {
        let Value::Object(parts) = &mut element else { continue };
        for computed in ["endDate", "current"] {
            parts.shift_remove(computed);
        }
        let place = format!("{name}[{number}].startDate");
        let start =
            day_of(parts, "startDate", &place)?.ok_or_else(|| invalid(format!("{place} is required")))?;
        parts.insert("startDate".to_owned(), start.to_string().into());
        match dated.iter_mut().find(|(day, _)| *day == start) {
            Some(earlier) => earlier.1 = element,
            None => dated.push((start, element)),
        }
    }
    dated.sort_by_key(|(start, _)| *start);
    elements.extend(dated.into_iter().map(|(_, element)| element));
    let placed = elements.iter_mut().enumerate().filter_map(|(number, element)| match element {
        Value::Object(parts) => Some((format!("{name}[{number}]"), parts)),
        _ => None,
    });
    Ok(Some(placed.collect()))
}

/// Refuses two elements of which these parts are the same.
fn no_twins(wanted: &Attributes, name: &str, parts: &[&str]) -> Result<(), Refusal> {
    let elements = wanted.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let key = |element: &Value| -> Vec<Option<Value>> {
        parts.iter().map(|part| element.get(*part).cloned()).collect()
    };
    for (number, element) in elements.iter().enumerate() {
        if elements.iter().take(number).any(|earlier| key(earlier) == key(element)) {
            let what = parts.join(" and ");
            return Err(invalid(format!(
                "{name}[{number}]: expected each {what} once; leave one of them out"
            )));
        }
    }
    Ok(())
}

fn day_of(parts: &Map<String, Value>, name: &str, place: &str) -> Result<Option<Day>, Refusal> {
    match parts.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => {
            Day::parse(text).map(Some).map_err(|error| invalid(format!("{place}: {error}")))
        }
        Some(_) => Err(invalid(format!("{place}: expected a day as a text such as 2026-03-01"))),
    }
}

fn invalid(detail: impl Into<String>) -> Refusal {
    Refusal::new(Why::InvalidValue, detail)
}
