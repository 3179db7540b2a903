//! What a plugin is shown of a person: what its grant names, and nothing else (X57).
//!
//! The document holds nothing that is never returned, and a grant names no such attribute; both are looked at here again, for whoever
//! would lose a password by a mistake elsewhere. Pure: from the roster's values to those of `plugins/wit`.

use serde_json::{Map, Value};

use super::wit::types;
use crate::psa::standing::Writer;
use crate::psa::urn::USER as PSA;
use crate::roster::hooks::{About, Employment, Grant, Granted, Held, Notice, Operation, Rate, Subject};

/// The enterprise extension of User (RFC 7643 §4.3).
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Says where and when.
pub fn context(about: &About) -> types::Context {
    types::Context {
        tenant: about.tenant.clone(),
        source: about.source.clone(),
        operation: operation(about.operation),
        correlation_id: about.request.to_string(),
        now: about.now.to_string(),
        today: about.today.to_string(),
        dry_run: about.dry_run,
    }
}

const fn operation(operation: Operation) -> types::Operation {
    match operation {
        Operation::Create => types::Operation::Create,
        Operation::Replace => types::Operation::Replace,
        Operation::Patch => types::Operation::Patch,
        Operation::Activate => types::Operation::Activate,
        Operation::Deactivate => types::Operation::Deactivate,
        Operation::Lock => types::Operation::Lock,
        Operation::Unlock => types::Operation::Unlock,
        Operation::Delete => types::Operation::Delete,
        Operation::SignIn => types::Operation::SignIn,
        Operation::Remap => types::Operation::Remap,
    }
}

/// Shows a person.
pub fn user(subject: &Subject, grant: &Grant) -> types::User {
    let seen = Seen { subject, grant };
    let groups = subject.groups.iter().filter(|_| grant.shows_groups());
    types::User {
        id: subject.id.to_string(),
        external_id: seen.text(None, "externalId"),
        user_name: seen.text(None, "userName"),
        // Who may not see whether somebody is active is asked as of anybody who is.
        active: seen.value(None, "active").and_then(Value::as_bool).unwrap_or(true),
        display_name: seen.text(None, "displayName"),
        given_name: seen.part("name", "givenName"),
        family_name: seen.part("name", "familyName"),
        title: seen.text(None, "title"),
        user_type: seen.text(None, "userType"),
        email: seen.of_primary("emails", "value"),
        locale: seen.text(None, "locale"),
        timezone: seen.text(None, "timezone"),
        country: seen.of_primary("addresses", "country"),
        employee_number: seen.text(Some(ENTERPRISE), "employeeNumber"),
        cost_center: seen.text(Some(ENTERPRISE), "costCenter"),
        organization: seen.text(Some(ENTERPRISE), "organization"),
        division: seen.text(Some(ENTERPRISE), "division"),
        department: seen.text(Some(ENTERPRISE), "department"),
        manager_id: seen
            .value(Some(ENTERPRISE), "manager")
            .and_then(|manager| text_of(manager.get("value")?)),
        groups: groups
            .map(|(id, display)| types::GroupRef { id: id.to_string(), display: display.clone() })
            .collect(),
        extra: Value::Object(seen.extra()).to_string(),
        shadow: if grant.shows_shadow() {
            Value::Object(subject.shadow.clone()).to_string()
        } else {
            "{}".to_owned()
        },
    }
}

/// What is shown in a field of its own, and therefore not in `extra` too.
const FIELDS: &[(Option<&str>, &str)] = &[
    (None, "externalId"),
    (None, "userName"),
    (None, "active"),
    (None, "displayName"),
    (None, "title"),
    (None, "userType"),
    (None, "locale"),
    (None, "timezone"),
    (Some(ENTERPRISE), "employeeNumber"),
    (Some(ENTERPRISE), "costCenter"),
    (Some(ENTERPRISE), "organization"),
    (Some(ENTERPRISE), "division"),
    (Some(ENTERPRISE), "department"),
];

/// A person through a grant.
struct Seen<'a> {
    subject: &'a Subject,
    grant: &'a Grant,
}

impl<'a> Seen<'a> {
    fn value(&self, urn: Option<&str>, name: &str) -> Option<&'a Value> {
        let shown = self.grant.shows(urn, name) && !is_secret(name);
        shown.then(|| self.subject.document.attribute(urn, name)).flatten()
    }

    fn text(&self, urn: Option<&str>, name: &str) -> Option<String> {
        text_of(self.value(urn, name)?)
    }

    fn part(&self, name: &str, part: &str) -> Option<String> {
        text_of(self.value(None, name)?.get(part)?)
    }

    /// A part of the primary element, else of the first.
    fn of_primary(&self, name: &str, part: &str) -> Option<String> {
        let elements = self.value(None, name)?.as_array()?;
        let primary = |element: &&Value| element.get("primary").and_then(Value::as_bool) == Some(true);
        text_of(elements.iter().find(primary).or_else(|| elements.first())?.get(part)?)
    }

    fn extra(&self) -> Map<String, Value> {
        let mut extra = Map::new();
        for granted in &self.grant.reads {
            let Granted::Attribute { urn, name } = granted else { continue };
            let urn = urn.as_deref();
            let is = |(at, field): &(Option<&str>, &str)| {
                field.eq_ignore_ascii_case(name)
                    && at.map(str::to_ascii_lowercase) == urn.map(str::to_ascii_lowercase)
            };
            // The firm's own side has a record of its own.
            if FIELDS.iter().any(is) || urn.is_some_and(|urn| urn.eq_ignore_ascii_case(PSA)) {
                continue;
            }
            if let Some(value) = self.value(urn, name) {
                let path = urn.map_or_else(|| name.clone(), |urn| format!("{urn}:{name}"));
                extra.insert(path, value.clone());
            }
        }
        extra
    }
}

/// Tells whether an attribute is shown to nobody, whatever a grant says.
pub(super) fn is_secret(name: &str) -> bool {
    name.eq_ignore_ascii_case("password")
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Shows the firm's own side.
pub fn psa(held: &Held, grant: &Grant) -> types::Psa {
    let shows = |name: &str| grant.shows(Some(PSA), name);
    let origin = |name: &str| shows(name).then(|| held.writers.get(name).map(origin)).flatten();
    let one = |name: &str, value: &Option<String>| {
        let value = value.clone().filter(|_| shows(name))?;
        // What nobody is noted for came with the record: from the provider.
        Some(types::Held { value, origin: origin(name).unwrap_or(types::Origin::Idp) })
    };
    let dated = |value: &Option<String>| one("schedule", value);
    let choices = held.user_types.iter().filter(|_| shows("userTypes"));
    types::Psa {
        kind: one("kind", &held.kind),
        license: one("license", &held.license),
        financial_visibility: one("financialVisibility", &held.financial_visibility),
        user_types: choices
            .map(|choice| types::UserTypeChoice {
                user_type: choice.user_type.clone(),
                primary: choice.primary,
                cost_center: choice.cost_center.clone(),
            })
            .collect(),
        user_types_origin: origin("userTypes"),
        employments: held.employments.iter().filter(|_| shows("employments")).map(employment).collect(),
        employments_origin: origin("employments"),
        cost_rates: held.cost_rates.iter().filter(|_| shows("costRates")).map(rate).collect(),
        cost_rates_origin: origin("costRates"),
        billing_rates: held.billing_rates.iter().filter(|_| shows("billingRates")).map(rate).collect(),
        billing_rates_origin: origin("billingRates"),
        activate_on: dated(&held.activate_on),
        deactivate_on: dated(&held.deactivate_on),
    }
}

const fn origin(writer: &Writer) -> types::Origin {
    match writer {
        Writer::Idp => types::Origin::Idp,
        Writer::Admin => types::Origin::Admin,
        Writer::Plugin(_) => types::Origin::Plugin,
    }
}

fn rate(rate: &Rate) -> types::Rate {
    types::Rate {
        start_date: rate.start_date.clone(),
        amount: rate.amount.clone(),
        currency: rate.currency.clone(),
    }
}

fn employment(employment: &Employment) -> types::Employment {
    types::Employment {
        start_date: employment.start_date.clone(),
        template: employment.template.clone(),
        overtime_balance_start_date: employment.overtime_balance_start_date.clone(),
        hour_balance_disabled: employment.hour_balance_disabled,
    }
}

/// Shows what has happened.
pub fn event(about: &About, notice: &Notice, grant: &Grant) -> types::Event {
    types::Event {
        id: notice.id.clone(),
        sequence: notice.sequence.to_string(),
        operation: operation(about.operation),
        subject: notice.subject.to_string(),
        changed: notice.changed.iter().filter(|path| shows_path(grant, path)).cloned().collect(),
        user: notice.user.as_ref().map(|subject| user(subject, grant)),
    }
}

/// Tells whether the attribute that a path leads to is granted: `title`, `name.givenName`, `urn:…:User:department`.
fn shows_path(grant: &Grant, path: &str) -> bool {
    if path == "groups" {
        return grant.shows_groups();
    }
    let (urn, rest) = match path.get(..4) {
        Some(urn) if urn.eq_ignore_ascii_case("urn:") => match path.rsplit_once(':') {
            Some((urn, rest)) => (Some(urn), rest),
            None => return false,
        },
        _ => (None, path),
    };
    let name = rest.split(['.', '[']).next().unwrap_or(rest);
    !is_secret(name) && grant.shows(urn, name)
}

#[cfg(test)]
#[path = "show/tests.rs"]
mod tests;
