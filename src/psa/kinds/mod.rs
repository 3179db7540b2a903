//! The kinds of resource that a firm administers, one file each, and the registry of all that are served.
//!
//! A kind is a schema and the rules that need nothing but the document; the engine does the rest. What needs the store (that what is
//! named exists, that nothing that is named goes) follows from what the schema calls `names` of an attribute.

mod client;
mod company;
mod cost_center;
mod employment_template;
mod license_pool;
mod user;
mod user_type;

use std::sync::Arc;

use serde_json::{Map, Value};

pub use cost_center::{PARENT, PARENTS_MAX};
pub use license_pool::{Pool, WhenFull};

use crate::ids::KindId;
use crate::scim::schema::{Attribute, Canonical, Kind, Kinds, Schema, build};
use crate::scim::{Document, Refusal, Why};

/// Lists every kind that is served, with everything that can be seen of it.
pub fn all() -> Kinds {
    let mut person = crate::scim::schema::user();
    person.extensions.push(user::extension().into());
    Kinds::new([
        person,
        crate::scim::schema::group(),
        kind(KindId::USER_TYPE, "UserType", "/UserTypes", user_type::schema()),
        kind(KindId::COST_CENTER, "CostCenter", "/CostCenters", cost_center::schema()),
        kind(
            KindId::EMPLOYMENT_TEMPLATE,
            "EmploymentTemplate",
            "/EmploymentTemplates",
            employment_template::schema(),
        ),
        kind(KindId::COMPANY, "Company", "/Companies", company::schema()),
        kind(KindId::CLIENT, "Client", "/Clients", client::schema()),
        kind(KindId::LICENSE_POOL, "LicensePool", "/LicensePools", license_pool::schema()),
    ])
}

/// Leaves of the kinds what a caller sees: the PSA extension for those who work with it, financial attributes for those who may see money.
pub fn seen(all: &Kinds, psa: bool, money: bool) -> Kinds {
    all.with_extensions(|schema| {
        if !psa && schema.id == super::urn::USER {
            return None;
        }
        let stripped = !money && schema.holds_money();
        Some(if stripped { schema.without_money().into() } else { Arc::clone(schema) })
    })
}

/// Checks what only the kind itself knows of a document.
pub fn check(kind: KindId, document: &Document) -> Result<(), Refusal> {
    match kind {
        KindId::USER_TYPE => user_type::check(document),
        KindId::EMPLOYMENT_TEMPLATE => employment_template::check(document),
        KindId::COMPANY => company::check(document),
        KindId::LICENSE_POOL => Pool::of(document).map(drop),
        _ => Ok(()),
    }
}

/// Writes words of closed lists as the list has them: whoever reads them later need not mind the case of letters.
pub fn spell(schema: &Schema, attributes: &mut Map<String, Value>) {
    for attribute in &schema.attributes {
        let Some(value) = attributes.get_mut(&attribute.name) else { continue };
        spell_value(attribute, value);
        let elements = match value {
            Value::Array(elements) => elements.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for parts in elements.iter_mut().filter_map(Value::as_object_mut) {
            for sub in &attribute.sub_attributes {
                if let Some(value) = parts.get_mut(&sub.name) {
                    spell_value(sub, value);
                }
            }
        }
    }
}

fn spell_value(attribute: &Attribute, value: &mut Value) {
    let closed = attribute.canonical == Canonical::Enforced;
    if let (true, Value::String(text)) = (closed, value) {
        let same = |word: &&String| word.eq_ignore_ascii_case(text);
        if let Some(word) = attribute.canonical_values.iter().find(same) {
            text.clone_from(word);
        }
    }
}

fn kind(id: KindId, name: &str, endpoint: &str, schema: Schema) -> Kind {
    Kind {
        id,
        name: name.into(),
        endpoint: endpoint.into(),
        description: schema.description.clone(),
        common: build::common().into(),
        core: schema.into(),
        extensions: Vec::new(),
    }
}

fn invalid(detail: impl Into<String>) -> Refusal {
    Refusal::new(Why::InvalidValue, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psa::urn;

    #[test]
    fn who_sees_no_money_sees_neither_rates_nor_their_segment() {
        let all = all();
        let person = |psa, money| Arc::clone(seen(&all, psa, money).by_id(KindId::USER).unwrap());
        let rates = |kind: &Kind| kind.attribute_of(Some(urn::USER), "costRates").is_some();
        let money = format!("{}#money", urn::USER);
        assert!(rates(&person(true, true)) && person(true, true).sees(&money));
        assert!(!rates(&person(true, false)) && !person(true, false).sees(&money));
        assert!(person(true, false).sees(urn::USER) && !person(false, true).sees(urn::USER));
    }

    #[test]
    fn names_of_kinds_and_endpoints_are_told_apart() {
        let all = all();
        for kind in all.iter() {
            assert_eq!(all.by_name(&kind.name).unwrap().id, kind.id);
            assert_eq!(all.by_endpoint(&kind.endpoint).unwrap().id, kind.id);
        }
        assert!(all.by_id(KindId::DEPARTED).is_none());
    }
}
