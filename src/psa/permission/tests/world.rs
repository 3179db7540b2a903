//! A firm with a few cost centres, and short words for what people of it have.

use std::sync::Arc;

use crate::ids::ResourceId;
use crate::psa::catalogue::{Catalogue, Level, Permission, Reach};
use crate::psa::permission::{
    CostCenters, Effect, Effective, Explained, Facts, Grant, HeldGroup, HeldType, Override, explain,
};

/// Makes an id.
pub fn id(number: u8) -> ResourceId {
    let mut bytes = [0; 16];
    bytes[15] = number;
    ResourceId::from_bytes(bytes)
}

/// The firm: 1 holds 2 and 3, 2 holds 4 and 5; 6 stands beside.
pub fn firm() -> Arc<CostCenters> {
    let parents = [(1, None), (2, Some(1)), (3, Some(1)), (4, Some(2)), (5, Some(2)), (6, None)];
    Arc::new(CostCenters::new(parents.map(|(node, parent)| (id(node), parent.map(id)))))
}

/// A permission that may be limited to a cost centre.
pub fn limited() -> Permission {
    Permission {
        reach: Reach::CostCentre,
        description: "What is done with a thing".to_owned(),
        money: false,
        privileged: None,
        classes: Vec::new(),
    }
}

/// A catalogue with `things.view` and `things.update`, `firm.close` for the whole firm, `rates.view` for those who see money.
pub fn catalogue() -> Catalogue {
    Catalogue::new([
        ("things.view", limited()),
        ("things.update", limited()),
        ("firm.close", Permission { reach: Reach::Global, ..limited() }),
        ("rates.view", Permission { money: true, ..limited() }),
        ("users.update", limited()),
    ])
}

pub fn grant(permission: &str, level: Level, cost_center: Option<u8>) -> Grant {
    Grant { permission: permission.to_owned(), level, cost_center: cost_center.map(id) }
}

pub fn held(number: u8, grants: Vec<Grant>) -> HeldType {
    HeldType {
        id: id(number),
        name: format!("type {number}"),
        primary: false,
        cost_center: None,
        role: None,
        access_level: None,
        license_class: None,
        grants,
    }
}

pub fn group(number: u8, grants: Vec<Grant>) -> HeldGroup {
    HeldGroup { id: id(number), name: format!("group {number}"), bundle: None, grants, user_types: vec![] }
}

pub fn exception(permission: &str, effect: Effect, level: Option<Level>, at: Option<u8>) -> Override {
    Override { permission: permission.to_owned(), effect, level, cost_center: at.map(id) }
}

pub fn evaluate(catalogue: &Catalogue, facts: &Facts) -> Effective {
    Effective::of(&Arc::new(catalogue.clone()), &firm(), facts)
}

/// Explains one permission, and hands the explanation over.
pub fn explained<T>(
    catalogue: &Catalogue,
    facts: &Facts,
    permission: &str,
    look: impl FnOnce(&Explained<'_>) -> T,
) -> T {
    let (catalogue, tree) = (Arc::new(catalogue.clone()), firm());
    let all = explain(&catalogue, &tree, facts);
    look(all.iter().find(|explained| explained.permission == permission).expect("it is explained"))
}
