//! CostCenter: a node of the firm's tree, along which permissions cascade (P17).

use crate::ids::KindId;
use crate::psa::urn;
use crate::scim::schema::Schema;
use crate::scim::schema::build::{link, string};

/// The attribute that names the node above.
pub const PARENT: &str = "parent";
/// Most nodes above one: deeper trees are refused.
pub const PARENTS_MAX: usize = 32;

/// Makes the schema.
pub(super) fn schema() -> Schema {
    Schema::new(
        urn::COST_CENTER.into(),
        "CostCenter".into(),
        "A node of the firm's tree of cost centres".into(),
        vec![
            string("displayName", "What it is called; unique").required().server_unique(),
            string("code", "Its number in other programs"),
            string("description", "What it is for"),
            link(PARENT, KindId::COST_CENTER, "CostCenter", "The cost centre above; absent at the top"),
        ],
    )
}
