//! Whom a plugin is asked about at the command line: a person as SCIM writes them, and the firm's own side of them, as JSON.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ids::{RequestId, ResourceId};
use crate::roster::SHADOW;
use crate::roster::hooks::{About, Employment, Held, Operation, Rate, Series, Subject, UserTypeChoice};
use crate::scim::Document;

/// Why JSON is nobody.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// It is something else.
    #[error("expected a JSON object: a User as SCIM writes it")]
    NoObject,
    /// An id in it is none.
    #[error("{0}: expected an id of 36 characters such as 0192f0c1-2b3c-7def-8123-456789abcdef")]
    Id(&'static str),
    /// The firm's own side.
    #[error(transparent)]
    Held(#[from] serde_json::Error),
}

/// A moment, a tenant and a connection for a question by hand: nothing will be written.
pub fn about(now: Timestamp, operation: Operation, series: Series) -> About {
    let request = RequestId::from_bytes([0; 16]);
    About {
        tenant: "main".to_owned(),
        source: "command-line".to_owned(),
        operation,
        request,
        now,
        today: now.to_zoned(TimeZone::UTC).date(),
        dry_run: true,
        series,
    }
}

/// Reads a person: a User as SCIM writes it, with `groups` (`value`, `display`), and beside it `shadow`.
pub fn subject(json: Value) -> Result<Subject, PersonError> {
    let Value::Object(mut members) = json else { return Err(PersonError::NoObject) };
    let id = match members.shift_remove("id") {
        Some(id) => parsed(&id, "id")?,
        None => ResourceId::from_bytes([0; 16]),
    };
    for name in ["schemas", "meta"] {
        members.shift_remove(name);
    }
    let mut groups = Vec::new();
    if let Some(Value::Array(listed)) = members.shift_remove("groups") {
        for group in listed {
            let id = parsed(group.get("value").unwrap_or(&Value::Null), "groups.value")?;
            let display = group.get("display").and_then(Value::as_str).unwrap_or_default();
            groups.push((id, display.to_owned()));
        }
    }
    let shadow = match members.shift_remove(SHADOW) {
        Some(Value::Object(shadow)) => shadow,
        _ => Map::new(),
    };
    let mut document = Document::default();
    for (name, value) in members {
        match value {
            Value::Object(attributes) if name.starts_with("urn:") => {
                document.extensions.push((name, attributes));
            }
            value => drop(document.core.insert(name, value)),
        }
    }
    Ok(Subject { id, document, groups, shadow })
}

fn parsed(id: &Value, place: &'static str) -> Result<ResourceId, PersonError> {
    ResourceId::parse(id.as_str().unwrap_or_default()).map_err(|_| PersonError::Id(place))
}

/// The firm's own side, as it is written in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Written {
    kind: Option<String>,
    license: Option<String>,
    financial_visibility: Option<String>,
    user_types: Vec<WrittenUserType>,
    employments: Vec<WrittenEmployment>,
    cost_rates: Vec<WrittenRate>,
    billing_rates: Vec<WrittenRate>,
    activate_on: Option<String>,
    deactivate_on: Option<String>,
    writers: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenUserType {
    user_type: String,
    #[serde(default)]
    primary: bool,
    cost_center: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenEmployment {
    start_date: String,
    template: Option<String>,
    overtime_balance_start_date: Option<String>,
    hour_balance_disabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenRate {
    start_date: String,
    amount: String,
    currency: String,
}

/// Reads the firm's own side: fields in camelCase, names of things in place of ids, and `writers` by attribute (`idp`, `admin`, `plugin:NAME`).
pub fn held(json: Value) -> Result<Held, PersonError> {
    let written: Written = serde_json::from_value(json)?;
    let rate =
        |one: WrittenRate| Rate { start_date: one.start_date, amount: one.amount, currency: one.currency };
    Ok(Held {
        kind: written.kind,
        license: written.license,
        financial_visibility: written.financial_visibility,
        user_types: written
            .user_types
            .into_iter()
            .map(|one| UserTypeChoice {
                user_type: one.user_type,
                primary: one.primary,
                cost_center: one.cost_center,
            })
            .collect(),
        employments: written
            .employments
            .into_iter()
            .map(|one| Employment {
                start_date: one.start_date,
                template: one.template,
                overtime_balance_start_date: one.overtime_balance_start_date,
                hour_balance_disabled: one.hour_balance_disabled,
            })
            .collect(),
        cost_rates: written.cost_rates.into_iter().map(rate).collect(),
        billing_rates: written.billing_rates.into_iter().map(rate).collect(),
        activate_on: written.activate_on,
        deactivate_on: written.deactivate_on,
        writers: written.writers.into_iter().map(|(name, writer)| (name, writer.into())).collect(),
    })
}
