//! Money and those who may not see it: a request that names it is refused whole (section 4 of the domain; A03, X25).
//!
//! To a credential without the scope `financials` such an attribute does not exist, so that what is sent of it would be taken for
//! one that no schema knows, and kept. So bodies are looked through before they are read, for the names that are hidden from the caller.

use serde_json::{Map, Value};

use super::Caller;
use super::error::RosterError;
use super::scope::Scope;
use crate::scim::attr::{Resolved, resolve};
use crate::scim::schema::{Kind, MONEY, Schema};
use crate::scim::urn;

/// Refuses the body of a POST or a PUT that names what the caller may not see.
pub(super) fn check_resource(caller: &Caller, kind: &Kind, body: &Value) -> Result<(), RosterError> {
    let hidden = Hidden { caller, kind };
    if hidden.is_anything() && body.as_object().is_some_and(|body| hidden.is_named_in(body)) {
        return Err(forbidden(caller));
    }
    Ok(())
}

/// Refuses the body of a PATCH that names what the caller may not see, in any of its operations.
pub(super) fn check_patch(caller: &Caller, kind: &Kind, body: &Value) -> Result<(), RosterError> {
    let hidden = Hidden { caller, kind };
    if !hidden.is_anything() {
        return Ok(());
    }
    let lists = body.as_object().into_iter().flatten().filter(|(name, _)| urn::same(name, "Operations"));
    let operations = lists.filter_map(|(_, list)| list.as_array()).flatten().filter_map(Value::as_object);
    if operations.into_iter().any(|operation| hidden.is_named_by(operation)) {
        return Err(forbidden(caller));
    }
    Ok(())
}

fn forbidden(caller: &Caller) -> RosterError {
    let needs = Scope::Financials.name();
    match caller.person() {
        None => RosterError::Forbidden { needs },
        Some(_) => RosterError::NotAllowed {
            needs,
            detail: "this token acts as a person: money is for those who have the permission rates.view at the level all, with a token that has the scope financials".to_owned(),
        },
    }
}

/// What is hidden from a caller of one kind.
struct Hidden<'a> {
    caller: &'a Caller,
    kind: &'a Kind,
}

impl Hidden<'_> {
    fn is_anything(&self) -> bool {
        self.schemas().next().is_some()
    }

    /// The schemas of which something is hidden, with what is hidden alone.
    fn schemas(&self) -> impl Iterator<Item = &Schema> {
        self.caller.sight.hidden(self.kind.id)
    }

    /// Tells whether an operation of a PATCH names it: by its path, or by a name in its value.
    fn is_named_by(&self, operation: &Map<String, Value>) -> bool {
        let members = |wanted: &'static str| {
            operation.iter().filter(move |(name, _)| urn::same(name, wanted)).map(|(_, value)| value)
        };
        let mut paths = members("path").filter_map(Value::as_str).filter(|path| !path.trim().is_empty());
        let Some(path) = paths.next() else {
            return members("value").filter_map(Value::as_object).any(|value| self.is_named_in(value));
        };
        self.is_name(path)
            || members("value").any(|value| self.is_named_within(path, value))
            || paths.any(|path| self.is_name(path))
    }

    /// Tells whether it is named by an object of attributes.
    fn is_named_in(&self, attributes: &Map<String, Value>) -> bool {
        attributes.iter().any(|(name, value)| self.is_name(name) || self.is_named_within(name, value))
    }

    /// Tells whether it is named by what stands under a name, if that is the URN of a schema: an object of attributes, or a list of such.
    fn is_named_within(&self, name: &str, value: &Value) -> bool {
        // A schema is meant also where nothing follows the colon.
        let id = name.trim().trim_end_matches([':', '.']);
        let elements = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let mut objects = elements.iter().filter_map(Value::as_object);
        if urn::same(id, &self.kind.core.id) {
            // As deep as the reader of bodies lets it be.
            return objects.any(|attributes| self.is_named_in(attributes));
        }
        let mut schemas = self.schemas();
        let of = schemas.find(|schema| urn::same(id.strip_suffix(MONEY).unwrap_or(id), &schema.id));
        of.is_some_and(|schema| {
            let mut names = objects.flat_map(Map::keys);
            names.any(|name| self.is_name(name) || schema.attribute(first_name(name)).is_some())
        })
    }

    /// Tells whether a name or a path means it.
    fn is_name(&self, text: &str) -> bool {
        let head = text.trim();
        let by_urn = |schema: &Schema| {
            behind(&schema.id, head).is_some_and(|rest| schema.attribute(first_name(rest)).is_some())
        };
        if self.schemas().any(by_urn) {
            return true;
        }
        let name = first_name(behind(&self.kind.core.id, head).unwrap_or(head));
        self.schemas().any(|schema| schema.attribute(name).is_some())
            // Another schema may have one of this name, which is meant then.
            && !matches!(resolve(name, self.kind), Resolved::Attribute { .. })
    }
}

/// Returns what follows the URN of a schema in a path.
fn behind<'t>(id: &str, text: &'t str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(id.len())?;
    let rest = rest.strip_prefix(MONEY).unwrap_or(rest);
    rest.strip_prefix([':', '.']).filter(|_| urn::same(head, id))
}

/// Returns the attribute that a path without a URN begins with.
fn first_name(path: &str) -> &str {
    path.split(['[', '.']).next().unwrap_or_default().trim()
}

/// Whose rates they are.
const PSA: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
/// What a person's hour costs, and what it is sold for.
const RATES: [&str; 2] = ["costRates", "billingRates"];

/// Tells whether an attribute is financial by its name alone: for entries of the history whose values were erased, of which only names are left, and with
/// the values went what says of each change whether it is of money.
pub fn is_money(attribute: &str) -> bool {
    attribute.strip_prefix(PSA).and_then(|rest| rest.rsplit(':').next()).is_some_and(|name| {
        let whole = name.split(['.', '[']).next().unwrap_or(name);
        RATES.iter().any(|rate| rate.eq_ignore_ascii_case(whole))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_money_and_nothing_else_is() {
        for name in ["costRates", "billingRates", "costRates.amount"] {
            assert!(is_money(&format!("{PSA}:{name}")), "{name}");
        }
        for other in ["costRates", "title", &format!("{PSA}:kind"), &format!("{PSA}:costRatesOf")] {
            assert!(!is_money(other), "{other}");
        }
    }
}
